/* SPDX-License-Identifier: MIT */
/* See usb_board.h. */
#include "tests/unit/usb_board.h"
#include <string.h>
#include "util/loop.h"

unsigned usb_patience = 100;
static unsigned command_at, event_at;
static uint32_t event_cycle;
static unsigned trb_at[8][32];
static uint32_t trb_cycle[8][32];

static uint64_t ring(unsigned slot, unsigned dci)
{
    return USB_RINGS + 0x400 * (32 * slot + dci);
}

static void put_trb(Board *b, uint64_t at, uint64_t param, uint32_t status, uint32_t control)
{
    mem_write(b, at, param, 8);
    mem_write(b, at + 8, status, 4);
    mem_write(b, at + 12, control, 4);
}

void usb_start(Board *b)
{
    command_at = event_at = 0;
    event_cycle = 1;
    memset(trb_at, 0, sizeof(trb_at));
    memset(trb_cycle, 0, sizeof(trb_cycle));
    cfg_write(b, USB_DEV, 0x10, USB_MEM, 4);
    cfg_write(b, USB_DEV, 0x14, 0, 4);
    cfg_write(b, USB_DEV, 0x04, 6, 2);
    mem_write(b, USB_OPER, 2, 4);                       /* reset */
    mem_write(b, USB_OPER + 0x38, 8, 4);                /* slots */
    mem_write(b, USB_OPER + 0x30, USB_DCBAA, 4);
    mem_write(b, USB_OPER + 0x34, 0, 4);
    for (unsigned i = 1; i < 8; i++) {
        mem_write(b, USB_DCBAA + 8 * i, USB_CONTEXT + 0x1000 * i, 8);
    }
    mem_write(b, USB_OPER + 0x18, USB_CMD_RING | 1, 4);
    mem_write(b, USB_OPER + 0x1c, 0, 4);
    mem_write(b, USB_ERST, USB_EVENTS, 8);
    mem_write(b, USB_ERST + 8, USB_NEVENTS, 8);
    mem_write(b, USB_RUNTIME + 0x28, 1, 4);
    mem_write(b, USB_RUNTIME + 0x38, USB_EVENTS, 4);
    mem_write(b, USB_RUNTIME + 0x3c, 0, 4);
    mem_write(b, USB_RUNTIME + 0x30, USB_ERST, 4);
    mem_write(b, USB_RUNTIME + 0x34, 0, 4);
    mem_write(b, USB_RUNTIME + 0x20, 2, 4);
    mem_write(b, USB_OPER, 5, 4);                       /* run, interrupts */
}

bool usb_event(Board *b, UsbEvent *e, bool wait)
{
    uint64_t at = USB_EVENTS + 16 * event_at;
    for (unsigned i = 0; wait && i < usb_patience && (mem_read(b, at + 12, 4) & 1) != event_cycle; i++) {
        machine_unlock(&b->m);
        loop_run_once(b->m.loop, 10000000);
        machine_lock(&b->m);
    }
    e->param = mem_read(b, at, 8);
    e->status = mem_read(b, at + 8, 4);
    e->control = mem_read(b, at + 12, 4);
    if ((e->control & 1) != event_cycle) {
        return false;
    }
    if (++event_at == USB_NEVENTS) {
        event_at = 0;
        event_cycle ^= 1;
    }
    mem_write(b, USB_RUNTIME + 0x38, (USB_EVENTS + 16 * event_at) | 8, 4);
    mem_write(b, USB_RUNTIME + 0x3c, 0, 4);
    return true;
}

unsigned usb_command(Board *b, uint64_t param, uint32_t control, unsigned *slot)
{
    UsbEvent e;
    put_trb(b, USB_CMD_RING + 16 * command_at++, param, 0, control | 1);
    mem_write(b, USB_BELL, 0, 4);
    while (usb_event(b, &e, true)) {
        if (usb_event_type(&e) == 33) {
            if (slot) {
                *slot = e.control >> 24;
            }
            return e.status >> 24;
        }
    }
    return 0;
}

unsigned usb_attach(Board *b, unsigned port)
{
    unsigned slot = 0;
    uint32_t speed;
    mem_write(b, USB_PORTSC + 16 * port, 0x210, 4);     /* power, reset */
    mem_write(b, USB_PORTSC + 16 * port, 0xfe0200, 4);
    speed = mem_read(b, USB_PORTSC + 16 * port, 4) >> 10 & 15;
    if (usb_command(b, 0, 9 << 10, &slot) != 1) {
        return 0;
    }
    for (unsigned i = 0; i < 0x420; i += 8) {
        mem_write(b, USB_INPUT + i, 0, 8);
    }
    mem_write(b, USB_INPUT + 4, 3, 4);
    mem_write(b, USB_INPUT + 32, 1 << 27 | speed << 20, 4);
    mem_write(b, USB_INPUT + 36, port << 16, 4);
    mem_write(b, USB_INPUT + 64 + 4, 64 << 16 | 4 << 3 | 3 << 1, 4);
    mem_write(b, USB_INPUT + 64 + 8, ring(slot, 1) | 1, 8);
    trb_cycle[slot][1] = 1;
    return usb_command(b, USB_INPUT, 11 << 10 | slot << 24, NULL) == 1 ? slot : 0;
}

unsigned usb_add_ep(Board *b, unsigned slot, unsigned dci, unsigned type)
{
    mem_write(b, USB_INPUT, 0, 4);
    mem_write(b, USB_INPUT + 4, 1 | 1u << dci, 4);
    uint64_t at = USB_INPUT + 32 * (dci + 1);
    mem_write(b, at, 0, 8);
    mem_write(b, at + 4, 512 << 16 | type << 3 | 3 << 1, 4);
    mem_write(b, at + 8, ring(slot, dci) | 1, 8);
    trb_at[slot][dci] = 0;
    trb_cycle[slot][dci] = 1;
    return usb_command(b, USB_INPUT, 12 << 10 | slot << 24, NULL);
}

void usb_trb(Board *b, unsigned slot, unsigned dci, uint64_t param, uint32_t status,
             uint32_t control)
{
    uint32_t *cycle = &trb_cycle[slot][dci];
    put_trb(b, ring(slot, dci) + 16 * trb_at[slot][dci]++, param, status, control | *cycle);
    if (trb_at[slot][dci] == USB_RING_TRBS) {           /* link back, with a toggle */
        put_trb(b, ring(slot, dci) + 16 * USB_RING_TRBS, ring(slot, dci), 0,
                6 << 10 | 2 | (control & 0x10) | *cycle);
        trb_at[slot][dci] = 0;
        *cycle ^= 1;
    }
}

void usb_bell(Board *b, unsigned slot, unsigned dci)
{
    mem_write(b, USB_BELL + 4 * slot, dci, 4);
}

static unsigned wait_transfer(Board *b, uint32_t *rest)
{
    UsbEvent e;
    while (usb_event(b, &e, true)) {
        if (usb_event_type(&e) == 32) {
            if (rest) {
                *rest = e.status & 0xffffff;
            }
            return e.status >> 24;
        }
    }
    return 0;
}

unsigned usb_transfer(Board *b, unsigned slot, unsigned dci, uint64_t at, uint32_t len,
                      uint32_t *rest)
{
    usb_trb(b, slot, dci, at, len, 1 << 10 | 0x24);     /* normal, IOC, ISP */
    usb_bell(b, slot, dci);
    return wait_transfer(b, rest);
}

unsigned usb_request(Board *b, unsigned slot, uint8_t type, uint8_t request, uint16_t value,
                     uint16_t index, uint16_t length)
{
    uint64_t setup = type | request << 8 | (uint64_t)value << 16 | (uint64_t)index << 32 |
                     (uint64_t)length << 48;
    usb_trb(b, slot, 1, setup, 8, 2 << 10 | 0x40);
    if (length) {
        usb_trb(b, slot, 1, USB_DATA, length, 3 << 10 | (type & 0x80 ? 1 << 16 : 0));
    }
    usb_trb(b, slot, 1, 0, 0, 4 << 10 | 0x20);
    usb_bell(b, slot, 1);
    return wait_transfer(b, NULL);
}

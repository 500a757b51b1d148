/* SPDX-License-Identifier: MIT */
/*
 * xHCI with a keyboard, a tablet and a disk, brought up by a good driver; the input is what
 * lies in its rings, contexts and packets from then on, with doorbells, registers, keys and
 * turns of the loop between.
 */
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/core/block.h"
#include "hw/core/input.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/usb_board.h"
#include "util/alloc.h"
#include "util/loop.h"

const char *const fuzz_name = "usb";

/* Whatever a good driver asks for is there at once. */
void fuzz_init(void)
{
    usb_patience = 0;
}

static void add(Board *b, const char *spec)
{
    Error err = ERROR_INIT;
    if (!device_add(&b->m, spec, &err)) {
        abort();
    }
}

static void bring_up(Board *b)
{
    Error err = ERROR_INIT;
    char path[] = "/tmp/dyad-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, 1 << 20)) {
        abort();
    }
    close(fd);
    char *spec = xasprintf("file=%s,format=raw,if=none,id=d0,discard=unmap", path);
    if (!block_open_drive(&b->m, spec, false, &err)) {
        abort();
    }
    free(spec);
    unlink(path);
    add(b, "qemu-xhci,addr=5");
    add(b, "usb-storage,drive=d0");
    add(b, "usb-kbd");
    add(b, "usb-tablet");
    device_reset_all(&b->m);
    usb_start(b);
    for (unsigned slot = 1; slot <= 3; slot++) {
        usb_attach(b, slot);
        usb_request(b, slot, 0, 9, 1, 0, 0);
        usb_add_ep(b, slot, 3, slot == 1 ? 6 : 7);
    }
    usb_add_ep(b, 1, 4, 2);
}

static void turn(Board *b)
{
    machine_unlock(&b->m);
    loop_run_once(b->m.loop, 0);
    machine_lock(&b->m);
}

/* The places that a write goes to, by number. */
static uint64_t place(unsigned n, unsigned at)
{
    switch (n) {
    case 0: return USB_RINGS + 0x400 * (32 + 1) + at % 0x400;
    case 1: return USB_RINGS + 0x400 * (32 + 3) + at % 0x400;
    case 2: return USB_RINGS + 0x400 * (32 + 4) + at % 0x400;
    case 3: return USB_RINGS + 0x400 * (64 + 3) + at % 0x400;
    case 4: return USB_CMD_RING + at % 0x400;
    case 5: return USB_INPUT + at % 0x420;
    case 6: return USB_CONTEXT + 0x1000 + at % 0x3000;
    case 7: return USB_ERST + at % 32;
    case 8: return USB_DCBAA + at % 64;
    case 9: return USB_PACKETS + at % 64;
    default: return USB_DATA + at % 4096;
    }
}

/* Pieces: kind and number, place (16 bits), length or value, bytes. */
void fuzz_one(const uint8_t *p, size_t n)
{
    Board *b = board_create();
    bring_up(b);
    for (unsigned k = 0; n >= 4 && k < 400; k++) {
        unsigned kind = p[0] >> 4, num = p[0] & 15, at = p[1] | p[2] << 8, len = 0;
        uint32_t v = p[3];
        UsbEvent e;
        if (kind < 7) {
            len = MIN(p[3] % 65u, n - 4);
            memory_write(&b->m.mem, place(num, at), p + 4, len);
        } else if (kind < 9) {
            usb_bell(b, num % 5, at % 6);
        } else if (kind == 9) {
            mem_write(b, USB_MEM + at % 0x2100, v * 0x01010101u, 4);
        } else if (kind == 10) {    /* one bit of an operational or a port register */
            mem_write(b, (num & 1 ? USB_PORTSC + 16 * (1 + at % 3) : USB_OPER + at % 64), 1u << v % 32, 4);
        } else if (kind == 11) {
            input_key(&b->m, at % 256, v & 1);
            input_abs(&b->m, at, v);
        } else if (kind == 12) {    /* a good command or a good transfer */
            usb_command(b, USB_INPUT, (9 + v % 9) << 10 | (at % 6) << 16 | (num % 5) << 24, NULL);
        } else if (kind == 13) {
            usb_trb(b, 1 + num % 3, 1 + at % 4, USB_PACKETS, v, 1 << 10 | (at >> 8));
            usb_bell(b, 1 + num % 3, 1 + at % 4);
        } else if (kind == 14) {
            usb_event(b, &e, false);
        } else {
            turn(b);
        }
        p += 4 + len;
        n -= 4 + len;
    }
    turn(b);
    board_destroy(b);
}

static size_t piece(uint8_t *buf, size_t n, unsigned kind, unsigned num, unsigned at, unsigned v)
{
    uint8_t head[4] = { kind << 4 | num, at, at >> 8, v };
    memcpy(buf + n, head, 4);
    return n + 4;
}

/* Command blocks with data and status; keys; commands; wild registers. */
size_t fuzz_seed(unsigned i, uint8_t *buf)
{
    static const uint8_t cdbs[][12] = {
        { 255, 0, 0x80, 0, 6, 0x12, 0, 0, 0, 255 }, { 0, 4, 0x80, 0, 10, 0x28, 0, 0, 0, 0, 1 },
        { 0, 4, 0, 0, 10, 0x2a, 8, 0, 0, 0, 1 },    { 24, 0, 0, 0, 10, 0x42 },
        { 0, 0, 0, 0, 10, 0x35 },                   { 18, 0, 0x80, 0, 6, 3, 0, 0, 0, 18 },
    };
    size_t n = 0;
    if (i < ARRAY_SIZE(cdbs)) {
        uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 1, 2, 3, 4, cdbs[i][0], cdbs[i][1], 0, 0 };
        memcpy(cbw + 12, cdbs[i] + 2, 10);
        cbw[23] = 2;
        n = piece(buf, n, 0, 9, 0, 31);
        memcpy(buf + n, cbw, 31);
        n = piece(buf, n + 31, 13, 0, 3 | 0x24 << 8, 31);   /* out */
        n = piece(buf, n, 13, 0, (cbw[12] ? 2 : 3) | 0x24 << 8, 200);
        n = piece(buf, n, 15, 0, 0, 0);
        return piece(buf, n, 13, 0, 2 | 0x24 << 8, 13);
    }
    if (i >= ARRAY_SIZE(cdbs) + 12) {
        return 0;
    }
    for (unsigned k = 0; k < 30; k++) {
        n = piece(buf, n, 7 + (i + k) % 9, k, i * 37 + k * 11, k * 29 + i);
    }
    return n;
}

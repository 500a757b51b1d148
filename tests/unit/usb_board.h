/* SPDX-License-Identifier: MIT */
/*
 * A USB driver in miniature: brings an xHCI function up, addresses and configures devices,
 * moves data. On a Board with RAM from 0 and the controller at USB_DEV.
 */
#ifndef TESTS_UNIT_USB_BOARD_H
#define TESTS_UNIT_USB_BOARD_H

#include "tests/unit/pci_board.h"

enum { USB_DEV = 5 << 3, USB_MEM = 0xe0000000, USB_OPER = USB_MEM + 0x40,
       USB_PORTSC = USB_MEM + 0x430 /* + 16 * port */, USB_RUNTIME = USB_MEM + 0x1000,
       USB_BELL = USB_MEM + 0x2000 };
enum { USB_CMD_RING = 0x10000, USB_EVENTS = 0x11000, USB_NEVENTS = 64, USB_ERST = 0x12000,
       USB_DCBAA = 0x13000, USB_CONTEXT = 0x14000 /* + 0x1000 * slot */, USB_INPUT = 0x20000,
       USB_RINGS = 0x30000 /* + 0x400 * (32 * slot + dci) */, USB_RING_TRBS = 60,
       USB_DATA = 0x100000, USB_PACKETS = 0x180000 };

typedef struct UsbEvent {
    uint64_t param;
    uint32_t status, control;
} UsbEvent;
static inline unsigned usb_event_type(const UsbEvent *e)
{
    return e->control >> 10 & 63;
}

extern unsigned usb_patience; /* turns of the loop that usb_event waits, 10 ms at most each */
void usb_start(Board *b);
/* The next event, if there is one, or comes within a second (wait). */
bool usb_event(Board *b, UsbEvent *e, bool wait);
/* Of a command: the completion code; *slot: the slot of the event, if not NULL. */
unsigned usb_command(Board *b, uint64_t param, uint32_t control, unsigned *slot);
/* Resets the port and addresses the device: its slot. */
unsigned usb_attach(Board *b, unsigned port);
/* Configure Endpoint adds one; type as in endpoint contexts. Returns the code. */
unsigned usb_add_ep(Board *b, unsigned slot, unsigned dci, unsigned type);
void usb_trb(Board *b, unsigned slot, unsigned dci, uint64_t param, uint32_t status,
             uint32_t control);
void usb_bell(Board *b, unsigned slot, unsigned dci);
/* One buffer; the code of its event, *rest = bytes not moved. */
unsigned usb_transfer(Board *b, unsigned slot, unsigned dci, uint64_t at, uint32_t len,
                      uint32_t *rest);
/* A control request with its data at USB_DATA; the code of the last stage. */
unsigned usb_request(Board *b, unsigned slot, uint8_t type, uint8_t request, uint16_t value,
                     uint16_t index, uint16_t length);

#endif

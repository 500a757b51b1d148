/* SPDX-License-Identifier: MIT */
/*
 * xHCI for the files of hw/usb only (eXtensible Host Controller Interface, 1.1). What the
 * guest puts into rings and contexts is hostile: it is read once, into our own structs,
 * and every walk has a limit. Machine lock held.
 */
#ifndef HW_USB_XHCI_INT_H
#define HW_USB_XHCI_INT_H

#include "hw/pci/pci.h"
#include "hw/usb/usb.h"

enum { XHCI_SLOTS = 16, XHCI_EPS = 32 /* by DCI, 1..31 */, XHCI_PORTS = 30,
       XHCI_TD_TRBS = 1024, XHCI_TD_BYTES = 4 << 20 };
enum { /* TRB types (6.4.6) */
    TRB_NORMAL = 1, TRB_SETUP = 2, TRB_DATA = 3, TRB_STATUS = 4, TRB_LINK = 6,
    TRB_EVENT_DATA = 7, TRB_NOOP = 8, TRB_ENABLE_SLOT = 9, TRB_DISABLE_SLOT = 10,
    TRB_ADDRESS = 11, TRB_CONFIGURE = 12, TRB_EVALUATE = 13, TRB_RESET_EP = 14,
    TRB_STOP_EP = 15, TRB_SET_DEQUEUE = 16, TRB_RESET_DEVICE = 17, TRB_NOOP_CMD = 23,
    TRB_EV_TRANSFER = 32, TRB_EV_COMMAND = 33, TRB_EV_PORT = 34, TRB_EV_HOST = 37,
};
enum { TRB_CYCLE = 1, TRB_TOGGLE = 2, TRB_ISP = 4, TRB_CHAIN = 0x10, TRB_IOC = 0x20,
       TRB_IDT = 0x40, TRB_DIR = 1 << 16 };
enum { /* completion codes (6.4.5) */
    CC_SUCCESS = 1, CC_TRANSACTION = 4, CC_TRB = 5, CC_STALL = 6, CC_NO_SLOTS = 9,
    CC_SLOT_DISABLED = 11, CC_EP_DISABLED = 12, CC_SHORT = 13, CC_PARAMETER = 17,
    CC_CONTEXT = 19, CC_RING_FULL = 21, CC_COMMAND_STOPPED = 24,
};
enum { EP_DISABLED, EP_RUNNING, EP_HALTED, EP_STOPPED, EP_ERROR };  /* 6.2.3 */
enum { SLOT_ENABLED, SLOT_DEFAULT, SLOT_ADDRESSED, SLOT_CONFIGURED }; /* 6.2.2 */
enum { CMD_RUN = 1, CMD_RESET = 2, CMD_INTE = 4, CMD_SAVE = 0x100, CMD_RESTORE = 0x200 };
enum { STS_HALTED = 1, STS_EINT = 8, STS_PORT = 0x10, STS_RESTORE_ERROR = 0x400,
       STS_ERROR = 0x1000 };

typedef struct XhciTrb {
    uint64_t at;                /* where the guest has it */
    uint64_t param;
    uint32_t status, control;
} XhciTrb;

static inline unsigned trb_type(const XhciTrb *t)
{
    return t->control >> 10 & 63;
}

/* Saved from here on. */
typedef struct XhciEp {
    uint64_t ring;              /* dequeue pointer; bit 0: consumer's cycle state */
    uint8_t state;              /* EP_* */
    uint8_t setup[8];           /* control: the request of the stage before */
    bool pending;               /* it has not been carried out yet */
} XhciEp;

typedef struct XhciSlot {
    uint64_t context;           /* output device context */
    uint8_t port;               /* 0: no device yet */
    uint8_t state;              /* SLOT_* */
    bool enabled;
    XhciEp ep[XHCI_EPS];
} XhciSlot;

typedef struct XhciState {
    PciState pci;
    uint32_t cmd, sts, dnctrl, config;
    uint64_t crcr;              /* command ring; bit 0: cycle state */
    bool crr;                   /* it runs */
    uint64_t dcbaap;
    uint32_t portsc[XHCI_PORTS + 1];    /* by number, from 1 */
    uint32_t iman, imod, erstsz;        /* the interrupter */
    uint64_t erstba, erdp;
    uint32_t er_segment, er_index;      /* next event */
    bool er_cycle, er_full, saved;      /* saved: CMD_SAVE kept what there is */
    XhciSlot slot[XHCI_SLOTS + 1];      /* by number, from 1 */
} XhciState;

/* A transfer that waits for its device. */
typedef struct XhciXfer {
    UsbPacket p;                /* first */
    struct Xhci *d;
    uint8_t slot, dci;
    bool busy;                  /* the device has the packet */
    bool naked;                 /* it had nothing for it */
    unsigned n;
    uint64_t next;              /* ring behind the transfer */
    uint8_t *buf;
    XhciTrb trb[XHCI_TD_TRBS];
} XhciXfer;

typedef struct Xhci {
    PciDevice pci;              /* first */
    XhciState s;
    MemoryRegion mr;
    UsbBus *bus;
    Timer later;                /* goes on with what was too much for one call */
    uint32_t p2, p3;            /* properties: ports */
    bool intx_now;
    /* Not saved: empty when nothing is in flight. */
    XhciXfer *xfer[XHCI_SLOTS + 1][XHCI_EPS];
    uint32_t again[XHCI_SLOTS + 1];     /* endpoints that `later` goes on with */
    bool commands_again;
} Xhci;

/* --- xhci.c --- */
void xhci_event(Xhci *d, uint64_t param, uint32_t status, uint32_t control);
void xhci_die(Xhci *d, const char *why);    /* HCE: nothing goes on without a reset */
static inline bool xhci_running(const Xhci *d)
{
    return (d->s.cmd & CMD_RUN) && !(d->s.sts & STS_ERROR) && pci_is_master(&d->pci);
}

/* --- xhci_ring.c --- */
/* Reads the TRB at *ring; false: it is not the consumer's yet. */
bool xhci_fetch(Xhci *d, uint64_t ring, XhciTrb *t);
void xhci_run_ep(Xhci *d, unsigned slot, unsigned dci);
void xhci_finish(Xhci *d);                  /* drains devices, drops transfers */
/* Drains the slot's device; dci 0: all endpoints' transfers are dropped. */
void xhci_stop(Xhci *d, unsigned slot, unsigned dci);
UsbDevice *xhci_device(const Xhci *d, unsigned slot);

/* --- xhci_cmd.c --- */
void xhci_run_commands(Xhci *d);
void xhci_write_ep(Xhci *d, unsigned slot, unsigned dci);   /* state and ring to the guest */

#endif

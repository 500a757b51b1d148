/* SPDX-License-Identifier: MIT */
/*
 * xHCI transfers: transfer descriptors off a ring (4.11), packets to and from devices,
 * transfer events (4.10). Isochronous endpoints and streams are left out. A control
 * request is carried out at its data stage, or at the status stage if it has none.
 */
#include <stdlib.h>
#include <string.h>
#include "hw/core/dma_sg.h"
#include "hw/core/machine.h"
#include "hw/usb/xhci_int.h"
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/log.h"

enum { SHARE = 64 /* transfers that one call takes */, LINKS = 16 };

bool xhci_fetch(Xhci *d, uint64_t ring, XhciTrb *t)
{
    uint8_t raw[16];
    dma_read(d->pci.dev.machine, ring & ~15ull, raw, sizeof(raw));
    t->at = ring & ~15ull;
    t->param = get_le64(raw);
    t->status = get_le32(raw + 8);
    t->control = get_le32(raw + 12);
    return (t->control & TRB_CYCLE) == (ring & 1);
}

UsbDevice *xhci_device(const Xhci *d, unsigned slot)
{
    unsigned port = d->s.slot[slot].port;
    return port && port <= d->p2 ? d->bus->at[port] : NULL;
}

/* ---- a transfer descriptor ---- */

enum Td { TD_NONE, TD_OK, TD_BAD };

static enum Td fetch_td(Xhci *d, const XhciEp *ep, XhciXfer *x)
{
    uint64_t ring = ep->ring;
    unsigned links = 0;
    x->n = 0;
    for (;;) {
        XhciTrb *t = &x->trb[x->n];
        if (!xhci_fetch(d, ring, t)) {
            return TD_NONE;
        }
        if (trb_type(t) == TRB_LINK) {
            if (++links > LINKS) {
                return TD_BAD;
            }
            ring = (t->param & ~15ull) | ((ring & 1) ^ (t->control & TRB_TOGGLE ? 1 : 0));
            continue;
        }
        ring += 16;
        x->n++;
        if (!(t->control & TRB_CHAIN)) {
            x->next = ring;
            return TD_OK;
        }
        if (x->n == XHCI_TD_TRBS) {
            return TD_BAD;
        }
    }
}

static bool has_data(const XhciTrb *t)
{
    return trb_type(t) == TRB_NORMAL || trb_type(t) == TRB_DATA;
}

static uint32_t trb_len(const XhciTrb *t)
{
    return has_data(t) ? t->status & 0x1ffff : 0;
}

static bool make_buffer(XhciXfer *x)
{
    uint32_t len = 0;
    for (unsigned i = 0; i < x->n; i++) {
        len += trb_len(&x->trb[i]);
        if (len > XHCI_TD_BYTES) {
            return false;
        }
    }
    free(x->buf);
    x->buf = len ? try_alloc(len) : NULL;
    x->p.buf = x->buf;
    x->p.len = len;
    x->p.moved = 0;
    return !len || x->buf;
}

static void from_guest(XhciXfer *x)
{
    uint32_t at = 0;
    for (unsigned i = 0; i < x->n; i++) {
        const XhciTrb *t = &x->trb[i];
        uint32_t len = trb_len(t);
        if (len && (t->control & TRB_IDT)) {
            uint8_t raw[8];
            put_le32(raw, (uint32_t)t->param);
            put_le32(raw + 4, (uint32_t)(t->param >> 32));
            memset(x->buf + at, 0, len);
            memcpy(x->buf + at, raw, MIN(len, 8u));
        } else if (len) {
            dma_read(x->d->pci.dev.machine, t->param, x->buf + at, len);
        }
        at += len;
    }
}

static void to_guest(XhciXfer *x)
{
    uint32_t at = 0;
    for (unsigned i = 0; i < x->n && at < x->p.moved; i++) {
        uint32_t len = MIN(trb_len(&x->trb[i]), x->p.moved - at);
        if (len) {
            dma_write(x->d->pci.dev.machine, x->trb[i].param, x->buf + at, len);
        }
        at += len;
    }
}

/* ---- its end ---- */

static void report(XhciXfer *x, uint64_t param, uint32_t rest, unsigned code, bool ed)
{
    xhci_event(x->d, param, (rest & 0xffffff) | code << 24,
               (ed ? 4u : 0u) | TRB_EV_TRANSFER << 10 | (uint32_t)x->dci << 16 |
               (uint32_t)x->slot << 24);
}

/* 4.10.1: an event where the guest asked for one, and where an error or the last byte of a
 * short transfer is. */
static void report_td(XhciXfer *x, unsigned code)
{
    uint32_t left = x->p.moved, edtla = 0;
    bool ended = false;
    for (unsigned i = 0; i < x->n; i++) {
        const XhciTrb *t = &x->trb[i];
        uint32_t len = trb_len(t), moved = MIN(left, len);
        bool is_short = !ended && has_data(t) && moved < len;
        left -= moved;
        edtla += moved;
        if (trb_type(t) == TRB_EVENT_DATA) {
            if (t->control & TRB_IOC) {
                report(x, t->param, edtla, code != CC_SUCCESS ? code : ended ? CC_SHORT : code,
                       true);
            }
            edtla = 0;
            continue;
        }
        if (ended) {
            continue;
        }
        if (code != CC_SUCCESS && (is_short || i + 1 == x->n)) {
            report(x, t->at, len - moved, code, false);
            return;
        }
        if ((t->control & TRB_IOC) || (is_short && (t->control & TRB_ISP))) {
            report(x, t->at, len - moved, is_short ? CC_SHORT : CC_SUCCESS, false);
        }
        ended = is_short;
    }
}

static void finish_td(XhciXfer *x, int result)
{
    Xhci *d = x->d;
    XhciEp *ep = &d->s.slot[x->slot].ep[x->dci];
    x->busy = false;
    if (result == USB_OK) {
        if (x->dci & 1 && x->dci > 1) {
            to_guest(x);
        }
        ep->ring = x->next;
        report_td(x, CC_SUCCESS);
        return;
    }
    ep->state = EP_HALTED;
    xhci_write_ep(d, x->slot, x->dci);
    report_td(x, result == USB_STALL ? CC_STALL : CC_TRANSACTION);
}

static void run_others(Xhci *d, unsigned slot, unsigned dci);

static void packet_done(UsbPacket *p, int result)
{
    XhciXfer *x = (XhciXfer *)p;
    finish_td(x, result);
    xhci_run_ep(x->d, x->slot, x->dci);
    run_others(x->d, x->slot, x->dci);
}

/* ---- control endpoints (4.11.2.2) ---- */

/* The request of the setup stage, with the data stage's buffer if there was one. */
static int carry_out(XhciXfer *x, XhciEp *ep, bool data)
{
    uint8_t bytes[USB_CONTROL_MAX] = { 0 };
    UsbDevice *dev = xhci_device(x->d, x->slot);
    unsigned wanted = ep->setup[6] | ep->setup[7] << 8;
    bool in = ep->setup[0] & 0x80;
    if (!dev || !ep->pending || (data && wanted > sizeof(bytes))) {
        return USB_STALL;
    }
    ep->pending = false;
    if (data && !in) {
        from_guest(x);
        if (x->p.len) {
            memcpy(bytes, x->buf, MIN(x->p.len, (uint32_t)sizeof(bytes)));
        }
    }
    int n = usb_control(dev, ep->setup, bytes);
    if (n < 0) {
        return USB_STALL;
    }
    if (data) {
        x->p.moved = in ? MIN((uint32_t)n, x->p.len) : x->p.len;
    }
    if (data && in) {
        memcpy(x->buf, bytes, x->p.moved);
        to_guest(x);
    }
    return USB_OK;
}

static int control_stage(XhciXfer *x, XhciEp *ep)
{
    const XhciTrb *t = &x->trb[0];
    switch (trb_type(t)) {
    case TRB_SETUP:
        put_le32(ep->setup, (uint32_t)t->param);
        put_le32(ep->setup + 4, (uint32_t)(t->param >> 32));
        ep->pending = true;
        return USB_OK;
    case TRB_DATA:
        return x->buf ? carry_out(x, ep, true) : USB_OK;
    case TRB_STATUS:
        return ep->pending ? carry_out(x, ep, false) : USB_OK;
    case TRB_NOOP:
    case TRB_EVENT_DATA:
        return USB_OK;
    default:
        return USB_STALL;
    }
}

/* ---- running ---- */

static int start_packet(XhciXfer *x)
{
    UsbDevice *dev = xhci_device(x->d, x->slot);
    if (!dev) {
        return USB_STALL - 10;  /* no device answers: a transaction error */
    }
    if (trb_type(&x->trb[0]) == TRB_NOOP) {
        return USB_OK;
    }
    x->p.ep = (uint8_t)(x->dci / 2 | (x->dci & 1 ? 0x80 : 0));
    x->p.done = packet_done;
    if (!(x->dci & 1)) {
        from_guest(x);
    }
    x->busy = true;
    int result = usb_packet(dev, &x->p);
    x->busy = result == USB_ASYNC;
    return result;
}

static XhciXfer *xfer_of(Xhci *d, unsigned slot, unsigned dci)
{
    XhciXfer **x = &d->xfer[slot][dci];
    if (!*x) {
        *x = xalloc(sizeof(XhciXfer));
        memset(*x, 0, offsetof(XhciXfer, trb));
        (*x)->d = d;
        (*x)->slot = (uint8_t)slot;
        (*x)->dci = (uint8_t)dci;
    }
    return *x;
}

static void bad_td(XhciXfer *x, XhciEp *ep)
{
    log_guest_error("xhci: bad transfer descriptor at %llx\n", (unsigned long long)ep->ring);
    ep->state = EP_ERROR;
    xhci_write_ep(x->d, x->slot, x->dci);
    report(x, ep->ring & ~15ull, 0, CC_TRB, false);
}

/* One transfer; false: no more for now. */
static bool run_td(Xhci *d, unsigned slot, unsigned dci)
{
    XhciEp *ep = &d->s.slot[slot].ep[dci];
    if (!xhci_running(d) || !d->s.slot[slot].enabled || ep->state != EP_RUNNING) {
        return false;
    }
    XhciXfer *x = xfer_of(d, slot, dci);
    if (x->busy) {
        return false;
    }
    enum Td td = fetch_td(d, ep, x);
    if (td == TD_NONE) {
        return false;
    }
    if (td == TD_BAD || !make_buffer(x)) {
        bad_td(x, ep);
        return false;
    }
    x->naked = false;
    int result = dci == 1 ? control_stage(x, ep) : start_packet(x);
    if (result == USB_ASYNC || result == USB_NAK) {
        x->naked = result == USB_NAK;   /* again when the device has something */
        return false;
    }
    finish_td(x, result);
    return true;
}

/* What moved on one endpoint may be what another one waits for: command, data, status. */
static void run_others(Xhci *d, unsigned slot, unsigned dci)
{
    for (unsigned i = 2; i < XHCI_EPS; i++) {
        XhciXfer *x = d->xfer[slot][i];
        if (i != dci && x && x->naked) {
            xhci_run_ep(d, slot, i);
        }
    }
}

void xhci_run_ep(Xhci *d, unsigned slot, unsigned dci)
{
    unsigned n = 0;
    while (n < SHARE && run_td(d, slot, dci)) {
        n++;
    }
    if (n == SHARE) {
        d->again[slot] |= 1u << dci;
        timer_mod(&d->later, 0);
    } else if (n) {
        run_others(d, slot, dci);
    }
}

void xhci_stop(Xhci *d, unsigned slot, unsigned dci)
{
    UsbDevice *dev = xhci_device(d, slot);
    if (dev) {
        usb_drain(dev);
    }
    for (unsigned i = dci ? dci : 1; i <= (dci ? dci : XHCI_EPS - 1); i++) {
        XhciXfer *x = d->xfer[slot][i];
        if (x && !x->busy) {
            free(x->buf);
            free(x);
            d->xfer[slot][i] = NULL;
        }
    }
}

void xhci_finish(Xhci *d)
{
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        xhci_stop(d, i, 0);
        d->again[i] = 0;
    }
    d->commands_again = false;
}

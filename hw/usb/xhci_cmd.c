/* SPDX-License-Identifier: MIT */
/*
 * xHCI commands (4.6) and contexts (6.2). Contexts have 32 bytes. Left out: streams, hubs
 * (a route string is refused), force event, bandwidth commands.
 */
#include <string.h>
#include "hw/core/dma_sg.h"
#include "hw/core/machine.h"
#include "hw/usb/xhci_int.h"
#include "util/bytes.h"
#include "util/log.h"

enum { SHARE = 64, LINKS = 16, CTX = 32 };
enum { TYPE_CONTROL = 4, TYPE_BULK_OUT = 2, TYPE_INT_OUT = 3, TYPE_BULK_IN = 6, TYPE_INT_IN = 7 };

static Machine *machine(const Xhci *d)
{
    return d->pci.dev.machine;
}

static void get_context(Xhci *d, uint64_t at, uint32_t v[8])
{
    uint8_t raw[CTX];
    dma_read(machine(d), at, raw, sizeof(raw));
    for (unsigned i = 0; i < 8; i++) {
        v[i] = get_le32(raw + 4 * i);
    }
}

static void put_context(Xhci *d, uint64_t at, const uint32_t v[8])
{
    uint8_t raw[CTX];
    for (unsigned i = 0; i < 8; i++) {
        put_le32(raw + 4 * i, v[i]);
    }
    dma_write(machine(d), at, raw, sizeof(raw));
}

void xhci_write_ep(Xhci *d, unsigned slot, unsigned dci)
{
    const XhciSlot *s = &d->s.slot[slot];
    uint32_t v[8];
    get_context(d, s->context + CTX * dci, v);
    v[0] = (v[0] & ~7u) | s->ep[dci].state;
    v[2] = (uint32_t)s->ep[dci].ring;
    v[3] = (uint32_t)(s->ep[dci].ring >> 32);
    put_context(d, s->context + CTX * dci, v);
}

static void set_slot_state(Xhci *d, unsigned slot, unsigned state, unsigned address)
{
    XhciSlot *s = &d->s.slot[slot];
    uint32_t v[8];
    s->state = (uint8_t)state;
    get_context(d, s->context, v);
    v[3] = (v[3] & ~0xf80000ffu) | state << 27 | (address & 0xff);
    put_context(d, s->context, v);
}

/* ---- slots ---- */

static unsigned enable_slot(Xhci *d, unsigned *slot)
{
    for (unsigned i = 1; i <= XHCI_SLOTS && i <= (d->s.config & 0xff); i++) {
        if (!d->s.slot[i].enabled) {
            memset(&d->s.slot[i], 0, sizeof(d->s.slot[i]));
            d->s.slot[i].enabled = true;
            *slot = i;
            return CC_SUCCESS;
        }
    }
    return CC_NO_SLOTS;
}

static unsigned disable_slot(Xhci *d, unsigned slot)
{
    for (unsigned i = 1; i < XHCI_EPS; i++) {
        d->s.slot[slot].ep[i].state = EP_DISABLED;
    }
    xhci_stop(d, slot, 0);
    memset(&d->s.slot[slot], 0, sizeof(d->s.slot[slot]));
    return CC_SUCCESS;
}

static bool port_taken(const Xhci *d, unsigned slot, unsigned port)
{
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        if (i != slot && d->s.slot[i].enabled && d->s.slot[i].port == port) {
            return true;
        }
    }
    return false;
}

static void start_ep(Xhci *d, unsigned slot, unsigned dci, const uint32_t v[8])
{
    XhciEp *ep = &d->s.slot[slot].ep[dci];
    uint32_t out[8];
    memcpy(out, v, sizeof(out));
    memset(ep, 0, sizeof(*ep));
    ep->state = EP_RUNNING;
    ep->ring = ((uint64_t)v[3] << 32 | v[2]) & ~14ull;
    out[0] = (out[0] & ~7u) | EP_RUNNING;
    put_context(d, d->s.slot[slot].context + CTX * dci, out);
}

/* 4.6.5: `block` leaves out the SET_ADDRESS request. */
static unsigned address_device(Xhci *d, unsigned slot, uint64_t input, bool block)
{
    XhciSlot *s = &d->s.slot[slot];
    uint32_t flags[8], v[8], ep0[8];
    uint8_t raw[8];
    get_context(d, input, flags);
    get_context(d, input + CTX, v);
    get_context(d, input + 2 * CTX, ep0);
    unsigned port = v[1] >> 16 & 0xff;
    if ((flags[1] & 3) != 3 || (v[0] & 0xfffff) || !port || port > d->p2 ||
        (ep0[1] >> 3 & 7) != TYPE_CONTROL) {
        return CC_PARAMETER;
    }
    if (s->state > SLOT_DEFAULT || (block && s->state != SLOT_ENABLED)) {
        return CC_CONTEXT;
    }
    if (!d->bus->at[port] || port_taken(d, slot, port)) {
        return CC_TRANSACTION;
    }
    dma_read(machine(d), d->s.dcbaap + 8 * slot, raw, sizeof(raw));
    s->context = get_le64(raw) & ~63ull;
    s->port = (uint8_t)port;
    put_context(d, s->context, v);
    start_ep(d, slot, 1, ep0);
    set_slot_state(d, slot, block ? SLOT_DEFAULT : SLOT_ADDRESSED, block ? 0 : slot);
    return CC_SUCCESS;
}

static bool good_ep(unsigned dci, const uint32_t v[8])
{
    unsigned type = v[1] >> 3 & 7;
    bool in = dci & 1;
    return !(v[0] >> 10 & 31) &&    /* no streams */
           (in ? type == TYPE_BULK_IN || type == TYPE_INT_IN
            : type == TYPE_BULK_OUT || type == TYPE_INT_OUT);
}

static void drop_ep(Xhci *d, unsigned slot, unsigned dci)
{
    d->s.slot[slot].ep[dci].state = EP_DISABLED;
    xhci_stop(d, slot, dci);
    memset(&d->s.slot[slot].ep[dci], 0, sizeof(XhciEp));
    xhci_write_ep(d, slot, dci);
}

/* 4.6.6 */
static unsigned configure(Xhci *d, unsigned slot, uint64_t input, bool off)
{
    XhciSlot *s = &d->s.slot[slot];
    uint32_t flags[8], v[8];
    if (s->state < SLOT_ADDRESSED) {
        return CC_CONTEXT;
    }
    get_context(d, input, flags);
    if (off) {
        flags[0] = ~3u;
        flags[1] = 0;
    }
    if (!off && ((flags[0] & 3) || (flags[1] & 3) != 1)) {
        return CC_PARAMETER;
    }
    for (unsigned dci = 2; dci < XHCI_EPS; dci++) { /* all or nothing */
        get_context(d, input + CTX * (dci + 1), v);
        if ((flags[1] >> dci & 1) && !good_ep(dci, v)) {
            return CC_PARAMETER;
        }
    }
    unsigned last = 1;
    for (unsigned dci = 2; dci < XHCI_EPS; dci++) {
        if (flags[0] >> dci & 1 && s->ep[dci].state != EP_DISABLED) {
            drop_ep(d, slot, dci);
        }
        if (flags[1] >> dci & 1) {
            s->ep[dci].state = EP_DISABLED; /* nothing starts while the device drains */
            xhci_stop(d, slot, dci);
            get_context(d, input + CTX * (dci + 1), v);
            start_ep(d, slot, dci, v);
        }
        last = s->ep[dci].state != EP_DISABLED ? dci : last;
    }
    get_context(d, s->context, v);
    v[0] = (v[0] & ~0xf8000000u) | last << 27;
    put_context(d, s->context, v);
    set_slot_state(d, slot, last > 1 ? SLOT_CONFIGURED : SLOT_ADDRESSED, slot);
    return CC_SUCCESS;
}

/* 4.6.7: exit latency and interrupter of the slot, packet size of endpoint 0. */
static unsigned evaluate(Xhci *d, unsigned slot, uint64_t input)
{
    XhciSlot *s = &d->s.slot[slot];
    uint32_t flags[8], in[8], out[8];
    if (s->state < SLOT_DEFAULT) {
        return CC_CONTEXT;
    }
    get_context(d, input, flags);
    if (flags[1] & 1) {
        get_context(d, input + CTX, in);
        get_context(d, s->context, out);
        out[1] = (out[1] & ~0xffffu) | (in[1] & 0xffff);
        out[2] = (out[2] & ~0xffc00000u) | (in[2] & 0xffc00000u);
        put_context(d, s->context, out);
    }
    if (flags[1] & 2) {
        get_context(d, input + 2 * CTX, in);
        get_context(d, s->context + CTX, out);
        out[1] = (out[1] & ~0xffff0000u) | (in[1] & 0xffff0000u);
        put_context(d, s->context + CTX, out);
    }
    return CC_SUCCESS;
}

static unsigned reset_device(Xhci *d, unsigned slot)
{
    XhciSlot *s = &d->s.slot[slot];
    if (s->state < SLOT_ADDRESSED) {
        return CC_CONTEXT;
    }
    for (unsigned dci = 2; dci < XHCI_EPS; dci++) {
        if (s->ep[dci].state != EP_DISABLED) {
            drop_ep(d, slot, dci);
        }
    }
    set_slot_state(d, slot, SLOT_DEFAULT, 0);
    return CC_SUCCESS;
}

/* ---- endpoints (4.6.8 to 4.6.10) ---- */

static unsigned ep_command(Xhci *d, const XhciTrb *t, unsigned slot, unsigned dci)
{
    XhciEp *ep = &d->s.slot[slot].ep[dci];
    if (dci < 1 || dci >= XHCI_EPS) {
        return CC_TRB;
    }
    if (ep->state == EP_DISABLED) {
        return CC_EP_DISABLED;
    }
    switch (trb_type(t)) {
    case TRB_RESET_EP:
        if (ep->state != EP_HALTED) {
            return CC_CONTEXT;
        }
        ep->state = EP_STOPPED;
        break;
    case TRB_STOP_EP:
        if (ep->state != EP_RUNNING) {
            return CC_CONTEXT;
        }
        ep->state = EP_STOPPED;
        xhci_stop(d, slot, dci);    /* what is in flight ends well or halts it */
        break;
    default: /* TRB_SET_DEQUEUE */
        if (ep->state != EP_STOPPED && ep->state != EP_ERROR) {
            return CC_CONTEXT;
        }
        ep->ring = t->param & ~14ull;
        ep->state = EP_STOPPED;
        ep->pending = false;
        break;
    }
    xhci_write_ep(d, slot, dci);
    return CC_SUCCESS;
}

/* ---- the command ring (4.6.1) ---- */

static unsigned carry_out(Xhci *d, const XhciTrb *t, unsigned *slot)
{
    unsigned type = trb_type(t);
    *slot = t->control >> 24;
    if (type == TRB_ENABLE_SLOT) {
        *slot = 0;
        return enable_slot(d, slot);
    }
    if (type == TRB_NOOP_CMD) {
        return CC_SUCCESS;
    }
    if (type < TRB_DISABLE_SLOT || type > TRB_RESET_DEVICE) {
        log_unimp("xhci: command %u\n", type);
        return CC_TRB;
    }
    if (!*slot || *slot > XHCI_SLOTS || !d->s.slot[*slot].enabled) {
        return CC_SLOT_DISABLED;
    }
    uint64_t input = t->param & ~15ull;
    bool flag = t->control >> 9 & 1;
    switch (type) {
    case TRB_DISABLE_SLOT:
        return disable_slot(d, *slot);
    case TRB_ADDRESS:
        return address_device(d, *slot, input, flag);
    case TRB_CONFIGURE:
        return configure(d, *slot, input, flag);
    case TRB_EVALUATE:
        return evaluate(d, *slot, input);
    case TRB_RESET_DEVICE:
        return reset_device(d, *slot);
    default:
        return ep_command(d, t, *slot, t->control >> 16 & 31);
    }
}

void xhci_run_commands(Xhci *d)
{
    unsigned links = 0, slot;
    for (unsigned i = 0; i < SHARE; i++) {
        XhciTrb t;
        if (!xhci_running(d) || !d->s.crr || !xhci_fetch(d, d->s.crcr, &t)) {
            return;
        }
        if (trb_type(&t) == TRB_LINK) {
            if (++links > LINKS) {
                xhci_die(d, "command ring without commands");
                return;
            }
            d->s.crcr = (t.param & ~63ull) | ((d->s.crcr & 1) ^ (t.control & TRB_TOGGLE ? 1 : 0));
            continue;
        }
        unsigned code = carry_out(d, &t, &slot);
        d->s.crcr += 16;
        xhci_event(d, t.at, code << 24, TRB_EV_COMMAND << 10 | slot << 24);
    }
    d->commands_again = true;
    timer_mod(&d->later, 0);
}

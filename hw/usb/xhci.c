/* SPDX-License-Identifier: MIT */
/*
 * xHCI host controller (eXtensible Host Controller Interface, 1.1): registers, ports, event
 * ring, interrupts. One interrupter without moderation; USB 2 ports that devices sit on, and
 * USB 3 ports that stay empty; 16 slots. Left out: streams, isochronous transfers, hubs,
 * debug capability. Machine lock held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/dma_sg.h"
#include "hw/core/machine.h"
#include "hw/usb/xhci_int.h"
#include "util/bytes.h"
#include "util/log.h"

enum { CAP_SIZE = 0x40, OPER = 0x40, PORTS = 0x440, RUNTIME = 0x1000, BELLS = 0x2000,
       BAR_SIZE = 0x4000, PROTOCOLS = 0x20 /* extended capabilities */ };
enum { /* PORTSC (5.4.8) */
    P_CCS = 1, P_PED = 2, P_PR = 0x10, P_PLS = 0x1e0, P_PLS_SHIFT = 5, P_POWER = 0x200,
    P_SPEED_SHIFT = 10, P_LWS = 1 << 16, P_CSC = 1 << 17, P_PRC = 1 << 21, P_PLC = 1 << 22,
    P_CHANGES = 0x7f << 17, P_WAKE = 7 << 25,
};
enum { PLS_U0 = 0, PLS_U3 = 3, PLS_RXDETECT = 5, PLS_POLLING = 7, PLS_RESUME = 15 };
enum { IMAN_IP = 1, IMAN_IE = 2, ERDP_BUSY = 8, EVENT_SEGMENT_MIN = 16, EVENT_SEGMENT_MAX = 4096 };
#define MFINDEX_NS 125000

/* ---- interrupts (4.17) ---- */

static void update_irq(Xhci *d)
{
    bool on = (d->s.iman & IMAN_IP) && (d->s.iman & IMAN_IE) && (d->s.cmd & CMD_INTE);
    bool message = pci_msix_enabled(&d->pci) || pci_msi_enabled(&d->pci);
    if (on && message) {
        d->s.iman &= ~(uint32_t)IMAN_IP;    /* 4.17.5: a message clears it */
        if (pci_msix_enabled(&d->pci)) {
            pci_msix_notify(&d->pci, 0);
        } else {
            pci_msi_notify(&d->pci, 0);
        }
    }
    pci_set_intx(&d->pci, on && !message);
}

static void raise_irq(Xhci *d)
{
    d->s.sts |= STS_EINT;
    if (!(d->s.erdp & ERDP_BUSY)) {
        d->s.erdp |= ERDP_BUSY;
        d->s.iman |= IMAN_IP;
    }
    update_irq(d);
}

void xhci_die(Xhci *d, const char *why)
{
    log_guest_error("%s: stopped: %s\n", d->pci.dev.path, why);
    d->s.sts |= STS_ERROR;
}

/* ---- event ring (4.9.4) ---- */

/* Segment n of the table: its address and size in events; false: there is none. */
static bool segment(Xhci *d, unsigned n, uint64_t *base, uint32_t *size)
{
    uint8_t raw[16];
    if (n >= d->s.erstsz) {
        return false;
    }
    dma_read(d->pci.dev.machine, d->s.erstba + 16 * n, raw, sizeof(raw));
    *base = get_le64(raw) & ~63ull;
    *size = get_le32(raw + 8) & 0xffff;
    return *size >= EVENT_SEGMENT_MIN && *size <= EVENT_SEGMENT_MAX;
}

static void put_event(Xhci *d, uint64_t at, uint64_t param, uint32_t status, uint32_t control)
{
    uint8_t raw[16];
    put_le32(raw, (uint32_t)param);
    put_le32(raw + 4, (uint32_t)(param >> 32));
    put_le32(raw + 8, status);
    put_le32(raw + 12, control | d->s.er_cycle);
    dma_write(d->pci.dev.machine, at, raw, 12);     /* the cycle bit last */
    dma_write(d->pci.dev.machine, at + 12, raw + 12, 4);
}

/* The place behind the next event, for "full". */
static bool advance(Xhci *d, uint32_t *n, uint32_t *index, bool *cycle, uint64_t *at)
{
    uint64_t base;
    uint32_t size;
    if (!segment(d, *n, &base, &size)) {
        return false;
    }
    if (++*index >= size) {
        *index = 0;
        *n = *n + 1 < d->s.erstsz ? *n + 1 : 0;
        *cycle ^= *n == 0;
    }
    if (!segment(d, *n, &base, &size)) {
        return false;
    }
    *at = base + 16 * *index;
    return true;
}

static void advance_ring(Xhci *d, uint32_t n, uint32_t index, bool cycle)
{
    d->s.er_segment = n;
    d->s.er_index = index;
    d->s.er_cycle = cycle;
}

void xhci_event(Xhci *d, uint64_t param, uint32_t status, uint32_t control)
{
    uint64_t base, after, after2;
    uint32_t size, n = d->s.er_segment, index = d->s.er_index;
    bool cycle = d->s.er_cycle;
    if (d->s.er_full || (d->s.sts & STS_ERROR)) {
        return;                     /* the guest let it fill up: it loses events */
    }
    if (!segment(d, n, &base, &size) || index >= size ||
        !advance(d, &n, &index, &cycle, &after)) {
        xhci_die(d, "event ring without a segment");
        return;
    }
    uint64_t at = base + 16 * d->s.er_index, dequeue = d->s.erdp & ~15ull;
    uint32_t n2 = n, index2 = index;
    bool cycle2 = cycle;
    if (!advance(d, &n2, &index2, &cycle2, &after2)) {
        xhci_die(d, "event ring without a segment");
        return;
    }
    if (after == dequeue || after2 == dequeue) {    /* one place is left for this */
        d->s.er_full = true;
        put_event(d, at, 0, (uint32_t)CC_RING_FULL << 24, TRB_EV_HOST << 10);
    } else {
        put_event(d, at, param, status, control);
    }
    advance_ring(d, n, index, cycle);
    raise_irq(d);
}

static void write_erdp(Xhci *d, uint64_t v, bool low)
{
    uint64_t base;
    uint32_t size;
    bool busy = d->s.erdp & ERDP_BUSY;
    d->s.erdp = (v & ~8ull) | (busy ? ERDP_BUSY : 0);
    if (!low) {
        return;
    }
    d->s.er_full = false;
    if (v & ERDP_BUSY) {            /* written as one: handled */
        d->s.erdp &= ~(uint64_t)ERDP_BUSY;
        if (segment(d, d->s.er_segment, &base, &size) &&
            (d->s.erdp & ~15ull) != base + 16 * d->s.er_index) {
            raise_irq(d);           /* more came in the meantime */
        }
    }
}

/* ---- ports (4.19) ---- */

static void port_change(Xhci *d, unsigned port, uint32_t bits)
{
    bool fresh = !(d->s.portsc[port] & P_CHANGES);
    d->s.portsc[port] |= bits;
    d->s.sts |= STS_PORT;
    if (fresh && xhci_running(d)) {
        xhci_event(d, (uint64_t)port << 24, (uint32_t)CC_SUCCESS << 24, TRB_EV_PORT << 10);
    }
}

static void set_link(Xhci *d, unsigned port, unsigned state)
{
    d->s.portsc[port] = (d->s.portsc[port] & ~(uint32_t)P_PLS) | state << P_PLS_SHIFT;
}

static UsbDevice *port_device(const Xhci *d, unsigned port)
{
    return port <= d->p2 ? d->bus->at[port] : NULL;
}

static void port_init(Xhci *d, unsigned port)
{
    UsbDevice *dev = port_device(d, port);
    d->s.portsc[port] = P_POWER | PLS_RXDETECT << P_PLS_SHIFT;
    if (dev) {
        d->s.portsc[port] = P_POWER | P_CCS | P_CSC | PLS_POLLING << P_PLS_SHIFT |
                            (uint32_t)dev->ops->speed << P_SPEED_SHIFT;
    }
}

static void on_attached(void *hc, UsbDevice *dev)
{
    port_init(hc, dev->port);
}

static void port_reset(Xhci *d, unsigned port)
{
    UsbDevice *dev = port_device(d, port);
    if (!dev) {
        return;
    }
    usb_reset_device(dev);
    d->s.portsc[port] |= P_PED;
    set_link(d, port, PLS_U0);
    port_change(d, port, P_PRC);
}

static void write_link(Xhci *d, unsigned port, uint32_t v)
{
    unsigned to = (v & P_PLS) >> P_PLS_SHIFT;
    unsigned now = (d->s.portsc[port] & P_PLS) >> P_PLS_SHIFT;
    if (!(d->s.portsc[port] & P_PED)) {
        return;
    }
    if (to == PLS_U3 && now == PLS_U0) {
        set_link(d, port, PLS_U3);
    } else if (to == PLS_RESUME && now == PLS_U3) {
        set_link(d, port, PLS_RESUME);
    } else if (to == PLS_U0 && now != PLS_U0) {
        set_link(d, port, PLS_U0);
        port_change(d, port, P_PLC);
    }
}

static void write_portsc(Xhci *d, unsigned port, uint32_t v)
{
    uint32_t *p = &d->s.portsc[port];
    *p &= ~(v & P_CHANGES);
    *p = (*p & ~(uint32_t)P_WAKE) | (v & P_WAKE);
    if (v & P_PED) {                /* written as one: disabled */
        *p &= ~(uint32_t)P_PED;
    }
    if (v & P_LWS) {
        write_link(d, port, v);
    }
    if (v & P_PR) {
        port_reset(d, port);
    }
}

/* A device has something for the host: the transfers that wait for it go on; a sleeping
 * port is woken if the host allowed it. */
static void on_ready(void *hc, UsbDevice *dev, uint8_t ep)
{
    Xhci *d = hc;
    uint32_t link = (d->s.portsc[dev->port] & P_PLS) >> P_PLS_SHIFT;
    if (link == PLS_U3 && dev->s->remote_wakeup) {
        set_link(d, dev->port, PLS_RESUME);
        port_change(d, dev->port, P_PLC);
        return;
    }
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        if (d->s.slot[i].enabled && d->s.slot[i].port == dev->port) {
            xhci_run_ep(d, i, (ep & 15u) * 2 + (ep >> 7));
        }
    }
}

/* ---- controller ---- */

static void controller_reset(Xhci *d)
{
    d->s.cmd = 0;                   /* first: nothing starts while devices drain */
    xhci_finish(d);
    d->s.sts = STS_HALTED;
    d->s.dnctrl = d->s.config = d->s.imod = d->s.iman = d->s.erstsz = 0;
    d->s.crcr = d->s.dcbaap = d->s.erstba = d->s.erdp = 0;
    d->s.crr = d->s.er_full = d->s.saved = false;
    advance_ring(d, 0, 0, true);
    memset(d->s.slot, 0, sizeof(d->s.slot));
    for (unsigned i = 1; i <= d->p2 + d->p3; i++) {
        UsbDevice *dev = port_device(d, i);
        if (dev) {
            usb_reset_device(dev);
        }
        port_init(d, i);
    }
    timer_del(&d->later);
    update_irq(d);
}

static void write_cmd(Xhci *d, uint32_t v)
{
    if (v & CMD_RESET) {
        controller_reset(d);
        return;
    }
    if (v & CMD_SAVE) {
        d->s.saved = true;
    }
    if ((v & CMD_RESTORE) && !d->s.saved) { /* 4.23.2: the guest sets it up anew */
        d->s.sts |= STS_RESTORE_ERROR;
    }
    d->s.cmd = v & (CMD_RUN | CMD_INTE | 0x8 | 0xc00);
    d->s.sts = v & CMD_RUN ? d->s.sts & ~(uint32_t)STS_HALTED : d->s.sts | STS_HALTED;
    d->s.crr = d->s.crr && (v & CMD_RUN);
    update_irq(d);
}

static void write_crcr(Xhci *d, uint64_t v, bool low)
{
    if (d->s.crr) {
        if (low && (v & 6)) {       /* stop, abort: commands are never half done */
            d->s.crr = false;
            xhci_event(d, d->s.crcr & ~15ull, (uint32_t)CC_COMMAND_STOPPED << 24,
                       TRB_EV_COMMAND << 10);
        }
        return;
    }
    d->s.crcr = v & ~62ull;
}

static void doorbell(Xhci *d, unsigned n, uint32_t v)
{
    unsigned dci = v & 0xff;
    if (!xhci_running(d)) {
        return;
    }
    if (n == 0) {
        d->s.crr = true;
        xhci_run_commands(d);
    } else if (n <= XHCI_SLOTS && dci && dci < XHCI_EPS && d->s.slot[n].enabled) {
        XhciEp *ep = &d->s.slot[n].ep[dci];
        if (ep->state == EP_STOPPED) {
            ep->state = EP_RUNNING;
            xhci_write_ep(d, n, dci);
        }
        xhci_run_ep(d, n, dci);
    }
}

static void go_on(void *opaque)
{
    Xhci *d = opaque;
    bool commands = d->commands_again;
    d->commands_again = false;
    if (commands) {
        xhci_run_commands(d);
    }
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        uint32_t eps = d->again[i];
        d->again[i] = 0;
        for (unsigned dci = 1; dci < XHCI_EPS; dci++) {
            if (eps >> dci & 1) {
                xhci_run_ep(d, i, dci);
            }
        }
    }
}

/* ---- registers (chapter 5) ---- */

static uint32_t read_cap(const Xhci *d, unsigned addr)
{
    unsigned first = addr >= PROTOCOLS + 16 ? d->p2 + 1 : 1;
    unsigned count = addr >= PROTOCOLS + 16 ? d->p3 : d->p2;
    switch (addr) {
    case 0x00:
        return CAP_SIZE | 0x0110u << 16;
    case 0x04:
        return XHCI_SLOTS | 1 << 8 | (d->p2 + d->p3) << 24;
    case 0x08:
        return 4 << 4;              /* 16 event ring segments */
    case 0x10:
        return 1 | (PROTOCOLS / 4) << 16;   /* 64-bit addresses */
    case 0x14:
        return BELLS;
    case 0x18:
        return RUNTIME;
    case PROTOCOLS:                 /* supported protocols (7.2) */
        return 2 | (d->p3 ? 4 : 0) << 8 | 0x0200u << 16;
    case PROTOCOLS + 16:
        return d->p3 ? 2 | 0x0300u << 16 : 0;
    case PROTOCOLS + 4:
    case PROTOCOLS + 20:
        return 0x20425355;          /* "USB " */
    case PROTOCOLS + 8:
    case PROTOCOLS + 24:
        return first | count << 8;
    default:
        return 0;
    }
}

static uint32_t read_oper(const Xhci *d, unsigned addr)
{
    switch (addr) {
    case 0x00: return d->s.cmd;
    case 0x04: return d->s.sts;
    case 0x08: return 1;            /* pages of 4 KiB */
    case 0x14: return d->s.dnctrl;
    case 0x18: return d->s.crr ? 8 : 0; /* the pointer reads as zero */
    case 0x30: return (uint32_t)d->s.dcbaap;
    case 0x34: return (uint32_t)(d->s.dcbaap >> 32);
    case 0x38: return d->s.config;
    default: return 0;
    }
}

static uint32_t read_runtime(const Xhci *d, unsigned addr)
{
    switch (addr) {
    case 0x00: return clock_now(d->pci.dev.machine->clock) / MFINDEX_NS & 0x3fff;
    case 0x20: return d->s.iman;
    case 0x24: return d->s.imod;
    case 0x28: return d->s.erstsz;
    case 0x30: return (uint32_t)d->s.erstba;
    case 0x34: return (uint32_t)(d->s.erstba >> 32);
    case 0x38: return (uint32_t)d->s.erdp;
    case 0x3c: return (uint32_t)(d->s.erdp >> 32);
    default: return 0;
    }
}

static uint64_t xhci_read(void *opaque, uint64_t at, unsigned size)
{
    const Xhci *d = opaque;
    unsigned addr = (unsigned)at;
    if (addr < CAP_SIZE) {
        return read_cap(d, addr);
    }
    if (addr >= PORTS && addr < PORTS + 16 * (d->p2 + d->p3)) {
        return addr % 16 ? 0 : d->s.portsc[(addr - PORTS) / 16 + 1];
    }
    if (addr < PORTS) {
        return read_oper(d, addr - OPER);
    }
    return addr >= RUNTIME && addr < BELLS ? read_runtime(d, addr - RUNTIME) : 0;
}

static uint64_t half(uint64_t old, bool high, uint32_t v)
{
    return high ? (old & 0xffffffffu) | (uint64_t)v << 32 : (old >> 32 << 32) | v;
}

static void write_oper(Xhci *d, unsigned addr, uint32_t v)
{
    switch (addr) {
    case 0x00:
        write_cmd(d, v);
        break;
    case 0x04:
        d->s.sts &= ~(v & (STS_EINT | STS_PORT | STS_RESTORE_ERROR | 4));
        break;
    case 0x14:
        d->s.dnctrl = v & 0xffff;
        break;
    case 0x18:
    case 0x1c:
        write_crcr(d, half(d->s.crcr, addr & 4, v), !(addr & 4));
        break;
    case 0x30:
    case 0x34:
        d->s.dcbaap = half(d->s.dcbaap, addr & 4, v) & ~63ull;
        break;
    case 0x38:
        d->s.config = v & 0xff;
        break;
    }
}

static void write_runtime(Xhci *d, unsigned addr, uint32_t v)
{
    switch (addr) {
    case 0x20:
        d->s.iman = ((d->s.iman & ~v) & IMAN_IP) | (v & IMAN_IE);
        update_irq(d);
        break;
    case 0x24:
        d->s.imod = v;
        break;
    case 0x28:
        d->s.erstsz = MIN(v & 0xffff, 16u);
        break;
    case 0x30:
    case 0x34:
        d->s.erstba = half(d->s.erstba, addr & 4, v) & ~63ull;
        advance_ring(d, 0, 0, true);
        d->s.er_full = false;
        break;
    case 0x38:
    case 0x3c:
        write_erdp(d, half(d->s.erdp, addr & 4, v), !(addr & 4));
        break;
    }
}

static void xhci_write(void *opaque, uint64_t at, uint64_t val, unsigned size)
{
    Xhci *d = opaque;
    unsigned addr = (unsigned)at;
    uint32_t v = (uint32_t)val;
    if (addr >= BELLS) {
        doorbell(d, (addr - BELLS) / 4, v);
    } else if (addr >= RUNTIME) {
        write_runtime(d, addr - RUNTIME, v);
    } else if (addr >= PORTS && addr < PORTS + 16 * (d->p2 + d->p3)) {
        if (addr % 16 == 0) {
            write_portsc(d, (addr - PORTS) / 16 + 1, v);
        }
    } else if (addr >= OPER && addr < PORTS) {
        write_oper(d, addr - OPER, v);
    }
}

static const MemoryOps xhci_ops = {
    .read = xhci_read, .write = xhci_write, .min_size = 4, .max_size = 4,
};

/* ---- device ---- */

static bool xhci_realize(Device *dev, Error *err)
{
    Xhci *d = (Xhci *)dev;
    char name[32];
    unsigned n = 0;
    device_add_io(dev, &d->mr, "xhci", BAR_SIZE, &xhci_ops, d);
    pci_add_bar(&d->pci, 0, PCI_BAR_MEM64, &d->mr);
    pci_add_msix(&d->pci, 4, 1);
    d->pci.s->config[0x60] = 0x30;  /* release of USB (5.2.3) */
    device_add_timer(dev, &d->later, go_on, d);
    snprintf(name, sizeof(name), "usb-bus.%u", n);
    while (!dev->id && bus_find(dev->machine, BUS_NONE, name)) {
        snprintf(name, sizeof(name), "usb-bus.%u", ++n);
    }
    if (dev->id) {
        snprintf(name, sizeof(name), "%.20s.0", dev->id);
    }
    d->bus = usb_bus_create(dev, name, d->p2);
    d->bus->ready = on_ready;
    d->bus->attached = on_attached;
    d->bus->hc = d;
    return true;
}

static void xhci_unrealize(Device *dev)
{
    Xhci *d = (Xhci *)dev;
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        for (unsigned k = 0; k < XHCI_EPS; k++) {
            if (d->xfer[i][k]) {
                free(d->xfer[i][k]->buf);
                free(d->xfer[i][k]);
            }
        }
    }
}

static void xhci_reset(Device *dev)
{
    Xhci *d = (Xhci *)dev;
    controller_reset(d);
    pci_reset(&d->pci);
    d->pci.s->config[0x60] = 0x30;
}

/* Transfers in flight end; those behind them start again after a load, or here. */
static bool xhci_pre_save(void *dev)
{
    Xhci *d = dev;
    uint32_t cmd = d->s.cmd;
    d->s.cmd &= ~(uint32_t)CMD_RUN; /* nothing new starts */
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        UsbDevice *dev_ = xhci_device(d, i);
        if (dev_) {
            usb_drain(dev_);
        }
        d->again[i] = ~1u;
    }
    d->commands_again = true;
    d->s.cmd = cmd;
    timer_mod(&d->later, 0);
    return true;
}

static bool xhci_post_load(void *dev, Error *err)
{
    Xhci *d = dev;
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        if (d->s.slot[i].port > d->p2) {
            return error_set(err, "slot %u is at a port that is not there", i);
        }
        d->again[i] = ~1u;
    }
    d->commands_again = true;
    timer_mod(&d->later, 0);
    return pci_post_load(&d->pci, err);
}

static const StateField ep_fields[] = {
    STATE_U64(XhciEp, ring), STATE_U8_MAX(XhciEp, state, EP_ERROR), STATE_BYTES(XhciEp, setup),
    STATE_BOOL(XhciEp, pending), STATE_END
};
static const StateDesc ep_state = { .version = 1, .size = sizeof(XhciEp), .fields = ep_fields };
static const StateField slot_fields[] = {
    STATE_U64(XhciSlot, context), STATE_U8_MAX(XhciSlot, port, XHCI_PORTS),
    STATE_U8_MAX(XhciSlot, state, SLOT_CONFIGURED), STATE_BOOL(XhciSlot, enabled),
    STATE_SUB_ARRAY(XhciSlot, ep, ep_state), STATE_END
};
static const StateDesc slot_state = {
    .version = 1, .size = sizeof(XhciSlot), .fields = slot_fields,
};
static const StateField xhci_fields[] = {
    STATE_SUB(XhciState, pci, pci_state), STATE_U32(XhciState, cmd), STATE_U32(XhciState, sts),
    STATE_U32(XhciState, dnctrl), STATE_U32(XhciState, config), STATE_U64(XhciState, crcr),
    STATE_BOOL(XhciState, crr), STATE_U64(XhciState, dcbaap), STATE_U32_ARRAY(XhciState, portsc),
    STATE_U32(XhciState, iman), STATE_U32(XhciState, imod), STATE_U32_MAX(XhciState, erstsz, 16),
    STATE_U64(XhciState, erstba), STATE_U64(XhciState, erdp),
    STATE_U32(XhciState, er_segment), STATE_U32(XhciState, er_index),
    STATE_BOOL(XhciState, er_cycle), STATE_BOOL(XhciState, er_full),
    STATE_BOOL(XhciState, saved), STATE_SUB_ARRAY(XhciState, slot, slot_state), STATE_END
};

static const Property xhci_props[] = {
    PCI_PROPS(Xhci),
    PROP_U32(Xhci, p2, 8, 1, 15, "USB 2 ports: those that devices sit on"),
    PROP_U32(Xhci, p3, 4, 0, 15, "USB 3 ports: they stay empty"), PROP_END
};
static const char *const xhci_aliases[] = { "nec-usb-xhci", NULL };

const DeviceClass qemu_xhci_class = {
    .name = "qemu-xhci", .aliases = xhci_aliases, .desc = "USB controller (xHCI)",
    .bus = BUS_PCI, .size = sizeof(Xhci), .props = xhci_props,
    .bus_data = &(const PciInfo){
        .vendor = 0x1b36, .device = 0x000d, .class_code = 0x0c0330, .revision = 1,
        .subsys_vendor = 0x1af4, .subsys = 0x1100, .irq_pin = 1,
        .state_offset = offsetof(Xhci, s.pci),
    },
    .state = { .version = 1, .offset = offsetof(Xhci, s), .size = sizeof(XhciState),
               .fields = xhci_fields, .pre_save = xhci_pre_save, .post_load = xhci_post_load },
    .realize = xhci_realize, .unrealize = xhci_unrealize, .reset = xhci_reset,
};

/* SPDX-License-Identifier: MIT */
/*
 * Intel 82540EM gigabit Ethernet: registers, EEPROM, PHY, interrupts; e1000_int.h names the
 * manual. For guests that have no virtio driver. Left out: wake-up, management, flow
 * control, statistics but a few, delays and throttling of interrupts (none is late).
 * Machine lock held in every entry point.
 */
#include "hw/net/e1000.h"

#include <string.h>
#include "hw/core/machine.h"
#include "hw/net/e1000_int.h"
#include "util/bytes.h"

enum { MEM_SIZE = 0x20000, IO_SIZE = 64, EE_WORDS = 64, EE_SUM = 0xbaba };
enum { /* EECD (13.4.3) */
       EECD_SK = 1,
       EECD_CS = 2,
       EECD_DI = 4,
       EECD_DO = 8,
       EECD_REQ = 0x40,
       EECD_GNT = 0x80,
       EECD_PRES = 0x100,
};
enum { EERD_START = 1, EERD_DONE = 0x10 };
enum {
    MDIC_WRITE = 1,
    MDIC_READ = 2,
    MDIC_READY = 1 << 28,
    MDIC_INT = 1 << 29,
    MDIC_ERROR = 1 << 30,
    PHY_ADDRESS = 1
};
enum { STATUS_UP = 0x83, STATUS_LU = 2 }; /* full duplex, link, 1000 Mb/s */
#define RAH_VALID 0x80000000u

/* Registers that keep what is written, by range, with the bits that they have. */
static const struct {
    uint16_t first, last;
    uint32_t bits;
} kept[] = {
    { E_CTRL, E_CTRL, 0x7bffffff & ~(uint32_t)E_CTRL_RST },
    { E_CTRL_EXT, E_CTRL_EXT, 0xffffffff },
    { 0x0028, E_VET, 0xffffffff }, /* FCAL, FCAH, FCT, VET */
    { E_ITR, E_ITR, 0xffff },
    { E_RCTL, E_RCTL, 0xffffffff },
    { 0x0170, 0x0178, 0xffffffff }, /* FCTTV, TXCW */
    { E_TCTL, 0x0410, 0xffffffff }, /* TCTL, TIPG */
    { 0x0458, 0x0458, 0xffff },     /* AIT */
    { 0x0e00, 0x0e00, 0xffffffff }, /* LEDCTL */
    { E_PBA, E_PBA, 0xffff },
    { 0x2160, 0x2168, 0xffff }, /* FCRTL, FCRTH */
    { E_RDBAL, E_RDBAL, 0xfffffff0 },
    { E_RDBAH, E_RDBAH, 0xffffffff },
    { E_RDLEN, E_RDLEN, 0xfff80 },
    { E_RDH, E_RDT, 0xffff },
    { 0x2820, 0x282c, 0xffffffff }, /* RDTR, RXDCTL, RADV */
    { 0x2c00, 0x2c00, 0xfff },
    { E_TDBAL, E_TDBAL, 0xfffffff0 },
    { E_TDBAH, E_TDBAH, 0xffffffff },
    { E_TDLEN, E_TDLEN, 0xfff80 },
    { E_TDH, E_TDT, 0xffff },
    { 0x3820, 0x3830, 0xffffffff }, /* TIDV, TXDCTL, TADV, TSPMT */
    { 0x5000, 0x5000, 0xffff },     /* RXCSUM */
    { E_MTA, E_MTA + 0x1fc, 0xffffffff },
    { E_RA, E_RA + 0x7c, 0xffffffff },
    { E_VFTA, E_VFTA + 0x1fc, 0xffffffff },
    { 0x5800, 0x5820, 0xffffffff }, /* WUC, WUFC, ..., MANC */
    { 0x5838, 0x5b7c, 0xffffffff }, /* IP4AT, filters of wake-up */
};

/* --- interrupts (13.4.17 to 13.4.20) --- */

void e1000_interrupt(E1000 *d, uint32_t causes)
{
    *e1000_reg(d, E_ICR) |= causes;
    pci_set_intx(&d->pci, *e1000_reg(d, E_ICR) & *e1000_reg(d, E_IMS));
}

static uint32_t read_icr(E1000 *d)
{
    uint32_t v = *e1000_reg(d, E_ICR);
    *e1000_reg(d, E_ICR) = 0;
    e1000_interrupt(d, 0);
    return v;
}

/* --- EEPROM (5.6): 64 words, read only; the sum of all is BABAH --- */

static uint16_t ee_word(const E1000 *d, unsigned n)
{
    static const uint16_t words[EE_WORDS] = {
        [0x05] = 0xffff, [0x06] = 0xffff, [0x07] = 0xffff, [0x08] = 0x3000,
        [0x09] = 0x1000, [0x0a] = 0x6403, [0x0b] = 0x100e, [0x0c] = 0x8086,
        [0x0d] = 0x100e, [0x0e] = 0x8086, [0x0f] = 0x3040, [0x10] = 0x0008,
        [0x11] = 0x2000, [0x12] = 0x7e14, [0x13] = 0x0048, [0x14] = 0x1000,
        [0x15] = 0x00d8, [0x17] = 0x2700,
    };
    if (n < 3) {
        return get_le16(d->s.mac + 2 * n);
    }
    if (n != EE_WORDS - 1) {
        return n < EE_WORDS ? words[n] : 0xffff;
    }
    uint16_t sum = EE_SUM;
    for (unsigned i = 0; i < EE_WORDS - 1; i++) {
        sum -= ee_word(d, i);
    }
    return sum;
}

/* Microwire: a start bit, opcode 10b (read), six address bits; then 16 bits come out, the
 * highest first. Acts on the rising clock. */
static void ee_clock(E1000State *s, const E1000 *d, bool di)
{
    if (s->ee_left) {
        s->ee_do = s->ee_out >> --s->ee_left & 1;
        return;
    }
    if (!s->ee_count && !di) {
        return; /* no start bit yet */
    }
    s->ee_in = (uint16_t)(s->ee_in << 1 | di);
    if (++s->ee_count == 9) {
        if ((s->ee_in >> 6 & 3) == 2) {
            s->ee_out = ee_word(d, s->ee_in & (EE_WORDS - 1));
            s->ee_left = 16;
        }
        s->ee_count = 0;
        s->ee_in = 0;
        s->ee_do = false;
    }
}

static void write_eecd(E1000 *d, uint32_t v)
{
    E1000State *s = &d->s;
    uint32_t *r = e1000_reg(d, E_EECD);
    if (!(v & EECD_CS)) {
        s->ee_count = s->ee_left = 0;
        s->ee_in = 0;
        s->ee_do = true; /* ready */
    } else if ((v & EECD_SK) && !(*r & EECD_SK)) {
        ee_clock(s, d, v & EECD_DI);
    }
    *r = v & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ);
}

static uint32_t read_eecd(E1000 *d)
{
    uint32_t v = *e1000_reg(d, E_EECD);
    return v | EECD_PRES | (v & EECD_REQ ? EECD_GNT : 0) | (d->s.ee_do ? EECD_DO : 0);
}

/* --- PHY: an M88E1000 whose link is up if there is a backend (13.4.7) --- */

static void phy_reset(E1000 *d)
{
    static const uint16_t values[E_PHY_REGS] = {
        [0] = 0x1140,  [1] = 0x794d,  [2] = 0x0141,  [3] = 0x0c20,
        [4] = 0x0de1,  [5] = 0x41e0,  [9] = 0x0e00,  [10] = 0x3c00,
        [16] = 0x0068, [17] = 0xac00, [20] = 0x0d60,
    };
    memcpy(d->s.phy, values, sizeof(values));
    if (d->netdev) {
        d->s.phy[1] |= 0x24; /* link, negotiation complete */
    } else {
        d->s.phy[17] = 0;
    }
}

static void write_mdic(E1000 *d, uint32_t v)
{
    unsigned n = v >> 16 & 31, op = v >> 26 & 3;
    bool there = (v >> 21 & 31) == PHY_ADDRESS;
    uint32_t answer = (v & 0x2fffffff) | MDIC_READY;
    if (!there) {
        answer |= MDIC_ERROR;
    } else if (op == MDIC_READ) {
        answer = (answer & 0xffff0000) | d->s.phy[n];
    } else if (op == MDIC_WRITE) {
        if (n == 0) {
            if (v & 0x8000) {
                phy_reset(d);
            } else { /* restarting the negotiation ends at once */
                d->s.phy[0] = v & 0x3d40;
            }
        } else if (n == 4 || n == 9 || n == 16 || n == 18 || n == 20 || n >= 29) {
            d->s.phy[n] = (uint16_t)v;
        }
    }
    *e1000_reg(d, E_MDIC) = answer;
    if (v & MDIC_INT) {
        e1000_interrupt(d, E_INT_MDAC);
    }
}

/* --- registers --- */

static void set_address(E1000 *d)
{
    *e1000_reg(d, E_RA) = get_le32(d->s.mac);
    *e1000_reg(d, E_RA + 4) = get_le16(d->s.mac + 4) | RAH_VALID;
}

/* CTRL.RST and power-on; configuration space stays. */
static void chip_reset(E1000 *d)
{
    memset(d->s.reg, 0, sizeof(d->s.reg));
    memset(d->s.context, 0, sizeof(d->s.context));
    d->s.io_address = 0;
    d->s.ee_in = d->s.ee_out = 0;
    d->s.ee_count = d->s.ee_left = 0;
    d->s.ee_do = true;
    *e1000_reg(d,
               E_CTRL) = 0x00140241; /* full duplex, link up, speed and direction bits */
    *e1000_reg(d, E_VET) = 0x8100;
    *e1000_reg(d, E_PBA) = 0x00100030;
    phy_reset(d);
    set_address(d);
    timer_del(&d->later);
    e1000_interrupt(d, 0);
}

static uint64_t reg_read(void *opaque, uint64_t addr, unsigned size)
{
    E1000 *d = opaque;
    unsigned at = addr & ~3u;
    if (at >= E_REGS_END) {
        return 0;
    }
    switch (at) {
    case E_STATUS: return (d->netdev ? STATUS_UP : STATUS_UP & ~STATUS_LU);
    case E_EECD: return read_eecd(d);
    case E_ICR: return read_icr(d);
    case E_IMC:
    case E_ICS: return 0;
    default: break;
    }
    uint32_t v = *e1000_reg(d, at);
    if (at >= E_STATS && at < E_STATS_END) {
        *e1000_reg(d, at) = 0; /* statistics clear on read (13.7) */
    }
    return v;
}

static void keep(E1000 *d, unsigned at, uint32_t v)
{
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        if (at >= kept[i].first && at <= kept[i].last) {
            *e1000_reg(d, at) = v & kept[i].bits;
            return;
        }
    }
}

static void reg_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    E1000 *d = opaque;
    unsigned at = addr & ~3u;
    uint32_t v = (uint32_t)val;
    if (at >= E_REGS_END) {
        return;
    }
    switch (at) {
    case E_CTRL:
        if (v & E_CTRL_RST) {
            chip_reset(d);
            return;
        }
        if (v >> 31) {
            phy_reset(d);
        }
        break;
    case E_EECD: write_eecd(d, v); return;
    case E_EERD:
        if (v & EERD_START) {
            *e1000_reg(d, E_EERD) = (v & 0xff00) | EERD_DONE |
                                    (uint32_t)ee_word(d, v >> 8 & 0xff) << 16;
        }
        return;
    case E_MDIC: write_mdic(d, v); return;
    case E_ICR:
        *e1000_reg(d, E_ICR) &= ~v;
        e1000_interrupt(d, 0);
        return;
    case E_ICS: e1000_interrupt(d, v & 0x1ffff); return;
    case E_IMS:
        *e1000_reg(d, E_IMS) |= v & 0x1ffff;
        e1000_interrupt(d, 0);
        return;
    case E_IMC:
        *e1000_reg(d, E_IMS) &= ~v;
        e1000_interrupt(d, 0);
        return;
    default: break;
    }
    keep(d, at, v);
    if (at == E_TDT || at == E_TCTL) {
        e1000_transmit(d);
    } else if ((at == E_RDT || at == E_RCTL || at == E_CTRL) && d->netdev) {
        netdev_flush(d->netdev);
    }
}

/* I/O BAR (13.2): IOADDR at 0, IODATA at 4. */
static uint64_t io_read(void *opaque, uint64_t addr, unsigned size)
{
    E1000 *d = opaque;
    return addr < 4 ? d->s.io_address : addr < 8 ? reg_read(d, d->s.io_address, 4) : 0;
}

static void io_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    E1000 *d = opaque;
    if (addr < 4) {
        d->s.io_address = (uint32_t)val & (MEM_SIZE - 4);
    } else if (addr < 8) {
        reg_write(d, d->s.io_address, val, 4);
    }
}

static const MemoryOps mem_ops = {
    .read = reg_read, .write = reg_write, .min_size = 4, .max_size = 4
};
static const MemoryOps io_ops = {
    .read = io_read, .write = io_write, .min_size = 4, .max_size = 4
};

/* --- device --- */

static void go_on(void *opaque)
{
    e1000_transmit(opaque);
}

static bool e1000_realize(Device *dev, Error *err)
{
    E1000 *d = (E1000 *)dev;
    static const uint8_t none[6];
    if (!memcmp(d->mac, none, 6)) { /* as virtio-net's: the same each time */
        memcpy(d->mac,
               (uint8_t[6]){ 0x52, 0x54, 0x00, 0x12, 0x34, 0x53 + (d->pci.devfn >> 3) },
               6);
    }
    memcpy(d->s.mac, d->mac, 6);
    device_add_io(dev, &d->mem, "e1000-registers", MEM_SIZE, &mem_ops, d);
    device_add_io(dev, &d->io, "e1000-io", IO_SIZE, &io_ops, d);
    pci_add_bar(&d->pci, 0, PCI_BAR_MEM32, &d->mem);
    pci_add_bar(&d->pci, 2, PCI_BAR_IO, &d->io);
    timer_init(&d->later, dev->machine->clock, go_on, d);
    NetClient client = e1000_client;
    client.opaque = d;
    if (d->netdev && !netdev_attach(d->netdev, &client, err)) {
        d->netdev = NULL;
        return false;
    }
    return true;
}

static void e1000_unrealize(Device *dev)
{
    E1000 *d = (E1000 *)dev;
    timer_del(&d->later);
    if (d->netdev) {
        netdev_detach(d->netdev);
    }
}

static void e1000_reset(Device *dev)
{
    E1000 *d = (E1000 *)dev;
    pci_reset(&d->pci);
    memcpy(d->s.mac, d->mac, 6);
    chip_reset(d);
}

/* A ring that waited for its next turn gets it at the next doorbell or here. */
static bool e1000_post_load(void *dev, Error *err)
{
    E1000 *d = dev;
    if (d->s.ee_left > 16 || d->s.ee_count > 8) {
        return error_set(err, "EEPROM: out of bounds");
    }
    timer_mod(&d->later, clock_now(d->pci.dev.machine->clock));
    return pci_post_load(&d->pci, err);
}

static const Property e1000_props[] = {
    PCI_PROPS(E1000), PROP_LINK(E1000, netdev, netdev_link, "ID of a -netdev"),
    PROP_MAC(E1000, mac, "Ethernet address; default 52:54:00:12:34:53 and slot"),
    PROP_U32(E1000, bootindex, 0xffffffff, 0, 0,
             "place in the boot order (there is no ROM)"),
    PROP_END
};

static const StateField e1000_fields[] = {
    STATE_SUB(E1000State, pci, pci_state), STATE_U32_ARRAY(E1000State, reg),
    STATE_U16_ARRAY(E1000State, phy),      STATE_U32_ARRAY(E1000State, context),
    STATE_U32(E1000State, io_address),     STATE_BYTES(E1000State, mac),
    STATE_U16(E1000State, ee_in),          STATE_U16(E1000State, ee_out),
    STATE_U8(E1000State, ee_count),        STATE_U8(E1000State, ee_left),
    STATE_BOOL(E1000State, ee_do),         STATE_END
};

static const char *const e1000_aliases[] = { "e1000-82540em", NULL };

const DeviceClass e1000_class = {
    .name = "e1000",
    .aliases = e1000_aliases,
    .desc = "Intel 82540EM network card, for guests without virtio",
    .bus = BUS_PCI,
    .size = sizeof(E1000),
    .props = e1000_props,
    .bus_data =
        &(const PciInfo){
            .vendor = 0x8086,
            .device = 0x100e,
            .class_code = 0x020000,
            .revision = 3,
            .subsys_vendor = 0x1af4,
            .subsys = 0x1100,
            .irq_pin = 1,
            .state_offset = offsetof(E1000, s.pci),
        },
    .state = { .version = 1,
               .offset = offsetof(E1000, s),
               .size = sizeof(E1000State),
               .fields = e1000_fields,
               .post_load = e1000_post_load },
    .realize = e1000_realize,
    .unrealize = e1000_unrealize,
    .reset = e1000_reset,
};

/* SPDX-License-Identifier: MIT */
/*
 * I/O APIC with 24 inputs: 82093AA datasheet (290566-001), with the EOI register of
 * version 20H parts (ICH, 12.5.6). Polarity bits are kept and ignored: board lines are
 * active high. Machine lock held in every entry point.
 */
#include "hw/core/machine.h"
#include "hw/intc/apic.h"
#include "util/log.h"

enum { IOAPIC_PINS = 24, IOAPIC_SIZE = 0x1000 };
enum { REG_SELECT = 0x00, REG_WINDOW = 0x10, REG_EOI = 0x40 };
enum { IDX_ID = 0, IDX_VERSION = 1, IDX_ARB = 2, IDX_REDIR = 0x10 };
#define RTE_LOGICAL BIT(11)
#define RTE_STATUS BIT(12)
#define RTE_REMOTE_IRR BIT(14)
#define RTE_LEVEL BIT(15)
#define RTE_MASKED BIT(16)
#define RTE_WRITABLE (0xff00000000000000ull | 0x1afff)

typedef struct IoapicState {
    uint64_t redir[IOAPIC_PINS];
    uint32_t lines; /* input levels */
    uint8_t id, select;
} IoapicState;

typedef struct Ioapic {
    Device dev;
    IoapicState s;
    ApicBus *bus;
    uint64_t base;
    uint8_t reset_id;
    MemoryRegion mmio;
} Ioapic;

/* NMI, SMI, INIT and ExtINT are edges whatever the trigger bit says. */
static bool rte_is_level(uint64_t rte)
{
    unsigned mode = rte >> 8 & 7;
    return (rte & RTE_LEVEL) && mode <= APIC_DM_LOWEST;
}

static bool ioapic_send(Ioapic *d, uint64_t rte)
{
    ApicMessage msg = {
        .dest = rte >> 56,
        .vector = rte,
        .mode = rte >> 8 & 7,
        .logical = rte & RTE_LOGICAL,
        .level = rte_is_level(rte),
    };
    return apic_bus_deliver(d->bus, &msg);
}

/* A level input that is high and waits for nobody's EOI interrupts. */
static void ioapic_service_level(Ioapic *d, unsigned n)
{
    uint64_t rte = d->s.redir[n];
    if ((d->s.lines >> n & 1) && rte_is_level(rte) &&
        !(rte & (RTE_MASKED | RTE_REMOTE_IRR)) && ioapic_send(d, rte)) {
        d->s.redir[n] |= RTE_REMOTE_IRR;
    }
}

static void ioapic_set_line(void *opaque, unsigned n, bool level)
{
    Ioapic *d = opaque;
    if (n >= IOAPIC_PINS) {
        return;
    }
    EngineChips *chips = &d->dev.machine->chips;
    bool was = d->s.lines >> n & 1;
    if (chips_active(chips, CHIP_IOAPIC)) { /* its pin 2 is interrupt 0 */
        d->s.lines = (d->s.lines & ~(1u << n)) | (uint32_t)level << n;
        chips->ops->set_gsi(d->dev.machine, n == 2 ? 0 : n, level);
        return;
    }
    d->s.lines = (d->s.lines & ~(1u << n)) | (uint32_t)level << n;
    uint64_t rte = d->s.redir[n];
    if (!level || was) {
        return;
    }
    if (rte_is_level(rte)) {
        ioapic_service_level(d, n);
    } else if (!(rte & RTE_MASKED)) {
        ioapic_send(d, rte); /* 3.2.4: edges at a masked pin are lost */
    }
}

void ioapic_eoi(Device *dev, uint8_t vector)
{
    Ioapic *d = DEVICE_AS(dev, Ioapic, ioapic_class);
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        uint64_t rte = d->s.redir[n];
        if ((rte & RTE_REMOTE_IRR) && (rte & 0xff) == vector) {
            d->s.redir[n] &= ~RTE_REMOTE_IRR;
            ioapic_service_level(d, n);
        }
    }
}

static uint32_t ioapic_read_index(const Ioapic *d)
{
    unsigned i = d->s.select;
    switch (i) {
    case IDX_ID:
    case IDX_ARB: return (uint32_t)d->s.id << 24;
    case IDX_VERSION: return (IOAPIC_PINS - 1) << 16 | 0x20;
    default:
        if (i >= IDX_REDIR && i < IDX_REDIR + 2 * IOAPIC_PINS) {
            return d->s.redir[(i - IDX_REDIR) / 2] >> (i & 1 ? 32 : 0);
        }
        return 0;
    }
}

/* An engine with local APICs of its own must know which vectors are level-triggered. */
static void ioapic_tell_engine(Ioapic *d, unsigned n)
{
    EngineChips *chips = &d->dev.machine->chips;
    if (chips_active(chips, CHIP_LAPIC) && !chips_active(chips, CHIP_IOAPIC)) {
        chips->ops->redirection(d->dev.machine, n, d->s.redir[n]);
    }
}

static void ioapic_write_rte(Ioapic *d, unsigned n, bool high, uint32_t v)
{
    uint64_t old = d->s.redir[n], rte;
    rte = high ? (old & 0xffffffff) | (uint64_t)v << 32 : (old & ~0xffffffffull) | v;
    rte &= RTE_WRITABLE;
    /* Remote IRR goes when the entry turns to edge: guests count on it to drop a lost
     * interrupt. */
    if ((old & RTE_REMOTE_IRR) && (rte & RTE_LEVEL)) {
        rte |= RTE_REMOTE_IRR;
    }
    d->s.redir[n] = rte;
    ioapic_tell_engine(d, n);
    ioapic_service_level(d, n);
}

static void ioapic_write_index(Ioapic *d, uint32_t v)
{
    unsigned i = d->s.select;
    if (i == IDX_ID) {
        d->s.id = v >> 24 & 0xf;
    } else if (i >= IDX_REDIR && i < IDX_REDIR + 2 * IOAPIC_PINS) {
        ioapic_write_rte(d, (i - IDX_REDIR) / 2, i & 1, v);
    }
}

static uint64_t ioapic_read(void *opaque, uint64_t addr, unsigned size)
{
    const Ioapic *d = opaque;
    switch (addr & 0xff) {
    case REG_SELECT: return d->s.select;
    case REG_WINDOW: return ioapic_read_index(d);
    default: return 0;
    }
}

static void ioapic_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Ioapic *d = opaque;
    switch (addr & 0xff) {
    case REG_SELECT: d->s.select = val; break;
    case REG_WINDOW: ioapic_write_index(d, val); break;
    case REG_EOI: ioapic_eoi(&d->dev, val); break;
    default: break;
    }
}

static const MemoryOps ioapic_ops = { ioapic_read, ioapic_write, 4, 4 };

static void ioapic_reset(Device *dev)
{
    Ioapic *d = DEVICE_AS(dev, Ioapic, ioapic_class);
    uint32_t lines = d->s.lines;
    d->s = (IoapicState){ .id = d->reset_id, .lines = lines };
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        d->s.redir[n] = RTE_MASKED;
    }
}

/* --- hw/core/chips.h --- */

static void ioapic_chip_get(void *chip, void *out)
{
    const Ioapic *d = chip;
    IoapicRegs *r = out;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        r->redir[n] = d->s.redir[n];
    }
    r->lines = d->s.lines;
    r->id = d->s.id;
    r->select = d->s.select;
}

static void ioapic_chip_sleep(void *chip)
{
}

/* Lines that are high and not yet taken: they interrupt now (level), or did (edge). */
static void ioapic_chip_set(void *chip, const void *in)
{
    Ioapic *d = chip;
    const IoapicRegs *r = in;
    d->s.lines = r->lines;
    d->s.id = r->id & 0xf;
    d->s.select = r->select;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        d->s.redir[n] = r->redir[n] & (RTE_WRITABLE | RTE_REMOTE_IRR);
        ioapic_service_level(d, n);
    }
}

static void ioapic_chip_eoi(void *chip, uint8_t vector)
{
    ioapic_eoi(chip, vector);
}

static bool ioapic_realize(Device *dev, Error *err)
{
    Ioapic *d = DEVICE_AS(dev, Ioapic, ioapic_class);
    dev->machine->chips.ioapic =
        (SoftChip){ d, ioapic_chip_get, ioapic_chip_sleep, ioapic_chip_set };
    dev->machine->chips.ioapic_eoi = ioapic_chip_eoi;
    if (!d->bus) {
        return error_set(err, "ioapic: only a board can make one");
    }
    if (d->bus->nioapics == APIC_MAX_IOAPICS) {
        return error_set(err, "ioapic: more than %d", APIC_MAX_IOAPICS);
    }
    d->bus->ioapic[d->bus->nioapics++] = dev;
    device_add_io(dev, &d->mmio, "ioapic", IOAPIC_SIZE, &ioapic_ops, d);
    device_map(dev, &dev->machine->mem_root, &d->mmio, d->base, 1);
    device_init_irq_in(dev, ioapic_set_line, IOAPIC_PINS);
    ioapic_reset(dev);
    return true;
}

static void ioapic_unrealize(Device *dev)
{
    Ioapic *d = DEVICE_AS(dev, Ioapic, ioapic_class);
    for (unsigned i = 0; d->bus && i < d->bus->nioapics; i++) {
        if (d->bus->ioapic[i] == dev) {
            d->bus->ioapic[i] = d->bus->ioapic[--d->bus->nioapics];
        }
    }
}

Device *ioapic_create(ApicBus *bus, uint8_t id, uint64_t base, Error *err)
{
    Device *dev = device_create(bus->machine, &ioapic_class);
    Ioapic *d = DEVICE_AS(dev, Ioapic, ioapic_class);
    d->bus = bus;
    d->base = base;
    d->reset_id = id & 0xf;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static const StateField ioapic_fields[] = { STATE_U64_ARRAY(IoapicState, redir),
                                            STATE_U32(IoapicState, lines),
                                            STATE_U8(IoapicState, id),
                                            STATE_U8(IoapicState, select), STATE_END };

const DeviceClass ioapic_class = {
    .name = "ioapic",
    .desc = "I/O APIC, 24 inputs",
    .size = sizeof(Ioapic),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(Ioapic, s),
               .size = sizeof(IoapicState),
               .fields = ioapic_fields },
    .realize = ioapic_realize,
    .unrealize = ioapic_unrealize,
    .reset = ioapic_reset,
};

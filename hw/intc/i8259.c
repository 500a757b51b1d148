/* SPDX-License-Identifier: MIT */
/*
 * A master and a slave 8259A, cascaded at IR2. Intel 8259A datasheet (231468-003); ELCR
 * (4D0H, 4D1H) as in the 82371SB datasheet, 2.5.
 * An edge stays latched when the line falls before the acknowledge: board lines may be
 * pulses. MCS-80/85 mode (ICW4.uPM = 0) is accepted and ignored.
 * Machine lock held in every entry point.
 */
#include "hw/intc/i8259.h"

#include "hw/core/machine.h"
#include "util/log.h"

enum { CASCADE = 2, NONE = 8 };
enum { ICW1_IC4 = 1, ICW1_SNGL = 2, ICW1_INIT = 0x10 };
enum { ICW4_AEOI = 2, ICW4_SFNM = 0x10 };

typedef struct PicChip {
    uint8_t irr;   /* requests: latched edges and high level inputs */
    uint8_t lines; /* input levels */
    uint8_t imr, isr;
    uint8_t elcr;     /* 1 = level triggered */
    uint8_t base;     /* ICW2: vector of IR0 */
    uint8_t lowest;   /* input with the lowest priority; 7 after ICW1 */
    uint8_t icw_next; /* 0 = ready, else the ICW (2..4) expected at the odd port */
    uint8_t icw4;
    uint8_t elcr_reset;
    bool need_icw4, single, read_isr, poll, special_mask, rotate_aeoi;
} PicChip;

typedef struct I8259State {
    PicChip chip[2]; /* master, slave */
} I8259State;

typedef struct I8259 {
    Device dev;
    I8259State s;
    MemoryRegion io[2], elcr_io;
    IrqLine out;
} I8259;

/* Priority of input n now: 0 = highest. */
static unsigned pic_rank(const PicChip *c, unsigned n)
{
    return (n - c->lowest - 1) & 7;
}

/* Input of the highest priority in mask, or NONE. */
static unsigned pic_highest(const PicChip *c, uint8_t mask)
{
    for (unsigned r = 0; mask && r < 8; r++) {
        unsigned n = (c->lowest + 1 + r) & 7;
        if (mask & (1u << n)) {
            return n;
        }
    }
    return NONE;
}

/* The request that the chip would present, or NONE: fully nested mode and variants. */
static unsigned pic_request(const PicChip *c, bool master)
{
    unsigned n = pic_highest(c, c->irr & ~c->imr);
    if (n == NONE) {
        return NONE;
    }
    uint8_t busy = c->isr;
    if (c->special_mask) {
        busy &= ~c->imr; /* a masked level does not block the others */
    }
    if (master && (c->icw4 & ICW4_SFNM)) {
        busy &= ~(1u << CASCADE);
    }
    unsigned in_service = pic_highest(c, busy);
    if (in_service != NONE && pic_rank(c, in_service) <= pic_rank(c, n)) {
        return NONE;
    }
    return n;
}

static void pic_cascade(PicChip *c, bool level)
{
    if (level) {
        if (!(c->lines & 1u << CASCADE)) {
            c->irr |= 1u << CASCADE;
        }
        c->lines |= 1u << CASCADE;
    } else {
        c->lines &= ~(1u << CASCADE);
        c->irr &= ~(1u << CASCADE);
    }
}

static void pic_update(I8259 *d)
{
    PicChip *m = &d->s.chip[0], *sl = &d->s.chip[1];
    pic_cascade(m, pic_request(sl, false) != NONE);
    irq_set(&d->out, pic_request(m, true) != NONE);
}

static void pic_set_line(void *opaque, unsigned n, bool level)
{
    I8259 *d = opaque;
    if (n == CASCADE || n >= 16 || chips_active(&d->dev.machine->chips, CHIP_PIC)) {
        return; /* an engine's chip gets the line from the I/O APIC's input */
    }
    PicChip *c = &d->s.chip[n / 8];
    uint8_t bit = 1u << (n % 8);
    bool was = c->lines & bit;
    if (was == level) {
        return;
    }
    if (level) {
        c->lines |= bit;
        c->irr |= bit;
    } else {
        c->lines &= ~bit;
        if (c->elcr & bit) {
            c->irr &= ~bit;
        }
    }
    pic_update(d);
}

static void pic_end(PicChip *c, unsigned n, bool rotate)
{
    c->isr &= ~(1u << n);
    if (rotate) {
        c->lowest = n;
    }
}

/* The chip's part of an acknowledge. Returns the input, 7 with nothing in service for a
 * spurious one. */
static unsigned pic_take(PicChip *c, bool master)
{
    unsigned n = pic_request(c, master);
    if (n == NONE) {
        return 7;
    }
    uint8_t bit = 1u << n;
    if (!(c->elcr & bit) || !(c->lines & bit)) {
        c->irr &= ~bit;
    }
    c->isr |= bit;
    if (c->icw4 & ICW4_AEOI) {
        pic_end(c, n, c->rotate_aeoi);
    }
    return n;
}

int i8259_ack(void *dev)
{
    I8259 *d = dev;
    PicChip *m = &d->s.chip[0], *sl = &d->s.chip[1];
    bool cascade = pic_request(m, true) == CASCADE;
    unsigned n = pic_take(m, true);
    int vector = m->base + n;
    if (cascade) {
        vector = sl->base + pic_take(sl, false);
        /* The slave may have more: the master sees a new edge. */
        m->lines &= ~(1u << CASCADE);
    }
    pic_update(d);
    return vector;
}

static void pic_chip_init(PicChip *c)
{
    uint8_t elcr = c->elcr, lines = c->lines, elcr_reset = c->elcr_reset;
    *c = (PicChip){ .lowest = 7, .elcr = elcr, .lines = lines, .elcr_reset = elcr_reset };
    c->irr = lines & elcr; /* edge sense is reset, levels stand */
}

static void pic_icw1(PicChip *c, uint8_t v)
{
    pic_chip_init(c);
    c->need_icw4 = v & ICW1_IC4;
    c->single = v & ICW1_SNGL;
    c->icw_next = 2;
}

static void pic_ocw2(PicChip *c, uint8_t v)
{
    unsigned n = v & 7, top;
    switch (v >> 5) {
    case 0: /* rotate in automatic EOI mode: clear */
    case 4: /* set */ c->rotate_aeoi = v >> 7; break;
    case 1: /* non-specific EOI */
    case 5: /* and rotate */
        top = pic_highest(c, c->special_mask ? c->isr & ~c->imr : c->isr);
        if (top != NONE) {
            pic_end(c, top, v >> 7);
        }
        break;
    case 3: /* specific EOI */
    case 7: /* and rotate */ pic_end(c, n, v >> 7); break;
    case 6: /* set priority */ c->lowest = n; break;
    default: /* no operation */ break;
    }
}

static void pic_ocw3(PicChip *c, uint8_t v)
{
    if (v & 0x40) {
        c->special_mask = v & 0x20;
    }
    c->poll = v & 4;
    if (v & 2) {
        c->read_isr = v & 1;
    }
}

static void pic_odd_write(PicChip *c, uint8_t v)
{
    switch (c->icw_next) {
    case 2:
        c->base = v & 0xf8;
        c->icw_next = !c->single ? 3 : c->need_icw4 ? 4 : 0;
        break;
    case 3: /* the wiring is fixed: slave at IR2 */
        c->icw_next = c->need_icw4 ? 4 : 0;
        break;
    case 4:
        c->icw4 = v;
        c->icw_next = 0;
        break;
    default: c->imr = v; break;
    }
}

static void pic_write(I8259 *d, PicChip *c, uint64_t addr, uint8_t v)
{
    if (addr & 1) {
        pic_odd_write(c, v);
    } else if (v & ICW1_INIT) {
        pic_icw1(c, v);
    } else if (v & 8) {
        pic_ocw3(c, v);
    } else {
        pic_ocw2(c, v);
    }
    pic_update(d);
}

static uint8_t pic_poll(I8259 *d, PicChip *c)
{
    bool master = c == &d->s.chip[0];
    c->poll = false;
    unsigned n = pic_request(c, master);
    if (n == NONE) {
        return 0;
    }
    pic_take(c, master);
    if (master && n == CASCADE) {
        c->lines &= ~(1u << CASCADE);
    }
    pic_update(d);
    return 0x80 | n;
}

static uint8_t pic_read(I8259 *d, PicChip *c, uint64_t addr)
{
    if (c->poll) {
        return pic_poll(d, c);
    }
    if (addr & 1) {
        return c->imr;
    }
    return c->read_isr ? c->isr : c->irr;
}

static uint64_t pic_read_master(void *opaque, uint64_t addr, unsigned size)
{
    I8259 *d = opaque;
    return pic_read(d, &d->s.chip[0], addr);
}

static void pic_write_master(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    I8259 *d = opaque;
    pic_write(d, &d->s.chip[0], addr, val);
}

static uint64_t pic_read_slave(void *opaque, uint64_t addr, unsigned size)
{
    I8259 *d = opaque;
    return pic_read(d, &d->s.chip[1], addr);
}

static void pic_write_slave(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    I8259 *d = opaque;
    pic_write(d, &d->s.chip[1], addr, val);
}

static uint64_t pic_elcr_read(void *opaque, uint64_t addr, unsigned size)
{
    const I8259 *d = opaque;
    return d->s.chip[addr & 1].elcr;
}

static void pic_set_chip_elcr(PicChip *c, unsigned n, uint8_t v)
{
    /* 0, 1, 2, 8 and 13 are edge triggered for good (82371SB, 2.5.10). */
    c->elcr = v & (n ? 0xde : 0xf8);
    c->irr = (c->irr & ~c->elcr) | (c->lines & c->elcr);
}

static void pic_elcr_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    I8259 *d = opaque;
    pic_set_chip_elcr(&d->s.chip[addr & 1], addr & 1, val);
    pic_update(d);
}

static const MemoryOps pic_master_ops = { pic_read_master, pic_write_master, 1, 1 };
static const MemoryOps pic_slave_ops = { pic_read_slave, pic_write_slave, 1, 1 };
static const MemoryOps pic_elcr_ops = { pic_elcr_read, pic_elcr_write, 1, 1 };

void i8259_set_elcr(Device *dev, uint16_t elcr)
{
    I8259 *d = DEVICE_AS(dev, I8259, i8259_class);
    for (unsigned n = 0; n < 2; n++) {
        pic_set_chip_elcr(&d->s.chip[n], n, elcr >> (8 * n));
        d->s.chip[n].elcr_reset = d->s.chip[n].elcr;
    }
    pic_update(d);
}

/* --- hw/core/chips.h --- */

static void pic_chip_get(void *chip, void *out)
{
    const I8259 *d = chip;
    PicPairRegs *r = out;
    for (unsigned n = 0; n < 2; n++) {
        const PicChip *c = &d->s.chip[n];
        r->chip[n] = (PicRegs){
            .irr = c->irr, .lines = c->lines, .imr = c->imr, .isr = c->isr, .elcr = c->elcr,
            .base = c->base, .lowest = c->lowest, .icw_next = c->icw_next,
            .need_icw4 = c->need_icw4, .auto_eoi = c->icw4 & ICW4_AEOI,
            .fully_nested = c->icw4 & ICW4_SFNM, .read_isr = c->read_isr, .poll = c->poll,
            .special_mask = c->special_mask, .rotate_aeoi = c->rotate_aeoi,
        };
    }
}

static void pic_chip_sleep(void *chip)
{
}

static void pic_chip_set(void *chip, const void *in)
{
    I8259 *d = chip;
    const PicPairRegs *r = in;
    for (unsigned n = 0; n < 2; n++) {
        const PicRegs *p = &r->chip[n];
        PicChip *c = &d->s.chip[n];
        c->irr = p->irr;
        c->lines = p->lines;
        c->imr = p->imr;
        c->isr = p->isr;
        c->elcr = p->elcr;
        c->base = p->base;
        c->lowest = p->lowest & 7;
        c->icw_next = p->icw_next;
        c->icw4 = (p->auto_eoi ? ICW4_AEOI : 0) | (p->fully_nested ? ICW4_SFNM : 0);
        c->need_icw4 = p->need_icw4;
        c->read_isr = p->read_isr;
        c->poll = p->poll;
        c->special_mask = p->special_mask;
        c->rotate_aeoi = p->rotate_aeoi;
    }
    /* The cascade is wire, not register: made anew, with its request. */
    d->s.chip[0].lines &= ~(1u << CASCADE);
    pic_update(d);
}

static bool pic_realize(Device *dev, Error *err)
{
    I8259 *d = DEVICE_AS(dev, I8259, i8259_class);
    dev->machine->chips.pic = (SoftChip){ d, pic_chip_get, pic_chip_sleep, pic_chip_set };
    dev->machine->chips.pic_ack = i8259_ack;
    dev->machine->chips.pic_ack_opaque = d;
    device_add_ports(dev, &d->io[0], "pic-master", 0x20, 2, &pic_master_ops, d);
    device_add_ports(dev, &d->io[1], "pic-slave", 0xa0, 2, &pic_slave_ops, d);
    device_add_ports(dev, &d->elcr_io, "elcr", 0x4d0, 2, &pic_elcr_ops, d);
    device_init_irq_in(dev, pic_set_line, 16);
    return true;
}

static void pic_reset(Device *dev)
{
    I8259 *d = DEVICE_AS(dev, I8259, i8259_class);
    for (unsigned n = 0; n < 2; n++) {
        PicChip *c = &d->s.chip[n];
        c->elcr = c->elcr_reset;
        c->lines &= ~(n ? 0 : 1u << CASCADE);
        pic_chip_init(c);
    }
}

static void pic_reset_lines(Device *dev)
{
    pic_update(DEVICE_AS(dev, I8259, i8259_class));
}

Device *i8259_create(struct Machine *m, IrqLine out, Error *err)
{
    Device *dev = device_create(m, &i8259_class);
    DEVICE_AS(dev, I8259, i8259_class)->out = out;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static const StateField pic_chip_fields[] = { STATE_U8(PicChip, irr),
                                              STATE_U8(PicChip, lines),
                                              STATE_U8(PicChip, imr),
                                              STATE_U8(PicChip, isr),
                                              STATE_U8(PicChip, elcr),
                                              STATE_U8(PicChip, base),
                                              STATE_U8_MAX(PicChip, lowest, 7),
                                              STATE_U8_MAX(PicChip, icw_next, 4),
                                              STATE_U8(PicChip, icw4),
                                              STATE_U8(PicChip, elcr_reset),
                                              STATE_BOOL(PicChip, need_icw4),
                                              STATE_BOOL(PicChip, single),
                                              STATE_BOOL(PicChip, read_isr),
                                              STATE_BOOL(PicChip, poll),
                                              STATE_BOOL(PicChip, special_mask),
                                              STATE_BOOL(PicChip, rotate_aeoi),
                                              STATE_END };
static const StateDesc pic_chip_state = { .version = 1,
                                          .size = sizeof(PicChip),
                                          .fields = pic_chip_fields };
static const StateField pic_fields[] = {
    STATE_SUB_ARRAY(I8259State, chip, pic_chip_state), STATE_END
};

const DeviceClass i8259_class = {
    .name = "i8259",
    .desc = "pair of 8259A interrupt controllers",
    .size = sizeof(I8259),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(I8259, s),
               .size = sizeof(I8259State),
               .fields = pic_fields },
    .realize = pic_realize,
    .reset = pic_reset,
    .reset_lines = pic_reset_lines,
};

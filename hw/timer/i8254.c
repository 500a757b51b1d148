/* SPDX-License-Identifier: MIT */
/*
 * 8254 programmable interval timer, all six modes, binary and BCD, and port 61H (gate and
 * output of counter 2, speaker bit, refresh toggle). Intel 8254 datasheet, 231164-005;
 * port 61H as in the 82371SB datasheet, 2.5.6.
 * Counters are computed from the clock; only counter 0 has a host timer. The moment
 * between a count's writing and its loading (one tick) is not modelled.
 * Machine lock held in every entry point.
 */
#include "hw/timer/i8254.h"

#include "hw/core/machine.h"

#define PIT_HZ 1193182
/* Counter 0 interrupts at most this often, whatever the guest asks for. */
#define MIN_PERIOD_NS 20000
#define REFRESH_NS 15085 /* DRAM refresh request, toggles 61H bit 4 */

enum { RW_LATCH, RW_LSB, RW_MSB, RW_WORD };

typedef struct PitCounter {
    int64_t start;       /* clock ns at which counting (or the last trigger) began */
    int64_t stopped;     /* ticks done when the gate stopped counting; -1 = runs */
    uint32_t count;      /* loaded count, 1..65536 (BCD: 1..10000); 0 = none yet */
    uint32_t next_count; /* modes 2, 3: takes over at the end of this period; 0 = none */
    uint16_t latch;
    uint8_t latched;     /* bytes of `latch` still to read */
    uint8_t latch_msb;   /* the next byte of the latch is the high one */
    uint8_t status, lsb; /* latched status byte; first byte of a two-byte count */
    uint8_t mode, rw;    /* 0..5; RW_* */
    bool bcd, gate, status_latched, read_msb, write_msb;
    bool triggered; /* modes 1, 5: the gate has risen since the count came */
} PitCounter;

typedef struct PitState {
    PitCounter c[3];
    bool speaker;   /* 61H bit 1 */
    bool inhibited; /* HPET legacy replacement */
} PitState;

typedef struct Pit {
    Device dev;
    PitState s;
    IrqLine irq;
    Timer timer;
    MemoryRegion io, port61;
    unsigned told_hz; /* the tone that the speaker plays */
} Pit;

static int64_t pit_now(const Pit *d)
{
    return clock_now(d->dev.machine->clock);
}

static int64_t ns_to_ticks(int64_t ns)
{
    return (__int128)ns * PIT_HZ / NS_PER_SEC;
}
/* The first nanosecond at which `ticks` have passed. */
static int64_t ticks_to_ns(int64_t ticks)
{
    return ((__int128)ticks * NS_PER_SEC + PIT_HZ - 1) / PIT_HZ;
}

static bool mode_is_periodic(const PitCounter *c)
{
    return c->mode == 2 || c->mode == 3;
}
static bool mode_is_triggered(const PitCounter *c)
{
    return c->mode == 1 || c->mode == 5;
}

static int64_t pit_elapsed(const PitCounter *c, int64_t now)
{
    if (c->stopped >= 0) {
        return c->stopped;
    }
    int64_t ns = now - c->start;
    return ns > 0 ? ns_to_ticks(ns) : 0;
}

/* Lets a count that was written in mid-period take over. */
static void pit_sync(PitCounter *c, int64_t now)
{
    if (!c->next_count || c->stopped >= 0) {
        return;
    }
    if (pit_elapsed(c, now) >= c->count) {
        c->start += ticks_to_ns(c->count);
        c->count = c->next_count;
        c->next_count = 0;
    }
}

static bool pit_output(const PitCounter *c, int64_t now)
{
    if (!c->count) {
        return c->mode != 0;
    }
    if (mode_is_triggered(c) && !c->triggered) {
        return true;
    }
    int64_t d = pit_elapsed(c, now);
    switch (c->mode) {
    case 0:
    case 1: return d >= c->count;
    case 2: return c->stopped >= 0 || d % c->count != c->count - 1;
    case 3: return c->stopped >= 0 || d % c->count < (c->count + 1) / 2;
    default: /* strobes: low for the tick after the count ran out */ return d != c->count;
    }
}

/* What the counting element holds. */
static uint16_t pit_counter(const PitCounter *c, int64_t now)
{
    uint32_t modulus = c->bcd ? 10000 : 65536, v;
    if (!c->count) {
        return 0;
    }
    int64_t d = pit_elapsed(c, now);
    if (c->mode == 2) {
        v = c->count - d % c->count;
    } else if (c->mode == 3) {
        /* Counts by two; an odd count gives its first half one tick more. */
        uint32_t even = c->count & ~1u, half = (c->count + 1) / 2, at = d % c->count;
        v = at < half ? even - MIN(2 * at, even ? even - 2 : 0) : even - 2 * (at - half);
    } else if (mode_is_triggered(c) && !c->triggered) {
        v = c->count;
    } else {
        v = (c->count % modulus + modulus - d % modulus) % modulus;
    }
    v %= modulus;
    if (c->bcd) {
        v = v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
    }
    return v;
}

/* Ticks from the start to the next rising edge of the output after d; -1 = never. */
static int64_t pit_next_edge(const PitCounter *c, int64_t d)
{
    if (!c->count || c->stopped >= 0 || (mode_is_triggered(c) && !c->triggered)) {
        return -1;
    }
    if (mode_is_periodic(c)) {
        return (d / c->count + 1) * c->count;
    }
    int64_t edge = c->count + (c->mode >= 4);
    return d < edge ? edge : -1;
}

static void pit_set_irq(Pit *d, bool level)
{
    bool engine = chips_active(&d->dev.machine->chips, CHIP_PIT);
    irq_set(&d->irq, level && !d->s.inhibited && !engine);
}

static void pit_arm_at(Pit *d, int64_t now)
{
    PitCounter *c = &d->s.c[0];
    pit_sync(c, now);
    int64_t edge = pit_next_edge(c, pit_elapsed(c, now));
    if (edge < 0) {
        timer_del(&d->timer);
        return;
    }
    int64_t at = c->start + ticks_to_ns(edge);
    int64_t period = ticks_to_ns(c->count);
    if (mode_is_periodic(c) && period < MIN_PERIOD_NS) {
        at = MAX(at, now + MIN_PERIOD_NS);
    }
    timer_mod(&d->timer, MAX(at, now + 1));
}

static void pit_arm(Pit *d)
{
    pit_arm_at(d, pit_now(d));
}

static void pit_fire(void *opaque)
{
    Pit *d = opaque;
    pit_set_irq(d, false); /* the falling edge just before */
    pit_set_irq(d, true);
    pit_arm(d);
}

/* Line and timer after counter 0 was touched. */
static void pit_changed(Pit *d, PitCounter *c)
{
    if (c == &d->s.c[0]) {
        pit_set_irq(d, pit_output(c, pit_now(d)));
        pit_arm(d);
    }
}

static void pit_load(Pit *d, PitCounter *c, uint16_t raw)
{
    uint32_t count = raw;
    if (c->bcd) {
        count = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 +
                (raw & 15);
    }
    if (!count) {
        count = c->bcd ? 10000 : 65536;
    }
    if (mode_is_periodic(c) && count == 1) {
        count = 2; /* 1 is illegal there */
    }
    int64_t now = pit_now(d);
    pit_sync(c, now);
    if (mode_is_periodic(c) && c->count) {
        /* Takes over at the end of the period that runs: keep the phase in `start`. */
        if (c->stopped < 0) {
            c->start += ticks_to_ns(pit_elapsed(c, now) / c->count * c->count);
            c->next_count = count == c->count ? 0 : count;
            pit_changed(d, c);
            return;
        }
        c->next_count = 0;
    }
    if (mode_is_triggered(c) && c->triggered) {
        c->next_count = count; /* modes 1, 5: used by the next trigger */
        return;
    }
    c->count = count;
    c->start = now;
    if (!mode_is_triggered(c)) {
        c->stopped = c->gate ? -1 : 0;
    }
    pit_changed(d, c);
}

static void pit_latch_count(PitCounter *c, int64_t now)
{
    if (c->latched) {
        return; /* a second latch command is ignored */
    }
    pit_sync(c, now);
    c->latch = pit_counter(c, now);
    c->latched = c->rw == RW_WORD ? 2 : 1;
    c->latch_msb = c->rw == RW_MSB;
}

static void pit_latch_status(PitCounter *c, int64_t now)
{
    if (c->status_latched) {
        return;
    }
    pit_sync(c, now);
    bool null_count = !c->count || c->next_count;
    c->status = (uint8_t)(pit_output(c, now) << 7 | null_count << 6 | c->rw << 4 |
                          c->mode << 1 | c->bcd);
    c->status_latched = true;
}

static void pit_control(Pit *d, uint8_t v)
{
    int64_t now = pit_now(d);
    if (v >> 6 == 3) { /* read-back command */
        for (unsigned n = 0; n < 3; n++) {
            if (!(v & 2u << n)) {
                continue;
            }
            if (!(v & 0x20)) {
                pit_latch_count(&d->s.c[n], now);
            }
            if (!(v & 0x10)) {
                pit_latch_status(&d->s.c[n], now);
            }
        }
        return;
    }
    PitCounter *c = &d->s.c[v >> 6];
    unsigned rw = v >> 4 & 3;
    if (rw == RW_LATCH) {
        pit_latch_count(c, now);
        return;
    }
    unsigned mode = v >> 1 & 7;
    bool gate = c->gate;
    *c = (PitCounter){ .rw = rw,
                       .mode = mode > 5 ? mode - 4 : mode,
                       .bcd = v & 1,
                       .gate = gate,
                       .stopped = -1,
                       .start = now };
    pit_changed(d, c);
}

static uint8_t pit_read_counter(Pit *d, PitCounter *c)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (c->latched) {
        uint8_t v = c->latch_msb ? c->latch >> 8 : c->latch;
        c->latched--;
        c->latch_msb = 1;
        return v;
    }
    int64_t now = pit_now(d);
    pit_sync(c, now);
    uint16_t v = pit_counter(c, now);
    if (c->rw == RW_MSB) {
        return v >> 8;
    }
    if (c->rw == RW_WORD) {
        c->read_msb = !c->read_msb;
        return c->read_msb ? v : v >> 8;
    }
    return v;
}

static void pit_write_counter(Pit *d, PitCounter *c, uint8_t v)
{
    switch (c->rw) {
    case RW_LSB: pit_load(d, c, v); break;
    case RW_MSB: pit_load(d, c, v << 8); break;
    case RW_WORD:
        if (!c->write_msb) {
            c->lsb = v;
            c->write_msb = true;
            if (c->mode == 0 && c->stopped < 0 && c->count) {
                /* Mode 0: the first byte stops counting and lowers the output. */
                c->stopped = 0;
                pit_changed(d, c);
            }
        } else {
            c->write_msb = false;
            pit_load(d, c, v << 8 | c->lsb);
        }
        break;
    default: /* no control word yet */ break;
    }
}

static void pit_set_gate(Pit *d, PitCounter *c, bool gate)
{
    bool rising = gate && !c->gate;
    int64_t now = pit_now(d);
    pit_sync(c, now);
    if (gate == c->gate) {
        return;
    }
    if (mode_is_triggered(c)) {
        if (rising && c->count) {
            if (c->next_count) {
                c->count = c->next_count;
                c->next_count = 0;
            }
            c->start = now;
            c->triggered = true;
        }
    } else if (!gate) {
        c->stopped = pit_elapsed(c, now);
    } else if (mode_is_periodic(c)) {
        c->start = now; /* a rising gate reloads */
        c->stopped = -1;
    } else {
        c->start = now - (c->stopped > 0 ? ticks_to_ns(c->stopped) : 0);
        c->stopped = -1;
    }
    c->gate = gate;
    pit_changed(d, c);
}

static uint64_t pit_read(void *opaque, uint64_t addr, unsigned size)
{
    Pit *d = opaque;
    return addr == 3 ? 0xff : pit_read_counter(d, &d->s.c[addr & 3]);
}

/* Counter 2's output drives the speaker while both bits of 61H are set. Only its square
 * waves are a tone; samples by pulse width are not followed. */
static void pit_tell_speaker(Pit *d)
{
    const PitCounter *c = &d->s.c[2];
    uint32_t count = c->next_count ? c->next_count : c->count;
    bool on = d->s.speaker && c->gate && mode_is_periodic(c) && count;
    unsigned hz = on ? (PIT_HZ + count / 2) / count : 0;
    Machine *m = d->dev.machine;
    if (hz != d->told_hz) {
        d->told_hz = hz;
        if (m->speaker) {
            m->speaker(m, hz);
        }
    }
}

static void pit_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Pit *d = opaque;
    if (addr == 3) {
        pit_control(d, val);
    } else {
        pit_write_counter(d, &d->s.c[addr & 3], val);
    }
    if ((addr & 3) >= 2) {
        pit_tell_speaker(d);
    }
}

static uint64_t port61_read(void *opaque, uint64_t addr, unsigned size)
{
    Pit *d = opaque;
    PitCounter *c = &d->s.c[2];
    int64_t now = pit_now(d);
    pit_sync(c, now);
    return c->gate | d->s.speaker << 1 | (now / REFRESH_NS & 1) << 4 |
           pit_output(c, now) << 5;
}

static void port61_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Pit *d = opaque;
    d->s.speaker = val & 2;
    pit_set_gate(d, &d->s.c[2], val & 1);
    pit_tell_speaker(d);
}

static const MemoryOps pit_ops = { pit_read, pit_write, 1, 1 };
static const MemoryOps port61_ops = { port61_read, port61_write, 1, 1 };

static void pit_inhibit(void *opaque, unsigned n, bool level)
{
    Pit *d = opaque;
    if (d->s.inhibited == level) {
        return;
    }
    EngineChips *chips = &d->dev.machine->chips;
    if (chips_active(chips, CHIP_PIT)) {
        d->s.inhibited = level;
        chips->ops->inhibit_pit(d->dev.machine, level);
        return;
    }
    if (level) {
        pit_set_irq(d, false);
    }
    d->s.inhibited = level;
    if (!level) {
        pit_set_irq(d, pit_output(&d->s.c[0], pit_now(d)));
    }
}

static void pit_reset(Device *dev)
{
    Pit *d = DEVICE_AS(dev, Pit, i8254_class);
    bool inhibited = d->s.inhibited;
    d->s = (PitState){ .inhibited = inhibited };
    for (unsigned n = 0; n < 3; n++) {
        PitCounter *c = &d->s.c[n];
        c->mode = 3;
        c->rw = RW_WORD;
        c->gate = n != 2;
        c->stopped = -1;
    }
    timer_del(&d->timer);
    pit_tell_speaker(d);
}

static void pit_reset_lines(Device *dev)
{
    Pit *d = DEVICE_AS(dev, Pit, i8254_class);
    pit_set_irq(d, true);
}

/* --- hw/core/chips.h --- */

static void pit_chip_get(void *chip, void *out)
{
    Pit *d = chip;
    PitRegs *r = out;
    int64_t now = pit_now(d);
    r->due = timer_armed(&d->timer) && d->timer.deadline <= now;
    for (unsigned n = 0; n < 3; n++) {
        PitCounter *c = &d->s.c[n];
        pit_sync(c, now);
        r->c[n] = (PitCounterRegs){
            .count = c->count,
            .next_count = c->next_count,
            .latch = c->latch,
            .latched = c->latched,
            .untouched = !c->count && !c->start,
            .age = c->stopped >= 0 ? ticks_to_ns(c->stopped) : MAX(now - c->start, 0),
            .status = c->status,
            .mode = c->mode,
            .rw = c->rw,
            .lsb = c->lsb,
            .latch_msb = c->latch_msb,
            .bcd = c->bcd,
            .gate = c->gate,
            .status_latched = c->status_latched,
            .read_msb = c->read_msb,
            .write_msb = c->write_msb,
        };
    }
    r->speaker = d->s.speaker;
    r->inhibited = d->s.inhibited;
}

static void pit_chip_sleep(void *chip)
{
    Pit *d = chip;
    timer_del(&d->timer);
    irq_set(&d->irq, false);
}

static void pit_chip_set(void *chip, const void *in)
{
    Pit *d = chip;
    const PitRegs *r = in;
    int64_t now = pit_now(d);
    for (unsigned n = 0; n < 3; n++) {
        const PitCounterRegs *p = &r->c[n];
        PitCounter *c = &d->s.c[n];
        *c = (PitCounter){
            .start = p->untouched ? 0 : now - p->age,
            .stopped = -1,
            .count = p->count,
            .next_count = p->next_count,
            .latch = p->latch,
            .latched = MIN(p->latched, 2),
            .latch_msb = p->latch_msb,
            .status = p->status,
            .lsb = p->lsb,
            .mode = MIN(p->mode, 5),
            .rw = p->rw & 3,
            .bcd = p->bcd,
            .gate = p->gate,
            .status_latched = p->status_latched,
            .read_msb = p->read_msb,
            .write_msb = p->write_msb,
            .triggered = p->count && (p->mode == 1 || p->mode == 5),
        };
        if (!c->gate && !mode_is_triggered(c)) {
            c->stopped = ns_to_ticks(p->age);
        }
    }
    d->s.speaker = r->speaker;
    d->s.inhibited = r->inhibited;
    pit_arm_at(d, now);
    if (r->due) {
        timer_mod(&d->timer, now);
    }
}

static bool pit_realize(Device *dev, Error *err)
{
    Pit *d = DEVICE_AS(dev, Pit, i8254_class);
    dev->machine->chips.pit = (SoftChip){ d, pit_chip_get, pit_chip_sleep, pit_chip_set };
    device_add_timer(dev, &d->timer, pit_fire, d);
    device_add_ports(dev, &d->io, "pit", 0x40, 4, &pit_ops, d);
    device_add_ports(dev, &d->port61, "port61", 0x61, 1, &port61_ops, d);
    device_init_irq_in(dev, pit_inhibit, 1);
    pit_reset(dev);
    return true;
}

Device *i8254_create(struct Machine *m, IrqLine irq0, Error *err)
{
    Device *dev = device_create(m, &i8254_class);
    DEVICE_AS(dev, Pit, i8254_class)->irq = irq0;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static bool pit_post_load(void *owner, Error *err)
{
    Pit *d = owner;
    for (unsigned n = 0; n < 3; n++) {
        const PitCounter *c = &d->s.c[n];
        if (c->start < -INT64_MAX / 2 || c->start > INT64_MAX / 2 || c->stopped < -1 ||
            c->stopped > INT64_MAX / 4) {
            return error_set(err, "i8254: time of counter %u out of range", n);
        }
    }
    pit_arm(d);
    return true;
}

static const StateField pit_counter_fields[] = { STATE_I64(PitCounter, start),
                                                 STATE_I64(PitCounter, stopped),
                                                 STATE_U32_MAX(PitCounter, count, 65536),
                                                 STATE_U32_MAX(PitCounter, next_count,
                                                               65536),
                                                 STATE_U16(PitCounter, latch),
                                                 STATE_U8_MAX(PitCounter, latched, 2),
                                                 STATE_U8_MAX(PitCounter, latch_msb, 1),
                                                 STATE_U8(PitCounter, status),
                                                 STATE_U8(PitCounter, lsb),
                                                 STATE_U8_MAX(PitCounter, mode, 5),
                                                 STATE_U8_MAX(PitCounter, rw, 3),
                                                 STATE_BOOL(PitCounter, bcd),
                                                 STATE_BOOL(PitCounter, gate),
                                                 STATE_BOOL(PitCounter, status_latched),
                                                 STATE_BOOL(PitCounter, read_msb),
                                                 STATE_BOOL(PitCounter, write_msb),
                                                 STATE_BOOL(PitCounter, triggered),
                                                 STATE_END };
static const StateDesc pit_counter_state = { .version = 1,
                                             .size = sizeof(PitCounter),
                                             .fields = pit_counter_fields };
static const StateField pit_fields[] = { STATE_SUB_ARRAY(PitState, c, pit_counter_state),
                                         STATE_BOOL(PitState, speaker),
                                         STATE_BOOL(PitState, inhibited), STATE_END };

const DeviceClass i8254_class = {
    .name = "isa-pit",
    .desc = "8254 interval timer and port 61H",
    .size = sizeof(Pit),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(Pit, s),
               .size = sizeof(PitState),
               .fields = pit_fields,
               .post_load = pit_post_load },
    .realize = pit_realize,
    .reset = pit_reset,
    .reset_lines = pit_reset_lines,
};

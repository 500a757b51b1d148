/* SPDX-License-Identifier: MIT */
/*
 * High precision event timer, IA-PC HPET specification 1.0a: 64-bit counter at 100 MHz,
 * periodic and FSB delivery on every timer, 32-bit mode, legacy replacement.
 * Machine lock held in every entry point.
 */
#include "hw/timer/hpet.h"

#include "hw/core/machine.h"
#include "util/log.h"

enum { MAX_TIMERS = 32, MIN_TIMERS = 3, TICK_NS = 10, PERIOD_FS = 10000000 };
/* A timer fires at most this often, whatever the guest asks for. */
#define MIN_PERIOD_NS 20000

enum {
    REG_CAP = 0x00,
    REG_CONFIG = 0x10,
    REG_STATUS = 0x20,
    REG_COUNTER = 0xf0,
    REG_TIMERS = 0x100,
    TIMER_STRIDE = 0x20
};
enum { CFG_ENABLE = 1, CFG_LEGACY = 2 };
enum { /* 2.3.8 */
       TN_LEVEL = 1 << 1,
       TN_INT_ENABLE = 1 << 2,
       TN_PERIODIC = 1 << 3,
       TN_PERIODIC_CAP = 1 << 4,
       TN_SIZE_CAP = 1 << 5,
       TN_SET_VALUE = 1 << 6,
       TN_32BIT = 1 << 8,
       TN_ROUTE = 0x1f << 9,
       TN_FSB = 1 << 14,
       TN_FSB_CAP = 1 << 15,
};
#define TN_CAPS (TN_PERIODIC_CAP | TN_SIZE_CAP | TN_FSB_CAP)
#define TN_WRITABLE \
    (TN_LEVEL | TN_INT_ENABLE | TN_PERIODIC | TN_SET_VALUE | TN_32BIT | TN_ROUTE | TN_FSB)

typedef struct HpetTimerState {
    uint64_t config; /* low half; the capability half is constant */
    uint64_t cmp;    /* comparator; advanced in periodic mode */
    uint64_t period; /* last value written to the comparator, periodic mode */
    uint64_t fsb;    /* data | address << 32 */
    uint64_t last;   /* counter value up to which matches were looked for */
} HpetTimerState;

typedef struct HpetState {
    uint64_t config, status;
    uint64_t counter; /* value while halted, or at clock time `since` */
    int64_t since;
    HpetTimerState t[MAX_TIMERS];
    bool level[MAX_TIMERS]; /* what the timer's line shows */
} HpetState;

typedef struct Hpet Hpet;
typedef struct HpetTimer {
    Hpet *hpet;
    unsigned n;
    Timer timer;
} HpetTimer;

struct Hpet {
    Device dev;
    HpetState s;
    HpetWiring w;
    unsigned ntimers;
    HpetTimer timers[MAX_TIMERS];
    MemoryRegion mmio;
};

static bool hpet_on(const Hpet *d)
{
    return d->s.config & CFG_ENABLE;
}
static bool hpet_legacy(const Hpet *d)
{
    return d->s.config & CFG_LEGACY;
}

static uint64_t hpet_counter(const Hpet *d)
{
    if (!hpet_on(d)) {
        return d->s.counter;
    }
    int64_t ns = clock_now(d->dev.machine->clock) - d->s.since;
    return d->s.counter + (ns > 0 ? ns / TICK_NS : 0);
}

static uint64_t timer_mask(const HpetTimerState *t)
{
    return t->config & TN_32BIT ? 0xffffffff : UINT64_MAX;
}

static const IrqLine *timer_line(const Hpet *d, unsigned n)
{
    if (hpet_legacy(d) && n < 2) {
        return n ? &d->w.irq8 : &d->w.irq0;
    }
    unsigned gsi = d->s.t[n].config >> 9 & 0x1f;
    return gsi < HPET_GSIS && (HPET_ROUTE_CAP >> gsi & 1) ? &d->w.gsi[gsi] : NULL;
}

static void timer_set_line(Hpet *d, unsigned n, bool level)
{
    const IrqLine *line = timer_line(d, n);
    if (line && d->s.level[n] != level) {
        irq_set(line, level);
    }
    d->s.level[n] = line && level;
}

/* Line of a level-triggered timer follows its status bit (2.3.6). */
static void timer_update_level(Hpet *d, unsigned n)
{
    const HpetTimerState *t = &d->s.t[n];
    bool on = (d->s.status >> n & 1) && (t->config & TN_INT_ENABLE) &&
              (t->config & TN_LEVEL) && !(t->config & TN_FSB);
    timer_set_line(d, n, on);
}

static void timer_interrupt(Hpet *d, unsigned n)
{
    const HpetTimerState *t = &d->s.t[n];
    if (t->config & TN_LEVEL) {
        d->s.status |= BIT(n);
    }
    if (!(t->config & TN_INT_ENABLE)) {
        return;
    }
    if (t->config & TN_FSB) {
        if (d->w.msi) {
            d->w.msi(d->w.msi_opaque, t->fsb >> 32, t->fsb);
        }
    } else if (t->config & TN_LEVEL) {
        timer_update_level(d, n);
    } else {
        const IrqLine *line = timer_line(d, n);
        if (line) {
            irq_pulse(line);
        }
    }
}

/* Ticks from counter value `from` until the timer matches: 1..2^32 or 2^64 - 1. */
static uint64_t timer_distance(const HpetTimerState *t, uint64_t from)
{
    uint64_t mask = timer_mask(t), ticks = (t->cmp - from) & mask;
    if (ticks) {
        return ticks;
    }
    return mask == UINT64_MAX ? UINT64_MAX : mask + 1;
}

static void timer_arm(Hpet *d, unsigned n)
{
    const HpetTimerState *t = &d->s.t[n];
    Timer *host = &d->timers[n].timer;
    bool wanted = t->config & TN_INT_ENABLE;
    if (!hpet_on(d) || !wanted) {
        timer_del(host);
        return;
    }
    uint64_t ticks = timer_distance(t, t->last);
    uint64_t passed = hpet_counter(d) - t->last;
    uint64_t to_go = ticks > passed ? ticks - passed : 0;
    const int64_t limit = 3600 * NS_PER_SEC; /* then looked at again */
    int64_t ns = to_go > limit / TICK_NS ? limit : (int64_t)to_go * TICK_NS;
    int64_t now = clock_now(d->dev.machine->clock);
    if ((t->config & TN_PERIODIC) && t->period < MIN_PERIOD_NS / TICK_NS) {
        ns = MAX(ns, MIN_PERIOD_NS);
    }
    timer_mod(host, now + ns);
}

/* Looks whether the counter passed the comparator since the last look. */
static bool timer_check(Hpet *d, unsigned n)
{
    HpetTimerState *t = &d->s.t[n];
    uint64_t now = hpet_counter(d), passed = now - t->last;
    uint64_t ticks = timer_distance(t, t->last);
    t->last = now;
    if (passed < ticks) {
        return false;
    }
    uint64_t mask = timer_mask(t);
    if ((t->config & TN_PERIODIC) && (t->period & mask)) {
        /* The comparator moves on to the first value after now. */
        uint64_t period = t->period & mask, behind = (now - t->cmp) & mask;
        t->cmp = (t->cmp + (behind / period + 1) * period) & mask;
    }
    return true;
}

static void hpet_fire(void *opaque)
{
    HpetTimer *ht = opaque;
    Hpet *d = ht->hpet;
    if (timer_check(d, ht->n)) {
        timer_interrupt(d, ht->n);
    }
    timer_arm(d, ht->n);
}

/* Brings a timer that has no host timer (no interrupt) up to the present. */
static void hpet_sync(Hpet *d, unsigned n)
{
    if (hpet_on(d) && timer_check(d, n)) {
        timer_interrupt(d, n);
    }
}

/* --- registers --- */

static uint64_t hpet_caps(const Hpet *d)
{
    return (uint64_t)PERIOD_FS << 32 | 0x8086ull << 16 | BIT(15) /* legacy capable */ |
           BIT(13) /* 64-bit counter */ | (d->ntimers - 1) << 8 | 1;
}

uint32_t hpet_block_id(Device *dev)
{
    return hpet_caps(DEVICE_AS(dev, Hpet, hpet_class));
}

static uint64_t timer_reg(Hpet *d, unsigned n, unsigned reg)
{
    hpet_sync(d, n);
    const HpetTimerState *t = &d->s.t[n];
    switch (reg) {
    case 0: return (uint64_t)HPET_ROUTE_CAP << 32 | t->config | TN_CAPS;
    case 8: return t->cmp & timer_mask(t);
    case 0x10: return t->fsb;
    default: return 0;
    }
}

static uint64_t hpet_reg(Hpet *d, unsigned reg)
{
    switch (reg) {
    case REG_CAP: return hpet_caps(d);
    case REG_CONFIG: return d->s.config;
    case REG_STATUS:
        for (unsigned n = 0; n < d->ntimers; n++) {
            hpet_sync(d, n);
        }
        return d->s.status;
    case REG_COUNTER: return hpet_counter(d);
    default: break;
    }
    unsigned n = (reg - REG_TIMERS) / TIMER_STRIDE;
    if (reg >= REG_TIMERS && n < d->ntimers) {
        return timer_reg(d, n, reg % TIMER_STRIDE);
    }
    return 0;
}

static void hpet_write_config(Hpet *d, uint64_t v)
{
    bool legacy = v & CFG_LEGACY, enable = v & CFG_ENABLE;
    if (legacy != hpet_legacy(d)) {
        for (unsigned n = 0; n < 2; n++) {
            timer_set_line(d, n, false);
        }
    }
    uint64_t counter = hpet_counter(d);
    if (enable != hpet_on(d)) {
        d->s.counter = counter;
        d->s.since = clock_now(d->dev.machine->clock);
    }
    d->s.config = v & (CFG_ENABLE | CFG_LEGACY);
    irq_set(&d->w.legacy, legacy);
    for (unsigned n = 0; n < d->ntimers; n++) {
        if (enable) {
            timer_update_level(d, n);
        } else {
            timer_set_line(d, n, false);
        }
        timer_arm(d, n);
    }
}

static void hpet_write_status(Hpet *d, uint64_t v)
{
    d->s.status &= ~v;
    for (unsigned n = 0; n < d->ntimers; n++) {
        timer_update_level(d, n);
    }
}

static void hpet_write_counter(Hpet *d, uint64_t v)
{
    if (hpet_on(d)) {
        log_guest_error("hpet: counter written while it runs\n");
        d->s.since = clock_now(d->dev.machine->clock);
    }
    d->s.counter = v;
    for (unsigned n = 0; n < d->ntimers; n++) {
        d->s.t[n].last = v;
        timer_arm(d, n);
    }
}

static void timer_write_cmp(HpetTimerState *t, uint64_t v, unsigned shift, uint64_t bytes)
{
    uint64_t mask = timer_mask(t);
    if (!(t->config & TN_PERIODIC) || (t->config & TN_SET_VALUE)) {
        t->cmp = ((t->cmp & ~bytes) | (v << shift & bytes)) & mask;
    }
    if (t->config & TN_PERIODIC) {
        t->period = ((t->period & ~bytes) | (v << shift & bytes)) & mask;
    }
    t->config &= ~(uint64_t)TN_SET_VALUE; /* one access only (2.3.9.2.2) */
}

static void timer_write(Hpet *d, unsigned n, unsigned reg, uint64_t v, unsigned shift,
                        uint64_t bytes)
{
    HpetTimerState *t = &d->s.t[n];
    uint64_t now = hpet_counter(d);
    hpet_sync(d, n);
    switch (reg) {
    case 0:
        v = (t->config & ~bytes) | (v << shift & bytes);
        timer_set_line(d, n, false); /* of the old route */
        t->config = v & TN_WRITABLE;
        if (t->config & TN_32BIT) {
            t->cmp &= 0xffffffff;
            t->period &= 0xffffffff;
        }
        timer_update_level(d, n);
        break;
    case 8: timer_write_cmp(t, v, shift, bytes); break;
    case 0x10: t->fsb = (t->fsb & ~bytes) | (v << shift & bytes); return;
    default: return;
    }
    t->last = now;
    timer_arm(d, n);
}

static uint64_t hpet_read(void *opaque, uint64_t addr, unsigned size)
{
    uint64_t v = hpet_reg(opaque, addr & ~7u);
    return size == 8 ? v : (uint32_t)(v >> (addr & 4) * 8);
}

static void hpet_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Hpet *d = opaque;
    unsigned reg = addr & ~7u, shift = size == 8 ? 0 : (addr & 4) * 8;
    uint64_t bytes = size == 8 ? UINT64_MAX : 0xffffffffull << shift;
    unsigned n = (reg - REG_TIMERS) / TIMER_STRIDE;
    if (reg >= REG_TIMERS) {
        if (n < d->ntimers) {
            timer_write(d, n, reg % TIMER_STRIDE, val, shift, bytes);
        }
        return;
    }
    switch (reg) {
    case REG_CONFIG:
        if (!shift) {
            hpet_write_config(d, val);
        }
        break;
    case REG_STATUS:
        if (!shift) {
            hpet_write_status(d, val);
        }
        break;
    case REG_COUNTER:
        hpet_write_counter(d, (hpet_counter(d) & ~bytes) | (val << shift & bytes));
        break;
    default: break;
    }
}

static const MemoryOps hpet_ops = { hpet_read, hpet_write, 4, 8 };

static void hpet_reset(Device *dev)
{
    Hpet *d = DEVICE_AS(dev, Hpet, hpet_class);
    d->s = (HpetState){ 0 };
    for (unsigned n = 0; n < MAX_TIMERS; n++) {
        d->s.t[n].cmp = UINT64_MAX;
        if (n < d->ntimers) {
            timer_del(&d->timers[n].timer);
        }
    }
}

static void hpet_reset_lines(Device *dev)
{
    Hpet *d = DEVICE_AS(dev, Hpet, hpet_class);
    irq_set(&d->w.legacy, false);
    for (unsigned gsi = 0; gsi < HPET_GSIS; gsi++) {
        if (HPET_ROUTE_CAP >> gsi & 1) {
            irq_set(&d->w.gsi[gsi], false);
        }
    }
}

static bool hpet_realize(Device *dev, Error *err)
{
    Hpet *d = DEVICE_AS(dev, Hpet, hpet_class);
    d->ntimers = MIN(MAX(d->ntimers, MIN_TIMERS), MAX_TIMERS);
    for (unsigned n = 0; n < d->ntimers; n++) {
        d->timers[n].hpet = d;
        d->timers[n].n = n;
        device_add_timer(dev, &d->timers[n].timer, hpet_fire, &d->timers[n]);
    }
    device_add_io(dev, &d->mmio, "hpet", 1024, &hpet_ops, d);
    device_map(dev, &dev->machine->mem_root, &d->mmio, HPET_BASE, 1);
    hpet_reset(dev);
    return true;
}

Device *hpet_create(struct Machine *m, unsigned timers, const HpetWiring *w, Error *err)
{
    Device *dev = device_create(m, &hpet_class);
    Hpet *d = DEVICE_AS(dev, Hpet, hpet_class);
    d->w = *w;
    d->ntimers = timers;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static bool hpet_post_load(void *owner, Error *err)
{
    Hpet *d = owner;
    if (d->s.since < 0 || d->s.since > INT64_MAX / 2) {
        return error_set(err, "hpet: time out of range");
    }
    for (unsigned n = 0; n < d->ntimers; n++) {
        d->s.t[n].config &= TN_WRITABLE;
        timer_arm(d, n);
        const IrqLine *line = timer_line(d, n);
        if (line && d->s.level[n]) {
            irq_set(line, true);
        }
    }
    return true;
}

static const StateField hpet_timer_fields[] = {
    STATE_U64(HpetTimerState, config), STATE_U64(HpetTimerState, cmp),
    STATE_U64(HpetTimerState, period), STATE_U64(HpetTimerState, fsb),
    STATE_U64(HpetTimerState, last),   STATE_END
};
static const StateDesc hpet_timer_state = { .version = 1,
                                            .size = sizeof(HpetTimerState),
                                            .fields = hpet_timer_fields };
static const StateField hpet_fields[] = { STATE_U64(HpetState, config),
                                          STATE_U64(HpetState, status),
                                          STATE_U64(HpetState, counter),
                                          STATE_I64(HpetState, since),
                                          STATE_SUB_ARRAY(HpetState, t, hpet_timer_state),
                                          STATE_ARRAY(HpetState, level, SK_BOOL, bool),
                                          STATE_END };

const DeviceClass hpet_class = {
    .name = "hpet",
    .desc = "high precision event timer",
    .size = sizeof(Hpet),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(Hpet, s),
               .size = sizeof(HpetState),
               .fields = hpet_fields,
               .post_load = hpet_post_load },
    .realize = hpet_realize,
    .reset = hpet_reset,
    .reset_lines = hpet_reset_lines,
};

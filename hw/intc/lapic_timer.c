/* SPDX-License-Identifier: MIT */
/*
 * The local APIC's timer: one-shot, periodic, TSC-deadline. SDM vol. 3, 11.5.4. The input
 * clock is 1 GHz, so that a tick at divide-by-1 is a nanosecond of virtual time.
 * Machine lock and bus lock held, except where apic.h and lapic.h say otherwise.
 */
#include "hw/core/nondet.h"
#include "hw/intc/lapic.h"

/* A periodic timer fires at most this often, whatever the guest asks for. */
#define MIN_PERIOD_NS 20000

/* timer_start of a count that came to 0 before its mode was made periodic: it stays there
 * until the initial count is written again. */
#define TIMER_ENDED INT64_MIN

enum TimerMode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE, TIMER_RESERVED };

static enum TimerMode timer_mode(const Lapic *l)
{
    return l->s.lvt[LVT_TIMER] >> 17 & 3;
}

/* Divide configuration register: bits 3, 1, 0; 111b = 1, else 2^(n+1). */
static unsigned timer_shift(const Lapic *l)
{
    unsigned n = (l->s.divide & 3) | (l->s.divide >> 1 & 4);
    return (n + 1) & 7;
}

static int64_t timer_period(const Lapic *l)
{
    return (int64_t)((uint64_t)l->s.init_count << timer_shift(l));
}

static uint64_t timer_guest_tsc(const Lapic *l)
{
    return nondet_host_tsc() + (l->tsc_offset ? *l->tsc_offset : 0);
}

uint32_t lapic_timer_count(const Lapic *l)
{
    if (!l->s.init_count || timer_mode(l) >= TIMER_DEADLINE ||
        l->s.timer_start == TIMER_ENDED) {
        return 0;
    }
    int64_t passed = clock_now(l->bus->machine->clock) - l->s.timer_start;
    uint64_t ticks = passed < 0 ? 0 : (uint64_t)passed >> timer_shift(l);
    if (timer_mode(l) == TIMER_PERIODIC) {
        return l->s.init_count - ticks % l->s.init_count;
    }
    return ticks < l->s.init_count ? l->s.init_count - ticks : 0;
}

static void timer_interrupt(Lapic *l)
{
    uint32_t lvt = l->s.lvt[LVT_TIMER];
    if (!(lvt & LVT_MASKED)) {
        lapic_accept(l, lvt, false);
    }
}

static void timer_arm_deadline(Lapic *l)
{
    if (!l->s.deadline) {
        timer_del(&l->timer);
        return;
    }
    uint64_t tsc = timer_guest_tsc(l);
    if (l->s.deadline <= tsc) { /* 11.5.4.1: a deadline in the past fires at once */
        l->s.deadline = 0;
        timer_del(&l->timer);
        timer_interrupt(l);
        return;
    }
    const int64_t limit = 3600 * NS_PER_SEC; /* armed again when it comes */
    unsigned __int128 ns =
        (unsigned __int128)(l->s.deadline - tsc) * NS_PER_SEC / nondet_tsc_hz() + 1;
    int64_t wait = ns > (unsigned __int128)limit ? limit : (int64_t)ns;
    timer_mod(&l->timer, clock_now(l->bus->machine->clock) + wait);
}

/* Puts the host timer where the registers say. */
void lapic_timer_arm(Lapic *l)
{
    if (timer_mode(l) == TIMER_DEADLINE) {
        timer_arm_deadline(l);
        return;
    }
    int64_t period = timer_period(l);
    if (!period || (l->s.lvt[LVT_TIMER] & LVT_MASKED) ||
        timer_mode(l) == TIMER_RESERVED || l->s.timer_start == TIMER_ENDED) {
        timer_del(&l->timer);
        return;
    }
    int64_t now = clock_now(l->bus->machine->clock), next = l->s.timer_start + period;
    if (timer_mode(l) == TIMER_PERIODIC) {
        if (next <= now) {
            next += (now - next) / period * period + period;
        }
        next = MAX(next, now + MIN(MIN_PERIOD_NS, period));
    } else if (next <= now) {
        timer_del(&l->timer); /* it ran out while masked */
        return;
    }
    timer_mod(&l->timer, next);
}

static void timer_set_count(Lapic *l, uint32_t count)
{
    uint32_t passed = l->s.init_count - MIN(count, l->s.init_count);
    l->s.timer_start = !count && l->s.init_count
                           ? TIMER_ENDED
                           : clock_now(l->bus->machine->clock) -
                                 (int64_t)((uint64_t)passed << timer_shift(l));
}

void lapic_timer_set_count(Lapic *l, uint32_t count)
{
    timer_set_count(l, count);
    lapic_timer_arm(l);
    if (count && timer_mode(l) == TIMER_ONE_SHOT && !(l->s.lvt[LVT_TIMER] & LVT_MASKED) &&
        !timer_armed(&l->timer)) {
        timer_mod(&l->timer, clock_now(l->bus->machine->clock)); /* it ended meanwhile */
    }
}

void lapic_timer_set_divide(Lapic *l, uint32_t divide)
{
    uint32_t count = lapic_timer_count(l);
    l->s.divide = divide;
    if (l->s.init_count) {
        timer_set_count(l, count);
    }
    lapic_timer_arm(l);
}

static void timer_fire_periodic(Lapic *l)
{
    int64_t period = timer_period(l), now = clock_now(l->bus->machine->clock);
    timer_interrupt(l);
    int64_t next = l->s.timer_start + period;
    if (next <= now) {
        next += (now - next) / period * period + period;
    }
    timer_mod(&l->timer, MAX(next, now + MIN_PERIOD_NS));
}

void lapic_timer_fire(void *opaque)
{
    Lapic *l = opaque;
    lapic_lock(l);
    switch (timer_mode(l)) {
    case TIMER_ONE_SHOT: timer_interrupt(l); break;
    case TIMER_PERIODIC:
        if (timer_period(l)) {
            timer_fire_periodic(l);
        }
        break;
    case TIMER_DEADLINE:
        timer_arm_deadline(l); /* fires if the guest's TSC is there */
        break;
    default: break;
    }
    lapic_unlock(l);
}

void lapic_timer_start(Lapic *l, uint32_t init_count)
{
    if (timer_mode(l) == TIMER_DEADLINE) {
        return; /* 11.5.4.1: the write is ignored */
    }
    l->s.init_count = init_count;
    l->s.timer_start = clock_now(l->bus->machine->clock);
    lapic_timer_arm(l);
}

void lapic_timer_set_lvt(Lapic *l, uint32_t lvt)
{
    if (!l->has_deadline && (lvt >> 17 & 3) >= TIMER_DEADLINE) {
        lvt &= ~0x40000u;
    }
    uint32_t changed = l->s.lvt[LVT_TIMER] ^ lvt, count = lapic_timer_count(l);
    l->s.lvt[LVT_TIMER] = lvt;
    if ((changed & 0x60000) == 0x20000 && l->s.init_count) {
        timer_set_count(l, count); /* one-shot and periodic go on from where it is */
    }
    if (changed & 0x40000) { /* to or from TSC-deadline: disarmed */
        l->s.init_count = 0;
        l->s.deadline = 0;
    }
    if (changed & (0x60000 | LVT_MASKED)) {
        lapic_timer_arm(l);
    }
}

void lapic_deadline_write(Lapic *l, uint64_t tsc)
{
    if (timer_mode(l) != TIMER_DEADLINE) {
        return;
    }
    l->s.deadline = tsc;
    timer_arm_deadline(l);
}

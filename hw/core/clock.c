/* SPDX-License-Identifier: MIT */
/*
 * Virtual time and its timers. Reading the clock takes no lock: a running clock is host
 * time minus `offset`, a stopped one is `frozen`. Start and stop happen with all vCPUs
 * parked, so nobody sees the switch between the two.
 */
#include "hw/core/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "hw/core/core_int.h"
#include "hw/core/nondet.h"
#include "util/alloc.h"

/* Timers that re-arm in the past must not hold the loop: the rest waits for its next
 * turn. */
enum { MAX_PER_TURN = 256 };

struct Clock {
    atomic_bool running;
    _Atomic int64_t offset; /* host ns at virtual 0, running */
    _Atomic int64_t frozen; /* virtual ns, stopped */
    Timer *timers;          /* by deadline; machine lock */
    void (*notify)(void *opaque);
    void *notify_opaque;
};

Clock *clock_create(void)
{
    return NEW(Clock);
}

void clock_destroy(Clock *c)
{
    free(c);
}

int64_t clock_now(const Clock *c)
{
    int64_t ns = c->running ? nondet_host_ns() - c->offset : c->frozen;
    nondet_pass(&ns, sizeof(ns));
    return ns;
}

static void notify(Clock *c)
{
    if (c->notify) {
        c->notify(c->notify_opaque);
    }
}

void clock_start(Clock *c)
{
    if (!c->running) {
        c->offset = nondet_host_ns() - c->frozen;
        c->running = true;
        notify(c);
    }
}

void clock_stop(Clock *c)
{
    if (c->running) {
        c->frozen = clock_now(c);
        c->running = false;
    }
}

void clock_set(Clock *c, int64_t ns)
{
    c->frozen = ns;
}

void timer_init(Timer *t, Clock *c, void (*fn)(void *), void *opaque)
{
    *t = (Timer){ .clock = c, .fn = fn, .opaque = opaque, .deadline = -1 };
}

void timer_bind(Timer *t, struct Cpu *cpu)
{
    t->cpu = cpu;
    cpu->timer = t;
}

void timer_del(Timer *t)
{
    if (t->deadline < 0) {
        return;
    }
    if (t->own) { /* the host timer may still come: timer_run_own sees that it is not due */
        t->own = false;
        t->deadline = -1;
        return;
    }
    for (Timer **pp = &t->clock->timers; *pp; pp = &(*pp)->next) {
        if (*pp == t) {
            *pp = t->next;
            break;
        }
    }
    t->deadline = -1;
}

void timer_mod(Timer *t, int64_t deadline)
{
    Clock *c = t->clock;
    timer_del(t);
    t->deadline = deadline < 0 ? 0 : deadline;
    if (t->cpu && c->running && cpu_timer_set(t->cpu, t->deadline + c->offset)) {
        t->own = true;
        return;
    }
    Timer **pp = &c->timers;
    while (*pp && (*pp)->deadline <= t->deadline) {
        pp = &(*pp)->next;
    }
    t->next = *pp;
    *pp = t;
    if (c->timers == t && c->running) {
        notify(c);
    }
}

void timer_run_own(Timer *t)
{
    if (!t->own || !t->clock->running) {
        return;
    }
    int64_t deadline = t->deadline;
    t->own = false;
    t->deadline = -1;
    if (deadline <= clock_now(t->clock)) {
        t->fn(t->opaque);
    } else {
        timer_mod(t, deadline);
    }
}

int64_t clock_next_deadline(const Clock *c)
{
    return c->running && c->timers ? c->timers->deadline : -1;
}

void clock_run_timers(Clock *c)
{
    if (!c->running) {
        return;
    }
    int64_t now = clock_now(c);
    for (int i = 0; i < MAX_PER_TURN; i++) {
        Timer *t = c->timers;
        if (!t || t->deadline > now) {
            return;
        }
        c->timers = t->next;
        t->deadline = -1;
        t->fn(t->opaque);
    }
}

void clock_set_notify(Clock *c, void (*fn)(void *), void *opaque)
{
    c->notify = fn;
    c->notify_opaque = opaque;
}

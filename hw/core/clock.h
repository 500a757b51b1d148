/* SPDX-License-Identifier: MIT */
/*
 * Clocks and timers. Virtual time counts nanoseconds while the machine runs and stops
 * when it is paused; it is saved. Timers fire with the machine lock held, on the main
 * loop's thread or (timer_bind) a vCPU's.
 */
#ifndef HW_CORE_CLOCK_H
#define HW_CORE_CLOCK_H

#include "util/compiler.h"

#define NS_PER_SEC 1000000000ll

typedef struct Clock Clock;
typedef struct Timer Timer;

Clock *clock_create(void);           /* stopped at 0 */
void clock_destroy(Clock *c);
int64_t clock_now(const Clock *c);   /* ns; any thread, no lock */
void clock_start(Clock *c);
void clock_stop(Clock *c);
void clock_set(Clock *c, int64_t ns);  /* only while stopped (load) */

struct Timer {
    Clock *clock;
    void (*fn)(void *opaque);
    void *opaque;
    int64_t deadline;     /* ns of the clock; -1 = not armed */
    Timer *next;          /* the clock's list, by deadline */
    struct Cpu *cpu;      /* bound to it, or NULL */
    bool own;             /* armed on the vCPU's host timer, not in the list */
};

void timer_init(Timer *t, Clock *c, void (*fn)(void *), void *opaque);
/* From now on it may fire on this vCPU's thread, machine lock held too: what comes and goes
 * with the guest's ticks needs no other thread. One timer for each vCPU; not armed. */
void timer_bind(Timer *t, struct Cpu *cpu);
/* Arms for an absolute time (past = as soon as possible). Machine lock. */
void timer_mod(Timer *t, int64_t deadline);
void timer_del(Timer *t);
static inline bool timer_armed(const Timer *t) { return t->deadline >= 0; }

/* Main loop's side: earliest deadline or -1; fires what is due. Machine lock. */
int64_t clock_next_deadline(const Clock *c);
void clock_run_timers(Clock *c);
/* Called (any thread, lock held) when an earlier deadline appears: wakes the loop. */
void clock_set_notify(Clock *c, void (*fn)(void *), void *opaque);

#endif

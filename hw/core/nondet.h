/* SPDX-License-Identifier: MIT */
/*
 * The one door through which everything not deterministic enters a machine: host time,
 * random numbers, keys and pointer, characters, network packets. Nothing else in hw/ may
 * read a host clock or the host's random source (tests/style/check_nondet). Record and
 * replay will hook here and nowhere else.
 */
#ifndef HW_CORE_NONDET_H
#define HW_CORE_NONDET_H

#include "util/compiler.h"

/* At the program's start: a measurement of the TSC's frequency that may be needed later
 * runs from here, so that nobody waits for it. Optional. */
void nondet_begin(void);
int64_t nondet_host_ns(void);       /* monotonic host time */
int64_t nondet_wall_ns(void);       /* wall clock, ns since 1970 UTC */
void nondet_random(void *to, size_t n);
uint64_t nondet_host_tsc(void);     /* host time-stamp counter (or ns where none) */
uint64_t nondet_tsc_hz(void);       /* its frequency, measured or read once */

/* From now on all clocks here and the TSC run n times slower than the host's: for an engine
 * that is so slow that a guest would do nothing but serve its timer. Once, before a machine
 * runs. Whoever sleeps for a time of these clocks multiplies it by nondet_slowness. */
void nondet_slow_down(unsigned n);
extern unsigned nondet_slowness; /* 1: as the host's */

/* Twin runs: on this thread what a CPU learns of time and chance (TSC, wall clock, random
 * bytes, virtual time) passes through here and may be replaced. NULL: as it is. */
typedef void NondetTap(void *value, size_t n);
extern _Thread_local NondetTap *nondet_tap;
static inline void nondet_pass(void *value, size_t n)
{
    if (unlikely(nondet_tap)) {
        nondet_tap(value, n);
    }
}

/* A host event that reaches a device: fn runs on the main loop's thread with the machine
 * lock held. `kind` names the source ("key", "net", "char", "block"). */
void nondet_inject(const char *kind, void (*fn)(void *dev, const void *data, size_t n),
                   void *dev, const void *data, size_t n);

#endif

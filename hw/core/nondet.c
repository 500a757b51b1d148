/* SPDX-License-Identifier: MIT */
/* The host's clocks and randomness; see nondet.h. No lock. */
#include "hw/core/nondet.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <x86intrin.h>
#endif

_Thread_local NondetTap *nondet_tap;

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

unsigned nondet_slowness = 1;
static int64_t slow_ns, slow_wall; /* when slowing down began */
static uint64_t slow_tsc;

static int64_t slowed(int64_t v, int64_t begin)
{
    return likely(nondet_slowness == 1) ? v : begin + (v - begin) / (int64_t)nondet_slowness;
}

int64_t nondet_host_ns(void)
{
    return slowed(read_clock(CLOCK_MONOTONIC), slow_ns);
}

int64_t nondet_wall_ns(void)
{
    int64_t ns = slowed(read_clock(CLOCK_REALTIME), slow_wall);
    nondet_pass(&ns, sizeof(ns));
    return ns;
}

void nondet_slow_down(unsigned n)
{
    nondet_tsc_hz(); /* measured at full speed */
    slow_ns = read_clock(CLOCK_MONOTONIC);
    slow_wall = read_clock(CLOCK_REALTIME);
    slow_tsc = nondet_host_tsc();
    nondet_slowness = n;
}

void nondet_random(void *to, size_t n)
{
    uint8_t *p = to;
    size_t all = n;
    while (n) {
        ssize_t got = getrandom(p, MIN(n, 256), 0);
        if (got <= 0) {
            perror("dyad: getrandom");
            abort();
        }
        p += got;
        n -= (size_t)got;
    }
    nondet_pass(to, all);
}

#ifdef __x86_64__

uint64_t nondet_host_tsc(void)
{
    uint64_t tsc = (uint64_t)slowed((int64_t)__rdtsc(), (int64_t)slow_tsc);
    nondet_pass(&tsc, sizeof(tsc));
    return tsc;
}

/* What the CPU says: SDM vol. 2, CPUID leaf 15H (crystal ratio); a hypervisor's timing
 * leaf 40000010H gives kHz. 0 if it says nothing. */
static uint64_t tsc_hz_cpuid(void)
{
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    if (c & (1u << 31)) {
        __cpuid(0x40000000, a, b, c, d);
        if (a >= 0x40000010 && a < 0x40010000) {
            __cpuid(0x40000010, a, b, c, d);
            return a * 1000ull;
        }
        return 0; /* under a hypervisor leaf 15H may be the host's */
    }
    if (__get_cpuid_max(0, NULL) >= 0x15) {
        __cpuid(0x15, a, b, c, d);
        if (a && b && c) {
            return (uint64_t)c * b / a;
        }
    }
    return 0;
}

/* The pair (tsc, ns) read closest together out of several tries. */
static void sample(uint64_t *tsc, int64_t *ns)
{
    uint64_t best = ~0ull;
    for (int i = 0; i < 8; i++) {
        uint64_t t0 = __rdtsc();
        int64_t n = nondet_host_ns();
        uint64_t t1 = __rdtsc();
        if (t1 - t0 < best) {
            best = t1 - t0;
            *tsc = t0 + (t1 - t0) / 2;
            *ns = n;
        }
    }
}

/* A pair is right to about 20 ns: 4 ms between two give the frequency to 10 ppm. */
#define MEASURE_NS 4000000
static uint64_t begin_tsc;
static int64_t begin_ns; /* 0: nondet_begin was not called */

void nondet_begin(void)
{
    sample(&begin_tsc, &begin_ns);
}

static uint64_t tsc_hz_measured(void)
{
    uint64_t t1 = 0;
    int64_t n1 = 0;
    if (!begin_ns) {
        nondet_begin();
    }
    int64_t left = MEASURE_NS - (nondet_host_ns() - begin_ns);
    if (left > 0) {
        struct timespec pause = { 0, left };
        nanosleep(&pause, NULL);
    }
    sample(&t1, &n1);
    return (uint64_t)((double)(t1 - begin_tsc) * 1e9 / (double)(n1 - begin_ns));
}

static uint64_t tsc_hz;

static void find_tsc_hz(void)
{
    tsc_hz = tsc_hz_cpuid();
    if (!tsc_hz) {
        tsc_hz = tsc_hz_measured();
    }
}

uint64_t nondet_tsc_hz(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_tsc_hz);
    return tsc_hz;
}

#else

void nondet_begin(void)
{
}

uint64_t nondet_host_tsc(void)
{
    return (uint64_t)nondet_host_ns();
}

uint64_t nondet_tsc_hz(void)
{
    return 1000000000;
}

#endif

/* Sources run on the main loop's thread under the machine lock already. */
void nondet_inject(const char *kind, void (*fn)(void *dev, const void *data, size_t n),
                   void *dev, const void *data, size_t n)
{
    fn(dev, data, n);
}

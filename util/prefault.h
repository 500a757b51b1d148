/* SPDX-License-Identifier: MIT */
/*
 * Memory gets its pages before it is needed: a thread of its own touches each (`lock orb $0`,
 * so it holds what it held) while there is a host CPU that no vCPU needs. A first touch costs
 * 2.5 us: a boot spent 90 ms of 720 on them.
 *
 * What is asked for is a wish. It does not change what memory holds, and may come too late
 * or not at all. Jobs are the other thing that the thread does, and it does them all.
 */
#ifndef UTIL_PREFAULT_H
#define UTIL_PREFAULT_H

#include <stdatomic.h>
#include "util/compiler.h"

enum { PREFAULT_SLOTS = 64, PREFAULT_PAGE = 4096, PREFAULT_CLAIM = 1024,
       PREFAULT_PIECE = 16 * PREFAULT_PAGE, PREFAULT_JOBS = 8 };
enum { PREFAULT_FREE, PREFAULT_CLAIMED, PREFAULT_READY };

typedef void PrefaultFn(void *p, size_t n, uint64_t arg);
typedef struct PrefaultJob {
    _Atomic uint32_t state; /* PREFAULT_FREE, _CLAIMED (being written), _READY */
    PrefaultFn *fn;
    void *p;
    size_t n;
    uint64_t arg;
} PrefaultJob;

typedef struct PrefaultQueue {
    _Atomic uint64_t slot[PREFAULT_SLOTS]; /* address | how | pages, or 0 */
    _Atomic uint32_t head;                 /* wishes so far */
    _Atomic uint32_t asleep;               /* a futex: 1 while the thread waits for a wish */
    _Atomic bool on, hush;
    PrefaultJob job[PREFAULT_JOBS];
} PrefaultQueue;

extern PrefaultQueue prefault_queue;

/* Starts the thread if this process may use more host CPUs than `busy`. Each start that
 * returned true wants a stop. claim (of the first start): is this piece of memory the thread's to
 * touch? The main thread. */
typedef bool PrefaultClaim(void *opaque, const void *piece);
bool prefault_start(unsigned busy, PrefaultClaim *claim, void *opaque);
void prefault_stop(void);

/* Is anybody there to ask? */
static inline bool prefault_on(void)
{
    return atomic_load_explicit(&prefault_queue.on, memory_order_relaxed);
}

/* Who changes mappings calls this: each change must tell the CPU of a thread that has just run, which
 * takes 5 us. So it sleeps until the next wish. Any thread; leaf code may. */
static inline void prefault_hush(void)
{
    if (!atomic_load_explicit(&prefault_queue.hush, memory_order_relaxed)) {
        atomic_store_explicit(&prefault_queue.hush, true, memory_order_relaxed);
    }
}

static inline void prefault_wake(void)
{
#if defined(__x86_64__) && defined(__linux__)
    PrefaultQueue *q = &prefault_queue;

    if (atomic_load(&q->asleep)) {
        enum { SYS_FUTEX = 202, WAKE_PRIVATE = 1 | 128 };
        uint64_t ret = SYS_FUTEX;
        atomic_store(&q->asleep, 0);
        __asm__ volatile("syscall"
                         : "+a"(ret)
                         : "D"(&q->asleep), "S"((long)WAKE_PRIVATE), "d"(1L)
                         : "rcx", "r11", "memory");
    }
#endif
}

/* The pages of [p, p + n), page-aligned, less than 4 MiB, will be written to soon: that memory
 * stays until prefault_stop. With PREFAULT_CLAIM they are pieces, of which the thread asks whether
 * somebody else takes care of them meanwhile. Any thread; leaf code may (no libc). */
static inline void prefault_ask(const void *p, size_t n, unsigned how)
{
    PrefaultQueue *q = &prefault_queue;
    uint32_t at = atomic_fetch_add(&q->head, 1);

    atomic_store(&q->slot[at % PREFAULT_SLOTS], (uint64_t)(uintptr_t)p | how | n / PREFAULT_PAGE);
    prefault_wake();
}

/* fn(p, n, arg) will be called by the thread, before prefault_stop ends; false: there is none, or it
 * has too much to do. Any thread but one that stops it meanwhile; leaf code may. */
static inline bool prefault_do(PrefaultFn *fn, void *p, size_t n, uint64_t arg)
{
    for (unsigned i = 0; i < PREFAULT_JOBS && prefault_on(); i++) {
        PrefaultJob *j = &prefault_queue.job[i];
        uint32_t was = PREFAULT_FREE;
        if (atomic_compare_exchange_strong(&j->state, &was, PREFAULT_CLAIMED)) {
            j->fn = fn;
            j->p = p;
            j->n = n;
            j->arg = arg;
            atomic_store(&j->state, PREFAULT_READY);
            prefault_wake();
            return true;
        }
    }
    return false;
}

#endif

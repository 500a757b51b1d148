/* SPDX-License-Identifier: MIT */
/* The thread of prefault.h. It looks for wishes now and then as long as there are some (to wake it
 * costs a vCPU 10 us), and sleeps else. */
#define _GNU_SOURCE
#include "util/prefault.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

PrefaultQueue prefault_queue;

#if defined(__x86_64__) && defined(__linux__)
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LOOK_US = 50, LOOKS = 40,   /* between two looks; without a wish until it sleeps */
};

static pthread_t thread;
static unsigned users;
static PrefaultClaim *claim;
static void *claim_opaque;
static uint32_t tail; /* wishes served or given up; the thread's */

/* A touch takes the lock of one mapping (Linux 6.4); for MADV_POPULATE_WRITE and that of the address
 * space vCPUs that map windows would wait, and be woken. */
static void touch(char *p, char *end)
{
    /* from the far end: who comes up from the near one is met once, not at each page, where
     * one would wait for the other to get it (20 us) */
    while (end > p) {
        end -= PREFAULT_PAGE;
        __asm__ volatile("lock orb $0, %0" : "+m"(*end));
    }
}

static void serve(uint64_t wish)
{
    char *p = (char *)(uintptr_t)(wish & ~(uint64_t)(PREFAULT_PAGE - 1));
    char *end = p + (wish & (PREFAULT_CLAIM - 1)) * PREFAULT_PAGE;

    if (wish & PREFAULT_CLAIM) {
        while (end > p) { /* from the far end, too */
            end -= PREFAULT_PIECE;
            if (claim(claim_opaque, end)) {
                touch(end, end + PREFAULT_PIECE);
            }
        }
    } else {
        touch(p, end);
    }
}

/* Does what is to be done; was there anything? */
static bool work(void)
{
    bool any = false;

    for (unsigned i = 0; i < PREFAULT_JOBS; i++) {
        PrefaultJob *j = &prefault_queue.job[i];
        if (atomic_load(&j->state) == PREFAULT_READY) {
            j->fn(j->p, j->n, j->arg);
            atomic_store(&j->state, PREFAULT_FREE);
            any = true;
        }
    }
    return any;
}

static void *run(void *arg)
{
    const struct timespec look = { .tv_nsec = LOOK_US * 1000 };
    PrefaultQueue *q = &prefault_queue;
    unsigned looks = 0;

    while (atomic_load(&q->on)) {
        uint32_t head = atomic_load(&q->head);
        if (work()) {
            looks = 0;
        } else if (tail != head) {
            if (head - tail > PREFAULT_SLOTS) {
                tail = head - PREFAULT_SLOTS;
            }
            serve(atomic_exchange(&q->slot[tail++ % PREFAULT_SLOTS], 0));
            looks = 0;
        } else if (!atomic_exchange(&q->hush, false) && ++looks < LOOKS) {
            nanosleep(&look, NULL);
        } else {
            atomic_store(&q->asleep, 1);
            if (!work() && atomic_load(&q->head) == tail && atomic_load(&q->on)) {
                syscall(SYS_futex, &q->asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
            }
            atomic_store(&q->asleep, 0);
            looks = 0;
        }
    }
    work();
    return NULL;
}

static bool spare_cpu(unsigned busy)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 && (unsigned)CPU_COUNT(&set) > busy;
}

bool prefault_start(unsigned busy, PrefaultClaim *c, void *opaque)
{
    sigset_t all, old;

    if (users) {
        users++;
        return true;
    }
    if (!spare_cpu(busy)) {
        return false;
    }
    claim = c;
    claim_opaque = opaque;
    tail = atomic_load(&prefault_queue.head);
    atomic_store(&prefault_queue.on, true);
    sigfillset(&all); /* signals are for other threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool good = pthread_create(&thread, NULL, run, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    atomic_store(&prefault_queue.on, good);
    users = good;
    return good;
}

void prefault_stop(void)
{
    if (--users) {
        return;
    }
    atomic_store(&prefault_queue.on, false);
    atomic_store(&prefault_queue.asleep, 0);
    syscall(SYS_futex, &prefault_queue.asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    pthread_join(thread, NULL);
}

#else

bool prefault_start(unsigned busy, PrefaultClaim *c, void *opaque) { return false; }
void prefault_stop(void) {}

#endif

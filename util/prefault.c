/* SPDX-License-Identifier: MIT */
/* The thread of prefault.h. It looks for wishes while there are some, and sleeps else. */
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
    PIECE = 16 * PREFAULT_PAGE, /* at once: others may wait for the address space's lock */
    LOOK_US = 50, LOOKS = 40,   /* between two looks; without a wish until it sleeps */
    POPULATE_READ = 22, POPULATE_WRITE = 23, /* MADV_ */
};

static pthread_t thread;
static unsigned users;
static uint32_t tail; /* wishes served or given up; the thread's */

static void serve(uint64_t wish)
{
    char *p = (char *)(uintptr_t)(wish & ~(uint64_t)(PREFAULT_PAGE - 1));
    char *end = p + (wish & (PREFAULT_READ - 1)) * PREFAULT_PAGE;

    for (; p < end; p += PIECE) {
        (void)madvise(p, MIN(PIECE, end - p),
                      wish & PREFAULT_READ ? POPULATE_READ : POPULATE_WRITE);
    }
}

static void *run(void *arg)
{
    const struct timespec look = { .tv_nsec = LOOK_US * 1000 };
    PrefaultQueue *q = &prefault_queue;
    unsigned looks = 0;

    while (atomic_load(&q->on)) {
        uint32_t head = atomic_load(&q->head);
        if (tail != head) {
            if (head - tail > PREFAULT_SLOTS) {
                tail = head - PREFAULT_SLOTS;
            }
            serve(atomic_exchange(&q->slot[tail++ % PREFAULT_SLOTS], 0));
            looks = 0;
        } else if (++looks < LOOKS) {
            nanosleep(&look, NULL);
        } else {
            atomic_store(&q->asleep, 1);
            if (atomic_load(&q->head) == tail && atomic_load(&q->on)) {
                syscall(SYS_futex, &q->asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
            }
            atomic_store(&q->asleep, 0);
            looks = 0;
        }
    }
    return NULL;
}

static bool spare_cpu(unsigned busy)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 && (unsigned)CPU_COUNT(&set) > busy;
}

bool prefault_start(unsigned busy)
{
    sigset_t all, old;

    if (users) {
        users++;
        return true;
    }
    if (!spare_cpu(busy)) {
        return false;
    }
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

bool prefault_start(unsigned busy) { return false; }
void prefault_stop(void) {}

#endif

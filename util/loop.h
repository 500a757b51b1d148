/* SPDX-License-Identifier: MIT */
/*
 * The event loop: file descriptors (poll), calls deferred from any thread, a deadline.
 * The owner's lock/unlock hooks wrap dispatching, so handlers run with the machine lock.
 */
#ifndef UTIL_LOOP_H
#define UTIL_LOOP_H

#include "util/compiler.h"

typedef struct Loop Loop;
typedef struct LoopFd LoopFd;

Loop *loop_create(void);
void loop_destroy(Loop *l);
void loop_set_lock(Loop *l, void (*lock)(void *), void (*unlock)(void *), void *opaque);

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
/* Watches fd; fn(opaque, events) on the loop's thread. Any thread. */
LoopFd *loop_add_fd(Loop *l, int fd, unsigned events, void (*fn)(void *, unsigned), void *opaque);
void loop_mod_fd(LoopFd *w, unsigned events);
void loop_del_fd(LoopFd *w);

/* Runs fn once on the loop's thread soon. Any thread, async-signal unsafe. */
void loop_call(Loop *l, void (*fn)(void *), void *opaque);
void loop_wake(Loop *l);   /* any thread, async-signal safe */

/* Pollers contribute fds and a timeout of their own (libslirp). prepare may lower
 * *timeout_ns and add fds through loop_poll_add; poll reads the results back. */
typedef struct LoopPoller {
    void (*prepare)(void *opaque, Loop *l, int64_t *timeout_ns);
    void (*dispatch)(void *opaque, Loop *l);
    void *opaque;
    struct LoopPoller *next;
} LoopPoller;
void loop_add_poller(Loop *l, LoopPoller *p);
void loop_del_poller(Loop *l, LoopPoller *p);
int loop_poll_add(Loop *l, int fd, short events);  /* index for loop_poll_revents */
short loop_poll_revents(Loop *l, int index);

/* SIGINT, SIGTERM and SIGHUP, blocked otherwise, may come while the loop waits. */
void loop_take_signals(Loop *l);

/* One turn: waits at most timeout_ns (-1 = for ever), dispatches. */
void loop_run_once(Loop *l, int64_t timeout_ns);

#endif

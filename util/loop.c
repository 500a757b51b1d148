/* SPDX-License-Identifier: MIT */
/*
 * The event loop. One thread runs it; `lock` guards the lists, which any thread may change.
 * A removed watch is only marked and freed by the loop's thread between turns, so a handler
 * may remove any watch, its own included. Waiting is ppoll, for its nanoseconds.
 */
#include "util/loop.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "util/alloc.h"

struct LoopFd {
    Loop *loop;
    int fd;
    unsigned events; /* LOOP_* */
    void (*fn)(void *, unsigned);
    void *opaque;
    bool dead;
    int slot;        /* in loop->pfd this turn, -1 = not polled */
    LoopFd *next;
};

typedef struct LoopCall {
    void (*fn)(void *);
    void *opaque;
    struct LoopCall *next;
} LoopCall;

struct Loop {
    int wake_fd;
    atomic_bool woken;       /* wake_fd was written and not read yet */
    pthread_mutex_t lock;    /* fds, calls */
    LoopFd *fds;
    LoopCall *calls, **calls_tail;
    LoopPoller *pollers;     /* owner's lock */
    void (*hook_lock)(void *), (*hook_unlock)(void *);
    void *hook_opaque;
    struct pollfd *pfd;      /* loop's thread only, from here on */
    size_t n_pfd, cap_pfd;
    bool take_signals;       /* waits with */
    sigset_t wait_mask;
};

Loop *loop_create(void)
{
    Loop *l = NEW(Loop);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0) {
        perror("dyad: eventfd");
        abort();
    }
    pthread_mutex_init(&l->lock, NULL);
    l->calls_tail = &l->calls;
    return l;
}

void loop_destroy(Loop *l)
{
    if (!l) {
        return;
    }
    while (l->fds) {
        LoopFd *w = l->fds;
        l->fds = w->next;
        free(w);
    }
    while (l->calls) {
        LoopCall *c = l->calls;
        l->calls = c->next;
        free(c);
    }
    close(l->wake_fd);
    pthread_mutex_destroy(&l->lock);
    free(l->pfd);
    free(l);
}

void loop_set_lock(Loop *l, void (*lock)(void *), void (*unlock)(void *), void *opaque)
{
    l->hook_lock = lock;
    l->hook_unlock = unlock;
    l->hook_opaque = opaque;
}

void loop_wake(Loop *l)
{
    if (!atomic_exchange(&l->woken, true)) {
        uint64_t one = 1;
        ssize_t n = write(l->wake_fd, &one, sizeof(one));
        (void)n; /* cannot fail short of 2^64 - 1 wakes */
    }
}

LoopFd *loop_add_fd(Loop *l, int fd, unsigned events, void (*fn)(void *, unsigned),
                    void *opaque)
{
    LoopFd *w = NEW(LoopFd);
    w->loop = l;
    w->fd = fd;
    w->events = events;
    w->fn = fn;
    w->opaque = opaque;
    w->slot = -1;
    pthread_mutex_lock(&l->lock);
    w->next = l->fds;
    l->fds = w;
    pthread_mutex_unlock(&l->lock);
    loop_wake(l);
    return w;
}

void loop_mod_fd(LoopFd *w, unsigned events)
{
    pthread_mutex_lock(&w->loop->lock);
    bool changed = w->events != events;
    w->events = events;
    pthread_mutex_unlock(&w->loop->lock);
    if (changed) {
        loop_wake(w->loop);
    }
}

void loop_del_fd(LoopFd *w)
{
    if (!w) {
        return;
    }
    Loop *l = w->loop;
    pthread_mutex_lock(&l->lock);
    w->dead = true; /* w may be freed from here on */
    pthread_mutex_unlock(&l->lock);
    loop_wake(l);   /* ppoll must let go of the descriptor */
}

void loop_call(Loop *l, void (*fn)(void *), void *opaque)
{
    LoopCall *c = NEW(LoopCall);
    c->fn = fn;
    c->opaque = opaque;
    pthread_mutex_lock(&l->lock);
    *l->calls_tail = c;
    l->calls_tail = &c->next;
    pthread_mutex_unlock(&l->lock);
    loop_wake(l);
}

void loop_add_poller(Loop *l, LoopPoller *p)
{
    p->next = l->pollers;
    l->pollers = p;
    loop_wake(l);
}

void loop_del_poller(Loop *l, LoopPoller *p)
{
    for (LoopPoller **pp = &l->pollers; *pp; pp = &(*pp)->next) {
        if (*pp == p) {
            *pp = p->next;
            return;
        }
    }
}

int loop_poll_add(Loop *l, int fd, short events)
{
    if (l->n_pfd == l->cap_pfd) {
        l->cap_pfd = l->cap_pfd ? l->cap_pfd * 2 : 16;
        l->pfd = xrealloc(l->pfd, l->cap_pfd * sizeof(*l->pfd));
    }
    l->pfd[l->n_pfd] = (struct pollfd){ .fd = fd, .events = events };
    return (int)l->n_pfd++;
}

short loop_poll_revents(Loop *l, int index)
{
    return index >= 0 && (size_t)index < l->n_pfd ? l->pfd[index].revents : 0;
}

static void hook(Loop *l, void (*fn)(void *))
{
    if (fn) {
        fn(l->hook_opaque);
    }
}

/* Frees dead watches and collects the living into pfd. */
static void collect_fds(Loop *l)
{
    pthread_mutex_lock(&l->lock);
    for (LoopFd **pp = &l->fds; *pp;) {
        LoopFd *w = *pp;
        if (w->dead) {
            *pp = w->next;
            free(w);
            continue;
        }
        /* A hung-up descriptor that nobody wants would wake ppoll for ever: not polled. */
        short ev = (w->events & LOOP_READ ? POLLIN : 0) |
                   (w->events & LOOP_WRITE ? POLLOUT : 0);
        w->slot = ev ? loop_poll_add(l, w->fd, ev) : -1;
        pp = &w->next;
    }
    pthread_mutex_unlock(&l->lock);
}

static void dispatch_fds(Loop *l)
{
    pthread_mutex_lock(&l->lock);
    /* New watches go to the head and have slot -1; dead ones stay linked: safe to walk
     * while handlers add and remove. */
    for (LoopFd *w = l->fds; w; w = w->next) {
        short re = w->slot >= 0 && !w->dead ? l->pfd[w->slot].revents : 0;
        unsigned ev = (re & POLLIN ? LOOP_READ : 0) | (re & POLLOUT ? LOOP_WRITE : 0);
        if (re & (POLLERR | POLLHUP | POLLNVAL)) {
            ev |= w->events;
        }
        ev &= w->events;
        if (ev) {
            pthread_mutex_unlock(&l->lock);
            w->fn(w->opaque, ev);
            pthread_mutex_lock(&l->lock);
        }
    }
    pthread_mutex_unlock(&l->lock);
}

static void dispatch_calls(Loop *l)
{
    pthread_mutex_lock(&l->lock);
    LoopCall *c = l->calls;
    l->calls = NULL; /* calls made by calls wait for the next turn */
    l->calls_tail = &l->calls;
    pthread_mutex_unlock(&l->lock);
    while (c) {
        LoopCall *next = c->next;
        c->fn(c->opaque);
        free(c);
        c = next;
    }
}

void loop_take_signals(Loop *l)
{
    pthread_sigmask(SIG_SETMASK, NULL, &l->wait_mask);
    sigdelset(&l->wait_mask, SIGINT);
    sigdelset(&l->wait_mask, SIGTERM);
    sigdelset(&l->wait_mask, SIGHUP);
    l->take_signals = true;
}

void loop_run_once(Loop *l, int64_t timeout_ns)
{
    l->n_pfd = 0;
    int wake = loop_poll_add(l, l->wake_fd, POLLIN);
    if (l->pollers) {
        hook(l, l->hook_lock);
        for (LoopPoller *p = l->pollers; p; p = p->next) {
            p->prepare(p->opaque, l, &timeout_ns);
        }
        hook(l, l->hook_unlock);
    }
    collect_fds(l);

    struct timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
    int n = ppoll(l->pfd, l->n_pfd, timeout_ns < 0 ? NULL : &ts,
                  l->take_signals ? &l->wait_mask : NULL);
    if (n <= 0) { /* on a signal or error the results are not valid */
        for (size_t i = 0; i < l->n_pfd; i++) {
            l->pfd[i].revents = 0;
        }
    }
    if (l->pfd[wake].revents) {
        uint64_t count;
        ssize_t got = read(l->wake_fd, &count, sizeof(count));
        (void)got;
        /* Cleared before the lists are looked at: a later change wakes again. */
        atomic_store(&l->woken, false);
    }
    if (n <= 0 && !l->pollers) {
        return;
    }
    hook(l, l->hook_lock);
    for (LoopPoller *p = l->pollers, *next; p; p = next) {
        next = p->next;
        p->dispatch(p->opaque, l);
    }
    dispatch_fds(l);
    dispatch_calls(l);
    hook(l, l->hook_unlock);
}

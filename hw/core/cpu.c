/* SPDX-License-Identifier: MIT */
/*
 * vCPU threads, requests, halting, queued work, exclusive sections.
 *
 * Exclusive sections. Each vCPU is OUTSIDE, INSIDE (in CpuExecOps.run) or in LOCK_WAIT
 * (inside, blocked on the machine lock). A section starts when no other vCPU is INSIDE;
 * if the one who asks does not hold the machine lock, LOCK_WAIT counts as INSIDE, since
 * such a vCPU will get the lock and go on. Nobody goes from OUTSIDE to INSIDE while a
 * section is wanted. A holder of the machine lock cannot wait for a section that waits
 * for the lock: such a section has not started and its asker is OUTSIDE.
 *
 * Lock order: machine lock, then excl_lock.
 */
#include "hw/core/cpu.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "hw/core/core_int.h"
#include "hw/core/profile.h"

typedef struct CpuWork {
    void (*fn)(Cpu *cpu, void *arg);
    void *arg;
    bool done;
    struct CpuWork *next;
} CpuWork;

_Thread_local Cpu *cpu_self; /* tests set it too */

Cpu *cpu_current(void)
{
    return cpu_self;
}

/* ---- requests and halting ---- */

void cpu_request(Cpu *cpu, uint32_t bits)
{
    atomic_fetch_or(&cpu->request, bits);
    atomic_store(&cpu->exit_request, 1);
    atomic_fetch_add(&cpu->wake_seq, 1);
    /* Pairs with cpu_wait_halted: it announces sleeping, then looks at request. */
    if (atomic_load(&cpu->sleeping)) {
        syscall(SYS_futex, &cpu->wake_seq, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    } else if (cpu != cpu_self && cpu->thread_started) {
        cpu->exec->kick(cpu);
    }
}

void cpu_clear_request(Cpu *cpu, uint32_t bits)
{
    atomic_fetch_and(&cpu->request, ~bits);
}

static void excl_enter(Cpu *cpu)
{
    Machine *m = cpu->machine;
    pthread_mutex_lock(&m->excl_lock);
    while (m->excl_pending) {
        pthread_cond_wait(&m->excl_cond, &m->excl_lock);
    }
    cpu->excl_state = CPU_INSIDE;
    pthread_mutex_unlock(&m->excl_lock);
}

static void excl_leave(Cpu *cpu)
{
    Machine *m = cpu->machine;
    pthread_mutex_lock(&m->excl_lock);
    cpu->excl_state = CPU_OUTSIDE;
    if (m->excl_pending) {
        pthread_cond_broadcast(&m->excl_cond);
    }
    pthread_mutex_unlock(&m->excl_lock);
}

void cpu_wait_halted(Cpu *cpu)
{
    cpu->halts++;
    excl_leave(cpu);
    cpu->halted = true;
    atomic_store(&cpu->sleeping, 1);
    for (;;) {
        uint32_t seq = atomic_load(&cpu->wake_seq);
        if (cpu_must_leave(cpu) || cpu->ops->has_work(cpu)) {
            break;
        }
        syscall(SYS_futex, &cpu->wake_seq, FUTEX_WAIT_PRIVATE, seq, NULL, NULL, 0);
    }
    atomic_store(&cpu->sleeping, 0);
    cpu->halted = false;
    excl_enter(cpu);
}

/* ---- exclusive sections ---- */

void cpu_lock_wait_begin(Cpu *cpu)
{
    Machine *m = cpu->machine;
    pthread_mutex_lock(&m->excl_lock);
    if (cpu->excl_state == CPU_INSIDE) {
        cpu->excl_state = CPU_LOCK_WAIT;
        if (m->excl_pending) {
            pthread_cond_broadcast(&m->excl_cond);
        }
    }
    pthread_mutex_unlock(&m->excl_lock);
}

/* The machine lock is ours now, so no section that counted us as outside is running. */
void cpu_lock_wait_end(Cpu *cpu)
{
    Machine *m = cpu->machine;
    pthread_mutex_lock(&m->excl_lock);
    if (cpu->excl_state == CPU_LOCK_WAIT) {
        cpu->excl_state = CPU_INSIDE;
    }
    pthread_mutex_unlock(&m->excl_lock);
}

static bool excl_may_start(const Machine *m, const Cpu *self, bool lock_held)
{
    if (m->excl_active) {
        return false;
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        const Cpu *c = m->cpus[i];
        if (c && c != self &&
            (c->excl_state == CPU_INSIDE || (c->excl_state == CPU_LOCK_WAIT && !lock_held))) {
            return false;
        }
    }
    return true;
}

void cpu_exclusive_begin(Machine *m, Cpu *self)
{
    bool lock_held = machine_locked(m);
    pthread_mutex_lock(&m->excl_lock);
    m->excl_pending++;
    /* Without the machine lock we are outside guest code for others who ask. */
    if (self && !lock_held) {
        self->excl_state = CPU_OUTSIDE;
        pthread_cond_broadcast(&m->excl_cond);
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->cpus[i] && m->cpus[i] != self && m->cpus[i]->excl_state != CPU_OUTSIDE) {
            cpu_request(m->cpus[i], CPU_REQ_EXCL);
        }
    }
    while (!excl_may_start(m, self, lock_held)) {
        pthread_cond_wait(&m->excl_cond, &m->excl_lock);
    }
    m->excl_active = true;
    pthread_mutex_unlock(&m->excl_lock);
}

void cpu_exclusive_end(Machine *m, Cpu *self)
{
    bool lock_held = machine_locked(m);
    pthread_mutex_lock(&m->excl_lock);
    m->excl_active = false;
    if (--m->excl_pending == 0) {
        for (unsigned i = 0; i < m->ncpus; i++) {
            if (m->cpus[i]) {
                cpu_clear_request(m->cpus[i], CPU_REQ_EXCL);
            }
        }
    }
    pthread_cond_broadcast(&m->excl_cond);
    pthread_mutex_unlock(&m->excl_lock);
    if (self && !lock_held) {
        excl_enter(self);
    }
}

/* ---- queued work ---- */

/* Machine lock held. */
static void run_work(Cpu *cpu)
{
    cpu_clear_request(cpu, CPU_REQ_WORK);
    while (cpu->work) {
        CpuWork *w = cpu->work;
        cpu->work = w->next;
        w->fn(cpu, w->arg);
        w->done = true;
    }
    pthread_cond_broadcast(&cpu->machine->pause_cond);
}

void cpu_run_on(Cpu *cpu, void (*fn)(Cpu *cpu, void *arg), void *arg)
{
    if (cpu == cpu_self || !cpu->thread_started) {
        fn(cpu, arg);
        return;
    }
    CpuWork w = { .fn = fn, .arg = arg };
    CpuWork **pp = &cpu->work;
    while (*pp) {
        pp = &(*pp)->next;
    }
    *pp = &w;
    cpu_request(cpu, CPU_REQ_WORK);
    pthread_cond_signal(&cpu->cond);
    while (!w.done) {
        pthread_cond_wait(&cpu->machine->pause_cond, &cpu->machine->lock);
    }
}

/* ---- the thread ---- */

static bool must_park(const Cpu *cpu)
{
    return cpu->machine->state != RUN_RUNNING || (cpu->request & CPU_REQ_STOP);
}

static void park(Cpu *cpu)
{
    Machine *m = cpu->machine;
    if (!cpu->synced) {
        cpu->exec->sync_from_engine(cpu);
        cpu->synced = true;
    }
    cpu->parked = true;
    pthread_cond_broadcast(&m->pause_cond);
    while (!m->quit && must_park(cpu) && !(cpu->request & CPU_REQ_WORK)) {
        pthread_cond_wait(&cpu->cond, &m->lock);
    }
}

/* Signals do not use the stack they interrupt: it may be generated code's, which is small.
 * NULL: they do again. A stack that is there already (a sanitizer's) is kept. */
static void signal_stack(void *stack, size_t size)
{
    stack_t old, s = { .ss_sp = stack, .ss_size = size, .ss_flags = stack ? 0 : SS_DISABLE };

    if (sigaltstack(NULL, &old) == 0 && (!stack || old.ss_flags & SS_DISABLE)) {
        (void)sigaltstack(&s, NULL);
    }
}

static void *cpu_thread(void *arg)
{
    Cpu *cpu = arg;
    Machine *m = cpu->machine;
    char name[16], signals[64 * 1024];
    signal_stack(signals, sizeof(signals));
    snprintf(name, sizeof(name), "cpu%d", cpu->index);
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    cpu_self = cpu;
    cpu->thread_id = gettid();
    profile_thread_begin(cpu);
    cpu_timer_begin(cpu);
    machine_lock(m);
    while (!m->quit) {
        if (cpu->request & CPU_REQ_WORK) {
            run_work(cpu);
        } else if (must_park(cpu)) {
            park(cpu);
            cpu_timer_run(cpu); /* the clock stood */
        } else {
            if (cpu->request & CPU_REQ_TIMER) {
                cpu_timer_run(cpu);
            }
            cpu->parked = false;
            if (cpu->request & CPU_REQ_RESET) {
                cpu_clear_request(cpu, CPU_REQ_RESET);
                cpu->ops->reset(cpu, false);
                cpu->synced = true;
            }
            if (cpu->synced) {
                cpu->exec->sync_to_engine(cpu);
                cpu->synced = false;
            }
            cpu_clear_request(cpu, CPU_REQ_YIELD); /* of an engine that had its turn */
            machine_unlock(m);
            excl_enter(cpu);
            cpu->exec->run(cpu);
            excl_leave(cpu);
            machine_lock(m);
        }
    }
    cpu_timer_end(cpu);
    machine_unlock(m);
    profile_thread_end(cpu);
    return NULL; /* no signal comes any more that could use `signals` */
}

bool cpu_start_thread(Cpu *cpu, Error *err)
{
    /* Signals meant for the program go to the main thread. */
    static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD,
                                SIGWINCH, SIGPIPE };
    sigset_t block, old;
    if (cpu->thread_started) {
        return true;
    }
    sigemptyset(&block);
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        sigaddset(&block, ours[i]);
    }
    pthread_cond_init(&cpu->cond, NULL);
    cpu->parked = true;
    cpu->synced = true; /* nothing ran: the architectural state is the truth */
    pthread_sigmask(SIG_BLOCK, &block, &old);
    int ret = pthread_create(&cpu->thread, NULL, cpu_thread, cpu);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ret) {
        return error_set(err, "cannot start the thread of CPU %d: %s", cpu->index,
                         strerror(ret));
    }
    cpu->thread_started = true;
    return true;
}

void cpu_triple_fault(Cpu *cpu)
{
    Machine *m = cpu->machine;
    if (cpu->exec && cpu->exec->triple_fault) {
        cpu->exec->triple_fault(cpu);
        return;
    }
    bool locked = machine_locked(m);
    if (!locked) {
        machine_lock(m);
    }
    machine_request_reset(m);
    cpu_request(cpu, CPU_REQ_STOP);
    if (!locked) {
        machine_unlock(m);
    }
}

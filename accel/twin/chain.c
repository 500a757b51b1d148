/* SPDX-License-Identifier: MIT */
/*
 * The first side as it runs outside a twin: blocks jump to blocks, user memory lies in
 * windows, and nothing but a signal stops it. A timer's signal ends the stretch at whatever
 * instruction it hits; a kick (a request came) makes the side look at its requests. The
 * vCPU's thread; the handlers run on it, too.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "accel/twin/twin_int.h"

static _Thread_local TwinSide *volatile side; /* runs chained now, on this thread */
static _Thread_local X86Cpu *volatile running;
static _Thread_local timer_t timer;
static _Thread_local bool have_timer;
static _Thread_local uint64_t until; /* the thread's CPU time, ns, at which it is enough */

static void leave_code(X86Cpu *cpu)
{
    atomic_fetch_or(&cpu->cpu.request, CPU_REQ_STOP);
    atomic_store(&cpu->cpu.exit_request, 1);
}

void twin_end_stretch(Twin *t)
{
    t->end_stretch = true;
    if (running) {
        leave_code(running);
    }
}

/* One shot after so many ns; 0: none. */
static void set_timer(uint64_t ns)
{
    struct itimerspec when = { .it_value.tv_sec = ns / 1000000000,
                               .it_value.tv_nsec = ns % 1000000000 };
    timer_settime(timer, 0, &when, NULL);
}

/* The host's timers for CPU time go by its tick, 1 to 10 ms: so the timer is one of real
 * time, and set again for what other threads took. */
static uint64_t cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

bool twin_chain_signal(const void *info)
{
    X86Cpu *cpu = running;
    if (!cpu) {
        return false;
    }
    if (((const siginfo_t *)info)->si_code == SI_TIMER) {
        uint64_t now = cpu_time();
        if (now < until) {
            set_timer(until - now);
            return false;
        }
        side->t->end_stretch = true;
    }
    leave_code(cpu);
    return true;
}

bool twin_chain_begin(TwinSide *s, X86Cpu *cpu, unsigned us)
{
    if (!have_timer) {
        struct sigevent ev;
        memset(&ev, 0, sizeof(ev));
        ev.sigev_notify = SIGEV_THREAD_ID;
        ev.sigev_signo = SIGUSR1;
        ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        if (timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0) {
            return false;
        }
        have_timer = true;
    }
    side = s;
    running = cpu;
    until = cpu_time() + us * 1000ull;
    set_timer(us * 1000ull);
    return true;
}

void twin_chain_end(void)
{
    X86Cpu *cpu = running;
    running = NULL; /* a signal that is on its way finds nothing to do */
    side = NULL;
    set_timer(0);
    atomic_store(&cpu->cpu.request, 0);
    atomic_store(&cpu->cpu.exit_request, 0);
}

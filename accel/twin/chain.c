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

bool twin_chain_signal(const void *info)
{
    X86Cpu *cpu = running;
    if (!cpu) {
        return false;
    }
    if (((const siginfo_t *)info)->si_code == SI_TIMER) {
        side->t->end_stretch = true;
    }
    leave_code(cpu);
    return true;
}

static void set_timer(unsigned us)
{
    struct itimerspec when = { .it_value.tv_sec = us / 1000000,
                               .it_value.tv_nsec = us % 1000000 * 1000l };
    timer_settime(timer, 0, &when, NULL);
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
    set_timer(MAX(us, 1u));
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

/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's own timer (its local APIC's), by a host timer whose signal goes to the vCPU's
 * thread. Over the main loop each tick of a guest cost three wake-ups of another thread:
 * the loop's, the vCPU's by a signal, and the loop's again when the guest armed the next
 * one; on a busy host with as many vCPUs as cores it also took a core from a vCPU.
 *
 * The signal only sets CPU_REQ_TIMER. The vCPU's thread leaves its engine, takes the
 * machine lock and fires what is due, so that Timer.fn finds what it finds in the loop.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "hw/core/core_int.h"
#include "hw/core/nondet.h"

static bool create(timer_t *timer, void *value)
{
    struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };

    ev.sigev_value.sival_ptr = value;
    ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    return timer_create(CLOCK_MONOTONIC, &ev, timer) == 0;
}

void cpu_timer_begin(Cpu *cpu)
{
    cpu->has_host_timer = create(&cpu->host_timer, cpu);
    cpu->has_host_alarm = create(&cpu->host_alarm, &cpu->host_alarm);
}

void cpu_timer_end(Cpu *cpu)
{
    if (cpu->has_host_timer) {
        cpu->has_host_timer = false;
        timer_delete(cpu->host_timer);
    }
    if (cpu->has_host_alarm) {
        cpu->has_host_alarm = false;
        timer_delete(cpu->host_alarm);
    }
}

bool cpu_timer_set(Cpu *cpu, int64_t host_ns)
{
    if (!cpu->has_host_timer || !cpu->exec->own_timers || nondet_slowness != 1) {
        return false;
    }
    struct itimerspec at = { .it_value = { host_ns / NS_PER_SEC, host_ns % NS_PER_SEC } };
    if (host_ns <= 0) {
        at.it_value = (struct timespec){ 0, 1 }; /* 0 would disarm it */
    }
    return timer_settime(cpu->host_timer, TIMER_ABSTIME, &at, NULL) == 0;
}

bool cpu_alarm_set(Cpu *cpu, unsigned ns)
{
    struct itimerspec at = { .it_value = { 0, ns } };

    return cpu->has_host_alarm && (!ns || cpu->exec->own_timers) &&
           timer_settime(cpu->host_alarm, 0, &at, NULL) == 0;
}

void cpu_timer_signal(Cpu *cpu, const void *value)
{
    if (value == &cpu->host_alarm) {
        atomic_fetch_or(&cpu->request, CPU_REQ_ALARM);
        atomic_store(&cpu->exit_request, 1);
        return;
    }
    if (value != cpu) {
        return;
    }
    atomic_fetch_or(&cpu->request, CPU_REQ_TIMER);
    atomic_store(&cpu->exit_request, 1);
    atomic_fetch_add(&cpu->wake_seq, 1); /* or it could go to sleep just now */
}

void cpu_timer_run(Cpu *cpu)
{
    cpu_clear_request(cpu, CPU_REQ_TIMER);
    if (cpu->timer) {
        timer_run_own(cpu->timer);
    }
}

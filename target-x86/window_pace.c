/* SPDX-License-Identifier: MIT */
/*
 * Windows pause while a program touches fresh memory page after page. A page touched for the
 * first time costs 15 us with windows (two host signals, a mapping) and 2.4 us with the soft
 * TLB, whose code takes about three times as long: with faults closer than some 6 us the soft
 * TLB is quicker. Nothing is wiped: the mappings are brought up to date when the pause ends,
 * and what was touched meanwhile is mapped in runs as it is used.
 */
#include "target-x86/window_int.h"
#include "target-x86/engine.h"
#include "target-x86/leaf.h"
#include "target-x86/softmmu.h"

/* Host TSC ticks of user time. A pause begins after BURST faults, each at most NEAR behind
 * the one before (3 us of that are the signal's), and ends when none came for AGAIN. */
enum { NEAR = 24000, BURST = 8, AGAIN = 60000 };
/* ns between looks at a program in a pause that does not enter its kernel. */
enum { LOOK = 100000 };

void window_pace(const WinSet *w, WinRoot *r, bool faulted)
{
    uint64_t since = r->user - r->fault_user;

    if (r->paused && since >= AGAIN) {
        r->paused = false;
        r->burst = 0;
    }
    if (faulted) {
        r->fault_user = r->user;
        r->burst = since < NEAR ? r->burst + 1 : 0;
        if (r->on && r->burst >= BURST && w->policy != WIN_ALWAYS && !r->paused) {
            r->paused = true;
            w->stats->pauses++;
        }
    }
}

static uint64_t set_alarm(X86Cpu *cpu, void *arg)
{
    return cpu_alarm_set(&cpu->cpu, LOOK);
}

void window_pace_watch(X86Cpu *cpu, WinSet *w)
{
    if (w->cur->on && w->cur->paused && !w->alarm) {
        w->alarm = x86_aside(cpu, set_alarm, NULL);
    }
}

void window_alarm(X86Cpu *cpu)
{
    WinSet *w = x86_env(cpu)->win;
    WinRoot *r = w ? w->cur : NULL;

    if (!r) {
        return;
    }
    w->alarm = false;
    if (w->in_user && r->paused) {
        uint64_t now = __builtin_ia32_rdtsc();
        r->user += now - w->since;
        w->since = now;
        window_pace(w, r, false);
        x86_env(cpu)->win_user = WIN_USER_ASK;
        softmmu_set_mode(cpu);
    }
}

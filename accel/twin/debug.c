/* SPDX-License-Identifier: MIT */
/*
 * A debugger on a machine that two engines run: while it has points or steps, every stretch is
 * one instruction, breakpoints are looked for between them, and the first side alone looks at
 * data. Machine lock, the vCPU's thread, or as said.
 */
#include "accel/twin/twin_int.h"

/* Paused. */
void twin_debug_changed(Machine *m)
{
    Twin *t = m->accel;
    TwinSide *a = &t->side[0];

    a->m.debug = m->debug;
    for (unsigned i = 0; i < m->ncpus; i++) {
        a->cpu[i]->cpu.debug = m->cpus[i]->debug & CPU_DEBUG_WATCH;
        x86_update_hflags(a->cpu[i]);
    }
}

bool twin_debug_before(Twin *t, unsigned i)
{
    Cpu *c = t->m->cpus[i];
    uint32_t bits = c->debug;
    enum DebugKind kind = DEBUG_NONE;

    t->side[0].cpu[i]->watch_kind = DEBUG_NONE;
    if (X86_CPU(c)->st.event.valid) { /* first to its handler */
        return false;
    }
    if (bits & CPU_DEBUG_STEPPED) {
        kind = DEBUG_STEP;
    } else if (bits & CPU_DEBUG_STEP) {
        c->debug = (bits & ~(uint32_t)CPU_DEBUG_STEP) | CPU_DEBUG_STEPPED;
    } else if (bits & CPU_DEBUG_BREAK) {
        kind = debug_break_at(&t->m->debug, x86_pc_linear(X86_CPU(c)));
    }
    if (kind == DEBUG_NONE) {
        return false;
    }
    c->debug &= ~(uint32_t)CPU_DEBUG_STEPPED;
    debug_stop(c, kind, 0);
    return true;
}

void twin_debug_after(Twin *t, unsigned i)
{
    Cpu *c = t->m->cpus[i];
    const X86Cpu *a = t->side[0].cpu[i];

    if (a->watch_kind != DEBUG_NONE) {
        c->debug &= ~(uint32_t)CPU_DEBUG_STEPPED;
        debug_stop(c, a->watch_kind, a->watch_addr);
    }
}

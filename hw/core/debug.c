/* SPDX-License-Identifier: MIT */
/* The list of a debugger's points, and stops. */
#include "hw/core/debug.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/machine.h"
#include "util/alloc.h"
#include "util/loop.h"

static void points_changed(Machine *m)
{
    MachineDebug *d = &m->debug;
    d->breaks = d->watches = 0;
    memset(d->low, 0, sizeof(d->low));
    for (unsigned i = 0; i < d->n; i++) {
        const DebugPoint *p = &d->points[i];
        if (p->kind <= DEBUG_HWBREAK) {
            d->breaks++;
            d->low[(p->addr & 4095) / 8] |= 1u << (p->addr & 7);
        } else {
            d->watches++;
        }
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        uint32_t bits = m->cpus[i]->debug &
                        ~(uint32_t)(CPU_DEBUG_BREAK | CPU_DEBUG_WATCH);
        bits |= (d->breaks ? CPU_DEBUG_BREAK : 0) | (d->watches ? CPU_DEBUG_WATCH : 0);
        m->cpus[i]->debug = bits;
    }
    if (m->exec && m->exec->debug_changed) {
        m->exec->debug_changed(m);
    }
}

static DebugPoint *find(MachineDebug *d, const DebugPoint *p)
{
    for (unsigned i = 0; i < d->n; i++) {
        const DebugPoint *q = &d->points[i];
        if (q->kind == p->kind && q->addr == p->addr && q->len == p->len) {
            return &d->points[i];
        }
    }
    return NULL;
}

bool debug_insert(Machine *m, const DebugPoint *p, Error *err)
{
    MachineDebug *d = &m->debug;
    if (!m->exec || !m->exec->debug_changed) {
        return error_set(err, "this engine knows no breakpoints");
    }
    if (find(d, p)) {
        return true;
    }
    if (m->exec->debug_accepts && !m->exec->debug_accepts(m, p, err)) {
        return false;
    }
    if (d->n >= DEBUG_MAX_POINTS) {
        return error_set(err, "more than %d breakpoints and watchpoints",
                         DEBUG_MAX_POINTS);
    }
    d->points = xrealloc(d->points, (d->n + 1) * sizeof(*d->points));
    d->points[d->n++] = *p;
    points_changed(m);
    return true;
}

bool debug_remove(Machine *m, const DebugPoint *p)
{
    MachineDebug *d = &m->debug;
    DebugPoint *q = find(d, p);
    if (!q) {
        return false;
    }
    *q = d->points[--d->n];
    points_changed(m);
    return true;
}

void debug_remove_all(Machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        m->cpus[i]->debug = 0;
        m->cpus[i]->debug_hold = false;
        m->cpus[i]->debug_stop.kind = DEBUG_NONE;
    }
    m->debug.n = 0;
    points_changed(m);
}

void debug_destroy(Machine *m)
{
    free(m->debug.points);
    m->debug.points = NULL;
    m->debug.n = 0;
}

void debug_stop(Cpu *cpu, enum DebugKind kind, uint64_t addr)
{
    Machine *m = cpu->machine;
    bool locked = machine_locked(m);
    if (!locked) {
        machine_lock(m);
    }
    cpu->debug_stop = (DebugStop){ .kind = kind, .addr = addr };
    m->debug.requested = true;
    cpu_request(cpu, CPU_REQ_STOP);
    loop_wake(m->loop);
    if (!locked) {
        machine_unlock(m);
    }
}

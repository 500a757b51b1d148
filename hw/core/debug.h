/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints, watchpoints and single steps for a debugger outside the guest (ui/gdb.c),
 * whatever the engine. The guest sees nothing of them.
 *
 * The debugger changes points while the machine is paused; the engine obeys them through
 * Cpu.debug (bits for one vCPU) and debug_break_at, debug_watch_at. A vCPU that meets one
 * calls debug_stop; the main loop then pauses the machine and calls `stopped`.
 * Machine lock everywhere but where said.
 */
#ifndef HW_CORE_DEBUG_H
#define HW_CORE_DEBUG_H

#include <stdint.h>
#include "util/compiler.h"
#include "util/error.h"

struct Machine;
struct Cpu;

/* In the order of gdb's Z packets. */
enum DebugKind {
    DEBUG_NONE,
    DEBUG_BREAK,   /* before the instruction at a linear address */
    DEBUG_HWBREAK, /* the same, told apart in reports */
    DEBUG_WRITE,   /* behind an instruction that wrote one of the bytes */
    DEBUG_READ,
    DEBUG_ACCESS,
    DEBUG_STEP, /* of a stop only: one instruction done */
};

/* Cpu.debug: written while the vCPU is parked; the engine itself changes STEP to STEPPED. */
enum {
    CPU_DEBUG_STEP = 1,    /* one instruction, without taking an interrupt, then stop */
    CPU_DEBUG_STEPPED = 2, /* it was begun: stop before the next */
    CPU_DEBUG_BREAK = 4,   /* there are breakpoints */
    CPU_DEBUG_WATCH = 8,   /* there are watchpoints */
};

enum { DEBUG_MAX_POINTS = 4096 };

typedef struct DebugPoint {
    uint64_t addr, len; /* linear; len in bytes, 1 for breakpoints */
    enum DebugKind kind;
} DebugPoint;

typedef struct DebugStop {
    enum DebugKind kind; /* DEBUG_NONE: none */
    uint64_t addr;       /* of the data, for watchpoints */
} DebugStop;

typedef struct MachineDebug {
    DebugPoint *points;
    unsigned n, breaks, watches;
    /* Bit n: a breakpoint lies at an address with these low 12 bits, in whatever page: a
     * translation may not run over such an address. Read by building vCPUs; changed while
     * all are parked. */
    uint8_t low[512];
    bool requested; /* a vCPU stopped: the main loop has not seen it yet */
    void (*stopped)(struct Machine *m, void *opaque);
    void *opaque;
} MachineDebug;

/* Adds a point; the same one twice is one. False: too many, or the engine has none. */
bool debug_insert(struct Machine *m, const DebugPoint *p, Error *err);
/* False: there is no such point. */
bool debug_remove(struct Machine *m, const DebugPoint *p);
void debug_remove_all(struct Machine *m); /* and all steps and held vCPUs */
void debug_destroy(struct Machine *m);

/* From the vCPU's thread, with or without the machine lock: it stops here. */
void debug_stop(struct Cpu *cpu, enum DebugKind kind, uint64_t addr);

/* --- for engines: any vCPU's thread, no lock, leaf --- */

/* May a translation not go over this address? Leaf. */
static inline bool debug_low_bits(const MachineDebug *d, uint64_t addr)
{
    return d->breaks && d->low[(addr & 4095) / 8] >> (addr & 7) & 1;
}

/* The kind of the breakpoint at this linear address, or DEBUG_NONE. */
static inline enum DebugKind debug_break_at(const MachineDebug *d, uint64_t addr)
{
    for (unsigned i = 0; debug_low_bits(d, addr) && i < d->n; i++) {
        if (d->points[i].kind <= DEBUG_HWBREAK && d->points[i].addr == addr) {
            return d->points[i].kind;
        }
    }
    return DEBUG_NONE;
}

/* The kind of the watchpoint that sees an access of n bytes, and where. */
static inline enum DebugKind debug_watch_at(const MachineDebug *d, uint64_t addr,
                                            unsigned n, bool write, uint64_t *at)
{
    for (unsigned i = 0; i < d->n; i++) {
        const DebugPoint *p = &d->points[i];
        if (p->kind != DEBUG_ACCESS && p->kind != (write ? DEBUG_WRITE : DEBUG_READ)) {
            continue;
        }
        if (addr - p->addr < p->len || p->addr - addr < n) {
            *at = addr - p->addr < p->len ? addr : p->addr;
            return p->kind;
        }
    }
    return DEBUG_NONE;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Tier 2: hot traces. A block of user code that is entered often enough becomes the head
 * of a trace: what runs from there is recorded, instruction by instruction, over jumps,
 * calls and returns, and becomes one block that replaces the head (docs/traces.md).
 *
 *   trace.c           when, and the recording (leaf)
 *   trace_build.c     the block (heavy)
 *   template_trace.c  its control flow
 */
#ifndef TARGET_X86_TRACE_H
#define TARGET_X86_TRACE_H

#include "target-x86/engine.h"

enum { TRACE_SEEN = 1024 };

typedef struct TraceRecord {
    uint64_t head;      /* RAM address; the offsets count from its page */
    uint32_t mode;      /* of its block */
    unsigned n;
    unsigned peeled;    /* instructions of a loop's first round, which is in it twice */
    unsigned jumps;     /* inside it */
    unsigned npages;
    int32_t end;        /* where it goes on */
    uint64_t vbase;     /* where its first page was */
    struct {
        uint64_t ram;   /* page, and */
        int32_t off;    /* where from vbase; */
        uint16_t first, last; /* bytes of it */
    } page[TB_MAX_SPANS];
    struct X86Insn *code;   /* the instructions, as they were executed */
    TbTraceInsn insn[TB_MAX_TRACE];
    uint16_t seen[TRACE_SEEN]; /* by hash of the offset: 1 + an instruction's number */
} TraceRecord;

/* The thunk of a block's counter; host address to go on at. Leaf. */
uint64_t x86_trace_hot(X86Cpu *cpu, Tb *tb);
/* Executions until a block is hot. Leaf. */
int32_t x86_trace_threshold(X86Cpu *cpu);
/* The trace's head is at vbase: is the rest where it was recorded? If a page is not mapped yet
 * (a program that starts), the trace waits, some time; else it is dropped. Leaf. */
enum { TRACE_HERE, TRACE_DROPPED, TRACE_WAITS };
unsigned x86_trace_here(X86Cpu *cpu, Tb *tb, uint64_t vbase);
/* A program at a fixed address below 2 GiB: the trace may take for sure where it is, as an
 * immediate. 0: it may lie anywhere. */
static inline uint32_t trace_fixed(const TbTrace *tr)
{
    return tr->insn[tr->page_at + tr->npages].off;
}
/* Can this instruction, being at offset off, go on at offset to? */
struct X86Insn;
bool tmpl_trace_goes(const struct X86Insn *in, int64_t off, int64_t to);
/* Makes the block of a record; heavy, no locks held. False: it never can be made. */
bool x86_trace_build(X86Cpu *cpu, const TraceRecord *r);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Segment descriptors, segment loads, stacks that are not the current one, and far
 * transfers. SDM vol. 3, chapters 3, 5 and 7. Leaf.
 *
 * Functions here raise faults and do not return then; nothing architectural has changed
 * by that time (accessed and busy bits excepted).
 */
#ifndef TARGET_X86_SEG_H
#define TARGET_X86_SEG_H

#include "target-x86/access.h"
#include "target-x86/cpu.h"

/* System descriptor types, vol. 3, table 3-2. */
enum {
    SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4, SYS_TASK = 5,
    SYS_INT16 = 6, SYS_TRAP16 = 7, SYS_TSS32 = 9, SYS_TSS32_BUSY = 11, SYS_CALL32 = 12,
    SYS_INT32 = 14, SYS_TRAP32 = 15,
};

typedef struct X86Desc {
    uint32_t lo, hi;      /* as in memory */
    uint64_t lin;         /* where it is */
} X86Desc;

static inline uint32_t x86_desc_attr(const X86Desc *d)
{
    return d->hi >> 8 & 0xf0ff;
}
static inline unsigned x86_desc_dpl(const X86Desc *d)
{
    return d->hi >> 13 & 3;
}
/* S and type: 0..15 system, 16..31 code or data. */
static inline unsigned x86_desc_type(const X86Desc *d)
{
    return d->hi >> 8 & 31;
}
static inline bool x86_desc_present(const X86Desc *d)
{
    return d->hi & 0x8000;
}
static inline bool x86_desc_is_code(const X86Desc *d)
{
    return (d->hi & 0x1800) == 0x1800;
}
static inline bool x86_desc_conforming(const X86Desc *d)
{
    return d->hi & 0x400;
}
static inline uint32_t x86_desc_base(const X86Desc *d)
{
    return d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000u);
}
static inline uint32_t x86_desc_limit(const X86Desc *d)
{
    uint32_t v = (d->lo & 0xffff) | (d->hi & 0xf0000);
    return d->hi & 0x800000 ? v << 12 | 0xfff : v;
}
/* Gates: target. */
static inline uint16_t x86_gate_selector(const X86Desc *d)
{
    return d->lo >> 16;
}
static inline uint32_t x86_gate_offset(const X86Desc *d)
{
    return (d->lo & 0xffff) | (d->hi & 0xffff0000u);
}

/* Reads the descriptor of a selector; false if it lies outside its table (null selectors
 * are the caller's to refuse). */
MUST_USE bool x86_desc_read(X86Cpu *cpu, uint16_t selector, X86Desc *d);
/* Upper 8 bytes of a 16-byte system descriptor: base or offset 63:32. False: outside the
 * table. */
MUST_USE bool x86_desc_read_high(X86Cpu *cpu, uint16_t selector, const X86Desc *d,
                                 uint32_t *high);
/* Sets the accessed bit of a code or data descriptor in memory. */
void x86_desc_touch(X86Cpu *cpu, X86Desc *d);
X86Seg x86_desc_to_seg(const X86Desc *d, uint16_t selector);

/* 8-byte system load that may cross a page. */
uint64_t x86_sys_load64(X86Cpu *cpu, uint64_t lin);

/* MOV/POP to a segment register in any mode; sets end_block and the mode word. */
void x86_load_sreg(X86Cpu *cpu, unsigned seg, uint16_t selector);
/* The hidden part that real and v86 mode give a selector. */
void x86_load_sreg_real(X86Cpu *cpu, unsigned seg, uint16_t selector);
/* A segment that cannot be used (null selector). */
X86Seg x86_null_seg(uint16_t selector);

/* CS of an outer-ring return, or a data segment that the new CPL must not keep:
 * RET and IRET to outer levels, vol. 2. */
void x86_drop_inner_segs(X86Cpu *cpu, unsigned cpl);

void x86_set_cpl(X86Cpu *cpu, unsigned cpl);
/* Writes RFLAGS bits in mask; keeps the mode word current. */
void x86_write_flags(X86Cpu *cpu, uint64_t value, uint64_t mask);
/* Blocks interrupts for the next instruction. */
void x86_set_shadow(X86Cpu *cpu, unsigned kind);

/* ---- a stack: current or to come ---- */
typedef struct X86Stack {
    X86Seg ss;
    uint64_t sp;
    uint64_t mask;       /* of rSP */
    unsigned mmu;
    bool wide;           /* 64-bit mode: no segmentation */
    uint32_t error;      /* of #SS */
} X86Stack;

X86Stack x86_stack_here(X86Cpu *cpu);
void x86_stack_push(X86Cpu *cpu, X86Stack *s, unsigned size, uint64_t v);
uint64_t x86_stack_pop(X86Cpu *cpu, X86Stack *s, unsigned size);
/* rSP := the stack's, by its width. */
void x86_stack_commit(X86Cpu *cpu, const X86Stack *s);
/* The stack of an inner ring from the TSS, checked (#TS, #SS, #NP with ext); size of its
 * words is the TSS's. Not for 64-bit mode. */
X86Stack x86_stack_inner(X86Cpu *cpu, unsigned dpl, unsigned ext);
/* 64-bit TSS: RSP0..2 by dpl, or IST 1..7. */
uint64_t x86_tss64_rsp(X86Cpu *cpu, unsigned dpl, unsigned ist, unsigned ext);

/* ---- far transfers ---- */
void x86_far_jmp(X86Cpu *cpu, const X86Insn *in, uint16_t selector, uint64_t off);
void x86_far_call(X86Cpu *cpu, const X86Insn *in, uint16_t selector, uint64_t off);
void x86_far_ret(X86Cpu *cpu, const X86Insn *in, unsigned drop);
void x86_iret(X86Cpu *cpu, const X86Insn *in);

/* ---- task switch, vol. 3, 7.3; task.c ---- */
enum X86TaskReason { X86_TASK_JMP, X86_TASK_CALL, X86_TASK_IRET, X86_TASK_GATE };
/* To the TSS named by selector; `ext` is the EXT bit of its faults. next_rip is saved as
 * the old task's EIP. has_error: pushes that word on the new task's stack. */
void x86_task_switch(X86Cpu *cpu, uint16_t selector, enum X86TaskReason why, unsigned ext,
                     bool has_error, uint32_t error);
/* Checks a task gate and switches through it. */
void x86_task_gate(X86Cpu *cpu, const X86Desc *gate, enum X86TaskReason why, unsigned ext,
                   bool has_error, uint32_t error);

/* What SYSCALL does in IA-32e mode once it is allowed: all but RIP, which is returned;
 * next: address behind the instruction. */
uint64_t x86_syscall64(X86Cpu *cpu, uint64_t next);
/* What SYSRET with REX.W does once it is allowed: all but RIP, which is RCX. */
void x86_sysret64(X86Cpu *cpu);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How reference functions reach registers and guest memory. All accesses raise the
 * architectural fault and do not return if they cannot be done. Leaf.
 *
 * `seg:off` accesses apply segmentation (64-bit mode: canonical check and FS/GS base
 * only) with the current privilege; off is truncated to the address size by the caller
 * (x86_ea does).
 */
#ifndef TARGET_X86_ACCESS_H
#define TARGET_X86_ACCESS_H

#include "target-x86/insn.h"

/* ---- general registers; size in bytes 1, 2, 4, 8. A write of 4 bytes clears the upper
 * half, of 1 or 2 keeps the rest. ---- */
static ALWAYS_INLINE uint64_t x86_reg_get(const X86Cpu *cpu, unsigned r, unsigned size)
{
    uint64_t v = cpu->st.gpr[r];
    return size == 8 ? v : size == 4 ? (uint32_t)v : size == 2 ? (uint16_t)v : (uint8_t)v;
}

static ALWAYS_INLINE void x86_reg_set(X86Cpu *cpu, unsigned r, unsigned size, uint64_t v)
{
    uint64_t *p = &cpu->st.gpr[r];
    *p = size == 8   ? v
         : size == 4 ? (uint32_t)v
         : size == 2 ? (*p & ~0xffffull) | (uint16_t)v
                     : (*p & ~0xffull) | (uint8_t)v;
}

/* Effective offset of the memory operand, truncated to the address size; RIP-relative
 * counts from the next instruction. Segment base not added. */
uint64_t x86_ea(X86Cpu *cpu, const X86Insn *in);

/* ---- general operands (GPR, GPR8H, MEM, IMM, ONE), zero-extended ---- */
uint64_t x86_opnd_read(X86Cpu *cpu, const X86Insn *in, unsigned n);
/* Write-only destination. */
void x86_opnd_write(X86Cpu *cpu, const X86Insn *in, unsigned n, uint64_t v);

/* Read-modify-write destination. begin checks for write and returns the old value; end
 * stores. With LOCK (or an implicit lock, locked = true) end is a compare-exchange and
 * returns false if another CPU changed it: then begin again. Without LOCK end always
 * returns true.
 *
 *     X86Rmw m;
 *     uint64_t a, r;
 *     do {
 *         a = x86_rmw_begin(cpu, in, 0, &m);
 *         r = a + b;
 *     } while (!x86_rmw_end(cpu, &m, r));
 *     set flags
 */
typedef struct X86Rmw {
    void *host;         /* where it is, if plain RAM within a page */
    uint64_t lin, old;
    const X86Opnd *reg; /* register destination */
    uint64_t ram_addr;  /* of a watched page (code, dirty log), else ~0 */
    uint8_t size;
    bool locked, excl;
} X86Rmw;
uint64_t x86_rmw_begin(X86Cpu *cpu, const X86Insn *in, unsigned n, X86Rmw *m);
bool x86_rmw_end(X86Cpu *cpu, X86Rmw *m, uint64_t v) MUST_USE;
/* The same for any address and for implicit locks (XCHG). */
uint64_t x86_rmw_begin_mem(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                           bool locked, X86Rmw *m);
/* CMPXCHG16B's access: atomically {if *p == old: *p = new, true; else old = *p, false}.
 * Faults as a write; #GP(0) if not 16-byte aligned. */
bool x86_cmpxchg16(X86Cpu *cpu, unsigned seg, uint64_t off, uint64_t old[2],
                   const uint64_t new_value[2], bool locked);

/* ---- memory, current privilege; size 1, 2, 4, 8 ---- */
uint64_t x86_load(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size);
void x86_store(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size, uint64_t v);
/* n <= 4096 bytes; all-or-nothing: a store checks all pages before it writes any. */
void x86_load_bytes(X86Cpu *cpu, unsigned seg, uint64_t off, void *to, unsigned n);
void x86_store_bytes(X86Cpu *cpu, unsigned seg, uint64_t off, const void *from, unsigned n);
/* Raises what a write of n bytes there would raise; writes nothing. */
void x86_probe_write(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned n);
/* The same for a read of one byte. */
void x86_probe_read(X86Cpu *cpu, unsigned seg, uint64_t off);

/* A run of bytes at seg:off that one REP iteration block may touch directly: returns the
 * host pointer of plain RAM and *n <= max bytes to the page's (or segment's) end after all
 * checks, or NULL where the slow way must be taken (MMIO, code page, segmentation). */
void *x86_direct(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned max, bool write,
                 unsigned *n);

/* ---- linear addresses; priv is an X86_MMU_* index ---- */
uint64_t x86_lin_load(X86Cpu *cpu, uint64_t lin, unsigned size, unsigned mmu);
void x86_lin_store(X86Cpu *cpu, uint64_t lin, unsigned size, uint64_t v, unsigned mmu);
/* Implicit supervisor access (descriptor tables, TSS, interrupt stacks by MMU_KERNEL). */
static inline uint64_t x86_sys_load(X86Cpu *cpu, uint64_t lin, unsigned size)
{
    return x86_lin_load(cpu, lin, size, X86_MMU_KERNEL);
}
static inline void x86_sys_store(X86Cpu *cpu, uint64_t lin, unsigned size, uint64_t v)
{
    x86_lin_store(cpu, lin, size, v, X86_MMU_KERNEL);
}
/* Locked OR of one byte by the system (descriptor A/busy bits). Returns the old byte. */
uint8_t x86_sys_or8(X86Cpu *cpu, uint64_t lin, uint8_t bits);

/* Linear address of seg:off for an access of n bytes after limit, rights and canonical
 * checks (#GP or #SS). */
uint64_t x86_linear(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned n, bool write);

/* Alignment check and data breakpoints of an access (HF_AC, HF_DBG). */
void x86_access_debug(X86Cpu *cpu, uint64_t lin, unsigned n, bool write);

/* ---- vector registers: ymm(i) as two halves ---- */
static ALWAYS_INLINE X86Xmm *x86_xmm(X86Cpu *cpu, unsigned i)
{
    return &cpu->st.xsave.xmm[i];
}
static ALWAYS_INLINE X86Xmm *x86_ymmh(X86Cpu *cpu, unsigned i)
{
    return &cpu->st.xsave.ymmh[i];
}

/* ---- TLB maintenance, engine's; safe to call from leaf code ---- */
void x86_tlb_flush(X86Cpu *cpu, bool global);               /* MOV CR3/CR4, WBINVD no */
void x86_tlb_flush_page(X86Cpu *cpu, uint64_t lin);         /* INVLPG */
void x86_tlb_flush_pcid(X86Cpu *cpu, uint16_t pcid);        /* INVPCID 1 */
/* MOV CR3: the engine may switch tables. flush = false for the no-flush bit. */
void x86_tlb_switch(X86Cpu *cpu, uint64_t new_cr3, bool flush);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Runs one decoded instruction: the checks its row asks for, then its reference
 * function. SDM vol. 3, 2.5 (CR0 EM, TS, MP) and table 2-2; vol. 2, 2.4 (SSE and AVX
 * exception classes). Leaf.
 */
#include "target-x86/fpu.h"
#include "target-x86/insn.h"
#include "target-x86/leaf.h"

#define FSW_ES 0x80u /* x87 status: an unmasked exception is pending */

static uint64_t ferr_heavy(X86Cpu *cpu, void *arg)
{
    cpu->cpu.ferr(&cpu->cpu, cpu->st.xsave.fsw & FSW_ES);
    return 0;
}

void x87_tell_ferr(X86Cpu *cpu)
{
    if (cpu->cpu.ferr) {
        x86_heavy(cpu, ferr_heavy, NULL);
    }
}

/* Rows whose reference function is compiled for the host's vector registers. */
#define ANY_HEAVY (RF_HEAVY | RF_FPU | RF_WAIT | RF_MMX | RF_SSE | RF_AVX)

static void check_vector(X86Cpu *cpu, uint32_t f)
{
    uint64_t cr0 = cpu->st.cr0;

    if ((f & (RF_SSE | RF_MMX)) && (cr0 & CR0_EM)) {
        x86_raise(cpu, EXC_UD);
    }
    if ((f & RF_SSE) && !(cpu->st.cr4 & CR4_OSFXSR)) {
        x86_raise(cpu, EXC_UD);
    }
    if ((f & RF_AVX) && !(cpu->hflags & HF_AVX)) {
        x86_raise(cpu, EXC_UD);
    }
    if ((f & RF_AVX512) && !(cpu->hflags & HF_AVX512)) {
        x86_raise(cpu, EXC_UD);
    }
    if ((f & RF_FPU) && (cr0 & (CR0_EM | CR0_TS))) {
        x86_raise(cpu, EXC_NM);
    }
    if ((f & (RF_MMX | RF_SSE | RF_AVX)) && (cr0 & CR0_TS)) {
        x86_raise(cpu, EXC_NM);
    }
    /* FWAIT is the one row with RF_WAIT alone. */
    if ((f & (RF_FPU | RF_MMX | RF_WAIT)) == RF_WAIT &&
        (cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
        x86_raise(cpu, EXC_NM);
    }
    if ((f & (RF_WAIT | RF_MMX)) && (cpu->st.xsave.fsw & FSW_ES)) {
        if (cr0 & CR0_NE) {
            x86_raise(cpu, EXC_MF);
        }
        x87_tell_ferr(cpu); /* the host's FPU may have found it: now it is known */
    }
}

static NOINLINE void check_row(X86Cpu *cpu, uint32_t f)
{
    if (f & RF_CPL0) { /* most of these are serializing (SDM vol. 3, 9.3) */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    if ((f & RF_PE) && (cpu->hflags & (HF_PE | HF_VM)) != HF_PE) {
        x86_raise(cpu, EXC_UD);
    }
    if (f & ANY_HEAVY && !(f & RF_IO)) {
        x86_fpu_sync(cpu);
        check_vector(cpu, f);
    }
    if ((f & RF_CPL0) && cpu->st.cpl) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

/* Port I/O is heavy, but has nothing to do with the FPU. */
static uint64_t exec_io(X86Cpu *cpu, void *in)
{
    ((const X86Insn *)in)->row->exec(cpu, in);
    return 0;
}

void x86_exec_insn(X86Cpu *cpu, const X86Insn *in)
{
    const X86Row *row = in->row;
    uint64_t next = cpu->st.rip + in->len;

    cpu->next_rip = cpu->hflags & HF_CS64 ? next : (uint32_t)next;
    if (unlikely(row->flags & RF_CHECKED)) {
        check_row(cpu, row->flags);
    }
    if (unlikely(row->flags & RF_IO)) {
        x86_aside(cpu, exec_io, (void *)in);
    } else {
        row->exec(cpu, in);
    }
}

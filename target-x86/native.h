/* SPDX-License-Identifier: MIT */
/* Entry to and exit from generated code; the guest's vector state in host registers. */
#ifndef TARGET_X86_NATIVE_H
#define TARGET_X86_NATIVE_H

#include "target-x86/engine.h"
#include "target-x86/insn.h"
#include "target-x86/softmmu.h"

/* Status flags: LAHF form in env->cc, architectural in st.rflags. */
static inline void x86_flags_from_env(X86Cpu *cpu)
{
    /* as wide as generated code stores it */
    uint64_t cc = *(const volatile uint16_t *)&x86_env(cpu)->cc;
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FL_STATUS) | FL_ONE |
                     (cc >> 8 & (FL_STATUS & 0xff)) | (cc & 1) << 11;
}

static inline void x86_flags_to_env(X86Cpu *cpu)
{
    uint64_t f = cpu->st.rflags;
    x86_env(cpu)->cc = (f & 0xff) << 8 | (f >> 11 & 1);
}

/* Runs native blocks from tb on until something needs the loop. Leaf. */
void x86_native_run(X86Cpu *cpu, Tb *tb);

/* Leaf helpers of the loop used by generated code's C functions. */
bool x86_engine_attention(X86Cpu *cpu);
/* The block at RIP for the current mode, with the entries that are needed, built if need be;
 * NULL: step instead. Raises what the fetch raises. */
Tb *x86_engine_find(X86Cpu *cpu, X86Need need);

/* State exact, RIP set: the host address to go on at. For the C functions of thunks. */
uint64_t x86_native_go_on(X86Cpu *cpu);

/* The entry of tb (code offset) that this exit of a block can be patched to; 0: none. The
 * exit's virtual address leads to tb now. Leaf. */
uint32_t x86_chain_entry(const TbExit *x, const Tb *tb);

/* -d int; heavy */
uint64_t x86_log_event(X86Cpu *cpu, void *arg);
uint64_t x86_log_interrupt(X86Cpu *cpu, void *vector);
/* Decodes the instruction at RIP (fetch faults raise). */
void x86_engine_decode(X86Cpu *cpu, X86Insn *in);
/* After a fault: completes RIP and flags if a slow path of generated code was left. */
void x86_native_recover(X86Cpu *cpu);
/* RIP of the instruction whose slow memory access is under way; false: none is. Changes
 * nothing, callable in signal context. */
bool x86_native_site_rip(const X86Cpu *cpu, uint64_t *rip);
void x86_native_init_cpu(X86Cpu *cpu, TcgEnv *env, uint32_t xsave_mask);
/* Host signal on the vCPU's thread (native_signal.c). */
bool x86_native_signal(X86Cpu *cpu, int sig, void *info, void *ucontext);
/* Tests: the host is taken to have exactly these features (X86F_NWORDS words). */
void x86_host_pin(const uint32_t *feat);
/* Can the host execute instructions of this feature natively? host.c */
bool x86_host_has(unsigned feature);
uint32_t x86_host_xsave_mask(void);
uint32_t x86_host_xcr0(void); /* 0: no XSAVE */

#endif

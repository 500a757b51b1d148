/* SPDX-License-Identifier: MIT */
/*
 * A tiny world for tests of decoder and reference functions: implements access.h and
 * x86_raise*() over flat memory in which a guest linear address IS the host address.
 * No paging; segmentation (base, limit, rights of ES..GS outside 64-bit mode) is done.
 *
 * How to use it:
 *   - link x86_flat_access.c with libx86leaf.a (and libtargetx86.a for heavy rows);
 *   - flat_init() once; the window [FLAT_BASE, FLAT_BASE + FLAT_SIZE) then exists, with
 *     page rights settable by flat_protect();
 *   - flat_cpu(cpu, FLAT_MODE64 ...) makes a vCPU with all features and flat segments
 *     (16-bit modes: all bases = FLAT_BASE = selector 1000H * 16, limit 64K), code at
 *     FLAT_CODE, CPL 0 (v86: 3);
 *   - put bytes at FLAT_CODE or call flat_exec(cpu, bytes, n): decodes, executes one
 *     instruction and returns FLAT_OK, or the vector raised, or FLAT_RESTART; the event is
 *     in cpu->st.event. On FLAT_OK rip = next_rip as an engine would do.
 *
 * All functions are weak, so that the real ones (excp.c, access.c, cpu.c) win when a
 * test links them; x86_raise* ends by __builtin_longjmp(cpu->jmp) like the real one.
 */
#ifndef TESTS_X86_FLAT_ACCESS_H
#define TESTS_X86_FLAT_ACCESS_H

#include "target-x86/insn.h"

#define FLAT_BASE 0x10000ull
#define FLAT_SIZE 0x100000ull
#define FLAT_CODE (FLAT_BASE + 0x1000)   /* offset 1000H in the 16-bit modes */
#define FLAT_STACK (FLAT_BASE + 0x8000)  /* rSP; offset 8000H in the 16-bit modes */
#define FLAT_DATA (FLAT_BASE + 0x20000)  /* free for tests from here on */

enum { FLAT_NONE, FLAT_RO, FLAT_RW };
enum FlatMode { FLAT_REAL, FLAT_PROT16, FLAT_PROT32, FLAT_COMPAT32, FLAT_MODE64, FLAT_V86 };
enum { FLAT_OK = -1, FLAT_RESTART = -2, FLAT_BAD_DECODE = -3 };

void flat_init(void);
void flat_protect(uint64_t lin, uint64_t n, int rights);
/* Zeroes *cpu and gives it a mode, segments, all features, CR0/CR4/EFER/XCR0 to match. */
void flat_cpu(X86Cpu *cpu, enum FlatMode mode);
/* Calls x86_exec_insn under a setjmp. */
int flat_run(X86Cpu *cpu, const X86Insn *in);
/* Decode (FLAT_BAD_DECODE if that fails: #UD and #GP are for the caller) and flat_run. */
int flat_exec(X86Cpu *cpu, const void *bytes, unsigned n);

/* Counts calls of the TLB functions, for tests of MOV CR3, INVLPG... */
extern unsigned flat_tlb_flushes, flat_tlb_page_flushes, flat_tlb_switches;
/* While set, x86_direct declines everything. */
extern bool flat_no_direct;
/* Last arguments. */
extern uint64_t flat_tlb_lin, flat_tlb_cr3;

#endif

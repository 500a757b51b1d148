/* SPDX-License-Identifier: MIT */
/*
 * Windows: user-mode guest memory mapped into the emulator's own address space, so that
 * the host's MMU translates and generated code needs no soft TLB (docs/windows.md).
 *
 * An address space ("root", one CR3 base) that has run for a while gets two areas of
 * reserved host addresses, one per range of guest addresses: range B is the top 2 TiB of
 * the lower canonical half (stack, libraries, mmap), range A a 1 TiB stretch of the
 * root's own (program, heap). Generated code checks that an address register lies in a
 * range, which keeps every access inside the area; pages are mapped there when the first
 * access faults, as the guest's page tables say, and taken out or downgraded when the
 * guest flushes its TLB: an area is a large TLB that the host's MMU reads.
 *
 * Leaf but for window_init/free. The vCPU's own thread, or any thread while the vCPU is
 * parked.
 */
#ifndef TARGET_X86_WINDOW_H
#define TARGET_X86_WINDOW_H

#include "target-x86/cpu.h"
#include "tcg/env.h"

/* An address is in range B if addr >> WIN_B_SHIFT is WIN_B_INDEX, in range A if
 * addr >> WIN_A_SHIFT is env->win_a. Code compares 16 bits of the rotated address: bits
 * 57..63 are not looked at, but then the host address is not canonical and faults. */
enum { WIN_B_SHIFT = 41, WIN_B_INDEX = 63, WIN_A_SHIFT = 40, WIN_A_NONE = 0x4000 };

/* No canonical address may look like one in a range A that is not there: each access would
 * fault in the host. (Xen runs its guests' kernels at CPL 3 in the upper half, whose bits
 * 40..55 were taken for 0xffff: 100 times slower.) */
_Static_assert(WIN_A_NONE > 0x7fffffffffffull >> WIN_A_SHIFT &&
                   WIN_A_NONE < (0xffff800000000000ull >> WIN_A_SHIFT & 0xffff),
               "WIN_A_NONE is in the canonical hole");

/* Go's heap and goroutine stacks start at 768 GiB, its program lies below 4 GiB: a range A
 * that holds only one of them sends the accesses to the other through C code. */
_Static_assert(0xc000000000ull >> WIN_A_SHIFT == 0x400000ull >> WIN_A_SHIFT,
               "one range A holds a Go program and its heap");

/* Unmapped bytes reserved on both sides of an area: a checked register may be followed by
 * a 32-bit displacement, and in traces by an index of 33 bits, eight times. */
#define WIN_MARGIN (36 * GiB)

typedef struct WinSet WinSet;

/* How roots come to have windows. */
enum { WIN_NEVER, WIN_AUTO, WIN_ALWAYS };

bool window_init(X86Cpu *cpu, unsigned policy);
void window_free(X86Cpu *cpu);

/* MOV CR3: the root that runs from now on. `flush`: its translations are void. */
void window_switch(X86Cpu *cpu, uint64_t cr3, bool flush);
/* Translations of the current root, of one PCID, of all roots are void. */
void window_flush(X86Cpu *cpu);
void window_flush_pcid(X86Cpu *cpu, uint16_t pcid);
void window_flush_all(X86Cpu *cpu);
/* INVLPG: one page, in every root. */
void window_flush_page(X86Cpu *cpu, uint64_t lin);
/* Stores to this RAM page must be seen: no writable mapping of it stays. */
void window_protect(X86Cpu *cpu, const uint8_t *host_page);
/* Nothing stays mapped. */
void window_drop_all(X86Cpu *cpu);
/* Nothing stays writable (twin: each stretch notes anew what is stored to). Heavy. */
void window_drop_stores(X86Cpu *cpu);

/* The privilege of data accesses has become or ceased to be the user's: time is counted,
 * a root is given windows or loses them, voided translations are brought up to date.
 * Sets cpu->win_on for blocks looked up from now on. */
void window_transition(X86Cpu *cpu, bool user);

/* The time that a pause (window_pace.c) asked for is over. At an instruction boundary. */
void window_alarm(X86Cpu *cpu);

/* Generated code faulted at a host address: true if it lies in an area of the current
 * root and the page is there now, so that the access can be tried again. False: the
 * reference function must decide. May be called from a signal handler on generated code. */
bool window_fill(X86Cpu *cpu, uint64_t host_addr, bool write);

/* A wrong guess met this address: it may become range A of a root that has none. */
void window_seen(X86Cpu *cpu, uint64_t addr);

static inline bool window_in_b(uint64_t addr) { return addr >> WIN_B_SHIFT == WIN_B_INDEX; }
/* The range an address lies in: 0 = B, 1 = A, -1 = none. */
static inline int window_range(const TcgEnv *env, uint64_t addr)
{
    return window_in_b(addr)                             ? 0
           : env->win_a == (addr >> WIN_A_SHIFT) ? 1
                                                  : -1;
}

#endif

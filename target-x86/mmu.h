/* SPDX-License-Identifier: MIT */
/*
 * Page-table walks, SDM vol. 3, chapter 4: from a linear address to a guest-physical one
 * with rights, for every paging mode but 5-level. Leaf.
 */
#ifndef TARGET_X86_MMU_H
#define TARGET_X86_MMU_H

#include "target-x86/cpu.h"

enum { X86_READ, X86_WRITE, X86_FETCH };

typedef struct X86WalkResult {
    bool ok;            /* else raise #PF with `error` */
    bool can_read, can_write, can_exec; /* for the mmu index asked for */
    bool user;          /* U/S set at every level */
    bool global;        /* survives MOV CR3 (CR4.PGE and the leaf's G) */
    bool dirty;         /* the leaf's D is set: stores need no more walk */
    bool accessed;      /* A is set at every level */
    uint8_t pkey;
    uint32_t error;     /* #PF error code if !ok */
    uint64_t gpa;       /* of lin itself */
    uint64_t page_size; /* bytes; without paging 2 MiB */
} X86WalkResult;

/* Walks for one access (X86_READ...) with the rights of mmu (X86_MMU_*). With set_ad a
 * successful walk sets accessed and, for writes, dirty bits, atomically in guest RAM;
 * otherwise nothing changes. Does not look at the canonical form of lin. */
X86WalkResult x86_walk(X86Cpu *cpu, uint64_t lin, unsigned access, unsigned mmu, bool set_ad);

/* Linear to physical whatever the rights; no side effects. */
bool x86_debug_translate(X86Cpu *cpu, uint64_t lin, uint64_t *gpa);

/* Loads the four PDPTEs of PAE paging from the table at cr3 (4.4.1). False: a reserved
 * bit is set (#GP(0)) and nothing changed. */
MUST_USE bool x86_load_pdptes(X86Cpu *cpu, uint64_t cr3);

/* Host address of guest-physical RAM or ROM; NULL if there is none (or, for write, it is
 * read-only). softmmu.c. */
uint8_t *x86_phys_host(X86Cpu *cpu, uint64_t gpa, bool write);
/* Aligned physical load; ones where there is no RAM. */
uint64_t x86_phys_ld64(X86Cpu *cpu, uint64_t gpa);

/* Physical address bits at and above the vCPU's MAXPHYADDR, up to bit 51. */
static inline uint64_t x86_phys_reserved(const X86Cpu *cpu)
{
    return 0xfffffffffffffull & ~((1ull << cpu->phys_bits) - 1);
}

#endif

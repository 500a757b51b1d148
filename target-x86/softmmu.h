/* SPDX-License-Identifier: MIT */
/*
 * Soft TLB of the x86 vCPU: filling, flushing, address-space tables. Leaf. The vCPU's own
 * thread only.
 */
#ifndef TARGET_X86_SOFTMMU_H
#define TARGET_X86_SOFTMMU_H

#include "target-x86/mmu.h"
#include "tcg/env.h"



/* Outcome of a translation for one access within a page. */
typedef struct SoftmmuRef {
    uint8_t *host;       /* where the byte is; NULL: not RAM/ROM (use gpa) */
    uint64_t gpa;
    uint64_t ram_addr;   /* of the byte, if host */
    bool watched;        /* a store must be reported to softmmu_stored() */
    bool readonly;       /* a store must go through memory_io_write (ROM) */
    bool large;          /* mapped by a page of 2 MiB or more (or no paging) */
} SoftmmuRef;

static inline TcgEnv *x86_env(const X86Cpu *cpu) { return cpu->engine; }

/* Translates lin for an access that does not cross a page; raises #PF. Fills the TLB if
 * the page may be accessed directly. */
void softmmu_translate(X86Cpu *cpu, uint64_t lin, unsigned access, unsigned mmu,
                       SoftmmuRef *ref);
/* A direct store translation of this RAM page is about to be made: true if stores to it
 * must be reported, so that it may not. */
bool softmmu_watch(X86Cpu *cpu, uint64_t ram_addr);
/* The range of guest-physical memory that holds an address, or NULL; as long as the vCPU is not
 * parked. Leaf. */
const struct FlatRange *x86_phys_range(X86Cpu *cpu, uint64_t gpa);
/* After a store to a watched page. */
void softmmu_stored(X86Cpu *cpu, uint64_t ram_addr, unsigned len);

/* Allocates the tables of a vCPU; heavy. */
bool softmmu_init(X86Cpu *cpu, Error *err);
void softmmu_free(X86Cpu *cpu);
/* Drops everything in every table (mapping changed). */
void softmmu_flush_all(X86Cpu *cpu);
/* Drops store translations of one RAM page (host address) from every table. */
void softmmu_protect(X86Cpu *cpu, const uint8_t *host_page);
/* Twin: a store to this RAM will follow; so its page need not be watched for it. Else
 * nothing. Leaf, also in signal context. */
void softmmu_log_store(X86Cpu *cpu, uint64_t gpa);
/* Drops all store translations (of whatever page) but the windows'. Leaf. */
void softmmu_drop_stores(X86Cpu *cpu);
/* Points env->rd/wr at the tables of cpu->mmu_idx. After x86_update_hflags. */
void softmmu_set_mode(X86Cpu *cpu);

/* Instruction bytes: translation for a fetch at lin; raises #PF. *large as above. */
const uint8_t *softmmu_fetch(X86Cpu *cpu, uint64_t lin, uint64_t *ram_addr, bool *large);

/* The indirect-branch hash of the current mode. insert: host address of a block's entry
 * for guest PC lin. `mode` is the block-key mode; a table holds one mode only. */
void softmmu_jmp_insert(X86Cpu *cpu, uint64_t lin, uint64_t host, uint32_t mode,
                        bool crossing /* also depends on the next page */);
/* The jump hash of user or kernel code in the current address space. */
JmpTable *softmmu_jmp(X86Cpu *cpu, bool user);
void softmmu_jmp_check_mode(X86Cpu *cpu, uint32_t mode);
/* Jumps between pages (env->code_map): the RAM page at ram_addr is mapped at vbase. */
void softmmu_code_map_set(X86Cpu *cpu, uint64_t ram_addr, uint64_t vbase);
void softmmu_code_map_clear(TcgEnv *env);
/* All pages of the trace are where they belong if its first is at vbase. Each of them was
 * named by softmmu_trace_page. */
void softmmu_trace_page(X86Cpu *cpu, uint64_t lin);
void softmmu_trace_map_set(X86Cpu *cpu, uint32_t id, uint64_t vbase);
/* Drops what leads into [from, to) of the code buffer. */
void softmmu_jmp_forget(X86Cpu *cpu, uint32_t from, uint32_t to);
void softmmu_jmp_clear(TcgEnv *env, JmpTable *j);

#endif

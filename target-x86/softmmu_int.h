/* SPDX-License-Identifier: MIT */
/* The soft TLB's own types, for softmmu.c and softmmu_init.c alone. */
#ifndef TARGET_X86_SOFTMMU_INT_H
#define TARGET_X86_SOFTMMU_INT_H

#include "hw/core/memory.h"
#include "target-x86/softmmu.h"

enum { SLOTS = 8, NG_MAX = 128, CODE_TLB = 512, CODE_LARGE = 8, LARGE_TLB = 64 };

typedef struct CodeEntry {
    uint64_t page, gen, ram_addr;
    const uint8_t *host;
    bool large;
} CodeEntry;

/* A supervisor-only global large page that was walked: more of its 4 KiB pieces need no
 * walk. Kernels map all RAM so. */
typedef struct LargeEntry {
    uint64_t region;       /* linear address >> 21, or LARGE_NONE */
    uint64_t gpa;          /* of that 2 MiB region */
    bool write, dirty;     /* W at every level or CR0.WP off; D */
    bool huge;             /* of a page beyond 2 MiB */
} LargeEntry;
#define LARGE_NONE (~0ull)

typedef struct Slot {
    uint32_t pcid;
    bool used, made;       /* made: its tables are in order, however empty */
    uint64_t stamp, gen;   /* last use; generation of its fetch translations */
    TlbTable *rd[2], *wr[2]; /* user, kernel with AC */
    JmpTable *jmp;
} Slot;

struct TlbSet {
    void *memory;                /* all tables (softmmu_init.c) */
    Slot slot[SLOTS];
    Slot *cur;
    uint64_t stamp, next_gen, global_gen;
    TlbTable *kern_rd, *kern_wr;
    JmpTable *kern_jmp;
    uint64_t nonglobal[NG_MAX];  /* kernel-table pages that are not global */
    unsigned n_nonglobal;
    bool jmp_nonglobal;          /* kern_jmp has entries of pages not global */
    bool jmp_low;                /* kern_jmp had entries in the lower half of addresses */
    /* 1 GiB regions in which code was fetched from large pages since everything was last
     * dropped; more than CODE_LARGE: perhaps any */
    unsigned n_code_large;
    uint64_t code_large[8];
    LargeEntry large[LARGE_TLB];
    CodeEntry code[2][CODE_TLB]; /* kernel, user */
    const FlatRange *last;       /* range of the last physical lookup */
    const FlatView *last_view;
};
typedef struct TlbSet TlbSet;


/* Empty tables in fresh, zeroed memory. Leaf. */
void softmmu_table_make(TlbTable *t);
void softmmu_jmp_make(const TcgEnv *env, JmpTable *j);
void softmmu_slot_make(const TcgEnv *env, Slot *s);
void softmmu_large_clear(TlbSet *set);
void softmmu_use_slot(X86Cpu *cpu, Slot *s);

#endif

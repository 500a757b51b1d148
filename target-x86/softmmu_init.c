/* SPDX-License-Identifier: MIT */
/* Memory of the soft TLB (softmmu.c). Heavy. */
#include "target-x86/softmmu_int.h"
#include <stdlib.h>
#include "target-x86/engine.h"
#include "target-x86/window.h"
#include "util/alloc.h"

enum {
    NTABLES = SLOTS * 4 + 2,
    NJUMPS = SLOTS + 1,
    TABLE_BYTES = ALIGN_UP(sizeof(TlbTable), 64),
    JUMP_BYTES = ALIGN_UP(sizeof(JmpTable), 64),
    ALL_BYTES = NTABLES * TABLE_BYTES + NJUMPS * JUMP_BYTES,
};

/* The next piece of the memory: the tables of one address space lie together. */
static void *piece(char **at, size_t bytes)
{
    void *p = *at;
    *at += bytes;
    return p;
}

bool softmmu_init(X86Cpu *cpu, Error *err)
{
    TcgEnv *env = x86_env(cpu);
    TlbSet *set = env->tlb_set = xalloc(sizeof(TlbSet));
    char *at = set->memory = xmap(ALL_BYTES);

    set->kern_rd = piece(&at, TABLE_BYTES);
    set->kern_wr = piece(&at, TABLE_BYTES);
    set->kern_jmp = piece(&at, JUMP_BYTES);
    for (unsigned i = 0; i < SLOTS; i++) {
        Slot *s = &set->slot[i];
        for (unsigned k = 0; k < 2; k++) {
            s->rd[k] = piece(&at, TABLE_BYTES);
            s->wr[k] = piece(&at, TABLE_BYTES);
        }
        s->jmp = piece(&at, JUMP_BYTES);
        s->gen = ++set->next_gen;
    }
    softmmu_table_make(set->kern_rd);
    softmmu_table_make(set->kern_wr);
    softmmu_jmp_make(env, set->kern_jmp);
    softmmu_slot_make(env, &set->slot[0]);
    set->global_gen = ++set->next_gen;
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < CODE_TLB; i++) {
            set->code[k][i].page = ~0ull;
        }
    }
    if (!window_init(cpu, x86_engine.native ? x86_engine.windows : WIN_NEVER)) {
        return error_set(err, "no memory for windows");
    }
    softmmu_large_clear(set);
    set->slot[0].used = true;
    softmmu_use_slot(cpu, &set->slot[0]);
    return true;
}

void softmmu_free(X86Cpu *cpu)
{
    TlbSet *set = x86_env(cpu)->tlb_set;

    window_free(cpu);
    if (set) {
        xunmap(set->memory, ALL_BYTES);
        free(set);
        x86_env(cpu)->tlb_set = NULL;
    }
}

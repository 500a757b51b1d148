/* SPDX-License-Identifier: MIT */
/* Memory of the soft TLB (softmmu.c). Heavy. */
#include "target-x86/softmmu_int.h"
#include <stdlib.h>
#include "target-x86/engine.h"
#include "target-x86/window.h"
#include "util/alloc.h"

static TlbTable *table_create(void)
{
    TlbTable *t = xalloc_aligned(64, sizeof(*t));
    for (unsigned i = 0; i < TLB_SIZE; i++) {
        t->e[i].tag = t->e[i].host = TLB_EMPTY;
    }
    return t;
}

static JmpTable *jmp_create(const TcgEnv *env)
{
    JmpTable *j = xalloc_aligned(64, sizeof(*j));
    for (unsigned i = 0; i < JMP_SIZE; i++) {
        j->e[i].pc = JMP_EMPTY;
        j->e[i].host = (uint64_t)env->jmp_miss;
    }
    return j;
}

bool softmmu_init(X86Cpu *cpu, Error *err)
{
    TcgEnv *env = x86_env(cpu);
    TlbSet *set = env->tlb_set = xalloc(sizeof(TlbSet));

    for (unsigned i = 0; i < SLOTS; i++) {
        Slot *s = &set->slot[i];
        for (unsigned k = 0; k < 2; k++) {
            s->rd[k] = table_create();
            s->wr[k] = table_create();
        }
        s->jmp = jmp_create(env);
        s->gen = ++set->next_gen;
    }
    set->kern_rd = table_create();
    set->kern_wr = table_create();
    set->kern_jmp = jmp_create(env);
    set->global_gen = ++set->next_gen;
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < CODE_TLB; i++) {
            set->code[k][i].page = ~0ull;
        }
    }
    if (!window_init(cpu, x86_engine.native ? x86_engine.windows : WIN_NEVER)) {
        return error_set(err, "no memory for windows");
    }
    set->slot[0].used = true;
    softmmu_use_slot(cpu, &set->slot[0]);
    return true;
}

void softmmu_free(X86Cpu *cpu)
{
    TlbSet *set = x86_env(cpu)->tlb_set;

    for (unsigned i = 0; set && i < SLOTS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            free(set->slot[i].rd[k]);
            free(set->slot[i].wr[k]);
        }
        free(set->slot[i].jmp);
    }
    window_free(cpu);
    if (set) {
        free(set->kern_rd);
        free(set->kern_wr);
        free(set->kern_jmp);
        free(set);
        x86_env(cpu)->tlb_set = NULL;
    }
}

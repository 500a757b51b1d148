/* SPDX-License-Identifier: MIT */
/*
 * Returns by the host's own. Generated code has a stack of its own. A guest's CALL pushes,
 * beside what the guest's memory gets, the guest's return address and then, by a host CALL
 * to the callee's block, the host address behind that: a landing pad. A guest's RET reads its
 * return address from guest memory into r11, as it must, compares it with what was pushed, and
 * if they are equal executes a host RET: to where the host's CPU has predicted. The pad goes on at
 * the block behind the call, to which it is patched. If they differ, ret_miss (thunks.c) looks
 * at the next entries, and then in the hash; calls and RETs of the host stay paired either way,
 * or its CPU would predict all returns further out wrong. A trace (docs/traces.md) keeps no
 * entries for its own calls; its return from where it began is one like any other.
 *
 * So entries are never trusted with where the guest goes, only with how that address
 * translates: they are good for one address space and mode, and until something in it is
 * flushed. Then the stack is emptied. It is too small for deep recursion: the signal handler
 * empties it when it meets the guard page.
 */
#ifndef TARGET_X86_RETURNS_H
#define TARGET_X86_RETURNS_H

#include "target-x86/engine.h"
#include "target-x86/softmmu.h"

/* The vCPU's stack; env's mode tables need not be there yet. Heavy. */
MUST_USE bool returns_init(X86Cpu *cpu, uint64_t empty, Error *err);
void returns_free(X86Cpu *cpu);

/* Leaf: nothing on it is good any more. Generated code is not running. */
static inline void returns_empty(TcgEnv *env)
{
    env->ret_sp = env->ret_base;
}

/* Leaf; before generated code goes on anywhere but where it was, mode and tables set. */
static inline void returns_check(X86Cpu *cpu)
{
    TcgEnv *env = x86_env(cpu);
    uint32_t mode = x86_block_mode(cpu);

    if (env->ret_mode != mode || env->ret_jmp != env->jmp || env->ret_seq != env->tlb_seq) {
        env->ret_mode = mode;
        env->ret_jmp = env->jmp;
        env->ret_seq = env->tlb_seq;
        returns_empty(env);
    }
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Single steps without the TCG accelerator (softstep.h): an env with a soft TLB behind
 * the vCPU struct, no blocks, no generated code. Heavy.
 */
#include "target-x86/softstep.h"
#include "target-x86/decode.h"
#include "target-x86/engine.h"
#include "target-x86/softmmu.h"
#include "target-x86/tcg_ops.h"

/* No code is cached here: a store needs nobody's attention. */
static void code_written(TcgEnv *env, uint64_t ram_addr, uint64_t len)
{
}

static bool prepare(X86Cpu *cpu, _Atomic uint8_t *page_flags, Error *err)
{
    if (cpu->engine) {
        return true; /* the TCG accelerator's */
    }
    TcgEnv *env = (TcgEnv *)((char *)cpu + x86_tcg_ops.env_offset);
    x86_decode_init();
    env->cpu = cpu;
    env->page_flags = page_flags;
    env->code_written = code_written;
    cpu->engine = env;
    return softmmu_init(cpu, err);
}

/* A fault during delivery comes back to the setjmp with the new event. */
static NOINLINE void deliver(X86Cpu *cpu)
{
    (void)__builtin_setjmp(cpu->jmp);
    if (cpu->st.event.valid) {
        x86_deliver_event(cpu);
    }
}

static bool step(X86Cpu *cpu)
{
    softmmu_set_mode(cpu);
    if (cpu->st.event.valid) {
        deliver(cpu);
        return true;
    }
    return x86_engine_step(cpu);
}

static bool knows(const X86Cpu *cpu, const uint8_t *bytes, unsigned n)
{
    X86Insn in;
    return x86_decode(&in, bytes, n, cpu->hflags, cpu->feat) != X86_DEC_UD;
}

static void flush(X86Cpu *cpu)
{
    softmmu_flush_all(cpu);
}

static void finish(X86Cpu *cpu)
{
    if (cpu->engine) {
        softmmu_free(cpu);
        cpu->engine = NULL;
    }
}

const X86SoftStep x86_soft_step = {
    .prepare = prepare, .step = step, .knows = knows, .flush = flush, .finish = finish,
};

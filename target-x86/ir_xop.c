/* SPDX-License-Identifier: MIT */
/*
 * The interpreting back end's way into the reference functions: the function behind xop,
 * direct jumps, the door to heavy code. Leaf.
 */
#include "target-x86/gen_ir.h"
#include "target-x86/leaf.h"
#include "tcg/interp/interp.h"

static ALWAYS_INLINE uint64_t code_mask(uint32_t hflags)
{
    return hflags & HF_CS64 ? ~0ull : hflags & HF_CS32 ? 0xffffffffull : 0xffffull;
}

/* RIP behind an instruction that has been executed. */
static ALWAYS_INLINE bool finish(X86Cpu *cpu, uint64_t next)
{
    if (likely(cpu->next_rip == next && !cpu->end_block)) {
        cpu->st.rip = next;
        return false;
    }
    cpu->st.rip = cpu->next_rip & code_mask(cpu->hflags); /* the mode may be another now */
    return true;
}

static ALWAYS_INLINE bool run_insn(X86Cpu *cpu, const X86Insn *in, uint64_t mask)
{
    uint64_t next = (cpu->st.rip + in->len) & mask;

    x86_exec_insn(cpu, in);
    return finish(cpu, next);
}

/* The same where x86_exec_insn has nothing to check. */
static bool xop_plain64(void *env, const void *payload)
{
    X86Cpu *cpu = env;
    const X86Insn *in = payload;
    uint64_t next = cpu->st.rip + in->len;

    cpu->next_rip = next;
    in->row->exec(cpu, in);
    return finish(cpu, next);
}

static bool xop_insn64(void *env, const void *payload) { return run_insn(env, payload, ~0ull); }

static bool xop_insn32(void *env, const void *payload)
{
    return run_insn(env, payload, 0xffffffffull);
}

static bool xop_insn16(void *env, const void *payload) { return run_insn(env, payload, 0xffff); }

const IrXop x86_xop_insn[4] = {
    [X86_XOP_64] = { "insn64", xop_insn64 },
    [X86_XOP_32] = { "insn32", xop_insn32 },
    [X86_XOP_16] = { "insn16", xop_insn16 },
    [X86_XOP_PLAIN64] = { "plain64", xop_plain64 },
};

/* The target is judged before anything changes, as JMP and Jcc do (SDM vol. 2). */
static void take_jump(X86Cpu *cpu)
{
    uint64_t to = cpu->next_rip;

    if (likely(cpu->hflags & HF_CS64)) {
        unsigned width = cpu->st.cr4 & CR4_LA57 ? 57 : 48;
        if (unlikely((uint64_t)sext(to, width) != to)) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
    } else if (cpu->hflags & HF_SEGCHK && to > cpu->st.seg[R_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    cpu->st.rip = to;
}

typedef struct HeavyCall {
    void (*fn)(void *arg);
    void *arg;
} HeavyCall;

static uint64_t enter_heavy(X86Cpu *cpu, void *arg)
{
    const HeavyCall *h = arg;
    h->fn(h->arg);
    return 0;
}

static void heavy(void *env, void (*fn)(void *arg), void *arg)
{
    HeavyCall h = { fn, arg };
    x86_heavy(env, enter_heavy, &h);
}

void x86_ir_run(X86Cpu *cpu, const Tb *tb)
{
    static const InterpHost host = { heavy };

    cpu->end_block = 0;
    if (interp_run(tb->bytecode, cpu, &host) == X86_IR_JUMP) {
        take_jump(cpu);
    }
}

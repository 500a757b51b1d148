/* SPDX-License-Identifier: MIT */
/*
 * Profiling samples under the software engine. Runs in signal context on the vCPU's
 * thread, which may have been interrupted anywhere: in generated code the registers are
 * the host's, in C called from it they are in X86State (thunks.c).
 */
#include "target-x86/engine.h"
#include "target-x86/native_step.h"
#include "target-x86/sample.h"
#include "target-x86/softmmu.h"
#include "target-x86/template.h"
#include "tcg/codebuf.h"

#if defined(__x86_64__)
#include <ucontext.h>

/* In a block's code: the linear PC by its side table. Between a block's entry through the hash and
 * its first instruction vbase is still the old one, and r11 holds the PC or the new one. */
static uint64_t pc_in_block(const X86Cpu *cpu, const Tb *tb, uint32_t off, uint64_t r11, int *late)
{
    if (off >= tb->code_off && off < tb->entry_e) {
        uint64_t region = tb->large ? 2 * MiB : 4096;
        return (r11 ^ tb->region_off) & (region - 1) ? r11 + tb->region_off : r11;
    }
    TbInsn m;
    unsigned i = tb_insn_at(tb, off, &m);
    *late = tb_insn_late(tb, i);
    return x86_env(cpu)->vbase + tb_insn_off(tb, i, &m);
}

bool x86_sample_tcg(X86Cpu *cpu, void *ucontext, CpuSample *s)
{
    const greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

    x86_sample_state(&cpu->st, s);
    s->host_pc = g[REG_RIP];
    if (!x86_engine.native || !x86_env(cpu)) {
        return true;
    }
    greg_t at = g[REG_RIP];
    if (x86_env(cpu)->stepping == STEP_COPIED) {
        x86_step_home(cpu, 0, &at);
    }
    uint64_t off = at - (uint64_t)codebuf_rx(cpu), rip;
    if (off < x86_engine.cache->code->size) {
        const Tb *tb = tb_by_code(x86_engine.cache, off);
        if (tb) {
            int late = 0;
            s->pc = pc_in_block(cpu, tb, off, g[REG_R11], &late);
            s->sp = x86_sample_linear(&cpu->st, R_SS, g[REG_R15] + late);
            s->fp = x86_sample_linear(&cpu->st, R_SS, g[REG_RBP]);
            s->host_pc = 0;
        } else if (off != x86_thunks.leave) {
            s->host_pc = SAMPLE_GENERATED;
        } else { /* a kick that came together with the tick has just taken the state out of
                  * a block (native_signal.c): all of the time was that block's */
            s->host_pc = 0;
        }
    } else if (x86_native_site_rip(cpu, &rip)) {
        s->pc = x86_sample_linear(&cpu->st, R_CS, rip);
    }
    return true;
}

#else
bool x86_sample_tcg(X86Cpu *cpu, void *ucontext, CpuSample *s)
{
    x86_sample_state(&cpu->st, s);
    return true;
}
#endif

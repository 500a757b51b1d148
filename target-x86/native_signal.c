/* SPDX-License-Identifier: MIT */
/*
 * Host signals that hit generated code. Faults (SIGSEGV, SIGFPE, ...) mean that the
 * reference function of the instruction must decide; a kick (SIGUSR1) means leave at the
 * next guest instruction boundary, reached by way of a copy of the few host instructions in
 * between (native_step.c) or by single-stepping the host: SIGTRAP. Runs in signal context:
 * touches only this vCPU's state and the ucontext.
 */
#include "target-x86/native_step.h"

#if defined(__x86_64__)
#include <signal.h>
#include <ucontext.h>
#include "target-x86/softmmu.h"
#include "target-x86/template.h"
#include "target-x86/window.h"
#include "tcg/codebuf.h"
#include "tcg/tb_disk.h"

static const uint8_t greg[16] = {
    [R_AX] = REG_RAX, [R_CX] = REG_RCX, [R_DX] = REG_RDX, [R_BX] = REG_RBX,
    [R_SP] = REG_R15, [R_BP] = REG_RBP, [R_SI] = REG_RSI, [R_DI] = REG_RDI,
    [R_8] = REG_R8,   [R_9] = REG_R9,   [R_12] = REG_R12, [R_13] = REG_R13,
    [R_14] = REG_R14,
};

/* Takes the state of guest instruction i of tb out of the host registers and makes the
 * thread leave generated code. */
static void leave_at(X86Cpu *cpu, const Tb *tb, unsigned i, ucontext_t *uc, bool boundary)
{
    TcgEnv *env = x86_env(cpu);
    greg_t *g = uc->uc_mcontext.gregs;
    TbInsn m;

    tb_insn(tb, i, UINT32_MAX, &m);
    for (unsigned r = 0; r < 16; r++) {
        if (!reg_in_env(r)) {
            cpu->st.gpr[r] = g[greg[r]];
        }
    }
    cpu->st.gpr[R_SP] += tb_insn_late(tb, i);
    if (!(m.flags_in_env & (boundary ? TBI_START_ENV : TBI_OP_ENV))) {
        env->cc = (g[REG_EFL] & 0xff) << 8 | (g[REG_EFL] >> 11 & 1);
    }
    cpu->st.rip = x86_rip_at(cpu, env->vbase + tb_insn_off(tb, i, &m));
    env->punt = !boundary;
    env->stepping = STEP_NOT;
    g[REG_EFL] &= ~(greg_t)FL_TF;
    g[REG_RSP] = env->host_rsp;
    g[REG_RIP] = (greg_t)(codebuf_rx(cpu) + x86_thunks.leave);
}

/* The opcode of the REP MOVS or STOS of string_in_windows (template_sys.c) at which the host is, bit 0
 * cleared; or 0. */
enum { MOVS = 0xa4, STOS = 0xaa };
static unsigned at_string(const greg_t *g)
{
    const uint8_t *p = (const uint8_t *)g[REG_RIP];

    if (*p++ != 0xf3) {
        return 0;
    }
    p += *p == 0x48 || *p == 0x66;
    return (*p & 0xfe) == MOVS || (*p & 0xfe) == STOS ? *p & 0xfe : 0;
}

/* Not stopped any more: code ahead looks at exit_request. */
static void stop_stepping(TcgEnv *env, greg_t *g)
{
    g[REG_EFL] &= ~(greg_t)FL_TF;
    env->stepping = STEP_NOT;
}

/* A kick: leaves generated code here if RIP is a boundary, else has the host come to one. */
static void leave_soon(X86Cpu *cpu, ucontext_t *uc)
{
    TcgEnv *env = x86_env(cpu);
    greg_t *g = uc->uc_mcontext.gregs;

    do {
        uint64_t off = g[REG_RIP] - (uint64_t)codebuf_rx(cpu);
        if (off >= x86_engine.cache->code->size) { /* C code looks before it comes back */
            stop_stepping(env, g);
            return;
        }
        const Tb *tb = tb_by_code(x86_engine.cache, off);
        uint32_t stop = UINT32_MAX;
        if (tb && at_string(g)) { /* its code looks behind it */
            stop_stepping(env, g);
            return;
        }
        if (tb) {
            TbInsn m;
            unsigned i = tb_insn_at(tb, off, &m);
            if (off == tb->code_off + m.host && !(m.flags_in_env & TBI_SHADOW)) {
                leave_at(cpu, tb, i, uc, true);
                return;
            }
            if (off >= tb->code_off + m.host) {
                stop = tb->code_end;
                i++;
            }
            if (i < tb->ninsns) {
                tb_insn(tb, i, UINT32_MAX, &m);
                stop = tb->code_off + m.host;
            }
        }
        if (x86_step_copy(cpu, g, stop)) {
            stop_stepping(env, g);
            env->stepping = STEP_COPIED;
            return;
        }
    } while (x86_step_branch(cpu, g));
    env->stepping = STEP_TRAP;
    g[REG_EFL] |= FL_TF;
}

bool x86_native_signal(X86Cpu *cpu, int sig, void *info, void *ucontext)
{
    TcgEnv *env = x86_env(cpu);
    ucontext_t *uc = ucontext;
    greg_t *g = uc->uc_mcontext.gregs;

    if (!x86_engine.native) {
        return sig == SIGUSR1;
    }
    if (sig == SIGBUS && tb_disk_fault(((siginfo_t *)info)->si_addr)) {
        return true;
    }
    bool copied = env->stepping == STEP_COPIED && x86_step_home(cpu, sig, &g[REG_RIP]);
    uint64_t off = g[REG_RIP] - (uint64_t)codebuf_rx(cpu);
    bool in_code = off < x86_engine.cache->code->size;

    if (sig == SIGTRAP) {
        bool ours = copied || env->stepping == STEP_TRAP;
        env->step_traps += ours;
        if (ours) {
            leave_soon(cpu, uc);
        }
        return ours;
    }
    if (sig == SIGUSR1) {
        env->kicks += in_code;
        leave_soon(cpu, uc);
        return true;
    }
    if (sig == SIGSEGV && in_code &&
        (uint64_t)((siginfo_t *)info)->si_addr - env->ret_guard < 4096) {
        g[REG_RSP] = (greg_t)env->ret_base; /* a push or a call: it is executed again */
        if (copied) {
            leave_soon(cpu, uc);
        }
        return true;
    }
    const Tb *tb = in_code ? tb_by_code(x86_engine.cache, off) : NULL;
    if (!tb) {
        return false;
    }
    if (sig == SIGSEGV && tb->mode & X86_KEY_WIN && ((siginfo_t *)info)->si_code > 0 &&
        ((siginfo_t *)info)->si_code != SI_KERNEL &&
        window_fill(cpu, (uint64_t)((siginfo_t *)info)->si_addr, g[REG_ERR] & 2)) {
        if (copied) {
            leave_soon(cpu, uc);
        }
        return true;
    }
    TbInsn m;
    unsigned string = at_string(g);
    g[REG_RDI] -= string ? g[REG_R11] : 0; /* as far as it has come */
    g[REG_RSI] -= string == MOVS ? g[REG_R10] : 0;
    leave_at(cpu, tb, tb_insn_at(tb, off, &m), uc, false);
    return true;
}

#else
bool x86_native_signal(X86Cpu *cpu, int sig, void *info, void *ucontext)
{
    return false;
}
#endif

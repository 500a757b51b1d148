/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL and SYSRET out of generated code without a full exit: only the registers that C
 * may clobber are stored, the target comes from the jump hash. Whatever is unusual returns
 * 0 with nothing changed, and the reference function is called. Leaf.
 */
#include "target-x86/native_sys.h"
#include "target-x86/leaf.h"
#include "target-x86/native.h"
#include "target-x86/seg.h"
#include "target-x86/softmmu.h"

static bool usual(const X86Cpu *cpu)
{
    const Cpu *c = &cpu->cpu;

    return cpu->st.efer & EFER_SCE && cpu->hflags & HF_CS64 && cpu->fpu_live &&
           !(cpu->hflags & X86_STEP_MASK) && !cpu->st.event.valid &&
           !atomic_load_explicit(&c->request, memory_order_acquire);
}

/* Goes to rip, where the hash's entry e leads. */
static uint64_t arrive(X86Cpu *cpu, JmpEntry *e, uint64_t rip)
{
    TcgEnv *env = x86_env(cpu);

    cpu->st.rip = rip;
    x86_flags_to_env(cpu);
    softmmu_set_mode(cpu);
    env->scratch[1] = (uint64_t)e;
    return e->host;
}

uint64_t x86_native_syscall(X86Cpu *cpu, uint64_t next)
{
    uint64_t target = cpu->st.msr.lstar;
    uint32_t mode = (x86_block_mode(cpu) & ~(uint32_t)(HF_AC | X86_KEY_WIN)) |
                    X86_KEY_CPL0;
    JmpTable *j = softmmu_jmp(cpu, false);
    JmpEntry *e = &j->e[jmp_index(target)];

    if (e->pc != target || j->mode != mode || !usual(cpu)) {
        return 0;
    }
    x86_flags_from_env(cpu);
    x86_syscall64(cpu, next);
    return arrive(cpu, e, target);
}

uint64_t x86_native_sysret(X86Cpu *cpu, uint64_t rcx)
{
    uint32_t mode = (x86_block_mode(cpu) & ~X86_KEY_CPL0) |
                    (cpu->win_on ? X86_KEY_WIN : 0);
    JmpTable *j = softmmu_jmp(cpu, true);
    JmpEntry *e = &j->e[jmp_index(rcx)];

    /* the thunk has stored RCX; guest R11 always is in memory */
    if (e->pc != rcx || j->mode != mode || !usual(cpu) ||
        (int64_t)(rcx << 16) >> 16 != (int64_t)rcx ||
        cpu->st.gpr[R_11] & (FL_TF | FL_AC)) {
        return 0;
    }
    x86_sysret64(cpu);
    return arrive(cpu, e, rcx);
}

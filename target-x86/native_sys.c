/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL, SYSRET, REP STOS and REP MOVS out of generated code without a full exit: only
 * the registers that C may clobber are stored, a branch's target comes from the jump hash.
 * Whatever is unusual returns 0 with nothing changed, and the reference function is called.
 * Leaf.
 */
#include "target-x86/native_sys.h"
#include "target-x86/leaf.h"
#include "target-x86/native.h"
#include "target-x86/returns.h"
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
    returns_check(cpu);
    if (unlikely(env->jmp->mode != x86_block_mode(cpu))) {
        return (uint64_t)env->jmp_miss; /* windows came or went */
    }
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

/* Host address of n bytes at lin, if they lie in one page that the table knows. */
static uint8_t *known_bytes(TlbTable *t, uint64_t lin, uint64_t n)
{
    const TlbEntry *e = tlb_entry(t, lin);
    uint64_t off = lin + e->tag;

    return off <= TLB_PAGE - n && e->tag != TLB_EMPTY ? (uint8_t *)(e->host + off) : NULL;
}

#if defined(__x86_64__)
#define STOS(suffix) \
    __asm__ volatile("rep stos" suffix : "+D"(to), "+c"(count) : "a"(v) : "memory")
#define MOVS(suffix) \
    __asm__ volatile("rep movs" suffix : "+D"(to), "+S"(from), "+c"(count) : : "memory")

uint64_t x86_native_string(X86Cpu *cpu, uint64_t what)
{
    TcgEnv *env = x86_env(cpu);
    X86State *st = &cpu->st;
    unsigned size = what & 15;
    uint64_t count = st->gpr[R_CX], n = count * size, v = st->gpr[R_AX];

    if (st->rflags & FL_DF || cpu->hflags & (HF_TF | HF_DBG | HF_AC) ||
        count > TLB_PAGE / size) {
        return 0;
    }
    uint8_t *to = known_bytes(env->wr, st->gpr[R_DI], n);
    if (!to) {
        return 0;
    }
    if (what & NATIVE_MOVS) {
        const uint8_t *from = known_bytes(env->rd, st->gpr[R_SI], n);
        if (!from) {
            return 0;
        }
        st->gpr[R_SI] += n;
        switch (size) {
        case 1: MOVS("b"); break;
        case 2: MOVS("w"); break;
        case 4: MOVS("l"); break;
        default: MOVS("q");
        }
    } else {
        switch (size) {
        case 1: STOS("b"); break;
        case 2: STOS("w"); break;
        case 4: STOS("l"); break;
        default: STOS("q");
        }
    }
    st->gpr[R_DI] += n;
    st->gpr[R_CX] = 0;
    return 1;
}

#else
uint64_t x86_native_string(X86Cpu *cpu, uint64_t what)
{
    return 0;
}
#endif

/* SPDX-License-Identifier: MIT */
/*
 * From where a kick has hit generated code to the next guest instruction boundary. The host
 * could be single-stepped there, but each #DB reads and writes debug registers, which a
 * hypervisor intercepts: 11 us a step in a virtual host, 4.6 steps a kick. So the host
 * instructions up to the boundary are copied to the vCPU's slot behind the thunks, INT3 (2.6 us)
 * behind them and at the targets of their branches, and run there; a copy has the length of its
 * original, so that an address in one is an address in the other. Signal context.
 */
#include "target-x86/native_step.h"

#if defined(__x86_64__)
#include <signal.h>
#include <string.h>
#include "target-x86/thunks.h"
#include "tcg/codebuf.h"
#include "util/bytes.h"

enum { INT3 = 0xcc, LONGEST = 15 };
enum { CALL = 2, JMP = 4 }; /* of opcode FF, in ModRM.reg */
_Static_assert(STEP_COPY + 1 <= STEP_PAD && STEP_PAD + TCG_STEP_PADS <= STEP_SLOT, "a slot");
_Static_assert(STEP_PAD + TCG_STEP_PADS <= 127, "short jumps reach the pads");

static const uint8_t gregs[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/* Code offset of the vCPU's slot; 0: it has none. */
static uint32_t slot_of(const X86Cpu *cpu)
{
    unsigned i = (unsigned)cpu->cpu.index;
    return i < STEP_SLOTS ? x86_thunks.steps + i * STEP_SLOT : 0;
}

bool x86_step_home(X86Cpu *cpu, int sig, greg_t *rip)
{
    const TcgEnv *env = x86_env(cpu);
    uint64_t rx = (uint64_t)codebuf_rx(cpu), slot = slot_of(cpu);
    uint64_t at = (uint64_t)*rip - (sig == SIGTRAP) - (rx + slot);

    if (!slot || at >= STEP_SLOT) {
        return false;
    }
    if (at >= STEP_PAD) {
        *rip = (greg_t)(rx + env->step_pad[(at - STEP_PAD) % TCG_STEP_PADS]);
    } else {
        *rip = (greg_t)(rx + env->step_from + at);
    }
    return true;
}

static bool decode(X86Insn *in, const uint8_t *p)
{
    static const uint32_t all[X86F_NWORDS] = { [0 ... X86F_NWORDS - 1] = UINT32_MAX };
    return x86_decode(in, p, LONGEST, HF_PE | HF_LMA | HF_CS64, all) > 0;
}

/* Length of a relative jump at p, 0: there is none. */
static unsigned jump_len(const uint8_t *p)
{
    if ((*p & 0xf0) == 0x70 || *p == 0xeb) {
        return 2;
    }
    return *p == 0xe9 ? 5 : *p == 0x0f && (p[1] & 0xf0) == 0x80 ? 6 : 0;
}

static const uint8_t *jump_to(const uint8_t *p, unsigned len)
{
    return p + len + (len == 2 ? (int8_t)p[1] : (int32_t)get_le32(p + len - 4));
}

/* Pushes a return address as a CALL would. */
static void push(X86Cpu *cpu, greg_t *g, uint64_t value)
{
    const TcgEnv *env = x86_env(cpu);

    if ((uint64_t)g[REG_RSP] - 8 - env->ret_guard < 4096) {
        g[REG_RSP] = (greg_t)env->ret_base; /* as the fault would (native_signal.c) */
    }
    g[REG_RSP] -= 8;
    *(uint64_t *)g[REG_RSP] = value;
}

bool x86_step_branch(X86Cpu *cpu, greg_t *g)
{
    const uint8_t *p = (const uint8_t *)g[REG_RIP];
    unsigned len = jump_len(p);
    X86Insn in;

    if (*p == 0xc3) {
        g[REG_RIP] = (greg_t) * (const uint64_t *)g[REG_RSP];
        g[REG_RSP] += 8;
        return true;
    }
    if (*p == 0xeb || *p == 0xe9) {
        g[REG_RIP] = (greg_t)jump_to(p, len);
        return true;
    }
    if (*p == 0xe8) {
        push(cpu, g, (uint64_t)p + 5);
        g[REG_RIP] = (greg_t)(p + 5 + (int32_t)get_le32(p + 1));
        return true;
    }
    bool indirect = decode(&in, p) && in.bytes[in.opc_off] == 0xff && (in.reg == CALL || in.reg == JMP);
    if (!indirect || !in.is_mem || in.seg >= R_FS) {
        return false;
    }
    uint64_t at = (uint64_t)in.disp;
    if (in.base == 16) {
        at += (uint64_t)p + in.len;
    } else if (in.base >= 0) {
        at += (uint64_t)g[gregs[in.base]];
    }
    if (in.index >= 0) {
        at += (uint64_t)g[gregs[in.index]] << in.scale;
    }
    uint64_t to = *(const uint64_t *)(uintptr_t)at;
    if (in.reg == CALL) {
        push(cpu, g, (uint64_t)p + in.len);
    }
    g[REG_RIP] = (greg_t)to;
    return true;
}

bool x86_step_copy(X86Cpu *cpu, greg_t *g, uint32_t stop)
{
    TcgEnv *env = x86_env(cpu);
    const uint8_t *rx = codebuf_rx(cpu), *p = (const uint8_t *)g[REG_RIP];
    uint32_t slot = slot_of(cpu);
    uint8_t *to = x86_engine.cache->code->rw + slot;
    unsigned n = 0, pads = 0;

    if (!slot) {
        return false;
    }
    while (n + LONGEST <= STEP_COPY && p + n != rx + stop) {
        const uint8_t *from = p + n;
        unsigned len = jump_len(from);
        X86Insn in;

        if (len) {
            if (pads == TCG_STEP_PADS) {
                break;
            }
            unsigned pad = STEP_PAD + pads;
            int32_t by = (int32_t)(pad - (n + len));
            memcpy(to + n, from, len);
            memcpy(to + n + (len == 2 ? 1 : len - 4), &by, len == 2 ? 1 : 4);
            env->step_pad[pads++] = (uint32_t)(jump_to(from, len) - rx);
            to[pad] = INT3;
            n += len;
            continue;
        }
        if (!decode(&in, from) || in.row->flags & (RF_BRANCH | RF_REP)) {
            break; /* a REP is stopped elsewhere (native_signal.c) */
        }
        memcpy(to + n, from, in.len);
        if (in.base == 16) {
            int32_t disp = (int32_t)(in.disp + (from - (rx + slot + n)));
            memcpy(to + n + in.disp_off, &disp, 4);
        }
        n += in.len;
    }
    if (!n) {
        return false;
    }
    to[n] = INT3;
    env->step_from = (uint32_t)(p - rx);
    g[REG_RIP] = (greg_t)(rx + slot);
    return true;
}

#endif

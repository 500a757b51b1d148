/* SPDX-License-Identifier: MIT */
/*
 * Control flow and stack instructions of 64-bit code, and the few others that are neither
 * plain nor worth a call: LEA, NOPs.
 *
 * A jump inside the code region (page, or 2 MiB page) is a patchable direct jump; all
 * others go through the indirect-branch hash, whose entry is checked by the target. Calls
 * and returns are the host's (returns.h).
 */
#include "target-x86/template.h"

/* ---- jumps ---- */

void tmpl_hash_jump(Enc *e, bool call)
{
    enum { F = JMP_FACTOR, TABLE = 18, MODRM = 24, CALL = 0x52 };
    static const uint8_t code[] = {
        0x45, 0x69, 0xd3, F & 0xff, F >> 8 & 0xff, F >> 16 & 0xff, F >> 24 & 0xff,
        /* imul r10d, r11d, JMP_FACTOR */
        0x41, 0xc1, 0xea, 32 - JMP_BITS,                   /* shr r10d, 32-BITS */
        0x41, 0xc1, 0xe2, 4,                               /* shl r10d, 4 */
        0x4c, 0x03, 0x15, 0, 0, 0, 0,                      /* add r10, [env.jmp] */
        0x41, 0xff, 0x62, offsetof(JmpEntry, host),        /* jmp [r10+8] */
    };
    uint32_t at = e->off;
    uint8_t *p = enc_code(e, code, sizeof(code));

    if (p) {
        enc_put_env(e, p, TABLE, at, ENV_F(jmp));
        p[MODRM] = call ? CALL : p[MODRM];
    }
}

static void save_flags_late(Tmpl *t)
{
    t->saved_late = !t->in_env;
    tmpl_save_flags(t);
}

/* Flags must be in env: saved here (that only clobbers S2). */
void tmpl_jump_pc(Tmpl *t)
{
    save_flags_late(t);
    tmpl_hash_jump(&t->e, false);
    t->ended = true;
}

bool tmpl_in_region(const Tmpl *t, int64_t off)
{
    return off >= 0 && off < t->region;
}

void tmpl_new_exit(Tmpl *t, uint32_t jmp_off, int64_t target)
{
    unsigned n = t->nexits++;

    t->exits[n].jmp = jmp_off;
    t->exits[n].target = target;
    t->exits[n].flags_in_env = t->in_env;
    t->exits[n].guarded = !tmpl_in_region(t, target);
}

void tmpl_jump_off(Tmpl *t, int64_t off)
{
    enc_load(&t->e, S1, rm_env(ENV_F(vbase)));
    enc_lea(&t->e, S1, rm_mem(S1, off), !t->legacy);
    tmpl_jump_pc(t);
}

/* User code jumps to other pages by guarded exits: r11 = virtual page of the target, which
 * checks it (template.c, entries). Kernel code in 4 KiB pages is modules, which mostly
 * call code in large pages: through the hash. */
static bool may_guard(const Tmpl *t, int64_t off)
{
    return !t->tb->large && !(t->tb->mode & X86_KEY_CPL0) && !t->placed &&
           off == (int32_t)off;
}

static void direct_exit(Tmpl *t, int64_t off, bool call)
{
    uint32_t at;

    enc_align_rel32(&t->e, 1);
    if (call) {
        enc_call_to(&t->e, t->e.off);
        at = t->e.off - 4;
    } else {
        at = enc_jmp(&t->e);
    }
    tmpl_new_exit(t, at, off);
}

static void guarded_exit(Tmpl *t, int64_t off, bool call)
{
    enc_load(&t->e, S1, rm_env(ENV_F(vbase)));
    enc_lea(&t->e, S1, rm_mem(S1, off & ~4095ll), !t->legacy);
    direct_exit(t, off, call);
}

/* Patchable: a jump, or a call of which the landing pad follows. False: not to there. */
static bool exit_by(Tmpl *t, int64_t off, bool call)
{
    if (tmpl_in_region(t, off)) {
        direct_exit(t, off, call);
    } else if (may_guard(t, off)) {
        guarded_exit(t, off, call);
    } else {
        return false;
    }
    t->ended = true;
    return true;
}

void tmpl_exit_to(Tmpl *t, int64_t off)
{
    if (!exit_by(t, off, false)) {
        tmpl_jump_off(t, off);
    }
}

void tmpl_jcc(Tmpl *t, int cc, int64_t taken, int64_t next)
{
    Enc *e = &t->e;
    bool last = t->i + 1u == t->tb->ninsns;

    tmpl_restore_flags(t);
    if (tmpl_in_region(t, taken)) {
        enc_align_rel32(e, 2);
        tmpl_new_exit(t, enc_jcc(e, cc), taken);
        if (last) {
            tmpl_exit_to(t, next);
        }
        return;
    }
    uint32_t skip = enc_jcc(e, cc ^ 1);
    if (may_guard(t, taken)) {
        guarded_exit(t, taken, false);
    } else {
        tmpl_jump_off(t, taken);
    }
    enc_patch(e, skip, e->off);
    t->in_env = false;
    t->ended = false;
    if (last) {
        tmpl_exit_to(t, next);
    }
}

/* JRCXZ, JECXZ (E3) and LOOP (E2): as on the host, which tests the same register. */
static void jcxz(Tmpl *t, const X86Insn *in, bool loop)
{
    Enc *e = &t->e;
    int64_t next = (int64_t)t->off + in->len, taken = next + (int64_t)in->imm;
    bool in_env = t->in_env;

    if (loop) {
        enc_lea(e, H_RCX, rm_mem(H_RCX, -1), in->adsize == 8);
    }
    if (in->adsize == 4) {
        enc_u8(e, 0x67);
    }
    enc_u8(e, 0xe3);
    uint32_t rel8 = e->off;
    enc_u8(e, 0);
    tmpl_exit_to(t, loop ? taken : next);
    if (!e->full) {
        e->rw[rel8] = e->off - (rel8 + 1);
    }
    t->in_env = in_env;
    tmpl_exit_to(t, loop ? next : taken);
}

/* ---- stack ---- */

/* Makes [rsp + disp] accessible; returns the host operand. */
static Rm stack_check(Tmpl *t, int disp, unsigned kind)
{
    return tmpl_based(t, R_SP, disp, kind);
}

static void push_reg(Tmpl *t, unsigned g)
{
    Rm m = stack_check(t, -8, 8 | MEM_WRITE);
    enc_store(&t->e, m, tmpl_use(t, g, S2));
    tmpl_sp_move(t, -8);
}

static void pop_reg(Tmpl *t, unsigned g)
{
    Rm m = stack_check(t, 0, 8);
    if (reg_in_env(g)) {
        enc_load(&t->e, S2, m);
        tmpl_put(t, g, S2);
    } else {
        enc_load(&t->e, host_reg(g), m);
    }
    tmpl_sp_move(t, 8);
}

static void push_imm(Tmpl *t, int32_t imm)
{
    Op op = { .opcode = 0xc7, .w = true, .imm_len = 4 };

    Rm m = stack_check(t, -8, 8 | MEM_WRITE);
    enc_op(&t->e, &op, 0, m);
    enc_u32(&t->e, imm);
    tmpl_sp_move(t, -8);
}

/* Stores the return address, which is in S2 then, but in traces; leaves S1 free. */
void tmpl_push_return(Tmpl *t, const X86Insn *in)
{
    if (t->fixed) {
        push_imm(t, (int32_t)(t->fixed + t->off + in->len));
        return;
    }
    Rm m = stack_check(t, -8, 8 | MEM_WRITE);
    enc_load(&t->e, S2, rm_env(ENV_F(vbase)));
    enc_lea(&t->e, S2, rm_mem(S2, t->off + in->len), true);
    enc_store(&t->e, m, S2);
    tmpl_sp_move(t, -8);
}

void tmpl_pop_return(Tmpl *t, unsigned extra)
{
    Rm m = stack_check(t, 0, 8);
    enc_load(&t->e, S1, m);
    tmpl_sp_move(t, 8 + extra);
}

void tmpl_return(Tmpl *t)
{
    Enc *e = &t->e;

    save_flags_late(t);
    enc_alu_rm(e, ALU_CMP, S1, rm_mem(H_RSP, 8));
    enc_patch(e, enc_jcc(e, CC_NE), x86_thunks.ret_miss);
    enc_ret(e);
    t->ended = true;
}

static void ret(Tmpl *t, unsigned extra)
{
    tmpl_pop_return(t, extra);
    tmpl_return(t);
}

/* Behind a host call: where the guest's RET arrives by the host's, r11 = guest PC, which is
 * where this call had come from; flags in env. */
static void landing_pad(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;
    int64_t next = (int64_t)t->off + in->len;

    enc_pop(e, S2);
    t->saved_late |= !t->in_env; /* they were in EFLAGS at the store above */
    t->in_env = true;
    if (tmpl_in_region(t, next) || may_guard(t, next)) {
        enc_lea(e, S1, rm_mem(S1, (int32_t)-next), true);
        enc_store(e, rm_env(ENV_F(vbase)), S1);
        (void)exit_by(t, next, false);
    } else {
        tmpl_jump_pc(t);
    }
}

/* CALL rel32 */
static void call_direct(Tmpl *t, const X86Insn *in)
{
    int64_t next = (int64_t)t->off + in->len, to = next + (int64_t)in->imm;

    tmpl_push_return(t, in);
    enc_push(&t->e, S2);
    if (!exit_by(t, to, true)) {
        enc_load(&t->e, S1, rm_env(ENV_F(vbase)));
        enc_lea(&t->e, S1, rm_mem(S1, (int32_t)to), true);
        save_flags_late(t);
        tmpl_hash_jump(&t->e, true);
    }
    landing_pad(t, in);
}

/* The operand of an indirect jump or call into S1. Memory forms are read here. */
static bool indirect_target(Tmpl *t, const X86Insn *in)
{
    if (!in->is_mem) {
        tmpl_get(t, S1, in->op[0].reg);
        return true;
    }
    Rm rm;
    if (!tmpl_operand(t, in, 8, &rm)) {
        return false;
    }
    enc_load(&t->e, S1, rm);
    return true;
}

/* CALL r/m64: the target is read first, then the return address pushed; a register
 * target needs no scratch until the push is done, a memory one is kept in env. host: pushed
 * on the host's stack, too. */
static bool call_indirect(Tmpl *t, const X86Insn *in, bool host)
{
    if (!in->is_mem) {
        if (in->op[0].reg == R_SP) {
            return false;
        }
        tmpl_push_return(t, in);
        if (host) {
            enc_push(&t->e, S2);
        }
        tmpl_get(t, S1, in->op[0].reg);
        return true;
    }
    if (!indirect_target(t, in)) {
        return false;
    }
    /* the push may need S1, also where rsp is checked already: if it counts as in both ranges */
    enc_store(&t->e, rm_env(ENV_F(scratch)), S1);
    tmpl_push_return(t, in);
    if (host) {
        enc_push(&t->e, S2);
    }
    enc_load(&t->e, S1, rm_env(ENV_F(scratch)));
    return true;
}

bool tmpl_indirect(Tmpl *t, const X86Insn *in)
{
    return (in->modrm >> 3 & 7) == 2 ? call_indirect(t, in, false) : indirect_target(t, in);
}

/* JMP r/m64, CALL r/m64 */
static bool indirect(Tmpl *t, const X86Insn *in)
{
    if ((in->modrm >> 3 & 7) == 4) {
        if (!indirect_target(t, in)) {
            return false;
        }
        tmpl_jump_pc(t);
        return true;
    }
    if (!call_indirect(t, in, true)) {
        return false;
    }
    save_flags_late(t);
    tmpl_hash_jump(&t->e, true);
    landing_pad(t, in);
    return true;
}

static bool lea(Tmpl *t, const X86Insn *in)
{
    unsigned g = in->op[0].reg;

    if (in->opsize == 2 || !tmpl_addr(t, in, false)) {
        return false;
    }
    t->late = g == R_SP ? 0 : t->late;
    if (in->opsize == 4) {
        enc_mov_rr32(&t->e, S1, S1);
    }
    tmpl_clobber(t, S1);
    tmpl_put(t, g, S1);
    return true;
}

/* lea r,[base+index*s+disp] with resident registers: one host instruction */
bool tmpl_lea_is_direct(const Tmpl *t, const X86Insn *in)
{
    return !(in->base == 16 || reg_in_env(in->op[0].reg) || in->adsize != t->word ||
             in->opsize == 2 || (in->base >= 0 && in->base < 16 && reg_in_env(in->base)) ||
             (in->index >= 0 && reg_in_env(in->index)) || in->disp != (int32_t)in->disp);
}

static bool lea_direct(Tmpl *t, const X86Insn *in)
{
    unsigned g = in->op[0].reg;

    if (!tmpl_lea_is_direct(t, in)) {
        return false;
    }
    Rm m = { RM_MEM, in->base < 0 ? -1 : host_reg(in->base),
             in->index < 0 ? -1 : host_reg(in->index), in->scale,
             in->disp + (in->base == R_SP ? t->late : 0) };
    enc_lea(&t->e, host_reg(g), m, in->opsize == 8);
    t->late = g == R_SP ? 0 : t->late;
    return true;
}

static bool leave(Tmpl *t)
{
    enc_load(&t->e, S2, tmpl_based(t, R_BP, 0, 8));
    enc_lea(&t->e, GSP, rm_mem(H_RBP, 8), true);
    enc_mov_rr(&t->e, H_RBP, S2);
    t->late = 0;
    return true;
}

static bool one_byte(Tmpl *t, const X86Insn *in)
{
    uint8_t op = in->opcode;
    int64_t next = (int64_t)t->off + in->len;

    if (op >= 0x50 && op <= 0x57 && in->opsize == 8) {
        if (in->op[0].reg == R_SP) {
            return false;
        }
        push_reg(t, in->op[0].reg);
        return true;
    }
    if (op >= 0x58 && op <= 0x5f && in->opsize == 8) {
        if (in->op[0].reg == R_SP) {
            return false;
        }
        pop_reg(t, in->op[0].reg);
        return true;
    }
    if (op >= 0x70 && op <= 0x7f) {
        tmpl_jcc(t, op & 15, next + (int64_t)in->imm, next);
        return true;
    }
    switch (op) {
    case 0x68:
    case 0x6a:
        if (in->opsize != 8) {
            return false;
        }
        push_imm(t, in->imm);
        return true;
    case 0x8d:
        return lea_direct(t, in) || tmpl_lea(t, in) || lea(t, in);
    case 0x90:
        if (in->rex & 1) {
            return false;
        }
        if (in->rep == 0xf3) { /* PAUSE */
            tmpl_pause(t, in);
        }
        return true;
    case 0xc2:
        ret(t, in->imm & 0xffff);
        return true;
    case 0xc3:
        ret(t, 0);
        return true;
    case 0xc9:
        return in->opsize == 8 && leave(t);
    case 0xe2:
    case 0xe3:
        jcxz(t, in, op == 0xe2);
        return true;
    case 0xe8:
        call_direct(t, in);
        return true;
    case 0xe9:
    case 0xeb:
        tmpl_exit_to(t, next + (int64_t)in->imm);
        return true;
    case 0xff: {
        unsigned ext = in->modrm >> 3 & 7;
        if (ext == 2 || ext == 4) {
            return indirect(t, in);
        }
        if (ext == 6 && !in->is_mem && in->opsize == 8 && in->op[0].reg != R_SP) {
            push_reg(t, in->op[0].reg);
            return true;
        }
        return false;
    }
    default:
        return false;
    }
}

bool tmpl_flow(Tmpl *t, const X86Insn *in)
{
    const X86Row *row = in->row;

    if (row->enc != ENC_LEGACY || in->lock) {
        return false;
    }
    if (t->tb->trace_at && tmpl_trace_flow(t, in)) {
        return true;
    }
    if (row->map == MAP_1) {
        return one_byte(t, in);
    }
    if (row->map == MAP_0F) {
        uint8_t op = in->opcode;
        if ((op & 0xf0) == 0x80) {
            int64_t next = (int64_t)t->off + in->len;
            tmpl_jcc(t, op & 15, next + (int64_t)in->imm, next);
            return true;
        }
        if (op >= 0x18 && op <= 0x1f && in->has_modrm) { /* hint NOPs, prefetches, ENDBR */
            return true;
        }
        if (op == 0x0d) {
            return true;
        }
        if ((op == 0xa3 || op == 0xab || op == 0xb3 || op == 0xbb) && in->is_mem) {
            if (!tmpl_bit_string(t, in)) {
                tmpl_call_exec(t, in, t->i + 1u == t->tb->ninsns);
            }
            return true;
        }
    }
    return false;
}

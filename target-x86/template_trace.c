/* SPDX-License-Identifier: MIT */
/*
 * Tier 2, the code of hot traces (trace.c): control flow inside one. Its instructions lie
 * behind each other in host code in the order in which they were seen to run: a jump that
 * goes where it went then costs nothing, a conditional jump the other way, a return or an
 * indirect jump to elsewhere leaves the trace. What is known of registers and flags is
 * kept over all of them.
 *
 * vbase stays that of the trace's first page: all offsets count from there.
 */
#include "target-x86/template.h"
#include "target-x86/trace.h"

static bool is_jcc(const X86Insn *in)
{
    return (in->row->map == MAP_1 && (in->opcode & 0xf0) == 0x70) ||
           (in->row->map == MAP_0F && (in->opcode & 0xf0) == 0x80);
}

static bool is_return(const X86Insn *in)
{
    return in->row->map == MAP_1 && (in->opcode == 0xc2 || in->opcode == 0xc3);
}

static bool is_indirect(const X86Insn *in)
{
    unsigned ext = in->modrm >> 3 & 7;
    return in->row->map == MAP_1 && in->opcode == 0xff && (ext == 2 || ext == 4);
}

static bool is_direct(const X86Insn *in)
{
    return in->row->map == MAP_1 &&
           (in->opcode == 0xe8 || in->opcode == 0xe9 || in->opcode == 0xeb);
}

bool tmpl_trace_takes(const X86Insn *in, uint32_t mode)
{
    if (!(in->row->flags & (RF_BRANCH | RF_END | RF_IO | RF_CPL0))) {
        return true;
    }
    if (in->row->enc != ENC_LEGACY || in->lock || in->opsize_prefix) {
        return false;
    }
    if (is_indirect(in)) { /* PUSH follows the target's load: rsp would be the old one */
        return in->is_mem ? in->base != R_SP && in->index != R_SP : in->op[0].reg != R_SP;
    }
    return is_jcc(in) || is_return(in) || is_direct(in) ||
           (tmpl_sys_continues(in, mode) && in->row->map == MAP_1);
}

bool tmpl_trace_leaves(const X86Insn *in)
{
    return in->row->enc == ENC_LEGACY && (is_jcc(in) || is_return(in) || is_indirect(in));
}

bool tmpl_trace_goes(const X86Insn *in, int64_t off, int64_t to)
{
    int64_t next = off + in->len, taken = (int64_t)((uint64_t)next + in->imm); /* of a jump */

    if (in->row->enc == ENC_LEGACY && (is_return(in) || is_indirect(in))) {
        return true;
    }
    if (in->row->enc == ENC_LEGACY && is_jcc(in)) {
        return to == next || to == taken;
    }
    return to == (in->row->enc == ENC_LEGACY && is_direct(in) ? taken : next);
}

static Away *away(Tmpl *t, uint32_t jmp)
{
    Away *a = &t->away[t->naway++];
    *a = (Away){ .jmp = jmp, .in_env = t->in_env, .exit = -1, .again = -1, .late = t->late };
    return a;
}

/* Leaves the trace for `off` if the condition holds. Another page: out of line, where r11
 * is given its address; also where rsp must be brought up to date. */
static void leave_if(Tmpl *t, int cc, int64_t off)
{
    if (tmpl_in_region(t, off) && !t->late) {
        enc_align_rel32(&t->e, 2);
        tmpl_new_exit(t, enc_jcc(&t->e, cc), off);
    } else {
        away(t, enc_jcc(&t->e, cc))->exit = t->nexits;
        tmpl_new_exit(t, 0, off);
    }
}

/* Not at the trace's head: the way out would lead back to it. */
bool tmpl_may_leave(const Tmpl *t, unsigned i)
{
    const TbTrace *tr = tb_trace(t->tb);

    return tr && t->nleaves < TMPL_LEAVES && tr->insn[i].site != WIN_SITE_ANY &&
           tr->insn[t->i].off != tr->insn[0].off;
}

void tmpl_leave(Tmpl *t, int cc)
{
    t->nleaves++;
    away(t, enc_jcc(&t->e, cc))->exit = t->nexits;
    tmpl_new_exit(t, 0, t->off);
}

/* ---- flags made again ----
 *
 * Flags that only the way out of a trace may want need not last until there: the way out
 * executes once more what made them, if the registers are still the same. */

/* How far a push, pop, call or return moves rsp; 0: it is none of them, or of a kind that is
 * not followed. */
static int moves_sp(const X86Insn *in)
{
    unsigned ext = in->modrm >> 3 & 7;

    if (in->row->enc != ENC_LEGACY || in->row->map != MAP_1 || in->opsize_prefix) {
        return 0;
    }
    switch (in->opcode) {
    case 0xc3: return 8;
    case 0x68:
    case 0x6a:
    case 0xe8: return -8;
    case 0xff: return ext == 2 || ext == 6 ? -8 : 0;
    default:
        return (in->opcode & 0xf8) == 0x50                            ? -8
               : (in->opcode & 0xf8) == 0x58 && in->op[0].reg != R_SP ? 8
                                                                      : 0;
    }
}

enum { AGAIN_NOT, AGAIN_SAME, AGAIN_ADD, AGAIN_RESULT };
enum { ADDS_MOST = 1 << 30 };

/* Can the flags of an instruction be made again? By itself (a comparison), by its sum less
 * what was added, or by testing its result. */
static unsigned again_by(const X86Insn *in)
{
    unsigned ext = in->modrm >> 3 & 7;

    if (in->row->enc != ENC_LEGACY || in->row->map != MAP_1 || in->opsize < 4 ||
        in->op[0].kind != OPND_GPR || in->op[0].size < 4 || reg_in_env(in->op[0].reg) ||
        (in->op[1].kind == OPND_GPR && reg_in_env(in->op[1].reg))) {
        return AGAIN_NOT;
    }
    switch (in->opcode) {
    case 0x39:
    case 0x3b:
    case 0x85: return in->is_mem ? AGAIN_NOT : AGAIN_SAME;
    case 0x09:
    case 0x0b:
    case 0x21:
    case 0x23:
    case 0x31:
    case 0x33: return AGAIN_RESULT;
    case 0x81:
    case 0x83:
        if (ext == 0 || ext == 5) {
            return (int64_t)in->imm < ADDS_MOST && (int64_t)in->imm > -ADDS_MOST ? AGAIN_ADD
                                                                               : AGAIN_NOT;
        }
        return ext == 7 ? AGAIN_SAME : ext != 2 && ext != 3 ? AGAIN_RESULT : AGAIN_NOT;
    case 0xf7: return ext == 0 ? AGAIN_SAME : AGAIN_NOT;
    default: return AGAIN_NOT;
    }
}

/* The instruction that made the flags which the current one, a jump, finds in EFLAGS, if
 * they can be made again behind it; else -1. */
static int made_flags(const Tmpl *t, int *moved)
{
    enum { BACK = 24 };
    uint32_t written = 0;
    bool sp = true; /* its moves are known */
    unsigned first = t->i > BACK ? t->i - BACK : 0;

    *moved = 0;
    for (unsigned j = t->i; j >= first && j < t->tb->ninsns; j--) {
        const X86Insn *in = &t->insns[j];
        const FlagUse *f = &t->flags[j];
        if (j < t->i && f->def) {
            unsigned by = again_by(in), d = in->op[0].reg;
            bool other = by == AGAIN_SAME && in->op[1].kind == OPND_GPR &&
                         written >> in->op[1].reg & 1;
            bool same = d == R_SP ? sp && (by == AGAIN_ADD || *moved == 0)
                                  : !(written >> d & 1);
            return f->kill == FLP_ALL && by != AGAIN_NOT && same && !other ? (int)j : -1;
        }
        int by = moves_sp(in);
        *moved += by;
        sp &= by != 0 || (!(t->writes[j] >> R_SP & 1) && !(t->flags[j].cls & TC_STACK));
        written |= t->writes[j] | (by || !sp ? 1u << R_SP : 0);
    }
    return -1;
}

static void make_flags(Tmpl *t, const Away *a)
{
    Enc *e = &t->e;
    const X86Insn *in = &t->insns[a->again];
    int h = host_reg(in->op[0].reg);
    Op op = { .opcode = in->opcode, .w = in->opsize == 8, .imm_len = in->imm_len };
    unsigned by = again_by(in), ext = in->modrm >> 3 & 7;

    if (by == AGAIN_RESULT) {
        op.opcode = 0x85;
        op.imm_len = 0;
        enc_op(e, &op, h, rm_reg(h));
        return;
    }
    if (by == AGAIN_ADD) {
        int64_t was = -(int64_t)(ext == 0 ? in->imm : -in->imm);
        was -= in->op[0].reg == R_SP ? a->moved : 0;
        enc_lea(e, S2, rm_mem(h, (int32_t)was), op.w);
        h = S2;
    }
    bool pair = in->op[1].kind == OPND_GPR;
    enc_op(e, &op, pair ? host_reg(in->reg) : (int)ext, rm_reg(pair ? host_reg(in->rm) : h));
    for (unsigned k = 0; k < in->imm_len; k++) {
        enc_u8(e, in->bytes[in->imm_off + k]);
    }
}

/*
 * Leaves the trace unless S1 is the address that was seen. With the flags in env, or if only
 * the way out may want them and can make them again:
 *     mov r10,[vbase]; lea r10,[r10+succ]; cmp r11,r10; jne away
 * where vbase is known, cmp r11,vbase+succ; jne away
 * in EFLAGS, where they stay:
 *     mov r10,rcx; mov rcx,[vbase]; not rcx; lea rcx,[r11+rcx+1-succ]; jrcxz over
 *     jmp away; over: mov rcx,r10
 */
static void expect(Tmpl *t, bool returns)
{
    Enc *e = &t->e;
    Away *a;
    int moved = 0, again = t->in_env || t->live[t->i + 1] ? -1 : made_flags(t, &moved);

    if (t->in_env || again >= 0) {
        if (t->fixed) {
            enc_alu_ri(e, ALU_CMP, S1, (int32_t)(t->fixed + t->succ), true);
        } else {
            enc_load(e, S2, rm_env(ENV_F(vbase)));
            enc_lea(e, S2, rm_mem(S2, t->succ), true);
            enc_alu_rm(e, ALU_CMP, S1, rm_reg(S2));
        }
        a = away(t, enc_jcc(e, CC_NE));
        a->again = again;
        a->moved = moved;
    } else {
        static const Op not = { .opcode = 0xf7, .w = true };
        enc_mov_rr(e, S2, H_RCX);
        if (t->fixed) {
            enc_lea(e, H_RCX, rm_mem(S1, -(int32_t)(t->fixed + t->succ)), true);
        } else {
            enc_load(e, H_RCX, rm_env(ENV_F(vbase)));
            enc_op(e, &not, 2, rm_reg(H_RCX));
            enc_lea(e, H_RCX, (Rm){ RM_MEM, S1, H_RCX, 0, 1 - t->succ, 0 }, true);
        }
        enc_u8(e, 0xe3);
        enc_u8(e, 5);
        a = away(t, enc_jmp(e));
        a->rcx_in_s2 = true;
        enc_mov_rr(e, H_RCX, S2);
    }
    a->returns = returns;
}

bool tmpl_trace_flow(Tmpl *t, const X86Insn *in)
{
    int64_t next = t->off + in->len, taken = next + (in->row->enc == ENC_LEGACY ? (int64_t)in->imm : 0);

    if (is_jcc(in)) {
        tmpl_restore_flags(t);
        if (taken != next) {
            leave_if(t, t->succ == taken ? (in->opcode & 15) ^ 1 : in->opcode & 15,
                     t->succ == taken ? next : taken);
        }
        return true;
    }
    if (is_direct(in)) {
        if (in->opcode == 0xe8) {
            t->depth++;
            tmpl_push_return(t, in);
        }
        return true;
    }
    if (is_return(in)) {
        tmpl_pop_return(t, in->opcode == 0xc2 ? in->imm & 0xffff : 0);
        expect(t, !t->depth);
        t->depth -= t->depth > 0;
        return true;
    }
    if (is_indirect(in) && tmpl_indirect(t, in)) {
        t->depth += (in->modrm >> 3 & 7) == 2;
        expect(t, false);
        return true;
    }
    return false;
}

void tmpl_trace_away(Tmpl *t)
{
    Enc *e = &t->e;

    for (unsigned i = 0; i < t->naway; i++) {
        const Away *a = &t->away[i];
        enc_patch(e, a->jmp, e->off);
        t->in_env = a->in_env;
        if (a->rcx_in_s2) {
            enc_mov_rr(e, H_RCX, S2);
        }
        if (a->late) {
            enc_lea(e, GSP, rm_mem(GSP, a->late), true);
        }
        if (a->again >= 0) {
            make_flags(t, a);
        }
        if (a->returns) {
            tmpl_return(t);
        } else if (a->exit < 0) {
            tmpl_jump_pc(t);
        } else {
            if (t->exits[a->exit].guarded) {
                enc_load(e, S1, rm_env(ENV_F(vbase)));
                enc_lea(e, S1, rm_mem(S1, t->exits[a->exit].target & ~4095), true);
            }
            enc_align_rel32(e, 1);
            t->exits[a->exit].jmp = enc_jmp(e);
        }
    }
}

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
    *a = (Away){ .jmp = jmp, .in_env = t->in_env, .exit = -1 };
    return a;
}

/* Leaves the trace for `off` if the condition holds. Another page: out of line, where r11
 * is given its address. */
static void leave_if(Tmpl *t, int cc, int64_t off)
{
    if (tmpl_in_region(t, off)) {
        enc_align_rel32(&t->e, 2);
        tmpl_new_exit(t, enc_jcc(&t->e, cc), off);
    } else {
        away(t, enc_jcc(&t->e, cc))->exit = t->nexits;
        tmpl_new_exit(t, 0, off);
    }
}

/*
 * Leaves the trace unless S1 is the address that was seen. With the flags in env:
 *     mov r10,[vbase]; lea r10,[r10+succ]; cmp r11,r10; jne away
 * in EFLAGS, where they stay:
 *     mov r10,rcx; mov rcx,[vbase]; not rcx; lea rcx,[r11+rcx+1-succ]; jrcxz over
 *     jmp away; over: mov rcx,r10
 */
static void expect(Tmpl *t)
{
    Enc *e = &t->e;

    if (t->in_env) {
        enc_load(e, S2, rm_env(ENV_F(vbase)));
        enc_lea(e, S2, rm_mem(S2, t->succ), true);
        enc_alu_rm(e, ALU_CMP, S1, rm_reg(S2));
        away(t, enc_jcc(e, CC_NE));
    } else {
        static const Op not = { .opcode = 0xf7, .w = true };
        enc_mov_rr(e, S2, H_RCX);
        enc_load(e, H_RCX, rm_env(ENV_F(vbase)));
        enc_op(e, &not, 2, rm_reg(H_RCX));
        enc_lea(e, H_RCX, (Rm){ RM_MEM, S1, H_RCX, 0, 1 - t->succ, 0 }, true);
        enc_u8(e, 0xe3);
        enc_u8(e, 5);
        away(t, enc_jmp(e))->rcx_in_s2 = true;
        enc_mov_rr(e, H_RCX, S2);
    }
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
            tmpl_push_return(t, in);
        }
        return true;
    }
    if (is_return(in)) {
        tmpl_pop_return(t, in->opcode == 0xc2 ? in->imm & 0xffff : 0);
        expect(t);
        return true;
    }
    if (is_indirect(in) && tmpl_indirect(t, in)) {
        expect(t);
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
        if (a->exit < 0) {
            tmpl_jump_pc(t);
        } else {
            enc_load(e, S1, rm_env(ENV_F(vbase)));
            enc_lea(e, S1, rm_mem(S1, t->exits[a->exit].target & ~4095), true);
            enc_align_rel32(e, 1);
            t->exits[a->exit].jmp = enc_jmp(e);
        }
    }
}

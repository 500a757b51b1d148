/* SPDX-License-Identifier: MIT */
/*
 * Traces with windows: the guest's stack pointer moved late. A push is `mov gs:[r15+late-8],r`
 * and a note that rsp is 8 less (Tmpl.late); r15 itself is brought up to date, by one LEA, when
 * something reads rsp that cannot add the difference itself, and out of line: at the ways out
 * (Away.late), at slow paths, which put it back (SlowSite.late). For host faults and kicks the
 * trace's description has the difference of each instruction (tb_insn_late).
 *
 * Within an instruction the difference changes behind its last access.
 */
#include "target-x86/template.h"

enum { LATE_MOST = 16000, MOVE_MOST = 8000 };

void tmpl_sp_settle(Tmpl *t)
{
    if (t->late) {
        enc_lea(&t->e, GSP, rm_mem(GSP, t->late), true);
        t->late = 0;
    }
}

void tmpl_sp_move(Tmpl *t, int by)
{
    int late = t->late + by;

    if (t->moves_late && late <= LATE_MOST && late >= -LATE_MOST) {
        t->late = late;
    } else {
        enc_lea(&t->e, GSP, rm_mem(GSP, late), true);
        t->late = 0;
    }
}

void tmpl_sp_undo(Enc *e, int by)
{
    enc_bytes(e, 0xbf8d4d, 3);
    enc_u32(e, by);
}

static bool is_map1(const X86Insn *in)
{
    return in->row->enc == ENC_LEGACY && in->row->map == MAP_1;
}

static bool names_sp(const X86Insn *in)
{
    for (unsigned n = 0; n < in->nops; n++) {
        if (in->op[n].kind == OPND_GPR && in->op[n].reg == R_SP) {
            return true;
        }
    }
    return false;
}

/* How far an instruction moves rsp, if that is all it does but for flags that nobody wants;
 * else 0. */
static int only_moves(const Tmpl *t, const X86Insn *in)
{
    unsigned ext = in->modrm >> 3 & 7;
    int64_t by = 0;

    if (!is_map1(in) || in->opsize != 8 || in->lock || in->op[0].kind != OPND_GPR ||
        in->op[0].reg != R_SP) {
        return 0;
    }
    if (in->opcode == 0x8d) {
        by = in->adsize == 8 && in->base == R_SP && in->index < 0 ? in->disp : 0;
    } else if ((in->opcode == 0x81 || in->opcode == 0x83) && (ext == 0 || ext == 5) &&
               !t->live[t->i + 1]) {
        by = ext == 0 ? (int64_t)in->imm : -(int64_t)in->imm;
    }
    return by <= MOVE_MOST && by >= -MOVE_MOST ? (int)by : 0;
}

/* MOV of eight bytes between registers, one of which is rsp. */
static bool moves_from_or_to(const X86Insn *in)
{
    return is_map1(in) && (in->opcode == 0x89 || in->opcode == 0x8b) && !in->is_mem &&
           in->opsize == 8 && (in->op[0].reg == R_SP) != (in->op[1].reg == R_SP);
}

bool tmpl_sp_insn(Tmpl *t, const X86Insn *in)
{
    int by = only_moves(t, in);

    if (by) {
        tmpl_sp_move(t, by);
        return true;
    }
    if (!t->late || !moves_from_or_to(in)) {
        return false;
    }
    if (in->op[0].reg == R_SP) {
        tmpl_get(t, GSP, in->op[1].reg);
        t->late = 0;
    } else if (reg_in_env(in->op[0].reg)) {
        tmpl_sp_settle(t); /* no access in this instruction */
        return false;
    } else {
        enc_lea(&t->e, host_reg(in->op[0].reg), rm_mem(GSP, t->late), true);
    }
    return true;
}

/* Does the code of this instruction reckon with Tmpl.late? */
static bool knows_late(const Tmpl *t, const X86Insn *in)
{
    unsigned cls = t->flags[t->i].cls, ext = in->modrm >> 3 & 7;
    uint8_t op = in->opcode;

    if (in->row->enc == ENC_LEGACY && in->lock) {
        return false;
    }
    if (in->is_mem && in->base == R_SP) {
        int64_t disp = in->disp + t->late;
        if (in->adsize != 8 || in->seg >= R_FS || disp != (int32_t)disp) {
            return false;
        }
    }
    if (cls & TC_JCC) {
        return true;
    }
    if (is_map1(in)) {
        if (cls & TC_STACK) {
            return op == 0xc2 || op == 0xc3 || op == 0xe8 ||
                   (in->opsize == 8 &&
                    (op == 0x68 || op == 0x6a || in->op[0].reg != R_SP));
        }
        if (op == 0xff && ext == 6) {
            return !in->is_mem && in->opsize == 8 && in->op[0].reg != R_SP;
        }
        if (op == 0xe9 || op == 0xeb || (op == 0xff && (ext == 2 || ext == 4))) {
            return true;
        }
        if (op == 0x8d) {
            return in->opsize == 8 || (in->opsize == 4 && in->op[0].reg != R_SP);
        }
        if (op == 0x90 || op == 0xc9) {
            return op == 0x90 ? !(in->rex & 1) && in->rep != 0xf3 : in->opsize == 8;
        }
    } else if (cls & TC_NO_ACCESS) { /* hints */
        return true;
    }
    if (!(cls & TC_PLAIN)) {
        return false;
    }
    return !names_sp(in) || only_moves(t, in) || moves_from_or_to(in);
}

void tmpl_sp_begin(Tmpl *t, const X86Insn *in)
{
    if (t->late && !knows_late(t, in)) {
        tmpl_sp_settle(t);
    }
}

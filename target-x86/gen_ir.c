/* SPDX-License-Identifier: MIT */
/*
 * IR of a decoded block. Register moves, LEA, NOPs and near direct jumps become core
 * operations; all other instructions are xops that call their reference functions, where
 * the semantics are. 16-bit code is all xops: their function knows that IP wraps.
 *
 * st.rip is kept by count: core operations cannot fault, so their lengths are added up
 * (`pending`) and RIP is moved before the next operation that can, and at exits.
 */
#include "target-x86/gen_ir.h"
#include <stdlib.h>
#include <string.h>
#include "tcg/interp/interp.h"
#include "tcg/ir_build.h"
#include "tcg/opt.h"
#include "util/log.h"

#define GPR(name, n) { name, offsetof(X86Cpu, st.gpr) + 8 * (n) }
const IrGlobal x86_ir_globals[] = {
    GPR("rax", R_AX), GPR("rcx", R_CX), GPR("rdx", R_DX), GPR("rbx", R_BX),
    GPR("rsp", R_SP), GPR("rbp", R_BP), GPR("rsi", R_SI), GPR("rdi", R_DI),
    GPR("r8", R_8), GPR("r9", R_9), GPR("r10", R_10), GPR("r11", R_11),
    GPR("r12", R_12), GPR("r13", R_13), GPR("r14", R_14), GPR("r15", R_15),
    { "rip", offsetof(X86Cpu, st.rip) },
    { "rflags", offsetof(X86Cpu, st.rflags) },
    { "next_rip", offsetof(X86Cpu, next_rip) },
};
const unsigned x86_ir_nglobals = ARRAY_SIZE(x86_ir_globals);
enum { G_RIP = 16, G_RFLAGS, G_NEXT_RIP }; /* registers are their own numbers */

typedef struct Gen {
    IrUnit *u;
    unsigned rip_size;   /* bytes of the instruction pointer: 8, 4, 2 */
    unsigned pending;    /* RIP in env is this much behind */
    bool ended;
} Gen;

/* ---- registers ---- */

static bool is_reg(const X86Opnd *o) { return o->kind == OPND_GPR || o->kind == OPND_GPR8H; }

/* The register's value in the low bytes of the result; what is above is anything. */
static IrVal get_reg(Gen *g, const X86Opnd *o)
{
    if (o->kind == OPND_GPR) {
        return o->reg;
    }
    IrVal t = ir_temp(g->u);
    ir_bin(g->u, IR_shr, 8, t, o->reg, ir_const(g->u, 8));
    return t;
}

/* 32 bits clear the upper half, fewer keep the rest (SDM vol. 1, 3.4.1.1). */
static void put_reg(Gen *g, const X86Opnd *o, IrVal v)
{
    if (o->kind == OPND_GPR8H) {
        ir_deposit(g->u, o->reg, o->reg, v, 8, 8);
    } else if (o->size == 8) {
        ir_mov(g->u, o->reg, v);
    } else if (o->size == 4) {
        ir_un(g->u, IR_extu, 4, o->reg, v);
    } else {
        ir_deposit(g->u, o->reg, o->reg, v, 0, 8 * o->size);
    }
}

/* ---- the instruction pointer ---- */

static void move_rip(Gen *g)
{
    if (g->pending) {
        ir_bin(g->u, IR_add, g->rip_size, G_RIP, G_RIP, ir_const(g->u, g->pending));
        g->pending = 0;
    }
}

static void jump(Gen *g, const X86Insn *in)
{
    ir_bin(g->u, IR_add, g->rip_size, G_NEXT_RIP, G_RIP, ir_const(g->u, in->len + in->imm));
    ir_exit(g->u, X86_IR_JUMP);
}

/* ---- instructions; false: not this form ---- */

static bool gen_NOP(Gen *g, const X86Insn *in) { return true; }

static bool gen_MOV(Gen *g, const X86Insn *in)
{
    if (!is_reg(&in->op[0])) {
        return false;
    }
    if (in->op[1].kind == OPND_IMM) {
        put_reg(g, &in->op[0], ir_const(g->u, in->imm));
        return true;
    }
    if (!is_reg(&in->op[1])) {
        return false;
    }
    put_reg(g, &in->op[0], get_reg(g, &in->op[1]));
    return true;
}

static bool gen_extended(Gen *g, const X86Insn *in, IrOpcode op)
{
    if (!is_reg(&in->op[1])) {
        return false;
    }
    IrVal t = ir_temp(g->u);
    ir_un(g->u, op, in->op[1].size, t, get_reg(g, &in->op[1]));
    put_reg(g, &in->op[0], t);
    return true;
}

static bool gen_MOVZX(Gen *g, const X86Insn *in) { return gen_extended(g, in, IR_extu); }
static bool gen_MOVSX(Gen *g, const X86Insn *in) { return gen_extended(g, in, IR_exts); }

static bool gen_LEA(Gen *g, const X86Insn *in)
{
    IrUnit *u = g->u;
    IrVal a = ir_const(u, in->disp);

    if (in->index >= 0) {
        IrVal t = in->index;
        if (in->scale) {
            t = ir_temp(u);
            ir_bin(u, IR_shl, 8, t, in->index, ir_const(u, in->scale));
        }
        a = ir_temp(u);
        ir_bin(u, IR_add, 8, a, t, ir_const(u, in->disp));
    }
    if (in->base == 16) {
        IrVal t = ir_temp(u);
        ir_bin(u, IR_add, 8, t, G_RIP, ir_const(u, in->disp + g->pending + in->len));
        a = t;
    } else if (in->base >= 0) {
        bool whole = in->op[0].kind == OPND_GPR && in->op[0].size == 8 && in->adsize == 8;
        IrVal t = whole ? in->op[0].reg : ir_temp(u);
        ir_bin(u, IR_add, 8, t, in->base, a);
        if (whole) {
            return true;
        }
        a = t;
    }
    if (in->adsize != 8 && in->adsize < in->op[0].size) {
        IrVal t = ir_temp(u);
        ir_un(u, IR_extu, in->adsize, t, a);
        a = t;
    }
    put_reg(g, &in->op[0], a);
    return true;
}

/* 66H cuts the target outside 64-bit mode: left to the reference function. */
static bool plain_jump(const Gen *g, const X86Insn *in)
{
    return in->op[0].kind == OPND_REL && (g->rip_size == 8 || in->opsize == g->rip_size);
}

static bool gen_JMP(Gen *g, const X86Insn *in)
{
    if (!plain_jump(g, in)) {
        return false;
    }
    move_rip(g);
    jump(g, in);
    g->ended = true;
    return true;
}

/* Conditions as tests of RFLAGS (SDM vol. 1, appendix B); the low bit of cc inverts. */
static void branch_if(Gen *g, unsigned cc, unsigned label)
{
    static const uint16_t masks[6] = { FL_OF, FL_CF, FL_ZF, FL_CF | FL_ZF, FL_SF, FL_PF };
    IrUnit *u = g->u;
    IrVal fl = G_RFLAGS;
    uint64_t mask;

    if (cc >> 1 < 6) {
        mask = masks[cc >> 1];
    } else { /* SF != OF in SF's place; or ZF */
        IrVal t = ir_temp(u), x = ir_temp(u);
        ir_bin(u, IR_shr, 8, t, G_RFLAGS, ir_const(u, 4));
        ir_bin(u, IR_xor, 8, x, t, G_RFLAGS);
        fl = x;
        mask = FL_SF;
        if (cc >> 1 == 7) {
            IrVal y = ir_temp(u), z = ir_temp(u);
            ir_bin(u, IR_and, 8, y, x, ir_const(u, FL_SF));
            ir_bin(u, IR_and, 8, z, G_RFLAGS, ir_const(u, FL_ZF));
            fl = ir_temp(u);
            ir_bin(u, IR_or, 8, fl, y, z);
            mask = FL_SF | FL_ZF;
        }
    }
    ir_brcond(u, cc & 1 ? IRC_tsteq : IRC_tstne, 8, fl, ir_const(u, mask), label);
}

static bool gen_JCC(Gen *g, const X86Insn *in)
{
    unsigned taken;

    if (!plain_jump(g, in)) {
        return false;
    }
    taken = ir_label(g->u);
    move_rip(g);
    branch_if(g, in->opcode & 15, taken);
    g->pending = in->len;
    move_rip(g);
    ir_exit(g->u, X86_IR_EXIT);
    ir_place(g->u, taken);
    jump(g, in);
    g->ended = true;
    return true;
}

/* By the row's mnemonic. Rows with checks of their own never come here. */
static const struct {
    const char *name;
    bool (*gen)(Gen *g, const X86Insn *in);
} gens[] = {
    { "MOV", gen_MOV },     { "Jcc", gen_JCC },     { "LEA", gen_LEA },
    { "JMP", gen_JMP },     { "MOVZX", gen_MOVZX }, { "MOVSX", gen_MOVSX },
    { "MOVSXD", gen_MOVSX }, { "NOP", gen_NOP },    { "ENDBR64", gen_NOP },
    { "ENDBR32", gen_NOP },
};

static bool gen_core(Gen *g, const X86Insn *in)
{
    const X86Row *row = in->row;

    if (g->rip_size == 2 || row->flags & (RF_CHECKED | RF_END) || in->lock || row->enc != ENC_LEGACY) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(gens); i++) {
        if (!strcmp(row->name, gens[i].name)) {
            return gens[i].gen(g, in);
        }
    }
    return false;
}

IrUnit *x86_gen_ir(const X86Insn *insns, unsigned n, uint32_t mode)
{
    Gen g = { .rip_size = mode & HF_CS64 ? 8 : mode & HF_CS32 ? 4 : 2 };
    unsigned xop = g.rip_size == 8 ? X86_XOP_64 : g.rip_size == 4 ? X86_XOP_32 : X86_XOP_16;
    unsigned off = 0;

    g.u = ir_unit_create(x86_ir_globals, x86_ir_nglobals, sizeof(X86Cpu));
    for (unsigned i = 0; i < n && !g.ended; i++) {
        const X86Insn *in = &insns[i];
        ir_insn_start(g.u, off);
        off += in->len;
        if (gen_core(&g, in)) {
            g.pending += in->len;
        } else {
            move_rip(&g);
            bool plain = xop == X86_XOP_64 && !(in->row->flags & RF_CHECKED);
            ir_xop(g.u, &x86_xop_insn[plain ? X86_XOP_PLAIN64 : xop], in);
        }
    }
    if (!g.ended) {
        move_rip(&g);
        ir_exit(g.u, X86_IR_EXIT);
    }
    ir_verify(g.u, "as built");
    ir_optimize(g.u, 0);
    return g.u;
}

bool x86_ir_build(TbCache *c, Tb *tb, const X86Insn *insns)
{
    unsigned nwords;

    tb->insns = tb_alloc(c, tb->ninsns * sizeof(X86Insn));
    if (!tb->insns) {
        return false;
    }
    memcpy(tb->insns, insns, tb->ninsns * sizeof(X86Insn));
    IrUnit *u = x86_gen_ir(tb->insns, tb->ninsns, tb->mode);
    uint32_t *words = interp_emit(u, &nwords);
    uint32_t *code = words ? tb_alloc(c, nwords * sizeof(*words)) : NULL;
    if (code) {
        memcpy(code, words, nwords * sizeof(*words));
    }
    tb->bytecode = code;
    free(words);
    ir_unit_destroy(u);
    return code != NULL;
}

void x86_ir_log(const X86Cpu *cpu, const X86Insn *insns, unsigned n, uint32_t mode)
{
    uint64_t pc = cpu->hflags & HF_CS64 ? cpu->st.rip : cpu->st.seg[R_CS].base + cpu->st.rip;

    if (!log_in_filter(pc)) {
        return;
    }
    IrUnit *u = x86_gen_ir(insns, n, mode);
    FILE *f = log_lock();
    fprintf(f, "OP: %#llx\n", (unsigned long long)pc);
    ir_dump(f, u);
    fputc('\n', f);
    log_unlock(f);
    ir_unit_destroy(u);
}

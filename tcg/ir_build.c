/* SPDX-License-Identifier: MIT */
/* Making units: tcg/ir_build.h. */
#include "tcg/ir_build.h"
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

const IrOpDef ir_op_defs[IR_NOPS] = {
#define X(name, class, outs, ins, consts, flags) { #name, IRK_##class, outs, ins, consts, flags },
    IR_OPS(X)
#undef X
};

const char *const ir_cond_names[IR_NCONDS] = {
#define X(name, ...) #name,
    IR_CONDS(X)
#undef X
};

IrUnit *ir_unit_create(const IrGlobal *globals, unsigned nglobals, uint32_t env_size)
{
    IrUnit *u = NEW(IrUnit);
    u->globals = globals;
    u->nglobals = u->ntemps = nglobals;
    u->env_size = env_size;
    u->cap_ops = 128;
    u->ops = xalloc(u->cap_ops * sizeof(IrOp));
    return u;
}

void ir_unit_destroy(IrUnit *u)
{
    if (u) {
        free(u->ops);
        free(u->consts);
        free(u->payloads);
        free(u);
    }
}

IrVal ir_temp(IrUnit *u)
{
    if (u->ntemps >= IR_MAX_TEMPS) {
        u->failed = true;
        return IR_MAX_TEMPS - 1;
    }
    return u->ntemps++;
}

IrVal ir_const(IrUnit *u, uint64_t v)
{
    for (unsigned i = 0; i < u->nconsts; i++) {
        if (u->consts[i] == v) {
            return IR_CONST | i;
        }
    }
    if (u->nconsts == u->cap_consts) {
        u->cap_consts = u->cap_consts ? 2 * u->cap_consts : 32;
        u->consts = xrealloc(u->consts, u->cap_consts * sizeof(*u->consts));
    }
    if (u->nconsts >= IR_CONST - 1) {
        u->failed = true;
        return IR_CONST;
    }
    u->consts[u->nconsts] = v;
    return IR_CONST | u->nconsts++;
}

unsigned ir_label(IrUnit *u)
{
    if (u->nlabels >= IR_MAX_LABELS) {
        u->failed = true;
        return 0;
    }
    return u->nlabels++;
}

IrOp *ir_emit(IrUnit *u, IrOpcode op)
{
    if (u->nops == u->cap_ops) {
        if (u->cap_ops >= IR_MAX_OPS) {
            u->failed = true;
            u->nops--;
        } else {
            u->cap_ops *= 2;
            u->ops = xrealloc(u->ops, u->cap_ops * sizeof(IrOp));
        }
    }
    IrOp *p = &u->ops[u->nops++];
    memset(p, 0, sizeof(*p));
    p->op = op;
    p->nout = ir_op_defs[op].outs;
    p->nin = ir_op_defs[op].ins;
    return p;
}

void ir_insn_start(IrUnit *u, uint64_t off) { ir_emit(u, IR_insn_start)->c[0] = off; }

void ir_movi(IrUnit *u, IrVal d, uint64_t v)
{
    IrOp *p = ir_emit(u, IR_movi);
    p->out[0] = d;
    p->c[0] = v;
}

void ir_mov(IrUnit *u, IrVal d, IrVal a)
{
    IrOp *p = ir_emit(u, IR_mov);
    p->out[0] = d;
    p->in[0] = a;
}

void ir_ld_env(IrUnit *u, IrVal d, uint32_t off, unsigned size, bool sign)
{
    IrOp *p = ir_emit(u, IR_ld_env);
    p->size = size;
    p->sign = sign;
    p->out[0] = d;
    p->c[0] = off;
}

void ir_st_env(IrUnit *u, uint32_t off, IrVal a, unsigned size)
{
    IrOp *p = ir_emit(u, IR_st_env);
    p->size = size;
    p->in[0] = a;
    p->c[0] = off;
}

void ir_un(IrUnit *u, IrOpcode op, unsigned size, IrVal d, IrVal a)
{
    IrOp *p = ir_emit(u, op);
    p->size = size;
    p->out[0] = d;
    p->in[0] = a;
}

void ir_bin(IrUnit *u, IrOpcode op, unsigned size, IrVal d, IrVal a, IrVal b)
{
    IrOp *p = ir_emit(u, op);
    p->size = size;
    p->out[0] = d;
    p->in[0] = a;
    p->in[1] = b;
}

void ir_mulu2(IrUnit *u, unsigned size, IrVal low, IrVal high, IrVal a, IrVal b)
{
    IrOp *p = ir_emit(u, IR_mulu2);
    p->size = size;
    p->out[0] = low;
    p->out[1] = high;
    p->in[0] = a;
    p->in[1] = b;
}

void ir_deposit(IrUnit *u, IrVal d, IrVal a, IrVal b, unsigned pos, unsigned len)
{
    IrOp *p = ir_emit(u, IR_deposit);
    p->out[0] = d;
    p->in[0] = a;
    p->in[1] = b;
    p->c[0] = pos;
    p->c[1] = len;
}

void ir_setcond(IrUnit *u, IrCond cond, unsigned size, IrVal d, IrVal a, IrVal b)
{
    IrOp *p = ir_emit(u, IR_setcond);
    p->size = size;
    p->cond = cond;
    p->out[0] = d;
    p->in[0] = a;
    p->in[1] = b;
}

void ir_movcond(IrUnit *u, IrCond cond, unsigned size, IrVal d, IrVal a, IrVal b, IrVal x,
                IrVal y)
{
    IrOp *p = ir_emit(u, IR_movcond);
    p->size = size;
    p->cond = cond;
    p->out[0] = d;
    p->in[0] = a;
    p->in[1] = b;
    p->in[2] = x;
    p->in[3] = y;
}

void ir_br(IrUnit *u, unsigned label) { ir_emit(u, IR_br)->c[0] = label; }

void ir_brcond(IrUnit *u, IrCond cond, unsigned size, IrVal a, IrVal b, unsigned label)
{
    IrOp *p = ir_emit(u, IR_brcond);
    p->size = size;
    p->cond = cond;
    p->in[0] = a;
    p->in[1] = b;
    p->c[0] = label;
}

void ir_place(IrUnit *u, unsigned label) { ir_emit(u, IR_label)->c[0] = label; }

void ir_call(IrUnit *u, const Helper *h, IrVal ret, const IrVal *args, unsigned n)
{
    IrOp *p = ir_emit(u, IR_call);
    p->c[0] = (uintptr_t)h;
    p->nout = h->ret != IRT_VOID;
    p->out[0] = p->nout ? ret : 0;
    p->nin = n;
    for (unsigned i = 0; i < n && i < IR_MAX_ARGS; i++) {
        p->in[i] = args[i];
    }
}

void ir_xop(IrUnit *u, const IrXop *x, const void *payload)
{
    if (u->npayloads == u->cap_payloads) {
        u->cap_payloads = u->cap_payloads ? 2 * u->cap_payloads : 64;
        u->payloads = xrealloc(u->payloads, u->cap_payloads * sizeof(*u->payloads));
    }
    u->payloads[u->npayloads] = payload;
    IrOp *p = ir_emit(u, IR_xop);
    p->c[0] = (uintptr_t)x;
    p->c[1] = u->npayloads++;
}

void ir_exit(IrUnit *u, uint64_t code) { ir_emit(u, IR_exit)->c[0] = code; }

/* SPDX-License-Identifier: MIT */
/*
 * Unit to bytecode, in one walk after one that finds how long each temp lives. Branches go
 * forward only, so a temp lives from its first to its last mention and slots are handed out
 * in that order. Frame: a slot per global, then temps, then constants (until the next
 * label).
 */
#include <stdlib.h>
#include <string.h>
#include "tcg/helper.h"
#include "tcg/interp/code.h"
#include "tcg/interp/interp.h"
#include "tcg/opt.h"
#include "util/alloc.h"

enum { NO_SLOT = 0xffff, MAX_CONSTS = 32 };

typedef struct Emit {
    const IrUnit *u;
    uint32_t *w;
    unsigned n, cap;
    unsigned at;                    /* operation under way */
    uint16_t last[IR_MAX_TEMPS];    /* last operation that mentions it */
    uint16_t slot[IR_MAX_TEMPS];
    uint8_t taken[INTERP_SLOTS];
    uint64_t cached;                /* globals whose slot is up to date (first 64) */
    struct {
        IrVal v;
        uint16_t slot;
    } consts[MAX_CONSTS];
    unsigned nconsts;
    uint32_t label_at[IR_MAX_LABELS];
    struct {
        uint32_t word;
        uint16_t label;
    } *fix;
    unsigned nfix, cap_fix;
    bool failed;
} Emit;

/* ---- words ---- */

static void word(Emit *e, uint32_t v)
{
    if (e->n == e->cap) {
        e->cap *= 2;
        e->w = xrealloc(e->w, e->cap * sizeof(*e->w));
    }
    e->w[e->n++] = v;
}

static void first(Emit *e, unsigned op, unsigned operand) { word(e, op | operand << 16); }

static void quad(Emit *e, uint64_t v)
{
    word(e, (uint32_t)v);
    word(e, v >> 32);
}

static void pair(Emit *e, unsigned a, unsigned b) { word(e, a | b << 16); }

static void target(Emit *e, uint64_t label)
{
    if (e->nfix == e->cap_fix) {
        e->cap_fix = e->cap_fix ? 2 * e->cap_fix : 16;
        e->fix = xrealloc(e->fix, e->cap_fix * sizeof(*e->fix));
    }
    e->fix[e->nfix].word = e->n;
    e->fix[e->nfix++].label = (uint16_t)label;
    word(e, 0);
}

static bool fits(uint64_t v) { return (uint64_t)(int32_t)v == v; }

/* ---- slots ---- */

static unsigned take_slot(Emit *e)
{
    for (unsigned i = e->u->nglobals; i < INTERP_SLOTS; i++) {
        if (!e->taken[i]) {
            e->taken[i] = 1;
            return i;
        }
    }
    e->failed = true;
    return INTERP_SLOTS - 1;
}

static void forget_consts(Emit *e)
{
    for (unsigned i = 0; i < e->nconsts; i++) {
        e->taken[e->consts[i].slot] = 0;
    }
    e->nconsts = 0;
}

/* A constant's slot, until the next label or until there are too many (then, between two
 * operations, all are forgotten). */
static unsigned const_slot(Emit *e, IrVal v)
{
    uint64_t n = ir_const_value(e->u, v);

    for (unsigned i = 0; i < e->nconsts; i++) {
        if (e->consts[i].v == v) {
            return e->consts[i].slot;
        }
    }
    unsigned s = take_slot(e);
    e->consts[e->nconsts].v = v;
    e->consts[e->nconsts++].slot = s;
    first(e, fits(n) ? IO_seti : IO_setq, s);
    if (fits(n)) {
        word(e, (uint32_t)n);
    } else {
        quad(e, n);
    }
    return s;
}

/* The slot where an input is now. */
static unsigned in(Emit *e, IrVal v)
{
    if (ir_is_const(v)) {
        return const_slot(e, v);
    }
    if (ir_is_temp(e->u, v)) {
        if (e->slot[v] == NO_SLOT) { /* written on no way here that can be taken */
            e->slot[v] = take_slot(e);
        }
        return e->slot[v];
    }
    if (v >= 64 || !(e->cached >> v & 1)) {
        first(e, IO_get, v);
        word(e, e->u->globals[v].off);
        e->cached |= v < 64 ? BIT(v) : 0;
    }
    return v;
}

static unsigned out(Emit *e, IrVal v)
{
    if (ir_is_global(e->u, v)) {
        return v;
    }
    if (e->slot[v] == NO_SLOT) {
        e->slot[v] = take_slot(e);
    }
    return e->slot[v];
}

/* After an operation that wrote the slot of v. */
static void written(Emit *e, IrVal v)
{
    if (ir_is_global(e->u, v)) {
        first(e, IO_put, v);
        word(e, e->u->globals[v].off);
        e->cached |= v < 64 ? BIT(v) : 0;
    }
}

static void uncache(Emit *e, IrVal g) { e->cached &= ~(g < 64 ? BIT(g) : 0); }

static void release_dead(Emit *e, const IrOp *op)
{
    for (unsigned i = 0; i < op->nin + op->nout; i++) {
        IrVal v = i < op->nin ? op->in[i] : op->out[i - op->nin];
        if (ir_is_temp(e->u, v) && e->last[v] <= e->at && e->slot[v] != NO_SLOT) {
            e->taken[e->slot[v]] = 0;
            e->slot[v] = NO_SLOT;
        }
    }
    if (e->nconsts > MAX_CONSTS - IR_MAX_ARGS) {
        forget_consts(e);
    }
}

/* ---- operations ---- */

static unsigned size_index(unsigned size) { return size == 8 ? 3 : size >> 1; }

static unsigned un_op(unsigned ir)
{
    switch (ir) {
#define X_un(name) case IR_##name: return IO_##name##_1;
#define X_bin(name) case IR_##name: return IO_##name##_1;
#define X_ctl(name)
#define X(name, class, ...) X_##class(name)
        IR_OPS(X)
#undef X
#undef X_un
#undef X_bin
#undef X_ctl
    default: unreachable();
    }
}

static void emit_mov(Emit *e, const IrOp *op)
{
    IrVal d = op->out[0], a = op->in[0];
    const IrUnit *u = e->u;

    if (ir_is_global(u, d) && ir_is_global(u, a)) {
        first(e, IO_env_mov, 0);
        word(e, u->globals[d].off);
        word(e, u->globals[a].off);
        uncache(e, d);
    } else if (ir_is_global(u, d)) {
        first(e, IO_put, in(e, a));
        word(e, u->globals[d].off);
        uncache(e, d);
    } else {
        unsigned s = in(e, a);
        first(e, IO_mov, out(e, d));
        word(e, s);
    }
}

static void emit_movi(Emit *e, const IrOp *op)
{
    IrVal d = op->out[0];

    if (ir_is_global(e->u, d)) {
        first(e, IO_env_setq, 0);
        word(e, e->u->globals[d].off);
        quad(e, op->c[0]);
        uncache(e, d);
    } else if (fits(op->c[0])) {
        first(e, IO_seti, out(e, d));
        word(e, (uint32_t)op->c[0]);
    } else {
        first(e, IO_setq, out(e, d));
        quad(e, op->c[0]);
    }
}

static void emit_un(Emit *e, const IrOp *op)
{
    IrVal d = op->out[0], a = op->in[0];
    const IrUnit *u = e->u;

    if (op->op == IR_extu && op->size == 4 && ir_is_global(u, d) && ir_is_global(u, a)) {
        first(e, IO_env_mov4, 0);
        word(e, u->globals[d].off);
        word(e, u->globals[a].off);
        uncache(e, d);
        return;
    }
    unsigned s = in(e, a);
    first(e, un_op(op->op) + size_index(op->size), out(e, d));
    word(e, s);
    written(e, d);
}

static void emit_xop_words(Emit *e, const IrOp *op)
{
    quad(e, (uintptr_t)((const IrXop *)(uintptr_t)op->c[0])->fn);
    quad(e, (uintptr_t)e->u->payloads[op->c[1]]);
    e->cached = 0;
}

/* env[d] = env[a] + n, fused with an exit or, if d is a, with an xop behind it. */
static void emit_env_add(Emit *e, const IrOp *op, uint32_t n)
{
    const IrGlobal *d = &e->u->globals[op->out[0]], *a = &e->u->globals[op->in[0]];
    const IrOp *next = op + 1;
    bool more = op->size == 8 && e->at + 1 < e->u->nops;

    uncache(e, op->out[0]);
    if (more && next->op == IR_xop && a == d) {
        first(e, IO_add_xop, 0);
        word(e, d->off);
        word(e, n);
        emit_xop_words(e, next);
        e->at++;
        return;
    }
    if (more && next->op == IR_exit) {
        first(e, IO_env_add_exit, next->c[0]);
        e->at++;
    } else {
        first(e, op->size == 8 ? IO_env_add : IO_env_add4, 0);
    }
    word(e, d->off);
    word(e, a->off);
    word(e, n);
}

static void emit_bin(Emit *e, const IrOp *op)
{
    IrVal d = op->out[0], a = op->in[0], b = op->in[1];
    const IrUnit *u = e->u;

    if (ir_is_const(b) && fits(ir_const_value(u, b))) {
        uint32_t n = (uint32_t)ir_const_value(u, b);
        if (op->op == IR_add && op->size >= 4 && ir_is_global(u, d) && ir_is_global(u, a)) {
            emit_env_add(e, op, n);
            return;
        }
        unsigned s = in(e, a);
        first(e, un_op(op->op) + 4 + size_index(op->size), out(e, d));
        word(e, s);
        word(e, n);
    } else {
        unsigned s = in(e, a), t = in(e, b);
        first(e, un_op(op->op) + size_index(op->size), out(e, d));
        pair(e, s, t);
    }
    written(e, d);
}

static void emit_ld(Emit *e, const IrOp *op)
{
    static const uint16_t ops[2][4] = { { IO_ld1, IO_ld2, IO_ld4, IO_get },
                                        { IO_ld1s, IO_ld2s, IO_ld4s, IO_get } };
    first(e, ops[op->sign][size_index(op->size)], out(e, op->out[0]));
    word(e, (uint32_t)op->c[0]);
    written(e, op->out[0]);
}

static void emit_st(Emit *e, const IrOp *op)
{
    static const uint16_t ops[4] = { IO_st1, IO_st2, IO_st4, IO_put };
    unsigned s = in(e, op->in[0]);
    first(e, ops[size_index(op->size)], s);
    word(e, (uint32_t)op->c[0]);
}

static void emit_brcond(Emit *e, const IrOp *op)
{
    IrVal a = op->in[0], b = op->in[1];
    bool imm = op->size == 8 && ir_is_const(b) && fits(ir_const_value(e->u, b));

    if (imm && ir_is_global(e->u, a) && (op->cond == IRC_tsteq || op->cond == IRC_tstne)) {
        first(e, op->cond == IRC_tsteq ? IO_env_br_tsteq : IO_env_br_tstne, 0);
        word(e, e->u->globals[a].off);
        word(e, (uint32_t)ir_const_value(e->u, b));
        target(e, op->c[0]);
        return;
    }
    unsigned s = in(e, a);
    if (imm) {
        first(e, IO_br_eq_i + 2 * op->cond, s);
        word(e, (uint32_t)ir_const_value(e->u, b));
    } else {
        unsigned t = in(e, b);
        first(e, op->size == 8 ? IO_br_eq + 2u * op->cond : IO_brcond,
              op->size == 8 ? 0 : op->cond | op->size << 8);
        pair(e, s, t);
    }
    target(e, op->c[0]);
}

static void emit_call(Emit *e, const IrOp *op)
{
    const Helper *h = (const Helper *)(uintptr_t)op->c[0];
    int shape = helper_shape(h);
    unsigned s[8] = { 0 };
    unsigned d = 0;

    for (unsigned i = 0; i < op->nin; i++) {
        s[i] = in(e, op->in[i]);
    }
    if (op->nout) {
        d = out(e, op->out[0]);
    }
    if (shape >= 0) {
        first(e, IO_call_direct, d);
        quad(e, (uintptr_t)h->fn);
        word(e, shape);
        word(e, s[0] | s[1] << 8 | s[2] << 16 | s[3] << 24);
    } else {
        first(e, IO_call, d);
        quad(e, (uintptr_t)h);
        quad(e, (uintptr_t)helper_cif(h));
        word(e, s[0] | s[1] << 8 | s[2] << 16 | s[3] << 24);
        word(e, s[4] | s[5] << 8);
    }
    if (ir_op_writes_globals(op)) {
        e->cached = 0;
    }
    if (op->nout) {
        written(e, op->out[0]);
    }
}

static void emit_xop(Emit *e, const IrOp *op)
{
    const IrOp *next = op + 1;
    bool ends = e->at + 1 < e->u->nops && next->op == IR_exit && next->c[0] == 0;

    first(e, ends ? IO_xop_exit : IO_xop, 0);
    emit_xop_words(e, op);
    e->at += ends;
}

static void emit_others(Emit *e, const IrOp *op)
{
    unsigned s[4];

    for (unsigned i = 0; i < op->nin; i++) {
        s[i] = in(e, op->in[i]);
    }
    switch (op->op) {
    case IR_mulu2:
        first(e, IO_mulu2, out(e, op->out[0]));
        pair(e, s[0], s[1]);
        pair(e, out(e, op->out[1]), op->size);
        break;
    case IR_deposit:
        first(e, IO_deposit, out(e, op->out[0]));
        pair(e, s[0], s[1]);
        word(e, op->c[0] | op->c[1] << 8);
        break;
    case IR_setcond:
    case IR_movcond:
        first(e, op->op == IR_setcond ? IO_setcond : IO_movcond, out(e, op->out[0]));
        pair(e, s[0], s[1]);
        word(e, op->cond | op->size << 8);
        if (op->op == IR_movcond) {
            pair(e, s[2], s[3]);
        }
        break;
    default:
        unreachable();
    }
    for (unsigned i = 0; i < op->nout; i++) {
        written(e, op->out[i]);
    }
}

static void emit_op(Emit *e, const IrOp *op)
{
    switch (op->op) {
    case IR_insn_start:
        break; /* where the guest is, is in env */
    case IR_movi:
        emit_movi(e, op);
        break;
    case IR_mov:
        emit_mov(e, op);
        break;
    case IR_ld_env:
        emit_ld(e, op);
        break;
    case IR_st_env:
        emit_st(e, op);
        break;
    case IR_label:
        e->label_at[op->c[0]] = e->n;
        e->cached = 0;
        forget_consts(e);
        break;
    case IR_br:
        first(e, IO_br, 0);
        target(e, op->c[0]);
        break;
    case IR_brcond:
        emit_brcond(e, op);
        break;
    case IR_call:
        emit_call(e, op);
        break;
    case IR_xop:
        emit_xop(e, op);
        break;
    case IR_exit:
        first(e, IO_exit, op->c[0]);
        break;
    default:
        if (ir_op_is_un(op->op)) {
            emit_un(e, op);
        } else if (ir_op_is_bin(op->op)) {
            emit_bin(e, op);
        } else {
            emit_others(e, op);
        }
    }
}

/* Where each temp is mentioned last. */
static void find_last(Emit *e)
{
    for (unsigned i = 0; i < e->u->nops; i++) {
        const IrOp *op = &e->u->ops[i];
        for (unsigned k = 0; k < op->nin; k++) {
            if (!ir_is_const(op->in[k])) {
                e->last[op->in[k]] = i;
            }
        }
        for (unsigned k = 0; k < op->nout; k++) {
            e->last[op->out[k]] = i;
        }
    }
}

uint32_t *interp_emit(const IrUnit *u, unsigned *nwords)
{
    Emit *e = NEW(Emit);

    e->u = u;
    e->cap = 256;
    e->w = xalloc(e->cap * sizeof(*e->w));
    e->failed = u->failed || u->nglobals >= INTERP_SLOTS / 2;
    memset(e->slot, 0xff, sizeof(e->slot));
    find_last(e);
    for (; e->at < u->nops && !e->failed; e->at++) {
        const IrOp *op = &u->ops[e->at];
        emit_op(e, op);
        release_dead(e, op);
    }
    for (unsigned i = 0; i < e->nfix; i++) {
        e->w[e->fix[i].word] = e->label_at[e->fix[i].label];
    }
    uint32_t *w = e->w;
    *nwords = e->n;
    if (e->failed) {
        free(w);
        w = NULL;
    }
    free(e->fix);
    free(e);
    return w;
}

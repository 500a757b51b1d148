/* SPDX-License-Identifier: MIT */
/*
 * The intermediate form: a unit is a straight list of operations over 64-bit values.
 *
 * Values: globals (named 64-bit fields of the guest's env, always exact there when anything
 * that may look is called), temps (live for the unit, written any number of times) and
 * constants. Branches go forward only, to labels: a unit always ends, whatever the guest
 * does. env memory that is a global is reached as the global only.
 *
 * A unit belongs to one thread; nothing here locks.
 */
#ifndef TCG_IR_H
#define TCG_IR_H

#include <stdio.h>
#include "tcg/ir_ops.h"
#include "util/compiler.h"

typedef enum IrOpcode {
#define X(name, ...) IR_##name,
    IR_OPS(X)
#undef X
    IR_NOPS
} IrOpcode;

typedef enum IrCond {
#define X(name, ...) IRC_##name,
    IR_CONDS(X)
#undef X
    IR_NCONDS
} IrCond;

enum { IRK_ctl, IRK_un, IRK_bin }; /* classes of ir_ops.h */
typedef struct IrOpDef {
    const char *name;
    uint8_t class, outs, ins, consts, flags;
} IrOpDef;
extern const IrOpDef ir_op_defs[IR_NOPS];
static inline bool ir_op_is_un(IrOpcode op) { return ir_op_defs[op].class == IRK_un; }
static inline bool ir_op_is_bin(IrOpcode op) { return ir_op_defs[op].class == IRK_bin; }
extern const char *const ir_cond_names[IR_NCONDS];

/* A value: [0, nglobals) globals, then temps; constants have IR_CONST set. */
typedef uint16_t IrVal;
#define IR_CONST 0x8000u

enum {
    IR_MAX_TEMPS = 512,  /* with the globals */
    IR_MAX_LABELS = 256,
    IR_MAX_OPS = 8192,
    IR_MAX_ARGS = 6,
};

typedef struct IrGlobal {
    const char *name;
    uint32_t off;        /* of a uint64_t in env */
} IrGlobal;

typedef struct IrOp {
    uint8_t op;          /* IR_* */
    uint8_t size;        /* bytes; 0 where IRF_SIZED is not set */
    uint8_t cond;        /* IRC_* */
    uint8_t sign;        /* ld_env: sign-extends */
    uint8_t nout, nin;
    IrVal out[2], in[IR_MAX_ARGS];
    uint64_t c[2];       /* constants; call: Helper *; xop: IrXop *, payload's number */
} IrOp;

/* An instruction of the guest that a function executes. Returns true to leave the unit (as
 * exit 0). Sees and may change all of env; may not return at all (longjmp). */
typedef bool IrXopFn(void *env, const void *payload);
typedef struct IrXop {
    const char *name;
    IrXopFn *fn;
} IrXop;

typedef struct IrUnit {
    const IrGlobal *globals;
    unsigned nglobals;
    uint32_t env_size;   /* ld_env and st_env stay below */
    IrOp *ops;
    unsigned nops, cap_ops;
    unsigned ntemps;     /* with the globals: first free number */
    unsigned nlabels;
    uint64_t *consts;
    unsigned nconsts, cap_consts;
    const void **payloads;
    unsigned npayloads, cap_payloads;
    bool failed;         /* a limit was passed: no use */
} IrUnit;

static inline bool ir_is_const(IrVal v) { return v & IR_CONST; }
static inline bool ir_is_global(const IrUnit *u, IrVal v) { return v < u->nglobals; }
static inline bool ir_is_temp(const IrUnit *u, IrVal v)
{
    return v >= u->nglobals && !ir_is_const(v);
}
static inline uint64_t ir_const_value(const IrUnit *u, IrVal v)
{
    return u->consts[v & ~IR_CONST];
}
/* Depends on its inputs alone and does nothing but write its outputs (ld_env: reads env,
 * still removable). */
static inline bool ir_is_removable(const IrOp *op)
{
    return !(ir_op_defs[op->op].flags & IRF_KEEP);
}

/* ---- text form: one operation a line,
 *          name[.size[s]][.cond] outs, ins, constants
 * temps t0 t1 ..., globals by name, constants $0x.., labels L0 ..., payloads #0 ...;
 * `;` begins a comment. ---- */
struct Helper;
typedef struct IrNames {   /* what a text may refer to */
    const struct Helper *const *helpers;
    unsigned nhelpers;
    const IrXop *const *xops;
    unsigned nxops;
    const void *const *payloads;
    unsigned npayloads;
} IrNames;

void ir_dump(FILE *f, const IrUnit *u);
void ir_dump_op(FILE *f, const IrUnit *u, const IrOp *op);
/* Adds the text's operations to an empty unit. On false `msg` says what is wrong. */
bool ir_parse(IrUnit *u, const char *text, const IrNames *names, char *msg, size_t size);
/* The same operations on the same values? */
bool ir_equal(const IrUnit *a, const IrUnit *b);

/* The verifier: returns how many rules are broken and describes the first ones in `msg`. */
unsigned ir_check(const IrUnit *u, char *msg, size_t size);
/* With --enable-checks: a broken unit is printed and the program ends. */
void ir_verify(const IrUnit *u, const char *where);

#endif

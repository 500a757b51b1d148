/* SPDX-License-Identifier: MIT */
/*
 * The passes over a unit. Each is a row with a name; a mask switches rows off.
 *
 * A pass keeps the unit valid and its effects the same, never grows it, and always ends. It
 * removes an operation by turning it into one with op = IR_NOPS; the driver sweeps those out.
 */
#ifndef TCG_OPT_H
#define TCG_OPT_H

#include "tcg/ir.h"

typedef struct IrPass {
    const char *name, *what;
    bool (*run)(IrUnit *u);   /* did it change anything? */
} IrPass;

enum { IR_PASS_COPY, IR_PASS_FOLD, IR_PASS_DCE, IR_NPASSES };
extern const IrPass ir_passes[IR_NPASSES];

/* Bit n of `off` leaves row n out. With --enable-checks the unit is verified after each. */
void ir_optimize(IrUnit *u, uint32_t off);
/* The row of that name, or -1. */
int ir_pass_find(const char *name);

bool ir_opt_copy(IrUnit *u);
bool ir_opt_fold(IrUnit *u);
bool ir_opt_dce(IrUnit *u);

/* What a call or xop may do to globals. */
bool ir_op_writes_globals(const IrOp *op);
bool ir_op_reads_globals(const IrOp *op);

#endif

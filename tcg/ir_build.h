/* SPDX-License-Identifier: MIT */
/*
 * Making units. Every function appends one operation; past the limits of ir.h the unit is
 * marked failed and nothing more is added.
 */
#ifndef TCG_IR_BUILD_H
#define TCG_IR_BUILD_H

#include "tcg/helper.h"
#include "tcg/ir.h"

IrUnit *ir_unit_create(const IrGlobal *globals, unsigned nglobals, uint32_t env_size);
void ir_unit_destroy(IrUnit *u);

IrVal ir_temp(IrUnit *u);
IrVal ir_const(IrUnit *u, uint64_t v);
unsigned ir_label(IrUnit *u);

/* An operation with everything but its name still to be set; never NULL. */
IrOp *ir_emit(IrUnit *u, IrOpcode op);

void ir_insn_start(IrUnit *u, uint64_t off);
void ir_movi(IrUnit *u, IrVal d, uint64_t v);
void ir_mov(IrUnit *u, IrVal d, IrVal a);
void ir_ld_env(IrUnit *u, IrVal d, uint32_t off, unsigned size, bool sign);
void ir_st_env(IrUnit *u, uint32_t off, IrVal a, unsigned size);
void ir_un(IrUnit *u, IrOpcode op, unsigned size, IrVal d, IrVal a);
void ir_bin(IrUnit *u, IrOpcode op, unsigned size, IrVal d, IrVal a, IrVal b);
void ir_mulu2(IrUnit *u, unsigned size, IrVal low, IrVal high, IrVal a, IrVal b);
void ir_deposit(IrUnit *u, IrVal d, IrVal a, IrVal b, unsigned pos, unsigned len);
void ir_setcond(IrUnit *u, IrCond cond, unsigned size, IrVal d, IrVal a, IrVal b);
void ir_movcond(IrUnit *u, IrCond cond, unsigned size, IrVal d, IrVal a, IrVal b, IrVal x,
                IrVal y);
void ir_br(IrUnit *u, unsigned label);
void ir_brcond(IrUnit *u, IrCond cond, unsigned size, IrVal a, IrVal b, unsigned label);
void ir_place(IrUnit *u, unsigned label);
/* ret is ignored if the helper returns nothing. */
void ir_call(IrUnit *u, const Helper *h, IrVal ret, const IrVal *args, unsigned n);
/* The payload must live as long as the unit's code. */
void ir_xop(IrUnit *u, const IrXop *x, const void *payload);
void ir_exit(IrUnit *u, uint64_t code);

#endif

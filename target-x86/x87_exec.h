/* SPDX-License-Identifier: MIT */
/* The x87 reference functions, named by the manual; for rows_x87.c. Heavy code. */
#ifndef TARGET_X86_X87_EXEC_H
#define TARGET_X86_X87_EXEC_H

#include "target-x86/insn.h"

/* x87_arith.c */
X86ExecFn x87_exec_ARITH, x87_exec_FSQRT, x87_exec_FRNDINT, x87_exec_FCOM, x87_exec_FCOMP,
    x87_exec_FCOMPP, x87_exec_FUCOM, x87_exec_FUCOMP, x87_exec_FUCOMPP, x87_exec_FTST,
    x87_exec_FCOMI, x87_exec_FCOMIP, x87_exec_FUCOMI, x87_exec_FUCOMIP, x87_exec_FXAM;
/* x87_misc.c */
X86ExecFn x87_exec_FPREM, x87_exec_FPREM1, x87_exec_FSCALE, x87_exec_FXTRACT;
/* x87_move.c */
X86ExecFn x87_exec_FLD_m, x87_exec_FLD_m80, x87_exec_FLD_st, x87_exec_FILD, x87_exec_FBLD,
    x87_exec_FST_m, x87_exec_FSTP_m80, x87_exec_FST_st, x87_exec_FSTP_st, x87_exec_FSTP1,
    x87_exec_FIST, x87_exec_FISTTP, x87_exec_FBSTP, x87_exec_FLDconst, x87_exec_FXCH,
    x87_exec_FCMOV, x87_exec_FABS, x87_exec_FCHS, x87_exec_FFREE, x87_exec_FFREEP,
    x87_exec_FINCSTP, x87_exec_FDECSTP;
/* x87_ctl.c */
X86ExecFn x87_exec_FNOP, x87_exec_FWAIT, x87_exec_FNINIT, x87_exec_FNCLEX, x87_exec_FLDCW,
    x87_exec_FNSTCW, x87_exec_FNSTSW, x87_exec_FLDENV, x87_exec_FNSTENV, x87_exec_FRSTOR,
    x87_exec_FNSAVE;
/* x87_trans.c */
X86ExecFn x87_exec_TRANS;

#endif

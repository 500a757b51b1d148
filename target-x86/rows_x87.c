/* SPDX-License-Identifier: MIT */
/*
 * Rows of the x87 instructions D8..DF and FWAIT. SDM vol. 2, tables. The
 * undocumented aliases (FCOM2, FCOMP3, FCOMP5, FXCH4, FXCH7, FSTP1, FSTP8, FSTP9, FFREEP)
 * and the 8087/80287 leftovers FENI, FDISI, FSETPM, which do nothing, are there too.
 * Reference functions: x87_*.c.
 */
#include "target-x86/opcodes.h"
#include "target-x86/x87_exec.h"

#define R ROLE_R
#define W ROLE_W
#define RW ROLE_RW

/* Memory form: opcode, /digit, operand, its role. */
#define XM(nm, o, e, opnd, role, ex)                                                      \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .ops = { opnd }, .w = { role },   \
      .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_MEM, .exec = x87_exec_##ex }
/* ST(0) and ST(i), in this order (XR) or the other (XRR); roles of the two. */
#define XR(nm, o, e, ra, rb, ex)                                                          \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .ops = { ST0, STi },              \
      .w = { ra, rb }, .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_REG,                     \
      .exec = x87_exec_##ex }
#define XRR(nm, o, e, ra, rb, ex)                                                         \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .ops = { STi, ST0 },              \
      .w = { ra, rb }, .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_REG,                     \
      .exec = x87_exec_##ex }
/* ST(i) alone. */
#define XI(nm, o, e, role, ex)                                                            \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .ops = { STi }, .w = { role },    \
      .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_REG, .exec = x87_exec_##ex }
/* No operand in the encoding: /digit and rm fixed. */
#define X0(nm, o, e, n, ex)                                                               \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .rm = EXT(n),                     \
      .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_REG, .exec = x87_exec_##ex }
/* The same without a look at pending exceptions. */
#define XN(nm, o, e, n, ex)                                                               \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .rm = EXT(n),                     \
      .flags = RF_FPU | RF_PLAIN | RF_REG, .exec = x87_exec_##ex }
/* Memory form with other flags; not for native re-emission unless they say so. */
#define XC(nm, o, e, opnd, role, fl, ex)                                                  \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .ops = { opnd }, .w = { role },   \
      .flags = RF_FPU | RF_MEM | (fl), .exec = x87_exec_##ex }
#define XT(o, opnd)                                                                       \
    { .name = "FISTTP", .map = MAP_1, .op = o, .ext = EXT(1), .ops = { opnd },            \
      .w = { W }, .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_MEM, .feat = X86F_SSE3,       \
      .exec = x87_exec_FISTTP }
/* Compares into EFLAGS and moves by them. */
#define XF(nm, o, e, ex)                                                                  \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .ops = { ST0, STi },              \
      .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_REG, .feat = X86F_CMOV,                   \
      .fl_def = FL_STATUS, .fl_use = FL_STATUS, .exec = x87_exec_##ex }
#define XCM(nm, o, e, use)                                                                \
    { .name = nm, .map = MAP_1, .op = o, .ext = EXT(e), .ops = { ST0, STi },              \
      .w = { RW, R }, .flags = RF_FPU | RF_WAIT | RF_PLAIN | RF_REG, .feat = X86F_CMOV,   \
      .fl_use = use, .exec = x87_exec_FCMOV }

const X86Row x86_rows_x87[] = {
    { .name = "FWAIT", .map = MAP_1, .op = 0x9b, .flags = RF_WAIT | RF_PLAIN,
      .exec = x87_exec_FWAIT },

    /* D8: single precision; ST(0) op ST(i) */
    XM("FADD", 0xd8, 0, Md, R, ARITH),
    XM("FMUL", 0xd8, 1, Md, R, ARITH),
    XM("FCOM", 0xd8, 2, Md, R, FCOM),
    XM("FCOMP", 0xd8, 3, Md, R, FCOMP),
    XM("FSUB", 0xd8, 4, Md, R, ARITH),
    XM("FSUBR", 0xd8, 5, Md, R, ARITH),
    XM("FDIV", 0xd8, 6, Md, R, ARITH),
    XM("FDIVR", 0xd8, 7, Md, R, ARITH),
    XR("FADD", 0xd8, 0, RW, R, ARITH),
    XR("FMUL", 0xd8, 1, RW, R, ARITH),
    XR("FCOM", 0xd8, 2, R, R, FCOM),
    XR("FCOMP", 0xd8, 3, R, R, FCOMP),
    XR("FSUB", 0xd8, 4, RW, R, ARITH),
    XR("FSUBR", 0xd8, 5, RW, R, ARITH),
    XR("FDIV", 0xd8, 6, RW, R, ARITH),
    XR("FDIVR", 0xd8, 7, RW, R, ARITH),

    /* D9 */
    XM("FLD", 0xd9, 0, Md, R, FLD_m),
    XM("FST", 0xd9, 2, Md, W, FST_m),
    XM("FSTP", 0xd9, 3, Md, W, FST_m),
    XC("FLDENV", 0xd9, 4, M_, R, RF_WAIT, FLDENV),
    XC("FLDCW", 0xd9, 5, Mw, R, RF_WAIT | RF_PLAIN, FLDCW),
    XC("FNSTENV", 0xd9, 6, M_, W, 0, FNSTENV),
    XC("FNSTCW", 0xd9, 7, Mw, W, RF_PLAIN, FNSTCW),
    XI("FLD", 0xd9, 0, R, FLD_st),
    XR("FXCH", 0xd9, 1, RW, RW, FXCH),
    X0("FNOP", 0xd9, 2, 0, FNOP),
    XI("FSTP1", 0xd9, 3, W, FSTP1),
    X0("FCHS", 0xd9, 4, 0, FCHS),
    X0("FABS", 0xd9, 4, 1, FABS),
    X0("FTST", 0xd9, 4, 4, FTST),
    X0("FXAM", 0xd9, 4, 5, FXAM),
    X0("FLD1", 0xd9, 5, 0, FLDconst),
    X0("FLDL2T", 0xd9, 5, 1, FLDconst),
    X0("FLDL2E", 0xd9, 5, 2, FLDconst),
    X0("FLDPI", 0xd9, 5, 3, FLDconst),
    X0("FLDLG2", 0xd9, 5, 4, FLDconst),
    X0("FLDLN2", 0xd9, 5, 5, FLDconst),
    X0("FLDZ", 0xd9, 5, 6, FLDconst),
    X0("F2XM1", 0xd9, 6, 0, TRANS),
    X0("FYL2X", 0xd9, 6, 1, TRANS),
    X0("FPTAN", 0xd9, 6, 2, TRANS),
    X0("FPATAN", 0xd9, 6, 3, TRANS),
    X0("FXTRACT", 0xd9, 6, 4, FXTRACT),
    X0("FPREM1", 0xd9, 6, 5, FPREM1),
    X0("FDECSTP", 0xd9, 6, 6, FDECSTP),
    X0("FINCSTP", 0xd9, 6, 7, FINCSTP),
    X0("FPREM", 0xd9, 7, 0, FPREM),
    X0("FYL2XP1", 0xd9, 7, 1, TRANS),
    X0("FSQRT", 0xd9, 7, 2, FSQRT),
    X0("FSINCOS", 0xd9, 7, 3, TRANS),
    X0("FRNDINT", 0xd9, 7, 4, FRNDINT),
    X0("FSCALE", 0xd9, 7, 5, FSCALE),
    X0("FSIN", 0xd9, 7, 6, TRANS),
    X0("FCOS", 0xd9, 7, 7, TRANS),

    /* DA: 32-bit integers; conditional moves */
    XM("FIADD", 0xda, 0, Md, R, ARITH),
    XM("FIMUL", 0xda, 1, Md, R, ARITH),
    XM("FICOM", 0xda, 2, Md, R, FCOM),
    XM("FICOMP", 0xda, 3, Md, R, FCOMP),
    XM("FISUB", 0xda, 4, Md, R, ARITH),
    XM("FISUBR", 0xda, 5, Md, R, ARITH),
    XM("FIDIV", 0xda, 6, Md, R, ARITH),
    XM("FIDIVR", 0xda, 7, Md, R, ARITH),
    XCM("FCMOVB", 0xda, 0, FL_CF),
    XCM("FCMOVE", 0xda, 1, FL_ZF),
    XCM("FCMOVBE", 0xda, 2, FL_CF | FL_ZF),
    XCM("FCMOVU", 0xda, 3, FL_PF),
    X0("FUCOMPP", 0xda, 5, 1, FUCOMPP),

    /* DB */
    XM("FILD", 0xdb, 0, Md, R, FILD),
    XT(0xdb, Md),
    XM("FIST", 0xdb, 2, Md, W, FIST),
    XM("FISTP", 0xdb, 3, Md, W, FIST),
    XM("FLD", 0xdb, 5, Mt, R, FLD_m80),
    XM("FSTP", 0xdb, 7, Mt, W, FSTP_m80),
    XCM("FCMOVNB", 0xdb, 0, FL_CF),
    XCM("FCMOVNE", 0xdb, 1, FL_ZF),
    XCM("FCMOVNBE", 0xdb, 2, FL_CF | FL_ZF),
    XCM("FCMOVNU", 0xdb, 3, FL_PF),
    XN("FNENI", 0xdb, 4, 0, FWAIT),
    XN("FNDISI", 0xdb, 4, 1, FWAIT),
    XN("FNCLEX", 0xdb, 4, 2, FNCLEX),
    XN("FNINIT", 0xdb, 4, 3, FNINIT),
    XN("FNSETPM", 0xdb, 4, 4, FWAIT),
    XF("FUCOMI", 0xdb, 5, FUCOMI),
    XF("FCOMI", 0xdb, 6, FCOMI),

    /* DC: double precision; ST(i) op ST(0) */
    XM("FADD", 0xdc, 0, Mq, R, ARITH),
    XM("FMUL", 0xdc, 1, Mq, R, ARITH),
    XM("FCOM", 0xdc, 2, Mq, R, FCOM),
    XM("FCOMP", 0xdc, 3, Mq, R, FCOMP),
    XM("FSUB", 0xdc, 4, Mq, R, ARITH),
    XM("FSUBR", 0xdc, 5, Mq, R, ARITH),
    XM("FDIV", 0xdc, 6, Mq, R, ARITH),
    XM("FDIVR", 0xdc, 7, Mq, R, ARITH),
    XRR("FADD", 0xdc, 0, RW, R, ARITH),
    XRR("FMUL", 0xdc, 1, RW, R, ARITH),
    XR("FCOM2", 0xdc, 2, R, R, FCOM),
    XR("FCOMP3", 0xdc, 3, R, R, FCOMP),
    XRR("FSUBR", 0xdc, 4, RW, R, ARITH),
    XRR("FSUB", 0xdc, 5, RW, R, ARITH),
    XRR("FDIVR", 0xdc, 6, RW, R, ARITH),
    XRR("FDIV", 0xdc, 7, RW, R, ARITH),

    /* DD */
    XM("FLD", 0xdd, 0, Mq, R, FLD_m),
    XT(0xdd, Mq),
    XM("FST", 0xdd, 2, Mq, W, FST_m),
    XM("FSTP", 0xdd, 3, Mq, W, FST_m),
    XC("FRSTOR", 0xdd, 4, M_, R, RF_WAIT, FRSTOR),
    XC("FNSAVE", 0xdd, 6, M_, W, 0, FNSAVE),
    XC("FNSTSW", 0xdd, 7, Mw, W, RF_PLAIN, FNSTSW),
    XI("FFREE", 0xdd, 0, ROLE_NONE, FFREE),
    XR("FXCH4", 0xdd, 1, RW, RW, FXCH),
    XI("FST", 0xdd, 2, W, FST_st),
    XI("FSTP", 0xdd, 3, W, FSTP_st),
    XR("FUCOM", 0xdd, 4, R, R, FUCOM),
    XR("FUCOMP", 0xdd, 5, R, R, FUCOMP),

    /* DE: 16-bit integers; ST(i) op ST(0), pop */
    XM("FIADD", 0xde, 0, Mw, R, ARITH),
    XM("FIMUL", 0xde, 1, Mw, R, ARITH),
    XM("FICOM", 0xde, 2, Mw, R, FCOM),
    XM("FICOMP", 0xde, 3, Mw, R, FCOMP),
    XM("FISUB", 0xde, 4, Mw, R, ARITH),
    XM("FISUBR", 0xde, 5, Mw, R, ARITH),
    XM("FIDIV", 0xde, 6, Mw, R, ARITH),
    XM("FIDIVR", 0xde, 7, Mw, R, ARITH),
    XRR("FADDP", 0xde, 0, RW, R, ARITH),
    XRR("FMULP", 0xde, 1, RW, R, ARITH),
    XR("FCOMP5", 0xde, 2, R, R, FCOMP),
    X0("FCOMPP", 0xde, 3, 1, FCOMPP),
    XRR("FSUBRP", 0xde, 4, RW, R, ARITH),
    XRR("FSUBP", 0xde, 5, RW, R, ARITH),
    XRR("FDIVRP", 0xde, 6, RW, R, ARITH),
    XRR("FDIVP", 0xde, 7, RW, R, ARITH),

    /* DF */
    XM("FILD", 0xdf, 0, Mw, R, FILD),
    XT(0xdf, Mw),
    XM("FIST", 0xdf, 2, Mw, W, FIST),
    XM("FISTP", 0xdf, 3, Mw, W, FIST),
    XM("FBLD", 0xdf, 4, Mt, R, FBLD),
    XM("FILD", 0xdf, 5, Mq, R, FILD),
    XM("FBSTP", 0xdf, 6, Mt, W, FBSTP),
    XM("FISTP", 0xdf, 7, Mq, W, FIST),
    XI("FFREEP", 0xdf, 0, ROLE_NONE, FFREEP),
    XR("FXCH7", 0xdf, 1, RW, RW, FXCH),
    XI("FSTP8", 0xdf, 2, W, FSTP_st),
    XI("FSTP9", 0xdf, 3, W, FSTP_st),
    { .name = "FNSTSW", .map = MAP_1, .op = 0xdf, .ext = EXT(4), .rm = EXT(0),
      .ops = { FAX }, .w = { W }, .flags = RF_FPU | RF_PLAIN | RF_REG,
      .exec = x87_exec_FNSTSW },
    XF("FUCOMIP", 0xdf, 5, FUCOMIP),
    XF("FCOMIP", 0xdf, 6, FCOMIP),
};
const unsigned x86_n_rows_x87 = ARRAY_SIZE(x86_rows_x87);

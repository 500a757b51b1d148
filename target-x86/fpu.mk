libtargetx86_a_SOURCES += target-x86/softfloat.c target-x86/softfloat_ieee.c \
	target-x86/softfloat.h target-x86/fpu.c target-x86/fpu.h target-x86/rows_x87.c \
	target-x86/x87.c target-x86/x87.h target-x86/x87_exec.h target-x86/x87_arith.c \
	target-x86/x87_misc.c target-x86/x87_move.c target-x86/x87_ctl.c \
	target-x86/x87_trans.c target-x86/x87_trans.h target-x86/x87_trans_portable.c

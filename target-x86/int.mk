# integer room: decoder, row tables and reference functions (leaf)
libx86leaf_a_SOURCES += \
	target-x86/decode.c target-x86/decode.h \
	target-x86/exec.c \
	target-x86/flags.h \
	target-x86/insn_tables.c \
	target-x86/rows_alu.c \
	target-x86/rows_bit.c \
	target-x86/rows_branch.c \
	target-x86/rows_mov.c \
	target-x86/rows_shift.c \
	target-x86/rows_stack.c \
	target-x86/rows_string.c \
	target-x86/rows_util.h
libtargetx86_a_SOURCES +=

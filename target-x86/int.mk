# integer room: decoder, row tables and reference functions (leaf)
libx86leaf_a_SOURCES += \
	target-x86/decode.c target-x86/decode.h \
	target-x86/decode_index.c target-x86/decode_int.h \
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

# insn_tables.c names the families weakly, so that a test may link the integer ones alone;
# whatever wants them all (dyad does) links with these flags.
X86_FAMILIES = \
	-Wl,-u,x86_rows_sys -Wl,-u,x86_rows_seg -Wl,-u,x86_rows_far -Wl,-u,x86_rows_io -Wl,-u,x86_rows_xsave \
	-Wl,-u,x86_rows_x87 -Wl,-u,x86_rows_mmx -Wl,-u,x86_rows_sse -Wl,-u,x86_rows_avx \
	-Wl,-u,x86_rows_crypto -Wl,-u,x86_rows_sse_fp -Wl,-u,x86_rows_fma \
	-Wl,-u,x86_rows_opmask -Wl,-u,x86_rows_evex -Wl,-u,x86_rows_evex_fp
dyad_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)

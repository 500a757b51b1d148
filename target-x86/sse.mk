# vector room: rows and reference functions of MMX, SSE, AVX, FMA, AES, SHA, GFNI (heavy)
libx86leaf_a_SOURCES +=
libtargetx86_a_SOURCES += \
	target-x86/rows_avx.c \
	target-x86/evex_rows.h \
	target-x86/rows_crypto.c \
	target-x86/rows_evex.c \
	target-x86/rows_evex_fp.c \
	target-x86/rows_opmask.c \
	target-x86/rows_fma.c \
	target-x86/rows_mmx.c \
	target-x86/rows_sse.c \
	target-x86/rows_sse_fp.c \
	target-x86/vec.c target-x86/vec.h \
	target-x86/vec_avx.c \
	target-x86/vec_crypto.c \
	target-x86/vec_cvt.c \
	target-x86/vec_evex.c \
	target-x86/vec_evex_cvt.c \
	target-x86/vec_evex_fp.c \
	target-x86/vec_evex_mov.c \
	target-x86/vec_exec.h \
	target-x86/vec_fp.c target-x86/vec_fp.h \
	target-x86/vec_int.c \
	target-x86/vec_mov.c \
	target-x86/vec_opmask.c \
	target-x86/vec_rows.h \
	target-x86/vec_shuf.c \
	target-x86/vec_str.c

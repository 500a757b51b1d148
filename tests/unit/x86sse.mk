# tests of the x86sse room
check_PROGRAMS += tests/unit/test_exec_sse tests/unit/test_vec
TESTS += tests/unit/test_exec_sse tests/unit/test_vec

X86_VECTOR_FAMILIES = \
	-Wl,-u,x86_rows_mmx -Wl,-u,x86_rows_sse -Wl,-u,x86_rows_sse_fp -Wl,-u,x86_rows_avx \
	-Wl,-u,x86_rows_fma -Wl,-u,x86_rows_crypto -Wl,-u,x86_rows_opmask -Wl,-u,x86_rows_evex \
	-Wl,-u,x86_rows_evex_fp

tests_unit_test_exec_sse_SOURCES = tests/unit/test_exec_sse.c \
	tests/unit/hostjudge.c tests/unit/hostjudge.h tests/unit/insn_gen.c \
	tests/unit/insn_gen.h tests/unit/x86_flat_access.c tests/unit/x86_flat_access.h
tests_unit_test_exec_sse_LDFLAGS = $(AM_LDFLAGS) $(X86_VECTOR_FAMILIES)
tests_unit_test_exec_sse_LDADD = libtargetx86.a libx86leaf.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_exec_sse_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

tests_unit_test_vec_SOURCES = tests/unit/test_vec.c \
	tests/unit/x86_flat_access.c tests/unit/x86_flat_access.h
tests_unit_test_vec_LDFLAGS = $(AM_LDFLAGS) $(X86_VECTOR_FAMILIES)
tests_unit_test_vec_LDADD = libtargetx86.a libx86leaf.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_vec_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += tests/unit/test_decode_evex
TESTS += tests/unit/test_decode_evex
tests_unit_test_decode_evex_SOURCES = tests/unit/test_decode_evex.c \
	tests/unit/hostjudge.c tests/unit/hostjudge.h tests/unit/insn_gen.c \
	tests/unit/insn_gen.h tests/unit/x86_flat_access.c tests/unit/x86_flat_access.h
tests_unit_test_decode_evex_LDFLAGS = $(AM_LDFLAGS) $(X86_VECTOR_FAMILIES)
tests_unit_test_decode_evex_LDADD = libtargetx86.a libx86leaf.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_decode_evex_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

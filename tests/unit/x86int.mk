# tests of the x86int room
check_PROGRAMS += tests/unit/test_exec_int tests/unit/test_decode
TESTS += tests/unit/test_exec_int tests/unit/test_decode

tests_unit_test_exec_int_SOURCES = tests/unit/test_exec_int.c \
	tests/unit/hostjudge.c tests/unit/hostjudge.h tests/unit/insn_gen.c \
	tests/unit/insn_gen.h tests/unit/x86_flat_access.c tests/unit/x86_flat_access.h
tests_unit_test_exec_int_LDADD = libx86leaf.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_exec_int_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

tests_unit_test_decode_SOURCES = tests/unit/test_decode.c \
	tests/unit/test_decode_cases.h tests/unit/insn_gen.c \
	tests/unit/insn_gen.h
tests_unit_test_decode_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_unit_test_decode_LDADD = $(ROOMS) $(ROOMS) $(CMOCKA_LIBS) $(DEPS_LIBS) $(CAPSTONE_LIBS) -lm
tests_unit_test_decode_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

# tests of the x86fpu room
check_PROGRAMS += tests/unit/test_softfloat tests/unit/test_x87
TESTS += tests/unit/test_softfloat tests/unit/test_x87

tests_unit_test_softfloat_SOURCES = tests/unit/test_softfloat.c tests/unit/fp_gen.c \
	tests/unit/fp_gen.h tests/unit/hostjudge.c tests/unit/hostjudge.h
tests_unit_test_softfloat_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_softfloat_LDADD = libtargetx86.a $(CMOCKA_LIBS) $(DEPS_LIBS)

tests_unit_test_x87_SOURCES = tests/unit/test_x87.c tests/unit/fp_gen.c \
	tests/unit/hostjudge.c tests/unit/hostjudge.h tests/unit/insn_gen.c \
	tests/unit/insn_gen.h tests/unit/x86_flat_access.c tests/unit/x86_flat_access.h
tests_unit_test_x87_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_x87_LDFLAGS = $(AM_LDFLAGS) -Wl,-u,x86_rows_x87
tests_unit_test_x87_LDADD = libx86leaf.a libtargetx86.a libx86leaf.a $(CMOCKA_LIBS) \
	$(DEPS_LIBS) -lm

check_PROGRAMS += tests/unit/test_x87_state
TESTS += tests/unit/test_x87_state
tests_unit_test_x87_state_SOURCES = tests/unit/test_x87_state.c tests/unit/fp_gen.c \
	tests/unit/fp_gen.h tests/unit/hostjudge.c tests/unit/hostjudge.h \
	tests/unit/insn_gen.c tests/unit/insn_gen.h tests/unit/x86_flat_access.c \
	tests/unit/x86_flat_access.h
tests_unit_test_x87_state_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_x87_state_LDFLAGS = $(AM_LDFLAGS) -Wl,-u,x86_rows_x87
tests_unit_test_x87_state_LDADD = libx86leaf.a libtargetx86.a libx86leaf.a \
	$(CMOCKA_LIBS) $(DEPS_LIBS) -lm

# tests of the x86fpu room
check_PROGRAMS += tests/unit/test_softfloat
tests_unit_test_softfloat_SOURCES = tests/unit/test_softfloat.c
tests_unit_test_softfloat_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_softfloat_LDADD = libtargetx86.a $(CMOCKA_LIBS) $(DEPS_LIBS)
TESTS += tests/unit/test_softfloat

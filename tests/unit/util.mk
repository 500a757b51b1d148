# tests of the util room
check_PROGRAMS += tests/unit/test_util
TESTS += tests/unit/test_util
tests_unit_test_util_SOURCES = tests/unit/test_util.c
tests_unit_test_util_LDADD = libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_util_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += tests/unit/test_symbols
TESTS += tests/unit/test_symbols
tests_unit_test_symbols_SOURCES = tests/unit/test_symbols.c
tests_unit_test_symbols_LDADD = libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_symbols_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += tests/unit/test_flame
TESTS += tests/unit/test_flame
tests_unit_test_flame_SOURCES = tests/unit/test_flame.c
tests_unit_test_flame_LDADD = libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_flame_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

# tests of the util room
check_PROGRAMS += tests/unit/test_util
TESTS += tests/unit/test_util
tests_unit_test_util_SOURCES = tests/unit/test_util.c
tests_unit_test_util_LDADD = libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_util_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

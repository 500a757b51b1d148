# tests of the ui and accel rooms
UI_TEST_LIBS = libui.a libhwcore.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
check_PROGRAMS += tests/unit/test_options
tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_LDADD = $(UI_TEST_LIBS)
tests_unit_test_options_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
TESTS += tests/unit/test_options

check_PROGRAMS += tests/unit/test_line_edit
tests_unit_test_line_edit_SOURCES = tests/unit/test_line_edit.c
tests_unit_test_line_edit_LDADD = $(UI_TEST_LIBS)
tests_unit_test_line_edit_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
TESTS += tests/unit/test_line_edit

# Brings an engine list of its own, so accel_list.o stays out.
check_PROGRAMS += tests/unit/test_accel
tests_unit_test_accel_SOURCES = tests/unit/test_accel.c
tests_unit_test_accel_LDADD = libaccel.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_accel_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
TESTS += tests/unit/test_accel

check_PROGRAMS += tests/unit/test_monitor
tests_unit_test_monitor_SOURCES = tests/unit/test_monitor.c
tests_unit_test_monitor_LDADD = libui.a libhw.a libhwcore.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_monitor_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
TESTS += tests/unit/test_monitor

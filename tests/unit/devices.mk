# tests of the devices room
DEV_TEST_LIBS = libhw.a libhwcore.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
DEV_BOARD = tests/unit/dev_board.c tests/unit/dev_board.h
DEV_TEST_FLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
DEV_TESTS = tests/unit/test_intc tests/unit/test_timers tests/unit/test_isa_devices tests/unit/test_state_all
check_PROGRAMS += $(DEV_TESTS)
TESTS += $(DEV_TESTS)

tests_unit_test_intc_SOURCES = tests/unit/test_intc.c $(DEV_BOARD) tests/unit/dev_fakes.c
tests_unit_test_intc_LDADD = $(DEV_TEST_LIBS)
tests_unit_test_intc_CPPFLAGS = $(DEV_TEST_FLAGS)

tests_unit_test_timers_SOURCES = tests/unit/test_timers.c $(DEV_BOARD) tests/unit/dev_fakes.c
tests_unit_test_timers_LDADD = $(DEV_TEST_LIBS)
tests_unit_test_timers_CPPFLAGS = $(DEV_TEST_FLAGS)

tests_unit_test_isa_devices_SOURCES = tests/unit/test_isa_devices.c $(DEV_BOARD) tests/unit/dev_fakes.c
tests_unit_test_isa_devices_LDADD = $(DEV_TEST_LIBS)
tests_unit_test_isa_devices_CPPFLAGS = $(DEV_TEST_FLAGS)

tests_unit_test_state_all_SOURCES = tests/unit/test_state_all.c $(DEV_BOARD)
tests_unit_test_state_all_LDADD = $(DEV_TEST_LIBS)
tests_unit_test_state_all_CPPFLAGS = $(DEV_TEST_FLAGS)

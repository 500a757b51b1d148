# tests of hw/core
HWCORE_TEST_LIBS = libhwcore.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
HWCORE_TEST_FLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
HWCORE_TESTS = tests/unit/test_memory tests/unit/test_state tests/unit/test_run
check_PROGRAMS += $(HWCORE_TESTS)
TESTS += $(HWCORE_TESTS)

tests_unit_test_memory_SOURCES = tests/unit/test_memory.c tests/unit/bare_machine.c tests/unit/bare_machine.h
tests_unit_test_memory_LDADD = $(HWCORE_TEST_LIBS)
tests_unit_test_memory_CPPFLAGS = $(HWCORE_TEST_FLAGS)

tests_unit_test_state_SOURCES = tests/unit/test_state.c tests/unit/bare_machine.c tests/unit/bare_machine.h
tests_unit_test_state_LDADD = $(HWCORE_TEST_LIBS)
tests_unit_test_state_CPPFLAGS = $(HWCORE_TEST_FLAGS)

tests_unit_test_run_SOURCES = tests/unit/test_run.c tests/unit/bare_machine.c tests/unit/bare_machine.h
tests_unit_test_run_LDADD = $(HWCORE_TEST_LIBS)
tests_unit_test_run_CPPFLAGS = $(HWCORE_TEST_FLAGS)

# tests of the PC board's pieces that need no machine
PC_TESTS = tests/unit/test_boot tests/unit/test_acpi tests/unit/test_pc
PC_TEST_LIBS = libhw.a libhwcore.a libhw.a libhwcore.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
check_PROGRAMS += $(PC_TESTS)
TESTS += $(PC_TESTS)

tests_unit_test_boot_SOURCES = tests/unit/test_boot.c
tests_unit_test_boot_LDADD = $(PC_TEST_LIBS)
tests_unit_test_boot_CPPFLAGS = $(HWCORE_TEST_FLAGS)

tests_unit_test_acpi_SOURCES = tests/unit/test_acpi.c
tests_unit_test_acpi_LDADD = $(PC_TEST_LIBS)
tests_unit_test_acpi_CPPFLAGS = $(HWCORE_TEST_FLAGS)

tests_unit_test_pc_SOURCES = tests/unit/test_pc.c
tests_unit_test_pc_LDADD = $(PC_TEST_LIBS)
tests_unit_test_pc_CPPFLAGS = $(HWCORE_TEST_FLAGS)

# tests of the x86sys room
check_PROGRAMS += tests/unit/test_mmu tests/unit/test_models
TESTS += tests/unit/test_mmu tests/unit/test_models

tests_unit_test_mmu_SOURCES = tests/unit/test_mmu.c
tests_unit_test_mmu_LDADD = libx86leaf.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_mmu_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

tests_unit_test_models_SOURCES = tests/unit/test_models.c
tests_unit_test_models_LDADD = $(ROOMS) $(ROOMS) $(CMOCKA_LIBS) $(DEPS_LIBS) -lm
tests_unit_test_models_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

# The rig has no machine: a triple fault is counted instead.
SYS_RIG = tests/unit/sys_rig.c tests/unit/sys_rig.h tests/unit/x86_flat_access.c \
	tests/unit/x86_flat_access.h
SYS_RIG_LINK = $(AM_LDFLAGS) $(X86_FAMILIES) -Wl,--wrap=cpu_triple_fault

check_PROGRAMS += tests/unit/test_excp
TESTS += tests/unit/test_excp
tests_unit_test_excp_SOURCES = tests/unit/test_excp.c $(SYS_RIG)
tests_unit_test_excp_LDFLAGS = $(SYS_RIG_LINK)
tests_unit_test_excp_LDADD = $(ROOMS) $(ROOMS) $(CMOCKA_LIBS) $(DEPS_LIBS) -lm
tests_unit_test_excp_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += tests/unit/test_sys
TESTS += tests/unit/test_sys
tests_unit_test_sys_SOURCES = tests/unit/test_sys.c $(SYS_RIG)
tests_unit_test_sys_LDFLAGS = $(SYS_RIG_LINK)
tests_unit_test_sys_LDADD = $(ROOMS) $(ROOMS) $(CMOCKA_LIBS) $(DEPS_LIBS) -lm
tests_unit_test_sys_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += tests/unit/test_sys_fuzz
TESTS += tests/unit/test_sys_fuzz
tests_unit_test_sys_fuzz_SOURCES = tests/unit/test_sys_fuzz.c $(SYS_RIG)
tests_unit_test_sys_fuzz_LDFLAGS = $(SYS_RIG_LINK)
tests_unit_test_sys_fuzz_LDADD = $(ROOMS) $(ROOMS) $(CMOCKA_LIBS) $(DEPS_LIBS) -lm
tests_unit_test_sys_fuzz_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

# tests of the x86sys room
check_PROGRAMS += tests/unit/test_mmu tests/unit/test_models
TESTS += tests/unit/test_mmu tests/unit/test_models

tests_unit_test_mmu_SOURCES = tests/unit/test_mmu.c
tests_unit_test_mmu_LDADD = libx86leaf.a $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_mmu_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

tests_unit_test_models_SOURCES = tests/unit/test_models.c
tests_unit_test_models_LDADD = $(ROOMS) $(ROOMS) $(CMOCKA_LIBS) $(DEPS_LIBS) -lm
tests_unit_test_models_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

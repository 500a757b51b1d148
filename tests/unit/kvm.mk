if KVM
check_PROGRAMS += tests/unit/test_kvm_explain
tests_unit_test_kvm_explain_SOURCES = tests/unit/test_kvm_explain.c accel/kvm/explain.c
tests_unit_test_kvm_explain_LDADD = $(CMOCKA_LIBS) $(DEPS_LIBS)
tests_unit_test_kvm_explain_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
TESTS += tests/unit/test_kvm_explain
endif

# Host code of fixed guest instructions as reviewed text.
check_PROGRAMS += tests/codegen/codegen
tests_codegen_codegen_SOURCES = tests/codegen/codegen.c tests/codegen/cases.inc
tests_codegen_codegen_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_codegen_codegen_LDADD = $(tests_unit_test_engine_LDADD)
TESTS += tests/codegen/check

# What translation costs, for a file with code: tests/codegen/cost /lib/.../libc.so.6
check_PROGRAMS += tests/codegen/cost
tests_codegen_cost_SOURCES = tests/codegen/cost.c
tests_codegen_cost_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_codegen_cost_LDADD = $(tests_unit_test_engine_LDADD)
EXTRA_DIST += tests/codegen/check tests/codegen/kernel.expect tests/codegen/user.expect \
	tests/codegen/window.expect

# Writes the expected files anew: look at the diff, a longer sequence is a slowdown.
codegen-update: tests/codegen/codegen$(EXEEXT)
	for m in kernel user window; do \
	    tests/codegen/codegen$(EXEEXT) $$m > $(srcdir)/tests/codegen/$$m.expect || exit 1; \
	done
.PHONY: codegen-update

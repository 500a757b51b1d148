# random instruction sequences against the host CPU
check_PROGRAMS += tests/judge/torture
tests_judge_torture_SOURCES = tests/judge/torture.c tests/judge/judge.h tests/judge/host.c \
	tests/judge/ldt.h tests/judge/rig.c tests/judge/oracle.c tests/judge/compare.c \
	tests/judge/gen.c tests/judge/gen.h tests/judge/gen_one.c tests/judge/gen_flow.c \
	tests/judge/gen_flow.h tests/judge/casefile.c tests/judge/shrink.c \
	tests/unit/tcg_board.c tests/unit/tcg_board.h tests/unit/insn_gen.c tests/unit/insn_gen.h tests/unit/fp_gen.c tests/unit/fp_gen.h
tests_judge_torture_CPPFLAGS = $(AM_CPPFLAGS)
tests_judge_torture_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_judge_torture_LDADD = $(tests_unit_test_engine_LDADD)
TESTS += tests/judge/check
EXTRA_DIST += tests/judge/check tests/cases

# make torture [SECONDS=60] [JOBS=all] [SEED=by the clock]: differences are kept as *.case
SECONDS = 60
JOBS = $(shell nproc)
SEED = $(shell date +%s)
torture: tests/judge/torture
	tests/judge/torture -seconds $(SECONDS) -jobs $(JOBS) -seed $(SEED) \
		-report tests/judge/coverage.txt
	@tail -n 1 tests/judge/coverage.txt
CLEANFILES += tests/judge/coverage.txt
.PHONY: torture

# tests of the IR, its passes and the interpreter
check_PROGRAMS += tests/unit/test_ir
tests_unit_test_ir_SOURCES = tests/unit/test_ir.c
tests_unit_test_ir_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) -DIR_TESTS='"$(abs_top_srcdir)/tests/ir"'
tests_unit_test_ir_LDADD = libx86leaf.a libtcg.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
TESTS += tests/unit/test_ir
EXTRA_DIST += tests/ir/eval.ir tests/ir/fold.ir tests/ir/passes.ir tests/ir/bad.ir

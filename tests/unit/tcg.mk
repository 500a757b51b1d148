# tests of the engine
check_PROGRAMS += tests/unit/test_engine
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c tests/unit/engine_rig.c tests/unit/engine_rig.h tests/unit/tcg_board.c tests/unit/tcg_board.h \
	tests/unit/insn_gen.c tests/unit/insn_gen.h
tests_unit_test_engine_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_engine_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_unit_test_engine_LDADD = libaccel.a libtargetx86.a libx86leaf.a libtargetx86.a libx86leaf.a libtcg.a \
	libhwcore.a libtcg.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS) -lm
TESTS += tests/unit/test_engine

check_PROGRAMS += tests/unit/test_engine_legacy
tests_unit_test_engine_legacy_SOURCES = tests/unit/test_engine_legacy.c tests/unit/engine_rig.c \
	tests/unit/engine_rig.h tests/unit/tcg_board.c tests/unit/tcg_board.h tests/unit/insn_gen.c tests/unit/insn_gen.h
tests_unit_test_engine_legacy_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_engine_legacy_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_unit_test_engine_legacy_LDADD = $(tests_unit_test_engine_LDADD)
TESTS += tests/unit/test_engine_legacy

check_PROGRAMS += tests/unit/test_kicks
tests_unit_test_kicks_SOURCES = tests/unit/test_kicks.c tests/unit/engine_rig.c tests/unit/engine_rig.h \
	tests/unit/tcg_board.c tests/unit/tcg_board.h
tests_unit_test_kicks_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_kicks_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_unit_test_kicks_LDADD = $(tests_unit_test_engine_LDADD)
TESTS += tests/unit/test_kicks

check_PROGRAMS += tests/unit/test_twin
tests_unit_test_twin_SOURCES = tests/unit/test_twin.c
tests_unit_test_twin_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_twin_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_unit_test_twin_LDADD = $(tests_unit_test_engine_LDADD)
TESTS += tests/unit/test_twin

check_PROGRAMS += tests/unit/test_tb_cache
tests_unit_test_tb_cache_SOURCES = tests/unit/test_tb_cache.c
tests_unit_test_tb_cache_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_tb_cache_LDADD = libtcg.a libx86leaf.a libtcg.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
TESTS += tests/unit/test_tb_cache

check_PROGRAMS += tests/unit/test_tb_disk
tests_unit_test_tb_disk_SOURCES = tests/unit/test_tb_disk.c
tests_unit_test_tb_disk_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_tb_disk_LDADD = libtcg.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
TESTS += tests/unit/test_tb_disk

check_PROGRAMS += tests/unit/test_window_list
tests_unit_test_window_list_SOURCES = tests/unit/test_window_list.c
tests_unit_test_window_list_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_window_list_LDADD = $(tests_unit_test_engine_LDADD)
TESTS += tests/unit/test_window_list

check_PROGRAMS += tests/unit/test_saved
tests_unit_test_saved_SOURCES = tests/unit/test_saved.c tests/unit/engine_rig.c tests/unit/engine_rig.h tests/unit/tcg_board.c tests/unit/tcg_board.h \
	tests/unit/insn_gen.c tests/unit/insn_gen.h
tests_unit_test_saved_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_saved_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_unit_test_saved_LDADD = $(tests_unit_test_engine_LDADD)
TESTS += tests/unit/test_saved

noinst_LIBRARIES += libtcg.a
libtcg_a_SOURCES = tcg/codebuf.c tcg/codebuf.h tcg/env.h tcg/tb.h tcg/tb_cache.c

noinst_LIBRARIES += libtcg.a
libtcg_a_SOURCES = tcg/codebuf.c tcg/codebuf.h tcg/env.h tcg/tb.h tcg/guest.h tcg/tb_cache.c tcg/x86/enc.c tcg/x86/enc.h

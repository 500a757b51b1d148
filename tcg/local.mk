noinst_LIBRARIES += libtcg.a
libtcg_a_SOURCES = tcg/codebuf.c tcg/codebuf.h tcg/counters.c tcg/counters.h tcg/env.h tcg/tb.h tcg/tb_desc.h tcg/tb_int.h tcg/guest.h tcg/tb_cache.c tcg/tb_disk.c tcg/tb_disk.h tcg/tb_disk_int.h tcg/tb_disk_order.c tcg/tb_region.c tcg/x86/enc.c tcg/x86/enc.h \
	tcg/helper.c tcg/helper.h tcg/ir.h tcg/ir_build.c tcg/ir_build.h tcg/ir_check.c tcg/ir_dump.c \
	tcg/ir_eval.h tcg/ir_ops.h tcg/ir_parse.c tcg/opt.c tcg/opt.h tcg/opt_copy.c tcg/opt_dce.c \
	tcg/opt_fold.c tcg/interp/code.h tcg/interp/emit.c tcg/interp/interp.h
# tcg/interp/exec.c and tcg/tb_lookup.c are leaf code: target-x86/tmpl.mk

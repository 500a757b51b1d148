# engine: soft TLB, loop, template translator
libx86leaf_a_SOURCES += \
	target-x86/access.c target-x86/access.h target-x86/engine.c target-x86/engine.h \
	target-x86/ir_xop.c tcg/interp/exec.c tcg/tb_lookup.c \
	target-x86/native.c target-x86/native.h target-x86/native_sys.c target-x86/native_sys.h target-x86/softmmu.c target-x86/softmmu.h \
	target-x86/softmmu_int.h target-x86/trace.c target-x86/trace.h target-x86/window.c target-x86/window_area.c target-x86/window_list.c target-x86/window_pace.c target-x86/window_same.c target-x86/window.h target-x86/window_int.h
libtargetx86_a_SOURCES += \
	target-x86/build.c target-x86/gen_ir.c target-x86/gen_ir.h target-x86/create.c target-x86/create.h target-x86/host.c target-x86/native_sample.c target-x86/native_signal.c target-x86/native_step.c target-x86/native_step.h target-x86/returns.c target-x86/returns.h target-x86/saved.c target-x86/saved.h \
	target-x86/window_init.c target-x86/softmmu_init.c target-x86/softstep.c target-x86/softstep.h target-x86/tcg_ops.c target-x86/tcg_ops.h \
	target-x86/template.c target-x86/template.h target-x86/template_notes.h target-x86/thunks.h target-x86/template_entry.c target-x86/template_evex.c target-x86/template_flow.c target-x86/template_group.c target-x86/template_guess.c target-x86/template_rows.c target-x86/template_stubs.c target-x86/template_vsib.c \
	target-x86/template_legacy.c target-x86/template_trace.c target-x86/template_late.c target-x86/template_known.c target-x86/trace_build.c \
	target-x86/template_mem.c target-x86/template_sys.c target-x86/thunks.c

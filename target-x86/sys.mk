# system room: modes, paging, segments, exceptions (leaf); models, state, I/O (heavy)
libx86leaf_a_SOURCES += \
	target-x86/cpu.c target-x86/cpu.h \
	target-x86/cpuid.c target-x86/cpuid.h \
	target-x86/excp.c \
	target-x86/far.c \
	target-x86/mmu.c target-x86/mmu.h target-x86/pte.h \
	target-x86/msrs.c target-x86/msrs.h \
	target-x86/rows_far.c \
	target-x86/rows_seg.c \
	target-x86/rows_sys.c \
	target-x86/seg.c target-x86/seg.h \
	target-x86/sysregs.c target-x86/sysregs.h \
	target-x86/task.c
libtargetx86_a_SOURCES += \
	target-x86/cpu_ops.c target-x86/sample.c target-x86/sample.h \
	target-x86/explain.c target-x86/explain.h \
	target-x86/feature_names.c \
	target-x86/kvmclock.c \
	target-x86/models.c target-x86/model_list.c target-x86/models.h \
	target-x86/model_features.h \
	target-x86/rows_io.c \
	target-x86/state.c target-x86/state.h \
	target-x86/xsave.c

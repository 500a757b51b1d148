# Leaf sources (target-x86/leaf.h) are a library of their own with their own flags.
noinst_LIBRARIES += libtargetx86.a libx86leaf.a
libx86leaf_a_CFLAGS = $(AM_CFLAGS) $(LEAF_CFLAGS)
libx86leaf_a_SOURCES =
libtargetx86_a_SOURCES =
include target-x86/int.mk
include target-x86/sys.mk
include target-x86/fpu.mk
include target-x86/sse.mk
include target-x86/tmpl.mk
# for the monitor
libtargetx86_a_SOURCES += target-x86/debug_regs.c target-x86/debug_regs.h \
	target-x86/gdb_regs.c target-x86/gdb_regs.h
# interfaces between the families
libtargetx86_a_SOURCES += \
	target-x86/cpu.h target-x86/features.h target-x86/insn.h target-x86/leaf.h \
	target-x86/opcodes.h target-x86/regs.h

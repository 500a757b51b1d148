# System-level cases (docs/correctness.md). tests/guest/cases/build takes c64_*.c
# for the 64-bit image, c32_*.c for the 32-bit one.
CASES64 = tests/guest/cases/c64_apic.c \
	tests/guest/cases/c64_calls.c \
	tests/guest/cases/c64_code.c \
	tests/guest/cases/c64_debug.c \
	tests/guest/cases/c64_devices.c \
	tests/guest/cases/c64_excp.c \
	tests/guest/cases/c64_flush.c \
	tests/guest/cases/c64_fpu.c \
	tests/guest/cases/c64_mmio.c \
	tests/guest/cases/c64_msr.c \
	tests/guest/cases/c64_order.c \
	tests/guest/cases/c64_paging.c \
	tests/guest/cases/c64_priv.c \
	tests/guest/cases/c64_races.c \
	tests/guest/cases/c64_entries.c tests/guest/cases/c64_ranges.c \
	tests/guest/cases/c64_remap.c \
	tests/guest/cases/c64_seg.c \
	tests/guest/cases/c64_trace.c
CASES32 = tests/guest/cases/c32_page.c \
	tests/guest/cases/c32_prot.c \
	tests/guest/cases/c32_real.c \
	tests/guest/cases/c32_task.c \
	tests/guest/cases/c32_v86.c
EXTRA_DIST += $(CASES64) $(CASES32) tests/guest/cases/lib.c tests/guest/cases/lib.h \
	tests/guest/cases/lib32.h tests/guest/cases/list64.c tests/guest/cases/list64.h \
	tests/guest/cases/list32.c tests/guest/cases/list32.h tests/guest/cases/paging.h \
	tests/guest/cases/start64.S tests/guest/cases/start32.S tests/guest/cases/image.lds \
	tests/guest/cases/bare.c tests/guest/cases/build tests/guest/cases/run tests/guest/cases/softkvm

# Flat images run by every engine at hand; kvm is a SKIP where it cannot be opened.
GUEST_TESTS = tests/guest/check_tcg tests/guest/check_twin tests/guest/check_kvm tests/guest/check_machines \
	tests/guest/check_pingpong tests/guest/check_backends tests/guest/check_cases \
	tests/guest/check_gdb tests/guest/check_cases_kvm tests/guest/check_traces \
	tests/guest/check_kicked
TESTS += $(GUEST_TESTS)
EXTRA_DIST += $(GUEST_TESTS) tests/guest/run tests/guest/pingpong tests/guest/macros.inc \
	tests/guest/multiboot.inc tests/guest/real16.S tests/guest/prot32.S \
	tests/guest/long64.S tests/guest/pingpong.c tests/guest/hold.c tests/guest/hold.h tests/guest/gdbwalk.S
include tests/guest/cases/local.mk

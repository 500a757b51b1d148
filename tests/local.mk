# unit tests: one fragment per room
include tests/unit/util.mk
include tests/unit/hwcore.mk
include tests/unit/devices.mk
include tests/unit/pci.mk
include tests/unit/storage.mk
include tests/unit/x86int.mk
include tests/unit/x86sys.mk
include tests/unit/x86fpu.mk
include tests/unit/x86sse.mk
include tests/unit/tcg.mk
include tests/unit/ir.mk
include tests/unit/ui.mk
include tests/unit/kvm.mk
include tests/unit/display.mk

# Style, on the sources and on the objects.
STYLE_TESTS = tests/style/check_layers tests/style/check_sizes tests/style/check_names \
	tests/style/check_nondet tests/style/check_lists tests/style/check_docs \
	tests/style/check_leaf
TESTS += $(STYLE_TESTS)
EXTRA_DIST += $(STYLE_TESTS) tests/style/common.sh
check-style:
	$(MAKE) check TESTS='$(STYLE_TESTS)'
.PHONY: check-style

# The command line.
EXTRA_DIST += tests/guest/profile64.S
CLI_TESTS = tests/cli/bad_options tests/cli/monitor tests/cli/profile tests/cli/window
TESTS += $(CLI_TESTS)
EXTRA_DIST += $(CLI_TESTS)

# Whole boots: scripts/check runs them, they need Debian's kernel.
EXTRA_DIST += tests/boot/run

# Guests.
include tests/guest/local.mk

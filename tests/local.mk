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
CLI_TESTS = tests/boot/check_firmware tests/cli/bad_options tests/cli/explain tests/cli/kvm_errors tests/cli/monitor tests/cli/profile tests/cli/qmp tests/cli/vnc tests/cli/window
TESTS += $(CLI_TESTS)
EXTRA_DIST += $(CLI_TESTS)

# Whole boots: scripts/check runs them, they need Debian's kernel.
EXTRA_DIST += tests/boot/run tests/boot/planted tests/boot/switch tests/boot/kvm \
	tests/boot/kvm-init

# Twin finds engines made wrong on purpose: make planted GUEST=DIR
planted:
	$(srcdir)/tests/boot/planted $(srcdir) $(GUEST)
.PHONY: planted

# A small Linux under KVM: `make kvm-boot`, not part of make check (it builds a kernel once).
kvm-boot: dyad$(EXEEXT)
	$(top_srcdir)/scripts/kvm-kernel kvm-kernel
	python3 $(top_srcdir)/tests/boot/kvm ./dyad kvm-kernel kvm
	python3 $(top_srcdir)/tests/boot/kvm ./dyad kvm-kernel kvm,ring0=kvm
.PHONY: kvm-boot

# Long ones, by hand, from Debian's packages (what is not installed is a SKIP):
#   make installers   Debian's installer, text and graphical, to its first question
#   make machines     SeaBIOS, memtest86+, GRUB and Debian on every kind of disk, UEFI,
#                     microvm; as root, for it makes a disk image (debian.img) first
BOOT_BY_HAND = tests/boot/desk tests/boot/disks tests/boot/firmware tests/boot/installers \
	tests/boot/field tests/boot/make-disk tests/boot/micro tests/boot/net tests/boot/uefi
EXTRA_DIST += $(BOOT_BY_HAND) tests/boot/pcvm.py tests/boot/stuck.py tests/boot/modes.S tests/boot/screens.c
installers: dyad$(EXEEXT)
	$(top_srcdir)/tests/boot/installers ./dyad$(EXEEXT)
debian.img:
	TREE=$(abs_builddir)/debian.tree $(top_srcdir)/tests/boot/make-disk $(abs_builddir)/$@
machines: dyad$(EXEEXT) debian.img
	$(top_srcdir)/tests/boot/firmware ./dyad$(EXEEXT)
	$(top_srcdir)/tests/boot/disks ./dyad$(EXEEXT) debian.img
	$(top_srcdir)/tests/boot/uefi ./dyad$(EXEEXT) debian.img
	$(top_srcdir)/tests/boot/micro ./dyad$(EXEEXT) debian.tree debian.img
	$(top_srcdir)/tests/boot/desk ./dyad$(EXEEXT) debian.img
	$(top_srcdir)/tests/boot/net ./dyad$(EXEEXT)
.PHONY: installers machines

# The host CPU as judge.
include tests/judge/local.mk
include tests/fuzz/local.mk

# Guests.
include tests/guest/local.mk
include tests/codegen/local.mk

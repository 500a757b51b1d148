# unit tests: one fragment per room
include tests/unit/util.mk
include tests/unit/hwcore.mk
include tests/unit/devices.mk
include tests/unit/pci.mk
include tests/unit/x86int.mk
include tests/unit/x86sys.mk
include tests/unit/x86fpu.mk
include tests/unit/x86sse.mk
include tests/unit/tcg.mk
include tests/unit/ui.mk

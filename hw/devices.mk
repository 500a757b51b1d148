# interrupt controllers, timers, serial, keyboard, small devices
libhw_a_SOURCES += \
	hw/device_list.c \
	hw/intc/apic.h hw/intc/lapic.h hw/intc/i8259.h \
	hw/intc/i8259.c hw/intc/ioapic.c hw/intc/lapic.c hw/intc/lapic_msr.c \
	hw/intc/lapic_timer.c hw/intc/msi.c \
	hw/timer/i8254.h hw/timer/mc146818.h hw/timer/hpet.h hw/timer/acpi_pm.h \
	hw/timer/i8254.c hw/timer/mc146818.c hw/timer/hpet.c hw/timer/acpi_pm.c \
	hw/char/uart16550.h hw/char/debugcon.h \
	hw/char/uart16550.c hw/char/debugcon.c \
	hw/input/ps2.h hw/input/i8042.h \
	hw/input/ps2.c hw/input/ps2_mouse.c hw/input/i8042.c \
	hw/misc/testdevs.h hw/misc/port92.h hw/misc/fw_cfg.h \
	hw/misc/isa_debug_exit.c hw/misc/pc_testdev.c hw/misc/port92.c hw/misc/pvpanic.c hw/misc/pvpanic.h hw/misc/fw_cfg.c \
	hw/misc/coproc.c hw/misc/coproc.h

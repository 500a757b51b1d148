libhwcore_a_SOURCES += \
	hw/core/block.h hw/core/chardev.h hw/core/chips.h hw/core/clock.c hw/core/clock.h hw/core/core_int.h \
	hw/core/cpu.c hw/core/cpu.h hw/core/cpu_timer.c hw/core/dma_sg.c hw/core/dma_sg.h hw/core/device.c hw/core/device.h hw/core/device_add.c \
	hw/core/debug.c hw/core/debug.h hw/core/display.c hw/core/display.h \
	hw/core/input.c hw/core/input.h hw/core/irq.h hw/core/isa.c hw/core/isa.h \
	hw/core/machine.c hw/core/machine.h hw/core/memory.c hw/core/memory.h \
	hw/core/memory_access.c hw/core/netdev.h hw/core/nondet.c hw/core/nondet.h \
	hw/core/profile.c hw/core/profile.h hw/core/profile_int.h hw/core/profile_stack.c \
	hw/core/profile_task.c hw/core/sample.h \
	hw/core/state.c hw/core/state.h

# the KVM accelerator (Linux hosts)
libaccel_a_SOURCES += \
	accel/kvm/cpuid.c accel/kvm/debug.c accel/kvm/events.c accel/kvm/exits.c accel/kvm/explain.c \
	accel/kvm/hybrid.c accel/kvm/hybrid.h accel/kvm/irqchip.c accel/kvm/kvm.c \
	accel/kvm/kvm.h accel/kvm/kvm_int.h accel/kvm/mem.c accel/kvm/regs.c \
	accel/kvm/rescue.c accel/kvm/sample.c accel/kvm/syscall.c accel/kvm/vcpu.c

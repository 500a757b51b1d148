# two engines compared
libaccel_a_SOURCES += accel/twin/twin.c accel/twin/twin.h accel/twin/twin_int.h \
	accel/twin/case.c accel/twin/chain.c accel/twin/compare.c accel/twin/debug.c accel/twin/diagnose.c accel/twin/events.c accel/twin/replay.c \
	accel/twin/shadow.c accel/twin/soft.c accel/twin/stretch.c
if KVM
libaccel_a_SOURCES += accel/twin/kvm_side.c
endif

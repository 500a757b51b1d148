noinst_LIBRARIES += libaccel.a
libaccel_a_SOURCES = accel/accel.c accel/accel.h accel/accel_list.c accel/area.c accel/area.h \
	accel/signals.c accel/signals.h \
	accel/tcg/tcg.c accel/tcg/tcg.h
include accel/twin/local.mk
if KVM
include accel/kvm/local.mk
endif

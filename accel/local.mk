noinst_LIBRARIES += libaccel.a
libaccel_a_SOURCES = accel/accel.c accel/accel.h accel/accel_list.c accel/tcg/tcg.c accel/tcg/tcg.h

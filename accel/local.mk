noinst_LIBRARIES += libaccel.a
libaccel_a_SOURCES =

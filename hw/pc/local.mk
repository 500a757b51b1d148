libhw_a_SOURCES +=

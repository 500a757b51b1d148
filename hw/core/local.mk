libhwcore_a_SOURCES +=

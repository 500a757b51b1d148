# floppy
libhw_a_SOURCES += hw/block/fdc.c hw/block/fdc.h hw/block/i8237.c hw/block/pflash.c hw/block/pflash.h

# Host ends: disks, character devices, networks
libhw_a_SOURCES += \
	hw/backend/block.c hw/backend/block_int.h hw/backend/block_options.c \
	hw/backend/block_overlay.c hw/backend/block_raw.c

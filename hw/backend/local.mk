# Host ends: disks, character devices, networks
libhw_a_SOURCES += \
	hw/backend/block.c hw/backend/block_int.h hw/backend/block_options.c \
	hw/backend/block_medium.c hw/backend/block_overlay.c hw/backend/block_raw.c \
	hw/backend/char_host.c hw/backend/char_int.h hw/backend/char_mux.c \
	hw/backend/char_options.c hw/backend/char_socket.c hw/backend/chardev.c \
	hw/backend/net.h hw/backend/net_user.c hw/backend/netdev.c

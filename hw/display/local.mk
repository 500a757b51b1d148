# graphics devices
libhw_a_SOURCES += \
	hw/display/display_devices.h hw/display/edid.c hw/display/vbe.c hw/display/vga.c \
	hw/display/vga_draw.c hw/display/vga_gfx.c hw/display/vga_int.h hw/display/vga_mem.c \
	hw/display/vga_pci.c hw/display/vga_post.c hw/display/vga_text.c

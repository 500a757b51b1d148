/* SPDX-License-Identifier: MIT */
/* The graphics device classes. */
#ifndef HW_DISPLAY_DISPLAY_DEVICES_H
#define HW_DISPLAY_DISPLAY_DEVICES_H

#include "hw/core/device.h"

extern const DeviceClass vga_pci_class;

/* For boards that start a kernel without firmware. The 8x16 characters in the card's ROM;
 * NULL: it has none. */
const uint8_t *vga_rom_font(Device *vga);
/* Sets 80x25 text up as a BIOS does, and turns decoding on. After each reset. */
void vga_pci_post_text(Device *vga);

#endif

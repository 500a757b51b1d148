/* SPDX-License-Identifier: MIT */
/* The graphics device classes. */
#ifndef HW_DISPLAY_DISPLAY_DEVICES_H
#define HW_DISPLAY_DISPLAY_DEVICES_H

#include "hw/core/device.h"

extern const DeviceClass vga_pci_class;

#endif

/* SPDX-License-Identifier: MIT */
/* The devices by which a guest tells of its panics. Machine lock. */
#ifndef HW_MISC_PVPANIC_H
#define HW_MISC_PVPANIC_H

#include "hw/core/device.h"

extern const DeviceClass pvpanic_class, pvpanic_pci_class;

#endif

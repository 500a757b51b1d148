/* SPDX-License-Identifier: MIT */
/* Devices that tests and operating-system developers use. Machine lock. */
#ifndef HW_MISC_TESTDEVS_H
#define HW_MISC_TESTDEVS_H

#include "hw/core/device.h"

/* "isa-debug-exit": a write of v ends the emulator with exit status (v << 1) | 1. */
extern const DeviceClass isa_debug_exit_class;
/* "pc-testdev": interrupt lines at 2000H, scratch port E0H, memory at 0xff000000. */
extern const DeviceClass pc_testdev_class;

#endif

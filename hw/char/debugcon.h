/* SPDX-License-Identifier: MIT */
/* Debug console: one output port ("isa-debugcon"). */
#ifndef HW_CHAR_DEBUGCON_H
#define HW_CHAR_DEBUGCON_H

#include "hw/core/device.h"

extern const DeviceClass isa_debugcon_class;

#endif

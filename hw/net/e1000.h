/* SPDX-License-Identifier: MIT */
/* Ethernet card class, for the device list. */
#ifndef HW_NET_E1000_H
#define HW_NET_E1000_H

#include "hw/core/device.h"

extern const DeviceClass e1000_class;

#endif

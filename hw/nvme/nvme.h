/* SPDX-License-Identifier: MIT */
/* NVMe controller class, for the device list. */
#ifndef HW_NVME_NVME_H
#define HW_NVME_NVME_H

#include "hw/core/device.h"

extern const DeviceClass nvme_class;

#endif

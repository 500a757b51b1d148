/* SPDX-License-Identifier: MIT */
/* Usages of the USB keyboard page. */
#ifndef HW_USB_HID_KEYS_H
#define HW_USB_HID_KEYS_H

#include <stdint.h>

/* Of a Linux key code (KEY_*); 0: it has none. */
uint8_t hid_usage(unsigned key);

#endif

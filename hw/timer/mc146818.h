/* SPDX-License-Identifier: MIT */
/*
 * Real-time clock and CMOS RAM. Input 0: "HPET replaces me": while high, IRQ 8 is not
 * driven. Machine lock.
 */
#ifndef HW_TIMER_MC146818_H
#define HW_TIMER_MC146818_H

#include "hw/core/device.h"

/* base: "utc", "localtime", "YYYY-MM-DD" or "YYYY-MM-DDTHH:MM:SS" (NULL = utc). NULL with
 * err set on failure. */
Device *rtc_create(struct Machine *m, const char *base, IrqLine irq8, Error *err);
/* CMOS RAM for firmware (index 0x0e..0xff); stays over reset. */
void rtc_set_cmos(Device *rtc, unsigned index, uint8_t value);
uint8_t rtc_get_cmos(Device *rtc, unsigned index);

extern const DeviceClass mc146818_class;

#endif

/* SPDX-License-Identifier: MIT */
/* The coprocessor's error latch of the AT. Machine lock held. */
#ifndef HW_MISC_COPROC_H
#define HW_MISC_COPROC_H

#include "hw/core/device.h"

/* Input 0 is FERR#; irq is line 13. Port F0H: a write clears the latch. */
Device *coproc_create(struct Machine *m, IrqLine irq, Error *err);

extern const DeviceClass coproc_class;

#endif

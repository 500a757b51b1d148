/* SPDX-License-Identifier: MIT */
/* Flash memory that holds firmware and its variables. Machine lock held. */
#ifndef HW_BLOCK_PFLASH_H
#define HW_BLOCK_PFLASH_H

#include "hw/core/device.h"

struct Machine;

/* Is there a -drive if=pflash? */
bool pflash_wanted(struct Machine *m);
/* Makes a chip of each -drive if=pflash; unit 0 ends at 4 GiB, each further one lies below.
 * *boot is unit 0's memory, for the board's copy below 1 MiB. */
bool pflash_attach_drives(struct Machine *m, MemoryRegion **boot, Error *err);

extern const DeviceClass pflash_class;

#endif

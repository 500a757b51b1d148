/* SPDX-License-Identifier: MIT */
/* Floppy controller and the DMA controllers it needs. Machine lock held. */
#ifndef HW_BLOCK_FDC_H
#define HW_BLOCK_FDC_H

#include "hw/core/isa.h"

/* The pair of 8237s of a PC; becomes bus->dma. */
Device *i8237_create(struct Machine *m, IsaBus *bus, Error *err);
/* Makes an isa-fdc with the machine's -drive if=floppy, if there are any; types[] become
 * the CMOS drive types (10H) of A and B, 0 = none. */
bool fdc_attach_drives(struct Machine *m, uint8_t types[2], Error *err);

extern const DeviceClass i8237_class, isa_fdc_class;

#endif

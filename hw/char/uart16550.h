/* SPDX-License-Identifier: MIT */
/* 16550A serial port on the ISA bus. Machine lock. */
#ifndef HW_CHAR_UART16550_H
#define HW_CHAR_UART16550_H

#include "hw/core/chardev.h"
#include "hw/core/device.h"

enum { ISA_SERIAL_PORTS = 4 };

/* Port COM(index + 1) with the usual address and line; chr may be NULL. NULL with err set
 * on failure. */
Device *isa_serial_create(struct Machine *m, unsigned index, CharBackend *chr,
                          Error *err);

extern const DeviceClass isa_serial_class;

#endif

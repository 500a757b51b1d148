/* SPDX-License-Identifier: MIT */
/* Interrupt and signal lines: a handler, who it belongs to, and which input. A value
 * type. Machine lock held for irq_set. */
#ifndef HW_CORE_IRQ_H
#define HW_CORE_IRQ_H

#include "util/compiler.h"

typedef void IrqHandler(void *opaque, unsigned n, bool level);

typedef struct IrqLine {
    IrqHandler *set;  /* NULL: not connected */
    void *opaque;
    unsigned n;
} IrqLine;

static inline void irq_set(const IrqLine *line, bool level)
{
    if (line->set) {
        line->set(line->opaque, line->n, level);
    }
}

static inline void irq_pulse(const IrqLine *line)
{
    irq_set(line, true);
    irq_set(line, false);
}

#endif

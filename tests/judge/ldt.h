/* SPDX-License-Identifier: MIT */
/* Segments of 16-bit cases: the same LDT on the host and in the guest. */
#ifndef TESTS_JUDGE_LDT_H
#define TESTS_JUDGE_LDT_H

#include "tests/judge/judge.h"

enum { SEL_CS16 = 0x07, SEL_DS16 = 0x0f, SEL_ES16 = 0x17, SEL_SS16 = 0x1f };

/* Offsets in DS: 1000H read-only page, 2000H..3FFFH the others; the limit ends there. */
static const struct {
    uint32_t base, limit;
    bool code;
} judge_ldt[] = {
    { CODE_BASE, 0xffff, true },
    { RO_BASE - 0x1000, 0x3fff, false },
    { RW_BASE - 0x8000, 0xffff, false },
    { STACK_BASE, 0xffff, false },
};

#endif

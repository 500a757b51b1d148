/* SPDX-License-Identifier: MIT */
/* The 32-bit groups, in order. */
#include "lib.h"

#define GROUP(n) extern void n(void);
#include "list32.h"
#undef GROUP
#define GROUP(n) { #n, n },
const Group groups[] = {
#include "list32.h"
    { NULL, NULL },
};

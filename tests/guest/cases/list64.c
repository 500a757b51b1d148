/* SPDX-License-Identifier: MIT */
/* The 64-bit groups, in order. Each is in the file that its comment names. */
#include "lib.h"

#define GROUP(n) extern void n(void);
#include "list64.h"
#undef GROUP
#define GROUP(n) { #n, n },
const Group groups[] = {
#include "list64.h"
    { NULL, NULL },
};

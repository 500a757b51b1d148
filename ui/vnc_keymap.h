/* SPDX-License-Identifier: MIT */
/* X keysyms, which VNC sends, to Linux input event codes. */
#ifndef UI_VNC_KEYMAP_H
#define UI_VNC_KEYMAP_H

#include <stdint.h>

/* KEY_* of the key that types the symbol on a US keyboard, 0: none. */
unsigned vnc_key(uint32_t keysym);

#endif

/* SPDX-License-Identifier: MIT */
/* The displays built in. Adding one is a row here. */
#include "ui/ui.h"

const DisplayClass *const display_classes[] = {
    &headless_display,
    &sdl_display,
#ifdef CONFIG_VNC
    &vnc_display,
#endif
    NULL,
};

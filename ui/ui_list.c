/* SPDX-License-Identifier: MIT */
/* The displays built in. Adding one is a row here. */
#include "ui/ui.h"

const DisplayClass *const display_classes[] = {
    &headless_display,
    NULL,
};

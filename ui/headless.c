/* SPDX-License-Identifier: MIT */
/* No display: nothing is drawn until somebody asks for a screendump. */
#include "ui/ui.h"

const DisplayClass headless_display = {
    .name = "none",
    .desc = "no screen is shown; screendump still works",
};

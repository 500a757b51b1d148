/* SPDX-License-Identifier: MIT */
/* No display: the guest's screen, if there is one, is shown nowhere. */
#include "ui/ui.h"

const DisplayClass headless_display = {
    .name = "none",
    .desc = "no screen is shown",
};

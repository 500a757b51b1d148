/* SPDX-License-Identifier: MIT */
/* A screen's picture to a file. */
#ifndef UI_PNG_H
#define UI_PNG_H

#include "hw/core/display.h"
#include "util/error.h"

/* By the name's end: .ppm is binary PPM, everything else PNG. A file that could not be
 * completed is removed. */
bool surface_save(const Surface *s, const char *path, Error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* A screen's picture to a file. */
#ifndef UI_PNG_H
#define UI_PNG_H

#include "hw/core/display.h"
#include "util/error.h"

/* format: "png", "ppm" (binary), or NULL: PNG if the name ends in .png, else PPM. A file that
 * could not be completed is removed. */
bool surface_save(const Surface *s, const char *path, const char *format, Error *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Displays as constant rows and the choice among them. A display shows what a machine's
 * graphics device draws; with no such device only the rows that need none can be chosen.
 */
#ifndef UI_UI_H
#define UI_UI_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"
#include "util/property.h"

struct Machine;

typedef struct DisplayClass {
    const char *name, *desc;
    bool needs_screen;      /* useless without a graphics device */
    bool (*init)(struct Machine *m, Error *err);  /* optional */
    void (*destroy)(struct Machine *m);           /* optional */
} DisplayClass;

extern const DisplayClass *const display_classes[]; /* ui/ui_list.c, NULL-ended */

/* Is "KIND" a display that this machine can have? Makes nothing. */
bool display_check(const char *spec, Error *err);
/* spec NULL: the default. */
const DisplayClass *display_find(const char *spec);
void display_help(FILE *f);

extern const DisplayClass headless_display;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Displays as constant rows and the choice among them. A display shows what a machine's
 * graphics device draws (hw/core/display.h) and sends keys and pointer back
 * (hw/core/input.h). One display at a time. Main thread.
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
    /* Judges the text behind the name ("=:1,x=y", ",full-screen=on" or ""); makes
     * nothing. NULL: there must be none. */
    bool (*check)(const char *options, Error *err);
    /* options as above. Machine lock held. */
    bool (*init)(struct Machine *m, const char *options, Error *err);  /* optional */
    void (*destroy)(struct Machine *m);           /* optional; lock held */
} DisplayClass;

extern const DisplayClass *const display_classes[]; /* ui/ui_list.c, NULL-ended */

/* Is "KIND..." a display that can be had? Makes nothing. */
bool display_check(const char *spec, Error *err);
const DisplayClass *display_find(const char *spec);
/* Starts the display; spec NULL: a window if there is a place for it and something to
 * show, else none. NULL with err set on failure. Machine lock not held. */
const DisplayClass *display_start(struct Machine *m, const char *spec, bool nographic,
                                  Error *err);
void display_help(FILE *f);

extern const DisplayClass headless_display, sdl_display, vnc_display;

#endif

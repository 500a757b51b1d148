/* SPDX-License-Identifier: MIT */
/* Choice of a display among the rows of ui/ui_list.c. */
#include "ui/ui.h"

#include <string.h>

const DisplayClass *display_find(const char *spec)
{
    const char *name = spec ? spec : "none";
    for (size_t i = 0; display_classes[i]; i++) {
        if (strcmp(display_classes[i]->name, name) == 0) {
            return display_classes[i];
        }
    }
    return NULL;
}

bool display_check(const char *spec, Error *err)
{
    if (display_find(spec)) {
        return true;
    }
    if (strncmp(spec, "sdl", 3) == 0 && (!spec[3] || spec[3] == ',')) {
        return error_set(err,
                         "-display: %s is not accepted: expected none (this machine has "
                         "no graphics device yet, issue 6)",
                         spec);
    }
    const char *names[16];
    size_t n = 0;
    for (; display_classes[n] && n + 1 < ARRAY_SIZE(names); n++) {
        names[n] = display_classes[n]->name;
    }
    names[n] = NULL;
    return error_set_choice(err, "-display", spec, names);
}

void display_help(FILE *f)
{
    fprintf(f, "Displays:\n");
    for (size_t i = 0; display_classes[i]; i++) {
        fprintf(f, "  %-10s %s\n", display_classes[i]->name, display_classes[i]->desc);
    }
}

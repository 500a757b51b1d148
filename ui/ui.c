/* SPDX-License-Identifier: MIT */
/* Choice of a display among the rows of ui/ui_list.c. */
#include "ui/ui.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/display.h"
#include "hw/core/machine.h"
#include "util/alloc.h"

static size_t name_length(const char *spec)
{
    return strcspn(spec, ",=");
}

const DisplayClass *display_find(const char *spec)
{
    size_t n = name_length(spec);
    for (size_t i = 0; display_classes[i]; i++) {
        const char *name = display_classes[i]->name;
        if (strlen(name) == n && strncmp(name, spec, n) == 0) {
            return display_classes[i];
        }
    }
    return NULL;
}

bool display_check(const char *spec, Error *err)
{
    const DisplayClass *cls = display_find(spec);
    if (cls) {
        const char *options = spec + name_length(spec);
        if (cls->check) {
            if (cls->check(options, err)) {
                return true;
            }
            error_prefix(err, "-display %s: ", spec);
            return false;
        }
        return *options ? error_set(err, "-display: %s is not accepted: %s takes no options",
                                    spec, cls->name)
                        : true;
    }
    const char *names[16];
    size_t n = 0;
    for (; display_classes[n] && n + 1 < ARRAY_SIZE(names); n++) {
        names[n] = display_classes[n]->name;
    }
    names[n] = NULL;
    return error_set_choice(err, "-display", spec, names);
}

static bool has_window_system(void)
{
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    return (x && *x) || (wayland && *wayland);
}

static bool start(Machine *m, const DisplayClass *cls, const char *options, Error *err)
{
    machine_lock(m);
    bool ok = true;
    if (cls->needs_screen && !screen_first(m)) {
        ok = error_set(err, "this machine has no graphics device to show");
    }
    ok = ok && (!cls->init || cls->init(m, options, err));
    machine_unlock(m);
    return ok;
}

const DisplayClass *display_start(Machine *m, const char *spec, bool nographic, Error *err)
{
    if (spec) {
        const DisplayClass *cls = display_find(spec);
        if (start(m, cls, spec + name_length(spec), err)) {
            return cls;
        }
        error_prefix(err, "-display %s: ", spec);
        return NULL;
    }
    const DisplayClass *none = display_find("none"), *window = display_find("sdl");
    if (nographic || !screen_first(m)) {
        return none;
    }
    if (!window || !has_window_system()) {
        warn_report("no window system: the screen is not shown (-display none says that "
                    "this is meant)");
        return none;
    }
    if (start(m, window, "", err)) {
        return window;
    }
    warn_report("no window: %s", err->msg);
    error_free(err);
    return none;
}

void display_help(FILE *f)
{
    fprintf(f, "Displays:\n");
    for (size_t i = 0; display_classes[i]; i++) {
        fprintf(f, "  %-10s %s\n", display_classes[i]->name, display_classes[i]->desc);
    }
}

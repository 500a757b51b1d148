/* SPDX-License-Identifier: MIT */
/* Monitor commands about the screen and the pointer. */
#include <stdlib.h>
#include <string.h>

#include "hw/core/display.h"
#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "ui/monitor.h"
#include "ui/png.h"

static Screen *the_screen(Machine *m, const char *what, Error *err)
{
    Screen *s = screen_first(m);
    if (!s) {
        error_set(err, "%s: this machine has no graphics device", what);
    }
    return s;
}

bool monitor_screendump(Machine *m, const char *file, const char *format, Error *err)
{
    Screen *s = the_screen(m, "screendump", err);
    if (!s) {
        return false;
    }
    screen_refresh(s, false);
    if (!surface_save(&s->surface, file, format, err)) {
        error_prefix(err, "screendump: ");
        return false;
    }
    return true;
}

/* FILE [-f png|ppm] */
bool monitor_cmd_screendump(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    static const char *const formats[] = { "png", "ppm", NULL };
    const char *flag = monitor_arg(a, "flag")->text, *f = monitor_arg(a, "format")->text;
    if (flag && (strcmp(flag, "-f") != 0 || !f)) {
        return error_set(err, "screendump: %s: expected -f png or -f ppm", flag);
    }
    if (f && strcmp(f, "png") != 0 && strcmp(f, "ppm") != 0) {
        return error_set_choice(err, "screendump: -f", f, formats);
    }
    return monitor_screendump(c->m, monitor_arg(a, "file")->text, f, err);
}

/* The text of a text mode as it stands, without trailing spaces. */
bool monitor_info_screen(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    Screen *s = the_screen(c->m, "info screen", err);
    if (!s) {
        return false;
    }
    screen_refresh(s, false);
    TextScreen t;
    bool text = screen_text(s, &t);
    fprintf(out, "%s: %ux%u, %s\n", s->name, s->surface.width, s->surface.height,
            text ? "text:" : "graphics");
    for (unsigned y = 0; text && y < t.rows; y++) {
        const uint16_t *p = t.cells + y * t.cols;
        unsigned n = t.cols;
        while (n && ((p[n - 1] & 0xff) == ' ' || (p[n - 1] & 0xff) == 0)) {
            n--;
        }
        for (unsigned x = 0; x < n; x++) {
            unsigned ch = p[x] & 0xff;
            fputc(ch >= ' ' && ch < 127 ? (int)ch : ch ? '.' : ' ', out);
        }
        fputc('\n', out);
    }
    free(t.cells);
    return true;
}

/* Where an absolute pointer was put, in pixels of the screen. */
static int pointer_x, pointer_y;

static int number(const MonArg *a)
{
    int64_t v = a->given ? (int64_t)a->num : 0;
    return (int)MAX(-32768, MIN(v, 32767));
}

static int keep_in(int v, unsigned size)
{
    return MAX(0, MIN(v, (int)size - 1));
}

bool monitor_cmd_mouse_move(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    int dx = number(monitor_arg(a, "dx")), dy = number(monitor_arg(a, "dy"));
    int dz = number(monitor_arg(a, "dz"));
    Screen *s = screen_first(c->m);
    if (s && input_wants_abs(c->m)) {
        const Surface *f = &s->surface;
        unsigned w = f->pixels ? f->width : 640, h = f->pixels ? f->height : 480;
        pointer_x = keep_in(pointer_x + dx, w);
        pointer_y = keep_in(pointer_y + dy, h);
        input_abs(c->m, (unsigned)pointer_x * 32767u / MAX(w - 1, 1u),
                  (unsigned)pointer_y * 32767u / MAX(h - 1, 1u));
        dx = dy = 0;
    }
    if (dx || dy || dz) {
        input_rel(c->m, dx, dy, dz);
    }
    return true;
}

bool monitor_cmd_mouse_button(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    uint64_t state = monitor_arg(a, "state")->num;
    static const unsigned bit_of[3] = { 1, 4, 2 }; /* left, middle, right */
    if (state > 7) {
        return error_set(err, "mouse_button: expected the sum of 1 (left), 2 (right) and "
                              "4 (middle)");
    }
    for (unsigned n = 0; n < 3; n++) {
        input_button(c->m, n, state & bit_of[n]);
    }
    return true;
}

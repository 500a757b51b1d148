/* SPDX-License-Identifier: MIT */
/*
 * The seam between what draws (graphics devices) and what shows (ui/). A device owns a
 * Screen: it fills its surface when asked to refresh and says which boxes changed. A
 * display attaches a DisplayListener and hears of them. Nobody looks: nothing is drawn,
 * no timer runs. Machine lock held everywhere.
 */
#ifndef HW_CORE_DISPLAY_H
#define HW_CORE_DISPLAY_H

#include "hw/core/clock.h"
#include "util/compiler.h"

struct Machine;
struct Device;
typedef struct Screen Screen;

enum SurfaceFormat { SURFACE_XRGB32 /* uint32_t 0x00rrggbb, host byte order */ };
enum { SURFACE_MAX_WIDTH = 4096, SURFACE_MAX_HEIGHT = 4096 };

typedef struct Surface {
    unsigned width, height;
    size_t stride;              /* bytes from line to line */
    enum SurfaceFormat format;
    uint8_t *pixels;            /* NULL before the first refresh */
} Surface;

static inline uint32_t *surface_line(const Surface *s, unsigned y)
{
    return (uint32_t *)(s->pixels + y * s->stride);
}

typedef struct Box {
    unsigned x, y, w, h;
} Box;

/* What a text mode shows. */
enum { TEXT_MAX_COLS = 256, TEXT_MAX_ROWS = 256 };
typedef struct TextScreen {
    unsigned cols, rows;
    int cursor_x, cursor_y;     /* -1: not shown */
    uint16_t *cells;            /* cols * rows: character, attribute << 8; caller frees */
} TextScreen;

typedef struct ScreenOps {
    /* Brings the surface up to date: screen_set_size, then screen_damage for each box
     * that changed. Returns the virtual time at which it wants to be asked again at the
     * latest (blinking), -1 for never. `all`: everything is damaged. */
    int64_t (*refresh)(void *opaque, bool all);
    /* Text behind the picture; false: a graphics mode. Optional. */
    bool (*text)(void *opaque, TextScreen *t);
} ScreenOps;

typedef struct DisplayListener {
    /* The surface moved or has another size; all of it is damaged. Optional. */
    void (*resized)(void *opaque, const Surface *s);
    void (*damaged)(void *opaque, const Surface *s, const Box *box); /* optional */
    /* A round of damage is complete; optional. */
    void (*flush)(void *opaque, const Surface *s);
    /* The device goes away; the listener is detached. Optional. */
    void (*gone)(void *opaque);
    void *opaque;
    bool hidden;                /* minimised: needs no refresh; screen_set_hidden */
    Screen *screen;
    struct DisplayListener *next;
} DisplayListener;

struct Screen {
    struct Machine *machine;
    const char *name;           /* of the device class */
    const ScreenOps *ops;
    void *opaque;
    Surface surface;
    Timer timer;                /* next refresh, while somebody looks */
    bool poll;                  /* the device cannot tell when its pixels change */
    unsigned idle;              /* refreshes in a row without damage */
    bool damaged;               /* in this refresh */
    DisplayListener *listeners;
    Screen *next;
};

/* --- for devices --- */
void screen_register(struct Machine *m, Screen *s, const char *name, const ScreenOps *ops,
                     void *opaque);
void screen_unregister(Screen *s);
/* From refresh: both dimensions are cut to 1..SURFACE_MAX; a changed size clears the
 * surface and damages all of it. Returns whether the size changed. */
bool screen_set_size(Screen *s, unsigned width, unsigned height);
void screen_damage(Screen *s, unsigned x, unsigned y, unsigned w, unsigned h);
/* There is something to draw: a refresh happens soon if anybody looks. Cheap. */
void screen_changed(Screen *s);
/* on: pixels may change without screen_changed (the guest writes straight to memory), so
 * look regularly, less often while nothing happens. */
void screen_set_poll(Screen *s, bool on);

/* --- for displays --- */
Screen *screen_first(struct Machine *m);    /* the newest; NULL: none; see Screen.next */
void screen_attach(Screen *s, DisplayListener *l);  /* tells resized at once */
void screen_detach(DisplayListener *l);     /* no effect if not attached */
void screen_set_hidden(DisplayListener *l, bool hidden);
/* Draws what changed now; the surface is current when it returns. */
void screen_refresh(Screen *s, bool all);
bool screen_text(Screen *s, TextScreen *t);
/* A person did something: look again soon, the guest will react. */
void screen_expect_change(struct Machine *m);

#endif

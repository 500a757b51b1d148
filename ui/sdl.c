/* SPDX-License-Identifier: MIT */
/*
 * The window. Pixels go from the screen's surface to the window's by a nearest-neighbour
 * copy of the dirty boxes only; nothing runs while nothing changes: on X11 the connection's
 * descriptor wakes the main loop, elsewhere a timer does. Main thread, machine lock held.
 *
 * ctrl-alt-f full screen, ctrl-alt-g grab, ctrl-alt-s screenshot, ctrl-alt-u the guest's
 * own size.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hw/core/display.h"
#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "ui/png.h"
#include "ui/sdl_keymap.h"
#include "ui/sdl_lib.h"
#include "ui/sdl_sound.h"
#include "ui/sdl_x11.h"
#include "ui/ui.h"
#include "util/alloc.h"
#include "util/loop.h"

enum { MAX_RECTS = 64, KEY_CODES = 768 };
/* Longest sleep with and without a descriptor that tells of events. */
#define FD_NS (500 * 1000000ll)
#define POLL_NS (20 * 1000000ll)

typedef struct SdlOptions {
    bool full_screen;
} SdlOptions;

typedef struct SdlDisplay {
    Machine *m;
    SDL_Window *window;
    SDL_Surface *frame;     /* ours, if the window's pixels are not XRGB32; else NULL */
    DisplayListener listener;
    LoopPoller poller;
    int fd;                 /* of the X connection, -1 */
    SDL_Rect view;          /* where the picture is in the window */
    SDL_Rect rects[MAX_RECTS];
    int nrects;
    bool all;               /* the whole window is to be shown */
    bool full_screen, grabbed;
    uint8_t held[KEY_CODES / 8]; /* keys the guest sees down */
    unsigned buttons;
    int shown_state;        /* run state in the title; -1: none yet */
    bool shown_grab, shown_abs;
} SdlDisplay;

static SdlDisplay *sdl;

static SdlFns lib;
static const char *const lib_names[] = { SDL_FNS(LAZY_NAME) NULL };
static LazyLib lib_file = { SONAME_SDL2, lib_names, (void **)&lib, false };

static const Property sdl_props[] = {
    { "full-screen", PK_BOOL, offsetof(SdlOptions, full_screen), 0, 0, 1, NULL, NULL, NULL,
      "start in full screen" },
    PROP_END
};

static bool parse(const char *options, SdlOptions *o, Error *err)
{
    property_defaults(sdl_props, o);
    if (*options && *options != ',') {
        return error_set(err, "expected sdl or sdl,full-screen=on");
    }
    return !*options || property_parse(sdl_props, o, options + 1, NULL, err);
}

static bool sdl_check(const char *options, Error *err)
{
    SdlOptions o;
    return parse(options, &o, err);
}

/* --- pixels --- */

static bool is_xrgb32(const SDL_PixelFormat *f)
{
    return f->BitsPerPixel == 32 && f->Rmask == 0xff0000 && f->Gmask == 0xff00 &&
           f->Bmask == 0xff;
}

/* The window's surface and what we draw on; NULL while there is none. */
static SDL_Surface *get_target(SdlDisplay *d, SDL_Surface **window)
{
    *window = lib.SDL_GetWindowSurface(d->window);
    if (!*window || is_xrgb32((*window)->format)) {
        return *window;
    }
    if (!d->frame || d->frame->w != (*window)->w || d->frame->h != (*window)->h) {
        lib.SDL_FreeSurface(d->frame);
        d->frame = lib.SDL_CreateRGBSurfaceWithFormat(0, (*window)->w, (*window)->h, 32,
                                                      SDL_PIXELFORMAT_RGB888);
    }
    return d->frame;
}

/* The largest place of the picture's shape in the window; exact where it fits. */
static void place_view(SdlDisplay *d, const Surface *s)
{
    int ww, wh;
    lib.SDL_GetWindowSize(d->window, &ww, &wh);
    int64_t w = ww, h = (int64_t)ww * s->height / s->width;
    if (h > wh) {
        h = wh;
        w = (int64_t)wh * s->width / s->height;
    }
    w = MAX(w, 1);
    h = MAX(h, 1);
    d->view = (SDL_Rect){ (int)(ww - w) / 2, (int)(wh - h) / 2, (int)w, (int)h };
}

static void copy_box(SDL_Surface *to, const SDL_Rect *view, const Surface *s,
                     const SDL_Rect *r)
{
    for (int y = r->y; y < r->y + r->h; y++) {
        const uint32_t *from =
            surface_line(s, (unsigned)((int64_t)(y - view->y) * s->height / view->h));
        uint32_t *out = (uint32_t *)((uint8_t *)to->pixels + y * to->pitch) + r->x;
        int x0 = r->x - view->x;
        if (view->w == (int)s->width) {
            memcpy(out, from + x0, (size_t)r->w * 4);
            continue;
        }
        for (int x = 0; x < r->w; x++) {
            out[x] = from[(int64_t)(x0 + x) * s->width / view->w];
        }
    }
}

/* Window pixels that show any of the box's. */
static SDL_Rect box_to_window(const SdlDisplay *d, const Surface *s, const Box *b)
{
    const SDL_Rect *v = &d->view;
    int64_t x0 = (int64_t)b->x * v->w / s->width, y0 = (int64_t)b->y * v->h / s->height;
    int64_t x1 = ((int64_t)(b->x + b->w) * v->w + s->width - 1) / s->width;
    int64_t y1 = ((int64_t)(b->y + b->h) * v->h + s->height - 1) / s->height;
    return (SDL_Rect){ (int)(v->x + x0), (int)(v->y + y0), (int)(x1 - x0), (int)(y1 - y0) };
}

static void show(SdlDisplay *d)
{
    const Surface *s = d->listener.screen ? &d->listener.screen->surface : NULL;
    SDL_Surface *window, *to = get_target(d, &window);
    if (!to || (!d->nrects && !d->all)) {
        return;
    }
    SDL_Rect bounds = { 0, 0, to->w, to->h };
    if (d->all) {
        lib.SDL_FillRect(to, NULL, 0);
        d->rects[0] = d->view;
        d->nrects = 1;
    }
    lib.SDL_LockSurface(to);
    for (int i = 0; i < d->nrects; i++) {
        /* The window may have become smaller than when the box was noted. */
        if (!lib.SDL_IntersectRect(&d->rects[i], &d->view, &d->rects[i]) ||
            !lib.SDL_IntersectRect(&d->rects[i], &bounds, &d->rects[i])) {
            d->rects[i] = (SDL_Rect){ 0 };
        } else if (s && s->pixels) {
            copy_box(to, &d->view, s, &d->rects[i]);
        }
    }
    lib.SDL_UnlockSurface(to);
    for (int i = 0; i < d->nrects && to != window; i++) {
        SDL_Rect r = d->rects[i];
        lib.SDL_UpperBlit(to, d->all ? NULL : &d->rects[i], window, d->all ? NULL : &r);
    }
    if (d->all) {
        lib.SDL_UpdateWindowSurface(d->window);
    } else {
        lib.SDL_UpdateWindowSurfaceRects(d->window, d->rects, d->nrects);
    }
    d->nrects = 0;
    d->all = false;
}

static void on_damaged(void *opaque, const Surface *s, const Box *b)
{
    SdlDisplay *d = opaque;
    if (d->nrects == MAX_RECTS) {
        d->all = true;
    }
    if (!d->all) {
        d->rects[d->nrects++] = box_to_window(d, s, b);
    }
}

static void on_flush(void *opaque, const Surface *s)
{
    show(opaque);
}

/* The guest's own size, or what of it the desktop has room for. */
static void natural_size(SdlDisplay *d, const Surface *s)
{
    SDL_Rect room = { 0, 0, 0, 0 };
    int w = (int)s->width, h = (int)s->height;
    int display = lib.SDL_GetWindowDisplayIndex(d->window);
    if (lib.SDL_GetDisplayUsableBounds(MAX(display, 0), &room) == 0 && room.w > 0 && room.h > 0) {
        if (w > room.w) {
            h = (int)((int64_t)h * room.w / w);
            w = room.w;
        }
        if (h > room.h) {
            w = (int)((int64_t)w * room.h / h);
            h = room.h;
        }
    }
    lib.SDL_SetWindowSize(d->window, MAX(w, 1), MAX(h, 1));
}

static void on_resized(void *opaque, const Surface *s)
{
    SdlDisplay *d = opaque;
    unsigned flags = lib.SDL_GetWindowFlags(d->window);
    if (!d->full_screen && !(flags & SDL_WINDOW_MAXIMIZED)) {
        natural_size(d, s);
    }
    place_view(d, s);
    d->all = true;
}

static void on_gone(void *opaque)
{
    SdlDisplay *d = opaque;
    d->all = true;
    show(d);
}

static void redraw(SdlDisplay *d)
{
    if (d->listener.screen) {
        place_view(d, &d->listener.screen->surface);
    }
    d->all = true;
    show(d);
}

/* --- title, grab, full screen --- */

static void set_title(SdlDisplay *d)
{
    bool abs = input_wants_abs(d->m);
    if ((int)d->m->state == d->shown_state && d->grabbed == d->shown_grab &&
        abs == d->shown_abs) {
        return;
    }
    const char *what = d->m->state == RUN_PAUSED           ? " [paused]"
                       : d->m->state == RUN_SHUTDOWN       ? " [off]"
                       : d->m->state == RUN_INTERNAL_ERROR ? " [stopped: internal error]"
                                                           : "";
    const char *name = d->m->cfg.name;
    char *title = xasprintf("dyad%s%s%s%s", name ? " - " : "", name ? name : "", what,
                            d->grabbed ? " - ctrl-alt-g releases the pointer" : "");
    lib.SDL_SetWindowTitle(d->window, title);
    free(title);
    if (d->shown_state != (int)d->m->state && d->listener.screen) {
        screen_refresh(d->listener.screen, false); /* the timer stands while paused */
    }
    d->shown_state = (int)d->m->state;
    d->shown_grab = d->grabbed;
    d->shown_abs = abs;
    lib.SDL_ShowCursor(abs || d->grabbed ? SDL_DISABLE : SDL_ENABLE);
}

static void set_grab(SdlDisplay *d, bool on)
{
    d->grabbed = on;
    lib.SDL_SetWindowGrab(d->window, on);
    lib.SDL_SetRelativeMouseMode(on && !input_wants_abs(d->m));
}

static void set_full_screen(SdlDisplay *d, bool on)
{
    d->full_screen = on;
    lib.SDL_SetWindowFullscreen(d->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    if (!on && d->listener.screen) {
        natural_size(d, &d->listener.screen->surface);
    }
    redraw(d);
}

static void screenshot(SdlDisplay *d)
{
    if (!d->listener.screen) {
        return;
    }
    time_t now = time(NULL);
    struct tm tm;
    char path[64];
    strftime(path, sizeof(path), "dyad-%Y%m%d-%H%M%S.png", localtime_r(&now, &tm));
    Error err = ERROR_INIT;
    screen_refresh(d->listener.screen, false);
    if (surface_save(&d->listener.screen->surface, path, NULL, &err)) {
        fprintf(stderr, "dyad: screenshot in %s\n", path);
    } else {
        error_report(&err);
    }
}

/* --- keys --- */

static void send_key(SdlDisplay *d, unsigned code, bool down)
{
    uint8_t *byte = &d->held[code / 8], bit = 1u << code % 8;
    if (!code || code >= KEY_CODES || !!(*byte & bit) == down) {
        return;
    }
    *byte ^= bit;
    input_key(d->m, code, down);
}

static void release_keys(SdlDisplay *d)
{
    for (unsigned code = 1; code < KEY_CODES; code++) {
        send_key(d, code, false);
    }
}

/* The window's own keys; true: taken. */
static bool hot_key(SdlDisplay *d, const SDL_KeyboardEvent *e)
{
    if (e->type != SDL_KEYDOWN || !(e->keysym.mod & KMOD_LCTRL) ||
        !(e->keysym.mod & KMOD_LALT)) {
        return false;
    }
    switch (e->keysym.scancode) {
    case SDL_SCANCODE_F:
    case SDL_SCANCODE_G:
    case SDL_SCANCODE_S:
    case SDL_SCANCODE_U: break;
    default: return false;
    }
    if (e->repeat) {
        return true;
    }
    release_keys(d);
    switch (e->keysym.scancode) {
    case SDL_SCANCODE_F: set_full_screen(d, !d->full_screen); break;
    case SDL_SCANCODE_G: set_grab(d, !d->grabbed); break;
    case SDL_SCANCODE_S: screenshot(d); break;
    default:
        if (!d->full_screen && d->listener.screen) {
            natural_size(d, &d->listener.screen->surface);
            redraw(d);
        }
        break;
    }
    return true;
}

static void on_key(SdlDisplay *d, const SDL_KeyboardEvent *e)
{
    if (!hot_key(d, e) && !e->repeat) { /* the guest's keyboard repeats by itself */
        send_key(d, sdl_key(e->keysym.scancode), e->type == SDL_KEYDOWN);
    }
}

/* --- pointer --- */

static unsigned axis(int at, int start, int size)
{
    int v = MAX(0, MIN(at - start, size - 1));
    return size > 1 ? (unsigned)((int64_t)v * 32767 / (size - 1)) : 0;
}

static void on_motion(SdlDisplay *d, const SDL_MouseMotionEvent *e)
{
    if (input_wants_abs(d->m)) {
        input_abs(d->m, axis(e->x, d->view.x, d->view.w), axis(e->y, d->view.y, d->view.h));
    } else if (d->grabbed && (e->xrel || e->yrel)) {
        input_rel(d->m, e->xrel, e->yrel, 0);
    }
}

static void on_button(SdlDisplay *d, const SDL_MouseButtonEvent *e)
{
    unsigned n = e->button - SDL_BUTTON_LEFT; /* left, middle, right */
    bool down = e->type == SDL_MOUSEBUTTONDOWN;
    if (n > 2) {
        return;
    }
    if (down && !d->grabbed && !input_wants_abs(d->m)) {
        set_grab(d, true); /* this click is for us */
        return;
    }
    if (!!(d->buttons & 1u << n) != down) {
        d->buttons ^= 1u << n;
        input_button(d->m, n, down);
    }
}

/* --- events --- */

static void on_window(SdlDisplay *d, const SDL_WindowEvent *e)
{
    switch (e->event) {
    case SDL_WINDOWEVENT_SIZE_CHANGED:
    case SDL_WINDOWEVENT_EXPOSED: redraw(d); break;
    case SDL_WINDOWEVENT_MINIMIZED:
    case SDL_WINDOWEVENT_HIDDEN: screen_set_hidden(&d->listener, true); break;
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_SHOWN: screen_set_hidden(&d->listener, false); break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        release_keys(d);
        if (d->grabbed) {
            set_grab(d, false);
        }
        break;
    default: break;
    }
}

static void handle_events(SdlDisplay *d)
{
    SDL_Event e;
    while (lib.SDL_PollEvent(&e)) {
        switch (e.type) {
        case SDL_QUIT:
            machine_quit(d->m, "host-ui");
            break;
        case SDL_KEYDOWN:
        case SDL_KEYUP: on_key(d, &e.key); break;
        case SDL_MOUSEMOTION: on_motion(d, &e.motion); break;
        case SDL_MOUSEBUTTONDOWN:
        case SDL_MOUSEBUTTONUP: on_button(d, &e.button); break;
        case SDL_MOUSEWHEEL:
            if (e.wheel.y && (d->grabbed || input_wants_abs(d->m))) {
                input_rel(d->m, 0, 0, e.wheel.y);
            }
            break;
        case SDL_WINDOWEVENT: on_window(d, &e.window); break;
        default: break;
        }
    }
}

/* Before each sleep, too: drawing may have read events into the library's queue, of which
 * the descriptor does not tell any more. */
static void sdl_prepare(void *opaque, Loop *l, int64_t *timeout_ns)
{
    SdlDisplay *d = opaque;
    handle_events(d);
    set_title(d);
    int64_t longest = d->fd >= 0 ? FD_NS : POLL_NS;
    if (*timeout_ns < 0 || *timeout_ns > longest) {
        *timeout_ns = longest;
    }
    if (d->m->shutdown_requested) {
        *timeout_ns = 0;
    }
    if (d->fd >= 0) {
        loop_poll_add(l, d->fd, POLLIN);
    }
}

static void sdl_dispatch(void *opaque, Loop *l)
{
    handle_events(opaque);
}

/* --- life --- */

static bool sdl_init(Machine *m, const char *options, Error *err)
{
    SdlOptions o;
    if (!parse(options, &o, err)) {
        return false;
    }
    if (!lazylib_load(&lib_file, err)) {
        return false;
    }
    lib.SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");  /* main.c has them */
    lib.SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    lib.SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0"); /* boxes, not whole frames */
    lib.SDL_SetHint(SDL_HINT_GRAB_KEYBOARD, "1");
    if (lib.SDL_Init(SDL_INIT_VIDEO) != 0) {
        return error_set(err, "%s", lib.SDL_GetError());
    }
    SdlDisplay *d = NEW(SdlDisplay);
    d->m = m;
    d->shown_state = -1;
    d->window = lib.SDL_CreateWindow("dyad", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                 640, 480, SDL_WINDOW_RESIZABLE);
    if (!d->window) {
        error_set(err, "%s", lib.SDL_GetError());
        free(d);
        lib.SDL_Quit();
        return false;
    }
    d->fd = sdl_connection_fd(d->window);
    lib.SDL_StopTextInput();    /* keys, not letters */
    d->listener = (DisplayListener){ .resized = on_resized, .damaged = on_damaged,
                                     .flush = on_flush, .gone = on_gone, .opaque = d };
    sdl = d;
    screen_attach(screen_first(m), &d->listener);
    if (o.full_screen) {
        set_full_screen(d, true);
    }
    redraw(d);
    d->poller = (LoopPoller){ .prepare = sdl_prepare, .dispatch = sdl_dispatch, .opaque = d };
    loop_add_poller(m->loop, &d->poller);
    sdl_sound_start(m, &lib);
    return true;
}

static void sdl_destroy(Machine *m)
{
    SdlDisplay *d = sdl;
    sdl_sound_stop();
    loop_del_poller(m->loop, &d->poller);
    screen_detach(&d->listener);
    lib.SDL_FreeSurface(d->frame);
    lib.SDL_DestroyWindow(d->window);
    lib.SDL_Quit();
    free(d);
    sdl = NULL;
}

const DisplayClass sdl_display = {
    .name = "sdl",
    .desc = "a window; sdl,full-screen=on (ctrl-alt-f full screen, -g grab, -s screenshot)",
    .needs_screen = true,
    .check = sdl_check,
    .init = sdl_init,
    .destroy = sdl_destroy,
};

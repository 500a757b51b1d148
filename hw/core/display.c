/* SPDX-License-Identifier: MIT */
/*
 * Screens, their listeners and the refresh timer. The timer runs on virtual time and only
 * while a listener looks: a paused machine changes nothing. Machine lock held.
 */
#include "hw/core/display.h"

#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/alloc.h"

/* Time between refreshes: while things move, and of a polled screen that rests. */
#define FRAME_NS (30 * 1000000ll)
#define REST_NS (120 * 1000000ll)
enum { IDLE_ROUNDS = 16 /* refreshes without change until a polled screen rests */ };

static bool watched(const Screen *s)
{
    for (const DisplayListener *l = s->listeners; l; l = l->next) {
        if (!l->hidden) {
            return true;
        }
    }
    return false;
}

/* No later than `at`. */
static void arm(Screen *s, int64_t at)
{
    if (!timer_armed(&s->timer) || s->timer.deadline > at) {
        timer_mod(&s->timer, at);
    }
}

static void on_timer(void *opaque)
{
    screen_refresh(opaque, false);
}

void screen_register(Machine *m, Screen *s, const char *name, const ScreenOps *ops,
                     void *opaque)
{
    *s = (Screen){ .machine = m, .name = name, .ops = ops, .opaque = opaque };
    timer_init(&s->timer, m->clock, on_timer, s);
    s->next = m->screens;
    m->screens = s;
}

void screen_unregister(Screen *s)
{
    if (!s->machine) {
        return;
    }
    while (s->listeners) {
        DisplayListener *l = s->listeners;
        screen_detach(l);
        if (l->gone) {
            l->gone(l->opaque);
        }
    }
    timer_del(&s->timer);
    for (Screen **pp = &s->machine->screens; *pp; pp = &(*pp)->next) {
        if (*pp == s) {
            *pp = s->next;
            break;
        }
    }
    free(s->surface.pixels);
    *s = (Screen){ 0 };
}

static void tell_resized(DisplayListener *l)
{
    if (l->resized && l->screen->surface.pixels) {
        l->resized(l->opaque, &l->screen->surface);
    }
}

bool screen_set_size(Screen *s, unsigned width, unsigned height)
{
    Surface *f = &s->surface;
    width = MAX(1u, MIN(width, (unsigned)SURFACE_MAX_WIDTH));
    height = MAX(1u, MIN(height, (unsigned)SURFACE_MAX_HEIGHT));
    if (f->pixels && f->width == width && f->height == height) {
        return false;
    }
    free(f->pixels);
    *f = (Surface){ .width = width, .height = height, .stride = width * sizeof(uint32_t),
                    .format = SURFACE_XRGB32,
                    .pixels = xalloc((size_t)width * height * sizeof(uint32_t)) };
    s->damaged = true;
    for (DisplayListener *l = s->listeners, *next; l; l = next) {
        next = l->next;
        tell_resized(l);
    }
    return true;
}

void screen_damage(Screen *s, unsigned x, unsigned y, unsigned w, unsigned h)
{
    const Surface *f = &s->surface;
    if (!f->pixels || x >= f->width || y >= f->height || !w || !h) {
        return;
    }
    Box box = { x, y, MIN(w, f->width - x), MIN(h, f->height - y) };
    s->damaged = true;
    for (DisplayListener *l = s->listeners; l; l = l->next) {
        if (l->damaged) {
            l->damaged(l->opaque, f, &box);
        }
    }
}

void screen_changed(Screen *s)
{
    if (!s->machine || !watched(s)) {
        return;
    }
    if (!timer_armed(&s->timer) || s->idle) {
        s->idle = 0;
        /* A loaded state may have set the clock back: never trust an old deadline. */
        timer_mod(&s->timer, clock_now(s->machine->clock) + FRAME_NS);
    }
}

void screen_set_poll(Screen *s, bool on)
{
    if (s->poll != on) {
        s->poll = on;
        screen_changed(s);
    }
}

void screen_refresh(Screen *s, bool all)
{
    s->damaged = false;
    int64_t wish = s->ops->refresh(s->opaque, all || !s->surface.pixels);
    for (DisplayListener *l = s->listeners; l && s->damaged; l = l->next) {
        if (l->flush) {
            l->flush(l->opaque, &s->surface);
        }
    }
    timer_del(&s->timer);
    if (!watched(s)) {
        return;
    }
    s->idle = s->damaged ? 0 : MIN(s->idle + 1, (unsigned)IDLE_ROUNDS);
    int64_t now = clock_now(s->machine->clock);
    if (wish >= 0) {
        arm(s, MAX(wish, now + FRAME_NS));
    }
    if (s->poll) {
        arm(s, now + (s->idle < IDLE_ROUNDS ? FRAME_NS : REST_NS));
    }
}

bool screen_text(Screen *s, TextScreen *t)
{
    *t = (TextScreen){ .cursor_x = -1, .cursor_y = -1 };
    return s->ops->text && s->ops->text(s->opaque, t);
}

Screen *screen_first(Machine *m)
{
    return m->screens;
}

void screen_attach(Screen *s, DisplayListener *l)
{
    l->screen = s;
    l->next = s->listeners;
    s->listeners = l;
    bool fresh = !s->surface.pixels;
    screen_refresh(s, false);
    if (!fresh) { /* else the refresh has told it */
        tell_resized(l);
    }
}

void screen_detach(DisplayListener *l)
{
    if (!l->screen) {
        return;
    }
    Screen *s = l->screen;
    for (DisplayListener **pp = &s->listeners; *pp; pp = &(*pp)->next) {
        if (*pp == l) {
            *pp = l->next;
            break;
        }
    }
    l->screen = NULL;
    if (!watched(s)) {
        timer_del(&s->timer);
    }
}

void screen_set_hidden(DisplayListener *l, bool hidden)
{
    if (l->hidden == hidden) {
        return;
    }
    l->hidden = hidden;
    if (!l->screen) {
        return;
    }
    if (!hidden) {
        screen_refresh(l->screen, false);
    } else if (!watched(l->screen)) {
        timer_del(&l->screen->timer);
    }
}

void screen_expect_change(Machine *m)
{
    for (Screen *s = m->screens; s; s = s->next) {
        if (s->poll) {
            screen_changed(s);
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * The screen over VNC (RFB) by LibVNCServer. Without a host the server listens on this
 * machine only: there is no password. Served by the main loop; a viewer that does not read
 * is dropped after CLIENT_WAIT_MS. Main thread, machine lock held.
 */
#include <poll.h>
#include <rfb/rfb.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/display.h"
#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "ui/ui.h"
#include "ui/vnc_keymap.h"
#include "util/alloc.h"
#include "util/lazylib.h"
#include "util/loop.h"

enum { BASE_PORT = 5900, MAX_DISPLAY = 59635, CLIENT_WAIT_MS = 2000, KEY_CODES = 256 };

typedef struct VncDisplay {
    Machine *m;
    rfbScreenInfoPtr rfb;
    char *pixels;           /* what the library sends; as large as the surface */
    DisplayListener listener;
    LoopPoller poller;
    unsigned clients, buttons;
    uint8_t held[KEY_CODES / 8];
    bool pending;           /* damage noted that no viewer got yet */
} VncDisplay;

static VncDisplay *vnc;

#define RFB_FNS(F) \
    F(rfbDefaultPtrAddEvent) F(rfbGetScreen) F(rfbInitServer) F(rfbLogEnable) \
    F(rfbMarkRectAsModified) F(rfbMaxClientWait) F(rfbNewFramebuffer) F(rfbProcessEvents) \
    F(rfbScreenCleanup) F(rfbShutdownServer) F(rfbStringToAddr)
static struct {
    RFB_FNS(LAZY_FIELD)
} lib;
static const char *const lib_names[] = { RFB_FNS(LAZY_NAME) NULL };
static LazyLib lib_file = { SONAME_VNC, lib_names, (void **)&lib, false };

/* "=HOST:N" or "=:N". */
static bool parse(const char *options, in_addr_t *host, int *port, Error *err)
{
    char name[64] = "127.0.0.1";
    const char *colon = strrchr(options, ':');
    uint64_t n;
    if (options[0] != '=' || !colon || !parse_u64(colon + 1, &n) || n > MAX_DISPLAY ||
        (size_t)(colon - options) > sizeof(name)) {
        return error_set(err, "expected vnc=:N or vnc=ADDRESS:N, N = port - 5900");
    }
    if (!lazylib_load(&lib_file, err)) {
        return false;
    }
    if (colon > options + 1) {
        snprintf(name, sizeof(name), "%.*s", (int)(colon - options - 1), options + 1);
    }
    if (!lib.rfbStringToAddr(name, host)) {
        return error_set(err, "%s: no such address", name);
    }
    *port = BASE_PORT + (int)n;
    return true;
}

static bool vnc_check(const char *options, Error *err)
{
    in_addr_t host;
    int port;
    return parse(options, &host, &port, err);
}

/* --- pixels --- */

static void copy_box(VncDisplay *d, const Surface *s, unsigned x, unsigned y, unsigned w,
                     unsigned h)
{
    for (unsigned i = y; i < y + h; i++) {
        memcpy(d->pixels + 4 * ((size_t)i * s->width + x), surface_line(s, i) + x, 4 * w);
    }
    lib.rfbMarkRectAsModified(d->rfb, (int)x, (int)y, (int)(x + w), (int)(y + h));
    d->pending = true;
}

static void set_format(rfbPixelFormat *f)
{
    f->redShift = 16;
    f->greenShift = 8;
    f->blueShift = 0;
}

static void on_resized(void *opaque, const Surface *s)
{
    VncDisplay *d = opaque;
    char *old = d->pixels;
    d->pixels = xalloc((size_t)s->width * s->height * 4);
    lib.rfbNewFramebuffer(d->rfb, d->pixels, (int)s->width, (int)s->height, 8, 3, 4);
    set_format(&d->rfb->serverFormat);
    free(old);
    copy_box(d, s, 0, 0, s->width, s->height);
}

static void on_damaged(void *opaque, const Surface *s, const Box *b)
{
    copy_box(opaque, s, b->x, b->y, b->w, b->h);
}

/* --- viewers --- */

static void send_key(VncDisplay *d, unsigned code, bool down)
{
    uint8_t *byte = &d->held[code / 8], bit = 1u << code % 8;
    if (code && code < KEY_CODES && !!(*byte & bit) != down) {
        *byte ^= bit;
        input_key(d->m, code, down);
    }
}

static void on_key(rfbBool down, rfbKeySym sym, rfbClientPtr c)
{
    send_key(c->screen->screenData, vnc_key(sym), down);
}

static void on_pointer(int mask, int x, int y, rfbClientPtr c)
{
    VncDisplay *d = c->screen->screenData;
    int w = c->screen->width, h = c->screen->height;
    if (input_wants_abs(d->m)) {
        input_abs(d->m, (unsigned)((int64_t)MAX(0, MIN(x, w - 1)) * 32767 / MAX(w - 1, 1)),
                  (unsigned)((int64_t)MAX(0, MIN(y, h - 1)) * 32767 / MAX(h - 1, 1)));
    } else if (x != c->lastPtrX || y != c->lastPtrY) {
        input_rel(d->m, x - c->lastPtrX, y - c->lastPtrY, 0);
    }
    for (unsigned n = 0; n < 3; n++) { /* mask bits 0-2: left, middle, right */
        if ((mask ^ d->buttons) >> n & 1) {
            input_button(d->m, n, mask >> n & 1);
        }
    }
    unsigned pressed = mask & ~d->buttons;
    if (pressed & 0x18) { /* 3 and 4: wheel up and down */
        input_rel(d->m, 0, 0, pressed & 8 ? 1 : -1);
    }
    d->buttons = mask;
    lib.rfbDefaultPtrAddEvent(mask, x, y, c); /* notes the position */
}

static void on_client_gone(rfbClientPtr c)
{
    VncDisplay *d = c->screen->screenData;
    for (unsigned code = 1; code < KEY_CODES; code++) {
        send_key(d, code, false);
    }
    screen_set_hidden(&d->listener, --d->clients == 0);
}

static enum rfbNewClientAction on_client(rfbClientPtr c)
{
    VncDisplay *d = c->screen->screenData;
    c->clientGoneHook = on_client_gone;
    d->clients++;
    screen_set_hidden(&d->listener, false);
    return RFB_CLIENT_ACCEPT;
}

/* --- the loop --- */

static void vnc_prepare(void *opaque, Loop *l, int64_t *timeout_ns)
{
    VncDisplay *d = opaque;
    if (d->pending && d->clients) {
        d->pending = false;
        lib.rfbProcessEvents(d->rfb, 0);
    }
    for (int fd = 0; fd <= d->rfb->maxFd; fd++) {
        if (FD_ISSET(fd, &d->rfb->allFds)) {
            loop_poll_add(l, fd, POLLIN);
        }
    }
}

static void vnc_dispatch(void *opaque, Loop *l)
{
    lib.rfbProcessEvents(((VncDisplay *)opaque)->rfb, 0);
}

/* --- life --- */

static bool vnc_init(Machine *m, const char *options, Error *err)
{
    in_addr_t host;
    int port, argc = 0;
    if (!parse(options, &host, &port, err)) {
        return false;
    }
    Screen *s = screen_first(m);
    screen_refresh(s, false);
    VncDisplay *d = NEW(VncDisplay);
    d->m = m;
    lib.rfbLogEnable(0);
    *lib.rfbMaxClientWait = CLIENT_WAIT_MS;
    d->rfb = lib.rfbGetScreen(&argc, NULL, (int)s->surface.width, (int)s->surface.height, 8, 3,
                              4);
    d->pixels = xalloc((size_t)s->surface.width * s->surface.height * 4);
    d->rfb->frameBuffer = d->pixels;
    set_format(&d->rfb->serverFormat);
    d->rfb->screenData = d;
    d->rfb->desktopName = m->cfg.name ? m->cfg.name : "dyad";
    d->rfb->listenInterface = host;
    d->rfb->port = port;
    d->rfb->autoPort = FALSE;
    d->rfb->ipv6port = 0;
    d->rfb->alwaysShared = TRUE;
    d->rfb->deferUpdateTime = 0;
    d->rfb->cursor = NULL;
    d->rfb->kbdAddEvent = on_key;
    d->rfb->ptrAddEvent = on_pointer;
    d->rfb->newClientHook = on_client;
    lib.rfbInitServer(d->rfb);
    if (d->rfb->listenSock == RFB_INVALID_SOCKET) {
        error_set(err, "port %d cannot be listened on", port);
        lib.rfbScreenCleanup(d->rfb);
        free(d->pixels);
        free(d);
        return false;
    }
    d->listener = (DisplayListener){ .resized = on_resized, .damaged = on_damaged,
                                     .opaque = d, .hidden = true };
    vnc = d;
    screen_attach(s, &d->listener);
    d->poller = (LoopPoller){ .prepare = vnc_prepare, .dispatch = vnc_dispatch, .opaque = d };
    loop_add_poller(m->loop, &d->poller);
    return true;
}

static void vnc_destroy(Machine *m)
{
    VncDisplay *d = vnc;
    loop_del_poller(m->loop, &d->poller);
    lib.rfbShutdownServer(d->rfb, TRUE);
    screen_detach(&d->listener);
    lib.rfbScreenCleanup(d->rfb);
    free(d->pixels);
    free(d);
    vnc = NULL;
}

const DisplayClass vnc_display = {
    .name = "vnc",
    .desc = "VNC server: vnc=:N on this machine, vnc=ADDRESS:N elsewhere; no password",
    .needs_screen = true,
    .check = vnc_check,
    .init = vnc_init,
    .destroy = vnc_destroy,
};

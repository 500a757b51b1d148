/* SPDX-License-Identifier: MIT */
/*
 * PS/2 mouse with wheel (ID 3) and five buttons (ID 4). IBM PS/2 Hardware Interface
 * Technical Reference, mouse section; the wheel knocks (200, 100, 80 and 200, 200, 80
 * samples a second) as Microsoft's IntelliMouse documents. The sample rate is kept but
 * packets go as fast as the guest reads them. Machine lock held in every entry point.
 */
#include "hw/input/ps2.h"

#include <string.h>

enum { ACK = 0xfa, NAK = 0xfe, BAT_OK = 0xaa };
enum { EVENT_HIGH = 32 }; /* no new packets while this many bytes wait */

static void mouse_reply(Ps2Mouse *m, uint8_t v)
{
    Ps2Queue *q = &m->s->q;
    if (q->reply_count < PS2_REPLY_SIZE) {
        q->reply[(q->reply_head + q->reply_count++) % PS2_REPLY_SIZE] = v;
    }
}

static void mouse_event(Ps2Mouse *m, uint8_t v)
{
    Ps2Queue *q = &m->s->q;
    if (q->event_count < PS2_EVENT_SIZE) {
        q->event[(q->event_head + q->event_count++) % PS2_EVENT_SIZE] = v;
    }
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* 2:1 scaling of one counter, stream mode only. */
static int mouse_scale(const Ps2MouseState *s, int v)
{
    static const uint8_t small[6] = { 0, 1, 1, 3, 6, 9 };
    int n = v < 0 ? -v : v;
    if (!s->scaling || s->remote) {
        return v;
    }
    n = n < 6 ? small[n] : MIN(2 * n, 255);
    return v < 0 ? -n : n;
}

/* Makes one packet (3 or 4 bytes) of what is pending. */
static unsigned mouse_packet(Ps2Mouse *m, uint8_t b[4])
{
    Ps2MouseState *s = m->s;
    int rx = clamp(s->dx, -127, 127), ry = clamp(s->dy, -127, 127);
    int dx = mouse_scale(s, rx), dy = mouse_scale(s, ry);
    s->dx -= rx;
    s->dy -= ry;
    b[0] = 8 | (s->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    b[1] = dx;
    b[2] = dy;
    s->sent_buttons = s->buttons;
    if (s->id == 0) {
        s->dz = 0;
        return 3;
    }
    int dz = clamp(s->dz, s->id == 4 ? -7 : -127, s->id == 4 ? 7 : 127);
    s->dz -= dz;
    b[3] = s->id == 4 ? (dz & 0xf) | (s->buttons >> 3 & 3) << 4 : dz;
    return 4;
}

static bool mouse_pending(const Ps2MouseState *s)
{
    return s->dx || s->dy || s->dz || s->buttons != s->sent_buttons;
}

void ps2_mouse_pump(Ps2Mouse *m)
{
    Ps2MouseState *s = m->s;
    while (s->reporting && !s->remote && !s->wrap && mouse_pending(s) &&
           s->q.event_count < EVENT_HIGH) {
        uint8_t b[4];
        unsigned n = mouse_packet(m, b);
        for (unsigned i = 0; i < n; i++) {
            mouse_event(m, b[i]);
        }
    }
}

void ps2_mouse_move(Ps2Mouse *m, int dx, int dy, int wheel)
{
    Ps2MouseState *s = m->s;
    if (!s->reporting) {
        return;
    }
    /* Counters saturate; the device's y grows upwards, its wheel towards the user. */
    s->dx = clamp(s->dx + clamp(dx, -4096, 4096), -4096, 4096);
    s->dy = clamp(s->dy - clamp(dy, -4096, 4096), -4096, 4096);
    s->dz = clamp(s->dz - clamp(wheel, -127, 127), -127, 127);
    ps2_mouse_pump(m);
    m->changed(m->opaque);
}

void ps2_mouse_button(Ps2Mouse *m, unsigned n, bool down)
{
    static const uint8_t bit[5] = { 1, 4, 2, 8, 16 };
    if (n >= ARRAY_SIZE(bit)) {
        return;
    }
    m->s->buttons = down ? m->s->buttons | bit[n] : m->s->buttons & ~bit[n];
    ps2_mouse_pump(m);
    m->changed(m->opaque);
}

static void mouse_clear(Ps2Mouse *m)
{
    Ps2MouseState *s = m->s;
    s->q.reply_count = s->q.event_count = s->q.reply_head = s->q.event_head = 0;
    s->dx = s->dy = s->dz = 0;
    s->sent_buttons = s->buttons;
}

static void mouse_defaults(Ps2Mouse *m)
{
    Ps2MouseState *s = m->s;
    s->rate = 100;
    s->resolution = 2;
    s->reporting = s->remote = s->wrap = s->scaling = false;
    mouse_clear(m);
}

void ps2_mouse_reset(Ps2Mouse *m)
{
    mouse_defaults(m);
    m->s->command = 0;
    m->s->id = 0;
    memset(m->s->knock, 0, sizeof(m->s->knock));
}

static void mouse_set_rate(Ps2Mouse *m, uint8_t rate)
{
    Ps2MouseState *s = m->s;
    s->rate = rate;
    s->knock[0] = s->knock[1];
    s->knock[1] = s->knock[2];
    s->knock[2] = rate;
    if (s->knock[0] == 200 && s->knock[2] == 80) {
        if (s->knock[1] == 100 && s->id == 0) {
            s->id = 3;
        } else if (s->knock[1] == 200 && s->id <= 3) {
            s->id = 4;
        }
    }
}

static void mouse_status(Ps2Mouse *m)
{
    const Ps2MouseState *s = m->s;
    /* buttons as left, middle, right from bit 2 down */
    mouse_reply(m, s->remote << 6 | s->reporting << 5 | s->scaling << 4 |
                       (s->buttons & 1) << 2 | (s->buttons & 4) >> 1 |
                       (s->buttons & 2) >> 1);
    mouse_reply(m, s->resolution);
    mouse_reply(m, s->rate);
}

static void mouse_read_data(Ps2Mouse *m)
{
    uint8_t b[4];
    unsigned n = mouse_packet(m, b);
    for (unsigned i = 0; i < n; i++) {
        mouse_reply(m, b[i]);
    }
}

static void mouse_command(Ps2Mouse *m, uint8_t v)
{
    Ps2MouseState *s = m->s;
    if (v < 0xe6 || v == 0xed || v == 0xef || v == 0xf1 || (v > 0xf6 && v < 0xfe)) {
        mouse_reply(m, NAK);
        return;
    }
    if (v == 0xfe) {
        mouse_reply(m, s->q.last);
        return;
    }
    if (v != 0xeb) {
        mouse_clear(m); /* a command drops what was to be sent (but see F2H, E9H) */
    }
    mouse_reply(m, ACK);
    switch (v) {
    case 0xe6:
    case 0xe7: s->scaling = v & 1; break;
    case 0xe8:
    case 0xf3: s->command = v; break;
    case 0xe9: mouse_status(m); break;
    case 0xea: s->remote = false; break;
    case 0xeb: mouse_read_data(m); break;
    case 0xec: s->wrap = false; break;
    case 0xee: s->wrap = true; break;
    case 0xf0: s->remote = true; break;
    case 0xf2: mouse_reply(m, s->id); break;
    case 0xf4:
    case 0xf5: s->reporting = v == 0xf4; break;
    case 0xf6:
        mouse_defaults(m);
        mouse_reply(m, ACK); /* the one above went with the queue */
        break;
    default: /* FFH */
        ps2_mouse_reset(m);
        mouse_reply(m, ACK);
        mouse_reply(m, BAT_OK);
        mouse_reply(m, s->id);
        break;
    }
}

void ps2_mouse_write(Ps2Mouse *m, uint8_t v)
{
    Ps2MouseState *s = m->s;
    if (s->wrap && v != 0xec && v != 0xff) {
        mouse_reply(m, v);
    } else if (s->command) {
        if (s->command == 0xe8) {
            s->resolution = v & 3;
        } else {
            mouse_set_rate(m, v);
        }
        s->command = 0;
        mouse_reply(m, ACK);
    } else {
        mouse_command(m, v);
    }
    m->changed(m->opaque);
}

void ps2_mouse_post_load(Ps2Mouse *m)
{
    Ps2MouseState *s = m->s;
    s->dx = clamp(s->dx, -4096, 4096);
    s->dy = clamp(s->dy, -4096, 4096);
    s->dz = clamp(s->dz, -127, 127);
}

static const StateField ps2_mouse_fields[] = {
    STATE_SUB(Ps2MouseState, q, ps2_queue_state),
    STATE_SCALAR(Ps2MouseState, dx, SK_U32, int32_t),
    STATE_SCALAR(Ps2MouseState, dy, SK_U32, int32_t),
    STATE_SCALAR(Ps2MouseState, dz, SK_U32, int32_t),
    STATE_U8(Ps2MouseState, command),
    STATE_U8(Ps2MouseState, resolution),
    STATE_U8(Ps2MouseState, rate),
    STATE_U8(Ps2MouseState, id),
    STATE_U8_ARRAY(Ps2MouseState, knock),
    STATE_U8(Ps2MouseState, buttons),
    STATE_U8(Ps2MouseState, sent_buttons),
    STATE_BOOL(Ps2MouseState, reporting),
    STATE_BOOL(Ps2MouseState, remote),
    STATE_BOOL(Ps2MouseState, wrap),
    STATE_BOOL(Ps2MouseState, scaling),
    STATE_END
};
const StateDesc ps2_mouse_state = { .version = 1,
                                    .size = sizeof(Ps2MouseState),
                                    .fields = ps2_mouse_fields };

/* SPDX-License-Identifier: MIT */
/*
 * PS/2 keyboard: scan code sets 1, 2 and 3, commands, typematic repeat, and the queue
 * that it shares with the mouse. IBM PS/2 Hardware Interface Technical Reference, keyboard
 * (101/102 key) section. Per-key types of set 3 (FBH-FDH) are accepted and ignored.
 * Machine lock held in every entry point.
 */
#include "hw/input/ps2.h"

#include <linux/input-event-codes.h>

enum {
    MOD_LCTRL = 1,
    MOD_RCTRL = 2,
    MOD_LALT = 4,
    MOD_RALT = 8,
    MOD_LSHIFT = 16,
    MOD_RSHIFT = 32
};
enum { ACK = 0xfa, RESEND = 0xfe, BAT_OK = 0xaa, ECHO = 0xee, OVERRUN = 0x00 };
enum { DEFAULT_RATE = 0x2b }; /* 500 ms, 10.9 characters a second */

/* --- queue --- */

static void queue_reply(Ps2Queue *q, uint8_t v)
{
    if (q->reply_count < PS2_REPLY_SIZE) {
        q->reply[(q->reply_head + q->reply_count++) % PS2_REPLY_SIZE] = v;
    }
}

static unsigned queue_room(const Ps2Queue *q)
{
    return PS2_EVENT_SIZE - q->event_count;
}

static void queue_event(Ps2Queue *q, uint8_t v)
{
    if (queue_room(q)) {
        q->event[(q->event_head + q->event_count++) % PS2_EVENT_SIZE] = v;
    }
}

static void queue_clear(Ps2Queue *q)
{
    q->reply_count = q->event_count = q->reply_head = q->event_head = 0;
}

bool ps2_ready(const Ps2Queue *q)
{
    return q->reply_count || q->event_count;
}

uint8_t ps2_take(Ps2Queue *q)
{
    if (q->reply_count) {
        q->last = q->reply[q->reply_head];
        q->reply_head = (q->reply_head + 1) % PS2_REPLY_SIZE;
        q->reply_count--;
    } else if (q->event_count) {
        q->last = q->event[q->event_head];
        q->event_head = (q->event_head + 1) % PS2_EVENT_SIZE;
        q->event_count--;
    }
    return q->last;
}

/* --- keys: codes of the three sets, E0H prefix as the high byte --- */

typedef struct KeyRow {
    uint16_t key, set1, set2;
    uint8_t set3; /* 0 = none */
} KeyRow;

static const KeyRow keys[] = {
    { KEY_ESC, 0x01, 0x76, 0x08 },
    { KEY_1, 0x02, 0x16, 0x16 },
    { KEY_2, 0x03, 0x1e, 0x1e },
    { KEY_3, 0x04, 0x26, 0x26 },
    { KEY_4, 0x05, 0x25, 0x25 },
    { KEY_5, 0x06, 0x2e, 0x2e },
    { KEY_6, 0x07, 0x36, 0x36 },
    { KEY_7, 0x08, 0x3d, 0x3d },
    { KEY_8, 0x09, 0x3e, 0x3e },
    { KEY_9, 0x0a, 0x46, 0x46 },
    { KEY_0, 0x0b, 0x45, 0x45 },
    { KEY_MINUS, 0x0c, 0x4e, 0x4e },
    { KEY_EQUAL, 0x0d, 0x55, 0x55 },
    { KEY_BACKSPACE, 0x0e, 0x66, 0x66 },
    { KEY_TAB, 0x0f, 0x0d, 0x0d },
    { KEY_Q, 0x10, 0x15, 0x15 },
    { KEY_W, 0x11, 0x1d, 0x1d },
    { KEY_E, 0x12, 0x24, 0x24 },
    { KEY_R, 0x13, 0x2d, 0x2d },
    { KEY_T, 0x14, 0x2c, 0x2c },
    { KEY_Y, 0x15, 0x35, 0x35 },
    { KEY_U, 0x16, 0x3c, 0x3c },
    { KEY_I, 0x17, 0x43, 0x43 },
    { KEY_O, 0x18, 0x44, 0x44 },
    { KEY_P, 0x19, 0x4d, 0x4d },
    { KEY_LEFTBRACE, 0x1a, 0x54, 0x54 },
    { KEY_RIGHTBRACE, 0x1b, 0x5b, 0x5b },
    { KEY_ENTER, 0x1c, 0x5a, 0x5a },
    { KEY_LEFTCTRL, 0x1d, 0x14, 0x11 },
    { KEY_A, 0x1e, 0x1c, 0x1c },
    { KEY_S, 0x1f, 0x1b, 0x1b },
    { KEY_D, 0x20, 0x23, 0x23 },
    { KEY_F, 0x21, 0x2b, 0x2b },
    { KEY_G, 0x22, 0x34, 0x34 },
    { KEY_H, 0x23, 0x33, 0x33 },
    { KEY_J, 0x24, 0x3b, 0x3b },
    { KEY_K, 0x25, 0x42, 0x42 },
    { KEY_L, 0x26, 0x4b, 0x4b },
    { KEY_SEMICOLON, 0x27, 0x4c, 0x4c },
    { KEY_APOSTROPHE, 0x28, 0x52, 0x52 },
    { KEY_GRAVE, 0x29, 0x0e, 0x0e },
    { KEY_LEFTSHIFT, 0x2a, 0x12, 0x12 },
    { KEY_BACKSLASH, 0x2b, 0x5d, 0x5c },
    { KEY_Z, 0x2c, 0x1a, 0x1a },
    { KEY_X, 0x2d, 0x22, 0x22 },
    { KEY_C, 0x2e, 0x21, 0x21 },
    { KEY_V, 0x2f, 0x2a, 0x2a },
    { KEY_B, 0x30, 0x32, 0x32 },
    { KEY_N, 0x31, 0x31, 0x31 },
    { KEY_M, 0x32, 0x3a, 0x3a },
    { KEY_COMMA, 0x33, 0x41, 0x41 },
    { KEY_DOT, 0x34, 0x49, 0x49 },
    { KEY_SLASH, 0x35, 0x4a, 0x4a },
    { KEY_RIGHTSHIFT, 0x36, 0x59, 0x59 },
    { KEY_KPASTERISK, 0x37, 0x7c, 0x7e },
    { KEY_LEFTALT, 0x38, 0x11, 0x19 },
    { KEY_SPACE, 0x39, 0x29, 0x29 },
    { KEY_CAPSLOCK, 0x3a, 0x58, 0x14 },
    { KEY_F1, 0x3b, 0x05, 0x07 },
    { KEY_F2, 0x3c, 0x06, 0x0f },
    { KEY_F3, 0x3d, 0x04, 0x17 },
    { KEY_F4, 0x3e, 0x0c, 0x1f },
    { KEY_F5, 0x3f, 0x03, 0x27 },
    { KEY_F6, 0x40, 0x0b, 0x2f },
    { KEY_F7, 0x41, 0x83, 0x37 },
    { KEY_F8, 0x42, 0x0a, 0x3f },
    { KEY_F9, 0x43, 0x01, 0x47 },
    { KEY_F10, 0x44, 0x09, 0x4f },
    { KEY_NUMLOCK, 0x45, 0x77, 0x76 },
    { KEY_SCROLLLOCK, 0x46, 0x7e, 0x5f },
    { KEY_KP7, 0x47, 0x6c, 0x6c },
    { KEY_KP8, 0x48, 0x75, 0x75 },
    { KEY_KP9, 0x49, 0x7d, 0x7d },
    { KEY_KPMINUS, 0x4a, 0x7b, 0x84 },
    { KEY_KP4, 0x4b, 0x6b, 0x6b },
    { KEY_KP5, 0x4c, 0x73, 0x73 },
    { KEY_KP6, 0x4d, 0x74, 0x74 },
    { KEY_KPPLUS, 0x4e, 0x79, 0x7c },
    { KEY_KP1, 0x4f, 0x69, 0x69 },
    { KEY_KP2, 0x50, 0x72, 0x72 },
    { KEY_KP3, 0x51, 0x7a, 0x7a },
    { KEY_KP0, 0x52, 0x70, 0x70 },
    { KEY_KPDOT, 0x53, 0x71, 0x71 },
    { KEY_102ND, 0x56, 0x61, 0x13 },
    { KEY_F11, 0x57, 0x78, 0x56 },
    { KEY_F12, 0x58, 0x07, 0x5e },
    { KEY_RO, 0x73, 0x51, 0x51 },
    { KEY_HENKAN, 0x79, 0x64, 0x86 },
    { KEY_KATAKANAHIRAGANA, 0x70, 0x13, 0x87 },
    { KEY_MUHENKAN, 0x7b, 0x67, 0x85 },
    { KEY_YEN, 0x7d, 0x6a, 0x5d },
    { KEY_KPCOMMA, 0x7e, 0x6d, 0x7b },
    { KEY_KPENTER, 0xe01c, 0xe05a, 0x79 },
    { KEY_RIGHTCTRL, 0xe01d, 0xe014, 0x58 },
    { KEY_KPSLASH, 0xe035, 0xe04a, 0x77 },
    { KEY_RIGHTALT, 0xe038, 0xe011, 0x39 },
    { KEY_HOME, 0xe047, 0xe06c, 0x6e },
    { KEY_UP, 0xe048, 0xe075, 0x63 },
    { KEY_PAGEUP, 0xe049, 0xe07d, 0x6f },
    { KEY_LEFT, 0xe04b, 0xe06b, 0x61 },
    { KEY_RIGHT, 0xe04d, 0xe074, 0x6a },
    { KEY_END, 0xe04f, 0xe069, 0x65 },
    { KEY_DOWN, 0xe050, 0xe072, 0x60 },
    { KEY_PAGEDOWN, 0xe051, 0xe07a, 0x6d },
    { KEY_INSERT, 0xe052, 0xe070, 0x67 },
    { KEY_DELETE, 0xe053, 0xe071, 0x64 },
    { KEY_LEFTMETA, 0xe05b, 0xe01f, 0x8b },
    { KEY_RIGHTMETA, 0xe05c, 0xe027, 0x8c },
    { KEY_COMPOSE, 0xe05d, 0xe02f, 0x8d },
    { KEY_POWER, 0xe05e, 0xe037, 0 },
    { KEY_SLEEP, 0xe05f, 0xe03f, 0 },
    { KEY_WAKEUP, 0xe063, 0xe05e, 0 },
    { KEY_MUTE, 0xe020, 0xe023, 0 },
    { KEY_VOLUMEDOWN, 0xe02e, 0xe021, 0 },
    { KEY_VOLUMEUP, 0xe030, 0xe032, 0 },
    { KEY_NEXTSONG, 0xe019, 0xe04d, 0 },
    { KEY_PREVIOUSSONG, 0xe010, 0xe015, 0 },
    { KEY_PLAYPAUSE, 0xe022, 0xe034, 0 },
    { KEY_STOPCD, 0xe024, 0xe03b, 0 },
    { KEY_MAIL, 0xe06c, 0xe048, 0 },
    { KEY_CALC, 0xe021, 0xe02b, 0 },
    { KEY_HOMEPAGE, 0xe032, 0xe03a, 0 },
};

uint8_t ps2_translate(uint8_t v)
{
    if (v == 0x02) {
        return 0x41; /* no key has it; the answer to "which set?" does */
    }
    if (v == 0x84) {
        return 0x54; /* Alt+PrintScreen */
    }
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].set2 == v) {
            return keys[i].set1;
        }
    }
    /* Codes that only E0H keys have. */
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        if (v < 0x80 && (keys[i].set2 & 0xff) == v) {
            return keys[i].set1;
        }
    }
    return v;
}

static const KeyRow *key_find(unsigned code)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].key == code) {
            return &keys[i];
        }
    }
    return NULL;
}

/* --- keyboard: scan codes --- */

static void keyboard_send(Ps2Keyboard *k, const uint8_t *code, unsigned n)
{
    Ps2Queue *q = &k->s->q;
    if (queue_room(q) < n + 1) { /* the last place is for the overrun code */
        if (queue_room(q) == 1) {
            queue_event(q, k->s->set == 1 ? 0xff : OVERRUN);
        }
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        queue_event(q, code[i]);
    }
}

/* One code of set 1 or 2, make or break, with its prefix. */
static unsigned keyboard_put(const Ps2Keyboard *k, uint8_t *to, uint16_t code, bool down)
{
    unsigned n = 0;
    if (code >> 8) {
        to[n++] = code >> 8;
    }
    if (k->s->set == 1) {
        to[n++] = code | (down ? 0 : 0x80);
        return n;
    }
    if (!down) {
        to[n++] = 0xf0;
    }
    to[n++] = code;
    return n;
}

/* PrintScreen pretends a shift around itself, but not with Ctrl or Shift held; with Alt
 * it is SysRq. */
static void keyboard_print(Ps2Keyboard *k, bool down)
{
    uint8_t b[12];
    unsigned n = 0;
    bool one = k->s->set == 1;
    uint16_t shift = one ? 0xe02a : 0xe012, print = one ? 0xe037 : 0xe07c;
    if (k->s->modifiers & (MOD_LALT | MOD_RALT)) {
        n = keyboard_put(k, b, one ? 0x54 : 0x84, down);
    } else if (k->s->modifiers) {
        n = keyboard_put(k, b, print, down);
    } else if (down) {
        n = keyboard_put(k, b, shift, true);
        n += keyboard_put(k, b + n, print, true);
    } else {
        n = keyboard_put(k, b, print, false);
        n += keyboard_put(k, b + n, shift, false);
    }
    keyboard_send(k, b, n);
}

/* Pause has make and break in one; with Ctrl it is Break. */
static void keyboard_pause(Ps2Keyboard *k)
{
    static const uint8_t pause1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
    static const uint8_t pause2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };
    static const uint8_t break1[] = { 0xe0, 0x46, 0xe0, 0xc6 };
    static const uint8_t break2[] = { 0xe0, 0x7e, 0xe0, 0xf0, 0x7e };
    bool one = k->s->set == 1;
    if (k->s->modifiers & (MOD_LCTRL | MOD_RCTRL)) {
        keyboard_send(k, one ? break1 : break2, one ? sizeof(break1) : sizeof(break2));
    } else {
        keyboard_send(k, one ? pause1 : pause2, one ? sizeof(pause1) : sizeof(pause2));
    }
}

static void keyboard_set3(Ps2Keyboard *k, uint8_t code, bool down)
{
    uint8_t b[2] = { 0xf0, code };
    if (code) {
        keyboard_send(k, down ? b + 1 : b, down ? 1 : 2);
    }
}

static void keyboard_code(Ps2Keyboard *k, unsigned code, bool down)
{
    const KeyRow *row = key_find(code);
    uint8_t b[4];
    if (k->s->set == 3) {
        uint8_t set3 = code == KEY_SYSRQ   ? 0x57
                       : code == KEY_PAUSE ? 0x62
                       : row               ? row->set3
                                           : 0;
        keyboard_set3(k, set3, down);
    } else if (code == KEY_SYSRQ) {
        keyboard_print(k, down);
    } else if (code == KEY_PAUSE) {
        if (down) {
            keyboard_pause(k);
        }
    } else if (row) {
        unsigned n = keyboard_put(k, b, k->s->set == 1 ? row->set1 : row->set2, down);
        keyboard_send(k, b, n);
    }
}

static uint8_t key_modifier(unsigned code)
{
    switch (code) {
    case KEY_LEFTCTRL: return MOD_LCTRL;
    case KEY_RIGHTCTRL: return MOD_RCTRL;
    case KEY_LEFTALT: return MOD_LALT;
    case KEY_RIGHTALT: return MOD_RALT;
    case KEY_LEFTSHIFT: return MOD_LSHIFT;
    case KEY_RIGHTSHIFT: return MOD_RSHIFT;
    default: return 0;
    }
}

/* --- typematic: delay (1 + bits 6:5) * 250 ms, period (8 + A) * 2^B * 4.17 ms --- */

static int64_t repeat_delay(uint8_t rate)
{
    return ((rate >> 5 & 3) + 1) * 250000000ll;
}
static int64_t repeat_period(uint8_t rate)
{
    return (int64_t)(8 + (rate & 7)) * (1 << (rate >> 3 & 3)) * 4170000;
}

void ps2_keyboard_repeat(void *keyboard)
{
    Ps2Keyboard *k = keyboard;
    if (!k->s->repeat_key || !k->s->scanning) {
        return;
    }
    /* A guest that does not read gets no backlog. */
    if (k->s->q.event_count < 8) {
        keyboard_code(k, k->s->repeat_key, true);
        k->changed(k->opaque);
    }
    timer_mod(&k->repeat, clock_now(k->clock) + repeat_period(k->s->rate));
}

static void repeat_stop(Ps2Keyboard *k)
{
    k->s->repeat_key = 0;
    timer_del(&k->repeat);
}

void ps2_keyboard_key(Ps2Keyboard *k, unsigned code, bool down)
{
    if (code > 255) {
        return;
    }
    if (down && k->s->repeat_key == code) {
        return; /* the display's own repeat: the keyboard does it */
    }
    uint8_t mod = key_modifier(code);
    if (k->s->scanning) {
        keyboard_code(k, code, down);
    }
    k->s->modifiers = down ? k->s->modifiers | mod : k->s->modifiers & ~mod;
    if (!down) {
        if (k->s->repeat_key == code) {
            repeat_stop(k);
        }
    } else if (k->s->scanning && code != KEY_PAUSE) {
        k->s->repeat_key = code;
        timer_mod(&k->repeat, clock_now(k->clock) + repeat_delay(k->s->rate));
    }
    k->changed(k->opaque);
}

/* --- keyboard: commands --- */

static void keyboard_defaults(Ps2Keyboard *k)
{
    k->s->set = 2;
    k->s->rate = DEFAULT_RATE;
    repeat_stop(k);
}

void ps2_keyboard_reset(Ps2Keyboard *k)
{
    queue_clear(&k->s->q);
    k->s->command = 0;
    k->s->leds = 0;
    k->s->modifiers = 0;
    k->s->scanning = true;
    keyboard_defaults(k);
}

/* The argument byte of a command. */
static void keyboard_argument(Ps2Keyboard *k, uint8_t v)
{
    Ps2Queue *q = &k->s->q;
    uint8_t command = k->s->command;
    k->s->command = 0;
    switch (command) {
    case 0xed:
        k->s->leds = v & 7;
        queue_reply(q, ACK);
        break;
    case 0xf0:
        if (v > 3) {
            queue_reply(q, RESEND);
            break;
        }
        queue_reply(q, ACK);
        if (!v) {
            queue_reply(q, k->s->set);
        } else {
            k->s->set = v;
        }
        break;
    case 0xf3:
        k->s->rate = v & 0x7f;
        queue_reply(q, ACK);
        break;
    default: /* FBH-FDH: a list of keys, until the next command */
        queue_reply(q, ACK);
        k->s->command = command;
        break;
    }
}

static void keyboard_command(Ps2Keyboard *k, uint8_t v)
{
    Ps2Queue *q = &k->s->q;
    switch (v) {
    case 0xed:
    case 0xf0:
    case 0xf3:
    case 0xfb:
    case 0xfc:
    case 0xfd:
        k->s->command = v;
        queue_reply(q, ACK);
        break;
    case 0xee: queue_reply(q, ECHO); break;
    case 0xf2:
        queue_reply(q, ACK);
        queue_reply(q, 0xab);
        queue_reply(q, 0x83);
        break;
    case 0xf4:
        queue_clear(q);
        k->s->scanning = true;
        queue_reply(q, ACK);
        break;
    case 0xf5:
    case 0xf6:
        queue_clear(q);
        keyboard_defaults(k);
        k->s->scanning = v == 0xf6;
        queue_reply(q, ACK);
        break;
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa: queue_reply(q, ACK); break;
    case 0xfe: queue_reply(q, q->last); break;
    case 0xff:
        ps2_keyboard_reset(k);
        queue_reply(q, ACK);
        queue_reply(q, BAT_OK);
        break;
    default: queue_reply(q, RESEND); break;
    }
}

void ps2_keyboard_write(Ps2Keyboard *k, uint8_t v)
{
    /* A command byte ends a wait for arguments. */
    if (k->s->command && v < 0xed) {
        keyboard_argument(k, v);
    } else {
        k->s->command = 0;
        keyboard_command(k, v);
    }
    k->changed(k->opaque);
}

bool ps2_keyboard_post_load(Ps2Keyboard *k)
{
    if (!k->s->set) {
        return false;
    }
    if (k->s->repeat_key) {
        timer_mod(&k->repeat, clock_now(k->clock) + repeat_delay(k->s->rate));
    }
    return true;
}

static const StateField ps2_queue_fields[] = {
    STATE_U8_ARRAY(Ps2Queue, reply),
    STATE_U8_ARRAY(Ps2Queue, event),
    STATE_U8_MAX(Ps2Queue, reply_count, PS2_REPLY_SIZE),
    STATE_U8_MAX(Ps2Queue, reply_head, PS2_REPLY_SIZE - 1),
    STATE_U8_MAX(Ps2Queue, event_count, PS2_EVENT_SIZE),
    STATE_U8_MAX(Ps2Queue, event_head, PS2_EVENT_SIZE - 1),
    STATE_U8(Ps2Queue, last),
    STATE_END
};
const StateDesc ps2_queue_state = { .version = 1,
                                    .size = sizeof(Ps2Queue),
                                    .fields = ps2_queue_fields };

static const StateField ps2_keyboard_fields[] = { STATE_SUB(Ps2KeyboardState, q,
                                                            ps2_queue_state),
                                                  STATE_U8(Ps2KeyboardState, command),
                                                  STATE_U8_MAX(Ps2KeyboardState, set, 3),
                                                  STATE_U8(Ps2KeyboardState, leds),
                                                  STATE_U8(Ps2KeyboardState, rate),
                                                  STATE_U8(Ps2KeyboardState, modifiers),
                                                  STATE_U8(Ps2KeyboardState, repeat_key),
                                                  STATE_BOOL(Ps2KeyboardState, scanning),
                                                  STATE_END };
const StateDesc ps2_keyboard_state = { .version = 1,
                                       .size = sizeof(Ps2KeyboardState),
                                       .fields = ps2_keyboard_fields };

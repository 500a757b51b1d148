/* SPDX-License-Identifier: MIT */
/*
 * Names of keys for the monitor's sendkey: a US keyboard's positions. Codes are Linux
 * input event codes (linux/input-event-codes.h).
 */
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

#include "ui/monitor.h"
#include "util/alloc.h"

typedef struct KeyName {
    const char *name;
    unsigned code;
} KeyName;

/* clang-format off: rows */
static const KeyName key_names[] = {
    { "esc", KEY_ESC },
    { "1", KEY_1 },
    { "2", KEY_2 },
    { "3", KEY_3 },
    { "4", KEY_4 },
    { "5", KEY_5 },
    { "6", KEY_6 },
    { "7", KEY_7 },
    { "8", KEY_8 },
    { "9", KEY_9 },
    { "0", KEY_0 },
    { "minus", KEY_MINUS },
    { "equal", KEY_EQUAL },
    { "backspace", KEY_BACKSPACE },
    { "tab", KEY_TAB },
    { "q", KEY_Q },
    { "w", KEY_W },
    { "e", KEY_E },
    { "r", KEY_R },
    { "t", KEY_T },
    { "y", KEY_Y },
    { "u", KEY_U },
    { "i", KEY_I },
    { "o", KEY_O },
    { "p", KEY_P },
    { "bracket_left", KEY_LEFTBRACE },
    { "bracket_right", KEY_RIGHTBRACE },
    { "ret", KEY_ENTER },
    { "enter", KEY_ENTER },
    { "ctrl", KEY_LEFTCTRL },
    { "ctrl_r", KEY_RIGHTCTRL },
    { "a", KEY_A },
    { "s", KEY_S },
    { "d", KEY_D },
    { "f", KEY_F },
    { "g", KEY_G },
    { "h", KEY_H },
    { "j", KEY_J },
    { "k", KEY_K },
    { "l", KEY_L },
    { "semicolon", KEY_SEMICOLON },
    { "apostrophe", KEY_APOSTROPHE },
    { "grave_accent", KEY_GRAVE },
    { "shift", KEY_LEFTSHIFT },
    { "shift_r", KEY_RIGHTSHIFT },
    { "backslash", KEY_BACKSLASH },
    { "z", KEY_Z },
    { "x", KEY_X },
    { "c", KEY_C },
    { "v", KEY_V },
    { "b", KEY_B },
    { "n", KEY_N },
    { "m", KEY_M },
    { "comma", KEY_COMMA },
    { "dot", KEY_DOT },
    { "slash", KEY_SLASH },
    { "alt", KEY_LEFTALT },
    { "alt_r", KEY_RIGHTALT },
    { "spc", KEY_SPACE },
    { "caps_lock", KEY_CAPSLOCK },
    { "f1", KEY_F1 },
    { "f2", KEY_F2 },
    { "f3", KEY_F3 },
    { "f4", KEY_F4 },
    { "f5", KEY_F5 },
    { "f6", KEY_F6 },
    { "f7", KEY_F7 },
    { "f8", KEY_F8 },
    { "f9", KEY_F9 },
    { "f10", KEY_F10 },
    { "f11", KEY_F11 },
    { "f12", KEY_F12 },
    { "num_lock", KEY_NUMLOCK },
    { "scroll_lock", KEY_SCROLLLOCK },
    { "sysrq", KEY_SYSRQ },
    { "print", KEY_SYSRQ },
    { "pause", KEY_PAUSE },
    { "insert", KEY_INSERT },
    { "delete", KEY_DELETE },
    { "home", KEY_HOME },
    { "end", KEY_END },
    { "pgup", KEY_PAGEUP },
    { "pgdn", KEY_PAGEDOWN },
    { "up", KEY_UP },
    { "down", KEY_DOWN },
    { "left", KEY_LEFT },
    { "right", KEY_RIGHT },
    { "meta_l", KEY_LEFTMETA },
    { "meta_r", KEY_RIGHTMETA },
    { "menu", KEY_COMPOSE },
    { "kp_0", KEY_KP0 },
    { "kp_1", KEY_KP1 },
    { "kp_2", KEY_KP2 },
    { "kp_3", KEY_KP3 },
    { "kp_4", KEY_KP4 },
    { "kp_5", KEY_KP5 },
    { "kp_6", KEY_KP6 },
    { "kp_7", KEY_KP7 },
    { "kp_8", KEY_KP8 },
    { "kp_9", KEY_KP9 },
    { "kp_add", KEY_KPPLUS },
    { "kp_subtract", KEY_KPMINUS },
    { "kp_multiply", KEY_KPASTERISK },
    { "kp_divide", KEY_KPSLASH },
    { "kp_enter", KEY_KPENTER },
    { "kp_decimal", KEY_KPDOT },
    { "less", KEY_102ND },
};
/* clang-format on */

static bool find_key(const char *name, unsigned *code, Error *err)
{
    const char *names[ARRAY_SIZE(key_names) + 1];
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++) {
        if (strcmp(key_names[i].name, name) == 0) {
            *code = key_names[i].code;
            return true;
        }
        names[i] = key_names[i].name;
    }
    names[ARRAY_SIZE(key_names)] = NULL;
    const char *near = nearest_match(name, names);
    return error_set(err,
                     "%s: unknown key; expected a-z, 0-9, f1-f12, ret, spc, esc, ctrl, "
                     "shift, alt, delete...%s%s%s",
                     name, near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "");
}

unsigned key_names_parse(const char *text, unsigned *codes, unsigned max, Error *err)
{
    char *copy = xstrdup(text), *rest = copy;
    unsigned n = 0;
    bool ok = true;
    while (ok && rest) {
        char *name = strsep(&rest, "-");
        if (n == max) {
            ok = error_set(err, "%s: too many keys at once: at most %u", text, max);
        } else {
            ok = find_key(name, &codes[n++], err);
        }
    }
    free(copy);
    return ok ? n : 0;
}

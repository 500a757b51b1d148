/* SPDX-License-Identifier: MIT */
/* The window's and the VNC server's keys: every key the monitor can name can be typed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <SDL2/SDL_scancode.h>
#include <linux/input-event-codes.h>
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "ui/monitor.h"
#include "ui/sdl_keymap.h"
#include "ui/vnc_keymap.h"

const MachineClass *const machine_classes[] = { NULL };
const DeviceClass *const device_classes[] = { NULL };

static const char *const names[] = {
    "esc", "1", "0", "minus", "equal", "backspace", "tab", "q", "bracket_left",
    "bracket_right", "ret", "ctrl", "ctrl_r", "semicolon", "apostrophe", "grave_accent",
    "shift", "shift_r", "backslash", "comma", "dot", "slash", "alt", "alt_r", "spc",
    "caps_lock", "f1", "f10", "f11", "f12", "num_lock", "scroll_lock", "sysrq", "pause",
    "insert", "delete", "home", "end", "pgup", "pgdn", "up", "down", "left", "right",
    "meta_l", "meta_r", "menu", "kp_0", "kp_5", "kp_9", "kp_add", "kp_subtract",
    "kp_multiply", "kp_divide", "kp_enter", "kp_decimal", "less", "a", "z",
};

static bool sdl_types(unsigned code)
{
    for (int s = 0; s < SDL_NUM_SCANCODES; s++) {
        if (sdl_key(s) == code) {
            return true;
        }
    }
    return false;
}

static void a_window_can_type_every_key_of_the_monitor(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        Error err = ERROR_INIT;
        unsigned code;
        assert_int_equal(key_names_parse(names[i], &code, 1, &err), 1);
        if (!sdl_types(code)) {
            fail_msg("no scancode for %s", names[i]);
        }
    }
}

static void scancodes_are_positions(void **state)
{
    assert_int_equal(sdl_key(SDL_SCANCODE_A), KEY_A);
    assert_int_equal(sdl_key(SDL_SCANCODE_0), KEY_0);
    assert_int_equal(sdl_key(SDL_SCANCODE_NONUSBACKSLASH), KEY_102ND);
    assert_int_equal(sdl_key(SDL_SCANCODE_KP_ENTER), KEY_KPENTER);
    assert_int_equal(sdl_key(-1), 0);
    assert_int_equal(sdl_key(SDL_NUM_SCANCODES), 0);
}

static void keysyms_name_keys_of_a_us_keyboard(void **state)
{
    for (unsigned c = '!'; c <= '~'; c++) {
        if (!vnc_key(c)) {
            fail_msg("no key for '%c'", c);
        }
    }
    assert_int_equal(vnc_key('a'), KEY_A);
    assert_int_equal(vnc_key('A'), KEY_A);
    assert_int_equal(vnc_key('?'), KEY_SLASH);
    assert_int_equal(vnc_key(0xff0d), KEY_ENTER);
    assert_int_equal(vnc_key(0xffc9), KEY_F12);
    assert_int_equal(vnc_key(0xffff), KEY_DELETE);
    assert_int_equal(vnc_key(0x10ffff), 0);
    assert_int_equal(vnc_key(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_can_type_every_key_of_the_monitor),
        cmocka_unit_test(scancodes_are_positions),
        cmocka_unit_test(keysyms_name_keys_of_a_us_keyboard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

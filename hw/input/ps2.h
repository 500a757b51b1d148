/* SPDX-License-Identifier: MIT */
/*
 * PS/2 keyboard and mouse, the ends of the two cables. Owned by i8042.c, which embeds
 * them: not devices of their own. Machine lock.
 */
#ifndef HW_INPUT_PS2_H
#define HW_INPUT_PS2_H

#include "hw/core/clock.h"
#include "hw/core/state.h"

/* Bytes on their way to the controller; `reply` goes first. */
enum { PS2_REPLY_SIZE = 8, PS2_EVENT_SIZE = 128 };
typedef struct Ps2Queue {
    uint8_t reply[PS2_REPLY_SIZE], event[PS2_EVENT_SIZE];
    uint8_t reply_count, reply_head, event_count, event_head;
    uint8_t last; /* byte sent last, for "resend" */
} Ps2Queue;

typedef struct Ps2KeyboardState {
    Ps2Queue q;
    uint8_t command; /* that waits for its argument; 0 = none */
    uint8_t set;     /* scan code set, 1..3 */
    uint8_t leds, rate;
    uint8_t modifiers;  /* PS2_MOD_*: keys held that change PrintScreen and Pause */
    uint8_t repeat_key; /* Linux key code that repeats; 0 = none */
    bool scanning;
} Ps2KeyboardState;

typedef struct Ps2MouseState {
    Ps2Queue q;
    int32_t dx, dy, dz; /* movement not sent yet; dy up, dz towards the user */
    uint8_t command;
    uint8_t resolution, rate;
    uint8_t id;       /* 0 three buttons, 3 wheel, 4 wheel and five buttons */
    uint8_t knock[3]; /* last sample rates: the wheel's secret knock */
    uint8_t buttons, sent_buttons; /* bit 0 left, 1 right, 2 middle */
    bool reporting, remote, wrap, scaling;
} Ps2MouseState;

typedef struct Ps2Keyboard {
    Ps2KeyboardState *s; /* in the owner's saved struct */
    Clock *clock;
    Timer repeat;                  /* registered by the owner: ps2_keyboard_repeat */
    void (*changed)(void *opaque); /* bytes may be ready */
    void *opaque;
} Ps2Keyboard;

typedef struct Ps2Mouse {
    Ps2MouseState *s;
    void (*changed)(void *opaque);
    void *opaque;
} Ps2Mouse;

bool ps2_ready(const Ps2Queue *q);
uint8_t ps2_take(Ps2Queue *q); /* only if ready */

void ps2_keyboard_reset(Ps2Keyboard *k);
void ps2_keyboard_write(Ps2Keyboard *k, uint8_t v); /* a byte from the host */
void ps2_keyboard_key(Ps2Keyboard *k, unsigned code, bool down); /* KEY_* */
void ps2_keyboard_repeat(void *keyboard);
bool ps2_keyboard_post_load(Ps2Keyboard *k);
/* The controller's translation of a set 2 byte to set 1. */
uint8_t ps2_translate(uint8_t v);

void ps2_mouse_reset(Ps2Mouse *m);
void ps2_mouse_write(Ps2Mouse *m, uint8_t v);
void ps2_mouse_move(Ps2Mouse *m, int dx, int dy, int wheel); /* dy down, wheel up > 0 */
void ps2_mouse_button(Ps2Mouse *m, unsigned n, bool down);   /* 0 left 1 middle 2 right */
/* Makes packets of what is pending; the owner calls it after ps2_take. */
void ps2_mouse_pump(Ps2Mouse *m);
void ps2_mouse_post_load(Ps2Mouse *m);

extern const StateDesc ps2_queue_state, ps2_keyboard_state, ps2_mouse_state;

#endif

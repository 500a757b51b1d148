/* SPDX-License-Identifier: MIT */
/*
 * Keys and pointer from displays and the monitor to devices. Keys are Linux input event
 * codes (KEY_*, linux/input-event-codes.h): the position, not the letter. Machine lock.
 */
#ifndef HW_CORE_INPUT_H
#define HW_CORE_INPUT_H

#include "util/compiler.h"

struct Machine;

typedef struct InputSink {
    void (*key)(void *opaque, unsigned code, bool down);           /* or NULL */
    void (*rel)(void *opaque, int dx, int dy, int wheel);          /* or NULL */
    void (*abs)(void *opaque, unsigned x, unsigned y);             /* 0..32767, or NULL */
    void (*button)(void *opaque, unsigned n, bool down);           /* 0 left 1 middle 2 right */
    void *opaque;
    struct InputSink *next;
    struct Machine *machine;
} InputSink;

void input_register(struct Machine *m, InputSink *sink);   /* the newest gets the events */
void input_unregister(InputSink *sink);
void input_key(struct Machine *m, unsigned code, bool down);
void input_rel(struct Machine *m, int dx, int dy, int wheel);
void input_abs(struct Machine *m, unsigned x, unsigned y);
void input_button(struct Machine *m, unsigned n, bool down);
bool input_wants_abs(struct Machine *m);

#endif

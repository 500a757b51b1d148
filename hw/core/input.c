/* SPDX-License-Identifier: MIT */
/* Keys and pointer: each event goes to the newest sink that takes its kind. */
#include "hw/core/input.h"

#include "hw/core/display.h"
#include "hw/core/machine.h"
#include "hw/core/nondet.h"

enum EventKind { EV_KEY, EV_REL, EV_ABS, EV_BUTTON };

typedef struct Event {
    enum EventKind kind;
    int a, b, c;
} Event;

void input_register(Machine *m, InputSink *sink)
{
    sink->machine = m;
    sink->next = m->sinks;
    m->sinks = sink;
}

void input_unregister(InputSink *sink)
{
    if (!sink->machine) {
        return;
    }
    for (InputSink **pp = &sink->machine->sinks; *pp; pp = &(*pp)->next) {
        if (*pp == sink) {
            *pp = sink->next;
            break;
        }
    }
    sink->machine = NULL;
}

static void deliver(void *machine, const void *data, size_t n)
{
    const Event *e = data;
    for (InputSink *s = ((Machine *)machine)->sinks; s; s = s->next) {
        if (e->kind == EV_KEY && s->key) {
            s->key(s->opaque, (unsigned)e->a, e->b);
            return;
        }
        if (e->kind == EV_REL && s->rel) {
            s->rel(s->opaque, e->a, e->b, e->c);
            return;
        }
        if (e->kind == EV_ABS && s->abs) {
            s->abs(s->opaque, (unsigned)e->a, (unsigned)e->b);
            return;
        }
        if (e->kind == EV_BUTTON && s->button) {
            s->button(s->opaque, (unsigned)e->a, e->b);
            return;
        }
    }
}

static void inject(Machine *m, const char *kind, const Event *e)
{
    nondet_inject(kind, deliver, m, e, sizeof(*e));
    screen_expect_change(m);
}

void input_key(Machine *m, unsigned code, bool down)
{
    if (down) {
        machine_wake(m, WAKE_OTHER);
    }
    inject(m, "key", &(Event){ EV_KEY, (int)code, down, 0 });
}

void input_rel(Machine *m, int dx, int dy, int wheel)
{
    inject(m, "pointer", &(Event){ EV_REL, dx, dy, wheel });
}

void input_abs(Machine *m, unsigned x, unsigned y)
{
    inject(m, "pointer", &(Event){ EV_ABS, (int)MIN(x, 32767u), (int)MIN(y, 32767u), 0 });
}

void input_button(Machine *m, unsigned n, bool down)
{
    inject(m, "pointer", &(Event){ EV_BUTTON, (int)n, down, 0 });
}

bool input_wants_abs(Machine *m)
{
    for (const InputSink *s = m->sinks; s; s = s->next) {
        if (s->abs) {
            return true;
        }
        if (s->rel) {
            return false;
        }
    }
    return false;
}

/* SPDX-License-Identifier: MIT */
/*
 * The multiplexer of mon:stdio and mux=on: several clients share one backend, ctrl-a is
 * the escape key. All write; who has the focus reads. Machine lock held.
 */
#include "hw/backend/char_int.h"

#include <stdio.h>
#include <string.h>
#include "hw/core/machine.h"

enum { ESCAPE_KEY = 1 /* ctrl-a */ };

static void say(CharBackend *c, const char *text)
{
    char_write_now(c, (const uint8_t *)text, strlen(text));
}

static void mux_help(CharBackend *c)
{
    static const char *const lines[] = {
        "\r\n",
        "C-a h    this help\r\n",
        "C-a x    quit\r\n",
        "C-a c    next of the console and the monitor\r\n",
        "C-a b    send a break\r\n",
        "C-a s    what becomes of disks with snapshot=on\r\n",
        "C-a t    time stamps on and off\r\n",
        "C-a C-a  send C-a\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        say(c, lines[i]);
    }
}

static void event_to(CharBackend *c, unsigned i, int event)
{
    if (c->clients[i].event) {
        c->clients[i].event(c->clients[i].opaque, event);
    }
}

static void mux_switch(CharBackend *c)
{
    if (c->nclients < 2) {
        return;
    }
    event_to(c, c->focus, CHAR_FOCUS_OUT);
    c->focus = (c->focus + 1) % c->nclients;
    if (c->opened[c->focus]) {
        event_to(c, c->focus, CHAR_FOCUS_IN);
    } else {
        char_settle(c); /* it greets before it hears the next key */
    }
}

static void mux_command(CharBackend *c, uint8_t key)
{
    switch (key) {
    case 'h':
    case '?':
        mux_help(c);
        break;
    case 'x':
        say(c, "\r\ndyad: terminated by C-a x\r\n");
        machine_quit(c->machine, "host-ui");
        break;
    case 'c':
        mux_switch(c);
        break;
    case 'b':
        if (c->focus < c->nclients) {
            event_to(c, c->focus, CHAR_BREAK);
        }
        break;
    case 's':
        say(c, "\r\ndyad: what snapshot=on keeps apart cannot be written back\r\n");
        break;
    case 't':
        c->timestamps = !c->timestamps;
        break;
    default:
        break;
    }
}

static void flush_to(CharBackend *c, unsigned i)
{
    CharPending *p = &c->pending[i];
    while (p->n && i < c->nclients) {
        const CharClient *cl = &c->clients[i];
        unsigned n = MIN(cl->can_receive(cl->opaque), (size_t)p->n);
        if (n == 0) {
            return;
        }
        uint8_t part[CHAR_PENDING];
        memcpy(part, p->key, n);
        memmove(p->key, p->key + n, p->n - n);
        p->n -= n;
        cl->receive(cl->opaque, part, n);
    }
}

/* Keys go where they were typed for, also after the focus went on. */
void mux_flush(CharBackend *c)
{
    for (unsigned i = 0; i < c->nclients; i++) {
        flush_to(c, i);
    }
}

void mux_input(CharBackend *c, const uint8_t *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t key = buf[i];
        bool escaped = c->escape;
        c->escape = false;
        if (escaped && key != ESCAPE_KEY) {
            mux_flush(c);
            mux_command(c, key);
        } else if (!escaped && key == ESCAPE_KEY) {
            c->escape = true;
        } else if (c->focus < c->nclients && c->pending[c->focus].n < CHAR_PENDING) {
            CharPending *p = &c->pending[c->focus];
            p->key[p->n++] = key;
        }
    }
    mux_flush(c);
}

/* Virtual time at the start of each line. */
size_t mux_stamp(CharBackend *c, const uint8_t *buf, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (c->at_line_start) {
            char text[40];
            int64_t ms = c->machine->clock ? clock_now(c->machine->clock) / 1000000 : 0;
            snprintf(text, sizeof(text), "[%lld.%03lld] ", (long long)(ms / 1000),
                     (long long)(ms % 1000));
            say(c, text);
        }
        const uint8_t *nl = memchr(buf + i, '\n', n - i);
        size_t len = nl ? (size_t)(nl - (buf + i)) + 1 : n - i;
        char_write_now(c, buf + i, len);
        c->at_line_start = nl != NULL;
        i += len;
    }
    return n;
}

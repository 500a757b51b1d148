/* SPDX-License-Identifier: MIT */
/*
 * Character backends: the list, clients, input from a descriptor, output queue. Machine
 * lock held in every entry point.
 */
#include "hw/backend/char_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "hw/core/machine.h"
#include "hw/core/nondet.h"
#include "util/alloc.h"

static CharBackend *all;

/* --- the list --- */

CharBackend *char_create(struct Machine *m, const CharOps *ops, const char *label)
{
    CharBackend *c = NEW(CharBackend);
    c->ops = ops;
    c->machine = m;
    c->label = xstrdup(label);
    c->fd_in = c->fd_out = c->listen_fd = -1;
    c->owns_fds = true;
    c->at_line_start = true;
    return c;
}

CharBackend *chardev_find(struct Machine *m, const char *id)
{
    for (CharBackend *c = all; c; c = c->next) {
        if (c->machine == m && !strcmp(c->label, id)) {
            return c;
        }
    }
    return NULL;
}

CharBackend *char_register(CharBackend *c, Error *err)
{
    if (chardev_find(c->machine, c->label)) {
        error_set(err, "id: '%s' names another character device already", c->label);
        char_destroy(c);
        return NULL;
    }
    c->next = all;
    all = c;
    return c;
}

/* Gives the other end a moment to take what is queued. */
static void drain_output(CharBackend *c)
{
    for (int turns = 0; turns < 5 && c->out_len && c->fd_out >= 0; turns++) {
        struct pollfd p = { c->fd_out, POLLOUT, 0 };
        if (poll(&p, 1, 50) > 0) {
            char_write_now(c, NULL, 0);
        }
    }
}

void char_destroy(CharBackend *c)
{
    drain_output(c);
    loop_del_fd(c->watch);
    loop_del_fd(c->listen_watch);
    if (c->ops->close) {
        c->ops->close(c);
    }
    if (c->owns_fds) {
        if (c->fd_in >= 0) {
            close(c->fd_in);
        }
        if (c->fd_out >= 0 && c->fd_out != c->fd_in) {
            close(c->fd_out);
        }
    }
    if (c->listen_fd >= 0) {
        close(c->listen_fd);
    }
    if (c->unlink_path) {
        unlink(c->unlink_path);
    }
    free(c->unlink_path);
    free(c->out);
    free(c->label);
    free(c);
}

void chardev_close_all(struct Machine *m)
{
    for (CharBackend **pp = &all; *pp;) {
        CharBackend *c = *pp;
        if (c->machine == m) {
            *pp = c->next;
            char_destroy(c);
        } else {
            pp = &c->next;
        }
    }
}

const char *chardev_label(const CharBackend *c)
{
    return c ? c->label : "";
}

static void *link_find(const char *id, Error *err)
{
    const char *ids[33] = { NULL };
    unsigned n = 0;
    for (CharBackend *c = all; c; c = c->next) {
        if (!strcmp(c->label, id)) {
            return c;
        }
        if (n < ARRAY_SIZE(ids) - 1) {
            ids[n++] = c->label;
        }
    }
    if (n == 0) {
        error_set(err, "no character device has the id '%s': there is no -chardev", id);
    } else {
        error_set_choice(err, "id", id, ids);
    }
    return NULL;
}

const PropLink chardev_link = { .what = "chardev", .find = link_find };

/* --- clients --- */

static void send_event(CharBackend *c, unsigned i, int event)
{
    if (c->clients[i].event) {
        c->clients[i].event(c->clients[i].opaque, event);
    }
}

void char_event(CharBackend *c, int event)
{
    for (unsigned i = 0; i < c->nclients; i++) {
        if (c->opened[i]) {
            c->opened[i] = event != CHAR_CLOSED;
            send_event(c, i, event);
        }
    }
}

/* Who has the focus hears that the other end is there. The others hear it when they get
 * the focus, so that a monitor behind ctrl-a greets when it is called for. */
void char_settle(void *opaque)
{
    CharBackend *c = opaque;
    c->settling = false;
    if (c->connected && c->focus < c->nclients && !c->opened[c->focus]) {
        c->opened[c->focus] = true;
        send_event(c, c->focus, CHAR_OPENED);
    }
    chardev_accept_input(c);
}

void char_settle_later(CharBackend *c)
{
    if (!c->machine || !c->machine->loop) {
        char_settle(c);
    } else if (!c->settling) {
        c->settling = true;
        loop_call(c->machine->loop, char_settle, c);
    }
}

bool chardev_attach(CharBackend *c, const CharClient *client, Error *err)
{
    if (c->nclients && !c->mux) {
        return error_set(err, "chardev '%s' is used by another device (mux=on shares it)",
                         c->label);
    }
    if (c->nclients == CHAR_CLIENTS) {
        return error_set(err, "chardev '%s' has %u users already", c->label, c->nclients);
    }
    c->focus = c->nclients;
    c->clients[c->nclients] = *client;
    c->opened[c->nclients++] = false;
    char_settle_later(c);
    return true;
}

void chardev_detach(CharBackend *c, void *opaque)
{
    for (unsigned i = 0; c && i < c->nclients; i++) {
        if (c->clients[i].opaque != opaque) {
            continue;
        }
        unsigned after = c->nclients - i - 1;
        memmove(&c->clients[i], &c->clients[i + 1], after * sizeof(c->clients[0]));
        memmove(&c->opened[i], &c->opened[i + 1], after * sizeof(c->opened[0]));
        memmove(&c->pending[i], &c->pending[i + 1], after * sizeof(c->pending[0]));
        c->pending[--c->nclients].n = 0;
        if (c->focus > i || c->focus == c->nclients) {
            c->focus = c->focus ? c->focus - 1 : 0;
        }
        return;
    }
}

/* --- input --- */

size_t char_room(CharBackend *c)
{
    if (c->mux) {
        return 64;  /* the escape keys work even if nobody takes input */
    }
    if (c->focus >= c->nclients || !c->clients[c->focus].can_receive) {
        return 0;
    }
    return c->clients[c->focus].can_receive(c->clients[c->focus].opaque);
}

static void update_watch(CharBackend *c)
{
    if (c->watch) {
        loop_mod_fd(c->watch, (c->eof || c->read_off ? 0 : LOOP_READ) |
                    (c->out_len && c->fd_out == c->fd_in ? LOOP_WRITE : 0));
    }
}

static void deliver(void *opaque, const void *data, size_t n)
{
    CharBackend *c = opaque;
    if (c->mux) {
        mux_input(c, data, n);
    } else if (c->focus < c->nclients) {
        c->clients[c->focus].receive(c->clients[c->focus].opaque, data, n);
    }
}

static void input_ended(CharBackend *c)
{
    c->eof = true;
    update_watch(c);
    if (c->ops->hangup) {
        c->ops->hangup(c);
    }
}

static void char_fd_event(void *opaque, unsigned events)
{
    CharBackend *c = opaque;
    if (c->settling) {
        char_settle(c);     /* CHAR_OPENED comes before the first byte */
    }
    if (events & LOOP_WRITE) {
        char_write_now(c, NULL, 0);
    }
    if (!(events & LOOP_READ)) {
        return;
    }
    uint8_t buf[4096];
    size_t room = MIN(char_room(c), sizeof(buf));
    if (room == 0) {
        c->read_off = true;     /* until chardev_accept_input */
        update_watch(c);
        return;
    }
    ssize_t n = read(c->fd_in, buf, room);
    if (n > 0 && c->telnet) {
        n = (ssize_t)char_telnet_input(c, buf, (size_t)n);
        if (n == 0) {
            return;
        }
    }
    if (n > 0) {
        nondet_inject("char", deliver, c, buf, n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        input_ended(c);
    }
}

void chardev_accept_input(CharBackend *c)
{
    if (!c) {
        return;
    }
    if (c->mux) {
        mux_flush(c);
    }
    if (c->read_off) {
        c->read_off = false;
        update_watch(c);
    }
}

void char_connect(CharBackend *c, int fd_in, int fd_out)
{
    c->fd_in = fd_in;
    c->fd_out = fd_out;
    c->connected = true;
    c->eof = c->read_off = false;
    if (fd_in >= 0 && c->machine && c->machine->loop) {
        c->watch = loop_add_fd(c->machine->loop, fd_in, LOOP_READ, char_fd_event, c);
    }
    char_settle_later(c);
}

void char_disconnect(CharBackend *c)
{
    loop_del_fd(c->watch);
    c->watch = NULL;
    if (c->fd_in >= 0) {
        close(c->fd_in);
    }
    c->fd_in = c->fd_out = -1;
    c->connected = false;
    c->out_len = 0;
    char_event(c, CHAR_CLOSED);
}

/* --- output --- */

static ssize_t host_write(CharBackend *c, const uint8_t *buf, size_t n)
{
    ssize_t k;
    do {
        k = c->is_socket ? send(c->fd_out, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT)
                         : write(c->fd_out, buf, n);
    } while (k < 0 && errno == EINTR);
    return k;
}

static void queue_output(CharBackend *c, const uint8_t *buf, size_t n)
{
    n = MIN(n, CHAR_QUEUE_MAX - c->out_len);
    if (c->out_len + n > c->out_cap) {
        c->out_cap = MIN(MAX(2 * c->out_cap, c->out_len + n + 4096), (size_t)CHAR_QUEUE_MAX);
        c->out = xrealloc(c->out, c->out_cap);
    }
    if (n) {
        memcpy(c->out + c->out_len, buf, n);
    }
    c->out_len += n;
}

static void write_blocking(CharBackend *c, const uint8_t *buf, size_t n)
{
    while (n) {
        ssize_t k = host_write(c, buf, n);
        if (k < 0 && errno == EAGAIN) { /* somebody made our terminal non-blocking */
            struct pollfd p = { c->fd_out, POLLOUT, 0 };
            poll(&p, 1, 100);
            continue;
        }
        if (k <= 0) {
            return;     /* the reader is gone: output is dropped */
        }
        buf += k;
        n -= k;
    }
}

/* Queued bytes first, then buf. */
void char_write_now(CharBackend *c, const uint8_t *buf, size_t n)
{
    if (!c->connected || c->fd_out < 0) {
        return;
    }
    if (c->blocking) {
        write_blocking(c, buf, n);
        return;
    }
    if (c->out_len) {
        ssize_t k = host_write(c, c->out, c->out_len);
        if (k > 0) {
            memmove(c->out, c->out + k, c->out_len - k);
            c->out_len -= k;
        } else if (k < 0 && errno != EAGAIN) {
            c->out_len = 0;     /* the read side notices the hangup */
        }
    }
    if (n && !c->out_len) {
        ssize_t k = host_write(c, buf, n);
        if (k < 0 && errno != EAGAIN) {
            n = 0;
        } else if (k > 0) {
            buf += k;
            n -= k;
        }
    }
    queue_output(c, buf, n);
    update_watch(c);
}

size_t chardev_write(CharBackend *c, const uint8_t *buf, size_t n)
{
    if (!c || n == 0) {
        return n;
    }
    if (c->mux && c->timestamps) {
        return mux_stamp(c, buf, n);
    }
    char_write_now(c, buf, n);
    return n;
}

void chardev_info(struct Machine *m, FILE *f)
{
    for (const CharBackend *c = all; c; c = c->next) {
        if (c->machine == m) {
            fprintf(f, "%s: %s%s, %u client%s%s\n", c->label, c->ops->name,
                    c->mux ? " (multiplexed)" : "", c->nclients,
                    c->nclients == 1 ? "" : "s", c->connected ? "" : ", not connected");
        }
    }
}

bool chardev_nth(struct Machine *m, unsigned n, CharInfo *i)
{
    for (const CharBackend *c = all; c; c = c->next) {
        if (c->machine == m && n-- == 0) {
            *i = (CharInfo){ c->label, c->ops->name, c->nclients > 0 };
            return true;
        }
    }
    return false;
}

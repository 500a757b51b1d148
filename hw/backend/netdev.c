/* SPDX-License-Identifier: MIT */
/*
 * Network backends: the list, the client, frames that wait. Machine lock held.
 */
#include "hw/backend/net.h"

#include <stdlib.h>
#include <string.h>
#include "hw/core/nondet.h"
#include "util/alloc.h"

enum { QUEUE_MAX = 256 };

static NetBackend *all;

static void net_free(NetBackend *n)
{
    if (n->ops->close) {
        n->ops->close(n);
    }
    while (n->queue) {
        NetFrame *f = n->queue;
        n->queue = f->next;
        free(f);
    }
    free(n->id);
    free(n);
}

NetBackend *netdev_find(struct Machine *m, const char *id)
{
    for (NetBackend *n = all; n; n = n->next) {
        if (n->machine == m && !strcmp(n->id, id)) {
            return n;
        }
    }
    return NULL;
}

NetBackend *netdev_first_unused(struct Machine *m)
{
    for (NetBackend *n = all; n; n = n->next) {
        if (n->machine == m && !n->attached) {
            return n;
        }
    }
    return NULL;
}

NetBackend *netdev_open(struct Machine *m, const char *spec, Error *err)
{
    static const char *const kinds[] = { "user", NULL };
    const char *rest;
    char *kind = property_first_word(spec, &rest), *id = property_get_text(rest, "id");
    NetBackend *n = NULL;
    if (!kind) {
        kind = property_get_text(spec, "type");
    }
    if (!kind || strcmp(kind, "user")) {
        error_set_choice(err, "type", kind ? kind : "", kinds);
    } else if (!id) {
        error_set(err, "id: one is needed: id=NAME");
    } else if (netdev_find(m, id)) {
        error_set(err, "id: '%s' names another netdev already", id);
    } else {
        n = net_user_open(m, rest, err);
    }
    free(kind);
    if (!n) {
        free(id);
        return NULL;
    }
    n->id = id;
    n->machine = m;
    NetBackend **pp = &all;
    while (*pp) {
        pp = &(*pp)->next;
    }
    *pp = n;
    return n;
}

void netdev_close_all(struct Machine *m)
{
    for (NetBackend **pp = &all; *pp;) {
        NetBackend *n = *pp;
        if (n->machine == m) {
            *pp = n->next;
            net_free(n);
        } else {
            pp = &n->next;
        }
    }
}

bool netdev_attach(NetBackend *n, const NetClient *client, Error *err)
{
    if (n->attached) {
        return error_set(err, "netdev '%s' is used by another device", n->id);
    }
    n->client = *client;
    n->attached = true;
    return true;
}

void netdev_detach(NetBackend *n)
{
    n->attached = false;
}

void netdev_send(NetBackend *n, const uint8_t *frame, size_t len)
{
    n->ops->send(n, frame, len);
}

static void deliver(void *opaque, const void *data, size_t len)
{
    NetBackend *n = opaque;
    n->client.receive(n->client.opaque, data, len);
}

void net_to_guest(NetBackend *n, const uint8_t *frame, size_t len)
{
    if (!n->attached) {
        return;
    }
    if (!n->queue && n->client.can_receive(n->client.opaque)) {
        nondet_inject("net", deliver, n, frame, len);
        return;
    }
    if (n->queued == QUEUE_MAX) {
        return;
    }
    NetFrame *f = xalloc(sizeof(*f) + len);
    f->len = len;
    memcpy(f->data, frame, len);
    if (!n->queue) {
        n->queue_tail = &n->queue;
    }
    *n->queue_tail = f;
    n->queue_tail = &f->next;
    n->queued++;
}

void netdev_flush(NetBackend *n)
{
    while (n->queue && n->attached && n->client.can_receive(n->client.opaque)) {
        NetFrame *f = n->queue;
        n->queue = f->next;
        n->queued--;
        nondet_inject("net", deliver, n, f->data, f->len);
        free(f);
    }
}

static void *link_find(const char *id, Error *err)
{
    const char *ids[33] = { NULL };
    unsigned k = 0;
    for (NetBackend *n = all; n; n = n->next) {
        if (!strcmp(n->id, id)) {
            return n;
        }
        if (k < ARRAY_SIZE(ids) - 1) {
            ids[k++] = n->id;
        }
    }
    if (k == 0) {
        error_set(err, "no netdev has the id '%s': there is no -netdev", id);
    } else {
        error_set_choice(err, "id", id, ids);
    }
    return NULL;
}

const PropLink netdev_link = { .what = "netdev", .find = link_find };

void netdev_help(FILE *f)
{
    net_user_help(f);
}

void netdev_info(struct Machine *m, FILE *f)
{
    for (const NetBackend *n = all; n; n = n->next) {
        if (n->machine == m) {
            fprintf(f, "%s: user%s, %u frames wait\n", n->id,
                    n->attached ? "" : ", not attached", n->queued);
        }
    }
}

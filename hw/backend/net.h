/* SPDX-License-Identifier: MIT */
/*
 * The seam between the list of network backends (netdev.c) and their kinds. A kind embeds
 * NetBackend first. Machine lock held.
 */
#ifndef HW_BACKEND_NET_H
#define HW_BACKEND_NET_H

#include "hw/core/netdev.h"

typedef struct NetOps {
    void (*send)(NetBackend *n, const uint8_t *frame, size_t len);
    void (*close)(NetBackend *n);   /* optional */
} NetOps;

typedef struct NetFrame {
    struct NetFrame *next;
    size_t len;
    uint8_t data[];
} NetFrame;

struct NetBackend {
    const NetOps *ops;
    struct Machine *machine;
    char *id;
    NetBackend *next;
    NetClient client;
    bool attached;
    NetFrame *queue, **queue_tail;  /* frames the client does not take yet */
    unsigned queued;
};

/* To the guest: now, or when it takes frames again; dropped if too many wait. */
void net_to_guest(NetBackend *n, const uint8_t *frame, size_t len);

/* `text`: what follows "user,". Returns a backend with everything but the id set. */
NetBackend *net_user_open(struct Machine *m, const char *text, Error *err);
void net_user_help(FILE *f);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Network backends: `user` (libslirp) and what comes later (tap). A device end and a
 * backend end exchange whole Ethernet frames. Machine lock held.
 */
#ifndef HW_CORE_NETDEV_H
#define HW_CORE_NETDEV_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"
#include "util/property.h"

struct Machine;
typedef struct NetBackend NetBackend;

typedef struct NetClient {
    bool (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *frame, size_t n);
    void *opaque;
} NetClient;

/* -netdev user,id=n0,hostfwd=tcp::2222-:22,... */
NetBackend *netdev_open(struct Machine *m, const char *spec, Error *err);
NetBackend *netdev_find(struct Machine *m, const char *id);
NetBackend *netdev_first_unused(struct Machine *m);
void netdev_close_all(struct Machine *m);
void netdev_help(FILE *f);
void netdev_info(struct Machine *m, FILE *f); /* info network */
bool netdev_attach(NetBackend *n, const NetClient *client, Error *err);
void netdev_detach(NetBackend *n);
void netdev_send(NetBackend *n, const uint8_t *frame, size_t len);  /* from the guest */
void netdev_flush(NetBackend *n);    /* client can receive again */
extern const PropLink netdev_link;

#endif

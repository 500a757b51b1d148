/* SPDX-License-Identifier: MIT */
/*
 * Character backends: stdio, file, pipe, pty, unix and tcp sockets, null, ring buffer, and
 * the multiplexer of `-serial mon:stdio`. Machine lock held in every call and callback.
 */
#ifndef HW_CORE_CHARDEV_H
#define HW_CORE_CHARDEV_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"
#include "util/property.h"

struct Machine;
typedef struct CharBackend CharBackend;

/* The device end. */
typedef struct CharClient {
    size_t (*can_receive)(void *opaque);                        /* bytes it takes now */
    void (*receive)(void *opaque, const uint8_t *buf, size_t n);
    void (*event)(void *opaque, int event);                     /* CHAR_*; optional */
    void *opaque;
} CharClient;
enum { CHAR_OPENED, CHAR_CLOSED, CHAR_BREAK, CHAR_FOCUS_IN, CHAR_FOCUS_OUT };

/* "stdio", "file:PATH", "pty", "null", "none", "vc", "pipe:PATH", "mon:stdio",
 * "unix:PATH,server=on,wait=off", "tcp:HOST:PORT,server=on,wait=off", "chardev:ID". */
CharBackend *chardev_open(struct Machine *m, const char *spec, const char *id, Error *err);
/* -chardev backend,id=ID,... (socket,path=,host=,port=,server=,wait=; file,path=; ...) */
CharBackend *chardev_open_option(struct Machine *m, const char *text, Error *err);
CharBackend *chardev_find(struct Machine *m, const char *id);
void chardev_close_all(struct Machine *m);   /* restores the terminal */
void chardev_help(FILE *f);
void chardev_info(struct Machine *m, FILE *f); /* info chardev */
typedef struct CharInfo {
    const char *label, *kind;
    bool used;                  /* has a client */
} CharInfo;
/* The n-th backend of the machine; false: there are no more. */
bool chardev_nth(struct Machine *m, unsigned n, CharInfo *i);
/* One client, or several through the multiplexer (ctrl-a c switches). false: in use. */
bool chardev_attach(CharBackend *c, const CharClient *client, Error *err);
void chardev_detach(CharBackend *c, void *opaque);
/* Queues all of it; the backend buffers what the host does not take yet (bounded: then
 * it drops or blocks as the host's pipe would). Returns n. c may be NULL. */
size_t chardev_write(CharBackend *c, const uint8_t *buf, size_t n);
void chardev_accept_input(CharBackend *c);   /* client can receive again */
const char *chardev_label(const CharBackend *c);
/* The monitor end of mon: backends registers here (ui/monitor.c). */
void chardev_set_monitor_factory(bool (*make)(CharBackend *c, Error *err));
extern const PropLink chardev_link;

#endif

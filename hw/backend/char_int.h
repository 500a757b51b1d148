/* SPDX-License-Identifier: MIT */
/*
 * What the files of the character backends share. A backend has one input descriptor in
 * the loop; output is either written at once, waiting as the host's pipe makes us wait
 * (`blocking`: stdio, file, pipe), or queued up to a bound and then dropped (sockets,
 * terminals). Machine lock held.
 */
#ifndef HW_BACKEND_CHAR_INT_H
#define HW_BACKEND_CHAR_INT_H

#include <sys/types.h>
#include "hw/core/chardev.h"
#include "util/loop.h"

enum { CHAR_CLIENTS = 4, CHAR_QUEUE_MAX = 1 << 20, CHAR_PENDING = 256 };

typedef struct CharOps {
    const char *name;
    void (*hangup)(CharBackend *c);     /* input ended; optional */
    void (*close)(CharBackend *c);      /* optional */
} CharOps;

typedef struct CharPending {
    uint8_t key[CHAR_PENDING];
    unsigned n;
} CharPending;

struct CharBackend {
    const CharOps *ops;
    struct Machine *machine;
    char *label;            /* id */
    CharBackend *next;

    CharClient clients[CHAR_CLIENTS];
    bool opened[CHAR_CLIENTS];  /* the client has heard CHAR_OPENED */
    unsigned nclients, focus;   /* input goes to clients[focus] */
    bool settling;              /* char_settle is queued */

    bool mux;               /* several clients, ctrl-a */
    bool escape;            /* ctrl-a was typed */
    bool at_line_start, timestamps;
    CharPending pending[CHAR_CLIENTS];  /* mux: input that a client does not take yet */

    bool telnet;            /* socket: speaks RFC 854, */
    uint8_t telnet_state;   /* and what of a command has come */
    bool connected;         /* somebody is at the other end (always, but for sockets) */
    bool blocking, is_socket;
    int fd_in, fd_out;      /* may be the same; -1 = none; owned if `owns_fds` */
    bool owns_fds, eof;
    LoopFd *watch;          /* of fd_in */
    bool read_off;          /* the client takes nothing now */
    uint8_t *out;           /* queued output */
    size_t out_len, out_cap;

    int listen_fd;          /* sockets: server, or -1 */
    LoopFd *listen_watch;
    char *unlink_path;      /* removed at close */
};

CharBackend *char_create(struct Machine *m, const CharOps *ops, const char *label);
void char_destroy(CharBackend *c);          /* not registered yet */
/* Registers; on failure (label taken) destroys c and returns NULL. */
CharBackend *char_register(CharBackend *c, Error *err);
/* Descriptors are open: starts watching, tells the clients. */
void char_connect(CharBackend *c, int fd_in, int fd_out);
void char_disconnect(CharBackend *c);       /* closes them, tells the clients */
void char_event(CharBackend *c, int event); /* to every client that heard OPENED */
void char_settle_later(CharBackend *c);     /* CHAR_OPENED for who has the focus: soon */
void char_settle(void *backend);            /* the same, now */
size_t char_room(CharBackend *c);           /* bytes of input wanted now */
void char_write_now(CharBackend *c, const uint8_t *buf, size_t n);

/* char_socket.c: takes commands out of n received bytes; how many are left. */
size_t char_telnet_input(CharBackend *c, uint8_t *buf, size_t n);

/* char_mux.c */
void mux_input(CharBackend *c, const uint8_t *buf, size_t n);
void mux_flush(CharBackend *c);
size_t mux_stamp(CharBackend *c, const uint8_t *buf, size_t n);

/* Openers; NULL with err set on failure. */
CharBackend *char_open_null(struct Machine *m, const char *label, Error *err);
CharBackend *char_open_stdio(struct Machine *m, const char *label, bool signals, Error *err);
CharBackend *char_open_file(struct Machine *m, const char *label, const char *path,
                            bool append, Error *err);
CharBackend *char_open_pipe(struct Machine *m, const char *label, const char *path,
                            Error *err);
CharBackend *char_open_pty(struct Machine *m, const char *label, const char *link,
                           Error *err);
typedef struct CharSocket {
    const char *path;           /* unix, or NULL: */
    const char *host, *port;    /* tcp; host NULL or "": any / loopback */
    bool server, wait, nodelay, telnet;
} CharSocket;
CharBackend *char_open_socket(struct Machine *m, const char *label, const CharSocket *s,
                              Error *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Character backends from text: the short form of -serial and -monitor, the long form of
 * -chardev. Machine lock held.
 */
#include "hw/backend/char_int.h"

#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

static bool (*make_monitor)(CharBackend *c, Error *err);

void chardev_set_monitor_factory(bool (*make)(CharBackend *c, Error *err))
{
    make_monitor = make;
}

enum CharKind { K_NULL, K_STDIO, K_FILE, K_PIPE, K_PTY, K_SOCKET };

typedef struct {
    char *id, *path, *host, *port;
    bool server, wait, nodelay, telnet, mux, signal, append;
} CharOpts;

#define OPT_STR(field, help) \
    { #field, PK_STR, offsetof(CharOpts, field), 0, 0, 0, NULL, NULL, NULL, help }
#define OPT_BOOL(field, def, help) \
    { #field, PK_BOOL, offsetof(CharOpts, field), def, 0, 1, NULL, NULL, NULL, help }
#define COMMON OPT_STR(id, "name for chardev="), \
    OPT_BOOL(mux, 0, "several devices share it; ctrl-a is the escape key")

static const Property null_props[] = { COMMON, PROP_END };
static const Property stdio_props[] = {
    COMMON, OPT_BOOL(signal, 1, "ctrl-c ends dyad; off: the guest gets it"), PROP_END
};
static const Property file_props[] = {
    COMMON, OPT_STR(path, "the file"), OPT_BOOL(append, 0, "keep what is in it"), PROP_END
};
static const Property pipe_props[] = {
    COMMON, OPT_STR(path, "the pipe, or PATH.in and PATH.out"), PROP_END
};
static const Property pty_props[] = {
    COMMON, OPT_STR(path, "a link to the terminal, made and removed"), PROP_END
};
static const Property socket_props[] = {
    COMMON, OPT_STR(path, "unix socket"), OPT_STR(host, "tcp: host"),
    OPT_STR(port, "tcp: port"), OPT_BOOL(server, 0, "listen instead of connect"),
    OPT_BOOL(wait, 1, "server: wait for a peer before the machine starts"),
    OPT_BOOL(nodelay, 0, "send small pieces at once"),
    OPT_BOOL(telnet, 0, "speak telnet: the peer is a terminal"), PROP_END
};

static const struct {
    const char *name;
    enum CharKind kind;
    const Property *props;
    const char *help;
} kinds[] = {
    { "null", K_NULL, null_props, "swallows output" },
    { "vc", K_NULL, null_props, "the same: there are no text consoles in the window" },
    { "stdio", K_STDIO, stdio_props, "this terminal" },
    { "file", K_FILE, file_props, "output to a file" },
    { "pipe", K_PIPE, pipe_props, "named pipes" },
    { "pty", K_PTY, pty_props, "a pseudo terminal" },
    { "socket", K_SOCKET, socket_props, "unix or tcp socket" },
};

static CharBackend *open_socket(struct Machine *m, const CharOpts *o, Error *err)
{
    if (!o->path == !o->port) {
        error_set(err, "socket: expected either path=PATH or host=HOST,port=PORT");
        return NULL;
    }
    const CharSocket s = {
        .path = o->path, .host = o->host, .port = o->port, .server = o->server,
        .wait = o->wait, .nodelay = o->nodelay, .telnet = o->telnet,
    };
    return char_open_socket(m, o->id, &s, err);
}

static CharBackend *open_kind(struct Machine *m, enum CharKind kind, const CharOpts *o,
                              Error *err)
{
    if ((kind == K_FILE || kind == K_PIPE) && !o->path) {
        error_set(err, "path: a path is needed: path=PATH");
        return NULL;
    }
    CharBackend *c = NULL;
    switch (kind) {
    case K_NULL:
        c = char_open_null(m, o->id, err);
        break;
    case K_STDIO:
        c = char_open_stdio(m, o->id, o->signal, err);
        break;
    case K_FILE:
        c = char_open_file(m, o->id, o->path, o->append, err);
        break;
    case K_PIPE:
        c = char_open_pipe(m, o->id, o->path, err);
        break;
    case K_PTY:
        c = char_open_pty(m, o->id, o->path, err);
        break;
    case K_SOCKET:
        c = open_socket(m, o, err);
        break;
    }
    if (c) {
        c->mux = o->mux;
        c = char_register(c, err);
    }
    return c;
}

static void opts_free(CharOpts *o)
{
    free(o->id);
    free(o->path);
    free(o->host);
    free(o->port);
}

/* --- -chardev --- */

CharBackend *chardev_open_option(struct Machine *m, const char *text, Error *err)
{
    const char *rest;
    char *word = property_first_word(text, &rest);
    CharBackend *c = NULL;
    size_t k = 0;
    if (!word) {
        char *named = property_get_text(text, "backend");
        word = named ? named : xstrdup("");
    }
    while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k].name, word)) {
        k++;
    }
    if (k == ARRAY_SIZE(kinds)) {
        const char *names[ARRAY_SIZE(kinds) + 1] = { NULL };
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            names[i] = kinds[i].name;
        }
        error_set_choice(err, "backend", word, names);
        free(word);
        return NULL;
    }
    static const char *const skip[] = { "backend", NULL };
    CharOpts o = { 0 };
    property_defaults(kinds[k].props, &o);
    if (property_parse(kinds[k].props, &o, rest, skip, err)) {
        if (o.id) {
            c = open_kind(m, kinds[k].kind, &o, err);
        } else {
            error_set(err, "id: one is needed: id=NAME");
        }
    }
    opts_free(&o);
    free(word);
    return c;
}

/* --- the short form --- */

static bool starts(const char *text, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);
    *rest = text + n;
    return !strncmp(text, prefix, n);
}

static const char *const short_names[] = {
    "stdio", "null", "none", "vc", "pty", "file:PATH", "pipe:PATH", "unix:PATH", "tcp:HOST:PORT",
    "telnet:HOST:PORT", "mon:stdio", "chardev:ID", NULL
};

/* "PATH,server=on" or "HOST:PORT,server=on". */
static CharBackend *open_short_socket(struct Machine *m, const char *text, const char *id,
                                      bool tcp, bool mux, Error *err)
{
    CharOpts o = { 0 };
    property_defaults(socket_props, &o);
    size_t n = strcspn(text, ",");
    char *where = xasprintf("%.*s", (int)n, text);
    CharBackend *c = NULL;
    o.id = xstrdup(id);
    if (tcp) {
        char *colon = strrchr(where, ':');
        if (!colon || !colon[1]) {
            error_set(err, "tcp: '%s' is not accepted: expected HOST:PORT", where);
            goto out;
        }
        *colon = 0;
        bool bracketed = where[0] == '[' && colon > where + 1 && colon[-1] == ']';
        if (bracketed) {    /* [::1]:4444 */
            colon[-1] = 0;
        }
        o.host = xstrdup(where + bracketed);
        o.port = xstrdup(colon + 1);
    } else {
        o.path = xstrdup(where);
    }
    static const char *const skip[] = { "id", "path", "host", "port", NULL };
    if (property_parse(socket_props, &o, text + n + (text[n] == ','), skip, err)) {
        o.mux |= mux;
        c = open_kind(m, K_SOCKET, &o, err);
    }
out:
    free(where);
    opts_free(&o);
    return c;
}

/* `mux`: for a monitor and a device together; the guest gets ctrl-c then. */
static CharBackend *open_short(struct Machine *m, const char *spec, const char *id, bool mux,
                               Error *err)
{
    const char *rest;
    CharOpts o = { .id = (char *)id, .mux = mux, .signal = !mux };
    if (!strcmp(spec, "stdio")) {
        return open_kind(m, K_STDIO, &o, err);
    }
    if (!strcmp(spec, "null") || !strcmp(spec, "none") || !strcmp(spec, "vc") ||
        starts(spec, "vc:", &rest)) {
        return open_kind(m, K_NULL, &o, err);
    }
    if (!strcmp(spec, "pty")) {
        return open_kind(m, K_PTY, &o, err);
    }
    if (starts(spec, "file:", &rest) || starts(spec, "pipe:", &rest)) {
        o.path = (char *)rest;
        return open_kind(m, spec[0] == 'f' ? K_FILE : K_PIPE, &o, err);
    }
    if (starts(spec, "unix:", &rest)) {
        return open_short_socket(m, rest, id, false, mux, err);
    }
    if (starts(spec, "tcp:", &rest) || starts(spec, "telnet:", &rest)) {
        char *text = xasprintf("%s%s", rest, spec[1] == 'e' ? ",telnet=on" : "");
        CharBackend *c = open_short_socket(m, text, id, true, mux, err);
        free(text);
        return c;
    }
    error_set_choice(err, "character device", spec, short_names);
    return NULL;
}

CharBackend *chardev_open(struct Machine *m, const char *spec, const char *id, Error *err)
{
    const char *rest;
    if (starts(spec, "chardev:", &rest)) {
        CharBackend *c = chardev_find(m, rest);
        if (!c) {
            error_set(err, "chardev:%s: no -chardev has this id", rest);
        }
        return c;
    }
    if (!starts(spec, "mon:", &rest)) {
        return open_short(m, spec, id, false, err);
    }
    CharBackend *c = open_short(m, rest, id, true, err);
    if (c && make_monitor && !make_monitor(c, err)) {
        return NULL;    /* closed with the others */
    }
    return c;
}

void chardev_help(FILE *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        fprintf(f, "%s: %s\n", kinds[i].name, kinds[i].help);
        property_help(kinds[i].props, f);
    }
}

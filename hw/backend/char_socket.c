/* SPDX-License-Identifier: MIT */
/*
 * Character backends on unix and tcp stream sockets, as server or client. A server serves
 * one peer at a time; the next one waits in the listen queue. Machine lock held.
 */
#include "hw/backend/char_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "hw/core/machine.h"
#include "util/alloc.h"

static void socket_accept(void *opaque, unsigned events);

static void socket_listen(CharBackend *c)
{
    if (c->machine && c->machine->loop) {
        c->listen_watch = loop_add_fd(c->machine->loop, c->listen_fd, LOOP_READ,
                                      socket_accept, c);
    }
}

static void socket_hangup(CharBackend *c)
{
    char_disconnect(c);
    if (c->listen_fd >= 0) {
        socket_listen(c);
    }
}

/* --- telnet (RFC 854): the peer is told to send each key and to leave the echo to us --- */

enum { IAC = 255, SB = 250, SE = 240, WILL = 251, DONT = 254, BRK = 243, CR = 13 };
enum { TN_DATA, TN_CR, TN_IAC, TN_OPTION, TN_SB, TN_SB_IAC };

static void telnet_hello(CharBackend *c)
{
    static const uint8_t hello[] = { IAC, WILL, 1 /* echo */, IAC, WILL, 3 /* no go-ahead */ };
    c->telnet_state = TN_DATA;
    char_write_now(c, hello, sizeof(hello));
}

size_t char_telnet_input(CharBackend *c, uint8_t *buf, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = buf[i], was = c->telnet_state;
        c->telnet_state = TN_DATA;
        if (was == TN_IAC && b != IAC) {
            c->telnet_state = b == SB ? TN_SB : b >= WILL && b <= DONT ? TN_OPTION : TN_DATA;
            if (b == BRK) {
                char_event(c, CHAR_BREAK);
            }
        } else if (was == TN_SB || was == TN_SB_IAC) {
            c->telnet_state = was == TN_SB ? (b == IAC ? TN_SB_IAC : TN_SB)
                              : b == SE    ? TN_DATA : TN_SB;
        } else if (was == TN_OPTION || (was == TN_CR && b == 0)) {
            /* an answer to our hello, or what must follow a bare return */
        } else if (b == IAC && was != TN_IAC) {
            c->telnet_state = TN_IAC;
        } else {
            c->telnet_state = b == CR ? TN_CR : TN_DATA;
            buf[out++] = b;
        }
    }
    return out;
}

static const CharOps socket_ops = { .name = "socket", .hangup = socket_hangup };

static void socket_accept(void *opaque, unsigned events)
{
    CharBackend *c = opaque;
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    loop_del_fd(c->listen_watch);
    c->listen_watch = NULL;
    char_connect(c, fd, fd);
    if (c->telnet) {
        telnet_hello(c);
    }
}

static int unix_socket(const CharSocket *s, Error *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (strlen(s->path) >= sizeof(a.sun_path)) {
        error_set(err, "path: '%s' is too long for a socket (%zu bytes at most)", s->path,
                  sizeof(a.sun_path) - 1);
        return -1;
    }
    strcpy(a.sun_path, s->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && s->server) {
        unlink(s->path);
    }
    if (fd < 0 || (s->server ? bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1)
                   : connect(fd, (struct sockaddr *)&a, sizeof(a)))) {
        error_set(err, "cannot %s '%s': %s", s->server ? "listen on" : "connect to", s->path,
                  strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int tcp_try(const CharSocket *s, const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol), one = 1;
    if (fd < 0) {
        return -1;
    }
    if (s->server) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (s->server ? !bind(fd, ai->ai_addr, ai->ai_addrlen) && !listen(fd, 1)
        : !connect(fd, ai->ai_addr, ai->ai_addrlen)) {
        return fd;
    }
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

static int tcp_socket(const CharSocket *s, Error *err)
{
    const struct addrinfo hint = { .ai_socktype = SOCK_STREAM,
                                   .ai_flags = s->server ? AI_PASSIVE : 0 };
    const char *host = s->host && *s->host ? s->host : NULL;
    struct addrinfo *list = NULL;
    if (s->port[strspn(s->port, "0123456789")] == 0 && strtoul(s->port, NULL, 10) > 65535) {
        return error_set(err, "port %s is not accepted: expected 0 to 65535", s->port), -1;
    }
    int ret = getaddrinfo(host, s->port, &hint, &list);
    if (ret) {
        error_set(err, "cannot resolve %s:%s: %s", host ? host : "", s->port,
                  gai_strerror(ret));
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
        fd = tcp_try(s, ai);
    }
    freeaddrinfo(list);
    if (fd < 0) {
        error_set(err, "cannot %s %s:%s: %s", s->server ? "listen on" : "connect to",
                  host ? host : "", s->port, strerror(errno));
    }
    return fd;
}

CharBackend *char_open_socket(struct Machine *m, const char *label, const CharSocket *s,
                              Error *err)
{
    int fd = s->path ? unix_socket(s, err) : tcp_socket(s, err);
    if (fd < 0) {
        return NULL;
    }
    CharBackend *c = char_create(m, &socket_ops, label);
    c->is_socket = true;
    c->telnet = s->telnet;
    if (!s->server) {
        int one = 1;
        if (!s->path && s->nodelay) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        }
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        char_connect(c, fd, fd);
        return c;
    }
    c->listen_fd = fd;
    c->unlink_path = s->path ? xstrdup(s->path) : NULL;
    if (s->wait) {
        fprintf(stderr, "dyad: '%s' waits for a connection\n", label);
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer >= 0) {
            char_connect(c, peer, peer);
            if (c->telnet) {
                telnet_hello(c);
            }
            return c;
        }
    }
    socket_listen(c);
    return c;
}

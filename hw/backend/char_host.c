/* SPDX-License-Identifier: MIT */
/*
 * Character backends on files of the host: the terminal (stdio), regular files, named
 * pipes, pseudo terminals, and null. Machine lock held.
 */
#include "hw/backend/char_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "util/alloc.h"

/* --- null --- */

static const CharOps null_ops = { .name = "null" };

CharBackend *char_open_null(struct Machine *m, const char *label, Error *err)
{
    CharBackend *c = char_create(m, &null_ops, label);
    char_connect(c, -1, -1);
    return c;
}

/* --- stdio --- */

/* The terminal is the process's, so its state is too. */
static struct {
    CharBackend *user;
    bool changed, prepared;
    struct termios saved, raw;
} term;

static void term_set(const struct termios *t)
{
    sigset_t ttou, old; /* a job in the background may set its terminal as well */
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &old);
    tcsetattr(STDIN_FILENO, TCSANOW, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void term_restore(void)
{
    if (term.changed) {
        term.changed = false;
        term_set(&term.saved);
    }
}

/* A signal that ends the process, and nobody else handles. */
static void term_killed(int sig)
{
    term_restore();
    signal(sig, SIG_DFL);
    raise(sig);
}

/* Back from ctrl-z: the shell has used the terminal meanwhile. */
static void term_continued(int sig)
{
    if (term.changed) {
        term_set(&term.raw);
    }
}

static void term_prepare(void)
{
    static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    if (term.prepared) {
        return;
    }
    term.prepared = true;
    atexit(term_restore);
    for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
        struct sigaction old;
        if (!sigaction(deadly[i], NULL, &old) && old.sa_handler == SIG_DFL) {
            signal(deadly[i], term_killed);
        }
    }
    signal(SIGCONT, term_continued);
}

static void term_raw(bool signals)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &term.saved)) {
        return;
    }
    struct termios t = term.saved;
    t.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t.c_oflag |= OPOST;
    t.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals) {
        t.c_lflag &= ~ISIG;
    }
    t.c_cflag = (t.c_cflag & ~(CSIZE | PARENB)) | CS8;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    term.raw = t;
    term.changed = true;
    term_prepare();
    term_set(&t);
}

static void stdio_close(CharBackend *c)
{
    term_restore();
    term.user = NULL;
}

static const CharOps stdio_ops = { .name = "stdio", .close = stdio_close };

CharBackend *char_open_stdio(struct Machine *m, const char *label, bool signals, Error *err)
{
    if (term.user) {
        error_set(err, "stdio is used by '%s' already", chardev_label(term.user));
        return NULL;
    }
    CharBackend *c = char_create(m, &stdio_ops, label);
    c->owns_fds = false;
    c->blocking = true;
    term.user = c;
    signal(SIGPIPE, SIG_IGN);   /* a reader that left is no reason to lose the guest */
    term_raw(signals);
    char_connect(c, STDIN_FILENO, STDOUT_FILENO);
    return c;
}

/* --- file --- */

static const CharOps file_ops = { .name = "file" };

CharBackend *char_open_file(struct Machine *m, const char *label, const char *path,
                            bool append, Error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    if (fd < 0) {
        error_set(err, "cannot open '%s': %s", path, strerror(errno));
        return NULL;
    }
    CharBackend *c = char_create(m, &file_ops, label);
    c->blocking = true;
    char_connect(c, -1, fd);
    return c;
}

/* --- pipe --- */

static const CharOps pipe_ops = { .name = "pipe" };

/* PATH.in is read and PATH.out written if they exist, else PATH is both. Opened for
 * reading and writing: so opening does not wait and input does not end. */
CharBackend *char_open_pipe(struct Machine *m, const char *label, const char *path,
                            Error *err)
{
    char *in = xasprintf("%s.in", path), *out = xasprintf("%s.out", path);
    int fd_in = open(in, O_RDWR | O_CLOEXEC), fd_out = open(out, O_RDWR | O_CLOEXEC);
    free(in);
    free(out);
    if (fd_in < 0 || fd_out < 0) {
        if (fd_in >= 0) {
            close(fd_in);
        }
        if (fd_out >= 0) {
            close(fd_out);
        }
        fd_in = fd_out = open(path, O_RDWR | O_CLOEXEC);
    }
    if (fd_in < 0) {
        error_set(err, "cannot open pipe '%s' (nor %s.in and %s.out): %s", path, path, path,
                  strerror(errno));
        return NULL;
    }
    CharBackend *c = char_create(m, &pipe_ops, label);
    c->blocking = true;
    char_connect(c, fd_in, fd_out);
    return c;
}

/* --- pty --- */

static const CharOps pty_ops = { .name = "pty" };

static int pty_open(char *name, size_t size)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (grantpt(fd) || unlockpt(fd) || ptsname_r(fd, name, size))) {
        close(fd);
        return -1;
    }
    return fd;
}

CharBackend *char_open_pty(struct Machine *m, const char *label, const char *link,
                           Error *err)
{
    char name[64];
    int fd = pty_open(name, sizeof(name));
    /* We hold the other end, too: without it the master reads as hung up whenever no
     * terminal program is there. It goes away with the process. */
    int slave = fd >= 0 ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    if (slave < 0) {
        error_set(err, "no pseudo terminal: %s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    struct termios t;
    if (!tcgetattr(slave, &t)) {
        cfmakeraw(&t);
        tcsetattr(slave, TCSANOW, &t);
    }
    CharBackend *c = char_create(m, &pty_ops, label);
    c->listen_fd = slave;
    if (link) {
        if (symlink(name, link)) {
            error_set(err, "cannot make the link '%s': %s", link, strerror(errno));
            close(fd);
            char_destroy(c);
            return NULL;
        }
        c->unlink_path = xstrdup(link);
    }
    fprintf(stderr, "dyad: character device '%s' is %s\n", label, name);
    char_connect(c, fd, fd);
    return c;
}

/* SPDX-License-Identifier: MIT */
/* The two halves of -daemonize: fork early, let go of the terminal late; -pidfile. */
#include "ui/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int ready_fd = -1; /* the child's end of the pipe that its parent reads */

bool daemon_fork(Error *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return error_set(err, "-daemonize: %s", strerror(errno));
    }
    pid_t child = fork();
    if (child < 0) {
        close(fds[0]);
        close(fds[1]);
        return error_set(err, "-daemonize: %s", strerror(errno));
    }
    if (child == 0) {
        close(fds[0]);
        ready_fd = fds[1];
        setsid();
        return true;
    }
    char byte;
    int status = 0;
    ssize_t n;
    close(fds[1]);
    do {
        n = read(fds[0], &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

bool daemon_detach(Error *err)
{
    if (ready_fd < 0) {
        return true;
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool ok = null >= 0;
    for (int fd = 0; ok && fd <= 2; fd++) {
        ok = dup2(null, fd) >= 0;
    }
    if (!ok) {
        return error_set(err, "-daemonize: /dev/null: %s", strerror(errno));
    }
    close(null);
    ok = write(ready_fd, "", 1) == 1;
    close(ready_fd);
    ready_fd = -1;
    return ok || error_set(err, "-daemonize: %s", strerror(errno));
}

static const char *pidfile; /* that we made */

bool daemon_write_pidfile(const char *path, Error *err)
{
    if (!path) {
        return true;
    }
    FILE *f = fopen(path, "w");
    bool ok = f && fprintf(f, "%ld\n", (long)getpid()) > 0;
    if ((f && fclose(f)) || !ok) {
        return error_set(err, "-pidfile: %s: %s", path, strerror(errno));
    }
    pidfile = path;
    return true;
}

void daemon_remove_pidfile(void)
{
    if (pidfile) {
        unlink(pidfile);
        pidfile = NULL;
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * See quit.h. Not by a signalfd: whoever polls one is woken at each signal of the process,
 * and each fault of a window (target-x86/window.h) is a signal. It cost two switches of
 * threads.
 */
#include "util/quit.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int quit_fd = -1;

static void note(int sig)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t put = write(quit_fd, &one, sizeof(one));
    (void)put;
    errno = saved;
}

int quit_signals(Error *err)
{
    static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction sa = { .sa_handler = note };
    sigset_t set;

    quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (quit_fd < 0) {
        error_set(err, "eventfd: %s", strerror(errno));
        return -1;
    }
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
        sigaddset(&set, sigs[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit of file sizes is an error like others */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
        sigaction(sigs[i], &sa, NULL);
    }
    return quit_fd;
}

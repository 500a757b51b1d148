/* SPDX-License-Identifier: MIT */
/* See signals.h. */
#include "accel/signals.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "hw/core/cpu.h"
#include "util/fsbase.h"

static AccelSignalFn *receiver;

static NOINLINE void receive(int sig, siginfo_t *info, void *uc)
{
    int saved = errno;
    if (sig == SIGUSR1 && info->si_code == SI_TIMER && cpu_self) {
        cpu_timer_signal(cpu_self, info->si_value.sival_ptr);
    }
    if (!receiver(sig, info, uc) && sig != SIGUSR1) {
        signal(sig, SIG_DFL); /* our own bug: die with the default action */
    }
    errno = saved;
}

static FSBASE_HANDLER void on_signal(int sig, siginfo_t *info, void *uc)
{
    uint64_t fs = fsbase_signal_begin(uc);
    receive(sig, info, uc);
    fsbase_signal_end(fs);
}

bool accel_take_signals(AccelSignalFn *fn, Error *err)
{
    static const int sigs[] = { SIGUSR1, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
    struct sigaction sa;

    receiver = fn;
    memset(&sa, 0, sizeof(sa));
    sa.sa_sigaction = on_signal;
    sa.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&sa.sa_mask);
    for (unsigned i = 0; i < ARRAY_SIZE(sigs); i++) {
        if (sigaction(sigs[i], &sa, NULL) < 0) {
            return error_set(err, "sigaction: %s", strerror(errno));
        }
    }
    return true;
}

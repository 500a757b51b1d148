/* SPDX-License-Identifier: MIT */
/* Host signals of the engines that run generated code: faults in it, and kicks. */
#ifndef ACCEL_SIGNALS_H
#define ACCEL_SIGNALS_H

#include <stdbool.h>
#include "util/error.h"

/* In signal context, every signal blocked; errno is kept. info: siginfo_t, uc: ucontext_t.
 * False: nothing to do with an engine; then the signal kills, but for SIGUSR1 (a kick that
 * came late). */
typedef bool AccelSignalFn(int sig, void *info, void *uc);

/* SIGUSR1 and the fault signals of the whole process go to fn from now on, on the alternate
 * stack of the thread that has one. Before vCPUs run; the last caller has them. */
bool accel_take_signals(AccelSignalFn *fn, Error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* The signals that end the program: SIGINT, SIGTERM and SIGHUP. */
#ifndef UTIL_QUIT_H
#define UTIL_QUIT_H

#include "util/error.h"

/* Blocks them, to be called before any thread exists: all inherit the mask, and only a loop
 * that has been told so (loop_take_signals) lets them come, while it waits. Returns a
 * descriptor that is readable, with eight bytes, when one has come; -1: err says why. */
int quit_signals(Error *err);

#endif

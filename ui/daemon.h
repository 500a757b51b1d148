/* SPDX-License-Identifier: MIT */
/*
 * The program as a process. -daemonize: it goes on in the background. The parent waits until
 * the machine is made, so that a wrong option is still told on the terminal, with exit status
 * 1. -pidfile: its number in a file while it runs.
 */
#ifndef UI_DAEMON_H
#define UI_DAEMON_H

#include "util/error.h"

/* Before any thread or descriptor exists. Returns in the child only; the parent exits when
 * the child calls daemon_detach (0) or ends before that (the child's status). */
bool daemon_fork(Error *err);

/* The child is up: input and output go to /dev/null, the parent may go. No effect without
 * daemon_fork. */
bool daemon_detach(Error *err);

/* NULL: no file. The path must live on. */
bool daemon_write_pidfile(const char *path, Error *err);
/* Removes what daemon_write_pidfile made; else no effect. */
void daemon_remove_pidfile(void);

#endif

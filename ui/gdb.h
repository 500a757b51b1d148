/* SPDX-License-Identifier: MIT */
/* gdb's remote protocol: -gdb, -s. Machine lock held, main loop's thread. */
#ifndef UI_GDB_H
#define UI_GDB_H

#include "util/compiler.h"
#include "util/error.h"

struct Machine;

/* Waits for a debugger on a character backend ("tcp::1234", "unix:PATH", "stdio"). A
 * server unless the text says server=off. One per machine. */
bool gdb_start(struct Machine *m, const char *spec, Error *err);
/* Tells the debugger that the program ends, and lets go of the backend. */
void gdb_destroy(struct Machine *m);

#endif

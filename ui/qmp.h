/* SPDX-License-Identifier: MIT */
/*
 * The monitor for programs: a part of QMP, the protocol of QEMU's docs/interop/qmp-spec
 * (JSON objects both ways, a greeting, negotiation, events). Machine lock held, on the main
 * loop's thread.
 */
#ifndef UI_QMP_H
#define UI_QMP_H

#include <jansson.h>
#include "ui/monitor.h"
#include "util/error.h"

/* Serves the machine of monitor_init on c. pretty: replies are indented. */
bool qmp_attach(struct Machine *m, CharBackend *c, bool pretty, Error *err);
void qmp_destroy_all(void);

/* One command. Either a function, or a monitor command whose arguments are renamed. */
typedef struct QmpCommand {
    const char *name;
    const char *keys;       /* "filename!,device": arguments it knows; '!': must be there */
    /* The new reference that "return" gets; NULL with err set. */
    json_t *(*run)(MonContext *c, const json_t *args, Error *err);
    const char *monitor;    /* or: the command's name in monitor_commands, */
    const char *rename;     /* and "val=addr": its argument addr is our val */
    bool any_keys;          /* run judges the other arguments itself */
} QmpCommand;

extern const QmpCommand qmp_commands[];     /* ui/qmp_cmds.c; NULL name ends */

#endif

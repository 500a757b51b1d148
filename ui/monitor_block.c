/* SPDX-License-Identifier: MIT */
/* Monitor commands about media that can be changed. Machine lock held. */
#include <string.h>

#include "hw/core/block.h"
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "ui/monitor.h"

BlockBackend *monitor_drive(Machine *m, const char *name, Error *err)
{
    const char *ids[33] = { NULL };
    unsigned n = 0;
    Device *dev = device_find(m, name);
    for (BlockBackend *b = block_first(m); b; b = b->next) {
        if (b->machine != m) {
            continue;
        }
        if (strcmp(b->id, name) == 0 || (dev && b->attached == dev)) {
            return b;
        }
        if (n + 1 < ARRAY_SIZE(ids)) {
            ids[n++] = b->id;
        }
    }
    if (n) {
        error_set_choice(err, "Device", name, ids);
    } else {
        error_set(err, "Device '%s' not found: there are no drives", name);
    }
    return NULL;
}

/* DEVICE FILE [FORMAT [read-only|read-write|retain]] */
bool monitor_cmd_change(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    static const char *const modes[] = { "read-write", "read-only", "retain", NULL };
    const char *format = monitor_arg(a, "format")->text, *mode = monitor_arg(a, "mode")->text;
    BlockBackend *b = monitor_drive(c->m, monitor_arg(a, "device")->text, err);
    if (!b) {
        return false;
    }
    if (format && strcmp(format, "raw") != 0) {
        return error_set(err, "change: format %s is not accepted: expected raw", format);
    }
    int readonly = -1;
    for (int i = 0; mode && i < 2; i++) {
        readonly = strcmp(mode, modes[i]) == 0 ? i : readonly;
    }
    if (mode && readonly < 0 && strcmp(mode, "retain") != 0) {
        return error_set_choice(err, "change", mode, modes);
    }
    return block_change(b, monitor_arg(a, "file")->text, readonly, false, err);
}

/* [-f] DEVICE */
bool monitor_cmd_eject(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const char *first = monitor_arg(a, "device")->text, *second = monitor_arg(a, "more")->text;
    bool force = strcmp(first, "-f") == 0;
    if (force != (second != NULL)) {
        return error_set(err, "eject: expected eject [-f] DEVICE");
    }
    BlockBackend *b = monitor_drive(c->m, force ? second : first, err);
    return b && block_eject(b, force, err);
}

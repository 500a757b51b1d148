/* SPDX-License-Identifier: MIT */
/*
 * Options of other emulators' command lines that ask for what is so anyway, or for
 * something that dyad spells otherwise. What would be different from what was asked for is
 * refused.
 */
#include <stdlib.h>
#include <string.h>

#include "ui/option_set.h"
#include "util/alloc.h"

bool option_ignore(Options *o, const OptionRow *row, const char *value, Error *err)
{
    return true;
}

bool option_set_no_hpet(Options *o, const OptionRow *row, const char *value, Error *err)
{
    bool none = !o->machine || !*o->machine;
    o->machine = options_own(o, xasprintf("%s%shpet=off", none ? "" : o->machine,
                                          none ? "" : ","));
    return true;
}

/* Displays send places of keys, so a layout of the host changes nothing. */
bool option_set_keyboard(Options *o, const OptionRow *row, const char *value, Error *err)
{
    for (const char *p = value; *p; p++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz-", *p)) {
            return error_set(err, "-k: %s is not accepted: expected a keyboard layout such as "
                             "en-us or de", value);
        }
    }
    return true;
}

/* The older spelling of -device usb-... */
bool option_add_usbdevice(Options *o, const OptionRow *row, const char *value, Error *err)
{
    static const char *const kinds[] = { "tablet", "mouse", "keyboard", NULL };
    static const char *const devices[] = { "usb-tablet", "usb-mouse", "usb-kbd" };
    for (size_t i = 0; kinds[i]; i++) {
        if (strcmp(value, kinds[i]) == 0) {
            option_list_add(&o->devices, "-usbdevice", devices[i]);
            return true;
        }
    }
    return error_set_choice(err, "-usbdevice", value, kinds);
}

/* --- -object --- */

typedef struct ObjectOption {
    char *id, *filename, *share, *prealloc, *mem_path;
    uint64_t size;
} ObjectOption;

#define OBJECT_ID PROP_STR(ObjectOption, id, NULL, "its name")

static const Property rng_object[] = {
    OBJECT_ID, PROP_STR(ObjectOption, filename, NULL, "accepted: entropy is the host's"),
    PROP_END
};
static const Property thread_object[] = { OBJECT_ID, PROP_END };
static const Property memory_object[] = {
    OBJECT_ID,
    { "size", PK_MIB, offsetof(ObjectOption, size), 0, 0, 0, NULL, NULL, NULL,
      "must be what -m says" },
    PROP_STR(ObjectOption, share, NULL, "accepted: memory is a memfd"),
    PROP_STR(ObjectOption, prealloc, NULL, "accepted: memory comes when it is touched"),
    PROP_END
};

static const struct {
    const char *name;
    const Property *props;
} objects[] = {
    { "rng-random", rng_object },
    { "rng-builtin", rng_object },
    { "iothread", thread_object },
    { "memory-backend-ram", memory_object },
    { "memory-backend-memfd", memory_object },
};

/* What devices call by its id (rng=, iothread=) they have anyway. */
bool option_add_object(Options *o, const OptionRow *row, const char *value, Error *err)
{
    const char *rest = value, *names[ARRAY_SIZE(objects) + 1] = { NULL };
    char *kind = property_first_word(value, &rest);
    if (!kind) {
        kind = property_get_text(value, "qom-type");
    }
    ObjectOption p = { 0 };
    bool ok = false;
    size_t k = 0;
    for (; k < ARRAY_SIZE(objects) && strcmp(objects[k].name, kind ? kind : "") != 0; k++) {
        names[k] = objects[k].name;
    }
    if (k == ARRAY_SIZE(objects)) {
        error_set_choice(err, "-object", kind ? kind : value, names);
    } else if (!property_parse(objects[k].props, &p, rest, NULL, err)) {
        error_prefix(err, "-object %s: ", kind);
    } else if (!p.id) {
        error_set(err, "-object %s: expected id=NAME", value);
    } else {
        ok = true;
        if (objects[k].props == memory_object) {
            o->memory_object = p.size;
        }
    }
    property_free(k < ARRAY_SIZE(objects) ? objects[k].props : thread_object, &p);
    free(kind);
    return ok;
}

/* --- -action --- */

static const char *const reboot_actions[] = { "reset", "shutdown", NULL };
static const char *const shutdown_actions[] = { "poweroff", "pause", NULL };
static const char *const panic_actions[] = { /* enum PanicAction */
    [PANIC_SHUTDOWN] = "shutdown", [PANIC_PAUSE] = "pause",
    [PANIC_EXIT_FAILURE] = "exit-failure", [PANIC_NONE] = "none", NULL
};
static const char *const other_actions[] = { "none", "pause", "shutdown", "exit-failure", "reset",
                                             "poweroff", "debug", "inject-nmi", NULL };

typedef struct ActionOption {
    int reboot, shutdown, panic, watchdog;
} ActionOption;

const Property action_props[] = {
    PROP_ENUM(ActionOption, reboot, 0, reboot_actions, "shutdown: -no-reboot"),
    PROP_ENUM(ActionOption, shutdown, 0, shutdown_actions, "pause: -no-shutdown"),
    PROP_ENUM(ActionOption, panic, PANIC_SHUTDOWN, panic_actions,
              "what a guest gets that tells of one (-device pvpanic)"),
    PROP_ENUM(ActionOption, watchdog, 0, other_actions, "no effect: there is no watchdog"),
    PROP_END
};

bool option_set_action(Options *o, const OptionRow *row, const char *value, Error *err)
{
    ActionOption a = { .reboot = o->cfg.no_reboot, .shutdown = o->cfg.no_shutdown,
                       .panic = (int)o->cfg.panic };
    if (!property_parse(action_props, &a, value, NULL, err)) {
        error_prefix(err, "-action: ");
        return false;
    }
    o->cfg.no_reboot = a.reboot == 1;
    o->cfg.no_shutdown = a.shutdown == 1;
    o->cfg.panic = (enum PanicAction)a.panic;
    return true;
}

bool option_set_msg(Options *o, const OptionRow *row, const char *value, Error *err)
{
    static const char *const known[] = { "timestamp=on", "timestamp=off", "guest-name=off", NULL };
    error_set_timestamps(strcmp(value, known[0]) == 0);
    for (size_t i = 0; known[i]; i++) {
        if (strcmp(value, known[i]) == 0) {
            return true;
        }
    }
    return error_set_choice(err, "-msg", value, known);
}

bool option_set_overcommit(Options *o, const OptionRow *row, const char *value, Error *err)
{
    static const char *const known[] = { "mem-lock=off", "cpu-pm=off", NULL };
    for (size_t i = 0; known[i]; i++) {
        if (strcmp(value, known[i]) == 0) {
            return true;
        }
    }
    return error_set_choice(err, "-overcommit", value, known);
}

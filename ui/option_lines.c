/* SPDX-License-Identifier: MIT */
/* Options about monitors (-mon, -qmp) and about the firmware's files (-fw_cfg). */
#include <stdlib.h>
#include <string.h>

#include "ui/option_set.h"
#include "util/alloc.h"

static const char *const mon_modes[] = { "readline", "control", NULL };
enum { MODE_CONTROL = 1 };

typedef struct MonOption {
    char *chardev;
    int mode;
    bool pretty;
} MonOption;

const Property mon_props[] = {
    PROP_STR(MonOption, chardev, NULL, "id of a -chardev"),
    PROP_ENUM(MonOption, mode, 0, mon_modes, "for people, or for programs (QMP)"),
    PROP_BOOL(MonOption, pretty, 0, "mode=control: replies are indented"),
    PROP_END
};

bool option_add_mon(Options *o, const OptionRow *row, const char *value, Error *err)
{
    MonOption m = { 0 };
    const char *rest = value;
    char *first = property_first_word(value, &rest);
    bool ok = property_parse(mon_props, &m, rest, NULL, err);
    const char *id = first ? first : m.chardev;
    if (!ok) {
        error_prefix(err, "-mon: ");
    } else if (!id) {
        ok = error_set(err, "-mon: %s: expected chardev=ID", value);
    } else {
        const char *kind = m.mode != MODE_CONTROL ? "-mon" : m.pretty ? "-qmp-pretty" : "-qmp";
        option_list_add(&o->monitors, kind, options_own(o, xasprintf("chardev:%s", id)));
    }
    property_free(mon_props, &m);
    free(first);
    return ok;
}

/* -qmp and -qmp-pretty: a monitor whose spelling says that it is for programs. */
bool option_add_qmp(Options *o, const OptionRow *row, const char *value, Error *err)
{
    if (!*value) {
        return error_set(err, "-%s: is empty: expected %s", row->name, row->metavar);
    }
    option_list_add(&o->monitors, strcmp(row->name, "qmp") == 0 ? "-qmp" : "-qmp-pretty", value);
    return true;
}

typedef struct FwCfgOption {
    char *name, *file, *string;
} FwCfgOption;

const Property fw_cfg_props[] = {
    PROP_STR(FwCfgOption, name, NULL, "its name: opt/..., 55 bytes at most"),
    PROP_STR(FwCfgOption, file, NULL, "what is in it: a file of the host"),
    PROP_STR(FwCfgOption, string, NULL, "what is in it: this text, without a NUL"),
    PROP_END
};

bool option_add_fw_cfg(Options *o, const OptionRow *row, const char *value, Error *err)
{
    enum { NAME_MAX_LEN = 55 };
    FwCfgOption f = { 0 };
    const char *rest = value;
    char *first = property_first_word(value, &rest);
    bool ok = property_parse(fw_cfg_props, &f, rest, NULL, err);
    const char *name = first ? first : f.name;
    if (!ok) {
        error_prefix(err, "-fw_cfg: ");
    } else if (!name || !*name || strlen(name) > NAME_MAX_LEN) {
        ok = error_set(err, "-fw_cfg: %s: expected name=NAME of 1 to %d bytes", value,
                       NAME_MAX_LEN);
    } else if (!f.file == !f.string) {
        ok = error_set(err, "-fw_cfg: %s: expected either file=FILE or string=TEXT", value);
    } else {
        MachineConfig *c = &o->cfg;
        c->fw_files = xrealloc(c->fw_files, (c->n_fw_files + 1) * sizeof(*c->fw_files));
        c->fw_files[c->n_fw_files++] = (FwFile){
            .name = options_own(o, xstrdup(name)),
            .path = f.file ? options_own(o, xstrdup(f.file)) : NULL,
            .text = f.string ? options_own(o, xstrdup(f.string)) : NULL,
        };
    }
    property_free(fw_cfg_props, &f);
    free(first);
    return ok;
}

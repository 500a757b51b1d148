/* SPDX-License-Identifier: MIT */
/*
 * QMP commands: rows and what they return. Names, arguments and results as in QEMU's
 * QMP reference (qapi); members that have no meaning here are left out where the
 * reference has them as optional. Machine lock held.
 */
#include "ui/qmp.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "util/alloc.h"

enum { KEYS_TEXT = 512 };

static json_t *text_or(const char *text, const char *otherwise)
{
    json_t *v = json_string(text ? text : otherwise);
    return v ? v : json_string("?");
}

/* --- queries --- */

static json_t *query_status(MonContext *c, const json_t *args, Error *err)
{
    static const char *const names[] = {
        [RUN_PAUSED] = "paused",
        [RUN_RUNNING] = "running",
        [RUN_SHUTDOWN] = "shutdown",
        [RUN_INTERNAL_ERROR] = "internal-error",
    };
    const Machine *m = c->m;
    bool asleep = m->suspended && m->state == RUN_RUNNING;
    const char *name = asleep ? "suspended" : m->panicked ? "guest-panicked"
                       : m->state == RUN_PAUSED && !m->was_started ? "prelaunch" : names[m->state];
    return json_pack("{s:b,s:s}", "running", m->state == RUN_RUNNING && !asleep, "status", name);
}

static json_t *query_version(MonContext *c, const json_t *args, Error *err)
{
    int major = 0, minor = 0, micro = 0;
    sscanf(PACKAGE_VERSION, "%d.%d.%d", &major, &minor, &micro);
    return json_pack("{s:{s:i,s:i,s:i},s:s}", "qemu", "micro", micro, "minor", minor, "major",
                     major, "package", "dyad " PACKAGE_VERSION);
}

static json_t *query_name(MonContext *c, const json_t *args, Error *err)
{
    return c->m->cfg.name ? json_pack("{s:o}", "name", text_or(c->m->cfg.name, ""))
                          : json_object();
}

static json_t *query_uuid(MonContext *c, const json_t *args, Error *err)
{
    return json_pack("{s:o}", "UUID",
                     text_or(c->m->cfg.uuid, "00000000-0000-0000-0000-000000000000"));
}

static json_t *query_kvm(MonContext *c, const json_t *args, Error *err)
{
    bool on = c->m->exec && strcmp(c->m->exec->name, "kvm") == 0;
    return json_pack("{s:b,s:b}", "enabled", on, "present", on);
}

static json_t *query_target(MonContext *c, const json_t *args, Error *err)
{
    return json_pack("{s:s}", "arch", "x86_64");
}

static json_t *query_memory(MonContext *c, const json_t *args, Error *err)
{
    return json_pack("{s:I}", "base-memory", (json_int_t)c->m->cfg.ram_size);
}

static bool need_balloon(const Machine *m, Error *err)
{
    return m->balloon.dev || error_set(err, "No balloon device has been activated");
}

static json_t *query_balloon(MonContext *c, const json_t *args, Error *err)
{
    const MachineBalloon *b = &c->m->balloon;
    return need_balloon(c->m, err) ? json_pack("{s:I}", "actual", (json_int_t)b->left(b->dev))
                                   : NULL;
}

static json_t *balloon(MonContext *c, const json_t *args, Error *err)
{
    json_t *value = json_object_get(args, "value");
    if (!need_balloon(c->m, err)) {
        return NULL;
    }
    if (!json_is_integer(value) || json_integer_value(value) <= 0) {
        error_set(err, "Parameter 'value' expects a size");
        return NULL;
    }
    c->m->balloon.set(c->m->balloon.dev, (uint64_t)json_integer_value(value));
    return json_object();
}

static json_t *query_current_machine(MonContext *c, const json_t *args, Error *err)
{
    return json_pack("{s:b}", "wakeup-suspend-support", c->m->cls->suspend != NULL);
}

static json_t *query_commands(MonContext *c, const json_t *args, Error *err)
{
    json_t *list = json_array();
    json_array_append_new(list, json_pack("{s:s}", "name", "qmp_capabilities"));
    for (const QmpCommand *cmd = qmp_commands; cmd->name; cmd++) {
        json_array_append_new(list, json_pack("{s:s}", "name", cmd->name));
    }
    return list;
}

static json_t *query_machines(MonContext *c, const json_t *args, Error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; machine_classes[i]; i++) {
        const MachineClass *k = machine_classes[i];
        json_t *o = json_pack("{s:s,s:i,s:b,s:b,s:b}", "name", k->name, "cpu-max",
                              (int)k->max_cpus, "hotpluggable-cpus", 0, "numa-mem-supported",
                              0, "deprecated", 0);
        if (i == 0) {
            json_object_set_new(o, "is-default", json_true());
        }
        if (k->aliases && k->aliases[0]) {
            json_object_set_new(o, "alias", json_string(k->aliases[0]));
        }
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *query_cpus(MonContext *c, const json_t *args, Error *err)
{
    const MachineConfig *cfg = &c->m->cfg;
    unsigned cores = cfg->cores ? cfg->cores : 1, threads = cfg->threads ? cfg->threads : 1;
    json_t *list = json_array();
    for (unsigned i = 0; i < c->m->ncpus; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/machine/unattached/device[%u]", i);
        json_array_append_new(
            list, json_pack("{s:i,s:s,s:i,s:s,s:{s:i,s:i,s:i}}", "cpu-index", (int)i,
                            "qom-path", path, "thread-id", c->m->cpus[i]->thread_id, "target",
                            "x86_64", "props", "socket-id", (int)(i / (cores * threads)),
                            "core-id", (int)(i / threads % cores), "thread-id",
                            (int)(i % threads)));
    }
    return list;
}

static json_t *medium(const BlockBackend *b)
{
    return json_pack("{s:o,s:o,s:b,s:s,s:b,s:i,s:{s:o,s:s,s:I},s:{s:b,s:b,s:b}}", "file",
                     text_or(b->path, ""), "node-name", text_or(b->id, ""), "ro",
                     b->readonly, "drv", b->ops->name, "encrypted", 0, "backing_file_depth", 0,
                     "image", "filename", text_or(b->path, ""), "format", b->ops->name,
                     "virtual-size", (json_int_t)b->size, "cache", "writeback", 1, "direct",
                     0, "no-flush", 0);
}

static json_t *query_block(MonContext *c, const json_t *args, Error *err)
{
    json_t *list = json_array();
    for (const BlockBackend *b = block_first(c->m); b; b = b->next) {
        const BlockMedia *tray = b->removable ? b->media : NULL;
        json_t *o = json_pack("{s:o,s:b,s:b,s:s}", "device", text_or(b->id, ""), "removable",
                              b->removable, "locked", tray && tray->locked(b->attached),
                              "type", "unknown");
        if (tray) {
            json_object_set_new(o, "tray_open", json_boolean(tray->tray_open(b->attached)));
        }
        if (block_has_medium(b)) {
            json_object_set_new(o, "inserted", medium(b));
        }
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *query_chardev(MonContext *c, const json_t *args, Error *err)
{
    json_t *list = json_array();
    CharInfo i;
    for (unsigned n = 0; chardev_nth(c->m, n, &i); n++) {
        json_array_append_new(list, json_pack("{s:o,s:o,s:b}", "label", text_or(i.label, ""),
                                              "filename", text_or(i.kind, ""),
                                              "frontend-open", i.used));
    }
    return list;
}

static json_t *empty_list(MonContext *c, const json_t *args, Error *err)
{
    return json_array();
}

/* --- media --- */

static BlockBackend *the_drive(MonContext *c, const json_t *args, Error *err)
{
    const char *id = json_string_value(json_object_get(args, "id"));
    id = id ? id : json_string_value(json_object_get(args, "device"));
    if (!id) {
        error_set(err, "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    return monitor_drive(c->m, id, err);
}

static json_t *change_medium(MonContext *c, const json_t *args, Error *err)
{
    const char *file = json_string_value(json_object_get(args, "filename"));
    const char *format = json_string_value(json_object_get(args, "format"));
    const char *mode = json_string_value(json_object_get(args, "read-only-mode"));
    BlockBackend *b = the_drive(c, args, err);
    if (b && (!file || (format && strcmp(format, "raw") != 0))) {
        error_set(err, file ? "Parameter 'format' expects raw"
                            : "Invalid parameter type for 'filename', expected: string");
        b = NULL;
    }
    int readonly = !mode ? -1 : !strcmp(mode, "read-only") ? 1
                   : !strcmp(mode, "read-write")           ? 0 : -1;
    bool force = json_is_true(json_object_get(args, "force"));
    return b && block_change(b, file, readonly, force, err) ? json_object() : NULL;
}

static json_t *eject(MonContext *c, const json_t *args, Error *err)
{
    BlockBackend *b = the_drive(c, args, err);
    bool force = json_is_true(json_object_get(args, "force"));
    return b && block_eject(b, force, err) ? json_object() : NULL;
}

/* --- the monitor for people --- */

/* Lines of a text end with "\r\n" there. */
static json_t *monitor_text(const char *text)
{
    char *out = xalloc(2 * strlen(text) + 1), *p = out;
    for (; *text; text++) {
        if (*text == '\n') {
            *p++ = '\r';
        }
        *p++ = (signed char)*text < 0 ? '?' : *text;
    }
    *p = 0;
    json_t *v = json_string(out);
    free(out);
    return v;
}

static json_t *human_command(MonContext *c, const json_t *args, Error *err)
{
    const char *line = json_string_value(json_object_get(args, "command-line"));
    json_t *cpu = json_object_get(args, "cpu-index");
    if (!line) {
        error_set(err, "Invalid parameter type for 'command-line', expected: string");
        return NULL;
    }
    if (cpu) {
        json_int_t n = json_is_integer(cpu) ? json_integer_value(cpu) : -1;
        if (n < 0 || n >= c->m->ncpus) {
            error_set(err, "Parameter 'cpu-index' expects a CPU number");
            return NULL;
        }
        c->cpu = c->m->cpus[n];
    }
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    Error why = ERROR_INIT;
    if (out && !monitor_run_line(c, line, out, &why)) {
        fprintf(out, "Error: %s\n", why.msg ? why.msg : "failed");
    }
    error_free(&why);
    if (out) {
        fclose(out);
    }
    json_t *v = monitor_text(text ? text : "");
    free(text);
    return v;
}

/* --- screen, keys and pointer --- */

static json_t *screendump(MonContext *c, const json_t *args, Error *err)
{
    const char *file = json_string_value(json_object_get(args, "filename"));
    json_t *format = json_object_get(args, "format");
    const char *f = json_string_value(format);
    if (!file || (format && (!f || (strcmp(f, "png") != 0 && strcmp(f, "ppm") != 0)))) {
        error_set(err, file ? "Parameter 'format' expects png or ppm"
                            : "Invalid parameter type for 'filename', expected: string");
        return NULL;
    }
    return monitor_screendump(c->m, file, f ? f : "ppm", err) ? json_object() : NULL;
}

/* {"type": "qcode", "data": "ctrl"} */
static const char *key_name(const json_t *key)
{
    const char *type = json_string_value(json_object_get(key, "type"));
    return type && strcmp(type, "qcode") == 0
               ? json_string_value(json_object_get(key, "data")) : NULL;
}

static json_t *send_key(MonContext *c, const json_t *args, Error *err)
{
    json_t *keys = json_object_get(args, "keys"), *hold = json_object_get(args, "hold-time");
    char text[KEYS_TEXT] = "";
    size_t i, at = 0;
    json_t *key;
    json_array_foreach(keys, i, key) {
        const char *name = key_name(key);
        if (!name || strlen(name) + 2 > sizeof(text) - at) {
            error_set(err, "Parameter 'keys' expects a list of keys of type qcode");
            return NULL;
        }
        at += (size_t)sprintf(text + at, "%s%s", at ? "-" : "", name);
    }
    if (!at || (hold && (!json_is_integer(hold) || json_integer_value(hold) < 0))) {
        error_set(err, at ? "Parameter 'hold-time' expects milliseconds"
                          : "Parameter 'keys' expects a list of keys of type qcode");
        return NULL;
    }
    return monitor_send_keys(c->m, text, hold ? (uint64_t)json_integer_value(hold) : 100, err)
               ? json_object() : NULL;
}

static bool key_event(Machine *m, const json_t *data, Error *err)
{
    const char *name = key_name(json_object_get(data, "key"));
    json_t *down = json_object_get(data, "down");
    unsigned code;
    if (!name || !json_is_boolean(down)) {
        return error_set(err, "a key event has down (a boolean) and key (of type qcode)");
    }
    if (key_names_parse(name, &code, 1, err) != 1) {
        return false;
    }
    input_key(m, code, json_is_true(down));
    return true;
}

static bool button_event(Machine *m, const json_t *data, Error *err)
{
    static const char *const names[] = { "left", "middle", "right", NULL };
    const char *name = json_string_value(json_object_get(data, "button"));
    json_t *down = json_object_get(data, "down");
    if (!name || !json_is_boolean(down)) {
        return error_set(err, "a btn event has down (a boolean) and button (a name)");
    }
    if (strcmp(name, "wheel-up") == 0 || strcmp(name, "wheel-down") == 0) {
        if (json_is_true(down)) {
            input_rel(m, 0, 0, name[6] == 'u' ? 1 : -1);
        }
        return true;
    }
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            input_button(m, i, json_is_true(down));
            return true;
        }
    }
    return error_set_choice(err, "button", name, names);
}

/* Absolute positions come an axis at a time. */
static unsigned abs_at[2];

static bool move_event(Machine *m, const json_t *data, bool absolute, Error *err)
{
    const char *axis = json_string_value(json_object_get(data, "axis"));
    json_t *value = json_object_get(data, "value");
    if (!axis || (strcmp(axis, "x") != 0 && strcmp(axis, "y") != 0) ||
        !json_is_integer(value)) {
        return error_set(err, "a move has axis (x or y) and value (a number)");
    }
    json_int_t v = json_integer_value(value);
    bool y = axis[0] == 'y';
    if (absolute) {
        abs_at[y] = (unsigned)MAX(0, MIN(v, 32767));
        input_abs(m, abs_at[0], abs_at[1]);
    } else {
        int step = (int)MAX(-32768, MIN(v, 32767));
        input_rel(m, y ? 0 : step, y ? step : 0, 0);
    }
    return true;
}

static json_t *input_send_event(MonContext *c, const json_t *args, Error *err)
{
    static const char *const types[] = { "key", "btn", "rel", "abs", NULL };
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(args, "events"), i, e) {
        const char *type = json_string_value(json_object_get(e, "type"));
        const json_t *data = json_object_get(e, "data");
        bool ok = !type                    ? error_set(err, "an event has a type and data")
                  : !strcmp(type, "key") ? key_event(c->m, data, err)
                  : !strcmp(type, "btn") ? button_event(c->m, data, err)
                  : !strcmp(type, "rel") ? move_event(c->m, data, false, err)
                  : !strcmp(type, "abs") ? move_event(c->m, data, true, err)
                                         : error_set_choice(err, "type", type, types);
        if (!ok) {
            return NULL;
        }
    }
    return json_object();
}

/* --- devices --- */

static char *add_pair(char *text, const char *key, const char *value)
{
    bool driver = strcmp(key, "driver") == 0;
    text = xrealloc(text, strlen(text) + strlen(key) + 2 * strlen(value) + 3);
    char *p = text + strlen(text);
    p += driver ? 0 : sprintf(p, ",%s=", key);
    for (; *value; value++) {
        *p++ = *value;
        if (*value == ',' && !driver) {
            *p++ = ',';
        }
    }
    *p = 0;
    return text;
}

static json_t *device_add_object(MonContext *c, const json_t *args, Error *err)
{
    const char *driver = json_string_value(json_object_get(args, "driver")), *key;
    json_t *v;
    if (!driver) {
        error_set(err, "Invalid parameter type for 'driver', expected: string");
        return NULL;
    }
    char *text = add_pair(xstrdup(""), "driver", driver);
    json_object_foreach((json_t *)args, key, v) {
        char number[32];
        if (strcmp(key, "driver") == 0) {
            continue;
        }
        if (json_is_string(v)) {
            text = add_pair(text, key, json_string_value(v));
        } else if (json_is_boolean(v)) {
            text = add_pair(text, key, json_is_true(v) ? "on" : "off");
        } else if (json_is_integer(v)) {
            snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
            text = add_pair(text, key, number);
        } else {
            error_set(err, "Parameter '%s' expects a text, a number or a boolean", key);
            free(text);
            return NULL;
        }
    }
    bool was_running = c->m->state == RUN_RUNNING;
    if (was_running) {
        machine_pause(c->m);
    }
    bool ok = device_add(c->m, text, err) != NULL;
    if (was_running) {
        machine_run(c->m);
    }
    free(text);
    return ok ? json_object() : NULL;
}

/* clang-format off: rows */
const QmpCommand qmp_commands[] = {
    { "query-status", NULL, query_status },
    { "query-version", NULL, query_version },
    { "query-name", NULL, query_name },
    { "query-uuid", NULL, query_uuid },
    { "query-kvm", NULL, query_kvm },
    { "query-target", NULL, query_target },
    { "query-memory-size-summary", NULL, query_memory },
    { "query-balloon", NULL, query_balloon },
    { "balloon", "value!", balloon },
    { "query-commands", NULL, query_commands },
    { "query-machines", NULL, query_machines },
    { "query-cpus-fast", NULL, query_cpus },
    { "query-block", NULL, query_block },
    { "query-chardev", NULL, query_chardev },
    { "query-iothreads", NULL, empty_list },
    { "query-block-jobs", NULL, empty_list },
    { "human-monitor-command", "command-line!,cpu-index", human_command },
    { "screendump", "filename!,device,head,format", screendump },
    { "send-key", "keys!,hold-time", send_key },
    { "input-send-event", "events!,device,head", input_send_event },
    { "device_add", "driver!", device_add_object, .any_keys = true },
    { "blockdev-change-medium", "id,device,filename!,format,read-only-mode,force", change_medium },
    { "eject", "id,device,force", eject },
    { "device_del", "id!", NULL, "device_del", NULL },
    { "stop", NULL, NULL, "stop", NULL },
    { "cont", NULL, NULL, "cont", NULL },
    { "system_reset", NULL, NULL, "system_reset", NULL },
    { "system_powerdown", NULL, NULL, "system_powerdown", NULL },
    { "system_wakeup", NULL, NULL, "system_wakeup", NULL },
    { "query-current-machine", NULL, query_current_machine },
    { "inject-nmi", NULL, NULL, "nmi", NULL },
    { "memsave", "val!,size!,filename!,cpu-index", NULL, "memsave", "val=addr,filename=file" },
    { "pmemsave", "val!,size!,filename!", NULL, "pmemsave", "val=addr,filename=file" },
    { "quit", NULL, NULL, "quit", NULL },
    { NULL }
};
/* clang-format on */

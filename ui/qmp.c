/* SPDX-License-Identifier: MIT */
/*
 * QMP sessions: objects out of a stream of bytes, negotiation, dispatch to the rows of
 * ui/qmp_cmds.c, events. What a client sends is hostile: objects are bounded in size and
 * depth, and a bad one costs an error reply, never the session.
 * Left out: out-of-band execution (accepted as a capability never), 'single' quotes.
 * Machine lock held.
 */
#include "ui/qmp.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/chardev.h"
#include "hw/core/machine.h"
#include "hw/core/nondet.h"
#include "util/alloc.h"

enum { OBJECT_MAX = 1 << 20, DEPTH_MAX = 256, RECEIVE_CHUNK = 4096 };

typedef struct Qmp {
    Machine *m;
    CharBackend *chr;
    MachineListener listener;
    bool pretty, ready;     /* ready: negotiated, gets commands and events */
    char *buf;              /* the object that is being received */
    size_t len, cap;
    unsigned depth;         /* of brackets in it */
    bool in_string, escaped, too_long;
    struct Qmp *next;
} Qmp;

static Qmp *sessions;

/* --- output --- */

/* Takes over the reference. */
static void send_object(Qmp *q, json_t *o)
{
    char *text = json_dumps(o, q->pretty ? JSON_INDENT(4) : 0);
    json_decref(o);
    if (text) {
        chardev_write(q->chr, (const uint8_t *)text, strlen(text));
        chardev_write(q->chr, (const uint8_t *)"\r\n", 2);
        free(text);
    }
}

/* For texts with bytes that are no UTF-8: a file name, a screen's characters. */
static json_t *text_value(const char *text)
{
    json_t *v = json_string(text);
    if (!v) {
        char *plain = xstrdup(text);
        for (char *p = plain; *p; p++) {
            *p = (signed char)*p < 0 ? '?' : *p;
        }
        v = json_string(plain);
        free(plain);
    }
    return v;
}

static void send_reply(Qmp *q, const json_t *request, json_t *reply)
{
    json_t *id = json_object_get(request, "id");
    if (id) {
        json_object_set(reply, "id", id);
    }
    send_object(q, reply);
}

static void send_error(Qmp *q, const json_t *request, const char *class, const char *text)
{
    send_reply(q, request, json_pack("{s:{s:s,s:o}}", "error", "class", class, "desc",
                                     text_value(text)));
}

static void send_greeting(Qmp *q)
{
    int major = 0, minor = 0, micro = 0;
    sscanf(PACKAGE_VERSION, "%d.%d.%d", &major, &minor, &micro);
    send_object(q, json_pack("{s:{s:{s:{s:i,s:i,s:i},s:s},s:[]}}", "QMP", "version", "qemu",
                             "micro", micro, "minor", minor, "major", major, "package",
                             "dyad " PACKAGE_VERSION, "capabilities"));
}

static void on_event(void *opaque, enum MachineEvent e)
{
    static const char *const names[] = {
        [MACHINE_STOPPED] = "STOP",   [MACHINE_RESUMED] = "RESUME",
        [MACHINE_RESET] = "RESET",    [MACHINE_SHUTDOWN] = "SHUTDOWN",
        [MACHINE_POWERDOWN] = "POWERDOWN", [MACHINE_SUSPENDED] = "SUSPEND",
        [MACHINE_WOKEN] = "WAKEUP",      [MACHINE_BALLOON] = "BALLOON_CHANGE",
        [MACHINE_PANICKED] = "GUEST_PANICKED", [MACHINE_CRASH_LOADED] = "GUEST_CRASHLOADED",
    };
    Qmp *q = opaque;
    if (!q->ready) {
        return;
    }
    int64_t us = nondet_wall_ns() / 1000;
    json_t *o = json_pack("{s:{s:I,s:I},s:s}", "timestamp", "seconds",
                          (json_int_t)(us / 1000000), "microseconds",
                          (json_int_t)(us % 1000000), "event", names[e]);
    if (e == MACHINE_RESET || e == MACHINE_SHUTDOWN) {
        json_object_set_new(o, "data",
                            json_pack("{s:b,s:s}", "guest", machine_guest_asked(q->m),
                                      "reason", q->m->cause ? q->m->cause : "none"));
    }
    if (e == MACHINE_PANICKED || e == MACHINE_CRASH_LOADED) {
        static const char *const actions[] = {
            [PANIC_SHUTDOWN] = "poweroff", [PANIC_PAUSE] = "pause",
            [PANIC_EXIT_FAILURE] = "poweroff", [PANIC_NONE] = "run",
        };
        enum PanicAction a = e == MACHINE_PANICKED ? machine_panic_action(q->m) : PANIC_NONE;
        json_object_set_new(o, "data", json_pack("{s:s}", "action", actions[a]));
    }
    if (e == MACHINE_BALLOON) {
        json_object_set_new(o, "data", json_pack("{s:I}", "actual",
                                                 (json_int_t)q->m->balloon.left(q->m->balloon.dev)));
    }
    send_object(q, o);
}

/* --- one request --- */

/* Whether name is in "a!,b": *must: with the mark. */
static bool key_known(const char *keys, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = keys; p && *p;) {
        size_t len = strcspn(p, ",!");
        if (len == n && strncmp(p, name, n) == 0) {
            return true;
        }
        p += strcspn(p, ",");
        p += *p == ',';
    }
    return false;
}

static bool keys_ok(const QmpCommand *cmd, json_t *args, Error *err)
{
    const char *key;
    json_t *val;
    json_object_foreach(args, key, val) {
        if (!key_known(cmd->keys, key) && !cmd->any_keys) {
            return error_set(err, "Parameter '%s' is unexpected", key);
        }
    }
    for (const char *p = cmd->keys; p && *p;) {
        size_t len = strcspn(p, ",!");
        char *name = xasprintf("%.*s", (int)len, p);
        bool missing = p[len] == '!' && !json_object_get(args, name);
        if (missing) {
            error_set(err, "Parameter '%s' is missing", name);
        }
        free(name);
        if (missing) {
            return false;
        }
        p += strcspn(p, ",");
        p += *p == ',';
    }
    return true;
}

/* Our name for the monitor's argument: "val=addr,filename=file" has val for addr. */
static char *our_name(const char *rename, const char *arg)
{
    size_t n = strlen(arg);
    for (const char *p = rename; p && *p;) {
        size_t len = strcspn(p, ","), eq = strcspn(p, "=");
        if (len - eq - 1 == n && strncmp(p + eq + 1, arg, n) == 0) {
            return xasprintf("%.*s", (int)eq, p);
        }
        p += len;
        p += *p == ',';
    }
    return xstrdup(arg);
}

static bool take_arg(MonArg *a, const char *key, json_t *v, Error *err)
{
    bool number = a->type == MON_INT || a->type == MON_EXPR;
    if (!v) {
        return true;
    }
    if (number ? !json_is_integer(v) : !json_is_string(v)) {
        return error_set(err, "Invalid parameter type for '%s', expected: %s", key,
                         number ? "integer" : "string");
    }
    a->given = true;
    a->num = number ? (uint64_t)json_integer_value(v) : 0;
    a->text = number ? NULL : xstrdup(json_string_value(v));
    return true;
}

static json_t *run_monitor(const QmpCommand *cmd, MonContext *c, json_t *args, Error *err)
{
    const MonCommand *mon = monitor_commands;
    while (strcmp(mon->name, cmd->monitor) != 0) {
        mon++;
    }
    MonArgs a = { 0 };
    bool ok = true;
    for (const char *row = mon->args; ok && row && *row;) {
        MonArg *arg = &a.v[a.n++];
        const char *colon = strchr(row, ':');
        arg->name = row;
        arg->type = (enum MonArgType)colon[1];
        char *name = xasprintf("%.*s", (int)(colon - row), row);
        char *key = our_name(cmd->rename, name);
        ok = take_arg(arg, key, json_object_get(args, key), err);
        free(name);
        free(key);
        row = colon + 2 + (colon[2] == '?');
        row += *row == ',';
    }
    char *text = NULL;
    size_t len;
    FILE *out = ok ? open_memstream(&text, &len) : NULL;
    ok = out && monitor_run_command(c, mon, &a, out, err);
    if (out) {
        fclose(out);
    }
    free(text);
    monitor_args_free(&a);
    return ok ? json_object() : NULL;
}

static const QmpCommand *find_command(const char *name)
{
    for (const QmpCommand *cmd = qmp_commands; cmd->name; cmd++) {
        if (strcmp(cmd->name, name) == 0) {
            return cmd;
        }
    }
    return NULL;
}

static void negotiate(Qmp *q, const json_t *request, json_t *args)
{
    json_t *enable = json_object_get(args, "enable");
    if (q->ready) {
        send_error(q, request, "CommandNotFound",
                   "Capabilities negotiation is already complete, command ignored");
    } else if (json_array_size(enable)) {
        send_error(q, request, "GenericError", "there is no capability to enable");
    } else {
        q->ready = true;
        send_reply(q, request, json_pack("{s:{}}", "return"));
    }
}

static void execute(Qmp *q, const json_t *request, const char *name, json_t *args)
{
    if (strcmp(name, "qmp_capabilities") == 0) {
        negotiate(q, request, args);
        return;
    }
    if (!q->ready) {
        send_error(q, request, "CommandNotFound",
                   "Expecting capabilities negotiation with 'qmp_capabilities'");
        return;
    }
    const QmpCommand *cmd = find_command(name);
    Error err = ERROR_INIT;
    if (!cmd) {
        error_set(&err, "The command %s has not been found", name);
        send_error(q, request, "CommandNotFound", err.msg);
        error_free(&err);
        return;
    }
    MonContext c = { .m = q->m, .cpu = q->m->ncpus ? q->m->cpus[0] : NULL, .new_cpu = -1 };
    json_t *value = NULL;
    if (keys_ok(cmd, args, &err)) {
        value = cmd->run ? cmd->run(&c, args, &err) : run_monitor(cmd, &c, args, &err);
    }
    if (value) {
        send_reply(q, request, json_pack("{s:o}", "return", value));
    } else {
        send_error(q, request, "GenericError", err.msg ? err.msg : "failed");
    }
    error_free(&err);
}

static void handle_request(Qmp *q, json_t *o)
{
    json_t *name = json_object_get(o, "execute"), *args = json_object_get(o, "arguments");
    const char *key;
    json_t *val;
    if (!json_is_object(o)) {
        send_error(q, NULL, "GenericError", "QMP input must be a JSON object");
        return;
    }
    json_object_foreach(o, key, val) {
        if (strcmp(key, "execute") != 0 && strcmp(key, "arguments") != 0 &&
            strcmp(key, "id") != 0) {
            Error err = ERROR_INIT;
            error_set(&err, "QMP input member '%s' is unexpected", key);
            send_error(q, o, "GenericError", err.msg);
            error_free(&err);
            return;
        }
    }
    if (!name) {
        send_error(q, o, "GenericError", "QMP input lacks member 'execute'");
    } else if (!json_is_string(name)) {
        send_error(q, o, "GenericError", "QMP input member 'execute' must be a string");
    } else if (args && !json_is_object(args)) {
        send_error(q, o, "GenericError", "QMP input member 'arguments' must be an object");
    } else {
        execute(q, o, json_string_value(name), args);
    }
}

/* --- input --- */

static void end_object(Qmp *q)
{
    json_error_t je;
    json_t *o = q->too_long ? NULL : json_loadb(q->buf, q->len, JSON_REJECT_DUPLICATES, &je);
    bool too_long = q->too_long;
    q->len = q->depth = 0;
    q->in_string = q->escaped = q->too_long = false;
    if (o) {
        handle_request(q, o);
        json_decref(o);
    } else {
        send_error(q, NULL, "GenericError",
                   too_long ? "JSON object is too long" : "JSON parse error");
    }
}

static void take_byte(Qmp *q, uint8_t b)
{
    bool space = b == ' ' || b == '\t' || b == '\r' || b == '\n';
    if (!q->depth && !q->in_string && b != '{' && b != '[') {
        if (q->len && space) {  /* a bare word ended */
            end_object(q);
        } else if (!space && q->len < OBJECT_MAX) {
            goto keep;
        }
        return;
    }
    if (q->in_string) {
        q->in_string = q->escaped || b != '"';
        q->escaped = !q->escaped && b == '\\';
    } else if (b == '"') {
        q->in_string = true;
    } else if (b == '{' || b == '[') {
        q->depth++;
        q->too_long |= q->depth > DEPTH_MAX;
    } else if (b == '}' || b == ']') {
        q->depth--;
    }
keep:
    if (q->len == OBJECT_MAX) {
        q->too_long = true;
    } else {
        if (q->len == q->cap) {
            q->cap = q->cap ? 2 * q->cap : 256;
            q->buf = xrealloc(q->buf, q->cap);
        }
        q->buf[q->len++] = (char)b;
    }
    if (!q->depth && (b == '}' || b == ']') && !q->in_string) {
        end_object(q);
    }
}

static size_t qmp_can_receive(void *opaque)
{
    return RECEIVE_CHUNK;
}

static void qmp_receive(void *opaque, const uint8_t *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        take_byte(opaque, buf[i]);
    }
}

static void qmp_event(void *opaque, int event)
{
    Qmp *q = opaque;
    if (event == CHAR_OPENED) {
        q->ready = false;
        q->len = q->depth = 0;
        q->in_string = q->escaped = q->too_long = false;
        send_greeting(q);
    } else if (event == CHAR_CLOSED) {
        q->ready = false;
    }
}

bool qmp_attach(Machine *m, CharBackend *c, bool pretty, Error *err)
{
    Qmp *q = NEW(Qmp);
    q->m = m;
    q->chr = c;
    q->pretty = pretty;
    q->listener = (MachineListener){ .event = on_event, .opaque = q };
    const CharClient client = {
        .can_receive = qmp_can_receive, .receive = qmp_receive, .event = qmp_event,
        .opaque = q,
    };
    if (!chardev_attach(c, &client, err)) {
        free(q);
        return false;
    }
    machine_listen(m, &q->listener);
    q->next = sessions;
    sessions = q;
    return true;
}

void qmp_destroy_all(void)
{
    while (sessions) {
        Qmp *q = sessions;
        sessions = q->next;
        machine_unlisten(q->m, &q->listener);
        chardev_detach(q->chr, q);
        free(q->buf);
        free(q);
    }
}

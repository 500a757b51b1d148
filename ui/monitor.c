/* SPDX-License-Identifier: MIT */
/*
 * Monitor sessions: a line editor over a character backend, and the dispatch of a line
 * to its row. All sessions serve the one machine that monitor_init named: the factory
 * that multiplexers call has no other way to know it. Machine lock held.
 */
#include "ui/monitor.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/chardev.h"
#include "hw/core/machine.h"
#include "ui/line_edit.h"
#include "util/alloc.h"

enum { RECEIVE_CHUNK = 256 };

typedef struct Monitor {
    CharBackend *chr;
    LineEdit edit;
    unsigned cpu; /* index of the chosen vCPU */
    struct Monitor *next;
} Monitor;

static struct {
    Machine *m;
    Monitor *sessions;
} all;

void monitor_print_info_help(FILE *out)
{
    for (const MonCommand *r = monitor_info_rows; r->name; r++) {
        char head[80];
        snprintf(head, sizeof(head), "info %s%s%s", r->name, r->params ? " " : "",
                 r->params ? r->params : "");
        fprintf(out, "%-32s %s\n", head, r->help);
    }
}

static const MonCommand *find_command(const char *name, Error *err)
{
    const char *names[64];
    size_t n = 0;
    for (const MonCommand *c = monitor_commands; c->name; c++) {
        if (strcmp(c->name, name) == 0 || (c->alias && strcmp(c->alias, name) == 0)) {
            return c;
        }
        if (n + 1 < ARRAY_SIZE(names)) {
            names[n++] = c->name;
        }
    }
    names[n] = NULL;
    const char *near = nearest_match(name, names);
    error_set(err, "%s: unknown command%s%s%s (help lists all)", name,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

/* Parks the vCPUs around a command that looks at their state. */
static bool run_parked(const MonCommand *cmd, MonContext *c, const MonArgs *a, FILE *out,
                       Error *err)
{
    c->was_running = c->m->state == RUN_RUNNING;
    if (c->was_running) {
        machine_pause(c->m);
    }
    bool ok = cmd->run(c, a, out, err);
    if (c->was_running) {
        machine_run(c->m);
    }
    return ok;
}

bool monitor_run_command(MonContext *c, const MonCommand *cmd, const MonArgs *a, FILE *out,
                         Error *err)
{
    c->new_cpu = -1;
    return cmd->parked ? run_parked(cmd, c, a, out, err) : cmd->run(c, a, out, err);
}

bool monitor_run_line(MonContext *c, const char *line, FILE *out, Error *err)
{
    line += strspn(line, " \t");
    size_t n = strcspn(line, " \t/");
    if (!line[0] || line[0] == '#') {
        return true;
    }
    char *name = xasprintf("%.*s", (int)n, line);
    const MonCommand *cmd = find_command(name, err);
    free(name);
    if (!cmd) {
        return false;
    }
    MonArgs a;
    bool ok = monitor_args_parse(&a, cmd, line + n, c->cpu, err) &&
              monitor_run_command(c, cmd, &a, out, err);
    monitor_args_free(&a);
    return ok;
}

/* --- sessions --- */

/* Terminals want "\r\n". */
static void session_write(void *opaque, const char *text, size_t n)
{
    Monitor *mon = opaque;
    while (n) {
        const char *nl = memchr(text, '\n', n);
        size_t len = nl ? (size_t)(nl - text) : n;
        chardev_write(mon->chr, (const uint8_t *)text, len);
        if (nl) {
            chardev_write(mon->chr, (const uint8_t *)"\r\n", 2);
            len++;
        }
        text += len;
        n -= len;
    }
}

static void session_run(Monitor *mon)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out) {
        return;
    }
    Machine *m = all.m;
    MonContext c = { .m = m, .cpu = mon->cpu < m->ncpus ? m->cpus[mon->cpu] : NULL,
                     .new_cpu = -1 };
    Error err = ERROR_INIT;
    if (!monitor_run_line(&c, mon->edit.line, out, &err)) {
        fprintf(out, "%s\n", err.msg ? err.msg : "failed");
    }
    error_free(&err);
    if (c.new_cpu >= 0) {
        mon->cpu = (unsigned)c.new_cpu;
    }
    fclose(out);
    session_write(mon, text, len);
    free(text);
}

static size_t session_can_receive(void *opaque)
{
    return RECEIVE_CHUNK;
}

static void session_receive(void *opaque, const uint8_t *buf, size_t n)
{
    Monitor *mon = opaque;
    for (size_t i = 0; i < n; i++) {
        if (line_edit_byte(&mon->edit, buf[i])) {
            session_run(mon);
            line_edit_show_prompt(&mon->edit);
        }
    }
}

static void session_event(void *opaque, int event)
{
    Monitor *mon = opaque;
    if (event == CHAR_OPENED) {
        static const char hello[] = "\ndyad " PACKAGE_VERSION
                                    " monitor: 'help' lists the commands\n";
        session_write(mon, hello, sizeof(hello) - 1);
        line_edit_show_prompt(&mon->edit);
    } else if (event == CHAR_FOCUS_IN) {
        session_write(mon, "\n", 1);
        line_edit_show_prompt(&mon->edit);
    }
}

static void session_complete(void *opaque, const char *word, LineEdit *le)
{
    for (const MonCommand *c = monitor_commands; c->name; c++) {
        line_edit_candidate(le, c->name);
    }
}

bool monitor_attach(CharBackend *c, Error *err)
{
    Monitor *mon = NEW(Monitor);
    mon->chr = c;
    line_edit_init(&mon->edit, "(dyad) ", session_write, mon);
    mon->edit.complete = session_complete;
    const CharClient client = {
        .can_receive = session_can_receive,
        .receive = session_receive,
        .event = session_event,
        .opaque = mon,
    };
    if (!chardev_attach(c, &client, err)) {
        line_edit_destroy(&mon->edit);
        free(mon);
        return false;
    }
    mon->next = all.sessions;
    all.sessions = mon;
    return true;
}

void monitor_init(Machine *m)
{
    all.m = m;
    chardev_set_monitor_factory(monitor_attach);
}

void monitor_destroy_all(void)
{
    monitor_forget_keys();
    while (all.sessions) {
        Monitor *mon = all.sessions;
        all.sessions = mon->next;
        chardev_detach(mon->chr, mon);
        line_edit_destroy(&mon->edit);
        free(mon);
    }
    all.m = NULL;
}

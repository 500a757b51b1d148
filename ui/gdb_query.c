/* SPDX-License-Identifier: MIT */
/* gdb stub: q, Q and v packets; monitor commands; the target description. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/gdb_int.h"
#include "ui/monitor.h"

static bool starts(const char **p, const char *with)
{
    size_t n = strlen(with);
    if (strncmp(*p, with, n) != 0) {
        return false;
    }
    *p += n;
    return true;
}

/* ---- threads ---- */

static void thread_list(Gdb *g)
{
    unsigned first = g->iter;
    if (g->iter >= g->m->ncpus) {
        gdb_put(g, "l");
        return;
    }
    for (; g->iter < g->m->ncpus && g->len < GDB_PACKET - 16; g->iter++) {
        gdb_put(g, "%c%02x", g->iter == first ? 'm' : ',', g->iter + 1);
    }
}

static void thread_text(Gdb *g, const char *p)
{
    int thread;
    char text[64];
    if (!gdb_thread(g, &p, &thread) || thread < 1) {
        gdb_put(g, "E16");
        return;
    }
    const Cpu *c = g->m->cpus[thread - 1];
    int n = snprintf(text, sizeof(text), "CPU %d%s", c->index,
                     c->halted ? " [halted]" : "");
    gdb_put_hex(g, (const uint8_t *)text, (size_t)n);
}

/* ---- qXfer ---- */

static void features(Gdb *g, const char *p)
{
    uint64_t off, len;
    Cpu *cpu = gdb_cpu(g);
    if (!starts(&p, "target.xml:") || !gdb_number(&p, &off) || *p++ != ',' ||
        !gdb_number(&p, &len)) {
        gdb_put(g, "E00");
        return;
    }
    g->wide = g->arch == 64 || (g->arch == 0 && cpu->ops->gdb_wide(cpu));
    char *xml = cpu->ops->gdb_xml(g->wide);
    size_t n = xml ? strlen(xml) : 0;
    if (off >= n) {
        gdb_put(g, "l");
    } else {
        uint64_t k = MIN(MIN(len, n - off), (uint64_t)GDB_PACKET - 8);
        gdb_put(g, off + k < n ? "m" : "l");
        gdb_put_raw(g, xml + off, k);
    }
    free(xml);
}

/* ---- monitor commands ---- */

static bool word_is(const char *p, const char *a, const char *b)
{
    char first[16], second[16];
    return sscanf(p, "%15s %15s", first, second) == 2 && strcmp(first, a) == 0 &&
           strcmp(second, b) == 0;
}

/* Of the stub itself: "gdb ..." */
static void own_command(Gdb *g, const char *p, FILE *out)
{
    if (word_is(p, "phys", "on") || word_is(p, "phys", "off")) {
        g->phys = word_is(p, "phys", "on");
        fprintf(out, "memory by %s addresses\n", g->phys ? "physical" : "linear");
    } else if (word_is(p, "arch", "i386") || word_is(p, "arch", "x86-64") ||
               word_is(p, "arch", "auto")) {
        g->arch = word_is(p, "arch", "i386") ? 32 : word_is(p, "arch", "auto") ? 0 : 64;
        fprintf(out, "connect again to see the other registers\n");
    } else {
        fprintf(out, "gdb phys on|off           memory by physical or linear addresses\n"
                     "gdb arch auto|i386|x86-64 registers told at the next connection\n");
    }
}

static void monitor_command(Gdb *g, const char *hex)
{
    char line[1024], *text = NULL;
    size_t n = gdb_unhex(hex, (uint8_t *)line, sizeof(line) - 1), len = 0;
    FILE *out = open_memstream(&text, &len);
    Error err = ERROR_INIT;
    line[n] = 0;
    if (!out) {
        gdb_put(g, "E0c");
        return;
    }
    if (strncmp(line, "gdb", 3) == 0 && (line[3] == ' ' || !line[3])) {
        own_command(g, line + 3, out);
    } else {
        MonContext c = { .m = g->m, .cpu = gdb_cpu(g) };
        if (!monitor_run_line(&c, line, out, &err)) {
            fprintf(out, "%s\n", err.msg ? err.msg : "failed");
        }
        if (c.new_cpu >= 0 && (unsigned)c.new_cpu < g->m->ncpus) {
            g->cpu_g = (unsigned)c.new_cpu;
        }
    }
    error_free(&err);
    fclose(out);
    for (size_t at = 0; at < len; at += 2048) {
        gdb_put(g, "O");
        gdb_put_hex(g, (const uint8_t *)text + at, MIN(len - at, (size_t)2048));
        gdb_send(g);
    }
    free(text);
    gdb_put(g, "OK");
}

/* ---- q, Q ---- */

void gdb_query(Gdb *g, const char *p)
{
    if (starts(&p, "Supported")) {
        g->swbreak = strstr(p, "swbreak+") != NULL;
        g->hwbreak = strstr(p, "hwbreak+") != NULL;
        gdb_put(g,
                "PacketSize=%x;qXfer:features:read+;vContSupported+;QStartNoAckMode+;"
                "swbreak+;hwbreak+",
                GDB_PACKET);
    } else if (strcmp(p, "C") == 0) {
        gdb_put(g, "QC%02x", gdb_cpu(g)->index + 1);
    } else if (starts(&p, "Attached")) {
        gdb_put(g, "1");
    } else if (strcmp(p, "fThreadInfo") == 0) {
        g->iter = 0;
        thread_list(g);
    } else if (strcmp(p, "sThreadInfo") == 0) {
        thread_list(g);
    } else if (starts(&p, "ThreadExtraInfo,")) {
        thread_text(g, p);
    } else if (starts(&p, "Xfer:features:read:")) {
        features(g, p);
    } else if (starts(&p, "Rcmd,")) {
        monitor_command(g, p);
    } else if (starts(&p, "Symbol")) {
        gdb_put(g, "OK");
    } else if (strcmp(p, "qemu.PhyMemMode") == 0) {
        gdb_put(g, "%d", g->phys);
    }
}

void gdb_set(Gdb *g, const char *p)
{
    if (strcmp(p, "StartNoAckMode") == 0) {
        gdb_put(g, "OK");
        gdb_send(g);
        g->no_ack = true;
        g->len = 0;
        return;
    }
    if (starts(&p, "qemu.PhyMemMode:")) {
        g->phys = *p == '1';
        gdb_put(g, "OK");
    }
}

/* ---- v ---- */

static void vcont(Gdb *g, const char *p)
{
    uint8_t action[MACHINE_MAX_CPUS] = { 0 };
    bool set[MACHINE_MAX_CPUS] = { false }, any = false;
    while (*p == ';') {
        uint64_t signal;
        int thread = -1;
        char what = *++p;
        p += what != 0;
        if (what == 'C' || what == 'S') {
            (void)gdb_number(&p, &signal);
            what = what == 'C' ? 'c' : 's';
        }
        if ((what != 'c' && what != 's' && what != 't') ||
            (*p == ':' && (p++, !gdb_thread(g, &p, &thread)))) {
            gdb_put(g, "E16");
            return;
        }
        for (unsigned i = 0; i < g->m->ncpus; i++) {
            bool meant = thread == -1 || thread == (int)i + 1 ||
                         (thread == 0 && i == g->cpu_c);
            if (meant && !set[i]) {
                set[i] = true;
                action[i] = what == 't' ? 0 : (uint8_t)what;
                any = any || action[i];
            }
        }
    }
    if (!any) {
        gdb_put(g, "E16");
        return;
    }
    gdb_resume(g, action);
}

void gdb_verbose(Gdb *g, const char *p)
{
    if (strcmp(p, "Cont?") == 0) {
        gdb_put(g, "vCont;c;C;s;S;t");
    } else if (starts(&p, "Cont")) {
        vcont(g, p);
    } else if (starts(&p, "Kill")) {
        gdb_put(g, "OK");
        gdb_send(g);
        debug_remove_all(g->m);
        machine_quit(g->m, "host-signal");
        g->len = 0;
    }
}

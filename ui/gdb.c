/* SPDX-License-Identifier: MIT */
/*
 * gdb's remote serial protocol (gdb manual, appendix E): packets, and run control. All-stop
 * mode: the machine is paused whenever the debugger may talk. A vCPU is a thread, its
 * number the index + 1. The peer is not trusted: a packet that makes no sense is answered
 * by an error or by nothing.
 */
#include "ui/gdb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/gdb_int.h"
#include "util/alloc.h"

static Gdb *the_gdb; /* one per process, as there is one machine */

/* ---- texts ---- */

void gdb_put_raw(Gdb *g, const char *p, size_t n)
{
    n = MIN(n, GDB_PACKET - g->len);
    memcpy(g->out + g->len, p, n);
    g->len += n;
}

void gdb_put(Gdb *g, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(g->out + g->len, sizeof(g->out) - g->len, format, ap);
    va_end(ap);
    if (n > 0) {
        g->len = MIN(g->len + (size_t)n, (size_t)GDB_PACKET);
    }
}

void gdb_put_hex(Gdb *g, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n && g->len + 2 <= GDB_PACKET; i++) {
        g->out[g->len++] = "0123456789abcdef"[p[i] >> 4];
        g->out[g->len++] = "0123456789abcdef"[p[i] & 15];
    }
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool gdb_number(const char **p, uint64_t *v)
{
    unsigned n = 0;
    *v = 0;
    for (; digit(**p) >= 0 && n < 16; n++) {
        *v = *v << 4 | (unsigned)digit(*(*p)++);
    }
    return n > 0;
}

size_t gdb_unhex(const char *text, uint8_t *to, size_t max)
{
    size_t n = 0;
    for (; n < max && digit(text[0]) >= 0 && digit(text[1]) >= 0; text += 2) {
        to[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
    }
    return n;
}

bool gdb_thread(Gdb *g, const char **p, int *thread)
{
    uint64_t v;
    if (strncmp(*p, "-1", 2) == 0) {
        *p += 2;
        *thread = -1;
        return true;
    }
    if (!gdb_number(p, &v) || v > g->m->ncpus) {
        return false;
    }
    *thread = (int)v;
    return true;
}

Cpu *gdb_cpu(Gdb *g)
{
    return g->m->cpus[g->cpu_g < g->m->ncpus ? g->cpu_g : 0];
}

/* ---- packets out ---- */

static void send_last(Gdb *g)
{
    chardev_write(g->chr, g->last, g->last_len);
}

void gdb_send(Gdb *g)
{
    uint8_t sum = 0;
    size_t n = 0;
    g->last[n++] = '$';
    for (size_t i = 0; i < g->len; i++) {
        char c = g->out[i];
        if (c == '#' || c == '$' || c == '}' || c == '*') {
            g->last[n++] = '}';
            sum += '}';
            c ^= 0x20;
        }
        g->last[n++] = (uint8_t)c;
        sum += (uint8_t)c;
    }
    n += (size_t)snprintf((char *)g->last + n, 4, "#%02x", sum);
    g->last_len = n;
    g->len = 0;
    g->replied = true;
    send_last(g);
}

/* ---- stops and going on ---- */

/* A vCPU that has met something; the stop belongs to it. NULL: none. */
static Cpu *stopped_cpu(Machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->cpus[i]->debug_stop.kind != DEBUG_NONE) {
            return m->cpus[i];
        }
    }
    return NULL;
}

static void put_stop(Gdb *g, Cpu *cpu, unsigned signal)
{
    static const char *const watch[] = {
        [DEBUG_WRITE] = "watch",
        [DEBUG_READ] = "rwatch",
        [DEBUG_ACCESS] = "awatch",
    };
    const DebugStop *s = &cpu->debug_stop;
    gdb_put(g, "T%02xthread:%02x;", signal, (unsigned)cpu->index + 1);
    if (s->kind == DEBUG_BREAK && g->swbreak) {
        gdb_put(g, "swbreak:;");
    } else if (s->kind == DEBUG_HWBREAK && g->hwbreak) {
        gdb_put(g, "hwbreak:;");
    } else if (s->kind >= DEBUG_WRITE && s->kind <= DEBUG_ACCESS) {
        gdb_put(g, "%s:%llx;", watch[s->kind], (unsigned long long)s->addr);
    }
}

void gdb_report_stop(Gdb *g)
{
    Cpu *cpu = stopped_cpu(g->m);
    if (cpu) {
        g->cpu_g = g->cpu_c = (unsigned)cpu->index;
        put_stop(g, cpu, 5);
        cpu->debug_stop.kind = DEBUG_NONE;
    } else {
        put_stop(g, gdb_cpu(g), g->waiting ? 2 : 5);
    }
    g->waiting = false;
}

static void end_steps(Machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        m->cpus[i]->debug &= ~(uint32_t)(CPU_DEBUG_STEP | CPU_DEBUG_STEPPED);
        m->cpus[i]->debug_hold = false;
    }
}

/* The machine is paused because vCPUs met something. */
static void on_stop(Machine *m, void *opaque)
{
    Gdb *g = opaque;
    end_steps(m);
    if (g->waiting) {
        gdb_report_stop(g);
        gdb_send(g);
    }
}

void gdb_resume(Gdb *g, const uint8_t *action)
{
    Machine *m = g->m;
    g->waiting = true;
    if (stopped_cpu(m)) { /* two stopped at once: now the other */
        gdb_report_stop(g);
        gdb_send(g);
        return;
    }
    end_steps(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        Cpu *c = m->cpus[i];
        c->debug_hold = !action[i];
        c->debug |= action[i] == 's' ? CPU_DEBUG_STEP : 0;
    }
    machine_run(m);
}

static void go_on(Gdb *g, char what, const char *p)
{
    uint8_t action[MACHINE_MAX_CPUS];
    uint64_t addr;
    if (what == 'C' || what == 'S') { /* a signal means nothing to a machine */
        (void)gdb_number(&p, &addr);
        p += *p == ';';
        what = what == 'C' ? 'c' : 's';
    }
    if (gdb_number(&p, &addr)) {
        gdb_put(g, "E16"); /* from another address: gdb writes the PC instead */
        return;
    }
    /* s: this vCPU steps, the others stay where they are */
    for (unsigned i = 0; i < g->m->ncpus; i++) {
        action[i] = what == 'c' ? 'c' : i == g->cpu_c ? 's' : 0;
    }
    gdb_resume(g, action);
}

/* Lets the guest go: no point, no step is left. */
static void let_go(Gdb *g)
{
    debug_remove_all(g->m);
    end_steps(g->m);
    g->waiting = false;
    g->phys = false;
}

/* ---- packets in ---- */

static void choose_thread(Gdb *g, const char *p)
{
    char op = *p;
    int thread;
    p += op != 0;
    if ((op != 'g' && op != 'c') || !gdb_thread(g, &p, &thread)) {
        gdb_put(g, "E16");
        return;
    }
    if (thread > 0) {
        *(op == 'g' ? &g->cpu_g : &g->cpu_c) = (unsigned)thread - 1;
    }
    gdb_put(g, "OK");
}

static void thread_alive(Gdb *g, const char *p)
{
    int thread;
    gdb_put(g, gdb_thread(g, &p, &thread) && thread > 0 ? "OK" : "E16");
}

/* False: no reply (now). */
static bool run_packet(Gdb *g, const char *p, size_t n)
{
    switch (*p) {
    case '?': gdb_report_stop(g); return true;
    case 'g': gdb_read_registers(g); return true;
    case 'G': gdb_write_registers(g, p + 1); return true;
    case 'p': gdb_read_register(g, p + 1); return true;
    case 'P': gdb_write_register(g, p + 1); return true;
    case 'm': gdb_read_memory(g, p + 1); return true;
    case 'M':
    case 'X': gdb_write_memory(g, p + 1, n - 1, *p == 'X'); return true;
    case 'Z':
    case 'z': gdb_point(g, p + 1, *p == 'Z'); return true;
    case 'H': choose_thread(g, p + 1); return true;
    case 'T': thread_alive(g, p + 1); return true;
    case 'q': gdb_query(g, p + 1); return true;
    case 'Q': gdb_set(g, p + 1); return true;
    case 'v': gdb_verbose(g, p + 1); return !g->waiting || g->len;
    case 'c':
    case 's':
    case 'C':
    case 'S': go_on(g, *p, p + 1); return g->len != 0;
    case 'D':
        gdb_put(g, "OK");
        gdb_send(g);
        let_go(g);
        machine_run(g->m);
        return false;
    case 'k':
        let_go(g);
        machine_quit(g->m, "host-signal");
        return false;
    case 'R': /* restart */ machine_request_reset(g->m); return false;
    default: return true; /* an empty reply: unknown */
    }
}

static void packet(Gdb *g)
{
    g->in[g->n] = 0;
    g->len = 0;
    if (g->m->state == RUN_RUNNING) { /* it may look at nothing while vCPUs run */
        machine_pause(g->m);
        end_steps(g->m);
    }
    g->replied = false;
    if (run_packet(g, g->in, g->n) && (g->len || !g->replied)) {
        gdb_send(g);
    }
}

/* Ctrl-C, also while the machine was paused by somebody else. */
static void interrupt(Gdb *g)
{
    if (!g->waiting) {
        return;
    }
    machine_pause(g->m);
    end_steps(g->m);
    gdb_report_stop(g);
    gdb_send(g);
}

static void ack(Gdb *g, char c)
{
    if (!g->no_ack) {
        chardev_write(g->chr, (const uint8_t *)&c, 1);
    }
}

static void idle_byte(Gdb *g, uint8_t c)
{
    switch (c) {
    case '$':
        g->state = GDB_TEXT;
        g->n = 0;
        g->sum = 0;
        break;
    case 3: interrupt(g); break;
    case '-':
        if (!g->no_ack && g->last_len) {
            send_last(g);
        }
        break;
    default: /* '+', noise */ break;
    }
}

static void text_byte(Gdb *g, uint8_t c)
{
    if (c == '#') {
        g->state = GDB_SUM1;
    } else if (c == '$') { /* the peer began anew */
        g->n = 0;
        g->sum = 0;
    } else if (g->n >= GDB_PACKET) {
        g->state = GDB_TOO_LONG;
    } else {
        g->in[g->n++] = (char)c;
        g->sum += c;
    }
}

static void byte(Gdb *g, uint8_t c)
{
    switch (g->state) {
    case GDB_IDLE: idle_byte(g, c); break;
    case GDB_TEXT: text_byte(g, c); break;
    case GDB_TOO_LONG: g->state = c == '#' ? GDB_IDLE : GDB_TOO_LONG; break;
    case GDB_SUM1:
        g->got = (uint8_t)(digit((char)c) << 4);
        g->state = GDB_SUM2;
        break;
    case GDB_SUM2:
        g->got |= digit((char)c) & 15;
        g->state = GDB_IDLE;
        if (!g->no_ack && g->got != g->sum) {
            ack(g, '-');
            break;
        }
        ack(g, '+');
        packet(g);
        break;
    }
}

/* ---- the connection ---- */

static size_t can_receive(void *opaque)
{
    return GDB_PACKET;
}

static void receive(void *opaque, const uint8_t *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        byte(opaque, buf[i]);
    }
}

static void event(void *opaque, int e)
{
    Gdb *g = opaque;
    if (e == CHAR_OPENED) {
        g->connected = true;
        g->state = GDB_IDLE;
        g->no_ack = g->swbreak = g->hwbreak = g->waiting = false;
        g->last_len = 0;
        g->cpu_g = g->cpu_c = 0;
        if (g->m->state == RUN_RUNNING) {
            machine_pause(g->m);
        }
    } else if (e == CHAR_CLOSED && g->connected) {
        bool ran = g->m->state == RUN_RUNNING; /* it stays as it was */
        g->connected = false;
        if (ran) {
            machine_pause(g->m);
        }
        let_go(g);
        if (ran) {
            machine_run(g->m);
        }
    }
}

bool gdb_start(Machine *m, const char *spec, Error *err)
{
    bool net = strncmp(spec, "tcp:", 4) == 0 || strncmp(spec, "unix:", 5) == 0;
    char *full = xasprintf("%s%s%s", spec,
                           net && !strstr(spec, "server") ? ",server=on" : "",
                           net && !strstr(spec, "wait") ? ",wait=off" : "");
    CharBackend *chr = chardev_open(m, full, "gdb", err);
    free(full);
    if (!chr) {
        error_prefix(err, "-gdb: ");
        return false;
    }
    Gdb *g = NEW(Gdb);
    g->m = m;
    g->chr = chr;
    const CharClient client = {
        .can_receive = can_receive,
        .receive = receive,
        .event = event,
        .opaque = g,
    };
    the_gdb = g;
    m->debug.stopped = on_stop;
    m->debug.opaque = g;
    if (!chardev_attach(chr, &client, err)) {
        gdb_destroy(m);
        return false;
    }
    return true;
}

void gdb_destroy(Machine *m)
{
    Gdb *g = the_gdb;
    if (!g || g->m != m) {
        return;
    }
    if (g->connected && g->waiting) {
        g->len = 0;
        gdb_put(g, "W%02x", (unsigned)m->exit_code & 0xff);
        gdb_send(g);
    }
    m->debug.stopped = NULL;
    chardev_detach(g->chr, g);
    the_gdb = NULL;
    free(g);
}

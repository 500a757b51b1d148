/* SPDX-License-Identifier: MIT */
/*
 * Running a case file (case.c) on any engine: a machine of nothing but the file's pages, whose
 * every other access is answered from the file's events. The file is hostile: every number is
 * checked before it is used. Main thread; no device, no clock.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "accel/twin/twin.h"
#include "accel/twin/twin_int.h"
#include "target-x86/create.h"
#include "target-x86/state.h"
#include "util/alloc.h"

enum { MAX_PAGES = 4096, MAX_ROWS = 1 << 20, ROW = 32, MAX_LINE = 1 << 20 };

typedef struct Row {
    uint64_t gpa;
    uint8_t kind; /* 0 before, 1 after by the first, 2 after by the second */
    uint8_t data[ROW];
} Row;

typedef struct Case {
    int engine[2]; /* TWIN_* */
    bool single, exact_flags;
    uint32_t req, apic_id, phys_bits, tsc_khz, cpus;
    uint32_t feat[X86F_NWORDS];
    StateBuf state[3]; /* before, first, second */
    int64_t tsc_offset[3];
    TwinLog log;
    uint64_t *page;
    bool *readonly;
    unsigned npages;
    Row *row;
    unsigned nrows;
    bool ended;
} Case;

static void case_free(Case *c)
{
    for (unsigned i = 0; i < 3; i++) {
        state_buf_free(&c->state[i]);
    }
    twin_log_free(&c->log);
    free(c->page);
    free(c->readonly);
    free(c->row);
}

/* ---- words ---- */

/* Hexadecimal text to new memory; NULL: it is not. */
static uint8_t *parse_hex(const char *text, size_t *n)
{
    size_t len = strlen(text);
    *n = len / 2;
    if (len % 2) {
        return NULL;
    }
    uint8_t *p = xalloc(*n + 1);
    for (size_t i = 0; i < len; i++) {
        const char *digits = "0123456789abcdef", *d = strchr(digits, text[i]);
        if (!d) {
            free(p);
            return NULL;
        }
        p[i / 2] = p[i / 2] << 4 | (uint8_t)(d - digits);
    }
    return p;
}

static int name_index(const char *const *names, unsigned n, const char *word)
{
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(names[i], word)) {
            return (int)i;
        }
    }
    return -1;
}

static const char *const states[] = { "before", "first", "second" };

static bool parse_state(Case *c, const char *line)
{
    char name[16];
    int64_t tsc;
    int at = 0;
    if (sscanf(line, "%15s %" SCNd64 " %n", name, &tsc, &at) != 2 || !at) {
        return false;
    }
    int k = name_index(states, 3, name);
    if (k < 0 || c->state[k].data) {
        return false;
    }
    c->tsc_offset[k] = tsc;
    c->state[k].data = parse_hex(line + at, &c->state[k].len);
    return c->state[k].data != NULL;
}

static bool parse_event(Case *c, const char *line)
{
    char name[16];
    unsigned size, ok;
    uint64_t addr, value;
    int at = 0;
    if (sscanf(line, "%15s %" SCNx64 " %u %u %" SCNx64 " %n", name, &addr, &size, &ok,
               &value, &at) != 5 ||
        !at || size > 8 || c->log.n >= MAX_ROWS) {
        return false;
    }
    int kind = name_index(twin_event_names, TE_NKINDS, name);
    size_t n = 0;
    uint8_t *blob = !strcmp(line + at, "-") ? NULL : parse_hex(line + at, &n);
    bool good = kind >= 0 && (blob || !n) && (kind != TE_DMA || n) && n < MAX_LINE;
    if (good && kind != TE_VIEW) { /* the map does not change here */
        TwinEvent *e = twin_log_add(&c->log, (unsigned)kind, blob, (uint32_t)n);
        e->addr = addr;
        e->size = size;
        e->ok = ok != 0;
        e->value = value;
    }
    free(blob);
    return good;
}

static bool parse_page(Case *c, const char *line)
{
    char kind[4];
    uint64_t gpa;
    if (sscanf(line, "%" SCNx64 " %3s", &gpa, kind) != 2 || gpa % TLB_PAGE || gpa >> 52 ||
        c->npages == MAX_PAGES) {
        return false;
    }
    for (unsigned i = 0; i < c->npages; i++) {
        if (c->page[i] == gpa) {
            return false;
        }
    }
    c->page = xrealloc(c->page, (c->npages + 1) * sizeof(uint64_t));
    c->readonly = xrealloc(c->readonly, (c->npages + 1) * sizeof(bool));
    c->page[c->npages] = gpa;
    c->readonly[c->npages++] = !strcmp(kind, "ro");
    return true;
}

static bool add_row(Case *c, uint8_t kind, const char *line)
{
    uint64_t gpa;
    int at = 0;
    size_t n;
    if (sscanf(line, "%" SCNx64 " %n", &gpa, &at) != 1 || !at || gpa % ROW ||
        c->nrows == MAX_ROWS) {
        return false;
    }
    uint8_t *data = parse_hex(line + at, &n);
    bool ok = data && n == ROW;
    if (ok) {
        if (!(c->nrows & (c->nrows + 1))) { /* full at a power of two less one */
            c->row = xrealloc(c->row, (2 * (size_t)c->nrows + 2) * sizeof(Row));
        }
        Row *r = &c->row[c->nrows++];
        *r = (Row){ .gpa = gpa, .kind = kind };
        memcpy(r->data, data, ROW);
    }
    free(data);
    return ok;
}

static bool parse_features(Case *c, const char *line)
{
    unsigned n = 0;
    int at = 0;
    for (; n < X86F_NWORDS && sscanf(line, " %x%n", &c->feat[n], &at) == 1; n++) {
        line += at;
    }
    return n > 0; /* words added since the file was written are 0 */
}

static bool parse_line(Case *c, char *line)
{
    char a[16], b[16];
    unsigned v;
    char *rest = strchr(line, ' ');
    if (line[0] == '#' || !line[0]) {
        return true;
    }
    if (!strcmp(line, "end")) {
        c->ended = true;
        return true;
    }
    if (!rest) {
        return false;
    }
    *rest++ = 0;
    if (!strcmp(line, "engines")) {
        if (sscanf(rest, "%15s %15s", a, b) != 2) {
            return false;
        }
        c->engine[0] = name_index(twin_engine_names, TWIN_NENGINES, a);
        c->engine[1] = name_index(twin_engine_names, TWIN_NENGINES, b);
        return c->engine[0] >= 0 && c->engine[1] >= 0;
    }
    if (!strcmp(line, "step")) {
        c->single = !strcmp(rest, "insn");
        return c->single || !strcmp(rest, "block");
    }
    if (!strcmp(line, "request")) {
        return sscanf(rest, "%x", &c->req) == 1;
    }
    if (!strcmp(line, "exact-flags")) {
        bool ok = sscanf(rest, "%u", &v) == 1;
        c->exact_flags = ok && v;
        return ok;
    }
    if (!strcmp(line, "cpu")) {
        return sscanf(rest, "%x %u %u %u", &c->apic_id, &c->phys_bits, &c->tsc_khz,
                      &c->cpus) == 4 &&
               c->phys_bits >= 32 && c->phys_bits <= 52 && c->cpus >= 1 &&
               c->cpus <= MACHINE_MAX_CPUS;
    }
    if (!strcmp(line, "after")) {
        bool second = !strncmp(rest, "second ", 7);
        return (second || !strncmp(rest, "first ", 6)) &&
               add_row(c, second ? 2 : 1, rest + (second ? 7 : 6));
    }
    return !strcmp(line, "features") ? parse_features(c, rest)
           : !strcmp(line, "state")  ? parse_state(c, rest)
           : !strcmp(line, "event")  ? parse_event(c, rest)
           : !strcmp(line, "page")   ? parse_page(c, rest)
           : !strcmp(line, "row")    ? add_row(c, 0, rest)
                                     : false;
}

static bool case_read(Case *c, const char *path, Error *err)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    unsigned number = 1;
    if (!f) {
        return error_set(err, "%s: %s", path, strerror(errno));
    }
    bool ok = getline(&line, &cap, f) > 0 && !strcmp(line, "dyad-case 1\n");
    if (!ok) {
        error_set(err, "%s: is no case file (its first line is to be \"dyad-case 1\")",
                  path);
    }
    for (ssize_t n; ok && (n = getline(&line, &cap, f)) > 0;) {
        number++;
        line[strcspn(line, "\n")] = 0;
        if (n > MAX_LINE || !parse_line(c, line)) {
            line[MIN(strlen(line), 40)] = 0;
            ok = error_set(err, "%s: line %u is not understood: %s", path, number, line);
        }
    }
    free(line);
    fclose(f);
    if (ok && (!c->ended || !c->state[0].data || !c->state[1].data || !c->state[2].data ||
               !c->cpus)) {
        ok = error_set(err, "%s: is incomplete", path);
    }
    return ok;
}

/* ---- the machine ---- */

static const MachineClass case_class = {
    .name = "case",
    .desc = "the pages of a case file",
    .size = sizeof(Machine),
};

static int no_ack(void *opaque)
{
    return -1;
}
static const CpuIrqOps no_irq_ops = { .ack = no_ack }; /* the events answer */

static bool load_state(Case *c, unsigned k, Cpu *cpu, X86State *st, Error *err)
{
    char path[32];
    c->state[k].pos = 0;
    if (!state_next(&c->state[k], path, sizeof(path), err) ||
        !state_load(&c->state[k], &x86_cpu_state, cpu, err)) {
        return err->msg ? false : error_set(err, "the state is empty");
    }
    X86_CPU(cpu)->st.tsc_offset = c->tsc_offset[k];
    *st = X86_CPU(cpu)->st;
    return true;
}

static uint8_t *page_at(const Machine *m, const Case *c, MemoryRegion *mr, uint64_t gpa)
{
    for (unsigned i = 0; i < c->npages; i++) {
        if (c->page[i] == (gpa & ~0xfffull)) {
            return m->ram_base + mr[i].ram_addr + (gpa & 0xfff);
        }
    }
    return NULL;
}

static bool build(Machine *m, Case *c, MemoryRegion *mr, Error *err)
{
    machine_lock(m);
    memory_begin(m);
    bool ok = true;
    for (unsigned i = 0; ok && i < c->npages; i++) {
        ok = memory_init_ram(&mr[i], m, "page", TLB_PAGE, err);
        if (ok) {
            memory_add(&m->mem_root, &mr[i], c->page[i], 0);
            memory_set_readonly(&mr[i], c->readonly[i]);
        }
    }
    memory_commit(m);
    machine_unlock(m);
    for (unsigned i = 0; ok && i < c->nrows; i++) {
        uint8_t *p = page_at(m, c, mr, c->row[i].gpa);
        if (!p) {
            ok = error_set(err, "row %" PRIx64 " is in no page", c->row[i].gpa);
        } else if (!c->row[i].kind) {
            memcpy(p, c->row[i].data, ROW);
        }
    }
    for (uint32_t i = 0; ok && i < c->log.n; i++) { /* DMA: to RAM addresses */
        TwinEvent *e = &c->log.e[i];
        if (e->kind == TE_DMA) {
            uint8_t *p = page_at(m, c, mr, e->addr);
            if (!p || e->len > TLB_PAGE - (e->addr & 0xfff)) {
                e->kind = TE_NKINDS; /* to RAM that the step does not look at */
            } else {
                e->addr = (uint64_t)(p - m->ram_base);
            }
        }
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->log.n; i++) {
        if (c->log.e[i].kind != TE_NKINDS) {
            c->log.e[n++] = c->log.e[i];
        }
    }
    c->log.n = n;
    return ok;
}

/* ---- the verdict ---- */

/* Is RAM of a side as the file's engine k (1, 2) left it? */
static bool memory_is(const Twin *t, const Case *c, MemoryRegion *mr, unsigned side,
                      uint8_t k)
{
    uint8_t *want = xalloc((size_t)c->npages * TLB_PAGE + 1);
    bool same = true;
    for (uint8_t pass = 0; pass <= k; pass += k) { /* before, then what k wrote */
        for (unsigned i = 0; i < c->nrows; i++) {
            for (unsigned p = 0; c->row[i].kind == pass && p < c->npages; p++) {
                if (c->page[p] == (c->row[i].gpa & ~0xfffull)) {
                    memcpy(want + (size_t)p * TLB_PAGE + (c->row[i].gpa & 0xfff),
                           c->row[i].data, ROW);
                }
            }
        }
    }
    for (unsigned p = 0; p < c->npages && same; p++) {
        same = !memcmp(want + (size_t)p * TLB_PAGE, t->side[side].ram + mr[p].ram_addr,
                       TLB_PAGE);
    }
    free(want);
    return same;
}

static void print_trouble(const TwinSide *s)
{
    if (s->complaint[0]) {
        printf("%s: %s\n", s->name, s->complaint);
    }
    if (s->shut_down) {
        printf("%s shut down (triple fault)\n", s->name);
    }
}

static int verdict_alone(Twin *t, Case *c, MemoryRegion *mr, const X86State *st)
{
    const X86State *got = &t->side[0].cpu[0]->st;
    bool first = twin_same_state(got, &st[1]) && memory_is(t, c, mr, 0, 1);
    bool second = twin_same_state(got, &st[2]) && memory_is(t, c, mr, 0, 2);
    printf("%s here, beside the file's second engine (%s):\n", t->side[0].name,
           twin_engine_names[c->engine[1]]);
    t->side[1].name = twin_engine_names[c->engine[1]];
    twin_print_states(stdout, t, &st[0], got, &st[2]);
    print_trouble(&t->side[0]);
    printf("result: %s agrees with %s\n", t->side[0].name,
           first && second ? "both"
           : first         ? "the file's first engine"
           : second        ? "the file's second engine"
                           : "neither of the file's engines");
    return second ? 0 : 1;
}

static int verdict_both(Twin *t, const X86State *before, bool same)
{
    const X86State *a = &t->side[0].cpu[0]->st, *b = &t->side[1].cpu[0]->st;
    twin_print_states(stdout, t, before, a, b);
    twin_print_memory(stdout, t, &t->step_pre);
    print_trouble(&t->side[0]);
    print_trouble(&t->side[1]);
    printf("result: %s and %s %s\n", t->side[0].name, t->side[1].name,
           same ? "agree" : "differ");
    return same ? 0 : 1;
}

static int run_case(Twin *t, Case *c, MemoryRegion *mr, bool alone, Error *err)
{
    Machine *m = t->m;
    X86State *st = xalloc_aligned(64, 3 * sizeof(X86State));
    int status = 1;
    X86Cpu *cpu = NULL;
    Cpu *made = x86_cpu_factory.create(m, 0, err);
    if (made) {
        m->cpus[0] = made;
        m->ncpus = 1;
        made->irq_ops = &no_irq_ops;
        cpu = X86_CPU(made);
        memcpy(cpu->feat, c->feat, sizeof(cpu->feat));
        cpu->apic_id = c->apic_id;
        cpu->phys_bits = c->phys_bits;
        cpu->tsc_khz = c->tsc_khz;
    }
    if (made && load_state(c, 1, made, &st[1], err) &&
        load_state(c, 2, made, &st[2], err) && load_state(c, 0, made, &st[0], err)) {
        cpu->st = st[0];
        t->log = c->log;
        c->log = (TwinLog){ 0 };
        t->single = c->single;
        t->exactly = true;
        m->exec->starting(m); /* the second side's RAM */
        m->exec->sync_to_engine(made);
        if (alone) {
            twin_run_alone(t, 0, c->req, 1);
            status = verdict_alone(t, c, mr, st);
        } else {
            bool same = twin_stretch(t, 0, c->req, 1, true);
            status = verdict_both(t, &st[0], same);
        }
    }
    free(st);
    return status;
}

/* ---- the engine wanted ---- */

static const AccelClass *find_engine(const char *accel, TwinOptions *o, bool *alone,
                                     Error *err)
{
    const char *spec = accel ? accel : "twin";
    char *name = xasprintf("%.*s", (int)strcspn(spec, ",:"), spec);
    const char *props = spec + strlen(name);
    int k = name_index(twin_engine_names, TWIN_NENGINES, name);
    *alone = strcmp(name, "twin");
    if (*alone && k < 0) {
        const char *names[] = { "tcg", "interp", "kvm", "twin", NULL };
        error_set_choice(err, "-accel", name, names);
    } else if (*alone) {
        o->first = o->second = k == TWIN_TCG && strstr(props, "backend=interp")
                                   ? TWIN_INTERP
                                   : k;
    } else if (!property_parse(accel_twin_class.props, o, *props ? props + 1 : "", NULL,
                               err)) {
        error_prefix(err, "-accel twin: ");
    }
    free(name);
    return err->msg ? NULL : &accel_twin_class;
}

int twin_replay_case(const char *path, const char *accel, Error *err)
{
    Case c = { .engine = { -1, -1 } };
    TwinOptions *o = NEW(TwinOptions);
    MemoryRegion *mr = NULL;
    Machine *m = NULL;
    bool alone;
    int status = 1;

    property_defaults(accel_twin_class.props, o);
    if (case_read(&c, path, err) && find_engine(accel, o, &alone, err)) {
        MachineConfig cfg = { .ram_size = (c.npages + 1ull) * TLB_PAGE, .cpus = c.cpus };
        o->exact_flags |= c.exact_flags;
        mr = NEW_ARRAY(MemoryRegion, c.npages + 1);
        m = machine_create(&case_class, &cfg, err);
        if (m && build(m, &c, mr, err)) {
            Twin *t = twin_create(m, o, err);
            machine_lock(m);
            status = t ? run_case(t, &c, mr, alone, err) : 1;
            machine_unlock(m);
            if (t) {
                twin_destroy(m);
            }
        }
    }
    if (m) {
        m->ncpus = 0; /* the engine's, gone */
        machine_destroy(m);
    }
    error_prefix(err, "--replay-case: ");
    free(mr);
    case_free(&c);
    property_free(accel_twin_class.props, o);
    free(o);
    return status;
}

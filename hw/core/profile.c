/* SPDX-License-Identifier: MIT */
/*
 * -profile: timers, the handler, the tables of stacks, the files (profile.h). The handler
 * and everything below it is async-signal-safe: a thread's table is its own, made before its
 * timer starts and of fixed size; what does not fit is counted as lost.
 */
#include "hw/core/profile.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "hw/core/core_int.h"
#include "hw/core/profile_int.h"
#include "util/alloc.h"
#include "util/flame.h"
#include "util/fsbase.h"
#include "util/symbols.h"

enum { STACKS = 1 << 15, PROBES = 16, INTERVAL_NS = 1000000 };

/* One stack and how often it was met. */
typedef struct Stack {
    uint64_t count; /* 0: free */
    uint64_t hash;
    uint64_t space, host_pc;
    char comm[PROFILE_COMM];
    uint8_t n;
    bool user;
    uint64_t pc[PROFILE_DEPTH]; /* innermost first; a function's start where known */
} Stack;

/* A vCPU's; its own thread, anyone after it has ended. */
typedef struct CpuProfile {
    Stack *stacks; /* STACKS of them, by hash */
    uint64_t lost; /* samples that found no place */
    timer_t timer;
    bool ticking;
} CpuProfile;

static struct {
    struct Machine *m; /* NULL: off */
    const char *file;
} profile;

/* ---- sampling, signal context ---- */

static uint64_t hash_of(const Stack *k)
{
    uint64_t h = k->space ^ k->host_pc * 0x9e3779b97f4a7c15ull ^ k->n;
    for (unsigned i = 0; i < k->n; i++) {
        h = (h ^ k->pc[i]) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    return h;
}

static bool same(const Stack *a, const Stack *b)
{
    if (a->hash != b->hash || a->n != b->n || a->space != b->space ||
        a->host_pc != b->host_pc || a->user != b->user ||
        memcmp(a->comm, b->comm, sizeof(a->comm)) != 0) {
        return false;
    }
    return memcmp(a->pc, b->pc, a->n * sizeof(a->pc[0])) == 0;
}

static void count(CpuProfile *p, Stack *k, uint64_t times)
{
    k->hash = hash_of(k);
    for (unsigned i = 0; i < PROBES; i++) {
        Stack *at = &p->stacks[(k->hash + i) % STACKS];
        if (!at->count) {
            *at = *k;
            at->count = times;
            return;
        }
        if (same(at, k)) {
            at->count += times;
            return;
        }
    }
    p->lost += times;
}

/* One entry for a function however many of its instructions are met. Not before the kernel
 * has told how far it moved itself. */
static void note_functions(Stack *k, const CpuSample *s)
{
    for (unsigned i = 0; i < k->n && s->entry; i++) {
        uint64_t off;
        if (symbols_find(k->pc[i], &off)) {
            k->pc[i] -= off;
        }
    }
}

/* May this thread read guest memory now? (hw/core/memory.h) */
static bool may_walk(const Cpu *cpu)
{
    return cpu->excl_state == CPU_INSIDE || machine_locked(cpu->machine);
}

static NOINLINE void tick(siginfo_t *info, void *ucontext)
{
    int saved = errno;
    Cpu *cpu = cpu_self;

    if (cpu && cpu->profile && cpu->exec->sample && cpu->ops->sample_page) {
        CpuSample s = { 0 };
        Stack k = { 0 };
        if (cpu->exec->sample(cpu, ucontext, &s)) {
            GuestReader r = { .cpu = cpu, .s = &s };
            k.space = s.space;
            k.host_pc = s.host_pc;
            k.user = s.user;
            k.pc[0] = s.pc;
            k.n = 1;
            if (may_walk(cpu)) {
                profile_task(&r, k.comm);
                k.n = (uint8_t)profile_walk(&r, k.pc, PROFILE_DEPTH);
            }
            note_functions(&k, &s);
            count(cpu->profile, &k, 1 + (uint64_t)MAX(info->si_overrun, 0));
        }
    }
    errno = saved;
}

static FSBASE_HANDLER void on_tick(int sig, siginfo_t *info, void *ucontext)
{
    uint64_t fs = fsbase_signal_begin(ucontext);
    tick(info, ucontext);
    fsbase_signal_end(fs);
}

/* ---- life ---- */

static FILE *open_one(const char *file, const char *suffix, Error *err)
{
    char *path = xasprintf("%s.%s", file, suffix);
    FILE *f = fopen(path, "we");
    if (!f) {
        error_set(err, "cannot write '%s': %s", path, strerror(errno));
    }
    free(path);
    return f;
}

bool profile_start(struct Machine *m, const char *file, Error *err)
{
    struct sigaction sa = { .sa_sigaction = on_tick,
                            .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    FILE *f1 = open_one(file, "folded", err);
    FILE *f2 = f1 ? open_one(file, "svg", err) : NULL;

    if (f1) {
        fclose(f1);
    }
    if (!f2) {
        return false;
    }
    fclose(f2);
    sigfillset(&sa.sa_mask);
    if (sigaction(SIGPROF, &sa, NULL) < 0) {
        return error_set(err, "sigaction: %s", strerror(errno));
    }
    profile_task_init();
    profile.m = m;
    profile.file = file;
    return true;
}

void profile_thread_begin(Cpu *cpu)
{
    if (profile.m != cpu->machine) {
        return;
    }
    CpuProfile *p = cpu->profile ? cpu->profile : NEW(CpuProfile);
    if (!p->stacks) {
        p->stacks = mmap(NULL, STACKS * sizeof(Stack), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (p->stacks == MAP_FAILED) {
        free(p);
        warn_report("-profile: no memory for the stacks of CPU %d", cpu->index);
        return;
    }
    cpu->profile = p;
    struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF };
    ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    struct itimerspec every = { { 0, INTERVAL_NS }, { 0, INTERVAL_NS } };
    p->ticking = timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &p->timer) == 0;
    if (!p->ticking || timer_settime(p->timer, 0, &every, NULL) < 0) {
        warn_report("-profile: no timer for CPU %d: %s", cpu->index, strerror(errno));
    }
}

void profile_thread_end(Cpu *cpu)
{
    CpuProfile *p = cpu->profile;
    if (p && p->ticking) {
        timer_delete(p->timer);
        p->ticking = false;
    }
}

/* ---- names ---- */

enum { TEXT = 128, FRAMES = 1 + 2 * PROFILE_DEPTH };

/* A stack as frames, outermost first; their texts are in `text`. */
typedef struct Named {
    FlameFrame frame[FRAMES];
    char text[FRAMES][TEXT];
    unsigned n;
} Named;

static char *add(Named *v, uint8_t kind)
{
    v->frame[v->n] = (FlameFrame){ v->text[v->n], kind };
    return v->text[v->n++];
}

static void add_pc(Named *v, uint64_t pc, uint8_t kind)
{
    uint64_t off;
    const char *name = symbols_find(pc, &off);
    if (name) {
        snprintf(add(v, kind), TEXT, "%s", name);
    } else { /* by page, and within it by cache line */
        snprintf(add(v, kind), TEXT, "0x%" PRIx64, pc & ~(uint64_t)0xfff);
        snprintf(add(v, kind), TEXT, "+0x%" PRIx64, pc & 0xfc0);
    }
}

/* The guest's part. Kernel addresses of x86-64 are in the upper half. */
static void name_guest(Named *v, const Stack *k)
{
    v->n = 0;
    if (k->comm[0]) {
        snprintf(add(v, FLAME_GROUP), TEXT, "%s", k->comm);
    } else if (k->user) {
        snprintf(add(v, FLAME_GROUP), TEXT, "user, cr3 0x%" PRIx64, k->space);
    } else {
        snprintf(add(v, FLAME_GROUP), TEXT, "kernel");
    }
    for (unsigned i = k->n; i-- > 0;) {
        add_pc(v, k->pc[i], k->user ? FLAME_USER : FLAME_KERNEL);
    }
}

typedef struct HostName {
    uint64_t pc;
    char *name; /* NULL: not resolved yet */
} HostName;

/* Host addresses are named in a second pass, when the table of symbols holds our own. */
typedef struct HostNames {
    HostName *v;
    size_t n;
} HostNames;

static int by_pc(const void *a, const void *b)
{
    uint64_t x = ((const HostName *)a)->pc, y = ((const HostName *)b)->pc;
    return x < y ? -1 : x > y;
}

static void collect_host(HostNames *h, const CpuProfile *p)
{
    for (unsigned i = 0; i < STACKS; i++) {
        if (p->stacks[i].count && p->stacks[i].host_pc) {
            if (!(h->n & (h->n - 1))) {
                h->v = xrealloc(h->v, MAX(2 * h->n, 1) * sizeof(*h->v));
            }
            h->v[h->n++] = (HostName){ p->stacks[i].host_pc, NULL };
        }
    }
}

/* Replaces the guest's symbols by the program's. */
static void resolve_host(HostNames *h)
{
    Error err = ERROR_INIT;
    uint64_t at, off;

    symbols_free();
    bool ok = symbols_load("/proc/self/exe", &err) &&
              symbols_address("profile_finish", &at);
    error_free(&err);
    symbols_set_slide(ok ? (uint64_t)&profile_finish - at : 0);
    if (h->n) { /* h->v is NULL else */
        qsort(h->v, h->n, sizeof(*h->v), by_pc);
    }
    for (size_t i = 0; i < h->n; i++) {
        const char *name = ok ? symbols_find(h->v[i].pc, &off) : NULL;
        Dl_info info;
        if (h->v[i].pc == SAMPLE_GENERATED) {
            name = "generated code around blocks";
        } else if (!name && dladdr((void *)h->v[i].pc, &info)) {
            name = info.dli_sname ? info.dli_sname : info.dli_fname;
        }
        h->v[i].name = xasprintf("[dyad] %s", name ? name : "?");
    }
}

static const char *host_name(const HostNames *h, uint64_t pc)
{
    HostName key = { pc, NULL };
    const HostName *found = bsearch(&key, h->v, h->n, sizeof(key), by_pc);
    return found ? found->name : "[dyad]";
}

/* ---- the files ---- */

static bool close_one(FILE *f, const char *suffix, Error *err)
{
    bool bad = ferror(f);
    if (fclose(f) || bad) {
        return error_set(err, "-profile: %s.%s: %s", profile.file, suffix,
                         strerror(errno));
    }
    return true;
}

static bool write_files(const Flame *fl, Error *err)
{
    FILE *f = open_one(profile.file, "folded", err);
    if (!f) {
        return false;
    }
    flame_write_folded(fl, f);
    if (!close_one(f, "folded", err)) {
        return false;
    }
    f = open_one(profile.file, "svg", err);
    if (!f) {
        return false;
    }
    char *title = xasprintf("%s: guest profile, 1 sample = 1 ms of a vCPU thread's time",
                            profile.m->cfg.name ? profile.m->cfg.name : "dyad");
    flame_write_svg(fl, f, title);
    free(title);
    return close_one(f, "svg", err);
}

/* Guest names are taken before resolve_host: the nodes of all stacks are kept meanwhile. */
static void add_stacks(Flame *fl, Machine *m)
{
    HostNames host = { 0 };
    Named *v = NEW(Named);
    FlameNode **node = NEW_ARRAY(FlameNode *, (size_t)m->ncpus * STACKS);
    uint64_t lost = 0;

    for (unsigned c = 0; c < m->ncpus; c++) {
        const CpuProfile *p = m->cpus[c]->profile;
        for (unsigned i = 0; p && i < STACKS; i++) {
            if (p->stacks[i].count) {
                name_guest(v, &p->stacks[i]);
                node[c * STACKS + i] = flame_add(fl, v->frame, v->n, p->stacks[i].count);
            }
        }
        if (p) {
            collect_host(&host, p);
            lost += p->lost;
        }
    }
    resolve_host(&host);
    for (unsigned c = 0; c < m->ncpus; c++) {
        const CpuProfile *p = m->cpus[c]->profile;
        for (unsigned i = 0; p && i < STACKS; i++) {
            const Stack *k = &p->stacks[i];
            if (k->count && k->host_pc) {
                FlameFrame f = { host_name(&host, k->host_pc), FLAME_HOST };
                flame_move(node[c * STACKS + i], &f, k->count);
            }
        }
    }
    flame_add(fl, &(FlameFrame){ "[lost: the table of stacks was full]", FLAME_HOST }, 1,
              lost);
    for (size_t i = 0; i < host.n; i++) {
        free(host.v[i].name);
    }
    free(host.v);
    free(node);
    free(v);
}

bool profile_finish(Error *err)
{
    Machine *m = profile.m;
    if (!m) {
        return true;
    }
    Flame *fl = flame_create();
    add_stacks(fl, m);
    bool ok = write_files(fl, err);
    flame_destroy(fl);
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->cpus[i]->profile) {
            munmap(m->cpus[i]->profile->stacks, STACKS * sizeof(Stack));
            free(m->cpus[i]->profile);
            m->cpus[i]->profile = NULL;
        }
    }
    signal(SIGPROF, SIG_IGN);
    profile.m = NULL;
    return ok;
}

/* SPDX-License-Identifier: MIT */
/*
 * The TCG accelerator: options, vCPU memory (each vCPU's struct lies in the env area
 * before its view of the code), run control, and the connection between the machine
 * (memory changes, DMA) and the block cache.
 */
#include "accel/tcg/tcg.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "accel/area.h"
#include "accel/signals.h"
#include "hw/core/machine.h"
#include "hw/core/nondet.h"
#include "hw/core/sample.h"
#include "tcg/codebuf.h"
#include "tcg/counters.h"
#include "util/alloc.h"
#include "util/prefault.h"

typedef struct TcgMachine {
    TbCache *cache;
    CodeBuf *code;
    TcgOptions *opts;
    void *area[MACHINE_MAX_CPUS];
    unsigned users; /* accelerators that made it: tcg, kvm with ring0=soft */
    bool prefault;
    uint64_t made_tsc; /* when it was made: TSC ticks to ns */
    int64_t made_ns;
} TcgMachine;

static TcgMachine *the_machine; /* one per process (x86_engine) */

static const TcgGuestOps *guest;

void tcg_set_guest(const TcgGuestOps *ops)
{
    guest = ops;
}

static const char *const backends[] = { "native", "interp", NULL };
static const char *const tier2s[] = { "off", "on", "random", NULL };
static const char *const sites[] = { "seen", "random", NULL };
static const char *const threads[] = { "multi", NULL };
static const char *const mems[] = { "soft", "auto", "window", NULL };
static const Property tcg_props[] = {
    PROP_ENUM(TcgOptions, backend, 0, backends, "how blocks are executed"),
    { "tb-size", PK_MIB, offsetof(TcgOptions, tb_size), 64 * MiB, 1 * MiB, 1 * GiB, NULL, NULL,
      NULL, "host code kept (a bare number: MiB); the oldest goes first" },
    PROP_ENUM(TcgOptions, thread, 0, threads, "each vCPU has a thread of its own, always"),
    PROP_ENUM(TcgOptions, mem, 1, mems,
              "user-mode memory: soft TLB only; host mappings for programs that run for a "
              "while; host mappings at once"),
    PROP_ENUM(TcgOptions, tier2, 1, tier2s,
              "hot paths of user code as traces: never; when they are hot; at random (tests)"),
    PROP_ENUM(TcgOptions, sites, 0, sites,
              "where host mappings expect a memory operand: where it was seen; at random (tests)"),
    PROP_STR(TcgOptions, cache, "auto",
             "translations kept for the next run: a directory, off, or auto (~/.cache/dyad)"),
    { "exact-flags", PK_BOOL, offsetof(TcgOptions, exact_flags), 0, 0, 1, NULL, NULL, NULL,
      "keep even dead flags exact when an instruction faults" },
    { "max-insns", PK_U32, offsetof(TcgOptions, one_insn), 0, 0, TB_MAX_INSNS, NULL, NULL, NULL,
      "guest instructions per block (0: the most)" },
    PROP_END
};

/* ---- vCPUs ---- */

static TcgEnv *cpu_env(Cpu *cpu)
{
    TcgMachine *t = cpu->machine->accel;
    return (TcgEnv *)((char *)t->area[cpu->index] + guest->env_offset);
}

static void *cpu_struct(Cpu *cpu)
{
    TcgMachine *t = cpu->machine->accel;
    return t->area[cpu->index];
}

static void *tcg_alloc_cpu(Machine *m, int index, size_t size)
{
    TcgMachine *t = m->accel;
    Error err = ERROR_INIT;

    if (size > guest->env_offset) {
        abort();
    }
    t->area[index] = codebuf_view(t->code, &err);
    if (!t->area[index]) {
        error_report(&err);
    }
    return t->area[index];
}

/* A dropped code page must not be stored to directly any more. Leaf code calls this
 * through env with vector state possibly live: invalidation itself is heavy. */
static void code_written(TcgEnv *env, uint64_t ram_addr, uint64_t len);

static bool tcg_init_cpu(Cpu *cpu, Error *err)
{
    TcgMachine *t = cpu->machine->accel;
    if (t->area[cpu->index] && cpu->engine) {
        return true; /* by the other accelerator that uses it */
    }
    if (!t->area[cpu->index]) { /* another engine made it */
        void *area = accel_area_of(cpu->index);
        if (!area || !codebuf_view_at(t->code, area, err)) {
            return area ? false : error_set(err, "CPU %d cannot be taken over", cpu->index);
        }
        t->area[cpu->index] = area;
    }
    TcgEnv *env = cpu_env(cpu);

    env->cpu = cpu_struct(cpu);
    env->page_flags = t->cache->page_flags;
    env->code_written = code_written;
    cpu->engine = env;
    return guest->init_cpu(env->cpu, env, err);
}

static void tcg_run(Cpu *cpu)
{
    atomic_store(&cpu->in_guest, 1);
    guest->run(cpu_struct(cpu));
    atomic_store(&cpu->in_guest, 0);
}

/* The thread may sit in generated code that never looks at exit_request: the signal's
 * handler makes it leave at the next instruction boundary. */
static void tcg_kick(Cpu *cpu)
{
    if (cpu->thread_started && atomic_load(&cpu->in_guest)) {
        pthread_kill(cpu->thread, SIGUSR1);
    }
}

static bool tcg_sample(Cpu *cpu, void *ucontext, CpuSample *s)
{
    return cpu->engine && guest->sample(cpu_struct(cpu), ucontext, s);
}

static void tcg_sync(Cpu *cpu)
{
    /* the architectural state is exact whenever the thread is parked */
}

/* ---- the machine's side ---- */

static void code_written(TcgEnv *env, uint64_t ram_addr, uint64_t len)
{
    TcgMachine *t = cpu_self->machine->accel;
    tb_invalidate(t->cache, ram_addr, len, cpu_self);
}

static void tcg_ram_written(Machine *m, uint64_t ram_addr, uint64_t len)
{
    TcgMachine *t = m->accel;
    for (uint64_t n = ram_addr >> 12; n <= (ram_addr + len - 1) >> 12; n++) {
        if (t->cache->page_flags[n] & 1 /* TCG_PAGE_CODE */) {
            tb_invalidate(t->cache, ram_addr, len, cpu_self);
            return;
        }
    }
}

void tcg_page_stored(Cpu *cpu, uint64_t ram_addr)
{
    _Atomic uint8_t *flags = &the_machine->cache->page_flags[ram_addr >> 12];
    uint8_t f = atomic_load(flags);
    if (!(f & TCG_PAGE_STORED)) {
        f = atomic_fetch_or(flags, TCG_PAGE_STORED);
    }
    if (f & TCG_PAGE_CODE) {
        tb_invalidate(the_machine->cache, ram_addr & ~4095ull, 4096, cpu);
    }
}

static void tcg_mapping_changed(Machine *m)
{
    TcgMachine *t = m->accel;
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (t->area[i] && m->cpus[i] && m->cpus[i]->engine) {
            guest->flush_tlb(t->area[i]);
        }
    }
}

static void excl_begin(void *opaque, void *self)
{
    Machine *m = opaque;
    if (m->ncpus > 1 || !self) {
        cpu_exclusive_begin(m, self);
    }
}

static void excl_end(void *opaque, void *self)
{
    Machine *m = opaque;
    if (m->ncpus > 1 || !self) {
        cpu_exclusive_end(m, self);
    }
}

static void protect_page(void *opaque, const uint8_t *host_page)
{
    Machine *m = opaque;
    TcgMachine *t = m->accel;
    for (unsigned i = 0; i < m->ncpus; i++) {
        guest->protect_page(t->area[i], host_page);
    }
}

static void forget_code(void *opaque, uint32_t from, uint32_t to)
{
    Machine *m = opaque;
    TcgMachine *t = m->accel;
    for (unsigned i = 0; i < m->ncpus; i++) {
        guest->forget_code(t->area[i], from, to);
    }
}

/* ---- host signals ---- */

static bool on_signal(int sig, void *info, void *uc)
{
    return cpu_self && cpu_self->machine->accel == the_machine && cpu_self->engine &&
           guest->host_signal(cpu_struct(cpu_self), sig, info, uc);
}

/* Blocks may not run over breakpoints: build them anew. */
static void tcg_debug_changed(Machine *m)
{
    TcgMachine *t = m->accel;

    for (unsigned i = 0; i < m->ncpus; i++) {
        if (t->area[i]) {
            guest->debug_changed(t->area[i]);
        }
    }
    /* With the machine lock a section does not wait for vCPUs that wait for it within a block
     * (hw/core/cpu.h), and they read their instruction there afterwards. */
    bool locked = machine_locked(m);
    if (locked) {
        machine_unlock(m);
    }
    tb_flush(t->cache, NULL);
    if (locked) {
        machine_lock(m);
    }
}

/* ---- AccelClass ---- */

static void tcg_info_exec(Machine *m, const char *what, void *f);

static const CpuExecOps tcg_exec_ops = {
    .name = "tcg",
    .alloc_cpu = tcg_alloc_cpu,
    .init_cpu = tcg_init_cpu,
    .run = tcg_run,
    .kick = tcg_kick,
    .sync_from_engine = tcg_sync,
    .sync_to_engine = tcg_sync,
    .ram_written = tcg_ram_written,
    .mapping_changed = tcg_mapping_changed,
    .info = tcg_info_exec,
    .sample = tcg_sample,
    .debug_changed = tcg_debug_changed,
    .own_timers = true,
};

/* RAM that no vCPU has touched yet: the prefault thread's (back_chunk in target-x86/softmmu.c). */
static bool claim_chunk(void *opaque, const void *piece)
{
    TbCache *c = opaque;
    uint64_t n = (uint64_t)((const uint8_t *)piece - c->ram_base) >> 12;

    return !(atomic_fetch_or(&c->page_flags[n], TCG_PAGE_BACKED) & TCG_PAGE_BACKED);
}

/* Address space for the descriptions of blocks: host code is longer than they are. */
static size_t arena_size(const TcgOptions *o)
{
    return o->backend == 0 ? MAX(2 * o->tb_size, 4 * MiB) : MAX(2 * o->tb_size, 64 * MiB);
}

static bool tcg_init_machine(Machine *m, void *opaque, Error *err)
{
    TcgOptions *o = opaque;
    if (the_machine) {
        the_machine->users++;
        m->accel = the_machine;
        m->exec = &tcg_exec_ops;
        return true;
    }
    TcgMachine *t = NEW(TcgMachine);
    t->users = 1;
    TbCacheOps ops = { excl_begin, excl_end, protect_page, forget_code, m };

    the_machine = t;
    m->accel = t;
    m->exec = &tcg_exec_ops;
    t->opts = o;
#if !defined(__x86_64__)
    o->backend = 1;
#endif
    if (o->backend == 0) {
        t->code = codebuf_create(o->tb_size, err);
        if (!t->code) {
            return false;
        }
    }
    t->cache = tb_cache_create(m->ram_max, m->ram_base, arena_size(o), t->code, &ops);
    t->prefault = prefault_start(m->ncpus, claim_chunk, t->cache);
    if (t->prefault) {
        prefault_ask(t->cache->hash, sizeof(TbRef) << TB_HASH_BITS, 0);
    }
    t->made_tsc = nondet_host_tsc();
    t->made_ns = nondet_host_ns();
    return accel_take_signals(on_signal, err) && guest->init(t->cache, o, err);
}

static void tcg_destroy(Machine *m)
{
    TcgMachine *t = m->accel;

    if (--t->users) {
        return;
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (t->area[i]) {
            guest->free_cpu(t->area[i]);
            if (t->area[i] != accel_area_of(i)) {
                codebuf_view_free(t->code, t->area[i]);
            }
        }
    }
    guest->finish();
    if (t->prefault) {
        prefault_stop();
    }
    tb_cache_destroy(t->cache);
    codebuf_destroy(t->code);
    free(t);
    the_machine = NULL;
    m->accel = NULL;
}

/* Nothing translated stays: another engine's stores are not seen here. */
static bool tcg_leave(Machine *m, Error *err)
{
    tb_flush(the_machine->cache, NULL);
    return true;
}

static bool tcg_change(Machine *m, const void *opaque, Error *err)
{
    const TcgOptions *o = opaque;
    TcgMachine *t = the_machine;
    if (o->tb_size != t->opts->tb_size || o->mem != t->opts->mem) {
        return error_set(err, "tb-size and mem cannot change on a running machine");
    }
    if (o->backend == 0 && !t->code) {
        return error_set(err, "backend=native: this run began without it");
    }
    tb_flush(t->cache, NULL);
    *t->opts = *o;
    guest->configure(o);
    tcg_mapping_changed(m);
    return true;
}

static void tcg_enter(Machine *m)
{
    m->accel = the_machine;
    m->exec = &tcg_exec_ops;
    tcg_mapping_changed(m);
}

static uint64_t build_ns(const TcgMachine *t)
{
    double ticks = nondet_host_tsc() - t->made_tsc, ns = nondet_host_ns() - t->made_ns;
    return ticks > 0 ? t->cache->build_ticks * (ns / ticks) : 0;
}

static void tcg_info(Machine *m, const char *what, FILE *f)
{
    TcgMachine *t = m->accel;
    const TbCache *c = t->cache;
    const void *envs[MACHINE_MAX_CPUS];
    unsigned n = 0;

    fprintf(f, "back end: %s\n", backends[t->opts->backend]);
    if (t->code) {
        fprintf(f, "host code: %llu of %zu bytes", (unsigned long long)tb_code_bytes(c),
                t->code->size);
        if (c->native_insns) {
            fprintf(f, ", %llu ns and %.1f bytes for each guest instruction",
                    (unsigned long long)(build_ns(t) / c->native_insns),
                    (double)c->native_bytes / c->native_insns);
        }
        fputc('\n', f);
    }
    fprintf(f, "blocks:\n");
    counters_print(f, tb_cache_counters, (const void *const[]){ c }, 1);
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (t->area[i]) {
            envs[n++] = (char *)t->area[i] + guest->env_offset;
        }
    }
    fprintf(f, n > 1 ? "vCPUs (in brackets: each one's):\n" : "vCPU:\n");
    counters_print(f, tcg_env_counters, envs, n);
    guest->stats(f);
}

static void tcg_info_exec(Machine *m, const char *what, void *f)
{
    tcg_info(m, what, f);
}

const AccelClass accel_tcg_class = {
    .name = "tcg",
    .desc = "software translation, no VT-x needed",
    .props = tcg_props,
    .size = sizeof(TcgOptions),
    .init_machine = tcg_init_machine,
    .enter = tcg_enter,
    .leave = tcg_leave,
    .change = tcg_change,
    .destroy = tcg_destroy,
    .info = tcg_info,
};

/* SPDX-License-Identifier: MIT */
/*
 * The software engines as sides of a twin: the template translator and the interpreter, each
 * with its own block cache, code buffer and soft TLBs. target-x86's engine keeps what belongs
 * to the machine in x86_engine: the side that runs puts its own there.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "accel/twin/twin_int.h"
#include "target-x86/leaf.h"
#include "target-x86/softmmu.h"
#include "target-x86/tcg_ops.h"
#include "target-x86/window.h"
#include "tcg/counters.h"
#include "util/alloc.h"

enum { CODE_SIZE = 64 << 20 };
#define ARENA_SIZE (768 * MiB) /* address space; blocks of one instruction are many */

static TwinSide *current; /* whose things are in x86_engine (machine lock) */

static void use(TwinSide *s)
{
    if (current != s) {
        current = s;
        x86_engine.cache = s->cache;
        x86_engine.native = s->code != NULL;
        x86_engine.exact_flags = s->t->opts->exact_flags;
    }
    x86_engine.max_insns = s->max_insns;
    x86_engine.tier2 = s->tier2;
}

/* ---- the cache's callbacks: nobody else runs ---- */

static void excl(void *opaque, void *self) {}

static void protect_page(void *opaque, const uint8_t *host_page)
{
    TwinSide *s = opaque;
    for (unsigned i = 0; i < MACHINE_MAX_CPUS && s->cpu[i]; i++) {
        x86_tcg_ops.protect_page(s->cpu[i], host_page);
    }
}

static void forget_code(void *opaque, uint32_t from, uint32_t to)
{
    TwinSide *s = opaque;
    for (unsigned i = 0; i < MACHINE_MAX_CPUS && s->cpu[i]; i++) {
        x86_tcg_ops.forget_code(s->cpu[i], from, to);
    }
}

static void code_written(TcgEnv *env, uint64_t ram_addr, uint64_t len)
{
    TwinSide *s = container_of(((X86Cpu *)env->cpu)->cpu.machine, TwinSide, m);
    tb_invalidate(s->cache, ram_addr, len, NULL);
}

/* ---- life ---- */

static bool soft_create(TwinSide *s, Error *err)
{
    TbCacheOps ops = { excl, excl, protect_page, forget_code, s };
    TcgOptions opts = { .exact_flags = s->t->opts->exact_flags };
#if !defined(__x86_64__)
    if (s->kind == TWIN_TCG) {
        return error_set(err, "tcg: host code is made on x86-64 hosts only");
    }
#endif
    if (s->kind == TWIN_TCG) {
        s->code = codebuf_create(CODE_SIZE, err);
        if (!s->code) {
            return false;
        }
    }
    s->cache = tb_cache_create(s->m.ram_max, s->ram, ARENA_SIZE, s->code, &ops);
    if (!s->cache) {
        return error_set(err, "no memory for a block cache");
    }
    x86_engine.tapped = true;
    s->max_insns = TB_MAX_INSNS;
    opts.cache = s->which || s->kind != TWIN_TCG ? NULL : s->t->opts->cache;
    return x86_tcg_ops.init(s->cache, &opts, err);
}

static bool soft_add_cpu(TwinSide *s, unsigned i, Error *err)
{
    X86Cpu *cpu = codebuf_view(s->code, err);
    if (!cpu) {
        return false;
    }
    s->cpu[i] = cpu;
    TcgEnv *env = (TcgEnv *)((char *)cpu + x86_tcg_ops.env_offset);
    cpu->cpu.machine = &s->m;
    env->cpu = cpu;
    env->page_flags = s->cache->page_flags;
    env->code_written = code_written;
    env->page_log = &s->pages;
    cpu->engine = env;
    current = NULL;
    use(s);
    x86_engine.random_sites = s->t->opts->sites;
    x86_engine.windows = s->which || s->kind != TWIN_TCG ? WIN_NEVER
                                                         : (unsigned)s->t->opts->mem;
    if (!x86_tcg_ops.init_cpu(cpu, env, err)) {
        return false;
    }
    s->win[i] = env->win;
    return true;
}

static void soft_destroy(TwinSide *s)
{
    for (unsigned i = 0; i < MACHINE_MAX_CPUS; i++) {
        if (s->cpu[i]) {
            x86_env(s->cpu[i])->win = s->win[i];
            x86_tcg_ops.free_cpu(s->cpu[i]);
            codebuf_view_free(s->code, s->cpu[i]);
        }
    }
    if (s->cache) {
        tb_cache_destroy(s->cache);
    }
    codebuf_destroy(s->code);
    x86_tcg_ops.finish();
    current = NULL;
}

/* ---- running ---- */

/* Blocks of the other length, or traces (which a unit cannot be), are in the cache. */
static void set_length(TwinSide *s, unsigned n, bool chained)
{
    int tier2 = chained && s->kind == TWIN_TCG && !s->which ? s->t->opts->tier2 : TIER2_OFF;

    if (s->max_insns != n || s->tier2 != tier2) {
        s->max_insns = n;
        s->tier2 = tier2;
        use(s);
        tb_flush(s->cache, NULL);
    }
}

static const X86Row *soft_unit(TwinSide *s, X86Cpu *cpu, bool single)
{
    set_length(s, single ? 1 : TB_MAX_INSNS, false);
    use(s);
    const X86Row *row = x86_engine_unit(cpu);
    x86_fpu_sync(cpu); /* what comes now is no leaf code */
    return row;
}

static void soft_step(TwinSide *s, X86Cpu *cpu)
{
    use(s);
    x86_engine_step(cpu);
    x86_fpu_sync(cpu);
}

static void soft_units(TwinSide *s, X86Cpu *cpu, X86Units *u)
{
    set_length(s, s->t->single ? 1 : TB_MAX_INSNS, u->chained);
    use(s);
    cpu->one_unit = !u->chained;
    if (u->chained) {
        window_alarm(cpu); /* a side's timers do not come by themselves */
    }
    x86_engine_units(cpu, u);
    cpu->one_unit = 1;
    x86_fpu_sync(cpu);
}

static void soft_take(TwinSide *s, X86Cpu *cpu, uint32_t req)
{
    use(s);
    x86_engine_take(cpu, req);
    x86_fpu_sync(cpu);
}

static void soft_sync(TwinSide *s, X86Cpu *cpu)
{
    x86_fpu_sync(cpu);
}

static void soft_replaced(TwinSide *s, X86Cpu *cpu)
{
    use(s);
    softmmu_flush_all(cpu);
    softmmu_set_mode(cpu);
}

static void soft_ram_written(TwinSide *s, uint64_t ram_addr, uint64_t len)
{
    for (uint64_t n = ram_addr >> 12; n <= (ram_addr + len - 1) >> 12; n++) {
        if (s->cache->page_flags[n] & TCG_PAGE_CODE) {
            use(s);
            tb_invalidate(s->cache, ram_addr, len, NULL);
            return;
        }
    }
}

static void soft_forget(TwinSide *s)
{
    use(s);
    tb_flush(s->cache, NULL);
}

static void soft_view_changed(TwinSide *s)
{
    for (unsigned i = 0; i < MACHINE_MAX_CPUS && s->cpu[i]; i++) {
        softmmu_flush_all(s->cpu[i]);
    }
}

static void soft_end_stretch(TwinSide *s, X86Cpu *cpu)
{
    softmmu_drop_stores(cpu);
    window_drop_stores(cpu);
}

static void soft_windows(TwinSide *s, bool on)
{
    for (unsigned i = 0; i < MACHINE_MAX_CPUS && s->cpu[i]; i++) {
        X86Cpu *cpu = s->cpu[i];
        if (s->win[i]) {
            use(s);
            x86_env(cpu)->win = s->win[i];
            window_drop_all(cpu);
            window_flush_all(cpu);
            x86_env(cpu)->win = on ? s->win[i] : NULL;
            cpu->win_on = 0;
            softmmu_set_mode(cpu);
        }
    }
}

static bool soft_signal(X86Cpu *cpu, int sig, void *info, void *uc)
{
    return x86_tcg_ops.host_signal(cpu, sig, info, uc);
}

static void soft_info(TwinSide *s, FILE *f)
{
    const TbCache *c = s->cache;
    const void *envs[MACHINE_MAX_CPUS];
    unsigned n = 0;
    for (; n < MACHINE_MAX_CPUS && s->cpu[n]; n++) {
        envs[n] = s->cpu[n]->engine;
    }
    counters_print(f, tb_cache_counters, (const void *const[]){ c }, 1);
    counters_print(f, tcg_env_counters, envs, n);
}

const TwinEngine twin_soft_engine = {
    .create = soft_create,
    .add_cpu = soft_add_cpu,
    .destroy = soft_destroy,
    .unit = soft_unit,
    .step = soft_step,
    .units = soft_units,
    .take = soft_take,
    .sync = soft_sync,
    .replaced = soft_replaced,
    .ram_written = soft_ram_written,
    .forget = soft_forget,
    .view_changed = soft_view_changed,
    .end_stretch = soft_end_stretch,
    .windows = soft_windows,
    .signal = soft_signal,
    .info = soft_info,
};

/* SPDX-License-Identifier: MIT */
/* x86 as a guest of the TCG accelerator: the table that main.c hands over. */
#include "target-x86/tcg_ops.h"
#include "target-x86/decode.h"
#include "target-x86/engine.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "target-x86/template.h"
#include "tcg/codebuf.h"

static bool ops_init(TbCache *cache, const TcgOptions *opts, Error *err)
{
    x86_decode_init();
    x86_engine.cache = cache;
    x86_engine.native = cache->code != NULL;
    x86_engine.exact_flags = opts->exact_flags;
    x86_engine.max_insns = opts->one_insn ? opts->one_insn : TB_MAX_INSNS;
    if (cache->code) {
        Enc e = { .rw = cache->code->rw, .end = 4096, .env_base = -(int64_t)CODE_ENV_SIZE };
        x86_thunks_emit(&e);
        if (e.full) {
            return error_set(err, "thunks do not fit");
        }
        cache->code->used = cache->code->fixed = ALIGN_UP(e.off, 64);
    }
    return true;
}

static void ops_finish(void)
{
    x86_engine.cache = NULL;
}

static bool ops_init_cpu(void *cpu, TcgEnv *env, Error *err)
{
    ((X86Cpu *)cpu)->engine = env;
#if defined(__x86_64__)
    if (x86_engine.native) {
        x86_native_init_cpu(cpu, env, x86_host_xsave_mask());
    }
#endif
    return softmmu_init(cpu, err);
}

static void ops_free_cpu(void *cpu)
{
    if (x86_env(cpu)) {
        softmmu_free(cpu);
    }
}

static void ops_run(void *cpu) { x86_engine_run(&((X86Cpu *)cpu)->cpu); }
static void ops_flush(void *cpu) { softmmu_flush_all(cpu); }
static void ops_protect(void *cpu, const uint8_t *page) { softmmu_protect(cpu, page); }
static void ops_forget(void *cpu) { softmmu_jmp_clear_all(cpu); }

static bool ops_signal(void *cpu, int sig, void *info, void *uc)
{
    return x86_native_signal(cpu, sig, info, uc);
}

/* The rows most often left to their reference functions. */
static void row_stats(FILE *f)
{
    fprintf(f, "  reference calls by instruction:");
    uint64_t below = ~0ull;
    for (unsigned k = 0; k < 16; k++) {
        const char *name = NULL;
        uint64_t best = 0;
        for (const X86RowTable *t = x86_row_tables; t->name; t++) {
            for (unsigned i = 0; i < t->count; i++) {
                uint64_t n = x86_engine.row_calls[x86_row_hash(&t->rows[i])];
                if (n > best && n < below) {
                    best = n;
                    name = t->rows[i].name;
                }
            }
        }
        if (name) {
            fprintf(f, " %s %llu", name, (unsigned long long)best);
            below = best;
        }
    }
    fputc('\n', f);
}

static void ops_stats(void *cpu, FILE *f)
{
    const TcgEnv *e = x86_env(cpu);
    static const struct {
        const char *name;
        size_t off;
    } rows[] = {
        { "TLB fills", offsetof(TcgEnv, fills) },
        { "TLB flushes", offsetof(TcgEnv, flushes) },
        { "TLB page flushes", offsetof(TcgEnv, page_flushes) },
        { "MMIO accesses", offsetof(TcgEnv, slow_mmio) },
        { "page-crossing loads", offsetof(TcgEnv, slow_cross) },
        { "stores to watched pages", offsetof(TcgEnv, slow_watch) },
        { "reference calls", offsetof(TcgEnv, execs) },
        { "punted instructions", offsetof(TcgEnv, punts) },
        { "vector state saves", offsetof(TcgEnv, heavy) },
        { "dispatches", offsetof(TcgEnv, dispatches) },
        { "chained jumps", offsetof(TcgEnv, chains) },
        { "kicks in generated code", offsetof(TcgEnv, kicks) },
        { "returns to the loop", offsetof(TcgEnv, leaves) },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fprintf(f, "  %-26s %llu\n", rows[i].name,
                (unsigned long long)*(const uint64_t *)((const char *)e + rows[i].off));
    }
    row_stats(f);
}

const TcgGuestOps x86_tcg_ops = {
    .env_offset = ALIGN_UP(sizeof(X86Cpu), 64),
    .init = ops_init,
    .finish = ops_finish,
    .init_cpu = ops_init_cpu,
    .free_cpu = ops_free_cpu,
    .run = ops_run,
    .flush_tlb = ops_flush,
    .protect_page = ops_protect,
    .forget_code = ops_forget,
    .host_signal = ops_signal,
    .stats = ops_stats,
};

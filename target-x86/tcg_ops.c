/* SPDX-License-Identifier: MIT */
/* x86 as a guest of the TCG accelerator: the table that main.c hands over. */
#include "target-x86/tcg_ops.h"
#include <stdlib.h>
#include <string.h>
#include "target-x86/decode.h"
#include "target-x86/engine.h"
#include "target-x86/native.h"
#include "target-x86/native_step.h"
#include "target-x86/returns.h"
#include "target-x86/sample.h"
#include "target-x86/saved.h"
#include "target-x86/softmmu.h"
#include "target-x86/template.h"
#include "target-x86/window.h"
#include "tcg/codebuf.h"
#include "util/fsbase.h"

_Static_assert(ALIGN_UP(sizeof(X86Cpu), 64) + sizeof(TcgEnv) <= CODE_ENV_SIZE, "env area");

static void ops_configure(const TcgOptions *opts)
{
    x86_engine.native = x86_engine.cache->code && opts->backend == 0;
    /* a trace wants 32 KiB at once, a region is a sixteenth of the buffer */
    bool small = x86_engine.native && x86_engine.cache->code->size < 8 * MiB;
    x86_engine.tier2 = small && opts->tier2 == TIER2_ON ? TIER2_OFF : opts->tier2;
    x86_engine.exact_flags = opts->exact_flags;
    x86_engine.random_sites = opts->sites;
    x86_engine.max_insns = opts->one_insn ? opts->one_insn : TB_MAX_INSNS;
}

static void ops_change(const TcgOptions *opts)
{
    x86_saved_stop(); /* it is made for one set of options */
    ops_configure(opts);
}

static bool ops_init(TbCache *cache, const TcgOptions *opts, Error *err)
{
    x86_decode_init();
    x86_engine.cache = cache;
    x86_engine.windows = opts->mem;
    ops_configure(opts);
#if defined(__x86_64__)
    x86_engine.fsbase = fsbase_usable();
#endif
    if (cache->code) {
        Enc e = { .rw = cache->code->rw, .end = 8192, .env_base = -(int64_t)CODE_ENV_SIZE };
        x86_thunks_emit(&e);
        tmpl_sys_thunks(&e);
        if (e.full) {
            return error_set(err, "thunks do not fit");
        }
        x86_thunks.steps = ALIGN_UP(e.off, 64);
        cache->code->used = cache->code->fixed = x86_thunks.steps + STEP_SLOTS * STEP_SLOT;
        x86_saved_init(opts->cache);
    }
    return true;
}

static void ops_finish(void)
{
    x86_saved_finish();
    x86_engine.cache = NULL;
}

static bool ops_init_cpu(void *cpu, TcgEnv *env, Error *err)
{
    ((X86Cpu *)cpu)->engine = env;
#if defined(__x86_64__)
    if (x86_engine.native) {
        x86_native_init_cpu(cpu, env, x86_host_xsave_mask());
        ((X86Cpu *)cpu)->trace_code = calloc(TB_MAX_TRACE, sizeof(X86Insn));
        if (!((X86Cpu *)cpu)->trace_code) {
            return error_set(err, "no memory for a vCPU");
        }
        if (x86_engine.fsbase && !fsbase_code_add(codebuf_rx(cpu), x86_engine.cache->code->size,
                                                  &env->host_fs)) {
            return error_set(err, "too many vCPUs run generated code");
        }
        if (!returns_init(cpu, (uint64_t)codebuf_rx(cpu) + x86_thunks.ret_empty, err)) {
            return false;
        }
    }
#endif
    return softmmu_init(cpu, err);
}

static void ops_free_cpu(void *cpu)
{
    if (x86_env(cpu)) {
        returns_free(cpu);
        free(((X86Cpu *)cpu)->trace_code);
        softmmu_free(cpu);
    }
}

static void ops_run(void *cpu) { x86_engine_run(&((X86Cpu *)cpu)->cpu); }
static void ops_flush(void *cpu) { softmmu_flush_all(cpu); }
static void ops_protect(void *cpu, const uint8_t *page) { softmmu_protect(cpu, page); }
static void ops_forget(void *cpu, uint32_t from, uint32_t to)
{
    softmmu_jmp_forget(cpu, from, to);
    x86_env(cpu)->ret_mode = RETURNS_VOID;
    if (from == 0 && to == UINT32_MAX) { /* everything: traces are numbered anew */
        softmmu_code_map_clear(x86_env(cpu));
    }
}

static void ops_debug(void *cpu) { x86_update_hflags(cpu); }

static bool ops_signal(void *cpu, int sig, void *info, void *uc)
{
    return x86_native_signal(cpu, sig, info, uc);
}

static bool ops_sample(void *cpu, void *uc, void *sample)
{
    return x86_sample_tcg(cpu, uc, sample);
}

enum { NAMES_SHOWN = 24 };

/* The mnemonics most often left to their reference functions; rows of one name (forms of
 * an instruction) are one. */
static void ops_stats(FILE *f)
{
    struct {
        const char *name;
        uint64_t n;
    } top[NAMES_SHOWN] = { 0 };

    for (const X86RowTable *t = x86_row_tables; t->name; t++) {
        for (unsigned i = 0; i < t->count; i++) {
            const char *name = t->rows[i].name;
            uint64_t n = x86_engine.row_calls[x86_row_hash(&t->rows[i])];
            unsigned at = 0;
            while (at < NAMES_SHOWN && top[at].name && strcmp(top[at].name, name) != 0) {
                at++;
            }
            if (at < NAMES_SHOWN && top[at].name) {
                n += top[at].n;
                memmove(&top[at], &top[at + 1], (NAMES_SHOWN - 1 - at) * sizeof(top[0]));
                top[NAMES_SHOWN - 1].name = NULL;
                top[NAMES_SHOWN - 1].n = 0;
            }
            at = NAMES_SHOWN;
            while (at > 0 && top[at - 1].n < n) {
                at--;
            }
            if (at < NAMES_SHOWN) {
                memmove(&top[at + 1], &top[at], (NAMES_SHOWN - 1 - at) * sizeof(top[0]));
                top[at].name = name;
                top[at].n = n;
            }
        }
    }
    x86_saved_info(f);
    fprintf(f, "reference calls by instruction:\n");
    for (unsigned i = 0; i < NAMES_SHOWN && top[i].n; i++) {
        fprintf(f, "  %-22s %14llu\n", top[i].name, (unsigned long long)top[i].n);
    }
}

const TcgGuestOps x86_tcg_ops = {
    .env_offset = ALIGN_UP(sizeof(X86Cpu), 64),
    .init = ops_init,
    .finish = ops_finish,
    .configure = ops_change,
    .init_cpu = ops_init_cpu,
    .free_cpu = ops_free_cpu,
    .run = ops_run,
    .flush_tlb = ops_flush,
    .protect_page = ops_protect,
    .forget_code = ops_forget,
    .debug_changed = ops_debug,
    .host_signal = ops_signal,
    .sample = ops_sample,
    .stats = ops_stats,
};

/* SPDX-License-Identifier: MIT */
/* The table of the translator's counters (counters.h). */
#include "tcg/counters.h"
#include <inttypes.h>
#include "tcg/env.h"
#include "tcg/tb.h"

#define ENV(name, field, help)              \
    {                                       \
        name, offsetof(TcgEnv, field), help \
    }

const Counter tcg_env_counters[] = {
    ENV("fills user read", fill[0][0], "page walks for loads at CPL 3"),
    ENV("fills user write", fill[0][1], "page walks for stores at CPL 3"),
    ENV("fills kernel read", fill[1][0], "page walks for loads at CPL 0-2"),
    ENV("fills kernel write", fill[1][1], "page walks for stores at CPL 0-2"),
    ENV("fills AC read", fill[2][0], "page walks for loads with SMAP lifted"),
    ENV("fills AC write", fill[2][1], "page walks for stores with SMAP lifted"),
    ENV("flushes", flushes, "address spaces dropped from the TLB"),
    ENV("page flushes", page_flushes, "single pages dropped from the TLB (INVLPG)"),
    ENV("slow accesses", slow_mem, "accesses whose TLB check failed in host code"),
    ENV("windows: roots", win_stats.roots, "address spaces given windows"),
    ENV("windows: fills", win_stats.fills, "faults that mapped pages"),
    ENV("windows: pages", win_stats.pages, "pages mapped"),
    ENV("windows: resyncs", win_stats.resyncs, "flushes: mappings compared with page tables"),
    ENV("windows: dropped", win_stats.dropped, "pages unmapped"),
    ENV("windows: wiped", win_stats.wiped, "areas emptied"),
    ENV("windows: moved", win_stats.moved, "range A chosen again"),
    ENV("windows: pauses", win_stats.pauses, "times a program that touched fresh memory went without"),
    ENV("windows: given up", win_stats.given_up, "roots for which they cost too much"),
    ENV("windows: refused", win_stats.refused, "faults left to the instruction"),
    ENV("windows: wrong guesses", win_stats.wrong_guesses, "checks of the wrong range"),
    ENV("windows: fill ticks", win_stats.fill_ticks, "host TSC ticks spent mapping"),
    ENV("windows: resync ticks", win_stats.resync_ticks, "host TSC ticks spent comparing"),
    ENV("windows: user ticks", win_stats.user_ticks, "host TSC ticks of programs with windows"),
    ENV("slow: crossing loads", slow_cross, "loads over a page's end"),
    ENV("slow: crossing stores", slow_cross_store, "other accesses over a page's end"),
    ENV("slow: watched stores", slow_watch, "stores to pages with code or a dirty log"),
    ENV("slow: MMIO", slow_mmio, "accesses to devices by memory"),
    ENV("slow: groups", slow_group, "shared checks that did not hold for all accesses"),
    ENV("punts", punts, "instructions that fell to their reference function"),
    ENV("reference calls", execs, "instructions without host code, called by it"),
    ENV("single steps", steps, "instructions executed outside any block"),
    ENV("interpreted blocks", interpreted, "blocks run without host code"),
    ENV("vector registers aside", asides, "times C code ran without that"),
    ENV("vector saves", heavy, "times heavy C code pushed guest vectors out of the host"),
    ENV("chained", chains, "direct jumps patched to their target"),
    ENV("not chained", chain_refusals, "direct jumps whose target cannot be patched in"),
    ENV("hash misses", hash_misses, "indirect jumps not found by host code"),
    ENV("hash fills", hash_fills, "entries written to the hash of indirect jumps"),
    ENV("hash clears", hash_clears, "times a hash of indirect jumps was emptied"),
    ENV("guard misses", guard_misses, "jumps between pages looked up by C code"),
    ENV("traces", traces, "hot paths recorded"),
    ENV("traces: instructions", trace_insns, "of them together"),
    ENV("traces: too short", trace_short, "heads that are left as they are"),
    ENV("traces: ticks", trace_ticks, "host TSC ticks spent recording and building"),
    ENV("dispatches", dispatches, "blocks looked up by C code for host code"),
    ENV("dispatch hash hits", hash_hits, "of these, found in the hash"),
    ENV("returns to the loop", leaves, "times host code was left"),
    ENV("kicks", kicks, "signals that found the thread in host code"),
    ENV("traps", step_traps, "signals on the way from a kick to the next instruction"),
    ENV("SMC stores", smc, "stores that dropped blocks"),
    { NULL }
};
_Static_assert(TCG_NMMU == 3, "rows of the fills");

#define CACHE(name, field, help)             \
    {                                        \
        name, offsetof(TbCache, field), help \
    }

const Counter tb_cache_counters[] = {
    CACHE("blocks built", built, "translations"),
    CACHE("blocks dropped", dropped, "by stores to their code"),
    CACHE("blocks widened", widened, "made anew with entries for the jump hash and from other pages"),
    CACHE("cache flushes", flushes,
          "all blocks dropped: an engine left, or the debugger's points changed"),
    CACHE("regions evicted", evicted_regions, "parts of the cache emptied to make room"),
    CACHE("blocks evicted", evicted_blocks, "with them"),
    CACHE("eviction ticks", evict_ticks, "host TSC ticks spent on that"),
    CACHE("guest bytes", guest_bytes, "of guest code translated"),
    CACHE("host bytes", native_bytes, "of host code made, stubs included"),
    CACHE("guest instructions", native_insns, "translated to host code"),
    CACHE("translation ticks", build_ticks,
          "host TSC ticks spent building blocks, decoding included"),
    { NULL }
};

static uint64_t value(const Counter *c, const void *of)
{
    return *(const volatile uint64_t *)((const char *)of + c->off);
}

void counters_print(FILE *f, const Counter *rows, const void *const *of, unsigned n)
{
    for (const Counter *c = rows; c->name; c++) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < n; i++) {
            sum += value(c, of[i]);
        }
        fprintf(f, "  %-22s %14" PRIu64 "  %s", c->name, sum, c->help);
        for (unsigned i = 0; n > 1 && i < n; i++) {
            fprintf(f, "%s%" PRIu64, i ? " " : " [", value(c, of[i]));
        }
        fprintf(f, "%s\n", n > 1 ? "]" : "");
    }
}

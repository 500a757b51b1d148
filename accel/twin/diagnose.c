/* SPDX-License-Identifier: MIT */
/*
 * From "this stretch came out differently" to the instruction: both sides go back to the
 * stretch's start and run it again from the log, one instruction at a time, with everything
 * compared after each; if they agree then, block by block, since it may be the block that is
 * wrong and not the instruction. Machine lock, the vCPU's thread.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "accel/twin/twin_int.h"
#include "target-x86/decode.h"
#include "target-x86/mmu.h"
#include "util/alloc.h"
#include "util/disas.h"
#include "util/symbols.h"

typedef struct Again {
    Twin *t;
    unsigned i;
    TwinSide *a, *b;
    TwinStep *w;
} Again;

enum { SHORTEST_SLICE = 2 };          /* microseconds */
#define NOWHERE 0x8000000000000000ull /* no RIP */
enum { INSNS_IN_BLOCK = 2 * TB_MAX_INSNS };
enum { STEP_SAME, STEP_DIFFERS, STEP_BEYOND };

/* One step fed from the log. BEYOND: it asked for what has not happened yet, and was taken
 * back. */
static int step(Again *g, uint32_t req, bool single)
{
    Twin *t = g->t;
    uint32_t cursor = g->a->cursor;
    bool was_single = t->single;

    g->w->before = g->a->cpu[g->i]->st;
    g->w->req = req;
    g->w->single = single;
    g->w->chained = false;
    g->w->cursor = cursor;
    t->single = single;
    bool same = twin_stretch(t, g->i, req, 1, true);
    t->single = was_single;
    g->w->a = g->a->cpu[g->i]->st;
    g->w->b = g->b->cpu[g->i]->st;
    if (!same && g->a->complaint[0] && cursor == t->log.n) {
        twin_restore(t, g->i, &g->w->before, &t->step_pre);
        return STEP_BEYOND;
    }
    return same ? STEP_SAME : STEP_DIFFERS;
}

static void back(Again *g, uint32_t cursor, const X86State *st, const TwinPages *pre)
{
    twin_restore(g->t, g->i, st, pre);
    g->a->cursor = g->b->cursor = cursor;
}

/* A block again from its start to where the first side came out of it, instruction by
 * instruction. */
static int by_instruction(Again *g, uint32_t req, uint64_t end)
{
    int got = STEP_SAME;
    for (unsigned n = 0; n < INSNS_IN_BLOCK && got == STEP_SAME; n++) {
        got = step(g, n ? 0 : req, true);
        if (got == STEP_SAME) {
            twin_settle(g->t, g->i);
            if (g->a->cpu[g->i]->st.rip == end) {
                break;
            }
        }
    }
    return got;
}

/* A block differed. True: it still does with empty TLBs, and w and both sides show where;
 * false: both sides are in an equal state behind it. */
static bool judge_block(Again *g, uint32_t req, uint32_t cursor)
{
    Twin *t = g->t;
    uint64_t end = g->w->a.rip;

    back(g, cursor, &g->w->before, &t->step_pre);
    t->exactly = true; /* both are shown where they part */
    int got = step(g, req, false);
    t->exactly = false;
    bool undefined = t->undefined_used;
    if (got != STEP_DIFFERS) {
        return false;
    }
    X86State *start = xalloc_aligned(64, sizeof(X86State));
    TwinPages pre = t->step_pre;
    t->step_pre = (TwinPages){ 0 };
    *start = g->w->before;
    back(g, cursor, start, &pre);
    got = by_instruction(g, req, end);
    if (got == STEP_SAME && !undefined) { /* the translated block is wrong by itself */
        twin_settle(t, g->i);
        back(g, cursor, start, &pre);
        t->exactly = true;
        got = step(g, req, false);
        t->exactly = false;
    }
    free(start);
    free(pre.page);
    free(pre.data);
    return got == STEP_DIFFERS;
}

/* Chained once more, in shorter and shorter stretches where the log ends. True: they differ;
 * else both sides are in an equal state. */
static bool run_chained(Again *g, uint32_t req, uint64_t length)
{
    Twin *t = g->t;
    const X86State *st = &g->a->cpu[g->i]->st;
    uint64_t until = t->insns + length;
    unsigned slice = t->slice;

    back(g, 0, &t->start, &t->pre);
    while (t->slice >= SHORTEST_SLICE) {
        uint32_t cursor = g->a->cursor;
        g->w->before = *st;
        g->w->req = req;
        g->w->cursor = cursor;
        g->w->single = false;
        g->w->chained = t->chained = true;
        bool same = twin_stretch(t, g->i, req, t->max_units, true);
        t->chained = false;
        g->w->a = *st;
        g->w->b = g->b->cpu[g->i]->st;
        g->w->insns = t->insns - t->insns_before;
        if (!same && !g->a->complaint[0]) {
            t->slice = slice;
            return true;
        }
        if (same) {
            bool done = g->a->shut_down || st->halted || st->wait_sipi;
            twin_settle(t, g->i);
            if (done || (t->insns >= until && g->a->cursor == t->log.n)) {
                break;
            }
            req = 0;
        } else { /* it ran on to what has not happened yet, or off the track */
            back(g, cursor, &g->w->before, &t->step_pre);
            t->slice /= 4;
        }
    }
    t->slice = slice;
    return false;
}

/* Runs the stretch again from its start until a step differs (true) or all its events are
 * used up and its length is reached. */
static bool run_again(Again *g, uint32_t req, uint64_t length)
{
    Twin *t = g->t;
    const X86State *st = &g->a->cpu[g->i]->st;
    uint64_t until = t->insns + length;

    back(g, 0, &t->start, &t->pre);
    for (;; req = 0) {
        uint32_t cursor = g->a->cursor;
        int got = step(g, req, t->single);
        if (got == STEP_BEYOND) { /* the stretch ended within this block */
            return !t->single && by_instruction(g, req, NOWHERE) == STEP_DIFFERS;
        }
        if (got == STEP_DIFFERS && (t->single || judge_block(g, req, cursor))) {
            return true;
        }
        bool done = g->a->shut_down || st->halted || st->wait_sipi;
        twin_settle(t, g->i);
        if (done || (t->insns >= until && g->a->cursor == t->log.n)) {
            return false;
        }
    }
}

/* ---- the report ---- */

static unsigned code_at(X86Cpu *cpu, uint64_t lin, uint8_t *bytes, unsigned max)
{
    uint64_t gpa;
    unsigned n = 0;
    for (; n < max; n++) {
        const uint8_t *p = x86_debug_translate(cpu, lin + n, &gpa)
                               ? x86_phys_host(cpu, gpa, false)
                               : NULL;
        if (!p) {
            break;
        }
        bytes[n] = *p;
    }
    return n;
}

static void print_code(FILE *f, TwinSide *s, X86Cpu *cpu, const X86State *before,
                       bool single)
{
    uint8_t bytes[256];
    char name[160];
    X86State now = cpu->st;
    cpu->st = *before; /* its mode and page tables */
    x86_update_hflags(cpu);
    uint64_t pc = cpu->cpu.ops->get_pc(&cpu->cpu);
    unsigned n = code_at(cpu, pc, bytes, single ? 15 : sizeof(bytes));
    symbols_text(pc, name, sizeof(name));
    fprintf(f, "%s at %#" PRIx64 "%s%s%s:\n", single ? "instruction" : "block", pc,
            name[0] ? " (" : "", name, name[0] ? ")" : "");
    if (n) {
        disas_count(f, bytes, n, pc, cpu->cpu.ops->code_bits(&cpu->cpu), single ? 1 : 24);
    } else {
        fprintf(f, "  (not readable)\n");
    }
    cpu->st = now;
    x86_update_hflags(cpu);
}

static void print_exceptions(FILE *f, const Twin *t)
{
    for (uint32_t n = 0; n < t->nsnaps; n++) {
        if (t->snap[n].event) {
            fprintf(f, "%s raised exception %u, error code %#x, CR2 %#" PRIx64 "\n",
                    t->side[0].name, t->snap[n].vector, t->snap[n].error, t->snap[n].cr2);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        if (t->side[k].shut_down) {
            fprintf(f, "%s shut down (triple fault)\n", t->side[k].name);
        }
        if (t->side[k].complaint[0]) {
            fprintf(f, "%s: %s\n", t->side[k].name, t->side[k].complaint);
        }
    }
}

static void report(Twin *t, unsigned i, const TwinStep *w)
{
    Error err = ERROR_INIT;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    symbols_slide_by_lstar(w->before.msr.lstar);
    fprintf(f, "twin: %s and %s differ on CPU %u after %" PRIu64 " instructions\n",
            t->side[0].name, t->side[1].name, i, t->insns);
    if (w->req && t->nsnaps && t->snap[0].took) {
        fprintf(f, "an interrupt or another request was taken at this boundary\n");
    }
    print_code(f, &t->side[1], t->side[1].cpu[i], &w->before, w->single);
    if (w->chained) {
        fprintf(
            f,
            "(block by block they agree: what differs comes about between this place and "
            "where %s stopped\nwith blocks chained, %" PRIu64 " instructions later)\n",
            t->side[0].name, w->insns);
    } else if (!w->single) {
        fprintf(
            f,
            "(instruction by instruction they agree: the translated block is wrong)\n");
    }
    print_exceptions(f, t);
    twin_print_states(f, t, &w->before, &w->a, &w->b);
    twin_print_memory(f, t, &t->step_pre);
    fclose(f);
    fputs(text, stderr);
    if (w->chained) {
        fprintf(
            stderr,
            "no reproducer: where a signal stops chained blocks cannot be repeated\n");
    } else if (!t->opts->case_file || !t->opts->case_file[0]) {
        /* none is wanted */
    } else if (twin_case_write(t, i, w, text, &err)) {
        fprintf(stderr, "reproducer: %s (dyad -accel ENGINE --replay-case %s)\n",
                t->opts->case_file, t->opts->case_file);
    } else {
        warn_report("twin: no reproducer: %s", err.msg);
        error_free(&err);
    }
    free(text);
}

bool twin_diagnose(Twin *t, unsigned i, uint32_t req)
{
    Again g = { t, i, &t->side[0], &t->side[1], xalloc_aligned(64, sizeof(TwinStep)) };
    uint64_t insns = t->insns;

    t->reruns++;
    uint64_t length = insns - t->insns_before;
    bool differs = run_again(&g, req, length);
    if (!differs && t->slice) {
        differs = run_chained(&g, req, length);
        bool undefined = differs && t->undefined_used; /* the manual leaves it open */
        t->undefined += undefined;
        if (undefined ||
            (!differs && g.a->cursor != t->log.n)) { /* to the end of the log */
            differs = run_again(&g, req, length);
        }
    }
    if (differs) {
        t->insns = insns;
        report(t, i, g.w);
    } else {
        t->unlike++;
    }
    free(g.w);
    return differs;
}

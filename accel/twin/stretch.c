/* SPDX-License-Identifier: MIT */
/*
 * One stretch: the first side runs, the second follows. Machine lock, the vCPU's thread.
 *
 * The first side's boundaries are those of its blocks; the second goes instruction by
 * instruction and must come to each of them with the same registers. Status flags that the
 * manual leaves undefined are taken over from the first side, so that they do not spread.
 */
#include <stdlib.h>
#include <string.h>
#include "accel/twin/twin_int.h"
#include "target-x86/decode.h"
#include "target-x86/mmu.h"
#include "util/alloc.h"

enum {
    FOLLOW_LIMIT = 4 * TB_MAX_INSNS, /* instructions to the next boundary */
    CHAINED_LIMIT = 1 << 25,         /* if blocks were chained */
    REP_LIMIT = 1 << 24,             /* iterations of one instruction */
    PAGES_ENOUGH = 400,              /* then the stretch ends */
    SETTLE_LIMIT = 2 * TB_MAX_INSNS,
    CHAINED_SETTLE = 1 << 22,
    CHAINED_LOOKS = 1 << 17, /* full comparisons while settling */
    WALK_BITS = 0x60,        /* accessed and dirty, vol. 3, table 4-19 */
};

/* ---- pages kept ---- */

static void pages_keep(TwinPages *p, uint32_t page, const uint8_t *data)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 256;
        p->page = xrealloc(p->page, p->cap * sizeof(uint32_t));
        p->data = xrealloc(p->data, (size_t)p->cap * TLB_PAGE);
    }
    memcpy(p->data + (size_t)p->n * TLB_PAGE, data, TLB_PAGE);
    p->page[p->n++] = page;
}

const uint8_t *twin_page_before(const TwinPages *pre, uint32_t page)
{
    for (uint32_t i = 0; i < pre->n; i++) {
        if (pre->page[i] == page) {
            return pre->data + (size_t)i * TLB_PAGE;
        }
    }
    return NULL;
}

/* A log that ran over: its pages are in `seen`. */
static void complete_log(TwinSide *s)
{
    if (s->pages.n <= s->pages.max) {
        return;
    }
    uint64_t total = s->m.ram_max >> 12, n = 0;
    for (uint64_t i = 0; i < total; i++) {
        n += s->pages.seen[i];
    }
    s->pages.page = xrealloc(s->pages.page, n * sizeof(uint32_t));
    s->pages.max = s->pages.n = n;
    n = 0;
    for (uint64_t i = 0; i < total; i++) {
        if (s->pages.seen[i]) {
            s->pages.page[n++] = i;
        }
    }
}

static void empty_log(TwinSide *s, X86Cpu *cpu)
{
    complete_log(s);
    for (uint32_t i = 0; i < s->pages.n; i++) {
        s->pages.seen[s->pages.page[i]] = 0;
        s->m.dirty[s->pages.page[i]] = 0;
    }
    s->pages.n = 0;
    s->engine->end_stretch(s, cpu);
}

/* ---- the first side ---- */

/* The row at RIP, for engines that do not tell. */
static const X86Row *row_here(X86Cpu *cpu)
{
    uint64_t lin = cpu->cpu.ops->get_pc(&cpu->cpu), gpa;
    uint8_t bytes[15];
    unsigned n = 0;
    X86Insn in;

    for (; n < sizeof(bytes); n++) {
        const uint8_t *p = x86_debug_translate(cpu, lin + n, &gpa)
                               ? x86_phys_host(cpu, gpa, false)
                               : NULL;
        if (!p) {
            break;
        }
        bytes[n] = *p;
    }
    return n && x86_decode(&in, bytes, n, cpu->hflags, cpu->feat) > 0 ? in.row : NULL;
}

/* Has a unit that ended at its own start paused within a REP instruction? */
static bool paused(X86Cpu *cpu)
{
    const X86Row *row = row_here(cpu);
    return row && row->flags & (RF_REP | RF_REPZ);
}

static void run_first(Twin *t, unsigned i, uint32_t req, unsigned max_units, bool again)
{
    TwinSide *a = &t->side[0];
    X86Cpu *cpu = a->cpu[i];
    Cpu *real = t->m->cpus[i];
    unsigned room = 3 * max_units + 64; /* deliveries are boundaries too */

    if (t->max_snaps < room) {
        t->max_snaps = room;
        t->snap = xrealloc(t->snap, room * sizeof(X86Snap));
    }
    X86Units u = { .snap = t->snap,
                   .cap = room,
                   .max_units = max_units,
                   .paused = paused,
                   .request = again ? NULL : &real->request,
                   .pages = &a->pages.n,
                   .max_pages = PAGES_ENOUGH,
                   .stop = &t->end_stretch,
                   .chained = t->chained };
    twin_enter(a, cpu);
    if (x86_pending(cpu, req)) {
        cpu->cpu.sipi_vector = real->sipi_vector;
        a->engine->take(a, cpu, req);
        x86_snap(&t->snap[u.n], cpu);
        t->snap[u.n].inexact = 0;
        t->snap[u.n++].took = 1;
    }
    if (!again || !u.n) { /* run again, a request is a step of its own */
        u.chained = u.chained && twin_chain_begin(a, cpu, t->slice);
        a->engine->units(a, cpu, &u);
        if (u.chained) {
            twin_chain_end();
        }
    }
    a->engine->sync(a, cpu);
    twin_leave(a, cpu);
    t->nsnaps = u.n;
    t->units += u.units;
}

/* ---- the second side ---- */

void twin_taint(Twin *t, const X86Row *row)
{
    if (row) {
        t->undefined_used |= (row->fl_use & ~row->fl_def & t->taint) != 0;
        /* conditional definitions are in fl_use as well: they may not have happened */
        t->taint = (t->taint & ~(uint64_t)(row->fl_def & ~row->fl_use)) | row->fl_undef;
    }
}

static void one_insn(Twin *t, TwinSide *b, X86Cpu *cpu)
{
    bool tells = b->kind == TWIN_INTERP || cpu->st.event.valid;
    const X86Row *row = tells ? NULL : row_here(cpu);
    uint64_t rip = cpu->st.rip;
    const X86Row *told = b->engine->unit(b, cpu, true);
    if (!cpu->st.event.valid || cpu->st.rip != rip) {
        twin_taint(t, tells ? told : row);
    }
    t->insns++;
}

/* RF is compared only while breakpoints are on: else the engines leave it as IRET set it
 * (docs/correctness.md). */
static bool same_flags(Twin *t, TwinSide *b, X86Cpu *cpu, const X86Snap *s)
{
    uint64_t flags = s->rflags;
    uint64_t loose = FL_STATUS | (cpu->hflags & HF_DBG ? 0 : FL_RF);
    uint64_t diff = (cpu->st.rflags ^ flags) & ~(t->taint | (loose & FL_RF));
    if (likely(cpu->st.rflags == flags)) {
        return true;
    }
    if (diff & ~(uint64_t)FL_STATUS) {
        return false;
    }
    if (diff && s->inexact && !t->single && !t->opts->exact_flags) {
        diff &= ~(uint64_t)twin_dead_flags(b, cpu);
    }
    if (!diff) {
        cpu->st.rflags = (cpu->st.rflags & ~loose) | (flags & loose);
    }
    return !diff;
}

static bool matches(Twin *t, TwinSide *b, X86Cpu *cpu, const X86Snap *s)
{
    const X86State *st = &cpu->st;
    return st->rip == s->rip && st->event.valid == s->event &&
           (!s->event || (st->event.vector == s->vector && st->event.error == s->error &&
                          st->event.cr2 == s->cr2)) &&
           !memcmp(st->gpr, s->gpr, sizeof(s->gpr)) && same_flags(t, b, cpu, s);
}

bool twin_matches(TwinSide *s, X86Cpu *cpu, const X86Snap *snap)
{
    return matches(s->t, s, cpu, snap);
}

static bool follow(Twin *t, TwinSide *b, X86Cpu *cpu, const X86Snap *s)
{
    if (b->engine->follow) {
        t->insns++;
        return b->engine->follow(b, cpu, s, t->single) == FOLLOWED &&
               (matches(t, b, cpu, s) || (b->shut_down && t->side[0].shut_down));
    }
    unsigned steps = 0, reps = 0;
    unsigned limit = t->single ? 1 : t->chained ? CHAINED_LIMIT : FOLLOW_LIMIT;
    if (t->chained && matches(t, b, cpu, s)) { /* a signal at once: nothing was done */
        return true;
    }
    while (steps < limit && reps < REP_LIMIT && !b->complaint[0] && !b->shut_down) {
        uint64_t rip = cpu->st.rip;
        /* where a REP instruction may have paused: one iteration at a time */
        cpu->cpu.exit_request = s->rip == rip;
        one_insn(t, b, cpu);
        if (matches(t, b, cpu, s)) {
            return true;
        }
        if (cpu->st.rip == rip) {
            reps++;
        } else {
            steps++;
        }
    }
    return b->shut_down && t->side[0].shut_down;
}

static bool run_second(Twin *t, unsigned i, uint32_t req)
{
    TwinSide *b = &t->side[1];
    X86Cpu *cpu = b->cpu[i];
    bool ok = true;

    twin_enter(b, cpu);
    for (uint32_t n = 0; ok && n < t->nsnaps; n++) {
        const X86Snap *s = &t->snap[n];
        if (s->took) {
            cpu->cpu.sipi_vector = t->m->cpus[i]->sipi_vector;
            b->engine->take(b, cpu, req);
            ok = matches(t, b, cpu, s);
        } else {
            ok = follow(t, b, cpu, s);
        }
        t->taint = 0; /* equal now, however they came about */
    }
    cpu->cpu.exit_request = 0;
    b->engine->sync(b, cpu);
    twin_leave(b, cpu);
    return ok;
}

/* The same registers may come twice within a block (a loop that changes nothing but memory):
 * then the second side has a few instructions still to go. */
static bool catch_up(Twin *t, unsigned i)
{
    TwinSide *b = &t->side[1];
    X86Cpu *cpu = b->cpu[i];
    const X86Snap *last = &t->snap[t->nsnaps - 1];

    if (t->single || t->exactly || t->side[1].engine->follow) {
        return false;
    }
    unsigned limit = t->chained ? CHAINED_SETTLE : SETTLE_LIMIT, looks = 0;
    for (unsigned n = 0;
         n < limit && looks < CHAINED_LOOKS && !b->complaint[0] && !b->shut_down; n++) {
        cpu->cpu.exit_request = cpu->st.rip == last->rip;
        if (cpu->st.halted || cpu->st.wait_sipi || cpu->st.event.valid) {
            return false;
        }
        twin_enter(b, cpu);
        one_insn(t, b, cpu);
        b->engine->sync(b, cpu);
        twin_leave(b, cpu);
        if (!matches(t, b, cpu, last)) {
            continue;
        }
        looks++;
        if (b->cursor == (t->side[0].replay ? t->side[0].cursor : t->log.n) &&
            twin_same_state(&t->side[0].cpu[i]->st, &cpu->st) && twin_same_memory(t)) {
            cpu->cpu.exit_request = 0;
            return true;
        }
    }
    cpu->cpu.exit_request = 0;
    return false;
}

/* ---- both ---- */

static bool same_outcome(Twin *t, unsigned i, bool again)
{
    const TwinSide *a = &t->side[0], *b = &t->side[1];
    return a->shut_down == b->shut_down && !a->complaint[0] && !b->complaint[0] &&
           b->cursor == (again ? a->cursor : t->log.n) &&
           twin_same_state(&a->cpu[i]->st, &b->cpu[i]->st) && twin_same_memory(t);
}

/* What only the first side wrote: the second still has it as it was. */
static void keep_first(Twin *t, TwinPages *pre)
{
    TwinSide *a = &t->side[0];
    bool some = pre->n;
    complete_log(a);
    for (uint32_t n = 0; n < a->pages.n; n++) {
        uint32_t page = a->pages.page[n];
        if (!some || !twin_page_before(pre, page)) {
            pages_keep(pre, page, t->side[1].ram + (uint64_t)page * TLB_PAGE);
        }
    }
}

/* What only the second side wrote: the first still has it as it was. */
static void keep_second(Twin *t, TwinPages *pre)
{
    const TwinSide *a = &t->side[0];
    TwinSide *b = &t->side[1];
    complete_log(b);
    for (uint32_t n = 0; n < b->pages.n; n++) {
        uint32_t page = b->pages.page[n];
        if (!a->pages.seen[page] && !twin_page_before(pre, page)) {
            pages_keep(pre, page, a->ram + (uint64_t)page * TLB_PAGE);
        }
    }
}

/* Nothing is different but accessed and dirty bits that the first side alone has set? */
static bool only_walked(Twin *t, unsigned i, bool again)
{
    const TwinSide *a = &t->side[0], *b = &t->side[1];
    uint32_t n, *pages = twin_all_pages(t, &n);
    bool only = !a->shut_down && !b->shut_down && !a->complaint[0] && !b->complaint[0] &&
                b->cursor == (again ? a->cursor : t->log.n) &&
                twin_same_state(&a->cpu[i]->st, &b->cpu[i]->st);

    for (uint32_t k = 0; only && k < n; k++) {
        uint64_t at = (uint64_t)pages[k] * TLB_PAGE;
        for (uint64_t p = at; only && p < at + TLB_PAGE; p += 8) {
            uint64_t x, y;
            memcpy(&x, a->ram + p, 8);
            memcpy(&y, b->ram + p, 8);
            only = !((x ^ y) & ~(uint64_t)WALK_BITS) && (x & y) == y;
        }
    }
    free(pages);
    return only;
}

/*
 * A signal can make the first side leave at an access whose page walk has set those bits
 * already; it would make the access next. So both sides go through one more instruction, by
 * the same reference functions, and then have to be equal: bits that this instruction does
 * not set are a difference.
 */
static void one_more(Twin *t, unsigned i, TwinPages *pre)
{
    for (unsigned k = 0; k < 2; k++) {
        TwinSide *s = &t->side[k];
        X86Cpu *cpu = s->cpu[i];
        twin_enter(s, cpu);
        cpu->cpu.exit_request = 1; /* one iteration of a REP instruction */
        s->engine->step(s, cpu);
        cpu->cpu.exit_request = 0;
        twin_leave(s, cpu);
        if (k) {
            keep_second(t, pre);
        } else {
            keep_first(t, pre);
        }
    }
    t->insns++;
    t->walked++;
}

/* A stretch that is run again may go further than it did at first: what it writes there is
 * kept, too, so that its start can be gone back to once more. */
static void keep_more(Twin *t)
{
    for (uint32_t n = 0; n < t->step_pre.n; n++) {
        uint32_t page = t->step_pre.page[n];
        if (!twin_page_before(&t->pre, page)) {
            pages_keep(&t->pre, page, t->step_pre.data + (size_t)n * TLB_PAGE);
        }
    }
}

bool twin_stretch(Twin *t, unsigned i, uint32_t req, unsigned max_units, bool again)
{
    TwinSide *b = &t->side[1];
    TwinPages *pre = again ? &t->step_pre : &t->pre;

    t->nsnaps = 0;
    t->undefined_used = false;
    t->insns_before = t->insns;
    t->end_stretch = false;
    for (unsigned k = 0; k < 2; k++) {
        t->side[k].shut_down = false;
        t->side[k].complaint[0] = 0;
        t->side[k].replay = again || k;
    }
    if (!again) {
        twin_log_reset(&t->log);
        b->cursor = 0;
    }
    run_first(t, i, req, max_units, again);
    pre->n = 0;
    keep_first(t, pre);
    bool ok = !t->nsnaps || run_second(t, i, req);
    keep_second(t, pre);
    if (ok && !same_outcome(t, i, again)) {
        if (t->chained && b->engine->step && only_walked(t, i, again)) {
            one_more(t, i, pre);
            ok = same_outcome(t, i, again);
        } else {
            ok = t->nsnaps && catch_up(t, i) && same_outcome(t, i, again);
            keep_second(t, pre);
        }
    }
    if (again) {
        keep_more(t);
    }
    return ok;
}

void twin_run_alone(Twin *t, unsigned i, uint32_t req, unsigned max_units)
{
    t->nsnaps = 0;
    t->side[0].replay = true;
    t->end_stretch = false;
    t->side[0].complaint[0] = 0;
    run_first(t, i, req, max_units, true);
}

void twin_settle(Twin *t, unsigned i)
{
    TwinSide *a = &t->side[0];
    for (uint32_t n = 0; n < a->pages.n; n++) { /* the real machine's dirty log */
        memory_set_dirty(t->m, (uint64_t)a->pages.page[n] * TLB_PAGE, TLB_PAGE);
    }
    t->events += t->log.n;
    for (unsigned k = 0; k < 2; k++) {
        empty_log(&t->side[k], t->side[k].cpu[i]);
    }
}

/* Copies a page but for what a device may be writing at this moment. */
static void put_page(Twin *t, uint8_t *ram, uint32_t page, const uint8_t *data)
{
    uint64_t at = (uint64_t)page * TLB_PAGE;
    if (!twin_dma_overlaps(t, at, TLB_PAGE)) {
        memcpy(ram + at, data, TLB_PAGE);
        return;
    }
    for (unsigned k = 0; k < TLB_PAGE; k += 8) {
        if (!twin_dma_overlaps(t, at + k, 8)) {
            memcpy(ram + at + k, data + k, 8);
        }
    }
}

void twin_restore(Twin *t, unsigned i, const X86State *st, const TwinPages *pre)
{
    for (unsigned k = 0; k < 2; k++) {
        TwinSide *s = &t->side[k];
        X86Cpu *cpu = s->cpu[i];
        for (uint32_t n = 0; n < pre->n; n++) {
            put_page(t, s->ram, pre->page[n], pre->data + (size_t)n * TLB_PAGE);
        }
        cpu->st = *st;
        cpu->delivering = cpu->db_pending = cpu->db_delayed = 0;
        cpu->soft_rip = 0;
        cpu->end_block = 0;
        x86_update_hflags(cpu);
        for (uint32_t n = 0; n < pre->n; n++) {
            s->engine->ram_written(s, (uint64_t)pre->page[n] * TLB_PAGE, TLB_PAGE);
        }
        s->engine->replaced(s, cpu);
        empty_log(s, cpu);
        s->shut_down = false;
        s->complaint[0] = 0;
    }
}

void twin_stretch_free(Twin *t)
{
    free(t->snap);
    TwinPages *p[] = { &t->pre, &t->step_pre };
    for (unsigned k = 0; k < 2; k++) {
        free(p[k]->page);
        free(p[k]->data);
    }
    twin_log_free(&t->log);
}

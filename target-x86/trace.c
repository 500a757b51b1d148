/* SPDX-License-Identifier: MIT */
/*
 * Hot traces: their heads, and the recording. The instructions of a recording are executed
 * by their reference functions, so that it simply is what the guest did. Leaf.
 */
#include "target-x86/trace.h"
#include "hw/core/machine.h"
#include "target-x86/access.h"
#include "target-x86/decode.h"
#include "target-x86/insn.h"
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"
#include "target-x86/native.h"
#include "target-x86/saved.h"
#include "target-x86/softmmu.h"
#include "target-x86/template.h"
#include "target-x86/window_int.h"

enum {
    THRESHOLD = 3000,    /* executions */
    HOT_TIME = 8000000,  /* within so many ticks of the host's TSC (2 to 4 ms) */
    REACH = 32 * MiB,    /* from the head's page */
    SHARE = 10,          /* of the time of user code goes to traces at most, 1 in */
    GIVEN_UP_MOST = 16384, /* heads that are none; then all are asked again */
    PEEL_MOST = 250,     /* instructions of a loop whose first round is by itself */
    ROUNDS_MOST = 12,    /* of inner loops in a trace */
    LONG_LOOP = 500,     /* instructions of a loop's trace that others lead to, */
    WAY_LEAST = 16,      /* if they have so many themselves */
    WAITS_MOST = 250,    /* entries to a trace of which a page is not mapped */
    REPS = 64,           /* executions of a repeated string instruction at most */
};

int32_t x86_trace_threshold(X86Cpu *cpu)
{
    if (x86_engine.tier2 != TIER2_RANDOM) {
        return THRESHOLD;
    }
    cpu->trace_random = cpu->trace_random * 0x5851f42d4c957f2dull + 0x14057b7ef767814full;
    return cpu->trace_random >> 58;
}

static uint64_t drop_heavy(X86Cpu *cpu, void *arg)
{
    x86_saved_wrong(((const Tb *)arg)->key);
    tb_drop(x86_engine.cache, arg);
    return 0;
}

/* The block is left as it is from now on. It goes on counting until it is built again:
 * that is cheaper. */
static void give_up(const Tb *tb)
{
    if (++x86_engine.given_up >= GIVEN_UP_MOST) { /* other programs have the bits by now */
        x86_engine.given_up = 0;
        x86_keys_clear(&x86_engine.no_trace);
    }
    x86_keys_add(&x86_engine.no_trace, tb->key);
}

/* Where the memory operand of the instruction at RIP lies, as its check will see it. */
static unsigned site_of(const X86Cpu *cpu, const X86Insn *in)
{
    const uint64_t *gpr = cpu->st.gpr;
    bool vsib = x86_row_vsib(in->row); /* only its base is checked so */
    uint64_t a = 0;

    if (!in->is_mem) { /* the stack, if anything */
        a = gpr[R_SP];
    } else if (in->base == 16) {
        a = cpu->st.rip;
    } else {
        if (in->base >= 0) {
            a = gpr[in->base];
        }
        if (in->index >= 0 && !vsib) {
            a += gpr[in->index] << in->scale;
        }
        if (in->seg >= R_FS) {
            a += cpu->st.seg[in->seg].base;
        }
    }
    int k = window_range(x86_env(cpu), a);
    if (k < 0 && a < 65536 && in->base >= 0) {
        k = 0; /* NULL: no news */
    }
    if (k >= 0 && in->is_mem && in->base >= 0 && in->base < 16 && in->index < 0 &&
        in->seg >= R_FS && in->adsize == 8 &&
        window_range(x86_env(cpu), cpu->st.seg[in->seg].base) == k &&
        gpr[in->base] == (uint64_t)(int32_t)gpr[in->base]) {
        return WIN_SITE_PAIR + k;
    }
    if (k >= 0 && in->is_mem && in->base >= 0 && in->base < 16 && in->index >= 0 &&
        !vsib && in->seg < R_FS && in->adsize == 8 &&
        window_range(x86_env(cpu), gpr[in->base]) == k &&
        gpr[in->index] == (uint64_t)(int32_t)gpr[in->index]) {
        bool tiny = gpr[in->index] == (uint64_t)(int16_t)gpr[in->index];
        return (tiny ? WIN_SITE_TINY : WIN_SITE_PAIR) + k;
    }
    return k < 0 ? WIN_SITE_ANY : k ? WIN_SITE_A : WIN_SITE_B;
}

/* Notes bytes at offset off from vbase. False: too many pages. */
static bool cover(TraceRecord *r, uint64_t ram, int64_t off, unsigned len)
{
    uint64_t page = ram & ~4095ull;
    unsigned i = 0, at = ram & 4095;

    while (i < r->npages && (r->page[i].ram != page || r->page[i].off != (off & ~4095ll))) {
        i++;
    }
    if (i == ARRAY_SIZE(r->page)) {
        return false;
    }
    if (i == r->npages) {
        r->npages++;
        r->page[i].ram = page;
        r->page[i].off = off & ~4095ll;
        r->page[i].first = at;
        r->page[i].last = at;
    }
    r->page[i].first = MIN(r->page[i].first, at);
    r->page[i].last = MAX(r->page[i].last, at + len - 1);
    return true;
}

/* A direct jump backward that the record has taken twice before, after as many instructions
 * each time, or often: an inner loop, which is a trace of its own. (A function with a loop of few
 * rounds may well be called several times.) */
static bool inner_loop(const TraceRecord *r, const X86Insn *in, int64_t from, int64_t to)
{
    unsigned taken = 1, at[3] = { r->n - 1 };

    if (to > from || in->opcode == 0xff || in->opcode == 0xc3 || in->opcode == 0xc2) {
        return false;
    }
    for (unsigned i = r->n - 1; i-- > 0 && taken < ROUNDS_MOST;) {
        if (r->insn[i].off == from && r->insn[i + 1].off == to) {
            if (taken < ARRAY_SIZE(at)) {
                at[taken] = i;
            }
            taken++;
        }
    }
    return taken == ROUNDS_MOST || (taken >= 3 && at[0] - at[1] == at[1] - at[2]);
}

static void copy_insn(X86Insn *to, const X86Insn *from)
{
    const uint64_t *f = (const uint64_t *)from;
    volatile uint64_t *t = (uint64_t *)to; /* by no function of libc's */

    for (unsigned i = 0; i < sizeof(*to) / 8; i++) {
        t[i] = f[i];
    }
}

/* Has the instruction been here before, with these bytes? Then it need not be decoded. */
static bool seen_before(TraceRecord *r, int64_t off, uint64_t ram, const uint8_t *p, unsigned n)
{
    uint16_t *seen = &r->seen[off & (TRACE_SEEN - 1)];
    unsigned i = *seen - 1u;

    *seen = r->n + 1;
    if (i >= r->n || r->insn[i].off != off || r->insn[i].page != ram >> 12 ||
        r->code[i].len > n) {
        return false;
    }
    for (unsigned k = 0; k < r->code[i].len; k++) {
        if (p[k] != r->code[i].bytes[k]) {
            return false;
        }
    }
    copy_insn(&r->code[r->n], &r->code[i]);
    return true;
}

/* The instruction at RIP into the record's code, which may go on in the next page, and its RAM
 * address. False: it cannot be part of a trace. */
static bool fetch(X86Cpu *cpu, TraceRecord *r, int64_t off, uint64_t *ram)
{
    X86Insn *in = &r->code[r->n];
    uint8_t buf[16];
    unsigned n = MIN(4096 - (off & 4095), 15);
    bool large;
    if (!x86_canonical(cpu->st.rip) || !x86_canonical(cpu->st.rip + n)) {
        return false;
    }
    const uint8_t *p = softmmu_fetch(cpu, cpu->st.rip, ram, &large);

    if (!p || large || *ram >= CODE_MAP_MAX_RAM ||
        debug_low_bits(&cpu->cpu.machine->debug, *ram)) { /* perhaps a breakpoint */
        return false;
    }
    if (seen_before(r, off, *ram, p, n)) {
        return true;
    }
    int len = x86_decode(in, p, n, r->mode, cpu->feat);
    if (len == X86_DEC_MORE && n < 15) {
        uint64_t ram2;
        leaf_copy(buf, p, n);
        p = softmmu_fetch(cpu, cpu->st.rip + n, &ram2, &large);
        if (!p || large || ram2 >= CODE_MAP_MAX_RAM) {
            return false;
        }
        leaf_copy(buf + n, p, 15 - n);
        len = x86_decode(in, buf, 15, r->mode, cpu->feat);
        return len > 0 && cover(r, *ram, off, n) && cover(r, ram2, off + n, len - n);
    }
    return len > 0 && cover(r, *ram, off, len);
}

/* Executes the instruction; false: it has not been completed. */
static bool execute(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t rip = cpu->st.rip;

    for (unsigned i = 0; i < REPS; i++) {
        cpu->end_block = 0;
        x86_exec_insn(cpu, in);
        cpu->st.rip = cpu->next_rip;
        if (cpu->st.rip != rip || !(in->row->flags & RF_REP)) {
            return true;
        }
    }
    return false;
}

/* A recording that has come back to its head. An interpreter's handler occurs several times
 * in a loop of its program, a function is called from several places: what follows then is
 * another path. So the recording goes on, and the loop is closed when as much of it as tells
 * has run once more. */
typedef struct Closing {
    unsigned n, jumps;  /* of the record at the head; n 0: not there */
    unsigned same;      /* instructions that have run again */
    unsigned indirect;  /* indirect jumps and returns among them */
    bool calls;         /* there are such in the record */
} Closing;

enum { SAME_INDIRECT = 3, SAME_MOST = 200 };

static bool is_indirect(const X86Insn *in)
{
    unsigned ext = in->modrm >> 3 & 7;
    return in->row->map == MAP_1 && ((in->opcode == 0xff && (ext == 2 || ext == 4)) ||
                                     in->opcode == 0xc3 || in->opcode == 0xc2);
}

/* Before the instruction at off; last: the one before it; calls: there have been indirect
 * jumps. True: the record is a loop. */
static bool closes(TraceRecord *r, Closing *c, int64_t off, const X86Insn *last, bool calls)
{
    int64_t head = r->insn[0].off;

    if (c->n && r->insn[c->same].off != off) {
        /* a condition: it is a loop with ways out, or a function that is called from several
         * places, which seldom goes the same way */
        if (!is_indirect(last) && (!c->calls || c->indirect >= 2 || 2 * c->same >= c->n)) {
            goto close;
        }
        c->n = 0;
    }
    if (c->n) {
        c->indirect += is_indirect(last);
        if (c->same == c->n || c->indirect > SAME_INDIRECT || c->same == SAME_MOST) {
            goto close;
        }
        c->same++;
    } else if (r->n && off == head) {
        *c = (Closing){ r->n, r->jumps, 1, 0, calls };
    }
    return false;
close:
    r->n = c->n;
    r->jumps = c->jumps;
    r->end = head;
    return true;
}

/* Is there the trace of a long loop? A way out of it that goes on with the rest of the round
 * leads there again: else each such way would become a copy of the whole loop. */
static bool long_loop(uint64_t ram, uint32_t mode)
{
    const Tb *tb = tb_find(x86_engine.cache, ram, mode);

    return tb && tb->trace_at && tb_trace(tb)->loop_exit && tb->ninsns >= LONG_LOOP;
}

/* Runs from RIP on and notes what ran. May be left by a fault. */
static void record(X86Cpu *cpu, TraceRecord *r)
{
    uint64_t vbase = r->vbase = cpu->st.rip & ~4095ull, generation = x86_engine.cache->generation;
    uint32_t hflags = cpu->hflags;
    int64_t head = cpu->st.rip - vbase;
    bool joins = false, calls = false;
    Closing c = { 0 };
    const X86Insn *last = r->code;

    for (;;) {
        uint64_t ram;
        int64_t off = cpu->st.rip - vbase;
        const X86Insn *in = &r->code[r->n];
        r->end = off;
        if (closes(r, &c, off, last, calls) || r->n == TB_MAX_TRACE) {
            return;
        }
        if (!fetch(cpu, r, off, &ram) || !tmpl_trace_takes(in, r->mode)) {
            return;
        }
        if (joins && !c.n && r->n >= WAY_LEAST && off != head && long_loop(ram, r->mode)) {
            return;
        }
        if (joins) { /* a block begins here, which is to be hot beside this trace, too */
            x86_env(cpu)->hot[hot_index(ram)] = x86_trace_threshold(cpu);
            joins = false;
        }
        unsigned site = site_of(cpu, in);
        last = in;
        if (!execute(cpu, in)) {
            return;
        }
        int64_t end = cpu->st.rip - vbase;
        if (end > REACH || end < -REACH) { /* to a library: the last one's block goes there */
            return;
        }
        calls |= is_indirect(in);
        r->insn[r->n].off = off;
        r->insn[r->n].page = ram >> 12;
        r->insn[r->n++].site = site;
        r->end = end;
        if (cpu->hflags != hflags || cpu->end_block || cpu->st.int_shadow ||
            generation != x86_engine.cache->generation || x86_engine_attention(cpu)) {
            return;
        }
        if (r->end != off + in->len) {
            if (r->end != head && inner_loop(r, in, off, r->end)) {
                return;
            }
            r->jumps += r->end != head;
        } else if (!tmpl_trace_leaves(in)) {
            continue;
        }
        joins = true;
    }
}

static uint64_t build_heavy(X86Cpu *cpu, void *arg)
{
    return x86_trace_build(cpu, arg);
}

/* A loop twice: what the first round checks the second one, which repeats, need not. */
static void peel(TraceRecord *r)
{
    r->peeled = 0;
    if (r->n <= PEEL_MOST && r->mode & X86_KEY_WIN && r->n &&
        r->end == r->insn[0].off) {
        for (unsigned i = 0; i < r->n; i++) {
            r->insn[r->n + i] = r->insn[i];
            copy_insn(&r->code[r->n + i], &r->code[i]);
        }
        r->peeled = r->n;
        r->n *= 2;
    }
}

static bool too_dear(const TcgEnv *env)
{
    return x86_engine.tier2 == TIER2_ON && x86_engine.windows &&
           env->trace_ticks * SHARE > env->win_stats.user_ticks;
}

/* A program with few hot paths soon has traces of them all; one that is warm everywhere (a
 * compiler) leaves most of its traces early, and is slower with them: so many at once, and
 * then one each 25 ms. */
static bool too_many(const TcgEnv *env)
{
    enum { BURST = 512, EACH = 1 << 26 };
    WinRoot *r = env->win ? env->win->cur : NULL;

    if (x86_engine.tier2 != TIER2_ON || !r) {
        return false;
    }
    if (r->user < r->traced) { /* another program */
        r->traces = 0;
    }
    r->traced = r->user;
    return r->traces >= BURST + r->user / EACH || !++r->traces;
}

/* Counts are of the last HOT_TIME at most: what runs 3000 times in a day is not hot. A
 * script that starts programs had everything traced that each of them runs some times. */
static bool only_warm(TcgEnv *env, uint64_t now)
{
    if (x86_engine.tier2 != TIER2_ON || now - env->hot_since < HOT_TIME) {
        return false;
    }
    env->hot_since = now;
    for (unsigned i = 0; i < HOT_SIZE; i++) {
        env->hot[i] = THRESHOLD;
    }
    return true;
}

uint64_t x86_trace_hot(X86Cpu *cpu, Tb *tb)
{
    TcgEnv *env = x86_env(cpu);
    TraceRecord r;
    uint64_t ram, begun = x86_ticks();
    bool large;

    env->hot[hot_index(tb->key)] = x86_trace_threshold(cpu);
    cpu->st.rip = env->vbase + tb->region_off;
    x86_flags_from_env(cpu);
    if (cpu->hflags & X86_STEP_MASK || cpu->st.int_shadow || x86_engine_attention(cpu) ||
        !tb->valid || only_warm(env, begun) || !x86_trace_wanted(tb) || too_dear(env) ||
        !softmmu_fetch(cpu, cpu->st.rip, &ram, &large) || ram != tb->key || too_many(env)) {
        return x86_native_go_on(cpu);
    }
    r.head = tb->key;
    r.mode = tb->mode;
    r.n = r.jumps = r.npages = 0;
    r.code = cpu->trace_code;
    leaf_zero(r.seen, sizeof(r.seen));
    record(cpu, &r);
    if (x86_win_site(r.head) == WIN_SITE_MIXED) { /* a trace's way out is hot */
        x86_win_site_set(r.head, WIN_SITE_TWO);
    }
    peel(&r);
    if ((!r.jumps && !r.peeled) || r.end < -REACH || r.end > REACH) {
        env->trace_short++;
        give_up(tb);
    } else {
        env->traces++;
        env->trace_insns += r.n;
        if (!x86_aside(cpu, build_heavy, &r)) {
            give_up(tb);
        }
    }
    env->trace_ticks += x86_ticks() - begun;
    return x86_native_go_on(cpu);
}

unsigned x86_trace_here(X86Cpu *cpu, Tb *tb, uint64_t vbase)
{
    TbTrace *tr = tb_trace(tb);
    const TbTraceInsn *page = tr->insn + tr->page_at;

    if ((trace_fixed(tr) && trace_fixed(tr) != vbase) || (tr->in_b && !window_in_b(vbase))) {
        give_up(tb);
        x86_aside(cpu, drop_heavy, tb);
        return TRACE_DROPPED;
    }
    for (unsigned i = 0; i < tr->npages; i++) {
        uint64_t ram, lin = vbase + page[i].off;
        bool large;
        /* not fetched yet, perhaps never: it must not fault. A CPU may set A ahead of a
         * fetch (SDM vol. 3, 4.8); the other side of a twin does not. */
        X86WalkResult w = x86_walk(cpu, lin, X86_FETCH, cpu->mmu_idx, false);
        bool ahead = w.ok && !w.accessed && x86_engine.tapped;
        if (lin >> 47 || !w.ok || ahead || !softmmu_fetch(cpu, lin, &ram, &large) ||
            large || ram >> 12 != page[i].page) {
            if (!w.ok && !(lin >> 47) && ++tr->waits < WAITS_MOST) {
                return TRACE_WAITS;
            }
            if (!ahead && w.ok && !(lin >> 47)) {
                give_up(tb);
            }
            x86_aside(cpu, drop_heavy, tb);
            return TRACE_DROPPED;
        }
        softmmu_trace_page(cpu, lin);
    }
    tr->waits = 0;
    softmmu_trace_map_set(cpu, tr->id, vbase);
    return TRACE_HERE;
}

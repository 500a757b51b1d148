/* SPDX-License-Identifier: MIT */
/*
 * Windows (window.h): which roots have them, filling, keeping them true to the guest's
 * page tables. Leaf code, part of it in signal context (system calls: window_area.c).
 *
 * An area obeys the rules of a TLB (SDM vol. 3, 4.10): a page is mapped only after a walk
 * that set the accessed bit, writable only when the dirty bit is set, and a mapping may
 * outlive its entry until the guest invalidates it. A flush does not wipe an area:
 * mappings are compared with the page tables when the root runs next.
 */
#include "target-x86/window_int.h"
#include <sys/mman.h>
#include "hw/core/machine.h"
#include "hw/core/memory.h"
#include "target-x86/engine.h"
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"
#include "target-x86/softmmu.h"
#include "util/prefault.h"

#if defined(__x86_64__)

/* Ticks of the host's TSC (2 to 4 GHz) of user time: a root gets windows after QUIET with at
 * most QUIET_FAULTS page faults, or after PROMOTE. A page that a program touches for the first
 * time costs 10 us more with windows, and code that runs for the first time gains nothing:
 * starting python takes 33 ms without and 47 with them; but awk that is at work at once 43
 * and 20. Between reviews (review(), below) pass REVIEW and LONG_REVIEW, before a root that
 * was given up is tried again RETRY (longer each time). */
enum { QUIET = 4000000, QUIET_FAULTS = 2, PROMOTE = 100000000, REVIEW = 12000000,
       LONG_REVIEW = 400000000 };
#define RETRY 200000000ull
/* What a page costs that is dropped and comes back: two host mappings, a signal. */
enum { REDO = 40000 };
/* Accesses outside both ranges before A moves, doubled by each move up to the limit. */
enum { MISSES = 256, MISSES_MOST = MISSES << 2 };

/* Mappings of an ended program that are worth the thread's work and areas reserved anew. */
enum { BURY = 512 };

#define LARGE (2 * MiB)

static uint64_t tsc(void)
{
    return __builtin_ia32_rdtsc();
}

/* What mappings cost; no more than `most`, as the host may have run something else. */
enum { COST_MOST = 60000 };
static void charge(WinRoot *r, uint64_t begun, uint64_t most)
{
    uint64_t ticks = tsc() - begun;
    r->cost += MIN(ticks, most);
}

/* ---- mappings that go ---- */

static void wipe(WinSet *w, WinRoot *r);

/* What lies in the middle of a run goes, or gets other rights, and the host has a mapping or
 * two more. Before it refuses any, all of the root's go: they come back as they are used. */
static void thin_out(WinSet *w, WinRoot *r)
{
    if (atomic_load_explicit(&window_vmas, memory_order_relaxed) > WIN_VMAS + WIN_SLACK) {
        wipe(w, r);
    }
}

static void drop(WinSet *w, WinRoot *r, uint32_t i)
{
    WinPage *p = &r->pages[i];
    uint8_t *at = host_of(r, win_page_addr(p));

    if (at) {
        window_unmap(at, win_page_size(p));
    }
    window_forget(r, i);
    r->redo += REDO;
    w->stats->dropped++;
    thin_out(w, r);
}

/* Unmaps the pages that put_off collected, neighbours with one system call. */
static void unmap_gone(WinSet *w, WinRoot *r)
{
    uint64_t *a = w->gone;

    for (unsigned gap = w->ngone / 2; gap; gap /= 2) { /* Shell's sort */
        for (unsigned i = gap; i < w->ngone; i++) {
            uint64_t v = a[i];
            unsigned k = i;
            for (; k >= gap && a[k - gap] > v; k -= gap) {
                a[k] = a[k - gap];
            }
            a[k] = v;
        }
    }
    for (unsigned i = 0, n; i < w->ngone; i += n) {
        uint8_t *at = host_of(r, a[i]);
        for (n = 1; at && i + n < w->ngone && host_of(r, a[i + n]) == at + n * 4096ull; n++) {
        }
        if (at) {
            window_unmap(at, n * 4096ull);
        }
    }
    w->ngone = 0;
}

/* Drops a small page of the current root; unmap_gone must follow before it runs. */
static void put_off(WinSet *w, WinRoot *r, WinPage *p)
{
    if (w->ngone == WIN_GONE) {
        unmap_gone(w, r);
    }
    w->gone[w->ngone++] = win_page_addr(p);
    window_forget(r, p - r->pages);
    r->redo += REDO;
    w->stats->dropped++;
    thin_out(w, r);
}

/* A page that is compared with the page tables before the root runs again. */
static void look_later(X86Cpu *cpu, WinRoot *r, uint64_t page)
{
    if (r->npend == WIN_PEND) {
        r->stale = true;
    } else {
        r->pend[r->npend++] = page;
    }
    x86_env(cpu)->win_user = WIN_USER_ASK;
}

static void wipe(WinSet *w, WinRoot *r)
{
    if (!r->n) {
        return;
    }
    for (unsigned k = 0; k < 2; k++) {
        if (r->area[k]) {
            window_unmap(r->area[k], range_size(k));
        }
    }
    r->redo += r->n * (uint64_t)REDO / 2;
    window_forget_all(r);
    w->stats->wiped++;
}

/* A run makes two host mappings at most: itself, and what it cuts in two. */
static bool crowded(void)
{
    return atomic_load_explicit(&window_vmas, memory_order_relaxed) + 2 > WIN_VMAS;
}

/* For n more pages: those of the roots that did not run for the longest time go (they may
 * be of programs that have ended), then the root's own, which come back as they are used.
 * False: other vCPUs have them all. */
static bool make_room(WinSet *w, WinRoot *r, unsigned n)
{
    while (crowded()) {
        WinRoot *old = NULL;
        for (unsigned i = 0; i < WIN_ROOTS; i++) {
            WinRoot *o = &w->root[i];
            old = o != r && o->n && (!old || o->stamp < old->stamp) ? o : old;
        }
        if (!old) {
            break;
        }
        wipe(w, old);
    }
    if (r->n + n > WIN_PAGES || crowded()) {
        r->full |= r->cost - r->full_cost > (r->user - r->full_user) / 4;
        r->full_cost = r->cost;
        r->full_user = r->user;
        wipe(w, r);
    }
    w->crowded = crowded();
    return !w->crowded;
}

/* Maps n pages of 4 KiB from RAM offset `ram` on, or one of 2 MiB, at a guest address.
 * A run costs hardly more than one page: 17,000 ticks for a page, 600 for each more. */
static bool add(WinSet *w, WinRoot *r, uint64_t page, unsigned flags, uint64_t ram, unsigned n)
{
    uint8_t *at = host_of(r, page);
    uint64_t size = flags & WP_LARGE ? LARGE : n * 4096ull;
    int prot = PROT_READ | (flags & WP_WRITE ? PROT_WRITE : 0);

    if (!make_room(w, r, n) || !at ||
        !window_map(at, size, prot, MAP_SHARED | MAP_POPULATE, w->ram_fd, ram)) {
        return false;
    }
    window_note(r, page, flags, ram, n);
    r->npieces += flags & WP_PIECE ? n : 0;
    w->stats->pages += n;
    return true;
}

/* ---- what the guest's page tables say ---- */

typedef struct Want {
    uint64_t ram;        /* offset in the RAM file of the page */
    bool large, piece, write;
} Want;

/* May the page be mapped to be stored to? If so it is noted, before anybody can find out. */
static bool may_store(X86Cpu *cpu, uint64_t ram)
{
    uint8_t *flags = (uint8_t *)&x86_env(cpu)->page_flags[ram >> 12];

    /* it is only cleared while everybody else is out of here (tb_watch_page) */
    if (!(__atomic_load_n(flags, __ATOMIC_SEQ_CST) & TCG_PAGE_WINDOW)) {
        __atomic_fetch_or(flags, TCG_PAGE_WINDOW, __ATOMIC_SEQ_CST);
    }
    return !softmmu_watch(cpu, ram);
}

/* May all 2 MiB of RAM at this offset be one mapping? */
static bool large_ok(X86Cpu *cpu, uint64_t gpa, uint64_t ram, bool write)
{
    const TcgEnv *env = x86_env(cpu);
    const FlatRange *m = x86_phys_range(cpu, gpa);

    if (!window_within(m, gpa, LARGE) || (write && m->readonly)) {
        return false;
    }
    for (unsigned i = 0; i < LARGE / 4096; i++) {
        if (write && (env->page_flags[(ram >> 12) + i] & TCG_PAGE_CODE ||
                      !may_store(cpu, ram + i * 4096ull))) {
            return false;
        }
    }
    return true;
}

/* From a finished walk at gva; false: not to be mapped. */
static bool want(X86Cpu *cpu, const WinSet *w, const X86WalkResult *r, Want *t)
{
    uint64_t page_gpa = r->gpa & ~4095ull;
    const uint8_t *host = x86_phys_host(cpu, page_gpa, false);

    if (!host || x86_phys_host(cpu, page_gpa + 4095, false) != host + 4095 || r->pkey) {
        return false;
    }
    t->ram = (uint64_t)(host - w->ram_base);
    t->write = r->can_write && r->dirty && x86_phys_host(cpu, page_gpa, true);
    t->large = false;
    t->piece = r->page_size >= LARGE;
    if (t->piece) {
        uint64_t in = page_gpa & (LARGE - 1);
        if (t->ram >= in && large_ok(cpu, page_gpa - in, t->ram - in, t->write)) {
            t->large = true;
            t->piece = false;
            t->ram -= in;
            return true;
        }
    }
    t->write = t->write && may_store(cpu, t->ram);
    return true;
}

static unsigned flags_of(const Want *t)
{
    return (t->write ? WP_WRITE : 0) | (t->large ? WP_LARGE : 0) | (t->piece ? WP_PIECE : 0);
}

/* How many pages beside one that faulted, up (step 4096) or down, can be mapped with it:
 * the guest has touched them before, their rights are the same, and their RAM goes on. */
static unsigned run(X86Cpu *cpu, WinSet *w, WinRoot *r, uint64_t page, const Want *t,
                    int64_t step)
{
    unsigned n = 0;

    while (n < WIN_AROUND) {
        int64_t by = step * (int64_t)(n + 1);
        uint64_t next = page + by;
        if ((next ^ page) & ~(uint64_t)(LARGE - 1) || !host_of(r, next) || window_find(r, next)) {
            break;
        }
        X86WalkResult walk = x86_walk(cpu, next, X86_READ, X86_MMU_USER, false);
        Want u;
        if (!walk.ok || !walk.accessed || !want(cpu, w, &walk, &u) ||
            flags_of(&u) != flags_of(t) || u.ram != t->ram + by) {
            break;
        }
        n++;
    }
    return n;
}

/* Maps what a walk at gva has found; p: the mapping that is there, or NULL. */
static bool map_it(X86Cpu *cpu, WinSet *w, WinRoot *r, uint64_t gva, WinPage *p,
                   const Want *t)
{
    uint64_t page = gva & ~(uint64_t)((t->large ? LARGE : 4096) - 1);
    unsigned flags = flags_of(t), before = 0, n = 1;
    uint8_t *at = host_of(r, page);

    if (p && t->ram == p->ram && (p->page & ~4095ull) == page &&
        ((p->page ^ (page | flags)) & ~(uint64_t)WP_WRITE) == 0) { /* its rights change */
        int prot = PROT_READ | (t->write ? PROT_WRITE : 0);
        bool ok = p->page == (page | flags) ||
                  window_rights(at, win_page_size(p), prot);
        window_note_rights(r, p, t->write);
        if (!ok) {
            drop(w, r, p - r->pages);
        } else {
            thin_out(w, r);
        }
        return ok;
    }
    bool in_place = p && !(p->page & WP_LARGE) && !t->large;
    if (in_place) {
        window_forget(r, p - r->pages); /* the new mapping takes its place */
    } else if (p) {
        drop(w, r, p - r->pages);
    }
    for (uint32_t i = 0; t->large && i < r->n;) { /* small mappings under it go first */
        if ((win_page_addr(&r->pages[i]) ^ page) < LARGE) {
            drop(w, r, i);
        } else {
            i++;
        }
    }
    if (!t->large) {
        before = run(cpu, w, r, page, t, -4096);
        n = 1 + before + run(cpu, w, r, page, t, 4096);
    }
    bool ok = add(w, r, page - before * 4096ull, flags, t->ram - before * 4096ull, n);
    if (!ok && in_place) {
        window_unmap(at, 4096);
    }
    return ok;
}

bool window_fill(X86Cpu *cpu, uint64_t host_addr, bool write)
{
    WinSet *w = x86_env(cpu)->win;
    WinRoot *r = w ? w->cur : NULL;
    uint64_t gva = 0, begun = tsc();
    Want t;

    if (!r || !r->on || r->stale) {
        return false;
    }
    unsigned k = 0;
    while (k < 2 && !(r->area[k] && host_addr - (uint64_t)r->area[k] < range_size(k))) {
        k++;
    }
    if (k == 2) {
        return false;
    }
    gva = range_start(r, k) + (host_addr - (uint64_t)r->area[k]);
    WinPage *p = window_find(r, gva);
    if (p && (!write || p->page & WP_WRITE)) {
        w->stats->refused++;
        return false; /* it is there: the fault has another reason */
    }
    X86WalkResult walk =
        x86_walk(cpu, gva, write ? X86_WRITE : X86_READ, X86_MMU_USER, true);
    if (write && walk.ok) {
        softmmu_log_store(cpu, walk.gpa);
    }
    if (!walk.ok || !want(cpu, w, &walk, &t) || (write && !t.write)) {
        w->stats->refused++;
        if (!walk.ok) {
            look_later(cpu, r, gva & ~4095ull); /* when the guest has served its fault */
        }
        charge(r, begun, COST_MOST);
        return false;
    }
    prefault_hush();
    bool ok = map_it(cpu, w, r, gva, p, &t);
    w->stats->fills++;
    w->stats->fill_ticks += tsc() - begun;
    charge(r, begun, COST_MOST);
    return ok;
}

/* Registers of generated code that depend on the root. */
static void use(X86Cpu *cpu, WinSet *w)
{
    TcgEnv *env = x86_env(cpu);
    WinRoot *r = w->cur;

    cpu->win_on = window_active(r);
    if (!cpu->win_on) {
        return;
    }
    env->win_a = r->a_index;
    env->win_delta[0] = (uint64_t)r->area[0] - range_start(r, 0);
    /* one without an index would not be canonical, which WRFSBASE does not take */
    env->win_delta[1] = r->area[1] && r->a_index != WIN_A_NONE
                            ? (uint64_t)r->area[1] - range_start(r, 1)
                            : 0;
    env->win_fs = env->win_delta[1];
    __asm__ volatile("wrgsbase %0" : : "r"(env->win_delta[0]));
}

static void forget_a(WinSet *w, WinRoot *r)
{
    if (!r->area[1]) {
        return;
    }
    for (uint32_t i = 0; i < r->n;) {
        if (win_page_addr(&r->pages[i]) >> WIN_A_SHIFT == r->a_index) {
            window_forget(r, i);
        } else {
            i++;
        }
    }
    window_unmap(r->area[1], range_size(1));
    r->a_index = WIN_A_NONE;
}

static bool same(const WinPage *a, const WinPage *b)
{
    return a->page == b->page && a->ram == b->ram;
}

/* Makes the mapping of a page (p; NULL: there is none) what the page tables say now. A page
 * that has another frame or other rights gets them at once: it costs half of what dropping
 * it and a fault would. */
static void look(X86Cpu *cpu, WinSet *w, WinRoot *r, uint64_t page, WinPage *p)
{
    X86WalkResult walk = x86_walk(cpu, page, X86_READ, X86_MMU_USER, false);
    Want t;

    if (walk.ok && walk.accessed && want(cpu, w, &walk, &t) &&
        (!p || t.large == (bool)(p->page & WP_LARGE))) {
        if (!p || t.ram != p->ram || (flags_of(&t) ^ p->page) & (WP_PIECE | WP_WRITE)) {
            r->redo += p ? REDO / 2 : 0;
            map_it(cpu, w, r, page, p, &t);
        }
    } else if (p && p->page & WP_LARGE) {
        drop(w, r, p - r->pages);
    } else if (p) {
        put_off(w, r, p);
    }
}

/* The pages that look_later noted. */
static void look_now(X86Cpu *cpu, WinSet *w, WinRoot *r)
{
    uint64_t begun = tsc();

    for (unsigned i = 0; i < r->npend; i++) {
        if (host_of(r, r->pend[i])) {
            look(cpu, w, r, r->pend[i], window_find(r, r->pend[i]));
        }
    }
    r->npend = 0;
    unmap_gone(w, r);
    charge(r, begun, COST_MOST);
}

/* Brings the current root's mappings up to date with the page tables. */
static void resync(X86Cpu *cpu, WinSet *w, WinRoot *r)
{
    uint64_t begun = tsc();
    unsigned before = r->n, bad = 0;

    bool quick = window_same_begin(cpu, w);

    w->stats->resyncs++;
    for (uint32_t i = 0;;) {
        i = quick ? window_same(&w->same, r, i) : i;
        if (i >= r->n) {
            break;
        }
        uint64_t page = win_page_addr(&r->pages[i]);
        WinPage was = r->pages[i];
        look(cpu, w, r, page, &r->pages[i]);
        if (i < r->n && same(&was, &r->pages[i])) {
            i++;
            continue;
        }
        if (++bad > 64 && bad > before / 2) { /* another program, or a fork */
            wipe(w, r);
            forget_a(w, r);
            use(cpu, w);
            break;
        }
    }
    unmap_gone(w, r);
    r->pcid = cpu->st.cr4 & CR4_PCIDE ? cpu->st.cr3 & 0xfff : 0;
    r->stale = false;
    r->losses += bad != 0;
    w->stats->resync_ticks += tsc() - begun;
    charge(r, begun, COST_MOST + before * 1000ull);
}

/* Range A becomes the stretch around an address. */
static void choose_a(X86Cpu *cpu, WinSet *w, WinRoot *r, uint64_t addr)
{
    if (window_reserve(r, 1)) {
        r->a_index = addr >> WIN_A_SHIFT;
        use(cpu, w);
    }
}

void window_seen(X86Cpu *cpu, uint64_t addr)
{
    WinSet *w = x86_env(cpu)->win;
    WinRoot *r = w->cur;

    if (r->on && in_a(addr) && r->a_index == WIN_A_NONE &&
        x86_walk(cpu, addr, X86_READ, X86_MMU_USER, false).ok) {
        choose_a(cpu, w, r, addr);
    }
}

/* Accesses that lie in neither range are many: range A goes where they are, twice at most. A
 * program whose data lies in more ranges than there are (Java's heap below 4 GiB beside
 * malloc's, V8's anywhere) moved it 24 times, and after each move guessed anew all over. */
static void move_a(X86Cpu *cpu, WinSet *w, WinRoot *r)
{
    TcgEnv *env = x86_env(cpu);
    uint64_t addr = env->win_missed;

    env->win_misses = 0;
    if (in_a(addr) && addr >> WIN_A_SHIFT != r->a_index && r->miss_limit < MISSES_MOST) {
        forget_a(w, r);
        choose_a(cpu, w, r, addr);
        r->miss_limit *= 2;
        w->stats->moved++;
    }
}

/* ---- whose is a root ----
 *
 * Linux gives the page directory of a process that has ended to one of the next. What was
 * learned of the old program (its mappings, its range A, the time it ran) is not the new
 * one's: 80 starts of python one after the other took 200 ms each before this was seen. */

/* Where the program is, if its pages are there. */
static void know(X86Cpu *cpu, WinSet *w, WinRoot *r)
{
    uint64_t rip = cpu->st.rip, sp = cpu->st.gpr[R_SP];
    X86WalkResult text = x86_walk(cpu, rip, X86_FETCH, X86_MMU_USER, false);
    X86WalkResult stack = x86_walk(cpu, sp, X86_READ, X86_MMU_USER, false);
    Want t;

    if (text.ok && stack.ok && want(cpu, w, &text, &t)) {
        r->text = rip & ~4095ull;
        r->text_ram = t.ram;
        r->stack = sp & ~4095ull;
    }
}

/* After a flush: is it still the program that know() saw? An end of the thread whose stack
 * was seen looks like another program, which costs little. */
static bool same_program(X86Cpu *cpu, WinSet *w, const WinRoot *r)
{
    X86WalkResult text = x86_walk(cpu, r->text, X86_FETCH, X86_MMU_USER, false);
    Want t;

    return text.ok && want(cpu, w, &text, &t) && t.ram == r->text_ram &&
           x86_walk(cpu, r->stack, X86_READ, X86_MMU_USER, false).ok;
}

static void begin_program(WinRoot *r)
{
    r->user = r->cost = r->wait = r->asked = r->fault_user = 0;
    r->paused = r->full = false;
    r->full_cost = r->full_user = 0;
    r->faults = 0;
    r->retry = RETRY;
    r->text = 0;
}

/* Another program has the root. Its areas stay reserved: it may soon want them. */
static void new_program(WinSet *w, WinRoot *r)
{
    wipe(w, r);
    r->a_index = WIN_A_NONE;
    r->on = false;
    begin_program(r);
}

static void start_reviews(WinRoot *r)
{
    r->check_user = r->start_user = r->user;
    r->check_redo = r->redo;
    r->check_losses = r->losses;
    r->start_cost = r->cost;
    r->strike = false;
}

static bool switch_on(X86Cpu *cpu, WinSet *w, WinRoot *r)
{
    unsigned n = 0;
    WinRoot *oldest = NULL;

    for (unsigned i = 0; i < WIN_ROOTS; i++) {
        WinRoot *o = &w->root[i];
        if (o != r && o->area[0]) {
            n++;
            if (!oldest || o->stamp < oldest->stamp) {
                oldest = o;
            }
        }
    }
    if (n + 1 >= w->max_on && oldest) {
        window_release(oldest);
        oldest = NULL;
    }
    if (!r->pages) {
        r->pages = window_memory(WIN_PAGES * sizeof(*r->pages) + WIN_BUCKETS * sizeof(*r->bucket));
        if (!r->pages) {
            return false;
        }
        r->bucket = (uint32_t *)(r->pages + WIN_PAGES);
    }
    window_forget_all(r);
    r->npend = 0;
    bool room = r->area[0] || window_claim();
    if (!room && oldest) {
        window_release(oldest);
        room = window_claim();
    }
    if (!room) {
        return false;
    }
    if (!window_reserve(r, 0)) {
        atomic_fetch_sub(&window_space, WIN_ROOT_SPACE);
        return false;
    }
    r->on = true;
    r->miss_limit = MISSES;
    if (in_a(cpu->st.rip)) {
        choose_a(cpu, w, r, cpu->st.rip);
    }
    r->stale = false;
    r->pcid = cpu->st.cr4 & CR4_PCIDE ? cpu->st.cr3 & 0xfff : 0;
    start_reviews(r);
    w->stats->roots++;
    return true;
}

/* Is the program done with starting? */
static bool settled(WinRoot *r)
{
    if (r->user - r->asked < QUIET) {
        return false;
    }
    bool quiet = r->faults <= QUIET_FAULTS;
    r->asked = r->user;
    r->faults = 0;
    return quiet || r->user >= r->wait + PROMOTE;
}

/* The soft TLB again, for longer each time. */
static void give_up(WinSet *w, WinRoot *r)
{
    wipe(w, r);
    r->on = false;
    r->wait = r->user + r->retry;
    r->retry *= 2;
    w->stats->given_up++;
}

/* Do the mappings cost more than they can save? Without windows the program would take
 * between a third longer and twice as long. A program that forks, or unmaps and maps, pays
 * for the same pages again and again: that is seen soon (but an exec, too, loses all pages,
 * once, and a program may do it for a moment). One that starts touches its memory for the
 * first time, which is over some day: that gets longer. */
static void review(WinSet *w, WinRoot *r)
{
    uint64_t user = r->user - r->check_user, redo = r->redo - r->check_redo;

    if (w->crowded || r->full) {
        r->retry = r->full ? MAX(r->retry, 16 * RETRY) : r->retry;
        w->crowded = r->full = false;
        give_up(w, r);
        return;
    }
    if (user < REVIEW || w->policy == WIN_ALWAYS) {
        return;
    }
    bool bad = redo > user / 4 && r->losses - r->check_losses >= 4;
    bool dear = bad && (r->strike || redo > user / 4 * 3);
    r->strike = bad;
    r->check_user = r->user;
    r->check_redo = r->redo;
    r->check_losses = r->losses;
    if (r->user - r->start_user >= LONG_REVIEW) {
        uint64_t cost = r->cost - r->start_cost, all = r->user - r->start_user;
        dear |= cost > (all - MIN(cost, all)) / 4 * 3; /* user time contains the cost */
        r->start_user = r->user;
        r->start_cost = r->cost;
    }
    if (dear) {
        give_up(w, r);
    }
}

void window_transition(X86Cpu *cpu, bool user)
{
    WinSet *w = x86_env(cpu)->win;

    if (!w) {
        return;
    }
    if (!w->cur) {
        window_switch(cpu, cpu->st.cr3, true);
    }
    WinRoot *r = w->cur;
    if (user && r->root != (cpu->st.cr3 & 0xffffffffff000ull)) { /* loaded, not switched to */
        window_switch(cpu, cpu->st.cr3, true);
        r = w->cur;
    }
    if (!user) {
        if (w->in_user) {
            uint64_t ticks = tsc() - w->since;
            r->user += ticks;
            r->faults += cpu->user_faults - w->faults;
            w->stats->user_ticks += window_active(r) ? ticks : 0;
            window_pace(w, r, cpu->user_faults != w->faults);
            w->in_user = false;
        }
        x86_env(cpu)->win_fs = 0;
        return;
    }
    bool was = r->on;
    if (r->stale && r->text && !same_program(cpu, w, r)) {
        new_program(w, r);
    }
    if (!r->text) {
        know(cpu, w, r);
    }
    r->stale &= r->on;
    if (r->on) {
        review(w, r);
    } else if (cpu->st.cr0 & CR0_PG && r->user >= r->wait &&
               (w->policy == WIN_ALWAYS || settled(r)) && !switch_on(cpu, w, r)) {
        r->wait = r->user + RETRY; /* no address space for it: the soft TLB until then */
    }
    if (window_active(r) && r->stale) {
        resync(cpu, w, r);
    }
    if (window_active(r) && r->npend) {
        look_now(cpu, w, r);
    }
    bool missed = r->on && x86_env(cpu)->win_misses > r->miss_limit;
    if (missed && x86_env(cpu)->win_missed >> 47 && w->policy != WIN_ALWAYS) {
        x86_env(cpu)->win_misses = 0; /* a kernel at CPL 3, as Xen's guests have it */
        give_up(w, r);
    } else if (r->on && r->a_index == WIN_A_NONE) {
        window_seen(cpu, cpu->st.rip);
        window_seen(cpu, x86_env(cpu)->win_missed);
    } else if (missed) {
        move_a(cpu, w, r);
    }
    if (r->on != was || window_active(r) != (bool)cpu->win_on) {
        use(cpu, w);
    }
    window_pace_watch(cpu, w);
    /* a block that uses it may go on although windows have just been given up */
    x86_env(cpu)->win_fs = was || r->on ? x86_env(cpu)->win_delta[1] : 0;
    if (!w->in_user) {
        w->in_user = true;
        w->since = tsc();
        w->faults = cpu->user_faults;
    }
}

void window_switch(X86Cpu *cpu, uint64_t cr3, bool flush)
{
    WinSet *w = x86_env(cpu)->win;
    uint64_t root = cr3 & 0xffffffffff000ull;
    WinRoot *r = NULL, *old = NULL;
    uint32_t pcid = cpu->st.cr4 & CR4_PCIDE ? cr3 & 0xfff : 0;

    if (!w) {
        return;
    }
    if (w->in_user) { /* a task switch at CPL 3: not timed */
        w->in_user = false;
    }
    for (unsigned i = 0; i < WIN_ROOTS && !r; i++) {
        WinRoot *o = &w->root[i];
        if (o->used && o->root == root) {
            r = o;
        } else if (!old || (old->used && (!o->used || o->stamp < old->stamp))) {
            old = o;
        }
    }
    if (!r) {
        r = old;
        window_release(r);
        r->root = root;
        r->used = true;
        begin_program(r);
        r->pcid = pcid;
    }
    if (w->cur && w->cur != r && w->cur->vmas >= BURY && window_ended(cpu, w->cur)) {
        window_bury(w->cur);
    }
    r->stamp = ++w->stamp;
    r->stale |= flush || r->pcid != pcid;
    w->cur = r;
    use(cpu, w);
}

void window_flush(X86Cpu *cpu)
{
    WinSet *w = x86_env(cpu)->win;
    if (w && w->cur) {
        w->cur->stale = true;
        x86_env(cpu)->win_user = WIN_USER_ASK;
    }
}

void window_flush_pcid(X86Cpu *cpu, uint16_t pcid)
{
    WinSet *w = x86_env(cpu)->win;
    for (unsigned i = 0; w && i < WIN_ROOTS; i++) {
        w->root[i].stale |= w->root[i].pcid == pcid;
    }
    x86_env(cpu)->win_user = WIN_USER_ASK;
}

void window_flush_all(X86Cpu *cpu)
{
    WinSet *w = x86_env(cpu)->win;
    for (unsigned i = 0; w && i < WIN_ROOTS; i++) {
        w->root[i].stale = true;
    }
    x86_env(cpu)->win_user = WIN_USER_ASK;
}

void window_flush_page(X86Cpu *cpu, uint64_t lin)
{
    WinSet *w = x86_env(cpu)->win;
    for (unsigned i = 0; w && i < WIN_ROOTS; i++) {
        WinRoot *r = &w->root[i];
        WinPage *p = r->n ? window_find(r, lin) : NULL;
        if (p) {
            look_later(cpu, r, win_page_addr(p));
        }
        for (uint32_t k = 0; r->npieces && k < r->n; k++) {
            p = &r->pages[k];
            if (p->page & WP_PIECE && (win_page_addr(p) ^ lin) < LARGE) {
                look_later(cpu, r, win_page_addr(p));
            }
        }
    }
}

void window_protect(X86Cpu *cpu, const uint8_t *host_page)
{
    WinSet *w = x86_env(cpu)->win;
    uint64_t ram = w ? (uint64_t)(host_page - w->ram_base) : 0;

    if (!w || !(x86_env(cpu)->page_flags[ram >> 12] & TCG_PAGE_WINDOW)) {
        return; /* a look at all mappings takes 10 us */
    }
    for (unsigned i = 0; i < WIN_ROOTS; i++) {
        WinRoot *r = &w->root[i];
        for (uint32_t k = 0; k < r->n;) {
            WinPage *p = &r->pages[k];
            bool hit = p->page & WP_WRITE && ram - p->ram < win_page_size(p);
            if (hit && window_ended(cpu, r)) {
                /* its pages become others' text one by one, 19 us each */
                if (r->vmas >= BURY) {
                    window_bury(r);
                } else {
                    wipe(w, r);
                }
                break;
            }
            if (hit && !(p->page & WP_LARGE) &&
                window_rights(host_of(r, win_page_addr(p)), 4096, PROT_READ)) {
                window_note_rights(r, p, false);
                thin_out(w, r);
            } else if (hit) {
                drop(w, r, k);
                continue;
            }
            k++;
        }
    }
}

void window_drop_all(X86Cpu *cpu)
{
    WinSet *w = x86_env(cpu)->win;
    for (unsigned i = 0; w && i < WIN_ROOTS; i++) {
        wipe(w, &w->root[i]);
    }
}

#endif

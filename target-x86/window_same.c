/* SPDX-License-Identifier: MIT */
/*
 * Which mappings of windows are still what the guest's page tables say: 4-level paging
 * (SDM vol. 3, 4.5), 4 KiB and 2 MiB pages. The entries above a page table are looked at once
 * for all its pages; of a page its own entry is left, a frame and what watches it: 22 ticks of
 * the TSC where a walk from the root for each page took about 160 (docs/windows.md).
 *
 * Says "the same" only where look() (window.c) would change nothing. In doubt (other paging
 * modes, protection keys in use, pieces of large pages, tables that are not RAM) it says nothing,
 * and look() decides. Entries are read once, with one load each, because other vCPUs write
 * to them; one that changes behind a look is invalidated by the guest later (4.10.4.2). Leaf.
 */
#include "target-x86/window_int.h"
#include "hw/core/machine.h"
#include "hw/core/memory.h"
#include "target-x86/mmu.h"
#include "target-x86/pte.h"
#include "target-x86/softmmu.h"

#if defined(__x86_64__)

#define LARGE (2 * MiB)
/* A page that user code may read and has read (4.6, 4.8), at every level. */
#define MUST ((uint64_t)(PTE_P | PTE_U | PTE_A))
/* Of a page that it may store to without another walk. */
#define STORE ((uint64_t)(PTE_W | PTE_D))
#define PTE_PKEY (15ull << 59)           /* leaves (4.6.2); ignored above them */
#define PTE_LARGE_RESERVED 0x1fe000ull   /* bits 20:13 of a 2 MiB page's entry (table 4-18) */

bool window_same_begin(X86Cpu *cpu, WinSet *w)
{
    const X86State *st = &cpu->st;
    WinSame *s = &w->same;
    bool keys = st->cr4 & CR4_PKE;

    if (!(st->cr0 & CR0_PG && st->cr4 & CR4_PAE && st->efer & EFER_LMA) ||
        st->cr4 & CR4_LA57 || (keys && st->pkru & 3)) {
        return false;
    }
    s->cpu = cpu;
    s->ram_base = w->ram_base;
    s->upper = MUST | x86_phys_reserved(cpu) | (st->efer & EFER_NXE ? 0 : PTE_NX);
    s->leaf = s->upper | (keys ? PTE_PKEY : 0); /* windows hold pages with key 0 alone */
    s->ram = NULL;
    for (unsigned i = 0; i < WIN_PIECES; i++) {
        s->piece[i].at = ~0ull;
    }
    return true;
}

bool window_within(const FlatRange *m, uint64_t gpa, uint64_t n)
{
    return m && m->host && gpa >= m->start && gpa <= m->last && m->last - gpa >= n - 1;
}

static const volatile uint64_t *table_at(X86Cpu *cpu, uint64_t gpa)
{
    const FlatRange *m = x86_phys_range(cpu, gpa);
    return window_within(m, gpa, 4096) ? (const volatile uint64_t *)(m->host + (gpa - m->start)) : NULL;
}

/* Looks at the entries above a piece's page table. */
static void enter(const WinSame *s, WinPiece *t, uint64_t gva)
{
    uint64_t at = s->cpu->st.cr3 & PTE_ADDR & ~x86_phys_reserved(s->cpu);

    t->at = gva / LARGE;
    t->table = NULL;
    t->large = 0;
    t->write = true;
    for (unsigned level = 4; level > 1; level--) {
        const volatile uint64_t *table = table_at(s->cpu, at);
        uint64_t e = table ? table[gva >> (3 + 9 * level) & 511] : 0;
        if (level == 2 && e & PTE_PS) {
            t->large = e;
            return;
        }
        if ((e & s->upper) != MUST || e & PTE_PS) {
            return;
        }
        t->write &= (e & PTE_W) != 0;
        at = e & PTE_ADDR;
    }
    t->table = table_at(s->cpu, at);
}

/* Does a leaf entry of n bytes lead to the page's RAM, with rights to read it? If so, *store:
 * as far as the guest goes, it may be stored to. */
static bool leads(WinSame *s, const WinPage *p, uint64_t e, uint64_t n, bool *store)
{
    uint64_t gpa = e & PTE_ADDR & ~(n - 1);

    if ((e & s->leaf) != MUST) {
        return false;
    }
    if (!window_within(s->ram, gpa, n)) {
        s->ram = x86_phys_range(s->cpu, gpa);
        if (!window_within(s->ram, gpa, n)) {
            return false;
        }
    }
    *store = (e & STORE) == STORE && !s->ram->readonly;
    return (uint64_t)(s->ram->host + (gpa - s->ram->start) - s->ram_base) == p->ram;
}

static bool same_small(WinSame *s, const WinPiece *t, const WinPage *p)
{
    const Machine *m = s->cpu->cpu.machine;
    uint64_t n = p->ram >> 12;
    bool store;

    if (!leads(s, p, t->table[p->page >> 12 & 511], 4096, &store)) {
        return false;
    }
    if (!(store && t->write)) {
        return !(p->page & WP_WRITE);
    }
    uint8_t flags = x86_env(s->cpu)->page_flags[n];
    if (flags & TCG_PAGE_CODE || m->ram_log[n] & ~m->dirty[n]) {
        return !(p->page & WP_WRITE);
    }
    return p->page & WP_WRITE && flags & TCG_PAGE_WINDOW && flags & TCG_PAGE_STORED;
}

/* Bytes of a table by RAM page, eight at a time. */
static uint64_t eight(const _Atomic uint8_t *table, uint64_t page)
{
    typedef uint64_t __attribute__((may_alias)) Eight;
    return *(const volatile Eight *)(table + page);
}

/* A large mapping is writable as a whole, or goes: look() maps such a page in pieces. */
static bool same_large(WinSame *s, const WinPiece *t, const WinPage *p)
{
    const uint64_t ones = 0x0101010101010101ull;
    const Machine *m = s->cpu->cpu.machine;
    const TcgEnv *env = x86_env(s->cpu);
    uint64_t n = p->ram >> 12, bad = 0;
    bool store;

    if (t->large & PTE_LARGE_RESERVED || !leads(s, p, t->large, LARGE, &store)) {
        return false;
    }
    store = store && t->write;
    if (store != (bool)(p->page & WP_WRITE)) {
        return false;
    }
    for (unsigned i = 0; store && i < LARGE / 4096; i += 8) {
        uint64_t flags = eight(env->page_flags, n + i);
        bad |= (flags & TCG_PAGE_CODE * ones) |
               (~flags & (TCG_PAGE_WINDOW | TCG_PAGE_STORED) * ones) |
               (eight(m->ram_log, n + i) & ~eight(m->dirty, n + i));
    }
    return !bad;
}

uint32_t window_same(WinSame *s, const WinRoot *r, uint32_t i)
{
    for (; i < r->n; i++) {
        const WinPage *p = &r->pages[i];
        WinPiece *t = &s->piece[p->page / LARGE % WIN_PIECES];
        if (t->at != p->page / LARGE) {
            enter(s, t, p->page);
        }
        bool same = p->page & WP_LARGE   ? t->large && same_large(s, t, p)
                    : p->page & WP_PIECE ? false
                                         : t->table && same_small(s, t, p);
        if (!same) {
            break;
        }
    }
    return i;
}

#endif

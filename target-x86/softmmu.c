/* SPDX-License-Identifier: MIT */
/*
 * The soft TLB: tables by address space and privilege, filled from the page-table walk
 * (mmu.c), flushed by MOV CR3, INVLPG and friends (SDM vol. 3, 4.10). Leaf but for
 * softmmu_init/free. The vCPU's own thread.
 *
 * Address spaces are told apart by PCID: the last SLOTS of them keep their tables, so a
 * no-flush MOV CR3 only switches pointers. Kernel translations with SMAP in force live in
 * one table for all address spaces; the ones that are not global are listed and dropped at
 * each MOV CR3. Dropping more than the architecture asks for is always allowed.
 */
#include "target-x86/softmmu_int.h"
#include "hw/core/machine.h"
#include "target-x86/access.h"
#include "target-x86/engine.h"
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"
#include "target-x86/window.h"
#include "tcg/codebuf.h"
#include "util/prefault.h"

/* ---- clearing ---- */

static void fill_words(uint64_t *p, uint64_t v, size_t n)
{
#if defined(__x86_64__)
    __asm__ volatile("rep stosq" : "+D"(p), "+c"(n) : "a"(v) : "memory");
#else
    while (n--) {
        *(volatile uint64_t *)p++ = v;
    }
#endif
}

/* Of a host page in TlbTable.by_host. */
static unsigned host_hash(uint64_t host)
{
    return host >> TLB_PAGE_BITS & (TLB_SIZE - 1);
}

static void table_clear(TlbTable *t)
{
    if (t->nfilled <= TLB_FILLED_MAX) {
        for (unsigned i = 0; i < t->nfilled; i++) {
            TlbEntry *e = &t->e[t->filled[i]];
            t->by_host[host_hash(e->host)] = 0;
            e->tag = e->host = TLB_EMPTY;
        }
    } else {
        fill_words(&t->e[0].tag, TLB_EMPTY, TLB_SIZE * 2);
        fill_words((uint64_t *)t->by_host, 0, sizeof(t->by_host) / 8);
    }
    t->nfilled = 0;
    t->huge = 0;
    fill_words(t->large, 0, TLB_LARGE_WORDS);
}

/* Of lin's 2 MiB region in TlbTable.large. */
static unsigned large_bit(uint64_t lin)
{
    return (lin >> 21) * 0x9e3779b97f4a7c15 >> 55;
}

static void table_set(TlbTable *t, uint64_t page, uint8_t *host_page, uint64_t page_size,
                      bool write)
{
    unsigned i = (page >> TLB_PAGE_BITS) & (TLB_SIZE - 1);
    if (write) {
        uint16_t *by = &t->by_host[host_hash((uint64_t)host_page)];
        *by = !*by || *by == i + 1 ? i + 1 : TLB_SEVERAL;
    }
    t->e[i].host = (uint64_t)host_page;
    t->e[i].tag = -page;
    if (page_size > 2 * MiB) {
        t->huge |= 1ull << (page >> 30 & 63);
    } else if (page_size > TLB_PAGE) {
        t->large[large_bit(page) / 64] |= 1ull << large_bit(page) % 64;
    }
    if (t->nfilled < TLB_FILLED_MAX) {
        t->filled[t->nfilled] = i;
    }
    t->nfilled += t->nfilled <= TLB_FILLED_MAX;
}

static void table_drop(TlbTable *t, uint64_t page)
{
    TlbEntry *e = tlb_entry(t, page);
    if (e->tag == -page) {
        e->tag = e->host = TLB_EMPTY;
    }
}

/* Whatever may be a piece of lin's large page: of its 1 GiB region, or of its 2 MiB region,
 * whose pieces lie side by side. */
static void table_drop_large(TlbTable *t, uint64_t lin)
{
    if (t->huge >> (lin >> 30 & 63) & 1) {
        for (unsigned i = 0; i < TLB_SIZE; i++) {
            if ((-t->e[i].tag ^ lin) >> 30 == 0) {
                t->e[i].tag = t->e[i].host = TLB_EMPTY;
            }
        }
    } else if (t->large[large_bit(lin) / 64] >> large_bit(lin) % 64 & 1) {
        TlbEntry *e = tlb_entry(t, lin & ~(uint64_t)(2 * MiB - 1));
        for (unsigned i = 0; i < MIN(TLB_SIZE, 2 * MiB / TLB_PAGE); i++) {
            if ((-e[i].tag ^ lin) >> 21 == 0) {
                e[i].tag = e[i].host = TLB_EMPTY;
            }
        }
    }
}

void softmmu_jmp_clear(TcgEnv *env, JmpTable *j)
{
    env->hash_clears++;
    if (j->nfilled <= JMP_FILLED_MAX) {
        for (unsigned i = 0; i < j->nfilled; i++) {
            j->e[j->filled[i]].pc = JMP_EMPTY;
            j->e[j->filled[i]].host = (uint64_t)env->jmp_miss;
        }
    } else {
        for (unsigned i = 0; i < JMP_SIZE; i++) {
            *(volatile uint64_t *)&j->e[i].pc = JMP_EMPTY;
            *(volatile uint64_t *)&j->e[i].host = (uint64_t)env->jmp_miss;
        }
    }
    j->nfilled = 0;
    fill_words(j->pages, 0, ARRAY_SIZE(j->pages));
}

/* Maps of user code pages and of traces: their filled entries are listed. */
static void map_clear(uint64_t *map, unsigned size, TcgList *l)
{
    if (l->n <= TCG_LISTED) {
        for (unsigned i = 0; i < l->n; i++) {
            map[l->filled[i]] = CODE_MAP_EMPTY;
        }
    } else {
        fill_words(map, CODE_MAP_EMPTY, size);
    }
    l->n = 0;
}

static void map_set(uint64_t *map, unsigned i, uint64_t v, TcgList *l)
{
    map[i] = v;
    if (l->n < TCG_LISTED) {
        l->filled[l->n] = i;
    }
    l->n += l->n <= TCG_LISTED;
}

static void code_page_set(TcgEnv *env, uint64_t lin)
{
    env->code_pages[code_page_hash(lin) / 64] |= 1ull << code_page_hash(lin) % 64;
}

void softmmu_trace_page(X86Cpu *cpu, uint64_t lin)
{
    code_page_set(x86_env(cpu), lin);
}

void softmmu_trace_map_set(X86Cpu *cpu, uint32_t id, uint64_t vbase)
{
    TcgEnv *env = x86_env(cpu);
    map_set(env->trace_map, trace_map_index(id), vbase + trace_map_tag(id),
            &env->trace_list);
}

void softmmu_code_map_clear(TcgEnv *env)
{
    if (env->code_list.n || env->trace_list.n) {
        fill_words(env->code_pages, 0, ARRAY_SIZE(env->code_pages));
    }
    map_clear(env->trace_map, TRACE_MAP_SIZE, &env->trace_list);
    map_clear(env->code_map, CODE_MAP_SIZE, &env->code_list);
}

void softmmu_code_map_set(X86Cpu *cpu, uint64_t ram_addr, uint64_t vbase)
{
    TcgEnv *env = x86_env(cpu);
    code_page_set(env, vbase);
    map_set(env->code_map, code_map_index(ram_addr), vbase + code_map_tag(ram_addr),
            &env->code_list);
}

static void code_map_drop(TcgEnv *env, uint64_t page)
{
    unsigned h = code_page_hash(page);
    if (!(env->code_pages[h / 64] >> h % 64 & 1)) {
        return; /* data, mostly */
    }
    map_clear(env->trace_map, TRACE_MAP_SIZE, &env->trace_list);
    bool listed = env->code_list.n <= TCG_LISTED;
    unsigned n = listed ? env->code_list.n : CODE_MAP_SIZE;

    for (unsigned i = 0; i < n; i++) {
        uint64_t *e = &env->code_map[listed ? env->code_list.filled[i] : i];
        if ((*e & ~(uint64_t)(TLB_PAGE - 1)) == page) {
            *e = CODE_MAP_EMPTY;
        }
    }
}

/* Empty tables in fresh memory. An address space's are made when it is first used: a guest
 * that does little shall not cost them all. */
void softmmu_table_make(TlbTable *t)
{
    for (unsigned i = 0; i < TLB_SIZE; i++) {
        *(volatile uint64_t *)&t->e[i].tag = TLB_EMPTY;
        *(volatile uint64_t *)&t->e[i].host = TLB_EMPTY;
    }
}

void softmmu_jmp_make(const TcgEnv *env, JmpTable *j)
{
    for (unsigned i = 0; i < JMP_SIZE; i++) {
        *(volatile uint64_t *)&j->e[i].pc = JMP_EMPTY;
        *(volatile uint64_t *)&j->e[i].host = (uint64_t)env->jmp_miss;
    }
}

void softmmu_slot_make(const TcgEnv *env, Slot *s)
{
    for (unsigned i = 0; i < 2; i++) {
        softmmu_table_make(s->rd[i]);
        softmmu_table_make(s->wr[i]);
    }
    softmmu_jmp_make(env, s->jmp);
    s->made = true;
}

static void slot_clear(X86Cpu *cpu, Slot *s)
{
    TcgEnv *env = x86_env(cpu);
    softmmu_code_map_clear(env);
    if (s->made) {
        for (unsigned i = 0; i < 2; i++) {
            table_clear(s->rd[i]);
            table_clear(s->wr[i]);
        }
        softmmu_jmp_clear(env, s->jmp);
    }
    s->gen = ++env->tlb_set->next_gen;
}

static void kernel_drop_nonglobal(X86Cpu *cpu)
{
    TlbSet *set = x86_env(cpu)->tlb_set;
    if (set->n_nonglobal > NG_MAX) {
        table_clear(set->kern_rd);
        table_clear(set->kern_wr);
    } else {
        for (unsigned i = 0; i < set->n_nonglobal; i++) {
            table_drop(set->kern_rd, set->nonglobal[i]);
            table_drop(set->kern_wr, set->nonglobal[i]);
        }
    }
    set->n_nonglobal = 0;
    if (set->jmp_nonglobal) {
        softmmu_jmp_clear(x86_env(cpu), set->kern_jmp);
        set->jmp_nonglobal = false;
    }
}

static void kernel_clear(X86Cpu *cpu)
{
    TlbSet *set = x86_env(cpu)->tlb_set;
    table_clear(set->kern_rd);
    table_clear(set->kern_wr);
    set->n_nonglobal = 0;
    softmmu_jmp_clear(x86_env(cpu), set->kern_jmp);
    set->jmp_nonglobal = false;
    set->global_gen = ++set->next_gen;
}

/* ---- address spaces ---- */

void softmmu_set_mode(X86Cpu *cpu)
{
    TcgEnv *env = x86_env(cpu);
    env->rd = env->tlb_rd[cpu->mmu_idx];
    env->wr = env->tlb_wr[cpu->mmu_idx];
    env->jmp = cpu->mmu_idx == X86_MMU_USER ? env->tlb_set->cur->jmp
                                            : env->tlb_set->kern_jmp;
    bool user = cpu->mmu_idx == X86_MMU_USER;
    if (unlikely(user != env->win_user)) {
        env->win_user = user;
        env->rings++;
        window_transition(cpu, user);
    }
}

void softmmu_use_slot(X86Cpu *cpu, Slot *s)
{
    TcgEnv *env = x86_env(cpu);
    TlbSet *set = env->tlb_set;

    if (set->cur != s) {
        softmmu_code_map_clear(env);
    }
    env->ret_mode = RETURNS_VOID;
    set->cur = s;
    s->stamp = ++set->stamp;
    env->tlb_rd[X86_MMU_USER] = s->rd[0];
    env->tlb_wr[X86_MMU_USER] = s->wr[0];
    env->tlb_rd[X86_MMU_KERNEL_AC] = s->rd[1];
    env->tlb_wr[X86_MMU_KERNEL_AC] = s->wr[1];
    env->tlb_rd[X86_MMU_KERNEL] = set->kern_rd;
    env->tlb_wr[X86_MMU_KERNEL] = set->kern_wr;
    softmmu_set_mode(cpu);
}

void x86_tlb_switch(X86Cpu *cpu, uint64_t new_cr3, bool flush)
{
    TcgEnv *env = x86_env(cpu);
    if (!env) {
        return;
    }
    TlbSet *set = env->tlb_set;
    uint32_t pcid = cpu->st.cr4 & CR4_PCIDE ? new_cr3 & 0xfff : 0;
    Slot *s = NULL, *old = &set->slot[0];

    for (unsigned i = 0; i < SLOTS; i++) {
        if (set->slot[i].used && set->slot[i].pcid == pcid) {
            s = &set->slot[i];
            break;
        }
        if (!set->slot[i].used || (old->used && set->slot[i].stamp < old->stamp)) {
            old = &set->slot[i];
        }
    }
    env->flushes += flush;
    env->tlb_seq += flush || !s;
    if (!s) {
        s = old;
        slot_clear(cpu, s);
        if (!s->made) {
            softmmu_slot_make(env, s);
        }
        s->used = true;
        s->pcid = pcid;
    } else if (flush) {
        slot_clear(cpu, s);
    }
    kernel_drop_nonglobal(cpu);
    window_switch(cpu, new_cr3, flush);
    softmmu_use_slot(cpu, s);
}

void x86_tlb_flush(X86Cpu *cpu, bool global)
{
    TcgEnv *env = x86_env(cpu);
    if (!env) {
        return;
    }
    env->flushes++;
    env->tlb_seq++;
    if (global) {
        softmmu_flush_all(cpu);
    } else {
        slot_clear(cpu, env->tlb_set->cur);
        kernel_drop_nonglobal(cpu);
        window_flush(cpu);
    }
}

void softmmu_large_clear(TlbSet *set)
{
    for (unsigned i = 0; i < LARGE_TLB; i++) {
        *(volatile uint64_t *)&set->large[i].region = LARGE_NONE;
    }
}

void softmmu_flush_all(X86Cpu *cpu)
{
    TlbSet *set = x86_env(cpu)->tlb_set;
    x86_env(cpu)->tlb_seq++;
    for (unsigned i = 0; i < SLOTS; i++) {
        slot_clear(cpu, &set->slot[i]);
        if (&set->slot[i] != set->cur) {
            set->slot[i].used = false;
        }
    }
    kernel_clear(cpu);
    softmmu_large_clear(set);
    set->n_code_large = 0;
    set->jmp_low = false;
    window_flush_all(cpu);
    set->last = NULL;
}

/* Has code been fetched from a large page in lin's 1 GiB region? */
static bool large_code(const TlbSet *set, uint64_t lin)
{
    if (set->n_code_large > CODE_LARGE) {
        return true;
    }
    for (unsigned i = 0; i < set->n_code_large; i++) {
        if (set->code_large[i] == lin >> 30) {
            return true;
        }
    }
    return false;
}

/* Forgets what lies in the page, or crosses into it. */
static void jmp_drop(TcgEnv *env, JmpTable *j, uint64_t page)
{
    enum { TAIL = 15 };
    /* a page has fewer addresses than the table has entries; a young table fewer entries */
    bool few = j->nfilled <= JMP_FILLED_MAX;
    unsigned n = few ? j->nfilled : TLB_PAGE + TAIL, left = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned at = few ? j->filled[i] : jmp_index(page - TAIL + i);
        JmpEntry *e = &j->e[at];
        if (e->pc - (page - TAIL) < TLB_PAGE + TAIL) {
            e->pc = JMP_EMPTY;
            e->host = (uint64_t)env->jmp_miss;
        } else if (few && e->pc != JMP_EMPTY) {
            j->filled[left++] = at;
        }
    }
    j->nfilled = few ? left : j->nfilled;
}

/* Drops the fetch translation of lin's page. True: it may be part of a large page, whose
 * 4 KiB pieces are entries of their own. */
static bool code_drop(TlbSet *set, uint64_t lin)
{
    uint64_t page = lin & ~(uint64_t)(TLB_PAGE - 1);

    for (unsigned k = 0; k < 2; k++) {
        CodeEntry *c = &set->code[k][(page >> 12) % CODE_TLB];
        if (c->page == page) {
            c->page = ~0ull;
        }
    }
    return large_code(set, lin);
}

void x86_tlb_flush_page(X86Cpu *cpu, uint64_t lin)
{
    TcgEnv *env = x86_env(cpu);
    if (!env) {
        return;
    }
    TlbSet *set = env->tlb_set;
    uint64_t page = lin & ~(uint64_t)(TLB_PAGE - 1), h = code_page_hash(page);

    env->page_flushes++;
    env->tlb_seq++;
    for (unsigned i = 0; i < LARGE_TLB; i++) { /* it may be a 1 GiB page */
        if (set->large[i].region >> 9 == lin >> 30) {
            set->large[i].region = LARGE_NONE;
        }
    }
    window_flush_page(cpu, lin);
    code_map_drop(env, page);
    for (unsigned i = 0; i < SLOTS; i++) {
        Slot *s = &set->slot[i];
        for (unsigned k = 0; s->used && k < 2; k++) {
            table_drop(s->rd[k], page);
            table_drop(s->wr[k], page);
            table_drop_large(s->rd[k], lin);
            table_drop_large(s->wr[k], lin);
        }
        if (s->used && s->jmp->pages[h / 64] >> (h % 64) & 1) {
            jmp_drop(env, s->jmp, page);
        }
    }
    table_drop(set->kern_rd, page);
    table_drop(set->kern_wr, page);
    table_drop_large(set->kern_rd, lin);
    table_drop_large(set->kern_wr, lin);
    /* kernels do not run code of user addresses: a cheap look at 8192 entries less */
    if (((int64_t)lin < 0 || set->jmp_low) &&
        set->kern_jmp->pages[h / 64] >> (h % 64) & 1) {
        jmp_drop(env, set->kern_jmp, page);
    }
    if (code_drop(set, lin)) {
        set->global_gen = ++set->next_gen;
        set->cur->gen = ++set->next_gen;
        softmmu_jmp_clear(env, set->kern_jmp);
        softmmu_jmp_clear(env, set->cur->jmp);
        softmmu_code_map_clear(env);
    }
}

void x86_tlb_flush_pcid(X86Cpu *cpu, uint16_t pcid)
{
    TcgEnv *env = x86_env(cpu);
    for (unsigned i = 0; env && i < SLOTS; i++) {
        Slot *s = &env->tlb_set->slot[i];
        if (s->used && s->pcid == pcid) {
            slot_clear(cpu, s);
        }
    }
    if (env) {
        env->tlb_seq++;
        kernel_drop_nonglobal(cpu);
        window_flush_pcid(cpu, pcid);
    }
}

/* Of a table for stores. */
static void drop_host_page(TlbTable *t, uint64_t host)
{
    uint16_t *by = &t->by_host[host_hash(host)];

    if (*by != TLB_SEVERAL) {
        TlbEntry *e = *by ? &t->e[*by - 1] : NULL;
        if (e && e->host == host) {
            e->tag = e->host = TLB_EMPTY;
        }
        return;
    }
    *by = 0; /* and what is left of them is found anew */
    for (unsigned i = 0; i < TLB_SIZE; i++) {
        if (t->e[i].host == host) {
            t->e[i].tag = t->e[i].host = TLB_EMPTY;
        } else if (unlikely(host_hash(t->e[i].host) == host_hash(host)) &&
                   t->e[i].host != TLB_EMPTY) {
            *by = *by ? TLB_SEVERAL : i + 1;
        }
    }
}

void softmmu_protect(X86Cpu *cpu, const uint8_t *host_page)
{
    TlbSet *set = x86_env(cpu)->tlb_set;
    for (unsigned i = 0; i < SLOTS; i++) {
        for (unsigned k = 0; set->slot[i].made && k < 2; k++) {
            drop_host_page(set->slot[i].wr[k], (uint64_t)host_page);
        }
    }
    drop_host_page(set->kern_wr, (uint64_t)host_page);
    window_protect(cpu, host_page);
}

void softmmu_drop_stores(X86Cpu *cpu)
{
    TlbSet *set = x86_env(cpu)->tlb_set;
    for (unsigned i = 0; i < SLOTS; i++) {
        for (unsigned k = 0; set->slot[i].made && k < 2; k++) {
            table_clear(set->slot[i].wr[k]);
        }
    }
    table_clear(set->kern_wr);
}

/* ---- filling ---- */

/* Also for a debugger's walk under another engine, where there is no TLB. */
const FlatRange *x86_phys_range(X86Cpu *cpu, uint64_t gpa)
{
    TlbSet *set = x86_env(cpu) ? x86_env(cpu)->tlb_set : NULL;
    const FlatView *v = cpu->cpu.machine->mem.view;

    if (likely(set && set->last && set->last_view == v && gpa >= set->last->start &&
               gpa <= set->last->last)) {
        return set->last;
    }
    unsigned lo = 0, hi = v->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (gpa < v->r[mid].start) {
            hi = mid;
        } else if (gpa > v->r[mid].last) {
            lo = mid + 1;
        } else {
            if (set && v->r[mid].host) {
                set->last = &v->r[mid];
                set->last_view = v;
            }
            return &v->r[mid];
        }
    }
    return NULL;
}

uint8_t *x86_phys_host(X86Cpu *cpu, uint64_t gpa, bool write)
{
    const FlatRange *r = x86_phys_range(cpu, gpa);

    if (!r || !r->host || (write && r->readonly)) {
        return NULL;
    }
    return r->host + (gpa - r->start);
}

/* Is a store to this RAM page to be reported? Called before a store translation of it
 * is installed: marks it first, so that a block made meanwhile sees the mark. */
bool softmmu_watch(X86Cpu *cpu, uint64_t ram_addr)
{
    TcgEnv *env = x86_env(cpu);
    Machine *m = cpu->cpu.machine;
    uint64_t n = ram_addr >> 12;

    if (!(env->page_flags[n] & TCG_PAGE_STORED)) {
        __atomic_fetch_or((uint8_t *)&env->page_flags[n], TCG_PAGE_STORED,
                          __ATOMIC_SEQ_CST);
    }
    return env->page_flags[n] & TCG_PAGE_CODE || (m->ram_log[n] & ~m->dirty[n]);
}

void softmmu_log_store(X86Cpu *cpu, uint64_t gpa)
{
    TcgPageLog *l = x86_env(cpu)->page_log;
    Machine *m = cpu->cpu.machine;
    const uint8_t *host = l ? x86_phys_host(cpu, gpa, true) : NULL;

    if (host) {
        uint64_t n = (uint64_t)(host - l->ram_base) >> 12;
        __atomic_fetch_or((uint8_t *)&m->dirty[n], m->ram_log[n], __ATOMIC_RELAXED);
        tcg_page_log(l, n);
    }
}

/* ---- large kernel pages ---- */

static LargeEntry *large_entry(TlbSet *set, uint64_t lin)
{
    return &set->large[(lin >> 21) % LARGE_TLB];
}

/* A load or store at lin, not at CPL 3: does it lie in a page known from an earlier walk? */
static bool large_find(TlbSet *set, uint64_t lin, bool write, X86WalkResult *w)
{
    const LargeEntry *e = large_entry(set, lin);

    if (e->region != lin >> 21 || (write && !(e->write && e->dirty))) {
        return false;
    }
    *w = (X86WalkResult){ .ok = true,
                          .can_read = true,
                          .can_write = e->write,
                          .global = true,
                          .dirty = e->dirty,
                          .accessed = true,
                          .gpa = e->gpa | (lin & (2 * MiB - 1)),
                          .page_size = e->huge ? GiB : 2 * MiB };
    return true;
}

static void large_set(TlbSet *set, uint64_t lin, const X86WalkResult *w)
{
    if (w->page_size >= 2 * MiB) {
        *large_entry(set, lin) = (LargeEntry){ lin >> 21, w->gpa & ~(2 * MiB - 1),
                                               w->can_write, w->dirty,
                                               w->page_size > 2 * MiB };
    }
}

/* What a vCPU needs now, it asks the host for itself (what it will need, the prefault thread touches:
 * back_soon). A first touch costs the host a fault for each page; MADV_POPULATE_WRITE of a chunk costs
 * a fifth, and less if the file has been given its pages first (2.13 us a page, 1.96; chunks twice as long: no gain).
 * Failure does no harm. */
enum { CHUNK = PREFAULT_PIECE };

static void back_now(const X86Cpu *cpu, const FlatRange *r, uint64_t first, uint64_t end)
{
#if defined(__x86_64__) && defined(__linux__)
    enum { SYS_MADVISE = 28, POPULATE_WRITE = 23, SYS_FALLOCATE = 285 };
    uint64_t ret = SYS_FALLOCATE; /* leaf: no libc */
    register uint64_t size __asm__("r10") = end - first;
    __asm__ volatile("syscall"
                     : "+a"(ret)
                     : "D"((int64_t)cpu->cpu.machine->ram_fd), "S"(0L), "d"(first), "r"(size)
                     : "rcx", "r11", "memory");
    ret = SYS_MADVISE;
    __asm__ volatile("syscall"
                     : "+a"(ret)
                     : "D"(r->host + (first - r->ram_addr)), "S"(end - first), "d"(POPULATE_WRITE)
                     : "rcx", "r11", "memory");
#endif
}

/* True: the chunk was not taken before. */
static bool take_chunk(X86Cpu *cpu, uint64_t ram_addr)
{
    _Atomic uint8_t *flag = &x86_env(cpu)->page_flags[ram_addr / CHUNK * (CHUNK / TLB_PAGE)];

    return !(*flag & TCG_PAGE_BACKED) &&
           !(__atomic_fetch_or((uint8_t *)flag, TCG_PAGE_BACKED, __ATOMIC_RELAXED) &
             TCG_PAGE_BACKED);
}

static bool taken(X86Cpu *cpu, uint64_t ram_addr)
{
    return x86_env(cpu)->page_flags[ram_addr / CHUNK * (CHUNK / TLB_PAGE)] & TCG_PAGE_BACKED;
}

/* A guest that takes memory upwards goes on so: the next chunks are wished for, up to the first that
 * is taken. */
static void back_soon(X86Cpu *cpu, const FlatRange *r, uint64_t chunk)
{
    enum { AHEAD = 8 };
    uint64_t low = chunk + CHUNK, n = 0;
    uint64_t end = ALIGN_DOWN(r->ram_addr + (r->last - r->start) + 1, CHUNK);

    if (chunk < r->ram_addr + CHUNK || !taken(cpu, chunk - CHUNK)) {
        return;
    }
    while (n < AHEAD && low + n * CHUNK < end && !taken(cpu, low + n * CHUNK)) {
        n++;
    }
    if (n) {
        prefault_ask(r->host + (low - r->ram_addr), n * CHUNK, PREFAULT_CLAIM);
    }
}

static void back_chunk(X86Cpu *cpu, const FlatRange *r, uint64_t ram_addr)
{
    uint64_t chunk = ram_addr & ~(uint64_t)(CHUNK - 1);

    if (likely(taken(cpu, ram_addr)) || !take_chunk(cpu, ram_addr) || r->readonly) {
        return;
    }
    if (prefault_on()) {
        back_soon(cpu, r, chunk);
    }
    back_now(cpu, r, MAX(chunk, r->ram_addr),
             MIN(chunk + CHUNK, r->ram_addr + (r->last - r->start) + 1));
}

void softmmu_translate(X86Cpu *cpu, uint64_t lin, unsigned access, unsigned mmu,
                       SoftmmuRef *ref)
{
    TcgEnv *env = x86_env(cpu);
    TlbEntry *e = tlb_entry(access == X86_WRITE ? env->tlb_wr[mmu] : env->tlb_rd[mmu],
                            lin);
    uint64_t t = lin + e->tag, page = lin & ~(uint64_t)(TLB_PAGE - 1);

    ref->watched = ref->readonly = ref->large = false;
    if (t < TLB_PAGE && e->tag != TLB_EMPTY) {
        ref->host = (uint8_t *)(e->host + t);
        ref->gpa = ref->ram_addr = 0;
        return;
    }
    env->fill[mmu][access == X86_WRITE]++;
    bool no_ad = PLANTED_BUG == 2 && x86_engine.native && (lin >> 21) % 5 == 1;
    X86WalkResult w;
    if (no_ad || mmu == X86_MMU_USER ||
        !large_find(env->tlb_set, lin, access == X86_WRITE, &w)) {
        w = x86_walk(cpu, lin, access, mmu, !no_ad);
        if (!w.ok) {
            x86_raise_pf(cpu, lin, w.error);
        }
        if (!no_ad && mmu != X86_MMU_USER && w.page_size > TLB_PAGE && w.global && !w.user) {
            large_set(env->tlb_set, lin, &w);
        }
    }
    const FlatRange *r = x86_phys_range(cpu, w.gpa);
    ref->gpa = w.gpa;
    ref->large = w.page_size > TLB_PAGE;
    if (!r || !r->host) {
        ref->host = NULL;
        return;
    }
    uint64_t off = w.gpa - r->start;
    ref->host = r->host + off;
    ref->ram_addr = r->ram_addr + off;
    ref->readonly = r->readonly;
    back_chunk(cpu, r, ref->ram_addr);

    /* A range may begin or end inside the page (never for RAM today, but ask). */
    uint64_t in_page = w.gpa & (TLB_PAGE - 1);
    bool whole = off >= in_page && r->last - w.gpa >= TLB_PAGE - 1 - in_page;
    bool store = w.can_write && w.dirty && !r->readonly;
    if (access == X86_WRITE || store) {
        ref->watched = !r->readonly && softmmu_watch(cpu, ref->ram_addr);
        store = store && !ref->watched;
    }
    if (!whole) {
        return;
    }
    uint8_t *host_page = ref->host - in_page;
    if (w.can_read) {
        table_set(env->tlb_rd[mmu], page, host_page, w.page_size, false);
    }
    if (store) {
        table_set(env->tlb_wr[mmu], page, host_page, w.page_size, true);
    }
    if (mmu == X86_MMU_KERNEL && !w.global) {
        TlbSet *set = env->tlb_set;
        if (set->n_nonglobal < NG_MAX) {
            set->nonglobal[set->n_nonglobal] = page;
        }
        set->n_nonglobal += set->n_nonglobal <= NG_MAX;
    }
}

typedef struct StoredArg {
    uint64_t ram_addr, len;
} StoredArg;

static uint64_t stored_heavy(X86Cpu *cpu, void *arg)
{
    StoredArg *a = arg;
    x86_env(cpu)->code_written(x86_env(cpu), a->ram_addr, a->len);
    return 0;
}

void softmmu_stored(X86Cpu *cpu, uint64_t ram_addr, unsigned len)
{
    TcgEnv *env = x86_env(cpu);
    Machine *m = cpu->cpu.machine;
    uint64_t last = (ram_addr + len - 1) >> 12;

    for (uint64_t n = ram_addr >> 12; n <= last; n++) {
        if (m->ram_log[n] & ~m->dirty[n]) {
            __atomic_fetch_or((uint8_t *)&m->dirty[n], m->ram_log[n], __ATOMIC_RELAXED);
            if (env->page_log) {
                tcg_page_log(env->page_log, n);
            }
        }
    }
    env->slow_watch++;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* with x86_build's */
    if (!(env->page_flags[ram_addr >> 12] & TCG_PAGE_CODE ||
          env->page_flags[last] & TCG_PAGE_CODE)) {
        return;
    }
    if (tb_may_hit(x86_engine.cache, ram_addr, len)) {
        env->smc++;
        StoredArg a = { ram_addr, len };
        x86_aside(cpu, stored_heavy, &a);
        cpu->end_block = 1; /* the running block may be one of them */
    } else if (tb_data_store(x86_engine.cache, ram_addr)) {
        /* mostly data now: without its old blocks stores are direct again */
        StoredArg a = { ram_addr & ~(uint64_t)(TLB_PAGE - 1), TLB_PAGE };
        x86_aside(cpu, stored_heavy, &a);
        cpu->end_block = 1;
    }
}

const uint8_t *softmmu_fetch(X86Cpu *cpu, uint64_t lin, uint64_t *ram_addr, bool *large)
{
    TlbSet *set = x86_env(cpu)->tlb_set;
    bool user = cpu->mmu_idx == X86_MMU_USER;
    uint64_t page = lin & ~(uint64_t)(TLB_PAGE - 1), off = lin & (TLB_PAGE - 1);
    CodeEntry *c = &set->code[user][(lin >> 12) % CODE_TLB];

    if (likely(c->page == page &&
               (c->gen == set->cur->gen || c->gen == set->global_gen))) {
        *ram_addr = c->ram_addr + off;
        *large = c->large;
        set->jmp_nonglobal |= !user && c->gen != set->global_gen;
        return c->host + off;
    }
    X86WalkResult w = x86_walk(cpu, lin, X86_FETCH, cpu->mmu_idx, true);
    if (!w.ok) {
        x86_raise_pf(cpu, lin, w.error);
    }
    const FlatRange *r = x86_phys_range(cpu, w.gpa);
    if (!r || !r->host) {
        return NULL;
    }
    c->host = r->host + (w.gpa - off - r->start);
    c->ram_addr = r->ram_addr + (w.gpa - off - r->start);
    c->large = w.page_size > TLB_PAGE && w.page_size - 1 <= r->last - r->start &&
               (w.gpa & ~(2 * MiB - 1)) >= r->start &&
               (w.gpa | (2 * MiB - 1)) <= r->last &&
               ((r->ram_addr - r->start) & (2 * MiB - 1)) == 0;
    c->page = page;
    if (w.page_size > TLB_PAGE && !large_code(set, lin)) {
        set->n_code_large += set->n_code_large <= CODE_LARGE;
        if (set->n_code_large <= CODE_LARGE) {
            set->code_large[set->n_code_large - 1] = lin >> 30;
        }
    }
    c->gen = w.global && !user ? set->global_gen : set->cur->gen;
    if (!user && !w.global) {
        set->jmp_nonglobal = true;
    }
    *ram_addr = c->ram_addr + off;
    *large = c->large;
    return c->host + off;
}

JmpTable *softmmu_jmp(X86Cpu *cpu, bool user)
{
    TlbSet *set = x86_env(cpu)->tlb_set;
    return user ? set->cur->jmp : set->kern_jmp;
}

void softmmu_jmp_insert(X86Cpu *cpu, uint64_t lin, uint64_t host, uint32_t mode,
                        bool crossing)
{
    TcgEnv *env = x86_env(cpu);
    JmpTable *j = cpu->mmu_idx == X86_MMU_USER ? env->tlb_set->cur->jmp
                                               : env->tlb_set->kern_jmp;
    unsigned i = jmp_index(lin);
    uint64_t h = code_page_hash(lin & ~(uint64_t)(TLB_PAGE - 1));

    if (j->mode != mode) {
        softmmu_jmp_clear(env, j);
        j->mode = mode;
    }
    env->hash_fills++;
    j->e[i].pc = lin;
    j->e[i].host = host;
    env->tlb_set->jmp_low |= j == env->tlb_set->kern_jmp && (int64_t)lin >= 0;
    j->pages[h / 64] |= 1ull << (h % 64);
    if (crossing) {
        h = code_page_hash((lin + TLB_PAGE) & ~(uint64_t)(TLB_PAGE - 1));
        j->pages[h / 64] |= 1ull << (h % 64);
    }
    if (j->nfilled < JMP_FILLED_MAX) {
        j->filled[j->nfilled] = i;
    }
    j->nfilled += j->nfilled <= JMP_FILLED_MAX;
}

void softmmu_jmp_check_mode(X86Cpu *cpu, uint32_t mode)
{
    JmpTable *j = x86_env(cpu)->jmp;
    if (unlikely(j->mode != mode)) {
        softmmu_jmp_clear(x86_env(cpu), j);
        j->mode = mode;
    }
}

static void forget(X86Cpu *cpu, JmpTable *j, uint32_t from, uint32_t to)
{
    TcgEnv *env = x86_env(cpu);
    uint64_t low = (uint64_t)codebuf_rx(cpu) + from;
    unsigned n = j->nfilled <= JMP_FILLED_MAX ? j->nfilled : JMP_SIZE;

    for (unsigned k = 0; k < n; k++) {
        JmpEntry *e = &j->e[n < JMP_SIZE ? j->filled[k] : k];
        if (e->host - low < to - from && e->pc != JMP_EMPTY) {
            e->pc = JMP_EMPTY;
            e->host = (uint64_t)env->jmp_miss;
        }
    }
}

void softmmu_jmp_forget(X86Cpu *cpu, uint32_t from, uint32_t to)
{
    /* an eviction, with this vCPU's thread outside generated code */
    TlbSet *set = x86_env(cpu)->tlb_set;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (set->slot[i].made) {
            forget(cpu, set->slot[i].jmp, from, to);
        }
    }
    forget(cpu, set->kern_jmp, from, to);
}

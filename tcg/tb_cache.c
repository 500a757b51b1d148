/* SPDX-License-Identifier: MIT */
/*
 * The cache of translated blocks: lookup by RAM address and mode, pages that hold code,
 * invalidation by stores, flush. Where they lie: tb_region.c.
 *
 * Dropping a block stops nobody: direct jumps to it are led to their stubs again, and its
 * entry for jump hashes is patched to miss, both by single stores. Its bytes stay until its
 * region is evicted, which needs everybody out.
 */
#include "tcg/tb.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tcg/codebuf.h"
#include "tcg/env.h"
#include "tcg/tb_int.h"
#include "util/alloc.h"

TbCache *tb_cache_create(uint64_t ram_max, uint8_t *ram_base, size_t arena_size,
                         struct CodeBuf *code, const TbCacheOps *ops)
{
    TbCache *c = NEW(TbCache);

    pthread_mutex_init(&c->lock, NULL);
    c->ops = *ops;
    c->npages = ram_max >> 12;
    /* large and sparsely used: let the host give pages on touch */
    c->pages = mmap(NULL, c->npages * sizeof(*c->pages), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    c->page_flags = mmap(NULL, c->npages, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->pages == MAP_FAILED || c->page_flags == MAP_FAILED) {
        abort();
    }
    c->ram_base = ram_base;
    c->code = code;
    tb_regions_init(c, arena_size);
    return c;
}

void tb_cache_destroy(TbCache *c)
{
    if (!c) {
        return;
    }
    while (c->all_pages) {
        TbPage *p = c->all_pages;
        c->all_pages = p->next;
        free(p);
    }
    munmap(c->pages, c->npages * sizeof(*c->pages));
    munmap((void *)c->page_flags, c->npages);
    tb_regions_free(c);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void tb_watch_page(TbCache *c, uint64_t ram_addr, void *self)
{
    uint64_t n = ram_addr >> 12;

    if (c->page_flags[n] & TCG_PAGE_CODE) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (!c->pages[n]) {
        TbPage *p = NEW(TbPage);
        p->number = n;
        p->next = c->all_pages;
        c->all_pages = p;
        __atomic_store_n(&c->pages[n], p, __ATOMIC_RELEASE);
    }
    uint8_t old = atomic_fetch_or(&c->page_flags[n], TCG_PAGE_CODE);
    pthread_mutex_unlock(&c->lock);
    if (old & TCG_PAGE_STORED) {
        c->ops.exclusive_begin(c->ops.opaque, self);
        c->ops.protect_page(c->ops.opaque, c->ram_base + (n << 12));
        atomic_fetch_and(&c->page_flags[n], (uint8_t)~(TCG_PAGE_STORED | TCG_PAGE_WINDOW));
        c->ops.exclusive_end(c->ops.opaque, self);
    }
}

bool tb_cover(TbCache *c, Tb *tb, const TbSpan *span, unsigned n)
{
    TbExtra *x = n ? tb_alloc(c, n * sizeof(TbExtra)) : NULL;
    if (n && !x) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        x[i] = (TbExtra){ .span = span[i], .tb = tb };
    }
    tb->extra_at = n ? ((char *)x - (char *)tb) / 4 : 0;
    tb->nextras = n;
    return true;
}

uint32_t tb_trace_number(TbCache *c)
{
    return c->trace_ids < TRACE_IDS - 1 ? ++c->trace_ids : 0;
}

uint64_t tb_granules(uint64_t ram, uint32_t size)
{
    unsigned first = ram >> 6 & 63, last = (ram + size - 1) >> 6 & 63;
    return (2ull << last) - (1ull << first);
}

static void link_extra(TbCache *c, TbExtra *x)
{
    TbPage *p = c->pages[x->span.ram >> 12];

    p->granules |= tb_granules(x->span.ram, x->span.size);
    x->next = p->extras;
    x->link = &p->extras;
    if (x->next) {
        x->next->link = &x->next;
    }
    p->extras = x;
}

void tb_unlink_extra(TbExtra *x)
{
    *x->link = x->next;
    if (x->next) {
        x->next->link = x->link;
    }
}

void tb_insert(TbCache *c, Tb *tb)
{
    TbPage *p = c->pages[tb->key >> 12];
    unsigned h = tb_hash(tb->key, tb->mode);

    p->granules |= tb_granules(tb->key, tb->size);
    tb->page_next = tb_ref(c, p->list);
    p->list = tb;
    for (unsigned i = 0; i < tb->nextras; i++) {
        link_extra(c, tb_extra(tb, i));
    }
    tb_publish(c, tb); /* before anybody can run it */
    tb->valid = true;
    tb->hash_next = c->hash[h];
    __atomic_store_n(&c->hash[h], tb_ref(c, tb), __ATOMIC_RELEASE);
    c->built++;
}

void tb_unhash(TbCache *c, Tb *tb)
{
    TbRef *p = &c->hash[tb_hash(tb->key, tb->mode)], self = tb_ref(c, tb);

    while (*p && *p != self) {
        p = &((Tb *)tb_at(c, *p))->hash_next;
    }
    if (*p) {
        __atomic_store_n(p, tb->hash_next, __ATOMIC_RELEASE);
    }
}

/* Jump hashes may still lead to a dead block. At that entry, behind the comparison of the
 * PC (3 bytes), `jne rel32` (0F 85) becomes `nop; jmp rel32` (90 E9): it always misses now,
 * and the hash's owner drops it. Both bytes change at once: other vCPUs may be running the
 * block, and then finish it, as a CPU does whose code another one changes. */
static void kill_code(TbCache *c, Tb *tb)
{
    enum { JNE = 3 };
    uint32_t at = tb->code_off + JNE, word = at & ~7u;
    uint8_t bytes[8];
    uint64_t v;

    if (!tb->code_end || tb->inner) {
        return;
    }
    if ((at & 7) == 7) { /* not while blocks begin aligned */
        memcpy(c->code->rw + at, "\x90\xe9", 2);
        return;
    }
    memcpy(bytes, c->code->rw + word, 8);
    bytes[at & 7] = 0x90;
    bytes[(at & 7) + 1] = 0xe9;
    memcpy(&v, bytes, 8);
    __atomic_store_n((uint64_t *)(c->code->rw + word), v, __ATOMIC_RELEASE);
}

/* Exits that jump to a dead block go to their own stubs again, where they look for its
 * successor. */
static void unchain(TbCache *c, Tb *tb)
{
    tb_chain_lock(c);
    for (TbExit *x = tb_at(c, tb->incoming); x; x = tb_at(c, x->next_in)) {
        tb_lead_to(c, x, x->stub_off);
        x->to = 0;
    }
    tb->incoming = 0;
    tb_chain_unlock(c);
}

/* Takes the block out of its page's list; what comes before it there, or NULL. */
static void unlink_after(TbCache *c, TbPage *p, Tb *before, Tb *tb)
{
    if (before) {
        before->page_next = tb->page_next;
    } else {
        p->list = tb_at(c, tb->page_next);
    }
}

/* It stays in its first page's list until that is walked: a page may have hundreds. */
static void drop(TbCache *c, Tb *tb)
{
    __atomic_store_n(&tb->valid, false, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < tb->nextras; i++) {
        tb_unlink_extra(tb_extra(tb, i));
    }
    tb_unhash(c, tb);
    unchain(c, tb);
    kill_code(c, tb);
    c->dropped++;
}

void tb_drop_locked(TbCache *c, Tb *tb)
{
    if (tb->valid) {
        drop(c, tb);
    }
}

void tb_drop(TbCache *c, Tb *tb)
{
    pthread_mutex_lock(&c->lock);
    tb_drop_locked(c, tb);
    pthread_mutex_unlock(&c->lock);
}

static bool overlaps(uint64_t ram, uint32_t size, uint64_t ram_addr, uint64_t len)
{
    return ram < ram_addr + len && ram_addr < ram + size;
}

/* Drops the blocks with bytes both in the page and in the range. */
static bool drop_in_page(TbCache *c, TbPage *p, uint64_t ram_addr, uint64_t len)
{
    uint64_t left = 0;
    bool any = false;

    for (TbExtra *x = p->extras; x;) {
        if (overlaps(x->span.ram, x->span.size, ram_addr, len)) {
            Tb *tb = x->tb;
            while (x && x->tb == tb) {
                x = x->next;
            }
            drop(c, tb);
            any = true;
        } else {
            left |= tb_granules(x->span.ram, x->span.size);
            x = x->next;
        }
    }
    Tb *before = NULL;
    for (Tb *tb = p->list; tb; tb = tb_at(c, tb->page_next)) {
        if (!tb->valid) {
            unlink_after(c, p, before, tb);
        } else if (overlaps(tb->key, tb->size, ram_addr, len)) {
            unlink_after(c, p, before, tb);
            drop(c, tb);
            any = true;
        } else {
            left |= tb_granules(tb->key, tb->size);
            before = tb;
        }
    }
    p->granules = left;
    if (!p->list && !p->extras) {
        atomic_fetch_and(&c->page_flags[p->number], (uint8_t)~TCG_PAGE_CODE);
    }
    return any;
}

bool tb_invalidate(TbCache *c, uint64_t ram_addr, uint64_t len, void *self)
{
    bool any = false;

    if (!tb_may_hit(c, ram_addr, len)) {
        return false;
    }
    pthread_mutex_lock(&c->lock);
    for (uint64_t n = ram_addr >> 12; n <= (ram_addr + len - 1) >> 12; n++) {
        if (c->pages[n]) {
            any |= drop_in_page(c, c->pages[n], ram_addr, len);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return any;
}

void tb_flush(TbCache *c, void *self)
{
    c->ops.exclusive_begin(c->ops.opaque, self);
    pthread_mutex_lock(&c->lock);
    for (TbPage *p = c->all_pages; p; p = p->next) {
        p->list = NULL;
        p->extras = NULL;
        p->granules = 0;
        atomic_fetch_and(&c->page_flags[p->number], (uint8_t)~TCG_PAGE_CODE);
    }
    memset(c->hash, 0, (1u << TB_HASH_BITS) * sizeof(TbRef));
    c->ops.forget_code(c->ops.opaque, 0, UINT32_MAX);
    /* goes on with another region: whoever still reads a description (none should) may */
    tb_regions_reset(c);
    c->trace_ids = 0;
    c->flushes++;
    atomic_fetch_add(&c->generation, 1);
    pthread_mutex_unlock(&c->lock);
    c->ops.exclusive_end(c->ops.opaque, self);
}

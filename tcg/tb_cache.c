/* SPDX-License-Identifier: MIT */
/*
 * The cache of translated blocks: lookup by RAM address and mode, pages that hold code,
 * invalidation by stores, flush. Blocks are bump-allocated and freed all at once.
 *
 * Dropping a block stops nobody: direct jumps to it are led to their stubs again, and its
 * entry for jump hashes is patched to miss, both by single stores. Its bytes stay until the
 * next flush, which needs everybody out.
 */
#include "tcg/tb.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tcg/codebuf.h"
#include "tcg/env.h"
#include "util/alloc.h"

enum { CODE_INDEX_SHIFT = 10 };

TbCache *tb_cache_create(uint64_t ram_max, uint8_t *ram_base, size_t arena_size,
                         struct CodeBuf *code, const TbCacheOps *ops)
{
    TbCache *c = NEW(TbCache);

    pthread_mutex_init(&c->lock, NULL);
    c->ops = *ops;
    c->hash = xmap_large((1u << TB_HASH_BITS) * sizeof(Tb *));
    c->npages = ram_max >> 12;
    /* large and sparsely used: let the host give pages on touch */
    c->pages = mmap(NULL, c->npages * sizeof(*c->pages), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    c->page_flags = mmap(NULL, c->npages, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    c->arena = xmap_large(arena_size);
    /* a guest that does little shall not cost a whole large page */
    madvise(c->arena, MIN(arena_size, 2 * MiB), MADV_NOHUGEPAGE);
    if (c->pages == MAP_FAILED || c->page_flags == MAP_FAILED) {
        abort();
    }
    c->ram_base = ram_base;
    c->arena_size = arena_size;
    c->code = code;
    if (code) {
        c->max_by_code = code->size / 48;
        c->by_code = mmap(NULL, c->max_by_code * sizeof(Tb *), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (c->by_code == MAP_FAILED) {
            abort();
        }
        c->code_index = NEW_ARRAY(uint32_t, (code->size >> CODE_INDEX_SHIFT) + 2);
    }
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
    xunmap_large(c->arena, c->arena_size);
    if (c->by_code) {
        munmap(c->by_code, c->max_by_code * sizeof(Tb *));
        free(c->code_index);
    }
    xunmap_large(c->hash, (1u << TB_HASH_BITS) * sizeof(Tb *));
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void *tb_alloc(TbCache *c, size_t size)
{
    size = ALIGN_UP(size, 16);
    if (size > c->arena_size / 2 - c->arena_used) {
        return NULL;
    }
    void *p = c->arena + c->arena_half * (c->arena_size / 2) + c->arena_used;
    c->arena_used += size;
    memset(p, 0, size);
    return p;
}

Tb *tb_new(TbCache *c, unsigned ninsns)
{
    c->arena_used = ALIGN_UP(c->arena_used, 32);
    if (c->arena_used > c->arena_size / 2) {
        return NULL;
    }
    Tb *tb = tb_alloc(c, sizeof(*tb) + ninsns * sizeof(TbInsn));
    if (tb) {
        tb->map = (TbInsn *)(tb + 1);
        tb->ninsns = ninsns;
    }
    return tb;
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
        atomic_fetch_and(&c->page_flags[n], (uint8_t)~TCG_PAGE_STORED);
        c->ops.exclusive_end(c->ops.opaque, self);
    }
}

bool tb_cover(TbCache *c, Tb *tb, const TbSpan *span, unsigned n)
{
    tb->extra = n ? tb_alloc(c, n * sizeof(TbExtra)) : NULL;
    if (n && !tb->extra) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        tb->extra[i] = (TbExtra){ .span = span[i], .tb = tb };
    }
    tb->nextras = n;
    return true;
}

/* The bits of TbPage.granules of bytes in one page. */
static uint64_t granules(uint64_t ram, uint32_t size)
{
    unsigned first = ram >> 6 & 63, last = (ram + size - 1) >> 6 & 63;
    return (2ull << last) - (1ull << first);
}

static void link_extra(TbCache *c, TbExtra *x)
{
    TbPage *p = c->pages[x->span.ram >> 12];

    p->granules |= granules(x->span.ram, x->span.size);
    x->next = p->extras;
    x->link = &p->extras;
    if (x->next) {
        x->next->link = &x->next;
    }
    p->extras = x;
}

static void unlink_extra(TbExtra *x)
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

    p->granules |= granules(tb->key, tb->size);
    tb->page_next = p->list;
    p->list = tb;
    for (unsigned i = 0; i < tb->nextras; i++) {
        link_extra(c, &tb->extra[i]);
    }
    tb->valid = true;
    tb->hash_next = c->hash[h];
    __atomic_store_n(&c->hash[h], tb, __ATOMIC_RELEASE);
    if (tb->code_end) {
        c->by_code[c->n_by_code] = tb;
        while (c->n_code_index << CODE_INDEX_SHIFT < tb->code_end) {
            c->code_index[c->n_code_index] = c->n_by_code;
            __atomic_store_n(&c->n_code_index, c->n_code_index + 1, __ATOMIC_RELEASE);
        }
        __atomic_store_n(&c->n_by_code, c->n_by_code + 1, __ATOMIC_RELEASE);
    }
    c->built++;
}

static void unhash(TbCache *c, Tb *tb)
{
    for (Tb **p = &c->hash[tb_hash(tb->key, tb->mode)]; *p; p = &(*p)->hash_next) {
        if (*p == tb) {
            __atomic_store_n(p, tb->hash_next, __ATOMIC_RELEASE);
            return;
        }
    }
}

/* Jump hashes may still lead to a dead block. At that entry, behind the comparison of the
 * PC (3 bytes), `jne rel32` (0F 85) becomes `nop; jmp rel32` (90 E9): it always misses now,
 * and the hash's owner drops it. Both bytes change at once: other vCPUs may be running the
 * block, and then finish it, as a CPU does whose code another one changes. */
static void kill_code(TbCache *c, Tb *tb)
{
    enum { JNE = 3 };
    uint32_t at = tb->entry_ind + JNE, word = at & ~7u;
    uint8_t bytes[8];
    uint64_t v;

    if (!tb->code_end) {
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
    for (TbExit *x = tb->incoming; x; x = x->next_in) {
        __atomic_store_n((uint32_t *)(c->code->rw + x->jmp_off),
                         x->stub_off - (x->jmp_off + 4), __ATOMIC_RELEASE);
        x->to = NULL;
    }
    tb->incoming = NULL;
    tb_chain_unlock(c);
}

static void unlink_first(TbCache *c, Tb *tb)
{
    for (Tb **p = &c->pages[tb->key >> 12]->list; *p; p = &(*p)->page_next) {
        if (*p == tb) {
            *p = tb->page_next;
            return;
        }
    }
}

/* A block that is in its first page's list no more. */
static void drop(TbCache *c, Tb *tb)
{
    __atomic_store_n(&tb->valid, false, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < tb->nextras; i++) {
        unlink_extra(&tb->extra[i]);
    }
    unhash(c, tb);
    unchain(c, tb);
    kill_code(c, tb);
    c->dropped++;
}

void tb_drop(TbCache *c, Tb *tb)
{
    pthread_mutex_lock(&c->lock);
    if (tb->valid) {
        unlink_first(c, tb);
        drop(c, tb);
    }
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
            unlink_first(c, tb);
            drop(c, tb);
            any = true;
        } else {
            left |= granules(x->span.ram, x->span.size);
            x = x->next;
        }
    }
    for (Tb **pp = &p->list; *pp;) {
        Tb *tb = *pp;
        if (overlaps(tb->key, tb->size, ram_addr, len)) {
            *pp = tb->page_next;
            drop(c, tb);
            any = true;
        } else {
            left |= granules(tb->key, tb->size);
            pp = &tb->page_next;
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
    memset(c->hash, 0, (1u << TB_HASH_BITS) * sizeof(Tb *));
    c->ops.forget_code(c->ops.opaque);
    /* a vCPU that waits for the machine lock inside a reference function still reads its
     * decoded instruction: the other half is reused first */
    c->arena_half ^= 1;
    c->arena_used = 0;
    c->n_by_code = 0;
    c->n_code_index = 0;
    if (c->code) {
        c->code->used = c->code->fixed;
        c->code->cold_used = c->code->cold_start;
    }
    c->flushes++;
    atomic_fetch_add(&c->generation, 1);
    pthread_mutex_unlock(&c->lock);
    c->ops.exclusive_end(c->ops.opaque, self);
}

Tb *tb_by_code(const TbCache *c, uint32_t code_off)
{
    unsigned lo = 0, hi = __atomic_load_n(&c->n_by_code, __ATOMIC_ACQUIRE);
    unsigned k = code_off >> CODE_INDEX_SHIFT;
    unsigned filled = __atomic_load_n(&c->n_code_index, __ATOMIC_ACQUIRE);

    if (k < filled) {
        lo = c->code_index[k];
    }
    if (k + 1 < filled) { /* that block may begin before the next KiB */
        hi = MIN(hi, c->code_index[k + 1] + 1);
    }
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        const Tb *tb = c->by_code[mid];
        if (code_off < tb->code_off) {
            hi = mid;
        } else if (code_off >= tb->code_end) {
            lo = mid + 1;
        } else {
            return c->by_code[mid];
        }
    }
    return NULL;
}

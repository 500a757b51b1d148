/* SPDX-License-Identifier: MIT */
/*
 * Room for blocks. The code buffer is split into regions, filled one after the other; the
 * blocks of a region have their descriptions in chunks of the arena that belong to it, in
 * the order of their code. When no region is empty, the oldest one's blocks are dropped at
 * once, with every other vCPU outside generated code: nothing leads into them any more, and
 * code and descriptions are overwritten.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tcg/codebuf.h"
#include "tcg/env.h"
#include "tcg/tb_int.h"
#include "util/alloc.h"
#include "util/prefault.h"

enum {
    HASH_BYTES = sizeof(TbRef) << TB_HASH_BITS,
    MIN_REGION = 256 * KiB,
    TB_ROOM = 4 * KiB
};

/* ---- chunks ---- */

static char *chunk_at(const TbCache *c, unsigned n)
{
    return c->arena + (size_t)n * TB_CHUNK;
}

static unsigned chunk_of(const TbCache *c, const void *p)
{
    return (unsigned)(((const char *)p - c->arena) / TB_CHUNK);
}

/* Appends an empty chunk to the current region. */
static bool next_chunk(TbCache *c)
{
    TbRegion *r = &c->region[c->cur];

    if (!c->nfree || r->nchunks >= c->region_chunks) {
        return false;
    }
    unsigned n = c->free_chunk[--c->nfree];
    c->chunk[n] = (TbChunk){ .region = c->cur };
    if (r->last) {
        __atomic_store_n(&c->chunk[r->last - 1].next, n + 1, __ATOMIC_RELEASE);
    } else {
        __atomic_store_n(&r->first, n + 1, __ATOMIC_RELEASE);
    }
    r->last = n + 1;
    r->nchunks++;
    c->alloc_used = 0;
    if (!prefault_on()) {
        (void)madvise(chunk_at(c, n), TB_CHUNK, 23 /* MADV_POPULATE_WRITE, Linux 5.14 */);
    } else if (c->nfree) { /* the next one */
        prefault_ask(chunk_at(c, c->free_chunk[c->nfree - 1]), TB_CHUNK, 0);
    }
    return true;
}

static void free_chunks(TbCache *c, TbRegion *r)
{
    unsigned numbers[2] = { r->first, 0 };

    for (unsigned n = r->first; n; n = numbers[1]) {
        numbers[1] = c->chunk[n - 1].next;
        c->free_chunk[c->nfree++] = n - 1;
    }
    r->first = r->last = r->nchunks = r->n_index = 0;
    r->used = 0;
    r->filled = 0;
}

void *tb_alloc(TbCache *c, size_t size)
{
    size = ALIGN_UP(size, 8);
    if (size > TB_CHUNK - c->alloc_used) {
        c->chunk_full = true;
        return NULL;
    }
    void *p = chunk_at(c, c->region[c->cur].last - 1) + c->alloc_used;
    c->alloc_used += size;
    memset(p, 0, size);
    return p;
}

Tb *tb_new(TbCache *c, unsigned ninsns)
{
    const TbRegion *r = &c->region[c->cur];

    /* a trace takes up to 32 bytes an instruction, and is not tried again */
    size_t room = TB_ROOM + (ninsns > TB_MAX_INSNS ? ninsns * 32u : 0);

    c->alloc_used = r->last ? c->chunk[r->last - 1].used : TB_CHUNK;
    if (c->alloc_used > TB_CHUNK - room && !next_chunk(c)) {
        return NULL;
    }
    Tb *tb = tb_alloc(c, sizeof(*tb));
    if (tb) {
        tb->ninsns = ninsns;
    }
    return tb;
}

bool tb_set_place(TbCache *c, Tb *tb, uint64_t place, uint32_t pc)
{
    TbPlace *p = tb_alloc(c, sizeof(*p));
    if (p) {
        *p = (TbPlace){ place, pc };
        tb->place_at = ((char *)p - (char *)tb) / 4;
    }
    return p != NULL;
}

static uint8_t *pack(const Tb *tb, const TbInsn *map, uint8_t *p)
{
    *p++ = map[0].host;
    *p++ = map[0].host >> 8;
    for (unsigned i = 0; i < tb->ninsns; i++) {
        bool last = i + 1u == tb->ninsns;
        unsigned guest = last ? 0 : map[i + 1].guest - map[i].guest;
        unsigned host = last ? 0 : map[i + 1].host - map[i].host;
        *p++ = guest << 4 | (map[i].flags_in_env & 7);
        *p++ = MIN(host, 255);
        if (host >= 255) {
            *p++ = host;
            *p++ = host >> 8;
        }
    }
    return p;
}

bool tb_add_code(TbCache *c, Tb *tb, const TbInsn *map, unsigned nexits)
{
    enum { ROW = 4, FAR = 1 << 16 };
    TbExit *x = tb_alloc(c, nexits * sizeof(TbExit) + 2 + tb->ninsns * ROW);

    if (!x || (char *)(x + nexits) - (char *)tb >= FAR) {
        return false;
    }
    tb->nexits = nexits;
    tb->exit_at = ((char *)x - (char *)tb) / 4;
    for (unsigned i = 0; i < nexits; i++) {
        x[i].back = tb->exit_at + i * sizeof(TbExit) / 4;
    }
    uint8_t *end = pack(tb, map, (uint8_t *)(x + nexits));
    c->alloc_used = ALIGN_UP((char *)end - chunk_at(c, c->region[c->cur].last - 1), 8);
    return true;
}

uint32_t tb_desc_size(const TbCache *c, const Tb *tb)
{
    return (uint32_t)(chunk_at(c, c->region[c->cur].last - 1) + c->alloc_used - (char *)tb);
}

void tb_publish(TbCache *c, Tb *tb)
{
    TbRegion *r = &c->region[c->cur];
    TbChunk *k = &c->chunk[r->last - 1];
    uint32_t end = ALIGN_UP(c->alloc_used, TB_UNIT);

    tb->units = (end - k->used) / TB_UNIT;
    __atomic_store_n(&k->used, end, __ATOMIC_RELEASE);
    while (tb->code_end && r->from + (r->n_index << TB_INDEX_SHIFT) < tb->code_end) {
        r->index[r->n_index] = ((char *)tb - c->arena) / TB_UNIT;
        __atomic_store_n(&r->n_index, r->n_index + 1, __ATOMIC_RELEASE);
    }
}

/* ---- regions ---- */

#define MAPPED(c) (HASH_BYTES + (c)->arena_size)

/* For the hash and the descriptions. Below 4 GiB if that can be: host code names
 * descriptions by shorter instructions then. No large pages: a fresh one takes a virtual host
 * up to 5 ms, 64 KiB of small ones 40 us. */
static void *map_arena(size_t size)
{
    const uintptr_t low = 0x90000000, end = 1ull << 32;
    char *p = size > end - low ? MAP_FAILED
                               : mmap((void *)low, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p != MAP_FAILED && (uintptr_t)p + size <= end) {
        return p;
    }
    if (p != MAP_FAILED) {
        munmap(p, size);
    }
    return xmap(size);
}

void tb_regions_init(TbCache *c, size_t arena_size)
{
    size_t size = c->code ? c->code->size : 0;
    size_t part = MAX(ALIGN_UP(size / TB_REGIONS, 64 * KiB), (size_t)MIN_REGION);

    c->nchunks = MIN(MAX(ALIGN_UP(arena_size, 2 * MiB) / TB_CHUNK, 2u), UINT16_MAX - 15u);
    c->nregions = c->code ? MAX(MIN(size / part, (size_t)TB_REGIONS), 1u)
                          : MIN(c->nchunks, (unsigned)TB_REGIONS);
    c->region_chunks = c->code ? c->nchunks : c->nchunks / c->nregions;
    c->arena_size = (size_t)c->nchunks * TB_CHUNK;
    c->hash = map_arena(MAPPED(c));
    c->arena = (char *)c->hash + HASH_BYTES;
    c->chunk = NEW_ARRAY(TbChunk, c->nchunks);
    c->free_chunk = NEW_ARRAY(uint16_t, c->nchunks);
    while (c->nfree < c->nchunks) {
        c->free_chunk[c->nfree] = c->nchunks - 1 - c->nfree;
        c->nfree++;
    }
    /* one piece: large enough for the host to give its pages when they are touched */
    uint32_t *index = c->code ? NEW_ARRAY(uint32_t, (size >> TB_INDEX_SHIFT) + 3 * c->nregions)
                              : NULL;
    for (unsigned i = 0; i < c->nregions && c->code; i++) {
        TbRegion *r = &c->region[i];
        r->from = i * part;
        r->to = i + 1 < c->nregions ? (i + 1) * part : size;
        r->index = index;
        index += ((r->to - r->from) >> TB_INDEX_SHIFT) + 2;
    }
    c->region[0].filled = ++c->fillings;
    if (c->code) {
        codebuf_region(c->code, c->region[0].from, c->region[0].to);
    }
}

void tb_regions_free(TbCache *c)
{
    free(c->region[0].index);
    munmap(c->hash, MAPPED(c));
    free(c->chunk);
    free(c->free_chunk);
}

/* Begins to fill a region, an empty one. */
static void enter_region(TbCache *c, unsigned i)
{
    c->cur = i;
    c->region[i].filled = ++c->fillings;
    if (c->code) {
        codebuf_region(c->code, c->region[i].from, c->region[i].to);
    }
}

static uint32_t bytes_here(const CodeBuf *b, const TbRegion *r)
{
    return (b->used - r->from) + (r->to - b->cold_start) - (b->cold_end - b->cold_used);
}

uint64_t tb_code_bytes(const TbCache *c)
{
    uint64_t n = c->code ? bytes_here(c->code, &c->region[c->cur]) : 0;

    for (unsigned i = 0; i < c->nregions; i++) {
        n += c->region[i].used;
    }
    return n;
}

void tb_regions_reset(TbCache *c)
{
    for (unsigned i = 0; i < c->nregions; i++) {
        free_chunks(c, &c->region[i]);
    }
    enter_region(c, (c->cur + 1) % c->nregions);
    c->full = c->chunk_full = false;
}

/* ---- eviction ---- */

static bool lies_in(const TbCache *c, const void *p, unsigned region)
{
    return c->chunk[chunk_of(c, p)].region == region;
}

/* Takes the exits of the region's blocks out of a surviving block's list. */
static void forget_jumps_from(TbCache *c, Tb *to, unsigned region)
{
    for (TbRef *p = &to->incoming; *p;) {
        TbExit *x = tb_at(c, *p);
        if (lies_in(c, x, region)) {
            x->to = 0;
            *p = x->next_in;
        } else {
            p = &x->next_in;
        }
    }
}

/* Takes the region's blocks out of the page's list, and tells what is left. */
static void sweep_page(TbCache *c, TbPage *p, unsigned region)
{
    uint64_t left = 0;

    if (p->swept == c->evicted_regions) {
        return;
    }
    p->swept = c->evicted_regions;
    Tb *last = NULL;
    for (Tb *tb = p->list; tb; tb = tb_at(c, tb->page_next)) {
        if (lies_in(c, tb, region) || !tb->valid) {
            continue;
        }
        left |= tb_granules(tb->key, tb->size);
        if (last) {
            last->page_next = tb_ref(c, tb);
        } else {
            p->list = tb;
        }
        last = tb;
    }
    if (last) {
        last->page_next = 0;
    } else {
        p->list = NULL;
    }
    for (const TbExtra *x = p->extras; x; x = x->next) {
        left |= tb_granules(x->span.ram, x->span.size);
    }
    p->granules = left;
    if (!p->list && !p->extras) {
        atomic_fetch_and(&c->page_flags[p->number], (uint8_t)~TCG_PAGE_CODE);
    }
}

/* Nothing leads to the block or out of it any more. */
static void detach(TbCache *c, Tb *tb, unsigned region)
{
    for (TbExit *x = tb_at(c, tb->incoming); x; x = tb_at(c, x->next_in)) {
        if (!lies_in(c, x, region)) {
            tb_lead_to(c, x, x->stub_off);
            x->to = 0;
        }
    }
    tb->incoming = 0;
    for (unsigned i = 0; i < tb->nexits; i++) {
        Tb *to = tb_at(c, tb_exit(tb, i)->to);
        if (to && !lies_in(c, to, region)) {
            forget_jumps_from(c, to, region);
        }
    }
    sweep_page(c, c->pages[tb->key >> 12], region); /* which lists dropped blocks, too */
    if (!tb->valid) {
        return;
    }
    tb->valid = false;
    tb_unhash(c, tb);
    for (unsigned i = 0; i < tb->nextras; i++) {
        tb_unlink_extra(tb_extra(tb, i));
    }
    c->evicted_blocks++;
}

static void evict(TbCache *c, unsigned region)
{
    TbRegion *r = &c->region[region];

    c->evicted_regions++;
    for (Tb *tb = tb_first_in(c, r->first); tb; tb = tb_next_block(c, tb)) {
        detach(c, tb, region);
    }
    c->ops.forget_code(c->ops.opaque, r->from, r->to);
    free_chunks(c, r);
    atomic_fetch_add(&c->generation, 1);
}

static int empty_region(const TbCache *c)
{
    for (unsigned i = 0; i < c->nregions && c->nfree; i++) {
        if (!c->region[i].filled) {
            return (int)i;
        }
    }
    return -1;
}

static unsigned oldest_region(const TbCache *c)
{
    unsigned best = c->cur;

    for (unsigned i = 0; i < c->nregions; i++) {
        if (c->region[i].filled && c->region[i].filled < c->region[best].filled) {
            best = i;
        }
    }
    return best;
}

/* For statistics: not through the seam of nondet.h, which records what it hands out. */
static uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/* Room without dropping anything? */
static bool easy_room(TbCache *c)
{
    bool done = !c->full || (c->chunk_full && next_chunk(c));

    if (!done) {
        int i = empty_region(c);
        TbRegion *r = &c->region[c->cur];
        r->used = c->code ? bytes_here(c->code, r) : 0;
        if (i >= 0) {
            enter_region(c, i);
            done = true;
        }
    }
    if (done) {
        c->full = c->chunk_full = false;
    }
    return done;
}

void tb_make_room(TbCache *c, void *self)
{
    pthread_mutex_lock(&c->lock);
    bool done = easy_room(c);
    pthread_mutex_unlock(&c->lock);
    if (done) {
        return;
    }
    uint64_t begun = ticks();
    c->ops.exclusive_begin(c->ops.opaque, self);
    pthread_mutex_lock(&c->lock);
    if (!easy_room(c)) { /* nobody else was faster */
        unsigned i = oldest_region(c);
        evict(c, i);
        enter_region(c, i);
        c->full = c->chunk_full = false;
    }
    c->evict_ticks += ticks() - begun;
    pthread_mutex_unlock(&c->lock);
    c->ops.exclusive_end(c->ops.opaque, self);
}

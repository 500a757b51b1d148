/* SPDX-License-Identifier: MIT */
/*
 * The cache of translated blocks (tb_desc.h). Keyed by the RAM address of a block's first
 * byte and the mode it was built for, never by its virtual address: one translation of libc
 * serves every process.
 */
#ifndef TCG_TB_H
#define TCG_TB_H

#include <pthread.h>
#include <stdatomic.h>
#include "tcg/tb_desc.h"
#include "util/compiler.h"

/* ---- the cache of blocks ---- */

typedef struct TbPage {
    Tb *list;            /* blocks that begin here, by page_next */
    uint64_t granules;   /* bit n: some block covers bytes of the n-th 64-byte piece */
    TbExtra *extras;     /* other spans in this page */
    uint64_t number;     /* RAM address >> 12 */
    uint64_t swept;      /* TbCache.evicted_regions when it was last cleared of evicted blocks */
    /* stores beside code since the last drop, and how many are borne before the page's
     * blocks are dropped (doubles each time); racy counts do no harm */
    uint32_t data_stores, data_limit;
    struct TbPage *next; /* all there are */
} TbPage;

typedef struct TbCacheOps {
    /* Everyone else out of generated code. self: the calling vCPU or NULL. */
    void (*exclusive_begin)(void *opaque, void *self);
    void (*exclusive_end)(void *opaque, void *self);
    /* All vCPUs (parked or self): drop store translations of this host page. */
    void (*protect_page)(void *opaque, const uint8_t *host_page);
    /* All vCPUs: forget the addresses of host code in [from, to), offsets in the buffer. */
    void (*forget_code)(void *opaque, uint32_t from, uint32_t to);
    void *opaque;
} TbCacheOps;

struct CodeBuf;

/* Code buffer and descriptions are filled region by region; the oldest is emptied when
 * there is no other (tb_region.c). */
enum { TB_REGIONS = 16, TB_CHUNK = 128 * 1024, TB_UNIT = 32 };

typedef struct TbRegion {
    uint32_t from, to;   /* its part of the code buffer */
    uint32_t used;       /* host bytes in it, once it is full */
    uint64_t filled;     /* TbCache.fillings when its filling began; 0: empty */
    uint32_t first, last; /* its chunks, 1 + number; 0: none */
    uint32_t nchunks;
    /* by KiB of its code: the first block that ends behind that KiB's start, as TB_UNITs
     * from the arena's start */
    uint32_t n_index, *index;
} TbRegion;

/* A piece of the arena: block descriptions of one region, in the order of their code. */
typedef struct TbChunk {
    uint32_t used;       /* bytes of published descriptions */
    uint16_t next;       /* of the region, 1 + number; 0: none */
    uint8_t region;
} TbChunk;

typedef struct TbCache {
    pthread_mutex_t lock;      /* building and dropping blocks */
    _Atomic int chain_lock;    /* spin lock of exits and incoming lists; leaf code takes it */
    TbCacheOps ops;
    TbRef *hash;               /* 1 << TB_HASH_BITS buckets; read without lock */
    TbPage **pages;            /* by RAM page */
    TbPage *all_pages;
    uint64_t npages;
    _Atomic uint8_t *page_flags; /* TCG_PAGE_* by RAM page */
    uint8_t *ram_base;
    char *arena;               /* descriptions: Tb and what belongs to it */
    size_t arena_size;
    TbChunk *chunk;
    unsigned nchunks, nfree;
    uint16_t *free_chunk;      /* nfree numbers, a stack */
    uint32_t alloc_used;       /* bump pointer in the current region's last chunk */
    bool full, chunk_full;     /* a build failed for want of room, of room in its chunk */
    bool unfit;                /* the last one that failed can never be described (lock) */
    TbRegion region[TB_REGIONS];
    unsigned nregions, cur;    /* cur: the one being filled */
    uint64_t fillings;
    uint32_t region_chunks;    /* a region's most */
    struct CodeBuf *code;      /* NULL: no native back end */
    uint32_t trace_ids;         /* numbers of traces given out since the last flush */
    _Atomic uint64_t generation; /* counts evictions: held pointers are void after one */
    uint64_t loaded_insns, load_ticks; /* of blocks kept from an earlier run */
    uint64_t widened;          /* blocks made anew with more entries */
    uint64_t built, dropped, flushes, native_insns, native_bytes, guest_bytes;
    uint64_t evicted_regions, evicted_blocks, evict_ticks;
    uint64_t build_ticks; /* host TSC ticks spent building */
} TbCache;

enum { TB_HASH_BITS = 18 };

/* The code buffer is split into regions here, arena_size bytes (address space) hold the
 * descriptions. */
TbCache *tb_cache_create(uint64_t ram_max, uint8_t *ram_base, size_t arena_size,
                         struct CodeBuf *code, const TbCacheOps *ops);
void tb_cache_destroy(TbCache *c);

/* A page's blocks lie near each other: the buckets of code that runs share host pages and
 * cache lines. */
static inline unsigned tb_hash(uint64_t key, uint32_t mode)
{
    unsigned page = ((key >> 12) + mode) * 0x9e3779b97f4a7c15ull >> (64 - TB_HASH_BITS);
    return (page + (key >> 2 & 1023)) & ((1u << TB_HASH_BITS) - 1);
}

static inline void *tb_at(const TbCache *c, TbRef r)
{
    return r ? c->arena + ((size_t)(r - 1) << 2) : NULL;
}

static inline TbRef tb_ref(const TbCache *c, const void *p)
{
    return p ? (TbRef)(((const char *)p - c->arena) >> 2) + 1 : 0;
}

/* Finds a valid block. No lock. Leaf. */
static inline Tb *tb_find(const TbCache *c, uint64_t key, uint32_t mode)
{
    const TbRef *r = &c->hash[tb_hash(key, mode)];
    Tb *tb;

    while ((tb = tb_at(c, __atomic_load_n(r, __ATOMIC_ACQUIRE))) != NULL &&
           !(tb->key == key && tb->mode == mode && tb->valid)) {
        r = &tb->hash_next;
    }
    return tb;
}

/* The same for a block that was built for one code segment (place) and offset in it. */
static inline Tb *tb_find_at(const TbCache *c, uint64_t key, uint32_t mode, uint64_t place,
                             uint32_t pc)
{
    const TbRef *r = &c->hash[tb_hash(key, mode)];
    Tb *tb;

    while ((tb = tb_at(c, __atomic_load_n(r, __ATOMIC_ACQUIRE))) != NULL &&
           !(tb->key == key && tb->mode == mode && tb_place(tb).place == place &&
             tb_place(tb).pc == pc && tb->valid)) {
        r = &tb->hash_next;
    }
    return tb;
}

static inline void tb_chain_lock(TbCache *c)
{
    while (__atomic_exchange_n((int *)&c->chain_lock, 1, __ATOMIC_ACQUIRE)) {
    }
}

static inline void tb_chain_unlock(TbCache *c)
{
    __atomic_store_n((int *)&c->chain_lock, 0, __ATOMIC_RELEASE);
}

/* A block of ninsns instructions, zeroed but for that; NULL: no room. It and what is
 * allocated behind it stay if tb_insert follows while the lock is held. */
Tb *tb_new(TbCache *c, unsigned ninsns);
/* Host code has been made: its map (ninsns rows; the rows' flags have 3 bits, a row's
 * instruction at most 15 bytes) and room for nexits exits, to be filled in: target, stub_off,
 * jmp, flags. False: no room. */
MUST_USE bool tb_add_code(TbCache *c, Tb *tb, const TbInsn *map, unsigned nexits);
MUST_USE bool tb_set_place(TbCache *c, Tb *tb, uint64_t place, uint32_t pc);
/* Zeroed memory that belongs to the block begun last, NULL: no room. Lock held. */
void *tb_alloc(TbCache *c, size_t size);
/* A build failed for want of room: says so, lock held; and makes room, no lock held. All
 * blocks of the oldest region may be gone then. `self` as in exclusive_begin. */
static inline void tb_no_room(TbCache *c) { c->full = true; }
void tb_make_room(TbCache *c, void *self);
/* Makes the page of `ram_addr` a code page: stores to it are reported from now on. Called
 * without the lock, before the bytes are read; the builder then takes the lock and checks
 * that the page still has TCG_PAGE_CODE. Lock order: an exclusive section may wait for the
 * lock, a holder of the lock never waits for one. `self` as in exclusive_begin. */
void tb_watch_page(TbCache *c, uint64_t ram_addr, void *self);
/* The block was also made from these bytes, at most TB_MAX_SPANS - 1 ranges in any pages:
 * a store to them drops it. Between tb_new and tb_insert; lock held, all pages watched.
 * False: the arena is full. */
/* A number for a trace, other than those of all traces in the cache (lock held); 0: they are
 * used up until a flush, which also empties what is known by them. */
uint32_t tb_trace_number(TbCache *c);
MUST_USE bool tb_cover(TbCache *c, Tb *tb, const TbSpan *span, unsigned n);
/* Patches an exit to an entry (code offset) of a block, unless it has a target or the block
 * is gone. Takes the chain lock. Leaf. */
void tb_chain(TbCache *c, TbExit *x, Tb *to, uint32_t entry);
/* Publishes. Lock held. */
void tb_insert(TbCache *c, Tb *tb);
/* Drops one block, if it has not been dropped yet. Takes the lock. */
void tb_drop(TbCache *c, Tb *tb);
void tb_drop_locked(TbCache *c, Tb *tb); /* lock held */
/* A store hit [ram_addr, +len): drops the blocks that overlap. Returns whether any was.
 * Takes the lock. Others may be running such blocks and finish them. */
bool tb_invalidate(TbCache *c, uint64_t ram_addr, uint64_t len, void *self);
/* Would tb_invalidate drop something? Leaf, no lock; may say yes needlessly. */
static inline bool tb_may_hit(const TbCache *c, uint64_t ram_addr, uint64_t len)
{
    for (uint64_t a = ram_addr & ~63ull; a < ram_addr + len; a += 64) {
        const TbPage *p = __atomic_load_n(&c->pages[a >> 12], __ATOMIC_ACQUIRE);
        if (p && p->granules >> (a >> 6 & 63) & 1) {
            return true;
        }
    }
    return false;
}
/* Counts a store to a code page that hit no block. True: drop the page's blocks. Leaf. */
static inline bool tb_data_store(TbCache *c, uint64_t ram_addr)
{
    TbPage *p = __atomic_load_n(&c->pages[ram_addr >> 12], __ATOMIC_ACQUIRE);
    if (!p || ++p->data_stores < p->data_limit + 8) {
        return false;
    }
    p->data_stores = 0;
    p->data_limit = MIN(p->data_limit, 1u << 30) * 2 + 8;
    return true;
}
/* Bytes of host code that are kept. */
uint64_t tb_code_bytes(const TbCache *c);
/* Drops everything. No lock held. */
void tb_flush(TbCache *c, void *self);
/* The block whose host code holds this offset of the code buffer, or NULL. Leaf. */
Tb *tb_by_code(const TbCache *c, uint32_t code_off);

#endif

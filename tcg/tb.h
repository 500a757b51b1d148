/* SPDX-License-Identifier: MIT */
/*
 * A translated block. Keyed by the RAM address of its first byte and the mode it was
 * built for, never by its virtual address: one translation of libc serves every process.
 *
 * Written under tb_lock; read without it by vCPUs (fields that change after publishing
 * are marked).
 */
#ifndef TCG_TB_H
#define TCG_TB_H

#include <pthread.h>
#include <stdatomic.h>
#include "util/compiler.h"

struct X86Insn;
typedef struct Tb Tb;

/* A native block may go on behind a conditional jump: then it has an exit there. */
enum { TB_MAX_INSNS = 64, TB_MAX_SIDE = 3, TB_MAX_EXITS = TB_MAX_SIDE + 2 };

/* Guest bytes that a block was made from: a range of RAM within one page. */
typedef struct TbSpan {
    uint64_t ram;
    uint32_t size;
} TbSpan;

enum { TB_MAX_SPANS = 8 }; /* of a block, the one at its key included */

/* A span beyond the first, linked to its page (lock). */
typedef struct TbExtra {
    TbSpan span;
    Tb *tb;
    struct TbExtra *next, **link; /* the page's list; what points here */
} TbExtra;

/* A direct jump out of a block, patched to its target when that is known. */
typedef struct TbExit {
    Tb *tb;
    uint32_t jmp_off;     /* code offset of the rel32 to patch; 0 = no such exit */
    uint32_t stub_off;    /* code offset of the unchained stub */
    int32_t target;       /* target as offset from vbase */
    uint8_t flags_in_env; /* jump lands on entry_e (1) or entry_h (0) */
    uint8_t guarded;      /* into another page: lands on entry_x or entry_xh, r11 = the
                           * target's vbase */
    Tb *to;               /* patched to this block, or NULL */
    struct TbExit *next_in; /* to->incoming (chain_lock) */
} TbExit;

/* One guest instruction of a block: where it is in guest and host code. */
typedef struct TbInsn {
    uint16_t host;        /* offset of its first host instruction from tb->code_off, in
                           * bytes */
    uint16_t guest;       /* offset of the instruction from the block's first byte */
    uint8_t flags_in_env; /* where the guest's flags are at this boundary */
} TbInsn;

struct Tb {
    /* the first 32 bytes, which lie in one cache line: what lookup reads */
    uint64_t key;         /* RAM address of the first byte */
    Tb *hash_next;
    uint32_t mode;        /* mode bits of the key */
    uint16_t size;        /* guest bytes covered from the key on */
    uint16_t ninsns;
    bool valid;           /* cleared on invalidation; checked on lookup */
    bool crossing;        /* one instruction that ends in the next page (tb_tail) */
    bool guards_tail;     /* whose entries check that page: may be jumped to directly */
    bool next_crosses;    /* what follows may be a crossing one: no direct jump to it */
    bool large;           /* vbase is the 2 MiB region, not the 4 KiB page */
    uint32_t region_off;  /* offset of the first byte in its code region (vbase) */
    /* native code, offsets in the code buffer; code_end 0 = interpreted */
    uint32_t code_off, code_end;
    uint32_t entry_h;     /* direct entry, flags in EFLAGS */
    uint32_t entry_e;     /* direct entry, flags in env */
    uint32_t entry_x;     /* from another page, flags in env or dead: checks that the page
                           * in r11 is this one; 0 = none */
    uint32_t entry_xh;    /* the same, flags in EFLAGS */
    uint32_t entry_ind;   /* through the indirect hash (checks the PC; flags in env) */
    uint16_t group_fails; /* shared checks that had to be given up */
    uint16_t units;       /* length of the description, in TB_UNIT bytes */
    /* the rest */
    TbInsn *map;          /* ninsns rows: host to guest */
    TbExit *exit;         /* nexits of them */
    uint8_t nexits, nextras;
    TbExtra *extra;       /* nextras other spans (tb_cover) */
    TbExit *incoming;     /* exits patched to this block (chain_lock) */
    struct X86Insn *insns;   /* decoded, for the interpreter and helper calls; may be
                              * NULL for native blocks without any */
    const void *bytecode;    /* of the interpreter back end, or NULL */
    Tb *page_next;        /* list of the page's blocks */
    uint64_t execs;       /* statistics, interpreter only */
    /* further parts of the key, for code whose meaning depends on where it is (tb_find_at);
     * else 0 */
    uint64_t place;
    uint32_t pc;
};

/* RAM address of the page in which a crossing block's instruction ends. */
static inline uint64_t tb_tail(const Tb *tb)
{
    return tb->extra->span.ram;
}

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
    Tb **hash;                 /* 1 << TB_HASH_BITS buckets; read without lock */
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
    TbRegion region[TB_REGIONS];
    unsigned nregions, cur;    /* cur: the one being filled */
    uint64_t fillings;
    uint32_t region_chunks;    /* a region's most */
    struct CodeBuf *code;      /* NULL: no native back end */
    _Atomic uint64_t generation; /* counts evictions: held pointers are void after one */
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

/* Finds a valid block. No lock. Leaf. */
static inline Tb *tb_find(const TbCache *c, uint64_t key, uint32_t mode)
{
    uint64_t h = tb_hash(key, mode);
    for (Tb *tb = __atomic_load_n(&c->hash[h], __ATOMIC_ACQUIRE); tb;
         tb = __atomic_load_n(&tb->hash_next, __ATOMIC_ACQUIRE)) {
        if (tb->key == key && tb->mode == mode && tb->valid) {
            return tb;
        }
    }
    return NULL;
}

/* The same for a block that was built for one code segment (place) and offset in it. */
static inline Tb *tb_find_at(const TbCache *c, uint64_t key, uint32_t mode, uint64_t place,
                             uint32_t pc)
{
    uint64_t h = tb_hash(key, mode);
    for (Tb *tb = __atomic_load_n(&c->hash[h], __ATOMIC_ACQUIRE); tb;
         tb = __atomic_load_n(&tb->hash_next, __ATOMIC_ACQUIRE)) {
        if (tb->key == key && tb->mode == mode && tb->place == place && tb->pc == pc &&
            tb->valid) {
            return tb;
        }
    }
    return NULL;
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

/* A block with its map of ninsns rows, zeroed; NULL: no room. It and what is allocated
 * behind it stay if tb_insert follows while the lock is held. */
Tb *tb_new(TbCache *c, unsigned ninsns);
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
MUST_USE bool tb_cover(TbCache *c, Tb *tb, const TbSpan *span, unsigned n);
/* Publishes. Lock held. */
void tb_insert(TbCache *c, Tb *tb);
/* Drops one block, if it has not been dropped yet. Takes the lock. */
void tb_drop(TbCache *c, Tb *tb);
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
    p->data_limit = p->data_limit * 2 + 8;
    return true;
}
/* Bytes of host code that are kept. */
uint64_t tb_code_bytes(const TbCache *c);
/* Drops everything. No lock held. */
void tb_flush(TbCache *c, void *self);
/* The block whose host code holds this offset of the code buffer, or NULL. Leaf. */
Tb *tb_by_code(const TbCache *c, uint32_t code_off);

#endif

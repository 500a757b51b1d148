/* SPDX-License-Identifier: MIT */
/*
 * What generated code and the leaf run-time share, per vCPU: soft-TLB tables, the
 * indirect-branch hash, saved flags, exits. A TcgEnv lies at a fixed distance below the
 * vCPU's view of the code cache, so that generated code reaches it RIP-relative and all
 * vCPUs share one set of code bytes (TRANSLATOR.md, section 3).
 *
 * Only the vCPU's own thread touches it.
 */
#ifndef TCG_ENV_H
#define TCG_ENV_H

#include "util/compiler.h"

/* --- soft TLB: direct mapped, negated tags --- */
#define TLB_BITS 12
#define TLB_SIZE (1u << TLB_BITS)
#define TLB_PAGE_BITS 12
#define TLB_PAGE 4096u

/* addr + tag is the offset in the page on a hit, so one unsigned compare with
 * 4096 - size checks the page and that the access does not cross its end. */
typedef struct TlbEntry {
    uint64_t tag;   /* minus the virtual page address */
    uint64_t host;  /* host address of the page */
} TlbEntry;

/* Both words of an empty entry. Only a non-canonical guest address can match it, and the
 * host address it then gives is non-canonical too: a host fault, resolved exactly. */
#define TLB_EMPTY 0x8000000000000000ull

enum { TLB_FILLED_MAX = 254, TLB_LARGE_WORDS = 8, TLB_SEVERAL = 0xffff };

typedef struct TlbTable {
    TlbEntry e[TLB_SIZE];
    /* which entries were filled since the table was last cleared, so that a flush of a
     * little used table is cheap; more than TLB_FILLED_MAX: all may be */
    uint16_t nfilled, filled[TLB_FILLED_MAX];
    uint64_t huge;    /* 1 GiB regions (modulo 64) with pieces of pages beyond 2 MiB */
    uint64_t large[TLB_LARGE_WORDS]; /* 2 MiB regions (a hash) with pieces of such pages */
    /* tables for stores: 1 + the entry that leads to host pages of this hash; TLB_SEVERAL:
     * any may; 0: none */
    uint16_t by_host[TLB_SIZE];
} TlbTable;

static ALWAYS_INLINE TlbEntry *tlb_entry(TlbTable *t, uint64_t lin)
{
    return &t->e[(lin >> TLB_PAGE_BITS) & (TLB_SIZE - 1)];
}

/* --- indirect branches: guest PC to host entry --- */
#define JMP_BITS 16
#define JMP_SIZE (1u << JMP_BITS)
enum { JMP_FILLED_MAX = 4094 };

typedef struct JmpEntry {
    uint64_t pc;    /* guest linear PC; JMP_EMPTY never matches */
    uint64_t host;  /* offset of the block's indirect entry is added to the view by the
                     * filler: absolute host address in this vCPU's view */
} JmpEntry;

/* 2^32 / golden ratio, odd: the index is the product's high bits. Generated code makes it
 * with one multiplication (template_flow.c). */
#define JMP_FACTOR 0x9e3779b1u
static ALWAYS_INLINE unsigned jmp_index(uint64_t pc)
{
    return (uint32_t)pc * JMP_FACTOR >> (32 - JMP_BITS);
}

/* --- jumps between pages: which virtual page a RAM page with code is mapped at, for user
 * code of the current address space. Index: low bits of the RAM page number; the bits
 * above them are added to the (page-aligned) address. --- */
#define CODE_MAP_BITS 13
#define CODE_MAP_SIZE (1u << CODE_MAP_BITS)
#define CODE_MAP_MAX_RAM (1ull << (CODE_MAP_BITS + 12 + 12))
#define CODE_MAP_EMPTY 0x8000000000000000ull
static ALWAYS_INLINE unsigned code_map_index(uint64_t ram_addr)
{
    return ram_addr >> 12 & (CODE_MAP_SIZE - 1);
}
static ALWAYS_INLINE uint64_t code_map_tag(uint64_t ram_addr)
{
    return ram_addr >> (12 + CODE_MAP_BITS);
}

/* --- traces: trace_map[index of its number] = vbase + tag of its number if all its pages
 * are where they were when it was recorded, relative to vbase. --- */
#define TRACE_MAP_BITS 12
#define TRACE_MAP_SIZE (1u << TRACE_MAP_BITS)
#define TRACE_IDS (1u << 2 * TRACE_MAP_BITS) /* as many numbers differ in index or tag */
static ALWAYS_INLINE unsigned trace_map_index(uint32_t id)
{
    return id & (TRACE_MAP_SIZE - 1);
}
static ALWAYS_INLINE unsigned trace_map_tag(uint32_t id)
{
    return id >> TRACE_MAP_BITS & (TRACE_MAP_SIZE - 1);
}

#define HOT_BITS 12
#define HOT_SIZE (1u << HOT_BITS)
static ALWAYS_INLINE unsigned hot_index(uint64_t key)
{
    return (uint32_t)(key ^ key >> 13) * 0x9e3779b1u >> (32 - HOT_BITS);
}

/* Of a page by its address, in filters of the pages of which a map or a hash has entries. */
#define CODE_PAGES 8192u
static ALWAYS_INLINE unsigned code_page_hash(uint64_t lin)
{
    return (lin >> 12 ^ lin >> 25) & (CODE_PAGES - 1);
}

/* Which entries of such a map were filled since it was last emptied: emptying a little used
 * one is cheap. More than TCG_LISTED: all may be. */
enum { TCG_LISTED = 1022 };
typedef struct TcgList {
    uint32_t n;
    uint16_t filled[TCG_LISTED];
} TcgList;

/* Never a guest PC: not canonical. */
#define JMP_EMPTY 0x8000000000000001ull

typedef struct JmpTable {
    JmpEntry e[JMP_SIZE];
    uint16_t nfilled, filled[JMP_FILLED_MAX]; /* as a TlbTable's */
    uint32_t mode;          /* mode bits all its blocks were looked up for */
    uint64_t pages[CODE_PAGES / 64]; /* filter of the virtual pages it has entries for */
} JmpTable;

enum { WIN_USER_ASK = 2 };  /* win_user: tell it again */

enum { RETURNS_VOID = -1 };
enum { TCG_NMMU = 3 };   /* privilege classes of data accesses */

/* Twin runs: the RAM pages stored to since the log was emptied. While a page is not `seen`
 * no vCPU holds a store translation of it (softmmu_drop_stores, window_drop_stores). */
typedef struct TcgPageLog {
    uint8_t *ram_base;
    uint8_t *seen;      /* by page */
    uint32_t *page;     /* numbers, n of them */
    uint32_t n, max;    /* n > max: some are missing, look at seen */
} TcgPageLog;

static inline void tcg_page_log(TcgPageLog *l, uint64_t page)
{
    if (!l->seen[page]) {
        l->seen[page] = 1;
        if (l->n < l->max) {
            l->page[l->n] = page;
        }
        l->n += l->n <= l->max;
    }
}

/* Counters of the windows (target-x86/window.h); ticks are the host TSC's. */
typedef struct WinStats {
    uint64_t roots, fills, pages, resyncs, dropped, wiped, moved, given_up, refused,
        pauses;
    uint64_t fill_ticks, resync_ticks, user_ticks, wrong_guesses;
} WinStats;

/* A kick that did not hit a guest boundary: the host executes a copy that ends in a trap, or
 * single-steps (target-x86/native_step.c). */
enum { STEP_NOT, STEP_COPIED, STEP_TRAP };
enum { TCG_STEP_PADS = 24 };

struct TlbSet;
typedef struct TcgEnv TcgEnv;
struct TcgEnv {
    TlbTable *rd, *wr;          /* tables of the current privilege class */
    JmpTable *jmp;              /* hash of the current mode */
    uint64_t vbase;             /* virtual address of the code region (page) in which the
                                 * current block lies */
    uint32_t cc;                /* guest status flags while they are not in the host's
                                 * EFLAGS: LAHF's AH in bits 15..8, OF in bit 0; the rest
                                 * is anything. Written and read as 32 bits: a load of
                                 * another size than the store waits for the cache */
    uint32_t stub_cc;           /* the same at a block's stub (thunks.c) */
    int32_t pauses;             /* PAUSEs until the next one that yields */
    uint64_t scratch[4];        /* [0] where a thunk jumps, [1] its hash entry (r10),
                                 * [2] its linear address (r11) */
    uint64_t host_rsp;          /* C stack at entry to generated code */
    /* generated code's own stack, of guest calls that have not returned
     * (target-x86/returns.h): where it is while C runs, where it is when it is empty, and
     * the guard page at its end */
    uint64_t ret_sp, ret_base, ret_guard;
    const void *ret_jmp;        /* what its entries are good for: hash, */
    uint64_t ret_seq;           /* tlb_seq, */
    uint32_t ret_mode;          /* and block mode, or RETURNS_VOID */
    void *thunk[12];            /* C functions called by the thunks (TCG_FN_*) */
    uint64_t ret;               /* where the memory thunk goes instead of back, or 0 */
    uint64_t site;              /* host return address of the slow path under way: from it
                                 * the guest instruction is known if it faults; or 0 */
    uint8_t punt;               /* left generated code by a host fault: the instruction at
                                 * RIP is to be executed by its reference function */
    uint8_t stepping;           /* STEP_*: how the host comes to the next guest boundary */
    uint8_t bounce[128] __attribute__((aligned(64))); /* page-crossing loads */

    TlbTable *tlb_rd[TCG_NMMU], *tlb_wr[TCG_NMMU]; /* of the current address space */
    void *cpu;                  /* the guest CPU struct */

    /* self-modifying code: a byte per RAM page, TCG_PAGE_*; shared by all vCPUs */
    _Atomic uint8_t *page_flags;
    /* Guest stored to a page with TCG_PAGE_CODE: drop blocks that overlap. Leaf. */
    void (*code_written)(struct TcgEnv *env, uint64_t ram_addr, uint64_t len);

    TcgPageLog *page_log;       /* NULL: none */
    struct TlbSet *tlb_set;     /* softmmu's own */
    /* windows (target-x86/window.h) */
    struct WinSet *win;         /* NULL: none on this vCPU */
    WinStats win_stats;
    uint64_t win_delta[2];      /* host minus guest address in ranges B and A */
    uint64_t win_fs;            /* FS base of code that uses windows; 0: C's will do */
    uint64_t host_fs;           /* C's FS base (util/fsbase.h) */
    uint64_t win_missed;        /* last address in neither range */
    uint32_t win_misses;
    uint16_t win_a;             /* range A: address >> 38 */
    uint8_t win_user;           /* data accesses are the user's, as last told to it */

    uint64_t vsib_limit;        /* elements of an index vector below it are small, */
    uint64_t vsib_high[2][4];   /* and have none of these bits: doublewords, quadwords */

    uint64_t code_map[CODE_MAP_SIZE];
    TcgList code_list;
    uint64_t code_pages[CODE_PAGES / 64]; /* filter of the pages in it and in trace_map */
    uint64_t guard_misses;
    /* tier 2: for which vbase all pages of a trace have been seen, and executions left
     * until a block becomes a trace's head */
    uint64_t trace_map[TRACE_MAP_SIZE];
    TcgList trace_list;
    int32_t hot[HOT_SIZE];
    uint64_t hot_since;         /* host TSC when counting began */
    uint64_t traces, trace_insns, trace_short, trace_ticks;

    void *jmp_miss;             /* host address an empty hash entry leads to */
    /* counters: rows of tcg/counters.c say what each means */
    uint64_t fill[TCG_NMMU][2]; /* [.][1]: for a store */
    uint64_t tlb_seq;           /* counts what voids translations, of any kind */
    uint64_t rings;             /* changes between user and kernel accesses */
    uint64_t flushes, page_flushes, slow_mem, slow_mmio, slow_cross, slow_cross_store,
        slow_watch, slow_group, heavy, punts, execs, steps, interpreted, dispatches,
        chains, chain_refusals, hash_hits, hash_misses, hash_fills, hash_clears, kicks,
        step_traps, leaves, smc;
    uint64_t asides;
    uint32_t step_from;         /* STEP_COPIED: the copy is of what lies at this code offset, */
    uint32_t step_pad[TCG_STEP_PADS]; /* its branches lead there */
};

enum {
    TCG_PAGE_CODE = 1,     /* has translated blocks: no direct stores */
    TCG_PAGE_STORED = 2,   /* some vCPU may hold a store translation of it */
    TCG_PAGE_BACKED = 4,   /* first page of a chunk that the host was asked to back */
    TCG_PAGE_WINDOW = 8,   /* some vCPU may have it in a window to be stored to */
};

enum { TCG_FN_MEM, TCG_FN_EXEC, TCG_FN_DISPATCH, TCG_FN_CHAIN, TCG_FN_ABORT, TCG_FN_SYSCALL,
       TCG_FN_SYSRET, TCG_FN_STRING, TCG_FN_GUARD, TCG_FN_STUB };

#endif

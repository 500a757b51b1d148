/* SPDX-License-Identifier: MIT */
/*
 * The description of a translated block. There may be hundreds of thousands: it is made of
 * as few bytes as that takes. Behind the Tb, and found by offsets from it, lie its exits,
 * then its map, and what few blocks have.
 *
 * Written under the cache's lock; read without it by vCPUs (fields that change after
 * publishing are marked).
 */
#ifndef TCG_TB_DESC_H
#define TCG_TB_DESC_H

#include "util/compiler.h"

struct X86Insn;
typedef struct Tb Tb;

/* Something in the arena: 1 + its offset in units of 4 bytes; 0: nothing. */
typedef uint32_t TbRef;

/* A native block may go on behind a conditional jump: then it has an exit there. */
enum { TB_MAX_INSNS = 64, TB_MAX_SIDE = 3,
       TB_MAX_TRACE = 2400 /* instructions of a trace */,
       TB_MAX_EXITS = TB_MAX_TRACE + 1 /* one each, and its end */ };

/* Guest bytes that a block was made from: a range of RAM within one page. */
typedef struct TbSpan {
    uint64_t ram;
    uint32_t size;
} TbSpan;

enum { TB_MAX_SPANS = 48 }; /* of a block, the one at its key included */

/* A span beyond the first, linked to its page (lock). */
typedef struct TbExtra {
    TbSpan span;
    Tb *tb;
    struct TbExtra *next, **link; /* the page's list; what points here */
} TbExtra;

/* A direct jump out of a block, patched to its target when that is known. */
typedef struct TbExit {
    int32_t target;       /* as offset from vbase */
    uint32_t stub_off;    /* code offset of the unchained stub */
    TbRef to;             /* patched to this block (chain_lock) */
    TbRef next_in;        /* to->incoming (chain_lock) */
    uint16_t jmp;         /* of the rel32 to patch, from the block's code_off; with
                           * TB_EXIT_COLD from there to stub_off */
    uint16_t back : 14;   /* from the Tb to here, in units of 4 bytes */
    uint16_t flags_in_env : 1; /* jump lands on entry_e (1) or entry_h (0) */
    uint16_t guarded : 1; /* into another page: lands on entry_x or entry_xh, r11 = the
                           * target's vbase */
} TbExit;

enum { TB_EXIT_COLD = 0x8000 };
enum { TB_COUNT = 13 };

/* One guest instruction of a block: where it is in guest and host code. */
typedef struct TbInsn {
    uint16_t host;        /* offset of its first host instruction from tb->code_off, in
                           * bytes */
    uint16_t guest;       /* offset of the instruction from the block's first byte */
    uint8_t flags_in_env; /* where the guest's flags are at this boundary (3 bits) */
} TbInsn;

/* Such rows are kept packed: for each instruction a byte with the guest instruction's length
 * in bits 7..4 and flags_in_env below, then its host code's in a byte, or 255 and 16 bits.
 * Ahead of them 16 bits: the first one's `host`. */

/* Tier 2: where the instructions of a hot trace are, which are not in a row. */
typedef struct TbTraceInsn {
    int32_t off;          /* from vbase, the trace's first page */
    uint32_t page : 28;   /* RAM page number */
    uint32_t site : 4;    /* where its memory operand was seen (WIN_SITE_*) */
} TbTraceInsn;

typedef struct TbTrace {
    uint32_t entry_loop;  /* code offset where a further round of a loop begins */
    uint16_t peeled;      /* instructions of the first round, which comes but once; or 0 */
    uint32_t id;          /* TRACE_MAP: which entry says that all its pages are there */
    int32_t end;          /* where it goes on, from vbase */
    uint16_t loop_exit;   /* 1 + the number of the exit to its own beginning, or 0 */
    uint16_t npages, page_at; /* rows of insn[] from there */
    bool in_b;            /* vbase lies in window range B (window.h), for sure */
    uint8_t waits;        /* entries that found a page not mapped (racy) */
    TbTraceInsn insn[];   /* as many as the block has, at least; then where each page is,
                           * and its RAM page; a row of its own; and, 16 bits each, how far
                           * the stack pointer is behind at each instruction's begin */
} TbTrace;

static inline int16_t *tb_trace_late(const TbTrace *tr)
{
    return (int16_t *)(tr->insn + tr->page_at + tr->npages + 1);
}

struct Tb {
    /* the first 32 bytes, which lie in one cache line: what lookup reads */
    uint64_t key;         /* RAM address of the first byte */
    TbRef hash_next;
    uint32_t mode;        /* mode bits of the key */
    uint16_t size;        /* guest bytes covered from the key on */
    uint16_t ninsns;
    bool valid;           /* cleared on invalidation; checked on lookup */
    bool crossing : 1;    /* one instruction that ends in the next page (tb_tail) */
    bool guards_tail : 1; /* whose entries check that page: may be jumped to directly */
    bool next_crosses : 1; /* what follows may be a crossing one: no direct jump to it */
    bool large : 1;       /* vbase is the 2 MiB region, not the 4 KiB page */
    bool inner : 1;       /* no entries but entry_e and entry_h: not for the hash, which code_off
                           * is else, not from other pages */
    bool counts : 1;      /* TB_COUNT bytes before entry_e executions are counted (tier 2):
                           * flags in env or dead */
    uint8_t group_fails;  /* shared checks that had to be given up */
    uint8_t nextras;
    uint32_t region_off;  /* offset of the first byte in its code region (vbase) */
    uint32_t code_off;    /* native code, offsets in the code buffer: it begins with the */
    uint32_t code_end;    /* entry for the indirect hash (checks the PC; flags in env), unless
                           * `inner`. code_end 0: interpreted */
    union {
        struct {
            uint32_t entry_h;  /* direct entry, flags in EFLAGS */
            uint32_t entry_e;  /* direct entry, flags in env */
            uint32_t entry_x;  /* from another page, flags in env or dead: checks that the
                                * page in r11 is this one; 0 = none */
            uint32_t entry_xh; /* the same, flags in EFLAGS */
        };
        struct {               /* interpreted blocks */
            struct X86Insn *insns;
            const void *bytecode;
        };
    };
    TbRef incoming;       /* exits patched to this block (chain_lock) */
    TbRef page_next;      /* list of the page's blocks */
    uint16_t nexits;
    uint16_t units;       /* length of the description, in TB_UNIT bytes */
    /* in units of 4 bytes from here; 0: none */
    uint16_t exit_at, extra_at, place_at, trace_at;
};

/* Further parts of the key, for code whose meaning depends on where it is (tb_find_at). */
typedef struct TbPlace {
    uint64_t place;
    uint32_t pc;
} TbPlace;

/* The code of a block that the jump hash leads to begins at a multiple of 16 bytes (tb_cache.c
 * patches it); fields that are patched want 4. */
static inline unsigned tb_align(const Tb *tb) { return tb->inner ? 4 : 16; }

static inline void *tb_part(const Tb *tb, uint16_t at)
{
    return (char *)(uintptr_t)tb + at * 4u;
}

static inline TbExit *tb_exit(const Tb *tb, unsigned i)
{
    return (TbExit *)tb_part(tb, tb->exit_at) + i;
}

static inline Tb *tb_of_exit(const TbExit *x)
{
    return (Tb *)((char *)(uintptr_t)x - x->back * 4u);
}

/* Code offset of the rel32 to patch. */
static inline uint32_t tb_exit_jmp(const TbExit *x)
{
    return x->jmp & TB_EXIT_COLD ? x->stub_off - (x->jmp & ~TB_EXIT_COLD)
                                 : tb_of_exit(x)->code_off + x->jmp;
}

static inline TbExtra *tb_extra(const Tb *tb, unsigned i)
{
    return (TbExtra *)tb_part(tb, tb->extra_at) + i;
}

/* All zero if the block has none. */
static inline TbPlace tb_place(const Tb *tb)
{
    return tb->place_at ? *(TbPlace *)tb_part(tb, tb->place_at) : (TbPlace){ 0, 0 };
}

/* NULL: a block of tier 1. */
static inline TbTrace *tb_trace(const Tb *tb)
{
    return tb->trace_at ? tb_part(tb, tb->trace_at) : NULL;
}

/* RAM address of the page in which a crossing block's instruction ends. */
static inline uint64_t tb_tail(const Tb *tb)
{
    return tb_extra(tb, 0)->span.ram;
}

/* Unpacks the map: instruction i, or the one whose host code holds code offset `off` if
 * that comes first (an offset in the entries is the first one's). Returns its number. Leaf,
 * signal context. */
static inline unsigned tb_insn(const Tb *tb, unsigned i, uint32_t off, TbInsn *m)
{
    const uint8_t *p = (const uint8_t *)tb_exit(tb, tb->nexits);
    unsigned n = 0, host = p[0] | p[1] << 8, guest = 0;

    for (p += 2;; n++) {
        unsigned len = p[1];
        unsigned skip = 2;
        if (len == 255) {
            len = p[2] | p[3] << 8;
            skip = 4;
        }
        if (n + 1u >= tb->ninsns || n == i || off < tb->code_off + host + len) {
            *m = (TbInsn){ host, guest, p[0] & 7 };
            return n;
        }
        host += len;
        guest += p[0] >> 4;
        p += skip;
    }
}

static inline unsigned tb_insn_at(const Tb *tb, uint32_t off, TbInsn *m)
{
    return tb_insn(tb, UINT16_MAX, off, m);
}

/* Where instruction i, row m of the map, begins: offset from vbase, and RAM address. */
static inline int64_t tb_insn_off(const Tb *tb, unsigned i, const TbInsn *m)
{
    return tb->trace_at ? tb_trace(tb)->insn[i].off : (int64_t)tb->region_off + m->guest;
}
static inline uint64_t tb_insn_ram(const Tb *tb, unsigned i, const TbInsn *m)
{
    const TbTraceInsn *n = tb->trace_at ? &tb_trace(tb)->insn[i] : NULL;
    return n ? (uint64_t)n->page << 12 | (n->off & 4095) : tb->key + m->guest;
}
/* What the guest's stack pointer is beyond its host register at the begin of instruction i
 * and where it accesses memory. */
static inline int tb_insn_late(const Tb *tb, unsigned i)
{
    return tb->trace_at ? tb_trace_late(tb_trace(tb))[i] : 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The windows' own types, for window*.c alone. */
#ifndef TARGET_X86_WINDOW_INT_H
#define TARGET_X86_WINDOW_INT_H

#include "target-x86/window.h"

enum {
    WIN_ROOTS = 24,          /* roots remembered per vCPU */
    WIN_PAGES = 49152,       /* pages mapped of one root */
    WIN_BUCKETS = 8192,
    WIN_VMAS = 48000,        /* mappings that the host has of all of them: Linux allows a
                              * process 65,530 (vm.max_map_count) */
    WIN_SLACK = 8000,        /* and what may come of cutting runs in pieces */
    WIN_AROUND = 15,         /* pages mapped with one that faulted, up and down, at most */
    WIN_GONE = 512,          /* pages collected before they are unmapped, runs at once */
    WIN_PIECES = 128,        /* of 2 MiB, remembered in a resync */
    WIN_PEND = 32,           /* pages to look at before the root runs; more: all of them */
};

enum {
    WP_WRITE = 1,
    WP_LARGE = 2,
    WP_PIECE = 4,            /* 4 KiB of a large guest page: goes with all of it */
};

typedef struct WinPage {
    uint64_t page;           /* guest address, 4 KiB or 2 MiB aligned, and WP_* */
    uint64_t ram;            /* offset in the RAM file */
    uint32_t next;           /* in its bucket, or ~0 */
} WinPage;

typedef struct WinRoot {
    uint64_t root;           /* CR3 without its low 12 bits */
    uint32_t pcid;           /* under which its mappings were last right */
    bool used, on, stale;
    uint16_t a_index;        /* range A: addr >> WIN_A_SHIFT, or WIN_A_NONE */
    uint64_t stamp;          /* last switched to */
    uint64_t user, cost;     /* host TSC ticks: at CPL 3, for its mappings */
    uint64_t redo;           /* estimate in ticks: pages dropped, which will be mapped again */
    uint64_t check_user, check_redo; /* values at the last review */
    uint64_t start_user, start_cost; /* and at the last long one */
    bool strike;             /* the last review was bad */
    bool full;               /* there was no room for all its pages, and it used many since */
    uint64_t full_cost, full_user;   /* the last time that was so */
    unsigned losses, check_losses;   /* flushes that took pages away */
    uint64_t wait, retry;    /* user ticks at which it may get windows (again), how long it
                              * waits if they are given up */
    uint64_t text, text_ram; /* a page where its program ran and that page's RAM; 0: not known */
    uint64_t stack;          /* and one of its stack's */
    uint64_t asked;          /* `user` when settled() last looked, */
    uint32_t faults;         /* and page faults in it since */
    uint32_t traces;         /* recorded in it (trace.c), */
    uint64_t traced;         /* the last one at this value of `user` */
    uint64_t fault_user;     /* `user` at the last page fault; */
    unsigned burst;          /* faults up to then that followed each other closely; */
    bool paused;             /* window_pace.c: soft TLB for a moment, nothing is wiped */
    uint8_t *area[2];        /* host address of the range's first byte, or NULL */
    unsigned miss_limit;     /* accesses outside both ranges before A moves */
    unsigned n, npieces;     /* npieces: of the root's life, not of now */
    int vmas;                /* the root's part of window_vmas */
    unsigned npend;
    uint64_t pend[WIN_PEND]; /* guest pages to look at: voided by INVLPG, or the guest has
                              * just served a fault there */
    WinPage *pages;          /* WIN_PAGES */
    uint32_t *bucket;        /* WIN_BUCKETS */
} WinRoot;

/* What a resync knows of a 2 MiB piece of guest addresses. */
typedef struct WinPiece {
    uint64_t at;             /* guest address / 2 MiB, or ~0 */
    const volatile uint64_t *table; /* its page table, if that is RAM and the entries above it
                              * are as a mapped page's must be; or NULL */
    uint64_t large;          /* else the entry that maps it as one page; or 0 */
    bool write;              /* R/W at every level above that one */
} WinPiece;

/* For window_same(), during one resync. */
typedef struct WinSame {
    X86Cpu *cpu;
    const uint8_t *ram_base;
    uint64_t upper, leaf;    /* bits that matter of entries above the leaf, of leaves */
    const struct FlatRange *ram; /* where the last page lay, or NULL */
    WinPiece piece[WIN_PIECES];
} WinSame;

struct WinSet {
    unsigned policy;
    unsigned max_on;         /* roots with areas at a time */
    bool in_user;
    bool alarm;              /* CPU_REQ_ALARM will come */
    bool crowded;            /* the host has no room for another mapping */
    WinRoot root[WIN_ROOTS];
    WinRoot *cur;
    uint64_t stamp, since;   /* since: TSC at the last transition to user */
    uint32_t faults;         /* cpu->user_faults then */
    unsigned ngone;
    uint64_t gone[WIN_GONE]; /* of the current root: off the list, not unmapped yet */
    WinSame same;
    int ram_fd;
    const uint8_t *ram_base;
    WinStats *stats;         /* of the vCPU's TcgEnv */
};

/* May range A lie there? */
static inline bool in_a(uint64_t addr)
{
    return addr >> 47 == 0 && addr >> WIN_B_SHIFT != WIN_B_INDEX;
}

/* A range's size, its first guest address in a root. */
static inline uint64_t range_size(unsigned k)
{
    return 1ull << (k ? WIN_A_SHIFT : WIN_B_SHIFT);
}
static inline uint64_t range_start(const WinRoot *r, unsigned k)
{
    return k ? (uint64_t)r->a_index << WIN_A_SHIFT : (uint64_t)WIN_B_INDEX << WIN_B_SHIFT;
}

/* Host address of a guest one, NULL outside the areas. */
static inline uint8_t *host_of(const WinRoot *r, uint64_t gva)
{
    for (unsigned k = 0; k < 2; k++) {
        uint64_t off = gva - range_start(r, k);
        if (r->area[k] && off < range_size(k)) {
            return r->area[k] + off;
        }
    }
    return NULL;
}

/* Does the root's user code run with windows now? */
static inline bool window_active(const WinRoot *r) { return r->on && !r->paused; }
/* At the end of a stretch of user code, `user` counted: pauses, or ends a pause. faulted: a
 * page fault ended it. */
void window_pace(const WinSet *w, WinRoot *r, bool faulted);
/* User code begins or goes on: during a pause an alarm looks whether it is over. */
void window_pace_watch(X86Cpu *cpu, WinSet *w);

/* ---- the list of a root's pages (window_list.c). Leaf. ---- */

static inline uint64_t win_page_size(const WinPage *p)
{
    return p->page & WP_LARGE ? 2 * MiB : 4096;
}

static inline uint64_t win_page_addr(const WinPage *p) { return p->page & ~4095ull; }

/* The page that covers a guest address, or NULL. */
WinPage *window_find(WinRoot *r, uint64_t gva);
/* n pages of 4 KiB, or one of 2 MiB, from a guest address and an offset of RAM on have been
 * mapped by one call, where nothing was in the list. There is room for them. */
void window_note(WinRoot *r, uint64_t page, unsigned flags, uint64_t ram, unsigned n);
/* A page's mapping may be written to from now on, or not. */
void window_note_rights(WinRoot *r, WinPage *p, bool write);
/* Takes page i off the list; the last one moves to its place. */
void window_forget(WinRoot *r, uint32_t i);
/* All of them; also makes a list that is fresh memory. */
void window_forget_all(WinRoot *r);

/* ---- which mappings are still true (window_same.c). Leaf. ---- */

/* Lie n bytes of guest-physical memory, all of them, in this range (or NULL), and is it RAM or ROM? */
bool window_within(const struct FlatRange *m, uint64_t gpa, uint64_t n);
/* Begins a resync of the current root. False: paging is not what window_same() can look at. */
bool window_same_begin(X86Cpu *cpu, WinSet *w);
/* The first page from i on that may not be as the page tables say; r->n: there is none. */
uint32_t window_same(WinSame *s, const WinRoot *r, uint32_t i);

/* ---- the host's side (window_area.c). Leaf. ---- */

/* Maps n bytes of the RAM file, or of nothing, at a place of an area; false: the host does not. */
bool window_map(uint8_t *at, uint64_t n, int prot, int flags, int fd, uint64_t off);
/* May areas be holes (window_area.c)? */
extern bool window_holes;
/* Back to inaccessible. */
void window_unmap(uint8_t *at, uint64_t n);
bool window_rights(uint8_t *at, uint64_t n, int prot);
/* Zeroed memory; NULL: there is none. */
void *window_memory(uint64_t n);
/* A share of the process's address space for one more root; false: none is left. */
bool window_claim(void);
/* Reserves the area of range k; false: the host does not. */
bool window_reserve(WinRoot *r, unsigned k);
/* The root is without windows: nothing is mapped, the areas are the host's again. */
void window_release(WinRoot *r);
/* Has the root's program ended? Linux clears the directory's entries then; if that page is used for
 * something else already, this says no more than that it is not known. */
bool window_ended(X86Cpu *cpu, const WinRoot *r);
/* The root's program has ended. Its thousands of mappings take 7 ms of a vCPU to go (xz), so the
 * prefault thread does it. They count until then. */
void window_bury(WinRoot *r);

/* Mappings (VMAs) that the host's kernel has because of pages in lists, exactly: neighbours
 * that go on in RAM with the same rights are one. */
extern _Atomic int window_vmas;

/* Bytes of address space a root with windows may come to reserve, and what all of them
 * have been granted and may be. 64 vCPUs want more than the 128 TiB there are (112 under
 * ASan), and `ulimit -v` may leave less. */
#define WIN_ROOT_SPACE ((1ull << WIN_B_SHIFT) + (1ull << WIN_A_SHIFT) + 4 * WIN_MARGIN)
#define WIN_SPACE_MOST (96 * 1024 * GiB)
extern _Atomic uint64_t window_space, window_space_most;

#endif

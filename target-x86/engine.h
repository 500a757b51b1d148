/* SPDX-License-Identifier: MIT */
/*
 * The software engine for x86 guests: what accel/tcg runs on each vCPU's thread.
 *
 *   engine.c       the loop: events, find a block, run it (leaf)
 *   build.c        decodes a block, hands it to the template translator (heavy)
 *   template*.c    guest rows to host code
 *   softmmu.c      soft TLB
 */
#ifndef TARGET_X86_ENGINE_H
#define TARGET_X86_ENGINE_H

#include "target-x86/cpu.h"
#include "target-x86/insn.h"
#include "tcg/env.h"
#include "tcg/tb.h"

/* hflags that are part of a block's key. CPL is not: what depends on it is checked when
 * executed. TF, breakpoints and the interrupt shadow are handled by single steps. */
#define X86_KEY_MASK                                                                       \
    ((uint32_t)(HF_CS64 | HF_CS32 | HF_SS32 | HF_PE | HF_VM | HF_LMA | HF_SEGCHK | HF_EM | \
                HF_TS | HF_MP | HF_OSFXSR | HF_AVX | HF_AVX512 | HF_AC))
#define X86_KEY_LARGE BIT(31)  /* vbase counts in 2 MiB regions */
#define X86_KEY_CPL0 BIT(30)   /* runs at CPL 0 */
#define X86_KEY_SMAP BIT(29)   /* CR4.SMAP */
#define X86_KEY_TSD BIT(28)    /* CR4.TSD */
#define X86_KEY_WIN BIT(27)    /* memory through windows (window.h) */
#define X86_STEP_MASK ((uint32_t)(HF_TF | HF_DBG | HF_SHADOW))

/* Mode bits of the key for the vCPU as it is (X86_KEY_LARGE comes from the fetch). */
static inline uint32_t x86_block_mode(const X86Cpu *cpu)
{
    /* 64-bit code does not depend on SS.B or flat segments, and SS varies (null after an
     * interrupt, flat after SYSCALL) */
    uint32_t mask = cpu->hflags & HF_CS64
                        ? X86_KEY_MASK & ~(uint32_t)(HF_SS32 | HF_SEGCHK)
                        : X86_KEY_MASK;
    return (cpu->hflags & mask) | (cpu->st.cpl ? 0 : X86_KEY_CPL0) |
           (cpu->st.cr4 & CR4_SMAP ? X86_KEY_SMAP : 0) |
           (cpu->st.cr4 & CR4_TSD ? X86_KEY_TSD : 0) |
           (cpu->win_on && cpu->st.cpl == 3 && cpu->hflags & HF_CS64 ? X86_KEY_WIN : 0);
}

/* Is the meaning of this mode's code bound to its place in the code segment? Yes if limits
 * and bases must be honoured or IP has 16 bits. */
static inline bool x86_mode_placed(uint32_t mode)
{
    return !(mode & HF_CS64) && (mode & HF_SEGCHK || !(mode & HF_CS32));
}

/* Tb.place of such code. */
static inline uint64_t x86_code_place(const X86Cpu *cpu)
{
    const X86Seg *cs = &cpu->st.seg[R_CS];
    return (uint64_t)cs->limit << 32 | (uint32_t)cs->base;
}

/* The block for the code at RIP, whose first byte lies at this RAM address. Leaf. */
static inline Tb *x86_tb_find(const X86Cpu *cpu, const TbCache *c, uint64_t ram_addr,
                              uint32_t mode)
{
    return x86_mode_placed(mode)
               ? tb_find_at(c, ram_addr, mode, x86_code_place(cpu), cpu->st.rip)
               : tb_find(c, ram_addr, mode);
}

static inline bool x86_canonical(uint64_t lin)
{
    return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* Bits that RIP has in this mode. */
static inline uint64_t x86_rip_mask(const X86Cpu *cpu)
{
    return cpu->hflags & HF_CS64 ? ~0ull : cpu->hflags & HF_CS32 ? 0xffffffffull : 0xffffull;
}

/* From RIP to the linear address, and back. */
static inline uint64_t x86_pc_linear(const X86Cpu *cpu)
{
    return cpu->hflags & HF_CS64 ? cpu->st.rip
                                 : (uint32_t)(cpu->st.seg[R_CS].base + cpu->st.rip);
}
static inline uint64_t x86_rip_at(const X86Cpu *cpu, uint64_t lin)
{
    return cpu->hflags & HF_CS64 ? lin : (uint32_t)(lin - cpu->st.seg[R_CS].base);
}

enum { X86_ROW_SLOTS = 65536 };

/* Blocks by their keys: a bit each by hash, so that one may stand for others, which costs
 * speed only. Racy. */
typedef struct X86KeySet {
    /* with 8192 bytes half of all blocks were taken for others, behind ten large programs */
    uint8_t bits[1 << 17] __attribute__((aligned(8)));
} X86KeySet;

static inline unsigned x86_key_hash(uint64_t key)
{
    return (key >> 1 ^ key >> 19) & (8 * sizeof(X86KeySet) - 1);
}
static inline bool x86_keys_has(const X86KeySet *s, uint64_t key)
{
    unsigned h = x86_key_hash(key);
    return s->bits[h / 8] >> (h % 8) & 1;
}
static inline void x86_keys_add(X86KeySet *s, uint64_t key)
{
    unsigned h = x86_key_hash(key);
    s->bits[h / 8] |= 1u << (h % 8);
}
/* Leaf: no memset. */
static inline void x86_keys_clear(X86KeySet *s)
{
    for (unsigned i = 0; i < sizeof(s->bits); i += 8) {
        *(volatile uint64_t *)&s->bits[i] = 0;
    }
}

typedef struct X86Engine {
    TbCache *cache;
    bool native;        /* template translator on */
    bool exact_flags;   /* keep even dead flags exact at faults (twin runs) */
    bool no_groups;     /* each access checked by itself (template_group.c) */
    bool unit_inside;   /* the last unit ended within the block it ran */
    bool tapped;        /* X86Cpu.tapped is set: no inline RDTSC */
    unsigned max_insns; /* per block */
    uint64_t row_calls[X86_ROW_SLOTS]; /* reference calls from host code, by row (racy) */
    unsigned windows;   /* WIN_* policy */
    bool fsbase;        /* generated code may use FS (util/fsbase.h) */
    unsigned tier2;     /* TIER2_* */
    uint64_t random_sites; /* tests: a block's win_site is left to this chance; 0: no */
    X86KeySet group_failed; /* blocks whose groups fail often, */
    X86KeySet no_trace;     /* and those that shall not become traces' heads, */
    X86KeySet no_stride;    /* instructions whose index was not as small as it had been; */
    X86KeySet outer;        /* blocks that were needed with all entries */
    unsigned given_up;      /* so many since it was emptied (racy) */
    /* what is known of memory operands in window blocks, 4 bits (WIN_SITE_*) by hash of
     * the instruction's RAM address; a collision costs speed only. Racy. */
    uint8_t win_site[1 << 19];
} X86Engine;

enum { TIER2_OFF, TIER2_ON, TIER2_RANDOM /* tests: blocks become hot at random */ };

enum { WIN_SITE_UNKNOWN, WIN_SITE_B, WIN_SITE_A, WIN_SITE_BOTH, WIN_SITE_ANY,
       /* in a trace's record only: B, A by the base register, and the index is small */
       WIN_SITE_PAIR,
       /* in both, even on the path of one trace, which leaves in the other case; */
       WIN_SITE_MIXED = WIN_SITE_PAIR + 2,
       /* and the way out became hot */
       WIN_SITE_TWO,
       /* in a record: as WIN_SITE_PAIR, and the index fits 16 bits */
       WIN_SITE_TINY };
_Static_assert((WIN_SITE_TINY - WIN_SITE_PAIR) % 2 == 0, "x86_win_pair_range");
/* The range of a WIN_SITE_PAIR or TINY: 0 (B), 1. */
static inline unsigned x86_win_pair_range(unsigned site) { return (site - WIN_SITE_PAIR) & 1; }
/* A small index: -2^n to 2^n - 1; of a gather or scatter. What a wrong guess of it names as its
 * register. */
enum { WIN_INDEX_BITS = 32, WIN_VSIB_BITS = 26, WIN_INDEX = 30,
       WIN_STRIDE = 29 /* or that it shall not be taken for one */ };
/* It names for address 0, where operands without a base count from. Bases of FS and GS as Tmpl.verified
 * and held name them. */
enum { WIN_ZERO = 17, WIN_FS = 18 };

/* One per machine; set before vCPUs start. */
extern X86Engine x86_engine;

/* For statistics: not through the seam of nondet.h, which records what it hands out. */
static inline uint64_t x86_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/* All row tables lie within half a megabyte: no two rows share a slot. */
static inline unsigned x86_row_hash(const void *row)
{
    return (uint64_t)row / 8 % X86_ROW_SLOTS;
}
/* Shall a block count its executions? User code of 64 bits in small pages, and where there
 * may be windows, only with them: a program that has not run for long has none. */
static inline bool x86_trace_wanted(const Tb *tb)
{
    return x86_engine.tier2 != TIER2_OFF && tb->mode & HF_CS64 && !tb->large &&
           !tb->crossing && !(tb->mode & X86_KEY_CPL0) && tb->key < CODE_MAP_MAX_RAM &&
           (tb->mode & X86_KEY_WIN || !x86_engine.windows) && !tb->trace_at &&
           !x86_keys_has(&x86_engine.no_trace, tb->key);
}

/* Which of a block's entries are wanted: all (it may come from the jump hash or from another
 * page), or that for direct jumps within its region only, with or without the counter of
 * executions. Most blocks need no more, and the others are a third of a block's code. */
typedef enum X86Need { X86_NEED_ALL, X86_NEED_COUNT, X86_NEED_INNER } X86Need;

static inline bool x86_tb_has(const Tb *tb, X86Need need)
{
    return !tb->inner || need == X86_NEED_INNER ||
           (need == X86_NEED_COUNT && (tb->counts || !x86_trace_wanted(tb)));
}

/* A gather or scatter: its index is a vector. */
static inline bool x86_row_vsib(const X86Row *row)
{
    return row->enc != ENC_LEGACY && row->map == MAP_0F38 &&
           ((row->op & 0xfc) == 0x90 || (row->op & 0xfc) == 0xa0);
}

static inline unsigned x86_win_hash(uint64_t ram)
{
    /* what a block asks for lies in two cache lines */
    return (ram >> 8) * 0x9e3779b97f4a7c15ull >> 52 << 8 | (ram & 255);
}
static inline unsigned x86_win_site(uint64_t ram)
{
    unsigned h = x86_win_hash(ram);
    return x86_engine.win_site[h / 2] >> (h % 2 * 4) & 15;
}
static inline void x86_win_site_set(uint64_t ram, unsigned state)
{
    unsigned h = x86_win_hash(ram), shift = h % 2 * 4;
    uint8_t *p = &x86_engine.win_site[h / 2];
    *p = (*p & ~(15u << shift)) | state << shift;
}

/* Tests (sites=random): what is believed of operands of a block that is being built, as chance
 * will have it. map: of its instructions. Cache's lock held. */
void x86_random_sites(Tb *tb, const TbInsn *map);

/* The vCPU thread's body: runs until cpu_must_leave(). */
void x86_engine_run(Cpu *cpu);

/* Executes exactly one instruction by its reference function (faults included: then the
 * event has been delivered). For single steps, twin runs and KVM rescue. Returns false if
 * the vCPU is halted or waits for SIPI. */
bool x86_engine_step(X86Cpu *cpu);

/* For twin runs (accel/twin). One unit of work: the delivery of the event that waits, or a
 * block (with one_unit; one instruction where blocks cannot be). Faults end it with st.event
 * set. Returns the row if it was one instruction and nothing else, or NULL. */
const struct X86Row *x86_engine_unit(X86Cpu *cpu);
/* A boundary between two units. */
typedef struct X86Snap {
    uint64_t gpr[16], rip, rflags;
    uint8_t event, vector;  /* an event waits */
    uint8_t took;           /* the unit was x86_engine_take */
    uint8_t inexact;        /* a block was left in its midst: dead flags may be stale */
    uint32_t error;
    uint64_t cr2;
} X86Snap;

typedef struct X86Units {
    X86Snap *snap;      /* snap[n++] is filled */
    unsigned n, cap;
    unsigned units, max_units; /* done, without deliveries */
    /* Is a unit that ended where it began or within its block a pause in a REP
     * instruction? Then it is no boundary. Heavy. */
    bool (*paused)(X86Cpu *cpu);
    /* It also ends when a request waits, enough pages are written or *stop is set. */
    const _Atomic uint32_t *request; /* or NULL */
    const uint32_t *pages;
    uint32_t max_pages;
    const volatile bool *stop;
    /* With one_unit off a unit is what runs until something makes generated code leave, at
     * any instruction. What waits in *request is shown to the vCPU, then. */
    bool chained;
} X86Units;
/* Can one of these requests be acted on? */
bool x86_pending(const X86Cpu *cpu, uint32_t req);
void x86_snap(X86Snap *s, const X86Cpu *cpu);
/* Units with a snapshot after each; the guest's vector state may be live afterwards. */
void x86_engine_units(X86Cpu *cpu, X86Units *u);
/* Acts on the CPU_REQ_* bits in req; an interrupt is taken if it can be. */
void x86_engine_take(X86Cpu *cpu, uint32_t req);

/* Heavy: builds the block at the current RIP, in place of one that has not the entries that
 * are needed. bytes/ram_addr as softmmu_fetch says. NULL if the cache is full or the
 * instruction crosses into the next page. */
Tb *x86_build(X86Cpu *cpu, const uint8_t *bytes, uint64_t ram_addr, bool large,
              uint32_t mode, X86Need need);

#endif

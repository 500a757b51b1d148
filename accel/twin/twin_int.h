/* SPDX-License-Identifier: MIT */
/*
 * What the files of accel/twin share.
 *
 * A machine has one real vCPU struct each, whose X86State is the truth between stretches,
 * and two sides. A side has an engine, RAM of its own, vCPU structs of its own, and a shadow
 * Machine that its engine takes for the machine: RAM is the side's, everything else leads to
 * the event log. The first side's RAM is the real machine's, so devices see it.
 *
 * A stretch: the first side runs some blocks; what comes from outside (device accesses,
 * interrupts, time) is logged. The second side starts from the same state and memory, runs
 * one instruction at a time and is fed from the log. Then all state and every page written
 * by either are compared. Machine lock held throughout.
 */
#ifndef ACCEL_TWIN_TWIN_INT_H
#define ACCEL_TWIN_TWIN_INT_H

#include <stdio.h>
#include "hw/core/machine.h"
#include "target-x86/engine.h"
#include "target-x86/insn.h"
#include "tcg/codebuf.h"

enum { TWIN_TCG, TWIN_INTERP, TWIN_KVM, TWIN_NENGINES };
extern const char *const twin_engine_names[];

typedef struct TwinOptions {
    int first, second; /* TWIN_* */
    char *step;        /* "insn", "block", a number of blocks, or "Nus": microseconds */
    int tier2;         /* TIER2_*: traces of the first side, where blocks are chained */
    int mem;           /* WIN_*: windows of the first side, if it is tcg; */
    int sites;         /* they expect operands 0 where they were, 1 at random */
    char *cache;       /* -accel tcg,cache= for the first side, if it is tcg */
    char *case_file;   /* where the reproducer goes */
    uint32_t slow;     /* the guest's clocks run so much slower */
    bool exact_flags;  /* -accel tcg,exact-flags=on for the translator */
} TwinOptions;

/* ---- the event log: events.c ---- */

enum {
    TE_READ,
    TE_WRITE,
    TE_IN,
    TE_OUT, /* device accesses: addr, size, value */
    TE_ACK, /* interrupt vector */
    TE_GET_TPR,
    TE_SET_TPR,
    TE_GET_BASE,
    TE_SET_BASE,
    TE_MSR_READ,
    TE_MSR_WRITE,
    TE_CHANCE, /* time, random bytes: blob */
    TE_DMA,    /* a device wrote RAM: addr, blob */
    TE_VIEW,   /* the memory map changed */
    TE_NKINDS,
};
extern const char *const twin_event_names[TE_NKINDS];

typedef struct TwinEvent {
    uint8_t kind, size; /* TE_*; bytes of the access */
    uint8_t ok;         /* of SET_BASE and the MSRs */
    uint64_t addr, value;
    uint32_t blob, len; /* bytes in TwinLog.bytes */
} TwinEvent;

typedef struct TwinLog {
    TwinEvent *e;
    uint32_t n, cap;
    uint8_t *bytes;
    uint32_t nbytes, cap_bytes;
} TwinLog;

/* ---- sides ---- */

typedef struct Twin Twin;
typedef struct TwinSide TwinSide;

enum { FOLLOWED, FOLLOW_LOST };

/* An engine as a side uses it. The vCPU structs are the side's own. */
typedef struct TwinEngine {
    bool (*create)(TwinSide *s, Error *err);
    /* s->cpu[i] is to be made (zeroed); then, once it is filled: start_cpu (optional). */
    bool (*add_cpu)(TwinSide *s, unsigned i, Error *err);
    bool (*start_cpu)(TwinSide *s, X86Cpu *cpu, Error *err);
    void (*destroy)(TwinSide *s);
    /* One unit of work (x86_engine_unit); single: not more than one instruction. */
    const X86Row *(*unit)(TwinSide *s, X86Cpu *cpu, bool single);
    /* One instruction by its reference function, and the exception it raises delivered; one
     * iteration of a REP one if exit_request is set. NULL: the engine has none. */
    void (*step)(TwinSide *s, X86Cpu *cpu);
    /* Or, of engines that do not go by single units: to the boundary, FOLLOW_*. */
    int (*follow)(TwinSide *s, X86Cpu *cpu, const X86Snap *snap, bool single);
    void (*units)(TwinSide *s, X86Cpu *cpu, X86Units *u);
    void (*take)(TwinSide *s, X86Cpu *cpu, uint32_t req);
    void (*sync)(TwinSide *s, X86Cpu *cpu); /* st is exact afterwards */
    void (*replaced)(TwinSide *s,
                     X86Cpu *cpu); /* st was written: translations are void */
    void (*ram_written)(TwinSide *s, uint64_t ram_addr,
                        uint64_t len); /* not by its CPU */
    void (*forget)(TwinSide *s);       /* RAM changed anywhere */
    void (*view_changed)(TwinSide *s);
    void (*end_stretch)(TwinSide *s, X86Cpu *cpu); /* the page log was emptied */
    void (*windows)(TwinSide *s, bool on);
    bool (*signal)(X86Cpu *cpu, int sig, void *info, void *uc);
    void (*info)(TwinSide *s, FILE *f);
} TwinEngine;
extern const TwinEngine twin_soft_engine;
#ifdef CONFIG_KVM
extern const TwinEngine twin_kvm_engine;
#endif

struct TwinSide {
    Machine m; /* the shadow; first */
    Twin *t;
    unsigned which; /* 0 first, 1 second */
    int kind;       /* TWIN_* */
    const char *name;
    const TwinEngine *engine;
    uint8_t *ram; /* ram_addr 0 in the host */
    MemoryRegion io_mr, port_mr;
    FlatRange port_range;
    FlatView port_view;
    X86Cpu *cpu[MACHINE_MAX_CPUS];
    TcgPageLog pages;    /* written in this stretch */
    bool shut_down;      /* a triple fault in this stretch */
    bool replay;         /* fed from the log */
    uint32_t cursor;     /* next event */
    char complaint[160]; /* first thing the log did not have */
    /* the software engines' own */
    TbCache *cache;
    CodeBuf *code;
    unsigned max_insns;                   /* per block */
    unsigned tier2;                       /* TIER2_* of blocks built now */
    struct WinSet *win[MACHINE_MAX_CPUS]; /* while they are not taken away */
    void *own;                            /* other engines' */
    /* page tracing (case.c) */
    uint8_t *traced; /* by page, or NULL: off */
};

/* Pages as they were at some moment. */
typedef struct TwinPages {
    uint32_t n, cap;
    uint32_t *page;
    uint8_t *data; /* n * 4096 */
} TwinPages;

typedef struct TwinDma {
    uint64_t ram_addr, len;
} TwinDma;

enum { TWIN_MAX_DMA = 1024, TWIN_MAX_PAGES = 65536 };

struct Twin {
    Machine *m; /* the real one */
    TwinOptions *opts;
    unsigned max_units; /* of the first side in a stretch */
    bool single;        /* one instruction in a stretch */
    unsigned slice; /* microseconds of a stretch with chained blocks (chain.c), or 0 */
    bool chained;   /* this stretch is one */
    TwinSide side[2];
    TwinLog log;
    bool in_device;            /* the first side's access is under way */
    volatile bool end_stretch; /* the first side stops at the next boundary */
    bool exactly; /* the second side gets no more time to catch up (reports) */
    bool stopped; /* a difference was found */
    X86Snap *snap;
    uint32_t nsnaps, max_snaps;
    uint64_t taint;      /* status flags that are undefined now */
    bool undefined_used; /* an instruction of this stretch read such a flag */
    TwinPages pre, step_pre;
    X86State start;            /* of the stretch that is run again */
    TwinDma dma[TWIN_MAX_DMA]; /* RAM that devices may write at any time */
    unsigned ndma;
    uint64_t insns_before; /* of the stretch */
    uint64_t stretches, units, insns, events, reruns, unlike, undefined, walked;
};

/* ---- shadow.c: the machine as a side sees it ---- */
bool twin_shadow_init(TwinSide *s, Error *err);
void twin_shadow_finish(TwinSide *s);
void twin_shadow_update(TwinSide *s); /* the real map changed */
/* A vCPU struct for the real vCPU r. */
bool twin_add_cpu(TwinSide *s, const X86Cpu *r, Error *err);

/* ---- events.c ---- */
void twin_log_reset(TwinLog *l);
void twin_log_free(TwinLog *l);
TwinEvent *twin_log_add(TwinLog *l, unsigned kind, const void *blob, uint32_t len);
extern const MemoryOps twin_mem_ops, twin_port_ops;
extern const CpuIrqOps twin_irq_ops;
void twin_complain(TwinSide *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Between these the thread runs the side's vCPU. */
void twin_enter(TwinSide *s, X86Cpu *cpu);
void twin_leave(TwinSide *s, X86Cpu *cpu);
extern _Thread_local TwinSide *twin_here;
extern _Thread_local X86Cpu *twin_here_cpu;

/* ---- stretch.c ---- */
/* Runs both sides; false: they differ. `again`: both are fed from the log. Req: request
 * bits to act on first. */
bool twin_stretch(Twin *t, unsigned i, uint32_t req, unsigned max_units, bool again);
/* After an equal stretch: everything is ready for the next. */
/* The first side alone, fed from the log (case.c). */
void twin_run_alone(Twin *t, unsigned i, uint32_t req, unsigned max_units);
/* Are the registers those of the boundary? Undefined flags are taken over from it. */
/* Status flags that are undefined behind an instruction (NULL: nothing is known of it). */
void twin_taint(Twin *t, const X86Row *row);
bool twin_matches(TwinSide *s, X86Cpu *cpu, const X86Snap *snap);
void twin_settle(Twin *t, unsigned i);
void twin_restore(Twin *t, unsigned i, const X86State *st, const TwinPages *pre);
void twin_stretch_free(Twin *t);

/* ---- chain.c: the vCPU's thread ---- */
/* cpu runs chained for about so many microseconds of the thread's CPU time, until
 * twin_chain_end. False: the host has no timer for it. */
bool twin_chain_begin(TwinSide *s, X86Cpu *cpu, unsigned us);
void twin_chain_end(void);
/* The stretch is to end as soon as it can. */
void twin_end_stretch(Twin *t);
/* SIGUSR1 with its siginfo_t: signal context. False: nothing is to be stopped here. */
bool twin_chain_signal(const void *info);

/* ---- compare.c ---- */
bool twin_same_state(const X86State *a, const X86State *b);
bool twin_same_memory(Twin *t);
/* Status flags that the code at the second side's RIP overwrites before it reads them. */
uint32_t twin_dead_flags(TwinSide *s, X86Cpu *cpu);
/* Fields of the saved CPU form that differ, side by side. */
void twin_print_states(FILE *f, const Twin *t, const X86State *before, const X86State *a,
                       const X86State *b);
void twin_print_memory(FILE *f, Twin *t, const TwinPages *pre);
/* What was written, in the other side's words; NULL for a page not in it. */
const uint8_t *twin_page_before(const TwinPages *pre, uint32_t page);
/* The pages of both logs; n of them, free() it. */
uint32_t *twin_all_pages(Twin *t, uint32_t *n);
bool twin_dma_overlaps(const Twin *t, uint64_t ram_addr, uint64_t len);

/* ---- diagnose.c ---- */
/* A step that came out differently. */
typedef struct TwinStep {
    X86State before, a, b; /* a, b: after it, first and second side */
    uint32_t req;          /* request bits acted on first */
    uint32_t cursor;       /* events before it */
    bool single;           /* an instruction, else a block */
    bool chained;          /* many chained blocks */
    uint64_t insns;        /* chained: how many the second side needed */
} TwinStep;

/* Sides differ after a stretch from t->start. False: they agree when run again (and have
 * been brought to an equal state). True: reported, case written. */
bool twin_diagnose(Twin *t, unsigned i, uint32_t req);

/* ---- debug.c ---- */
void twin_debug_changed(Machine *m);
/* Before a stretch of vCPU i whose Cpu.debug is not 0. True: it stops here. */
bool twin_debug_before(Twin *t, unsigned i);
void twin_debug_after(Twin *t, unsigned i);

/* ---- case.c ---- */
/* A host fault of page tracing? Then it is mended. Signal context. */
bool twin_trace_fault(void *addr);
/* report: for people, becomes comments. The sides' state is void afterwards. */
bool twin_case_write(Twin *t, unsigned i, const TwinStep *w, const char *report,
                     Error *err);

/* ---- twin.c ---- */
/* Sides, signals, exec ops of a machine that has no vCPUs yet. */
Twin *twin_create(Machine *m, TwinOptions *opts, Error *err);
void twin_destroy(Machine *m);
/* "insn", "block", a number or "Nus" into max_units, single and slice. */
bool twin_parse_step(Twin *t, const char *step, Error *err);

#endif

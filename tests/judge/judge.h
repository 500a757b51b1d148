/* SPDX-License-Identifier: MIT */
/*
 * Random instruction sequences judged by the host CPU. One case is a few instructions, a
 * register state and the contents of a small window of memory. It runs natively on the
 * host (host.c) and, at the same linear addresses in user mode, on each engine (rig.c);
 * everything a program can see must be the same afterwards (compare.c). The reference
 * functions run first, instruction by instruction (oracle.c): they tell which results the
 * manual leaves undefined and keep wild accesses away from the host.
 *
 * A process judges one case at a time; nothing here is thread-safe.
 */
#ifndef TESTS_JUDGE_JUDGE_H
#define TESTS_JUDGE_JUDGE_H

#include <stdio.h>

#include "target-x86/insn.h"

/* ---- the window: linear addresses, the same on the host and in the guest ---- */
#define WIN_BASE 0x0ff00000u /* from here to WIN_END nothing is mapped but: */
#define WIN_END 0x10200000u
#define CODE_BASE 0x10000000u
#define CODE_SIZE 0x2000u      /* writable too; pages beside it are not present */
#define STACK_BASE 0x10080000u /* 64 KiB and more from anything else */
#define STACK_SIZE 0x2000u
#define RO_BASE 0x10100000u /* a page that cannot be written, then pages that can */
#define RO_SIZE 0x1000u
#define RW_BASE 0x10101000u
#define RW_SIZE 0x2000u

/* 64-bit code reaches the window at these addresses plus HIGH, too: the range of a program's
 * stack and libraries (docs/windows.md); low, the one of its heap. */
#define HIGH 0x7e8000000000ull
static inline uint64_t judge_low(uint64_t lin)
{
    return lin - HIGH - WIN_BASE < WIN_END - WIN_BASE ? lin - HIGH : lin;
}

typedef struct JudgeMem {
    uint8_t stack[STACK_SIZE], rw[RW_SIZE];
} JudgeMem;

/* ---- states ---- */

enum JudgeMode { JUDGE_64, JUDGE_32, JUDGE_16, JUDGE_NMODES };
extern const char *const judge_mode_names[JUDGE_NMODES]; /* "64", "32", "16" */
enum { JUDGE_NSITES = 9 };
extern const char *const judge_site_names[JUDGE_NSITES]; /* by WIN_SITE_* */

enum { JUDGE_DONE = -1 }; /* vector of a sequence that ran to its end */

typedef struct JudgeState {
    uint64_t gpr[16], rip, rflags;
    uint64_t fs_base, gs_base;
    uint16_t sel[X86_NSEGS]; /* R_ES .. R_GS */
    int32_t vector;          /* exception that ended it, or JUDGE_DONE */
    uint32_t error;
    uint64_t cr2;
    X86Xsave xsave __attribute__((aligned(64)));
} JudgeState;

#define JUDGE_MAX_CODE 700
#define JUDGE_MAX_INSNS 64

typedef struct JudgeCase {
    uint8_t mode;   /* JUDGE_64 ... */
    uint32_t start; /* linear address of the first byte */
    unsigned len;   /* bytes of code; then comes the marker that ends it */
    unsigned n;     /* instructions in the order of their addresses */
    uint16_t at[JUDGE_MAX_INSNS + 1]; /* their offsets */
    uint8_t site[JUDGE_MAX_INSNS]; /* WIN_SITE_* believed of their operands, true or not */
    uint8_t code[JUDGE_MAX_CODE + 16];
    JudgeState in;
    const JudgeMem *mem; /* not owned */
    const uint8_t *ro;   /* RO_SIZE bytes, not owned */
    uint64_t id;         /* number of the case under its seed; 0 = from a file */
    /* what the oracle found */
    uint32_t undef;  /* FL_* that are undefined at the end */
    bool vague_cr2;  /* which byte of a large operand faults is the model's */
    bool either_fault; /* two operands may fault, in whatever order */
    unsigned nskip;  /* memory that is not compared: x87 pointers, MXCSR_MASK */
    struct {
        uint32_t lin, len;
    } skip[8];
    unsigned steps;
} JudgeCase;

/* ---- engines ---- */

enum JudgeEngine {
    ENG_REF,
    ENG_NATIVE,
    ENG_WARM,
    ENG_EXACT,
    ENG_IR,
    ENG_TRACE, /* every block is hot at once or soon */
    JUDGE_NENGINES
};
extern const char *const judge_engine_names[JUDGE_NENGINES];

/* Signals that hit generated code so far. */
uint64_t rig_kicks(void);
/* Traces made so far (docs/traces.md). */
uint64_t rig_traces(void);
/* Instructions of blocks that came from the file of kept translations. */
uint64_t rig_kept(void);
/* Blocks of the case become hot after 0 to 2 executions, by ENG_TRACE. */
void rig_heat(const JudgeCase *c);
/* Makes the machine, with user memory through windows (docs/windows.md) or the soft TLB.
 * Prints and returns false if it cannot. */
/* cache: a directory for kept translations, or NULL. */
bool rig_init(bool windows, const char *cache);
/* At the process's end, by itself where that calls exit(): kept translations are written. */
void rig_end(void);
/* What both the host and the guest's CPU model have. */
const uint32_t *rig_features(void);
uint64_t rig_xcr0(void);
X86Cpu *rig_cpu(void);
/* Puts memory, state and, if fresh, code in place; rig_run takes them from there. Not
 * fresh: what is translated already stays. */
void rig_start(const JudgeCase *c, bool fresh);
/* Writes code at a linear address of the code window. */
void rig_put_code(uint32_t lin, const void *bytes, unsigned n);
const uint8_t *rig_code(uint32_t lin);
/* n <= 8 bytes of the window as they are now, 0 beyond it. False: not all there. */
bool rig_peek(uint64_t lin, unsigned n, uint64_t *v);
/* Runs from rig_start's state on to the end. False: it did not come to an end. */
bool rig_run(enum JudgeEngine e, JudgeState *out);
/* An engine faulted at this host address. Kept if no checked register can have led there. */
void rig_host_fault(uint64_t addr);
/* Such an address of the last run, or 0. */
uint64_t rig_stray(void);
/* State as it stands (fault frames taken apart). */
void rig_state(JudgeState *out);
/* The guest's memory as it is now. */
JudgeMem *rig_mem(void);
/* Bytes that end a sequence in the guest. */
#define RIG_END "\xcd\x81"

/* ---- the host ---- */

/* False: no x86-64 Linux, or something missing; *why says what. */
bool host_init(const char **why);
/* After rig_init: fault signals come here first, and go on to the engine. */
void host_take_signals(void);
/* Every so many nanoseconds (0: never) the signal that makes engines leave generated code
 * at the next instruction boundary. */
void host_kicks(unsigned ns);
void host_features(uint32_t feat[X86F_NWORDS]);
uint64_t host_xcr0(void);
/* Is nothing mapped at this address, so that an access faults there as in the guest? */
bool host_unmapped(uint64_t lin);
/* Runs the case; the window's memory is in *mem afterwards. */
void host_run(const JudgeCase *c, JudgeState *out, JudgeMem *mem);
/* Can the mode be run (16-bit code needs modify_ldt)? */
bool host_has_mode(enum JudgeMode mode);

/* ---- oracle: one instruction of the reference functions ---- */

typedef enum {
    ORACLE_OK,     /* done, next one */
    ORACLE_FAULT,  /* the case ends with a fault that the host will show too */
    ORACLE_REFUSE, /* nothing happened: cannot be judged here (undefined input, denied) */
    ORACLE_BAD,    /* happened, and cannot be judged: the case is void */
} OracleVerdict;

/* Executes the instruction at the guest's RIP. *undef is kept up to date. */
OracleVerdict oracle_step(uint32_t *undef);
/* Effective address of an instruction that begins at the guest's RIP. */
uint64_t oracle_address(const X86Insn *in);
/* Before the first step of a case. */
void oracle_begin(JudgeCase *c);
/* Would the decoded instruction be taken with these registers? */
bool oracle_takes(const X86Insn *in, uint32_t undef);
/* Status flags an instruction reads, exactly by condition. */
uint32_t oracle_flags_used(const X86Insn *in);
/* Runs a whole case on the reference functions. False: it cannot be judged. */
bool oracle_run(JudgeCase *c, JudgeState *out);
/* Why a row cannot be judged in user mode; NULL if it can. */
const char *oracle_denied(const X86Row *row);

/* ---- comparison ---- */

/* Describes the first differences of an engine from the host in text (NULL: only tell).
 * True: same. */
bool judge_same(const JudgeCase *c, enum JudgeEngine e, const JudgeState *host,
                const JudgeMem *host_mem, const JudgeState *got, const JudgeMem *mem,
                FILE *text);

typedef struct JudgeResult {
    bool valid; /* could be judged at all */
    int engine; /* first that differs, or -1 */
    int vector; /* how it ended on the host: JUDGE_DONE or an exception */
} JudgeResult;
/* Runs the case everywhere. With `text`, says what differs. */
JudgeResult judge_case(JudgeCase *c, FILE *text);
extern uint32_t judge_engines; /* bit mask of enum JudgeEngine */

/* ---- generator ---- */

void gen_init(uint64_t seed);
/* Makes case number `id`; false: this one came to nothing. Runs it on the reference
 * functions on the way. */
bool gen_case(JudgeCase *c, uint64_t id);
/* Restricts the rows, by mnemonic; NULL: all. False: there is none. */
bool gen_only(const char *mnemonic, const char *mode);

/* ---- rows ---- */

#define JUDGE_MAX_ROWS 8192
extern const X86Row *judge_rows[JUDGE_MAX_ROWS];
extern const char *judge_row_family[JUDGE_MAX_ROWS];
extern unsigned judge_nrows;
unsigned judge_row_index(const X86Row *row);
/* Executions by row and mode; shared by the workers. */
typedef struct JudgeCounts {
    uint64_t row[JUDGE_MAX_ROWS][JUDGE_NMODES];
    uint64_t cases, insns, faults, differences, refused, kicks, traces, kept;
} JudgeCounts;
extern JudgeCounts *judge_counts;

/* ---- files and shrinking ---- */

void case_show(const JudgeCase *c, FILE *f);
void case_write(const JudgeCase *c, FILE *f, const char *comment);
/* Fills c; *mem and ro are filled too. False: *what says what is wrong, with the line. */
bool case_read(JudgeCase *c, JudgeMem *mem, uint8_t *ro, FILE *f, char what[100]);
/* Makes a failing case as small as it still fails. *mem, ro: the case's own, changed. */
void case_shrink(JudgeCase *c, JudgeMem *mem, uint8_t *ro);

#endif

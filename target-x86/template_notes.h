/* SPDX-License-Identifier: MIT */
/* What the template translator's passes over a block note of its instructions. */
#ifndef TARGET_X86_TEMPLATE_NOTES_H
#define TARGET_X86_TEMPLATE_NOTES_H

#include "tcg/tb_desc.h"
#include "util/compiler.h"

/* A run of accesses that share a check (template_group.c). r11 = host address of guest
 * address (base register at the beginning) + lo. */
typedef struct Group {
    bool on, write, sp_lost;
    int8_t base;
    int64_t lo, delta;        /* delta: how far rsp has moved since the beginning */
    unsigned size, first, last, naccess;
} Group;

/* What an instruction means for a group. */
typedef struct Effect {
    bool stop;          /* a group cannot reach over it */
    bool access;        /* it has one access [base + off, size) ... */
    bool after;         /* ... of which it is the last instruction of the block */
    bool write;
    bool moves_sp;      /* rsp changes by sp_delta, and only so */
    int8_t base;
    uint32_t size;
    uint32_t writes;    /* general registers it writes, bit mask */
    int32_t off;
    int64_t sp_delta;
} Effect;

/* What the passes over a block ask of an instruction (template_rows.c): status flags that
 * it needs, gives new values for certain, and may change; its class. */
typedef struct FlagUse {
    uint8_t use, kill, def;
    uint16_t cls; /* TC_* */
} FlagUse;

enum {
    TC_PLAIN = 1,        /* may be emitted by plain() */
    TC_STRAIGHT = 2,     /* and in 64-bit code nobody else knows it */
    TC_AS_IS = 4,        /* and with the bytes that it has */
    TC_ENV = 8,          /* names registers that live in env */
    TC_KEEPS = 0x10,     /* its code says what it does to the scratch registers */
    TC_FLAGS = 0x20,     /* touches no flags but those its row lists */
    TC_JCC = 0x40,
    TC_GOES_ON = 0x80,   /* tmpl_goes_on() */
    TC_STACK = 0x100,    /* accesses the stack through rsp */
    TC_NO_ACCESS = 0x200, /* its memory operand is not accessed */
    TC_VSIB = 0x800,     /* a gather or scatter that the host has */
    TC_REP = 0x400,      /* a prefix F2, F3 belongs to it */
};

/* A way out of a trace (template_trace.c). */
typedef struct Away {
    uint32_t jmp;       /* rel32 of the jump to it */
    int16_t exit;       /* number of the exit into another page; -1: to the address in S1 */
    bool in_env;        /* flags */
    bool rcx_in_s2;
    bool returns;       /* to the caller of what the trace began in */
    int16_t again;      /* instruction whose flags must be made again, or -1; */
    int16_t moved;      /* how far rsp has gone since, bytes */
    int16_t late;       /* Tmpl.late */
} Away;

enum { MAX_SLOW = TB_MAX_TRACE * 4 };
enum { TMPL_LEAVES = 500 }; /* ways out of a trace for operands elsewhere, at most */

/* Out-of-line code of a check that failed. */
enum {
    SLOW_TLB,         /* r10 = TLB entry, r11 = address + its tag */
    SLOW_GUESS,       /* a window check that guessed the range wrong */
    SLOW_TURNED,      /* the same; r11 = the address rotated right by SlowSite.turn */
    SLOW_BOTH,        /* the base register SlowSite.base is not in range B */
    SLOW_ANY,         /* r11 = address, not in range B */
    SLOW_PUNT,        /* to the reference function */
};

typedef struct SlowSite {
    uint32_t jcc;     /* rel32 of the branch to it */
    uint32_t back;    /* where it returns to */
    uint32_t kind;    /* MEM_* */
    uint8_t form;     /* SLOW_* */
    uint8_t turn, base;
    int16_t late;     /* Tmpl.late at the branch */
} SlowSite;

/* kind of a checked access: bytes, and flags. A group's check must not fault. An access
 * that must be aligned (#GP), or of an instruction that a pending x87 exception stops (#MF),
 * says so before its page is looked at. A wrong guess: the register in bits 14..10 (and no
 * other flag), tmpl_site above 15. */
enum { MEM_SIZE = 0xff, MEM_WRITE = 0x100, MEM_GROUP = 0x200, MEM_OUTSIDE = 0x400,
       MEM_QUIET = 0x800, /* a masked access: what is not there may not be wanted */
       MEM_ALIGN = 0x1000, MEM_FPU = 0x2000,
       MEM_PUNT = 0x4000, /* no access: the reference function decides */
       MEM_GUESS = 0x8000 };

#endif

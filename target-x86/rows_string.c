/* SPDX-License-Identifier: MIT */
/*
 * MOVS CMPS SCAS LODS STOS with and without REP: rows and reference functions. SDM vol. 2,
 * REP/REPE/REPNE; vol. 1, 7.3.9. INS and OUTS are in rows_io.c. Leaf.
 *
 * One call does a bounded run of iterations and, if more are left, sets next_rip to the
 * instruction itself, so that interrupts and single-step traps are taken between runs.
 * rSI, rDI and rCX are exact before every access that can fault. Flags of CMPS and SCAS
 * are written at the end of a run, so a fault leaves them as they were (REP, SDM).
 */
#include "target-x86/rows_util.h"

#define MAX_SLOW 128u   /* iterations of the slow way in one call */
#define MAX_FAST 65536u /* bytes moved directly in one call */
#define SLOW_RUN 32u    /* slow elements before directness is tried again */
#define SLOW_COST 4096u /* what such a run counts of MAX_FAST */

/* What one call works on. */
typedef struct Str {
    unsigned size;  /* element, bytes */
    unsigned ad;    /* address size, bytes */
    uint64_t mask;  /* of the address size */
    int64_t step;   /* +size or -size */
    bool rep;
} Str;

static ALWAYS_INLINE Str str_begin(const X86Cpu *cpu, const X86Insn *in)
{
    Str s = { .size = in->op[0].size, .ad = in->adsize, .rep = in->rep != 0 };
    s.mask = x86_size_mask(s.ad);
    s.step = cpu->st.rflags & FL_DF ? -(int64_t)s.size : (int64_t)s.size;
    return s;
}

static ALWAYS_INLINE uint64_t str_off(const X86Cpu *cpu, const Str *s, unsigned r)
{
    return cpu->st.gpr[r] & s->mask;
}

static ALWAYS_INLINE void str_move(X86Cpu *cpu, const Str *s, unsigned r, uint64_t n)
{
    x86_reg_set(cpu, r, s->ad, cpu->st.gpr[r] + (uint64_t)s->step * n);
}

static ALWAYS_INLINE void str_count(X86Cpu *cpu, const Str *s, uint64_t n)
{
    if (s->rep) {
        x86_reg_set(cpu, R_CX, s->ad, cpu->st.gpr[R_CX] - n);
    }
}

/* Iterations still wanted. */
static ALWAYS_INLINE uint64_t str_left(const X86Cpu *cpu, const Str *s)
{
    return s->rep ? cpu->st.gpr[R_CX] & s->mask : 1;
}

/* How many iterations this call may do the slow way. */
static ALWAYS_INLINE uint64_t str_limit(const X86Cpu *cpu, uint64_t left)
{
    unsigned max = cpu->hflags & (HF_TF | HF_DBG) ? 1 : MAX_SLOW;
    return left < max ? left : max;
}

/* Iterations are left over: come again. */
static ALWAYS_INLINE void str_again(X86Cpu *cpu, const Str *s)
{
    if (s->rep && str_left(cpu, s)) {
        cpu->next_rip = cpu->st.rip;
    }
}

/* Bytes from off to where the address wraps or `want` elements end. */
static ALWAYS_INLINE unsigned str_room(const Str *s, uint64_t off, uint64_t want)
{
    uint64_t bytes = want > MAX_FAST ? MAX_FAST : want * s->size;
    uint64_t end = s->mask - off;
    return end < bytes ? (unsigned)end + 1 : (unsigned)bytes;
}

static ALWAYS_INLINE bool str_fast(const X86Cpu *cpu, const Str *s)
{
    return s->rep && s->step > 0 && !(cpu->hflags & (HF_TF | HF_DBG));
}

/* Copies n elements upwards one by one: overlapping areas repeat, as REP MOVS does. */
static ALWAYS_INLINE void copy_up(uint8_t *to, const uint8_t *from, unsigned size, uint64_t n)
{
#if defined(__x86_64__)
    switch (size) {
    case 1:
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
        break;
    case 2:
        __asm__ volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
        break;
    case 4:
        __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
        break;
    default:
        __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    }
#else
    for (; n; n--, to += size, from += size) {
        uint8_t e[8];
        for (unsigned i = 0; i < size; i++) {
            e[i] = ((volatile const uint8_t *)from)[i];
        }
        for (unsigned i = 0; i < size; i++) {
            ((volatile uint8_t *)to)[i] = e[i];
        }
    }
#endif
}

static ALWAYS_INLINE void fill_up(uint8_t *to, uint64_t v, unsigned size, uint64_t n)
{
#if defined(__x86_64__)
    switch (size) {
    case 1:
        __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(v) : "memory");
        break;
    case 2:
        __asm__ volatile("rep stosw" : "+D"(to), "+c"(n) : "a"(v) : "memory");
        break;
    case 4:
        __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(v) : "memory");
        break;
    default:
        __asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(v) : "memory");
    }
#else
    for (; n; n--, to += size) {
        for (unsigned i = 0; i < size; i++) {
            ((volatile uint8_t *)to)[i] = (uint8_t)(v >> i * 8);
        }
    }
#endif
}

/* ---- MOVS ---- */

/* One directly reachable run; returns the elements moved, 0 = take the slow way. */
static unsigned movs_run(X86Cpu *cpu, const X86Insn *in, const Str *s, uint64_t left)
{
    uint64_t si = str_off(cpu, s, R_SI), di = str_off(cpu, s, R_DI);
    unsigned room = str_room(s, si, left), n, room2 = str_room(s, di, left);
    const uint8_t *from = x86_direct(cpu, in->seg, si, MIN(room, room2), false, &n);

    if (!from || n < s->size) {
        return 0;
    }
    uint8_t *to = x86_direct(cpu, R_ES, di, n, true, &n);
    if (!to || n < s->size) {
        return 0;
    }
    n /= s->size;
    copy_up(to, from, s->size, n);
    str_move(cpu, s, R_SI, n);
    str_move(cpu, s, R_DI, n);
    str_count(cpu, s, n);
    return n;
}

static void movs_one(X86Cpu *cpu, const X86Insn *in, const Str *s)
{
    uint64_t v = x86_load(cpu, in->seg, str_off(cpu, s, R_SI), s->size);
    x86_store(cpu, R_ES, str_off(cpu, s, R_DI), s->size, v);
    str_move(cpu, s, R_SI, 1);
    str_move(cpu, s, R_DI, 1);
    str_count(cpu, s, 1);
}

static void exec_MOVS(X86Cpu *cpu, const X86Insn *in)
{
    Str s = str_begin(cpu, in);
    uint64_t left = str_left(cpu, &s);

    if (left > 1 && str_fast(cpu, &s)) {
        for (unsigned done = 0; left && done < MAX_FAST; left = str_left(cpu, &s)) {
            unsigned n = movs_run(cpu, in, &s, left);
            done += n ? n * s.size : SLOW_COST;
            if (!n) {
                for (uint64_t k = MIN(left, SLOW_RUN); k; k--) {
                    movs_one(cpu, in, &s);
                }
            }
        }
    } else {
        for (uint64_t n = str_limit(cpu, left); n; n--) {
            movs_one(cpu, in, &s);
        }
    }
    str_again(cpu, &s);
}

/* ---- STOS ---- */

static unsigned stos_run(X86Cpu *cpu, const Str *s, uint64_t left)
{
    uint64_t di = str_off(cpu, s, R_DI);
    unsigned n;
    uint8_t *to = x86_direct(cpu, R_ES, di, str_room(s, di, left), true, &n);

    if (!to || n < s->size) {
        return 0;
    }
    n /= s->size;
    fill_up(to, cpu->st.gpr[R_AX], s->size, n);
    str_move(cpu, s, R_DI, n);
    str_count(cpu, s, n);
    return n;
}

static void stos_one(X86Cpu *cpu, const Str *s)
{
    x86_store(cpu, R_ES, str_off(cpu, s, R_DI), s->size, x86_reg_get(cpu, R_AX, s->size));
    str_move(cpu, s, R_DI, 1);
    str_count(cpu, s, 1);
}

static void exec_STOS(X86Cpu *cpu, const X86Insn *in)
{
    Str s = str_begin(cpu, in);
    uint64_t left = str_left(cpu, &s);

    if (left > 1 && str_fast(cpu, &s)) {
        for (unsigned done = 0; left && done < MAX_FAST; left = str_left(cpu, &s)) {
            unsigned n = stos_run(cpu, &s, left);
            done += n ? n * s.size : SLOW_COST;
            if (!n) {
                for (uint64_t k = MIN(left, SLOW_RUN); k; k--) {
                    stos_one(cpu, &s);
                }
            }
        }
    } else {
        for (uint64_t n = str_limit(cpu, left); n; n--) {
            stos_one(cpu, &s);
        }
    }
    str_again(cpu, &s);
}

/* ---- LODS ---- */

static void exec_LODS(X86Cpu *cpu, const X86Insn *in)
{
    Str s = str_begin(cpu, in);

    s.size = in->op[1].size;
    for (uint64_t n = str_limit(cpu, str_left(cpu, &s)); n; n--) {
        uint64_t v = x86_load(cpu, in->seg, str_off(cpu, &s, R_SI), s.size);
        x86_reg_set(cpu, R_AX, s.size, v);
        str_move(cpu, &s, R_SI, 1);
        str_count(cpu, &s, 1);
    }
    str_again(cpu, &s);
}

/* ---- CMPS, SCAS ---- */

/* After an iteration of REPE (F3H) or REPNE: may another follow? */
static ALWAYS_INLINE bool str_goes_on(const X86Insn *in, bool equal)
{
    return equal == (in->rep == 0xf3);
}

static void exec_CMPS(X86Cpu *cpu, const X86Insn *in)
{
    Str s = str_begin(cpu, in);
    uint64_t n = str_limit(cpu, str_left(cpu, &s)), a = 0, b = 0;
    bool more = true;

    if (!n) {
        return;
    }
    for (; n && more; n--) {
        a = x86_load(cpu, in->seg, str_off(cpu, &s, R_SI), s.size);
        b = x86_load(cpu, R_ES, str_off(cpu, &s, R_DI), s.size);
        str_move(cpu, &s, R_SI, 1);
        str_move(cpu, &s, R_DI, 1);
        str_count(cpu, &s, 1);
        more = s.rep && str_goes_on(in, a == b);
    }
    x86_set_flags(cpu, FL_STATUS, x86_flags_sub(s.size, a, b, a - b));
    if (more) {
        str_again(cpu, &s);
    }
}

static void exec_SCAS(X86Cpu *cpu, const X86Insn *in)
{
    Str s = str_begin(cpu, in);
    uint64_t n = str_limit(cpu, str_left(cpu, &s)), b = 0;
    uint64_t a = x86_reg_get(cpu, R_AX, s.size);
    bool more = true;

    if (!n) {
        return;
    }
    for (; n && more; n--) {
        b = x86_load(cpu, R_ES, str_off(cpu, &s, R_DI), s.size);
        str_move(cpu, &s, R_DI, 1);
        str_count(cpu, &s, 1);
        more = s.rep && str_goes_on(in, a == b);
    }
    x86_set_flags(cpu, FL_STATUS, x86_flags_sub(s.size, a, b, a - b));
    if (more) {
        str_again(cpu, &s);
    }
}

/* ---- rows ---- */

/* A REP that is entered again writes next_rip. */
#define STR_ROW(mn, opc, o1, o2, r1, r2, fl, use, def, fn)                            \
    { .name = mn, .op = (opc), OPS(o1, o2), ROLES(r1, r2),                            \
      .flags = RF_REP | RF_BRANCH | (fl), FLAGS(use, def, 0), .exec = (fn) }

const X86Row x86_rows_string[] = {
    STR_ROW("MOVS", 0xa4, Yb, Xb, WR, RD, 0, 0, 0, exec_MOVS),
    STR_ROW("MOVS", 0xa5, Yv, Xv, WR, RD, 0, 0, 0, exec_MOVS),
    /* A count of 0 leaves all flags. */
    STR_ROW("CMPS", 0xa6, Xb, Yb, RD, RD, RF_REPZ, FL_STATUS, FL_STATUS, exec_CMPS),
    STR_ROW("CMPS", 0xa7, Xv, Yv, RD, RD, RF_REPZ, FL_STATUS, FL_STATUS, exec_CMPS),
    STR_ROW("STOS", 0xaa, Yb, FAL, WR, RD, 0, 0, 0, exec_STOS),
    STR_ROW("STOS", 0xab, Yv, FrAX, WR, RD, 0, 0, 0, exec_STOS),
    STR_ROW("LODS", 0xac, FAL, Xb, WR, RD, 0, 0, 0, exec_LODS),
    STR_ROW("LODS", 0xad, FrAX, Xv, WR, RD, 0, 0, 0, exec_LODS),
    STR_ROW("SCAS", 0xae, FAL, Yb, RD, RD, RF_REPZ, FL_STATUS, FL_STATUS, exec_SCAS),
    STR_ROW("SCAS", 0xaf, FrAX, Yv, RD, RD, RF_REPZ, FL_STATUS, FL_STATUS, exec_SCAS),
};
const unsigned x86_n_rows_string = ARRAY_SIZE(x86_rows_string);

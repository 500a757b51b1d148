/* SPDX-License-Identifier: MIT */
/*
 * Makes a failing case small: instructions become NOPs, then go altogether; registers,
 * flags, vector state and memory become plain, as long as the case still fails on an
 * engine it failed on and ends on the host as it did: else it becomes another case.
 */
#include <string.h>

#include "tests/judge/judge.h"

static int engine, vector;

static bool fails(JudgeCase *c)
{
    JudgeResult r = judge_case(c, NULL);
    return r.valid && r.engine == engine && r.vector == vector;
}

static void nop_out(JudgeCase *c)
{
    for (int i = c->n - 1; i >= 0; i--) {
        unsigned at = c->at[i], n = ((unsigned)i + 1 < c->n ? c->at[i + 1] : c->len) - at;
        uint8_t old[JUDGE_MAX_CODE];
        memcpy(old, c->code + at, n);
        memset(c->code + at, 0x90, n);
        if (!fails(c)) {
            memcpy(c->code + at, old, n);
        }
    }
}

static void remove_insn(JudgeCase *c, unsigned i)
{
    unsigned at = c->at[i], end = i + 1 < c->n ? c->at[i + 1] : c->len, n = end - at;

    memmove(c->code + at, c->code + end, c->len - end);
    c->len -= n;
    for (unsigned k = i; k + 1 < c->n; k++) {
        c->at[k] = c->at[k + 1] - n;
        c->site[k] = c->site[k + 1];
    }
    c->n--;
}

static void compact(JudgeCase *c)
{
    for (int i = c->n - 1; i >= 0; i--) {
        JudgeCase t = *c;
        if (c->n > 1) {
            remove_insn(&t, i);
            if (fails(&t)) {
                *c = t;
            }
        }
    }
}

/* Sets n bytes to `to` if the case still fails. */
static void plain(JudgeCase *c, void *p, const void *to, unsigned n)
{
    uint8_t old[64];

    if (!memcmp(p, to, n)) {
        return;
    }
    memcpy(old, p, n);
    memcpy(p, to, n);
    if (!fails(c)) {
        memcpy(p, old, n);
    }
}

static void plain_state(JudgeCase *c)
{
    static const uint8_t zero[64];
    JudgeState *s = &c->in;
    X86Xsave *x = &s->xsave;
    uint32_t mxcsr = 0x1f80;
    uint16_t fcw = 0x37f;
    uint64_t fl = FL_ONE | FL_IF;

    for (unsigned r = 0; r < 16; r++) {
        plain(c, &s->gpr[r], zero, 8);
    }
    plain(c, &s->rflags, &fl, 8);
    plain(c, &x->mxcsr, &mxcsr, 4);
    plain(c, &x->fcw, &fcw, 2);
    plain(c, &x->fsw, zero, 2);
    plain(c, &x->ftw, zero, 1);
    for (unsigned i = 0; i < 8; i++) {
        plain(c, &x->st[i], zero, 16);
    }
    for (unsigned i = 0; i < 16; i++) {
        plain(c, &x->xmm[i], zero, 16);
        plain(c, &x->ymmh[i], zero, 16);
        plain(c, &x->zmmh[i], zero, 32);
        plain(c, &x->zmm16[i], zero, 64);
        if (i < 8) {
            plain(c, &x->k[i], zero, 8);
        }
    }
}

static void plain_memory(JudgeCase *c, uint8_t *p, unsigned n)
{
    uint8_t old[8192];
    bool zero = true;

    for (unsigned i = 0; zero && i < n; i++) {
        zero = !p[i];
    }
    if (zero) {
        return;
    }
    memcpy(old, p, n);
    memset(p, 0, n);
    if (fails(c)) {
        return;
    }
    memcpy(p, old, n);
    if (n > 8) {
        plain_memory(c, p, n / 2);
        plain_memory(c, p + n / 2, n / 2);
    }
}

void case_shrink(JudgeCase *c, JudgeMem *mem, uint8_t *ro)
{
    JudgeResult r = judge_case(c, NULL);

    engine = r.engine;
    vector = r.vector;
    if (!r.valid || engine < 0) {
        return; /* does not happen again: left as it is */
    }
    nop_out(c);
    compact(c);
    nop_out(c);
    compact(c);
    plain_state(c);
    plain_memory(c, mem->stack, STACK_SIZE);
    plain_memory(c, mem->rw, RW_SIZE);
    plain_memory(c, ro, RO_SIZE);
    plain_state(c);
}

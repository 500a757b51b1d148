/* SPDX-License-Identifier: MIT */
/*
 * A block's out-of-line code: ways out that are not chained yet, entries that store flags first,
 * checks that failed. It is as much as the rest and seldom runs: it is made of as few bytes as
 * that takes.
 */
#include "target-x86/template.h"
#include "target-x86/saved.h"
#include "tcg/codebuf.h"

/* Four bytes, the last one two, instead of eleven: a number, and to where all of them go on,
 * behind `left` others. */
static void short_stub(Enc *e, unsigned n, unsigned left)
{
    enc_bytes(e, 0x6a | n << 8, 2); /* push n */
    if (left) {
        enc_bytes(e, 0xeb | (4 * left - 2) << 8, 2); /* jmp */
    }
}

enum { GUESS_NEAR = 7, GUESS_FAR = 10 }; /* bytes */
_Static_assert(4 * (STUB_EXITS + 2) <= 127, "short jumps reach over the exits' stubs");

/* A wrong guess in a block leaves for good: no more is to be said than which check it was. */
static bool short_guess(const Tmpl *t, const SlowSite *s)
{
    return (s->form == SLOW_GUESS || s->form == SLOW_TURNED) && !s->late && !t->tb->trace_at &&
           t->nexits <= STUB_EXITS;
}

static unsigned insn_at(const Tmpl *t, uint32_t off)
{
    unsigned i = t->tb->ninsns - 1u;

    while (i && t->map[i].host > off - t->tb->code_off) {
        i--;
    }
    return i;
}

/* Seven bytes instead of sixteen: STUB_GUESS with what is to be known, and to where the exits'
 * stubs go, too. `left` bytes of those and n more of these lie between. */
static void guess_stub(Tmpl *t, const SlowSite *s, unsigned n, unsigned left)
{
    Enc *e = &t->e;
    unsigned near = MIN(n, (127 - left) / GUESS_NEAR + 1); /* of the n: those that can be */
    unsigned to = left + near * GUESS_NEAR + (n - near) * GUESS_FAR;
    uint32_t which = STUB_GUESS | (s->kind & 31 << 10) | (s->kind >> 16) << 16 |
                     insn_at(t, s->back - 1) << 25 | (s->form == SLOW_TURNED ? s->turn : 0);

    enc_patch(e, s->jcc, e->off);
    enc_bytes(e, 0x68 | (uint64_t)which << 8, 5); /* push */
    if (to <= 127) {
        enc_bytes(e, 0xeb | to << 8, 2); /* jmp */
    } else {
        enc_bytes(e, 0xe9 | (uint64_t)to << 8, 5);
    }
}

static void stubs(Tmpl *t)
{
    Tb *tb = t->tb;
    Enc *e = &t->e;
    unsigned guesses = 0;

    if (!tb->entry_h) { /* body wants flags in env: store them first */
        tb->entry_h = e->off;
        tmpl_emit_save(e);
        enc_jmp_to(e, tb->entry_e);
    }
    if (tb->entry_x) {
        tb->entry_xh = tb->entry_x;
        if (t->live[0]) { /* the guard would lose the flags */
            tb->entry_xh = e->off;
            enc_call_to(e, x86_thunks.save);
            enc_jmp_to(e, tb->entry_x);
        }
    }
    for (unsigned i = 0; i < t->nslow; i++) {
        SlowSite *s = &t->slow[i];
        if (short_guess(t, s)) {
            guesses++;
            continue;
        }
        enc_patch(e, s->jcc, e->off);
        if (s->form == SLOW_TLB) { /* SLOW_PUNT: r11 does not matter */
            enc_bytes(e, 0x1a2b4d, 3); /* sub r11, [r10]: the tag */
        } else if (s->form == SLOW_TURNED) {
            tmpl_turn_back(t, s);
        } else if (s->form == SLOW_BOTH) {
            tmpl_both_slow(t, s);
        } else if (s->form == SLOW_ANY) {
            tmpl_any_range_slow(t, s);
        }
        if (s->late) {
            tmpl_sp_undo(e, s->late);
        }
        enc_mov_ri(e, S2, s->kind);
        enc_call_to(e, x86_thunks.mem);
        if (s->late) {
            tmpl_sp_undo(e, -s->late);
        }
        enc_jmp_to(e, s->back);
    }
    tmpl_trace_away(t);
    if (t->guard2_jcc) {
        enc_patch(e, t->guard2_jcc, e->off);
        tmpl_mov_ptr(e, S2, tb);
        enc_jmp_to(e, x86_thunks.guard);
    }
    bool few = t->nexits <= STUB_EXITS; /* not so in traces */
    unsigned left = t->nexits + (t->hot_jcc != 0) + (t->guard_jcc != 0);
    bool common = few && (left || guesses);
    for (unsigned i = 0; guesses; i++) {
        if (short_guess(t, &t->slow[i])) {
            guess_stub(t, &t->slow[i], --guesses, left ? 4 * left - 2 : 0);
        }
    }
    if (t->hot_jcc) {
        enc_patch(e, t->hot_jcc, e->off);
        short_stub(e, STUB_HOT, --left);
    }
    if (t->guard_jcc) {
        enc_patch(e, t->guard_jcc, e->off);
        short_stub(e, STUB_GUARD, --left);
    }
    for (unsigned i = 0; i < t->nexits; i++) {
        TbExit *x = tb_exit(tb, i);
        bool cold = t->exits[i].jmp > tb->code_end || t->exits[i].jmp < tb->code_off;
        uint32_t jmp = cold ? e->off - t->exits[i].jmp : t->exits[i].jmp - tb->code_off;
        t->failed |= jmp >= TB_EXIT_COLD;
        x->target = t->exits[i].target;
        x->jmp = jmp | (cold ? TB_EXIT_COLD : 0);
        x->flags_in_env = t->exits[i].flags_in_env;
        x->guarded = t->exits[i].guarded;
        x->stub_off = e->off;
        enc_patch(e, t->exits[i].jmp, e->off);
        if (few) {
            short_stub(e, i, --left);
        } else {
            tmpl_mov_ptr(e, S2, x);
            enc_jmp_to(e, x->flags_in_env ? x86_thunks.chain_e : x86_thunks.chain_h);
        }
    }
    if (common) {
        tmpl_mov_ptr(e, S2, tb);
        enc_jmp_to(e, x86_thunks.stub);
    }
}

/* At code->cold_used; made again with more room if that was not enough. */
Enc tmpl_stubs(Tmpl *t, CodeBuf *code)
{
    const uint32_t entry_h = t->tb->entry_h, hot_end = t->e.off;
    unsigned notes = t->e.notes ? t->e.notes->n : 0;
    unsigned pointers = t->e.notes ? x86_saved_notes->npointers : 0;
    size_t room = 128 + (48 + (t->moves_late ? 2 * TMPL_UNDO : 0)) * t->nslow + 16 * t->nexits +
                  48 * t->naway;

    for (;; room *= 2) {
        t->e.full = !codebuf_cold(code, hot_end, room);
        if (t->e.full) {
            return t->e;
        }
        t->e.off = code->cold_used;
        t->e.end = code->cold_end;
        t->tb->entry_h = entry_h;
        if (t->e.notes) {
            t->e.notes->n = notes;
            x86_saved_notes->npointers = pointers;
        }
        stubs(t);
        if (!t->e.full) {
            return t->e;
        }
    }
}

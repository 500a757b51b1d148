/* SPDX-License-Identifier: MIT */
/*
 * Lowering of memory operands: from a guest operand to a host one. The one place that
 * knows the block's memory mode.
 *
 * Soft TLB: the linear address into r11, then a check that turns it into a host address.
 *
 * Windows (window.h): an address register that lies in range B is used as it is, with a GS
 * prefix; in range A, r11 holds what is to be added. A register is checked once per block
 * until it is written: the areas have margins for displacements. Which range a site's
 * register lies in is a guess from its value when the block is built; a site that guessed
 * wrong drops its block and is told so when it is built again (x86_win_site). A site that
 * has seen both ranges checks its whole address each time and takes any.
 */
#include "target-x86/template.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "target-x86/window.h"

/* ---- the linear address ---- */

/* Base register, index and displacement as a host operand; scratch registers for those
 * that live in env: the base in r11, or either where it is held. */
static Rm address_rm(Tmpl *t, int base, int index, unsigned scale, int32_t disp)
{
    int hb = base < 0 ? -1 : tmpl_use(t, base, S1), hi = -1;

    if (index >= 0) {
        hi = tmpl_use(t, index, hb == S1 ? S2 : S1);
    }
    return (Rm){ RM_MEM, hb, hi, scale, disp, 0 };
}

/* vbase into S1, which goes on holding it unless it is changed. */
static void load_vbase(Tmpl *t)
{
    if (t->held[0] != HELD_VBASE) {
        enc_load(&t->e, S1, rm_env(ENV_F(vbase)));
        tmpl_hold(t, S1, HELD_VBASE);
    }
}

/* Offset from vbase of a RIP-relative operand. */
static int64_t rip_disp(const Tmpl *t, const X86Insn *in)
{
    return (int64_t)t->off + in->len + in->disp;
}

static Rm seg_base(unsigned seg)
{
    return rm_env(offsetof(X86State, seg) + seg * sizeof(X86Seg) + offsetof(X86Seg, base));
}

bool tmpl_addr(Tmpl *t, const X86Insn *in, bool with_segment)
{
    Enc *e = &t->e;
    bool wide = in->adsize == 8;

    if (in->adsize == 2 || in->disp != (int32_t)in->disp) {
        return false;
    }
    if (in->base == 16) { /* RIP-relative: vbase + offset of the next instruction + disp */
        int64_t d = rip_disp(t, in);
        if (d != (int32_t)d) {
            return false;
        }
        load_vbase(t);
        enc_lea(e, S1, rm_mem(S1, d), wide);
        tmpl_clobber(t, S1);
    } else if (in->base < 0 && in->index < 0) {
        enc_mov_ri(e, S1, wide ? (uint64_t)in->disp : (uint32_t)in->disp);
        tmpl_clobber(t, S1);
    } else {
        Rm m = address_rm(t, in->base, in->index, in->scale,
                          in->disp + (in->base == R_SP ? t->late : 0));
        tmpl_clobber(t, S1);
        if (m.index < 0 && m.disp == 0 && wide) {
            if (m.base != S1) {
                enc_mov_rr(e, S1, m.base);
            }
        } else {
            enc_lea(e, S1, m, wide);
        }
    }
    if (with_segment && in->seg >= R_FS) {
        /* flags are saved or dead here: tmpl_before_check came first */
        enc_alu_rm(e, ALU_ADD, S1, seg_base(in->seg));
    }
    return true;
}

bool tmpl_lea(Tmpl *t, const X86Insn *in)
{
    unsigned g = in->op[0].reg;

    if (t->legacy || in->opsize == 2 || in->adsize != 8 || reg_in_env(g) ||
        in->disp != (int32_t)in->disp || (in->base < 0 && in->index < 0)) {
        return false;
    }
    if (in->base != 16) {
        Rm m = address_rm(t, in->base, in->index, in->scale,
                          in->disp + (in->base == R_SP ? t->late : 0));
        enc_lea(&t->e, host_reg(g), m, in->opsize == 8);
    } else {
        int64_t d = rip_disp(t, in), there = d + t->fixed;
        if (d != (int32_t)d) {
            return false;
        }
        if (t->fixed && there >= 0 && there <= INT32_MAX) {
            enc_mov_ri(&t->e, host_reg(g), there);
        } else {
            load_vbase(t);
            enc_lea(&t->e, host_reg(g), rm_mem(S1, d), in->opsize == 8);
        }
    }
    t->late = g == R_SP ? 0 : t->late;
    return true;
}

/* ---- soft TLB ---- */

SlowSite *tmpl_slow_site(Tmpl *t, unsigned form, uint32_t kind)
{
    SlowSite *s = &t->slow[t->nslow++];
    *s = (SlowSite){ .form = form, .kind = kind, .late = t->late };
    return s;
}

/* r11 = linear address to host address, if the soft TLB has it; returns the rel32 of the way
 * out (0 if there is no room). */
static uint32_t tlb_lookup(Enc *e, unsigned kind)
{
    enum { MASK = (TLB_SIZE - 1) << 4, TABLE = 17, SIZE = 24, SLOW = 30 };
    static const uint8_t code[] = {
        0x4d, 0x89, 0xda,                             /* mov r10, r11 */
        0x49, 0xc1, 0xea, TLB_PAGE_BITS - 4,          /* shr r10, 8: index * 16 */
        0x41, 0x81, 0xe2, MASK & 0xff, MASK >> 8, 0, 0, /* and r10d, mask */
        0x4c, 0x03, 0x15, 0, 0, 0, 0,                 /* add r10, [env.rd or wr] */
        0x4d, 0x03, 0x1a,       /* add r11, [r10]: negated tag; offset in the page on a hit */
        0x49, 0x81, 0xfb, 0, 0, 0, 0,                 /* cmp r11, 4096 - size */
        0x0f, 0x87, 0, 0, 0, 0,                       /* ja slow */
        0x4d, 0x03, 0x5a, offsetof(TlbEntry, host),   /* add r11, [r10 + 8] */
    };
    _Static_assert(offsetof(TlbEntry, tag) == 0 && MASK <= 0xffff, "the code above");
    uint32_t at = e->off;
    uint8_t *p = enc_code(e, code, sizeof(code));

    if (p) {
        enc_put_env(e, p, TABLE, at, kind & MEM_WRITE ? ENV_F(wr) : ENV_F(rd));
        enc_put32(p + SIZE + 3, TLB_PAGE - (kind & MEM_SIZE));
    }
    return at + SLOW + 3;
}

void tmpl_check(Tmpl *t, unsigned kind)
{
    SlowSite *s = tmpl_slow_site(t, SLOW_TLB, kind);

    tmpl_forget(t);
    s->jcc = tlb_lookup(&t->e, kind);
    s->back = t->e.off;
}

/* ---- windows ---- */

/* FS and GS hold host minus guest address of ranges A and B. */
static const uint8_t range_seg[] = { 0x65, 0x64 };

/* rorx d, s, n; or mov, ror: the address bits above n into the low bits of d */
static void rotate(Tmpl *t, int d, int s, unsigned n)
{
    if (x86_host_has(X86F_BMI2)) { /* C4, R X B map 3, W L0 F2, F0, ModRM, n */
        uint32_t rxb = (d < 8) << 7 | 0x40 | (s < 8) << 5 | 3;
        enc_bytes(&t->e,
                  0xf0fb00c4 | rxb << 8 |
                      (uint64_t)(0xc0 | (d & 7) << 3 | (s & 7)) << 32 | (uint64_t)n << 40,
                  6);
    } else {
        enc_mov_rr(&t->e, d, s);
        enc_shift_ri(&t->e, 1, d, n, true);
    }
}

/* Compares the address in host register s with range k; d is scratch. Leaves ZF. */
static void compare_range(Tmpl *t, int d, int s, unsigned k)
{
    Enc *e = &t->e;

    if (k == 0) { /* cmp d16, imm8 (d is r10 or r11) */
        rotate(t, d, s, WIN_B_SHIFT);
        enc_bytes(e, 0xf8834166 | (uint64_t)(d & 7) << 24 | (uint64_t)WIN_B_INDEX << 32, 5);
    } else { /* cmp d16, [env.win_a] */
        static const Op cmp16m = { .prefix = 0x66, .opcode = 0x3b };
        rotate(t, d, s, WIN_A_SHIFT);
        enc_op(e, &cmp16m, d, rm_env(ENV_F(win_a)));
    }
}

/* The check of range k with the way out for a wrong guess: base is the guest register
 * that was looked at (16: vbase, WIN_WHOLE: the address in r11). */
enum { WIN_WHOLE = 31 };
static void check_range(Tmpl *t, int d, int s, unsigned k, unsigned base, uint32_t at)
{
    if (t->tb->trace_at && x86_win_site(tmpl_insn_ram(t, at)) == WIN_SITE_MIXED &&
        tmpl_may_leave(t, at)) {
        tmpl_clobber(t, d);
        compare_range(t, d, s, k);
        tmpl_leave(t, CC_NE);
        return;
    }
    SlowSite *x = tmpl_slow_site(t, d == s ? SLOW_TURNED : SLOW_GUESS,
                            MEM_GUESS | base << 10 | at << 16);

    x->turn = k ? WIN_A_SHIFT : WIN_B_SHIFT;
    tmpl_clobber(t, d);
    compare_range(t, d, s, k);
    x->jcc = enc_jcc(&t->e, CC_NE);
    x->back = t->e.off;
}

void tmpl_turn_back(Tmpl *t, const SlowSite *s) { rotate(t, S1, S1, 64 - s->turn); }

static Rm delta_a(void) { return rm_env(tmpl_env_off(offsetof(TcgEnv, win_delta) + 8)); }
static Rm delta_b(void) { return rm_env(tmpl_env_off(offsetof(TcgEnv, win_delta))); }

/* r11 = linear address: any range, or what else there is, to a host address in r11. */
static Rm any_range(Tmpl *t, unsigned kind)
{
    Enc *e = &t->e;
    SlowSite *s = tmpl_slow_site(t, SLOW_ANY, kind | MEM_OUTSIDE);

    tmpl_forget(t);

    compare_range(t, S2, S1, 0);
    s->jcc = enc_jcc(e, CC_NE);
    enc_alu_rm(e, ALU_ADD, S1, delta_b());
    s->back = e->off;
    return rm_mem(S1, 0);
}

void tmpl_any_range_slow(Tmpl *t, const SlowSite *s)
{
    Enc *e = &t->e;

    compare_range(t, S2, S1, 1);
    uint32_t miss = enc_jcc(e, CC_NE);
    enc_alu_rm(e, ALU_ADD, S1, delta_a());
    enc_jmp_to(e, s->back);
    enc_patch(e, miss, e->off);
    /* neither: noted, so that range A may go there, and by the soft TLB */
    enc_store(e, rm_env(ENV_F(win_missed)), S1);
    static const Op add32 = { .opcode = 0x83, .imm_len = 1 };
    enc_op(e, &add32, ALU_ADD, rm_env(ENV_F(win_misses)));
    enc_u8(e, 1);
    uint32_t out = tlb_lookup(e, s->kind);
    enc_jmp_to(e, s->back);
    enc_patch(e, out, e->off);
    enc_bytes(e, 0x1a2b4d, 3); /* sub r11, [r10]: the tag */
}

/* Is the register as it was when the block was begun? */
static bool untouched(const Tmpl *t, unsigned g)
{
    for (unsigned j = 0; j < t->i; j++) {
        if (t->writes[j] >> g & 1) {
            return false;
        }
    }
    return true;
}

/* Will the instructions ahead add it to a pointer? */
static bool strides_ahead(const Tmpl *t, unsigned g)
{
    enum { AHEAD = 64 };
    unsigned end = MIN(t->tb->ninsns, t->i + AHEAD);

    for (unsigned j = t->i + 1; j < end; j++) {
        if (tmpl_adds_to_pointer(&t->insns[j]) == (int)g) {
            return true;
        }
        if (t->writes[j] >> g & 1) {
            break;
        }
    }
    return false;
}

/* Is it worth to know that the index of this operand fits 16 bits? It does now. */
static bool is_stride(const Tmpl *t, const X86Insn *in)
{
    const TbTrace *tr = tb_trace(t->tb);
    unsigned g = in->index;

    if (t->stride >> g & 1 || x86_keys_has(&x86_engine.no_stride, tmpl_insn_ram(t, t->i)) ||
        !strides_ahead(t, g)) {
        return false;
    }
    return tr ? tr->insn[t->i].site >= WIN_SITE_TINY
              : untouched(t, g) && t->cpu->st.gpr[g] == (uint64_t)(int16_t)t->cpu->st.gpr[g];
}

/* Outside traces: is it cheaper to check the two registers than their sum? */
static bool pays(const Tmpl *t, const X86Insn *in, unsigned k)
{
    bool base_known = t->verified[k] >> in->base & 1;
    uint64_t index = t->cpu->st.gpr[in->index];

    if (t->small >> in->index & 1) {
        return base_known ||
               (untouched(t, in->base) &&
                window_range(x86_env(t->cpu), t->cpu->st.gpr[in->base]) == (int)k);
    }
    if (!untouched(t, in->index) || index != (uint64_t)(int32_t)index ||
        x86_keys_has(&x86_engine.no_stride, tmpl_insn_ram(t, t->i))) {
        return false;
    }
    return base_known || (is_stride(t, in) && untouched(t, in->base) &&
                          window_range(x86_env(t->cpu), t->cpu->st.gpr[in->base]) == (int)k);
}

/* Where a base register points into range k and the index is small: both are checked, each once
 * while it keeps its value. In a trace its path has shown that, elsewhere the values that the
 * registers have while it is built. */
static bool is_pair(const Tmpl *t, const X86Insn *in, unsigned k)
{
    const TbTrace *tr = tb_trace(t->tb);

    if (in->index < 0 || in->base < 0 || in->base > 15 || in->seg >= R_FS ||
        (reg_in_env(in->base) && reg_in_env(in->index))) {
        return false;
    }
    return tr ? tr->insn[t->i].site == WIN_SITE_PAIR + k || tr->insn[t->i].site == WIN_SITE_TINY + k
              : pays(t, in, k);
}

/* Where an operand lies. A register's value that one operand has found in both ranges is in
 * both for the next operands, too: each of them would cost a trace its life to find out. */
static unsigned guess(const Tmpl *t, unsigned i, const X86Insn *in)
{
    if (in->base == R_SP && t->insns[i].is_mem && t->insns[i].base != R_SP &&
        (t->verified[0] | t->verified[1]) >> R_SP & 1) { /* CALL [mem]: the site is [mem]'s */
        return t->verified[0] >> R_SP & 1 ? WIN_SITE_B : WIN_SITE_A;
    }
    unsigned state = tmpl_guess(t, i, in);
    uint32_t bit = in->base >= 0 && in->base < 16 && in->seg < R_FS ? 1u << in->base : 0;
    if (state == WIN_SITE_BOTH && (t->sure[0] | t->sure[1]) & bit) {
        unsigned k = !(t->sure[0] & bit);
        return in->index < 0 || is_pair(t, in, k) ? WIN_SITE_B + k : state;
    }
    bool both = in->base >= 0 && t->both >> in->base & 1 && in->seg < R_FS;

    return both && state < WIN_SITE_BOTH ? WIN_SITE_BOTH : state;
}

/* An operand with only a base register (or RIP): checked once while the register keeps
 * its value. */
static Rm win_base(Tmpl *t, const X86Insn *in, unsigned k, int64_t disp)
{
    unsigned base = in->base;
    bool known = t->verified[k] >> base & 1;

    if (!known) {
        tmpl_before_check(t, in);
    }
    int h = S1;
    if (base == 16) {
        load_vbase(t);
    } else {
        h = tmpl_use(t, base, S1);
    }
    if (!known) {
        check_range(t, h == S1 || (t->s1_host && h != S2) ? S2 : S1, h, k, base,
                    tmpl_site(t, t->i));
        t->verified[k] |= 1u << base;
    }
    return (Rm){ RM_MEM, h, -1, 0, disp, range_seg[k] };
}

/* S1 += host minus guest address; or S1 = that + h. */
static void add_delta(Tmpl *t, int h, Rm delta)
{
    if (h == S1) {
        enc_alu_rm(&t->e, ALU_ADD, S1, delta);
    } else {
        enc_load(&t->e, S1, delta);
        enc_lea(&t->e, S1, (Rm){ RM_MEM, S1, h, 0, 0, 0 }, true);
    }
}

/* A base register that has been seen in both ranges: S1 gets its host address, which
 * serves while S1 is not needed for anything else. EFLAGS are free. */
static void both_check(Tmpl *t, unsigned base, uint32_t at)
{
    int h = S1;

    if (base == 16) {
        load_vbase(t);
    } else {
        h = tmpl_use(t, base, S1);
    }
    SlowSite *s = tmpl_slow_site(t, SLOW_BOTH, MEM_GUESS | base << 10 | at << 16);
    s->base = h;
    if (h != S2) {
        tmpl_clobber(t, S2);
        compare_range(t, S2, h, 0);
    } else {
        compare_range(t, S1, h, 0);
    }
    s->jcc = enc_jcc(&t->e, CC_NE);
    add_delta(t, h, delta_b());
    s->back = t->e.off;
    tmpl_clobber(t, S1);
    t->s1_host = base + 1;
    t->both |= 1u << base;
}

/* Guest register g, in host register h, is small, or (tiny) fits 16 bits: movsxd d,h or movsx;
 * cmp d,h; jne. what: as which register a wrong guess is told. */
static void check_index(Tmpl *t, unsigned g, int d, int h, bool tiny, unsigned what)
{
    static const Op movsxd = { .opcode = 0x63, .w = true },
                    movsx = { .map = 1, .opcode = 0xbf, .w = true };

    tmpl_clobber(t, d);
    enc_op(&t->e, tiny ? &movsx : &movsxd, d, rm_reg(h));
    enc_alu_rm(&t->e, ALU_CMP, d, rm_reg(h));
    SlowSite *s = tmpl_slow_site(t, SLOW_GUESS, MEM_GUESS | what << 10 | tmpl_site(t, t->i) << 16);
    s->jcc = enc_jcc(&t->e, CC_NE);
    s->back = t->e.off;
    tmpl_knows_index(t, g, tiny);
}

/* Beside a base register that has been seen in both ranges: is the index small, or is it worth to
 * check that it is, instead of each sum? The base's host address serves for all of them, then. */
static bool both_index(const Tmpl *t, const X86Insn *in)
{
    uint64_t value = t->cpu->st.gpr[in->index & 15];

    if (reg_in_env(in->index) || in->base > 15) {
        return false;
    }
    if (t->small >> in->index & 1) {
        return true;
    }
    if (t->tb->trace_at || !untouched(t, in->index) ||
        x86_keys_has(&x86_engine.no_stride, tmpl_insn_ram(t, t->i))) {
        return false;
    }
    return is_stride(t, in) ||
           ((t->s1_host == in->base + 1 || t->both >> in->base & 1) && value == (uint64_t)(int32_t)value);
}

void tmpl_both_slow(Tmpl *t, const SlowSite *s)
{
    Enc *e = &t->e;

    compare_range(t, s->base == S2 ? S1 : S2, s->base, 1);
    uint32_t miss = enc_jcc(e, CC_NE);
    add_delta(t, s->base, delta_a());
    enc_jmp_to(e, s->back);
    enc_patch(e, miss, e->off);
}

/* Can m be the operand itself, though S1 is used up and the instruction may want S2 for
 * something else? */
static bool stays(const Tmpl *t, const Rm *m)
{
    bool s2 = m->base == S2 || m->index == S2;
    return m->base != S1 && m->index != S1 &&
           !(s2 && (!t->held[1] || (t->wanted && t->wanted != t->held[1])));
}

/* Guest register g for an operand: in S1, if it lives in env, or S2 where that is free. */
static int pair_reg(Tmpl *t, unsigned g)
{
    int h = reg_in_env(g) ? tmpl_where(t, g) : host_reg(g);

    if (h < 0 || (h == S2 && t->wanted && t->wanted != g)) {
        h = t->s1_host && !t->wanted ? S2 : S1;
        tmpl_get(t, h, g);
    }
    return h;
}

static Rm win_pair(Tmpl *t, const X86Insn *in, unsigned k, int64_t disp)
{
    bool base_known = t->verified[k] >> in->base & 1, stride = is_stride(t, in);
    bool index_known = t->small >> in->index & 1 && !stride;

    if (!base_known || !index_known) {
        tmpl_before_check(t, in);
    }
    int h = pair_reg(t, in->base), x = pair_reg(t, in->index);
    int d = h == S1 || x == S1 || (t->s1_host && h != S2 && x != S2) ? S2 : S1; /* scratch */
    if (!index_known) {
        check_index(t, in->index, d, x, stride,
                    stride || !t->tb->trace_at ? WIN_STRIDE : WIN_INDEX);
    }
    if (!base_known) {
        check_range(t, d, h, k, in->base, tmpl_site(t, t->i));
        t->verified[k] |= 1u << in->base;
    }
    return (Rm){ RM_MEM, h, x, in->scale, disp, range_seg[k] };
}

/* FS or GS, and perhaps a register that is small: TLS. */
static bool is_offset(const Tmpl *t, const X86Insn *in, unsigned k)
{
    const TbTrace *tr = tb_trace(t->tb);

    if (in->seg < R_FS || in->index >= 0 || in->base == 16) {
        return false;
    }
    return in->base < 0 ||
           (!reg_in_env(in->base) && in->base != R_SP &&
            (t->small >> in->base & 1 || (tr && tr->insn[t->i].site == WIN_SITE_PAIR + k)));
}

/* S1 = the segment's base, which is checked once. */
static Rm win_offset(Tmpl *t, const X86Insn *in, unsigned k, int64_t disp)
{
    unsigned name = WIN_FS + in->seg - R_FS;
    bool known = t->verified[k] >> name & 1;
    bool small = in->base < 0 || t->small >> in->base & 1;

    if (!known || !small) {
        tmpl_before_check(t, in);
    }
    if (!small) {
        check_index(t, in->base, S2, host_reg(in->base), false, WIN_INDEX);
    }
    if (t->held[0] != name) {
        enc_load(&t->e, S1, seg_base(in->seg));
        tmpl_hold(t, S1, name);
    }
    if (!known) {
        check_range(t, S2, S1, k, WIN_WHOLE, tmpl_site(t, t->i));
        t->verified[k] |= 1u << name;
    }
    return (Rm){ RM_MEM, S1, in->base < 0 ? -1 : host_reg(in->base), 0, disp, range_seg[k] };
}

/* With an index, or a segment base: the address without its displacement is checked. */
static Rm win_computed(Tmpl *t, const X86Insn *in, unsigned k, int64_t disp)
{
    Enc *e = &t->e;
    bool rip = in->base == 16;
    Rm m = address_rm(t, rip ? -1 : in->base, in->index, in->scale, 0);
    uint32_t at = tmpl_site(t, t->i);

    if (in->seg < R_FS && m.index >= 0 && stays(t, &m)) {
        tmpl_clobber(t, S1);
        enc_lea(e, S1, m, true);
        check_range(t, S1, S1, k, WIN_WHOLE, at);
        m.disp = disp;
        m.seg = range_seg[k];
        return m;
    }
    if (rip) {
        load_vbase(t);
    } else if (m.index >= 0) {
        enc_lea(e, S1, m, true);
    } else if (m.base >= 0 && m.base != S1) {
        enc_mov_rr(e, S1, m.base);
    } else if (m.base < 0) {
        enc_mov_ri(e, S1, 0);
    }
    tmpl_clobber(t, S1);
    if (in->seg >= R_FS) {
        enc_alu_rm(e, ALU_ADD, S1, seg_base(in->seg));
    }
    check_range(t, S2, S1, k, WIN_WHOLE, at);
    return (Rm){ RM_MEM, S1, -1, 0, disp, range_seg[k] };
}

/* No base, and no index or one that is known to be small: within 4 GiB of address 0. Is that
 * in range A? Asked once. */
static Rm win_absolute(Tmpl *t, const X86Insn *in, int64_t disp)
{
    static const Op cmp16 = { .prefix = 0x66, .opcode = 0x83, .imm_len = 1 };

    if (!(t->verified[1] >> WIN_ZERO & 1)) {
        tmpl_before_check(t, in);
        SlowSite *s = tmpl_slow_site(t, SLOW_GUESS,
                                     MEM_GUESS | WIN_ZERO << 10 | tmpl_site(t, t->i) << 16);
        enc_op(&t->e, &cmp16, ALU_CMP, rm_env(ENV_F(win_a)));
        enc_u8(&t->e, 0);
        s->jcc = enc_jcc(&t->e, CC_NE);
        s->back = t->e.off;
        t->verified[1] |= 1u << WIN_ZERO;
    }
    int x = in->index < 0 ? -1 : pair_reg(t, in->index);
    return (Rm){ RM_MEM, -1, x, in->index < 0 ? 0 : in->scale, disp, range_seg[1] };
}

/* Before a loop's further rounds: base registers of operands that have lain in both ranges,
 * but that the loop does not move, or only by a little, are looked at once. Do all lie where
 * the record saw them? Then the rounds take that for sure; else the first one comes again,
 * which takes both. EFLAGS must be dead. */
void tmpl_win_loop(Tmpl *t)
{
    const TbTrace *tr = tb_trace(t->tb);
    uint32_t moved = 0, far = 0;
    unsigned n = 0;

    for (unsigned i = t->i; i < t->tb->ninsns; i++) {
        moved |= t->writes[i];
        far |= tmpl_moves_little(&t->insns[i]) ? 0 : t->writes[i];
    }
    for (unsigned i = t->i; i < t->tb->ninsns && t->win && !t->live[t->i] && n < 6; i++) {
        const X86Insn *in = &t->insns[i];
        unsigned seen = tr->insn[i].site, base = in->base;
        unsigned k = seen >= WIN_SITE_PAIR ? x86_win_pair_range(seen) : seen == WIN_SITE_A;
        if (!in->is_mem || in->base < 0 || base > 15 || base == R_SP || in->seg >= R_FS ||
            in->adsize != 8 || far >> base & 1 || (t->sure[0] | t->sure[1]) >> base & 1 ||
            x86_win_site(tmpl_insn_ram(t, i)) != WIN_SITE_TWO || x86_row_vsib(in->row) ||
            (seen != WIN_SITE_A && seen != WIN_SITE_B && seen < WIN_SITE_PAIR) ||
            (in->index < 0) != (seen < WIN_SITE_PAIR)) {
            continue;
        }
        int h = tmpl_use(t, base, S1);
        tmpl_clobber(t, S2);
        compare_range(t, S2, h, k);
        enc_patch(&t->e, enc_jcc(&t->e, CC_NE), t->first_round);
        t->sure[k] |= 1u << base;
        t->both &= ~(1u << base);
        t->verified[k] |= moved >> base & 1 ? 0 : 1u << base;
        n++;
    }
    tmpl_forget(t);
}

/* What the memory operand of a plain or stack instruction looks like to the checks: one
 * base register, no index. NULL: another kind. */
static const X86Insn *based_access(const Tmpl *t, unsigned i)
{
    static const X86Insn stack = { .base = R_SP, .index = -1, .adsize = 8, .seg = R_SS };
    const X86Insn *in = &t->insns[i];
    unsigned cls = t->flags[i].cls;

    if (cls & TC_STACK) {
        return &stack;
    }
    if (!in->is_mem || in->index >= 0 || in->base < 0 || in->seg >= R_FS ||
        in->adsize != 8 || in->disp != (int32_t)in->disp || cls & TC_NO_ACCESS) {
        return NULL;
    }
    return in;
}

/* Flags that an instruction is about to make and that live over later accesses: their
 * registers are checked now, while flags are dead. */
void tmpl_win_hoist(Tmpl *t)
{
    uint32_t written = 0;
    unsigned i = t->i, n = 0;

    if (x86_engine.exact_flags) {
        return;
    }
    for (unsigned j = i; j < t->tb->ninsns && n < 4; j++) {
        const X86Insn *in = &t->insns[j];
        const X86Insn *as = based_access(t, j);
        if (j > i && !t->live[j]) {
            break;
        }
        if (j > i && as && !(written >> as->base & 1) && as->base != 16) {
            unsigned state = guess(t, j, as), k = state == WIN_SITE_A, base = as->base;
            if (state == WIN_SITE_BOTH) {
                if (!t->s1_host && base != R_SP) {
                    both_check(t, base, tmpl_site(t, j));
                    n++;
                }
            } else if (state != WIN_SITE_ANY && !(t->verified[k] >> base & 1)) {
                int h = tmpl_use(t, base, S1);
                check_range(t, h == S1 || (t->s1_host && h != S2) ? S2 : S1, h, k, base,
                            tmpl_site(t, j));
                t->verified[k] |= 1u << base;
                n++;
            }
        }
        if (!tmpl_is_plain(t, j) && !as && in->opcode != 0x8d) {
            break;
        }
        written |= t->writes[j];
    }
}

static bool win_operand(Tmpl *t, const X86Insn *in, unsigned kind, Rm *rm)
{
    unsigned state = in->adsize == 8 ? guess(t, t->i, in) : WIN_SITE_ANY;
    int64_t disp = in->base == 16     ? rip_disp(t, in)
                   : in->base == R_SP ? in->disp + t->late
                                      : in->disp;

    if (in->disp != (int32_t)in->disp || disp != (int32_t)disp) {
        return false;
    }
    if (state == WIN_SITE_BOTH && in->base >= 0 && in->base != R_SP && in->seg < R_FS &&
        (in->index < 0 || both_index(t, in))) { /* rsp moves without being named */
        bool stride = in->index >= 0 && is_stride(t, in);
        if (in->index >= 0 && (stride || !(t->small >> in->index & 1))) {
            tmpl_before_check(t, in);
            check_index(t, in->index, S2, host_reg(in->index), stride, WIN_STRIDE);
        }
        if (t->s1_host != in->base + 1) {
            tmpl_before_check(t, in);
            both_check(t, in->base, tmpl_site(t, t->i));
        }
        *rm = in->index < 0 ? rm_mem(S1, disp)
                            : (Rm){ RM_MEM, S1, host_reg(in->index), in->scale, disp, 0 };
        return true;
    }
    if (state == WIN_SITE_A && in->base == 16 && in->seg < R_FS && t->fixed &&
        (uint64_t)(disp + t->fixed) <= INT32_MAX) {
        X86Insn there = { .base = -1, .index = -1 };
        *rm = win_absolute(t, &there, disp + t->fixed);
        return true;
    }
    if (state == WIN_SITE_A && in->base < 0 && in->seg < R_FS &&
        (in->index < 0 || t->small >> in->index & 1)) {
        *rm = win_absolute(t, in, disp);
        return true;
    }
    if (state >= WIN_SITE_BOTH || (in->base < 0 && in->index < 0 && in->seg < R_FS)) {
        tmpl_before_check(t, in);
        if (!tmpl_addr(t, in, true)) {
            return false;
        }
        if (state == WIN_SITE_ANY && tmpl_outside(t, t->i, in)) {
            tmpl_check(t, kind | MEM_OUTSIDE); /* a script's heap all over the place */
            *rm = rm_mem(S1, 0);
        } else {
            *rm = any_range(t, kind);
        }
        return true;
    }
    unsigned k = state == WIN_SITE_A;
    if (in->index < 0 && in->seg < R_FS) {
        *rm = win_base(t, in, k, disp);
    } else if (is_offset(t, in, k)) {
        *rm = win_offset(t, in, k, disp);
    } else if (is_pair(t, in, k)) {
        *rm = win_pair(t, in, k, disp);
    } else {
        tmpl_before_check(t, in);
        *rm = win_computed(t, in, k, disp);
    }
    return true;
}

/* ---- for all modes ---- */

bool tmpl_operand(Tmpl *t, const X86Insn *in, unsigned kind, Rm *rm)
{
    if (t->legacy) {
        tmpl_legacy_operand(t, in, kind, rm);
        return true;
    }
    if (in->adsize == 2) {
        return false;
    }
    if (t->win) {
        return win_operand(t, in, kind, rm);
    }
    if (in->index < 0 && in->seg < R_FS && tmpl_group_covers(t, in->base)) {
        *rm = rm_mem(S1, tmpl_group_disp(t, in->disp));
        return true;
    }
    tmpl_before_check(t, in);
    if (!tmpl_addr(t, in, true)) {
        return false;
    }
    tmpl_check(t, kind);
    *rm = rm_mem(S1, 0);
    return true;
}

/* [base] without anything else. */
static X86Insn pointer(unsigned base)
{
    X86Insn in;

    x86_insn_blank(&in);
    in.base = base;
    in.adsize = 8;
    in.seg = R_DS;
    return in;
}

Rm tmpl_based(Tmpl *t, unsigned base, int disp, unsigned kind)
{
    X86Insn in = pointer(base);

    in.disp = disp;
    in.seg = R_SS;
    if (t->legacy) {
        in.adsize = t->tb->mode & HF_SS32 ? 4 : 2;
    }
    Rm rm = { 0 };

    if (!tmpl_operand(t, &in, kind, &rm)) {
        unreachable();
    }
    return rm;
}

int tmpl_win_range(const Tmpl *t, unsigned base)
{
    X86Insn in = pointer(base);
    unsigned state = t->win ? guess(t, t->i, &in) : WIN_SITE_ANY;
    return state == WIN_SITE_B ? 0 : state == WIN_SITE_A ? 1 : -1;
}

void tmpl_win_pointer(Tmpl *t, unsigned base, unsigned k)
{
    X86Insn in = pointer(base);
    win_base(t, &in, k, 0);
}

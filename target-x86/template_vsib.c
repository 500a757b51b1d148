/* SPDX-License-Identifier: MIT */
/*
 * Gathers and scatters in the template translator, for user code with windows: the host's own
 * instruction with the segment prefix of the range that the base register points into. The
 * base is checked as any other; of the index vector each element must be small, so that base,
 * element and displacement stay within a window's margins. One whose elements are not runs by
 * its reference function. A page that is not mapped stops the host's instruction half-way, as
 * the guest's CPU would be stopped (SDM vol. 2, VPGATHERDD); it goes on when it is mapped.
 */
#include "target-x86/native.h"
#include "target-x86/template.h"

_Static_assert(WIN_VSIB_BITS < 31, "a doubleword holds the limit");

/* EVEX: jumps if an element that the opmask chooses is not small. h: a free scratch. */
static uint32_t check_evex(Tmpl *t, const X86Insn *in, bool quad, unsigned ll, int h)
{
    Enc *e = &t->e;
    const unsigned free_k = in->k == 1 ? 2 : 1;
    const Op from_k = { .prefix = 0xf2, .map = 1, .opcode = 0x93, .w = true, .vex = true },
             to_k = { .prefix = 0xf2, .map = 1, .opcode = 0x92, .w = true, .vex = true },
             test_k = { .map = 1, .opcode = 0x98, .vex = true }, /* kortestw */
             compare = { .prefix = 0x66, .map = 3, .opcode = 0x1e, .w = quad, .evex = true,
                         .vvvv = (uint8_t)in->index, .evex_z = ll << 5 | 0x10 | in->k,
                         .imm_len = 1 }; /* vpcmpud, vpcmpuq with one value */

    tmpl_clobber(t, h);
    enc_op(e, &from_k, h, rm_reg(free_k));
    enc_op(e, &compare, free_k, rm_env(ENV_F(vsib_limit)));
    enc_u8(e, 5); /* not less */
    enc_op(e, &test_k, free_k, rm_reg(free_k));
    enc_op(e, &to_k, free_k, rm_reg(h));
    return enc_jcc(e, CC_NE);
}

/* VEX: the same for all elements, wanted or not. */
static uint32_t check_vex(Tmpl *t, const X86Insn *in, bool quad, unsigned ll)
{
    const Op ptest = { .prefix = 0x66, .map = 2, .opcode = 0x17, .vex = true, .l = ll };

    enc_op(&t->e, &ptest, in->index, rm_env(ENV_F(vsib_high) + 32 * quad));
    return enc_jcc(&t->e, CC_NE);
}

bool tmpl_vsib(Tmpl *t, const X86Insn *in)
{
    const X86Row *row = in->row;
    bool evex = row->enc == ENC_EVEX, quad = in->opcode & 1; /* indices */
    unsigned wide = row->flags & RF_W1 ? 8 : 4, size = quad ? 8 : 4;
    /* bytes of the index vector that count */
    unsigned bytes = MAX(16u, in->vl / MAX(wide, size) * size);
    unsigned ll = bytes / 32;
    bool store = in->opcode >= 0xa0;
    int reg = in->op[store].reg, mask = evex ? 0 : in->op[2].reg;

    if (!(t->flags[t->i].cls & TC_VSIB) || !t->win || t->legacy || !in->is_mem ||
        in->adsize != 8 || in->base < 0 || in->base > 15 || in->seg >= R_FS ||
        in->disp != (int32_t)in->disp) {
        return false;
    }
    if (evex ? !x86_host_has(X86F_AVX512BW) || !x86_host_has(X86F_AVX512VL) ||
                   (!store && reg == in->index)
             : reg == mask || reg == in->index || mask == in->index) {
        return false;
    }
    X86Insn base = *in; /* the operand without its index */
    base.index = -1;
    unsigned state = tmpl_guess(t, t->i, &base);
    if (state == WIN_SITE_ANY || (state == WIN_SITE_BOTH && in->base == R_SP)) {
        return false; /* the base alone says nothing of where the elements are */
    }
    tmpl_before_check(t, in);
    Rm rm = tmpl_based(t, in->base, in->disp, 1 | (store ? MEM_WRITE : 0));
    SlowSite *s = tmpl_slow_site(t, SLOW_PUNT, MEM_PUNT);
    s->jcc = evex ? check_evex(t, in, quad, ll, rm.base == S2 ? S1 : S2)
                  : check_vex(t, in, quad, ll);
    s->back = t->e.off;
    rm.index = in->index;
    rm.scale = in->scale;
    Op op = { .prefix = 0x66, .map = row->map, .opcode = in->opcode,
              .w = row->flags & RF_W1, .vex = !evex, .evex = evex,
              .vvvv = evex ? in->index & 16 : mask, .l = in->vl == 32 };
    if (evex) {
        op.evex_z = in->bytes[in->opc_off - 1] & 0xf7;
    }
    enc_op(&t->e, &op, reg, rm);
    return true;
}

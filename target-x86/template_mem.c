/* SPDX-License-Identifier: MIT */
/*
 * Lowering of memory operands: the linear address into r11, then the soft-TLB check that
 * turns it into a host address. The one place that knows the memory mode.
 */
#include "target-x86/template.h"

bool tmpl_addr(Tmpl *t, const X86Insn *in, bool with_segment)
{
    Enc *e = &t->e;
    bool wide = in->adsize == 8;
    int base = in->base, index = in->index;

    if (in->adsize == 2 || in->disp != (int32_t)in->disp) {
        return false;
    }
    if (base == 16) { /* RIP-relative: vbase + offset of the next instruction + disp */
        int64_t d = (int64_t)t->off + in->len + in->disp;
        if (d != (int32_t)d) {
            return false;
        }
        enc_load(e, S1, rm_env(ENV_F(vbase)));
        enc_lea(e, S1, rm_mem(S1, d), wide);
    } else if (base < 0 && index < 0) {
        enc_mov_ri(e, S1, wide ? (uint64_t)in->disp : (uint32_t)in->disp);
    } else {
        int hb = base < 0 ? -1 : host_reg(base), hi = index < 0 ? -1 : host_reg(index);
        if (base >= 0 && reg_in_env(base)) {
            enc_load(e, S1, rm_env(ENV_GPR(base)));
            hb = S1;
        }
        if (index >= 0 && reg_in_env(index)) {
            hi = hb == S1 ? S2 : S1;
            enc_load(e, hi, rm_env(ENV_GPR(index)));
        }
        if (index < 0 && in->disp == 0 && wide) {
            if (hb != S1) {
                enc_mov_rr(e, S1, hb);
            }
        } else {
            Rm m = { RM_MEM, hb, hi, in->scale, in->disp };
            enc_lea(e, S1, m, wide);
        }
    }
    if (with_segment && in->seg >= R_FS) {
        /* flags are saved or dead here: tmpl_before_check came first */
        enc_alu_rm(e, ALU_ADD, S1,
                   rm_env(offsetof(X86State, seg) + in->seg * sizeof(X86Seg) +
                          offsetof(X86Seg, base)));
    }
    return true;
}

/*
 *     mov r10, r11
 *     shr r10, 8                 ; index * 16
 *     and r10d, (TLB_SIZE-1)*16
 *     add r10, [env.rd or wr]
 *     add r11, [r10]             ; + negated tag: offset in the page on a hit
 *     cmp r11, 4096 - size
 *     ja  slow
 *     add r11, [r10+8]
 */
void tmpl_check(Tmpl *t, unsigned kind)
{
    Enc *e = &t->e;
    SlowSite *s = &t->slow[t->nslow++];

    enc_mov_rr(e, S2, S1);
    enc_shift_ri(e, 5, S2, TLB_PAGE_BITS - 4, true);
    enc_alu_ri(e, ALU_AND, S2, (TLB_SIZE - 1) << 4, false);
    enc_alu_rm(e, ALU_ADD, S2, rm_env(kind & MEM_WRITE ? ENV_F(wr) : ENV_F(rd)));
    enc_alu_rm(e, ALU_ADD, S1, rm_mem(S2, offsetof(TlbEntry, tag)));
    enc_alu_ri(e, ALU_CMP, S1, TLB_PAGE - (kind & MEM_SIZE), true);
    s->jcc = enc_jcc(e, CC_A);
    enc_alu_rm(e, ALU_ADD, S1, rm_mem(S2, offsetof(TlbEntry, host)));
    s->back = e->off;
    s->kind = kind;
}

/* SPDX-License-Identifier: MIT */
/*
 * AVX-512 in the template translator. EVEX and opmask rows are re-emitted like VEX rows
 * (template.c): guest ZMM0-31 and k0-7 are in the host's. Masked memory operands keep their
 * meaning: the host suppresses the faults that the guest's CPU would, and slow paths that
 * would look at bytes that may be masked off leave the instruction to its reference function
 * (MEM_QUIET).
 *
 * The thunks here move the part of the state that the host's XSAVE of x87, SSE and AVX
 * does not: XSAVE's own offsets for it differ between hosts, X86Xsave's are fixed.
 */
#include "target-x86/native.h"
#include "target-x86/template.h"

unsigned tmpl_access_size(const X86Insn *in, const X86Opnd *o)
{
    return in->bcast ? in->bcast : o->size;
}

bool tmpl_vex_masked(const X86Insn *in)
{
    return in->row->enc == ENC_VEX && in->row->map == MAP_0F38 &&
           ((in->opcode & 0xfc) == 0x2c || (in->opcode & 0xfd) == 0x8c);
}

bool tmpl_masked_access(const X86Insn *in)
{
    return (in->is_mem && in->k && !(in->row->ev & EV_NF)) || tmpl_vex_masked(in);
}

enum { LL512 = 2 << 5 };

/* One 512-bit or 256-bit move between register r and [rdi + off]. */
static void move(Enc *e, const Op *op, unsigned r, size_t off)
{
    enc_op(e, op, r, rm_mem(H_RDI, off));
    if (op->imm_len) {
        enc_u8(e, 1); /* the upper half */
    }
}

void tmpl_evex_thunks(Enc *e)
{
    static const Op store_half = { .prefix = 0x66, .map = 3, .opcode = 0x3b, .w = true,
                                   .evex = true, .evex_z = LL512, .imm_len = 1 };
    static const Op store = { .prefix = 0xf3, .map = 1, .opcode = 0x7f, .w = true,
                              .evex = true, .evex_z = LL512 };
    static const Op load = { .prefix = 0xf3, .map = 1, .opcode = 0x6f, .w = true,
                             .evex = true, .evex_z = LL512 };
    static const Op store_k = { .map = 1, .opcode = 0x91, .w = true, .vex = true };
    static const Op load_k = { .map = 1, .opcode = 0x90, .w = true, .vex = true };

    if (!x86_host_has(X86F_AVX512F)) {
        return;
    }
    x86_thunks.zmm_save = e->off;
    for (unsigned r = 0; r < 16; r++) {
        move(e, &store_half, r, offsetof(X86Xsave, zmmh) + 32 * r);
        move(e, &store, r + 16, offsetof(X86Xsave, zmm16) + 64 * r);
    }
    for (unsigned k = 0; k < 8; k++) {
        move(e, &store_k, k, offsetof(X86Xsave, k) + 8 * k);
    }
    enc_u8(e, 0xc5); /* vzeroupper: C code runs next */
    enc_u8(e, 0xf8);
    enc_u8(e, 0x77);
    enc_ret(e);

    x86_thunks.zmm_load = e->off;
    for (unsigned r = 0; r < 16; r++) { /* vinserti64x4 zmm, zmm, [], 1 */
        Op load_half = { .prefix = 0x66, .map = 3, .opcode = 0x3a, .w = true, .evex = true,
                         .evex_z = LL512, .imm_len = 1, .vvvv = r };
        move(e, &load_half, r, offsetof(X86Xsave, zmmh) + 32 * r);
    }
    x86_thunks.zmm_load_high = e->off; /* ZMM16-31 and the masks only */
    for (unsigned r = 0; r < 16; r++) {
        move(e, &load, r + 16, offsetof(X86Xsave, zmm16) + 64 * r);
    }
    for (unsigned k = 0; k < 8; k++) {
        move(e, &load_k, k, offsetof(X86Xsave, k) + 8 * k);
    }
    enc_ret(e);
}

/* SPDX-License-Identifier: MIT */
/*
 * Tier 1 for 16- and 32-bit code: real mode, virtual-8086 mode, protected mode and
 * compatibility mode. Registers, flags, soft TLB, exits are as for 64-bit code; different:
 *
 * - Offsets are cut to the address size (SDM vol. 1, 3.3.7). In flat 32-bit code an offset
 *   is the linear address. Otherwise (Tmpl.placed, and always for FS and GS) it is compared
 *   with X86Cpu.seg_end first and the base is added; whatever fails there, expand-down
 *   segments too, goes to the reference function.
 * - env->vbase and all jumps count in linear addresses, and so does the jump hash. Placed
 *   blocks are built for one CS base, limit and offset (Tb.place, Tb.pc): their targets
 *   are checked when they are built, and their hash entry checks CS.
 * - rSP moves by the stack's width (SS.B), pushes and pops by the operand size.
 *
 * Left to reference functions: segment loads, far transfers, BCD, PUSHA, jumps that wrap or
 * fault.
 */
#include "target-x86/template.h"

enum { SP_WIDE = 4, SP_NARROW = 2 };

static const Op lea16 = { .prefix = 0x66, .opcode = 0x8d };
static const Op movzx16 = { .map = 1, .opcode = 0xb7 };

static void load_sized(Enc *e, int d, Rm m, unsigned size)
{
    if (size == 2) {
        enc_op(e, &movzx16, d, m);
    } else {
        enc_load32(e, d, m);
    }
}

static void store_sized(Enc *e, Rm m, int s, unsigned size)
{
    static const Op store16 = { .prefix = 0x66, .opcode = 0x89 };

    if (size == 2) {
        enc_op(e, &store16, s, m);
    } else {
        enc_store32(e, m, s);
    }
}

/* ---- how plain rows are written ---- */

bool tmpl_legacy_wants_66(const X86Insn *in)
{
    for (unsigned n = 0; n < in->nops; n++) {
        unsigned size = in->row->ops[n] & 31;
        if (size == OS_v || size == OS_z) {
            return in->opsize == 2;
        }
    }
    return false;
}

bool tmpl_legacy_encodable(const X86Insn *in)
{
    uint8_t op = in->opcode;
    return in->row->enc == ENC_LEGACY && in->row->map == MAP_1 &&
           ((op & 0xf0) == 0x40 || op == 0x82 || op == 0x9e || op == 0x9f);
}

/* ---- memory operands ---- */

void tmpl_legacy_ea(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;
    bool narrow = in->adsize == 2;

    if (in->base < 0 && in->index < 0) {
        enc_mov_ri(e, S1, narrow ? (uint16_t)in->disp : (uint32_t)in->disp);
        return;
    }
    if (in->index < 0 && !in->disp) {
        if (narrow) {
            enc_op(e, &movzx16, S1, rm_reg(host_reg(in->base)));
        } else {
            enc_mov_rr32(e, S1, host_reg(in->base));
        }
        return;
    }
    enc_lea(e, S1,
            (Rm){ RM_MEM, in->base < 0 ? -1 : host_reg(in->base),
                  in->index < 0 ? -1 : host_reg(in->index), in->scale, in->disp, 0 },
            false);
    if (narrow) {
        enc_op(e, &movzx16, S1, rm_reg(S1));
    }
}

/*     lea r10, [r11+size]; cmp r10, [seg_end]; ja out; add r11d, [base] */
static void segment(Tmpl *t, unsigned seg, unsigned kind)
{
    static const Op add32 = { .opcode = 0x03 };
    Enc *e = &t->e;
    bool write = kind & MEM_WRITE;

    if (!t->placed && seg < R_FS && !(seg == R_CS && write)) {
        return; /* flat, with the right to read and, but for CS, to write */
    }
    SlowSite *s = tmpl_slow_site(t, SLOW_PUNT, kind | MEM_PUNT);
    enc_lea(e, S2, rm_mem(S1, kind & MEM_SIZE), true);
    enc_alu_rm(e, ALU_CMP, S2,
               rm_env(offsetof(X86Cpu, seg_end) + 8 * (X86_NSEGS * write + seg)));
    s->jcc = enc_jcc(e, CC_A);
    s->back = e->off;
    enc_op(
        e, &add32, S1,
        rm_env(offsetof(X86State, seg) + seg * sizeof(X86Seg) + offsetof(X86Seg, base)));
}

void tmpl_legacy_operand(Tmpl *t, const X86Insn *in, unsigned kind, Rm *rm)
{
    if (in->adsize == 4 && in->index < 0 && in->base >= 0 && in->seg < R_FS &&
        in->seg != R_CS && tmpl_group_covers(t, in->base)) {
        *rm = rm_mem(S1, tmpl_group_disp(t, in->disp));
        return;
    }
    tmpl_before_check(t, in);
    tmpl_legacy_ea(t, in);
    segment(t, in->seg, kind);
    tmpl_check(t, kind);
    *rm = rm_mem(S1, 0);
}

/* ---- where code goes on ---- */

/* Region offset of IP in a placed block. */
static int64_t place_off(const Tmpl *t, uint32_t ip)
{
    uint32_t base = (uint32_t)tb_place(t->tb).place, here = base + tb_place(t->tb).pc;
    return (int64_t)(uint32_t)(base + ip) - here + t->tb->region_off;
}

/* IP at region offset off, as far as it goes without wrapping. */
static uint64_t ip_at(const Tmpl *t, int64_t off)
{
    return (uint64_t)tb_place(t->tb).pc + (uint64_t)(off - t->tb->region_off);
}

/* The highest IP there is. */
static uint32_t ip_limit(const Tmpl *t)
{
    uint32_t limit = tb_place(t->tb).place >> 32;
    return t->tb->mode & HF_CS32 ? limit : MIN(limit, 0xffffu);
}

int64_t tmpl_next_off(const Tmpl *t, int64_t off)
{
    if (!t->placed) {
        return off;
    }
    uint64_t ip = ip_at(t, off);
    return place_off(t, t->tb->mode & HF_CS32 ? (uint32_t)ip : (uint16_t)ip);
}

/* Region offset of a relative jump's target. False: its reference function must see to it
 * (it faults, or it wraps in a way that is known only when it runs). */
static bool target(const Tmpl *t, const X86Insn *in, int64_t *off)
{
    int64_t next = (int64_t)t->off + in->len;

    if (!t->placed) {
        *off = next + (int64_t)in->imm;
        return in->opsize == 4;
    }
    uint64_t ip = ip_at(t, next) + in->imm;
    ip = in->opsize == 2 ? (uint16_t)ip : (uint32_t)ip;
    *off = place_off(t, ip);
    return ip <= ip_limit(t);
}

/* S1 = IP, zero-extended from `size` bytes: does it lie in the code segment? Flags are in
 * env. No state has changed yet. */
static void check_ip(Tmpl *t, unsigned size)
{
    if (t->placed && (size == 4 || ip_limit(t) < 0xffff)) {
        SlowSite *s = tmpl_slow_site(t, SLOW_PUNT, MEM_PUNT);
        enc_alu_ri(&t->e, ALU_CMP, S1, (int32_t)ip_limit(t), false);
        s->jcc = enc_jcc(&t->e, CC_A);
        s->back = t->e.off;
    }
}

static void jump_ip(Tmpl *t)
{
    uint32_t base = (uint32_t)tb_place(t->tb).place;

    if (t->placed && base) {
        enc_lea(&t->e, S1, rm_mem(S1, (int32_t)base), false);
    }
    tmpl_jump_pc(t);
}

/* ---- stack ---- */

static unsigned sp_width(const Tmpl *t)
{
    return t->tb->mode & HF_SS32 ? SP_WIDE : SP_NARROW;
}

/* rSP = base + by, cut to the stack's width */
static void set_sp(Tmpl *t, int base, int by)
{
    if (sp_width(t) == SP_WIDE) {
        enc_lea(&t->e, GSP, rm_mem(base, by), false);
    } else {
        enc_op(&t->e, &lea16, GSP, rm_mem(base, by));
    }
}

static void push_host(Tmpl *t, int h, unsigned size)
{
    store_sized(&t->e, tmpl_based(t, R_SP, -(int)size, size | MEM_WRITE), h, size);
    set_sp(t, GSP, -(int)size);
}

static void push_imm(Tmpl *t, uint32_t imm, unsigned size)
{
    Op op = { .opcode = 0xc7, .prefix = size == 2 ? 0x66 : 0, .imm_len = size };

    enc_op(&t->e, &op, 0, tmpl_based(t, R_SP, -(int)size, size | MEM_WRITE));
    for (unsigned i = 0; i < size; i++) {
        enc_u8(&t->e, imm >> (8 * i));
    }
    set_sp(t, GSP, -(int)size);
}

/* What is in env->scratch. */
static void push_scratch(Tmpl *t, unsigned size)
{
    Rm m = tmpl_based(t, R_SP, -(int)size, size | MEM_WRITE);
    enc_load32(&t->e, S2, rm_env(ENV_F(scratch)));
    store_sized(&t->e, m, S2, size);
    set_sp(t, GSP, -(int)size);
}

static void push_seg(Tmpl *t, const X86Insn *in)
{
    unsigned seg = in->op[0].reg, size = in->opsize;
    Rm m = tmpl_based(t, R_SP, -(int)size, size | MEM_WRITE);

    enc_op(&t->e, &movzx16, S2,
           rm_env(offsetof(X86State, seg) + seg * sizeof(X86Seg) +
                  offsetof(X86Seg, selector)));
    store_sized(&t->e, m, S2, size);
    set_sp(t, GSP, -(int)size);
}

static void push_mem(Tmpl *t, const X86Insn *in)
{
    Rm m;

    tmpl_operand(t, in, in->opsize, &m);
    load_sized(&t->e, S1, m, in->opsize);
    enc_store32(&t->e, rm_env(ENV_F(scratch)), S1);
    push_scratch(t, in->opsize);
}

static bool pop_reg(Tmpl *t, const X86Insn *in)
{
    static const Op load16 = { .prefix = 0x66, .opcode = 0x8b };
    unsigned g = in->op[0].reg, size = in->opsize;

    if (g == R_SP && size == 2) {
        return false;
    }
    Rm m = tmpl_based(t, R_SP, 0, size);
    if (size == 2) {
        enc_op(&t->e, &load16, host_reg(g), m);
    } else {
        enc_load32(&t->e, host_reg(g), m);
    }
    if (g != R_SP) {
        set_sp(t, GSP, size);
    }
    return true;
}

static void leave(Tmpl *t, const X86Insn *in)
{
    Rm m = tmpl_based(t, R_BP, 0, in->opsize);

    load_sized(&t->e, S2, m, in->opsize);
    set_sp(t, H_RBP, in->opsize);
    store_sized(&t->e, rm_reg(H_RBP), S2, in->opsize);
}

/* ---- near calls and returns ---- */

static void push_return(Tmpl *t, const X86Insn *in)
{
    uint32_t next = t->off + in->len;

    if (t->placed) {
        push_imm(t, (uint32_t)ip_at(t, next), in->opsize);
        return;
    }
    Rm m = tmpl_based(t, R_SP, -4, 4 | MEM_WRITE);
    enc_load(&t->e, S2, rm_env(ENV_F(vbase)));
    enc_lea(&t->e, S2, rm_mem(S2, (int32_t)next), false);
    enc_store32(&t->e, m, S2);
    set_sp(t, GSP, -4);
}

static bool jump(Tmpl *t, const X86Insn *in, bool call)
{
    int64_t off;

    if (!target(t, in, &off)) {
        return false;
    }
    if (call) {
        push_return(t, in);
    }
    tmpl_exit_to(t, off);
    return true;
}

/* The target is read and checked before anything is pushed. */
static bool jump_indirect(Tmpl *t, const X86Insn *in, bool call)
{
    if (call && !t->placed && in->opsize == 2) {
        return false;
    }
    tmpl_save_flags(t);
    if (in->is_mem) {
        Rm m;
        tmpl_operand(t, in, in->opsize, &m);
        load_sized(&t->e, S1, m, in->opsize);
    } else {
        load_sized(&t->e, S1, rm_reg(host_reg(in->op[0].reg)), in->opsize);
    }
    check_ip(t, in->opsize);
    if (call) {
        enc_store(&t->e, rm_env(ENV_F(scratch)), S1);
        push_return(t, in);
        enc_load(&t->e, S1, rm_env(ENV_F(scratch)));
    }
    jump_ip(t);
    return true;
}

static void ret(Tmpl *t, const X86Insn *in)
{
    unsigned extra = in->opcode == 0xc2 ? in->imm & 0xffff : 0;

    tmpl_save_flags(t);
    Rm m = tmpl_based(t, R_SP, 0, in->opsize);
    load_sized(&t->e, S1, m, in->opsize);
    check_ip(t, in->opsize);
    set_sp(t, GSP, in->opsize + extra);
    jump_ip(t);
}

static bool jcc(Tmpl *t, const X86Insn *in)
{
    int64_t off;

    if (!target(t, in, &off)) {
        return false;
    }
    tmpl_jcc(t, in->opcode & 15, off, tmpl_next_off(t, (int64_t)t->off + in->len));
    return true;
}

/* jecxz rel8; returns where the rel8 is */
static uint32_t jecxz(Enc *e)
{
    enc_u8(e, 0x67);
    enc_u8(e, 0xe3);
    enc_u8(e, 0);
    return e->off - 1;
}

static void patch8(Enc *e, uint32_t at)
{
    e->rw[at] = e->off - at - 1; /* exits are short */
}

/* LOOPcc and JCXZ. No flags are touched; CX alone is tested in ECX, rcx kept in r11. */
static bool counted(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;
    bool narrow = in->adsize == 2, jcxz = in->opcode == 0xe3;
    int64_t taken, next = tmpl_next_off(t, (int64_t)t->off + in->len);
    uint32_t other = 0;

    if (!target(t, in, &taken)) {
        return false;
    }
    if (in->opcode < 0xe2) {
        tmpl_restore_flags(t); /* ZF */
    }
    if (!jcxz && narrow) {
        enc_op(e, &lea16, H_RCX, rm_mem(H_RCX, -1));
    } else if (!jcxz) {
        enc_lea(e, H_RCX, rm_mem(H_RCX, -1), false);
    }
    if (narrow) {
        enc_mov_rr(e, S1, H_RCX);
        enc_op(e, &movzx16, H_RCX, rm_reg(H_RCX));
    }
    uint32_t zero = jecxz(e);
    if (narrow) {
        enc_mov_rr(e, H_RCX, S1);
    }
    if (in->opcode < 0xe2) { /* LOOPNE ends with ZF, LOOPE without */
        other = enc_jcc(e, in->opcode == 0xe0 ? CC_E : CC_NE);
    }
    bool in_env = t->in_env;
    tmpl_exit_to(t, jcxz ? next : taken);
    t->in_env = in_env;
    patch8(e, zero);
    if (narrow) {
        enc_mov_rr(e, H_RCX, S1);
    }
    if (other) {
        enc_patch(e, other, e->off);
    }
    tmpl_exit_to(t, jcxz ? taken : next);
    return true;
}

/* ---- others ---- */

static void lea(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;
    int d = host_reg(in->op[0].reg);

    if (in->adsize == 4 && tmpl_lea_is_direct(t, in) &&
        (in->base >= 0 || in->index >= 0)) {
        enc_lea(e, d,
                (Rm){ RM_MEM, in->base < 0 ? -1 : host_reg(in->base),
                      in->index < 0 ? -1 : host_reg(in->index), in->scale, in->disp, 0 },
                false);
        return;
    }
    t->group.on = false; /* r11 is needed (and a group does not reach over it) */
    tmpl_legacy_ea(t, in);
    store_sized(e, rm_reg(d), S1, in->opsize);
}

static void moffs(Tmpl *t, const X86Insn *in)
{
    bool store = in->opcode & 2, byte = !(in->opcode & 1);
    unsigned size = byte ? 1 : in->opsize;
    Op op = { .opcode = (store ? 0x88 : 0x8a) | !byte, .prefix = size == 2 ? 0x66 : 0 };
    Rm m;

    tmpl_operand(t, in, size | (store ? MEM_WRITE : 0), &m);
    enc_op(&t->e, &op, H_RAX, m);
}

static bool one_byte(Tmpl *t, const X86Insn *in)
{
    uint8_t op = in->opcode;
    unsigned ext = in->modrm >> 3 & 7;

    switch (op) {
    case 0x06:
    case 0x0e:
    case 0x16:
    case 0x1e: push_seg(t, in); return true;
    case 0x68:
    case 0x6a: push_imm(t, in->imm, in->opsize); return true;
    case 0x8d: lea(t, in); return true;
    case 0x90:
        if (in->rep == 0xf3) { /* PAUSE */
            tmpl_pause(t, in);
        }
        return true;
    case 0x9c:
        if (t->tb->mode & HF_VM) {
            return false;
        }
        tmpl_flags_image(t);
        push_scratch(t, in->opsize);
        return true;
    case 0x9d:
        if (!(t->tb->mode & X86_KEY_CPL0)) {
            return false;
        }
        tmpl_popf(t, in);
        return true;
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3: moffs(t, in); return true;
    case 0xc2:
    case 0xc3: ret(t, in); return true;
    case 0xc9: leave(t, in); return true;
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3: return counted(t, in);
    case 0xe8: return jump(t, in, true);
    case 0xe9:
    case 0xeb: return jump(t, in, false);
    case 0xff:
        if (ext == 2 || ext == 4) {
            return jump_indirect(t, in, ext == 2);
        }
        if (ext != 6) {
            return false;
        }
        if (in->is_mem) {
            push_mem(t, in);
        } else {
            push_host(t, host_reg(in->op[0].reg), in->opsize);
        }
        return true;
    default: break;
    }
    switch (op & 0xf8) {
    case 0x50: push_host(t, host_reg(in->op[0].reg), in->opsize); return true;
    case 0x58: return pop_reg(t, in);
    case 0x70:
    case 0x78: return jcc(t, in);
    default: return false;
    }
}

bool tmpl_legacy(Tmpl *t, const X86Insn *in)
{
    uint8_t op = in->opcode;

    if (in->row->enc != ENC_LEGACY) {
        return false;
    }
    if (in->row->map == MAP_1 && !in->lock && one_byte(t, in)) {
        return true;
    }
    if (in->row->map == MAP_0F && !in->lock) {
        if ((op & 0xf0) == 0x80) {
            return jcc(t, in);
        }
        if (op == 0xa0 || op == 0xa8) {
            push_seg(t, in);
            return true;
        }
        if (((op >= 0x18 && op <= 0x1f) || op == 0x0d) && in->has_modrm) {
            return true; /* hint NOPs, prefetches, ENDBR */
        }
        if ((op == 0xa3 || op == 0xab || op == 0xb3 || op == 0xbb) && in->is_mem) {
            return tmpl_bit_string(t, in);
        }
        if (op == 0x05 || op == 0x07) { /* SYSCALL, SYSRET: the fast ones are 64-bit */
            return false;
        }
    }
    return tmpl_sys(t, in);
}

/* SPDX-License-Identifier: MIT */
/*
 * Tier 1, the driver: flag liveness, entries, re-emission of plain rows, calls of
 * reference functions, side tables. Memory and address lowering are in template_mem.c,
 * control flow and stack in template_flow.c.
 *
 * Precise state: an instruction changes no guest register or memory before its last access
 * that can fault, so at every slow path and host fault the state is that of the
 * instruction's start (the scratch registers hold nothing across instructions).
 */
#include "target-x86/template.h"
#include <string.h>
#include "target-x86/native.h"
#include "target-x86/saved.h"
#include "target-x86/trace.h"
#include "tcg/codebuf.h"
#include "util/disas.h"
#include "util/log.h"

bool x86_template_accepts(uint32_t mode)
{
    return !(mode & HF_AC);
}

int32_t tmpl_env_off(size_t field)
{
    return (int32_t)(ALIGN_UP(sizeof(X86Cpu), 64) + field);
}

int tmpl_use(Tmpl *t, unsigned g, int s)
{
    if (!reg_in_env(g)) {
        return host_reg(g);
    }
    int h = tmpl_where(t, g);
    if (h < 0) {
        enc_load(&t->e, h = s, rm_env(ENV_GPR(g)));
        tmpl_hold(t, s, g);
    }
    return h;
}

void tmpl_get(Tmpl *t, int h, unsigned g)
{
    int from = reg_in_env(g) ? tmpl_where(t, g) : host_reg(g);

    tmpl_clobber(t, h);
    if (from < 0) {
        enc_load(&t->e, h, rm_env(ENV_GPR(g)));
    } else if (from != h) {
        enc_mov_rr(&t->e, h, from);
    }
    if (reg_in_env(g) && (h == S1 || h == S2)) {
        tmpl_hold(t, h, g);
    }
}

void tmpl_put(Tmpl *t, unsigned g, int h)
{
    if (reg_in_env(g)) {
        enc_store(&t->e, rm_env(ENV_GPR(g)), h);
        tmpl_clobber(t, tmpl_where(t, g));
        tmpl_clobber(t, tmpl_where(t, g));
        if (h == S1 || h == S2) {
            tmpl_hold(t, h, g);
        }
    } else if (host_reg(g) != h) {
        enc_mov_rr(&t->e, host_reg(g), h);
    }
}

void tmpl_emit_save(Enc *e)
{
    enum { CC = 9 };
    static const uint8_t code[] = {
        0x49, 0x89, 0xc2,       /* mov r10, rax */
        0x9f,                   /* lahf */
        0x0f, 0x90, 0xc0,       /* seto al */
        0x89, 0x05, 0, 0, 0, 0, /* mov [cc], eax */
        0x4c, 0x89, 0xd0,       /* mov rax, r10 */
    };
    uint32_t at = e->off;
    uint8_t *p = enc_code(e, code, sizeof(code));

    if (p) {
        enc_put_env(e, p, CC, at, ENV_F(cc));
    }
}

void tmpl_load_cc(Enc *e, int h)
{
    static const Op movzx16 = { .map = 1, .opcode = 0xb7 };
    enc_op(e, &movzx16, h, rm_env(ENV_F(cc)));
}

/* Two bytes as they were stored: a wider load would wait for the store to retire. */
void tmpl_emit_restore(Enc *e)
{
    enum { CC = 6 };
    static const uint8_t code[] = {
        0x49, 0x89, 0xc2,             /* mov r10, rax */
        0x0f, 0xb7, 0x05, 0, 0, 0, 0, /* movzx eax, word [cc] */
        0x04, 0x7f,                   /* add al, 127 */
        0x9e,                         /* sahf */
        0x4c, 0x89, 0xd0,             /* mov rax, r10 */
    };
    uint32_t at = e->off;
    uint8_t *p = enc_code(e, code, sizeof(code));

    if (p) {
        enc_put_env(e, p, CC, at, ENV_F(cc));
    }
}

void tmpl_save_flags(Tmpl *t)
{
    if (!t->in_env) {
        tmpl_emit_save(&t->e);
        tmpl_clobber(t, S2);
        t->in_env = true;
    }
}

void tmpl_restore_flags(Tmpl *t)
{
    if (t->in_env) {
        tmpl_emit_restore(&t->e);
        tmpl_clobber(t, S2);
        t->in_env = false;
    }
}

void tmpl_before_check(Tmpl *t, const X86Insn *in)
{
    if (t->live[t->i]) {
        tmpl_save_flags(t);
    }
}

/* ---- liveness ---- */

static void liveness(Tmpl *t)
{
    uint8_t live = FLP_ALL;

    t->live[t->tb->ninsns] = FLP_ALL;
    for (int i = t->tb->ninsns - 1; i >= 0; i--) {
        const FlagUse *f = &t->flags[i];
        live = (live & ~f->kill) | f->use;
        if ((f->cls & (TC_FLAGS | TC_GOES_ON)) != TC_FLAGS || x86_engine.exact_flags ||
            (t->tb->trace_at && tmpl_trace_leaves(&t->insns[i]))) {
            live = FLP_ALL; /* where it jumps to they may be read, a reference function sees
                             * exact flags */
        }
        t->live[i] = live;
    }
}

/* ---- reference functions ---- */

/* h = an address in the block's description. */
void tmpl_mov_ptr(Enc *e, int h, const void *p)
{
    enc_mov_ri(e, h, (uint64_t)p);
    if (e->notes) {
        SavedNotes *n = x86_saved_notes;
        n->pointer[MIN(n->npointers, SAVED_POINTERS - 1u)] = e->off - 4;
        n->npointers++;
    }
}

/* Tmpl.verified of a trace that is only where vbase is in range B (x86_trace_here). */
static uint32_t vbase_in_b(const Tmpl *t)
{
    const TbTrace *tr = tb_trace(t->tb);
    return tr && tr->in_b ? 1u << 16 : 0;
}

void tmpl_call_exec(Tmpl *t, const X86Insn *in, bool last)
{
    ExecSite *site = tb_alloc(t->cache, sizeof(*site));

    if (!site) {
        t->failed = true;
        return;
    }
    t->nexecs++;
    site->insn = *in;
    site->region_off = t->off;
    /* it may write any register */
    t->verified[0] = vbase_in_b(t);
    t->verified[1] = t->both = 0;
    t->small = t->tiny = t->stride = 0;
    tmpl_forget(t);
    tmpl_sp_settle(t);
    tmpl_save_flags(t);
    tmpl_mov_ptr(&t->e, S2, site);
    enc_call_to(&t->e, x86_thunks.exec);
    if (last && in->row->flags & (RF_BRANCH | RF_END | RF_IO)) {
        t->ended = true; /* the thunk never comes back from these (native_exec) */
    }
}

/* ---- plain rows ---- */

typedef struct Sub {
    unsigned g; /* guest register */
    int h;      /* scratch that stands for it */
    bool load, store;
} Sub;

static bool writes(const X86Insn *in, unsigned n)
{
    return in->row->w[n] == ROLE_W || in->row->w[n] == ROLE_RW;
}

/* A memory-resident register as ModRM.rm can be read where it lies. That saves an
 * instruction, but to have it in a scratch register is better if it is used again soon:
 * so only if both hold others. */
static bool env_operand(const Tmpl *t, const X86Insn *in, unsigned n)
{
    const X86Opnd *o = &in->op[n];
    /* XCHG would lock the bus, XADD and CMPXCHG write two operands */
    if (in->row->w[1] == ROLE_W || in->row->w[1] == ROLE_RW) {
        return false;
    }
    return o->kind == OPND_GPR && in->row->ops[n] >> 8 == OM_E && !in->is_mem &&
           reg_in_env(o->reg) && !(in->row->flags & RF_REG) &&
           in->row->w[n] == ROLE_R && t->held[0] && t->held[1] && tmpl_where(t, o->reg) < 0;
}

/* Scratch registers for the memory-resident guest registers that an instruction names,
 * but those that are used where they lie. With a memory operand only S2 is free. False:
 * too many. */
static bool map_env(const Tmpl *t, const X86Insn *in, Sub *sub, unsigned *nsub)
{
    unsigned most = in->is_mem || t->group.on ? 1 : 2;

    for (unsigned n = 0; n < in->nops; n++) {
        const X86Opnd *o = &in->op[n];
        if (o->kind != OPND_GPR || !reg_in_env(o->reg) || env_operand(t, in, n)) {
            continue;
        }
        unsigned k = 0;
        while (k < *nsub && sub[k].g != o->reg) {
            k++;
        }
        if (k == *nsub) {
            if (k == most) {
                return false;
            }
            sub[k] = (Sub){ .g = o->reg, .h = -1 };
            ++*nsub;
        }
        sub[k].load |= !(in->row->w[n] == ROLE_W && o->size >= 4);
        sub[k].store |= writes(in, n);
    }
    for (unsigned k = 0; k < *nsub; k++) { /* those that are held stay where they are */
        int h = tmpl_where(t, sub[k].g);
        if (h == S2 || (h == S1 && most == 2)) {
            sub[k].h = h;
        }
    }
    for (unsigned k = 0; k < *nsub; k++) {
        if (sub[k].h < 0) {
            bool other = *nsub == 2 ? sub[!k].h == S2 : most == 2 && t->held[1] && !t->s1_host;
            sub[k].h = other ? S1 : S2; /* memory accesses use up S1 more often */
        }
    }
    return true;
}

/* Host register of operand n. */
static int map_opnd(const X86Insn *in, unsigned n, const Sub *sub, unsigned nsub)
{
    unsigned g = in->op[n].reg;

    if (!reg_in_env(g)) {
        return host_reg(g);
    }
    return sub[nsub == 2 && sub[1].g == g].h;
}

static uint8_t legacy_prefix(const X86Insn *in, uint8_t *second)
{
    *second = in->lock ? 0xf0 : 0;
    if (in->row->pp == PP_66) {
        return 0x66;
    }
    if (in->row->pp == PP_F3 || in->row->pp == PP_F2) {
        if (in->opsize_prefix) {
            *second = 0x66;
        }
        return in->row->pp == PP_F3 ? 0xf3 : 0xf2;
    }
    return in->opsize_prefix ? 0x66 : 0;
}

static uint8_t mode_prefix(const Tmpl *t, const X86Insn *in, uint8_t *second)
{
    if (!t->legacy) {
        return legacy_prefix(in, second);
    }
    bool wide = !tmpl_legacy_wants_66(in);
    *second = in->lock ? 0xf0 : 0;
    bool movbe = in->row->map == MAP_0F38 && (in->opcode & 0xfe) == 0xf0;
    if (in->row->pp == PP_66 && !movbe) {
        return 0x66;
    }
    if (in->row->pp == PP_F3 || in->row->pp == PP_F2) {
        *second = wide ? 0 : 0x66;
        return in->row->pp == PP_F3 ? 0xf3 : 0xf2;
    }
    return wide ? 0 : 0x66;
}

/* REX.W or VEX.W. Outside 64-bit mode a W bit does not widen general operands. */
static bool wide_bit(const Tmpl *t, const X86Insn *in)
{
    bool general = false;

    for (unsigned n = 0; t->legacy && n < in->nops; n++) {
        unsigned size = in->row->ops[n] & 31;
        general |= size == OS_y || size == OS_v;
    }
    return in->rex >> 3 & 1 && !(t->legacy && general);
}

/* MEM_* for what the instruction may raise before its memory operand's #PF. */
static unsigned faults_before_paging(const X86Insn *in)
{
    const X86Row *row = in->row;
    bool cas16 = row->map == MAP_0F && in->opcode == 0xc7 && row->flags & RF_W1;

    return (row->flags & RF_ALIGN || cas16 ? MEM_ALIGN : 0) |
           (row->flags & (RF_WAIT | RF_MMX) ? MEM_FPU : 0);
}

/* Operands of an instruction with one of AH..DH (reg) and memory, through a byte of env,
 * which needs no REX: the memory operand's value there if the register is written, else
 * the register's value in S2. Returns the new memory operand. */
static Rm high_operand(Tmpl *t, int *reg, Rm rm, bool written)
{
    static const Op load8 = { .map = 1, .opcode = 0xb6 }, store8 = { .opcode = 0x88 };
    Rm byte = rm_env(ENV_F(scratch));

    tmpl_clobber(t, S2);
    if (written) {
        enc_op(&t->e, &load8, S2, rm);
        enc_op(&t->e, &store8, S2, byte);
        return byte;
    }
    enc_op(&t->e, &store8, *reg, byte);
    enc_op(&t->e, &load8, S2, byte);
    *reg = S2;
    return rm;
}

/* Emits an instruction with the bytes that it has. */
static void as_is(Tmpl *t, const X86Insn *in)
{
    const FlagUse *f = &t->flags[t->i];

    if (t->in_env) {
        if (f->use || (f->def && t->live[t->i + 1] & ~f->kill)) {
            tmpl_restore_flags(t);
        }
        t->map[t->i].flags_in_env |= TBI_OP_ENV;
    }
    enc_copy(&t->e, in->bytes, in->len);
    if (f->def) {
        t->in_env = false;
    }
}

/* Emits a RF_PLAIN instruction. False: not possible here (nothing was emitted). */
static bool plain(Tmpl *t, const X86Insn *in)
{
    const X86Row *row = in->row;

    if (t->flags[t->i].cls & TC_AS_IS) {
        as_is(t, in);
        return true;
    }
    Sub sub[2] = { 0 };
    unsigned nsub = 0;
    int reg = in->has_modrm ? in->reg & 7 : 0, vvvv = in->vvvv, opc_reg = -1;
    Rm rm = rm_reg(in->has_modrm ? in->rm & 7 : 0);
    bool high = false, low8 = false;
    unsigned mem_size = 0;
    bool mem_write = false;

    if (t->flags[t->i].cls & TC_ENV && !map_env(t, in, sub, &nsub)) {
        return false;
    }
    for (unsigned n = 0; n < in->nops; n++) {
        const X86Opnd *o = &in->op[n];
        unsigned method = row->ops[n] >> 8;
        switch (o->kind) {
        case OPND_GPR: {
            if (reg_in_env(o->reg) && env_operand(t, in, n)) {
                rm = rm_env(ENV_GPR(o->reg));
                break;
            }
            int h = map_opnd(in, n, sub, nsub);
            low8 |= o->size == 1 && h >= 4 && h < 8;
            if (method == OM_G) {
                reg = h;
            } else if (method == OM_E || method == OM_R) {
                rm.base = h;
            } else if (method == OM_B) {
                vvvv = h;
            } else if (method == OM_Z) {
                opc_reg = h;
            } else if (method == OM_REG) {
                if (h != (int)o->reg) {
                    return false;
                }
            } else {
                return false;
            }
            break;
        }
        case OPND_GPR8H:
            high = true;
            if (method == OM_G) {
                reg = o->reg + 4;
            } else if (method == OM_E) {
                rm.base = o->reg + 4;
            } else if (method == OM_Z) {
                opc_reg = o->reg + 4;
            }
            break;
        case OPND_MEM:
            mem_size = tmpl_access_size(in, o);
            mem_write |= writes(in, n);
            if (method == OM_O || method == OM_X || method == OM_Y) {
                return false;
            }
            break;
        case OPND_XMM:
        case OPND_MMX:
            if (method == OM_V || method == OM_P) {
                reg = o->reg;
            } else if (method == OM_W || method == OM_U || method == OM_Q ||
                       method == OM_N) {
                rm.base = o->reg;
            } else if (method == OM_H) {
                vvvv = o->reg;
            }
            break;
        case OPND_SEG:
        case OPND_CR:
        case OPND_DR:
        case OPND_FAR:
        case OPND_REL: return false;
        default: break; /* immediates, ST */
        }
    }
    if (high && (low8 || reg > 7 || (!in->is_mem && rm.base > 7))) {
        return false;
    }
    if (t->legacy && row->flags & RF_NO64 && !tmpl_legacy_encodable(in)) {
        return false;
    }
    /* AH..DH cannot stand beside a memory operand that needs REX */
    bool by_scratch = high && in->is_mem;
    bool high_written = by_scratch && writes(in, in->op[0].kind == OPND_MEM);
    if (by_scratch && (in->nops != 2 || (high_written && mem_write))) {
        return false;
    }
    if (in->is_mem && !mem_size) {
        return false;
    }
    if (tmpl_vex_masked(in) && (t->legacy || in->adsize != 8)) {
        return false; /* how addresses wrap is the reference function's */
    }
    if (in->is_mem && row->feat == X86F_SHA) {
        return false; /* AMD's do not check the alignment that the SDM asks for */
    }

    FlagUse f = t->flags[t->i];
    uint8_t live_after = t->live[t->i + 1];
    bool need_host = f.use || (f.def && live_after & ~f.kill);

    unsigned kind = mem_size | (mem_write ? MEM_WRITE : 0) |
                    (tmpl_masked_access(in) ? MEM_QUIET : 0) | faults_before_paging(in);
    if (in->is_mem) {
        t->wanted = need_host || by_scratch ? S2_KEPT : nsub ? sub[0].g : 0;
        if (t->wanted && t->held[1] != t->wanted) {
            tmpl_clobber(t, S2);
        }
        bool ok = tmpl_operand(t, in, kind, &rm);
        t->wanted = S2_KEPT;
        if (!ok) {
            return false;
        }
    }
    bool was_env = t->in_env;
    if (need_host) {
        tmpl_restore_flags(t);
    }
    if (was_env) {
        t->map[t->i].flags_in_env |= TBI_OP_ENV;
    }
    for (unsigned k = 0; k < nsub; k++) {
        if (*tmpl_held(t, sub[k].h) != sub[k].g) {
            if (sub[k].load) {
                enc_load(&t->e, sub[k].h, rm_env(ENV_GPR(sub[k].g)));
            }
            tmpl_hold(t, sub[k].h, sub[k].g);
        }
    }
    if (by_scratch) {
        rm = high_operand(t, &reg, rm, high_written);
        low8 = false;
    }
    Op op = {
        .map = row->map,
        .opcode = in->opcode,
        .w = wide_bit(t, in),
        .force_rex = low8,
        .imm_len = in->imm_len,
        .vex = row->enc == ENC_VEX,
        .vvvv = vvvv,
        .l = in->vl == 32,
        .evex = row->enc == ENC_EVEX,
    };
    if (op.evex) { /* z, L'L, b, aaa are as they were */
        op.evex_z = in->bytes[in->opc_off - 1] & 0xf7;
    }
    if (op.vex || op.evex) {
        static const uint8_t pps[] = { 0, 0, 0x66, 0xf3, 0xf2 };
        op.prefix = pps[row->pp];
    } else {
        op.prefix = mode_prefix(t, in, &op.prefix2);
    }
    if (t->legacy && op.map == 0 && row->enc == ENC_LEGACY && (in->opcode & 0xf0) == 0x40) {
        op.opcode = 0xff; /* INC, DEC: what was their opcode is REX */
        enc_op(&t->e, &op, in->opcode >> 3 & 1, rm_reg(opc_reg));
    } else if (t->legacy && op.map == 0 && row->enc == ENC_LEGACY && in->opcode == 0x82) {
        op.opcode = 0x80;
        enc_op(&t->e, &op, reg, rm);
    } else if (in->has_modrm) {
        enc_op(&t->e, &op, reg, rm);
    } else if (op.vex) { /* VZEROUPPER, VZEROALL */
        enc_u8(&t->e, 0xc5);
        enc_u8(&t->e, 0xf8 | op.l << 2);
        enc_u8(&t->e, in->opcode);
    } else { /* register in the opcode, or fixed operands */
        if (op.prefix2) {
            enc_u8(&t->e, op.prefix2);
        }
        if (op.prefix) {
            enc_u8(&t->e, op.prefix);
        }
        unsigned rex = op.w << 3 | (opc_reg > 7);
        if (rex || low8) {
            enc_u8(&t->e, 0x40 | rex);
        }
        for (unsigned m = 0; op.map && m < 1; m++) {
            enc_u8(&t->e, 0x0f);
        }
        enc_u8(&t->e, opc_reg >= 0 ? (in->opcode & 0xf8) | (opc_reg & 7) : in->opcode);
    }
    bool reg_imm = t->legacy && row->ops[3] >> 8 == OM_L; /* bit 7: registers 8 to 15 */
    for (unsigned k = 0; k < in->imm_len; k++) {
        enc_u8(&t->e, in->bytes[in->imm_off + k] & (reg_imm ? 0x7f : 0xff));
    }
    for (unsigned k = 0; k < nsub; k++) {
        if (sub[k].store) {
            enc_store(&t->e, rm_env(ENV_GPR(sub[k].g)), sub[k].h);
            if (t->held[sub[k].h == S1] == sub[k].g) { /* the other one is old */
                t->held[sub[k].h == S1] = 0;
            }
        }
    }
    if (f.def) {
        t->in_env = false;
    }
    return true;
}

static bool one(Tmpl *t, const X86Insn *in)
{
    uint32_t at = t->e.off;
    unsigned nslow = t->nslow, notes = t->e.notes ? t->e.notes->n : 0;
    bool in_env = t->in_env;
    int16_t late = t->late;

    unsigned cls = t->flags[t->i].cls;
    if (!(cls & TC_KEEPS)) {
        tmpl_forget(t);
    }
    bool own = t->legacy           ? tmpl_legacy(t, in)
               : t->moves_late && tmpl_sp_insn(t, in) ? true
               : cls & TC_STRAIGHT ? false
                                   : tmpl_flow(t, in) || tmpl_sys(t, in) || tmpl_vsib(t, in);
    if (own || (cls & TC_PLAIN && plain(t, in))) {
        if (!(cls & TC_KEEPS)) {
            tmpl_forget(t);
        }
        if (t->win) {
            tmpl_win_after(t, in);
        }
        return true;
    }
    t->group.on = false;
    t->e.off = at; /* forget a half-done attempt */
    if (t->e.notes) {
        t->e.notes->n = notes;
    }
    t->nslow = nslow;
    t->in_env = in_env;
    t->late = late;
    t->map[t->i].flags_in_env &= TBI_SHADOW;
    t->map[t->i].flags_in_env |= in_env ? TBI_START_ENV | TBI_OP_ENV : 0;
    tmpl_call_exec(t, in, t->i + 1u == t->tb->ninsns);
    return true;
}

static void log_host(const Tmpl *t, uint32_t cold_from, uint32_t cold_end)
{
    const Tb *tb = t->tb;
    FILE *f = log_lock();
    fprintf(f, "OUT: %u bytes for %u guest bytes at RAM %#llx\n",
            tb->code_end - tb->code_off, tb->size, (unsigned long long)tb->key);
    fprintf(f, "  -- entries\n");
    disas(f, t->e.rw + tb->code_off, t->map[0].host, tb->code_off, 64);
    for (unsigned i = 0; i < tb->ninsns; i++) {
        uint32_t from = tb->code_off + t->map[i].host;
        uint32_t to = i + 1 < tb->ninsns ? tb->code_off + t->map[i + 1].host
                                         : tb->code_end;
        fprintf(f, "  -- %s (+%#llx)\n", t->insns[i].row->name,
                (unsigned long long)(tmpl_insn_off(t, i) - tb->region_off));
        disas(f, t->e.rw + from, to - from, from, 64);
    }
    fprintf(f, "  -- out of line\n");
    disas(f, t->e.rw + cold_from, cold_end - cold_from, cold_from, 64);
    fputc('\n', f);
    log_unlock(f);
}

/* A loop's further rounds begin here: registers that are known to be checked stay so if
 * they are at its end too. Not those that move, however little: without a check in each
 * round (and perhaps without an access, if that is masked) they could leave the margins. */
static void loop_begins(Tmpl *t, TbTrace *tr)
{
    uint32_t moved = 0;

    for (unsigned i = t->i; i < t->tb->ninsns; i++) {
        moved |= t->writes[i];
    }
    t->verified[0] &= ~moved;
    t->verified[1] &= ~moved;
    t->small &= ~moved;
    t->tiny &= ~moved;
    t->stride &= ~moved;
    tmpl_forget(t);
    t->group.on = false;
    tmpl_sp_settle(t);
    tmpl_win_loop(t);
    tr->entry_loop = t->e.off;
    t->start_in_env = t->in_env;
    t->loop_verified[0] = t->verified[0];
    t->loop_verified[1] = t->verified[1];
    t->loop_small = t->small;
    t->loop_tiny = t->tiny;
    t->loop_stride = t->stride;
}

/* Behind a trace's last instruction. */
static void trace_ends(Tmpl *t, TbTrace *tr)
{
    bool loop = tr->end == (int64_t)t->tb->region_off;

    if (tr->peeled && (t->loop_verified[0] & ~t->verified[0] ||
                       t->loop_verified[1] & ~t->verified[1] || t->loop_small & ~t->small ||
                       t->loop_tiny & ~t->tiny || t->loop_stride & ~t->stride)) {
        loop = false; /* from the beginning again */
    }
    if (t->live[tr->peeled] && t->in_env != t->start_in_env) {
        t->start_in_env ? tmpl_save_flags(t) : tmpl_restore_flags(t);
    }
    tmpl_sp_settle(t);
    tr->loop_exit = loop ? t->nexits + 1 : 0;
    tmpl_exit_to(t, tr->end);
}

/* Not by memset: the compiler makes that a REP STOS, which takes longer. */
static ALWAYS_INLINE void clear(Tmpl *t)
{
    uint64_t *p = (uint64_t *)t;

    for (unsigned i = 0; i < offsetof(Tmpl, slow) / 8; i++) {
        p[i] = 0;
        __asm__ volatile("" : : : "memory");
    }
}

bool x86_template_build(X86Cpu *cpu, TbCache *c, Tb *tb, const X86Insn *insns)
{
    static Tmpl tmpl; /* the cache's lock is held; a thread's own would be touched when it begins */
    Tmpl *t = &tmpl;
    CodeBuf *code = c->code;
    TbTrace *tr = tb_trace(tb);

    codebuf_back(code);
    clear(t);
    t->win = tb->mode & X86_KEY_WIN;
    t->fixed = tr ? trace_fixed(tr) : 0;
    t->moves_late = tr && t->win;
    t->legacy = !(tb->mode & HF_CS64);
    t->placed = x86_mode_placed(tb->mode);
    t->word = t->legacy ? 4 : 8;
    t->no_groups = x86_engine.no_groups || t->placed ||
                   x86_keys_has(&x86_engine.group_failed, tb->key) ||
                   (t->legacy && !(tb->mode & HF_SS32));
    /* bytes of the body at most; 64 instructions cannot need more */
    const unsigned most = tr ? 28 * KiB : 12 * KiB, most_execs = 200;
    t->nexits = t->nslow = t->neffects = t->naway = t->nleaves = 0;
    t->ended = t->shadow_next = false;
    t->wanted = S2_KEPT;
    t->e = (Enc){ .rw = code->rw,
                  .off = ALIGN_UP(code->used, tb_align(tb)),
                  .end = code->cold_start,
                  .env_base = -(int64_t)CODE_ENV_SIZE };
    if (x86_saved_notes && !tr) {
        t->e.notes = &x86_saved_notes->fields;
        t->e.notes->n = x86_saved_notes->npointers = 0;
    }
    t->cpu = cpu;
    t->cache = c;
    t->tb = tb;
    t->insns = insns;
    t->verified[0] = vbase_in_b(t);
    t->region = tb->large ? 2 * MiB : 4096;
    tb->region_off = tb->key & (t->region - 1);
    tb->guards_tail = tb->crossing && !t->placed && !tb->large && !(tb->mode & X86_KEY_CPL0) &&
                      tb->key < CODE_MAP_MAX_RAM && tb_tail(tb) < CODE_MAP_MAX_RAM &&
                      code_map_index(tb->key) != code_map_index(tb_tail(tb));
    if (!enc_room(&t->e, most + 4 * KiB)) {
        return false;
    }
    tmpl_survey(t);
    liveness(t);
    for (unsigned i = 0, at = 0; i < tb->ninsns; at += insns[i++].len) {
        t->map[i].guest = at;
    }
    if (x86_engine.random_sites && t->win) {
        x86_random_sites(tb, t->map);
    }
    tb->code_off = t->e.off;
    tmpl_entries(t);
    for (t->i = 0; t->i < tb->ninsns; t->i++) {
        const X86Insn *in = &insns[t->i];
        t->off = tmpl_insn_off(t, t->i);
        t->succ = !tr                       ? t->off + in->len
                  : t->i + 1u < tb->ninsns ? tmpl_insn_off(t, t->i + 1)
                                           : tr->end;
        if (tr && tr->peeled && tr->peeled == t->i) {
            loop_begins(t, tr);
        }
        if (t->moves_late) {
            tmpl_sp_begin(t, in);
            tb_trace_late(tr)[t->i] = t->late;
        }
        t->map[t->i].host = t->e.off - tb->code_off;
        t->map[t->i].flags_in_env = t->in_env ? TBI_START_ENV | TBI_OP_ENV : 0;
        if (t->shadow_next) {
            t->map[t->i].flags_in_env |= TBI_SHADOW;
            t->shadow_next = false;
        }
        if (t->win) {
            if (!t->live[t->i] && t->live[t->i + 1]) {
                tmpl_win_hoist(t);
            }
        } else if (!t->group.on && !t->no_groups) {
            tmpl_group_begin(t);
        }
        t->saved_late = false;
        one(t, in);
        if (t->group.on) {
            tmpl_group_after(t);
        }
        if (t->in_env && !t->saved_late) {
            t->map[t->i].flags_in_env |= TBI_OP_ENV;
        }
        if (tr && (t->e.off - tb->code_off > most || t->nexecs > most_execs)) {
            tb->ninsns = t->i + 1;
            tr->end = t->succ;
        } else if (t->e.off - tb->code_off > most) {
            return false;
        }
    }
    if (!t->ended && tr) {
        trace_ends(t, tr);
    } else if (!t->ended) {
        int64_t next = tmpl_next_off(t, t->succ);
        if (tb->next_crosses && !tb->large && (tb->mode & X86_KEY_CPL0 || t->placed)) {
            tmpl_jump_off(t, next);
        } else {
            tmpl_exit_to(t, next);
        }
    }
    tb->code_end = t->e.off;
    Enc hot = t->e;
    if (!tb_add_code(c, tb, t->map, t->nexits)) {
        tb->code_end = 0;
        return false;
    }
    Enc cold = tmpl_stubs(t, code);
    uint32_t cold_from = code->cold_used;
    t->e = hot;
    t->e.full |= cold.full;
    if (t->failed || t->e.full) {
        c->unfit = t->failed;
        tb->code_end = 0;
        return false;
    }
    if (t->e.notes) {
        x86_saved_notes->cold_from = cold_from;
        x86_saved_notes->cold_to = cold.off;
    }
    code->used = t->e.off;
    code->cold_used = cold.off;
    c->native_insns += tb->ninsns;
    c->native_bytes += t->e.off - tb->code_off + cold.off - cold_from;
    if (log_on(LOG_OUT_ASM) && log_in_filter(tb->key)) {
        log_host(t, cold_from, cold.off);
    }
    return true;
}

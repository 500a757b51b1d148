/* SPDX-License-Identifier: MIT */
/*
 * Check groups: runs of accesses through one base register (a function's pushes and pops,
 * the fields of a struct) share one soft-TLB check of the whole range they touch. r11
 * keeps the host address over the run; the base register may move by constants (rsp).
 *
 * If the range is not within one directly mapped page, the slow path executes the
 * instruction at the check by its reference function and goes on in a block that begins
 * behind it; a block whose groups fail often is built again without them.
 *
 * A check clobbers EFLAGS. A group may begin a few instructions before its first access,
 * where the flags are dead (`add rsp,24; pop rbx; ret`).
 */
#include "target-x86/template.h"

enum { GROUP_MAX = 192 };

/* A plain instruction. */
static void plain_effect(const Tmpl *t, unsigned i, Effect *f)
{
    const X86Insn *in = &t->insns[i];

    f->writes = t->writes[i];
    if (t->flags[i].cls & TC_ENV) {
        uint32_t seen = 0;
        for (unsigned n = 0; n < in->nops; n++) {
            const X86Opnd *o = &in->op[n];
            seen |= o->kind == OPND_GPR && reg_in_env(o->reg) ? 1u << o->reg : 0;
        }
        f->stop = (seen & (seen - 1)) != 0; /* two of them would use r11 */
    }
    for (unsigned n = 0; n < in->nops; n++) {
        if (in->op[n].kind == OPND_MEM) {
            f->access = true;
            f->size = tmpl_access_size(in, &in->op[n]);
            f->write |= in->row->w[n] == ROLE_W || in->row->w[n] == ROLE_RW;
        }
    }
    if (!f->access) {
        /* add/sub rsp, imm */
        if (f->writes == 1u << R_SP && in->row->enc == ENC_LEGACY &&
            in->row->map == MAP_1 && (in->opcode == 0x81 || in->opcode == 0x83) &&
            in->opsize == t->word) {
            unsigned ext = in->modrm >> 3 & 7;
            f->moves_sp = ext == 0 || ext == 5;
            f->sp_delta = ext == 0 ? (int64_t)in->imm : -(int64_t)in->imm;
        }
        return;
    }
    if (!in->is_mem || in->index >= 0 || in->base < 0 || in->base == 16 ||
        in->adsize != t->word || in->seg >= R_FS || (t->legacy && in->seg == R_CS) ||
        !f->size || in->disp != (int32_t)in->disp || tmpl_masked_access(in)) {
        f->stop = true;
        return;
    }
    f->base = in->base;
    f->off = in->disp;
}

static void stack_effect(Effect *f, int word, bool push, unsigned reg_written)
{
    f->access = true;
    f->base = R_SP;
    f->size = word;
    f->write = push;
    f->off = push ? -word : 0;
    f->moves_sp = true;
    f->sp_delta = push ? -word : word;
    f->writes = 1u << R_SP | reg_written;
}

static void make_effect(const Tmpl *t, unsigned i, Effect *f)
{
    const X86Insn *in = &t->insns[i];
    uint8_t op = in->opcode;

    *f = (Effect){ .base = -1 };
    if (t->flags[i].cls & TC_PLAIN) {
        plain_effect(t, i, f);
        return;
    }
    if (in->row->enc != ENC_LEGACY || in->row->map != MAP_1) {
        f->stop = true;
    } else if (op >= 0x50 && op <= 0x57) {
        stack_effect(f, t->word, true, 0);
        f->stop = in->opsize != t->word || in->op[0].reg == R_SP;
    } else if (op >= 0x58 && op <= 0x5f) {
        stack_effect(f, t->word, false, 1u << in->op[0].reg);
        f->stop = in->opsize != t->word || in->op[0].reg == R_SP;
    } else if (op == 0x68 || op == 0x6a) {
        stack_effect(f, t->word, true, 0);
        f->stop = in->opsize != t->word;
    } else if (op == 0xc3 || op == 0xe8) {
        stack_effect(f, t->word, op == 0xe8, 0);
        f->stop = in->opsize != t->word;
        f->after = true;
    } else if (op == 0x8d) {
        f->stop = !tmpl_lea_is_direct(t, in);
        f->writes = 1u << in->op[0].reg;
        f->moves_sp = in->op[0].reg == R_SP && in->base == R_SP && in->index < 0 &&
                      in->opsize == t->word;
        f->sp_delta = in->disp;
    } else {
        f->stop = op != 0x90 || in->rex & 1 || in->rep == 0xf3;
    }
}

static const Effect *effect(Tmpl *t, unsigned i)
{
    while (t->neffects <= i) {
        make_effect(t, t->neffects, &t->effect[t->neffects]);
        t->neffects++;
    }
    return &t->effect[i];
}

/* Looks for a group that begins at instruction i. */
static bool find(Tmpl *t, unsigned i, Group *g)
{
    int64_t delta = 0, lo = 0, hi = 0;
    unsigned n = 0, reach = i;
    uint32_t changed = 0; /* registers written since the beginning */
    bool write = false;

    g->base = -1;
    for (unsigned j = i; j < t->tb->ninsns; j++) {
        const Effect *f = effect(t, j);
        if (f->stop) {
            break;
        }
        if (f->access) {
            if (g->base < 0) {
                if (changed >> f->base & 1 && !(f->base == R_SP && !g->sp_lost)) {
                    break;
                }
                g->base = f->base;
                if (f->base != R_SP) {
                    delta = 0;
                }
                lo = delta + f->off;
                hi = lo + f->size;
                if (j > i) {
                    g->first = j;
                }
            } else if (f->base != g->base) {
                break;
            }
            int64_t a = delta + f->off, nlo = MIN(lo, a),
                    nhi = MAX(hi, a + (int64_t)f->size);
            if (nhi - nlo > GROUP_MAX) {
                break;
            }
            lo = nlo;
            hi = nhi;
            write |= f->write;
            n++;
            reach = j;
        }
        if (f->moves_sp && (g->base < 0 || g->base == R_SP)) {
            delta += f->sp_delta;
            changed |= f->writes & ~(1u << R_SP);
        } else {
            changed |= f->writes;
            g->sp_lost |= f->writes >> R_SP & 1;
        }
        if (f->after ||
            (g->base >= 0 && (g->base == R_SP ? g->sp_lost : changed >> g->base & 1))) {
            break;
        }
    }
    g->lo = lo;
    g->size = hi - lo;
    g->write = write;
    g->last = reach;
    g->naccess = n;
    return n > 0 && g->base >= 0;
}

void tmpl_group_begin(Tmpl *t)
{
    Group g = { .first = t->i };
    unsigned i = t->i;

    if (x86_engine.exact_flags) {
        return;
    }
    const Effect *f = effect(t, i);
    if (f->stop || (!f->access && t->live[i]) || !find(t, i, &g)) {
        return;
    }
    bool hoisted = g.first > i;
    if (hoisted ? !(t->live[g.first] && !t->live[i]) : g.naccess < 2) {
        return;
    }
    if (t->live[i]) {
        tmpl_save_flags(t);
    }
    if (reg_in_env(g.base)) {
        enc_load(&t->e, S1, rm_env(ENV_GPR(g.base)));
        if (g.lo) {
            enc_lea(&t->e, S1, rm_mem(S1, g.lo), true); /* 64-bit code only */
        }
    } else {
        enc_lea(&t->e, S1, rm_mem(host_reg(g.base), g.lo), !t->legacy);
    }
    tmpl_check(t, g.size | (g.write ? MEM_WRITE : 0) | MEM_GROUP);
    g.on = true;
    g.delta = 0;
    t->group = g;
}

bool tmpl_group_covers(const Tmpl *t, int base)
{
    return t->group.on && t->group.base == base && t->i <= t->group.last;
}

int32_t tmpl_group_disp(const Tmpl *t, int64_t disp)
{
    return t->group.delta + disp - t->group.lo;
}

void tmpl_group_after(Tmpl *t)
{
    if (!t->group.on) {
        return;
    }
    const Effect *f = effect(t, t->i);
    if (f->moves_sp && t->group.base == R_SP) {
        t->group.delta += f->sp_delta;
    }
    if (t->i >= t->group.last) {
        t->group.on = false;
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Which window range will an address lie in? A block is built when it is about to run, so
 * registers that it has not written yet are known, and a register that it loads can be
 * followed to the load: the guest's memory is looked at, without any effect on the guest.
 * A wrong guess costs the rest of the block by reference functions and, the second time, its
 * building; this look up to 0.1 us.
 */
#include "target-x86/template.h"
#include <string.h>
#include "target-x86/mmu.h"
#include "target-x86/softmmu.h"
#include "target-x86/window.h"

enum { DEPTH = 4 }; /* loads and copies followed */

static bool peek(X86Cpu *cpu, uint64_t lin, uint64_t *v)
{
    if ((lin & 4095) > 4096 - 8 || (int64_t)lin < 0) {
        return false;
    }
    X86WalkResult w = x86_walk(cpu, lin, X86_READ, cpu->mmu_idx, false);
    const uint8_t *host = w.ok ? x86_phys_host(cpu, w.gpa, false) : NULL;
    if (!host) {
        return false;
    }
    memcpy(v, host, 8);
    return true;
}

static bool reg_before(const Tmpl *t, unsigned i, int g, unsigned depth, uint64_t *v);

/* Address of the memory operand of instruction i without its displacement. An index that
 * is not known counts as small. */
static bool checked_before(const Tmpl *t, unsigned i, const X86Insn *in, unsigned depth,
                           uint64_t *v)
{
    uint64_t base = 0, index = 0;

    if (in->seg >= R_FS || in->adsize != 8) {
        return false;
    }
    if (in->base == 16) {
        base = t->cpu->st.rip + t->map[i].guest + in->len;
    } else if (in->base >= 0 && !reg_before(t, i, in->base, depth, &base)) {
        return false;
    }
    if (in->index >= 0 && !reg_before(t, i, in->index, depth, &index)) {
        index = 0;
    }
    *v = base + (index << in->scale);
    return true;
}

static bool address_before(const Tmpl *t, unsigned i, const X86Insn *in, unsigned depth,
                           uint64_t *v)
{
    if (!checked_before(t, i, in, depth, v)) {
        return false;
    }
    *v += in->disp;
    return true;
}

/* Value that instruction i gives to register g. */
static bool result(const Tmpl *t, unsigned i, int g, unsigned depth, uint64_t *v)
{
    const X86Insn *in = &t->insns[i];
    uint64_t a;

    if (in->row->enc != ENC_LEGACY || in->row->map != MAP_1 || in->opsize != 8) {
        return false;
    }
    switch (in->opcode) {
    case 0x58:
    case 0x59:
    case 0x5a:
    case 0x5b:
    case 0x5c:
    case 0x5d:
    case 0x5e:
    case 0x5f:
        return g != R_SP && reg_before(t, i, R_SP, depth, &a) && peek(t->cpu, a, v);
    case 0x8b: /* MOV r, r/m */
        if (in->is_mem) {
            return address_before(t, i, in, depth, &a) && peek(t->cpu, a, v);
        }
        return reg_before(t, i, in->op[1].reg, depth, v);
    case 0x89: /* MOV r/m, r */
        return !in->is_mem && reg_before(t, i, in->op[1].reg, depth, v);
    case 0x8d: return address_before(t, i, in, depth, v);
    case 0x81:
    case 0x83: /* ADD, SUB, AND r, imm: the range hardly changes */
        return !in->is_mem && reg_before(t, i, g, depth, v);
    case 0x01:
    case 0x03: /* ADD r, r: one of them is the pointer */
        return !in->is_mem && reg_before(t, i, in->op[0].reg, depth, v) &&
               reg_before(t, i, in->op[1].reg, depth, &a) && (*v += a, true);
    default: return false;
    }
}

/* Value of register g in front of instruction i. */
static bool reg_before(const Tmpl *t, unsigned i, int g, unsigned depth, uint64_t *v)
{
    unsigned j = i;

    while (j > 0 && !(t->writes[j - 1] >> g & 1)) {
        j--;
    }
    if (j == 0) {
        *v = t->cpu->st.gpr[g];
        return true;
    }
    return depth > 0 && result(t, j - 1, g, depth - 1, v);
}

unsigned tmpl_guess(const Tmpl *t, unsigned i, const X86Insn *as)
{
    unsigned state = x86_win_site(tmpl_insn_ram(t, i));
    uint64_t a;

    bool leaves = state == WIN_SITE_MIXED && tmpl_may_leave(t, i);
    if (t->tb->trace_at && (state == WIN_SITE_UNKNOWN || state == WIN_SITE_BOTH || leaves)) {
        unsigned seen = tb_trace(t->tb)->insn[i].site; /* on this path, just before */
        if (seen >= WIN_SITE_PAIR) {
            seen = x86_win_pair_range(seen) ? WIN_SITE_A : WIN_SITE_B;
        }
        state = seen == WIN_SITE_ANY && state != WIN_SITE_UNKNOWN ? WIN_SITE_BOTH : seen;
    } else if (state >= WIN_SITE_MIXED) {
        state = WIN_SITE_BOTH;
    }
    if (state != WIN_SITE_UNKNOWN) {
        return state;
    }
    if (as->base == 16) {
        a = t->cpu->st.rip;
    } else if (!checked_before(t, i, as, DEPTH, &a)) {
        return WIN_SITE_B;
    }
    int k = window_range(x86_env(t->cpu), a);
    if (k < 0 && a < 65536 && as->base >= 0) { /* NULL: no news */
        return WIN_SITE_B;
    }
    return k < 0 ? WIN_SITE_ANY : k ? WIN_SITE_A : WIN_SITE_B;
}

bool tmpl_outside(const Tmpl *t, unsigned i, const X86Insn *as)
{
    uint64_t a;

    if (t->tb->trace_at) {
        return tb_trace(t->tb)->insn[i].site == WIN_SITE_ANY;
    }
    return as->base >= 0 && as->base != 16 && checked_before(t, i, as, DEPTH, &a) &&
           a >= 65536 && window_range(x86_env(t->cpu), a) < 0;
}

/* What is believed, in the table and in a trace's record, must cost time only: tests try all
 * of it. Three of a trace's operands, and of every fourth block's: traces are long, and must
 * come to run. */
void x86_random_sites(Tb *tb, const TbInsn *map)
{
    static const uint8_t states[8] = {
        WIN_SITE_UNKNOWN, WIN_SITE_B,   WIN_SITE_A,     WIN_SITE_BOTH,
        WIN_SITE_BOTH,    WIN_SITE_ANY, WIN_SITE_MIXED, WIN_SITE_TWO,
    };
    TbTrace *tr = tb_trace(tb);
    uint64_t r = x86_engine.random_sites * 0x9e3779b97f4a7c15ull + 1;
    bool some = tr || r >> 62 == 0;

    for (unsigned i = 0; some && i < tb->ninsns; i++) {
        r = r * 0x5851f42d4c957f2dull + 0x14057b7ef767814full;
        if ((r >> 32) % MAX(tb->ninsns, 6) >= 3) {
            continue;
        }
        x86_win_site_set(tb_insn_ram(tb, i, &map[i]), states[r >> 29 & 7]);
        if (tr && r >> 28 & 1) {
            tr->insn[i].site = WIN_SITE_B + (r >> 20 & 255) % 6;
        }
    }
    x86_engine.random_sites = MAX(r, 1);
}

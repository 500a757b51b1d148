/* SPDX-License-Identifier: MIT */
/* Random encodings of instruction rows; see insn_gen.h. */
#include "tests/unit/insn_gen.h"

static uint64_t state = 0x9e3779b97f4a7c15u;

void gen_seed(uint64_t seed)
{
    state = seed ? seed : 1;
}

uint64_t gen_rand(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1du;
}

uint64_t gen_value(void)
{
    static const uint64_t edge[] = {
        0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000u,
        0xffffffffu, INT64_MAX, 0x8000000000000000u, ~0ull, 0x8080808080808080u,
    };
    uint64_t r = gen_rand();
    switch (r % 8) {
    case 0:
    case 1:
        return edge[(r >> 8) % ARRAY_SIZE(edge)];
    case 2:
        return gen_rand() >> (r >> 8) % 64;
    case 3:
        return (uint64_t)((int64_t)gen_rand() >> (r >> 8) % 64);
    case 4:
        return edge[(r >> 8) % ARRAY_SIZE(edge)] << (r >> 16) % 64;
    default:
        return gen_rand();
    }
}

typedef struct Gen {
    uint8_t *p;
    uint8_t rex; /* 4xH if wanted */
    uint8_t modrm;
    uint8_t tail[8];
    unsigned ntail;
} Gen;

static bool row_uses(const X86Row *row, unsigned method)
{
    for (unsigned i = 0; i < 4; i++) {
        if (row->ops[i] >> 8 == method) {
            return true;
        }
    }
    return false;
}

static bool uses_modrm(const X86Row *row)
{
    static const uint8_t m[] = { OM_E, OM_G, OM_R, OM_M, OM_S, OM_P, OM_Q, OM_N,
                                 OM_V, OM_W, OM_U, OM_STI };
    if (row->flags & (RF_MODRM | RF_MEM | RF_REG) || row->ext || row->enc != ENC_LEGACY) {
        return true;
    }
    for (unsigned i = 0; i < sizeof(m); i++) {
        if (row_uses(row, m[i])) {
            return true;
        }
    }
    return false;
}

/* ModRM, SIB, displacement */
static void gen_modrm(Gen *g, const X86Row *row)
{
    uint64_t r = gen_rand();
    unsigned reg = row->ext ? row->ext & 7u : r & 7, rm = r >> 3 & 7;
    bool mem_only = row->flags & RF_MEM || row_uses(row, OM_M);
    bool reg_only = row->flags & RF_REG || row_uses(row, OM_R) || row_uses(row, OM_N) ||
                    row_uses(row, OM_U) || row_uses(row, OM_STI) || row_uses(row, OM_KN);
    unsigned mod = reg_only || (!mem_only && (r >> 6 & 1)) ? 3 : r >> 7 & 1 ? 1 : 2;

    if (mod == 3 && row->rm) {
        rm = row->rm & 7;
    }
    g->rex |= r >> 10 & (row_uses(row, OM_KG) ? 3 : 7);
    if (row->ev & EV_VSIB) {
        rm = 4;
    }
    g->modrm = mod << 6 | reg << 3 | rm;
    if (mod == 3) {
        return;
    }
    if (rm == 4) {
        g->tail[g->ntail++] = r >> 16;
    }
    for (unsigned i = 0; i < (mod == 1 ? 1u : 4u); i++) {
        /* 32-bit displacements stay below 2^24 */
        g->tail[g->ntail++] = i == 3 ? 0 : r >> (24 + 8 * i);
    }
}

static void put_legacy(Gen *g, const X86Row *row, bool want66)
{
    static const uint8_t pfx[] = { [PP_66] = 0x66, [PP_F3] = 0xf3, [PP_F2] = 0xf2 };
    if (want66) {
        *g->p++ = 0x66;
    }
    if (row->pp == PP_66 ? !want66 : row->pp >= PP_F3) {
        *g->p++ = pfx[row->pp];
    }
    if (g->rex & 0x40) {
        *g->p++ = g->rex;
    }
    if (row->map != MAP_1) {
        *g->p++ = 0x0f;
    }
    if (row->map >= MAP_0F38) {
        *g->p++ = row->map == MAP_0F38 ? 0x38 : 0x3a;
    }
}

static void put_vex(Gen *g, const X86Row *row, uint64_t r, unsigned vmask)
{
    bool v = (row_uses(row, OM_H) || row_uses(row, OM_B) || row_uses(row, OM_KH)) &&
             !(row->flags & RF_NOVVVV);
    unsigned vvvv = v ? r & (row_uses(row, OM_KH) ? 7 : vmask) : 0, l = row->flags & RF_L1 ? 1 : row->flags & RF_L0 ? 0 : r >> 4 & 1;
    unsigned last = (~vvvv & 15) << 3 | l << 2 | (unsigned)(row->pp - PP_NP);

    if (row->map == MAP_0F && !(g->rex & 11) && (r >> 5 & 1)) {
        *g->p++ = 0xc5;
        *g->p++ = (g->rex & 4 ? 0 : 0x80) | last;
        return;
    }
    *g->p++ = 0xc4;
    *g->p++ = (~g->rex & 7) << 5 | row->map;
    *g->p++ = (g->rex & 8) << 4 | last;
}

/* What the row does not permit is refused by the decoder: another try. */
static void put_evex(Gen *g, const X86Row *row, uint64_t r, bool m64)
{
    uint32_t ev = row->ev;
    bool mem = g->modrm < 0xc0, v = row_uses(row, OM_H);
    bool b = ev & (mem ? EV_BC | EV_BC32 | EV_BC64 : EV_RC | EV_SAE) && r & 1;
    unsigned k = ev & EV_K && r >> 1 & 3 ? r >> 3 & 7 : 0;
    unsigned z = ev & EV_ZM && k && r >> 6 & 1, ll = r >> 7 & 3;
    unsigned vvvv = v ? r >> 9 & 31 : ev & EV_VSIB ? r >> 9 & 16 : 0;
    unsigned r2 = row_uses(row, OM_V) || (row->ext && v) ? r >> 14 & 1 : 0;

    if (!b || mem || !(ev & EV_RC)) {
        ll = ev & EV_LIG              ? ll % 3
             : ev & EV_L128 << ll % 3 ? ll % 3
             : ev & EV_L512           ? 2
                                      : 0;
    }
    if (row->ext) {
        r2 = 0;
        g->rex &= ~4;
    }
    if (!m64) {
        g->rex &= 8;
        vvvv &= 7;
        r2 = 0;
    }
    *g->p++ = 0x62;
    *g->p++ = (~g->rex & 7) << 5 | !r2 << 4 | row->map;
    *g->p++ = (g->rex & 8) << 4 | (~vvvv & 15) << 3 | 4 | (unsigned)(row->pp - PP_NP);
    *g->p++ = z << 7 | ll << 5 | b << 4 | (~vvvv & 16) >> 1 | k;
}

bool gen_w_everywhere;

unsigned gen_insn(const X86Row *row, uint8_t bytes[15], X86Insn *in, uint32_t hflags,
                  const uint32_t *feat)
{
    Gen g = { .p = bytes };
    uint64_t r = gen_rand();
    bool want66 = row->enc == ENC_LEGACY && !(row->flags & RF_STRICT) && r % 3 == 0 &&
                  row->pp != PP_NP;
    bool modrm = uses_modrm(row);

    if (row->flags & RF_LOCK && (r >> 8) % 8 == 0) {
        *g.p++ = 0xf0; /* refused by the decoder for register operands: another try */
    }
    g.rex = row->flags & RF_W1 ? 8 : row->flags & RF_W0 ? 0 : r >> 16 & 8;
    if (modrm) {
        gen_modrm(&g, row);
    } else {
        g.rex |= r >> 24 & 1;
    }
    if (g.rex || (r >> 32 & 1)) {
        g.rex |= 0x40;
    }
    if (!(g.rex & 8) && (r >> 33 & 1) && !(row->flags & RF_W1)) {
        g.rex &= 0x40 ^ 0x40; /* often no REX at all, so that AH..BH occur */
    }
    if (!(hflags & HF_CS64)) { /* W of VEX and EVEX is there in all modes */
        g.rex = row->enc == ENC_LEGACY || !gen_w_everywhere ? 0 : g.rex & 8;
    } else if (r % 11 == 0) {
        *g.p++ = 0x67;
    }
    if (row->enc == ENC_EVEX) {
        put_evex(&g, row, gen_rand() >> 8, hflags & HF_CS64);
    } else if (row->enc == ENC_VEX) {
        put_vex(&g, row, r >> 40, hflags & HF_CS64 ? 15 : 7);
    } else {
        put_legacy(&g, row, want66);
    }
    *g.p++ = row->op | (r >> 48 & row->opmask);
    if (modrm) {
        *g.p++ = g.modrm;
    }
    for (unsigned i = 0; i < g.ntail; i++) {
        *g.p++ = g.tail[i];
    }
    while (g.p < bytes + 15) {
        *g.p++ = gen_rand() >> 13;
    }
    int len = x86_decode(in, bytes, 15, hflags, feat);
    return len > 0 && in->row == row ? len : 0;
}

bool gen_point(const X86Insn *in, uint64_t gpr[16], uint64_t to)
{
    if (in->base < 0 || in->base == R_SP || in->base == 16 || in->index == in->base) {
        return false;
    }
    to -= in->disp;
    if (in->index >= 0) {
        gpr[in->index] = (int64_t)(gen_rand() << 48) >> 48;
        to -= gpr[in->index] << in->scale;
    }
    if (in->adsize == 4) {
        to = (uint32_t)to | (gen_rand() << 32);
    } else if (in->adsize == 2) {
        to = (uint16_t)to | (gen_rand() << 16);
    }
    gpr[in->base] = to;
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Every vector row (MMX to AVX-512, FMA, AES, SHA, GFNI) the host has, judged by the host
 * CPU: random encodings with random and corner data, run natively and by the reference
 * function; all registers, flags, MXCSR, x87/MMX state, memory and faults must agree.
 * Rows the host lacks are named. Usage: test_exec_sse [seed [row-name]].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target-x86/decode.h"
#include "tests/unit/hostjudge.h"
#include "tests/unit/insn_gen.h"
#include "tests/unit/x86_flat_access.h"

#define WINDOW 512
/* operands lie within WINDOW bytes from `window` */
#define TARGET (window + 256)
#define FLAT_END (FLAT_BASE + FLAT_SIZE) /* nothing is mapped behind */
#define TRIES 400
#define EVEX_TRIES 40 /* there are many rows */

static uint64_t seed = 0x5eed5eed1;
static uint64_t window = FLAT_DATA;
static const char *only;
static uint32_t host_feat[X86F_NWORDS];
static X86Cpu cpu;
static HostState host;
static unsigned failures, shown;

/* ---- data ---- */

static uint32_t value32(void)
{
    static const uint32_t edge[] = {
        0, 1, 0x7fffff, 0x800000, 0x800001, 0x3f800000, 0x3f800001, 0x40000000, 0x7f7fffff,
        0x7f800000, 0x7f800001, 0x7fc00000, 0x7fc12345, 0x4effffff, 0x4f000000, 0x4f000001,
        0x5f000000, 0x5effffff, 0x3f000000, 0x3fc00000, 0x4b000000, 0x33800000, 0x38800000,
        0x387fe000, 0x387fffff, 0x33000000, 0x33000001, 0x477fe000, 0x477ff000, 0x47800000,
        0x00400000, 0x7fbfffff,
    };
    uint64_t r = gen_rand();
    switch (r % 6) {
    case 0:
        return edge[(r >> 8) % ARRAY_SIZE(edge)] | (r >> 3 & 1) << 31;
    case 1: /* near 1 */
        return (0x3f800000u + (uint32_t)((r >> 8) % 64 << 23)) - (32u << 23) +
               (r >> 20 & 0x7fffff) + (r >> 3 << 31);
    case 2: /* near the denormals */
        return (r >> 8 & 0x3ffffff) | (r >> 3 & 1) << 31;
    case 3:
        return edge[(r >> 8) % ARRAY_SIZE(edge)] + (uint32_t)(r >> 20) % 5 - 2;
    case 4: /* few fraction bits: exact results, ties */
        return (uint32_t)(r >> 8) & 0xfff00000;
    default:
        return r >> 16;
    }
}

static uint64_t value64(void)
{
    static const uint64_t edge[] = {
        0, 1, 0xfffffffffffff, 0x10000000000000, 0x3ff0000000000000, 0x3ff0000000000001,
        0x4000000000000000, 0x7fefffffffffffff, 0x7ff0000000000000, 0x7ff0000000000001,
        0x7ff8000000000000, 0x7ff8123456789abc, 0x41dfffffffc00000, 0x41dfffffffe00000,
        0x41e0000000000000, 0xc1e0000000200000, 0x43e0000000000000, 0x43dfffffffffffff,
        0x3fe0000000000000, 0x3ff8000000000000, 0x4330000000000000, 0x47efffffe0000000,
        0x47effffff0000000, 0x3810000000000000, 0x380fffffe0000000, 0x36a0000000000000,
        0x3690000000000000, 0x380ffffff0000000, 0x0008000000000000, 0x3ca0000000000000,
    };
    uint64_t r = gen_rand();
    switch (r % 6) {
    case 0:
        return edge[(r >> 8) % ARRAY_SIZE(edge)] | (r >> 3 & 1) << 63;
    case 1:
        return (0x3ff0000000000000u + ((r >> 8) % 128 << 52)) - (64ull << 52) +
               (gen_rand() >> 12) + (r >> 3 << 63);
    case 2:
        return gen_rand() >> 10 | (r >> 3 & 1) << 63;
    case 3:
        return edge[(r >> 8) % ARRAY_SIZE(edge)] + (r >> 20) % 5 - 2;
    case 4:
        return r & 0xfffc000000000000;
    default:
        return gen_rand();
    }
}

static void fill(uint8_t *p, unsigned n)
{
    unsigned kind = gen_rand() % 8;
    for (unsigned i = 0; i + 8 <= n; i += 8) {
        uint64_t v;
        switch (kind) {
        case 0:
        case 1:
            v = value32() | (uint64_t)value32() << 32;
            break;
        case 2:
        case 3:
            v = value64();
            break;
        case 4: /* text with few letters and ends */
            v = gen_rand() & 0x0303030303030303;
            break;
        case 5: /* small counts */
            v = gen_rand() & 0x0000003f0000003f;
            break;
        case 6:
            v = gen_value();
            break;
        default:
            v = gen_rand();
        }
        memcpy(p + i, &v, 8);
    }
}

static uint32_t random_mxcsr(void)
{
    uint64_t r = gen_rand();
    uint32_t v = 0x1f80 | (r & 0x6000);
    v |= r >> 16 & 1 ? 0 : r & 0x3f;          /* sticky flags */
    v |= (r >> 17 & 3) == 0 ? 0x40 : 0;       /* DAZ */
    v |= (r >> 19 & 3) == 0 ? 0x8000 : 0;     /* FTZ */
    if ((r >> 21 & 7) == 0) {
        v &= ~(uint32_t)(r >> 24 & 0x1f80);   /* some exceptions unmasked */
    }
    return v;
}

/* Opmasks: often all ones, none, few. */
static uint64_t random_mask(void)
{
    uint64_t r = gen_rand();
    switch (r % 6) {
    case 0: return ~0ull;
    case 1: return 0;
    case 2: return 1ull << (r >> 8 & 63) | 1;
    case 3: return gen_rand() & gen_rand() & gen_rand();
    default: return gen_rand();
    }
}

static void random_avx512(X86Xsave *xs)
{
    xs->xstate_bv |= XCR0_AVX512;
    for (unsigned i = 0; i < 8; i++) {
        xs->k[i] = random_mask();
    }
    fill((uint8_t *)xs->zmmh, sizeof(xs->zmmh));
    for (unsigned i = 0; i < 16; i++) {
        fill((uint8_t *)xs->zmm16[i], 64);
        if (gen_rand() % 4 == 0) {
            memcpy(xs->zmm16[i], &xs->xmm[gen_rand() % 16], 16);
        }
    }
}

static void random_state(const X86Row *row)
{
    X86Xsave *xs = &host.xsave;
    memset(&host, 0, sizeof(host));
    for (unsigned i = 0; i < 16; i++) {
        host.gpr[i] = gen_value();
    }
    host.rflags = FL_ONE | (gen_rand() & FL_STATUS);
    xs->xstate_bv = 7;
    xs->fcw = 0x37f;
    xs->fsw = gen_rand() & 0x7800;
    xs->ftw = gen_rand();
    xs->mxcsr = random_mxcsr();
    for (unsigned i = 0; i < 8; i++) {
        fill((uint8_t *)&xs->st[i].m, 8);
        xs->st[i].se = gen_rand();
    }
    for (unsigned i = 0; i < 16; i++) {
        fill(xs->xmm[i].b, 16);
        fill(xs->ymmh[i].b, 16);
        if (i && gen_rand() % 4 == 0) { /* equal operands */
            xs->xmm[i] = xs->xmm[gen_rand() % i];
        }
    }
    if (cpu.hflags & HF_AVX512) {
        random_avx512(xs);
    }
    fill((uint8_t *)window, WINDOW);
    if (!strncmp(row->name, "PCMPESTR", 8) || !strncmp(row->name, "VPCMPESTR", 9)) {
        host.gpr[R_AX] = gen_rand() % 3 ? gen_rand() % 40 - 20 : gen_value();
        host.gpr[R_DX] = gen_rand() % 3 ? gen_rand() % 40 - 20 : gen_value();
    }
}

static bool is_gather(const X86Row *row)
{
    return row->ev & EV_VSIB ||
           (row->enc == ENC_VEX && row->map == MAP_0F38 && (row->op & 0xfc) == 0x90);
}

/* Points the memory operand into the window. False: try another encoding. */
static bool point(const X86Insn *in)
{
    const X86Row *row = in->row;
    if (row->ops[0] && row->op == 0xf7 && row->map == MAP_0F) { /* MASKMOVQ, -DQU */
        host.gpr[R_DI] = TARGET + gen_rand() % 16;
        return true;
    }
    if (!in->is_mem) {
        return true;
    }
    if (is_gather(row)) {
        X86Xsave *xs = &host.xsave;
        unsigned x = in->index, size = row->op & 1 ? 8 : 4;
        if (in->base < 0 || in->base == R_SP || in->adsize != 8) {
            return false;
        }
        for (unsigned i = 0; i < 4; i++) {
            X86Xmm *part = x >= 16  ? &xs->zmm16[x - 16][i]
                           : i == 0 ? &xs->xmm[x]
                           : i == 1 ? &xs->ymmh[x]
                                    : &xs->zmmh[x][i - 2];
            for (unsigned k = 0; k < 16 / size; k++) {
                int64_t at = (int64_t)(gen_rand() % 24) - 12;
                if (size == 4) {
                    part->d[k] = at;
                } else {
                    part->q[k] = at;
                }
            }
        }
        /* some elements behind the window's end, where a fault stops the instruction */
        host.gpr[in->base] = TARGET + (window != FLAT_DATA ? 240 : 0) - in->disp;
        return true;
    }
    if (window != FLAT_DATA) {
        return gen_point(in, host.gpr, FLAT_END - gen_rand() % 80);
    }
    /* AMD's SHA instructions take unaligned memory, Intel's do not (exceptions type 4). */
    bool aligned = row->feat == X86F_SHA || row->op == 0xae || gen_rand() % 4;
    unsigned off = !aligned ? gen_rand() % 64 : (gen_rand() % 2) * 64;
    return gen_point(in, host.gpr, TARGET - 128 + off);
}

/* ---- comparison ---- */

static bool differ(const char *what, unsigned i, const void *want, const void *got,
                   unsigned n, bool print)
{
    if (!memcmp(want, got, n)) {
        return false;
    }
    if (print) {
        const uint8_t *w = want, *g = got;
        printf("    %s %u: host ", what, i);
        for (unsigned k = n; k--;) {
            printf("%02x%s", w[k], k % 4 ? "" : " ");
        }
        printf(" ours ");
        for (unsigned k = n; k--;) {
            printf("%02x%s", g[k], k % 4 ? "" : " ");
        }
        printf("\n");
    }
    return true;
}

static bool compare(const X86Row *row, const uint8_t *host_mem, bool print)
{
    bool bad = false;
    const X86Xsave *h = &host.xsave, *o = &cpu.st.xsave;
    for (unsigned i = 0; i < 16; i++) {
        bad |= differ("gpr", i, &host.gpr[i], &cpu.st.gpr[i], 8, print);
        bad |= differ("xmm", i, &h->xmm[i], &o->xmm[i], 16, print);
        bad |= differ("ymmh", i, &h->ymmh[i], &o->ymmh[i], 16, print);
        if (cpu.hflags & HF_AVX512) {
            bad |= differ("zmmh", i, &h->zmmh[i], &o->zmmh[i], 32, print);
            bad |= differ("zmm16+", i, &h->zmm16[i], &o->zmm16[i], 64, print);
        }
    }
    for (unsigned i = 0; i < 8 && cpu.hflags & HF_AVX512; i++) {
        bad |= differ("k", i, &h->k[i], &o->k[i], 8, print);
    }
    for (unsigned i = 0; i < 8; i++) {
        bad |= differ("st", i, &h->st[i], &o->st[i], 10, print);
    }
    uint32_t mask = FL_STATUS & ~row->fl_undef;
    uint32_t hf = host.rflags & mask, of = cpu.st.rflags & mask;
    bad |= differ("flags", 0, &hf, &of, 4, print);
    bad |= differ("mxcsr", 0, &h->mxcsr, &o->mxcsr, 4, print);
    bad |= differ("fsw", 0, &h->fsw, &o->fsw, 2, print);
    bad |= differ("ftw", 0, &h->ftw, &o->ftw, 1, print);
    for (unsigned i = 0; i < WINDOW; i += 32) {
        bad |= differ("mem", i, host_mem + i, (void *)(window + i), 32, print);
    }
    return bad;
}

static void print_before(const HostState *b, const X86Insn *in, const uint8_t *bytes)
{
    printf("  %s:", in->row->name);
    for (unsigned i = 0; i < in->len; i++) {
        printf(" %02x", bytes[i]);
    }
    printf("  mxcsr %04x\n", b->xsave.mxcsr);
    for (unsigned n = 0; n < in->nops; n++) {
        const X86Opnd *op = &in->op[n];
        if (op->kind == OPND_XMM && op->reg > 15) {
            static const uint8_t none[64];
            differ("before zmm", op->reg, none, &b->xsave.zmm16[op->reg - 16], 64, true);
        } else if (op->kind == OPND_XMM) {
            differ("before xmm", op->reg, &b->xsave.ymmh[op->reg], &b->xsave.xmm[op->reg],
                   16, true);
        } else if (op->kind == OPND_MMX) {
            printf("    mm%u, fsw %04x\n", op->reg, b->xsave.fsw);
        } else if (op->kind == OPND_GPR) {
            printf("    gpr%u %016llx\n", op->reg, (unsigned long long)b->gpr[op->reg]);
        }
    }
}

/* One random instruction of the row. Returns false if it could not be encoded. */
static bool try_row(const X86Row *row)
{
    static HostState before;
    static uint8_t mem[WINDOW], host_mem[WINDOW];
    uint8_t bytes[15];
    X86Insn in;

    unsigned len = gen_insn(row, bytes, &in, cpu.hflags, cpu.feat);
    if (!len) {
        return false;
    }
    /* masked-off elements of memory do not fault, the others do; compressed stores are
     * written by microcode: what a fault leaves of them is not architectural */
    window = row->enc == ENC_EVEX && in.is_mem && gen_rand() % 4 == 0 ? FLAT_END - WINDOW
                                                                      : FLAT_DATA;
    random_state(row);
    if (!point(&in)) {
        return false;
    }
    if (!strcmp(row->name, "LDMXCSR") || !strcmp(row->name, "VLDMXCSR")) {
        for (unsigned i = 0; i < WINDOW; i += 4) {
            uint32_t v = random_mxcsr() | (gen_rand() % 8 ? 0 : 0x10000);
            memcpy((void *)(window + i), &v, 4);
        }
    }
    before = host;
    memcpy(mem, (void *)window, WINDOW);
    int hv = hj_run(&host, bytes, len, HJ_VECTOR);
    memcpy(host_mem, (void *)window, WINDOW);
    memcpy((void *)window, mem, WINDOW);

    memcpy(cpu.st.gpr, before.gpr, sizeof(before.gpr));
    cpu.st.rflags = before.rflags;
    cpu.st.xsave = before.xsave;
    cpu.st.xsave.mxcsr_mask = host.xsave.mxcsr_mask & 0xffff; /* not AMD's bit 17 */
    int ov = flat_run(&cpu, &in);
    ov = ov == FLAT_OK ? HJ_OK : ov;
    bool bad = ov != hv || compare(row, host_mem, false);
    if (bad && failures++ < 40 + shown) {
        print_before(&before, &in, bytes);
        if (ov != hv) {
            printf("    host vector %d, ours %d\n", hv, ov);
        }
        compare(row, host_mem, true);
    }
    return true;
}

static void table_matches_host(const char *name)
{
    assert_true(hj_init());
    unsigned rows = 0, runs = 0, skipped = 0, bad_rows = 0;
    for (const X86RowTable *t = x86_row_tables; t->name; t++) {
        if (strcmp(t->name, name)) {
            continue;
        }
        for (unsigned i = 0; i < t->count; i++) {
            const X86Row *row = &t->rows[i];
            if ((only && strcmp(only, row->name)) || row->flags & RF_NO64) {
                continue; /* this is 64-bit code; tests/judge has the other modes */
            }
            if (row->feat && !(host_feat[row->feat / 32] >> (row->feat % 32) & 1)) {
                printf("  not covered, host lacks it: %s\n", row->name);
                skipped++;
                continue;
            }
            unsigned done = 0, before = failures;
            shown = before + 3 > 40 ? before - 37 : shown; /* some of each row */
            unsigned tries = row->enc == ENC_EVEX && !only ? EVEX_TRIES : TRIES;
            for (unsigned k = 0; k < tries * 4 && done < tries; k++) {
                done += try_row(row);
            }
            if (!done) {
                printf("  not covered, never encoded: %s\n", row->name);
                failures++;
            }
            if (failures != before) {
                printf("  row %s: %u of %u differ\n", row->name, failures - before, done);
                bad_rows++;
            }
            rows++;
            runs += done;
        }
    }
    printf("%s: %u rows, %u runs, %u rows not covered, %u rows differ\n", name, rows, runs,
           skipped, bad_rows);
    assert_true(rows + skipped > 0 || only);
    assert_int_equal(bad_rows, 0);
}

static void mmx_rows_do_what_the_host_does(void **state) { table_matches_host("mmx"); }
static void sse_rows_do_what_the_host_does(void **state) { table_matches_host("sse"); }
static void sse_fp_rows_do_what_the_host_does(void **state) { table_matches_host("sse_fp"); }
static void avx_rows_do_what_the_host_does(void **state) { table_matches_host("avx"); }
static void fma_rows_do_what_the_host_does(void **state) { table_matches_host("fma"); }
static void crypto_rows_do_what_the_host_does(void **state) { table_matches_host("crypto"); }

static void opmask_rows_do_what_the_host_does(void **state)
{
    table_matches_host("opmask");
}
static void evex_rows_do_what_the_host_does(void **state)
{
    table_matches_host("evex");
}
static void evex_fp_rows_do_what_the_host_does(void **state)
{
    table_matches_host("evex_fp");
}

static int setup(void **state)
{
    if (!hj_init()) {
        return -1;
    }
    flat_init();
    x86_decode_init();
    hj_features(host_feat);
    flat_cpu(&cpu, FLAT_MODE64);
    cpu.st.xcr0 = 7 | (hj_has(X86F_AVX512F) ? XCR0_AVX512 : 0);
    x86_update_hflags(&cpu);
    memcpy(cpu.feat, host_feat, sizeof(host_feat));
    gen_seed(seed);
    printf("seed 0x%llx\n", (unsigned long long)seed);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mmx_rows_do_what_the_host_does),
        cmocka_unit_test(sse_rows_do_what_the_host_does),
        cmocka_unit_test(sse_fp_rows_do_what_the_host_does),
        cmocka_unit_test(avx_rows_do_what_the_host_does),
        cmocka_unit_test(fma_rows_do_what_the_host_does),
        cmocka_unit_test(crypto_rows_do_what_the_host_does),
        cmocka_unit_test(opmask_rows_do_what_the_host_does),
        cmocka_unit_test(evex_rows_do_what_the_host_does),
        cmocka_unit_test(evex_fp_rows_do_what_the_host_does),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : seed;
    only = argc > 2 ? argv[2] : NULL;
    if (!hj_init()) {
        return 77; /* automake: SKIP */
    }
    return cmocka_run_group_tests(tests, setup, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Which EVEX encodings are #UD, judged by the host CPU: random prefixes, opcodes and
 * operands over all opcodes that have a row, in 64-bit and in compatibility mode. Other
 * faults (an operand that is nowhere) mean that the host knows the encoding.
 * Usage: test_decode_evex [seed [rounds]].
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

static uint64_t seed = 0xe7ec0de;
static unsigned rounds = 8000;
static uint32_t host_feat[X86F_NWORDS];

static const X86Row *random_row(void)
{
    static const X86Row *rows[2000];
    static unsigned n;
    if (!n) {
        for (const X86RowTable *t = x86_row_tables; t->name; t++) {
            for (unsigned i = 0; i < t->count && n < ARRAY_SIZE(rows); i++) {
                if (t->rows[i].enc == ENC_EVEX) {
                    rows[n++] = &t->rows[i];
                }
            }
        }
    }
    return rows[gen_rand() % n];
}

/* Each field is what its row wants in most cases, anything in some. */
static void random_bytes(uint8_t b[18])
{
    const X86Row *row = random_row();
    uint64_t r = gen_rand();
    bool vvvv = row->ops[1] >> 8 == OM_H || row->ops[0] >> 8 == OM_H;
    unsigned map = r % 32 ? row->map : r >> 5 & 7,
             pp = r >> 8 & 15 ? row->pp - PP_NP : r >> 12 & 3;
    unsigned w = r >> 14 & 3 ? (row->flags & RF_W1) != 0 : r >> 16 & 1;
    for (unsigned i = 0; i < 16; i++) {
        b[i] = gen_rand() >> 20;
    }
    b[0] = 0x62;
    b[1] = (b[1] & 0xf0) | map | (r >> 20 & 31 ? 0 : 8);
    b[2] = w << 7 | (vvvv ? b[2] & 0x78 : 0x78) | (r >> 25 & 31 ? 4 : 0) | pp;
    if (r >> 30 & 1) { /* nothing special in the third byte */
        b[3] = (b[3] & 0x60) | 8;
    }
    b[4] = row->op;
    if (row->ext) {
        b[5] = (b[5] & 0xc7) | (row->ext & 7) << 3;
    }
    /* INT3 behind it, whatever its length; as a displacement it leads nowhere */
    memset(b + ((b[5] & 0xc7) == 4 || (b[5] & 0xc7) == 0x44 || (b[5] & 0xc7) == 0x84 ? 7
                                                                                     : 6),
           0xcc, 10);
}

/* AMD's CPUs ignore two things that the SDM makes #UD (vol. 2, table 2-37, 2-40): EVEX.b of
 * a register form that has no rounding, and EVEX.z without an opmask. The decoder holds to
 * the SDM. Is it only that? */
static bool lenient(const uint8_t *b, const X86Cpu *cpu)
{
    uint8_t c[18];
    X86Insn in;
    memcpy(c, b, sizeof(c));
    if (c[5] >= 0xc0 && c[3] & 0x10) {
        c[3] = (c[3] & ~0x70) | 0x40;
    }
    if (!(c[3] & 7)) {
        c[3] &= 0x7f;
    }
    return x86_decode(&in, c, 15, cpu->hflags, cpu->feat) > 0;
}

static bool judge(const uint8_t *b, bool m64, const X86Cpu *cpu)
{
    static HostState s;
    X86Insn in;
    int len = x86_decode(&in, b, 15, cpu->hflags, cpu->feat);
    if (len > 0 && in.row->ev & EV_VSIB && in.op[0].kind == OPND_XMM &&
        in.op[0].reg == (uint8_t)in.index) {
        return true; /* #UD by the reference function */
    }
    memset(&s, 0, sizeof(s));
    for (unsigned i = 0; i < 16; i++) {
        s.gpr[i] = FLAT_DATA;
    }
    s.xsave.mxcsr = 0x1f80;
    s.xsave.fcw = 0x37f;
    s.xsave.xstate_bv = 7 | XCR0_AVX512;
    memset(s.xsave.k, 0xff, sizeof(s.xsave.k));
    int v = hj_run(&s, b, 16, HJ_VECTOR | (m64 ? 0 : HJ_COMPAT));
    bool host_ud = v == EXC_UD && s.fault_rip == 0;
    if (host_ud == (len <= 0) || (!host_ud && lenient(b, cpu))) {
        return true;
    }
    printf("  %s-bit mode, host %s, ours %s:", m64 ? "64" : "32",
           host_ud ? "#UD" : "knows it", len > 0 ? in.row->name : "#UD");
    for (unsigned i = 0; i < (len > 0 ? (unsigned)len : 10); i++) {
        printf(" %02x", b[i]);
    }
    printf("\n");
    return false;
}

static void random_prefixes(bool m64)
{
    static X86Cpu cpu;
    unsigned bad = 0;
    assert_true(hj_init());
    flat_cpu(&cpu, m64 ? FLAT_MODE64 : FLAT_COMPAT32);
    cpu.st.xcr0 = 7 | XCR0_AVX512;
    x86_update_hflags(&cpu);
    memcpy(cpu.feat, host_feat, sizeof(host_feat));
    for (unsigned i = 0; i < rounds && bad < 40; i++) {
        uint8_t b[18];
        random_bytes(b);
        if (!m64) {
            b[1] |= 0xc0; /* else it is BOUND */
        }
        bad += !judge(b, m64, &cpu);
    }
    assert_int_equal(bad, 0);
}

static void evex_ud_in_64_bit_mode_is_the_hosts(void **state)
{
    random_prefixes(true);
}
static void evex_ud_in_32_bit_mode_is_the_hosts(void **state)
{
    random_prefixes(false);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(evex_ud_in_64_bit_mode_is_the_hosts),
        cmocka_unit_test(evex_ud_in_32_bit_mode_is_the_hosts),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : seed;
    rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : rounds;
    if (!hj_init() || !hj_has(X86F_AVX512F)) {
        return 77; /* automake: SKIP */
    }
    flat_init();
    x86_decode_init();
    hj_features(host_feat);
    gen_seed(seed);
    printf("seed 0x%llx\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Vector instructions where the host cannot be the judge: faults half-way, modes other
 * than 64-bit, system registers, and known answers. Values from SDM vol. 2 and from
 * FIPS 197, appendix B. Random rows against the host: test_exec_sse.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "target-x86/access.h"
#include "target-x86/decode.h"
#include "tests/unit/x86_flat_access.h"

#define RUN(...) flat_exec(&cpu, (const uint8_t[]){ __VA_ARGS__ },                         \
                           sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define PAGE_END (FLAT_DATA + 0x1000) /* the page from here on is not mapped */

static X86Cpu cpu;

static void start(enum FlatMode mode)
{
    flat_cpu(&cpu, mode);
    x86_update_hflags(&cpu);
    cpu.st.xsave.mxcsr = 0x1f80;
    cpu.st.xsave.fcw = 0x37f;
    flat_protect(PAGE_END, 0x1000, FLAT_NONE);
}

static X86Xmm xmm32(uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3)
{
    return (X86Xmm){ .d = { d0, d1, d2, d3 } };
}

static void assert_xmm(unsigned i, uint64_t lo, uint64_t hi)
{
    assert_int_equal(x86_xmm(&cpu, i)->q[0], lo);
    assert_int_equal(x86_xmm(&cpu, i)->q[1], hi);
}

/* ---- exceptions ---- */

static void unmasked_exception_leaves_destination_and_sets_flag(void **state)
{
    start(FLAT_MODE64);
    cpu.st.xsave.mxcsr = 0x1f80 & ~0x200u; /* ZM clear */
    *x86_xmm(&cpu, 0) = xmm32(0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000);
    *x86_xmm(&cpu, 1) = xmm32(0x3f800000, 0, 0x3f800000, 0x40400000); /* / 3: inexact */
    assert_int_equal(RUN(0x0f, 0x5e, 0xc1), EXC_XM); /* divps xmm0, xmm1 */
    assert_int_equal(cpu.st.xsave.mxcsr, 0x1d84);    /* ZE, not PE */
    assert_xmm(0, 0x3f8000003f800000, 0x3f8000003f800000);
}

static void unmasked_exception_without_osxmmexcpt_is_ud(void **state)
{
    start(FLAT_MODE64);
    cpu.st.cr4 &= ~CR4_OSXMMEXCPT;
    cpu.st.xsave.mxcsr = 0x1f80 & ~0x200u;
    *x86_xmm(&cpu, 0) = xmm32(0x3f800000, 0, 0, 0);
    assert_int_equal(RUN(0xf3, 0x0f, 0x5e, 0xc1), EXC_UD); /* divss xmm0, xmm1 (0) */
}

static void comiss_that_faults_leaves_flags(void **state)
{
    start(FLAT_MODE64);
    cpu.st.xsave.mxcsr = 0x1f80 & ~0x80u; /* IM clear */
    cpu.st.rflags = FL_ONE | FL_OF | FL_SF;
    *x86_xmm(&cpu, 0) = xmm32(0x7fc00000, 0, 0, 0);
    assert_int_equal(RUN(0x0f, 0x2f, 0xc1), EXC_XM);
    assert_int_equal(cpu.st.rflags, FL_ONE | FL_OF | FL_SF);
}

static void ldmxcsr_of_reserved_bit_is_gp_and_changes_nothing(void **state)
{
    start(FLAT_MODE64);
    *(uint32_t *)FLAT_DATA = 0x11f80;
    cpu.st.gpr[R_AX] = FLAT_DATA;
    assert_int_equal(RUN(0x0f, 0xae, 0x10), EXC_GP);
    assert_int_equal(cpu.st.xsave.mxcsr, 0x1f80);
}

static void alignment_counts_the_segment_base(void **state)
{
    start(FLAT_MODE64);
    cpu.st.seg[R_FS].base = 8;
    cpu.st.gpr[R_AX] = FLAT_DATA + 8;
    assert_int_equal(RUN(0x64, 0x0f, 0x28, 0x00), FLAT_OK); /* movaps xmm0, fs:[rax] */
    cpu.st.gpr[R_AX] = FLAT_DATA;
    assert_int_equal(RUN(0x64, 0x0f, 0x28, 0x00), EXC_GP);
    assert_int_equal(RUN(0x64, 0x0f, 0x10, 0x00), FLAT_OK); /* movups */
}

/* ---- masked memory ---- */

static void vmaskmovps_does_not_touch_masked_elements(void **state)
{
    start(FLAT_MODE64);
    *(uint64_t *)(PAGE_END - 8) = 0x4000000041000000;
    cpu.st.gpr[R_AX] = PAGE_END - 8;
    *x86_xmm(&cpu, 1) = xmm32(0x80000000, 0xffffffff, 0x7fffffff, 0);
    *x86_ymmh(&cpu, 0) = xmm32(1, 2, 3, 4);
    /* vmaskmovps xmm0, xmm1, [rax] */
    assert_int_equal(RUN(0xc4, 0xe2, 0x71, 0x2c, 0x00), FLAT_OK);
    assert_xmm(0, 0x4000000041000000, 0);
    assert_int_equal(x86_ymmh(&cpu, 0)->q[0] | x86_ymmh(&cpu, 0)->q[1], 0);
    x86_xmm(&cpu, 1)->d[2] = 0x80000000;
    assert_int_equal(RUN(0xc4, 0xe2, 0x71, 0x2c, 0x00), EXC_PF);
    assert_int_equal(cpu.st.event.cr2, PAGE_END);
}

static void vmaskmovps_store_that_faults_writes_nothing(void **state)
{
    start(FLAT_MODE64);
    *(uint64_t *)(PAGE_END - 8) = 0x1111111122222222;
    cpu.st.gpr[R_AX] = PAGE_END - 8;
    *x86_xmm(&cpu, 1) = xmm32(0x80000000, 0, 0x80000000, 0);
    *x86_xmm(&cpu, 0) = xmm32(5, 6, 7, 8);
    /* vmaskmovps [rax], xmm1, xmm0 */
    assert_int_equal(RUN(0xc4, 0xe2, 0x71, 0x2e, 0x00), EXC_PF);
    assert_int_equal(*(uint64_t *)(PAGE_END - 8), 0x1111111122222222);
    x86_xmm(&cpu, 1)->d[2] = 0;
    assert_int_equal(RUN(0xc4, 0xe2, 0x71, 0x2e, 0x00), FLAT_OK);
    assert_int_equal(*(uint64_t *)(PAGE_END - 8), 0x1111111100000005);
}

static void maskmovdqu_writes_chosen_bytes_only(void **state)
{
    start(FLAT_MODE64);
    memset((void *)(PAGE_END - 16), 0xee, 16);
    cpu.st.gpr[R_DI] = PAGE_END - 3; /* bytes 3.. would fall into the unmapped page */
    *x86_xmm(&cpu, 0) = xmm32(0x44332211, 0, 0, 0);
    *x86_xmm(&cpu, 1) = xmm32(0x00800080, 0, 0, 0);
    assert_int_equal(RUN(0x66, 0x0f, 0xf7, 0xc1), FLAT_OK);
    assert_int_equal(*(uint32_t *)(PAGE_END - 4), 0x33ee11ee);
    x86_xmm(&cpu, 1)->d[0] = 0x80800080;
    x86_xmm(&cpu, 0)->d[0] = 0xaaaaaaaa;
    assert_int_equal(RUN(0x66, 0x0f, 0xf7, 0xc1), EXC_PF);
    assert_int_equal(*(uint32_t *)(PAGE_END - 4), 0x33ee11ee);
}

static void gather_keeps_what_it_has_when_it_faults(void **state)
{
    start(FLAT_MODE64);
    uint32_t *p = (uint32_t *)(PAGE_END - 16);
    p[0] = 0xa0, p[1] = 0xa1, p[2] = 0xa2, p[3] = 0xa3;
    cpu.st.gpr[R_AX] = PAGE_END - 16;
    *x86_xmm(&cpu, 0) = xmm32(1, 2, 3, 4);
    *x86_xmm(&cpu, 1) = xmm32(3, 2, 4, 0); /* indices; 4 is unmapped */
    *x86_xmm(&cpu, 2) = xmm32(~0u, 0, ~0u, ~0u);
    /* vpgatherdd xmm0, [rax + xmm1*4], xmm2 */
    assert_int_equal(RUN(0xc4, 0xe2, 0x69, 0x90, 0x04, 0x88), EXC_PF);
    assert_int_equal(cpu.st.event.cr2, PAGE_END);
    assert_xmm(0, 0x00000002000000a3, 0x0000000400000003);
    assert_int_equal(x86_xmm(&cpu, 2)->d[0], 0);
    assert_int_equal(x86_xmm(&cpu, 2)->d[3], ~0u);
    x86_xmm(&cpu, 1)->d[2] = 1; /* as if the page had come */
    assert_int_equal(RUN(0xc4, 0xe2, 0x69, 0x90, 0x04, 0x88), FLAT_OK);
    assert_xmm(0, 0x00000002000000a3, 0x000000a0000000a1);
    assert_xmm(2, 0, 0);
}

static void gather_with_equal_registers_is_ud(void **state)
{
    start(FLAT_MODE64);
    cpu.st.gpr[R_AX] = FLAT_DATA;
    assert_int_equal(RUN(0xc4, 0xe2, 0x71, 0x90, 0x04, 0x88), EXC_UD);
}

/* ---- modes ---- */

static void vzeroall_outside_64_bit_mode_keeps_upper_registers(void **state)
{
    start(FLAT_COMPAT32);
    for (unsigned i = 0; i < 16; i++) {
        *x86_xmm(&cpu, i) = *x86_ymmh(&cpu, i) = xmm32(1, 2, 3, 4);
    }
    assert_int_equal(RUN(0xc5, 0xfc, 0x77), FLAT_OK);
    assert_xmm(7, 0, 0);
    assert_int_equal(x86_ymmh(&cpu, 7)->q[1], 0);
    assert_xmm(8, 0x0000000200000001, 0x0000000400000003);
    assert_int_equal(x86_ymmh(&cpu, 8)->q[1], 0x0000000400000003);
}

static void maskmovq_in_a_16_bit_segment_wraps(void **state)
{
    start(FLAT_PROT16);
    cpu.st.gpr[R_DI] = 0x1ffff; /* only DI counts */
    cpu.st.xsave.st[0].m = 0x2211;
    cpu.st.xsave.st[1].m = 0x8080;
    assert_int_equal(RUN(0x0f, 0xf7, 0xc1), FLAT_OK);
    assert_int_equal(*(uint8_t *)(FLAT_BASE + 0xffff), 0x11);
    assert_int_equal(*(uint8_t *)FLAT_BASE, 0x22);
    assert_int_equal(cpu.st.xsave.ftw, 0xff);
}

static void cvtsi2sd_in_32_bit_mode_ignores_vex_w(void **state)
{
    start(FLAT_COMPAT32);
    cpu.st.gpr[R_AX] = 0x1ffffffff;
    /* vcvtsi2sd xmm0, xmm0, eax with W = 1 */
    assert_int_equal(RUN(0xc4, 0xe1, 0xfb, 0x2a, 0xc0), FLAT_OK);
    assert_xmm(0, 0xbff0000000000000, 0); /* -1 */
}

static void sse_without_osfxsr_is_ud_and_with_ts_is_nm(void **state)
{
    start(FLAT_MODE64);
    cpu.st.cr4 &= ~CR4_OSFXSR;
    x86_update_hflags(&cpu);
    assert_int_equal(RUN(0x0f, 0x58, 0xc1), EXC_UD);
    start(FLAT_MODE64);
    cpu.st.cr0 |= CR0_TS;
    x86_update_hflags(&cpu);
    assert_int_equal(RUN(0x0f, 0x58, 0xc1), EXC_NM);
    assert_int_equal(RUN(0xc5, 0xf0, 0x58, 0xc2), EXC_NM);
    assert_int_equal(RUN(0x0f, 0xfc, 0xc1), EXC_NM); /* paddb mm0, mm1 */
}

/* ---- known answers ---- */

/* FIPS 197, appendix B: state before round 1 and its round key give the next state. */
static void aesenc_does_the_standards_example(void **state)
{
    static const uint8_t before[16] = { 0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b,
                                        0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08 };
    static const uint8_t key[16] = { 0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1,
                                     0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05 };
    static const uint8_t after[16] = { 0xa4, 0x9c, 0x7f, 0xf2, 0x68, 0x9f, 0x35, 0x2b,
                                       0x6b, 0x5b, 0xea, 0x43, 0x02, 0x6a, 0x50, 0x49 };
    start(FLAT_MODE64);
    memcpy(x86_xmm(&cpu, 0), before, 16);
    memcpy(x86_xmm(&cpu, 1), key, 16);
    assert_int_equal(RUN(0x66, 0x0f, 0x38, 0xdc, 0xc1), FLAT_OK);
    assert_memory_equal(x86_xmm(&cpu, 0), after, 16);
}

static void legacy_keeps_and_vex128_clears_the_upper_half(void **state)
{
    start(FLAT_MODE64);
    *x86_xmm(&cpu, 1) = xmm32(1, 2, 3, 4);
    *x86_ymmh(&cpu, 0) = xmm32(5, 6, 7, 8);
    assert_int_equal(RUN(0x66, 0x0f, 0xfe, 0xc1), FLAT_OK); /* paddd xmm0, xmm1 */
    assert_xmm(0, 0x0000000200000001, 0x0000000400000003);
    assert_int_equal(x86_ymmh(&cpu, 0)->q[0], 0x0000000600000005);
    assert_int_equal(RUN(0xc5, 0xf9, 0xfe, 0xc1), FLAT_OK); /* vpaddd xmm0, xmm0, xmm1 */
    assert_xmm(0, 0x0000000400000002, 0x0000000800000006);
    assert_int_equal(x86_ymmh(&cpu, 0)->q[0] | x86_ymmh(&cpu, 0)->q[1], 0);
}

/* "Hello" searched for in "say Hello": equal ordered, least index: 4. */
static void pcmpistri_finds_a_substring(void **state)
{
    start(FLAT_MODE64);
    memcpy(x86_xmm(&cpu, 0), "Hello\0\0\0\0\0\0\0\0\0\0", 16);
    memcpy(x86_xmm(&cpu, 1), "say Hello\0\0\0\0\0\0", 16);
    assert_int_equal(RUN(0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x0c), FLAT_OK);
    assert_int_equal(cpu.st.gpr[R_CX], 4);
    assert_int_equal(cpu.st.rflags & FL_STATUS, FL_CF | FL_ZF | FL_SF);
}

static int setup(void **state)
{
    flat_init();
    x86_decode_init();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(unmasked_exception_leaves_destination_and_sets_flag),
        cmocka_unit_test(unmasked_exception_without_osxmmexcpt_is_ud),
        cmocka_unit_test(comiss_that_faults_leaves_flags),
        cmocka_unit_test(ldmxcsr_of_reserved_bit_is_gp_and_changes_nothing),
        cmocka_unit_test(alignment_counts_the_segment_base),
        cmocka_unit_test(vmaskmovps_does_not_touch_masked_elements),
        cmocka_unit_test(vmaskmovps_store_that_faults_writes_nothing),
        cmocka_unit_test(maskmovdqu_writes_chosen_bytes_only),
        cmocka_unit_test(gather_keeps_what_it_has_when_it_faults),
        cmocka_unit_test(gather_with_equal_registers_is_ud),
        cmocka_unit_test(vzeroall_outside_64_bit_mode_keeps_upper_registers),
        cmocka_unit_test(maskmovq_in_a_16_bit_segment_wraps),
        cmocka_unit_test(cvtsi2sd_in_32_bit_mode_ignores_vex_w),
        cmocka_unit_test(sse_without_osfxsr_is_ud_and_with_ts_is_nm),
        cmocka_unit_test(aesenc_does_the_standards_example),
        cmocka_unit_test(legacy_keeps_and_vex128_clears_the_upper_half),
        cmocka_unit_test(pcmpistri_finds_a_substring),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

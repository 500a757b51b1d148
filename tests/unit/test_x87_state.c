/* SPDX-License-Identifier: MIT */
/*
 * x87 state: pointers, environment images in the four layouts, pending exceptions, faults
 * that must leave the state alone, MMX aliasing, FERR#, and the portable transcendental
 * functions against the host's instructions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "target-x86/decode.h"
#include "target-x86/fpu.h"
#include "target-x86/x87_trans.h"
#include "tests/unit/fp_gen.h"
#include "tests/unit/hostjudge.h"
#include "tests/unit/insn_gen.h"
#include "tests/unit/x86_flat_access.h"

#define SEED 0x0123456789abcdefull

extern const X86Row x86_rows_x87[];
extern const unsigned x86_n_rows_x87;

static X86Cpu *cpu;

static int exec(const char *bytes, unsigned n)
{
    return flat_exec(cpu, bytes, n);
}
#define EXEC(s) exec(s, sizeof(s) - 1)

/* ---- pointers and images ---- */

/* fld1; then fadd dword [rbx] at offset 1002H with FDP = offset 20000H (real: 2000H) */
static void make_state(enum FlatMode mode, uint32_t data)
{
    flat_cpu(cpu, mode);
    cpu->st.gpr[R_BX] = data;
    assert_int_equal(EXEC("\xd9\xe8"), FLAT_OK);
    memset((void *)(cpu->st.seg[R_DS].base + data), 0, 4);
    bool small = mode == FLAT_REAL || mode == FLAT_V86 || mode == FLAT_PROT16;
    assert_int_equal(small ? EXEC("\xd8\x07") : EXEC("\xd8\x03"), FLAT_OK);
}

static void pointers_name_the_last_instruction(void **state)
{
    make_state(FLAT_MODE64, FLAT_DATA);
    assert_int_equal(cpu->st.xsave.fop, 0x003);
    assert_int_equal(cpu->st.xsave.fip, FLAT_CODE + 2);
    assert_int_equal(cpu->st.xsave.fdp, FLAT_DATA);
    /* control instructions leave them alone */
    assert_int_equal(EXEC("\xd9\x3b"), FLAT_OK); /* fnstcw [rbx] */
    assert_int_equal(EXEC("\xdb\xe2"), FLAT_OK); /* fnclex */
    assert_int_equal(cpu->st.xsave.fop, 0x003);
    assert_int_equal(cpu->st.xsave.fip, FLAT_CODE + 2);
}

static void check_image(enum FlatMode mode, uint32_t data, const char *store, unsigned n,
                        const uint16_t *want, unsigned words)
{
    make_state(mode, data);
    uint8_t *p = (uint8_t *)(cpu->st.seg[R_DS].base + data);
    memset(p, 0xcc, 32);
    assert_int_equal(exec(store, n), FLAT_OK);
    for (unsigned i = 0; i < words; i++) {
        uint16_t w;
        memcpy(&w, p + 2 * i, 2);
        assert_int_equal(w, want[i]);
    }
    assert_int_equal(p[2 * words], 0xcc);
    assert_int_equal(cpu->st.xsave.fcw, 0x37f);
}

static void environment_images_have_the_layout_of_the_mode(void **state)
{
    /* FSW: TOP = 7; R7 valid */
    static const uint16_t prot32[] = { 0x37f,  0xffff, 0x3800, 0xffff, 0x3fff,
                                       0xffff, 0x1002, 0x0001, 0x0000, 0x0003,
                                       0x0000, 0x0003, 0x0000, 0xffff };
    static const uint16_t prot16[] = { 0x37f, 0x3800, 0x3fff, 0x1002, 0, 0x3000, 0 };
    static const uint16_t real32[] = { 0x37f,  0xffff, 0x3800, 0xffff, 0x3fff,
                                       0xffff, 0x1002, 0xffff, 0x0007, 0x0000,
                                       0x3000, 0xffff, 0x0000, 0x0000 };
    static const uint16_t real16[] = { 0x37f, 0x3800, 0x3fff, 0x1002, 0x0007, 0x3000, 0 };

    check_image(FLAT_PROT32, FLAT_DATA, "\xd9\x33", 2, prot32, 14);
    check_image(FLAT_MODE64, FLAT_DATA, "\x48\xd9\x33", 3, prot32, 14);
    check_image(FLAT_PROT16, 0x3000, "\xd9\x37", 2, prot16, 7);
    check_image(FLAT_REAL, 0x3000, "\x66\xd9\x37", 3, real32, 14);
    check_image(FLAT_REAL, 0x3000, "\xd9\x37", 2, real16, 7);
    check_image(FLAT_V86, 0x3000, "\xd9\x37", 2, real16, 7);
}

static void random_stack(X86Xsave *x)
{
    for (unsigned i = 0; i < 8; i++) {
        Sf80 v = fp_value80();
        x->st[i].m = v.m;
        x->st[i].se = v.se;
    }
}

static void fnsave_and_frstor_round_trip_in_every_mode(void **state)
{
    static const struct {
        enum FlatMode mode;
        const char *save, *restore;
        unsigned n;
        uint16_t fop;
    } t[] = {
        { FLAT_PROT32, "\xdd\x33", "\xdd\x23", 2, 0x123 },
        { FLAT_PROT16, "\xdd\x37", "\xdd\x27", 2, 0 }, /* holds no opcode */
        { FLAT_REAL, "\xdd\x37", "\xdd\x27", 2, 0x123 },
        { FLAT_REAL, "\x66\xdd\x37", "\x66\xdd\x27", 3, 0x123 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        flat_cpu(cpu, t[i].mode);
        X86Xsave *x = &cpu->st.xsave, old;
        cpu->st.gpr[R_BX] = t[i].mode == FLAT_PROT32 ? FLAT_DATA : 0x3000;
        x->fcw = 0x67f;
        x->fsw = 0x6a21;
        x->ftw = 0xa7;
        x->fop = 0x123;
        x->fip = 0xc234;
        x->fdp = 0xd678;
        random_stack(x);
        old = *x;
        assert_int_equal(exec(t[i].save, t[i].n), FLAT_OK);
        assert_int_equal(x->fcw, 0x37f);
        assert_int_equal(x->fsw, 0);
        assert_int_equal(x->ftw, 0);
        assert_int_equal(exec(t[i].restore, t[i].n), FLAT_OK);
        assert_int_equal(x->fop, t[i].fop);
        x->fop = old.fop;
        assert_memory_equal(x, &old, 24); /* FCW to FDP */
        for (unsigned r = 0; r < 8; r++) {
            assert_int_equal(x->st[r].m, old.st[r].m);
            assert_int_equal(x->st[r].se, old.st[r].se);
        }
    }
}

/* ---- exceptions ---- */

static void waiting_rows_raise_a_pending_exception(void **state)
{
    uint8_t bytes[15];
    X86Insn in;

    flat_cpu(cpu, FLAT_MODE64);
    gen_seed(SEED);
    for (unsigned i = 0; i < x86_n_rows_x87; i++) {
        const X86Row *row = &x86_rows_x87[i];
        unsigned len = 0;
        for (unsigned tries = 0; tries < 1000 && !len; tries++) {
            flat_cpu(cpu, FLAT_MODE64);
            len = gen_insn(row, bytes, &in, cpu->hflags, cpu->feat);
            if (in.is_mem && len && !gen_point(&in, cpu->st.gpr, FLAT_DATA)) {
                len = 0;
            }
        }
        assert_true(len);
        memset((void *)FLAT_DATA, 0, 128);
        cpu->st.xsave.fcw = 0x37e;
        cpu->st.xsave.fsw = FSW_B | FSW_ES | 1;
        bool control = !strncmp(row->name, "FN", 2) && strcmp(row->name, "FNOP");
        assert_int_equal(flat_run(cpu, &in), control ? FLAT_OK : EXC_MF);
        cpu->st.cr0 &= ~CR0_NE;
        assert_int_equal(flat_run(cpu, &in), FLAT_OK);
        cpu->st.cr0 |= CR0_NE | CR0_TS | CR0_MP;
        x86_update_hflags(cpu);
        assert_int_equal(flat_run(cpu, &in), EXC_NM);
    }
}

static void a_memory_fault_leaves_the_state_alone(void **state)
{
    uint8_t bytes[15];
    X86Insn in;
    unsigned judged = 0;

    gen_seed(SEED);
    flat_protect(FLAT_DATA + 4096, 4096, FLAT_NONE);
    for (unsigned i = 0; i < x86_n_rows_x87; i++) {
        const X86Row *row = &x86_rows_x87[i];
        if (!(row->flags & RF_MEM)) {
            continue;
        }
        for (unsigned k = 0; k < 20; k++) {
            flat_cpu(cpu, FLAT_MODE64);
            unsigned len = gen_insn(row, bytes, &in, cpu->hflags, cpu->feat);
            if (!len || !gen_point(&in, cpu->st.gpr, FLAT_DATA + 4095)) {
                continue;
            }
            X86Xsave *x = &cpu->st.xsave, old;
            x->ftw = 0x1f;
            random_stack(x);
            old = *x;
            assert_int_equal(flat_run(cpu, &in), EXC_PF);
            assert_memory_equal(x, &old, sizeof(old));
            judged++;
        }
    }
    flat_protect(FLAT_DATA + 4096, 4096, FLAT_RW);
    assert_true(judged > 300);
}

static unsigned ferr_calls;
static bool ferr_level;

static void on_ferr(Cpu *c, bool level)
{
    ferr_calls++;
    ferr_level = level;
}

static void ferr_follows_es_without_cr0_ne(void **state)
{
    flat_cpu(cpu, FLAT_REAL);
    cpu->cpu.ferr = on_ferr;
    cpu->st.xsave.fcw = 0x37b; /* unmasked #Z */
    ferr_calls = 0;
    EXEC("\xd9\xe8");                /* fld1 */
    EXEC("\xd9\xee");                /* fldz */
    EXEC("\xde\xf9");                /* fdivp */
    assert_int_equal(ferr_calls, 0); /* CR0.NE is set */
    EXEC("\xdb\xe2");
    cpu->st.cr0 &= ~CR0_NE;
    EXEC("\xde\xf9");
    assert_int_equal(ferr_calls, 1);
    assert_true(ferr_level);
    EXEC("\xdb\xe2"); /* fnclex */
    assert_int_equal(ferr_calls, 2);
    assert_false(ferr_level);
    cpu->cpu.ferr = NULL;
}

/* ---- MMX ---- */

static void mmx_registers_are_the_physical_significands(void **state)
{
    flat_cpu(cpu, FLAT_MODE64);
    X86Xsave *x = &cpu->st.xsave;
    x->fsw = 3 << 11;
    x->ftw = 0;
    for (unsigned i = 0; i < 8; i++) {
        x->st[i].m = 0x100 + ((3 + i) & 7); /* R(n) holds 100H + n */
    }
    x86_mmx_enter(cpu);
    assert_int_equal(x87_top(x), 0);
    assert_int_equal(x->ftw, 0xff);
    for (unsigned n = 0; n < 8; n++) {
        assert_int_equal(x->st[n].m, 0x100 + n);
    }
    x86_mmx_write(cpu, 5, 42);
    assert_int_equal(x->st[5].m, 42);
    assert_int_equal(x->st[5].se, 0xffff);
    assert_int_equal(x->st[4].se, 0);
    x86_mmx_leave(cpu);
    assert_int_equal(x->ftw, 0);
    assert_int_equal(x->st[5].m, 42);
}

/* ---- transcendental ---- */

/* How far apart, in units of the last of 64 bits, a and b are; huge if not comparable. */
static double apart(X86F80 a, X86F80 b)
{
    if (a.se == b.se && a.m == b.m) {
        return 0;
    }
    int d = (a.se & 0x7fff) - (b.se & 0x7fff);
    if ((a.se ^ b.se) & 0x8000 || d < -1 || d > 1 || (a.se & 0x7fff) == 0x7fff) {
        return 1e30;
    }
    double am = (double)a.m * (d == 1 ? 2 : 1), bm = (double)b.m * (d == -1 ? 2 : 1);
    return am > bm ? am - bm : bm - am;
}

/* An operand the instruction is defined for: special, or of moderate size. */
static Sf80 trans_operand(uint8_t modrm)
{
    uint64_t r = fp_rand();
    Sf80 v = fp_value80();
    unsigned e = v.se & 0x7fff;
    if ((r & 3) || (e && e < 0x7fff)) {
        int top = modrm == 0xf0 || modrm == 0xf9 ? -2 : modrm == 0xf1 ? 60 : 6;
        v.se = (v.se & 0x8000) | (0x3fff + top - (r >> 8) % 40);
        v.m |= 1ull << 63;
    } else if (e == 0x7fff) {
        v.m |= 1ull << 63;
    }
    return v;
}

static void portable_transcendentals_are_close_to_the_host(void **state)
{
    static const uint8_t ops[] = { 0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff };
    unsigned bad = 0;

    if (!hj_init()) {
        skip();
    }
    fp_seed(SEED);
    for (unsigned i = 0; i < 8 * 3000 && bad < 5; i++) {
        uint8_t m = ops[i % 8], bytes[2] = { 0xd9, m };
        flat_cpu(cpu, FLAT_MODE64);
        X86Xsave *x = &cpu->st.xsave, in, host;
        x->ftw = 0xc0;
        x->fsw = 6 << 11;
        for (unsigned k = 0; k < 2; k++) {
            Sf80 v = trans_operand(m);
            x->st[k].m = v.m;
            x->st[k].se = v.se;
        }
        in = *x;
        X86Insn insn;
        assert_int_equal(x86_decode(&insn, bytes, 2, cpu->hflags, cpu->feat), 2);
        x87_trans(cpu, &insn);
        host = *x;
        *x = in;
        x87_trans_portable(cpu, &insn);
        /* about 50 of 64 bits are good */
        double d0 = apart(x->st[0], host.st[0]), d1 = apart(x->st[1], host.st[1]);
        double allowed = 1 << 13;
        /* C1 and #U, #P of borderline results may differ */
        uint16_t fsw = (x->fsw ^ host.fsw) & ~(FSW_C1 | SF_UE | SF_PE);
        if (d0 > allowed || d1 > allowed || fsw || x->ftw != host.ftw) {
            printf("d9 %02x st0 %04x.%016llx st1 %04x.%016llx: fsw %04x %04x.%016llx "
                   "%04x.%016llx host %04x %04x.%016llx %04x.%016llx\n",
                   m, in.st[0].se, (long long)in.st[0].m, in.st[1].se,
                   (long long)in.st[1].m, x->fsw, x->st[0].se, (long long)x->st[0].m,
                   x->st[1].se, (long long)x->st[1].m, host.fsw, host.st[0].se,
                   (long long)host.st[0].m, host.st[1].se, (long long)host.st[1].m);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

static int setup(void **state)
{
    printf("seed %#llx\n", SEED);
    fp_seed(SEED);
    x86_decode_init();
    flat_init();
    cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64));
    return cpu ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_name_the_last_instruction),
        cmocka_unit_test(environment_images_have_the_layout_of_the_mode),
        cmocka_unit_test(fnsave_and_frstor_round_trip_in_every_mode),
        cmocka_unit_test(waiting_rows_raise_a_pending_exception),
        cmocka_unit_test(a_memory_fault_leaves_the_state_alone),
        cmocka_unit_test(ferr_follows_es_without_cr0_ne),
        cmocka_unit_test(mmx_registers_are_the_physical_significands),
        cmocka_unit_test(portable_transcendentals_are_close_to_the_host),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

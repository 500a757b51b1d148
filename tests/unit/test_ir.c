/* SPDX-License-Identifier: MIT */
/*
 * The IR: values of each operation, fold rules, passes, verifier (tests in tests/ir/), text
 * form, helpers, and random units evaluated by a plain walk over ir_eval.h and by the
 * interpreter with each choice of passes. DYAD_SEED=n repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "tcg/interp/interp.h"
#include "tcg/ir_build.h"
#include "tcg/ir_eval.h"
#include "tcg/opt.h"
#include "util/alloc.h"

typedef struct Env {
    uint64_t a, b, c, r;
    uint8_t mem[32];     /* at 0x20; 0x40.. is outside of `globals` too */
    uint64_t calls, more[4];
} Env;

static const IrGlobal globals[] = {
    { "a", offsetof(Env, a) }, { "b", offsetof(Env, b) },
    { "c", offsetof(Env, c) }, { "r", offsetof(Env, r) },
};
enum { GA, GB, GC, GR, NG };

/* ---- helpers and xops of the tests ---- */

static uint64_t mix(uint64_t x, uint64_t y) { return x * 3 + (y >> 7); }
static uint64_t touch(void *env)
{
    Env *e = env;
    e->c += 5;
    return ++e->calls;
}
static void put4(void *env, uint64_t w, uint64_t x, uint64_t y, uint64_t z)
{
    Env *e = env;
    e->r = w << 48 | x << 32 | y << 16 | z;
}
static int8_t narrow(uint16_t x, int32_t y) { return (int8_t)(x + (uint32_t)y); }
static uint32_t unsigned32(int8_t x, uint64_t y) { return (uint32_t)((uint64_t)x + y); }
static double half(double x, float y) { return x / 2 + y; }
static float single(int16_t x) { return x * 0.5f; }
static uint64_t six(void *env, uint64_t x, uint64_t y, uint64_t z, uint64_t v, uint64_t w)
{
    return ((Env *)env)->a + x + 2 * y + 3 * z + 4 * v + 5 * w;
}
static uint64_t count_heavy(void *env) { return ((Env *)env)->calls; }

#define FN(f) ((HelperFn *)(f))
static const Helper h_mix = { "mix", FN(mix), HELPER_PURE, IRT_U64, 2, { IRT_U64, IRT_U64 } };
static const Helper h_touch = { "touch", FN(touch), HELPER_READS | HELPER_WRITES, IRT_U64, 1,
                                { IRT_ENV } };
static const Helper h_put4 = { "put4", FN(put4), HELPER_WRITES, IRT_VOID, 5,
                               { IRT_ENV, IRT_U64, IRT_U64, IRT_U64, IRT_U64 } };
static const Helper h_narrow = { "narrow", FN(narrow), HELPER_PURE, IRT_S8, 2,
                                 { IRT_U16, IRT_S32 } };
static const Helper h_unsigned32 = { "unsigned32", FN(unsigned32), HELPER_PURE, IRT_U32, 2,
                                     { IRT_S8, IRT_U64 } };
static const Helper h_half = { "half", FN(half), HELPER_PURE, IRT_F64, 2, { IRT_F64, IRT_F32 } };
static const Helper h_single = { "single", FN(single), HELPER_PURE, IRT_F32, 1, { IRT_S16 } };
static const Helper h_six = { "six", FN(six), HELPER_READS, IRT_U64, 6,
                              { IRT_ENV, IRT_U64, IRT_U64, IRT_U64, IRT_U64, IRT_U64 } };
static const Helper h_heavy = { "heavy", FN(count_heavy), HELPER_READS | HELPER_HEAVY, IRT_U64,
                                1, { IRT_ENV } };
static const Helper *const helpers[] = { &h_mix, &h_touch, &h_put4, &h_narrow, &h_unsigned32,
                                         &h_half, &h_single, &h_six, &h_heavy };

/* Payload n: changes a by it; leaves if the sum's low bits say so. */
static bool mark(void *env, const void *payload)
{
    Env *e = env;
    e->a += *(const uint64_t *)payload;
    return (e->a & 7) == 7;
}
static const IrXop x_mark = { "mark", mark };
static const IrXop *const xops[] = { &x_mark };
static const uint64_t payload_values[] = { 1, 0x100000001, 6 };
static const void *const payloads[] = { &payload_values[0], &payload_values[1],
                                        &payload_values[2] };
static const IrNames names = { helpers, ARRAY_SIZE(helpers), xops, 1, payloads, 3 };

static unsigned heavy_entered;
static void heavy(void *env, void (*fn)(void *arg), void *arg)
{
    heavy_entered++;
    fn(arg);
}
static const InterpHost host = { heavy };

/* ---- making and running units ---- */

static IrUnit *empty(void) { return ir_unit_create(globals, NG, sizeof(Env)); }

static IrUnit *parsed_with(const char *text, const IrNames *with)
{
    char msg[200] = "";
    IrUnit *u = empty();
    if (!ir_parse(u, text, with, msg, sizeof(msg))) {
        fail_msg("%s in:\n%s", msg, text);
    }
    return u;
}

static IrUnit *parsed(const char *text) { return parsed_with(text, &names); }

/* The same unit, through its text, whose payload numbers are the unit's. */
static IrUnit *copy_of(const IrUnit *u, const char *text)
{
    IrNames with = names;
    with.payloads = u->payloads;
    with.npayloads = u->npayloads;
    return parsed_with(text, &with);
}

static IrUnit *valid(const char *text)
{
    char msg[500];
    IrUnit *u = parsed(text);
    if (ir_check(u, msg, sizeof(msg))) {
        fail_msg("%s", msg);
    }
    return u;
}

static uint64_t run(const IrUnit *u, Env *e)
{
    unsigned n;
    uint32_t *code = interp_emit(u, &n);
    assert_non_null(code);
    uint64_t r = interp_run(code, e, &host);
    free(code);
    return r;
}

static char *dumped(const IrUnit *u)
{
    char *s;
    size_t n;
    FILE *f = open_memstream(&s, &n);
    ir_dump(f, u);
    fclose(f);
    return s;
}

static Env run_text(const char *text)
{
    Env e = { .a = 0x1122334455667788, .b = 3, .c = 0x8000000000000001 };
    for (unsigned i = 0; i < sizeof(e.mem); i++) {
        e.mem[i] = 0x80 + i;
    }
    IrUnit *u = valid(text);
    run(u, &e);
    ir_unit_destroy(u);
    return e;
}

static char *read_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", IR_TESTS, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *s = xalloc(65536);
    assert_in_range(fread(s, 1, 65535, f), 1, 65534);
    fclose(f);
    return s;
}

/* ---- tests/ir/eval.ir ---- */

static void check_value(const char *line, uint64_t want, const char *op, const uint64_t *in,
                        int n)
{
    char text[3][300];

    if (n == 1) {
        snprintf(text[0], 300, "%s t0, $%#" PRIx64 "\nmov r, t0\nexit 0\n", op, in[0]);
        snprintf(text[1], 300, "%s r, a\nexit 0\n", op);
        snprintf(text[2], 300, "mov t0, a\n%s t0, t0\nmov r, t0\nexit 0\n", op);
    } else {
        snprintf(text[0], 300, "%s t0, $%#" PRIx64 ", $%#" PRIx64 "\nmov r, t0\nexit 0\n", op,
                 in[0], in[1]);
        snprintf(text[1], 300, "%s r, a, b\nexit 0\n", op);
        snprintf(text[2], 300, "%s r, a, $%#" PRIx64 "\nexit 0\n", op, in[1]);
    }
    for (unsigned i = 0; i < 3; i++) {
        Env e = { .a = in[0], .b = in[1] };
        IrUnit *u = valid(text[i]);
        if (i == 0) {
            ir_optimize(u, 0);
            assert_int_equal(u->nops, 2);
            assert_int_equal(u->ops[0].op, IR_movi);
        }
        run(u, &e);
        if (e.r != want) {
            fail_msg("%s: got %#" PRIx64 " (way %u)", line, e.r, i);
        }
        ir_unit_destroy(u);
    }
}

static void each_operation_has_its_literal_value(void **state)
{
    char *text = read_file("eval.ir"), *save = NULL;
    bool seen[IR_NOPS] = { false };
    unsigned lines = 0;

    for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        uint64_t want, in[2] = { 0 };
        char op[32];
        int n = sscanf(l, "%" SCNx64 " = %31s %" SCNx64 " %" SCNx64, &want, op, &in[0], &in[1]);
        if (*l == ';') {
            continue;
        }
        assert_in_range(n, 3, 4);
        check_value(l, want, op, in, n - 2);
        for (unsigned i = 0; i < IR_NOPS; i++) {
            seen[i] |= !strncmp(op, ir_op_defs[i].name, strcspn(op, ".")) &&
                       strlen(ir_op_defs[i].name) == strcspn(op, ".");
        }
        lines++;
    }
    for (unsigned i = 0; i < IR_NOPS; i++) {
        if ((ir_op_is_un(i) || ir_op_is_bin(i)) && !seen[i]) {
            fail_msg("no line for %s", ir_op_defs[i].name);
        }
    }
    assert_true(lines > 60);
    free(text);
}

static void operations_with_a_shape_of_their_own(void **state)
{
    Env e = run_text("mulu2.8 r, b, $0xffffffffffffffff, $0x10\nexit 0");
    assert_true(e.r == 0xfffffffffffffff0 && e.b == 0xf);
    e = run_text("mulu2.2 r, b, $0xffff, $0xffff\nexit 0");
    assert_true(e.r == 1 && e.b == 0xfffe);
    e = run_text("mulu2.8 r, b, $0x123456789abcdef0, $0xfedcba9876543210\nexit 0");
    assert_true(e.r == 0x236d88fe5618cf00 && e.b == 0x121fa00ad77d7422);
    e = run_text("deposit r, a, b, 8, 8\nexit 0");
    assert_true(e.r == 0x1122334455660388);
    e = run_text("movcond.8.gtu r, a, b, b, c\nexit 0");
    assert_true(e.r == 3);
    e = run_text("movcond.8.lt r, b, c, b, c\nexit 0");
    assert_true(e.r == 0x8000000000000001);
    e = run_text("ld_env.1 r, 0x20\nexit 0");
    assert_true(e.r == 0x80);
    e = run_text("ld_env.1s r, 0x20\nexit 0");
    assert_true(e.r == 0xffffffffffffff80);
    e = run_text("ld_env.2s t0, 0x20\nld_env.4s t1, 0x20\nmov a, t0\nmov r, t1\nexit 0");
    assert_true((e.a >> 16) == 0xffffffffffff && (e.r >> 32) == 0xffffffff);
    e = run_text("st_env.1 b, 0x21\nst_env.2 b, 0x24\nst_env.4 b, 0x28\nst_env.8 b, 0x30\n"
                 "exit 0");
    assert_true(e.mem[0] == 0x80 && e.mem[1] == 3 && e.mem[2] == 0x82 && e.mem[6] == 0x86 &&
                e.mem[12] == 0x8c && e.mem[16] + e.mem[23] == 3);
    e = run_text("brcond.8.ne a, b, L0\nmovi r, 0x1\nexit 0\nlabel L0\nmovi r, 0x2\nexit 0");
    assert_true(e.r == 2);
    e = run_text("brcond.4.ne b, $0x100000003, L0\nmovi r, 0x1\nexit 0\nlabel L0\n"
                 "movi r, 0x2\nexit 0");
    assert_true(e.r == 1);
    e = run_text("movi r, 0x123456789a\nbr L0\nmovi r, 0\nlabel L0\nexit 0");
    assert_true(e.r == 0x123456789a);
}

static void exits_tell_their_code(void **state)
{
    Env e = { .a = 6 };
    IrUnit *u = valid("exit 0xffff");
    assert_int_equal(run(u, &e), 0xffff);
    ir_unit_destroy(u);
    u = valid("xop mark, #0\nmovi r, 0x1\nexit 0x9");
    assert_int_equal(run(u, &e), 0); /* 7: mark leaves */
    assert_int_equal(e.r, 0);
    assert_int_equal(run(u, &e), 9);
    assert_int_equal(e.r, 1);
    assert_int_equal(e.a, 8);
    ir_unit_destroy(u);
}

static void neighbours_that_run_as_one_mean_the_same(void **state)
{
    Env e = { .a = 10, .b = 4 };
    IrUnit *u = valid("add.8 a, a, $0xffffffffffffffff\nxop mark, #0\n"
                      "add.8 a, a, $0x1\nxop mark, #2\nmovi r, 0x1\n"
                      "add.8 c, b, $0x7\nexit 0x3");
    assert_int_equal(run(u, &e), 3);
    assert_true(e.a == 17 && e.r == 1 && e.c == 11);
    e.a = 7;
    e.r = 0;
    assert_int_equal(run(u, &e), 0); /* 7 - 1 + 1: mark leaves */
    assert_true(e.a == 7 && e.r == 0);
    ir_unit_destroy(u);
    e = run_text("brcond.8.tsteq b, $0x1, L0\nmovi r, 0x1\nlabel L0\n"
                 "brcond.8.tstne b, $0x4, L1\nadd.8 r, r, $0x10\nlabel L1\nexit 0");
    assert_int_equal(e.r, 0x11);
    e = run_text("brcond.8.tstne c, $0xffffffff80000000, L0\nmovi r, 0x1\nlabel L0\nexit 0");
    assert_int_equal(e.r, 0);
}

/* ---- tests/ir/fold.ir, passes.ir, bad.ir ---- */

static void every_fold_rule_has_its_result(void **state)
{
    char *text = read_file("fold.ir"), *save = NULL;

    for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        char *arrow = strstr(l, "=>");
        if (*l == ';') {
            continue;
        }
        assert_non_null(arrow);
        *arrow = 0;
        const char *want = arrow + 2 + strspn(arrow + 2, " ");
        IrUnit *u = parsed(l), *w = parsed(strcmp(want, "-") ? want : l);
        assert_int_equal(u->nops, 1);
        bool changed = ir_opt_fold(u);
        if (!w->nops ? u->ops[0].op != IR_NOPS : !ir_equal(u, w)) {
            char *s = u->ops[0].op == IR_NOPS ? xstrdup("nothing") : dumped(u);
            fail_msg("%s became %s", l, s);
        }
        assert_int_equal(changed, strcmp(want, "-") != 0);
        ir_unit_destroy(u);
        ir_unit_destroy(w);
    }
    free(text);
}

/* Splits off the next text up to a `---` line; NULL at the end. */
static char *next_case(char **text)
{
    char *start = *text, *end = strstr(start, "\n---");
    if (!end) {
        return NULL;
    }
    end[1] = 0;
    *text = end + 4;
    return start;
}

static void passes_leave_what_they_should(void **state)
{
    char *all = read_file("passes.ir"), *rest = all, *one;
    unsigned n = 0;

    while ((one = next_case(&rest))) {
        char name[16], *arrow = strstr(one, "\n=> ");
        assert_non_null(arrow);
        *arrow++ = 0;
        assert_int_equal(sscanf(arrow, "=> %15s", name), 1);
        IrUnit *u = valid(one), *want = valid(strchr(arrow, '\n'));
        int pass = ir_pass_find(name);
        assert_true(pass >= 0 || !strcmp(name, "all"));
        if (pass < 0) {
            ir_optimize(u, 0);
        } else {
            ir_passes[pass].run(u);
            unsigned k = 0;
            for (unsigned i = 0; i < u->nops; i++) {
                if (u->ops[i].op != IR_NOPS) {
                    u->ops[k++] = u->ops[i];
                }
            }
            u->nops = k;
        }
        if (!ir_equal(u, want)) {
            fail_msg("%s: %s became\n%s", name, one, dumped(u));
        }
        ir_unit_destroy(u);
        ir_unit_destroy(want);
        n++;
    }
    assert_true(n >= 12);
    free(all);
}

static void the_verifier_refuses_broken_units(void **state)
{
    char *all = read_file("bad.ir"), *rest = all, *one;
    unsigned n = 0;

    while ((one = next_case(&rest))) {
        char msg[500], *arrow = strstr(one, "\n=> ");
        assert_non_null(arrow);
        *arrow++ = 0;
        IrUnit *u = parsed(one);
        assert_true(ir_check(u, msg, sizeof(msg)) > 0);
        char *want = arrow + 3;
        want[strcspn(want, "\n")] = 0;
        if (!strstr(msg, want)) {
            fail_msg("expected \"%s\", got:\n%s", want, msg);
        }
        ir_unit_destroy(u);
        n++;
    }
    assert_true(n >= 12);
    free(all);
    /* what no text can say */
    IrUnit *u = valid("xop mark, #0\ncall mix, t0, a, b\nexit 0");
    char msg[300];
    u->ops[0].c[1] = 1;
    u->ops[1].nin = 1;
    u->ops[2].op = IR_NOPS + 3;
    assert_int_equal(ir_check(u, msg, sizeof(msg)), 4); /* and runs off the end */
    u->failed = true;
    assert_int_equal(ir_check(u, msg, 0), 5);
    ir_unit_destroy(u);
}

static void the_parser_names_the_line_of_an_error(void **state)
{
    static const struct {
        const char *text, *msg;
    } bad[] = {
        { "exit 0\nfoo a", "line 2: no operation \"foo\"" },
        { "add a, b, c", "line 1: add needs a size" },
        { "add.8 a, b", "line 1: operand missing" },
        { "mov a, q", "line 1: unknown value \"q\"" },
        { "mov a, b c", "line 1: too much: \"c\"" },
        { "setcond.8.xx a, b, c", "line 1: no condition \"xx\"" },
        { "call nobody, t0", "line 1: no helper \"nobody\"" },
        { "xop mark, #3", "line 1: \"#3\" is no payload" },
        { "br 7", "line 1: \"7\" is no label" },
        { "mov t99999, a", "line 1: too many temps" },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        char msg[100];
        IrUnit *u = empty();
        assert_false(ir_parse(u, bad[i].text, &names, msg, sizeof(msg)));
        assert_string_equal(msg, bad[i].msg);
        ir_unit_destroy(u);
    }
}

/* ---- helpers ---- */

static void helpers_get_and_give_what_their_rows_say(void **state)
{
    Env e = run_text("call mix, r, $0x64, $0x180\nexit 0");
    assert_int_equal(e.r, 303);
    e = run_text("call put4, $0x1, $0x2, $0x3, b\nexit 0");
    assert_true(e.r == 0x0001000200030003);
    e = run_text("call touch, r\nadd.8 r, r, c\nexit 0");
    assert_true(e.r == 0x8000000000000007); /* c is read again after it was written */
    e = run_text("call narrow, r, $0x10064, $0xffffffff00000100\nexit 0");
    assert_int_equal(e.r, 100);
    e = run_text("call narrow, r, $0x80, $0\nexit 0");
    assert_true(e.r == 0xffffffffffffff80);
    e = run_text("call unsigned32, r, $0xff, $0\nexit 0");
    assert_true(e.r == 0xffffffff);
    e = run_text("call half, r, $0x4008000000000000, $0x3f000000\nexit 0"); /* 3.0, 0.5f */
    assert_true(e.r == 0x4000000000000000);                                 /* 2.0 */
    e = run_text("call single, r, $0x1fffd\nexit 0");                       /* -3 */
    assert_true(e.r == 0xbfc00000);                                         /* -1.5f */
    e = run_text("movi a, 0x64\ncall six, r, $0x1, $0x2, $0x3, $0x4, $0x5\nexit 0");
    assert_int_equal(e.r, 155);
}

static void heavy_helpers_go_through_the_door(void **state)
{
    heavy_entered = 0;
    Env e = run_text("call touch, t0\ncall mix, t1, a, b\nexit 0");
    assert_int_equal(heavy_entered, 0);
    e = run_text("call touch, t0\ncall heavy, r\nexit 0");
    assert_int_equal(heavy_entered, 1);
    assert_int_equal(e.r, 1);
    assert_int_equal(helper_shape(&h_heavy), -1);
    assert_int_equal(helper_shape(&h_six), -1);
    assert_int_equal(helper_shape(&h_touch), 3);
    assert_int_equal(helper_shape(&h_put4), 18);
    assert_ptr_equal(helper_cif(&h_narrow), helper_cif(&h_narrow));
    assert_ptr_not_equal(helper_cif(&h_narrow), helper_cif(&h_half));
}

static void limits_mark_the_unit_failed(void **state)
{
    char msg[200];
    unsigned n;
    IrUnit *u = empty();
    for (unsigned i = 0; i < IR_MAX_OPS + 5; i++) {
        ir_insn_start(u, i);
    }
    assert_true(u->failed);
    assert_true(ir_check(u, msg, sizeof(msg)) > 0);
    assert_null(interp_emit(u, &n));
    ir_unit_destroy(u);
    /* all temps alive at once: more than there are slots */
    u = empty();
    for (unsigned i = 0; i < 400; i++) {
        ir_movi(u, ir_temp(u), i);
    }
    for (unsigned i = 0; i < 400; i++) {
        ir_bin(u, IR_add, 8, GA, GA, NG + i);
    }
    ir_exit(u, 0);
    assert_int_equal(ir_check(u, msg, sizeof(msg)), 0);
    assert_null(interp_emit(u, &n));
    ir_unit_destroy(u);
}

/* ---- random units ---- */

static uint64_t rng;
static uint32_t rnd(uint32_t n)
{
    rng = rng * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(rng >> 33) % n;
}

enum { NT = 10 };

static IrVal rnd_in(IrUnit *u)
{
    static const uint64_t interesting[] = { 0, 1, 2, 7, 8, 0x40, 0xff, 0x8000, 0xffffffff,
                                            0x80000000, ~0ull, 1ull << 63 };
    switch (rnd(4)) {
    case 0: return rnd(NG);
    case 1: return ir_const(u, interesting[rnd(ARRAY_SIZE(interesting))]);
    default: return NG + rnd(NT);
    }
}

static IrVal rnd_out(void) { return rnd(4) ? NG + rnd(NT) : rnd(NG); }

static void rnd_shaped(IrUnit *u, unsigned size)
{
    unsigned pos = rnd(64);
    switch (rnd(10)) {
    case 0: {
        IrVal lo = rnd_out(), hi = rnd_out();
        if (lo != hi) {
            ir_mulu2(u, size, lo, hi, rnd_in(u), rnd_in(u));
        }
        break;
    }
    case 1: ir_deposit(u, rnd_out(), rnd_in(u), rnd_in(u), pos, 1 + rnd(64 - pos)); break;
    case 2: ir_setcond(u, rnd(IR_NCONDS), size, rnd_out(), rnd_in(u), rnd_in(u)); break;
    case 3:
        ir_movcond(u, rnd(IR_NCONDS), size, rnd_out(), rnd_in(u), rnd_in(u), rnd_in(u), rnd_in(u));
        break;
    case 4: ir_ld_env(u, rnd_out(), 0x20 + rnd(24), size, rnd(2)); break;
    case 5: ir_st_env(u, 0x20 + rnd(24), rnd_in(u), size); break;
    case 6: ir_xop(u, &x_mark, payloads[rnd(3)]); break;
    case 7: ir_movi(u, rnd_out(), (uint64_t)rnd(1 << 30) << rnd(34)); break;
    case 8: {
        IrVal args[2] = { rnd_in(u), rnd_in(u) };
        ir_call(u, rnd(2) ? &h_mix : &h_narrow, rnd_out(), args, 2);
        break;
    }
    default: ir_call(u, &h_touch, rnd_out(), NULL, 0);
    }
}

static IrUnit *random_unit(void)
{
    IrUnit *u = empty();
    unsigned open[4], nopen = 0, n = 5 + rnd(40);

    for (unsigned i = 0; i < NT; i++) {
        ir_movi(u, ir_temp(u), rnd(1000) * 0x123456789ull);
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned size = 1u << rnd(4), kind = rnd(10);
        if (kind == 0 && nopen < 4) {
            open[nopen++] = ir_label(u);
            ir_brcond(u, rnd(IR_NCONDS), size, rnd_in(u), rnd_in(u), open[nopen - 1]);
        } else if (kind == 1 && nopen) {
            unsigned k = rnd(nopen);
            if (!rnd(4)) {
                ir_exit(u, 1 + rnd(100));
            } else if (!rnd(3)) {
                ir_br(u, open[rnd(nopen)]);
            }
            ir_place(u, open[k]);
            open[k] = open[--nopen];
        } else if (kind < 4) {
            rnd_shaped(u, size);
        } else if (kind == 4) {
            ir_mov(u, rnd_out(), rnd_in(u));
        } else if (kind == 5) {
            ir_un(u, IR_not + rnd(IR_popcnt - IR_not + 1), size, rnd_out(), rnd_in(u));
        } else {
            ir_bin(u, IR_add + rnd(IR_rotr - IR_add + 1), size, rnd_out(), rnd_in(u), rnd_in(u));
        }
    }
    while (nopen) {
        ir_place(u, open[--nopen]);
    }
    for (unsigned i = 0; i < NT; i++) { /* temps show in memory at 0x40.. */
        ir_bin(u, IR_rotl, 8, NG + i, NG + i, ir_const(u, i));
        ir_bin(u, IR_xor, 8, GR, GR, NG + i);
    }
    ir_exit(u, 1000);
    return u;
}

static uint64_t val(const IrUnit *u, const uint64_t *v, const Env *e, IrVal x)
{
    return ir_is_const(x)      ? ir_const_value(u, x)
           : ir_is_global(u, x) ? (&e->a)[x]
                                : v[x];
}

static void set(const IrUnit *u, uint64_t *v, Env *e, IrVal x, uint64_t n)
{
    *(ir_is_global(u, x) ? &(&e->a)[x] : &v[x]) = n;
}

static unsigned find_label(const IrUnit *u, uint64_t label)
{
    for (unsigned i = 0;; i++) {
        if (u->ops[i].op == IR_label && u->ops[i].c[0] == label) {
            return i;
        }
    }
}

static uint64_t eval_call(const Helper *h, Env *e, const uint64_t *in)
{
    return h == &h_mix ? mix(in[0], in[1])
           : h == &h_narrow ? (uint64_t)narrow((uint16_t)in[0], (int32_t)in[1])
                            : touch(e);
}

/* The plain evaluator. */
static uint64_t evaluate(const IrUnit *u, Env *e)
{
    uint64_t v[IR_MAX_TEMPS] = { 0 };

    for (unsigned i = 0;; i++) {
        const IrOp *op = &u->ops[i];
        uint64_t in[IR_MAX_ARGS] = { 0 }, r = 0, r2 = 0;
        for (unsigned k = 0; k < op->nin; k++) {
            in[k] = val(u, v, e, op->in[k]);
        }
        switch (op->op) {
        case IR_insn_start:
        case IR_label: break;
        case IR_movi: r = op->c[0]; break;
        case IR_mov: r = in[0]; break;
        case IR_ld_env:
            memcpy(&r, (char *)e + op->c[0], op->size);
            r = op->sign ? ir_eval_exts(r, op->size) : r;
            break;
        case IR_st_env: memcpy((char *)e + op->c[0], &in[0], op->size); break;
        case IR_mulu2:
            r = ir_eval_mul(in[0], in[1], op->size);
            r2 = ir_eval_mulu2_high(in[0], in[1], op->size);
            break;
        case IR_deposit: r = ir_eval_deposit(in[0], in[1], op->c[0], op->c[1]); break;
        case IR_setcond: r = ir_eval_cond(op->cond, in[0], in[1], op->size); break;
        case IR_movcond: r = ir_eval_cond(op->cond, in[0], in[1], op->size) ? in[2] : in[3]; break;
        case IR_br: i = find_label(u, op->c[0]); break;
        case IR_brcond:
            if (ir_eval_cond(op->cond, in[0], in[1], op->size)) {
                i = find_label(u, op->c[0]);
            }
            break;
        case IR_call: r = eval_call((const Helper *)(uintptr_t)op->c[0], e, in); break;
        case IR_xop:
            if (mark(e, u->payloads[op->c[1]])) {
                return 0;
            }
            break;
        case IR_exit: return op->c[0];
        default:
            r = ir_op_is_un(op->op) ? ir_eval_un(op->op, in[0], op->size)
                                    : ir_eval_bin(op->op, in[0], in[1], op->size);
        }
        if (op->nout) {
            set(u, v, e, op->out[0], r);
        }
        if (op->nout == 2) {
            set(u, v, e, op->out[1], r2);
        }
    }
}

static void random_units_mean_the_same_everywhere(void **state)
{
    const char *s = getenv("DYAD_SEED");
    uint64_t seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
    char msg[1000];

    print_message("seed %" PRIu64 "\n", seed);
    for (unsigned round = 0; round < 3000; round++) {
        rng = (seed + round) * 0x9e3779b97f4a7c15ull;
        IrUnit *u = random_unit();
        if (ir_check(u, msg, sizeof(msg))) {
            fail_msg("seed %" PRIu64 ": %s", seed + round, msg);
        }
        char *text = dumped(u);
        IrUnit *again = copy_of(u, text);
        if (!ir_equal(u, again)) {
            fail_msg("seed %" PRIu64 ": not the same again:\n%s=>\n%s", seed + round, text,
                     dumped(again));
        }
        ir_unit_destroy(again);
        Env start = { rng, rng >> 13, rnd(300), 5 };
        memcpy(start.mem, &rng, 8);
        Env want = start;
        uint64_t code = evaluate(u, &want);
        for (uint32_t off = 0; off < 1u << IR_NPASSES; off++) {
            IrUnit *o = copy_of(u, text);
            ir_optimize(o, off);
            Env got = start, plain = start;
            bool bad = ir_check(o, msg, sizeof(msg)) || o->nops > u->nops ||
                       run(o, &got) != code || memcmp(&got, &want, sizeof(got)) ||
                       evaluate(o, &plain) != code || memcmp(&plain, &want, sizeof(got));
            if (bad) {
                fail_msg("seed %" PRIu64 ", without passes %#x:\n%s=>\n%s%s", seed + round, off,
                         text, dumped(o), msg);
            }
            ir_unit_destroy(o);
        }
        free(text);
        ir_unit_destroy(u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_has_its_literal_value),
        cmocka_unit_test(operations_with_a_shape_of_their_own),
        cmocka_unit_test(exits_tell_their_code),
        cmocka_unit_test(neighbours_that_run_as_one_mean_the_same),
        cmocka_unit_test(every_fold_rule_has_its_result),
        cmocka_unit_test(passes_leave_what_they_should),
        cmocka_unit_test(the_verifier_refuses_broken_units),
        cmocka_unit_test(the_parser_names_the_line_of_an_error),
        cmocka_unit_test(helpers_get_and_give_what_their_rows_say),
        cmocka_unit_test(heavy_helpers_go_through_the_door),
        cmocka_unit_test(limits_mark_the_unit_failed),
        cmocka_unit_test(random_units_mean_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

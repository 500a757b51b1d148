/* SPDX-License-Identifier: MIT */
/*
 * Integer reference functions judged by the host CPU: random encodings of every RF_PLAIN
 * integer row, random registers, flags and memory. DYAD_SEED=n repeats a run, DYAD_ROUNDS
 * sets the number of tries per row and opcode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "target-x86/decode.h"
#include "tests/unit/hostjudge.h"
#include "tests/unit/insn_gen.h"
#include "tests/unit/x86_flat_access.h"

static X86Cpu *cpu;
static HostState host;
static uint64_t seed;
static unsigned rounds = 300;

#define AREA 128 /* bytes around the operand that are compared */

typedef struct Case {
    uint8_t bytes[15];
    unsigned len;
    X86Insn in;
    uint64_t gpr[16], rflags;
    uint8_t mem[AREA], mem_host[AREA];
    int host_result;
    uint64_t host_gpr[16], host_flags;
} Case;

static bool is_int_family(const char *name)
{
    static const char *const names[] = { "alu", "mov", "shift", "bit" };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Results that the manual leaves undefined and that CPUs disagree on. */
static bool undefined_result(const X86Insn *in, const uint64_t *gpr)
{
    const char *n = in->row->name;
    if (!strcmp(n, "BSWAP")) {
        return in->opsize == 2;
    }
    if (!strcmp(n, "SHLD") || !strcmp(n, "SHRD")) {
        unsigned count = in->op[2].kind == OPND_IMM ? in->imm : gpr[R_CX];
        return in->opsize == 2 && (count & 31) > 16;
    }
    return false;
}

/* OF of shifts and rotates is defined when the masked count is 1 (or 0). */
static uint32_t undefined_flags(const X86Insn *in, const uint64_t *gpr)
{
    uint32_t undef = in->row->fl_undef;
    const X86Opnd *c = &in->op[in->nops - 1];
    bool shift = in->row->map == MAP_1 && (in->opcode & 0xec) == 0xc0 && in->row->ext;
    if (shift && in->nops == 2) {
        unsigned n = c->kind == OPND_IMM ? in->imm : c->kind == OPND_ONE ? 1 : gpr[R_CX];
        n &= in->op[0].size == 8 ? 63 : 31;
        if (n <= 1) {
            undef &= ~(uint32_t)FL_OF;
        }
        if (n == 0) {
            undef = 0;
        }
    }
    return undef;
}

static void fill(Case *c, uint64_t at)
{
    for (unsigned r = 0; r < 16; r++) {
        c->gpr[r] = gen_value();
    }
    c->rflags = FL_ONE | (gen_rand() & FL_STATUS);
    for (unsigned i = 0; i < AREA; i += 8) {
        uint64_t v = gen_value();
        memcpy(c->mem + i, &v, 8);
    }
    if (c->in.is_mem && !gen_point(&c->in, c->gpr, at)) {
        c->len = 0;
    }
}

static void run_host(Case *c, uint8_t *area)
{
    memcpy(area, c->mem, AREA);
    memcpy(host.gpr, c->gpr, sizeof(c->gpr));
    host.rflags = c->rflags;
    c->host_result = hj_run(&host, c->bytes, c->len, HJ_GPR);
    memcpy(c->host_gpr, host.gpr, sizeof(c->gpr));
    c->host_flags = host.rflags;
    memcpy(c->mem_host, area, AREA);
}

static void report(const Case *c, const char *what, uint64_t got, uint64_t want)
{
    printf("%s: %s is %#llx, host has %#llx\n  bytes", c->in.row->name, what,
           (unsigned long long)got, (unsigned long long)want);
    for (unsigned i = 0; i < c->len; i++) {
        printf(" %02x", c->bytes[i]);
    }
    printf("  flags in %#llx\n", (unsigned long long)c->rflags);
    for (unsigned r = 0; r < 16; r++) {
        printf("  r%-2u %016llx -> host %016llx ours %016llx\n", r,
               (unsigned long long)c->gpr[r], (unsigned long long)c->host_gpr[r],
               (unsigned long long)cpu->st.gpr[r]);
    }
}

/* True if ours agrees with the host. */
static bool run_ours(const Case *c, uint8_t *area)
{
    memcpy(area, c->mem, AREA);
    memcpy(cpu->st.gpr, c->gpr, sizeof(c->gpr));
    cpu->st.rflags = c->rflags;
    cpu->st.rip = FLAT_CODE;
    int r = flat_run(cpu, &c->in);
    if (r != c->host_result) {
        report(c, "result", r, c->host_result);
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        if (cpu->st.gpr[i] != c->host_gpr[i]) {
            report(c, "register", cpu->st.gpr[i], c->host_gpr[i]);
            return false;
        }
    }
    if (r != FLAT_OK) {
        return true;
    }
    if (memcmp(area, c->mem_host, AREA)) {
        report(c, "memory", 0, 0);
        return false;
    }
    uint32_t mask = FL_STATUS & ~undefined_flags(&c->in, c->gpr);
    if ((cpu->st.rflags ^ c->host_flags) & mask) {
        report(c, "flags", cpu->st.rflags & mask, c->host_flags & mask);
        return false;
    }
    return true;
}

/* Which flags changed where the row says they may not, on the host. */
static bool flags_as_row_says(const Case *c)
{
    uint32_t may = c->in.row->fl_def | c->in.row->fl_undef;
    if (c->host_result == HJ_OK && ((c->host_flags ^ c->rflags) & FL_STATUS & ~may)) {
        report(c, "flags the row does not name", 0, c->host_flags);
        return false;
    }
    return true;
}

static void judge_row(const X86Row *row, unsigned *cases, unsigned *bad)
{
    uint32_t feat[X86F_NWORDS];
    unsigned opcodes = __builtin_popcount(row->opmask), done = 0;
    unsigned want = rounds << (opcodes > 3 ? 2 : opcodes);

    hj_features(feat);
    for (unsigned tries = 0; tries < want * 20 && done < want; tries++) {
        Case c;
        uint64_t at = FLAT_DATA + 4096 + gen_rand() % 64;
        uint8_t *area = (uint8_t *)(at & ~63ull) - 32;
        c.len = gen_insn(row, c.bytes, &c.in, cpu->hflags, feat);
        if (!c.len) {
            continue;
        }
        fill(&c, at);
        if (!c.len || undefined_result(&c.in, c.gpr)) {
            continue;
        }
        done++;
        run_host(&c, area);
        if (!run_ours(&c, area) || !flags_as_row_says(&c)) {
            ++*bad;
            return;
        }
    }
    if (!done && x86_has(cpu, row->feat)) {
        printf("no case made for %s %02x\n", row->name, row->op);
        ++*bad;
    }
    *cases += done;
}

static void plain_integer_rows_do_what_the_host_does(void **state)
{
    unsigned cases = 0, bad = 0, nrows = 0;

    if (!hj_init()) {
        skip();
    }
    printf("seed %llu\n", (unsigned long long)seed);
    gen_seed(seed);
    for (const X86RowTable *t = x86_row_tables; t->rows; t++) {
        for (unsigned i = 0; is_int_family(t->name) && i < t->count; i++) {
            const X86Row *row = &t->rows[i];
            if (!(row->flags & RF_PLAIN) || row->flags & RF_NO64 ||
                (row->feat && !hj_has(row->feat))) {
                continue;
            }
            nrows++;
            judge_row(row, &cases, &bad);
        }
    }
    printf("%u rows, %u cases\n", nrows, cases);
    assert_int_equal(bad, 0);
    assert_true(nrows > 200);
}

static int setup(void **state)
{
    const char *s = getenv("DYAD_SEED"), *n = getenv("DYAD_ROUNDS");
    seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
    rounds = n ? (unsigned)atoi(n) : rounds;
    flat_init();
    x86_decode_init();
    cpu = aligned_alloc(64, (sizeof(X86Cpu) + 63) & ~(size_t)63);
    flat_cpu(cpu, FLAT_MODE64);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_integer_rows_do_what_the_host_does),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * x87 rows judged by the host CPU: random encodings, stacks, tags, control words, condition
 * codes and memory operands; FCW, FSW, tags, ST, FOP, memory and EFLAGS compared. What the
 * host cannot tell in 64-bit mode (16-bit and real-mode images, pointers) is stated
 * literally.
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
#include "target-x86/fpu.h"
#include "target-x86/x87_trans.h"
#include "tests/unit/fp_gen.h"
#include "tests/unit/hostjudge.h"
#include "tests/unit/insn_gen.h"
#include "tests/unit/x86_flat_access.h"

extern const X86Row x86_rows_x87[];
extern const unsigned x86_n_rows_x87;

#define AREA 128
static X86Cpu *cpu;
static HostState host;
static uint64_t seed;
static unsigned rounds = 700;

typedef struct Case {
    uint8_t bytes[15];
    unsigned len;
    X86Insn in;
    uint64_t gpr[16], rflags;
    X86Xsave x;
    uint8_t mem[AREA], mem_host[AREA];
} Case;

/* ---- states ---- */

static uint16_t random_fcw(void)
{
    uint64_t r = fp_rand();
    unsigned pc = r % 3;
    uint16_t masks = r >> 8 & 3 ? 63 : r >> 16 & 63;
    return 0x40 | masks | (pc ? pc + 1 : 0) << 8 | (r >> 32 & 3) << 10;
}

/* An operand that suits transcendental and integer instructions too. */
static Sf80 small80(void)
{
    uint64_t r = fp_rand();
    Sf80 v = fp_value80();
    if (r & 1) {
        v.se = 0x3fff - 20 + (r >> 8) % 84;
        v.se |= r >> 48 & 0x8000;
        v.m |= 1ull << 63;
    }
    return v;
}

static void random_x87(X86Xsave *x)
{
    uint64_t r = fp_rand();
    memset(x, 0, sizeof(*x));
    x->fcw = random_fcw();
    /* sticky flags of masked exceptions only: nothing is pending */
    x->fsw = (r & FSW_CC) | (r >> 16 & x->fcw & 63) | (r >> 32 & FSW_TOP);
    x->fsw |= r >> 40 & 1 && x->fcw & 1 ? FSW_SF : 0;
    x->ftw = r >> 50 & 1 ? 0x7f << (r >> 51 & 7) | 0x7f >> (8 - (r >> 51 & 7)) : r >> 55;
    if ((r >> 54 & 3) == 0) {
        x->ftw = 0xff;
    }
    for (unsigned i = 0; i < 8; i++) {
        Sf80 v = i == 1 && r & 1 ? fp_second80((Sf80){ x->st[0].m, x->st[0].se })
                                 : small80();
        x->st[i].m = v.m;
        x->st[i].se = v.se;
    }
    x->mxcsr = 0x1f80;
    x->xstate_bv = 7;
}

static void put_operand(uint8_t *to, const X86Insn *in)
{
    uint64_t v = in->opcode & 1 && in->opcode != 0xd9 ? fp_frac(64) : fp_value(32);
    unsigned size = in->op[0].size;
    if (size == 8 && in->opcode != 0xdf) {
        v = fp_value(64);
    } else if (in->opcode == 0xde || in->opcode == 0xda) {
        v = fp_frac(32);
    }
    memcpy(to, &v, 8);
    if (size == 10) {
        Sf80 f = fp_value80();
        memcpy(to, &f.m, 8);
        memcpy(to + 8, &f.se, 2);
    }
}

/* An FLDENV or FRSTOR image is a random state's. */
static void put_image(uint8_t *to, unsigned step)
{
    uint64_t r = fp_rand();
    uint16_t w[3] = { random_fcw(), r, r >> 16 };
    for (unsigned i = 0; i < 3; i++) {
        memcpy(to + i * step, &w[i], 2);
    }
    for (unsigned i = 0; i < 8; i++) {
        Sf80 v = fp_value80();
        memcpy(to + 7 * step + 10 * i, &v.m, 8);
        memcpy(to + 7 * step + 10 * i + 8, &v.se, 2);
    }
}

static void fill(Case *c, uint64_t at, unsigned off)
{
    for (unsigned r = 0; r < 16; r++) {
        c->gpr[r] = fp_rand();
    }
    c->rflags = FL_ONE | (fp_rand() & FL_STATUS);
    random_x87(&c->x);
    for (unsigned i = 0; i < AREA; i++) {
        c->mem[i] = fp_rand();
    }
    if (c->in.is_mem) {
        if (!gen_point(&c->in, c->gpr, at)) {
            c->len = 0;
        } else if (c->in.op[0].size) {
            put_operand(c->mem + off, &c->in);
        } else {
            put_image(c->mem + off, c->in.opsize == 2 ? 2 : 4);
        }
    }
}

/* ---- comparing ---- */

static void print_state(const char *who, const X86Xsave *x)
{
    printf("  %s fcw %04x fsw %04x ftw %02x fop %03x\n", who, x->fcw, x->fsw, x->ftw,
           x->fop);
    for (unsigned i = 0; i < 8; i++) {
        printf("    st%u %04x.%016llx\n", i, x->st[i].se, (unsigned long long)x->st[i].m);
    }
}

static void report(const Case *c, const char *what)
{
    printf("%s: %s differs\n  bytes", c->in.row->name, what);
    for (unsigned i = 0; i < c->len; i++) {
        printf(" %02x", c->bytes[i]);
    }
    printf("  flags in %#llx host %#llx ours %#llx\n", (unsigned long long)c->rflags,
           (unsigned long long)host.rflags, (unsigned long long)cpu->st.rflags);
    print_state("in", &c->x);
    print_state("host", &host.xsave);
    print_state("ours", &cpu->st.xsave);
}

static bool same_stack(const X86Xsave *a, const X86Xsave *b)
{
    for (unsigned i = 0; i < 8; i++) {
        if (a->st[i].m != b->st[i].m || a->st[i].se != b->st[i].se) {
            return false;
        }
    }
    return true;
}

static const char *difference(const X86Xsave *o, const X86Xsave *h)
{
    if (o->fcw != h->fcw) {
        return "fcw";
    }
    if (o->fsw != h->fsw) {
        return "fsw";
    }
    if (o->ftw != h->ftw) {
        return "ftw";
    }
    if (!same_stack(o, h)) {
        return "st";
    }
    /* AMD's XSAVE stores the pointers only when an exception is pending */
    if ((h->fsw & FSW_ES) && h->fop && o->fop != h->fop) {
        return "fop";
    }
    return NULL;
}

/* Pointers in the image are the host's own code's. */
static void blank_pointers(const Case *c, uint8_t *mem, unsigned off)
{
    if (c->in.is_mem && !c->in.op[0].size) {
        unsigned step = c->in.opsize == 2 ? 2 : 4;
        memset(mem + off + 3 * step, 0, 4 * step);
    }
}

/* Compares, where AMD's CPUs are not as the SDM says: unmasked #I writes the condition
 * codes or EFLAGS, FCOMI and its like keep C1. */
static void forgive(const Case *c)
{
    X86Xsave *h = &host.xsave;
    const char *n = c->in.row->name;
    bool comi = strstr(n, "COMI") != NULL,
         com = comi || strstr(n, "COM") || !strcmp(n, "FTST");
    bool stopped = com && (h->fsw & SF_IE & ~(c->x.fcw | c->x.fsw));

    if (stopped && comi) {
        host.rflags = cpu->st.rflags;
    } else if (stopped) {
        h->fsw = (h->fsw & ~FSW_CC) | (cpu->st.xsave.fsw & FSW_CC);
    }
    if (comi && !(h->fsw & FSW_SF & ~c->x.fsw)) {
        h->fsw = (h->fsw & ~FSW_C1) | (cpu->st.xsave.fsw & FSW_C1);
    }
}

static const char *judge_case(Case *c, uint8_t *area, unsigned off)
{
    uint8_t ours[AREA];

    memcpy(area, c->mem, AREA);
    memcpy(host.gpr, c->gpr, sizeof(c->gpr));
    host.rflags = c->rflags;
    host.xsave = c->x;
    int hr = hj_run(&host, c->bytes, c->len, HJ_VECTOR);
    memcpy(c->mem_host, area, AREA);

    memcpy(area, c->mem, AREA);
    memcpy(cpu->st.gpr, c->gpr, sizeof(c->gpr));
    cpu->st.rflags = c->rflags;
    cpu->st.rip = FLAT_CODE;
    cpu->st.xsave = c->x;
    int r = flat_run(cpu, &c->in);
    memcpy(ours, area, AREA);

    if (r != hr) {
        return "result";
    }
    blank_pointers(c, ours, off);
    blank_pointers(c, c->mem_host, off);
    if (memcmp(ours, c->mem_host, AREA)) {
        for (unsigned i = 0; i < AREA; i++) {
            if (ours[i] != c->mem_host[i]) {
                printf("  mem+%d is %02x host %02x\n", (int)i - (int)off, ours[i],
                       c->mem_host[i]);
            }
        }
        return "memory";
    }
    forgive(c);
    if ((cpu->st.rflags ^ host.rflags) & FL_STATUS) {
        return "eflags";
    }
    if (memcmp(cpu->st.gpr, host.gpr, sizeof(host.gpr))) {
        return "gpr";
    }
    return difference(&cpu->st.xsave, &host.xsave);
}

static unsigned judge_row(const X86Row *row, unsigned *cases)
{
    uint32_t feat[X86F_NWORDS];
    unsigned done = 0, bad = 0;

    hj_features(feat);
    for (unsigned tries = 0; tries < rounds * 10 && done < rounds; tries++) {
        Case c;
        uint64_t at = FLAT_DATA + 4096 + fp_rand() % 16;
        uint8_t *area = (uint8_t *)(FLAT_DATA + 4096 - 4);
        c.len = gen_insn(row, c.bytes, &c.in, cpu->hflags, feat);
        if (!c.len) {
            continue;
        }
        fill(&c, at, at - (uintptr_t)area);
        if (!c.len) {
            continue;
        }
        done++;
        const char *d = judge_case(&c, area, at - (uintptr_t)area);
        if (d) {
            report(&c, d);
            if (++bad == 2) {
                break;
            }
        }
    }
    if (!done) {
        printf("no case made for %s %02x\n", row->name, row->op);
        bad++;
    }
    *cases += done;
    return bad;
}

static void rows_match_the_host(void **state)
{
    unsigned cases = 0, bad = 0;

    if (!hj_init()) {
        skip();
    }
    printf("seed %llu\n", (unsigned long long)seed);
    gen_seed(seed);
    fp_seed(seed);
    for (unsigned i = 0; i < x86_n_rows_x87; i++) {
        unsigned b = judge_row(&x86_rows_x87[i], &cases);
        if (b) {
            printf("^ row %u %s %02x /%u\n", i, x86_rows_x87[i].name, x86_rows_x87[i].op,
                   x86_rows_x87[i].ext & 7);
        }
        bad += b;
    }
    printf("%u rows, %u cases\n", x86_n_rows_x87, cases);
    assert_int_equal(bad, 0);
}

static int setup(void **state)
{
    const char *s = getenv("DYAD_SEED");
    seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
    if (getenv("DYAD_ROUNDS")) {
        rounds = strtoul(getenv("DYAD_ROUNDS"), NULL, 0);
    }
    x86_decode_init();
    flat_init();
    cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64));
    flat_cpu(cpu, FLAT_MODE64);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_match_the_host),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

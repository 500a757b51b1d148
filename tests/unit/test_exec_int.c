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
static bool compat; /* judging 32-bit code */

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
    const X86Opnd *c = &in->op[1];
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
    for (unsigned r = 0; compat && r < 16; r++) {
        c->gpr[r] = (uint32_t)c->gpr[r];
    }
}

static void ask_host(Case *c)
{
    c->host_result = hj_run(&host, c->bytes, c->len, compat ? HJ_COMPAT : HJ_GPR);
    memcpy(c->host_gpr, host.gpr, sizeof(c->gpr));
    c->host_flags = host.rflags;
}

/* The registers that exist, cut to what exists of them. */
static bool same_gpr(unsigned r, uint64_t a, uint64_t b)
{
    return compat ? r >= 8 || (uint32_t)a == (uint32_t)b : a == b;
}

static void run_host(Case *c, uint8_t *area)
{
    memcpy(area, c->mem, AREA);
    memcpy(host.gpr, c->gpr, sizeof(c->gpr));
    host.rflags = c->rflags;
    ask_host(c);
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
        if (!same_gpr(i, cpu->st.gpr[i], c->host_gpr[i])) {
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

/* Is the row there in the mode being judged? */
static bool row_in_mode(const X86Row *row)
{
    return !(row->flags & (compat ? RF_ONLY64 : RF_NO64)) && (!row->feat || hj_has(row->feat));
}

static void judge_plain_rows(unsigned least)
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
            bool decimal = row->flags & RF_NO64 && row->ops[0] && !strcmp(t->name, "alu");
            if (!((row->flags & RF_PLAIN) || decimal) || !row_in_mode(row)) {
                continue;
            }
            nrows++;
            judge_row(row, &cases, &bad);
        }
    }
    printf("%u rows, %u cases\n", nrows, cases);
    assert_int_equal(bad, 0);
    assert_true(nrows >= least);
}

static void plain_integer_rows_do_what_the_host_does(void **state)
{
    judge_plain_rows(200);
}

/* The same in compatibility mode, with the decimal instructions. */
static void integer_rows_of_32_bit_code_do_what_the_host_does(void **state)
{
    compat = true;
    flat_cpu(cpu, FLAT_COMPAT32);
    judge_plain_rows(220);
    compat = false;
    flat_cpu(cpu, FLAT_MODE64);
}

/* ---- rows that are not PLAIN: strings, stack, bit strings, wide exchanges ---- */

#define WIN 16384 /* bytes compared, from FLAT_DATA on */
static uint8_t win_before[WIN], win_host[WIN];

static bool judged_wide(const char *family, const X86Row *row)
{
    static const char *const names[] = {
        "LEA", "MOV", "BT", "BTS", "BTR", "BTC", "CMPXCHG8B", "CMPXCHG16B", "XLAT",
        "MOVS", "CMPS", "STOS", "LODS", "SCAS", "PUSH", "POP", "ENTER", "LEAVE", "PUSHA",
        "POPA",
    };
    if (row->flags & RF_PLAIN || !row_in_mode(row) ||
        (!is_int_family(family) && strcmp(family, "string") && strcmp(family, "stack"))) {
        return false;
    }
    if (row->ops[0] >> 8 == OM_SEG && compat) {
        return false; /* the host's selectors are not ours */
    }
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(row->name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Registers that keep every access of the row inside the window. */
static bool aim_wide(Case *c)
{
    const X86Row *row = c->in.row;
    uint64_t mid = FLAT_DATA + WIN / 2 + gen_rand() % 256;

    if (row->flags & RF_REP) {
        c->gpr[R_SI] = mid + gen_rand() % 64;
        c->gpr[R_DI] = gen_rand() & 1 ? mid : c->gpr[R_SI] + gen_rand() % 16;
        c->gpr[R_CX] = gen_rand() % 300;
        if (gen_rand() & 1) {
            c->rflags |= FL_DF;
        }
        return true;
    }
    if (row->flags & RF_STACK) {
        c->gpr[R_SP] = mid;
        c->gpr[R_BP] = mid + 64 + gen_rand() % 512;
    }
    if (!strcmp(row->name, "XLAT")) {
        c->gpr[R_BX] = mid;
    }
    if (c->in.has_modrm && c->in.is_mem) {
        if (!strcmp(row->name, "CMPXCHG16B") && gen_rand() % 4) {
            mid &= ~15ull;
        }
        uint64_t sp = c->gpr[R_SP], bp = c->gpr[R_BP];
        if (!gen_point(&c->in, c->gpr, mid)) {
            return false;
        }
        if (row->flags & RF_STACK && (sp != c->gpr[R_SP] ||
                                      (bp != c->gpr[R_BP] && row->op == 0xc8))) {
            return false;
        }
        if (row->flags & RF_MEM && row->op != 0xc7) { /* bit string */
            if (c->in.op[1].reg == c->in.base || c->in.op[1].reg == c->in.index) {
                return false;
            }
            uint64_t *bit = &c->gpr[c->in.op[1].reg];
            *bit = (*bit & ~0xffffull) | (gen_rand() & 0x7fff);
            if (c->in.opsize != 2) {
                *bit = (uint64_t)(int64_t)(int16_t)*bit;
            }
        }
    }
    if (!strncmp(row->name, "CMPXCHG", 7) && (gen_rand() & 1)) { /* make it equal */
        memcpy(&c->gpr[R_AX], (void *)mid, 8);
        memcpy(&c->gpr[R_DX], (void *)(mid + (row->flags & RF_W1 ? 8 : 4)), 8);
        return c->in.base != R_AX && c->in.base != R_DX && c->in.index != R_AX &&
               c->in.index != R_DX;
    }
    return true;
}

static bool wide_case(Case *c, const X86Row *row)
{
    uint8_t *win = (uint8_t *)FLAT_DATA;

    for (unsigned i = 0; i < WIN; i += 8) {
        uint64_t v = i % 1024 < 512 ? gen_value() : 0x4141414141414141u;
        memcpy(win + i, &v, 8);
    }
    for (unsigned r = 0; r < 16; r++) {
        c->gpr[r] = gen_value();
    }
    c->rflags = FL_ONE | (gen_rand() & FL_STATUS);
    if (c->in.row->op >= 0xa0 && c->in.row->op <= 0xa3 && row->map == MAP_1) { /* moffs */
        uint64_t at = FLAT_DATA + 64;
        memcpy(c->bytes + c->in.disp_off, &at, c->in.disp_len);
        x86_decode(&c->in, c->bytes, 15, cpu->hflags, cpu->feat);
    }
    bool ok = aim_wide(c);
    for (unsigned r = 0; compat && r < 16; r++) {
        c->gpr[r] = (uint32_t)c->gpr[r];
    }
    return ok;
}

static bool run_wide(Case *c)
{
    uint8_t *win = (uint8_t *)FLAT_DATA;
    char what[64];

    memcpy(win_before, win, WIN);
    memcpy(host.gpr, c->gpr, sizeof(c->gpr));
    host.rflags = c->rflags;
    ask_host(c);
    memcpy(win_host, win, WIN);
    memcpy(win, win_before, WIN);

    memcpy(cpu->st.gpr, c->gpr, sizeof(c->gpr));
    cpu->st.rflags = c->rflags;
    cpu->st.rip = FLAT_CODE;
    x86_update_hflags(cpu);
    flat_no_direct = gen_rand() & 1;
    int r, again = 0;
    do {
        r = flat_run(cpu, &c->in);
    } while (r == FLAT_OK && cpu->st.rip == FLAT_CODE && ++again < 1000);
    flat_no_direct = false;
    if (r != c->host_result || (r == FLAT_OK && cpu->st.rip != FLAT_CODE + c->len)) {
        report(c, "result", r, c->host_result);
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        if (!same_gpr(i, cpu->st.gpr[i], host.gpr[i])) {
            snprintf(what, sizeof(what), "r%u", i);
            report(c, what, cpu->st.gpr[i], host.gpr[i]);
            return false;
        }
    }
    for (unsigned i = 0; i < WIN; i++) {
        if (win[i] != win_host[i]) {
            snprintf(what, sizeof(what), "memory at +%#x", i);
            report(c, what, win[i], win_host[i]);
            return false;
        }
    }
    uint32_t mask = (FL_STATUS | FL_DF) & ~(uint32_t)c->in.row->fl_undef;
    if ((cpu->st.rflags ^ host.rflags) & mask) {
        report(c, "flags", cpu->st.rflags & mask, host.rflags & mask);
        return false;
    }
    return true;
}

static void judge_wide_rows(unsigned least)
{
    static const uint8_t reps[] = { 0xf3, 0xf2 };
    unsigned bad = 0, nrows = 0;
    uint32_t feat[X86F_NWORDS];

    if (!hj_init()) {
        skip();
    }
    hj_features(feat);
    cpu->st.seg[R_FS].selector = cpu->st.seg[R_GS].selector = 0; /* as the host's */
    for (const X86RowTable *t = x86_row_tables; t->rows; t++) {
        for (unsigned i = 0; i < t->count; i++) {
            const X86Row *row = &t->rows[i];
            unsigned done = 0;
            bool ok = true;
            if (!judged_wide(t->name, row)) {
                continue;
            }
            nrows++;
            for (unsigned tries = 0; ok && done < rounds && tries < rounds * 20; tries++) {
                Case c;
                unsigned at = 0;
                c.len = gen_insn(row, c.bytes, &c.in, cpu->hflags, feat);
                if (!c.len) {
                    continue;
                }
                if (row->flags & RF_REP && gen_rand() % 4) {
                    memmove(c.bytes + 1, c.bytes, 14);
                    c.bytes[at++] = reps[gen_rand() % (row->flags & RF_REPZ ? 2 : 1)];
                    c.len = x86_decode(&c.in, c.bytes, 15, cpu->hflags, feat);
                }
                if (wide_case(&c, row)) {
                    done++;
                    ok = run_wide(&c);
                }
            }
            if (!ok || !done) {
                printf("%s %02x: %u cases\n", row->name, row->op, done);
                bad++;
            }
        }
    }
    printf("%u rows\n", nrows);
    assert_int_equal(bad, 0);
    assert_true(nrows >= least);
}

static void strings_stack_and_bit_strings_do_what_the_host_does(void **state)
{
    judge_wide_rows(30);
}

static void strings_and_stack_of_32_bit_code_do_what_the_host_does(void **state)
{
    compat = true;
    flat_cpu(cpu, FLAT_COMPAT32);
    judge_wide_rows(30);
    compat = false;
    flat_cpu(cpu, FLAT_MODE64);
}

/* ---- by hand: what the host's user mode cannot show ---- */

static void near_branches_cut_and_check_their_targets(void **state)
{
    flat_cpu(cpu, FLAT_REAL);
    cpu->st.rip = 0xfffe;
    assert_int_equal(flat_exec(cpu, "\xeb\x10", 2), FLAT_OK); /* wraps at 64K */
    assert_int_equal(cpu->st.rip, 0x10);
    cpu->st.rip = 0x100;
    assert_int_equal(flat_exec(cpu, "\x66\xe9\x00\x00\x01\x00", 6), EXC_GP); /* limit */
    assert_int_equal(cpu->st.rip, 0x100);
    cpu->st.rip = 0xfff0;
    assert_int_equal(flat_exec(cpu, "\xe8\x20\x00", 3), FLAT_OK);
    assert_int_equal(cpu->st.rip, 0x13);
    assert_int_equal(cpu->st.gpr[R_SP], 0x7ffe);
    assert_int_equal(*(uint16_t *)(FLAT_BASE + 0x7ffe), 0xfff3);
    assert_int_equal(flat_exec(cpu, "\xc2\x04\x00", 3), FLAT_OK);
    assert_int_equal(cpu->st.rip, 0xfff3);
    assert_int_equal(cpu->st.gpr[R_SP], 0x8004);
    *(uint32_t *)(FLAT_BASE + 0x8004) = 0x10000;
    assert_int_equal(flat_exec(cpu, "\x66\xc2\x00\x80", 4), EXC_GP); /* EIP over the limit */
    cpu->st.gpr[R_SP] = 0x100;
    *(uint16_t *)(FLAT_BASE + 0x100) = 0x1234;
    assert_int_equal(flat_exec(cpu, "\xc2\x00\xff", 3), FLAT_OK); /* count is unsigned */
    assert_int_equal(cpu->st.gpr[R_SP], 0x0002);

    flat_cpu(cpu, FLAT_PROT32);
    cpu->st.rip = 0xfffffff0;
    assert_int_equal(flat_exec(cpu, "\xe9\x20\x00\x00\x00", 5), FLAT_OK);
    assert_int_equal(cpu->st.rip, 0x15);
    cpu->st.rip = 0x12345678;
    assert_int_equal(flat_exec(cpu, "\x66\xeb\x00", 3), FLAT_OK); /* 66H cuts EIP */
    assert_int_equal(cpu->st.rip, 0x567b);
    cpu->st.seg[R_CS].limit = 0xffff;
    x86_update_hflags(cpu);
    cpu->st.rip = 0x1000;
    assert_int_equal(flat_exec(cpu, "\xe9\x00\x00\x01\x00", 5), EXC_GP);
    assert_int_equal(cpu->st.gpr[R_SP], FLAT_STACK);

    flat_cpu(cpu, FLAT_MODE64);
    cpu->st.gpr[R_AX] = 0x800000000000;
    assert_int_equal(flat_exec(cpu, "\xff\xe0", 2), EXC_GP); /* not canonical */
    assert_int_equal(flat_exec(cpu, "\xff\xd0", 2), EXC_GP);
    assert_int_equal(cpu->st.gpr[R_SP], FLAT_STACK);
    cpu->st.gpr[R_AX] = 0xffff800000000000;
    assert_int_equal(flat_exec(cpu, "\xff\xe0", 2), FLAT_OK);
    assert_int_equal(cpu->st.rip, 0xffff800000000000);
}

static void loops_count_by_address_size(void **state)
{
    flat_cpu(cpu, FLAT_MODE64);
    cpu->st.gpr[R_CX] = 0x100000000;
    cpu->st.rip = 0x1000;
    assert_int_equal(flat_exec(cpu, "\x67\xe3\x10", 3), FLAT_OK); /* ECX = 0 */
    assert_int_equal(cpu->st.rip, 0x1013);
    assert_int_equal(flat_exec(cpu, "\xe3\x10", 2), FLAT_OK); /* RCX is not */
    assert_int_equal(cpu->st.rip, 0x1015);
    cpu->st.gpr[R_CX] = 1;
    assert_int_equal(flat_exec(cpu, "\xe2\x10", 2), FLAT_OK);
    assert_int_equal(cpu->st.rip, 0x1017);
    assert_int_equal(cpu->st.gpr[R_CX], 0);
    assert_int_equal(flat_exec(cpu, "\xe2\x10", 2), FLAT_OK);
    assert_int_equal(cpu->st.rip, 0x1029);
    assert_true(cpu->st.gpr[R_CX] == ~0ull);
    cpu->st.rflags |= FL_ZF;
    assert_int_equal(flat_exec(cpu, "\xe0\x10", 2), FLAT_OK); /* LOOPNE: ZF ends it */
    assert_int_equal(cpu->st.rip, 0x102b);
    assert_int_equal(flat_exec(cpu, "\xe1\x10", 2), FLAT_OK); /* LOOPE goes on */
    assert_int_equal(cpu->st.rip, 0x103d);
}

static void a_fault_in_the_middle_of_rep_leaves_a_restartable_state(void **state)
{
    flat_cpu(cpu, FLAT_MODE64);
    uint64_t dst = FLAT_DATA + 8192 - 100;
    memset((void *)FLAT_DATA, 0, 16384);
    memset((void *)FLAT_DATA, 0x5a, 1000);
    flat_protect(FLAT_DATA + 8192, 4096, FLAT_RO);
    cpu->st.gpr[R_SI] = FLAT_DATA;
    cpu->st.gpr[R_DI] = dst;
    cpu->st.gpr[R_CX] = 300;
    int r = flat_exec(cpu, "\xf3\xa4", 2);
    assert_int_equal(r, EXC_PF);
    assert_int_equal(cpu->st.event.cr2, FLAT_DATA + 8192);
    assert_int_equal(cpu->st.gpr[R_CX], 200);
    assert_int_equal(cpu->st.gpr[R_SI], FLAT_DATA + 100);
    assert_int_equal(cpu->st.gpr[R_DI], FLAT_DATA + 8192);
    assert_int_equal(*(uint8_t *)(FLAT_DATA + 8191), 0x5a);
    assert_int_equal(*(uint8_t *)(FLAT_DATA + 8192), 0);
    flat_protect(FLAT_DATA + 8192, 4096, FLAT_RW);
    assert_int_equal(flat_exec(cpu, "\xf3\xa4", 2), FLAT_OK);
    assert_int_equal(cpu->st.gpr[R_CX], 0);

    /* an element across the end of the page, stores of 8 bytes */
    flat_protect(FLAT_DATA + 8192, 4096, FLAT_RO);
    cpu->st.gpr[R_DI] = FLAT_DATA + 8192 - 20;
    cpu->st.gpr[R_CX] = 4;
    cpu->st.gpr[R_AX] = 0x1111111111111111;
    assert_int_equal(flat_exec(cpu, "\xf3\x48\xab", 3), EXC_PF);
    assert_int_equal(cpu->st.gpr[R_CX], 2);
    assert_int_equal(*(uint8_t *)(FLAT_DATA + 8191), 0x5a);
    flat_protect(FLAT_DATA + 8192, 4096, FLAT_RW);

    /* REPNE SCAS: flags stay as they were when it faults */
    flat_protect(FLAT_DATA + 8192, 4096, FLAT_NONE);
    cpu->st.gpr[R_DI] = FLAT_DATA + 8192 - 10;
    cpu->st.gpr[R_CX] = 100;
    cpu->st.gpr[R_AX] = 0xee;
    cpu->st.rflags = FL_ONE | FL_ZF | FL_CF;
    assert_int_equal(flat_exec(cpu, "\xf2\xae", 2), EXC_PF);
    assert_int_equal(cpu->st.rflags, FL_ONE | FL_ZF | FL_CF);
    assert_int_equal(cpu->st.gpr[R_CX], 90);
    flat_protect(FLAT_DATA + 8192, 4096, FLAT_RW);
}

static void long_rep_comes_back_to_itself_so_that_interrupts_get_in(void **state)
{
    flat_cpu(cpu, FLAT_MODE64);
    cpu->st.rip = 0x1000;
    cpu->st.gpr[R_DI] = FLAT_DATA;
    cpu->st.gpr[R_CX] = 200000;
    assert_int_equal(flat_exec(cpu, "\xf3\xaa", 2), FLAT_OK);
    assert_int_equal(cpu->st.rip, 0x1000);
    assert_true(cpu->st.gpr[R_CX] < 200000 && cpu->st.gpr[R_CX] > 0);
    /* single step: one iteration at a time */
    cpu->st.rflags |= FL_TF;
    x86_update_hflags(cpu);
    cpu->st.gpr[R_CX] = 3;
    assert_int_equal(flat_exec(cpu, "\xf3\xaa", 2), FLAT_OK);
    assert_int_equal(cpu->st.gpr[R_CX], 2);
    assert_int_equal(cpu->st.rip, 0x1000);
}

static void string_offsets_wrap_at_the_address_size(void **state)
{
    flat_cpu(cpu, FLAT_REAL);
    cpu->st.gpr[R_DI] = 0xaaaa0000fffe;
    cpu->st.gpr[R_CX] = 0x50004;
    cpu->st.gpr[R_AX] = 0x77;
    *(uint32_t *)FLAT_BASE = 0;
    int r;
    do {
        r = flat_exec(cpu, "\xf3\xaa", 2);
    } while (r == FLAT_OK && (cpu->st.gpr[R_CX] & 0xffff));
    assert_int_equal(r, FLAT_OK);
    assert_int_equal(cpu->st.gpr[R_DI], 0xaaaa00000002);
    assert_int_equal(cpu->st.gpr[R_CX], 0x50000);
    assert_int_equal(*(uint32_t *)FLAT_BASE, 0x7777);
    assert_int_equal(*(uint16_t *)(FLAT_BASE + 0xfffe), 0x7777);
}

static void stack_width_follows_ss_and_faults_leave_rsp(void **state)
{
    flat_cpu(cpu, FLAT_PROT32);
    cpu->st.seg[R_SS].attr &= ~SEG_DB; /* 16-bit stack in 32-bit code */
    cpu->st.seg[R_SS].base = FLAT_BASE;
    x86_update_hflags(cpu);
    cpu->st.gpr[R_SP] = 0xabcd0002;
    cpu->st.gpr[R_AX] = 0x11223344;
    assert_int_equal(flat_exec(cpu, "\x50", 1), FLAT_OK);
    assert_int_equal(cpu->st.gpr[R_SP], 0xabcdfffe);
    cpu->st.gpr[R_SP] = 0xabcd8000;
    assert_int_equal(flat_exec(cpu, "\x60", 1), FLAT_OK);
    assert_int_equal(cpu->st.gpr[R_SP], 0xabcd7fe0);
    assert_int_equal(*(uint32_t *)(FLAT_BASE + 0x7ffc), 0x11223344);
    assert_int_equal(*(uint32_t *)(FLAT_BASE + 0x7fec), 0xabcd8000);
    cpu->st.gpr[R_AX] = 0;
    assert_int_equal(flat_exec(cpu, "\x61", 1), FLAT_OK);
    assert_int_equal(cpu->st.gpr[R_SP], 0xabcd8000);
    assert_int_equal(cpu->st.gpr[R_AX], 0x11223344);

    flat_cpu(cpu, FLAT_MODE64);
    flat_protect(FLAT_STACK - 4096, 4096, FLAT_RO);
    assert_int_equal(flat_exec(cpu, "\x50", 1), EXC_PF);
    assert_int_equal(cpu->st.gpr[R_SP], FLAT_STACK);
    assert_int_equal(flat_exec(cpu, "\xc8\x10\x00\x03", 4), EXC_PF);
    assert_int_equal(cpu->st.gpr[R_SP], FLAT_STACK);
    flat_protect(FLAT_STACK - 4096, 4096, FLAT_RW);
    /* POP to a faulting place addressed by rSP */
    cpu->st.gpr[R_SP] = FLAT_STACK;
    flat_protect(FLAT_STACK + 4096, 4096, FLAT_RO);
    assert_int_equal(flat_exec(cpu, "\x8f\x84\x24\xf8\x0f\x00\x00", 7), EXC_PF);
    assert_int_equal(cpu->st.gpr[R_SP], FLAT_STACK);
    assert_int_equal(cpu->st.event.cr2, FLAT_STACK + 4096);
    flat_protect(FLAT_STACK + 4096, 4096, FLAT_RW);
}

static void faulting_writes_leave_registers_and_flags(void **state)
{
    static const char *const cases[] = {
        "\x01\x00", "\x87\x08", "\x0f\xc1\x08", "\x0f\xb1\x08", "\xff\x00", "\xd1\x20",
        "\x0f\xab\x08", "\x0f\xa5\x08", "\x0f\xc7\x08", "\x11\x00", "\xf7\x18",
        "\x0f\x94\x00",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t before[16];
        flat_cpu(cpu, FLAT_MODE64);
        flat_protect(FLAT_DATA, 4096, FLAT_RO);
        memset((void *)FLAT_DATA, 0x33, 64);
        cpu->st.gpr[R_AX] = FLAT_DATA;
        cpu->st.gpr[R_CX] = 3;
        cpu->st.rflags = FL_ONE | FL_OF | FL_PF;
        memcpy(before, cpu->st.gpr, sizeof(before));
        assert_int_equal(flat_exec(cpu, cases[i], 4), EXC_PF);
        assert_memory_equal(before, cpu->st.gpr, sizeof(before));
        assert_int_equal(cpu->st.rflags, FL_ONE | FL_OF | FL_PF);
        assert_int_equal(cpu->st.event.error, PF_P | PF_W);
        assert_int_equal(*(uint32_t *)FLAT_DATA, 0x33333333);
    }
    flat_protect(FLAT_DATA, 4096, FLAT_RW);
    flat_cpu(cpu, FLAT_MODE64);
}

static void generic_checks_raise_what_the_row_asks_for(void **state)
{
    X86Insn in = { .len = 2 };
    X86Row row = { .name = "x" };
    const struct {
        uint32_t flags;
        uint64_t cr0_set, cr4_clear;
        int want;
    } c[] = {
        { RF_FPU, CR0_TS, 0, EXC_NM },        { RF_FPU, CR0_EM, 0, EXC_NM },
        { RF_MMX, CR0_EM, 0, EXC_UD },        { RF_MMX, CR0_TS, 0, EXC_NM },
        { RF_SSE, CR0_EM, 0, EXC_UD },        { RF_SSE, 0, CR4_OSFXSR, EXC_UD },
        { RF_SSE, CR0_TS, 0, EXC_NM },        { RF_AVX, CR0_TS, 0, EXC_NM },
        { RF_AVX, 0, CR4_OSXSAVE, EXC_UD },   { RF_WAIT, CR0_TS | CR0_MP, 0, EXC_NM },
        { RF_SSE, CR0_EM | CR0_TS, 0, EXC_UD },
    };
    flat_cpu(cpu, FLAT_MODE64);
    assert_int_equal(flat_exec(cpu, "\x0f\x0b", 2), EXC_UD);
    assert_int_equal(flat_exec(cpu, "\xf7\xf1", 2), EXC_DE);
    in.row = &row;
    for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
        flat_cpu(cpu, FLAT_MODE64);
        cpu->st.cr0 |= c[i].cr0_set;
        cpu->st.cr4 &= ~c[i].cr4_clear;
        x86_update_hflags(cpu);
        row.flags = c[i].flags;
        assert_int_equal(flat_run(cpu, &in), c[i].want);
    }
    flat_cpu(cpu, FLAT_MODE64);
    row.flags = RF_WAIT;
    cpu->st.xsave.fsw = 0x80;
    assert_int_equal(flat_run(cpu, &in), EXC_MF);
    row.flags = RF_CPL0;
    cpu->st.cpl = 3;
    assert_int_equal(flat_run(cpu, &in), EXC_GP);
    flat_cpu(cpu, FLAT_V86);
    row.flags = RF_PE;
    assert_int_equal(flat_run(cpu, &in), EXC_UD);
    flat_cpu(cpu, FLAT_MODE64);
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
        cmocka_unit_test(strings_stack_and_bit_strings_do_what_the_host_does),
        cmocka_unit_test(integer_rows_of_32_bit_code_do_what_the_host_does),
        cmocka_unit_test(strings_and_stack_of_32_bit_code_do_what_the_host_does),
        cmocka_unit_test(near_branches_cut_and_check_their_targets),
        cmocka_unit_test(loops_count_by_address_size),
        cmocka_unit_test(a_fault_in_the_middle_of_rep_leaves_a_restartable_state),
        cmocka_unit_test(long_rep_comes_back_to_itself_so_that_interrupts_get_in),
        cmocka_unit_test(string_offsets_wrap_at_the_address_size),
        cmocka_unit_test(stack_width_follows_ss_and_faults_leave_rsp),
        cmocka_unit_test(faulting_writes_leave_registers_and_flags),
        cmocka_unit_test(generic_checks_raise_what_the_row_asks_for),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

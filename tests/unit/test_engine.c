/* SPDX-License-Identifier: MIT */
/*
 * The engine against itself: random instruction sequences run once by the template
 * translator's host code and once instruction by instruction by the reference functions,
 * from the same state; registers, flags, vector state and memory must agree, also where an
 * instruction faults. DYAD_SEED=n repeats a run, DYAD_ROUNDS=n sets its length,
 * DYAD_ROW=NAME uses only that mnemonic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "hw/core/machine.h"
#include "target-x86/engine.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "tests/unit/engine_rig.h"
#include "tests/unit/insn_gen.h"

/* ---- random sequences ---- */

typedef struct Seq {
    uint8_t code[2048];
    unsigned len, n;
    uint16_t at[64];
} Seq;

static const X86Row *rows[4096];
static unsigned nrows;

static void collect_rows(void)
{
    const char *only = getenv("DYAD_ROW");

    for (const X86RowTable *t = x86_row_tables; t->name; t++) {
        for (unsigned i = 0; i < t->count; i++) {
            const X86Row *r = &t->rows[i];
            if (!(r->flags & RF_PLAIN) || (r->flags & RF_NO64) ||
                (r->flags & RF_AVX512 && !(cpu->hflags & HF_AVX512)) ||
                (r->feat && (!x86_host_has(r->feat) || !x86_has(cpu, r->feat))) ||
                (only && strcmp(only, r->name))) {
                continue;
            }
            rows[nrows++] = r;
        }
    }
}

static void emit(Seq *s, const void *p, unsigned n)
{
    memcpy(s->code + s->len, p, n);
    s->len += n;
}

static void emit_mov_imm(Seq *s, unsigned r, uint64_t v)
{
    uint8_t b[10] = { 0x48 | (r > 7), 0xb8 | (r & 7) };
    memcpy(b + 2, &v, 8);
    emit(s, b, 10);
}

/* Results that the manual leaves undefined, or where AMD and the SDM differ: x87 compares
 * with #I unmasked set the condition codes on AMD's, on Intel's they do not (FCOM, FICOM). */
static bool undefined_result(const X86Insn *in)
{
    const char *name = in->row->name;
    return ((!strcmp(name, "SHLD") || !strcmp(name, "SHRD")) && in->opsize == 2) ||
           !strncmp(name, "FICOM", 5) || !strncmp(name, "FCOM", 4) ||
           !strncmp(name, "FUCOM", 5) || !strcmp(name, "FTST");
}

static void emit_random(Seq *s)
{
    uint8_t bytes[15];
    X86Insn in;
    const X86Row *row = rows[gen_rand() % nrows];
    unsigned len = gen_insn(row, bytes, &in, cpu->hflags, cpu->feat);

    if (!len || in.op[0].kind == OPND_SEG || undefined_result(&in)) {
        return;
    }
    for (unsigned i = 0; i < in.nops; i++) { /* leave rsp alone: the stack must stay good */
        if (in.op[i].kind == OPND_GPR && in.op[i].reg == R_SP) {
            return;
        }
    }
    if (in.is_mem) {
        uint64_t gpr[16], old[16];
        for (unsigned r = 0; r < 16; r++) {
            gpr[r] = old[r] = gen_value();
        }
        uint64_t to = DATA + 0x1000 + (gen_rand() % 8 ? gen_rand() % 256 & ~31ull
                                                      : 0xff0 + gen_rand() % 32);
        if (row->enc == ENC_EVEX) {
            to = gen_rand() & 1 ? to & ~63ull : to;
            to = in.k && gen_rand() % 4 == 0 ? DATA + DATA_SIZE - gen_rand() % 80 : to;
        }
        if (in.base == R_SP || in.index == R_SP || !gen_point(&in, gpr, to)) {
            return;
        }
        for (unsigned r = 0; r < 16; r++) {
            if (gpr[r] != old[r] || (int)r == in.base || (int)r == in.index) {
                emit_mov_imm(s, r, gpr[r]);
            }
        }
    }
    s->at[s->n++] = s->len;
    emit(s, bytes, len);
    if (row->fl_undef) { /* nobody may read what is undefined: test rsp,rsp */
        emit(s, "\x48\x85\xe4", 3);
    }
}


/* mov/add r64,[base+d8] or [base+d8],r64 */
static void emit_field(Seq *s, unsigned base, unsigned reg, int8_t d)
{
    static const uint8_t ops[] = { 0x8b, 0x89, 0x03, 0x01, 0x8b, 0x89, 0x3b };
    uint8_t b[5], n = 0;
    b[n++] = 0x48 | (reg > 7) << 2 | (base > 7);
    b[n++] = ops[gen_rand() % sizeof(ops)];
    b[n++] = 0x40 | (reg & 7) << 3 | (base & 7);
    if ((base & 7) == 4) {
        b[n++] = 0x24;
    }
    b[n++] = d;
    emit(s, b, n);
}

/* A run of accesses through one register, the food of check groups; near a page's end
 * now and then. */
static void emit_run(Seq *s)
{
    static const uint8_t bases[] = { R_BX, R_BP, R_DI, R_12, R_10, R_15, R_13 };
    unsigned base = bases[gen_rand() % sizeof(bases)], n = 2 + gen_rand() % 6, pushed = 0;
    bool stack = gen_rand() & 1;

    if (!stack) {
        emit_mov_imm(s, base, DATA + 0x1000 + (gen_rand() & 1 ? 0x80 : 0xfc0) + gen_rand() % 64);
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned reg = gen_rand() % 16;
        reg = reg == R_SP ? R_AX : reg;
        s->at[s->n++] = s->len;
        if (!stack) {
            emit_field(s, base, reg == base ? R_CX : reg, gen_rand() % 128 - 64);
        } else if (gen_rand() & 1) {
            uint8_t b[2] = { 0x41, 0x50 | (reg & 7) };
            emit(s, reg > 7 ? b : b + 1, reg > 7 ? 2 : 1);
            pushed++;
        } else if (pushed && gen_rand() & 1) {
            uint8_t b[2] = { 0x41, 0x58 | (reg & 7) };
            emit(s, reg > 7 ? b : b + 1, reg > 7 ? 2 : 1);
            pushed--;
        } else {
            emit_field(s, R_SP, reg, 8 * (gen_rand() % 16));
        }
    }
    if (pushed) {
        uint8_t b[4] = { 0x48, 0x83, 0xc4, 8 * pushed }; /* add rsp, n */
        s->at[s->n++] = s->len;
        emit(s, b, 4);
    }
}

static void show(const Seq *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        X86Insn in;
        x86_decode(&in, s->code + s->at[i], 15, cpu->hflags, cpu->feat);
        fprintf(stderr, "  +%03x %-12s", s->at[i], in.row ? in.row->name : "?");
        for (unsigned k = 0; k < in.len; k++) {
            fprintf(stderr, " %02x", in.bytes[k]);
        }
        fputc('\n', stderr);
    }
}

static void random_sequences(bool exact)
{
    const char *seed_text = getenv("DYAD_SEED"), *rounds_text = getenv("DYAD_ROUNDS");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
    unsigned rounds = rounds_text ? atoi(rounds_text) : 20000, bad = 0;
    static uint8_t before[DATA_SIZE], native_mem[DATA_SIZE], native_stack[0x2000];
    static X86State start, native;

    take_signals();
    x86_engine.exact_flags = exact;
    tb_flush(x86_engine.cache, &cpu->cpu);
    nrows = 0;
    gen_seed(seed);
    printf("seed %llu, %u rounds\n", (unsigned long long)seed, rounds);
    base_state(&start);
    start_from(&start);
    collect_rows();
    printf("%u rows\n", nrows);
    for (unsigned round = 0; round < rounds && bad < 10; round++) {
        Seq s = { .len = 0 };
        unsigned want = 1 + gen_rand() % 6;
        while (s.n < want) {
            if (gen_rand() % 4) {
                emit_random(&s);
            } else {
                emit_run(&s);
            }
        }
        emit(&s, "\xe6\xf4\xf4", 3);
        base_state(&start);
        for (unsigned r = 0; r < 16; r++) {
            if (r != R_SP) {
                start.gpr[r] = gen_value();
            }
        }
        start.gpr[R_SP] = STACK + 0x800 + (gen_rand() & 1 ? 0 : 0x7c0) + gen_rand() % 64;
        start.rflags |= gen_rand() & FL_STATUS;
        for (unsigned i = 0; i < 16; i++) {
            for (unsigned k = 0; k < 2; k++) {
                start.xsave.xmm[i].q[k] = gen_value();
                start.xsave.ymmh[i].q[k] = gen_value();
            }
        }
        for (unsigned i = 0; i < 8 && start.xcr0 & XCR0_AVX512; i++) {
            start.xsave.k[i] = gen_value();
        }
        for (unsigned i = 0; i < 16 && start.xcr0 & XCR0_AVX512; i++) {
            for (unsigned k = 0; k < 8; k++) {
                start.xsave.zmmh[i][k / 4].q[k & 1] = gen_value();
                start.xsave.zmm16[i][k / 2].q[k & 1] = gen_value();
            }
        }
        start.xsave.mxcsr = 0x1f80 | (gen_rand() & 0xe040);
        uint64_t code = CODE + (gen_rand() % 4 ? 0 : gen_rand() % 0xf00);
        start.rip = code;
        for (unsigned i = 0; i < DATA_SIZE; i += 8) {
            uint64_t v = gen_value();
            memcpy(before + i, &v, 8);
        }
        memory_write(&machine->mem, code, s.code, s.len);
        memcpy(mem(DATA), before, DATA_SIZE);
        memcpy(mem(STACK), before, 0x2000);
        start_from(&start);
        run_native();
        native = cpu->st;
        memcpy(native_mem, mem(DATA), DATA_SIZE);

        memcpy(mem(DATA), before, DATA_SIZE);
        memcpy(native_stack, mem(STACK), 0x2000);
        memcpy(mem(STACK), before, 0x2000);
        start_from(&start);
        run_reference();
        bool same = compare(&native, &cpu->st, native_mem, mem(DATA), DATA_SIZE);
        uint64_t diff = native.rflags ^ cpu->st.rflags;
        if (diff && native.rip == cpu->st.rip && native.rip != HANDLER + 2) {
            fprintf(stderr, "flags native %llx reference %llx\n",
                    (unsigned long long)native.rflags, (unsigned long long)cpu->st.rflags);
            same = false;
        }
        if ((exact || native.rip != HANDLER + 2) && memcmp(native_stack, mem(STACK), 0x2000)) {
            fprintf(stderr, "stack differs\n"); /* pushed flags too, if they are exact */
            same = false;
        }
        if (!same) {
            fprintf(stderr, "round %u\n", round);
            show(&s);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

static void random_sequences_agree_with_exact_flags(void **state)
{
    random_sequences(true);
}

static void random_sequences_agree_with_shared_checks(void **state)
{
    random_sequences(false);
}

/* The jump hash leads B to the entry of A's block, which a store has dropped: their slots are
 * the same, and they have no bit in common (the entry once took that for a match). */
static void a_dropped_block_is_not_entered_for_another_pc(void **state)
{
    enum { A = 0x400010 };
    static const uint8_t code[] = {
        0xb8, 0x10, 0x00, 0x40, 0x00, /* mov eax, A */
        0xff, 0xd0,                   /* call rax */
        0xb9, 0x11, 0x00, 0x40, 0x00, /* mov ecx, A + 1 */
        0xc6, 0x01, 0x02,             /* mov byte [rcx], 2 */
        0xb8, 0x00, 0x00, 0x00, 0x00, /* mov eax, B */
        0xff, 0xd0,                   /* call rax */
        0xe6, 0xf4, 0xf4,             /* out 0xf4, al; hlt */
    };
    uint32_t b = 0x800000;
    X86State st;

    while (b < RAM && (b & A || jmp_index(b) != jmp_index(A) || (b & 0xfff) > 0xf00)) {
        b += 16;
    }
    assert_true(b < RAM);
    take_signals();
    base_state(&st);
    memcpy(mem(CODE), code, sizeof(code));
    memcpy(mem(CODE) + 16, &b, 4);
    memcpy(mem(A), "\xbb\x01\x00\x00\x00\xc3", 6); /* mov ebx, 1; ret */
    memcpy(mem(b), "\xbe\x07\x00\x00\x00\xc3", 6); /* mov esi, 7; ret */
    tb_flush(x86_engine.cache, &cpu->cpu);
    start_from(&st);
    run_native();
    assert_int_equal(cpu->st.gpr[R_BX], 1);
    assert_int_equal(cpu->st.gpr[R_SI], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dropped_block_is_not_entered_for_another_pc),
        cmocka_unit_test(random_sequences_agree_with_exact_flags),
        cmocka_unit_test(random_sequences_agree_with_shared_checks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

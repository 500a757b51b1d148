/* SPDX-License-Identifier: MIT */
/*
 * The engine against itself: random instruction sequences run once by the template
 * translator's host code and once instruction by instruction by the reference functions,
 * from the same state; registers, flags, vector state and memory must agree, also where an
 * instruction faults. DYAD_SEED=n repeats a run, DYAD_ROUNDS=n sets its length,
 * DYAD_ROW=NAME uses only that mnemonic.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "accel/tcg/tcg.h"
#include "hw/core/machine.h"
#include "target-x86/create.h"
#include "target-x86/engine.h"
#include "target-x86/leaf.h"
#include "target-x86/leaf.h"
#include "target-x86/models.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "target-x86/tcg_ops.h"
#include "tests/unit/insn_gen.h"

enum {
    PT = 0x1000, IDT = 0x8000, HANDLER = 0x9000, CODE = 0x10000, STACK = 0x30000,
    DATA = 0x40000, DATA_SIZE = 0x4000, RAM = 32 << 20,
};

static MemoryRegion ram, exit_port;
static X86Cpu *cpu;

static void exit_write(void *opaque, uint64_t addr, uint64_t v, unsigned size)
{
    cpu_request(&cpu->cpu, CPU_REQ_STOP);
}

static uint64_t exit_read(void *opaque, uint64_t addr, unsigned size) { return 0; }

static const MemoryOps exit_ops = { exit_read, exit_write, 1, 1, false, false };

static bool rig_init(Machine *m, Error *err)
{
    if (!memory_init_ram(&ram, m, "ram", RAM, err)) {
        return false;
    }
    memory_add(&m->mem_root, &ram, 0, 0);
    memory_init_io(&exit_port, m, "exit", 1, &exit_ops, NULL);
    memory_add(&m->io_root, &exit_port, 0xf4, 0);
    m->ncpus = 1;
    m->cpus[0] = m->cpu_factory->create(m, 0, err);
    return m->cpus[0] != NULL;
}

static const MachineClass rig_class = {
    .name = "rig", .size = sizeof(Machine), .default_ram = RAM, .max_cpus = 1,
    .init = rig_init,
};
const MachineClass *const machine_classes[] = { &rig_class, NULL };
const DeviceClass *const device_classes[] = { NULL };

static uint8_t *mem(uint64_t at) { return memory_host(&ram) + at; }
static void put64(uint64_t at, uint64_t v) { memcpy(mem(at), &v, 8); }

/* 4 KiB pages for the first 2 MiB, one 2 MiB page each behind. */
static void build_tables(void)
{
    put64(PT, (PT + 0x1000) | 7);
    put64(PT + 0x1000, (PT + 0x2000) | 7);
    put64(PT + 0x2000, (PT + 0x3000) | 7);
    for (unsigned i = 0; i < 512; i++) {
        put64(PT + 0x3000 + 8 * i, (uint64_t)i << 12 | 0x67);
    }
    put64(PT + 0x3000 + 8 * ((DATA + DATA_SIZE) >> 12), 0); /* not there: masked accesses */
    for (unsigned i = 1; i < 16; i++) {
        put64(PT + 0x2000 + 8 * i, (uint64_t)i << 21 | 0xe7);
    }
    for (unsigned v = 0; v < 32; v++) {
        put64(IDT + 16 * v, (HANDLER & 0xffffull) | 8 << 16 | 0x8eull << 40 |
                                (uint64_t)(HANDLER >> 16) << 48);
        put64(IDT + 16 * v + 8, 0);
    }
    memcpy(mem(HANDLER), "\xe6\xf4\xf4", 3);
    /* GDT: null, 64-bit code, data */
    put64(0x7000, 0);
    put64(0x7008, 0x00af9b000000ffffull);
    put64(0x7010, 0x00cf93000000ffffull);
}

static void base_state(X86State *st)
{
    X86Seg data = { 0, 0xffffffff, 0xc093, 0x10 };

    memset(st, 0, sizeof(*st));
    st->rflags = 2;
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        st->seg[i] = data;
    }
    st->seg[R_CS] = (X86Seg){ 0, 0xffffffff, 0xa09b, 8 };
    st->tr = (X86Seg){ 0, 0x67, 0x8b, 0x18 };
    st->ldt.attr = SEG_UNUSABLE;
    st->gdt = (X86Table){ 0x7000, 0x1f };
    st->idt = (X86Table){ IDT, 32 * 16 - 1 };
    st->cr0 = CR0_PG | CR0_PE | CR0_NE | CR0_ET | CR0_WP | CR0_MP;
    st->cr3 = PT;
    st->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    st->efer = EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE;
    st->xcr0 = 7 | (x86_host_has(X86F_AVX512F) ? XCR0_AVX512 : 0);
    st->dr6 = DR6_FIXED;
    st->dr7 = DR7_FIXED;
    st->xsave.fcw = 0x37f;
    st->xsave.mxcsr = 0x1f80;
    st->xsave.xstate_bv = st->xcr0;
    st->rip = CODE;
    st->gpr[R_SP] = STACK + 0x800;
}

static Machine *machine;

/* cmocka takes the fault signals over for each test; the engine needs its own. */
static const int engine_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
static struct sigaction engine_actions[ARRAY_SIZE(engine_signals)];

static void keep_signals(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(engine_signals); i++) {
        sigaction(engine_signals[i], NULL, &engine_actions[i]);
    }
}

static void take_signals(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(engine_signals); i++) {
        sigaction(engine_signals[i], &engine_actions[i], NULL);
    }
}

static void release(Machine *m, void *arg) { accel_tcg_class.destroy(m); }

static int setup(void **state)
{
    static TcgOptions opts = { .backend = 0, .tb_size = 16 * MiB, .exact_flags = true };
    Error err = ERROR_INIT;
    MachineConfig cfg = { .ram_size = RAM, .cpus = 1, .cpu_model = "max" };

    tcg_set_guest(&x86_tcg_ops);
    machine = machine_create(&rig_class, &cfg, &err);
    assert_non_null(machine);
    machine->cpu_factory = &x86_cpu_factory;
    machine->release = release;
    if (!accel_tcg_class.init_machine(machine, &opts, &err) || !machine_init(machine, &err)) {
        error_report(&err);
        return -1;
    }
    cpu = X86_CPU(machine->cpus[0]);
    for (unsigned i = 0; i < X86F_NWORDS; i++) { /* not only what "max" shows */
        cpu->feat[i] |= x86_tcg_features()[i];
    }
    cpu_self = &cpu->cpu;
    build_tables();
    keep_signals();
    return 0;
}

static int teardown(void **state)
{
    machine_destroy(machine);
    return 0;
}

static void start_from(const X86State *st)
{
    cpu->st = *st;
    x86_update_hflags(cpu);
    softmmu_flush_all(cpu);
    softmmu_set_mode(cpu);
    atomic_store(&cpu->cpu.request, 0);
    atomic_store(&cpu->cpu.exit_request, 0);
}

static void run_native(void)
{
    x86_engine.native = true;
    machine->exec->run(&cpu->cpu);
}

static void run_reference(void)
{
    for (unsigned n = 0; !cpu_must_leave(&cpu->cpu) && n < 100000; n++) {
        x86_engine_step(cpu);
    }
    x86_fpu_sync(cpu);
}

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

/* Results that the manual leaves undefined, or where AMD and the SDM differ. */
static bool undefined_result(const X86Insn *in)
{
    const char *name = in->row->name;
    return ((!strcmp(name, "SHLD") || !strcmp(name, "SHRD")) && in->opsize == 2) ||
           !strncmp(name, "FCOM", 4) || !strncmp(name, "FUCOM", 5) || !strcmp(name, "FTST");
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

static bool compare(const X86State *a, const X86State *b, const uint8_t *ma,
                    const uint8_t *mb)
{
    bool same = true;
    for (unsigned r = 0; r < 16; r++) {
        if (a->gpr[r] != b->gpr[r]) {
            fprintf(stderr, "r%u native %016llx reference %016llx\n", r,
                    (unsigned long long)a->gpr[r], (unsigned long long)b->gpr[r]);
            same = false;
        }
    }
    if (a->rip != b->rip || a->cr2 != b->cr2) {
        fprintf(stderr, "rip native %llx reference %llx\n", (unsigned long long)a->rip,
                (unsigned long long)b->rip);
        same = false;
    }
    if (memcmp(a->xsave.st, b->xsave.st, sizeof(a->xsave.st)) ||
        memcmp(a->xsave.xmm, b->xsave.xmm, sizeof(a->xsave.xmm)) ||
        memcmp(a->xsave.ymmh, b->xsave.ymmh, sizeof(a->xsave.ymmh)) ||
        a->xsave.mxcsr != b->xsave.mxcsr || a->xsave.fsw != b->xsave.fsw ||
        memcmp(a->xsave.k, b->xsave.k, sizeof(a->xsave.k)) ||
        memcmp(a->xsave.zmmh, b->xsave.zmmh, sizeof(a->xsave.zmmh)) ||
        memcmp(a->xsave.zmm16, b->xsave.zmm16, sizeof(a->xsave.zmm16)) ||
        a->xsave.fcw != b->xsave.fcw || a->xsave.ftw != b->xsave.ftw) {
        fprintf(stderr, "vector state differs: mxcsr %x %x fsw %x %x ftw %x %x\n",
                a->xsave.mxcsr, b->xsave.mxcsr, a->xsave.fsw, b->xsave.fsw, a->xsave.ftw,
                b->xsave.ftw);
        for (unsigned i = 0; i < 16; i++) {
            if (memcmp(&a->xsave.xmm[i], &b->xsave.xmm[i], 16)) {
                fprintf(stderr, "xmm%u %016llx%016llx %016llx%016llx\n", i,
                        (unsigned long long)a->xsave.xmm[i].q[1],
                        (unsigned long long)a->xsave.xmm[i].q[0],
                        (unsigned long long)b->xsave.xmm[i].q[1],
                        (unsigned long long)b->xsave.xmm[i].q[0]);
            }
        }
        same = false;
    }
    for (unsigned i = 0; i < DATA_SIZE; i++) {
        if (ma[i] != mb[i]) {
            fprintf(stderr, "memory +%x native %02x reference %02x\n", i, ma[i], mb[i]);
            same = false;
            break;
        }
    }
    return same;
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
        bool same = compare(&native, &cpu->st, native_mem, mem(DATA));
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

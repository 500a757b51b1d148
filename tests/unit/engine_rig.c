/* SPDX-License-Identifier: MIT */
/* See engine_rig.h. */
#include "tests/unit/engine_rig.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "target-x86/leaf.h"
#include "target-x86/models.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "tests/unit/tcg_board.h"

X86Cpu *cpu;
Machine *machine;

uint8_t *mem(uint64_t at) { return tcg_board_mem(at); }
void put64(uint64_t at, uint64_t v) { tcg_board_put64(at, v); }

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

void base_state(X86State *st)
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

static const int engine_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
static struct sigaction engine_actions[ARRAY_SIZE(engine_signals)];

static void keep_signals(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(engine_signals); i++) {
        sigaction(engine_signals[i], NULL, &engine_actions[i]);
    }
}

void take_signals(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(engine_signals); i++) {
        sigaction(engine_signals[i], &engine_actions[i], NULL);
    }
}

int setup(void **state)
{
    static TcgOptions opts = { .backend = 0, .tb_size = 16 * MiB, .exact_flags = true };
    Error err = ERROR_INIT;

    machine = tcg_board_create(RAM, &opts, &err);
    if (!machine) {
        error_report(&err);
        return -1;
    }
    cpu = tcg_board_cpu();
    build_tables();
    keep_signals();
    return 0;
}

int teardown(void **state)
{
    machine_destroy(machine);
    return 0;
}

void start_from(const X86State *st)
{
    cpu->st = *st;
    x86_update_hflags(cpu);
    softmmu_flush_all(cpu);
    softmmu_set_mode(cpu);
    atomic_store(&cpu->cpu.request, 0);
    atomic_store(&cpu->cpu.exit_request, 0);
}

void run_native(void)
{
    x86_engine.native = true;
    machine->exec->run(&cpu->cpu);
}

void run_reference(void)
{
    for (unsigned n = 0; !cpu_must_leave(&cpu->cpu) && n < 100000; n++) {
        x86_engine_step(cpu);
    }
    x86_fpu_sync(cpu);
}

bool compare(const X86State *a, const X86State *b, const uint8_t *ma,
                    const uint8_t *mb, unsigned n)
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
    for (unsigned i = 0; i < n; i++) {
        if (ma[i] != mb[i]) {
            fprintf(stderr, "memory +%x native %02x reference %02x\n", i, ma[i], mb[i]);
            same = false;
            break;
        }
    }
    return same;
}

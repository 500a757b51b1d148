/* SPDX-License-Identifier: MIT */
/*
 * A machine with one vCPU for cases: user mode (CPL 3) as under Linux, with Linux's
 * selectors, the window of judge.h, and kernel structures in the upper half. A case ends
 * at INT 81H or at a fault; both come to a handler in the guest, which writes to a port;
 * the state is then read from the frame on the kernel's stack.
 */
#include "hw/core/machine.h"
#include "target-x86/access.h"
#include "target-x86/engine.h"
#include "target-x86/leaf.h"
#include "target-x86/models.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "target-x86/window.h"
#include "tests/judge/judge.h"
#include "tests/judge/ldt.h"
#include "tests/unit/tcg_board.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL 0xffffffff80000000ull /* + physical address, first 2 MiB, supervisor */
enum {
    PT = 0x1000, /* PML4, then PDPT and PD for each half, PT of the window */
    GDT = 0x7000,
    LDT = 0x7800,
    TSS = 0x7c00,
    IDT = 0x8000,
    HANDLER = 0xa000,
    KSTACK = 0xd000,
    CODE = 0x10000,
    STACK = 0x20000,
    RO = 0x30000,
    RW = 0x31000,
    RAM = 4 << 20,
};

const char *const judge_engine_names[JUDGE_NENGINES] = { "reference", "native",
                                                         "native-warm", "native-exact",
                                                         "interp", "traces" };

static X86Cpu *cpu;
static Machine *machine;
static uint32_t features[X86F_NWORDS];
static unsigned runs;

static uint8_t *phys(uint64_t at)
{
    return tcg_board_mem(at);
}
static void put64(uint64_t at, uint64_t v)
{
    tcg_board_put64(at, v);
}

/* ---- the guest's world ---- */

#define NX (1ull << 63)

static void map_pages(uint32_t lin, unsigned size, uint64_t at, uint64_t rights)
{
    for (unsigned i = 0; i < size; i += 4096) {
        put64(PT + 0x5000 + 8 * ((lin + i) >> 12 & 511), (at + i) | 0x65 | rights);
    }
}

static void build_tables(void)
{
    put64(PT, (PT + 0x1000) | 7);
    put64(PT + 8 * (HIGH >> 39), (PT + 0x1000) | 7);
    put64(PT + 8 * 511, (PT + 0x3000) | 7);
    put64(PT + 0x1000, (PT + 0x2000) | 7);
    put64(PT + 0x2000 + 8 * (CODE_BASE >> 21), (PT + 0x5000) | 7);
    put64(PT + 0x3000 + 8 * 510, (PT + 0x4000) | 3);
    put64(PT + 0x4000, 0xe3);
    map_pages(CODE_BASE, CODE_SIZE, CODE, 2);
    map_pages(STACK_BASE, STACK_SIZE, STACK, 2 | NX);
    map_pages(RO_BASE, RO_SIZE, RO, NX);
    map_pages(RW_BASE, RW_SIZE, RW, 2 | NX);
}

static uint64_t descriptor(uint64_t base, uint64_t limit, uint64_t attr)
{
    return (limit & 0xffff) | (base & 0xffffff) << 16 | attr << 40 |
           (limit >> 16 & 15) << 48 | (base >> 24) << 56;
}

static void build_segments(void)
{
    uint64_t tss = KERNEL + TSS, ldt = KERNEL + LDT, stack = KERNEL + KSTACK;
    static const struct {
        uint8_t at;
        uint64_t v;
    } gdt[] = {
        /* as Linux has them (arch/x86/include/asm/segment.h), accessed */
        { 1, 0x00cf9b000000ffff },  { 2, 0x00af9b000000ffff }, { 3, 0x00cf93000000ffff },
        { 4, 0x00cffb000000ffff },  { 5, 0x00cff3000000ffff }, { 6, 0x00affb000000ffff },
        { 15, 0x0040f50000000001 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(gdt); i++) {
        put64(GDT + 8 * gdt[i].at, gdt[i].v);
    }
    put64(GDT + 0x40, descriptor(tss & 0xffffffff, 0x67, 0x8b));
    put64(GDT + 0x48, tss >> 32);
    put64(GDT + 0x50, descriptor(ldt & 0xffffffff, 8 * ARRAY_SIZE(judge_ldt) - 1, 0x82));
    put64(GDT + 0x58, ldt >> 32);
    memcpy(phys(TSS + 4), &stack, 8);
    memcpy(phys(TSS + 0x66), "\xff\xff", 2); /* no port is allowed */
    for (unsigned i = 0; i < ARRAY_SIZE(judge_ldt); i++) {
        put64(LDT + 8 * i, descriptor(judge_ldt[i].base, judge_ldt[i].limit,
                                      judge_ldt[i].code ? 0xfb : 0xf3));
    }
}

static void build_gates(void)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t h = KERNEL + HANDLER + 4 * v;
        unsigned dpl = v == EXC_BP || v == EXC_OF || v == 0x81 ? 3 : 0;
        put64(IDT + 16 * v, (h & 0xffff) | 0x10ull << 16 | (0x8eull | dpl << 5) << 40 |
                                (h >> 16 & 0xffff) << 48);
        put64(IDT + 16 * v + 8, h >> 32);
        memcpy(phys(HANDLER + 4 * v), "\xe6\xf4\xeb\xfe", 4); /* out 0f4h, al; jmp $ */
    }
}

void rig_end(void)
{
    host_kicks(0);
    machine_destroy(machine);
}

bool rig_init(bool windows, const char *cache)
{
    static TcgOptions opts = { .backend = 0, .tb_size = 16 * MiB };
    Error err = ERROR_INIT;
    uint32_t host[X86F_NWORDS];

    opts.mem = windows ? 2 : 0;
    opts.cache = (char *)cache;
    machine = tcg_board_create(RAM, &opts, &err);
    if (!machine) {
        error_report(&err);
        return false;
    }
    atexit(rig_end);
    cpu = tcg_board_cpu();
    host_features(host);
    for (unsigned i = 0; i < X86F_NWORDS; i++) { /* what both have, shown by "max" or not */
        cpu->feat[i] &= host[i];
        features[i] = cpu->feat[i];
    }
    build_tables();
    build_segments();
    build_gates();
    x86_engine.cache->trace_ids = TRACE_IDS - 500; /* they run out once in a while */
    return true;
}

const uint32_t *rig_features(void)
{
    return features;
}
X86Cpu *rig_cpu(void)
{
    return cpu;
}

uint64_t rig_xcr0(void)
{
    bool evex = features[X86F_AVX512F / 32] >> (X86F_AVX512F % 32) & 1;
    return evex ? host_xcr0() : 7;
}

/* ---- state ---- */

static X86Seg segment(uint16_t sel)
{
    uint64_t d = 0;
    if (!(sel & ~3)) {
        return (X86Seg){ .attr = SEG_UNUSABLE, .selector = sel };
    }
    memcpy(&d, phys((sel & 4 ? LDT : GDT) + (sel & ~7u)), 8);
    X86Seg s = { .selector = sel, .attr = d >> 40 & 0xf0ff };
    s.base = (d >> 16 & 0xffffff) | d >> 56 << 24;
    s.limit = (d & 0xffff) | (d >> 48 & 15) << 16;
    if (s.attr & SEG_G) {
        s.limit = s.limit << 12 | 0xfff;
    }
    return s;
}

static void load_state(const JudgeState *j)
{
    X86State *st = &cpu->st;

    memcpy(st->gpr, j->gpr, sizeof(st->gpr));
    st->rip = j->rip;
    st->rflags = (j->rflags & (FL_STATUS | FL_DF | FL_AC | FL_NT | FL_ID)) | FL_ONE |
                 FL_IF;
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        st->seg[i] = segment(j->sel[i]);
    }
    if (j->sel[R_CS] == 0x33) {
        st->seg[R_FS].base = j->fs_base;
        st->seg[R_GS].base = j->gs_base;
    }
    st->ldt = (X86Seg){ KERNEL + LDT, 8 * ARRAY_SIZE(judge_ldt) - 1, 0x82, 0x50 };
    st->tr = (X86Seg){ KERNEL + TSS, 0x67, 0x8b, 0x40 };
    st->gdt = (X86Table){ KERNEL + GDT, 0x7f };
    st->idt = (X86Table){ KERNEL + IDT, 0xfff };
    st->cr0 = CR0_PG | CR0_PE | CR0_NE | CR0_ET | CR0_WP | CR0_MP | CR0_AM;
    st->cr2 = 0;
    st->cr3 = PT;
    st->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE |
              CR4_UMIP;
    st->efer = EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE;
    st->xcr0 = rig_xcr0();
    st->dr6 = DR6_FIXED;
    st->dr7 = DR7_FIXED;
    st->cpl = 3;
    st->int_shadow = 0;
    st->halted = 0;
    st->event.valid = 0;
    st->xsave = j->xsave;
    cpu->feat[0] = features[0];
    x86_update_hflags(cpu);
    softmmu_set_mode(cpu);
    atomic_store(&cpu->cpu.request, 0);
    atomic_store(&cpu->cpu.exit_request, 0);
}

static void frame_word(uint64_t *v, unsigned i)
{
    memcpy(v, phys(KSTACK - 8 * (i + 1)), 8);
}

void rig_state(JudgeState *out)
{
    const X86State *st = &cpu->st;

    memcpy(out->gpr, st->gpr, sizeof(out->gpr));
    out->rip = st->rip;
    out->rflags = st->rflags;
    out->vector = JUDGE_DONE;
    out->error = 0;
    out->cr2 = st->cr2;
    out->fs_base = st->seg[R_FS].base;
    out->gs_base = st->seg[R_GS].base;
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        out->sel[i] = st->seg[i].selector;
    }
    out->xsave = st->xsave;
    if (st->cpl) {
        return;
    }
    /* in the kernel: SS RSP RFLAGS CS RIP [error] from the top of its stack down */
    uint64_t ss, cs, rip, error = 0;
    frame_word(&ss, 0);
    frame_word(&out->gpr[R_SP], 1);
    frame_word(&out->rflags, 2);
    frame_word(&cs, 3);
    frame_word(&rip, 4);
    if (st->gpr[R_SP] == KERNEL + KSTACK - 48) {
        frame_word(&error, 5);
    }
    out->sel[R_SS] = ss;
    out->sel[R_CS] = cs;
    out->rip = rip;
    out->error = error;
    out->vector = (st->rip - KERNEL - HANDLER) / 4;
    if (out->vector == 0x81) {
        out->vector = JUDGE_DONE;
        out->rip -= 2;
    }
}

JudgeMem *rig_mem(void)
{
    static JudgeMem m;
    memcpy(m.stack, phys(STACK), STACK_SIZE);
    memcpy(m.rw, phys(RW), RW_SIZE);
    return &m;
}

void rig_put_code(uint32_t lin, const void *bytes, unsigned n)
{
    memory_write(&machine->mem, lin - CODE_BASE + CODE, bytes, n);
}

const uint8_t *rig_code(uint32_t lin)
{
    return phys(lin - CODE_BASE + CODE);
}

bool rig_peek(uint64_t lin, unsigned n, uint64_t *v)
{
    static const struct {
        uint32_t base, size, at;
    } parts[] = {
        { CODE_BASE, CODE_SIZE, CODE },
        { STACK_BASE, STACK_SIZE, STACK },
        { RO_BASE, RO_SIZE + RW_SIZE, RO }, /* RW follows RO in both */
    };
    *v = 0;
    lin = judge_low(lin);
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        if (lin - parts[i].base < parts[i].size - n) {
            memcpy(v, phys(lin - parts[i].base + parts[i].at), n);
            return true;
        }
    }
    return false;
}

/* What the engine believes of each memory operand, right or wrong, must not matter. */
static void believe(const JudgeCase *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        x86_win_site_set(CODE + c->start - CODE_BASE + c->at[i], c->site[i]);
    }
}

void rig_start(const JudgeCase *c, bool fresh)
{
    if (fresh && c->len) {
        rig_put_code(c->start, c->code, c->len);
        believe(c);
    }
    if (fresh) {
        rig_put_code(c->start + c->len, RIG_END, 2);
    }
    memcpy(phys(STACK), c->mem->stack, STACK_SIZE);
    memcpy(phys(RW), c->mem->rw, RW_SIZE);
    if (memcmp(phys(RO), c->ro, RO_SIZE)) {
        memcpy(phys(RO), c->ro, RO_SIZE);
    }
    if (++runs % 64 == 0) {
        softmmu_flush_all(cpu);
    }
    load_state(&c->in);
}

uint64_t rig_kicks(void)
{
    return x86_env(cpu)->kicks;
}

uint64_t rig_traces(void)
{
    return x86_env(cpu)->traces;
}

uint64_t rig_kept(void)
{
    return x86_engine.cache->loaded_insns;
}

static uint32_t trace_sites; /* of half of the cases: sites=random, in traces' records too */

void rig_heat(const JudgeCase *c)
{
    uint32_t h = c->len * 0x9e3779b1u ^ c->start;

    x86_keys_clear(&x86_engine.no_trace);
    for (unsigned i = 0; i < c->len; i++) {
        h = (h ^ c->code[i]) * 16777619u;
        x86_env(cpu)->hot[hot_index(CODE + c->start - CODE_BASE + i)] =
            h >> 30 ? 0 : h >> 28 & 3;
    }
    trace_sites = h & 1 ? h : 0;
}

static uint64_t stray;

void rig_host_fault(uint64_t addr)
{
    const TcgEnv *env = x86_env(cpu);
    uint64_t b = addr - env->win_delta[0], a = addr - env->win_delta[1];
    uint64_t a_at = (uint64_t)env->win_a << WIN_A_SHIFT;
    uint64_t b_at = (uint64_t)WIN_B_INDEX << WIN_B_SHIFT;

    if (b - b_at + WIN_MARGIN >= (1ull << WIN_B_SHIFT) + 2 * WIN_MARGIN &&
        (env->win_a == WIN_A_NONE ||
         a - a_at + WIN_MARGIN >= (1ull << WIN_A_SHIFT) + 2 * WIN_MARGIN)) {
        stray = addr;
    }
}

uint64_t rig_stray(void)
{
    return stray;
}

bool rig_run(enum JudgeEngine e, JudgeState *out)
{
    stray = 0;
    x86_engine.tier2 = e == ENG_TRACE ? TIER2_RANDOM : TIER2_OFF;
    x86_engine.random_sites = e == ENG_TRACE ? trace_sites : 0;
    x86_engine.native = e != ENG_IR;
    x86_engine.exact_flags = e == ENG_EXACT;
    if (e == ENG_REF) {
        for (unsigned n = 0; cpu->st.cpl == 3; n++) {
            if (n > 20000) {
                return false;
            }
            x86_engine_step(cpu);
        }
        x86_fpu_sync(cpu);
    } else {
        machine->exec->run(&cpu->cpu);
    }
    rig_state(out);
    return true;
}

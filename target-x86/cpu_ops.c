/* SPDX-License-Identifier: MIT */
/*
 * x86 as a guest architecture for hw/core and the monitor: reset, wake-up, register and
 * page-table dumps. Heavy. The dumps run on a parked vCPU under the machine lock.
 */
#include <stdio.h>
#include <string.h>
#include "hw/core/machine.h"
#include "hw/core/nondet.h"
#include "target-x86/debug_regs.h"
#include "target-x86/gdb_regs.h"
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"
#include "target-x86/models.h"
#include "target-x86/sample.h"
#include "target-x86/state.h"

typedef unsigned long long Ull;

/* ---- reset and wake-up ---- */

bool x86_engine_is_host;

/* The TSC starts at 0 at power-on, on all vCPUs at one moment: that of the first. */
static void reset(Cpu *c, bool init)
{
    X86Cpu *cpu = X86_CPU(c);
    const Machine *m = c->machine;

    x86_fpu_sync(cpu); /* a port may ask for it, with the guest's registers put aside */
    x86_cpu_reset(cpu, init);
    if (!init) {
        bool first = c->index == 0 || !m || !m->cpus[0];
        int64_t start = x86_engine_is_host ? 0 : -(int64_t)nondet_host_tsc();
        cpu->st.tsc_offset = first ? start
                                   : X86_CPU(m->cpus[0])->st.tsc_offset;
    }
}

static bool has_work(Cpu *c)
{
    const X86State *st = &X86_CPU(c)->st;
    uint32_t req = atomic_load_explicit(&c->request, memory_order_acquire);

    if (req & (CPU_REQ_INIT | CPU_REQ_SIPI | CPU_REQ_FLUSH)) {
        return true;
    }
    if (st->wait_sipi) {
        return false;
    }
    return !st->halted || (req & (CPU_REQ_NMI | CPU_REQ_NMI2) && !st->nmi_masked) ||
           (req & CPU_REQ_HARD && st->rflags & FL_IF);
}

static uint64_t get_pc(Cpu *c)
{
    const X86Cpu *cpu = X86_CPU(c);
    return cpu->hflags & HF_CS64 ? cpu->st.rip
                                 : (uint32_t)(cpu->st.seg[R_CS].base + cpu->st.rip);
}

static bool translate(Cpu *c, uint64_t lin, uint64_t *gpa)
{
    return x86_debug_translate(X86_CPU(c), lin, gpa);
}

/* ---- info registers ---- */

static void dump_gprs(const X86State *st, bool wide, FILE *f)
{
    static const char *const name[16] = { "AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI",
                                          "8 ", "9 ", "10", "11", "12", "13", "14", "15" };
    static const uint8_t order[16] = { R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP,
                                       8,    9,    10,   11,   12,   13,   14,   15 };

    for (unsigned i = 0; i < (wide ? 16 : 8); i++) {
        unsigned r = order[i];
        if (wide) {
            fprintf(f, "R%s=%016llx%c", name[r], (Ull)st->gpr[r], i % 4 == 3 ? '\n' : ' ');
        } else {
            fprintf(f, "E%s=%08x%c", name[r], (unsigned)st->gpr[r], i % 4 == 3 ? '\n' : ' ');
        }
    }
}

static void dump_flags(const X86State *st, bool wide, FILE *f)
{
    static const struct {
        uint32_t bit;
        char c;
    } flags[] = { { FL_DF, 'D' }, { FL_OF, 'O' }, { FL_SF, 'S' }, { FL_ZF, 'Z' },
                  { FL_AF, 'A' }, { FL_PF, 'P' }, { FL_CF, 'C' } };

    fprintf(f, wide ? "RIP=%016llx RFL=%08x [" : "EIP=%08llx EFL=%08x [", (Ull)st->rip,
            (unsigned)st->rflags);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        fputc(st->rflags & flags[i].bit ? flags[i].c : '-', f);
    }
    fprintf(f, "] CPL=%u II=%u HLT=%u%s\n", st->cpl, st->int_shadow, st->halted,
            st->wait_sipi ? " waits for SIPI" : "");
}

static const char *seg_kind(const X86Seg *s)
{
    if (s->attr & SEG_UNUSABLE) {
        return "unusable";
    }
    if (!(s->attr & SEG_S)) {
        return (s->attr & SEG_TYPE) == 2 ? "LDT" : "TSS";
    }
    if (s->attr & SEG_CODE) {
        return s->attr & SEG_L ? "CS64" : s->attr & SEG_DB ? "CS32" : "CS16";
    }
    return "DS";
}

static void dump_seg(const char *name, const X86Seg *s, bool wide, FILE *f)
{
    fprintf(f, wide ? "%-3s=%04x %016llx %08x %05x DPL=%u %s\n"
                    : "%-3s=%04x %08llx %08x %05x DPL=%u %s\n",
            name, s->selector, (Ull)s->base, s->limit, s->attr,
            s->attr >> SEG_DPL_SHIFT & 3, seg_kind(s));
}

static void dump_system(const X86State *st, bool wide, FILE *f)
{
    static const char *const name[X86_NSEGS] = { "ES", "CS", "SS", "DS", "FS", "GS" };
    const char *width = wide ? "%s=     %016llx %08x\n" : "%s=     %08llx %08x\n";

    for (unsigned i = 0; i < X86_NSEGS; i++) {
        dump_seg(name[i], &st->seg[i], wide, f);
    }
    dump_seg("LDT", &st->ldt, wide, f);
    dump_seg("TR", &st->tr, wide, f);
    fprintf(f, width, "GDT", (Ull)st->gdt.base, st->gdt.limit);
    fprintf(f, width, "IDT", (Ull)st->idt.base, st->idt.limit);
    fprintf(f, "CR0=%08x CR2=%016llx CR3=%016llx CR4=%08x\n", (unsigned)st->cr0,
            (Ull)st->cr2, (Ull)st->cr3, (unsigned)st->cr4);
    fprintf(f, "DR0=%016llx DR1=%016llx DR2=%016llx DR3=%016llx\n", (Ull)st->dr[0],
            (Ull)st->dr[1], (Ull)st->dr[2], (Ull)st->dr[3]);
    fprintf(f, "DR6=%016llx DR7=%016llx\n", (Ull)st->dr6, (Ull)st->dr7);
    fprintf(f, "EFER=%016llx XCR0=%llx PKRU=%08x\n", (Ull)st->efer, (Ull)st->xcr0, st->pkru);
}

static void dump_fpu(const X86State *st, bool wide, FILE *f)
{
    const X86Xsave *x = &st->xsave;

    fprintf(f, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", x->fcw, x->fsw,
            x->fsw >> 11 & 7, x->ftw, x->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        fprintf(f, "ST%u=%016llx %04x%c", i, (Ull)x->st[i].m, x->st[i].se,
                i % 2 ? '\n' : ' ');
    }
    for (unsigned i = 0; i < (wide ? 16 : 8); i++) {
        fprintf(f, "YMM%02u=%016llx %016llx %016llx %016llx\n", i, (Ull)x->ymmh[i].q[1],
                (Ull)x->ymmh[i].q[0], (Ull)x->xmm[i].q[1], (Ull)x->xmm[i].q[0]);
    }
}

static void dump(Cpu *c, void *file)
{
    X86Cpu *cpu = X86_CPU(c);
    const X86State *st = &cpu->st;
    bool wide = cpu->hflags & HF_LMA;

    dump_gprs(st, wide, file);
    dump_flags(st, wide, file);
    dump_system(st, wide, file);
    dump_fpu(st, wide, file);
}

/* ---- info tlb, info mem: a walk over all tables ---- */

typedef struct PageDump {
    X86Cpu *cpu;
    FILE *f;
    bool ranges;              /* info mem: joined ranges of equal rights */
    uint64_t start, end;      /* of the range gathered */
    unsigned rights;
} PageDump;

enum { DUMP_W = 1, DUMP_U = 2, DUMP_NONE = 4 };

static void range_end(PageDump *d)
{
    if (d->rights != DUMP_NONE && d->end > d->start) {
        fprintf(d->f, "%016llx-%016llx %016llx %c%c%c\n", (Ull)d->start, (Ull)d->end,
                (Ull)(d->end - d->start), d->rights & DUMP_U ? 'u' : '-', 'r',
                d->rights & DUMP_W ? 'w' : '-');
    }
    d->rights = DUMP_NONE;
}

static void leaf_entry(PageDump *d, uint64_t lin, uint64_t size, uint64_t e, uint64_t gpa,
                       unsigned rights)
{
    if (d->ranges) {
        if (d->rights != rights || d->end != lin) {
            range_end(d);
            d->start = lin;
            d->rights = rights;
        }
        d->end = lin + size;
        return;
    }
    fprintf(d->f, "%016llx: %016llx %c%c%c%c%c%c%c%c%c\n", (Ull)lin, (Ull)gpa,
            e >> 63 ? 'X' : '-', e & 0x100 ? 'G' : '-', size > 4096 ? 'P' : '-',
            e & 0x40 ? 'D' : '-', e & 0x20 ? 'A' : '-', e & 0x10 ? 'C' : '-',
            e & 8 ? 'T' : '-', e & 4 ? 'U' : '-', e & 2 ? 'W' : '-');
}

static void dump_wide(PageDump *d, uint64_t table, unsigned level, uint64_t lin, unsigned rights)
{
    unsigned shift = 3 + 9 * level;

    for (unsigned i = 0; i < 512; i++) {
        uint64_t e = x86_phys_ld64(d->cpu, table + 8 * i);
        uint64_t at = lin + ((uint64_t)i << shift);
        if (level == 4) {
            at = (uint64_t)sext(at, 48);
        }
        if (!(e & 1) || e == ~0ull) {
            continue;
        }
        unsigned r = rights & ((e & 2 ? DUMP_W : 0) | (e & 4 ? DUMP_U : 0));
        uint64_t gpa = e & 0xffffffffff000ull;
        if (level == 1 || (level < 4 && e & 0x80)) {
            leaf_entry(d, at, 1ull << shift, e, gpa & ~((1ull << shift) - 1), r);
        } else {
            dump_wide(d, gpa, level - 1, at, r);
        }
    }
}

static void dump_narrow(PageDump *d)
{
    uint64_t cr3 = d->cpu->st.cr3 & 0xfffff000u;

    for (unsigned i = 0; i < 1024; i++) {
        uint32_t e = x86_phys_ld64(d->cpu, cr3 + (i & ~1u) * 4) >> (i & 1 ? 32 : 0);
        unsigned r = (e & 2 ? DUMP_W : 0) | (e & 4 ? DUMP_U : 0);
        if (!(e & 1)) {
            continue;
        }
        if (e & 0x80 && d->cpu->st.cr4 & CR4_PSE) {
            leaf_entry(d, (uint64_t)i << 22, 4 * MiB, e, e & 0xffc00000u, r);
            continue;
        }
        for (unsigned k = 0; k < 1024; k++) {
            uint64_t pair = x86_phys_ld64(d->cpu, (e & 0xfffff000u) + (k & ~1u) * 4);
            uint32_t p = pair >> (k & 1 ? 32 : 0);
            if (p & 1) {
                leaf_entry(d, (uint64_t)i << 22 | (uint64_t)k << 12, 4096, p,
                           p & 0xfffff000u, r & ((p & 2 ? DUMP_W : 0) | (p & 4 ? DUMP_U : 0)));
            }
        }
    }
}

static void dump_pages(Cpu *c, void *file, bool ranges)
{
    X86Cpu *cpu = X86_CPU(c);
    const X86State *st = &cpu->st;
    PageDump d = { .cpu = cpu, .f = file, .ranges = ranges, .rights = DUMP_NONE };

    if (!(st->cr0 & CR0_PG)) {
        fprintf(d.f, "paging is off\n");
        return;
    }
    if (!(st->cr4 & CR4_PAE)) {
        dump_narrow(&d);
    } else if (st->efer & EFER_LMA) {
        dump_wide(&d, st->cr3 & 0xffffffffff000ull, 4, 0, DUMP_W | DUMP_U);
    } else {
        for (unsigned i = 0; i < 4; i++) {
            if (st->pdpte[i] & 1) {
                dump_wide(&d, st->pdpte[i] & 0xffffffffff000ull, 2, (uint64_t)i << 30,
                          DUMP_W | DUMP_U);
            }
        }
    }
    range_end(&d);
}

static void dump_tlb(Cpu *c, void *file) { dump_pages(c, file, false); }
static void dump_mem(Cpu *c, void *file) { dump_pages(c, file, true); }

const CpuOps x86_cpu_ops = {
    .name = "x86",
    .reset = reset,
    .has_work = has_work,
    .state = &x86_cpu_state,
    .dump = dump,
    .get_pc = get_pc,
    .translate = translate,
    .dump_tlb = dump_tlb,
    .dump_mem = dump_mem,
    .get_reg = x86_get_reg,
    .code_bits = x86_code_bits,
    .sample_page = x86_sample_page,
    .gdb_wide = x86_gdb_wide,
    .gdb_xml = x86_gdb_xml,
    .gdb_read = x86_gdb_read,
    .gdb_write = x86_gdb_write,
};

/* SPDX-License-Identifier: MIT */
/*
 * A triple fault explained: SDM vol. 3, 6.13 (error codes), 3.4.5 and 6.11 (descriptors and
 * gates), 4.3-4.5 (page-table entries). Only looks; no access here has side effects. Heavy.
 */
#include "target-x86/explain.h"
#include <inttypes.h>
#include "target-x86/mmu.h"
#include "util/disas.h"
#include "util/symbols.h"

static const char *const names[32] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP", "#SS",
    "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP", "22", "23", "24", "25", "26",
    "27", "#HV", "#VC", "#SX", "31",
};

/* ---- memory without side effects ---- */

static bool load(X86Cpu *cpu, uint64_t lin, void *to, unsigned n)
{
    uint8_t *p = to;
    for (unsigned i = 0; i < n; i++) {
        uint64_t gpa;
        const uint8_t *host = x86_debug_translate(cpu, lin + i, &gpa)
                                  ? x86_phys_host(cpu, gpa, false) : NULL;
        if (!host) {
            return false;
        }
        p[i] = *host;
    }
    return true;
}

static void print_where(FILE *f, uint64_t rip, uint16_t cs)
{
    char name[160];
    symbols_text(rip, name, sizeof(name));
    fprintf(f, "%04x:%016" PRIx64 "%s%s%s", cs, rip, name[0] ? " (" : "", name,
            name[0] ? ")" : "");
}

/* ---- page tables ---- */

static void explain_page(X86Cpu *cpu, FILE *f, uint64_t lin)
{
    static const char *const wide_names[] = { "", "PTE", "PDE", "PDPTE", "PML4E" };
    const X86State *st = &cpu->st;
    bool pae = st->cr4 & CR4_PAE, lma = st->efer & EFER_LMA;
    unsigned level = lma ? 4 : 2, bits = pae ? 9 : 10;
    uint64_t table = st->cr3 & (lma ? 0xffffffffff000ull : 0xfffff000u);

    if (!(st->cr0 & CR0_PG)) {
        return;
    }
    if (pae && !lma) {
        table = st->pdpte[lin >> 30 & 3];
        fprintf(f, "    PDPTE %u = %016" PRIx64 "%s\n", (unsigned)(lin >> 30 & 3), table,
                table & 1 ? "" : "  <-- not present");
        if (!(table & 1)) {
            return;
        }
        table &= 0xffffffffff000ull;
    }
    for (; level; level--) {
        unsigned shift = 12 + bits * (level - 1), size = pae ? 8 : 4;
        uint64_t at = table + (lin >> shift & ((1u << bits) - 1)) * size;
        const uint8_t *host = x86_phys_host(cpu, at, false);
        if (!host) {
            fprintf(f, "    %s at %#" PRIx64 ": no memory there\n", wide_names[level], at);
            return;
        }
        uint64_t e = pae ? *(const uint64_t *)host : *(const uint32_t *)host;
        bool leaf = level == 1 || (e & 0x80 && (pae || st->cr4 & CR4_PSE) && level < 4);
        fprintf(f, "    %-5s at %#" PRIx64 " = %016" PRIx64 " %s%s%s%s%s%s\n", wide_names[level],
                at, e, e & 1 ? "present" : "<-- not present", e & 2 ? ", writable" : "",
                e & 4 ? ", user" : "", e & 0x20 ? ", accessed" : "", e & 0x40 && leaf ? ", dirty" : "",
                pae && e >> 63 ? ", no execution" : "");
        if (!(e & 1) || leaf) {
            return;
        }
        table = e & (pae ? 0xffffffffff000ull : 0xfffff000u);
    }
}

static void explain_pf(X86Cpu *cpu, FILE *f, const X86FaultNote *n)
{
    fprintf(f, "    linear address %#" PRIx64 ": %s by %s: %s\n", n->cr2,
            n->error & PF_I ? "fetch" : n->error & PF_W ? "write" : "read",
            n->error & PF_U ? "user" : "supervisor",
            n->error & PF_RSVD ? "a reserved bit is set"
            : n->error & PF_PK ? "the protection key forbids it"
            : n->error & PF_P ? "rights forbid it" : "not present");
    explain_page(cpu, f, n->cr2);
}

/* ---- descriptors ---- */

static void explain_gate(X86Cpu *cpu, FILE *f, unsigned v)
{
    const X86State *st = &cpu->st;
    unsigned size = st->efer & EFER_LMA ? 16 : st->cr0 & CR0_PE ? 8 : 4;
    uint64_t at = st->idt.base + v * size, d[2] = { 0 };

    fprintf(f, "    IDT entry %u (%s) at %#" PRIx64, v, v < 32 ? names[v] : "interrupt", at);
    if (v * size + size - 1 > st->idt.limit) {
        fprintf(f, ": beyond the limit %#x\n", st->idt.limit);
    } else if (!load(cpu, at, d, size)) {
        fprintf(f, ": not readable\n");
        explain_page(cpu, f, at);
    } else if (size == 4) {
        fprintf(f, " = %08x\n", (unsigned)d[0]);
    } else {
        unsigned type = d[0] >> 40 & 31;
        bool ok = type == 14 || type == 15 || (size == 8 && (type == 5 || type == 6 || type == 7));
        fprintf(f, " = %016" PRIx64 " %016" PRIx64 ": selector %04x, type %u%s, %s\n", d[1], d[0],
                (unsigned)(d[0] >> 16 & 0xffff), type, ok ? "" : " <-- no gate",
                d[0] >> 47 & 1 ? "present" : "<-- not present");
    }
}

static void explain_selector(X86Cpu *cpu, FILE *f, uint32_t error)
{
    const X86State *st = &cpu->st;
    uint64_t base = error & 4 ? st->ldt.base : st->gdt.base, d;
    uint32_t limit = error & 4 ? st->ldt.limit : st->gdt.limit, off = error & 0xfff8;

    fprintf(f, "    %s entry %#x at %#" PRIx64, error & 4 ? "LDT" : "GDT", off, base + off);
    if (off + 7 > limit) {
        fprintf(f, ": beyond the limit %#x\n", limit);
    } else if (!load(cpu, base + off, &d, 8)) {
        fprintf(f, ": not readable\n");
        explain_page(cpu, f, base + off);
    } else {
        fprintf(f, " = %016" PRIx64 ": type %#x, DPL %u, %s\n", d, (unsigned)(d >> 40 & 31),
                (unsigned)(d >> 45 & 3), d >> 47 & 1 ? "present" : "<-- not present");
    }
}

static void explain_note(X86Cpu *cpu, FILE *f, unsigned i, const X86FaultNote *n)
{
    fprintf(f, "  %u. %s, error code %#x, at ", i + 1, n->vector < 32 ? names[n->vector] : "?",
            n->error);
    print_where(f, n->rip, n->cs);
    fprintf(f, "%s\n", i ? ", while the one before was delivered" : "");
    if (n->vector == EXC_PF) {
        explain_pf(cpu, f, n);
    } else if (n->vector >= EXC_TS && n->vector <= EXC_GP && n->error & 0xfffc) {
        if (n->error & 2) {
            explain_gate(cpu, f, n->error >> 3 & 0xff);
        } else {
            explain_selector(cpu, f, n->error);
        }
    }
}

static void print_insn(X86Cpu *cpu, FILE *f)
{
    uint8_t bytes[15];
    uint64_t pc = cpu->cpu.ops ? cpu->cpu.ops->get_pc(&cpu->cpu) : cpu->st.rip;
    unsigned n = sizeof(bytes);
    while (n && !load(cpu, pc, bytes, n)) {
        n--;
    }
    if (n) {
        fprintf(f, "  instruction: ");
        disas_count(f, bytes, n, pc, cpu->hflags & HF_CS64 ? 64 : cpu->hflags & HF_CS32 ? 32 : 16,
                    1);
    } else {
        fprintf(f, "  the instruction cannot be read\n");
        explain_page(cpu, f, pc);
    }
}

void x86_explain_shutdown(X86Cpu *cpu, FILE *f)
{
    unsigned n = MIN(cpu->nchain, ARRAY_SIZE(cpu->chain));

    symbols_slide_by_lstar(cpu->st.msr.lstar);
    fprintf(f, "CPU %d shuts down (triple fault):\n", cpu->cpu.index);
    for (unsigned i = 0; i < n; i++) {
        explain_note(cpu, f, i, &cpu->chain[i]);
    }
    print_insn(cpu, f);
    fprintf(f, "  CR0=%08x CR3=%016" PRIx64 " CR4=%08x EFER=%04x RSP=%016" PRIx64 "\n",
            (unsigned)cpu->st.cr0, cpu->st.cr3, (unsigned)cpu->st.cr4, (unsigned)cpu->st.efer,
            cpu->st.gpr[R_SP]);
    if (!cpu->nbranches) {
        fprintf(f, "  last branches: not recorded (-d branches)\n");
        return;
    }
    fprintf(f, "  last branches, newest first, to:\n");
    for (unsigned i = 0; i < MIN(cpu->nbranches, ARRAY_SIZE(cpu->branch)); i++) {
        fprintf(f, "    ");
        print_where(f, cpu->branch[(cpu->nbranches - 1 - i) % ARRAY_SIZE(cpu->branch)],
                    cpu->st.seg[R_CS].selector);
        fputc('\n', f);
    }
}

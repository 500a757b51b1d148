/* SPDX-License-Identifier: MIT */
/*
 * What gdb sees of an x86 CPU: two target descriptions (gdb manual, G.5.x86) with the
 * core, SSE, AVX and segment features that gdb knows, and a feature of our own with the
 * system registers. A row names a run of registers; register numbers follow from the
 * order. Outside 64-bit code RIP is shown as the linear address CS.base + IP: breakpoints
 * are linear too, and gdb knows nothing of segments. Heavy; parked vCPU.
 */
#include "target-x86/gdb_regs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "target-x86/cpu.h"
#include "target-x86/sysregs.h"

enum RegKind {
    K_GPR,
    K_PC,
    K_FLAGS,
    K_SEG,
    K_ST,
    K_FCTRL,
    K_XMM,
    K_MXCSR,
    K_YMMH,
    K_BASE,
    K_SYS,
    K_TABLE,
};

typedef struct RegRun {
    const char *feature;
    const char *names; /* separated by spaces */
    enum RegKind kind;
    uint8_t bits;
    const char *type;
} RegRun;

#define CORE "org.gnu.gdb.i386.core"
#define SSE "org.gnu.gdb.i386.sse"
#define AVX "org.gnu.gdb.i386.avx"
#define SEGMENTS "org.gnu.gdb.i386.segments"
#define SYSTEM "org.dyad.x86.system"

#define FPU_RUNS                                                                   \
    { CORE, "st0 st1 st2 st3 st4 st5 st6 st7", K_ST, 80, "i387_ext" },             \
    {                                                                              \
        CORE, "fctrl fstat ftag fiseg fioff foseg fooff fop", K_FCTRL, 32, "int32" \
    }
static const char system_names[] =
    "cr0 cr2 cr3 cr4 cr8 efer dr0 dr1 dr2 dr3 dr6 dr7 xcr0 pkru "
    "k_gs_base star lstar sfmask tsc_offset";
static const char table_names[] =
    "gdt_base gdt_limit idt_base idt_limit ldt ldt_base tr tr_base "
    "cs_base ss_base ds_base es_base ip cpl";

static const RegRun runs64[] = {
    { CORE, "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15", K_GPR, 64,
      "int64" },
    { CORE, "rip", K_PC, 64, "code_ptr" },
    { CORE, "eflags", K_FLAGS, 32, "i386_eflags" },
    { CORE, "cs ss ds es fs gs", K_SEG, 32, "int32" },
    FPU_RUNS,
    { SSE,
      "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15",
      K_XMM, 128, "vec128" },
    { SSE, "mxcsr", K_MXCSR, 32, "i386_mxcsr" },
    { AVX,
      "ymm0h ymm1h ymm2h ymm3h ymm4h ymm5h ymm6h ymm7h ymm8h ymm9h ymm10h ymm11h ymm12h "
      "ymm13h ymm14h ymm15h",
      K_YMMH, 128, "uint128" },
    { SEGMENTS, "fs_base gs_base", K_BASE, 64, "int64" },
    { SYSTEM, system_names, K_SYS, 64, "int64" },
    { SYSTEM, table_names, K_TABLE, 64, "int64" },
};

static const RegRun runs32[] = {
    { CORE, "eax ecx edx ebx esp ebp esi edi", K_GPR, 32, "int32" },
    { CORE, "eip", K_PC, 32, "code_ptr" },
    { CORE, "eflags", K_FLAGS, 32, "i386_eflags" },
    { CORE, "cs ss ds es fs gs", K_SEG, 32, "int32" },
    FPU_RUNS,
    { SSE, "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7", K_XMM, 128, "vec128" },
    { SSE, "mxcsr", K_MXCSR, 32, "i386_mxcsr" },
    { AVX, "ymm0h ymm1h ymm2h ymm3h ymm4h ymm5h ymm6h ymm7h", K_YMMH, 128, "uint128" },
    { SYSTEM, system_names, K_SYS, 64, "int64" },
    { SYSTEM, table_names, K_TABLE, 64, "int64" },
};

static const uint8_t gpr64[] = { R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP,
                                 8,    9,    10,   11,   12,   13,   14,   15 };
static const uint8_t seg_order[] = { R_CS, R_SS, R_DS, R_ES, R_FS, R_GS };

static unsigned words(const char *names)
{
    unsigned n = 1;
    for (; *names; names++) {
        n += *names == ' ';
    }
    return n;
}

/* The run of register n, and n within it. NULL: none. */
static const RegRun *find(bool wide, unsigned *n)
{
    const RegRun *runs = wide ? runs64 : runs32;
    size_t count = wide ? ARRAY_SIZE(runs64) : ARRAY_SIZE(runs32);
    for (size_t i = 0; i < count; i++) {
        const RegRun *r = &runs[i];
        unsigned k = words(r->names);
        if (*n < k) {
            return r;
        }
        *n -= k;
    }
    return NULL;
}

/* ---- the description ---- */

static const char types_core[] =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/></flags>\n";
static const char types_sse[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
    "<flags id=\"i386_mxcsr\" size=\"4\">"
    "<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
    "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
    "<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
    "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
    "<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
    "<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
    "</flags>\n";

static void write_run(FILE *f, const RegRun *r, const char **feature)
{
    if (!*feature || strcmp(*feature, r->feature) != 0) {
        fprintf(f, "%s<feature name=\"%s\">\n%s", *feature ? "</feature>\n" : "",
                r->feature,
                strcmp(r->feature, CORE) == 0  ? types_core
                : strcmp(r->feature, SSE) == 0 ? types_sse
                                               : "");
        *feature = r->feature;
    }
    for (const char *name = r->names; *name;) {
        int len = (int)strcspn(name, " ");
        const char *group = r->kind == K_ST || r->kind == K_FCTRL ? " group=\"float\""
                            : r->kind >= K_SYS                    ? " group=\"system\""
                                                                  : "";
        bool sp = strncmp(name, "rsp", 3) == 0 || strncmp(name, "rbp", 3) == 0;
        fprintf(f, "<reg name=\"%.*s\" bitsize=\"%u\" type=\"%s\"%s/>\n", len, name,
                r->bits, sp && r->bits == 64 ? "data_ptr" : r->type, group);
        name += len;
        name += *name == ' ';
    }
}

char *x86_gdb_xml(bool wide)
{
    const RegRun *runs = wide ? runs64 : runs32;
    size_t count = wide ? ARRAY_SIZE(runs64) : ARRAY_SIZE(runs32), len = 0;
    const char *feature = NULL;
    char *text = NULL;
    FILE *f = open_memstream(&text, &len);

    if (!f) {
        return NULL;
    }
    fprintf(
        f,
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n"
        "<architecture>%s</architecture>\n",
        wide ? "i386:x86-64" : "i386");
    for (size_t i = 0; i < count; i++) {
        write_run(f, &runs[i], &feature);
    }
    fprintf(f, "</feature>\n</target>\n");
    fclose(f);
    return text;
}

bool x86_gdb_wide(Cpu *cpu)
{
    return x86_has(X86_CPU(cpu), X86F_LM);
}

/* ---- values ---- */

static bool linear_ip(const X86Cpu *cpu)
{
    return !(cpu->hflags & HF_CS64);
}

/* The full tag word out of the abridged one (SDM vol. 1, 8.1.7). */
static uint16_t full_tags(const X86Xsave *x)
{
    unsigned top = x->fsw >> 11 & 7;
    uint16_t tags = 0;
    for (unsigned i = 0; i < 8; i++) {
        const X86F80 *v = &x->st[(i - top) & 7];
        unsigned exp = v->se & 0x7fff, tag = 0;
        if (!(x->ftw >> i & 1)) {
            tag = 3;
        } else if (exp == 0x7fff || (exp && !(v->m >> 63)) || (!exp && v->m)) {
            tag = 2;
        } else if (!exp) {
            tag = 1;
        }
        tags |= tag << (2 * i);
    }
    return tags;
}

static uint64_t fctrl_get(const X86Xsave *x, unsigned n)
{
    switch (n) {
    case 0: return x->fcw;
    case 1: return x->fsw;
    case 2: return full_tags(x);
    case 3: return x->fip >> 32 & 0xffff;
    case 4: return (uint32_t)x->fip;
    case 5: return x->fdp >> 32 & 0xffff;
    case 6: return (uint32_t)x->fdp;
    default: return x->fop;
    }
}

static void fctrl_set(X86Xsave *x, unsigned n, uint32_t v)
{
    switch (n) {
    case 0: x->fcw = v; break;
    case 1: x->fsw = v; break;
    case 2:
        x->ftw = 0;
        for (unsigned i = 0; i < 8; i++) {
            x->ftw |= (v >> (2 * i) & 3) != 3 ? 1u << i : 0;
        }
        break;
    case 4: x->fip = (x->fip & ~0xffffffffull) | v; break;
    case 6: x->fdp = (x->fdp & ~0xffffffffull) | v; break;
    case 7: x->fop = v & 0x7ff; break;
    default: break;
    }
}

static uint64_t sys_get(X86Cpu *cpu, unsigned n)
{
    const X86State *st = &cpu->st;
    const Cpu *c = &cpu->cpu;
    switch (n) {
    case 0: return st->cr0;
    case 1: return st->cr2;
    case 2: return st->cr3;
    case 3: return st->cr4;
    case 4: return c->irq_ops ? c->irq_ops->get_tpr(c->irq_opaque) : 0;
    case 5: return st->efer;
    case 6 ... 9: return st->dr[n - 6];
    case 10: return st->dr6;
    case 11: return st->dr7;
    case 12: return st->xcr0;
    case 13: return st->pkru;
    case 14: return st->msr.kernel_gs_base;
    case 15: return st->msr.star;
    case 16: return st->msr.lstar;
    case 17: return st->msr.sfmask;
    default: return (uint64_t)st->tsc_offset;
    }
}

/* Values the CPU would refuse change nothing. */
static void sys_set(X86Cpu *cpu, unsigned n, uint64_t v)
{
    X86State *st = &cpu->st;
    switch (n) {
    case 0: (void)!x86_set_cr0(cpu, v); break;
    case 1: st->cr2 = v; break;
    case 2: (void)!x86_set_cr3(cpu, v); break;
    case 3: (void)!x86_set_cr4(cpu, v); break;
    case 5: (void)!x86_set_efer(cpu, v); break;
    case 6 ... 9: st->dr[n - 6] = v; break;
    case 14: st->msr.kernel_gs_base = (uint64_t)sext(v, 48); break;
    default: /* the others are for looking at */ break;
    }
}

static uint64_t table_get(const X86State *st, unsigned n)
{
    switch (n) {
    case 0: return st->gdt.base;
    case 1: return st->gdt.limit;
    case 2: return st->idt.base;
    case 3: return st->idt.limit;
    case 4: return st->ldt.selector;
    case 5: return st->ldt.base;
    case 6: return st->tr.selector;
    case 7: return st->tr.base;
    case 8 ... 11: return st->seg[seg_order[n - 8]].base;
    case 12: return st->rip;
    default: return st->cpl;
    }
}

int x86_gdb_read(Cpu *c, bool wide, unsigned n, uint8_t *to)
{
    X86Cpu *cpu = X86_CPU(c);
    X86State *st = &cpu->st;
    X86Xsave *x = &st->xsave;
    const RegRun *r = find(wide, &n);
    uint64_t v = 0;

    if (!r) {
        return 0;
    }
    switch (r->kind) {
    case K_GPR: v = st->gpr[wide ? gpr64[n] : n]; break;
    case K_PC:
        v = linear_ip(cpu) ? (uint32_t)(st->seg[R_CS].base + st->rip) : st->rip;
        break;
    case K_FLAGS: v = st->rflags; break;
    case K_SEG: v = st->seg[seg_order[n]].selector; break;
    case K_ST:
        memcpy(to, &x->st[n].m, 8);
        memcpy(to + 8, &x->st[n].se, 2);
        return 10;
    case K_FCTRL: v = fctrl_get(x, n); break;
    case K_XMM: memcpy(to, &x->xmm[n], 16); return 16;
    case K_YMMH: memcpy(to, &x->ymmh[n], 16); return 16;
    case K_MXCSR: v = x->mxcsr; break;
    case K_BASE: v = st->seg[n ? R_GS : R_FS].base; break;
    case K_SYS: v = sys_get(cpu, n); break;
    case K_TABLE: v = table_get(st, n); break;
    }
    for (unsigned i = 0; i < r->bits / 8; i++) {
        to[i] = v >> (8 * i);
    }
    return r->bits / 8;
}

int x86_gdb_write(Cpu *c, bool wide, unsigned n, const uint8_t *from, unsigned len)
{
    X86Cpu *cpu = X86_CPU(c);
    X86State *st = &cpu->st;
    X86Xsave *x = &st->xsave;
    const RegRun *r = find(wide, &n);
    uint64_t v = 0;

    if (!r || len < r->bits / 8u) {
        return 0;
    }
    for (unsigned i = 0; i < 8 && i < r->bits / 8u; i++) {
        v |= (uint64_t)from[i] << (8 * i);
    }
    switch (r->kind) {
    case K_GPR: {
        uint64_t *g = &st->gpr[wide ? gpr64[n] : n];
        *g = wide ? v : (*g & ~0xffffffffull) | v;
        break;
    }
    case K_PC:
        st->rip = linear_ip(cpu) ? (uint32_t)(v - st->seg[R_CS].base) : v;
        st->halted = 0;
        break;
    case K_FLAGS: {
        const uint64_t own = FL_VM | FL_ONE; /* leaving VM takes more than a flag */
        st->rflags = (st->rflags & own) | (v & 0x3f7fd5 & ~own) | FL_ONE;
        x86_update_hflags(cpu);
        break;
    }
    case K_ST:
        memcpy(&x->st[n].m, from, 8);
        memcpy(&x->st[n].se, from + 8, 2);
        break;
    case K_FCTRL: fctrl_set(x, n, v); break;
    case K_XMM: memcpy(&x->xmm[n], from, 16); break;
    case K_YMMH: memcpy(&x->ymmh[n], from, 16); break;
    case K_MXCSR: x->mxcsr = v & (x->mxcsr_mask ? x->mxcsr_mask : 0xffff); break;
    case K_BASE:
        st->seg[n ? R_GS : R_FS].base = (uint64_t)sext(v, 48);
        x86_update_hflags(cpu);
        break;
    case K_SYS: sys_set(cpu, n, v); break;
    case K_SEG: /* selectors and tables are not loaded by writing them */
    case K_TABLE: break;
    }
    return r->bits / 8;
}

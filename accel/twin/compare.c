/* SPDX-License-Identifier: MIT */
/*
 * Comparison of the two sides and its printed form. State is compared as far as the saved
 * CPU form goes, without what the engines do not promise: x87 FOP, FIP and FDP (host
 * addresses under the translator), XSTATE_BV, the MXCSR mask, an event that is not there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "accel/twin/twin_int.h"
#include "target-x86/decode.h"
#include "target-x86/mmu.h"
#include "target-x86/state.h"
#include "util/alloc.h"
#include "util/symbols.h"

#define SAME(f) (!memcmp(&a->f, &b->f, sizeof(a->f)))
#define SPAN(from, to)                                   \
    (!memcmp((const char *)a + offsetof(X86State, from), \
             (const char *)b + offsetof(X86State, from), \
             offsetof(X86State, to) - offsetof(X86State, from)))

static bool same_x87(const X86Xsave *a, const X86Xsave *b)
{
    bool ok = a->fcw == b->fcw && a->fsw == b->fsw && a->ftw == b->ftw;
    for (unsigned i = 0; ok && i < 8; i++) {
        ok = a->st[i].m == b->st[i].m && a->st[i].se == b->st[i].se;
    }
    return ok;
}

static bool same_vectors(const X86State *sa, const X86State *sb)
{
    const X86Xsave *a = &sa->xsave, *b = &sb->xsave;
    return SAME(mxcsr) && SAME(xmm) && SAME(ymmh) &&
           (!(sa->xcr0 & XCR0_AVX512) || (SAME(k) && SAME(zmmh) && SAME(zmm16)));
}

static bool same_event(const X86Event *a, const X86Event *b)
{
    return a->valid == b->valid && (!a->valid || (SAME(vector) && SAME(soft) &&
                                                  SAME(error) && SAME(cr2) && SAME(dr6)));
}

static bool same_seg(const X86Seg *a, const X86Seg *b)
{
    return a->base == b->base && a->limit == b->limit && a->attr == b->attr &&
           a->selector == b->selector;
}

static bool same_table(const X86Table *a, const X86Table *b)
{
    return a->base == b->base && a->limit == b->limit;
}

static bool same_segments(const X86State *a, const X86State *b)
{
    bool ok = same_seg(&a->ldt, &b->ldt) && same_seg(&a->tr, &b->tr) &&
              same_table(&a->gdt, &b->gdt) && same_table(&a->idt, &b->idt);
    for (unsigned i = 0; ok && i < X86_NSEGS; i++) {
        ok = same_seg(&a->seg[i], &b->seg[i]);
    }
    return ok;
}

/* By pieces without padding. */
bool twin_same_state(const X86State *a, const X86State *b)
{
    return SPAN(gpr, seg) && same_segments(a, b) && SPAN(cr0, pkru) && SAME(pkru) &&
           SAME(cpl) && SAME(int_shadow) && SAME(nmi_masked) && SAME(halted) &&
           SAME(wait_sipi) && same_event(&a->event, &b->event) && SAME(msr) &&
           SAME(tsc_offset) && same_x87(&a->xsave, &b->xsave) && same_vectors(a, b);
}

/* ---- memory ---- */

bool twin_dma_overlaps(const Twin *t, uint64_t ram_addr, uint64_t len)
{
    for (unsigned i = 0; i < t->ndma; i++) {
        const TwinDma *d = &t->dma[i];
        if (ram_addr < d->ram_addr + d->len && d->ram_addr < ram_addr + len) {
            return true;
        }
    }
    return false;
}

static bool same_page(const Twin *t, uint32_t page)
{
    uint64_t at = (uint64_t)page * TLB_PAGE;
    const uint8_t *a = t->side[0].ram + at, *b = t->side[1].ram + at;
    if (likely(!memcmp(a, b, TLB_PAGE))) {
        return true;
    }
    for (unsigned i = 0; i < TLB_PAGE; i++) { /* a device may be at it */
        if (a[i] != b[i] && !twin_dma_overlaps(t, at + i, 1)) {
            return false;
        }
    }
    return true;
}

bool twin_same_memory(Twin *t)
{
    for (unsigned k = 0; k < 2; k++) {
        const TcgPageLog *l = &t->side[k].pages;
        for (uint32_t i = 0; i < MIN(l->n, l->max); i++) {
            if (!same_page(t, l->page[i])) {
                return false;
            }
        }
    }
    return true;
}

uint32_t *twin_all_pages(Twin *t, uint32_t *n)
{
    const TcgPageLog *a = &t->side[0].pages, *b = &t->side[1].pages;
    uint32_t *all = NEW_ARRAY(uint32_t, a->n + b->n + 1);
    *n = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        all[(*n)++] = a->page[i];
    }
    for (uint32_t i = 0; i < b->n; i++) {
        if (!a->seen[b->page[i]]) {
            all[(*n)++] = b->page[i];
        }
    }
    return all;
}

/* ---- dead flags ---- */

enum { DEAD_INSNS = 200 }; /* looked at */

/* A shift or rotate by a count leaves the flags alone if the count is 0: old flags pass
 * through, which is neither a use nor a definition. RCL and RCR do use CF. */
static bool shift_by_count(const X86Insn *in)
{
    const X86Row *row = in->row;
    uint8_t op = in->opcode;
    unsigned ext = in->modrm >> 3 & 7;
    if (row->enc != ENC_LEGACY) {
        return false;
    }
    return row->map == MAP_1 ? (op == 0xc0 || op == 0xc1 || op == 0xd2 || op == 0xd3) &&
                                   ext != 2 && ext != 3
                             : row->map == MAP_0F && (op & 0xf6) == 0xa4;
}

/* A direct jump or call of 64-bit code, which leaves flags alone: a trace goes on there. */
static bool goes_elsewhere(const X86Cpu *cpu, const X86Insn *in)
{
    return cpu->hflags & HF_CS64 && in->row->enc == ENC_LEGACY && in->row->map == MAP_1 &&
           (in->opcode == 0xe8 || in->opcode == 0xe9 || in->opcode == 0xeb);
}

uint32_t twin_dead_flags(TwinSide *s, X86Cpu *cpu)
{
    uint64_t lin = cpu->cpu.ops->get_pc(&cpu->cpu), gpa;
    uint32_t used = 0, dead = 0;

    for (unsigned i = 0; i < DEAD_INSNS; i++) {
        X86Insn in;
        unsigned avail = TLB_PAGE - (lin & (TLB_PAGE - 1));
        const uint8_t *p = x86_debug_translate(cpu, lin, &gpa)
                               ? x86_phys_host(cpu, gpa, false)
                               : NULL;
        int len = p ? x86_decode(&in, p, MIN(avail, 15u), cpu->hflags, cpu->feat) : 0;
        if (len <= 0) {
            break;
        }
        bool count = shift_by_count(&in);
        bool by_cl = in.row->map == MAP_0F ? in.opcode & 1 : in.opcode >= 0xd0;
        bool sure = !count || (!by_cl && in.imm & (in.op[0].size == 8 ? 63 : 31));
        used |= count ? 0 : x86_flags_used(&in);
        dead |= sure ? (in.row->fl_def | in.row->fl_undef) & ~used : 0;
        lin += len;
        if (goes_elsewhere(cpu, &in)) {
            lin += in.imm;
        } else if (in.row->flags & (RF_BRANCH | RF_END)) {
            break;
        }
    }
    return dead & FL_STATUS;
}

/* ---- printing ---- */

typedef struct Printer {
    FILE *f;
    const char *first, *second;
    bool all; /* else only what differs */
    unsigned differ;
} Printer;

static void print_value(FILE *f, uint64_t v, unsigned size)
{
    fprintf(f, "%*s%0*" PRIx64, 18 - 2 * size, "", 2 * size, v);
}

static void print_row(Printer *p, const char *name, unsigned size, uint64_t before,
                      uint64_t a, uint64_t b)
{
    if (!p->all && a == b) {
        return;
    }
    fprintf(p->f, "%c %-16s", a == b ? ' ' : '*', name);
    print_value(p->f, before, size);
    print_value(p->f, a, size);
    print_value(p->f, b, size);
    if (a != b) {
        fprintf(p->f, "   <-- differs by %" PRIx64, a ^ b);
        p->differ++;
    }
    fputc('\n', p->f);
}

static uint64_t get(const void *p, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, p, size);
    return v;
}

static void print_fields(Printer *p, const StateDesc *d, const char *prefix,
                         const char *before, const char *a, const char *b)
{
    static const uint8_t sizes[] = {
        [SK_BOOL] = 1, [SK_U8] = 1, [SK_U16] = 2, [SK_U32] = 4, [SK_U64] = 8
    };
    for (const StateField *f = d->fields; f->kind != SK_END; f++) {
        for (unsigned i = 0; f->kind != SK_BYTES && i < f->count; i++) {
            size_t at = f->offset + i * f->stride;
            char name[64];
            snprintf(name, sizeof(name), f->count > 1 ? "%s%s[%u]" : "%s%s", prefix,
                     f->name, i);
            if (f->kind == SK_SUB) {
                strncat(name, ".", sizeof(name) - strlen(name) - 1);
                print_fields(p, f->sub, strcmp(f->name, "st") ? name : "", before + at,
                             a + at, b + at);
            } else if (f->kind < ARRAY_SIZE(sizes) && sizes[f->kind]) {
                unsigned n = sizes[f->kind];
                print_row(p, name, n, get(before + at, n), get(a + at, n),
                          get(b + at, n));
            }
        }
    }
}

static void print_gprs(Printer *p, const X86State *s0, const X86State *a,
                       const X86State *b)
{
    static const char *const names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                           "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                           "r12", "r13", "r14", "r15" };
    bool all = p->all;
    p->all = true;
    print_row(p, "rip", 8, s0->rip, a->rip, b->rip);
    print_row(p, "rflags", 8, s0->rflags, a->rflags, b->rflags);
    for (unsigned i = 0; i < 16; i++) {
        print_row(p, names[i], 8, s0->gpr[i], a->gpr[i], b->gpr[i]);
    }
    p->all = all;
}

static void flag_names(FILE *f, uint64_t bits)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } rows[] = {
        { FL_CF, "CF" }, { FL_PF, "PF" }, { FL_AF, "AF" }, { FL_ZF, "ZF" },
        { FL_SF, "SF" }, { FL_TF, "TF" }, { FL_IF, "IF" }, { FL_DF, "DF" },
        { FL_OF, "OF" }, { FL_RF, "RF" }, { FL_AC, "AC" },
    };
    fprintf(f, "  flags that differ:");
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (bits & rows[i].bit) {
            fprintf(f, " %s", rows[i].name);
        }
    }
    fputc('\n', f);
}

static void print_fpu(Printer *p, const X86Xsave *s0, const X86Xsave *a,
                      const X86Xsave *b)
{
    char name[32];
    print_row(p, "fcw", 2, s0->fcw, a->fcw, b->fcw);
    print_row(p, "fsw", 2, s0->fsw, a->fsw, b->fsw);
    print_row(p, "ftw", 1, s0->ftw, a->ftw, b->ftw);
    print_row(p, "mxcsr", 4, s0->mxcsr, a->mxcsr, b->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "st%u.mantissa", i);
        print_row(p, name, 8, s0->st[i].m, a->st[i].m, b->st[i].m);
        snprintf(name, sizeof(name), "st%u.exponent", i);
        print_row(p, name, 2, s0->st[i].se, a->st[i].se, b->st[i].se);
    }
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned k = 0; k < 4; k++) {
            const X86Xmm *x0 = k < 2 ? &s0->xmm[i] : &s0->ymmh[i];
            const X86Xmm *xa = k < 2 ? &a->xmm[i] : &a->ymmh[i];
            const X86Xmm *xb = k < 2 ? &b->xmm[i] : &b->ymmh[i];
            snprintf(name, sizeof(name), "ymm%u.q%u", i, k);
            print_row(p, name, 8, x0->q[k & 1], xa->q[k & 1], xb->q[k & 1]);
        }
    }
    for (unsigned i = offsetof(X86Xsave, k); i < offsetof(X86Xsave, ext2); i += 8) {
        snprintf(name, sizeof(name), "xsave+%u", i); /* k, ZMM halves, ZMM16-31 */
        print_row(p, name, 8, get((const char *)s0 + i, 8), get((const char *)a + i, 8),
                  get((const char *)b + i, 8));
    }
}

void twin_print_states(FILE *f, const Twin *t, const X86State *before, const X86State *a,
                       const X86State *b)
{
    Printer p = { f, t->side[0].name, t->side[1].name, false, 0 };
    fprintf(f, "  %-16s%18s%18s%18s\n", "", "before", p.first, p.second);
    print_gprs(&p, before, a, b);
    if (a->rflags ^ b->rflags) {
        flag_names(f, a->rflags ^ b->rflags);
    }
    /* everything else where it differs; gpr, rip and rflags have been printed */
    X86Cpu *c[3];
    const X86State *st[3] = { before, a, b };
    for (unsigned i = 0; i < 3; i++) {
        c[i] = xalloc_aligned(64, sizeof(X86Cpu));
        c[i]->st = *st[i];
        memset(c[i]->st.gpr, 0, sizeof(c[i]->st.gpr));
        c[i]->st.rip = c[i]->st.rflags = 0;
        if (!c[i]->st.event.valid) {
            c[i]->st.event = (X86Event){ 0 };
        }
    }
    print_fields(&p, &x86_cpu_state, "", (char *)c[0], (char *)c[1], (char *)c[2]);
    print_fpu(&p, &before->xsave, &a->xsave, &b->xsave);
    for (unsigned i = 0; i < 3; i++) {
        free(c[i]);
    }
}

/* Guest address of RAM; false: nowhere. */
static bool ram_to_gpa(const Machine *m, uint64_t ram_addr, uint64_t *gpa)
{
    const FlatView *v = m->mem.view;
    for (unsigned i = 0; i < v->n; i++) {
        const FlatRange *r = &v->r[i];
        if (r->host && ram_addr >= r->ram_addr &&
            ram_addr - r->ram_addr <= r->last - r->start) {
            *gpa = r->start + (ram_addr - r->ram_addr);
            return true;
        }
    }
    return false;
}

void twin_print_memory(FILE *f, Twin *t, const TwinPages *pre)
{
    uint32_t n;
    unsigned lines = 0;
    uint32_t *pages = twin_all_pages(t, &n);
    for (uint32_t i = 0; i < n && lines < 16; i++) {
        uint64_t at = (uint64_t)pages[i] * TLB_PAGE;
        const uint8_t *was = twin_page_before(pre, pages[i]);
        for (unsigned k = 0; was && k < TLB_PAGE && lines < 16; k += 8) {
            uint64_t a = get(t->side[0].ram + at + k, 8),
                     b = get(t->side[1].ram + at + k, 8);
            uint64_t gpa = 0;
            if (a == b || twin_dma_overlaps(t, at + k, 8)) {
                continue;
            }
            if (!lines++) {
                fprintf(f, "memory that differs, by guest physical address:\n");
            }
            ram_to_gpa(t->m, at + k, &gpa);
            fprintf(f, "* %016" PRIx64, gpa);
            print_value(f, get(was + k, 8), 8);
            print_value(f, a, 8);
            print_value(f, b, 8);
            fprintf(f, "   <-- differs by %" PRIx64 "%s\n", a ^ b,
                    (a ^ b) == 0x20   ? " (A bit, if it is a page-table entry)"
                    : (a ^ b) == 0x40 ? " (D bit, if it is a page-table entry)"
                                      : "");
        }
    }
    free(pages);
}

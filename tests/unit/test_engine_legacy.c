/* SPDX-License-Identifier: MIT */
/*
 * As test_engine.c, for 16- and 32-bit code: random sequences by host code and by reference
 * functions, with flat and other segments, limits that are hit, offsets that wrap at 64 KiB
 * and 4 GiB, stacks of both widths, code that ends at its segment's end. DYAD_SEED=n,
 * DYAD_ROUNDS=n, DYAD_ROW=NAME as there; DYAD_WORLD=NAME for one of the worlds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "tests/unit/engine_rig.h"
#include "tests/unit/insn_gen.h"

enum {
    TSS = 0xa000,
    IDT2 = 0xb000,
    IST = 0xe000, /* faults come on a stack of their own */
    /* flat stacks: ESP in compared memory; SP alone is C800H or so, harmless too */
    FLAT_SP = 0x3c000,
    FLAT_LOW = 0xc000,
    LO = 0x2f000,
    HI = 0x53000, /* memory that is compared */
};

typedef struct World {
    const char *name;
    bool wide, flat, real;
} World;

static const World worlds[] = {
    { "flat32", true, true, false },
    { "seg32", true, false, false },
    { "seg16", false, false, false },
    { "real16", false, false, true },
};

typedef struct Seq {
    uint8_t code[1024];
    unsigned len, n;
    uint16_t at[64];
    bool glued[1024]; /* code must not end here: undefined flags would be seen */
    bool fresh;       /* nothing emitted yet: registers are set in `start` */
} Seq;

static const World *w;
static X86State start;
static X86Seg now[X86_NSEGS]; /* segments as they will be, if all goes well */
static uint32_t code_ip;
static const X86Row *rows[4096];
static unsigned nrows;

static void emit(Seq *s, const void *p, unsigned n)
{
    memcpy(s->code + s->len, p, n);
    s->len += n;
}

static void emit8(Seq *s, uint8_t b)
{
    emit(s, &b, 1);
}

static void mark(Seq *s)
{
    s->at[s->n++] = s->len;
    s->fresh = false;
}

/* mov r32, v, or so it begins */
static void set_reg(Seq *s, unsigned r, uint32_t v)
{
    if (s->fresh) {
        start.gpr[r] = (gen_rand() << 32) | v;
        return;
    }
    if (!w->wide) {
        emit8(s, 0x66);
    }
    emit8(s, 0xb8 | r);
    emit(s, &v, 4);
}

/* ---- the state ---- */

static X86Seg random_data(void)
{
    static const uint32_t limits[] = {
        0xffffffffu, 0xffff, 0x1fff, 0xfff, 0x10e0, 0x10e7
    };
    static const uint32_t attrs[] = { 0x93, 0x93,   0x93, 0x93, 0x93,   0x91,
                                      0x97, 0x4097, 0x9b, 0x99, 0x4093, SEG_UNUSABLE };
    X86Seg s = { .selector = 0x10 };

    if (w->real) {
        s.selector = (DATA >> 4) + gen_rand() % 256;
        s.base = (uint32_t)s.selector << 4;
        s.limit = gen_rand() % 4 ? 0xffff : limits[gen_rand() % ARRAY_SIZE(limits)];
        s.attr = 0x93;
        return s;
    }
    if (gen_rand() % 5 == 0) {
        return (X86Seg){ 0, 0xffffffff, 0xc093, 0x10 };
    }
    s.base = DATA + gen_rand() % 0x1800;
    s.limit = limits[gen_rand() % ARRAY_SIZE(limits)];
    s.attr = attrs[gen_rand() % ARRAY_SIZE(attrs)];
    return s;
}

static void random_state(void)
{
    X86State *st = &start;
    bool narrow_stack = w->real || gen_rand() % 4 == (w->wide ? 0 : gen_rand() % 3);

    base_state(st);
    for (unsigned r = 0; r < 16; r++) {
        st->gpr[r] = gen_value();
    }
    st->rflags |= gen_rand() & (FL_STATUS | FL_IF | (gen_rand() % 8 ? 0 : FL_DF));
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned k = 0; k < 2; k++) {
            st->xsave.xmm[i].q[k] = gen_value();
            st->xsave.ymmh[i].q[k] = gen_value();
        }
    }
    st->tr = (X86Seg){ TSS, 0x67, 0x8b, 0x18 };
    st->idt = (X86Table){ IDT2, 32 * 16 - 1 };
    st->seg[R_CS] = (X86Seg){ w->flat ? 0 : CODE, w->flat ? 0xffffffff : 0xffff,
                              w->wide ? 0xc09b : 0x9b, 8 };
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        if (i == R_CS || (w->flat && i < R_FS)) {
            continue;
        }
        st->seg[i] = random_data();
    }
    if (!w->flat) {
        st->seg[R_SS] = (X86Seg){ STACK, gen_rand() % 8 ? 0xffff : 0xffffffff, 0x93,
                                  0x10 };
    }
    st->seg[R_SS].attr = (st->seg[R_SS].attr & ~SEG_DB) | (narrow_stack ? 0 : SEG_DB);
    st->gpr[R_SP] = 0x800 + gen_rand() % 64 * 2 + (gen_rand() & 1 ? 0 : 0x7c0) +
                    (w->flat ? FLAT_SP : 0);
    if (w->real) {
        st->seg[R_SS].selector = STACK >> 4;
        st->seg[R_CS].selector = CODE >> 4;
        st->seg[R_CS].attr = 0x93 | SEG_CODE;
        st->cr0 = CR0_ET | CR0_NE;
        st->efer = 0;
        st->idt = (X86Table){ 0, 0x3ff };
        st->tr = (X86Seg){ 0, 0xffff, 0x8b, 0 };
    }
    if (!w->flat && gen_rand() % 6 == 0) {
        st->gpr[R_SP] = gen_rand() % 6 * 2; /* the stack wraps or ends */
    }
    st->gpr[R_SP] |= gen_rand() % 8 ? 0 : gen_rand() << 32;
    code_ip = gen_rand() % 3 ? 0x100 : gen_rand() % 0x1f00;
    code_ip += w->flat ? CODE : 0;
}

static void build_rig(void)
{
    for (unsigned v = 0; v < 32; v++) {
        put64(IDT2 + 16 * v,
              (HANDLER & 0xffffull) | 8 << 16 | 1ull << 32 | 0x8eull << 40);
        put64(IDT2 + 16 * v + 8, 0);
    }
    memset(mem(TSS), 0, 0x68);
    put64(TSS + 0x24, IST);
    put64(PT + 0x3000, 0); /* nothing at 0 */
}

static void real_vectors(void)
{
    for (unsigned v = 0; v < 32; v++) {
        uint32_t at = (HANDLER >> 4) << 16;
        memcpy(mem(4 * v), &at, 4);
    }
}

/* ---- instructions ---- */

static bool also(const X86Row *r)
{
    static const char *const names[] = { "LEA",  "XLAT", "MOVS", "STOS",  "LODS", "SCAS",
                                         "CMPS", "PUSH", "POP",  "PUSHA", "POPA", "BT",
                                         "BTS",  "BTR",  "BTC",  "AAA",   "DAA",  "AAM",
                                         "CLD",  "STD",  "CLI",  "STI",   "BOUND" };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(r->name, names[i])) {
            return r->enc == ENC_LEGACY;
        }
    }
    return r->map == MAP_1 && r->op >= 0xa0 && r->op <= 0xa3; /* moffs */
}

static void collect_rows(void)
{
    const char *only = getenv("DYAD_ROW");

    nrows = 0;
    for (const X86RowTable *t = x86_row_tables; t->name; t++) {
        for (unsigned i = 0; i < t->count; i++) {
            const X86Row *r = &t->rows[i];
            if (!(r->flags & RF_PLAIN || also(r)) || r->flags & RF_ONLY64 ||
                (w->real && r->enc != ENC_LEGACY) || r->enc == ENC_EVEX ||
                (r->feat && (!x86_host_has(r->feat) || !x86_has(cpu, r->feat))) ||
                (only && strcmp(only, r->name))) {
                continue;
            }
            unsigned weight = r->enc == ENC_LEGACY && r->map == MAP_1 && r->op < 0xd8 ? 6
                                                                                      : 1;
            while (weight-- && nrows < ARRAY_SIZE(rows)) {
                rows[nrows++] = r;
            }
        }
    }
}

/* Results that the manual leaves undefined, or where AMD and the SDM differ. */
static bool undefined_result(const X86Insn *in)
{
    const char *name = in->row->name;
    return ((!strcmp(name, "SHLD") || !strcmp(name, "SHRD")) && in->opsize == 2) ||
           !strncmp(name, "FICOM", 5) || !strncmp(name, "FCOM", 4) || !strncmp(name, "FUCOM", 5) ||
           !strcmp(name, "FTST") || (!strcmp(name, "BSWAP") && in->opsize == 2);
}

/* An offset in segment seg for an operand: mostly so that it lies in DATA, or where limits
 * and wraps are. */
static uint32_t offset_in(unsigned seg, unsigned adsize)
{
    const X86Seg *s = &now[seg];
    uint64_t r = gen_rand();

    if (!w->wide && !s->base && (adsize == 2 || r % 8 == 1)) { /* not the code at 10000H */
        return FLAT_LOW + (r >> 8) % 256;
    }
    switch (r % 8) {
    case 0:
        return (adsize == 2 ? MIN(s->limit, 0xffffu) : s->limit) - (r >> 8) % 40 +
               (r >> 16) % 4;
    case 1:
        return (adsize == 2 ? 0xffe0 : w->real ? 0xffffffe0u : 0xffe0) + (r >> 8) % 48;
    case 2: return adsize == 2 ? 0xffe0 + (r >> 8) % 32 : 0xffffffe0u + (r >> 8) % 32;
    default:
        if (adsize == 2 && !s->base) {
            return FLAT_LOW + (r >> 8) % 256;
        }
        return DATA + 0x1000 + (r >> 8) % 256 - s->base + ((r >> 4) % 8 ? 0 : 0xf00);
    }
}

static void set_pointer(Seq *s, unsigned r, unsigned seg, unsigned adsize)
{
    set_reg(s, r, offset_in(seg, adsize));
}

static void random_insn(Seq *s)
{
    static const uint8_t prefixes[] = { 0x67, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
    uint8_t bytes[17], *b = bytes + 2;
    X86Insn in;
    const X86Row *row = rows[gen_rand() % nrows];

    if (!gen_insn(row, b, &in, cpu->hflags, cpu->feat)) {
        return;
    }
    for (unsigned i = 0; i < 2 && gen_rand() % 3 == 0; i++) {
        *--b = prefixes[gen_rand() % sizeof(prefixes)];
        if (x86_decode(&in, b, 15, cpu->hflags, cpu->feat) <= 0 || in.row != row) {
            return;
        }
    }
    if (in.op[0].kind == OPND_SEG || undefined_result(&in)) {
        return;
    }
    for (unsigned i = 0; i < in.nops; i++) { /* the stack must stay good */
        if (in.op[i].kind == OPND_GPR && in.op[i].reg == R_SP && gen_rand() % 8) {
            return;
        }
        if (in.op[i].kind == OPND_GPR && in.op[i].reg == R_SP && in.row->w[i] != ROLE_R) {
            return;
        }
    }
    bool string = row->flags & RF_REP;
    if (string || !strcmp(row->name, "XLAT")) {
        set_pointer(s, string ? R_SI : R_BX, in.seg, in.adsize);
        set_pointer(s, R_DI, R_ES, in.adsize);
        set_reg(s, R_CX, gen_rand() % 12 | (in.adsize == 2 ? gen_rand() << 16 : 0));
    }
    if (in.is_mem && (in.base >= 0 || in.index >= 0)) {
        uint64_t gpr[16], old[16];
        for (unsigned r = 0; r < 16; r++) {
            gpr[r] = old[r] = gen_value();
        }
        if (in.base == R_SP || in.index == R_SP || in.row->ev ||
            !gen_point(&in, gpr, offset_in(in.seg, in.adsize))) {
            return;
        }
        for (unsigned r = 0; r < 8; r++) {
            if (gpr[r] != old[r] || (int)r == in.base || (int)r == in.index) {
                set_reg(s, r, gpr[r]);
            }
        }
        if (!strncmp(row->name, "BT", 2) && in.op[1].kind == OPND_GPR &&
            in.op[1].reg != in.base && in.op[1].reg != in.index) {
            set_reg(s, in.op[1].reg, gen_rand() % 512 - 256);
        }
    } else if (in.is_mem) { /* moffs, or a displacement alone */
        uint32_t off = offset_in(in.seg, in.adsize);
        if (in.disp_off) {
            memcpy(b + in.disp_off, &off, in.disp_len);
        }
    }
    mark(s);
    emit(s, b, in.len);
    if (row->fl_undef) { /* nobody may read what is undefined: test esp, esp */
        s->glued[s->len] = s->glued[s->len + 1] = true;
        emit(s, "\x85\xe4", 2);
    }
}

static uint32_t next_ip(const Seq *s, unsigned len)
{
    return code_ip + s->len + len;
}

static void filler(Seq *s, unsigned n)
{
    while (n--) {
        emit8(s, (gen_rand() & 1 ? 0x40 : 0x48) | gen_rand() % 4); /* inc, dec eax..ebx */
    }
}

static void maybe66(Seq *s)
{
    if (gen_rand() % 6 == 0) {
        emit8(s, 0x66);
    }
}

/* push IP; ret and the like; call and jmp by register and memory */
static void random_transfer(Seq *s)
{
    unsigned kind = gen_rand() % 5, len = w->wide ? 5 : 3, size = w->wide ? 4 : 2;
    uint32_t ip;

    switch (kind) {
    case 0: /* call +n */
        mark(s);
        emit8(s, 0xe8);
        emit(s, "\2\0\0\0", size);
        filler(s, 2);
        break;
    case 1: /* push ip; ret or ret 2 */
        mark(s);
        ip = next_ip(s, len + (kind = gen_rand() & 1 ? 1 : 3));
        emit8(s, 0x68);
        emit(s, &ip, size);
        mark(s);
        emit8(s, kind == 1 ? 0xc3 : 0xc2);
        emit(s, "\2\0", kind - 1);
        break;
    case 2: { /* mov ebx, ip; call ebx or jmp ebx */
        s->fresh = false;
        uint32_t at = next_ip(s, (w->wide ? 5 : 6) + 2);
        set_reg(s, R_BX, at | (w->wide || gen_rand() % 4 ? 0 : gen_rand() << 16));
        mark(s);
        emit8(s, 0xff);
        emit8(s, gen_rand() & 1 ? 0xd3 : 0xe3);
        break;
    }
    case 3: { /* mov [moffs], eax; jmp or call [disp] */
        uint32_t off = DATA + 0x1100 - (uint32_t)now[R_DS].base;
        s->fresh = false;
        set_reg(s, R_AX, next_ip(s, (w->wide ? 5 : 6) + 1 + size + 2 + size));
        mark(s);
        emit8(s, 0xa3);
        emit(s, &off, size);
        mark(s);
        emit8(s, 0xff);
        emit8(s, (gen_rand() & 1 ? 0x20 : 0x10) | (w->wide ? 5 : 6));
        emit(s, &off, size);
        break;
    }
    default: /* wild */
        set_reg(s, R_DX, gen_rand() & 1 ? 0xffff0000u + gen_rand() % 65536 : CODE);
        mark(s);
        maybe66(s);
        emit8(s, 0xff);
        emit8(s, gen_rand() % 16 ? 0xc2 : 0xe2);
        break;
    }
}

static void random_special(Seq *s)
{
    unsigned r = gen_rand() % 8;
    uint32_t v = gen_value();

    r = r == R_SP ? R_BX : r;
    switch (gen_rand() % 13) {
    case 0:
        mark(s);
        maybe66(s);
        emit8(s, 0x50 | gen_rand() % 8);
        break;
    case 1:
        mark(s);
        maybe66(s);
        emit8(s, 0x58 | r);
        break;
    case 2:
        mark(s);
        emit8(s, gen_rand() & 1 ? 0x6a : 0x68);
        emit(s, &v, s->code[s->len - 1] == 0x6a ? 1 : w->wide ? 4 : 2);
        break;
    case 3:
        mark(s);
        maybe66(s);
        emit8(s, 0x9c);
        break;
    case 4: /* push imm; popf */
        v = gen_rand() % 8 ? v & 0xcd5 : v & 0x27fd5;
        mark(s);
        emit8(s, 0x68);
        emit(s, &v, w->wide ? 4 : 2);
        mark(s);
        emit8(s, 0x9d);
        break;
    case 5: /* jcc, loop, jcxz, jmp over fillers */
    case 6: {
        unsigned n = gen_rand() % 4, k = gen_rand() % 3;
        if (k == 1) {
            set_reg(s, R_CX, gen_rand() % 3 | (gen_rand() & 1 ? gen_rand() << 16 : 0));
        }
        mark(s);
        if (k == 1 && gen_rand() % 4 == 0) {
            emit8(s, 0x67);
        }
        emit8(s, k == 0 ? 0x70 | gen_rand() % 16 : k == 1 ? 0xe0 | gen_rand() % 4 : 0xeb);
        emit8(s, n);
        filler(s, n);
        break;
    }
    case 7: /* mov ecx, 3; inc ebx; loop */
        set_reg(s, R_CX, 1 + gen_rand() % 4);
        mark(s);
        emit(s, "\x43\xe2\xfd", 3);
        break;
    case 8: { /* leave */
        set_reg(s, R_BP, (w->flat ? FLAT_SP : 0) + 0x800 + gen_rand() % 64 * 2);
        mark(s);
        maybe66(s);
        emit8(s, 0xc9);
        break;
    }
    case 9: { /* a segment load */
        static const uint8_t segs[] = { R_ES, R_DS, R_FS, R_GS };
        X86Seg d = random_data();
        unsigned seg = segs[gen_rand() % 4];
        bool null = gen_rand() % 3 == 0;
        set_reg(s, R_AX, w->real ? d.selector : null ? 0 : 0x10);
        now[seg] = w->real ? d : (X86Seg){ .limit = null ? 0 : 0xffffffff };
        mark(s);
        emit8(s, 0x8e);
        emit8(s, 0xc0 | seg << 3);
        break;
    }
    case 10: /* push, pop of segments */
        mark(s);
        emit8(s, 0x06);
        mark(s);
        emit8(s, w->real ? 0x1f : 0x58);
        now[R_DS].base = w->real ? now[R_ES].base : now[R_DS].base;
        break;
    default: random_transfer(s);
    }
}

/* ---- the comparison ---- */

static void show(const Seq *s)
{
    start_from(&start); /* the mode to decode in */
    fprintf(stderr, "world %s, code at %x\n", w->name, code_ip);
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        const X86Seg *g = &start.seg[i];
        fprintf(stderr, "  seg%u base %llx limit %x attr %x\n", i,
                (unsigned long long)g->base, g->limit, g->attr);
    }
    for (unsigned i = 0; i < 8; i++) {
        fprintf(stderr, "  r%u %016llx\n", i, (unsigned long long)start.gpr[i]);
    }
    for (unsigned i = 0, at = 0; at < s->len; i++) {
        X86Insn in;
        int n = x86_decode(&in, s->code + at, 15, cpu->hflags, cpu->feat);
        fprintf(stderr, "  +%03x %-10s", at, n > 0 ? in.row->name : "?");
        for (int k = 0; k < n; k++) {
            fprintf(stderr, " %02x", in.bytes[k]);
        }
        fputc('\n', stderr);
        at += n > 0 ? n : 1;
    }
}

static bool faulted(const X86State *st)
{
    return w->real ? st->seg[R_CS].base == HANDLER : st->rip == HANDLER + 2;
}

static void lay_out(const Seq *s, const uint8_t *memory)
{
    memory_write(&machine->mem, CODE - 64, memory, 64);
    static uint8_t code[0x10000];
    memset(code, 0xcc, sizeof(code)); /* jumps gone astray end here */
    memset(code, 0x90, 48);
    memcpy(code + 48, "\xe6\xf4\xf4", 3);
    memcpy(code + (w->flat ? code_ip - CODE : code_ip), s->code,
           MIN(s->len, sizeof(code) - (uint16_t)code_ip));
    memory_write(&machine->mem, CODE, code, sizeof(code));
    memcpy(mem(LO), memory, HI - LO);
    memcpy(mem(FLAT_LOW), memory, 0x1800);
    if (w->real) {
        real_vectors();
    }
}

static bool same_segs(const X86State *a, const X86State *b)
{
    bool same = true;
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        const X86Seg *p = &a->seg[i], *q = &b->seg[i];
        same &= p->base == q->base && p->limit == q->limit && p->attr == q->attr &&
                p->selector == q->selector;
    }
    if (!same) {
        fprintf(stderr, "segments differ\n");
    }
    return same;
}

static bool one_round(bool exact)
{
    static uint8_t before[HI - LO], native_mem[HI - LO], ist[256];
    static X86State native;
    Seq s = { .fresh = true };
    unsigned want = 1 + gen_rand() % 6;

    random_state();
    memcpy(now, start.seg, sizeof(now));
    start_from(&start);
    while (s.n < want && s.len < 200) {
        if (gen_rand() % 3) {
            random_insn(&s);
        } else {
            random_special(&s);
        }
    }
    emit(&s, "\xe6\xf4\xf4", 3);
    unsigned cut = 1 + gen_rand() % (s.len - 1);
    if (!w->flat && gen_rand() % 4 == 0 && !s.glued[cut]) {
        if (w->wide || gen_rand() & 1) {
            start.seg[R_CS].limit = code_ip + cut - 1;
        } else { /* beyond IP 0xffff there is IP 0. Targets move along, mostly into the air */
            code_ip = 0x10000 - cut;
        }
    }
    start.rip = code_ip;
    for (unsigned i = 0; i < HI - LO; i += 8) {
        uint64_t v = i < 0x100 ? gen_value() : 0x0123456789abcdefull * (i + code_ip);
        memcpy(before + i, &v, 8);
    }
    lay_out(&s, before);
    start_from(&start);
    run_native();
    native = cpu->st;
    memcpy(native_mem, mem(LO), HI - LO);
    memcpy(ist, mem(IST - 256), 256);

    lay_out(&s, before);
    start_from(&start);
    run_reference();
    bool same = compare(&native, &cpu->st, native_mem, mem(LO),
                        !exact && faulted(&native) && w->real ? 0 : HI - LO);
    same &= same_segs(&native, &cpu->st);
    if (native.rflags != cpu->st.rflags && (exact || !faulted(&native))) {
        fprintf(stderr, "flags native %llx reference %llx\n",
                (unsigned long long)native.rflags, (unsigned long long)cpu->st.rflags);
        same = false;
    }
    if (exact && faulted(&native) && !w->real && memcmp(ist + 216, mem(IST - 40), 24)) {
        fprintf(stderr, "interrupt frames differ\n");
        same = false;
    }
    if (!same) {
        show(&s);
    }
    return same;
}

static void all_worlds(bool exact)
{
    const char *seed_text = getenv("DYAD_SEED"), *rounds_text = getenv("DYAD_ROUNDS"),
               *only = getenv("DYAD_WORLD");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
    unsigned rounds = rounds_text ? atoi(rounds_text) : 4000;

    take_signals();
    build_rig();
    x86_engine.exact_flags = exact;
    for (unsigned i = 0; i < ARRAY_SIZE(worlds); i++) {
        unsigned bad = 0, faults = 0;
        w = &worlds[i];
        if (only && strcmp(only, w->name)) {
            continue;
        }
        tb_flush(x86_engine.cache, &cpu->cpu);
        gen_seed(seed);
        random_state();
        start_from(&start);
        collect_rows();
        for (unsigned round = 0; round < rounds && bad < 5; round++) {
            if (!one_round(exact)) {
                fprintf(stderr, "round %u\n", round);
                bad++;
            }
            faults += faulted(&cpu->st);
        }
        printf("%s: seed %llu, %u rounds, %u rows, %u ended by a fault\n", w->name,
               (unsigned long long)seed, rounds, nrows, faults);
        assert_int_equal(bad, 0);
        assert_true(faults < rounds * 3 / 4);
    }
}

static void legacy_sequences_agree_with_exact_flags(void **state)
{
    all_worlds(true);
}
static void legacy_sequences_agree_with_shared_checks(void **state)
{
    all_worlds(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_sequences_agree_with_exact_flags),
        cmocka_unit_test(legacy_sequences_agree_with_shared_checks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

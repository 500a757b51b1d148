/* SPDX-License-Identifier: MIT */
/*
 * Segment registers, descriptor-table registers and the instructions that look at
 * descriptors. SDM vol. 2; UMIP: vol. 3, 2.5. Leaf.
 */
#include "target-x86/rows_util.h"
#include "target-x86/seg.h"

/* ---- MOV, POP, LDS and friends ---- */

static void load_sreg(X86Cpu *cpu, unsigned seg, uint16_t sel)
{
    x86_load_sreg(cpu, seg, sel);
    if (seg == R_SS) {
        x86_set_shadow(cpu, X86_SHADOW_SS);
    }
}

static void exec_MOV_Sw(X86Cpu *cpu, const X86Insn *in)
{
    unsigned seg = in->op[0].reg;

    if (seg == R_CS || seg >= X86_NSEGS) {
        x86_raise(cpu, EXC_UD);
    }
    load_sreg(cpu, seg, opnd_get(cpu, in, 1));
}

static void exec_MOV_from_Sw(X86Cpu *cpu, const X86Insn *in)
{
    unsigned seg = in->op[1].reg;

    if (seg >= X86_NSEGS) {
        x86_raise(cpu, EXC_UD);
    }
    opnd_put(cpu, in, 0, cpu->st.seg[seg].selector);
}

static void exec_POPS(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t sel = stack_top(cpu, in->opsize);
    uint64_t mask = stack_mask(cpu), sp = cpu->st.gpr[R_SP] + in->opsize;

    load_sreg(cpu, in->op[0].reg, sel);
    set_sp(cpu, mask, sp); /* by the old SS's width */
}

/* LES LDS LSS LFS LGS */
static void load_pointer(X86Cpu *cpu, const X86Insn *in, unsigned seg)
{
    uint64_t ea = x86_ea(cpu, in), mask = x86_size_mask(in->adsize);
    uint64_t off = x86_load(cpu, in->seg, ea, in->opsize);
    uint16_t sel = x86_load(cpu, in->seg, (ea + in->opsize) & mask, 2);

    x86_load_sreg(cpu, seg, sel);
    x86_reg_set(cpu, in->op[0].reg, in->opsize, off);
}

static void exec_LES(X86Cpu *cpu, const X86Insn *in) { load_pointer(cpu, in, R_ES); }
static void exec_LDS(X86Cpu *cpu, const X86Insn *in) { load_pointer(cpu, in, R_DS); }
static void exec_LSS(X86Cpu *cpu, const X86Insn *in) { load_pointer(cpu, in, R_SS); }
static void exec_LFS(X86Cpu *cpu, const X86Insn *in) { load_pointer(cpu, in, R_FS); }
static void exec_LGS(X86Cpu *cpu, const X86Insn *in) { load_pointer(cpu, in, R_GS); }

/* ---- LGDT LIDT SGDT SIDT ---- */

static void check_umip(X86Cpu *cpu)
{
    if (cpu->st.cr4 & CR4_UMIP && cpu->st.cpl) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

static void load_table(X86Cpu *cpu, const X86Insn *in, X86Table *t)
{
    bool wide = cpu->hflags & HF_CS64;
    uint64_t ea = x86_ea(cpu, in), mask = x86_size_mask(in->adsize);
    uint16_t limit = x86_load(cpu, in->seg, ea, 2);
    uint64_t base = x86_load(cpu, in->seg, (ea + 2) & mask, wide ? 8 : 4);

    if (wide && sext(base, 48) != (int64_t)base) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    *t = (X86Table){ .base = !wide && in->opsize == 2 ? base & 0xffffff : base,
                     .limit = limit };
}

static void store_table(X86Cpu *cpu, const X86Insn *in, const X86Table *t)
{
    unsigned n = cpu->hflags & HF_CS64 ? 10 : 6;
    uint8_t image[10];

    check_umip(cpu);
    image[0] = t->limit;
    image[1] = t->limit >> 8;
    for (unsigned i = 0; i < 8; i++) {
        image[2 + i] = t->base >> (8 * i);
    }
    x86_store_bytes(cpu, in->seg, x86_ea(cpu, in), image, n);
}

static void exec_LGDT(X86Cpu *cpu, const X86Insn *in) { load_table(cpu, in, &cpu->st.gdt); }
static void exec_LIDT(X86Cpu *cpu, const X86Insn *in) { load_table(cpu, in, &cpu->st.idt); }
static void exec_SGDT(X86Cpu *cpu, const X86Insn *in) { store_table(cpu, in, &cpu->st.gdt); }
static void exec_SIDT(X86Cpu *cpu, const X86Insn *in) { store_table(cpu, in, &cpu->st.idt); }

/* ---- LLDT LTR SLDT STR ---- */

/* The descriptor of LLDT and LTR: from the GDT, of one of two types. */
static X86Seg read_system(X86Cpu *cpu, uint16_t sel, unsigned type, unsigned or_type,
                          X86Desc *d)
{
    uint32_t high = 0;

    if (sel & 4 || !x86_desc_read(cpu, sel, d) ||
        (x86_desc_type(d) != type && x86_desc_type(d) != or_type)) {
        x86_raise_err(cpu, EXC_GP, sel & 0xfffc);
    }
    if (!x86_desc_present(d)) {
        x86_raise_err(cpu, EXC_NP, sel & 0xfffc);
    }
    if (cpu->hflags & HF_LMA && !x86_desc_read_high(cpu, sel, d, &high)) {
        x86_raise_err(cpu, EXC_GP, sel & 0xfffc);
    }
    X86Seg s = x86_desc_to_seg(d, sel);
    s.base |= (uint64_t)high << 32;
    if (sext(s.base, 48) != (int64_t)s.base) {
        x86_raise_err(cpu, EXC_GP, sel & 0xfffc);
    }
    return s;
}

static void exec_LLDT(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t sel = opnd_get(cpu, in, 0);
    X86Desc d;

    cpu->st.ldt = sel & 0xfffc ? read_system(cpu, sel, SYS_LDT, SYS_LDT, &d)
                               : x86_null_seg(sel);
}

static void exec_LTR(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t sel = opnd_get(cpu, in, 0);
    bool lma = cpu->hflags & HF_LMA;
    X86Desc d;

    if (!(sel & 0xfffc)) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    X86Seg s = read_system(cpu, sel, SYS_TSS32, lma ? SYS_TSS32 : SYS_TSS16, &d);
    x86_sys_or8(cpu, d.lin + 5, 2); /* busy */
    s.attr |= 2;
    cpu->st.tr = s;
}

static void exec_SLDT(X86Cpu *cpu, const X86Insn *in)
{
    check_umip(cpu);
    opnd_put(cpu, in, 0, cpu->st.ldt.selector);
}

static void exec_STR(X86Cpu *cpu, const X86Insn *in)
{
    check_umip(cpu);
    opnd_put(cpu, in, 0, cpu->st.tr.selector);
}

/* ---- LAR LSL VERR VERW ARPL ---- */

/* Reads a descriptor that CPL and RPL may see; types: which system types count. */
static bool visible(X86Cpu *cpu, uint16_t sel, uint32_t types, X86Desc *d)
{
    if (!(sel & 0xfffc) || !x86_desc_read(cpu, sel, d)) {
        return false;
    }
    unsigned dpl = x86_desc_dpl(d);
    if (!(x86_desc_attr(d) & SEG_S) && !(types >> x86_desc_type(d) & 1)) {
        return false;
    }
    return (x86_desc_is_code(d) && x86_desc_conforming(d)) ||
           (dpl >= cpu->st.cpl && dpl >= (sel & 3));
}

static void set_zf(X86Cpu *cpu, bool on)
{
    x86_set_flags(cpu, FL_ZF, on ? FL_ZF : 0);
}

static void exec_LAR(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t sel = opnd_get(cpu, in, 1);
    /* table of LAR: TSSs, LDT, call gates; in long mode no 16-bit and no task gates */
    uint32_t types = cpu->hflags & HF_LMA ? BIT(2) | BIT(9) | BIT(11) | BIT(12)
                                          : BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) |
                                                BIT(9) | BIT(11) | BIT(12);
    X86Desc d;

    bool ok = visible(cpu, sel, types, &d);
    if (ok) {
        x86_reg_set(cpu, in->op[0].reg, in->opsize, d.hi & 0x00ffff00u);
    }
    set_zf(cpu, ok);
}

static void exec_LSL(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t sel = opnd_get(cpu, in, 1);
    uint32_t types = cpu->hflags & HF_LMA ? BIT(2) | BIT(9) | BIT(11)
                                          : BIT(1) | BIT(2) | BIT(3) | BIT(9) | BIT(11);
    X86Desc d;

    bool ok = visible(cpu, sel, types, &d);
    if (ok) {
        x86_reg_set(cpu, in->op[0].reg, in->opsize, x86_desc_limit(&d));
    }
    set_zf(cpu, ok);
}

static void exec_VERR(X86Cpu *cpu, const X86Insn *in)
{
    X86Desc d;
    bool ok = visible(cpu, opnd_get(cpu, in, 0), 0, &d);

    set_zf(cpu, ok && (!x86_desc_is_code(&d) || x86_desc_attr(&d) & SEG_R));
}

static void exec_VERW(X86Cpu *cpu, const X86Insn *in)
{
    X86Desc d;
    bool ok = visible(cpu, opnd_get(cpu, in, 0), 0, &d);

    set_zf(cpu, ok && !x86_desc_is_code(&d) && x86_desc_attr(&d) & SEG_W);
}

static void exec_ARPL(X86Cpu *cpu, const X86Insn *in)
{
    uint16_t rpl = x86_reg_get(cpu, in->op[1].reg, 2) & 3, v = x86_opnd_read(cpu, in, 0);
    bool raise = (v & 3) < rpl;

    if (raise) { /* else nothing is written */
        x86_opnd_write(cpu, in, 0, (v & 0xfffc) | rpl);
    }
    set_zf(cpu, raise);
}

/* ---- BOUND ---- */

static void exec_BOUND(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->opsize;
    uint64_t ea = x86_ea(cpu, in), mask = x86_size_mask(in->adsize);
    int64_t lo = sext(x86_load(cpu, in->seg, ea, size), size * 8);
    int64_t hi = sext(x86_load(cpu, in->seg, (ea + size) & mask, size), size * 8);
    int64_t v = sext(x86_reg_get(cpu, in->op[0].reg, size), size * 8);

    if (v < lo || v > hi) {
        x86_raise(cpu, EXC_BR);
    }
}

/* ---- SWAPGS, RD/WR FS/GS BASE ---- */

static void exec_SWAPGS(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = cpu->st.seg[R_GS].base;
    cpu->st.seg[R_GS].base = cpu->st.msr.kernel_gs_base;
    cpu->st.msr.kernel_gs_base = v;
}

static X86Seg *base_seg(X86Cpu *cpu, const X86Insn *in)
{
    if (!(cpu->st.cr4 & CR4_FSGSBASE)) {
        x86_raise(cpu, EXC_UD);
    }
    return &cpu->st.seg[in->modrm >> 3 & 1 ? R_GS : R_FS];
}

static void exec_RDBASE(X86Cpu *cpu, const X86Insn *in)
{
    opnd_put(cpu, in, 0, base_seg(cpu, in)->base);
}

static void exec_WRBASE(X86Cpu *cpu, const X86Insn *in)
{
    X86Seg *s = base_seg(cpu, in);
    uint64_t v = opnd_get(cpu, in, 0);

    if (sext(v, 48) != (int64_t)v) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
    s->base = v;
}

/* ---- rows ---- */

#define POPS(opc, mp, o1, fl)                                                            \
    { .name = "POP", .map = (mp), .op = (opc), OPS(o1), ROLES(WR),                       \
      .flags = RF_STACK | (fl), .exec = exec_POPS }
#define LPTR(mn, mp, opc, fl, fn)                                                        \
    { .name = mn, .map = (mp), .op = (opc), OPS(Gv, Mp), ROLES(WR, NA),                  \
      .flags = RF_END | (fl), .exec = (fn) }
#define GRP(mn, opc, e, o1, role, fl, fn)                                                \
    { .name = mn, .map = MAP_0F, .op = (opc), .ext = EXT(e), OPS(o1), ROLES(role),       \
      .flags = (fl), .exec = (fn) }
#define BASE(mn, e, o1, role, fn)                                                        \
    { .name = mn, .map = MAP_0F, .op = 0xae, .pp = PP_F3, .ext = EXT(e), OPS(o1),        \
      ROLES(role), .flags = RF_ONLY64 | RF_REG, .feat = X86F_FSGSBASE, .exec = (fn) }

const X86Row x86_rows_seg[] = {
    { .name = "MOV", .op = 0x8e, OPS(Sw, Ew), ROLES(WR, RD), .flags = RF_END,
      .exec = exec_MOV_Sw },
    { .name = "MOV", .op = 0x8c, OPS(Mw, Sw), ROLES(WR, RD), .flags = RF_MEM,
      .exec = exec_MOV_from_Sw },
    { .name = "MOV", .op = 0x8c, OPS(Rv, Sw), ROLES(WR, RD), .flags = RF_REG,
      .exec = exec_MOV_from_Sw },
    POPS(0x07, MAP_1, FES, RF_NO64 | RF_END),
    POPS(0x17, MAP_1, FSS, RF_NO64 | RF_END),
    POPS(0x1f, MAP_1, FDS, RF_NO64 | RF_END),
    POPS(0xa1, MAP_0F, FFS, RF_D64 | RF_END),
    POPS(0xa9, MAP_0F, FGS, RF_D64 | RF_END),
    LPTR("LES", MAP_1, 0xc4, RF_NO64, exec_LES),
    LPTR("LDS", MAP_1, 0xc5, RF_NO64, exec_LDS),
    LPTR("LSS", MAP_0F, 0xb2, 0, exec_LSS),
    LPTR("LFS", MAP_0F, 0xb4, 0, exec_LFS),
    LPTR("LGS", MAP_0F, 0xb5, 0, exec_LGS),
    GRP("SLDT", 0x00, 0, Mw, WR, RF_PE | RF_MEM, exec_SLDT),
    GRP("SLDT", 0x00, 0, Rv, WR, RF_PE | RF_REG, exec_SLDT),
    GRP("STR", 0x00, 1, Mw, WR, RF_PE | RF_MEM, exec_STR),
    GRP("STR", 0x00, 1, Rv, WR, RF_PE | RF_REG, exec_STR),
    GRP("LLDT", 0x00, 2, Ew, RD, RF_PE | RF_CPL0, exec_LLDT),
    GRP("LTR", 0x00, 3, Ew, RD, RF_PE | RF_CPL0, exec_LTR),
    { .name = "VERR", .map = MAP_0F, .op = 0x00, .ext = EXT(4), OPS(Ew), .flags = RF_PE,
      FLAGS(0, FL_ZF, 0), .exec = exec_VERR },
    { .name = "VERW", .map = MAP_0F, .op = 0x00, .ext = EXT(5), OPS(Ew), .flags = RF_PE,
      FLAGS(0, FL_ZF, 0), .exec = exec_VERW },
    GRP("SGDT", 0x01, 0, M_, NA, RF_MEM, exec_SGDT),
    GRP("SIDT", 0x01, 1, M_, NA, RF_MEM, exec_SIDT),
    GRP("LGDT", 0x01, 2, Ms, NA, RF_MEM | RF_CPL0, exec_LGDT),
    GRP("LIDT", 0x01, 3, Ms, NA, RF_MEM | RF_CPL0, exec_LIDT),
    { .name = "LAR", .map = MAP_0F, .op = 0x02, OPS(Gv, Ew), ROLES(RW, RD), .flags = RF_PE,
      FLAGS(FL_ZF, FL_ZF, 0), .exec = exec_LAR },
    { .name = "LSL", .map = MAP_0F, .op = 0x03, OPS(Gv, Ew), ROLES(RW, RD), .flags = RF_PE,
      FLAGS(FL_ZF, FL_ZF, 0), .exec = exec_LSL },
    { .name = "ARPL", .op = 0x63, OPS(Ew, Gw), ROLES(RW, RD), .flags = RF_PE | RF_NO64,
      FLAGS(FL_ZF, FL_ZF, 0), .exec = exec_ARPL },
    { .name = "BOUND", .op = 0x62, OPS(Gv, Ma), ROLES(RD, NA), .flags = RF_NO64 | RF_MEM,
      .exec = exec_BOUND },
    { .name = "SWAPGS", .map = MAP_0F, .op = 0x01, .ext = EXT(7), .rm = EXT(0),
      .flags = RF_ONLY64 | RF_REG | RF_CPL0, .exec = exec_SWAPGS },
    BASE("RDFSBASE", 0, Ry, WR, exec_RDBASE),
    BASE("RDGSBASE", 1, Ry, WR, exec_RDBASE),
    BASE("WRFSBASE", 2, Ry, RD, exec_WRBASE),
    BASE("WRGSBASE", 3, Ry, RD, exec_WRBASE),
};
const unsigned x86_n_rows_seg = ARRAY_SIZE(x86_rows_seg);

/* SPDX-License-Identifier: MIT */
/*
 * x87 control instructions and state images. SDM vol. 1, 8.1.3 to 8.1.10 (images: figures
 * 8-9 to 8-12); vol. 2 under each mnemonic. FCS and FDS are not kept (CPUID.7.EBX[13]):
 * they are stored as zero.
 */
#include "target-x86/x87_exec.h"

#include <string.h>

#include "target-x86/x87.h"

#define FCW_KEPT 0x1f3fu /* bits that FLDCW can set */
#define FCW_ONE 0x40u

void x87_exec_FNOP(X86Cpu *cpu, const X86Insn *in)
{
    x87_pointers(cpu, in);
}

void x87_exec_FWAIT(X86Cpu *cpu, const X86Insn *in) {}

void x87_exec_FNINIT(X86Cpu *cpu, const X86Insn *in)
{
    x87_init(&cpu->st.xsave);
    x87_update_es(cpu);
}

void x87_exec_FNCLEX(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.xsave.fsw &= ~(SF_ALL | FSW_SF);
    x87_touch(&cpu->st.xsave);
    x87_update_es(cpu);
}

static void set_fcw(X86Cpu *cpu, uint16_t v)
{
    cpu->st.xsave.fcw = (v & FCW_KEPT) | FCW_ONE;
}

void x87_exec_FLDCW(X86Cpu *cpu, const X86Insn *in)
{
    set_fcw(cpu, x86_load(cpu, in->seg, x86_ea(cpu, in), 2));
    x87_touch(&cpu->st.xsave);
    x87_update_es(cpu);
}

void x87_exec_FNSTCW(X86Cpu *cpu, const X86Insn *in)
{
    x86_store(cpu, in->seg, x86_ea(cpu, in), 2, cpu->st.xsave.fcw);
}

void x87_exec_FNSTSW(X86Cpu *cpu, const X86Insn *in)
{
    x86_opnd_write(cpu, in, 0, cpu->st.xsave.fsw);
}

/* ---- environment images ---- */

/* How the environment is laid out now. */
typedef struct Layout {
    unsigned step; /* 4 or 2 bytes a field */
    bool prot;     /* else linear pointers and the opcode are split into 16-bit pieces */
} Layout;

static Layout layout_of(const X86Cpu *cpu, const X86Insn *in)
{
    return (Layout){ .step = in->opsize == 2 ? 2 : 4,
                     .prot = (cpu->hflags & (HF_PE | HF_VM)) == HF_PE };
}

static void put(uint8_t *image, Layout l, unsigned field, uint32_t v)
{
    for (unsigned i = 0; i < l.step; i++) {
        image[field * l.step + i] = v >> 8 * i;
    }
}

static uint32_t get(const uint8_t *image, Layout l, unsigned field)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < l.step; i++) {
        v |= (uint32_t)image[field * l.step + i] << 8 * i;
    }
    return v;
}

/* Fields are FCW, FSW, FTW, FIP, FCS (or FIP's upper part), FDP, FDS. Reserved upper
 * halves of the 32-bit format read as ones. */
static void make_env(const X86Xsave *x, Layout l, uint8_t *image)
{
    uint32_t high = 0xffff0000, fip = x->fip, fdp = x->fdp, fop = x->fop & 0x7ff;

    put(image, l, 0, high | x->fcw);
    put(image, l, 1, high | x->fsw);
    put(image, l, 2, high | x87_tag_word(x));
    if (l.prot) {
        put(image, l, 3, fip);
        put(image, l, 4, fop << 16);
        put(image, l, 5, fdp);
        put(image, l, 6, high);
    } else if (l.step == 4) {
        put(image, l, 3, high | (fip & 0xffff));
        put(image, l, 4, fip >> 16 << 12 | fop);
        put(image, l, 5, high | (fdp & 0xffff));
        put(image, l, 6, fdp >> 16 << 12);
    } else {
        put(image, l, 3, fip);
        put(image, l, 4, (fip >> 16 & 15) << 12 | fop);
        put(image, l, 5, fdp);
        put(image, l, 6, (fdp >> 16 & 15) << 12);
    }
}

static void take_env(X86Cpu *cpu, Layout l, const uint8_t *image)
{
    X86Xsave *x = &cpu->st.xsave;
    uint16_t fsw = get(image, l, 1);
    uint32_t w3 = get(image, l, 3), w4 = get(image, l, 4);
    uint32_t w5 = get(image, l, 5), w6 = get(image, l, 6);

    set_fcw(cpu, get(image, l, 0));
    x87_set_top(x, fsw >> 11 & 7);
    x->fsw = fsw;
    x->ftw = x87_abridge(get(image, l, 2));
    if (l.prot) {
        x->fip = w3;
        x->fdp = w5;
        x->fop = l.step == 4 ? w4 >> 16 & 0x7ff : 0;
    } else {
        x->fip = (w3 & 0xffff) | (w4 & 0x0ffff000) << 4;
        x->fdp = (w5 & 0xffff) | (w6 & 0x0ffff000) << 4;
        x->fop = w4 & 0x7ff;
    }
    x87_touch(x);
    x87_update_es(cpu);
}

/* #AC: words or doublewords, vol. 3, table 6-7. */
static void check_alignment(X86Cpu *cpu, const X86Insn *in, Layout l, bool write)
{
    (void)x86_linear(cpu, in->seg, x86_ea(cpu, in), l.step, write);
}

void x87_exec_FNSTENV(X86Cpu *cpu, const X86Insn *in)
{
    Layout l = layout_of(cpu, in);
    uint8_t image[28];

    make_env(&cpu->st.xsave, l, image);
    check_alignment(cpu, in, l, true);
    x86_store_bytes(cpu, in->seg, x86_ea(cpu, in), image, 7 * l.step);
    cpu->st.xsave.fcw |= SF_ALL;
    x87_update_es(cpu);
}

void x87_exec_FLDENV(X86Cpu *cpu, const X86Insn *in)
{
    Layout l = layout_of(cpu, in);
    uint8_t image[28];

    check_alignment(cpu, in, l, false);
    x86_load_bytes(cpu, in->seg, x86_ea(cpu, in), image, 7 * l.step);
    take_env(cpu, l, image);
}

void x87_exec_FNSAVE(X86Cpu *cpu, const X86Insn *in)
{
    X86Xsave *x = &cpu->st.xsave;
    Layout l = layout_of(cpu, in);
    unsigned n = 7 * l.step;
    uint8_t image[28 + 80];

    make_env(x, l, image);
    for (unsigned i = 0; i < 8; i++, n += 10) {
        memcpy(image + n, &x->st[i].m, 8);
        memcpy(image + n + 8, &x->st[i].se, 2);
    }
    check_alignment(cpu, in, l, true);
    x86_store_bytes(cpu, in->seg, x86_ea(cpu, in), image, n);
    x87_init(x);
    x87_update_es(cpu);
}

void x87_exec_FRSTOR(X86Cpu *cpu, const X86Insn *in)
{
    X86Xsave *x = &cpu->st.xsave;
    Layout l = layout_of(cpu, in);
    unsigned n = 7 * l.step;
    uint8_t image[28 + 80];

    check_alignment(cpu, in, l, false);
    x86_load_bytes(cpu, in->seg, x86_ea(cpu, in), image, n + 80);
    take_env(cpu, l, image);
    for (unsigned i = 0; i < 8; i++, n += 10) {
        memcpy(&x->st[i].m, image + n, 8);
        memcpy(&x->st[i].se, image + n + 8, 2);
    }
}

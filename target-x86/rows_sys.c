/* SPDX-License-Identifier: MIT */
/*
 * System instructions: control and debug registers, TLB, MSRs, CPUID, flags with
 * privilege, HLT. SDM vol. 2 and vol. 3, chapters 2 and 17. Leaf; what needs devices goes
 * through x86_heavy. XSAVE, RDRAND and port I/O are in xsave.c, rows_io.c.
 */
#include "target-x86/cpuid.h"
#include "target-x86/mmu.h"
#include "target-x86/msrs.h"
#include "target-x86/rows_util.h"
#include "target-x86/seg.h"
#include "target-x86/sysregs.h"

static void gp0(X86Cpu *cpu)
{
    x86_raise_err(cpu, EXC_GP, 0);
}

static void require(X86Cpu *cpu, bool ok)
{
    if (!ok) {
        gp0(cpu);
    }
}

/* ---- control registers ---- */

static uint64_t tpr_get(X86Cpu *cpu, void *arg)
{
    const Cpu *c = &cpu->cpu;
    return c->irq_ops ? c->irq_ops->get_tpr(c->irq_opaque) : 0;
}

static uint64_t tpr_set(X86Cpu *cpu, void *arg)
{
    const Cpu *c = &cpu->cpu;
    if (c->irq_ops) {
        c->irq_ops->set_tpr(c->irq_opaque, *(uint64_t *)arg);
    }
    return 0;
}

/* Only CR0, 2, 3, 4 and 8 exist, and no DR8 and up: #UD before CPL is looked at, vol. 2,
 * MOV. */
static void check_number(X86Cpu *cpu, const X86Opnd *o)
{
    if (o->kind == OPND_CR ? !(0x11d >> o->reg & 1) : o->reg > 7) {
        x86_raise(cpu, EXC_UD);
    }
    require(cpu, !cpu->st.cpl);
}

static void exec_MOV_from_CR(X86Cpu *cpu, const X86Insn *in)
{
    check_number(cpu, &in->op[1]);
    uint64_t v;

    switch (in->op[1].reg) {
    case 0:
        v = cpu->st.cr0;
        break;
    case 2:
        v = cpu->st.cr2;
        break;
    case 3:
        v = cpu->st.cr3;
        break;
    case 4:
        v = cpu->st.cr4;
        break;
    case 8:
        v = x86_aside(cpu, tpr_get, NULL);
        break;
    default:
        x86_raise(cpu, EXC_UD);
    }
    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, v);
}

static void exec_MOV_to_CR(X86Cpu *cpu, const X86Insn *in)
{
    check_number(cpu, &in->op[0]);
    uint64_t v = x86_reg_get(cpu, in->op[1].reg, in->op[1].size);

    switch (in->op[0].reg) {
    case 0:
        require(cpu, x86_set_cr0(cpu, v));
        break;
    case 2:
        cpu->st.cr2 = v;
        break;
    case 3:
        require(cpu, x86_set_cr3(cpu, v));
        break;
    case 4:
        require(cpu, x86_set_cr4(cpu, v));
        break;
    case 8:
        require(cpu, v <= 15);
        x86_aside(cpu, tpr_set, &v);
        break;
    default:
        x86_raise(cpu, EXC_UD);
    }
}

static void exec_SMSW(X86Cpu *cpu, const X86Insn *in)
{
    require(cpu, !(cpu->st.cr4 & CR4_UMIP && cpu->st.cpl));
    opnd_put(cpu, in, 0, cpu->st.cr0);
}

/* Loads PE, MP, EM, TS; cannot clear PE. */
static void exec_LMSW(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = opnd_get(cpu, in, 0) & 15;

    require(cpu, x86_set_cr0(cpu, (cpu->st.cr0 & ~14ull) | v));
}

static void exec_CLTS(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.cr0 &= ~CR0_TS;
    x86_update_hflags(cpu);
    cpu->end_block = 1;
}

/* ---- debug registers, vol. 3, 17.2 ---- */

static unsigned debug_reg(X86Cpu *cpu, unsigned r)
{
    if (r >= 8 || ((r == 4 || r == 5) && cpu->st.cr4 & CR4_DE)) {
        x86_raise(cpu, EXC_UD);
    }
    if (cpu->st.dr7 & DR7_GD) {
        x86_raise_db(cpu, DR6_BD);
    }
    return r == 4 || r == 5 ? r + 2 : r;
}

static void exec_MOV_from_DR(X86Cpu *cpu, const X86Insn *in)
{
    check_number(cpu, &in->op[1]);
    unsigned r = debug_reg(cpu, in->op[1].reg);
    uint64_t v = r < 4 ? cpu->st.dr[r] : r == 6 ? cpu->st.dr6 : cpu->st.dr7;

    x86_reg_set(cpu, in->op[0].reg, in->op[0].size, v);
}

static void exec_MOV_to_DR(X86Cpu *cpu, const X86Insn *in)
{
    check_number(cpu, &in->op[0]);
    unsigned r = debug_reg(cpu, in->op[0].reg);
    uint64_t v = x86_reg_get(cpu, in->op[1].reg, in->op[1].size);

    if (r < 4) {
        cpu->st.dr[r] = v;
    } else {
        require(cpu, !(v >> 32));
        if (r == 6) {
            cpu->st.dr6 = (v & (0xf | DR6_BD | DR6_BS | DR6_BT)) | DR6_FIXED;
        } else {
            cpu->st.dr7 = (v & 0xffff23ffu) | DR7_FIXED;
        }
    }
    x86_update_hflags(cpu);
    cpu->end_block = 1;
}

/* ---- translations ---- */

static void exec_INVLPG(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t lin = x86_ea(cpu, in);

    if (!(cpu->hflags & HF_CS64)) {
        lin = (uint32_t)(lin + cpu->st.seg[in->seg].base);
    } else if (in->seg >= R_FS) {
        lin += cpu->st.seg[in->seg].base;
    }
    if (!(cpu->hflags & HF_CS64) || sext(lin, 48) == (int64_t)lin) {
        x86_tlb_flush_page(cpu, lin);
    }
    cpu->end_block = 1;
}

static void exec_INVPCID(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t type = x86_reg_get(cpu, in->op[0].reg, cpu->hflags & HF_CS64 ? 8 : 4);
    uint64_t ea = x86_ea(cpu, in), mask = x86_size_mask(in->adsize);
    uint64_t pcid = x86_load(cpu, in->seg, ea, 8);
    uint64_t lin = x86_load(cpu, in->seg, (ea + 8) & mask, 8);

    require(cpu, type <= 3 && !(pcid >> 12));
    if (type <= 1) {
        require(cpu, !pcid || cpu->st.cr4 & CR4_PCIDE);
    }
    switch (type) {
    case 0:
        require(cpu, sext(lin, 48) == (int64_t)lin);
        x86_tlb_flush_page(cpu, lin);
        break;
    case 1:
        x86_tlb_flush_pcid(cpu, pcid);
        break;
    default: /* all PCIDs; 3 may keep global ones but need not */
        x86_tlb_flush(cpu, true);
    }
    cpu->end_block = 1;
}

static void exec_NOP(X86Cpu *cpu, const X86Insn *in)
{
}

/* Zeroes the 64-byte line of rAX. */
static void exec_CLZERO(X86Cpu *cpu, const X86Insn *in)
{
    static const uint8_t zero[64];
    unsigned seg = in->seg_prefix == SEG_NONE ? R_DS : in->seg_prefix;

    x86_store_bytes(cpu, seg, x86_reg_get(cpu, R_AX, in->adsize) & ~63ull, zero, 64);
}

/* ---- MSRs, CPUID, TSC ---- */

static void exec_RDMSR(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v;

    require(cpu, x86_rdmsr(cpu, cpu->st.gpr[R_CX], &v));
    cpu->st.gpr[R_AX] = (uint32_t)v;
    cpu->st.gpr[R_DX] = v >> 32;
}

static void exec_WRMSR(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = (uint32_t)cpu->st.gpr[R_AX] | cpu->st.gpr[R_DX] << 32;

    require(cpu, x86_wrmsr(cpu, cpu->st.gpr[R_CX], v));
    cpu->end_block = 1;
}

static void exec_SERIALIZE(X86Cpu *cpu, const X86Insn *in)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void exec_CPUID(X86Cpu *cpu, const X86Insn *in)
{
    uint32_t r[4];

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* serializing */
    x86_cpuid(cpu, cpu->st.gpr[R_AX], cpu->st.gpr[R_CX], r);
    cpu->st.gpr[R_AX] = r[0];
    cpu->st.gpr[R_BX] = r[1];
    cpu->st.gpr[R_CX] = r[2];
    cpu->st.gpr[R_DX] = r[3];
}

static void check_tsd(X86Cpu *cpu)
{
    require(cpu, !(cpu->st.cr4 & CR4_TSD && cpu->st.cpl));
}

static void exec_RDTSC(X86Cpu *cpu, const X86Insn *in)
{
    check_tsd(cpu);
    uint64_t v = x86_tsc(cpu);
    cpu->st.gpr[R_AX] = (uint32_t)v;
    cpu->st.gpr[R_DX] = v >> 32;
}

static void exec_RDTSCP(X86Cpu *cpu, const X86Insn *in)
{
    exec_RDTSC(cpu, in);
    cpu->st.gpr[R_CX] = (uint32_t)cpu->st.msr.tsc_aux;
}

static void exec_RDPID(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.gpr[in->rm] = (uint32_t)cpu->st.msr.tsc_aux;
}

/* No performance counters: every index is beyond the last. */
static void exec_RDPMC(X86Cpu *cpu, const X86Insn *in)
{
    gp0(cpu);
}

/* ---- extended control registers, protection keys, SMAP ---- */

static void check_osxsave(X86Cpu *cpu)
{
    if (!(cpu->st.cr4 & CR4_OSXSAVE)) {
        x86_raise(cpu, EXC_UD);
    }
}

static void exec_XGETBV(X86Cpu *cpu, const X86Insn *in)
{
    uint32_t n = cpu->st.gpr[R_CX];

    check_osxsave(cpu);
    require(cpu, n == 0 || (n == 1 && x86_has(cpu, X86F_XGETBV1)));
    uint64_t v = cpu->st.xcr0; /* 1: XINUSE; all components count as in use */
    cpu->st.gpr[R_AX] = (uint32_t)v;
    cpu->st.gpr[R_DX] = v >> 32;
}

static void exec_XSETBV(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t v = (uint32_t)cpu->st.gpr[R_AX] | cpu->st.gpr[R_DX] << 32;

    check_osxsave(cpu);
    require(cpu, !cpu->st.cpl && !(uint32_t)cpu->st.gpr[R_CX] && x86_set_xcr0(cpu, v));
}

static void check_pke(X86Cpu *cpu)
{
    if (!(cpu->st.cr4 & CR4_PKE)) {
        x86_raise(cpu, EXC_UD);
    }
    require(cpu, !(uint32_t)cpu->st.gpr[R_CX]);
}

static void exec_RDPKRU(X86Cpu *cpu, const X86Insn *in)
{
    check_pke(cpu);
    cpu->st.gpr[R_AX] = cpu->st.pkru;
    cpu->st.gpr[R_DX] = 0;
}

static void exec_WRPKRU(X86Cpu *cpu, const X86Insn *in)
{
    check_pke(cpu);
    require(cpu, !(uint32_t)cpu->st.gpr[R_DX]);
    x86_set_pkru(cpu, cpu->st.gpr[R_AX]);
}

/* The data tables change, the mode word does not: the block may go on. */
static void set_ac(X86Cpu *cpu, bool on)
{
    if (cpu->st.cpl) {
        x86_raise(cpu, EXC_UD);
    }
    cpu->st.rflags = (cpu->st.rflags & ~(uint64_t)FL_AC) | (on ? FL_AC : 0);
    cpu->mmu_idx = !on && cpu->st.cr4 & CR4_SMAP ? X86_MMU_KERNEL : X86_MMU_KERNEL_AC;
}

static void exec_STAC(X86Cpu *cpu, const X86Insn *in) { set_ac(cpu, true); }
static void exec_CLAC(X86Cpu *cpu, const X86Insn *in) { set_ac(cpu, false); }

/* ---- interrupt flag ---- */

static unsigned iopl(const X86Cpu *cpu)
{
    return cpu->st.rflags >> 12 & 3;
}

/* How CLI and STI act, vol. 2, table "Decision Table for CLI Results". */
enum { IF_REAL, IF_VIRTUAL, IF_FAULT };

static int if_kind(const X86Cpu *cpu)
{
    if (!(cpu->hflags & HF_PE)) {
        return IF_REAL;
    }
    if (cpu->hflags & HF_VM) {
        return iopl(cpu) == 3 ? IF_REAL : cpu->st.cr4 & CR4_VME ? IF_VIRTUAL : IF_FAULT;
    }
    if (cpu->st.cpl <= iopl(cpu)) {
        return IF_REAL;
    }
    return cpu->st.cpl == 3 && cpu->st.cr4 & CR4_PVI ? IF_VIRTUAL : IF_FAULT;
}

static void exec_CLI(X86Cpu *cpu, const X86Insn *in)
{
    switch (if_kind(cpu)) {
    case IF_REAL:
        cpu->st.rflags &= ~(uint64_t)FL_IF;
        break;
    case IF_VIRTUAL:
        cpu->st.rflags &= ~(uint64_t)FL_VIF;
        break;
    default:
        gp0(cpu);
    }
}

static void exec_STI(X86Cpu *cpu, const X86Insn *in)
{
    switch (if_kind(cpu)) {
    case IF_REAL:
        if (!(cpu->st.rflags & FL_IF)) {
            cpu->st.rflags |= FL_IF;
            x86_set_shadow(cpu, X86_SHADOW_STI);
        }
        break;
    case IF_VIRTUAL:
        require(cpu, !(cpu->st.rflags & FL_VIP));
        cpu->st.rflags |= FL_VIF;
        break;
    default:
        gp0(cpu);
    }
}

static void exec_PUSHF(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t fl = cpu->st.rflags & ~(uint64_t)(FL_RF | FL_VM);

    if (cpu->hflags & HF_VM && iopl(cpu) != 3) {
        require(cpu, cpu->st.cr4 & CR4_VME && in->opsize == 2);
        fl = (fl & ~(uint64_t)FL_IF) | FL_IOPL | (fl & FL_VIF ? FL_IF : 0);
    }
    stack_push(cpu, in->opsize, fl);
}

static void exec_POPF(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->opsize;
    bool vm = cpu->hflags & HF_VM;
    uint64_t mask = FL_STATUS | FL_TF | FL_DF | FL_NT;

    if (vm && iopl(cpu) != 3) {
        require(cpu, cpu->st.cr4 & CR4_VME && size == 2);
    }
    uint64_t v = stack_top(cpu, size);
    mask |= size == 2 ? 0 : FL_AC | FL_ID;
    if (vm && iopl(cpu) != 3) {
        require(cpu, !(v & FL_TF) && !(v & FL_IF && cpu->st.rflags & FL_VIP));
        v = (v & ~(uint64_t)FL_VIF) | (v & FL_IF ? FL_VIF : 0);
        mask |= FL_VIF;
    } else if (vm) {
        mask |= FL_IF;
    } else {
        mask |= cpu->st.cpl == 0 ? FL_IOPL : 0;
        mask |= cpu->st.cpl <= iopl(cpu) ? FL_IF : 0;
    }
    set_sp(cpu, stack_mask(cpu), cpu->st.gpr[R_SP] + size);
    x86_write_flags(cpu, v & ~(uint64_t)FL_RF, mask | FL_RF);
}

/* ---- waiting ---- */

static void exec_HLT(X86Cpu *cpu, const X86Insn *in)
{
    cpu->st.halted = 1;
    cpu->st.int_shadow = 0;
    cpu->hflags &= ~(uint32_t)HF_SHADOW;
    cpu->end_block = 1;
}

/* MONITOR arms nothing and MWAIT returns at once: allowed, vol. 2, MWAIT. */
static void exec_MONITOR(X86Cpu *cpu, const X86Insn *in)
{
    require(cpu, !(uint32_t)cpu->st.gpr[R_CX]);
    (void)x86_load(cpu, in->seg_prefix == SEG_NONE ? R_DS : in->seg_prefix,
                   x86_reg_get(cpu, R_AX, in->adsize), 1);
}

static void exec_MWAIT(X86Cpu *cpu, const X86Insn *in)
{
    require(cpu, !((uint32_t)cpu->st.gpr[R_CX] & ~1u));
}

/* KVM's hypercall ABI: no call is known; user code may not ask. */
static void exec_VMCALL(X86Cpu *cpu, const X86Insn *in)
{
    int64_t r = cpu->st.cpl ? -1 : -1000;

    cpu->st.gpr[R_AX] = cpu->hflags & HF_CS64 ? (uint64_t)r : (uint32_t)r;
}

/* ---- rows ---- */

#define CRDR(mn, opc, o1, o2, fl, fn)                                                    \
    { .name = mn, .map = MAP_0F, .op = (opc), OPS(o1, o2), ROLES(WR, RD),                \
      .flags = RF_F64 | RF_REG | (fl), FLAGS(0, 0, FL_STATUS), .exec = (fn) }
/* 0F 01 with a register ModRM */
#define G7(mn, e, r, fl, ft, fn)                                                         \
    { .name = mn, .map = MAP_0F, .op = 0x01, .ext = EXT(e), .rm = EXT(r),                \
      .flags = RF_REG | (fl), .feat = (ft), .exec = (fn) }
#define SYS(mn, opc, fl, ft, fn)                                                         \
    { .name = mn, .map = MAP_0F, .op = (opc), .flags = (fl), .feat = (ft), .exec = (fn) }

const X86Row x86_rows_sys[] = {
    CRDR("MOV", 0x20, Ry, Cy, 0, exec_MOV_from_CR),
    CRDR("MOV", 0x22, Cy, Ry, RF_END, exec_MOV_to_CR),
    CRDR("MOV", 0x21, Ry, Dy, 0, exec_MOV_from_DR),
    CRDR("MOV", 0x23, Dy, Ry, RF_END, exec_MOV_to_DR),
    { .name = "SMSW", .map = MAP_0F, .op = 0x01, .ext = EXT(4), OPS(Mw), ROLES(WR),
      .flags = RF_MEM, .exec = exec_SMSW },
    { .name = "SMSW", .map = MAP_0F, .op = 0x01, .ext = EXT(4), OPS(Rv), ROLES(WR),
      .flags = RF_REG, .exec = exec_SMSW },
    { .name = "LMSW", .map = MAP_0F, .op = 0x01, .ext = EXT(6), OPS(Ew),
      .flags = RF_CPL0 | RF_END, .exec = exec_LMSW },
    { .name = "INVLPG", .map = MAP_0F, .op = 0x01, .ext = EXT(7), OPS(M_), ROLES(NA),
      .flags = RF_CPL0 | RF_MEM | RF_END, .exec = exec_INVLPG },
    G7("VMCALL", 0, 1, 0, 0, exec_VMCALL),
    G7("MONITOR", 1, 0, RF_CPL0, X86F_MONITOR, exec_MONITOR),
    G7("MWAIT", 1, 1, RF_CPL0 | RF_END, X86F_MONITOR, exec_MWAIT),
    G7("CLAC", 1, 2, 0, X86F_SMAP, exec_CLAC),
    G7("STAC", 1, 3, 0, X86F_SMAP, exec_STAC),
    G7("XGETBV", 2, 0, 0, X86F_XSAVE, exec_XGETBV),
    G7("XSETBV", 2, 1, RF_END, X86F_XSAVE, exec_XSETBV),
    G7("VMMCALL", 3, 1, 0, 0, exec_VMCALL),
    G7("RDPKRU", 5, 6, 0, X86F_PKU, exec_RDPKRU),
    G7("WRPKRU", 5, 7, RF_END, X86F_PKU, exec_WRPKRU),
    G7("RDTSCP", 7, 1, 0, X86F_RDTSCP, exec_RDTSCP),
    G7("CLZERO", 7, 4, 0, X86F_CLZERO, exec_CLZERO),
    { .name = "SERIALIZE", .map = MAP_0F, .op = 0x01, .pp = PP_NP, .ext = EXT(5),
      .rm = EXT(0), .flags = RF_REG | RF_END, .feat = X86F_SERIALIZE, .exec = exec_SERIALIZE },
    SYS("CLTS", 0x06, RF_CPL0 | RF_END, 0, exec_CLTS),
    SYS("INVD", 0x08, RF_CPL0, 0, exec_NOP),
    SYS("WBINVD", 0x09, RF_CPL0, 0, exec_NOP),
    { .name = "WBNOINVD", .map = MAP_0F, .op = 0x09, .pp = PP_F3, .flags = RF_CPL0,
      .feat = X86F_WBNOINVD, .exec = exec_NOP },
    SYS("WRMSR", 0x30, RF_CPL0 | RF_END, X86F_MSR, exec_WRMSR),
    SYS("RDTSC", 0x31, 0, X86F_TSC, exec_RDTSC),
    SYS("RDMSR", 0x32, RF_CPL0, X86F_MSR, exec_RDMSR),
    SYS("RDPMC", 0x33, 0, 0, exec_RDPMC),
    SYS("CPUID", 0xa2, 0, 0, exec_CPUID),
    { .name = "RDPID", .map = MAP_0F, .op = 0xc7, .pp = PP_F3, .ext = EXT(7),
      .flags = RF_REG, .feat = X86F_RDPID, .exec = exec_RDPID },
    { .name = "INVPCID", .map = MAP_0F38, .op = 0x82, .pp = PP_66, OPS(Gy, M_),
      ROLES(RD, NA), .flags = RF_CPL0 | RF_MEM | RF_END | RF_F64, .feat = X86F_INVPCID,
      .exec = exec_INVPCID },
    { .name = "PUSHF", .op = 0x9c, .flags = RF_STACK | RF_D64, FLAGS(FL_STATUS, 0, 0),
      .exec = exec_PUSHF },
    { .name = "POPF", .op = 0x9d, .flags = RF_STACK | RF_D64 | RF_END,
      FLAGS(0, FL_STATUS, 0), .exec = exec_POPF },
    { .name = "HLT", .op = 0xf4, .flags = RF_CPL0 | RF_END, .exec = exec_HLT },
    { .name = "CLI", .op = 0xfa, .exec = exec_CLI },
    { .name = "STI", .op = 0xfb, .flags = RF_END, .exec = exec_STI },
};
const unsigned x86_n_rows_sys = ARRAY_SIZE(x86_rows_sys);

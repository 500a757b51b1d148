/* SPDX-License-Identifier: MIT */
/*
 * The MSR table and its walk. What the local APIC owns (APIC_BASE, x2APIC, TSC_DEADLINE)
 * goes to it through irq_ops. Leaf.
 */
#include "target-x86/msrs.h"
#include "target-x86/cpuid.h"
#include "target-x86/leaf.h"
#include "target-x86/sysregs.h"
#include "util/log.h"

/* ---- local APIC ---- */

typedef struct ApicArg {
    uint32_t msr;
    uint64_t v;
    bool write, ok;
} ApicArg;

enum { MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0 };

static uint64_t apic_heavy(X86Cpu *cpu, void *opaque)
{
    ApicArg *a = opaque;
    const CpuIrqOps *ops = cpu->cpu.irq_ops;
    void *o = cpu->cpu.irq_opaque;

    if (!ops) {
        a->ok = false;
    } else if (a->msr == MSR_APIC_BASE) {
        a->ok = true;
        if (a->write) {
            a->ok = ops->set_base(o, a->v);
        } else {
            a->v = ops->get_base(o);
        }
    } else {
        a->ok = a->write ? ops->msr_write(o, a->msr, a->v) : ops->msr_read(o, a->msr, &a->v);
    }
    return 0;
}

static bool apic_read(X86Cpu *cpu, uint32_t msr, uint64_t *v)
{
    ApicArg a = { .msr = msr };
    x86_aside(cpu, apic_heavy, &a);
    *v = a.v;
    return a.ok;
}

static bool apic_write(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    ApicArg a = { .msr = msr, .v = v, .write = true };
    x86_aside(cpu, apic_heavy, &a);
    return a.ok;
}

static bool is_apic(uint32_t msr)
{
    return msr >> 8 == 8 || msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE;
}

/* ---- registers with behaviour ---- */

static uint64_t read_tsc(X86Cpu *cpu, uint32_t msr) { return x86_tsc(cpu); }

/* A deadline already armed counts in the guest's TSC: arm it anew. */
static void rearm_deadline(X86Cpu *cpu)
{
    uint64_t v;

    if (x86_has(cpu, X86F_TSCDL) && apic_read(cpu, MSR_TSC_DEADLINE, &v) && v) {
        (void)!apic_write(cpu, MSR_TSC_DEADLINE, v);
    }
}

static bool write_tsc(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    x86_set_tsc(cpu, v);
    rearm_deadline(cpu);
    return true;
}

static bool write_tsc_adjust(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    cpu->st.tsc_offset += v - cpu->st.msr.tsc_adjust;
    cpu->st.msr.tsc_adjust = v;
    rearm_deadline(cpu);
    return true;
}

static bool write_efer(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    return x86_set_efer(cpu, v);
}

/* Each byte a memory type: 0, 1, 4 to 7 (11.12.2). */
static bool write_pat(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t t = v >> (8 * i);
        if (t > 7 || t == 2 || t == 3) {
            return false;
        }
    }
    cpu->st.msr.pat = v;
    return true;
}

/* Memory types in every byte of a fixed-range MTRR, in the low byte of the others: 0, 1, 4,
 * 5, 6 (12.11.2). */
static bool mtrr_type(uint8_t t)
{
    return t < 2 || (t > 3 && t < 7);
}

static bool write_mtrr_base(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    if (v & ~0xffffffffff0ffull || !mtrr_type(v)) {
        return false;
    }
    cpu->st.msr.mtrr_base[(msr - 0x200) / 2] = v;
    return true;
}

static bool write_mtrr_fix(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    for (unsigned i = 0; i < 64; i += 8) {
        if (!mtrr_type(v >> i)) {
            return false;
        }
    }
    cpu->st.msr.mtrr_fix[msr == 0x250 ? 0 : msr < 0x268 ? msr - 0x258 + 1 : msr - 0x268 + 3] = v;
    return true;
}

static bool write_mtrr_def(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    if (v & ~0xcffull || !mtrr_type(v)) {
        return false;
    }
    cpu->st.msr.mtrr_def = v;
    return true;
}

/* Machine-check banks: CTL, STATUS, ADDR, MISC by the low two bits. */
static uint64_t *mc_field(X86Cpu *cpu, uint32_t msr)
{
    X86Msrs *m = &cpu->st.msr;
    unsigned bank = (msr - 0x400) / 4;

    switch (msr & 3) {
    case 0:
        return &m->mc_ctl[bank];
    case 1:
        return &m->mc_status[bank];
    case 2:
        return &m->mc_addr[bank];
    default:
        return &m->mc_misc[bank];
    }
}

static uint64_t read_mc(X86Cpu *cpu, uint32_t msr) { return *mc_field(cpu, msr); }

/* CTL takes all or nothing, STATUS nothing but 0 (15.3.2); ADDR and MISC keep what is
 * written, as processors do that log addresses there. */
static bool write_mc(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    unsigned reg = msr & 3;

    if ((reg == 0 && v && v != ~0ull) || (reg == 1 && v)) {
        return false;
    }
    *mc_field(cpu, msr) = v;
    return true;
}

static bool write_mcg_ctl(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    if (v && v != ~0ull) {
        return false;
    }
    cpu->st.msr.mcg_ctl = v;
    return true;
}

/* IBPB: there is nothing to forget. CPUID 7.EDX.26, or AMD's 80000008H.EBX.12. */
static bool write_pred_cmd(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    return v <= 1 && (x86_has(cpu, X86F_IBRS) || x86_has(cpu, X86F_AMDIBPB));
}

static uint64_t read_archcap(X86Cpu *cpu, uint32_t msr)
{
    return cpu->feat[X86FW_ARCHCAP] | (uint64_t)cpu->feat[X86FW_ARCHCAP_HI] << 32;
}

static bool write_kvm_wall(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    x86_heavy(cpu, x86_kvmclock_wall, &v);
    return true;
}

static bool write_kvm_system(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    x86_heavy(cpu, x86_kvmclock_system, &v);
    return true;
}

/* ---- the table ---- */

/* clang-format off: rows */
#define AT(f) offsetof(X86State, f)
#define FIELD(num, n, f, m, fl) \
    { .name = n, .first = num, .count = 1, .offset = AT(f), .mask = m, .flags = fl }
#define CONST(num, n, v, fl) \
    { .name = n, .first = num, .count = 1, .value = v, .flags = MSR_CONST | (fl) }
#define ANY_BITS (~0ull)

const X86MsrRow x86_msr_rows[] = {
    /* the busy ones first: the walk is linear */
    FIELD(0xc0000100, "FS_BASE", seg[R_FS].base, ANY_BITS, MSR_CANON),
    FIELD(0xc0000101, "GS_BASE", seg[R_GS].base, ANY_BITS, MSR_CANON),
    FIELD(0xc0000102, "KERNEL_GS_BASE", msr.kernel_gs_base, ANY_BITS, MSR_CANON),
    FIELD(0x48, "SPEC_CTRL", msr.spec_ctrl, 0x407, 0), /* IBRS STIBP SSBD BHI_DIS_S */
    { .name = "TSC", .first = 0x10, .count = 1, .feat = X86F_TSC, .read = read_tsc,
      .write = write_tsc },
    { .name = "TSC_ADJUST", .first = 0x3b, .count = 1, .feat = X86F_TSCADJ,
      .offset = AT(msr.tsc_adjust), .write = write_tsc_adjust },
    { .name = "EFER", .first = 0xc0000080, .count = 1, .offset = AT(efer),
      .write = write_efer },
    FIELD(0xc0000081, "STAR", msr.star, ANY_BITS, 0),
    FIELD(0xc0000082, "LSTAR", msr.lstar, ANY_BITS, MSR_CANON),
    FIELD(0xc0000083, "CSTAR", msr.cstar, ANY_BITS, MSR_CANON),
    FIELD(0xc0000084, "FMASK", msr.sfmask, 0xffffffffu, 0),
    { .name = "TSC_AUX", .first = 0xc0000103, .count = 1, .feat = X86F_RDTSCP,
      .offset = AT(msr.tsc_aux), .mask = 0xffffffffu },
    FIELD(0x174, "SYSENTER_CS", msr.sysenter_cs, 0xffffffffu, MSR_LAX),
    FIELD(0x175, "SYSENTER_ESP", msr.sysenter_esp, ANY_BITS, MSR_CANON),
    FIELD(0x176, "SYSENTER_EIP", msr.sysenter_eip, ANY_BITS, MSR_CANON),
    { .name = "PAT", .first = 0x277, .count = 1, .feat = X86F_PAT, .offset = AT(msr.pat),
      .write = write_pat },
    FIELD(0x1a0, "MISC_ENABLE", msr.misc_enable, 0x0000000400c51889ull, MSR_LAX),
    CONST(0x17, "PLATFORM_ID", 0, MSR_RO),
    FIELD(0x34, "SMI_COUNT", msr.smi_count, 0, MSR_RO),
    FIELD(0x3a, "FEATURE_CONTROL", msr.feature_control, 0, MSR_RO),
    { .name = "PRED_CMD", .first = 0x49, .count = 1, .write = write_pred_cmd,
      .flags = MSR_WO },
    { .name = "FLUSH_CMD", .first = 0x10b, .count = 1, .feat = X86F_L1DFLUSH, .mask = 1,
      .flags = MSR_WO },
    CONST(0x79, "BIOS_UPDT_TRIG", 0, 0),
    FIELD(0x8b, "BIOS_SIGN_ID", msr.bios_sign, 0, MSR_LAX | MSR_RO),
    FIELD(0xce, "PLATFORM_INFO", msr.platform_info, 0, MSR_RO),
    CONST(0xfe, "MTRRCAP", 0x508, MSR_RO), /* 8 variable, fixed, write-combining */
    { .name = "ARCH_CAPABILITIES", .first = 0x10a, .count = 1, .feat = X86F_ARCHCAP,
      .read = read_archcap, .flags = MSR_RO },
    FIELD(0x140, "MISC_FEATURES_ENABLES", msr.misc_features, 0, 0),
    CONST(0x179, "MCG_CAP", 0x104, MSR_RO), /* 4 banks, MCG_CTL */
    FIELD(0x17a, "MCG_STATUS", msr.mcg_status, 7, 0),
    { .name = "MCG_CTL", .first = 0x17b, .count = 1, .offset = AT(msr.mcg_ctl),
      .write = write_mcg_ctl },
    CONST(0x198, "PERF_STATUS", 0x1000, MSR_RO),
    CONST(0x199, "PERF_CTL", 0x1000, 0),
    CONST(0x19a, "CLOCK_MODULATION", 0, 0),
    CONST(0x19b, "THERM_INTERRUPT", 0, 0),
    CONST(0x19c, "THERM_STATUS", 0, 0),
    FIELD(0x1d9, "DEBUGCTL", msr.debugctl, 3, MSR_LAX),
    { .name = "LAST_BRANCH", .first = 0x1db, .count = 4, .step = 1, .flags = MSR_CONST },
    { .name = "MTRR_PHYSBASE", .first = 0x200, .count = 8, .step = 2,
      .offset = AT(msr.mtrr_base), .write = write_mtrr_base },
    { .name = "MTRR_PHYSMASK", .first = 0x201, .count = 8, .step = 2,
      .offset = AT(msr.mtrr_mask), .mask = 0xffffffffff800ull },
    { .name = "MTRR_FIX64K", .first = 0x250, .count = 1, .offset = AT(msr.mtrr_fix[0]),
      .write = write_mtrr_fix },
    { .name = "MTRR_FIX16K", .first = 0x258, .count = 2, .step = 1,
      .offset = AT(msr.mtrr_fix[1]), .write = write_mtrr_fix },
    { .name = "MTRR_FIX4K", .first = 0x268, .count = 8, .step = 1,
      .offset = AT(msr.mtrr_fix[3]), .write = write_mtrr_fix },
    { .name = "MTRR_DEF_TYPE", .first = 0x2ff, .count = 1, .offset = AT(msr.mtrr_def),
      .write = write_mtrr_def },
    { .name = "MC_BANKS", .first = 0x400, .count = 16, .step = 1, .read = read_mc,
      .write = write_mc },
    { .name = "XSS", .first = 0xda0, .count = 1, .feat = X86F_XSAVES, .offset = AT(msr.xss),
      .mask = 0 },
    { .name = "KVM_WALL_CLOCK", .first = 0x11, .count = 1, .feat = X86F_KVMCLOCK,
      .offset = AT(msr.kvm_wall_clock), .write = write_kvm_wall },
    { .name = "KVM_SYSTEM_TIME", .first = 0x12, .count = 1, .feat = X86F_KVMCLOCK,
      .offset = AT(msr.kvm_system_time), .write = write_kvm_system },
    { .name = "KVM_WALL_CLOCK_NEW", .first = 0x4b564d00, .count = 1, .feat = X86F_KVMCLOCK2,
      .offset = AT(msr.kvm_wall_clock), .write = write_kvm_wall },
    { .name = "KVM_SYSTEM_TIME_NEW", .first = 0x4b564d01, .count = 1, .feat = X86F_KVMCLOCK2,
      .offset = AT(msr.kvm_system_time), .write = write_kvm_system },
    /* AMD's, harmless elsewhere */
    CONST(0xc0010010, "SYSCFG", 0, 0),
    FIELD(0xc0010015, "HWCR", msr.hwcr, 0x40 | 1 << 24 | 8, MSR_LAX),
    CONST(0xc001001f, "NB_CFG", 0, 0),
    CONST(0xc0010055, "INT_PENDING", 0, 0),
    CONST(0xc0011020, "LS_CFG", 0, 0),
    CONST(0xc0011022, "DC_CFG", 0, 0),
    CONST(0xc0011029, "DE_CFG", 2, 0),      /* LFENCE serializes */
    CONST(0xc001102a, "BU_CFG2", 0, 0),
};
/* clang-format on */
const unsigned x86_n_msr_rows = ARRAY_SIZE(x86_msr_rows);

/* ---- the walk ---- */

static const X86MsrRow *find(const X86Cpu *cpu, uint32_t msr, unsigned *index)
{
    for (unsigned i = 0; i < ARRAY_SIZE(x86_msr_rows); i++) {
        const X86MsrRow *r = &x86_msr_rows[i];
        unsigned step = r->step ? r->step : 1, off = msr - r->first;
        if (msr < r->first || off % step || off / step >= r->count) {
            continue;
        }
        if (r->feat && !x86_has(cpu, r->feat)) {
            return NULL;
        }
        *index = off / step;
        return r;
    }
    return NULL;
}

typedef struct LogArg {
    uint32_t msr;
    uint64_t v;
    bool write;
} LogArg;

static uint64_t log_heavy(X86Cpu *cpu, void *opaque)
{
    const LogArg *a = opaque;
    log_printf("%s %#x%s%#llx refused at %#llx\n", a->write ? "WRMSR" : "RDMSR", a->msr,
               a->write ? " := " : " ", (unsigned long long)a->v,
               (unsigned long long)cpu->st.rip);
    return 0;
}

static bool refuse(X86Cpu *cpu, uint32_t msr, bool write, uint64_t v)
{
    if (log_on(LOG_GUEST_ERRORS | LOG_UNIMP)) {
        LogArg a = { msr, v, write };
        x86_heavy(cpu, log_heavy, &a);
    }
    return false;
}

bool x86_rdmsr(X86Cpu *cpu, uint32_t msr, uint64_t *v)
{
    unsigned i;

    if (is_apic(msr)) {
        return apic_read(cpu, msr, v) || refuse(cpu, msr, false, 0);
    }
    const X86MsrRow *r = find(cpu, msr, &i);
    if (!r || r->flags & MSR_WO) {
        return refuse(cpu, msr, false, 0);
    }
    if (r->read) {
        *v = r->read(cpu, msr);
    } else {
        *v = r->flags & MSR_CONST ? r->value : *((uint64_t *)((char *)&cpu->st + r->offset) + i);
    }
    return true;
}

bool x86_wrmsr(X86Cpu *cpu, uint32_t msr, uint64_t v)
{
    unsigned i;

    if (is_apic(msr)) {
        return apic_write(cpu, msr, v) || refuse(cpu, msr, true, v);
    }
    const X86MsrRow *r = find(cpu, msr, &i);
    if (!r || (r->flags & MSR_RO && !(r->flags & MSR_LAX)) ||
        (r->flags & MSR_CANON && sext(v, 48) != (int64_t)v)) {
        return refuse(cpu, msr, true, v);
    }
    if (r->write) {
        return r->write(cpu, msr, v) || refuse(cpu, msr, true, v);
    }
    if (r->flags & (MSR_CONST | MSR_RO)) {
        return true;
    }
    if (v & ~r->mask && !(r->flags & MSR_LAX)) {
        return refuse(cpu, msr, true, v);
    }
    if (r->offset) {
        *((uint64_t *)((char *)&cpu->st + r->offset) + i) = v & r->mask;
    }
    return true;
}

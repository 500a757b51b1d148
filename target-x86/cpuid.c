/* SPDX-License-Identifier: MIT */
/*
 * CPUID: SDM vol. 2, CPUID; AMD APM vol. 3, appendix E; hypervisor leaves as Linux's
 * Documentation/virt/kvm/x86/cpuid.rst describes them. Leaf code: no libc.
 */
#include "target-x86/cpuid.h"
#include "hw/core/machine.h"

/* ---- XSAVE layout, vol. 1, 13.5 ---- */

const X86XsaveComp x86_xsave_comp[10] = {
    [2] = { 576, 256 },  /* upper halves of YMM */
    [5] = { 1088, 64 },  /* k0-k7 */
    [6] = { 1152, 512 }, /* upper halves of ZMM0-15 */
    [7] = { 1664, 1024 },/* ZMM16-31 */
    [9] = { 2688, 8 },   /* PKRU */
};

uint16_t x86_xsave_offset[10] = { [2] = 576, [5] = 1088, [6] = 1152, [7] = 1664, [9] = 2688 };

bool x86_xsave_set_layout(const uint16_t offset[10])
{
    uint16_t places[10] = { 0 };
    for (unsigned i = 2; i < ARRAY_SIZE(x86_xsave_comp); i++) {
        const X86XsaveComp *c = &x86_xsave_comp[i];
        places[i] = offset[i] ? offset[i] : c->offset;
        if (c->size && (places[i] < 576 || places[i] + c->size > X86_XSAVE_MAX)) {
            return false;
        }
    }
    for (unsigned i = 2; i < ARRAY_SIZE(places); i++) {
        x86_xsave_offset[i] = places[i];
    }
    return true;
}

uint64_t x86_xcr0_mask(const X86Cpu *cpu)
{
    return XCR0_X87 | XCR0_SSE | (x86_has(cpu, X86F_AVX) ? XCR0_AVX : 0) |
           (x86_has(cpu, X86F_AVX512F) ? XCR0_AVX512 : 0) |
           (x86_has(cpu, X86F_PKU) ? XCR0_PKRU : 0);
}

uint32_t x86_xsave_size(uint64_t components, bool compact)
{
    uint32_t size = 576;

    for (unsigned i = 2; i < ARRAY_SIZE(x86_xsave_comp); i++) {
        const X86XsaveComp *c = &x86_xsave_comp[i];
        if (c->size && components >> i & 1) {
            uint32_t end = (uint32_t)x86_xsave_offset[i] + c->size;
            size = compact ? size + c->size : MAX(size, end);
        }
    }
    return size;
}

/* ---- topology ---- */

typedef struct Topology {
    unsigned threads, cores;            /* per core; per package */
    unsigned thread_bits, package_bits; /* of the APIC ID */
} Topology;

static unsigned bits_for(unsigned n)
{
    unsigned b = 0;
    while (1u << b < n) {
        b++;
    }
    return b;
}

static Topology topology(const X86Cpu *cpu)
{
    const Machine *m = cpu->cpu.machine;
    unsigned cpus = m ? MAX(m->cfg.cpus, 1u) : 1;
    Topology t = { .threads = m && m->cfg.threads ? m->cfg.threads : 1 };

    t.cores = m && m->cfg.cores ? m->cfg.cores : MAX(cpus / t.threads, 1u);
    t.thread_bits = bits_for(t.threads);
    t.package_bits = t.thread_bits + bits_for(t.cores);
    return t;
}

/* ---- caches: the same for every model ---- */

static const struct {
    uint8_t type, level;  /* 1 data, 2 code, 3 unified */
    uint8_t ways;
    uint16_t sets;
} caches[] = {
    { 1, 1, 8, 64 },      /* 32 KiB */
    { 2, 1, 8, 64 },
    { 3, 2, 16, 2048 },   /* 2 MiB */
    { 3, 3, 16, 16384 },  /* 16 MiB, shared by the package */
};

static void cache_leaf(const X86Cpu *cpu, uint32_t sub, bool amd, uint32_t out[4])
{
    Topology t = topology(cpu);

    if (sub >= ARRAY_SIZE(caches)) {
        return;
    }
    unsigned sharing = caches[sub].level == 3 ? t.threads * t.cores : t.threads;
    out[0] = caches[sub].type | caches[sub].level << 5 | 1u << 8 |
             ((1u << bits_for(sharing)) - 1) << 14;
    if (!amd) {
        out[0] |= ((1u << bits_for(t.cores)) - 1) << 26;
    }
    out[1] = 63 | (caches[sub].ways - 1u) << 22;
    out[2] = caches[sub].sets - 1u;
}

/* ---- leaves ---- */

static uint32_t signature(const X86Cpu *cpu)
{
    const X86Model *m = cpu->model;
    if (!m) {
        return 0x600;
    }
    unsigned family = MIN(m->family, 15u), ext = m->family - family;

    return m->stepping | (m->model & 15u) << 4 | family << 8 | (m->model >> 4 & 15u) << 16 |
           ext << 20;
}

static uint32_t name4(const char *s)
{
    return (uint8_t)s[0] | (uint32_t)(uint8_t)s[1] << 8 | (uint32_t)(uint8_t)s[2] << 16 |
           (uint32_t)(uint8_t)s[3] << 24;
}

static void vendor_leaf(const X86Cpu *cpu, uint32_t max, uint32_t out[4])
{
    const char *v = cpu->vendor[0] ? cpu->vendor : "GenuineIntel";

    out[0] = max;
    out[1] = name4(v);
    out[3] = name4(v + 4);
    out[2] = name4(v + 8);
}

/* The APIC bit is clear while IA32_APIC_BASE has it disabled (vol. 3, 11.4.3). */
static bool apic_on(const X86Cpu *cpu)
{
    const Cpu *c = &cpu->cpu;
    return !c->irq_ops || c->irq_ops->get_base(c->irq_opaque) >> 11 & 1;
}

static void leaf_1(const X86Cpu *cpu, uint32_t out[4])
{
    Topology t = topology(cpu);
    unsigned logical = 1u << t.package_bits;

    out[0] = signature(cpu);
    out[1] = cpu->apic_id << 24 | MIN(logical, 255u) << 16 | 8 << 8;
    out[2] = cpu->feat[X86FW_1_ECX] & ~(1u << 27);
    out[3] = cpu->feat[X86FW_1_EDX] & ~(1u << 28);
    out[3] &= apic_on(cpu) ? ~0u : ~(1u << 9);
    out[2] |= cpu->st.cr4 & CR4_OSXSAVE ? 1u << 27 : 0;
    out[3] |= t.threads * t.cores > 1 ? 1u << 28 : 0; /* HTT: leaf 1's count is valid */
}

static void leaf_7(const X86Cpu *cpu, uint32_t sub, uint32_t out[4])
{
    if (sub == 0) {
        out[0] = cpu->feat[X86FW_7_2_EDX] ? 2 : cpu->feat[X86FW_7_1_EAX] ? 1 : 0;
        out[1] = cpu->feat[X86FW_7_0_EBX];
        out[2] = cpu->feat[X86FW_7_0_ECX] & ~(1u << 4);
        out[2] |= cpu->st.cr4 & CR4_PKE ? 1u << 4 : 0;
        out[3] = cpu->feat[X86FW_7_0_EDX];
    } else if (sub == 1) {
        out[0] = cpu->feat[X86FW_7_1_EAX];
    } else if (sub == 2) {
        out[3] = cpu->feat[X86FW_7_2_EDX];
    }
}

static void leaf_b(const X86Cpu *cpu, uint32_t sub, uint32_t out[4])
{
    Topology t = topology(cpu);

    out[2] = sub & 0xff;
    out[3] = cpu->apic_id;
    if (sub == 0) {
        out[0] = t.thread_bits;
        out[1] = t.threads;
        out[2] |= 1 << 8;
    } else if (sub == 1) {
        out[0] = t.package_bits;
        out[1] = t.threads * t.cores;
        out[2] |= 2 << 8;
    }
}

static void leaf_d(const X86Cpu *cpu, uint32_t sub, uint32_t out[4])
{
    uint64_t mask = x86_xcr0_mask(cpu);

    if (!x86_has(cpu, X86F_XSAVE)) {
        return;
    }
    if (sub == 0) {
        out[0] = mask;
        out[1] = x86_xsave_size(cpu->st.xcr0, false);
        out[2] = x86_xsave_size(mask, false);
        out[3] = mask >> 32;
    } else if (sub == 1) {
        out[0] = cpu->feat[X86FW_D_1_EAX];
        out[1] = x86_xsave_size(cpu->st.xcr0 | cpu->st.msr.xss, true);
    } else if (sub < ARRAY_SIZE(x86_xsave_comp) && mask >> sub & 1) {
        out[0] = x86_xsave_comp[sub].size;
        out[1] = x86_xsave_offset[sub];
    }
}

/* Crystal of 1 GHz (the local APIC timer's clock) times a ratio gives the TSC. */
static void leaf_15(const X86Cpu *cpu, uint32_t out[4])
{
    if (cpu->tsc_khz) {
        out[0] = 1000000;
        out[1] = cpu->tsc_khz;
        out[2] = 1000000000;
    }
}

static void leaf_8000001e(const X86Cpu *cpu, uint32_t out[4])
{
    Topology t = topology(cpu);

    out[0] = cpu->apic_id;
    out[1] = cpu->apic_id >> t.thread_bits | (t.threads - 1) << 8;
    out[2] = cpu->apic_id >> t.package_bits;
}

static void brand_leaf(const X86Cpu *cpu, unsigned part, uint32_t out[4])
{
    const char *s = cpu->model ? cpu->model->brand : "";
    unsigned n = 0;

    for (; s[n] && n < part * 16; n++) {
    }
    for (unsigned i = 0; i < 16 && s[n]; i++, n++) {
        out[i / 4] |= (uint32_t)(uint8_t)s[n] << (8 * (i % 4));
    }
}

static void basic_leaf(const X86Cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    switch (leaf) {
    case 1:
        leaf_1(cpu, out);
        break;
    case 2:
        out[0] = 0x00feff01; /* caches: leaf 4; TLBs: not told */
        break;
    case 4:
        cache_leaf(cpu, sub, false, out);
        break;
    case 5:
        if (x86_has(cpu, X86F_MONITOR)) {
            out[0] = out[1] = 64;
            out[2] = 3;
        }
        break;
    case 6:
        out[0] = 4; /* ARAT: the APIC timer never stops */
        break;
    case 7:
        leaf_7(cpu, sub, out);
        break;
    case 0xb:
        leaf_b(cpu, sub, out);
        break;
    case 0xd:
        leaf_d(cpu, sub, out);
        break;
    case 0x15:
        leaf_15(cpu, out);
        break;
    case 0x16:
        out[0] = out[1] = cpu->tsc_khz / 1000;
        out[2] = 100;
        break;
    }
}

static void extended_leaf(const X86Cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    bool amd = x86_cpu_is_amd(cpu);
    Topology t = topology(cpu);

    switch (leaf) {
    case 0x80000001:
        out[0] = amd ? signature(cpu) : 0;
        out[2] = cpu->feat[X86FW_80000001_ECX];
        out[3] = cpu->feat[X86FW_80000001_EDX];
        out[3] |= amd ? cpu->feat[X86FW_1_EDX] & 0x0183f3ff : 0; /* AMD repeats them here */
        out[2] |= amd && t.cores * t.threads > 1 ? 2 : 0;        /* CmpLegacy */
        break;
    case 0x80000002: case 0x80000003: case 0x80000004:
        brand_leaf(cpu, leaf - 0x80000002, out);
        break;
    case 0x80000005:
        if (amd) {
            out[2] = out[3] = 32u << 24 | 8 << 16 | 1 << 8 | 64;
        }
        break;
    case 0x80000006:
        out[2] = 2048u << 16 | 8 << 12 | 1 << 8 | 64; /* L2: 2 MiB, 16-way */
        out[3] = amd ? 32u << 18 | 8 << 12 | 1 << 8 | 64 : 0;
        break;
    case 0x80000007:
        out[3] = cpu->feat[X86FW_80000007_EDX];
        break;
    case 0x80000008:
        out[0] = cpu->phys_bits | 48 << 8;
        out[1] = cpu->feat[X86FW_80000008_EBX];
        out[2] = amd ? (t.cores * t.threads - 1) | t.package_bits << 12 : 0;
        break;
    case 0x8000001d:
        if (x86_has(cpu, X86F_TOPOEXT)) {
            cache_leaf(cpu, sub, true, out);
        }
        break;
    case 0x8000001e:
        if (x86_has(cpu, X86F_TOPOEXT)) {
            leaf_8000001e(cpu, out);
        }
        break;
    }
}

void x86_cpuid(const X86Cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    uint32_t max = cpu->model ? cpu->model->level : 1;
    uint32_t xmax = x86_cpu_is_amd(cpu) ? 0x8000001e : 0x80000008;

    out[0] = out[1] = out[2] = out[3] = 0;
    if (leaf == 0) {
        vendor_leaf(cpu, max, out);
    } else if (leaf == 0x80000000) {
        vendor_leaf(cpu, xmax, out);
        if (!x86_cpu_is_amd(cpu)) {
            out[1] = out[2] = out[3] = 0;
        }
    } else if (leaf <= max) {
        basic_leaf(cpu, leaf, sub, out);
    } else if (leaf > 0x80000000 && leaf <= xmax) {
        extended_leaf(cpu, leaf, sub, out);
    } else if (leaf >> 8 == 0x400000 && x86_has(cpu, X86F_HYPERVISOR) &&
               cpu->feat[X86FW_40000001_EAX]) { /* all off: the name is hidden */
        if (leaf == 0x40000000) {
            out[0] = 0x40000001;
            out[1] = name4("KVMK");
            out[2] = name4("VMKV");
            out[3] = name4("M\0\0");
        } else if (leaf == 0x40000001) {
            out[0] = cpu->feat[X86FW_40000001_EAX];
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * CPUID under KVM: the model's features cut to what KVM_GET_SUPPORTED_CPUID offers, and
 * the leaves that target-x86/cpuid.c makes of them, except the XSAVE layout (0DH), which
 * must be the host's: guest code runs on the host's own XSAVE. KVM API 4.46, 4.20.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include "accel/kvm/kvm_int.h"
#include "target-x86/cpuid.h"
#include "util/alloc.h"

enum { MAX_ENTRIES = 256 };

typedef struct CpuidTable {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 e[MAX_ENTRIES];
} CpuidTable;

static CpuidTable supported; /* the host's: the same for every machine */
static uint32_t features[X86F_NWORDS];
static uint64_t elsewhere; /* components that lie not where the guest has seen them */

static const struct {
    uint32_t leaf, sub;
    uint8_t reg; /* 0 EAX .. 3 EDX */
    uint8_t word;
} rows[] = {
    { 1, 0, 3, X86FW_1_EDX },
    { 1, 0, 2, X86FW_1_ECX },
    { 7, 0, 1, X86FW_7_0_EBX },
    { 7, 0, 2, X86FW_7_0_ECX },
    { 7, 0, 3, X86FW_7_0_EDX },
    { 7, 1, 0, X86FW_7_1_EAX },
    { 0xd, 1, 0, X86FW_D_1_EAX },
    { 0x80000001, 0, 3, X86FW_80000001_EDX },
    { 0x80000001, 0, 2, X86FW_80000001_ECX },
    { 0x80000007, 0, 3, X86FW_80000007_EDX },
    { 0x80000008, 0, 1, X86FW_80000008_EBX },
    { 0x40000001, 0, 0, X86FW_40000001_EAX },
};

static const struct kvm_cpuid_entry2 *find(uint32_t leaf, uint32_t sub)
{
    for (unsigned i = 0; i < supported.head.nent; i++) {
        const struct kvm_cpuid_entry2 *e = &supported.e[i];
        if (e->function == leaf &&
            (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == sub)) {
            return e;
        }
    }
    return NULL;
}

static void set_feature(unsigned f, bool on)
{
    features[f / 32] = on ? features[f / 32] | 1u << (f % 32)
                          : features[f / 32] & ~(1u << (f % 32));
}

/* MSR 10AH as the host may show it: KVM API 4.123 (system-scope KVM_GET_MSRS). */
static uint32_t arch_capabilities(int kvm_fd)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry e;
    } m = { .head.nmsrs = 1, .e.index = 0x10a };
    return kvm_ioctl(kvm_fd, KVM_GET_MSRS, &m) == 1 ? (uint32_t)m.e.data : 0;
}

/* Guest code runs on the host's own XSAVE: areas of the standard format have its places,
 * whatever engine looks at them. For a guest that was shown others, as a switch of engine
 * finds it, KVM has not these components. */
static void set_layout(const KvmMachine *k)
{
    uint16_t at[10] = { 0 };
    for (unsigned n = 2; n < ARRAY_SIZE(at); n++) {
        at[n] = (uint16_t)kvm_host_xsave_offset(n);
    }
    if (!k->m->ncpus) {
        x86_xsave_set_layout(at);
    }
    elsewhere = 0;
    for (unsigned n = 2; n < ARRAY_SIZE(at); n++) {
        elsewhere |= at[n] && at[n] != x86_xsave_offset[n] ? BIT(n) : 0;
    }
    kvm_cut_layout(features);
}

void kvm_cut_layout(uint32_t *words)
{
    if (elsewhere & XCR0_AVX512) {
        words[X86F_AVX512F / 32] &= ~(1u << X86F_AVX512F % 32);
    }
    if (elsewhere & XCR0_PKRU) {
        words[X86F_PKU / 32] &= ~(1u << X86F_PKU % 32);
    }
}

bool kvm_cpuid_init(KvmMachine *k, Error *err)
{
    supported.head.nent = MAX_ENTRIES;
    int ret = kvm_ioctl(k->fd, KVM_GET_SUPPORTED_CPUID, &supported);
    if (ret < 0) {
        return error_set(err, "KVM_GET_SUPPORTED_CPUID: %s", strerror(-ret));
    }
    memset(features, 0, sizeof(features));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct kvm_cpuid_entry2 *e = find(rows[i].leaf, rows[i].sub);
        const uint32_t regs[4] = { e ? e->eax : 0, e ? e->ebx : 0, e ? e->ecx : 0,
                                   e ? e->edx : 0 };
        features[rows[i].word] = regs[rows[i].reg];
    }
    set_layout(k);
    features[X86FW_ARCHCAP] = arch_capabilities(k->fd);
    set_feature(X86F_HYPERVISOR, true);
    /* The kernel tells of these by capabilities; both live in its local APIC. */
    bool lapic = k->irqchip != IRQCHIP_OFF;
    set_feature(X86F_X2APIC, lapic);
    set_feature(X86F_TSCDL, lapic && kvm_ioctl(k->fd, KVM_CHECK_EXTENSION,
                                               (void *)KVM_CAP_TSC_DEADLINE_TIMER) > 0);
    set_feature(X86F_MONITOR, false); /* would idle outside KVM's sight */
    if (!lapic) { /* their interrupts come from the kernel's local APIC */
        static const uint16_t apf[] = { X86F_KVMASYNCPF, X86F_KVMPVEOI, X86F_KVMPVUNHALT,
                                        X86F_KVMPVIPI, X86F_KVMAPFINT, X86F_KVMPVYIELD };
        for (size_t i = 0; i < ARRAY_SIZE(apf); i++) {
            set_feature(apf[i], false);
        }
    }
    return true;
}

/* What ring 0 was shown of a row. */
static uint32_t shown_to_ring0(const KvmMachine *k, size_t row)
{
    unsigned leaf = rows[row].leaf;
    return rows[row].sub || (leaf != 1 && leaf != 7) ? 0 : k->ring0_cpuid[leaf == 7][rows[row].reg];
}

void kvm_widen_features(const KvmMachine *k, X86Cpu *cpu)
{
    /* In CR4: a guest may set it under one engine and again under another. */
    static const uint16_t ring0[] = { X86F_PCID, X86F_INVPCID, X86F_PKU, X86F_LA57, X86F_SMEP,
                                      X86F_SMAP, X86F_UMIP, X86F_FSGSBASE };
    /* Depend on who has the local APIC: as the machine began. */
    static const uint16_t refused[] = { X86F_X2APIC, X86F_TSCDL, X86F_MONITOR };
    uint32_t only_ring0[X86F_NWORDS] = { 0 };
    uint32_t have[X86F_NWORDS];
    memcpy(have, x86_tcg_features(), sizeof(have));
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        have[refused[i] / 32] &= ~(1u << refused[i] % 32);
    }
    for (size_t i = 0; i < ARRAY_SIZE(ring0); i++) {
        only_ring0[ring0[i] / 32] |= 1u << ring0[i] % 32;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t r[4] = { 0 };
#if defined(__x86_64__)
        if (rows[i].leaf >> 28 != 4 && __get_cpuid_max(rows[i].leaf & 0x80000000, NULL) >=
                                           rows[i].leaf) {
            __cpuid_count(rows[i].leaf, rows[i].sub, r[0], r[1], r[2], r[3]);
        }
#endif
        unsigned word = rows[i].word;
        uint32_t all = r[rows[i].reg] & ~only_ring0[word];
        cpu->feat[word] |= (all | (shown_to_ring0(k, i) & only_ring0[word])) & have[word];
    }
}

const uint32_t *kvm_features(void)
{
    return features;
}

struct kvm_cpuid2 *kvm_supported_cpuid(void)
{
    return &supported.head;
}

unsigned kvm_host_xsave_offset(unsigned component)
{
    const struct kvm_cpuid_entry2 *e = find(0xd, component);
    return e && e->eax ? e->ebx : 0;
}

static bool soft; /* ring 0 is the translator's, with its own XSAVE layout */

static void add(CpuidTable *t, const X86Cpu *cpu, uint32_t leaf, uint32_t sub, bool indexed)
{
    uint32_t r[4];
    if (t->head.nent == MAX_ENTRIES) {
        return;
    }
    x86_cpuid(cpu, leaf, sub, r);
    if (leaf == 0xd && sub >= 2 && (r[0] || r[1]) && !soft) {
        const struct kvm_cpuid_entry2 *e = find(leaf, sub);
        if (e) {
            r[0] = e->eax;
            r[1] = e->ebx;
            r[2] = e->ecx;
        }
    }
    t->e[t->head.nent++] = (struct kvm_cpuid_entry2){
        .function = leaf, .index = sub, .eax = r[0], .ebx = r[1], .ecx = r[2], .edx = r[3],
        .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
    };
}

/* Leaves with a meaning of ECX, and how many values of it. */
static unsigned subleaves(uint32_t leaf)
{
    switch (leaf) {
    case 4: return 5;
    case 7: return 2;
    case 0xb: return 3;
    case 0xd: return 10;
    case 0x8000001d: return 5;
    default: return 0;
    }
}

static void add_range(CpuidTable *t, const X86Cpu *cpu, uint32_t base)
{
    uint32_t r[4];
    x86_cpuid(cpu, base, 0, r);
    uint32_t last = r[0] >= base && r[0] - base < 64 ? r[0] : base;
    for (uint32_t leaf = base; leaf <= last; leaf++) {
        unsigned n = subleaves(leaf);
        for (unsigned sub = 0; sub < MAX(n, 1u); sub++) {
            add(t, cpu, leaf, sub, n != 0);
        }
    }
}

bool kvm_set_cpuid(KvmVcpu *v, Error *err)
{
    CpuidTable *t = NEW(CpuidTable);
    soft = v->k->soft;
    add_range(t, v->x86, 0);
    if (x86_has(v->x86, X86F_HYPERVISOR)) {
        add_range(t, v->x86, 0x40000000);
    }
    add_range(t, v->x86, 0x80000000);
    int ret = kvm_ioctl(v->fd, KVM_SET_CPUID2, t);
    free(t);
    return ret >= 0 ? true : error_set(err, "KVM_SET_CPUID2: %s", strerror(-ret));
}

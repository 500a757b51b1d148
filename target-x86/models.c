/* SPDX-License-Identifier: MIT */
/*
 * Named CPU models, what the software engine provides, and the -cpu option.
 *
 * "max" is an Intel CPU of a generation whose ARCH_CAPABILITIES say that it has none of
 * the known data leaks, so that Linux (Documentation/admin-guide/hw-vuln) leaves out page
 * table isolation, retpolines and buffer clearing: an emulated CPU has nothing to clear,
 * and each of them costs guest time. BHI_CTRL is there because Linux, seeing a hypervisor,
 * takes BHI_NO for no answer and would clear branch history by a loop at every system call;
 * so it sets a bit in SPEC_CTRL instead. All listed feature facts are the makers' manuals' and,
 * for x86-64-v1 to v4, those of the x86-64 psABI, 3.1.1.
 */
#include "target-x86/models.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/nondet.h"
#include "target-x86/cpuid.h"
#include "target-x86/native.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* clang-format off: lists */
#define LIST(...) (const uint16_t[]){ __VA_ARGS__, X86F_LIST_END }
#define P(f) X86F_##f

#define V1_32 P(FPU), P(DE), P(PSE), P(TSC), P(MSR), P(PAE), P(MCE), P(CX8), P(APIC), P(SEP), \
    P(MTRR), P(PGE), P(MCA), P(CMOV), P(PAT), P(PSE36), P(CLFSH), P(MMX), P(FXSR), P(SSE),    \
    P(SSE2)
#define V1 V1_32, P(SYSCALL), P(NX), P(LM)
#define V2 P(VME), P(SSE3), P(SSSE3), P(CX16), P(SSE41), P(SSE42), P(POPCNT), P(LAHF)
#define V3 P(AVX), P(AVX2), P(BMI1), P(BMI2), P(F16C), P(FMA), P(ABM), P(MOVBE), P(XSAVE)
#define V4 P(AVX512F), P(AVX512BW), P(AVX512CD), P(AVX512DQ), P(AVX512VL)
/* what every model shows to a guest under a hypervisor */
#define PARAVIRT P(HYPERVISOR), P(X2APIC), P(TSCDL), P(KVMCLOCK), P(KVMCLOCK2),               \
    P(KVMNOPIODELAY), P(KVMCLOCKSTABLE), P(TSCADJ), P(INVTSC)

/* Everything the software engine executes. */
static const uint16_t tcg_list[] = {
    V1, V2, V3, PARAVIRT,
    P(PCLMUL), P(PCID), P(AES), P(RDRAND),
    P(FSGSBASE), P(SMEP), P(ERMS), P(INVPCID), P(RDSEED), P(ADX), P(SMAP), P(CLFLUSHOPT),
    P(CLWB), P(SHA), P(FCSDS),
    P(UMIP), P(PKU), P(GFNI), P(VAES), P(VPCLMUL), P(RDPID),
    P(FSRM), P(SERIALIZE), P(IBRS), P(STIBP), P(SSBD), P(ARCHCAP), P(MDCLEAR),
    P(MMXEXT), P(PDPE1GB), P(RDTSCP), P(FXSROPT),
    P(SSE4A), P(MISALIGNSSE), P(3DNOWPREFETCH), P(CMPLEGACY), P(CR8LEGACY), P(TOPOEXT),
    P(XSAVEOPT), P(XSAVEC), P(XGETBV1), P(XSAVES),
    P(CLZERO), P(XSAVEERPTR), P(WBNOINVD), P(AMDIBPB), P(AMDSSBNO),
    P(FZRM), P(FSRS), P(FSRC),
    P(SS),
    P(RDCLNO), P(IBRSALL), P(SKIPL1DFL), P(SSBNO), P(MDSNO), P(PSCHANGENO), P(TAANO),
    P(SBDRSSDPNO), P(FBSDPNO), P(PSDPNO), P(BHINO), P(GDSNO), P(RFDSNO), P(FBCLEAR),
    P(PBRSBNO), P(ITSNO), P(BHICTRL), P(MCDTNO),
    X86F_LIST_END,
};
/* What it executes where the host does: its reference functions alone would be slow. */
static const uint16_t host_list[] = {
    V4, P(AVX512IFMA), P(AVX512VBMI), P(AVX512VBMI2), P(AVX512VNNI), P(AVX512BITALG),
    P(AVX512VPOPCNT), P(AVX512BF16), X86F_LIST_END,
};
/* left out of "max" though executed: AMD's alone */
static const uint16_t not_intel[] = {
    P(SSE4A), P(MISALIGNSSE), P(CMPLEGACY), P(CR8LEGACY), P(TOPOEXT), P(CLZERO),
    P(XSAVEERPTR), P(AMDIBPB), P(AMDSSBNO), P(MMXEXT), P(FXSROPT), P(FBCLEAR), P(MDCLEAR),
    X86F_LIST_END,
};

#define INTEL "GenuineIntel"
#define AMD "AuthenticAMD"
#define QEMU_BRAND "QEMU Virtual CPU version 2.5+" /* guests look for this string */

static const X86Model nehalem = {
    "Nehalem", "Intel Core i7 9xx (Nehalem, 2008)", INTEL,
    "Intel Core i7 9xx (Nehalem Class Core i7)", 6, 26, 3, 40, 0xb, NULL,
    LIST(V1, V2, P(VME), PARAVIRT),
};
static const X86Model haswell = {
    "Haswell", "Intel Core (Haswell, 2013), without TSX", INTEL,
    "Intel Core Processor (Haswell, no TSX)", 6, 60, 4, 40, 0xd, &nehalem,
    LIST(V3, P(PCLMUL), P(PCID), P(AES), P(RDRAND), P(FSGSBASE), P(SMEP), P(ERMS),
         P(INVPCID), P(RDTSCP), P(XSAVEOPT)),
};
static const X86Model core2duo = {
    "core2duo", "Intel Core 2 Duo (Merom, 2006)", INTEL,
    "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz", 6, 15, 11, 40, 0xa, NULL,
    LIST(V1, PARAVIRT, P(VME), P(SSE3), P(SSSE3), P(CX16), P(LAHF), P(SS)),
};
static const X86Model penryn = {
    "Penryn", "Intel Core 2 (Penryn, 2007)", INTEL, "Intel Core 2 Duo P9xxx (Penryn Class Core 2)",
    6, 23, 3, 40, 0xa, &core2duo, LIST(P(SSE41)),
};
static const X86Model westmere = {
    "Westmere", "Intel Xeon (Westmere, 2010)", INTEL, "Westmere E56xx/L56xx/X56xx (Nehalem-C)",
    6, 44, 1, 40, 0xb, &nehalem, LIST(P(PCLMUL), P(AES)),
};
static const X86Model sandy_bridge = {
    "SandyBridge", "Intel Xeon (Sandy Bridge, 2011)", INTEL, "Intel Xeon E312xx (Sandy Bridge)",
    6, 42, 1, 40, 0xd, &westmere,
    LIST(P(AVX), P(XSAVE), P(XSAVEOPT), P(X2APIC), P(TSCDL), P(RDTSCP)),
};
static const X86Model ivy_bridge = {
    "IvyBridge", "Intel Xeon (Ivy Bridge, 2012)", INTEL, "Intel Xeon E3-12xx v2 (Ivy Bridge)",
    6, 58, 9, 40, 0xd, &sandy_bridge,
    LIST(P(F16C), P(RDRAND), P(FSGSBASE), P(SMEP), P(ERMS)),
};
static const X86Model broadwell = {
    "Broadwell", "Intel Core (Broadwell, 2014), without TSX", INTEL,
    "Intel Core Processor (Broadwell, no TSX)", 6, 61, 2, 40, 0xd, &haswell,
    LIST(P(RDSEED), P(ADX), P(SMAP), P(3DNOWPREFETCH)),
};
static const X86Model opteron_g1 = {
    "Opteron_G1", "AMD Opteron 240 (2003)", AMD, "AMD Opteron 240 (Gen 1 Class Opteron)", 15, 6,
    1, 40, 5, NULL, LIST(V1, PARAVIRT, P(SSE3)),
};
static const X86Model x86_64_v1 = {
    "x86-64-v1", "x86-64 psABI level 1 (baseline)", INTEL, "x86-64-v1", 15, 6, 1, 40, 0xd,
    NULL, LIST(V1, PARAVIRT),
};
static const X86Model x86_64_v2 = {
    "x86-64-v2", "x86-64 psABI level 2 (2008)", INTEL, "x86-64-v2", 6, 26, 3, 40, 0xd,
    &x86_64_v1, LIST(V2),
};
static const X86Model x86_64_v3 = {
    "x86-64-v3", "x86-64 psABI level 3 (2013)", INTEL, "x86-64-v3", 6, 60, 4, 40, 0xd,
    &x86_64_v2, LIST(V3),
};
static const X86Model x86_64_v4 = {
    "x86-64-v4", "x86-64 psABI level 4 (2017, AVX-512)", INTEL, "x86-64-v4", 6, 85, 4, 40,
    0xd, &x86_64_v3, LIST(V4),
};
static const X86Model skylake_server = {
    "Skylake-Server", "Intel Xeon (Skylake, 2017), without TSX", INTEL,
    "Intel Xeon Processor (Skylake, no TSX)", 6, 85, 4, 46, 0xd, &haswell,
    LIST(V4, P(RDSEED), P(ADX), P(SMAP), P(CLFLUSHOPT), P(CLWB), P(PKU), P(XSAVEC),
         P(XGETBV1), P(PDPE1GB), P(3DNOWPREFETCH)),
};
static const X86Model epyc = {
    "EPYC", "AMD EPYC (Zen, 2017)", AMD, "AMD EPYC Processor", 23, 1, 2, 48, 0xd, NULL,
    LIST(V1, V2, V3, PARAVIRT, P(PCLMUL), P(AES), P(RDRAND), P(FSGSBASE), P(SMEP), P(RDSEED),
         P(ADX), P(SMAP), P(CLFLUSHOPT), P(SHA), P(MMXEXT), P(FXSROPT), P(PDPE1GB), P(RDTSCP),
         P(SSE4A), P(MISALIGNSSE), P(3DNOWPREFETCH), P(CR8LEGACY), P(TOPOEXT), P(XSAVEOPT),
         P(XSAVEC), P(XGETBV1), P(CLZERO), P(XSAVEERPTR), P(AMDIBPB)),
};
static const X86Model qemu64 = {
    "qemu64", "a 64-bit CPU with little more than SSE3", AMD, QEMU_BRAND, 15, 107, 1, 40, 0xd,
    NULL, LIST(V1, PARAVIRT, P(SSE3), P(CX16), P(LAHF), P(CMPLEGACY)),
};
static const X86Model kvm64 = {
    "kvm64", "a 64-bit CPU for migration between old hosts", INTEL,
    "Common KVM processor", 15, 6, 1, 40, 0xd, NULL, LIST(V1, PARAVIRT, P(SSE3), P(CX16)),
};
static const X86Model qemu32 = {
    "qemu32", "a 32-bit CPU", INTEL, QEMU_BRAND, 6, 6, 3, 36, 4, NULL,
    LIST(V1_32, PARAVIRT, P(SSE3)),
};
/* A model number that Intel has not given out: libgcc's __builtin_cpu_is, and functions
 * cloned by arch=, take a known one's features for granted (143, Sapphire Rapids: AVX-512)
 * without looking at their bits. */
static const X86Model max_model = {
    "max", "every feature the engine provides (default)", INTEL, "dyad max CPU", 6, 240, 8, 40,
    0x16, NULL, NULL, .all = true,
};
static X86Model host_model = { /* completed by fill_host */
    "host", "the host's CPU, as far as the engine provides it", INTEL, "host CPU", 6, 240, 8,
    46, 0x16, NULL, NULL, .all = true,
};
/* clang-format on */

static const X86Model *const models[] = {
    &max_model, &host_model, &qemu64, &kvm64, &qemu32, &core2duo, &penryn, &nehalem, &westmere,
    &sandy_bridge, &ivy_bridge, &haswell, &broadwell, &skylake_server, &opteron_g1, &epyc, &x86_64_v1, &x86_64_v2, &x86_64_v3, &x86_64_v4,
};

/* Features that make no sense without another. */
static const struct {
    uint16_t feature, needs;
} deps[] = {
    { P(XSAVEOPT), P(XSAVE) }, { P(XSAVEC), P(XSAVE) }, { P(XGETBV1), P(XSAVE) },
    { P(XSAVES), P(XSAVEC) },  { P(AVX), P(XSAVE) },    { P(PKU), P(XSAVE) },
    { P(AVX2), P(AVX) },       { P(FMA), P(AVX) },      { P(F16C), P(AVX) },
    { P(VAES), P(AVX) },       { P(VAES), P(AES) },     { P(VPCLMUL), P(AVX) },
    { P(VPCLMUL), P(PCLMUL) }, { P(SSE), P(FXSR) },     { P(SSE2), P(SSE) },
    { P(SSE3), P(SSE2) },      { P(SSSE3), P(SSE3) },   { P(SSE41), P(SSSE3) },
    { P(SSE42), P(SSE41) },    { P(AVX), P(SSE42) },    { P(AES), P(SSE2) },
    { P(PCLMUL), P(SSE2) },    { P(SHA), P(SSE2) },     { P(GFNI), P(SSE2) },
    { P(PCID), P(LM) },        { P(INVPCID), P(PCID) }, { P(PDPE1GB), P(LM) },
    { P(AVX512F), P(AVX2) },   { P(AVX512F), P(FMA) },  { P(AVX512F), P(F16C) },
    { P(AVX512BW), P(AVX512F) }, { P(AVX512CD), P(AVX512F) }, { P(AVX512DQ), P(AVX512F) },
    { P(AVX512VL), P(AVX512F) }, { P(AVX512IFMA), P(AVX512F) },
    { P(AVX512VBMI), P(AVX512BW) }, { P(AVX512VBMI2), P(AVX512BW) },
    { P(AVX512VNNI), P(AVX512F) }, { P(AVX512BITALG), P(AVX512BW) },
    { P(AVX512VPOPCNT), P(AVX512F) }, { P(AVX512BF16), P(AVX512BW) },
    { P(KVMCLOCK), P(HYPERVISOR) }, { P(KVMCLOCK2), P(HYPERVISOR) },
    { P(KVMNOPIODELAY), P(HYPERVISOR) }, { P(KVMCLOCKSTABLE), P(HYPERVISOR) },
};

static void set_bit(uint32_t *words, unsigned f, bool on)
{
    words[f / 32] = on ? words[f / 32] | 1u << (f % 32) : words[f / 32] & ~(1u << (f % 32));
}

static bool get_bit(const uint32_t *words, unsigned f)
{
    return words[f / 32] >> (f % 32) & 1;
}

static void add_list(uint32_t *words, const uint16_t *list, bool on)
{
    for (; list && *list != X86F_LIST_END; list++) {
        set_bit(words, *list, on);
    }
}

const uint32_t *x86_tcg_features(void)
{
    static uint32_t words[X86F_NWORDS];
    add_list(words, tcg_list, true);
    for (const uint16_t *f = host_list; *f != X86F_LIST_END; f++) {
        set_bit(words, *f, x86_host_has(*f));
    }
    return words;
}

const uint32_t *(*x86_engine_features)(void) = x86_tcg_features;

static void add_model(uint32_t *words, const X86Model *m)
{
    if (m->base) {
        add_model(words, m->base);
    }
    add_list(words, m->features, true);
    if (m->all) {
        for (unsigned i = 0; i < X86F_NWORDS; i++) {
            /* only what both engines have: a running machine may change engine */
            words[i] |= x86_tcg_features()[i] & x86_engine_features()[i];
        }
        if (m->vendor[0] != 'A') {
            add_list(words, not_intel, false);
        }
    }
}

/* ---- host ---- */

#if defined(__x86_64__)
static void fill_host(uint32_t *words)
{
    static char vendor[13], brand[49];
    static const struct {
        uint32_t leaf, sub;
        uint8_t reg, word;
    } rows[] = {
        { 1, 0, 3, X86FW_1_EDX },   { 1, 0, 2, X86FW_1_ECX },   { 7, 0, 1, X86FW_7_0_EBX },
        { 7, 0, 2, X86FW_7_0_ECX }, { 0x80000001, 0, 3, X86FW_80000001_EDX },
        { 0x80000001, 0, 2, X86FW_80000001_ECX },
    };
    uint32_t r[4], keep[X86F_NWORDS] = { 0 };

    __cpuid(0, r[0], r[1], r[2], r[3]);
    memcpy(vendor, &r[1], 4);
    memcpy(vendor + 4, &r[3], 4);
    memcpy(vendor + 8, &r[2], 4);
    host_model.vendor = vendor;
    __cpuid(1, r[0], r[1], r[2], r[3]);
    host_model.family = (r[0] >> 8 & 15) + (r[0] >> 20 & 255);
    host_model.model = (r[0] >> 4 & 15) | (r[0] >> 12 & 0xf0);
    host_model.stepping = r[0] & 15;
    for (unsigned i = 0; i < 3; i++) {
        if (__get_cpuid(0x80000002 + i, &r[0], &r[1], &r[2], &r[3])) {
            memcpy(brand + 16 * i, r, 16);
        }
    }
    host_model.brand = brand;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (__get_cpuid_count(rows[i].leaf, rows[i].sub, &r[0], &r[1], &r[2], &r[3])) {
            keep[rows[i].word] = r[rows[i].reg];
        }
        words[rows[i].word] &= keep[rows[i].word];
    }
}
#else
static void fill_host(uint32_t *words) {}
#endif

/* ---- the option ---- */

static const X86Model *find_model(const char *name, Error *err)
{
    const char *names[ARRAY_SIZE(models) + 1] = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        if (strcmp(models[i]->name, name) == 0) {
            return models[i];
        }
        names[i] = models[i]->name;
    }
    error_set_choice(err, "-cpu", name, names);
    return NULL;
}

static bool unknown_feature(const char *name, Error *err)
{
    const char *names[X86F_NWORDS * 32 + 1];
    size_t n = 0;

    for (unsigned f = 0; f < X86F_NWORDS * 32; f++) {
        if (x86_feature_name(f)) {
            names[n++] = x86_feature_name(f);
        }
    }
    names[n] = NULL;
    const char *near = nearest_match(name, names);
    return error_set(err, "-cpu: '%s' is no CPU feature%s%s%s ('-cpu help' lists them)", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* One item behind the model's name. */
static bool apply_item(X86Cpu *cpu, char *item, Error *err)
{
    bool on = true;
    char *value = strchr(item, '=');

    if (*item == '+' || *item == '-') {
        on = *item++ == '+';
    } else if (value) {
        *value++ = 0;
        if (strcmp(item, "phys-bits") == 0) {
            char *end;
            unsigned long n = strtoul(value, &end, 10);
            if (*end || n < 32 || n > 52) {
                return error_set(err, "-cpu: phys-bits: %s is not accepted: expected 32 to 52",
                                 value);
            }
            cpu->phys_bits = n;
            return true;
        }
        if (strcmp(item, "vendor") == 0) {
            if (strlen(value) != 12) {
                return error_set(err, "-cpu: vendor: %s is not accepted: expected 12 characters, "
                                 "such as GenuineIntel or AuthenticAMD", value);
            }
            memcpy(cpu->vendor, value, 13);
            return true;
        }
        static const char *const choices[] = { "on", "off", NULL };
        on = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0;
        if (!on && strcmp(value, "off") != 0 && strcmp(value, "no") != 0) {
            char option[80];
            snprintf(option, sizeof(option), "-cpu: %s", item);
            return error_set_choice(err, option, value, choices);
        }
    }
    /* of other emulators' command lines; here the width is phys-bits', any CPU moves, and
     * what the engine lacks is always told */
    static const char *const fixed[] = { "host-phys-bits", "migratable", "check", "l3-cache",
                                         "legacy-cache", "full-cpuid-auto-level" };
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (strcmp(item, fixed[i]) == 0) {
            return true;
        }
    }
    if (strcmp(item, "pmu") == 0) {
        if (on && cpu->cpu.index == 0) {
            warn_report("-cpu: the engine does not provide: pmu");
        }
        return true;
    }
    int f = x86_feature_by_name(item);
    if (f < 0) {
        return unknown_feature(item, err);
    }
    set_bit(cpu->feat, f, on);
    return true;
}

/* Takes away what the engine lacks; tells what was wanted. */
static void filter(X86Cpu *cpu, const char *model)
{
    const uint32_t *have = x86_engine_features();
    char list[400] = "";

    for (unsigned f = 0; f < X86F_NWORDS * 32; f++) {
        if (get_bit(cpu->feat, f) && !get_bit(have, f)) {
            const char *name = x86_feature_name(f);
            size_t n = strlen(list);
            snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", name ? name : "?");
            set_bit(cpu->feat, f, false);
        }
    }
    if (*list && cpu->cpu.index == 0) {
        warn_report("-cpu %s: the engine does not provide: %s", model, list);
    }
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < ARRAY_SIZE(deps); i++) {
            if (get_bit(cpu->feat, deps[i].feature) && !get_bit(cpu->feat, deps[i].needs)) {
                set_bit(cpu->feat, deps[i].feature, false);
                again = true;
            }
        }
    }
}

bool x86_cpu_set_model(X86Cpu *cpu, const char *spec, Error *err)
{
    char *copy = strdup(spec), *save = NULL;
    char *name = copy ? strtok_r(copy, ",", &save) : NULL;
    bool ok = true;

    const X86Model *m = find_model(name ? name : "", err);
    if (!m) {
        free(copy);
        return false;
    }
    memset(cpu->feat, 0, sizeof(cpu->feat));
    add_model(cpu->feat, m);
    if (m == &host_model) {
        fill_host(cpu->feat);
        add_list(cpu->feat, LIST(PARAVIRT), true);
        /* the host's own name says what was asked for: nothing to warn of */
        for (unsigned i = 0; i < X86F_NWORDS; i++) {
            cpu->feat[i] &= x86_engine_features()[i];
        }
    }
    cpu->model = m;
    snprintf(cpu->vendor, sizeof(cpu->vendor), "%s", m->vendor);
    cpu->phys_bits = m->phys_bits;
    cpu->tsc_khz = nondet_tsc_hz() / 1000;
    for (char *item; ok && (item = strtok_r(NULL, ",", &save));) {
        ok = apply_item(cpu, item, err);
    }
    if (ok) {
        filter(cpu, m->name);
    }
    free(copy);
    return ok;
}

void x86_cpu_help(void *file)
{
    FILE *f = file;
    unsigned column = 0;

    fprintf(f, "CPU models:\n");
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        fprintf(f, "  %-16s %s\n", models[i]->name, models[i]->desc);
    }
    fprintf(f, "\nFeatures (NAME,+FEATURE,-FEATURE,FEATURE=on|off):\n");
    for (unsigned n = 0; n < X86F_NWORDS * 32; n++) {
        const char *name = get_bit(x86_tcg_features(), n) ? x86_feature_name(n) : NULL;
        if (name) {
            column += fprintf(f, "%s%s", column ? " " : "  ", name);
            if (column > 70) {
                fputc('\n', f);
                column = 0;
            }
        }
    }
    fprintf(f, "%sOthers, such as phys-bits=N, take a number.\n", column ? "\n" : "");
}

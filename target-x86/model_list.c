/* SPDX-License-Identifier: MIT */
/*
 * The rows of CPU models. Features: Intel's SDM (vol. 4 for signatures) and specification
 * updates, AMD's revision guides and APM vol. 3, appendix E; x86-64-v1 to v4: the x86-64
 * psABI, 3.1.1. What a guest of a hypervisor is not shown anyway (VMX, SVM, MONITOR, MPX,
 * debug store, traces, thermal and power management) is in no row. Names and numbers of
 * versions are those that QEMU's users type; a version is told as a difference from the
 * first: microcode against speculation leaks, TSX switched off, ARCH_CAPABILITIES, XSAVES.
 */
#include "target-x86/model_features.h"
#include <stddef.h>

/* clang-format off: lists */
#define VERSIONS(...) (const X86Version[]){ __VA_ARGS__, { 0 } }
#define TSX P(HLE), P(RTM)

#define INTEL "GenuineIntel"
#define AMD "AuthenticAMD"
#define QEMU_BRAND "QEMU Virtual CPU version 2.5+" /* guests look for this string */

/* ---- without a maker ---- */

static const X86Model base_model = {
    "base", "no features but those that are added", INTEL, "base CPU", 6, 6, 3, 40, 0xd, NULL,
    NULL,
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
static const X86Model kvm32 = {
    "kvm32", "a 32-bit CPU for migration between old hosts", INTEL,
    "Common 32-bit KVM processor", 15, 6, 1, 36, 5, NULL, LIST(V1_32, PARAVIRT, P(SSE3)),
};
/* Its model number, which Intel has not given out, becomes a known one's where its features
 * allow (models.c). */
static const X86Model max_model = {
    "max", "every feature the engine provides (default)", INTEL, "dyad max CPU", 6, 240, 8, 40,
    0x16, NULL, NULL, .all = true,
};
X86Model x86_host_model = { /* completed by models.c */
    "host", "the host's CPU, as far as the engine provides it", INTEL, "host CPU", 6, 240, 8,
    46, 0x16, NULL, NULL, .all = true,
};

/* ---- 32 bits ---- */

#define PENTIUM P(FPU), P(VME), P(DE), P(PSE), P(TSC), P(MSR), P(MCE), P(CX8), P(APIC), P(MMX)

static const X86Model i486 = {
    "486", "Intel 486DX4", INTEL, "", 4, 8, 0, 32, 1, NULL, LIST(P(FPU), P(VME), P(PSE)),
};
static const X86Model pentium = {
    "pentium", "Intel Pentium MMX (1997)", INTEL, "", 5, 4, 3, 32, 1, NULL, LIST(PENTIUM),
};
static const X86Model pentium2 = {
    "pentium2", "Intel Pentium II (1997)", INTEL, "", 6, 5, 2, 36, 2, &pentium,
    LIST(P(PAE), P(SEP), P(MTRR), P(PGE), P(MCA), P(CMOV), P(PAT), P(PSE36), P(FXSR)),
};
static const X86Model pentium3 = {
    "pentium3", "Intel Pentium III (1999)", INTEL, "", 6, 7, 3, 36, 3, &pentium2,
    LIST(P(SSE)),
};
static const X86Model coreduo = {
    "coreduo", "Intel Core Duo (Yonah, 2006)", INTEL,
    "Genuine Intel(R) CPU           T2600  @ 2.16GHz", 6, 14, 8, 36, 0xa, NULL,
    LIST(V1_32, PARAVIRT, P(VME), P(SSE3), P(NX), P(SS)),
};
static const X86Model n270 = {
    "n270", "Intel Atom N270 (2008)", INTEL, "Intel(R) Atom(TM) CPU N270   @ 1.60GHz", 6, 28,
    2, 32, 0xa, NULL,
    LIST(V1_32, PARAVIRT, P(VME), P(SSE3), P(SSSE3), P(MOVBE), P(NX), P(SS), P(LAHF)),
};
static const X86Model athlon = {
    "athlon", "AMD Athlon (K7, 1999)", AMD, QEMU_BRAND, 6, 2, 3, 36, 1, &pentium2,
    LIST(PARAVIRT, P(MMXEXT), P(3DNOW), P(3DNOWEXT)),
};

/* ---- Intel ---- */

static const X86Model core2duo = {
    "core2duo", "Intel Core 2 Duo (Merom, 2006)", INTEL,
    "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz", 6, 15, 11, 40, 0xa, NULL,
    LIST(V1, PARAVIRT, P(VME), P(SSE3), P(SSSE3), P(CX16), P(LAHF), P(SS)),
};
static const X86Model conroe = {
    "Conroe", "Intel Core 2 (Conroe, 2006)", INTEL, "Intel Celeron_4x0 (Conroe/Merom Class Core 2)",
    6, 15, 3, 40, 0xa, &core2duo, NULL,
};
static const X86Model penryn = {
    "Penryn", "Intel Core 2 (Penryn, 2007)", INTEL, "Intel Core 2 Duo P9xxx (Penryn Class Core 2)",
    6, 23, 3, 40, 0xa, &core2duo, LIST(P(SSE41)),
};
#define IBRS_VERSION(number) { number, "-IBRS", LIST(P(IBRS)), NULL }
static const X86Model nehalem = {
    "Nehalem", "Intel Core i7 9xx (Nehalem, 2008)", INTEL,
    "Intel Core i7 9xx (Nehalem Class Core i7)", 6, 26, 3, 40, 0xb, NULL,
    LIST(V1, V2, PARAVIRT), .versions = VERSIONS(IBRS_VERSION(2)),
};
static const X86Model westmere = {
    "Westmere", "Intel Xeon (Westmere, 2010)", INTEL, "Westmere E56xx/L56xx/X56xx (Nehalem-C)",
    6, 44, 1, 40, 0xb, &nehalem, LIST(P(PCLMUL), P(AES)),
    .versions = VERSIONS(IBRS_VERSION(2)),
};
static const X86Model sandy_bridge = {
    "SandyBridge", "Intel Xeon (Sandy Bridge, 2011)", INTEL, "Intel Xeon E312xx (Sandy Bridge)",
    6, 42, 1, 40, 0xd, &westmere,
    LIST(P(AVX), P(XSAVE), P(XSAVEOPT), P(X2APIC), P(TSCDL), P(RDTSCP)),
    .versions = VERSIONS(IBRS_VERSION(2)),
};
static const X86Model ivy_bridge = {
    "IvyBridge", "Intel Xeon (Ivy Bridge, 2012)", INTEL, "Intel Xeon E3-12xx v2 (Ivy Bridge)",
    6, 58, 9, 40, 0xd, &sandy_bridge,
    LIST(P(F16C), P(RDRAND), P(FSGSBASE), P(SMEP), P(ERMS)),
    .versions = VERSIONS(IBRS_VERSION(2)),
};
#define TSX_VERSIONS VERSIONS({ 2, "-noTSX", NULL, LIST(TSX) }, IBRS_VERSION(3), \
                              { 4, "-noTSX-IBRS", LIST(P(IBRS)), LIST(TSX) })
static const X86Model haswell = {
    "Haswell", "Intel Core (Haswell, 2013)", INTEL, "Intel Core Processor (Haswell)",
    6, 60, 4, 40, 0xd, &nehalem,
    LIST(V3, TSX, P(PCLMUL), P(PCID), P(AES), P(RDRAND), P(FSGSBASE), P(SMEP), P(ERMS),
         P(INVPCID), P(RDTSCP), P(XSAVEOPT)),
    .versions = TSX_VERSIONS,
};
static const X86Model broadwell = {
    "Broadwell", "Intel Core (Broadwell, 2014)", INTEL, "Intel Core Processor (Broadwell)",
    6, 61, 2, 40, 0xd, &haswell, LIST(P(RDSEED), P(ADX), P(SMAP), P(3DNOWPREFETCH)),
    .versions = TSX_VERSIONS,
};
static const X86Model skylake_client = {
    "Skylake-Client", "Intel Core (Skylake, 2015)", INTEL, "Intel Core Processor (Skylake)",
    6, 94, 3, 40, 0xd, &broadwell, LIST(P(CLFLUSHOPT), P(XSAVEC), P(XGETBV1)),
    .versions = VERSIONS(IBRS_VERSION(2), { 3, "-noTSX-IBRS", LIST(P(IBRS)), LIST(TSX) },
                         { 4, NULL, LIST(P(IBRS), P(XSAVES)), LIST(TSX) }),
};
static const X86Model skylake_server = {
    "Skylake-Server", "Intel Xeon (Skylake, 2017)", INTEL, "Intel Xeon Processor (Skylake)",
    6, 85, 4, 46, 0xd, &skylake_client, LIST(V4, P(CLWB), P(PKU), P(PDPE1GB)),
    .versions = VERSIONS(IBRS_VERSION(2), { 3, "-noTSX-IBRS", LIST(P(IBRS)), LIST(TSX) },
                         { 4, NULL, LIST(P(IBRS)), LIST(TSX) },
                         { 5, NULL, LIST(P(IBRS), P(XSAVES)), LIST(TSX) }),
};
#define NO_LEAKS P(ARCHCAP), P(RDCLNO), P(IBRSALL), P(SKIPL1DFL), P(MDSNO)
static const X86Model cascadelake = {
    "Cascadelake-Server", "Intel Xeon (Cascade Lake, 2019)", INTEL,
    "Intel Xeon Processor (Cascadelake)", 6, 85, 7, 46, 0xd, &skylake_server,
    LIST(P(AVX512VNNI), P(IBRS), P(SSBD)),
    .versions = VERSIONS({ 2, NULL, LIST(NO_LEAKS), NULL },
                         { 3, "-noTSX", LIST(NO_LEAKS), LIST(TSX) },
                         { 4, NULL, LIST(NO_LEAKS), LIST(TSX) },
                         { 5, NULL, LIST(NO_LEAKS, P(XSAVES)), LIST(TSX) }),
};
static const X86Model cooperlake = {
    "Cooperlake", "Intel Xeon (Cooper Lake, 2020)", INTEL, "Intel Xeon Processor (Cooperlake)",
    6, 85, 11, 46, 0xd, &cascadelake,
    LIST(NO_LEAKS, P(AVX512BF16), P(STIBP), P(TAANO), P(PSCHANGENO)),
    .versions = VERSIONS({ 2, NULL, LIST(P(XSAVES)), NULL }),
};
#define ICELAKE_LATER NO_LEAKS, P(PSCHANGENO), P(TAANO)
static const X86Model icelake_server = {
    "Icelake-Server", "Intel Xeon (Ice Lake, 2021)", INTEL, "Intel Xeon Processor (Icelake)",
    6, 106, 6, 46, 0xd, &skylake_server,
    LIST(P(AVX512VNNI), P(AVX512VBMI), P(AVX512VBMI2), P(AVX512BITALG), P(AVX512VPOPCNT),
         P(AVX512IFMA), P(UMIP), P(GFNI), P(VAES), P(VPCLMUL), P(LA57), P(WBNOINVD), P(SHA),
         P(RDPID), P(FSRM), P(IBRS), P(SSBD)),
    .versions = VERSIONS({ 2, "-noTSX", NULL, LIST(TSX) },
                         { 3, NULL, LIST(ICELAKE_LATER), LIST(TSX) },
                         { 4, NULL, LIST(ICELAKE_LATER), LIST(TSX) },
                         { 5, NULL, LIST(ICELAKE_LATER, P(XSAVES)), LIST(TSX) },
                         { 6, NULL, LIST(ICELAKE_LATER, P(XSAVES)), LIST(TSX) },
                         { 7, NULL, LIST(ICELAKE_LATER, P(XSAVES)), NULL }),
};
#define SAPPHIRE_LATER P(SBDRSSDPNO), P(FBSDPNO), P(PSDPNO)
#define DIRECT_STORES P(CLDEMOTE), P(MOVDIRI), P(MOVDIR64B)
static const X86Model sapphire_rapids = {
    "SapphireRapids", "Intel Xeon (Sapphire Rapids, 2023)", INTEL,
    "Intel Xeon Processor (SapphireRapids)", 6, 143, 8, 46, 0x16, &icelake_server,
    LIST(ICELAKE_LATER, P(XSAVES), P(AVX512BF16), P(AVX512FP16), P(AVXVNNI), P(AMXTILE),
         P(AMXBF16), P(AMXINT8), P(XFD), P(BUSLOCK), P(SERIALIZE), P(TSXLD), P(FZRM), P(FSRS),
         P(FSRC)),
    .versions = VERSIONS({ 2, NULL, LIST(SAPPHIRE_LATER), NULL },
                         { 3, NULL, LIST(SAPPHIRE_LATER, P(SS), DIRECT_STORES), NULL }),
};
static const X86Model granite_rapids = {
    "GraniteRapids", "Intel Xeon (Granite Rapids, 2024)", INTEL,
    "Intel Xeon Processor (GraniteRapids)", 6, 173, 1, 46, 0x16, &sapphire_rapids,
    LIST(SAPPHIRE_LATER, P(MCDTNO), P(PBRSBNO)),
    .versions = VERSIONS({ 2, NULL, LIST(P(SS), DIRECT_STORES), NULL }),
};
static const X86Model denverton = {
    "Denverton", "Intel Atom (Goldmont, 2017)", INTEL, "Intel Atom Processor (Denverton)",
    6, 95, 1, 39, 0x15, &nehalem,
    LIST(P(PCLMUL), P(AES), P(MOVBE), P(XSAVE), P(XSAVEOPT), P(XSAVEC), P(XGETBV1), P(RDRAND),
         P(RDSEED), P(FSGSBASE), P(SMEP), P(SMAP), P(ERMS), P(SHA), P(CLFLUSHOPT), P(RDTSCP),
         P(PDPE1GB), P(3DNOWPREFETCH), P(IBRS), P(ARCHCAP), P(RDCLNO), P(SKIPL1DFL)),
    .versions = VERSIONS({ 2, NULL, NULL, NULL }, { 3, NULL, LIST(P(XSAVES)), NULL }),
};
static const X86Model snowridge = {
    "Snowridge", "Intel Atom (Tremont, 2020)", INTEL, "Intel Atom Processor (SnowRidge)",
    6, 134, 1, 42, 0x15, &denverton,
    LIST(P(CLWB), P(UMIP), P(GFNI), P(RDPID), P(SSBD), P(MDSNO), P(IBRSALL), DIRECT_STORES),
    .versions = VERSIONS({ 2, NULL, NULL, NULL }, { 3, NULL, LIST(P(XSAVES)), NULL },
                         { 4, NULL, LIST(P(XSAVES)), NULL }),
};
static const X86Model sierra_forest = {
    "SierraForest", "Intel Xeon (Sierra Forest, 2024)", INTEL,
    "Intel Xeon Processor (SierraForest)", 6, 175, 3, 46, 0x16, &broadwell,
    LIST(NO_LEAKS, P(TAANO), P(PSCHANGENO), P(CLFLUSHOPT), P(CLWB), P(XSAVEC), P(XGETBV1),
         P(XSAVES), P(SHA), P(UMIP), P(PKU), P(GFNI), P(VAES), P(VPCLMUL), P(RDPID), P(LA57),
         P(BUSLOCK), P(FSRM), P(FZRM), P(FSRS), P(SERIALIZE), P(WBNOINVD), P(AVXVNNI),
         P(PDPE1GB), P(IBRS), P(STIBP), P(SSBD), P(FBSDPNO), P(PSDPNO), P(SBDRSSDPNO),
         P(PBRSBNO)),
    .off = LIST(TSX),
    .versions = VERSIONS({ 2, NULL, LIST(P(SS), DIRECT_STORES), NULL }),
};
static const X86Model knights_mill = {
    "KnightsMill", "Intel Xeon Phi (Knights Mill, 2017)", INTEL,
    "Intel Xeon Phi Processor (Knights Mill)", 6, 133, 0, 46, 0xd, &broadwell,
    LIST(P(AVX512F), P(AVX512CD), P(AVX512PF), P(AVX512ER), P(AVX5124VNNIW), P(AVX5124FMAPS),
         P(AVX512VPOPCNT)),
    .off = LIST(TSX, P(PCID), P(INVPCID), P(SMAP)),
};

/* ---- AMD. The Opterons are without 3DNow!, which virtual machines never had. ---- */

static const X86Model opteron_g1 = {
    "Opteron_G1", "AMD Opteron 240 (2003)", AMD, "AMD Opteron 240 (Gen 1 Class Opteron)", 15, 6,
    1, 40, 5, NULL, LIST(V1, PARAVIRT, P(SSE3)),
};
static const X86Model opteron_g2 = {
    "Opteron_G2", "AMD Opteron 22xx (2006)", AMD, "AMD Opteron 22xx (Gen 2 Class Opteron)",
    15, 65, 2, 40, 5, &opteron_g1, LIST(P(VME), P(CX16), P(LAHF), P(RDTSCP)),
};
static const X86Model opteron_g3 = {
    "Opteron_G3", "AMD Opteron 23xx (2007)", AMD, "AMD Opteron 23xx (Gen 3 Class Opteron)",
    16, 2, 3, 48, 5, &opteron_g2, LIST(P(POPCNT), P(ABM), P(SSE4A), P(MISALIGNSSE)),
};
static const X86Model phenom = {
    "phenom", "AMD Phenom (2007)", AMD, "AMD Phenom(tm) 9550 Quad-Core Processor", 16, 2, 3,
    48, 5, &opteron_g3,
    LIST(P(MMXEXT), P(FXSROPT), P(PDPE1GB), P(3DNOW), P(3DNOWEXT), P(CR8LEGACY)),
};
static const X86Model opteron_g4 = {
    "Opteron_G4", "AMD Opteron 62xx (Bulldozer, 2011)", AMD, "AMD Opteron 62xx class CPU",
    21, 1, 2, 48, 0xd, &opteron_g3,
    LIST(P(SSSE3), P(SSE41), P(SSE42), P(PCLMUL), P(AES), P(AVX), P(XSAVE), P(PDPE1GB),
         P(3DNOWPREFETCH), P(XOP), P(FMA4)),
};
static const X86Model opteron_g5 = {
    "Opteron_G5", "AMD Opteron 63xx (Piledriver, 2012)", AMD, "AMD Opteron 63xx class CPU",
    21, 2, 0, 48, 0xd, &opteron_g4, LIST(P(F16C), P(FMA), P(BMI1), P(TBM)),
};
static const X86Model epyc = {
    "EPYC", "AMD EPYC (Zen, 2017)", AMD, "AMD EPYC Processor", 23, 1, 2, 48, 0xd, NULL,
    LIST(V1, V2, V3, PARAVIRT, P(PCLMUL), P(AES), P(RDRAND), P(FSGSBASE), P(SMEP), P(RDSEED),
         P(ADX), P(SMAP), P(CLFLUSHOPT), P(SHA), P(MMXEXT), P(FXSROPT), P(PDPE1GB), P(RDTSCP),
         P(SSE4A), P(MISALIGNSSE), P(3DNOWPREFETCH), P(CR8LEGACY), P(TOPOEXT), P(XSAVEOPT),
         P(XSAVEC), P(XGETBV1), P(CLZERO), P(XSAVEERPTR)),
    .versions = VERSIONS({ 2, "-IBPB", LIST(P(AMDIBPB)), NULL },
                         { 3, NULL, LIST(P(AMDIBPB)), NULL },
                         { 4, NULL, LIST(P(AMDIBPB), P(XSAVES)), NULL }),
};
static const X86Model epyc_rome = {
    "EPYC-Rome", "AMD EPYC (Zen 2, 2019)", AMD, "AMD EPYC-Rome Processor", 23, 49, 0, 48, 0xd,
    &epyc,
    LIST(P(AMDIBPB), P(AMDSTIBP), P(CLWB), P(RDPID), P(WBNOINVD),
         P(UMIP), P(XSAVES)),
    .versions = VERSIONS({ 2, NULL, LIST(P(AMDIBRS), P(AMDSSBD)), NULL },
                         { 3, NULL, LIST(P(AMDIBRS), P(AMDSSBD)), NULL },
                         { 4, NULL, LIST(P(AMDIBRS), P(AMDSSBD)), LIST(P(XSAVES)) }),
};
static const X86Model epyc_milan = {
    "EPYC-Milan", "AMD EPYC (Zen 3, 2021)", AMD, "AMD EPYC-Milan Processor", 25, 1, 1, 48, 0xd,
    &epyc_rome,
    LIST(P(PCID), P(INVPCID), P(ERMS), P(FSRM), P(PKU), P(AMDIBRS), P(AMDSSBD)),
    .versions = VERSIONS({ 2, NULL, LIST(P(VAES), P(VPCLMUL)), NULL }),
};
static const X86Model epyc_genoa = {
    "EPYC-Genoa", "AMD EPYC (Zen 4, 2022)", AMD, "AMD EPYC-Genoa Processor", 25, 17, 0, 48,
    0xd, &epyc_milan,
    LIST(V4, P(VAES), P(VPCLMUL), P(GFNI), P(AVX512IFMA), P(AVX512VBMI), P(AVX512VBMI2),
         P(AVX512VNNI), P(AVX512BITALG), P(AVX512VPOPCNT), P(AVX512BF16), P(LA57)),
    .versions = VERSIONS({ 2, NULL, LIST(P(AMDSSBNO)), NULL }),
};
static const X86Model epyc_turin = {
    "EPYC-Turin", "AMD EPYC (Zen 5, 2024)", AMD, "AMD EPYC-Turin Processor", 26, 2, 1, 48,
    0xd, &epyc_genoa, LIST(P(MOVDIRI), P(MOVDIR64B), P(AVXVNNI), P(AVX512VP2I), P(AMDSSBNO)),
};
/* clang-format on */

const X86Model *const x86_models[] = {
    &max_model, &x86_host_model, &base_model, &qemu64, &kvm64, &qemu32, &kvm32,
    &x86_64_v1, &x86_64_v2, &x86_64_v3, &x86_64_v4,
    &i486, &pentium, &pentium2, &pentium3, &coreduo, &n270, &athlon,
    &core2duo, &conroe, &penryn, &nehalem, &westmere, &sandy_bridge, &ivy_bridge, &haswell,
    &broadwell, &skylake_client, &skylake_server, &cascadelake, &cooperlake, &icelake_server,
    &sapphire_rapids, &granite_rapids, &sierra_forest, &denverton, &snowridge, &knights_mill,
    &phenom, &opteron_g1, &opteron_g2, &opteron_g3, &opteron_g4, &opteron_g5,
    &epyc, &epyc_rome, &epyc_milan, &epyc_genoa, &epyc_turin, NULL,
};

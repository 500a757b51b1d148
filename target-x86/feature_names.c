/* SPDX-License-Identifier: MIT */
/*
 * Names of CPU features for -cpu and messages, in the spelling of Linux's /proc/cpuinfo
 * and of QEMU's users ('-' and '_' are one).
 */
#include "target-x86/models.h"

/* clang-format off: rows */
#define F(f, n) { X86F_##f, n }
static const struct {
    uint16_t feature;
    const char *name;
} names[] = {
    F(FPU, "fpu"), F(VME, "vme"), F(DE, "de"), F(PSE, "pse"), F(TSC, "tsc"),
    F(MSR, "msr"), F(PAE, "pae"), F(MCE, "mce"), F(CX8, "cx8"), F(APIC, "apic"),
    F(SEP, "sep"), F(MTRR, "mtrr"), F(PGE, "pge"), F(MCA, "mca"), F(CMOV, "cmov"),
    F(PAT, "pat"), F(PSE36, "pse36"), F(PSN, "pn"), F(CLFSH, "clflush"), F(DS, "ds"),
    F(ACPI, "acpi"), F(MMX, "mmx"), F(FXSR, "fxsr"), F(SSE, "sse"), F(SSE2, "sse2"),
    F(SS, "ss"), F(HTT, "htt"), F(TM, "tm"), F(PBE, "pbe"), F(SSE3, "sse3"),
    F(PCLMUL, "pclmulqdq"), F(DTES64, "dtes64"), F(MONITOR, "monitor"),
    F(DSCPL, "ds-cpl"), F(VMX, "vmx"), F(SMX, "smx"), F(EST, "est"), F(TM2, "tm2"),
    F(SSSE3, "ssse3"), F(CNXTID, "cid"), F(SDBG, "sdbg"), F(FMA, "fma"),
    F(CX16, "cx16"), F(XTPR, "xtpr"), F(PDCM, "pdcm"), F(PCID, "pcid"), F(DCA, "dca"),
    F(SSE41, "sse4.1"), F(SSE42, "sse4.2"), F(X2APIC, "x2apic"), F(MOVBE, "movbe"),
    F(POPCNT, "popcnt"), F(TSCDL, "tsc-deadline"), F(AES, "aes"), F(XSAVE, "xsave"),
    F(OSXSAVE, "osxsave"), F(AVX, "avx"), F(F16C, "f16c"), F(RDRAND, "rdrand"),
    F(HYPERVISOR, "hypervisor"), F(FSGSBASE, "fsgsbase"), F(TSCADJ, "tsc-adjust"),
    F(SGX, "sgx"), F(BMI1, "bmi1"), F(HLE, "hle"), F(AVX2, "avx2"),
    F(FDPX, "fdp-excptn-only"), F(SMEP, "smep"), F(BMI2, "bmi2"), F(ERMS, "erms"),
    F(INVPCID, "invpcid"), F(RTM, "rtm"), F(PQM, "pqm"), F(FCSDS, "zero-fcs-fds"),
    F(MPX, "mpx"), F(PQE, "pqe"), F(AVX512F, "avx512f"), F(AVX512DQ, "avx512dq"),
    F(RDSEED, "rdseed"), F(ADX, "adx"), F(SMAP, "smap"), F(AVX512IFMA, "avx512ifma"),
    F(PCOMMIT, "pcommit"), F(CLFLUSHOPT, "clflushopt"), F(CLWB, "clwb"),
    F(PT, "intel-pt"), F(AVX512PF, "avx512pf"), F(AVX512ER, "avx512er"),
    F(AVX512CD, "avx512cd"), F(SHA, "sha"), F(AVX512BW, "avx512bw"),
    F(AVX512VL, "avx512vl"), F(PREFETCHWT1, "prefetchwt1"),
    F(AVX512VBMI, "avx512vbmi"), F(UMIP, "umip"), F(PKU, "pku"), F(OSPKE, "ospke"),
    F(WAITPKG, "waitpkg"), F(AVX512VBMI2, "avx512-vbmi2"), F(CETSS, "shstk"),
    F(GFNI, "gfni"), F(VAES, "vaes"), F(VPCLMUL, "vpclmulqdq"),
    F(AVX512VNNI, "avx512-vnni"), F(AVX512BITALG, "avx512-bitalg"), F(TME, "tme"),
    F(AVX512VPOPCNT, "avx512-vpopcntdq"), F(LA57, "la57"), F(RDPID, "rdpid"),
    F(KL, "kl"), F(BUSLOCK, "bus-lock-detect"), F(CLDEMOTE, "cldemote"),
    F(MOVDIRI, "movdiri"), F(MOVDIR64B, "movdir64b"), F(ENQCMD, "enqcmd"),
    F(SGXLC, "sgxlc"), F(PKS, "pks"), F(AVX5124VNNIW, "avx512-4vnniw"),
    F(AVX5124FMAPS, "avx512-4fmaps"), F(FSRM, "fsrm"), F(UINTR, "uintr"),
    F(AVX512VP2I, "avx512-vp2intersect"), F(SRBDS, "srbds"), F(MDCLEAR, "md-clear"),
    F(RTMABORT, "rtm-always-abort"), F(TSXFA, "tsxfa"), F(SERIALIZE, "serialize"),
    F(HYBRID, "hybrid"), F(TSXLD, "tsx-ldtrk"), F(PCONFIG, "pconfig"), F(LBR, "lbr"),
    F(CETIBT, "ibt"), F(AMXBF16, "amx-bf16"), F(AVX512FP16, "avx512-fp16"),
    F(AMXTILE, "amx-tile"), F(AMXINT8, "amx-int8"), F(IBRS, "spec-ctrl"),
    F(STIBP, "stibp"), F(L1DFLUSH, "l1d-flush"), F(ARCHCAP, "arch-capabilities"),
    F(CORECAP, "core-capability"), F(SSBD, "ssbd"), F(SYSCALL, "syscall"), F(MP, "mp"),
    F(NX, "nx"), F(MMXEXT, "mmxext"), F(FXSROPT, "fxsr-opt"), F(PDPE1GB, "pdpe1gb"),
    F(RDTSCP, "rdtscp"), F(LM, "lm"), F(3DNOWEXT, "3dnowext"), F(3DNOW, "3dnow"),
    F(LAHF, "lahf-lm"), F(CMPLEGACY, "cmp-legacy"), F(SVM, "svm"),
    F(EXTAPIC, "extapic"), F(CR8LEGACY, "cr8legacy"), F(ABM, "abm"), F(SSE4A, "sse4a"),
    F(MISALIGNSSE, "misalignsse"), F(3DNOWPREFETCH, "3dnowprefetch"), F(OSVW, "osvw"),
    F(IBS, "ibs"), F(XOP, "xop"), F(SKINIT, "skinit"), F(WDT, "wdt"), F(LWP, "lwp"),
    F(FMA4, "fma4"), F(TCE, "tce"), F(NODEID, "nodeid-msr"), F(TBM, "tbm"),
    F(TOPOEXT, "topoext"), F(PERFCORE, "perfctr-core"), F(PERFNB, "perfctr-nb"),
    F(DBE, "dbe"), F(PTSC, "ptsc"), F(PERFL2I, "perfctr-l2i"), F(MWAITX, "mwaitx"),
    F(XSAVEOPT, "xsaveopt"), F(XSAVEC, "xsavec"), F(XGETBV1, "xgetbv1"),
    F(XSAVES, "xsaves"), F(XFD, "xfd"), F(INVTSC, "invtsc"), F(CLZERO, "clzero"),
    F(XSAVEERPTR, "xsaveerptr"), F(WBNOINVD, "wbnoinvd"), F(AMDIBPB, "ibpb"),
    F(AMDIBRS, "ibrs"), F(AMDSTIBP, "amd-stibp"), F(AMDSSBD, "amd-ssbd"),
    F(VIRTSSBD, "virt-ssbd"), F(AMDSSBNO, "amd-no-ssb"), F(KVMCLOCK, "kvmclock"),
    F(KVMNOPIODELAY, "kvm-nopiodelay"), F(KVMMMUOP, "kvm-mmu"),
    F(KVMCLOCK2, "kvmclock2"), F(KVMASYNCPF, "kvm-asyncpf"),
    F(KVMSTEAL, "kvm-steal-time"), F(KVMPVEOI, "kvm-pv-eoi"),
    F(KVMPVUNHALT, "kvm-pv-unhalt"), F(KVMPVTLB, "kvm-pv-tlb-flush"),
    F(KVMASYNCPFVMEXIT, "kvm-asyncpf-vmexit"), F(KVMPVIPI, "kvm-pv-ipi"),
    F(KVMPOLL, "kvm-poll-control"), F(KVMPVYIELD, "kvm-pv-sched-yield"),
    F(KVMAPFINT, "kvm-asyncpf-int"), F(KVMMSIEXT, "kvm-msi-ext-dest-id"),
    F(KVMHCMAP, "kvm-hc-map-gpa-range"), F(KVMMIGR, "kvm-migration-control"),
    F(KVMCLOCKSTABLE, "kvmclock-stable-bit"), F(AVXVNNI, "avx-vnni"),
    F(AVX512BF16, "avx512-bf16"), F(FZRM, "fzrm"), F(FSRS, "fsrs"), F(FSRC, "fsrc"),
    F(RDCLNO, "rdctl-no"), F(IBRSALL, "ibrs-all"), F(RSBA, "rsba"),
    F(SKIPL1DFL, "skip-l1dfl-vmentry"), F(SSBNO, "ssb-no"), F(MDSNO, "mds-no"),
    F(PSCHANGENO, "pschange-mc-no"), F(TSXCTRL, "tsx-ctrl"), F(TAANO, "taa-no"),
    F(SBDRSSDPNO, "sbdr-ssdp-no"), F(FBSDPNO, "fbsdp-no"), F(PSDPNO, "psdp-no"),
    F(FBCLEAR, "fb-clear"), F(RRSBA, "rrsba"), F(BHINO, "bhi-no"),
    F(XAPICDIS, "xapic-disable"), F(PBRSBNO, "pbrsb-no"), F(GDSNO, "gds-no"),
    F(ITSNO, "its-no"), F(BHICTRL, "bhi-ctrl"), F(MCDTNO, "mcdt-no"), F(RFDSNO, "rfds-no"),
    F(RFDSCLEAR, "rfds-clear"),
};

static const struct {
    uint16_t feature;
    const char *name;
} aliases[] = {
    { X86F_SSE41, "sse4_1" },
    { X86F_SSE42, "sse4_2" },
    { X86F_CLFSH, "clfsh" },
    { X86F_PCLMUL, "pclmul" },
    { X86F_SSE3, "pni" },
    { X86F_TSCADJ, "tsc_adjust" },
    { X86F_LAHF, "lahf_lm" },
    { X86F_IBRS, "ibrs-ibpb" },
    { X86F_CX16, "cmpxchg16b" },
    { X86F_CX8, "cmpxchg8b" },
    { X86F_SHA, "sha-ni" },
};
/* clang-format on */

static bool same(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b)) {
            return false;
        }
    }
    return *a == *b;
}

int x86_feature_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (same(names[i].name, name)) {
            return names[i].feature;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (same(aliases[i].name, name)) {
            return aliases[i].feature;
        }
    }
    return -1;
}

const char *x86_feature_name(unsigned feature)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].feature == feature) {
            return names[i].name;
        }
    }
    return NULL;
}

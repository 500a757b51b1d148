/* SPDX-License-Identifier: MIT */
/* What the host CPU can execute of the guest's instruction set. */
#include "target-x86/features.h"
#include "target-x86/native.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint32_t host_feat[X86F_NWORDS];
static uint32_t host_xcr0;

static void __attribute__((constructor)) detect(void)
{
    unsigned a, b, c, d;

    __cpuid(1, a, b, c, d);
    host_feat[X86FW_1_EDX] = d;
    host_feat[X86FW_1_ECX] = c;
    if (c >> 27 & 1) {
        unsigned hi;
        __asm__ volatile("xgetbv" : "=a"(host_xcr0), "=d"(hi) : "c"(0));
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        host_feat[X86FW_7_0_EBX] = b;
        host_feat[X86FW_7_0_ECX] = c;
        host_feat[X86FW_7_0_EDX] = d;
    }
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        host_feat[X86FW_7_1_EAX] = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        host_feat[X86FW_80000001_EDX] = d;
        host_feat[X86FW_80000001_ECX] = c;
    }
    if ((host_xcr0 & 6) != 6) { /* no AVX state: nothing of VEX vectors */
        host_feat[X86FW_1_ECX] &= ~(1u << (X86F_AVX % 32) | 1u << (X86F_FMA % 32) |
                                    1u << (X86F_F16C % 32));
        host_feat[X86FW_7_0_EBX] &= ~(1u << (X86F_AVX2 % 32));
    }
    uint32_t base = 1u << (X86F_AVX512F % 32) | 1u << (X86F_AVX512DQ % 32) |
                    1u << (X86F_AVX512BW % 32) | 1u << (X86F_AVX512VL % 32);
    if ((host_xcr0 & 0xe6) != 0xe6 || (host_feat[X86FW_7_0_EBX] & base) != base) {
        /* no state of opmasks and ZMM, or a CPU with a part of AVX-512 only */
        host_feat[X86FW_7_0_EBX] &=
            ~(1u << (X86F_AVX512F % 32) | 1u << (X86F_AVX512DQ % 32) |
              1u << (X86F_AVX512IFMA % 32) | 1u << (X86F_AVX512CD % 32) |
              1u << (X86F_AVX512BW % 32) | 1u << (X86F_AVX512VL % 32));
        host_feat[X86FW_7_0_ECX] &=
            ~(1u << (X86F_AVX512VBMI % 32) | 1u << (X86F_AVX512VBMI2 % 32) |
              1u << (X86F_AVX512VNNI % 32) | 1u << (X86F_AVX512BITALG % 32) |
              1u << (X86F_AVX512VPOPCNT % 32));
        host_feat[X86FW_7_1_EAX] &= ~(1u << (X86F_AVX512BF16 % 32));
    }
}

void x86_host_pin(const uint32_t *feat)
{
    for (unsigned i = 0; i < X86F_NWORDS; i++) {
        host_feat[i] = feat[i];
    }
}

bool x86_host_has(unsigned feature)
{
    return !feature || host_feat[feature / 32] >> (feature % 32) & 1;
}

uint32_t x86_host_xcr0(void)
{
    return host_xcr0;
}

uint32_t x86_host_xsave_mask(void)
{
    return host_xcr0 & 7;
}
#else
void x86_host_pin(const uint32_t *feat) {}
bool x86_host_has(unsigned feature) { return false; }
uint32_t x86_host_xsave_mask(void) { return 0; }
uint32_t x86_host_xcr0(void) { return 0; }
#endif

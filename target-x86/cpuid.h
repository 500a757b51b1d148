/* SPDX-License-Identifier: MIT */
/* CPUID leaves synthesized from the vCPU's feature words and model. Leaf. */
#ifndef TARGET_X86_CPUID_H
#define TARGET_X86_CPUID_H

#include "target-x86/cpu.h"
#include "target-x86/models.h"

/* What CPUID returns now for EAX = leaf, ECX = sub: EAX, EBX, ECX, EDX. */
void x86_cpuid(const X86Cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4]);

static inline bool x86_cpu_is_amd(const X86Cpu *cpu)
{
    return cpu->vendor[0] == 'A';
}

/* XCR0 bits the vCPU supports. */
uint64_t x86_xcr0_mask(const X86Cpu *cpu);
/* Place of state component n (2..9) in X86Xsave; size 0: none such. */
typedef struct X86XsaveComp {
    uint16_t offset, size;
} X86XsaveComp;
extern const X86XsaveComp x86_xsave_comp[10];
enum { X86_XSAVE_MAX = 2688 + 8 }; /* bytes of an area with all of them */
/* Where the guest sees component n in the standard format: as in X86Xsave, unless an engine
 * that runs guest code on the host's own XSAVE set the host's places before the first vCPU
 * was made (0: as in X86Xsave). False: they do not fit into an area; nothing changed. */
extern uint16_t x86_xsave_offset[10];
bool x86_xsave_set_layout(const uint16_t offset[10]);
/* Bytes of an XSAVE area with these components; compact: XSAVEC's format. */
uint32_t x86_xsave_size(uint64_t components, bool compact);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * For tests of system instructions and event delivery: the flat world of
 * x86_flat_access.h with descriptor tables, a TSS and stacks in it.
 */
#ifndef TESTS_SYS_RIG_H
#define TESTS_SYS_RIG_H

#include "tests/unit/x86_flat_access.h"

enum {
    RIG_GDT = 0x30000, RIG_IDT = 0x31000, RIG_TSS = 0x32000, RIG_TSS2 = 0x32800,
    RIG_STACK0 = 0x34000, /* tops */
    RIG_IST = 0x36000, RIG_STACK3 = 0x38000, RIG_HANDLER = 0x39000, RIG_LDT = 0x3a000,
    RIG_USER = 0x3b000,
};
/* selectors */
enum {
    S_CODE32 = 0x08, S_DATA = 0x10, S_UCODE32 = 0x18, S_UDATA = 0x20, S_CODE64 = 0x28,
    S_UCODE64 = 0x30, S_TSS = 0x38 /* two slots */, S_ABSENT = 0x48, S_LDT = 0x50,
    S_GATE = 0x60 /* two slots */, S_TSS2 = 0x70, S_CONF = 0x78, S_RODATA = 0x80,
    S_CODE16 = 0x88, S_TASKGATE = 0x90, S_XONLY = 0x98, S_GDT_END = 0xa0,
};

/* flat_cpu plus tables; user = CPL 3 with S_U* segments. The IDT is empty. */
void rig_cpu(X86Cpu *cpu, enum FlatMode mode, bool user);
void rig_put(uint64_t at, unsigned size, uint64_t v);
uint64_t rig_get(uint64_t at, unsigned size);
/* IDT gates: type 0..15 with DPL; 8- or 16-byte by the mode rig_cpu was given. */
void rig_gate(unsigned vector, uint16_t sel, uint64_t off, unsigned type, unsigned dpl,
              unsigned ist);
/* Runs one instruction and, if it raises, delivers until nothing is pending. Returns the
 * vector of the first event, or FLAT_OK. */
int rig_step(X86Cpu *cpu, const void *bytes, unsigned n);
/* Delivers st.event (and what delivery raises). */
void rig_deliver(X86Cpu *cpu);
void rig_interrupt(X86Cpu *cpu, unsigned vector);

extern unsigned rig_triple_faults;

#endif

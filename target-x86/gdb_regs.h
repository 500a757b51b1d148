/* SPDX-License-Identifier: MIT */
/* Registers in the order and form of gdb's target descriptions. See hw/core/cpu.h. */
#ifndef TARGET_X86_GDB_REGS_H
#define TARGET_X86_GDB_REGS_H

#include "hw/core/cpu.h"

/* CpuOps.gdb_*; wide: the x86-64 description, else i386's. */
char *x86_gdb_xml(bool wide);
bool x86_gdb_wide(Cpu *cpu);
int x86_gdb_read(Cpu *cpu, bool wide, unsigned n, uint8_t *to);
int x86_gdb_write(Cpu *cpu, bool wide, unsigned n, const uint8_t *from, unsigned len);

#endif

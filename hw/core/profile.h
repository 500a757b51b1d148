/* SPDX-License-Identifier: MIT */
/*
 * -profile: a sampling profile of the guest. A host timer on each vCPU thread's own CPU
 * time sends it a signal about a thousand times a second; the handler asks the engine
 * where the guest is (CpuExecOps.sample), follows its stack and counts the stack in a table
 * of the thread's own. At the end the tables become FILE.folded and FILE.svg.
 *
 * Stacks: frame pointers where every return address proves to follow a CALL; else, for
 * code with symbols, the words of the stack that follow a CALL of the function below.
 */
#ifndef HW_CORE_PROFILE_H
#define HW_CORE_PROFILE_H

#include "hw/core/cpu.h"

struct Machine;

/* Before vCPU threads start: makes both files (so that a wrong path is told at once).
 * `file` lives until profile_finish. One machine per process. */
bool profile_start(struct Machine *m, const char *file, Error *err);
/* On a vCPU's own thread, first and last. */
void profile_thread_begin(Cpu *cpu);
void profile_thread_end(Cpu *cpu);
/* Writes the files. vCPU threads are joined, vCPUs exist; the guest's symbols are used up.
 * No effect without profile_start. */
bool profile_finish(Error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Kicks: the way to the next guest instruction boundary (native_step.c). Signal context. */
#ifndef TARGET_X86_NATIVE_STEP_H
#define TARGET_X86_NATIVE_STEP_H

#include "target-x86/native.h"

/* Behind the thunks, for each of the first vCPUs: a copy of host code, then its branches'
 * targets. */
enum { STEP_SLOTS = 64, STEP_SLOT = 128, STEP_COPY = 98, STEP_PAD = 100 };

#if defined(__x86_64__)
#include <ucontext.h>

/* A host RIP, at which signal `sig` hit, in the vCPU's copy becomes the original's; false: it
 * is not in there. */
bool x86_step_home(X86Cpu *cpu, int sig, greg_t *rip);
/* Does a CALL, RET or JMP at RIP for the host; false: it is none. */
bool x86_step_branch(X86Cpu *cpu, greg_t *g);
/* Lets the host run a copy of what lies between RIP and code offset `stop`, or of its
 * beginning; SIGTRAP comes behind it. False: there is no copy. */
bool x86_step_copy(X86Cpu *cpu, greg_t *g, uint32_t stop);
#endif

#endif

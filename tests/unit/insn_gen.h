/* SPDX-License-Identifier: MIT */
/*
 * Random encodings of an instruction row in 64-bit or 32-bit mode, for tests that judge
 * reference functions or translated code by the host CPU.
 */
#ifndef TESTS_INSN_GEN_H
#define TESTS_INSN_GEN_H

#include "target-x86/insn.h"

/* xorshift64*; seed must not be 0 */
uint64_t gen_rand(void);
void gen_seed(uint64_t seed);
uint64_t gen_value(void); /* a 64-bit value, often one with interesting bits */

/* VEX.W and EVEX.W may be 1 outside 64-bit mode, too (makers differ there). */
extern bool gen_w_everywhere;

/* Encodes `row` with random operands into bytes[15] and decodes it into *in. Memory
 * operands use base and index registers other than rSP; no RIP-relative form. Returns the
 * length, or 0 if this try does not decode to the row (unencodable combination). */
unsigned gen_insn(const X86Row *row, uint8_t bytes[15], X86Insn *in, uint32_t hflags,
                  const uint32_t *feat);

/* Sets base and index registers of a memory operand in gpr[] so that it addresses `to`.
 * Clobbers what was there. False if it cannot. */
bool gen_point(const X86Insn *in, uint64_t gpr[16], uint64_t to);

#endif

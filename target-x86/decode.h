/* SPDX-License-Identifier: MIT */
/* The decoder's start-up; x86_decode() itself is declared in insn.h. */
#ifndef TARGET_X86_DECODE_H
#define TARGET_X86_DECODE_H

#include "target-x86/insn.h"

/* Builds the opcode index from x86_row_tables[]. Call before the first x86_decode(); safe
 * to call again and from several threads. Leaf. */
void x86_decode_init(void);

#endif

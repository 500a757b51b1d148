/* SPDX-License-Identifier: MIT */
/* Host code at the start of the code buffer (thunks.c). */
#ifndef TARGET_X86_THUNKS_H
#define TARGET_X86_THUNKS_H

#include "tcg/x86/enc.h"

/* Offsets in the buffer. */
typedef struct Thunks {
    uint32_t syscall, sysret, string; /* template_sys.c */
    uint32_t enter, leave, mem, exec, miss, chain_h, chain_e, guard, stub, save;
    uint32_t ret_miss, ret_empty; /* returns.h */
    uint32_t steps; /* slots for copies (native_step.h), not code of a thunk */
    uint32_t zmm_save, zmm_load, zmm_load_high; /* void (X86Xsave *); 0: host has no AVX-512 */
} Thunks;
extern Thunks x86_thunks;

/* Ways out of a block's code other than an exit's, which have its number (Thunks.stub). A wrong
 * guess: bits 7..0 by how much r11 was rotated right, 14..10 the register as in MEM_GUESS,
 * 24..16 the site's offset in the block, 30..25 the instruction that begins again. */
enum { STUB_EXITS = 24, STUB_HOT = 64, STUB_GUARD, STUB_GUESS = 0x8000 };

void x86_thunks_emit(Enc *e);
/* Around each call of C: C's FS base (clobbers r10 and flags), and generated code's. */
void tmpl_fs_to_c(Enc *e);
void tmpl_fs_from_c(Enc *e);
/* From generated code's stack to C's, and back (all but rsp kept; the first one's caller has
 * popped its own return address: tmpl_stack_return goes there). */
void tmpl_stack_to_c(Enc *e);
void tmpl_stack_from_c(Enc *e);
void tmpl_stack_return(Enc *e);
/* Jumps to the guest PC in r11, flags in env, by the hash; call: calls it. */
void tmpl_hash_jump(Enc *e, bool call);
/* Those of template_sys.c; after the others. */
void tmpl_sys_thunks(Enc *e);

#endif

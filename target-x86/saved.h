/* SPDX-License-Identifier: MIT */
/*
 * Translations kept from run to run (docs/saved.md). A block's host code does not depend on
 * where its guest code lies in RAM or in the address space, but for a few fields; so a block
 * that was made in an earlier run from the same bytes is copied from the file (tcg/tb_disk.h)
 * in a third of the time. The bytes are compared, never trusted.
 */
#ifndef TARGET_X86_SAVED_H
#define TARGET_X86_SAVED_H

#include <stdio.h>
#include "target-x86/engine.h"
#include "tcg/x86/enc.h"

/* What the translator notes of the block that it makes (the cache's lock): the fields that
 * depend on where code and description are. */
enum { SAVED_POINTERS = 256 };
typedef struct SavedNotes {
    EncNotes fields;
    unsigned npointers;
    uint32_t pointer[SAVED_POINTERS]; /* 32-bit addresses in the block's description */
    uint32_t cold_from, cold_to;      /* out-of-line code, code offsets */
} SavedNotes;

/* NULL: nothing is kept. */
extern SavedNotes *x86_saved_notes;

/* dir: where the file is, "off" or NULL: nowhere, "auto": the user's cache directory. After
 * the engine's options are set; nothing is opened before the first block is made. */
void x86_saved_init(const char *dir);
void x86_saved_finish(void);
/* The options have changed: what was made under others is of no use. Lock not held. */
void x86_saved_stop(void);

/* A block that is looked for: the bytes at RAM address ram_addr, in a page that is watched. */
typedef struct SavedAt {
    const uint8_t *bytes;
    uint64_t ram_addr, hash;
    uint32_t mode;
    bool large;
} SavedAt;

/* May there be such a block? Then *at is what the others want, and memory is asked for. Lock
 * held, as for the others. */
bool x86_saved_look(X86Cpu *cpu, TbCache *c, const uint8_t *bytes, uint64_t ram_addr,
                    bool large, uint32_t mode, SavedAt *at);
void x86_saved_next(const SavedAt *at); /* a hint: brought after the one that is now */
/* The block, or NULL. To be published by tb_insert; who does that looks whether the bytes are
 * still those in *made_from (tb->size of them, good until the next is brought). *full: there is
 * no room. */
Tb *x86_saved_bring(TbCache *c, const SavedAt *at, X86Need need, const uint8_t **made_from,
                    bool *full);
/* Keeps the block that was just made of insns, the first bytes of snap (which has `have`),
 * before anybody can run it; again: what was kept of it in this run is less. Lock held. */
void x86_saved_add(X86Cpu *cpu, TbCache *c, const Tb *tb, const X86Insn *insns,
                   const uint8_t *snap, unsigned have, bool again);
/* The block at this key was dropped because what its code takes for granted was wrong: made
 * anew when it is needed next. Leaf, racy. */
void x86_saved_wrong(uint64_t key);
/* For -d stats. */
void x86_saved_info(FILE *f);

#endif

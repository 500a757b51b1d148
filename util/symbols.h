/* SPDX-License-Identifier: MIT */
/*
 * Names of guest addresses, from a System.map ("ADDRESS TYPE NAME" lines) or the symbol
 * table of an ELF file (32 or 64 bits, little endian). One table per process, filled before
 * vCPUs run and only read afterwards, but for the slide. The files are hostile.
 */
#ifndef UTIL_SYMBOLS_H
#define UTIL_SYMBOLS_H

#include "util/compiler.h"
#include "util/error.h"

/* Adds a file's symbols; may be called again for another file. */
bool symbols_load(const char *path, Error *err);
/* The last symbol at or below addr, *off bytes behind it; NULL: none, or it is further than
 * 1 MiB away. */
const char *symbols_find(uint64_t addr, uint64_t *off);
/* Address of a name as the file has it (no slide), absolute ones (type A) too; false: not
 * there. */
bool symbols_address(const char *name, uint64_t *addr);
/* How far the guest has moved itself from where the file says (KASLR): taken off every
 * address that is looked up. */
void symbols_set_slide(uint64_t slide);
/* Linux: the slide follows from MSR LSTAR, which holds entry_SYSCALL_64. No effect if the
 * file does not have that name or lstar is 0. */
void symbols_slide_by_lstar(uint64_t lstar);
/* "name+0x12" or "" into buf; returns buf. */
const char *symbols_text(uint64_t addr, char *buf, size_t n);
void symbols_free(void);

#endif

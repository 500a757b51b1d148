/* SPDX-License-Identifier: MIT */
/*
 * Disassembly for logs and the monitor, on capstone. Thread-safe; heavy. The only user
 * of capstone's header is disas.c.
 */
#ifndef UTIL_DISAS_H
#define UTIL_DISAS_H

#include <stdio.h>
#include "util/compiler.h"

/* Prints one line per instruction: "ADDRESS:  BYTES  TEXT". mode is 16, 32 or 64; addr
 * is the address of bytes[0]. A byte that is no instruction prints as "(bad)". */
void disas(FILE *f, const uint8_t *bytes, size_t n, uint64_t addr, int mode);

/* The same for at most `count` instructions. Returns the bytes used; an instruction cut
 * short by the end of bytes is not printed unless it is the first. */
size_t disas_count(FILE *f, const uint8_t *bytes, size_t n, uint64_t addr, int mode,
                   unsigned count);

/* One instruction's text alone, "(bad)" if it is none; its length or 0. */
size_t disas_one(const uint8_t *bytes, size_t n, uint64_t addr, int mode, char *text,
                 size_t size);

#endif

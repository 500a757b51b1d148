/* SPDX-License-Identifier: MIT */
/*
 * Fuzz targets: a target is one function of a byte string, which may not crash, hang or
 * trip a sanitizer whatever the bytes are. fuzz.c has main(): it makes byte strings from
 * the seeds by mutation, keeps those that reach new code (gcc's -fsanitize-coverage=
 * trace-pc, if built so), and writes the one that breaks to a file. A target has the
 * interface of LLVM's libFuzzer too (fuzz_one is LLVMFuzzerTestOneInput).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_MAX = 65536 }; /* bytes of an input */

extern const char *const fuzz_name;
/* Once. */
void fuzz_init(void);
/* Seed i into buf (FUZZ_MAX bytes): its length, 0 = there is none. */
size_t fuzz_seed(unsigned i, uint8_t *buf);
void fuzz_one(const uint8_t *data, size_t n);

#endif

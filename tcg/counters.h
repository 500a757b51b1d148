/* SPDX-License-Identifier: MIT */
/*
 * The translator's counters as rows: `info jit` and `-d stats` print whatever is listed
 * here. A counter is a uint64_t that only one thread writes (a vCPU's own, or the holder
 * of the cache's lock); readers may see it a moment late. Nothing is counted where a hit
 * in generated code would pay for it.
 */
#ifndef TCG_COUNTERS_H
#define TCG_COUNTERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Counter {
    const char *name;
    size_t off;       /* of the uint64_t in the struct */
    const char *help; /* one line: what an event of it is */
} Counter;

extern const Counter tcg_env_counters[];  /* of a TcgEnv; NULL-ended */
extern const Counter tb_cache_counters[]; /* of a TbCache; NULL-ended */

/* One line per row: the sum over the n structs, each one's share if there are several,
 * the help text. */
void counters_print(FILE *f, const Counter *rows, const void *const *of, unsigned n);

#endif

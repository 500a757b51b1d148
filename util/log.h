/* SPDX-License-Identifier: MIT */
/*
 * The -d log: items selected by name, an output file, an address filter. Items are
 * rows of one table in log.c; `-d help` prints it. Thread-safe. Never call from leaf
 * code (see target-x86/leaf.h).
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"

enum {
    LOG_IN_ASM = 1 << 0,       /* guest code as translated */
    LOG_OP = 1 << 1,           /* IR */
    LOG_OUT_ASM = 1 << 2,      /* host code */
    LOG_INT = 1 << 3,          /* interrupts and exceptions */
    LOG_EXEC = 1 << 4,         /* each block entered */
    LOG_MMU = 1 << 5,          /* TLB fills, page faults, flushes */
    LOG_GUEST_ERRORS = 1 << 6, /* what a guest did wrong */
    LOG_UNIMP = 1 << 7,        /* what dyad does not model */
    LOG_CPU_RESET = 1 << 8,
    LOG_STATS = 1 << 9,        /* counters at exit */
    LOG_BRANCHES = 1 << 10,    /* record the last branches; slows translated code down */
};

extern uint32_t log_mask; /* read freely; written by log_set_* only */

static inline bool log_on(uint32_t item) { return unlikely(log_mask & item); }

/* "in_asm,int" or "help" items; names are checked. */
bool log_set_items(const char *list, Error *err);
bool log_set_file(const char *path, Error *err);
/* "0x1000..0x2000,0x8000+0x100": blocks outside are not logged. */
bool log_set_filter(const char *ranges, Error *err);
bool log_in_filter(uint64_t addr);
void log_help(FILE *f);

void log_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A block of lines that must stay together. */
FILE *log_lock(void);
void log_unlock(FILE *f);

/* One line, "guest error: WHO: WHAT\n"; fmt is "WHO: WHAT\n", WHO a device's path or its
 * class. */
#define log_guest_error(...)                          \
    do {                                              \
        if (log_on(LOG_GUEST_ERRORS)) {               \
            log_printf("guest error: " __VA_ARGS__);  \
        }                                             \
    } while (0)
#define log_unimp(...)                     \
    do {                                   \
        if (log_on(LOG_UNIMP)) {           \
            log_printf(__VA_ARGS__);       \
        }                                  \
    } while (0)

#endif

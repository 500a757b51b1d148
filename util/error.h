/* SPDX-License-Identifier: MIT */
/*
 * Errors as values. A function that can fail for a reason the caller should hear
 * returns bool (true = fine) and fills an Error that lives on the caller's stack.
 * Whoever handles it reports it; nobody else prints.
 */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include "util/compiler.h"

typedef struct Error {
    char *msg; /* owned; NULL = no error */
} Error;

#define ERROR_INIT { NULL }

/* Sets the message (replacing an older one). Returns false, so that
 * `return error_set(err, ...)` reads well. err is never NULL. */
bool error_set(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts text before the message. No effect if no error is set. */
void error_prefix(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Whether messages begin with the time; off at first. */
void error_set_timestamps(bool on);

/* Prints "dyad: MESSAGE\n" on stderr and frees the message. */
void error_report(Error *err);

void error_free(Error *err);

/* Nearest of the NULL-terminated `names` to `word` by edit distance, or NULL if
 * nothing is near (distance over a third of the length, at least 2). */
const char *nearest_match(const char *word, const char *const *names);

/* The standard complaint about a bad value, one line:
 *   "OPTION: VALUE is not accepted: expected one of a, b, c; did you mean 'b'?" */
bool error_set_choice(Error *err, const char *option, const char *value,
                      const char *const *names);

/* Prints "dyad: warning: ...". */
void warn_report(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif

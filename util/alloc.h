/* SPDX-License-Identifier: MIT */
/*
 * Allocation. xalloc* abort on exhaustion and are for small fixed sizes; try_alloc
 * is for sizes that a user or the guest chose and returns NULL.
 */
#ifndef UTIL_ALLOC_H
#define UTIL_ALLOC_H

#include "util/compiler.h"

void *xalloc(size_t size);              /* zeroed */
void *xalloc_aligned(size_t align, size_t size); /* zeroed; free() it */
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
void *try_alloc(size_t size) MUST_USE;  /* zeroed or NULL */

/* Zeroed memory in a mapping of its own, which costs nothing until it is touched. Aborts on
 * exhaustion. */
void *xmap(size_t size);
void xunmap(void *p, size_t size); /* NULL is allowed */

#define NEW(type) ((type *)xalloc(sizeof(type)))
#define NEW_ARRAY(type, n) ((type *)xalloc(sizeof(type) * (n)))

#endif

/* SPDX-License-Identifier: MIT */
/* Allocation that cannot fail (small things) or may fail (sizes a user chose). */
#include "util/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static NORETURN void out_of_memory(size_t size)
{
    fprintf(stderr, "dyad: out of memory (%zu bytes)\n", size);
    abort();
}

void *xalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) {
        out_of_memory(size);
    }
    return p;
}

void *xalloc_aligned(size_t align, size_t size)
{
    void *p = NULL;
    if (posix_memalign(&p, MAX(align, sizeof(void *)), size ? size : 1) != 0) {
        out_of_memory(size);
    }
    memset(p, 0, size);
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q) {
        out_of_memory(size);
    }
    return q;
}

char *xstrdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(xalloc(n), s, n);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0) {
        out_of_memory(0);
    }
    return s;
}

void *try_alloc(size_t size)
{
    return calloc(1, size ? size : 1);
}

void *xmap(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        abort();
    }
    return p;
}

void xunmap(void *p, size_t size)
{
    if (p) {
        munmap(p, size);
    }
}

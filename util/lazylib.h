/* SPDX-License-Identifier: MIT */
/*
 * Shared libraries opened at first use: what a run does not need costs it neither start-up
 * time nor memory (a window's libraries alone are fifty). A user lists its functions once:
 *
 *     #define PNG_FNS(F) F(png_write_row) F(png_write_end)
 *     static struct { PNG_FNS(LAZY_FIELD) } png_fns;
 *     static const char *const png_names[] = { PNG_FNS(LAZY_NAME) NULL };
 *     static LazyLib png_lib = { SONAME_PNG, png_names, (void **)&png_fns, false };
 *
 * and calls png_fns.png_write_row(...) after lazylib_load. Never closed. No lock: the
 * caller's.
 */
#ifndef UTIL_LAZYLIB_H
#define UTIL_LAZYLIB_H

#include "util/compiler.h"
#include "util/error.h"

#define LAZY_FIELD(fn) __typeof__(fn) *fn;
#define LAZY_TEXT(fn) #fn
#define LAZY_NAME(fn) LAZY_TEXT(fn), /* a macro's name: what it stands for */

typedef struct LazyLib {
    const char *file;         /* the library's SONAME, from configure */
    const char *const *names; /* NULL-ended */
    void **fns;               /* filled in the order of names */
    bool loaded;
} LazyLib;

/* True if every function is there (now or since earlier). */
bool lazylib_load(LazyLib *l, Error *err);

#endif

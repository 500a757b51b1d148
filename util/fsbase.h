/* SPDX-License-Identifier: MIT */
/*
 * Generated code that uses the host's FS base for itself. C code finds its thread's data
 * (errno, thread locals) through FS, so that code puts C's FS back before it calls any; a
 * signal that arrives in between finds the other one. Signal handlers of threads that run
 * generated code begin with fsbase_signal_begin and end with fsbase_signal_end, in a
 * function of their own that uses no thread locals (FSBASE_HANDLER) and calls the rest out
 * of line.
 */
#ifndef UTIL_FSBASE_H
#define UTIL_FSBASE_H

#include "util/compiler.h"

#if defined(__x86_64__)

/* May programs use RDFSBASE and its like (Linux 5.9, CPUID.7.EBX bit 0)? */
bool fsbase_usable(void);

static inline uint64_t fsbase_read(void)
{
    uint64_t v;
    __asm__ volatile("rdfsbase %0" : "=r"(v));
    return v;
}
static inline void fsbase_write(uint64_t v)
{
    __asm__ volatile("wrfsbase %0" : : "r"(v) : "memory");
}

/* Generated code lies at code, size bytes; *fs is C's FS base of the thread that runs it.
 * Code that is known already gets the new size. False: too many. Not from two threads at
 * once. */
MUST_USE bool fsbase_code_add(const void *code, size_t size, const uint64_t *fs);
/* No code there any more; unknown ones are ignored. */
void fsbase_code_remove(const void *code);

#if defined(__clang__) || __GNUC__ >= 11
#define FSBASE_HANDLER \
    NOINLINE __attribute__((no_stack_protector, no_sanitize_address, no_sanitize_undefined))
#else
#define FSBASE_HANDLER \
    NOINLINE __attribute__((no_sanitize_address, no_sanitize_undefined))
#endif
/* The signal's thread has C's FS from here on; what to give to fsbase_signal_end. */
uint64_t fsbase_signal_begin(const void *ucontext);
void fsbase_signal_end(uint64_t before);

#else

#define FSBASE_HANDLER NOINLINE
static inline uint64_t fsbase_signal_begin(const void *ucontext) { return 0; }
static inline void fsbase_signal_end(uint64_t before) {}
static inline void fsbase_code_remove(const void *code) {}

#endif

#endif

/* SPDX-License-Identifier: MIT */
/* What an AddressSanitizer build needs that others do not. */
#ifndef UTIL_ASAN_H
#define UTIL_ASAN_H

#if defined(__has_feature)
#define ASAN_BUILD __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define ASAN_BUILD 1
#else
#define ASAN_BUILD 0
#endif

#if ASAN_BUILD
/* Called, if set, on any thread before a call that does not return. Set once, before
 * other threads run. */
extern void (*asan_before_no_return)(void);
#endif

#endif

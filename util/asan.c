/* SPDX-License-Identifier: MIT */
/*
 * AddressSanitizer and code that may not touch vector registers. Before a call that does
 * not return the compiler calls __asan_handle_no_return(), which clears the stack's
 * shadow with libc's memset, hence with vector registers; leaf code (target-x86/leaf.h)
 * has the guest's in them. configure --enable-asan links with
 * --wrap=__asan_handle_no_return, so that they can be saved first.
 */
#include "util/asan.h"

#if ASAN_BUILD

void (*asan_before_no_return)(void);

void __real___asan_handle_no_return(void);
void __wrap___asan_handle_no_return(void);

void __wrap___asan_handle_no_return(void)
{
    if (asan_before_no_return) {
        asan_before_no_return();
    }
    __real___asan_handle_no_return();
}

#endif

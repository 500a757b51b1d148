/* SPDX-License-Identifier: MIT */
/* See fsbase.h. */
#include "util/fsbase.h"

#if defined(__x86_64__)
#include <stdatomic.h>
#include <sys/auxv.h>
#include <ucontext.h>

enum { HWCAP2_FSGSBASE_BIT = 2, MOST = 256 };

static struct {
    _Atomic uintptr_t code;
    _Atomic size_t size; /* 0: free */
    const uint64_t *fs;
} known[MOST];
static _Atomic unsigned n_known;

bool fsbase_usable(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT;
}

bool fsbase_code_add(const void *code, size_t size, const uint64_t *fs)
{
    unsigned at = n_known;

    for (unsigned i = 0; i < n_known; i++) {
        if (known[i].code == (uintptr_t)code && known[i].size) {
            at = i;
            break;
        }
        at = known[i].size ? at : i;
    }
    if (at == MOST) {
        return false;
    }
    known[at].size = 0;
    known[at].code = (uintptr_t)code;
    known[at].fs = fs;
    known[at].size = size; /* sequentially consistent: a handler sees all of it */
    n_known = MAX(n_known, at + 1);
    return true;
}

void fsbase_code_remove(const void *code)
{
    for (unsigned i = 0; i < n_known; i++) {
        if (known[i].code == (uintptr_t)code) {
            known[i].size = 0;
        }
    }
}

FSBASE_HANDLER uint64_t fsbase_signal_begin(const void *ucontext)
{
    const ucontext_t *uc = ucontext;
    uintptr_t rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

    for (unsigned i = 0; i < n_known; i++) {
        if (rip - known[i].code < known[i].size && *known[i].fs) {
            uint64_t before = fsbase_read();
            fsbase_write(*known[i].fs);
            return before;
        }
    }
    return 0;
}

FSBASE_HANDLER void fsbase_signal_end(uint64_t before)
{
    if (before) {
        fsbase_write(before);
    }
}

#endif

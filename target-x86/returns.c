/* SPDX-License-Identifier: MIT */
/* Memory of the stack of guest calls (returns.h). Heavy. */
#include "target-x86/returns.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "util/alloc.h"

enum {
    GUARD = 4096,
    BYTES = 64 * KiB, /* 16 each call */
    END = 256,        /* entries that are never taken off: ret_miss looks ahead */
    ALL = GUARD + BYTES + END
};

bool returns_init(X86Cpu *cpu, uint64_t empty, Error *err)
{
    TcgEnv *env = x86_env(cpu);
    char *p = xmap(ALL);

    if (mprotect(p, GUARD, PROT_NONE) < 0) {
        xunmap(p, ALL);
        return error_set(err, "no guard page for a stack: %s", strerror(errno));
    }
    env->ret_guard = (uint64_t)p;
    env->ret_base = (uint64_t)p + GUARD + BYTES;
    for (uint64_t *e = (uint64_t *)env->ret_base; (char *)e < p + ALL; e += 2) {
        e[0] = empty;
        e[1] = JMP_EMPTY;
    }
    returns_empty(env);
    return true;
}

void returns_free(X86Cpu *cpu)
{
    TcgEnv *env = x86_env(cpu);

    if (env->ret_guard) {
        xunmap((void *)env->ret_guard, ALL);
        env->ret_guard = 0;
    }
}

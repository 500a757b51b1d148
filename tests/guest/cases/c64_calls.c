/* SPDX-License-Identifier: MIT */
/*
 * Calls and returns that do not pair, or nest deeper than any predictor: engines may pair
 * them (target-x86/returns.h), programs need not. SDM vol. 2, CALL, RET.
 */
#include "lib.h"

enum { DEPTH = 60000 };
static u64 deep_stack[DEPTH + 64];

/* DEPTH calls within each other; counts the returns. */
static u64 nested(u64 depth)
{
    u64 n;
    __asm__ volatile("mov %%rsp, %%rbx\n\tmov %2, %%rsp\n\txor %%eax, %%eax\n\t"
                     "call 1f\n\tmov %%rbx, %%rsp\n\tjmp 3f\n"
                     "1:\tdec %%rcx\n\tjz 2f\n\tcall 1b\n"
                     "2:\tinc %%rax\n\tret\n3:"
                     : "=&a"(n), "+c"(depth)
                     : "r"(deep_stack + DEPTH + 63)
                     : "rbx", "memory");
    return n;
}

/* Calls that never return: the address is taken off the stack. */
static u64 popped(u64 times)
{
    u64 sum = 0;
    __asm__ volatile("lea -256(%%rsp), %%rsp\n"
                     "1:\tcall 2f\n2:\tpop %%rdx\n\tadd $2, %0\n\tdec %1\n\tjnz 1b\n\t"
                     "lea 256(%%rsp), %%rsp"
                     : "+r"(sum), "+r"(times)
                     :
                     : "rdx", "memory");
    return sum;
}

/* A callee that changes where it returns to: one instruction further, each other time. */
static u64 moved(u64 times)
{
    u64 sum = 0;
    __asm__ volatile("lea -256(%%rsp), %%rsp\n"
                     "1:\tcall 2f\n\tadd $1, %0\n\tadd $100, %0\n\tdec %1\n\tjnz 1b\n\tjmp 4f\n"
                     "2:\ttest $1, %b1\n\tjz 3f\n\taddq $4, (%%rsp)\n3:\tret\n"
                     "4:\tlea 256(%%rsp), %%rsp"
                     : "+r"(sum), "+q"(times)
                     :
                     : "memory");
    return sum;
}

/* Seven calls deep, then back to the first one's caller at once, as longjmp does; its return
 * and those of its callers must still arrive. */
static u64 jumped(u64 times)
{
    u64 sum = 0;
    __asm__ volatile("lea -256(%%rsp), %%rsp\n"
                     "1:\tcall 2f\n\tadd $1, %0\n\tdec %1\n\tjnz 1b\n\tjmp 6f\n"
                     "2:\tcall 3f\n\tadd $10, %0\n\tret\n"
                     "3:\tmov %%rsp, %%rbx\n\tmov $7, %%edx\n\tcall 4f\n\tud2\n"
                     "4:\tdec %%edx\n\tjz 5f\n\tcall 4b\n\tud2\n"
                     "5:\tmov %%rbx, %%rsp\n\tadd $1000, %0\n\tret\n"
                     "6:\tlea 256(%%rsp), %%rsp"
                     : "+r"(sum), "+r"(times)
                     :
                     : "rbx", "rdx", "memory");
    return sum;
}

void calls(void)
{
    for (unsigned i = 0; i < 3; i++) {
        check("60,000 nested calls", nested(DEPTH), DEPTH);
    }
    check("return addresses that are popped", popped(20000), 40000);
    check("nested calls behind them", nested(5000), 5000);
    check("returns that were moved", moved(2000), 1000 * 101 + 1000 * 100);
    check("calls left by a jump", jumped(2000), 2000 * 1011);
    check("nested calls behind that", nested(DEPTH), DEPTH);
}

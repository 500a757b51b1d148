/* SPDX-License-Identifier: MIT */
/*
 * A kick (SIGUSR1) that hits the engine's C code, not generated code, only leaves its mark in
 * exit_request: wherever C is, somebody must look at it before chained blocks run, which never
 * do. Here it comes while the engine's loop builds a block for itself, after the loop has
 * looked and before it enters generated code.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "target-x86/native.h"
#include "target-x86/tcg_ops.h"
#include "tests/unit/engine_rig.h"

/* Pages of their own: building the first block in one that was stored to calls protect_page. */
enum { FIRST = CODE, LOOP = CODE + 0x1000, SECOND = CODE + 0x2000, END = CODE + 0x3000 };
enum { FEW = 1000 };
#define MANY 1000000000ull /* if nobody looks: a fraction of a second, and the test fails */

static const uint8_t *kick_at; /* host page; NULL: no more */
static unsigned kicks;

static void protect_page(void *opaque, const uint8_t *host_page)
{
    x86_tcg_ops.protect_page(cpu, host_page);
    if (kick_at && host_page == kick_at) { /* as cpu_request does, from another thread */
        kick_at = NULL;
        kicks++;
        atomic_fetch_or(&cpu->cpu.request, CPU_REQ_STOP);
        atomic_store(&cpu->cpu.exit_request, 1);
        raise(SIGUSR1);
    }
}

/* mov rcx, rounds; mov rdx, then; mov rax, LOOP; jmp rax */
static void put_begin(uint64_t at, uint64_t rounds, uint64_t then)
{
    uint8_t *p = mem(at);
    static const uint8_t mov[3][2] = { { 0x48, 0xb9 }, { 0x48, 0xba }, { 0x48, 0xb8 } };
    const uint64_t v[3] = { rounds, then, LOOP };

    for (unsigned i = 0; i < 3; i++, p += 10) {
        memcpy(p, mov[i], 2);
        memcpy(p + 2, &v[i], 8);
    }
    memcpy(p, "\xff\xe0", 2);
}

/* The loop's blocks are chained and in the hash. The MOV to SS has JMP RDX executed by the loop
 * of the engine, which then looks for the block there. */
static void put_code(void)
{
    static const uint8_t loop[] = {
        0x48, 0xff, 0xc9, /* dec rcx */
        0x75, 0xfb,       /* jnz LOOP */
        0x41, 0x8e, 0xd0, /* mov ss, r8d */
        0xff, 0xe2,       /* jmp rdx */
    };
    put_begin(FIRST, FEW, SECOND);
    put_begin(SECOND, MANY, END);
    memcpy(mem(LOOP), loop, sizeof(loop));
    memcpy(mem(END), "\xe6\xf4\xeb\xfe", 4); /* out 0f4h, al; jmp $ */
}

static void run(uint64_t kick_page)
{
    X86State st;

    kicks = 0;
    put_code();
    base_state(&st);
    start_from(&st);
    kick_at = mem(kick_page);
    x86_engine.cache->page_flags[kick_page >> 12] |= TCG_PAGE_STORED;
    take_signals();
    run_native();
}

static void kick_before_entry(void **state)
{
    run(SECOND);
    assert_int_equal(kicks, 1);
    assert_true(cpu->st.rip == SECOND);
    assert_true(cpu->st.gpr[R_CX] == 0);
    /* and from there it goes on, to the end */
    put_begin(SECOND, FEW, END);
    tb_invalidate(x86_engine.cache, SECOND, 16, &cpu->cpu);
    atomic_store(&cpu->cpu.request, 0);
    run_native();
    assert_true(cpu->st.rip == END + 2);
    assert_true(cpu->st.gpr[R_CX] == 0);
}

static int setup_kicks(void **state)
{
    if (setup(state)) {
        return -1;
    }
    x86_engine.cache->ops.protect_page = protect_page;
    return 0;
}

int main(void)
{
#if !defined(__x86_64__)
    return 77; /* no generated code */
#endif
    const struct CMUnitTest tests[] = { cmocka_unit_test(kick_before_entry) };
    return cmocka_run_group_tests(tests, setup_kicks, teardown);
}

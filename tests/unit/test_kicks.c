/* SPDX-License-Identifier: MIT */
/*
 * A kick (SIGUSR1) that hits the engine's C code, not generated code, only leaves its mark in
 * exit_request: wherever C is, somebody must look at it before chained blocks run, which never
 * do. Here it comes while the engine's loop builds a block for itself, after the loop has
 * looked and before it enters generated code.
 *
 * One that hits generated code ends at the next boundary of guest instructions. Here it comes
 * at each host instruction in turn: an INT3 there stands for it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "target-x86/leaf.h"
#include "target-x86/native_step.h"
#include "target-x86/tcg_ops.h"
#include "target-x86/thunks.h"
#include "tcg/codebuf.h"
#include "tcg/tb_int.h"
#include "tests/unit/engine_rig.h"

/* Pages of their own: building the first block in one that was stored to calls protect_page. */
enum { FIRST = CODE, LOOP = CODE + 0x1000, SECOND = CODE + 0x2000, END = CODE + 0x3000 };
enum { FEW = 1000 };
#define MANY 1000000000ull /* if nobody looks: a fraction of a second, and the test fails */

static const uint8_t *kick_page; /* host page; NULL: no more */
static unsigned kicks;

static void protect_page(void *opaque, const uint8_t *host_page)
{
    x86_tcg_ops.protect_page(cpu, host_page);
    if (kick_page && host_page == kick_page) { /* as cpu_request does, from another thread */
        kick_page = NULL;
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

static void run(uint64_t page)
{
    X86State st;

    kicks = 0;
    put_code();
    base_state(&st);
    start_from(&st);
    kick_page = mem(page);
    x86_engine.cache->page_flags[page >> 12] |= TCG_PAGE_STORED;
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

/* ---- at each host instruction ---- */

#if defined(__x86_64__)
enum { EACH = CODE + 0x4000, EACH_END = EACH + 0x3f };
static const uint8_t each_code[] = {
    0xb9, 3, 0, 0, 0,                   /* 00 mov ecx, 3 */
    0xba, 7, 0, 0, 0,                   /* 05 mov edx, 7 */
    0x31, 0xc0,                         /* 0a xor eax, eax */
    0x51,                               /* 0c push rcx */
    0x48, 0x8b, 0x1c, 0x24,             /* 0d mov rbx, [rsp] */
    0x48, 0x01, 0xd3,                   /* 11 add rbx, rdx */
    0xe8, 0x37, 0, 0, 0,                /* 14 call 50 */
    0x5e,                               /* 19 pop rsi */
    0x48, 0x11, 0xf0,                   /* 1a adc rax, rsi */
    0x9c,                               /* 1d pushf */
    0x5f,                               /* 1e pop rdi */
    0x81, 0xe7, 0xd5, 8, 0, 0,          /* 1f and edi, 8d5 */
    0x48, 0x01, 0xf8,                   /* 25 add rax, rdi */
    0xf2, 0x48, 0x0f, 0x2a, 0xc0,       /* 28 cvtsi2sd xmm0, rax */
    0xf2, 0x0f, 0x59, 0xc0,             /* 2d mulsd xmm0, xmm0 */
    0xf2, 0x4c, 0x0f, 0x2c, 0xc8,       /* 31 cvttsd2si r9, xmm0 */
    0x4c, 0x31, 0xca,                   /* 36 xor rdx, r9 */
    0xff, 0xc9,                         /* 39 dec ecx */
    0x75, 0xcf,                         /* 3b jne 0c */
    0xe6, 0xf4,                         /* 3d out f4, al */
    0xeb, 0xfe,                         /* 3f jmp 3f */
    [0x50] = 0x48, 0x6b, 0xdb, 3,       /* 50 imul rbx, rbx, 3 */
    0x49, 0x89, 0x1a,                   /* 54 mov [r10], rbx */
    0x49, 0xc1, 0x02, 5,                /* 57 rol qword [r10], 5 */
    0x41, 0xff, 0x62, 8,                /* 5b jmp [r10 + 8] */
    [0x60] = 0x49, 0x2b, 0x02,          /* 60 sub rax, [r10] */
    0x41, 0x0f, 0x92, 0xc0,             /* 63 setb r8b */
    0x4c, 0x0f, 0x42, 0xcb,             /* 67 cmovb r9, rbx */
    0xc3,                               /* 6b ret */
};
static const uint8_t each_starts[] = { 0,    5,    0xa,  0xc,  0xd,  0x11, 0x14, 0x19, 0x1a, 0x1d, 0x1e,
                                       0x1f, 0x25, 0x28, 0x2d, 0x31, 0x36, 0x39, 0x3b, 0x3d, 0x3f, 0x50,
                                       0x54, 0x57, 0x5b, 0x60, 0x63, 0x67, 0x6b };
static struct sigaction engines_trap;
static uint32_t int3_at; /* code offset; 0: none */
static uint8_t int3_was;

static void on_trap(int sig, siginfo_t *info, void *ucontext)
{
    greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    CodeBuf *code = x86_engine.cache->code;

    if (!int3_at || (uint64_t)g[REG_RIP] - 1 != (uint64_t)codebuf_rx(cpu) + int3_at) {
        engines_trap.sa_sigaction(sig, info, ucontext);
        return;
    }
    code->rw[int3_at] = int3_was;
    int3_at = 0;
    g[REG_RIP]--;
    kicks++;
    atomic_fetch_or(&cpu->cpu.request, CPU_REQ_STOP);
    atomic_store(&cpu->cpu.exit_request, 1);
    assert_true(x86_native_signal(cpu, SIGUSR1, info, ucontext));
}

static void begin_each(void)
{
    X86State st;

    base_state(&st);
    st.rip = EACH;
    st.gpr[R_10] = DATA;
    put64(DATA, 0);
    put64(DATA + 8, EACH + 0x60);
    start_from(&st);
}

static void kick_at(uint32_t off, const X86State *want, uint64_t word)
{
    CodeBuf *code = x86_engine.cache->code;
    unsigned before = kicks;

    begin_each();
    int3_was = code->rw[off];
    code->rw[off] = 0xcc;
    int3_at = off;
    run_native();
    if (int3_at) {
        code->rw[off] = int3_was;
        int3_at = 0;
    }
    if (kicks > before) {
        uint64_t at = cpu->st.rip - EACH;
        assert_true(at < 256 && memchr(each_starts, (int)at, sizeof(each_starts)));
        atomic_store(&cpu->cpu.request, 0);
        atomic_store(&cpu->cpu.exit_request, 0);
        if (cpu->st.rip != EACH_END) { /* else it has stopped by itself */
            run_native();
        }
    }
    x86_fpu_sync(cpu);
    assert_true(compare(&cpu->st, want, NULL, NULL, 0));
    assert_true((cpu->st.rflags & FL_STATUS) == (want->rflags & FL_STATUS));
    assert_true(memcmp(mem(DATA), &word, 8) == 0);
}

/* Each instruction of all blocks' code but what is out of line. Returns how many were reached. */
static unsigned kick_everywhere(const X86State *want, uint64_t word)
{
    TbCache *c = x86_engine.cache;
    const uint32_t all[X86F_NWORDS] = { [0 ... X86F_NWORDS - 1] = UINT32_MAX };

    kicks = 0;
    for (const Tb *tb = tb_first_in(c, c->region[c->cur].first); tb; tb = tb_next_block(c, tb)) {
        if (!tb->valid || tb->key >> 12 != EACH >> 12) {
            continue;
        }
        for (uint32_t off = tb->code_off; off < tb->code_end;) {
            X86Insn in;
            int n = x86_decode(&in, c->code->rw + off, 15, HF_PE | HF_LMA | HF_CS64, all);
            assert_true(n > 0);
            kick_at(off, want, word);
            off += n;
        }
    }
    return kicks;
}

static void kick_at_each_host_instruction(void **state)
{
    X86State want;
    uint64_t word;

    take_signals();
    memcpy(mem(EACH), each_code, sizeof(each_code));
    for (unsigned i = 0; i < 3; i++) { /* all is chained and in the hash then */
        begin_each();
        run_native();
    }
    x86_fpu_sync(cpu);
    want = cpu->st;
    memcpy(&word, mem(DATA), 8);
    assert_true(want.rip == EACH_END);

    struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigfillset(&sa.sa_mask);
    sigaction(SIGTRAP, &sa, &engines_trap);
    uint64_t traps = x86_env(cpu)->step_traps;
    unsigned hits = kick_everywhere(&want, word), copied = x86_env(cpu)->step_traps - traps;
    assert_true(hits > 100);
    assert_true(copied < 2 * hits); /* not instruction by instruction */

    const uint32_t steps = x86_thunks.steps;
    x86_thunks.steps = 0; /* no room for copies: the host is single-stepped */
    traps = x86_env(cpu)->step_traps;
    assert_true(kick_everywhere(&want, word) == hits);
    assert_true(x86_env(cpu)->step_traps - traps > copied);
    x86_thunks.steps = steps;
    take_signals();
}
#endif

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
#if defined(__x86_64__)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kick_before_entry),
        cmocka_unit_test(kick_at_each_host_instruction),
    };
    return cmocka_run_group_tests(tests, setup_kicks, teardown);
#endif
}

/* SPDX-License-Identifier: MIT */
/* Native execution of single instructions for comparison; see hostjudge.h. */
#define _GNU_SOURCE
#include "tests/unit/hostjudge.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>

/* One page-aligned arena below 2 GB, so that the trampoline reaches its data by absolute
 * 32-bit addresses without a register: code first, then this. */
typedef struct Arena {
    uint8_t code[4096];
    HostState s;
    uint64_t host_rsp, out_flags, in_flags;
    struct {
        uint32_t off;
        uint16_t sel;
    } far32; /* where compatibility-mode code starts */
    X86Xsave host_xsave __attribute__((aligned(64)));
} Arena;

static Arena *arena;
static uint8_t *insn_at, *insn_end, *fault_exit;
static volatile int active, trapno;
static uint64_t xmask;
static uint8_t *out;

static void byte(int n, ...)
{
    va_list ap;
    va_start(ap, n);
    while (n--) {
        *out++ = va_arg(ap, int);
    }
    va_end(ap);
}

static void abs32(const void *p)
{
    uint32_t a = (uint32_t)(uintptr_t)p;
    memcpy(out, &a, 4);
    out += 4;
}

/* mov between 64-bit register r and [p] */
static void mov_abs(int opcode, unsigned r, const void *p)
{
    byte(4, 0x48 | (r >> 3) << 2, opcode, 0x04 | (r & 7) << 3, 0x25);
    abs32(p);
}

/* xsave64 (/4) or xrstor64 (/5) of the handled components; uses eax, edx */
static void xsave_abs(unsigned ext, const void *p)
{
    uint32_t lo = (uint32_t)xmask;
    byte(1, 0xb8);
    memcpy(out, &lo, 4);
    out += 4;
    byte(2, 0x31, 0xd2);
    byte(5, 0x48, 0x0f, 0xae, 0x04 | ext << 3, 0x25);
    abs32(p);
}

enum { CS32 = 0x23, CS64 = 0x33, DS32 = 0x2b }; /* Linux's user selectors */

static void load_data_segments(unsigned sel)
{
    byte(9, 0xb8, sel, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0); /* mov eax, sel; mov ds, es */
}

/* Back from 32-bit code: jmp far CS64:the next byte */
static void leave_compat(void)
{
    uint8_t *next = out + 7;
    byte(1, 0xea);
    abs32(next);
    byte(2, CS64, 0);
}

static void emit(const void *code, unsigned n, int what)
{
    HostState *s = &arena->s;
    out = arena->code;
    byte(11, 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x9c);
    mov_abs(0x89, R_SP, &arena->host_rsp);
    if (what & HJ_VECTOR) {
        xsave_abs(4, &arena->host_xsave);
        xsave_abs(5, &s->xsave);
    }
    if (what & HJ_COMPAT) {
        load_data_segments(DS32);
    }
    byte(3, 0xff, 0x34, 0x25); /* push [in_flags]; popf */
    abs32(&arena->in_flags);
    byte(1, 0x9d);
    for (unsigned r = 0; r < 16; r++) {
        mov_abs(0x8b, r, &s->gpr[r]);
    }
    if (what & HJ_COMPAT) {
        byte(3, 0xff, 0x2c, 0x25); /* jmp far [far32] */
        abs32(&arena->far32);
        arena->far32.off = (uint32_t)(uintptr_t)out;
        arena->far32.sel = CS32;
    }
    insn_at = out;
    memcpy(out, code, n);
    out += n;
    insn_end = out;
    if (what & HJ_COMPAT) {
        leave_compat();
    }
    for (unsigned r = 0; r < 16; r++) {
        mov_abs(0x89, r, &s->gpr[r]);
    }
    fault_exit = out + 8 + 1 + 7; /* a fault's handler has stored registers and flags */
    mov_abs(0x8b, R_SP, &arena->host_rsp);
    byte(4, 0x9c, 0x8f, 0x04, 0x25); /* pushf; pop [out_flags] */
    abs32(&arena->out_flags);
    mov_abs(0x8b, R_SP, &arena->host_rsp);
    if (what & HJ_COMPAT) {
        load_data_segments(0);
    }
    if (what & HJ_VECTOR) {
        xsave_abs(4, &s->xsave);
        xsave_abs(5, &arena->host_xsave);
    }
    byte(12, 0x9d, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3);
}

/* The host's offsets of the AVX-512 components may differ from X86Xsave's, which are
 * Intel's. */
static void move_components(X86Xsave *x, bool to_host)
{
    static const struct {
        uint16_t n, size;
        uint16_t ours;
    } comps[] = { { 5, 64, offsetof(X86Xsave, k) },
                  { 6, 512, offsetof(X86Xsave, zmmh) },
                  { 7, 1024, offsetof(X86Xsave, zmm16) } };
    static X86Xsave to;
    memcpy(&to, x, sizeof(to));
    for (unsigned i = 0; i < ARRAY_SIZE(comps); i++) {
        uint32_t a, b, c, d;
        __cpuid_count(0xd, comps[i].n, a, b, c, d);
        if (!(xmask >> comps[i].n & 1) || a != comps[i].size || b + a > sizeof(*x)) {
            continue;
        }
        uint8_t *from = (uint8_t *)x + (to_host ? comps[i].ours : b);
        memcpy((uint8_t *)&to + (to_host ? b : comps[i].ours), from, a);
    }
    memcpy(x, &to, sizeof(to));
}

static void handler(int sig, siginfo_t *si, void *arg)
{
    static const int from[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15 };
    ucontext_t *uc = arg;
    greg_t *g = uc->uc_mcontext.gregs;
    uint8_t *rip = (uint8_t *)g[REG_RIP];

    if (!active || rip < insn_at || rip > insn_end) {
        signal(sig, SIG_DFL);
        return;
    }
    for (unsigned r = 0; r < 16; r++) {
        arena->s.gpr[r] = g[from[r]];
    }
    arena->out_flags = g[REG_EFL];
    arena->s.fault_rip = rip - insn_at;
    arena->s.error = g[REG_ERR];
    arena->s.cr2 = g[REG_CR2];
    trapno = g[REG_TRAPNO];
    g[REG_EFL] &= ~(greg_t)(FL_DF | FL_AC | FL_TF);
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~(greg_t)0xffff) | CS64;
    g[REG_RIP] = (greg_t)fault_exit;
}

static void install_handlers(void)
{
    static uint8_t alt[65536] __attribute__((aligned(64)));
    static const int sigs[] = { SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP };

    stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
    sigaltstack(&ss, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(sigs); i++) {
        struct sigaction sa = { .sa_sigaction = handler,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
        sigaction(sigs[i], &sa, NULL);
    }
}

bool hj_init(void)
{
    if (arena) {
        install_handlers();
        return true;
    }
    arena = mmap(NULL, sizeof(Arena), PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (arena == MAP_FAILED) {
        arena = NULL;
        return false;
    }
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    xmask = lo & HJ_XMASK;
    install_handlers();
    return true;
}

int hj_run(HostState *s, const void *code, unsigned n, int what)
{
    if (n > HJ_MAX_CODE) {
        abort();
    }
    size_t head = offsetof(HostState, xsave);
    memcpy(&arena->s, s, what & HJ_VECTOR ? sizeof(*s) : head);
    if (what & HJ_VECTOR) {
        move_components(&arena->s.xsave, true);
    }
    arena->in_flags = 0x202 | (s->rflags & (FL_STATUS | FL_DF | FL_AC));
    emit(code, n, what);
    trapno = HJ_OK;
    active = 1;
    ((void (*)(void))(uintptr_t)arena->code)();
    active = 0;
    arena->s.rflags = arena->out_flags;
    if (what & HJ_VECTOR) {
        move_components(&arena->s.xsave, false);
    }
    memcpy(s, &arena->s, what & HJ_VECTOR ? sizeof(*s) : head);
    return trapno;
}

void hj_features(uint32_t feat[X86F_NWORDS])
{
    uint32_t a, b, c, d;
    memset(feat, 0, X86F_NWORDS * sizeof(feat[0]));
    __cpuid(1, a, b, c, d);
    feat[X86FW_1_EDX] = d;
    feat[X86FW_1_ECX] = c;
    __cpuid_count(7, 0, a, b, c, d);
    feat[X86FW_7_0_EBX] = b;
    feat[X86FW_7_0_ECX] = c;
    feat[X86FW_7_0_EDX] = d;
    __cpuid_count(7, 1, a, b, c, d);
    feat[X86FW_7_1_EAX] = a;
    __cpuid(0x80000001, a, b, c, d);
    feat[X86FW_80000001_EDX] = d;
    feat[X86FW_80000001_ECX] = c;
    __cpuid_count(0xd, 1, a, b, c, d);
    feat[X86FW_D_1_EAX] = a;
}

bool hj_has(unsigned feature)
{
    uint32_t feat[X86F_NWORDS];
    hj_features(feat);
    return feat[feature / 32] >> (feature % 32) & 1;
}

#else

bool hj_init(void)
{
    return false;
}

int hj_run(HostState *s, const void *code, unsigned n, int what)
{
    return HJ_OK;
}

void hj_features(uint32_t feat[X86F_NWORDS])
{
    memset(feat, 0, X86F_NWORDS * sizeof(feat[0]));
}

bool hj_has(unsigned feature)
{
    return false;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Runs cases on the host CPU: the window of judge.h in this process, a trampoline that
 * loads a state, goes through the code and stores what came out, and signal handlers that
 * take a fault's state. 32-bit code runs through Linux's selector 23H, 16-bit code through
 * LDT entries (modify_ldt). Signals that hit while no case runs go to whoever had them.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target-x86/native.h"
#include "tests/judge/judge.h"
#include "tests/judge/ldt.h"

#if defined(__x86_64__) && defined(__linux__)
#include <asm/ldt.h>
#include <cpuid.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

enum { CS32 = 0x23, CS64 = 0x33, DS32 = 0x2b }; /* Linux's user selectors */

/* Below 2 GiB, so that the trampoline reaches it by absolute addresses. */
typedef struct Arena {
    uint8_t code[JUDGE_NMODES][4096];
    JudgeState in, out;
    uint16_t fault_ss;
    uint64_t host_rsp, out_flags, in_flags, entry, leave, host_fs, host_gs;
    struct {
        uint32_t off;
        uint16_t sel;
    } far;
    X86Xsave clean __attribute__((aligned(64)));
    uint8_t xin[4096] __attribute__((aligned(64))),
        xout[4096] __attribute__((aligned(64)));
} Arena;

static Arena *arena;
static uint8_t *leave_at[JUDGE_NMODES], *fault_exit[JUDGE_NMODES], *out;
static volatile int active;
static unsigned mode_now;
static uint64_t xmask;
static bool have16;

enum { NSIGS = 6 };
static const int sigs[NSIGS] = { SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGUSR1 };
static struct sigaction others[NSIGS];

/* ---- trampoline ---- */

static void byte(int n, ...)
{
    va_list ap;
    va_start(ap, n);
    while (n--) {
        *out++ = va_arg(ap, int);
    }
    va_end(ap);
}

static void abs32(const volatile void *p)
{
    uint32_t a = (uint32_t)(uintptr_t)p;
    memcpy(out, &a, 4);
    out += 4;
}

/* mov between a 64-bit register and memory */
static void mov_abs(int opcode, unsigned r, const volatile void *p)
{
    byte(4, 0x48 | (r >> 3) << 2, opcode, 0x04 | (r & 7) << 3, 0x25);
    abs32(p);
}

/* xsave64 (/4) or xrstor64 (/5); uses eax, edx */
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

/* mov eax, sel; mov ds, es (fs, gs if all), eax */
static void load_segments(unsigned sel, bool all)
{
    byte(9, 0xb8, sel, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0);
    if (all) {
        byte(4, 0x8e, 0xe0, 0x8e, 0xe8);
    }
}

/* rdfsbase (0), rdgsbase, wrfsbase, wrgsbase rax */
static void base_insn(unsigned ext)
{
    byte(5, 0xf3, 0x48, 0x0f, 0xae, 0xc0 | ext << 3);
}

static void emit_entry(unsigned mode)
{
    JudgeState *s = &arena->in;

    byte(11, 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x9c);
    mov_abs(0x89, R_SP, &arena->host_rsp);
    xsave_abs(5, arena->xin);
    if (mode == JUDGE_64) {
        mov_abs(0x8b, R_AX, &s->fs_base);
        base_insn(2);
        mov_abs(0x8b, R_AX, &s->gs_base);
        base_insn(3);
    } else if (mode == JUDGE_32) {
        load_segments(DS32, true);
    } else {
        load_segments(SEL_DS16, true);
        byte(7, 0xb8, SEL_ES16, 0, 0, 0, 0x8e, 0xc0);
    }
    byte(3, 0xff, 0x34, 0x25); /* push [in_flags]; popf */
    abs32(&arena->in_flags);
    byte(1, 0x9d);
    if (mode == JUDGE_16) { /* no stack from here on */
        byte(7, 0xb8, SEL_SS16, 0, 0, 0, 0x8e, 0xd0);
    }
    for (unsigned r = 0; r < 16; r++) {
        mov_abs(0x8b, r, &s->gpr[r]);
    }
    byte(3, 0xff, mode == JUDGE_64 ? 0x24 : 0x2c, 0x25); /* jmp [entry], jmp far [far] */
    abs32(mode == JUDGE_64 ? (void *)&arena->entry : &arena->far);
}

static void emit_exit(unsigned mode)
{
    JudgeState *s = &arena->out;

    leave_at[mode] = out;
    for (unsigned r = 0; r < 16; r++) {
        mov_abs(0x89, r, &s->gpr[r]);
    }
    mov_abs(0x8b, R_SP, &arena->host_rsp);
    byte(4, 0x9c, 0x8f, 0x04, 0x25); /* pushf; pop [out_flags] */
    abs32(&arena->out_flags);
    fault_exit[mode] = out;
    mov_abs(0x8b, R_SP, &arena->host_rsp);
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        byte(3, 0x8c, 0x04 | i << 3, 0x25); /* mov [sel], seg */
        abs32(&s->sel[i]);
    }
    base_insn(0);
    mov_abs(0x89, R_AX, &s->fs_base);
    base_insn(1);
    mov_abs(0x89, R_AX, &s->gs_base);
    load_segments(0, true);
    byte(7, 0xb8, DS32, 0, 0, 0, 0x8e, 0xd0); /* mov ss */
    mov_abs(0x8b, R_AX, &arena->host_fs);
    base_insn(2);
    mov_abs(0x8b, R_AX, &arena->host_gs);
    base_insn(3);
    xsave_abs(4, arena->xout);
    xsave_abs(5, &arena->clean);
    byte(12, 0x9d, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3);
}

/* ---- signals ---- */

static void pass_on(int sig, siginfo_t *si, void *uc)
{
    for (unsigned i = 0; i < NSIGS; i++) {
        if (sigs[i] == sig && others[i].sa_flags & SA_SIGINFO) {
            others[i].sa_sigaction(sig, si, uc);
            return;
        }
    }
    signal(sig, SIG_DFL);
}

void host_kicks(unsigned ns)
{
    static timer_t timer;
    static bool made;
    struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
    struct itimerspec t = { .it_interval.tv_nsec = ns, .it_value.tv_nsec = ns };

    ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (!made && ns) {
        made = timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0;
    }
    if (made) {
        timer_settime(timer, 0, &t, NULL);
    }
}

static void handler(int sig, siginfo_t *si, void *arg)
{
    static const int from[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15 };
    ucontext_t *uc = arg;
    greg_t *g = uc->uc_mcontext.gregs;

    /* Linux leaves AC as the case had it, and this is compiled code */
    __asm__ volatile("pushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq" ::: "cc", "memory");
    if (!active) {
        if (sig == SIGSEGV && g[REG_TRAPNO] == EXC_PF) {
            rig_host_fault(g[REG_CR2]);
        }
        pass_on(sig, si, arg);
        return;
    }
    if (sig == SIGUSR1) { /* a kick, for engines only */
        return;
    }
    /* FS is the case's: nothing thread-local before this */
    uint64_t rip = g[REG_RIP], fs;
    __asm__ volatile("rdfsbase %0\n\twrfsbase %1" : "=&r"(fs) : "r"(arena->host_fs));
    bool own = rip - (uint64_t)(uintptr_t)arena < sizeof(Arena);
    if (own && g[REG_TRAPNO] == EXC_DB) { /* single step was on at the end */
        g[REG_EFL] &= ~(greg_t)FL_TF;
        __asm__ volatile("wrfsbase %0" ::"r"(fs));
        return;
    }
    if (own || si->si_code <= 0) { /* the trampoline's own fault, or somebody's kill() */
        signal(sig, SIG_DFL);
        return;
    }
    JudgeState *s = &arena->out;
    for (unsigned r = 0; r < 16; r++) {
        s->gpr[r] = g[from[r]];
    }
    arena->out_flags = g[REG_EFL];
    s->rip = rip;
    s->error = g[REG_ERR];
    s->cr2 = g[REG_CR2];
    s->vector = g[REG_TRAPNO];
    arena->fault_ss = g[REG_CSGSFS] >> 48;
    g[REG_EFL] &= ~(greg_t)(FL_DF | FL_AC | FL_TF | FL_NT);
    g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000ll) | CS64 | (greg_t)DS32 << 48;
    g[REG_RIP] = (greg_t)(uintptr_t)fault_exit[mode_now];
    __asm__ volatile("wrfsbase %0" ::"r"(fs)); /* for the trampoline to store */
}

void host_take_signals(void)
{
    static uint8_t alt[65536] __attribute__((aligned(64)));
    stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };

    sigaltstack(&ss, NULL);
    for (unsigned i = 0; i < NSIGS; i++) {
        struct sigaction sa = { .sa_sigaction = handler,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
        sigfillset(&sa.sa_mask); /* as the engine has it */
        sigaction(sigs[i], &sa, &others[i]);
    }
}

/* ---- vector state ---- */

/* AVX-512's components lie where this CPU says; X86Xsave has Intel's places. */
static struct {
    uint16_t size, ours, host;
} comps[] = { { 64, offsetof(X86Xsave, k), 0 },
              { 512, offsetof(X86Xsave, zmmh), 0 },
              { 1024, offsetof(X86Xsave, zmm16), 0 } };

static void find_components(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(comps); i++) {
        uint32_t a, b, c, d;
        __cpuid_count(0xd, 5 + i, a, b, c, d);
        if (a != comps[i].size || b + a > 4096) {
            xmask &= ~0xe0ull;
        }
        comps[i].host = b;
    }
}

static void put_xsave(const X86Xsave *x)
{
    memcpy(arena->xin, x, offsetof(X86Xsave, ext));
    for (unsigned i = 0; xmask & 0xe0 && i < ARRAY_SIZE(comps); i++) {
        memcpy(arena->xin + comps[i].host, (const uint8_t *)x + comps[i].ours,
               comps[i].size);
    }
}

static void get_xsave(X86Xsave *x)
{
    memcpy(x, arena->xout, offsetof(X86Xsave, ext));
    for (unsigned i = 0; xmask & 0xe0 && i < ARRAY_SIZE(comps); i++) {
        memcpy((uint8_t *)x + comps[i].ours, arena->xout + comps[i].host, comps[i].size);
    }
}

/* ---- init ---- */

enum { BEYOND = 0x10000 };
static bool beyond16, end32, beyond32;

/* Behind what 16- and 32-bit addresses reach, and just before: nothing shall be mapped. */
static bool keep_free(uint64_t at)
{
    void *want = (void *)(uintptr_t)at;
    return mmap(want, BEYOND, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                0) == want;
}

static bool make_window(void)
{
    void *want = (void *)(uintptr_t)WIN_BASE, *high = (void *)(uintptr_t)(WIN_BASE + HIGH);
    static const struct {
        uint32_t base, size;
        int prot;
    } parts[] = {
        { CODE_BASE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC },
        { STACK_BASE, STACK_SIZE, PROT_READ | PROT_WRITE },
        { RO_BASE, RO_SIZE, PROT_READ },
        { RW_BASE, RW_SIZE, PROT_READ | PROT_WRITE },
    };
    if (mmap(want, WIN_END - WIN_BASE, PROT_NONE,
             MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != want ||
        mmap(high, WIN_END - WIN_BASE, PROT_NONE,
             MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != high ||
        mremap(want, 0, WIN_END - WIN_BASE, MREMAP_MAYMOVE | MREMAP_FIXED, high) != high) {
        return false; /* 0 bytes of a shared mapping: the same once more */
    }
    beyond16 = keep_free(0x10000);
    end32 = keep_free(0x100000000 - BEYOND);
    beyond32 = keep_free(0x100000000);
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        void *p = (void *)(uintptr_t)parts[i].base;
        if (mprotect(p, parts[i].size, PROT_READ | PROT_WRITE)) {
            return false;
        }
        memset(p, 0xcc, parts[i].size);
        uint8_t *h = (uint8_t *)p + HIGH;
        if (mprotect(p, parts[i].size, parts[i].prot) ||
            mprotect(h, parts[i].size, parts[i].prot)) {
            return false;
        }
        for (unsigned k = 0; k < parts[i].size; k += 4096) {
            (void)*(volatile uint8_t *)(h + k); /* present: error codes tell */
        }
    }
    return true;
}

static bool make_ldt(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(judge_ldt); i++) {
        struct user_desc d = { .entry_number = i,
                               .base_addr = judge_ldt[i].base,
                               .limit = judge_ldt[i].limit,
                               .contents = judge_ldt[i].code ? 2 : 0 };
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d))) {
            return false;
        }
    }
    return true;
}

bool host_init(const char **why)
{
    uint32_t lo, hi, feat[X86F_NWORDS];

    host_features(feat);
    if (!(feat[X86FW_1_ECX] >> (X86F_OSXSAVE % 32) & 1) ||
        !(feat[X86FW_7_0_EBX] >> (X86F_FSGSBASE % 32) & 1)) {
        *why = "the host lacks XSAVE or FSGSBASE";
        return false;
    }
    arena = mmap(NULL, sizeof(Arena), PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (arena == MAP_FAILED) {
        *why = "no executable memory below 2 GiB";
        return false;
    }
    if (!make_window()) {
        *why = "the window's addresses are taken";
        return false;
    }
    have16 = make_ldt();
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    xmask = lo & 0xe7;
    find_components();
    __asm__ volatile("rdfsbase %0" : "=r"(arena->host_fs));
    arena->clean.fcw = 0x37f;
    arena->clean.mxcsr = 0x1f80;
    for (unsigned m = 0; m < JUDGE_NMODES; m++) {
        out = arena->code[m];
        emit_entry(m);
        emit_exit(m);
    }
    return true;
}

/* ---- running ---- */

/* What ends the code: back to the trampoline. */
static void put_end(const JudgeCase *c)
{
    out = (uint8_t *)(uintptr_t)(c->start + c->len);
    if (c->mode == JUDGE_64) {
        byte(3, 0xff, 0x24, 0x25); /* jmp [leave] */
        abs32(&arena->leave);
        return;
    }
    if (c->mode == JUDGE_16) {
        byte(1, 0x66);
    }
    byte(1, 0xea); /* jmp far */
    abs32(leave_at[c->mode]);
    byte(2, CS64, 0);
}

static void put_ro(const uint8_t *ro)
{
    void *p = (void *)(uintptr_t)RO_BASE;
    if (memcmp(p, ro, RO_SIZE)) {
        mprotect(p, RO_SIZE, PROT_READ | PROT_WRITE);
        memcpy(p, ro, RO_SIZE);
        mprotect(p, RO_SIZE, PROT_READ);
    }
}

void host_run(const JudgeCase *c, JudgeState *result, JudgeMem *mem)
{
    JudgeState *s = &arena->out;
    void *stack = (void *)(uintptr_t)STACK_BASE, *rw = (void *)(uintptr_t)RW_BASE;

    memcpy((void *)(uintptr_t)c->start, c->code, c->len);
    put_end(c);
    put_ro(c->ro);
    memcpy(stack, c->mem->stack, STACK_SIZE);
    memcpy(rw, c->mem->rw, RW_SIZE);
    memcpy(&arena->in, &c->in, offsetof(JudgeState, xsave));
    put_xsave(&c->in.xsave);
    __asm__ volatile("rdgsbase %0"
                     : "=r"(arena->host_gs)); /* the engine's windows move it */
    arena->in_flags = 0x202 | (c->in.rflags & ~(uint64_t)FL_TF);
    arena->entry = c->start;
    arena->leave = (uintptr_t)leave_at[c->mode];
    arena->far.off = c->mode == JUDGE_16 ? c->start - CODE_BASE : c->start;
    arena->far.sel = c->mode == JUDGE_16 ? SEL_CS16 : CS32;
    s->vector = JUDGE_DONE;
    s->error = 0;
    s->cr2 = 0;
    mode_now = c->mode;
    active = 1;
    ((void (*)(void))(uintptr_t)arena->code[c->mode])();
    active = 0;
    s->rflags = arena->out_flags;
    if (s->vector == JUDGE_DONE) {
        s->rip = c->start + c->len - (c->mode == JUDGE_16 ? CODE_BASE : 0);
    } else {
        s->sel[R_SS] = arena->fault_ss;
    }
    memcpy(result, s, offsetof(JudgeState, xsave));
    get_xsave(&result->xsave);
    memcpy(mem->stack, stack, STACK_SIZE);
    memcpy(mem->rw, rw, RW_SIZE);
}

bool host_has_mode(enum JudgeMode mode)
{
    return mode != JUDGE_16 || have16;
}
uint64_t host_xcr0(void)
{
    return xmask;
}

bool host_unmapped(uint64_t lin)
{
    lin = judge_low(lin);
    /* the vsyscall page is the one of the upper half that can be touched */
    return lin - WIN_BASE < WIN_END - WIN_BASE || lin < 0x10000 ||
           (beyond16 && lin - 0x10000 < BEYOND) ||
           (end32 && lin - (0x100000000 - BEYOND) < BEYOND) ||
           (beyond32 && lin - 0x100000000 < BEYOND) ||
           (lin >> 47 == 0x1ffff && lin >> 12 != 0xffffffffff600);
}

void host_features(uint32_t feat[X86F_NWORDS])
{
    uint32_t a, b, c, d;

    memset(feat, 0, X86F_NWORDS * sizeof(feat[0]));
    __cpuid(1, a, b, c, d);
    feat[X86FW_1_EDX] = d;
    feat[X86FW_1_ECX] = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        feat[X86FW_7_0_EBX] = b;
        feat[X86FW_7_0_ECX] = c;
        feat[X86FW_7_0_EDX] = d;
    }
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        feat[X86FW_7_1_EAX] = a;
    }
    __cpuid(0x80000001, a, b, c, d);
    feat[X86FW_80000001_EDX] = d;
    feat[X86FW_80000001_ECX] = c;
    __cpuid(0x80000008, a, b, c, d);
    feat[X86FW_80000008_EBX] = b;
    if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d)) {
        feat[X86FW_D_1_EAX] = a;
    }
}

#else

bool host_init(const char **why)
{
    *why = "the host is no x86-64 Linux";
    return false;
}
void host_features(uint32_t feat[X86F_NWORDS])
{
    memset(feat, 0, X86F_NWORDS * 4);
}
uint64_t host_xcr0(void)
{
    return 7;
}
bool host_unmapped(uint64_t lin)
{
    return false;
}
void host_run(const JudgeCase *c, JudgeState *result, JudgeMem *mem) {}
bool host_has_mode(enum JudgeMode mode)
{
    return false;
}
void host_take_signals(void) {}
void host_kicks(unsigned ns) {}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a CPU holds over a stretch of ring 3, for tests/guest/pingpong: general registers,
 * XSAVE state, MSRs, bases, debug registers, CR2, CR8, all with values of the step's own.
 * Changes of engine fall into the stretch; what comes back another is counted.
 */
#include "hold.h"

enum { AREA = 4096, LEGACY = 416, HEADER = 512, MXCSR_MASK = 28 };

static const u32 msrs[] = {
    0xc0000081,                         /* STAR, LSTAR, SFMASK */
    0xc0000082, 0xc0000084, 0xc0000102, /* GS base to swap */
    0x175,                              /* SYSENTER ESP, EIP */
    0x176,
};
static u64 mask; /* XCR0; 0: no XSAVE */
static u32 area_size;
static u8 loaded[AREA] ALIGNED(64), saved[AREA] ALIGNED(64);
ulong regs_in[16] USER_DATA = { 1 }, regs_out[16] USER_DATA = { 1 }; /* asm names them */
volatile u32 turns USER_DATA = 1;
static ulong bases[16] USER_DATA = { 1 };
ulong seen[2] USER_DATA = { 1 };

static u32 differs(u32 step, const char *what, u32 n, u64 got, u64 want)
{
    static u32 said;
    if (got != want && said++ < 8) {
        print("step %d: %s %x is %X, not %X\n", step, what, n, got, want);
    }
    return got != want;
}

static u64 pattern(u32 step, u32 n)
{
    u64 x = ((u64)step << 32 | (n + 1)) * 0x9e3779b97f4a7c15ull;
    return x ^ x >> 29;
}

void hold_start(void)
{
    if (!(cpuid(1, 0).c & 1u << 26)) {
        return;
    }
    write_cr4(read_cr4() | 0x40000); /* OSXSAVE */
    mask = cpuid(0xd, 0).a & 0xe7;   /* x87, SSE, AVX, AVX-512 */
    asm volatile("xsetbv" ::"c"(0), "a"((u32)mask), "d"(0));
    area_size = cpuid(0xd, 0).b;
    mask = area_size > AREA ? 0 : mask;
}

static void fill(u32 step, u32 off, u32 size)
{
    for (u32 i = off / 8; i < (off + size) / 8 && i < AREA / 8; i++) {
        ((u64 *)loaded)[i] = pattern(step, 100 + i);
    }
}

/* An area of the standard format; x87 and MXCSR must be what they may be. */
static void load_vectors(u32 step)
{
    memset(loaded, 0, AREA);
    fill(step, 160, LEGACY - 160);
    for (u32 n = 2; n < 8; n++) {
        if (mask >> n & 1) {
            fill(step, cpuid(0xd, n).b, cpuid(0xd, n).a);
        }
    }
    *(u16 *)loaded = 0x37f & ~(step & 1 ? 0x100 : 0); /* precision */
    *(u16 *)(loaded + 2) = step % 8 << 11;            /* TOP */
    loaded[4] = 0xff;
    *(u32 *)(loaded + 24) = 0x1f80 | step % 4 << 13;
    for (u32 n = 0; n < 8; n++) {
        *(u64 *)(loaded + 32 + 16 * n) = pattern(step, 50 + n) | 1ull << 63;
        *(u16 *)(loaded + 40 + 16 * n) = 0x3fff + n;
    }
    *(u64 *)(loaded + HEADER) = mask;
    asm volatile("xrstor (%0)" ::"r"(loaded), "a"((u32)mask), "d"(0) : "memory");
}

static u32 compare_vectors(u32 step)
{
    u32 lost = 0;
    memset(saved, 0, AREA);
    asm volatile("xsave (%0)" ::"r"(saved), "a"((u32)mask), "d"(0) : "memory");
    *(u32 *)(saved + MXCSR_MASK) = 0;
    memset(saved + LEGACY, 0, HEADER + 64 - LEGACY);
    *(u64 *)(saved + HEADER) = mask;
    for (u32 i = 0; i < area_size; i += 8) {
        lost += differs(step, "XSAVE's byte", i, *(u64 *)(saved + i),
                        *(u64 *)(loaded + i));
    }
    return lost;
}

/* Ring 3: its registers from regs_in, a while, to regs_out. */
#define EACH(r, n, move) move(r, n) "\n\t"
#define IN(r, n) "mov regs_in+8*" #n ", %%" #r
#define OUT(r, n) "mov %%" #r ", regs_out+8*" #n
#define ALL(move)                                                                 \
    EACH(rax, 0, move)                                                            \
    EACH(rcx, 1, move) EACH(rdx, 2, move) EACH(rbx, 3, move) EACH(rbp, 5, move)   \
        EACH(rsi, 6, move) EACH(rdi, 7, move) EACH(r8, 8, move) EACH(r9, 9, move) \
            EACH(r10, 10, move) EACH(r11, 11, move) EACH(r12, 12, move)           \
                EACH(r13, 13, move) EACH(r14, 14, move) EACH(r15, 15, move)
USER static void stretch(ulong unused)
{
    asm volatile(ALL(IN) "1: decl turns\n\tjnz 1b\n\t" ALL(
                     OUT) "mov %%fs:0, %%rax\n\tmov %%rax, seen\n\t"
                          "mov %%gs:0, %%rax\n\tmov %%rax, seen+8\n\tud2" ::
                              : "memory");
}

u32 hold(u32 step)
{
    u32 lost = 0;
    ulong cr8 = step % 4;
    for (u32 i = 0; i < COUNT(msrs); i++) {
        wrmsr(msrs[i], pattern(step, i) >> (msrs[i] == 0xc0000084 ? 32 : 18));
    }
    write_dr0(pattern(step, 20) >> 17);
    write_dr1(pattern(step, 21) >> 17);
    write_dr2(pattern(step, 22) >> 17);
    write_dr3(pattern(step, 23) >> 17);
    write_cr8(cr8);
    for (u32 i = 0; i < 16; i++) {
        regs_in[i] = pattern(step, 30 + i);
    }
    for (u32 i = 0; i < 2; i++) { /* FS, GS */
        bases[(step + i) % 16] = pattern(step, 60 + i);
        wrmsr(0xc0000100 + i, (ulong)&bases[(step + i) % 16]);
    }
    turns = 300000;
    bool vectors = mask && step % 4 == 0; /* slow where ring 0 is */
    if (vectors) {
        load_vectors(step);
    }
    write_cr2(pattern(step, 24));
    run_user(stretch, 0, 0);
    lost += differs(step, "CR", 2, read_cr2(), pattern(step, 24));
    lost += vectors ? compare_vectors(step) : 0;
    for (u32 i = 0; i < 16; i++) {
        lost += i != 4 &&
                differs(step, "register", i, regs_out[i], pattern(step, 30 + i));
    }
    for (u32 i = 0; i < 2; i++) {
        lost += differs(step, "FS, GS:", i, seen[i], pattern(step, 60 + i));
    }
    for (u32 i = 0; i < COUNT(msrs); i++) {
        lost += differs(step, "MSR", msrs[i], rdmsr(msrs[i]),
                        pattern(step, i) >> (msrs[i] == 0xc0000084 ? 32 : 18));
    }
    lost += differs(step, "DR", 0, read_dr0(), pattern(step, 20) >> 17);
    lost += differs(step, "DR", 1, read_dr1(), pattern(step, 21) >> 17);
    lost += differs(step, "DR", 2, read_dr2(), pattern(step, 22) >> 17);
    lost += differs(step, "DR", 3, read_dr3(), pattern(step, 23) >> 17);
    lost += differs(step, "CR", 8, read_cr8(), cr8);
    write_cr8(0);
    return lost;
}

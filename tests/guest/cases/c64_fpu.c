/* SPDX-License-Identifier: MIT */
/*
 * x87 and SSE as the system sees them: #NM, #MF, #XM, #UD, FERR, FXSAVE, XSAVE: SDM vol.
 * 1, chapters 8, 10, 13; vol. 3, 2.5, 13. Alignment checks.
 */
#include "lib.h"

static u8 area[4096] ALIGNED(64), area2[4096] ALIGNED(64);

#define TRYF(text, ...) (({ asm volatile(TRY text END __VA_ARGS__); }), caught())

void fpu_traps(void)
{
    ulong cr0 = read_cr0(), cr4 = read_cr4();
    u16 sw;

    write_cr0((cr0 & ~6ul) | 8);
    check("TS: x87", TRYF("fninit", ::: "memory"), NM);
    check("TS: SSE", TRYF("movaps %%xmm0, %%xmm0", ::: "memory"), NM);
    check("TS: FXSAVE", TRYF("fxsave (%0)", ::"r"(area) : "memory"), NM);
    check("TS, MP 0: WAIT goes on", TRYF("fwait", ::: "memory"), NONE);
    check("TS: LDMXCSR", TRYF("ldmxcsr (%0)", ::"r"(area) : "memory"), NM);
    write_cr0((cr0 & ~4ul) | 2 | 8);
    check("TS, MP 1: WAIT", TRYF("fwait", ::: "memory"), NM);
    write_cr0((cr0 & ~8ul) | 4);
    check("EM: x87", TRYF("fninit", ::: "memory"), NM);
    check("EM: SSE", TRYF("movaps %%xmm0, %%xmm0", ::: "memory"), UD);
    check("EM: MMX", TRYF("emms", ::: "memory"), UD);
    write_cr0(cr0 & ~12ul);
    write_cr4(cr4 & ~0x200ul);
    check("OSFXSR 0: SSE", TRYF("movaps %%xmm0, %%xmm0", ::: "memory"), UD);
    check("OSFXSR 0: FXSAVE works", TRYF("fxsave (%0)", ::"r"(area) : "memory"), NONE);
    check("OSFXSR 0: x87 works", TRYF("fninit", ::: "memory"), NONE);
    write_cr4(cr4 | 0x600);

    /* unmasked x87: at the next waiting instruction */
    u16 cw = 0x37f & ~4;
    asm volatile("fninit; fldcw %0; fld1; fldz" ::"m"(cw));
    check("x87 divide by zero: not at once", TRYF("fdivrp", ::: "memory"), NONE);
    check("but at the next", TRYF("fld1", ::: "memory"), MF);
    check("FNSTSW does not wait", TRYF("fnstsw %0", : "=m"(sw)::"memory"), NONE);
    check("ES and ZE", sw & 0x84, 0x84);
    check("WAIT does", TRYF("fwait", ::: "memory"), MF);
    check("FNSTCW does not", TRYF("fnstcw %0", : "=m"(cw)::"memory"), NONE);
    check("MMX does", TRYF("emms", ::: "memory"), MF);
    check("MOVQ MMX does", TRYF("movq %%mm0, (%0)", ::"r"(area) : "memory"), MF);
    check("FNCLEX clears", TRYF("fnclex; fwait", ::: "memory"), NONE);
    asm volatile("fninit");
    check("masked: none", TRYF("fld1; fldz; fdivrp; fwait", ::: "memory"), NONE);
    asm volatile("fninit");
    cw = 0x37f & ~1;
    asm volatile("fldcw %0" ::"m"(cw));
    asm volatile("fstp %%st(0)" ::: "memory");
    check("stack underflow, unmasked", TRYF("fwait", ::: "memory"), MF);
    asm volatile("fnstsw %0" : "=m"(sw));
    check("IE and SF", sw & 0x41, 0x41);
    asm volatile("fnclex; fninit");
    /* FERR: NE 0 gives IRQ 13 through the 8259 */
    asm volatile("fninit");

    /* SSE */
    u32 mx = 0x1f80 & ~0x200;
    asm volatile("ldmxcsr %0" ::"m"(mx));
    static float one = 1, zero = 0;
    check("SSE divide by zero, unmasked",
          TRYF("movss %0, %%xmm0; divss %1, %%xmm0", ::"m"(one), "m"(zero)
               : "memory"),
          XM);
    asm volatile("stmxcsr %0" : "=m"(mx));
    check("MXCSR.ZE", mx & 0x3f, 4);
    write_cr4((cr4 | 0x200) & ~0x400ul);
    check("OSXMMEXCPT 0: #UD instead",
          TRYF("movss %0, %%xmm0; divss %1, %%xmm0", ::"m"(one), "m"(zero)
               : "memory"),
          UD);
    write_cr4(cr4 | 0x600);
    mx = 0x1f80;
    asm volatile("ldmxcsr %0" ::"m"(mx));
    check("masked: none",
          TRYF("movss %0, %%xmm0; divss %1, %%xmm0", ::"m"(one), "m"(zero)
               : "memory"),
          NONE);
    mx = 0x1f80 & ~0x80;
    asm volatile("ldmxcsr %0" ::"m"(mx));
    check(
        "square root of -1",
        TRYF(
            "movss %0, %%xmm0; subss %%xmm0, %%xmm1; xorps %%xmm1, %%xmm1; subss %%xmm0, "
            "%%xmm1; sqrtss %%xmm1, %%xmm1",
            ::"m"(one)
            : "memory"),
        XM);
    mx = 0x1f80;
    asm volatile("ldmxcsr %0" ::"m"(mx));
    mx = 0x10000;
    check("LDMXCSR: reserved bits", TRYF("ldmxcsr %0", ::"m"(mx) : "memory"), ERR(GP, 0));
    check("FXSAVE: misaligned", TRYF("fxsave 8(%0)", ::"r"(area) : "memory"), ERR(GP, 0));
    check("FXRSTOR: misaligned",
          TRYF("fxrstor 8(%0)", ::"r"(area)
               : "memory"),
          ERR(GP, 0));
    asm volatile("fxsave (%0)" ::"r"(area) : "memory");
    *(u32 *)(area + 24) = 0xffff0000;
    check("FXRSTOR: reserved bits of MXCSR",
          TRYF("fxrstor (%0)", ::"r"(area)
               : "memory"),
          ERR(GP, 0));
    *(u32 *)(area + 24) = 0x1f80;
    check("FXRSTOR", TRYF("fxrstor (%0)", ::"r"(area) : "memory"), NONE);
    check("MOVAPS: misaligned",
          TRYF("movaps 8(%0), %%xmm0", ::"r"(area)
               : "memory"),
          ERR(GP, 0));
    check("PADDD: misaligned memory",
          TRYF("paddd 8(%0), %%xmm0", ::"r"(area)
               : "memory"),
          ERR(GP, 0));
    check("MOVNTPS: misaligned",
          TRYF("movntps %%xmm0, 8(%0)", ::"r"(area)
               : "memory"),
          ERR(GP, 0));
    write_cr0(cr0);
    write_cr4(cr4);
}

/* ---- FERR ---- */

static volatile u32 irq13;
static void on_irq13(Regs *r)
{
    irq13++;
    outb(0xf0, 0);
    asm volatile("fnclex");
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
}

void fpu_ferr(void)
{
    ulong cr0 = read_cr0();
    u16 cw = 0x37f & ~4;

    apic_write(0xf0, 0x1ff);
    apic_write(0x350, 0x700);
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    outb(0x21, 0x50);
    outb(0xa1, 0x58);
    outb(0x21, 4);
    outb(0xa1, 2);
    outb(0x21, 1);
    outb(0xa1, 1);
    outb(0x21, 0xfb);
    outb(0xa1, 0xdf);
    handlers[0x5d] = on_irq13;
    irq13 = 0;
    write_cr0(cr0 & ~0x20ul);
    asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp" ::"m"(cw));
    sti();
    asm volatile("fwait; nop; nop");
    (void)wait_for(&irq13, 1, 2000);
    cli();
    check("NE 0: IRQ 13, no #MF", irq13, 1);
    asm volatile("fninit");
    write_cr0(cr0);
    mask_pics();
    apic_write(0x350, 0x10700);
}

/* ---- XSAVE ---- */

static u64 try_xsetbv(u32 n, u64 v)
{
    asm volatile(TRY "xsetbv" END ::"c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
    return caught();
}

static u64 xgetbv(u32 n, u64 *v)
{
    u32 lo = 0, hi = 0;
    asm volatile(TRY "xgetbv" END : "+a"(lo), "+d"(hi) : "c"(n) : "memory");
    *v = lo | (u64)hi << 32;
    return caught();
}

void xsave(void)
{
    u64 v;

    if (!(cpuid(1, 0).c >> 26 & 1)) {
        skip("XSAVE", "CPUID has none");
        return;
    }
    check("XGETBV with OSXSAVE 0", xgetbv(0, &v), UD);
    check("XSETBV with OSXSAVE 0", try_xsetbv(0, 3), UD);
    check("XSAVE with OSXSAVE 0",
          TRYF("xsave (%0)", ::"r"(area), "a"(3), "d"(0)
               : "memory"),
          UD);
    write_cr4(read_cr4() | 1 << 18);
    Cpuid c = cpuid(0xd, 0), c1 = cpuid(0xd, 1);
    u64 all = c.a | (u64)c.d << 32;
    check("XCR0 supports x87 and SSE", all & 3, 3);
    check("XCR0 = 0", try_xsetbv(0, 0), ERR(GP, 0));
    check("XCR0 without x87", try_xsetbv(0, 2), ERR(GP, 0));
    check("XCR0 = x87", try_xsetbv(0, 1), NONE);
    check("XCR0 = x87, SSE", try_xsetbv(0, 3), NONE);
    if (all & 4) {
        check("XCR0 = YMM alone", try_xsetbv(0, 4), ERR(GP, 0));
        check("XCR0 = x87, YMM", try_xsetbv(0, 5), ERR(GP, 0));
        check("XCR0 = x87, SSE: AVX is #UD", TRYF("vzeroall", ::: "memory"), UD);
        check("XCR0 = x87, SSE, YMM", try_xsetbv(0, 7), NONE);
        check("and AVX works", TRYF("vzeroall", ::: "memory"), NONE);
    }
    if (all & 0xe0) {
        check("XCR0: half of AVX-512", try_xsetbv(0, 0x27), ERR(GP, 0));
        check("XCR0: AVX-512", try_xsetbv(0, 0xe7), NONE);
        check("XCR0: AVX-512 without YMM", try_xsetbv(0, 0xe3), ERR(GP, 0));
    }
    check("XCR0: a bit that is not there", try_xsetbv(0, all | 1ull << 62), ERR(GP, 0));
    (void)try_xsetbv(0, all);
    check("XGETBV", (xgetbv(0, &v), v), all);
    bool set = true, get = true;
    for (unsigned i = 1; i < 32; i++) {
        set = set && try_xsetbv(i, 3) == ERR(GP, 0);
        get = get && (i == 1 || xgetbv(i, &v) == ERR(GP, 0));
        set = set && try_xsetbv(1u << i, 3) == ERR(GP, 0);
        get = get && (i == 0 || xgetbv(1u << i, &v) == ERR(GP, 0));
    }
    check("XSETBV: no other XCR", set, 1);
    check("XGETBV: no other XCR but 1", get, 1);
    if (c1.a & 4) {
        asm volatile("fninit; vzeroall" ::: "memory");
        check("XGETBV 1", xgetbv(1, &v), NONE);
        check("XGETBV 1: no more than XCR0", v & ~all, 0);
    } else {
        check("XGETBV 1", xgetbv(1, &v), ERR(GP, 0));
    }
    check("CPUID.0DH.EBX is the size in use", cpuid(0xd, 0).b <= cpuid(0xd, 0).c, 1);
    /* the image */
    memset(area, 0, sizeof(area));
    static u32 pat[8] ALIGNED(32) = { 1, 2, 3, 4, 5, 6, 7, 8 };
    asm volatile("vmovdqu %0, %%ymm5" ::"m"(pat));
    asm volatile("xsave64 (%0)" ::"r"(area), "a"(7), "d"(0) : "memory");
    check("XSAVE: XSTATE_BV", *(u64 *)(area + 512) & 6, 6);
    check("XSAVE: low half", *(u32 *)(area + 160 + 5 * 16), 1);
    check("XSAVE: high half", *(u32 *)(area + 576 + 5 * 16), 5);
    asm volatile("vzeroall" ::: "memory");
    asm volatile("xrstor64 (%0)" ::"r"(area), "a"(7), "d"(0) : "memory");
    u32 got[8];
    asm volatile("vmovdqu %%ymm5, %0" : "=m"(got));
    check("XRSTOR", memcmp(got, pat, 32), 0);
    *(u64 *)(area + 512) = 3;
    asm volatile("xrstor64 (%0)" ::"r"(area), "a"(7), "d"(0) : "memory");
    asm volatile("vmovdqu %%ymm5, %0" : "=m"(got));
    check("XRSTOR: a clear XSTATE_BV bit initializes", got[4] | got[7], 0);
    check("and leaves the others", got[0], 1);
    check("XSAVE: misaligned",
          TRYF("xsave 32(%0)", ::"r"(area), "a"(7), "d"(0)
               : "memory"),
          ERR(GP, 0));
    *(u64 *)(area + 512) = 1ull << 62;
    check("XRSTOR: XSTATE_BV beyond XCR0",
          TRYF("xrstor (%0)", ::"r"(area), "a"(7), "d"(0)
               : "memory"),
          ERR(GP, 0));
    *(u64 *)(area + 512) = 7;
    *(u64 *)(area + 528) = 1;
    check("XRSTOR: reserved header bytes",
          TRYF("xrstor (%0)", ::"r"(area), "a"(7), "d"(0)
               : "memory"),
          ERR(GP, 0));
    *(u64 *)(area + 528) = 0;
    *(u64 *)(area + 520) = 1;
    check("XRSTOR: XCOMP_BV without bit 63",
          TRYF("xrstor (%0)", ::"r"(area), "a"(7), "d"(0)
               : "memory"),
          ERR(GP, 0));
    *(u64 *)(area + 520) = 0;
    *(u32 *)(area + 24) = 0x80000000;
    check("XRSTOR: MXCSR reserved bits",
          TRYF("xrstor (%0)", ::"r"(area), "a"(7), "d"(0)
               : "memory"),
          ERR(GP, 0));
    *(u32 *)(area + 24) = 0x1f80;
    if (c1.a & 1) {
        asm volatile("vzeroall; vmovdqu %0, %%ymm5" ::"m"(pat));
        memset(area2, 0, sizeof(area2));
        asm volatile("xsaveopt64 (%0)" ::"r"(area2), "a"(7), "d"(0) : "memory");
        check("XSAVEOPT: high half", *(u32 *)(area2 + 576 + 5 * 16), 5);
    }
    if (c1.a & 2) {
        memset(area2, 0, sizeof(area2));
        asm volatile("xsavec64 (%0)" ::"r"(area2), "a"(7), "d"(0) : "memory");
        check("XSAVEC: XCOMP_BV", *(u64 *)(area2 + 520), 1ull << 63 | 7);
        check("XSAVEC: high half", *(u32 *)(area2 + 576 + 5 * 16), 5);
        asm volatile("vzeroall" ::: "memory");
        asm volatile("xrstor64 (%0)" ::"r"(area2), "a"(7), "d"(0) : "memory");
        asm volatile("vmovdqu %%ymm5, %0" : "=m"(got));
        check("XRSTOR, compacted", memcmp(got, pat, 32), 0);
    }
    if (c1.a & 8) {
        memset(area2, 0, sizeof(area2));
        check("XSAVES",
              TRYF("xsaves64 (%0)", ::"r"(area2), "a"(7), "d"(0)
                   : "memory"),
              NONE);
        check("XSAVES: XCOMP_BV", *(u64 *)(area2 + 520), 1ull << 63 | 7);
        check("XRSTORS",
              TRYF("xrstors64 (%0)", ::"r"(area2), "a"(7), "d"(0)
                   : "memory"),
              NONE);
        *(u64 *)(area2 + 520) = 0;
        check("XRSTORS of the standard form",
              TRYF("xrstors64 (%0)", ::"r"(area2), "a"(7), "d"(0)
                   : "memory"),
              ERR(GP, 0));
        check("XSS: a bit that is not there", try_wrmsr(0xda0, 1ull << 62), ERR(GP, 0));
    }
    write_cr0(read_cr0() | 8);
    check("TS: XSAVE", TRYF("xsave (%0)", ::"r"(area), "a"(7), "d"(0) : "memory"), NM);
    check("TS: AVX", TRYF("vzeroall", ::: "memory"), NM);
    write_cr0(read_cr0() & ~8ul);
    (void)try_xsetbv(0, 1);
    write_cr4(read_cr4() & ~(1ul << 18));
}

/* ---- alignment checks ---- */

static u64 cells[4] USER_DATA ALIGNED(16);
USER static void u_mis2(void)
{
    asm volatile("movw 1(%0), %%ax" ::"r"(cells) : "rax");
}
USER static void u_mis4(void)
{
    asm volatile("movl %%eax, 2(%0)" ::"r"(cells) : "memory");
}
USER static void u_mis8(void)
{
    asm volatile("movq 4(%0), %%rax" ::"r"(cells) : "rax");
}
USER static void u_ok(void)
{
    asm volatile("movq 8(%0), %%rax; movb 3(%0), %%al" ::"r"(cells) : "rax");
}
USER static void u_push(void)
{
    asm volatile(
        "lea 4(%0), %%rcx; xchg %%rcx, %%rsp; pop %%rax; xchg %%rcx, %%rsp" ::"r"(cells)
        : "rax", "rcx", "memory");
}

void alignment(void)
{
    ulong cr0 = read_cr0();
    check("AM 0, AC 1", run_user(u_mis4, 0, 0x40000), NONE);
    write_cr0(cr0 | 0x40000);
    check("AM 1, AC 0", run_user(u_mis4, 0, 0), NONE);
    check("word", run_user(u_mis2, 0, 0x40000), ERR(AC, 0));
    check("doubleword", run_user(u_mis4, 0, 0x40000), ERR(AC, 0));
    check("quadword", run_user(u_mis8, 0, 0x40000), ERR(AC, 0));
    check("stack", run_user(u_push, 0, 0x40000), ERR(AC, 0));
    check("aligned", run_user(u_ok, 0, 0x40000), NONE);
    asm volatile("pushf; orl $0x40000, (%%rsp); popf" ::: "memory");
    asm volatile(TRY "movl 2(%0), %%eax" END ::"r"(area) : "memory", "rax");
    check("not in ring 0", caught(), NONE);
    asm volatile("pushf; andl $~0x40000, (%%rsp); popf" ::: "memory");
    write_cr0(cr0);
}

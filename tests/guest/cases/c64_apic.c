/* SPDX-License-Identifier: MIT */
/*
 * Local APIC in both modes, its timers and interprocessor interrupts, I/O APIC: SDM vol.
 * 3, chapter 11 (10 in older editions); 82093AA datasheet.
 */
#include "lib.h"

enum { BASE = 0x1b, EN = 0x800, EXTD = 0x400 };
static volatile u32 hits, hits2, order, first_vector;
static u64 when;

static void on_irq(Regs *r)
{
    if (!hits) {
        first_vector = r->vector;
    }
    hits++;
    when = rdtsc();
    apic_eoi();
}

static void on_irq2(Regs *r)
{
    hits2++;
    order = hits;
    apic_eoi();
}

static void reset_xapic(void)
{
    u64 b = rdmsr(BASE) & ~(u64)(EN | EXTD);
    wrmsr(BASE, b);
    wrmsr(BASE, b | EN);
    apic_write(0xf0, 0x1ff);
    apic_write(0x350, 0x700);
}

static bool has_x2apic(void)
{
    return cpuid(1, 0).c >> 21 & 1;
}

void apic_base(void)
{
    u64 base = rdmsr(BASE), v;
    u32 bits = cpuid(0x80000008, 0).a & 0xff;

    check("BSP bit", base & 0x100, 0x100);
    check("version", (apic_read(0x30) & 0xff) >= 0x10 && (apic_read(0x30) & 0xff) <= 0x15,
          1);
    check("ID is CPUID's", apic_read(0x20) >> 24, cpuid(1, 0).b >> 24);
    check("reserved low bit", try_wrmsr(BASE, base | 1), ERR(GP, 0));
    check("reserved address bit",
          bits >= 52 || try_wrmsr(BASE, base | 1ull << bits) == ERR(GP, 0), 1);
    apic_write(0xf0, 0x1ff);
    wrmsr(BASE, base & ~(u64)EN);
    check("disabled: CPUID has no APIC", cpuid(1, 0).d >> 9 & 1, 0);
    check("disabled: reads give ones", READ((u32 *)(APIC + 0x30)), 0xffffffff);
    write_cr8(5);
    check("disabled: CR8 still works", read_cr8(), 5);
    check("disabled: no TPR in memory", READ((u32 *)(APIC + 0x80)), 0xffffffff);
    write_cr8(0);
    wrmsr(BASE, base);
    check("enabled again", cpuid(1, 0).d >> 9 & 1, 1);
    check("SVR after it", apic_read(0xf0), 0xff);
    apic_write(0xf0, 0x1ff);
    write_cr8(9);
    check("CR8 is TPR[7:4]", apic_read(0x80), 0x90);
    apic_write(0x80, 0x35);
    check("TPR's low bits are kept, CR8 has the class", read_cr8(), 3);
    check("TPR reads back", apic_read(0x80), 0x35);
    write_cr8(0);
    check("CR8 clears the low bits", apic_read(0x80), 0);
    apic_write(0x80, 0x20);
    check("PPR follows TPR", apic_read(0xa0), 0x20);
    apic_write(0x80, 0);
    wrmsr(BASE, (base & 0xfff) | 0xfed40000);
    check("another base", READ((u32 *)0xfed40030), READ((u32 *)0xfed40030));
    v = READ((u32 *)0xfed40030);
    wrmsr(BASE, base);
    apic_write(0xf0, 0x1ff);
    check("its version there", v, apic_read(0x30));
    if (!has_x2apic()) {
        check("x2APIC without the feature", try_wrmsr(BASE, base | EXTD), ERR(GP, 0));
        return;
    }
    check("disabled to x2APIC's bit alone", ({
              wrmsr(BASE, base & ~(u64)EN);
              try_wrmsr(BASE, (base & ~(u64)EN) | EXTD);
          }),
          ERR(GP, 0));
    check("disabled to x2APIC", try_wrmsr(BASE, base | EXTD), ERR(GP, 0));
    check("disabled to xAPIC", try_wrmsr(BASE, base), NONE);
    check("xAPIC to the invalid state", try_wrmsr(BASE, (base & ~(u64)EN) | EXTD),
          ERR(GP, 0));
    check("xAPIC to x2APIC", try_wrmsr(BASE, base | EXTD), NONE);
    check("x2APIC to xAPIC", try_wrmsr(BASE, base), ERR(GP, 0));
    check("x2APIC to the invalid state", try_wrmsr(BASE, (base & ~(u64)EN) | EXTD),
          ERR(GP, 0));
    check("x2APIC: no registers in memory", READ((u32 *)(APIC + 0x30)), 0xffffffff);
    check("x2APIC: ID", rdmsr(0x802), cpuid(0xb, 0).d);
    check("x2APIC: LDR", rdmsr(0x80d),
          (rdmsr(0x802) >> 4) << 16 | 1u << (rdmsr(0x802) & 15));
    check("x2APIC: ID is read-only", try_wrmsr(0x802, 0), ERR(GP, 0));
    check("x2APIC: LDR is read-only", try_wrmsr(0x80d, 0), ERR(GP, 0));
    check("x2APIC: version is read-only", try_wrmsr(0x803, 0), ERR(GP, 0));
    check("x2APIC: no DFR", try_rdmsr(0x80e, &v), ERR(GP, 0));
    check("x2APIC: no ICR2", try_rdmsr(0x831, &v), ERR(GP, 0));
    check("x2APIC: EOI takes 0", try_wrmsr(0x80b, 0), NONE);
    check("x2APIC: EOI takes nothing else", try_wrmsr(0x80b, 1), ERR(GP, 0));
    check("x2APIC: EOI is write-only", try_rdmsr(0x80b, &v), ERR(GP, 0));
    check("x2APIC: reserved register", try_rdmsr(0x804, &v), ERR(GP, 0));
    check("x2APIC: the last of the range", try_rdmsr(0x8ff, &v), ERR(GP, 0));
    check("x2APIC: reserved bits of TPR", try_wrmsr(0x808, 0x100), ERR(GP, 0));
    check("x2APIC: reserved bits of SVR", try_wrmsr(0x80f, 1ull << 32), ERR(GP, 0));
    check("x2APIC: SELF IPI takes 8 bits", try_wrmsr(0x83f, 0x100), ERR(GP, 0));
    check("x2APIC: SELF IPI is write-only", try_rdmsr(0x83f, &v), ERR(GP, 0));
    check("x2APIC: IRR is read-only", try_wrmsr(0x820, 0), ERR(GP, 0));
    check("x2APIC: current count is read-only", try_wrmsr(0x839, 0), ERR(GP, 0));
    check("x2APIC: ESR takes 0", try_wrmsr(0x828, 0), NONE);
    check("x2APIC: ESR takes nothing else", try_wrmsr(0x828, 1), ERR(GP, 0));
    check("x2APIC to disabled", try_wrmsr(BASE, base & ~(u64)EN), NONE);
    check("and to xAPIC", try_wrmsr(BASE, base), NONE);
    apic_write(0xf0, 0x1ff);
    check("ID after it", apic_read(0x20) >> 24, cpuid(1, 0).b >> 24);
    apic_write(0x20, 0x07000000);
    wrmsr(BASE, base & ~(u64)EN);
    wrmsr(BASE, base);
    apic_write(0xf0, 0x1ff);
    check("a written ID is gone after it", apic_read(0x20) >> 24, cpuid(1, 0).b >> 24);
}

static void interrupts(const char *mode)
{
    handlers[0x61] = handlers[0x71] = on_irq;
    handlers[0x62] = on_irq2;
    u32 self = apic_read(0x20);
    self = rdmsr(BASE) & EXTD ? self : self >> 24;

    hits = hits2 = 0;
    apic_icr(self, 0x4061);
    check("IRR while IF is 0", apic_read(0x200 + 0x10 * (0x61 / 32)) >> (0x61 & 31) & 1,
          1);
    sti_nop_cli();
    checkf(hits, 1, "%s: IPI to oneself by ID", mode);
    check("IRR afterwards", apic_read(0x200 + 0x10 * (0x61 / 32)), 0);
    hits = 0;
    apic_icr(0, 0x44061);
    sti_nop_cli();
    checkf(hits, 1, "%s: shorthand self", mode);
    hits = 0;
    apic_icr(0, 0x44061);
    apic_icr(0, 0x44061);
    sti_nop_cli();
    checkf(hits, 1, "%s: a vector is pending once", mode);
    hits = hits2 = 0;
    apic_icr(0, 0x44062);
    apic_icr(0, 0x44071);
    sti_nop_cli();
    checkf(hits * 16 + hits2, 17, "%s: two vectors", mode);
    checkf(order, 1, "%s: the higher class first", mode);
    hits = hits2 = 0;
    apic_icr(0, 0x44061);
    apic_icr(0, 0x44062);
    sti_nop_cli();
    checkf(order, 0, "%s: the higher vector of a class first", mode);
    apic_write(0x80, 0x60);
    hits = hits2 = 0;
    apic_icr(0, 0x44061);
    apic_icr(0, 0x44071);
    sti_nop_cli();
    checkf(hits * 256 + first_vector, 0x171, "%s: TPR holds its class back", mode);
    apic_write(0x80, 0);
    sti_nop_cli();
    checkf(hits, 2, "%s: and lets it in when lowered", mode);
    if (rdmsr(BASE) & EXTD) {
        hits = 0;
        wrmsr(0x83f, 0x61);
        sti_nop_cli();
        checkf(hits, 1, "%s: SELF IPI register", mode);
    }
    hits = 0;
    apic_icr(rdmsr(BASE) & EXTD ? 0xffffffff : 0xff, 0x4061);
    sti_nop_cli();
    checkf(hits, 1, "%s: broadcast address", mode);
    hits = 0;
    apic_icr(0, 0x84061);
    sti_nop_cli();
    checkf(hits, 1, "%s: all with self", mode);
    hits = 0;
    apic_icr(0, 0xc4061);
    sti_nop_cli();
    checkf(hits, 0, "%s: all but self", mode);
}

static void on_nested(Regs *r)
{
    hits++;
    check("ISR in the handler", apic_read(0x100 + 0x10 * (0x65 / 32)) >> (0x65 & 31) & 1,
          1);
    check("PPR in the handler", apic_read(0xa0), 0x60);
    u32 before = hits2;
    apic_icr(0, 0x44062);
    sti_nop_cli();
    check("the same class waits for EOI", hits2, before);
    handlers[0x71] = on_irq2;
    apic_icr(0, 0x44071);
    sti_nop_cli();
    check("a higher class does not", hits2, before + 1);
    apic_eoi();
}

void apic_interrupts(void)
{
    reset_xapic();
    interrupts("xAPIC");
    handlers[0x65] = on_nested;
    handlers[0x62] = on_irq2;
    hits = hits2 = 0;
    apic_icr(0, 0x44065);
    sti_nop_cli();
    sti_nop_cli();
    check("after EOI the waiting one comes", hits2, 2);
    /* logical destinations */
    handlers[0x61] = on_irq;
    apic_write(0xe0, 0xffffffff);
    apic_write(0xd0, 0x04000000);
    hits = 0;
    apic_icr(0x04, 0x4861);
    sti_nop_cli();
    check("logical, flat", hits, 1);
    hits = 0;
    apic_icr(0x08, 0x4861);
    sti_nop_cli();
    check("logical, flat: another bit", hits, 0);
    apic_write(0xe0, 0x0fffffff);
    apic_write(0xd0, 0x12000000);
    hits = 0;
    apic_icr(0x12, 0x4861);
    sti_nop_cli();
    check("logical, cluster", hits, 1);
    hits = 0;
    apic_icr(0x22, 0x4861);
    sti_nop_cli();
    check("logical, another cluster", hits, 0);
    apic_write(0xe0, 0xffffffff);
    apic_write(0xd0, 0);
    /* errors */
    apic_write(0x280, 0);
    apic_icr(0, 0x44000 | 5);
    apic_write(0x280, 0);
    check("ESR: illegal vector sent", apic_read(0x280) & 0x20, 0x20);
    apic_write(0x280, 0);
    apic_write(0x280, 0);
    check("ESR: cleared by two writes", apic_read(0x280), 0);
    apic_write(0xf0, 0xff);
    check("software-disabled: LVT is masked", apic_read(0x320) >> 16 & 1, 1);
    apic_write(0x320, 0x61);
    check("and stays masked", apic_read(0x320) >> 16 & 1, 1);
    apic_write(0xf0, 0x1ff);
    if (has_x2apic()) {
        wrmsr(BASE, rdmsr(BASE) | EXTD);
        wrmsr(0x80f, 0x1ff);
        interrupts("x2APIC");
        u32 ldr = rdmsr(0x80d);
        hits = 0;
        apic_icr(ldr, 0x4861);
        sti_nop_cli();
        check("x2APIC: logical", hits, 1);
        reset_xapic();
    } else {
        skip("x2APIC", "CPUID has none");
    }
}

/* ---- timers ---- */

/* A deadline taken back before it comes, by writing 0 or by leaving the mode; tried again
 * if the host took us away meanwhile. */
static bool disarmed_by(bool mode)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        u64 deadline = rdtsc() + tsc_per_ms() * 10;
        hits = 0;
        apic_write(0x320, 0x40061);
        asm volatile("mfence" ::: "memory");
        wrmsr(0x6e0, deadline);
        if (mode) {
            apic_write(0x320, 0x61);
        } else {
            wrmsr(0x6e0, 0);
        }
        u32 early = hits;
        if (rdtsc() >= deadline || early) {
            continue;
        }
        if (rdmsr(0x6e0)) {
            return false;
        }
        while (rdtsc() < deadline + tsc_per_ms() * 4) {
            pause();
        }
        return !hits;
    }
    return false;
}

void apic_timer(void)
{
    u32 t = 1000000;
    u64 start;

    reset_xapic();
    handlers[0x61] = on_irq;
    hits = 0;
    apic_write(0x3e0, 0xb);
    apic_write(0x320, 0x61);
    sti();
    start = rdtsc();
    apic_write(0x380, t);
    check("one-shot: counts down from its count", apic_read(0x390) <= t, 1);
    check("one-shot: comes", wait_for(&hits, 1, 1000), 1);
    check("one-shot: not before its time", when - start >= t / 2, 1);
    delay_us(3000);
    check("one-shot: once", hits, 1);
    check("one-shot: ends at 0", apic_read(0x390), 0);
    check("initial count is kept", apic_read(0x380), t);
    hits = 0;
    apic_write(0x320, 0x20061);
    apic_write(0x380, t);
    check("periodic: comes again and again", wait_for(&hits, 4, 2000), 1);
    apic_write(0x380, 0);
    delay_us(100);
    hits = 0;
    delay_us(3000);
    check("initial count 0 stops", hits, 0);
    check("current count 0", apic_read(0x390), 0);
    apic_write(0x320, 0x30061 & ~0x20000u);
    apic_write(0x380, 100000);
    delay_us(2000);
    check("masked: none", hits, 0);
    check("masked: it counts all the same", apic_read(0x390), 0);
    apic_write(0x320, 0x61);
    delay_us(100);
    check("unmasking brings none late", hits, 0);
    /* division */
    static const u8 codes[] = { 0xb, 0, 1, 2, 3, 8, 9, 10 };
    u64 one = 0;
    for (unsigned i = 0; i < 8; i++) {
        bool ok = false;
        apic_write(0x3e0, codes[i]);
        apic_write(0x320, 0x10061);
        for (unsigned tries = 0; tries < 50 && !ok;
             tries++) { /* the host may take us away */
            apic_write(0x380, 0xffffffff);
            u64 t = rdtsc();
            delay_us(1000);
            u32 ticks = 0xffffffff - apic_read(0x390);
            t = rdtsc() - t;
            /* undivided ticks per 65,536 of the TSC: however long the host was away, but
             * not if that was between the two readings */
            u64 rate = ((u64)ticks << i << 16) / t;
            if (!i) {
                ok = one && rate > one - one / 16 && rate < one + one / 16;
                one = rate;
            } else {
                ok = rate > one - one / 4 && rate < one + one / 4;
            }
        }
        checkf(ok, 1, "divide by %d", 1 << i);
    }
    apic_write(0x3e0, 0xb);
    apic_write(0x380, 0);
    /* mode changed under way */
    bool goes_on = false;
    /* 50 ms: the host may take us away for longer */
    for (unsigned tries = 0; tries < 20 && !goes_on; tries++) {
        apic_write(0x320, 0x10061);
        apic_write(0x380, 50000000);
        apic_write(0x320, 0x30061);
        goes_on = apic_read(0x390) != 0;
    }
    check("one-shot to periodic: the count goes on", goes_on, 1);
    apic_write(0x320, 0x10061);
    apic_write(0x380, 0);
    if (cpuid(1, 0).c >> 24 & 1) {
        check("deadline 0 when not armed", rdmsr(0x6e0), 0);
        apic_write(0x320, 0x40061);
        asm volatile("mfence" ::: "memory");
        hits = 0;
        wrmsr(0x6e0, rdtsc());
        asm volatile("nop");
        check("a deadline in the past: at once", wait_for(&hits, 1, 100), 1);
        check("and is disarmed", rdmsr(0x6e0), 0);
        hits = 0;
        start = rdtsc();
        u64 deadline = start + tsc_per_ms();
        wrmsr(0x6e0, deadline);
        check("armed: reads back", rdmsr(0x6e0) == deadline || hits, 1);
        check("a deadline", wait_for(&hits, 1, 1000), 1);
        check("not before it", when >= deadline, 1);
        hits = 0;
        check("0 disarms", disarmed_by(false), 1);
        hits = 0;
        apic_write(0x380, 1000);
        delay_us(100);
        check("TSC-deadline mode ignores the initial count", hits + apic_read(0x390), 0);
        check("leaving the mode disarms", disarmed_by(true), 1);
        wrmsr(0x6e0, rdtsc());
        check("in one-shot mode the MSR takes nothing", rdmsr(0x6e0), 0);
    } else {
        skip("TSC-deadline", "CPUID has none");
    }
    cli();
    apic_write(0x320, 0x10061);
}

/* ---- other CPUs ---- */

static volatile u32 ap_hits, ap_nmis, ap_stop, stage;

static void on_ap_irq(Regs *r)
{
    __sync_fetch_and_add(&ap_hits, 1);
    apic_eoi();
}

static void on_ap_nmi(Regs *r)
{
    ap_nmis++;
}

static void ap_open(void *arg)
{
    stage = 1;
    sti();
    while (!ap_stop) {
        pause();
    }
    cli();
}

static void ap_sleep(void *arg)
{
    stage = 1;
    while (!ap_stop) {
        asm volatile("sti; hlt; cli" ::: "memory");
    }
}

static void ap_bits(void *arg)
{
    *(u64 *)arg = rdmsr(BASE);
}

static void on_both(Regs *r)
{
    __sync_fetch_and_add(&hits, 1);
    apic_eoi();
}

static void ping(const char *what)
{
    handlers[0x66] = on_ap_irq;
    handlers[NMI] = on_ap_nmi;
    ap_hits = ap_nmis = 0;
    for (u32 i = 1; i <= 1000; i++) {
        apic_icr(1, 0x4066);
        Patience p = { 0 };
        while (ap_hits < i && patient(&p, 4000000000ull)) {
            pause();
        }
        if (ap_hits != i) {
            break;
        }
    }
    checkf(ap_hits, 1000, "%s: 1000 IPIs, each answered", what);
    for (u32 i = 1; i <= 100; i++) {
        apic_icr(1, 0x4400);
        (void)wait_for(&ap_nmis, i, 1000);
    }
    checkf(ap_nmis, 100, "%s: 100 NMIs", what);
    ap_hits = 0;
    apic_icr(0, 0xc4066);
    checkf(wait_for(&ap_hits, 1, 1000), 1, "%s: all but self", what);
}

void apic_smp(void)
{
    u64 b = 0;

    if (!smp_start()) {
        skip("IPIs between CPUs", "one CPU");
        return;
    }
    check("CPUs that started", cpus_up, n_cpus);
    on_cpu(1, ap_bits, &b);
    check("the other is no BSP", b & 0x900, 0x800);
    ap_stop = stage = 0;
    on_cpu_async(1, ap_open, NULL);
    (void)wait_for(&stage, 1, 1000);
    ping("awake");
    ap_stop = 1;
    check("it ends", cpu_wait(1, 1000), 1);
    ap_stop = stage = 0;
    on_cpu_async(1, ap_sleep, NULL);
    (void)wait_for(&stage, 1, 1000);
    ping("halted");
    handlers[0x67] = on_both;
    hits = 0;
    apic_icr(0xff, 0x4067);
    sti_nop_cli();
    check("broadcast reaches both", wait_for(&hits, n_cpus, 1000), 1);
    hits = 0;
    apic_icr(0, 0x84067);
    sti_nop_cli();
    check("all with self reaches both", wait_for(&hits, n_cpus, 1000), 1);
    hits = 0;
    apic_icr(1, 0x4167); /* lowest priority */
    sti_nop_cli();
    check("lowest priority, one target", wait_for(&hits, 1, 1000), 1);
    ap_stop = 1;
    apic_icr(1, 0x4066);
    check("it ends too", cpu_wait(1, 1000), 1);
    if (has_x2apic()) {
        wrmsr(BASE, rdmsr(BASE) | EXTD);
        wrmsr(0x80f, 0x1ff);
        ap_stop = stage = 0;
        on_cpu_async(1, ap_sleep, NULL);
        (void)wait_for(&stage, 1, 1000);
        ping("from x2APIC to xAPIC");
        ap_stop = 1;
        apic_icr(1, 0x4066);
        check("it ends as well", cpu_wait(1, 1000), 1);
        reset_xapic();
    }
}

/* ---- I/O APIC ---- */

static void ioapic_write(u8 reg, u32 v)
{
    WRITE((u32 *)0xfec00000ul, reg);
    WRITE((u32 *)0xfec00010ul, v);
}

static u32 ioapic_read(u8 reg)
{
    WRITE((u32 *)0xfec00000ul, reg);
    return READ((u32 *)0xfec00010ul);
}

static void redirect(unsigned line, u32 low)
{
    ioapic_write(0x11 + 2 * line, apic_read(0x20) & 0xff000000);
    ioapic_write(0x10 + 2 * line, low);
}

static void line(unsigned n, u8 v)
{
    outb(0x2000 + n, v);
}

static u32 level_stop;
static void on_level(Regs *r)
{
    hits++;
    check("remote IRR while it is served", ioapic_read(0x10 + 2 * 14) >> 14 & 1, 1);
    if (hits == level_stop) {
        line(14, 0);
    }
    apic_eoi();
}

void ioapic(void)
{
    reset_xapic();
    check("entries", ioapic_read(1) >> 16 & 0xff, 23);
    ioapic_write(0, 0x0f000000);
    check("ID is writable", ioapic_read(0) >> 24 & 15, 15);
    ioapic_write(0, 0);
    handlers[0x77] = handlers[0x78] = on_irq;
    handlers[0x66] = on_irq2;
    hits = hits2 = 0;
    redirect(14, 0x77);
    line(14, 1);
    line(14, 0);
    sti_nop_cli();
    if (!hits) {
        skip("lines", "no pc-testdev");
        return;
    }
    check("edge", hits, 1);
    line(14, 1);
    sti_nop_cli();
    sti_nop_cli();
    check("edge: a line that stays is one", hits, 2);
    line(14, 0);
    sti_nop_cli();
    check("edge: nothing by falling", hits, 2);
    redirect(14, 0x10077);
    line(14, 1);
    line(14, 0);
    sti_nop_cli();
    check("masked", hits, 2);
    redirect(14, 0x77);
    sti_nop_cli();
    check("an edge under mask may be lost or kept", hits == 2 || hits == 3, 1);
    handlers[0x77] = on_level;
    hits = 0;
    level_stop = 3;
    redirect(14, 0x8077);
    line(14, 1);
    for (int i = 0; i < 6; i++) {
        sti_nop_cli();
    }
    check("level: again until the line falls", hits, 3);
    check("level: remote IRR afterwards", ioapic_read(0x10 + 2 * 14) >> 14 & 1, 0);
    handlers[0x77] = handlers[0x78] = on_irq;
    hits = hits2 = 0;
    redirect(14, 0x78);
    redirect(15, 0x66);
    line(15, 1);
    line(15, 0);
    line(14, 1);
    line(14, 0);
    sti_nop_cli();
    check("two at once", hits * 16 + hits2, 17);
    check("two at once: the higher first", order, 1);
    hits = 0;
    handlers[NMI] = on_ap_nmi;
    ap_nmis = 0;
    redirect(14, 0x400);
    line(14, 1);
    line(14, 0);
    delay_us(10);
    check("delivery mode NMI", ap_nmis, 1);
    redirect(14, 0x10000);
    redirect(15, 0x10000);
    apic_write(0xb0, 0);
}

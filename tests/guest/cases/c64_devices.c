/* SPDX-License-Identifier: MIT */
/* 8259A, 8254, MC146818 and the TSC as guests use them. */
#include "lib.h"

static volatile u32 hits, vector_seen;

static void eoi8259(Regs *r)
{
    hits++;
    vector_seen = r->vector;
    if (r->vector >= 0x58) {
        outb(0xa0, 0x20);
    }
    outb(0x20, 0x20);
}

static void no_eoi(Regs *r)
{
    hits++;
    vector_seen = r->vector;
}

static void pic_init(void)
{
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    outb(0x21, 0x50);
    outb(0xa1, 0x58);
    outb(0x21, 4);
    outb(0xa1, 2);
    outb(0x21, 1);
    outb(0xa1, 1);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    for (unsigned i = 0x50; i < 0x60; i++) {
        handlers[i] = eoi8259;
    }
}

static void line(unsigned n, u8 v)
{
    outb(0x2000 + n, v);
}
static void pulse(unsigned n)
{
    line(n, 0);
    line(n, 1);
    line(n, 0);
}

void pic(void)
{
    apic_write(0xf0, 0x1ff);
    apic_write(0x350, 0x700); /* LINT0: ExtINT */
    pic_init();
    check("IMR reads back", inb(0x21) << 8 | inb(0xa1), 0xffff);
    outb(0x21, 0xfe);
    outb(0x43, 0x30); /* counter 0, mode 0 */
    outb(0x40, 0xff);
    outb(0x40, 0x03);
    hits = 0;
    sti();
    check("counter 0 in mode 0: one interrupt", wait_for(&hits, 1, 2000), 1);
    delay_us(3000);
    check("and no more", hits, 1);
    check("its vector", vector_seen, 0x50);
    outb(0x43, 0x34); /* mode 2 */
    outb(0x40, 0xa9);
    outb(0x40, 0x04);
    hits = 0;
    check("mode 2: a train", wait_for(&hits, 5, 2000), 1);
    outb(0x43, 0x30);
    outb(0x40, 0xff);
    outb(0x40, 0xff);
    cli();
    outb(0x21, 0xff);
    outb(0x20, 0x0a);
    (void)inb(0x20);
    outb(0x20, 0x0b);
    check("ISR is empty", inb(0x20), 0);
    outb(0x21, 0xfb); /* cascade */
    outb(0xa1, 0xbf); /* line 14 */
    hits = 0;
    pulse(14);
    line(14, 1);
    sti_nop_cli();
    if (!hits) {
        skip("slave lines", "no pc-testdev");
        line(14, 0);
    } else {
        check("a line of the slave", vector_seen, 0x5e);
        line(14, 0);
        outb(0x21, 0xdb);
        handlers[0x5e] = no_eoi;
        line(14, 1);
        hits = 0;
        sti_nop_cli();
        line(5, 1);
        sti_nop_cli();
        check("a lower priority waits for EOI", hits, 1);
        outb(0xa0, 0x66); /* specific EOI 6 */
        outb(0x20, 0x62);
        sti_nop_cli();
        check("specific EOI lets it in", vector_seen, 0x55);
        line(14, 0);
        line(5, 0);
        handlers[0x5e] = eoi8259;
        /* special mask, rotation */
        outb(0x20, 0xc4); /* lowest priority: 4, so 5 is the highest */
        outb(0x21, 0xd7); /* 3 and 5 */
        line(3, 1);
        line(5, 1);
        hits = 0;
        sti_nop_cli();
        check("rotated priority: 5 before 3", vector_seen == 0x53 && hits == 2, 1);
        line(3, 0);
        line(5, 0);
        outb(0x20, 0xc7);
    }
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    apic_write(0x350, 0x10700);
}

static u32 pit_read(unsigned n)
{
    outb(0x43, n << 6);
    u32 lo = inb(0x40 + n);
    return lo | inb(0x40 + n) << 8;
}

void pit(void)
{
    outb(0x61, (inb(0x61) & ~2) | 1);
    outb(0x43, 0xb0); /* counter 2, mode 0, 16 bits */
    outb(0x42, 0x10);
    outb(0x42, 0x27);
    u32 a = pit_read(2), b = pit_read(2);
    check("counts down", a > b || !b, 1);
    bool ok = false;
    for (unsigned tries = 0; tries < 500 && !ok;
         tries++) { /* the host may take us away */
        outb(0x42, 0xff);
        outb(0x42, 0xff);
        u64 t0 = rdtsc(), per = tsc_per_ms();
        a = pit_read(2);
        u64 t1 = rdtsc();
        delay_us(1000);
        u64 t2 = rdtsc();
        b = pit_read(2);
        u64 least = (t2 - t1) * 1193 / per, most = (rdtsc() - t0) * 1193 / per;
        ok = a - b > least - least / 20 && a - b < most + most / 20 && most < 50000;
    }
    check("1,193 ticks in a millisecond", ok, 1);
    ok = false;
    for (unsigned tries = 0; tries < 500 && !ok; tries++) {
        outb(0x43, 0xb0);
        outb(0x42, 0x00);
        outb(0x42, 0x02);
        ok = !(inb(0x61) & 0x20);
    }
    check("OUT 2 is low before", ok, 1);
    delay_us(1000);
    check("OUT 2 is high after", inb(0x61) & 0x20, 0x20);
    outb(0x43, 0xe8); /* read-back: status of counter 2 */
    check("status: OUT, mode 0, 16 bits", inb(0x42) & 0xbf, 0xb0);
    outb(0x61, inb(0x61) & ~1);
    outb(0x43, 0xb0);
    outb(0x42, 0x00);
    outb(0x42, 0x10);
    a = pit_read(2);
    delay_us(200);
    check("gate low stops it", pit_read(2), a);
    outb(0x43, 0x90 | 0x08); /* mode 4, low byte */
    outb(0x42, 0x55);
    outb(0x43, 0xe8);
    check("status: mode 4, low byte", inb(0x42) & 0x3f, 0x18);
    outb(0x61, inb(0x61) | 1);
    outb(0x43, 0xb6); /* mode 3 */
    outb(0x42, 0x00);
    outb(0x42, 0x40);
    delay_us(200);
    check("mode 3 counts by two", (pit_read(2) & 1) == 0, 1);
    outb(0x61, inb(0x61) & ~3);
}

static u8 cmos(u8 r)
{
    outb(0x70, r);
    return inb(0x71);
}

static void cmos_write(u8 r, u8 v)
{
    outb(0x70, r);
    outb(0x71, v);
}

void rtc(void)
{
    u32 n = 0;
    check("register D: valid", cmos(13), 0x80);
    u8 s = cmos(0);
    for (n = 0; n < 20000 && cmos(0) == s; n++) {
        delay_us(100);
    }
    check("seconds go on", cmos(0) != s, 1);
    check("seconds are BCD below 60", (cmos(0) & 15) < 10 && cmos(0) < 0x60, 1);
    cmos_write(11, cmos(11) | 0x80); /* SET */
    cmos_write(0, 0x58);
    check("SET: written seconds", cmos(0), 0x58);
    cmos_write(11, cmos(11) & ~0x80);
    for (n = 0; n < 25000 && cmos(0) >= 0x58; n++) {
        delay_us(100);
    }
    check("59 rolls over", cmos(0) < 0x50, 1);
    (void)cmos(12);
    cmos_write(10, (cmos(10) & 0xf0) | 6); /* 1,024 Hz */
    cmos_write(11, cmos(11) | 0x40);
    u8 c = 0, d = 0xff;
    for (n = 0; n < 25000 && (!c || d); n++) { /* the host may be busy */
        delay_us(100);
        c = cmos(12) & 0xc0;
        d = cmos(12) & 0x40;
    }
    check("periodic flag", c, 0xc0);
    check("reading C clears it", d, 0);
    cmos_write(11, cmos(11) & ~0x40);
    cmos_write(0x40, 0x5a);
    check("a byte of CMOS", cmos(0x40), 0x5a);
}

void tsc(void)
{
    u64 a = rdtsc(), b;
    b = rdtsc();
    check("goes on", b > a, 1);
    if (cpuid(7, 0).b & 2) {
        check("TSC_ADJUST begins with 0", rdmsr(0x3b), 0);
        u64 t = 100000000000ull;
        a = rdtsc();
        wrmsr(0x3b, t);
        b = rdtsc();
        check("TSC_ADJUST reads back", rdmsr(0x3b), t);
        check("TSC_ADJUST moves the TSC", b - a >= t, 1);
        wrmsr(0x3b, 0);
        a = rdtsc();
        wrmsr(0x10, t);
        b = rdtsc();
        u64 adj = rdmsr(0x3b);
        check("a write to TSC moves TSC_ADJUST", a <= t - adj, 1);
        check("TSC goes on from what was written", b >= t && b < t + 10000000000ull, 1);
        wrmsr(0x3b, 0);
    }
    if (cpuid(0x80000001, 0).d >> 27 & 1) {
        u32 aux;
        wrmsr(0xc0000103, 0x1234);
        asm volatile("rdtscp" : "=c"(aux)::"rax", "rdx", "memory");
        check("RDTSCP gives TSC_AUX", aux, 0x1234);
        check("TSC_AUX has 32 bits", try_wrmsr(0xc0000103, 1ull << 32), ERR(GP, 0));
    }
}

void port_sizes(void)
{
    outl(0xe0, 0x11223344);
    if (inl(0xe0) != 0x11223344) {
        skip("scratch ports", "no pc-testdev");
        return;
    }
    check("byte of a long", inb(0xe2), 0x22);
    outw(0xe1, 0xaabb);
    check("word into a long", inl(0xe0), 0x11aabb44);
    static char text[] = "abcdefgh";
    char *p = text;
    u32 c = 8;
    asm volatile("cld; rep outsb" : "+S"(p), "+c"(c) : "d"(0xe0) : "memory");
    check("REP OUTS: last byte", inb(0xe0), 'h');
    check("REP OUTS: RSI", (ulong)(p - text), 8);
    p = text + 7;
    c = 8;
    asm volatile("std; rep outsb; cld" : "+S"(p), "+c"(c) : "d"(0xe0) : "memory");
    check("REP OUTS down: last byte", inb(0xe0), 'a');
    static u16 buf[4];
    u16 *q = buf;
    c = 4;
    outw(0xe0, 0x9999);
    asm volatile("cld; rep insw" : "+D"(q), "+c"(c) : "d"(0xe0) : "memory");
    check("REP INS", buf[0] == 0x9999 && buf[3] == 0x9999, 1);
    /* memory-mapped */
    volatile u8 *m = (volatile u8 *)0xff000000ul;
    *(volatile u64 *)m = 0x1122334455667788ull;
    check("memory-mapped 8 bytes", *(volatile u64 *)m, 0x1122334455667788ull);
    check("memory-mapped byte", m[6], 0x22);
    m[4095] = 0x99;
    m[4096] = 0x77;
    check("memory-mapped across a page", *(volatile u16 *)(m + 4095), 0x7799);
    *(volatile u16 *)(m + 4095) = 0x88aa;
    check("written across a page", m[4095] << 8 | m[4096], 0xaa88);
    *(volatile u32 *)m = 5;
    asm volatile("lock incl (%0)" ::"r"(m) : "memory");
    check("locked", *(volatile u32 *)m, 6);
    u32 eax = 6, ok;
    asm volatile("lock cmpxchgl %2, (%1); sete %b0; movzbl %b0, %0"
                 : "=&q"(ok), "+r"(m)
                 : "r"(9), "a"(eax)
                 : "memory");
    check("CMPXCHG", *(volatile u32 *)m * 2 + ok, 19);
    asm volatile("btsl $31, (%0); bsrl (%0), %%eax; orl $0x40, (%0)" ::"r"(m)
                 : "memory", "rax");
    check("BTS, OR", *(volatile u32 *)m, 0x80000049);
    asm volatile("pushq (%0); popq 8(%0)" ::"r"(m) : "memory");
    check("PUSH and POP of memory", *(volatile u64 *)(m + 8), *(volatile u64 *)m);
    u64 v = 0;
    asm volatile("movups (%1), %%xmm0; movups %%xmm0, 32(%1); movq 32(%1), %0"
                 : "=r"(v)
                 : "r"(m)
                 : "memory");
    check("SSE moves", v, *(volatile u64 *)m);
    c = 1024;
    volatile u8 *d = m + 4032;
    asm volatile("cld; rep insb" : "+D"(d), "+c"(c) : "d"(0xe0) : "memory");
    check("REP INS to memory-mapped", m[4032 + 1023], 0x99);
    memcpy((void *)(m + 0x8000), "0123456789", 10);
    check("REP MOVS to memory-mapped", m[0x8009], '9');
}

/* ---- fw_cfg, as kernels without a driver ask it ---- */

static u64 fw_cfg_key(u16 key, unsigned n)
{
    u64 v = 0;
    outw(0x510, key);
    for (unsigned i = 0; i < n; i++) {
        v |= (u64)inb(0x511) << 8 * i;
    }
    return v;
}

void fw_cfg(void)
{
    check("signature", fw_cfg_key(0, 4), 0x554d4551);
    check("number of CPUs", fw_cfg_key(5, 2), n_cpus);
    check("the most CPUs", fw_cfg_key(15, 2) >= n_cpus, 1);
    u64 ram = fw_cfg_key(3, 8);
    check("RAM in whole MiB", ram != 0 && !(ram & 0xfffff), 1);
    WRITE((u32 *)(ulong)(ram - 4), 0x600df00d);
    check("its last word is RAM", READ((u32 *)(ulong)(ram - 4)), 0x600df00d);
    check("a key that is not there reads 0", fw_cfg_key(0x3ff0, 4), 0);
    /* ACPI's root pointer on a 16-byte boundary of the BIOS area, with a checksum of 0 */
    u8 *rsdp = NULL;
    for (ulong a = 0xe0000; a < 0x100000 && !rsdp; a += 16) {
        if (memcmp((void *)a, "RSD PTR ", 8) == 0) {
            rsdp = (u8 *)a;
        }
    }
    check("RSDP", rsdp != NULL, 1);
    if (rsdp) {
        u8 sum = 0;
        for (unsigned i = 0; i < 20; i++) {
            sum += rsdp[i];
        }
        check("RSDP: checksum", sum, 0);
        u8 *rsdt = (u8 *)(ulong) * (u32 *)(rsdp + 16);
        check("RSDT", memcmp(rsdt, "RSDT", 4), 0);
        bool fadt = false;
        for (u32 i = 36; i + 4 <= *(u32 *)(rsdt + 4); i += 4) {
            u8 *t = (u8 *)(ulong) * (u32 *)(rsdt + i);
            if (memcmp(t, "FACP", 4) == 0) {
                fadt = true;
                u8 *facs = (u8 *)(ulong) * (u32 *)(t + 36);
                check("FACS", memcmp(facs, "FACS", 4), 0);
                u32 a = inl(*(u32 *)(t + 76)), b = inl(*(u32 *)(t + 76));
                delay_us(100);
                check("the PM timer's port counts", inl(*(u32 *)(t + 76)) != a || a != b,
                      1);
            }
        }
        check("FADT", fadt, 1);
    }
}

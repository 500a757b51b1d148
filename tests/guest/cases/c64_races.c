/* SPDX-License-Identifier: MIT */
/*
 * What is decided at the boundary of an instruction, many times over: NMIs of two CPUs at
 * once, NMIs around STI, a deadline that has passed; and every register of x2APIC mode.
 */
#include "lib.h"

#define BASE 0x1b
#define EXTD 0x400

static volatile u32 nmis, flushed, mine, theirs, stop, bad_ip, ticks;

/* ---- x2APIC: which of its 256 registers are there (SDM vol. 3, table 11-6) ---- */

static bool readable(unsigned r, bool cmci)
{
    return r == 2 || r == 3 || r == 8 || r == 0xa || r == 0xd || r == 0xf ||
           (r >= 0x10 && r <= 0x28) || (r == 0x2f && cmci) || r == 0x30 ||
           (r >= 0x32 && r <= 0x39) || r == 0x3e;
}

static bool writable(unsigned r, bool cmci)
{
    return r == 8 || r == 0xb || r == 0xf || r == 0x28 || (r == 0x2f && cmci) ||
           r == 0x30 || (r >= 0x32 && r <= 0x38) || r == 0x3e || r == 0x3f;
}

void x2apic_registers(void)
{
    u64 v, base = rdmsr(BASE);
    u32 got = 0, put = 0, wide = 0;

    for (unsigned r = 0; r < 256; r++) {
        got += try_rdmsr(0x800 + r, &v) != ERR(GP, 0);
        put += try_wrmsr(0x800 + r, 0) != ERR(GP, 0);
    }
    check("xAPIC mode: no register has an MSR", got + put, 0);
    if (!(cpuid(1, 0).c >> 21 & 1)) {
        skip("x2APIC registers", "no x2APIC");
        return;
    }
    bool cmci = (apic_read(0x30) >> 16 & 0xff) >= 6;
    wrmsr(BASE, base | EXTD);
    got = put = 0;
    for (unsigned r = 0; r < 256; r++) {
        u64 c = try_rdmsr(0x800 + r, &v);
        if (c != (readable(r, cmci) ? NONE : ERR(GP, 0))) {
            checkf(c, readable(r, cmci) ? NONE : ERR(GP, 0), "reading %x", 0x800 + r);
            got++;
        }
        /* what was read is accepted again; write-only ones take 0 (SELF IPI: a vector) */
        c = r == 0x30 ? NONE : try_wrmsr(0x800 + r, c == NONE ? v : r == 0x3f ? 0x20 : 0);
        if (c != (writable(r, cmci) ? NONE : ERR(GP, 0))) {
            checkf(c, writable(r, cmci) ? NONE : ERR(GP, 0), "writing %x", 0x800 + r);
            put++;
        }
        wide += r != 0x30 && try_wrmsr(0x800 + r, ~0ull) != ERR(GP, 0);
    }
    check("x2APIC: what reads", got, 0);
    check("x2APIC: what takes a value", put, 0);
    check("x2APIC: upper halves are reserved", wide, 0);
    wrmsr(BASE, base & ~0x800ull);
    wrmsr(BASE, base);
    apic_write(0xf0, 0x1ff);
}

/* ---- NMIs ---- */

static void on_nmi(Regs *r)
{
    nmis++;
}

static void on_flush(Regs *r)
{
    flushed = 1;
    apic_eoi();
}

static void kick(void *arg)
{
    while (!stop) {
        theirs++;
        while (theirs != mine && !stop) {
            pause();
        }
        if (stop) {
            break;
        }
        apic_icr(0, 0x4400);
        apic_icr(0, 0x4044); /* behind it, so that the NMI has arrived */
        while (theirs == mine && !stop) {
            pause();
        }
    }
}

/* Whoever is second, both are taken: one of them while the other is served. */
static void two_senders(void)
{
    u32 wrong = 0;

    handlers[NMI] = on_nmi;
    handlers[0x44] = on_flush;
    stop = mine = theirs = 0;
    on_cpu_async(1, kick, NULL);
    sti();
    for (u32 i = 0; i < 2000 && wrong < 5; i++) {
        flushed = nmis = 0;
        mine++;
        Patience p = { 0 };
        while (theirs != mine && patient(&p, 4000000000ull)) {
            pause();
        }
        apic_icr(0, 0x4400);
        while (!flushed && patient(&p, 8000000000ull)) {
            pause();
        }
        wrong += nmis != 2;
    }
    cli();
    stop = 1;
    check("two CPUs send an NMI: two are taken, 2,000 times", wrong, 0);
    check("it ends", cpu_wait(1, 1000), 1);
}

/* An NMI's handler sends ten: one of them is remembered. */
static volatile u32 nested;
static void on_pending_nmi(Regs *r)
{
    if (++nested == 1) {
        for (int i = 0; i < 10; i++) {
            apic_icr(0, 0x400);
        }
    }
}

static void pending(void)
{
    u32 wrong = 0;

    handlers[NMI] = on_pending_nmi;
    for (int i = 0; i < 2000; i++) {
        nested = 0;
        apic_icr(0, 0x400);
        for (int n = 0; nested < 2 && n < 1000000; n++) {
            pause();
        }
        wrong += nested != 2;
    }
    check("ten NMIs in the handler: one more, 2,000 times", wrong, 0);
}

extern char behind_sti[];
static volatile u32 sti_nmis, ap_nmis;

static void on_sti_nmi(Regs *r)
{
    ap_nmis++;
    bad_ip += r->ip == (ulong)behind_sti;
}

static void sti_loop(void *arg)
{
    for (ulong k = 0; !stop; k++) {
        asm volatile(
            "sti\n\t.globl behind_sti\nbehind_sti: testb $0, (%0)\n\tnop\n\tcli" ::"r"(
                k % 16384 * 4096)
            : "memory");
        sti_nmis = ap_nmis;
    }
}

static void around_sti(void)
{
    handlers[NMI] = on_sti_nmi;
    stop = sti_nmis = ap_nmis = bad_ip = 0;
    on_cpu_async(1, sti_loop, NULL);
    for (u32 i = 0; i < 300; i++) {
        u32 old = sti_nmis;
        apic_icr(1, 0x4400);
        Patience p = { 0 };
        while (sti_nmis == old && patient(&p, 4000000000ull)) {
            pause();
        }
    }
    stop = 1;
    check("it ends as well", cpu_wait(1, 1000), 1);
    check("300 NMIs at a CPU that opens and closes interrupts", ap_nmis, 300);
    check("none of them between STI and the next instruction", bad_ip, 0);
}

void nmi_races(void)
{
    pending();
    if (!smp_start()) {
        skip("NMIs of two CPUs", "one CPU");
        return;
    }
    two_senders();
    around_sti();
}

/* ---- the timer, where its modes meet ---- */

static void on_tick(Regs *r)
{
    ticks++;
    apic_eoi();
}

/* The host took us away while until() waited: what comes next is late. */
static bool away;

static u32 until(u32 limit, bool below)
{
    Patience p = { 0 };
    u64 t = rdtsc();
    u32 c;

    away = false;
    while (((c = apic_read(0x390)) > limit) == below && patient(&p, 8000000000ull)) {
        u64 now = rdtsc();
        away |= now - t > 50000000;
        t = now;
    }
    away |= rdtsc() - t > 50000000;
    return c;
}

/* From one-shot or periodic (lvt) in the second half of the count to the other: the count
 * goes on from where it was. */
static bool goes_on(u32 lvt, u32 to, u32 count)
{
    u32 c = 0;

    away = true;
    for (unsigned tries = 0; tries < 50 && away; tries++) {
        apic_write(0x320, lvt);
        apic_write(0x380, count);
        until(count / 2, true);
        apic_write(0x320, to);
        c = apic_read(0x390);
    }
    return c && c < count / 2;
}

void timer_modes(void)
{
    const u32 count = 0x10000000; /* 268 ms: more than a busy host holds a CPU back */

    handlers[0xee] = on_tick;
    apic_write(0x3e0, 0xb);
    apic_write(0x380, 0);
    apic_write(0x320, 0xee); /* one-shot */
    apic_write(0x380, count);
    apic_write(0x320, 0x200ee);
    check("one-shot to periodic: the initial count stays", apic_read(0x380), count);
    apic_write(0x320, 0xee);
    apic_write(0x380, count);
    check("written again: it counts", apic_read(0x390) != 0, 1);
    until(0, true);
    check("one-shot: ends at 0", apic_read(0x390), 0);
    check("to periodic in the second half: not begun anew", goes_on(0xee, 0x200ee, count),
          1);
    bool anew = false;
    /* the host may take us away at the wrong moment */
    for (unsigned tries = 0; tries < 50 && !anew; tries++) {
        until(count / 2, true);
        until(count / 2, false);
        anew = apic_read(0x390) > count / 2;
    }
    check("periodic: begins anew from the initial count", anew, 1);
    check("to one-shot: not begun anew", goes_on(0x200ee, 0xee, count), 1);
    until(0, true);
    check("and it ends", apic_read(0x390), 0);
    apic_write(0x320, 0x200ee);
    check("ended, then periodic: it stays at 0", apic_read(0x390), 0);
    apic_write(0x320, 0x10000);
    sti_nop_cli();
    if (!(cpuid(1, 0).c >> 24 & 1)) {
        skip("a deadline that has passed", "no TSC-deadline mode");
        return;
    }
    apic_write(0x320, 0x400ee);
    u32 late = 0;
    for (int i = 0; i < 1000; i++) {
        ticks = 0;
        u64 now = rdtsc();
        asm volatile("sti; nop; wrmsr; nop; cli" ::"c"(0x6e0), "a"((u32)now),
                     "d"((u32)(now >> 32))
                     : "memory");
        late += ticks != 1 || rdmsr(0x6e0);
    }
    check("a deadline that has passed: taken at once, 1,000 times", late, 0);
    apic_write(0x320, 0x10000);
}

/* ---- KVM's hypercalls, where the CPU says that it has them ---- */

static u64 vmcall(u64 nr, bool amd)
{
    u64 r = nr;
    if (amd) {
        asm volatile(TRY "vmmcall" END
                     : "+a"(r)
                     : "b"(0), "c"(0), "d"(0), "S"(0)
                     : "memory");
    } else {
        asm volatile(TRY "vmcall" END
                     : "+a"(r)
                     : "b"(0), "c"(0), "d"(0), "S"(0)
                     : "memory");
    }
    return r;
}

void hypercalls(void)
{
    Cpuid k = cpuid(0x40000000, 0);
    bool kvm = k.b == 0x4b4d564b && k.c == 0x564b4d56 && k.d == 0x4d;

    for (int amd = 0; amd < 2; amd++) {
        u64 r = vmcall(~0ull, amd);
        if (kvm) {
            checkf(caught(), NONE, "%s is taken", amd ? "VMMCALL" : "VMCALL");
            checkf(r, -1000, "%s: an unknown call is answered ENOSYS",
                   amd ? "VMMCALL" : "VMCALL");
        } else {
            checkf(caught(), UD, "%s without a hypervisor", amd ? "VMMCALL" : "VMCALL");
        }
    }
    /* instructions of virtualization that CPUID does not offer */
    static const struct {
        const char *name;
        u8 code[4];
    } rows[] = {
        { "VMLAUNCH", { 0x0f, 1, 0xc2, 0xc3 } }, { "VMRESUME", { 0x0f, 1, 0xc3, 0xc3 } },
        { "VMXOFF", { 0x0f, 1, 0xc4, 0xc3 } },   { "VMRUN", { 0x0f, 1, 0xd8, 0xc3 } },
        { "VMLOAD", { 0x0f, 1, 0xda, 0xc3 } },   { "VMSAVE", { 0x0f, 1, 0xdb, 0xc3 } },
        { "STGI", { 0x0f, 1, 0xdc, 0xc3 } },     { "CLGI", { 0x0f, 1, 0xdd, 0xc3 } },
        { "SKINIT", { 0x0f, 1, 0xde, 0xc3 } },   { "INVLPGA", { 0x0f, 1, 0xdf, 0xc3 } },
        { "RDPRU", { 0x0f, 1, 0xfd, 0xc3 } },    { "XEND", { 0x0f, 1, 0xd5, 0xc3 } },
        { "MONITORX", { 0x0f, 1, 0xfa, 0xc3 } }, { "MWAITX", { 0x0f, 1, 0xfb, 0xc3 } },
        { "ENCLS", { 0x0f, 1, 0xcf, 0xc3 } },    { "RDPKRU", { 0x0f, 1, 0xee, 0xc3 } },
        { "VMFUNC", { 0x0f, 1, 0xd4, 0xc3 } },   { "XTEST", { 0x0f, 1, 0xd6, 0xc3 } },
    };
    if (cpuid(1, 0).c & 1 << 5 || cpuid(0x80000001, 0).c & 1 << 2) {
        skip("virtualization that is not offered", "it is offered");
        return;
    }
    for (unsigned i = 0; i < COUNT(rows); i++) {
        asm volatile(TRY "call *%0" END ::"r"(rows[i].code), "a"(0), "c"(0), "d"(0)
                     : "memory");
        checkf(caught(), UD, "%s is not offered", rows[i].name);
    }
    u64 v;
    check("IA32_FEATURE_CONTROL or none", try_rdmsr(0x3a, &v) == ERR(GP, 0) || !(v & 4),
          1);
    check("IA32_VMX_BASIC", try_rdmsr(0x480, &v), ERR(GP, 0));
    check("EFER.SVME", try_wrmsr(0xc0000080, rdmsr(0xc0000080) | 1 << 12), ERR(GP, 0));
    check("CR4.VMXE", ({
              asm volatile(TRY "mov %0, %%cr4" END ::"r"(read_cr4() | 1 << 13)
                           : "memory");
              caught();
          }),
          ERR(GP, 0));
}

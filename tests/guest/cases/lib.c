/* SPDX-License-Identifier: MIT */
/* Verdicts, traps, the local APIC and other CPUs for the system-level cases. */
#include "lib.h"

volatile Trap trap;
volatile ulong resume, resume_sp;
volatile Handler handlers[256];
ulong user_value;
volatile ulong user_var USER_DATA;
unsigned n_cpus = 1;
volatile u32 cpus_up = 1;
static const char *group;
static bool group_open;

extern void group_call(void (*fn)(void)); /* start*.S: returns early by group_leave */
extern void group_leave(void) __attribute__((noreturn));
extern void user_leave(void) __attribute__((noreturn));
#ifndef __x86_64__
extern ulong resume_frame; /* start32.S */
#endif

/* ---- libc's few ---- */

void *memset(void *p, int c, ulong n)
{
    u8 *d = p;
    asm volatile("cld; rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return p;
}

void *memcpy(void *d, const void *s, ulong n)
{
    void *p = d;
    asm volatile("cld; rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
    return p;
}

int memcmp(const void *a, const void *b, ulong n)
{
    const u8 *x = a, *y = b;
    for (ulong i = 0; i < n; i++) {
        if (x[i] != y[i]) {
            return x[i] - y[i];
        }
    }
    return 0;
}

/* ---- printing ---- */

static void put(char c)
{
    outb(0xe9, c);
}

static void put_str(const char *s)
{
    while (*s) {
        put(*s++);
    }
}

static void put_hex(u64 v)
{
    int i = 60;
    while (i && !(v >> i & 15)) {
        i -= 4;
    }
    for (; i >= 0; i -= 4) {
        put("0123456789abcdef"[v >> i & 15]);
    }
}

static void put_dec(u32 v)
{
    char b[12];
    int n = 0;
    do {
        b[n++] = '0' + v % 10;
        v /= 10;
    } while (v);
    while (n) {
        put(b[--n]);
    }
}

static void vprint(const char *f, __builtin_va_list ap)
{
    for (; *f; f++) {
        if (*f != '%') {
            put(*f);
            continue;
        }
        switch (*++f) {
        case 's': put_str(__builtin_va_arg(ap, const char *)); break;
        case 'd': put_dec(__builtin_va_arg(ap, u32)); break;
        case 'x': put_hex(__builtin_va_arg(ap, u32)); break;
        case 'X': put_hex(__builtin_va_arg(ap, u64)); break;
        }
    }
}

void print(const char *f, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, f);
    vprint(f, ap);
    __builtin_va_end(ap);
}

/* ---- verdicts ---- */

void checkf(u64 got, u64 want, const char *f, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, f);
    print("%s %s: ", got == want ? "PASS" : "FAIL", group);
    vprint(f, ap);
    __builtin_va_end(ap);
    if (got != want) {
        print(": expected %X, got %X", want, got);
    }
    put('\n');
}

void check(const char *name, u64 got, u64 want)
{
    checkf(got, want, "%s", name);
}

void skip(const char *name, const char *why)
{
    print("SKIP %s: %s: %s\n", group, name, why);
}

/* ---- traps ---- */

u64 caught(void)
{
    return trap.vector < 0 ? NONE : ERR(trap.vector, trap.error);
}

void on_trap(Regs *r)
{
    Handler h = handlers[r->vector];
    if (h) {
        h(r);
        return;
    }
    if (r->vector == 0x40 && r->cs & 3) { /* the end of a user function */
        user_value = r->ax;
        trap.vector = -1;
        user_leave();
    }
    trap.vector = r->vector;
    trap.error = r->error;
    trap.ip = r->ip;
    trap.flags = r->flags;
    trap.cs = r->cs;
#ifdef __x86_64__
    trap.sp = r->sp;
#else
    trap.sp = r->cs & 3 ? r->sp : (ulong)&r->sp;
#endif
    trap.cr2 = read_cr2();
    trap.dr6 = read_dr6();
    if (r->cs & 3 || r->flags & 0x20000) {
        user_leave();
    }
    if (resume) {
        r->ip = resume;
        resume = 0;
        r->flags &= ~0x100ul;
#ifdef __x86_64__
        r->sp = resume_sp;
        r->cs = 8;
        r->ss = 0x10;
#else
        ulong *f = (ulong *)resume_sp - 3; /* IRET from here: ESP as it was */
        ulong ip = r->ip, flags = r->flags & ~0x4000ul; /* f may lie over r */
        f[0] = ip;
        f[1] = 8;
        f[2] = flags;
        resume_frame = (ulong)f;
#endif
        return;
    }
    print("FAIL %s: unexpected trap: expected none, got %x error %x at %x:%X cr2 %X\n",
          group, (u32)r->vector, (u32)r->error, (u32)r->cs, (u64)r->ip, (u64)trap.cr2);
    if (group_open) {
        group_leave();
    }
    outb(0xf4, 1);
}

u64 try_rdmsr(u32 n, u64 *v)
{
    u32 lo = 0, hi = 0;
    asm volatile(TRY "rdmsr" END : "+a"(lo), "+d"(hi) : "c"(n) : "memory");
    *v = lo | (u64)hi << 32;
    return caught();
}

u64 try_wrmsr(u32 n, u64 v)
{
    asm volatile(TRY "wrmsr" END ::"c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
    return caught();
}

bool is_amd(void)
{
    return cpuid(0, 0).b == 0x68747541;
}

void set_desc(unsigned sel, u32 base, u32 limit, u8 access, u8 flags)
{
    gdt[sel / 8] = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
                   (u64)(limit >> 16 & 15) << 48 | (u64)flags << 52 |
                   (u64)(base >> 24) << 56;
}

/* ---- the local APIC ---- */

static bool x2apic(void)
{
    return rdmsr(0x1b) & 0x400;
}

u32 apic_read(u32 reg)
{
    return x2apic() ? (u32)rdmsr(0x800 + reg / 16) : READ((u32 *)(APIC + reg));
}

void apic_write(u32 reg, u32 v)
{
    if (x2apic()) {
        wrmsr(0x800 + reg / 16, v);
    } else {
        WRITE((u32 *)(APIC + reg), v);
    }
}

void apic_icr(u32 dest, u32 low)
{
    if (x2apic()) {
        wrmsr(0x830, (u64)dest << 32 | low);
    } else {
        WRITE((u32 *)(APIC + 0x310), dest << 24);
        WRITE((u32 *)(APIC + 0x300), low);
        while (READ((u32 *)(APIC + 0x300)) & 0x1000) {
            pause();
        }
    }
}

void apic_eoi(void)
{
    apic_write(0xb0, 0);
}

void mask_pics(void)
{
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

/* ---- time: the ACPI PM timer, 3,579,545 Hz, 24 bits, at 608H once PMREGMISC allows ---- */

static u16 pm_port;

static u32 pm_now(void)
{
    if (!pm_port) { /* PIIX4 function 3: PMBA at 40H, PMREGMISC at 80H */
        for (unsigned dev = 0; dev < 4 && !pm_port; dev++) {
            u32 cfg = 0x80000000u | dev << 11 | 3 << 8;
            outl(0xcf8, cfg);
            if (inl(0xcfc) == 0x71138086) {
                outl(0xcf8, cfg | 0x40);
                if (!(inl(0xcfc) & 0xffc0)) {
                    outl(0xcfc, 0x601);
                }
                pm_port = (inl(0xcfc) & 0xffc0) + 8;
                outl(0xcf8, cfg | 0x80);
                outb(0xcfc, inb(0xcfc) | 1);
            }
        }
    }
    return inl(pm_port) & 0xffffff;
}

void delay_us(u32 us)
{
    u32 start = pm_now(), ticks = us * 4 - us / 2 + us / 12;
    while (((pm_now() - start) & 0xffffff) < ticks) {
        pause();
    }
}

/* When the PM timer was read, in ticks of the TSC: the best of several readings, as the host
 * may take us away. */
static u64 when_pm(u32 *pm)
{
    u64 best = ~0ull, when = 0;
    for (unsigned i = 0; i < 16; i++) {
        u64 t = rdtsc();
        u32 v = pm_now();
        u64 took = rdtsc() - t;
        if (took < best) {
            best = took;
            when = t + took / 2;
            *pm = v;
        }
    }
    return when;
}

u64 tsc_per_ms(void)
{
    static u64 rate;
    while (!rate) {
        u32 a, b;
        u64 t = when_pm(&a);
        delay_us(2000);
        t = when_pm(&b) - t;
        u32 ticks = (b - a) & 0xffffff, n = (u32)t;
        if (t >> 32 == 0 && ticks < 1000000) { /* 3,580 a millisecond */
            rate = n / ticks * 3580 + n % ticks * 3580 / ticks;
        }
    }
    return rate;
}

bool patient(Patience *p, u64 ticks)
{
    const u64 most = 4000000; /* about a millisecond */
    u64 now = rdtsc(), gap = p->last ? now - p->last : 0;

    p->last = now;
    p->spent += gap < most ? gap : most;
    return p->spent < ticks;
}

bool wait_for(volatile u32 *counter, u32 want, u32 ms)
{
    for (u32 i = 0; i < ms * 50; i++) { /* five times as long: hosts are busy, too */
        if (*counter >= want) {
            return true;
        }
        delay_us(100);
    }
    return *counter >= want;
}

/* ---- other CPUs ---- */

typedef struct Work {
    void (*volatile fn)(void *);
    void *volatile arg;
} Work;
static volatile Work work[8];
extern char tramp[], tramp_end[];

void ap_main(unsigned n)
{
    apic_write(0xf0, 0x1ff);
    __sync_fetch_and_add(&cpus_up, 1);
    for (;;) {
        if (work[n].fn) {
            work[n].fn(work[n].arg);
            __sync_synchronize();
            work[n].fn = NULL;
        }
        pause();
    }
}

bool smp_start(void)
{
    if (n_cpus < 2) {
        return false;
    }
    if (cpus_up < n_cpus) {
        memcpy((void *)0x8000, tramp, tramp_end - tramp);
        apic_write(0xf0, 0x1ff);
        apic_icr(0, 0xc4500);
        delay_us(1000);
        apic_icr(0, 0xc4608);
        (void)wait_for(&cpus_up, n_cpus, 2000);
    }
    return cpus_up == n_cpus;
}

void on_cpu_async(unsigned n, void (*fn)(void *), void *arg)
{
    work[n].arg = arg;
    __sync_synchronize();
    work[n].fn = fn;
}

bool cpu_wait(unsigned n, u32 ms)
{
    for (u32 i = 0; i < ms * 10 && work[n].fn; i++) {
        delay_us(100);
    }
    return !work[n].fn;
}

void on_cpu(unsigned n, void (*fn)(void *), void *arg)
{
    on_cpu_async(n, fn, arg);
    if (!cpu_wait(n, 10000)) {
        check("another CPU ends its work", 0, 1);
    }
}

/* ---- the list ---- */

static u32 number_after(const char *line, const char *key)
{
    for (; *line; line++) {
        unsigned i = 0;
        while (key[i] && line[i] == key[i]) {
            i++;
        }
        if (!key[i]) {
            u32 v = 0;
            for (line += i; *line >= '0' && *line <= '9'; line++) {
                v = v * 10 + *line - '0';
            }
            return v + 1;
        }
    }
    return 0;
}

void cases_main(const u32 *mbi)
{
    const char *line = mbi[0] & 4 ? (const char *)(ulong)mbi[4] : "";
    u32 from = number_after(line, "from="), only = number_after(line, "only=");
    u32 smp = number_after(line, "smp=");
    n_cpus = smp ? smp - 1 : 1;

    mask_pics();
    ulong cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
    for (u32 i = 0; groups[i].name; i++) {
        if ((from && i < from - 1) || (only && i != only - 1)) {
            continue;
        }
        group = groups[i].name;
        print("GROUP %d %s\n", i, group);
        memset((void *)handlers, 0, sizeof(handlers));
        resume = 0;
        group_open = true;
        group_call(groups[i].run);
        group_open = false;
        cli();
        write_cr0(cr0);
        write_cr4(cr4);
        write_cr3(cr3);
    }
    print("DONE\n");
    outb(0xf4, 0x20);
    for (;;) {
        asm volatile("hlt");
    }
}

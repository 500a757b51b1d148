/* SPDX-License-Identifier: MIT */
/*
 * What every system-level case uses: verdicts, traps caught, ring 3, ports, MSRs, page
 * tables, the local APIC, other CPUs. One image runs 64-bit cases, one 32-bit ones; both
 * are multiboot images that print on port E9H and end through isa-debug-exit.
 *
 * A verdict is a line "PASS group: name", "FAIL group: name: expected, got" or
 * "SKIP group: name: why". A group that dies loses its other verdicts, nothing else does:
 * the runner starts the image again behind it.
 */
#ifndef CASES_LIB_H
#define CASES_LIB_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long ulong; /* a register's width */
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGNED(n) __attribute__((aligned(n)))

/* ---- verdicts ---- */

typedef struct Group {
    const char *name;
    void (*run)(void);
} Group;
extern const Group groups[]; /* each image's own list, ended by a NULL name */

/* Compares and prints the verdict. */
void check(const char *name, u64 got, u64 want);
/* The same with the text made by format: %s %d %x (u32 or int), %X (u64). */
void checkf(u64 got, u64 want, const char *format, ...);
void skip(const char *name, const char *why);
void print(const char *format, ...);

/* ---- traps ---- */

enum {
    DE,
    DB,
    NMI,
    BP,
    OF,
    BR,
    UD,
    NM,
    DF,
    TS = 10,
    NP,
    SS,
    GP,
    PF,
    MF = 16,
    AC,
    MC,
    XM
};
/* A caught trap as one number: vector, error code above. */
#define ERR(vector, error) ((u64)(vector) | (u64)(error) << 8)
#define NONE 0xffull

typedef struct Regs {
#ifdef __x86_64__
    ulong r15, r14, r13, r12, r11, r10, r9, r8;
#endif
    ulong di, si, bp, bx, dx, cx, ax;
    ulong vector, error, ip, cs, flags, sp, ss; /* sp, ss: 32-bit only from outer rings */
} Regs;

typedef struct Trap {
    int vector; /* -1: none */
    u32 error;
    ulong ip, flags, cs, sp, cr2, dr6;
} Trap;
extern volatile Trap trap;
extern volatile ulong resume, resume_sp;
u64 caught(void); /* ERR(...) of the last trap, NONE */

/* asm volatile(TRY "hlt" END ::: "memory"); then caught(). At CPL 0. */
#ifdef __x86_64__
#define TRY                                                 \
    "movl $-1, trap(%%rip)\n\tmovq $99f, resume(%%rip)\n\t" \
    "movq %%rsp, resume_sp(%%rip)\n\t"
#define END "\n99:\tmovq $0, resume(%%rip)\n\t"
#else
#define TRY "movl $-1, trap\n\tmovl $99f, resume\n\tmovl %%esp, resume_sp\n\t"
#define END "\n99:\tmovl $0, resume\n\t"
#endif

typedef void (*Handler)(Regs *);
extern volatile Handler handlers[256]; /* instead of catching */
void set_gate(unsigned vector, void *entry, u16 selector, u8 type, u8 ist);
extern char vector_stubs[]; /* 16 bytes each */

/* ---- ring 3: code and data that it may touch ---- */

#define USER __attribute__((section(".user.text"), noinline, used))
#define USER_DATA __attribute__((section(".user.data")))
/* Runs fn(arg) at CPL 3; caught() tells how it ended: NONE by its return, whose value is
 * user_value. flags: ored to 202H. */
u64 run_user(void *fn, ulong arg, ulong flags);
extern ulong user_value;
extern u16 user_cs, user_ss; /* selectors that run_user takes; put them back */
extern volatile ulong user_var USER_DATA;

/* ---- registers ---- */

#define REG_ACCESS(name, reg)                                   \
    static inline ulong read_##name(void)                       \
    {                                                           \
        ulong v;                                                \
        asm volatile("mov %%" #reg ", %0" : "=r"(v)::"memory"); \
        return v;                                               \
    }                                                           \
    static inline void write_##name(ulong v)                    \
    {                                                           \
        asm volatile("mov %0, %%" #reg ::"r"(v) : "memory");    \
    }
REG_ACCESS(cr0, cr0)
REG_ACCESS(cr2, cr2)
REG_ACCESS(cr3, cr3)
REG_ACCESS(cr4, cr4)
REG_ACCESS(dr0, dr0)
REG_ACCESS(dr1, dr1)
REG_ACCESS(dr2, dr2)
REG_ACCESS(dr3, dr3)
REG_ACCESS(dr6, dr6)
REG_ACCESS(dr7, dr7)
#ifdef __x86_64__
REG_ACCESS(cr8, cr8)
#endif

static inline u64 rdmsr(u32 n)
{
    u32 lo, hi;
    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(n));
    return lo | (u64)hi << 32;
}
static inline void wrmsr(u32 n, u64 v)
{
    asm volatile("wrmsr" ::"c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
u64 try_rdmsr(u32 n, u64 *v); /* caught() */
u64 try_wrmsr(u32 n, u64 v);
static inline u64 rdtsc(void)
{
    u32 lo, hi;
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return lo | (u64)hi << 32;
}
typedef struct Cpuid {
    u32 a, b, c, d;
} Cpuid;
static inline Cpuid cpuid(u32 leaf, u32 sub)
{
    Cpuid r;
    asm volatile("cpuid"
                 : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                 : "a"(leaf), "c"(sub));
    return r;
}
bool is_amd(void);
static inline ulong read_flags(void)
{
    ulong v;
    asm volatile("pushf; pop %0" : "=r"(v)::"memory");
    return v;
}
static inline void cli(void)
{
    asm volatile("cli" ::: "memory");
}
static inline void sti(void)
{
    asm volatile("sti" ::: "memory");
}
static inline void sti_nop_cli(void)
{
    asm volatile("sti; nop; cli" ::: "memory");
}
static inline void pause(void)
{
    asm volatile("pause" ::: "memory");
}
static inline void invlpg(void *p)
{
    asm volatile("invlpg (%0)" ::"r"(p) : "memory");
}

static inline void outb(u16 port, u8 v)
{
    asm volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}
static inline void outw(u16 port, u16 v)
{
    asm volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}
static inline void outl(u16 port, u32 v)
{
    asm volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}
static inline u8 inb(u16 port)
{
    u8 v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline u32 inl(u16 port)
{
    u32 v;
    asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

void *memset(void *p, int c, ulong n);
void *memcpy(void *d, const void *s, ulong n);
int memcmp(const void *a, const void *b, ulong n);

#define READ(p) (*(volatile __typeof__(*(p)) *)(p))
#define WRITE(p, v) (*(volatile __typeof__(*(p)) *)(p) = (v))

/* ---- descriptors ---- */

extern u64 gdt[];
typedef struct __attribute__((packed)) TableReg {
    u16 limit;
    ulong base;
} TableReg;
void set_desc(unsigned selector, u32 base, u32 limit, u8 access, u8 flags);

/* ---- local APIC, in whichever mode it is ---- */

#define APIC 0xfee00000ul
u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 v);
void apic_icr(u32 dest, u32 low); /* dest: an APIC id */
void apic_eoi(void);
bool wait_for(volatile u32 *counter, u32 want, u32 ms);
void delay_us(u32 us);
/* For loops that wait: false once the loop itself has gone on for so many ticks of the TSC.
 * Between two calls the host may take us away for seconds: that does not count. */
typedef struct Patience {
    u64 last, spent;
} Patience;
bool patient(Patience *p, u64 ticks);
void mask_pics(void);
u64 tsc_per_ms(void);

/* ---- other CPUs ---- */

extern unsigned n_cpus;                                 /* that the runner promises */
extern volatile u32 cpus_up;                            /* with this one */
bool smp_start(void);                                   /* false: there is only one */
void on_cpu(unsigned n, void (*fn)(void *), void *arg); /* waits for its end */
void on_cpu_async(unsigned n, void (*fn)(void *), void *arg);
bool cpu_wait(unsigned n, u32 ms);
#endif

/* SPDX-License-Identifier: MIT */
/*
 * 32-bit protected mode: limits and types of segments, gates of both sizes, stacks of
 * inner rings: SDM vol. 3, 3.4, 5.3-5.8, 6.12.
 */
#include "lib32.h"

static u64 load_es(u32 sel)
{
    asm volatile(TRY "mov %0, %%es" END ::"r"(sel) : "memory");
    u64 r = caught();
    asm volatile("mov %0, %%es" ::"r"(0x10));
    return r;
}

static u64 load_ss(u32 sel)
{
    asm volatile(TRY "mov %0, %%ss" END ::"r"(sel) : "memory");
    u64 r = caught();
    asm volatile("mov %0, %%ss" ::"r"(0x10));
    return r;
}

USER static void u_ds0(void)
{
    asm volatile("mov %0, %%ds" ::"r"(0x10));
}
USER static void u_ss_null(void)
{
    asm volatile("mov %0, %%ss" ::"r"(0));
}
USER static u32 u_null_read(void)
{
    u32 v;
    asm volatile("mov %1, %%fs; mov %%fs:0, %0" : "=r"(v) : "r"(0));
    return v;
}

void segments32(void)
{
    for (unsigned t = 0; t < 16; t++) { /* code and data descriptors */
        set_desc(0x70, 0, (t & 12) == 4 ? 0 : 0xfffff, 0x90 | t,
                 0xc); /* expand-down: 0 */
        bool es = t < 8 || t & 2, ss = t < 8 && t & 2;
        checkf(load_es(0x70), es ? NONE : ERR(GP, 0x70), "MOV ES, type %d", t);
        checkf(load_ss(0x70), ss ? NONE : ERR(GP, 0x70), "MOV SS, type %d", t);
    }
    for (unsigned t = 0; t < 16; t++) { /* system descriptors */
        set_desc(0x70, 0, 0xfffff, 0x80 | t, 0);
        checkf(load_es(0x70), ERR(GP, 0x70), "MOV ES, system type %d", t);
    }
    set_desc(0x70, 0, 0xfffff, 0x12, 0xc);
    check("MOV ES, not present", load_es(0x70), ERR(NP, 0x70));
    check("MOV SS, not present", load_ss(0x70), ERR(SS, 0x70));
    check("MOV SS, null", load_ss(0), ERR(GP, 0));
    check("MOV ES, null", load_es(0), NONE);
    check("MOV ES, beyond the limit", load_es(0x180), ERR(GP, 0x180));
    check("MOV ES, LDT selector without an LDT", load_es(0x14), ERR(GP, 0x14));
    check("MOV DS of DPL 0 in ring 3", run_user(u_ds0, 0, 0), ERR(GP, 0x10));
    check("MOV SS, null in ring 3", run_user(u_ss_null, 0, 0), ERR(GP, 0));
    check("a null segment faults when used", run_user(u_null_read, 0, 0), ERR(GP, 0));
    static u64 ldt[4];
    ldt[1] = gdt[0x10 / 8];
    set_desc(0x78, (u32)ldt, sizeof(ldt) - 1, 0x82, 0);
    asm volatile("lldt %w0" ::"r"(0x78));
    check("MOV ES from the LDT", load_es(0x0c), NONE);
    check("MOV ES, empty LDT entry", load_es(0x14), ERR(GP, 0x14));
    check("MOV ES beyond the LDT", load_es(0x24), ERR(GP, 0x24));
    u16 v;
    asm volatile("sldt %0" : "=r"(v));
    check("SLDT", v, 0x78);
    asm volatile("lldt %w0" ::"r"(0));
    asm volatile(TRY "lldt %w0" END ::"r"(0x10) : "memory");
    check("LLDT of data", caught(), ERR(GP, 0x10));
    /* ARPL */
    u32 a = 0x10, z;
    asm volatile("arpl %w2, %w0; setz %b1; movzbl %b1, %1" : "+r"(a), "=q"(z) : "r"(3));
    check("ARPL raises", a << 1 | z, 0x13 << 1 | 1);
    asm volatile("arpl %w2, %w0; setz %b1; movzbl %b1, %1" : "+r"(a), "=q"(z) : "r"(1));
    check("ARPL leaves", a << 1 | z, 0x13 << 1);
    /* pointers */
    static struct __attribute__((packed)) {
        u32 off;
        u16 sel;
    } far = { 0x12345678, 0x20 };
    u32 off;
    asm volatile("les %1, %0; mov %%es, %w2" : "=r"(off), "+m"(far), "=r"(v));
    check("LES", off, 0x12345678);
    asm volatile("mov %0, %%es" ::"r"(0x10));
    far.sel = 0x178;
    off = 5;
    asm volatile(TRY "lfs %1, %0" END : "+r"(off), "+m"(far)::"memory");
    check("LFS of a bad selector", caught(), ERR(GP, 0x178));
    check("and its register is kept", off, 5);
    gdt[0x70 / 8] = gdt[0x78 / 8] = 0;
}

static u64 at_es(u32 off, unsigned size, bool write)
{
    asm volatile("mov %0, %%es" ::"r"(0x70));
    if (write) {
        asm volatile(TRY "movl $0, %%es:(%0)" END ::"r"(off) : "memory");
    } else if (size == 1) {
        asm volatile(TRY "movb %%es:(%0), %%al" END ::"r"(off) : "memory", "eax");
    } else {
        asm volatile(TRY "movl %%es:(%0), %%eax" END ::"r"(off) : "memory", "eax");
    }
    u64 r = caught();
    asm volatile("mov %0, %%es" ::"r"(0x10));
    return r;
}

static u8 page[65536 + 64] ALIGNED(16);

void limits32(void)
{
    u32 b = (u32)page;
    set_desc(0x70, b, 0xfff, 0x92, 4);
    check("byte at the limit", at_es(0xfff, 1, false), NONE);
    check("byte behind it", at_es(0x1000, 1, false), ERR(GP, 0));
    check("long that ends at it", at_es(0xffc, 4, false), NONE);
    check("long over it", at_es(0xffd, 4, false), ERR(GP, 0));
    check("write over it", at_es(0xffe, 4, true), ERR(GP, 0));
    check("offset near 4 GiB", at_es(0xfffffffe, 4, false), ERR(GP, 0));
    set_desc(0x70, b, 0, 0x92, 0xc);
    check("limit 0 with G: 4 KiB", at_es(0xfff, 1, false), NONE);
    check("and no more", at_es(0x1000, 1, false), ERR(GP, 0));
    set_desc(0x70, b, 0xfff, 0x96, 4);
    check("expand-down: inside the limit", at_es(0xfff, 1, false), ERR(GP, 0));
    check("expand-down: above it", at_es(0x1000, 1, false), NONE);
    set_desc(0x70, b, 0xfff, 0x96, 0);
    check("expand-down, B 0: up to FFFFH", at_es(0xffff, 1, false), NONE);
    check("and no further", at_es(0x10000, 1, false), ERR(GP, 0));
    set_desc(0x70, b, 0xfff, 0x90, 4);
    check("read-only: read", at_es(0, 4, false), NONE);
    check("read-only: write", at_es(0, 4, true), ERR(GP, 0));
    set_desc(0x70, 0, 0xfffff, 0x9a, 0xc);
    check("readable code: read", at_es(b, 4, false), NONE);
    check("readable code: write", at_es(b, 4, true), ERR(GP, 0));
    asm volatile(TRY "movl %%cs:(%0), %%eax" END ::"r"(b) : "memory", "eax");
    check("CS: read", caught(), NONE);
    asm volatile(TRY "movl %%eax, %%cs:(%0)" END ::"r"(b) : "memory");
    check("CS: write", caught(), ERR(GP, 0));
    /* the stack's limit is #SS */
    set_desc(0x70, b, 0xfff, 0x92, 4);
    asm volatile(
        TRY "mov %0, %%ss; mov $0x2000, %%esp; push %%eax; mov $0x10, %%eax; mov %%eax, "
            "%%ss" END ::"r"(0x70)
        : "memory", "eax");
    asm volatile("mov %0, %%ss" ::"r"(0x10));
    check("PUSH beyond the limit: #SS cannot be pushed: #DF", caught(), ERR(DF, 0));
    asm volatile(TRY "mov %%ss:0x0(%0), %%eax" END ::"r"(b) : "memory", "eax");
    check("SS override, flat", caught(), NONE);
    asm volatile("mov %0, %%es" ::"r"(0x70));
    asm volatile(TRY "mov $8, %%ecx; mov $0xffc, %%edi; cld; rep stosl" END ::
                     : "memory", "ecx", "edi");
    check("REP STOS over the limit", caught(), ERR(GP, 0));
    asm volatile("mov %0, %%es" ::"r"(0x10));
    /* 16-bit stack wraps */
    set_desc(0x70, b, 0xffff, 0x92, 0);
    u32 sp, v;
    asm volatile(
        "mov %%esp, %%ecx; mov %2, %%ss; mov $0x12340000, %%esp; pushl $0x11223344; mov "
        "%%esp, %0; popl %1; mov %3, %%ss; mov %%ecx, %%esp"
        : "=&r"(sp), "=&r"(v)
        : "r"(0x70), "r"(0x10)
        : "ecx", "memory");
    check("16-bit stack: ESP's upper half is kept", sp, 0x1234fffc);
    check("16-bit stack: wraps", v, 0x11223344);
    gdt[0x70 / 8] = 0;
    /* BOUND, INTO */
    static int bounds[2] = { -5, 10 };
    asm volatile(TRY "bound %0, %1" END ::"r"(3), "m"(bounds) : "memory");
    check("BOUND inside", caught(), NONE);
    asm volatile(TRY "bound %0, %1" END ::"r"(11), "m"(bounds) : "memory");
    check("BOUND above", caught(), BR);
    asm volatile(TRY "bound %0, %1" END ::"r"(-6), "m"(bounds) : "memory");
    check("BOUND below", caught(), BR);
    asm volatile(TRY "mov $127, %%al; add $1, %%al; into" END ::: "memory", "eax");
    check("INTO with OF", caught(), OF);
    asm volatile(TRY "xor %%eax, %%eax; into" END ::: "memory", "eax");
    check("INTO without", caught(), NONE);
    asm volatile(TRY "jmp *%0" END ::"r"(0xfffffff0) : "memory");
    check("jump to what is no memory: runs ones, or faults", caught() != NONE, 1);
}

/* ---- gates ---- */

static volatile u32 g_cs, g_ss, g_esp, g_arg, g_flags;
extern char gate32[], gate16[];
asm(".text\n"
    "gate32: mov %cs, %eax; mov %eax, g_cs; mov %ss, %eax; mov %eax, g_ss; mov %esp, g_esp\n"
    " mov 8(%esp), %eax; mov %eax, g_arg; lret $8\n"
    "gate16: push %ds; pushl $0x10; pop %ds; movl %esp, g_esp; pop %ds; .byte 0x66; lret\n");

static void put_gate(u16 gate, u16 sel, void *to, u8 type, u8 words)
{
    u32 a = (u32)to;
    gdt[gate / 8] = (a & 0xffff) | (u64)sel << 16 | (u64)words << 32 | (u64)type << 40 |
                    (u64)(a >> 16) << 48;
}

USER static u32 u_call(void)
{
    asm volatile("pushl $0x55; pushl $0x66; lcall $0x73, $0xf4f4f4f4" ::
                     : "memory", "eax");
    return 7;
}

USER static void u_int(void)
{
    asm volatile("int $0x50");
}
USER static void u_far0(void)
{
    asm volatile("lcall $8, $0");
}

void gates32(void)
{
    put_gate(0x70, 8, gate32, 0xec, 2);
    check("call gate with two parameters", run_user(u_call, 0, 0), NONE);
    check("its return", user_value, 7);
    check("CS in it", g_cs, 8);
    check("SS in it", g_ss, 0x10);
    check("ESP in it", g_esp, (u32)kernel_stack - 24);
    check("a parameter", g_arg, 0x66);
    put_gate(0x70, 8, gate32, 0x8c, 2);
    check("gate of DPL 0", run_user(u_call, 0, 0), ERR(GP, 0x70));
    put_gate(0x70, 8, gate32, 0x6c, 2);
    check("gate not present", run_user(u_call, 0, 0), ERR(NP, 0x70));
    put_gate(0x70, 0x38, gate32, 0xec, 2);
    check("gate to code not present", run_user(u_call, 0, 0), ERR(NP, 0x38));
    put_gate(0x70, 0x10, gate32, 0xec, 2);
    check("gate to data", run_user(u_call, 0, 0), ERR(GP, 0x10));
    put_gate(0x70, 0, gate32, 0xec, 2);
    check("gate to null", run_user(u_call, 0, 0), ERR(GP, 0));
    /* to ring 1, so that the fault itself has a stack */
    set_desc(0x80, 0, 0xfffff, 0xbb, 0xc);
    set_desc(0x88, 0, 0xfffff, 0xb3, 0xc);
    set_desc(0x90, 0, 0xfffff, 0x33, 0xc);
    put_gate(0x70, 0x80, gate32, 0xec, 2);
    tss.esp1 = (u32)kernel_stack - 4096;
    tss.ss1 = 0;
    check("inner SS null: #TS", run_user(u_call, 0, 0), ERR(TS, 0));
    tss.ss1 = 0x21;
    check("inner SS of DPL 3: #TS", run_user(u_call, 0, 0), ERR(TS, 0x20));
    tss.ss1 = 0x88;
    check("inner SS with RPL 0: #TS", run_user(u_call, 0, 0), ERR(TS, 0x88));
    tss.ss1 = 0x61;
    check("inner SS read-only: #TS", run_user(u_call, 0, 0), ERR(TS, 0x60));
    tss.ss1 = 0x91;
    check("inner SS not present: #SS", run_user(u_call, 0, 0), ERR(SS, 0x90));
    tss.ss1 = 0x189;
    check("inner SS beyond the GDT: #TS", run_user(u_call, 0, 0), ERR(TS, 0x188));
    put_gate(0x70, 8, gate32, 0xec, 2);
    gdt[0x80 / 8] = gdt[0x88 / 8] = gdt[0x90 / 8] = 0;
    check("far CALL to an inner ring", run_user(u_far0, 0, 0), ERR(GP, 8));
    /* gates of the IDT */
    for (unsigned t = 0; t < 16; t++) {
        set_gate(0x50, vector_stubs + 0x500, 8, 0x80 | t, 0);
        if (t == 5) {
            continue; /* a task gate: other cases */
        }
        if (t == 6 || t == 7) {
            continue; /* 16-bit: below */
        }
        asm volatile(TRY "int $0x50" END ::: "memory");
        checkf(caught(), t == 14 || t == 15 ? 0x50 : ERR(GP, 0x50 * 8 + 2),
               "IDT, type %d", t);
    }
    set_gate(0x50, vector_stubs + 0x500, 8, 0x8e, 0);
    check("INT from ring 3 through DPL 0", run_user(u_int, 0, 0), ERR(GP, 0x50 * 8 + 2));
    set_gate(0x50, vector_stubs + 0x500, 0x18, 0xee, 0);
    asm volatile(TRY "int $0x50" END ::: "memory");
    check("IDT gate to an outer ring", caught(), ERR(GP, 0x18));
    set_gate(0x50, vector_stubs + 0x500, 8, 0x0e, 0);
    asm volatile(TRY "int $0x50" END ::: "memory");
    check("IDT gate not present", caught(), ERR(NP, 0x50 * 8 + 2));
    set_gate(0x50, vector_stubs + 0x500, 8, 0x8e, 0);
    /* far returns */
    asm volatile(TRY "push %0; pushl $1f; lret; 1:" END ::"r"(8) : "memory");
    check("far RET", caught(), NONE);
    asm volatile(TRY "push %0; pushl $0; lret" END ::"r"(0x10) : "memory");
    check("far RET to data", caught(), ERR(GP, 0x10));
    asm volatile(TRY "pushl $0x10; push %%esp; push %0; pushl $0; lret" END ::"r"(0x1b)
                 : "memory");
    check("far RET outwards with SS of ring 0", caught(), ERR(GP, 0x10));
    asm volatile(TRY "push %0; push %1; pushl $0; iret" END ::"r"(2), "r"(0x38)
                 : "memory");
    check("IRET to code not present", caught(), ERR(NP, 0x38));
    gdt[0x70 / 8] = 0;
    check("flags are clean", read_flags() & ~0xd7, 0x2 & ~0xd7);
}

#define TRYOP(name, bytes, want)                                   \
    asm volatile(TRY bytes END ::: "memory", "eax", "ecx", "edx"); \
    check(name, caught(), want)

void opcodes32(void)
{
    TRYOP("LDS of a register", ".byte 0xc5, 0xc0", UD);
    TRYOP("LES of a register", ".byte 0xc4, 0xc0", UD);
    TRYOP("BOUND of a register", ".byte 0x62, 0xc0", UD);
    TRYOP("AAM by 0", ".byte 0xd4, 0", DE);
    TRYOP("AAM", ".byte 0xd4, 10", NONE);
    TRYOP("SALC", ".byte 0xd6", NONE);
    TRYOP("group 1 alias 82H", ".byte 0x82, 0xc0, 0", NONE);
    TRYOP("SYSCALL off", ".byte 0x0f, 0x05", UD);
    TRYOP("SWAPGS in 32-bit mode", ".byte 0x0f, 0x01, 0xf8", UD);
    TRYOP("CMPXCHG8B of a register", ".byte 0x0f, 0xc7, 0xc8", UD);
    TRYOP("LOCK CMPXCHG8B of a register", ".byte 0xf0, 0x0f, 0xc7, 0xc8", UD);
    TRYOP("LAR with LOCK", ".byte 0xf0, 0x0f, 0x02, 0xc0", UD);
    TRYOP("MOV CR with LOCK is AMD's CR8, or #UD", ".byte 0xf0, 0x0f, 0x20, 0xc0",
          is_amd() ? caught() : UD);
    TRYOP("INC with LOCK, register", ".byte 0xf0, 0x40", UD);
    TRYOP("16 bytes", ".fill 15, 1, 0x66; nop", ERR(GP, 0));
    u32 lo = 1, hi = 2;
    static u64 cell = 0x0000000200000001ull;
    asm volatile("lock cmpxchg8b %2" : "+a"(lo), "+d"(hi), "+m"(cell) : "b"(5), "c"(6));
    check("CMPXCHG8B", cell, 0x0000000600000005ull);
    u32 f;
    asm volatile(
        "pushfl; popl %%eax; xorl $0x240000, %%eax; mov %%eax, %%ecx; pushl %%eax; popfl; "
        "pushfl; popl %0; xor %%ecx, %0; xorl $0x240000, %%ecx; pushl %%ecx; popfl"
        : "=&r"(f)::"eax", "ecx", "memory");
    check("AC and ID can be changed", f & 0x240000, 0);
    /* VIP and VIF are not by POPF */
    asm volatile("pushfl; orl $0x180000, (%%esp); popfl; pushfl; popl %0"
                 : "=r"(f)::"memory");
    check("POPF does not set VIF, VIP", f & 0x180000, 0);
}

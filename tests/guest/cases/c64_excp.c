/* SPDX-License-Identifier: MIT */
/*
 * Delivery of exceptions and interrupts in 64-bit mode: SDM vol. 3, 6.3-6.15. Gates,
 * stacks, error codes, double faults, NMI, the interrupt shadow.
 */
#include "lib.h"
#include "paging.h"

extern u64 idt[], tss[];
extern char ist1_stack[], ist2_stack[], kernel_stack[];

static void gate(unsigned v, u16 sel, u8 type, u8 ist)
{
    set_gate(v, vector_stubs + 16 * v, sel, type, ist);
}

#define INT(n) asm volatile(TRY "int $" #n END ::: "memory")

void idt_gates(void)
{
    TableReg old, t;

    for (unsigned type = 0; type < 16; type++) {
        gate(0x50, 8, 0x80 | type, 0);
        INT(0x50);
        bool ok = type == 14 || type == 15;
        checkf(caught(), ok ? 0x50 : ERR(GP, 0x50 * 8 + 2), "gate type %d", type);
    }
    gate(0x50, 8, 0x9e, 0);
    INT(0x50);
    check("gate with the S bit", caught(), ERR(GP, 0x50 * 8 + 2));
    gate(0x50, 8, 0x0e, 0);
    INT(0x50);
    check("gate not present", caught(), ERR(NP, 0x50 * 8 + 2));
    gate(0x50, 0, 0x8e, 0);
    INT(0x50);
    check("gate with a null selector", caught(), ERR(GP, 0));
    gate(0x50, 0x10, 0x8e, 0);
    INT(0x50);
    check("gate to a data segment", caught(), ERR(GP, 0x10));
    gate(0x50, 0x30, 0x8e, 0);
    INT(0x50);
    check("gate to 32-bit code", caught(), ERR(GP, 0x30));
    gate(0x50, 0x38, 0x8e, 0);
    INT(0x50);
    check("gate to 16-bit code", caught(), ERR(GP, 0x38));
    gate(0x50, 0x48, 0x8e, 0);
    INT(0x50);
    check("gate to code not present", caught(), ERR(NP, 0x48));
    gate(0x50, 0x28, 0x8e, 0);
    INT(0x50);
    check("gate to code of ring 3", caught(), ERR(GP, 0x28));
    gate(0x50, 0x178, 0x8e, 0);
    INT(0x50);
    check("gate to an empty descriptor", caught(), ERR(GP, 0x178));
    gate(0x50, 0x188, 0x8e, 0);
    INT(0x50);
    check("gate beyond the GDT's limit", caught(), ERR(GP, 0x188));
    gate(0x50, 0x0c, 0x8e, 0);
    INT(0x50);
    check("gate into an LDT that is not there", caught(), ERR(GP, 0x0c));
    gate(0x50, 0x80, 0x8e, 0);
    INT(0x50);
    check("gate to a TSS", caught(), ERR(GP, 0x80));
    gate(0x50, 0x0b, 0x8e, 0);
    INT(0x50);
    check("the selector's RPL does not matter", caught(), 0x50);
    check("CS has RPL 0", trap.cs, 8);
    gate(0x50, 0x58, 0x8e, 0);
    INT(0x50);
    check("gate to conforming code", caught(), 0x50);
    gate(0x50, 0x68, 0x8e, 0);
    INT(0x50);
    check("gate to execute-only code", caught(), 0x50);
    gate(0x50, 8, 0x8e, 0);
    asm volatile("sidt %0" : "=m"(old));
    t = old;
    t.limit = 0x50 * 16 + 14;
    asm volatile("lidt %0" ::"m"(t));
    INT(0x50);
    u64 r = caught();
    asm volatile("lidt %0" ::"m"(old));
    check("gate cut by the limit", r, ERR(GP, 0x50 * 8 + 2));
    t.limit = 0x50 * 16 + 15;
    asm volatile("lidt %0" ::"m"(t));
    INT(0x50);
    asm volatile("lidt %0" ::"m"(old));
    check("gate that just fits", caught(), 0x50);
    idt[0x50 * 2 + 1] = 0x8000;
    INT(0x50);
    check("gate to a non-canonical address", caught(), ERR(GP, 0));
    gate(0x50, 8, 0x8e, 0);
    /* an exception, not INT n: EXT in the error code */
    u8 saved = ((u8 *)idt)[DE * 16 + 5];
    ((u8 *)idt)[DE * 16 + 5] = 0x0e;
    asm volatile(TRY "xor %%ecx, %%ecx; div %%ecx" END ::: "memory", "rax", "rcx", "rdx");
    check("#DE through a gate not present is #DE, then #NP", caught(), ERR(DF, 0));
    ((u8 *)idt)[DE * 16 + 5] = saved;
    ((u8 *)idt)[UD * 16 + 5] = 0x0e;
    asm volatile(TRY "ud2" END ::: "memory");
    check("#UD through a gate not present: EXT", caught(), ERR(NP, UD * 8 + 3));
    ((u8 *)idt)[UD * 16 + 5] = 0x8e;
}

static u64 got_flags, got_sp, got_ss, got_cs, got_ip, now_flags, now_ss, now_sp;

static void record(Regs *r)
{
    got_flags = r->flags;
    got_sp = r->sp;
    got_ss = r->ss;
    got_cs = r->cs;
    got_ip = r->ip;
    now_flags = read_flags();
    u16 ss;
    asm volatile("mov %%ss, %0" : "=r"(ss));
    now_ss = ss;
    now_sp = (ulong)r + sizeof(*r);
}

static volatile u64 in_ss;
USER static void user_int(void)
{
    asm volatile("int $0x51");
}

void idt_frames(void)
{
    handlers[0x50] = handlers[0x51] = record;
    gate(0x50, 8, 0x8e, 0);
    asm volatile("pushq $0x246; popf; sti; int $0x50; cli" ::: "memory");
    check("interrupt gate clears IF", now_flags & 0x200, 0);
    check("and pushes it set", got_flags & 0x200, 0x200);
    gate(0x50, 8, 0x8f, 0);
    asm volatile("sti; int $0x50; cli" ::: "memory");
    check("trap gate keeps IF", now_flags & 0x200, 0x200);
    asm volatile(
        "pushf; orl $0x4000, (%%rsp); popf; int $0x50; pushf; andl $~0x4000, (%%rsp); popf" ::
            : "memory");
    check("NT is pushed", got_flags & 0x4000, 0x4000);
    check("NT is cleared", now_flags & 0x4000, 0);
    asm volatile(
        "pushf; orl $0x40000, (%%rsp); popf; int $0x50; pushf; andl $~0x40000, (%%rsp); "
        "popf" ::
            : "memory");
    check("AC is pushed and stays", got_flags & now_flags & 0x40000, 0x40000);
    check("SS pushed", got_ss, 0x10);
    check("CS pushed", got_cs, 8);
    for (unsigned i = 0; i < 16; i++) {
        asm volatile(
            "mov %%rsp, %%rbx; sub %0, %%rsp; int $0x50; mov %%rbx, %%rsp" ::"r"((ulong)i)
            : "memory", "rbx");
        if (now_sp & 15) {
            break;
        }
    }
    check("the frame is aligned to 16 whatever RSP", now_sp & 15, 0);
    gate(0x50, 8, 0x8e, 2);
    asm volatile("int $0x50" ::: "memory");
    check("IST 2", now_sp, (ulong)ist2_stack);
    check("IST keeps SS in ring 0", now_ss, 0x10);
    gate(0x51, 8, 0xee, 0);
    run_user(user_int, 0, 0);
    check("from ring 3: RSP 0", now_sp, (ulong)kernel_stack);
    check("from ring 3: SS is null", now_ss, 0);
    check("from ring 3: CS pushed", got_cs, 0x2b);
    check("from ring 3: SS pushed", got_ss, 0x23);
    gate(0x51, 8, 0xee, 2);
    run_user(user_int, 0, 0);
    check("from ring 3 with IST", now_sp, (ulong)ist2_stack);
    gate(0x51, 8, 0x8e, 0);

    handlers[0x50] = NULL;
    gate(0x50, 8, 0x8e, 0);
    asm volatile(TRY "ud2" END ::: "memory");
    check("a fault pushes RF", trap.flags & 0x10000, 0x10000);
    asm volatile(TRY "int $0x50" END ::: "memory");
    check("INT n pushes RF clear", trap.flags & 0x10000, 0);
    ulong ip;
    asm volatile(TRY "lea 1f(%%rip), %0; 1: ud2" END : "=r"(ip)::"memory");
    check("a fault's IP is its instruction", trap.ip, ip);
    asm volatile(TRY "lea 1f(%%rip), %0; int3; 1: nop" END : "=r"(ip)::"memory");
    check("a trap's IP is behind it", trap.ip, ip);
    check("INT3 has vector 3", caught(), BP);
    asm volatile(TRY "lea 1f(%%rip), %0; .byte 0xcd, 3; 1: nop" END : "=r"(ip)::"memory");
    check("INT 3 in two bytes", trap.ip, ip);
    set_gate(GP, vector_stubs + 16 * 0x50, 8, 0x8e, 0); /* a stub for no error code */
    asm volatile(TRY "int $13" END ::: "memory");
    set_gate(GP, vector_stubs + 16 * GP, 8, 0x8e, 0);
    check("INT 13 pushes no error code", caught(), 0x50);
    (void)in_ss;
}

/* ---- contributory exceptions, table 6-5 ---- */

void double_faults(void)
{
    u64 *g = idt;

    test_map();
    /* #GP while #GP is delivered */
    u64 old = g[GP * 2];
    g[GP * 2] &= ~(0x1full << 40);
    asm volatile(TRY "mov %0, %%ds" END ::"r"(0x178) : "memory");
    check("#GP, then #GP", caught(), ERR(DF, 0));
    g[GP * 2] = old & ~(1ull << 47);
    asm volatile(TRY "mov %0, %%ds" END ::"r"(0x178) : "memory");
    check("#GP, then #NP", caught(), ERR(DF, 0));
    g[GP * 2] = old;
    old = g[DE * 2];
    g[DE * 2] &= ~(0x1full << 40);
    asm volatile(TRY "xor %%ecx, %%ecx; div %%ecx" END ::: "memory", "rax", "rcx", "rdx");
    check("#DE, then #GP", caught(), ERR(DF, 0));
    g[DE * 2] = old;
    old = g[UD * 2];
    g[UD * 2] &= ~(0x1full << 40);
    asm volatile(TRY "ud2" END ::: "memory");
    check("#UD is benign: #GP is delivered", caught(), ERR(GP, UD * 8 + 3));
    g[UD * 2] = old;
    old = g[PF * 2];
    g[PF * 2] &= ~(0x1full << 40);
    asm volatile(TRY "mov 0x40000000000, %%eax" END ::: "memory", "rax");
    check("#PF, then #GP", caught(), ERR(DF, 0));
    g[PF * 2] = old;
    /* a stack that faults */
    asm volatile(TRY "mov %0, %%rsp; mov 0x40000000000, %%eax" END ::"r"(TEST_VA + 0x4000)
                 : "memory", "rax");
    check("#PF, then #PF", caught(), ERR(DF, 0));
    check("CR2 is the second's", read_cr2() >= TEST_VA && read_cr2() < TEST_VA + 0x4000,
          1);
    asm volatile(
        TRY "mov %0, %%rsp; xor %%ecx, %%ecx; div %%ecx" END ::"r"(0x8000000000000000ul)
        : "memory", "rax", "rcx", "rdx");
    check("#DE, then #SS", caught(), ERR(DF, 0));
    tss[5] = (u64)(ulong)ist2_stack << 32 >> 32 << 32 | (tss[5] & 0xffffffff);
    /* #PF while #GP is delivered is handled, then #GP again: serial */
    set_gate(PF, vector_stubs + 16 * PF, 8, 0x8e, 1);
    asm volatile(TRY "mov %0, %%rsp; mov %1, %%ds" END ::"r"(TEST_VA + 0x4000), "r"(0x178)
                 : "memory");
    check("#GP, then #PF: #PF is delivered", caught(), ERR(PF, 2));
    set_gate(PF, vector_stubs + 16 * PF, 8, 0x8e, 0);
    asm volatile(TRY "mov %0, %%rsp; int $0x50" END ::"r"(0x8000000000000000ul)
                 : "memory");
    check("INT n on a non-canonical stack: #SS, then again: #DF", caught(), ERR(DF, 0));
}

/* ---- NMI ---- */

static volatile u32 nmis, depth, max_depth, want_nested, iret_done;

static void self_nmi(void)
{
    apic_icr(apic_read(0x20) >> 24, 0x4400);
}

static void on_nmi(Regs *r)
{
    depth++;
    max_depth = depth > max_depth ? depth : max_depth;
    nmis++;
    if (want_nested) {
        for (; want_nested; want_nested--) {
            self_nmi();
        }
        for (volatile int i = 0; i < 1000; i++) {
        }
    }
    depth--;
}

static volatile u32 irqs;
static void on_irq(Regs *r)
{
    irqs++;
    apic_eoi();
}

static void nmi_faulting(Regs *r)
{
    nmis++;
    if (nmis == 1) {
        self_nmi();
        /* an exception's IRET ends the blocking */
        asm volatile(TRY "ud2" END ::: "memory");
        for (volatile int i = 0; i < 100; i++) {
        }
        irqs = nmis;
    }
}

static u64 nmi_rip;
static void nmi_where(Regs *r)
{
    nmi_rip = r->ip;
    nmis++;
}

void nmi(void)
{
    apic_write(0xf0, 0x1ff);
    handlers[NMI] = on_nmi;
    nmis = 0;
    self_nmi();
    (void)wait_for(&nmis, 1, 2000);
    check("NMI to oneself, IF 0", nmis, 1);
    nmis = max_depth = 0;
    want_nested = 1;
    self_nmi();
    (void)wait_for(&nmis, 2, 2000);
    check("an NMI within an NMI is held back", max_depth, 1);
    check("and comes after IRET", nmis, 2);
    nmis = max_depth = 0;
    want_nested = 10;
    self_nmi();
    (void)wait_for(&nmis, 3, 20);
    check("only one is remembered", nmis, 2);
    handlers[NMI] = nmi_faulting;
    nmis = irqs = 0;
    self_nmi();
    (void)wait_for(&nmis, 2, 2000);
    check("an IRET inside ends the blocking", irqs, 2);
    handlers[NMI] = on_nmi;
    nmis = 0;
    asm volatile("int $2" ::: "memory");
    check("INT 2 arrives", nmis, 1);
    nmis = 0;
    self_nmi();
    (void)wait_for(&nmis, 1, 2000);
    check("INT 2 left NMIs open", nmis, 1);
    /* HLT wakes */
    nmis = 0;
    handlers[NMI] = nmi_where;
    asm volatile("cli");
    self_nmi();
    delay_us(10);
    check("NMI arrives while IF is 0", nmis, 1);
}

void shadows(void)
{
    ulong ip = 0;
    apic_write(0xf0, 0x1ff);
    handlers[0x60] = on_irq;
    irqs = 0;
    apic_icr(0, 0x44060);
    sti_nop_cli();
    check("a self-IPI", irqs, 1);
    irqs = 0;
    apic_icr(0, 0x44060);
    asm volatile("sti; cli" ::: "memory");
    check("STI; CLI lets none in", irqs, 0);
    asm volatile("sti; nop; cli" ::: "memory");
    check("STI; NOP; CLI does", irqs, 1);
    handlers[0x61] = record;
    apic_icr(0, 0x44061);
    asm volatile("lea 1f(%%rip), %0; sti; nop; 1: cli" : "=r"(ip)::"memory");
    check("it arrives one instruction behind STI", got_ip, ip);
    apic_eoi();
    apic_icr(0, 0x44061);
    asm volatile("lea 1f(%%rip), %0; mov %%ss, %%ecx; sti; mov %%ecx, %%ss; 1: nop; cli"
                 : "=r"(ip)::"memory", "rcx");
    check("STI; MOV SS: the shadows of STI and MOV SS", got_ip == ip || got_ip == ip + 1,
          1);
    apic_eoi();
    apic_icr(0, 0x44061);
    asm volatile("lea 1f(%%rip), %0; pushf; orl $0x200, (%%rsp); popf; 1: nop; cli"
                 : "=r"(ip)::"memory", "rcx");
    check("POPF has no shadow", got_ip, ip);
    apic_eoi();
    apic_icr(0, 0x44061);
    asm volatile(
        "lea 1f(%%rip), %0; mov %%ss, %%ecx; pushq $0x10; push %%rsp; addq $8, (%%rsp); "
        "pushf; orl $0x200, (%%rsp); pushq $8; lea 1f(%%rip), %%rax; push %%rax; iretq; "
        "1: nop; cli"
        : "=r"(ip)::"memory", "rcx", "rax");
    check("IRET has no shadow", got_ip, ip);
    apic_eoi();
    irqs = 0;
    apic_icr(0, 0x44060);
    asm volatile("sti; hlt; cli" ::: "memory");
    check("STI; HLT with one pending goes on", irqs, 1);
    irqs = 0;
    asm volatile("mov %%cr8, %%rax; push %%rax; mov $6, %%eax; mov %%rax, %%cr8" ::
                     : "memory", "rax");
    apic_icr(0, 0x44060);
    sti_nop_cli();
    check("CR8 = 6 holds back vector 60H", irqs, 0);
    check("CR8 is the TPR", apic_read(0x80), 0x60);
    asm volatile("pop %%rax; mov %%rax, %%cr8" ::: "memory", "rax");
    sti_nop_cli();
    check("CR8 = 0 lets it in", irqs, 1);
    asm volatile(TRY "mov %0, %%cr8" END ::"r"(16ul) : "memory");
    check("CR8 takes 4 bits", caught(), ERR(GP, 0));
    asm volatile("lea 1f(%%rip), %0; mov $3, %%ecx; 1: rep; nop"
                 : "=r"(ip)::"memory", "rcx");
    handlers[NMI] = record;
    apic_icr(0, 0x4400);
    check("NMI in the flow", got_cs, 8);
}

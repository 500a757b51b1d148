/* SPDX-License-Identifier: MIT */
/* Debug registers and single step: SDM vol. 3, 17.2-17.3; interrupt shadow 6.8.3. */
#include "lib.h"
#include "paging.h"

static volatile u32 n;
static volatile ulong at[16], six[16], seven[16], cs_at[16];
static u32 limit;

static void on_db(Regs *r)
{
    if (n < 16) {
        at[n] = r->ip;
        six[n] = read_dr6();
        seven[n] = read_dr7();
        cs_at[n] = r->cs;
    }
    if (six[n] & 15 && !(six[n] & 0x6000)) {
        r->flags |= 0x10000;
    }
    n++;
    if (n >= limit) {
        r->flags &= ~0x100ul;
        write_dr7(0x400);
    }
}

static void begin(void)
{
    handlers[DB] = on_db;
    n = 0;
    limit = 10;
    write_dr6(0);
    write_dr7(0x400);
}

#define BASE 0xffff0ff0ul
#define TF_ON "pushf; orl $0x100, (%%rsp); popf; "
#define TF_OFF "pushf; andl $~0x100, (%%rsp); popf; "
#define SS_OFF "push %%rbx; popf; "

/* at[] relative to ip must be these, six[] these; ends with -1 */
static void steps(const char *name, ulong ip, const short *where, const u32 *dr6)
{
    unsigned i = 0;
    for (; where[i] >= 0; i++) {
        if (i >= n || at[i] != ip + where[i] ||
            six[i] != (dr6 ? dr6[i] : BASE | 0x4000)) {
            checkf(i < n ? six[i] << 16 | ((at[i] - ip) & 0xffff) : 0xdead,
                   (u64)(dr6 ? dr6[i] : BASE | 0x4000) << 16 | where[i], "%s, trap %d",
                   name, i);
            return;
        }
    }
    check(name, n, i);
}
#define STEPS(name, ip, ...) steps(name, ip, (const short[]){ __VA_ARGS__, -1 }, NULL)

void single_step(void)
{
    ulong ip;

    begin();
    asm volatile("pushf; pop %%rbx; " TF_ON "1: push %%rbx; popf; lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rbx");
    STEPS("POPF sets TF: first trap behind the next", ip, 1, 2);
    begin();
    asm volatile("pushf; pop %%rbx; " TF_ON
                 "1: nop; mov %%eax, %%eax; lea (%%rax), %%eax; " SS_OFF
                 "lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rbx");
    STEPS("each instruction", ip, 1, 3, 5, 6, 7);
    begin();
    asm volatile("pushf; pop %%rsi; " TF_ON
                 "1: xor %%eax, %%eax; cpuid; mov $0x80, %%dx; in %%dx, "
                 "%%al; push %%rsi; popf; lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rax", "rbx", "rcx", "rdx", "rsi");
    STEPS("CPUID and IN", ip, 2, 4, 8, 9, 10, 11);
    begin();
    asm volatile("pushf; pop %%rbx; cli; " TF_ON
                 "sti; 1: push %%rbx; popf; cli; lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rbx");
    STEPS("STI does not hold the trap back", ip, 0, 1, 2);
    begin();
    asm volatile("pushf; pop %%rbx; mov %%ss, %%ecx; " TF_ON
                 "mov %%ecx, %%ss; nop; 1: push %%rbx; popf; lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rbx", "rcx");
    STEPS("MOV SS does, for one instruction", ip, 0, 1, 2);
    begin();
    asm volatile(
        "pushf; pop %%rbx; mov %%ss, %%ecx; " TF_ON
        "mov %%ecx, %%ss; .byte 0xf1; 1: .byte 0xf1; push %%rbx; popf; lea 1b(%%rip), %0"
        : "=r"(ip)::"memory", "rbx", "rcx");
    steps("INT1 behind MOV SS: no BS", ip, (const short[]){ 0, 1, 2, 3, -1 },
          (const u32[]){ BASE, BASE, BASE | 0x4000, BASE | 0x4000 });
    begin();
    asm volatile(
        "pushf; pop %%rbx; mov %%ss, %%ecx; " TF_ON
        "mov %%ecx, %%ss; mov %%ecx, %%ss; nop; 1: push %%rbx; popf; lea 1b(%%rip), %0"
        : "=r"(ip)::"memory", "rbx", "rcx");
    check("MOV SS twice: the trap comes after the second or behind it",
          at[0] == ip - 1 || at[0] == ip, 1);
    begin();
    asm volatile("pushf; pop %%rbx; mov $3, %%ecx; lea %1, %%rdi; cld; " TF_ON
                 "1: rep stosb; push %%rbx; popf; lea 1b(%%rip), %0"
                 : "=r"(ip), "=m"(t_page)::"memory", "rbx", "rcx", "rdi");
    STEPS("REP: a trap after each iteration", ip, 0, 0, 2, 3, 4);
}

static void on_soft(Regs *r)
{
    r->flags &= ~0x100ul;
}

void single_step2(void)
{
    ulong ip;

    handlers[0x50] = on_soft;
    begin();
    asm volatile(TF_ON "int $0x50; 1: nop; lea 1b(%%rip), %0" : "=r"(ip)::"memory");
    check("INT n with TF: no trap in the handler", n, 0);
    begin();
    asm volatile("pushf; pop %%rbx; " TF_ON
                 "1: jmp 2f; nop; 2: push %%rbx; popf; lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rbx");
    STEPS("a jump", ip, 3, 4, 5);
    begin();
    asm volatile("pushf; pop %%rbx; mov $2, %%ecx; " TF_ON
                 "1: loop 1b; push %%rbx; popf; lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rbx", "rcx");
    STEPS("LOOP", ip, 0, 2, 3, 4);
}

void hlt_step(void)
{
    ulong ip;

    apic_write(0xf0, 0x1ff);
    handlers[0x61] = (Handler)apic_eoi;
    apic_write(0x3e0, 0xb);
    apic_write(0x320, 0x61);
    apic_write(0x380, 1000000);
    begin();
    asm volatile("pushf; pop %%rbx; cli; " TF_ON
                 "sti; 1: hlt; push %%rbx; popf; cli; lea 1b(%%rip), %0"
                 : "=r"(ip)::"memory", "rbx");
    STEPS("STI; HLT", ip, 0, 1, 2, 3);
    apic_write(0x320, 0x10061);
    sti_nop_cli(); /* one that came late */
}

/* ---- breakpoints ---- */

static u32 var[8] ALIGNED(64);

#define DR7(i, rw, len)                                                                  \
    ((2ul << 2 * (i)) | (ulong)(rw) << (16 + 4 * (i)) | (ulong)(len) << (18 + 4 * (i)) | \
     0x400)

static void data_case(const char *name, ulong dr7, ulong addr, unsigned kind, void *p,
                      bool hit)
{
    ulong ip = 0;
    begin();
    limit = 1;
    write_dr1(addr);
    write_dr7(dr7);
    switch (kind) {
    case 0:
        asm volatile("movb (%1), %%al; 1: nop; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory", "rax");
        break;
    case 1:
        asm volatile("movb %%al, (%1); 1: nop; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory");
        break;
    case 2:
        asm volatile("mov (%1), %%eax; 1: nop; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory", "rax");
        break;
    case 3:
        asm volatile("mov %%eax, (%1); 1: nop; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory");
        break;
    case 4:
        asm volatile("mov (%1), %%rax; 1: nop; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory", "rax");
        break;
    case 5:
        asm volatile("lock incl (%1); 1: nop; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory");
        break;
    case 6:
        asm volatile("push (%1); 1: pop %%rax; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory", "rax");
        break;
    case 7:
        asm volatile("movups (%1), %%xmm0; 1: nop; lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory");
        break;
    default:
        asm volatile("fildl (%1); 1: fstp %%st(0); lea 1b(%%rip), %0"
                     : "=r"(ip)
                     : "r"(p)
                     : "memory");
    }
    write_dr7(0x400);
    check(name, n ? (u64)(at[0] == ip) << 32 | six[0] : 0,
          hit ? 1ull << 32 | BASE | 2 : 0);
}

void data_breakpoints(void)
{
    ulong v = (ulong)var;
    memset(var, 0, sizeof(var));
    asm volatile("fninit");
    data_case("write of 1: hit", DR7(1, 1, 0), v, 1, var, true);
    data_case("write of 1: not by a read", DR7(1, 1, 0), v, 0, var, false);
    data_case("read-write of 1: read", DR7(1, 3, 0), v, 0, var, true);
    data_case("read-write of 1: write", DR7(1, 3, 0), v, 1, var, true);
    data_case("write of 1: part of a longer one", DR7(1, 1, 0), v + 3, 3, var, true);
    data_case("write of 1: one beyond", DR7(1, 1, 0), v + 4, 3, var, false);
    data_case("write of 4: first byte", DR7(1, 1, 3), v, 1, var, true);
    data_case("write of 4: last byte", DR7(1, 1, 3), v, 1, (u8 *)var + 3, true);
    data_case("write of 4: next byte", DR7(1, 1, 3), v, 1, (u8 *)var + 4, false);
    data_case("write of 4: byte before", DR7(1, 1, 3), v + 4, 1, (u8 *)var + 3, false);
    data_case("write of 8: last byte", DR7(1, 1, 2), v, 1, (u8 *)var + 7, true);
    data_case("write of 2: second byte", DR7(1, 1, 1), v, 1, (u8 *)var + 1, true);
    data_case("length 4: address bits 1:0 are ignored", DR7(1, 1, 3), v + 3, 1, var,
              true);
    data_case("read of 8 over the address", DR7(1, 3, 0), v + 7, 4, var, true);
    data_case("locked", DR7(1, 1, 3), v, 5, var, true);
    data_case("operand of PUSH", DR7(1, 3, 3), v, 6, var, true);
    data_case("SSE load", DR7(1, 3, 0), v + 15, 7, var, true);
    data_case("x87 load", DR7(1, 3, 3), v, 8, var, true);
    data_case("off: no enable bit", DR7(1, 3, 3) & ~0xcul, v, 3, var, false);
    data_case("local enable is enough", (DR7(1, 3, 3) & ~8ul) | 4, v, 3, var, true);
    data_case("RW 2 is I/O: DE 0", DR7(1, 2, 3), v, 3, var, false);
    data_case("a misaligned store across the end", DR7(1, 1, 3), v + 4, 3, (u8 *)var + 1,
              true);

    begin();
    write_dr0(v);
    write_dr2(v + 8);
    write_dr7(DR7(0, 1, 3) | DR7(2, 1, 3));
    limit = 1;
    asm volatile("mov %0, %%rdi; mov $3, %%ecx; xor %%eax, %%eax; cld; rep stosl" ::"r"(v)
                 : "memory", "rcx", "rdi", "rax");
    check("REP STOS: a trap after the iteration", n && six[0] == (BASE | 1), 1);
    begin();
    write_dr0(v);
    write_dr2(v + 2);
    write_dr7(DR7(0, 1, 0) | DR7(2, 1, 0));
    limit = 1;
    WRITE(var, 0);
    check("two at once", six[0], BASE | 5);
    begin();
    limit = 1;
    write_dr0(v);
    write_dr2(v);
    write_dr7((DR7(0, 1, 0) | DR7(2, 1, 0)) & ~0x20ul);
    WRITE(var, 0);
    check("a match that is not enabled may be told too", six[0] & ~4ul, BASE | 1);
    begin();
    limit = 1;
    write_dr1(v);
    write_dr6(0x4001);
    write_dr7(DR7(1, 1, 3));
    WRITE(var, 0);
    check("DR6: B0-B3 are the processor's, BS stays", six[0] & 0x400f, 0x4002);
    /* the trap is at the instruction behind, and STI; MOV SS hold it */
    ulong ip;
    begin();
    limit = 1;
    write_dr7(0x400);
    var[0] = 0x10;
    write_dr1(v);
    write_dr7(DR7(1, 3, 3));
    asm volatile("mov %1, %%ss; nop; 1: nop; lea 1b(%%rip), %0"
                 : "=r"(ip)
                 : "m"(var[0])
                 : "memory");
    check("MOV SS from a watched word: the trap is delayed", at[0], ip);
    check("DR6 of the delayed trap", six[0], BASE | 2);
    write_dr7(0x400);
}

/* ---- instruction breakpoints ---- */

void code_breakpoints(void)
{
    ulong ip;

    begin();
    asm volatile(
        "lea 1f(%%rip), %0; mov %0, %%dr2; mov %1, %%rax; mov %%rax, %%dr7; nop; 1: nop"
        : "=&r"(ip)
        : "i"(DR7(2, 0, 0))
        : "memory", "rax");
    check("once, before the instruction", n, 1);
    check("its address", at[0], ip);
    check("its DR6", six[0], BASE | 4);
    begin();
    limit = 1;
    asm volatile(
        "lea 1f(%%rip), %0; mov %0, %%dr2; mov %1, %%rax; mov %%rax, %%dr7; 1: mov $1, "
        "%%eax"
        : "=&r"(ip)
        : "i"(DR7(2, 0, 0))
        : "memory", "rax");
    check("directly behind MOV DR7", n, 1);
    begin();
    asm volatile(
        "lea 1f(%%rip), %0; mov %0, %%dr2; mov %1, %%rax; mov %%rax, %%dr7; mov $3, %%ecx; "
        "1: loop 1b"
        : "=&r"(ip)
        : "i"(DR7(2, 0, 0))
        : "memory", "rax", "rcx");
    check("in a loop: each time", n, 3);
    begin();
    limit = 1;
    asm volatile(
        "lea 1f+1(%%rip), %0; mov %0, %%dr2; mov %1, %%rax; mov %%rax, %%dr7; 1: mov $1, "
        "%%eax"
        : "=&r"(ip)
        : "i"(DR7(2, 0, 0))
        : "memory", "rax");
    check("only at the first byte", n, 0);
    begin();
    limit = 3;
    asm volatile(
        "lea 1f(%%rip), %0; mov %0, %%dr2; mov %1, %%rax; mov %%rax, %%dr7; mov %%ss, "
        "%%ecx; mov %%ecx, %%ss; 1: nop; mov $0x400, %%eax; mov %%rax, %%dr7"
        : "=&r"(ip)
        : "i"(DR7(2, 0, 0))
        : "memory", "rax", "rcx");
    check("behind MOV SS: none", n, 0);
    begin();
    write_dr7(0x400);
    check("DR7 fixed bits", read_dr7(), 0x400);
    write_dr7(0);
    check("DR7 bit 10", read_dr7(), 0x400);
    write_dr7(0x2400);
    ulong v;
    limit = 1;
    asm volatile("lea 1f(%%rip), %0; 1: mov %%dr0, %%rax" : "=r"(ip)::"memory", "rax");
    check("GD: MOV from DR traps before", at[0], ip);
    check("GD: DR6.BD", six[0], BASE | 0x2000);
    check("GD is cleared in the handler", seven[0], 0x400);
    begin();
    write_dr7(0x2400);
    asm volatile(
        "pushf; pop %%rbx; mov %%ss, %%ecx; xor %%edx, %%edx; " TF_ON
        "mov %%ecx, %%ss; 1: mov %%rdx, %%dr6; push %%rbx; popf; lea 1b(%%rip), %0"
        : "=r"(ip)::"memory", "rbx", "rcx", "rdx");
    steps("GD behind MOV SS with TF", ip, (const short[]){ 0, 3, 4, 5, -1 },
          (const u32[]){ BASE | 0x2000, BASE | 0x4000, BASE | 0x4000, BASE | 0x4000 });
    begin();
    asm volatile("1: .byte 0xf1; lea 1b(%%rip), %0" : "=r"(ip)::"memory");
    check("INT1: DR6 without bits", six[0], BASE);
    check("INT1: behind it", at[0], ip + 1);
    write_dr6(~0u);
    check("DR6 takes its bits", read_dr6() & 0xffffe00f,
          0xffffe00f & (read_dr6() | 0xffff0ff0));
    write_dr6(0);
    check("DR6 fixed bits", read_dr6(), BASE);
    asm volatile(TRY "mov %0, %%dr6" END ::"r"(1ul << 32) : "memory");
    check("DR6 above 32 bits", caught(), ERR(GP, 0));
    asm volatile(TRY "mov %0, %%dr7" END ::"r"(1ul << 32) : "memory");
    check("DR7 above 32 bits", caught(), ERR(GP, 0));
    write_dr3(0xffff800000001234ul);
    check("DR3 has 64 bits", read_dr3(), 0xffff800000001234ul);
    ulong cr4 = read_cr4();
    write_cr4(cr4 & ~8ul);
    asm volatile(TRY "mov %0, %%dr4" END ::"r"(0x4002ul) : "memory");
    asm volatile(TRY "mov %%dr4, %0" END : "=r"(v)::"memory");
    check("DR4 is DR6 with DE 0", v, BASE | 0x4002);
    asm volatile(TRY "mov %%dr5, %0" END : "=r"(v)::"memory");
    check("DR5 is DR7 with DE 0", v, 0x400);
    write_cr4(cr4 | 8);
    asm volatile(TRY "mov %%dr4, %%rax" END ::: "memory", "rax");
    check("DR4 with DE 1", caught(), UD);
    asm volatile(TRY "mov %0, %%dr5" END ::"r"(0ul) : "memory");
    check("DR5 with DE 1", caught(), UD);
    asm volatile(TRY ".byte 0x44, 0x0f, 0x21, 0xc0" END ::: "memory", "rax");
    check("DR8", caught(), UD);
    asm volatile(TRY ".byte 0x0f, 0x20, 0xc8" END ::: "memory", "rax");
    check("CR1", caught(), UD);
    asm volatile(TRY ".byte 0x0f, 0x20, 0xe8" END ::: "memory", "rax");
    check("CR5", caught(), UD);
    /* I/O breakpoints */
    begin();
    limit = 1;
    write_dr3(0x80);
    write_dr7(DR7(3, 2, 0));
    asm volatile("out %%al, $0x80; 1: nop; lea 1b(%%rip), %0" : "=r"(ip)::"memory");
    check("I/O with DE 1: OUT", n ? six[0] : 0, BASE | 8);
    check("I/O: behind it", at[0], ip);
    begin();
    limit = 1;
    write_dr7(DR7(3, 2, 0));
    asm volatile("in $0x81, %%al" ::: "memory", "rax");
    check("I/O: another port", n, 0);
    asm volatile("mov $0x80, %%dx; in %%dx, %%al" ::: "memory", "rax", "rdx");
    check("I/O: IN", n, 1);
    write_dr7(0x400);
    write_cr4(cr4);
}

/* ---- SYSCALL and TF, ring 3 ---- */

USER static void user_step(void)
{
    asm volatile(
        "pushf; orl $0x100, (%%rsp); popf; nop; pushf; andl $~0x100, (%%rsp); popf" ::
            : "memory");
}

void step_user(void)
{
    begin();
    check("steps in ring 3 end", run_user(user_step, 0, 0), NONE);
    check("steps in ring 3: their number", n, 4);
    check("steps in ring 3: CS", cs_at[0], 0x2b);
}

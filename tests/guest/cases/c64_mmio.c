/* SPDX-License-Identifier: MIT */
/*
 * Instructions whose operand is a device's register do what they do to memory: each runs on
 * RAM and on the test device's memory with the same content, and leaves the same.
 */
#include "lib.h"

#define DEVICE ((u8 *)0xff000000ul)
static u8 ram[8192] ALIGNED(4096);
static u8 other[256] ALIGNED(64);
static struct __attribute__((packed)) {
    u64 ax, cx, dx, bx, flags;
} out;

static void fill(u8 *m)
{
    for (unsigned i = 0; i < 512; i++) {
        *(volatile u64 *)(m + 8 * i) = 0x0123456789abcdefull * (i + 1);
    }
    for (unsigned i = 0; i < sizeof(other); i++) {
        other[i] = i * 7;
    }
}

static u64 sum(const u8 *m)
{
    u64 s = 0;
    for (unsigned i = 0; i < 512; i++) {
        s = s * 31 + *(const volatile u64 *)(m + 8 * i);
    }
    for (unsigned i = 0; i < sizeof(other); i++) {
        s = s * 31 + other[i];
    }
    s = s * 31 + out.ax;
    s = s * 31 + out.cx;
    s = s * 31 + out.dx;
    s = s * 31 + out.bx;
    s = s * 31 + out.flags;
    return s;
}

/* RDI: the operand's page; RSI: 256 bytes of RAM; RAX, RCX, RDX, RBX: values. */
#define SAME(text) SAME_BUT(0xcd5, text)
/* Flags that the manual leaves undefined are not compared. */
#define SAME_BUT(mask, text)                                                     \
    do {                                                                         \
        u64 s[2], moved[2];                                                      \
        for (int k = 0; k < 2; k++) {                                            \
            u8 *m = k ? DEVICE : ram;                                            \
            fill(m);                                                             \
            u64 a = 0x1122334455667788, c = 3, d = 5, b = 0xfedcba9876543210, f; \
            u8 *di = m, *si = other;                                             \
            asm volatile("pushq $2; popfq; " text "; pushfq; popq %[f]; cld"     \
                         : "+a"(a), "+c"(c), "+d"(d), "+b"(b), "+D"(di),         \
                           "+S"(si), [f] "=r"(f)::"memory", "r8", "r9", "cc");   \
            out = (__typeof__(out)){ a, c, d, b, f & (mask) };                   \
            moved[k] = di - m + ((u64)(si - other) << 32);                       \
            s[k] = sum(m);                                                       \
        }                                                                        \
        check(text, s[1], s[0]);                                                 \
        if (moved[0]) {                                                          \
            check("registers of " text, moved[1], moved[0]);                     \
        }                                                                        \
    } while (0)

#define STACK(text) "lea 2048(%%rdi), %%r8; xchg %%r8, %%rsp; " text "; xchg %%r8, %%rsp"

static void integers(void)
{
    SAME("addb %%al, (%%rdi)");
    SAME("stc; adcw %%ax, 1(%%rdi)");
    SAME("stc; sbbl %%eax, 3(%%rdi)");
    SAME("subq (%%rdi), %%rax");
    SAME("cmpb $0x12, 7(%%rdi)");
    SAME("testl $0x8000, 4(%%rdi)");
    SAME("lock incl (%%rdi)");
    SAME("lock negq 8(%%rdi)");
    SAME("lock notb 9(%%rdi)");
    SAME("lock decw 4094(%%rdi)");
    SAME("lock orq %%rax, 13(%%rdi)");
    SAME("xchgb %%al, (%%rdi)");
    SAME("xchgl %%eax, 5(%%rdi)");
    SAME("xaddq %%rax, (%%rdi)");
    SAME("lock xaddw %%ax, 2(%%rdi)");
    SAME("cmpxchgl %%edx, (%%rdi)");
    SAME("mov (%%rdi), %%eax; lock cmpxchgl %%edx, (%%rdi)");
    SAME("cmpxchg8b 8(%%rdi)");
    SAME("mov 8(%%rdi), %%eax; mov 12(%%rdi), %%edx; lock cmpxchg8b 8(%%rdi)");
    SAME("lock btsl $30, (%%rdi)");
    SAME("btcl %%edx, (%%rdi)");
    SAME("mov $-1, %%rcx; btcq %%rcx, 64(%%rdi)");
    SAME("mov $66, %%ecx; btrl %%ecx, (%%rdi)");
    SAME_BUT(0x40, "bsfq (%%rdi), %%rcx");
    SAME_BUT(0x40, "bsrw 2(%%rdi), %%cx");
    SAME_BUT(0x8c5, "shlb $1, (%%rdi)");
    SAME_BUT(0x4c5, "rclw %%cl, (%%rdi)");
    SAME_BUT(0xc5, "sarq %%cl, 8(%%rdi)");
    SAME_BUT(0xc5, "shldl %%cl, %%edx, (%%rdi)");
    SAME_BUT(0xc5, "shrdq $9, %%rax, 8(%%rdi)");
    SAME_BUT(0x801, "imulw (%%rdi), %%ax");
    SAME_BUT(0x801, "imulq $311, 8(%%rdi), %%rax");
    SAME_BUT(0x801, "mulb (%%rdi)");
    SAME_BUT(0x801, "mulq 8(%%rdi)");
    SAME_BUT(0, "xor %%edx, %%edx; divl (%%rdi)");
    SAME_BUT(0, "cqto; idivq 8(%%rdi)");
    SAME("cmp %%eax, %%eax; cmovnel (%%rdi), %%eax");
    SAME("cmp %%eax, %%eax; cmoveq 8(%%rdi), %%rax");
    SAME("setc 3(%%rdi)");
    SAME("movzbl 5(%%rdi), %%eax");
    SAME("movswq 6(%%rdi), %%rax");
    SAME("movslq 4(%%rdi), %%rax");
    SAME("mov %%cs, 6(%%rdi)");
    SAME("smsw 2(%%rdi)");
    SAME("sgdt 16(%%rdi)");
    SAME("lea 8(%%rdi), %%rbx; mov $2, %%eax; xlatb; xor %%ebx, %%ebx");
    if (cpuid(1, 0).c >> 22 & 1) {
        SAME("movbel (%%rdi), %%ecx");
        SAME("movbeq %%rbx, 5(%%rdi)");
    }
    if (cpuid(1, 0).c >> 13 & 1) {
        SAME("cmpxchg16b 16(%%rdi)");
        SAME("mov 16(%%rdi), %%rax; mov 24(%%rdi), %%rdx; lock cmpxchg16b 16(%%rdi)");
    }
    if (cpuid(1, 0).c >> 20 & 1) {
        SAME("crc32l (%%rdi), %%ecx");
    }
}

static void strings(void)
{
    SAME("mov $30, %%ecx; rep movsb");
    SAME("mov $30, %%ecx; xchg %%rsi, %%rdi; rep movsw; xchg %%rsi, %%rdi");
    SAME("mov $9, %%ecx; rep stosq");
    SAME("mov $9, %%ecx; add $4080, %%rdi; rep stosl; sub $4080, %%rdi");
    SAME("mov $13, %%ecx; std; lea 100(%%rdi), %%rdi; add $100, %%rsi; rep movsl; cld");
    SAME("mov $5, %%ecx; xchg %%rsi, %%rdi; rep lodsw; xchg %%rsi, %%rdi");
    SAME("mov $40, %%ecx; repe cmpsb");
    SAME("mov $0xef, %%al; mov $40, %%ecx; repne scasb");
    SAME("mov (%%rdi), %%rax; mov $40, %%ecx; repe scasq");
    SAME("lea 16(%%rdi), %%rsi; mov $20, %%ecx; rep movsb; lea other(%%rip), %%rsi");
    SAME("mov $0xe0, %%dx; mov $6, %%ecx; rep insl");
    SAME(
        "mov $0xe0, %%dx; mov $6, %%ecx; xchg %%rsi, %%rdi; rep outsw; xchg %%rsi, %%rdi; "
        "inl %%dx, %%eax");
}

static void stacks(void)
{
    SAME("pushq (%%rdi); popq 8(%%rdi)");
    SAME("pushw (%%rdi); popw 9(%%rdi)");
    SAME(STACK("pushq $-7; pushq %%rax; pushq (%%rsi); popq %%rcx"));
    SAME(STACK("pushw %%ax; pushfq; popq %%rcx; popw %%dx"));
    SAME(STACK("lea 1f(%%rip), %%r9; push %%r9; ret; 2: jmp 2b; 1: mov $9, %%ecx"));
    SAME(STACK("call 3f; jmp 4f; 3: add $2, %%ecx; ret $16; 4: sub $16, %%rsp"));
    SAME(STACK(
        "mov %%rbp, %%r9; mov %%rax, %%rbp; enter $0x38, $0; mov %%rbp, %%rcx; "
        "sub %%rdi, %%rcx; leave; mov %%rbp, %%rdx; mov %%r9, %%rbp; xor %%r9, %%r9"));
    SAME("lea 5f(%%rip), %%r9; mov %%r9, 8(%%rdi); jmp *8(%%rdi); 6: jmp 6b; "
         "5: movq $0, 8(%%rdi)");
    SAME(
        "lea 7f(%%rip), %%r9; mov %%r9, 8(%%rdi); mov %%cs, 16(%%rdi); rex64 ljmp *8(%%rdi); "
        "8: jmp 8b; 7: movq $0, 8(%%rdi)");
    SAME(
        "lea 9f(%%rip), %%r9; mov %%r9, 8(%%rdi); pushfq; popq 24(%%rdi); mov %%cs, %%ecx; "
        "mov %%rcx, 16(%%rdi); mov %%rsp, 32(%%rdi); mov %%ss, %%ecx; mov %%rcx, 40(%%rdi); "
        "mov %%rsp, %%r9; lea 8(%%rdi), %%rsp; iretq; 10: jmp 10b; "
        "9: movq $0, 8(%%rdi); movq $0, 32(%%rdi)");
    SAME("mov %%ss, (%%rdi); mov (%%rdi), %%ss; mov %%ss, %%ecx");
    SAME("movw $0, (%%rdi); mov (%%rdi), %%fs; mov %%fs, %%ecx");
    SAME(
        "mov $0x80, %%ecx; andb $0xfd, gdt+0x85(%%rip); mov %%cx, (%%rdi); ltr (%%rdi); str %%cx");
    SAME("mov %%cr0, %%rcx; mov %%cx, (%%rdi); lmsw (%%rdi)");
    SAME("sgdt 16(%%rdi); lgdt 16(%%rdi)");
    SAME("sidt 16(%%rdi); lidt 16(%%rdi)");
    SAME("verr 4(%%rdi)");
    SAME("lar 4(%%rdi), %%ecx");
}

static void vectors(void)
{
    SAME("movups (%%rdi), %%xmm1; movups %%xmm1, 32(%%rdi)");
    SAME("movaps 16(%%rdi), %%xmm1; movapd %%xmm1, 48(%%rdi)");
    SAME(
        "movdqu 3(%%rdi), %%xmm1; movdqu %%xmm1, 4090(%%rdi); movdqu 4090(%%rdi), %%xmm2; "
        "movq %%xmm2, %%rcx");
    SAME("movntdq %%xmm1, 64(%%rdi)");
    SAME("movd (%%rdi), %%xmm3; movq %%xmm3, 8(%%rdi)");
    SAME("movss (%%rdi), %%xmm3; movsd 8(%%rdi), %%xmm4; movhps %%xmm4, 24(%%rdi); "
         "movlps %%xmm3, 40(%%rdi)");
    SAME("movups (%%rsi), %%xmm1; paddd 16(%%rdi), %%xmm1; pxor 32(%%rdi), %%xmm1; "
         "movups %%xmm1, (%%rsi)");
    SAME("cvtsi2sdl (%%rdi), %%xmm5; movsd %%xmm5, (%%rsi)");
    SAME("movq (%%rdi), %%mm1; movq %%mm1, 24(%%rdi); emms");
    SAME("movnti %%eax, 4(%%rdi)");
    SAME("fildl (%%rdi); fistpq 8(%%rdi)");
    SAME("fldl 8(%%rsi); fstpt 16(%%rdi); fldt 16(%%rdi); fstpl (%%rsi)");
    SAME("fnstcw 2(%%rdi); fldcw 2(%%rdi)");
    SAME("fninit; fnstenv 64(%%rdi); movq $0, 76(%%rdi); movq $0, 84(%%rdi)");
    SAME("stmxcsr 4(%%rdi); ldmxcsr 4(%%rdi)");
    SAME("clflush (%%rdi); prefetcht0 (%%rdi)");
}

void mmio_operands(void)
{
    ulong cr0 = read_cr0(), cr4 = read_cr4();

    asm volatile("mov %0, %%cr0" ::"r"(cr0 & ~0xcul));
    asm volatile("fninit");
    integers();
    strings();
    stacks();
    vectors();
    if (cpuid(1, 0).c >> 28 & 1) {
        write_cr4(cr4 | 1 << 18);
        asm volatile("xsetbv" ::"c"(0), "a"(7), "d"(0));
        SAME("vmovdqu (%%rdi), %%ymm1; vmovdqu %%ymm1, 35(%%rdi)");
        SAME("vmovdqu (%%rsi), %%ymm1; vmovntdq %%ymm1, 4064(%%rdi)");
        SAME(
            "vmovups (%%rsi), %%ymm1; vpxor %%xmm2, %%xmm2, %%xmm2; vpcmpeqd %%xmm2, %%xmm2, "
            "%%xmm2; vmaskmovps %%ymm1, %%ymm2, 4090(%%rdi); vzeroall");
    }
    write_cr4(cr4);
    write_cr0(cr0);
}

/* SPDX-License-Identifier: MIT */
/* MSRs, control registers and their #GP rules: SDM vol. 3, 2.5; vol. 4, chapter 2. */
#include "lib.h"

#define NONCANON 0x800000000000ull

static void roundtrip(const char *name, u32 msr, u64 v)
{
    u64 old = rdmsr(msr), got = 0;
    u64 r = try_wrmsr(msr, v);
    (void)try_rdmsr(msr, &got);
    (void)try_wrmsr(msr, old);
    checkf(r == NONE ? got : ~v, v, "%s keeps %X", name, v);
}

void msrs(void)
{
    u64 v;

    roundtrip("SYSENTER_CS", 0x174, 0x1234);
    roundtrip("SYSENTER_ESP", 0x175, 0x123456789abc);
    roundtrip("SYSENTER_EIP", 0x176, 0x123456789abc);
    roundtrip("PAT", 0x277, 0x07070707);
    roundtrip("PAT", 0x277, 0x0007040600070406);
    roundtrip("FS_BASE", 0xc0000100, 0x123456789abc);
    roundtrip("FS_BASE", 0xc0000100, 0xffff800000000000);
    roundtrip("GS_BASE", 0xc0000101, 0x123456789abc);
    roundtrip("KERNEL_GS_BASE", 0xc0000102, 0x123456789abc);
    roundtrip("LSTAR", 0xc0000082, 0x123456789abc);
    roundtrip("CSTAR", 0xc0000083, 0x123456789abc);
    roundtrip("FMASK", 0xc0000084, 0xffffffff);
    roundtrip("STAR", 0xc0000081, 0x0018000812345678);
    u64 misc = rdmsr(0x1a0);
    roundtrip("MISC_ENABLE", 0x1a0, (0x400c50809 & ~0x1880ull) | (misc & 0x1880));
    static const u32 canon[] = { 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000082,
                                 0xc0000083 };
    for (unsigned i = 0; i < COUNT(canon); i++) {
        checkf(try_wrmsr(canon[i], NONCANON), ERR(GP, 0), "MSR %x: non-canonical",
               canon[i]);
    }
    if (!is_amd()) {
        check("SYSENTER_ESP: non-canonical", try_wrmsr(0x175, NONCANON), ERR(GP, 0));
        check("SYSENTER_EIP: non-canonical", try_wrmsr(0x176, NONCANON), ERR(GP, 0));
    }
    check("PAT: reserved type 2", try_wrmsr(0x277, 2), ERR(GP, 0));
    check("PAT: reserved type 3", try_wrmsr(0x277, 0x0300000000000000), ERR(GP, 0));
    check("PAT: reserved type 8", try_wrmsr(0x277, 8), ERR(GP, 0));
    u64 efer = rdmsr(0xc0000080);
    check("EFER: SCE, LME, LMA, NXE", efer & 0xd01, 0xd01);
    check("EFER: reserved bit", try_wrmsr(0xc0000080, efer | 2), ERR(GP, 0));
    check("EFER: reserved high bit", try_wrmsr(0xc0000080, efer | 1ull << 40),
          ERR(GP, 0));
    check("EFER: LME while paging", try_wrmsr(0xc0000080, efer & ~0x100ull), ERR(GP, 0));
    check("EFER: LMA is the processor's", ({
              u64 r = try_wrmsr(0xc0000080, efer & ~0x400ull);
              r == ERR(GP, 0) || (rdmsr(0xc0000080) & 0x400);
          }),
          1);
    check("an MSR that is not there", try_rdmsr(0x12345, &v), ERR(GP, 0));
    check("writing it", try_wrmsr(0x12345, 0), ERR(GP, 0));
    check("MTRRCAP is read-only", try_wrmsr(0xfe, 0), ERR(GP, 0));
    u32 n = rdmsr(0x179) & 0xff;
    bool ctl = true, rest = true, beyond = true, status = true;
    for (u32 i = 0; i < n && i < 32; i++) {
        u32 m = 0x400 + 4 * i;
        ctl = ctl && try_wrmsr(m, 0) == NONE && try_wrmsr(m, ~0ull) == NONE &&
              try_wrmsr(m, NONCANON) == ERR(GP, 0);
        status = status && try_wrmsr(m + 1, 0) == NONE &&
                 try_wrmsr(m + 1, 1) == ERR(GP, 0);
        for (u32 k = 2; k < 4; k++) {
            static const u64 values[] = { 0, ~0ull, NONCANON };
            for (u32 j = 0; j < 3; j++) {
                u64 old = rdmsr(m + k), got = 0;
                rest = rest && try_wrmsr(m + k, values[j]) == NONE &&
                       try_rdmsr(m + k, &got) == NONE && got == values[j];
                (void)try_wrmsr(m + k, old);
            }
        }
    }
    for (u32 i = n; i < 32; i++) {
        for (u32 k = 0; k < 4; k++) {
            beyond = beyond && try_rdmsr(0x400 + 4 * i + k, &v) == ERR(GP, 0) &&
                     try_wrmsr(0x400 + 4 * i + k, 0) == ERR(GP, 0);
        }
    }
    check("machine check: CTL takes all or nothing", ctl, 1);
    check("machine check: STATUS takes 0 only", status, 1);
    check("machine check: ADDR and MISC", rest, 1);
    check("machine check: no bank beyond MCG_CAP", beyond, 1);
    /* MTRRs */
    check("MTRR_DEF_TYPE: reserved type", try_wrmsr(0x2ff, 0xc02), ERR(GP, 0));
    check("MTRR_DEF_TYPE: reserved bit", try_wrmsr(0x2ff, 0x1c06), ERR(GP, 0));
    check("MTRR_PHYSBASE: reserved type", try_wrmsr(0x200, 2), ERR(GP, 0));
    check("MTRR_FIX64K: reserved type", try_wrmsr(0x250, 0x0606060602060606), ERR(GP, 0));
    roundtrip("MTRR_FIX64K", 0x250, 0x0606060606060606);
    bool ibpb = cpuid(7, 0).d >> 26 & 1 || (is_amd() && cpuid(0x80000008, 0).b >> 12 & 1);
    bool l1d = cpuid(7, 0).d >> 28 & 1;
    check("PRED_CMD: IBPB where CPUID tells", try_wrmsr(0x49, 1), ibpb ? NONE : ERR(GP, 0));
    check("PRED_CMD: 0 too", try_wrmsr(0x49, 0), ibpb ? NONE : ERR(GP, 0));
    check("PRED_CMD: a reserved bit", try_wrmsr(0x49, 2), ERR(GP, 0));
    check("PRED_CMD is write-only", try_rdmsr(0x49, &v), ERR(GP, 0));
    check("FLUSH_CMD where CPUID tells", try_wrmsr(0x10b, 1), l1d ? NONE : ERR(GP, 0));
    check("FLUSH_CMD is write-only", try_rdmsr(0x10b, &v), ERR(GP, 0));
    check("APIC range without x2APIC mode", try_rdmsr(0x802, &v), ERR(GP, 0));
    check("TSC_ADJUST", try_rdmsr(0x3b, &v) == (cpuid(7, 0).b & 2 ? NONE : ERR(GP, 0)),
          1);
    asm volatile(TRY "rdpmc" END ::"c"(0x12345) : "memory", "rax", "rdx");
    check("RDPMC of a counter that is not there", caught(), ERR(GP, 0));
}

static u64 try_cr0(u64 v)
{
    asm volatile(TRY "mov %0, %%cr0" END ::"r"(v) : "memory");
    return caught();
}
static u64 try_cr4(u64 v)
{
    asm volatile(TRY "mov %0, %%cr4" END ::"r"(v) : "memory");
    return caught();
}

void control_registers(void)
{
    ulong cr0 = read_cr0(), cr4 = read_cr4(), cr3 = read_cr3();

    check("CR0: NW without CD", try_cr0(cr0 | 1 << 29), ERR(GP, 0));
    check("CR0: PG without PE", try_cr0(cr0 & ~1ul), ERR(GP, 0));
    check("CR0: upper half", try_cr0(cr0 | 1ull << 32), ERR(GP, 0));
    check("CR0: PG cleared in 64-bit mode", try_cr0(cr0 & ~0x80000000ul), ERR(GP, 0));
    check("CR0: CD and NW", try_cr0(cr0 | 3 << 29), NONE);
    write_cr0(cr0);
    check("CR0: ET is fixed", (try_cr0(cr0 & ~0x10ul), read_cr0() & 0x10), 0x10);
    check("CR0: reserved bits of the lower half are ignored", try_cr0(cr0 | 0x8000),
          NONE);
    write_cr0(cr0);
    check("CR4: PAE cleared in long mode", try_cr4(cr4 & ~0x20ul), ERR(GP, 0));
    check("CR4: reserved bit 31", try_cr4(cr4 | 1ul << 31), ERR(GP, 0));
    check("CR4: upper half", try_cr4(cr4 | 1ull << 32), ERR(GP, 0));
    check("CR4: reserved bit 15", try_cr4(cr4 | 1 << 15), ERR(GP, 0));
    static const struct {
        const char *name;
        u8 bit, leaf, reg, fbit; /* reg: 0 b, 1 c, 2 d */
    } rows[] = {
        { "VME", 0, 1, 2, 1 },       { "DE", 3, 1, 2, 2 },
        { "MCE", 6, 1, 2, 7 },       { "UMIP", 11, 7, 1, 2 },
        { "FSGSBASE", 16, 7, 0, 0 }, { "OSXSAVE", 18, 1, 1, 26 },
        { "SMEP", 20, 7, 0, 7 },     { "SMAP", 21, 7, 0, 20 },
        { "PKE", 22, 7, 1, 3 },      { "LA57", 12, 7, 1, 16 },
        { "VMXE", 13, 1, 1, 5 },     { "SMXE", 14, 1, 1, 6 },
        { "CET", 23, 7, 1, 7 },
    };
    for (unsigned i = 0; i < COUNT(rows); i++) {
        Cpuid c = cpuid(rows[i].leaf, 0);
        u32 word = rows[i].reg == 0 ? c.b : rows[i].reg == 1 ? c.c : c.d;
        bool has = word >> rows[i].fbit & 1;
        if (rows[i].bit == 12 && has) {
            continue; /* cannot be set in 64-bit mode */
        }
        if (rows[i].bit == 20 || rows[i].bit == 13 || rows[i].bit == 23) {
            if (has) {
                continue;
            }
        }
        checkf(try_cr4(cr4 | 1ul << rows[i].bit), has ? NONE : ERR(GP, 0),
               "CR4.%s follows CPUID", rows[i].name);
        write_cr4(cr4);
    }
    (void)try_cr4(cr4 | 1 << 18);
    check("CPUID.OSXSAVE follows CR4", cpuid(1, 0).c >> 27 & 1, cpuid(1, 0).c >> 26 & 1);
    write_cr4(cr4);
    check("CPUID.OSXSAVE is clear again", cpuid(1, 0).c >> 27 & 1, 0);
    if (cpuid(7, 0).c & 8) {
        write_cr4(cr4 | 1 << 22);
        check("CPUID.OSPKE follows CR4", cpuid(7, 0).c >> 4 & 1, 1);
        u32 pk = 0;
        asm volatile(TRY ".byte 0x0f, 0x01, 0xee" END
                     : "=a"(pk)
                     : "c"(0)
                     : "rdx", "memory");
        check("RDPKRU", caught(), NONE);
        asm volatile(TRY ".byte 0x0f, 0x01, 0xee" END
                     : "=a"(pk)
                     : "c"(1)
                     : "rdx", "memory");
        check("RDPKRU with ECX", caught(), ERR(GP, 0));
        asm volatile(TRY ".byte 0x0f, 0x01, 0xef" END ::"a"(0), "c"(0), "d"(1)
                     : "memory");
        check("WRPKRU with EDX", caught(), ERR(GP, 0));
        write_cr4(cr4);
        asm volatile(TRY ".byte 0x0f, 0x01, 0xee" END
                     : "=a"(pk)
                     : "c"(0)
                     : "rdx", "memory");
        check("RDPKRU with PKE 0", caught(), UD);
    }
    asm volatile("lmsw %w0" ::"r"(cr0 ^ 8));
    check("LMSW changes TS", read_cr0() ^ cr0, 8);
    asm volatile("lmsw %w0" ::"r"((cr0 & ~1ul) ^ 4));
    check("LMSW cannot clear PE", read_cr0() & 15, (cr0 & 15) ^ 4);
    asm volatile("lmsw %w0" ::"r"(cr0));
    asm volatile("mov %0, %%cr0; clts" ::"r"(cr0 | 8) : "memory");
    check("CLTS", read_cr0() & 8, 0);
    u64 rax = 0x1234567890abcdef;
    asm volatile("smsw %w0" : "+r"(rax));
    check("SMSW to a word keeps the rest", rax, 0x1234567890ab0000 | (cr0 & 0xffff));
    asm volatile("smsw %k0" : "+r"(rax));
    check("SMSW to a long", rax, (u32)cr0);
    u64 mem = 0x1122334455667788;
    asm volatile("smsw %0" : "+m"(mem));
    check("SMSW to memory writes a word", mem, 0x1122334455660000 | (cr0 & 0xffff));
    check("CR3 unchanged", read_cr3(), cr3);
    asm volatile(TRY "mov %0, %%cr3" END ::"r"(cr3 | 1ull << 63) : "memory");
    check("CR3 bit 63 without PCIDE", caught(), ERR(GP, 0));
}

#define TRYOP(name, bytes, want)                                   \
    asm volatile(TRY bytes END ::: "memory", "rax", "rcx", "rdx"); \
    check(name, caught(), want)

void opcodes(void)
{
    TRYOP("LEA of a register", ".byte 0x8d, 0xc0", UD);
    TRYOP("MOVBE of registers", ".byte 0x0f, 0x38, 0xf0, 0xc0", UD);
    TRYOP("UD0", ".byte 0x0f, 0xff, 0xc0", UD);
    TRYOP("UD1", ".byte 0x0f, 0xb9, 0xc0", UD);
    TRYOP("UD2", "ud2", UD);
    TRYOP("PUSH ES in 64-bit mode", ".byte 0x06", UD);
    TRYOP("AAA", ".byte 0x37", UD);
    TRYOP("DAA", ".byte 0x27", UD);
    TRYOP("AAM", ".byte 0xd4, 10", UD);
    TRYOP("INTO", ".byte 0xce", UD);
    TRYOP("BOUND", ".byte 0x62, 0x00, 0x00", UD);
    TRYOP("SALC", ".byte 0xd6", UD);
    TRYOP("far JMP ptr", ".byte 0xea, 0, 0, 0, 0, 0, 0", UD);
    TRYOP("far CALL ptr", ".byte 0x9a, 0, 0, 0, 0, 0, 0", UD);
    TRYOP("PUSHA", ".byte 0x60", UD);
    TRYOP("group 1 alias 82H", ".byte 0x82, 0xc0, 0", UD);
    TRYOP("LDS is VEX", ".byte 0xc5, 0xf0, 0xff", UD);
    TRYOP("LOCK NOP", ".byte 0xf0, 0x90", UD);
    TRYOP("LOCK CMP", ".byte 0xf0, 0x39, 0x04, 0x24", UD);
    TRYOP("LOCK BT", ".byte 0xf0, 0x0f, 0xa3, 0x04, 0x24", UD);
    TRYOP("LOCK with REX and register", ".byte 0xf0, 0x48, 0x01, 0xc0", UD);
    TRYOP("MOV to CS", ".byte 0x8e, 0xc8", UD);
    TRYOP("MOV to segment 6", ".byte 0x8e, 0xf0", UD);
    TRYOP("MOV from segment 7", ".byte 0x8c, 0xf8", UD);
    TRYOP("group 3 /1 is TEST", ".byte 0xf6, 0xc8, 0", NONE);
    TRYOP("group 5 /7", ".byte 0xff, 0xf8", UD);
    TRYOP("group 4 /2", ".byte 0xfe, 0xd0", UD);
    TRYOP("far CALL of a register", ".byte 0xff, 0xd8", UD);
    TRYOP("far JMP of a register", ".byte 0xff, 0xe8", UD);
    TRYOP("POP group /1", ".byte 0x8f, 0xc8, 0", UD);
    TRYOP("MOV imm group /1", ".byte 0xc6, 0xc8, 0", UD);
    TRYOP("group 9 register /1", ".byte 0x0f, 0xc7, 0xc8", UD);
    TRYOP("CMPXCHG16B misaligned",
          "lea 8(%%rsp), %%rax; and $-16, %%rax; cmpxchg16b 8(%%rax)", ERR(GP, 0));
    TRYOP("MOVAPS misaligned", "movaps 1(%%rsp), %%xmm0", ERR(GP, 0));
    TRYOP("MOVUPS misaligned", "movups 1(%%rsp), %%xmm0", NONE);
    TRYOP("LFENCE with a memory form", ".byte 0x0f, 0xae, 0x2c, 0x24",
          cpuid(1, 0).c >> 26 & 1 ? UD : UD);
    TRYOP("SFENCE", "sfence", NONE);
    TRYOP("CLFLUSH", "clflush (%%rsp)", NONE);
    if (cpuid(7, 0).b >> 23 & 1) {
        TRYOP("CLFLUSHOPT", ".byte 0x66, 0x0f, 0xae, 0x3c, 0x24", NONE);
    } else {
        TRYOP("CLFLUSHOPT absent", ".byte 0x66, 0x0f, 0xae, 0x3c, 0x24", UD);
    }
    if (cpuid(7, 0).b >> 24 & 1) {
        TRYOP("CLWB", ".byte 0x66, 0x0f, 0xae, 0x34, 0x24", NONE);
    } else {
        TRYOP("CLWB absent", ".byte 0x66, 0x0f, 0xae, 0x34, 0x24", UD);
    }
    TRYOP("CLWB of a register", ".byte 0x66, 0x0f, 0xae, 0xf0", UD);
    TRYOP("PCOMMIT", ".byte 0x66, 0x0f, 0xae, 0xf8", UD);
    TRYOP("SYSENTER with CS 0", "sysenter", ERR(GP, 0));
    TRYOP("multi-byte NOP", ".byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0", NONE);
    TRYOP("15 bytes", ".fill 14, 1, 0x66; nop", NONE);
    TRYOP("16 bytes", ".fill 15, 1, 0x66; nop", ERR(GP, 0));
    TRYOP("jump to a non-canonical address",
          "movabs $0x1111111111111111, %%rax; jmp *%%rax", ERR(GP, 0));
    TRYOP("RET to a non-canonical address",
          "movabs $0x1111111111111111, %%rax; push %%rax; ret", ERR(GP, 0));
    TRYOP(
        "load through RBP, non-canonical",
        "mov %%rbp, %%rcx; movabs $0x1111111111111111, %%rax; xchg %%rax, %%rbp; xchg %%rax, "
        "%%rbp; movabs 0x1111111111111111, %%rax",
        ERR(GP, 0));
    TRYOP("PUSH, non-canonical", "movabs $0x1111111111111110, %%rsp; push %%rax",
          ERR(DF, 0));
    TRYOP("RDPID or its #UD", ".byte 0xf3, 0x0f, 0xc7, 0xf8",
          cpuid(7, 0).c >> 22 & 1 ? NONE : UD);
    TRYOP("VMXON without VMX", ".byte 0xf3, 0x0f, 0xc7, 0x34, 0x24",
          cpuid(1, 0).c >> 5 & 1 ? caught() : UD);
    TRYOP("GETSEC without SMX", ".byte 0x0f, 0x37", UD);
}

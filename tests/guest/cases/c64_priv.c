/* SPDX-License-Identifier: MIT */
/* Privilege checks in 64-bit mode: SDM vol. 3, 5.9 and the instructions' own pages. */
#include "lib.h"

#define ROW(name, text)                                              \
    USER static void name(void)                                      \
    {                                                                \
        asm volatile(text ::: "memory", "rax", "rcx", "rdx", "rbx"); \
    }
ROW(u_hlt, "hlt")
ROW(u_cli, "cli")
ROW(u_sti, "sti")
ROW(u_in, "in $0x80, %%al")
ROW(u_out, "out %%al, $0x80")
ROW(u_insb, "mov $0x80, %%dx; insb")
ROW(u_lgdt, "lgdt (%%rsp)")
ROW(u_lidt, "lidt (%%rsp)")
ROW(u_lldt, "xor %%eax, %%eax; lldt %%ax")
ROW(u_ltr, "xor %%eax, %%eax; ltr %%ax")
ROW(u_lmsw, "lmsw %%ax")
ROW(u_clts, "clts")
ROW(u_invd, "invd")
ROW(u_wbinvd, "wbinvd")
ROW(u_invlpg, "invlpg (%%rsp)")
ROW(u_invpcid, "xor %%eax, %%eax; invpcid (%%rsp), %%rax")
ROW(u_rdmsr, "mov $0x10, %%ecx; rdmsr")
ROW(u_wrmsr, "mov $0x10, %%ecx; wrmsr")
ROW(u_rdcr0, "mov %%cr0, %%rax")
ROW(u_wrcr0, "mov %%rax, %%cr0")
ROW(u_rdcr3, "mov %%cr3, %%rax")
ROW(u_rdcr8, "mov %%cr8, %%rax")
ROW(u_wrcr8, "mov %%rax, %%cr8")
ROW(u_rddr0, "mov %%dr0, %%rax")
ROW(u_wrdr7, "mov %%rax, %%dr7")
ROW(u_swapgs, "swapgs")
ROW(u_sysret, "sysretq")
ROW(u_sysexit, "sysexitl")
ROW(u_xsetbv, "xor %%ecx, %%ecx; xsetbv")
ROW(u_rsm, "rsm")
ROW(u_vmcall, "vmcall")
ROW(u_ud2, "ud2")
ROW(u_int3, "int3")
ROW(u_int1, ".byte 0xf1")
ROW(u_int_no, "int $0x30")
ROW(u_int_0, "int $0")
ROW(u_monitor, "monitor")
ROW(u_rdtsc, "rdtsc")
ROW(u_cpuid, "cpuid")
ROW(u_sgdt, "sub $16, %%rsp; sgdt (%%rsp); add $16, %%rsp")
ROW(u_sidt, "sub $16, %%rsp; sidt (%%rsp); add $16, %%rsp")
ROW(u_sldt, "sldt %%ax")
ROW(u_str, "str %%ax")
ROW(u_smsw, "smsw %%ax")
ROW(u_clac, "clac")
ROW(u_stac, "stac")
ROW(u_rdpmc, "xor %%ecx, %%ecx; rdpmc")
ROW(u_iret, "iretq")
ROW(u_div0, "xor %%ecx, %%ecx; div %%ecx")
ROW(u_kernel_rd, "mov 0x100000, %%eax")
ROW(u_kernel_wr, "mov %%eax, 0x100000")
ROW(u_mov_ss0, "mov $0x10, %%eax; mov %%eax, %%ss")
ROW(u_mov_ds0, "mov $0x10, %%eax; mov %%eax, %%ds")
ROW(u_mov_ds3, "mov $0x23, %%eax; mov %%eax, %%ds")
ROW(u_mov_dsnull, "mov $3, %%eax; mov %%eax, %%ds; xor %%eax, %%eax; mov %%eax, %%es")
ROW(u_mov_ssnull, "xor %%eax, %%eax; mov %%eax, %%ss")
ROW(u_mov_cs, ".byte 0x8e, 0xc8")
ROW(u_wrfsbase, "wrfsbase %%rax")
ROW(u_popf, "pushq $0x3202; popf")
ROW(u_noncanon, "movabs $0x800000000000, %%rax; mov (%%rax), %%eax")
ROW(u_ncstack, "mov %%rsp, %%rcx; movabs $0x800000001000, %%rsp; push %%rax")
ROW(u_lock, ".byte 0xf0; mov %%eax, (%%rsp)")
ROW(u_lockreg, ".byte 0xf0; add %%eax, %%eax")
ROW(u_16bytes, ".fill 15, 1, 0x66; nop")
#undef ROW

typedef struct Row {
    const char *name;
    void (*fn)(void);
    u64 want;
} Row;

static const Row rows[] = {
    { "HLT", u_hlt, ERR(GP, 0) },
    { "CLI with IOPL 0", u_cli, ERR(GP, 0) },
    { "STI with IOPL 0", u_sti, ERR(GP, 0) },
    { "IN without permission", u_in, ERR(GP, 0) },
    { "OUT without permission", u_out, ERR(GP, 0) },
    { "INS without permission", u_insb, ERR(GP, 0) },
    { "LGDT", u_lgdt, ERR(GP, 0) },
    { "LIDT", u_lidt, ERR(GP, 0) },
    { "LLDT", u_lldt, ERR(GP, 0) },
    { "LTR", u_ltr, ERR(GP, 0) },
    { "LMSW", u_lmsw, ERR(GP, 0) },
    { "CLTS", u_clts, ERR(GP, 0) },
    { "INVD", u_invd, ERR(GP, 0) },
    { "WBINVD", u_wbinvd, ERR(GP, 0) },
    { "INVLPG", u_invlpg, ERR(GP, 0) },
    { "RDMSR", u_rdmsr, ERR(GP, 0) },
    { "WRMSR", u_wrmsr, ERR(GP, 0) },
    { "MOV from CR0", u_rdcr0, ERR(GP, 0) },
    { "MOV to CR0", u_wrcr0, ERR(GP, 0) },
    { "MOV from CR3", u_rdcr3, ERR(GP, 0) },
    { "MOV from CR8", u_rdcr8, ERR(GP, 0) },
    { "MOV to CR8", u_wrcr8, ERR(GP, 0) },
    { "MOV from DR0", u_rddr0, ERR(GP, 0) },
    { "MOV to DR7", u_wrdr7, ERR(GP, 0) },
    { "SWAPGS", u_swapgs, ERR(GP, 0) },
    { "SYSRET", u_sysret, ERR(GP, 0) },
    { "RSM outside SMM", u_rsm, UD },
    { "UD2", u_ud2, UD },
    { "INT3 through a gate of DPL 0", u_int3, ERR(GP, 3 * 8 + 2) },
    { "INT1 needs no gate privilege", u_int1, DB },
    { "INT n through a gate of DPL 0", u_int_no, ERR(GP, 0x30 * 8 + 2) },
    { "INT 0 through a gate of DPL 0", u_int_0, ERR(GP, 0 * 8 + 2) },
    { "MONITOR", u_monitor, UD },
    { "RDTSC with TSD 0", u_rdtsc, NONE },
    { "CPUID", u_cpuid, NONE },
    { "SGDT with UMIP 0", u_sgdt, NONE },
    { "SIDT with UMIP 0", u_sidt, NONE },
    { "SLDT with UMIP 0", u_sldt, NONE },
    { "STR with UMIP 0", u_str, NONE },
    { "SMSW with UMIP 0", u_smsw, NONE },
    { "CLAC is #UD outside ring 0", u_clac, UD },
    { "STAC is #UD outside ring 0", u_stac, UD },
    { "RDPMC with PCE 0", u_rdpmc, ERR(GP, 0) },
    { "DIV by 0", u_div0, DE },
    { "read of a supervisor page", u_kernel_rd, ERR(PF, 5) },
    { "write of a supervisor page", u_kernel_wr, ERR(PF, 7) },
    { "MOV SS, DPL 0", u_mov_ss0, ERR(GP, 0x10) },
    { "MOV DS, DPL 0", u_mov_ds0, ERR(GP, 0x10) },
    { "MOV DS, DPL 3", u_mov_ds3, NONE },
    { "MOV DS, null", u_mov_dsnull, NONE },
    { "MOV SS, null in ring 3", u_mov_ssnull, ERR(GP, 0) },
    { "MOV CS", u_mov_cs, UD },
    { "POPF keeps IF and IOPL", u_popf, NONE },
    { "non-canonical load", u_noncanon, ERR(GP, 0) },
    { "non-canonical PUSH", u_ncstack, ERR(SS, 0) },
    { "LOCK MOV", u_lock, UD },
    { "LOCK with a register destination", u_lockreg, UD },
    { "16 bytes of instruction", u_16bytes, ERR(GP, 0) },
};

USER static ulong u_flags(void)
{
    ulong v;
    asm volatile("pushq $0x7202; popf; pushf; pop %0" : "=r"(v)::"memory");
    return v;
}

USER static void u_cli_sti(void)
{
    asm volatile("cli; sti");
}

USER static void u_io_ok(void)
{
    asm volatile("in $0x80, %%al; in $0x80, %%ax; in $0x80, %%eax" ::: "rax");
}

USER static ulong u_rdcr4_smsw(void)
{
    ulong v = ~0ul;
    asm volatile("smsw %0" : "=r"(v));
    return v;
}

void privilege(void)
{
    for (unsigned i = 0; i < COUNT(rows); i++) {
        check(rows[i].name, run_user(rows[i].fn, 0, 0), rows[i].want);
    }
    if (cpuid(7, 0).b & 1 << 10) {
        check("INVPCID", run_user(u_invpcid, 0, 0), ERR(GP, 0));
    }
    if (cpuid(7, 0).b & 1) {
        check("WRFSBASE with FSGSBASE 0", run_user(u_wrfsbase, 0, 0), UD);
        write_cr4(read_cr4() | 1 << 16);
        check("WRFSBASE with FSGSBASE 1", run_user(u_wrfsbase, 0, 0), NONE);
        write_cr4(read_cr4() & ~(1ul << 16));
    }
    check("XSETBV with OSXSAVE 0", run_user(u_xsetbv, 0, 0), UD);
    if (cpuid(1, 0).c & 1 << 26) {
        write_cr4(read_cr4() | 1 << 18);
        check("XSETBV with OSXSAVE 1", run_user(u_xsetbv, 0, 0), ERR(GP, 0));
        write_cr4(read_cr4() & ~(1ul << 18));
    }
    if (!is_amd()) {
        check("SYSEXIT", run_user(u_sysexit, 0, 0), ERR(GP, 0));
    }
    u64 r = run_user(u_vmcall, 0, 0);
    check("VMCALL without VMX is #UD, or a hypervisor's", r == UD || r == NONE, 1);
    (void)u_iret;

    run_user(u_flags, 0, 0);
    check("POPF in ring 3 changes NT, neither IF nor IOPL", user_value & 0x7200, 0x4200);
    run_user(u_flags, 0, 0x3000);
    check("POPF in ring 3 with IOPL 3 may clear IF, keeps IOPL", user_value & 0x7200,
          0x7200);
    check("CLI and STI with IOPL 3", run_user(u_cli_sti, 0, 0x3000), NONE);
    check("IN with IOPL 3", run_user(u_io_ok, 0, 0x3000), NONE);

    write_cr4(read_cr4() | 4);
    check("RDTSC with TSD 1", run_user(u_rdtsc, 0, 0), ERR(GP, 0));
    asm volatile(TRY "rdtsc" END ::: "memory", "rax", "rdx");
    check("RDTSC with TSD 1 in ring 0", caught(), NONE);
    write_cr4(read_cr4() & ~4ul);
    run_user(u_rdcr4_smsw, 0, 0);
    check("SMSW to a 64-bit register gives all of CR0", user_value, read_cr0());

    if (cpuid(7, 0).c & 4) {
        write_cr4(read_cr4() | 1 << 11);
        check("SGDT with UMIP 1", run_user(u_sgdt, 0, 0), ERR(GP, 0));
        check("SIDT with UMIP 1", run_user(u_sidt, 0, 0), ERR(GP, 0));
        check("SLDT with UMIP 1", run_user(u_sldt, 0, 0), ERR(GP, 0));
        check("STR with UMIP 1", run_user(u_str, 0, 0), ERR(GP, 0));
        check("SMSW with UMIP 1", run_user(u_smsw, 0, 0), ERR(GP, 0));
        asm volatile(TRY "str %%ax; sldt %%ax; smsw %%ax" END ::: "memory", "rax");
        check("STR, SLDT, SMSW with UMIP 1 in ring 0", caught(), NONE);
        write_cr4(read_cr4() & ~(1ul << 11));
    } else {
        skip("UMIP", "CPUID has no UMIP");
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Segments, gates and system calls in 64-bit mode: SDM vol. 3, 3.4-3.5, 5.4-5.8; vol. 2,
 * MOV, far CALL, JMP, RET, IRET, LAR, LSL, VERR, LLDT, LTR, SYSCALL, SYSENTER.
 */
#include "lib.h"

typedef struct __attribute__((packed)) Far {
    ulong off;
    u16 sel;
} Far;

static u64 load_ds(u32 sel)
{
    asm volatile(TRY "mov %0, %%ds" END ::"r"(sel) : "memory");
    u64 r = caught();
    asm volatile("mov %0, %%ds" ::"r"(0x10));
    return r;
}

static u64 load_ss(u32 sel)
{
    asm volatile(TRY "mov %0, %%ss" END ::"r"(sel) : "memory");
    u64 r = caught();
    asm volatile("mov %0, %%ss" ::"r"(0x10));
    return r;
}

static u32 read_ss(void)
{
    u32 v;
    asm volatile("mov %%ss, %0" : "=r"(v));
    return v;
}

void segment_loads(void)
{
    check("DS: data", load_ds(0x10), NONE);
    check("DS: null", load_ds(0), NONE);
    check("DS: null with RPL 3", load_ds(3), NONE);
    check("DS: readable code", load_ds(8), NONE);
    check("DS: execute-only code", load_ds(0x68), ERR(GP, 0x68));
    check("DS: read-only data", load_ds(0x60), NONE);
    check("DS: not present", load_ds(0x50), ERR(NP, 0x50));
    check("DS: a TSS", load_ds(0x80), ERR(GP, 0x80));
    check("DS: beyond the limit", load_ds(0x180), ERR(GP, 0x180));
    check("DS: RPL 3 in ring 0, DPL 0", load_ds(0x13), ERR(GP, 0x10));
    check("DS: RPL 3 in ring 0, DPL 3", load_ds(0x23), NONE);
    check("DS: conforming code, RPL 3", load_ds(0x5b), NONE);
    check("DS: the error code has no RPL", load_ds(0x52), ERR(GP, 0x50));
    check("DS: LDT selector without an LDT", load_ds(0x14), ERR(GP, 0x14));
    check("SS: data", load_ss(0x10), NONE);
    check("SS: null in ring 0", load_ss(0), NONE);
    asm volatile("mov %0, %%ss" ::"r"(0));
    check("SS: null reads back", read_ss(), 0);
    asm volatile("push %%rax; pop %%rax" ::: "memory");
    asm volatile(TRY "mov %0, %%ss" END ::"r"(3) : "memory");
    check("SS: null with RPL 3", caught(), ERR(GP, 0));
    asm volatile("mov %0, %%ss" ::"r"(0x10));
    check("SS: code", load_ss(8), ERR(GP, 8));
    check("SS: read-only", load_ss(0x60), ERR(GP, 0x60));
    check("SS: not present", load_ss(0x50), ERR(SS, 0x50));
    check("SS: DPL 3", load_ss(0x20), ERR(GP, 0x20));
    check("SS: RPL 3", load_ss(0x13), ERR(GP, 0x10));
    u64 d = gdt[0x10 / 8] & ~(1ull << 40);
    gdt[0x90 / 8] = d;
    asm volatile("mov %0, %%es" ::"r"(0x90) : "memory");
    check("a load sets the accessed bit", gdt[0x90 / 8] >> 40 & 1, 1);
    asm volatile("mov %0, %%es" ::"r"(0x10));
    gdt[0x90 / 8] = 0;
    /* bases */
    wrmsr(0xc0000100, 0x123456789abc);
    asm volatile("mov %0, %%fs" ::"r"(0x10));
    check("MOV FS loads a 32-bit base", rdmsr(0xc0000100), 0);
    wrmsr(0xc0000100, 0x123456789abc);
    asm volatile("mov %0, %%fs" ::"r"(0));
    u64 base = rdmsr(0xc0000100);
    check("MOV FS, null: base 0 (Intel) or kept (AMD)",
          base == 0 || (is_amd() && base == 0x123456789abc), 1);
    static u64 cell = 0x1122334455667788;
    wrmsr(0xc0000101, (ulong)&cell - 0x100);
    u64 v;
    asm volatile("mov %%gs:0x100, %0" : "=r"(v));
    check("GS base counts in 64-bit mode", v, cell);
    wrmsr(0xc0000102, 0xffff800000000000);
    asm volatile("swapgs");
    check("SWAPGS", rdmsr(0xc0000101), 0xffff800000000000);
    asm volatile("swapgs");
    asm volatile("mov %%ds:(%1), %0" : "=r"(v) : "r"(&cell));
    check("DS base does not", v, cell);
    if (cpuid(7, 0).b & 1) {
        write_cr4(read_cr4() | 1 << 16);
        asm volatile("wrgsbase %0; rdgsbase %1" : "=r"(v), "=r"(base) : "0"(0x123456789));
        check("WRGSBASE, RDGSBASE", base, 0x123456789);
        asm volatile(TRY "wrgsbase %0" END ::"r"(1ul << 47) : "memory");
        check("WRGSBASE: non-canonical", caught(), ERR(GP, 0));
        asm volatile("wrfsbase %k0; rdfsbase %1" : "=r"(v), "=r"(base) : "0"(~0ul));
        check("WRFSBASE of 32 bits", base, 0xffffffff);
        write_cr4(read_cr4() & ~(1ul << 16));
    }
    wrmsr(0xc0000100, 0);
    wrmsr(0xc0000101, 0);
}

static u64 lar(u32 sel, u32 *v)
{
    bool z;
    u32 r = 0xdeadbeef;
    asm volatile("lar %2, %0; setz %1" : "+r"(r), "=q"(z) : "r"(sel));
    *v = r;
    return z;
}

static bool lsl(u32 sel, u32 *v)
{
    bool z;
    u32 r = 0xdeadbeef;
    asm volatile("lsl %2, %0; setz %1" : "+r"(r), "=q"(z) : "r"(sel));
    *v = r;
    return z;
}

static bool verr(u32 sel)
{
    bool z;
    asm volatile("verr %w1; setz %0" : "=q"(z) : "r"(sel));
    return z;
}

static bool verw(u32 sel)
{
    bool z;
    asm volatile("verw %w1; setz %0" : "=q"(z) : "r"(sel));
    return z;
}

USER static ulong u_lar(ulong sel)
{
    bool z;
    u32 r = 0;
    asm volatile("lar %2, %0; setz %1" : "+r"(r), "=q"(z) : "r"((u32)sel));
    return z;
}

void segment_queries(void)
{
    u32 v;
    check("LAR of data", lar(0x10, &v), 1);
    check("LAR: the rights", v, 0x00cf9300);
    check("LAR of null", lar(0, &v), 0);
    check("LAR keeps its target then", v, 0xdeadbeef);
    check("LAR beyond the limit", lar(0x188, &v), 0);
    check("LAR of the TSS", lar(0x80, &v), 1);
    check("LAR of the TSS: busy", v & 0xff00, 0x8b00);
    check("LAR, RPL above DPL", lar(0x13, &v), 0);
    check("LAR of conforming code", lar(0x5b, &v), 1);
    static const u8 types64[] = { 2, 9, 11, 12 };
    for (unsigned t = 0; t < 16; t++) {
        bool ok = false, ok_lsl = false;
        for (unsigned i = 0; i < COUNT(types64); i++) {
            ok = ok || types64[i] == t;
            ok_lsl = ok_lsl || (types64[i] == t && t != 12);
        }
        gdt[0x90 / 8] = 0x0000800000000067ull | (u64)t << 40;
        gdt[0x98 / 8] = 0;
        checkf(lar(0x90, &v), ok, "LAR of system type %d", t);
        checkf(lsl(0x90, &v), ok_lsl, "LSL of system type %d", t);
    }
    gdt[0x90 / 8] = 0;
    check("LSL of 4 GiB", lsl(0x10, &v), 1);
    check("LSL: bytes", v, 0xffffffff);
    check("LSL of a byte limit", lsl(0x80, &v) ? v : 0, 0x67);
    check("VERR of data", verr(0x10), 1);
    check("VERR of code", verr(8), 1);
    check("VERR of execute-only code", verr(0x68), 0);
    check("VERR of null", verr(0), 0);
    check("VERR of the TSS", verr(0x80), 0);
    check("VERW of data", verw(0x10), 1);
    check("VERW of read-only data", verw(0x60), 0);
    check("VERW of code", verw(8), 0);
    run_user(u_lar, 0x10, 0);
    check("LAR in ring 3 of DPL 0", user_value & 1, 0);
    run_user(u_lar, 0x23, 0);
    check("LAR in ring 3 of DPL 3", user_value & 1, 1);
}

static u64 far_jump(Far *f)
{
    asm volatile(TRY "rex64 ljmp *(%0)" END ::"r"(f) : "memory");
    return caught();
}

static u64 far_call(Far *f)
{
    asm volatile(TRY "rex64 lcall *(%0)" END ::"r"(f) : "memory");
    return caught();
}

extern char far_back[], gate_entry[], compat_code[];
asm(".text\n"
    "far_back: lretq\n"
    "gate_entry: mov %cs, %r10; mov %rsp, %r11; mov %ss, %r12d; lretq\n"
    ".section .user.text, \"ax\"\n"
    "compat_code: .code32\n mov $0x12345678, %eax\n inc %eax\n int $0x40\n .code64\n"
    ".text");

static void call_gate(u16 sel, void *to, u8 dpl, u8 type)
{
    ulong a = (ulong)to;
    gdt[0x90 / 8] = (a & 0xffff) | (u64)sel << 16 | (u64)(0x80 | dpl << 5 | type) << 40 |
                    (a >> 16 & 0xffff) << 48;
    gdt[0x98 / 8] = a >> 32;
}

USER static ulong u_gate(ulong arg)
{
    static Far f USER_DATA = { 0, 0x93 };
    ulong cs, sp, ss, mine;
    asm volatile(
        "mov %%rsp, %3; rex64 lcall *%4; mov %%r10, %0; mov %%r11, %1; mov %%r12, %2"
        : "=&r"(cs), "=&r"(sp), "=&r"(ss), "=&r"(mine)
        : "m"(f)
        : "r10", "r11", "r12", "memory");
    return arg ? sp : cs << 16 | ss;
}

USER static ulong u_null_rpl(void)
{
    u32 ds, fs;
    asm volatile("mov %%ds, %0; mov %%fs, %1" : "=r"(ds), "=r"(fs));
    return ds << 8 | fs;
}

USER static void u_far0(void)
{
    static Far f USER_DATA = { 0, 8 };
    asm volatile("rex64 lcall *%0" ::"m"(f) : "memory");
}

USER static void u_retf0(void)
{
    asm volatile("pushq $8; pushq $0; lretq" ::: "memory");
}

extern char kernel_stack[];

void far_transfers(void)
{
    Far f = { (ulong)far_back, 8 };

    check("far CALL and RET, same ring", far_call(&f), NONE);
    f.sel = 0;
    check("far CALL, null", far_call(&f), ERR(GP, 0));
    f.sel = 0x10;
    check("far CALL, data", far_call(&f), ERR(GP, 0x10));
    f.sel = 0x48;
    check("far CALL, not present", far_call(&f), ERR(NP, 0x48));
    f.sel = 0x28;
    check("far CALL, DPL 3", far_call(&f), ERR(GP, 0x28));
    f.sel = 0x0b;
    check("far CALL, RPL 3", far_call(&f), ERR(GP, 8));
    f.sel = 0x58;
    check("far CALL, conforming", far_call(&f), NONE);
    f.sel = 0x80;
    check("far CALL, a TSS: no tasks in 64-bit mode", far_call(&f), ERR(GP, 0x80));
    f.sel = 0x188;
    check("far CALL, beyond the limit", far_call(&f), ERR(GP, 0x188));
    f = (Far){ 1ul << 47, 8 };
    check("far JMP, non-canonical", far_jump(&f), ERR(GP, 0));
    check("far CALL, non-canonical", far_call(&f), ERR(GP, 0));
    asm volatile(TRY "pushq $0x10; pushq $0; lretq" END ::: "memory");
    check("far RET to data", caught(), ERR(GP, 0x10));
    asm volatile(TRY "pushq $0; pushq $0; lretq" END ::: "memory");
    check("far RET to null", caught(), ERR(GP, 0));
    asm volatile(TRY "pushq $0x48; pushq $0; lretq" END ::: "memory");
    check("far RET to a segment not present", caught(), ERR(NP, 0x48));
    check("far RET to an inner ring", run_user(u_retf0, 0, 0), ERR(GP, 8));
    check("far CALL to an inner ring", run_user(u_far0, 0, 0), ERR(GP, 8));
    /* call gates */
    call_gate(8, gate_entry, 3, 12);
    check("call gate from ring 3", run_user(u_gate, 0, 0), NONE);
    check("call gate: CS 8, SS null", user_value, 8 << 16);
    check("call gate: RSP 0 less four words", (run_user(u_gate, 1, 0), user_value),
          (ulong)kernel_stack - 32);
    call_gate(8, gate_entry, 0, 12);
    check("call gate of DPL 0 from ring 3", run_user(u_gate, 0, 0), ERR(GP, 0x90));
    call_gate(8, gate_entry, 3, 12);
    gdt[0x90 / 8] &= ~(1ull << 47);
    check("call gate not present", run_user(u_gate, 0, 0), ERR(NP, 0x90));
    call_gate(0x30, gate_entry, 3, 12);
    check("call gate to 32-bit code", run_user(u_gate, 0, 0), ERR(GP, 0x30));
    call_gate(0x10, gate_entry, 3, 12);
    check("call gate to data", run_user(u_gate, 0, 0), ERR(GP, 0x10));
    call_gate(0, gate_entry, 3, 12);
    check("call gate to null", run_user(u_gate, 0, 0), ERR(GP, 0));
    call_gate(8, gate_entry, 3, 12);
    gdt[0x98 / 8] |= 1ull << 40; /* the upper half's type must be 0 */
    check("call gate with a type in its upper half", run_user(u_gate, 0, 0),
          ERR(GP, 0x90));
    call_gate(8, gate_entry, 3, 4);
    check("16-bit call gate", run_user(u_gate, 0, 0), ERR(GP, 0x90));
    gdt[0x90 / 8] = gdt[0x98 / 8] = 0;
    /* compatibility mode */
    user_cs = 0x1b;
    check("compatibility mode", run_user(compat_code, 0, 0), NONE);
    check("its result", user_value, 0x12345679);
    user_cs = 0x2b;
    user_ss = 0x13;
    u64 r = NONE;
    asm volatile(TRY
                 "pushq $0x13; push %%rsp; pushq $2; pushq $0x2b; pushq $0; iretq" END ::
                     : "memory");
    r = caught();
    check("IRET to ring 3 with SS of DPL 0", r, ERR(GP, 0x10));
    user_ss = 0x23;
    asm volatile("mov %0, %%ds; mov %0, %%fs" ::"r"(3) : "memory");
    run_user(u_null_rpl, 0, 0);
    check("IRET outwards makes a null selector 0", user_value, 0);
    asm volatile(TRY "pushq $0; push %%rsp; pushq $2; pushq $0x2b; pushq $0; iretq" END ::
                     : "memory");
    check("IRET to ring 3 with SS null", caught(), ERR(GP, 0));
    asm volatile(
        TRY "pushq $0x23; push %%rsp; pushq $2; pushq $0x2b; movabs $0x800000000000, "
            "%%rax; push %%rax; iretq" END ::
                : "memory", "rax");
    check("IRET to a non-canonical address", caught(), ERR(GP, 0));
    asm volatile(TRY
                 "pushq $0x23; push %%rsp; pushq $2; pushq $0x0; pushq $0; iretq" END ::
                     : "memory");
    check("IRET to a null CS", caught(), ERR(GP, 0));
    asm volatile(TRY
                 "pushq $0x23; push %%rsp; pushq $2; pushq $0x10; pushq $0; iretq" END ::
                     : "memory");
    check("IRET to data", caught(), ERR(GP, 0x10));
    asm volatile(TRY "pushf; orl $0x4000, (%%rsp); popf; iretq" END ::: "memory");
    check("IRET with NT in 64-bit mode", caught(), ERR(GP, 0));
    asm volatile("pushf; andl $~0x4000, (%%rsp); popf" ::: "memory");
    /* LLDT, LTR */
    asm volatile(TRY "lldt %w0" END ::"r"(0x80) : "memory");
    check("LLDT of a TSS", caught(), ERR(GP, 0x80));
    asm volatile(TRY "lldt %w0" END ::"r"(0x14) : "memory");
    check("LLDT of an LDT selector", caught(), ERR(GP, 0x14));
    set_desc(0x90, 0x1000, 0xff, 0x02, 0);
    asm volatile(TRY "lldt %w0" END ::"r"(0x90) : "memory");
    check("LLDT, not present", caught(), ERR(NP, 0x90));
    asm volatile(TRY "ltr %w0" END ::"r"(0x80) : "memory");
    check("LTR of a busy TSS", caught(), ERR(GP, 0x80));
    asm volatile(TRY "ltr %w0" END ::"r"(0) : "memory");
    check("LTR of null", caught(), ERR(GP, 0));
    asm volatile(TRY "ltr %w0" END ::"r"(0x10) : "memory");
    check("LTR of data", caught(), ERR(GP, 0x10));
    gdt[0x80 / 8] &= ~(2ull << 40);
    asm volatile(TRY "ltr %w0" END ::"r"(0x80) : "memory");
    check("LTR of an available TSS", caught(), NONE);
    check("LTR makes it busy", gdt[0x80 / 8] >> 40 & 15, 11);
    u16 tr;
    asm volatile("str %0" : "=r"(tr));
    check("STR", tr, 0x80);
    gdt[0x90 / 8] = 0;
    /* table registers */
    TableReg t = { 0x17f, 1ul << 47 };
    asm volatile(TRY "lgdt %0" END ::"m"(t) : "memory");
    check("LGDT: non-canonical", caught(), ERR(GP, 0));
    asm volatile(TRY "lidt %0" END ::"m"(t) : "memory");
    check("LIDT: non-canonical", caught(), ERR(GP, 0));
    asm volatile("sgdt %0" : "=m"(t));
    check("SGDT: base", t.base, (ulong)gdt);
    check("SGDT: limit", t.limit, 0x17f);
}

/* ---- SYSCALL, SYSENTER ---- */

extern char sys_entry[], sysenter_entry[], sysret32[];
asm(".text\n"
    "sys_entry: cmp $1, %edi\n je 1f\n"
    " cmp $2, %edi\n je 2f\n"
    " mov %rcx, %r8; mov %r11, %r9; mov %cs, %r10d; mov %ss, %r12d; pushf; pop %r13\n"
    " sysretq\n"
    "1: sysretl\n"
    "2: or $0x100, %r11; sysretq\n"
    "sysenter_entry: mov %rsp, %rax; mov %cs, %r10d; mov %ss, %r12d; pushf; pop %r13\n"
    " mov %rbx, %rdx; mov %rbp, %rcx; rex.W sysexit\n");

static ulong out_regs[8] USER_DATA;

USER static ulong u_syscall(ulong arg)
{
    ulong a, b, c, d, e, f, ret;
    asm volatile(
        "lea 1f(%%rip), %%r14; mov %7, %%rdi; syscall; 1: mov %%r8, %0; mov %%r9, %1; "
        "mov %%r10, %2; mov %%r12, %3; mov %%r13, %4; mov %%cs, %5; mov %%r14, %6"
        : "=m"(out_regs[0]), "=m"(out_regs[1]), "=m"(out_regs[2]), "=m"(out_regs[3]),
          "=m"(out_regs[4]), "=m"(out_regs[5]), "=m"(out_regs[6])
        : "r"(arg)
        : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "rdi", "memory");
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)ret;
    return out_regs[5];
}

USER static ulong u_sysenter(ulong arg)
{
    asm volatile(
        "push %%rbp; lea 1f(%%rip), %%rbx; mov %%rsp, %%rbp; sysenter; 1: pop %%rbp; mov "
        "%%rax, %0; mov %%r10, %1; mov %%r12, %2; mov %%r13, %3; mov %%cs, %4"
        : "=m"(out_regs[0]), "=m"(out_regs[1]), "=m"(out_regs[2]), "=m"(out_regs[3]),
          "=m"(out_regs[4])
        :
        : "rax", "rbx", "rcx", "rdx", "r10", "r12", "r13", "memory");
    return out_regs[4];
}

USER static void u_syscall_off(void)
{
    asm volatile("syscall" ::: "rcx", "r11", "memory");
}

static volatile u32 db_seen;
static volatile ulong db_cs, db_ip;
static volatile u32 db_kernel;
static void on_step_keep(Regs *r)
{
    db_seen++;
    db_kernel += !(r->cs & 3);
}

static void on_step(Regs *r)
{
    db_seen++;
    if (db_seen == 1) {
        db_cs = r->cs;
        db_ip = r->ip;
    }
    r->flags &= ~0x100ul;
}

void system_calls(void)
{
    wrmsr(0xc0000081, 0x0018000800000000ull);
    wrmsr(0xc0000082, (ulong)sys_entry);
    wrmsr(0xc0000084, 0x47700);
    check("SYSCALL and SYSRET", run_user(u_syscall, 0, 0x40000), NONE);
    check("SYSCALL: RCX is the next RIP", out_regs[0] == out_regs[6], 1);
    check("SYSCALL: R11 has the flags", out_regs[1] & 0x40202, 0x40202);
    check("SYSCALL: CS", out_regs[2], 8);
    check("SYSCALL: SS", out_regs[3], 0x10);
    check("SYSCALL: FMASK cleared its flags", out_regs[4] & 0x47700, 0);
    check("SYSRET: CS", out_regs[5], 0x2b);
    u64 efer = rdmsr(0xc0000080);
    wrmsr(0xc0000080, efer & ~1ull);
    check("SYSCALL with SCE 0", run_user(u_syscall_off, 0, 0), UD);
    asm volatile(TRY "sysretq" END ::: "memory", "rcx", "r11");
    check("SYSRET with SCE 0", caught(), UD);
    wrmsr(0xc0000080, efer);
    asm volatile(TRY "sysretq" END ::"c"(1ul << 47) : "memory");
    check("SYSRET to a non-canonical address (Intel: in ring 0)",
          is_amd() ? ERR(GP, 0) : caught(), ERR(GP, 0));
    /* TF: by the flags behind SYSCALL and SYSRET */
    handlers[DB] = on_step;
    db_seen = 0;
    wrmsr(0xc0000084, 0x47700 | 0x100);
    run_user(u_syscall, 0, 0x100);
    check("TF is taken before SYSCALL", db_seen, 1);
    check("in ring 3", db_cs & 3, 3);
    /* TF at SYSCALL, cleared by FMASK: no trap in the kernel. The first trap, behind the
     * first instruction of ring 3, leaves TF set here. */
    handlers[DB] = on_step_keep;
    db_seen = 0;
    run_user(u_syscall, 0, 0x100);
    check("SYSCALL that clears TF does not trap", db_kernel, 0);
    check("and SYSRET, which sets it again, does", db_seen > 3, 1);
    handlers[DB] = on_step;
    db_seen = 0;
    wrmsr(0xc0000084, 0x47700);
    run_user(u_syscall, 2, 0);
    check("SYSRET that sets TF traps at once", db_seen, 1);
    check("SYSRET with TF: in ring 3", db_cs, 0x2b);
    check("SYSRET with TF: behind it", db_ip, out_regs[6]);
    /* SYSENTER */
    if (!is_amd() && cpuid(1, 0).d >> 11 & 1) {
        static u8 stack[512] ALIGNED(16);
        wrmsr(0x174, 0);
        check("SYSENTER with CS 0", run_user(u_sysenter, 0, 0), ERR(GP, 0));
        /* CS, SS = CS + 8; SYSEXIT: CS + 32, CS + 40 */
        wrmsr(0x174, 0x08);
        wrmsr(0x175, (ulong)stack + 512);
        wrmsr(0x176, (ulong)sysenter_entry);
        check("SYSENTER and SYSEXIT", run_user(u_sysenter, 0, 0), NONE);
        check("SYSENTER: RSP", out_regs[0], (ulong)stack + 512);
        check("SYSENTER: CS", out_regs[1], 8);
        check("SYSENTER: SS", out_regs[2], 0x10);
        check("SYSENTER: IF and VM clear", out_regs[3] & 0x20200, 0);
        check("SYSEXIT: CS is SYSENTER_CS + 32", out_regs[4] & 0xffff, 0x2b);
    } else {
        skip("SYSENTER", "an AMD CPU has none in long mode");
    }
}

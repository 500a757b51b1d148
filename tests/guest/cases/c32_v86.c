/* SPDX-License-Identifier: MIT */
/* Virtual-8086 mode: SDM vol. 3, chapter 21 (20). */
#include "lib32.h"

static u8 *const code = (u8 *)0x20000;

/* Runs bytes at 2000H:0 with these flags; how it ended. */
static u64 run(const char *bytes, unsigned n, u32 flags, V86Regs *extra)
{
    V86Regs r = { .ds = 0x2100,
                  .es = 0x2100,
                  .ss = 0x2200,
                  .esp = 0x1000,
                  .flags = 0x20002 | flags,
                  .cs = 0x2000,
                  .fs = 0x1234,
                  .gs = 0x5678 };
    if (extra) {
        r.eax = extra->eax;
        r.ebx = extra->ebx;
        r.ecx = extra->ecx;
        r.edx = extra->edx;
    }
    memcpy(code, bytes, n);
    memcpy(code + n, "\xf4", 1); /* HLT: #GP(0) ends it */
    return run_v86(&r);
}

#define RUN(bytes, flags) run(bytes, sizeof(bytes) - 1, flags, NULL)
enum { IOPL3 = 0x3000 };

static volatile u32 frame[12];

static void on_int(Regs *r)
{
    /* behind SS: ES DS FS GS */
    u32 *p = (u32 *)&r->ss;
    for (int i = 0; i < 5; i++) {
        frame[i] = p[i];
    }
    frame[5] = r->cs;
    frame[6] = r->ip;
    frame[7] = r->flags;
    frame[8] = r->sp;
    u32 ds;
    asm volatile("mov %%fs, %0" : "=r"(ds));
    frame[9] = ds;
}

void v86(void)
{
    u32 cr4 = read_cr4();

    check("HLT ends by #GP", RUN("\x90", 0), ERR(GP, 0));
    check("at its address", trap.ip, 1);
    check("CS is the real one", trap.cs, 0x2000);
    check("VM is pushed", trap.flags & 0x20000, 0x20000);
    check("CLI, IOPL 0", (RUN("\xfa", 0), trap.ip), 0);
    check("CLI, IOPL 3", (RUN("\xfa", IOPL3), trap.ip), 1);
    check("STI, IOPL 0", (RUN("\xfb", 0), trap.ip), 0);
    check("PUSHF, IOPL 0", (RUN("\x9c", 0), trap.ip), 0);
    check("PUSHF, IOPL 3", (RUN("\x9c", IOPL3), trap.ip), 1);
    check("POPF, IOPL 0", (RUN("\x9d", 0), trap.ip), 0);
    check("IRET, IOPL 0", (RUN("\xcf", 0), trap.ip), 0);
    check("INT n, IOPL 0", RUN("\xcd\x50", 0), ERR(GP, 0));
    check("INT3 is not IOPL-sensitive", RUN("\xcc", 0), ERR(GP, 3 * 8 + 2));
    check("LLDT is #UD", RUN("\x0f\x00\xd0", IOPL3), UD);
    check("LAR is #UD", RUN("\x0f\x02\xc0", IOPL3), UD);
    check("ARPL is #UD", RUN("\x63\xc0", IOPL3), UD);
    check("MOV CR0", RUN("\x0f\x20\xc0", IOPL3), ERR(GP, 0));
    check("LGDT", RUN("\x0f\x01\x16\x00\x00", IOPL3), ERR(GP, 0));
    check("RDMSR", RUN("\x0f\x32", IOPL3), ERR(GP, 0));
    check("segment arithmetic", ({
              ((u8 *)0x21000)[5] = 0x77;
              RUN("\xa0\x05\x00\x3c\x77\x74\x02\x0f\x0b",
                  IOPL3); /* mov 5,%al; cmp; je; ud2 */
          }),
          ERR(GP, 0));
    check("offset beyond FFFFH", RUN("\x67\xa1\x00\x00\x01\x00", IOPL3), ERR(GP, 0));
    check("at that instruction", trap.ip, 0);
    check("word at FFFFH", RUN("\xa1\xff\xff", IOPL3), ERR(GP, 0));
    check("MOV DS loads any value", (RUN("\xb8\xff\xff\x8e\xd8", IOPL3), trap.ip), 5);
    /* interrupts to ring 0 */
    set_gate(0x50, vector_stubs + 0x500, 8, 0xee, 0);
    handlers[0x50] = on_int;
    check("INT n, IOPL 3, gate of DPL 3", (RUN("\xcd\x50", IOPL3), trap.ip), 2);
    check("frame: SS", frame[0], 0x2200);
    check("frame: ES", frame[1], 0x2100);
    check("frame: DS", frame[2], 0x2100);
    check("frame: FS", frame[3], 0x1234);
    check("frame: GS", frame[4], 0x5678);
    check("frame: CS", frame[5], 0x2000);
    check("frame: IP", frame[6], 2);
    check("FS is null in the handler", frame[9], 0);
    set_gate(0x50, vector_stubs + 0x500, 8, 0x8e, 0);
    check("INT n, IOPL 3, gate of DPL 0", RUN("\xcd\x50", IOPL3), ERR(GP, 0x50 * 8 + 2));
    set_gate(0x50, vector_stubs + 0x500, 0x48, 0xee, 0);
    check("gate to conforming code", RUN("\xcd\x50", IOPL3), ERR(GP, 0x48));
    set_gate(0x50, vector_stubs + 0x500, 8, 0x8e, 0);
    handlers[0x50] = NULL;
    /* ports: the bitmap, whatever IOPL says */
    u8 *map = (u8 *)&tss + tss.map;
    check("IN, bit clear", (RUN("\xe4\x80", 0), trap.ip), 2);
    map[0x80 / 8] |= 1;
    check("IN, bit set", (RUN("\xe4\x80", IOPL3), trap.ip), 0);
    check("IN word, second bit set", (RUN("\xe5\x7f", IOPL3), trap.ip), 0);
    map[0x80 / 8] &= ~1;
    /* VME */
    if (!(cpuid(1, 0).d & 2)) {
        skip("VME", "CPUID has none");
        return;
    }
    write_cr4(cr4 | 1);
    check("VME: CLI, IOPL 0", (RUN("\xfa", 0), trap.ip), 1);
    check("VME: CLI clears VIF", (RUN("\xfa", 0x80000), trap.flags & 0x80000), 0);
    check("VME: STI sets VIF", (RUN("\xfb", 0), trap.flags & 0x80000), 0x80000);
    check("VME: STI with VIP", (RUN("\xfb", 0x100000), trap.ip), 0);
    check("VME: PUSHF shows VIF as IF, IOPL 3", ({
              RUN("\x9c", 0x80000);
              *(u16 *)(0x22000 + 0xffe) & 0x3200;
          }),
          0x3200);
    check("VME: PUSHFD", (RUN("\x66\x9c", 0), trap.ip), 0);
    check("VME: POPF loads VIF", (RUN("\x68\x00\x02\x9d", 0), trap.flags & 0x80200),
          0x80000);
    check("VME: POPF with TF", (RUN("\x68\x00\x03\x9d", 0), trap.ip), 3);
    /* redirection: vector 50H through the real-mode table */
    u8 *redir = map - 32;
    *(volatile u32 *)(0x50 * 4 + (u32)redir * 0) = 0x20000100; /* 2000H:0100H */
    code[0x100] = 0xf4;
    check("VME: INT n redirected", (RUN("\xcd\x50", 0x80000), trap.ip), 0x100);
    check("VME: VIF cleared", trap.flags & 0x80000, 0);
    check("VME: pushed flags have IF and IOPL 3", *(u16 *)(0x22000 + 0xffe) & 0x3200,
          0x3200);
    check("VME: pushed CS", *(u16 *)(0x22000 + 0xffc), 0x2000);
    check("VME: pushed IP", *(u16 *)(0x22000 + 0xffa), 2);
    redir[0x50 / 8] |= 1 << (0x50 & 7);
    check("VME: not redirected, IOPL 0", RUN("\xcd\x50", 0), ERR(GP, 0));
    redir[0x50 / 8] &= ~(1 << (0x50 & 7));
    *(volatile u32 *)(0x50 * 4 + (u32)redir * 0) = 0;
    write_cr4(cr4);
    /* PVI */
    write_cr4(cr4 | 2);
    extern void pvi(void);
    pvi();
    write_cr4(cr4);
}

USER static u32 u_sti(void)
{
    u32 f;
    asm volatile("sti; pushfl; popl %0" : "=r"(f)::"memory");
    return f;
}

void pvi(void)
{
    check("PVI: STI in ring 3", run_user(u_sti, 0, 0), NONE);
    check("PVI: sets VIF", user_value & 0x80000, 0x80000);
    check("PVI: STI with VIP", run_user(u_sti, 0, 0x100000), ERR(GP, 0));
}

/* SPDX-License-Identifier: MIT */
/* Real mode, "unreal" mode, and big real addresses: SDM vol. 3, chapter 21 (20). */
#include "lib32.h"

static RealRegs r;

static u64 run(const char *bytes, unsigned n)
{
    memcpy((void *)0x9000, bytes, n);
    ((u8 *)0x9000)[n] = 0xcb; /* far return */
    return run_real(&r);
}
#define RUN(bytes) run(bytes, sizeof(bytes) - 1)
#define CLEAR() (r = (RealRegs){ .flags = 2 })

static u32 ax_of(const char *bytes, unsigned n)
{
    CLEAR();
    u64 v = run(bytes, n);
    return v == NONE ? r.eax : 0xdead0000 | (u32)v;
}
#define AX(bytes) ax_of(bytes, sizeof(bytes) - 1)

void real_mode(void)
{
    *(volatile u32 *)0x500 = 0x44332211;
    check("MOV AX, [500H]", AX("\xa1\x00\x05"), 0x2211);
    check("MOV EAX, [500H]", AX("\x66\xa1\x00\x05"), 0x44332211);
    check("32-bit address", AX("\x66\x67\xa1\x00\x05\x00\x00"), 0x44332211);
    check("segment: 40H:100H", AX("\xb8\x40\x00\x8e\xd8\x31\xc0\xa1\x00\x01"), 0x2211);
    check("FFFFH:0510H is 100500H: no wrap",
          AX("\xb8\xff\xff\x8e\xd8\x31\xc0\x66\xa1\x10\x05"), *(volatile u32 *)0x100500);
    CLEAR();
    check("offset 10000H is #GP", (RUN("\x66\x67\xa1\x00\x00\x01\x00"), trap.vector), GP);
    check("word at FFFFH is #GP", (RUN("\xa1\xff\xff"), trap.vector), GP);
    check("word at FFFFH of the stack is #SS", (RUN("\x36\xa1\xff\xff"), trap.vector),
          SS);
    check("UD2", (RUN("\x0f\x0b"), trap.vector), UD);
    check("its IP", trap.ip, 0x9000);
    check("DIV by 0", (RUN("\x31\xc9\xf7\xf1"), trap.vector), DE);
    check("INT3", (RUN("\xcc"), trap.vector), BP);
    check("IP behind it", trap.ip, 0x9001);
    check("INT 80H", (RUN("\xcd\x80"), trap.vector), 0x80);
    check("INTO", (RUN("\xb0\x7f\x04\x01\xce"), trap.vector), OF);
    check("BOUND", (RUN("\xb8\xff\x7f\x62\x06\x00\x05"), trap.vector), BR);
    check("LLDT is #UD", (RUN("\x0f\x00\xd0"), trap.vector), UD);
    check("LAR is #UD", (RUN("\x0f\x02\xc0"), trap.vector), UD);
    check("ARPL is #UD", (RUN("\x63\xc0"), trap.vector), UD);
    check("SYSENTER is #GP", (RUN("\x0f\x34"), trap.vector), GP);
    check("LOCK NOP is #UD", (RUN("\xf0\x90"), trap.vector), UD);
    check("MOV CS is #UD", (RUN("\x8e\xc8"), trap.vector), UD);
    check("SMSW", AX("\x0f\x01\xe0") & 1, 0);
    check("PUSHF: IOPL and NT", (AX("\x9c\x58") & 0x8000), 0);
    CLEAR();
    check("PUSHA, POPA", (r.ebx = 7, RUN("\x60\xbb\x09\x00\x61"), r.ebx), 7);
    check("PUSH SP pushes the old one", AX("\x54\x58\x89\xe3\x29\xd8"), 0);
    check("16-bit LOOP", (CLEAR(), r.ecx = 5, RUN("\x40\xe2\xfd"), r.eax), 5);
    check("JCXZ looks at CX", (CLEAR(), r.ecx = 0x10000, RUN("\xe3\x01\x40"), r.eax), 0);
    check("JECXZ looks at ECX",
          (CLEAR(), r.ecx = 0x10000, RUN("\x67\xe3\x01\x40"), r.eax), 1);
    check("ENTER, LEAVE", AX("\xc8\x10\x00\x00\x89\xe8\x29\xe0\xc9"), 0x10);
    check("CALL, RET n", AX("\x50\xe8\x02\x00\xeb\x04\x40\xc2\x02\x00"), 1);
    check("far JMP", AX("\xea\x06\x90\x00\x00\xf4\xb8\x21\x43"), 0x4321);
    check("far JMP changes CS", AX("\xea\x05\x00\x00\x09\x8c\xc8\xea\x0c\x90\x00\x00"),
          0x0900);
    check("IRET", AX("\x9c\x0e\x68\x08\x90\xcf\xf4\xf4\xb8\x11\x00"), 0x11);
    /* IRETD takes 32-bit slots */
    check("IRETD",
          AX("\x66\x9c\x66\x0e\x66\x68\x0e\x90\x00\x00\x66\xcf\xf4\xf4\xb8\x12\x00"),
          0x12);
    check("DAA", AX("\xb8\x9a\x00\x04\x00\x27"), 0x00);
    check("AAM", AX("\xb8\x3f\x00\xd4\x0a"), 0x0603);
    check("AAD", AX("\xb8\x05\x02\xd5\x0a"), 25);
    check("XLAT", (*(volatile u8 *)0x510 = 0x5a, AX("\xbb\x00\x05\xb8\x10\x00\xd7")),
          0x5a);
    check("REP MOVS wraps at 64 KiB", ({
              memset((void *)0x500, 0x66, 16);
              CLEAR();
              r.esi = 0x500;
              r.edi = 0xfffffffe;
              r.ecx = 4;
              /* es = 3000H */
              RUN("\xb8\x00\x30\x8e\xc0\xfc\xf3\xa4");
              *(volatile u8 *)0x3ffff << 8 | *(volatile u8 *)0x30001;
          }),
          0x6666);
    check("DI after it", r.edi, 0xffff0002);
    /* interrupts by the vector table */
    *(volatile u32 *)(0x60 * 4) = 0x9010;
    CLEAR();
    memcpy((void *)0x9010, "\xb8\x77\x77\xcf", 4);
    check("INT n and back", (RUN("\xcd\x60\x89\xc3"), r.ebx & 0xffff), 0x7777);
    *(volatile u32 *)(0x60 * 4) = 0;
    memcpy((void *)0x9010, "\x9c\x58\xcf", 3);
    *(volatile u32 *)(0x61 * 4) = 0x9010;
    CLEAR();
    r.flags = 0x302; /* IF, TF would step */
    r.flags = 0x202;
    check("INT n clears IF", (RUN("\xfb\xcd\x61\xfa"), r.eax & 0x300), 0);
    *(volatile u32 *)(0x61 * 4) = 0;
    check("single step",
          (CLEAR(), RUN("\x9c\x58\x80\xcc\x01\x50\x9d\x90\x90"), trap.vector), DB);
    check("single step: behind the next instruction", trap.ip, 0x9008);
    /* LIDT moves the table; a short limit makes #GP, then #DF */
    check(
        "unreal mode: a 4 GiB limit stays", ({
            /* lgdt; PE; mov $0x10,ax; mov ax,ds; PE off; xor ax; mov ax,ds; mov 0x100000, eax */
            struct __attribute__((packed)) {
                u16 l;
                u32 b;
            } *g = (void *)0x520;
            g->l = 0x17f;
            g->b = (u32)gdt;
            AX("\x66\x0f\x01\x16\x20\x05\x0f\x20\xc0\x0c\x01\x0f\x22\xc0\xbb\x10\x00\x8e\xdb\x24"
               "\xfe\x0f\x22\xc0\x31\xdb\x8e\xdb\x66\x67\xa1\x00\x00\x10\x00");
        }),
        *(volatile u32 *)0x100000);
    check("CPUID", (CLEAR(), RUN("\x66\x31\xc0\x0f\xa2"), r.ebx), cpuid(0, 0).b);
    check("RDTSC", RUN("\x0f\x31"), NONE);
    check("x87", AX("\xdb\xe3\xd9\xe8\xd9\xe8\xde\xc1\xdf\x1e\x30\x05\xa1\x30\x05"), 2);
    check("SHLD of 32 bits",
          AX("\x66\xb8\x01\x00\x00\x00\x66\xba\x00\x00\x00\x80\x66\x0f\xa4\xd0\x04"),
          0x18);
    check("MOVZX", AX("\xb3\x80\x66\x0f\xbe\xc3"), 0xffffff80);
    check("BSF", AX("\xbb\x00\x10\x0f\xbc\xc3"), 12);
    check("LES", (*(volatile u32 *)0x500 = 0x12345678, AX("\xc4\x06\x00\x05\x8c\xc0")),
          0x1234);
    check("LSS and back",
          AX("\x8c\xd3\x89\xe1\xc7\x06\x00\x05\x00\x70\xc7\x06\x02\x05\x34\x02\x0f\xb2"
             "\x26\x00\x05\x8c\xd0\x8e\xd3\x89\xcc"),
          0x0234);
}

/* SPDX-License-Identifier: MIT */
/* Task switches by JMP, CALL, gates, interrupts, IRET: SDM vol. 3, chapter 8 (7). */
#include "lib32.h"

static Tss other;
static u8 stack[8192] ALIGNED(16);
static volatile u32 runs, saw_back, saw_nt, saw_error, saw_eax, saw_ts;
enum { OTHER = 0x70, GATE = 0x78 };

extern void on_double_fault(void);
void on_double_fault(void)
{
    trap.vector = DF;
    trap.error = 0;
    if (!resume) {
        print("FAIL tasks: double fault: expected none, got %x at %x\n", DF, tss.eip);
        outb(0xf4, 1);
    }
    tss.eip = resume;
    tss.esp = resume_sp;
    tss.ss = tss.ds = tss.es = 0x10;
    tss.cs = 8;
    resume = 0;
}

static void look(void)
{
    runs++;
    saw_back = other.back & 0xffff;
    saw_nt = read_flags() & 0x4000;
    saw_ts = read_cr0() & 8;
}

extern char by_iret[], by_jump[];
extern void look_c(void);
void look_c(void)
{
    look();
}
asm(".text\n"
    "by_iret: mov %eax, saw_eax; call look_c; iret; jmp by_iret\n"
    "by_jump: call look_c; ljmp $0x50, $0; jmp by_jump\n");

static void prepare(void *entry)
{
    memset(&other, 0, sizeof(other));
    other.eip = (u32)entry;
    other.eflags = 2;
    other.esp = (u32)stack + sizeof(stack);
    other.cs = 8;
    other.ss = other.ds = other.es = 0x10;
    other.map = 104;
    other.eax = 0x1234;
    set_desc(OTHER, (u32)&other, 103, 0x89, 0);
    runs = 0;
}

static u32 busy(u16 sel)
{
    return gdt[sel / 8] >> 41 & 1;
}

/* A task for faults of a task switch: notes them and sends the broken task home. */
static Tss fault_tss;
static u8 fault_stack[4096] ALIGNED(16);
static u32 fault_vector;
extern char fault_entry[], go_home[];
extern void note_fault(void);
void note_fault(void)
{
    trap.vector = fault_vector;
    trap.error = saw_error;
    other.eip = (u32)go_home;
    other.eflags = 0x4002;
    other.esp = (u32)stack + sizeof(stack);
    other.cs = 8;
    other.ss = other.ds = other.es = 0x10;
    other.ldt = 0;
}
asm("fault_entry: pop saw_error; call note_fault; iret; jmp fault_entry\n"
    "go_home: iret\n");

static u64 call_other(void);

static u64 faulting(unsigned vector)
{
    fault_vector = vector;
    memset(&fault_tss, 0, sizeof(fault_tss));
    fault_tss.eip = (u32)fault_entry;
    fault_tss.eflags = 2;
    fault_tss.esp = (u32)fault_stack + sizeof(fault_stack);
    fault_tss.cs = 8;
    fault_tss.ss = fault_tss.ds = fault_tss.es = 0x10;
    fault_tss.map = 104;
    set_desc(0x90, (u32)&fault_tss, 103, 0x89, 0);
    set_gate(vector, 0, 0x90, 0x85, 0);
    u64 r = call_other();
    set_gate(vector, vector_stubs + 16 * vector, 8, 0x8e, 0);
    return r;
}

static u64 call_other(void)
{
    asm volatile(TRY "lcall %0, $0xf4f4f4f4" END ::"i"(OTHER)
                 : "memory", "eax", "ecx", "edx");
    return caught();
}

static u64 jump_other(void)
{
    asm volatile(TRY "ljmp %0, $0xf4f4f4f4" END ::"i"(OTHER)
                 : "memory", "eax", "ecx", "edx");
    return caught();
}

void tasks(void)
{
    ulong cr0 = read_cr0();

    prepare(by_iret);
    check("CALL of a TSS and IRET", call_other(), NONE);
    check("it ran", runs, 1);
    check("back link", saw_back, 0x50);
    check("NT in it", saw_nt, 0x4000);
    check("TS is set", saw_ts, 8);
    asm volatile("clts");
    check("its EAX", saw_eax, 0x1234);
    check("busy was cleared by IRET", busy(OTHER), 0);
    check("ours stayed busy", busy(0x50), 1);
    check("NT is off here", read_flags() & 0x4000, 0);
    check("its EIP was saved: it goes on behind IRET", other.eip > (u32)by_iret, 1);
    check("CALL again", call_other(), NONE);
    check("it ran again", runs, 2);
    u16 tr;
    asm volatile("str %0" : "=r"(tr));
    check("TR is ours", tr, 0x50);
    prepare(by_jump);
    check("JMP to a TSS and back", jump_other(), NONE);
    check("it ran by JMP", runs, 1);
    check("no NT by JMP", saw_nt, 0);
    check("not busy", busy(OTHER), 0);
    prepare(by_iret);
    set_desc(OTHER, (u32)&other, 103, 0x8b, 0);
    check("CALL of a busy TSS", call_other(), ERR(GP, OTHER));
    set_desc(OTHER, (u32)&other, 102, 0x89, 0);
    check("TSS with a short limit", call_other(), ERR(TS, OTHER));
    set_desc(OTHER, (u32)&other, 103, 0x09, 0);
    check("TSS not present", call_other(), ERR(NP, OTHER));
    prepare(by_iret);
    gdt[GATE / 8] = (u64)OTHER << 16 | 0x85ull << 40;
    asm volatile(TRY "lcall %0, $0" END ::"i"(GATE) : "memory", "eax", "ecx", "edx");
    check("CALL of a task gate", caught(), NONE);
    check("it ran by the gate", runs, 1);
    gdt[GATE / 8] = (u64)OTHER << 16 | 0x05ull << 40;
    asm volatile(TRY "lcall %0, $0" END ::"i"(GATE) : "memory", "eax", "ecx", "edx");
    check("task gate not present", caught(), ERR(NP, GATE));
    gdt[GATE / 8] = (u64)0x10 << 16 | 0x85ull << 40;
    asm volatile(TRY "lcall %0, $0" END ::"i"(GATE) : "memory", "eax", "ecx", "edx");
    check("task gate to data", caught(), ERR(GP, 0x10));
    /* by interrupt */
    prepare(by_iret);
    set_gate(0x51, 0, OTHER, 0x85, 0);
    asm volatile(TRY "int $0x51" END ::: "memory", "eax", "ecx", "edx");
    check("INT n through a task gate", caught(), NONE);
    check("it ran by INT", runs, 1);
    check("NT in it by INT", saw_nt, 0x4000);
    prepare(by_iret);
    set_gate(NMI, 0, OTHER, 0x85, 0);
    apic_write(0xf0, 0x1ff);
    apic_icr(0, 0x4400);
    (void)wait_for(&runs, 1, 2000);
    check("NMI through a task gate", runs, 1);
    prepare(by_iret);
    set_gate(NMI, 0, OTHER, 0x85, 0);
    apic_icr(0, 0x4400);
    (void)wait_for(&runs, 1, 2000);
    check("and another: IRET opened NMIs", runs, 1);
    set_gate(NMI, vector_stubs + 0x20, 8, 0x8e, 0);
    prepare(by_iret);
    set_gate(0x52, 0, OTHER, 0x85, 0);
    apic_icr(0, 0x44052);
    sti_nop_cli();
    check("a hardware interrupt through a task gate", runs, 1);
    apic_eoi();
    /* errors of the new state belong to the new task: met by a task, 8.3 */
    prepare(by_iret);
    other.cs = 0x10;
    check("new CS is data: #TS", faulting(TS), ERR(TS, 0x10));
    prepare(by_iret);
    other.cs = 0;
    check("new CS is null: #TS", faulting(TS), ERR(TS, 0));
    prepare(by_iret);
    other.cs = 0x1b;
    other.ss = 0x10;
    check("new CS of ring 3, SS of ring 0: #TS", faulting(TS), ERR(TS, 0x10));
    prepare(by_iret);
    other.ss = 0x60;
    check("new SS read-only: #TS", faulting(TS), ERR(TS, 0x60));
    prepare(by_iret);
    other.ds = 0x178;
    check("new DS bad: #TS", faulting(TS), ERR(TS, 0x178));
    prepare(by_iret);
    other.ss = 0x40;
    check("new SS not present: #SS", faulting(SS), ERR(SS, 0x40));
    prepare(by_iret);
    other.es = 0x40;
    check("new ES not present: #NP", faulting(NP), ERR(NP, 0x40));
    prepare(by_iret);
    other.ldt = 0x10;
    check("new LDT is data: #TS", faulting(TS), ERR(TS, 0x10));
    check("nothing of it ran", runs, 0);
    asm volatile("str %0" : "=r"(tr));
    check("home again", tr, 0x50);
    asm volatile("pushfl; orl $0x4000, (%%esp); popfl" ::: "memory");
    tss.back = 0x10;
    asm volatile(TRY "iret" END ::: "memory");
    check("IRET with NT and a bad back link", caught(), ERR(TS, 0x10));
    tss.back = OTHER;
    prepare(by_iret);
    asm volatile("pushfl; orl $0x4000, (%%esp); popfl" ::: "memory");
    asm volatile(TRY "iret" END ::: "memory");
    check("IRET with NT to a TSS that is not busy", caught(), ERR(TS, OTHER));
    asm volatile("pushfl; andl $~0x4000, (%%esp); popfl" ::: "memory");
    /* the T bit */
    prepare(by_iret);
    write_cr0(cr0);
    asm volatile("clts");
}

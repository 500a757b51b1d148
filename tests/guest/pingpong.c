/* SPDX-License-Identifier: MIT */
/*
 * The guest of tests/guest/pingpong, on the start and library of tests/guest/cases: in
 * each step it computes in ring 3 under timer interrupts, writes the block it computed to
 * a virtio disk while it reads an earlier one back (both requests in flight, each ended by
 * an MSI-X message), and adds what came to a sum. In each step one of 16 pages of ring 3
 * moves to another frame, registers hold values (hold.c), and ring 3 calls ring 0 by SYSCALL:
 * an engine that remembers page tables from before, loses a register, or leaves a SYSCALL half
 * done where it was interrupted, shows. Neither sum nor disk may depend on which
 * engine ran what. A lost interrupt, timer or request hangs it. Each TICKET steps it waits for
 * a byte from the serial port: so it cannot end before the changes that it is meant for.
 * Legacy virtio (1.2, 4.1.4.8): queue registers in the I/O ports of BAR 0.
 */
#include "hold.h"

enum { STEPS = 400, TICKET = 10, COM1 = 0x3f8, BLOCK = 4096, SECTORS = BLOCK / 512, TICK_VECTOR = 0x51, DISK_VECTOR = 0x52 };
enum { PAGES = 16, CALLS = 16, QUEUE_MAX = 256, DESC_NEXT = 1, DESC_WRITE = 2 };

typedef struct Desc {
    u64 addr;
    u32 len;
    u16 flags, next;
} Desc;
typedef struct Request {
    u32 type, reserved;
    u64 sector;
} Request;

static u8 ring[4 * 4096] ALIGNED(4096);
static Desc *const desc = (Desc *)ring;
static volatile u16 *avail;        /* flags, idx, ring */
static volatile u16 *used;         /* flags, idx, entries of two u32 */
static Request request[2];
static volatile u8 status[2];
static u16 io;
static volatile u32 ticks, messages;
static u8 out[BLOCK] ALIGNED(4096) USER_DATA = { 1 };
static u8 in[BLOCK] ALIGNED(4096);
#define MOVING 0x18000000000ul /* PML4 slot 3 */
extern u64 pml4[512];
static u64 tables[3][512] ALIGNED(4096);
static u32 frames[23][1024] ALIGNED(4096);

static u32 pci_read(u32 dev, u32 reg)
{
    outl(0xcf8, 0x80000000u | dev << 11 | reg);
    return inl(0xcfc);
}
static void pci_write(u32 dev, u32 reg, u32 v)
{
    outl(0xcf8, 0x80000000u | dev << 11 | reg);
    outl(0xcfc, v);
}

enum { ONE_SHOT, PERIODIC, DEADLINE, KINDS, TICK = 2000000 };
static u32 kind;

/* About 2 ms at 1 GHz. */
static void arm(void)
{
    if (kind == DEADLINE) {
        wrmsr(0x6e0, rdtsc() + TICK);
    } else {
        apic_write(0x380, TICK);
    }
}
static void set_timer(u32 step)
{
    kind = step % KINDS;
    if (kind == DEADLINE && !(cpuid(1, 0).c & 1u << 24)) {
        kind = ONE_SHOT;
    }
    apic_write(0x320, kind << 17 | TICK_VECTOR);
    asm volatile("mfence" ::: "memory"); /* SDM vol. 3, 11.5.4.1 */
    arm();
}
static void on_tick(Regs *r)
{
    ticks++;
    apic_eoi();
    if (kind != PERIODIC) {
        arm();
    }
}

enum { PIT_VECTOR = 0x60, PIT_TICK = 2386 };
static volatile u32 pit_ticks;

static void pit_count(void)
{
    outb(0x40, PIT_TICK & 0xff);
    outb(0x40, PIT_TICK >> 8);
}
static void on_pit(Regs *r)
{
    pit_ticks++;
    outb(0x20, 0x20);
    if (kind != PERIODIC) {
        pit_count();
    }
}
static void start_pic(void)
{
    handlers[PIT_VECTOR] = on_pit;
    outb(0x20, 0x11);
    outb(0x21, PIT_VECTOR);
    outb(0x21, 4);
    outb(0x21, 1);
    outb(0x21, 0xfe);
}
static void set_pit(void)
{
    outb(0x43, kind == PERIODIC ? 0x34 : 0x30);
    pit_count();
}
static void on_disk(Regs *r)
{
    messages++;
    apic_eoi();
}

static u16 in_w(u16 port)
{
    u16 v;
    asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

/* MSI-X entry 0 for the queue; the table's BAR is 1 in dyad's devices. */
static bool start_msix(u32 dev)
{
    u32 cap = pci_read(dev, 0x34) & 0xff;
    while (cap && (pci_read(dev, cap) & 0xff) != 0x11) {
        cap = pci_read(dev, cap) >> 8 & 0xff;
    }
    if (!cap) {
        return false;
    }
    u32 where = pci_read(dev, cap + 4);
    volatile u32 *table =
        (u32 *)(ulong)((pci_read(dev, 0x10 + 4 * (where & 7)) & ~15u) + (where & ~7u));
    table[0] = APIC;
    table[1] = 0;
    table[2] = DISK_VECTOR;
    table[3] = 0;
    pci_write(dev, cap, pci_read(dev, cap) | 0x80000000u);
    return true;
}

static bool start_disk(void)
{
    u32 dev = 0;
    while (dev < 32 && pci_read(dev, 0) != 0x10011af4) {
        dev++;
    }
    if (dev == 32) {
        return false;
    }
    io = pci_read(dev, 0x10) & ~3u;
    pci_write(dev, 4, pci_read(dev, 4) | 7);
    if (!start_msix(dev)) {
        return false;
    }
    outb(io + 18, 0);
    outb(io + 18, 3);
    outl(io + 4, 0);
    outw(io + 14, 0);
    u16 n = in_w(io + 12);
    if (!n || n > QUEUE_MAX) {
        return false;
    }
    avail = (u16 *)(ring + 16 * n);
    used = (u16 *)(ring + ((16 * n + 6 + 2 * n + 4095) & ~4095u));
    outw(io + 22, 0); /* queue's vector (with MSI-X on) */
    outl(io + 8, (u32)(ulong)ring >> 12);
    outb(io + 18, 7);
    for (u32 k = 0; k < 2; k++) { /* two chains of three: head, data, status */
        desc[3 * k] = (Desc){ (ulong)&request[k], 16, DESC_NEXT, 3 * k + 1 };
        desc[3 * k + 1] = (Desc){ (ulong)(k ? in : out), BLOCK, DESC_NEXT | (k ? DESC_WRITE : 0),
                                  3 * k + 2 };
        desc[3 * k + 2] = (Desc){ (ulong)&status[k], 1, DESC_WRITE, 0 };
    }
    return true;
}

static void submit(u32 k, u32 block)
{
    request[k].type = k ? 0 : 1;
    request[k].sector = block * SECTORS;
    status[k] = 0xff;
    avail[2 + avail[1] % in_w(io + 12)] = 3 * k;
    asm volatile("" ::: "memory");
    avail[1]++;
    outw(io + 16, 0);
}

static void map_moving(void)
{
    pml4[3] = (ulong)tables[0] | 7;
    tables[0][0] = (ulong)tables[1] | 7;
    tables[1][0] = (ulong)tables[2] | 7;
    for (u32 f = 0; f < COUNT(frames); f++) {
        frames[f][0] = f * 0x9e3779b9u;
    }
    for (u32 n = 0; n < PAGES; n++) {
        tables[2][n] = (ulong)frames[n] | 7;
    }
}

static void move_page(u32 step)
{
    tables[2][step % PAGES] = (ulong)frames[step * 7 % COUNT(frames)] | 7;
    write_cr3(read_cr3());
}

/* In ring 0: what SYSCALL comes to. */
extern char call_entry[];
asm(".text\ncall_entry: lea 1(%rax,%rax,4), %rax; sysretq\n");

static void set_calls(void)
{
    wrmsr(0xc0000080, rdmsr(0xc0000080) | 1);
    wrmsr(0xc0000081, 0x0018000800000000ull);
    wrmsr(0xc0000082, (ulong)call_entry);
    wrmsr(0xc0000084, 0x47700);
}

/* The block of a step, in ring 3; ends by UD2. */
USER static void compute(ulong seed)
{
    u32 x = seed;
    for (ulong n = 0; n < CALLS; n++) {
        ulong a = x;
        asm volatile("syscall" : "+a"(a)::"rcx", "r11", "memory");
        x = a;
    }
    for (ulong n = 0; n < PAGES; n++) {
        x = x * 5 + *(volatile u32 *)(MOVING + n * 4096);
    }
    for (u32 i = 0; i < BLOCK / 4; i++) {
        for (u32 k = 0; k < 16; k++) {
            x = x * 1103515245u + 12345u;
        }
        ((volatile u32 *)out)[i] = x;
    }
    asm volatile("ud2");
}

static void wait_ticket(void)
{
    while (!(inb(COM1 + 5) & 1)) {
        asm volatile("pause");
    }
    inb(COM1);
}

static void run(void)
{
    u32 sum = 1, lost = 0;
    if (!start_disk()) {
        print("no disk\n");
        return;
    }
    map_moving();
    hold_start();
    handlers[TICK_VECTOR] = on_tick;
    handlers[DISK_VECTOR] = on_disk;
    start_pic();
    apic_write(0xf0, 0x1ff);
    apic_write(0x3e0, 0xb);
    for (u32 step = 0; step < STEPS; step++) {
        if (step % TICKET == 0) {
            wait_ticket();
        }
        u32 until = ticks + 1, pit_until = pit_ticks + 1;
        set_timer(step);
        set_pit();
        move_page(step);
        set_calls();
        run_user(compute, sum, 0x200);
        lost += hold(step);
        cli();
        u16 done = used[1];
        submit(0, step % 64);
        submit(1, (step + 32) % 64);
        while ((u16)(used[1] - done) < 2 || ticks < until ||
               pit_ticks < pit_until) {
            asm volatile("sti; hlt; cli" ::: "memory");
        }
        if (status[0] | status[1]) {
            print("disk error %d %d\n", status[0], status[1]);
            return;
        }
        for (u32 i = 0; i < BLOCK / 4; i += 128) {
            sum = (sum << 5 | sum >> 27) ^ ((u32 *)out)[i] ^ ((u32 *)in)[i];
        }
    }
    print("sum %x, registers lost %d, %s\n", sum, lost,
          messages && ticks >= STEPS ? "interrupted" : "lost interrupts");
}

const Group groups[] = { { "pingpong", run }, { NULL, NULL } };

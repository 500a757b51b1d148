/* SPDX-License-Identifier: MIT */
/*
 * Self- and cross-modifying code (SDM vol. 3, 8.1.3, 11.6), atomics and memory ordering
 * across CPUs (8.2).
 */
#include "lib.h"
#include "paging.h"

static u8 code[8192] ALIGNED(4096);

static u32 call(void *p)
{
    u32 v;
    asm volatile("call *%1" : "=a"(v) : "r"(p) : "memory", "rcx", "rdx");
    return v;
}

static void put_mov(u8 *p, u32 v)
{
    p[0] = 0xb8;
    memcpy(p + 1, &v, 4);
    p[5] = 0xc3;
}

void self_modifying(void)
{
    put_mov(code, 1);
    check("first", call(code), 1);
    put_mov(code, 2);
    check("rewritten", call(code), 2);
    bool ok = true;
    for (u32 i = 0; i < 2000; i++) {
        put_mov(code, i);
        ok = ok && call(code) == i;
    }
    check("rewritten 2,000 times", ok, 1);
    /* the next instruction changed by the one before: a jump is between, as 11.6 asks */
    static const u8 next[] = {
        0xc6, 0x05, 3, 0, 0, 0,    7, /* movb $7, 3(%rip): the immediate below */
        0xeb, 0,                      /* jmp */
        0xb8, 1,    0, 0, 0, 0xc3,
    };
    memcpy(code + 64, next, sizeof(next));
    check("the instruction behind a jump", call(code + 64), 7);
    /* a store into the block that runs */
    static const u8 same[] = {
        0xb8, 0, 0, 0, 0, 0xc6, 0x05, 1, 0, 0, 0, 9, /* movb $9, 1(%rip) */
        0x05, 1, 0, 0, 0,                            /* add $1, %eax */
        0xc3,
    };
    memcpy(code + 128, same, sizeof(same));
    check("the very next instruction", call(code + 128), 9);
    /* through another address */
    test_map();
    t_pt[0] = (ulong)code | 7;
    invlpg((void *)TEST_VA);
    put_mov(code, 3);
    (void)call(code);
    put_mov((u8 *)TEST_VA, 4);
    check("written through an alias", call(code), 4);
    (void)call((void *)TEST_VA);
    put_mov(code, 5);
    check("run through an alias", call((void *)TEST_VA), 5);
    /* stored to at two addresses before it becomes code */
    static u8 fresh[4096] ALIGNED(4096);
    t_pt[1] = (ulong)fresh | 7;
    invlpg((void *)(TEST_VA + 4096));
    put_mov(fresh, 1);
    put_mov((u8 *)TEST_VA + 4096, 2);
    (void)call(fresh);
    put_mov((u8 *)TEST_VA + 4096, 3);
    check("data at two addresses, then code, written at the second", call(fresh), 3);
    put_mov(fresh, 4);
    check("and at the first", call(fresh), 4);
    /* across a page */
    put_mov(code + 4093, 0x11223344);
    check("across a page", call(code + 4093), 0x11223344);
    code[4096] = 0x99;
    check("its tail rewritten", call(code + 4093), 0x11993344);
    code[4094] = 0x55;
    check("its head rewritten", call(code + 4093), 0x11993355);
    /* REP STOS over code */
    for (unsigned i = 0; i < 16; i++) {
        put_mov(code + 512 + 16 * i, i);
        (void)call(code + 512 + 16 * i);
    }
    memset(code + 512, 0xc3, 256);
    u32 eax;
    asm volatile("call *%1" : "=a"(eax) : "r"(code + 512), "0"(77) : "memory");
    check("REP STOS over code", eax, 77);
    asm volatile("lock cmpxchgb %b2, (%1)"
                 : "=a"(eax)
                 : "r"(code + 512), "r"(0xf4), "0"(0xc3)
                 : "memory");
    code[512] = 0xc3;
    check("LOCK CMPXCHG over code", (call(code + 512), 1), 1);
    code[700] = 0xc3;
    (void)call(code + 700);
    asm volatile("fninit; fld1; fstpl (%0)" ::"r"(code + 696) : "memory");
    put_mov(code + 700, 8);
    check("x87 store over code", call(code + 700), 8);
}

static volatile u32 flag, seen, stop;

static void runner(void *arg)
{
    while (!stop) {
        seen = call(code + 1024);
    }
}

static volatile u32 counter ALIGNED(64);
static volatile u64 wide ALIGNED(16);
static volatile u64 pair[2] ALIGNED(16);
static u8 split[128] ALIGNED(64);
static volatile u32 bits[2];

static void add_many(void *arg)
{
    for (u32 i = 0; i < 20000; i++) {
        asm volatile("lock incl %0" : "+m"(counter)::"memory");
        asm volatile("lock addq $1, %0" : "+m"(wide)::"memory");
        u64 v = 1;
        asm volatile("lock xaddq %0, (%1)" : "+r"(v) : "r"(split + 60) : "memory");
        u64 lo = pair[0], hi = pair[1];
        u8 ok;
        do {
            asm volatile("lock cmpxchg16b %1; sete %0"
                         : "=q"(ok), "+m"(pair), "+a"(lo), "+d"(hi)
                         : "b"(lo + 1), "c"(hi + 2)
                         : "memory");
        } while (!ok);
    }
}

static volatile u32 x ALIGNED(64), y ALIGNED(64);
static volatile u32 r1, r2, turn, done;

/* Message passing: x then y; a reader that sees y must see x. */
static void writer(void *arg)
{
    for (u32 i = 1; i <= 100000; i++) {
        x = i;
        asm volatile("" ::: "memory");
        y = i;
    }
    done = 1;
}

/* Store buffering with a locked instruction between: not both may read 0. */
static void sb_other(void *arg)
{
    for (u32 i = 1; i <= 3000; i++) {
        while (turn != i) {
            pause();
        }
        y = i;
        asm volatile("mfence" ::: "memory");
        r2 = x;
        __sync_fetch_and_add(&done, 1);
    }
}

void multiprocessor(void)
{
    if (!smp_start()) {
        skip("two CPUs", "one CPU");
        return;
    }
    put_mov(code + 1024, 1);
    stop = seen = 0;
    on_cpu_async(1, runner, NULL);
    bool ok = true;
    for (u32 i = 1; i < 300 && ok; i++) {
        WRITE((u32 *)(code + 1025), i); /* within 8 bytes: one store */
        Patience p = { 0 };
        while (seen != i && patient(&p, 8000000000ull)) {
            pause();
        }
        ok = seen == i;
    }
    stop = 1;
    check("cross-modifying: 300 changes, each seen", ok, 1);
    check("it ends", cpu_wait(1, 2000), 1);

    counter = 0;
    wide = 0;
    pair[0] = pair[1] = 0;
    memset(split, 0, sizeof(split));
    on_cpu_async(1, add_many, NULL);
    add_many(NULL);
    check("it ends", cpu_wait(1, 20000), 1);
    check("LOCK INC", counter, 40000);
    check("LOCK ADD, 64 bits", wide, 40000);
    check("LOCK XADD across a cache line", *(u64 *)(split + 60), 40000);
    check("LOCK CMPXCHG16B", pair[0] == 40000 && pair[1] == 80000, 1);

    x = y = done = 0;
    u32 bad = 0;
    on_cpu_async(1, writer, NULL);
    while (!done) {
        u32 b = y;
        asm volatile("" ::: "memory");
        u32 a = x;
        bad += a < b;
    }
    check("stores are seen in order", bad, 0);
    check("it ends", cpu_wait(1, 2000), 1);
    turn = done = x = y = 0;
    bad = 0;
    on_cpu_async(1, sb_other, NULL);
    for (u32 i = 1; i <= 3000; i++) {
        turn = i;
        x = i;
        asm volatile("mfence" ::: "memory");
        r1 = y;
        while (done != i) {
            pause();
        }
        bad += r1 != i && r2 != i;
    }
    check("MFENCE between store and load", bad, 0);
    check("it ends", cpu_wait(1, 2000), 1);
    (void)flag, (void)bits;
}

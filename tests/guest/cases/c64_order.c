/* SPDX-License-Identifier: MIT */
/*
 * What one CPU may see of another's stores (SDM vol. 3, 9.2.2, 9.2.3), which accesses are
 * single (9.1.1), and that walks and locked accesses do not lose each other's bits (9.1.2,
 * 4.8). Two CPUs, each outcome that the manual rules out.
 */
#include "lib.h"
#include "paging.h"

/* ---- small programs for two CPUs, until they have often run at the same time ---- */

enum { ROUNDS = 2000, MET = 1000, MOST_ROUNDS = 200000, MOST_MS = 2000 };

static volatile u32 x ALIGNED(64), y ALIGNED(64);
static volatile u32 turn ALIGNED(64), done ALIGNED(64);
static volatile u32 a1, a2, b1, b2; /* what each has read */
static volatile u64 began, ended;   /* CPU 1's part of a round */
static u32 words[64] ALIGNED(64);

typedef struct Litmus {
    const char *name;
    void (*a)(u32 i), (*b)(u32 i); /* CPU 0, CPU 1; round i, from 1 */
    bool (*wrong)(u32 i);
} Litmus;

#define ASM(text, ...) asm volatile(text __VA_ARGS__)

/* store, then load of the other's, something that orders them between */
#define STORE_LOAD(name, mine, other, got, between)      \
    static void name(u32 i)                              \
    {                                                    \
        u32 v, t = 0;                                    \
        ASM("movl %3, %1\n\t" between "\n\tmovl %2, %0", \
            : "=&r"(v), "+m"(mine)                       \
            : "m"(other), "r"(i), "r"(&t)                \
            : "memory", "cc");                           \
        got = v;                                         \
    }
STORE_LOAD(sb_lock_a, x, y, a1, "lock addl $0, (%4)")
STORE_LOAD(sb_lock_b, y, x, b1, "lock addl $0, (%4)")
STORE_LOAD(sb_xadd_a, x, y, a1, "lock xaddl %0, (%4)")
STORE_LOAD(sb_xadd_b, y, x, b1, "lock btsl $3, (%4)")
STORE_LOAD(sb_mfence_a, x, y, a1, "mfence")

static void sb_xchg_a(u32 i)
{
    u32 v = i;
    ASM("xchgl %0, %1", : "+r"(v), "+m"(x)::"memory");
    a1 = y;
}
static void sb_xchg_b(u32 i)
{
    u32 v = i;
    ASM("xchgl %0, %1", : "+r"(v), "+m"(y)::"memory");
    b1 = x;
}
static void sb_cpuid_b(u32 i)
{
    y = i;
    (void)cpuid(0, 0);
    b1 = x;
}
static bool both_old(u32 i)
{
    return a1 != i && b1 != i;
}

/* loads are not passed by later stores */
static void lb_a(u32 i)
{
    u32 v;
    ASM("movl %1, %0\n\tmovl %3, %2", : "=&r"(v), "+m"(y), "=m"(x) : "r"(i) : "memory");
    a1 = v;
}
static void lb_b(u32 i)
{
    u32 v;
    ASM("movl %1, %0\n\tmovl %3, %2", : "=&r"(v), "+m"(x), "=m"(y) : "r"(i) : "memory");
    b1 = v;
}
static bool both_new(u32 i)
{
    return a1 == i && b1 == i;
}

/* two stores to one place: both CPUs agree which came last */
static void coherent_a(u32 i)
{
    u32 v;
    ASM("movl %2, %1\n\tmovl %1, %0", : "=r"(v), "+m"(x) : "r"(2 * i) : "memory");
    a1 = v;
}
static void coherent_b(u32 i)
{
    u32 v;
    ASM("movl %2, %1\n\tmovl %1, %0", : "=r"(v), "+m"(x) : "r"(2 * i + 1) : "memory");
    b1 = v;
}
static bool disagree(u32 i)
{
    return a1 == 2 * i + 1 && b1 == 2 * i;
}

/* REP STOS and REP MOVS, then a flag: who sees the flag sees them whole */
static void string_a(u32 i)
{
    void *d = words;
    ulong n = 32;
    ASM("rep stosl", : "+D"(d), "+c"(n) : "a"(i) : "memory");
    const void *s = words;
    n = 32;
    ASM("rep movsl\n\tmovl %3, %2",
        : "+D"(d), "+c"(n), "=m"(x)
        : "r"(i), "S"(s)
        : "memory");
}
/* MOVNTI is ordered by SFENCE alone */
static void non_temporal_a(u32 i)
{
    ASM("movnti %2, 4(%1)\n\tmovnti %2, 252(%1)\n\tsfence\n\tmovl %2, %0",
        : "=m"(x)
        : "r"(words), "r"(i)
        : "memory");
}
static void flag_b(u32 i)
{
    b2 = i;
    for (u32 n = 0; n < 100; n++) {
        u32 f = x;
        asm volatile("" ::: "memory");
        u32 w = ((volatile u32 *)words)[63], w1 = ((volatile u32 *)words)[1];
        if (f == i) {
            b2 = w < w1 ? w : w1;
            return;
        }
    }
}
static bool part_seen(u32 i)
{
    return b2 != i;
}

/* stores become visible to all in one order: x then y here, y then x there */
static void two_a(u32 i)
{
    u32 u, v;
    ASM("movl %4, %0\n\tmfence\n\tmovl %0, %2\n\tmovl %1, %3",
        : "+m"(x), "+m"(y), "=&r"(u), "=&r"(v)
        : "r"(i)
        : "memory");
    a1 = u, a2 = v;
}
static void two_b(u32 i)
{
    u32 u, v;
    ASM("movl %4, %1\n\tmfence\n\tmovl %1, %2\n\tmovl %0, %3",
        : "+m"(x), "+m"(y), "=&r"(u), "=&r"(v)
        : "r"(i)
        : "memory");
    b1 = u, b2 = v;
}
static bool not_one_order(u32 i)
{
    return a1 != i || b1 != i || (a2 != i && b2 != i);
}

static const Litmus litmus[] = {
    { "LOCK ADD between store and load", sb_lock_a, sb_lock_b, both_old },
    { "LOCK XADD, LOCK BTS between store and load", sb_xadd_a, sb_xadd_b, both_old },
    { "XCHG as the store", sb_xchg_a, sb_xchg_b, both_old },
    { "MFENCE here, CPUID there", sb_mfence_a, sb_cpuid_b, both_old },
    { "a load is not passed by a later store", lb_a, lb_b, both_new },
    { "the last of two stores is one for both", coherent_a, coherent_b, disagree },
    { "string stores before a flag", string_a, flag_b, part_seen },
    { "MOVNTI, SFENCE, a flag", non_temporal_a, flag_b, part_seen },
    { "own stores are seen at once, others' in one order", two_a, two_b, not_one_order },
};

static void other_side(void *arg)
{
    const Litmus *l = arg;
    for (u32 i = 1;; i++) {
        while (turn != i && turn != ~0u) {
            pause();
        }
        if (turn == ~0u) {
            return;
        }
        u64 t = rdtsc();
        l->b(i);
        ended = rdtsc();
        began = t;
        done = i;
    }
}

static void run_litmus(const Litmus *l)
{
    u32 wrong = 0, met = 0;
    Patience p = { 0 };

    x = y = turn = done = 0;
    memset(words, 0, sizeof(words));
    on_cpu_async(1, other_side, (void *)l);
    /* on a busy host one of the two is seldom running when the other is */
    for (u32 i = 1;
         (patient(&p, MOST_MS * tsc_per_ms()) && met < MET && i < MOST_ROUNDS) ||
         i <= ROUNDS;
         i++) {
        turn = i;
        for (u32 n = i * 7 % 512; n--;) { /* met at different points */
            asm volatile("" ::: "memory");
        }
        u64 t = rdtsc();
        l->a(i);
        u64 end = rdtsc();
        while (done != i) {
            pause();
        }
        met += t < ended && began < end;
        wrong += l->wrong(i);
    }
    turn = ~0u;
    check(l->name, wrong, 0);
    check("it ends", cpu_wait(1, 2000), 1);
}

/* ---- single accesses ---- */

static volatile u32 stop;
static u8 buffer[192] ALIGNED(64);

typedef struct Single {
    const char *name;
    u8 *at;
    u8 size;
} Single;

static u8 *shared_page; /* a page with code on it: stores are looked at */

static void put_size(u8 *p, unsigned size, u64 v)
{
    switch (size) {
    case 2: WRITE((u16 *)p, v); break;
    case 4: WRITE((u32 *)p, v); break;
    default: WRITE((u64 *)p, v);
    }
}

static u64 get_size(const u8 *p, unsigned size)
{
    switch (size) {
    case 2: return *(const volatile u16 *)p;
    case 4: return *(const volatile u32 *)p;
    default: return *(const volatile u64 *)p;
    }
}

static void flipper(void *arg)
{
    const Single *s = arg;
    while (!stop) {
        put_size(s->at, s->size, 0);
        put_size(s->at, s->size, ~0ull);
    }
}

static void run_single(const Single *s)
{
    u64 all = s->size == 8 ? ~0ull : (1ull << (8 * s->size)) - 1;
    u64 last = 0;
    Patience p = { 0 };
    u32 torn = 0, changes = 0;

    stop = 0;
    put_size(s->at, s->size, 0);
    on_cpu_async(1, flipper, (void *)s);
    for (u32 i = 0; (i < 200000 || changes < 20) && patient(&p, 1500000000ull); i++) {
        u64 v = get_size(s->at, s->size);
        torn += v != 0 && v != all;
        changes += v != last;
        last = v;
    }
    stop = 1;
    check(s->name, torn, 0);
    check("it ends", cpu_wait(1, 2000), 1);
}

/* ---- locked accesses that are not aligned ---- */

static u8 two_pages[8192] ALIGNED(4096);

static void add_split(void *arg)
{
    u32 *line = (u32 *)(buffer + 62), *page = (u32 *)(two_pages + 4094);
    for (u32 i = 0; i < 5000; i++) {
        ASM("lock incl %0\n\tlock addl $3, %1\n\t",
            : "+m"(*line), "+m"(*page)::"memory", "cc");
        u32 bit = 30, v = *page;
        ASM("lock btcl %1, %0", : "+m"(*line) : "r"(bit) : "memory", "cc");
        ASM("lock btcl %1, %0", : "+m"(*line) : "r"(bit) : "memory", "cc");
        u8 ok;
        do {
            ASM("lock cmpxchgl %3, %1\n\tsete %0",
                : "=q"(ok), "+m"(*page), "+a"(v)
                : "r"(v + 4)
                : "memory", "cc");
        } while (!ok);
    }
}

/* ---- page walks beside locked accesses to the entry ---- */

static void touch(void *arg)
{
    volatile u8 *p = (u8 *)TEST_VA;
    for (u32 i = 0; !stop; i++) {
        invlpg((void *)p);
        if (i & 1) {
            *p = i;
        } else {
            (void)*p;
        }
    }
}

static void walks_beside_locks(void)
{
    enum { TIMES = 400 };
    u32 lost = 0, missing = 0;

    test_map();
    stop = 0;
    on_cpu_async(1, touch, NULL);
    for (u32 i = 0; i < TIMES; i++) {
        u64 one = 1ull << 52; /* bits that the walk ignores */
        u64 old = __sync_fetch_and_and(&t_pt[0], ~0x60ull);
        (void)__sync_fetch_and_add(&t_pt[0], one);
        lost += (old >> 52 & 0x7f) != (i & 0x7f);
        if ((i & 0x7f) == 0x7f) {
            (void)__sync_fetch_and_and(&t_pt[0], ~(0xffull << 52));
        }
        Patience p = { 0 };
        while (!(t_pt[0] & 0x40) && patient(&p, 4000000000ull)) {
            pause();
        }
        missing += (t_pt[0] & 0x60) != 0x60;
    }
    stop = 1;
    check("LOCK ADD to an entry that walks mark: none is lost", lost, 0);
    check("A and D come back each time", missing, 0);
    check("the entry is whole", t_pt[0] & 0x000ffffffffff01f, (ulong)t_page | 7);
    check("it ends", cpu_wait(1, 2000), 1);
}

void memory_order(void)
{
    static u8 code[4096] ALIGNED(4096);

    if (!smp_start()) {
        skip("two CPUs", "one CPU");
        return;
    }
    for (unsigned i = 0; i < COUNT(litmus); i++) {
        run_litmus(&litmus[i]);
    }
    code[0] = 0xc3;
    asm volatile("call *%0" ::"r"(code) : "memory");
    shared_page = code;
    const Single single[] = {
        { "8 bytes, aligned: never in parts", buffer + 8, 8 },
        { "4 bytes within a quadword", buffer + 64 + 58, 4 },
        /* AMD promises it within a quadword only (vol. 2, 7.3.2), and between bytes 31 and 32
         * of a line it shows */
        { "2 bytes within a quadword", buffer + 64 + 27, 2 },
        { "8 bytes on a page with code", shared_page + 0x108, 8 },
        { "4 bytes on a page with code", shared_page + 0x113, 4 },
    };
    for (unsigned i = 0; i < COUNT(single); i++) {
        run_single(&single[i]);
    }
    memset(buffer, 0, sizeof(buffer));
    memset(two_pages, 0, sizeof(two_pages));
    on_cpu_async(1, add_split, NULL);
    add_split(NULL);
    check("it ends", cpu_wait(1, 20000), 1);
    check("LOCK INC and LOCK BTC across a cache line", *(u32 *)(buffer + 62), 10000);
    check("LOCK ADD and LOCK CMPXCHG across a page", *(u32 *)(two_pages + 4094), 70000);
    walks_beside_locks();
}

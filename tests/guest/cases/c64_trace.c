/* SPDX-License-Identifier: MIT */
/*
 * Hot user code in 4 KiB pages, which an engine may join to long traces: it changes itself
 * on the way, lies in one page at two addresses, goes on in pages that are mapped anew, runs
 * off the end of the address space. Traces are made at random times by tcg,tier2=random
 * (tests/guest/check_traces); the rules hold for every engine: SDM vol. 3, 4.10, 11.6.
 */
#include "lib.h"
#include "paging.h"

enum { PAGE = 4096 };
static u8 frame[6][PAGE] ALIGNED(4096); /* at TEST_VA and behind it */

static void place(unsigned page, void *what)
{
    t_pt[page] = (ulong)what | 7;
    invlpg((void *)(TEST_VA + page * PAGE));
}

static u8 *put(u8 *p, const void *bytes, unsigned n)
{
    memcpy(p, bytes, n);
    return p + n;
}
#define PUT(p, ...) \
    put(p, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static u8 *put32(u8 *p, u32 v)
{
    return put(p, &v, 4);
}

/* jmp, or what else ends with a rel32, to offset `to` of the pages; p is at offset `at`. */
static u8 *put_rel(u8 *p, ulong at, ulong to)
{
    return put32(p, (u32)(to - (at + 4)));
}

static ulong base = TEST_VA;

static u64 run_at(ulong off, ulong arg)
{
    u64 end = run_user((void *)(base + off), arg, 0);
    return end == NONE ? user_value : end;
}

/* 1,300 conditional jumps, each a way out of a trace; every 50th is taken. RDI times. */
static void many_exits(void)
{
    u8 *p = PUT(frame[0], 0x31, 0xc0 /* xor eax,eax */, 0x85, 0xc0 /* test eax,eax */);

    for (unsigned i = 0; i < 1300; i++) {
        if (i % 50 == 49) {
            p = PUT(p, 0x71, 1, 0xcc); /* jno over int3 */
        } else {
            p = PUT(p, 0x70, 1); /* jo to the middle of the next: never */
        }
    }
    p = PUT(p, 0xff, 0xcf, 0x0f, 0x85); /* dec edi; jnz */
    p = put_rel(p, p - frame[0], 2);
    PUT(p, 0xb8, 5, 0, 0, 0, 0xc3); /* mov eax,5; ret */
    bool ok = true;
    for (unsigned i = 0; i < 40; i++) {
        ok = ok && run_at(0, 300) == 5;
    }
    check("1,300 conditional jumps in a row", ok, 1);
}

typedef struct Patch {
    u32 (*fn)(u32);
    volatile u8 *jump; /* rel8 of its first jump */
    u32 n, seed;
} Patch;

/* What the code at jump + 1 + rel computes; 16 bytes each, see patched(). */
static u32 expected(u32 way, u32 v)
{
    return way == 0 ? v + 3 : way == 1 ? v * 2 : v ^ 0x55;
}

/* Position-independent, copied to a page: changes the function's jump now and then. */
USER static u32 patcher(Patch *s)
{
    u32 v = 1, way = 0, seed = s->seed;

    for (u32 i = 0; i < s->n; i++) {
        seed = seed * 1664525 + 1013904223;
        if ((seed >> 24) % 5 == 0) {
            way = (seed >> 16 & 255) % 3;
            *s->jump = way * 16;
        }
        v = s->fn(v) + i;
    }
    return v;
}

static u32 simulated(const Patch *s)
{
    u32 v = 1, way = 0, seed = s->seed;

    for (u32 i = 0; i < s->n; i++) {
        seed = seed * 1664525 + 1013904223;
        if ((seed >> 24) % 5 == 0) {
            way = (seed >> 16 & 255) % 3;
        }
        v = expected(way, v) + i;
    }
    return v;
}

/* Code that is changed by the loop that calls it. */
static void patched(unsigned fn_page, const char *where)
{
    static Patch arg USER_DATA;
    u8 *f = frame[fn_page] + 2048;
    u32 bad = 0;

    memcpy(frame[0], patcher, 512);
    PUT(f, 0x89, 0xf8, 0xeb, 0);                              /* mov eax,edi; jmp */
    PUT(f + 4, 0x83, 0xc0, 3, 0xc3);                          /* add eax,3; ret */
    PUT(f + 20, 0x90, 0x01, 0xc0, 0xeb, 2, 0x90, 0x90, 0xc3); /* add eax,eax */
    PUT(f + 36, 0x83, 0xf0, 0x55, 0xc3);                      /* xor eax,55H */
    for (u32 i = 0; i < 300; i++) {
        arg = (Patch){ (void *)(TEST_VA + fn_page * PAGE + 2048),
                       (u8 *)(TEST_VA + fn_page * PAGE + 2048 + 3), 300, i };
        f[3] = 0;
        bad += run_at(0, (ulong)&arg) != simulated(&arg);
    }
    checkf(bad, 0, "code patched by its caller, %s", where);
}

/* One page at two addresses: a round runs it at both, by a long way and a short one. */
static void twice(void)
{
    enum { AT = 0x100 };
    u32 bad = 0;

    place(1, frame[0]);
    u8 *p = PUT(frame[0] + AT, 0x83, 0xf1, 1, 0x0f, 0x84); /* xor ecx,1; jz */
    p = put_rel(p, p - frame[0], PAGE + 0x40);             /* a page on: page 2 */
    p = PUT(p, 0x05);                                      /* add eax,imm */
    u8 *imm = p;
    p = PUT(put32(p, 1), 0xe9);
    put_rel(p, p - frame[0], PAGE + AT);              /* jmp a page on: page 1 */
    p = PUT(frame[2] + 0x40, 0xff, 0xcf, 0x0f, 0x85); /* dec edi; jnz to page 0 */
    p = put_rel(p, 2 * PAGE + (p - frame[2]), AT);
    PUT(p, 0xc3);
    p = PUT(frame[2], 0x31, 0xc0, 0x31, 0xc9, 0xe9); /* eax = ecx = 0 */
    put_rel(p, 2 * PAGE + (p - frame[2]), AT);
    for (u32 i = 1; i < 200; i++) {
        put32(imm, i);
        bad += run_at(2 * PAGE, 200) != 200 * i;
    }
    check("a page at two addresses, changed", bad, 0);
    place(1, frame[1]);
}

/* A loop over two pages, of which the second is exchanged. */
static void exchange(ulong high, bool large)
{
    enum { MIB2 = 1 << 21 };
    ulong va = TEST_VA + high, at = large ? MIB2 + 0x60000 : PAGE;
    u8 *b[2] = { frame[1], frame[3] };
    u32 bad = 0;

    if (large) { /* of two large pages: the first one spans what is no RAM */
        b[0] = (u8 *)0x60000;
        b[1] = (u8 *)0x1060000;
    }
    u8 *p = PUT(frame[0], 0x31, 0xc0, 0xe9);
    put_rel(p, p - frame[0], at);
    for (u32 k = 0; k < 2; k++) {
        p = PUT(b[k], 0x05);
        p = PUT(put32(p, k + 1), 0xff, 0xcf, 0x0f, 0x84); /* add eax,k+1; dec edi; jz */
        p = put_rel(p, at + (p - b[k]), 0x200);
        p = PUT(p, 0xe9);
        put_rel(p, at + (p - b[k]), 0x100);
    }
    p = PUT(frame[0] + 0x100, 0xe9);
    put_rel(p, p - frame[0], at);
    PUT(frame[0] + 0x200, 0xc3);
    for (u32 i = 0; i < 200; i++) {
        if (large) {
            t_pd[1] = ((ulong)b[i & 1] & ~(MIB2 - 1ul)) | 0x87;
        } else {
            t_pt[1] = (ulong)b[i & 1] | 7;
        }
        invlpg((void *)(va + (large ? MIB2 + 0x3000 : at)));
        u64 end = run_user((void *)va, 100, 0);
        bad += end != NONE || user_value != 100 * ((i & 1) + 1);
    }
    checkf(bad, 0, "a loop's second page exchanged%s%s", high ? ", upper half" : "",
           large ? ", a large page" : "");
    t_pd[1] = 0;
    place(1, frame[1]);
}

/* The page at 7FFFFFFFF000H becomes frame 4, user's. */
static void map_last(void)
{
    extern u64 pml4[];
    static u64 pdpt[512] ALIGNED(4096), pd[512] ALIGNED(4096), pt[512] ALIGNED(4096);

    pml4[255] = (ulong)pdpt | 7;
    pdpt[511] = (ulong)pd | 7;
    pd[511] = (ulong)pt | 7;
    pt[511] = (ulong)frame[4] | 7;
    write_cr3(read_cr3());
}

/* Loops over numbers that lie at 125 TiB in one call and at 126 TiB and 8 GiB in another: each
 * becomes the sum of those up to it. An engine that has both stretches mapped (docs/windows.md)
 * and takes one for the other comes, if they lie one behind the other there with 4 GiB of
 * margins around each, to the page 8 GiB below or above the one meant: those are mapped, too. */
static void low_and_high(void)
{
    enum { N = 300, HIGH = 7 }; /* every HIGH-th call, and some in a row */
    static u64 root[512] ALIGNED(4096), pdpt[512] ALIGNED(4096), pd[2][512] ALIGNED(4096),
        pt[2][512] ALIGNED(4096);
    const ulong a = 125ul << 40, b = 126ul << 40, apart = 8ul << 30;
    ulong was = read_cr3();
    u32 bad = 0;

    memcpy(root, (void *)(was & ~0xffful), PAGE);
    root[a >> 39 & 511] = root[b >> 39 & 511] = (ulong)pdpt | 7; /* the same in both */
    for (unsigned i = 0; i < 2; i++) {
        pdpt[i * (apart >> 30)] = (ulong)pd[i] | 7;
        pd[i][0] = (ulong)pt[i] | 7;
    }
    pt[0][0] = (ulong)frame[0] | 7;
    pt[0][1] = (ulong)frame[1] | 7; /* low ones, from a on */
    pt[1][2] = (ulong)frame[2] | 7; /* high ones, from b + apart on */
    pt[0][2] = pt[1][1] = (ulong)frame[3] | 7;
    write_cr3((ulong)root);
    PUT(frame[0], 0xbe, N & 255, N >> 8, 0, 0, 0x31, 0xc0, 0x31, 0xc9, /* esi = N, eax = ecx = 0 */
        0x03, 0x04, 0x8f, 0x89, 0x04, 0x8f, /* add eax,[rdi+rcx*4]; mov [rdi+rcx*4],eax */
        0x48, 0xff, 0xc1, 0x48, 0x39, 0xf1, 0x75, 0xf2, /* inc rcx; cmp rcx,rsi; jne */
        0xcd, 0x40); /* int 40H: run_user's end, without its stack, which lies low */
    PUT(frame[0] + 0x40, 0xbe, N & 255, N >> 8, 0, 0, 0x31, 0xc0,
        0x03, 0x07, 0x89, 0x07, 0x48, 0x83, 0xc7, 4, /* add eax,[rdi]; mov [rdi],eax; add rdi,4 */
        0x48, 0xff, 0xce, 0x75, 0xf3, 0xcd, 0x40); /* dec rsi; jnz */
    for (u32 i = 0; i < 1200; i++) { /* at first only the second loop: it makes both known */
        bool high = i % HIGH == 0 || (i & 0x60) == 0x60;
        u32 *data = (u32 *)frame[high ? 2 : 1] + i % 100, sum = 0;
        ulong at = (high ? b + apart + 2 * PAGE : a + PAGE) + 4 * (i % 100);
        for (u32 k = 0; k < N; k++) {
            data[k] = i * 7919 + k;
        }
        u64 end = run_user((void *)(a + (i > 100 && i & 1 ? 0 : 0x40)), at, 0);
        for (u32 k = 0; k < N; k++) {
            sum += i * 7919 + k;
            bad += data[k] != sum;
        }
        bad += end != NONE || (u32)user_value != sum;
    }
    check("loops over low and high memory by turns", bad, 0);
    write_cr3(was);
}

static u64 *table_at(u64 *t, unsigned i)
{
    static u64 pool[64][512] ALIGNED(4096);
    static unsigned used;

    if (!t[i]) {
        t[i] = (ulong)pool[used++] | 7;
    }
    return (u64 *)(t[i] & ~4095ul);
}

static void map_page(u64 *root, ulong va, const void *what)
{
    u64 *pdpt = table_at(root, va >> 39 & 511), *pd = table_at(pdpt, va >> 30 & 511);
    table_at(pd, va >> 21 & 511)[va >> 12 & 511] = (ulong)what | 7;
}

/* The same loops over numbers in the page behind the program's and in others, which an engine
 * that maps stretches may have in none. Taken for one that it has, an address there comes, as
 * above, to the page named beside it; and two of them share each entry of a TLB of 2^12 pages. */
static void near_and_far(void)
{
    enum { N = 300, PLACES = 7, STARTS = 4, MIB16 = 16 << 20 };
    const ulong tib = 1ul << 40, apart = 8ul << 30;
    const ulong place[PLACES][2] = {
        { TEST_VA + PAGE },
        { TEST_VA + tib + apart + PAGE, 126 * tib + PAGE },  /* above range A: in B */
        { TEST_VA + tib + apart + MIB16 + PAGE },
        { 126 * tib - apart - PAGE, TEST_VA + tib - PAGE },  /* below range B: in A */
        { TEST_VA - apart - PAGE, 128 * tib - PAGE },        /* below range A: in B */
        { TEST_VA - apart - MIB16 - PAGE },
        { TEST_VA + MIB16 + PAGE },
    };
    static u64 root[512] ALIGNED(4096);
    static u8 data[PLACES][2][PAGE] ALIGNED(4096);
    ulong was = read_cr3();
    u32 bad = 0;

    for (unsigned i = 0; i < 512; i++) { /* the image and ring 0 */
        root[i] = i == 0 ? ((u64 *)(was & ~0xffful))[0] : 0;
    }
    map_page(root, TEST_VA, frame[0]);
    for (unsigned i = 0; i < PLACES; i++) {
        for (unsigned k = 0; k < 2 && place[i][k]; k++) {
            map_page(root, place[i][k], data[i][k]);
        }
    }
    write_cr3((ulong)root);
    PUT(frame[0], 0xbe, N & 255, N >> 8, 0, 0, 0x31, 0xc0, 0x31, 0xc9, /* esi = N, eax = ecx = 0 */
        0x03, 0x04, 0x8f, 0x89, 0x04, 0x8f, /* add eax,[rdi+rcx*4]; mov [rdi+rcx*4],eax */
        0x48, 0xff, 0xc1, 0x48, 0x39, 0xf1, 0x75, 0xf2, 0xcd, 0x40); /* inc rcx; cmp rcx,rsi; jne */
    PUT(frame[0] + 0x40, 0xbe, N & 255, N >> 8, 0, 0, 0x31, 0xc0,
        0x03, 0x07, 0x89, 0x07, 0x48, 0x83, 0xc7, 4, /* add eax,[rdi]; mov [rdi],eax; add rdi,4 */
        0x48, 0xff, 0xce, 0x75, 0xf3, 0xcd, 0x40); /* dec rsi; jnz; int 40H */
    memcpy(frame[0] + 0x80, frame[0], 0x80); /* for far ones alone */
    for (u32 i = 0; i < 1200; i++) {
        /* a hot loop is made for what it has seen: near ones, then far ones, then by turns */
        u32 n = i < 400 ? i % 7 == 0 : i < 800 ? i % 7 != 0 : i & 1;
        n = n ? 1 + i / 7 % (PLACES - 1) : 0;
        u32 *d = (u32 *)data[n][0] + i % STARTS, sum = 0;
        for (u32 k = 0; k < N; k++) {
            d[k] = i * 7919 + k;
        }
        u64 end = run_user((void *)(TEST_VA + (i & 2 ? 0 : 0x40) + (n && i & 4 ? 0x80 : 0)),
                           place[n][0] + 4 * (i % STARTS), 0);
        for (u32 k = 0; k < N; k++) {
            sum += i * 7919 + k;
            bad += d[k] != sum;
        }
        bad += end != NONE || (u32)user_value != sum;
    }
    check("loops over near and far memory by turns", bad, 0);
    write_cr3(was);
}

/* A loop that adds a stride to its pointer, and to FS's base: after many calls in which that was
 * some bytes it is 40,000, or 42 TiB, or what leads, with 36 GiB of margins, from one stretch
 * that an engine maps to the page in the other that is at last named. */
static void strides(void)
{
    enum { PLACES = 16, FS_BASE = 0xc0000100 };
    const long tib = 1l << 40, far = 42 * tib, some = 40000;
    const long above = tib + (72l << 30), below = -(72l << 30) - 32 * PAGE;
    const ulong start = TEST_VA + 16 * PAGE;
    static struct { ulong from, by; u32 rounds; } arg USER_DATA;
    static u64 root[512] ALIGNED(4096);
    static u8 data[PLACES][PAGE] ALIGNED(4096);
    const ulong place[PLACES] = { start, start + some, start + 2 * some, start + 3 * some,
                                  start + far, start + 2 * far, start + 3 * far, start + 2048 + some,
                                  start + above, start + 2 * above, start + 3 * above,
                                  start + below, start + 2 * below, start + 3 * below,
                                  126 * tib + 16 * PAGE, 128 * tib - 16 * PAGE };
    enum { WAYS = 8 };
    static const struct { long by; u32 rounds; } way[WAYS] = {
        { 4, 300 }, { -4, 300 }, { 8, 150 }, { 0, 50 }, { some, 1 }, { far, 1 }, { above, 1 },
        { below, 1 },
    };
    ulong was = read_cr3();
    u32 bad = 0;

    root[0] = ((u64 *)(was & ~0xffful))[0]; /* the image and ring 0 */
    map_page(root, TEST_VA, frame[0]);
    for (unsigned i = 0; i < PLACES; i++) {
        map_page(root, place[i], data[i]);
        for (unsigned k = 0; k < PAGE / 4; k++) {
            ((u32 *)data[i])[k] = 0x9e3779b1u * (k + 1024 * i + 1);
        }
    }
    write_cr3((ulong)root);
    PUT(frame[0], 0x48, 0x8b, 0x77, 8, 0x8b, 0x4f, 16, /* mov rsi,[rdi+8]; mov ecx,[rdi+16] */
        0x48, 0x8b, 0x3f, 0x31, 0xc0, 0xeb, 0,         /* mov rdi,[rdi]; xor eax,eax; jmp */
        0x03, 0x07, 0x03, 0x04, 0x37,                  /* add eax,[rdi]; add eax,[rdi+rsi] */
        0x48, 0x8d, 0x3c, 0x77, 0x03, 0x07,            /* lea rdi,[rdi+rsi*2]; add eax,[rdi] */
        0x48, 0x01, 0xf7, 0x03, 0x07,                  /* add rdi,rsi; add eax,[rdi] */
        0x64, 0x03, 0x06,                              /* add eax,fs:[rsi] */
        0xff, 0xc9, 0x75, 0xe9, 0xcd, 0x40);           /* dec ecx; jnz; int 40H */
    memcpy(frame[0] + 0x80, frame[0], 0x80);
    for (u32 i = 0; i < 1500; i++) {
        u32 w = i % 50 < 2 ? 3 : i % 500 < 300 ? i % 500 / 100 : i % WAYS, sum = 0;
        arg.from = start + (way[w].by == -4 ? PAGE - 8 : i % 8 * 4);
        if (w == 3) { /* the last two pages, by code of their own */
            arg.from = place[PLACES - 1 - i % 2];
        }
        arg.by = way[w].by;
        arg.rounds = way[w].rounds;
        ulong p = arg.from;
        for (u32 n = 0; n < arg.rounds; n++) {
            for (unsigned k = 0; k < 5; k++) {
                ulong at = k < 4 ? p + k * arg.by : start + 2048 + arg.by;
                for (unsigned j = 0; j < PLACES; j++) {
                    if (at >> 12 == place[j] >> 12) {
                        sum += *(u32 *)(data[j] + (at & 4095));
                    }
                }
            }
            p += 3 * arg.by;
        }
        wrmsr(FS_BASE, start + 2048); /* the way back loads FS */
        u64 end = run_user((void *)(TEST_VA + (w == 3 ? 0x80 : 0)), (ulong)&arg, 0);
        bad += end != NONE || (u32)user_value != sum;
    }
    check("pointers with small strides and large ones", bad, 0);
    wrmsr(FS_BASE, 0);
    write_cr3(was);
}

/* Runs off the lower half: #GP, whatever lies at the address cut to 48 bits. */
static void edge(void)
{
    extern u64 pml4[];
    ulong last = 0x7ffffffff000;
    u64 want = ERR(GP, 0);
    u32 bad = 0, bad2 = 0;

    map_last();
    pml4[256] = (ulong)t_pdpt | 7; /* at the edge: page 0 */
    memset(frame[4], 0x90, PAGE);
    PUT(frame[0], 0xc3);
    place(5, frame[0]);
    place(4, frame[4]);
    write_cr3(read_cr3());
    for (u32 i = 0; i < 300; i++) {
        bad2 += run_user((void *)(TEST_VA + 5 * PAGE - 8), 0, 0) != NONE;
        u64 got = run_user((void *)(last + PAGE - 8), 0, 0);
        bad += got != want || trap.ip != last + PAGE;
    }
    check("runs into the next page", bad2, 0);
    check("runs off the lower half", bad, 0);
    pml4[255] = pml4[256] = 0;
    write_cr3(read_cr3());
}

/* ---- flags where a trace is left by a return ---- */

enum { EXITS = 9, BY_LOGIC = 1 << 2 | 1 << 3 | 1 << 7 | 1 << 8 /* they leave AF undefined */ };

/* What LAHF and SETO give behind the code of callee k, in CX and DI's values. */
static u32 flags_behind(unsigned k, u32 c, u32 d)
{
    u32 f = 0, t = k == 2 ? d : c;
    u64 wide = (u64)(long)(int)c;

#define SEE(code, ...) \
    __asm__ volatile(code "; lahf; seto %%al; movzwl %%ax,%0" : "=&a"(f), "+r"(t), "+r"(wide) \
                     : "r"(c), "r"(d) : "cc")
    switch (k) {
    case 1:
    case 6: SEE("cmp %4,%3"); break;
    case 2: SEE("or %3,%1"); break;
    case 3: SEE("test %3,%3"); break;
    case 4: SEE("add $0x3fffff01,%1"); break;
    case 5: SEE("sub $-127,%2"); break;
    case 7: SEE("xor $0x55,%1"); break;
    default: SEE("test $0xff00,%3");
    }
#undef SEE
    return f;
}

/* At offset `at`: a loop that calls a function at one place, at times at another, which takes
 * the flags that it returns with. */
static void flags_loop(ulong at, u32 mask, const u8 *callee, unsigned len)
{
    put(frame[1] + at, callee, len);
    u8 *p = PUT(frame[0] + at, 0x45, 0x31, 0xc0,             /* xor r8d,r8d */
                0x69, 0xcf, 0xb1, 0x79, 0x37, 0x9e, 0x89, 0xca, /* imul ecx,edi; mov edx,ecx */
                0xc1, 0xea, 29, 0x0f, 0x84);        /* shr edx,29; jz to the other place */
    u8 *other = p;

    p += 4;
    for (unsigned i = 0; i < 2; i++) {
        p = PUT(p, 0xe8);
        p = put_rel(p, p - frame[0], PAGE + at);
        p = i ? PUT(p, 0x9f, 0x0f, 0x90, 0xc0) /* lahf; seto al */
              : PUT(p, 0x31, 0xc0);            /* xor eax,eax */
        p = put32(PUT(p, 0x25), mask);         /* and eax,mask */
        p = PUT(p, 0x45, 0x6b, 0xc0, 31 + 2 * i, 0x41, 0x01, 0xc0, 0xff, 0xcf, 0x0f, 0x85);
        p = put_rel(p, p - frame[0], at + 3);  /* r8d = r8d*n + eax; dec edi; jnz */
        p = PUT(p, 0x44, 0x89, 0xc0, 0xc3);    /* mov eax,r8d; ret */
        if (i == 0) {
            put_rel(other, other - frame[0], p - frame[0]);
        }
    }
}

static void flags_at_exits(void)
{
    static const struct {
        u8 n, code[12];
    } callee[EXITS] = {
        { 11, { 0x53, 0x48, 0x83, 0xec, 24,            /* push rbx; sub rsp,24 */
                0x48, 0x83, 0xc4, 24, 0x5b, 0xc3 } },  /* add rsp,24; pop rbx */
        { 5, { 0x53, 0x39, 0xf9, 0x5b, 0xc3 } },       /* push rbx; cmp ecx,edi; pop rbx */
        { 5, { 0x89, 0xfa, 0x09, 0xca, 0xc3 } },       /* mov edx,edi; or edx,ecx */
        { 3, { 0x85, 0xc9, 0xc3 } },                   /* test ecx,ecx */
        { 9, { 0x89, 0xca, 0x81, 0xc2, 1, 0xff, 0xff, 0x3f, 0xc3 } }, /* add edx,3FFFFF01H */
        { 8, { 0x48, 0x63, 0xd1, 0x48, 0x83, 0xea, 0x81, 0xc3 } },    /* sub rdx,-127 */
        { 5, { 0x5a, 0x39, 0xf9, 0xff, 0xe2 } },       /* pop rdx; cmp ecx,edi; jmp rdx */
        { 8, { 0x89, 0xca, 0x83, 0xf2, 0x55, 0x53, 0x5b, 0xc3 } },    /* xor edx,55H */
        { 7, { 0xf7, 0xc1, 0, 0xff, 0, 0, 0xc3 } },    /* test ecx,0FF00H */
    };

    for (unsigned k = 0; k < EXITS; k++) {
        u32 mask = BY_LOGIC >> k & 1 ? 0xc501 : 0xd501, bad = 0;
        for (unsigned at = 0; at < PAGE; at += 256) { /* which block is hot first is chance */
            flags_loop(at, mask, callee[k].code, callee[k].n);
            u32 n8 = 1; /* the first time, at the other place, and times 31 after that */
            while (n8 * 0x9e3779b1u >> 29) {
                n8++;
            }
            u32 sp_flags = run_at(at, n8);
            for (u32 i = 1; i < n8; i++) {
                sp_flags *= 3186588639u; /* 31 times this is 1 */
            }
            for (u32 n = 1; n < 400; n += 9) {
                u32 want = 0;
                for (u32 d = n; d; d--) {
                    u32 c = d * 0x9e3779b1u, f = k == 0 ? sp_flags : flags_behind(k, c, d);
                    want = c >> 29 ? want * 31 : want * 33 + (f & mask);
                }
                bad += (u32)run_at(at, n) != want;
            }
        }
        checkf(bad, 0, "flags behind a return, way %d%s", k,
               base == TEST_VA ? "" : ", low");
    }
}

/* The same below 2 GiB, where a trace may take its address for sure. */
static void at_low_address(void)
{
    extern u64 pml4[];
    u64 *pdpt = (u64 *)(pml4[0] & ~4095ul), was = pdpt[1];

    pdpt[1] = (ulong)t_pd | 7;
    write_cr3(read_cr3());
    base = 1ul << 30;
    flags_at_exits();
    base = TEST_VA;
    pdpt[1] = was;
    write_cr3(read_cr3());
}

void hot_code(void)
{
    extern u64 pml4[];

    test_map();
    for (unsigned i = 0; i < 6; i++) {
        memset(frame[i], 0xcc, PAGE);
        place(i, frame[i]);
    }
    many_exits();
    flags_at_exits();
    at_low_address();
    patched(0, "same page");
    patched(1, "another page");
    twice();
    exchange(0, false);
    exchange(0, true);
    pml4[256] = (ulong)t_pdpt | 7;
    write_cr3(read_cr3());
    exchange(0xffff800000000000ul - TEST_VA, false);
    pml4[256] = 0;
    write_cr3(read_cr3());
    low_and_high();
    near_and_far();
    strides();
    edge();
    test_map();
}

/* SPDX-License-Identifier: MIT */
/*
 * INVLPG of any address in a page drops all of the page, of whatever size, for loads,
 * stores and code: SDM vol. 3, 4.10.4.1. Pages change at random; what is stale shows.
 */
#include "lib.h"
#include "paging.h"

enum { MIB2 = 1 << 21, SLOTS = 8, FRAMES = 8 };
#define FRAME(n) (0x1000000ul + (ulong)(n) * MIB2) /* 16 MiB on, mapped 1:1 too */

static u32 seed = 99;
static u32 rnd(u32 n)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}

/* Code and data that tell which frame they are in: MOV EAX, n; RET; then n. */
static void fill_frames(void)
{
    for (unsigned f = 0; f < FRAMES; f++) {
        for (unsigned off = 0; off < MIB2; off += 4096) {
            u8 *p = (u8 *)FRAME(f) + off;
            p[0] = 0xb8;
            *(u32 *)(p + 1) = f;
            p[5] = 0xc3;
            *(u32 *)(p + 8) = f;
        }
    }
}

static u32 look(ulong va, bool run)
{
    va &= ~4095ul;
    return run ? ((u32(*)(void))va)() : READ((u32 *)(va + 8));
}

static void flush_global(void)
{
    write_cr4(read_cr4() ^ 0x80);
    write_cr4(read_cr4() ^ 0x80);
}

static void large(const char *name, u64 bits, bool run)
{
    u32 bad = 0, now[SLOTS];

    for (unsigned s = 0; s < SLOTS; s++) {
        now[s] = s % FRAMES;
        t_pd[s] = FRAME(now[s]) | 0x83 | bits;
    }
    t_pdpt[0] = (ulong)t_pd | 7;
    flush_global();
    for (unsigned i = 0; i < 3000; i++) {
        unsigned s = rnd(SLOTS);
        ulong va = TEST_VA + (ulong)s * MIB2;
        if (rnd(2)) {
            now[s] = rnd(FRAMES);
            t_pd[s] = FRAME(now[s]) | 0x83 | bits;
            invlpg((void *)(va + rnd(MIB2)));
        }
        bad += look(va + rnd(MIB2), run) != now[s];
        s = rnd(SLOTS);
        bad += look(TEST_VA + (ulong)s * MIB2 + rnd(MIB2), rnd(2)) != now[s];
    }
    checkf(bad, 0, "2 MiB pages, %s, %s", name, run ? "code" : "data");
}

/* One 1 GiB page, then a table of 2 MiB ones with the frames the other way round. */
static void huge(u64 bits, bool run)
{
    u32 bad = 0;

    for (unsigned s = 0; s < 512; s++) {
        t_pd[s] = FRAME((s + 3) % FRAMES) | 0x87 | bits;
    }
    t_pdpt[0] = (ulong)t_pd | 7;
    flush_global();
    for (unsigned i = 0; i < 300; i++) {
        bool one = i & 1;
        t_pdpt[0] = one ? 0x87 | bits : (ulong)t_pd | 7;
        /* the 1 GiB page goes as a whole; the others one by one */
        for (unsigned s = 0; s < (one ? 16u : 1u); s++) {
            invlpg((void *)(TEST_VA + (one ? s * MIB2 : rnd(1u << 30))));
        }
        unsigned s = 8 + rnd(8);
        u32 want = one ? s - 8 : (s + 3) % FRAMES;
        bad += look(TEST_VA + (ulong)s * MIB2 + rnd(MIB2), run) != want;
    }
    checkf(bad, 0, "a 1 GiB page and 2 MiB pages, %s", run ? "code" : "data");
}

/* Half of a 2 MiB region in 4 KiB pages, then the region as one page, and back. */
static void split(bool run)
{
    u32 bad = 0, now[512];

    for (unsigned p = 0; p < 512; p++) {
        now[p] = p % FRAMES;
        t_pt[p] = (FRAME(now[p]) + p * 4096) | 3;
    }
    t_pdpt[0] = (ulong)t_pd | 7;
    flush_global();
    for (unsigned i = 0; i < 2000; i++) {
        unsigned p = rnd(512);
        if (i % 100 == 50) {
            t_pd[0] = FRAME(5) | 0x83;
            write_cr3(read_cr3());
        } else if (i % 100 == 99) {
            t_pd[0] = (ulong)t_pt | 7;
            invlpg((void *)(TEST_VA + rnd(MIB2)));
        } else if (i % 100 < 50) {
            now[p] = rnd(FRAMES);
            t_pt[p] = (FRAME(now[p]) + p * 4096) | 3;
            t_pd[0] = (ulong)t_pt | 7;
            invlpg((void *)(TEST_VA + p * 4096 + rnd(4096)));
        }
        bool one = i % 100 >= 50 && i % 100 < 99;
        p = rnd(512);
        bad += look(TEST_VA + p * 4096, run) != (one ? 5 : now[p]);
    }
    checkf(bad, 0, "4 KiB pages and a 2 MiB page in turn, %s", run ? "code" : "data");
}

void flush_rules(void)
{
    test_map();
    fill_frames();
    for (unsigned run = 0; run < 2; run++) {
        large("kernel", 0, run);
        large("kernel, global", 0x100, run);
        large("user", 4, run);
        large("user, global", 0x104, run);
        if (cpuid(0x80000001, 0).d & 1 << 26) {
            huge(0, run);
            huge(0x100, run);
        }
        split(run);
    }
    test_map();
}

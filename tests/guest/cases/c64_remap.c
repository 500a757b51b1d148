/* SPDX-License-Identifier: MIT */
/*
 * User memory whose entries change, one field of one level at a time, between two stays at
 * CPL 3; CR3 is loaded in between (SDM vol. 3, 4.10.4.1). In the top of the lower half, where
 * dyad's windows lie (docs/windows.md): what it holds mapped there is compared with the tables.
 */
#include "lib.h"
#include "paging.h"

#define VA 0x7e0000000000ul /* PML4 slot 252 */
#define BIG 0x1000000ul     /* frames of 2 MiB pages, mapped 1:1 too */
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, ALL = P | W | U, PAGES = 8 };
#define NX (1ull << 63)

extern u64 pml4[];
static u64 t_pd2[512] ALIGNED(4096), t_pt2[512] ALIGNED(4096);
static u8 frames[2 * PAGES][4096] ALIGNED(4096);

USER static u32 load(u32 *p)
{
    return READ(p);
}
USER static void store(u32 *p)
{
    WRITE(p + 1, 5);
}
/* All pages are mapped to be stored to, where an emulator keeps them so. */
USER static void touch(u32 *p)
{
    for (unsigned k = 0; k < 3; k++) {
        for (unsigned i = 0; i < PAGES; i++) {
            WRITE(p + i * 1024 + 1, READ(p + i * 1024));
        }
    }
}

static void map(bool large)
{
    for (unsigned i = 0; i < PAGES; i++) {
        *(u32 *)frames[i] = 1;
        *(u32 *)frames[PAGES + i] = 2;
        t_pt[i] = (ulong)frames[i] | ALL;
        t_pt2[i] = (ulong)frames[PAGES + i] | ALL;
        *(u32 *)(BIG + i * 4096ul) = 3;
        *(u32 *)(BIG + 0x200000 + i * 4096ul) = 4;
    }
    t_pd[0] = large ? BIG | PS | ALL : (ulong)t_pt | ALL;
    t_pd2[0] = (ulong)t_pt2 | ALL;
    t_pdpt[0] = (ulong)t_pd | ALL;
    pml4[252] = (ulong)t_pdpt | ALL;
    write_cr3(read_cr3());
}

typedef struct Change {
    const char *name;
    u64 *entry, clear, set;
    u64 load, store; /* traps */
    u32 value;       /* what is loaded */
} Change;

static void one(const Change *c, bool large, unsigned round)
{
    ulong va = VA + (round % PAGES) * 4096ul;
    u64 *entry = c->entry == t_pt ? t_pt + round % PAGES : c->entry;

    map(large);
    run_user((void *)touch, VA, 0);
    run_user((void *)touch, VA, 0);
    write_cr3(read_cr3()); /* nothing has changed */
    run_user((void *)touch, VA, 0);
    u64 was = *entry;
    *entry = (was & ~c->clear) | c->set;
    write_cr3(read_cr3());
    u64 got = run_user((void *)load, va, 0);
    checkf(got, c->load, "%s: load", c->name);
    if (c->load == NONE) {
        checkf((u32)user_value, c->value, "%s: value", c->name);
        checkf(*entry & A, A, "%s: accessed", c->name);
    }
    got = run_user((void *)store, va, 0);
    checkf(got, c->store, "%s: store", c->name);
    if (c->clear == D && c->store == NONE) {
        checkf(*entry & D, D, "%s: dirty", c->name);
    }
    *entry = was; /* and back */
    write_cr3(read_cr3());
    checkf(run_user((void *)store, va, 0), NONE, "%s: back", c->name);
    checkf(run_user((void *)load, va, 0) << 32 | (u32)user_value, NONE << 32 | (large ? 3 : 1),
           "%s: value when back", c->name);
}

static void keys(void)
{
    Change c = { "key 1, which PKRU forbids", t_pt, 0, 1ull << 59, ERR(PF, 0x25), ERR(PF, 0x27), 0 };

    if (!(cpuid(7, 0).c & 8)) {
        skip(c.name, "no protection keys");
        return;
    }
    write_cr4(read_cr4() | 1ul << 22);
    asm volatile(".byte 0x0f, 0x01, 0xef" ::"a"(4), "c"(0), "d"(0) : "memory"); /* WRPKRU */
    one(&c, false, 3);
    asm volatile(".byte 0x0f, 0x01, 0xef" ::"a"(0), "c"(0), "d"(0) : "memory");
    write_cr4(read_cr4() & ~(1ul << 22));
}

/* A 2 MiB page with a hole in its midst: RAM at both ends, the VGA's frame buffer (or
 * what else CPL 0 finds there) between them. */
static void hole(void)
{
    volatile u32 *vga = (volatile u32 *)0xb8004; /* mapped 1:1 */
    u32 was = *vga;

    *vga = ~was;
    bool stays = *vga == was;
    *vga = was;
    map(true);
    t_pd[0] = PS | ALL;
    write_cr3(read_cr3());
    for (unsigned i = 0; i < 3; i++) {
        checkf(run_user((void *)load, VA + 0x1000, 0), NONE, "2 MiB page with a hole: load");
        checkf(run_user((void *)store, VA + 0xb8000, 0), NONE, "2 MiB page with a hole: store");
    }
    checkf(run_user((void *)load, VA + 0xb8004, 0) << 32 | (u32)user_value, NONE << 32 | *vga,
           "2 MiB page with a hole: CPL 3 and CPL 0 see the same");
    checkf(*vga, stays ? was : 5, "2 MiB page with a hole: stored");
    *vga = was;
}

void user_remap(void)
{
    const u64 rsvd = 1ull << 51; /* MAXPHYADDR is less everywhere that these run */
    const Change small[] = {
        { "PTE: frame", t_pt, ~0xfffull, BIG, NONE, NONE, 3 },
        { "PTE: R/W", t_pt, W, 0, NONE, ERR(PF, 7), 1 },
        { "PTE: U/S", t_pt, U, 0, ERR(PF, 5), ERR(PF, 7), 0 },
        { "PTE: P", t_pt, P, 0, ERR(PF, 4), ERR(PF, 6), 0 },
        { "PTE: A", t_pt, A, 0, NONE, NONE, 1 },
        { "PTE: D", t_pt, D, 0, NONE, NONE, 1 },
        { "PTE: reserved bit", t_pt, 0, rsvd, ERR(PF, 13), ERR(PF, 15), 0 },
        { "PDE: R/W", t_pd, W, 0, NONE, ERR(PF, 7), 1 },
        { "PDE: U/S", t_pd, U, 0, ERR(PF, 5), ERR(PF, 7), 0 },
        { "PDE: P", t_pd, P, 0, ERR(PF, 4), ERR(PF, 6), 0 },
        { "PDE: A", t_pd, A, 0, NONE, NONE, 1 },
        { "PDE: reserved bit", t_pd, 0, rsvd, ERR(PF, 13), ERR(PF, 15), 0 },
        { "PDE: another table", t_pd, ~0xfffull, (ulong)t_pt2, NONE, NONE, 2 },
        { "PDE: a page of 2 MiB", t_pd, ~0xfffull, BIG | PS, NONE, NONE, 3 },
        { "PDPTE: R/W", t_pdpt, W, 0, NONE, ERR(PF, 7), 1 },
        { "PDPTE: U/S", t_pdpt, U, 0, ERR(PF, 5), ERR(PF, 7), 0 },
        { "PDPTE: another table", t_pdpt, ~0xfffull, (ulong)t_pd2, NONE, NONE, 2 },
        { "PDPTE: A", t_pdpt, A, 0, NONE, NONE, 1 },
        { "PML4E: R/W", pml4 + 252, W, 0, NONE, ERR(PF, 7), 1 },
        { "PML4E: U/S", pml4 + 252, U, 0, ERR(PF, 5), ERR(PF, 7), 0 },
        { "PML4E: P", pml4 + 252, P, 0, ERR(PF, 4), ERR(PF, 6), 0 },
        { "PML4E: PS is reserved", pml4 + 252, 0, PS, ERR(PF, 13), ERR(PF, 15), 0 },
    };
    const Change large[] = {
        { "2 MiB page: frame", t_pd, ~0xfffull, BIG + 0x200000, NONE, NONE, 4 },
        { "2 MiB page: R/W", t_pd, W, 0, NONE, ERR(PF, 7), 3 },
        { "2 MiB page: U/S", t_pd, U, 0, ERR(PF, 5), ERR(PF, 7), 0 },
        { "2 MiB page: P", t_pd, P, 0, ERR(PF, 4), ERR(PF, 6), 0 },
        { "2 MiB page: A", t_pd, A, 0, NONE, NONE, 3 },
        { "2 MiB page: D", t_pd, D, 0, NONE, NONE, 3 },
        { "2 MiB page: reserved bit", t_pd, 0, 1 << 13, ERR(PF, 13), ERR(PF, 15), 0 },
        { "2 MiB page: a table", t_pd, ~0xfffull | PS, (ulong)t_pt, NONE, NONE, 1 },
        { "2 MiB page: PDPTE's R/W", t_pdpt, W, 0, NONE, ERR(PF, 7), 3 },
    };

    for (unsigned i = 0; i < COUNT(small); i++) {
        one(&small[i], false, i);
    }
    for (unsigned i = 0; i < COUNT(large); i++) {
        one(&large[i], true, i);
    }
    hole();
    u64 efer = rdmsr(0xc0000080);
    wrmsr(0xc0000080, efer & ~0x800ull);
    one(&(Change){ "PTE: XD without EFER.NXE", t_pt, 0, NX, ERR(PF, 13), ERR(PF, 15), 0 }, false, 1);
    wrmsr(0xc0000080, efer | 0x800);
    one(&(Change){ "PTE: XD with EFER.NXE", t_pt, 0, NX, NONE, NONE, 1 }, false, 1);
    wrmsr(0xc0000080, efer);
    keys();
    pml4[252] = 0;
    test_map();
}

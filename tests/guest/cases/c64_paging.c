/* SPDX-License-Identifier: MIT */
/*
 * Four-level paging: SDM vol. 3, 4.5-4.8, 4.10, 4.12. The rights of a page are computed
 * here once more, from the manual's text, for random and for all simple combinations.
 */
#include "lib.h"
#include "paging.h"

u64 t_pdpt[512] ALIGNED(4096), t_pd[512] ALIGNED(4096), t_pt[512] ALIGNED(4096);
u8 t_page[4096] ALIGNED(4096), t_page2[4096] ALIGNED(4096);
extern u64 pml4[];

void test_map(void)
{
    memset(t_pdpt, 0, 4096);
    memset(t_pd, 0, 4096);
    memset(t_pt, 0, 4096);
    memset(t_page, 0xc3, 4096);
    memset(t_page2, 0xc3, 4096);
    pml4[2] = (ulong)t_pdpt | 7;
    t_pdpt[0] = (ulong)t_pd | 7;
    t_pd[0] = (ulong)t_pt | 7;
    t_pt[0] = (ulong)t_page | 7;
    t_pt[1] = (ulong)t_page2 | 7;
    write_cr3(read_cr3());
}

enum { RD, WR, FETCH };

USER static u32 user_read(u32 *p)
{
    return READ(p);
}
USER static void user_write(u32 *p)
{
    WRITE(p, 0xc3c3c3c3u);
}
USER static void user_fetch(void (*p)(void))
{
    p();
}

static u64 access_page(unsigned kind, bool user, ulong va, bool ac)
{
    if (user) {
        void *fn = kind == RD   ? (void *)user_read
                   : kind == WR ? (void *)user_write
                                : (void *)user_fetch;
        return run_user(fn, va, 0);
    }
    if (ac) {
        asm volatile("stac" ::: "memory");
    }
    switch (kind) {
    case RD: asm volatile(TRY "mov (%0), %%eax" END ::"r"(va) : "memory", "rax"); break;
    case WR: asm volatile(TRY "movl $0xc3c3c3c3, (%0)" END ::"r"(va) : "memory"); break;
    default: asm volatile(TRY "call *%0" END ::"r"(va) : "memory");
    }
    if (ac) {
        asm volatile("clac" ::: "memory");
    }
    return caught();
}

/* ---- the model ---- */

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80 };
#define NX (1ull << 63)

typedef struct Setup {
    bool wp, nxe, smep, smap, ac, pke, ad, wd;
    u64 pde, pte, rsvd; /* rsvd: the bits reserved whatever the mode */
    unsigned kind;
    bool user;
} Setup;

static u64 expected(const Setup *s)
{
    bool fetch = s->kind == FETCH, write = s->kind == WR, large = s->pde & PS;
    u32 err = (write ? 2 : 0) | (s->user ? 4 : 0) |
              (fetch && (s->nxe || s->smep) ? 16 : 0);
    u64 rsvd = s->rsvd | (s->nxe ? 0 : NX);

    if (!(s->pde & P) || (!(s->pde & rsvd) && !large && !(s->pte & P))) {
        return ERR(PF, err);
    }
    if (s->pde & rsvd || (large && s->pde & 1ull << 13) || (!large && s->pte & rsvd)) {
        return ERR(PF, err | 9);
    }
    u64 both = large ? s->pde : s->pde & s->pte;
    bool nx = (s->pde | (large ? 0 : s->pte)) & NX, up = both & U, wr = both & W;
    bool bad;
    if (s->user) {
        bad = !up || (write && !wr) || (fetch && nx);
    } else if (fetch) {
        bad = nx || (up && s->smep);
    } else {
        bad = (up && s->smap && !s->ac) || (write && !wr && s->wp);
    }
    if (up && !fetch && s->pke && (s->ad || (s->wd && write && (s->user || s->wp)))) {
        bad = true;
        err |= 32;
    }
    return bad ? ERR(PF, err | 1) : NONE;
}

static ulong cr4_of(const Setup *s, ulong cr4)
{
    cr4 &= ~(1ul << 20 | 1ul << 21 | 1ul << 22);
    return cr4 | (ulong)s->smep << 20 | (ulong)s->smap << 21 | (ulong)s->pke << 22;
}

static void write_pkru(u32 v)
{
    asm volatile(".byte 0x0f, 0x01, 0xef" ::"a"(v), "c"(0), "d"(0) : "memory");
}

static bool has_pku, has_smep, has_smap;

typedef struct Tally {
    u32 runs, bad;
} Tally;

/* One access under one setup; prints the first failures. */
static void one(const Setup *s, Tally *t)
{
    ulong cr0 = read_cr0(), cr4 = read_cr4();
    u64 efer = rdmsr(0xc0000080), want = expected(s), got;
    u64 key = 1ull << 59;

    t_pd[0] = s->pde | (s->pde & PS ? 0x1000000 | key : (ulong)t_pt);
    t_pt[0] = s->pte | (ulong)t_page | key;
    u64 pde = t_pd[0], pte = t_pt[0];
    wrmsr(0xc0000080, s->nxe ? efer | 0x800 : efer & ~0x800ull);
    write_cr0(s->wp ? cr0 | 0x10000 : cr0 & ~0x10000ul);
    ulong new4 = cr4_of(s, cr4);
    if (new4 != cr4) {
        write_cr4(new4);
    }
    if (s->pke) {
        write_pkru((s->ad ? 4 : 0) | (s->wd ? 8 : 0));
    }
    invlpg((void *)TEST_VA);
    got = access_page(s->kind, s->user, TEST_VA, s->ac && s->smap);
    u64 cr2 = trap.cr2;
    if (s->pke) {
        write_pkru(0);
    }
    if (new4 != cr4) {
        write_cr4(cr4);
    }
    write_cr0(cr0);
    wrmsr(0xc0000080, efer);
    bool ok = got == want && (want == NONE || cr2 == TEST_VA);
    /* accessed and dirty bits: set by a success, not in the leaf by a fault */
    u64 *leaf = pde & PS ? t_pd : t_pt, old = pde & PS ? pde : pte;
    if (want == NONE) {
        ok = ok && *leaf == (old | A | (s->kind == WR ? D : 0));
        ok = ok && t_pd[0] & A;
    } else {
        ok = ok && (*leaf & ~(u64)A) == (old & ~(u64)A) && (*leaf == old || pde & PS);
    }
    t->runs++;
    if (!ok && t->bad++ < 3) {
        print(
            "# pde %X pte %X %s %s wp%d nxe%d smep%d smap%d ac%d pke%d ad%d wd%d: want %X got "
            "%X, then pde %X pte %X cr2 %X\n",
            pde, pte, s->user ? "user" : "kernel",
            s->kind == RD   ? "read"
            : s->kind == WR ? "write"
                            : "fetch",
            s->wp, s->nxe, s->smep, s->smap, s->ac, s->pke, s->ad, s->wd, want, got,
            t_pd[0], t_pt[0], cr2);
    }
}

static const char *const kinds[] = { "read", "write", "fetch" };
static u32 seed = 12345;

static u32 rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static void features(void)
{
    Cpuid c = cpuid(7, 0);
    has_smep = c.b >> 7 & 1;
    has_smap = c.b >> 20 & 1;
    has_pku = c.c >> 3 & 1;
}

/* Every combination of the leaf's and the directory's rights in one mode. */
static void rights(const char *mode, const Setup *base, u64 pde_bits)
{
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            Tally t = { 0, 0 };
            for (unsigned m = 0; m < 64; m++) {
                Setup s = *base;
                s.user = user;
                s.kind = kind;
                s.pte = (m & 1 ? P : 0) | (m & 2 ? W : 0) | (m & 4 ? U : 0) |
                        (m & 8 ? NX : 0);
                s.pde = P | (m & 16 ? W : 0) | (m & 32 ? U : 0) | pde_bits;
                if (pde_bits & PS) {
                    s.pde = (s.pde & ~7ull) | (s.pte & (7 | NX)) | PS;
                }
                one(&s, &t);
            }
            checkf(t.bad, 0, "%s, %s %s: 64 combinations of rights", mode,
                   user ? "user" : "kernel", kinds[kind]);
        }
    }
}

void page_rights(void)
{
    test_map();
    features();
    memset((void *)0x1000000, 0xc3, 4096);
    Setup s = { .wp = true, .nxe = true };
    rights("WP 1", &s, 0);
    s.wp = false;
    rights("WP 0", &s, 0);
    s.nxe = false;
    rights("NXE 0", &s, 0);
    s = (Setup){ .wp = true, .nxe = true };
    rights("2 MiB page", &s, PS);
    if (has_smep) {
        s = (Setup){ .wp = true, .nxe = true, .smep = true };
        rights("SMEP", &s, 0);
        s.nxe = false;
        rights("SMEP, NXE 0", &s, 0);
    } else {
        skip("SMEP", "CPUID has none");
    }
    if (has_smap) {
        s = (Setup){ .wp = true, .nxe = true, .smap = true };
        rights("SMAP, AC 0", &s, 0);
        s.ac = true;
        rights("SMAP, AC 1", &s, 0);
        s.ac = false;
        s.wp = false;
        rights("SMAP, WP 0", &s, 0);
    } else {
        skip("SMAP", "CPUID has none");
    }
    if (has_pku) {
        s = (Setup){ .wp = true, .nxe = true, .pke = true };
        rights("PKE, no bit", &s, 0);
        s.ad = true;
        rights("PKE, AD", &s, 0);
        s.ad = false;
        s.wd = true;
        rights("PKE, WD", &s, 0);
        s.wp = false;
        rights("PKE, WD, WP 0", &s, 0);
    } else {
        skip("PKU", "CPUID has none");
    }
    test_map();
}

void page_random(void)
{
    Tally t[6] = { { 0, 0 } };
    u32 bits = cpuid(0x80000008, 0).a & 0xff;
    u64 high = bits < 52 ? 1ull << 51 : 0;

    test_map();
    features();
    for (u32 i = 0; i < 6000; i++) {
        u32 r = rnd();
        Setup s = { .wp = r & 1,
                    .nxe = (r & 6) != 0,
                    .smep = has_smep && r & 8,
                    .smap = has_smap && r & 16,
                    .ac = r & 32,
                    .pke = has_pku && r & 64,
                    .ad = (r & 0x180) == 0x180,
                    .wd = r & 0x200,
                    .rsvd = high };
        r = rnd();
        s.pde = (r & 7 ? P : 0) | (r & 0x18 ? W : 0) | (r & 0x60 ? U : 0) |
                (r & 0x80 ? A : 0) | ((r & 0x700) == 0x100 ? NX : 0) |
                ((r & 0x3800) == 0x800 ? PS : 0) | ((r & 0x3c000) == 0x4000 ? high : 0);
        if (s.pde & PS && r & 0x40000) {
            s.pde |= r & 0x80000 ? 0x2000 : D;
        }
        r = rnd();
        s.pte = (r & 7 ? P : 0) | (r & 0x18 ? W : 0) | (r & 0x60 ? U : 0) |
                (r & 0x80 ? A : 0) | ((r & 0x700) == 0x100 ? NX : 0) |
                (r & 0x800 ? D : 0) | ((r & 0x3c000) == 0x4000 ? high : 0);
        r = rnd();
        s.kind = r % 3;
        s.user = r & 0x100;
        one(&s, &t[s.kind + 3 * s.user]);
    }
    for (unsigned i = 0; i < 6; i++) {
        checkf(t[i].bad, 0, "%s %s: random tables and modes", i > 2 ? "user" : "kernel",
               kinds[i % 3]);
    }
    test_map();
}

/* ---- single rules ---- */

static u64 rd(ulong va)
{
    return access_page(RD, false, va, false);
}
static u64 wr(ulong va)
{
    return access_page(WR, false, va, false);
}

static void reserved(void)
{
    u32 bits = cpuid(0x80000008, 0).a & 0xff;

    test_map();
    pml4[2] |= 0x80;
    invlpg((void *)TEST_VA);
    check("PML4E with bit 7", rd(TEST_VA), ERR(PF, 9));
    test_map();
    if (cpuid(0x80000001, 0).d & 1 << 26) {
        t_pdpt[0] = 0x40002000 | 0x87;
        invlpg((void *)TEST_VA);
        check("1 GiB page with a reserved address bit", rd(TEST_VA), ERR(PF, 9));
        t_pdpt[0] = 0x87; /* physical 0: this image is in it */
        invlpg((void *)TEST_VA);
        WRITE((u32 *)t_page, 0x12345678);
        check("1 GiB page reads", READ((u32 *)(TEST_VA + (ulong)t_page)), 0x12345678);
        check("1 GiB page: A set", t_pdpt[0] & 0x60, 0x20);
        WRITE((u32 *)(TEST_VA + (ulong)t_page), 1);
        check("1 GiB page: D set", t_pdpt[0] & 0x60, 0x60);
    } else {
        t_pdpt[0] |= 0x80;
        invlpg((void *)TEST_VA);
        check("PDPTE with bit 7, no 1 GiB pages", rd(TEST_VA), ERR(PF, 9));
    }
    test_map();
    t_pd[0] = 0x1002000 | 0x87;
    invlpg((void *)TEST_VA);
    check("2 MiB page with bit 13", rd(TEST_VA), ERR(PF, 9));
    t_pd[0] = 0x1000000 | 0x1087;
    invlpg((void *)TEST_VA);
    check("2 MiB page with PAT", rd(TEST_VA), NONE);
    test_map();
    if (bits < 52) {
        pml4[2] |= 1ull << bits;
        invlpg((void *)TEST_VA);
        check("PML4E above MAXPHYADDR", rd(TEST_VA), ERR(PF, 9));
        test_map();
        t_pdpt[0] |= 1ull << 51;
        invlpg((void *)TEST_VA);
        check("PDPTE above MAXPHYADDR", rd(TEST_VA), ERR(PF, 9));
        test_map();
        t_pt[0] |= 1ull << bits;
        invlpg((void *)TEST_VA);
        check("PTE above MAXPHYADDR, write", wr(TEST_VA), ERR(PF, 11));
        test_map();
        ulong cr3 = read_cr3();
        asm volatile(TRY "mov %0, %%cr3" END ::"r"(cr3 | 1ull << 51) : "memory");
        check("CR3 above MAXPHYADDR", caught(), ERR(GP, 0));
    }
    t_pt[0] |= 0xe00ull | 0x7ffull << 52;
    invlpg((void *)TEST_VA);
    check("ignored bits of a PTE", rd(TEST_VA), NONE);
    pml4[2] = 0;
    invlpg((void *)TEST_VA);
    check("PML4E not present", rd(TEST_VA), ERR(PF, 0));
    test_map();
    t_pdpt[0] = 0;
    invlpg((void *)TEST_VA);
    check("PDPTE not present", wr(TEST_VA), ERR(PF, 2));
    test_map();
    t_pdpt[0] = ((ulong)t_pd | 7) & ~2ull;
    invlpg((void *)TEST_VA);
    check("PDPTE read-only", wr(TEST_VA), ERR(PF, 3));
    pml4[2] &= ~2ull;
    t_pdpt[0] |= 2;
    invlpg((void *)TEST_VA);
    check("PML4E read-only", wr(TEST_VA), ERR(PF, 3));
    test_map();
    pml4[2] |= NX;
    invlpg((void *)TEST_VA);
    check("PML4E execute-disable", access_page(FETCH, false, TEST_VA, 0), ERR(PF, 0x11));
    test_map();
}

static void crossing(void)
{
    test_map();
    t_pt[1] = 0;
    invlpg((void *)(TEST_VA + 4096));
    check("read across, second page missing", rd(TEST_VA + 4094), ERR(PF, 0));
    check("its CR2", trap.cr2, TEST_VA + 4096);
    memset(t_page, 0, 4096);
    check("write across, second page missing", wr(TEST_VA + 4094), ERR(PF, 2));
    check("its CR2 too", trap.cr2, TEST_VA + 4096);
    check("and the first page is not written", t_page[4094] | t_page[4095], 0);
    t_pt[0] = 0;
    t_pt[1] = (ulong)t_page2 | 7;
    invlpg((void *)TEST_VA);
    invlpg((void *)(TEST_VA + 4096));
    check("read across, first page missing", rd(TEST_VA + 4094), ERR(PF, 0));
    check("CR2 is the operand", trap.cr2, TEST_VA + 4094);
    t_pt[0] = (ulong)t_page | 7;
    t_pt[1] = (ulong)t_page2 | 5;
    invlpg((void *)TEST_VA);
    invlpg((void *)(TEST_VA + 4096));
    check("write across into read-only", wr(TEST_VA + 4093), ERR(PF, 3));
    check("CR2 is the second page", trap.cr2, TEST_VA + 4096);
    t_pt[1] = (ulong)t_page2 | 7;
    invlpg((void *)(TEST_VA + 4096));
    asm volatile("movq %1, (%0)" ::"r"(TEST_VA + 4092), "r"(0x1122334455667788ul)
                 : "memory");
    check("write across: low part", READ((u32 *)(t_page + 4092)), 0x55667788);
    check("write across: high part", READ((u32 *)t_page2), 0x11223344);
    check("write across: D in both", t_pt[0] & t_pt[1] & 0x60, 0x60);
    ulong v = 0;
    asm volatile("lock xaddq %0, (%1)" : "+r"(v) : "r"(TEST_VA + 4092) : "memory");
    check("locked access across pages", v, 0x1122334455667788ul);
    /* an instruction across pages */
    test_map();
    t_page[4094] = 0xb8; /* mov $imm32, %eax; ret */
    t_page[4095] = 0x78;
    memcpy(t_page2, "\x56\x34\x12\xc3", 4);
    u32 eax;
    asm volatile("call *%1" : "=a"(eax) : "r"(TEST_VA + 4094) : "memory");
    check("instruction across pages", eax, 0x12345678);
    t_pt[1] = 0;
    invlpg((void *)(TEST_VA + 4096));
    asm volatile(TRY "call *%0" END ::"r"(TEST_VA + 4094) : "memory", "rax");
    check("instruction across, second page missing", caught(), ERR(PF, 0x10));
    check("CR2 of the fetch", trap.cr2, TEST_VA + 4096);
    check("IP of the fetch", trap.ip, TEST_VA + 4094);
    t_pt[1] = (ulong)t_page | 7; /* other bytes behind the same code */
    memcpy(t_page, "\x01\x02\x03\xc3", 4);
    invlpg((void *)(TEST_VA + 4096));
    asm volatile("call *%1" : "=a"(eax) : "r"(TEST_VA + 4094) : "memory");
    check("instruction across, second page changed", eax, 0x03020178);
    test_map();
}

static void tlb(void)
{
    test_map();
    WRITE((u32 *)t_page, 1);
    WRITE((u32 *)t_page2, 2);
    check("before", READ((u32 *)TEST_VA), 1);
    t_pt[0] = (ulong)t_page2 | 7;
    invlpg((void *)(TEST_VA + 0x123));
    check("INVLPG of any address of the page", READ((u32 *)TEST_VA), 2);
    t_pt[0] = (ulong)t_page | 7;
    write_cr3(read_cr3());
    check("MOV to CR3", READ((u32 *)TEST_VA), 1);
    t_pt[0] = (ulong)t_page | 0x107;
    invlpg((void *)TEST_VA);
    (void)READ((u32 *)TEST_VA);
    t_pt[0] = (ulong)t_page2 | 0x107;
    write_cr4(read_cr4() ^ 0x80);
    write_cr4(read_cr4() ^ 0x80);
    check("changed CR4.PGE drops global pages", READ((u32 *)TEST_VA), 2);
    t_pt[0] = (ulong)t_page | 0x107;
    invlpg((void *)TEST_VA);
    check("INVLPG drops global pages", READ((u32 *)TEST_VA), 1);
    t_pt[0] = (ulong)t_page | 7;
    invlpg((void *)TEST_VA);
    (void)READ((u32 *)TEST_VA);
    check("read leaves D clear", t_pt[0] & 0x60, 0x20);
    WRITE((u32 *)TEST_VA, 5);
    check("a write sets D though the translation is cached", t_pt[0] & 0x60, 0x60);
    t_pt[0] &= ~0x60ull;
    invlpg((void *)TEST_VA);
    WRITE((u32 *)TEST_VA, 5);
    check("cleared A and D are set again", t_pt[0] & 0x60, 0x60);
    t_pt[0] = (ulong)t_page | 5;
    invlpg((void *)TEST_VA);
    (void)READ((u32 *)TEST_VA);
    t_pt[0] = (ulong)t_page |
              7; /* more rights: a fault, if any, must be spurious: none twice */
    u64 r = wr(TEST_VA);
    if (r != NONE) {
        r = wr(TEST_VA);
    }
    check("more rights without INVLPG: at most one spurious fault", r, NONE);
    /* a page table that maps itself */
    t_pt[3] = (ulong)t_pt | 7;
    invlpg((void *)(TEST_VA + 0x3000));
    WRITE((u64 *)(TEST_VA + 0x3000 + 8 * 5), (ulong)t_page2 | 7);
    check("an entry written through its own mapping", READ((u32 *)(TEST_VA + 0x5000)),
          READ((u32 *)t_page2));
    t_pt[6] = (ulong)t_page | 1; /* supervisor, read-only */
    write_cr0(read_cr0() & ~0x10000ul);
    check("WP 0: a write to a read-only page", wr(TEST_VA + 0x6000), NONE);
    write_cr0(read_cr0() | 0x10000);
    check("and WP 1 again", wr(TEST_VA + 0x6000), ERR(PF, 3));
    ulong cr2 = 0x123456789abcul;
    write_cr2(cr2);
    check("CR2 is written and read", read_cr2(), cr2);
    test_map();
}

static void implicit(void)
{
    /* descriptor tables are read with supervisor rights whatever the CPL */
    check("ring 3 loads a segment from a supervisor GDT",
          run_user(user_read, (ulong)&user_var, 0), NONE);
    test_map();
    if (!(cpuid(7, 0).b & 1 << 20)) {
        return;
    }
    write_cr4(read_cr4() | 1 << 21);
    /* the delivery of that fault uses the same stack */
    asm volatile(TRY "mov %0, %%rsp; push %%rax" END ::"r"(TEST_VA + 0x800) : "memory");
    check("SMAP stops PUSH to a user stack, AC 0", caught(), ERR(DF, 0));
    asm volatile("stac");
    asm volatile(
        TRY "mov %%rsp, %%rcx; mov %0, %%rsp; push %%rax; mov %%rcx, %%rsp" END ::"r"(
            TEST_VA + 0x800)
        : "memory", "rcx");
    asm volatile("clac");
    check("AC 1 lets it", caught(), NONE);
    set_desc(0x90, 0, 0xff, 0x82, 0); /* an LDT in the user page */
    gdt[0x90 / 8] |= (TEST_VA & 0xffffff) << 16 | (TEST_VA >> 24 & 0xff) << 56;
    gdt[0x98 / 8] = TEST_VA >> 32;
    memcpy(t_page, gdt, 0x80);
    asm volatile("lldt %w0" ::"r"(0x90));
    asm volatile(TRY "mov %0, %%es" END ::"r"(0x14) : "memory");
    check("SMAP: descriptor in a user page, AC 0", caught(), ERR(PF, 1));
    asm volatile("stac" ::: "memory");
    asm volatile(TRY "mov %0, %%es" END ::"r"(0x14) : "memory");
    asm volatile("clac");
    check("SMAP: implicit access ignores AC", caught(), ERR(PF, 1));
    write_cr4(read_cr4() & ~(1ul << 21));
    asm volatile(TRY "mov %0, %%es" END ::"r"(0x14) : "memory");
    check("SMAP 0: descriptor in a user page", caught(), NONE);
    asm volatile("lldt %w0; mov %1, %%es" ::"r"(0), "r"(0x10));
    test_map();
}

/* The last byte of the lower half: what runs there goes on at a non-canonical address. */
static void edge(void)
{
    static u64 pdpt2[512] ALIGNED(4096), pd2[512] ALIGNED(4096), pt2[512] ALIGNED(4096);
    ulong top = 0x7ffffffff000ul;

    pml4[255] = (ulong)pdpt2 | 7;
    pdpt2[511] = (ulong)pd2 | 7;
    pd2[511] = (ulong)pt2 | 7;
    pt2[511] = (ulong)t_page | 7;
    invlpg((void *)top);
    memset(t_page, 0x90, 4096);
    asm volatile(TRY "jmp *%0" END ::"r"(top + 4093) : "memory");
    check("NOPs to the edge of the canonical space", caught(), ERR(GP, 0));
    check("their IP", trap.ip, 0x800000000000ul);
    t_page[4095] = 0x48; /* a prefix: the instruction does not fit */
    asm volatile(TRY "jmp *%0" END ::"r"(top + 4093) : "memory");
    check("an instruction over the edge", caught(), ERR(GP, 0));
    check("its IP", trap.ip, 0x7ffffffffffful);
    memcpy(t_page + 4094, "\xeb\x00", 2);
    asm volatile(TRY "jmp *%0" END ::"r"(top + 4093) : "memory");
    check("a short jump over the edge", caught(), ERR(GP, 0));
    check("its IP: the jump's",
          trap.ip == 0x7ffffffffffeul || trap.ip == 0x800000000000ul, 1);
    memcpy(t_page + 4093, "\x0f\xa2\x90", 3); /* CPUID; NOP */
    asm volatile(TRY "push %%rbx; jmp *%0" END ::"r"(top + 4093), "a"(0), "c"(0)
                 : "memory", "rbx", "rdx");
    check("CPUID near the edge", caught(), ERR(GP, 0));
    if (cpuid(1, 0).c >> 31 && !is_amd()) {
        memcpy(t_page + 4093, "\x0f\x01\xc1", 3); /* VMCALL */
        asm volatile(TRY "jmp *%0" END ::"r"(top + 4093), "a"(-1) : "memory");
        check("VMCALL at the edge", caught(), ERR(GP, 0));
        check("IP behind it", trap.ip, 0x800000000000ul);
    }
    u64 *last = (u64 *)(top + 4092);
    asm volatile(TRY "mov (%0), %%rax" END ::"r"(last) : "memory", "rax");
    check("a load over the edge", caught(), ERR(GP, 0));
    asm volatile(TRY "mov (%0), %%eax" END ::"r"(last) : "memory", "rax");
    check("a load up to it", caught(), NONE);
    asm volatile(TRY "invlpg (%0)" END ::"r"(1ul << 47) : "memory");
    check("INVLPG of a non-canonical address does nothing", caught(), NONE);
    asm volatile(TRY "mov %%ds:0xffffffffffffffff, %%al" END ::: "memory", "rax");
    check("the last byte of all: not mapped", caught(), ERR(PF, 0));
    asm volatile(TRY "mov %%ds:0xffffffffffffffff, %%ax" END ::: "memory", "rax");
    check("a word over the end of all", caught() == ERR(PF, 0) || caught() == ERR(GP, 0),
          1);
    pml4[255] = 0;
    test_map();
}

void page_rules(void)
{
    edge();
    reserved();
    crossing();
    tlb();
    implicit();
}

/* ---- PCID ---- */

typedef struct Invpcid {
    u64 pcid, addr;
} Invpcid;

static u64 invpcid(u64 type, u64 pcid, u64 addr)
{
    Invpcid d = { pcid, addr };
    asm volatile(TRY "invpcid %1, %0" END ::"r"(type), "m"(d) : "memory");
    return caught();
}

void page_pcid(void)
{
    ulong cr3 = read_cr3(), cr4 = read_cr4();
    bool has = cpuid(1, 0).c & 1 << 17, inv = cpuid(7, 0).b & 1 << 10;

    test_map();
    if (!has) {
        asm volatile(TRY "mov %0, %%cr4" END ::"r"(cr4 | 1 << 17) : "memory");
        check("PCIDE without PCID", caught(), ERR(GP, 0));
        return;
    }
    write_cr3(cr3 | 8);
    asm volatile(TRY "mov %0, %%cr4" END ::"r"(cr4 | 1 << 17) : "memory");
    check("PCIDE needs CR3[11:0] = 0", caught(), ERR(GP, 0));
    write_cr3(cr3);
    if (inv) {
        check("INVPCID type 0, PCID 0, PCIDE 0", invpcid(0, 0, TEST_VA), NONE);
        check("INVPCID type 1, PCID 0, PCIDE 0", invpcid(1, 0, 0), NONE);
        check("INVPCID type 1, PCID 1, PCIDE 0", invpcid(1, 1, 0), ERR(GP, 0));
        check("INVPCID type 0, PCID 1, PCIDE 0", invpcid(0, 1, 0), ERR(GP, 0));
        check("INVPCID type 4", invpcid(4, 0, 0), ERR(GP, 0));
        check("INVPCID reserved bits", invpcid(0, 0x1000, 0), ERR(GP, 0));
        check("INVPCID non-canonical", invpcid(0, 0, 1ull << 47), ERR(GP, 0));
        check("INVPCID type 2", invpcid(2, 0, 0), NONE);
        check("INVPCID type 3", invpcid(3, 0, 0), NONE);
    }
    asm volatile(TRY "mov %0, %%cr4" END ::"r"(cr4 | 1 << 17) : "memory");
    check("PCIDE set", caught(), NONE);
    asm volatile(TRY "mov %0, %%cr0" END ::"r"(read_cr0() & 0x7fffffff) : "memory");
    check("PG cleared while PCIDE is 1", caught(), ERR(GP, 0));
    WRITE((u32 *)t_page, 1);
    WRITE((u32 *)t_page2, 2);
    write_cr3(cr3 | 5);
    check("PCID 5 is read back", read_cr3(), cr3 | 5);
    check("a page in PCID 5", READ((u32 *)TEST_VA), 1);
    t_pt[0] = (ulong)t_page2 | 7;
    write_cr3(cr3 | 6);
    check("PCID 6 does not see PCID 5's", READ((u32 *)TEST_VA), 2);
    write_cr3(cr3 | 5);
    check("MOV to CR3 with bit 63 clear drops PCID 5", READ((u32 *)TEST_VA), 2);
    write_cr3(cr3 | 6 | 1ull << 63);
    check("bit 63 is not kept", read_cr3(), cr3 | 6);
    if (inv) {
        t_pt[0] = (ulong)t_page | 7;
        check("INVPCID type 0", invpcid(0, 6, TEST_VA), NONE);
        check("and its effect", READ((u32 *)TEST_VA), 1);
        t_pt[0] = (ulong)t_page2 | 7;
        check("INVPCID type 1", invpcid(1, 6, 0), NONE);
        check("and its effect on all pages", READ((u32 *)TEST_VA), 2);
        write_cr3(cr3 | 5 | 1ull << 63);
        (void)READ((u32 *)TEST_VA);
        write_cr3(cr3 | 6 | 1ull << 63);
        t_pt[0] = (ulong)t_page | 7;
        check("INVPCID of another PCID", invpcid(1, 5, 0), NONE);
        write_cr3(cr3 | 5 | 1ull << 63);
        check("and its effect there", READ((u32 *)TEST_VA), 1);
        t_pt[0] = (ulong)t_page2 | 0x107;
        check("INVPCID type 2 drops all", invpcid(2, 0, 0), NONE);
        check("and the effect", READ((u32 *)TEST_VA), 2);
        t_pt[0] = (ulong)t_page | 7;
        invlpg((void *)TEST_VA);
        check("INVLPG of a global page under PCID", READ((u32 *)TEST_VA), 1);
    }
    write_cr3(cr3);
    write_cr4(cr4);
    test_map();
}

/* SPDX-License-Identifier: MIT */
/* Two-level and PAE paging: SDM vol. 3, 4.3, 4.4, 4.6, 4.7. */
#include "lib32.h"

static u32 pd[1024] ALIGNED(4096), pt[1024] ALIGNED(4096);
static u64 pdpt[4] ALIGNED(32), pds[4][512] ALIGNED(4096), ptl[512] ALIGNED(4096);
static u8 page[4096] ALIGNED(4096);
enum { VA = 0x40000000 };

USER static u32 u_read(void)
{
    return READ((u32 *)VA);
}
USER static void u_write(void)
{
    WRITE((u32 *)VA, 0xc3c3c3c3);
}
USER static void u_fetch(void)
{
    ((void (*)(void))VA)();
}

static u64 kernel(unsigned kind)
{
    switch (kind) {
    case 0: asm volatile(TRY "mov (%0), %%eax" END ::"r"(VA) : "memory", "eax"); break;
    case 1: asm volatile(TRY "movl $0xc3c3c3c3, (%0)" END ::"r"(VA) : "memory"); break;
    default: asm volatile(TRY "call *%0" END ::"r"(VA) : "memory");
    }
    return caught();
}

static u64 user(unsigned kind)
{
    return run_user(kind == 0   ? (void *)u_read
                    : kind == 1 ? (void *)u_write
                                : (void *)u_fetch,
                    0, 0);
}

static const char *const kinds[] = { "read", "write", "fetch" };

static u64 want(bool p, bool w, bool u, bool nx, bool usr, unsigned kind, bool wp,
                bool nxe)
{
    u32 err = (kind == 1 ? 2 : 0) | (usr ? 4 : 0) | (kind == 2 && nxe ? 16 : 0);
    if (!p) {
        return ERR(PF, err);
    }
    if (nx && !nxe) {
        return ERR(PF, err | 9);
    }
    bool bad = (usr && !u) || (kind == 1 && !w && (usr || wp)) || (kind == 2 && nx);
    return bad ? ERR(PF, err | 1) : NONE;
}

void paging32(void)
{
    ulong cr0 = read_cr0(), cr4 = read_cr4();

    memset(page, 0xc3, sizeof(page));
    for (u32 i = 0; i < 1024; i++) {
        pd[i] = i << 22 | 0x87;
    }
    pd[VA >> 22] = (u32)pt | 7;
    write_cr4(cr4 | 0x10);
    write_cr3((u32)pd);
    asm volatile(TRY "mov %0, %%cr0" END ::"r"(cr0 | 0x80010000) : "memory");
    check("paging on", caught(), NONE);
    for (unsigned wp = 0; wp < 2; wp++) {
        write_cr0(cr0 | 0x80000000 | wp << 16);
        for (unsigned k = 0; k < 6; k++) {
            u32 bad = 0;
            for (unsigned m = 0; m < 32; m++) {
                pd[VA >> 22] = (u32)pt | 1 | (m >> 2 & 6);
                pt[0] = (u32)page | (m & 7);
                invlpg((void *)VA);
                bool p = m & 1, w = (m & 2) && (m & 8), u = (m & 4) && (m & 16);
                u64 got = k < 3 ? kernel(k) : user(k - 3);
                u64 exp = want(p, w, u, 0, k > 2, k % 3, wp, false);
                bool ok = got == exp;
                if (exp == NONE) {
                    ok = ok && (pt[0] & 0x60) == (k % 3 == 1 ? 0x60u : 0x20u) &&
                         pd[VA >> 22] & 0x20;
                } else {
                    ok = ok && !(pt[0] & 0x60) && trap.cr2 == VA;
                }
                bad += !ok;
            }
            checkf(bad, 0, "WP %d, %s %s: 32 combinations", wp, k > 2 ? "user" : "kernel",
                   kinds[k % 3]);
        }
    }
    pd[VA >> 22] = (u32)page | 0x87;
    pd[VA >> 22] &= 0xffc00fff;
    invlpg((void *)VA);
    check("4 MiB page", kernel(0), NONE);
    check("4 MiB page: A", pd[VA >> 22] & 0x60, 0x20);
    (void)kernel(1);
    check("4 MiB page: D", pd[VA >> 22] & 0x60, 0x60);
    pd[VA >> 22] = 0x87 | 1 << 21;
    invlpg((void *)VA);
    check("4 MiB page: bit 21 is reserved", kernel(0), ERR(PF, 9));
    pd[VA >> 22] = (u32)pt | 7;
    pt[0] = (u32)page | 0x107;
    write_cr4(read_cr4() | 0x80);
    (void)kernel(0);
    pt[0] = 0;
    write_cr4(read_cr4() & ~0x80ul);
    check("clearing PGE drops global pages", kernel(0), ERR(PF, 0));
    pt[0] = (u32)page | 7;
    write_cr0(cr0);
    check("paging off: CR2 stays", read_cr2(), VA);
    write_cr4(cr4);
}

void paging_pae(void)
{
    ulong cr0 = read_cr0(), cr4 = read_cr4();
    u64 efer = rdmsr(0xc0000080);
    bool has_nx = cpuid(0x80000001, 0).d >> 20 & 1;

    memset(page, 0xc3, sizeof(page));
    for (u32 i = 0; i < 4; i++) {
        pdpt[i] = (u32)pds[i] | 1;
        for (u32 k = 0; k < 512; k++) {
            pds[i][k] = (u64)(i * 512 + k) << 21 | 0x87;
        }
    }
    pds[VA >> 30][0] = (u32)ptl | 7;
    write_cr4(cr4 | 0x20);
    write_cr3((u32)pdpt);
    wrmsr(0xc0000080, has_nx ? efer | 0x800 : efer);
    write_cr0(cr0 | 0x80010000);
    check("PAE paging on", read_cr0() >> 31 & 1, 1);
    for (unsigned k = 0; k < 6; k++) {
        u32 bad = 0;
        for (unsigned m = 0; m < 64; m++) {
            bool nx = has_nx && m & 32;
            pds[VA >> 30][0] = (u32)ptl | 1 | (m >> 2 & 6);
            ptl[0] = (u32)page | (m & 7) | (nx ? 1ull << 63 : 0);
            invlpg((void *)VA);
            bool p = m & 1, w = (m & 2) && (m & 8), u = (m & 4) && (m & 16);
            u64 got = k < 3 ? kernel(k) : user(k - 3);
            bad += got != want(p, w, u, nx, k > 2, k % 3, true, has_nx);
        }
        checkf(bad, 0, "PAE, %s %s: 64 combinations", k > 2 ? "user" : "kernel",
               kinds[k % 3]);
    }
    pds[VA >> 30][0] = (u32)ptl | 7;
    ptl[0] = (u32)page | 7;
    /* PDPTEs are loaded by MOV CR3 */
    pdpt[1] = 0;
    invlpg((void *)VA);
    check("a changed PDPTE counts only after MOV CR3", kernel(0), NONE);
    write_cr3((u32)pdpt);
    check("then it does", kernel(0), ERR(PF, has_nx ? 0 : 0));
    pdpt[1] = (u32)pds[1] | 3; /* bit 1 is reserved */
    asm volatile(TRY "mov %0, %%cr3" END ::"r"(pdpt) : "memory");
    check("MOV CR3 with a reserved PDPTE bit", caught(), ERR(GP, 0));
    pdpt[1] = (u32)pds[1] | 1;
    write_cr3((u32)pdpt);
    ptl[0] = (u32)page | 7 | 1ull << 62;
    invlpg((void *)VA);
    check("PTE bit 62 is reserved", kernel(0), ERR(PF, 9));
    ptl[0] = (u32)page | 7 | 1ull << 52;
    invlpg((void *)VA);
    check("PTE bit 52 is reserved", kernel(1), ERR(PF, 11));
    ptl[0] = (u32)page | 7;
    pds[VA >> 30][0] = 0x87 | 1 << 13;
    invlpg((void *)VA);
    check("2 MiB page: bit 13 is reserved", kernel(0), ERR(PF, 9));
    pds[VA >> 30][0] = (u32)ptl | 7;
    invlpg((void *)VA);
    check("put right again", kernel(0), NONE);
    write_cr0(cr0);
    wrmsr(0xc0000080, efer);
    write_cr4(cr4);
}

/* SPDX-License-Identifier: MIT */
/*
 * The host's side of windows: system calls that map, and each root's areas of address space,
 * reserved, released, and given back when their program has ended. Leaf code, part of it in
 * signal context: system calls are made here, not through libc.
 *
 * To map a page in reserved space the host's kernel cuts that mapping in two (7.4 us here, and 1.7
 * to 2.5 when it goes), in a hole it does not (5.2, 0.8 to 1.3). So areas are holes where
 * nobody else maps anything: mmap looks from the top of the address space down, programs lie at
 * 85 TiB or below 4 GiB, ASan's shadow ends at 16 TiB, its heap is at 96. Where that is not so
 * (ulimit -s unlimited), or the holes are all in use, areas are reserved.
 */
#include "target-x86/window_int.h"
#include <sys/mman.h>
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"
#include "target-x86/softmmu.h"
#include "util/prefault.h"

#if defined(__x86_64__)

static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

enum { NR_MMAP = 9, NR_MPROTECT = 10, NR_MUNMAP = 11 };

bool window_map(uint8_t *at, uint64_t size, int prot, int flags, int fd, uint64_t off)
{
    return sys6(NR_MMAP, (long)at, size, prot, flags | MAP_FIXED, fd, off) == (long)at;
}

/* ---- holes ---- */

enum { HOLES = 20 };
#define HOLES_FROM (17ull * 1024 * GiB)
#define HOLES_TO (81ull * 1024 * GiB)

bool window_holes;
static _Atomic uint32_t taken[2]; /* of each range's, a bit each */

static uint64_t area_size(unsigned k) { return range_size(k) + 2 * WIN_MARGIN; }

static uint64_t hole_at(unsigned k, unsigned i)
{
    _Static_assert(HOLES * WIN_ROOT_SPACE <= HOLES_TO - HOLES_FROM, "room for all");
    return HOLES_FROM + (k ? HOLES * area_size(0) : 0) + i * area_size(k);
}

static bool in_hole(const void *at)
{
    return (uint64_t)at - HOLES_FROM < HOLES_TO - HOLES_FROM;
}

/* Takes a hole in which nothing is; NULL: there is none. */
static uint8_t *take_hole(unsigned k)
{
    enum { NOREPLACE = 0x100000 /* MAP_FIXED_NOREPLACE, Linux 4.17 */ };
    uint64_t size = area_size(k);

    for (unsigned i = 0; i < HOLES && window_holes; i++) {
        uint32_t bit = 1u << i;
        if (atomic_fetch_or(&taken[k], bit) & bit) {
            continue;
        }
        long at = (long)hole_at(k, i);
        long p = sys6(NR_MMAP, at, size, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | NOREPLACE, -1, 0);
        if (p >= 0 || p <= -4096) {
            sys6(NR_MUNMAP, p, size, 0, 0, 0, 0);
        }
        if (p == at) {
            return (uint8_t *)p;
        } /* else it is somebody's, or `ulimit -v` leaves no room now */
        atomic_fetch_and(&taken[k], ~bit);
    }
    return NULL;
}

static void free_area(void *area, uint64_t size)
{
    unsigned k = size != area_size(0);

    sys6(NR_MUNMAP, (long)area, size, 0, 0, 0, 0);
    if (in_hole(area)) {
        atomic_fetch_and(&taken[k], ~(1u << ((uint64_t)area - hole_at(k, 0)) / size));
    }
}

void window_unmap(uint8_t *at, uint64_t size)
{
    bool ok = in_hole(at) ? sys6(NR_MUNMAP, (long)at, size, 0, 0, 0, 0) == 0
                          : window_map(at, size, PROT_NONE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!ok) {
        __builtin_trap(); /* a stale translation must not stay */
    }
}

bool window_rights(uint8_t *at, uint64_t size, int prot)
{
    return sys6(NR_MPROTECT, (long)at, size, prot, 0, 0, 0) == 0;
}

void *window_memory(uint64_t size)
{
    long p = sys6(NR_MMAP, 0, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

bool window_claim(void)
{
    if (atomic_fetch_add(&window_space, WIN_ROOT_SPACE) + WIN_ROOT_SPACE <=
        window_space_most) {
        return true;
    }
    atomic_fetch_sub(&window_space, WIN_ROOT_SPACE);
    return false;
}

bool window_reserve(WinRoot *r, unsigned k)
{
    if (r->area[k]) {
        return true;
    }
    uint8_t *p = take_hole(k);
    if (!p) {
        long q = sys6(NR_MMAP, 0, area_size(k), PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (q < 0 && q > -4096) {
            return false;
        }
        p = (uint8_t *)q;
    }
    r->area[k] = p + WIN_MARGIN;
    return true;
}

void window_release(WinRoot *r)
{
    if (!r->on && !r->area[0]) {
        return;
    }
    window_forget_all(r);
    atomic_fetch_sub(&window_space, r->area[0] ? WIN_ROOT_SPACE : 0);
    for (unsigned k = 0; k < 2; k++) {
        if (r->area[k]) {
            free_area(r->area[k] - WIN_MARGIN, area_size(k));
            r->area[k] = NULL;
        }
    }
    r->on = false;
    r->a_index = WIN_A_NONE;
}

bool window_ended(X86Cpu *cpu, const WinRoot *r)
{
    const uint64_t at[2] = { r->text, r->stack };

    if (!r->text || !(cpu->st.efer & EFER_LMA) || cpu->st.cr4 & CR4_LA57) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *entry = /* its bit 0: present */
            x86_phys_host(cpu, r->root + (at[i] >> 39 & 511) * 8, false);
        if (!entry || *entry & 1) {
            return false;
        }
    }
    return true;
}

/* Gives an area of an ended program back to the host: the prefault thread, vmas: mappings in it. */
static void give_back(void *area, size_t size, uint64_t vmas)
{
    free_area(area, size);
    atomic_fetch_sub(&window_vmas, (int)vmas);
}

void window_bury(WinRoot *r)
{
    for (unsigned k = 0; k < 2; k++) {
        if (r->area[k] && prefault_do(give_back, r->area[k] - WIN_MARGIN,
                                       area_size(k), r->vmas)) {
            atomic_fetch_sub(&window_space, k == 0 ? WIN_ROOT_SPACE : 0);
            r->area[k] = NULL;
            r->vmas = 0;
        }
    }
    window_release(r);
}

#endif

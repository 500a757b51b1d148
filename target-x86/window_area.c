/* SPDX-License-Identifier: MIT */
/*
 * The host's side of windows: system calls that map, and each root's areas of address space,
 * reserved, released, and given back when their program has ended. Leaf code, part of it in
 * signal context: system calls are made here, not through libc.
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

void window_unmap(uint8_t *at, uint64_t size)
{
    if (!window_map(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
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
    uint64_t size = range_size(k) + 2 * WIN_MARGIN;
    long p = sys6(NR_MMAP, 0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                  0);
    if (p < 0 && p > -4096) {
        return false;
    }
    r->area[k] = (uint8_t *)p + WIN_MARGIN;
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
            sys6(NR_MUNMAP, (long)(r->area[k] - WIN_MARGIN), range_size(k) + 2 * WIN_MARGIN, 0,
                 0, 0, 0);
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
    sys6(NR_MUNMAP, (long)area, size, 0, 0, 0, 0);
    atomic_fetch_sub(&window_vmas, (int)vmas);
}

void window_bury(WinRoot *r)
{
    for (unsigned k = 0; k < 2; k++) {
        if (r->area[k] && prefault_do(give_back, r->area[k] - WIN_MARGIN,
                                       range_size(k) + 2 * WIN_MARGIN, r->vmas)) {
            atomic_fetch_sub(&window_space, k == 0 ? WIN_ROOT_SPACE : 0);
            r->area[k] = NULL;
            r->vmas = 0;
        }
    }
    window_release(r);
}

#endif

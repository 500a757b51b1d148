/* SPDX-License-Identifier: MIT */
/*
 * One piece of code whose pointers lead to different parts of the address space, each in its
 * turn: low, in the top of the lower half, in the middle. An emulator that guesses where a
 * pointer leads must be put right wherever the guess was wrong, and go on from there.
 */
#include "lib.h"
#include "paging.h"

enum { USER_ALL = 7, MOST = 28, PLACES = 3, ROOM = 336, TRIES = 192, PER_PAGE = 4096 / ROOM };
static const ulong place[PLACES] = { 0x7e0000000000ul, 0x8000000000ul, 0x400000000000ul };

extern u64 pml4[];
/* Code, never twice at one place: what has been learned of it would stay. The pointers, then
 * what they lead to. */
static u8 codes[TRIES / PER_PAGE][4096] ALIGNED(4096);
static u8 data[4096] ALIGNED(4096);

/* mov rdi, [rsi + 8 i]; add rax, [rdi + 8 i]: n times; ret */
static u8 *put_code(u8 *p, unsigned n)
{
    static const u8 start[] = { 0x31, 0xc0 }; /* xor eax, eax */

    memcpy(p, start, sizeof(start));
    p += sizeof(start);
    for (unsigned i = 0; i < n; i++) {
        u8 in[] = { 0x48, 0x8b, 0x7e, 0, 0x48, 0x03, 0x87, 0, 0, 0, 0 };
        u32 disp = 8 * i;
        in[2] = i < 16 ? 0x7e : 0xbe;
        memcpy(p, in, 3);
        p += 3;
        memcpy(p, &disp, 4);
        p += i < 16 ? 1 : 4;
        memcpy(p, in + 4, 3);
        memcpy(p + 3, &disp, 4);
        p += 7;
    }
    *p++ = 0xc3;
    return p;
}

USER static ulong sum(ulong at)
{
    ulong v;
    asm volatile("call *%1" : "=a"(v) : "r"(at), "S"(at & ~0xffffful) : "rdi", "memory", "cc");
    return v;
}

/* All pointers lead to one place, then the i-th to another. */
static ulong one(unsigned try, unsigned n, unsigned i, unsigned from, unsigned to)
{
    ulong *pointer = (ulong *)data, *value = pointer + MOST, want = 0;
    ulong at = (1 + try / PER_PAGE) * 4096ul + try % PER_PAGE * ROOM;

    put_code(codes[0] + at - 4096, n);
    for (unsigned k = 0; k < n; k++) {
        pointer[k] = place[from] + (ulong)(value - pointer) * 8;
        value[k] = 3 * k + i;
        want += value[k];
    }
    for (unsigned k = 0; k < 4; k++) {
        ulong trap = run_user((void *)sum, place[0] + at, 0);
        if (trap != NONE || user_value != want) {
            return 1;
        }
        if (k) {
            pointer[i] += place[to] - place[from];
        }
        from ^= k ? to : 0; /* there, back, there: */
        to ^= k ? from : 0;
        from ^= k ? to : 0;
    }
    return 0;
}

void user_ranges(void)
{
    static u64 r_pdpt[PLACES][512] ALIGNED(4096);
    ulong wrong = 0;
    unsigned try = 0;

    t_pt[0] = (ulong)data | USER_ALL;
    for (unsigned k = 0; k < COUNT(codes); k++) {
        t_pt[1 + k] = (ulong)codes[k] | USER_ALL;
    }
    t_pd[0] = (ulong)t_pt | USER_ALL;
    for (unsigned k = 0; k < PLACES; k++) {
        r_pdpt[k][0] = (ulong)t_pd | USER_ALL;
        pml4[place[k] >> 39] = (ulong)r_pdpt[k] | USER_ALL;
    }
    write_cr3(read_cr3());
    for (unsigned n = 4; n <= MOST; n += 12) {
        for (unsigned i = 0; i < n; i++) {
            for (unsigned k = 0; k < 4; k++) {
                wrong += one(try++, n, i, k % 2, k < 2 ? 1 - k % 2 : 2);
            }
        }
    }
    check("sums over pointers of which one leads elsewhere", wrong, 0);
    for (unsigned k = 0; k < PLACES; k++) {
        pml4[place[k] >> 39] = 0;
    }
    test_map();
}

/* SPDX-License-Identifier: MIT */
/*
 * The ways by which code can be reached: from the line before, by jumps and calls in its page
 * and from another one, by pointers, again and again from behind, in all orders, and at two
 * addresses of the same page. What runs says where it is (LEA from RIP). Translators keep
 * entries to code for some of these ways and make others when they are needed.
 */
#include "lib.h"
#include "paging.h"

#define VA 0x7e0000000000ul /* PML4 slot 252, two of them */
#define ALIAS 0x200000ul
enum { USER_ALL = 7, SLOT = 128, SLOTS = 24, WAYS = 10, ROUNDS = 12, OTHER = 4096 };

extern u64 pml4[];
static u64 e_pt[2][512] ALIGNED(4096);
static u8 code[2 * OTHER] ALIGNED(4096); /* the slots; who jumps to them from another page */

typedef struct Try {
    ulong at;       /* to call */
    ulong is;       /* what it must return */
} Try;
typedef struct Plan {
    ulong n, bad;   /* how many; the last one, 1 on, that was wrong */
    Try t[WAYS * 4];
} Plan;
static union {
    Plan plan;
    u8 page[4096];
} u_plan ALIGNED(4096);

USER static ulong follow(Plan *p)
{
    ulong bad = 0;

    for (ulong i = 0; i < p->n; i++) {
        ulong v;
        asm volatile("call *%1" : "=a"(v) : "r"(p->t[i].at) : "rcx", "rdx", "memory", "cc");
        bad = v == p->t[i].is ? bad : i + 1;
    }
    WRITE(&p->bad, bad);
    return bad;
}

static void put_rel(u8 *at, u8 op, const u8 *to)
{
    u32 rel = (u32)(to - (at + 5));
    at[0] = op;
    memcpy(at + 1, &rel, 4);
}

enum { BODY = 16, CALLER = 32, JUMPER = 48, LOOP = 64, TURNS = 20 };

/* A slot: falls into its body; the body; a call, a jump to it in the page; a loop over one. */
static void put_slot(u8 *s, u8 *away)
{
    static const u8 where[] = { 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3 }; /* lea rax, [rip]; ret */
    static const u8 loop[] = {
        0x31, 0xd2, 0xb9, TURNS, 0, 0, 0,             /* xor edx, edx; mov ecx, TURNS */
        0x48, 0x8d, 0x05, 0, 0,  0, 0, 0x48, 1, 0xc2, /* lea rax, [rip]; add rdx, rax */
        0xff, 0xc9, 0x75, 0xf2,                       /* dec ecx; jnz: the lea */
        0x48, 0x89, 0xd0, 0xc3,                       /* mov rax, rdx; ret */
    };

    memset(s, 0x90, SLOT);
    memcpy(s + BODY, where, sizeof(where));
    put_rel(s + CALLER, 0xe8, s + BODY);
    s[CALLER + 5] = 0xc3;
    put_rel(s + JUMPER, 0xe9, s + BODY);
    memcpy(s + LOOP, loop, sizeof(loop));
    put_rel(away, 0xe9, s + BODY);
}

/* The k-th way to slot s, at one of its addresses. */
static Try way(unsigned s, unsigned k)
{
    ulong base = VA + k % 2 * ALIAS, at = base + s * SLOT, body = at + BODY + 7;

    switch (k / 2) {
    case 0: return (Try){ at, body };
    case 1: return (Try){ at + CALLER, body };
    case 2: return (Try){ at + JUMPER, body };
    case 3: return (Try){ at + BODY, body };
    default: return (Try){ base + OTHER + s * 16, body };
    }
}

void user_entries(void)
{
    u32 random = 12345;
    ulong trapped = 0, wrong = 0; /* the last of them: round, slot, which call */

    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < 2; i++) {
            e_pt[k][i] = (ulong)(code + i * 4096) | USER_ALL;
        }
        t_pd[k] = (ulong)e_pt[k] | USER_ALL;
    }
    e_pt[0][2] = (ulong)&u_plan | USER_ALL;
    t_pdpt[0] = (ulong)t_pd | USER_ALL;
    pml4[252] = (ulong)t_pdpt | USER_ALL;
    write_cr3(read_cr3());
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned s = 0; s < SLOTS; s++) {
            put_slot(code + s * SLOT, code + OTHER + s * 16);
        }
        for (unsigned s = 0; s < SLOTS; s++) {
            Plan *p = &u_plan.plan;
            p->n = COUNT(p->t);
            for (unsigned i = 0; i < p->n; i++) {
                random = random * 1664525 + 1013904223;
                p->t[i] = way(s, (random >> 16) % WAYS);
                if (i % 7 == 6) { /* the loop, at either address */
                    ulong at = VA + (random >> 30) % 2 * ALIAS + s * SLOT + LOOP;
                    p->t[i] = (Try){ at, TURNS * (at + 14) };
                }
            }
            p->bad = 99;
            ulong which = round << 16 | s << 8;
            trapped = run_user((void *)follow, VA + 8192, 0) == NONE ? trapped : which | 1;
            wrong = p->bad ? which | p->bad : wrong;
        }
    }
    check("no way traps", trapped, 0);
    check("each way leads to where it should", wrong, 0);
    pml4[252] = 0;
    test_map();
}

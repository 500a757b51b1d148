/* SPDX-License-Identifier: MIT */
/*
 * Call stacks of guest code, x86. Most guest code keeps no frame pointer, and rbp then
 * holds anything: so a return address counts only if the bytes before it are a CALL. Signal
 * context: reads guest RAM, which the guest may change or have arranged at will; every
 * loop is bounded.
 */
#include "hw/core/profile_int.h"

#include <string.h>
#include "util/symbols.h"

enum {
    PAGE = 4096,
    FRAME_MAX = 64 * 1024, /* bytes from a frame to its caller's */
    WINDOW = 160,          /* stack slots searched for a return address */
};

bool guest_read(GuestReader *r, uint64_t lin, void *to, unsigned n)
{
    uint8_t *out = to;
    while (n) {
        uint64_t page = lin & ~(uint64_t)(PAGE - 1);
        unsigned off = lin & (PAGE - 1), k = MIN(n, PAGE - off);
        if (r->page != page + 1) {
            r->host = r->cpu->ops->sample_page(r->cpu, r->s, page);
            r->page = page + 1;
        }
        if (!r->host) {
            return false;
        }
        for (unsigned i = 0; i < k; i++) {
            out[i] = ((const volatile uint8_t *)r->host)[off + i];
        }
        out += k;
        lin += k;
        n -= k;
    }
    return true;
}

static bool read_word(GuestReader *r, uint64_t at, uint64_t *v)
{
    *v = 0;
    return guest_read(r, at, v, r->s->word);
}

enum { NO_CALL, CALL_DIRECT, CALL_INDIRECT };

/* Is ret the address behind a CALL (SDM vol. 2)? */
static int call_before(GuestReader *r, uint64_t ret, uint64_t *target)
{
    uint8_t b[7]; /* b[7 - k]: the byte k before ret */
    int32_t rel;

    if (ret < sizeof(b) || !guest_read(r, ret - sizeof(b), b, sizeof(b))) {
        return NO_CALL;
    }
    if (b[2] == 0xe8) {
        memcpy(&rel, b + 3, 4);
        *target = ret + (uint64_t)(int64_t)rel;
        if (r->s->word == 4) {
            *target = (uint32_t)*target;
        }
        return CALL_DIRECT;
    }
    /* FF /2: register; [reg]; [reg+disp8] or [sib]; [sib+disp8]; disp32; [sib+disp32] */
    bool hit = (b[5] == 0xff && (b[6] & 0xf8) == 0xd0) ||
               (b[5] == 0xff && (b[6] & 0xf8) == 0x10 && (b[6] & 7) != 4 &&
                (b[6] & 7) != 5) ||
               (b[4] == 0xff && ((b[5] & 0xf8) == 0x50 || b[5] == 0x14)) ||
               (b[3] == 0xff && b[4] == 0x54) ||
               (b[1] == 0xff && ((b[2] & 0xf8) == 0x90 || b[2] == 0x15)) ||
               (b[0] == 0xff && b[1] == 0x94);
    return hit ? CALL_INDIRECT : NO_CALL;
}

/* Code of one stack lies in one half of the address space. */
static bool same_half(uint64_t a, uint64_t b)
{
    return !((a ^ b) >> 63);
}

static unsigned by_frame_pointers(GuestReader *r, uint64_t *pcs, unsigned max)
{
    const CpuSample *s = r->s;
    uint64_t low = s->sp, fp = s->fp, next, ret, target;
    unsigned n = 1;

    while (n < max && fp >= low && fp - low < FRAME_MAX && !(fp & (s->word - 1))) {
        if (!read_word(r, fp, &next) || !read_word(r, fp + s->word, &ret) ||
            !same_half(ret, s->pc) || call_before(r, ret, &target) == NO_CALL) {
            break;
        }
        pcs[n++] = ret - 1;
        low = fp + 2 * s->word;
        fp = next;
    }
    return n;
}

/* Start of the function that holds pc, 0: no symbol. */
static uint64_t function_of(uint64_t pc, const char **name)
{
    uint64_t off;
    *name = symbols_find(pc, &off);
    return *name ? pc - off : 0;
}

/* A CALL through one of Linux's thunks says as little about its target as CALL r/m. */
static bool is_thunk(uint64_t at)
{
    uint64_t off;
    const char *name = symbols_find(at, &off);
    return name && !off && !strncmp(name, "__x86_indirect", 14);
}

/* The next return address at or above *at: that of a CALL of `function`, else the first
 * behind an indirect CALL. Moves *at past it. */
static uint64_t next_return(GuestReader *r, uint64_t *at, uint64_t end, uint64_t function)
{
    uint64_t maybe = 0, maybe_at = 0, word, target;
    const char *name;

    for (unsigned i = 0; i < WINDOW && *at < end; i++, *at += r->s->word) {
        if (!read_word(r, *at, &word)) {
            break;
        }
        if (!same_half(word, r->s->pc) || !function_of(word - 1, &name)) {
            continue;
        }
        int kind = call_before(r, word, &target);
        if (kind == CALL_DIRECT && target == function) {
            *at += r->s->word;
            return word;
        }
        if (!maybe &&
            (kind == CALL_INDIRECT || (kind == CALL_DIRECT && is_thunk(target)))) {
            maybe = word;
            maybe_at = *at + r->s->word;
        }
    }
    *at = maybe_at;
    return maybe;
}

static unsigned by_symbols(GuestReader *r, uint64_t *pcs, unsigned max)
{
    const CpuSample *s = r->s;
    const char *name;
    uint64_t at = (s->sp + s->word - 1) & ~(uint64_t)(s->word - 1);
    /* a kernel stack is 16 KiB and aligned; a user's is looked at no further either */
    uint64_t end = s->user ? at + 4 * PAGE : (at | (4 * PAGE - 1)) + 1;
    uint64_t function = function_of(s->pc, &name);
    unsigned n = 1;

    while (n < max && function) {
        if (!strncmp(name, "asm_", 4) || !strncmp(name, "entry_", 6)) {
            break; /* what it interrupted did not call it */
        }
        uint64_t ret = next_return(r, &at, end, function);
        if (!ret) {
            break;
        }
        pcs[n++] = ret - 1;
        function = function_of(ret - 1, &name);
    }
    return n;
}

unsigned profile_walk(GuestReader *r, uint64_t *pcs, unsigned max)
{
    pcs[0] = r->s->pc;
    if (r->s->word < 4) {
        return 1;
    }
    unsigned n = by_frame_pointers(r, pcs, max);
    return n > 1 ? n : by_symbols(r, pcs, max);
}

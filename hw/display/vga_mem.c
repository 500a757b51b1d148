/* SPDX-License-Identifier: MIT */
/*
 * The legacy window 0xa0000-0xbffff: map selection, chained, odd/even and sequential
 * addressing, write modes 0-3, read modes 0 and 1. IBM VGA reference, graphics controller
 * and memory organisation. The four planes are one 32-bit word, plane 0 lowest.
 * Left out: memory sizes below 256 KiB. Machine lock held.
 */
#include <string.h>
#include "hw/core/machine.h"
#include "hw/display/vga_int.h"

/* Bit n of v to byte n, all ones. */
static uint32_t spread(unsigned v)
{
    return ((v & 1) | (v & 2) << 7 | (v & 4) << 14 | (v & 8) << 21) * 0xff;
}

static uint32_t everywhere(uint8_t v)
{
    return v * 0x01010101u;
}

/* A 64 KiB plane's offset in the rotated order; a dispi planar mode has larger planes in
 * plain order. The result is below vram_size / 4. */
uint32_t vga_slot(const Vga *d, uint32_t off)
{
    if (vbe_on(d)) {
        return off & (d->vram_size / 4 - 1);
    }
    off &= 0xffff;
    return off >> 2 | (off & 3) << 14;
}

static uint32_t load_slot(const Vga *d, uint32_t slot)
{
    uint32_t v;
    memcpy(&v, d->mem + 4ull * slot, 4);
    return v;
}

/* Offset in the window for an offset from 0xa0000; false: not in the selected map. */
static bool in_map(const Vga *d, uint32_t *a)
{
    static const struct {
        uint32_t base, size;
    } maps[4] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };
    unsigned n = d->s->gfx[GFX_MISC] >> 2 & 3;
    if (!(d->s->misc & 2) && !vbe_on(d)) {
        return false;           /* the host does not reach video memory */
    }
    if (*a < maps[n].base || *a - maps[n].base >= maps[n].size) {
        return false;
    }
    *a -= maps[n].base;
    if (vbe_on(d)) {            /* planar dispi mode: 64 KiB banks of each plane */
        *a = (*a & 0xffff) + ((uint32_t)d->s->dispi[DISPI_BANK] << 16);
    }
    return true;
}

bool vga_window_is_ram(const Vga *d)
{
    const VgaState *s = d->s;
    if (vbe_linear(d)) {
        return true;
    }
    return !vbe_on(d) && (s->misc & 2) && (s->seq[SEQ_MEMORY] & 8) &&
           s->seq[SEQ_MAP_MASK] == 0x0f && !s->gfx[GFX_ENABLE_SR] && !s->gfx[GFX_ROTATE] &&
           !(s->gfx[GFX_MODE] & 0x0b) && s->gfx[GFX_BIT_MASK] == 0xff &&
           (s->gfx[GFX_MISC] >> 2 & 3) == 1;
}

static uint8_t read_byte(Vga *d, uint32_t a)
{
    VgaState *s = d->s;
    if (!in_map(d, &a)) {
        return 0xff;
    }
    unsigned plane = s->gfx[GFX_READ_MAP] & 3;
    uint32_t off = a;
    if (s->seq[SEQ_MEMORY] & 8) {
        plane = a & 3;
        off = a & ~3u;
    } else if (s->gfx[GFX_MODE] & 0x10) {
        plane = (plane & 2) | (a & 1);
        off = a & ~1u;
    }
    s->latch = load_slot(d, vga_slot(d, off));
    if (!(s->gfx[GFX_MODE] & 8)) {
        return s->latch >> 8 * plane;
    }
    /* read mode 1: a one where all planes cared for have the colour compared with */
    uint32_t diff = (s->latch ^ spread(s->gfx[GFX_COMPARE])) & spread(s->gfx[GFX_DONT_CARE]);
    diff |= diff >> 16;
    diff |= diff >> 8;
    return ~diff;
}

static uint8_t rotated(const VgaState *s, uint8_t v)
{
    unsigned n = s->gfx[GFX_ROTATE] & 7;
    return v >> n | v << (8 - n);
}

/* The ALU between data and latches, then the bit mask. */
static uint32_t combine(const VgaState *s, uint32_t data, uint8_t bit_mask)
{
    switch (s->gfx[GFX_ROTATE] >> 3 & 3) {
    case 1: data &= s->latch; break;
    case 2: data |= s->latch; break;
    case 3: data ^= s->latch; break;
    default: break;
    }
    uint32_t m = everywhere(bit_mask);
    return (data & m) | (s->latch & ~m);
}

static uint32_t write_data(const VgaState *s, uint8_t v)
{
    uint32_t sr = spread(s->gfx[GFX_SET_RESET]);
    uint8_t mask = s->gfx[GFX_BIT_MASK];
    switch (s->gfx[GFX_MODE] & 3) {
    case 0: {
        uint32_t en = spread(s->gfx[GFX_ENABLE_SR]);
        return combine(s, (everywhere(rotated(s, v)) & ~en) | (sr & en), mask);
    }
    case 1: return s->latch;
    case 2: return combine(s, spread(v & 15), mask);
    default: return combine(s, sr, rotated(s, v) & mask);
    }
}

static void write_byte(Vga *d, uint32_t a, uint8_t v)
{
    VgaState *s = d->s;
    if (!in_map(d, &a)) {
        return;
    }
    unsigned planes = s->seq[SEQ_MAP_MASK] & 15;
    uint32_t off = a;
    if (s->seq[SEQ_MEMORY] & 8) {
        planes &= 1u << (a & 3);
        off = a & ~3u;
    } else if (!(s->seq[SEQ_MEMORY] & 4)) {
        planes &= a & 1 ? 0x0a : 0x05;
        off = a & ~1u;
    }
    uint32_t slot = vga_slot(d, off), m = spread(planes);
    uint32_t old = load_slot(d, slot);
    uint32_t new = (old & ~m) | (write_data(s, v) & m);
    if (new != old) {
        memcpy(d->mem + 4ull * slot, &new, 4);
        memory_set_dirty(d->dev->machine, d->vram.ram_addr + 4ull * slot, 4);
        screen_changed(&d->screen);
    }
}

static uint64_t window_read(void *opaque, uint64_t addr, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)read_byte(opaque, addr + i) << 8 * i;
    }
    return v;
}

static void window_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        write_byte(opaque, addr + i, val >> 8 * i);
    }
}

const MemoryOps vga_window_ops = {
    .read = window_read, .write = window_write, .min_size = 1, .max_size = 8,
    .unaligned = true,
};

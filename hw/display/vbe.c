/* SPDX-License-Identifier: MIT */
/*
 * The Bochs dispi interface (its VBE DISPI specification): ports 1CE and 1CF or the card's
 * memory-mapped registers, modes up to 2560x1600 with 4 to 32 bits a pixel. A mode that
 * does not fit in video memory gets fewer lines. Machine lock held.
 */
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "hw/display/vga_int.h"
#include "util/alloc.h"
#include "util/log.h"

enum { DISPI_VERSION0 = 0xb0c0, DISPI_VERSION5 = 0xb0c5 };

static unsigned pixel_bits(const Vga *d)
{
    unsigned bpp = d->s->dispi[DISPI_BPP];
    return bpp == 15 ? 16 : bpp;
}

/* Bytes of a line `width` pixels wide; in planar modes, of all planes together. */
static uint64_t line_bytes(const Vga *d, unsigned width)
{
    return (uint64_t)width * pixel_bits(d) / 8;
}

uint32_t vbe_pitch(const Vga *d)
{
    uint32_t n = line_bytes(d, d->s->dispi[DISPI_VIRT_WIDTH]);
    return d->s->dispi[DISPI_BPP] == 4 ? n / 4 : n;
}

static unsigned lines_that_fit(const Vga *d, unsigned width)
{
    uint64_t bytes = line_bytes(d, width);
    return bytes ? MIN(d->vram_size / bytes, 0xffffull) : 0;
}

static bool bpp_ok(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* Virtual size and offsets for the present resolution. */
static void fit(Vga *d)
{
    uint16_t *r = d->s->dispi;
    r[DISPI_XRES] = MAX(8, MIN(r[DISPI_XRES], DISPI_MAX_X));
    r[DISPI_YRES] = MAX(1, MIN(r[DISPI_YRES], DISPI_MAX_Y));
    if (!bpp_ok(r[DISPI_BPP])) {
        r[DISPI_BPP] = 8;
    }
    if (r[DISPI_VIRT_WIDTH] < r[DISPI_XRES] || r[DISPI_VIRT_WIDTH] > DISPI_MAX_VIRT ||
        lines_that_fit(d, r[DISPI_VIRT_WIDTH]) < r[DISPI_YRES]) {
        r[DISPI_VIRT_WIDTH] = r[DISPI_XRES];
    }
    r[DISPI_VIRT_HEIGHT] = lines_that_fit(d, r[DISPI_VIRT_WIDTH]);
    r[DISPI_YRES] = MIN(r[DISPI_YRES], r[DISPI_VIRT_HEIGHT]);
    r[DISPI_X] = MIN(r[DISPI_X], r[DISPI_VIRT_WIDTH] - r[DISPI_XRES]);
    r[DISPI_Y] = MIN(r[DISPI_Y], r[DISPI_VIRT_HEIGHT] - r[DISPI_YRES]);
}

static void set_enable(Vga *d, uint16_t v)
{
    uint16_t *r = d->s->dispi;
    bool was = vbe_on(d), eight = r[DISPI_ENABLE] & DISPI_8BIT_DAC;
    r[DISPI_ENABLE] = v & 0xff;
    if ((v & DISPI_ENABLED) && !was) {
        r[DISPI_VIRT_WIDTH] = r[DISPI_X] = r[DISPI_Y] = r[DISPI_BANK] = 0;
        fit(d);
        if (!(v & DISPI_NOCLEAR)) {
            uint64_t n = line_bytes(d, r[DISPI_XRES]) * r[DISPI_YRES];
            memset(d->mem, 0, MIN(n, d->vram_size));
            memory_set_dirty(d->dev->machine, d->vram.ram_addr, MIN(n, d->vram_size));
        }
    }
    if (eight != !!(v & DISPI_8BIT_DAC)) { /* components keep their meaning */
        for (unsigned i = 0; i < sizeof(d->s->dac); i++) {
            d->s->dac[i] = eight ? d->s->dac[i] >> 2 : d->s->dac[i] << 2;
        }
    }
    if (was != vbe_on(d)) {
        vga_update_window(d);
    }
}

uint16_t vbe_read(Vga *d, unsigned index)
{
    const uint16_t *r = d->s->dispi;
    if (r[DISPI_ENABLE] & DISPI_GETCAPS) {
        switch (index) {
        case DISPI_XRES: return DISPI_MAX_X;
        case DISPI_YRES: return DISPI_MAX_Y;
        case DISPI_BPP: return 32;
        default: break;
        }
    }
    if (index == DISPI_MEMORY_64K) {
        return d->vram_size >> 16;
    }
    return index < DISPI_REGS ? r[index] : 0;
}

void vbe_write(Vga *d, unsigned index, uint16_t v)
{
    uint16_t *r = d->s->dispi;
    switch (index) {
    case DISPI_ID:
        if (v >= DISPI_VERSION0 && v <= DISPI_VERSION5) {
            r[DISPI_ID] = v;
        }
        return;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_X:
    case DISPI_Y:
    case DISPI_VIRT_WIDTH:
        r[index] = v;
        break;
    case DISPI_BPP:
        r[index] = v ? v : 8;
        break;
    case DISPI_ENABLE:
        set_enable(d, v);
        break;
    case DISPI_BANK:
        r[index] = MIN(v, (d->vram_size >> 16) - 1);
        if (vbe_on(d)) {
            vga_update_window(d);
        }
        return;
    default:
        log_guest_error("vga: dispi register %u written\n", index);
        return;
    }
    if (vbe_on(d)) {
        bool linear = vbe_linear(d);
        fit(d);
        if (index == DISPI_BPP || linear != vbe_linear(d)) {
            vga_update_window(d);
        }
    }
    vga_touch(d);
}

void vbe_reset(Vga *d)
{
    memset(d->s->dispi, 0, sizeof(d->s->dispi));
    d->s->dispi[DISPI_ID] = DISPI_VERSION5;
    d->s->dispi_index = 0;
}

void vbe_check(Vga *d)
{
    uint16_t *r = d->s->dispi;
    r[DISPI_BANK] = MIN(r[DISPI_BANK], (d->vram_size >> 16) - 1);
    if (vbe_on(d)) {
        fit(d);
    }
}

/* --- ports: 1CE index, 1CF (or the aligned 1D0) data --- */

static uint64_t vbe_port_read(void *opaque, uint64_t addr, unsigned size)
{
    Vga *d = opaque;
    if (addr == 0) {
        return d->s->dispi_index;
    }
    return addr <= 2 ? vbe_read(d, d->s->dispi_index) : 0xffff;
}

static void vbe_port_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Vga *d = opaque;
    if (addr == 0) {
        d->s->dispi_index = val;
    } else if (addr <= 2) {
        vbe_write(d, d->s->dispi_index, val);
    }
}

const MemoryOps vbe_port_ops = {
    .read = vbe_port_read, .write = vbe_port_write, .min_size = 1, .max_size = 2,
    .unaligned = true,
};

/* --- drawing --- */

/* 5 or 6 bits to 8. */
static uint32_t wide(unsigned v, unsigned n)
{
    return v << (8 - n) | v >> (2 * n - 8);
}

static void line_16(uint32_t *to, const uint8_t *p, unsigned w, bool five)
{
    for (unsigned x = 0; x < w; x++, p += 2) {
        unsigned v = p[0] | p[1] << 8;
        unsigned g = five ? wide(v >> 5 & 31, 5) : wide(v >> 5 & 63, 6);
        to[x] = wide(v >> (five ? 10 : 11) & 31, 5) << 16 | g << 8 | wide(v & 31, 5);
    }
}

static void draw_line(Vga *d, const uint8_t *p, unsigned w)
{
    uint32_t *to = d->line;
    switch (d->s->dispi[DISPI_BPP]) {
    case 8:
        for (unsigned x = 0; x < w; x++) {
            to[x] = d->color[p[x]];
        }
        break;
    case 15: line_16(to, p, w, true); break;
    case 16: line_16(to, p, w, false); break;
    case 24:
        for (unsigned x = 0; x < w; x++, p += 3) {
            to[x] = p[0] | p[1] << 8 | p[2] << 16;
        }
        break;
    default:
        for (unsigned x = 0; x < w; x++, p += 4) {
            to[x] = p[0] | p[1] << 8 | p[2] << 16;
        }
        break;
    }
}

static bool page_dirty(const uint64_t *map, uint64_t first, uint64_t last)
{
    for (; first <= last; first++) {
        if (map[first / 64] & BIT(first % 64)) {
            return true;
        }
    }
    return false;
}

void vbe_draw(Vga *d, bool full)
{
    const uint16_t *r = d->s->dispi;
    unsigned w = r[DISPI_XRES], h = r[DISPI_YRES];
    uint64_t pitch = vbe_pitch(d), bytes = line_bytes(d, w);
    uint64_t at = r[DISPI_Y] * pitch + line_bytes(d, r[DISPI_X]);
    if (screen_set_size(&d->screen, w, h)) {
        full = true;
    }
    /* The guest may move the picture: the log of all memory stands, one look clears it
     * for the part that shows. */
    uint64_t base = at & ~4095ull, len = at - base + (h - 1) * pitch + bytes;
    if (base >= d->vram_size) {
        return;
    }
    len = MIN(len, d->vram_size - base);
    uint64_t *map = NEW_ARRAY(uint64_t, (len / 4096 + 2) / 64 + 1);
    if (memory_log_take(&d->vram, base, len, DIRTY_VGA, map) || full) {
        for (unsigned y = 0; y < h; y++, at += pitch) {
            if (at >= d->vram_size || bytes > d->vram_size - at) {
                break;
            }
            if (full || page_dirty(map, (at - base) / 4096, (at - base + bytes - 1) / 4096)) {
                draw_line(d, d->mem + at, w);
                vga_put_line(d, y);
            }
        }
        vga_end_lines(d);
    }
    free(map);
}

/* SPDX-License-Identifier: MIT */
/*
 * Graphics modes: the shift registers' three loads. IBM VGA reference, graphics mode
 * register bits 5 and 6: planar (2 and 16 colours), interleaved (CGA 4 colours), 256
 * colours (mode 13h and unchained ones). One character clock makes eight dots.
 */
#include "hw/display/vga_int.h"

/* Bit n to bit 0 of nibble n. */
static uint32_t nibbles(uint32_t v)
{
    v = (v | v << 12) & 0x000f000f;
    v = (v | v << 6) & 0x03030303;
    return (v | v << 3) & 0x11111111;
}

void vga_planar_line(const Vga *d, const uint8_t *p, uint32_t *out)
{
    uint32_t v = nibbles(p[0]) | nibbles(p[1]) << 1 | nibbles(p[2]) << 2 | nibbles(p[3]) << 3;
    for (unsigned i = 0; i < 8; i++) {
        out[i] = d->color16[v >> (28 - 4 * i) & 15];
    }
}

/* Planes 0 and 2 make the left four dots of two and two bits, 1 and 3 the right four. */
static void interleaved(const Vga *d, const uint8_t *p, uint32_t *out)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned odd = i >> 2, shift = 6 - 2 * (i & 3);
        out[i] = d->color16[(p[odd] >> shift & 3) | (p[2 + odd] >> shift & 3) << 2];
    }
}

/* Four pixels of two dots. The palette registers are the identity in these modes. */
static void byte_pixels(const Vga *d, const uint8_t *p, uint32_t *out)
{
    for (unsigned i = 0; i < 4; i++) {
        out[2 * i] = out[2 * i + 1] = d->color[p[i]];
    }
}

void vga_gfx_line(Vga *d, const VgaScan *v, uint32_t ma, unsigned row_scan, uint32_t *out)
{
    const VgaState *s = d->s;
    unsigned slow = s->crtc[CRTC_UNDERLINE] & 0x20 ? 2 : s->crtc[CRTC_MODE] & 8 ? 1 : 0;
    unsigned load = s->gfx[GFX_MODE] >> 5 & 3;
    for (unsigned c = 0; c <= v->chars; c++, out += 8) {
        uint32_t off = vga_crtc_offset(d, (ma + (c >> slow)) & 0xffff, row_scan);
        const uint8_t *p = d->mem + 4ull * vga_slot(d, off);
        if (load & 2) {
            byte_pixels(d, p, out);
        } else if (load & 1) {
            interleaved(d, p, out);
        } else {
            vga_planar_line(d, p, out);
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * What a VGA BIOS would have done, for kernels started without firmware: mode 3 (80x25
 * text, 720x400) with the default palette and the 8x16 characters, which come out of the
 * card's own ROM. Register values: IBM PS/2 hardware interface technical reference, video
 * subsystem, table of BIOS modes. Machine lock held.
 */
#include <string.h>
#include "hw/display/display_devices.h"
#include "hw/display/vga_int.h"
#include "hw/pci/pci.h"

enum { GLYPHS = 256, HEIGHT = 16, STEP = 32, TEXT_BYTES = 80 * 25 * 2 };

static const uint8_t mode3_seq[5] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const uint8_t mode3_crtc[25] = {
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
};
static const uint8_t mode3_gfx[9] = { 0, 0, 0, 0, 0, 0x10, 0x0e, 0x00, 0xff };
static const uint8_t mode3_attr[21] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
    0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00,
};

const uint8_t *vga_rom_font(Device *dev)
{
    /* characters 0 (empty) and 1 (a face), as every VGA has them */
    static const uint8_t head[2 * HEIGHT] = {
        [16] = 0x00, 0x00, 0x7e, 0x81, 0xa5, 0x81, 0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e,
    };
    const PciDevice *pci = (const PciDevice *)dev;
    if (pci->rom_size < GLYPHS * HEIGHT) {
        return NULL;
    }
    return memmem(memory_host(&pci->rom_mr), pci->rom_size - (GLYPHS - 2) * HEIGHT, head,
                  sizeof(head));
}

/* The 64 colours of the first half of the palette: bits rgbRGB, capitals are two thirds. */
static void default_dac(uint8_t *dac)
{
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned c = 0; c < 3; c++) {
            dac[3 * i + c] = (i >> (2 - c) & 1 ? 0x2a : 0) + (i >> (5 - c) & 1 ? 0x15 : 0);
        }
    }
}

void vga_post_text(Device *dev, Vga *d)
{
    const uint8_t *font = vga_rom_font(dev);
    VgaState *s = d->s;
    if (!font) {
        return;
    }
    s->misc = 0x67;
    memcpy(s->seq, mode3_seq, sizeof(mode3_seq));
    memcpy(s->crtc, mode3_crtc, sizeof(mode3_crtc));
    memcpy(s->gfx, mode3_gfx, sizeof(mode3_gfx));
    memcpy(s->attr, mode3_attr, sizeof(mode3_attr));
    s->attr_index = 0x20;       /* the palette belongs to the screen */
    s->dac_mask = 0xff;
    default_dac(s->dac);
    for (unsigned i = 0; i < GLYPHS * STEP; i++) {
        unsigned row = i % STEP;
        d->mem[4 * vga_slot(d, i) + 2] = row < HEIGHT ? font[i / STEP * HEIGHT + row] : 0;
    }
    for (unsigned i = 0; i < TEXT_BYTES; i += 2) {
        d->mem[4 * vga_slot(d, i)] = ' ';
        d->mem[4 * vga_slot(d, i) + 1] = 0x07;
    }
    vga_update_window(d);
    vga_touch(d);
}

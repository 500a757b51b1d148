/* SPDX-License-Identifier: MIT */
/*
 * The monitor's identification. VESA E-EDID standard, release A, revision 2 (EDID 1.4):
 * section 3.4 vendor and product, 3.6 basic parameters, 3.9 standard timings, 3.10
 * descriptors. The preferred timing is made by the CVT reduced blanking rules (fixed
 * horizontal blank of 160 pixels, 60 Hz).
 */
#include <string.h>
#include "hw/display/vga_int.h"
#include "util/bytes.h"

/* 3.10.2 detailed timing descriptor. */
static void detailed(uint8_t *p, unsigned w, unsigned h)
{
    unsigned hblank = 160, vblank = MAX(h * 3 / 100, 20u);
    unsigned hfront = 48, hsync = 32, vfront = 3, vsync = 6;
    unsigned mm_w = MIN(w * 254 / 960, 4095u), mm_h = MIN(h * 254 / 960, 4095u); /* 96 dpi */
    uint64_t clock = (uint64_t)(w + hblank) * (h + vblank) * 60 / 10000;
    put_le16(p, MIN(clock, 65535ull));
    p[2] = w;
    p[3] = hblank;
    p[4] = (w >> 8 & 15) << 4 | (hblank >> 8 & 15);
    p[5] = h;
    p[6] = vblank;
    p[7] = (h >> 8 & 15) << 4 | (vblank >> 8 & 15);
    p[8] = hfront;
    p[9] = hsync;
    p[10] = (vfront & 15) << 4 | (vsync & 15);
    p[11] = 0;
    p[12] = mm_w;
    p[13] = mm_h;
    p[14] = (mm_w >> 8 & 15) << 4 | (mm_h >> 8 & 15);
    p[17] = 0x18;                       /* digital separate sync */
}

/* 3.10.3: a display descriptor holding a text. */
static void text_descriptor(uint8_t *p, uint8_t tag, const char *text)
{
    size_t n = strlen(text);
    p[3] = tag;
    memset(p + 5, ' ', 13);
    memcpy(p + 5, text, MIN(n, (size_t)13));
    if (n < 13) {
        p[5 + n] = '\n';
    }
}

/* 3.9: width / 8 - 31, aspect ratio in bits 7:6, refresh - 60. */
static void standard_timing(uint8_t *p, unsigned w, unsigned aspect)
{
    p[0] = w / 8 - 31;
    p[1] = aspect << 6;
}

void edid_make(uint8_t out[128], unsigned width, unsigned height)
{
    static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    /* sRGB chromaticities (3.7) */
    static const uint8_t color[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50,
                                       0x54 };
    enum { ASPECT_16_10, ASPECT_4_3, ASPECT_5_4, ASPECT_16_9 };
    memset(out, 0, 128);
    memcpy(out, header, sizeof(header));
    out[8] = 0x13;              /* manufacturer "DYD": letters of five bits, big endian */
    out[9] = 0x24;
    put_le16(out + 10, 1);      /* product */
    out[16] = 1;                /* week and year (1990 + n) of manufacture */
    out[17] = 36;
    out[18] = 1;
    out[19] = 4;
    out[20] = 0xa0;             /* digital, 8 bits a colour */
    out[21] = MIN(width * 254 / 9600, 255u);    /* cm */
    out[22] = MIN(height * 254 / 9600, 255u);
    out[23] = 120;              /* gamma 2.2 */
    out[24] = 0x06;             /* sRGB, the first timing is preferred */
    memcpy(out + 25, color, sizeof(color));
    out[35] = 0x21;             /* 640x480, 800x600 at 60 Hz */
    out[36] = 0x08;             /* 1024x768 at 60 Hz */
    memset(out + 38, 1, 16);    /* unused standard timings */
    standard_timing(out + 38, 1280, ASPECT_16_10);
    standard_timing(out + 40, 1280, ASPECT_5_4);
    standard_timing(out + 42, 1440, ASPECT_16_10);
    standard_timing(out + 44, 1600, ASPECT_4_3);
    standard_timing(out + 46, 1680, ASPECT_16_10);
    standard_timing(out + 48, 1920, ASPECT_16_9);
    standard_timing(out + 50, 1920, ASPECT_16_10);
    detailed(out + 54, width, height);
    text_descriptor(out + 72, 0xfc, "dyad monitor");
    text_descriptor(out + 90, 0xff, "0");
    out[108 + 3] = 0x10;        /* dummy descriptor */
    uint8_t sum = 0;
    for (unsigned i = 0; i < 127; i++) {
        sum += out[i];
    }
    out[127] = -sum;
}

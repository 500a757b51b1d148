/* SPDX-License-Identifier: MIT */
/*
 * From registers and video memory to the surface, scan line by scan line as the CRTC goes:
 * start address, preset row scan, row height, double scan, line compare, panning. Each
 * line is compared with what the surface has, so damage is what really changed.
 * Left out: interlace and the divided scan line clock of the CRTC mode register.
 * Whatever the registers say, addresses are cut to video memory and sizes to the surface.
 */
#include <string.h>
#include "hw/core/machine.h"
#include "hw/display/vga_int.h"

/* Half periods: the cursor blinks twice as fast as characters. */
#define CURSOR_NS 250000000ll

/* --- damage --- */

void vga_end_lines(Vga *d)
{
    if (d->run_h) {
        screen_damage(&d->screen, d->run_x0, d->run_y, d->run_x1 - d->run_x0, d->run_h);
        d->run_h = 0;
    }
}

void vga_put_line(Vga *d, unsigned y)
{
    const Surface *f = &d->screen.surface;
    uint32_t *to = surface_line(f, y);
    unsigned x0 = 0, x1 = f->width;
    if (memcmp(to, d->line, x1 * sizeof(*to)) == 0) {
        return;
    }
    while (to[x0] == d->line[x0]) {
        x0++;
    }
    while (to[x1 - 1] == d->line[x1 - 1]) {
        x1--;
    }
    memcpy(to + x0, d->line + x0, (x1 - x0) * sizeof(*to));
    if (d->run_h && d->run_y + d->run_h == y) {
        d->run_x0 = MIN(d->run_x0, x0);
        d->run_x1 = MAX(d->run_x1, x1);
        d->run_h++;
        return;
    }
    vga_end_lines(d);
    d->run_x0 = x0;
    d->run_x1 = x1;
    d->run_y = y;
    d->run_h = 1;
}

/* --- colours --- */

static void load_colors(Vga *d)
{
    const VgaState *s = d->s;
    bool eight = s->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC;
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t *p = s->dac + 3 * (i & s->dac_mask);
        uint32_t v = 0;
        for (unsigned k = 0; k < 3; k++) {
            unsigned c = eight ? p[k] : (p[k] & 0x3f) << 2 | (p[k] & 0x3f) >> 4;
            v = v << 8 | c;
        }
        d->color[i] = v;
    }
    for (unsigned i = 0; i < 16; i++) { /* attribute controller: palette, colour select */
        unsigned c = s->attr[i & s->attr[ATTR_PLANES] & 15] & 0x3f;
        c |= (s->attr[ATTR_COLOR] & 0x0c) << 4;
        if (s->attr[ATTR_MODE] & 0x80) {
            c = (c & 0xcf) | (s->attr[ATTR_COLOR] & 3) << 4;
        }
        d->color16[i] = d->color[c];
    }
}

static bool is_blank(const Vga *d)
{
    return !(d->s->attr_index & 0x20) || (!vbe_on(d) && (d->s->seq[SEQ_CLOCK] & 0x20));
}

static void draw_blank(Vga *d)
{
    const Surface *f = &d->screen.surface;
    if (!f->pixels) {
        screen_set_size(&d->screen, 640, 400);
    }
    memset(f->pixels, 0, f->stride * f->height);
    screen_damage(&d->screen, 0, 0, f->width, f->height);
}

/* --- the scan --- */

void vga_scan_get(const Vga *d, VgaScan *v)
{
    const VgaState *s = d->s;
    const uint8_t *c = s->crtc;
    unsigned ov = c[CRTC_OVERFLOW], ms = c[CRTC_MAXSCAN], pan = s->attr[ATTR_PAN] & 15;
    *v = (VgaScan){
        .chars = c[CRTC_HDE] + 1,
        .lines = (c[CRTC_VDE] | (ov & 2) << 7 | (ov & 0x40) << 3) + 1,
        .scale = s->seq[SEQ_CLOCK] & 8 ? 2 : 1,
        .offset = c[CRTC_OFFSET] * 2,
        .start = c[CRTC_START_HI] << 8 | c[CRTC_START_LO],
        .line_compare = c[CRTC_LINE_COMPARE] | (ov & 0x10) << 4 | (ms & 0x40) << 3,
        .rows = (ms & 0x1f) + 1,
        .cursor = c[CRTC_CURSOR_HI] << 8 | c[CRTC_CURSOR_LO],
        .doubled = ms & 0x80,
        .text = !(s->gfx[GFX_MISC] & 1),
    };
    v->dots = v->text && !(s->seq[SEQ_CLOCK] & 1) ? 9 : 8;
    if (v->dots == 9) {
        v->pan = pan > 7 ? 0 : pan + 1;
    } else {
        v->pan = s->gfx[GFX_MODE] & 0x40 && !v->text ? pan & 6 : pan & 7;
    }
}

static void draw_scan_line(Vga *d, const VgaScan *v, unsigned y, uint32_t ma,
                           unsigned row_scan, unsigned pan)
{
    uint32_t raw[257 * 9];
    unsigned width = d->screen.surface.width;
    if (v->text) {
        vga_text_line(d, v, ma, row_scan, raw);
    } else {
        vga_gfx_line(d, v, ma, row_scan, raw);
    }
    if (v->scale == 1) {
        memcpy(d->line, raw + pan, width * sizeof(*raw));
    } else {
        for (unsigned x = 0; x < width; x++) {
            d->line[x] = raw[pan + x / 2];
        }
    }
    vga_put_line(d, y);
}

/* only_cursor: lines without the cursor are known to be right. */
static void draw_scan(Vga *d, const VgaScan *v, bool only_cursor)
{
    const VgaState *s = d->s;
    unsigned row_scan = s->crtc[CRTC_PRESET] & 0x1f, pan = v->pan;
    uint32_t ma = v->start + (s->crtc[CRTC_PRESET] >> 5 & 3);
    bool again = v->doubled;
    unsigned lines = MIN(v->lines, d->screen.surface.height);
    for (unsigned y = 0; y < lines; y++) {
        if (!only_cursor || (v->cursor - ma) % 0x10000 <= v->chars) {
            draw_scan_line(d, v, y, ma & 0xffff, row_scan, pan);
        }
        if (y == v->line_compare) { /* split screen: the rest shows memory from 0 */
            ma = 0;
            row_scan = 0;
            again = v->doubled;
            if (s->attr[ATTR_MODE] & 0x20) {
                pan = 0;
            }
        } else if (again) {
            again = false;
        } else {
            again = v->doubled;
            row_scan = (row_scan + 1) & 0x1f;
            if (row_scan == (v->rows & 0x1f)) {
                row_scan = 0;
                ma += v->offset;
            }
        }
    }
    vga_end_lines(d);
}

static int64_t draw_vga(Vga *d, bool full)
{
    VgaScan v;
    vga_scan_get(d, &v);
    if (screen_set_size(&d->screen, v.chars * v.dots * v.scale, v.lines)) {
        full = true;
    }
    full |= memory_log_take(&d->vram, 0, VGA_PLANES_SIZE, DIRTY_VGA, NULL);
    int64_t now = clock_now(d->dev->machine->clock), half = now / CURSOR_NS;
    bool cursor_on = !(half & 1), chars_on = !(half & 2);
    bool cursor_moves = v.text && cursor_on != d->cursor_on;
    bool chars_move = v.text && d->blinks && chars_on != d->chars_on;
    d->cursor_on = cursor_on;
    d->chars_on = chars_on;
    if (full || chars_move) {
        d->blinks = false;
        draw_scan(d, &v, false);
    } else if (cursor_moves) {
        draw_scan(d, &v, true);
    }
    bool cursor = !(d->s->crtc[CRTC_CURSOR_START] & 0x20);
    return v.text && (cursor || d->blinks) ? (half + 1) * CURSOR_NS : -1;
}

/* 16-colour dispi modes: planes in plain order. */
static void draw_vbe_planar(Vga *d, bool full)
{
    const VgaState *s = d->s;
    unsigned w = s->dispi[DISPI_XRES], h = s->dispi[DISPI_YRES];
    uint32_t pitch = vbe_pitch(d);
    if (screen_set_size(&d->screen, w, h)) {
        full = true;
    }
    if (!memory_log_take(&d->vram, 0, d->vram_size, DIRTY_VGA, NULL) && !full) {
        return;
    }
    uint32_t at = s->dispi[DISPI_Y] * pitch + s->dispi[DISPI_X] / 8;
    for (unsigned y = 0; y < h; y++, at += pitch) {
        for (unsigned c = 0; c < (w + 7) / 8; c++) {
            vga_planar_line(d, d->mem + 4ull * vga_slot(d, at + c), d->line + 8 * c);
        }
        vga_put_line(d, y);
    }
    vga_end_lines(d);
}

static int64_t vga_refresh(void *opaque, bool all)
{
    Vga *d = opaque;
    memory_flush_writes(d->window_io.machine);
    bool full = all || d->redraw;
    d->redraw = false;
    d->run_h = 0;
    if (is_blank(d)) {
        if (!d->blanked || !d->screen.surface.pixels) {
            draw_blank(d);
        }
        d->blanked = true;
        return -1;
    }
    full |= d->blanked;
    d->blanked = false;
    if (full) {
        load_colors(d);
    }
    if (!vbe_on(d)) {
        return draw_vga(d, full);
    }
    if (vbe_linear(d)) {
        vbe_draw(d, full);
    } else {
        draw_vbe_planar(d, full);
    }
    return -1;
}

const ScreenOps vga_screen_ops = { .refresh = vga_refresh, .text = vga_text_read };

/* SPDX-License-Identifier: MIT */
/*
 * Text modes: characters from plane 0, attributes from plane 1, two character sets out of
 * eight in plane 2. IBM VGA reference, alphanumeric modes. Any width and row height that
 * the CRTC can say; 8 or 9 dots.
 */
#include "hw/display/vga_int.h"
#include "util/alloc.h"

/* Plane offset of a character set: number's bits 0 and 1 count 16 KiB, bit 2 8 KiB. */
static uint32_t font_offset(unsigned n)
{
    return (n & 3) << 14 | (n & 4) << 11;
}

static const uint8_t *cell(const Vga *d, uint32_t off)
{
    return d->mem + 4ull * vga_slot(d, off);
}

typedef struct TextLook {
    uint32_t font[2];           /* by attribute bit 3: clear, set */
    bool blink, line9, underline; /* this scan line is the underline's */
    bool cursor;                /* this scan line may show the cursor */
} TextLook;

static TextLook text_look(const Vga *d, unsigned row_scan)
{
    const VgaState *s = d->s;
    unsigned f = s->seq[SEQ_FONT];
    unsigned start = s->crtc[CRTC_CURSOR_START], end = s->crtc[CRTC_CURSOR_END] & 0x1f;
    return (TextLook){
        .font = { font_offset((f & 3) | (f >> 2 & 4)), font_offset((f >> 2 & 3) | (f >> 3 & 4)) },
        .blink = s->attr[ATTR_MODE] & 8,
        .line9 = s->attr[ATTR_MODE] & 4,
        .underline = row_scan == (s->crtc[CRTC_UNDERLINE] & 0x1f),
        .cursor = d->cursor_on && !(start & 0x20) && row_scan >= (start & 0x1f) &&
                  row_scan <= end,
    };
}

void vga_text_line(Vga *d, const VgaScan *v, uint32_t ma, unsigned row_scan, uint32_t *out)
{
    TextLook k = text_look(d, row_scan);
    for (unsigned c = 0; c <= v->chars; c++, ma++, out += v->dots) {
        const uint8_t *p = cell(d, vga_crtc_offset(d, ma & 0xffff, row_scan));
        uint8_t ch = p[0], attr = p[1];
        unsigned glyph = cell(d, k.font[attr >> 3 & 1] + ch * 32 + row_scan)[2];
        unsigned fg = attr & 15, bg = attr >> 4;
        bool last = v->dots == 9 && k.line9 && ch >= 0xc0 && ch <= 0xdf && (glyph & 1);
        if (k.blink) {
            bg &= 7;
            if (attr & 0x80) {
                d->blinks = true;
                if (!d->chars_on) {
                    glyph = 0;
                    last = false;
                }
            }
        }
        if ((k.underline && (attr & 7) == 1 && !(attr & 0x70)) ||
            (k.cursor && (ma & 0xffff) == v->cursor)) {
            glyph = 0xff;
            last = true;
        }
        for (unsigned i = 0; i < 8; i++) {
            out[i] = d->color16[glyph & 0x80 >> i ? fg : bg];
        }
        if (v->dots == 9) {
            out[8] = d->color16[last ? fg : bg];
        }
    }
}

bool vga_text_read(void *vga, TextScreen *t)
{
    Vga *d = vga;
    VgaScan v;
    vga_scan_get(d, &v);
    if (vbe_on(d) || !v.text) {
        return false;
    }
    unsigned height = v.rows << v.doubled;
    t->cols = MIN(v.chars, (unsigned)TEXT_MAX_COLS);
    t->rows = MIN(MAX(v.lines / height, 1u), (unsigned)TEXT_MAX_ROWS);
    t->cells = NEW_ARRAY(uint16_t, t->cols * t->rows);
    for (unsigned i = 0; i < t->cols * t->rows; i++) {
        uint32_t ma = (v.start + i / t->cols * v.offset + i % t->cols) & 0xffff;
        const uint8_t *p = cell(d, vga_crtc_offset(d, ma, 0));
        t->cells[i] = p[0] | p[1] << 8;
        if (ma == v.cursor && !(d->s->crtc[CRTC_CURSOR_START] & 0x20)) {
            t->cursor_x = i % t->cols;
            t->cursor_y = i / t->cols;
        }
    }
    return true;
}

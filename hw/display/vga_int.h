/* SPDX-License-Identifier: MIT */
/*
 * The VGA core, shared by the files of hw/display. IBM VGA (PS/2 hardware interface
 * technical reference, video subsystem) with the Bochs dispi extension. Machine lock.
 *
 * Video memory: plane p of plane offset n is byte 4 * slot(n) + p. In VGA modes slot is n
 * rotated right by two within 16 bits, so that the 64 KiB of a chained (mode 13h) window
 * are the first 64 KiB of video memory in order, and may be mapped straight to the guest.
 */
#ifndef HW_DISPLAY_VGA_INT_H
#define HW_DISPLAY_VGA_INT_H

#include "hw/core/device.h"
#include "hw/core/display.h"

enum { /* register indices that others than vga.c look at */
    SEQ_CLOCK = 1, SEQ_MAP_MASK = 2, SEQ_FONT = 3, SEQ_MEMORY = 4,
    GFX_SET_RESET = 0, GFX_ENABLE_SR = 1, GFX_COMPARE = 2, GFX_ROTATE = 3,
    GFX_READ_MAP = 4, GFX_MODE = 5, GFX_MISC = 6, GFX_DONT_CARE = 7, GFX_BIT_MASK = 8,
    CRTC_HTOTAL = 0x00, CRTC_HDE = 0x01, CRTC_VTOTAL = 0x06, CRTC_OVERFLOW = 0x07,
    CRTC_PRESET = 0x08, CRTC_MAXSCAN = 0x09, CRTC_CURSOR_START = 0x0a,
    CRTC_CURSOR_END = 0x0b, CRTC_START_HI = 0x0c, CRTC_START_LO = 0x0d,
    CRTC_CURSOR_HI = 0x0e, CRTC_CURSOR_LO = 0x0f, CRTC_VRS = 0x10, CRTC_VRE = 0x11,
    CRTC_VDE = 0x12, CRTC_OFFSET = 0x13, CRTC_UNDERLINE = 0x14, CRTC_MODE = 0x17,
    CRTC_LINE_COMPARE = 0x18,
    ATTR_MODE = 0x10, ATTR_PLANES = 0x12, ATTR_PAN = 0x13, ATTR_COLOR = 0x14,
};
enum { /* dispi registers and ENABLE bits */
    DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK,
    DISPI_VIRT_WIDTH, DISPI_VIRT_HEIGHT, DISPI_X, DISPI_Y, DISPI_MEMORY_64K, DISPI_REGS,
    DISPI_ENABLED = 0x01, DISPI_GETCAPS = 0x02, DISPI_8BIT_DAC = 0x20, DISPI_LFB = 0x40,
    DISPI_NOCLEAR = 0x80,
    DISPI_MAX_X = 2560, DISPI_MAX_Y = 1600, DISPI_MAX_VIRT = 16384,
};
enum { VGA_WINDOW = 0xa0000, VGA_WINDOW_SIZE = 0x20000, VGA_PLANES_SIZE = 0x40000 };

typedef struct VgaState {
    uint8_t misc, feature;
    uint8_t seq_index, gfx_index, crtc_index, attr_index; /* attr: bit 5 = PAS */
    uint8_t seq[8], gfx[16], crtc[32], attr[32];
    bool attr_data;             /* flip-flop of 3C0: the next write is data */
    bool dac_reading;           /* 3C7 was written last */
    uint8_t dac[768];           /* as written: 6 bits, or 8 with DISPI_8BIT_DAC */
    uint8_t dac_mask, dac_read, dac_write;
    uint8_t dac_sub;            /* 0..2: next component */
    uint8_t dac_latch[3];
    uint32_t latch;             /* the four planes' latches, plane 0 lowest */
    uint16_t dispi_index, dispi[16];
} VgaState;
extern const StateDesc vga_state;

typedef struct Vga Vga;

typedef struct VgaPorts {
    Vga *vga;
    uint16_t base;
    MemoryRegion mr;
} VgaPorts;

struct Vga {
    VgaState *s;
    Device *dev;
    MemoryRegion vram;
    uint8_t *mem;
    uint64_t vram_size;         /* bytes, power of two, at least 1 MiB */
    VgaPorts ports[6];
    MemoryRegion window_io;     /* 0xa0000-0xbffff through the planes' logic */
    MemoryRegion window_ram;    /* its first 64 KiB as memory, where that is the same */
    bool decode_io, decode_mem; /* the function's command register */
    Screen screen;
    /* drawing: */
    bool redraw;                /* registers changed: draw all */
    bool blanked;               /* the surface is black */
    bool cursor_on, chars_on;   /* blink phases last drawn */
    bool blinks;                /* some character on the screen blinks */
    uint32_t color[256];        /* DAC as pixels */
    uint32_t color16[16];       /* through the attribute controller */
    unsigned run_y, run_x0, run_x1; /* damage not told yet: lines run_y.., run_h of them */
    unsigned run_h;
    uint32_t *line;             /* one scan line being drawn */
};
enum { VGA_LINE_PIXELS = 4864 /* 257 characters of 18 dots and a bit */ };

/* --- vga.c --- */
/* In realize: memory, ports, legacy window in `bus_mem`. */
bool vga_init(Vga *d, Device *dev, VgaState *s, uint64_t vram_size, MemoryRegion *bus_mem,
              MemoryRegion *bus_io, Error *err);
void vga_destroy(Vga *d);
void vga_reset(Vga *d);
bool vga_post_load(Vga *d, Error *err);
uint8_t vga_port_read(Vga *d, unsigned port);
void vga_port_write(Vga *d, unsigned port, uint8_t v);
/* Maps what the registers and the command register say. */
void vga_update_window(Vga *d);
void vga_set_decode(Vga *d, bool io, bool mem);
void vga_touch(Vga *d);         /* the picture changes as a whole */

/* --- vga_mem.c --- */
extern const MemoryOps vga_window_ops;
/* Is the chained window plain memory now? */
bool vga_window_is_ram(const Vga *d);
uint32_t vga_slot(const Vga *d, uint32_t off);

/* --- vbe.c --- */
static inline bool vbe_on(const Vga *d)
{
    return d->s->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}
static inline bool vbe_linear(const Vga *d) /* on, not planar */
{
    return vbe_on(d) && d->s->dispi[DISPI_BPP] > 4;
}
extern const MemoryOps vbe_port_ops;
uint16_t vbe_read(Vga *d, unsigned index);
void vbe_write(Vga *d, unsigned index, uint16_t v);
void vbe_reset(Vga *d);
void vbe_check(Vga *d);         /* after a load: everything within bounds */
uint32_t vbe_pitch(const Vga *d);   /* bytes of a line; planar: of a plane */
/* Draws 8 bpp and up; full: all lines. */
void vbe_draw(Vga *d, bool full);

/* --- vga_draw.c --- */
extern const ScreenOps vga_screen_ops;
/* Puts d->line as line y of the surface if it differs, and notes the damage. */
void vga_put_line(Vga *d, unsigned y);
void vga_end_lines(Vga *d);     /* tells the rest of the damage */

/* What the CRTC says, bounded. */
typedef struct VgaScan {
    unsigned chars, lines;      /* displayed */
    unsigned dots;              /* of a character: 8 or 9 */
    unsigned scale;             /* 2: halved dot clock */
    unsigned offset;            /* memory addresses from row to row */
    unsigned start, line_compare, rows /* scan lines of a row */, cursor;
    unsigned pan;               /* dots */
    bool doubled;               /* each scan line twice */
    bool text;
} VgaScan;
void vga_scan_get(const Vga *d, VgaScan *v);
/* Plane offset for a memory address of the CRTC (address multiplexer). */
static inline uint32_t vga_crtc_offset(const Vga *d, uint32_t ma, unsigned row_scan)
{
    uint8_t mode = d->s->crtc[CRTC_MODE];
    uint32_t a = ma;
    if (d->s->crtc[CRTC_UNDERLINE] & 0x40) {        /* doubleword */
        a = ma << 2;   /* bits 0 and 1 stay clear, as they do for the host's side */
    } else if (!(mode & 0x40)) {                    /* word */
        a = ma << 1 | ((ma >> (mode & 0x20 ? 15 : 13)) & 1);
    }
    if (!(mode & 1)) {
        a = (a & ~0x2000u) | (row_scan & 1) << 13;
    }
    if (!(mode & 2)) {
        a = (a & ~0x4000u) | ((row_scan >> 1) & 1) << 14;
    }
    return a & 0xffff;
}

/* --- vga_text.c, vga_gfx.c: one scan line into d->line, v->chars + 1 characters --- */
void vga_text_line(Vga *d, const VgaScan *v, uint32_t ma, unsigned row_scan, uint32_t *out);
void vga_gfx_line(Vga *d, const VgaScan *v, uint32_t ma, unsigned row_scan, uint32_t *out);
void vga_planar_line(const Vga *d, const uint8_t *planes, uint32_t *out); /* 8 dots */
bool vga_text_read(void *vga, TextScreen *t);

/* --- vga_post.c --- */
void vga_post_text(Device *dev, Vga *d);

/* --- edid.c --- */
/* Block 0 (VESA E-EDID 1.4, 3) with width x height as the preferred mode. */
void edid_make(uint8_t out[128], unsigned width, unsigned height);

#endif

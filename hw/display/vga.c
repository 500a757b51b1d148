/* SPDX-License-Identifier: MIT */
/*
 * VGA registers: general, sequencer, CRT controller, graphics controller, attribute
 * controller, DAC; the legacy window's place. IBM PS/2 hardware interface technical
 * reference, video subsystem. Left out: light pen, the vertical interrupt, sense switches
 * (always a colour monitor). Machine lock held.
 */
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "hw/display/vga_int.h"
#include "util/alloc.h"

/* Bits that exist. */
static const uint8_t seq_bits[8] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t gfx_bits[16] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t attr_bits[32] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
};
enum { CRTC_REGS = 0x19 };

void vga_touch(Vga *d)
{
    d->redraw = true;
    screen_changed(&d->screen);
}

/* --- status register 1: where the beam is, by virtual time --- */

static uint8_t read_status1(Vga *d)
{
    const VgaState *s = d->s;
    const uint8_t *c = s->crtc;
    unsigned dots = s->seq[SEQ_CLOCK] & 1 ? 8 : 9;
    int64_t hz = (s->misc >> 2 & 3) == 1 ? 28322000 : 25175000;
    if (s->seq[SEQ_CLOCK] & 8) {
        hz /= 2;
    }
    unsigned ov = c[CRTC_OVERFLOW];
    unsigned htotal = c[CRTC_HTOTAL] + 5;
    unsigned vtotal = (c[CRTC_VTOTAL] | (ov & 1) << 8 | (ov & 0x20) << 4) + 2;
    unsigned vde = (c[CRTC_VDE] | (ov & 2) << 7 | (ov & 0x40) << 3) + 1;
    unsigned vrs = c[CRTC_VRS] | (ov & 4) << 6 | (ov & 0x80) << 2;
    unsigned vre = c[CRTC_VRE] & 15;
    int64_t line_ns = MAX((int64_t)htotal * dots * NS_PER_SEC / hz, 1);
    int64_t t = clock_now(d->dev->machine->clock) % (line_ns * vtotal);
    unsigned line = t / line_ns, at = t % line_ns * htotal / line_ns;
    unsigned long_ = (vre - vrs) & 15;
    uint8_t v = 0;
    if (line >= vde || at > c[CRTC_HDE]) {
        v |= 1;                                 /* not displaying */
    }
    if (line >= vrs && line < vrs + (long_ ? long_ : 16)) {
        v |= 8;                                 /* vertical retrace */
    }
    return v;
}

/* --- DAC --- */

static void dac_write(Vga *d, uint8_t v)
{
    VgaState *s = d->s;
    s->dac_latch[s->dac_sub % 3] = s->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? v : v & 0x3f;
    if (++s->dac_sub >= 3) {
        s->dac_sub = 0;
        memcpy(s->dac + 3 * s->dac_write++, s->dac_latch, 3);
        vga_touch(d);
    }
}

static uint8_t dac_read(Vga *d)
{
    VgaState *s = d->s;
    uint8_t v = s->dac[3 * s->dac_read + s->dac_sub % 3];
    if (++s->dac_sub >= 3) {
        s->dac_sub = 0;
        s->dac_read++;
    }
    return v;
}

/* --- indexed registers --- */

static void attr_write(Vga *d, uint8_t v)
{
    VgaState *s = d->s;
    if (!s->attr_data) {
        if ((s->attr_index ^ v) & 0x20) {
            vga_touch(d);
        }
        s->attr_index = v & 0x3f;
    } else {
        unsigned i = s->attr_index & 0x1f;
        s->attr[i] = v & attr_bits[i];
        vga_touch(d);
    }
    s->attr_data = !s->attr_data;
}

static void crtc_write(Vga *d, uint8_t v)
{
    VgaState *s = d->s;
    unsigned i = s->crtc_index;
    if (i >= CRTC_REGS) {
        return;
    }
    if (i <= 7 && (s->crtc[CRTC_VRE] & 0x80)) { /* 0-7 are protected but for one bit */
        if (i == CRTC_OVERFLOW) {
            s->crtc[i] = (s->crtc[i] & ~0x10) | (v & 0x10);
            vga_touch(d);
        }
        return;
    }
    if (s->crtc[i] == v) {
        return;
    }
    s->crtc[i] = v;
    vga_touch(d);
}

static void seq_write(Vga *d, uint8_t v)
{
    unsigned i = d->s->seq_index & 7;
    v &= seq_bits[i];
    if (d->s->seq[i] == v) {
        return;
    }
    d->s->seq[i] = v;
    if (i == SEQ_MAP_MASK || i == SEQ_MEMORY) {
        vga_update_window(d);
    }
    if (i != SEQ_MAP_MASK) {
        vga_touch(d);
    }
}

static void gfx_write(Vga *d, uint8_t v)
{
    unsigned i = d->s->gfx_index & 15;
    v &= gfx_bits[i];
    if (d->s->gfx[i] == v) {
        return;
    }
    d->s->gfx[i] = v;
    if (d->s->seq[SEQ_MEMORY] & 8) {    /* only a chained window is ever memory */
        vga_update_window(d);
    }
    if (i == GFX_MODE || i == GFX_MISC) {
        vga_touch(d);
    }
}

/* --- ports --- */

/* The CRTC and status 1 answer at 3Bx or 3Dx (miscellaneous output, bit 0). */
static bool other_half(const Vga *d, unsigned port)
{
    unsigned group = port & 0x3f0;
    return group != 0x3c0 && group != (d->s->misc & 1 ? 0x3d0 : 0x3b0);
}

uint8_t vga_port_read(Vga *d, unsigned port)
{
    VgaState *s = d->s;
    if (other_half(d, port)) {
        return 0xff;
    }
    switch (port) {
    case 0x3c0: return s->attr_index;
    case 0x3c1: return s->attr[s->attr_index & 0x1f];
    case 0x3c2: return 0x10;                    /* input status 0: monitor sense */
    case 0x3c4: return s->seq_index;
    case 0x3c5: return s->seq[s->seq_index & 7];
    case 0x3c6: return s->dac_mask;
    case 0x3c7: return s->dac_reading ? 3 : 0;
    case 0x3c8: return s->dac_write;
    case 0x3c9: return dac_read(d);
    case 0x3ca: return s->feature;
    case 0x3cc: return s->misc;
    case 0x3ce: return s->gfx_index;
    case 0x3cf: return s->gfx[s->gfx_index & 15];
    case 0x3b4:
    case 0x3d4: return s->crtc_index;
    case 0x3b5:
    case 0x3d5: return s->crtc_index < CRTC_REGS ? s->crtc[s->crtc_index] : 0xff;
    case 0x3ba:
    case 0x3da: s->attr_data = false; return read_status1(d);
    default: return 0xff;
    }
}

void vga_port_write(Vga *d, unsigned port, uint8_t v)
{
    VgaState *s = d->s;
    if (other_half(d, port)) {
        return;
    }
    switch (port) {
    case 0x3c0: attr_write(d, v); break;
    case 0x3c2:
        s->misc = v & 0xef;
        vga_update_window(d);
        break;
    case 0x3c4: s->seq_index = v & 7; break;
    case 0x3c5: seq_write(d, v); break;
    case 0x3c6:
        s->dac_mask = v;
        vga_touch(d);
        break;
    case 0x3c7:
        s->dac_read = v;
        s->dac_sub = 0;
        s->dac_reading = true;
        break;
    case 0x3c8:
        s->dac_write = v;
        s->dac_sub = 0;
        s->dac_reading = false;
        break;
    case 0x3c9: dac_write(d, v); break;
    case 0x3ce: s->gfx_index = v & 15; break;
    case 0x3cf: gfx_write(d, v); break;
    case 0x3b4:
    case 0x3d4: s->crtc_index = v & 0x3f; break;
    case 0x3b5:
    case 0x3d5: crtc_write(d, v); break;
    case 0x3ba:
    case 0x3da: s->feature = v & 0x10; break;
    default: break;
    }
}

static uint64_t ports_read(void *opaque, uint64_t addr, unsigned size)
{
    VgaPorts *p = opaque;
    return vga_port_read(p->vga, p->base + addr);
}

static void ports_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    VgaPorts *p = opaque;
    vga_port_write(p->vga, p->base + addr, val);
}

static const MemoryOps ports_ops = {
    .read = ports_read, .write = ports_write, .min_size = 1, .max_size = 1,
};

/* --- the window --- */

void vga_update_window(Vga *d)
{
    bool ram = d->decode_mem && vga_window_is_ram(d);
    uint64_t bank = vbe_linear(d) ? (uint64_t)d->s->dispi[DISPI_BANK] << 16 : 0;
    memory_begin(d->dev->machine);
    memory_set_enabled(&d->window_io, d->decode_mem);
    if (ram) {
        memory_set_alias_off(&d->window_ram, MIN(bank, d->vram_size - 0x10000));
    }
    memory_set_enabled(&d->window_ram, ram);
    memory_commit(d->dev->machine);
    /* What the guest writes without passing through us must be looked for. */
    screen_set_poll(&d->screen, ram || vbe_on(d));
}

void vga_set_decode(Vga *d, bool io, bool mem)
{
    d->decode_mem = mem;
    memory_begin(d->dev->machine);
    for (unsigned i = 0; i < ARRAY_SIZE(d->ports); i++) {
        memory_set_enabled(&d->ports[i].mr, io);
    }
    d->decode_io = io;
    vga_update_window(d);
    memory_commit(d->dev->machine);
}

/* --- life --- */

bool vga_init(Vga *d, Device *dev, VgaState *s, uint64_t vram_size, MemoryRegion *bus_mem,
              MemoryRegion *bus_io, Error *err)
{
    static const struct {
        uint16_t base, size;
    } places[] = { { 0x3b4, 2 }, { 0x3ba, 1 }, { 0x3c0, 16 }, { 0x3d4, 2 }, { 0x3da, 1 },
                   { 0x1ce, 4 } };
    Machine *m = dev->machine;
    d->s = s;
    d->dev = dev;
    d->vram_size = vram_size;
    if (!memory_init_ram(&d->vram, m, "vga-memory", vram_size, err)) {
        return false;
    }
    d->mem = memory_host(&d->vram);
    d->line = NEW_ARRAY(uint32_t, VGA_LINE_PIXELS);
    _Static_assert(ARRAY_SIZE(places) == ARRAY_SIZE(d->ports), "one region each");
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        VgaPorts *p = &d->ports[i];
        p->vga = d;
        p->base = places[i].base;
        bool dispi = p->base == 0x1ce;
        device_add_io(dev, &p->mr, "vga", places[i].size, dispi ? &vbe_port_ops : &ports_ops,
                      dispi ? (void *)d : p);
        device_map(dev, bus_io, &p->mr, p->base, 0);
    }
    device_add_io(dev, &d->window_io, "vga-window", VGA_WINDOW_SIZE, &vga_window_ops, d);
    d->window_io.coalesced = true;
    device_map(dev, bus_mem, &d->window_io, VGA_WINDOW, 1);
    memory_init_alias(&d->window_ram, m, "vga-window-ram", &d->vram, 0, 0x10000);
    device_map(dev, bus_mem, &d->window_ram, VGA_WINDOW, 2);
    memory_set_enabled(&d->window_ram, false);
    memory_log_start(&d->vram, DIRTY_VGA);
    screen_register(m, &d->screen, dev->cls->name, &vga_screen_ops, d);
    return true;
}

void vga_destroy(Vga *d)
{
    screen_unregister(&d->screen);
    free(d->line);
    d->line = NULL;
}

/* Power-on values are for the BIOS to set; enough is set for a kernel without BIOS to find
 * the DAC and the colour ports in order. Video memory is cleared: nothing of an earlier
 * life shows. */
void vga_reset(Vga *d)
{
    *d->s = (VgaState){ .misc = 0x01, .dac_mask = 0xff };
    memset(d->mem, 0, VGA_PLANES_SIZE);
    memory_set_dirty(d->dev->machine, d->vram.ram_addr, VGA_PLANES_SIZE);
    vbe_reset(d);
    vga_update_window(d);
    vga_touch(d);
}

bool vga_post_load(Vga *d, Error *err)
{
    vbe_check(d);
    vga_update_window(d);
    d->blanked = false;
    timer_del(&d->screen.timer);    /* its deadline was another clock's */
    vga_touch(d);
    return true;
}

static const StateField vga_fields[] = {
    STATE_U8(VgaState, misc), STATE_U8(VgaState, feature), STATE_U8(VgaState, seq_index),
    STATE_U8(VgaState, gfx_index), STATE_U8(VgaState, crtc_index),
    STATE_U8(VgaState, attr_index), STATE_U8_ARRAY(VgaState, seq),
    STATE_U8_ARRAY(VgaState, gfx), STATE_U8_ARRAY(VgaState, crtc),
    STATE_U8_ARRAY(VgaState, attr), STATE_BOOL(VgaState, attr_data),
    STATE_BOOL(VgaState, dac_reading), STATE_BYTES(VgaState, dac),
    STATE_U8(VgaState, dac_mask), STATE_U8(VgaState, dac_read),
    STATE_U8(VgaState, dac_write), STATE_U8_MAX(VgaState, dac_sub, 2),
    STATE_U8_ARRAY(VgaState, dac_latch), STATE_U32(VgaState, latch),
    STATE_U16(VgaState, dispi_index), STATE_U16_ARRAY(VgaState, dispi), STATE_END
};
const StateDesc vga_state = {
    .version = 1, .size = sizeof(VgaState), .fields = vga_fields,
};

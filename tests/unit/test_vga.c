/* SPDX-License-Identifier: MIT */
/*
 * The VGA card on a board without CPU: modes as the BIOS sets them, pixels looked at one by
 * one. DAC entry n is grey n / blue n in 6 bits, so that a pixel tells its index.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "hw/core/display.h"
#include "tests/unit/pci_board.h"
#include "tests/unit/vga_modes.h"

enum { LFB = 0xe0000000, MMIO = 0xe8000000, DEVFN = 2 << 3 };

static Board *b;
static Screen *scr;

static void out(unsigned port, unsigned v)
{
    io_write(b, port, v, 1);
}

static void idx(unsigned port, unsigned i, unsigned v)
{
    io_write(b, port, i | v << 8, 2);
}

static void dispi(unsigned i, unsigned v)
{
    io_write(b, 0x1ce, i, 2);
    io_write(b, 0x1cf, v, 2);
}

static unsigned dispi_get(unsigned i)
{
    io_write(b, 0x1ce, i, 2);
    return io_read(b, 0x1cf, 2);
}

/* Red of entry n is n & 63, green n >> 6: as drawn, widened to 8 bits. */
static uint32_t pix(unsigned n)
{
    unsigned r = n & 63, g = n >> 6;
    return (r << 2 | r >> 4) << 16 | (g << 2 | g >> 4) << 8;
}

static void set_mode(const ModeRegs *m)
{
    out(0x3c2, m->misc);
    for (unsigned i = 0; i < 5; i++) {
        idx(0x3c4, i, m->seq[i]);
    }
    idx(0x3d4, 0x11, 0);
    for (unsigned i = 0; i < 25; i++) {
        idx(0x3d4, i, m->crtc[i]);
    }
    for (unsigned i = 0; i < 9; i++) {
        idx(0x3ce, i, m->gfx[i]);
    }
    io_read(b, 0x3da, 1);
    for (unsigned i = 0; i < 21; i++) {
        out(0x3c0, i);
        out(0x3c0, m->attr[i]);
    }
    out(0x3c0, 0x20);
    out(0x3c8, 0);
    for (unsigned i = 0; i < 256; i++) {
        out(0x3c9, i & 63);
        out(0x3c9, i >> 6);
        out(0x3c9, 0);
    }
}

static uint32_t at(unsigned x, unsigned y)
{
    screen_refresh(scr, false);
    assert_true(x < scr->surface.width && y < scr->surface.height);
    return surface_line(&scr->surface, y)[x];
}

static void expect_size(unsigned w, unsigned h)
{
    screen_refresh(scr, false);
    assert_int_equal(scr->surface.width, w);
    assert_int_equal(scr->surface.height, h);
}

static int setup(void **state)
{
    b = board_create();
    board_add(b, "VGA,addr=2,romfile=");
    scr = screen_first(&b->m);
    cfg_write(b, DEVFN, 0x10, LFB, 4);
    cfg_write(b, DEVFN, 0x18, MMIO, 4);
    cfg_write(b, DEVFN, 4, 3, 2);
    return 0;
}

static int teardown(void **state)
{
    board_destroy(b);
    return 0;
}

static void text_cells_show_glyph_and_attribute(void **state)
{
    set_mode(&mode_03);
    idx(0x3c4, 4, 6); /* font: plane 2, sequential */
    idx(0x3c4, 2, 4);
    idx(0x3ce, 5, 0);
    idx(0x3ce, 6, 4);
    mem_write(b, 0xa0000 + 'A' * 32 + 3, 0x81, 1);
    mem_write(b, 0xa0000 + 0xc4 * 32 + 3, 0xff, 1);
    set_mode(&mode_03);
    idx(0x3d4, 0x0a, 0x20); /* no cursor */
    mem_write(b, 0xb8000, 0x1f41, 2);           /* white on blue */
    mem_write(b, 0xb8000 + 2, 0x07c4, 2);       /* line drawing: ninth dot follows */
    mem_write(b, 0xb8000 + 160, 0x2a41, 2);     /* second row */
    expect_size(720, 400);
    assert_int_equal(at(0, 3), pix(0x3f));
    assert_int_equal(at(1, 3), pix(1));
    assert_int_equal(at(7, 3), pix(0x3f));
    assert_int_equal(at(8, 3), pix(1));         /* 'A' leaves the ninth dot */
    assert_int_equal(at(0, 2), pix(1));
    assert_int_equal(at(17, 3), pix(7));        /* 0xc4 does not */
    assert_int_equal(at(0, 16 + 3), pix(0x3a));
    assert_int_equal(at(3, 16 + 3), pix(2));
    assert_int_equal(mem_read(b, 0xb8000, 4), 0x07c41f41);
}

static void the_cursor_is_where_the_crtc_says_and_blinks(void **state)
{
    set_mode(&mode_03);
    mem_write(b, 0xb8000 + 2 * 85, 0x0720, 2);
    idx(0x3d4, 0x0f, 85); /* row 1, column 5 */
    assert_int_equal(at(45, 16 + 12), 0);
    assert_int_equal(at(45, 16 + 13), pix(7));
    assert_int_equal(at(53, 16 + 14), pix(7));
    assert_int_equal(at(54, 16 + 14), 0);
    clock_set(b->m.clock, 300000000);
    assert_int_equal(at(45, 16 + 13), 0);
    clock_set(b->m.clock, 600000000);
    assert_int_equal(at(45, 16 + 13), pix(7));
}

static void text_can_be_read_back_by_the_monitor(void **state)
{
    set_mode(&mode_03);
    mem_write(b, 0xb8000 + 160 * 2 + 6, 0x0758, 2);
    TextScreen t;
    assert_true(screen_text(scr, &t));
    assert_int_equal(t.cols, 80);
    assert_int_equal(t.rows, 25);
    assert_int_equal(t.cells[2 * 80 + 3], 0x0758);
    assert_int_equal(t.cursor_x, 0);
    free(t.cells);
    set_mode(&mode_12);
    assert_false(screen_text(scr, &t));
}

static void write_mode_0_rotates_sets_and_masks(void **state)
{
    set_mode(&mode_12);
    mem_write(b, 0xa0000, 0xff, 1);         /* all planes */
    assert_int_equal(at(0, 0), pix(0x3f));
    idx(0x3c4, 2, 1);
    mem_write(b, 0xa0000, 0x0f, 1);         /* plane 0 only */
    assert_int_equal(at(0, 0), pix(0x3e));
    assert_int_equal(at(4, 0), pix(0x3f));
    idx(0x3c4, 2, 15);
    idx(0x3ce, 3, 4);                       /* rotate right by four */
    mem_write(b, 0xa0001, 0xf0, 1);
    assert_int_equal(at(8, 0), pix(0));
    assert_int_equal(at(12, 0), pix(0x3f));
    idx(0x3ce, 3, 0);
    idx(0x3ce, 0, 5);                       /* set/reset for planes 0-2: 1 0 1 */
    idx(0x3ce, 1, 7);
    idx(0x3ce, 8, 0x80);                    /* leftmost dot only */
    mem_read(b, 0xa0001, 1);                /* latches */
    mem_write(b, 0xa0001, 0x00, 1);
    assert_int_equal(at(8, 0), pix(5));
    assert_int_equal(at(9, 0), pix(0));
    assert_int_equal(at(12, 0), pix(0x3f));
}

static void write_modes_1_to_3_and_the_alu(void **state)
{
    set_mode(&mode_12);
    idx(0x3ce, 5, 2);                       /* mode 2: colour */
    mem_write(b, 0xa0000, 9, 1);
    assert_int_equal(at(0, 0), pix(0x39));
    mem_read(b, 0xa0000, 1);
    idx(0x3ce, 5, 1);                       /* mode 1: latches */
    mem_write(b, 0xa0000 + 80, 0, 1);
    assert_int_equal(at(7, 1), pix(0x39));
    idx(0x3ce, 5, 3);                       /* mode 3: data is the mask, set/reset colour */
    idx(0x3ce, 0, 2);
    mem_write(b, 0xa0000 + 80, 0xf0, 1);
    assert_int_equal(at(3, 1), pix(2));
    assert_int_equal(at(4, 1), pix(0x39));
    idx(0x3ce, 5, 2);
    idx(0x3ce, 3, 0x18);                    /* exclusive or */
    mem_read(b, 0xa0000, 1);
    mem_write(b, 0xa0000, 0x0f, 1);
    assert_int_equal(at(0, 0), pix(0x14));  /* 9 ^ 15 = 6 */
}

static void read_mode_1_compares_colours(void **state)
{
    set_mode(&mode_12);
    idx(0x3c4, 2, 2);
    mem_write(b, 0xa0000, 0x3c, 1);
    idx(0x3ce, 4, 1);
    assert_int_equal(mem_read(b, 0xa0000, 1), 0x3c);
    idx(0x3ce, 5, 8);
    idx(0x3ce, 2, 2);
    idx(0x3ce, 7, 15);
    assert_int_equal(mem_read(b, 0xa0000, 1), 0x3c);
    idx(0x3ce, 2, 0);
    assert_int_equal(mem_read(b, 0xa0000, 1), 0xc3);
    idx(0x3ce, 7, 0);
    assert_int_equal(mem_read(b, 0xa0000, 1), 0xff);
}

static void mode_13h_is_plain_memory_shown_double(void **state)
{
    set_mode(&mode_13);
    expect_size(640, 400);
    const FlatRange *r = address_space_find(&b->m.mem, 0xa0000);
    assert_non_null(r->host);
    mem_write(b, 0xa0000 + 320 * 7 + 5, 0xc3, 1);
    assert_int_equal(at(10, 14), pix(0xc3));
    assert_int_equal(at(11, 15), pix(0xc3));
    assert_int_equal(at(12, 14), 0);
    assert_int_equal(at(10, 16), 0);
    mem_write(b, 0xa0000 + 63999, 0x55, 1);
    assert_int_equal(at(639, 399), pix(0x55));
    idx(0x3ce, 8, 0x0f);    /* the bit mask needs the logic */
    assert_null(address_space_find(&b->m.mem, 0xa0000)->host);
    mem_write(b, 0xa0000 + 63999, 0xff, 1);
}

static void mode_x_has_planes_and_pages(void **state)
{
    set_mode(&mode_13);
    mem_write(b, 0xa0000 + 1, 0x44, 1);     /* plane 1, offset 0: the chip's own layout */
    idx(0x3c4, 4, 6);
    idx(0x3d4, 0x14, 0);
    idx(0x3d4, 0x17, 0xe3);
    assert_int_equal(at(2, 0), pix(0x44));
    idx(0x3c4, 2, 4);
    mem_write(b, 0xa0000 + 80, 0x99, 1);    /* plane 2, second row: pixel 2 */
    assert_int_equal(at(4, 2), pix(0x99));
    idx(0x3c4, 2, 15);
    mem_write(b, 0xa0000 + 0x8000, 0x77, 1);
    idx(0x3d4, 0x0c, 0x80);                 /* the other page */
    assert_int_equal(at(0, 0), pix(0x77));
    assert_int_equal(at(7, 1), pix(0x77));
    assert_int_equal(at(8, 0), 0);
    idx(0x3d4, 0x18, 99);                   /* split: line 100 shows offset 0 */
    idx(0x3d4, 7, 0x0f);
    idx(0x3d4, 9, 0x01);
    assert_int_equal(at(2, 100), pix(0x44));
    assert_int_equal(at(0, 0), pix(0x77));
}

static void panning_moves_the_picture_left(void **state)
{
    set_mode(&mode_12);
    mem_write(b, 0xa0000, 0x10, 1);
    assert_int_equal(at(3, 0), pix(0x3f));
    io_read(b, 0x3da, 1);
    out(0x3c0, 0x33);
    out(0x3c0, 3);
    assert_int_equal(at(0, 0), pix(0x3f));
    assert_int_equal(at(3, 0), pix(0));
}

static void cga_modes_have_two_banks(void **state)
{
    set_mode(&mode_04);
    mem_write(b, 0xb8000, 0x1b, 1);         /* 0 1 2 3 */
    mem_write(b, 0xb8000 + 0x2000, 0xc0, 1);
    mem_write(b, 0xb8000 + 1, 0x80, 1);
    expect_size(640, 400);
    assert_int_equal(at(0, 0), pix(0));
    assert_int_equal(at(2, 0), pix(0x13));
    assert_int_equal(at(4, 1), pix(0x15));
    assert_int_equal(at(6, 0), pix(0x17));
    assert_int_equal(at(8, 0), pix(0x15));  /* the next byte is plane 1's */
    assert_int_equal(at(0, 2), pix(0x17));  /* second line: second bank */
    set_mode(&mode_06);
    mem_write(b, 0xb8000, 0x00, 2);
    mem_write(b, 0xb8000, 0x40, 1);
    assert_int_equal(at(1, 0), pix(0x17));
    assert_int_equal(at(0, 0), pix(0));
}

static void set_vbe(unsigned w, unsigned h, unsigned bpp)
{
    dispi(4, 0);
    dispi(1, w);
    dispi(2, h);
    dispi(3, bpp);
    dispi(4, 0x41);
}

static void dispi_modes_show_every_depth(void **state)
{
    static const struct {
        unsigned bpp, bytes;
        uint32_t value, pixel;
    } depths[] = { { 15, 2, 0x7c1f, 0xff00ff }, { 16, 2, 0x07e0, 0x00ff00 },
                   { 16, 2, 0x8410, 0x848284 }, { 24, 3, 0x123456, 0x123456 },
                   { 32, 4, 0xff123456, 0x123456 } };
    set_mode(&mode_13);
    assert_int_equal(dispi_get(0), 0xb0c5);
    assert_int_equal(dispi_get(10), 256);
    for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
        set_vbe(800, 600, depths[i].bpp);
        expect_size(800, 600);
        uint64_t addr = LFB + (800 * 10 + 7) * depths[i].bytes;
        for (unsigned k = 0; k < depths[i].bytes; k++) {
            mem_write(b, addr + k, depths[i].value >> 8 * k & 0xff, 1);
        }
        assert_int_equal(at(7, 10), depths[i].pixel);
        assert_int_equal(at(8, 10), 0);
    }
    set_vbe(640, 480, 8);
    dispi(5, 2);                            /* bank 2 through the window */
    mem_write(b, 0xa0000 + 3, 0x21, 1);
    assert_int_equal(mem_read(b, LFB + 0x20003, 1), 0x21);
    assert_int_equal(at((0x20003) % 640, 0x20003 / 640), pix(0x21));
    set_vbe(800, 600, 4);
    idx(0x3c4, 4, 6);
    idx(0x3c4, 2, 15);
    idx(0x3ce, 5, 2);
    mem_write(b, 0xa0000 + 100 * 3 + 1, 6, 1);
    assert_int_equal(at(8, 3), pix(6));
    set_vbe(2560, 1600, 32);
    expect_size(2560, 1600);
    mem_write(b, LFB + 4 * (2560 * 1600 - 1), 0x00abcdef, 4);
    assert_int_equal(at(2559, 1599), 0xabcdef);
    dispi(4, 0);
    expect_size(640, 400);
}

static void dispi_offsets_scroll_and_getcaps_tells_limits(void **state)
{
    set_mode(&mode_13);
    set_vbe(640, 480, 32);
    dispi(6, 1024);
    assert_int_equal(dispi_get(7), 4096);   /* 16 MiB / 4 KiB */
    mem_write(b, LFB + 4 * (1024 * 20 + 30), 0x778899, 4);
    assert_int_equal(at(30, 20), 0x778899);
    dispi(8, 30);
    dispi(9, 20);
    assert_int_equal(at(0, 0), 0x778899);
    dispi(9, 60000);                        /* cut to what there is */
    assert_int_equal(dispi_get(9), 4096 - 480);
    dispi(4, 0x43);
    assert_int_equal(dispi_get(1), 2560);
    assert_int_equal(dispi_get(2), 1600);
    assert_int_equal(dispi_get(3), 32);
}

static Box boxes[16];
static unsigned nboxes;

static void on_box(void *opaque, const Surface *s, const Box *box)
{
    if (nboxes < ARRAY_SIZE(boxes)) {
        boxes[nboxes] = *box;
    }
    nboxes++;
}

static void damage_is_what_changed_and_nothing_else(void **state)
{
    DisplayListener l = { .damaged = on_box };
    set_mode(&mode_13);
    set_vbe(1024, 768, 32);
    screen_attach(scr, &l);
    nboxes = 0;
    screen_refresh(scr, false);
    assert_int_equal(nboxes, 0);
    for (unsigned y = 50; y < 53; y++) {
        mem_write(b, LFB + 4 * (1024 * y + 100 + y), 0xffffff, 4);
    }
    mem_write(b, LFB + 4 * (1024 * 700 + 9), 1, 4);
    screen_refresh(scr, false);
    assert_int_equal(nboxes, 2);
    assert_int_equal(boxes[0].x, 150);
    assert_int_equal(boxes[0].y, 50);
    assert_int_equal(boxes[0].w, 3);
    assert_int_equal(boxes[0].h, 3);
    assert_int_equal(boxes[1].y, 700);
    assert_int_equal(boxes[1].w, 1);
    screen_detach(&l);
}

static void nobody_looking_means_no_timer(void **state)
{
    DisplayListener l = { .damaged = on_box };
    set_mode(&mode_12);
    mem_write(b, 0xa0000, 1, 1);
    assert_false(timer_armed(&scr->timer));
    screen_attach(scr, &l);
    assert_false(timer_armed(&scr->timer)); /* a planar mode at rest */
    mem_write(b, 0xa0000, 2, 1);
    assert_true(timer_armed(&scr->timer));
    screen_refresh(scr, false);
    assert_false(timer_armed(&scr->timer));
    mem_write(b, 0xa0000, 3, 1);
    screen_set_hidden(&l, true);
    assert_false(timer_armed(&scr->timer));
    screen_detach(&l);
}

static void retrace_follows_the_clock(void **state)
{
    set_mode(&mode_03);
    /* 449 lines of 900 dots at 28.322 MHz: 31.8 us a line, 14.3 ms a frame */
    clock_set(b->m.clock, 1000);
    assert_int_equal(io_read(b, 0x3da, 1), 0);
    clock_set(b->m.clock, 30000);
    assert_int_equal(io_read(b, 0x3da, 1), 1);
    clock_set(b->m.clock, 31777 * 412 + 5000);
    assert_int_equal(io_read(b, 0x3da, 1), 9);
    clock_set(b->m.clock, 31777 * 420 + 5000);
    assert_int_equal(io_read(b, 0x3da, 1), 1);
}

static void registers_read_back_and_crtc_protects(void **state)
{
    set_mode(&mode_03);
    out(0x3d4, 0);
    assert_int_equal(io_read(b, 0x3d5, 1), 0x5f);
    idx(0x3d4, 0, 0x11);    /* 11h bit 7 is set in this mode */
    out(0x3d4, 0);
    assert_int_equal(io_read(b, 0x3d5, 1), 0x5f);
    assert_int_equal(io_read(b, 0x3cc, 1), 0x67);
    assert_int_equal(io_read(b, 0x3b5, 1), 0xff);
    out(0x3c7, 0x41);
    assert_int_equal(io_read(b, 0x3c9, 1), 1);
    assert_int_equal(io_read(b, 0x3c9, 1), 1);
    assert_int_equal(mem_read(b, MMIO + 0x400 + 0xc, 1), 0x67);
    assert_int_equal(mem_read(b, MMIO + 0x500, 2), 0xb0c5);
    mem_write(b, MMIO + 0x502, 1152, 2);
    assert_int_equal(dispi_get(1), 1152);
}

static void edid_is_well_formed(void **state)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < 128; i++) {
        sum += mem_read(b, MMIO + i, 1);
    }
    assert_int_equal(sum, 0);
    assert_int_equal(mem_read(b, MMIO, 4), 0xffffff00);
    unsigned w = mem_read(b, MMIO + 56, 1) | (mem_read(b, MMIO + 58, 1) & 0xf0) << 4;
    unsigned h = mem_read(b, MMIO + 59, 1) | (mem_read(b, MMIO + 61, 1) & 0xf0) << 4;
    assert_int_equal(w, 1280);
    assert_int_equal(h, 800);
}

static void the_function_decodes_only_what_its_command_allows(void **state)
{
    set_mode(&mode_03);
    mem_write(b, 0xb8000, 0x0741, 2);
    cfg_write(b, DEVFN, 4, 0, 2);
    assert_int_equal(mem_read(b, 0xb8000, 2), 0xffff);
    assert_int_equal(io_read(b, 0x3cc, 1), 0xff);
    cfg_write(b, DEVFN, 4, 3, 2);
    assert_int_equal(mem_read(b, 0xb8000, 2), 0x0741);
}

static void an_option_rom_shows_behind_its_bar(void **state)
{
    char path[] = "/tmp/dyad-rom-XXXXXX", spec[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "wb");
    fprintf(f, "U\xaa" "rom");
    fclose(f);
    snprintf(spec, sizeof(spec), "VGA,addr=5,romfile=%s", path);
    board_add(b, spec);
    remove(path);
    cfg_write(b, 5 << 3, 0x30, 0xffffffff, 4);
    assert_int_equal(cfg_read(b, 5 << 3, 0x30, 4), 0xfffff001);
    cfg_write(b, 5 << 3, 0x30, 0xe9000001, 4);
    assert_int_equal(mem_read(b, 0xe9000000, 2), 0xffff);
    cfg_write(b, 5 << 3, 4, 2, 2);
    assert_int_equal(mem_read(b, 0xe9000000, 4), 0x6f72aa55);
    mem_write(b, 0xe9000000, 0, 4);
    assert_int_equal(mem_read(b, 0xe9000000, 4), 0x6f72aa55);
    cfg_write(b, 5 << 3, 0x30, 0xe9000000, 4);
    assert_int_equal(mem_read(b, 0xe9000000, 2), 0xffff);
}

static uint32_t seed;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* Nothing but the sanitizers and the limit of time judges this. */
static void whatever_registers_say_drawing_stays_within_bounds(void **state)
{
    static const uint16_t ports[] = { 0x3c0, 0x3c2, 0x3c4, 0x3c6, 0x3c8, 0x3c9, 0x3ce, 0x3d4,
                                      0x3b4, 0x1ce, 0x1cf, 0x3da };
    static const ModeRegs *const modes[] = { &mode_03, &mode_04, &mode_12, &mode_13 };
    const char *text = getenv("DYAD_TEST_SEED");
    seed = text ? strtoul(text, NULL, 0) : (uint32_t)time(NULL) | 1;
    print_message("DYAD_TEST_SEED=%u\n", seed);
    unsigned drawn = 0;
    for (unsigned round = 0; round < 400; round++) {
        if (round % 8 == 0) {
            set_mode(modes[rnd() % ARRAY_SIZE(modes)]);
            dispi(1, rnd());
            dispi(2, rnd());
            dispi(3, 8 * (1 + rnd() % 4));
            dispi(4, rnd() & 0x41);
        }
        for (unsigned i = 0; i < 20; i++) {
            if (rnd() % 3 == 0) {
                dispi(rnd() % 12, rnd() >> rnd() % 24);
            } else {
                io_write(b, ports[rnd() % ARRAY_SIZE(ports)], rnd(), 1 + rnd() % 2);
            }
            uint64_t addr = rnd() % 2 ? 0xa0000 + rnd() % 0x20000 : LFB + rnd() % (16 << 20);
            mem_write(b, addr, rnd(), 1 << rnd() % 4);
            mem_read(b, addr ^ 1, 4);
        }
        out(0x3c0, 0x20);
        screen_refresh(scr, rnd() % 2);
        drawn += scr->surface.width > 0;
        TextScreen t;
        if (screen_text(scr, &t)) {
            free(t.cells);
        }
    }
    assert_int_equal(drawn, 400);
}

#define ON_BOARD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOARD(text_cells_show_glyph_and_attribute),
        ON_BOARD(the_cursor_is_where_the_crtc_says_and_blinks),
        ON_BOARD(text_can_be_read_back_by_the_monitor),
        ON_BOARD(write_mode_0_rotates_sets_and_masks),
        ON_BOARD(write_modes_1_to_3_and_the_alu),
        ON_BOARD(read_mode_1_compares_colours),
        ON_BOARD(mode_13h_is_plain_memory_shown_double),
        ON_BOARD(mode_x_has_planes_and_pages),
        ON_BOARD(panning_moves_the_picture_left),
        ON_BOARD(cga_modes_have_two_banks),
        ON_BOARD(dispi_modes_show_every_depth),
        ON_BOARD(dispi_offsets_scroll_and_getcaps_tells_limits),
        ON_BOARD(damage_is_what_changed_and_nothing_else),
        ON_BOARD(nobody_looking_means_no_timer),
        ON_BOARD(retrace_follows_the_clock),
        ON_BOARD(registers_read_back_and_crtc_protects),
        ON_BOARD(edid_is_well_formed),
        ON_BOARD(the_function_decodes_only_what_its_command_allows),
        ON_BOARD(an_option_rom_shows_behind_its_bar),
        ON_BOARD(whatever_registers_say_drawing_stays_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

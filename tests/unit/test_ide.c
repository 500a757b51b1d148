/* SPDX-License-Identifier: MIT */
/*
 * IDE drives on the PIIX3's channels, as a driver sees them: ports 1f0 and 170, interrupts
 * 14 and 15, bus master registers, a disk and a CD image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/unit/disk_board.h"
#include "hw/ide/ide.h"

enum { P0 = 0x1f0, P1 = 0x170, BM = 0xc000, PRD = 0x1000, BUF = 0x10000 };

static BlockBackend *hd, *cd;

static void attach(Board *b)
{
    Error err = ERROR_INIT;
    hd = disk_image(b, "hd", ",if=ide,serial=SER42", DISK_SECTORS, 512);
    cd = disk_image(b, "cd", ",if=ide,index=2,media=cdrom", CD_SECTORS, 2048);
    assert_true(ide_attach_drives(&b->m, &err));
    device_reset_all(&b->m);
    cfg_write(b, IDE_DEVFN, 0x20, BM, 4);
    cfg_write(b, IDE_DEVFN, 0x04, 5, 2);
}

static void task(Board *b, unsigned port, uint32_t lba, unsigned count, uint8_t cmd)
{
    io_write(b, port + 2, count, 1);
    io_write(b, port + 3, lba & 0xff, 1);
    io_write(b, port + 4, lba >> 8 & 0xff, 1);
    io_write(b, port + 5, lba >> 16 & 0xff, 1);
    io_write(b, port + 6, 0xe0 | (lba >> 24 & 15), 1);
    io_write(b, port + 7, cmd, 1);
}

static void read_words(Board *b, unsigned port, uint16_t *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        to[i] = (uint16_t)io_read(b, port, 2);
    }
}

static void identify_names_the_disk(void **state)
{
    Board *b = *state;
    uint16_t id[256];
    attach(b);
    task(b, P0, 0, 0, 0xec);
    assert_true(b->isa[14]);
    assert_int_equal(io_read(b, P0 + 7, 1), 0x58);
    assert_false(b->isa[14]);           /* reading status takes the interrupt back */
    read_words(b, P0, id, 256);
    assert_int_equal(io_read(b, P0 + 7, 1), 0x50);
    assert_int_equal(id[0], 0x0040);
    assert_int_equal(id[60], DISK_SECTORS);
    assert_int_equal(id[100], DISK_SECTORS);
    assert_int_equal(id[83] & 0x0400, 0x0400);
    assert_memory_equal(id + 10, "ES4R 2", 6);
    uint8_t sum = 0;
    for (unsigned i = 0; i < 512; i++) {
        sum += ((uint8_t *)id)[i];
    }
    assert_int_equal(sum, 0);
}

static void pio_reads_and_writes_sectors(void **state)
{
    Board *b = *state;
    uint16_t w[512];
    attach(b);
    task(b, P0, 77, 2, 0x20);
    disk_wait(b, hd);
    read_words(b, P0, w, 256);
    assert_int_equal(w[0], 77);
    disk_wait(b, hd);
    read_words(b, P0, w, 256);
    assert_int_equal(w[0], 78);
    assert_int_equal(io_read(b, P0 + 7, 1), 0x50);
    task(b, P0, 5, 1, 0x30);
    assert_false(b->isa[14]);           /* the first block is not announced */
    for (unsigned i = 0; i < 256; i++) {
        io_write(b, P0, 0x4000 + i, 2);
    }
    disk_wait(b, hd);
    assert_true(b->isa[14]);
    assert_int_equal(block_read_sync(hd, 5 * 512, w, 512), 0);
    assert_int_equal(w[255], 0x40ff);
}

static void multiple_and_48_bit_addresses_work(void **state)
{
    Board *b = *state;
    uint16_t w[4096];
    attach(b);
    io_write(b, P0 + 2, 8, 1);
    io_write(b, P0 + 7, 0xc6, 1);
    assert_int_equal(io_read(b, P0 + 7, 1), 0x50);
    static const uint8_t tf[][2] = { { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 },
                                     { 2, 9 }, { 3, 0 }, { 4, 2 }, { 5, 0 } };
    for (unsigned i = 0; i < 8; i++) {
        io_write(b, P0 + tf[i][0], tf[i][1], 1);
    }
    io_write(b, P0 + 6, 0x40, 1);
    io_write(b, P0 + 7, 0x29, 1);       /* READ MULTIPLE EXT: 8 + 1 sectors at 0x200 */
    disk_wait(b, hd);
    read_words(b, P0, w, 2048);
    assert_int_equal(w[7 * 256], 0x207);
    disk_wait(b, hd);
    read_words(b, P0, w, 256);
    assert_int_equal(w[0], 0x208);
    assert_int_equal(io_read(b, P0 + 7, 1), 0x50);
}

static void cylinders_heads_and_sectors_are_translated(void **state)
{
    Board *b = *state;
    attach(b);
    io_write(b, P0 + 2, 1, 1);
    io_write(b, P0 + 3, 3, 1);          /* sector 3 */
    io_write(b, P0 + 4, 1, 1);          /* cylinder 1 */
    io_write(b, P0 + 5, 0, 1);
    io_write(b, P0 + 6, 0xa2, 1);       /* head 2 */
    io_write(b, P0 + 7, 0x20, 1);
    disk_wait(b, hd);
    assert_int_equal(io_read(b, P0, 2), (16 + 2) * 63 + 2);
}

static void sectors_outside_are_refused(void **state)
{
    Board *b = *state;
    attach(b);
    task(b, P0, DISK_SECTORS - 1, 2, 0x20);
    assert_int_equal(io_read(b, P0 + 7, 1) & 0x89, 0x01);
    assert_int_equal(io_read(b, P0 + 1, 1) & 0x10, 0x10);
}

static void an_absent_drive_does_not_answer(void **state)
{
    Board *b = *state;
    assert_int_equal(io_read(b, P0 + 7, 1) & 0x80, 0); /* empty, and not busy */
    attach(b);
    io_write(b, P0 + 6, 0xb0, 1);
    io_write(b, P0 + 2, 0x55, 1);
    assert_int_equal(io_read(b, P0 + 7, 1), 0);
    assert_int_equal(io_read(b, P0 + 2, 1), 0);
}

/* --- DMA --- */

static void prd(Board *b, unsigned n, uint32_t addr, uint16_t len, bool last)
{
    uint32_t e[2] = { addr, len | (last ? 0x80000000u : 0) };
    set_ram(b, PRD + 8 * n, e, 8);
}

static void start_bm(Board *b, bool to_memory)
{
    io_write(b, BM + 4, PRD, 4);
    io_write(b, BM + 2, 6, 1);
    io_write(b, BM, to_memory ? 9 : 1, 1);
}

static void dma_scatters_and_gathers(void **state)
{
    Board *b = *state;
    attach(b);
    prd(b, 0, BUF, 512, false);
    prd(b, 1, BUF + 0x8000, 1024, true);
    task(b, P0, 100, 3, 0xc8);
    start_bm(b, true);
    disk_wait(b, hd);
    assert_int_equal(ram32(b, BUF), 100);
    assert_int_equal(ram32(b, BUF + 0x8000), 101);
    assert_int_equal(ram32(b, BUF + 0x8200), 102);
    assert_true(b->isa[14]);
    assert_int_equal(io_read(b, BM + 2, 1) & 7, 4);
    io_write(b, BM, 0, 1);
    task(b, P0, 200, 3, 0xca);
    start_bm(b, false);
    disk_wait(b, hd);
    uint32_t v;
    assert_int_equal(block_read_sync(hd, 202 * 512, &v, 4), 0);
    assert_int_equal(v, 102);
}

static void a_short_table_leaves_the_drive_waiting(void **state)
{
    Board *b = *state;
    attach(b);
    prd(b, 0, BUF, 512, true);
    task(b, P0, 10, 2, 0xc8);
    start_bm(b, true);
    disk_wait(b, hd);
    assert_int_equal(io_read(b, BM + 2, 1) & 5, 0);
    assert_false(b->isa[14]);
    io_write(b, 0x3f6, 4, 1);           /* reset gets it out */
    io_write(b, 0x3f6, 0, 1);
    assert_int_equal(io_read(b, P0 + 7, 1), 0x50);
}

static void endless_and_mad_tables_do_no_harm(void **state)
{
    Board *b = *state;
    attach(b);
    for (unsigned i = 0; i < 8192; i++) {   /* no last entry; two bytes each */
        prd(b, i, 0xfffffffe, 2, false);
    }
    task(b, P0, 0, 0, 0xc8);
    start_bm(b, true);
    disk_wait(b, hd);
    io_write(b, BM, 0, 1);
    io_write(b, 0x3f6, 4, 1);
    io_write(b, 0x3f6, 0, 1);
    task(b, P0, 0, 8, 0xca);
    io_write(b, BM + 4, 0xfffffffc, 4);     /* a table outside of RAM */
    io_write(b, BM, 1, 1);
    disk_wait(b, hd);
    uint32_t v;
    assert_int_equal(block_read_sync(hd, 512, &v, 4), 0);
    assert_int_equal(v, 1);                 /* nothing was written */
}

/* --- ATAPI --- */

static void packet(Board *b, bool dma, unsigned limit, const uint8_t cdb[12])
{
    io_write(b, P1 + 6, 0xa0, 1);
    io_write(b, P1 + 1, dma, 1);
    io_write(b, P1 + 4, limit & 0xff, 1);
    io_write(b, P1 + 5, limit >> 8, 1);
    io_write(b, P1 + 7, 0xa0, 1);
    assert_int_equal(io_read(b, P1 + 7, 1) & 0x89, 0x08);
    for (unsigned i = 0; i < 12; i += 2) {
        io_write(b, P1, cdb[i] | cdb[i + 1] << 8, 2);
    }
    disk_wait(b, cd);
}

static unsigned window(Board *b)
{
    assert_int_equal(io_read(b, P1 + 7, 1) & 0x89, 0x08);
    assert_int_equal(io_read(b, P1 + 2, 1) & 3, 2);
    return (unsigned)(io_read(b, P1 + 4, 1) | io_read(b, P1 + 5, 1) << 8);
}

static void the_cd_reads_sectors_in_windows(void **state)
{
    Board *b = *state;
    uint16_t w[1024];
    attach(b);
    const uint8_t cdb[12] = { 0x28, 0, 0, 0, 0, 40, 0, 0, 2 };
    packet(b, false, 2048, cdb);
    assert_true(b->isa[15]);
    assert_int_equal(window(b), 2048);
    read_words(b, P1, w, 1024);
    assert_int_equal(w[0], 40);
    disk_wait(b, cd);
    assert_int_equal(window(b), 2048);
    read_words(b, P1, w, 1024);
    assert_int_equal(w[0], 41);
    assert_int_equal(io_read(b, P1 + 7, 1), 0x50);
    assert_int_equal(io_read(b, P1 + 2, 1), 3);
}

static void the_table_of_contents_has_one_track(void **state)
{
    Board *b = *state;
    uint8_t t[20];
    attach(b);
    const uint8_t cdb[12] = { 0x43, 2, 0, 0, 0, 0, 0, 0, 20 };  /* as MSF */
    packet(b, false, 0xfffe, cdb);
    assert_int_equal(window(b), 20);
    read_words(b, P1, (uint16_t *)t, 10);
    static const uint8_t expect[20] = { 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0,
                                        0, 0x14, 0xaa, 0, 0, 0, 6, 0 };
    assert_memory_equal(t, expect, 20);     /* 300 sectors: lead-out at 00:06:00 */
}

static void the_cd_says_that_it_is_atapi(void **state)
{
    Board *b = *state;
    uint8_t t[36];
    attach(b);
    const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 };
    packet(b, false, 0xfffe, inquiry);
    assert_int_equal(window(b), 36);
    read_words(b, P1, (uint16_t *)t, 18);
    assert_memory_equal(t, "\5\x80\0\x21\x1f\0\0\0DYAD    DYAD DVD-ROM    1.0 ", 36);
    const uint8_t core[12] = { 0x46, 2, 0, 1, 0, 0, 0, 0, 16 };
    packet(b, false, 0xfffe, core);
    assert_int_equal(window(b), 16);
    read_words(b, P1, (uint16_t *)t, 8);
    assert_memory_equal(t + 8, "\0\1\3\4\0\0\0\2", 8);
    const uint8_t select[12] = { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 12 };
    packet(b, false, 0xfffe, select);   /* taken, without effect */
    assert_int_equal(io_read(b, P1 + 2, 1) & 3, 0);
    for (unsigned i = 0; i < 6; i++) {
        io_write(b, P1, 0, 2);
    }
    assert_int_equal(io_read(b, P1 + 7, 1), 0x50);
    const uint8_t unknown[12] = { 0xff };
    packet(b, false, 0xfffe, unknown);
    assert_int_equal(io_read(b, P1 + 1, 1), 0x54);
}

static void packets_move_data_by_dma_too(void **state)
{
    Board *b = *state;
    attach(b);
    prd(b, 0, BUF, 4096, true);
    const uint8_t cdb[12] = { 0xa8, 0, 0, 0, 0, 7, 0, 0, 0, 2 };
    packet(b, true, 0, cdb);
    io_write(b, BM + 12, PRD, 4);
    io_write(b, BM + 8, 9, 1);
    disk_wait(b, cd);
    assert_int_equal(ram32(b, BUF), 7);
    assert_int_equal(ram32(b, BUF + 2048), 8);
    const uint8_t raw[12] = { 0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0xf8 };
    io_write(b, BM + 8, 0, 1);
    packet(b, true, 0, raw);
    io_write(b, BM + 8, 9, 1);
    disk_wait(b, cd);
    assert_int_equal(ram32(b, BUF + 12), 0x01090200);/* 00:02:09 */
    assert_int_equal(ram32(b, BUF + 16), 9);
}

static void sense_tells_why_a_packet_failed(void **state)
{
    Board *b = *state;
    uint8_t s[18];
    attach(b);
    const uint8_t bad[12] = { 0x28, 0, 0, 0, 1, 44, 0, 0, 1 };  /* sector 300 */
    packet(b, false, 2048, bad);
    assert_int_equal(io_read(b, P1 + 7, 1) & 1, 1);
    const uint8_t sense[12] = { 3, 0, 0, 0, 18 };
    packet(b, false, 18, sense);
    read_words(b, P1, (uint16_t *)s, 9);
    assert_int_equal(s[2], 5);
    assert_int_equal(s[12], 0x21);
}

static void an_open_tray_has_no_medium(void **state)
{
    Board *b = *state;
    attach(b);
    const uint8_t lock[12] = { 0x1e, 0, 0, 0, 1 }, eject[12] = { 0x1b, 0, 0, 0, 2 },
                  unlock[12] = { 0x1e }, ready[12] = { 0 }, load[12] = { 0x1b, 0, 0, 0, 3 };
    packet(b, false, 0, lock);
    packet(b, false, 0, eject);
    assert_int_equal(io_read(b, P1 + 7, 1) & 1, 1);
    packet(b, false, 0, unlock);
    packet(b, false, 0, eject);
    packet(b, false, 0, ready);
    assert_int_equal(io_read(b, P1 + 1, 1) >> 4, 2);
    packet(b, false, 0, load);
    packet(b, false, 0, ready);
    assert_int_equal(io_read(b, P1 + 1, 1) >> 4, 6);    /* says once that it changed */
    packet(b, false, 0, ready);
    assert_int_equal(io_read(b, P1 + 7, 1) & 1, 0);
}

/* --- anything at all, and state --- */

static void random_writes_are_survived_and_state_round_trips(void **state)
{
    Board *b = *state;
    attach(b);
    unsigned seed = (unsigned)time(NULL);
    const char *text = getenv("DYAD_TEST_SEED");
    seed = text ? (unsigned)strtoul(text, NULL, 0) : seed;
    print_message("DYAD_TEST_SEED=%u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < 60000; i++) {
        static const uint8_t cmds[] = { 0xa0, 0x20, 0x30, 0xc8, 0xca, 0xec, 0x29, 0x06, 0xef,
                                        0x25, 0x35, 0xc5, 0xb0, 0x90 };
        unsigned port = rand() % 2 ? P0 : P1, reg = rand() % 8;
        unsigned v = reg == 7 && rand() % 4 ? cmds[rand() % sizeof(cmds)] : rand() & 0xff;
        switch (rand() % 8) {
        case 0:
            io_write(b, BM + rand() % 16, rand() & 0xff, 1);
            break;
        case 1:
            io_read(b, port + reg, 1);
            break;
        case 2:
            for (unsigned n = rand() % 300; n; n--) {
                io_write(b, port, rand(), 2);
            }
            break;
        case 3:
            io_read(b, port, 4);
            break;
        case 4:
            prd(b, rand() % 4, (unsigned)rand() % (BOARD_RAM + 0x1000), rand(), rand() % 2);
            io_write(b, port == P0 ? BM + 4 : BM + 12, PRD, 4);
            break;
        default:
            io_write(b, rand() % 200 ? port + reg : port + 0x206, v, 1);
            break;
        }
    }
    board_state_round_trips(b);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, disk_setup, disk_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(identify_names_the_disk), ROW(pio_reads_and_writes_sectors),
        ROW(multiple_and_48_bit_addresses_work),
        ROW(cylinders_heads_and_sectors_are_translated), ROW(sectors_outside_are_refused),
        ROW(an_absent_drive_does_not_answer), ROW(dma_scatters_and_gathers),
        ROW(a_short_table_leaves_the_drive_waiting), ROW(endless_and_mad_tables_do_no_harm),
        ROW(the_cd_reads_sectors_in_windows), ROW(the_table_of_contents_has_one_track),
        ROW(the_cd_says_that_it_is_atapi), ROW(packets_move_data_by_dma_too), ROW(sense_tells_why_a_packet_failed),
        ROW(an_open_tray_has_no_medium),
        ROW(random_writes_are_survived_and_state_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

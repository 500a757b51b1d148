/* SPDX-License-Identifier: MIT */
/* The floppy controller and its DMA channel as a driver sees them. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "hw/block/fdc.h"
#include "tests/unit/disk_board.h"

enum { BUF = 0x20000, SECTORS = 2880 };

static BlockBackend *fd;
static bool irq6;

static void line(void *opaque, unsigned n, bool level)
{
    irq6 = level;
}

static void start(Board *b)
{
    Error err = ERROR_INIT;
    uint8_t types[2];
    fd = disk_image(b, "fd", ",if=floppy", SECTORS, 512);
    IsaBus *isa = isa_bus_create(&b->m, NULL, "isa.0");
    isa->irq[6] = (IrqLine){ line, NULL, 6 };
    assert_non_null(i8237_create(&b->m, isa, &err));
    assert_true(fdc_attach_drives(&b->m, types, &err));
    assert_int_equal(types[0], 4);
    assert_int_equal(types[1], 0);
    device_reset_all(&b->m);
    io_write(b, 0x3f2, 0x00, 1);
    io_write(b, 0x3f2, 0x1c, 1);
    assert_true(irq6);
}

static void command(Board *b, const uint8_t *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(io_read(b, 0x3f4, 1) & 0xc0, 0x80);
        io_write(b, 0x3f5, c[i], 1);
    }
    disk_wait(b, fd);
}

static void dma(Board *b, uint8_t mode, unsigned n)
{
    io_write(b, 0x0a, 6, 1);
    io_write(b, 0x0c, 0, 1);
    io_write(b, 0x0b, mode | 2, 1);
    io_write(b, 0x04, 0, 1);
    io_write(b, 0x04, 0, 1);
    io_write(b, 0x05, (n - 1) & 0xff, 1);
    io_write(b, 0x05, (n - 1) >> 8, 1);
    io_write(b, 0x81, BUF >> 16, 1);
    io_write(b, 0x0a, 2, 1);
}

static void reset_is_sensed_four_times(void **state)
{
    Board *b = *state;
    start(b);
    for (unsigned i = 0; i < 4; i++) {
        command(b, (uint8_t[]){ 8 }, 1);
        assert_int_equal(io_read(b, 0x3f5, 1), 0xc0 + i);
        assert_int_equal(io_read(b, 0x3f5, 1), 0);
    }
    assert_false(irq6);
    command(b, (uint8_t[]){ 8 }, 1);
    assert_int_equal(io_read(b, 0x3f5, 1), 0x80);
}

static void sectors_are_read_and_written_by_dma(void **state)
{
    Board *b = *state;
    start(b);
    command(b, (uint8_t[]){ 15, 0, 3 }, 3);
    assert_true(irq6);
    dma(b, 0x44, 1024);     /* cylinder 3, head 0, sector 18, then head 1, sector 1 */
    command(b, (uint8_t[]){ 0xe6, 0, 3, 0, 18, 2, 18, 27, 255 }, 9);
    static const uint8_t ok[7] = { 0x04, 0, 0, 3, 1, 2, 2 };
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(io_read(b, 0x3f5, 1), ok[i]);
    }
    assert_int_equal(ram32(b, BUF), 3 * 36 + 17);
    assert_int_equal(ram32(b, BUF + 512), 3 * 36 + 18);
    dma(b, 0x48, 512);
    command(b, (uint8_t[]){ 0xc5, 0, 3, 0, 2, 2, 18, 27, 255 }, 9);
    assert_int_equal(io_read(b, 0x3f5, 1), 0);
    uint32_t v;
    assert_int_equal(block_read_sync(fd, (3 * 36 + 1) * 512, &v, 4), 0);
    assert_int_equal(v, 3 * 36 + 17);
}

static void sectors_that_do_not_exist_are_not_found(void **state)
{
    Board *b = *state;
    start(b);
    dma(b, 0x44, 512);
    command(b, (uint8_t[]){ 0xe6, 0, 0, 0, 19, 2, 18, 27, 255 }, 9);
    assert_int_equal(io_read(b, 0x3f5, 1) & 0xc0, 0x40);
    assert_int_equal(io_read(b, 0x3f5, 1), 4);
}

static void random_writes_are_survived_and_state_round_trips(void **state)
{
    Board *b = *state;
    start(b);
    const char *text = getenv("DYAD_TEST_SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);
    print_message("DYAD_TEST_SEED=%u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < 50000; i++) {
        static const uint8_t cmds[] = { 0xe6, 0xc5, 0x0d, 0x0f, 0x07, 0x08, 0x0e, 0x13 };
        unsigned port = rand() % 8 ? 0x3f5 : rand() % 2 ? 0x3f0 + rand() % 6 : rand() % 16;
        if (rand() % 3) {
            io_write(b, port, rand() % 2 ? cmds[rand() % 8] : rand() % 64, 1);
        } else {
            io_read(b, port, 1);
        }
    }
    board_state_round_trips(b);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, disk_setup, disk_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(reset_is_sensed_four_times), ROW(sectors_are_read_and_written_by_dma),
        ROW(sectors_that_do_not_exist_are_not_found),
        ROW(random_writes_are_survived_and_state_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

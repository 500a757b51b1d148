/* SPDX-License-Identifier: MIT */
/* Flash memory: array reads, commands, protection, and what reaches the image. */
#include "tests/unit/disk_board.h"

#include <stdlib.h>
#include <string.h>
#include "hw/block/pflash.h"
#include "hw/core/block.h"

enum { SIZE = 64 * 1024 };
#define BASE (4 * GiB - SIZE)
#define VARS (BASE - SIZE)

static Board *b;
static BlockBackend *code, *vars;

static int setup(void **state)
{
    Error err = ERROR_INIT;
    MemoryRegion *boot;
    disk_setup(state);
    b = *state;
    /* given out of order: the unit number decides */
    vars = disk_image(b, "vars", ",if=pflash,unit=1", SIZE / 4096, 4096);
    code = disk_image(b, "code", ",if=pflash,readonly=on", SIZE / 4096, 4096);
    assert_true(pflash_wanted(&b->m));
    assert_true(pflash_attach_drives(&b->m, &boot, &err));
    assert_int_equal(boot->size, SIZE);
    return 0;
}

static uint8_t rd(uint64_t addr)
{
    return mem_read(b, addr, 1);
}

static void wr(uint64_t addr, uint8_t v)
{
    mem_write(b, addr, v, 1);
}

static void array_reads_are_the_image(void **state)
{
    assert_int_equal(rd(BASE + 3 * 4096), 3);
    assert_int_equal(rd(VARS + 5 * 4096), 5);
    const FlatRange *r = address_space_find(&b->m.mem, VARS);
    assert_non_null(r->host);
}

static void firmware_recognises_the_chip(void **state)
{
    wr(VARS, 0x50);
    assert_int_equal(rd(VARS), 0);
    wr(VARS, 0x70);
    assert_int_equal(rd(VARS), 0);
    wr(VARS, 0x98);
    assert_int_equal(rd(VARS + 0x10), 'Q');
    assert_int_equal(rd(VARS + 0x13), 1);
    assert_int_equal(rd(VARS + 0x27), 16);
    assert_int_equal(rd(VARS + 0x2d), 15);
    assert_int_equal(rd(VARS + 0x2f), 16);
    wr(VARS, 0x90);
    assert_int_equal(rd(VARS), 0x89);
    wr(VARS, 0xff);
    assert_int_equal(rd(VARS + 4096), 1);
}

static void programming_clears_bits_and_erasing_sets_them(void **state)
{
    wr(VARS + 0x1234, 0x20);
    wr(VARS + 0x1234, 0xd0);
    assert_int_equal(rd(VARS + 0x1234), 0x80);
    wr(VARS, 0xff);
    assert_int_equal(mem_read(b, VARS + 0x1000, 4), 0xffffffff);
    assert_int_equal(rd(VARS + 0x2000), 2);
    wr(VARS + 0x1234, 0x10);
    wr(VARS + 0x1234, 0x5a);
    wr(VARS + 0x1234, 0x40);
    wr(VARS + 0x1234, 0xf0);
    wr(VARS, 0xff);
    assert_int_equal(rd(VARS + 0x1234), 0x50);
}

static void the_write_buffer_programs_what_was_filled_in(void **state)
{
    wr(VARS + 0x100, 0xe8);
    assert_int_equal(rd(VARS + 0x100), 0x80);
    wr(VARS + 0x100, 3);
    for (unsigned i = 0; i < 4; i++) {
        wr(VARS + 0x200 + i, 0);
    }
    wr(VARS, 0xd0);
    wr(VARS, 0xff);
    assert_int_equal(mem_read(b, VARS + 0x200, 4), 0);
    wr(VARS, 0xe8); /* not confirmed: nothing happens, the status tells */
    wr(VARS, 0);
    wr(VARS, 0);
    wr(VARS, 0x12);
    assert_int_equal(rd(VARS) & 0x30, 0x30);
    wr(VARS, 0xff);
}

static void read_only_flash_refuses(void **state)
{
    wr(BASE + 4096, 0x20);
    wr(BASE + 4096, 0xd0);
    assert_int_equal(rd(BASE) & 0x22, 0x22);
    wr(BASE, 0xff);
    assert_int_equal(rd(BASE + 4096), 1);
}

static void changes_reach_the_image(void **state)
{
    uint8_t byte = 1;
    wr(VARS + 7 * 4096, 0x10);
    wr(VARS + 7 * 4096, 0x06); /* was 7 */
    wr(VARS, 0xff);
    Device *dev = vars->attached;
    device_destroy(dev);
    assert_int_equal(block_read_sync(vars, 7 * 4096, &byte, 1), 0);
    assert_int_equal(byte, 6);
}

static void wild_writes_are_harmless(void **state)
{
    uint32_t x = 12345;
    for (unsigned i = 0; i < 200000; i++) {
        x = x * 1664525 + 1013904223;
        if (x & 0x10000000) {
            wr(VARS + (x >> 8) % (2 * SIZE), x >> 4);
        } else {
            rd(VARS + (x >> 8) % (2 * SIZE));
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, disk_teardown)
    const struct CMUnitTest tests[] = {
        T(array_reads_are_the_image), T(firmware_recognises_the_chip),
        T(programming_clears_bits_and_erasing_sets_them),
        T(the_write_buffer_programs_what_was_filled_in), T(read_only_flash_refuses),
        T(changes_reach_the_image), T(wild_writes_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

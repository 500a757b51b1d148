/* SPDX-License-Identifier: MIT */
/* The AHCI controller as a driver sees it: command lists, FISes, NCQ, hostile tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/unit/disk_board.h"
#include "util/bytes.h"

enum { DEVFN = 3 << 3, ABAR = 0xe0000000, CLB = 0x1000, FB = 0x2000, TABLE = 0x4000,
       BUF = 0x20000, PORT0 = ABAR + 0x100 };

static BlockBackend *hd;

static void start(Board *b)
{
    Error err = ERROR_INIT;
    hd = disk_image(b, "hd", ",if=none", DISK_SECTORS, 512);
    assert_non_null(device_add(&b->m, "ich9-ahci,id=sata,addr=3", &err));
    assert_non_null(device_add(&b->m, "ide-hd,drive=hd,bus=sata.0", &err));
    device_reset_all(&b->m);
    cfg_write(b, DEVFN, 0x24, ABAR, 4);
    cfg_write(b, DEVFN, 0x04, 6, 2);
    mem_write(b, ABAR + 4, 0x80000002, 4);
    mem_write(b, PORT0 + 0x00, CLB, 4);
    mem_write(b, PORT0 + 0x08, FB, 4);
    mem_write(b, PORT0 + 0x14, 0x7d000079, 4);
    mem_write(b, PORT0 + 0x18, 0x17, 4);
}

static void slot(Board *b, unsigned n, const uint8_t fis[20], const uint64_t *prd,
                 unsigned nprd)
{
    uint32_t hdr[8] = { 5 | nprd << 16, 0, TABLE + n * 0x100 };
    set_ram(b, CLB + 32 * n, hdr, 32);
    set_ram(b, TABLE + n * 0x100, fis, 20);
    for (unsigned i = 0; i < nprd; i++) {
        uint32_t e[4] = { (uint32_t)prd[2 * i], 0, 0, (uint32_t)prd[2 * i + 1] - 1 };
        set_ram(b, TABLE + n * 0x100 + 0x80 + 16 * i, e, 16);
    }
}

static void identify_comes_with_a_pio_setup_fis(void **state)
{
    Board *b = *state;
    start(b);
    assert_int_equal(mem_read(b, PORT0 + 0x24, 4), 0x101);
    assert_int_equal(mem_read(b, PORT0 + 0x28, 4), 0x123);
    slot(b, 0, (uint8_t[20]){ 0x27, 0x80, 0xec }, (uint64_t[]){ BUF, 512 }, 1);
    mem_write(b, PORT0 + 0x38, 1, 4);
    assert_int_equal(mem_read(b, PORT0 + 0x38, 4), 0);
    assert_int_equal(ram32(b, BUF), 0x00040040);    /* 4096 sectors: 4 cylinders */
    assert_int_equal(ram32(b, FB + 0x20) & 0xff, 0x5f);
    assert_int_equal(ram32(b, CLB + 4), 512);
    assert_int_equal(mem_read(b, PORT0 + 0x10, 4) & 2, 2);
    assert_int_equal(mem_read(b, ABAR + 8, 4), 0);  /* PSS is not enabled */
}

static void dma_commands_use_the_table(void **state)
{
    Board *b = *state;
    start(b);
    const uint8_t fis[20] = { 0x27, 0x80, 0x25, 0, 0x34, 1, 0, 0x40, 0, 0, 0, 0, 2 };
    slot(b, 4, fis, (uint64_t[]){ BUF, 256, BUF + 0x1000, 768 }, 2);
    mem_write(b, PORT0 + 0x38, 1 << 4, 4);
    disk_wait(b, hd);
    assert_int_equal(ram32(b, BUF), 0x134);
    assert_int_equal(ram32(b, BUF + 0x1100), 0x135);
    assert_int_equal(mem_read(b, PORT0 + 0x38, 4), 0);
    assert_int_equal(mem_read(b, ABAR + 8, 4), 1);
    assert_true(get_le16(b->bus->fn[DEVFN]->s->config + PCI_STATUS) & PCI_STATUS_INTX);
    mem_write(b, PORT0 + 0x10, ~0u, 4);
    mem_write(b, ABAR + 8, 1, 4);
    assert_false(get_le16(b->bus->fn[DEVFN]->s->config + PCI_STATUS) & PCI_STATUS_INTX);
}

static void queued_commands_run_together(void **state)
{
    Board *b = *state;
    start(b);
    for (unsigned n = 0; n < 32; n++) {
        const uint8_t fis[20] = { 0x27, 0x80, 0x60, 1, n, 2, 0, 0x40, 0, 0, 0, 0, n << 3 };
        slot(b, n, fis, (uint64_t[]){ BUF + n * 512, 512 }, 1);
    }
    mem_write(b, PORT0 + 0x34, ~0u, 4);
    mem_write(b, PORT0 + 0x38, ~0u, 4);
    assert_int_equal(mem_read(b, PORT0 + 0x38, 4), 0);
    disk_wait(b, hd);
    assert_int_equal(mem_read(b, PORT0 + 0x34, 4), 0);
    for (unsigned n = 0; n < 32; n++) {
        assert_int_equal(ram32(b, BUF + n * 512), 0x200 + n);
    }
    assert_int_equal(ram32(b, FB + 0x58) & 0xff, 0xa1);
}

static void a_short_table_or_a_bad_address_is_an_error(void **state)
{
    Board *b = *state;
    start(b);
    const uint8_t fis[20] = { 0x27, 0x80, 0x35, 0, 9, 0, 0, 0x40, 0, 0, 0, 0, 2 };
    slot(b, 0, fis, (uint64_t[]){ BUF, 512 }, 1);
    mem_write(b, PORT0 + 0x38, 1, 4);
    disk_wait(b, hd);
    assert_int_equal(mem_read(b, PORT0 + 0x10, 4) & 0x40000000, 0x40000000);
    assert_int_equal(mem_read(b, PORT0 + 0x20, 4) & 1, 1);
    uint32_t v;
    assert_int_equal(block_read_sync(hd, 9 * 512, &v, 4), 0);
    assert_int_equal(v, 9);
    mem_write(b, PORT0 + 0x18, 0x16, 4);            /* off and on again: it goes on */
    assert_int_equal(mem_read(b, PORT0 + 0x38, 4), 0);
    mem_write(b, PORT0 + 0x18, 0x17, 4);
    slot(b, 0, (uint8_t[20]){ 0x27, 0x80, 0xec }, (uint64_t[]){ BUF, 512 }, 1);
    mem_write(b, PORT0 + 0x38, 1, 4);
    assert_int_equal(mem_read(b, PORT0 + 0x38, 4), 0);
}

static void the_controller_cannot_be_made_to_write_itself(void **state)
{
    Board *b = *state;
    start(b);
    const uint8_t fis[20] = { 0x27, 0x80, 0x25, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 8 };
    slot(b, 0, fis, (uint64_t[]){ PORT0, 4096 }, 1);
    mem_write(b, PORT0 + 0x08, ABAR, 4);
    mem_write(b, PORT0 + 0x38, 1, 4);
    disk_wait(b, hd);
    assert_int_equal(mem_read(b, PORT0 + 0x00, 4), CLB);
    assert_int_equal(mem_read(b, PORT0 + 0x38, 4), 0);
}

static void random_writes_are_survived_and_state_round_trips(void **state)
{
    Board *b = *state;
    start(b);
    const char *text = getenv("DYAD_TEST_SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);
    print_message("DYAD_TEST_SEED=%u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < 30000; i++) {
        static const uint8_t regs[] = { 0x18, 0x34, 0x38, 0x38, 0x38, 0x10, 0x2c };
        static const uint8_t cmds[] = { 0x60, 0x61, 0x25, 0x35, 0xec, 0x06, 0xea, 0xc8 };
        unsigned n = rand() % 32;
        if (rand() % 2) {
            uint8_t fis[20] = { 0x27, rand() % 8 ? 0x80 : 0, cmds[rand() % 8], rand() % 4,
                                rand(), rand() % 32, 0, 0x40, rand() % 64 == 0, 0, 0, 0,
                                rand() % 2 ? n << 3 : rand() };
            slot(b, n, fis, (uint64_t[]){ (unsigned)rand() % BOARD_RAM & ~0x7fffu, 0x8000 },
                 rand() % 2 ? 1 : 0);
            memory_write(&b->m.mem, CLB, &(uint32_t){ rand() }, rand() % 8 ? 0 : 4);
        } else if (rand() % 8) {
            unsigned reg = regs[rand() % sizeof(regs)];
            mem_write(b, PORT0 + reg, reg == 0x18 && rand() % 4 ? 0x17 : 1u << rand() % 32, 4);
        } else {
            mem_write(b, ABAR + (rand() % 0x180 & ~3), rand(), 4);
            mem_write(b, PORT0, CLB, 4);
        }
        mem_read(b, ABAR + (rand() % 0x400 & ~3), 4);
    }
    board_state_round_trips(b);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, disk_setup, disk_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(identify_comes_with_a_pio_setup_fis), ROW(dma_commands_use_the_table),
        ROW(queued_commands_run_together), ROW(a_short_table_or_a_bad_address_is_an_error),
        ROW(the_controller_cannot_be_made_to_write_itself),
        ROW(random_writes_are_survived_and_state_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

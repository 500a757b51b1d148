/* SPDX-License-Identifier: MIT */
/* The NVMe controller as a driver sees it: queues, PRP lists, interrupts, hostile input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/unit/disk_board.h"

enum { DEVFN = 3 << 3, BAR = 0xe0000000, MSIX = 0xe1000000, ASQ = 0x1000, ACQ = 0x2000,
       SQ = 0x3000, CQ = 0x4000, LIST = 0x5000, BUF = 0x100000, DEPTH = 16 };

static BlockBackend *hd;
static uint32_t tail[2], head[2];

static void start(Board *b)
{
    Error err = ERROR_INIT;
    hd = disk_image(b, "hd", ",if=none,discard=unmap", DISK_SECTORS, 512);
    assert_non_null(device_add(&b->m, "nvme,drive=hd,serial=N1,addr=3", &err));
    device_reset_all(&b->m);
    memset(tail, 0, sizeof(tail));
    memset(head, 0, sizeof(head));
    cfg_write(b, DEVFN, 0x10, BAR, 4);
    cfg_write(b, DEVFN, 0x20, MSIX, 4);
    cfg_write(b, DEVFN, 0x04, 6, 2);
    mem_write(b, BAR + 0x24, (DEPTH - 1) << 16 | (DEPTH - 1), 4);
    mem_write(b, BAR + 0x28, ASQ, 4);
    mem_write(b, BAR + 0x30, ACQ, 4);
    mem_write(b, BAR + 0x14, 0x00460001, 4);
    assert_int_equal(mem_read(b, BAR + 0x1c, 4), 1);
}

static void submit(Board *b, unsigned q, uint32_t cdw0, uint64_t prp1, uint64_t prp2,
                   uint32_t c10, uint32_t c11, uint32_t c12)
{
    uint32_t e[16] = { cdw0, q ? 1 : 0 };
    if (!q && (cdw0 & 0xff) == 6 && c10 == 0) {
        e[1] = 1;
    }
    memcpy(e + 6, &prp1, 8);
    memcpy(e + 8, &prp2, 8);
    e[10] = c10;
    e[11] = c11;
    e[12] = c12;
    set_ram(b, (q ? SQ : ASQ) + 64 * tail[q], e, 64);
    tail[q] = (tail[q] + 1) % DEPTH;
    mem_write(b, BAR + 0x1000 + 8 * q, tail[q], 4);
    disk_wait(b, hd);
}

/* Status of the next completion, without phase and do-not-retry. */
static unsigned result(Board *b, unsigned q, uint32_t *dw0)
{
    uint32_t e[4];
    get_ram(b, (q ? CQ : ACQ) + 16 * head[q], e, 16);
    head[q] = (head[q] + 1) % DEPTH;
    mem_write(b, BAR + 0x1004 + 8 * q, head[q], 4);
    if (dw0) {
        *dw0 = e[0];
    }
    return e[3] >> 17 & 0x3fff;
}

static void make_queues(Board *b)
{
    submit(b, 0, 5, CQ, 0, (DEPTH - 1) << 16 | 1, 3 | 1 << 16, 0);
    assert_int_equal(result(b, 0, NULL), 0);
    submit(b, 0, 1, SQ, 0, (DEPTH - 1) << 16 | 1, 1 | 1 << 16, 0);
    assert_int_equal(result(b, 0, NULL), 0);
}

static void identify_tells_the_size(void **state)
{
    Board *b = *state;
    uint32_t v;
    start(b);
    submit(b, 0, 6, BUF, 0, 0, 0, 0);
    assert_int_equal(result(b, 0, NULL), 0);
    assert_int_equal(ram32(b, BUF), DISK_SECTORS);
    submit(b, 0, 6, BUF + 0x800, BUF + 0x2000, 1, 0, 0);
    assert_int_equal(result(b, 0, NULL), 0);
    char text[4];
    get_ram(b, BUF + 0x804, text, 4);
    assert_memory_equal(text, "N1  ", 4);
    submit(b, 0, 9, 0, 0, 7, 0x000f000f, 0);
    assert_int_equal(result(b, 0, &v), 0);
    assert_int_equal(v, 31 | 31 << 16);
}

static void reads_and_writes_follow_prp_lists(void **state)
{
    Board *b = *state;
    start(b);
    make_queues(b);
    submit(b, 1, 2, BUF + 512, 0, 33, 0, 0);
    assert_int_equal(result(b, 1, NULL), 0);
    assert_int_equal(ram32(b, BUF + 512), 33);
    uint64_t list[3] = { BUF + 0x9000, BUF + 0x7000, BUF + 0x5000 };
    set_ram(b, LIST, list, sizeof(list));
    submit(b, 1, 2, BUF, LIST, 64, 0, 31);      /* four pages */
    assert_int_equal(result(b, 1, NULL), 0);
    assert_int_equal(ram32(b, BUF), 64);
    assert_int_equal(ram32(b, BUF + 0x9000), 72);
    assert_int_equal(ram32(b, BUF + 0x7000), 80);
    assert_int_equal(ram32(b, BUF + 0x5e00), 95);
    submit(b, 1, 1, BUF + 0x5e00, 0, 7, 0, 1u << 30);
    assert_int_equal(result(b, 1, NULL), 0);
    uint32_t v;
    assert_int_equal(block_read_sync(hd, 7 * 512, &v, 4), 0);
    assert_int_equal(v, 95);
}

static void zeroes_discard_and_flush_work(void **state)
{
    Board *b = *state;
    uint32_t v, range[4] = { 0, 4, 20, 0 };
    start(b);
    make_queues(b);
    submit(b, 1, 8, 0, 0, 10, 0, 1);
    assert_int_equal(result(b, 1, NULL), 0);
    assert_int_equal(block_read_sync(hd, 11 * 512, &v, 4), 0);
    assert_int_equal(v, 0);
    set_ram(b, BUF, range, 16);
    submit(b, 1, 9, BUF, 0, 0, 4, 0);
    assert_int_equal(result(b, 1, NULL), 0);
    assert_int_equal(block_read_sync(hd, 24 * 512, &v, 4), 0);
    assert_int_equal(v, 24);
    submit(b, 1, 0, 0, 0, 0, 0, 0);
    assert_int_equal(result(b, 1, NULL), 0);
}

static void bad_commands_get_their_status(void **state)
{
    Board *b = *state;
    start(b);
    make_queues(b);
    submit(b, 1, 2, BUF, 0, DISK_SECTORS, 0, 0);
    assert_int_equal(result(b, 1, NULL), 0x80);
    submit(b, 1, 2, BUF, BUF + 8, 0, 0, 15);    /* second page not aligned */
    assert_int_equal(result(b, 1, NULL), 0x13);
    submit(b, 1, 0x7f, 0, 0, 0, 0, 0);
    assert_int_equal(result(b, 1, NULL), 0x01);
    submit(b, 1, 2, BUF, 0, 0, 0, 0xffff);      /* more than MDTS */
    assert_int_equal(result(b, 1, NULL), 0x02);
    submit(b, 0, 1, SQ, 0, (DEPTH - 1) << 16 | 2, 1 | 9 << 16, 0);
    assert_int_equal(result(b, 0, NULL), 0x100);
    submit(b, 0, 4, 0, 0, 1, 0, 0);             /* its submission queue is still there */
    assert_int_equal(result(b, 0, NULL), 0x10c);
    submit(b, 0, 5, CQ, 0, 0xffffu << 16 | 3, 3, 0);
    assert_int_equal(result(b, 0, NULL), 0x102);
}

static void interrupts_come_by_pin_or_message(void **state)
{
    Board *b = *state;
    start(b);
    PciDevice *pci = b->bus->fn[DEVFN];
    submit(b, 0, 6, BUF, 0, 0, 0, 0);
    assert_true(pci->s->intx);
    result(b, 0, NULL);
    assert_false(pci->s->intx);
    mem_write(b, MSIX + 12, 0, 4);
    cfg_write(b, DEVFN, pci->msix_cap + 2, 0x8000, 2);
    submit(b, 0, 6, BUF, 0, 0, 0, 0);
    assert_int_equal(b->msis, 1);
    assert_false(pci->s->intx);
}

static void a_full_completion_queue_stops_fetching(void **state)
{
    Board *b = *state;
    start(b);
    make_queues(b);
    uint32_t h = head[1];
    for (unsigned i = 0; i < DEPTH - 1; i++) {
        submit(b, 1, 0, 0, 0, 0, 0, 0);
    }
    submit(b, 1, 0x7f | 0x770000, 0, 0, 0, 0, 0);
    assert_int_equal(ram32(b, CQ + 16 * (DEPTH - 1)), 0);
    mem_write(b, BAR + 0x100c, (h + 4) % DEPTH, 4);
    disk_wait(b, hd);
    assert_int_equal(ram32(b, CQ + 16 * (DEPTH - 1) + 12) & 0xffff, 0x77);
}

static void random_commands_are_survived_and_state_round_trips(void **state)
{
    Board *b = *state;
    start(b);
    const char *text = getenv("DYAD_TEST_SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);
    print_message("DYAD_TEST_SEED=%u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < 30000; i++) {
        static const uint8_t io[] = { 0, 1, 2, 2, 8, 9, 5 };
        unsigned q = rand() % 2;
        uint64_t list[512];
        for (unsigned k = 0; k < 512 && i % 64 == 0; k++) { /* chains that loop */
            list[k] = rand() % 4 ? LIST : (uint64_t)rand() << (rand() % 30);
        }
        if (i % 64 == 0) {
            set_ram(b, LIST, list, sizeof(list));
        }
        submit(b, q, q ? io[rand() % 7] : rand() % 14, rand() % (2 * BOARD_RAM) & ~3,
               rand() % 2 ? LIST : (unsigned)rand(), rand() % 4 ? rand() % 4096 : rand(),
               rand() % 8 ? 0 : rand(), rand() % 300);
        result(b, q, NULL);
        if (rand() % 16 == 0) {
            mem_write(b, BAR + (rand() % 4 ? 0x1000 + rand() % 0x110 : rand() % 0x40),
                      rand() >> rand() % 31, 4);
        }
        if (rand() % 256 == 0) {
            mem_write(b, BAR + 0x14, 0, 4);
            mem_write(b, BAR + 0x24, (DEPTH - 1) << 16 | (DEPTH - 1), 4);
            mem_write(b, BAR + 0x14, 0x00460001, 4);
            memset(tail, 0, sizeof(tail));
            memset(head, 0, sizeof(head));
            submit(b, 0, 5, CQ, 0, (DEPTH - 1) << 16 | 1, 3 | 1 << 16, 0);
            submit(b, 0, 1, SQ, 0, (DEPTH - 1) << 16 | 1, 1 | 1 << 16, 0);
        }
    }
    board_state_round_trips(b);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, disk_setup, disk_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(identify_tells_the_size), ROW(reads_and_writes_follow_prp_lists),
        ROW(zeroes_discard_and_flush_work), ROW(bad_commands_get_their_status),
        ROW(interrupts_come_by_pin_or_message), ROW(a_full_completion_queue_stops_fetching),
        ROW(random_commands_are_survived_and_state_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

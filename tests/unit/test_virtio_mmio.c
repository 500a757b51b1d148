/* SPDX-License-Identifier: MIT */
/* Virtio over MMIO as a driver sees it: slots, negotiation, one request with its interrupt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "hw/virtio/virtio_mmio.h"
#include "tests/unit/pci_board.h"

enum { BASE = 0x10000000, SLOT = VIRTIO_MMIO_STEP, DESC = 0x10000, AVAIL = 0x11000,
       USED = 0x12000, BUF = 0x20000 };

static bool level[VIRTIO_MMIO_SLOTS];

static void line_set(void *opaque, unsigned n, bool on)
{
    level[n] = on;
}

static int setup(void **state)
{
    Board *b = board_create_bare();
    IrqLine irq[VIRTIO_MMIO_SLOTS];
    for (unsigned i = 0; i < VIRTIO_MMIO_SLOTS; i++) {
        irq[i] = (IrqLine){ line_set, b, i };
        level[i] = false;
    }
    virtio_mmio_bus_create(&b->m, "virtio-mmio.0", BASE, irq);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    return 0;
}

static void add(Board *b, const char *spec)
{
    Error err = ERROR_INIT;
    Device *dev = device_add(&b->m, spec, &err);
    if (!dev) {
        fail_msg("%s", err.msg);
    }
    dev->cls->reset(dev);
}

static uint32_t rd(Board *b, unsigned slot, unsigned reg)
{
    return mem_read(b, BASE + slot * SLOT + reg, 4);
}

static void wr(Board *b, unsigned slot, unsigned reg, uint32_t v)
{
    mem_write(b, BASE + slot * SLOT + reg, v, 4);
}

static void slots_tell_who_is_there(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    for (unsigned i = 0; i < VIRTIO_MMIO_SLOTS; i++) {
        add(b, "virtio-rng-device");
        assert_int_equal(rd(b, i, 0x000), 0x74726976);
        assert_int_equal(rd(b, i, 0x004), 2);
        assert_int_equal(rd(b, i, 0x008), 4);
        assert_int_equal(rd(b, i + 1 < VIRTIO_MMIO_SLOTS ? i + 1 : i, 0x008),
                         i + 1 < VIRTIO_MMIO_SLOTS ? 0 : 4);
    }
    assert_null(device_add(&b->m, "virtio-rng-device", &err));
    assert_non_null(strstr(err.msg, "8 devices"));
    error_free(&err);
}

static void start(Board *b)
{
    wr(b, 0, 0x070, 0);
    wr(b, 0, 0x070, 3);
    wr(b, 0, 0x014, 1);
    assert_int_equal(rd(b, 0, 0x010) & 1, 1);   /* VERSION_1 is offered */
    wr(b, 0, 0x024, 1);
    wr(b, 0, 0x020, 1);
    wr(b, 0, 0x070, 11);
    assert_int_equal(rd(b, 0, 0x070), 11);
    wr(b, 0, 0x030, 0);
    assert_int_equal(rd(b, 0, 0x034), 8);
    wr(b, 0, 0x038, 8);
    wr(b, 0, 0x080, DESC);
    wr(b, 0, 0x084, 0);
    wr(b, 0, 0x090, AVAIL);
    wr(b, 0, 0x0a0, USED);
    wr(b, 0, 0x044, 1);
    assert_int_equal(rd(b, 0, 0x044), 1);
    wr(b, 0, 0x070, 15);
}

static void a_request_is_served_and_interrupts(void **state)
{
    Board *b = *state;
    add(b, "virtio-rng-device");
    start(b);
    mem_write(b, DESC, BUF, 8);
    mem_write(b, DESC + 8, 32, 4);
    mem_write(b, DESC + 12, 2, 2);      /* device writes */
    mem_write(b, AVAIL + 4, 0, 2);
    mem_write(b, AVAIL + 2, 1, 2);
    wr(b, 0, 0x050, 0);
    assert_int_equal(mem_read(b, USED + 2, 2), 1);
    assert_int_equal(mem_read(b, USED + 8, 4), 32);
    assert_true(mem_read(b, BUF, 8) != 0);
    assert_true(level[0]);
    assert_int_equal(rd(b, 0, 0x060), 1);
    wr(b, 0, 0x064, 1);
    assert_false(level[0]);
    wr(b, 0, 0x070, 0);                 /* reset */
    assert_int_equal(rd(b, 0, 0x044), 0);
}

static void features_that_are_not_offered_are_refused(void **state)
{
    Board *b = *state;
    add(b, "virtio-rng-device");
    wr(b, 0, 0x070, 3);
    wr(b, 0, 0x024, 0);
    wr(b, 0, 0x020, 0x00ffffff);
    wr(b, 0, 0x024, 1);
    wr(b, 0, 0x020, 1);
    wr(b, 0, 0x070, 11);
    assert_int_equal(rd(b, 0, 0x070), 3);
}

static void wild_accesses_are_harmless(void **state)
{
    Board *b = *state;
    uint32_t x = 99;
    add(b, "virtio-rng-device");
    add(b, "virtio-serial-device");
    for (unsigned i = 0; i < 100000; i++) {
        x = x * 1664525 + 1013904223;
        uint64_t addr = BASE + (x >> 8) % (3 * SLOT);
        unsigned size = 1u << (x >> 30) % 3;
        if (x & 0x08000000) {
            mem_write(b, addr, x >> (x & 15), size);
        } else {
            mem_read(b, addr, size);
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(slots_tell_who_is_there), T(a_request_is_served_and_interrupts),
        T(features_that_are_not_offered_are_refused), T(wild_accesses_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

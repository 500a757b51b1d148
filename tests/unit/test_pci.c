/* SPDX-License-Identifier: MIT */
/* PCI bus, host bridge, PIIX3, pci-testdev, MSI-X: seen from the guest's side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/pci_board.h"

enum { DEV = 3 << 3 };

static int setup(void **state)
{
    *state = board_create();
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    return 0;
}

static void config_ports_find_the_bridges_and_read_ones_elsewhere(void **state)
{
    Board *b = *state;
    assert_int_equal(cfg_read(b, 0, 0, 4), 0x12378086);
    assert_int_equal(cfg_read(b, 8, 0, 4), 0x70008086);
    assert_int_equal(cfg_read(b, 8, 2, 2), 0x7000);
    assert_int_equal(cfg_read(b, 8, 0xb, 1), 0x06);
    assert_int_equal(cfg_read(b, DEV, 0, 4), 0xffffffff);
    io_write(b, 0xcf8, 0x80010000, 4);              /* bus 1 */
    assert_int_equal(io_read(b, 0xcfc, 4), 0xffffffff);
    io_write(b, 0xcf8, 0x00000000, 4);              /* not enabled */
    assert_int_equal(io_read(b, 0xcfc, 4), 0xffffffff);
}

static void byte_writes_to_the_address_port_leave_it_alone(void **state)
{
    Board *b = *state;
    io_write(b, 0xcf8, 0x80000800, 4);
    io_write(b, 0xcf8, 0x55, 1);
    io_write(b, 0xcfb, 0x00, 1);
    assert_int_equal(io_read(b, 0xcf8, 4), 0x80000800);
}

static void reset_control_asks_for_a_reset_on_the_rising_bit(void **state)
{
    Board *b = *state;
    io_write(b, 0xcf9, 2, 1);
    assert_false(b->m.reset_requested);
    io_write(b, 0xcf9, 6, 1);
    assert_true(b->m.reset_requested);
}

static void identification_is_read_only(void **state)
{
    Board *b = *state;
    board_add(b, "pci-testdev,addr=3");
    cfg_write(b, DEV, 0, 0, 4);
    cfg_write(b, DEV, 8, 0, 4);
    assert_int_equal(cfg_read(b, DEV, 0, 4), 0x00051b36);
    assert_int_equal(cfg_read(b, DEV, 8, 4), 0x00ff0000);
}

static void bars_are_sized_by_writing_ones(void **state)
{
    Board *b = *state;
    board_add(b, "pci-testdev,addr=3,membar=8G");
    cfg_write(b, DEV, 0x10, 0xffffffff, 4);
    cfg_write(b, DEV, 0x14, 0xffffffff, 4);
    cfg_write(b, DEV, 0x18, 0xffffffff, 4);
    cfg_write(b, DEV, 0x1c, 0xffffffff, 4);
    assert_int_equal(cfg_read(b, DEV, 0x10, 4), 0xfffff000);
    assert_int_equal(cfg_read(b, DEV, 0x14, 4), 0xffffff01);
    assert_int_equal(cfg_read(b, DEV, 0x18, 4), 0x0000000c);
    assert_int_equal(cfg_read(b, DEV, 0x1c, 4), 0xfffffffe);
    assert_int_equal(cfg_read(b, DEV, 0x20, 4), 0);
}

static void memory_bar_is_decoded_only_while_enabled(void **state)
{
    Board *b = *state;
    board_add(b, "pci-testdev,addr=3");
    cfg_write(b, DEV, 0x10, 0xe0000000, 4);
    assert_int_equal(mem_read(b, 0xe0000001, 1), 0xff);
    cfg_write(b, DEV, 0x04, 2, 2);
    mem_write(b, 0xe0000000, 0, 1);
    assert_int_equal(mem_read(b, 0xe0000001, 1), 1);
    cfg_write(b, DEV, 0x10, 0xe1000000, 4);         /* moved */
    assert_int_equal(mem_read(b, 0xe0000001, 1), 0xff);
    assert_int_equal(mem_read(b, 0xe1000001, 1), 1);
    cfg_write(b, DEV, 0x04, 0, 2);
    assert_int_equal(mem_read(b, 0xe1000001, 1), 0xff);
}

static void a_bar_over_ram_does_not_hide_the_ram(void **state)
{
    Board *b = *state;
    board_add(b, "pci-testdev,addr=3");
    mem_write(b, 0x100000, 0x12345678, 4);
    cfg_write(b, DEV, 0x10, 0x100000, 4);
    cfg_write(b, DEV, 0x04, 2, 2);
    assert_int_equal(mem_read(b, 0x100000, 4), 0x12345678);
}

static void testdev_counts_matching_writes(void **state)
{
    Board *b = *state;
    board_add(b, "pci-testdev,addr=3");
    cfg_write(b, DEV, 0x10, 0xe0000000, 4);
    cfg_write(b, DEV, 0x14, 0xc000, 4);
    cfg_write(b, DEV, 0x04, 3, 2);
    for (unsigned t = 0; t < 3; t++) {
        mem_write(b, 0xe0000000, t, 1);
        unsigned width = mem_read(b, 0xe0000001, 1);
        uint32_t off = mem_read(b, 0xe0000004, 4), data = mem_read(b, 0xe0000008, 4);
        assert_int_equal(width, 1u << t);
        mem_write(b, 0xe0000000 + off, data, width);
        mem_write(b, 0xe0000000 + off, data ^ 1, width);
        mem_write(b, 0xe0000000 + off, data, width);
        assert_int_equal(mem_read(b, 0xe000000c, 4), 2);
    }
    mem_write(b, 0xe0000000, 3, 1);
    assert_int_equal(mem_read(b, 0xe0000001, 1), 0);
    io_write(b, 0xc000, 0, 1);
    assert_int_equal(io_read(b, 0xc010, 1), 'p');
    io_write(b, 0xc000 + io_read(b, 0xc004, 4), io_read(b, 0xc008, 4), 1);
    assert_int_equal(io_read(b, 0xc00c, 4), 1);
}

static void slots_are_given_out_and_conflicts_named(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    assert_int_equal(board_add(b, "pci-testdev")->devfn, 2 << 3);
    assert_int_equal(board_add(b, "pci-testdev,addr=1f.7")->devfn, 0xff);
    assert_int_equal(board_add(b, "pci-testdev")->devfn, 3 << 3);
    assert_null(device_add(&b->m, "pci-testdev,addr=2", &err));
    assert_non_null(strstr(err.msg, "02.0 of bus pci.0 is taken by pci-testdev"));
    assert_null(device_add(&b->m, "pci-testdev,addr=20", &err));
    assert_non_null(strstr(err.msg, "'20' is not accepted"));
    error_free(&err);
}

static void further_functions_set_the_multifunction_bit(void **state)
{
    Board *b = *state;
    board_add(b, "pci-testdev,addr=3");
    assert_int_equal(cfg_read(b, DEV, 0x0e, 1), 0);
    board_add(b, "pci-testdev,addr=3.1");
    assert_int_equal(cfg_read(b, DEV, 0x0e, 1), 0x80);
    device_reset_all(&b->m);
    assert_int_equal(cfg_read(b, DEV, 0x0e, 1), 0x80);
}

static void pam_switches_between_rom_and_ram(void **state)
{
    Board *b = *state;
    assert_true(memory_load(&b->m.mem, 0xf1000, "ROM!", 4));
    uint32_t rom = mem_read(b, 0xf1000, 4);
    assert_int_equal(rom, 0x214d4f52);
    mem_write(b, 0xf1000, 0, 4);
    assert_int_equal(mem_read(b, 0xf1000, 4), rom);
    cfg_write(b, 0, 0x59, 0x20, 1);                 /* reads ROM, writes RAM */
    mem_write(b, 0xf1000, 0x11223344, 4);
    assert_int_equal(mem_read(b, 0xf1000, 4), rom);
    cfg_write(b, 0, 0x59, 0x10, 1);                 /* reads RAM, writes nothing */
    assert_int_equal(mem_read(b, 0xf1000, 4), 0x11223344);
    mem_write(b, 0xf1000, 0, 4);
    assert_int_equal(mem_read(b, 0xf1000, 4), 0x11223344);
    cfg_write(b, 0, 0x59, 0x30, 1);
    mem_write(b, 0xf1000, 0x55667788, 4);
    assert_int_equal(mem_read(b, 0xf1000, 4), 0x55667788);
    cfg_write(b, 0, 0x59, 0x00, 1);
    assert_int_equal(mem_read(b, 0xf1000, 4), rom);
}

static void pam_segments_are_independent(void **state)
{
    Board *b = *state;
    assert_int_equal(mem_read(b, 0xc4000, 4), 0xffffffff);
    cfg_write(b, 0, 0x5a, 0x30, 1);                 /* 0xc4000-0xc7fff only */
    mem_write(b, 0xc4000, 0x99, 1);
    assert_int_equal(mem_read(b, 0xc4000, 1), 0x99);
    assert_int_equal(mem_read(b, 0xc0000, 1), 0xff);
    assert_int_equal(mem_read(b, 0xc8000, 1), 0xff);
}

static void pirqs_follow_route_swizzle_and_sharing(void **state)
{
    Board *b = *state;
    PciDevice *x = board_add(b, "virtio-rng-pci,addr=3"), *y = board_add(b, "virtio-rng-pci,addr=7");
    /* Slots 3 and 7, INTA: both PIRQ (0 + 2) & 3 = C. */
    pci_set_intx(x, true);
    assert_false(b->isa[11]);
    cfg_write(b, 8, 0x62, 11, 1);
    assert_true(b->isa[11]);
    pci_set_intx(y, true);
    pci_set_intx(x, false);
    assert_true(b->isa[11]);
    assert_true(cfg_read(b, 7 << 3, 0x06, 2) & 8);
    cfg_write(b, 8, 0x62, 10, 1);                   /* rerouted while asserted */
    assert_false(b->isa[11]);
    assert_true(b->isa[10]);
    cfg_write(b, 7 << 3, 0x04, 0x400, 2);           /* interrupt disable */
    assert_false(b->isa[10]);
}

static void msix_masks_and_remembers(void **state)
{
    Board *b = *state;
    PciDevice *d = board_add(b, "virtio-rng-pci,addr=3");
    unsigned cap = d->msix_cap;
    assert_int_equal(cfg_read(b, DEV, cap, 1), 0x11);
    assert_int_equal(cfg_read(b, DEV, cap + 2, 2), 1);  /* two vectors */
    cfg_write(b, DEV, 0x14, 0xe0000000, 4);
    cfg_write(b, DEV, 0x04, 6, 2);
    mem_write(b, 0xe0000010, 0xfee01000, 4);
    mem_write(b, 0xe0000018, 0x4321, 4);
    assert_int_equal(mem_read(b, 0xe000001c, 4), 1);    /* masked after reset */
    cfg_write(b, DEV, cap + 2, 0x8000, 2);
    pci_msix_notify(d, 1);
    assert_int_equal(b->msis, 0);
    assert_int_equal(mem_read(b, 0xe0000800, 4), 2);
    mem_write(b, 0xe000001c, 0, 4);
    assert_int_equal(b->msis, 1);
    assert_int_equal(b->msi_addr, 0xfee01000);
    assert_int_equal(b->msi_data, 0x4321);
    assert_int_equal(mem_read(b, 0xe0000800, 4), 0);
    cfg_write(b, DEV, cap + 2, 0xc000, 2);              /* function mask */
    pci_msix_notify(d, 1);
    assert_int_equal(b->msis, 1);
    cfg_write(b, DEV, cap + 2, 0x8000, 2);
    assert_int_equal(b->msis, 2);
    pci_msix_notify(d, 2);                              /* no such vector */
    cfg_write(b, DEV, 0x04, 2, 2);                      /* not a bus master */
    pci_msix_notify(d, 1);
    assert_int_equal(b->msis, 2);
}

static void state_round_trip_restores_mapping_and_refuses_forged_ids(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    PciDevice *d = board_add(b, "pci-testdev,addr=3");
    cfg_write(b, DEV, 0x10, 0xe0000000, 4);
    cfg_write(b, DEV, 0x04, 2, 2);
    mem_write(b, 0xe0000000, 1, 1);
    cfg_write(b, 0, 0x59, 0x30, 1);
    mem_write(b, 0xf0000, 0x77, 1);
    StateBuf buf = { 0 };
    assert_true(machine_save_state(&b->m, &buf, &err));
    device_reset_all(&b->m);
    assert_int_equal(mem_read(b, 0xe0000001, 1), 0xff);
    assert_int_not_equal(mem_read(b, 0xf0000, 1), 0x77);
    buf.pos = 0;
    assert_true(machine_load_state(&b->m, &buf, &err));
    assert_int_equal(mem_read(b, 0xe0000001, 1), 2);
    assert_int_equal(mem_read(b, 0xf0000, 1), 0x77);
    d->s->config[0] = 0x11;                             /* as a forged file would */
    assert_true(pci_post_load(d, &err));
    assert_int_equal(cfg_read(b, DEV, 0, 4), 0x00051b36);
    state_buf_free(&buf);
}

static void pm_registers_appear_where_pmba_says(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    static const MemoryOps none = { 0 };
    static MemoryRegion regs;
    memory_init_io(&regs, &b->m, "pm", 64, &none, NULL);
    assert_non_null(piix4_pm_create(b->bus, 11, &regs, 0, &err));
    assert_int_equal(cfg_read(b, 11, 0, 4), 0x71138086);
    assert_null(address_space_find(&b->m.io, 0x600));
    cfg_write(b, 11, 0x40, 0x601, 4);
    cfg_write(b, 11, 0x80, 1, 1);
    assert_non_null(address_space_find(&b->m.io, 0x600));
    assert_ptr_equal(address_space_find(&b->m.io, 0x600)->mr, &regs);
    device_reset_all(&b->m);
    assert_null(address_space_find(&b->m.io, 0x600));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(config_ports_find_the_bridges_and_read_ones_elsewhere),
        T(byte_writes_to_the_address_port_leave_it_alone),
        T(reset_control_asks_for_a_reset_on_the_rising_bit),
        T(identification_is_read_only),
        T(bars_are_sized_by_writing_ones),
        T(memory_bar_is_decoded_only_while_enabled),
        T(a_bar_over_ram_does_not_hide_the_ram),
        T(testdev_counts_matching_writes),
        T(slots_are_given_out_and_conflicts_named),
        T(further_functions_set_the_multifunction_bit),
        T(pam_switches_between_rom_and_ram),
        T(pam_segments_are_independent),
        T(pirqs_follow_route_swizzle_and_sharing),
        T(msix_masks_and_remembers),
        T(state_round_trip_restores_mapping_and_refuses_forged_ids),
        T(pm_registers_appear_where_pmba_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

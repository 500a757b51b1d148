/* SPDX-License-Identifier: MIT */
/* Q35 and ICH9 as firmware and drivers see them: ECAM, PAM, interrupt routes, PM block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hw/timer/acpi_pm.h"
#include "tests/unit/pci_board.h"

enum { LPC = 31 << 3, CARD = 3 << 3, ECAM = 0xe0000000 };

static bool gsi[8];
static Device *lpc, *pm;

static void gsi_set(void *opaque, unsigned n, bool level)
{
    gsi[n] = level;
}

static void isa_set(void *opaque, unsigned n, bool level)
{
    ((Board *)opaque)->isa[n] = level;
}

static void sci_set(void *opaque, unsigned n, bool level)
{
}

static int setup(void **state)
{
    Error err = ERROR_INIT;
    Board *b = board_create_bare();
    const PciHostConfig host = { .ram = &b->ram };
    /* before the bus, so that it goes after the bridge that shows its registers */
    pm = acpi_pm_create_ich9(&b->m, (IrqLine){ sci_set, b, 0 }, &err);
    assert_non_null(b->bus = pci_q35_create(&b->m, &host, &err));
    Ich9Wiring w = { .regs = acpi_pm_region(pm) };
    for (unsigned i = 0; i < 16; i++) {
        w.isa[i] = (IrqLine){ isa_set, b, i };
    }
    for (unsigned i = 0; i < 8; i++) {
        w.gsi[i] = (IrqLine){ gsi_set, b, i };
        gsi[i] = false;
    }
    assert_non_null(lpc = ich9_lpc_create(b->bus, LPC, &w, &err));
    device_reset_all(&b->m);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    return 0;
}

static uint32_t ecam(Board *b, unsigned devfn, unsigned off, unsigned size)
{
    return mem_read(b, ECAM + ((uint64_t)devfn << 12) + off, size);
}

static void ecam_shows_what_the_ports_show(void **state)
{
    Board *b = *state;
    board_add(b, "virtio-rng-pci,addr=3");
    assert_int_equal(pci_q35_ecam(b->bus), 0);
    assert_int_equal(ecam(b, 0, 0, 4), 0xffffffff);
    cfg_write(b, 0, 0x60, ECAM | 1, 4);
    assert_int_equal(pci_q35_ecam(b->bus), ECAM);
    assert_int_equal(ecam(b, 0, 0, 4), 0x29c08086);
    assert_int_equal(ecam(b, LPC, 2, 2), 0x2918);
    assert_int_equal(ecam(b, CARD, 0, 4), cfg_read(b, CARD, 0, 4));
    assert_int_equal(ecam(b, CARD, 0x100, 4), 0);           /* no extended capabilities */
    assert_int_equal(ecam(b, 5 << 3, 0, 4), 0xffffffff);    /* nobody there */
    assert_int_equal(ecam(b, 256, 0, 4), 0xffffffff);       /* bus 1 */
    mem_write(b, ECAM + (CARD << 12) + 0x3c, 0x5a, 1);
    assert_int_equal(cfg_read(b, CARD, 0x3c, 1), 0x5a);
}

static void ecam_can_be_small_and_moved_and_off(void **state)
{
    Board *b = *state;
    cfg_write(b, 0, 0x60, 0xb4000000 | 5, 4);               /* 64 MiB */
    assert_int_equal(pci_q35_ecam(b->bus), 0xb4000000);
    assert_int_equal(mem_read(b, 0xb4000000, 4), 0x29c08086);
    assert_null(address_space_find(&b->m.mem, 0xb8000000));
    cfg_write(b, 0, 0x64, 1, 4);                            /* above 4 GiB */
    assert_int_equal(mem_read(b, 0x1b4000000, 4), 0x29c08086);
    cfg_write(b, 0, 0x60, 0xb4000007, 4);                   /* reserved length */
    assert_int_equal(pci_q35_ecam(b->bus), 0);
    cfg_write(b, 0, 0x60, 0xb4000000, 4);
    assert_null(address_space_find(&b->m.mem, 0x1b4000000));
}

static void pirqs_reach_pins_and_routes(void **state)
{
    Board *b = *state;
    PciDevice *card = board_add(b, "virtio-rng-pci,addr=3");
    PciDevice *own = board_add(b, "virtio-rng-pci,addr=1c");
    pci_set_intx(card, true);           /* slot 3, INTA: PIRQ E + 3 = H */
    assert_true(gsi[7]);
    assert_false(b->isa[11]);
    cfg_write(b, LPC, 0x6b, 11, 1);
    assert_true(b->isa[11]);
    cfg_write(b, LPC, 0x6b, 0x8b, 1);
    assert_false(b->isa[11]);
    pci_set_intx(own, true);            /* slot 28, INTA: PIRQ A */
    assert_true(gsi[0]);
    cfg_write(b, LPC, 0x60, 10, 1);
    assert_true(b->isa[10]);
    pci_set_intx(own, false);
    assert_false(gsi[0]);
    assert_false(b->isa[10]);
    cfg_write(b, LPC, 0x6b, 13, 1);     /* not an interrupt that may be routed to */
    assert_false(b->isa[13]);
}

static void pam_is_at_90h(void **state)
{
    Board *b = *state;
    mem_write(b, 0xf0000, 0x77, 1);
    assert_int_equal(mem_read(b, 0xf0000, 1), 0xff);
    cfg_write(b, 0, 0x90, 0x30, 1);
    mem_write(b, 0xf0000, 0x77, 1);
    assert_int_equal(mem_read(b, 0xf0000, 1), 0x77);
}

static void the_pm_block_is_where_pmbase_says(void **state)
{
    Board *b = *state;
    assert_int_equal(ich9_lpc_pm_base(lpc), 0);
    cfg_write(b, LPC, 0x40, 0x600, 4);
    cfg_write(b, LPC, 0x44, 0x80, 1);
    assert_int_equal(ich9_lpc_pm_base(lpc), 0x600);
    assert_int_equal(io_read(b, 0x630, 4), 0x20);   /* SMI_EN: "set up already" */
    io_write(b, 0x622, 0x1234, 2);                  /* GPE0 enables */
    assert_int_equal(io_read(b, 0x622, 2), 0x1234);
    cfg_write(b, LPC, 0x40, 0xb000, 4);
    assert_int_equal(io_read(b, 0xb022, 2), 0x1234);
    assert_int_equal(io_read(b, 0x622, 2), 0xffff);
}

static void the_chipset_block_is_where_rcba_says(void **state)
{
    Board *b = *state;
    cfg_write(b, LPC, 0xf0, 0xfed1c001, 4);
    mem_write(b, 0xfed1f410, 0x12345678, 4);
    assert_int_equal(mem_read(b, 0xfed1f410, 4), 0x12345678);
    cfg_write(b, LPC, 0xf0, 0xfed1c000, 4);
    assert_null(address_space_find(&b->m.mem, 0xfed1f410));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(ecam_shows_what_the_ports_show), T(ecam_can_be_small_and_moved_and_off),
        T(pirqs_reach_pins_and_routes), T(pam_is_at_90h),
        T(the_pm_block_is_where_pmbase_says), T(the_chipset_block_is_where_rcba_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

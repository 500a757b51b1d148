/* SPDX-License-Identifier: MIT */
/* 8254, RTC, HPET and ACPI PM, poked through their registers. */
#include "hw/timer/acpi_pm.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"
#include "tests/unit/dev_board.h"

#define TICKS(n) (((n)*NS_PER_SEC + 1193181) / 1193182) /* 8254 ticks in ns */

static Error err = ERROR_INIT;

/* --- 8254 --- */

static Board *pit_start(void)
{
    Board *b = board_create(1);
    assert_non_null(i8254_create(&b->m, board_probe(b, 0), &err));
    board_reset(b);
    return b;
}

static unsigned pit_read16(Board *b, unsigned n)
{
    out8(b, 0x43, n << 6);
    unsigned lo = in8(b, 0x40 + n);
    return lo | in8(b, 0x40 + n) << 8;
}

static void pit_set(Board *b, unsigned n, unsigned mode, unsigned count)
{
    out8(b, 0x43, n << 6 | 0x30 | mode << 1);
    out8(b, 0x40 + n, count);
    out8(b, 0x40 + n, count >> 8);
}

static unsigned pit_out(Board *b, unsigned n)
{
    out8(b, 0x43, 0xe0 | 2u << n); /* read back the status */
    return in8(b, 0x40 + n) >> 7;
}

static void pit_mode_2_interrupts_at_its_rate(void **state)
{
    Board *b = pit_start();
    pit_set(b, 0, 2, 11932); /* 100 Hz */
    board_advance(b, NS_PER_SEC);
    assert_in_range(b->probe[0].rises, 99, 100);
    board_destroy(b);
}

static void pit_full_count_gives_18_interrupts_a_second(void **state)
{
    Board *b = pit_start();
    pit_set(b, 0, 3, 0);
    board_advance(b, NS_PER_SEC);
    assert_in_range(b->probe[0].rises, 18, 19);
    board_destroy(b);
}

static void pit_mode_0_raises_the_line_once(void **state)
{
    Board *b = pit_start();
    pit_set(b, 0, 0, 1000);
    assert_false(b->probe[0].level);
    board_advance(b, TICKS(400));
    assert_int_equal(pit_read16(b, 0), 600);
    assert_false(b->probe[0].level);
    board_advance(b, TICKS(601));
    assert_true(b->probe[0].level);
    unsigned n = b->probe[0].rises;
    board_advance(b, NS_PER_SEC);
    assert_int_equal(b->probe[0].rises, n);
    board_destroy(b);
}

static void pit_counter_2_follows_its_gate(void **state)
{
    Board *b = pit_start();
    out8(b, 0x61, 0);
    pit_set(b, 2, 0, 100);
    board_advance(b, TICKS(200));
    assert_int_equal(in8(b, 0x61) & 0x20, 0); /* gate low: does not count */
    assert_int_equal(pit_read16(b, 2), 100);
    out8(b, 0x61, 1);
    board_advance(b, TICKS(60));
    out8(b, 0x61, 0);
    board_advance(b, TICKS(500));
    assert_in_range(pit_read16(b, 2), 39, 41);
    out8(b, 0x61, 1);
    board_advance(b, TICKS(42));
    assert_int_equal(in8(b, 0x61) & 0x21, 0x21);
    board_destroy(b);
}

static void pit_mode_1_waits_for_the_gate(void **state)
{
    Board *b = pit_start();
    out8(b, 0x61, 0);
    pit_set(b, 2, 1, 100);
    board_advance(b, TICKS(300));
    assert_int_equal(pit_out(b, 2), 1);
    out8(b, 0x61, 1);
    assert_int_equal(pit_out(b, 2), 0);
    board_advance(b, TICKS(99));
    assert_int_equal(pit_out(b, 2), 0);
    board_advance(b, TICKS(2));
    assert_int_equal(pit_out(b, 2), 1);
    out8(b, 0x61, 0);
    out8(b, 0x61, 1); /* triggered again */
    assert_int_equal(pit_out(b, 2), 0);
    board_destroy(b);
}

static void pit_mode_3_is_a_square_wave(void **state)
{
    Board *b = pit_start();
    out8(b, 0x61, 1);
    pit_set(b, 2, 3, 100);
    board_advance(b, TICKS(25));
    assert_int_equal(in8(b, 0x61) & 0x20, 0x20);
    assert_int_equal(pit_read16(b, 2), 50); /* counts by two */
    board_advance(b, TICKS(50));
    assert_int_equal(in8(b, 0x61) & 0x20, 0);
    board_advance(b, TICKS(50));
    assert_int_equal(in8(b, 0x61) & 0x20, 0x20);
    board_destroy(b);
}

static void pit_mode_4_strobes_for_one_tick(void **state)
{
    Board *b = pit_start();
    pit_set(b, 0, 4, 100);
    assert_int_equal(pit_out(b, 0), 1);
    unsigned n = b->probe[0].rises;
    board_advance(b, TICKS(100) + 10);
    assert_int_equal(pit_out(b, 0), 0);
    board_advance(b, TICKS(2));
    assert_int_equal(pit_out(b, 0), 1);
    assert_int_equal(b->probe[0].rises, n + 1);
    board_destroy(b);
}

static void pit_bcd_counts_in_decimal(void **state)
{
    Board *b = pit_start();
    out8(b, 0x61, 1);
    out8(b, 0x43, 0xb1); /* counter 2, mode 0, BCD */
    out8(b, 0x42, 0x00);
    out8(b, 0x42, 0x10); /* 1000 */
    board_advance(b, TICKS(1));
    assert_int_equal(pit_read16(b, 2), 0x999);
    board_destroy(b);
}

static void pit_read_back_latches_count_and_status(void **state)
{
    Board *b = pit_start();
    pit_set(b, 0, 2, 0x1234);
    board_advance(b, TICKS(4));
    out8(b, 0x43, 0xc2); /* count and status of counter 0 */
    board_advance(b, TICKS(100));
    assert_int_equal(in8(b, 0x40), 0xb4);
    unsigned lo = in8(b, 0x40);
    assert_int_equal(lo | in8(b, 0x40) << 8, 0x1230);
    /* then live again */
    assert_int_equal(pit_read16(b, 0), 0x1234 - 104);
    board_destroy(b);
}

static void pit_new_count_in_mode_2_waits_for_the_period(void **state)
{
    Board *b = pit_start();
    pit_set(b, 0, 2, 1000);
    board_advance(b, TICKS(300));
    out8(b, 0x40, 100);
    out8(b, 0x40, 0);
    assert_int_equal(pit_read16(b, 0), 700);
    unsigned n = b->probe[0].rises;
    board_advance(b, TICKS(1250) - TICKS(300) + 100);
    assert_int_equal(b->probe[0].rises, n + 3); /* at 1000, 1100, 1200 */
    assert_int_equal(pit_read16(b, 0), 50);
    board_destroy(b);
}

static void pit_tiny_count_does_not_hold_the_host(void **state)
{
    Board *b = pit_start();
    out8(b, 0x43, 0x14);
    out8(b, 0x40, 1);
    board_advance(b, 1000000);
    assert_in_range(b->probe[0].rises, 10, 51);
    board_destroy(b);
}

/* --- RTC --- */

static uint8_t rtc_rd(Board *b, uint8_t i)
{
    out8(b, 0x70, i);
    return in8(b, 0x71);
}

static void rtc_wr(Board *b, uint8_t i, uint8_t v)
{
    out8(b, 0x70, i);
    out8(b, 0x71, v);
}

static Board *rtc_start(const char *base)
{
    Board *b = board_create(1);
    assert_non_null(rtc_create(&b->m, base, board_probe(b, 8), &err));
    board_reset(b);
    return b;
}

static void assert_rtc(Board *b, unsigned century, unsigned y, unsigned mo, unsigned d,
                       unsigned h, unsigned mi, unsigned s)
{
    assert_int_equal(rtc_rd(b, 0x32), century);
    assert_int_equal(rtc_rd(b, 9), y);
    assert_int_equal(rtc_rd(b, 8), mo);
    assert_int_equal(rtc_rd(b, 7), d);
    assert_int_equal(rtc_rd(b, 4), h);
    assert_int_equal(rtc_rd(b, 2), mi);
    assert_int_equal(rtc_rd(b, 0), s);
}

static void rtc_shows_the_wall_clock(void **state)
{
    Board *b = rtc_start("utc");
    assert_rtc(b, 0x20, 0x23, 0x11, 0x14, 0x22, 0x13, 0x20);
    assert_int_equal(rtc_rd(b, 6), 3); /* Tuesday */
    assert_int_equal(rtc_rd(b, 0xd), 0x80);
    board_advance(b, 2 * 3600 * NS_PER_SEC);
    assert_rtc(b, 0x20, 0x23, 0x11, 0x15, 0x00, 0x13, 0x20);
    rtc_wr(b, 0xb, 0x06); /* binary, 24 hours */
    assert_int_equal(rtc_rd(b, 9), 23);
    rtc_wr(b, 0xb, 0x00); /* BCD, 12 hours: midnight is 12 AM */
    assert_int_equal(rtc_rd(b, 4), 0x12);
    board_advance(b, 13 * 3600 * NS_PER_SEC);
    assert_int_equal(rtc_rd(b, 4), 0x81);
    board_destroy(b);
}

static void rtc_base_takes_a_date(void **state)
{
    Board *b = rtc_start("2000-02-28T23:59:58");
    assert_rtc(b, 0x20, 0x00, 0x02, 0x28, 0x23, 0x59, 0x58);
    board_advance(b, 2 * NS_PER_SEC);
    assert_rtc(b, 0x20, 0x00, 0x02, 0x29, 0x00, 0x00, 0x00);
    Error e = ERROR_INIT;
    assert_null(rtc_create(&b->m, "2023-02-29", board_probe(b, 9), &e));
    error_free(&e);
    assert_null(rtc_create(&b->m, "tomorrow", board_probe(b, 9), &e));
    error_free(&e);
    board_destroy(b);
}

static void rtc_time_can_be_set(void **state)
{
    Board *b = rtc_start(NULL);
    rtc_wr(b, 0xb, 0x82); /* SET: the clock stands */
    rtc_wr(b, 0x32, 0x19);
    rtc_wr(b, 9, 0x99);
    rtc_wr(b, 8, 0x12);
    rtc_wr(b, 7, 0x31);
    rtc_wr(b, 4, 0x23);
    rtc_wr(b, 2, 0x59);
    rtc_wr(b, 0, 0x50);
    board_advance(b, 100 * NS_PER_SEC);
    assert_int_equal(rtc_rd(b, 0), 0x50);
    rtc_wr(b, 0xb, 0x02);
    board_advance(b, 10 * NS_PER_SEC);
    assert_rtc(b, 0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00);
    board_destroy(b);
}

static void rtc_update_interrupt_comes_each_second(void **state)
{
    Board *b = rtc_start(NULL);
    rtc_wr(b, 0xb, 0x12);
    board_advance(b, 999999999);
    assert_int_equal(rtc_rd(b, 0xa) & 0x80, 0x80); /* update in progress */
    assert_false(b->probe[8].level);
    board_advance(b, 1);
    assert_true(b->probe[8].level);
    assert_int_equal(rtc_rd(b, 0xa) & 0x80, 0);
    assert_int_equal(rtc_rd(b, 0xc) & 0xb0, 0x90); /* the periodic flag runs along */
    assert_false(b->probe[8].level);
    assert_int_equal(rtc_rd(b, 0xc), 0);
    board_advance(b, 3 * NS_PER_SEC);
    rtc_rd(b, 0xc);
    assert_int_equal(b->probe[8].rises, 2);
    board_destroy(b);
}

static void rtc_flags_can_be_polled_without_interrupts(void **state)
{
    Board *b = rtc_start(NULL);
    rtc_rd(b, 0xc);
    assert_int_equal(rtc_rd(b, 0xc) & 0x10, 0);
    board_advance(b, NS_PER_SEC);
    assert_int_equal(rtc_rd(b, 0xc) & 0x10, 0x10);
    assert_false(b->probe[8].level);
    board_destroy(b);
}

static void rtc_alarm_rings_at_its_time(void **state)
{
    Board *b = rtc_start(NULL); /* 22:13:20 */
    rtc_wr(b, 5, 0x22);
    rtc_wr(b, 3, 0xff); /* any minute */
    rtc_wr(b, 1, 0x05);
    rtc_wr(b, 0xb, 0x22);
    board_advance(b, 44 * NS_PER_SEC);
    assert_false(b->probe[8].level);
    board_advance(b, NS_PER_SEC);
    assert_int_equal(rtc_rd(b, 0xc) & 0xb0, 0xb0);
    board_destroy(b);
}

static void rtc_periodic_interrupt_has_its_rate(void **state)
{
    Board *b = rtc_start(NULL);
    rtc_wr(b, 0xa, 0x26); /* 1024 Hz */
    rtc_wr(b, 0xb, 0x42);
    unsigned n = 0;
    for (unsigned i = 0; i < 1000; i++) {
        board_advance(b, 1000000);
        n += rtc_rd(b, 0xc) >> 6 & 1;
    }
    assert_in_range(n, 995, 1000);
    board_destroy(b);
}

static void rtc_ram_and_the_extended_bank(void **state)
{
    Board *b = rtc_start(NULL);
    rtc_wr(b, 0x40, 0x5a);
    out8(b, 0x72, 0x40);
    out8(b, 0x73, 0xa5);
    assert_int_equal(rtc_rd(b, 0x40), 0x5a);
    out8(b, 0x72, 0xc0);
    assert_int_equal(in8(b, 0x73), 0xa5);
    board_destroy(b);
}

/* --- HPET --- */

enum {
    H_CFG = 0x10,
    H_STS = 0x20,
    H_CNT = 0xf0,
    T0 = 0x100,
    T0_CMP = 0x108,
    T1 = 0x120,
    T1_CMP = 0x128,
    T2 = 0x140,
    T2_CMP = 0x148,
    T2_FSB = 0x150
};

static Board *hpet_start(void)
{
    Board *b = board_create(1);
    HpetWiring w = { .irq0 = board_probe(b, 0),
                     .irq8 = board_probe(b, 8),
                     .legacy = board_probe(b, 16),
                     .msi = board_msi,
                     .msi_opaque = b };
    for (unsigned i = 0; i < HPET_GSIS; i++) {
        w.gsi[i] = board_probe(b, i);
    }
    assert_non_null(hpet_create(&b->m, 3, &w, &err));
    board_reset(b);
    return b;
}

static uint64_t hr(Board *b, unsigned reg)
{
    return memr(b, HPET_BASE + reg, 8);
}
static void hw(Board *b, unsigned reg, uint64_t v)
{
    memw(b, HPET_BASE + reg, v, 8);
}

static void hpet_counts_ten_nanoseconds_while_enabled(void **state)
{
    Board *b = hpet_start();
    assert_int_equal(hr(b, 0) >> 32, 10000000);
    assert_int_equal(hr(b, 0) & 0xffffffff, 0x8086a201);
    board_advance(b, 1000);
    assert_int_equal(hr(b, H_CNT), 0);
    hw(b, H_CNT, 0x1ffffffff);
    hw(b, H_CFG, 1);
    board_advance(b, 1000);
    assert_true(hr(b, H_CNT) == 0x1ffffffffull + 100);
    assert_int_equal(memr(b, HPET_BASE + H_CNT, 4), 99);
    assert_int_equal(memr(b, HPET_BASE + H_CNT + 4, 4), 2);
    hw(b, H_CFG, 0);
    board_advance(b, 1000);
    assert_true(hr(b, H_CNT) == 0x1ffffffffull + 100);
    board_destroy(b);
}

static void hpet_one_shot_pulses_its_route(void **state)
{
    Board *b = hpet_start();
    hw(b, H_CFG, 1);
    hw(b, T2, 20 << 9 | 4);
    assert_int_equal(hr(b, T2) >> 32, 0xf00000);
    hw(b, T2_CMP, 1000);
    board_advance(b, 9999);
    assert_int_equal(b->probe[20].rises, 0);
    board_advance(b, 1);
    assert_int_equal(b->probe[20].rises, 1);
    board_advance(b, NS_PER_SEC);
    assert_int_equal(b->probe[20].rises, 1);
    board_destroy(b);
}

static void hpet_legacy_replacement_takes_irq_0_and_8(void **state)
{
    Board *b = hpet_start();
    hw(b, H_CFG, 3);
    assert_true(b->probe[16].level);
    /* as guests do it: accumulator, then period */
    hw(b, T0, 0x4c | 0x100); /* periodic, interrupt, set value, 32 bits */
    hw(b, T0_CMP, 100000);   /* first at 1 ms */
    hw(b, T0_CMP, 100000);   /* then every 1 ms */
    hw(b, T1, 4);
    hw(b, T1_CMP, 50000);
    board_advance(b, 10500000);
    assert_int_equal(b->probe[0].rises, 10);
    assert_int_equal(b->probe[8].rises, 1);
    assert_int_equal(hr(b, T0_CMP), 1100000);
    hw(b, H_CFG, 1);
    assert_false(b->probe[16].level);
    board_destroy(b);
}

static void hpet_32_bit_comparator_wraps(void **state)
{
    Board *b = hpet_start();
    hw(b, H_CNT, 0xfffffff0);
    hw(b, T2, 21 << 9 | 4 | 0x100);
    hw(b, T2_CMP, 0x10);
    hw(b, H_CFG, 1);
    board_advance(b, 319);
    assert_int_equal(b->probe[21].rises, 0);
    board_advance(b, 1);
    assert_int_equal(b->probe[21].rises, 1);
    board_destroy(b);
}

static void hpet_level_interrupt_holds_until_status_is_cleared(void **state)
{
    Board *b = hpet_start();
    hw(b, T2, 20 << 9 | 6);
    hw(b, T2_CMP, 10);
    hw(b, H_CFG, 1);
    board_advance(b, 100);
    assert_true(b->probe[20].level);
    assert_int_equal(hr(b, H_STS), 4);
    hw(b, H_STS, 4);
    assert_false(b->probe[20].level);
    board_destroy(b);
}

static void hpet_fsb_sends_a_message(void **state)
{
    Board *b = hpet_start();
    hw(b, T2, 0x4004);
    hw(b, T2_FSB, 0xfee01000ull << 32 | 0x4055);
    hw(b, T2_CMP, 10);
    hw(b, H_CFG, 1);
    board_advance(b, 100);
    assert_int_equal(b->msis, 1);
    assert_int_equal(b->msi_addr, 0xfee01000);
    assert_int_equal(b->msi_data, 0x4055);
    board_destroy(b);
}

static void hpet_tiny_period_does_not_hold_the_host(void **state)
{
    Board *b = hpet_start();
    hw(b, T2, 20 << 9 | 0x4c);
    hw(b, T2_CMP, 1);
    hw(b, T2_CMP, 1);
    hw(b, H_CFG, 1);
    board_advance(b, 1000000);
    assert_in_range(b->probe[20].rises, 10, 52);
    board_destroy(b);
}

static void hpet_silences_the_pit_in_legacy_mode(void **state)
{
    Board *b = pit_start();
    Device *pit = b->m.board_devices;
    while (pit->cls != &i8254_class) {
        pit = pit->next;
    }
    IrqLine legacy = device_irq_in(pit, 0);
    pit_set(b, 0, 2, 11932);
    irq_set(&legacy, true);
    unsigned n = b->probe[0].rises;
    board_advance(b, NS_PER_SEC);
    assert_int_equal(b->probe[0].rises, n);
    irq_set(&legacy, false);
    board_advance(b, NS_PER_SEC);
    assert_in_range(b->probe[0].rises, n + 99, n + 102);
    board_destroy(b);
}

/* --- ACPI --- */

static Device *pm;

static Board *pm_start(void)
{
    Board *b = board_create(1);
    pm = acpi_pm_create(&b->m, board_probe(b, 9), &err);
    assert_non_null(pm);
    device_map(pm, &b->m.io_root, acpi_pm_region(pm), 0x600, 0);
    board_reset(b);
    return b;
}

static void acpi_timer_runs_at_3_58_mhz(void **state)
{
    Board *b = pm_start();
    board_advance(b, NS_PER_SEC);
    assert_int_equal(inp(b, 0x608, 4), 3579545);
    board_advance(b, 4 * NS_PER_SEC);
    assert_int_equal(inp(b, 0x608, 4), 5 * 3579545 & 0xffffff);
    board_destroy(b);
}

static void acpi_timer_carry_raises_sci(void **state)
{
    Board *b = pm_start();
    out8(b, 0xb2, ACPI_ENABLE);
    assert_int_equal(inp(b, 0x604, 2), 1);
    outp(b, 0x602, 1, 2);
    board_advance(b, 2300000000ll);
    assert_false(b->probe[9].level);
    board_advance(b, 100000000); /* bit 23 changes after 2.3435 s */
    assert_true(b->probe[9].level);
    outp(b, 0x600, 1, 2);
    assert_false(b->probe[9].level);
    board_advance(b, 2343500000ll);
    assert_true(b->probe[9].level);
    board_destroy(b);
}

static void acpi_power_button_raises_sci_when_enabled(void **state)
{
    Board *b = pm_start();
    out8(b, 0xb2, ACPI_ENABLE);
    acpi_pm_power_button(pm);
    assert_false(b->probe[9].level);
    assert_int_equal(inp(b, 0x600, 2) & 0x100, 0x100);
    outp(b, 0x602, 0x100, 2);
    assert_true(b->probe[9].level);
    out8(b, 0x601, 1); /* byte access clears bit 8 */
    assert_false(b->probe[9].level);
    out8(b, 0xb2, ACPI_DISABLE);
    assert_int_equal(inp(b, 0x604, 2), 0);
    board_destroy(b);
}

static void an_alarm_of_the_clock_raises_sci_when_enabled(void **state)
{
    Board *b = pm_start();
    out8(b, 0xb2, ACPI_ENABLE);
    outp(b, 0x602, 0x400, 2);
    assert_false(b->probe[9].level);
    acpi_pm_rtc_alarm(pm);
    assert_true(b->probe[9].level);
    assert_int_equal(inp(b, 0x600, 2) & 0x400, 0x400);
    outp(b, 0x600, 0x400, 2);
    assert_false(b->probe[9].level);
    board_destroy(b);
}

static void acpi_general_purpose_event(void **state)
{
    Board *b = pm_start();
    out8(b, 0xb2, ACPI_ENABLE);
    outp(b, 0x60e, 2, 2);
    acpi_pm_gpe(pm, 1);
    assert_true(b->probe[9].level);
    outp(b, 0x60c, 2, 2);
    assert_false(b->probe[9].level);
    board_destroy(b);
}

static void acpi_soft_off_ends_the_machine(void **state)
{
    Board *b = pm_start();
    outp(b, 0x604, 1 << 10 | 1 << 13, 2); /* another sleep type: nothing */
    assert_false(b->m.shutdown_requested);
    outp(b, 0x604, 1 << 13, 2);
    assert_true(b->m.shutdown_requested);
    board_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pit_mode_2_interrupts_at_its_rate),
        cmocka_unit_test(pit_full_count_gives_18_interrupts_a_second),
        cmocka_unit_test(pit_mode_0_raises_the_line_once),
        cmocka_unit_test(pit_counter_2_follows_its_gate),
        cmocka_unit_test(pit_mode_1_waits_for_the_gate),
        cmocka_unit_test(pit_mode_3_is_a_square_wave),
        cmocka_unit_test(pit_mode_4_strobes_for_one_tick),
        cmocka_unit_test(pit_bcd_counts_in_decimal),
        cmocka_unit_test(pit_read_back_latches_count_and_status),
        cmocka_unit_test(pit_new_count_in_mode_2_waits_for_the_period),
        cmocka_unit_test(pit_tiny_count_does_not_hold_the_host),
        cmocka_unit_test(rtc_shows_the_wall_clock),
        cmocka_unit_test(rtc_base_takes_a_date),
        cmocka_unit_test(rtc_time_can_be_set),
        cmocka_unit_test(rtc_update_interrupt_comes_each_second),
        cmocka_unit_test(rtc_flags_can_be_polled_without_interrupts),
        cmocka_unit_test(rtc_alarm_rings_at_its_time),
        cmocka_unit_test(rtc_periodic_interrupt_has_its_rate),
        cmocka_unit_test(rtc_ram_and_the_extended_bank),
        cmocka_unit_test(hpet_counts_ten_nanoseconds_while_enabled),
        cmocka_unit_test(hpet_one_shot_pulses_its_route),
        cmocka_unit_test(hpet_legacy_replacement_takes_irq_0_and_8),
        cmocka_unit_test(hpet_32_bit_comparator_wraps),
        cmocka_unit_test(hpet_level_interrupt_holds_until_status_is_cleared),
        cmocka_unit_test(hpet_fsb_sends_a_message),
        cmocka_unit_test(hpet_tiny_period_does_not_hold_the_host),
        cmocka_unit_test(hpet_silences_the_pit_in_legacy_mode),
        cmocka_unit_test(acpi_timer_runs_at_3_58_mhz),
        cmocka_unit_test(acpi_timer_carry_raises_sci),
        cmocka_unit_test(acpi_power_button_raises_sci_when_enabled),
        cmocka_unit_test(an_alarm_of_the_clock_raises_sci_when_enabled),
        cmocka_unit_test(acpi_general_purpose_event),
        cmocka_unit_test(acpi_soft_off_ends_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

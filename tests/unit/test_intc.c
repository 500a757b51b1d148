/* SPDX-License-Identifier: MIT */
/* 8259, I/O APIC, local APIC and messages, poked through their registers. */
#include "hw/intc/i8259.h"
#include "tests/unit/dev_board.h"

enum {
    SVR = 0xf0,
    TPR = 0x80,
    PPR = 0xa0,
    EOI = 0xb0,
    LDR = 0xd0,
    DFR = 0xe0,
    ESR = 0x280,
    ICR = 0x300,
    ICR2 = 0x310,
    LVT_TIMER_ = 0x320,
    LINT0 = 0x350,
    LINT1 = 0x360,
    LVT_ERROR_ = 0x370,
    TMICT = 0x380,
    TMCCT = 0x390,
    TDCR = 0x3e0
};

static Board *start(unsigned cpus)
{
    Board *b = board_create(cpus);
    for (unsigned i = 0; i < cpus; i++) {
        board_run_as(b, i);
        lapic_wr(b, SVR, 0x1ff);
    }
    board_run_as(b, 0);
    return b;
}

static void pic_init(Board *b, uint8_t icw4)
{
    out8(b, 0x20, 0x11);
    out8(b, 0x21, 0x20);
    out8(b, 0x21, 4);
    out8(b, 0x21, icw4);
    out8(b, 0xa0, 0x11);
    out8(b, 0xa1, 0x28);
    out8(b, 0xa1, 2);
    out8(b, 0xa1, icw4 & ~0x10);
    lapic_wr(b, LINT0, 0x700);
}

static void line(Board *b, unsigned n, bool level)
{
    IrqLine l = device_irq_in(b->pic, n);
    irq_set(&l, level);
}

static void pic_serves_the_highest_priority_first(void **state)
{
    Board *b = start(1);
    pic_init(b, 1);
    line(b, 5, true);
    line(b, 1, true);
    assert_true(board_hard(b, 0));
    assert_int_equal(board_ack(b, 0), 0x21);
    assert_false(board_hard(b, 0)); /* 5 is below 1, which is in service */
    line(b, 0, true);
    assert_true(board_hard(b, 0));
    assert_int_equal(board_ack(b, 0), 0x20);
    out8(b, 0x20, 0x20);
    assert_false(board_hard(b, 0));
    out8(b, 0x20, 0x61); /* specific EOI of 1 */
    assert_int_equal(board_ack(b, 0), 0x25);
    board_destroy(b);
}

static void pic_slave_comes_through_the_cascade(void **state)
{
    Board *b = start(1);
    pic_init(b, 1);
    line(b, 12, true);
    assert_int_equal(board_ack(b, 0), 0x2c);
    out8(b, 0x20, 0x0b);
    assert_int_equal(in8(b, 0x20), 0x04); /* ISR of the master: the cascade */
    out8(b, 0xa0, 0x0b);
    assert_int_equal(in8(b, 0xa0), 0x10);
    line(b, 8, true); /* higher within the slave, but the master waits */
    assert_false(board_hard(b, 0));
    out8(b, 0xa0, 0x20);
    out8(b, 0x20, 0x20);
    assert_int_equal(board_ack(b, 0), 0x28);
    board_destroy(b);
}

static void pic_special_fully_nested_lets_the_slave_nest(void **state)
{
    Board *b = start(1);
    pic_init(b, 0x11);
    line(b, 12, true);
    assert_int_equal(board_ack(b, 0), 0x2c);
    line(b, 8, true);
    assert_true(board_hard(b, 0));
    assert_int_equal(board_ack(b, 0), 0x28);
    board_destroy(b);
}

static void pic_request_that_vanishes_is_spurious(void **state)
{
    Board *b = start(1);
    pic_init(b, 1);
    out8(b, 0x4d0, 0x20); /* 5 is level triggered */
    line(b, 5, true);
    line(b, 5, false);
    assert_int_equal(i8259_ack(b->pic), 0x27);
    out8(b, 0x20, 0x0b);
    assert_int_equal(in8(b, 0x20), 0);
    board_destroy(b);
}

static void pic_level_input_interrupts_again_after_eoi(void **state)
{
    Board *b = start(1);
    pic_init(b, 1);
    outp(b, 0x4d0, 0xffff, 2);
    assert_int_equal(inp(b, 0x4d0, 2), 0xdef8);
    line(b, 10, true);
    assert_int_equal(board_ack(b, 0), 0x2a);
    out8(b, 0xa0, 0x20);
    out8(b, 0x20, 0x20);
    assert_int_equal(board_ack(b, 0), 0x2a);
    line(b, 10, false);
    out8(b, 0xa0, 0x20);
    out8(b, 0x20, 0x20);
    assert_false(board_hard(b, 0));
    /* an edge input does not */
    line(b, 1, true);
    assert_int_equal(board_ack(b, 0), 0x21);
    out8(b, 0x20, 0x20);
    assert_false(board_hard(b, 0));
    board_destroy(b);
}

static void pic_rotation_and_special_mask(void **state)
{
    Board *b = start(1);
    pic_init(b, 1);
    out8(b, 0x20, 0xc3); /* 3 is lowest: 4 highest */
    line(b, 1, true);
    line(b, 4, true);
    assert_int_equal(board_ack(b, 0), 0x24);
    out8(b, 0x20, 0xa0); /* rotate on non-specific EOI: 4 becomes lowest */
    assert_int_equal(board_ack(b, 0), 0x21);
    line(b, 3, true); /* now 5 6 7 0 1 2 3 4: below 1 */
    assert_false(board_hard(b, 0));
    out8(b, 0x21, 0x02);
    out8(b, 0x20, 0x68); /* special mask mode: masked 1 blocks nobody */
    assert_int_equal(board_ack(b, 0), 0x23);
    board_destroy(b);
}

static void pic_poll_acknowledges(void **state)
{
    Board *b = start(1);
    pic_init(b, 1);
    out8(b, 0x20, 0x0c);
    assert_int_equal(in8(b, 0x20), 0);
    line(b, 6, true);
    out8(b, 0x20, 0x0c);
    assert_int_equal(in8(b, 0x20), 0x86);
    assert_false(board_hard(b, 0));
    board_destroy(b);
}

static void pic_auto_eoi_leaves_nothing_in_service(void **state)
{
    Board *b = start(1);
    pic_init(b, 3);
    line(b, 4, true);
    assert_int_equal(board_ack(b, 0), 0x24);
    out8(b, 0x20, 0x0b);
    assert_int_equal(in8(b, 0x20), 0);
    board_destroy(b);
}

static void pic_works_with_the_lapic_off_and_through_virtual_wire(void **state)
{
    Board *b = start(2);
    pic_init(b, 1);
    lapic_wr(b, LINT0, 0x10700);
    line(b, 3, true);
    assert_false(board_hard(b, 0));
    lapic_wr(b, LINT0, 0x700);
    assert_true(board_hard(b, 0));
    lapic_wr(b, LINT0, 0x10700);
    assert_false(board_hard(b, 0));
    /* LAPIC off: INTR goes to the boot CPU only */
    const CpuIrqOps *ops = b->cpu[0].irq_ops;
    assert_true(ops->set_base(b->cpu[0].irq_opaque, 0xfee00100));
    assert_true(ops->set_base(b->cpu[1].irq_opaque, 0xfee00000));
    assert_true(board_hard(b, 0));
    assert_false(board_hard(b, 1));
    assert_int_equal(board_ack(b, 0), 0x23);
    board_destroy(b);
}

/* --- I/O APIC --- */

static void gsi(Board *b, unsigned n, bool level)
{
    IrqLine l = device_irq_in(b->ioapic, n);
    irq_set(&l, level);
}

static void ioapic_edges_at_a_masked_pin_are_lost(void **state)
{
    Board *b = start(2);
    gsi(b, 4, true);
    ioapic_wr(b, 0x10 + 9, 1u << 24); /* pin 4 to APIC 1 */
    ioapic_wr(b, 0x10 + 8, 0x44);
    assert_false(board_hard(b, 1));
    gsi(b, 4, false);
    gsi(b, 4, true);
    assert_false(board_hard(b, 0));
    assert_int_equal(board_ack(b, 1), 0x44);
    assert_int_equal(ioapic_rd(b, 0x10 + 8), 0x44);
    assert_int_equal(ioapic_rd(b, 1), 0x170020);
    board_destroy(b);
}

static void ioapic_level_waits_for_the_eoi(void **state)
{
    Board *b = start(1);
    ioapic_wr(b, 0x10 + 20, 0x8051); /* pin 10, level */
    gsi(b, 10, true);
    assert_int_equal(ioapic_rd(b, 0x10 + 20), 0xc051); /* remote IRR */
    assert_int_equal(board_ack(b, 0), 0x51);
    gsi(b, 10, false);
    gsi(b, 10, true);
    assert_false(board_hard(b, 0));
    lapic_wr(b, EOI, 0);
    assert_int_equal(board_ack(b, 0), 0x51); /* still high */
    gsi(b, 10, false);
    lapic_wr(b, EOI, 0);
    assert_int_equal(ioapic_rd(b, 0x10 + 20), 0x8051);
    assert_false(board_hard(b, 0));
    board_destroy(b);
}

static void ioapic_eoi_register_ends_when_broadcast_is_off(void **state)
{
    Board *b = start(1);
    lapic_wr(b, SVR, 0x11ff); /* suppress EOI broadcast */
    ioapic_wr(b, 0x10 + 20, 0x8051);
    gsi(b, 10, true);
    assert_int_equal(board_ack(b, 0), 0x51);
    gsi(b, 10, false);
    lapic_wr(b, EOI, 0);
    assert_int_equal(ioapic_rd(b, 0x10 + 20), 0xc051);
    memw(b, 0xfec00040, 0x51, 4);
    assert_int_equal(ioapic_rd(b, 0x10 + 20), 0x8051);
    board_destroy(b);
}

static void ioapic_switch_to_edge_drops_remote_irr(void **state)
{
    Board *b = start(1);
    ioapic_wr(b, 0x10 + 20, 0x8051);
    gsi(b, 10, true);
    gsi(b, 10, false);
    ioapic_wr(b, 0x10 + 20, 0x10051);
    ioapic_wr(b, 0x10 + 20, 0x18051);
    assert_int_equal(ioapic_rd(b, 0x10 + 20), 0x18051);
    board_destroy(b);
}

/* --- local APIC --- */

static void lapic_priorities_follow_tpr_and_isr(void **state)
{
    Board *b = start(1);
    lapic_wr(b, TPR, 0x40);
    msi_send(&b->apic, 0xfee00000, 0x4f);
    assert_false(board_hard(b, 0));
    msi_send(&b->apic, 0xfee00000, 0x50);
    assert_int_equal(board_ack(b, 0), 0x50);
    assert_int_equal(lapic_rd(b, PPR), 0x50);
    msi_send(&b->apic, 0xfee00000, 0x5f); /* same class */
    assert_false(board_hard(b, 0));
    msi_send(&b->apic, 0xfee00000, 0x60);
    assert_int_equal(board_ack(b, 0), 0x60);
    lapic_wr(b, EOI, 0);
    assert_int_equal(lapic_rd(b, PPR), 0x50);
    lapic_wr(b, EOI, 0);
    assert_int_equal(board_ack(b, 0), 0x5f);
    lapic_wr(b, EOI, 0);
    const CpuIrqOps *ops = b->cpu[0].irq_ops;
    assert_int_equal(ops->get_tpr(b->cpu[0].irq_opaque), 4);
    ops->set_tpr(b->cpu[0].irq_opaque, 0);
    assert_int_equal(board_ack(b, 0), 0x4f);
    assert_int_equal(board_ack(b, 0), -1);
    board_destroy(b);
}

static void lapic_self_and_other_shorthands(void **state)
{
    Board *b = start(3);
    lapic_wr(b, ICR, 0x40033); /* self */
    assert_int_equal(board_ack(b, 0), 0x33);
    lapic_wr(b, ICR, 0xc0034); /* all but self */
    assert_false(board_hard(b, 0));
    assert_int_equal(board_ack(b, 1), 0x34);
    assert_int_equal(board_ack(b, 2), 0x34);
    lapic_wr(b, EOI, 0);
    lapic_wr(b, ICR, 0x80035); /* all */
    assert_int_equal(board_ack(b, 0), 0x35);
    lapic_wr(b, ICR2, 2u << 24);
    lapic_wr(b, ICR, 0x46); /* physical 2 */
    assert_false(board_hard(b, 1));
    assert_true(board_hard(b, 2));
    assert_int_equal(lapic_rd(b, ICR), 0x46);
    board_destroy(b);
}

static void lapic_logical_flat_and_cluster(void **state)
{
    Board *b = start(3);
    for (unsigned i = 0; i < 3; i++) {
        board_run_as(b, i);
        lapic_wr(b, LDR, 1u << (24 + i));
    }
    board_run_as(b, 0);
    lapic_wr(b, ICR2, 6u << 24);
    lapic_wr(b, ICR, 0x850); /* logical {1, 2} */
    assert_false(board_hard(b, 0));
    assert_int_equal(board_ack(b, 1), 0x50);
    assert_int_equal(board_ack(b, 2), 0x50);
    for (unsigned i = 0; i < 3; i++) {
        board_run_as(b, i);
        lapic_wr(b, EOI, 0);
        lapic_wr(b, DFR, 0); /* cluster model */
        lapic_wr(b, LDR, (i < 2 ? 0x10u : 0x20u) << 24 | 1u << (24 + i % 2));
    }
    board_run_as(b, 0);
    lapic_wr(b, ICR2, 0x13u << 24);
    lapic_wr(b, ICR, 0x851);
    assert_true(board_hard(b, 0));
    assert_true(board_hard(b, 1));
    assert_false(board_hard(b, 2));
    board_destroy(b);
}

static void lapic_lowest_priority_takes_one_idle_cpu(void **state)
{
    Board *b = start(3);
    lapic_wr(b, TPR, 0x20);
    board_run_as(b, 2);
    lapic_wr(b, TPR, 0x20);
    for (unsigned i = 0; i < 3; i++) {
        board_run_as(b, i);
        lapic_wr(b, LDR, 1u << (24 + i));
    }
    msi_send(&b->apic, 0xfee0700c, 0x0161); /* logical 7, lowest priority */
    assert_false(board_hard(b, 0));
    assert_true(board_hard(b, 1));
    assert_false(board_hard(b, 2));
    board_destroy(b);
}

static void lapic_init_and_startup_reach_the_cpu(void **state)
{
    Board *b = start(2);
    board_run_as(b, 1);
    lapic_wr(b, TPR, 0x70);
    board_run_as(b, 0);
    lapic_wr(b, ICR2, 1u << 24);
    lapic_wr(b, ICR, 0xc500);
    assert_int_equal(b->cpu[1].request, CPU_REQ_INIT);
    lapic_wr(b, ICR, 0x8500); /* de-assert: nothing */
    b->cpu[1].request = 0;
    lapic_wr(b, ICR, 0x0699);
    assert_int_equal(b->cpu[1].request, CPU_REQ_SIPI);
    assert_int_equal(b->cpu[1].sipi_vector, 0x99);
    lapic_wr(b, ICR, 0x0400);
    assert_true(b->cpu[1].request & CPU_REQ_NMI);
    board_run_as(b, 1);
    assert_int_equal(lapic_rd(b, TPR), 0); /* INIT reset it */
    assert_int_equal(lapic_rd(b, SVR), 0xff);
    assert_int_equal(lapic_rd(b, 0x20), 1u << 24);
    board_destroy(b);
}

static void lapic_disabled_by_software_masks_and_refuses(void **state)
{
    Board *b = start(1);
    lapic_wr(b, LVT_TIMER_, 0x40);
    lapic_wr(b, SVR, 0xff);
    assert_int_equal(lapic_rd(b, LVT_TIMER_), 0x10040);
    lapic_wr(b, LVT_TIMER_, 0x40);
    assert_int_equal(lapic_rd(b, LVT_TIMER_), 0x10040);
    msi_send(&b->apic, 0xfee00000, 0x77);
    assert_false(board_hard(b, 0));
    board_destroy(b);
}

static void lapic_bad_vectors_and_registers_make_errors(void **state)
{
    Board *b = start(1);
    lapic_wr(b, LVT_ERROR_, 0xfe);
    lapic_wr(b, ICR, 0x40005);
    lapic_wr(b, ESR, 0);
    assert_int_equal(lapic_rd(b, ESR), 0x20);
    assert_int_equal(board_ack(b, 0), 0xfe);
    lapic_wr(b, EOI, 0);
    msi_send(&b->apic, 0xfee00000, 0x0e);
    lapic_rd(b, 0x3f0);
    lapic_wr(b, ESR, 0);
    assert_int_equal(lapic_rd(b, ESR), 0xc0);
    lapic_wr(b, ESR, 0);
    assert_int_equal(lapic_rd(b, ESR), 0);
    board_destroy(b);
}

static void lapic_nmi_button_needs_lint1(void **state)
{
    Board *b = start(1);
    apic_bus_nmi(&b->apic);
    assert_int_equal(b->cpu[0].request & CPU_REQ_NMI, 0);
    lapic_wr(b, LINT1, 0x400);
    apic_bus_nmi(&b->apic);
    assert_true(b->cpu[0].request & CPU_REQ_NMI);
    board_destroy(b);
}

static void lapic_timer_one_shot_counts_down_and_fires_once(void **state)
{
    Board *b = start(1);
    lapic_wr(b, TDCR, 0xb); /* divide by 1 */
    lapic_wr(b, LVT_TIMER_, 0x31);
    lapic_wr(b, TMICT, 1000);
    board_advance(b, 400);
    assert_int_equal(lapic_rd(b, TMCCT), 600);
    assert_false(board_hard(b, 0));
    board_advance(b, 600);
    assert_int_equal(board_ack(b, 0), 0x31);
    lapic_wr(b, EOI, 0);
    assert_int_equal(lapic_rd(b, TMCCT), 0);
    board_advance(b, 10000);
    assert_false(board_hard(b, 0));
    lapic_wr(b, TDCR, 0x3); /* divide by 16 */
    lapic_wr(b, TMICT, 1000);
    board_advance(b, 15999);
    assert_false(board_hard(b, 0));
    board_advance(b, 1);
    assert_true(board_hard(b, 0));
    board_destroy(b);
}

static void lapic_timer_periodic_keeps_its_pace(void **state)
{
    Board *b = start(1);
    lapic_wr(b, TDCR, 0xb);
    lapic_wr(b, LVT_TIMER_, 0x20031);
    lapic_wr(b, TMICT, 100000);
    unsigned n = 0;
    for (unsigned i = 0; i < 1000; i++) {
        board_advance(b, 1000);
        if (board_ack(b, 0) == 0x31) {
            n++;
            lapic_wr(b, EOI, 0);
        }
    }
    assert_int_equal(n, 10);
    assert_int_equal(lapic_rd(b, TMCCT), 100000);
    /* A period of one nanosecond does not hold the host. */
    lapic_wr(b, TMICT, 1);
    board_advance(b, 1000000);
    assert_int_equal(board_ack(b, 0), 0x31);
    board_destroy(b);
}

static void lapic_timer_tsc_deadline(void **state)
{
    Board *b = start(1);
    const CpuIrqOps *ops = b->cpu[0].irq_ops;
    void *l = b->cpu[0].irq_opaque;
    uint64_t v;
    b->tsc_offset = 5000;
    board_advance(b, 1000); /* guest TSC 7000 */
    assert_true(ops->msr_write(l, 0x6e0, 9000));
    assert_true(ops->msr_read(l, 0x6e0, &v));
    assert_int_equal(v, 0); /* not in deadline mode: ignored */
    lapic_wr(b, LVT_TIMER_, 0x40035);
    ops->msr_write(l, 0x6e0, 9000);
    board_advance(b, 998);
    assert_false(board_hard(b, 0));
    ops->msr_read(l, 0x6e0, &v);
    assert_int_equal(v, 9000);
    board_advance(b, 4);
    assert_int_equal(board_ack(b, 0), 0x35);
    lapic_wr(b, EOI, 0);
    ops->msr_read(l, 0x6e0, &v);
    assert_int_equal(v, 0);
    ops->msr_write(l, 0x6e0, 10); /* past: at once */
    assert_int_equal(board_ack(b, 0), 0x35);
    lapic_wr(b, EOI, 0);
    ops->msr_write(l, 0x6e0, 20000);
    ops->msr_write(l, 0x6e0, 0); /* disarmed */
    board_advance(b, 100000);
    assert_false(board_hard(b, 0));
    board_destroy(b);
}

static void x2apic_transitions_obey_the_rules(void **state)
{
    Board *b = start(1);
    const CpuIrqOps *ops = b->cpu[0].irq_ops;
    void *l = b->cpu[0].irq_opaque;
    uint64_t v;
    assert_int_equal(ops->get_base(l), 0xfee00900);
    assert_false(ops->msr_read(l, 0x802, &v));  /* not in x2APIC mode */
    assert_false(ops->set_base(l, 0xfee00500)); /* EXTD without EN */
    assert_false(ops->set_base(l, 0xfee00901)); /* reserved bit */
    assert_false(ops->set_base(l, 1ull << 40 | 0xfee00900));
    assert_true(ops->set_base(l, 0xfee00d00));
    assert_false(ops->set_base(l, 0xfee00900));      /* back to xAPIC */
    assert_int_equal(lapic_rd(b, 0x20), 0xffffffff); /* no registers in memory */
    assert_true(ops->set_base(l, 0xfee00100));
    assert_false(ops->set_base(l, 0xfee00d00)); /* off to x2APIC */
    assert_true(ops->set_base(l, 0xfee00900));
    board_destroy(b);
}

static void x2apic_registers_and_ipis(void **state)
{
    Board *b = start(3);
    uint64_t v;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(b->cpu[i].irq_ops->set_base(b->cpu[i].irq_opaque,
                                                0xfee00c00 | (i ? 0 : 0x100)));
    }
    const CpuIrqOps *ops = b->cpu[0].irq_ops;
    void *l = b->cpu[0].irq_opaque, *l2 = b->cpu[2].irq_opaque;
    assert_true(ops->msr_read(l2, 0x802, &v));
    assert_int_equal(v, 2);
    assert_true(ops->msr_read(l2, 0x80d, &v));
    assert_int_equal(v, 4); /* cluster 0, bit 2 */
    assert_true(ops->msr_write(l, 0x830, 2ull << 32 | 0x40));
    assert_true(board_hard(b, 2));
    assert_int_equal(board_ack(b, 2), 0x40);
    assert_true(ops->msr_write(l2, 0x80b, 0));
    assert_true(ops->msr_write(l, 0x830, 6ull << 32 | 0x841)); /* logical {1, 2} */
    assert_false(board_hard(b, 0));
    assert_int_equal(board_ack(b, 1), 0x41);
    assert_int_equal(board_ack(b, 2), 0x41);
    assert_true(ops->msr_write(l, 0x830, 0xffffffffull << 32 | 0x42));
    assert_true(board_hard(b, 0));
    assert_true(ops->msr_write(l, 0x83f, 0x90)); /* self IPI */
    assert_int_equal(board_ack(b, 0), 0x90);
    /* #GP */
    assert_false(ops->msr_write(l, 0x80b, 1));
    assert_false(ops->msr_write(l, 0x828, 1));
    assert_false(ops->msr_write(l, 0x808, 0x100));
    assert_false(ops->msr_write(l, 0x802, 0));
    assert_false(ops->msr_write(l, 0x80d, 0));
    assert_false(ops->msr_read(l, 0x80b, &v));
    assert_false(ops->msr_read(l, 0x831, &v));
    assert_false(ops->msr_read(l, 0x8ff, &v));
    board_destroy(b);
}

static void messages_from_devices_in_memory_are_msi(void **state)
{
    Board *b = start(2);
    board_run_as(b, -1);
    memw(b, 0xfee01000, 0x55, 4); /* destination 1 */
    assert_false(board_hard(b, 0));
    assert_int_equal(board_ack(b, 1), 0x55);
    memw(b, 0xfeeff000, 0x56, 4); /* broadcast */
    assert_true(board_hard(b, 0));
    msi_send(&b->apic, 0x12345678, 0x60); /* no APIC there: dropped */
    board_destroy(b);
}

static void extint_through_the_ioapic_asks_the_pic(void **state)
{
    Board *b = start(1);
    pic_init(b, 1);
    lapic_wr(b, LINT0, 0x10700);
    ioapic_wr(b, 0x10, 0x700); /* pin 0: ExtINT */
    line(b, 1, true);
    assert_false(board_hard(b, 0));
    gsi(b, 0, true);
    assert_int_equal(board_ack(b, 0), 0x21);
    assert_false(board_hard(b, 0));
    board_destroy(b);
}

static void virtual_wire_is_what_firmware_leaves(void **state)
{
    Board *b = board_create(2);
    lapic_set_virtual_wire(b->lapic[0]);
    lapic_set_virtual_wire(b->lapic[1]);
    board_run_as(b, 0);
    assert_int_equal(lapic_rd(b, LINT0), 0x700);
    assert_int_equal(lapic_rd(b, LINT1), 0x400);
    board_run_as(b, 1);
    assert_int_equal(lapic_rd(b, LINT0), 0x10000);
    assert_int_equal(lapic_rd(b, SVR), 0x1ff);
    board_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pic_serves_the_highest_priority_first),
        cmocka_unit_test(pic_slave_comes_through_the_cascade),
        cmocka_unit_test(pic_special_fully_nested_lets_the_slave_nest),
        cmocka_unit_test(pic_request_that_vanishes_is_spurious),
        cmocka_unit_test(pic_level_input_interrupts_again_after_eoi),
        cmocka_unit_test(pic_rotation_and_special_mask),
        cmocka_unit_test(pic_poll_acknowledges),
        cmocka_unit_test(pic_auto_eoi_leaves_nothing_in_service),
        cmocka_unit_test(pic_works_with_the_lapic_off_and_through_virtual_wire),
        cmocka_unit_test(ioapic_edges_at_a_masked_pin_are_lost),
        cmocka_unit_test(ioapic_level_waits_for_the_eoi),
        cmocka_unit_test(ioapic_eoi_register_ends_when_broadcast_is_off),
        cmocka_unit_test(ioapic_switch_to_edge_drops_remote_irr),
        cmocka_unit_test(lapic_priorities_follow_tpr_and_isr),
        cmocka_unit_test(lapic_self_and_other_shorthands),
        cmocka_unit_test(lapic_logical_flat_and_cluster),
        cmocka_unit_test(lapic_lowest_priority_takes_one_idle_cpu),
        cmocka_unit_test(lapic_init_and_startup_reach_the_cpu),
        cmocka_unit_test(lapic_disabled_by_software_masks_and_refuses),
        cmocka_unit_test(lapic_bad_vectors_and_registers_make_errors),
        cmocka_unit_test(lapic_nmi_button_needs_lint1),
        cmocka_unit_test(lapic_timer_one_shot_counts_down_and_fires_once),
        cmocka_unit_test(lapic_timer_periodic_keeps_its_pace),
        cmocka_unit_test(lapic_timer_tsc_deadline),
        cmocka_unit_test(x2apic_transitions_obey_the_rules),
        cmocka_unit_test(x2apic_registers_and_ipis),
        cmocka_unit_test(messages_from_devices_in_memory_are_msi),
        cmocka_unit_test(extint_through_the_ioapic_asks_the_pic),
        cmocka_unit_test(virtual_wire_is_what_firmware_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

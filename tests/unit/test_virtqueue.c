/* SPDX-License-Identifier: MIT */
/* Split virtqueues against honest and hostile rings, without a transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/virtio/virtio.h"
#include "tests/unit/pci_board.h"

enum { DESC = 0x10000, AVAIL = 0x11000, USED = 0x12000, TABLE = 0x13000, BUF = 0x20000,
       SIZE = 8, F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4 };

typedef struct {
    Board *b;
    Device *dev;
    VirtioState s;
    VirtioDevice v;
    Virtqueue *vq;
    unsigned irqs, config_irqs;
} Rig;

static Rig *rig; /* the transport's callbacks have no pointer of their own */

static void rig_queue_irq(VirtioDevice *v, Virtqueue *vq)
{
    rig->irqs++;
}
static void rig_config_irq(VirtioDevice *v)
{
    rig->config_irqs++;
}
static bool rig_may_dma(VirtioDevice *v)
{
    return true;
}
static uint64_t rig_features(VirtioDevice *v)
{
    return 0;
}
static const VirtioTransport transport = { rig_queue_irq, rig_config_irq, rig_may_dma };
static const VirtioOps ops = { .name = "rig", .features = rig_features };

static int setup(void **state)
{
    rig = calloc(1, sizeof(*rig));
    rig->b = board_create();
    rig->dev = (Device *)board_add(rig->b, "pci-testdev");
    virtio_init(&rig->v, rig->dev, &ops, &transport, &rig->s);
    rig->vq = virtio_add_queue(&rig->v, SIZE);
    rig->v.offered = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_INDIRECT) | BIT(VIRTIO_F_EVENT_IDX);
    virtio_set_features(&rig->v, BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_INDIRECT));
    rig->vq->s->desc = DESC;
    rig->vq->s->avail = AVAIL;
    rig->vq->s->used = USED;
    virtio_queue_enable(&rig->v, 0);
    virtio_set_status(&rig->v, 15);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    board_destroy(rig->b);
    free(rig);
    return 0;
}

static void put_desc(uint64_t table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
                     uint16_t next)
{
    mem_write(rig->b, table + 16 * i, addr, 8);
    mem_write(rig->b, table + 16 * i + 8, len, 4);
    mem_write(rig->b, table + 16 * i + 12, flags, 2);
    mem_write(rig->b, table + 16 * i + 14, next, 2);
}

static void make_available(uint16_t head)
{
    uint16_t idx = mem_read(rig->b, AVAIL + 2, 2);
    mem_write(rig->b, AVAIL + 4 + 2 * (idx % SIZE), head, 2);
    mem_write(rig->b, AVAIL + 2, (uint16_t)(idx + 1), 2);
}

static void expect_broken(void)
{
    assert_null(virtqueue_pop(rig->vq));
    assert_true(rig->s.status & VIRTIO_S_NEEDS_RESET);
    assert_int_equal(rig->config_irqs, 1);
    assert_null(virtqueue_pop(rig->vq));    /* and stays so */
    assert_int_equal(rig->vq->inuse, 0);
    virtio_reset(&rig->v);
    assert_int_equal(rig->s.status, 0);
}

static void a_chain_is_taken_filled_and_given_back(void **state)
{
    mem_write(rig->b, BUF, 0x64636261, 4);
    put_desc(DESC, 3, BUF, 3, F_NEXT, 5);
    put_desc(DESC, 5, BUF + 3, 1, F_NEXT, 1);
    put_desc(DESC, 1, BUF + 0x100, 16, F_WRITE, 0);
    make_available(3);
    VirtqElem *e = virtqueue_pop(rig->vq);
    assert_non_null(e);
    assert_int_equal(e->nout, 2);
    assert_int_equal(e->out_len, 4);
    assert_int_equal(e->in_len, 16);
    char text[5] = "";
    assert_int_equal(virtq_elem_read(e, 0, text, 10), 4);
    assert_string_equal(text, "abcd");
    assert_int_equal(virtq_elem_write(e, 4, "xyz", 3), 3);
    virtqueue_push(rig->vq, e, 7);
    assert_int_equal(mem_read(rig->b, USED + 2, 2), 1);
    assert_int_equal(mem_read(rig->b, USED + 4, 4), 3);
    assert_int_equal(mem_read(rig->b, USED + 8, 4), 7);
    assert_int_equal(mem_read(rig->b, BUF + 0x104, 1), 'x');
    virtqueue_notify(rig->vq);
    assert_int_equal(rig->irqs, 1);
    assert_null(virtqueue_pop(rig->vq));
    assert_false(virtio_is_broken(&rig->v));
}

static void indices_wrap_at_65536(void **state)
{
    rig->vq->s->last_avail = rig->vq->s->used_idx = 0xffff;
    mem_write(rig->b, AVAIL + 2, 0xffff, 2);
    put_desc(DESC, 0, BUF, 4, 0, 0);
    make_available(0);
    make_available(0);
    virtqueue_push(rig->vq, virtqueue_pop(rig->vq), 0);
    virtqueue_push(rig->vq, virtqueue_pop(rig->vq), 0);
    assert_int_equal(mem_read(rig->b, USED + 2, 2), 1);
    assert_true(virtqueue_empty(rig->vq));
}

static void no_interrupt_flag_is_obeyed(void **state)
{
    mem_write(rig->b, AVAIL, 1, 2);
    put_desc(DESC, 0, BUF, 4, 0, 0);
    make_available(0);
    virtqueue_push(rig->vq, virtqueue_pop(rig->vq), 0);
    virtqueue_notify(rig->vq);
    assert_int_equal(rig->irqs, 0);
}

static void event_index_decides_about_interrupts_and_kicks(void **state)
{
    rig->s.features |= BIT(VIRTIO_F_EVENT_IDX);
    put_desc(DESC, 0, BUF, 4, 0, 0);
    mem_write(rig->b, AVAIL + 4 + 2 * SIZE, 1, 2);      /* after the second */
    for (unsigned i = 0; i < 3; i++) {
        static const unsigned want[] = { 1, 2, 2 };     /* the first is always told */
        make_available(0);
        virtqueue_push(rig->vq, virtqueue_pop(rig->vq), 0);
        virtqueue_notify(rig->vq);
        assert_int_equal(rig->irqs, want[i]);
    }
    virtqueue_set_kick(rig->vq, true);
    assert_int_equal(mem_read(rig->b, USED + 4 + 8 * SIZE, 2), 3);
}

static void unpop_puts_the_chain_back(void **state)
{
    put_desc(DESC, 2, BUF, 4, F_WRITE, 0);
    make_available(2);
    virtqueue_unpop(rig->vq, virtqueue_pop(rig->vq));
    VirtqElem *e = virtqueue_pop(rig->vq);
    assert_int_equal(e->head, 2);
    assert_int_equal(rig->vq->inuse, 1);
    virtqueue_drop(e);
    assert_int_equal(rig->vq->inuse, 0);
}

static void elements_of_before_a_reset_are_forgotten(void **state)
{
    put_desc(DESC, 0, BUF, 4, F_WRITE, 0);
    make_available(0);
    VirtqElem *e = virtqueue_pop(rig->vq);
    virtio_reset(&rig->v);
    virtqueue_push(rig->vq, e, 4);
    assert_int_equal(rig->vq->inuse, 0);
    assert_int_equal(mem_read(rig->b, USED + 2, 2), 0);
}

static void indirect_tables_are_followed(void **state)
{
    put_desc(TABLE, 0, BUF, 4, F_NEXT, 1);
    put_desc(TABLE, 1, BUF + 8, 4, F_WRITE, 0);
    put_desc(DESC, 0, TABLE, 32, F_INDIRECT, 0);
    make_available(0);
    VirtqElem *e = virtqueue_pop(rig->vq);
    assert_int_equal(e->out_len, 4);
    assert_int_equal(e->in_len, 4);
    virtqueue_push(rig->vq, e, 0);
}

static void looping_chain_breaks_the_device(void **state)
{
    put_desc(DESC, 0, BUF, 4, F_NEXT, 1);
    put_desc(DESC, 1, BUF, 4, F_NEXT, 0);
    make_available(0);
    expect_broken();
}

static void looping_indirect_table_breaks_the_device(void **state)
{
    put_desc(TABLE, 0, BUF, 4, F_NEXT, 0);
    put_desc(DESC, 0, TABLE, 16, F_INDIRECT, 0);
    make_available(0);
    expect_broken();
}

static void nested_indirect_breaks_the_device(void **state)
{
    put_desc(TABLE, 0, TABLE, 16, F_INDIRECT, 0);
    put_desc(DESC, 0, TABLE, 16, F_INDIRECT, 0);
    make_available(0);
    expect_broken();
}

static void odd_indirect_length_breaks_the_device(void **state)
{
    put_desc(DESC, 0, TABLE, 17, F_INDIRECT, 0);
    make_available(0);
    expect_broken();
}

static void indirect_without_the_feature_breaks_the_device(void **state)
{
    rig->s.features = BIT(VIRTIO_F_VERSION_1);
    put_desc(DESC, 0, TABLE, 16, F_INDIRECT, 0);
    make_available(0);
    expect_broken();
}

static void head_out_of_range_breaks_the_device(void **state)
{
    make_available(SIZE);
    expect_broken();
}

static void next_out_of_range_breaks_the_device(void **state)
{
    put_desc(DESC, 0, BUF, 4, F_NEXT, 0xffff);
    make_available(0);
    expect_broken();
}

static void buffer_outside_ram_breaks_the_device(void **state)
{
    put_desc(DESC, 0, 0x80000000, 4, F_WRITE, 0);
    make_available(0);
    expect_broken();
}

static void buffer_that_leaves_ram_breaks_the_device(void **state)
{
    put_desc(DESC, 0, BOARD_RAM - 16, 0xffffffff, F_WRITE, 0);
    make_available(0);
    expect_broken();
}

static void buffer_that_wraps_breaks_the_device(void **state)
{
    put_desc(DESC, 0, ~0ull - 3, 0x1000, 0, 0);
    make_available(0);
    expect_broken();
}

static void chain_over_4_gib_breaks_the_device(void **state)
{
    put_desc(DESC, 0, BUF, 0xffffffff, F_NEXT, 1);
    put_desc(DESC, 1, BUF, 0xffffffff, 0, 0);
    make_available(0);
    expect_broken();
}

static void readable_behind_writable_breaks_the_device(void **state)
{
    put_desc(DESC, 0, BUF, 4, F_NEXT | F_WRITE, 1);
    put_desc(DESC, 1, BUF, 4, 0, 0);
    make_available(0);
    expect_broken();
}

static void available_index_that_jumps_breaks_the_device(void **state)
{
    mem_write(rig->b, AVAIL + 2, SIZE + 1, 2);
    expect_broken();
}

static void ring_outside_ram_breaks_the_device(void **state)
{
    rig->vq->s->avail = 0x80000000;
    expect_broken();
}

static void ring_in_a_device_breaks_the_device(void **state)
{
    rig->vq->s->desc = 0xb0000;     /* PCI, nobody there */
    make_available(0);
    expect_broken();
}

static void more_chains_than_entries_break_the_device(void **state)
{
    VirtqElem *e[SIZE];
    put_desc(DESC, 0, BUF, 4, 0, 0);
    for (unsigned i = 0; i < SIZE; i++) {
        make_available(0);
        e[i] = virtqueue_pop(rig->vq);
        assert_non_null(e[i]);
    }
    make_available(0);
    assert_null(virtqueue_pop(rig->vq));
    assert_true(virtio_is_broken(&rig->v));
    for (unsigned i = 0; i < SIZE; i++) {
        virtqueue_push(rig->vq, e[i], 0);
    }
    assert_int_equal(mem_read(rig->b, USED + 2, 2), 0);
}

static void readable_rom_is_copied(void **state)
{
    assert_true(memory_load(&rig->b->m.mem, 0xf0ffe, "ROM data", 8));
    put_desc(DESC, 0, 0xf0ffe, 8, F_NEXT, 1);
    put_desc(DESC, 1, BUF, 1, F_WRITE, 0);
    make_available(0);
    VirtqElem *e = virtqueue_pop(rig->vq);
    char text[9] = "";
    assert_int_equal(virtq_elem_read(e, 0, text, 8), 8);
    assert_string_equal(text, "ROM data");
    virtqueue_push(rig->vq, e, 0);
    put_desc(DESC, 2, 0xf0000, 8, F_WRITE, 0);
    make_available(2);
    expect_broken();
}

static void random_rings_never_crash(void **state)
{
    unsigned seed = getpid();
    print_message("seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned i = 0; i < 16 * SIZE; i += 2) {
            uint64_t table = rand() % 2 ? DESC : TABLE;
            mem_write(rig->b, table + i, rand() % 4 ? rand() % 8 : rand(), 2);
        }
        for (unsigned i = 0; i < SIZE; i++) {   /* some of it plausible */
            put_desc(rand() % 2 ? DESC : TABLE, i, BUF + rand() % 0x1000,
                     rand() % 3 ? rand() % 64 : rand(), rand() % 8, rand() % SIZE);
        }
        make_available(rand() % (SIZE + 1));
        VirtqElem *e = virtqueue_pop(rig->vq);
        if (e) {
            uint8_t junk[64];
            virtq_elem_read(e, rand() % 32, junk, sizeof(junk));
            virtq_elem_write(e, rand() % 32, junk, sizeof(junk));
            virtqueue_push(rig->vq, e, rand());
        }
        if (virtio_is_broken(&rig->v)) {
            rig->s.status = 15;
            rig->vq->s->last_avail = mem_read(rig->b, AVAIL + 2, 2);
        }
        assert_int_equal(rig->vq->inuse, 0);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_chain_is_taken_filled_and_given_back),
        T(indices_wrap_at_65536),
        T(no_interrupt_flag_is_obeyed),
        T(event_index_decides_about_interrupts_and_kicks),
        T(unpop_puts_the_chain_back),
        T(elements_of_before_a_reset_are_forgotten),
        T(indirect_tables_are_followed),
        T(looping_chain_breaks_the_device),
        T(looping_indirect_table_breaks_the_device),
        T(nested_indirect_breaks_the_device),
        T(odd_indirect_length_breaks_the_device),
        T(indirect_without_the_feature_breaks_the_device),
        T(head_out_of_range_breaks_the_device),
        T(next_out_of_range_breaks_the_device),
        T(buffer_outside_ram_breaks_the_device),
        T(buffer_that_leaves_ram_breaks_the_device),
        T(buffer_that_wraps_breaks_the_device),
        T(chain_over_4_gib_breaks_the_device),
        T(readable_behind_writable_breaks_the_device),
        T(available_index_that_jumps_breaks_the_device),
        T(ring_outside_ram_breaks_the_device),
        T(ring_in_a_device_breaks_the_device),
        T(more_chains_than_entries_break_the_device),
        T(readable_rom_is_copied),
        T(random_rings_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

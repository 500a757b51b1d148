/* SPDX-License-Identifier: MIT */
/* Memory tree: flattening, aliases, read-only RAM, access splitting, DMA, dirty log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/bare_machine.h"

const DeviceClass *const device_classes[] = { NULL };

static Machine *m;

static int setup(void **state)
{
    m = bare_machine(1);
    machine_lock(m);
    return 0;
}

static int teardown(void **state)
{
    machine_unlock(m);
    machine_destroy(m);
    return 0;
}

static void check_range(unsigned i, uint64_t start, uint64_t last, const MemoryRegion *mr,
                        uint64_t off)
{
    assert_true(i < m->mem.view->n);
    const FlatRange *r = &m->mem.view->r[i];
    assert_int_equal(r->start, start);
    assert_int_equal(r->last, last);
    assert_ptr_equal(r->mr, mr);
    assert_int_equal(r->off, off);
}

static uint64_t last_addr, last_val, reads, writes;
static unsigned last_size;

static uint64_t io_read(void *opaque, uint64_t addr, unsigned size)
{
    reads++;
    last_addr = addr;
    last_size = size;
    return 0x8877665544332211ull >> (8 * (addr & 7));
}

static void io_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    writes++;
    last_addr = addr;
    last_val = val;
    last_size = size;
}

static const MemoryOps ops = { io_read, io_write, 1, 4, false, false };

static void higher_priority_covers_and_splits(void **state)
{
    MemoryRegion ram, io;
    Error err = ERROR_INIT;
    assert_true(memory_init_ram(&ram, m, "ram", 0x10000, &err));
    memory_init_io(&io, m, "io", 0x1000, &ops, NULL);
    memory_add(&m->mem_root, &ram, 0, 0);
    memory_add(&m->mem_root, &io, 0x4000, 1);
    assert_int_equal(m->mem.view->n, 3);
    check_range(0, 0, 0x3fff, &ram, 0);
    check_range(1, 0x4000, 0x4fff, &io, 0);
    check_range(2, 0x5000, 0xffff, &ram, 0x5000);
    memory_set_enabled(&io, false);
    assert_int_equal(m->mem.view->n, 1);
    memory_set_enabled(&io, true);
    memory_remove(&io);
    assert_int_equal(m->mem.view->n, 1);
    assert_null(address_space_find(&m->mem, 0x10000));
    memory_remove(&ram);
}

static void lower_priority_shows_in_the_holes(void **state)
{
    MemoryRegion hole, low, high;
    memory_init_container(&hole, m, "pci", UINT64_MAX);
    memory_init_io(&low, m, "low", 0x3000, &ops, NULL);
    memory_init_io(&high, m, "high", 0x1000, &ops, NULL);
    memory_add(&m->mem_root, &hole, 0, -1);
    memory_add(&hole, &low, 0xff000, 0);
    memory_add(&m->mem_root, &high, 0x100000, 0);
    assert_int_equal(m->mem.view->n, 3);
    check_range(0, 0xff000, 0xfffff, &low, 0);
    check_range(1, 0x100000, 0x100fff, &high, 0);
    check_range(2, 0x101000, 0x101fff, &low, 0x2000);
    memory_set_addr(&low, UINT64_MAX - 0xfff); /* reaches beyond the end: cut */
    assert_int_equal(m->mem.view->n, 2);
    check_range(1, UINT64_MAX - 0xfff, UINT64_MAX, &low, 0);
    memory_remove(&low);
    memory_remove(&high);
    memory_remove(&hole);
}

static void alias_shows_part_of_its_target(void **state)
{
    MemoryRegion ram, alias;
    Error err = ERROR_INIT;
    assert_true(memory_init_ram(&ram, m, "ram", 0x10000, &err));
    memory_init_alias(&alias, m, "alias", &ram, 0x8000, 0x10000);
    memory_add(&m->mem_root, &ram, 0, 0);
    memory_add(&m->mem_root, &alias, 0x100000, 0);
    assert_int_equal(m->mem.view->n, 2);
    check_range(1, 0x100000, 0x107fff, &ram, 0x8000); /* cut at the target's end */
    assert_true(memory_write(&m->mem, 0x100010, "abc", 3));
    assert_memory_equal(memory_host(&ram) + 0x8010, "abc", 3);
    memory_set_alias_off(&alias, 0xf000);
    check_range(1, 0x100000, 0x100fff, &ram, 0xf000);
    memory_remove(&alias);
    memory_remove(&ram);
}

static void alias_to_itself_ends(void **state)
{
    MemoryRegion c, a;
    memory_init_container(&c, m, "c", 0x1000);
    memory_init_alias(&a, m, "a", &c, 0, 0x1000);
    memory_add(&c, &a, 0, 0);
    memory_add(&m->mem_root, &c, 0, 0);
    assert_int_equal(m->mem.view->n, 0);
    memory_remove(&a);
    memory_remove(&c);
}

static void readonly_ram_swallows_writes(void **state)
{
    MemoryRegion ram, rom;
    Error err = ERROR_INIT;
    assert_true(memory_init_ram(&ram, m, "ram", 0x1000, &err));
    assert_true(memory_init_rom(&rom, m, "rom", 0x1000, &err));
    memory_add(&m->mem_root, &ram, 0, 0);
    memory_add(&m->mem_root, &rom, 0x1000, 0);
    memory_io_write(&m->mem, 0x10, 4, 0x11223344);
    memory_set_readonly(&ram, true);
    memory_io_write(&m->mem, 0x10, 4, 0x55667788);
    memory_io_write(&m->mem, 0x1010, 4, 1);
    assert_int_equal(memory_io_read(&m->mem, 0x10, 4), 0x11223344);
    assert_int_equal(memory_io_read(&m->mem, 0x1010, 4), 0);
    assert_true(memory_load(&m->mem, 0x1010, "\x05", 1)); /* loaders may */
    assert_int_equal(memory_io_read(&m->mem, 0x1010, 4), 5);
    uint64_t len = 16;
    assert_null(dma_map(m, 0x1010, &len, true));
    assert_non_null(dma_map(m, 0x1010, &len, false));
    memory_remove(&ram);
    memory_remove(&rom);
}

static void accesses_are_split_and_widened(void **state)
{
    static const MemoryOps wide = { io_read, io_write, 4, 4, false, false };
    MemoryRegion io, io4;
    memory_init_io(&io, m, "io", 0x100, &ops, NULL);
    memory_init_io(&io4, m, "io4", 0x100, &wide, NULL);
    memory_add(&m->mem_root, &io, 0, 0);
    memory_add(&m->mem_root, &io4, 0x1000, 0);
    reads = 0;
    assert_int_equal(memory_io_read(&m->mem, 0, 8), 0x8877665544332211ull);
    assert_int_equal(reads, 2);
    assert_int_equal(memory_io_read(&m->mem, 1, 2), 0x3322); /* unaligned: bytes */
    assert_int_equal(reads, 4);
    assert_int_equal(last_size, 1);
    assert_int_equal(memory_io_read(&m->mem, 0x1002, 1), 0x33);
    assert_int_equal(last_size, 4);
    assert_int_equal(last_addr, 0);
    memory_io_write(&m->mem, 8, 8, 0xaabbccdd00112233ull);
    assert_int_equal(last_addr, 12);
    assert_int_equal(last_val, 0xaabbccdd);
    assert_int_equal(memory_io_read(&m->mem, 0x500, 2), 0xffff); /* a hole */
    assert_int_equal(memory_io_read(&m->mem, 0xfe, 4) >> 16, 0xffff); /* runs into one */
    memory_remove(&io);
    memory_remove(&io4);
}

static MemoryRegion loop_io;
static unsigned depth, deepest;

static void loop_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    memory_io_write(&m->mem, 0, 4, val);
    depth--;
}

static void device_that_writes_to_itself_ends(void **state)
{
    static const MemoryOps o = { NULL, loop_write, 4, 4, false, false };
    memory_init_io(&loop_io, m, "loop", 0x100, &o, NULL);
    memory_add(&m->mem_root, &loop_io, 0, 0);
    memory_io_write(&m->mem, 0, 4, 1);
    assert_in_range(deepest, 1, 8);
    memory_remove(&loop_io);
}

static void block_copies_cross_ranges(void **state)
{
    MemoryRegion a, b;
    Error err = ERROR_INIT;
    assert_true(memory_init_ram(&a, m, "a", 0x1000, &err));
    assert_true(memory_init_ram(&b, m, "b", 0x1000, &err));
    memory_add(&m->mem_root, &b, 0, 0);
    memory_add(&m->mem_root, &a, 0x1000, 0);
    char buf[16] = { 0 };
    assert_true(memory_write(&m->mem, 0xffc, "12345678", 8));
    assert_memory_equal(memory_host(&b) + 0xffc, "1234", 4);
    assert_memory_equal(memory_host(&a), "5678", 4);
    assert_true(memory_read(&m->mem, 0xffc, buf, 8));
    assert_memory_equal(buf, "12345678", 8);
    assert_false(memory_read(&m->mem, 0x1ffc, buf, 8));
    assert_memory_equal(buf + 4, "\xff\xff\xff\xff", 4);
    uint64_t len = 0x2000;
    assert_ptr_equal(dma_map(m, 0x800, &len, true), memory_host(&b) + 0x800);
    assert_int_equal(len, 0x800);
    memory_remove(&a);
    memory_remove(&b);
}

static void dirty_log_reports_written_pages_once(void **state)
{
    MemoryRegion ram;
    Error err = ERROR_INIT;
    uint64_t bitmap[1];
    assert_true(memory_init_ram(&ram, m, "ram", 0x10000, &err));
    memory_add(&m->mem_root, &ram, 0, 0);
    assert_false(memory_needs_dirty(m, ram.ram_addr));
    memory_log_start(&ram, DIRTY_VGA);
    assert_true(memory_needs_dirty(m, ram.ram_addr));
    assert_false(memory_log_take(&ram, 0, 0x10000, DIRTY_VGA, bitmap));
    assert_true(memory_write(&m->mem, 0x2ffe, "abcd", 4));
    assert_false(memory_needs_dirty(m, ram.ram_addr + 0x2000));
    assert_true(memory_log_take(&ram, 0, 0x10000, DIRTY_VGA, bitmap));
    assert_int_equal(bitmap[0], 0xc);
    assert_true(memory_needs_dirty(m, ram.ram_addr + 0x2000));
    assert_false(memory_log_take(&ram, 0, 0x10000, DIRTY_VGA, bitmap));
    uint64_t len = 1;
    uint8_t *p = dma_map(m, 0x5000, &len, true);
    dma_unmap(m, p, 1);
    assert_true(memory_log_take(&ram, 0x5000, 0x1000, DIRTY_VGA, bitmap));
    assert_int_equal(bitmap[0], 1);
    memory_log_stop(&ram, DIRTY_VGA);
    assert_false(memory_needs_dirty(m, ram.ram_addr));
    memory_remove(&ram);
}

static unsigned adds, dels, commits;

static void on_add(MemoryListener *l, const FlatRange *r) { adds++; }
static void on_del(MemoryListener *l, const FlatRange *r) { dels++; }
static void on_commit(MemoryListener *l) { commits++; }

static void listeners_hear_only_what_changed(void **state)
{
    MemoryRegion a, b;
    MemoryListener l = { on_del, on_add, on_commit };
    Error err = ERROR_INIT;
    assert_true(memory_init_ram(&a, m, "a", 0x1000, &err));
    memory_init_io(&b, m, "b", 0x1000, &ops, NULL);
    memory_add(&m->mem_root, &a, 0, 0);
    address_space_listen(&m->mem, &l);
    assert_int_equal(adds, 1);
    memory_add(&m->mem_root, &b, 0x5000, 0);
    assert_int_equal(adds, 2);
    assert_int_equal(dels, 0);
    unsigned before = commits;
    memory_begin(m);
    memory_set_enabled(&b, false);
    memory_set_enabled(&b, true);
    memory_commit(m);
    assert_int_equal(commits, before);
    memory_remove(&b);
    assert_int_equal(dels, 1);
    address_space_unlisten(&l);
    assert_int_equal(dels, 2);
    memory_remove(&a);
}

static void arena_refuses_what_does_not_fit(void **state)
{
    MemoryRegion r;
    Error err = ERROR_INIT;
    assert_false(memory_init_ram(&r, m, "huge", 1ull << 40, &err));
    assert_non_null(err.msg);
    error_free(&err);
    assert_false(memory_init_ram(&r, m, "none", 0, &err));
    error_free(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(higher_priority_covers_and_splits),
        cmocka_unit_test(lower_priority_shows_in_the_holes),
        cmocka_unit_test(alias_shows_part_of_its_target),
        cmocka_unit_test(alias_to_itself_ends),
        cmocka_unit_test(readonly_ram_swallows_writes),
        cmocka_unit_test(accesses_are_split_and_widened),
        cmocka_unit_test(device_that_writes_to_itself_ends),
        cmocka_unit_test(block_copies_cross_ranges),
        cmocka_unit_test(dirty_log_reports_written_pages_once),
        cmocka_unit_test(listeners_hear_only_what_changed),
        cmocka_unit_test(arena_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

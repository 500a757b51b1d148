/* SPDX-License-Identifier: MIT */
/*
 * Saved state of every device class. Coverage: each byte of the saved struct belongs to a
 * field or is an alignment hole. Round trip: random register writes on a board that has
 * all devices that can be made without backends; saved, loaded into a fresh board; then
 * the saved structs agree byte for byte (holes too: a forgotten small field may sit in
 * one) and the registers read the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "hw/char/uart16550.h"
#include "hw/input/i8042.h"
#include "hw/misc/fw_cfg.h"
#include "hw/misc/coproc.h"
#include "hw/misc/port92.h"
#include "hw/pci/host.h"
#include "hw/timer/acpi_pm.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"
#include "tests/unit/dev_board.h"

static Error err = ERROR_INIT;

/* --- coverage --- */

static size_t field_size(const StateField *f)
{
    switch (f->kind) {
    case SK_BYTES: return f->count;
    case SK_VBYTES: return sizeof(void *);
    default: return f->count * f->stride;
    }
}

static unsigned desc_align(const StateDesc *desc);

static unsigned field_align(const StateField *f)
{
    switch (f->kind) {
    case SK_U16: return 2;
    case SK_U32: return 4;
    case SK_U64:
    case SK_TIMER:
    case SK_VBYTES: return 8;
    case SK_SUB: return desc_align(f->sub);
    default: return 1;
    }
}

static unsigned desc_align(const StateDesc *desc)
{
    unsigned align = 1;
    for (const StateField *f = desc->fields; f->kind != SK_END; f++) {
        align = MAX(align, field_align(f));
    }
    return align;
}

/* Byte runs that no field covers must be holes before something more aligned. */
static unsigned check_desc(const char *name, const StateDesc *desc)
{
    unsigned bad = 0;
    uint8_t *seen = calloc(1, desc->size + 1);
    uint8_t *align = calloc(1, desc->size + 1);
    align[desc->size] = desc_align(desc);
    for (const StateField *f = desc->fields; f->kind != SK_END; f++) {
        size_t n = field_size(f);
        assert_true(f->offset <= desc->size && n <= desc->size - f->offset);
        memset(seen + f->offset, 1, n);
        align[f->offset] = MAX(align[f->offset], field_align(f));
        if (f->kind == SK_VBYTES) {
            memset(seen + f->len_offset, 1, 4);
            align[f->len_offset] = 4;
        }
        if (f->kind == SK_SUB) {
            assert_int_equal(f->stride, f->sub->size);
            bad += check_desc(f->name, f->sub);
        }
    }
    seen[desc->size] = 1;
    for (size_t i = 0; i < desc->size; i++) {
        if (seen[i]) {
            continue;
        }
        size_t end = i;
        while (!seen[end]) {
            end++;
        }
        if (end - i >= align[end] || end % align[end]) {
            print_error("%s: bytes %zu..%zu of %zu are not saved\n", name, i, end - 1,
                        desc->size);
            bad++;
        }
        i = end;
    }
    free(seen);
    free(align);
    return bad;
}

static void every_byte_of_saved_structs_is_in_a_field(void **state)
{
    unsigned bad = 0, classes = 0, with_state = 0;
    for (const DeviceClass *const *c = device_classes; *c; c++) {
        classes++;
        assert_non_null((*c)->desc);
        if ((*c)->state.fields) {
            with_state++;
            assert_in_range((*c)->state.version, 1, 1000);
            assert_true((*c)->state.size <= (*c)->size - (*c)->state.offset);
            bad += check_desc((*c)->name, &(*c)->state);
        }
    }
    assert_int_equal(bad, 0);
    assert_true(classes >= 20 && with_state >= 15);
}

static void the_check_finds_a_forgotten_field(void **state)
{
    typedef struct Sample {
        uint32_t a;
        uint8_t b;
        uint32_t forgotten;
        uint64_t c;
    } Sample;
    static const StateField fields[] = { STATE_U32(Sample, a), STATE_U8(Sample, b),
                                         STATE_U64(Sample, c), STATE_END };
    const StateDesc desc = { .version = 1, .size = sizeof(Sample), .fields = fields };
    print_message("the next complaint is expected: ");
    assert_int_equal(check_desc("sample", &desc), 1);
}

static void class_names_are_unique(void **state)
{
    for (const DeviceClass *const *c = device_classes; *c; c++) {
        for (const DeviceClass *const *o = c + 1; *o; o++) {
            assert_string_not_equal((*c)->name, (*o)->name);
        }
    }
}

/* --- round trip --- */

static MemoryRegion *pm_region;

static void add_chips(Board *b)
{
    Machine *m = &b->m;
    assert_non_null(coproc_create(m, device_irq_in(b->pic, 13), &err));
    Device *p92 = port92_create(m, board_probe(b, 20), &err);
    I8042Wiring kw = { board_probe(b, 1), board_probe(b, 12), device_irq_in(p92, 0) };
    assert_non_null(i8042_create(m, &kw, &err));
    assert_non_null(i8254_create(m, device_irq_in(b->pic, 0), &err));
    assert_non_null(rtc_create(m, "utc", device_irq_in(b->pic, 8), &err));
    HpetWiring hw = { .irq0 = board_probe(b, 21),
                      .irq8 = board_probe(b, 22),
                      .legacy = board_probe(b, 23),
                      .msi = msi_send_opaque,
                      .msi_opaque = &b->apic };
    for (unsigned i = 20; i < 24; i++) {
        hw.gsi[i] = device_irq_in(b->ioapic, i);
    }
    assert_non_null(hpet_create(m, 3, &hw, &err));
    Device *pm = acpi_pm_create(m, device_irq_in(b->ioapic, 9), &err);
    pm_region = acpi_pm_region(pm);
    FwCfg *fw = fw_cfg_create(m, &err);
    fw_cfg_add_file(fw, "etc/file", "some bytes of a file", 20);
    fw_cfg_add_u16(fw, FW_CFG_NB_CPUS, 2);
    PciHostConfig host = { .ram = &b->ram,
                           .msi = msi_send_opaque,
                           .msi_opaque = &b->apic };
    PciBus *pci = pci_i440fx_create(m, &host, &err);
    assert_non_null(pci);
    assert_non_null(piix3_create(pci, 8, b->isa->irq, &err));
    assert_non_null(piix4_pm_create(pci, 11, pm_region, 0x600, &err));
}

/* -device CLASS for every class that a user may name; those that need a backend (or a bus
 * that is not there) fail and are left out, the same on every board. */
static unsigned add_cards(Board *b, bool tell)
{
    unsigned n = 0;
    for (const DeviceClass *const *c = device_classes; *c; c++) {
        if ((*c)->internal) {
            continue;
        }
        Error e = ERROR_INIT;
        if (device_add(&b->m, (*c)->name, &e)) {
            n++;
        } else if (tell) {
            print_message("left out: %s: %s\n", (*c)->name, e.msg);
        }
        error_free(&e);
    }
    return n;
}

static Board *full_board(bool tell)
{
    Board *b = board_create_now(2);
    for (unsigned i = 0; i < ISA_IRQS; i++) {
        if (i != 0 && i != 8) { /* those have their chip */
            b->isa->irq[i] = device_irq_in(b->pic, i);
        }
    }
    add_chips(b);
    assert_true(add_cards(b, tell) >= 4);
    board_reset(b);
    return b;
}

static uint32_t seed;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static const struct {
    uint64_t base;
    unsigned size, weight;
    bool mem;
} areas[] = {
    { 0x20, 2, 4 },
    { 0xa0, 2, 4 },
    { 0x4d0, 2, 1 },
    { 0x40, 4, 8 },
    { 0x60, 1, 4 },
    { 0x61, 1, 1 },
    { 0x64, 1, 4 },
    { 0x70, 4, 8 },
    { 0x92, 1, 1 },
    { 0xb2, 2, 1 },
    { 0xe0, 8, 4 },
    { 0x3f8, 8, 8 },
    { 0x510, 12, 4 },
    { 0x600, 64, 8 },
    { 0x2000, 16, 4 },
    { 0xcf8, 8, 8 },
    { 0xc000, 0x400, 8 },
    { 0xfee00000, 0x400, 16, true },
    { 0xfec00000, 0x50, 8, true },
    { 0xfed00000, 0x180, 8, true },
    { 0xff000000, 0x10000, 2, true },
    { 0xfebf0000, 0x10000, 4, true },
};

static void poke(Board *b)
{
    unsigned i = rnd() % ARRAY_SIZE(areas);
    unsigned size = 1u << rnd() % 3;
    uint64_t addr = areas[i].base + rnd() % areas[i].size;
    if (areas[i].mem) {
        size = 4;
        addr &= ~3ull;
        if (addr >> 12 == 0xfee00 && (addr & 0xff0) == 0x300) {
            return; /* IPIs would wake fake CPUs: harmless, but let vectors settle */
        }
    }
    AddressSpace *as = areas[i].mem ? &b->m.mem : &b->m.io;
    board_run_as(b, rnd() % 2);
    if (rnd() % 4 == 0) {
        memory_io_read(as, addr, size);
    } else {
        memory_io_write(as, addr, size, rnd() >> rnd() % 32);
    }
}

static void shake(Board *b)
{
    for (unsigned i = 0; i < 4000; i++) {
        poke(b);
        if (rnd() % 8 == 0) {
            board_advance(b, rnd() % 3000000);
        }
        if (rnd() % 16 == 0) {
            board_ack(b, rnd() % 2);
        }
    }
    board_run_as(b, -1);
}

static void save_one(Device *dev, void *arg)
{
    if (dev->cls->state.fields) {
        assert_true(state_save(arg, dev->path, &dev->cls->state, dev, &err));
    }
}

static void load_all(Board *b, StateBuf *buf)
{
    char path[128];
    unsigned n = 0;
    while (state_next(buf, path, sizeof(path), &err)) {
        Device *dev = device_find(&b->m, path);
        if (!dev) {
            fail_msg("%s is not on the fresh board", path);
        }
        if (!state_load(buf, &dev->cls->state, dev, &err)) {
            fail_msg("%s: %s", path, err.msg);
        }
        n++;
    }
    assert_null(err.msg);
    assert_true(n >= 15);
}

static void compare_one(Device *dev, void *arg)
{
    Board *other = arg;
    const StateDesc *desc = &dev->cls->state;
    if (!desc->fields) {
        return;
    }
    Device *o = device_find(&other->m, dev->path);
    assert_non_null(o);
    const uint8_t *p = (uint8_t *)dev + desc->offset, *q = (uint8_t *)o + desc->offset;
    for (size_t i = 0; i < desc->size; i++) {
        if (p[i] != q[i]) {
            const StateField *in = NULL;
            for (const StateField *f = desc->fields; f->kind != SK_END; f++) {
                if (f->offset <= i) {
                    in = !in || f->offset > in->offset ? f : in;
                }
            }
            fail_msg("%s: byte %zu of %zu (%s) is %#x, was %#x", dev->path, i, desc->size,
                     in ? in->name : "?", q[i], p[i]);
        }
    }
}

static void compare_reads(Board *a, Board *b)
{
    for (unsigned i = 0; i < ARRAY_SIZE(areas); i++) {
        unsigned step = areas[i].mem ? 4 : 1;
        AddressSpace *as = areas[i].mem ? &a->m.mem : &a->m.io;
        AddressSpace *bs = areas[i].mem ? &b->m.mem : &b->m.io;
        for (unsigned off = 0; off < areas[i].size; off += step) {
            uint64_t addr = areas[i].base + off;
            board_run_as(a, 0);
            uint64_t x = memory_io_read(as, addr, step);
            board_run_as(b, 0);
            uint64_t y = memory_io_read(bs, addr, step);
            if (x != y) {
                fail_msg("%s %#llx reads %#llx, was %#llx",
                         areas[i].mem ? "memory" : "port", (unsigned long long)addr,
                         (unsigned long long)y, (unsigned long long)x);
            }
        }
    }
    board_run_as(b, -1);
}

static void random_state_survives_save_and_load(void **state)
{
    const char *text = getenv("DYAD_TEST_SEED");
    seed = text ? strtoul(text, NULL, 0) : (uint32_t)time(NULL) | 1;
    for (unsigned round = 0; round < 8; round++) {
        print_message("DYAD_TEST_SEED=%u\n", seed);
        Board *a = full_board(round == 0);
        shake(a);
        StateBuf buf = { 0 };
        device_foreach(&a->m, save_one, &buf);
        clock_stop(a->m.clock);
        machine_unlock(&a->m);
        Board *b = full_board(false);
        clock_stop(b->m.clock);
        clock_set(b->m.clock, clock_now(a->m.clock));
        load_all(b, &buf);
        device_foreach(&a->m, compare_one, b);
        machine_unlock(&b->m);
        compare_reads(a, b);
        state_buf_free(&buf);
        machine_lock(&b->m);
        board_destroy(b);
        machine_lock(&a->m);
        board_destroy(a);
    }
}

/* Random bytes in a third of the scalar fields of a saved struct. */
static void spoil_struct(const StateDesc *desc, uint8_t *base)
{
    for (const StateField *f = desc->fields; f->kind != SK_END; f++) {
        uint8_t *p = base + f->offset;
        if (f->kind == SK_SUB) {
            for (unsigned i = 0; i < f->count; i++) {
                spoil_struct(f->sub, p + i * f->stride);
            }
        } else if (f->kind != SK_VBYTES && f->kind != SK_TIMER && rnd() % 3 == 0) {
            size_t n = field_size(f);
            for (size_t i = 0; i < n; i++) {
                p[i] = f->kind == SK_BOOL ? rnd() & 1 : rnd() >> rnd() % 24;
                if (f->max && f->kind == SK_U8) {
                    p[i] %= f->max + 1;
                }
            }
        }
    }
}

static void spoil(Device *dev, void *arg)
{
    if (dev->cls->state.fields && rnd() % 2) {
        spoil_struct(&dev->cls->state, (uint8_t *)dev + dev->cls->state.offset);
    }
}

/* Whatever a record says, the machine that takes it stays within its own bounds (what the
 * sanitizers and the limits of time in this test watch). */
static void a_hostile_record_is_refused_or_harmless(void **state)
{
    const char *text = getenv("DYAD_TEST_SEED");
    seed = text ? strtoul(text, NULL, 0) : (uint32_t)time(NULL) | 1;
    unsigned taken = 0, refused = 0;
    for (unsigned round = 0; round < 12; round++) {
        print_message("DYAD_TEST_SEED=%u\n", seed);
        Board *a = full_board(false);
        StateBuf buf = { 0 };
        device_foreach(&a->m, spoil, NULL);
        device_foreach(&a->m, save_one, &buf);
        clock_stop(a->m.clock);
        machine_unlock(&a->m);
        Board *b = full_board(false);
        char path[128];
        while (state_next(&buf, path, sizeof(path), &err)) {
            Device *dev = device_find(&b->m, path);
            assert_non_null(dev);
            if (state_load(&buf, &dev->cls->state, dev, &err)) {
                taken++;
            } else {
                refused++;
                dev->cls->reset(dev);
            }
            error_free(&err);
        }
        shake(b);
        state_buf_free(&buf);
        board_destroy(b);
        machine_lock(&a->m);
        board_destroy(a);
    }
    assert_true(taken > 0 && refused > 0);
}

static void a_cut_record_is_refused(void **state)
{
    Board *a = full_board(false);
    StateBuf buf = { 0 };
    device_foreach(&a->m, save_one, &buf);
    size_t whole = buf.len;
    for (size_t cut = 1; cut < 400; cut += 7) {
        buf.len = whole - cut * 16 > whole ? 1 : whole - cut * 16;
        buf.pos = 0;
        char path[128];
        bool ok = true;
        while (ok && state_next(&buf, path, sizeof(path), &err)) {
            Device *dev = device_find(&a->m, path);
            ok = dev && state_load(&buf, &dev->cls->state, dev, &err);
        }
        assert_non_null(err.msg);
        error_free(&err);
    }
    state_buf_free(&buf);
    board_destroy(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_saved_structs_is_in_a_field),
        cmocka_unit_test(the_check_finds_a_forgotten_field),
        cmocka_unit_test(class_names_are_unique),
        cmocka_unit_test(random_state_survives_save_and_load),
        cmocka_unit_test(a_hostile_record_is_refused_or_harmless),
        cmocka_unit_test(a_cut_record_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

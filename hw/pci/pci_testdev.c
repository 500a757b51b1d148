/* SPDX-License-Identifier: MIT */
/*
 * pci-testdev: BAR 0 (memory) and BAR 1 (I/O) that count writes, for people who write
 * operating systems and measure exits. Protocol as in the public description of the
 * device (docs/specs/pci-testdev of QEMU): a header { u8 test; u8 width; u8 pad[2];
 * u32 offset; u32 data; u32 count; u8 name[]; }, little endian. Writing a number to `test`
 * starts that test; `width` is 1, 2 or 4 for a supported one; writes of `data` with that
 * width at `offset` are counted. BAR 2 (membar=) is 64-bit memory with nothing behind it.
 */
#include "hw/pci/host.h"

#include <string.h>
#include "util/bytes.h"

enum { BAR_SIZE = 4096, IO_SIZE = 256, HDR_NAME = 16, HDR_COUNT = 12, TESTS = 3,
       WINDOW = 0x80 };

typedef struct {
    PciState pci;
    uint8_t test[2];        /* selected per BAR; TESTS or more: none */
    uint32_t count[2];
} TestdevState;

typedef struct Testdev Testdev;
typedef struct {
    Testdev *d;
    unsigned bar;
} TestdevBar;

struct Testdev {
    PciDevice pci;
    TestdevState s;
    TestdevBar half[2];
    MemoryRegion mem, io, big;
    uint64_t membar;        /* property: bytes, 0 = no BAR 2 */
};

typedef struct {
    uint8_t width;
    uint32_t data;
    const char *name[2];    /* per BAR */
} TestRow;

static const TestRow test_rows[TESTS] = {
    { 1, 0xfa, { "mmio-write-1", "portio-write-1" } },
    { 2, 0xcafe, { "mmio-write-2", "portio-write-2" } },
    { 4, 0xfacecafe, { "mmio-write-4", "portio-write-4" } },
};

static const TestRow *testdev_row(const TestdevBar *b)
{
    uint8_t n = b->d->s.test[b->bar];
    return n < TESTS ? &test_rows[n] : NULL;
}

static uint64_t testdev_read(void *opaque, uint64_t addr, unsigned size)
{
    TestdevBar *b = opaque;
    const TestRow *row = testdev_row(b);
    uint8_t hdr[64] = { b->d->s.test[b->bar] };
    if (row) {
        hdr[1] = row->width;
        put_le32(hdr + 4, WINDOW);
        put_le32(hdr + 8, row->data);
        strcpy((char *)hdr + HDR_NAME, row->name[b->bar]);
    }
    put_le32(hdr + HDR_COUNT, b->d->s.count[b->bar]);
    uint64_t v = 0;
    for (unsigned i = 0; i < size && addr + i < sizeof(hdr); i++) {
        v |= (uint64_t)hdr[addr + i] << (8 * i);
    }
    return v;
}

static void testdev_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    TestdevBar *b = opaque;
    TestdevState *s = &b->d->s;
    if (addr == 0) {
        s->test[b->bar] = val;
        s->count[b->bar] = 0;
        return;
    }
    const TestRow *row = testdev_row(b);
    if (row && addr == WINDOW && size == row->width && (uint32_t)val == row->data) {
        s->count[b->bar]++;
    }
}

static uint64_t big_read(void *opaque, uint64_t addr, unsigned size)
{
    return 0;
}

static void big_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
}

static const MemoryOps testdev_ops = {
    .read = testdev_read, .write = testdev_write, .min_size = 1, .max_size = 4,
};
static const MemoryOps big_ops = {
    .read = big_read, .write = big_write, .min_size = 1, .max_size = 8,
};

static bool testdev_realize(Device *dev, Error *err)
{
    Testdev *d = (Testdev *)dev;
    for (unsigned i = 0; i < 2; i++) {
        d->half[i] = (TestdevBar){ d, i };
    }
    device_add_io(dev, &d->mem, "pci-testdev-mmio", BAR_SIZE, &testdev_ops, &d->half[0]);
    device_add_io(dev, &d->io, "pci-testdev-portio", IO_SIZE, &testdev_ops, &d->half[1]);
    pci_add_bar(&d->pci, 0, PCI_BAR_MEM32, &d->mem);
    pci_add_bar(&d->pci, 1, PCI_BAR_IO, &d->io);
    if (d->membar) {
        if (d->membar < 4096 || (d->membar & (d->membar - 1))) {
            return error_set(err, "membar: the size must be a power of two from 4K up");
        }
        device_add_io(dev, &d->big, "pci-testdev-membar", d->membar, &big_ops, d);
        pci_add_bar(&d->pci, 2, PCI_BAR_MEM64 | PCI_BAR_PREFETCH, &d->big);
    }
    return true;
}

static void testdev_reset(Device *dev)
{
    Testdev *d = (Testdev *)dev;
    pci_reset(&d->pci);
    memset(d->s.count, 0, sizeof(d->s.count));
    memset(d->s.test, 0xff, sizeof(d->s.test));
}

static const Property testdev_props[] = {
    PCI_PROPS(Testdev),
    PROP_SIZE(Testdev, membar, 0, 0, 1ull << 40, "size of BAR 2, nothing behind it"),
    PROP_END
};

static const StateField testdev_fields[] = {
    STATE_SUB(TestdevState, pci, pci_state), STATE_U8_ARRAY(TestdevState, test),
    STATE_U32_ARRAY(TestdevState, count), STATE_END
};

const DeviceClass pci_testdev_class = {
    .name = "pci-testdev", .desc = "counts writes to its BARs", .bus = BUS_PCI,
    .size = sizeof(Testdev), .props = testdev_props,
    .bus_data = &(const PciInfo){
        .vendor = 0x1b36, .device = 0x0005, .class_code = 0x00ff00,
        .subsys_vendor = 0x1af4, .subsys = 0x1100,
        .state_offset = offsetof(Testdev, s.pci),
    },
    .state = { .version = 1, .offset = offsetof(Testdev, s), .size = sizeof(TestdevState),
               .fields = testdev_fields, .post_load = pci_device_post_load },
    .realize = testdev_realize, .reset = testdev_reset,
};

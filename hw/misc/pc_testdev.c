/* SPDX-License-Identifier: MIT */
/*
 * Device for test kernels: ports 2000H + n drive ISA line n, ports E0H-E3H are a 32-bit
 * scratch register, port E4H takes the address of a page whose translations are to be
 * dropped, 64 KiB of memory-mapped scratch bytes at 0xff000000.
 * Machine lock held in every entry point.
 */
#include <string.h>
#include "hw/core/machine.h"
#include "hw/misc/testdevs.h"

enum { TEST_LINES = 16, TEST_MEM_SIZE = 0x10000 };
#define TEST_MEM_BASE 0xff000000ull

typedef struct TestdevState {
    uint8_t scratch[4];
    uint8_t mem[TEST_MEM_SIZE];
    uint32_t page; /* last page given to E4H */
    bool line[TEST_LINES];
} TestdevState;

typedef struct Testdev {
    Device dev;
    TestdevState s;
    IrqLine irq[TEST_LINES];
    MemoryRegion lines_io, scratch_io, page_io, mem_io;
} Testdev;

static uint64_t testdev_get(const uint8_t *p, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, p, size);
    return v;
}

static uint64_t testdev_lines_read(void *opaque, uint64_t addr, unsigned size)
{
    const Testdev *d = opaque;
    return d->s.line[addr % TEST_LINES];
}

static void testdev_lines_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Testdev *d = opaque;
    unsigned n = addr % TEST_LINES;
    d->s.line[n] = val & 0xff;
    irq_set(&d->irq[n], d->s.line[n]);
}

/* The core keeps addr + size inside the region. */
static uint64_t testdev_scratch_read(void *opaque, uint64_t addr, unsigned size)
{
    const Testdev *d = opaque;
    return addr + size <= sizeof(d->s.scratch) ? testdev_get(d->s.scratch + addr, size)
                                               : 0;
}

static void testdev_scratch_write(void *opaque, uint64_t addr, uint64_t val,
                                  unsigned size)
{
    Testdev *d = opaque;
    if (addr + size <= sizeof(d->s.scratch)) {
        memcpy(d->s.scratch + addr, &val, size);
    }
}

static uint64_t testdev_page_read(void *opaque, uint64_t addr, unsigned size)
{
    const Testdev *d = opaque;
    return d->s.page;
}

/* Drops what the engine remembers of the page: it looks like a write by a device. The
 * page keeps its bytes. */
static void testdev_page_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Testdev *d = opaque;
    Machine *m = d->dev.machine;
    d->s.page = val;
    const FlatRange *r = address_space_find(&m->mem, d->s.page);
    if (r && r->host && r->mr->kind == MR_RAM) {
        uint64_t page = ALIGN_DOWN(r->ram_addr + (d->s.page - r->start), 4096);
        memory_set_dirty(m, page, 4096);
    }
}

static uint64_t testdev_mem_read(void *opaque, uint64_t addr, unsigned size)
{
    const Testdev *d = opaque;
    return addr <= TEST_MEM_SIZE - size ? testdev_get(d->s.mem + addr, size) : 0;
}

static void testdev_mem_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Testdev *d = opaque;
    if (addr <= TEST_MEM_SIZE - size) {
        memcpy(d->s.mem + addr, &val, size);
    }
}

static const MemoryOps testdev_lines_ops = { testdev_lines_read, testdev_lines_write, 1,
                                             1 };
static const MemoryOps testdev_scratch_ops = { testdev_scratch_read,
                                               testdev_scratch_write, 1, 4,
                                               .unaligned = true };
static const MemoryOps testdev_page_ops = { testdev_page_read, testdev_page_write, 4, 4 };
static const MemoryOps testdev_mem_ops = { testdev_mem_read, testdev_mem_write, 1, 8,
                                           .unaligned = true };

static bool testdev_realize(Device *dev, Error *err)
{
    Testdev *d = DEVICE_AS(dev, Testdev, pc_testdev_class);
    for (unsigned n = 0; n < TEST_LINES; n++) {
        d->irq[n] = isa_irq(dev, n);
    }
    device_add_ports(dev, &d->lines_io, "testdev-irq", 0x2000, TEST_LINES,
                     &testdev_lines_ops, d);
    device_add_ports(dev, &d->scratch_io, "testdev-scratch", 0xe0, 4,
                     &testdev_scratch_ops, d);
    device_add_ports(dev, &d->page_io, "testdev-page", 0xe4, 4, &testdev_page_ops, d);
    device_add_io(dev, &d->mem_io, "testdev-memory", TEST_MEM_SIZE, &testdev_mem_ops, d);
    device_map(dev, &dev->machine->mem_root, &d->mem_io, TEST_MEM_BASE, 1);
    return true;
}

static void testdev_reset(Device *dev)
{
    Testdev *d = DEVICE_AS(dev, Testdev, pc_testdev_class);
    memset(&d->s, 0, sizeof(d->s));
}

static void testdev_reset_lines(Device *dev)
{
    Testdev *d = DEVICE_AS(dev, Testdev, pc_testdev_class);
    for (unsigned n = 0; n < TEST_LINES; n++) {
        irq_set(&d->irq[n], d->s.line[n]);
    }
}

static bool testdev_post_load(void *owner, Error *err)
{
    Testdev *d = owner;
    for (unsigned n = 0; n < TEST_LINES; n++) {
        if (d->s.line[n]) { /* the bus does not save who drives a shared line */
            irq_set(&d->irq[n], true);
        }
    }
    return true;
}

static const StateField testdev_fields[] = {
    STATE_BYTES(TestdevState, scratch), STATE_BYTES(TestdevState, mem),
    STATE_U32(TestdevState, page), STATE_ARRAY(TestdevState, line, SK_BOOL, bool),
    STATE_END
};

const DeviceClass pc_testdev_class = {
    .name = "pc-testdev",
    .desc = "interrupt lines, scratch ports and memory for test kernels",
    .bus = BUS_ISA,
    .size = sizeof(Testdev),
    .state = { .version = 1,
               .offset = offsetof(Testdev, s),
               .size = sizeof(TestdevState),
               .fields = testdev_fields,
               .post_load = testdev_post_load },
    .realize = testdev_realize,
    .reset = testdev_reset,
    .reset_lines = testdev_reset_lines,
};

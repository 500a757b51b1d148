/* SPDX-License-Identifier: MIT */
/* See dev_board.h. Replaces hw/core/nondet.c. */
#include "tests/unit/dev_board.h"

#include <string.h>
#include "hw/core/nondet.h"
#include "hw/intc/i8259.h"

static int64_t fake_ns;

_Thread_local NondetTap *nondet_tap;
unsigned nondet_slowness = 1;

int64_t nondet_host_ns(void)
{
    return fake_ns;
}
int64_t nondet_wall_ns(void)
{
    return BOARD_WALL * NS_PER_SEC + fake_ns;
}
uint64_t nondet_host_tsc(void)
{
    return (uint64_t)fake_ns * (BOARD_TSC_HZ / NS_PER_SEC);
}
uint64_t nondet_tsc_hz(void)
{
    return BOARD_TSC_HZ;
}
void nondet_random(void *to, size_t n)
{
    memset(to, 4, n);
}
void nondet_inject(const char *kind, void (*fn)(void *, const void *, size_t), void *dev,
                   const void *data, size_t n)
{
    fn(dev, data, n);
}

static const MachineClass test_class = {
    .name = "test",
    .desc = "devices under test",
    .size = sizeof(Board),
    .default_ram = BOARD_RAM,
    .max_cpus = BOARD_CPUS,
};
const MachineClass *const machine_classes[] = { &test_class, NULL };

static void probe_set(void *opaque, unsigned n, bool level)
{
    Probe *p = &((Board *)opaque)->probe[n];
    p->rises += level && !p->level;
    p->level = level;
}

IrqLine board_probe(Board *b, unsigned n)
{
    return (IrqLine){ probe_set, b, n };
}

void board_msi(void *board, uint64_t addr, uint32_t data)
{
    Board *b = board;
    b->msis++;
    b->msi_addr = addr;
    b->msi_data = data;
}

Board *board_create(unsigned ncpus)
{
    fake_ns = 0;
    return board_create_now(ncpus);
}

Board *board_create_now(unsigned ncpus)
{
    Error err = ERROR_INIT;
    const MachineConfig cfg = { .ram_size = BOARD_RAM };
    Board *b = (Board *)machine_create(&test_class, &cfg, &err);
    assert_non_null(b);
    machine_lock(&b->m);
    assert_true(memory_init_ram(&b->ram, &b->m, "ram", BOARD_RAM, &err));
    memory_add(&b->m.mem_root, &b->ram, 0, 0);
    apic_bus_init(&b->apic, &b->m);
    for (unsigned i = 0; i < ncpus; i++) {
        b->cpu[i].machine = &b->m;
        b->cpu[i].index = i;
        LapicConfig lc = { .cpu = &b->cpu[i],
                           .apic_id = i,
                           .tsc_offset = &b->tsc_offset,
                           .x2apic = true,
                           .tsc_deadline = true };
        b->lapic[i] = lapic_create(&b->apic, &lc, &err);
        assert_non_null(b->lapic[i]);
    }
    b->ioapic = ioapic_create(&b->apic, ncpus, IOAPIC_DEFAULT_BASE, &err);
    assert_non_null(b->ioapic);
    b->pic = i8259_create(&b->m, apic_bus_pic_input(&b->apic), &err);
    assert_non_null(b->pic);
    apic_bus_set_pic(&b->apic, i8259_ack, b->pic);
    b->isa = isa_bus_create(&b->m, NULL, "isa.0");
    for (unsigned i = 0; i < ISA_IRQS; i++) {
        b->isa->irq[i] = board_probe(b, i);
    }
    clock_start(b->m.clock);
    board_reset(b);
    return b;
}

void board_reset(Board *b)
{
    device_reset_all(&b->m);
}

static void board_release(Machine *m, void *board)
{
    if (((Board *)board)->closing) {
        ((Board *)board)->closing(m);
    }
    apic_bus_destroy(&((Board *)board)->apic);
}

void board_destroy(Board *b)
{
    cpu_self = NULL;
    clock_stop(b->m.clock);
    b->m.release = board_release;
    b->m.release_arg = b;
    machine_unlock(&b->m);
    machine_destroy(&b->m);
}

void board_advance(Board *b, int64_t ns)
{
    int64_t end = fake_ns + ns;
    for (;;) {
        int64_t next = clock_next_deadline(b->m.clock);
        int64_t at = next < 0 ? end : fake_ns + MAX(next - clock_now(b->m.clock), 0);
        if (at > end) {
            break;
        }
        fake_ns = at;
        clock_run_timers(b->m.clock);
        if (next < 0) {
            return;
        }
    }
    fake_ns = end;
}

void board_run_as(Board *b, int cpu)
{
    cpu_self = cpu < 0 ? NULL : &b->cpu[cpu];
}

int board_ack(Board *b, unsigned cpu)
{
    return b->cpu[cpu].irq_ops->ack(b->cpu[cpu].irq_opaque);
}

bool board_hard(Board *b, unsigned cpu)
{
    return b->cpu[cpu].request & CPU_REQ_HARD;
}

uint64_t inp(Board *b, unsigned port, unsigned size)
{
    return memory_io_read(&b->m.io, port, size);
}
void outp(Board *b, unsigned port, uint64_t val, unsigned size)
{
    memory_io_write(&b->m.io, port, size, val);
}
uint64_t memr(Board *b, uint64_t addr, unsigned size)
{
    return memory_io_read(&b->m.mem, addr, size);
}
void memw(Board *b, uint64_t addr, uint64_t val, unsigned size)
{
    memory_io_write(&b->m.mem, addr, size, val);
}
uint32_t lapic_rd(Board *b, unsigned off)
{
    return memr(b, 0xfee00000 + off, 4);
}
void lapic_wr(Board *b, unsigned off, uint32_t v)
{
    memw(b, 0xfee00000 + off, v, 4);
}
void ioapic_wr(Board *b, unsigned index, uint32_t v)
{
    memw(b, 0xfec00000, index, 4);
    memw(b, 0xfec00010, v, 4);
}
uint32_t ioapic_rd(Board *b, unsigned index)
{
    memw(b, 0xfec00000, index, 4);
    return memr(b, 0xfec00010, 4);
}

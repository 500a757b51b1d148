/* SPDX-License-Identifier: MIT */
/* See tcg_board.h. */
#include "tests/unit/tcg_board.h"
#include <string.h>
#include "target-x86/create.h"
#include "target-x86/models.h"
#include "target-x86/tcg_ops.h"

static MemoryRegion ram, stop_port;
static X86Cpu *the_cpu;

static void stop_write(void *opaque, uint64_t addr, uint64_t v, unsigned size)
{
    cpu_request(&the_cpu->cpu, CPU_REQ_STOP);
}

static uint64_t stop_read(void *opaque, uint64_t addr, unsigned size)
{
    return 0;
}

static const MemoryOps stop_ops = { stop_read, stop_write, 1, 1, false, false };

static bool board_init(Machine *m, Error *err)
{
    if (!memory_init_ram(&ram, m, "ram", m->cfg.ram_size, err)) {
        return false;
    }
    memory_add(&m->mem_root, &ram, 0, 0);
    memory_init_io(&stop_port, m, "stop", 1, &stop_ops, NULL);
    memory_add(&m->io_root, &stop_port, 0xf4, 0);
    m->ncpus = 1;
    m->cpus[0] = m->cpu_factory->create(m, 0, err);
    return m->cpus[0] != NULL;
}

static const MachineClass board_class = {
    .name = "board", .size = sizeof(Machine), .max_cpus = 1, .init = board_init
};
const MachineClass *const machine_classes[] = { &board_class, NULL };
const DeviceClass *const device_classes[] = { NULL };

static void release(Machine *m, void *arg)
{
    accel_tcg_class.destroy(m);
}

Machine *tcg_board_create(uint64_t ram_size, TcgOptions *opts, Error *err)
{
    const MachineConfig cfg = { .ram_size = ram_size, .cpus = 1, .cpu_model = "max" };

    tcg_set_guest(&x86_tcg_ops);
    Machine *m = machine_create(&board_class, &cfg, err);
    if (!m) {
        return NULL;
    }
    m->cpu_factory = &x86_cpu_factory;
    m->release = release;
    if (!accel_tcg_class.init_machine(m, opts, err) || !machine_init(m, err)) {
        return NULL;
    }
    the_cpu = X86_CPU(m->cpus[0]);
    for (unsigned i = 0; i < X86F_NWORDS; i++) { /* not only what "max" shows */
        the_cpu->feat[i] |= x86_tcg_features()[i];
    }
    cpu_self = &the_cpu->cpu;
    return m;
}

X86Cpu *tcg_board_cpu(void)
{
    return the_cpu;
}

uint8_t *tcg_board_mem(uint64_t at)
{
    return memory_host(&ram) + at;
}

void tcg_board_put64(uint64_t at, uint64_t v)
{
    memcpy(tcg_board_mem(at), &v, 8);
}

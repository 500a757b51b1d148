/* SPDX-License-Identifier: MIT */
/* Making vCPUs: memory from the engine, model, reset state. */
#include "target-x86/create.h"
#include "hw/core/machine.h"
#include "target-x86/cpu.h"
#include "target-x86/models.h"

static Cpu *create(Machine *m, int index, Error *err)
{
    X86Cpu *cpu = m->exec->alloc_cpu(m, index, sizeof(X86Cpu));

    if (!cpu) {
        error_set(err, "no memory for vCPU %d", index);
        return NULL;
    }
    cpu->cpu.machine = m;
    cpu->cpu.ops = &x86_cpu_ops;
    cpu->cpu.exec = m->exec;
    cpu->cpu.index = index;
    cpu->apic_id = index;
    if (!x86_cpu_set_model(cpu, m->cfg.cpu_model ? m->cfg.cpu_model : "max", err) ||
        !m->exec->init_cpu(&cpu->cpu, err)) {
        return NULL;
    }
    x86_cpu_reset(cpu, false);
    return &cpu->cpu;
}

const CpuFactory x86_cpu_factory = { .create = create };

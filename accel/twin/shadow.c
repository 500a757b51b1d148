/* SPDX-License-Identifier: MIT */
/*
 * The machine as a side's engine sees it: the real one's memory map with the side's RAM in
 * place of the machine's, and the event log in place of every device. Machine lock, or
 * before vCPUs run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "accel/twin/twin_int.h"
#include "util/alloc.h"

static void triple_fault(Cpu *cpu)
{
    TwinSide *s = container_of(cpu->machine, TwinSide, m);
    s->shut_down = true;
    twin_end_stretch(s->t);
}

/* Memory written through the shadow (by instructions that use memory_write). */
static void ram_written(Machine *m, uint64_t ram_addr, uint64_t len)
{
    TwinSide *s = container_of(m, TwinSide, m);
    for (uint64_t p = ram_addr >> 12; p <= (ram_addr + len - 1) >> 12; p++) {
        tcg_page_log(&s->pages, p);
    }
    s->engine->ram_written(s, ram_addr, len);
}

static const CpuExecOps shadow_exec = {
    .name = "twin side",
    .triple_fault = triple_fault,
    .ram_written = ram_written,
};

static void view_free(FlatView *v)
{
    if (v) {
        free(v->r);
        free(v);
    }
}

void twin_shadow_update(TwinSide *s)
{
    const FlatView *from = s->t->m->mem.view;
    FlatView *old = s->m.mem.view, *v = NEW(FlatView);
    v->n = from ? from->n : 0;
    v->r = NEW_ARRAY(FlatRange, v->n + 1);
    for (unsigned i = 0; i < v->n; i++) {
        FlatRange *r = &v->r[i];
        *r = from->r[i];
        if (r->host) {
            r->host = s->ram + r->ram_addr;
        }
        r->mr = &s->io_mr; /* its offset is the address; RAM: where stores to ROM go */
        r->off = r->start;
    }
    s->m.mem.view = v;
    s->m.cfg = s->t->m->cfg;
    if (old) {
        s->engine->view_changed(s);
        view_free(old);
    }
}

static void *reserve(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool twin_shadow_init(TwinSide *s, Error *err)
{
    Machine *m = s->t->m;
    uint64_t pages = m->ram_max >> 12;
    s->m.cls = m->cls;
    s->m.cfg = m->cfg;
    s->m.exec = &shadow_exec;
    s->m.clock = m->clock;
    s->m.ram_fd = s->which ? -1 : m->ram_fd;
    s->m.ram_max = m->ram_max;
    s->ram = s->which ? reserve(m->ram_max) : m->ram_base;
    s->m.ram_base = s->ram;
    s->m.dirty = reserve(pages);
    s->m.ram_log = reserve(pages);
    s->pages.seen = reserve(pages);
    if (!s->ram || !s->m.dirty || !s->m.ram_log || !s->pages.seen) {
        return error_set(err, "cannot reserve %llu MiB for the second memory: %s",
                         (unsigned long long)(m->ram_max / MiB), strerror(errno));
    }
    memset((void *)s->m.ram_log, 1, pages);
    s->pages.ram_base = s->ram;
    s->pages.max = TWIN_MAX_PAGES;
    s->pages.page = NEW_ARRAY(uint32_t, TWIN_MAX_PAGES);
    s->io_mr = (MemoryRegion){ .kind = MR_IO,
                               .name = "twin",
                               .size = UINT64_MAX,
                               .ops = &twin_mem_ops,
                               .opaque = s,
                               .machine = &s->m };
    s->port_mr = (MemoryRegion){ .kind = MR_IO,
                                 .name = "twin ports",
                                 .size = 0x10000,
                                 .ops = &twin_port_ops,
                                 .opaque = s,
                                 .machine = &s->m };
    s->port_range = (FlatRange){ .start = 0, .last = 0xffff, .mr = &s->port_mr };
    s->port_view = (FlatView){ 1, &s->port_range };
    s->m.mem = (AddressSpace){ .name = "memory", .machine = &s->m };
    s->m.io = (AddressSpace){ .name = "I/O", .machine = &s->m, .view = &s->port_view };
    twin_shadow_update(s);
    return true;
}

void twin_shadow_finish(TwinSide *s)
{
    uint64_t pages = s->m.ram_max >> 12;
    view_free(s->m.mem.view);
    if (s->which && s->ram) {
        munmap(s->ram, s->m.ram_max);
    }
    void *maps[] = { (void *)s->m.dirty, (void *)s->m.ram_log, s->pages.seen };
    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++) {
        if (maps[i]) {
            munmap(maps[i], pages);
        }
    }
    free(s->pages.page);
}

bool twin_add_cpu(TwinSide *s, const X86Cpu *r, Error *err)
{
    unsigned i = r->cpu.index;
    if (!s->engine->add_cpu(s, i, err)) {
        return false;
    }
    X86Cpu *cpu = s->cpu[i];
    cpu->model = r->model;
    memcpy(cpu->feat, r->feat, sizeof(cpu->feat));
    cpu->apic_id = r->apic_id;
    cpu->phys_bits = r->phys_bits;
    cpu->tsc_khz = r->tsc_khz;
    cpu->one_unit = cpu->tapped = 1;
    cpu->cpu.machine = &s->m;
    cpu->cpu.ops = r->cpu.ops;
    cpu->cpu.exec = &shadow_exec;
    cpu->cpu.index = i;
    cpu->cpu.irq_opaque = &cpu->cpu;
    s->m.cpus[i] = &cpu->cpu;
    s->m.ncpus = 1; /* the sides' vCPUs never run at one time */
    return !s->engine->start_cpu || s->engine->start_cpu(s, cpu, err);
}

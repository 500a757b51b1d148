/* SPDX-License-Identifier: MIT */
/*
 * Programmable attribute map: which of 0xc0000-0xfffff shows RAM, for reads and for writes.
 * Intel 290549 (440FX), 3.2.18; the 3 Series hub (316966, 5.1.20) has the same registers at
 * another place. Machine lock held.
 */
#include "hw/pci/pam.h"

#include <string.h>
#include "hw/core/machine.h"

enum { PAM_READ = 1, PAM_WRITE = 2 };

/* Region that answers at addr below mr, by priority. Used only for the rare mode in
 * which reads and writes of one address go to different places. */
static MemoryRegion *tree_find(MemoryRegion *mr, uint64_t addr, uint64_t *off, int depth)
{
    if (depth > 8) {
        return NULL;
    }
    if (mr->kind == MR_ALIAS) {
        return tree_find(mr->target, mr->target_off + addr, off, depth + 1);
    }
    if (mr->kind != MR_CONTAINER) {
        *off = addr;
        return mr;
    }
    MemoryRegion *best = NULL;
    int best_prio = 0;
    for (MemoryRegion *c = mr->children; c; c = c->next) {
        if (!c->enabled || addr < c->addr || addr - c->addr >= c->size ||
            (best && c->priority <= best_prio)) {
            continue;
        }
        uint64_t o;
        MemoryRegion *hit = tree_find(c, addr - c->addr, &o, depth + 1);
        if (hit) {
            best = hit;
            best_prio = c->priority;
            *off = o;
        }
    }
    return best;
}

static uint64_t pam_wo_read(void *opaque, uint64_t addr, unsigned size)
{
    PamSegment *seg = opaque;
    uint64_t off, v = ~0ull;
    MemoryRegion *mr = tree_find(&seg->unit->pci->bus->mem, seg->start + addr, &off, 0);
    if (!mr) {
        return v;
    }
    if (mr->kind == MR_IO) {
        return mr->ops->read ? mr->ops->read(mr->opaque, off, size) : v;
    }
    if (off <= mr->size && size <= mr->size - off) {
        v = 0;
        memcpy(&v, memory_host(mr) + off, size);
    }
    return v;
}

static void pam_wo_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    PamSegment *seg = opaque;
    Machine *m = seg->unit->pci->dev.machine;
    const MemoryRegion *ram = seg->unit->ram;
    uint64_t off = seg->start + addr;
    if (off > ram->size || size > ram->size - off) {
        return;
    }
    memcpy(memory_host(ram) + off, &val, size);
    memory_set_dirty(m, ram->ram_addr + off, size);
    if (m->exec && m->exec->ram_written) {
        m->exec->ram_written(m, ram->ram_addr + off, size);
    }
}

static const MemoryOps pam_wo_ops = {
    .read = pam_wo_read, .write = pam_wo_write, .min_size = 1, .max_size = 1,
};

/* Segment 0 is 0xf0000-0xfffff (register 0, bits 5:4); 1 to 12 are the 16 KiB segments
 * from 0xc0000 up, two a register. */
static uint8_t pam_mode(const uint8_t regs[7], unsigned seg)
{
    if (seg == 0) {
        return (regs[0] >> 4) & 3;
    }
    uint8_t reg = regs[1 + (seg - 1) / 2];
    return (seg - 1) & 1 ? (reg >> 4) & 3 : reg & 3;
}

void pam_unit_update(PamUnit *u, const uint8_t regs[7])
{
    if (!u->ram) {
        return;
    }
    memory_begin(u->pci->dev.machine);
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        PamSegment *seg = &u->seg[i];
        uint8_t mode = pam_mode(regs, i);
        if (mode == seg->mode) {
            continue;
        }
        seg->mode = mode;
        memory_set_enabled(&seg->wo, mode == PAM_WRITE);
        memory_set_enabled(&seg->view, mode & PAM_READ);
        memory_set_readonly(&seg->view, mode == PAM_READ);
    }
    memory_commit(u->pci->dev.machine);
}

void pam_unit_init(PamUnit *u, PciDevice *pci, MemoryRegion *ram)
{
    Machine *m = pci->dev.machine;
    u->pci = pci;
    u->ram = ram;
    memory_begin(m);
    for (unsigned i = 0; i < PAM_SEGMENTS && ram; i++) {
        PamSegment *seg = &u->seg[i];
        seg->unit = u;
        seg->start = i ? 0xc0000 + (i - 1) * 0x4000 : 0xf0000;
        seg->size = i ? 0x4000 : 0x10000;
        memory_init_alias(&seg->view, m, "pam-ram", ram, seg->start, seg->size);
        device_map(&pci->dev, &m->mem_root, &seg->view, seg->start, 2);
        memory_set_enabled(&seg->view, false);
        memory_init_io(&seg->wo, m, "pam-write-only", seg->size, &pam_wo_ops, seg);
        device_map(&pci->dev, &m->mem_root, &seg->wo, seg->start, 2);
        memory_set_enabled(&seg->wo, false);
    }
    memory_commit(m);
}

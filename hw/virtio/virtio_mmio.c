/* SPDX-License-Identifier: MIT */
/*
 * Virtio over MMIO. VIRTIO 1.2, 4.2 (register layout version 2). Left out: the legacy
 * layout, queue reset, shared memory. Machine lock held.
 */
#include "hw/virtio/virtio_mmio.h"

#include "hw/core/machine.h"
#include "util/log.h"

enum { /* registers (table 4.1) */
    R_MAGIC = 0x000, R_VERSION = 0x004, R_ID = 0x008, R_VENDOR = 0x00c, R_DF = 0x010,
    R_DF_SEL = 0x014, R_GF = 0x020, R_GF_SEL = 0x024, R_QSEL = 0x030, R_QMAX = 0x034,
    R_QSIZE = 0x038, R_QREADY = 0x044, R_NOTIFY = 0x050, R_ISR = 0x060, R_ACK = 0x064,
    R_STATUS = 0x070, R_DESC = 0x080, R_AVAIL = 0x090, R_USED = 0x0a0, R_SHM_LEN = 0x0b0,
    R_GENERATION = 0x0fc, R_CONFIG = 0x100,
};
enum { MAGIC = 0x74726976, VERSION = 2, VENDOR = 0x44415944 /* "DYAD" */ };

typedef struct MmioBus {
    Bus bus;            /* first */
    uint64_t base;
    IrqLine irq[VIRTIO_MMIO_SLOTS];
    VirtioPci *dev[VIRTIO_MMIO_SLOTS];
    MemoryRegion mr;    /* all slots */
} MmioBus;

static MmioBus *bus_of(const VirtioPci *d)
{
    return (MmioBus *)d->pci.dev.parent;
}

void virtio_mmio_update_irq(VirtioPci *d)
{
    irq_set(&bus_of(d)->irq[d->pci.dev.addr], d->v.s->isr != 0);
}

static void mmio_queue_irq(VirtioDevice *v, Virtqueue *vq)
{
    v->s->isr |= VIRTIO_ISR_QUEUE;
    virtio_mmio_update_irq(virtio_pci_of(v));
}

static void mmio_config_irq(VirtioDevice *v)
{
    v->s->isr |= VIRTIO_ISR_CONFIG;
    virtio_mmio_update_irq(virtio_pci_of(v));
}

static bool mmio_may_dma(VirtioDevice *v)
{
    return true;
}

const VirtioTransport virtio_mmio_transport = {
    .queue_irq = mmio_queue_irq, .config_irq = mmio_config_irq, .may_dma = mmio_may_dma,
};

void virtio_mmio_finish(VirtioPci *d)
{
    d->v.offered |= BIT(VIRTIO_F_VERSION_1);
}

/* ---- registers ---- */

static Virtqueue *selected(VirtioPci *d)
{
    unsigned n = d->v.s->queue_sel;
    return n < d->v.nqueues ? &d->v.vq[n] : NULL;
}

static uint32_t reg_read(VirtioPci *d, unsigned reg)
{
    const VirtioState *s = d->v.s;
    const Virtqueue *vq = selected(d);
    switch (reg) {
    case R_MAGIC: return MAGIC;
    case R_VERSION: return VERSION;
    case R_ID: return d->v.ops->id;
    case R_VENDOR: return VENDOR;
    case R_DF:
        return s->device_feature_sel < 2 ? d->v.offered >> (32 * s->device_feature_sel) : 0;
    case R_QMAX: return vq ? vq->max : 0;
    case R_QREADY: return vq && vq->s->enabled;
    case R_ISR: return s->isr;
    case R_STATUS: return s->status;
    case R_GENERATION: return s->generation;
    case R_SHM_LEN: case R_SHM_LEN + 4: return ~0u; /* no such region */
    default: return 0;
    }
}

static void set_half(uint64_t *field, bool high, uint32_t val)
{
    *field = high ? (*field & 0xffffffff) | (uint64_t)val << 32
                  : (*field & ~0xffffffffull) | val;
}

static void set_features(VirtioPci *d, uint32_t val)
{
    VirtioState *s = d->v.s;
    uint64_t f = s->features;
    if (s->driver_feature_sel < 2) {
        set_half(&f, s->driver_feature_sel == 1, val);
        virtio_set_features(&d->v, f);
    }
}

static void queue_write(VirtioPci *d, Virtqueue *vq, unsigned reg, uint32_t val)
{
    VirtqueueState *q = vq->s;
    if (reg == R_QREADY) {
        if (!val) {
            virtqueue_reset(vq);
        } else if (!q->enabled) {
            virtio_queue_enable(&d->v, vq->index);
        }
        return;
    }
    if (q->enabled) {
        return; /* 4.2.2.2: not while the queue is ready */
    }
    switch (reg) {
    case R_QSIZE:
        if (val && val <= vq->max && !(val & (val - 1))) {
            q->size = val;
        } else {
            log_guest_error("%s: queue size %u refused\n", d->pci.dev.path, val);
        }
        break;
    case R_DESC: case R_DESC + 4: set_half(&q->desc, reg & 4, val); break;
    case R_AVAIL: case R_AVAIL + 4: set_half(&q->avail, reg & 4, val); break;
    case R_USED: case R_USED + 4: set_half(&q->used, reg & 4, val); break;
    default: break;
    }
}

static void reg_write(VirtioPci *d, unsigned reg, uint32_t val)
{
    VirtioState *s = d->v.s;
    switch (reg) {
    case R_DF_SEL: s->device_feature_sel = val; break;
    case R_GF_SEL: s->driver_feature_sel = val; break;
    case R_GF: set_features(d, val); break;
    case R_QSEL: s->queue_sel = MIN(val, VIRTIO_QUEUES); break;
    case R_NOTIFY: virtio_queue_notify(&d->v, val); break;
    case R_ACK:
        s->isr &= ~val;
        virtio_mmio_update_irq(d);
        break;
    case R_STATUS:
        virtio_set_status(&d->v, val);
        virtio_mmio_update_irq(d);
        break;
    default:
        if (selected(d)) {
            queue_write(d, selected(d), reg, val);
        }
        break;
    }
}

static uint64_t slots_read(void *opaque, uint64_t addr, unsigned size)
{
    MmioBus *b = opaque;
    VirtioPci *d = b->dev[addr / VIRTIO_MMIO_STEP];
    unsigned reg = addr % VIRTIO_MMIO_STEP;
    if (!d) {
        return reg == R_MAGIC ? MAGIC : reg == R_VERSION ? VERSION : 0;
    }
    if (reg >= R_CONFIG) {
        return virtio_config_read(&d->v, reg - R_CONFIG, size);
    }
    return size == 4 && !(reg & 3) ? reg_read(d, reg) : 0; /* 4.2.2.2: 32 bits only */
}

static void slots_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    MmioBus *b = opaque;
    VirtioPci *d = b->dev[addr / VIRTIO_MMIO_STEP];
    unsigned reg = addr % VIRTIO_MMIO_STEP;
    if (d && reg >= R_CONFIG) {
        virtio_config_write(&d->v, reg - R_CONFIG, val, size);
    } else if (d && size == 4 && !(reg & 3)) {
        reg_write(d, reg, val);
    }
}

static const MemoryOps slots_ops = {
    .read = slots_read, .write = slots_write, .min_size = 1, .max_size = 4,
};

/* ---- the bus ---- */

static bool mmio_plug(Bus *bus, Device *dev, Error *err)
{
    MmioBus *b = (MmioBus *)bus;
    VirtioPci *d = (VirtioPci *)dev;
    const PciInfo *info = dev->cls->bus_data;
    unsigned n = 0;
    while (n < VIRTIO_MMIO_SLOTS && b->dev[n]) {
        n++;
    }
    if (n == VIRTIO_MMIO_SLOTS) {
        return error_set(err, "bus %s has room for %d devices only", bus->name,
                         VIRTIO_MMIO_SLOTS);
    }
    d->pci.info = info;
    d->pci.s = (PciState *)((char *)dev + info->state_offset); /* saved, not used */
    dev->addr = n;
    b->dev[n] = d;
    return true;
}

static void mmio_unplug(Bus *bus, Device *dev)
{
    MmioBus *b = (MmioBus *)bus;
    if (dev->addr >= 0 && b->dev[dev->addr] == (VirtioPci *)dev) {
        b->dev[dev->addr] = NULL;
        irq_set(&b->irq[dev->addr], false);
    }
}

const BusClass virtio_mmio_bus_class = {
    .name = "virtio-mmio", .kind = BUS_VIRTIO, .plug = mmio_plug, .unplug = mmio_unplug,
};

Bus *virtio_mmio_bus_create(Machine *m, const char *name, uint64_t base,
                            const IrqLine irq[VIRTIO_MMIO_SLOTS])
{
    MmioBus *b = (MmioBus *)bus_create(m, NULL, &virtio_mmio_bus_class, name,
                                       sizeof(MmioBus));
    b->base = base;
    for (unsigned i = 0; i < VIRTIO_MMIO_SLOTS; i++) {
        b->irq[i] = irq[i];
    }
    memory_init_io(&b->mr, m, "virtio-mmio", VIRTIO_MMIO_SLOTS * VIRTIO_MMIO_STEP,
                   &slots_ops, b);
    memory_add(&m->mem_root, &b->mr, base, 0);
    return &b->bus;
}

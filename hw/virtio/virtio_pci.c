/* SPDX-License-Identifier: MIT */
/*
 * Virtio over PCI. VIRTIO 1.2, 4.1: the 1.x interface (capabilities; common, ISR, device
 * and notify structures in BAR 4) and the legacy one (4.1.4.10; I/O ports in BAR 0).
 * MSI-X in BAR 1. A function offers both (transitional) unless properties say otherwise.
 * Left out: queue reset, notification data, shared memory. Machine lock held.
 */
#include "hw/virtio/virtio_pci.h"

#include <string.h>
#include "hw/core/machine.h"
#include "hw/virtio/virtio_mmio.h"
#include "util/bytes.h"
#include "util/log.h"

enum { /* layout of BAR 4 */
    BAR_LEGACY = 0, BAR_MSIX = 1, BAR_MODERN = 4,
    MODERN_COMMON = 0x0000, MODERN_ISR = 0x1000, MODERN_DEVICE = 0x2000,
    MODERN_NOTIFY = 0x3000, MODERN_SIZE = 0x4000, NOTIFY_MULT = 4,
};
enum { /* cfg_type of the vendor capabilities (4.1.4) */
    CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_PCI_CFG = 5,
};
enum { /* struct virtio_pci_common_cfg (4.1.4.3) */
    C_DFSEL = 0, C_DF = 4, C_GFSEL = 8, C_GF = 12, C_MSIX = 16, C_NUMQ = 18, C_STATUS = 20,
    C_GEN = 21, C_QSEL = 22, C_QSIZE = 24, C_QVEC = 26, C_QENABLE = 28, C_QNOFF = 30,
    C_QDESC = 32, C_QDRIVER = 40, C_QDEVICE = 48,
};
enum { /* legacy header (4.1.4.10) */
    L_DF = 0, L_GF = 4, L_PFN = 8, L_QSIZE = 12, L_QSEL = 14, L_NOTIFY = 16, L_STATUS = 18,
    L_ISR = 19, L_CFGVEC = 20, L_QVEC = 22,
};

const char *const virtio_on_off_auto[] = { "auto", "on", "off", NULL };

/* --- interrupts --- */

static void vp_irq(VirtioPci *d, uint8_t isr, uint16_t vector)
{
    d->v.s->isr |= isr;
    if (pci_msix_enabled(&d->pci)) {
        if (vector != VIRTIO_NO_VECTOR) {
            pci_msix_notify(&d->pci, vector);
        }
    } else {
        pci_set_intx(&d->pci, true);
    }
}

static void vp_queue_irq(VirtioDevice *v, Virtqueue *vq)
{
    vp_irq(virtio_pci_of(v), VIRTIO_ISR_QUEUE, vq->s->vector);
}

static void vp_config_irq(VirtioDevice *v)
{
    vp_irq(virtio_pci_of(v), VIRTIO_ISR_CONFIG, v->s->config_vector);
}

/* Legacy drivers were written before anybody looked at the bus master bit. */
static bool vp_may_dma(VirtioDevice *v)
{
    return v->s->legacy || pci_is_master(&virtio_pci_of(v)->pci);
}

static const VirtioTransport vp_transport = {
    .queue_irq = vp_queue_irq, .config_irq = vp_config_irq, .may_dma = vp_may_dma,
};

static uint8_t vp_read_isr(VirtioPci *d)
{
    uint8_t isr = d->v.s->isr;
    d->v.s->isr = 0;
    pci_set_intx(&d->pci, false);
    return isr;
}

static void vp_set_status(VirtioPci *d, uint8_t status)
{
    virtio_set_status(&d->v, status);
    if (status == 0) {
        pci_set_intx(&d->pci, false);
    }
}

/* A vector the function does not have reads back as "none" (4.1.5.1.2). */
static uint16_t vp_vector(const VirtioPci *d, uint64_t val)
{
    return val < d->pci.msix_count ? val : VIRTIO_NO_VECTOR;
}

static Virtqueue *vp_selected(VirtioPci *d)
{
    unsigned n = d->v.s->queue_sel;
    return n < d->v.nqueues ? &d->v.vq[n] : NULL;
}

/* --- 1.x: common configuration --- */

static uint64_t queue_field_read(const VirtioPci *d, const Virtqueue *vq, uint64_t addr)
{
    const VirtqueueState *q = vq->s;
    switch (addr) {
    case C_QSIZE:
        return q->size;
    case C_QVEC:
        return q->vector;
    case C_QENABLE:
        return q->enabled;
    case C_QNOFF:
        return vq->index;
    case C_QDESC:
        return (uint32_t)q->desc;
    case C_QDESC + 4:
        return q->desc >> 32;
    case C_QDRIVER:
        return (uint32_t)q->avail;
    case C_QDRIVER + 4:
        return q->avail >> 32;
    case C_QDEVICE:
        return (uint32_t)q->used;
    case C_QDEVICE + 4:
        return q->used >> 32;
    default:
        return 0;
    }
}

static uint64_t common_read(VirtioPci *d, uint64_t addr)
{
    const VirtioState *s = d->v.s;
    switch (addr) {
    case C_DFSEL:
        return s->device_feature_sel;
    case C_DF:
        return s->device_feature_sel < 2
               ? (uint32_t)(d->v.offered >> (32 * s->device_feature_sel)) : 0;
    case C_GFSEL:
        return s->driver_feature_sel;
    case C_GF:
        return s->driver_feature_sel < 2
               ? (uint32_t)(s->features >> (32 * s->driver_feature_sel)) : 0;
    case C_MSIX:
        return s->config_vector;
    case C_NUMQ:
        return d->v.nqueues;
    case C_STATUS:
        return s->status;
    case C_GEN:
        return s->generation;
    case C_QSEL:
        return s->queue_sel;
    default:
        break;
    }
    const Virtqueue *vq = vp_selected(d);
    return vq ? queue_field_read(d, vq, addr) : 0;
}

static void set_half(uint64_t *field, bool high, uint32_t val)
{
    unsigned sh = high ? 32 : 0;
    *field = (*field & ~(0xffffffffull << sh)) | (uint64_t)val << sh;
}

static void queue_field_write(VirtioPci *d, Virtqueue *vq, uint64_t addr, uint64_t val)
{
    VirtqueueState *q = vq->s;
    if (addr == C_QVEC) {
        q->vector = vp_vector(d, val);
        return;
    }
    if (q->enabled) {   /* 4.1.4.3.2: the rest is set before the queue is enabled */
        log_guest_error("%s: queue %u written while enabled\n", d->pci.dev.path, vq->index);
        return;
    }
    switch (addr) {
    case C_QSIZE:
        if (val && val <= vq->max && !(val & (val - 1))) {
            q->size = val;
        } else {
            log_guest_error("%s: queue size %u refused\n", d->pci.dev.path, (unsigned)val);
        }
        break;
    case C_QENABLE:
        if (val == 1) {
            virtio_queue_enable(&d->v, vq->index);
        }
        break;
    case C_QDESC:
    case C_QDESC + 4:
        set_half(&q->desc, addr != C_QDESC, val);
        break;
    case C_QDRIVER:
    case C_QDRIVER + 4:
        set_half(&q->avail, addr != C_QDRIVER, val);
        break;
    case C_QDEVICE:
    case C_QDEVICE + 4:
        set_half(&q->used, addr != C_QDEVICE, val);
        break;
    default:
        break;
    }
}

static void common_write(VirtioPci *d, uint64_t addr, uint64_t val)
{
    VirtioState *s = d->v.s;
    switch (addr) {
    case C_DFSEL:
        s->device_feature_sel = val;
        return;
    case C_GFSEL:
        s->driver_feature_sel = val;
        return;
    case C_GF:
        if (s->driver_feature_sel < 2) {
            uint64_t f = s->features;
            set_half(&f, s->driver_feature_sel, val);
            virtio_set_features(&d->v, f);
        }
        return;
    case C_MSIX:
        s->config_vector = vp_vector(d, val);
        return;
    case C_STATUS:
        vp_set_status(d, val);
        return;
    case C_QSEL:
        s->queue_sel = val;
        return;
    default:
        break;
    }
    Virtqueue *vq = vp_selected(d);
    if (vq) {
        queue_field_write(d, vq, addr, val);
    }
}

static uint64_t modern_read(void *opaque, uint64_t addr, unsigned size)
{
    VirtioPci *d = opaque;
    switch (addr & ~0xfffull) {
    case MODERN_COMMON:
        return common_read(d, addr);
    case MODERN_ISR:
        return addr == MODERN_ISR ? vp_read_isr(d) : 0;
    case MODERN_DEVICE:
        return virtio_config_read(&d->v, addr - MODERN_DEVICE, size);
    default:
        return 0;
    }
}

static void modern_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    VirtioPci *d = opaque;
    switch (addr & ~0xfffull) {
    case MODERN_COMMON:
        common_write(d, addr, val);
        break;
    case MODERN_DEVICE:
        virtio_config_write(&d->v, addr - MODERN_DEVICE, val, size);
        break;
    case MODERN_NOTIFY:
        virtio_queue_notify(&d->v, (addr - MODERN_NOTIFY) / NOTIFY_MULT);
        break;
    default:
        break;
    }
}

static const MemoryOps modern_ops = {
    .read = modern_read, .write = modern_write, .min_size = 1, .max_size = 4,
};

/* --- the pci-cfg window (4.1.4.9): BAR 4 through configuration space --- */

static bool cfg_window(VirtioPci *d, unsigned off, unsigned size, uint32_t *at, uint32_t *len)
{
    const uint8_t *cap = d->pci.s->config + d->cfg_cap;
    if (!d->cfg_cap || off + size <= d->cfg_cap + 16u || off >= d->cfg_cap + 20u) {
        return false;
    }
    *at = get_le32(cap + 8);
    *len = get_le32(cap + 12);
    return cap[4] == BAR_MODERN && (*len == 1 || *len == 2 || *len == 4) &&
           *at % *len == 0 && *at <= MODERN_SIZE - *len;
}

void virtio_pci_config_written(PciDevice *pci, unsigned off, unsigned size)
{
    VirtioPci *d = container_of(pci, VirtioPci, pci);
    uint32_t at, len;
    if (cfg_window(d, off, size, &at, &len)) {
        uint32_t val = get_le32(pci->s->config + d->cfg_cap + 16);
        modern_write(d, at, val & (uint32_t)(~0ull >> (64 - 8 * len)), len);
    }
}

void virtio_pci_config_reading(PciDevice *pci, unsigned off, unsigned size)
{
    VirtioPci *d = container_of(pci, VirtioPci, pci);
    uint32_t at, len;
    if (cfg_window(d, off, size, &at, &len)) {
        put_le32(pci->s->config + d->cfg_cap + 16, modern_read(d, at, len));
    }
}

/* --- legacy interface --- */

/* 2.7.2: descriptors, available ring, used ring at the next 4096-byte boundary. */
static void legacy_set_pfn(VirtioPci *d, Virtqueue *vq, uint32_t pfn)
{
    VirtqueueState *q = vq->s;
    uint16_t vector = q->vector;
    virtqueue_reset(vq);
    q->vector = vector;
    if (pfn) {
        q->desc = (uint64_t)pfn << 12;
        q->avail = q->desc + 16ull * q->size;
        q->used = ALIGN_UP(q->avail + 6 + 2ull * q->size, 4096);
        virtio_queue_enable(&d->v, vq->index);
    }
}

static unsigned legacy_config_start(const VirtioPci *d)
{
    return pci_msix_enabled(&d->pci) ? 24 : 20;
}

static uint64_t legacy_read(void *opaque, uint64_t addr, unsigned size)
{
    VirtioPci *d = opaque;
    const VirtioState *s = d->v.s;
    const Virtqueue *vq = vp_selected(d);
    if (addr >= legacy_config_start(d)) {
        return virtio_config_read(&d->v, addr - legacy_config_start(d), size);
    }
    switch (addr) {
    case L_DF:
        return (uint32_t)d->v.offered;
    case L_GF:
        return (uint32_t)s->features;
    case L_PFN:
        return vq ? vq->s->desc >> 12 : 0;
    case L_QSIZE:
        return vq ? vq->max : 0;
    case L_QSEL:
        return s->queue_sel;
    case L_STATUS:
        return s->status;
    case L_ISR:
        return vp_read_isr(d);
    case L_CFGVEC:
        return s->config_vector;
    case L_QVEC:
        return vq ? vq->s->vector : VIRTIO_NO_VECTOR;
    default:
        return 0;
    }
}

static void legacy_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    VirtioPci *d = opaque;
    VirtioState *s = d->v.s;
    Virtqueue *vq = vp_selected(d);
    if (addr >= legacy_config_start(d)) {
        virtio_config_write(&d->v, addr - legacy_config_start(d), val, size);
        return;
    }
    s->legacy = true;
    switch (addr) {
    case L_GF:
        virtio_set_features(&d->v, val & (uint32_t)d->v.offered);
        break;
    case L_PFN:
        if (vq) {
            legacy_set_pfn(d, vq, val);
        }
        break;
    case L_QSEL:
        s->queue_sel = val;
        break;
    case L_NOTIFY:
        virtio_queue_notify(&d->v, val & 0xffff);
        break;
    case L_STATUS:
        vp_set_status(d, val);
        break;
    case L_CFGVEC:
        s->config_vector = vp_vector(d, val);
        break;
    case L_QVEC:
        if (vq) {
            vq->s->vector = vp_vector(d, val);
        }
        break;
    default:
        break;
    }
}

static const MemoryOps legacy_ops = {
    .read = legacy_read, .write = legacy_write, .min_size = 1, .max_size = 4,
};

/* --- bring-up --- */

static unsigned add_virtio_cap(VirtioPci *d, uint8_t type, unsigned size, uint32_t off,
                               uint32_t len)
{
    unsigned at = pci_add_cap(&d->pci, PCI_CAP_VENDOR, size);
    uint8_t *cap = d->pci.s->config + at;
    cap[2] = size;
    cap[3] = type;
    cap[4] = len ? BAR_MODERN : 0;
    put_le32(cap + 8, off);
    put_le32(cap + 12, len);
    return at;
}

static void add_modern(VirtioPci *d)
{
    device_add_io(&d->pci.dev, &d->modern, "virtio-pci", MODERN_SIZE, &modern_ops, d);
    d->modern_bells = (MemoryEvent){ .off = MODERN_NOTIFY, .stride = NOTIFY_MULT,
                                     .count = d->v.nqueues, .size = 2 };
    d->modern.events = &d->modern_bells;
    pci_add_bar(&d->pci, BAR_MODERN, PCI_BAR_MEM64 | PCI_BAR_PREFETCH, &d->modern);
    d->cfg_cap = add_virtio_cap(d, CAP_PCI_CFG, 20, 0, 0);
    uint8_t *wm = d->pci.wmask + d->cfg_cap;
    wm[4] = 0xff;
    memset(wm + 8, 0xff, 12);
    unsigned n = add_virtio_cap(d, CAP_NOTIFY, 20, MODERN_NOTIFY,
                                d->v.nqueues * NOTIFY_MULT);
    put_le32(d->pci.s->config + n + 16, NOTIFY_MULT);
    if (d->v.ops->config_size) {
        add_virtio_cap(d, CAP_DEVICE, 16, MODERN_DEVICE, 0x1000);
    }
    add_virtio_cap(d, CAP_ISR, 16, MODERN_ISR, 0x1000);
    add_virtio_cap(d, CAP_COMMON, 16, MODERN_COMMON, 0x1000);
}

static bool vp_legacy(const VirtioPci *d)
{
    return d->disable_legacy != 1;
}

bool virtio_pci_init(VirtioPci *d, const VirtioOps *ops, VirtioState *s, Error *err)
{
    if (virtio_on_mmio(d)) {
        virtio_init(&d->v, &d->pci.dev, ops, &virtio_mmio_transport, s);
        return true;
    }
    if (d->disable_modern && !vp_legacy(d)) {
        return error_set(err, "disable-modern: on is not accepted with disable-legacy=on: "
                         "the device would have no interface");
    }
    virtio_init(&d->v, &d->pci.dev, ops, &vp_transport, s);
    uint8_t *cfg = d->pci.s->config;
    if (vp_legacy(d)) {     /* 4.1.2.3: transitional functions say the type here */
        put_le16(cfg + PCI_SUBSYS_ID, ops->id);
    } else {
        put_le16(cfg + PCI_DEVICE_ID, 0x1040 + ops->id);
        put_le16(cfg + PCI_SUBSYS_ID, 0x1100);
        cfg[PCI_REVISION] = 1;
    }
    return true;
}

bool virtio_pci_finish(VirtioPci *d, Error *err)
{
    VirtioDevice *v = &d->v;
    v->offered = v->ops->features(v);
    v->offered |= d->event_idx ? BIT(VIRTIO_F_EVENT_IDX) : 0;
    v->offered |= d->indirect_desc ? BIT(VIRTIO_F_INDIRECT) : 0;
    if (virtio_on_mmio(d)) {
        virtio_mmio_finish(d);
        return true;
    }
    v->offered |= d->disable_modern ? 0 : BIT(VIRTIO_F_VERSION_1);
    if (vp_legacy(d)) {
        v->offered |= BIT(VIRTIO_F_ANY_LAYOUT);
        uint64_t size = 64;
        while (size < 24 + v->ops->config_size) {
            size *= 2;
        }
        device_add_io(&d->pci.dev, &d->legacy, "virtio-legacy", size, &legacy_ops, d);
        d->legacy_bells = (MemoryEvent){ .off = L_NOTIFY, .count = d->v.nqueues, .size = 2,
                                         .match = true };
        d->legacy.events = &d->legacy_bells;
        pci_add_bar(&d->pci, BAR_LEGACY, PCI_BAR_IO, &d->legacy);
    }
    unsigned vectors = d->vectors == VIRTIO_VECTORS_AUTO ? v->nqueues + 1 : d->vectors;
    if (vectors) {
        pci_add_msix(&d->pci, BAR_MSIX, vectors);
    }
    if (!d->disable_modern) {
        add_modern(d);
    }
    return true;
}

void virtio_pci_reset(Device *dev)
{
    VirtioPci *d = (VirtioPci *)dev;
    virtio_reset(&d->v);
    if (virtio_on_mmio(d)) {
        virtio_mmio_update_irq(d);
    } else {
        pci_reset(&d->pci);
    }
}

bool virtio_pci_pre_save(void *dev)
{
    virtio_pre_save(&((VirtioPci *)dev)->v);
    return true;
}

bool virtio_pci_post_load(void *dev, Error *err)
{
    VirtioPci *d = dev;
    return (virtio_on_mmio(d) || pci_post_load(&d->pci, err)) &&
           virtio_post_load(&d->v, err);
}

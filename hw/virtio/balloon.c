/* SPDX-License-Identifier: MIT */
/*
 * virtio-balloon: the guest gives pages back to the host, and takes them again. VIRTIO 1.2,
 * 5.5. What it gives reads as zeros when it is used again; nothing is refused then. Left
 * out: statistics, free page hints, page poisoning. Machine lock held.
 */
#include "hw/virtio/devices.h"

#include "hw/core/machine.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "util/bytes.h"
#include "util/log.h"

enum {
    F_DEFLATE_ON_OOM = 2, F_REPORTING = 5,
    Q_INFLATE = 0, Q_DEFLATE = 1,
    /* Reports come on one of queues 2, 3, 4: drivers disagree about the numbers when the
     * queues before that one are not offered. */
    Q_REPORT = 2, QUEUES = 5,
    QUEUE_SIZE = 128, CONFIG_SIZE = 8, GUEST_PAGE = 4096,
    CHAINS = 16,                /* one call of the handler takes */
    PFNS_MAX = 4096,            /* pages of one chain that are given back; Linux sends 256 */
    REPORT_MAX = 256 << 20,     /* bytes of one report; Linux sends 32 pieces of 4 MiB */
};

typedef struct {
    PciState pci;
    VirtioState virtio;
    uint32_t target, actual;    /* pages in the balloon: as wanted, as the driver says */
} VirtioBalloonState;

typedef struct {
    VirtioPci vp;
    VirtioBalloonState s;
    bool deflate_on_oom, reporting;     /* properties: offered */
    Timer tell;
    uint32_t told;              /* s.actual at the last event, */
    int64_t told_at;            /* and when (ns) */
} VirtioBalloon;

static VirtioBalloon *balloon_of(VirtioDevice *v)
{
    return container_of(v, VirtioBalloon, vp.v);
}

/* --- pages --- */

static void give_back(Machine *m, uint64_t gpa, uint64_t len)
{
    while (len) {
        uint64_t n = len;
        void *host = dma_map(m, gpa, &n, true);
        if (host) {
            memory_discard(m, host, n);
            dma_unmap(m, host, n);
        } else {
            n = GUEST_PAGE;     /* not plain RAM: it is as it was */
        }
        gpa += n;
        len -= n;
    }
}

/* Page numbers, 32 bits each; neighbours in either direction go together. */
static void inflate(VirtioBalloon *d, const VirtqElem *e)
{
    Machine *m = d->vp.pci.dev.machine;
    uint64_t first = 0, n = 0;
    size_t end = MIN(e->out_len, (size_t)PFNS_MAX * 4);
    if (e->out_len > end) {
        log_guest_error("%s: %zu pages at once\n", d->vp.pci.dev.path, e->out_len / 4);
    }
    for (size_t at = 0; at + 4 <= end; at += 4) {
        uint8_t b[4];
        virtq_elem_read(e, at, b, 4);
        uint32_t pfn = get_le32(b);
        if (n && pfn == first + n) {
            n++;
        } else if (n && pfn + 1ull == first) {
            first = pfn;
            n++;
        } else {
            give_back(m, first * GUEST_PAGE, n * GUEST_PAGE);
            first = pfn;
            n = 1;
        }
    }
    give_back(m, first * GUEST_PAGE, n * GUEST_PAGE);
}

/* The pieces of the chain are free pages. */
static void report(VirtioBalloon *d, VirtqElem *e)
{
    size_t left = REPORT_MAX;
    for (unsigned i = 0; i < e->nin && left; i++) {
        size_t n = MIN(e->in[i].iov_len, left);
        memory_discard(d->vp.pci.dev.machine, e->in[i].iov_base, n);
        left -= n;
    }
    e->in_high = REPORT_MAX - left;
}

static void balloon_handle_queue(VirtioDevice *v, unsigned n)
{
    VirtioBalloon *d = balloon_of(v);
    Virtqueue *vq = &v->vq[n];
    unsigned share = CHAINS;
    virtqueue_set_kick(vq, true);
    for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
        if (n == Q_INFLATE) {
            inflate(d, e);
        } else if (n >= Q_REPORT && virtio_has(v, F_REPORTING)) {
            report(d, e);
        }
        virtqueue_push(vq, e, 0);
        virtqueue_set_kick(vq, true);
    }
    virtqueue_notify(vq);
    if (!share) {
        virtio_queue_later(v, n);
    }
}

/* --- how large it is --- */

static uint64_t memory_left(void *dev)
{
    const VirtioBalloon *d = dev;
    uint64_t all = d->vp.pci.dev.machine->cfg.ram_size;
    return all - MIN(all, (uint64_t)d->s.actual * GUEST_PAGE);
}

static void set_memory(void *dev, uint64_t bytes)
{
    VirtioBalloon *d = dev;
    uint64_t all = d->vp.pci.dev.machine->cfg.ram_size;
    d->s.target = (uint32_t)((all - MIN(bytes, all)) / GUEST_PAGE);
    virtio_config_changed(&d->vp.v);
}

static void tell(void *opaque)
{
    VirtioBalloon *d = opaque;
    Machine *m = d->vp.pci.dev.machine;
    d->told_at = clock_now(m->clock);
    if (d->told != d->s.actual) {
        d->told = d->s.actual;
        machine_tell(m, MACHINE_BALLOON);
    }
}

/* A driver may write it as often as it likes: listeners hear of it once a second. */
static void set_actual(VirtioBalloon *d, uint32_t pages)
{
    int64_t now = clock_now(d->vp.pci.dev.machine->clock);  /* earlier after a load */
    d->s.actual = pages;
    if (d->told != pages && !timer_armed(&d->tell)) {
        timer_mod(&d->tell, MIN(d->told_at, now) + NS_PER_SEC);
    }
}

static void balloon_get_config(VirtioDevice *v, uint8_t *cfg)
{
    put_le32(cfg, balloon_of(v)->s.target);
    put_le32(cfg + 4, balloon_of(v)->s.actual);
}

static void balloon_set_config(VirtioDevice *v, unsigned off, uint32_t val, unsigned size)
{
    uint8_t cfg[CONFIG_SIZE];
    balloon_get_config(v, cfg);
    for (unsigned i = 0; i < size; i++) {
        cfg[off + i] = (uint8_t)(val >> 8 * i);
    }
    set_actual(balloon_of(v), get_le32(cfg + 4));   /* the target is not the driver's */
}

static void balloon_reset_op(VirtioDevice *v)
{
    set_actual(balloon_of(v), 0);
}

static uint64_t balloon_features(VirtioDevice *v)
{
    const VirtioBalloon *d = balloon_of(v);
    return (d->deflate_on_oom ? 1ull << F_DEFLATE_ON_OOM : 0) |
           (d->reporting ? 1ull << F_REPORTING : 0);
}

static const VirtioOps balloon_ops = {
    .name = "virtio-balloon", .id = VIRTIO_ID_BALLOON, .config_size = CONFIG_SIZE,
    .features = balloon_features, .get_config = balloon_get_config,
    .set_config = balloon_set_config, .handle_queue = balloon_handle_queue,
    .reset = balloon_reset_op,
};

/* --- device --- */

static bool balloon_realize(Device *dev, Error *err)
{
    VirtioBalloon *d = (VirtioBalloon *)dev;
    Machine *m = dev->machine;
    if (m->balloon.dev) {
        return error_set(err, "there is one already");
    }
    device_add_timer(dev, &d->tell, tell, d);
    d->told_at = -NS_PER_SEC;
    if (!virtio_pci_init(&d->vp, &balloon_ops, &d->s.virtio, err)) {
        return false;
    }
    for (unsigned i = 0; i < (d->reporting ? QUEUES : Q_REPORT); i++) {
        virtio_add_queue(&d->vp.v, QUEUE_SIZE);
    }
    if (!virtio_pci_finish(&d->vp, err)) {
        return false;
    }
    m->balloon = (MachineBalloon){ .dev = d, .left = memory_left, .set = set_memory };
    return true;
}

static void balloon_unrealize(Device *dev)
{
    if (dev->machine->balloon.dev == dev) {
        dev->machine->balloon = (MachineBalloon){ 0 };
    }
}

#define BALLOON_PROPS \
    { "deflate-on-oom", PK_BOOL, offsetof(VirtioBalloon, deflate_on_oom), 0, 0, 1, NULL, NULL, \
      NULL, "the guest may take pages back when it runs short" }, \
    { "free-page-reporting", PK_BOOL, offsetof(VirtioBalloon, reporting), 0, 0, 1, NULL, NULL, \
      NULL, "the guest gives free pages back as it goes" }

static const Property balloon_props[] = { VIRTIO_PCI_PROPS(VirtioBalloon), BALLOON_PROPS,
                                          PROP_END };
static const Property balloon_mmio_props[] = { VIRTIO_MMIO_PROPS(VirtioBalloon), BALLOON_PROPS,
                                               PROP_END };

static const StateField balloon_fields[] = {
    STATE_SUB(VirtioBalloonState, pci, pci_state),
    STATE_SUB(VirtioBalloonState, virtio, virtio_state),
    STATE_U32(VirtioBalloonState, target), STATE_U32(VirtioBalloonState, actual), STATE_END
};

static const char *const balloon_aliases[] = { "virtio-balloon", NULL };

const DeviceClass virtio_balloon_pci_class = {
    .name = "virtio-balloon-pci", .aliases = balloon_aliases,
    .desc = "virtio memory balloon", .bus = BUS_PCI, .size = sizeof(VirtioBalloon),
    .props = balloon_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioBalloon, 0x1002, 0x00ff00) },
    .state = { .version = 1, .offset = offsetof(VirtioBalloon, s),
               .size = sizeof(VirtioBalloonState), .fields = balloon_fields,
               .pre_save = virtio_pci_pre_save, .post_load = virtio_pci_post_load },
    .realize = balloon_realize, .unrealize = balloon_unrealize, .reset = virtio_pci_reset,
};

const DeviceClass virtio_balloon_device_class = {
    .name = "virtio-balloon-device", .desc = "virtio memory balloon", .bus = BUS_VIRTIO,
    .size = sizeof(VirtioBalloon), .props = balloon_mmio_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioBalloon, 0x1002, 0x00ff00) },
    .state = { .version = 1, .offset = offsetof(VirtioBalloon, s),
               .size = sizeof(VirtioBalloonState), .fields = balloon_fields,
               .pre_save = virtio_pci_pre_save, .post_load = virtio_pci_post_load },
    .realize = balloon_realize, .unrealize = balloon_unrealize, .reset = virtio_pci_reset,
};

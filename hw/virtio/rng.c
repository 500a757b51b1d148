/* SPDX-License-Identifier: MIT */
/*
 * virtio-rng: entropy for the guest. VIRTIO 1.2, 5.4. Bytes come through the one door for
 * everything not deterministic (nondet_random). Machine lock held.
 */
#include "hw/virtio/devices.h"

#include "hw/core/nondet.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"

enum { QUEUE_SIZE = 8, BYTES_MAX = 65536 /* given for one request */ };

typedef struct {
    PciState pci;
    VirtioState virtio;
} VirtioRngState;

typedef struct {
    VirtioPci vp;
    VirtioRngState s;
    char *source;                   /* properties without effect */
    uint64_t max_bytes;
    uint32_t period;
} VirtioRng;

static void rng_fill(VirtqElem *e)
{
    uint32_t done = 0;
    for (unsigned i = 0; i < e->nin && done < BYTES_MAX; i++) {
        size_t n = MIN(e->in[i].iov_len, (size_t)(BYTES_MAX - done));
        nondet_random(e->in[i].iov_base, n);
        done += n;
    }
    virtqueue_push(e->vq, e, done);
}

static void rng_handle_queue(VirtioDevice *v, unsigned n)
{
    Virtqueue *vq = &v->vq[n];
    unsigned share = VIRTIO_SHARE;
    virtqueue_set_kick(vq, true);
    for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
        rng_fill(e);
        virtqueue_set_kick(vq, true);
    }
    virtqueue_notify(vq);
    if (!share) {
        virtio_queue_later(v, n);
    }
}

static uint64_t rng_features(VirtioDevice *v)
{
    return 0;
}

static const VirtioOps rng_ops = {
    .name = "virtio-rng", .id = VIRTIO_ID_RNG, .features = rng_features,
    .handle_queue = rng_handle_queue,
};

static bool rng_realize(Device *dev, Error *err)
{
    VirtioRng *d = (VirtioRng *)dev;
    if (!virtio_pci_init(&d->vp, &rng_ops, &d->s.virtio, err)) {
        return false;
    }
    virtio_add_queue(&d->vp.v, QUEUE_SIZE);
    return virtio_pci_finish(&d->vp, err);
}

#define RNG_PROPS \
    { "rng", PK_STR, offsetof(VirtioRng, source), 0, 0, 0, NULL, NULL, NULL, \
      "accepted: entropy is the host's" }, \
    { "max-bytes", PK_SIZE, offsetof(VirtioRng, max_bytes), 0, 0, 0, NULL, NULL, NULL, \
      "accepted: there is no limit" }, \
    PROP_U32(VirtioRng, period, 0, 0, 0, "accepted: there is no limit")

static const Property rng_props[] = { VIRTIO_PCI_PROPS(VirtioRng), RNG_PROPS, PROP_END };
static const Property rng_mmio_props[] = { VIRTIO_MMIO_PROPS(VirtioRng), RNG_PROPS,
                                           PROP_END };

static const StateField rng_fields[] = {
    STATE_SUB(VirtioRngState, pci, pci_state),
    STATE_SUB(VirtioRngState, virtio, virtio_state), STATE_END
};

static const char *const rng_aliases[] = { "virtio-rng", NULL };

const DeviceClass virtio_rng_pci_class = {
    .name = "virtio-rng-pci", .aliases = rng_aliases, .desc = "virtio entropy source",
    .bus = BUS_PCI, .size = sizeof(VirtioRng), .props = rng_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioRng, 0x1005, 0x00ff00) },
    .state = { .version = 1, .offset = offsetof(VirtioRng, s),
               .size = sizeof(VirtioRngState), .fields = rng_fields,
               .pre_save = virtio_pci_pre_save, .post_load = virtio_pci_post_load },
    .realize = rng_realize, .reset = virtio_pci_reset,
};

const DeviceClass virtio_rng_device_class = {
    .name = "virtio-rng-device", .desc = "virtio entropy source",
    .bus = BUS_VIRTIO, .size = sizeof(VirtioRng), .props = rng_mmio_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioRng, 0x1005, 0x00ff00) },
    .state = { .version = 1, .offset = offsetof(VirtioRng, s),
               .size = sizeof(VirtioRngState), .fields = rng_fields,
               .pre_save = virtio_pci_pre_save, .post_load = virtio_pci_post_load },
    .realize = rng_realize, .reset = virtio_pci_reset,
};

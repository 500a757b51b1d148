/* SPDX-License-Identifier: MIT */
/*
 * A virtio device without its transport (VIRTIO 1.2, chapter 2): features, status,
 * configuration, queues. The device gives VirtioOps; the transport (virtio_pci.c) gives
 * VirtioTransport. Machine lock held.
 *
 * A doorbell ends in virtio_queue_notify(vdev, n) and nothing else, so that a queue can
 * be served by another thread later.
 */
#ifndef HW_VIRTIO_VIRTIO_H
#define HW_VIRTIO_VIRTIO_H

#include "hw/core/device.h"
#include "hw/virtio/virtqueue.h"

typedef struct VirtioDevice VirtioDevice;

enum { VIRTIO_QUEUES = 64, VIRTIO_CONFIG_MAX = 256 };

enum { /* device status (2.1) */
    VIRTIO_S_ACKNOWLEDGE = 1, VIRTIO_S_DRIVER = 2, VIRTIO_S_DRIVER_OK = 4,
    VIRTIO_S_FEATURES_OK = 8, VIRTIO_S_NEEDS_RESET = 0x40, VIRTIO_S_FAILED = 0x80,
};
enum { /* feature bit numbers (6) */
    VIRTIO_F_NOTIFY_ON_EMPTY = 24, VIRTIO_F_ANY_LAYOUT = 27, VIRTIO_F_INDIRECT = 28,
    VIRTIO_F_EVENT_IDX = 29, VIRTIO_F_VERSION_1 = 32,
};
enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4,
       VIRTIO_ID_BALLOON = 5, VIRTIO_ID_SCSI = 8 };
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

typedef struct VirtioState {
    uint64_t features;              /* what the driver accepted */
    uint32_t device_feature_sel, driver_feature_sel;
    uint16_t queue_sel;
    uint16_t config_vector;
    uint8_t status, isr;
    uint8_t generation;             /* of the configuration space */
    bool legacy;                    /* the driver uses the legacy interface */
    VirtqueueState vq[VIRTIO_QUEUES];
} VirtioState;
extern const StateDesc virtio_state;

typedef struct VirtioOps {
    const char *name;
    uint16_t id;                    /* VIRTIO_ID_* */
    unsigned config_size;           /* at most VIRTIO_CONFIG_MAX */
    uint64_t (*features)(VirtioDevice *v);  /* offered, device type's own bits */
    void (*get_config)(VirtioDevice *v, uint8_t *cfg);       /* fills config_size bytes */
    void (*set_config)(VirtioDevice *v, unsigned off, uint32_t val, unsigned size); /* opt. */
    void (*handle_queue)(VirtioDevice *v, unsigned n);       /* queue n was kicked */
    void (*reset)(VirtioDevice *v);         /* drop what is in flight; optional */
    void (*driver_ok)(VirtioDevice *v);     /* DRIVER_OK was set; optional */
} VirtioOps;

typedef struct VirtioTransport {
    void (*queue_irq)(VirtioDevice *v, Virtqueue *vq);
    void (*config_irq)(VirtioDevice *v);
    bool (*may_dma)(VirtioDevice *v);
} VirtioTransport;

struct VirtioDevice {
    const VirtioOps *ops;
    const VirtioTransport *transport;
    Device *dev;
    VirtioState *s;                 /* in the device's saved struct */
    uint64_t offered;               /* all feature bits offered */
    uint32_t epoch;                 /* counts resets: elements of an older one are stale */
    unsigned nqueues;
    uint64_t later;                 /* queues to be served by the main loop */
    Virtqueue vq[VIRTIO_QUEUES];
};

void virtio_init(VirtioDevice *v, Device *dev, const VirtioOps *ops,
                 const VirtioTransport *tr, VirtioState *s);
/* Next queue, `size` entries at most (power of two). */
Virtqueue *virtio_add_queue(VirtioDevice *v, uint16_t size);
void virtio_reset(VirtioDevice *v);
bool virtio_post_load(VirtioDevice *v, Error *err);

/* The doorbell. */
void virtio_queue_notify(VirtioDevice *v, unsigned n);
/* Serves queue n again from the main loop: a handler that has done its share of work
 * calls this, so that a driver that adds without end cannot keep the lock. */
void virtio_queue_later(VirtioDevice *v, unsigned n);
enum { VIRTIO_SHARE = 256 };        /* chains one call of a handler takes */
/* Part of StateDesc.pre_save: nothing stays waiting outside the saved state. */
void virtio_pre_save(VirtioDevice *v);
/* Configuration space changed under the driver: new generation, interrupt. */
void virtio_config_changed(VirtioDevice *v);
/* The driver broke a rule the device cannot go on after: DEVICE_NEEDS_RESET (2.1.2). */
void virtio_broken(VirtioDevice *v, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline bool virtio_has(const VirtioDevice *v, unsigned feature)
{
    /* Until FEATURES_OK the driver may have written bits that were never offered. */
    return v->s->features & v->offered & (1ull << feature);
}
static inline bool virtio_is_broken(const VirtioDevice *v)
{
    return v->s->status & VIRTIO_S_NEEDS_RESET;
}

/* Transport's calls. */
void virtio_set_status(VirtioDevice *v, uint8_t status);
void virtio_set_features(VirtioDevice *v, uint64_t features);
uint64_t virtio_config_read(VirtioDevice *v, uint64_t off, unsigned size);
void virtio_config_write(VirtioDevice *v, uint64_t off, uint64_t val, unsigned size);
/* Starts a queue with the addresses in its state. */
void virtio_queue_enable(VirtioDevice *v, unsigned n);

#endif

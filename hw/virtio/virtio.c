/* SPDX-License-Identifier: MIT */
/*
 * What all virtio devices share: status and feature negotiation, configuration access,
 * queue bring-up, reset, saved state. VIRTIO 1.2, chapters 2 and 3. Machine lock held.
 */
#include "hw/virtio/virtio.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/log.h"
#include "util/loop.h"

static const StateField virtio_fields[] = {
    STATE_U64(VirtioState, features), STATE_U32(VirtioState, device_feature_sel),
    STATE_U32(VirtioState, driver_feature_sel), STATE_U16(VirtioState, queue_sel),
    STATE_U16(VirtioState, config_vector), STATE_U8(VirtioState, status),
    STATE_U8(VirtioState, isr), STATE_U8(VirtioState, generation),
    STATE_BOOL(VirtioState, legacy), STATE_SUB_ARRAY(VirtioState, vq, virtqueue_state),
    STATE_END
};
const StateDesc virtio_state = {
    .version = 1, .size = sizeof(VirtioState), .fields = virtio_fields,
};

void virtio_init(VirtioDevice *v, Device *dev, const VirtioOps *ops,
                 const VirtioTransport *tr, VirtioState *s)
{
    v->ops = ops;
    v->transport = tr;
    v->dev = dev;
    v->s = s;
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++) {
        v->vq[i] = (Virtqueue){ .vdev = v, .s = &s->vq[i], .index = i };
        virtqueue_reset(&v->vq[i]);
    }
}

Virtqueue *virtio_add_queue(VirtioDevice *v, uint16_t size)
{
    Virtqueue *vq = &v->vq[v->nqueues++];
    vq->max = size;
    virtqueue_reset(vq);
    return vq;
}

void virtio_reset(VirtioDevice *v)
{
    v->epoch++;
    v->later = 0;
    if (v->ops->reset) {
        v->ops->reset(v);
    }
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++) {
        virtqueue_reset(&v->vq[i]);
    }
    VirtioState *s = v->s;
    s->features = 0;
    s->device_feature_sel = s->driver_feature_sel = 0;
    s->queue_sel = 0;
    s->config_vector = VIRTIO_NO_VECTOR;
    s->status = s->isr = s->generation = 0;
    s->legacy = false;
}

bool virtio_post_load(VirtioDevice *v, Error *err)
{
    VirtioState *s = v->s;
    v->epoch++;
    if ((s->status & (VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK)) &&
        (s->features & ~v->offered)) {
        return error_set(err, "saved features 0x%llx are not offered here",
                         (unsigned long long)(s->features & ~v->offered));
    }
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++) {
        const Virtqueue *vq = &v->vq[i];
        uint16_t size = vq->s->size;
        if (size > vq->max || (size & (size - 1)) || (vq->s->enabled && !size)) {
            return error_set(err, "saved queue %u has %u entries, %u possible", i, size,
                             vq->max);
        }
        v->vq[i].inuse = 0;
    }
    return true;
}

void virtio_broken(VirtioDevice *v, const char *fmt, ...)
{
    if (virtio_is_broken(v)) {
        return;
    }
    if (log_on(LOG_GUEST_ERRORS)) {
        char text[160];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        log_guest_error("%s: %s: the device needs a reset\n", v->dev->path, text);
    }
    v->s->status |= VIRTIO_S_NEEDS_RESET;
    if (v->s->status & VIRTIO_S_DRIVER_OK) {
        virtio_config_changed(v);
    }
}

void virtio_config_changed(VirtioDevice *v)
{
    v->s->generation++;
    if (v->s->status & VIRTIO_S_DRIVER_OK) {
        v->transport->config_irq(v);
    }
}

void virtio_queue_notify(VirtioDevice *v, unsigned n)
{
    /* Legacy drivers kick before DRIVER_OK; others must not (3.1.1). */
    bool started = v->s->legacy || (v->s->status & VIRTIO_S_DRIVER_OK);
    if (n >= v->nqueues || !v->vq[n].s->enabled || virtio_is_broken(v) || !started ||
        !v->transport->may_dma(v)) {
        return;
    }
    v->ops->handle_queue(v, n);
}

void virtio_pre_save(VirtioDevice *v)
{
    uint64_t later = v->later;
    v->later = 0;
    for (unsigned n = 0; n < v->nqueues; n++) {
        if (later & (1ull << n)) {
            virtio_queue_notify(v, n);
        }
    }
}

static void virtio_run_later(void *opaque)
{
    virtio_pre_save(opaque);
}

void virtio_queue_later(VirtioDevice *v, unsigned n)
{
    if (!v->later && v->dev->machine->loop) {
        loop_call(v->dev->machine->loop, virtio_run_later, v);
    }
    v->later |= 1ull << n;
}

void virtio_set_features(VirtioDevice *v, uint64_t features)
{
    if (!(v->s->status & (VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK))) {
        v->s->features = features;
    }
}

/* 3.1.1: FEATURES_OK sticks only for a set of features the device can work with. */
static bool features_fit(const VirtioDevice *v)
{
    uint64_t f = v->s->features;
    return !(f & ~v->offered) && (v->s->legacy || (f & BIT(VIRTIO_F_VERSION_1)));
}

void virtio_set_status(VirtioDevice *v, uint8_t status)
{
    VirtioState *s = v->s;
    if (status == 0) {
        virtio_reset(v);
        return;
    }
    uint8_t added = status & ~s->status;
    if ((added & VIRTIO_S_FEATURES_OK) && !features_fit(v)) {
        log_guest_error("%s: features 0x%llx refused\n", v->dev->path,
                        (unsigned long long)s->features);
        status &= ~VIRTIO_S_FEATURES_OK;
    }
    /* Bits are only added; NEEDS_RESET is ours (2.1.1). */
    s->status |= status & ~VIRTIO_S_NEEDS_RESET;
    if (added & VIRTIO_S_DRIVER_OK) {
        s->features &= v->offered;
        if (v->ops->driver_ok) {
            v->ops->driver_ok(v);
        }
    }
}

void virtio_queue_enable(VirtioDevice *v, unsigned n)
{
    VirtqueueState *q = v->vq[n].s;
    if (!q->size || (q->desc & 15) || (q->avail & 1) || (q->used & 3)) {
        log_guest_error("%s: queue %u: misaligned ring\n", v->dev->path, n);
        return;
    }
    q->last_avail = q->used_idx = 0;
    q->signalled_valid = false;
    q->enabled = true;
}

uint64_t virtio_config_read(VirtioDevice *v, uint64_t off, unsigned size)
{
    uint8_t cfg[VIRTIO_CONFIG_MAX] = { 0 };
    if (off > v->ops->config_size || size > v->ops->config_size - off) {
        return ~0ull;
    }
    v->ops->get_config(v, cfg);
    uint64_t val = 0;
    memcpy(&val, cfg + off, size);
    return val;
}

void virtio_config_write(VirtioDevice *v, uint64_t off, uint64_t val, unsigned size)
{
    if (off <= v->ops->config_size && size <= v->ops->config_size - off &&
        v->ops->set_config) {
        v->ops->set_config(v, off, val, size);
    }
}

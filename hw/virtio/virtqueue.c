/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues, device side. VIRTIO 1.2, 2.7. Ring memory is mapped for each access:
 * a mapping cannot go stale, and a ring that is not in plain RAM is refused.
 * The driver runs on other threads meanwhile: 16-bit indices are read and written
 * atomically, with the fences of 2.7.13 and 2.7.7. Machine lock held.
 */
#include "hw/virtio/virtqueue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "hw/core/memory.h"
#include "hw/virtio/virtio.h"
#include "util/alloc.h"

static const StateField virtqueue_fields[] = {
    STATE_U64(VirtqueueState, desc), STATE_U64(VirtqueueState, avail),
    STATE_U64(VirtqueueState, used), STATE_U16(VirtqueueState, size),
    STATE_U16(VirtqueueState, last_avail), STATE_U16(VirtqueueState, used_idx),
    STATE_U16(VirtqueueState, signalled), STATE_U16(VirtqueueState, vector),
    STATE_BOOL(VirtqueueState, signalled_valid), STATE_BOOL(VirtqueueState, enabled),
    STATE_BOOL(VirtqueueState, no_notify), STATE_END
};
const StateDesc virtqueue_state = {
    .version = 1, .size = sizeof(VirtqueueState), .fields = virtqueue_fields,
};

/* Descriptor (2.7.5), as in memory. */
typedef struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Desc;
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };
enum { ELEM_SPARE_IOVS = 16 }; /* for buffers that cross from one RAM region to another */
enum { BOUNCE_MAX = 1 << 20 }; /* bytes copied for one chain */

static struct Machine *vq_machine(const Virtqueue *vq)
{
    return vq->vdev->dev->machine;
}

/* --- ring memory --- */

static void *ring_map(Virtqueue *vq, uint64_t gpa, uint64_t len, bool write)
{
    uint64_t got = len;
    void *p = dma_map(vq_machine(vq), gpa, &got, write);
    if (p && got >= len) {
        return p;
    }
    if (p) {
        dma_unmap(vq_machine(vq), p, 0);
    }
    virtio_broken(vq->vdev, "queue %u: ring at 0x%llx is not in RAM", vq->index,
                  (unsigned long long)gpa);
    return NULL;
}

static bool ring_get16(Virtqueue *vq, uint64_t gpa, uint16_t *v)
{
    uint16_t *p = ring_map(vq, gpa, 2, false);
    if (!p) {
        return false;
    }
    *v = __atomic_load_n(p, __ATOMIC_ACQUIRE);
    dma_unmap(vq_machine(vq), p, 0);
    return true;
}

static void ring_put16(Virtqueue *vq, uint64_t gpa, uint16_t v)
{
    uint16_t *p = ring_map(vq, gpa, 2, true);
    if (p) {
        __atomic_store_n(p, v, __ATOMIC_RELEASE);
        dma_unmap(vq_machine(vq), p, 2);
    }
}

static uint64_t avail_event_addr(const Virtqueue *vq)
{
    return vq->s->used + 4 + 8ull * vq->s->size;
}

static uint64_t used_event_addr(const Virtqueue *vq)
{
    return vq->s->avail + 4 + 2ull * vq->s->size;
}

static bool vq_usable(const Virtqueue *vq)
{
    return vq->s->enabled && !virtio_is_broken(vq->vdev);
}

/* Entries the driver added that were not taken yet; 0 also when broken. */
static unsigned vq_available(Virtqueue *vq)
{
    uint16_t idx;
    if (!vq_usable(vq) || !ring_get16(vq, vq->s->avail + 2, &idx)) {
        return 0;
    }
    uint16_t n = idx - vq->s->last_avail;
    if (n > vq->s->size) {
        virtio_broken(vq->vdev, "queue %u: available index moved by %u of %u", vq->index,
                      n, vq->s->size);
        return 0;
    }
    return n;
}

bool virtqueue_empty(Virtqueue *vq)
{
    return vq_available(vq) == 0;
}

/* --- taking chains --- */

static bool desc_get(Virtqueue *vq, uint64_t gpa, Desc *d)
{
    if (!memory_read(&vq_machine(vq)->mem, gpa, d, sizeof(*d))) {
        virtio_broken(vq->vdev, "queue %u: descriptor at 0x%llx is not in memory",
                      vq->index, (unsigned long long)gpa);
        return false;
    }
    return true;
}

/* Collects the chain that starts at `head`. The list ends after at most as many steps as
 * the table has entries, so a loop is noticed. */
static bool chain_walk(Virtqueue *vq, uint16_t head, Desc *list, unsigned *count)
{
    VirtioDevice *v = vq->vdev;
    uint64_t table = vq->s->desc;
    unsigned entries = vq->s->size, i = head, steps = 0, n = 0;
    bool indirect = false, writable = false;
    for (;;) {
        Desc *d = &list[n];
        if (i >= entries || steps++ >= entries || n >= VIRTQ_CHAIN_MAX) {
            virtio_broken(v, "queue %u: chain %u loops or leaves the table", vq->index,
                          head);
            return false;
        }
        if (!desc_get(vq, table + 16ull * i, d)) {
            return false;
        }
        if (d->flags & DESC_INDIRECT) {
            if (indirect || (d->flags & DESC_NEXT) || !virtio_has(v, VIRTIO_F_INDIRECT) ||
                d->len == 0 || d->len % 16 || d->len / 16 > VIRTQ_CHAIN_MAX) {
                virtio_broken(v, "queue %u: bad indirect descriptor (%u bytes)",
                              vq->index, d->len);
                return false;
            }
            indirect = true;
            table = d->addr;
            entries = d->len / 16;
            i = steps = 0;
            continue;
        }
        if (!(d->flags & DESC_WRITE) && writable) {
            virtio_broken(v, "queue %u: readable buffer behind a writable one", vq->index);
            return false;
        }
        writable = d->flags & DESC_WRITE;
        n++;
        if (!(d->flags & DESC_NEXT)) {
            break;
        }
        i = d->next;
    }
    *count = n;
    return true;
}

/* Readable memory that is not plain RAM (firmware in ROM): one copy per chain piece. */
static void *elem_bounce(Virtqueue *vq, VirtqElem *e, uint64_t gpa, uint32_t len)
{
    if (len > BOUNCE_MAX) {
        return NULL;
    }
    void **b = try_alloc(sizeof(void *) * 2 + len);
    if (!b) {
        return NULL;
    }
    if (!memory_read(&vq_machine(vq)->mem, gpa, b + 2, len)) {
        free(b);
        return NULL;
    }
    b[0] = e->bounce;
    e->bounce = b;
    return b + 2;
}

static bool is_bounce(const VirtqElem *e, const void *p)
{
    for (void **b = e->bounce; b; b = b[0]) {
        if (p == b + 2) {
            return true;
        }
    }
    return false;
}

static void elem_free(VirtqElem *e, uint32_t written)
{
    struct Machine *m = vq_machine(e->vq);
    uint64_t dirty = MAX((size_t)written, e->in_high);
    for (unsigned i = 0; i < e->nout; i++) {
        if (!is_bounce(e, e->out[i].iov_base)) {
            dma_unmap(m, e->out[i].iov_base, 0);
        }
    }
    for (unsigned i = 0; i < e->nin; i++) {
        uint64_t n = MIN(e->in[i].iov_len, dirty);
        dma_unmap(m, e->in[i].iov_base, n);
        dirty -= n;
    }
    for (void **b = e->bounce, **next; b; b = next) {
        next = b[0];
        free(b);
    }
    free(e);
}

static bool elem_map(Virtqueue *vq, VirtqElem *e, const Desc *d, unsigned room)
{
    uint64_t gpa = d->addr, left = d->len;
    bool write = d->flags & DESC_WRITE;
    while (left) {
        if (e->nout + e->nin == room) {
            return false;
        }
        uint64_t n = left;
        void *p = dma_map(vq_machine(vq), gpa, &n, write);
        if (!p && !write) {
            n = MIN(left, 4096 - (gpa & 4095));
            p = elem_bounce(vq, e, gpa, n);
        }
        if (!p) {
            return false;
        }
        struct iovec *io = &e->iov[e->nout + e->nin];
        *io = (struct iovec){ p, n };
        if (write) {
            e->nin++;
            e->in_len += n;
        } else {
            e->nout++;
            e->out_len += n;
        }
        gpa += n;
        left -= n;
    }
    return true;
}

static VirtqElem *elem_create(Virtqueue *vq, uint16_t head, const Desc *list, unsigned n)
{
    unsigned room = n + ELEM_SPARE_IOVS;
    VirtqElem *e = xalloc(sizeof(*e) + room * sizeof(struct iovec));
    e->vq = vq;
    e->head = head;
    e->epoch = vq->vdev->epoch;
    uint64_t total = 0;
    for (unsigned i = 0; i < n; i++) {
        total += list[i].len;
    }
    bool ok = total <= UINT32_MAX;
    e->out = e->iov;
    for (unsigned i = 0; i < n && ok; i++) {
        e->in = e->iov + e->nout;
        ok = elem_map(vq, e, &list[i], room);
    }
    e->in = e->iov + e->nout;
    if (!ok) {
        virtio_broken(vq->vdev, "queue %u: chain %u has buffers outside RAM", vq->index,
                      head);
        elem_free(e, 0);
        return NULL;
    }
    return e;
}

VirtqElem *virtqueue_pop(Virtqueue *vq)
{
    VirtqueueState *s = vq->s;
    if (vq_available(vq) == 0) {
        return NULL;
    }
    if (vq->inuse >= s->size) {
        virtio_broken(vq->vdev, "queue %u: more chains than entries", vq->index);
        return NULL;
    }
    uint16_t head;
    if (!ring_get16(vq, s->avail + 4 + 2 * (s->last_avail & (s->size - 1)), &head)) {
        return NULL;
    }
    Desc list[VIRTQ_CHAIN_MAX + 1];
    unsigned n = 0;
    if (!chain_walk(vq, head, list, &n)) {
        return NULL;
    }
    VirtqElem *e = elem_create(vq, head, list, n);
    if (e) {
        s->last_avail++;
        vq->inuse++;
    }
    return e;
}

void virtqueue_drop(VirtqElem *e)
{
    if (e->epoch == e->vq->vdev->epoch) {
        e->vq->inuse--;
    }
    elem_free(e, 0);
}

void virtqueue_unpop(Virtqueue *vq, VirtqElem *e)
{
    if (e->epoch == vq->vdev->epoch) {
        vq->s->last_avail--;
    }
    virtqueue_drop(e);
}

/* --- giving them back --- */

void virtqueue_push(Virtqueue *vq, VirtqElem *e, uint32_t written)
{
    VirtqueueState *s = vq->s;
    bool current = e->epoch == vq->vdev->epoch && vq_usable(vq);
    uint16_t head = e->head;
    if (e->epoch == vq->vdev->epoch) {
        vq->inuse--;
    }
    elem_free(e, written);
    if (!current) {
        return;
    }
    uint32_t *slot = ring_map(vq, s->used + 4 + 8 * (s->used_idx & (s->size - 1)), 8, true);
    if (!slot) {
        return;
    }
    slot[0] = head;
    slot[1] = written;
    dma_unmap(vq_machine(vq), slot, 8);
    s->used_idx++;
    ring_put16(vq, s->used + 2, s->used_idx);
}

/* Did the used index pass `event` on its way from `old` to `now` (2.7.7.2)? */
static bool event_passed(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static bool driver_wants_irq(Virtqueue *vq)
{
    VirtqueueState *s = vq->s;
    atomic_thread_fence(memory_order_seq_cst);
    uint16_t v;
    if (!virtio_has(vq->vdev, VIRTIO_F_EVENT_IDX)) {
        return ring_get16(vq, s->avail, &v) && !(v & AVAIL_NO_INTERRUPT);
    }
    if (!ring_get16(vq, used_event_addr(vq), &v)) {
        return false;
    }
    bool want = !s->signalled_valid || event_passed(v, s->used_idx, s->signalled);
    s->signalled = s->used_idx;
    s->signalled_valid = true;
    return want;
}

void virtqueue_notify(Virtqueue *vq)
{
    if (vq_usable(vq) && driver_wants_irq(vq)) {
        vq->vdev->transport->queue_irq(vq->vdev, vq);
    }
}

void virtqueue_set_kick(Virtqueue *vq, bool on)
{
    VirtqueueState *s = vq->s;
    if (!vq_usable(vq)) {
        return;
    }
    s->no_notify = !on;
    if (virtio_has(vq->vdev, VIRTIO_F_EVENT_IDX)) {
        /* Off: the event stays behind, at an index the driver has passed already. */
        if (on) {
            ring_put16(vq, avail_event_addr(vq), s->last_avail);
        }
    } else {
        ring_put16(vq, s->used, on ? 0 : USED_NO_NOTIFY);
    }
    atomic_thread_fence(memory_order_seq_cst);
}

void virtqueue_reset(Virtqueue *vq)
{
    *vq->s = (VirtqueueState){ .size = vq->max, .vector = VIRTIO_NO_VECTOR };
    vq->inuse = 0;
}

/* --- iov helpers --- */

static size_t iov_copy(const struct iovec *iov, unsigned n, size_t off, uint8_t *buf,
                       size_t len, bool to_iov)
{
    size_t done = 0;
    for (unsigned i = 0; i < n && done < len; i++) {
        if (off >= iov[i].iov_len) {
            off -= iov[i].iov_len;
            continue;
        }
        size_t chunk = MIN(iov[i].iov_len - off, len - done);
        uint8_t *p = (uint8_t *)iov[i].iov_base + off;
        if (to_iov) {
            memcpy(p, buf + done, chunk);
        } else {
            memcpy(buf + done, p, chunk);
        }
        done += chunk;
        off = 0;
    }
    return done;
}

size_t virtq_elem_read(const VirtqElem *e, size_t off, void *to, size_t n)
{
    return iov_copy(e->out, e->nout, off, to, n, false);
}

size_t virtq_elem_write(VirtqElem *e, size_t off, const void *from, size_t n)
{
    size_t done = iov_copy(e->in, e->nin, off, (uint8_t *)from, n, true);
    e->in_high = done ? MAX(e->in_high, off + done) : e->in_high;
    return done;
}

unsigned iov_slice(const struct iovec *from, unsigned n, size_t off, size_t len,
                   struct iovec *to)
{
    unsigned k = 0;
    for (unsigned i = 0; i < n && len; i++) {
        if (off >= from[i].iov_len) {
            off -= from[i].iov_len;
            continue;
        }
        size_t chunk = MIN(from[i].iov_len - off, len);
        to[k++] = (struct iovec){ (uint8_t *)from[i].iov_base + off, chunk };
        len -= chunk;
        off = 0;
    }
    return k;
}

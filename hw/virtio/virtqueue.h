/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues (VIRTIO 1.2, 2.7), the device's side: indirect descriptors and event
 * index. Everything in a ring is the guest's word: indices, lengths and addresses are
 * checked, and a bad ring marks the device broken. Machine lock held.
 */
#ifndef HW_VIRTIO_VIRTQUEUE_H
#define HW_VIRTIO_VIRTQUEUE_H

#include <sys/uio.h>
#include "hw/core/state.h"
#include "util/compiler.h"

struct VirtioDevice;

enum {
    VIRTQ_SIZE_MAX = 1024,     /* entries of a queue */
    VIRTQ_CHAIN_MAX = 1024,    /* descriptors of a chain, indirect ones included */
    VIRTIO_NO_VECTOR = 0xffff,
};

/* Saved part. */
typedef struct VirtqueueState {
    uint64_t desc, avail, used;   /* guest addresses */
    uint16_t size;                /* entries, power of two, at most Virtqueue.max */
    uint16_t last_avail;          /* next entry of the available ring to take */
    uint16_t used_idx;            /* next entry of the used ring to fill */
    uint16_t signalled;           /* used_idx at the last interrupt */
    uint16_t vector;              /* MSI-X vector or VIRTIO_NO_VECTOR */
    bool signalled_valid;         /* `signalled` means something */
    bool enabled;
    bool no_notify;               /* we asked the driver not to kick */
} VirtqueueState;
extern const StateDesc virtqueue_state;

typedef struct Virtqueue {
    struct VirtioDevice *vdev;
    VirtqueueState *s;
    unsigned index;
    uint16_t max;                 /* greatest size; 0 = the queue does not exist */
    unsigned inuse;               /* elements popped and not pushed yet */
} Virtqueue;

/* A buffer chain the driver made available. Host pointers stay valid until push/drop. */
typedef struct VirtqElem {
    Virtqueue *vq;
    uint16_t head;
    uint32_t epoch;               /* of the device at pop: stale after its reset */
    unsigned nout, nin;           /* readable, writable pieces */
    struct iovec *out, *in;
    size_t out_len, in_len;       /* bytes in total */
    size_t in_high;               /* end of what virtq_elem_write wrote: dirty RAM even if
                                   * the used length is smaller */
    void *bounce;                 /* copies of readable pieces that are not plain RAM */
    struct iovec iov[];
} VirtqElem;

/* Next chain, or NULL: none there, or the device is (now) broken. */
VirtqElem *virtqueue_pop(Virtqueue *vq) MUST_USE;
/* Gives the chain back with `written` bytes of the writable part filled; frees e. */
void virtqueue_push(Virtqueue *vq, VirtqElem *e, uint32_t written);
/* Puts the chain popped last back as if it had not been taken; frees e. */
void virtqueue_unpop(Virtqueue *vq, VirtqElem *e);
/* Frees e without telling the driver (device reset). */
void virtqueue_drop(VirtqElem *e);
/* Interrupts the driver if it wants to hear of the pushes so far. */
void virtqueue_notify(Virtqueue *vq);
bool virtqueue_empty(Virtqueue *vq);
/* Asks the driver for kicks, or not to send them. After switching on, look again for
 * chains: the driver may have added some in between. */
void virtqueue_set_kick(Virtqueue *vq, bool on);
void virtqueue_reset(Virtqueue *vq);

/* Copy out of the readable, into the writable part at `off`; returns bytes copied. */
size_t virtq_elem_read(const VirtqElem *e, size_t off, void *to, size_t n);
size_t virtq_elem_write(VirtqElem *e, size_t off, const void *from, size_t n);
/* Sub-range of an iov array: fills `to` (room for n entries), returns entries. */
unsigned iov_slice(const struct iovec *from, unsigned n, size_t off, size_t len,
                   struct iovec *to);

#endif

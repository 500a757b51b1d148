/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk. VIRTIO 1.2, 5.2: read, write, flush, get-id, discard, write-zeroes; several
 * queues. Requests are asynchronous: the chain stays mapped until the backend is done.
 * Left out: zoned devices, lifetime, secure erase. Machine lock held.
 */
#include "hw/virtio/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/block.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/log.h"

enum { /* feature bits (5.2.3) */
    F_SEG_MAX = 2, F_GEOMETRY = 4, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10,
    F_MQ = 12, F_DISCARD = 13, F_WRITE_ZEROES = 14,
};
enum { /* request types (5.2.6) */
    T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13,
    T_BARRIER = 0x80000000u, /* legacy: to be ignored */
};
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum { SECTOR = 512, HDR_SIZE = 16, SEG_SIZE = 16, ID_SIZE = 20, CONFIG_SIZE = 60 };
enum { SEG_UNMAP = 1 }; /* flags of a discard or write-zeroes segment */
#define MAX_ZEROES_SECTORS (1u << 21)

typedef struct {
    PciState pci;
    VirtioState virtio;
} VirtioBlkState;

typedef struct {
    VirtioPci vp;
    VirtioBlkState s;
    BlockBackend *drive;            /* property */
    char *serial;                   /* property; NULL: the drive's */
    uint32_t num_queues, queue_size, blk_size, phys_size, bootindex;  /* properties */
    bool discard, write_zeroes;                                       /* properties */
    char *thread;                   /* property without effect */
    int only_off, either;           /* the same */
} VirtioBlk;

typedef struct {
    BlockRequest rq;
    VirtioBlk *d;
    VirtqElem *e;
    uint32_t written;               /* bytes of data in the writable part, if it succeeds */
    struct iovec iov[];
} BlkReq;

static VirtioBlk *blk_of(VirtioDevice *v)
{
    return (VirtioBlk *)virtio_pci_of(v);
}

/* --- requests --- */

/* The status byte is the last writable byte of the chain (5.2.6). */
static void blk_finish(VirtioBlk *d, VirtqElem *e, uint8_t status, uint32_t written)
{
    Virtqueue *vq = e->vq;
    virtq_elem_write(e, e->in_len - 1, &status, 1);
    virtqueue_push(vq, e, status == S_OK ? written + 1 : e->in_len);
    virtqueue_notify(vq);
}

static void blk_done(BlockRequest *rq, int ret)
{
    BlkReq *r = container_of(rq, BlkReq, rq);
    blk_finish(r->d, r->e, ret ? S_IOERR : S_OK, r->written);
    free(r);
}

static BlkReq *blk_req(VirtioBlk *d, VirtqElem *e, enum BlockOp op, unsigned niov)
{
    BlkReq *r = xalloc(sizeof(*r) + niov * sizeof(struct iovec));
    r->d = d;
    r->e = e;
    r->rq = (BlockRequest){ .op = op, .iov = r->iov, .done = blk_done };
    return r;
}

static bool blk_range_ok(const VirtioBlk *d, uint64_t sector, uint64_t bytes)
{
    uint64_t sectors = d->drive->size / SECTOR;
    return bytes % SECTOR == 0 && sector <= sectors && bytes / SECTOR <= sectors - sector;
}

static void blk_rw(VirtioBlk *d, VirtqElem *e, uint64_t sector, bool write)
{
    uint64_t bytes = write ? e->out_len - HDR_SIZE : e->in_len - 1;
    if (!blk_range_ok(d, sector, bytes) || (write && d->drive->readonly)) {
        log_guest_error("%s: %s of %llu bytes at sector %llu refused\n",
                        d->vp.pci.dev.path, write ? "write" : "read",
                        (unsigned long long)bytes, (unsigned long long)sector);
        blk_finish(d, e, S_IOERR, 0);
        return;
    }
    if (bytes == 0) {
        blk_finish(d, e, S_OK, 0);
        return;
    }
    unsigned n = write ? e->nout : e->nin;
    BlkReq *r = blk_req(d, e, write ? BLOCK_WRITE : BLOCK_READ, n);
    r->rq.offset = sector * SECTOR;
    r->rq.bytes = bytes;
    r->rq.niov = iov_slice(write ? e->out : e->in, n, write ? HDR_SIZE : 0, bytes, r->iov);
    r->written = write ? 0 : bytes;
    block_submit(d->drive, &r->rq);
}

static void blk_get_id(VirtioBlk *d, VirtqElem *e)
{
    char id[ID_SIZE] = { 0 };
    const char *serial = d->serial ? d->serial : d->drive->serial;
    if (serial) {
        memcpy(id, serial, strnlen(serial, sizeof(id)));
    }
    size_t n = virtq_elem_write(e, 0, id, MIN(sizeof(id), e->in_len - 1));
    blk_finish(d, e, S_OK, n);
}

/* One segment per request is what the configuration space promises. */
static void blk_discard(VirtioBlk *d, VirtqElem *e, bool zeroes)
{
    uint8_t seg[SEG_SIZE];
    if (e->out_len != HDR_SIZE + SEG_SIZE ||
        virtq_elem_read(e, HDR_SIZE, seg, SEG_SIZE) != SEG_SIZE) {
        blk_finish(d, e, S_IOERR, 0);
        return;
    }
    uint64_t sector = get_le64(seg);
    uint32_t count = get_le32(seg + 8), flags = get_le32(seg + 12);
    if ((flags & ~SEG_UNMAP) || (!zeroes && (flags & SEG_UNMAP))) {
        blk_finish(d, e, S_UNSUPP, 0);      /* 5.2.6.2 */
        return;
    }
    uint64_t bytes = (uint64_t)count * SECTOR;
    if (!blk_range_ok(d, sector, bytes) || count > MAX_ZEROES_SECTORS || d->drive->readonly) {
        blk_finish(d, e, S_IOERR, 0);
        return;
    }
    BlkReq *r = blk_req(d, e, zeroes ? BLOCK_ZEROES : BLOCK_DISCARD, 0);
    r->rq.offset = sector * SECTOR;
    r->rq.bytes = bytes;
    block_submit(d->drive, &r->rq);
}

static void blk_request(VirtioBlk *d, VirtqElem *e)
{
    uint8_t hdr[HDR_SIZE];
    if (e->in_len < 1 || virtq_elem_read(e, 0, hdr, HDR_SIZE) != HDR_SIZE) {
        virtio_broken(&d->vp.v, "request without header or status byte");
        virtqueue_drop(e);
        return;
    }
    uint32_t type = get_le32(hdr) & ~T_BARRIER;
    uint64_t sector = get_le64(hdr + 8);
    switch (type) {
    case T_IN:
    case T_OUT:
        blk_rw(d, e, sector, type == T_OUT);
        break;
    case T_FLUSH:
        block_submit(d->drive, &blk_req(d, e, BLOCK_FLUSH, 0)->rq);
        break;
    case T_GET_ID:
        blk_get_id(d, e);
        break;
    case T_DISCARD:
    case T_WRITE_ZEROES:
        blk_discard(d, e, type == T_WRITE_ZEROES);
        break;
    default:
        blk_finish(d, e, S_UNSUPP, 0);
        break;
    }
}

static void blk_handle_queue(VirtioDevice *v, unsigned n)
{
    VirtioBlk *d = blk_of(v);
    Virtqueue *vq = &v->vq[n];
    unsigned share = VIRTIO_SHARE;
    block_plug(d->drive, true);
    do {
        virtqueue_set_kick(vq, false);
        for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
            blk_request(d, e);
        }
        virtqueue_set_kick(vq, true);
    } while (share && !virtqueue_empty(vq));
    block_plug(d->drive, false);
    if (!share) {
        virtio_queue_later(v, n);
    }
}

/* --- device --- */

static uint64_t blk_features(VirtioDevice *v)
{
    const VirtioBlk *d = blk_of(v);
    uint64_t f = BIT(F_SEG_MAX) | BIT(F_GEOMETRY) | BIT(F_BLK_SIZE) | BIT(F_FLUSH) |
                 BIT(F_TOPOLOGY);
    f |= d->drive->readonly ? BIT(F_RO) : 0;
    f |= d->num_queues > 1 ? BIT(F_MQ) : 0;
    f |= d->discard && !d->drive->readonly ? BIT(F_DISCARD) : 0;
    f |= d->write_zeroes && !d->drive->readonly ? BIT(F_WRITE_ZEROES) : 0;
    return f;
}

static void blk_get_config(VirtioDevice *v, uint8_t *cfg)
{
    const VirtioBlk *d = blk_of(v);
    uint64_t sectors = d->drive->size / SECTOR;
    put_le32(cfg, sectors);
    put_le32(cfg + 4, sectors >> 32);
    put_le32(cfg + 12, MAX(d->queue_size, 4u) - 2);      /* seg_max */
    put_le16(cfg + 16, MIN(sectors / (16 * 63), 65535)); /* geometry */
    cfg[18] = 16;
    cfg[19] = 63;
    put_le32(cfg + 20, d->blk_size);
    cfg[24] = __builtin_ctz(d->phys_size / d->blk_size);
    put_le16(cfg + 34, d->num_queues);
    put_le32(cfg + 36, MAX_ZEROES_SECTORS); /* discard */
    put_le32(cfg + 40, 1);
    put_le32(cfg + 44, d->blk_size / SECTOR);
    put_le32(cfg + 48, MAX_ZEROES_SECTORS); /* write zeroes */
    put_le32(cfg + 52, 1);
    cfg[56] = 1;
}

static void blk_reset_op(VirtioDevice *v)
{
    VirtioBlk *d = blk_of(v);
    d->drive->ops->drain(d->drive);
}

static const VirtioOps blk_ops = {
    .name = "virtio-blk", .id = VIRTIO_ID_BLOCK, .config_size = CONFIG_SIZE,
    .features = blk_features, .get_config = blk_get_config,
    .handle_queue = blk_handle_queue, .reset = blk_reset_op,
};

static bool is_power_of_two(uint32_t v)
{
    return v && !(v & (v - 1));
}

static bool blk_check(VirtioBlk *d, Error *err)
{
    if (!d->drive) {
        return error_set(err, "drive: a drive is needed (drive=ID of a -drive or -blockdev)");
    }
    if (d->drive->attached) {
        return error_set(err, "drive: '%s' is used by another device", d->drive->id);
    }
    if (!is_power_of_two(d->queue_size) || !is_power_of_two(d->blk_size) ||
        !is_power_of_two(d->phys_size)) {
        return error_set(err, "queue-size, logical_block_size and physical_block_size must "
                         "be powers of two");
    }
    if (d->blk_size > SECTOR && d->drive->size % d->blk_size) {
        return error_set(err, "drive: %s is not a whole number of %u-byte blocks",
                         d->drive->path, d->blk_size);
    }
    d->phys_size = MAX(d->phys_size, d->blk_size);
    return true;
}

static bool blk_realize(Device *dev, Error *err)
{
    VirtioBlk *d = (VirtioBlk *)dev;
    if (!blk_check(d, err) || !virtio_pci_init(&d->vp, &blk_ops, &d->s.virtio, err)) {
        d->drive = NULL;    /* not ours: unrealize must leave it alone */
        return false;
    }
    for (unsigned i = 0; i < d->num_queues; i++) {
        virtio_add_queue(&d->vp.v, d->queue_size);
    }
    d->drive->attached = d;
    return virtio_pci_finish(&d->vp, err);
}

static void blk_unrealize(Device *dev)
{
    VirtioBlk *d = (VirtioBlk *)dev;
    if (d->drive && d->drive->attached == d) {
        d->drive->ops->drain(d->drive);
        d->drive->attached = NULL;
    }
}

static bool blk_pre_save(void *dev)
{
    VirtioBlk *d = dev;
    virtio_pci_pre_save(dev);
    d->drive->ops->drain(d->drive);
    return true;
}

/* Of other emulators' command lines: what may be asked for is what is so anyway. */
static const char *const off_names[] = { "off", "false", NULL };
static const char *const either_names[] = { "auto", "on", "off", NULL };

#define BLK_PROPS \
    PROP_LINK(VirtioBlk, drive, block_link, "the disk: ID of a -drive or -blockdev"), \
    PROP_STR(VirtioBlk, serial, NULL, "serial number, 20 bytes at most"), \
    { "num-queues", PK_U32, offsetof(VirtioBlk, num_queues), 1, 1, VIRTIO_QUEUES, NULL, NULL, \
      NULL, "request queues" }, \
    { "queue-size", PK_U32, offsetof(VirtioBlk, queue_size), 256, 4, VIRTQ_SIZE_MAX, NULL, \
      NULL, NULL, "entries of a queue" }, \
    { "logical_block_size", PK_U32, offsetof(VirtioBlk, blk_size), 512, 512, 32768, NULL, \
      NULL, NULL, "bytes of a block as the guest sees it" }, \
    { "physical_block_size", PK_U32, offsetof(VirtioBlk, phys_size), 512, 512, 32768, NULL, \
      NULL, NULL, "bytes that are best written together" }, \
    { "discard", PK_BOOL, offsetof(VirtioBlk, discard), 1, 0, 1, NULL, NULL, NULL, \
      "offer discard" }, \
    { "write-zeroes", PK_BOOL, offsetof(VirtioBlk, write_zeroes), 1, 0, 1, NULL, NULL, NULL, \
      "offer write zeroes" }, \
    { "iothread", PK_STR, offsetof(VirtioBlk, thread), 0, 0, 0, NULL, NULL, NULL, \
      "accepted: the disk has its own way" }, \
    { "scsi", PK_ENUM, offsetof(VirtioBlk, only_off), 0, 0, 0, NULL, off_names, NULL, \
      "SCSI commands: there are none" }, \
    { "config-wce", PK_ENUM, offsetof(VirtioBlk, either), 0, 0, 0, NULL, either_names, NULL, \
      "accepted: the guest cannot change the cache's mode" }, \
    { "share-rw", PK_ENUM, offsetof(VirtioBlk, only_off), 0, 0, 0, NULL, off_names, NULL, \
      "two writers: file.locking=off of -drive" }, \
    PROP_U32(VirtioBlk, bootindex, 0xffffffff, 0, 0, "place in the boot order")

static const Property blk_props[] = { VIRTIO_PCI_PROPS(VirtioBlk), BLK_PROPS, PROP_END };
static const Property blk_mmio_props[] = { VIRTIO_MMIO_PROPS(VirtioBlk), BLK_PROPS,
                                           PROP_END };

static const StateField blk_fields[] = {
    STATE_SUB(VirtioBlkState, pci, pci_state),
    STATE_SUB(VirtioBlkState, virtio, virtio_state), STATE_END
};

static const char *const blk_aliases[] = { "virtio-blk", NULL };

const DeviceClass virtio_blk_pci_class = {
    .name = "virtio-blk-pci", .aliases = blk_aliases, .desc = "virtio disk", .bus = BUS_PCI,
    .size = sizeof(VirtioBlk), .props = blk_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioBlk, 0x1001, 0x010000) },
    .state = { .version = 1, .offset = offsetof(VirtioBlk, s),
               .size = sizeof(VirtioBlkState), .fields = blk_fields,
               .pre_save = blk_pre_save, .post_load = virtio_pci_post_load },
    .realize = blk_realize, .unrealize = blk_unrealize, .reset = virtio_pci_reset,
};

const DeviceClass virtio_blk_device_class = {
    .name = "virtio-blk-device", .desc = "virtio disk", .bus = BUS_VIRTIO,
    .size = sizeof(VirtioBlk), .props = blk_mmio_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioBlk, 0x1001, 0x010000) },
    .state = { .version = 1, .offset = offsetof(VirtioBlk, s),
               .size = sizeof(VirtioBlkState), .fields = blk_fields,
               .pre_save = blk_pre_save, .post_load = virtio_pci_post_load },
    .realize = blk_realize, .unrealize = blk_unrealize, .reset = virtio_pci_reset,
};

/* SPDX-License-Identifier: MIT */
/*
 * virtio-scsi: a host adapter with a SCSI bus. VIRTIO 1.2, 5.6: request queues, task
 * management (all that it can ask for is so once the drives are drained), no asynchronous
 * events. A request's chain stays mapped until the backend is done. What the units
 * understand is in hw/scsi. Left out: protection information. Machine lock held.
 */
#include <stdlib.h>
#include <string.h>
#include "hw/scsi/scsi.h"
#include "hw/virtio/devices.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "util/alloc.h"
#include "util/bytes.h"

enum { QUEUE_SIZE = 256, Q_CONTROL = 0, Q_EVENT = 1, Q_REQUEST = 2, CONFIG_SIZE = 36 };
enum { F_INOUT = 0 };
enum { /* offsets in a request (5.6.6.1) and its answer */
    RQ_LUN = 0, RQ_CDB = 19, RS_SENSE_LEN = 0, RS_RESIDUAL = 4, RS_STATUS = 10,
    RS_RESPONSE = 11, RS_SENSE = 12,
};
enum { /* responses */
    R_OK = 0, R_OVERRUN = 1, R_BAD_TARGET = 3, R_FUNCTION_REJECTED = 11,
};
enum { T_TMF = 0, T_AN_QUERY = 1, T_AN_SUBSCRIBE = 2 }; /* control requests (5.6.6.2) */
enum { SUBTYPES = 8, CDB_DEFAULT = 32, SENSE_DEFAULT = 96, SIZE_MAX_ = 1024 };

typedef struct {
    PciState pci;
    VirtioState virtio;
    uint32_t sense_size, cdb_size;  /* the driver may change them */
} VirtioScsiState;

typedef struct {
    VirtioPci vp;
    VirtioScsiState s;
    Bus *bus;
    uint32_t num_queues, queue_size, max_sectors, cmd_per_lun; /* properties */
    char *thread;
} VirtioScsi;

typedef struct {
    BlockRequest rq;
    VirtioScsi *d;
    VirtqElem *e;
    ScsiUnit *u;
    ScsiPlan plan;
    unsigned range;                 /* next of plan.range */
    uint64_t data;                  /* bytes that have been moved */
    uint32_t resp;                  /* bytes of the answer's head */
    uint8_t cdb[SCSI_CDB_MAX];
    struct iovec iov[];
} ScsiReq;

static VirtioScsi *scsi_of(VirtioDevice *v)
{
    return (VirtioScsi *)virtio_pci_of(v);
}

/* ---- requests ---- */

static void answer(ScsiReq *r, uint8_t response)
{
    uint8_t head[RS_SENSE + SCSI_SENSE] = { 0 };
    uint64_t room = MAX(r->e->out_len - MIN(r->e->out_len, RQ_CDB + r->d->s.cdb_size),
                        r->e->in_len - r->resp);
    uint32_t sense = r->plan.status == SCSI_CHECK ? MIN(SCSI_SENSE, r->resp - RS_SENSE) : 0;
    Virtqueue *vq = r->e->vq;
    put_le32(head + RS_SENSE_LEN, sense);
    put_le32(head + RS_RESIDUAL, (uint32_t)(room - MIN(room, r->data)));
    head[RS_STATUS] = r->plan.status;
    head[RS_RESPONSE] = response;
    memcpy(head + RS_SENSE, r->plan.sense, sense);
    virtq_elem_write(r->e, 0, head, RS_SENSE + sense);
    bool in = r->plan.act == SCSI_READ || r->plan.act == SCSI_REPLY;
    virtqueue_push(vq, r->e, (uint32_t)(r->resp + (in ? r->data : 0)));
    virtqueue_notify(vq);
    free(r);
}

static void run(ScsiReq *r);

static void scsi_done(BlockRequest *rq, int ret)
{
    ScsiReq *r = container_of(rq, ScsiReq, rq);
    if (ret) {
        scsi_failed(r->u, &r->plan, ret);
        answer(r, R_OK);
        return;
    }
    r->data += rq->op == BLOCK_READ || rq->op == BLOCK_WRITE ? rq->bytes : 0;
    if (r->plan.act == SCSI_WRITE && r->plan.fua) {
        r->plan.fua = false;
        r->rq = (BlockRequest){ .op = BLOCK_FLUSH, .iov = r->iov, .done = scsi_done };
        block_submit(r->u->drive, &r->rq);
    } else if (r->plan.act == SCSI_DISCARD && r->range < r->plan.nranges) {
        run(r);
    } else {
        answer(r, R_OK);
    }
}

/* Between medium and the chain's data; the buffers must hold it all (5.6.6.1.1). */
static void move(ScsiReq *r, bool write)
{
    VirtqElem *e = r->e;
    size_t skip = write ? RQ_CDB + r->d->s.cdb_size : r->resp;
    uint64_t room = write ? e->out_len - skip : e->in_len - skip;
    if (room < r->plan.bytes) {
        answer(r, R_OVERRUN);
        return;
    }
    r->rq = (BlockRequest){ .op = write ? BLOCK_WRITE : BLOCK_READ, .iov = r->iov,
                            .offset = r->plan.offset, .bytes = r->plan.bytes,
                            .done = scsi_done };
    r->rq.niov = iov_slice(write ? e->out : e->in, write ? e->nout : e->nin, skip,
                           r->plan.bytes, r->iov);
    block_submit(r->u->drive, &r->rq);
}

static void take_params(ScsiReq *r)
{
    uint8_t buf[SCSI_PARAMS_MAX];
    unsigned want = MIN(r->plan.n, (unsigned)sizeof(buf));
    unsigned n = (unsigned)virtq_elem_read(r->e, RQ_CDB + r->d->s.cdb_size, buf, want);
    r->data = n;
    scsi_params(r->u, r->cdb, buf, n, &r->plan);
    run(r);
}

static void run(ScsiReq *r)
{
    switch (r->plan.act) {
    case SCSI_DONE:
        answer(r, R_OK);
        break;
    case SCSI_REPLY:
        r->data = virtq_elem_write(r->e, r->resp, r->plan.reply, r->plan.n);
        answer(r, R_OK);
        break;
    case SCSI_READ:
    case SCSI_WRITE:
        move(r, r->plan.act == SCSI_WRITE);
        break;
    case SCSI_FLUSH:
        r->rq = (BlockRequest){ .op = BLOCK_FLUSH, .iov = r->iov, .done = scsi_done };
        block_submit(r->u->drive, &r->rq);
        break;
    case SCSI_DISCARD:
        r->rq = (BlockRequest){ .op = BLOCK_DISCARD, .iov = r->iov, .done = scsi_done,
                                .offset = r->plan.range[r->range].offset,
                                .bytes = r->plan.range[r->range].bytes };
        r->range++;
        block_submit(r->u->drive, &r->rq);
        break;
    case SCSI_PARAMS:
        take_params(r);
        break;
    }
}

/* 5.6.6.1: byte 0 is 1, byte 1 the target, then the LUN with flat addressing. */
static bool address(const uint8_t *lun, unsigned *target, unsigned *unit)
{
    *target = lun[1];
    *unit = get_be16(lun + 2) & 0x3fff;
    return lun[0] == 1;
}

static bool any_unit(const VirtioScsi *d, unsigned target, uint32_t luns[8])
{
    memset(luns, 0, 8 * sizeof(*luns));
    luns[0] = 1;                    /* answers even if nothing is there */
    bool any = false;
    for (const Device *dev = d->bus->devices; dev; dev = dev->next) {
        const ScsiDrive *sd = (const ScsiDrive *)dev;
        if (sd->id == target) {
            luns[sd->lun / 32] |= 1u << (sd->lun % 32);
            any = true;
        }
    }
    return any;
}

static void request(VirtioScsi *d, VirtqElem *e)
{
    uint8_t lun[8];
    uint32_t luns[8], resp = RS_SENSE + d->s.sense_size;
    unsigned target, unit;
    if (e->out_len < RQ_CDB + d->s.cdb_size || e->in_len < resp) {
        virtio_broken(&d->vp.v, "request without room for command or answer");
        virtqueue_drop(e);
        return;
    }
    ScsiReq *r = xalloc(sizeof(*r) + MAX(e->nout, e->nin) * sizeof(struct iovec));
    memset(r, 0, sizeof(*r));
    r->d = d;
    r->e = e;
    r->resp = resp;
    virtq_elem_read(e, RQ_LUN, lun, sizeof(lun));
    virtq_elem_read(e, RQ_CDB, r->cdb, MIN(d->s.cdb_size, (uint32_t)SCSI_CDB_MAX));
    bool known = (lun[0] == 0xc1 && lun[1] == 1); /* REPORT LUNS' well-known unit */
    if (!known && (!address(lun, &target, &unit) || !any_unit(d, target, luns))) {
        answer(r, R_BAD_TARGET);
        return;
    }
    ScsiDrive *sd = known ? NULL : scsi_drive_at(d->bus, target, unit);
    if (r->cdb[0] == 0xa0 && !known) {
        scsi_report_luns(r->cdb, luns, &r->plan);
    } else if (!sd) {
        scsi_no_unit(r->cdb, &r->plan);
    } else {
        r->u = &sd->u;
        scsi_command(r->u, r->cdb, &r->plan);
    }
    run(r);
}

/* ---- control ---- */

static void control(VirtioScsi *d, VirtqElem *e)
{
    uint8_t rq[24] = { 0 };
    unsigned target, unit;
    size_t n = virtq_elem_read(e, 0, rq, sizeof(rq));
    uint32_t type = get_le32(rq);
    if (type == T_TMF && n == 24 && e->in_len >= 1) {
        uint8_t response = R_FUNCTION_REJECTED;
        uint32_t luns[8];
        if (!address(rq + 8, &target, &unit) || !any_unit(d, target, luns)) {
            response = R_BAD_TARGET;
        } else if (get_le32(rq + 4) < SUBTYPES) {
            scsi_bus_drain(d->bus); /* then nothing is left to abort or to query */
            response = R_OK;
        }
        virtq_elem_write(e, 0, &response, 1);
        virtqueue_push(e->vq, e, 1);
    } else if ((type == T_AN_QUERY || type == T_AN_SUBSCRIBE) && e->in_len >= 5) {
        static const uint8_t none[5];   /* no event can be had */
        virtq_elem_write(e, 0, none, 5);
        virtqueue_push(e->vq, e, 5);
    } else {
        virtio_broken(&d->vp.v, "bad control request");
        virtqueue_drop(e);
    }
}

static void scsi_handle_queue(VirtioDevice *v, unsigned n)
{
    VirtioScsi *d = scsi_of(v);
    Virtqueue *vq = &v->vq[n];
    unsigned share = VIRTIO_SHARE;
    if (n == Q_EVENT) {
        return;                     /* buffers for events that never come */
    }
    do {
        virtqueue_set_kick(vq, false);
        for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
            if (n == Q_CONTROL) {
                control(d, e);
            } else {
                request(d, e);
            }
        }
        virtqueue_set_kick(vq, true);
    } while (share && !virtqueue_empty(vq));
    virtqueue_notify(vq);
    if (!share) {
        virtio_queue_later(v, n);
    }
}

/* ---- device ---- */

static uint64_t scsi_features(VirtioDevice *v)
{
    return 0;
}

static void scsi_get_config(VirtioDevice *v, uint8_t *cfg)
{
    const VirtioScsi *d = scsi_of(v);
    put_le32(cfg, d->num_queues);
    put_le32(cfg + 4, d->queue_size - 2); /* seg_max */
    put_le32(cfg + 8, d->max_sectors);
    put_le32(cfg + 12, d->cmd_per_lun);
    put_le32(cfg + 16, 16); /* bytes of an event */
    put_le32(cfg + 20, d->s.sense_size);
    put_le32(cfg + 24, d->s.cdb_size);
    put_le16(cfg + 28, 0); /* max_channel, max_target, max_lun */
    put_le16(cfg + 30, SCSI_TARGETS - 1);
    put_le32(cfg + 32, SCSI_LUNS - 1);
}

/* Only whole fields; what is out of reason is left as it was. */
static void scsi_set_config(VirtioDevice *v, unsigned off, uint32_t val, unsigned size)
{
    VirtioScsi *d = scsi_of(v);
    if (size == 4 && off == 20 && val <= SIZE_MAX_) {
        d->s.sense_size = val;
    } else if (size == 4 && off == 24 && val && val <= SIZE_MAX_) {
        d->s.cdb_size = val;
    }
}

static void scsi_reset_op(VirtioDevice *v)
{
    VirtioScsi *d = scsi_of(v);
    if (d->bus) {
        scsi_bus_drain(d->bus);
    }
    d->s.sense_size = SENSE_DEFAULT;
    d->s.cdb_size = CDB_DEFAULT;
}

static const VirtioOps scsi_ops = {
    .name = "virtio-scsi", .id = VIRTIO_ID_SCSI, .config_size = CONFIG_SIZE,
    .features = scsi_features, .get_config = scsi_get_config, .set_config = scsi_set_config,
    .handle_queue = scsi_handle_queue, .reset = scsi_reset_op,
};

static bool scsi_realize(Device *dev, Error *err)
{
    VirtioScsi *d = (VirtioScsi *)dev;
    char name[32];
    if (d->queue_size & (d->queue_size - 1)) {
        return error_set(err, "virtqueue_size: must be a power of two");
    }
    d->s.sense_size = SENSE_DEFAULT;
    d->s.cdb_size = CDB_DEFAULT;
    if (!virtio_pci_init(&d->vp, &scsi_ops, &d->s.virtio, err)) {
        return false;
    }
    for (unsigned i = 0; i < d->num_queues + Q_REQUEST; i++) {
        virtio_add_queue(&d->vp.v, (uint16_t)d->queue_size);
    }
    if (!virtio_pci_finish(&d->vp, err)) {
        return false;
    }
    unsigned n = 0;
    snprintf(name, sizeof(name), "scsi.%u", n);
    while (!dev->id && bus_find(dev->machine, BUS_NONE, name)) {
        snprintf(name, sizeof(name), "scsi.%u", ++n);
    }
    if (dev->id) {
        snprintf(name, sizeof(name), "%.20s.0", dev->id);
    }
    d->bus = bus_create(dev->machine, dev, &scsi_bus_class, name, sizeof(ScsiBus));
    return true;
}

static bool scsi_pre_save(void *dev)
{
    VirtioScsi *d = dev;
    virtio_pci_pre_save(dev);
    scsi_bus_drain(d->bus);
    return true;
}

#define SCSI_PROPS \
    { "num_queues", PK_U32, offsetof(VirtioScsi, num_queues), 1, 1, VIRTIO_QUEUES - 2, NULL, \
      NULL, NULL, "request queues" }, \
    { "virtqueue_size", PK_U32, offsetof(VirtioScsi, queue_size), QUEUE_SIZE, 4, \
      VIRTQ_SIZE_MAX, NULL, NULL, NULL, "entries of a queue" }, \
    PROP_U32(VirtioScsi, max_sectors, 0xffff, 1, 0, "of 512 bytes that a request may move"), \
    PROP_U32(VirtioScsi, cmd_per_lun, 128, 1, 0, "requests at once for a unit"), \
    { "iothread", PK_STR, offsetof(VirtioScsi, thread), 0, 0, 0, NULL, NULL, NULL, \
      "accepted: disks have their own way" }

static const Property scsi_props[] = { VIRTIO_PCI_PROPS(VirtioScsi), SCSI_PROPS, PROP_END };
static const Property scsi_mmio_props[] = { VIRTIO_MMIO_PROPS(VirtioScsi), SCSI_PROPS,
                                            PROP_END };

static const StateField scsi_fields[] = {
    STATE_SUB(VirtioScsiState, pci, pci_state),
    STATE_SUB(VirtioScsiState, virtio, virtio_state),
    STATE_U32_MAX(VirtioScsiState, sense_size, SIZE_MAX_),
    STATE_U32_MAX(VirtioScsiState, cdb_size, SIZE_MAX_), STATE_END
};

static const char *const scsi_aliases[] = { "virtio-scsi", NULL };

#define SCSI_CLASS \
    .size = sizeof(VirtioScsi), \
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioScsi, 0x1004, 0x010000) }, \
    .state = { .version = 1, .offset = offsetof(VirtioScsi, s), \
               .size = sizeof(VirtioScsiState), .fields = scsi_fields, \
               .pre_save = scsi_pre_save, .post_load = virtio_pci_post_load }, \
    .realize = scsi_realize, .reset = virtio_pci_reset

const DeviceClass virtio_scsi_pci_class = {
    .name = "virtio-scsi-pci", .aliases = scsi_aliases,
    .desc = "virtio SCSI adapter (scsi-hd, scsi-cd)", .bus = BUS_PCI, .props = scsi_props,
    SCSI_CLASS,
};

const DeviceClass virtio_scsi_device_class = {
    .name = "virtio-scsi-device", .desc = "virtio SCSI adapter (scsi-hd, scsi-cd)",
    .bus = BUS_VIRTIO, .props = scsi_mmio_props, SCSI_CLASS,
};

/* SPDX-License-Identifier: MIT */
/*
 * USB disk or CD drive: Mass Storage Class Bulk-Only Transport 1.0 around a SCSI unit of
 * hw/scsi. A command block comes in, data moves as the unit's plan says, a status goes out.
 * Data goes to and from the medium packet by packet, in whole sectors. Where host and
 * device disagree (6.7), what is too much is thrown away, what is missing is a short packet,
 * and the status tells. Machine lock held.
 */
#include <string.h>
#include "hw/core/machine.h"
#include "hw/scsi/scsi.h"
#include "hw/usb/usb.h"
#include "util/bytes.h"

enum { CBW_SIZE = 31, CSW_SIZE = 13, CBW_SIGNATURE = 0x43425355, CSW_SIGNATURE = 0x53425355 };
enum { EP_IN = 0x81, EP_OUT = 0x02, RQ_RESET = 0xff, RQ_MAX_LUN = 0xfe, SECTOR = 512 };
enum { CSW_GOOD = 0, CSW_FAILED = 1, CSW_PHASE = 2 };
enum Phase { PH_COMMAND, PH_IN, PH_OUT, PH_STATUS, PH_COUNT };

typedef struct StorageState {
    UsbDeviceState usb;
    ScsiUnitState unit;
    uint8_t phase;              /* enum Phase */
    uint32_t tag;
    uint32_t wanted;            /* bytes that the host still wants to move */
    uint8_t result;             /* CSW_* */
    uint8_t cdb[SCSI_CDB_MAX];
    uint8_t act;                /* enum ScsiAct: what the data is */
    bool fua;
    uint64_t at, left;          /* medium: byte offset, bytes to move */
    uint32_t reply_at, reply_len;
    uint8_t reply[SCSI_REPLY_MAX];  /* also a parameter list that comes */
} StorageState;

typedef struct Storage {
    UsbDevice usb;              /* first */
    StorageState s;
    ScsiUnit u;
    BlockBackend *drive;        /* property */
    uint32_t bootindex;
    bool removable;
    /* Not saved: drained. */
    bool busy;                  /* rq is with the backend */
    BlockRequest rq;
    struct iovec iov;
    UsbPacket *packet;          /* that waits for rq, or for the status */
    ScsiPlan plan;              /* of DISCARD: its ranges */
    unsigned range;
} Storage;

/* ---- the medium ---- */

static void medium_done(BlockRequest *rq, int ret);

static void submit(Storage *d, enum BlockOp op, uint64_t offset, uint64_t bytes)
{
    d->busy = true;
    d->rq = (BlockRequest){ .op = op, .offset = offset, .bytes = bytes, .iov = &d->iov,
                            .niov = op == BLOCK_READ || op == BLOCK_WRITE, .done = medium_done };
    block_submit(d->u.drive, &d->rq);
}

static void take_plan(Storage *d, const ScsiPlan *p);

static int give_status(Storage *d, UsbPacket *p)
{
    uint8_t csw[CSW_SIZE] = { 0 };
    put_le32(csw, CSW_SIGNATURE);
    put_le32(csw + 4, d->s.tag);
    put_le32(csw + 8, d->s.wanted);
    csw[12] = d->s.result;
    p->moved = MIN(p->len, (uint32_t)CSW_SIZE);
    if (p->moved) {
        memcpy(p->buf, csw, p->moved);
    }
    d->s.phase = PH_COMMAND;
    return USB_OK;
}

static void medium_failed(Storage *d, int ret)
{
    ScsiPlan p = { .act = d->s.act };
    scsi_failed(&d->u, &p, ret);
    d->s.result = CSW_FAILED;
    d->s.left = 0;
    d->s.fua = false;
}

static void medium_done(BlockRequest *rq, int ret)
{
    Storage *d = container_of(rq, Storage, rq);
    UsbPacket *p = d->packet;
    d->busy = false;
    if (ret) {
        medium_failed(d, ret);
    } else if (rq->op == BLOCK_READ || rq->op == BLOCK_WRITE) {
        d->s.at += rq->bytes;
        d->s.left -= rq->bytes;
    } else if (d->s.act == SCSI_DISCARD && d->range < d->plan.nranges) {
        submit(d, BLOCK_DISCARD, d->plan.range[d->range].offset, d->plan.range[d->range].bytes);
        d->range++;
        return;
    }
    if (rq->op == BLOCK_WRITE && d->s.fua && !d->s.left) {
        d->s.fua = false;
        submit(d, BLOCK_FLUSH, 0, 0);   /* the status waits for it */
    }
    if (p && (!d->busy || d->s.phase != PH_STATUS)) {
        int result = USB_OK;
        d->packet = NULL;
        if (d->s.phase == PH_STATUS && p->ep == EP_IN && rq->op != BLOCK_READ) {
            result = give_status(d, p);
        } else if (rq->op == BLOCK_READ) {
            p->moved = ret ? 0 : (uint32_t)rq->bytes;
            d->s.wanted -= p->moved;
            d->s.phase = ret || !d->s.wanted || p->moved < p->len ? PH_STATUS : PH_IN;
        } else {
            d->s.wanted -= p->moved;
            d->s.phase = d->s.wanted ? PH_OUT : PH_STATUS;
        }
        p->done(p, result);
    }
}

/* ---- commands (5.1) ---- */

static void start_discard(Storage *d, const ScsiPlan *p)
{
    d->plan = *p;
    d->range = 1;
    submit(d, BLOCK_DISCARD, p->range[0].offset, p->range[0].bytes);
}

/* What is to be done; the phase follows from what the host said it wants to move. */
static void take_plan(Storage *d, const ScsiPlan *p)
{
    d->s.act = (uint8_t)p->act;
    d->s.fua = p->fua;
    d->s.left = d->s.reply_len = d->s.reply_at = 0;
    switch (p->act) {
    case SCSI_DONE:
        d->s.result = p->status == SCSI_GOOD ? CSW_GOOD : CSW_FAILED;
        break;
    case SCSI_REPLY:
        d->s.reply_len = MIN(p->n, (unsigned)SCSI_REPLY_MAX);
        memcpy(d->s.reply, p->reply, d->s.reply_len);
        break;
    case SCSI_PARAMS:
        d->s.reply_len = MIN(p->n, (unsigned)SCSI_REPLY_MAX);
        break;
    case SCSI_READ:
    case SCSI_WRITE:
        d->s.at = p->offset;
        d->s.left = p->bytes;
        break;
    case SCSI_FLUSH:
        submit(d, BLOCK_FLUSH, 0, 0);
        break;
    case SCSI_DISCARD:
        start_discard(d, p);
        break;
    }
}

/* Data that the host does not expect, or in the other direction (6.7.1, 6.7.2, 6.7.3). */
static bool wrong_way(const Storage *d, bool in)
{
    bool data_in = d->s.act == SCSI_READ || (d->s.act == SCSI_REPLY && d->s.reply_len);
    bool data_out = d->s.act == SCSI_WRITE || d->s.act == SCSI_PARAMS;
    uint64_t bytes = d->s.act == SCSI_READ || d->s.act == SCSI_WRITE ? d->s.left : 1;
    return (data_in && (!in || bytes > d->s.wanted)) ||
           (data_out && (in || bytes > d->s.wanted));
}

static int command(Storage *d, UsbPacket *p)
{
    ScsiPlan plan;
    const uint8_t *cbw = p->buf;
    if (p->len != CBW_SIZE || get_le32(cbw) != CBW_SIGNATURE || (cbw[13] & 15) ||
        !cbw[14] || (cbw[14] & 31) > 16) {
        usb_halt(&d->usb, EP_IN);       /* 6.6.1: until a reset recovery */
        usb_halt(&d->usb, EP_OUT);
        return USB_STALL;
    }
    bool in = cbw[12] & 0x80;
    d->s.tag = get_le32(cbw + 4);
    d->s.wanted = get_le32(cbw + 8);
    d->s.result = CSW_GOOD;
    memset(d->s.cdb, 0, sizeof(d->s.cdb));
    memcpy(d->s.cdb, cbw + 15, cbw[14] & 31);
    p->moved = p->len;
    scsi_command(&d->u, d->s.cdb, &plan);
    take_plan(d, &plan);
    d->s.phase = !d->s.wanted ? PH_STATUS : in ? PH_IN : PH_OUT;
    if (wrong_way(d, in && d->s.wanted)) {
        d->s.result = CSW_PHASE;
        d->s.act = SCSI_DONE;
        d->s.left = d->s.reply_len = 0;
    }
    return USB_OK;
}

/* ---- data ---- */

static int data_in(Storage *d, UsbPacket *p)
{
    uint32_t n = MIN(p->len, d->s.wanted);
    if (d->s.act == SCSI_READ && d->s.left) {
        n = (uint32_t)MIN((uint64_t)n, d->s.left);
        if (n % SECTOR || !n) {
            d->s.result = CSW_PHASE;
            d->s.left = 0;
            d->s.phase = PH_STATUS;
            return USB_OK;
        }
        d->iov = (struct iovec){ p->buf, n };
        d->packet = p;
        submit(d, BLOCK_READ, d->s.at, n);
        return USB_ASYNC;
    }
    n = MIN(n, d->s.reply_len - d->s.reply_at);
    if (n) {
        memcpy(p->buf, d->s.reply + d->s.reply_at, n);
    }
    d->s.reply_at += n;
    d->s.wanted -= n;
    p->moved = n;
    if (n < p->len || !d->s.wanted) {
        d->s.phase = PH_STATUS;
    }
    return USB_OK;
}

static int data_out(Storage *d, UsbPacket *p)
{
    uint32_t n = MIN(p->len, d->s.wanted);
    p->moved = p->len;
    if (d->s.act == SCSI_WRITE && d->s.left) {
        n = (uint32_t)MIN((uint64_t)n, d->s.left);
        if (n % SECTOR == 0 && n) {
            d->iov = (struct iovec){ p->buf, n };
            d->packet = p;
            p->moved = n;
            submit(d, BLOCK_WRITE, d->s.at, n);
            return USB_ASYNC;
        }
        d->s.result = CSW_PHASE;
        d->s.left = 0;
    } else if (d->s.act == SCSI_PARAMS) {
        uint32_t room = d->s.reply_len - d->s.reply_at, take = MIN(n, room);
        if (take) {
            memcpy(d->s.reply + d->s.reply_at, p->buf, take);
        }
        d->s.reply_at += take;
        if (d->s.reply_at == d->s.reply_len || n == d->s.wanted) {
            ScsiPlan plan;
            unsigned got = d->s.reply_at;
            scsi_params(&d->u, d->s.cdb, d->s.reply, got, &plan);
            take_plan(d, &plan);
        }
    }
    d->s.wanted -= n;
    d->s.phase = d->s.wanted ? PH_OUT : PH_STATUS;
    return USB_OK;
}

static int storage_packet(UsbDevice *usb, UsbPacket *p)
{
    Storage *d = (Storage *)usb;
    if (d->packet) {
        return USB_NAK;             /* one at a time */
    }
    if (p->ep == EP_OUT) {
        if (d->busy) {
            return USB_NAK;
        }
        return d->s.phase == PH_COMMAND ? command(d, p)
               : d->s.phase == PH_OUT ? data_out(d, p)
               : USB_STALL;
    }
    if (p->ep != EP_IN) {
        return USB_STALL;
    }
    switch (d->s.phase) {
    case PH_IN:
        return data_in(d, p);
    case PH_STATUS:
        if (d->busy) {
            d->packet = p;
            return USB_ASYNC;
        }
        return give_status(d, p);
    case PH_OUT:
        return USB_STALL;
    default:
        return USB_NAK;             /* no command yet */
    }
}

/* ---- requests ---- */

static void storage_drain(UsbDevice *usb)
{
    Storage *d = (Storage *)usb;
    if (d->u.drive) {
        d->u.drive->ops->drain(d->u.drive);
    }
}

static void storage_configured(UsbDevice *usb, bool on)
{
    Storage *d = (Storage *)usb;
    storage_drain(usb);
    d->s.phase = PH_COMMAND;
}

static int storage_request(UsbDevice *usb, const UsbSetup *s, uint8_t *data)
{
    if (s->type == 0x21 && s->request == RQ_RESET) {
        storage_configured(usb, true);
        return 0;
    }
    if (s->type == 0xa1 && s->request == RQ_MAX_LUN && s->length) {
        data[0] = 0;
        return 1;
    }
    return USB_STALL;
}

/* clang-format off: rows */
static const uint8_t device[18] = { 18, 1, 0x00, 0x02, 0, 0, 0, 64, 0xf4, 0x46, 1, 0, 0, 1, 1, 2, 3, 1 };
static const uint8_t config[32] = {
    9, 2, 32, 0, 1, 1, 0, 0xc0, 0,
    9, 4, 0, 0, 2, 8, 6, 0x50, 0,           /* SCSI, bulk only */
    7, 5, EP_IN, 2, 0x00, 0x02, 0,
    7, 5, EP_OUT, 2, 0x00, 0x02, 0,
};
/* clang-format on */
static const char *const strings[] = { "DYAD", "USB Mass Storage", "", NULL };

static const UsbOps storage_ops = {
    .speed = USB_HIGH, .device = device, .config = config, .config_size = sizeof(config),
    .strings = strings, .request = storage_request, .packet = storage_packet,
    .configured = storage_configured, .drain = storage_drain,
};

/* ---- class ---- */

static bool media_locked(void *dev)
{
    return scsi_media_locked(&((Storage *)dev)->u);
}

static void media_wish(void *dev)
{
    ((Storage *)dev)->s.unit.event = CD_EJECT_REQUEST;
}

static void media_changed(void *dev, BlockBackend *b)
{
    scsi_media_changed(&((Storage *)dev)->u, b->size);
}

static bool media_tray_open(void *dev)
{
    return ((Storage *)dev)->s.unit.tray_open;
}

static const BlockMedia cd_media = {
    .locked = media_locked, .wish = media_wish, .changed = media_changed,
    .tray_open = media_tray_open,
};

static bool storage_realize(Device *dev, Error *err)
{
    Storage *d = (Storage *)dev;
    bool cd = d->drive && d->drive->cdrom;
    d->usb.ops = &storage_ops;
    d->usb.s = &d->s.usb;
    d->u = (ScsiUnit){
        .s = &d->s.unit, .cd = cd, .removable = cd || d->removable, .block = cd ? 2048 : 512,
        .phys = cd ? 2048 : 512, .vendor = "DYAD", .product = cd ? "USB CD-ROM" : "USB DISK",
        .ver = "1.0", .serial = d->usb.serial ? d->usb.serial
                                : d->drive && d->drive->serial ? d->drive->serial : "1",
    };
    if (!d->drive) {
        return error_set(err, "drive: a drive is needed (drive=ID of a -drive or -blockdev)");
    }
    return scsi_claim(&d->u, d->drive, dev, cd ? &cd_media : NULL, err);
}

static void storage_unrealize(Device *dev)
{
    scsi_release(&((Storage *)dev)->u, dev);
}

static void storage_reset(Device *dev)
{
    Storage *d = (Storage *)dev;
    usb_reset_device(&d->usb);
    scsi_reset_unit(&d->u);
}

static bool storage_pre_save(void *dev)
{
    storage_drain(dev);
    return true;
}

static bool storage_post_load(void *dev, Error *err)
{
    Storage *d = dev;
    StorageState *s = &d->s;
    if (s->reply_at > s->reply_len || (s->phase >= PH_COUNT) ||
        ((s->act == SCSI_READ || s->act == SCSI_WRITE) &&
         (s->left > d->u.blocks * d->u.block || s->at > d->u.blocks * d->u.block))) {
        return error_set(err, "the command is out of bounds");
    }
    return true;
}

static const StateField storage_fields[] = {
    STATE_SUB(StorageState, usb, usb_device_state),
    STATE_SUB(StorageState, unit, scsi_unit_state), STATE_U8_MAX(StorageState, phase, PH_COUNT - 1),
    STATE_U32(StorageState, tag), STATE_U32(StorageState, wanted), STATE_U8(StorageState, result),
    STATE_BYTES(StorageState, cdb), STATE_U8_MAX(StorageState, act, SCSI_PARAMS),
    STATE_BOOL(StorageState, fua), STATE_U64(StorageState, at), STATE_U64(StorageState, left),
    STATE_U32_MAX(StorageState, reply_at, SCSI_REPLY_MAX),
    STATE_U32_MAX(StorageState, reply_len, SCSI_REPLY_MAX), STATE_BYTES(StorageState, reply),
    STATE_END
};

static const Property storage_props[] = {
    USB_PROPS(Storage),
    PROP_LINK(Storage, drive, block_link, "the medium: ID of a -drive or -blockdev"),
    PROP_BOOL(Storage, removable, 0, "the medium can be taken out"),
    PROP_U32(Storage, bootindex, 0xffffffff, 0, 0, "place in the boot order"), PROP_END
};

const DeviceClass usb_storage_class = {
    .name = "usb-storage", .desc = "USB disk or CD drive", .bus = BUS_USB,
    .size = sizeof(Storage), .props = storage_props,
    .state = { .version = 1, .offset = offsetof(Storage, s), .size = sizeof(StorageState),
               .fields = storage_fields, .pre_save = storage_pre_save,
               .post_load = storage_post_load },
    .realize = storage_realize, .unrealize = storage_unrealize, .reset = storage_reset,
};

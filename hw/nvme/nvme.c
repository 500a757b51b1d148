/* SPDX-License-Identifier: MIT */
/*
 * NVMe controller with one namespace. NVM Express 1.4 (section numbers from there): admin
 * and I/O queues, PRP lists, MSI-X or pin. A command is fetched only when its completion
 * queue has a free slot for it, so completions never wait. Left out: SGLs, namespace
 * management, metadata, reservations. Machine lock held.
 */
#include "hw/nvme/nvme.h"

#include <stdlib.h>
#include <string.h>
#include "hw/core/block.h"
#include "hw/core/dma_sg.h"
#include "hw/core/machine.h"
#include "hw/pci/pci.h"
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/log.h"

enum { QUEUES = 33 /* the admin pair, too */, MQES = 1024, PAGE = 4096, SECTOR = 512,
       MDTS = 7, MAX_BYTES = PAGE << MDTS, AERS = 4, DSM_RANGES = 256, FEATURES = 16,
       BAR_SIZE = 0x4000, DOORBELLS = 0x1000 };
enum { R_CAP = 0x00, R_CAP_HI = 0x04, R_VS = 0x08, R_INTMS = 0x0c, R_INTMC = 0x10,
       R_CC = 0x14, R_CSTS = 0x1c, R_AQA = 0x24, R_ASQ = 0x28, R_ACQ = 0x30 };
enum { CC_EN = 1, CC_SHN = 0xc000 };
enum { CSTS_RDY = 1, CSTS_CFS = 2, CSTS_SHST_DONE = 8 };
enum { /* status: code type << 8 | code (4.6.1) */
    SC_OK = 0, SC_OPCODE = 0x01, SC_FIELD = 0x02, SC_DATA = 0x04, SC_INTERNAL = 0x06,
    SC_NAMESPACE = 0x0b, SC_PRP_OFFSET = 0x13, SC_LBA_RANGE = 0x80, SC_CQ_INVALID = 0x100,
    SC_QID = 0x101, SC_QSIZE = 0x102, SC_AER_LIMIT = 0x105, SC_VECTOR = 0x108,
    SC_LOG_PAGE = 0x109, SC_DELETE = 0x10c, SC_READ_ERROR = 0x281, SC_WRITE_FAULT = 0x280,
    SC_READONLY = 0x182, SC_PENDING = 0xffff /* not a status: completes later */,
};

typedef struct {
    uint64_t base;
    uint32_t size, head, tail;  /* entries; size 0: not there */
    uint32_t peer;              /* submission: its completion queue */
    uint32_t vector;            /* completion */
    bool irq, phase;            /* completion */
} NvmeQueue;

typedef struct {
    PciState pci;
    uint64_t asq, acq;
    uint32_t intm, cc, csts, aqa;
    uint32_t feature[FEATURES];
    uint16_t aer[AERS];
    uint8_t aers;
    NvmeQueue sq[QUEUES], cq[QUEUES];
} NvmeState;

typedef struct {
    PciDevice pci;
    NvmeState s;
    BlockBackend *drive;        /* property */
    char *serial, *model;       /* properties */
    uint32_t bootindex;         /* property */
    uint64_t sectors;
    uint32_t in_flight[QUEUES]; /* per completion queue; 0 whenever state is saved */
    MemoryRegion mr;
} Nvme;

typedef struct {
    uint8_t e[64];              /* the submission entry */
    uint16_t sqid;
    uint32_t result;
} NvmeCmd;

typedef struct {
    BlockRequest rq;
    SgIo io;
    Nvme *d;
    NvmeCmd cmd;
    unsigned next, ranges;      /* DSM */
    uint8_t *list;              /* DSM; owned */
} NvmeReq;

static uint32_t dw(const NvmeCmd *c, unsigned n)
{
    return get_le32(c->e + 4 * n);
}

static uint64_t qw(const NvmeCmd *c, unsigned n)
{
    return dw(c, n) | (uint64_t)dw(c, n + 1) << 32;
}

static uint16_t cmd_cid(const NvmeCmd *c)
{
    return get_le16(c->e + 2);
}

/* --- completion --- */

static void nvme_pin(Nvme *d)
{
    bool level = false;
    for (unsigned i = 0; i < QUEUES && !pci_msix_enabled(&d->pci); i++) {
        const NvmeQueue *q = &d->s.cq[i];
        level |= q->size && q->irq && q->head != q->tail &&
                 !(d->s.intm & 1u << (q->vector & 31));
    }
    pci_set_intx(&d->pci, level);
}

static void nvme_complete(Nvme *d, const NvmeCmd *c, unsigned status)
{
    NvmeQueue *sq = &d->s.sq[c->sqid], *cq = &d->s.cq[sq->peer];
    uint8_t e[16];
    bool error = status != SC_OK;
    put_le32(e, c->result);
    put_le32(e + 4, 0);
    put_le32(e + 8, sq->head | (uint32_t)c->sqid << 16);
    put_le16(e + 12, cmd_cid(c));
    put_le16(e + 14, (status | (error ? 0x4000 : 0)) << 1 | cq->phase); /* do not retry */
    if (!cq->size) {
        return;
    }
    dma_write(d->pci.dev.machine, cq->base + 16ull * cq->tail, e, sizeof(e));
    if (++cq->tail == cq->size) {
        cq->tail = 0;
        cq->phase = !cq->phase;
    }
    if (cq->irq && pci_msix_enabled(&d->pci)) {
        pci_msix_notify(&d->pci, cq->vector);
    }
    nvme_pin(d);
}

static void req_end(NvmeReq *r, unsigned status)
{
    Nvme *d = r->d;
    d->in_flight[d->s.sq[r->cmd.sqid].peer]--;
    nvme_complete(d, &r->cmd, status);
    free(r->list);
    free(r);
}

static NvmeReq *req_new(Nvme *d, const NvmeCmd *c)
{
    NvmeReq *r = NEW(NvmeReq);
    r->d = d;
    r->cmd = *c;
    d->in_flight[d->s.sq[c->sqid].peer]++;
    return r;
}

/* --- data pointers (4.3) --- */

/* Physical pages of `bytes` (MDTS at most): the list has one entry a page, so the number
 * of steps is bounded by the length however the lists are chained. */
static unsigned map_prps(Nvme *d, const NvmeCmd *c, uint64_t bytes, SgList *sg)
{
    uint64_t prp1 = qw(c, 6), prp2 = qw(c, 8), n = MIN(bytes, PAGE - prp1 % PAGE);
    sg_add(sg, prp1, n);
    bytes -= n;
    if (!bytes) {
        return SC_OK;
    }
    if (bytes <= PAGE) {
        sg_add(sg, prp2, bytes);
        return prp2 % PAGE ? SC_PRP_OFFSET : SC_OK;
    }
    uint64_t at = prp2;
    if (at % 8) {
        return SC_PRP_OFFSET;
    }
    for (unsigned steps = 0; bytes && steps < 4 * (1u << MDTS); steps++, at += 8) {
        uint8_t e[8];
        if (!dma_read(d->pci.dev.machine, at, e, 8)) {
            return SC_DATA;
        }
        uint64_t page = get_le64(e);
        if (page % PAGE) {
            return SC_PRP_OFFSET;
        }
        if (at % PAGE == PAGE - 8 && bytes > PAGE) { /* points to the next list */
            at = page - 8;
            continue;
        }
        n = MIN(bytes, (uint64_t)PAGE);
        sg_add(sg, page, n);
        bytes -= n;
    }
    return bytes ? SC_DATA : SC_OK;
}

/* Moves a small buffer. */
static unsigned move_data(Nvme *d, const NvmeCmd *c, void *buf, uint64_t n, bool to_guest)
{
    SgList sg = { 0 };
    unsigned sc = map_prps(d, c, n, &sg);
    if (sc == SC_OK) {
        sg_copy(d->pci.dev.machine, &sg, 0, buf, n, to_guest);
    }
    sg_free(&sg);
    return sc;
}

/* --- I/O commands (chapter 6) --- */

static void flushed(BlockRequest *rq, int ret)
{
    req_end(container_of(rq, NvmeReq, rq), ret ? SC_WRITE_FAULT : SC_OK);
}

static unsigned start_rq(Nvme *d, NvmeReq *r, enum BlockOp op, uint64_t off, uint64_t bytes,
                         void (*done)(BlockRequest *, int))
{
    r->rq = (BlockRequest){ .op = op, .offset = off, .bytes = bytes, .done = done };
    block_submit(d->drive, &r->rq);
    return SC_PENDING;
}

static void rw_done(SgIo *io, int ret)
{
    NvmeReq *r = container_of(io, NvmeReq, io);
    Nvme *d = r->d;
    bool fua = io->to_disk && ((dw(&r->cmd, 12) & 1u << 30) || !(d->s.feature[6] & 1));
    if (ret) {
        req_end(r, io->to_disk ? SC_WRITE_FAULT : SC_READ_ERROR);
    } else if (fua) {
        start_rq(d, r, BLOCK_FLUSH, 0, 0, flushed);
    } else {
        req_end(r, SC_OK);
    }
}

static bool lba_ok(const Nvme *d, uint64_t lba, uint64_t count)
{
    return lba <= d->sectors && count <= d->sectors - lba;
}

static unsigned io_rw(Nvme *d, const NvmeCmd *c, bool write)
{
    uint64_t lba = qw(c, 10), count = (dw(c, 12) & 0xffff) + 1ull;
    SgList sg = { 0 };
    if (count * SECTOR > MAX_BYTES) {
        return SC_FIELD;
    }
    if (!lba_ok(d, lba, count)) {
        return SC_LBA_RANGE;
    }
    if (write && d->drive->readonly) {
        return SC_READONLY;
    }
    unsigned sc = map_prps(d, c, count * SECTOR, &sg);
    if (sc != SC_OK) {
        sg_free(&sg);
        return sc;
    }
    NvmeReq *r = req_new(d, c);
    r->io.done = rw_done;
    sg_io_start(&r->io, d->pci.dev.machine, d->drive, write, lba * SECTOR, &sg, 0,
                count * SECTOR);
    return SC_PENDING;
}

static unsigned io_zeroes(Nvme *d, const NvmeCmd *c)
{
    uint64_t lba = qw(c, 10), count = (dw(c, 12) & 0xffff) + 1ull;
    if (!lba_ok(d, lba, count)) {
        return SC_LBA_RANGE;
    }
    if (d->drive->readonly) {
        return SC_READONLY;
    }
    return start_rq(d, req_new(d, c), BLOCK_ZEROES, lba * SECTOR, count * SECTOR, flushed);
}

static void dsm_next(BlockRequest *rq, int ret)
{
    NvmeReq *r = container_of(rq, NvmeReq, rq);
    unsigned sc = ret ? SC_INTERNAL : SC_OK;
    while (sc == SC_OK && r->next < r->ranges) {
        const uint8_t *e = r->list + 16 * r->next++;
        uint64_t lba = get_le64(e + 8);
        uint64_t count = get_le32(e + 4);
        if (!lba_ok(r->d, lba, count)) {
            sc = SC_LBA_RANGE;
        } else if (count) {
            start_rq(r->d, r, BLOCK_DISCARD, lba * SECTOR, count * SECTOR, dsm_next);
            return;
        }
    }
    req_end(r, sc);
}

static unsigned io_dsm(Nvme *d, const NvmeCmd *c)
{
    unsigned n = (dw(c, 10) & 0xff) + 1;
    if (!(dw(c, 11) & 4)) { /* hints other than deallocate */
        return SC_OK;
    }
    if (d->drive->readonly) {
        return SC_READONLY;
    }
    uint8_t *list = xalloc(16 * DSM_RANGES);
    unsigned sc = move_data(d, c, list, 16 * n, false);
    if (sc != SC_OK) {
        free(list);
        return sc;
    }
    NvmeReq *r = req_new(d, c);
    r->list = list;
    r->ranges = n;
    dsm_next(&r->rq, 0);
    return SC_PENDING;
}

static unsigned io_command(Nvme *d, const NvmeCmd *c)
{
    if (dw(c, 1) != 1 && !(c->e[0] == 0 && dw(c, 1) == ~0u)) {
        return SC_NAMESPACE;
    }
    if (c->e[1] & 0xc3) {   /* fused, SGL */
        return SC_FIELD;
    }
    switch (c->e[0]) {
    case 0x00: return start_rq(d, req_new(d, c), BLOCK_FLUSH, 0, 0, flushed);
    case 0x01: return io_rw(d, c, true);
    case 0x02: return io_rw(d, c, false);
    case 0x08: return io_zeroes(d, c);
    case 0x09: return io_dsm(d, c);
    default: return SC_OPCODE;
    }
}

/* --- admin commands (chapter 5) --- */

static void identify_controller(const Nvme *d, uint8_t *p)
{
    put_le16(p, d->pci.info->vendor);
    put_le16(p + 2, d->pci.info->subsys_vendor);
    put_padded(p + 4, d->serial, 20);
    put_padded(p + 24, d->model, 40);
    put_padded(p + 64, "1.0", 8);
    p[72] = 6;                      /* arbitration burst */
    p[77] = MDTS;
    put_le32(p + 80, 0x00010400);
    p[258] = 3;                     /* aborts at once - 1 */
    p[259] = AERS - 1;
    p[260] = 0x03;                  /* one firmware slot, read only */
    p[512] = 0x66;                  /* submission entry 64 bytes */
    p[513] = 0x44;                  /* completion entry 16 bytes */
    put_le32(p + 516, 1);           /* namespaces */
    put_le16(p + 520, 0x000c);      /* DSM, write zeroes */
    p[525] = 0x01;                  /* volatile write cache */
    memcpy(p + 768, "nqn.2026-11.dyad:nvme:", 22);
    memcpy(p + 790, d->serial, strnlen(d->serial, 20));
    put_le16(p + 2048, 2500); /* power state 0: 25 W */
}

static void identify_namespace(const Nvme *d, uint8_t *p)
{
    for (unsigned i = 0; i < 24; i += 8) {  /* size, capacity, use */
        put_le32(p + i, (uint32_t)d->sectors);
        put_le32(p + i + 4, (uint32_t)(d->sectors >> 32));
    }
    p[24] = 0x01;                   /* thin: deallocate has an effect */
    p[99] = d->drive->readonly;     /* NSATTR: write protected */
    p[130] = 9;                     /* format 0: 512 bytes */
}

static unsigned admin_identify(Nvme *d, const NvmeCmd *c)
{
    uint8_t p[PAGE] = { 0 };
    uint32_t nsid = dw(c, 1);
    switch (dw(c, 10) & 0xff) {
    case 0:
        if (nsid != 1 && nsid != ~0u) {
            return SC_NAMESPACE;
        }
        identify_namespace(d, p);
        break;
    case 1:
        identify_controller(d, p);
        break;
    case 2:
        p[0] = nsid == 0;           /* namespaces above the given one */
        break;
    case 3:
        if (nsid != 1) {
            return SC_NAMESPACE;
        }
        p[0] = 3;                   /* UUID */
        p[1] = 16;
        memcpy(p + 4, "dyad", 4);
        memcpy(p + 8, d->serial, strnlen(d->serial, 12));
        break;
    default:
        return SC_FIELD;
    }
    return move_data(d, c, p, PAGE, true);
}

static unsigned admin_log(Nvme *d, const NvmeCmd *c)
{
    uint64_t n = ((dw(c, 10) >> 16 | (uint64_t)(dw(c, 11) & 0xffff) << 16) + 1) * 4;
    uint8_t page[512] = { 0 }, zero[PAGE] = { 0 };
    unsigned id = dw(c, 10) & 0xff;
    uint64_t off = qw(c, 12);
    if (id < 1 || id > 5) {
        return SC_LOG_PAGE;
    }
    if (off > PAGE || n > PAGE) {
        return SC_FIELD;
    }
    if (id == 2) {                  /* health (5.14.1.2) */
        put_le16(page + 1, 300);    /* kelvin */
        page[3] = 100;              /* spare */
        page[4] = 10;
    } else if (id == 3) {
        page[0] = 1;
        put_padded(page + 8, "1.0", 8);
    }
    if (off < sizeof(page)) {
        memcpy(zero, page + off, sizeof(page) - off);
    }
    return move_data(d, c, zero, n, true);
}

static unsigned admin_create(Nvme *d, const NvmeCmd *c, bool completion)
{
    unsigned id = dw(c, 10) & 0xffff, peer = dw(c, 11) >> 16;
    uint32_t size = (dw(c, 10) >> 16) + 1;
    NvmeQueue *q = completion ? &d->s.cq[0] : &d->s.sq[0];
    if (id == 0 || id >= QUEUES || q[id].size) {
        return SC_QID;
    }
    if (size < 2 || size > MQES) {
        return SC_QSIZE;
    }
    if (!(dw(c, 11) & 1) || qw(c, 6) % PAGE) {
        return qw(c, 6) % PAGE ? SC_PRP_OFFSET : SC_FIELD;
    }
    if (completion && peer >= QUEUES) {
        return SC_VECTOR;
    }
    if (!completion && (peer == 0 || peer >= QUEUES || !d->s.cq[peer].size)) {
        return SC_CQ_INVALID;
    }
    q[id] = (NvmeQueue){ .base = qw(c, 6), .size = size };
    if (completion) {
        q[id].vector = peer;
        q[id].irq = dw(c, 11) & 2;
        q[id].phase = true;
    } else {
        q[id].peer = peer;
    }
    return SC_OK;
}

static void nvme_drain(Nvme *d)
{
    if (d->drive) {
        d->drive->ops->drain(d->drive);
    }
}

static unsigned admin_delete(Nvme *d, const NvmeCmd *c, bool completion)
{
    unsigned id = dw(c, 10) & 0xffff;
    NvmeQueue *q = completion ? &d->s.cq[0] : &d->s.sq[0];
    if (id == 0 || id >= QUEUES || !q[id].size) {
        return SC_QID;
    }
    for (unsigned i = 1; completion && i < QUEUES; i++) {
        if (d->s.sq[i].size && d->s.sq[i].peer == id) {
            return SC_DELETE;
        }
    }
    nvme_drain(d);
    q[id] = (NvmeQueue){ 0 };
    nvme_pin(d);
    return SC_OK;
}

static unsigned admin_features(Nvme *d, NvmeCmd *c, bool set)
{
    unsigned id = dw(c, 10) & 0xff;
    if (id == 0 || id >= FEATURES || id == 3 || id > 0x0b) {
        return SC_FIELD;
    }
    if (id == 7) {          /* number of queues, both 0's based (5.21.1.7) */
        c->result = (QUEUES - 2) | (QUEUES - 2) << 16;
    } else if (set) {
        d->s.feature[id] = dw(c, 11);
    } else {
        c->result = d->s.feature[id];
    }
    return SC_OK;
}

/* Nothing ever happens to report: the command stays with the controller. */
static unsigned admin_event(Nvme *d, const NvmeCmd *c)
{
    if (d->s.aers == AERS) {
        return SC_AER_LIMIT;
    }
    d->s.aer[d->s.aers++] = cmd_cid(c);
    return SC_PENDING;
}

static unsigned admin_command(Nvme *d, NvmeCmd *c)
{
    switch (c->e[0]) {
    case 0x00: return admin_delete(d, c, false);
    case 0x01: return admin_create(d, c, false);
    case 0x02: return admin_log(d, c);
    case 0x04: return admin_delete(d, c, true);
    case 0x05: return admin_create(d, c, true);
    case 0x06: return admin_identify(d, c);
    case 0x08:
        c->result = 1;      /* not aborted: it has completed or will soon */
        return SC_OK;
    case 0x09: return admin_features(d, c, true);
    case 0x0a: return admin_features(d, c, false);
    case 0x0c: return admin_event(d, c);
    default: return SC_OPCODE;
    }
}

/* --- queues --- */

static bool cq_has_room(const Nvme *d, unsigned id)
{
    const NvmeQueue *q = &d->s.cq[id];
    uint32_t used = (q->tail + q->size - q->head) % (q->size ? q->size : 1);
    return q->size && used + d->in_flight[id] + 1 < q->size;
}

static void run_sq(Nvme *d, unsigned id)
{
    NvmeQueue *q = &d->s.sq[id];
    for (unsigned n = 0; n < q->size && q->head != q->tail; n++) {
        NvmeCmd c = { .sqid = (uint16_t)id };
        if (!(d->s.csts & CSTS_RDY) || !pci_is_master(&d->pci) || !cq_has_room(d, q->peer)) {
            break;
        }
        if (!dma_read(d->pci.dev.machine, q->base + 64ull * q->head, c.e, 64)) {
            log_guest_error("%s: submission queue %u is no RAM\n", d->pci.dev.path, id);
            d->s.csts |= CSTS_CFS;
            break;
        }
        q->head = (q->head + 1) % q->size;
        unsigned sc = id ? io_command(d, &c) : admin_command(d, &c);
        if (sc != SC_PENDING) {
            nvme_complete(d, &c, sc);
        }
    }
}

static void doorbell(Nvme *d, unsigned index, uint32_t v)
{
    unsigned id = index / 2;
    bool completion = index & 1;
    NvmeQueue *q = completion ? &d->s.cq[0] : &d->s.sq[0];
    if (id >= QUEUES || !q[id].size || v >= q[id].size) {
        log_guest_error("%s: bad doorbell %u = %u\n", d->pci.dev.path, index, v);
        return;
    }
    if (!completion) {
        q[id].tail = v;
        block_plug(d->drive, true);
        run_sq(d, id);
        block_plug(d->drive, false);
        return;
    }
    q[id].head = v;
    nvme_pin(d);
    for (unsigned i = 0; i < QUEUES; i++) { /* those that waited for room */
        if (d->s.sq[i].size && d->s.sq[i].peer == id && d->s.sq[i].head != d->s.sq[i].tail) {
            run_sq(d, i);
        }
    }
}

/* --- controller registers (3.1) --- */

static void controller_reset(Nvme *d)
{
    nvme_drain(d);
    memset(d->s.sq, 0, sizeof(d->s.sq));
    memset(d->s.cq, 0, sizeof(d->s.cq));
    memset(d->s.feature, 0, sizeof(d->s.feature));
    memset(d->s.aer, 0, sizeof(d->s.aer));
    d->s.feature[4] = 0x157;        /* 343 K */
    d->s.feature[6] = 1;            /* write cache on */
    d->s.aers = 0;
    d->s.csts = 0;
    d->s.intm = 0;
    nvme_pin(d);
}

static void controller_start(Nvme *d)
{
    uint32_t asqs = (d->s.aqa & 0xfff) + 1, acqs = (d->s.aqa >> 16 & 0xfff) + 1;
    bool ok = asqs >= 2 && acqs >= 2 && !(d->s.asq % PAGE) && !(d->s.acq % PAGE) &&
              !(d->s.cc >> 7 & 0xf) && !(d->s.cc >> 4 & 7);
    if (!ok) {
        log_guest_error("%s: controller enabled with a bad setup\n", d->pci.dev.path);
        d->s.csts |= CSTS_CFS;
        return;
    }
    d->s.sq[0] = (NvmeQueue){ .base = d->s.asq, .size = asqs };
    d->s.cq[0] = (NvmeQueue){ .base = d->s.acq, .size = acqs, .irq = true, .phase = true };
    d->s.csts |= CSTS_RDY;
}

static void write_cc(Nvme *d, uint32_t v)
{
    uint32_t old = d->s.cc;
    d->s.cc = v & 0x00fffff1;
    if ((old & CC_EN) && !(v & CC_EN)) {
        controller_reset(d);
    } else if (!(old & CC_EN) && (v & CC_EN)) {
        controller_start(d);
    }
    if ((v & CC_SHN) && !(old & CC_SHN)) {
        nvme_drain(d);
        d->s.csts |= CSTS_SHST_DONE;
    } else if (!(v & CC_SHN)) {
        d->s.csts &= ~(uint32_t)CSTS_SHST_DONE;
    }
}

static uint64_t nvme_read(void *opaque, uint64_t addr, unsigned size)
{
    const Nvme *d = opaque;
    switch (addr) {
    case R_CAP: return (MQES - 1) | 1 << 16 | 8u << 24; /* contiguous; 4 s */
    case R_CAP_HI: return 1 << 5;                       /* NVM commands; stride 4, 4 KiB */
    case R_VS: return 0x00010400;
    case R_INTMS: case R_INTMC: return d->s.intm;
    case R_CC: return d->s.cc;
    case R_CSTS: return d->s.csts;
    case R_AQA: return d->s.aqa;
    case R_ASQ: return (uint32_t)d->s.asq;
    case R_ASQ + 4: return d->s.asq >> 32;
    case R_ACQ: return (uint32_t)d->s.acq;
    case R_ACQ + 4: return d->s.acq >> 32;
    default: return 0;
    }
}

static void set_half(uint64_t *r, bool high, uint32_t v)
{
    *r = high ? (*r & 0xffffffffu) | (uint64_t)v << 32 : (*r >> 32 << 32) | v;
}

static void nvme_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Nvme *d = opaque;
    uint32_t v = (uint32_t)val;
    if (addr >= DOORBELLS) {
        doorbell(d, (unsigned)(addr - DOORBELLS) / 4, v);
        return;
    }
    switch (addr) {
    case R_INTMS:
        d->s.intm |= v;
        nvme_pin(d);
        break;
    case R_INTMC:
        d->s.intm &= ~v;
        nvme_pin(d);
        break;
    case R_CC: write_cc(d, v); break;
    case R_AQA: d->s.aqa = v & 0x0fff0fff; break;
    case R_ASQ: case R_ASQ + 4: set_half(&d->s.asq, addr & 4, v); break;
    case R_ACQ: case R_ACQ + 4: set_half(&d->s.acq, addr & 4, v); break;
    default: break;
    }
}

static const MemoryOps nvme_mem_ops = {
    .read = nvme_read, .write = nvme_write, .min_size = 4, .max_size = 4,
};

/* --- device --- */

static bool nvme_realize(Device *dev, Error *err)
{
    Nvme *d = (Nvme *)dev;
    BlockBackend *b = d->drive;
    d->drive = NULL;
    if (!b || b->attached) {
        return error_set(err, b ? "drive: '%s' is used by another device"
                         : "drive: a drive is needed (drive=ID of a -drive or -blockdev)",
                         b ? b->id : "");
    }
    if (!d->serial) {
        d->serial = xstrdup(b->serial ? b->serial : "DYAD0001");
    }
    if (strlen(d->serial) > 20 || strlen(d->model) > 40) {
        return error_set(err, "serial, model: 20 and 40 characters at most");
    }
    d->drive = b;
    b->attached = d;
    d->sectors = b->size / SECTOR;
    device_add_io(dev, &d->mr, "nvme", BAR_SIZE, &nvme_mem_ops, d);
    pci_add_bar(&d->pci, 0, PCI_BAR_MEM64, &d->mr);
    pci_add_msix(&d->pci, 4, QUEUES);
    return true;
}

static void nvme_unrealize(Device *dev)
{
    Nvme *d = (Nvme *)dev;
    nvme_drain(d);
    if (d->drive) {
        d->drive->attached = NULL;
    }
}

static void nvme_reset(Device *dev)
{
    Nvme *d = (Nvme *)dev;
    controller_reset(d);
    d->s.cc = d->s.aqa = 0;
    d->s.asq = d->s.acq = 0;
    pci_reset(&d->pci);
}

static bool nvme_pre_save(void *dev)
{
    nvme_drain(dev);
    return true;
}

static bool nvme_post_load(void *dev, Error *err)
{
    Nvme *d = dev;
    for (unsigned i = 0; i < 2 * QUEUES; i++) {
        NvmeQueue *q = i & 1 ? &d->s.cq[i / 2] : &d->s.sq[i / 2];
        bool ok = q->size ? q->size >= 2 && q->head < q->size && q->tail < q->size
                  : !q->head && !q->tail;
        if (!ok || q->peer >= QUEUES || q->vector >= QUEUES) {
            return error_set(err, "queue %u is out of bounds", i / 2);
        }
    }
    return pci_post_load(&d->pci, err);
}

static const StateField nvme_queue_fields[] = {
    STATE_U64(NvmeQueue, base), STATE_U32_MAX(NvmeQueue, size, 4096),
    STATE_U32(NvmeQueue, head), STATE_U32(NvmeQueue, tail), STATE_U32(NvmeQueue, peer),
    STATE_U32(NvmeQueue, vector), STATE_BOOL(NvmeQueue, irq), STATE_BOOL(NvmeQueue, phase),
    STATE_END
};
static const StateDesc nvme_queue_state = {
    .version = 1, .size = sizeof(NvmeQueue), .fields = nvme_queue_fields,
};
static const StateField nvme_fields[] = {
    STATE_SUB(NvmeState, pci, pci_state), STATE_U64(NvmeState, asq),
    STATE_U64(NvmeState, acq), STATE_U32(NvmeState, intm), STATE_U32(NvmeState, cc),
    STATE_U32(NvmeState, csts), STATE_U32(NvmeState, aqa),
    STATE_U32_ARRAY(NvmeState, feature), STATE_U16_ARRAY(NvmeState, aer),
    STATE_U8_MAX(NvmeState, aers, AERS), STATE_SUB_ARRAY(NvmeState, sq, nvme_queue_state),
    STATE_SUB_ARRAY(NvmeState, cq, nvme_queue_state), STATE_END
};

static const Property nvme_props[] = {
    PCI_PROPS(Nvme),
    PROP_LINK(Nvme, drive, block_link, "the namespace: ID of a -drive or -blockdev"),
    PROP_STR(Nvme, serial, NULL, "serial number, 20 characters at most"),
    PROP_STR(Nvme, model, "DYAD NVMe", "model, 40 characters at most"),
    PROP_U32(Nvme, bootindex, UINT32_MAX, 0, UINT32_MAX, "place in the boot order"),
    PROP_END
};

const DeviceClass nvme_class = {
    .name = "nvme", .desc = "NVMe controller with one namespace", .bus = BUS_PCI,
    .size = sizeof(Nvme), .props = nvme_props,
    .bus_data = &(const PciInfo){
        .vendor = 0x1b36, .device = 0x0010, .class_code = 0x010802, .revision = 2,
        .subsys_vendor = 0x1af4, .subsys = 0x1100, .irq_pin = 1,
        .state_offset = offsetof(Nvme, s.pci),
    },
    .state = { .version = 1, .offset = offsetof(Nvme, s), .size = sizeof(NvmeState),
               .fields = nvme_fields, .pre_save = nvme_pre_save,
               .post_load = nvme_post_load },
    .realize = nvme_realize, .unrealize = nvme_unrealize, .reset = nvme_reset,
};

/* SPDX-License-Identifier: MIT */
/*
 * See dma_sg.h. A transfer goes in chunks: each is one vectored request straight into
 * guest RAM where the list allows, else one through a bounce buffer.
 */
#include "hw/core/dma_sg.h"

#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/alloc.h"

enum { SG_CHUNK = 1 << 20, SG_IOVS = 256, SG_BOUNCE = 1 << 16, SG_BLOCK = 512 };

static bool dma_rw(Machine *m, uint64_t gpa, uint8_t *buf, uint64_t n, bool write)
{
    bool ok = true;
    while (n) {
        uint64_t len = n;
        uint8_t *p = dma_map(m, gpa, &len, write);
        if (!p) { /* a page of something else */
            len = MIN(n, 4096 - gpa % 4096);
            ok = false;
            if (!write) {
                memset(buf, 0xff, len);
            }
        } else if (write) {
            memcpy(p, buf, len);
            dma_unmap(m, p, len);
        } else {
            memcpy(buf, p, len);
        }
        buf += len;
        gpa += len;
        n -= len;
    }
    return ok;
}

bool dma_read(Machine *m, uint64_t gpa, void *to, uint64_t n)
{
    return dma_rw(m, gpa, to, n, false);
}

bool dma_write(Machine *m, uint64_t gpa, const void *from, uint64_t n)
{
    return dma_rw(m, gpa, (uint8_t *)from, n, true);
}

void sg_add(SgList *sg, uint64_t gpa, uint64_t len)
{
    if (!len) {
        return;
    }
    sg->bytes += len;
    if (sg->n && sg->e[sg->n - 1].gpa + sg->e[sg->n - 1].len == gpa) {
        sg->e[sg->n - 1].len += len;
        return;
    }
    if (sg->n == sg->cap) {
        sg->cap = sg->cap ? 2 * sg->cap : 8;
        sg->e = xrealloc(sg->e, sg->cap * sizeof(SgEntry));
    }
    sg->e[sg->n++] = (SgEntry){ gpa, len };
}

void sg_free(SgList *sg)
{
    free(sg->e);
    *sg = (SgList){ 0 };
}

/* Entry that holds byte *off, which becomes the offset in it; n if behind the end. */
static unsigned sg_seek(const SgList *sg, uint64_t *off)
{
    unsigned i = 0;
    while (i < sg->n && *off >= sg->e[i].len) {
        *off -= sg->e[i++].len;
    }
    return i;
}

uint64_t sg_copy(Machine *m, const SgList *sg, uint64_t off, void *buf, uint64_t n,
                 bool to_guest)
{
    uint64_t moved = 0;
    for (unsigned i = sg_seek(sg, &off); i < sg->n && moved < n; i++, off = 0) {
        uint64_t len = MIN(sg->e[i].len - off, n - moved);
        uint8_t *p = (uint8_t *)buf + moved;
        if (to_guest) {
            dma_write(m, sg->e[i].gpa + off, p, len);
        } else {
            dma_read(m, sg->e[i].gpa + off, p, len);
        }
        moved += len;
    }
    return moved;
}

/* Maps up to `want` bytes from sg_off on; returns whole blocks mapped, 0: use a bounce
 * buffer. */
static uint64_t sg_io_map(SgIo *io, uint64_t want)
{
    uint64_t off = io->sg_off, got = 0;
    unsigned n = 0;
    for (unsigned i = sg_seek(&io->sg, &off); i < io->sg.n && got < want && n < SG_IOVS;) {
        uint64_t len = MIN(io->sg.e[i].len - off, want - got);
        void *p = dma_map(io->m, io->sg.e[i].gpa + off, &len, !io->to_disk);
        if (!p) {
            break;
        }
        io->iov[n++] = (struct iovec){ p, len };
        got += len;
        off += len;
        if (off == io->sg.e[i].len) {
            i++;
            off = 0;
        }
    }
    uint64_t use = got == want ? got : got - got % SG_BLOCK;
    for (uint64_t over = got - use; over;) {
        uint64_t cut = MIN(over, io->iov[n - 1].iov_len);
        io->iov[n - 1].iov_len -= cut;
        n -= io->iov[n - 1].iov_len == 0;
        over -= cut;
    }
    io->rq.niov = n;
    return use;
}

static void sg_io_finish(SgIo *io, int ret)
{
    free(io->iov);
    free(io->bounce);
    io->iov = NULL;
    io->bounce = NULL;
    sg_free(&io->sg);
    io->active = false;
    io->done(io, ret);
}

static void sg_io_step(SgIo *io);

static void sg_io_piece_done(BlockRequest *rq, int ret)
{
    SgIo *io = container_of(rq, SgIo, rq);
    if (!io->to_disk && io->bounce && !ret) {
        sg_copy(io->m, &io->sg, io->sg_off, io->bounce, io->chunk, true);
    } else if (!io->to_disk && !io->bounce) {
        for (unsigned i = 0; i < rq->niov; i++) { /* touched, even if it failed */
            dma_unmap(io->m, rq->iov[i].iov_base, rq->iov[i].iov_len);
        }
    }
    free(io->bounce);
    io->bounce = NULL;
    io->sg_off += io->chunk;
    io->disk_off += io->chunk;
    io->left -= io->chunk;
    if (ret || !io->left) {
        sg_io_finish(io, ret);
    } else {
        sg_io_step(io);
    }
}

static void sg_io_step(SgIo *io)
{
    io->rq.iov = io->iov;
    io->chunk = sg_io_map(io, MIN(io->left, (uint64_t)SG_CHUNK));
    if (!io->chunk) {
        io->chunk = MIN(io->left, (uint64_t)SG_BOUNCE);
        io->bounce = xalloc(SG_BOUNCE);
        io->iov[0] = (struct iovec){ io->bounce, io->chunk };
        io->rq.niov = 1;
        if (io->to_disk) {
            sg_copy(io->m, &io->sg, io->sg_off, io->bounce, io->chunk, false);
        }
    }
    io->rq.op = io->to_disk ? BLOCK_WRITE : BLOCK_READ;
    io->rq.offset = io->disk_off;
    io->rq.bytes = io->chunk;
    io->rq.done = sg_io_piece_done;
    block_submit(io->b, &io->rq);
}

void sg_io_start(SgIo *io, Machine *m, BlockBackend *b, bool to_disk, uint64_t disk_off,
                 SgList *sg, uint64_t sg_off, uint64_t bytes)
{
    io->m = m;
    io->b = b;
    io->sg = *sg;
    *sg = (SgList){ 0 };
    io->to_disk = to_disk;
    io->disk_off = disk_off;
    io->sg_off = sg_off;
    io->left = bytes;
    io->active = true;
    if (!bytes) {
        sg_io_finish(io, 0);
        return;
    }
    io->iov = NEW_ARRAY(struct iovec, SG_IOVS);
    sg_io_step(io);
}

/* SPDX-License-Identifier: MIT */
/*
 * Raw images and block devices. Reads, writes and flushes go through io_uring; where the
 * host has none (ENOSYS, EPERM), and for what io_uring does badly (zeroes, discards,
 * overlays, oversized vectors, short transfers), one worker thread does them in turn.
 * Both report through one eventfd in the machine's loop. Machine lock held in every entry
 * point; the worker has its own lock for its two lists.
 *
 * Two writers of an image are refused with open-file-description locks (fcntl(2)).
 */
#include "hw/backend/block_int.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "hw/core/machine.h"
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/loop.h"

enum { RING_ENTRIES = 128, VECTOR_MAX = 1024 /* IOV_MAX */, ZERO_CHUNK = 65536,
       AT_ONCE_BYTES = 1024 * 1024 };

typedef struct {
    BlockRequest *head, **tail;
} RequestList;

typedef struct {
    BlockBackend b;         /* first */
    int fd, efd;
    LoopFd *watch;
    BlockOverlay *overlay;
    bool no_flush, unmap;

    bool ring_ok, plugged;
    enum { AT_ONCE_NOWAIT, AT_ONCE_TMPFS, AT_ONCE_NEVER } at_once;
    size_t at_once_left;    /* bytes that may still be read at once before unplugging */
    struct io_uring ring;
    unsigned in_ring;       /* submitted or prepared, not completed */
    unsigned prepared;      /* not yet handed to the kernel */

    pthread_t thread;
    bool thread_ok;
    unsigned in_worker;     /* given to the worker, done() not called yet */
    pthread_mutex_t lock;   /* all below */
    pthread_cond_t work_cond, done_cond;
    RequestList work, done;
    bool quit;
} Raw;

static void list_init(RequestList *l)
{
    l->head = NULL;
    l->tail = &l->head;
}

static void list_put(RequestList *l, BlockRequest *rq)
{
    rq->next = NULL;
    *l->tail = rq;
    l->tail = &rq->next;
}

static BlockRequest *list_take(RequestList *l)
{
    BlockRequest *rq = l->head;
    if (rq && !(l->head = rq->next)) {
        l->tail = &l->head;
    }
    return rq;
}

/* --- the worker --- */

/* A piece of memory at an offset of the image. */
static int piece_rw(Raw *d, bool write, uint64_t off, void *p, size_t n)
{
    if (d->overlay) {
        return write ? overlay_write(d->overlay, off, p, n)
                     : overlay_read(d->overlay, off, p, n);
    }
    return write ? pwrite_all(d->fd, p, n, off) : pread_all(d->fd, p, n, off);
}

static int worker_rw(Raw *d, const BlockRequest *rq)
{
    uint64_t off = rq->offset;
    int ret = 0;
    for (unsigned i = 0; i < rq->niov && !ret; i++) {
        ret = piece_rw(d, rq->op == BLOCK_WRITE, off, rq->iov[i].iov_base,
                       rq->iov[i].iov_len);
        off += rq->iov[i].iov_len;
    }
    return ret;
}

static int write_zeroes_slowly(Raw *d, uint64_t off, uint64_t bytes)
{
    static const uint8_t zeroes[ZERO_CHUNK];
    int ret = 0;
    while (bytes && !ret) {
        size_t n = MIN(bytes, (uint64_t)ZERO_CHUNK);
        ret = piece_rw(d, true, off, (void *)zeroes, n);
        off += n;
        bytes -= n;
    }
    return ret;
}

static int worker_zeroes(Raw *d, const BlockRequest *rq)
{
    if (!d->overlay &&
        (!fallocate(d->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, rq->offset,
                    rq->bytes) ||
         !fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, rq->offset,
                    rq->bytes))) {
        return 0;
    }
    return write_zeroes_slowly(d, rq->offset, rq->bytes);
}

/* A hint: a host that cannot do it has still done its duty. */
static int worker_discard(Raw *d, const BlockRequest *rq)
{
    if (!d->overlay && fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 rq->offset, rq->bytes) &&
        errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
    return 0;
}

static int worker_do(Raw *d, BlockRequest *rq)
{
    switch (rq->op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        return worker_rw(d, rq);
    case BLOCK_FLUSH:
        return d->overlay || !fdatasync(d->fd) ? 0 : -errno;
    case BLOCK_DISCARD:
        return worker_discard(d, rq);
    case BLOCK_ZEROES:
        return worker_zeroes(d, rq);
    }
    return -EINVAL;
}

static void signal_loop(Raw *d)
{
    uint64_t one = 1;
    ssize_t n = write(d->efd, &one, sizeof(one));
    (void)n;    /* cannot fail short of an overflow, which would wake as well */
}

static void *worker_main(void *opaque)
{
    Raw *d = opaque;
    pthread_mutex_lock(&d->lock);
    for (;;) {
        BlockRequest *rq = list_take(&d->work);
        if (!rq) {
            if (d->quit) {
                break;
            }
            pthread_cond_wait(&d->work_cond, &d->lock);
            continue;
        }
        pthread_mutex_unlock(&d->lock);
        int ret = worker_do(d, rq);
        pthread_mutex_lock(&d->lock);
        rq->result = ret;
        list_put(&d->done, rq);
        pthread_cond_signal(&d->done_cond);
        signal_loop(d);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static void worker_submit(Raw *d, BlockRequest *rq)
{
    if (!d->thread_ok) {
        int ret = pthread_create(&d->thread, NULL, worker_main, d);
        if (ret) {
            rq->done(rq, -ret);
            return;
        }
        d->thread_ok = true;
    }
    d->in_worker++;
    pthread_mutex_lock(&d->lock);
    list_put(&d->work, rq);
    pthread_cond_signal(&d->work_cond);
    pthread_mutex_unlock(&d->lock);
}

static void worker_reap(Raw *d, bool wait)
{
    pthread_mutex_lock(&d->lock);
    while (wait && !d->done.head) {
        pthread_cond_wait(&d->done_cond, &d->lock);
    }
    BlockRequest *rq = d->done.head;
    list_init(&d->done);
    pthread_mutex_unlock(&d->lock);
    while (rq) {
        BlockRequest *next = rq->next;
        d->in_worker--;
        rq->done(rq, rq->result);
        rq = next;
    }
}

/* --- io_uring --- */

static void ring_flush(Raw *d)
{
    /* An error other than these leaves the entries prepared; the next turn tries again. */
    while (d->prepared) {
        int n = io_uring_submit(&d->ring);
        if (n == -EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        d->prepared -= MIN((unsigned)n, d->prepared);
    }
}

static bool ring_submit(Raw *d, BlockRequest *rq)
{
    if (!d->ring_ok || d->overlay || rq->niov > VECTOR_MAX) {
        return false;
    }
    struct io_uring_sqe *sqe = d->in_ring < RING_ENTRIES ? io_uring_get_sqe(&d->ring) : NULL;
    if (!sqe) {
        return false;
    }
    switch (rq->op) {
    case BLOCK_READ:
        io_uring_prep_readv(sqe, d->fd, rq->iov, rq->niov, rq->offset);
        break;
    case BLOCK_WRITE:
        io_uring_prep_writev(sqe, d->fd, rq->iov, rq->niov, rq->offset);
        break;
    default:
        io_uring_prep_fsync(sqe, d->fd, IORING_FSYNC_DATASYNC);
        break;
    }
    io_uring_sqe_set_data(sqe, rq);
    d->in_ring++;
    d->prepared++;
    if (!d->plugged) {
        ring_flush(d);
    }
    return true;
}

static void ring_done(Raw *d, BlockRequest *rq, int res)
{
    bool again = res == -EAGAIN || res == -EINTR ||
                 (res >= 0 && rq->op != BLOCK_FLUSH && (uint64_t)res != rq->bytes);
    if (again) {
        worker_submit(d, rq);   /* from the start: the transfer may be repeated */
    } else {
        rq->done(rq, res < 0 ? res : 0);
    }
}

static void ring_reap(Raw *d)
{
    struct io_uring_cqe *cqe;
    while (d->in_ring && io_uring_peek_cqe(&d->ring, &cqe) == 0 && cqe) {
        BlockRequest *rq = io_uring_cqe_get_data(cqe);
        int res = cqe->res;
        io_uring_cqe_seen(&d->ring, cqe);
        d->in_ring--;
        ring_done(d, rq, res);
    }
}

static void raw_event(void *opaque, unsigned events)
{
    Raw *d = opaque;
    uint64_t count;
    ssize_t n = read(d->efd, &count, sizeof(count));
    (void)n;
    if (d->ring_ok) {
        ring_flush(d);
        ring_reap(d);
    }
    worker_reap(d, false);
}

static void ring_init(Raw *d, enum BlockAio aio)
{
    if (aio == AIO_THREADS || io_uring_queue_init(RING_ENTRIES, &d->ring, 0) < 0) {
        return;
    }
    if (io_uring_register_eventfd(&d->ring, d->efd) < 0) {
        io_uring_queue_exit(&d->ring);
        return;
    }
    d->ring_ok = true;
}

/* --- at once --- */

/* A read that the host has in memory is done in the caller's thread: the way through a
 * worker, the loop and a sleeping vCPU takes three wake-ups, longer than the copy. Only
 * while plugged: then the device expects done() from within submit, and the bytes are
 * limited. RWF_NOWAIT never waits for a disk; tmpfs refuses the flag and has no disk. */
static bool read_at_once(Raw *d, BlockRequest *rq)
{
    if (!d->plugged || d->overlay || d->at_once == AT_ONCE_NEVER || rq->op != BLOCK_READ ||
        rq->niov > VECTOR_MAX || rq->bytes > d->at_once_left) {
        return false;
    }
    int flags = d->at_once == AT_ONCE_NOWAIT ? RWF_NOWAIT : 0;
    ssize_t n = preadv2(d->fd, rq->iov, rq->niov, rq->offset, flags);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        d->at_once = AT_ONCE_NEVER;
    }
    if (n < 0 || (uint64_t)n != rq->bytes) {
        return false;
    }
    d->at_once_left -= rq->bytes;
    rq->done(rq, 0);
    return true;
}

static void at_once_init(Raw *d)
{
    struct statfs fs;
    if (fstatfs(d->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
        d->at_once = AT_ONCE_TMPFS;
    }
}

/* --- BlockOps --- */

static void raw_submit(BlockBackend *b, BlockRequest *rq)
{
    Raw *d = (Raw *)b;
    bool writes = rq->op != BLOCK_READ && rq->op != BLOCK_FLUSH;
    if (rq->op != BLOCK_FLUSH && (rq->bytes > b->size || rq->offset > b->size - rq->bytes)) {
        rq->done(rq, -EIO);
    } else if (writes && b->readonly) {
        rq->done(rq, -EROFS);
    } else if ((rq->op == BLOCK_FLUSH && (d->no_flush || b->readonly)) ||
               (rq->op == BLOCK_DISCARD && !d->unmap) ||
               (rq->op != BLOCK_FLUSH && rq->bytes == 0)) {
        rq->done(rq, 0);
    } else if (read_at_once(d, rq)) {
        return;
    } else if (rq->op == BLOCK_DISCARD || rq->op == BLOCK_ZEROES || !ring_submit(d, rq)) {
        worker_submit(d, rq);
    }
}

static void raw_plug(BlockBackend *b, bool on)
{
    Raw *d = (Raw *)b;
    d->plugged = on;
    d->at_once_left = AT_ONCE_BYTES;
    if (!on && d->ring_ok) {
        ring_flush(d);
    }
}

static void raw_drain(BlockBackend *b)
{
    Raw *d = (Raw *)b;
    while (d->in_ring || d->in_worker) {
        if (d->in_ring) {
            struct io_uring_cqe *cqe;
            ring_flush(d);
            io_uring_wait_cqe(&d->ring, &cqe);
            ring_reap(d);
        } else {
            worker_reap(d, true);
        }
    }
}

static void raw_close(BlockBackend *b)
{
    Raw *d = (Raw *)b;
    raw_drain(b);
    if (d->thread_ok) {
        pthread_mutex_lock(&d->lock);
        d->quit = true;
        pthread_cond_signal(&d->work_cond);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
    }
    if (d->watch) {
        loop_del_fd(d->watch);
    }
    if (d->ring_ok) {
        io_uring_queue_exit(&d->ring);
    }
    overlay_destroy(d->overlay);
    pthread_cond_destroy(&d->work_cond);
    pthread_cond_destroy(&d->done_cond);
    pthread_mutex_destroy(&d->lock);
    if (d->efd >= 0) {
        close(d->efd);
    }
    if (d->fd >= 0) {
        close(d->fd);
    }
}

static const BlockOps raw_ops = {
    .name = "raw", .submit = raw_submit, .drain = raw_drain, .close = raw_close,
    .plug = raw_plug,
};

/* --- opening --- */

static bool raw_lock(int fd, const BlockOpen *o, Error *err)
{
    bool write = !o->readonly && !o->snapshot;
    struct flock fl = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &fl) == 0) {
        return true;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return error_set(err, "'%s' is in use: another process or drive %s it", o->path,
                         write ? "has" : "writes");
    }
    return true;    /* a file system without locks */
}

static const struct {
    const char *name;
    unsigned off, len;
    const char *magic;
} formats[] = {
    { "qcow2", 0, 4, "QFI\xfb" }, { "vmdk", 0, 4, "KDMV" }, { "vhdx", 0, 8, "vhdxfile" },
    { "vdi", 64, 4, "\x7f\x10\xda\xbe" }, { "vpc", 0, 8, "conectix" },
    { "luks", 0, 6, "LUKS\xba\xbe" },
};

/* The guest could turn a raw image into any of these; so it is only a help at opening. */
static bool raw_probe(int fd, const char *path, Error *err)
{
    uint8_t head[128] = { 0 };
    ssize_t n = pread(fd, head, sizeof(head), 0);
    for (size_t i = 0; n > 0 && i < ARRAY_SIZE(formats); i++) {
        if (!memcmp(head + formats[i].off, formats[i].magic, formats[i].len)) {
            return error_set(err, "'%s' is a %s image: format %s is not accepted: expected "
                             "raw (qemu-img convert -O raw makes one; format=raw takes its "
                             "bytes as they are)", path, formats[i].name, formats[i].name);
        }
    }
    return true;
}

/* ISO 9660 (ECMA-119), 8.4.8 and 8.4.12: the primary volume descriptor in sector 16 says how
 * many blocks the volume has. */
static bool cd_probe(int fd, const char *path, uint64_t size, Error *err)
{
    uint8_t d[132];
    if (pread(fd, d, sizeof(d), 16 * 2048) != sizeof(d) || memcmp(d, "\1CD001", 6) != 0) {
        return true; /* some other file system */
    }
    uint64_t blocks = get_le32(d + 80);
    uint64_t bytes = blocks * get_le16(d + 128);
    if (bytes > size) {
        return error_set(err, "'%s' is cut short: it has %llu bytes of the %llu that its "
                         "volume needs (format=raw takes it as it is)", path,
                         (unsigned long long)size, (unsigned long long)bytes);
    }
    return true;
}

static bool raw_open_file(Raw *d, const BlockOpen *o, Error *err)
{
    int flags = o->readonly || o->snapshot ? O_RDONLY : O_RDWR;
    d->fd = open(o->path, flags | O_CLOEXEC | (o->dsync ? O_DSYNC : 0));
    if (d->fd < 0) {
        return error_set(err, "cannot open '%s'%s: %s", o->path,
                         flags == O_RDWR ? " for writing" : "", strerror(errno));
    }
    struct stat st;
    if (fstat(d->fd, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))) {
        return error_set(err, "'%s' is not a file or block device", o->path);
    }
    off_t size = lseek(d->fd, 0, SEEK_END);
    if (size < 0) {
        return error_set(err, "'%s' has no size: %s", o->path, strerror(errno));
    }
    d->b.size = size;
    return (!o->locking || raw_lock(d->fd, o, err)) &&
           (!o->probe || raw_probe(d->fd, o->path, err)) &&
           (!o->probe || !o->cd || cd_probe(d->fd, o->path, size, err));
}

BlockBackend *block_raw_open(struct Machine *m, const BlockOpen *o, Error *err)
{
    Raw *d = NEW(Raw);
    d->b.ops = &raw_ops;
    d->b.machine = m;
    d->b.readonly = o->readonly;
    d->b.path = xstrdup(o->path);
    d->no_flush = o->no_flush;
    d->unmap = o->unmap;
    d->fd = -1;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work_cond, NULL);
    pthread_cond_init(&d->done_cond, NULL);
    list_init(&d->work);
    list_init(&d->done);
    d->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = d->efd >= 0 ? raw_open_file(d, o, err)
                          : error_set(err, "no eventfd: %s", strerror(errno));
    if (ok && o->snapshot && !o->readonly) {
        d->overlay = overlay_create(d->fd, d->b.size, err);
        ok = d->overlay != NULL;
    }
    if (!ok) {
        block_free(&d->b);
        return NULL;
    }
    at_once_init(d);
    ring_init(d, o->aio);
    if (m && m->loop) {
        d->watch = loop_add_fd(m->loop, d->efd, LOOP_READ, raw_event, d);
    }
    return &d->b;
}

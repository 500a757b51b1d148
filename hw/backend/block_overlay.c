/* SPDX-License-Identifier: MIT */
/*
 * snapshot=on: what the guest writes goes to an unlinked sparse file, cluster by cluster;
 * a bitmap says which clusters are there. Used by one thread at a time (the backend's
 * worker).
 */
#include "hw/backend/block_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "util/alloc.h"

enum { CLUSTER = 65536 };

struct BlockOverlay {
    int base_fd;        /* not owned */
    int fd;
    uint64_t size;
    uint8_t *bitmap;    /* bit n: cluster n is in fd */
    uint8_t *buf;       /* one cluster */
};

int pread_all(int fd, void *buf, size_t n, uint64_t off)
{
    uint8_t *p = buf;
    while (n) {
        ssize_t k = pread(fd, p, n, off);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return k ? -errno : -EIO;
        }
        p += k;
        off += k;
        n -= k;
    }
    return 0;
}

int pwrite_all(int fd, const void *buf, size_t n, uint64_t off)
{
    const uint8_t *p = buf;
    while (n) {
        ssize_t k = pwrite(fd, p, n, off);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return k ? -errno : -EIO;
        }
        p += k;
        off += k;
        n -= k;
    }
    return 0;
}

static int open_anonymous(void)
{
    const char *dir = getenv("TMPDIR");
    dir = dir && *dir ? dir : "/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        return fd;
    }
    char *name = xasprintf("%s/dyad-overlay-XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) {
        unlink(name);
    }
    free(name);
    return fd;
}

BlockOverlay *overlay_create(int base_fd, uint64_t size, Error *err)
{
    uint64_t clusters = size / CLUSTER + 1;
    BlockOverlay *ov = NEW(BlockOverlay);
    ov->base_fd = base_fd;
    ov->size = size;
    ov->bitmap = try_alloc(clusters / 8 + 1);
    ov->buf = xalloc(CLUSTER);
    ov->fd = ov->bitmap ? open_anonymous() : -1;
    if (ov->fd < 0) {
        error_set(err, "snapshot: no temporary file: %s",
                  ov->bitmap ? strerror(errno) : "out of memory");
        overlay_destroy(ov);
        return NULL;
    }
    return ov;
}

void overlay_destroy(BlockOverlay *ov)
{
    if (!ov) {
        return;
    }
    if (ov->fd >= 0) {
        close(ov->fd);
    }
    free(ov->bitmap);
    free(ov->buf);
    free(ov);
}

static bool have_cluster(const BlockOverlay *ov, uint64_t c)
{
    return ov->bitmap[c / 8] & (1u << (c % 8));
}

static uint64_t cluster_len(const BlockOverlay *ov, uint64_t c)
{
    uint64_t start = c * CLUSTER;
    return MIN((uint64_t)CLUSTER, ov->size - start);
}

int overlay_read(BlockOverlay *ov, uint64_t off, void *buf, size_t n)
{
    uint8_t *p = buf;
    while (n) {
        uint64_t c = off / CLUSTER;
        size_t k = MIN(n, (size_t)(CLUSTER - off % CLUSTER));
        int ret = pread_all(have_cluster(ov, c) ? ov->fd : ov->base_fd, p, k, off);
        if (ret) {
            return ret;
        }
        p += k;
        off += k;
        n -= k;
    }
    return 0;
}

/* The cluster comes over whole before part of it is changed. */
static int copy_up(BlockOverlay *ov, uint64_t c)
{
    uint64_t len = cluster_len(ov, c);
    int ret = pread_all(ov->base_fd, ov->buf, len, c * CLUSTER);
    return ret ? ret : pwrite_all(ov->fd, ov->buf, len, c * CLUSTER);
}

int overlay_write(BlockOverlay *ov, uint64_t off, const void *buf, size_t n)
{
    const uint8_t *p = buf;
    while (n) {
        uint64_t c = off / CLUSTER;
        size_t k = MIN(n, (size_t)(CLUSTER - off % CLUSTER));
        int ret = 0;
        if (!have_cluster(ov, c) && k < cluster_len(ov, c)) {
            ret = copy_up(ov, c);
        }
        if (!ret) {
            ret = pwrite_all(ov->fd, p, k, off);
        }
        if (ret) {
            return ret;
        }
        ov->bitmap[c / 8] |= 1u << (c % 8);
        p += k;
        off += k;
        n -= k;
    }
    return 0;
}

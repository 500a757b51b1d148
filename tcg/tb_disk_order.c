/* SPDX-License-Identifier: MIT */
/*
 * The order of records in the file. A run looks for them in about the order in which the
 * last one did, and what lies in order costs less than half: the next record is in the host
 * CPU's cache already, and need not be looked up. Records are made in another order than they
 * are wanted later (a block brings those that its jumps lead to, build.c), so a run that jumped
 * about in the file writes it anew. Records that were replaced, and old tables, are left out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tcg/tb_disk_int.h"
#include "util/alloc.h"

enum { BUFFER = 1024 * 1024, LET_GO = 8 /* BUFFERs */ };

typedef struct Copy {
    const TbDisk *d;
    uint64_t end;       /* of the old file's records */
    uint64_t most;      /* bytes that the new one may have */
    int fd;
    Slot *slot;         /* the new table */
    unsigned n;
    uint8_t *buffer;
    uint64_t at;        /* where the buffer begins in the new file */
    uint32_t fill;
    bool failed;
} Copy;

static void flush(Copy *c)
{
    c->failed |= !tb_disk_write_at(c->fd, c->buffer, c->fill, c->at);
    if ((c->at / BUFFER ^ (c->at + c->fill) / BUFFER) / LET_GO) { /* what is read counts as ours */
        (void)madvise((void *)c->d->map, c->d->map_size, MADV_DONTNEED);
    }
    c->at += c->fill;
    c->fill = 0;
}

/* n bytes of the old file. Those of this run are not mapped. */
static bool get(const Copy *c, void *to, size_t n, uint64_t at)
{
    if (at + n <= c->d->map_size) {
        memcpy(to, c->d->map + at, n);
        return true;
    }
    return at + n <= c->end && pread(c->d->fd, to, n, at) == (ssize_t)n;
}

/* A record that counts and is not there yet. */
static void copy_record(Copy *c, uint32_t unit)
{
    const TbDisk *d = c->d;
    uint64_t at = (uint64_t)unit * UNIT;
    Record r;

    if (c->failed || !get(c, &r, sizeof(r), at) || r.n > TB_DISK_RECORD) {
        return;
    }
    uint32_t size = ALIGN_UP(sizeof(r) + r.n, UNIT);
    const Slot *old = tb_disk_slot(d->slot, d->bits, r.hash);
    Slot *s = tb_disk_slot(c->slot, d->bits, r.hash);
    if (s->at || old->at != unit || old->tag != (uint32_t)r.hash ||
        c->at + c->fill + size > c->most) {
        return;
    }
    if (size > BUFFER - c->fill) {
        flush(c);
    }
    if (!get(c, c->buffer + c->fill, sizeof(r) + r.n, at)) {
        return;
    }
    memset(c->buffer + c->fill + sizeof(r) + r.n, 0, size - sizeof(r) - r.n);
    *s = (Slot){ .tag = (uint32_t)r.hash, .at = (c->at + c->fill) / UNIT, .turn = old->turn };
    c->fill += size;
    c->n++;
}

/* A record that this run has replaced has its place taken by the new one. */
static uint32_t newest(const Copy *c, uint32_t unit)
{
    Record r;

    if (!get(c, &r, sizeof(r), (uint64_t)unit * UNIT)) {
        return unit;
    }
    const Slot *s = tb_disk_slot(c->d->slot, c->d->bits, r.hash);
    return s->at && s->tag == (uint32_t)r.hash ? s->at : unit;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* What this run had no use for, as it lies. */
static void copy_rest(Copy *c)
{
    const TbDisk *d = c->d;
    uint32_t *rest = xmap(((size_t)d->n + 1) * sizeof(rest[0])), n = 0;

    for (size_t i = 0; i < 1u << d->bits && n < d->n; i++) {
        if (d->slot[i].at) {
            rest[n++] = d->slot[i].at;
        }
    }
    qsort(rest, n, sizeof(rest[0]), by_place);
    uint32_t own = n; /* what this run has added comes first: there may be no room for all */
    while (own && (uint64_t)rest[own - 1] * UNIT >= d->map_size) {
        own--;
    }
    for (uint32_t i = 0; i < n; i++) {
        copy_record(c, rest[(own + i) % n]);
    }
    xunmap(rest, ((size_t)d->n + 1) * sizeof(rest[0]));
}

bool tb_disk_put_in_order(const TbDisk *d, uint64_t end)
{
    char *path = xasprintf("%s.new", d->path);
    Copy c = { .d = d, .end = end, .at = FIRST,
               .most = end > FILE_FULL ? FILE_KEPT : FILE_MOST };

    (void)unlink(path); /* of a run that was killed */
    c.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (c.fd < 0) {
        free(path);
        return false;
    }
    c.slot = xmap(sizeof(Slot) << d->bits);
    c.buffer = xmap(BUFFER);
    for (uint32_t i = 0; i < d->norder; i++) {
        copy_record(&c, newest(&c, d->order[i]));
    }
    copy_rest(&c);
    flush(&c);
    bool good = !c.failed && tb_disk_finish(c.fd, &d->head, c.slot, d->bits, c.n, c.at) &&
                rename(path, d->path) == 0;
    if (!good) {
        (void)unlink(path);
    }
    close(c.fd);
    xunmap(c.buffer, BUFFER);
    xunmap(c.slot, sizeof(Slot) << d->bits);
    free(path);
    return good;
}

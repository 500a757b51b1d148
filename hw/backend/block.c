/* SPDX-License-Identifier: MIT */
/*
 * The list of block backends, looked up by id, and the synchronous helpers. The list is
 * of the process: ids of two machines do not collide because lookups name the machine
 * (the property link, which cannot, takes the newest). Machine lock held.
 */
#include "hw/backend/block_int.h"

#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

static BlockBackend *all;   /* oldest first */

void block_free(BlockBackend *b)
{
    b->ops->close(b);
    free(b->id);
    free(b->path);
    free(b->serial);
    free(b);
}

BlockBackend *block_find(struct Machine *m, const char *id)
{
    for (BlockBackend *b = all; b; b = b->next) {
        if (b->machine == m && !strcmp(b->id, id)) {
            return b;
        }
    }
    return NULL;
}

/* Next of the machine's backends in opening order: the list links all of them. */
BlockBackend *block_first(struct Machine *m)
{
    BlockBackend *b = all;
    while (b && b->machine != m) {
        b = b->next;
    }
    return b;
}

bool block_register(BlockBackend *b, Error *err)
{
    if (block_find(b->machine, b->id)) {
        error_set(err, "id: '%s' names another drive already", b->id);
        block_free(b);
        return false;
    }
    BlockBackend **pp = &all;
    while (*pp) {
        pp = &(*pp)->next;
    }
    *pp = b;
    return true;
}

void block_close_all(struct Machine *m)
{
    /* Newest first: a node may stand on an older one. */
    for (;;) {
        BlockBackend **last = NULL;
        for (BlockBackend **pp = &all; *pp; pp = &(*pp)->next) {
            if ((*pp)->machine == m) {
                last = pp;
            }
        }
        if (!last) {
            return;
        }
        BlockBackend *b = *last;
        *last = b->next;
        block_free(b);
    }
}

static void *link_find(const char *id, Error *err)
{
    BlockBackend *found = NULL;
    const char *ids[33] = { NULL };
    unsigned n = 0;
    for (BlockBackend *b = all; b; b = b->next) {
        if (!strcmp(b->id, id)) {
            found = b;
        }
        if (n < ARRAY_SIZE(ids) - 1) {
            ids[n++] = b->id;
        }
    }
    if (!found && n == 0) {
        error_set(err, "no drive has the id '%s': there is no -drive or -blockdev", id);
    } else if (!found) {
        error_set_choice(err, "id", id, ids);
    }
    return found;
}

const PropLink block_link = { .what = "drive", .find = link_find };

typedef struct {
    BlockRequest rq;
    bool done;
    int ret;
} SyncRequest;

static void sync_done(BlockRequest *rq, int ret)
{
    SyncRequest *s = container_of(rq, SyncRequest, rq);
    s->done = true;
    s->ret = ret;
}

static int sync_rw(BlockBackend *b, enum BlockOp op, uint64_t off, void *buf, size_t n)
{
    struct iovec iov = { buf, n };
    SyncRequest s = { .rq = { .op = op, .offset = off, .bytes = n, .iov = &iov, .niov = 1,
                              .done = sync_done } };
    block_submit(b, &s.rq);
    if (!s.done) {
        b->ops->drain(b);
    }
    return s.ret;
}

int block_read_sync(BlockBackend *b, uint64_t off, void *buf, size_t n)
{
    return sync_rw(b, BLOCK_READ, off, buf, n);
}

int block_write_sync(BlockBackend *b, uint64_t off, const void *buf, size_t n)
{
    return sync_rw(b, BLOCK_WRITE, off, (void *)buf, n);
}

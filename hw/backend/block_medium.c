/* SPDX-License-Identifier: MIT */
/*
 * Drives whose medium can be changed: the backend that the device sees stays, the image
 * behind it comes and goes. Without one every request fails with -ENOMEDIUM. Machine lock
 * held; requests in flight are done before the image goes.
 */
#include "hw/backend/block_int.h"

#include <errno.h>
#include <stdlib.h>
#include "util/alloc.h"

typedef struct {
    BlockBackend b;         /* first */
    BlockBackend *medium;   /* not in the list; NULL: none */
} Slot;

static void slot_submit(BlockBackend *b, BlockRequest *rq)
{
    Slot *s = (Slot *)b;
    if (s->medium) {
        block_submit(s->medium, rq);
    } else {
        rq->done(rq, rq->op == BLOCK_FLUSH ? 0 : -ENOMEDIUM);
    }
}

static void slot_drain(BlockBackend *b)
{
    Slot *s = (Slot *)b;
    if (s->medium) {
        s->medium->ops->drain(s->medium);
    }
}

static void slot_plug(BlockBackend *b, bool on)
{
    Slot *s = (Slot *)b;
    if (s->medium) {
        block_plug(s->medium, on);
    }
}

static void slot_close(BlockBackend *b)
{
    Slot *s = (Slot *)b;
    if (s->medium) {
        block_free(s->medium);
        s->medium = NULL;
    }
}

static const BlockOps slot_ops = {
    .name = "raw", .submit = slot_submit, .drain = slot_drain, .close = slot_close,
    .plug = slot_plug,
};

/* What the device sees of the medium. */
static void show(Slot *s)
{
    free(s->b.path);
    s->b.path = xstrdup(s->medium ? s->medium->path : "");
    s->b.size = s->medium ? s->medium->size : 0;
    s->b.readonly = !s->medium || s->medium->readonly;
}

BlockBackend *block_slot_create(struct Machine *m, BlockBackend *medium)
{
    Slot *s = NEW(Slot);
    s->b.ops = &slot_ops;
    s->b.machine = m;
    s->b.removable = true;
    s->medium = medium;
    show(s);
    return &s->b;
}

static bool is_slot(const BlockBackend *b, Error *err)
{
    if (b->ops == &slot_ops) {
        return true;
    }
    return error_set(err, "Device '%s' is not removable: expected a CD or floppy drive", b->id);
}

/* Asks the device to let go. */
static bool unlocked(BlockBackend *b, bool force, Error *err)
{
    const BlockMedia *media = b->media;
    if (force || !media || !media->locked(b->attached)) {
        return true;
    }
    media->wish(b->attached);
    return error_set(err, "Device '%s' is locked and force was not specified, wait for tray to "
                     "open and try again", b->id);
}

static void exchange(BlockBackend *b, BlockBackend *medium)
{
    Slot *s = (Slot *)b;
    slot_drain(b);
    slot_close(b);
    s->medium = medium;
    show(s);
    if (b->media) {
        b->media->changed(b->attached, b);
    }
}

bool block_eject(BlockBackend *b, bool force, Error *err)
{
    if (!is_slot(b, err) || !unlocked(b, force, err)) {
        return false;
    }
    exchange(b, NULL);
    return true;
}

bool block_change(BlockBackend *b, const char *path, int readonly, bool force, Error *err)
{
    if (!is_slot(b, err)) {
        return false;
    }
    BlockOpen o = {
        .path = path, .readonly = b->cdrom || readonly == 1, .locking = true, .probe = true,
        .cd = b->cdrom, .aio = AIO_AUTO,
    };
    /* An image that is in the drive now may be put in again. */
    if (!unlocked(b, force, err)) {
        return false;
    }
    BlockBackend *medium = block_raw_open(b->machine, &o, err);
    if (!medium && !o.readonly && readonly < 0) {
        error_free(err);
        o.readonly = true;
        medium = block_raw_open(b->machine, &o, err);
    }
    if (!medium) {
        return false;
    }
    exchange(b, medium);
    return true;
}

bool block_has_medium(const BlockBackend *b)
{
    return b->ops != &slot_ops || ((const Slot *)b)->medium;
}

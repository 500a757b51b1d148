/* SPDX-License-Identifier: MIT */
/*
 * Block backends: where a disk's bytes are. Asynchronous; completion comes on the main
 * loop's thread with the machine lock held. Offsets and lengths are bytes; the backend
 * checks them against its size and answers -EIO outside.
 */
#ifndef HW_CORE_BLOCK_H
#define HW_CORE_BLOCK_H

#include <stdio.h>
#include <sys/uio.h>
#include "util/compiler.h"
#include "util/error.h"
#include "util/property.h"

struct Machine;
typedef struct BlockBackend BlockBackend;

enum BlockOp { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_ZEROES };

typedef struct BlockRequest {
    enum BlockOp op;
    uint64_t offset, bytes;
    struct iovec *iov;          /* host memory; valid until done */
    unsigned niov;
    void (*done)(struct BlockRequest *rq, int ret); /* 0 or -errno */
    void *opaque;
    struct BlockRequest *next;  /* backend's */
    int result;                 /* backend's */
} BlockRequest;

typedef struct BlockOps {
    const char *name;
    void (*submit)(BlockBackend *b, BlockRequest *rq);
    void (*drain)(BlockBackend *b);    /* returns when nothing is in flight */
    void (*close)(BlockBackend *b);
    void (*plug)(BlockBackend *b, bool on); /* optional: requests submitted between on and
                                             * off may go to the host together */
} BlockOps;

/* Of a device with a tray, for drives whose medium can be changed. */
typedef struct BlockMedia {
    bool (*locked)(void *dev);      /* the guest keeps the tray shut */
    void (*wish)(void *dev);        /* somebody wants it open: tell the guest */
    void (*changed)(void *dev, BlockBackend *b);    /* another medium's size; 0: none */
    bool (*tray_open)(void *dev);
} BlockMedia;

struct BlockBackend {
    const BlockOps *ops;
    struct Machine *machine;
    char *id;                   /* drive= / node name */
    char *path;                 /* for messages */
    uint64_t size;              /* bytes */
    bool readonly, removable, cdrom;
    char *serial;
    int interface;              /* DRIVE_* of -drive if= */
    int unit_index;             /* -drive index=, -1 = next */
    void *attached;             /* the device that uses it, or NULL */
    const BlockMedia *media;    /* that device's, or NULL */
    unsigned place;             /* of if=ide: the index that it will get */
    BlockBackend *next;
};

enum { DRIVE_NONE, DRIVE_VIRTIO, DRIVE_IDE, DRIVE_FLOPPY, DRIVE_PFLASH, DRIVE_SCSI };

/* -drive file=..,if=..,format=raw,id=..,readonly=on,snapshot=on,cache=..,index=.. */
BlockBackend *block_open_drive(struct Machine *m, const char *spec, bool snapshot, Error *err);
/* -blockdev driver=raw,node-name=..,file.driver=file,file.filename=.. (also one level
 * of driver=file,filename=..,node-name=..) */
BlockBackend *block_open_blockdev(struct Machine *m, const char *spec, Error *err);
/* Another medium in a CD or floppy drive, or none. readonly: 0, 1, or -1: if need be. Without
 * force an error if the guest has locked the drive; then the guest is told of the wish. */
bool block_change(BlockBackend *b, const char *path, int readonly, bool force, Error *err);
bool block_eject(BlockBackend *b, bool force, Error *err);
bool block_has_medium(const BlockBackend *b);
BlockBackend *block_find(struct Machine *m, const char *id);
BlockBackend *block_first(struct Machine *m);
void block_close_all(struct Machine *m);
void block_help(FILE *f);
static inline void block_submit(BlockBackend *b, BlockRequest *rq) { b->ops->submit(b, rq); }
static inline void block_plug(BlockBackend *b, bool on)
{
    if (b->ops->plug) {
        b->ops->plug(b, on);
    }
}
/* Synchronous, for firmware loading and tests; machine not running or loop thread. */
int block_read_sync(BlockBackend *b, uint64_t off, void *buf, size_t n);
int block_write_sync(BlockBackend *b, uint64_t off, const void *buf, size_t n);
extern const PropLink block_link;   /* for PROP_LINK(T, drive, block_link, ..) */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the files of the block backend share: how an image is opened, the overlay of
 * snapshot=on, the registry's back door.
 */
#ifndef HW_BACKEND_BLOCK_INT_H
#define HW_BACKEND_BLOCK_INT_H

#include "hw/core/block.h"

enum BlockAio { AIO_AUTO, AIO_THREADS, AIO_NATIVE, AIO_URING };

typedef struct BlockOpen {
    const char *path;
    bool readonly;
    bool snapshot;          /* writes go to a temporary file and are forgotten */
    bool dsync;             /* every write is on the medium when it completes */
    bool no_flush;          /* flushes do nothing */
    bool unmap;             /* discards punch holes */
    bool locking;           /* take the image's lock */
    bool probe;             /* refuse images that look like another format */
    bool cd;                /* with probe: and those of a CD that are cut short */
    enum BlockAio aio;
} BlockOpen;

/* A raw backend with `size` and ops set, everything else for the caller; not registered. */
BlockBackend *block_raw_open(struct Machine *m, const BlockOpen *o, Error *err);
/* Takes b's id (must be unique and not NULL) into the list; on failure b is closed. */
bool block_register(BlockBackend *b, Error *err);
void block_free(BlockBackend *b);
/* A drive whose medium can be changed; takes over the medium (not registered), NULL: none. */
BlockBackend *block_slot_create(struct Machine *m, BlockBackend *medium);

/* --- overlay: 64 KiB clusters in an unlinked file, a bit per cluster --- */
typedef struct BlockOverlay BlockOverlay;
BlockOverlay *overlay_create(int base_fd, uint64_t size, Error *err);
void overlay_destroy(BlockOverlay *ov);
int overlay_read(BlockOverlay *ov, uint64_t off, void *buf, size_t n);   /* 0 or -errno */
int overlay_write(BlockOverlay *ov, uint64_t off, const void *buf, size_t n);

/* Whole transfers on a descriptor: 0 or -errno (-EIO at the end of the file). */
int pread_all(int fd, void *buf, size_t n, uint64_t off);
int pwrite_all(int fd, const void *buf, size_t n, uint64_t off);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * DMA of disk controllers: plain RAM only, so that no guest can make a controller write
 * its own registers. Scatter lists of guest memory, and disk transfers from or to them; a
 * list holds what the guest asked for, unchecked. What is no RAM reads as ones and drops
 * writes. Machine lock held everywhere.
 */
#ifndef HW_CORE_DMA_SG_H
#define HW_CORE_DMA_SG_H

#include "hw/core/block.h"
#include "util/compiler.h"

struct Machine;

/* False if any byte was not RAM (the others are moved). */
bool dma_read(struct Machine *m, uint64_t gpa, void *to, uint64_t n);
bool dma_write(struct Machine *m, uint64_t gpa, const void *from, uint64_t n);

typedef struct SgEntry {
    uint64_t gpa, len;      /* bytes */
} SgEntry;

typedef struct SgList {
    SgEntry *e;             /* owned */
    unsigned n, cap;
    uint64_t bytes;         /* sum of the lengths */
} SgList;

/* Appends; joins what continues the last entry. The caller bounds the number of calls. */
void sg_add(SgList *sg, uint64_t gpa, uint64_t len);
void sg_free(SgList *sg);   /* empties it, too */
/* Between `buf` and the list from byte `off` on; stops at the list's end. Returns the
 * bytes copied. */
uint64_t sg_copy(struct Machine *m, const SgList *sg, uint64_t off, void *buf, uint64_t n,
                 bool to_guest);

/* A disk transfer in pieces. Zeroed before first use; `done` may start it again. */
typedef struct SgIo {
    BlockRequest rq;
    struct Machine *m;
    BlockBackend *b;
    SgList sg;              /* owned while active */
    uint64_t sg_off, disk_off, left, chunk;
    bool to_disk;
    bool active;            /* done has not been called yet */
    struct iovec *iov;
    uint8_t *bounce;
    void (*done)(struct SgIo *io, int ret);  /* 0 or -errno; sg is freed */
} SgIo;

/* Moves bytes (not more than sg->bytes - sg_off) and takes over *sg's entries. The range
 * of the disk is checked by the caller for what its protocol says, and by the backend. */
void sg_io_start(SgIo *io, struct Machine *m, BlockBackend *b, bool to_disk,
                 uint64_t disk_off, SgList *sg, uint64_t sg_off, uint64_t bytes);

#endif

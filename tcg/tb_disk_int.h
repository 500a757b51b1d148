/* SPDX-License-Identifier: MIT */
/* The file of kept translations, between tb_disk.c and tb_disk_order.c. */
#ifndef TCG_TB_DISK_INT_H
#define TCG_TB_DISK_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include "tcg/tb_disk.h"

enum {
    UNIT = 64,
    FIRST = 4096,                 /* where records begin */
    QUIET_MS = 30,                /* not read for so long: its pages may go */
    QUEUE = 512 * KiB,            /* new records, two of these */
    BITS_LEAST = 12, BITS_NEW = 15, BITS_MOST = 24,
    OTHERS_KEPT = 4,              /* files of other identities */
    PREFETCHED = 640,             /* bytes of a record */
    TURNS = 4,
    WORTH = 200,                  /* a table is written for one new record in so many */
    ORDER_MOST = 512 * KiB,       /* records whose order is noted */
    FEW = 4096, JUMPS_LEFT = 6,   /* found by so many, one in so many elsewhere: put in order */
};
#define FILE_MOST tb_disk_most   /* a run adds up to here; */
#define FILE_FULL (tb_disk_most / 4 * 3) /* of one that has become longer, */
#define FILE_KEPT (tb_disk_most / 2) /* this much stays: what the last run used comes first */
static const char magic[8] = "dyadTB02";

typedef struct Header {
    char magic[8];
    uint8_t id[TB_DISK_ID];
    uint64_t end;      /* bytes that count */
    uint64_t table;    /* where it lies */
    uint32_t bits, n;  /* 1 << bits slots, n of them used */
    uint64_t table_sum;
    uint64_t sum;      /* of all before */
} Header;

typedef struct Record {
    uint64_t sum;      /* of all behind it */
    uint64_t hash;
    uint32_t n, unused; /* bytes behind the Record */
} Record;

typedef struct Slot {
    uint32_t tag;      /* of the hash */
    uint32_t at : 28;  /* in UNITs; 0: empty */
    uint32_t turn : 4; /* records that were replaced there */
} Slot;

struct TbDisk {
    int fd;
    Header head;
    Slot *slot;
    unsigned bits, n;
    const uint8_t *map;      /* the file, `span` bytes of address space; */
    size_t span;
    size_t map_size;         /* what counted when it was opened, */
    _Atomic uint64_t written; /* and up to where this run's records are in it, too */
    _Atomic uint32_t reads;  /* since its pages were let go */
    uint64_t next;           /* behind what was found last */
    bool in_order;           /* that was behind the one before */
    uint32_t *order;         /* records in the order in which they were found, in UNITs; */
    uint32_t *replaced;      /* of the mapping, in UNITs */
    uint32_t norder, nreplaced;
    char *path;
    Record *copy;            /* of what was found last */
    TbDiskStats stats;
    /* what is added */
    uint8_t *queue[2];
    uint64_t queue_from[2];  /* where in the file each begins, */
    uint32_t queued;         /* bytes in queue[cur] */
    unsigned cur;
    bool thread_started, failed;
    pthread_t thread;
    pthread_mutex_t lock;    /* of what the thread shares: */
    pthread_cond_t changed;
    uint32_t busy;           /* bytes of queue[!cur] that it has still to write */
    bool stop, write_failed;
};

/* The slot with the hash's tag, or the empty one where it would be. */
Slot *tb_disk_slot(Slot *table, unsigned bits, uint64_t hash);
MUST_USE bool tb_disk_write_at(int fd, const void *p, size_t n, uint64_t at);
/* The table, then the header: records up to `end` count from now on. */
MUST_USE bool tb_disk_finish(int fd, const Header *old, const Slot *table, unsigned bits,
                             unsigned n, uint64_t end);

/* ---- the order of records ---- */

/* Writes the file anew, its records in the order in which this run looked for them, and puts it
 * where the old one was, which others may still read. `end`: of the records. False: nothing has changed. */
bool tb_disk_put_in_order(const TbDisk *d, uint64_t end);

#endif

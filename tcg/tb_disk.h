/* SPDX-License-Identifier: MIT */
/*
 * Translations kept on disk from run to run: records of bytes, found by a 64-bit hash. What
 * is in a record is the guest architecture's business (target-x86/saved.c); here is the file.
 *
 * One file for each identity: whoever makes code says by 16 bytes what it depends on (program,
 * host, options), and never sees records made under other ones. A file that is not this
 * user's, or that others may read or write, is not used. Records carry a checksum; a file that
 * is cut off, written to by somebody else or full of something else gives records that are
 * not found. It is mapped to be read (by pread a boot took 50 ms more: 3,400 pieces of 64 KiB);
 * where the host cannot give a page any more, tb_disk_fault puts an empty one.
 *
 * The first process that opens a file adds to it, others at the same time only read. New
 * records are written by a thread of their own and found in this run as soon as they are; in
 * the next ones only if this one ends in order (tb_disk_close). Callers hold a lock of theirs.
 */
#ifndef TCG_TB_DISK_H
#define TCG_TB_DISK_H

#include "util/compiler.h"
#include "util/error.h"

enum { TB_DISK_ID = 16, TB_DISK_RECORD = 48 * KiB /* the longest record, bytes */ };

typedef struct TbDisk TbDisk;
typedef struct TbDiskStats {
    uint64_t known;    /* records when the file was opened */
    uint64_t found, added;
    uint64_t jumps;    /* found, but not behind the one before */
    bool writes;       /* this process adds */
} TbDiskStats;

/* A part of a record. */
typedef struct TbDiskPart {
    const void *p;
    uint32_t n; /* bytes */
} TbDiskPart;

/* Bytes that a file may have, its table not counted (tests make it less). */
extern uint64_t tb_disk_most;

/* dir: made if it is missing (its parent, too), mode 0700. NULL, err set: it cannot be used;
 * the caller goes on without. */
TbDisk *tb_disk_open(const char *dir, const uint8_t id[TB_DISK_ID], Error *err);
/* The newest record with this hash, *n bytes, or NULL. A copy, until the next one is looked
 * for. */
const void *tb_disk_find(TbDisk *d, uint64_t hash, uint32_t *n);
/* Hints: the record will be looked for soon; it is the next one but this. */
void tb_disk_soon(const TbDisk *d, uint64_t hash);
void tb_disk_next(const TbDisk *d, uint64_t hash);
/* Would tb_disk_add have no use for it? */
bool tb_disk_has(TbDisk *d, uint64_t hash, bool again);
/* Adds a record made of parts, which replaces one with the same hash, but one of this run
 * only if `again`, and not more than a few times. Does nothing in a process that only reads, or
 * when the file is as long as it may be. */
void tb_disk_add(TbDisk *d, uint64_t hash, const TbDiskPart *parts, unsigned nparts,
                 bool again);
/* SIGBUS at this address: was it the file? Then the access can be repeated. Signal context. */
bool tb_disk_fault(const void *addr);
void tb_disk_stats(const TbDisk *d, TbDiskStats *s);
/* Writes what is new. NULL is allowed. */
void tb_disk_close(TbDisk *d);

/* Not for secrets: mixes n bytes into h. */
uint64_t tb_disk_hash(uint64_t h, const void *p, size_t n);

#endif

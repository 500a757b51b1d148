/* SPDX-License-Identifier: MIT */
/*
 * Guest memory: a tree of regions that flattens to a sorted view; one memfd holds all
 * RAM and ROM. The flat view feeds the soft TLB, KVM slots and DMA.
 *
 * Topology changes happen with the machine lock held and, once vCPUs run, inside an
 * exclusive section that memory_commit() enters by itself: so readers of a FlatView need
 * no lock while they are vCPU threads in guest code or hold the machine lock.
 */
#ifndef HW_CORE_MEMORY_H
#define HW_CORE_MEMORY_H

#include "util/compiler.h"
#include "util/error.h"

struct Machine;
typedef struct MemoryRegion MemoryRegion;
typedef struct AddressSpace AddressSpace;

typedef struct MemoryOps {
    /* addr is the offset in the region; size 1, 2, 4 or 8. Machine lock held unless
     * `lockless`. */
    uint64_t (*read)(void *opaque, uint64_t addr, unsigned size);
    void (*write)(void *opaque, uint64_t addr, uint64_t val, unsigned size);
    /* Sizes the handlers implement; the core splits larger accesses (little endian,
     * ascending) and widens smaller reads. 0 = 1..4. */
    uint8_t min_size, max_size;
    bool unaligned;      /* handlers take unaligned addresses (else split in bytes) */
    bool lockless;       /* handlers do their own locking */
} MemoryOps;

/* Doorbells: after a write of `size` bytes to off + n * stride, n < count, a vCPU may go on
 * at once; the engine calls the write handler soon after, from the main loop. With
 * `match`, n is the value written, which alone counts (stride 0). */
typedef struct MemoryEvent {
    uint64_t off;
    uint16_t stride, count;
    uint8_t size;
    bool match;
} MemoryEvent;

enum MemoryKind { MR_CONTAINER, MR_RAM, MR_ROM, MR_IO, MR_ALIAS };

struct MemoryRegion {
    enum MemoryKind kind;
    const char *name;      /* not owned */
    uint64_t size;         /* bytes; UINT64_MAX stands for 2^64 */
    /* RAM, ROM: */
    uint64_t ram_addr;     /* offset in the machine's RAM memfd, page aligned */
    bool readonly;         /* RAM made read-only for the guest (PAM); writes go to ops
                            * if there are any, else are dropped */
    /* IO (and ROM whose writes are commands, e.g. flash): */
    const MemoryOps *ops;
    void *opaque;
    /* ALIAS: */
    MemoryRegion *target;
    uint64_t target_off;
    /* place in the tree: */
    MemoryRegion *parent, *children, *next;
    uint64_t addr;         /* offset in the parent */
    int priority;          /* higher covers lower among overlapping siblings */
    bool enabled;
    uint8_t dirty_clients; /* DIRTY_* that log this RAM region */
    const MemoryEvent *events; /* IO: doorbells or NULL, set before the region is mapped */
    bool coalesced;        /* IO: the engine may hold writes back until anything else is
                            * accessed or memory_flush_writes; set before it is mapped */
    struct Machine *machine;
};

enum { /* dirty-log clients */
    DIRTY_VGA = 1 << 0, DIRTY_MIGRATION = 1 << 1, DIRTY_ALL = 3,
};

typedef struct FlatRange {
    uint64_t start, last;   /* guest address, inclusive */
    MemoryRegion *mr;       /* RAM, ROM or IO */
    uint64_t off;           /* offset of `start` in mr */
    bool readonly;          /* guest writes do not reach RAM */
    uint8_t *host;          /* host address of `start`, RAM and ROM; else NULL */
    uint64_t ram_addr;      /* of `start`, RAM and ROM */
} FlatRange;

typedef struct FlatView {
    unsigned n;
    FlatRange *r;           /* sorted, not overlapping */
} FlatView;

/* Subscribers (KVM slots; the TCG engine uses CpuExecOps.mapping_changed). Called inside
 * memory_commit. */
typedef struct MemoryListener {
    void (*region_del)(struct MemoryListener *l, const FlatRange *r);
    void (*region_add)(struct MemoryListener *l, const FlatRange *r);
    void (*commit)(struct MemoryListener *l);
    void (*log_sync)(struct MemoryListener *l, const FlatRange *r); /* optional */
    AddressSpace *as;
    struct MemoryListener *next;
} MemoryListener;

struct AddressSpace {
    const char *name;       /* "memory", "I/O" */
    MemoryRegion *root;
    FlatView *view;         /* current */
    MemoryListener *listeners;
    struct Machine *machine;
};

/* --- building the tree --- */
void memory_init_container(MemoryRegion *mr, struct Machine *m, const char *name, uint64_t size);
/* Allocates zeroed RAM/ROM from the machine's memfd; size is rounded up to 4096. */
bool memory_init_ram(MemoryRegion *mr, struct Machine *m, const char *name, uint64_t size,
                     Error *err);
bool memory_init_rom(MemoryRegion *mr, struct Machine *m, const char *name, uint64_t size,
                     Error *err);
void memory_init_io(MemoryRegion *mr, struct Machine *m, const char *name, uint64_t size,
                    const MemoryOps *ops, void *opaque);
void memory_init_alias(MemoryRegion *mr, struct Machine *m, const char *name,
                       MemoryRegion *target, uint64_t off, uint64_t size);
void memory_add(MemoryRegion *parent, MemoryRegion *mr, uint64_t addr, int priority);
void memory_remove(MemoryRegion *mr);          /* no effect if not placed */
void memory_set_enabled(MemoryRegion *mr, bool on);
void memory_set_addr(MemoryRegion *mr, uint64_t addr);
void memory_set_readonly(MemoryRegion *mr, bool ro);
void memory_set_alias_off(MemoryRegion *mr, uint64_t off);
/* Groups changes; the outermost commit flattens and tells subscribers. The functions
 * above do begin/commit themselves. */
void memory_begin(struct Machine *m);
void memory_commit(struct Machine *m);
uint8_t *memory_host(const MemoryRegion *mr);  /* RAM and ROM: start in the host */

void address_space_init(AddressSpace *as, struct Machine *m, const char *name,
                        MemoryRegion *root);
void address_space_listen(AddressSpace *as, MemoryListener *l);
void address_space_unlisten(MemoryListener *l);
/* Range that holds addr, or NULL (hole). O(log n), no lock (see top). */
const FlatRange *address_space_find(const AddressSpace *as, uint64_t addr);
void memory_dump(struct Machine *m, void *file);        /* info mtree */

/* --- access by CPUs and devices; takes the machine lock itself if the region needs it
 * and the thread does not hold it. Holes read as ones and swallow writes. --- */
uint64_t memory_io_read(AddressSpace *as, uint64_t addr, unsigned size);
void memory_io_write(AddressSpace *as, uint64_t addr, unsigned size, uint64_t val);
/* Writes that the engine held back (MemoryRegion.coalesced) reach their handlers. Machine
 * lock. */
void memory_flush_writes(struct Machine *m);
/* Any length, RAM or I/O; false if any byte fell in a hole. */
bool memory_read(AddressSpace *as, uint64_t addr, void *to, uint64_t n);
bool memory_write(AddressSpace *as, uint64_t addr, const void *from, uint64_t n);
/* Writes ROM too (loaders). */
bool memory_load(AddressSpace *as, uint64_t addr, const void *from, uint64_t n);

/* --- DMA: bounded, checked. Map returns a host pointer valid until unmap, *len cut to
 * what is contiguous plain RAM; NULL if the first byte is not plain writable RAM (then
 * use memory_read/write). unmap with the bytes written tells engine and dirty log. --- */
void *dma_map(struct Machine *m, uint64_t gpa, uint64_t *len, bool write);
void dma_unmap(struct Machine *m, void *host, uint64_t written);
/* Whole pages of what dma_map gave go back to the host and read as zeros, if it takes them:
 * they count as written in dma_unmap. */
void memory_discard(struct Machine *m, void *host, uint64_t len);

/* --- dirty log: a byte per RAM page holds the clients for which it is dirty --- */
void memory_log_start(MemoryRegion *mr, uint8_t client);
void memory_log_stop(MemoryRegion *mr, uint8_t client);
/* Marks RAM written by anything but a plain guest store the engine tracks itself. Any
 * thread, no lock. */
void memory_set_dirty(struct Machine *m, uint64_t ram_addr, uint64_t len);
/* Copies and clears the client's bits for a span of a region; bitmap bit n = page n of
 * the span. Returns whether any was set. Machine lock. */
bool memory_log_take(MemoryRegion *mr, uint64_t off, uint64_t len, uint8_t client,
                     uint64_t *bitmap);
/* True if a guest store to this page must be reported through memory_set_dirty (a
 * client logs it and the page is clean for some client). */
bool memory_needs_dirty(struct Machine *m, uint64_t ram_addr);

#endif

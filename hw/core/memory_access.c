/* SPDX-License-Identifier: MIT */
/*
 * Access through the flat view: I/O dispatch with size adaptation, block copies, DMA, and
 * the dirty log. A device may be reached again from its own DMA: nesting is bounded by
 * IO_DEPTH, deeper accesses find a hole.
 */
#define _GNU_SOURCE
#include "hw/core/memory.h"

#include <fcntl.h>
#include <string.h>
#include "hw/core/core_int.h"
#include "util/log.h"

enum { PAGE = 4096, IO_DEPTH = 4 };

static __thread unsigned io_depth;

/* ---- dispatch to handlers ---- */

static uint64_t mask(unsigned size)
{
    return ~0ull >> (64 - 8 * size);
}

static unsigned min_size(const MemoryOps *o)
{
    return o->min_size ? o->min_size : 1;
}

static unsigned max_size(const MemoryOps *o)
{
    return o->max_size ? o->max_size : 4;
}

/* Size of the pieces an access is made in. */
static unsigned piece(const MemoryOps *o, uint64_t off, unsigned size)
{
    if (!o->unaligned && (off & (size - 1))) {
        return 1;
    }
    return MIN(size, max_size(o));
}

static uint64_t region_read(const MemoryRegion *mr, uint64_t off, unsigned size)
{
    const MemoryOps *o = mr->ops;
    uint64_t v = 0;
    if (!o || !o->read) {
        return mask(size);
    }
    unsigned step = piece(o, off, size), min = min_size(o);
    for (unsigned i = 0; i < size; i += step) {
        uint64_t at = off + i, part;
        if (step < min) { /* widen, and cut out */
            unsigned shift = 8 * (at & (min - 1));
            part = o->read(mr->opaque, at & ~(uint64_t)(min - 1), min) >> shift;
        } else {
            part = o->read(mr->opaque, at, step);
        }
        v |= (part & mask(step)) << (8 * i);
    }
    return v;
}

static void region_write(const MemoryRegion *mr, uint64_t off, unsigned size, uint64_t val)
{
    const MemoryOps *o = mr->ops;
    if (!o || !o->write) {
        return;
    }
    unsigned step = piece(o, off, size), min = min_size(o);
    for (unsigned i = 0; i < size; i += step) {
        /* A write smaller than the handler takes is zero-extended. */
        o->write(mr->opaque, off + i, val >> (8 * i) & mask(step), MAX(step, min));
    }
}

/* ---- one access, 1 to 8 bytes within a range ---- */

static void ram_touched(Machine *m, uint64_t ram_addr, uint64_t len)
{
    memory_set_dirty(m, ram_addr, len);
    if (m->exec && m->exec->ram_written) {
        m->exec->ram_written(m, ram_addr, len);
    }
}

static uint64_t range_read(AddressSpace *as, const FlatRange *r, uint64_t addr,
                           unsigned size)
{
    uint64_t off = addr - r->start, v = 0;
    if (r->host) {
        memcpy(&v, r->host + off, size);
        return v;
    }
    return region_read(r->mr, r->off + off, size);
}

static void range_write(AddressSpace *as, const FlatRange *r, uint64_t addr, unsigned size,
                        uint64_t val)
{
    uint64_t off = addr - r->start;
    if (!r->host || r->readonly) {
        region_write(r->mr, r->off + off, size, val);
    } else {
        memcpy(r->host + off, &val, size);
        ram_touched(as->machine, r->ram_addr + off, size);
    }
}

static bool needs_lock(const FlatRange *r)
{
    return !r->mr->ops || !r->mr->ops->lockless;
}

/* Is it the region's handler that answers? (A write to flash is a command.) */
static bool calls(const FlatRange *r, bool write)
{
    return !r->host || (write && r->readonly && r->mr->ops);
}

/* Finds the range of an access and takes the machine lock if it is needed, in which case
 * *locked tells to release it. The view may change while we wait: so look again. */
static const FlatRange *enter(AddressSpace *as, uint64_t addr, bool write, bool *locked)
{
    const FlatRange *r = address_space_find(as, addr);
    *locked = false;
    if (r && calls(r, write) && needs_lock(r) && !machine_locked(as->machine)) {
        machine_lock(as->machine);
        *locked = true;
        r = address_space_find(as, addr);
    }
    if (!r || io_depth >= IO_DEPTH) {
        r = NULL;
    }
    io_depth++;
    return r;
}

static void leave(AddressSpace *as, bool locked)
{
    io_depth--;
    if (locked) {
        machine_unlock(as->machine);
    }
}

uint64_t memory_io_read(AddressSpace *as, uint64_t addr, unsigned size)
{
    bool locked;
    const FlatRange *r = enter(as, addr, false, &locked);
    uint64_t v;
    if (r && size - 1 > r->last - addr) { /* crosses into another range */
        leave(as, locked);
        v = 0;
        for (unsigned i = 0; i < size; i++) {
            v |= memory_io_read(as, addr + i, 1) << (8 * i);
        }
        return v;
    }
    v = r ? range_read(as, r, addr, size) : mask(size);
    leave(as, locked);
    if (!r) {
        log_guest_error("%s: read of %u bytes at %#llx, where nothing is\n", as->name, size,
                        (unsigned long long)addr);
    }
    return v;
}

void memory_io_write(AddressSpace *as, uint64_t addr, unsigned size, uint64_t val)
{
    bool locked;
    const FlatRange *r = enter(as, addr, true, &locked);
    if (r && size - 1 > r->last - addr) {
        leave(as, locked);
        for (unsigned i = 0; i < size; i++) {
            memory_io_write(as, addr + i, 1, val >> (8 * i) & 0xff);
        }
        return;
    }
    if (r) {
        range_write(as, r, addr, size, val);
    }
    leave(as, locked);
    if (!r) {
        log_guest_error("%s: write of %u bytes at %#llx, where nothing is\n", as->name, size,
                        (unsigned long long)addr);
    }
}

/* ---- blocks ---- */

/* Largest naturally aligned access of at most 4 bytes for the next piece of a block. */
static unsigned io_step(uint64_t addr, uint64_t n)
{
    return !(addr & 3) && n >= 4 ? 4 : !(addr & 1) && n >= 2 ? 2 : 1;
}

bool memory_read(AddressSpace *as, uint64_t addr, void *to, uint64_t n)
{
    uint8_t *p = to;
    bool ok = true;
    while (n) {
        const FlatRange *r = address_space_find(as, addr);
        uint64_t len;
        if (r && r->host) {
            len = r->last - addr < n - 1 ? r->last - addr + 1 : n;
            memcpy(p, r->host + (addr - r->start), len);
        } else {
            len = io_step(addr, n);
            uint64_t v = memory_io_read(as, addr, (unsigned)len);
            memcpy(p, &v, len);
            ok &= r != NULL;
        }
        p += len;
        addr += len;
        n -= len;
    }
    return ok;
}

static bool write_block(AddressSpace *as, uint64_t addr, const void *from, uint64_t n,
                        bool rom_too)
{
    const uint8_t *p = from;
    bool ok = true;
    while (n) {
        const FlatRange *r = address_space_find(as, addr);
        uint64_t len;
        if (r && r->host && (rom_too || !r->readonly)) {
            len = r->last - addr < n - 1 ? r->last - addr + 1 : n;
            memcpy(r->host + (addr - r->start), p, len);
            ram_touched(as->machine, r->ram_addr + (addr - r->start), len);
        } else {
            len = io_step(addr, n);
            uint64_t v = 0;
            memcpy(&v, p, len);
            memory_io_write(as, addr, (unsigned)len, v);
            ok &= r != NULL;
        }
        p += len;
        addr += len;
        n -= len;
    }
    return ok;
}

bool memory_write(AddressSpace *as, uint64_t addr, const void *from, uint64_t n)
{
    return write_block(as, addr, from, n, false);
}

bool memory_load(AddressSpace *as, uint64_t addr, const void *from, uint64_t n)
{
    return write_block(as, addr, from, n, true);
}

/* ---- DMA ---- */

void *dma_map(Machine *m, uint64_t gpa, uint64_t *len, bool write)
{
    const FlatRange *r = address_space_find(&m->mem, gpa);
    if (!r || !r->host || (write && r->readonly) || *len == 0) {
        return NULL;
    }
    if (r->last - gpa < *len - 1) {
        *len = r->last - gpa + 1;
    }
    if (write && m->exec && m->exec->dma_mapped) {
        m->exec->dma_mapped(m, r->ram_addr + (gpa - r->start), *len, true);
    }
    return r->host + (gpa - r->start);
}

void dma_unmap(Machine *m, void *host, uint64_t written)
{
    if (written) {
        ram_touched(m, (uint64_t)((uint8_t *)host - m->ram_base), written);
    }
    if (m->exec && m->exec->dma_mapped) {
        m->exec->dma_mapped(m, (uint64_t)((uint8_t *)host - m->ram_base), written, false);
    }
}

void memory_discard(Machine *m, void *host, uint64_t len)
{
    uint64_t at = (uint64_t)((uint8_t *)host - m->ram_base);
    uint64_t first = ALIGN_UP(at, PAGE), end = ALIGN_DOWN(at + len, PAGE);
    if (first < end) {
        (void)fallocate(m->ram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first,
                        (off_t)(end - first));
    }
}

/* ---- dirty log ---- */

void memory_set_dirty(Machine *m, uint64_t ram_addr, uint64_t len)
{
    if (!len) {
        return;
    }
    for (uint64_t p = ram_addr / PAGE; p <= (ram_addr + len - 1) / PAGE; p++) {
        uint8_t log = atomic_load_explicit(&m->ram_log[p], memory_order_relaxed);
        if (log & ~atomic_load_explicit(&m->dirty[p], memory_order_relaxed)) {
            atomic_fetch_or(&m->dirty[p], log);
        }
    }
}

bool memory_needs_dirty(Machine *m, uint64_t ram_addr)
{
    uint64_t p = ram_addr / PAGE;
    return atomic_load_explicit(&m->ram_log[p], memory_order_relaxed) &
           ~atomic_load_explicit(&m->dirty[p], memory_order_relaxed);
}

typedef struct LogSpan {
    MemoryRegion *mr;
    uint64_t first, pages;  /* page numbers in the arena */
    uint8_t client;
    bool on, any;
    uint64_t *bitmap;
} LogSpan;

static void log_switch(Machine *m, void *arg)
{
    const LogSpan *s = arg;
    for (uint64_t p = s->first; p < s->first + s->pages; p++) {
        if (s->on) {
            atomic_fetch_and(&m->dirty[p], (uint8_t)~s->client);
            atomic_fetch_or(&m->ram_log[p], s->client);
        } else {
            atomic_fetch_and(&m->ram_log[p], (uint8_t)~s->client);
        }
    }
}

static void set_logging(MemoryRegion *mr, uint8_t client, bool on)
{
    if (on == !!(mr->dirty_clients & client)) {
        return;
    }
    LogSpan s = { .mr = mr, .first = mr->ram_addr / PAGE, .pages = mr->size / PAGE,
                  .client = client, .on = on };
    mr->dirty_clients ^= client;
    memory_exclusive(mr->machine, log_switch, &s);
}

void memory_log_start(MemoryRegion *mr, uint8_t client)
{
    set_logging(mr, client, true);
}

void memory_log_stop(MemoryRegion *mr, uint8_t client)
{
    set_logging(mr, client, false);
}

static void log_collect(Machine *m, void *arg)
{
    LogSpan *s = arg;
    for (uint64_t i = 0; i < s->pages; i++) {
        _Atomic uint8_t *d = &m->dirty[s->first + i];
        if (*d & s->client) {
            atomic_fetch_and(d, (uint8_t)~s->client);
            if (s->bitmap) {
                s->bitmap[i / 64] |= BIT(i % 64);
            }
        }
    }
}

/* Lets listeners (KVM) bring their own dirty bits into ours. */
static void log_sync(Machine *m, const MemoryRegion *mr)
{
    for (MemoryListener *l = m->mem.listeners; l; l = l->next) {
        for (unsigned i = 0; l->log_sync && i < m->mem.view->n; i++) {
            if (m->mem.view->r[i].mr == mr) {
                l->log_sync(l, &m->mem.view->r[i]);
            }
        }
    }
}

bool memory_log_take(MemoryRegion *mr, uint64_t off, uint64_t len, uint8_t client,
                     uint64_t *bitmap)
{
    Machine *m = mr->machine;
    if (!len || off >= mr->size) {
        return false;
    }
    len = MIN(len, mr->size - off);
    LogSpan s = { .first = (mr->ram_addr + off) / PAGE, .client = client,
                  .bitmap = bitmap };
    s.pages = (mr->ram_addr + off + len - 1) / PAGE - s.first + 1;
    if (bitmap) {
        memset(bitmap, 0, (s.pages + 63) / 64 * 8);
    }
    log_sync(m, mr);
    for (uint64_t i = 0; i < s.pages && !s.any; i++) {
        s.any = m->dirty[s.first + i] & client;
    }
    if (s.any) { /* the pages become clean: stores to them must be reported again */
        memory_exclusive(m, log_collect, &s);
    }
    return s.any;
}

void memory_flush_writes(Machine *m)
{
    if (m->exec && m->exec->flush_writes) {
        m->exec->flush_writes(m);
    }
}

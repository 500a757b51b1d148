/* SPDX-License-Identifier: MIT */
/*
 * The region tree, its flattening, and the RAM arena. Flattening walks the tree from the
 * root, siblings by falling priority, and lets a region fill only what is still free.
 * Machine lock held, except address_space_find.
 */
#include "hw/core/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "hw/core/core_int.h"
#include "util/alloc.h"

enum {
    PAGE = 4096,
    MAX_DEPTH = 32, /* nesting of containers and aliases; deeper is our own mistake */
};
#define HUGE_PAGE (2 * MiB)

/* ---- the arena ---- */

bool memory_arena_init(Machine *m, uint64_t max, Error *err)
{
    m->ram_max = ALIGN_UP(max, HUGE_PAGE);
    m->ram_fd = memfd_create("dyad-ram", MFD_CLOEXEC);
    if (m->ram_fd < 0) {
        return error_set(err, "cannot make the memory file: %s", strerror(errno));
    }
    /* One huge page more, to start on such a boundary. */
    uint8_t *p = mmap(NULL, m->ram_max + HUGE_PAGE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t pages = m->ram_max / PAGE;
    void *tables = p == MAP_FAILED ? MAP_FAILED
                                   : mmap(NULL, 2 * pages, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (tables == MAP_FAILED) {
        return error_set(err, "cannot reserve %llu MiB of address space: %s",
                         m->ram_max / MiB, strerror(errno));
    }
    m->ram_base = (uint8_t *)ALIGN_UP((uintptr_t)p, HUGE_PAGE);
    m->dirty = tables;
    m->ram_log = (_Atomic uint8_t *)tables + pages;
    return true;
}

void memory_arena_destroy(Machine *m)
{
    if (m->ram_base) {
        munmap(m->ram_base, m->ram_max);
        munmap((void *)m->dirty, 2 * (m->ram_max / PAGE));
    }
    if (m->ram_fd >= 0) {
        close(m->ram_fd);
    }
}

static bool arena_take(Machine *m, uint64_t size, uint64_t *addr, Error *err)
{
    uint64_t start = size >= HUGE_PAGE ? ALIGN_UP(m->ram_used, HUGE_PAGE) : m->ram_used;
    if (start > m->ram_max || size > m->ram_max - start) {
        return error_set(err, "no room for %llu KiB more of memory", size / KiB);
    }
    if (ftruncate(m->ram_fd, (off_t)(start + size)) < 0 ||
        mmap(m->ram_base + start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             m->ram_fd, (off_t)start) == MAP_FAILED) {
        return error_set(err, "cannot get %llu MiB of memory: %s", size / MiB,
                         strerror(errno));
    }
    if (size >= HUGE_PAGE) {
        madvise(m->ram_base + start, size, MADV_HUGEPAGE); /* a wish; may fail */
    }
    m->ram_used = start + size;
    *addr = start;
    return true;
}

/* ---- building the tree ---- */

static void init(MemoryRegion *mr, Machine *m, enum MemoryKind kind, const char *name,
                 uint64_t size)
{
    *mr = (MemoryRegion){
        .kind = kind, .name = name, .size = size, .enabled = true, .machine = m,
    };
}

void memory_init_container(MemoryRegion *mr, Machine *m, const char *name, uint64_t size)
{
    init(mr, m, MR_CONTAINER, name, size);
}

bool memory_init_ram(MemoryRegion *mr, Machine *m, const char *name, uint64_t size,
                     Error *err)
{
    if (size == 0 || size > UINT64_MAX - HUGE_PAGE) {
        return error_set(err, "%s: a size of %" PRIu64 " is not possible", name, size);
    }
    init(mr, m, MR_RAM, name, ALIGN_UP(size, PAGE));
    return arena_take(m, mr->size, &mr->ram_addr, err);
}

bool memory_init_rom(MemoryRegion *mr, Machine *m, const char *name, uint64_t size,
                     Error *err)
{
    bool ok = memory_init_ram(mr, m, name, size, err);
    mr->kind = MR_ROM;
    return ok;
}

void memory_init_io(MemoryRegion *mr, Machine *m, const char *name, uint64_t size,
                    const MemoryOps *ops, void *opaque)
{
    init(mr, m, MR_IO, name, size);
    mr->ops = ops;
    mr->opaque = opaque;
}

void memory_init_alias(MemoryRegion *mr, Machine *m, const char *name,
                       MemoryRegion *target, uint64_t off, uint64_t size)
{
    init(mr, m, MR_ALIAS, name, size);
    mr->target = target;
    mr->target_off = off;
}

uint8_t *memory_host(const MemoryRegion *mr)
{
    return mr->machine->ram_base + mr->ram_addr;
}

void memory_add(MemoryRegion *parent, MemoryRegion *mr, uint64_t addr, int priority)
{
    memory_begin(mr->machine);
    memory_remove(mr);
    mr->parent = parent;
    mr->addr = addr;
    mr->priority = priority;
    MemoryRegion **pp = &parent->children;
    while (*pp && (*pp)->priority > priority) { /* of equals the newest is on top */
        pp = &(*pp)->next;
    }
    mr->next = *pp;
    *pp = mr;
    mr->machine->memory_dirty_topology = true;
    memory_commit(mr->machine);
}

void memory_remove(MemoryRegion *mr)
{
    if (!mr->parent) {
        return;
    }
    memory_begin(mr->machine);
    MemoryRegion **pp = &mr->parent->children;
    while (*pp != mr) {
        pp = &(*pp)->next;
    }
    *pp = mr->next;
    mr->next = NULL;
    mr->parent = NULL;
    mr->machine->memory_dirty_topology = true;
    memory_commit(mr->machine);
}

static void changed(MemoryRegion *mr)
{
    memory_begin(mr->machine);
    mr->machine->memory_dirty_topology = true;
    memory_commit(mr->machine);
}

void memory_set_enabled(MemoryRegion *mr, bool on)
{
    if (mr->enabled != on) {
        mr->enabled = on;
        changed(mr);
    }
}

void memory_set_addr(MemoryRegion *mr, uint64_t addr)
{
    if (mr->addr != addr) {
        mr->addr = addr;
        changed(mr);
    }
}

void memory_set_readonly(MemoryRegion *mr, bool ro)
{
    if (mr->readonly != ro) {
        mr->readonly = ro;
        changed(mr);
    }
}

void memory_set_alias_off(MemoryRegion *mr, uint64_t off)
{
    if (mr->target_off != off) {
        mr->target_off = off;
        changed(mr);
    }
}

/* ---- flattening ---- */

typedef struct Builder {
    FlatRange *r;
    unsigned n, cap;
} Builder;

static void builder_insert(Builder *b, unsigned at, const FlatRange *r)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->r = xrealloc(b->r, b->cap * sizeof(*b->r));
    }
    memmove(&b->r[at + 1], &b->r[at], (b->n - at) * sizeof(*b->r));
    b->r[at] = *r;
    b->n++;
}

/* Gives to mr what of view_start..view_last nobody has yet; off belongs to view_start. */
static void fill(Builder *b, MemoryRegion *mr, uint64_t off, uint64_t view_start,
                 uint64_t view_last, bool readonly)
{
    uint64_t at = view_start;
    for (unsigned i = 0;; i++) {
        while (i < b->n && b->r[i].last < at) {
            i++;
        }
        bool taken = i < b->n && b->r[i].start <= view_last;
        if (!taken || b->r[i].start > at) {
            FlatRange r = { .start = at, .last = taken ? b->r[i].start - 1 : view_last,
                            .mr = mr, .off = off + (at - view_start),
                            .readonly = readonly };
            if (mr->kind != MR_IO) {
                r.ram_addr = mr->ram_addr + r.off;
                r.host = memory_host(mr) + r.off;
            }
            builder_insert(b, i++, &r);
        }
        if (!taken || b->r[i].last >= view_last) {
            return;
        }
        at = b->r[i].last + 1;
    }
}

/* Shows offsets off..off_last of mr from view_start on. */
static void render(Builder *b, MemoryRegion *mr, uint64_t off, uint64_t off_last,
                   uint64_t view_start, bool readonly, unsigned depth)
{
    if (!mr->enabled || mr->size == 0 || depth > MAX_DEPTH) {
        return;
    }
    uint64_t size_last = mr->size == UINT64_MAX ? UINT64_MAX : mr->size - 1;
    if (off > size_last) {
        return;
    }
    off_last = MIN(off_last, size_last);
    readonly |= mr->readonly;
    if (mr->kind == MR_ALIAS) {
        if (mr->target_off <= UINT64_MAX - off) {
            uint64_t t = mr->target_off + off, len = off_last - off;
            render(b, mr->target, t, len > UINT64_MAX - t ? UINT64_MAX : t + len,
                   view_start, readonly, depth + 1);
        }
        return;
    }
    for (MemoryRegion *c = mr->children; c; c = c->next) {
        uint64_t c_last = c->size == UINT64_MAX || c->size - 1 > UINT64_MAX - c->addr
                              ? UINT64_MAX
                              : c->addr + c->size - 1;
        uint64_t start = MAX(off, c->addr), last = MIN(off_last, c_last);
        if (c->size && start <= last) {
            render(b, c, start - c->addr, last - c->addr, view_start + (start - off),
                   readonly, depth + 1);
        }
    }
    if (mr->kind != MR_CONTAINER) {
        fill(b, mr, off, view_start, view_start + (off_last - off),
             readonly || mr->kind == MR_ROM);
    }
}

static FlatView *flatten(MemoryRegion *root)
{
    Builder b = { 0 };
    if (root) {
        render(&b, root, 0, UINT64_MAX, 0, false, 0);
    }
    unsigned n = 0;
    for (unsigned i = 0; i < b.n; i++) { /* join neighbours */
        FlatRange *p = n ? &b.r[n - 1] : NULL, *r = &b.r[i];
        if (p && p->mr == r->mr && p->last + 1 == r->start && p->readonly == r->readonly &&
            p->off + (r->start - p->start) == r->off) {
            p->last = r->last;
        } else {
            b.r[n++] = *r;
        }
    }
    FlatView *v = NEW(FlatView);
    v->n = n;
    v->r = b.r;
    return v;
}

static void view_free(FlatView *v)
{
    if (v) {
        free(v->r);
        free(v);
    }
}

static bool same_range(const FlatRange *a, const FlatRange *b)
{
    return a->start == b->start && a->last == b->last && a->mr == b->mr &&
           a->off == b->off && a->readonly == b->readonly && a->ram_addr == b->ram_addr;
}

static bool same_view(const FlatView *a, const FlatView *b)
{
    if (!a || a->n != b->n) {
        return false;
    }
    for (unsigned i = 0; i < a->n; i++) {
        if (!same_range(&a->r[i], &b->r[i])) {
            return false;
        }
    }
    return true;
}

static bool has_range(const FlatView *v, const FlatRange *r)
{
    for (unsigned i = 0; v && i < v->n && v->r[i].start <= r->start; i++) {
        if (same_range(&v->r[i], r)) {
            return true;
        }
    }
    return false;
}

static void tell_listener(MemoryListener *l, const FlatView *old, const FlatView *new)
{
    for (unsigned i = 0; old && i < old->n; i++) {
        if (l->region_del && !has_range(new, &old->r[i])) {
            l->region_del(l, &old->r[i]);
        }
    }
    for (unsigned i = 0; new && i < new->n; i++) {
        if (l->region_add && !has_range(old, &new->r[i])) {
            l->region_add(l, &new->r[i]);
        }
    }
    if (l->commit) {
        l->commit(l);
    }
}

/* ---- commit ---- */

void memory_exclusive(Machine *m, void (*fn)(Machine *m, void *arg), void *arg)
{
    Cpu *self = cpu_current();
    cpu_exclusive_begin(m, self);
    fn(m, arg);
    if (m->exec && m->exec->mapping_changed) {
        m->exec->mapping_changed(m);
    }
    cpu_exclusive_end(m, self);
}

static void swap_views(Machine *m, void *arg)
{
    FlatView **v = arg;
    AddressSpace *spaces[2] = { &m->mem, &m->io };
    for (int i = 0; i < 2; i++) {
        FlatView *old = spaces[i]->view;
        if (same_view(old, v[i])) {
            continue; /* v[i] stays in its slot and is freed */
        }
        spaces[i]->view = v[i];
        v[i] = old;
        for (MemoryListener *l = spaces[i]->listeners; l; l = l->next) {
            tell_listener(l, old, spaces[i]->view);
        }
    }
}

void memory_begin(Machine *m)
{
    m->memory_depth++;
}

void memory_commit(Machine *m)
{
    if (--m->memory_depth > 0 || !m->memory_dirty_topology || !m->mem.root) {
        return;
    }
    m->memory_dirty_topology = false;
    FlatView *v[2] = { flatten(m->mem.root), flatten(m->io.root) };
    if (!same_view(m->mem.view, v[0]) || !same_view(m->io.view, v[1])) {
        memory_exclusive(m, swap_views, v);
    }
    view_free(v[0]);
    view_free(v[1]);
}

void address_space_init(AddressSpace *as, Machine *m, const char *name, MemoryRegion *root)
{
    *as = (AddressSpace){ .name = name, .root = root, .machine = m };
    as->view = flatten(root);
}

void address_space_destroy(AddressSpace *as)
{
    view_free(as->view);
    as->view = NULL;
}

void address_space_listen(AddressSpace *as, MemoryListener *l)
{
    l->as = as;
    l->next = as->listeners;
    as->listeners = l;
    tell_listener(l, NULL, as->view);
}

void address_space_unlisten(MemoryListener *l)
{
    for (MemoryListener **pp = &l->as->listeners; *pp; pp = &(*pp)->next) {
        if (*pp == l) {
            *pp = l->next;
            tell_listener(l, l->as->view, NULL);
            return;
        }
    }
}

const FlatRange *address_space_find(const AddressSpace *as, uint64_t addr)
{
    const FlatView *v = as->view;
    unsigned lo = 0, hi = v->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (v->r[mid].last < addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < v->n && v->r[lo].start <= addr ? &v->r[lo] : NULL;
}

/* ---- info mtree ---- */

static const char *kind_name(const FlatRange *r)
{
    return r->mr->kind == MR_IO ? "i/o" : r->readonly ? "rom" : "ram";
}

static void dump_tree(const MemoryRegion *mr, FILE *f, unsigned depth)
{
    static const char *const kinds[] = { "container", "ram", "rom", "i/o", "alias" };
    if (depth > MAX_DEPTH) {
        return;
    }
    fprintf(f, "%*s%016" PRIx64 "-%016" PRIx64 " (%s, priority %d) %s%s%s%s\n", depth * 2,
            "", mr->addr,
            mr->size == UINT64_MAX ? UINT64_MAX : mr->addr + mr->size - (mr->size != 0),
            kinds[mr->kind], mr->priority, mr->name, mr->target ? " @" : "",
            mr->target ? mr->target->name : "", mr->enabled ? "" : " [off]");
    for (const MemoryRegion *c = mr->children; c; c = c->next) {
        dump_tree(c, f, depth + 1);
    }
}

void memory_dump(Machine *m, void *file)
{
    const AddressSpace *spaces[2] = { &m->mem, &m->io };
    for (int i = 0; i < 2; i++) {
        fprintf(file, "address space %s, tree:\n", spaces[i]->name);
        dump_tree(spaces[i]->root, file, 1);
        fprintf(file, "address space %s, flat:\n", spaces[i]->name);
        for (unsigned j = 0; j < spaces[i]->view->n; j++) {
            const FlatRange *r = &spaces[i]->view->r[j];
            fprintf(file, "  %016" PRIx64 "-%016" PRIx64 " %s %s +%" PRIx64 "\n", r->start,
                    r->last, kind_name(r), r->mr->name, r->off);
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Memory slots, fed from the flat view: RAM, ROM as read-only slots (stores to it exit),
 * holes and I/O as no slot at all. KVM API 4.35, 4.8. Slots stay current while another
 * engine runs the machine. Doorbells and coalesced windows of I/O regions follow (events.c).
 * Called within memory_commit: machine lock, vCPUs outside guest code.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include "accel/kvm/kvm_int.h"
#include "util/alloc.h"
#include "util/log.h"

enum { PAGE = 4096 };
#define SPARE_PAGE 0xfeffb000ull /* below what kvm.c gives KVM: nobody's memory */

static int slot_set(KvmMachine *k, unsigned n, uint64_t size)
{
    KvmSlot *s = &k->slots[n];
    struct kvm_userspace_memory_region r = {
        .slot = n, .flags = s->flags, .guest_phys_addr = s->gpa, .memory_size = size,
        .userspace_addr = (uintptr_t)(k->m->ram_base + s->ram_addr),
    };
    k->slot_changes++;
    return kvm_ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

/* Before the machine is ready: an error. After: the guest's accesses exit, one by one. */
static void refused(KvmMachine *k, const FlatRange *r, int ret)
{
    if (!k->mem_error[0]) {
        snprintf(k->mem_error, sizeof(k->mem_error),
                 "cannot map %s at %#" PRIx64 " (%" PRIu64 " MiB): %s", r->mr->name, r->start,
                 (uint64_t)((r->last - r->start + 1) / MiB),
                 ret == -ENOSPC ? "too many memory slots" : strerror(-ret));
        if (k->ready) {
            warn_report("kvm: %s: it is slow from now on", k->mem_error);
        }
    }
}

static void slot_add(KvmMachine *k, const FlatRange *r)
{
    uint64_t start = ALIGN_UP(r->start, PAGE), end = (r->last + 1) & ~(uint64_t)(PAGE - 1);
    if (!r->host || start >= end) {
        return;
    }
    unsigned n = 0;
    while (n < KVM_MAX_SLOTS && k->slots[n].used) {
        n++;
    }
    if (n == KVM_MAX_SLOTS) {
        refused(k, r, -ENOSPC);
        return;
    }
    KvmSlot *s = &k->slots[n];
    *s = (KvmSlot){
        .used = true, .gpa = start, .size = end - start, .mr = r->mr,
        .ram_addr = r->ram_addr + (start - r->start),
        .flags = (r->readonly ? KVM_MEM_READONLY : 0) |
                 (r->mr->dirty_clients ? KVM_MEM_LOG_DIRTY_PAGES : 0),
    };
    int ret = slot_set(k, n, s->size);
    if (ret < 0) {
        s->used = false;
        refused(k, r, ret);
    }
}

/* Brings the kernel's dirty pages of a slot into the machine's log. */
static void slot_sync(KvmMachine *k, unsigned n)
{
    KvmSlot *s = &k->slots[n];
    if (!(s->flags & KVM_MEM_LOG_DIRTY_PAGES)) {
        return;
    }
    uint64_t pages = s->size / PAGE;
    uint64_t *bits = xalloc(ALIGN_UP(pages, 64) / 8);
    struct kvm_dirty_log log = { .slot = n, .dirty_bitmap = bits };
    if (kvm_ioctl(k->vm, KVM_GET_DIRTY_LOG, &log) == 0) {
        for (uint64_t i = 0; i < pages; i++) {
            if (bits[i / 64] >> (i % 64) & 1) {
                memory_set_dirty(k->m, s->ram_addr + i * PAGE, PAGE);
            }
        }
    }
    free(bits);
}

/* KVM may shadow the guest's page tables, and does not see our stores to them. It drops all
 * that when any slot goes. Two vCPUs at once: whoever's slot goes, it goes after both have
 * asked. */
void kvm_drop_shadow(KvmMachine *k)
{
    static uint8_t dummy[PAGE] __attribute__((aligned(PAGE)));
    struct kvm_userspace_memory_region r = {
        .slot = KVM_MAX_SLOTS, .guest_phys_addr = SPARE_PAGE, .memory_size = PAGE,
        .userspace_addr = (uintptr_t)dummy,
    };
    kvm_ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &r);
    r.memory_size = 0;
    kvm_ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static KvmMachine *of_mem(MemoryListener *l) { return container_of(l, KvmMachine, mem); }

static void mem_del(MemoryListener *l, const FlatRange *r)
{
    KvmMachine *k = of_mem(l);
    uint64_t start = ALIGN_UP(r->start, PAGE);
    for (unsigned n = 0; r->host && n < KVM_MAX_SLOTS; n++) {
        KvmSlot *s = &k->slots[n];
        if (s->used && s->gpa == start) {
            slot_sync(k, n);
            slot_set(k, n, 0);
            s->used = false;
            return;
        }
    }
}

static void mem_del_any(MemoryListener *l, const FlatRange *r)
{
    mem_del(l, r);
    kvm_bells_del(of_mem(l), r, false);
    kvm_coalesced_set(of_mem(l), r, false);
}

static void mem_add(MemoryListener *l, const FlatRange *r)
{
    slot_add(of_mem(l), r);
    kvm_bells_add(of_mem(l), r, false);
    kvm_coalesced_set(of_mem(l), r, true);
}

static void mem_log_sync(MemoryListener *l, const FlatRange *r)
{
    KvmMachine *k = of_mem(l);
    uint64_t start = ALIGN_UP(r->start, PAGE);
    for (unsigned n = 0; n < KVM_MAX_SLOTS; n++) {
        if (k->slots[n].used && k->slots[n].gpa == start) {
            slot_sync(k, n);
        }
    }
}

static void io_del(MemoryListener *l, const FlatRange *r)
{
    kvm_bells_del(container_of(l, KvmMachine, io), r, true);
}

static void io_add(MemoryListener *l, const FlatRange *r)
{
    kvm_bells_add(container_of(l, KvmMachine, io), r, true);
}

/* ---- */

void kvm_mem_update_logging(KvmMachine *k)
{
    for (unsigned n = 0; n < KVM_MAX_SLOTS; n++) {
        KvmSlot *s = &k->slots[n];
        if (!s->used) {
            continue;
        }
        uint32_t want = (s->flags & KVM_MEM_READONLY) |
                        (s->mr->dirty_clients ? KVM_MEM_LOG_DIRTY_PAGES : 0);
        if (want != s->flags) {
            if (!(want & KVM_MEM_LOG_DIRTY_PAGES)) {
                slot_sync(k, n);
            }
            s->flags = want;
            slot_set(k, n, s->size);
        }
    }
}

void kvm_mem_init(KvmMachine *k)
{
    k->mem = (MemoryListener){
        .region_del = mem_del_any, .region_add = mem_add, .log_sync = mem_log_sync,
    };
    k->io = (MemoryListener){ .region_del = io_del, .region_add = io_add };
    address_space_listen(&k->m->mem, &k->mem);
    address_space_listen(&k->m->io, &k->io);
}

void kvm_mem_finish(KvmMachine *k)
{
    kvm_events_finish(k);
    /* The VM goes as a whole; the machine's view may be half gone already. */
    for (MemoryListener **p = &k->m->mem.listeners; *p; p = &(*p)->next) {
        if (*p == &k->mem) {
            *p = k->mem.next;
            break;
        }
    }
    for (MemoryListener **p = &k->m->io.listeners; *p; p = &(*p)->next) {
        if (*p == &k->io) {
            *p = k->io.next;
            break;
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * What lets a vCPU stay in the kernel: doorbells as eventfds (the main loop calls the
 * region's handler), interrupt messages through eventfds with routes of their own, writes
 * that need no answer collected in a ring. KVM API: KVM_IOEVENTFD, KVM_IRQFD,
 * KVM_SET_GSI_ROUTING, KVM_REGISTER_COALESCED_MMIO.
 *
 * Nothing of it is state: before the machine is paused doorbells that rang are answered,
 * messages are delivered, the ring is empty. Machine lock throughout.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "accel/kvm/kvm_int.h"
#include "util/alloc.h"
#include "util/loop.h"

/* ---- doorbells ---- */

struct KvmBell {
    KvmBell *next;
    KvmMachine *k;
    const MemoryRegion *mr;
    uint64_t off;              /* in mr */
    struct kvm_ioeventfd io;
    LoopFd *watch;
};

static void answer(KvmBell *b)
{
    uint64_t n;
    if (read(b->io.fd, &n, sizeof(n)) == sizeof(n)) {
        b->k->rings++;
        b->mr->ops->write(b->mr->opaque, b->off, b->io.datamatch, b->io.len);
    }
}

static void on_bell(void *opaque, unsigned events)
{
    answer(opaque);
}

static void bell_add(KvmMachine *k, const FlatRange *r, const MemoryEvent *e, unsigned n,
                     bool pio)
{
    uint64_t off = e->off + (uint64_t)n * e->stride;
    if (off < r->off || off - r->off > r->last - r->start) {
        return;
    }
    KvmBell *b = NEW(KvmBell);
    b->k = k;
    b->mr = r->mr;
    b->off = off;
    b->io = (struct kvm_ioeventfd){
        .addr = r->start + (off - r->off), .len = e->size, .datamatch = e->match ? n : 0,
        .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .flags = (pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
                 (e->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
    };
    if (b->io.fd < 0 || kvm_ioctl(k->vm, KVM_IOEVENTFD, &b->io) < 0) {
        if (b->io.fd >= 0) {
            close(b->io.fd);
        }
        free(b); /* the access exits and the handler does the same */
        return;
    }
    b->watch = loop_add_fd(k->m->loop, b->io.fd, LOOP_READ, on_bell, b);
    b->next = k->bells;
    k->bells = b;
    k->eventfds++;
}

void kvm_bells_add(KvmMachine *k, const FlatRange *r, bool pio)
{
    const MemoryEvent *e = r->mr->events;
    for (unsigned n = 0; e && !k->soft && n < e->count; n++) {
        bell_add(k, r, e, n, pio);
    }
}

static void bell_free(KvmBell *b)
{
    b->io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
    kvm_ioctl(b->k->vm, KVM_IOEVENTFD, &b->io);
    loop_del_fd(b->watch);
    close(b->io.fd);
    b->k->eventfds--;
    free(b);
}

void kvm_bells_del(KvmMachine *k, const FlatRange *r, bool pio)
{
    for (KvmBell **p = &k->bells; *p;) {
        KvmBell *b = *p;
        bool is_pio = b->io.flags & KVM_IOEVENTFD_FLAG_PIO;
        if (b->mr == r->mr && is_pio == pio && b->io.addr >= r->start && b->io.addr <= r->last) {
            *p = b->next;
            answer(b);
            bell_free(b);
        } else {
            p = &b->next;
        }
    }
}

void kvm_bells_finish(KvmMachine *k)
{
    while (k->bells) {
        KvmBell *b = k->bells;
        k->bells = b->next;
        bell_free(b);
    }
}

/* ---- coalesced writes ---- */

void kvm_coalesced_set(KvmMachine *k, const FlatRange *r, bool on)
{
    struct kvm_coalesced_mmio_zone z = { .addr = r->start,
                                         .size = (uint32_t)(r->last - r->start + 1) };
    if (r->mr->coalesced && k->ring_page && !k->soft) {
        kvm_ioctl(k->vm, on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &z);
    }
}

static struct kvm_coalesced_mmio_ring *ring_of(const KvmMachine *k)
{
    char *run = (char *)k->vcpu[0].run;
    return run && k->ring_page ? (void *)(run + 4096u * k->ring_page) : NULL;
}

bool kvm_coalesced_waits(const KvmMachine *k)
{
    const struct kvm_coalesced_mmio_ring *r = ring_of(k);
    return r && __atomic_load_n(&r->last, __ATOMIC_ACQUIRE) != r->first;
}

void kvm_coalesced_flush(Machine *m)
{
    KvmMachine *k = kvm_of(m);
    const unsigned max = (4096 - sizeof(struct kvm_coalesced_mmio_ring)) /
                         sizeof(struct kvm_coalesced_mmio);
    while (kvm_coalesced_waits(k)) {
        struct kvm_coalesced_mmio_ring *r = ring_of(k);
        const struct kvm_coalesced_mmio *e = &r->coalesced_mmio[r->first % max];
        uint64_t val = 0, addr = e->phys_addr;
        unsigned len = MIN(e->len, 8u);
        memcpy(&val, e->data, len);
        __atomic_store_n(&r->first, (r->first + 1) % max, __ATOMIC_RELEASE);
        k->coalesced++;
        if (len && !(len & (len - 1))) {
            memory_io_write(&m->mem, addr, len, val);
        } else {
            memory_write(&m->mem, addr, &val, len);
        }
    }
}

/* ---- interrupt messages ---- */

static void route_pins(const KvmMachine *k, struct kvm_irq_routing_entry *e, unsigned *n)
{
    for (unsigned gsi = 0; gsi < CHIP_GSIS; gsi++) {
        if (k->irqchip == IRQCHIP_SPLIT) {
            e[(*n)++] = kvm_rte_route(gsi, k->rte[gsi]);
            continue;
        }
        struct kvm_irq_routing_entry pin = { .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP };
        if (gsi < 16) {
            pin.u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
            pin.u.irqchip.pin = gsi & 7;
            e[(*n)++] = pin;
        }
        if (gsi != 2) { /* the timer, GSI 0, is at pin 2 */
            pin.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
            pin.u.irqchip.pin = gsi ? gsi : 2;
            e[(*n)++] = pin;
        }
    }
}

bool kvm_routes_update(KvmMachine *k)
{
    struct {
        struct kvm_irq_routing head;
        struct kvm_irq_routing_entry e[2 * CHIP_GSIS + KVM_MAX_MSIS];
    } r;
    memset(&r, 0, sizeof(r));
    unsigned n = 0;
    route_pins(k, r.e, &n);
    for (unsigned i = 0; i < k->nmsi; i++) {
        r.e[n++] = (struct kvm_irq_routing_entry){
            .gsi = CHIP_GSIS + i, .type = KVM_IRQ_ROUTING_MSI,
            .u.msi.address_lo = (uint32_t)k->msi[i].addr,
            .u.msi.address_hi = k->msi[i].addr >> 32, .u.msi.data = k->msi[i].data,
        };
    }
    r.head.nr = n;
    return kvm_ioctl(k->vm, KVM_SET_GSI_ROUTING, &r) >= 0;
}

static bool assign(KvmMachine *k, KvmMsi *m, bool on)
{
    struct kvm_irqfd f = { .fd = m->fd, .gsi = CHIP_GSIS + (uint32_t)(m - k->msi),
                           .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN };
    if (m->assigned != on && kvm_ioctl(k->vm, KVM_IRQFD, &f) >= 0) {
        m->assigned = on;
    }
    return m->assigned;
}

/* The route of a message, made if need be; when all are taken, another's. */
static KvmMsi *find_msi(KvmMachine *k, uint64_t addr, uint32_t data)
{
    for (unsigned i = 0; i < k->nmsi; i++) {
        if (k->msi[i].addr == addr && k->msi[i].data == data) {
            return &k->msi[i];
        }
    }
    KvmMsi *m = &k->msi[k->nmsi < KVM_MAX_MSIS ? k->nmsi : k->next_msi++ % KVM_MAX_MSIS];
    if (k->nmsi < KVM_MAX_MSIS) {
        m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (m->fd < 0) {
            return NULL;
        }
        k->nmsi++;
    }
    assign(k, m, false); /* what was on its way goes by the old route */
    m->addr = addr;
    m->data = data;
    if (!kvm_routes_update(k)) {
        m->addr = ~0ull; /* nobody's message: not to be found again */
        return NULL;
    }
    return m;
}

bool kvm_msi_send(KvmMachine *k, uint64_t addr, uint32_t data)
{
    const uint64_t one = 1;
    KvmMsi *m = find_msi(k, addr, data);
    if (!m || !assign(k, m, true)) {
        return false;
    }
    k->irqfds++;
    return write(m->fd, &one, sizeof(one)) == sizeof(one);
}

/* Taking an irqfd back waits until what it signalled is delivered. */
static void msi_settle(KvmMachine *k)
{
    for (unsigned i = 0; i < k->nmsi; i++) {
        assign(k, &k->msi[i], false);
    }
}

void kvm_events_settle(KvmMachine *k)
{
    kvm_coalesced_flush(k->m);
    for (KvmBell *b = k->bells; b; b = b->next) {
        answer(b);
    }
    msi_settle(k); /* last: an answer may send one */
}

void kvm_events_finish(KvmMachine *k)
{
    kvm_bells_finish(k);
    for (unsigned i = 0; i < k->nmsi; i++) {
        close(k->msi[i].fd);
    }
    k->nmsi = 0;
}

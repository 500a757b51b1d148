/* SPDX-License-Identifier: MIT */
/*
 * The bus between local APICs, I/O APICs and devices that signal by messages: choice of
 * destinations (SDM vol. 3, 11.6.2), message-signalled interrupts (11.11), the memory
 * window at 0xfee00000. Locks: see apic.h.
 */
#include "hw/intc/lapic.h"
#include "util/log.h"

enum { APIC_WINDOW = 0x100000, APIC_PAGE = 0x1000 };

/* 11.6.2.4: among those that match, the CPU running at the lowest priority; ties go
 * round. */
static bool bus_send_lowest(ApicBus *bus, const ApicMessage *msg)
{
    Lapic *best = NULL;
    unsigned best_i = 0;
    for (unsigned i = 0; i < bus->ncpus; i++) {
        unsigned at = (bus->next_lowest + i) % bus->ncpus;
        Lapic *l = bus->cpu[at];
        if (lapic_soft_enabled(l) && lapic_matches(l, msg) &&
            (!best || lapic_ppr(l) < lapic_ppr(best))) {
            best = l;
            best_i = at;
        }
    }
    if (!best) {
        return false;
    }
    bus->next_lowest = best_i + 1;
    return lapic_deliver(best, msg);
}

bool apic_bus_send_locked(ApicBus *bus, const ApicMessage *msg, unsigned shorthand,
                          Lapic *self)
{
    if (shorthand == 1) {
        return lapic_deliver(self, msg);
    }
    if (shorthand == 0 && msg->mode == APIC_DM_LOWEST) {
        return bus_send_lowest(bus, msg);
    }
    bool any = false;
    for (unsigned i = 0; i < bus->ncpus; i++) {
        Lapic *l = bus->cpu[i];
        bool to = shorthand == 0   ? lapic_matches(l, msg)
                  : shorthand == 3 ? l != self && lapic_enabled(l)
                                   : lapic_enabled(l);
        if (to) {
            any |= lapic_deliver(l, msg);
        }
    }
    return any;
}

/* The message as a device would write it (11.11). */
static void engine_deliver(ApicBus *bus, const ApicMessage *msg)
{
    uint64_t addr = APIC_DEFAULT_BASE | (uint64_t)(msg->dest & 0xff) << 12 |
                    (msg->logical ? 4 : 0) | (msg->mode == APIC_DM_LOWEST ? 8 : 0);
    bus->machine->chips.ops->send_msi(bus->machine, addr,
                                      msg->vector | (uint32_t)msg->mode << 8 |
                                          (msg->level ? 0xc000 : 0));
}

bool apic_bus_deliver(ApicBus *bus, const ApicMessage *msg)
{
    if (chips_active(&bus->machine->chips, CHIP_LAPIC)) {
        engine_deliver(bus, msg);
        return true;
    }
    pthread_mutex_lock(&bus->lock);
    bool any = apic_bus_send_locked(bus, msg, 0, NULL);
    pthread_mutex_unlock(&bus->lock);
    return any;
}

void msi_send(ApicBus *bus, uint64_t addr, uint32_t data)
{
    if (addr >> 20 != APIC_DEFAULT_BASE >> 20) {
        log_guest_error("msi: address %#llx is no local APIC\n",
                        (unsigned long long)addr);
        return;
    }
    if (chips_active(&bus->machine->chips, CHIP_LAPIC)) {
        bus->machine->chips.ops->send_msi(bus->machine, addr, data);
        return;
    }
    /* 11.11.1, 11.11.2: DM counts only with RH set, but guests set both or none, and
     * chips obey DM alone. */
    ApicMessage msg = {
        .dest = addr >> 12 & 0xff,
        .logical = addr >> 2 & 1,
        .vector = data,
        .mode = data >> 8 & 7,
        .level = data >> 15 & 1,
    };
    apic_bus_deliver(bus, &msg);
}

void msi_send_opaque(void *bus, uint64_t addr, uint32_t data)
{
    msi_send(bus, addr, data);
}

/* The LAPIC of the vCPU that runs this thread, if its registers are in memory here. */
static Lapic *bus_own_lapic(ApicBus *bus, uint64_t base)
{
    Cpu *cpu = cpu_self;
    for (unsigned i = 0; cpu && i < bus->ncpus; i++) {
        unsigned at = (cpu->index + i) % bus->ncpus; /* nearly always the first */
        Lapic *l = bus->cpu[at];
        if (l->cpu == cpu) {
            return lapic_enabled(l) && !lapic_is_x2(l) && (l->s.base & ~0xfffull) == base
                       ? l
                       : NULL;
        }
    }
    return NULL;
}

static uint64_t bus_mmio_read(void *opaque, uint64_t addr, unsigned size)
{
    Lapic *l = bus_own_lapic(opaque, APIC_DEFAULT_BASE);
    if (!l || addr >= APIC_PAGE) {
        return 0xffffffff;
    }
    return addr & 0xf ? 0 : lapic_reg_read(l, addr >> 4);
}

static void bus_mmio_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    ApicBus *bus = opaque;
    if (!cpu_self || addr >= APIC_PAGE) {
        bool taken = !machine_locked(bus->machine);
        if (taken) { /* an INIT message stops timers */
            machine_lock(bus->machine);
        }
        msi_send(bus, APIC_DEFAULT_BASE + addr, val);
        if (taken) {
            machine_unlock(bus->machine);
        }
        return;
    }
    Lapic *l = bus_own_lapic(bus, APIC_DEFAULT_BASE);
    if (l && !(addr & 0xf)) {
        lapic_reg_write(l, addr >> 4, val);
    }
}

static const MemoryOps bus_mmio_ops = {
    .read = bus_mmio_read,
    .write = bus_mmio_write,
    .min_size = 4,
    .max_size = 4,
    .lockless = true,
};

/* ---- registers elsewhere (11.4.4): one place at a time, no messages ---- */

static uint64_t bus_moved_read(void *opaque, uint64_t addr, unsigned size)
{
    ApicBus *bus = opaque;
    Lapic *l = bus_own_lapic(bus, bus->moved.addr);
    return !l ? 0xffffffff : addr & 0xf ? 0 : lapic_reg_read(l, addr >> 4);
}

static void bus_moved_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    ApicBus *bus = opaque;
    Lapic *l = bus_own_lapic(bus, bus->moved.addr);
    if (l && !(addr & 0xf)) {
        lapic_reg_write(l, addr >> 4, val);
    }
}

static const MemoryOps bus_moved_ops = {
    .read = bus_moved_read,
    .write = bus_moved_write,
    .min_size = 4,
    .max_size = 4,
    .lockless = true,
};

void apic_bus_place(ApicBus *bus)
{
    uint64_t base = APIC_DEFAULT_BASE;
    for (unsigned i = 0; i < bus->ncpus && base == APIC_DEFAULT_BASE; i++) {
        const Lapic *l = bus->cpu[i];
        if (l && lapic_enabled(l)) {
            base = l->s.base & ~0xfffull;
        }
    }
    if (bus->has_moved && bus->moved.addr != base) {
        memory_remove(&bus->moved);
        bus->has_moved = false;
    }
    if (!bus->has_moved && base != APIC_DEFAULT_BASE) {
        memory_add(&bus->machine->mem_root, &bus->moved, base, 2);
        bus->has_moved = true;
    }
}

void apic_bus_init(ApicBus *bus, struct Machine *m)
{
    *bus = (ApicBus){ .machine = m };
    pthread_mutex_init(&bus->lock, NULL);
    memory_init_io(&bus->mmio, m, "apic-msi", APIC_WINDOW, &bus_mmio_ops, bus);
    memory_add(&m->mem_root, &bus->mmio, APIC_DEFAULT_BASE, 1);
    memory_init_io(&bus->moved, m, "apic-moved", APIC_PAGE, &bus_moved_ops, bus);
}

void apic_bus_destroy(ApicBus *bus)
{
    memory_remove(&bus->moved);
    memory_remove(&bus->mmio);
    pthread_mutex_destroy(&bus->lock);
}

static void bus_set_pic(void *opaque, unsigned n, bool level)
{
    ApicBus *bus = opaque;
    if (chips_active(&bus->machine->chips, CHIP_LAPIC)) {
        bus->machine->chips.ops->set_intr(bus->machine, level);
    }
    pthread_mutex_lock(&bus->lock);
    if (bus->pic_level != level) {
        bus->pic_level = level;
        for (unsigned i = 0; i < bus->ncpus; i++) {
            lapic_set_lint(bus->cpu[i], 0, level);
        }
    }
    pthread_mutex_unlock(&bus->lock);
}

IrqLine apic_bus_pic_input(ApicBus *bus)
{
    return (IrqLine){ bus_set_pic, bus, 0 };
}

void apic_bus_set_pic(ApicBus *bus, int (*ack)(void *opaque), void *opaque)
{
    bus->pic_ack = ack;
    bus->pic_opaque = opaque;
}

void apic_bus_nmi(ApicBus *bus)
{
    if (chips_active(&bus->machine->chips, CHIP_LAPIC)) {
        bus->machine->chips.ops->nmi(bus->machine);
        return;
    }
    pthread_mutex_lock(&bus->lock);
    for (unsigned i = 0; i < bus->ncpus; i++) {
        lapic_set_lint(bus->cpu[i], 1, true);
        lapic_set_lint(bus->cpu[i], 1, false);
    }
    pthread_mutex_unlock(&bus->lock);
}

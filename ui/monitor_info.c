/* SPDX-License-Identifier: MIT */
/*
 * The monitor's info commands. They speak of machine, vCPUs, devices and backends
 * through hw/core alone; what a device is like is shown from its saved-state rows, so
 * every device has it. vCPUs are parked and synced.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/core/machine.h"
#include "hw/core/netdev.h"
#include "ui/monitor.h"
#include "util/alloc.h"

static bool info_status(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    static const char *const names[] = {
        [RUN_PAUSED] = "paused",
        [RUN_RUNNING] = "running",
        [RUN_SHUTDOWN] = "paused (shutdown)",
        [RUN_INTERNAL_ERROR] = "paused (internal-error)",
    };
    fprintf(out, "VM status: %s\n", c->was_running && c->m->suspended ? "paused (suspended)"
                                    : c->m->panicked ? "paused (guest-panicked)"
                                    : c->was_running ? "running" : names[c->m->state]);
    return true;
}

static bool info_version(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    fprintf(out, "dyad %s\n", PACKAGE_VERSION);
    return true;
}

static bool info_name(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    fprintf(out, "%s\n", c->m->cfg.name ? c->m->cfg.name : "(no name)");
    return true;
}

static bool need_cpu(const MonContext *c, Error *err)
{
    return c->cpu ? true : error_set(err, "there is no vCPU");
}

static bool info_registers(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (!need_cpu(c, err)) {
        return false;
    }
    const char *all = monitor_arg(a, "all")->text;
    if (all && strcmp(all, "-a") != 0) {
        return error_set(
            err, "info registers: %s is not accepted: expected -a (all vCPUs)", all);
    }
    for (unsigned i = 0; i < c->m->ncpus; i++) {
        Cpu *cpu = c->m->cpus[i];
        if (all || cpu == c->cpu) {
            if (all) {
                fprintf(out, "CPU#%u\n", i);
            }
            cpu->ops->dump(cpu, out);
        }
    }
    return true;
}

static bool info_tlb(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (need_cpu(c, err) && c->cpu->ops->dump_tlb) {
        c->cpu->ops->dump_tlb(c->cpu, out);
        return true;
    }
    return false;
}

static bool info_mem(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (need_cpu(c, err) && c->cpu->ops->dump_mem) {
        c->cpu->ops->dump_mem(c->cpu, out);
        return true;
    }
    return false;
}

static bool info_mtree(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    memory_dump(c->m, out);
    return true;
}

static bool info_cpus(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    for (unsigned i = 0; i < c->m->ncpus; i++) {
        Cpu *cpu = c->m->cpus[i];
        fprintf(out,
                "%c CPU #%u: pc=0x%016" PRIx64 "%s halts=%" PRIu64 " io_exits=%" PRIu64
                "\n",
                cpu == c->cpu ? '*' : ' ', i, cpu->ops->get_pc(cpu),
                cpu->halted ? " (halted)" : "", cpu->halts, cpu->io_exits);
    }
    return true;
}

static bool info_engine(MonContext *c, const char *what, FILE *out)
{
    if (c->m->exec && c->m->exec->info) {
        c->m->exec->info(c->m, what, out);
    } else {
        fprintf(out, "the engine tells nothing\n");
    }
    return true;
}

static bool info_jit(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return info_engine(c, "jit", out);
}

static bool info_accel(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (c->m->exec) {
        fprintf(out, "engine: %s\n", c->m->exec->name);
    }
    return info_engine(c, "accel", out);
}

static bool info_block(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    for (const BlockBackend *b = block_first(c->m); b; b = b->next) {
        fprintf(out, "%s: ", b->id ? b->id : "(no id)");
        if (block_has_medium(b)) {
            fprintf(out, "%s (%s, %" PRIu64 " bytes%s%s)\n", b->path ? b->path : "",
                    b->ops->name, b->size, b->readonly ? ", read-only" : "",
                    b->attached ? "" : ", not attached");
        } else {
            fprintf(out, "[not inserted]%s\n", b->attached ? "" : " (not attached)");
        }
        if (b->removable && b->media) {
            fprintf(out, "    Removable device: %s, tray %s\n",
                    b->media->locked(b->attached) ? "locked" : "not locked",
                    b->media->tray_open(b->attached) ? "open" : "closed");
        }
    }
    return true;
}

static bool info_chardev(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    chardev_info(c->m, out);
    return true;
}

static bool info_network(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    netdev_info(c->m, out);
    return true;
}

static bool info_balloon(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const MachineBalloon *b = &c->m->balloon;
    if (!b->dev) {
        return error_set(err, "info balloon: there is none: -device virtio-balloon-pci");
    }
    fprintf(out, "balloon: actual=%" PRIu64 "\n", b->left(b->dev) >> 20);
    return true;
}

/* --- devices, from their rows --- */

static uint64_t scalar(const void *p, size_t size)
{
    uint64_t v = 0;
    memcpy(&v, p, MIN(size, sizeof(v)));
    return v;
}

static void dump_bytes(FILE *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%s%02x", i ? i % 16 ? " " : "\n      " : "", p[i]);
    }
}

static void dump_struct(FILE *out, const StateField *fields, const char *base,
                        const char *prefix);

static void dump_field(FILE *out, const StateField *f, const char *base,
                       const char *prefix)
{
    const char *p = base + f->offset;
    if (f->kind == SK_SUB) {
        for (unsigned i = 0; i < f->count; i++) {
            char *inner = f->count > 1 ? xasprintf("%s%s[%u].", prefix, f->name, i)
                                       : xasprintf("%s%s.", prefix, f->name);
            dump_struct(out, f->sub->fields, p + i * f->stride, inner);
            free(inner);
        }
        return;
    }
    fprintf(out, "    %s%s =", prefix, f->name);
    switch (f->kind) {
    case SK_BYTES:
        fputc(' ', out);
        dump_bytes(out, (const uint8_t *)p, MIN(f->count, 4096));
        break;
    case SK_VBYTES:
        fprintf(out, " %u bytes", (unsigned)scalar(base + f->len_offset, 4));
        break;
    case SK_TIMER: {
        const Timer *t = (const Timer *)p;
        if (timer_armed(t)) {
            fprintf(out, " in %" PRId64 " ns", t->deadline - clock_now(t->clock));
        } else {
            fprintf(out, " off");
        }
        break;
    }
    default:
        for (unsigned i = 0; i < f->count; i++) {
            fprintf(out, " 0x%" PRIx64, scalar(p + i * f->stride, f->stride));
        }
    }
    fputc('\n', out);
}

static void dump_struct(FILE *out, const StateField *fields, const char *base,
                        const char *prefix)
{
    for (const StateField *f = fields; f->kind != SK_END; f++) {
        dump_field(out, f, base, prefix);
    }
}

static void dump_device(FILE *out, Device *dev)
{
    fprintf(out, "%s (%s)%s%s\n", dev->path, dev->cls->name, dev->id ? " id=" : "",
            dev->id ? dev->id : "");
    const StateDesc *s = &dev->cls->state;
    if (s->fields && (!s->pre_save || s->pre_save(dev))) {
        dump_struct(out, s->fields, (const char *)dev + s->offset, "");
    }
}

/* Devices whose class name is one of a NULL-terminated list. */
typedef struct ByClass {
    FILE *out;
    const char *const *names;
    unsigned found;
} ByClass;

static void dump_if_class(Device *dev, void *arg)
{
    ByClass *b = arg;
    for (size_t i = 0; b->names[i]; i++) {
        if (strcmp(dev->cls->name, b->names[i]) == 0) {
            dump_device(b->out, dev);
            b->found++;
        }
    }
}

static bool dump_classes(MonContext *c, const char *const *names, FILE *out, Error *err)
{
    ByClass b = { out, names, 0 };
    device_foreach(c->m, dump_if_class, &b);
    return b.found ? true : error_set(err, "this machine has no %s", names[0]);
}

static bool info_pic(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return dump_classes(c, (const char *const[]){ "i8259", "ioapic", NULL }, out, err);
}

static bool info_lapic(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return dump_classes(c, (const char *const[]){ "apic", NULL }, out, err);
}

static bool info_irq(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    static const char *const names[] = { "i8259", "ioapic", "apic", NULL };
    for (unsigned i = 0; i < c->m->ncpus; i++) {
        uint32_t rq = atomic_load(&c->m->cpus[i]->request);
        fprintf(
            out, "CPU #%u:%s%s%s%s%s%s\n", i, rq & CPU_REQ_HARD ? " INTR" : "",
            rq & CPU_REQ_NMI ? " NMI" : "", rq & CPU_REQ_SMI ? " SMI" : "",
            rq & CPU_REQ_INIT ? " INIT" : "", rq & CPU_REQ_SIPI ? " SIPI" : "",
            rq & (CPU_REQ_HARD | CPU_REQ_NMI | CPU_REQ_SMI | CPU_REQ_INIT | CPU_REQ_SIPI)
                ? " pending"
                : " nothing pending");
    }
    return dump_classes(c, names, out, err);
}

static bool info_device(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const char *id = monitor_arg(a, "device")->text;
    Device *dev = device_find(c->m, id);
    if (!dev) {
        return error_set(err, "info device: %s: no such device (info qtree lists them)",
                         id);
    }
    dump_device(out, dev);
    return true;
}

static void print_props(FILE *out, Device *dev, int indent)
{
    for (const Property *p = dev->cls->props; p && p->kind != PK_END; p++) {
        const void *at = (const char *)dev + p->offset;
        fprintf(out, "%*s%s = ", indent, "", p->name);
        switch (p->kind) {
        case PK_BOOL: fputs(*(const bool *)at ? "on" : "off", out); break;
        case PK_U8: fprintf(out, "%u", *(const uint8_t *)at); break;
        case PK_U16: fprintf(out, "0x%x", *(const uint16_t *)at); break;
        case PK_U32: fprintf(out, "0x%x", *(const uint32_t *)at); break;
        case PK_U64:
        case PK_SIZE:
        case PK_MIB: fprintf(out, "0x%" PRIx64, *(const uint64_t *)at); break;
        case PK_STR:
            fprintf(out, "\"%s\"", *(char *const *)at ? *(char *const *)at : "");
            break;
        case PK_ENUM: fputs(p->names[*(const int *)at], out); break;
        case PK_MAC:
            for (int i = 0; i < 6; i++) {
                fprintf(out, "%s%02x", i ? ":" : "", ((const uint8_t *)at)[i]);
            }
            break;
        case PK_LINK: fputs(*(void *const *)at ? "(linked)" : "(none)", out); break;
        case PK_END: break;
        }
        fputc('\n', out);
    }
}

static void print_tree(FILE *out, Device *dev, int indent)
{
    fprintf(out, "%*sdev: %s", indent, "", dev->cls->name);
    if (dev->id) {
        fprintf(out, ", id \"%s\"", dev->id);
    }
    if (dev->addr >= 0 && dev->cls->bus == BUS_PCI) {
        fprintf(out, ", addr %02x.%x", dev->addr >> 3, dev->addr & 7);
    }
    fprintf(out, "  [%s]\n", dev->path);
    print_props(out, dev, indent + 2);
    for (Bus *b = dev->buses; b; b = b->next) {
        fprintf(out, "%*sbus: %s (%s)\n", indent + 2, "", b->name, b->cls->name);
        for (Device *d = b->devices; d; d = d->next) {
            print_tree(out, d, indent + 4);
        }
    }
}

static bool info_qtree(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    for (Device *d = c->m->board_devices; d; d = d->next) {
        print_tree(out, d, 0);
    }
    for (Bus *b = c->m->buses; b; b = b->next) {
        fprintf(out, "bus: %s (%s)\n", b->name, b->cls->name);
        for (Device *d = b->devices; d; d = d->next) {
            print_tree(out, d, 2);
        }
    }
    return true;
}

static void dump_buses(Bus *b, FILE *out)
{
    for (; b; b = b->next) {
        if (b->cls->kind == BUS_PCI && b->cls->dump) {
            b->cls->dump(b, out);
        }
    }
}

static void dump_child_buses(Device *dev, void *out)
{
    dump_buses(dev->buses, out);
}

static bool info_pci(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    dump_buses(c->m->buses, out);
    device_foreach(c->m, dump_child_buses, out);
    return true;
}

/* clang-format off: rows */
const MonCommand monitor_info_rows[] = {
    { "accel", "kvm", NULL, NULL, "the engine and its options", true, info_accel },
    { "balloon", NULL, NULL, NULL, "the guest's memory, MiB", false, info_balloon },
    { "block", NULL, NULL, NULL, "disk images", true, info_block },
    { "chardev", NULL, NULL, NULL, "character backends", true, info_chardev },
    { "cpus", NULL, NULL, NULL, "the vCPUs", true, info_cpus },
    { "device", NULL, "device:s", "ID|PATH", "registers of a device", true, info_device },
    { "irq", NULL, NULL, NULL, "interrupts: requests and controllers", true, info_irq },
    { "jit", NULL, NULL, NULL, "the translator's counters", true, info_jit },
    { "lapic", NULL, NULL, NULL, "the local APICs", true, info_lapic },
    { "mem", NULL, NULL, NULL, "mapped virtual memory, by range", true, info_mem },
    { "mtree", NULL, NULL, NULL, "the memory tree and its flat view", true, info_mtree },
    { "name", NULL, NULL, NULL, "the guest's name", true, info_name },
    { "network", NULL, NULL, NULL, "network backends", true, info_network },
    { "pci", NULL, NULL, NULL, "the PCI buses", true, info_pci },
    { "pic", NULL, NULL, NULL, "the 8259 and the I/O APIC", true, info_pic },
    { "qtree", NULL, NULL, NULL, "the tree of devices", true, info_qtree },
    { "registers", NULL, "all:s?", "[-a]", "the vCPU's registers", true, info_registers },
    { "screen", NULL, NULL, NULL, "size of the screen, and its text", false,
      monitor_info_screen },
    { "status", NULL, NULL, NULL, "running or paused", true, info_status },
    { "tlb", NULL, NULL, NULL, "mapped virtual memory, by page", true, info_tlb },
    { "version", NULL, NULL, NULL, "dyad's version", true, info_version },
    { NULL }
};
/* clang-format on */

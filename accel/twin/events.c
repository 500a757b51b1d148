/* SPDX-License-Identifier: MIT */
/*
 * What reaches a vCPU from outside its state and memory. The first side's accesses go to the
 * real devices and are logged with what they answered and with what the devices wrote to RAM
 * meanwhile; a side that replays gets the answers from the log, and an access that the log
 * does not have next is a difference (complaint). Machine lock held by the vCPU's thread.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "accel/twin/twin_int.h"
#include "hw/core/nondet.h"
#include "util/alloc.h"

enum { EVENTS_ENOUGH = 4096 }; /* then the stretch ends */

const char *const twin_event_names[TE_NKINDS] = {
    [TE_READ] = "read",
    [TE_WRITE] = "write",
    [TE_IN] = "in",
    [TE_OUT] = "out",
    [TE_ACK] = "interrupt",
    [TE_GET_TPR] = "get-tpr",
    [TE_SET_TPR] = "set-tpr",
    [TE_GET_BASE] = "get-apic-base",
    [TE_SET_BASE] = "set-apic-base",
    [TE_MSR_READ] = "rdmsr",
    [TE_MSR_WRITE] = "wrmsr",
    [TE_CHANCE] = "chance",
    [TE_DMA] = "dma",
    [TE_VIEW] = "view",
};

_Thread_local TwinSide *twin_here;
_Thread_local X86Cpu *twin_here_cpu;

/* ---- the log ---- */

void twin_log_reset(TwinLog *l)
{
    l->n = l->nbytes = 0;
}

void twin_log_free(TwinLog *l)
{
    free(l->e);
    free(l->bytes);
    *l = (TwinLog){ 0 };
}

TwinEvent *twin_log_add(TwinLog *l, unsigned kind, const void *blob, uint32_t len)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 256;
        l->e = xrealloc(l->e, l->cap * sizeof(TwinEvent));
    }
    if (l->cap_bytes - l->nbytes < len) {
        l->cap_bytes = MAX(2 * l->cap_bytes, l->nbytes + len + 4096);
        l->bytes = xrealloc(l->bytes, l->cap_bytes);
    }
    TwinEvent *e = &l->e[l->n++];
    *e = (TwinEvent){ .kind = kind, .blob = l->nbytes, .len = len, .ok = 1 };
    if (len) {
        memcpy(l->bytes + l->nbytes, blob, len);
    }
    l->nbytes += len;
    return e;
}

/* ---- replay ---- */

void twin_complain(TwinSide *s, const char *fmt, ...)
{
    if (!s->complaint[0]) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(s->complaint, sizeof(s->complaint), fmt, ap);
        va_end(ap);
    }
    twin_end_stretch(s->t);
}

/* What devices did to RAM and to the memory map during the last access. */
static void apply_followers(TwinSide *s)
{
    const TwinLog *l = &s->t->log;
    for (; s->cursor < l->n; s->cursor++) {
        const TwinEvent *e = &l->e[s->cursor];
        if (e->kind == TE_VIEW) {
            twin_shadow_update(s);
        } else if (e->kind == TE_DMA) {
            memcpy(s->ram + e->addr, l->bytes + e->blob, e->len);
            for (uint64_t p = e->addr >> 12; p <= (e->addr + e->len - 1) >> 12; p++) {
                tcg_page_log(&s->pages, p);
            }
            s->engine->ram_written(s, e->addr, e->len);
        } else {
            break;
        }
    }
}

/* The next event, if it is this access; else NULL and a complaint. */
static const TwinEvent *replay(TwinSide *s, unsigned kind, uint64_t addr, unsigned size)
{
    const TwinLog *l = &s->t->log;
    const TwinEvent *e = s->cursor < l->n ? &l->e[s->cursor] : NULL;
    if (!e || e->kind != kind || e->addr != addr || e->size != size) {
        char other[80] = "nothing";
        if (e) {
            snprintf(other, sizeof(other), "%s %#" PRIx64 " (%u bytes)",
                     twin_event_names[e->kind], e->addr, e->size);
        }
        twin_complain(s,
                      "access: %s %#" PRIx64 " (%u bytes) where the other engine did %s",
                      twin_event_names[kind], addr, size, other);
        return NULL;
    }
    s->cursor++;
    return e;
}

static uint64_t replay_read(TwinSide *s, unsigned kind, uint64_t addr, unsigned size)
{
    const TwinEvent *e = replay(s, kind, addr, size);
    uint64_t v = e ? e->value : 0;
    apply_followers(s);
    return v;
}

static void replay_write(TwinSide *s, unsigned kind, uint64_t addr, unsigned size,
                         uint64_t v)
{
    const TwinEvent *e = replay(s, kind, addr, size);
    if (e && e->value != v) {
        twin_complain(s,
                      "access: %s %#" PRIx64 " of %#" PRIx64 " where the other engine "
                      "wrote %#" PRIx64,
                      twin_event_names[kind], addr, v, e->value);
    }
    apply_followers(s);
}

/* ---- recording ---- */

typedef struct Outside {
    TwinSide *here;
    NondetTap *tap;
    uint32_t event; /* index of the access's own event */
} Outside;

/* The thread is among the devices until go_back. */
static Outside go_outside(TwinSide *s, unsigned kind, uint64_t addr, unsigned size,
                          uint64_t v)
{
    Outside o = { twin_here, nondet_tap, s->t->log.n };
    TwinEvent *e = twin_log_add(&s->t->log, kind, NULL, 0);
    e->addr = addr;
    e->size = size;
    e->value = v;
    twin_here = NULL;
    nondet_tap = NULL;
    s->t->in_device = true;
    return o;
}

static TwinEvent *go_back(TwinSide *s, const Outside *o)
{
    s->t->in_device = false;
    if (s->t->log.n > EVENTS_ENOUGH) {
        twin_end_stretch(s->t);
    }
    twin_here = o->here;
    nondet_tap = o->tap;
    return &s->t->log.e[o->event];
}

static uint64_t device_read(TwinSide *s, unsigned kind, AddressSpace *as, uint64_t addr,
                            unsigned size)
{
    if (s->replay) {
        return replay_read(s, kind, addr, size);
    }
    Outside o = go_outside(s, kind, addr, size, 0);
    uint64_t v = memory_io_read(as, addr, size);
    go_back(s, &o)->value = v;
    return v;
}

static void device_write(TwinSide *s, unsigned kind, AddressSpace *as, uint64_t addr,
                         unsigned size, uint64_t v)
{
    if (s->replay) {
        replay_write(s, kind, addr, size, v);
        return;
    }
    Outside o = go_outside(s, kind, addr, size, v);
    memory_io_write(as, addr, size, v);
    go_back(s, &o);
}

static uint64_t mem_read(void *opaque, uint64_t addr, unsigned size)
{
    TwinSide *s = opaque;
    return device_read(s, TE_READ, &s->t->m->mem, addr, size);
}

static void mem_write(void *opaque, uint64_t addr, uint64_t v, unsigned size)
{
    TwinSide *s = opaque;
    device_write(s, TE_WRITE, &s->t->m->mem, addr, size, v);
}

static uint64_t port_read(void *opaque, uint64_t addr, unsigned size)
{
    TwinSide *s = opaque;
    return device_read(s, TE_IN, &s->t->m->io, addr, size);
}

static void port_write(void *opaque, uint64_t addr, uint64_t v, unsigned size)
{
    TwinSide *s = opaque;
    device_write(s, TE_OUT, &s->t->m->io, addr, size, v);
}

const MemoryOps twin_mem_ops = {
    .read = mem_read,
    .write = mem_write,
    .min_size = 1,
    .max_size = 8,
    .unaligned = true,
    .lockless = true, /* we have the machine's */
};
const MemoryOps twin_port_ops = {
    .read = port_read,
    .write = port_write,
    .min_size = 1,
    .max_size = 8,
    .unaligned = true,
    .lockless = true,
};

/* ---- the interrupt controller; opaque is the side's Cpu ---- */

static TwinSide *side_of(void *opaque)
{
    return container_of(((Cpu *)opaque)->machine, TwinSide, m);
}

static Cpu *real_of(void *opaque)
{
    return side_of(opaque)->t->m->cpus[((Cpu *)opaque)->index];
}

static int irq_ack(void *opaque)
{
    TwinSide *s = side_of(opaque);
    const Cpu *c = real_of(opaque);
    if (s->replay) {
        return (int)replay_read(s, TE_ACK, 0, 0);
    }
    Outside o = go_outside(s, TE_ACK, 0, 0, 0);
    int v = c->irq_ops->ack(c->irq_opaque);
    go_back(s, &o)->value = (uint64_t)(int64_t)v;
    return v;
}

static uint64_t irq_get(void *opaque, unsigned kind)
{
    TwinSide *s = side_of(opaque);
    const Cpu *c = real_of(opaque);
    if (s->replay) {
        return replay_read(s, kind, 0, 0);
    }
    Outside o = go_outside(s, kind, 0, 0, 0);
    uint64_t v = kind == TE_GET_TPR ? c->irq_ops->get_tpr(c->irq_opaque)
                                    : c->irq_ops->get_base(c->irq_opaque);
    go_back(s, &o)->value = v;
    return v;
}

static uint64_t irq_get_tpr(void *opaque)
{
    return irq_get(opaque, TE_GET_TPR);
}
static uint64_t irq_get_base(void *opaque)
{
    return irq_get(opaque, TE_GET_BASE);
}

static void irq_set_tpr(void *opaque, uint64_t v)
{
    TwinSide *s = side_of(opaque);
    const Cpu *c = real_of(opaque);
    if (s->replay) {
        replay_write(s, TE_SET_TPR, 0, 0, v);
        return;
    }
    Outside o = go_outside(s, TE_SET_TPR, 0, 0, v);
    c->irq_ops->set_tpr(c->irq_opaque, v);
    go_back(s, &o);
}

static bool irq_set_base(void *opaque, uint64_t v)
{
    TwinSide *s = side_of(opaque);
    const Cpu *c = real_of(opaque);
    if (s->replay) {
        const TwinEvent *e = replay(s, TE_SET_BASE, v, 0);
        bool ok = !e || e->ok;
        apply_followers(s);
        return ok;
    }
    Outside o = go_outside(s, TE_SET_BASE, v, 0, 0);
    bool ok = c->irq_ops->set_base(c->irq_opaque, v);
    go_back(s, &o)->ok = ok;
    return ok;
}

static bool irq_msr_read(void *opaque, uint32_t msr, uint64_t *v)
{
    TwinSide *s = side_of(opaque);
    const Cpu *c = real_of(opaque);
    if (s->replay) {
        const TwinEvent *e = replay(s, TE_MSR_READ, msr, 8);
        bool ok = e && e->ok;
        *v = e ? e->value : 0;
        apply_followers(s);
        return ok;
    }
    Outside o = go_outside(s, TE_MSR_READ, msr, 8, 0);
    bool ok = c->irq_ops->msr_read(c->irq_opaque, msr, v);
    TwinEvent *e = go_back(s, &o);
    e->value = ok ? *v : 0;
    e->ok = ok;
    return ok;
}

static bool irq_msr_write(void *opaque, uint32_t msr, uint64_t v)
{
    TwinSide *s = side_of(opaque);
    const Cpu *c = real_of(opaque);
    if (s->replay) {
        const TwinEvent *e = replay(s, TE_MSR_WRITE, msr, 8);
        bool ok = e && e->ok;
        if (e && e->value != v) {
            twin_complain(
                s, "wrmsr %#x of %#" PRIx64 " where the other engine wrote %#" PRIx64,
                msr, v, e->value);
        }
        apply_followers(s);
        return ok;
    }
    Outside o = go_outside(s, TE_MSR_WRITE, msr, 8, v);
    bool ok = c->irq_ops->msr_write(c->irq_opaque, msr, v);
    go_back(s, &o)->ok = ok;
    return ok;
}

const CpuIrqOps twin_irq_ops = {
    .ack = irq_ack,
    .get_tpr = irq_get_tpr,
    .set_tpr = irq_set_tpr,
    .get_base = irq_get_base,
    .set_base = irq_set_base,
    .msr_read = irq_msr_read,
    .msr_write = irq_msr_write,
};

/* ---- time and chance ---- */

static void tap(void *value, size_t n)
{
    TwinSide *s = twin_here;
    if (!s->replay) {
        twin_log_add(&s->t->log, TE_CHANCE, value, n)->size = 0;
        return;
    }
    const TwinEvent *e = replay(s, TE_CHANCE, 0, 0);
    if (e && e->len == n) {
        memcpy(value, s->t->log.bytes + e->blob, n);
    }
}

void twin_enter(TwinSide *s, X86Cpu *cpu)
{
    twin_here = s;
    twin_here_cpu = cpu;
    nondet_tap = tap;
}

void twin_leave(TwinSide *s, X86Cpu *cpu)
{
    nondet_tap = NULL;
    twin_here = NULL;
    twin_here_cpu = NULL;
}

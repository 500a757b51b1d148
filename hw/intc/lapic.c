/* SPDX-License-Identifier: MIT */
/*
 * Local APIC: acceptance and priorities of interrupts, registers, device life. SDM
 * vol. 3, chapter 11. CMCI, and SMI delivery (there is no SMM), are left out.
 * Locks: see apic.h. Called by vCPU threads without the machine lock.
 */
#include "hw/intc/lapic.h"

#include <stdio.h>
#include <string.h>
#include "util/log.h"

static int vector_highest(const uint32_t *map)
{
    for (int i = 7; i >= 0; i--) {
        if (map[i]) {
            return i * 32 + 31 - __builtin_clz(map[i]);
        }
    }
    return -1;
}
static bool vector_test(const uint32_t *map, unsigned v)
{
    return map[v / 32] >> v % 32 & 1;
}
static void vector_set(uint32_t *map, unsigned v)
{
    map[v / 32] |= 1u << v % 32;
}
static void vector_clear(uint32_t *map, unsigned v)
{
    map[v / 32] &= ~(1u << v % 32);
}

/* 11.8.3.1 */
uint8_t lapic_ppr(const Lapic *l)
{
    int isrv = vector_highest(l->s.isr);
    uint8_t service = isrv < 0 ? 0 : isrv & 0xf0;
    return (l->s.tpr & 0xf0) >= service ? l->s.tpr : service;
}

static int lapic_pending(const Lapic *l)
{
    if (!lapic_enabled(l)) {
        return -1;
    }
    int v = vector_highest(l->s.irr);
    return v >= 0 && (v & 0xf0) > (lapic_ppr(l) & 0xf0) ? v : -1;
}

/* Does the CPU's INTR see the 8259? */
static bool lapic_extint(const Lapic *l)
{
    if (!lapic_enabled(l)) {
        return l->s.lint[0] && l->cpu->index == 0;
    }
    uint32_t lvt = l->s.lvt[LVT_LINT0];
    if (l->s.lint[0] && !(lvt & LVT_MASKED) && LVT_MODE(lvt) == APIC_DM_EXTINT) {
        return true;
    }
    return l->s.extint && l->bus->pic_level;
}

void lapic_update(Lapic *l)
{
    bool want = lapic_pending(l) >= 0 || lapic_extint(l);
    bool has = atomic_load_explicit(&l->cpu->request, memory_order_relaxed) &
               CPU_REQ_HARD;
    if (want && !has) {
        cpu_request(l->cpu, CPU_REQ_HARD);
    } else if (!want && has) {
        cpu_clear_request(l->cpu, CPU_REQ_HARD);
    }
}

/* 11.5.3; the error interrupt itself never makes another error. */
void lapic_error(Lapic *l, uint32_t esr_bits)
{
    l->s.esr_new |= esr_bits;
    uint32_t lvt = l->s.lvt[LVT_ERROR];
    if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= 16) {
        lapic_accept(l, lvt & 0xff, false);
    }
}

void lapic_accept(Lapic *l, uint8_t vector, bool level)
{
    if (vector < 16) {
        lapic_error(l, ESR_RECEIVE_VECTOR);
        return;
    }
    vector_set(l->s.irr, vector);
    if (level) {
        vector_set(l->s.tmr, vector);
    } else {
        vector_clear(l->s.tmr, vector);
    }
    lapic_update(l);
}

static void lapic_init(Lapic *l)
{
    lapic_reset_regs(l, true);
    lapic_update(l);
    cpu_request(l->cpu, CPU_REQ_INIT);
}

bool lapic_deliver(Lapic *l, const ApicMessage *msg)
{
    switch (msg->mode) {
    case APIC_DM_FIXED:
    case APIC_DM_LOWEST:
        if (!lapic_soft_enabled(l)) {
            return false;
        }
        lapic_accept(l, msg->vector, msg->level);
        return true;
    case APIC_DM_NMI:
        cpu_request(l->cpu, l->cpu->request & CPU_REQ_NMI ? CPU_REQ_NMI2 : CPU_REQ_NMI);
        return true;
    case APIC_DM_INIT: lapic_init(l); return true;
    case APIC_DM_SIPI:
        l->cpu->sipi_vector = msg->vector;
        cpu_request(l->cpu, CPU_REQ_SIPI);
        return true;
    case APIC_DM_EXTINT:
        l->s.extint = true;
        lapic_update(l);
        return true;
    case APIC_DM_SMI:
        log_unimp("lapic: SMI to CPU %d dropped: no system management mode\n",
                  l->cpu->index);
        return true;
    default:
        log_guest_error("lapic: reserved delivery mode %u\n", msg->mode);
        return false;
    }
}

/* Logical and physical destinations: 11.6.2. */
static bool lapic_matches_logical(const Lapic *l, const ApicMessage *msg)
{
    uint32_t dest = msg->dest;
    if (lapic_is_x2(l)) {
        return dest >> 16 == l->s.ldr >> 16 && (dest & l->s.ldr & 0xffff);
    }
    uint8_t mda = dest, ldr = l->s.ldr >> 24;
    if (l->s.dfr >> 28 == 0xf) {
        return mda & ldr;
    }
    if (l->s.dfr >> 28 == 0) { /* cluster */
        return mda >> 4 == ldr >> 4 && (mda & ldr & 0xf);
    }
    return false;
}

bool lapic_matches(const Lapic *l, const ApicMessage *msg)
{
    if (!lapic_enabled(l)) {
        /* INIT and start-up messages reach a CPU whose LAPIC is off through no pin. */
        return false;
    }
    if (msg->dest == (msg->wide ? 0xffffffffu : 0xffu)) {
        return true;
    }
    if (msg->logical) {
        return lapic_matches_logical(l, msg);
    }
    return msg->dest == (lapic_is_x2(l) ? l->apic_id : l->s.xapic_id);
}

static void lapic_lint_fixed(Lapic *l, unsigned lvt_n, bool rising)
{
    uint32_t lvt = l->s.lvt[lvt_n];
    bool level = l->s.lint[lvt_n - LVT_LINT0];
    if (!(lvt & LVT_LEVEL)) {
        if (rising) {
            lapic_accept(l, lvt, false);
        }
    } else if (level && !(lvt & LVT_REMOTE_IRR)) {
        l->s.lvt[lvt_n] |= LVT_REMOTE_IRR;
        lapic_accept(l, lvt, true);
    }
}

/* A LINT pin moved, or its LVT was unmasked with the pin high. */
static void lapic_lint_changed(Lapic *l, unsigned n, bool rising)
{
    uint32_t lvt = l->s.lvt[LVT_LINT0 + n];
    if (lvt & LVT_MASKED) {
        lapic_update(l);
        return;
    }
    switch (LVT_MODE(lvt)) {
    case APIC_DM_FIXED: lapic_lint_fixed(l, LVT_LINT0 + n, rising); break;
    case APIC_DM_NMI:
        if (rising) {
            cpu_request(l->cpu, CPU_REQ_NMI);
        }
        break;
    case APIC_DM_INIT:
        if (rising) {
            lapic_init(l);
        }
        break;
    default: /* ExtINT follows the level */ lapic_update(l); break;
    }
}

void lapic_set_lint(Lapic *l, unsigned n, bool level)
{
    bool rising = level && !l->s.lint[n];
    l->s.lint[n] = level;
    if (lapic_enabled(l)) {
        lapic_lint_changed(l, n, rising);
    } else if (n == 0) {
        lapic_update(l);
    } else if (rising && l->cpu->index == 0) {
        cpu_request(l->cpu, CPU_REQ_NMI); /* the pins are INTR and NMI (11.4.3) */
    }
}

/* 11.8.5. Level-triggered vectors are told to the I/O APICs, which need the machine
 * lock: it comes before the bus lock. */
void lapic_write_eoi(Lapic *l)
{
    lapic_lock(l);
    int v = vector_highest(l->s.isr);
    if (v < 0) {
        lapic_unlock(l);
        return;
    }
    vector_clear(l->s.isr, v);
    bool level = vector_test(l->s.tmr, v);
    if (level) {
        for (unsigned n = 0; n < 2; n++) {
            uint32_t lvt = l->s.lvt[LVT_LINT0 + n];
            if ((lvt & LVT_REMOTE_IRR) && (lvt & 0xff) == v) {
                l->s.lvt[LVT_LINT0 + n] &= ~LVT_REMOTE_IRR;
                lapic_lint_changed(l, n, false);
            }
        }
    }
    lapic_update(l);
    bool broadcast = level && !(l->s.svr & SVR_NO_BROADCAST);
    lapic_unlock(l);
    if (broadcast) {
        bool taken = lapic_machine_lock(l);
        for (unsigned i = 0; i < l->bus->nioapics; i++) {
            ioapic_eoi(l->bus->ioapic[i], v);
        }
        lapic_machine_unlock(l, taken);
    }
}

/* 11.6.1 */
void lapic_send_ipi(Lapic *l, uint32_t icr, uint32_t dest)
{
    ApicMessage msg = {
        .dest = dest,
        .vector = icr,
        .mode = icr >> 8 & 7,
        .logical = icr >> 11 & 1,
        .wide = lapic_is_x2(l),
    };
    unsigned shorthand = icr >> 18 & 3;
    if (msg.mode == APIC_DM_INIT && (icr & 0x8000) && !(icr & 0x4000)) {
        return; /* INIT level de-assert: only arbitration IDs of old parts */
    }
    if (msg.mode <= APIC_DM_LOWEST && msg.vector < 16) {
        lapic_error(l, ESR_SEND_VECTOR);
        return;
    }
    if (msg.mode == APIC_DM_EXTINT) {
        return; /* not valid in the ICR */
    }
    apic_bus_send_locked(l->bus, &msg, shorthand, l);
}

static int lapic_ack(void *opaque)
{
    Lapic *l = opaque;
    lapic_lock(l);
    if (lapic_extint(l)) {
        lapic_unlock(l);
        bool taken = lapic_machine_lock(l);
        lapic_lock(l);
        bool still = lapic_extint(l) && l->bus->pic_ack;
        l->s.extint = false;
        lapic_unlock(l);
        int v = still ? l->bus->pic_ack(l->bus->pic_opaque) : -1;
        lapic_machine_unlock(l, taken);
        if (v >= 0) {
            return v;
        }
        lapic_lock(l);
    }
    int v = lapic_pending(l);
    if (v >= 0) {
        vector_clear(l->s.irr, v);
        vector_set(l->s.isr, v);
    }
    lapic_update(l);
    lapic_unlock(l);
    return v;
}

static uint64_t lapic_get_tpr(void *opaque)
{
    const Lapic *l = opaque;
    return l->s.tpr >> 4 & 0xf;
}

static void lapic_set_tpr(void *opaque, uint64_t cr8)
{
    Lapic *l = opaque;
    lapic_lock(l);
    l->s.tpr = (cr8 & 0xf) << 4;
    lapic_update(l);
    lapic_unlock(l);
}

static const CpuIrqOps lapic_irq_ops = {
    .ack = lapic_ack,
    .get_tpr = lapic_get_tpr,
    .set_tpr = lapic_set_tpr,
    .get_base = lapic_get_base,
    .set_base = lapic_set_base,
    .msr_read = lapic_msr_read,
    .msr_write = lapic_msr_write,
};

/* Bits of each LVT entry that can be written (figure 11-8). */
static const uint32_t lvt_mask[LAPIC_LVTS] = { 0x700ff, 0x107ff, 0x107ff,
                                               0x1a7ff, 0x1a7ff, 0x100ff };

static void lapic_write_lvt(Lapic *l, unsigned n, uint32_t v)
{
    v &= lvt_mask[n];
    if (!(l->s.svr & SVR_ENABLE)) {
        v |= LVT_MASKED;
    }
    if (n == LVT_TIMER) {
        lapic_timer_set_lvt(l, v);
        return;
    }
    if (n != LVT_LINT0 && n != LVT_LINT1) {
        l->s.lvt[n] = v;
        return;
    }
    bool rirr = l->s.lvt[n] & LVT_REMOTE_IRR && LVT_MODE(v) == APIC_DM_FIXED &&
                (v & LVT_LEVEL);
    l->s.lvt[n] = v | (rirr ? LVT_REMOTE_IRR : 0);
    lapic_lint_changed(l, n - LVT_LINT0, false);
}

static void lapic_write_svr(Lapic *l, uint32_t v)
{
    l->s.svr = v & (0x1ff | SVR_NO_BROADCAST);
    if (!(v & SVR_ENABLE)) { /* 11.4.7.2: all LVT masks are set */
        for (unsigned n = 0; n < LAPIC_LVTS; n++) {
            l->s.lvt[n] |= LVT_MASKED;
        }
        lapic_timer_arm(l);
    }
    lapic_update(l);
}

static uint32_t lapic_reg_read_locked(Lapic *l, unsigned reg)
{
    switch (reg) {
    case LAPIC_ID: return lapic_is_x2(l) ? l->apic_id : l->s.xapic_id << 24;
    case LAPIC_VERSION: /* EOI-broadcast suppression, 6 LVT entries, version 14H */
        return BIT(24) | (LAPIC_LVTS - 1) << 16 | 0x14;
    case LAPIC_TPR: return l->s.tpr;
    case LAPIC_APR:
    case LAPIC_PPR: return lapic_ppr(l);
    case LAPIC_LDR: return l->s.ldr;
    case LAPIC_DFR: return l->s.dfr;
    case LAPIC_SVR: return l->s.svr;
    case LAPIC_ISR ... LAPIC_ISR + 7: return l->s.isr[reg - LAPIC_ISR];
    case LAPIC_TMR ... LAPIC_TMR + 7: return l->s.tmr[reg - LAPIC_TMR];
    case LAPIC_IRR ... LAPIC_IRR + 7: return l->s.irr[reg - LAPIC_IRR];
    case LAPIC_ESR: return l->s.esr;
    case LAPIC_ICR: return l->s.icr;
    case LAPIC_ICR2: return l->s.icr_dest;
    case LAPIC_LVT ... LAPIC_LVT + LAPIC_LVTS - 1: return l->s.lvt[reg - LAPIC_LVT];
    case LAPIC_INIT_COUNT: return l->s.init_count;
    case LAPIC_COUNT: return lapic_timer_count(l);
    case LAPIC_DIVIDE: return l->s.divide;
    case LAPIC_RRD:
    case LAPIC_EOI: return 0;
    default: lapic_error(l, ESR_REGISTER); return 0;
    }
}

uint32_t lapic_reg_read(Lapic *l, unsigned reg)
{
    lapic_lock(l);
    uint32_t v = lapic_reg_read_locked(l, reg);
    lapic_unlock(l);
    return v;
}

/* Registers whose effect needs no timer; bus lock held. */
static void lapic_reg_write_plain(Lapic *l, unsigned reg, uint32_t v)
{
    switch (reg) {
    case LAPIC_ID: l->s.xapic_id = v >> 24; break;
    case LAPIC_TPR:
        l->s.tpr = v & 0xff;
        lapic_update(l);
        break;
    case LAPIC_LDR: l->s.ldr = v & 0xff000000; break;
    case LAPIC_DFR: l->s.dfr = v | 0x0fffffff; break;
    case LAPIC_ESR:
        l->s.esr = l->s.esr_new;
        l->s.esr_new = 0;
        break;
    case LAPIC_ICR:
        l->s.icr = v & 0xccfff; /* bit 12, delivery status, is always idle */
        lapic_send_ipi(l, l->s.icr, l->s.icr_dest >> 24);
        break;
    case LAPIC_ICR2: l->s.icr_dest = v & 0xff000000; break;
    case LAPIC_VERSION:
    case LAPIC_APR:
    case LAPIC_PPR:
    case LAPIC_RRD:
    case LAPIC_COUNT:
    case LAPIC_ISR ... LAPIC_IRR + 7: break; /* read only */
    default: lapic_error(l, ESR_REGISTER); break;
    }
}

static bool lapic_reg_touches_timer(unsigned reg)
{
    return reg == LAPIC_SVR || reg == LAPIC_INIT_COUNT || reg == LAPIC_DIVIDE ||
           (reg >= LAPIC_LVT && reg < LAPIC_LVT + LAPIC_LVTS);
}

void lapic_reg_write(Lapic *l, unsigned reg, uint32_t v)
{
    if (reg == LAPIC_EOI) {
        lapic_write_eoi(l);
        return;
    }
    /* An INIT among the IPIs disarms a timer. */
    bool timer = lapic_reg_touches_timer(reg) ||
                 (reg == LAPIC_ICR && (v >> 8 & 7) == APIC_DM_INIT);
    bool taken = timer && lapic_machine_lock(l);
    lapic_lock(l);
    if (reg >= LAPIC_LVT && reg < LAPIC_LVT + LAPIC_LVTS) {
        lapic_write_lvt(l, reg - LAPIC_LVT, v);
    } else if (reg == LAPIC_SVR) {
        lapic_write_svr(l, v);
    } else if (reg == LAPIC_INIT_COUNT) {
        lapic_timer_start(l, v);
    } else if (reg == LAPIC_DIVIDE) {
        lapic_timer_set_divide(l, v & 0xb);
    } else {
        lapic_reg_write_plain(l, reg, v);
    }
    lapic_unlock(l);
    lapic_machine_unlock(l, taken);
}

/* 11.4.7.1, 11.4.7.3: INIT keeps the ID and IA32_APIC_BASE. Pins keep their level. */
void lapic_reset_regs(Lapic *l, bool init)
{
    LapicState old = l->s;
    l->s = (LapicState){ .dfr = 0xffffffff, .svr = 0xff };
    for (unsigned n = 0; n < LAPIC_LVTS; n++) {
        l->s.lvt[n] = LVT_MASKED;
    }
    memcpy(l->s.lint, old.lint, sizeof(l->s.lint));
    l->s.base = APIC_DEFAULT_BASE | APIC_BASE_EN |
                (l->cpu && l->cpu->index == 0 ? APIC_BASE_BSP : 0);
    l->s.xapic_id = l->apic_id & 0xff;
    if (init) {
        l->s.base = old.base;
        l->s.xapic_id = old.xapic_id;
        if (lapic_is_x2(l)) {
            l->s.ldr = old.ldr;
        }
    }
    if (timer_armed(&l->timer)) {
        timer_del(&l->timer);
    }
}

void lapic_set_virtual_wire(Device *dev)
{
    Lapic *l = DEVICE_AS(dev, Lapic, lapic_class);
    lapic_reg_write(l, LAPIC_SVR, SVR_ENABLE | 0xff);
    if (l->cpu->index == 0) {
        lapic_reg_write(l, LAPIC_LVT + LVT_LINT0, APIC_DM_EXTINT << 8);
    }
    lapic_reg_write(l, LAPIC_LVT + LVT_LINT1, APIC_DM_NMI << 8);
}

void lapic_dump(Device *dev, void *file)
{
    const Lapic *l = DEVICE_AS(dev, Lapic, lapic_class);
    FILE *f = file;
    const LapicState *s = &l->s;
    fprintf(f, "lapic %u: base %#llx tpr %02x ppr %02x svr %x ldr %08x esr %02x\n",
            l->apic_id, (unsigned long long)s->base, s->tpr, lapic_ppr(l), s->svr, s->ldr,
            s->esr);
    fprintf(f,
            "  lvt timer %05x thermal %05x perf %05x lint0 %05x lint1 %05x error %05x\n",
            s->lvt[0], s->lvt[1], s->lvt[2], s->lvt[3], s->lvt[4], s->lvt[5]);
    fprintf(f, "  timer init %u divide %x deadline %llu; requested:", s->init_count,
            s->divide, (unsigned long long)s->deadline);
    for (unsigned v = 0; v < 256; v++) {
        if (vector_test(s->irr, v)) {
            fprintf(f, " %02x", v);
        }
    }
    fprintf(f, "; in service:");
    for (unsigned v = 0; v < 256; v++) {
        if (vector_test(s->isr, v)) {
            fprintf(f, " %02x", v);
        }
    }
    fprintf(f, "\n");
}

void lapic_tsc_changed(Device *dev)
{
    Lapic *l = DEVICE_AS(dev, Lapic, lapic_class);
    bool taken = lapic_machine_lock(l);
    lapic_lock(l);
    lapic_timer_arm(l);
    lapic_unlock(l);
    lapic_machine_unlock(l, taken);
}

/* --- hw/core/chips.h --- */

static void lapic_chip_get(void *chip, void *out)
{
    Lapic *l = chip;
    LapicRegs *r = out;
    lapic_lock(l);
    *r = (LapicRegs){ .base = l->s.base, .deadline = l->s.deadline };
    for (unsigned n = LAPIC_ID; n <= LAPIC_DIVIDE; n++) {
        bool is_register = n <= LAPIC_VERSION || (n >= LAPIC_TPR && n <= LAPIC_ESR) ||
                           (n >= LAPIC_ICR && n < LAPIC_LVT + LAPIC_LVTS) ||
                           n == LAPIC_INIT_COUNT || n == LAPIC_COUNT || n == LAPIC_DIVIDE;
        r->reg[n] = is_register && n != LAPIC_RRD ? lapic_reg_read_locked(l, n) : 0;
    }
    if (lapic_is_x2(l)) {
        r->reg[LAPIC_ID] = l->apic_id << 24;
    }
    /* A timer that is due and has not interrupted yet ends in the engine (a deadline does
     * by itself: it is in the past). */
    if (timer_armed(&l->timer) && l->timer.deadline <= clock_now(l->bus->machine->clock) &&
        l->s.init_count) {
        r->reg[LAPIC_COUNT] = 1;
    }
    lapic_unlock(l);
}

static void lapic_chip_sleep(void *chip)
{
    Lapic *l = chip;
    timer_del(&l->timer);
    cpu_clear_request(l->cpu, CPU_REQ_HARD);
}

/* The timer goes on where its count says. */
static void lapic_chip_set_timer(Lapic *l, const LapicRegs *r)
{
    l->s.lvt[LVT_TIMER] = r->reg[LAPIC_LVT];
    l->s.divide = r->reg[LAPIC_DIVIDE] & 0xb;
    l->s.init_count = r->reg[LAPIC_INIT_COUNT];
    l->s.deadline = r->deadline;
    lapic_timer_set_count(l, r->reg[LAPIC_COUNT]);
}

static void lapic_chip_set(void *chip, const void *in)
{
    Lapic *l = chip;
    const LapicRegs *r = in;
    lapic_lock(l);
    LapicState *s = &l->s;
    s->base = r->base;
    if (!lapic_is_x2(l)) {
        s->xapic_id = r->reg[LAPIC_ID] >> 24;
    }
    s->tpr = r->reg[LAPIC_TPR] & 0xff;
    s->ldr = r->reg[LAPIC_LDR];
    s->dfr = r->reg[LAPIC_DFR];
    s->svr = r->reg[LAPIC_SVR] & (0x1ff | SVR_NO_BROADCAST);
    s->esr = r->reg[LAPIC_ESR];
    s->esr_new = 0;
    s->icr = r->reg[LAPIC_ICR] & 0xccfff;
    s->icr_dest = r->reg[LAPIC_ICR2];
    memcpy(s->isr, &r->reg[LAPIC_ISR], sizeof(s->isr));
    memcpy(s->tmr, &r->reg[LAPIC_TMR], sizeof(s->tmr));
    memcpy(s->irr, &r->reg[LAPIC_IRR], sizeof(s->irr));
    memcpy(&s->lvt[1], &r->reg[LAPIC_LVT + 1], sizeof(s->lvt) - sizeof(s->lvt[0]));
    lapic_chip_set_timer(l, r);
    lapic_update(l);
    lapic_unlock(l);
}

static bool lapic_realize(Device *dev, Error *err)
{
    Lapic *l = DEVICE_AS(dev, Lapic, lapic_class);
    if (!l->bus || !l->cpu) {
        return error_set(err, "lapic: only a board can make one");
    }
    if (l->bus->ncpus == APIC_MAX_CPUS) {
        return error_set(err, "lapic: more than %d CPUs", APIC_MAX_CPUS);
    }
    l->bus->cpu[l->bus->ncpus++] = l;
    dev->machine->chips.lapic[l->cpu->index] =
        (SoftChip){ l, lapic_chip_get, lapic_chip_sleep, lapic_chip_set };
    device_add_timer(dev, &l->timer, lapic_timer_fire, l);
    timer_bind(&l->timer, l->cpu);
    l->cpu->irq_ops = &lapic_irq_ops;
    l->cpu->irq_opaque = l;
    lapic_reset_regs(l, false);
    return true;
}

static void lapic_unrealize(Device *dev)
{
    Lapic *l = DEVICE_AS(dev, Lapic, lapic_class);
    ApicBus *bus = l->bus;
    for (unsigned i = 0; bus && i < bus->ncpus; i++) {
        if (bus->cpu[i] == l) {
            bus->cpu[i] = bus->cpu[--bus->ncpus];
        }
    }
    if (l->cpu) {
        l->cpu->timer = NULL;
        l->cpu->irq_ops = NULL;
    }
}

static void lapic_reset(Device *dev)
{
    Lapic *l = DEVICE_AS(dev, Lapic, lapic_class);
    lapic_lock(l);
    lapic_reset_regs(l, false);
    lapic_update(l);
    lapic_unlock(l);
    apic_bus_place(l->bus);
}

static bool lapic_post_load(void *owner, Error *err)
{
    Lapic *l = owner;
    lapic_lock(l);
    lapic_timer_arm(l);
    lapic_update(l);
    l->bus->pic_level = l->s.lint[0]; /* the same wire goes to all */
    lapic_unlock(l);
    apic_bus_place(l->bus);
    return true;
}

Device *lapic_create(ApicBus *bus, const LapicConfig *cfg, Error *err)
{
    Device *dev = device_create(bus->machine, &lapic_class);
    Lapic *l = DEVICE_AS(dev, Lapic, lapic_class);
    unsigned phys_bits = cfg->phys_bits ? cfg->phys_bits : 40;
    l->bus = bus;
    l->cpu = cfg->cpu;
    l->apic_id = cfg->apic_id;
    l->tsc_offset = cfg->tsc_offset;
    l->has_x2apic = cfg->x2apic;
    l->has_deadline = cfg->tsc_deadline;
    /* 11.4.4: bits 7:0 and 9, and all from MAXPHYADDR up; EXTD without the feature */
    l->base_reserved = 0x2ff | (phys_bits < 64 ? ~0ull << phys_bits : 0) |
                       (cfg->x2apic ? 0 : APIC_BASE_EXTD);
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static const StateField lapic_fields[] = { STATE_U64(LapicState, base),
                                           STATE_U64(LapicState, deadline),
                                           STATE_I64(LapicState, timer_start),
                                           STATE_U32_MAX(LapicState, xapic_id, 255),
                                           STATE_U32(LapicState, tpr),
                                           STATE_U32(LapicState, ldr),
                                           STATE_U32(LapicState, dfr),
                                           STATE_U32(LapicState, svr),
                                           STATE_U32(LapicState, esr),
                                           STATE_U32(LapicState, esr_new),
                                           STATE_U32(LapicState, icr),
                                           STATE_U32(LapicState, icr_dest),
                                           STATE_U32_ARRAY(LapicState, isr),
                                           STATE_U32_ARRAY(LapicState, irr),
                                           STATE_U32_ARRAY(LapicState, tmr),
                                           STATE_U32_ARRAY(LapicState, lvt),
                                           STATE_U32(LapicState, init_count),
                                           STATE_U32(LapicState, divide),
                                           STATE_ARRAY(LapicState, lint, SK_BOOL, bool),
                                           STATE_BOOL(LapicState, extint),
                                           STATE_END };

const DeviceClass lapic_class = {
    .name = "apic",
    .desc = "local APIC",
    .size = sizeof(Lapic),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(Lapic, s),
               .size = sizeof(LapicState),
               .fields = lapic_fields,
               .post_load = lapic_post_load },
    .realize = lapic_realize,
    .unrealize = lapic_unrealize,
    .reset = lapic_reset,
};

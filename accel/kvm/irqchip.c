/* SPDX-License-Identifier: MIT */
/*
 * Interrupt chips: irqchip=on runs PIC, I/O APIC, local APICs and PIT in the kernel, split
 * the local APICs alone, off none. At each start their registers move from the models
 * (hw/core/chips.h) into the kernel, at each stop back: a paused machine has no state
 * here. KVM API 4.24 to 4.28 (irqchip), 4.52 (routing), 4.57 (local APIC), 4.71 (PIT),
 * 4.30 (clock). Machine lock; start and stop with the vCPUs parked.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include "accel/kvm/kvm_int.h"
#include "hw/core/nondet.h"
#include "util/log.h"

enum { MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0 };
enum { REG_TPR = 8, REG_LVT_TIMER = 0x32, REG_INIT_COUNT = 0x38, REG_COUNT };
enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };
#define RTE_LEVEL BIT(15)
#define IOAPIC_ADDRESS 0xfec00000u

static void vm_ioctl(KvmMachine *k, unsigned long req, void *arg, const char *what)
{
    int ret = kvm_ioctl(k->vm, req, arg);
    if (ret < 0) {
        log_printf("kvm: %s: %s\n", what, strerror(-ret));
    }
}

/* ---- the models' side while the kernel has the chips ---- */

static void set_gsi(Machine *m, unsigned gsi, bool level)
{
    KvmMachine *k = kvm_of(m);
    struct kvm_irq_level l = { .irq = gsi, .level = level };
    k->irqs++;
    vm_ioctl(k, KVM_IRQ_LINE, &l, "KVM_IRQ_LINE");
}

static void send_msi(Machine *m, uint64_t addr, uint32_t data)
{
    KvmMachine *k = kvm_of(m);
    struct kvm_msi msi = { .address_lo = (uint32_t)addr, .address_hi = addr >> 32, .data = data };
    k->msis++;
    if (kvm_msi_send(k, addr, data)) {
        return;
    }
    /* 0: the guest masks it; an error: nobody has this destination */
    if (kvm_ioctl(k->vm, KVM_SIGNAL_MSI, &msi) < 0) {
        log_guest_error("kvm: message %#llx %#x refused\n", (unsigned long long)addr, data);
    }
}

static void chips_nmi(Machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        cpu_request(m->cpus[i], CPU_REQ_NMI);
    }
}

/* The boot CPU's thread takes it in its loop (vcpu.c, inject). */
static void set_intr(Machine *m, bool level)
{
    KvmMachine *k = kvm_of(m);
    k->intr = level;
    if (level) {
        cpu_request(m->cpus[0], CPU_REQ_HARD);
    } else {
        cpu_clear_request(m->cpus[0], CPU_REQ_HARD);
    }
}

/* An I/O APIC entry as the message it sends (82093AA 3.2.4; SDM vol. 3, 11.11). */
struct kvm_irq_routing_entry kvm_rte_route(unsigned gsi, uint64_t rte)
{
    return (struct kvm_irq_routing_entry){
        .gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
        .u.msi.address_lo = 0xfee00000u | (uint32_t)(rte >> 56) << 12 |
                            (rte & BIT(11) ? 4 : 0) | ((rte >> 8 & 7) == 1 ? 8 : 0),
        .u.msi.data = (rte & 0xff) | (uint32_t)(rte >> 8 & 7) << 8 |
                      (rte & RTE_LEVEL ? 0xc000 : 0),
    };
}

static void redirection(Machine *m, unsigned n, uint64_t rte)
{
    KvmMachine *k = kvm_of(m);
    const uint64_t matters = 0xff00000000008fffull;
    if (n < CHIP_GSIS && (k->rte[n] ^ rte) & matters) {
        k->rte[n] = rte;
        kvm_routes_update(k); /* from it the kernel knows which vectors' ends it must report */
    }
}

static void inhibit_pit(Machine *m, bool on)
{
    KvmMachine *k = kvm_of(m);
    struct kvm_pit_state2 p;
    if (kvm_ioctl(k->vm, KVM_GET_PIT2, &p) == 0) {
        p.flags = (p.flags & ~KVM_PIT_FLAGS_HPET_LEGACY) | (on ? KVM_PIT_FLAGS_HPET_LEGACY : 0);
        vm_ioctl(k, KVM_SET_PIT2, &p, "KVM_SET_PIT2");
    }
}

static const EngineChipOps chip_ops = {
    .set_gsi = set_gsi, .send_msi = send_msi, .nmi = chips_nmi, .set_intr = set_intr,
    .redirection = redirection, .inhibit_pit = inhibit_pit,
};

/* ---- what a rescued instruction reaches of the kernel's local APIC ---- */

static int irq_ack(void *opaque)
{
    return -1;
}
static uint64_t irq_get_tpr(void *opaque)
{
    return ((KvmVcpu *)opaque)->cr8;
}
static void irq_set_tpr(void *opaque, uint64_t cr8)
{
    ((KvmVcpu *)opaque)->cr8 = cr8;
}
static uint64_t irq_get_base(void *opaque)
{
    return ((KvmVcpu *)opaque)->apic_base;
}
static bool irq_set_base(void *opaque, uint64_t v)
{
    KvmVcpu *vcpu = opaque;
    bool ok = kvm_set_msr(vcpu, MSR_APIC_BASE, v);
    vcpu->apic_base = ok ? v : vcpu->apic_base;
    return ok;
}
static bool irq_msr_read(void *opaque, uint32_t msr, uint64_t *v)
{
    return kvm_get_msr(opaque, msr, v);
}
static bool irq_msr_write(void *opaque, uint32_t msr, uint64_t v)
{
    return kvm_set_msr(opaque, msr, v);
}

const CpuIrqOps kvm_irq_ops = {
    .ack = irq_ack, .get_tpr = irq_get_tpr, .set_tpr = irq_set_tpr,
    .get_base = irq_get_base, .set_base = irq_set_base,
    .msr_read = irq_msr_read, .msr_write = irq_msr_write,
};

/* ---- local APIC: the same registers, 16 bytes apart ---- */

static unsigned timer_mode(const uint32_t reg[64])
{
    return reg[REG_LVT_TIMER] >> 17 & 3;
}

static bool lapic_read(KvmVcpu *v, uint32_t reg[64])
{
    struct kvm_lapic_state l;
    bool ok = kvm_ioctl(v->fd, KVM_GET_LAPIC, &l) >= 0;
    for (unsigned n = 0; n < 64 && ok; n++) {
        memcpy(&reg[n], l.regs + 16 * n, 4);
    }
    return ok;
}

/* When the timer comes from or goes to TSC-deadline mode, the kernel clears its count: then
 * it is told twice. */
static void lapic_write(KvmVcpu *v, const uint32_t reg[64])
{
    struct kvm_lapic_state l;
    uint32_t old[64];
    if (kvm_ioctl(v->fd, KVM_GET_LAPIC, &l) < 0) {
        return;
    }
    memcpy(&old[REG_LVT_TIMER], l.regs + 16 * REG_LVT_TIMER, 4);
    bool twice = (timer_mode(old) == TIMER_DEADLINE) != (timer_mode(reg) == TIMER_DEADLINE);
    for (unsigned n = 0; n < 64; n++) {
        if (n != 3) { /* the version is the kernel's */
            memcpy(l.regs + 16 * n, &reg[n], 4);
        }
    }
    int ret = kvm_ioctl(v->fd, KVM_SET_LAPIC, &l);
    if (twice) {
        ret = kvm_ioctl(v->fd, KVM_SET_LAPIC, &l);
    }
    if (ret < 0) {
        log_printf("kvm: KVM_SET_LAPIC: %s\n", strerror(-ret));
    }
}

static void lapic_put(KvmVcpu *v, const LapicRegs *regs)
{
    LapicRegs r = *regs;
    v->timer_count = r.reg[REG_COUNT];
    v->timer_init = 0;
    if (timer_mode(r.reg) == TIMER_DEADLINE) {
        kvm_set_msr(v, MSR_TSC_DEADLINE, 0); /* one of before would interrupt at once */
    } else if (timer_mode(r.reg) == TIMER_ONE_SHOT && !r.reg[REG_COUNT]) {
        /* It is over. The kernel takes a count of 0 for one that ends now: it gets no
         * initial count either. */
        v->timer_init = r.reg[REG_INIT_COUNT];
        r.reg[REG_INIT_COUNT] = 0;
    }
    lapic_write(v, r.reg);
    if (r.deadline) {
        kvm_set_msr(v, MSR_TSC_DEADLINE, r.deadline);
    }
}

/* A timer that ended since the vCPU was left has interrupted nobody: it ends once more. */
static void lapic_get(KvmVcpu *v, LapicRegs *r)
{
    memset(r, 0, sizeof(*r));
    if (!lapic_read(v, r->reg)) {
        return;
    }
    r->base = v->apic_base;
    if (!kvm_get_msr(v, MSR_TSC_DEADLINE, &r->deadline)) {
        r->deadline = 0;
    }
    uint32_t *count = &r->reg[REG_COUNT], *init = &r->reg[REG_INIT_COUNT];
    LapicRegs idle = *r;
    idle.reg[REG_INIT_COUNT] = idle.reg[REG_COUNT] = 0;
    lapic_write(v, idle.reg); /* no ticks while another engine runs */
    if (timer_mode(r->reg) != TIMER_DEADLINE && v->timer_count &&
        (!*count || *count > v->timer_count)) {
        *count = 1;
    }
    if (timer_mode(r->reg) == TIMER_ONE_SHOT && !*init) {
        *init = v->timer_init;
    }
}

/*
 * A timer that has ended is a request to the kernel's entry into the guest; the registers do
 * not show it. So that one goes in and, for a signal waits, out again at once.
 */
static void settle_timer(KvmVcpu *v)
{
    struct {
        struct kvm_signal_mask head;
        uint64_t set;
    } mask = { .head.len = 8 };
    const struct timespec now = { 0 };
    sigset_t kick, old, inside;
    sigemptyset(&kick);
    sigaddset(&kick, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &kick, &old);
    inside = old;
    sigdelset(&inside, SIGUSR1);
    for (int sig = 1; sig < 64; sig++) {
        mask.set |= sigismember(&inside, sig) == 1 ? BIT(sig - 1) : 0;
    }
    if (kvm_ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask) >= 0) {
        pthread_kill(pthread_self(), SIGUSR1);
        __atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        int ret = kvm_ioctl(v->fd, KVM_RUN, NULL);
        sigtimedwait(&kick, NULL, &now);
        kvm_ioctl(v->fd, KVM_SET_SIGNAL_MASK, NULL);
        if (ret == 0) {
            kvm_handle_exit(v);
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static uint32_t timer_left(KvmVcpu *v)
{
    uint32_t reg[64];
    return lapic_read(v, reg) ? reg[REG_COUNT] : 0;
}

void kvm_irqchip_left(KvmVcpu *v)
{
    if (!chips_active(&v->k->m->chips, CHIP_LAPIC) || v->stuck) {
        return;
    }
    uint32_t before;
    unsigned tries = 0;
    do { /* once more if it ended meanwhile: before it was settled, or behind */
        before = timer_left(v);
        settle_timer(v);
        v->timer_count = timer_left(v);
    } while (before && (!v->timer_count || v->timer_count > before) && ++tries < 100);
}

/* ---- 8259s ---- */

static void pic_put(KvmMachine *k, const PicPairRegs *r)
{
    static const uint8_t elcr_mask[2] = { 0xf8, 0xde };
    for (unsigned n = 0; n < 2; n++) {
        const PicRegs *p = &r->chip[n];
        struct kvm_irqchip c = { .chip_id = n ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER };
        c.chip.pic = (struct kvm_pic_state){
            .last_irr = p->lines, .irr = p->irr, .imr = p->imr, .isr = p->isr,
            .priority_add = (p->lowest + 1) & 7, .irq_base = p->base,
            .read_reg_select = p->read_isr, .poll = p->poll, .special_mask = p->special_mask,
            .init_state = p->icw_next ? p->icw_next - 1 : 0, .auto_eoi = p->auto_eoi,
            .rotate_on_auto_eoi = p->rotate_aeoi,
            .special_fully_nested_mode = p->fully_nested, .init4 = p->need_icw4,
            .elcr = p->elcr, .elcr_mask = elcr_mask[n],
        };
        vm_ioctl(k, KVM_SET_IRQCHIP, &c, "KVM_SET_IRQCHIP");
    }
}

static void pic_get(KvmMachine *k, PicPairRegs *r)
{
    for (unsigned n = 0; n < 2; n++) {
        struct kvm_irqchip c = { .chip_id = n ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER };
        vm_ioctl(k, KVM_GET_IRQCHIP, &c, "KVM_GET_IRQCHIP");
        const struct kvm_pic_state *p = &c.chip.pic;
        r->chip[n] = (PicRegs){
            .irr = p->irr, .lines = p->last_irr, .imr = p->imr, .isr = p->isr,
            .elcr = p->elcr, .base = p->irq_base, .lowest = (p->priority_add - 1) & 7,
            .icw_next = p->init_state ? p->init_state + 1 : 0, .need_icw4 = p->init4,
            .auto_eoi = p->auto_eoi, .fully_nested = p->special_fully_nested_mode,
            .read_isr = p->read_reg_select, .poll = p->poll, .special_mask = p->special_mask,
            .rotate_aeoi = p->rotate_on_auto_eoi,
        };
    }
}

/* ---- I/O APIC ---- */

static bool is_level(uint64_t rte)
{
    return rte & RTE_LEVEL && (rte >> 8 & 7) <= 1;
}

/* The kernel takes a pin set in `irr` for an edge that has not been delivered yet. Ours
 * have been: only level inputs are given. */
static void ioapic_put(KvmMachine *k, const IoapicRegs *r)
{
    struct kvm_irqchip c = { .chip_id = KVM_IRQCHIP_IOAPIC };
    struct kvm_ioapic_state *s = &c.chip.ioapic;
    s->base_address = IOAPIC_ADDRESS;
    s->ioregsel = r->select;
    s->id = r->id;
    for (unsigned n = 0; n < CHIP_GSIS; n++) {
        s->redirtbl[n].bits = r->redir[n];
        s->irr |= is_level(r->redir[n]) ? r->lines & 1u << n : 0;
    }
    vm_ioctl(k, KVM_SET_IRQCHIP, &c, "KVM_SET_IRQCHIP");
}

/* The lines are known to the model. */
static void ioapic_get(KvmMachine *k, IoapicRegs *r)
{
    struct kvm_irqchip c = { .chip_id = KVM_IRQCHIP_IOAPIC };
    vm_ioctl(k, KVM_GET_IRQCHIP, &c, "KVM_GET_IRQCHIP");
    for (unsigned n = 0; n < CHIP_GSIS; n++) {
        r->redir[n] = c.chip.ioapic.redirtbl[n].bits;
    }
    r->select = c.chip.ioapic.ioregsel;
    r->id = c.chip.ioapic.id;
}

/* Tells the kernel every line's level. An edge input that is high stays as it is: raising
 * it would be a new edge. */
static void lines_put(KvmMachine *k, const IoapicRegs *r)
{
    for (unsigned pin = 0; pin < CHIP_GSIS; pin++) {
        bool high = r->lines >> pin & 1;
        if (!high || is_level(r->redir[pin]) || r->redir[pin] & BIT(16)) {
            set_gsi(k->m, pin == 2 ? 0 : pin, high);
        }
    }
}

/* ---- PIT ---- */

#define PIT_HZ 1193182
#define PIT_TICKS(ns) ((int64_t)((__int128)(ns) * PIT_HZ / 1000000000))
#define PIT_NS(ticks) ((int64_t)((ticks) * 1000000000u / PIT_HZ))
enum { PIT_MODE_NONE = 0xff }; /* the kernel's word for "no control word yet" */
enum { RW_STATE_LSB = 1, RW_STATE_MSB, RW_STATE_WORD0, RW_STATE_WORD1 };

static uint8_t rw_state(const PitCounterRegs *c, bool second)
{
    return c->rw == 1 ? RW_STATE_LSB : c->rw == 2 ? RW_STATE_MSB
           : second  ? RW_STATE_WORD1 : RW_STATE_WORD0;
}

/*
 * The kernel starts counter 0's period anew whenever it is told of it, and has no count that
 * is to take over later. So what runs out once gets what is left of its count; what the model
 * had goes on from there if the guest has not loaded the counter. Loading it is seen by the
 * first byte of a count, which has another value before; when that was, the kernel does not
 * tell of counter 0: it starts anew.
 */
static void pit_channel_put(struct kvm_pit_channel_state *s, const PitCounterRegs *c, bool first,
                            int64_t now)
{
    uint32_t count = c->next_count ? c->next_count : c->count ? c->count : 0x10000;
    int64_t age = c->age;
    if (first && (c->mode == 0 || c->mode == 4) && c->count) {
        int64_t left = (c->count - PIT_TICKS(age)) % 0x10000;
        count = left > 0 ? left : left + 0x10000;
        age = 0;
    }
    bool half = c->write_msb && c->rw == 3;
    *s = (struct kvm_pit_channel_state){
        .count = count, .latched_count = c->latch,
        .count_latched = !c->latched           ? 0
                         : c->latch_msb        ? RW_STATE_MSB
                         : c->latched == 2     ? RW_STATE_WORD0
                                               : RW_STATE_LSB,
        .status_latched = c->status_latched, .status = c->status,
        .read_state = rw_state(c, c->read_msb), .write_state = rw_state(c, c->write_msb),
        .write_latch = half ? c->lsb : (uint8_t)~(c->count ? c->count : count), .rw_mode = c->rw,
        .mode = c->untouched ? PIT_MODE_NONE : c->mode, .bcd = c->bcd, .gate = c->gate,
        .count_load_time = now - age,
    };
}

static void pit_put(KvmMachine *k, const PitRegs *r)
{
    struct kvm_pit_state2 s;
    memset(&s, 0, sizeof(s));
    k->pit_at = nondet_host_ns();
    for (unsigned n = 0; n < 3; n++) {
        pit_channel_put(&s.channels[n], &r->c[n], n == 0, k->pit_at);
    }
    s.flags = (r->inhibited ? KVM_PIT_FLAGS_HPET_LEGACY : 0) |
              (r->speaker ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0);
    vm_ioctl(k, KVM_SET_PIT2, &s, "KVM_SET_PIT2");
    vm_ioctl(k, KVM_GET_PIT2, &s, "KVM_GET_PIT2"); /* counters 1 and 2 were loaded anew */
    memcpy(k->pit_given, s.channels, sizeof(k->pit_given));
    k->pit_before = *r;
    if (r->due) {
        set_gsi(k->m, 0, true);
        set_gsi(k->m, 0, false);
    }
}

/* Untouched since it was put: as it was, and later. *due: the period that was under way has
 * ended, but the kernel counted one from the start. */
static bool pit_as_before(const KvmMachine *k, unsigned n, const struct kvm_pit_channel_state *c,
                          PitCounterRegs *r, int64_t now, bool *due)
{
    const struct kvm_pit_channel_state *g = &k->pit_given[n];
    if (c->count != g->count || c->mode != g->mode || c->rw_mode != g->rw_mode ||
        c->gate != g->gate || c->write_state != g->write_state ||
        c->write_latch != g->write_latch || c->count_load_time != g->count_load_time) {
        return false;
    }
    int64_t age = k->pit_before.c[n].age, passed = now - k->pit_at;
    r->count = k->pit_before.c[n].count;
    r->next_count = k->pit_before.c[n].next_count;
    r->mode = k->pit_before.c[n].mode;
    r->lsb = k->pit_before.c[n].lsb;
    r->untouched = k->pit_before.c[n].untouched;
    r->age = r->gate || r->mode == 1 || r->mode == 5 ? age + passed : age;
    int64_t period = PIT_NS((uint64_t)r->count);
    if (n == 0 && period && (r->mode == 2 || r->mode == 3)) {
        *due = r->age / period - age / period > passed / period;
    }
    return true;
}

static void pit_get(KvmMachine *k, PitRegs *r)
{
    struct kvm_pit_state2 s;
    memset(&s, 0, sizeof(s));
    vm_ioctl(k, KVM_GET_PIT2, &s, "KVM_GET_PIT2");
    int64_t now = nondet_host_ns();
    r->due = false;
    for (unsigned n = 0; n < 3; n++) {
        const struct kvm_pit_channel_state *c = &s.channels[n];
        bool none = c->mode == PIT_MODE_NONE;
        r->c[n] = (PitCounterRegs){
            .count = none ? 0 : c->count ? c->count : 0x10000,
            .age = MAX(now - c->count_load_time, 0), .latch = c->latched_count,
            .latched = c->count_latched == RW_STATE_WORD0 ? 2 : c->count_latched != 0,
            .latch_msb = c->count_latched == RW_STATE_MSB, .status = c->status,
            .mode = none ? 3 : c->mode, .rw = c->rw_mode, .lsb = c->write_latch,
            .bcd = c->bcd, .gate = c->gate, .status_latched = c->status_latched,
            .read_msb = c->read_state == RW_STATE_WORD1,
            .write_msb = c->write_state == RW_STATE_WORD1,
        };
        if (!pit_as_before(k, n, c, &r->c[n], now, &r->due) && n == 0) {
            r->c[n].age = 0;
        }
    }
    r->inhibited = s.flags & KVM_PIT_FLAGS_HPET_LEGACY;
    r->speaker = s.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
    /* No ticks while another engine runs; one that is on its way arrives. */
    s.channels[0].mode = PIT_MODE_NONE;
    vm_ioctl(k, KVM_SET_PIT2, &s, "KVM_SET_PIT2");
}

/* ---- start and stop ---- */

static void lapics_start(KvmMachine *k)
{
    Machine *m = k->m;
    for (unsigned i = 0; i < m->ncpus; i++) {
        SoftChip *chip = &m->chips.lapic[i];
        KvmVcpu *v = &k->vcpu[i];
        LapicRegs r;
        chip->get(chip->chip, &r);
        chip->sleep(chip->chip);
        v->soft_irq_ops = m->cpus[i]->irq_ops;
        v->soft_irq_opaque = m->cpus[i]->irq_opaque;
        m->cpus[i]->irq_ops = &kvm_irq_ops;
        m->cpus[i]->irq_opaque = v;
        v->cr8 = r.reg[REG_TPR] >> 4 & 15;
        v->apic_base = r.base;
        kvm_put_state(v); /* APIC base and TSC come before the APIC */
        v->loaded = true;
        lapic_put(v, &r);
    }
}

static void on_start(KvmMachine *k)
{
    Machine *m = k->m;
    EngineChips *c = &m->chips;
    PicPairRegs pic;
    IoapicRegs ioapic;
    PitRegs pit;
    c->pic.get(c->pic.chip, &pic);
    c->ioapic.get(c->ioapic.chip, &ioapic);
    c->pit.get(c->pit.chip, &pit);
    atomic_store(&c->active, CHIP_PIC | CHIP_IOAPIC | CHIP_PIT | CHIP_LAPIC);
    lapics_start(k);
    c->pit.sleep(c->pit.chip);
    pic_put(k, &pic);
    ioapic_put(k, &ioapic);
    ioapic.lines &= ~(uint32_t)BIT(2); /* the PIT's, which the kernel drives */
    lines_put(k, &ioapic);
    pit_put(k, &pit);
}

static void split_start(KvmMachine *k)
{
    EngineChips *c = &k->m->chips;
    IoapicRegs r;
    bool intr = k->m->cpus[0]->request & CPU_REQ_HARD;
    c->ioapic.get(c->ioapic.chip, &r);
    memcpy(k->rte, r.redir, sizeof(k->rte));
    atomic_store(&c->active, CHIP_LAPIC);
    kvm_routes_update(k);
    lapics_start(k);
    PicPairRegs pic; /* set again: tells its INT line, which went to the model's LINT0 */
    c->pic.get(c->pic.chip, &pic);
    k->intr = false;
    if (intr) {
        set_intr(k->m, true); /* taken back by the PIC if it was not its */
    }
    c->pic.set(c->pic.chip, &pic);
}

void kvm_irqchip_start(KvmMachine *k)
{
    Machine *m = k->m;
    if (atomic_load(&m->chips.active)) {
        return;
    }
    m->chips.ops = &chip_ops;
    /* Guest time since the machine's start, whatever engine ran (kvmclock). */
    struct kvm_clock_data clock = { .clock = clock_now(m->clock) };
    vm_ioctl(k, KVM_SET_CLOCK, &clock, "KVM_SET_CLOCK");
    if (k->irqchip == IRQCHIP_ON && m->chips.pic.chip && m->chips.pit.chip) {
        on_start(k);
    } else if (k->irqchip == IRQCHIP_SPLIT) {
        split_start(k);
    }
}

void kvm_irqchip_stop(KvmMachine *k)
{
    Machine *m = k->m;
    EngineChips *c = &m->chips;
    unsigned had = atomic_load(&c->active);
    static LapicRegs lapic[MACHINE_MAX_CPUS]; /* machine lock */
    PicPairRegs pic;
    IoapicRegs ioapic;
    PitRegs pit;
    if (!had) {
        return;
    }
    if (had & CHIP_PIC) { /* in the order in which an interrupt goes */
        pit_get(k, &pit);
        pic_get(k, &pic);
        c->ioapic.get(c->ioapic.chip, &ioapic);
        ioapic_get(k, &ioapic);
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        lapic_get(&k->vcpu[i], &lapic[i]);
        m->cpus[i]->irq_ops = k->vcpu[i].soft_irq_ops;
        m->cpus[i]->irq_opaque = k->vcpu[i].soft_irq_opaque;
    }
    atomic_store(&c->active, 0);
    if (had & CHIP_PIC) {
        c->pit.set(c->pit.chip, &pit);
        c->pic.set(c->pic.chip, &pic);
    } else {
        cpu_clear_request(m->cpus[0], CPU_REQ_HARD);
        c->pic.get(c->pic.chip, &pic);
        c->pic.set(c->pic.chip, &pic); /* its INT line now reaches the models */
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        c->lapic[i].set(c->lapic[i].chip, &lapic[i]);
    }
    if (had & CHIP_PIC) {
        c->ioapic.set(c->ioapic.chip, &ioapic);
    }
}

bool kvm_irqchip_init(KvmMachine *k, Error *err)
{
    int ret = 0;
    if (k->irqchip == IRQCHIP_ON) {
        struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
        ret = kvm_ioctl(k->vm, KVM_CREATE_IRQCHIP, NULL);
        ret = ret < 0 ? ret : kvm_ioctl(k->vm, KVM_CREATE_PIT2, &pit);
        ret = ret < 0 ? ret : kvm_routes_update(k) ? 0 : -EINVAL;
    } else if (k->irqchip == IRQCHIP_SPLIT) {
        struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { CHIP_GSIS } };
        ret = kvm_ioctl(k->vm, KVM_ENABLE_CAP, &cap);
    }
    return ret >= 0 ? true : error_set(err, "interrupt chips: %s", strerror(-ret));
}

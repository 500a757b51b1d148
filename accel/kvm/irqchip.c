/* SPDX-License-Identifier: MIT */
/*
 * Interrupt chips: irqchip=on runs PIC, I/O APIC, local APICs and PIT in the kernel, split
 * the local APICs alone, off none. At each start their registers move from the models
 * (hw/core/chips.h) into the kernel, at each stop back: a paused machine has no state
 * here. KVM API 4.24 to 4.28 (irqchip), 4.52 (routing), 4.57 (local APIC), 4.71 (PIT),
 * 4.30 (clock). Machine lock; start and stop with the vCPUs parked.
 */
#include <errno.h>
#include <string.h>
#include "accel/kvm/kvm_int.h"
#include "hw/core/nondet.h"
#include "util/log.h"

enum { MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0 };
enum { REG_TPR = 8 };
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

static void lapic_put(KvmVcpu *v, const LapicRegs *r)
{
    struct kvm_lapic_state l;
    if (kvm_ioctl(v->fd, KVM_GET_LAPIC, &l) < 0) {
        return;
    }
    for (unsigned n = 0; n < 64; n++) {
        if (n != 3) { /* the version is the kernel's */
            memcpy(l.regs + 16 * n, &r->reg[n], 4);
        }
    }
    int ret = kvm_ioctl(v->fd, KVM_SET_LAPIC, &l);
    if (ret < 0) {
        log_printf("kvm: KVM_SET_LAPIC: %s\n", strerror(-ret));
    }
    if (r->deadline) {
        kvm_set_msr(v, MSR_TSC_DEADLINE, r->deadline);
    }
}

static void lapic_get(KvmVcpu *v, LapicRegs *r)
{
    struct kvm_lapic_state l;
    memset(r, 0, sizeof(*r));
    if (kvm_ioctl(v->fd, KVM_GET_LAPIC, &l) < 0) {
        return;
    }
    for (unsigned n = 0; n < 64; n++) {
        memcpy(&r->reg[n], l.regs + 16 * n, 4);
    }
    r->base = v->apic_base;
    if (!kvm_get_msr(v, MSR_TSC_DEADLINE, &r->deadline)) {
        r->deadline = 0;
    }
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

enum { PIT_MODE_NONE = 0xff }; /* the kernel's word for "no control word yet" */
enum { RW_STATE_LSB = 1, RW_STATE_MSB, RW_STATE_WORD0, RW_STATE_WORD1 };

static uint8_t rw_state(const PitCounterRegs *c, bool second)
{
    return c->rw == 1 ? RW_STATE_LSB : c->rw == 2 ? RW_STATE_MSB
           : second  ? RW_STATE_WORD1 : RW_STATE_WORD0;
}

static void pit_put(KvmMachine *k, const PitRegs *r)
{
    struct kvm_pit_state2 s;
    memset(&s, 0, sizeof(s));
    for (unsigned n = 0; n < 3; n++) {
        const PitCounterRegs *c = &r->c[n];
        s.channels[n] = (struct kvm_pit_channel_state){
            .count = c->count ? c->count : 0x10000, .latched_count = c->latch,
            .count_latched = !c->latched           ? 0
                             : c->latch_msb        ? RW_STATE_MSB
                             : c->latched == 2     ? RW_STATE_WORD0
                                                   : RW_STATE_LSB,
            .status_latched = c->status_latched, .status = c->status,
            .read_state = rw_state(c, c->read_msb), .write_state = rw_state(c, c->write_msb),
            .write_latch = c->lsb, .rw_mode = c->rw, .mode = c->count ? c->mode : PIT_MODE_NONE,
            .bcd = c->bcd, .gate = c->gate, .count_load_time = nondet_host_ns() - c->age,
        };
    }
    s.flags = (r->inhibited ? KVM_PIT_FLAGS_HPET_LEGACY : 0) |
              (r->speaker ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0);
    vm_ioctl(k, KVM_SET_PIT2, &s, "KVM_SET_PIT2");
}

static void pit_get(KvmMachine *k, PitRegs *r)
{
    struct kvm_pit_state2 s;
    memset(&s, 0, sizeof(s));
    vm_ioctl(k, KVM_GET_PIT2, &s, "KVM_GET_PIT2");
    for (unsigned n = 0; n < 3; n++) {
        const struct kvm_pit_channel_state *c = &s.channels[n];
        bool none = c->mode == PIT_MODE_NONE;
        r->c[n] = (PitCounterRegs){
            .count = none ? 0 : c->count ? c->count : 0x10000,
            .age = MAX(nondet_host_ns() - c->count_load_time, 0), .latch = c->latched_count,
            .latched = c->count_latched == RW_STATE_WORD0 ? 2 : c->count_latched != 0,
            .latch_msb = c->count_latched == RW_STATE_MSB, .status = c->status,
            .mode = none ? 3 : c->mode, .rw = c->rw_mode, .lsb = c->write_latch,
            .bcd = c->bcd, .gate = c->gate, .status_latched = c->status_latched,
            .read_msb = c->read_state == RW_STATE_WORD1,
            .write_msb = c->write_state == RW_STATE_WORD1,
        };
    }
    r->inhibited = s.flags & KVM_PIT_FLAGS_HPET_LEGACY;
    r->speaker = s.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
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
    for (unsigned i = 0; i < m->ncpus; i++) {
        lapic_get(&k->vcpu[i], &lapic[i]);
        m->cpus[i]->irq_ops = k->vcpu[i].soft_irq_ops;
        m->cpus[i]->irq_opaque = k->vcpu[i].soft_irq_opaque;
    }
    if (had & CHIP_PIC) {
        pic_get(k, &pic);
        c->ioapic.get(c->ioapic.chip, &ioapic);
        ioapic_get(k, &ioapic);
        pit_get(k, &pit);
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

/* SPDX-License-Identifier: MIT */
/*
 * What a CPU reaches of its local APIC by MSR: IA32_APIC_BASE (SDM vol. 3, 11.4.4), the
 * x2APIC registers 800H-8FFH (11.12), IA32_TSC_DEADLINE (11.5.4.1).
 * Called by the vCPU's thread without the machine lock.
 */
#include "hw/intc/lapic.h"
#include "util/log.h"

enum { MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800 };

uint64_t lapic_get_base(void *opaque)
{
    const Lapic *l = opaque;
    return l->s.base;
}

/* Transitions of 11.12.5 (figure 11-27); false = #GP. */
static bool base_transition_ok(const Lapic *l, uint64_t v)
{
    uint64_t old = l->s.base;
    bool en = v & APIC_BASE_EN, extd = v & APIC_BASE_EXTD;
    bool old_en = old & APIC_BASE_EN, old_extd = old & APIC_BASE_EXTD;
    if (!en && extd) {
        return false; /* invalid state */
    }
    if (!old_en && en && extd) {
        return false; /* off to x2APIC in one step */
    }
    if (old_extd && en && !extd) {
        return false; /* x2APIC to xAPIC */
    }
    return true;
}

static void base_entered_x2(Lapic *l)
{
    /* 11.12.10.2: the logical ID follows from the ID; xAPIC's ICR is void. */
    l->s.ldr = (l->apic_id >> 4) << 16 | 1u << (l->apic_id & 0xf);
    l->s.icr_dest = 0;
    l->s.xapic_id = l->apic_id & 0xff;
}

bool lapic_set_base(void *opaque, uint64_t v)
{
    Lapic *l = opaque;
    if ((v & l->base_reserved) || !base_transition_ok(l, v)) {
        return false;
    }
    bool taken = lapic_machine_lock(l);
    lapic_lock(l);
    uint64_t old = l->s.base;
    if ((old & APIC_BASE_EN) && !(v & APIC_BASE_EN)) {
        lapic_reset_regs(l, true); /* 11.4.3: as after a reset when enabled again */
        l->s.xapic_id = l->apic_id & 0xff;
    }
    l->s.base = v;
    if (!(old & APIC_BASE_EXTD) && (v & APIC_BASE_EXTD)) {
        base_entered_x2(l);
    } else if (!(v & APIC_BASE_EN)) {
        l->s.ldr = 0;
    }
    lapic_update(l);
    lapic_unlock(l);
    if ((old ^ v) & ~(uint64_t)(APIC_BASE_EXTD | APIC_BASE_BSP)) {
        apic_bus_place(l->bus);
    }
    lapic_machine_unlock(l, taken);
    return true;
}

/* Which x2APIC registers exist (table 11-6), and the bits that a write may set. A write
 * of other bits is #GP; so is an access the row does not allow. */
typedef struct X2Reg {
    bool read, write;
    uint32_t bits;
} X2Reg;

static X2Reg x2_reg(const Lapic *l, unsigned reg)
{
    switch (reg) {
    case LAPIC_ID:
    case LAPIC_VERSION:
    case LAPIC_PPR:
    case LAPIC_LDR:
    case LAPIC_COUNT:
    case LAPIC_ISR ... LAPIC_IRR + 7: return (X2Reg){ true, false, 0 };
    case LAPIC_TPR: return (X2Reg){ true, true, 0xff };
    case LAPIC_SVR: return (X2Reg){ true, true, 0x1ff | SVR_NO_BROADCAST };
    case LAPIC_EOI: return (X2Reg){ false, true, 0 };
    case LAPIC_ESR: return (X2Reg){ true, true, 0 };
    case LAPIC_LVT + LVT_TIMER:
        return (X2Reg){ true, true, l->has_deadline ? 0x710ff : 0x310ff };
    case LAPIC_LVT + LVT_THERMAL:
    case LAPIC_LVT + LVT_PERF: return (X2Reg){ true, true, 0x117ff };
    case LAPIC_LVT + LVT_LINT0:
    case LAPIC_LVT + LVT_LINT1: return (X2Reg){ true, true, 0x1f7ff };
    case LAPIC_LVT + LVT_ERROR: return (X2Reg){ true, true, 0x110ff };
    case LAPIC_INIT_COUNT: return (X2Reg){ true, true, 0xffffffff };
    case LAPIC_DIVIDE: return (X2Reg){ true, true, 0xb };
    case LAPIC_SELF_IPI: return (X2Reg){ false, true, 0xff };
    default: return (X2Reg){ false, false, 0 };
    }
}

static bool x2_write_icr(Lapic *l, uint64_t v)
{
    if (v & 0xfff32000) { /* reserved bits of the low half; bit 12 is ignored */
        return false;
    }
    bool init = (v >> 8 & 7) == APIC_DM_INIT;
    bool taken = init && lapic_machine_lock(l);
    lapic_lock(l);
    l->s.icr = v & 0xccfff;
    l->s.icr_dest = v >> 32;
    lapic_send_ipi(l, l->s.icr, l->s.icr_dest);
    lapic_unlock(l);
    lapic_machine_unlock(l, taken);
    return true;
}

static void x2_self_ipi(Lapic *l, uint8_t vector)
{
    lapic_lock(l);
    if (vector < 16) {
        lapic_error(l, ESR_SEND_VECTOR);
    } else if (lapic_soft_enabled(l)) {
        lapic_accept(l, vector, false);
    }
    lapic_unlock(l);
}

bool lapic_msr_read(void *opaque, uint32_t msr, uint64_t *v)
{
    Lapic *l = opaque;
    if (msr == MSR_TSC_DEADLINE) {
        *v = l->s.deadline;
        return l->has_deadline;
    }
    unsigned reg = msr - MSR_X2APIC;
    if (reg > 0xff || !lapic_is_x2(l)) {
        return false;
    }
    if (reg == LAPIC_ICR) {
        *v = (uint64_t)l->s.icr_dest << 32 | l->s.icr;
        return true;
    }
    if (!x2_reg(l, reg).read) {
        return false;
    }
    *v = lapic_reg_read(l, reg);
    return true;
}

bool lapic_msr_write(void *opaque, uint32_t msr, uint64_t v)
{
    Lapic *l = opaque;
    if (msr == MSR_TSC_DEADLINE) {
        if (!l->has_deadline) {
            return false;
        }
        bool taken = lapic_machine_lock(l);
        lapic_lock(l);
        lapic_deadline_write(l, v);
        lapic_unlock(l);
        lapic_machine_unlock(l, taken);
        return true;
    }
    unsigned reg = msr - MSR_X2APIC;
    if (reg > 0xff || !lapic_is_x2(l)) {
        return false;
    }
    if (reg == LAPIC_ICR) {
        return x2_write_icr(l, v);
    }
    X2Reg r = x2_reg(l, reg);
    if (!r.write || (v & ~(uint64_t)r.bits)) {
        return false;
    }
    if (reg == LAPIC_SELF_IPI) {
        x2_self_ipi(l, v);
    } else {
        lapic_reg_write(l, reg, v);
    }
    return true;
}

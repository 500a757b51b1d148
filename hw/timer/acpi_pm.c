/* SPDX-License-Identifier: MIT */
/*
 * ACPI fixed hardware (ACPI specification 6.5, 4.8): PM1 event and control, PM timer at
 * 3.579545 MHz with 24 bits, GPE0, SCI; and the SMI command port pair B2H/B3H, whose ACPI
 * enable and disable values act at once since there is no SMM. Layout of the block as in
 * the 82371AB datasheet, 7.2. Sleep states: S3 and S5.
 * Machine lock held in every entry point.
 */
#include "hw/timer/acpi_pm.h"

#include "hw/core/machine.h"
#include "util/log.h"

#define PM_TIMER_HZ 3579545
enum {
    TMR_STS = 1 << 0,
    BM_STS = 1 << 4,
    GBL_STS = 1 << 5,
    PWRBTN_STS = 1 << 8,
    SLPBTN_STS = 1 << 9,
    RTC_STS = 1 << 10,
    WAK_STS = 1 << 15
};
enum {
    PM1_STATUS = TMR_STS | BM_STS | GBL_STS | PWRBTN_STS | SLPBTN_STS | RTC_STS | WAK_STS,
    PM1_ENABLE = TMR_STS | GBL_STS | PWRBTN_STS | SLPBTN_STS | RTC_STS
};
enum {
    CNT_SCI_EN = 1,
    CNT_BM_RLD = 2,
    CNT_GBL_RLS = 4,
    CNT_SLP_TYP = 7 << 10,
    CNT_SLP_EN = 1 << 13
};

typedef struct AcpiPmState {
    int64_t tmr_seen; /* half-periods of the timer (bit 23 changes) seen */
    uint16_t pm1_sts, pm1_en, pm1_cnt;
    uint16_t gpe_sts, gpe_en;
    uint8_t smi_cmd, smi_data;
} AcpiPmState;

typedef struct AcpiPm {
    Device dev;
    AcpiPmState s;
    bool acpi_mode; /* reset value of SCI_EN */
    bool ich9;      /* layout of the block */
    IrqLine sci;
    Timer timer;
    MemoryRegion block, apm;
} AcpiPm;

static int64_t pm_ticks(const AcpiPm *d)
{
    return (__int128)clock_now(d->dev.machine->clock) * PM_TIMER_HZ / NS_PER_SEC;
}

static bool pm_sci(const AcpiPm *d)
{
    return (d->s.pm1_cnt & CNT_SCI_EN) &&
           ((d->s.pm1_sts & d->s.pm1_en & PM1_ENABLE) || (d->s.gpe_sts & d->s.gpe_en));
}

static void pm_update_sci(AcpiPm *d)
{
    irq_set(&d->sci, pm_sci(d));
}

/* TMR_STS is set whenever bit 23 of the timer changes (4.8.2.1). */
static void pm_sync_timer(AcpiPm *d)
{
    int64_t half = pm_ticks(d) >> 23;
    if (half != d->s.tmr_seen) {
        d->s.tmr_seen = half;
        d->s.pm1_sts |= TMR_STS;
    }
}

static void pm_arm(AcpiPm *d)
{
    if (!(d->s.pm1_en & TMR_STS) || (d->s.pm1_sts & TMR_STS)) {
        timer_del(&d->timer);
        return;
    }
    __int128 ticks = (__int128)(d->s.tmr_seen + 1) << 23;
    timer_mod(&d->timer, (int64_t)(ticks * NS_PER_SEC / PM_TIMER_HZ) + 1);
}

static void pm_changed(AcpiPm *d)
{
    pm_sync_timer(d);
    pm_arm(d);
    pm_update_sci(d);
}

static void pm_timer_fire(void *opaque)
{
    pm_changed(opaque);
}

static void pm_sleep(AcpiPm *d, unsigned type)
{
    if (type == ACPI_S5_TYP) {
        machine_request_shutdown(d->dev.machine, 0);
    } else if (type == ACPI_S3_TYP) {
        machine_request_suspend(d->dev.machine);
    } else {
        log_unimp("acpi: sleep type %u is not supported\n", type);
    }
}

static unsigned gpe_at(const AcpiPm *d)
{
    return d->ich9 ? ACPI_ICH9_GPE0 : ACPI_GPE0;
}

/* SMIs of port B2H look enabled: SeaBIOS takes that for "SMM is set up already" and does
 * not wait for a handler that would never run. */
enum { SMI_EN = 0x30, APMC_EN = 0x20 };

static uint16_t pm_read16(AcpiPm *d, unsigned reg)
{
    switch (reg) {
    case ACPI_PM1_EVT: pm_sync_timer(d); return d->s.pm1_sts;
    case ACPI_PM1_EVT + 2: return d->s.pm1_en;
    case ACPI_PM1_CNT: return d->s.pm1_cnt;
    case ACPI_PM_TMR: return pm_ticks(d);
    case ACPI_PM_TMR + 2: return pm_ticks(d) >> 16 & 0xff;
    default: break;
    }
    if (reg == gpe_at(d)) {
        return d->s.gpe_sts;
    }
    if (reg == gpe_at(d) + 2) {
        return d->s.gpe_en;
    }
    return d->ich9 && reg == SMI_EN ? APMC_EN : 0;
}

/* mask: the bytes that the access covers. */
static void pm_write16(AcpiPm *d, unsigned reg, uint16_t v, uint16_t mask)
{
    v &= mask;
    switch (reg) {
    case ACPI_PM1_EVT:
        pm_sync_timer(d);
        d->s.pm1_sts &= ~v;
        break;
    case ACPI_PM1_EVT + 2: d->s.pm1_en = ((d->s.pm1_en & ~mask) | v) & PM1_ENABLE; break;
    case ACPI_PM1_CNT:
        /* SCI_EN belongs to firmware; SLP_EN reads as 0. */
        v |= d->s.pm1_cnt & ~mask;
        d->s.pm1_cnt = (v & (CNT_BM_RLD | CNT_SLP_TYP)) | (d->s.pm1_cnt & CNT_SCI_EN);
        if (v & mask & CNT_SLP_EN) {
            pm_sleep(d, (v & CNT_SLP_TYP) >> 10);
        }
        break;
    default:
        if (reg == gpe_at(d)) {
            d->s.gpe_sts &= ~v;
        } else if (reg == gpe_at(d) + 2) {
            d->s.gpe_en = (d->s.gpe_en & ~mask) | v;
        }
        break;
    }
    pm_changed(d);
}

static uint64_t pm_read(void *opaque, uint64_t addr, unsigned size)
{
    AcpiPm *d = opaque;
    if (addr == ACPI_PM_TMR && size == 4) {
        return pm_ticks(d) & 0xffffff; /* one sample for the whole read */
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        unsigned at = addr + i;
        v |= (uint64_t)(pm_read16(d, at & ~1u) >> (at & 1) * 8 & 0xff) << i * 8;
    }
    return v;
}

static void pm_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    AcpiPm *d = opaque;
    if (size == 1) {
        unsigned shift = (addr & 1) * 8;
        pm_write16(d, addr & ~1u, val << shift, 0xff << shift);
        return;
    }
    for (unsigned i = 0; i < size; i += 2) {
        pm_write16(d, addr + i, val >> i * 8, 0xffff);
    }
}

static const MemoryOps pm_ops = { pm_read, pm_write, 1, 4 };

static uint64_t apm_read(void *opaque, uint64_t addr, unsigned size)
{
    const AcpiPm *d = opaque;
    return addr ? d->s.smi_data : d->s.smi_cmd;
}

static void apm_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    AcpiPm *d = opaque;
    if (addr) {
        d->s.smi_data = val;
        return;
    }
    d->s.smi_cmd = val;
    if (val == ACPI_ENABLE) {
        d->s.pm1_cnt |= CNT_SCI_EN;
    } else if (val == ACPI_DISABLE) {
        d->s.pm1_cnt &= ~CNT_SCI_EN;
    } else {
        log_unimp("acpi: SMI command %#x: there is no system management mode\n",
                  (unsigned)val & 0xff);
    }
    pm_changed(d);
}

static const MemoryOps apm_ops = { apm_read, apm_write, 1, 1 };

MemoryRegion *acpi_pm_region(Device *dev)
{
    return &DEVICE_AS(dev, AcpiPm, acpi_pm_class)->block;
}

void acpi_pm_power_button(Device *dev)
{
    AcpiPm *d = DEVICE_AS(dev, AcpiPm, acpi_pm_class);
    d->s.pm1_sts |= PWRBTN_STS;
    pm_changed(d);
}

void acpi_pm_woken(Device *dev, unsigned why)
{
    AcpiPm *d = DEVICE_AS(dev, AcpiPm, acpi_pm_class);
    d->s.pm1_sts |= WAK_STS | (why == WAKE_BUTTON ? PWRBTN_STS : why == WAKE_RTC ? RTC_STS : 0);
    pm_changed(d);
}

void acpi_pm_rtc_alarm(Device *dev)
{
    AcpiPm *d = DEVICE_AS(dev, AcpiPm, acpi_pm_class);
    d->s.pm1_sts |= RTC_STS;
    pm_changed(d);
}

void acpi_pm_gpe(Device *dev, unsigned n)
{
    AcpiPm *d = DEVICE_AS(dev, AcpiPm, acpi_pm_class);
    d->s.gpe_sts |= 1u << (n & 15);
    pm_changed(d);
}

void acpi_pm_set_acpi_mode(Device *dev, bool on)
{
    AcpiPm *d = DEVICE_AS(dev, AcpiPm, acpi_pm_class);
    d->acpi_mode = on;
}

static void pm_reset(Device *dev)
{
    AcpiPm *d = DEVICE_AS(dev, AcpiPm, acpi_pm_class);
    d->s = (AcpiPmState){ .pm1_cnt = d->acpi_mode ? CNT_SCI_EN : 0 };
    d->s.tmr_seen = pm_ticks(d) >> 23;
    timer_del(&d->timer);
}

static void pm_reset_lines(Device *dev)
{
    pm_update_sci(DEVICE_AS(dev, AcpiPm, acpi_pm_class));
}

static bool pm_realize(Device *dev, Error *err)
{
    AcpiPm *d = DEVICE_AS(dev, AcpiPm, acpi_pm_class);
    device_add_timer(dev, &d->timer, pm_timer_fire, d);
    device_add_io(dev, &d->block, "acpi-pm",
                  d->ich9 ? ACPI_PM_ICH9_BLOCK_SIZE : ACPI_PM_BLOCK_SIZE, &pm_ops, d);
    device_add_ports(dev, &d->apm, "apm", ACPI_SMI_CMD, 2, &apm_ops, d);
    return true;
}

static Device *pm_create(struct Machine *m, IrqLine sci, bool ich9, Error *err)
{
    Device *dev = device_create(m, &acpi_pm_class);
    DEVICE_AS(dev, AcpiPm, acpi_pm_class)->sci = sci;
    DEVICE_AS(dev, AcpiPm, acpi_pm_class)->ich9 = ich9;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

Device *acpi_pm_create(struct Machine *m, IrqLine sci, Error *err)
{
    return pm_create(m, sci, false, err);
}

Device *acpi_pm_create_ich9(struct Machine *m, IrqLine sci, Error *err)
{
    return pm_create(m, sci, true, err);
}

static bool pm_post_load(void *owner, Error *err)
{
    AcpiPm *d = owner;
    if (d->s.tmr_seen < 0 || d->s.tmr_seen > INT64_MAX >> 24) {
        return error_set(err, "acpi-pm: timer out of range");
    }
    pm_arm(d);
    if (pm_sci(d)) {
        pm_update_sci(d);
    }
    return true;
}

static const StateField pm_fields[] = { STATE_I64(AcpiPmState, tmr_seen),
                                        STATE_U16(AcpiPmState, pm1_sts),
                                        STATE_U16(AcpiPmState, pm1_en),
                                        STATE_U16(AcpiPmState, pm1_cnt),
                                        STATE_U16(AcpiPmState, gpe_sts),
                                        STATE_U16(AcpiPmState, gpe_en),
                                        STATE_U8(AcpiPmState, smi_cmd),
                                        STATE_U8(AcpiPmState, smi_data),
                                        STATE_END };

const DeviceClass acpi_pm_class = {
    .name = "acpi-pm",
    .desc = "ACPI power management registers and SMI command port",
    .size = sizeof(AcpiPm),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(AcpiPm, s),
               .size = sizeof(AcpiPmState),
               .fields = pm_fields,
               .post_load = pm_post_load },
    .realize = pm_realize,
    .reset = pm_reset,
    .reset_lines = pm_reset_lines,
};

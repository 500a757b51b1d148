/* SPDX-License-Identifier: MIT */
/*
 * RSDP, RSDT, XSDT, FADT, FACS, DSDT, SSDT, MADT, MCFG, HPET, WAET. ACPI specification
 * 6.5, sections named at each table.
 */
#include "hw/pc/acpi_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/intc/apic.h"
#include "hw/pc/dsdt.hex"
#include "hw/pc/dsdt_microvm.hex"
#include "hw/pc/dsdt_q35.hex"
#include "hw/timer/acpi_pm.h"
#include "hw/timer/hpet.h"

#define IOAPIC_END 0xfec00000ull

/* Generic address structure (5.2.3.2): space 0 memory, 1 I/O. */
static void put_gas(AcpiBuf *b, uint8_t space, uint8_t bit_width, uint8_t access,
                    uint64_t addr)
{
    acpi_put_int(b, space, 1);
    acpi_put_int(b, bit_width, 1);
    acpi_put_int(b, 0, 1);
    acpi_put_int(b, access, 1);
    acpi_put_int(b, addr, 8);
}

/* FACS, 5.2.10: no checksum. */
static uint32_t build_facs(AcpiBlob *a)
{
    AcpiBuf *b = &a->tables;
    acpi_zero(b, ALIGN_UP(b->len, 64) - b->len);
    uint32_t at = (uint32_t)b->len;
    acpi_put(b, "FACS", 4);
    acpi_put_int(b, 64, 4);
    acpi_zero(b, 24);
    acpi_put_int(b, 2, 1); /* version */
    acpi_zero(b, 31);
    return at;
}

static uint32_t build_dsdt(AcpiBlob *a, const AcpiConfig *cfg)
{
    AcpiBuf *b = &a->tables;
    uint32_t at = acpi_table_begin(a, "DSDT", 2);
    if (cfg->q35) {
        acpi_put(b, dsdt_q35_aml_code + 36, sizeof(dsdt_q35_aml_code) - 36);
    } else if (cfg->mmio_slots) {
        acpi_put(b, dsdt_microvm_aml_code + 36, sizeof(dsdt_microvm_aml_code) - 36);
    } else {
        acpi_put(b, dsdt_aml_code + 36, sizeof(dsdt_aml_code) - 36);
    }
    uint8_t *s3 = cfg->no_s3 ? memmem(b->data + at, b->len - at, "_S3_", 4) : NULL;
    if (s3) { /* a name of no meaning, of the same length */
        *s3 = 'X';
    }
    acpi_table_end(a, at);
    return at;
}

/* FADT revision 6.5, 5.2.9. */
static uint32_t build_fadt(AcpiBlob *a, const AcpiConfig *cfg, uint32_t facs,
                           uint32_t dsdt)
{
    uint32_t pm = cfg->pm_base, gpe = pm + (cfg->q35 ? ACPI_ICH9_GPE0 : ACPI_GPE0);
    enum { WBINVD = 1 << 0, PROC_C1 = 1 << 2, SLP_BUTTON = 1 << 5, RESET_REG = 1 << 10 };
    AcpiBuf *b = &a->tables;
    uint32_t at = acpi_table_begin(a, "FACP", 6);
    acpi_put_pointer(a, facs, 4);
    acpi_put_pointer(a, dsdt, 4);
    acpi_put_int(b, 0, 1);
    acpi_put_int(b, 1, 1);              /* preferred profile: desktop */
    acpi_put_int(b, ACPI_SCI_IRQ, 2);
    acpi_put_int(b, ACPI_SMI_CMD, 4);
    acpi_put_int(b, ACPI_ENABLE, 1);
    acpi_put_int(b, ACPI_DISABLE, 1);
    acpi_zero(b, 2);                    /* S4BIOS_REQ, PSTATE_CNT */
    acpi_put_int(b, pm + ACPI_PM1_EVT, 4);
    acpi_zero(b, 4);                    /* PM1b_EVT */
    acpi_put_int(b, pm + ACPI_PM1_CNT, 4);
    acpi_zero(b, 8);                    /* PM1b_CNT, PM2_CNT */
    acpi_put_int(b, pm + ACPI_PM_TMR, 4);
    acpi_put_int(b, gpe, 4);
    acpi_zero(b, 4);                    /* GPE1 */
    acpi_put_int(b, ACPI_PM1_EVT_LEN, 1);
    acpi_put_int(b, ACPI_PM1_CNT_LEN, 1);
    acpi_zero(b, 1);
    acpi_put_int(b, ACPI_PM_TMR_LEN, 1);
    acpi_put_int(b, ACPI_GPE0_LEN, 1);
    acpi_zero(b, 3);                    /* GPE1 length and base, CST_CNT */
    acpi_put_int(b, 0xfff, 2);          /* no C2 */
    acpi_put_int(b, 0xfff, 2);          /* no C3 */
    acpi_zero(b, 6);                    /* FLUSH_SIZE .. DUTY_WIDTH */
    acpi_zero(b, 2);                    /* DAY_ALRM, MON_ALRM */
    acpi_put_int(b, 0x32, 1);           /* CENTURY in CMOS */
    acpi_put_int(b, cfg->mmio_slots ? 1 << 0 | 1 << 2 : 1 << 0 | 1 << 1, 2); /* legacy
                                         * devices; no VGA, or 8042 */
    acpi_zero(b, 1);
    acpi_put_int(b, WBINVD | PROC_C1 | SLP_BUTTON | RESET_REG, 4);
    put_gas(b, 1, 8, 1, cfg->mmio_slots ? 0x92 : 0xcf9);
    acpi_put_int(b, cfg->mmio_slots ? 0x03 : 0x06, 1); /* RESET_VALUE: hard reset */
    acpi_zero(b, 2);
    acpi_put_int(b, 5, 1);              /* minor version */
    acpi_zero(b, 8);                    /* X_FIRMWARE_CTRL: the 32-bit field is in use */
    acpi_put_pointer(a, dsdt, 8);
    put_gas(b, 1, 32, 2, pm + ACPI_PM1_EVT);
    acpi_zero(b, 12);
    put_gas(b, 1, 16, 2, pm + ACPI_PM1_CNT);
    acpi_zero(b, 24);
    put_gas(b, 1, 32, 3, pm + ACPI_PM_TMR);
    put_gas(b, 1, 32, 1, gpe);
    acpi_zero(b, 12);
    acpi_zero(b, 24);                   /* sleep registers: hardware-reduced only */
    acpi_put(b, "DYAD\0\0\0", 8);       /* hypervisor identity */
    acpi_table_end(a, at);
    return at;
}

/* MADT, 5.2.12. */
static void put_override(AcpiBuf *b, uint8_t source, uint32_t gsi, uint16_t flags)
{
    acpi_put_int(b, 2, 1);
    acpi_put_int(b, 10, 1);
    acpi_put_int(b, 0, 1);
    acpi_put_int(b, source, 1);
    acpi_put_int(b, gsi, 4);
    acpi_put_int(b, flags, 2);
}

static uint32_t build_madt(AcpiBlob *a, const AcpiConfig *cfg)
{
    enum { LEVEL_HIGH = 0xd };
    AcpiBuf *b = &a->tables;
    uint32_t at = acpi_table_begin(a, "APIC", 5);
    acpi_put_int(b, APIC_DEFAULT_BASE, 4);
    acpi_put_int(b, 1, 4);              /* PCAT_COMPAT: there are 8259s */
    for (unsigned i = 0; i < cfg->cpus; i++) {
        bool x2 = cfg->apic_ids[i] >= 255;
        acpi_put_int(b, x2 ? 9 : 0, 1);
        acpi_put_int(b, x2 ? 16 : 8, 1);
        if (x2) {
            acpi_zero(b, 2);
            acpi_put_int(b, cfg->apic_ids[i], 4);
            acpi_put_int(b, 1, 4);
            acpi_put_int(b, i, 4);
        } else {
            acpi_put_int(b, i, 1);
            acpi_put_int(b, cfg->apic_ids[i], 1);
            acpi_put_int(b, 1, 4);
        }
    }
    acpi_put_int(b, 1, 1);              /* I/O APIC */
    acpi_put_int(b, 12, 1);
    acpi_put_int(b, 0, 2);              /* ID 0 */
    acpi_put_int(b, IOAPIC_DEFAULT_BASE, 4);
    acpi_put_int(b, 0, 4);
    put_override(b, 0, 2, 0);
    static const uint8_t level[] = { 5, 9, 10, 11 }; /* PCI links and SCI */
    for (unsigned i = 0; i < ARRAY_SIZE(level); i++) {
        put_override(b, level[i], level[i], LEVEL_HIGH);
    }
    acpi_put_int(b, 4, 1);              /* NMI on LINT1 of all */
    acpi_put_int(b, 6, 1);
    acpi_put_int(b, 0xff, 1);
    acpi_put_int(b, 0, 2);
    acpi_put_int(b, 1, 1);
    acpi_table_end(a, at);
    return at;
}

/* MCFG: PCI firmware specification 3.2, 4.1.2. */
static uint32_t build_mcfg(AcpiBlob *a, const AcpiConfig *cfg)
{
    AcpiBuf *b = &a->tables;
    uint32_t at = acpi_table_begin(a, "MCFG", 1);
    acpi_zero(b, 8);
    acpi_put_int(b, cfg->ecam, 8);
    acpi_put_int(b, 0, 2);              /* segment */
    acpi_put_int(b, 0, 1);              /* buses 0 to 255 */
    acpi_put_int(b, 255, 1);
    acpi_zero(b, 4);
    acpi_table_end(a, at);
    return at;
}

/* IA-PC HPET specification 1.0a, 3.2.4. */
static uint32_t build_hpet(AcpiBlob *a, const AcpiConfig *cfg)
{
    AcpiBuf *b = &a->tables;
    uint32_t at = acpi_table_begin(a, "HPET", 1);
    acpi_put_int(b, cfg->hpet_block_id, 4);
    put_gas(b, 0, 0, 0, HPET_BASE);
    acpi_put_int(b, 0, 1);
    acpi_put_int(b, 100, 2);            /* minimum tick in periodic mode */
    acpi_put_int(b, 0, 1);
    acpi_table_end(a, at);
    return at;
}

/* Windows ACPI emulated devices table: the PM timer reads right the first time. */
static uint32_t build_waet(AcpiBlob *a)
{
    uint32_t at = acpi_table_begin(a, "WAET", 1);
    acpi_put_int(&a->tables, 1 << 1, 4);
    acpi_table_end(a, at);
    return at;
}

/* ---- SSDT ---- */

/* Address space descriptor (6.4.3.5): type 0 memory, 1 I/O, 2 bus numbers; size of each
 * of the five numbers is 2, 4 or 8 bytes. */
static void put_window(AcpiBuf *b, unsigned size, uint8_t type, uint8_t type_flags,
                       uint64_t first, uint64_t last)
{
    acpi_put_int(b, size == 2 ? 0x88 : size == 4 ? 0x87 : 0x8a, 1);
    acpi_put_int(b, 3 + 5 * size, 2);
    acpi_put_int(b, type, 1);
    acpi_put_int(b, 0x0c, 1);           /* producer, both ends fixed */
    acpi_put_int(b, type_flags, 1);
    acpi_put_int(b, 0, size);
    acpi_put_int(b, first, size);
    acpi_put_int(b, last, size);
    acpi_put_int(b, 0, size);
    acpi_put_int(b, last - first + 1, size);
}

static void put_bridge_resources(AcpiBuf *b, const AcpiConfig *cfg)
{
    enum { MEM_RW = 1, MEM_CACHED = 1 << 1, IO_ENTIRE = 3, CONFIG = 0xcf8 };
    AcpiBuf r = { 0 };
    put_window(&r, 2, 2, 0, 0, 0xff);
    acpi_put_int(&r, 0x47, 1);          /* I/O port descriptor: 0xcf8-0xcff, ours */
    acpi_put_int(&r, 1, 1);
    acpi_put_int(&r, CONFIG, 2);
    acpi_put_int(&r, CONFIG, 2);
    acpi_put_int(&r, 1, 1);
    acpi_put_int(&r, 8, 1);
    put_window(&r, 2, 1, IO_ENTIRE, 0, CONFIG - 1);
    put_window(&r, 2, 1, IO_ENTIRE, 0xd00, 0xffff);
    put_window(&r, 4, 0, MEM_RW | MEM_CACHED, 0xa0000, 0xbffff);
    uint64_t hole = cfg->pci_hole_start;
    if (cfg->q35) { /* two windows, always: the table's length must not depend on ecam */
        bool inside = cfg->ecam > hole && cfg->ecam + ACPI_ECAM_SIZE < IOAPIC_END;
        uint64_t split = inside ? cfg->ecam : 0xe0000000ull;
        put_window(&r, 4, 0, MEM_RW, hole, split - 1);
        hole = inside ? split + ACPI_ECAM_SIZE : split;
    }
    put_window(&r, 4, 0, MEM_RW, hole, IOAPIC_END - 1);
    if (cfg->pci64_size) {
        put_window(&r, 8, 0, MEM_RW | MEM_CACHED, cfg->pci64_start,
                   cfg->pci64_start + cfg->pci64_size - 1);
    }
    acpi_put_int(&r, 0x79, 2);          /* end tag, no checksum */
    aml_name(b, "_CRS");
    aml_buffer(b, &r);
    free(r.data);
}

/* Pin p (0..3) of slot s goes to PIRQ (p + s - 1) & 3 (hw/pci/host.h). */
static void put_routing(AcpiBuf *b)
{
    static const char *const link[4] = { "\\_SB_.LNKA", "\\_SB_.LNKB", "\\_SB_.LNKC",
                                         "\\_SB_.LNKD" };
    aml_name(b, "_PRT");
    size_t all = aml_begin_package(b, 128);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            size_t one = aml_begin_package(b, 4);
            aml_int(b, slot << 16 | 0xffff);
            aml_int(b, pin);
            aml_path(b, link[(pin + slot + 3) & 3]);
            aml_int(b, 0);
            aml_end(b, one);
        }
    }
    aml_end(b, all);
}

/* q35: the DSDT's _PRT chooses between links (8259s) and I/O APIC pins 16-23. Slots 0-24
 * rotate over PIRQ E-H, 25-31 use A-D (hw/pci/q35.c). */
static void put_routing_q35(AcpiBuf *b, bool gsi)
{
    aml_name(b, gsi ? "PRTA" : "PRTP");
    size_t all = aml_begin_package(b, 128);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            unsigned pirq = slot < 25 ? 4 + ((pin + slot) & 3) : pin;
            char link[16];
            snprintf(link, sizeof(link), "\\_SB_.LNK%c", 'A' + pirq);
            size_t one = aml_begin_package(b, 4);
            aml_int(b, slot << 16 | 0xffff);
            aml_int(b, pin);
            if (gsi) {
                aml_int(b, 0);
                aml_int(b, 16 + pirq);
            } else {
                aml_path(b, link);
                aml_int(b, 0);
            }
            aml_end(b, one);
        }
    }
    aml_end(b, all);
}

/* Fixed-size descriptors of what no other device claims: the power management block and
 * the configuration window (MCFG must be reserved: PCI firmware specification 3.2, 4.1.2). */
static void put_board_resources(AcpiBuf *b, const AcpiConfig *cfg)
{
    AcpiBuf r = { 0 };
    size_t dev = aml_begin_device(b, "MRES");
    aml_name(b, "_HID");
    aml_string(b, "PNP0C02");
    aml_name(b, "_UID");
    aml_int(b, 0x10);
    acpi_put_int(&r, 0x47, 1);          /* I/O port descriptor (6.4.2.5) */
    acpi_put_int(&r, 1, 1);
    acpi_put_int(&r, cfg->pm_base, 2);
    acpi_put_int(&r, cfg->pm_base, 2);
    acpi_put_int(&r, 1, 1);
    acpi_put_int(&r, cfg->q35 ? ACPI_PM_ICH9_BLOCK_SIZE : ACPI_PM_BLOCK_SIZE, 1);
    if (cfg->q35) {
        acpi_put_int(&r, 0x86, 1);      /* fixed 32-bit memory range (6.4.3.4) */
        acpi_put_int(&r, 9, 2);
        acpi_put_int(&r, 1, 1);
        acpi_put_int(&r, cfg->ecam, 4);
        acpi_put_int(&r, ACPI_ECAM_SIZE, 4);
    }
    acpi_put_int(&r, 0x79, 2);
    aml_name(b, "_CRS");
    aml_buffer(b, &r);
    free(r.data);
    aml_end(b, dev);
}

/* LNRO0005 is what Linux's virtio_mmio driver binds to. */
static void put_mmio_slots(AcpiBuf *b, const AcpiConfig *cfg)
{
    for (unsigned i = 0; i < cfg->mmio_slots; i++) {
        char name[8];
        AcpiBuf r = { 0 };
        snprintf(name, sizeof(name), "VR%02X", i & 0xff);
        size_t dev = aml_begin_device(b, name);
        aml_name(b, "_HID");
        aml_string(b, "LNRO0005");
        aml_name(b, "_UID");
        aml_int(b, i);
        aml_name(b, "_CCA");
        aml_int(b, 1);
        acpi_put_int(&r, 0x86, 1);      /* fixed 32-bit memory range (6.4.3.4) */
        acpi_put_int(&r, 9, 2);
        acpi_put_int(&r, 1, 1);
        acpi_put_int(&r, cfg->mmio_base + i * cfg->mmio_step, 4);
        acpi_put_int(&r, cfg->mmio_step, 4);
        acpi_put_int(&r, 0x89, 1);      /* extended interrupt (6.4.3.6) */
        acpi_put_int(&r, 6, 2);
        acpi_put_int(&r, 1, 1);         /* consumer, level, active high, exclusive */
        acpi_put_int(&r, 1, 1);
        acpi_put_int(&r, 16 + i, 4);
        acpi_put_int(&r, 0x79, 2);
        aml_name(b, "_CRS");
        aml_buffer(b, &r);
        free(r.data);
        aml_end(b, dev);
    }
}

static uint32_t build_ssdt(AcpiBlob *a, const AcpiConfig *cfg)
{
    AcpiBuf *b = &a->tables;
    uint32_t at = acpi_table_begin(a, "SSDT", 2);
    size_t sb = aml_begin_scope(b, "\\_SB_");
    aml_name(b, "HPEN");
    aml_int(b, cfg->hpet ? 0xf : 0);
    for (unsigned i = 0; i < cfg->cpus; i++) {
        char name[8];
        snprintf(name, sizeof(name), "CP%02X", i & 0xff);
        size_t dev = aml_begin_device(b, name);
        aml_name(b, "_HID");
        aml_string(b, "ACPI0007");
        aml_name(b, "_UID");
        aml_int(b, i);
        aml_end(b, dev);
    }
    if (cfg->mmio_slots) {
        put_mmio_slots(b, cfg);
        put_board_resources(b, cfg);
        aml_end(b, sb);
        acpi_table_end(a, at);
        return at;
    }
    aml_end(b, sb);
    size_t pci = aml_begin_scope(b, "\\_SB_.PCI0");
    put_bridge_resources(b, cfg);
    put_board_resources(b, cfg);
    if (cfg->q35) {
        put_routing_q35(b, false);
        put_routing_q35(b, true);
    } else {
        put_routing(b);
    }
    aml_end(b, pci);
    acpi_table_end(a, at);
    return at;
}

/* ---- roots ---- */

static uint32_t build_root(AcpiBlob *a, const char *sig, uint8_t size, const uint32_t *t,
                           unsigned n)
{
    uint32_t at = acpi_table_begin(a, sig, 1);
    for (unsigned i = 0; i < n; i++) {
        acpi_put_pointer(a, t[i], size);
    }
    acpi_table_end(a, at);
    return at;
}

void acpi_tables_build(AcpiBlob *a, const AcpiConfig *cfg)
{
    *a = (AcpiBlob){ 0 };
    uint32_t t[8];
    unsigned n = 0;
    uint32_t facs = a->facs = build_facs(a), dsdt = build_dsdt(a, cfg);
    t[n++] = build_fadt(a, cfg, facs, dsdt);
    t[n++] = build_ssdt(a, cfg);
    t[n++] = build_madt(a, cfg);
    if (cfg->hpet) {
        t[n++] = build_hpet(a, cfg);
    }
    if (cfg->q35) {
        t[n++] = build_mcfg(a, cfg);
    }
    t[n++] = build_waet(a);
    a->rsdt = build_root(a, "RSDT", 4, t, n);
    a->xsdt = build_root(a, "XSDT", 8, t, n);
    memcpy(a->rsdp, "RSD PTR ", 8);     /* 5.2.5.3 */
    memcpy(a->rsdp + 9, "DYAD  ", 6);
    a->rsdp[15] = 2;
    a->rsdp[20] = ACPI_RSDP_SIZE;
}

/* SPDX-License-Identifier: MIT */
/* ACPI and SMBIOS tables: checksums, links, and what iasl says about the AML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/pc/pc_int.h"

enum { BASE = 0xe0040 };
static AcpiBlob blob;

static int make(bool q35)
{
    static const uint32_t ids[] = { 0, 1, 2, 300 };
    const AcpiConfig cfg = {
        .q35 = q35, .ecam = q35 ? 0xe0000000 : 0,
        .cpus = 4, .apic_ids = ids, .hpet = true, .hpet_block_id = 0x8086a201,
        .pci_hole_start = 0xc0000000, .pci64_start = 32 * GiB, .pci64_size = 32 * GiB,
        .pm_base = 0x600,
    };
    acpi_tables_build(&blob, &cfg);
    acpi_relocate(&blob, BASE);
    return 0;
}

static int setup(void **state)
{
    return make(false);
}

static int setup_q35(void **state)
{
    return make(true);
}

static int teardown(void **state)
{
    acpi_free(&blob);
    return 0;
}

static uint64_t num(const uint8_t *p, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, p, size);
    return v;
}

static unsigned sum(const uint8_t *p, size_t n)
{
    unsigned s = 0;
    for (size_t i = 0; i < n; i++) {
        s += p[i];
    }
    return s & 0xff;
}

/* The table at a guest address, its checksum and bounds checked. */
static const uint8_t *table(uint64_t gpa)
{
    assert_in_range(gpa, BASE, BASE + blob.tables.len - 36);
    const uint8_t *t = blob.tables.data + (gpa - BASE);
    uint64_t len = num(t + 4, 4);
    assert_in_range(len, 36, BASE + blob.tables.len - gpa);
    if (memcmp(t, "FACS", 4)) {
        assert_int_equal(sum(t, len), 0);
    }
    return t;
}

static const uint8_t *find(const char *sig)
{
    const uint8_t *xsdt = table(num(blob.rsdp + 24, 8));
    for (uint64_t i = 36; i < num(xsdt + 4, 4); i += 8) {
        const uint8_t *t = table(num(xsdt + i, 8));
        if (!memcmp(t, sig, 4)) {
            return t;
        }
    }
    return NULL;
}

static void root_pointer_leads_to_every_table(void **state)
{
    assert_int_equal(sum(blob.rsdp, 20), 0);
    assert_int_equal(sum(blob.rsdp, 36), 0);
    const uint8_t *rsdt = table(num(blob.rsdp + 16, 4));
    const uint8_t *xsdt = table(num(blob.rsdp + 24, 8));
    assert_int_equal(num(rsdt + 36, 4), num(xsdt + 36, 8));
    static const char *const sigs[] = { "FACP", "SSDT", "APIC", "HPET", "WAET" };
    for (unsigned i = 0; i < ARRAY_SIZE(sigs); i++) {
        assert_non_null(find(sigs[i]));
    }
}

static void fadt_describes_the_pm_block(void **state)
{
    const uint8_t *f = find("FACP");
    assert_int_equal(num(f + 4, 4), 276);
    assert_memory_equal(table(num(f + 36, 4)), "FACS", 4);
    assert_int_equal(num(f + 36, 4) & 63, 0);
    assert_memory_equal(table(num(f + 40, 4)), "DSDT", 4);
    assert_int_equal(num(f + 140, 8), num(f + 40, 4));
    assert_int_equal(num(f + 46, 2), 9);
    assert_int_equal(num(f + 48, 4), 0xb2);
    assert_int_equal(num(f + 56, 4), 0x600);
    assert_int_equal(num(f + 64, 4), 0x604);
    assert_int_equal(num(f + 76, 4), 0x608);
    assert_int_equal(f[91], 4);
    assert_true(num(f + 112, 4) & 1 << 10);
    assert_int_equal(num(f + 120, 8), 0xcf9);
    assert_int_equal(f[128], 6);
    assert_int_equal(num(f + 208 + 4, 8), 0x608);
}

static void madt_lists_cpus_and_overrides(void **state)
{
    const uint8_t *m = find("APIC");
    unsigned lapics = 0, x2apics = 0, ioapics = 0, overrides = 0;
    assert_int_equal(num(m + 36, 4), 0xfee00000);
    for (uint64_t i = 44; i < num(m + 4, 4); i += m[i + 1]) {
        assert_true(m[i + 1] >= 2);
        lapics += m[i] == 0;
        x2apics += m[i] == 9;
        ioapics += m[i] == 1 && num(m + i + 4, 4) == 0xfec00000;
        overrides += m[i] == 2;
        if (m[i] == 2 && m[i + 3] == 0) {
            assert_int_equal(num(m + i + 4, 4), 2);
        }
    }
    assert_int_equal(lapics, 3);
    assert_int_equal(x2apics, 1);
    assert_int_equal(ioapics, 1);
    assert_int_equal(overrides, 5);
}

static void relocation_can_be_repeated(void **state)
{
    acpi_relocate(&blob, 0x7fff0000);
    assert_int_equal(num(blob.rsdp + 24, 8), 0x7fff0000 + blob.xsdt);
    acpi_relocate(&blob, BASE);
    assert_non_null(find("FACP"));
}

static void write_table(const char *dir, const char *name, const uint8_t *t)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(t, 1, num(t + 4, 4), f), num(t + 4, 4));
    fclose(f);
}

/* Disassembles both, compiles the result again: iasl finds names and packages right. */
static void iasl_reads_our_aml(void **state)
{
    char dir[] = "/tmp/dyad-acpi-XXXXXX", cmd[512];
    if (system("iasl -v >/dev/null 2>&1") != 0) {
        skip();
    }
    assert_non_null(mkdtemp(dir));
    write_table(dir, "ssdt", find("SSDT"));
    write_table(dir, "dsdt", table(num(find("FACP") + 40, 4)));
    snprintf(cmd, sizeof(cmd),
             "cd %s && iasl -e dsdt.aml -d ssdt.aml >log 2>&1 && iasl -ve ssdt.dsl >>log 2>&1 "
             "&& grep -q CP03 ssdt.dsl && grep -q 'LNKD' ssdt.dsl && "
             "grep -q 0x00000000FEBFFFFF ssdt.dsl || grep -q 0xFEBFFFFF ssdt.dsl", dir);
    int ok = system(cmd);
    if (ok != 0) {
        snprintf(cmd, sizeof(cmd), "cat %s/log", dir);
        assert_int_not_equal(system(cmd), -1);
    }
    snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(ok, 0);
}

static void q35_names_its_window_and_its_pins(void **state)
{
    const uint8_t *m = find("MCFG"), *f = find("FACP");
    assert_non_null(m);
    assert_int_equal(num(m + 4, 4), 60);
    assert_int_equal(num(m + 44, 8), 0xe0000000);
    assert_int_equal(m[55], 255);
    assert_int_equal(num(f + 80, 4), 0x620);
    uint64_t len = blob.tables.len;
    teardown(state);
    assert_int_equal(make(true), 0);
    assert_int_equal(blob.tables.len, len);
}

static void firmware_that_cannot_resume_hides_s3(void **state)
{
    static const uint32_t ids[] = { 0 };
    for (unsigned i = 0; i < 4; i++) {
        AcpiBlob b = { 0 };
        const AcpiConfig c = { .cpus = 1, .apic_ids = ids, .q35 = i & 1, .no_s3 = i & 2,
                               .pm_base = PC_PM_BASE };
        acpi_tables_build(&b, &c);
        assert_int_equal(memmem(b.tables.data, b.tables.len, "_S3_", 4) == NULL, (i & 2) != 0);
        assert_non_null(memmem(b.tables.data, b.tables.len, "_S5_", 4));
        acpi_free(&b);
    }
}

static void smbios_structures_form_a_chain(void **state)
{
    AcpiBuf b = { 0 };
    const MachineConfig cfg = { .ram_size = 512 * MiB, .cpus = 2,
                                .uuid = "00112233-4455-6677-8899-aabbccddeeff" };
    RamLayout l = ram_layout(cfg.ram_size);
    unsigned count, seen = 0, cpus = 0;
    smbios_build(&b, &cfg, &l, &count);
    size_t i = 0;
    while (i + 4 <= b.len) {
        const uint8_t *s = b.data + i;
        seen++;
        cpus += s[0] == 4;
        if (s[0] == 1) {
            assert_memory_equal(s + 8, "\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99", 10);
            assert_string_equal((const char *)s + s[1], "dyad");
            assert_int_equal(s[1], 27);
        }
        if (s[0] == 4) {
            assert_int_equal(s[1], 48);
        }
        if (s[0] == 17) {
            assert_int_equal(num(s + 12, 2), 512);
        }
        i += s[1];
        while (i + 2 <= b.len && (b.data[i] || b.data[i + 1])) {
            i++;
        }
        i += 2;
        if (s[0] == 127) {
            break;
        }
    }
    assert_int_equal(i, b.len);
    assert_int_equal(seen, count);
    assert_int_equal(cpus, 2);
    uint8_t e[24];
    smbios_entry(e, 0xf0020, (uint32_t)b.len);
    assert_int_equal(sum(e, 24), 0);
    free(b.data);
}

/* -smbios type=1,serial=... and type=11,value=... */
static void smbios_texts_are_the_users(void **state)
{
    AcpiBuf b = { 0 };
    const char *oem[] = { "io.systemd.credential:a=b", "second", NULL };
    const MachineConfig cfg = { .ram_size = 512 * MiB, .cpus = 1,
                                .smbios = { [SMBIOS_SERIAL] = "ds=nocloud", [SMBIOS_PRODUCT] = "" },
                                .oem_strings = oem };
    RamLayout l = ram_layout(cfg.ram_size);
    unsigned count, found = 0;
    smbios_build(&b, &cfg, &l, &count);
    for (size_t i = 0; i + 4 <= b.len && b.data[i] != 127;) {
        const uint8_t *s = b.data + i;
        if (s[0] == 1) { /* maker 1, no product, version 2, serial 3 */
            assert_memory_equal(s + 4, "\1\0\2\3", 4);
            assert_memory_equal(s + s[1], "dyad\0" "0.1\0ds=nocloud\0", 21);
            found++;
        }
        if (s[0] == 11) {
            assert_int_equal(s[4], 2);
            assert_memory_equal(s + 5, "io.systemd.credential:a=b\0second\0", 34);
            found++;
        }
        for (i += s[1]; b.data[i] || b.data[i + 1]; i++) {
        }
        i += 2;
    }
    assert_int_equal(found, 2);
    free(b.data);
}

/* OVMF's loader sets a checksum to minus the sum of all bytes, the old checksum's too. */
static void a_loader_that_sums_the_old_checksum_gets_good_tables(void **state)
{
    acpi_clear_sums(&blob);
    for (unsigned i = 0; i < blob.n_sum; i++) {
        const AcpiChecksum *c = &blob.sum[i];
        uint8_t *p = blob.tables.data + c->start;
        blob.tables.data[c->at] = (uint8_t)-sum(p, c->len);
        assert_int_equal(sum(p, c->len), 0);
    }
    blob.rsdp[8] = (uint8_t)-sum(blob.rsdp, 20);
    blob.rsdp[32] = (uint8_t)-sum(blob.rsdp, sizeof(blob.rsdp));
    assert_int_equal(sum(blob.rsdp, 20), 0);
    assert_int_equal(sum(blob.rsdp, sizeof(blob.rsdp)), 0);
    acpi_relocate(&blob, BASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_pointer_leads_to_every_table),
        cmocka_unit_test(fadt_describes_the_pm_block),
        cmocka_unit_test(madt_lists_cpus_and_overrides),
        cmocka_unit_test(relocation_can_be_repeated),
        cmocka_unit_test(a_loader_that_sums_the_old_checksum_gets_good_tables),
        cmocka_unit_test(iasl_reads_our_aml),
        cmocka_unit_test(smbios_structures_form_a_chain),
        cmocka_unit_test(firmware_that_cannot_resume_hides_s3),
        cmocka_unit_test(smbios_texts_are_the_users),
    };
    const struct CMUnitTest q35[] = {
        cmocka_unit_test(madt_lists_cpus_and_overrides),
        cmocka_unit_test(iasl_reads_our_aml),
        cmocka_unit_test(q35_names_its_window_and_its_pins),
    };
    return cmocka_run_group_tests(tests, setup, teardown) +
           cmocka_run_group_tests(q35, setup_q35, teardown);
}

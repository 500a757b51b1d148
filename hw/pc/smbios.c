/* SPDX-License-Identifier: MIT */
/*
 * SMBIOS structures a guest expects to find (DMTF DSP0134 3.6, chapter 7): BIOS, system,
 * chassis, processors, OEM strings, memory, end.
 */
#include <stdio.h>
#include <string.h>
#include "hw/pc/pc_int.h"

typedef struct Builder {
    AcpiBuf *b;
    uint16_t handle;
    unsigned count;
    size_t start;
} Builder;

static void begin(Builder *s, uint8_t type)
{
    s->start = s->b->len;
    acpi_put_int(s->b, type, 1);
    acpi_put_int(s->b, 0, 1);
    acpi_put_int(s->b, s->handle++, 2);
    s->count++;
}

/* Ends the formatted part; strings follow, each with its NUL, then another NUL. */
static void end(Builder *s, const char *const *strings)
{
    acpi_set_int(s->b, s->start + 1, s->b->len - s->start, 1);
    if (!strings || !*strings) {
        acpi_zero(s->b, 2);
        return;
    }
    for (; *strings; strings++) {
        acpi_put(s->b, *strings, strlen(*strings) + 1);
    }
    acpi_zero(s->b, 1);
}

/* "xxxxxxxx-xxxx-...": the first three fields are stored little endian (7.2.1). */
static void put_uuid(AcpiBuf *b, const char *text)
{
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    uint8_t raw[16] = { 0 };
    unsigned n = 0;
    for (const char *p = text; p && *p && n < 16;) {
        unsigned v;
        if (*p == '-') {
            p++;
        } else if (p[1] && sscanf(p, "%2x", &v) == 1) {
            raw[n++] = (uint8_t)v;
            p += 2;
        } else {
            break;
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        acpi_put_int(b, raw[order[i]], 1);
    }
}

/* Strings of one structure, as the user or the board (NULL: nobody) gave them. */
typedef struct Strings {
    const char *v[8];
    unsigned n;
} Strings;

/* Puts the number of a string; 0: there is none. */
static void put_text(Builder *s, Strings *t, const char *given, const char *own)
{
    const char *text = given ? given : own;
    if (text && *text) {
        t->v[t->n++] = text;
        acpi_put_int(s->b, t->n, 1);
    } else {
        acpi_put_int(s->b, 0, 1);
    }
}

static void bios_info(Builder *s, const MachineConfig *cfg)
{
    Strings t = { .n = 0 };
    begin(s, 0);
    put_text(s, &t, cfg->smbios[SMBIOS_VENDOR], "dyad");
    put_text(s, &t, cfg->smbios[SMBIOS_BIOS_VERSION], "0.1");
    acpi_put_int(s->b, 0xe000, 2);
    put_text(s, &t, cfg->smbios[SMBIOS_DATE], "01/01/2026");
    acpi_put_int(s->b, 0, 1);
    acpi_put_int(s->b, 1 << 3, 8);      /* characteristics not supported */
    acpi_put_int(s->b, 0, 1);
    acpi_put_int(s->b, 1 << 4, 1);      /* a virtual machine */
    acpi_put_int(s->b, 0xffff0100u, 4); /* release 0.1; no embedded controller */
    end(s, t.v);
}

static void system_info(Builder *s, const MachineConfig *cfg)
{
    Strings t = { .n = 0 };
    begin(s, 1);
    put_text(s, &t, cfg->smbios[SMBIOS_MANUFACTURER], "dyad");
    put_text(s, &t, cfg->smbios[SMBIOS_PRODUCT], "dyad pc");
    put_text(s, &t, cfg->smbios[SMBIOS_VERSION], "0.1");
    put_text(s, &t, cfg->smbios[SMBIOS_SERIAL], NULL);
    put_uuid(s->b, cfg->uuid);
    acpi_put_int(s->b, 6, 1);           /* woken by the power switch */
    put_text(s, &t, cfg->smbios[SMBIOS_SKU], NULL);
    put_text(s, &t, cfg->smbios[SMBIOS_FAMILY], NULL);
    end(s, t.v);
}

static void chassis(Builder *s)
{
    begin(s, 3);
    acpi_put_int(s->b, 1, 1);
    acpi_put_int(s->b, 1, 1);           /* type: other */
    acpi_put_int(s->b, 0, 3);
    acpi_put_int(s->b, 0x02030303, 4);  /* states: safe; security: unknown */
    acpi_put_int(s->b, 0, 4);
    acpi_put_int(s->b, 0, 5);
    end(s, (const char *const[]){ "dyad", NULL });
}

static void processor(Builder *s, unsigned n)
{
    char socket[16];
    snprintf(socket, sizeof(socket), "CPU %u", n);
    begin(s, 4);
    acpi_put_int(s->b, 1, 1);
    acpi_put_int(s->b, 3, 1);           /* central processor */
    acpi_put_int(s->b, 1, 1);           /* family: other */
    acpi_put_int(s->b, 2, 1);
    acpi_zero(s->b, 8 + 1 + 1);         /* ID, version, voltage */
    acpi_put_int(s->b, 0, 2);
    acpi_put_int(s->b, 2000, 2);
    acpi_put_int(s->b, 2000, 2);
    acpi_put_int(s->b, 0x41, 1);        /* populated, enabled */
    acpi_put_int(s->b, 1, 1);
    acpi_put_int(s->b, 0xffffffffffffull, 6); /* no cache structures */
    acpi_zero(s->b, 3);
    acpi_put_int(s->b, 0x010101, 3);    /* cores, enabled, threads */
    acpi_put_int(s->b, 1 << 2, 2);      /* 64-bit */
    acpi_put_int(s->b, 1, 2);
    acpi_put_int(s->b, 1, 2);
    acpi_put_int(s->b, 1, 2);
    acpi_put_int(s->b, 1, 2);
    end(s, (const char *const[]){ socket, "dyad", NULL });
}

static void memory(Builder *s, const MachineConfig *cfg, const RamLayout *ram)
{
    uint16_t array = s->handle;
    uint64_t mib = cfg->ram_size / MiB;
    begin(s, 16);
    acpi_put_int(s->b, 1, 1);           /* location: other */
    acpi_put_int(s->b, 3, 1);           /* system memory */
    acpi_put_int(s->b, 6, 1);           /* multi-bit ECC */
    acpi_put_int(s->b, 0x80000000u, 4);
    acpi_put_int(s->b, 0xfffe, 2);
    acpi_put_int(s->b, 1, 2);
    acpi_put_int(s->b, cfg->ram_size, 8);
    end(s, NULL);
    begin(s, 17);
    acpi_put_int(s->b, array, 2);
    acpi_put_int(s->b, 0xfffe, 2);
    acpi_put_int(s->b, 0xffff, 2);      /* widths unknown */
    acpi_put_int(s->b, 0xffff, 2);
    acpi_put_int(s->b, mib < 0x7fff ? mib : 0x7fff, 2);
    acpi_put_int(s->b, 9, 1);           /* DIMM */
    acpi_put_int(s->b, 0, 1);
    acpi_put_int(s->b, 1, 1);
    acpi_put_int(s->b, 0, 1);
    acpi_put_int(s->b, 7, 1);           /* RAM */
    acpi_put_int(s->b, 2, 2);
    acpi_zero(s->b, 2 + 4 + 1);         /* speed, strings, attributes */
    acpi_put_int(s->b, mib, 4);
    acpi_zero(s->b, 2 + 6);
    end(s, (const char *const[]){ "DIMM 0", NULL });
    begin(s, 19);
    acpi_put_int(s->b, 0, 4);
    acpi_put_int(s->b, ram->low / KiB - 1, 4);
    acpi_put_int(s->b, array, 2);
    acpi_put_int(s->b, 1, 1);
    acpi_zero(s->b, 16);
    end(s, NULL);
}

/* 7.12: systemd's credentials come this way. */
static void oem_strings(Builder *s, const MachineConfig *cfg)
{
    unsigned n = 0;
    while (cfg->oem_strings && cfg->oem_strings[n]) {
        n++;
    }
    if (n) {
        begin(s, 11);
        acpi_put_int(s->b, n, 1);
        end(s, cfg->oem_strings);
    }
}

void smbios_build(AcpiBuf *b, const MachineConfig *cfg, const RamLayout *ram,
                  unsigned *count)
{
    Builder s = { .b = b };
    bios_info(&s, cfg);
    system_info(&s, cfg);
    chassis(&s);
    for (unsigned i = 0; i < cfg->cpus; i++) {
        processor(&s, i);
    }
    oem_strings(&s, cfg);
    memory(&s, cfg, ram);
    begin(&s, 32);                      /* boot status: fine */
    acpi_zero(b, 6 + 1);
    end(&s, NULL);
    begin(&s, 127);
    end(&s, NULL);
    *count = s.count;
}

void smbios_entry(uint8_t out[24], uint64_t table, uint32_t len)
{
    memset(out, 0, 24);
    memcpy(out, "_SM3_", 5);
    out[6] = 24;
    out[7] = 3;                         /* version 3.6.0 */
    out[8] = 6;
    out[10] = 1;
    AcpiBuf b = { out, 24, 24 };
    acpi_set_int(&b, 12, len, 4);
    acpi_set_int(&b, 16, table, 8);
    out[5] = acpi_sum(out, 24);
}

/* SPDX-License-Identifier: MIT */
/* ACPI blob and AML writer; see acpi_build.h. Pure. */
#include "hw/pc/acpi_build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

enum { HEADER_SIZE = 36, CHECKSUM_AT = 9, LENGTH_AT = 4 };

/* ---- bytes ---- */

void acpi_put(AcpiBuf *b, const void *p, size_t n)
{
    if (n == 0) {
        return;
    }
    if (n > b->cap - b->len) {
        b->cap = MAX(b->cap * 2, b->len + n + 1024);
        b->data = xrealloc(b->data, b->cap);
    }
    if (p) {
        memcpy(b->data + b->len, p, n);
    } else {
        memset(b->data + b->len, 0, n);
    }
    b->len += n;
}

void acpi_zero(AcpiBuf *b, size_t n)
{
    acpi_put(b, NULL, n);
}

void acpi_set_int(AcpiBuf *b, size_t at, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        b->data[at + i] = (uint8_t)(v >> (8 * i));
    }
}

void acpi_put_int(AcpiBuf *b, uint64_t v, unsigned size)
{
    size_t at = b->len;
    acpi_zero(b, size);
    acpi_set_int(b, at, v, size);
}

uint8_t acpi_sum(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += p[i];
    }
    return (uint8_t)-sum;
}

/* ---- tables ---- */

uint32_t acpi_table_begin(AcpiBlob *a, const char sig[4], uint8_t revision)
{
    AcpiBuf *b = &a->tables;
    acpi_zero(b, ALIGN_UP(b->len, 64) - b->len); /* FACS wants 64, the rest less */
    uint32_t at = (uint32_t)b->len;
    acpi_put(b, sig, 4);
    acpi_zero(b, 4);
    acpi_put_int(b, revision, 1);
    acpi_zero(b, 1);
    acpi_put(b, "DYAD  ", 6);
    acpi_put(b, "DYADPC  ", 8);
    acpi_put_int(b, 1, 4);
    acpi_put(b, "DYAD", 4);
    acpi_put_int(b, 1, 4);
    return at;
}

void acpi_table_end(AcpiBlob *a, uint32_t table)
{
    uint32_t len = (uint32_t)a->tables.len - table;
    acpi_set_int(&a->tables, table + LENGTH_AT, len, 4);
    assert(a->n_sum < ACPI_MAX_SUMS && len >= HEADER_SIZE);
    a->sum[a->n_sum++] = (AcpiChecksum){ table + CHECKSUM_AT, table, len };
}

void acpi_note_pointer(AcpiBlob *a, uint32_t at, uint32_t target, uint8_t size)
{
    assert(a->n_ptr < ACPI_MAX_POINTERS);
    acpi_set_int(&a->tables, at, target, size);
    a->ptr[a->n_ptr++] = (AcpiPointer){ at, target, size };
}

void acpi_put_pointer(AcpiBlob *a, uint32_t target, uint8_t size)
{
    uint32_t at = (uint32_t)a->tables.len;
    acpi_zero(&a->tables, size);
    acpi_note_pointer(a, at, target, size);
}

void acpi_relocate(AcpiBlob *a, uint64_t base)
{
    for (unsigned i = 0; i < a->n_ptr; i++) {
        acpi_set_int(&a->tables, a->ptr[i].at, base + a->ptr[i].target, a->ptr[i].size);
    }
    for (unsigned i = 0; i < a->n_sum; i++) {
        const AcpiChecksum *s = &a->sum[i];
        a->tables.data[s->at] = 0;
        a->tables.data[s->at] = acpi_sum(a->tables.data + s->start, s->len);
    }
    AcpiBuf r = { a->rsdp, sizeof(a->rsdp), sizeof(a->rsdp) };
    acpi_set_int(&r, 16, base + a->rsdt, 4);
    acpi_set_int(&r, 24, base + a->xsdt, 8);
    a->rsdp[8] = 0;
    a->rsdp[32] = 0;
    a->rsdp[8] = acpi_sum(a->rsdp, 20);
    a->rsdp[32] = acpi_sum(a->rsdp, sizeof(a->rsdp));
}

void acpi_clear_sums(AcpiBlob *a)
{
    for (unsigned i = 0; i < a->n_sum; i++) {
        a->tables.data[a->sum[i].at] = 0;
    }
    a->rsdp[8] = 0;
    a->rsdp[32] = 0;
}

void acpi_free(AcpiBlob *a)
{
    free(a->tables.data);
    *a = (AcpiBlob){ 0 };
}

/* ---- AML ---- */

enum { /* 20.3, table 20.3 */
    AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_BYTE = 0x0a, AML_WORD = 0x0b,
    AML_DWORD = 0x0c, AML_STRING = 0x0d, AML_QWORD = 0x0e, AML_SCOPE = 0x10,
    AML_BUFFER = 0x11, AML_PACKAGE = 0x12, AML_EXT = 0x5b, AML_DEVICE = 0x82,
    AML_DUAL = 0x2e, AML_MULTI = 0x2f,
};

/* PkgLength counts itself; the four-byte form serves any size (20.2.4). */
static size_t begin_length(AcpiBuf *b)
{
    size_t mark = b->len;
    acpi_zero(b, 4);
    return mark;
}

void aml_end(AcpiBuf *b, size_t mark)
{
    uint32_t len = (uint32_t)(b->len - mark);
    b->data[mark] = (uint8_t)(0xc0 | (len & 0xf));
    acpi_set_int(b, mark + 1, len >> 4, 3);
}

void aml_path(AcpiBuf *b, const char *path)
{
    if (*path == '\\') {
        acpi_put(b, path++, 1);
    }
    size_t segs = (strlen(path) + 1) / 5;
    if (segs == 2) {
        acpi_put_int(b, AML_DUAL, 1);
    } else if (segs > 2) {
        acpi_put_int(b, AML_MULTI, 1);
        acpi_put_int(b, segs, 1);
    }
    for (size_t i = 0; i < segs; i++) {
        acpi_put(b, path + 5 * i, 4);
    }
}

size_t aml_begin_scope(AcpiBuf *b, const char *path)
{
    acpi_put_int(b, AML_SCOPE, 1);
    size_t mark = begin_length(b);
    aml_path(b, path);
    return mark;
}

size_t aml_begin_device(AcpiBuf *b, const char *name)
{
    acpi_put_int(b, AML_EXT, 1);
    acpi_put_int(b, AML_DEVICE, 1);
    size_t mark = begin_length(b);
    aml_path(b, name);
    return mark;
}

void aml_name(AcpiBuf *b, const char *name)
{
    acpi_put_int(b, AML_NAME, 1);
    aml_path(b, name);
}

void aml_int(AcpiBuf *b, uint64_t v)
{
    if (v <= 1) {
        acpi_put_int(b, v ? AML_ONE : AML_ZERO, 1);
        return;
    }
    unsigned size = v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffffffu ? 4 : 8;
    static const uint8_t prefix[9] = { [1] = AML_BYTE, [2] = AML_WORD, [4] = AML_DWORD,
                                       [8] = AML_QWORD };
    acpi_put_int(b, prefix[size], 1);
    acpi_put_int(b, v, size);
}

void aml_string(AcpiBuf *b, const char *s)
{
    acpi_put_int(b, AML_STRING, 1);
    acpi_put(b, s, strlen(s) + 1);
}

size_t aml_begin_package(AcpiBuf *b, uint8_t elements)
{
    acpi_put_int(b, AML_PACKAGE, 1);
    size_t mark = begin_length(b);
    acpi_put_int(b, elements, 1);
    return mark;
}

void aml_buffer(AcpiBuf *b, const AcpiBuf *content)
{
    acpi_put_int(b, AML_BUFFER, 1);
    size_t mark = begin_length(b);
    aml_int(b, content->len);
    acpi_put(b, content->data, content->len);
    aml_end(b, mark);
}

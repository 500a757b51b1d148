/* SPDX-License-Identifier: MIT */
/*
 * Building ACPI tables as one blob that can be placed anywhere: table headers, pointers
 * between tables and checksums are noted, so that we or firmware can fix them up. And a
 * small AML writer (ACPI 6.5, chapter 20).
 */
#ifndef HW_PC_ACPI_BUILD_H
#define HW_PC_ACPI_BUILD_H

#include "util/compiler.h"

typedef struct AcpiBuf {
    uint8_t *data;
    size_t len, cap;
} AcpiBuf;

void acpi_put(AcpiBuf *b, const void *p, size_t n);
void acpi_put_int(AcpiBuf *b, uint64_t v, unsigned size);
void acpi_zero(AcpiBuf *b, size_t n);
void acpi_set_int(AcpiBuf *b, size_t at, uint64_t v, unsigned size);

/* A place in the blob that holds the address of another place in it. */
typedef struct AcpiPointer {
    uint32_t at, target;
    uint8_t size;       /* 4 or 8 */
} AcpiPointer;

typedef struct AcpiChecksum {
    uint32_t at, start, len;
} AcpiChecksum;

enum { ACPI_MAX_POINTERS = 32, ACPI_MAX_SUMS = 16, ACPI_RSDP_SIZE = 36 };

typedef struct AcpiBlob {
    AcpiBuf tables;             /* everything but the root pointer; 64-byte aligned */
    AcpiPointer ptr[ACPI_MAX_POINTERS];
    unsigned n_ptr;
    AcpiChecksum sum[ACPI_MAX_SUMS];
    unsigned n_sum;
    uint8_t rsdp[ACPI_RSDP_SIZE]; /* addresses 0: at 16 the RSDT's, at 24 the XSDT's */
    uint32_t rsdt, xsdt, facs;  /* where in tables */
} AcpiBlob;

/* Starts a table with its header (5.2.6); returns its offset. end fixes the length and
 * notes the checksum. */
uint32_t acpi_table_begin(AcpiBlob *a, const char sig[4], uint8_t revision);
void acpi_table_end(AcpiBlob *a, uint32_t table);
/* Appends a field of `size` bytes that will hold the address of `target`. */
void acpi_put_pointer(AcpiBlob *a, uint32_t target, uint8_t size);
void acpi_note_pointer(AcpiBlob *a, uint32_t at, uint32_t target, uint8_t size);
/* Fixes everything up for tables at `base`, in place. */
void acpi_relocate(AcpiBlob *a, uint64_t base);

/* Sets every checksum to 0: what a table loader that adds them up itself begins with. */
void acpi_clear_sums(AcpiBlob *a);
void acpi_free(AcpiBlob *a);
uint8_t acpi_sum(const uint8_t *p, size_t n);   /* the byte that makes it 0 */

/* --- AML --- */
/* Opens a construct with a PkgLength of four bytes; end fills it. */
size_t aml_begin_scope(AcpiBuf *b, const char *path);
size_t aml_begin_device(AcpiBuf *b, const char *name);
void aml_end(AcpiBuf *b, size_t mark);
void aml_name(AcpiBuf *b, const char *name);    /* Name(name, ...): a value follows */
void aml_path(AcpiBuf *b, const char *path);    /* "\\_SB_.PCI0", 4-letter segments */
void aml_int(AcpiBuf *b, uint64_t v);
void aml_string(AcpiBuf *b, const char *s);
size_t aml_begin_package(AcpiBuf *b, uint8_t elements);
void aml_buffer(AcpiBuf *b, const AcpiBuf *content);

#endif

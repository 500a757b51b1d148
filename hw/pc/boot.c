/* SPDX-License-Identifier: MIT */
/* Boot plans: pieces of memory, tables that every mode needs, choice of the loader. */
#include "hw/pc/boot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

enum { PAGE = 4096 };

const char *const kernel_protocol_names[] = { "auto", "16", "32", "64", NULL };

void boot_plan_free(BootPlan *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->chunk[i].owned) {
            free((void *)p->chunk[i].data);
        }
    }
    free(p->chunk);
    *p = (BootPlan){ 0 };
}

static const BootChunk *overlapping(const BootPlan *p, uint64_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < p->n; i++) {
        const BootChunk *c = &p->chunk[i];
        if (gpa < c->gpa + c->len && c->gpa < gpa + len) {
            return c;
        }
    }
    return NULL;
}

bool boot_add(BootPlan *p, const BootEnv *env, uint64_t gpa, const void *data, uint64_t len,
              const char *what, Error *err)
{
    if (len == 0) {
        return true;
    }
    if (!e820_is_ram(&env->map, gpa, len)) {
        return error_set(err, "%s: %" PRIu64 " bytes at 0x%" PRIx64 " do not fit in memory",
                         what, len, gpa);
    }
    if (overlapping(p, gpa, len)) {
        return error_set(err, "%s: 0x%" PRIx64 "-0x%" PRIx64 " is taken already", what, gpa,
                         gpa + len - 1);
    }
    p->chunk = xrealloc(p->chunk, (p->n + 1) * sizeof(*p->chunk));
    p->chunk[p->n++] = (BootChunk){ gpa, len, data, false, false };
    return true;
}

bool boot_add_owned(BootPlan *p, const BootEnv *env, uint64_t gpa, void *data, uint64_t len,
                    const char *what, Error *err)
{
    if (!len || !boot_add(p, env, gpa, data, len, what, err)) {
        free(data);
        return len == 0;
    }
    p->chunk[p->n - 1].owned = true;
    return true;
}

bool boot_reserve(BootPlan *p, const BootEnv *env, uint64_t gpa, uint64_t len,
                  const char *what, Error *err)
{
    if (len && !boot_add(p, env, gpa, NULL, len, what, err)) {
        return false;
    }
    if (len) {
        p->chunk[p->n - 1].reserved = true;
    }
    return true;
}

uint64_t boot_find_top(const BootPlan *p, const BootEnv *env, uint64_t min, uint64_t limit,
                       uint64_t len)
{
    limit = MIN(limit, env->low_ram);
    for (;;) {
        if (len > limit || ALIGN_DOWN(limit - len, PAGE) < min) {
            return 0;
        }
        uint64_t at = ALIGN_DOWN(limit - len, PAGE);
        const BootChunk *c = overlapping(p, at, len);
        if (!c && e820_is_ram(&env->map, at, len)) {
            return at;
        }
        limit = c ? c->gpa : at;
    }
}

bool boot_add_tables(BootPlan *p, const BootEnv *env, Error *err)
{
    uint64_t *gdt = NEW_ARRAY(uint64_t, 5); /* descriptors: SDM vol. 3, 3.4.5 */
    gdt[BOOT_CS32 / 8] = 0x00cf9b000000ffffull;
    gdt[BOOT_CS64 / 8] = 0x00af9b000000ffffull;
    gdt[BOOT_DS / 8] = 0x00cf93000000ffffull;
    gdt[4] = 0x00008b0000000067ull; /* a TSS at 0, for TR */
    if (!boot_add_owned(p, env, BOOT_GDT, gdt, 40, "descriptor table", err)) {
        return false;
    }
    if (p->mode != BOOT_LONG64) {
        return true;
    }
    /* PML4, PDPT, four page directories of 2 MiB pages: present, writable (4.5.4). */
    uint64_t *t = NEW_ARRAY(uint64_t, 6 * 512);
    t[0] = (BOOT_TABLES + PAGE) | 3;
    for (unsigned i = 0; i < 4; i++) {
        t[512 + i] = (BOOT_TABLES + (2 + i) * PAGE) | 3;
    }
    for (uint64_t i = 0; i < 2048; i++) {
        t[1024 + i] = i * 2 * MiB | 0x83;
    }
    return boot_add_owned(p, env, BOOT_TABLES, t, 6 * PAGE, "page tables", err);
}

bool boot_add_cmdline(BootPlan *p, const BootEnv *env, uint64_t max, Error *err)
{
    uint64_t len = strlen(env->cmdline) + 1;
    max = MIN(max, (uint64_t)BOOT_CMDLINE_MAX - 1);
    if (len - 1 > max) {
        return error_set(err, "-append: %" PRIu64 " characters are too many, the kernel "
                              "takes %" PRIu64, len - 1, max);
    }
    return boot_add_owned(p, env, BOOT_CMDLINE, xstrdup(env->cmdline), len, "command line",
                          err);
}

bool boot_plan_make(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n,
                    Error *err)
{
    *p = (BootPlan){ 0 };
    bool ok;
    if (multiboot_probe(image, n)) {
        ok = multiboot_plan(p, env, image, n, err);
    } else if (elf_probe(image, n)) {
        ok = elf_plan(p, env, image, n, err);
    } else if (linux_probe(image, n)) {
        ok = linux_plan(p, env, image, n, err);
    } else {
        ok = error_set(err, "is not a kernel: neither a Linux bzImage, nor ELF with a PVH "
                            "entry, nor multiboot");
    }
    if (!ok) {
        boot_plan_free(p);
    }
    return ok;
}

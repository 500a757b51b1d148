/* SPDX-License-Identifier: MIT */
/*
 * Multiboot specification 0.6.96: images with addresses in the header (flag 16) or ELF32.
 * Modules from -initrd. No video mode is set, no boot device is given.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "hw/pc/boot.h"
#include "util/alloc.h"
#include "util/bytes.h"

enum { SEARCH = 8192, HEADER_SIZE = 12, ADDR_HEADER_SIZE = 32 };
enum { FLAG_ALIGN = 1, FLAG_MEMORY = 2, FLAG_VIDEO = 4, FLAG_ADDRS = 1 << 16,
       FLAG_UNKNOWN = 0xfff8 }; /* bits 3-15: an unknown one forbids loading (3.1.2) */
enum { LOW_KIB = 639 }; /* memory below the EBDA */
#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u

typedef struct MultibootInfo { /* 3.3 */
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table;
    uint32_t loader_name, apm_table;
    uint32_t vbe[4];
} MultibootInfo;

typedef struct MultibootModule {
    uint32_t start, end, string, reserved;
} MultibootModule;

typedef struct __attribute__((packed)) MultibootMmap {
    uint32_t size;
    uint64_t addr, len;
    uint32_t type;
} MultibootMmap;

typedef struct InfoPage {
    MultibootInfo info;
    MultibootModule module[BOOT_MODULES];
    MultibootMmap map[E820_MAX];
    char name[8], module_line[BOOT_MODULES][512], cmdline[4096];
} InfoPage;

/* Offset of the header, or -1. */
static int64_t find_header(const uint8_t *image, size_t n)
{
    size_t end = MIN(n, (size_t)SEARCH);
    for (size_t i = 0; i + HEADER_SIZE <= end; i += 4) {
        const uint8_t *h = image + i;
        if (get_le32(h) == HEADER_MAGIC &&
            get_le32(h) + get_le32(h + 4) + get_le32(h + 8) == 0) {
            return (int64_t)i;
        }
    }
    return -1;
}

bool multiboot_probe(const uint8_t *image, size_t n)
{
    return find_header(image, n) >= 0;
}

/* Flag 16: the file is one span with addresses of its own (3.1.3). */
static bool load_flat(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n,
                      uint64_t header, uint64_t *entry, uint64_t *end, Error *err)
{
    if (header + ADDR_HEADER_SIZE > n) {
        return error_set(err, "has a multiboot header that is cut short");
    }
    const uint8_t *h = image + header;
    uint64_t header_addr = get_le32(h + 12), load = get_le32(h + 16),
             load_end = get_le32(h + 20), bss_end = get_le32(h + 24);
    if (load > header_addr || header_addr - load > header) {
        return error_set(err, "has a multiboot header with impossible addresses");
    }
    uint64_t off = header - (header_addr - load);
    uint64_t len = load_end ? load_end - load : n - off;
    if ((load_end && load_end < load) || len > n - off) {
        return error_set(err, "is cut short: the multiboot header wants more of it");
    }
    if (bss_end && bss_end < load + len) {
        return error_set(err, "has a multiboot header with impossible addresses");
    }
    *entry = get_le32(h + 28);
    *end = bss_end ? bss_end : load + len;
    return boot_add(p, env, load, image + off, len, "kernel", err) &&
           boot_add(p, env, load + len, NULL, *end - load - len, "kernel", err);
}

/* Low, behind the kernel: old kernels map only the start of memory. */
static bool add_modules(BootPlan *p, const BootEnv *env, uint64_t kernel_end, InfoPage *page,
                        Error *err)
{
    BootModule one = { env->initrd, env->initrd_len, env->initrd_name };
    const BootModule *m = env->n_modules ? env->module : &one;
    unsigned n = env->n_modules ? env->n_modules : env->initrd_len != 0;
    uint64_t at = MAX(kernel_end, MiB);

    for (unsigned i = 0; i < n; i++) {
        at = ALIGN_UP(at, 4096);
        const char *line = m[i].line ? m[i].line : "";
        if (strlen(line) >= sizeof(page->module_line[i])) {
            return error_set(err, "-initrd: '%.40s...' is too long", line);
        }
        if (!boot_add(p, env, at, m[i].data, m[i].len, "-initrd", err)) {
            return false;
        }
        memcpy(page->module_line[i], line, strlen(line));
        page->module[i] = (MultibootModule){
            (uint32_t)at, (uint32_t)(at + m[i].len),
            BOOT_INFO + (uint32_t)((char *)page->module_line[i] - (char *)page), 0,
        };
        at += m[i].len;
    }
    page->info.flags |= n ? 1 << 3 : 0;
    page->info.mods_count = n;
    page->info.mods_addr = BOOT_INFO + offsetof(InfoPage, module);
    return true;
}

static bool fill_info(BootPlan *p, const BootEnv *env, uint64_t kernel_end, InfoPage *page,
                      Error *err)
{
    MultibootInfo *i = &page->info;
    i->flags = 1 << 0 | 1 << 2 | 1 << 6 | 1 << 9;
    i->mem_lower = LOW_KIB;
    i->mem_upper = (uint32_t)((env->low_ram - MIN(env->low_ram, MiB)) / KiB);
    i->cmdline = BOOT_INFO + offsetof(InfoPage, cmdline);
    i->loader_name = BOOT_INFO + offsetof(InfoPage, name);
    i->mmap_addr = BOOT_INFO + offsetof(InfoPage, map);
    i->mmap_length = env->map.n * sizeof(MultibootMmap);
    for (unsigned n = 0; n < env->map.n; n++) {
        const E820Entry *e = &env->map.e[n];
        page->map[n] = (MultibootMmap){ sizeof(MultibootMmap) - 4, e->start, e->size, e->type };
    }
    memcpy(page->name, "dyad", 5);
    /* The kernel's own name is the first word, as GRUB has it: kernels skip it. */
    int len = snprintf(page->cmdline, sizeof(page->cmdline), "%s%s%s", env->kernel_name,
                       *env->cmdline ? " " : "", env->cmdline);
    if (len < 0 || (size_t)len >= sizeof(page->cmdline)) {
        return error_set(err, "-append: %zu characters are too many", strlen(env->cmdline));
    }
    return add_modules(p, env, kernel_end, page, err);
}

/* The BIOS data area, of which there is only what tells the end of low memory: the EBDA's
 * segment at 40EH, KiB of memory at 413H. Xen puts its start for other CPUs below it. */
static bool add_bios_data(BootPlan *p, const BootEnv *env, Error *err)
{
    enum { BDA = 0x400, BDA_SIZE = 256, EBDA_SEGMENT = 0x0e, MEMORY_KIB = 0x13 };
    uint8_t *bda = NEW_ARRAY(uint8_t, BDA_SIZE);
    bda[EBDA_SEGMENT] = (LOW_KIB << 6) & 0xff;
    bda[EBDA_SEGMENT + 1] = (LOW_KIB << 6) >> 8;
    bda[MEMORY_KIB] = LOW_KIB & 0xff;
    bda[MEMORY_KIB + 1] = LOW_KIB >> 8;
    return boot_add_owned(p, env, BDA, bda, BDA_SIZE, "BIOS data area", err);
}

bool multiboot_plan(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n,
                    Error *err)
{
    uint64_t header = (uint64_t)find_header(image, n), end = 0;
    uint32_t flags = get_le32(image + header + 4);
    if (flags & FLAG_UNKNOWN) {
        return error_set(err, "needs multiboot features that are not known (flags 0x%x)",
                         flags);
    }
    p->mode = BOOT_PROT32;
    p->what = "multiboot";
    p->rax = LOADER_MAGIC;
    p->rbx = BOOT_INFO;
    bool ok;
    if (flags & FLAG_ADDRS) {
        ok = load_flat(p, env, image, n, header, &p->entry, &end, err);
    } else if (elf_probe(image, n) && image[EI_CLASS] == ELFCLASS32) {
        ok = elf_load_segments(p, env, image, n, &p->entry, &end, err);
    } else {
        ok = error_set(err, "is a multiboot image that is neither ELF32 nor flat");
    }
    if (!ok || !boot_add_tables(p, env, err) || !add_bios_data(p, env, err)) {
        return false;
    }
    InfoPage *page = NEW(InfoPage);
    ok = fill_info(p, env, end, page, err);
    return boot_add_owned(p, env, BOOT_INFO, page, sizeof(*page), "multiboot information",
                          err) && ok;
}

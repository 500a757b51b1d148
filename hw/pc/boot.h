/* SPDX-License-Identifier: MIT */
/*
 * Booting a kernel without firmware: a plan made once from the image files (pieces of
 * memory and the boot processor's registers), carried out at each reset. Making a plan
 * needs no machine. Images are hostile: every length is checked.
 */
#ifndef HW_PC_BOOT_H
#define HW_PC_BOOT_H

#include "hw/pc/e820.h"
#include "util/error.h"

typedef struct BootChunk {
    uint64_t gpa, len;
    const void *data;   /* NULL: zeroes */
    bool owned;         /* free data with the plan */
    bool reserved;      /* only kept free: content does not matter */
} BootChunk;

enum BootMode {
    BOOT_REAL16,        /* entry = linear address; CS = DS.. = `segment` */
    BOOT_PROT32,        /* flat 4 GiB segments, no paging */
    BOOT_LONG64,        /* identity map of the first 4 GiB */
};

enum KernelProtocol { KERNEL_AUTO, KERNEL_16, KERNEL_32, KERNEL_64 };
extern const char *const kernel_protocol_names[];

typedef struct BootPlan {
    BootChunk *chunk;
    unsigned n;
    enum BootMode mode;
    uint64_t entry;
    uint16_t segment;       /* BOOT_REAL16: of DS, ES, SS; CS is 0x20 above */
    uint64_t rax, rbx, rsi, rsp;
    const char *what;       /* for messages: "Linux, 64-bit" */
} BootPlan;

enum { BOOT_MODULES = 16 };
/* A multiboot module: its bytes and its command line, "FILE ARGUMENTS". */
typedef struct BootModule {
    const uint8_t *data;
    size_t len;
    const char *line;
} BootModule;

/* What a plan is made from. */
typedef struct BootEnv {
    E820Map map;
    uint64_t low_ram;       /* end of RAM below 4 GiB */
    const char *kernel_name; /* file, as given; never NULL */
    const char *cmdline;    /* never NULL */
    const uint8_t *initrd;  /* NULL: none */
    size_t initrd_len;
    const char *initrd_name;
    BootModule module[BOOT_MODULES]; /* multiboot: instead of initrd, if there is one */
    unsigned n_modules;
    enum KernelProtocol protocol;
    uint64_t rsdp;          /* address of the ACPI root pointer, 0 = none */
    bool vga_text;          /* a VGA shows 80x25 text */
    uint8_t seed[32];       /* for the kernel's random pool */
} BootEnv;

/* Fixed places below 640 KiB that plans use. */
enum {
    BOOT_GDT = 0x1000, BOOT_PARAMS = 0x10000, BOOT_SEED = 0x12000, BOOT_TABLES = 0x20000,
    BOOT_CMDLINE = 0x30000, BOOT_CMDLINE_MAX = 0x10000, BOOT_INFO = 0x50000,
    BOOT_STACK = 0x8f000,
};
enum { BOOT_CS32 = 0x08, BOOT_CS64 = 0x10, BOOT_DS = 0x18 }; /* selectors in BOOT_GDT */

/* Finds out what the image is and plans it. */
bool boot_plan_make(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n,
                    Error *err);
void boot_plan_free(BootPlan *p);

/* --- for the loaders --- */
/* Adds a piece; refuses what is not RAM or overlaps another piece. `what` names it. */
bool boot_add(BootPlan *p, const BootEnv *env, uint64_t gpa, const void *data, uint64_t len,
              const char *what, Error *err);
/* The same with memory that the plan takes over (also on failure). */
bool boot_add_owned(BootPlan *p, const BootEnv *env, uint64_t gpa, void *data, uint64_t len,
                    const char *what, Error *err);
/* Keeps memory clear of other pieces without writing it. */
bool boot_reserve(BootPlan *p, const BootEnv *env, uint64_t gpa, uint64_t len,
                  const char *what, Error *err);
/* Highest page-aligned place for len bytes in RAM from `min` up and below `limit`, clear
 * of all pieces; 0 if there is none. */
uint64_t boot_find_top(const BootPlan *p, const BootEnv *env, uint64_t min, uint64_t limit,
                       uint64_t len);
/* GDT (all modes) and, for BOOT_LONG64, page tables. */
bool boot_add_tables(BootPlan *p, const BootEnv *env, Error *err);
bool boot_add_cmdline(BootPlan *p, const BootEnv *env, uint64_t max, Error *err);

/* Is it that kind of image? */
bool linux_probe(const uint8_t *image, size_t n);
bool linux_plan(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n, Error *err);
bool elf_probe(const uint8_t *image, size_t n);
bool elf_plan(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n, Error *err);
bool multiboot_probe(const uint8_t *image, size_t n);
bool multiboot_plan(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n,
                    Error *err);

/* ELF segments of either class by physical address; *entry from the header. Shared by
 * PVH and multiboot. */
bool elf_load_segments(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n,
                       uint64_t *entry, uint64_t *end, Error *err);

#endif

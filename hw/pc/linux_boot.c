/* SPDX-License-Identifier: MIT */
/*
 * Linux bzImage by the x86 boot protocol (Documentation/arch/x86/boot.rst, protocol 2.00
 * to 2.15; field names as there). The loader does firmware's work: memory map, command
 * line, initrd, root pointer. The 16-bit entry is for machines with firmware in place.
 */
#include "hw/pc/boot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"
#include "util/bytes.h"

enum { /* offsets in the image, the same in boot_params */
    SETUP_SECTS = 0x1f1, SYSSIZE = 0x1f4, VID_MODE = 0x1fa, BOOT_FLAG = 0x1fe, JUMP_LEN = 0x201,
    HDR_MAGIC = 0x202, VERSION = 0x206, LOADER_TYPE = 0x210, LOADFLAGS = 0x211,
    CODE32_START = 0x214, RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, HEAP_END = 0x224,
    CMD_LINE_PTR = 0x228, INITRD_MAX = 0x22c, RELOCATABLE = 0x234, XLOADFLAGS = 0x236,
    KERNEL_ALIGN = 0x230, CMDLINE_SIZE = 0x238, SETUP_DATA = 0x250, PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260, HDR_START = 0x1f1, HDR_MAX_END = 0x290,
};
enum { /* boot_params only (zero-page.rst) */
    ZP_SCREEN = 0x000, ZP_RSDP = 0x070, ZP_E820_COUNT = 0x1e8, ZP_E820 = 0x2d0,
    ZP_SIZE = 4096,
};
enum { LOADED_HIGH = 0x01, CAN_USE_HEAP = 0x80, XLF_KERNEL_64 = 0x01, SETUP_RNG_SEED = 9 };
enum { SECTOR = 512 };
#define SETUP_SEG 0x9000
#define SETUP_BASE 0x90000ull

/* The header's fields, with what older protocols imply. */
typedef struct LinuxHeader {
    const uint8_t *image;
    size_t n;
    unsigned version;
    size_t setup_len;       /* bytes of boot sector and setup code */
    uint64_t kernel_len;    /* protected-mode part */
    uint64_t load, init_size, initrd_max, cmdline_max;
    bool high, has64;
} LinuxHeader;

bool linux_probe(const uint8_t *image, size_t n)
{
    return n >= 0x290 && get_le16(image + BOOT_FLAG) == 0xaa55 &&
           !memcmp(image + HDR_MAGIC, "HdrS", 4);
}

static bool read_header(LinuxHeader *h, const uint8_t *image, size_t n, Error *err)
{
    *h = (LinuxHeader){ .image = image, .n = n, .version = get_le16(image + VERSION) };
    unsigned sects = image[SETUP_SECTS] ? image[SETUP_SECTS] : 4;
    h->setup_len = (sects + 1) * SECTOR;
    if (h->version < 0x200) {
        return error_set(err, "boot protocol %u.%02u is too old", h->version >> 8,
                         h->version & 0xff);
    }
    if (h->setup_len >= n) {
        return error_set(err, "is cut short: %zu bytes, the setup code alone has %zu", n,
                         h->setup_len);
    }
    h->kernel_len = n - h->setup_len;
    uint64_t wanted = get_le32(image + SYSSIZE) * 16ull;
    if (h->version >= 0x204 && wanted > ALIGN_UP(h->kernel_len, 16)) {
        return error_set(err, "is cut short: %" PRIu64 " bytes of kernel, the header says "
                              "%" PRIu64, h->kernel_len, wanted);
    }
    h->high = image[LOADFLAGS] & LOADED_HIGH;
    h->load = h->high ? MiB : 0x10000;
    h->initrd_max = h->version >= 0x203 ? get_le32(image + INITRD_MAX) : 0x37ffffff;
    h->cmdline_max = h->version >= 0x206 ? get_le32(image + CMDLINE_SIZE) : 255;
    h->init_size = h->kernel_len;
    if (h->version >= 0x20a) {
        h->init_size = MAX(h->init_size, get_le32(image + INIT_SIZE));
        if (h->high && image[RELOCATABLE]) {
            h->load = get_le64(image + PREF_ADDRESS);
        }
    }
    h->has64 = h->version >= 0x20c && (get_le16(image + XLOADFLAGS) & XLF_KERNEL_64);
    return true;
}

/* A relocatable kernel that does not fit where it would like to be goes as low as it may. */
static void settle(LinuxHeader *h, const BootEnv *env)
{
    if (h->version < 0x20a || !h->image[RELOCATABLE] || !h->high ||
        e820_is_ram(&env->map, h->load, h->init_size)) {
        return;
    }
    uint64_t align = get_le32(h->image + KERNEL_ALIGN);
    if (align && !(align & (align - 1))) {
        h->load = ALIGN_UP(MiB, MAX(align, 4096));
    }
}

static bool place_initrd(BootPlan *p, const BootEnv *env, const LinuxHeader *h, uint8_t *zp,
                         Error *err)
{
    if (!env->initrd || !env->initrd_len) {
        return true;
    }
    uint64_t limit = h->initrd_max == UINT32_MAX ? 4 * GiB : h->initrd_max + 1;
    uint64_t at = boot_find_top(p, env, MiB, limit, env->initrd_len);
    if (!at || env->initrd_len > UINT32_MAX) {
        return error_set(err, "-initrd: %zu bytes do not fit in memory beside the kernel",
                         env->initrd_len);
    }
    put_le32(zp + RAMDISK_IMAGE, (uint32_t)at);
    put_le32(zp + RAMDISK_SIZE, (uint32_t)env->initrd_len);
    return boot_add(p, env, at, env->initrd, env->initrd_len, "-initrd", err);
}

/* The kernel and the memory it wants before it knows the map: one piece each. */
static bool place_kernel(BootPlan *p, const BootEnv *env, const LinuxHeader *h, Error *err)
{
    if (!h->high && h->kernel_len > 0x80000) {
        return error_set(err, "a zImage of %" PRIu64 " bytes is too large", h->kernel_len);
    }
    return boot_add(p, env, h->load, h->image + h->setup_len, h->kernel_len, "kernel", err) &&
           boot_reserve(p, env, h->load + h->kernel_len, h->init_size - h->kernel_len,
                        "kernel", err);
}

static void fill_e820(uint8_t *zp, const E820Map *map)
{
    zp[ZP_E820_COUNT] = (uint8_t)map->n;
    for (unsigned i = 0; i < map->n; i++) {
        uint8_t *e = zp + ZP_E820 + 20 * i;
        put_le64(e, map->e[i].start);
        put_le64(e + 8, map->e[i].size);
        put_le32(e + 16, map->e[i].type);
    }
}

/* struct screen_info: an 80x25 text screen, as BIOS mode 3 leaves it. */
static void fill_screen(uint8_t *zp)
{
    zp[ZP_SCREEN + 0x06] = 3;
    zp[ZP_SCREEN + 0x07] = 80;
    zp[ZP_SCREEN + 0x0e] = 25;
    zp[ZP_SCREEN + 0x0f] = 1;
    put_le16(zp + ZP_SCREEN + 0x10, 16);
}

static bool add_seed(BootPlan *p, const BootEnv *env, const LinuxHeader *h, uint8_t *zp,
                     Error *err)
{
    if (h->version < 0x209) {
        return true;
    }
    uint8_t *d = xalloc(16 + sizeof(env->seed)); /* struct setup_data */
    put_le32(d + 8, SETUP_RNG_SEED);
    put_le32(d + 12, sizeof(env->seed));
    memcpy(d + 16, env->seed, sizeof(env->seed));
    put_le64(zp + SETUP_DATA, BOOT_SEED);
    return boot_add_owned(p, env, BOOT_SEED, d, 16 + sizeof(env->seed), "setup data", err);
}

/* 32- and 64-bit entries: boot_params made by us. */
static bool plan_direct(BootPlan *p, const BootEnv *env, LinuxHeader *h, Error *err)
{
    settle(h, env);
    p->rsi = BOOT_PARAMS;
    p->rsp = BOOT_STACK;
    p->entry = h->load + (p->mode == BOOT_LONG64 ? 0x200 : 0);
    uint8_t *zp = xalloc(ZP_SIZE);
    size_t end = MIN((size_t)HDR_MAGIC + h->image[JUMP_LEN], (size_t)HDR_MAX_END);
    memcpy(zp + HDR_START, h->image + HDR_START, end - HDR_START);
    zp[LOADER_TYPE] = 0xff; /* no assigned loader number */
    put_le32(zp + CODE32_START, (uint32_t)h->load);
    put_le32(zp + RAMDISK_IMAGE, 0);
    put_le32(zp + RAMDISK_SIZE, 0);
    put_le32(zp + CMD_LINE_PTR, BOOT_CMDLINE);
    put_le64(zp + SETUP_DATA, 0);
    put_le64(zp + ZP_RSDP, env->rsdp);
    fill_e820(zp, &env->map);
    if (env->vga_text) {
        fill_screen(zp);
    }
    bool ok = boot_add_tables(p, env, err) && boot_add_cmdline(p, env, h->cmdline_max, err) &&
              place_kernel(p, env, h, err) && place_initrd(p, env, h, zp, err) &&
              add_seed(p, env, h, zp, err);
    return boot_add_owned(p, env, BOOT_PARAMS, zp, ZP_SIZE, "boot parameters", err) && ok;
}

/* vga= is the boot loader's to obey (boot.rst, "special command line options"). */
static uint16_t video_mode(const char *cmdline)
{
    uint16_t mode = 0xffff; /* normal: as the BIOS left it */
    for (const char *p = cmdline; (p = strstr(p, "vga=")); p += 4) {
        const char *v = p + 4;
        if (p != cmdline && p[-1] != ' ') {
            continue;
        }
        mode = strncmp(v, "ask", 3) == 0   ? 0xfffd
               : strncmp(v, "ext", 3) == 0 ? 0xfffe
               : *v >= '0' && *v <= '9'    ? (uint16_t)strtoul(v, NULL, 0)
                                           : 0xffff;
    }
    return mode;
}

/* Real-mode entry: setup code at 0x90000, its heap and the command line behind it. */
static bool plan_real(BootPlan *p, const BootEnv *env, LinuxHeader *h, Error *err)
{
    enum { HEAP = 0xe000, CMDLINE_OFF = 0xe000, CMDLINE_MAX = 0x1000 };
    uint64_t len = strlen(env->cmdline) + 1;
    if (h->setup_len > 0x8000) {
        return error_set(err, "the setup code of %zu bytes is too large", h->setup_len);
    }
    if (len - 1 > MIN(h->cmdline_max, (uint64_t)CMDLINE_MAX - 1)) {
        return error_set(err, "-append: %" PRIu64 " characters are too many", len - 1);
    }
    h->load = h->high ? MiB : 0x10000; /* the setup code jumps to code32_start */
    p->segment = SETUP_SEG;
    p->entry = SETUP_BASE + 0x200;
    p->rsp = CMDLINE_OFF;
    uint8_t *s = xalloc(0x10000);
    memcpy(s, h->image, h->setup_len);
    s[LOADER_TYPE] = 0xff;
    s[LOADFLAGS] |= CAN_USE_HEAP;
    put_le16(s + HEAP_END, HEAP - 0x200);
    if (h->version >= 0x202) {
        put_le32(s + CMD_LINE_PTR, SETUP_BASE + CMDLINE_OFF);
    } else {
        put_le16(s + 0x20, 0xa33f);
        put_le16(s + 0x22, CMDLINE_OFF);
    }
    memcpy(s + CMDLINE_OFF, env->cmdline, len);
    put_le16(s + VID_MODE, video_mode(env->cmdline));
    bool ok = boot_add(p, env, h->load, h->image + h->setup_len, h->kernel_len, "kernel",
                       err) &&
              place_initrd(p, env, h, s, err);
    return boot_add_owned(p, env, SETUP_BASE, s, 0xf000, "setup code", err) && ok;
}

bool linux_plan(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n, Error *err)
{
    LinuxHeader h;
    if (!read_header(&h, image, n, err)) {
        return false;
    }
    enum KernelProtocol want = env->protocol;
    if (want == KERNEL_AUTO) {
        want = h.has64 ? KERNEL_64 : KERNEL_32;
    }
    if (want == KERNEL_64 && !h.has64) {
        return error_set(err, "has no 64-bit entry; use kernel-protocol=32");
    }
    if (want == KERNEL_16) {
        p->mode = BOOT_REAL16;
        p->what = "Linux, 16-bit entry";
        return plan_real(p, env, &h, err);
    }
    p->mode = want == KERNEL_64 ? BOOT_LONG64 : BOOT_PROT32;
    p->what = want == KERNEL_64 ? "Linux, 64-bit entry" : "Linux, 32-bit entry";
    return plan_direct(p, env, &h, err);
}

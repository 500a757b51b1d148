/* SPDX-License-Identifier: MIT */
/*
 * BIOS image and what it is told: CMOS memory sizes, fw_cfg items, ACPI tables through
 * the table loader (docs/specs/fw_cfg and SeaBIOS's src/fw/romfile_loader.h describe the
 * commands: 128 bytes each). Machine lock, machine not running.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>
#include "hw/block/pflash.h"
#include "hw/ide/ide.h"
#include "hw/pc/pc_int.h"
#include "hw/timer/acpi_pm.h"
#include "hw/timer/mc146818.h"
#include "util/alloc.h"
#include "util/bytes.h"

enum { BIOS_UNIT = 65536, BIOS_LOW_MAX = 128 * 1024, BIOS_MAX = 16 * 1024 * 1024 };

/* ---- the image ---- */

/* malloc'ed path of a firmware file, or NULL. */
static char *find_file(const char *name)
{
    static const char *const dirs[] = { "/usr/share/seabios", "/usr/share/qemu",
                                        "/usr/local/share/qemu" };
    if (access(name, R_OK) == 0) {
        return xstrdup(name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(dirs) && !strchr(name, '/'); i++) {
        char *path = xasprintf("%s/%s", dirs[i], name);
        if (access(path, R_OK) == 0) {
            return path;
        }
        free(path);
    }
    return NULL;
}

static bool map_bios(PcMachine *pc, const void *image, size_t n, Error *err)
{
    Machine *m = &pc->m;
    if (n % BIOS_UNIT || n > BIOS_MAX) {
        return error_set(err, "has %zu bytes: a BIOS image is a multiple of 64 KiB, at most "
                              "16 MiB", n);
    }
    if (!memory_init_rom(&pc->bios, m, "bios", n, err)) {
        return false;
    }
    memcpy(memory_host(&pc->bios), image, n);
    uint64_t low = MIN(n, (uint64_t)BIOS_LOW_MAX);
    memory_add(&m->mem_root, &pc->bios, 4 * GiB - n, 0);
    memory_init_alias(&pc->bios_low, m, "bios-low", &pc->bios, n - low, low);
    memory_add(&pc->pci->mem, &pc->bios_low, MiB - low, 0);
    return true;
}

static bool map_flash(PcMachine *pc, Error *err)
{
    MemoryRegion *rom;
    if (!pflash_attach_drives(&pc->m, &rom, err)) {
        return false;
    }
    uint64_t low = MIN(rom->size, (uint64_t)BIOS_LOW_MAX);
    memory_init_alias(&pc->bios_low, &pc->m, "bios-low", rom, rom->size - low, low);
    memory_add(&pc->pci->mem, &pc->bios_low, MiB - low, 0);
    return true;
}

bool pc_load_firmware(PcMachine *pc, Error *err)
{
    if (pc->flash) {
        return map_flash(pc, err);
    }
    const char *name = pc->m.cfg.bios ? pc->m.cfg.bios : "bios-256k.bin";
    char *path = find_file(name);
    if (!path) {
        return error_set(err, "-bios: there is no file '%s'%s", name,
                         pc->m.cfg.bios ? "" : " (install seabios, or use -kernel)");
    }
    size_t n;
    void *image = pc_map_file("firmware", path, &n, err);
    bool ok = image && map_bios(pc, image, n, err);
    if (!ok) {
        error_prefix(err, image ? "-bios: '%s' " : "-bios: ", path);
    }
    if (image) {
        munmap(image, n);
    }
    free(path);
    return ok;
}

/* ---- CMOS ---- */

static void cmos16(PcMachine *pc, unsigned index, uint64_t v)
{
    v = MIN(v, 0xffffull);
    rtc_set_cmos(pc->rtc, index, (uint8_t)v);
    rtc_set_cmos(pc->rtc, index + 1, (uint8_t)(v >> 8));
}

/* Letters of -boot order, as CMOS nibbles: 1 floppy, 2 disk, 3 CD, 4 network. */
static unsigned boot_nibbles(const char *boot, bool first_boot)
{
    char *once = boot && first_boot ? property_get_text(boot, "once") : NULL;
    char *order = boot ? property_get_text(boot, "order") : NULL;
    const char *rest;
    char *word = boot && !order ? property_first_word(boot, &rest) : NULL;
    const char *letters = once ? once : order ? order : word ? word : "cdn";
    unsigned v = 0;
    for (unsigned i = 0; i < 3 && letters[i]; i++) {
        unsigned n = letters[i] == 'a' ? 1 : letters[i] == 'c' ? 2 : letters[i] == 'd' ? 3 : 4;
        v |= n << (4 * i);
    }
    free(once);
    free(order);
    free(word);
    return v;
}

static void set_boot_order(PcMachine *pc, bool first_boot)
{
    unsigned order = boot_nibbles(pc->m.cfg.boot, first_boot);
    rtc_set_cmos(pc->rtc, 0x3d, (uint8_t)order);
    rtc_set_cmos(pc->rtc, 0x38, (uint8_t)((order >> 4 & 0xf0) | 1));
}

void pc_boot_again(PcMachine *pc)
{
    set_boot_order(pc, false);
}

static void fill_cmos(PcMachine *pc)
{
    uint64_t low = pc->layout.low;
    cmos16(pc, 0x15, 640);
    cmos16(pc, 0x17, (low - MiB) / KiB);
    cmos16(pc, 0x30, (low - MiB) / KiB);
    cmos16(pc, 0x34, low > 16 * MiB ? (low - 16 * MiB) / (64 * KiB) : 0);
    cmos16(pc, 0x5b, pc->layout.high / (64 * KiB));
    rtc_set_cmos(pc->rtc, 0x5d, (uint8_t)(pc->layout.high / (64 * KiB) >> 16));
    rtc_set_cmos(pc->rtc, 0x5f, (uint8_t)(pc->m.ncpus - 1));
    rtc_set_cmos(pc->rtc, 0x10, (uint8_t)(pc->floppy[0] << 4 | pc->floppy[1]));
    uint8_t translation = 0; /* two bits a disk: 0 none, 1 LBA */
    for (unsigned i = 0; i < 4; i++) {
        translation |= (uint8_t)((ide_translation(&pc->m, i) == 1) << (2 * i));
    }
    rtc_set_cmos(pc->rtc, 0x39, translation);
    set_boot_order(pc, true);
}

/* ---- table loader ---- */

enum { CMD_SIZE = 128, NAME_SIZE = FW_CFG_NAME_SIZE };
enum { CMD_ALLOCATE = 1, CMD_ADD_POINTER = 2, CMD_ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };
static const char tables_file[] = "etc/acpi/tables", rsdp_file[] = "etc/acpi/rsdp";
static const char loader_file[] = "etc/table-loader";

static void put_name(AcpiBuf *b, const char *name)
{
    size_t n = strlen(name);
    acpi_put(b, name, n);
    acpi_zero(b, NAME_SIZE - n);
}

static void pad_command(AcpiBuf *b)
{
    acpi_zero(b, ALIGN_UP(b->len, CMD_SIZE) - b->len);
}

static void cmd_allocate(AcpiBuf *b, const char *file, uint32_t align, uint8_t zone)
{
    acpi_put_int(b, CMD_ALLOCATE, 4);
    put_name(b, file);
    acpi_put_int(b, align, 4);
    acpi_put_int(b, zone, 1);
    pad_command(b);
}

static void cmd_pointer(AcpiBuf *b, const char *in, const char *to, uint32_t at,
                        uint8_t size)
{
    acpi_put_int(b, CMD_ADD_POINTER, 4);
    put_name(b, in);
    put_name(b, to);
    acpi_put_int(b, at, 4);
    acpi_put_int(b, size, 1);
    pad_command(b);
}

static void cmd_checksum(AcpiBuf *b, const char *file, uint32_t at, uint32_t start,
                         uint32_t len)
{
    acpi_put_int(b, CMD_ADD_CHECKSUM, 4);
    put_name(b, file);
    acpi_put_int(b, at, 4);
    acpi_put_int(b, start, 4);
    acpi_put_int(b, len, 4);
    pad_command(b);
}

static void build_loader(AcpiBuf *b, const AcpiBlob *a)
{
    cmd_allocate(b, rsdp_file, 16, ZONE_FSEG);
    cmd_allocate(b, tables_file, 64, ZONE_HIGH);
    for (unsigned i = 0; i < a->n_ptr; i++) {
        cmd_pointer(b, tables_file, tables_file, a->ptr[i].at, a->ptr[i].size);
    }
    for (unsigned i = 0; i < a->n_sum; i++) {
        cmd_checksum(b, tables_file, a->sum[i].at, a->sum[i].start, a->sum[i].len);
    }
    cmd_pointer(b, rsdp_file, tables_file, 16, 4);
    cmd_pointer(b, rsdp_file, tables_file, 24, 8);
    cmd_checksum(b, rsdp_file, 8, 0, 20);
    cmd_checksum(b, rsdp_file, 32, 0, ACPI_RSDP_SIZE);
}

static bool add_tables(PcMachine *pc)
{
    AcpiBuf loader = { 0 };
    uint8_t anchor[24];
    acpi_relocate(&pc->acpi, 0); /* pointers become offsets into the file */
    acpi_clear_sums(&pc->acpi);  /* OVMF sums the old byte too, and drops a table that is off */
    build_loader(&loader, &pc->acpi);
    smbios_entry(anchor, 0, (uint32_t)pc->smbios.len);
    bool ok = fw_cfg_add_file(pc->fw_cfg, tables_file, pc->acpi.tables.data,
                              pc->acpi.tables.len) &&
              fw_cfg_add_file(pc->fw_cfg, rsdp_file, pc->acpi.rsdp, ACPI_RSDP_SIZE) &&
              fw_cfg_add_file(pc->fw_cfg, loader_file, loader.data, loader.len) &&
              fw_cfg_add_file(pc->fw_cfg, "etc/smbios/smbios-tables", pc->smbios.data,
                              pc->smbios.len) &&
              fw_cfg_add_file(pc->fw_cfg, "etc/smbios/smbios-anchor", anchor,
                              sizeof(anchor));
    free(loader.data);
    return ok;
}

/* Firmware reads the tables when it has placed PMBASE and PCIEXBAR: only then can they be
 * right. Their lengths stay what the directory said. */
static void tables_selected(void *opaque, uint16_t key)
{
    PcMachine *pc = opaque;
    static const char *const files[] = { tables_file, rsdp_file, loader_file };
    for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
        if (key == fw_cfg_file_key(pc->fw_cfg, files[i]) && pc_refresh_tables(pc)) {
            add_tables(pc);
            return;
        }
    }
}

static bool add_e820(PcMachine *pc)
{
    E820Map map;
    AcpiBuf b = { 0 };
    e820_firmware(&map, &pc->layout);
    for (unsigned i = 0; i < map.n; i++) {
        acpi_put_int(&b, map.e[i].start, 8);
        acpi_put_int(&b, map.e[i].size, 8);
        acpi_put_int(&b, map.e[i].type, 4);
    }
    bool ok = fw_cfg_add_file(pc->fw_cfg, "etc/e820", b.data, b.len);
    free(b.data);
    return ok;
}

void pc_fill_numbers(PcMachine *pc)
{
    FwCfg *f = pc->fw_cfg;
    fill_cmos(pc);
    fw_cfg_add_u64(f, FW_CFG_RAM_SIZE, pc->m.cfg.ram_size);
    fw_cfg_add_u16(f, FW_CFG_NB_CPUS, (uint16_t)pc->m.ncpus);
    fw_cfg_add_u16(f, FW_CFG_MAX_CPUS, (uint16_t)pc->m.ncpus);
    fw_cfg_add_u16(f, FW_CFG_NOGRAPHIC, 0);
}

static bool no_room(const char *name, Error *err)
{
    return error_set(err, "-fw_cfg: %s: there are too many files", name);
}

static bool add_host_file(PcMachine *pc, const char *option, const char *name, const char *path,
                          Error *err)
{
    size_t n;
    void *data = pc_map_file("file", path, &n, err);
    bool ok = data && (fw_cfg_add_file(pc->fw_cfg, name, data, n) || no_room(name, err));
    if (!data) {
        error_prefix(err, "%s: ", option);
    } else {
        munmap(data, n);
    }
    return ok;
}

/* docs/specs/fw_cfg: what SeaBIOS reads about its prompt and its picture. */
static bool add_boot_texts(PcMachine *pc, Error *err)
{
    const char *boot = pc->m.cfg.boot;
    char *ms = boot ? property_get_text(boot, "splash-time") : NULL;
    char *again = boot ? property_get_text(boot, "reboot-timeout") : NULL;
    char *picture = boot ? property_get_text(boot, "splash") : NULL;
    uint64_t n;
    bool ok = true;
    if (ms && parse_u64(ms, &n)) {
        uint8_t le[2];
        put_le16(le, (unsigned)n);
        ok = fw_cfg_add_file(pc->fw_cfg, "etc/boot-menu-wait", le, sizeof(le));
    }
    if (again) {
        n = parse_u64(again, &n) ? n : UINT32_MAX;
        uint8_t le[4];
        put_le32(le, (uint32_t)n);
        ok = ok && fw_cfg_add_file(pc->fw_cfg, "etc/boot-fail-wait", le, sizeof(le));
    }
    if (ok && picture) {
        size_t len = strlen(picture);
        bool bmp = len > 4 && strcasecmp(picture + len - 4, ".bmp") == 0;
        ok = add_host_file(pc, "-boot splash=", bmp ? "bootsplash.bmp" : "bootsplash.jpg",
                           picture, err);
    }
    free(ms);
    free(again);
    free(picture);
    return ok;
}

bool pc_add_fw_files(PcMachine *pc, Error *err)
{
    const MachineConfig *cfg = &pc->m.cfg;
    for (unsigned i = 0; i < cfg->n_fw_files; i++) {
        const FwFile *f = &cfg->fw_files[i];
        if (fw_cfg_file_key(pc->fw_cfg, f->name)) {
            return error_set(err, "-fw_cfg: %s is there already", f->name);
        }
        bool ok = f->path ? add_host_file(pc, "-fw_cfg", f->name, f->path, err)
                          : fw_cfg_add_file(pc->fw_cfg, f->name, f->text, strlen(f->text)) ||
                                no_room(f->name, err);
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool pc_fill_fw_cfg(PcMachine *pc, Error *err)
{
    FwCfg *f = pc->fw_cfg;
    const MachineConfig *cfg = &pc->m.cfg;
    pc_fill_numbers(pc);
    char *menu = cfg->boot ? property_get_text(cfg->boot, "menu") : NULL;
    fw_cfg_add_u16(f, FW_CFG_BOOT_MENU, menu && !strcmp(menu, "on"));
    free(menu);
    if (pc->has_serial && !pc_find_vga(pc)) { /* SeaBIOS's screen and keyboard on COM1 */
        static const uint8_t port[] = { 0xf8, 0x03 };
        fw_cfg_add_file(f, "etc/sercon-port", port, sizeof(port));
    }
    enum { THERE = 128 };
    const uint8_t states[6] = { THERE, 0, 0, ACPI_S3_TYP | (pc->flash ? 0 : THERE), 0,
                                ACPI_S5_TYP | THERE };
    fw_cfg_add_file(f, "etc/system-states", states, sizeof(states));
    if (!add_e820(pc) || !add_tables(pc)) {
        return error_set(err, "fw_cfg: no room for the firmware's tables");
    }
    fw_cfg_on_select(f, tables_selected, pc);
    return add_boot_texts(pc, err) && pc_add_boot_order(pc, err) && pc_add_fw_files(pc, err);
}

static void offer(PcMachine *pc, uint16_t size_key, uint16_t data_key, const void *data,
                  size_t n)
{
    fw_cfg_add_u32(pc->fw_cfg, size_key, (uint32_t)n);
    fw_cfg_add_bytes(pc->fw_cfg, data_key, data, n);
}

bool pc_offer_kernel(PcMachine *pc, Error *err)
{
    enum { SETUP_SECTS = 0x1f1 }; /* boot.rst, "The Real-Mode Kernel Header" */
    const MachineConfig *cfg = &pc->m.cfg;
    const char *append = cfg->append ? cfg->append : "";
    if (!cfg->kernel) {
        return true;
    }
    if (!(pc->kernel = pc_map_file("kernel file", cfg->kernel, &pc->kernel_len, err))) {
        error_prefix(err, "-kernel: ");
        return false;
    }
    const uint8_t *p = pc->kernel;
    size_t setup = pc->kernel_len > SETUP_SECTS ? (p[SETUP_SECTS] ? p[SETUP_SECTS] : 4) : 0;
    setup = (setup + 1) * 512;
    if (setup > pc->kernel_len || memcmp(p + 0x202, "HdrS", 4) != 0) {
        return error_set(err, "-kernel: '%s': with UEFI firmware only a Linux bzImage can be "
                         "started", cfg->kernel);
    }
    offer(pc, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA, p, setup);
    offer(pc, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, p + setup, pc->kernel_len - setup);
    offer(pc, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA, append, strlen(append) + 1);
    if (cfg->initrd) {
        if (!(pc->initrd = pc_map_file("initrd", cfg->initrd, &pc->initrd_len, err))) {
            error_prefix(err, "-initrd: ");
            return false;
        }
        offer(pc, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, pc->initrd, pc->initrd_len);
    }
    return true;
}

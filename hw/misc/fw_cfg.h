/* SPDX-License-Identifier: MIT */
/*
 * Firmware configuration: items by key, files by name, at ports 510H-51BH, with the DMA
 * interface. The interface is the one in QEMU's docs/specs/fw_cfg (SeaBIOS, EDK2 and
 * Linux speak it). Data is copied when added. Machine lock, or machine not running.
 */
#ifndef HW_MISC_FW_CFG_H
#define HW_MISC_FW_CFG_H

#include "hw/core/device.h"

typedef struct FwCfg FwCfg;

enum { /* keys */
       FW_CFG_SIGNATURE = 0x00,
       FW_CFG_ID = 0x01,
       FW_CFG_UUID = 0x02,
       FW_CFG_RAM_SIZE = 0x03,
       FW_CFG_NOGRAPHIC = 0x04,
       FW_CFG_NB_CPUS = 0x05,
       FW_CFG_MACHINE_ID = 0x06,
       FW_CFG_KERNEL_ADDR = 0x07,
       FW_CFG_KERNEL_SIZE = 0x08,
       FW_CFG_INITRD_ADDR = 0x0a,
       FW_CFG_INITRD_SIZE = 0x0b,
       FW_CFG_BOOT_DEVICE = 0x0c,
       FW_CFG_NUMA = 0x0d,
       FW_CFG_BOOT_MENU = 0x0e,
       FW_CFG_MAX_CPUS = 0x0f,
       FW_CFG_KERNEL_ENTRY = 0x10,
       FW_CFG_KERNEL_DATA = 0x11,
       FW_CFG_INITRD_DATA = 0x12,
       FW_CFG_CMDLINE_ADDR = 0x13,
       FW_CFG_CMDLINE_SIZE = 0x14,
       FW_CFG_CMDLINE_DATA = 0x15,
       FW_CFG_SETUP_ADDR = 0x16,
       FW_CFG_SETUP_SIZE = 0x17,
       FW_CFG_SETUP_DATA = 0x18,
       FW_CFG_FILE_DIR = 0x19,
       FW_CFG_FILE_FIRST = 0x20,
       FW_CFG_FILE_SLOTS = 0x60,
       FW_CFG_ARCH_LOCAL = 0x8000,
       FW_CFG_ACPI_TABLES = 0x8000,
       FW_CFG_SMBIOS_ENTRIES = 0x8001,
       FW_CFG_IRQ0_OVERRIDE = 0x8002,
       FW_CFG_HPET = 0x8004,
};
enum { FW_CFG_NAME_SIZE = 56 };

/* Makes the device with signature, id and an empty directory. NULL with err set. */
FwCfg *fw_cfg_create(struct Machine *m, Error *err);
/* Set or replace an item. */
void fw_cfg_add_bytes(FwCfg *f, uint16_t key, const void *data, size_t len);
void fw_cfg_add_string(FwCfg *f, uint16_t key, const char *text); /* with its NUL */
void fw_cfg_add_u16(FwCfg *f, uint16_t key, uint16_t v);
void fw_cfg_add_u32(FwCfg *f, uint16_t key, uint32_t v);
void fw_cfg_add_u64(FwCfg *f, uint16_t key, uint64_t v);
/* Sets or replaces a file. false: too many files or the name is too long. */
bool fw_cfg_add_file(FwCfg *f, const char *name, const void *data, size_t len);
/* fn runs before the guest reads from a newly selected item: it may replace items, with
 * the same lengths. */
void fw_cfg_on_select(FwCfg *f, void (*fn)(void *opaque, uint16_t key), void *opaque);
/* Key of a file, 0: there is none. */
uint16_t fw_cfg_file_key(const FwCfg *f, const char *name);
/* Content of an item, or NULL; *len its length. For tests and for -fw_cfg listings. */
const void *fw_cfg_get(const FwCfg *f, uint16_t key, size_t *len);

extern const DeviceClass fw_cfg_class;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Firmware configuration device: selector and data ports (510H, 511H) and the DMA
 * interface (514H). Interface as in QEMU's docs/specs/fw_cfg. Items are read-only for the
 * guest: a DMA write command answers with the error bit.
 * Machine lock held in every entry point.
 */
#include "hw/misc/fw_cfg.h"

#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/log.h"

enum { KEYS = FW_CFG_FILE_FIRST + FW_CFG_FILE_SLOTS };
enum { KEY_INDEX = 0x3fff, KEY_WRITE = 0x4000 };
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG" */

typedef struct FwItem {
    uint8_t *data; /* owned; NULL = no item */
    uint32_t len;
} FwItem;

typedef struct FwCfgState {
    uint64_t dma_addr;
    uint32_t offset; /* of the next byte in the selected item */
    uint16_t key;    /* selected */
} FwCfgState;

struct FwCfg {
    Device dev;
    FwCfgState s;
    FwItem item[2][KEYS]; /* generic, architecture-local */
    char name[FW_CFG_FILE_SLOTS][FW_CFG_NAME_SIZE];
    unsigned nfiles;
    MemoryRegion io, dma_io;
    void (*on_select)(void *opaque, uint16_t key);
    void *on_select_opaque;
};

static const FwItem *fw_item(const FwCfg *f, uint16_t key)
{
    static const FwItem none;
    unsigned n = key & KEY_INDEX;
    return n < KEYS ? &f->item[key >> 15][n] : &none;
}

void fw_cfg_add_bytes(FwCfg *f, uint16_t key, const void *data, size_t len)
{
    unsigned n = key & KEY_INDEX;
    if (n >= KEYS || len > UINT32_MAX) {
        return;
    }
    FwItem *item = &f->item[key >> 15][n];
    free(item->data);
    item->data = xalloc(len ? len : 1);
    if (len) {
        memcpy(item->data, data, len);
    }
    item->len = len;
}

void fw_cfg_add_string(FwCfg *f, uint16_t key, const char *text)
{
    fw_cfg_add_bytes(f, key, text, strlen(text) + 1);
}

static void fw_cfg_add_le(FwCfg *f, uint16_t key, uint64_t v, unsigned size)
{
    uint8_t b[8];
    for (unsigned i = 0; i < size; i++) {
        b[i] = v >> 8 * i;
    }
    fw_cfg_add_bytes(f, key, b, size);
}

void fw_cfg_add_u16(FwCfg *f, uint16_t key, uint16_t v)
{
    fw_cfg_add_le(f, key, v, 2);
}
void fw_cfg_add_u32(FwCfg *f, uint16_t key, uint32_t v)
{
    fw_cfg_add_le(f, key, v, 4);
}
void fw_cfg_add_u64(FwCfg *f, uint16_t key, uint64_t v)
{
    fw_cfg_add_le(f, key, v, 8);
}

/* Directory: count, then size, key, reserved, name of each file; big endian. */
static void fw_cfg_make_dir(FwCfg *f)
{
    enum { ENTRY = 64 };
    size_t len = 4 + (size_t)f->nfiles * ENTRY;
    uint8_t *dir = xalloc(len);
    put_be32(dir, f->nfiles);
    for (unsigned i = 0; i < f->nfiles; i++) {
        uint8_t *e = dir + 4 + i * ENTRY;
        put_be32(e, fw_item(f, FW_CFG_FILE_FIRST + i)->len);
        put_be16(e + 4, FW_CFG_FILE_FIRST + i);
        memcpy(e + 8, f->name[i], FW_CFG_NAME_SIZE);
    }
    fw_cfg_add_bytes(f, FW_CFG_FILE_DIR, dir, len);
    free(dir);
}

bool fw_cfg_add_file(FwCfg *f, const char *name, const void *data, size_t len)
{
    unsigned i = 0;
    while (i < f->nfiles && strcmp(f->name[i], name)) {
        i++;
    }
    if (i == FW_CFG_FILE_SLOTS || strlen(name) >= FW_CFG_NAME_SIZE) {
        return false;
    }
    if (i == f->nfiles) {
        f->nfiles++;
        strcpy(f->name[i], name);
    }
    fw_cfg_add_bytes(f, FW_CFG_FILE_FIRST + i, data, len);
    fw_cfg_make_dir(f);
    return true;
}

void fw_cfg_on_select(FwCfg *f, void (*fn)(void *opaque, uint16_t key), void *opaque)
{
    f->on_select = fn;
    f->on_select_opaque = opaque;
}

uint16_t fw_cfg_file_key(const FwCfg *f, const char *name)
{
    for (unsigned i = 0; i < f->nfiles; i++) {
        if (strcmp(f->name[i], name) == 0) {
            return FW_CFG_FILE_FIRST + i;
        }
    }
    return 0;
}

const void *fw_cfg_get(const FwCfg *f, uint16_t key, size_t *len)
{
    const FwItem *item = fw_item(f, key);
    *len = item->len;
    return item->data;
}

static void fw_cfg_select(FwCfg *f, uint16_t key)
{
    f->s.key = key & ~KEY_WRITE;
    f->s.offset = 0;
    if (f->on_select) {
        f->on_select(f->on_select_opaque, f->s.key);
    }
}

/* Bytes of the item from the current offset, at most want. */
static uint32_t fw_cfg_left(const FwCfg *f, uint32_t want)
{
    uint32_t len = fw_item(f, f->s.key)->len;
    return f->s.offset < len ? MIN(want, len - f->s.offset) : 0;
}

static uint64_t fw_cfg_read(void *opaque, uint64_t addr, unsigned size)
{
    FwCfg *f = opaque;
    if (addr != 1 || !fw_cfg_left(f, 1)) {
        return 0;
    }
    return fw_item(f, f->s.key)->data[f->s.offset++];
}

static void fw_cfg_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    if (addr == 0 && size == 2) {
        fw_cfg_select(opaque, val);
    }
}

/* Fills guest RAM: item bytes, then zeros. Only plain RAM is a legal target. */
static bool fw_cfg_dma_read(FwCfg *f, uint64_t gpa, uint32_t len)
{
    Machine *m = f->dev.machine;
    while (len) {
        uint64_t span = len;
        uint8_t *to = dma_map(m, gpa, &span, true);
        if (!to) {
            return false;
        }
        span = MIN(span, len);
        uint32_t have = fw_cfg_left(f, span);
        if (have) {
            memcpy(to, fw_item(f, f->s.key)->data + f->s.offset, have);
        }
        memset(to + have, 0, span - have);
        dma_unmap(m, to, span);
        f->s.offset += have;
        gpa += span;
        len -= span;
    }
    return true;
}

static void fw_cfg_dma(FwCfg *f, uint64_t desc)
{
    Machine *m = f->dev.machine;
    uint8_t b[16];
    f->s.dma_addr = 0;
    if (!memory_read(&m->mem, desc, b, sizeof(b))) {
        log_guest_error("fw_cfg: no memory at the descriptor %#llx\n",
                        (unsigned long long)desc);
        return;
    }
    uint32_t control = get_be32(b), len = get_be32(b + 4), result = 0;
    uint64_t gpa = (uint64_t)get_be32(b + 8) << 32 | get_be32(b + 12);
    if (control & DMA_SELECT) {
        fw_cfg_select(f, control >> 16);
    }
    if (control & DMA_READ) {
        result = fw_cfg_dma_read(f, gpa, len) ? 0 : DMA_ERROR;
    } else if (control & DMA_WRITE) {
        result = DMA_ERROR;
    } else if (control & DMA_SKIP) {
        f->s.offset += fw_cfg_left(f, len);
    }
    put_be32(b, result);
    memory_write(&m->mem, desc, b, 4);
}

/* The 8 bytes at 514H are big endian; a write to the low half starts. */
static uint64_t fw_cfg_dma_reg_read(void *opaque, uint64_t addr, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (DMA_SIGNATURE >> (56 - (addr + i) % 8 * 8) & 0xff) << 8 * i;
    }
    return v;
}

static void fw_cfg_dma_reg_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    FwCfg *f = opaque;
    if (size == 8 && addr == 0) {
        fw_cfg_dma(f, __builtin_bswap64(val));
    } else if (size == 4 && addr == 0) {
        f->s.dma_addr = (uint64_t)__builtin_bswap32(val) << 32;
    } else if (size == 4 && addr == 4) {
        fw_cfg_dma(f, f->s.dma_addr | __builtin_bswap32(val));
    }
}

static const MemoryOps fw_cfg_ops = { fw_cfg_read, fw_cfg_write, 1, 2 };
static const MemoryOps fw_cfg_dma_ops = { fw_cfg_dma_reg_read, fw_cfg_dma_reg_write, 1,
                                          8 };

static void fw_cfg_reset(Device *dev)
{
    DEVICE_AS(dev, FwCfg, fw_cfg_class)->s = (FwCfgState){ 0 };
}

static bool fw_cfg_realize(Device *dev, Error *err)
{
    FwCfg *f = DEVICE_AS(dev, FwCfg, fw_cfg_class);
    device_add_ports(dev, &f->io, "fw_cfg", 0x510, 2, &fw_cfg_ops, f);
    device_add_ports(dev, &f->dma_io, "fw_cfg-dma", 0x514, 8, &fw_cfg_dma_ops, f);
    fw_cfg_add_bytes(f, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(f, FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
    fw_cfg_make_dir(f);
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfg *f = DEVICE_AS(dev, FwCfg, fw_cfg_class);
    for (unsigned i = 0; i < 2 * KEYS; i++) {
        free(f->item[i / KEYS][i % KEYS].data);
        f->item[i / KEYS][i % KEYS] = (FwItem){ 0 };
    }
}

FwCfg *fw_cfg_create(struct Machine *m, Error *err)
{
    Device *dev = device_create(m, &fw_cfg_class);
    return device_realize(dev, NULL, err) ? DEVICE_AS(dev, FwCfg, fw_cfg_class) : NULL;
}

static const StateField fw_cfg_fields[] = { STATE_U64(FwCfgState, dma_addr),
                                            STATE_U32(FwCfgState, offset),
                                            STATE_U16(FwCfgState, key), STATE_END };

const DeviceClass fw_cfg_class = {
    .name = "fw_cfg",
    .desc = "firmware configuration items",
    .size = sizeof(FwCfg),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(FwCfg, s),
               .size = sizeof(FwCfgState),
               .fields = fw_cfg_fields },
    .realize = fw_cfg_realize,
    .unrealize = fw_cfg_unrealize,
    .reset = fw_cfg_reset,
};

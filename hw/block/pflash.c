/* SPDX-License-Identifier: MIT */
/*
 * NOR flash, 8 bits wide, with the Intel command set (CFI 0001H). Intel 290667 (3 Volt
 * StrataFlash), chapters 4 and 6; JESD68.01 for the query table. Blocks of 4 KiB.
 * Reads in array mode are plain memory; in every other mode they come here. Two things are
 * as firmware for virtual machines wants them: clearing the status clears all of it, and
 * the chip is always ready. What the guest programs goes to the image 100 ms after the last
 * change, and when the machine ends. Machine lock held.
 */
#include "hw/block/pflash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/block.h"
#include "hw/core/clock.h"
#include "hw/core/machine.h"
#include "util/alloc.h"
#include "util/error.h"

enum { BLOCK = 4096, BUFFER = 64, MAX_UNITS = 4 };
#define FLASH_MAX (16 * MiB) /* all units together: below lie the I/O APIC and HPET */
#define WRITE_BACK_DELAY (100 * 1000 * 1000ll)
enum { /* commands */
    CMD_WRITE = 0x10, CMD_ERASE = 0x20, CMD_WRITE2 = 0x40, CMD_CLEAR = 0x50,
    CMD_LOCK = 0x60, CMD_STATUS = 0x70, CMD_ID = 0x90, CMD_QUERY = 0x98,
    CMD_CONFIRM = 0xd0, CMD_BUFFER = 0xe8, CMD_ARRAY = 0xff,
};
enum { STATUS_READY = 0x80, STATUS_ERASE = 0x20, STATUS_PROGRAM = 0x10, STATUS_LOCKED = 2 };
enum { STEP_COMMAND, STEP_DATA, STEP_FILL, STEP_CONFIRM };

typedef struct {
    uint8_t mode;           /* CMD_ARRAY, _STATUS, _ID or _QUERY: what reads show */
    uint8_t cmd, step;      /* the command under way and what it waits for */
    uint8_t status;
    uint8_t left;           /* STEP_FILL: bytes to come */
    uint8_t count;
    uint32_t at;            /* of the buffer in the chip */
    uint8_t buffer[BUFFER];
} PflashState;

typedef struct {
    Device dev;
    PflashState s;
    BlockBackend *drive;
    uint64_t base;
    MemoryRegion rom, io;
    uint8_t *dirty;         /* a byte per block */
    bool any_dirty, broken; /* broken: the image refused a write, said once */
    Timer write_back;
} Pflash;

/* ---- the image ---- */

static void pflash_write_back(void *opaque)
{
    Pflash *d = opaque;
    uint64_t blocks = d->drive->size / BLOCK;
    for (uint64_t i = 0; d->any_dirty && i < blocks; i++) {
        uint64_t n = 0;
        while (i + n < blocks && d->dirty[i + n]) {
            d->dirty[i + n++] = 0;
        }
        if (n && block_write_sync(d->drive, i * BLOCK, memory_host(&d->rom) + i * BLOCK,
                                  n * BLOCK) < 0 && !d->broken) {
            d->broken = true;
            warn_report("-drive %s: cannot be written: the guest's changes are lost",
                        d->drive->path);
        }
        i += n;
    }
    d->any_dirty = false;
}

static void pflash_changed(Pflash *d, uint64_t off, uint64_t len)
{
    Machine *m = d->dev.machine;
    memset(d->dirty + off / BLOCK, 1, (off + len - 1) / BLOCK - off / BLOCK + 1);
    d->any_dirty = true;
    timer_mod(&d->write_back, clock_now(m->clock) + WRITE_BACK_DELAY);
    memory_set_dirty(m, d->rom.ram_addr + off, len);
    if (m->exec && m->exec->ram_written) {
        m->exec->ram_written(m, d->rom.ram_addr + off, len);
    }
}

/* ---- commands ---- */

static void set_mode(Pflash *d, uint8_t mode)
{
    bool was = d->s.mode != CMD_ARRAY, now = mode != CMD_ARRAY;
    d->s.mode = mode;
    if (was != now) {
        memory_set_enabled(&d->io, now);
    }
}

/* Programming only clears bits. */
static void program(Pflash *d, uint64_t off, const uint8_t *p, uint64_t n)
{
    if (d->drive->readonly) {
        d->s.status |= STATUS_PROGRAM | STATUS_LOCKED;
    } else if (off <= d->drive->size && n <= d->drive->size - off) {
        uint8_t *to = memory_host(&d->rom) + off;
        for (uint64_t i = 0; i < n; i++) {
            to[i] &= p[i];
        }
        pflash_changed(d, off, n);
    }
    d->s.status |= STATUS_READY;
}

static void erase(Pflash *d, uint64_t off)
{
    off &= ~(uint64_t)(BLOCK - 1);
    if (d->drive->readonly) {
        d->s.status |= STATUS_ERASE | STATUS_LOCKED;
    } else {
        memset(memory_host(&d->rom) + off, 0xff, BLOCK);
        pflash_changed(d, off, BLOCK);
    }
    d->s.status |= STATUS_READY;
}

static void command(Pflash *d, uint8_t cmd)
{
    PflashState *s = &d->s;
    s->cmd = cmd;
    switch (cmd) {
    case CMD_WRITE: case CMD_WRITE2: case CMD_ERASE: case CMD_LOCK:
        s->step = STEP_DATA;
        break;
    case CMD_BUFFER:
        s->step = STEP_DATA;
        s->status |= STATUS_READY;
        set_mode(d, CMD_STATUS);
        break;
    case CMD_CLEAR:
        s->status = 0;
        set_mode(d, CMD_ARRAY);
        break;
    case CMD_STATUS: case CMD_ID: case CMD_QUERY: set_mode(d, cmd); break;
    default: set_mode(d, CMD_ARRAY); break; /* FFH, and what the chip does not know */
    }
}

static void second(Pflash *d, uint64_t off, uint8_t val)
{
    PflashState *s = &d->s;
    s->step = STEP_COMMAND;
    switch (s->cmd) {
    case CMD_WRITE: case CMD_WRITE2:
        program(d, off, &val, 1);
        break;
    case CMD_ERASE:
        if (val == CMD_CONFIRM) {
            erase(d, off);
        } else {
            s->status |= STATUS_READY | STATUS_ERASE | STATUS_PROGRAM;
        }
        break;
    case CMD_BUFFER:
        s->count = s->left = MIN(val, BUFFER - 1) + 1;
        s->at = off;
        memset(s->buffer, 0xff, sizeof(s->buffer));
        s->step = STEP_FILL;
        return;
    default: s->status |= STATUS_READY; break; /* lock bits: accepted, none are kept */
    }
    set_mode(d, CMD_STATUS);
}

static void pflash_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    Pflash *d = opaque;
    PflashState *s = &d->s;
    switch (s->step) {
    case STEP_COMMAND: command(d, val); break;
    case STEP_DATA: second(d, off, val); break;
    case STEP_FILL:
        if (s->left == s->count) {
            s->at = off;    /* the first datum's address counts (4.4) */
        }
        if (off >= s->at && off - s->at < s->count) {
            s->buffer[off - s->at] = val;
        }
        if (--s->left == 0) {
            s->step = STEP_CONFIRM;
        }
        break;
    default:
        if (val == CMD_CONFIRM) {
            program(d, s->at, s->buffer, s->count);
        } else {
            s->status |= STATUS_READY | STATUS_ERASE | STATUS_PROGRAM;
        }
        s->step = STEP_COMMAND;
        set_mode(d, CMD_STATUS);
        break;
    }
}

/* Query table (JESD68.01, 4.3), from 10H on: one erase region of 4 KiB blocks. */
static uint8_t query(const Pflash *d, uint64_t off)
{
    static const uint8_t head[] = { 'Q', 'R', 'Y', 1, 0, 0x31, 0, 0, 0, 0, 0,
                                    0x45, 0x55, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0 };
    uint32_t blocks = d->drive->size / BLOCK - 1;
    unsigned log2 = 0;
    while ((1ull << log2) < d->drive->size) {
        log2++;
    }
    switch (off) {
    case 0x27: return log2;
    case 0x28: case 0x29: return 0;         /* interface: 8 bits */
    case 0x2a: return 6;                    /* buffer of 64 bytes */
    case 0x2c: return 1;
    case 0x2d: return blocks;
    case 0x2e: return blocks >> 8;
    case 0x2f: return BLOCK / 256 & 0xff;
    case 0x30: return BLOCK / 256 >> 8;
    case 0x31: return 'P';
    case 0x32: return 'R';
    case 0x33: return 'I';
    case 0x34: return '1';
    case 0x35: return '0';
    default: return off >= 0x10 && off - 0x10 < sizeof(head) ? head[off - 0x10] : 0;
    }
}

static uint64_t pflash_read(void *opaque, uint64_t off, unsigned size)
{
    static const uint8_t id[] = { 0x89, 0x18, 0, 0 };
    Pflash *d = opaque;
    switch (d->s.mode) {
    case CMD_STATUS: return d->s.status;
    case CMD_ID: return (off & 0xff) < sizeof(id) ? id[off & 0xff] : 0;
    case CMD_QUERY: return query(d, off & 0xff);
    default: return off < d->drive->size ? memory_host(&d->rom)[off] : 0xff;
    }
}

static const MemoryOps pflash_ops = { pflash_read, pflash_write, 1, 1 };

/* ---- life ---- */

static void pflash_reset(Device *dev)
{
    Pflash *d = DEVICE_AS(dev, Pflash, pflash_class);
    set_mode(d, CMD_ARRAY);
    d->s = (PflashState){ .mode = CMD_ARRAY, .status = STATUS_READY };
}

static bool pflash_realize(Device *dev, Error *err)
{
    Pflash *d = DEVICE_AS(dev, Pflash, pflash_class);
    Machine *m = dev->machine;
    uint64_t n = d->drive->size;
    int ret;
    if (!memory_init_rom(&d->rom, m, "pflash", n, err)) {
        return false;
    }
    if ((ret = block_read_sync(d->drive, 0, memory_host(&d->rom), n)) < 0) {
        return error_set(err, "cannot be read: %s", strerror(-ret));
    }
    d->rom.ops = &pflash_ops;
    d->rom.opaque = d;
    d->dirty = xalloc(n / BLOCK);
    memset(d->dirty, 0, n / BLOCK);
    d->drive->attached = d;
    device_add_timer(dev, &d->write_back, pflash_write_back, d);
    memory_begin(m);
    device_map(dev, &m->mem_root, &d->rom, d->base, 0);
    device_add_io(dev, &d->io, "pflash-commands", n, &pflash_ops, d);
    device_map(dev, &m->mem_root, &d->io, d->base, 1);
    memory_set_enabled(&d->io, false);
    memory_commit(m);
    d->s.mode = CMD_ARRAY;
    return true;
}

static void pflash_unrealize(Device *dev)
{
    Pflash *d = DEVICE_AS(dev, Pflash, pflash_class);
    if (d->any_dirty) {
        pflash_write_back(d);
    }
    d->drive->attached = NULL;
    free(d->dirty);
    d->dirty = NULL;
}

static bool pflash_post_load(void *dev, Error *err)
{
    Pflash *d = dev;
    PflashState *s = &d->s;
    uint8_t m = s->mode;
    if ((m != CMD_ARRAY && m != CMD_STATUS && m != CMD_ID && m != CMD_QUERY) ||
        s->count > BUFFER || s->left > s->count || s->at >= d->drive->size ||
        (s->step == STEP_FILL && !s->left)) {
        s->mode = CMD_ARRAY;
        return error_set(err, "the command is out of bounds");
    }
    memory_set_enabled(&d->io, m != CMD_ARRAY);
    return true;
}

static const StateField pflash_fields[] = {
    STATE_U8(PflashState, mode), STATE_U8(PflashState, cmd),
    STATE_U8_MAX(PflashState, step, STEP_CONFIRM), STATE_U8(PflashState, status),
    STATE_U8_MAX(PflashState, left, BUFFER), STATE_U8_MAX(PflashState, count, BUFFER),
    STATE_U32(PflashState, at), STATE_BYTES(PflashState, buffer), STATE_END
};

const DeviceClass pflash_class = {
    .name = "pflash", .desc = "flash memory with firmware", .bus = BUS_NONE,
    .size = sizeof(Pflash), .internal = true,
    .state = { .version = 1, .offset = offsetof(Pflash, s), .size = sizeof(PflashState),
               .fields = pflash_fields, .post_load = pflash_post_load },
    .realize = pflash_realize, .unrealize = pflash_unrealize, .reset = pflash_reset,
};

/* ---- for boards ---- */

bool pflash_wanted(Machine *m)
{
    for (BlockBackend *b = block_first(m); b; b = b->next) {
        if (b->machine == m && b->interface == DRIVE_PFLASH) {
            return true;
        }
    }
    return false;
}

static bool place(Machine *m, BlockBackend *unit[MAX_UNITS], Error *err)
{
    for (int placed = 1; placed >= 0; placed--) {
        for (BlockBackend *b = block_first(m); b; b = b->next) {
            if (b->machine != m || b->interface != DRIVE_PFLASH ||
                (b->unit_index >= 0) != placed) {
                continue;
            }
            unsigned n = placed ? (unsigned)b->unit_index : 0;
            while (!placed && n < MAX_UNITS && unit[n]) {
                n++;
            }
            if (n >= MAX_UNITS) {
                return error_set(err, "-drive %s: if=pflash has units 0 to %d", b->path,
                                 MAX_UNITS - 1);
            }
            unit[n] = b;
        }
    }
    return unit[0] || error_set(err, "-drive if=pflash: there is no unit 0, which holds the "
                                     "firmware's code");
}

bool pflash_attach_drives(Machine *m, MemoryRegion **boot, Error *err)
{
    BlockBackend *unit[MAX_UNITS] = { NULL };
    uint64_t base = 4 * GiB;
    if (!place(m, unit, err)) {
        return false;
    }
    for (unsigned n = 0; n < MAX_UNITS && unit[n]; n++) {
        BlockBackend *b = unit[n];
        if (!b->size || b->size % BLOCK || b->size > base - (4 * GiB - FLASH_MAX)) {
            return error_set(err, "-drive %s: has %llu bytes: flash images are multiples of "
                             "4 KiB, 16 MiB in all at most", b->path,
                             (unsigned long long)b->size);
        }
        base -= b->size;
        Device *dev = device_create(m, &pflash_class);
        Pflash *d = DEVICE_AS(dev, Pflash, pflash_class);
        d->drive = b;
        d->base = base;
        if (!device_realize(dev, NULL, err)) {
            error_prefix(err, "-drive %s: ", b->path);
            return false;
        }
        if (n == 0) {
            *boot = &d->rom;
        }
    }
    return true;
}

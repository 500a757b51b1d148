/* SPDX-License-Identifier: MIT */
/*
 * Two 8237A DMA controllers with page registers, as on a PC/AT. Intel 8237A datasheet
 * (231466). Channels 0-3 move bytes, 5-7 words. Left out: memory to memory, cascading of
 * other masters, software requests. Machine lock held.
 */
#include "hw/block/fdc.h"

#include "hw/core/dma_sg.h"
#include "hw/core/machine.h"

enum { MODE_AUTO = 0x10, MODE_DOWN = 0x20, CMD_OFF = 0x04 };

typedef struct {
    uint16_t base_addr, base_count, addr, count;
    uint8_t mode, page;
} DmaChannel;

typedef struct {
    DmaChannel ch[8];
    uint8_t command[2], mask[2], status[2];
    bool high[2];           /* the next byte of a 16-bit register is the upper one */
    uint8_t pages[16];      /* registers 80H-8FH */
} I8237State;

typedef struct {
    Device dev;
    I8237State s;
    MemoryRegion low, high, page;
} I8237;

static void clear(I8237State *s, unsigned n)
{
    s->command[n] = s->status[n] = 0;
    s->mask[n] = 15;
    s->high[n] = false;
}

static uint8_t read16(I8237State *s, unsigned n, uint16_t v)
{
    s->high[n] = !s->high[n];
    return (uint8_t)(s->high[n] ? v : v >> 8);
}

static void write16(I8237State *s, unsigned n, uint16_t *base, uint16_t *now, uint8_t v)
{
    *base = s->high[n] ? (*base & 0x00ff) | (uint16_t)(v << 8) : (*base & 0xff00) | v;
    *now = *base;
    s->high[n] = !s->high[n];
}

static uint8_t dma_reg_read(I8237State *s, unsigned n, unsigned reg)
{
    if (reg < 8) {
        const DmaChannel *c = &s->ch[4 * n + reg / 2];
        return read16(s, n, reg & 1 ? c->count : c->addr);
    }
    if (reg == 8) {
        uint8_t v = s->status[n];
        s->status[n] &= 0xf0;
        return v;
    }
    return reg == 15 ? s->mask[n] | 0xf0 : 0;
}

static void dma_reg_write(I8237State *s, unsigned n, unsigned reg, uint8_t v)
{
    DmaChannel *c = &s->ch[4 * n + (reg < 8 ? reg / 2 : v & 3)];
    switch (reg) {
    case 8: s->command[n] = v; break;
    case 10:
        s->mask[n] &= (uint8_t)~(1 << (v & 3));
        s->mask[n] |= (uint8_t)((v >> 2 & 1) << (v & 3));
        break;
    case 11: c->mode = v; break;
    case 12: s->high[n] = false; break;
    case 13: clear(s, n); break;
    case 14: s->mask[n] = 0; break;
    case 15: s->mask[n] = v & 15; break;
    case 9: break;
    default:
        write16(s, n, reg & 1 ? &c->base_count : &c->base_addr, reg & 1 ? &c->count : &c->addr, v);
        break;
    }
}

static uint64_t low_read(void *opaque, uint64_t addr, unsigned size)
{
    return dma_reg_read(&((I8237 *)opaque)->s, 0, addr & 15);
}
static void low_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    dma_reg_write(&((I8237 *)opaque)->s, 0, addr & 15, (uint8_t)val);
}
static uint64_t high_read(void *opaque, uint64_t addr, unsigned size)
{
    return dma_reg_read(&((I8237 *)opaque)->s, 1, addr >> 1 & 15);
}
static void high_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    dma_reg_write(&((I8237 *)opaque)->s, 1, addr >> 1 & 15, (uint8_t)val);
}

/* Port 81H + n; which channel is not in order (PIIX3, 2.4.2). */
static const int8_t page_channel[16] = { -1, 2, 3, 1, -1, -1, -1, 0, -1, 6, 7, 5, -1, -1, -1, 4 };

static uint64_t page_read(void *opaque, uint64_t addr, unsigned size)
{
    return ((I8237 *)opaque)->s.pages[(addr + 1) & 15];
}
static void page_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    I8237State *s = &((I8237 *)opaque)->s;
    unsigned n = (addr + 1) & 15;
    s->pages[n] = (uint8_t)val;
    if (page_channel[n] >= 0) {
        s->ch[page_channel[n]].page = (uint8_t)val;
    }
}

static const MemoryOps i8237_low_ops = { .read = low_read, .write = low_write,
                                         .min_size = 1, .max_size = 1 };
static const MemoryOps i8237_high_ops = { .read = high_read, .write = high_write,
                                          .min_size = 1, .max_size = 1 };
static const MemoryOps i8237_page_ops = { .read = page_read, .write = page_write,
                                          .min_size = 1, .max_size = 1 };

/* Addresses wrap inside the page of 64 KiB (128 KiB for words). */
static uint32_t i8237_transfer(void *opaque, unsigned channel, void *buf, uint32_t n,
                               bool to_guest, bool *tc)
{
    I8237 *d = opaque;
    DmaChannel *c = &d->s.ch[channel & 7];
    unsigned ctl = channel >> 2 & 1, bit = 1u << (channel & 3), wide = ctl;
    uint8_t *p = buf;
    uint32_t done = 0;
    *tc = false;
    if ((d->s.mask[ctl] & bit) || (d->s.command[ctl] & CMD_OFF)) {
        return 0;
    }
    unsigned dir = c->mode >> 2 & 3;    /* 0 verify, 1 to memory, 2 from memory */
    while (done + wide < n && !*tc) {
        uint32_t gpa = wide ? (uint32_t)(c->page & 0xfe) << 16 | (uint32_t)c->addr << 1
                            : (uint32_t)c->page << 16 | c->addr;
        if (to_guest && dir == 1) {
            dma_write(d->dev.machine, gpa, p + done, 1 + wide);
        } else if (!to_guest && dir == 2) {
            dma_read(d->dev.machine, gpa, p + done, 1 + wide);
        }
        done += 1 + wide;
        c->addr += c->mode & MODE_DOWN ? -1 : 1;
        *tc = c->count-- == 0;
    }
    if (*tc) {
        d->s.status[ctl] |= (uint8_t)bit;
        if (c->mode & MODE_AUTO) {
            c->addr = c->base_addr;
            c->count = c->base_count;
        } else {
            d->s.mask[ctl] |= (uint8_t)bit;
        }
    }
    return done;
}

static void i8237_reset(Device *dev)
{
    I8237 *d = (I8237 *)dev;
    d->s = (I8237State){ 0 };
    clear(&d->s, 0);
    clear(&d->s, 1);
}

static bool i8237_realize(Device *dev, Error *err)
{
    I8237 *d = (I8237 *)dev;
    device_add_ports(dev, &d->low, "dma1", 0x00, 16, &i8237_low_ops, d);
    device_add_ports(dev, &d->high, "dma2", 0xc0, 32, &i8237_high_ops, d);
    device_add_ports(dev, &d->page, "dma-page", 0x81, 15, &i8237_page_ops, d);
    return true;
}

static const StateField channel_fields[] = {
    STATE_U16(DmaChannel, base_addr), STATE_U16(DmaChannel, base_count),
    STATE_U16(DmaChannel, addr), STATE_U16(DmaChannel, count), STATE_U8(DmaChannel, mode),
    STATE_U8(DmaChannel, page), STATE_END
};
static const StateDesc channel_state = {
    .version = 1, .size = sizeof(DmaChannel), .fields = channel_fields,
};
static const StateField i8237_fields[] = {
    STATE_SUB_ARRAY(I8237State, ch, channel_state), STATE_U8_ARRAY(I8237State, command),
    STATE_U8_ARRAY(I8237State, mask), STATE_U8_ARRAY(I8237State, status),
    STATE_ARRAY(I8237State, high, SK_BOOL, bool), STATE_U8_ARRAY(I8237State, pages),
    STATE_END
};

const DeviceClass i8237_class = {
    .name = "i8237", .desc = "DMA controllers", .bus = BUS_NONE, .size = sizeof(I8237),
    .internal = true,
    .state = { .version = 1, .offset = offsetof(I8237, s), .size = sizeof(I8237State),
               .fields = i8237_fields },
    .realize = i8237_realize, .reset = i8237_reset,
};

Device *i8237_create(Machine *m, IsaBus *bus, Error *err)
{
    Device *dev = device_create(m, &i8237_class);
    if (!device_realize(dev, NULL, err)) {
        return NULL;
    }
    bus->dma = (IsaDma){ i8237_transfer, dev };
    return dev;
}

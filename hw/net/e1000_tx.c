/* SPDX-License-Identifier: MIT */
/*
 * 82540EM, transmit side (3.3 to 3.6): legacy, context and data descriptors, checksum
 * insertion, TCP segmentation, VLAN tags. A packet is only begun when all its descriptors
 * are there, so nothing half-sent has to be kept.
 */
#include <string.h>
#include "hw/core/dma_sg.h"
#include "hw/core/machine.h"
#include "hw/net/e1000_int.h"
#include "util/bytes.h"
#include "util/log.h"

enum { TCTL_EN = 2, TCTL_PSP = 8, SHARE = 1024, MIN_FRAME = 60, MIN_MSS = 32 };
enum { /* command byte (3.3.3.1, 3.3.7.1); TSE and IC are one bit */
       CMD_EOP = 0x01,
       CMD_IC = 0x04,
       CMD_TSE = 0x04,
       CMD_RS = 0x08,
       CMD_RPS = 0x10,
       CMD_DEXT = 0x20,
       CMD_VLE = 0x40,
};
enum { TUCMD_TCP = 1, TUCMD_IP = 2, TUCMD_TSE = 4 };
enum { POPTS_IXSM = 1, POPTS_TXSM = 2, STATUS_DD = 1 };

typedef struct TxDesc {
    uint64_t buffer;
    uint32_t lower, upper;
} TxDesc;

static unsigned command(const TxDesc *t)
{
    return t->lower >> 24;
}

static bool is_context(const TxDesc *t)
{
    return (command(t) & CMD_DEXT) && !(t->lower >> 20 & 15);
}

static bool is_data(const TxDesc *t)
{
    return (command(t) & CMD_DEXT) && (t->lower >> 20 & 15) == 1;
}

static void fetch(E1000 *d, uint32_t index, TxDesc *t)
{
    uint8_t b[E_DESC_SIZE];
    dma_read(d->pci.dev.machine, e1000_ring(d, E_TDBAL) + (uint64_t)index * E_DESC_SIZE,
             b, sizeof(b));
    t->buffer = get_le64(b);
    t->lower = get_le32(b + 8);
    t->upper = get_le32(b + 12);
}

/* --- checksums (3.5, 3.6) --- */

static uint32_t add16(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += get_be16(p + i);
    }
    if (n & 1) {
        sum += p[n - 1] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint32_t)sum;
}

/* The sum of bytes start to end (0: the last) goes to `at`. */
static void insert_sum(uint8_t *f, size_t n, unsigned start, unsigned at, unsigned end)
{
    size_t stop = end && end < n ? end + 1u : n;
    if (start < stop && at + 2u <= n) {
        put_be16(f + at, ~add16(f + start, stop - start) & 0xffff);
    }
}

/* --- one frame --- */

static void send(E1000 *d, const uint8_t *f, size_t n)
{
    static const uint8_t zeros[MIN_FRAME];
    uint8_t small[MIN_FRAME];
    if (n < MIN_FRAME && (*e1000_reg(d, E_TCTL) & TCTL_PSP)) {
        memcpy(small, f, n);
        memcpy(small + n, zeros, MIN_FRAME - n);
        f = small;
        n = MIN_FRAME;
    }
    if (n < 14) {
        return;
    }
    d->share -= MIN(d->share, 1u);
    *e1000_reg(d, E_GPTC) += 1;
    *e1000_reg(d, E_TPT) += 1;
    if (d->netdev) {
        netdev_send(d->netdev, f, n);
    }
}

/* f must have room for four bytes more. */
static void send_tagged(E1000 *d, uint8_t *f, size_t n, bool tag, uint16_t tci)
{
    if (tag && n >= 14) {
        memmove(f + 16, f + 12, n - 12);
        put_be16(f + 12, *e1000_reg(d, E_VET) & 0xffff);
        put_be16(f + 14, tci);
        n += 4;
    }
    send(d, f, n);
}

static void sums(const uint32_t c[4], uint8_t *f, size_t n, unsigned popts)
{
    if (popts & POPTS_IXSM) {
        insert_sum(f, n, c[0] & 0xff, c[0] >> 8 & 0xff, c[0] >> 16);
    }
    if (popts & POPTS_TXSM) {
        insert_sum(f, n, c[1] & 0xff, c[1] >> 8 & 0xff, c[1] >> 16);
    }
}

/* --- segmentation (3.5) --- */

/* Makes the headers at the start of `p` those of the segment with `n` bytes in all, whose
 * payload begins `off` bytes into the packet's. */
static void fix_headers(const uint32_t c[4], uint8_t *p, size_t n, uint32_t off,
                        unsigned number, bool last)
{
    unsigned ip = c[0] & 0xff, tu = c[1] & 0xff, sum_at = c[1] >> 8 & 0xff,
             hdr = c[3] >> 8 & 0xff;
    unsigned cmd = c[2] >> 24;
    if (ip + 6u <= hdr && n >= ip) {
        if (cmd & TUCMD_IP) {
            put_be16(p + ip + 2, (uint32_t)(n - ip)); /* total length, identification */
            put_be16(p + ip + 4, get_be16(p + ip + 4) + number);
        } else {
            put_be16(p + ip + 4,
                     (uint32_t)(n - ip - MIN(40u, n - ip))); /* payload length */
        }
    }
    if ((cmd & TUCMD_TCP) && tu + 14u <= hdr) {
        put_be32(p + tu + 4, get_be32(p + tu + 4) + off);
        p[tu + 13] &= last ? 0xff : (uint8_t)~0x09; /* FIN and PSH: of the last only */
    } else if (!(cmd & TUCMD_TCP) && tu + 6u <= hdr) {
        put_be16(p + tu + 4, (uint32_t)(n - tu)); /* UDP length */
    }
    if (sum_at + 2u <= hdr && n >= tu) { /* the driver's pseudo header lacks the length */
        uint32_t sum = get_be16(p + sum_at) + (uint32_t)((n - tu) & 0xffff);
        put_be16(p + sum_at, (sum & 0xffff) + (sum >> 16));
    }
}

static void send_segments(E1000 *d, size_t n, unsigned popts, bool tag, uint16_t tci)
{
    const uint32_t *c = d->s.context + 4;
    unsigned hdr = c[3] >> 8 & 0xff, mss = c[3] >> 16, number = 0;
    if (mss < MIN_MSS || hdr > n || hdr + mss + 4u > sizeof(d->piece)) {
        log_guest_error("%s: segmentation with header %u, MSS %u\n", d->pci.dev.path, hdr,
                        mss);
        return;
    }
    for (size_t off = hdr; off < n || !number; off += mss, number++) {
        size_t part = MIN((size_t)mss, n - off);
        memcpy(d->piece, d->frame, hdr);
        memcpy(d->piece + hdr, d->frame + off, part);
        fix_headers(c, d->piece, hdr + part, (uint32_t)(off - hdr), number,
                    off + part >= n);
        sums(c, d->piece, hdr + part, popts);
        send_tagged(d, d->piece, hdr + part, tag, tci);
    }
}

/* --- the ring --- */

static void take_context(E1000 *d, const TxDesc *t)
{
    uint32_t *c = d->s.context + (command(t) & TUCMD_TSE ? 4 : 0);
    c[0] = (uint32_t)t->buffer;
    c[1] = (uint32_t)(t->buffer >> 32);
    c[2] = t->lower;
    c[3] = t->upper;
}

static void write_back(E1000 *d, uint32_t index, const TxDesc *t, bool *done)
{
    uint8_t b[4];
    if (command(t) & (CMD_RS | CMD_RPS)) {
        put_le32(b, t->upper | STATUS_DD);
        dma_write(d->pci.dev.machine,
                  e1000_ring(d, E_TDBAL) + (uint64_t)index * E_DESC_SIZE + 12, b,
                  sizeof(b));
        *done = true;
    }
}

/* Descriptors from `head` on that make one packet; 0: its end is not there yet. */
static uint32_t packet_length(E1000 *d, uint32_t head, uint32_t tail, uint32_t entries)
{
    TxDesc t;
    uint32_t n = 0;
    while (head != tail && n < entries) {
        fetch(d, head, &t);
        n++;
        if (is_context(&t) || (command(&t) & CMD_EOP)) {
            return n;
        }
        head = head + 1 == entries ? 0 : head + 1;
    }
    return 0;
}

/* Gathers and sends the packet of `count` descriptors; returns whether one wants to be told. */
static bool packet(E1000 *d, uint32_t head, uint32_t count, uint32_t entries)
{
    TxDesc first = { 0 }, t = { 0 };
    size_t n = 0;
    bool done = false, fits = true;
    for (uint32_t i = 0; i < count; i++, head = head + 1 == entries ? 0 : head + 1) {
        fetch(d, head, &t);
        if (i == 0) {
            first = t; /* options are those of the first data descriptor (3.3.7) */
        }
        size_t part = t.lower & (is_data(&t) ? 0xfffff : 0xffff);
        fits = fits && part <= sizeof(d->frame) - 4 - n;
        if (fits) {
            dma_read(d->pci.dev.machine, t.buffer, d->frame + n, part);
            n += part;
        }
        write_back(d, head, &t, &done);
    }
    bool tag = (command(&t) & CMD_VLE) && (*e1000_reg(d, E_CTRL) & E_CTRL_VME);
    uint16_t tci = (uint16_t)(t.upper >> 16);
    if (!fits) {
        log_guest_error("%s: frame of more than %zu bytes dropped\n", d->pci.dev.path,
                        sizeof(d->frame) - 4);
    } else if (is_data(&first) && (command(&first) & CMD_TSE)) {
        send_segments(d, n, first.upper >> 8 & 0xff, tag, tci);
    } else {
        if (is_data(&first)) {
            sums(d->s.context, d->frame, n, first.upper >> 8 & 0xff);
        } else if (command(&t) & CMD_IC) {
            insert_sum(d->frame, n, t.upper >> 8 & 0xff, t.lower >> 16 & 0xff, 0);
        }
        send_tagged(d, d->frame, n, tag, tci);
    }
    return done;
}

void e1000_transmit(E1000 *d)
{
    uint32_t entries = e1000_entries(d, E_TDLEN), causes = 0;
    uint32_t *head = e1000_reg(d, E_TDH), tail = *e1000_reg(d, E_TDT);
    if (!(*e1000_reg(d, E_TCTL) & TCTL_EN) || !pci_is_master(&d->pci) || !entries ||
        *head >= entries || tail >= entries) {
        return;
    }
    d->share = SHARE;
    while (*head != tail && d->share) {
        uint32_t n = packet_length(d, *head, tail, entries);
        TxDesc t;
        if (!n) {
            break;
        }
        fetch(d, *head, &t);
        bool done = false;
        if (n == 1 && is_context(&t)) {
            take_context(d, &t);
            write_back(d, *head, &t, &done);
        } else {
            done = packet(d, *head, n, entries);
        }
        causes |= done ? E_INT_TXDW : 0;
        *head = (*head + n) % entries;
        d->share -= MIN(d->share, n);
    }
    if (*head == tail) {
        causes |= E_INT_TXQE;
    } else if (!d->share) {
        timer_mod(&d->later, clock_now(d->pci.dev.machine->clock) + 100000);
    }
    e1000_interrupt(d, causes);
}

/* SPDX-License-Identifier: MIT */
/*
 * 82540EM, receive side (3.2): address filters (13.5, 13.6), VLAN, descriptors. Checksums are
 * left to the guest (IXSM).
 */
#include <string.h>
#include "hw/core/dma_sg.h"
#include "hw/core/machine.h"
#include "hw/net/e1000_int.h"
#include "util/bytes.h"

enum { /* RCTL (13.4.22) */
       RCTL_EN = 1 << 1,
       RCTL_UPE = 1 << 3,
       RCTL_MPE = 1 << 4,
       RCTL_LPE = 1 << 5,
       RCTL_BAM = 1 << 15,
       RCTL_VFE = 1 << 18,
       RCTL_BSEX = 1 << 25,
       RCTL_SECRC = 1 << 26,
};
enum { DESC_DD = 1, DESC_EOP = 2, DESC_IXSM = 4, DESC_VP = 8 };
enum { MIN_FRAME = 60, NORMAL_FRAME = 1518, MAX_FRAME = 16384 };

/* Bytes of a receive buffer (13.4.22, BSIZE and BSEX). */
static unsigned buffer_size(uint32_t rctl)
{
    unsigned n = 2048u >> (rctl >> 16 & 3);
    return (rctl & RCTL_BSEX) && n < 2048 ? 16 * n : n;
}

static bool running(E1000 *d)
{
    return (*e1000_reg(d, E_RCTL) & RCTL_EN) && (*e1000_reg(d, E_CTRL) & E_CTRL_SLU) &&
           pci_is_master(&d->pci);
}

/* Descriptors that the guest has given. */
static uint32_t available(E1000 *d)
{
    uint32_t n = e1000_entries(d, E_RDLEN), head = *e1000_reg(d, E_RDH);
    uint32_t tail = *e1000_reg(d, E_RDT);
    if (!n || head >= n || tail >= n) {
        return 0;
    }
    return tail >= head ? tail - head : n - head + tail;
}

static bool can_receive(void *opaque)
{
    E1000 *d = opaque;
    return running(d) && available(d) * (uint64_t)buffer_size(*e1000_reg(d, E_RCTL)) >=
                             NORMAL_FRAME + 4;
}

static bool wanted(E1000 *d, const uint8_t *f, uint32_t rctl)
{
    static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
    if ((rctl & RCTL_VFE) && f[12] << 8 == (*e1000_reg(d, E_VET) & 0xff00) &&
        f[13] == (*e1000_reg(d, E_VET) & 0xff)) {
        unsigned id = get_be16(f + 14) & 0xfff;
        if (!(*e1000_reg(d, E_VFTA + id / 32 * 4) >> (id % 32) & 1)) {
            return false;
        }
    }
    if (!memcmp(f, broadcast, 6)) {
        return rctl & (RCTL_BAM | RCTL_MPE);
    }
    if (rctl & (f[0] & 1 ? RCTL_MPE : RCTL_UPE)) {
        return true;
    }
    for (unsigned i = 0; i < 16; i++) {
        uint32_t low = *e1000_reg(d, E_RA + 8 * i),
                 high = *e1000_reg(d, E_RA + 8 * i + 4);
        if (high >> 31 && get_le32(f) == low && get_le16(f + 4) == (high & 0xffff)) {
            return true;
        }
    }
    if (f[0] & 1) { /* 12 bits of the last two bytes choose a bit of the table (13.5.1) */
        static const uint8_t shifts[4] = { 4, 3, 2, 0 };
        unsigned hash = get_le16(f + 4) >> shifts[rctl >> 12 & 3] & 0xfff;
        return *e1000_reg(d, E_MTA + hash / 32 * 4) >> (hash % 32) & 1;
    }
    return false;
}

/* IEEE 802.3's frame check sequence, bit by bit in reflected form. */
static uint32_t crc32(const uint8_t *p, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
        }
    }
    return ~crc;
}

static void deliver(E1000 *d, const uint8_t *f, size_t n, unsigned status, uint16_t tci)
{
    uint32_t size = buffer_size(*e1000_reg(d, E_RCTL)),
             entries = e1000_entries(d, E_RDLEN);
    uint32_t *head = e1000_reg(d, E_RDH), causes = E_INT_RXT0;
    struct Machine *m = d->pci.dev.machine;
    if ((uint64_t)available(d) * size < n) {
        e1000_interrupt(d, E_INT_RXO);
        return;
    }
    for (size_t off = 0; off < n; off += size) {
        uint64_t at = e1000_ring(d, E_RDBAL) + (uint64_t)*head * E_DESC_SIZE;
        uint8_t b[E_DESC_SIZE] = { 0 };
        size_t part = MIN((size_t)size, n - off);
        dma_read(m, at, b, sizeof(b));
        uint64_t buffer = get_le64(b);
        if (buffer) { /* 0: nothing is stored (3.2.3) */
            dma_write(m, buffer, f + off, part);
        }
        put_le16(b + 8, (uint16_t)part);
        put_le16(b + 10, 0);
        b[12] = (uint8_t)(status | DESC_DD | (off + part == n ? DESC_EOP : 0));
        b[13] = 0;
        put_le16(b + 14, tci);
        dma_write(m, at + 8, b + 8, 8);
        *head = *head + 1 == entries ? 0 : *head + 1;
    }
    uint32_t rctl = *e1000_reg(d, E_RCTL);
    if (available(d) <= entries >> (1 + (rctl >> 8 & 3))) {
        causes |= E_INT_RXDMT0;
    }
    *e1000_reg(d, E_GPRC) += 1;
    *e1000_reg(d, E_TPR) += 1;
    e1000_interrupt(d, causes);
}

static void receive(void *opaque, const uint8_t *frame, size_t n)
{
    E1000 *d = opaque;
    uint32_t rctl = *e1000_reg(d, E_RCTL);
    uint8_t f[MAX_FRAME + 64];
    unsigned status = DESC_IXSM;
    uint16_t tci = 0;
    if (!running(d) || n < 14 || n > MAX_FRAME ||
        (n > NORMAL_FRAME && !(rctl & RCTL_LPE))) {
        return;
    }
    memset(f, 0, MIN_FRAME + 8); /* short frames get zeros */
    memcpy(f, frame, n);
    if (!wanted(d, f, rctl)) {
        return;
    }
    bool tagged = n >= 18 && get_be16(f + 12) == (*e1000_reg(d, E_VET) & 0xffff);
    if (tagged && (*e1000_reg(d, E_CTRL) & E_CTRL_VME)) {
        tci = (uint16_t)get_be16(f + 14);
        memmove(f + 12, f + 16, n - 16);
        memset(f + n - 4, 0, 4);
        n -= 4;
        status |= DESC_VP;
    }
    n = MAX(n, (size_t)MIN_FRAME);
    if (!(rctl & RCTL_SECRC)) {
        put_le32(f + n, crc32(f, n));
        n += 4;
    }
    deliver(d, f, n, status, tci);
}

const NetClient e1000_client = { .can_receive = can_receive, .receive = receive };

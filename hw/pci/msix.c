/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts: MSI (PCI 3.0, 6.8.1) with 64-bit address and per-vector
 * masks, MSI-X (6.8.2) with table and pending bits in a BAR of their own. Messages leave
 * through the bus's msi hook, and only while the function is a bus master. Machine lock.
 */
#include "hw/pci/msix.h"

#include <string.h>
#include "util/bytes.h"
#include "util/log.h"

/* MSI capability: offsets from its start. */
enum { MSI_CTRL = 2, MSI_ADDR = 4, MSI_ADDR_HI = 8, MSI_DATA = 12, MSI_MASK = 16,
       MSI_PEND = 20, MSI_SIZE = 24 };
enum { MSI_ENABLE = 1, MSI_64BIT = 0x80, MSI_MASKABLE = 0x100 };
/* MSI-X capability. */
enum { MSIX_CTRL = 2, MSIX_TABLE = 4, MSIX_PBA_OFF = 8, MSIX_SIZE = 12 };
enum { MSIX_ENABLE = 0x8000, MSIX_FN_MASK = 0x4000 };

static void msg_send(PciDevice *d, uint64_t addr, uint32_t data)
{
    if (!pci_is_master(d)) {
        log_guest_error("%s: interrupt message while not a bus master\n", d->dev.path);
        return;
    }
    if (d->bus->msi) {
        d->bus->msi(d->bus->msi_opaque, addr, data);
    }
}

/* --- MSI --- */

static uint16_t msi_ctrl(const PciDevice *d)
{
    return get_le16(d->s->config + d->msi_cap + MSI_CTRL);
}

bool pci_msi_enabled(const PciDevice *d)
{
    return d->msi_cap && (msi_ctrl(d) & MSI_ENABLE);
}

void pci_add_msi(PciDevice *d, unsigned vectors)
{
    unsigned log2 = vectors >= 8 ? 3 : vectors >= 4 ? 2 : vectors >= 2 ? 1 : 0;
    d->msi_cap = pci_add_cap(d, PCI_CAP_MSI, MSI_SIZE);
    d->msi_count = 1u << log2;
    put_le16(d->s->config + d->msi_cap + MSI_CTRL, MSI_64BIT | MSI_MASKABLE | log2 << 1);
    uint8_t *wm = d->wmask + d->msi_cap;
    put_le16(wm + MSI_CTRL, MSI_ENABLE | 0x70);
    put_le32(wm + MSI_ADDR, ~3u);
    put_le32(wm + MSI_ADDR_HI, ~0u);
    put_le16(wm + MSI_DATA, 0xffff);
    put_le32(wm + MSI_MASK, (1u << d->msi_count) - 1);
}

static void msi_show_pending(PciDevice *d)
{
    d->s->config[d->msi_cap + MSI_PEND] = d->s->msi_pending;
}

void pci_msi_notify(PciDevice *d, unsigned vector)
{
    if (!pci_msi_enabled(d)) {
        return;
    }
    const uint8_t *cap = d->s->config + d->msi_cap;
    unsigned log2 = MIN((unsigned)(msi_ctrl(d) >> 4) & 7, 3u);
    unsigned granted = MIN(1u << log2, d->msi_count);
    vector &= granted - 1;
    if (cap[MSI_MASK] & (1u << vector)) {
        d->s->msi_pending |= 1u << vector;
        msi_show_pending(d);
        return;
    }
    uint64_t addr = get_le32(cap + MSI_ADDR) | (uint64_t)get_le32(cap + MSI_ADDR_HI)
                                                   << 32;
    msg_send(d, addr, (get_le16(cap + MSI_DATA) & ~(granted - 1)) | vector);
}

static void msi_flush(PciDevice *d)
{
    if (!pci_msi_enabled(d)) {
        return;
    }
    uint8_t ready = d->s->msi_pending & ~d->s->config[d->msi_cap + MSI_MASK];
    d->s->msi_pending &= ~ready;
    msi_show_pending(d);
    for (unsigned v = 0; v < 8; v++) {
        if (ready & (1u << v)) {
            pci_msi_notify(d, v);
        }
    }
}

/* --- MSI-X --- */

static uint16_t msix_ctrl(const PciDevice *d)
{
    return get_le16(d->s->config + d->msix_cap + MSIX_CTRL);
}

bool pci_msix_enabled(const PciDevice *d)
{
    return d->msix_cap && (msix_ctrl(d) & MSIX_ENABLE);
}

static bool msix_masked(const PciDevice *d, unsigned v)
{
    return (msix_ctrl(d) & MSIX_FN_MASK) || (d->s->msix_table[v * 16 + 12] & 1);
}

void pci_msix_notify(PciDevice *d, unsigned v)
{
    if (!pci_msix_enabled(d) || v >= d->msix_count) {
        return;
    }
    uint8_t bit = 1u << (v % 8);
    if (msix_masked(d, v)) {
        d->s->msix_pba[v / 8] |= bit;
        return;
    }
    d->s->msix_pba[v / 8] &= ~bit;
    const uint8_t *e = d->s->msix_table + v * 16;
    msg_send(d, get_le64(e), get_le32(e + 8));
}

static void msix_flush(PciDevice *d)
{
    for (unsigned v = 0; v < d->msix_count; v++) {
        if ((d->s->msix_pba[v / 8] & (1u << (v % 8))) && !msix_masked(d, v)) {
            pci_msix_notify(d, v);
        }
    }
}

static uint64_t msix_bar_read(void *opaque, uint64_t addr, unsigned size)
{
    PciDevice *d = opaque;
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        uint64_t a = addr + i;
        uint8_t b = 0;
        if (a < d->msix_count * 16) {
            b = d->s->msix_table[a];
        } else if (a >= PCI_MSIX_PBA && a - PCI_MSIX_PBA < sizeof(d->s->msix_pba)) {
            b = d->s->msix_pba[a - PCI_MSIX_PBA];
        }
        v |= (uint64_t)b << (8 * i);
    }
    return v;
}

static void msix_bar_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    PciDevice *d = opaque;
    for (unsigned i = 0; i < size; i++) {
        uint64_t a = addr + i;
        if (a < d->msix_count * 16) {
            uint8_t b = val >> (8 * i);
            /* Of vector control only the mask bit exists (6.8.2.9). */
            unsigned in_entry = a % 16;
            d->s->msix_table[a] = in_entry < 12 ? b : in_entry == 12 ? b & 1 : 0;
        }
    }
    if (pci_msix_enabled(d)) {
        msix_flush(d);
    }
}

static const MemoryOps msix_bar_ops = {
    .read = msix_bar_read, .write = msix_bar_write, .min_size = 1, .max_size = 8,
};

void pci_add_msix(PciDevice *d, unsigned bar, unsigned vectors)
{
    d->msix_count = MIN(vectors, (unsigned)PCI_MSIX_MAX);
    device_add_io(&d->dev, &d->msix_mr, "msix", PCI_MSIX_BAR_SIZE, &msix_bar_ops, d);
    pci_add_bar(d, bar, PCI_BAR_MEM32, &d->msix_mr);
    d->msix_cap = pci_add_cap(d, PCI_CAP_MSIX, MSIX_SIZE);
    uint8_t *cap = d->s->config + d->msix_cap;
    put_le16(cap + MSIX_CTRL, d->msix_count - 1);
    put_le32(cap + MSIX_TABLE, bar);
    put_le32(cap + MSIX_PBA_OFF, PCI_MSIX_PBA | bar);
    put_le16(d->wmask + d->msix_cap + MSIX_CTRL, MSIX_ENABLE | MSIX_FN_MASK);
}

/* --- both --- */

void msix_config_written(PciDevice *d, unsigned off, unsigned size)
{
    if (d->msi_cap && off < d->msi_cap + MSI_SIZE && d->msi_cap < off + size) {
        msi_flush(d);
    }
    if (d->msix_cap && off < d->msix_cap + 4u && d->msix_cap < off + size &&
        pci_msix_enabled(d)) {
        msix_flush(d);
    }
}

void msix_reset(PciDevice *d)
{
    memset(d->s->msix_table, 0, sizeof(d->s->msix_table));
    memset(d->s->msix_pba, 0, sizeof(d->s->msix_pba));
    d->s->msi_pending = 0;
    for (unsigned v = 0; v < d->msix_count; v++) {
        d->s->msix_table[v * 16 + 12] = 1;   /* masked after reset (6.8.2.9) */
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Addresses for PCI functions on a machine without firmware: BARs by falling size into the
 * windows that the host bridge's _CRS names, interrupt line registers, decoding on.
 */
#include "hw/display/display_devices.h"
#include "hw/pc/pc_int.h"

/* I/O BARs; below are the legacy ports, above the PM block's 0x600 nothing fixed. */
enum { IO_START = 0xc000, IO_END = 0x10000 };
#define MEM_END 0xfec00000ull

typedef struct Window {
    uint64_t next, end;
} Window;

static bool take(Window *w, uint64_t size, uint64_t *addr)
{
    uint64_t at = ALIGN_UP(w->next, size);
    if (at > w->end || size > w->end - at) {
        return false;
    }
    *addr = at;
    w->next = at + size;
    return true;
}

static void assign_bar(PciDevice *d, unsigned n, Window *io, Window *mem)
{
    const PciBar *bar = &d->bars[n];
    enum PciBarKind kind = bar->kind & ~PCI_BAR_PREFETCH;
    uint64_t addr;
    if (!take(kind == PCI_BAR_IO ? io : mem, bar->size, &addr)) {
        return; /* stays off; the guest may move things */
    }
    pci_config_write(d, PCI_BAR0 + 4 * n, (uint32_t)addr, 4);
    if (kind == PCI_BAR_MEM64) {
        pci_config_write(d, PCI_BAR0 + 4 * n + 4, (uint32_t)(addr >> 32), 4);
    }
    uint32_t cmd = pci_config_read(d, PCI_COMMAND, 2);
    cmd |= kind == PCI_BAR_IO ? PCI_CMD_IO : PCI_CMD_MEM;
    pci_config_write(d, PCI_COMMAND, cmd, 2);
}

void pc_assign_pci(PcMachine *pc)
{
    Machine *m = &pc->m;
    Window io = { IO_START, IO_END };
    Window mem = { MAX(pc->layout.low, 0xe0000000ull), MEM_END };
    memory_begin(m);
    for (int bit = 63; bit >= 0; bit--) { /* largest first: no holes */
        for (unsigned fn = 0; fn < PCI_DEVFNS; fn++) {
            PciDevice *d = pc->pci->fn[fn];
            for (unsigned n = 0; d && n < PCI_BARS; n++) {
                if (d->bars[n].mr && d->bars[n].size == BIT(bit)) {
                    assign_bar(d, n, &io, &mem);
                }
            }
        }
    }
    for (unsigned fn = 0; fn < PCI_DEVFNS; fn++) {
        PciDevice *d = pc->pci->fn[fn];
        unsigned pin = d ? pci_config_read(d, PCI_IRQ_PIN, 1) : 0;
        if (pin >= 1 && pin <= 4) {
            unsigned pirq = pci_pirq(pc->pci, fn >> 3, pin - 1);
            pci_config_write(d, PCI_IRQ_LINE, pirq & 1 ? 11 : 10, 1);
        }
    }
    memory_commit(m);
}

Device *pc_find_vga(const PcMachine *pc)
{
    for (unsigned fn = 0; pc->pci && fn < PCI_DEVFNS; fn++) {
        PciDevice *d = pc->pci->fn[fn];
        if (d && d->dev.cls == &vga_pci_class) {
            return &d->dev;
        }
    }
    return NULL;
}

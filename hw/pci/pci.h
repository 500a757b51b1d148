/* SPDX-License-Identifier: MIT */
/*
 * Conventional PCI (PCI Local Bus Specification 3.0): bus, functions, configuration
 * space with write masks, BARs, capabilities, INTx, MSI and MSI-X. A PCI class embeds
 * PciDevice first and points DeviceClass.bus_data at a PciInfo. Its saved struct holds
 * one PciState (PciInfo.state_offset says where). Machine lock held everywhere.
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "hw/core/device.h"

typedef struct PciDevice PciDevice;
typedef struct PciBus PciBus;

enum {
    PCI_CONFIG_SIZE = 256,
    PCI_DEVFNS = 256,
    PCI_BARS = 6,
    PCI_PIRQS = 8,
    PCI_MSIX_MAX = 66,      /* vectors of one function */
    PCI_MSIX_BAR_SIZE = 4096, PCI_MSIX_PBA = 0x800,
};

/* Configuration header (6.1). */
enum {
    PCI_VENDOR_ID = 0x00, PCI_DEVICE_ID = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06,
    PCI_REVISION = 0x08, PCI_CLASS_PROG = 0x09, PCI_CACHE_LINE = 0x0c, PCI_LATENCY = 0x0d,
    PCI_HEADER_TYPE = 0x0e, PCI_BAR0 = 0x10, PCI_SUBSYS_VENDOR = 0x2c,
    PCI_SUBSYS_ID = 0x2e, PCI_ROM_BAR = 0x30, PCI_CAP_PTR = 0x34, PCI_IRQ_LINE = 0x3c,
    PCI_IRQ_PIN = 0x3d,
};
enum { /* command register (6.2.2) */
    PCI_CMD_IO = 1, PCI_CMD_MEM = 2, PCI_CMD_MASTER = 4, PCI_CMD_PARITY = 0x40,
    PCI_CMD_SERR = 0x100, PCI_CMD_INTX_OFF = 0x400,
};
enum { PCI_STATUS_INTX = 0x08, PCI_STATUS_CAPS = 0x10 }; /* 6.2.3 */
enum { PCI_CAP_MSI = 0x05, PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11 };

enum PciBarKind { PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64, PCI_BAR_PREFETCH = 8 };

/* What a PCI class tells the bus. */
typedef struct PciInfo {
    uint16_t vendor, device;
    uint32_t class_code;            /* class << 16 | subclass << 8 | interface */
    uint8_t revision;
    uint16_t subsys_vendor, subsys;
    uint8_t irq_pin;                /* 1 = INTA#, 0 = none */
    size_t state_offset;            /* of the PciState, from the Device */
    /* Optional. After a write to configuration space took effect. */
    void (*config_written)(PciDevice *d, unsigned off, unsigned size);
    /* Optional. Before a read: may refresh d->s->config. */
    void (*config_reading)(PciDevice *d, unsigned off, unsigned size);
} PciInfo;

/* Saved part of every PCI function. */
typedef struct PciState {
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t msix_table[PCI_MSIX_MAX * 16];
    uint8_t msix_pba[16];           /* pending bits, vector n = bit n % 8 of byte n / 8 */
    uint8_t msi_pending;            /* masked MSI vectors that wait (bits 0..7) */
    bool intx;                      /* the function wants its pin asserted */
} PciState;
extern const StateDesc pci_state;   /* for STATE_SUB(T, pci, pci_state) */

typedef struct PciBar {
    MemoryRegion *mr;               /* NULL: not implemented (or upper half of a 64) */
    uint64_t size;                  /* power of two */
    enum PciBarKind kind;           /* with PCI_BAR_PREFETCH */
    bool mapped;
} PciBar;

struct PciDevice {
    Device dev;                     /* first */
    const PciInfo *info;
    PciState *s;                    /* inside the owner's saved struct */
    PciBus *bus;
    unsigned devfn;                 /* slot << 3 | function */
    uint8_t wmask[PCI_CONFIG_SIZE]; /* 1 = the guest may write the bit */
    uint8_t w1c[PCI_CONFIG_SIZE];   /* 1 = writing a one clears the bit */
    uint8_t reset_config[PCI_CONFIG_SIZE];
    PciBar bars[PCI_BARS];
    MemoryRegion rom_mr;            /* option ROM behind the expansion ROM BAR */
    uint64_t rom_size;              /* 0: none */
    bool rom_mapped;
    char *romfile;                  /* property of classes that have one */
    MemoryRegion msix_mr;
    unsigned cap_end;               /* next free byte of the capability area */
    uint8_t msi_cap, msix_cap;      /* offsets, 0 = none */
    unsigned msix_count, msi_count;
    char *addr_text;                /* property addr= */
    bool multifunction;             /* property */
};

/* Property rows every PCI class for -device starts with. T embeds a PciDevice as `pci`. */
#define PCI_PROPS(T) \
    { "addr", PK_STR, offsetof(T, pci.addr_text), 0, 0, 0, NULL, NULL, NULL, \
      "slot[.function], hexadecimal; default: the first free slot" }, \
    { "multifunction", PK_BOOL, offsetof(T, pci.multifunction), 0, 0, 1, NULL, NULL, \
      NULL, "other functions share this slot" }

/* Of classes with an option ROM; default_ is the file's name. */
#define PCI_ROM_PROPS(T, default_) \
    { "romfile", PK_STR, offsetof(T, pci.romfile), 0, 0, 0, default_, NULL, NULL, \
      "option ROM; empty: none" }

struct PciBus {
    Bus bus;                        /* first */
    PciDevice *fn[PCI_DEVFNS];
    MemoryRegion mem, io;           /* containers BARs are mapped in */
    /* PIRQ 0..7 = A..H changed; the interrupt router sets it. */
    IrqLine pirq[PCI_PIRQS];
    bool pirq_level[PCI_PIRQS];     /* derived from the functions' intx */
    /* PIRQ of pin 0..3 of a slot; NULL: (pin + slot - 1) & 3 */
    unsigned (*pirq_of)(unsigned slot, unsigned pin);
    void (*msi)(void *opaque, uint64_t addr, uint32_t data);
    void *msi_opaque;
};
extern const BusClass pci_bus_class;

PciBus *pci_bus_create(struct Machine *m, Device *owner, const char *name);

/* --- for functions, in realize --- */
/* `mr` is initialised (device_add_io or memory_init_*); its size must be a power of two
 * and becomes the BAR's. */
void pci_add_bar(PciDevice *d, unsigned n, enum PciBarKind kind, MemoryRegion *mr);
/* Loads d->romfile (a path, or a name in the firmware directories) behind the expansion
 * ROM BAR (6.2.5.2). None or an empty name: no ROM, fine. */
bool pci_add_rom(PciDevice *d, Error *err);
/* Appends a capability of `size` bytes (the two header bytes included) with its read-only
 * content zeroed; returns its offset. */
unsigned pci_add_cap(PciDevice *d, uint8_t id, unsigned size);
void pci_add_msi(PciDevice *d, unsigned vectors);        /* 1, 2, 4 or 8; 64-bit, masks */
void pci_add_msix(PciDevice *d, unsigned bar, unsigned vectors); /* a BAR of its own */
/* Part of the class's reset and post_load. */
void pci_reset(PciDevice *d);
bool pci_post_load(PciDevice *d, Error *err);
/* Whole StateDesc.post_load of a class with nothing else to rebuild. */
bool pci_device_post_load(void *dev, Error *err);

/* --- interrupts --- */
void pci_set_intx(PciDevice *d, bool level);
bool pci_msi_enabled(const PciDevice *d);
void pci_msi_notify(PciDevice *d, unsigned vector);
bool pci_msix_enabled(const PciDevice *d);
void pci_msix_notify(PciDevice *d, unsigned vector);
static inline bool pci_is_master(const PciDevice *d)
{
    return d->s->config[PCI_COMMAND] & PCI_CMD_MASTER;
}

/* --- configuration space --- */
uint32_t pci_config_read(PciDevice *d, unsigned off, unsigned size);
void pci_config_write(PciDevice *d, unsigned off, uint32_t val, unsigned size);
/* Type 1 address (3.2.2.3.2) on this bus; absent functions read as ones. */
uint32_t pci_bus_config_read(PciBus *bus, uint32_t addr, unsigned size);
void pci_bus_config_write(PciBus *bus, uint32_t addr, uint32_t val, unsigned size);
/* PIRQ that a function's pin is wired to. */
unsigned pci_pirq(const PciBus *bus, unsigned slot, unsigned pin);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Inside of the 82540EM: register numbers and the seam between registers, transmit side and
 * receive side. Section numbers: Intel, PCI/PCI-X Family of Gigabit Ethernet Controllers
 * Software Developer's Manual (317453). Machine lock held everywhere.
 */
#ifndef HW_NET_E1000_INT_H
#define HW_NET_E1000_INT_H

#include "hw/core/clock.h"
#include "hw/core/netdev.h"
#include "hw/pci/pci.h"

enum { /* byte offsets of registers (13.3) */
    E_CTRL = 0x0000, E_STATUS = 0x0008, E_EECD = 0x0010, E_EERD = 0x0014,
    E_CTRL_EXT = 0x0018, E_MDIC = 0x0020, E_VET = 0x0038, E_ICR = 0x00c0, E_ITR = 0x00c4,
    E_ICS = 0x00c8, E_IMS = 0x00d0, E_IMC = 0x00d8, E_RCTL = 0x0100, E_TCTL = 0x0400,
    E_PBA = 0x1000, E_RDBAL = 0x2800, E_RDBAH = 0x2804, E_RDLEN = 0x2808, E_RDH = 0x2810,
    E_RDT = 0x2818, E_TDBAL = 0x3800, E_TDBAH = 0x3804, E_TDLEN = 0x3808, E_TDH = 0x3810,
    E_TDT = 0x3818, E_STATS = 0x4000, E_STATS_END = 0x4128, E_GPRC = 0x4074, E_GPTC = 0x4080,
    E_TPR = 0x40d0, E_TPT = 0x40d4, E_MTA = 0x5200, E_RA = 0x5400, E_VFTA = 0x5600,
    E_REGS_END = 0x5c00,
};
enum { /* interrupt causes (13.4.17) */
    E_INT_TXDW = 0x01, E_INT_TXQE = 0x02, E_INT_LSC = 0x04, E_INT_RXDMT0 = 0x10,
    E_INT_RXO = 0x40, E_INT_RXT0 = 0x80, E_INT_MDAC = 0x200,
};
enum { E_CTRL_SLU = 1 << 6, E_CTRL_RST = 1 << 26, E_CTRL_VME = 1 << 30 };
enum { E_DESC_SIZE = 16, E_FRAME_MAX = 65536 + 512, E_PHY_REGS = 32 };

typedef struct E1000State {
    PciState pci;
    uint32_t reg[E_REGS_END / 4];
    uint16_t phy[E_PHY_REGS];
    uint32_t context[8];        /* transmit contexts (3.3.6): without TSE, with it */
    uint32_t io_address;
    uint8_t mac[6];             /* in the EEPROM */
    uint16_t ee_in, ee_out;     /* Microwire: bits clocked in; word going out */
    uint8_t ee_count, ee_left;  /* bits of ee_in; bits of ee_out still to go */
    bool ee_do;                 /* the data line */
} E1000State;

typedef struct E1000 {
    PciDevice pci;
    E1000State s;
    NetBackend *netdev;         /* property */
    uint8_t mac[6];             /* property; all 0: made up */
    uint32_t bootindex;         /* property */
    MemoryRegion mem, io;
    Timer later;                /* the rest of a long transmit ring */
    uint32_t share;             /* descriptors and frames left for this turn */
    uint8_t frame[E_FRAME_MAX]; /* scratch of one transmission */
    uint8_t piece[E_FRAME_MAX]; /* scratch: one segment, or a frame with its VLAN tag */
} E1000;

static inline uint32_t *e1000_reg(E1000 *d, unsigned offset)
{
    return &d->s.reg[offset / 4];
}

static inline uint64_t e1000_ring(E1000 *d, unsigned low)
{
    return (*e1000_reg(d, low) & ~15u) | (uint64_t)*e1000_reg(d, low + 4) << 32;
}

/* Entries of a ring whose length register is `len`. */
static inline uint32_t e1000_entries(E1000 *d, unsigned len)
{
    return (*e1000_reg(d, len) & 0xfff80) / E_DESC_SIZE;
}

/* Sets causes; the pin follows causes and mask. */
void e1000_interrupt(E1000 *d, uint32_t causes);

/* Sends what the ring holds, at most a share of it: the timer does the rest. */
void e1000_transmit(E1000 *d);

extern const NetClient e1000_client; /* opaque is to be set */

#endif

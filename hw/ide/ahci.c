/* SPDX-License-Identifier: MIT */
/*
 * ICH9 AHCI controller: six ports with one drive each. Serial ATA AHCI 1.3.1 (register
 * names and sections from there), FIS layouts from Serial ATA 3.0, 10.3. Command slots run
 * one after another; NCQ commands run at the same time. Left out: port multipliers,
 * enclosure management, power states, command coalescing. Machine lock held.
 */
#include "hw/ide/ide_int.h"

#include <stdio.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/log.h"

enum { PORTS = 6, SLOTS = 32, ABAR_SIZE = 0x1000, PORT_BASE = 0x100, PORT_SIZE = 0x80 };
enum { CAP = 0x00, GHC = 0x04, IS = 0x08, PI = 0x0c, VS = 0x10 };      /* 3.1 */
enum { GHC_HR = 1, GHC_IE = 2 };
#define GHC_AE 0x80000000u
enum { /* 3.3 */
    P_CLB = 0x00, P_CLBU = 0x04, P_FB = 0x08, P_FBU = 0x0c, P_IS = 0x10, P_IE = 0x14,
    P_CMD = 0x18, P_TFD = 0x20, P_SIG = 0x24, P_SSTS = 0x28, P_SCTL = 0x2c, P_SERR = 0x30,
    P_SACT = 0x34, P_CI = 0x38,
};
enum { CMD_ST = 1, CMD_SUD = 2, CMD_POD = 4, CMD_CLO = 8, CMD_FRE = 0x10, CMD_FR = 0x4000,
       CMD_CR = 0x8000, CMD_ATAPI = 0x1000000 };
enum { IS_DHRS = 1, IS_PSS = 2, IS_SDBS = 8, IS_PCS = 0x40, IS_OFS = 1 << 24,
       IS_HBFS = 1 << 29, IS_TFES = 1 << 30 };
#define P_IE_MASK 0xfdc000ffu
/* NP 5 (0's based), NCS 31, SAM, Gen2, SCLO, SNCQ, S64A. */
#define CAP_VALUE 0xc1241f05u

typedef struct {
    uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, scontrol, serr, sact, ci;
    uint8_t slot;           /* running, if `running` */
    bool running;
    bool stopped;           /* an error waits for ST to be cleared */
    bool srst;              /* a FIS with SRST set came */
} AhciPortState;

typedef struct {
    PciState pci;
    uint32_t ghc, is;
    AhciPortState port[PORTS];
} AhciState;

typedef struct Ahci Ahci;
typedef struct AhciPort AhciPort;

typedef struct {
    SgIo io;
    AhciPort *port;
    uint64_t bytes;
    uint8_t slot;
} NcqCommand;

struct AhciPort {
    Ahci *d;
    AhciPortState *s;
    IdeBus *bus;
    uint8_t n;
    bool starting;          /* port_run is at work: do not enter it again */
    NcqCommand ncq[SLOTS];
};

struct Ahci {
    PciDevice pci;
    AhciState s;
    MemoryRegion mr;
    AhciPort port[PORTS];
};

static IdeDrive *port_drive(const AhciPort *p)
{
    return p->bus->unit[0];
}

/* --- interrupts (5.6) --- */

static void ahci_irq(Ahci *d, bool fresh)
{
    for (unsigned i = 0; i < PORTS; i++) {
        if (d->s.port[i].is & d->s.port[i].ie) {
            d->s.is |= 1u << i;
        }
    }
    bool level = (d->s.ghc & GHC_IE) && d->s.is;
    if (!pci_msi_enabled(&d->pci)) {
        pci_set_intx(&d->pci, level);
    } else {
        pci_set_intx(&d->pci, false);
        if (level && fresh) {
            pci_msi_notify(&d->pci, 0);
        }
    }
}

static void port_event(AhciPort *p, uint32_t bits)
{
    p->s->is |= bits;
    ahci_irq(p->d, p->s->ie & bits);
}

/* --- FISes to memory --- */

static void put_fis(AhciPort *p, unsigned off, const uint8_t *fis, unsigned n)
{
    if (p->s->cmd & CMD_FRE) {
        uint64_t fb = p->s->fb | (uint64_t)p->s->fbu << 32;
        dma_write(p->d->pci.dev.machine, fb + off, fis, n);
    }
}

static void fill_registers(uint8_t *fis, const IdeDrive *d)
{
    const IdeState *s = &d->s;
    fis[2] = s->status;
    fis[3] = s->error;
    memcpy(fis + 4, s->lba, 3);
    fis[7] = s->device;
    memcpy(fis + 8, s->hob_lba, 3);
    fis[12] = s->nsector;
    fis[13] = s->hob_nsector;
}

static void take_status(AhciPort *p)
{
    const IdeDrive *d = port_drive(p);
    p->s->tfd = d->s.status | (uint32_t)d->s.error << 8;
}

static void send_d2h(AhciPort *p)
{
    uint8_t fis[20] = { 0x34, 0x40 };
    fill_registers(fis, port_drive(p));
    put_fis(p, 0x40, fis, sizeof(fis));
    take_status(p);
}

static void send_pio_setup(AhciPort *p, uint64_t bytes)
{
    const IdeDrive *d = port_drive(p);
    uint8_t fis[20] = { 0x5f, 0x60 };
    fill_registers(fis, d);
    fis[2] = ST_DRDY | ST_DSC | ST_DRQ;
    fis[15] = d->s.status;
    put_le16(fis + 16, (unsigned)MIN(bytes, 0xfffeull));
    put_fis(p, 0x20, fis, sizeof(fis));
    take_status(p);
}

static void send_sdb(AhciPort *p, uint32_t done, uint8_t status, uint8_t error)
{
    uint8_t fis[8] = { 0xa1, 0x40, status & 0x77, error };
    put_le32(fis + 4, done);
    put_fis(p, 0x58, fis, sizeof(fis));
    p->s->tfd = status | (uint32_t)error << 8;
    p->s->sact &= ~done;
    port_event(p, IS_SDBS | (status & ST_ERR ? IS_TFES : 0));
}

/* --- command list --- */

static uint64_t header_addr(const AhciPort *p, unsigned slot)
{
    return (p->s->clb | (uint64_t)p->s->clbu << 32) + 32 * slot;
}

/* PRDT of a command (4.2.3), at most as long as the header says and no longer than the
 * `want` bytes that the command moves. */
static void read_prdt(AhciPort *p, const uint8_t *hdr, SgList *sg, uint64_t want)
{
    uint64_t at = get_le64(hdr + 8) + 0x80;
    unsigned n = get_le16(hdr + 2);
    for (unsigned i = 0; i < n && sg->bytes < want; i++, at += 16) {
        uint8_t e[16];
        if (!dma_read(p->d->pci.dev.machine, at, e, sizeof(e))) {
            break;
        }
        uint64_t len = (get_le32(e + 12) & 0x3fffff) + 1ull;
        sg_add(sg, get_le64(e), MIN(len, want - sg->bytes));
    }
}

static bool read_header(AhciPort *p, unsigned slot, uint8_t hdr[32])
{
    return dma_read(p->d->pci.dev.machine, header_addr(p, slot), hdr, 32);
}

static void write_count(AhciPort *p, unsigned slot, uint64_t bytes)
{
    uint8_t v[4];
    put_le32(v, (uint32_t)bytes);
    dma_write(p->d->pci.dev.machine, header_addr(p, slot) + 4, v, 4);
}

static void port_run(AhciPort *p);

/* --- the drive's side --- */

static void op_irq(void *port, IdeDrive *d)
{
}

static void op_dma_ready(void *port, IdeDrive *d)
{
    AhciPort *p = port;
    uint8_t hdr[32];
    SgList sg = { 0 };
    const IdeState *s = &d->s;
    uint64_t want = s->buf_end - s->buf_pos;
    want += s->medium ? (uint64_t)s->left * (s->raw ? CD_RAW : ide_unit_size(d)) : 0;
    if (p->s->running && read_header(p, p->s->slot, hdr)) {
        read_prdt(p, hdr, &sg, want);
    }
    if (d->s.medium && sg.bytes < want) {
        log_guest_error("%s: the PRDT is shorter than the command\n", d->dev.path);
        sg_free(&sg);
        p->s->is |= IS_OFS;
        ide_abort(d);
        return;
    }
    ide_dma_run(d, &sg);
}

/* Replies from a buffer may be longer than what the guest wants to see of them. */
static void op_dma_short(void *port, IdeDrive *d)
{
    if (d->s.phase == PH_IN && !d->s.medium) {
        if (d->cd) {
            atapi_ok(d);
        } else {
            ide_done(d);
        }
    } else {
        ide_abort(d);
    }
}

static bool is_pio_in(const IdeDrive *d)
{
    switch (d->s.command) {
    case 0x20: case 0x21: case 0x24: case 0x29: case 0x2f: case 0xc4: case 0xb0: case 0xe4:
    case 0xec: case 0xa1:
        return d->s.moved && !(d->s.status & ST_ERR);
    default:
        return false;
    }
}

static void op_ended(void *port, IdeDrive *d)
{
    AhciPort *p = port;
    if (!p->s->running) {
        take_status(p);
        return;
    }
    bool bad = d->s.status & ST_ERR;
    write_count(p, p->s->slot, d->s.moved);
    p->s->running = false;
    if (!bad) {
        p->s->ci &= ~(1u << p->s->slot);
    }
    p->s->stopped = bad;
    if (is_pio_in(d)) {
        send_pio_setup(p, d->s.moved);
        port_event(p, IS_PSS);
    } else {
        send_d2h(p);
        port_event(p, IS_DHRS | (bad ? IS_TFES : 0));
    }
    if (!p->starting) {     /* it ended later than it started: go on with the next */
        port_run(p);
    }
}

static const IdePortOps ahci_port_ops = {
    .irq = op_irq, .dma_ready = op_dma_ready, .dma_short = op_dma_short,
    .ended = op_ended, .all_dma = true,
};

/* --- NCQ (SATA 3.0, 13.6) --- */

static void ncq_fail(AhciPort *p)
{
    p->s->stopped = true;
    send_sdb(p, 0, ST_DRDY | ST_DSC | ST_ERR, ER_ABRT);
}

static void ncq_done(SgIo *io, int ret)
{
    NcqCommand *c = container_of(io, NcqCommand, io);
    AhciPort *p = c->port;
    if (ret) {
        ncq_fail(p);
        return;
    }
    write_count(p, c->slot, c->bytes);
    send_sdb(p, 1u << c->slot, ST_DRDY | ST_DSC, 0);
}

static void ncq_start(AhciPort *p, unsigned slot, const uint8_t *hdr, const uint8_t *fis)
{
    IdeDrive *d = port_drive(p);
    bool write = fis[2] == 0x61;
    uint64_t sector = fis[4] | fis[5] << 8 | fis[6] << 16 | (uint64_t)fis[8] << 24 |
                      (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
    uint32_t n = fis[3] | fis[11] << 8;
    uint64_t count = n ? n : 65536;
    unsigned tag = fis[12] >> 3;
    NcqCommand *c = &p->ncq[slot];
    SgList sg = { 0 };
    p->s->ci &= ~(1u << slot);      /* accepted; SACT says when it is done */
    if (tag != slot || !(p->s->sact & (1u << slot)) || c->io.active || d->cd ||
        !ide_range_ok(d, sector, count) || (write && d->drive->readonly)) {
        log_guest_error("%s: queued command in slot %u refused\n", d->dev.path, slot);
        ncq_fail(p);
        return;
    }
    c->bytes = count * IDE_SECTOR;
    read_prdt(p, hdr, &sg, c->bytes);
    if (sg.bytes < c->bytes) {
        sg_free(&sg);
        p->s->is |= IS_OFS;
        ncq_fail(p);
        return;
    }
    c->port = p;
    c->slot = (uint8_t)slot;
    c->io.done = ncq_done;
    sg_io_start(&c->io, d->dev.machine, d->drive, write, sector * IDE_SECTOR, &sg, 0,
                c->bytes);
}

/* --- commands --- */

static void port_signature(AhciPort *p)
{
    IdeDrive *d = port_drive(p);
    ide_reset_drive(d, false);
    p->s->sig = d->cd ? 0xeb140101 : 0x00000101;
    send_d2h(p);
}

/* A control FIS: SRST set, then clear (ATA8, software reset). */
static void control_fis(AhciPort *p, unsigned slot, uint8_t control)
{
    bool srst = control & 4, was = p->s->srst;
    p->s->srst = srst;
    p->s->ci &= ~(1u << slot);
    if (was && !srst) {
        port_signature(p);
        port_event(p, IS_DHRS);
    }
}

static void take_registers(IdeDrive *d, const uint8_t *fis)
{
    IdeState *s = &d->s;
    s->feature = fis[3];
    memcpy(s->lba, fis + 4, 3);
    s->device = fis[7];
    memcpy(s->hob_lba, fis + 8, 3);
    s->hob_feature = fis[11];
    s->nsector = fis[12];
    s->hob_nsector = fis[13];
}

static void start_slot(AhciPort *p, unsigned slot)
{
    IdeDrive *d = port_drive(p);
    uint8_t hdr[32], table[0x50];
    uint64_t at = 0;
    bool ok = read_header(p, slot, hdr);
    if (ok) {
        at = get_le64(hdr + 8);
        ok = dma_read(d->dev.machine, at, table, sizeof(table));
    }
    if (!ok || table[0] != 0x27) {
        log_guest_error("%s: slot %u has no command\n", d->dev.path, slot);
        p->s->stopped = true;
        port_event(p, IS_HBFS);
        return;
    }
    if (!(table[1] & 0x80)) {
        control_fis(p, slot, table[15]);
        return;
    }
    if (table[2] == 0x60 || table[2] == 0x61) {
        ncq_start(p, slot, hdr, table);
        return;
    }
    p->s->running = true;
    p->s->slot = (uint8_t)slot;
    p->s->tfd = ST_BSY | ST_DRDY;
    take_registers(d, table);
    ide_command(d, table[2]);
    if (d->s.phase == PH_PACKET) {
        d->s.dma = true;
        ide_packet(d, table + 0x40);
    }
}

/* Each turn takes a bit out of CI, starts a command, or stops: 32 turns are enough. A
 * command that ends later than it started calls this again (op_ended). */
static void port_run(AhciPort *p)
{
    p->starting = true;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!port_drive(p) || !(p->s->cmd & CMD_ST) || p->s->stopped || p->s->running ||
            !pci_is_master(&p->d->pci)) {
            break;
        }
        if (p->s->ci & (1u << i)) {
            start_slot(p, i);
        }
    }
    p->starting = false;
}

static void port_drain(AhciPort *p)
{
    if (port_drive(p) && port_drive(p)->drive) {
        BlockBackend *b = port_drive(p)->drive;
        b->ops->drain(b);
    }
}

static void port_stop(AhciPort *p)
{
    uint32_t old = p->s->cmd;
    p->s->cmd &= ~CMD_ST;   /* nothing new while it drains */
    if (old & CMD_ST) {
        port_drain(p);
    }
    p->s->ci = p->s->sact = 0;
    p->s->running = p->s->stopped = false;
}

static void port_reset(AhciPort *p)
{
    port_stop(p);
    p->s->tfd = 0x7f;
    p->s->sig = ~0u;
    p->s->srst = false;
    if (port_drive(p)) {
        port_signature(p);
    }
}

/* --- registers --- */

static uint32_t port_read(const AhciPort *p, unsigned reg)
{
    const AhciPortState *s = p->s;
    switch (reg) {
    case P_CLB: return s->clb;
    case P_CLBU: return s->clbu;
    case P_FB: return s->fb;
    case P_FBU: return s->fbu;
    case P_IS: return s->is;
    case P_IE: return s->ie;
    case P_CMD:
        return s->cmd | (s->cmd & CMD_FRE ? CMD_FR : 0) | (s->cmd & CMD_ST ? CMD_CR : 0) |
               (uint32_t)s->slot << 8 |
               (port_drive(p) && port_drive(p)->cd ? CMD_ATAPI : 0);
    case P_TFD: return s->tfd;
    case P_SIG: return s->sig;
    case P_SSTS: return port_drive(p) && (s->scontrol & 15) != 4 ? 0x123 : 0;
    case P_SCTL: return s->scontrol;
    case P_SERR: return s->serr;
    case P_SACT: return s->sact;
    case P_CI: return s->ci;
    default: return 0;
    }
}

static void port_set_cmd(AhciPort *p, uint32_t v)
{
    enum { KEEP = CMD_ST | CMD_SUD | CMD_POD | CMD_FRE };
    if (!(v & CMD_ST) && (p->s->cmd & CMD_ST)) {
        port_stop(p);
    }
    if (v & CMD_CLO) {
        p->s->tfd &= ~(uint32_t)(ST_BSY | ST_DRQ);
    }
    bool fre = (v & CMD_FRE) && !(p->s->cmd & CMD_FRE);
    p->s->cmd = v & KEEP;
    if (fre && port_drive(p)) { /* the signature FIS waited for a place */
        send_d2h(p);
    }
    port_run(p);
}

static void port_set_sctl(AhciPort *p, uint32_t v)
{
    bool was = (p->s->scontrol & 15) == 1;
    p->s->scontrol = v & 0xfff;
    if (was && (v & 15) == 0) {     /* COMRESET is over */
        port_reset(p);
        if (port_drive(p)) {
            p->s->serr |= 0x04000000;   /* exchanged */
            port_event(p, IS_PCS);
        }
    }
}

static void port_write(AhciPort *p, unsigned reg, uint32_t v)
{
    AhciPortState *s = p->s;
    switch (reg) {
    case P_CLB: s->clb = v & ~0x3ffu; break;
    case P_CLBU: s->clbu = v; break;
    case P_FB: s->fb = v & ~0xffu; break;
    case P_FBU: s->fbu = v; break;
    case P_IS:
        s->is &= ~v;
        ahci_irq(p->d, false);
        break;
    case P_IE:
        s->ie = v & P_IE_MASK;
        ahci_irq(p->d, s->is & s->ie);
        break;
    case P_CMD: port_set_cmd(p, v); break;
    case P_SCTL: port_set_sctl(p, v); break;
    case P_SERR: s->serr &= ~v; break;
    case P_SACT: s->sact |= s->cmd & CMD_ST ? v : 0; break;
    case P_CI:
        s->ci |= s->cmd & CMD_ST ? v : 0;
        port_run(p);
        break;
    default: break;
    }
}

static void hba_reset(Ahci *d)
{
    for (unsigned i = 0; i < PORTS; i++) {
        AhciPort *p = &d->port[i];
        port_stop(p);
        *p->s = (AhciPortState){ .cmd = CMD_SUD | CMD_POD };
        port_reset(p);
    }
    d->s.ghc = GHC_AE;
    d->s.is = 0;
}

static uint64_t ahci_read(void *opaque, uint64_t addr, unsigned size)
{
    Ahci *d = opaque;
    if (addr >= PORT_BASE && addr < PORT_BASE + PORTS * PORT_SIZE) {
        addr -= PORT_BASE;
        return port_read(&d->port[addr / PORT_SIZE], addr % PORT_SIZE);
    }
    switch (addr) {
    case CAP: return CAP_VALUE;
    case GHC: return d->s.ghc;
    case IS: return d->s.is;
    case PI: return (1u << PORTS) - 1;
    case VS: return 0x00010300;
    default: return 0;
    }
}

static void ahci_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Ahci *d = opaque;
    uint32_t v = (uint32_t)val;
    if (addr >= PORT_BASE && addr < PORT_BASE + PORTS * PORT_SIZE) {
        addr -= PORT_BASE;
        port_write(&d->port[addr / PORT_SIZE], addr % PORT_SIZE, v);
    } else if (addr == GHC && (v & GHC_HR)) {
        hba_reset(d);
        ahci_irq(d, false);
    } else if (addr == GHC) {
        d->s.ghc = GHC_AE | (v & GHC_IE);
        ahci_irq(d, true);
    } else if (addr == IS) {
        d->s.is &= ~v;
        ahci_irq(d, true);      /* what is left makes a new message (10.6.2.1) */
    }
}

static const MemoryOps ahci_mem_ops = {
    .read = ahci_read, .write = ahci_write, .min_size = 4, .max_size = 4,
};

/* --- device --- */

static void ahci_reset(Device *dev)
{
    Ahci *d = (Ahci *)dev;
    hba_reset(d);
    pci_reset(&d->pci);
}

/* The drives have been reset by now, too: they are further down the tree. */
static void ahci_reset_lines(Device *dev)
{
    Ahci *d = (Ahci *)dev;
    for (unsigned i = 0; i < PORTS; i++) {
        port_reset(&d->port[i]);
    }
}

static bool ahci_realize(Device *dev, Error *err)
{
    Ahci *d = (Ahci *)dev;
    uint8_t *cfg = d->s.pci.config;
    cfg[0x90] = 0x40;               /* address map: AHCI mode */
    device_add_io(dev, &d->mr, "ahci", ABAR_SIZE, &ahci_mem_ops, d);
    pci_add_bar(&d->pci, 5, PCI_BAR_MEM32, &d->mr);
    d->pci.cap_end = 0x80;
    pci_add_msi(&d->pci, 1);
    for (unsigned i = 0; i < PORTS; i++) {
        char name[24];
        AhciPort *p = &d->port[i];
        *p = (AhciPort){ .d = d, .s = &d->s.port[i], .n = (uint8_t)i };
        snprintf(name, sizeof(name), "%.20s.%u", dev->id ? dev->id : "ahci", i);
        p->bus = ide_bus_create(dev, name, 1, &ahci_port_ops, p);
    }
    return true;
}

static bool ahci_pre_save(void *dev)
{
    Ahci *d = dev;
    for (unsigned i = 0; i < PORTS; i++) {
        port_drain(&d->port[i]);
    }
    return true;
}

static bool ahci_post_load(void *dev, Error *err)
{
    Ahci *d = dev;
    for (unsigned i = 0; i < PORTS; i++) {
        AhciPortState *s = &d->s.port[i];
        if (s->running) {
            return error_set(err, "port %u has a command in flight", i);
        }
        s->cmd &= CMD_ST | CMD_SUD | CMD_POD | CMD_FRE;
        s->clb &= ~0x3ffu;
        s->fb &= ~0xffu;
    }
    return pci_post_load(&d->pci, err);
}

static const StateField ahci_port_fields[] = {
    STATE_U32(AhciPortState, clb), STATE_U32(AhciPortState, clbu),
    STATE_U32(AhciPortState, fb), STATE_U32(AhciPortState, fbu),
    STATE_U32(AhciPortState, is), STATE_U32(AhciPortState, ie),
    STATE_U32(AhciPortState, cmd), STATE_U32(AhciPortState, tfd),
    STATE_U32(AhciPortState, sig), STATE_U32(AhciPortState, scontrol),
    STATE_U32(AhciPortState, serr), STATE_U32(AhciPortState, sact),
    STATE_U32(AhciPortState, ci), STATE_U8_MAX(AhciPortState, slot, SLOTS - 1),
    STATE_BOOL(AhciPortState, running), STATE_BOOL(AhciPortState, stopped),
    STATE_BOOL(AhciPortState, srst), STATE_END
};
static const StateDesc ahci_port_state = {
    .version = 1, .size = sizeof(AhciPortState), .fields = ahci_port_fields,
};
static const StateField ahci_fields[] = {
    STATE_SUB(AhciState, pci, pci_state), STATE_U32(AhciState, ghc),
    STATE_U32(AhciState, is), STATE_SUB_ARRAY(AhciState, port, ahci_port_state), STATE_END
};

static const Property ahci_props[] = { PCI_PROPS(Ahci), PROP_END };
static const char *const ahci_aliases[] = { "ahci", NULL };

const DeviceClass ich9_ahci_class = {
    .name = "ich9-ahci", .aliases = ahci_aliases, .desc = "AHCI controller, six SATA ports",
    .bus = BUS_PCI, .size = sizeof(Ahci), .props = ahci_props,
    .bus_data = &(const PciInfo){
        .vendor = 0x8086, .device = 0x2922, .class_code = 0x010601, .revision = 2,
        .subsys_vendor = 0x1af4, .subsys = 0x1100, .irq_pin = 1,
        .state_offset = offsetof(Ahci, s.pci),
    },
    .state = { .version = 1, .offset = offsetof(Ahci, s), .size = sizeof(AhciState),
               .fields = ahci_fields, .pre_save = ahci_pre_save,
               .post_load = ahci_post_load },
    .realize = ahci_realize, .reset = ahci_reset, .reset_lines = ahci_reset_lines,
};

Device *ich9_ahci_create(PciBus *bus, unsigned devfn, Error *err)
{
    Device *dev = device_create(bus->bus.machine, &ich9_ahci_class);
    dev->addr = devfn;
    dev->id = xstrdup("ide"); /* names the ports */
    return device_realize(dev, &bus->bus, err) ? dev : NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * virtio-net. VIRTIO 1.2, 5.1: one queue pair, mergeable receive buffers, link status, a
 * control queue for receive mode, MAC table, VLAN and MAC address. No checksum or
 * segmentation offload is offered: the backend takes plain frames. Machine lock held.
 */
#include "hw/virtio/devices.h"

#include <string.h>
#include "hw/core/netdev.h"
#include "hw/core/nondet.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "util/bytes.h"
#include "util/log.h"

enum { /* feature bits (5.1.3) */
    F_MAC = 5, F_MRG_RXBUF = 15, F_STATUS = 16, F_CTRL_VQ = 17, F_CTRL_RX = 18,
    F_CTRL_VLAN = 19, F_CTRL_RX_EXTRA = 20, F_CTRL_MAC_ADDR = 23,
};
enum { Q_RX, Q_TX, Q_CTRL };
enum { FRAME_MAX = 65536 + 14, HDR_MAX = 12, CONFIG_SIZE = 12, LINK_UP = 1 };
enum { /* control commands (5.1.6.5): class and command */
    C_RX = 0, C_MAC = 1, C_VLAN = 2, MAC_TABLE_SET = 0, MAC_ADDR_SET = 1,
    RX_COMMANDS = 6, CTRL_OK = 0, CTRL_ERR = 1, MAC_TABLE = 16,
};

typedef struct {
    PciState pci;
    VirtioState virtio;
    uint8_t mac[6];             /* what the driver set, or the property's */
    uint8_t rx_mode[RX_COMMANDS]; /* promisc, allmulti, alluni, nomulti, nouni, nobcast */
    uint8_t macs[MAC_TABLE * 6];/* filter table: addresses to take besides our own */
    uint8_t nmacs;
    bool table_overflow;        /* the driver gave more than fit: take all */
    uint8_t vlans[512];         /* a bit per VLAN, set: take */
} VirtioNetState;

typedef struct {
    VirtioPci vp;
    VirtioNetState s;
    NetBackend *netdev;         /* property */
    uint8_t mac[6];             /* property; all 0: made up */
    bool mrg_rxbuf, ctrl_vq, status;    /* properties */
    uint32_t bootindex, rx_size, tx_size;
    char *romfile;              /* property */
    bool rx_was_full;           /* a frame had to wait for buffers */
} VirtioNet;

static VirtioNet *net_of(VirtioDevice *v)
{
    return (VirtioNet *)virtio_pci_of(v);
}

/* 5.1.6: num_buffers is there in 1.x or with mergeable buffers. */
static unsigned net_hdr_size(const VirtioNet *d)
{
    const VirtioDevice *v = &d->vp.v;
    return virtio_has(v, VIRTIO_F_VERSION_1) || virtio_has(v, F_MRG_RXBUF) ? 12 : 10;
}

/* --- receive --- */

static bool net_rx_ready(const VirtioNet *d)
{
    const VirtioDevice *v = &d->vp.v;
    return (v->s->status & VIRTIO_S_DRIVER_OK) && v->vq[Q_RX].s->enabled &&
           !virtio_is_broken(v) && v->transport->may_dma((VirtioDevice *)v);
}

static bool net_can_receive(void *opaque)
{
    VirtioNet *d = opaque;
    if (!net_rx_ready(d)) {
        return false;
    }
    Virtqueue *vq = &d->vp.v.vq[Q_RX];
    if (!virtqueue_empty(vq)) {
        return true;
    }
    virtqueue_set_kick(vq, true);
    if (!virtqueue_empty(vq)) {
        return true;
    }
    d->rx_was_full = true;
    return false;
}

/* Frames not for us are dropped here as the driver asked (5.1.6.5.1 to .3). */
static bool net_wants(const VirtioNet *d, const uint8_t *f, size_t n)
{
    static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
    const VirtioNetState *s = &d->s;
    if (s->rx_mode[0]) {
        return true;
    }
    if (virtio_has(&d->vp.v, F_CTRL_VLAN) && n >= 16 && f[12] == 0x81 && f[13] == 0) {
        unsigned id = get_be16(f + 14) & 0xfff;
        if (!(s->vlans[id / 8] & (1u << (id % 8)))) {
            return false;
        }
    }
    if (!memcmp(f, broadcast, 6)) {
        return !s->rx_mode[5];
    }
    bool multi = f[0] & 1;
    if (s->rx_mode[multi ? 3 : 4]) {
        return false;
    }
    if (s->rx_mode[multi ? 1 : 2] || s->table_overflow || !memcmp(f, s->mac, 6)) {
        return true;
    }
    for (unsigned i = 0; i < s->nmacs; i++) {
        if (!memcmp(f, s->macs + 6 * i, 6)) {
            return true;
        }
    }
    return false;
}

/* Puts the frame in one buffer, or in several if they may be merged. Nothing is pushed
 * until all fits, so a frame without room can be dropped whole. */
static void net_deliver(VirtioNet *d, const uint8_t *frame, size_t n)
{
    enum { PIECES = 64 };
    Virtqueue *vq = &d->vp.v.vq[Q_RX];
    unsigned hdr_size = net_hdr_size(d), pieces = 0;
    bool merge = virtio_has(&d->vp.v, F_MRG_RXBUF);
    uint8_t hdr[HDR_MAX] = { 0 };
    VirtqElem *e[PIECES];
    uint32_t len[PIECES];
    size_t done = 0;
    bool ok = true;
    while (ok && (done < n || !pieces)) {
        if (pieces == (merge ? PIECES : 1) || !(e[pieces] = virtqueue_pop(vq))) {
            ok = false;
            break;
        }
        unsigned skip = pieces ? 0 : hdr_size;
        if (e[pieces]->in_len <= skip) {
            virtio_broken(&d->vp.v, "receive buffer of %zu bytes", e[pieces]->in_len);
            virtqueue_drop(e[pieces]);
            ok = false;
            break;
        }
        size_t k = virtq_elem_write(e[pieces], skip, frame + done, n - done);
        len[pieces++] = skip + k;
        done += k;
    }
    if (!ok) {
        while (pieces) {
            virtqueue_unpop(vq, e[--pieces]);
        }
        return;
    }
    put_le16(hdr + 10, pieces);
    virtq_elem_write(e[0], 0, hdr, hdr_size);
    for (unsigned i = 0; i < pieces; i++) {
        virtqueue_push(vq, e[i], len[i]);
    }
    virtqueue_notify(vq);
}

static void net_receive(void *opaque, const uint8_t *frame, size_t n)
{
    VirtioNet *d = opaque;
    if (net_rx_ready(d) && n >= 14 && n <= FRAME_MAX && net_wants(d, frame, n)) {
        net_deliver(d, frame, n);
    }
}

/* --- transmit --- */

static void net_transmit(VirtioNet *d, VirtqElem *e)
{
    uint8_t frame[FRAME_MAX];
    unsigned hdr = net_hdr_size(d);
    if (e->out_len <= hdr || e->out_len - hdr > sizeof(frame)) {
        log_guest_error("%s: frame of %zu bytes dropped\n", d->vp.pci.dev.path, e->out_len);
        return;
    }
    size_t n = virtq_elem_read(e, hdr, frame, e->out_len - hdr);
    if (d->netdev) {
        netdev_send(d->netdev, frame, n);
    }
}

static void net_tx(VirtioNet *d)
{
    Virtqueue *vq = &d->vp.v.vq[Q_TX];
    unsigned share = VIRTIO_SHARE;
    do {
        virtqueue_set_kick(vq, false);
        for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
            net_transmit(d, e);
            virtqueue_push(vq, e, 0);
        }
        virtqueue_set_kick(vq, true);
    } while (share && !virtqueue_empty(vq));
    virtqueue_notify(vq);
    if (!share) {
        virtio_queue_later(&d->vp.v, Q_TX);
    }
}

/* --- control queue --- */

static uint8_t ctrl_mac_table(VirtioNet *d, const VirtqElem *e)
{
    VirtioNetState *s = &d->s;
    size_t off = 2;
    unsigned kept = 0;
    bool over = false;
    for (unsigned table = 0; table < 2; table++) {  /* unicast, then multicast */
        uint8_t count[4];
        if (virtq_elem_read(e, off, count, 4) != 4) {
            return CTRL_ERR;
        }
        uint32_t n = get_le32(count);
        off += 4;
        if (n > (e->out_len - off) / 6) {
            return CTRL_ERR;
        }
        for (uint32_t i = 0; i < n; i++, off += 6) {
            if (kept == MAC_TABLE) {
                over = true;
            } else {
                virtq_elem_read(e, off, s->macs + 6 * kept++, 6);
            }
        }
    }
    s->nmacs = kept;
    s->table_overflow = over;
    return CTRL_OK;
}

static uint8_t ctrl_command(VirtioNet *d, const VirtqElem *e)
{
    VirtioNetState *s = &d->s;
    uint8_t cmd[2], arg[6] = { 0 };
    if (virtq_elem_read(e, 0, cmd, 2) != 2) {
        return CTRL_ERR;
    }
    size_t n = virtq_elem_read(e, 2, arg, sizeof(arg));
    if (cmd[0] == C_RX && cmd[1] < RX_COMMANDS && n >= 1) {
        s->rx_mode[cmd[1]] = arg[0] != 0;
        return CTRL_OK;
    }
    if (cmd[0] == C_MAC && cmd[1] == MAC_TABLE_SET) {
        return ctrl_mac_table(d, e);
    }
    if (cmd[0] == C_MAC && cmd[1] == MAC_ADDR_SET && n == 6) {
        memcpy(s->mac, arg, 6);
        return CTRL_OK;
    }
    if (cmd[0] == C_VLAN && cmd[1] < 2 && n >= 2) {
        unsigned id = get_le16(arg) & 0xfff;
        uint8_t bit = 1u << (id % 8);
        s->vlans[id / 8] = cmd[1] ? s->vlans[id / 8] & ~bit : s->vlans[id / 8] | bit;
        return CTRL_OK;
    }
    return CTRL_ERR;
}

static void net_ctrl(VirtioNet *d)
{
    Virtqueue *vq = &d->vp.v.vq[Q_CTRL];
    unsigned share = VIRTIO_SHARE;
    virtqueue_set_kick(vq, true);
    for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
        uint8_t ack = ctrl_command(d, e);
        size_t n = virtq_elem_write(e, 0, &ack, 1);
        virtqueue_push(vq, e, n);
        virtqueue_set_kick(vq, true);
    }
    virtqueue_notify(vq);
    if (!share) {
        virtio_queue_later(&d->vp.v, Q_CTRL);
    }
}

static void net_handle_queue(VirtioDevice *v, unsigned n)
{
    VirtioNet *d = net_of(v);
    switch (n) {
    case Q_RX:
        if (d->rx_was_full && d->netdev) {
            d->rx_was_full = false;
            netdev_flush(d->netdev);
        }
        break;
    case Q_TX:
        net_tx(d);
        break;
    default:
        net_ctrl(d);
        break;
    }
}

/* --- device --- */

static uint64_t net_features(VirtioDevice *v)
{
    const VirtioNet *d = net_of(v);
    uint64_t f = BIT(F_MAC);
    f |= d->mrg_rxbuf ? BIT(F_MRG_RXBUF) : 0;
    f |= d->status ? BIT(F_STATUS) : 0;
    f |= d->ctrl_vq ? BIT(F_CTRL_VQ) | BIT(F_CTRL_RX) | BIT(F_CTRL_VLAN) |
                      BIT(F_CTRL_RX_EXTRA) | BIT(F_CTRL_MAC_ADDR) : 0;
    return f;
}

static void net_get_config(VirtioDevice *v, uint8_t *cfg)
{
    const VirtioNet *d = net_of(v);
    memcpy(cfg, d->s.mac, 6);
    put_le16(cfg + 6, d->netdev ? LINK_UP : 0);
    put_le16(cfg + 8, 1); /* max_virtqueue_pairs */
}

/* Legacy drivers write the address here (5.1.4.3). */
static void net_set_config(VirtioDevice *v, unsigned off, uint32_t val, unsigned size)
{
    VirtioNet *d = net_of(v);
    for (unsigned i = 0; i < size && v->s->legacy; i++) {
        if (off + i < 6) {
            d->s.mac[off + i] = val >> (8 * i);
        }
    }
}

static void net_reset_op(VirtioDevice *v)
{
    VirtioNet *d = net_of(v);
    memcpy(d->s.mac, d->mac, 6);
    memset(d->s.rx_mode, 0, sizeof(d->s.rx_mode));
    d->s.rx_mode[0] = 1;        /* promiscuous until the driver says otherwise */
    memset(d->s.macs, 0, sizeof(d->s.macs));
    memset(d->s.vlans, 0, sizeof(d->s.vlans));
    d->s.nmacs = 0;
    d->s.table_overflow = false;
    d->rx_was_full = false;
}

static void net_driver_ok(VirtioDevice *v)
{
    VirtioNet *d = net_of(v);
    if (d->netdev) {
        netdev_flush(d->netdev);
    }
}

static const VirtioOps net_ops = {
    .name = "virtio-net", .id = VIRTIO_ID_NET, .config_size = CONFIG_SIZE,
    .features = net_features, .get_config = net_get_config, .set_config = net_set_config,
    .handle_queue = net_handle_queue, .reset = net_reset_op, .driver_ok = net_driver_ok,
};

/* 52:54:00 is the range virtual machines use by convention; the rest follows the slot, so
 * that a machine started twice has the same address. */
static void net_default_mac(VirtioNet *d)
{
    static const uint8_t none[6];
    if (!memcmp(d->mac, none, 6)) {
        memcpy(d->mac, (uint8_t[6]){ 0x52, 0x54, 0x00, 0x12, 0x34, 0x53 + (d->vp.pci.devfn >> 3) },
               6);
    }
}

static bool net_realize(Device *dev, Error *err)
{
    VirtioNet *d = (VirtioNet *)dev;
    net_default_mac(d);
    if ((d->rx_size & (d->rx_size - 1)) || (d->tx_size & (d->tx_size - 1))) {
        return error_set(err, "rx_queue_size and tx_queue_size must be powers of two");
    }
    if (d->romfile && *d->romfile) {
        return error_set(err, "romfile: %s is not accepted: there are no option ROMs (only "
                         "the empty romfile= is)", d->romfile);
    }
    if (!virtio_pci_init(&d->vp, &net_ops, &d->s.virtio, err)) {
        return false;
    }
    virtio_add_queue(&d->vp.v, d->rx_size);
    virtio_add_queue(&d->vp.v, d->tx_size);
    if (d->ctrl_vq) {
        virtio_add_queue(&d->vp.v, 64);
    }
    const NetClient client = { net_can_receive, net_receive, d };
    if (d->netdev && !netdev_attach(d->netdev, &client, err)) {
        d->netdev = NULL;
        return false;
    }
    return virtio_pci_finish(&d->vp, err);
}

static void net_unrealize(Device *dev)
{
    VirtioNet *d = (VirtioNet *)dev;
    if (d->netdev) {
        netdev_detach(d->netdev);
    }
}

/* Whatever made the backend wait before the load is forgotten: it asks again. */
static bool net_post_load(void *dev, Error *err)
{
    VirtioNet *d = dev;
    d->rx_was_full = true;
    return virtio_pci_post_load(dev, err);
}

#define NET_PROPS \
    PROP_LINK(VirtioNet, netdev, netdev_link, "ID of a -netdev"), \
    PROP_MAC(VirtioNet, mac, "Ethernet address; default 52:54:00:12:34:53 and slot"), \
    PROP_BOOL(VirtioNet, mrg_rxbuf, 1, "offer mergeable receive buffers"), \
    PROP_BOOL(VirtioNet, ctrl_vq, 1, "offer the control queue"), \
    PROP_BOOL(VirtioNet, status, 1, "offer link status"), \
    { "rx_queue_size", PK_U32, offsetof(VirtioNet, rx_size), 256, 64, VIRTQ_SIZE_MAX, NULL, \
      NULL, NULL, "entries of the receive queue" }, \
    { "tx_queue_size", PK_U32, offsetof(VirtioNet, tx_size), 256, 64, VIRTQ_SIZE_MAX, NULL, \
      NULL, NULL, "entries of the transmit queue" }, \
    PROP_STR(VirtioNet, romfile, NULL, "empty: no option ROM (there never is one)"), \
    PROP_U32(VirtioNet, bootindex, 0xffffffff, 0, 0, "place in the boot order")

static const Property net_props[] = { VIRTIO_PCI_PROPS(VirtioNet), NET_PROPS, PROP_END };
static const Property net_mmio_props[] = { VIRTIO_MMIO_PROPS(VirtioNet), NET_PROPS,
                                           PROP_END };

static const StateField net_fields[] = {
    STATE_SUB(VirtioNetState, pci, pci_state),
    STATE_SUB(VirtioNetState, virtio, virtio_state),
    STATE_BYTES(VirtioNetState, mac), STATE_BYTES(VirtioNetState, rx_mode),
    STATE_BYTES(VirtioNetState, macs), STATE_U8_MAX(VirtioNetState, nmacs, MAC_TABLE),
    STATE_BOOL(VirtioNetState, table_overflow), STATE_BYTES(VirtioNetState, vlans), STATE_END
};

static const char *const net_aliases[] = { "virtio-net", NULL };

const DeviceClass virtio_net_pci_class = {
    .name = "virtio-net-pci", .aliases = net_aliases, .desc = "virtio network card",
    .bus = BUS_PCI, .size = sizeof(VirtioNet), .props = net_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioNet, 0x1000, 0x020000) },
    .state = { .version = 1, .offset = offsetof(VirtioNet, s),
               .size = sizeof(VirtioNetState), .fields = net_fields,
               .pre_save = virtio_pci_pre_save, .post_load = net_post_load },
    .realize = net_realize, .unrealize = net_unrealize, .reset = virtio_pci_reset,
};

const DeviceClass virtio_net_device_class = {
    .name = "virtio-net-device", .desc = "virtio network card",
    .bus = BUS_VIRTIO, .size = sizeof(VirtioNet), .props = net_mmio_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioNet, 0x1000, 0x020000) },
    .state = { .version = 1, .offset = offsetof(VirtioNet, s),
               .size = sizeof(VirtioNetState), .fields = net_fields,
               .pre_save = virtio_pci_pre_save, .post_load = net_post_load },
    .realize = net_realize, .unrealize = net_unrealize, .reset = virtio_pci_reset,
};

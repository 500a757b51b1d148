/* SPDX-License-Identifier: MIT */
/*
 * virtio-serial and its ports. VIRTIO 1.2, 5.3: `virtio-serial-pci` is a bus for the ports
 * `virtconsole` and `virtserialport` (multiport, control queues); `virtio-console-pci` is
 * one console with nothing to plug. Emergency write is offered; the console's size is
 * not: a character backend has none. Machine lock held.
 */
#include "hw/virtio/devices.h"

#include <stdio.h>
#include <string.h>
#include "hw/core/chardev.h"
#include "hw/core/machine.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "util/bytes.h"
#include "util/log.h"

enum { F_MULTIPORT = 1, F_EMERG_WRITE = 2 }; /* 5.3.3 */
enum { PORTS_MAX = 31, QUEUE_SIZE = 128, CONFIG_SIZE = 12, EMERG_OFFSET = 8 };
enum { Q_CTRL_RX = 2, Q_CTRL_TX = 3 };
enum { /* control events (5.3.6.2) */
    EV_DEVICE_READY = 0, EV_DEVICE_ADD = 1, EV_PORT_READY = 3, EV_CONSOLE_PORT = 4,
    EV_PORT_OPEN = 6, EV_PORT_NAME = 7, CTRL_SIZE = 8, CTRL_FIFO = 160,
};

typedef struct {
    PciState pci;
    VirtioState virtio;
    uint32_t guest_open;            /* bit per port: the guest has it open */
    uint8_t fifo[CTRL_FIFO * CTRL_SIZE]; /* control messages that wait for buffers */
    uint32_t fifo_len;              /* messages */
} VirtioSerialState;

typedef struct VirtioSerial VirtioSerial;

typedef struct {
    VirtioSerial *vs;               /* NULL: no such port */
    unsigned nr;
    CharBackend *chr;
    const char *name;
    bool console;
} VserPort;

struct VirtioSerial {
    VirtioPci vp;
    VirtioSerialState s;
    VserPort ports[PORTS_MAX];
    uint32_t max_ports;             /* property */
    CharBackend *chardev;           /* property of virtio-console-pci */
    bool multiport;
};

static VirtioSerial *vs_of(VirtioDevice *v)
{
    return (VirtioSerial *)virtio_pci_of(v);
}

static unsigned port_rx_queue(unsigned nr)
{
    return nr ? 2 * nr + 2 : 0;
}

static bool port_live(const VserPort *p)
{
    const VirtioSerial *d = p->vs;
    const VirtioDevice *v = &d->vp.v;
    bool multi = virtio_has(v, F_MULTIPORT);
    return (v->s->status & VIRTIO_S_DRIVER_OK) && !virtio_is_broken(v) &&
           v->transport->may_dma((VirtioDevice *)v) &&
           (!multi ? p->nr == 0 : p->console || (d->s.guest_open & (1u << p->nr)));
}

/* --- host to guest --- */

static size_t port_can_receive(void *opaque)
{
    VserPort *p = opaque;
    Virtqueue *vq = &p->vs->vp.v.vq[port_rx_queue(p->nr)];
    if (!port_live(p)) {
        return 0;
    }
    virtqueue_set_kick(vq, true);
    VirtqElem *e = virtqueue_pop(vq);
    if (!e) {
        return 0;
    }
    size_t n = e->in_len;
    virtqueue_unpop(vq, e);
    return n;
}

static void port_receive(void *opaque, const uint8_t *buf, size_t n)
{
    VserPort *p = opaque;
    Virtqueue *vq = &p->vs->vp.v.vq[port_rx_queue(p->nr)];
    while (n && port_live(p)) {
        VirtqElem *e = virtqueue_pop(vq);
        if (!e) {
            break;
        }
        size_t k = virtq_elem_write(e, 0, buf, n);
        virtqueue_push(vq, e, k);
        buf += k;
        n -= k;
        if (k == 0) {
            break;
        }
    }
    virtqueue_notify(vq);
}

/* --- guest to host --- */

static void port_transmit(VserPort *p, Virtqueue *vq)
{
    unsigned share = VIRTIO_SHARE;
    virtqueue_set_kick(vq, true);
    for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
        for (unsigned i = 0; i < e->nout && p->vs && p->chr; i++) {
            chardev_write(p->chr, e->out[i].iov_base, e->out[i].iov_len);
        }
        virtqueue_push(vq, e, 0);
        virtqueue_set_kick(vq, true);
    }
    virtqueue_notify(vq);
    if (!share) {
        virtio_queue_later(vq->vdev, vq->index);
    }
}

/* --- control queues --- */

static void ctrl_flush(VirtioSerial *d)
{
    VirtioSerialState *s = &d->s;
    Virtqueue *vq = &d->vp.v.vq[Q_CTRL_RX];
    unsigned sent = 0;
    for (VirtqElem *e; sent < s->fifo_len && (e = virtqueue_pop(vq)); sent++) {
        uint8_t msg[CTRL_SIZE + 64];
        size_t n = CTRL_SIZE;
        memcpy(msg, s->fifo + sent * CTRL_SIZE, CTRL_SIZE);
        unsigned nr = get_le32(msg);
        if (get_le16(msg + 4) == EV_PORT_NAME && nr < PORTS_MAX && d->ports[nr].name) {
            size_t len = strnlen(d->ports[nr].name, sizeof(msg) - CTRL_SIZE);
            memcpy(msg + CTRL_SIZE, d->ports[nr].name, len);
            n += len;
        }
        virtqueue_push(vq, e, virtq_elem_write(e, 0, msg, n));
    }
    memmove(s->fifo, s->fifo + sent * CTRL_SIZE, (s->fifo_len - sent) * CTRL_SIZE);
    s->fifo_len -= sent;
    if (sent) {
        virtqueue_notify(vq);
    }
}

static void ctrl_send(VirtioSerial *d, unsigned nr, uint16_t event, uint16_t value)
{
    VirtioSerialState *s = &d->s;
    if (s->fifo_len == CTRL_FIFO) {
        log_guest_error("%s: control message lost\n", d->vp.pci.dev.path);
        return;
    }
    uint8_t *msg = s->fifo + CTRL_SIZE * s->fifo_len++;
    put_le32(msg, nr);
    put_le16(msg + 4, event);
    put_le16(msg + 6, value);
}

static void ctrl_port_ready(VirtioSerial *d, const VserPort *p)
{
    if (p->console) {
        ctrl_send(d, p->nr, EV_CONSOLE_PORT, 1);
    }
    if (p->name) {
        ctrl_send(d, p->nr, EV_PORT_NAME, 1);
    }
    ctrl_send(d, p->nr, EV_PORT_OPEN, 1);
}

static void ctrl_message(VirtioSerial *d, const VirtqElem *e)
{
    uint8_t msg[CTRL_SIZE];
    if (virtq_elem_read(e, 0, msg, CTRL_SIZE) != CTRL_SIZE) {
        return;
    }
    uint32_t nr = get_le32(msg);
    uint16_t event = get_le16(msg + 4), value = get_le16(msg + 6);
    if (event == EV_DEVICE_READY) {
        for (unsigned i = 0; i < PORTS_MAX && value; i++) {
            if (d->ports[i].vs) {
                ctrl_send(d, i, EV_DEVICE_ADD, 1);
            }
        }
        return;
    }
    if (nr >= PORTS_MAX || !d->ports[nr].vs) {
        return;
    }
    VserPort *p = &d->ports[nr];
    if (event == EV_PORT_READY && value) {
        ctrl_port_ready(d, p);
    } else if (event == EV_PORT_OPEN) {
        d->s.guest_open &= ~(1u << nr);
        if (value) {
            d->s.guest_open |= 1u << nr;
            chardev_accept_input(p->chr);
        }
    }
}

static void ctrl_handle(VirtioSerial *d)
{
    Virtqueue *vq = &d->vp.v.vq[Q_CTRL_TX];
    unsigned share = VIRTIO_SHARE;
    virtqueue_set_kick(vq, true);
    for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
        ctrl_message(d, e);
        virtqueue_push(vq, e, 0);
        virtqueue_set_kick(vq, true);
    }
    virtqueue_notify(vq);
    ctrl_flush(d);
    if (!share) {
        virtio_queue_later(&d->vp.v, Q_CTRL_TX);
    }
}

static void vs_handle_queue(VirtioDevice *v, unsigned n)
{
    VirtioSerial *d = vs_of(v);
    if (d->multiport && n == Q_CTRL_RX) {
        ctrl_flush(d);
        return;
    }
    if (d->multiport && n == Q_CTRL_TX) {
        ctrl_handle(d);
        return;
    }
    VserPort *p = &d->ports[n < 2 ? 0 : n / 2 - 1];
    if (n & 1) {
        port_transmit(p, &v->vq[n]);
    } else if (p->vs && p->chr) {
        chardev_accept_input(p->chr);
    }
}

/* --- device --- */

static uint64_t vs_features(VirtioDevice *v)
{
    return BIT(F_EMERG_WRITE) | (vs_of(v)->multiport ? BIT(F_MULTIPORT) : 0);
}

static void vs_get_config(VirtioDevice *v, uint8_t *cfg)
{
    put_le32(cfg + 4, vs_of(v)->multiport ? vs_of(v)->max_ports : 1);
}

static void vs_set_config(VirtioDevice *v, unsigned off, uint32_t val, unsigned size)
{
    VserPort *p = &vs_of(v)->ports[0];
    uint8_t c = val;
    if (off == EMERG_OFFSET && p->vs && p->console) {
        chardev_write(p->chr, &c, 1);
    }
}

static void vs_reset_op(VirtioDevice *v)
{
    VirtioSerial *d = vs_of(v);
    d->s.guest_open = 0;
    d->s.fifo_len = 0;
    memset(d->s.fifo, 0, sizeof(d->s.fifo));
}

static void vs_driver_ok(VirtioDevice *v)
{
    VirtioSerial *d = vs_of(v);
    if (d->ports[0].vs) {
        chardev_accept_input(d->ports[0].chr);
    }
}

static const VirtioOps vs_ops = {
    .name = "virtio-serial", .id = VIRTIO_ID_CONSOLE, .config_size = CONFIG_SIZE,
    .features = vs_features, .get_config = vs_get_config, .set_config = vs_set_config,
    .handle_queue = vs_handle_queue, .reset = vs_reset_op, .driver_ok = vs_driver_ok,
};

static bool port_attach(VirtioSerial *d, VserPort *p, CharBackend *chr, Error *err)
{
    const CharClient client = {
        .can_receive = port_can_receive, .receive = port_receive, .opaque = p,
    };
    p->vs = d;
    if (chr && !chardev_attach(chr, &client, err)) {
        p->vs = NULL;
        return false;
    }
    p->chr = chr;
    return true;
}

static void port_detach(VserPort *p)
{
    if (p->vs && p->chr) {
        chardev_detach(p->chr, p);
    }
    *p = (VserPort){ .nr = p->nr };
}

static bool vs_realize_common(VirtioSerial *d, unsigned queues, Error *err)
{
    for (unsigned i = 0; i < PORTS_MAX; i++) {
        d->ports[i].nr = i;
    }
    /* One vector for configuration and one for all queues serves any driver. */
    if (d->vp.vectors == VIRTIO_VECTORS_AUTO && d->multiport) {
        d->vp.vectors = 2;
    }
    if (!virtio_pci_init(&d->vp, &vs_ops, &d->s.virtio, err)) {
        return false;
    }
    for (unsigned i = 0; i < queues; i++) {
        virtio_add_queue(&d->vp.v, QUEUE_SIZE);
    }
    return virtio_pci_finish(&d->vp, err);
}

static const StateField vs_fields[] = {
    STATE_SUB(VirtioSerialState, pci, pci_state),
    STATE_SUB(VirtioSerialState, virtio, virtio_state),
    STATE_U32(VirtioSerialState, guest_open), STATE_BYTES(VirtioSerialState, fifo),
    STATE_U32_MAX(VirtioSerialState, fifo_len, CTRL_FIFO), STATE_END
};

#define VSERIAL_STATE \
    { .version = 1, .offset = offsetof(VirtioSerial, s), \
      .size = sizeof(VirtioSerialState), .fields = vs_fields, \
      .pre_save = virtio_pci_pre_save, .post_load = virtio_pci_post_load }

/* --- virtio-console-pci: one piece --- */

static bool vc_realize(Device *dev, Error *err)
{
    VirtioSerial *d = (VirtioSerial *)dev;
    if (!vs_realize_common(d, 2, err)) {
        return false;
    }
    d->ports[0].console = true;
    return port_attach(d, &d->ports[0], d->chardev, err);
}

static void vc_unrealize(Device *dev)
{
    port_detach(&((VirtioSerial *)dev)->ports[0]);
}

static const Property vc_props[] = {
    VIRTIO_PCI_PROPS(VirtioSerial),
    PROP_LINK(VirtioSerial, chardev, chardev_link, "ID of a -chardev"),
    PROP_END
};
static const char *const vc_aliases[] = { "virtio-console", NULL };

const DeviceClass virtio_console_pci_class = {
    .name = "virtio-console-pci", .aliases = vc_aliases, .desc = "virtio console, one piece",
    .bus = BUS_PCI, .size = sizeof(VirtioSerial), .props = vc_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioSerial, 0x1003, 0x078000) },
    .state = VSERIAL_STATE,
    .realize = vc_realize, .unrealize = vc_unrealize, .reset = virtio_pci_reset,
};

/* --- virtio-serial-pci: the bus --- */

static bool vser_plug(Bus *bus, Device *dev, Error *err);

static const BusClass vser_bus_class = {
    .name = "virtio-serial-bus", .kind = BUS_VSERIAL, .plug = vser_plug,
};

static bool vs_realize(Device *dev, Error *err)
{
    VirtioSerial *d = (VirtioSerial *)dev;
    char name[32];
    d->multiport = true;
    if (!vs_realize_common(d, 2 * (d->max_ports + 1), err)) {
        return false;
    }
    snprintf(name, sizeof(name), "%.20s.0", dev->id ? dev->id : "virtio-serial");
    bus_create(dev->machine, dev, &vser_bus_class, name, sizeof(Bus));
    return true;
}

static const Property vs_props[] = {
    VIRTIO_PCI_PROPS(VirtioSerial),
    PROP_U32(VirtioSerial, max_ports, 8, 1, PORTS_MAX, "ports that can be plugged"),
    PROP_END
};
static const Property vs_mmio_props[] = {
    VIRTIO_MMIO_PROPS(VirtioSerial),
    PROP_U32(VirtioSerial, max_ports, 8, 1, PORTS_MAX, "ports that can be plugged"),
    PROP_END
};
static const char *const vs_aliases[] = { "virtio-serial", NULL };

const DeviceClass virtio_serial_pci_class = {
    .name = "virtio-serial-pci", .aliases = vs_aliases,
    .desc = "virtio serial ports (virtconsole, virtserialport)",
    .bus = BUS_PCI, .size = sizeof(VirtioSerial), .props = vs_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioSerial, 0x1003, 0x078000) },
    .state = VSERIAL_STATE,
    .realize = vs_realize, .reset = virtio_pci_reset,
};

const DeviceClass virtio_serial_device_class = {
    .name = "virtio-serial-device",
    .desc = "virtio serial ports (virtconsole, virtserialport)",
    .bus = BUS_VIRTIO, .size = sizeof(VirtioSerial), .props = vs_mmio_props,
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioSerial, 0x1003, 0x078000) },
    .state = VSERIAL_STATE,
    .realize = vs_realize, .reset = virtio_pci_reset,
};

/* --- ports --- */

typedef struct {
    Device dev;
    CharBackend *chardev;   /* property */
    char *name;             /* property */
    uint32_t nr;            /* property; NR_AUTO: the next */
} VserPortDev;

enum { NR_AUTO = 255 };

/* Port 0 is for a console: old drivers know no other (5.3.5). */
static bool vser_plug(Bus *bus, Device *dev, Error *err)
{
    VirtioSerial *d = (VirtioSerial *)bus->owner;
    VserPortDev *pd = (VserPortDev *)dev;
    bool console = dev->cls == &virtconsole_class;
    unsigned nr = pd->nr;
    if (nr == NR_AUTO) {
        for (nr = console ? 0 : 1; nr < d->max_ports && d->ports[nr].vs; nr++) {
        }
    }
    if (nr >= d->max_ports || d->ports[nr].vs) {
        return error_set(err, "nr: port %u of %s is %s", nr, bus->name,
                         nr >= d->max_ports ? "out of range (max_ports)" : "taken");
    }
    pd->nr = nr;
    dev->addr = nr;
    return true;
}

static VserPort *port_of(VserPortDev *pd)
{
    return &((VirtioSerial *)pd->dev.parent->owner)->ports[pd->nr];
}

static bool port_realize(Device *dev, Error *err)
{
    VserPortDev *pd = (VserPortDev *)dev;
    VserPort *p = port_of(pd);
    p->console = dev->cls == &virtconsole_class;
    p->name = pd->name;
    return port_attach((VirtioSerial *)dev->parent->owner, p, pd->chardev, err);
}

static void port_unrealize(Device *dev)
{
    port_detach(port_of((VserPortDev *)dev));
}

static const Property port_props[] = {
    PROP_LINK(VserPortDev, chardev, chardev_link, "ID of a -chardev"),
    PROP_STR(VserPortDev, name, NULL, "name the guest sees (/dev/virtio-ports/NAME)"),
    PROP_U32(VserPortDev, nr, NR_AUTO, 0, NR_AUTO, "port number; 255 = the next"),
    PROP_END
};

const DeviceClass virtconsole_class = {
    .name = "virtconsole", .desc = "console port of virtio-serial", .bus = BUS_VSERIAL,
    .size = sizeof(VserPortDev), .props = port_props,
    .realize = port_realize, .unrealize = port_unrealize,
};

const DeviceClass virtserialport_class = {
    .name = "virtserialport", .desc = "data port of virtio-serial", .bus = BUS_VSERIAL,
    .size = sizeof(VserPortDev), .props = port_props,
    .realize = port_realize, .unrealize = port_unrealize,
};

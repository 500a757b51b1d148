/* SPDX-License-Identifier: MIT */
/* USB 2.0, chapter 9: standard requests and descriptors; the bus. Machine lock held. */
#include "hw/usb/usb.h"
#include <stdio.h>
#include <string.h>
#include "hw/core/machine.h"

enum { /* 9.4 */
    RQ_GET_STATUS = 0, RQ_CLEAR_FEATURE = 1, RQ_SET_FEATURE = 3, RQ_SET_ADDRESS = 5,
    RQ_GET_DESCRIPTOR = 6, RQ_GET_CONFIGURATION = 8, RQ_SET_CONFIGURATION = 9,
    RQ_GET_INTERFACE = 10, RQ_SET_INTERFACE = 11,
};
enum { DT_DEVICE = 1, DT_CONFIG = 2, DT_STRING = 3 };
enum { FEATURE_HALT = 0, FEATURE_WAKEUP = 1 };
enum { TO_HOST = 0x80, FOR_DEVICE = 0, FOR_INTERFACE = 1, FOR_ENDPOINT = 2 };

static const StateField device_fields[] = {
    STATE_U8(UsbDeviceState, configuration), STATE_BOOL(UsbDeviceState, remote_wakeup),
    STATE_U32(UsbDeviceState, halted), STATE_END
};
const StateDesc usb_device_state = {
    .version = 1, .size = sizeof(UsbDeviceState), .fields = device_fields,
};

static unsigned ep_bit(uint8_t ep)
{
    return (ep & 15u) * 2 + (ep >> 7);
}

void usb_halt(UsbDevice *d, uint8_t ep)
{
    d->s->halted |= 1u << ep_bit(ep);
}

/* ---- descriptors (9.5, 9.6.7) ---- */

static int put(const UsbSetup *s, uint8_t *to, const uint8_t *from, unsigned n)
{
    n = MIN(n, (unsigned)s->length);
    memcpy(to, from, n);
    return (int)n;
}

static int get_string(const UsbDevice *d, const UsbSetup *s, uint8_t *data)
{
    static const uint8_t languages[4] = { 4, DT_STRING, 0x09, 0x04 }; /* English (US) */
    unsigned index = s->value & 0xff, n = 0;
    uint8_t out[2 + 2 * 64];
    if (index == 0) {
        return put(s, data, languages, sizeof(languages));
    }
    while (d->ops->strings[n] && n + 1 < index) {
        n++;
    }
    const char *text = d->ops->strings[n];
    if (!text) {
        return USB_STALL;
    }
    if (!*text) {
        text = d->serial ? d->serial : "1";
    }
    unsigned len = (unsigned)MIN(strlen(text), 64u);
    out[0] = (uint8_t)(2 + 2 * len);
    out[1] = DT_STRING;
    for (unsigned i = 0; i < len; i++) { /* UTF-16LE */
        out[2 + 2 * i] = (uint8_t)text[i];
        out[3 + 2 * i] = 0;
    }
    return put(s, data, out, 2 + 2 * len);
}

static int get_descriptor(const UsbDevice *d, const UsbSetup *s, uint8_t *data)
{
    switch (s->value >> 8) {
    case DT_DEVICE:
        return put(s, data, d->ops->device, 18);
    case DT_CONFIG:
        return s->value & 0xff ? USB_STALL : put(s, data, d->ops->config, d->ops->config_size);
    case DT_STRING:
        return get_string(d, s, data);
    default:
        return USB_STALL; /* qualifier, other speed, BOS: it runs at one speed only */
    }
}

/* ---- requests (9.4) ---- */

static int get_status(const UsbDevice *d, const UsbSetup *s, uint8_t *data)
{
    uint8_t status[2] = { 0 };
    unsigned to = s->type & 0x1f;
    if (to == FOR_DEVICE) {
        status[0] = (d->ops->config[7] >> 6 & 1) | (d->s->remote_wakeup ? 2 : 0);
    } else if (to == FOR_ENDPOINT) {
        status[0] = d->s->halted >> ep_bit((uint8_t)s->index) & 1;
    }
    return put(s, data, status, 2);
}

static int feature(UsbDevice *d, const UsbSetup *s, bool set)
{
    unsigned to = s->type & 0x1f;
    if (to == FOR_DEVICE && s->value == FEATURE_WAKEUP) {
        d->s->remote_wakeup = set;
        return 0;
    }
    if (to == FOR_ENDPOINT && s->value == FEATURE_HALT) {
        uint32_t bit = 1u << ep_bit((uint8_t)s->index);
        d->s->halted = set ? d->s->halted | bit : d->s->halted & ~bit;
        return 0;
    }
    return USB_STALL;
}

static void configure(UsbDevice *d, uint8_t n)
{
    d->s->configuration = n;
    d->s->halted = 0;
    if (d->ops->configured) {
        d->ops->configured(d, n != 0);
    }
}

static int standard(UsbDevice *d, const UsbSetup *s, uint8_t *data)
{
    switch (s->request) {
    case RQ_GET_STATUS:
        return get_status(d, s, data);
    case RQ_CLEAR_FEATURE:
    case RQ_SET_FEATURE:
        return feature(d, s, s->request == RQ_SET_FEATURE);
    case RQ_SET_ADDRESS:
        return 0;               /* the controller knows the device by its port */
    case RQ_GET_DESCRIPTOR:
        if ((s->type & 0x1f) != FOR_DEVICE) {
            return d->ops->request(d, s, data);
        }
        return get_descriptor(d, s, data);
    case RQ_GET_CONFIGURATION:
        return put(s, data, &d->s->configuration, 1);
    case RQ_SET_CONFIGURATION:
        if (s->value > 1) {
            return USB_STALL;
        }
        configure(d, (uint8_t)s->value);
        return 0;
    case RQ_GET_INTERFACE:
        return put(s, data, (const uint8_t[]){ 0 }, 1);
    case RQ_SET_INTERFACE:
        return s->value ? USB_STALL : 0;
    default:
        return USB_STALL;
    }
}

int usb_control(UsbDevice *d, const uint8_t setup[8], uint8_t *data)
{
    const UsbSetup s = { setup[0], setup[1], (uint16_t)(setup[2] | setup[3] << 8),
                         (uint16_t)(setup[4] | setup[5] << 8),
                         (uint16_t)(setup[6] | setup[7] << 8) };
    if (s.length > USB_CONTROL_MAX) {
        return USB_STALL;
    }
    return s.type >> 5 & 3 ? d->ops->request(d, &s, data) : standard(d, &s, data);
}

int usb_packet(UsbDevice *d, UsbPacket *p)
{
    p->moved = 0;
    if (!d->s->configuration || d->s->halted >> ep_bit(p->ep) & 1) {
        return USB_STALL;
    }
    return d->ops->packet(d, p);
}

void usb_drain(UsbDevice *d)
{
    if (d->ops->drain) {
        d->ops->drain(d);
    }
}

void usb_reset_device(UsbDevice *d)
{
    usb_drain(d);
    d->s->remote_wakeup = false;
    configure(d, 0);
}

/* ---- bus ---- */

static bool bus_plug(Bus *b, Device *dev, Error *err)
{
    UsbBus *bus = (UsbBus *)b;
    UsbDevice *d = (UsbDevice *)dev;
    unsigned port = d->port;
    if (!port) {
        for (port = 1; port <= bus->ports && bus->at[port]; port++) {
        }
    }
    if (port > bus->ports) {
        return error_set(err, "port: bus %s has %u ports", b->name, bus->ports);
    }
    if (bus->at[port]) {
        return error_set(err, "port: %u of bus %s is taken by %s", port, b->name,
                         bus->at[port]->dev.cls->name);
    }
    d->port = port;
    d->bus = bus;
    bus->at[port] = d;
    dev->addr = (int)port;
    return true;
}

static void bus_unplug(Bus *b, Device *dev)
{
    UsbBus *bus = (UsbBus *)b;
    UsbDevice *d = (UsbDevice *)dev;
    if (d->port && d->port <= USB_PORTS && bus->at[d->port] == d) {
        bus->at[d->port] = NULL;
    }
}

static bool bus_plugged(Bus *b, Device *dev, Error *err)
{
    UsbBus *bus = (UsbBus *)b;
    bus->attached(bus->hc, (UsbDevice *)dev);
    return true;
}

static bool bus_full(const Bus *b)
{
    const UsbBus *bus = (const UsbBus *)b;
    for (unsigned i = 1; i <= bus->ports; i++) {
        if (!bus->at[i]) {
            return false;
        }
    }
    return true;
}

const BusClass usb_bus_class = {
    .name = "USB", .kind = BUS_USB, .plug = bus_plug, .unplug = bus_unplug,
    .plugged = bus_plugged, .full = bus_full,
};

UsbBus *usb_bus_create(Device *owner, const char *name, unsigned ports)
{
    UsbBus *bus = (UsbBus *)bus_create(owner->machine, owner, &usb_bus_class, name,
                                       sizeof(UsbBus));
    bus->ports = MIN(ports, (unsigned)USB_PORTS);
    return bus;
}

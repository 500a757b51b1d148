/* SPDX-License-Identifier: MIT */
/*
 * USB devices and the bus they sit on (Universal Serial Bus Specification 2.0, chapter 9).
 * The host controller moves packets between the guest's memory and a device, one at a time
 * for an endpoint; the standard requests are answered in usb.c for all. A device says with
 * usb_ready that an endpoint that had nothing has something now. Machine lock held.
 */
#ifndef HW_USB_USB_H
#define HW_USB_USB_H

#include "hw/core/device.h"

typedef struct UsbDevice UsbDevice;
typedef struct UsbBus UsbBus;

enum { /* results; a request's good result is the number of bytes */
    USB_OK = 0, USB_NAK = -1, USB_STALL = -2, USB_ASYNC = -3,
};
enum UsbSpeed { USB_FULL = 1, USB_LOW = 2, USB_HIGH = 3 }; /* as PORTSC has them */
enum { USB_PORTS = 30, USB_CONTROL_MAX = 4096 };

typedef struct UsbPacket {
    uint8_t ep;                 /* endpoint's address: bit 7 set = to the host */
    uint8_t *buf;               /* valid until done */
    uint32_t len, moved;        /* bytes wanted, bytes there were */
    void (*done)(struct UsbPacket *p, int result);  /* once, after USB_ASYNC */
} UsbPacket;

typedef struct UsbSetup {
    uint8_t type, request;      /* bmRequestType, bRequest (9.3) */
    uint16_t value, index, length;
} UsbSetup;

/* What a kind of device is. */
typedef struct UsbOps {
    enum UsbSpeed speed;
    const uint8_t *device;      /* descriptor, 18 bytes */
    const uint8_t *config;      /* configuration descriptor with all that belongs to it */
    unsigned config_size;
    const char *const *strings; /* from index 1 on, NULL-ended; "" = the device's serial */
    /* Requests of class or to interfaces: data has `length` bytes. Returns bytes or
     * USB_STALL. */
    int (*request)(UsbDevice *d, const UsbSetup *s, uint8_t *data);
    int (*packet)(UsbDevice *d, UsbPacket *p);
    void (*configured)(UsbDevice *d, bool on);  /* optional */
    void (*drain)(UsbDevice *d);                /* optional: nothing is in flight after it */
} UsbOps;

/* Saved. */
typedef struct UsbDeviceState {
    uint8_t configuration;
    bool remote_wakeup;
    uint32_t halted;            /* bit 2 * n + (1 to the host): endpoint n */
} UsbDeviceState;
extern const StateDesc usb_device_state;

struct UsbDevice {
    Device dev;                 /* first */
    const UsbOps *ops;
    UsbDeviceState *s;
    UsbBus *bus;
    uint32_t port;              /* property: 1 .. ports, 0: the first free one */
    char *serial;               /* property or NULL */
};

#define USB_PROPS(T) \
    { "port", PK_U32, offsetof(T, usb.port), 0, 0, USB_PORTS, NULL, NULL, NULL, \
      "port of the bus, from 1; 0: the first free one" }, \
    { "serial", PK_STR, offsetof(T, usb.serial), 0, 0, 0, NULL, NULL, NULL, "serial number" }

struct UsbBus {
    Bus bus;                    /* first */
    unsigned ports;
    UsbDevice *at[USB_PORTS + 1];   /* by port, from 1 */
    /* The host controller's: an endpoint has something; a device came (is plugged). */
    void (*ready)(void *hc, UsbDevice *d, uint8_t ep);
    void (*attached)(void *hc, UsbDevice *d);
    void *hc;
};
extern const BusClass usb_bus_class;

/* --- for host controllers --- */
UsbBus *usb_bus_create(Device *owner, const char *name, unsigned ports);
/* The control endpoint: data has setup's wLength bytes (at most USB_CONTROL_MAX). Returns
 * bytes for the host, or USB_STALL. */
int usb_control(UsbDevice *d, const uint8_t setup[8], uint8_t *data);
int usb_packet(UsbDevice *d, UsbPacket *p);
void usb_reset_device(UsbDevice *d);    /* bus reset (9.1.1.3); drains */
void usb_drain(UsbDevice *d);

/* --- for devices --- */
static inline void usb_ready(UsbDevice *d, uint8_t ep)
{
    if (d->bus) {
        d->bus->ready(d->bus->hc, d, ep);
    }
}
void usb_halt(UsbDevice *d, uint8_t ep);        /* it stalls until the host clears it */

extern const DeviceClass qemu_xhci_class, usb_kbd_class, usb_mouse_class, usb_tablet_class,
    usb_storage_class;

#endif

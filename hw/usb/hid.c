/* SPDX-License-Identifier: MIT */
/*
 * USB keyboard, mouse and tablet: Device Class Definition for Human Interface Devices 1.11,
 * boot protocol (appendix B) and report descriptors (appendix E). Events wait in a fifo; a
 * packet takes one of them, so that no short press is lost. The sink takes events only while
 * a driver has configured the device: until then keys go to the PS/2 keyboard. Reports are
 * sent on change only (SET_IDLE is kept, not obeyed). Machine lock held.
 */
#include <string.h>
#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "hw/usb/hid_keys.h"
#include "hw/usb/usb.h"

enum { RQ_GET_REPORT = 1, RQ_GET_IDLE = 2, RQ_GET_PROTOCOL = 3, RQ_SET_REPORT = 9,
       RQ_SET_IDLE = 10, RQ_SET_PROTOCOL = 11, RQ_GET_DESCRIPTOR = 6 };
enum { DT_HID = 0x21, DT_REPORT = 0x22 };
enum { FIFO = 64, EP_IN = 0x81, HID_AT = 18 /* of the HID descriptor in the configuration */ };
enum HidKind { HID_KEYBOARD, HID_MOUSE, HID_TABLET };

/* Keyboard: code = usage, value = down. Pointer: what the report shall be. */
typedef struct HidEvent {
    uint8_t code, value;
    uint8_t buttons;
    uint16_t x, y;              /* tablet: 0 to 32767; mouse: signed, what is left to move */
    uint16_t wheel;             /* signed */
} HidEvent;

typedef struct HidState {
    UsbDeviceState usb;
    uint8_t protocol, idle, leds;
    uint8_t report[8];          /* keyboard: as sent last */
    uint8_t buttons;            /* pointer: as they are now */
    uint8_t last_buttons;       /* as sent last, with x and y */
    uint16_t last_x, last_y;
    uint32_t head, count;
    HidEvent fifo[FIFO];
} HidState;

typedef struct Hid {
    UsbDevice usb;              /* first */
    HidState s;
    enum HidKind kind;
    InputSink sink;
    bool active;
} Hid;

/* ---- descriptors ---- */

/* clang-format off: rows */
static const uint8_t keyboard_report[] = {  /* HID 1.11, E.6 */
    0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,     /* generic desktop, keyboard, application */
    0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, /* modifiers */
    0x75, 0x01, 0x95, 0x08, 0x81, 0x02,
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,     /* reserved byte */
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, /* LEDs */
    0x95, 0x01, 0x75, 0x03, 0x91, 0x01,
    0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x26, 0xff, 0x00,       /* six keys */
    0x05, 0x07, 0x19, 0x00, 0x29, 0xff, 0x81, 0x00, 0xc0,
};
static const uint8_t mouse_report[] = {     /* E.10, with a wheel */
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
    0x05, 0x09, 0x19, 0x01, 0x29, 0x03, 0x15, 0x00, 0x25, 0x01, /* three buttons */
    0x95, 0x03, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x05, 0x81, 0x01,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, /* X, Y, wheel */
    0x75, 0x08, 0x95, 0x03, 0x81, 0x06, 0xc0, 0xc0,
};
static const uint8_t tablet_report[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
    0x05, 0x09, 0x19, 0x01, 0x29, 0x03, 0x15, 0x00, 0x25, 0x01,
    0x95, 0x03, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x05, 0x81, 0x01,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f,       /* X, Y: absolute */
    0x75, 0x10, 0x95, 0x02, 0x81, 0x02,
    0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06, 0xc0, 0xc0,
};

#define DEVICE(product) \
    { 18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x27, 0x06, product, 0, 0, 1, 1, 2, 3, 1 }
/* Configuration (remote wake-up, 100 mA), interface, HID, endpoint of 8 bytes each 8 ms. */
#define CONFIG(subclass, protocol, report) \
    { 9, 2, 34, 0, 1, 1, 0, 0xa0, 50, \
      9, 4, 0, 0, 1, 3, subclass, protocol, 0, \
      9, DT_HID, 0x11, 0x01, 0, 1, DT_REPORT, sizeof(report), 0, \
      7, 5, EP_IN, 3, 8, 0, 8 }

static const uint8_t keyboard_device[18] = DEVICE(1), mouse_device[18] = DEVICE(2),
                     tablet_device[18] = DEVICE(3);
static const uint8_t keyboard_config[34] = CONFIG(1, 1, keyboard_report),
                     mouse_config[34] = CONFIG(1, 2, mouse_report),
                     tablet_config[34] = CONFIG(0, 0, tablet_report);
static const char *const keyboard_strings[] = { "DYAD", "USB Keyboard", "", NULL };
static const char *const mouse_strings[] = { "DYAD", "USB Mouse", "", NULL };
static const char *const tablet_strings[] = { "DYAD", "USB Tablet", "", NULL };
/* clang-format on */

static const struct {
    const uint8_t *report;
    uint8_t size, packet;       /* bytes of the descriptor, of a report */
} kinds[] = {
    [HID_KEYBOARD] = { keyboard_report, sizeof(keyboard_report), 8 },
    [HID_MOUSE] = { mouse_report, sizeof(mouse_report), 4 },
    [HID_TABLET] = { tablet_report, sizeof(tablet_report), 6 },
};

/* ---- fifo ---- */

static HidEvent *newest(Hid *d)
{
    return d->s.count ? &d->s.fifo[(d->s.head + d->s.count - 1) % FIFO] : NULL;
}

/* Drops the event if the guest does not look: NULL. */
static HidEvent *push(Hid *d)
{
    if (d->s.count == FIFO) {
        return NULL;
    }
    HidEvent *e = &d->s.fifo[(d->s.head + d->s.count++) % FIFO];
    memset(e, 0, sizeof(*e));
    return e;
}

static HidEvent *oldest(Hid *d)
{
    return d->s.count ? &d->s.fifo[d->s.head] : NULL;
}

static void pop(Hid *d)
{
    d->s.head = (d->s.head + 1) % FIFO;
    d->s.count--;
}

/* ---- events from the host ---- */

static void on_key(void *opaque, unsigned code, bool down)
{
    Hid *d = opaque;
    uint8_t usage = hid_usage(code);
    HidEvent *e = usage ? push(d) : NULL;
    if (e) {
        e->code = usage;
        e->value = down;
        usb_ready(&d->usb, EP_IN);
    }
}

/* Movement joins an event that waits with the same buttons. */
static HidEvent *pointer_event(Hid *d)
{
    HidEvent *e = newest(d);
    if (!e || e->buttons != d->s.buttons) {
        uint16_t x = e ? e->x : d->s.last_x, y = e ? e->y : d->s.last_y;
        e = push(d);
        if (e) {
            e->buttons = d->s.buttons;
            e->x = d->kind == HID_TABLET ? x : 0;
            e->y = d->kind == HID_TABLET ? y : 0;
        }
    }
    return e;
}

static uint16_t add_clamped(uint16_t old, int more)
{
    int v = (int16_t)old + MAX(MIN(more, 32767), -32767);
    return (uint16_t)MAX(MIN(v, 32767), -32767);
}

static void on_rel(void *opaque, int dx, int dy, int wheel)
{
    Hid *d = opaque;
    HidEvent *e = pointer_event(d);
    if (!e) {
        return;
    }
    if (d->kind == HID_MOUSE) {
        e->x = add_clamped(e->x, dx);
        e->y = add_clamped(e->y, dy);
    }
    e->wheel = add_clamped(e->wheel, wheel);
    usb_ready(&d->usb, EP_IN);
}

static void on_abs(void *opaque, unsigned x, unsigned y)
{
    Hid *d = opaque;
    HidEvent *e = pointer_event(d);
    if (e) {
        e->x = (uint16_t)MIN(x, 32767u);
        e->y = (uint16_t)MIN(y, 32767u);
        usb_ready(&d->usb, EP_IN);
    }
}

static void on_button(void *opaque, unsigned n, bool down)
{
    static const uint8_t bits[3] = { 1, 4, 2 }; /* left, middle, right */
    Hid *d = opaque;
    if (n < ARRAY_SIZE(bits)) {
        d->s.buttons = down ? d->s.buttons | bits[n] : d->s.buttons & ~bits[n];
        if (pointer_event(d)) {
            usb_ready(&d->usb, EP_IN);
        }
    }
}

/* ---- reports ---- */

/* A modifier is a bit, another key one of six places; a seventh is dropped. */
static void apply_key(uint8_t report[8], uint8_t usage, bool down)
{
    if (usage >= 0xe0) {
        uint8_t bit = (uint8_t)(1u << (usage & 7));
        report[0] = down ? report[0] | bit : report[0] & ~bit;
        return;
    }
    unsigned n = 2;
    while (n < 8 && report[n] && report[n] != usage) {
        n++;
    }
    if (n < 8 && down) {
        report[n] = usage;
    } else if (n < 8 && report[n] == usage) {
        memmove(report + n, report + n + 1, 7 - n);
        report[7] = 0;
    }
}

static uint8_t take_step(uint16_t *left)
{
    int step = MAX(MIN((int)(int16_t)*left, 127), -127);
    *left = (uint16_t)(*left - step);
    return (uint8_t)step;
}

/* The next report of a pointer; true: the event is used up. */
static bool pointer_report(const Hid *d, HidEvent *e, uint8_t out[8])
{
    out[0] = e->buttons;
    if (d->kind == HID_MOUSE) {
        out[1] = take_step(&e->x);
        out[2] = take_step(&e->y);
        out[3] = take_step(&e->wheel);
        return !e->x && !e->y && !e->wheel;
    }
    out[1] = (uint8_t)e->x;
    out[2] = (uint8_t)(e->x >> 8);
    out[3] = (uint8_t)e->y;
    out[4] = (uint8_t)(e->y >> 8);
    out[5] = take_step(&e->wheel);
    return !e->wheel;
}

static int hid_packet(UsbDevice *usb, UsbPacket *p)
{
    Hid *d = (Hid *)usb;
    HidEvent *e = oldest(d);
    uint8_t out[8] = { 0 };
    if (p->ep != EP_IN) {
        return USB_STALL;
    }
    if (!e) {
        return USB_NAK;
    }
    if (d->kind == HID_KEYBOARD) {
        apply_key(d->s.report, e->code, e->value);
        memcpy(out, d->s.report, 8);
        pop(d);
    } else {
        d->s.last_buttons = e->buttons;
        d->s.last_x = e->x;
        d->s.last_y = e->y;
        if (pointer_report(d, e, out)) {
            pop(d);
        }
    }
    p->moved = MIN(p->len, (uint32_t)kinds[d->kind].packet);
    if (p->moved) {
        memcpy(p->buf, out, p->moved);
    }
    return USB_OK;
}

/* ---- requests (HID 1.11, 7) ---- */

static int give(const UsbSetup *s, uint8_t *to, const uint8_t *from, unsigned n)
{
    n = MIN(n, (unsigned)s->length);
    memcpy(to, from, n);
    return (int)n;
}

static int get_report(const Hid *d, const UsbSetup *s, uint8_t *data)
{
    uint8_t out[8] = { 0 };
    if (d->kind == HID_KEYBOARD) {
        memcpy(out, d->s.report, 8);
    } else {
        HidEvent now = { .buttons = d->s.last_buttons, .x = d->s.last_x, .y = d->s.last_y };
        if (d->kind == HID_MOUSE) {
            now.x = now.y = 0;
        }
        pointer_report(d, &now, out);
    }
    return give(s, data, out, kinds[d->kind].packet);
}

static int hid_request(UsbDevice *usb, const UsbSetup *s, uint8_t *data)
{
    Hid *d = (Hid *)usb;
    if (s->type == 0x81 && s->request == RQ_GET_DESCRIPTOR) {
        return s->value >> 8 == DT_REPORT ? give(s, data, kinds[d->kind].report,
                                                 kinds[d->kind].size)
               : s->value >> 8 == DT_HID ? give(s, data, usb->ops->config + HID_AT, 9)
               : USB_STALL;
    }
    switch (s->type << 8 | s->request) {
    case 0xa1 << 8 | RQ_GET_REPORT:
        return s->value >> 8 == 1 ? get_report(d, s, data) : USB_STALL;
    case 0xa1 << 8 | RQ_GET_IDLE:
        return give(s, data, &d->s.idle, 1);
    case 0xa1 << 8 | RQ_GET_PROTOCOL:
        return give(s, data, &d->s.protocol, 1);
    case 0x21 << 8 | RQ_SET_REPORT:
        d->s.leds = d->kind == HID_KEYBOARD && s->length ? data[0] : d->s.leds;
        return 0;
    case 0x21 << 8 | RQ_SET_IDLE:
        d->s.idle = (uint8_t)(s->value >> 8);
        return 0;
    case 0x21 << 8 | RQ_SET_PROTOCOL:
        d->s.protocol = s->value & 1;
        return 0;
    default:
        return USB_STALL;
    }
}

static void follow(Hid *d)
{
    bool on = d->s.usb.configuration != 0;
    if (on == d->active) {
        return;
    }
    d->active = on;
    if (on) {
        input_register(d->usb.dev.machine, &d->sink);
    } else {
        input_unregister(&d->sink);
    }
}

static void hid_configured(UsbDevice *usb, bool on)
{
    Hid *d = (Hid *)usb;
    UsbDeviceState keep = d->s.usb;
    memset(&d->s, 0, sizeof(d->s));
    d->s.usb = keep;
    d->s.protocol = 1;          /* reports, not the boot protocol (7.2.6) */
    follow(d);
}

/* ---- classes ---- */

static const UsbOps ops[] = {
    [HID_KEYBOARD] = { USB_FULL, keyboard_device, keyboard_config, sizeof(keyboard_config),
                       keyboard_strings, hid_request, hid_packet, hid_configured, NULL },
    [HID_MOUSE] = { USB_FULL, mouse_device, mouse_config, sizeof(mouse_config), mouse_strings,
                    hid_request, hid_packet, hid_configured, NULL },
    [HID_TABLET] = { USB_FULL, tablet_device, tablet_config, sizeof(tablet_config),
                     tablet_strings, hid_request, hid_packet, hid_configured, NULL },
};

static bool realize(Device *dev, enum HidKind kind)
{
    Hid *d = (Hid *)dev;
    bool keys = kind == HID_KEYBOARD;
    d->kind = kind;
    d->usb.ops = &ops[kind];
    d->usb.s = &d->s.usb;
    d->sink = (InputSink){ .key = keys ? on_key : NULL, .rel = keys ? NULL : on_rel,
                           .abs = kind == HID_TABLET ? on_abs : NULL,
                           .button = keys ? NULL : on_button, .opaque = d };
    return true;
}

static bool keyboard_realize(Device *dev, Error *err)
{
    return realize(dev, HID_KEYBOARD);
}

static bool mouse_realize(Device *dev, Error *err)
{
    return realize(dev, HID_MOUSE);
}

static bool tablet_realize(Device *dev, Error *err)
{
    return realize(dev, HID_TABLET);
}

static void hid_unrealize(Device *dev)
{
    Hid *d = (Hid *)dev;
    d->active = false;
    input_unregister(&d->sink);
}

static void hid_reset(Device *dev)
{
    usb_reset_device((UsbDevice *)dev);
}

static bool hid_post_load(void *dev, Error *err)
{
    Hid *d = dev;
    if (d->s.head >= FIFO || d->s.count > FIFO) {
        return error_set(err, "the fifo is out of bounds");
    }
    follow(d);
    return true;
}

static const StateField event_fields[] = {
    STATE_U8(HidEvent, code), STATE_U8(HidEvent, value), STATE_U8(HidEvent, buttons),
    STATE_U16(HidEvent, x), STATE_U16(HidEvent, y), STATE_U16(HidEvent, wheel), STATE_END
};
static const StateDesc event_state = {
    .version = 1, .size = sizeof(HidEvent), .fields = event_fields,
};
static const StateField hid_fields[] = {
    STATE_SUB(HidState, usb, usb_device_state), STATE_U8(HidState, protocol),
    STATE_U8(HidState, idle), STATE_U8(HidState, leds), STATE_BYTES(HidState, report),
    STATE_U8(HidState, buttons), STATE_U8(HidState, last_buttons), STATE_U16(HidState, last_x),
    STATE_U16(HidState, last_y), STATE_U32(HidState, head), STATE_U32(HidState, count),
    STATE_SUB_ARRAY(HidState, fifo, event_state), STATE_END
};
static const Property hid_props[] = { USB_PROPS(Hid), PROP_END };

#define HID_CLASS \
    .bus = BUS_USB, .size = sizeof(Hid), .props = hid_props, \
    .state = { .version = 1, .offset = offsetof(Hid, s), .size = sizeof(HidState), \
               .fields = hid_fields, .post_load = hid_post_load }, \
    .unrealize = hid_unrealize, .reset = hid_reset

const DeviceClass usb_kbd_class = {
    .name = "usb-kbd", .desc = "USB keyboard", .realize = keyboard_realize, HID_CLASS,
};
const DeviceClass usb_mouse_class = {
    .name = "usb-mouse", .desc = "USB wheel mouse", .realize = mouse_realize, HID_CLASS,
};
const DeviceClass usb_tablet_class = {
    .name = "usb-tablet", .desc = "USB absolute pointer", .realize = tablet_realize, HID_CLASS,
};

/* SPDX-License-Identifier: MIT */
/*
 * virtio-input: tablet, keyboard and mouse. VIRTIO 1.2, 5.8; events are those of
 * linux/input.h. No legacy interface (5.8 has none). The sink takes events only while a
 * driver runs: until then keys go to the PS/2 keyboard. Events wait in a saved fifo for
 * the driver's buffers; when that is full, whole reports are dropped. Machine lock held.
 */
#include "hw/virtio/devices.h"

#include <linux/input-event-codes.h>
#include <string.h>
#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "hw/virtio/virtio_pci.h"
#include "util/bytes.h"

enum { VIRTIO_ID_INPUT = 18 };
enum { /* 5.8.4 */
    CFG_ID_NAME = 0x01, CFG_ID_SERIAL = 0x02, CFG_ID_DEVIDS = 0x03, CFG_PROP_BITS = 0x10,
    CFG_EV_BITS = 0x11, CFG_ABS_INFO = 0x12, CFG_DATA = 8, CFG_DATA_MAX = 128,
    CONFIG_SIZE = CFG_DATA + CFG_DATA_MAX,
};
enum { Q_EVENT, Q_STATUS, QUEUE_SIZE = 64, EVENT_SIZE = 8, FIFO_EVENTS = 256, ABS_MAX_ = 32767 };
enum { BUS_VIRTUAL_ = 0x06, VENDOR = 0x0627 };

typedef struct {
    PciState pci;
    VirtioState virtio;
    uint8_t select, subsel;
    uint8_t fifo[FIFO_EVENTS * EVENT_SIZE];
    uint32_t fifo_len;              /* events */
} VirtioInputState;

typedef struct InputKind {
    const char *name;
    uint16_t product;
    bool keys, rel, abs;
} InputKind;

typedef struct {
    VirtioPci vp;
    VirtioInputState s;
    const InputKind *kind;
    InputSink sink;
    bool active;                    /* the sink is registered */
} VirtioInput;

static VirtioInput *vi_of(VirtioDevice *v)
{
    return (VirtioInput *)virtio_pci_of(v);
}

/* --- configuration: select, subsel, size, data (5.8.5) --- */

static void set_bit(uint8_t *p, unsigned *size, unsigned n)
{
    if (n / 8 < CFG_DATA_MAX) {
        p[n / 8] |= 1u << n % 8;
        *size = MAX(*size, n / 8 + 1);
    }
}

static unsigned event_bits(const VirtioInput *d, unsigned type, uint8_t *p)
{
    const InputKind *k = d->kind;
    unsigned size = 0;
    if (type == EV_KEY && k->keys) {
        for (unsigned n = KEY_ESC; n <= KEY_MICMUTE; n++) {
            set_bit(p, &size, n);
        }
    } else if (type == EV_KEY) {
        set_bit(p, &size, BTN_LEFT);
        set_bit(p, &size, BTN_RIGHT);
        set_bit(p, &size, BTN_MIDDLE);
    } else if (type == EV_REP && k->keys) {
        set_bit(p, &size, REP_DELAY);
        set_bit(p, &size, REP_PERIOD);
    } else if (type == EV_LED && k->keys) {
        set_bit(p, &size, LED_NUML);
        set_bit(p, &size, LED_CAPSL);
        set_bit(p, &size, LED_SCROLLL);
    } else if (type == EV_REL && !k->keys) {
        if (k->rel) {
            set_bit(p, &size, REL_X);
            set_bit(p, &size, REL_Y);
        }
        set_bit(p, &size, REL_WHEEL);
    } else if (type == EV_ABS && k->abs) {
        set_bit(p, &size, ABS_X);
        set_bit(p, &size, ABS_Y);
    }
    return size;
}

static void input_get_config(VirtioDevice *v, uint8_t *cfg)
{
    const VirtioInput *d = vi_of(v);
    uint8_t *p = cfg + CFG_DATA;
    unsigned size = 0;
    cfg[0] = d->s.select;
    cfg[1] = d->s.subsel;
    switch (d->s.select) {
    case CFG_ID_NAME:
        size = strlen(d->kind->name);
        memcpy(p, d->kind->name, size);
        break;
    case CFG_ID_DEVIDS:
        size = 8;
        put_le16(p, BUS_VIRTUAL_);
        put_le16(p + 2, VENDOR);
        put_le16(p + 4, d->kind->product);
        put_le16(p + 6, 1);
        break;
    case CFG_EV_BITS: size = event_bits(d, d->s.subsel, p); break;
    case CFG_ABS_INFO:
        if (d->kind->abs && d->s.subsel <= ABS_Y) {
            size = 20;              /* min, max, fuzz, flat, res */
            put_le32(p + 4, ABS_MAX_);
        }
        break;
    default: break;
    }
    cfg[2] = size;
}

static void input_set_config(VirtioDevice *v, unsigned off, uint32_t val, unsigned size)
{
    VirtioInput *d = vi_of(v);
    for (unsigned i = 0; i < size; i++, off++, val >>= 8) {
        if (off == 0) {
            d->s.select = val;
        } else if (off == 1) {
            d->s.subsel = val;
        }
    }
}

/* --- events --- */

static bool running(const VirtioInput *d)
{
    const VirtioDevice *v = &d->vp.v;
    return (v->s->status & VIRTIO_S_DRIVER_OK) && !virtio_is_broken(v);
}

static void flush(VirtioInput *d)
{
    VirtioDevice *v = &d->vp.v;
    Virtqueue *vq = &v->vq[Q_EVENT];
    uint32_t sent = 0;
    if (!running(d) || !v->transport->may_dma(v)) {
        return;
    }
    virtqueue_set_kick(vq, true);
    for (VirtqElem *e; sent < d->s.fifo_len && (e = virtqueue_pop(vq)); sent++) {
        size_t n = virtq_elem_write(e, 0, d->s.fifo + sent * EVENT_SIZE, EVENT_SIZE);
        virtqueue_push(vq, e, n);
    }
    d->s.fifo_len -= sent;
    memmove(d->s.fifo, d->s.fifo + sent * EVENT_SIZE, d->s.fifo_len * EVENT_SIZE);
    virtqueue_notify(vq);
}

typedef struct InputReport {
    unsigned n;
    struct {
        uint16_t type, code;
        int32_t value;
    } e[4];
} InputReport;

static void report_add(InputReport *r, unsigned type, unsigned code, int value)
{
    r->e[r->n].type = type;
    r->e[r->n].code = code;
    r->e[r->n++].value = value;
}

/* A whole report, ended by SYN_REPORT, or nothing. */
static void report_send(VirtioInput *d, InputReport *r)
{
    if (!r->n || !running(d) || r->n + 1 > FIFO_EVENTS - d->s.fifo_len) {
        return;
    }
    report_add(r, EV_SYN, SYN_REPORT, 0);
    for (unsigned i = 0; i < r->n; i++) {
        uint8_t *p = d->s.fifo + d->s.fifo_len++ * EVENT_SIZE;
        put_le16(p, r->e[i].type);
        put_le16(p + 2, r->e[i].code);
        put_le32(p + 4, r->e[i].value);
    }
    flush(d);
}

static void on_key(void *opaque, unsigned code, bool down)
{
    InputReport r = { 0 };
    if (code && code <= KEY_MICMUTE) {
        report_add(&r, EV_KEY, code, down);
    }
    report_send(opaque, &r);
}

static void on_rel(void *opaque, int dx, int dy, int wheel)
{
    VirtioInput *d = opaque;
    InputReport r = { 0 };
    if (dx && d->kind->rel) {
        report_add(&r, EV_REL, REL_X, dx);
    }
    if (dy && d->kind->rel) {
        report_add(&r, EV_REL, REL_Y, dy);
    }
    if (wheel) {
        report_add(&r, EV_REL, REL_WHEEL, wheel);
    }
    report_send(d, &r);
}

static void on_abs(void *opaque, unsigned x, unsigned y)
{
    InputReport r = { 0 };
    report_add(&r, EV_ABS, ABS_X, x);
    report_add(&r, EV_ABS, ABS_Y, y);
    report_send(opaque, &r);
}

static void on_button(void *opaque, unsigned n, bool down)
{
    static const uint16_t codes[3] = { BTN_LEFT, BTN_MIDDLE, BTN_RIGHT };
    InputReport r = { 0 };
    if (n < ARRAY_SIZE(codes)) {
        report_add(&r, EV_KEY, codes[n], down);
    }
    report_send(opaque, &r);
}

static void follow_driver(VirtioInput *d)
{
    bool on = running(d);
    if (on == d->active) {
        return;
    }
    d->active = on;
    if (on) {
        input_register(d->vp.v.dev->machine, &d->sink);
    } else {
        input_unregister(&d->sink);
    }
}

/* --- virtio --- */

static void input_handle_queue(VirtioDevice *v, unsigned n)
{
    Virtqueue *vq = &v->vq[n];
    if (n == Q_EVENT) {
        flush(vi_of(v));
        return;
    }
    /* LEDs: nobody to show them to. */
    unsigned share = VIRTIO_SHARE;
    virtqueue_set_kick(vq, true);
    for (VirtqElem *e; share && (e = virtqueue_pop(vq)); share--) {
        virtqueue_push(vq, e, 0);
        virtqueue_set_kick(vq, true);
    }
    virtqueue_notify(vq);
    if (!share) {
        virtio_queue_later(v, n);
    }
}

static uint64_t input_features(VirtioDevice *v)
{
    return 0;
}

static void input_reset(VirtioDevice *v)
{
    VirtioInput *d = vi_of(v);
    d->s.fifo_len = 0;
    d->s.select = d->s.subsel = 0;
    if (d->active) {
        d->active = false;
        input_unregister(&d->sink);
    }
}

static void input_driver_ok(VirtioDevice *v)
{
    follow_driver(vi_of(v));
}

static const VirtioOps input_ops = {
    .name = "virtio-input", .id = VIRTIO_ID_INPUT, .config_size = CONFIG_SIZE,
    .features = input_features, .get_config = input_get_config,
    .set_config = input_set_config, .handle_queue = input_handle_queue,
    .reset = input_reset, .driver_ok = input_driver_ok,
};

static bool realize(Device *dev, const InputKind *kind, Error *err)
{
    VirtioInput *d = (VirtioInput *)dev;
    d->kind = kind;
    d->vp.disable_legacy = 1;
    d->sink = (InputSink){ .key = kind->keys ? on_key : NULL,
                           .rel = kind->keys ? NULL : on_rel,
                           .abs = kind->abs ? on_abs : NULL,
                           .button = kind->keys ? NULL : on_button, .opaque = d };
    if (!virtio_pci_init(&d->vp, &input_ops, &d->s.virtio, err)) {
        return false;
    }
    virtio_add_queue(&d->vp.v, QUEUE_SIZE);
    virtio_add_queue(&d->vp.v, QUEUE_SIZE);
    return virtio_pci_finish(&d->vp, err);
}

static bool tablet_realize(Device *dev, Error *err)
{
    static const InputKind kind = { "dyad virtio tablet", 3, .abs = true };
    return realize(dev, &kind, err);
}

static bool mouse_realize(Device *dev, Error *err)
{
    static const InputKind kind = { "dyad virtio mouse", 2, .rel = true };
    return realize(dev, &kind, err);
}

static bool keyboard_realize(Device *dev, Error *err)
{
    static const InputKind kind = { "dyad virtio keyboard", 1, .keys = true };
    return realize(dev, &kind, err);
}

static void input_unrealize(Device *dev)
{
    VirtioInput *d = (VirtioInput *)dev;
    d->active = false;
    input_unregister(&d->sink);
}

static bool input_post_load(void *dev, Error *err)
{
    VirtioInput *d = dev;
    if (!virtio_pci_post_load(dev, err)) {
        return false;
    }
    follow_driver(d);
    return true;
}

static const Property input_props[] = { VIRTIO_PCI_PROPS(VirtioInput), PROP_END };

static const StateField input_fields[] = {
    STATE_SUB(VirtioInputState, pci, pci_state),
    STATE_SUB(VirtioInputState, virtio, virtio_state), STATE_U8(VirtioInputState, select),
    STATE_U8(VirtioInputState, subsel), STATE_BYTES(VirtioInputState, fifo),
    STATE_U32_MAX(VirtioInputState, fifo_len, FIFO_EVENTS), STATE_END
};

static const char *const tablet_aliases[] = { "virtio-tablet", NULL };
static const char *const mouse_aliases[] = { "virtio-mouse", NULL };
static const char *const keyboard_aliases[] = { "virtio-keyboard", NULL };

#define INPUT_CLASS_ROWS(class_code_) \
    .bus = BUS_PCI, .size = sizeof(VirtioInput), .props = input_props, \
    .bus_data = &(const PciInfo){ VIRTIO_PCI_INFO(VirtioInput, 0x1052, class_code_) }, \
    .state = { .version = 1, .offset = offsetof(VirtioInput, s), \
               .size = sizeof(VirtioInputState), .fields = input_fields, \
               .pre_save = virtio_pci_pre_save, .post_load = input_post_load }, \
    .unrealize = input_unrealize, .reset = virtio_pci_reset

const DeviceClass virtio_tablet_pci_class = {
    .name = "virtio-tablet-pci", .aliases = tablet_aliases,
    .desc = "virtio absolute pointer", .realize = tablet_realize, INPUT_CLASS_ROWS(0x098000),
};
const DeviceClass virtio_mouse_pci_class = {
    .name = "virtio-mouse-pci", .aliases = mouse_aliases, .desc = "virtio wheel mouse",
    .realize = mouse_realize, INPUT_CLASS_ROWS(0x090200),
};
const DeviceClass virtio_keyboard_pci_class = {
    .name = "virtio-keyboard-pci", .aliases = keyboard_aliases, .desc = "virtio keyboard",
    .realize = keyboard_realize, INPUT_CLASS_ROWS(0x090000),
};

/* SPDX-License-Identifier: MIT */
/*
 * 8042 keyboard controller with PS/2 mouse port. IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller". Bytes arrive as fast as the
 * guest takes them. Password commands say "no password installed".
 * Machine lock held in every entry point.
 */
#include "hw/input/i8042.h"

#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "hw/input/ps2.h"
#include "util/log.h"

enum { ST_OBF = 1, ST_SYS = 4, ST_CMD = 8, ST_UNLOCKED = 0x10, ST_AUX = 0x20 };
enum {
    CTR_INT1 = 1,
    CTR_INT12 = 2,
    CTR_SYS = 4,
    CTR_KBD_OFF = 0x10,
    CTR_AUX_OFF = 0x20,
    CTR_XLATE = 0x40
};
enum { OUT_NOT_RESET = 1, OUT_A20 = 2, OUT_AUX_FULL = 0x20, OUT_KBD_FULL = 0x10 };
enum { CMD_WRITE_OUT = 0xd1, CMD_KBD_LOOP = 0xd2, CMD_AUX_LOOP = 0xd3, CMD_AUX = 0xd4 };

typedef struct I8042State {
    Ps2KeyboardState kbd;
    Ps2MouseState mouse;
    uint8_t ram[32];     /* ram[0]: command byte */
    uint8_t status, out; /* output buffer */
    uint8_t outport;     /* OUT_NOT_RESET, OUT_A20 */
    uint8_t command;     /* that waits for its data byte at 60H; 0 = none */
    bool break_prefix;   /* translation swallowed F0H */
} I8042State;

typedef struct I8042 {
    Device dev;
    I8042State s;
    I8042Wiring w;
    Ps2Keyboard kbd;
    Ps2Mouse mouse;
    InputSink sink;
    MemoryRegion data_io, cmd_io;
} I8042;

static uint8_t kbc_ctr(const I8042 *d)
{
    return d->s.ram[0];
}

static void kbc_update_irq(I8042 *d)
{
    bool full = d->s.status & ST_OBF, aux = d->s.status & ST_AUX;
    irq_set(&d->w.irq1, full && !aux && (kbc_ctr(d) & CTR_INT1));
    irq_set(&d->w.irq12, full && aux && (kbc_ctr(d) & CTR_INT12));
}

static void kbc_put(I8042 *d, uint8_t v, bool aux)
{
    d->s.out = v;
    d->s.status = (d->s.status & ~ST_AUX) | ST_OBF | (aux ? ST_AUX : 0);
    kbc_update_irq(d);
}

/* A byte from the keyboard, translated if so set. false: swallowed. */
static bool kbc_translate(I8042 *d, uint8_t *v)
{
    if (!(kbc_ctr(d) & CTR_XLATE)) {
        return true;
    }
    if (*v == 0xf0) {
        d->s.break_prefix = true;
        return false;
    }
    *v = ps2_translate(*v) | (d->s.break_prefix ? 0x80 : 0);
    d->s.break_prefix = false;
    return true;
}

/* Moves the next byte of an enabled device into the empty output buffer. */
static void kbc_pump(void *opaque)
{
    I8042 *d = opaque;
    while (!(d->s.status & ST_OBF)) {
        if (!(kbc_ctr(d) & CTR_KBD_OFF) && ps2_ready(&d->s.kbd.q)) {
            uint8_t v = ps2_take(&d->s.kbd.q);
            if (kbc_translate(d, &v)) {
                kbc_put(d, v, false);
            }
        } else if (!(kbc_ctr(d) & CTR_AUX_OFF) && ps2_ready(&d->s.mouse.q)) {
            uint8_t v = ps2_take(&d->s.mouse.q);
            ps2_mouse_pump(&d->mouse);
            kbc_put(d, v, true);
        } else {
            return;
        }
    }
}

static void kbc_write_outport(I8042 *d, uint8_t v)
{
    d->s.outport = v & (OUT_NOT_RESET | OUT_A20);
    irq_set(&d->w.a20, v & OUT_A20);
    if (!(v & OUT_NOT_RESET)) {
        machine_request_reset(d->dev.machine);
    }
}

static uint8_t kbc_read_outport(const I8042 *d)
{
    bool full = d->s.status & ST_OBF, aux = d->s.status & ST_AUX;
    return d->s.outport | (full && !aux ? OUT_KBD_FULL : 0) |
           (full && aux ? OUT_AUX_FULL : 0);
}

static void kbc_set_ctr(I8042 *d, uint8_t v)
{
    d->s.ram[0] = v;
    d->s.status = (d->s.status & ~ST_SYS) | (v & CTR_SYS);
    kbc_update_irq(d);
    kbc_pump(d);
}

static void kbc_command(I8042 *d, uint8_t v)
{
    d->s.status |= ST_CMD;
    d->s.command = 0;
    switch (v) {
    case 0x20 ... 0x3f: kbc_put(d, d->s.ram[v & 0x1f], false); break;
    case 0x60 ... 0x7f:
    case CMD_WRITE_OUT:
    case CMD_KBD_LOOP:
    case CMD_AUX_LOOP:
    case CMD_AUX: d->s.command = v; break;
    case 0xa4: /* password: F1H = none */ kbc_put(d, 0xf1, false); break;
    case 0xa7: kbc_set_ctr(d, kbc_ctr(d) | CTR_AUX_OFF); break;
    case 0xa8: kbc_set_ctr(d, kbc_ctr(d) & ~CTR_AUX_OFF); break;
    case 0xa9: /* interface tests: 00H = no error */
    case 0xab: kbc_put(d, 0x00, false); break;
    case 0xaa:
        d->s.status |= ST_SYS;
        d->s.ram[0] |= CTR_SYS;
        kbc_put(d, 0x55, false);
        break;
    case 0xad: kbc_set_ctr(d, kbc_ctr(d) | CTR_KBD_OFF); break;
    case 0xae: kbc_set_ctr(d, kbc_ctr(d) & ~CTR_KBD_OFF); break;
    case 0xc0: /* input port: bit 7 = not locked */ kbc_put(d, 0x80, false); break;
    case 0xd0: kbc_put(d, kbc_read_outport(d), false); break;
    case 0xdd:
    case 0xdf:
        kbc_write_outport(d, (d->s.outport & ~OUT_A20) | (v == 0xdf ? OUT_A20 : 0));
        break;
    case 0xe0: /* test inputs: both clocks low */ kbc_put(d, 0x00, false); break;
    case 0xf0 ... 0xff: /* pulse output bits that are 0 in the low nibble */
        if (!(v & 1)) {
            machine_request_reset(d->dev.machine);
        }
        break;
    default: log_guest_error("i8042: command %#x is not known\n", v); break;
    }
}

static void kbc_data(I8042 *d, uint8_t v)
{
    uint8_t command = d->s.command;
    d->s.status &= ~ST_CMD;
    d->s.command = 0;
    switch (command) {
    case 0:
        if (kbc_ctr(d) & CTR_KBD_OFF) {
            d->s.ram[0] &= ~CTR_KBD_OFF; /* sending turns the interface on */
        }
        ps2_keyboard_write(&d->kbd, v);
        break;
    case 0x60: kbc_set_ctr(d, v); break;
    case CMD_WRITE_OUT: kbc_write_outport(d, v); break;
    case CMD_KBD_LOOP: kbc_put(d, v, false); break;
    case CMD_AUX_LOOP: kbc_put(d, v, true); break;
    case CMD_AUX: ps2_mouse_write(&d->mouse, v); break;
    default: /* 61H-7FH */ d->s.ram[command & 0x1f] = v; break;
    }
}

static uint64_t kbc_read_data(void *opaque, uint64_t addr, unsigned size)
{
    I8042 *d = opaque;
    uint8_t v = d->s.out;
    if (d->s.status & ST_OBF) {
        d->s.status &= ~(ST_OBF | ST_AUX);
        kbc_update_irq(d);
        kbc_pump(d);
    }
    return v;
}

static void kbc_write_data(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    kbc_data(opaque, val);
}

static uint64_t kbc_read_status(void *opaque, uint64_t addr, unsigned size)
{
    const I8042 *d = opaque;
    return d->s.status | ST_UNLOCKED;
}

static void kbc_write_command(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    kbc_command(opaque, val);
}

static const MemoryOps kbc_data_ops = { kbc_read_data, kbc_write_data, 1, 1 };
static const MemoryOps kbc_cmd_ops = { kbc_read_status, kbc_write_command, 1, 1 };

static void kbc_key(void *opaque, unsigned code, bool down)
{
    ps2_keyboard_key(&((I8042 *)opaque)->kbd, code, down);
}

static void kbc_rel(void *opaque, int dx, int dy, int wheel)
{
    ps2_mouse_move(&((I8042 *)opaque)->mouse, dx, dy, wheel);
}

static void kbc_button(void *opaque, unsigned n, bool down)
{
    ps2_mouse_button(&((I8042 *)opaque)->mouse, n, down);
}

static void kbc_reset(Device *dev)
{
    I8042 *d = DEVICE_AS(dev, I8042, i8042_class);
    ps2_keyboard_reset(&d->kbd);
    ps2_mouse_reset(&d->mouse);
    for (unsigned i = 0; i < sizeof(d->s.ram); i++) {
        d->s.ram[i] = 0;
    }
    /* As firmware leaves it, for guests that start without any. */
    d->s.ram[0] = CTR_INT1 | CTR_SYS | CTR_AUX_OFF | CTR_XLATE;
    d->s.status = ST_SYS;
    d->s.out = 0;
    d->s.outport = OUT_NOT_RESET | OUT_A20;
    d->s.command = 0;
    d->s.break_prefix = false;
}

static void kbc_reset_lines(Device *dev)
{
    I8042 *d = DEVICE_AS(dev, I8042, i8042_class);
    kbc_update_irq(d);
    irq_set(&d->w.a20, true);
}

static bool kbc_realize(Device *dev, Error *err)
{
    I8042 *d = DEVICE_AS(dev, I8042, i8042_class);
    d->kbd = (Ps2Keyboard){
        .s = &d->s.kbd, .clock = dev->machine->clock, .changed = kbc_pump, .opaque = d
    };
    d->mouse = (Ps2Mouse){ .s = &d->s.mouse, .changed = kbc_pump, .opaque = d };
    device_add_timer(dev, &d->kbd.repeat, ps2_keyboard_repeat, &d->kbd);
    device_add_ports(dev, &d->data_io, "i8042-data", 0x60, 1, &kbc_data_ops, d);
    device_add_ports(dev, &d->cmd_io, "i8042-cmd", 0x64, 1, &kbc_cmd_ops, d);
    d->sink =
        (InputSink){ .key = kbc_key, .rel = kbc_rel, .button = kbc_button, .opaque = d };
    kbc_reset(dev);
    input_register(dev->machine, &d->sink);
    return true;
}

static void kbc_unrealize(Device *dev)
{
    input_unregister(&DEVICE_AS(dev, I8042, i8042_class)->sink);
}

Device *i8042_create(struct Machine *m, const I8042Wiring *w, Error *err)
{
    Device *dev = device_create(m, &i8042_class);
    DEVICE_AS(dev, I8042, i8042_class)->w = *w;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static bool kbc_post_load(void *owner, Error *err)
{
    I8042 *d = owner;
    if (!ps2_keyboard_post_load(&d->kbd)) {
        return error_set(err, "i8042: scan code set 0");
    }
    ps2_mouse_post_load(&d->mouse);
    if (d->s.status & ST_OBF) {
        kbc_update_irq(d);
    }
    return true;
}

static const StateField kbc_fields[] = { STATE_SUB(I8042State, kbd, ps2_keyboard_state),
                                         STATE_SUB(I8042State, mouse, ps2_mouse_state),
                                         STATE_U8_ARRAY(I8042State, ram),
                                         STATE_U8(I8042State, status),
                                         STATE_U8(I8042State, out),
                                         STATE_U8(I8042State, outport),
                                         STATE_U8(I8042State, command),
                                         STATE_BOOL(I8042State, break_prefix),
                                         STATE_END };

const DeviceClass i8042_class = {
    .name = "i8042",
    .desc = "keyboard controller with PS/2 keyboard and mouse",
    .size = sizeof(I8042),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(I8042, s),
               .size = sizeof(I8042State),
               .fields = kbc_fields,
               .post_load = kbc_post_load },
    .realize = kbc_realize,
    .unrealize = kbc_unrealize,
    .reset = kbc_reset,
    .reset_lines = kbc_reset_lines,
};

/* SPDX-License-Identifier: MIT */
/*
 * 16550A UART on the ISA bus ("isa-serial"). National PC16550D datasheet (SNLS378B).
 * Sending is immediate: the transmitter is always empty when the guest looks. OUT2 does
 * not gate the interrupt: guests written for virtual machines forget it.
 * Machine lock held in every entry point.
 */
#include "hw/char/uart16550.h"

#include <string.h>
#include "hw/core/machine.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };
enum { IER_RX = 1, IER_THR = 2, IER_LINE = 4, IER_MODEM = 8 };
enum {
    IIR_NONE = 1,
    IIR_MODEM = 0,
    IIR_THR = 2,
    IIR_RX = 4,
    IIR_LINE = 6,
    IIR_TIMEOUT = 0xc,
    IIR_FIFO = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_TRIGGER = 0xc0 };
enum { LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum {
    LSR_DR = 1,
    LSR_OE = 2,
    LSR_PE = 4,
    LSR_FE = 8,
    LSR_BI = 0x10,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    LSR_FIFO_ERR = 0x80
};
#define LSR_ERRORS (LSR_OE | LSR_PE | LSR_FE | LSR_BI)
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80, MSR_TERI = 4 };
enum { FIFO_SIZE = 16 };

typedef struct UartState {
    uint8_t ier, fcr, lcr, mcr, msr, lsr, scr; /* lsr without DR and the FIFO error */
    uint8_t rx_head, rx_count;
    uint8_t rx[FIFO_SIZE], rx_flags[FIFO_SIZE]; /* flags: LSR bits of that character */
    uint16_t divisor;
    bool thr_pending; /* THR-empty interrupt not yet seen in IIR */
    bool timeout;     /* character timeout (4.7) */
} UartState;

typedef struct Uart {
    Device dev;
    UartState s;
    uint32_t index, iobase, irq; /* properties */
    CharBackend *chardev;        /* property */
    IrqLine line;
    Timer timer;
    MemoryRegion io;
} Uart;

static const struct {
    uint16_t port;
    uint8_t irq;
} uart_places[ISA_SERIAL_PORTS] = {
    { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 }
};

static bool uart_fifo_on(const Uart *d)
{
    return d->s.fcr & FCR_ENABLE;
}

static unsigned uart_capacity(const Uart *d)
{
    return uart_fifo_on(d) ? FIFO_SIZE : 1;
}

static unsigned uart_trigger(const Uart *d)
{
    static const uint8_t level[4] = { 1, 4, 8, 14 };
    return uart_fifo_on(d) ? level[d->s.fcr >> 6] : 1;
}

static uint8_t uart_lsr(const Uart *d)
{
    uint8_t v = d->s.lsr | LSR_THRE | LSR_TEMT | (d->s.rx_count ? LSR_DR : 0);
    for (unsigned i = 0; uart_fifo_on(d) && i < d->s.rx_count; i++) {
        if (d->s.rx_flags[(d->s.rx_head + i) % FIFO_SIZE]) {
            v |= LSR_FIFO_ERR;
        }
    }
    return v;
}

/* Highest pending interrupt, table 3 of the datasheet. */
static uint8_t uart_iir(const Uart *d)
{
    if ((d->s.ier & IER_LINE) && (d->s.lsr & LSR_ERRORS)) {
        return IIR_LINE;
    }
    if ((d->s.ier & IER_RX) && d->s.timeout) {
        return IIR_TIMEOUT;
    }
    if ((d->s.ier & IER_RX) && d->s.rx_count >= uart_trigger(d)) {
        return IIR_RX;
    }
    if ((d->s.ier & IER_THR) && d->s.thr_pending) {
        return IIR_THR;
    }
    if ((d->s.ier & IER_MODEM) && (d->s.msr & 0xf)) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void uart_update(Uart *d)
{
    irq_set(&d->line, uart_iir(d) != IIR_NONE);
}

/* The timeout runs while characters wait below the trigger level: four character times
 * since the last arrival or read. */
static void uart_arm_timeout(Uart *d)
{
    d->s.timeout = false;
    if (!uart_fifo_on(d) || !d->s.rx_count) {
        timer_del(&d->timer);
        return;
    }
    int64_t bit = NS_PER_SEC / 115200 * (d->s.divisor ? d->s.divisor : 1);
    timer_mod(&d->timer, clock_now(d->dev.machine->clock) + bit * 10 * 4);
}

static void uart_timeout(void *opaque)
{
    Uart *d = opaque;
    d->s.timeout = d->s.rx_count > 0;
    uart_update(d);
}

/* Error flags show in LSR when their character gets to the top. */
static void uart_show_top(Uart *d)
{
    if (d->s.rx_count) {
        d->s.lsr |= d->s.rx_flags[d->s.rx_head];
        d->s.rx_flags[d->s.rx_head] = 0;
    }
}

static void uart_push(Uart *d, uint8_t c, uint8_t flags)
{
    if (d->s.rx_count == uart_capacity(d)) {
        d->s.lsr |= LSR_OE;
        if (!uart_fifo_on(d)) {
            d->s.rx[d->s.rx_head] = c; /* the register is overwritten */
        }
        uart_update(d);
        return;
    }
    unsigned at = (d->s.rx_head + d->s.rx_count++) % FIFO_SIZE;
    d->s.rx[at] = c;
    d->s.rx_flags[at] = flags;
    if (d->s.rx_count == 1) {
        uart_show_top(d);
    }
    uart_arm_timeout(d);
    uart_update(d);
}

static uint8_t uart_pop(Uart *d)
{
    uint8_t c = d->s.rx[d->s.rx_head];
    if (!d->s.rx_count) {
        return c;
    }
    d->s.rx_head = (d->s.rx_head + 1) % FIFO_SIZE;
    d->s.rx_count--;
    uart_show_top(d);
    uart_arm_timeout(d);
    uart_update(d);
    if (d->chardev && !(d->s.mcr & MCR_LOOP)) {
        chardev_accept_input(d->chardev);
    }
    return c;
}

static void uart_clear_rx(Uart *d)
{
    d->s.rx_head = d->s.rx_count = 0;
    memset(d->s.rx_flags, 0, sizeof(d->s.rx_flags));
    uart_arm_timeout(d);
}

/* Modem inputs: from the outside all ready; in loopback, the outputs (4.5). */
static void uart_update_modem(Uart *d)
{
    uint8_t in = MSR_CTS | MSR_DSR | MSR_DCD, mcr = d->s.mcr;
    if (mcr & MCR_LOOP) {
        in = (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
             (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    uint8_t changed = (d->s.msr ^ in) & 0xf0;
    uint8_t delta = changed >> 4;
    if (in & MSR_RI) {
        delta &= ~MSR_TERI; /* only the trailing edge of RI counts */
    }
    d->s.msr = in | (d->s.msr & 0xf) | delta;
}

static void uart_send(Uart *d, uint8_t c)
{
    d->s.thr_pending = false;
    uart_update(d);
    if (d->s.mcr & MCR_LOOP) {
        uart_push(d, c, 0);
    } else {
        chardev_write(d->chardev, &c, 1);
    }
    d->s.thr_pending = true;
    uart_update(d);
}

static void uart_write_fcr(Uart *d, uint8_t v)
{
    bool toggled = (v ^ d->s.fcr) & FCR_ENABLE;
    d->s.fcr = v & (FCR_ENABLE | FCR_TRIGGER);
    if (!(v & FCR_ENABLE)) {
        d->s.fcr = 0;
    }
    if (toggled || (v & FCR_CLEAR_RX)) {
        uart_clear_rx(d);
    }
    if (toggled || (v & FCR_CLEAR_TX)) {
        d->s.thr_pending = true;
    }
    uart_update(d);
    if (d->chardev) {
        chardev_accept_input(d->chardev);
    }
}

static void uart_write_ier(Uart *d, uint8_t v)
{
    if (~d->s.ier & v & IER_THR) {
        d->s.thr_pending = true; /* the register is empty now */
    }
    d->s.ier = v & 0xf;
    uart_update(d);
}

static void uart_write_lcr(Uart *d, uint8_t v)
{
    bool began = ~d->s.lcr & v & LCR_BREAK;
    d->s.lcr = v;
    if (began && (d->s.mcr & MCR_LOOP)) {
        uart_push(d, 0, LSR_BI);
    }
}

static void uart_write_mcr(Uart *d, uint8_t v)
{
    bool opened = d->s.mcr & ~v & MCR_LOOP;
    d->s.mcr = v & 0x1f;
    uart_update_modem(d);
    uart_update(d);
    if (opened && d->chardev) {
        chardev_accept_input(d->chardev);
    }
}

static uint64_t uart_read(void *opaque, uint64_t addr, unsigned size)
{
    Uart *d = opaque;
    bool dlab = d->s.lcr & LCR_DLAB;
    uint8_t v;
    switch (addr & 7) {
    case REG_DATA: return dlab ? d->s.divisor & 0xff : uart_pop(d);
    case REG_IER: return dlab ? d->s.divisor >> 8 : d->s.ier;
    case REG_IIR_FCR:
        v = uart_iir(d);
        if (v == IIR_THR) {
            d->s.thr_pending = false;
            uart_update(d);
        }
        return v | (uart_fifo_on(d) ? IIR_FIFO : 0);
    case REG_LCR: return d->s.lcr;
    case REG_MCR: return d->s.mcr;
    case REG_LSR:
        v = uart_lsr(d);
        if (d->s.lsr & LSR_ERRORS) {
            d->s.lsr &= ~LSR_ERRORS;
            uart_update(d);
        }
        return v;
    case REG_MSR:
        v = d->s.msr;
        if (v & 0xf) {
            d->s.msr &= 0xf0;
            uart_update(d);
        }
        return v;
    default: return d->s.scr;
    }
}

static void uart_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Uart *d = opaque;
    bool dlab = d->s.lcr & LCR_DLAB;
    switch (addr & 7) {
    case REG_DATA:
        if (dlab) {
            d->s.divisor = (d->s.divisor & 0xff00) | (val & 0xff);
        } else {
            uart_send(d, val);
        }
        break;
    case REG_IER:
        if (dlab) {
            d->s.divisor = (d->s.divisor & 0xff) | (val & 0xff) << 8;
        } else {
            uart_write_ier(d, val);
        }
        break;
    case REG_IIR_FCR: uart_write_fcr(d, val); break;
    case REG_LCR: uart_write_lcr(d, val); break;
    case REG_MCR: uart_write_mcr(d, val); break;
    case REG_SCR: d->s.scr = val; break;
    default: /* LSR, MSR: read only (their test modes are not modelled) */ break;
    }
}

static const MemoryOps uart_ops = { uart_read, uart_write, 1, 1 };

static size_t uart_can_receive(void *opaque)
{
    const Uart *d = opaque;
    unsigned capacity = uart_capacity(d);
    return d->s.mcr & MCR_LOOP || d->s.rx_count >= capacity ? 0
                                                            : capacity - d->s.rx_count;
}

static void uart_receive(void *opaque, const uint8_t *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uart_push(opaque, buf[i], 0);
    }
}

static void uart_event(void *opaque, int event)
{
    Uart *d = opaque;
    if (event == CHAR_BREAK && !(d->s.mcr & MCR_LOOP)) {
        uart_push(d, 0, LSR_BI);
    }
}

static void uart_reset(Device *dev)
{
    Uart *d = DEVICE_AS(dev, Uart, isa_serial_class);
    d->s = (UartState){ .divisor = 12, .msr = MSR_CTS | MSR_DSR | MSR_DCD };
    timer_del(&d->timer);
}

static void uart_reset_lines(Device *dev)
{
    Uart *d = DEVICE_AS(dev, Uart, isa_serial_class);
    uart_update(d);
    if (d->chardev) {
        chardev_accept_input(d->chardev);
    }
}

/* index, iobase and irq that were not given: the next port of the four usual ones. */
static bool uart_pick_place(Uart *d, Error *err)
{
    if (d->index == UINT32_MAX) {
        d->index = 0;
        for (const Device *o = d->dev.parent ? d->dev.parent->devices : NULL; o;
             o = o->next) {
            d->index += o != &d->dev && o->cls == &isa_serial_class;
        }
    }
    if (d->index >= ISA_SERIAL_PORTS && (!d->iobase || d->irq == UINT32_MAX)) {
        return error_set(err, "isa-serial: more than %d ports need iobase= and irq=",
                         ISA_SERIAL_PORTS);
    }
    if (!d->iobase) {
        d->iobase = uart_places[d->index].port;
    }
    if (d->irq == UINT32_MAX) {
        d->irq = uart_places[d->index].irq;
    }
    if (d->irq > 15) {
        return error_set(err, "isa-serial: irq: %u is not accepted: expected 0-15",
                         d->irq);
    }
    return true;
}

static bool uart_realize(Device *dev, Error *err)
{
    Uart *d = DEVICE_AS(dev, Uart, isa_serial_class);
    if (!uart_pick_place(d, err)) {
        return false;
    }
    d->line = isa_irq(dev, d->irq);
    device_add_timer(dev, &d->timer, uart_timeout, d);
    device_add_ports(dev, &d->io, "serial", d->iobase, 8, &uart_ops, d);
    uart_reset(dev);
    CharClient client = { uart_can_receive, uart_receive, uart_event, d };
    return !d->chardev || chardev_attach(d->chardev, &client, err);
}

static void uart_unrealize(Device *dev)
{
    Uart *d = DEVICE_AS(dev, Uart, isa_serial_class);
    if (d->chardev) {
        chardev_detach(d->chardev, d);
    }
}

Device *isa_serial_create(struct Machine *m, unsigned index, CharBackend *chr, Error *err)
{
    Device *dev = device_create(m, &isa_serial_class);
    Uart *d = DEVICE_AS(dev, Uart, isa_serial_class);
    d->index = index;
    d->chardev = chr;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static bool uart_post_load(void *owner, Error *err)
{
    Uart *d = owner;
    if (d->s.rx_count > uart_capacity(d)) {
        return error_set(err, "isa-serial: more characters than the FIFO holds");
    }
    bool timeout = d->s.timeout;
    uart_arm_timeout(d);
    d->s.timeout = timeout;
    if (uart_iir(d) != IIR_NONE) {
        uart_update(d); /* the bus does not save who drives a shared line */
    }
    return true;
}

static const Property uart_props[] = {
    PROP_U32(Uart, index, UINT32_MAX, 0, UINT32_MAX,
             "0-3 for COM1-COM4; default: the next"),
    PROP_U32(Uart, iobase, 0, 0, 0xfff8, "first I/O port; default: that of index"),
    PROP_U32(Uart, irq, UINT32_MAX, 0, UINT32_MAX, "ISA line; default: that of index"),
    PROP_LINK(Uart, chardev, chardev_link, "where bytes go and come from"), PROP_END
};

static const StateField uart_fields[] = { STATE_U8(UartState, ier),
                                          STATE_U8(UartState, fcr),
                                          STATE_U8(UartState, lcr),
                                          STATE_U8(UartState, mcr),
                                          STATE_U8(UartState, msr),
                                          STATE_U8(UartState, lsr),
                                          STATE_U8(UartState, scr),
                                          STATE_U8_MAX(UartState, rx_head, FIFO_SIZE - 1),
                                          STATE_U8_MAX(UartState, rx_count, FIFO_SIZE),
                                          STATE_U8_ARRAY(UartState, rx),
                                          STATE_U8_ARRAY(UartState, rx_flags),
                                          STATE_U16(UartState, divisor),
                                          STATE_BOOL(UartState, thr_pending),
                                          STATE_BOOL(UartState, timeout),
                                          STATE_END };

const DeviceClass isa_serial_class = {
    .name = "isa-serial",
    .desc = "16550A serial port",
    .bus = BUS_ISA,
    .size = sizeof(Uart),
    .props = uart_props,
    .state = { .version = 1,
               .offset = offsetof(Uart, s),
               .size = sizeof(UartState),
               .fields = uart_fields,
               .post_load = uart_post_load },
    .realize = uart_realize,
    .unrealize = uart_unrealize,
    .reset = uart_reset,
    .reset_lines = uart_reset_lines,
};

/* SPDX-License-Identifier: MIT */
/*
 * MC146818A real-time clock, ports 70H-73H, 256 bytes (the PIIX's extended bank behind
 * 72H), century at 32H. Motorola MC146818A datasheet (ADI1025).
 * The time is the host's wall clock plus an offset that the guest sets. Square wave and
 * daylight saving are left out. Machine lock held in every entry point.
 */
#include "hw/timer/mc146818.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "hw/core/machine.h"
#include "hw/core/nondet.h"

enum {
    R_SEC,
    R_SEC_ALARM,
    R_MIN,
    R_MIN_ALARM,
    R_HOUR,
    R_HOUR_ALARM,
    R_WEEKDAY,
    R_DAY,
    R_MONTH,
    R_YEAR,
    R_A,
    R_B,
    R_C,
    R_D,
    R_CENTURY = 0x32
};
enum { A_UIP = 0x80, A_DIV = 0x70, A_RATE = 0x0f };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_BINARY = 4, B_24H = 2 };
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };
enum { D_VALID = 0x80 };
#define UIP_NS 244000 /* UIP rises this long before the update */
#define DAY 86400

typedef struct RtcState {
    int64_t offset;         /* ns: guest time = wall clock + offset */
    int64_t last_second;    /* guest second that alarms and UF were done for */
    int64_t periodic_start; /* clock ns: phase of the periodic interrupt */
    uint8_t cmos[256];      /* time registers are refreshed when read */
    uint8_t index, index2;  /* 70H, 72H */
    bool irq, inhibited;
} RtcState;

typedef struct Rtc {
    Device dev;
    RtcState s;
    IrqLine line;
    Timer update, periodic;
    MemoryRegion io;
} Rtc;

/* --- calendar; proleptic Gregorian --- */

static bool is_leap(int64_t y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static unsigned month_days(int64_t y, unsigned m)
{
    return m == 2 ? 28 + is_leap(y) : 30 + ((m + (m > 7)) & 1);
}

static int64_t days_before_year(int64_t y)
{
    int64_t n = y - 1;
    return n * 365 + n / 4 - n / 100 + n / 400;
}

typedef struct RtcTime {
    int64_t year;
    unsigned month, day, hour, min, sec; /* month and day from 1 */
} RtcTime;

/* Seconds since 1970. Fields out of range are pulled into it: the guest chose them. */
static int64_t time_to_seconds(const RtcTime *t)
{
    unsigned month = MIN(MAX(t->month, 1u), 12u);
    int64_t days = days_before_year(t->year) - days_before_year(1970);
    for (unsigned m = 1; m < month; m++) {
        days += month_days(t->year, m);
    }
    days += MIN(MAX(t->day, 1u), 31u) - 1;
    return days * DAY + t->hour % 24 * 3600 + t->min % 60 * 60 + t->sec % 60;
}

static void time_from_seconds(int64_t s, RtcTime *t)
{
    int64_t days = s / DAY, rest = s % DAY;
    if (rest < 0) {
        rest += DAY;
        days--;
    }
    days += days_before_year(1970);
    t->year = days / 366 + 1; /* never too late: at most a few years to go */
    while (days_before_year(t->year + 1) <= days) {
        t->year++;
    }
    days -= days_before_year(t->year);
    t->month = 1;
    while (days >= month_days(t->year, t->month)) {
        days -= month_days(t->year, t->month++);
    }
    t->day = days + 1;
    t->hour = rest / 3600;
    t->min = rest / 60 % 60;
    t->sec = rest % 60;
}

/* --- registers --- */

static uint8_t rtc_encode(const Rtc *d, unsigned v)
{
    return d->s.cmos[R_B] & B_BINARY ? v : v / 10 % 10 << 4 | v % 10;
}

static unsigned rtc_decode(const Rtc *d, uint8_t v)
{
    return d->s.cmos[R_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t rtc_encode_hour(const Rtc *d, unsigned h)
{
    if (d->s.cmos[R_B] & B_24H) {
        return rtc_encode(d, h);
    }
    return rtc_encode(d, h % 12 ? h % 12 : 12) | (h >= 12 ? 0x80 : 0);
}

static unsigned rtc_decode_hour(const Rtc *d, uint8_t v)
{
    if (d->s.cmos[R_B] & B_24H) {
        return rtc_decode(d, v);
    }
    return rtc_decode(d, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* The divider counts and SET does not hold the time. */
static bool rtc_runs(const Rtc *d)
{
    return !(d->s.cmos[R_B] & B_SET) && (d->s.cmos[R_A] & A_DIV) < 0x60;
}

static int64_t rtc_guest_ns(const Rtc *d)
{
    return nondet_wall_ns() + d->s.offset;
}

static int64_t floor_second(int64_t ns)
{
    return ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
}

static void rtc_show_time(Rtc *d, int64_t second)
{
    RtcTime t;
    time_from_seconds(second, &t);
    uint8_t *c = d->s.cmos;
    c[R_SEC] = rtc_encode(d, t.sec);
    c[R_MIN] = rtc_encode(d, t.min);
    c[R_HOUR] = rtc_encode_hour(d, t.hour);
    int64_t weekday = (second / DAY - (second % DAY < 0) + 4) % 7; /* 1970: Thursday */
    c[R_WEEKDAY] = rtc_encode(d, (weekday + 7) % 7 + 1);
    c[R_DAY] = rtc_encode(d, t.day);
    c[R_MONTH] = rtc_encode(d, t.month);
    c[R_YEAR] = rtc_encode(d, t.year % 100);
    c[R_CENTURY] = rtc_encode(d, t.year / 100 % 100);
}

static void rtc_refresh(Rtc *d)
{
    if (rtc_runs(d)) {
        rtc_show_time(d, floor_second(rtc_guest_ns(d)));
    }
}

/* Takes the time from the registers; the fraction of the second is kept. */
static void rtc_adopt_time(Rtc *d, int64_t fraction)
{
    const uint8_t *c = d->s.cmos;
    RtcTime t = {
        .year = rtc_decode(d, c[R_CENTURY]) * 100 + rtc_decode(d, c[R_YEAR]) % 100,
        .month = rtc_decode(d, c[R_MONTH]),
        .day = rtc_decode(d, c[R_DAY]),
        .hour = rtc_decode_hour(d, c[R_HOUR]),
        .min = rtc_decode(d, c[R_MIN]),
        .sec = rtc_decode(d, c[R_SEC]),
    };
    if (t.year < 1) {
        t.year = 1;
    }
    /* Years over 2261 do not fit in 64 bits of nanoseconds. */
    t.year = MIN(t.year, 2200);
    int64_t second = MAX(time_to_seconds(&t), -4000000000ll);
    d->s.offset = second * NS_PER_SEC + fraction - nondet_wall_ns();
    d->s.last_second = second;
}

static void rtc_update_irq(Rtc *d)
{
    uint8_t *c = d->s.cmos;
    bool irq = c[R_C] & c[R_B] & (C_PF | C_AF | C_UF);
    c[R_C] = (c[R_C] & ~C_IRQF) | (irq ? C_IRQF : 0);
    d->s.irq = irq;
    irq_set(&d->line, irq && !d->s.inhibited);
}

/* --- update cycle and alarm --- */

static bool alarm_field(uint8_t alarm, unsigned decoded, unsigned now)
{
    return alarm >= 0xc0 || decoded == now; /* two high bits: don't care */
}

static bool rtc_alarm_matches(const Rtc *d, int64_t second)
{
    const uint8_t *c = d->s.cmos;
    int64_t in_day = (second % DAY + DAY) % DAY;
    return alarm_field(c[R_SEC_ALARM], rtc_decode(d, c[R_SEC_ALARM]), in_day % 60) &&
           alarm_field(c[R_MIN_ALARM], rtc_decode(d, c[R_MIN_ALARM]), in_day / 60 % 60) &&
           alarm_field(c[R_HOUR_ALARM], rtc_decode_hour(d, c[R_HOUR_ALARM]),
                       in_day / 3600);
}

/* Does the update cycles of all seconds that have passed. */
static void rtc_catch_up(Rtc *d)
{
    if (!rtc_runs(d)) {
        return;
    }
    int64_t second = floor_second(rtc_guest_ns(d));
    if (second == d->s.last_second) {
        return;
    }
    d->s.cmos[R_C] |= C_UF;
    int64_t from = d->s.last_second + 1;
    if (from > second || second - from > DAY) {
        from = second; /* the host's clock was set */
    }
    for (int64_t s = from; s <= second; s++) {
        if (rtc_alarm_matches(d, s)) {
            d->s.cmos[R_C] |= C_AF;
            if (d->s.cmos[R_B] & C_AF) { /* AIE has its place */
                machine_wake(d->dev.machine, WAKE_RTC);
                if (d->dev.machine->rtc_alarm) {
                    d->dev.machine->rtc_alarm(d->dev.machine);
                }
            }
            break;
        }
    }
    d->s.last_second = second;
    rtc_update_irq(d);
}

static void rtc_arm_update(Rtc *d)
{
    /* Without an interrupt enabled, flags are worked out when register C is read. */
    if (!rtc_runs(d) || !(d->s.cmos[R_B] & (B_AIE | B_UIE))) {
        timer_del(&d->update);
        return;
    }
    int64_t ns = rtc_guest_ns(d);
    int64_t to_go = NS_PER_SEC - (ns - floor_second(ns) * NS_PER_SEC);
    timer_mod(&d->update, clock_now(d->dev.machine->clock) + to_go);
}

static void rtc_update_fire(void *opaque)
{
    Rtc *d = opaque;
    rtc_catch_up(d);
    rtc_arm_update(d);
}

/* --- periodic interrupt: table 5 of the datasheet, 32.768 kHz time base --- */

static int64_t rtc_period_ns(const Rtc *d)
{
    unsigned rate = d->s.cmos[R_A] & A_RATE;
    unsigned base = d->s.cmos[R_A] & A_DIV;
    if (!rate || base >= 0x60) {
        return 0;
    }
    if (rate < 3 && base == 0x20) {
        rate += 7;
    }
    return ((int64_t)NS_PER_SEC << (rate - 1)) / 32768;
}

static void rtc_arm_periodic(Rtc *d)
{
    int64_t period = rtc_period_ns(d), now = clock_now(d->dev.machine->clock);
    if (!period || !(d->s.cmos[R_B] & B_PIE)) {
        timer_del(&d->periodic);
        return;
    }
    int64_t n = MAX(now - d->s.periodic_start, 0) / period + 1;
    timer_mod(&d->periodic, d->s.periodic_start + n * period);
}

static void rtc_periodic_fire(void *opaque)
{
    Rtc *d = opaque;
    d->s.cmos[R_C] |= C_PF;
    rtc_update_irq(d);
    rtc_arm_periodic(d);
}

/* PF for a guest that polls with the interrupt off. */
static void rtc_poll_periodic(Rtc *d)
{
    int64_t period = rtc_period_ns(d), now = clock_now(d->dev.machine->clock);
    if (period && !(d->s.cmos[R_B] & B_PIE) && now - d->s.periodic_start >= period) {
        d->s.cmos[R_C] |= C_PF;
        d->s.periodic_start += (now - d->s.periodic_start) / period * period;
    }
}

/* --- ports --- */

static bool is_time(unsigned i)
{
    return i == R_SEC || i == R_MIN || i == R_HOUR || (i >= R_WEEKDAY && i <= R_YEAR) ||
           i == R_CENTURY;
}

static void rtc_write_a(Rtc *d, uint8_t v)
{
    bool ran = rtc_runs(d);
    rtc_refresh(d);
    bool rate = (d->s.cmos[R_A] ^ v) & (A_DIV | A_RATE);
    d->s.cmos[R_A] = v & ~A_UIP;
    if (!ran && rtc_runs(d)) {
        rtc_adopt_time(d, NS_PER_SEC / 2); /* first update half a second later */
    }
    if (rate) {
        d->s.periodic_start = clock_now(d->dev.machine->clock);
        rtc_arm_periodic(d);
    }
    rtc_arm_update(d);
}

static void rtc_write_b(Rtc *d, uint8_t v)
{
    bool ran = rtc_runs(d);
    rtc_catch_up(d);
    rtc_refresh(d);
    int64_t ns = rtc_guest_ns(d);
    int64_t fraction = ns - floor_second(ns) * NS_PER_SEC;
    uint8_t format = (d->s.cmos[R_B] ^ v) & (B_BINARY | B_24H);
    if (v & B_SET) {
        v &= ~B_UIE; /* SET clears UIE */
    }
    bool pie = (d->s.cmos[R_B] ^ v) & B_PIE;
    d->s.cmos[R_B] = v;
    if (!ran && rtc_runs(d)) {
        rtc_adopt_time(d, fraction);
    } else if (format) {
        rtc_refresh(d); /* a stopped clock keeps its bytes, as the chip does */
    }
    if (pie) {
        d->s.periodic_start = clock_now(d->dev.machine->clock);
    }
    rtc_arm_periodic(d);
    rtc_arm_update(d);
    rtc_update_irq(d);
}

static void rtc_write_reg(Rtc *d, unsigned i, uint8_t v)
{
    switch (i) {
    case R_A: rtc_write_a(d, v); return;
    case R_B: rtc_write_b(d, v); return;
    case R_C:
    case R_D: return;
    default: break;
    }
    if (!is_time(i) || !rtc_runs(d)) {
        d->s.cmos[i] = v;
        return;
    }
    int64_t ns = rtc_guest_ns(d);
    rtc_refresh(d);
    d->s.cmos[i] = v;
    rtc_adopt_time(d, ns - floor_second(ns) * NS_PER_SEC);
    rtc_arm_update(d);
}

static uint8_t rtc_read_a(const Rtc *d)
{
    int64_t ns = rtc_guest_ns(d);
    int64_t to_go = NS_PER_SEC - (ns - floor_second(ns) * NS_PER_SEC);
    return d->s.cmos[R_A] | (rtc_runs(d) && to_go <= UIP_NS ? A_UIP : 0);
}

static uint8_t rtc_read_c(Rtc *d)
{
    rtc_catch_up(d);
    rtc_poll_periodic(d);
    rtc_update_irq(d);
    uint8_t v = d->s.cmos[R_C];
    d->s.cmos[R_C] = 0;
    rtc_update_irq(d);
    return v;
}

static uint8_t rtc_read_reg(Rtc *d, unsigned i)
{
    if (is_time(i)) {
        rtc_refresh(d);
    }
    switch (i) {
    case R_A: return rtc_read_a(d);
    case R_C: return rtc_read_c(d);
    case R_D: return D_VALID;
    default: return d->s.cmos[i];
    }
}

static uint64_t rtc_read(void *opaque, uint64_t addr, unsigned size)
{
    Rtc *d = opaque;
    switch (addr) {
    case 1: return rtc_read_reg(d, d->s.index);
    case 2: return d->s.index2;
    case 3: return rtc_read_reg(d, d->s.index2);
    default: /* 70H is write only; the last index is what most chips show */ return 0xff;
    }
}

static void rtc_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Rtc *d = opaque;
    switch (addr) {
    case 0:
        d->s.index = val & 0x7f; /* bit 7 is the NMI mask, which has no source here */
        break;
    case 1: rtc_write_reg(d, d->s.index, val); break;
    case 2:
        d->s.index2 = val | 0x80; /* the extended bank */
        break;
    default: rtc_write_reg(d, d->s.index2, val); break;
    }
}

static const MemoryOps rtc_ops = { rtc_read, rtc_write, 1, 1 };

void rtc_set_cmos(Device *dev, unsigned index, uint8_t value)
{
    Rtc *d = DEVICE_AS(dev, Rtc, mc146818_class);
    if (index > R_D && index < sizeof(d->s.cmos)) {
        d->s.cmos[index] = value;
    }
}

uint8_t rtc_get_cmos(Device *dev, unsigned index)
{
    Rtc *d = DEVICE_AS(dev, Rtc, mc146818_class);
    return index < sizeof(d->s.cmos) ? d->s.cmos[index] : 0xff;
}

static void rtc_inhibit(void *opaque, unsigned n, bool level)
{
    Rtc *d = opaque;
    d->s.inhibited = level;
    irq_set(&d->line, d->s.irq && !level);
}

/* RESET# clears interrupt enables and flags; time and RAM have their battery. */
static void rtc_reset(Device *dev)
{
    Rtc *d = DEVICE_AS(dev, Rtc, mc146818_class);
    d->s.cmos[R_B] &= ~(B_PIE | B_AIE | B_UIE | 8);
    d->s.cmos[R_C] = 0;
    d->s.irq = false;
    d->s.index = 0;
    d->s.index2 = 0x80;
    timer_del(&d->update);
    timer_del(&d->periodic);
}

static void rtc_reset_lines(Device *dev)
{
    rtc_update_irq(DEVICE_AS(dev, Rtc, mc146818_class));
}

static bool rtc_realize(Device *dev, Error *err)
{
    Rtc *d = DEVICE_AS(dev, Rtc, mc146818_class);
    device_add_timer(dev, &d->update, rtc_update_fire, d);
    device_add_timer(dev, &d->periodic, rtc_periodic_fire, d);
    device_add_ports(dev, &d->io, "rtc", 0x70, 4, &rtc_ops, d);
    device_init_irq_in(dev, rtc_inhibit, 1);
    d->s.cmos[R_A] = 0x26; /* 32.768 kHz, 1024 Hz: what firmware sets */
    d->s.cmos[R_B] = B_24H;
    d->s.index2 = 0x80;
    d->s.last_second = floor_second(rtc_guest_ns(d));
    rtc_refresh(d);
    return true;
}

static bool rtc_parse_base(const char *base, int64_t *offset, Error *err)
{
    *offset = 0;
    if (!base || !strcmp(base, "utc")) {
        return true;
    }
    int64_t now = nondet_wall_ns();
    if (!strcmp(base, "localtime")) {
        time_t t = floor_second(now);
        struct tm tm;
        localtime_r(&t, &tm);
        *offset = tm.tm_gmtoff * NS_PER_SEC;
        return true;
    }
    unsigned y, mo, da, h = 0, mi = 0, s = 0;
    int end = 0, end_date = 0;
    int n = sscanf(base, "%4u-%2u-%2u%n%*1[T ]%2u:%2u:%2u%n", &y, &mo, &da, &end_date, &h,
                   &mi, &s, &end);
    bool shape = (n == 3 && !base[end_date]) || (n == 6 && !base[end]);
    if (!shape || y < 1970 || y > 2200 || mo < 1 || mo > 12 || da < 1 ||
        da > month_days(y, mo) || h > 23 || mi > 59 || s > 59) {
        return error_set(err,
                         "rtc base: %s is not accepted: expected utc, localtime, "
                         "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS",
                         base);
    }
    RtcTime t = { y, mo, da, h, mi, s };
    *offset = time_to_seconds(&t) * NS_PER_SEC - now;
    return true;
}

Device *rtc_create(struct Machine *m, const char *base, IrqLine irq8, Error *err)
{
    int64_t offset;
    if (!rtc_parse_base(base, &offset, err)) {
        return NULL;
    }
    Device *dev = device_create(m, &mc146818_class);
    Rtc *d = DEVICE_AS(dev, Rtc, mc146818_class);
    d->s.offset = offset;
    d->line = irq8;
    return device_realize(dev, NULL, err) ? dev : NULL;
}

static bool rtc_post_load(void *owner, Error *err)
{
    Rtc *d = owner;
    const int64_t limit = 6000000000ll * NS_PER_SEC; /* see rtc_adopt_time */
    if (d->s.offset < -limit || d->s.offset > limit || d->s.last_second < -limit ||
        d->s.last_second > limit || d->s.periodic_start < -limit ||
        d->s.periodic_start > limit) {
        d->s.offset = d->s.last_second = d->s.periodic_start = 0;
        return error_set(err, "rtc: time out of range");
    }
    d->s.index &= 0x7f;
    d->s.index2 |= 0x80;
    rtc_arm_update(d);
    rtc_arm_periodic(d);
    if (d->s.irq && !d->s.inhibited) {
        irq_set(&d->line, true);
    }
    return true;
}

static const StateField rtc_fields[] = { STATE_I64(RtcState, offset),
                                         STATE_I64(RtcState, last_second),
                                         STATE_I64(RtcState, periodic_start),
                                         STATE_BYTES(RtcState, cmos),
                                         STATE_U8(RtcState, index),
                                         STATE_U8(RtcState, index2),
                                         STATE_BOOL(RtcState, irq),
                                         STATE_BOOL(RtcState, inhibited),
                                         STATE_END };

const DeviceClass mc146818_class = {
    .name = "mc146818rtc",
    .desc = "real-time clock and CMOS RAM",
    .size = sizeof(Rtc),
    .internal = true,
    .state = { .version = 1,
               .offset = offsetof(Rtc, s),
               .size = sizeof(RtcState),
               .fields = rtc_fields,
               .post_load = rtc_post_load },
    .realize = rtc_realize,
    .reset = rtc_reset,
    .reset_lines = rtc_reset_lines,
};

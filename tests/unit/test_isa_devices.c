/* SPDX-License-Identifier: MIT */
/* Serial port, debug console, keyboard controller, fw_cfg, test devices, port 92H. */
#include <linux/input-event-codes.h>
#include <string.h>
#include "hw/char/debugcon.h"
#include "hw/char/uart16550.h"
#include "hw/core/input.h"
#include "hw/input/i8042.h"
#include "hw/misc/fw_cfg.h"
#include "hw/misc/port92.h"
#include "hw/misc/pvpanic.h"
#include "hw/misc/testdevs.h"
#include "tests/unit/dev_board.h"

static Error err = ERROR_INIT;

/* --- serial --- */

enum { COM1 = 0x3f8, DATA = COM1, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static Board *uart_start(void)
{
    Board *b = board_create(1);
    test_chr_reset();
    assert_non_null(isa_serial_create(&b->m, 0, &test_chr, &err));
    board_reset(b);
    return b;
}

static void host_types(const char *text, size_t n)
{
    test_chr.client.receive(test_chr.client.opaque, (const uint8_t *)text, n);
}

static size_t room(void)
{
    return test_chr.client.can_receive(test_chr.client.opaque);
}

static void uart_sends_at_once(void **state)
{
    Board *b = uart_start();
    out8(b, DATA, 'h');
    out8(b, DATA, 'i');
    assert_int_equal(test_chr.n, 2);
    assert_memory_equal(test_chr.out, "hi", 2);
    assert_int_equal(in8(b, LSR), 0x60);
    board_destroy(b);
}

static void uart_divisor_hides_behind_dlab(void **state)
{
    Board *b = uart_start();
    out8(b, LCR, 0x83);
    out8(b, DATA, 0x34);
    out8(b, IER, 0x12);
    assert_int_equal(in8(b, DATA), 0x34);
    assert_int_equal(in8(b, IER), 0x12);
    out8(b, LCR, 3);
    assert_int_equal(in8(b, IER), 0);
    assert_int_equal(test_chr.n, 0);
    out8(b, SCR, 0x77);
    assert_int_equal(in8(b, SCR), 0x77);
    board_destroy(b);
}

static void uart_transmit_interrupt_goes_when_iir_is_read(void **state)
{
    Board *b = uart_start();
    assert_int_equal(in8(b, IIR), 1);
    out8(b, IER, 2);
    assert_true(b->probe[4].level);
    assert_int_equal(in8(b, IIR), 2);
    assert_false(b->probe[4].level);
    assert_int_equal(in8(b, IIR), 1);
    out8(b, DATA, 'x');
    assert_true(b->probe[4].level);
    unsigned n = b->probe[4].rises;
    out8(b, DATA, 'y'); /* a new edge for each byte */
    assert_int_equal(b->probe[4].rises, n + 1);
    board_destroy(b);
}

static void uart_without_fifo_takes_one_byte(void **state)
{
    Board *b = uart_start();
    assert_int_equal(room(), 1);
    out8(b, IER, 1);
    host_types("a", 1);
    assert_int_equal(room(), 0);
    assert_int_equal(in8(b, IIR), 4);
    assert_int_equal(in8(b, LSR), 0x61);
    unsigned n = test_chr.accepts;
    assert_int_equal(in8(b, DATA), 'a');
    assert_int_equal(test_chr.accepts, n + 1);
    assert_int_equal(in8(b, LSR), 0x60);
    assert_false(b->probe[4].level);
    board_destroy(b);
}

static void uart_fifo_interrupts_at_its_trigger_or_by_timeout(void **state)
{
    Board *b = uart_start();
    out8(b, IIR, 0x81); /* trigger at 8 */
    out8(b, IER, 1);
    assert_int_equal(room(), 16);
    host_types("1234567", 7);
    assert_int_equal(in8(b, IIR), 0xc1);
    board_advance(b, 20000000);
    assert_int_equal(in8(b, IIR), 0xcc);
    assert_true(b->probe[4].level);
    assert_int_equal(in8(b, DATA), '1');
    assert_int_equal(in8(b, IIR), 0xc1); /* the timeout starts over */
    host_types("89", 2);
    assert_int_equal(in8(b, IIR), 0xc4);
    for (char c = '2'; c <= '9'; c++) {
        assert_int_equal(in8(b, DATA), c);
    }
    assert_int_equal(in8(b, LSR), 0x60);
    board_advance(b, NS_PER_SEC);
    assert_int_equal(in8(b, IIR), 0xc1);
    board_destroy(b);
}

static void uart_loopback_overruns_and_reports(void **state)
{
    Board *b = uart_start();
    out8(b, IIR, 1);
    out8(b, MCR, 0x10);
    out8(b, IER, 4);
    assert_int_equal(room(), 0);
    for (unsigned i = 0; i < 17; i++) {
        out8(b, DATA, i);
    }
    assert_int_equal(test_chr.n, 0);
    assert_int_equal(in8(b, IIR), 0xc6);
    assert_int_equal(in8(b, LSR), 0x63); /* overrun, once */
    assert_int_equal(in8(b, LSR), 0x61);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(in8(b, DATA), i);
    }
    board_destroy(b);
}

static void uart_modem_lines_loop_back(void **state)
{
    Board *b = uart_start();
    assert_int_equal(in8(b, MSR), 0xb0);
    out8(b, MCR, 0x1a); /* loop, RTS, OUT2 */
    assert_int_equal(in8(b, MSR) & 0xf0, 0x90);
    out8(b, MCR, 0x14); /* OUT1: RI */
    in8(b, MSR);
    out8(b, IER, 8);
    out8(b, MCR, 0x10);
    assert_int_equal(in8(b, IIR), 0);
    assert_int_equal(in8(b, MSR), 0x04); /* trailing edge of RI */
    assert_int_equal(in8(b, IIR), 1);
    board_destroy(b);
}

static void uart_break_is_a_line_status(void **state)
{
    Board *b = uart_start();
    out8(b, IIR, 1);
    out8(b, IER, 4);
    host_types("a", 1);
    test_chr.client.event(test_chr.client.opaque, CHAR_BREAK);
    assert_int_equal(in8(b, LSR), 0xe1); /* somewhere in the FIFO */
    in8(b, DATA);
    assert_int_equal(in8(b, IIR), 0xc6);
    assert_int_equal(in8(b, LSR), 0x71);
    assert_int_equal(in8(b, DATA), 0);
    board_destroy(b);
}

static void uart_places_follow_the_index(void **state)
{
    Board *b = board_create(1);
    Device *d0 = device_create(&b->m, &isa_serial_class);
    Device *d1 = device_create(&b->m, &isa_serial_class);
    assert_true(device_realize(d0, NULL, &err));
    assert_true(device_realize(d1, NULL, &err));
    out8(b, 0x3ff, 0x11);
    out8(b, 0x2ff, 0x22);
    assert_int_equal(in8(b, 0x3ff), 0x11);
    assert_int_equal(in8(b, 0x2ff), 0x22);
    Device *bad = device_create(&b->m, &isa_serial_class);
    assert_true(device_set(bad, "irq", "16", &err));
    assert_false(device_realize(bad, NULL, &err));
    error_free(&err);
    device_destroy(d0);
    device_destroy(d1);
    board_destroy(b);
}

static void debugcon_writes_and_answers(void **state)
{
    Board *b = board_create(1);
    Device *dev = device_create(&b->m, &isa_debugcon_class);
    assert_true(device_realize(dev, NULL, &err));
    assert_int_equal(in8(b, 0xe9), 0xe9);
    out8(b, 0xe9, 'x'); /* no backend: nothing */
    device_destroy(dev);
    board_destroy(b);
}

/* --- keyboard controller --- */

static Board *kbc_start(void)
{
    Board *b = board_create(1);
    I8042Wiring w = { .irq1 = board_probe(b, 1),
                      .irq12 = board_probe(b, 12),
                      .a20 = board_probe(b, 20) };
    assert_non_null(i8042_create(&b->m, &w, &err));
    board_reset(b);
    return b;
}

static void kbc_cmd(Board *b, uint8_t v)
{
    out8(b, 0x64, v);
}

static int kbc_get(Board *b) /* -1 = nothing there */
{
    return in8(b, 0x64) & 1 ? in8(b, 0x60) : -1;
}

static void aux(Board *b, uint8_t v)
{
    kbc_cmd(b, 0xd4);
    out8(b, 0x60, v);
}

static void kbc_passes_its_self_tests(void **state)
{
    Board *b = kbc_start();
    kbc_cmd(b, 0xaa);
    assert_int_equal(kbc_get(b), 0x55);
    kbc_cmd(b, 0xab);
    assert_int_equal(kbc_get(b), 0);
    kbc_cmd(b, 0xa9);
    assert_int_equal(kbc_get(b), 0);
    kbc_cmd(b, 0x20);
    assert_int_equal(kbc_get(b), 0x65);
    kbc_cmd(b, 0x60);
    out8(b, 0x60, 0x47);
    kbc_cmd(b, 0x20);
    assert_int_equal(kbc_get(b), 0x47);
    /* the mouse port appears and disappears in the command byte */
    kbc_cmd(b, 0xa7);
    kbc_cmd(b, 0x20);
    assert_int_equal(kbc_get(b), 0x67);
    kbc_cmd(b, 0xa8);
    kbc_cmd(b, 0x20);
    assert_int_equal(kbc_get(b), 0x47);
    kbc_cmd(b, 0xd3);
    out8(b, 0x60, 0x5a);
    assert_int_equal(in8(b, 0x64) & 0x21, 0x21);
    assert_true(b->probe[12].level);
    assert_int_equal(kbc_get(b), 0x5a);
    assert_false(b->probe[12].level);
    board_destroy(b);
}

static void kbc_drives_a20_and_reset(void **state)
{
    Board *b = kbc_start();
    assert_true(b->probe[20].level);
    kbc_cmd(b, 0xd1);
    out8(b, 0x60, 0xdd);
    assert_false(b->probe[20].level);
    kbc_cmd(b, 0xd0);
    assert_int_equal(kbc_get(b), 0x01);
    kbc_cmd(b, 0xdf);
    assert_true(b->probe[20].level);
    assert_false(b->m.reset_requested);
    kbc_cmd(b, 0xfe);
    assert_true(b->m.reset_requested);
    board_destroy(b);
}

static void keyboard_answers_commands(void **state)
{
    Board *b = kbc_start();
    out8(b, 0x60, 0xff);
    assert_true(b->probe[1].level);
    assert_int_equal(kbc_get(b), 0xfa);
    assert_int_equal(kbc_get(b), 0xaa);
    assert_int_equal(kbc_get(b), -1);
    assert_false(b->probe[1].level);
    out8(b, 0x60, 0xf2);
    assert_int_equal(kbc_get(b), 0xfa);
    assert_int_equal(kbc_get(b), 0xab);
    assert_int_equal(kbc_get(b), 0x41); /* 83H translated */
    out8(b, 0x60, 0xed);
    assert_int_equal(kbc_get(b), 0xfa);
    out8(b, 0x60, 7);
    assert_int_equal(kbc_get(b), 0xfa);
    out8(b, 0x60, 0xee);
    assert_int_equal(kbc_get(b), 0xee);
    out8(b, 0x60, 0xe1);
    assert_int_equal(kbc_get(b), 0xfe);
    kbc_cmd(b, 0x60);
    out8(b, 0x60, 0x05); /* no translation */
    out8(b, 0x60, 0xf0);
    assert_int_equal(kbc_get(b), 0xfa);
    out8(b, 0x60, 0);
    assert_int_equal(kbc_get(b), 0xfa);
    assert_int_equal(kbc_get(b), 2);
    board_destroy(b);
}

static void expect(Board *b, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(kbc_get(b), (uint8_t)bytes[i]);
    }
    assert_int_equal(kbc_get(b), -1);
}
#define EXPECT(b, s) expect(b, s, sizeof(s) - 1)

static void press(Board *b, unsigned code)
{
    input_key(&b->m, code, true);
    input_key(&b->m, code, false);
}

static void keyboard_codes_of_the_three_sets(void **state)
{
    Board *b = kbc_start();
    press(b, KEY_A);
    EXPECT(b, "\x1e\x9e");
    press(b, KEY_UP);
    EXPECT(b, "\xe0\x48\xe0\xc8");
    press(b, KEY_F7);
    EXPECT(b, "\x41\xc1");
    press(b, KEY_PAUSE);
    EXPECT(b, "\xe1\x1d\x45\xe1\x9d\xc5");
    press(b, KEY_SYSRQ);
    EXPECT(b, "\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa");
    input_key(&b->m, KEY_LEFTALT, true);
    press(b, KEY_SYSRQ);
    input_key(&b->m, KEY_LEFTALT, false);
    EXPECT(b, "\x38\x54\xd4\xb8");
    kbc_cmd(b, 0x60);
    out8(b, 0x60, 0x05);
    press(b, KEY_A);
    EXPECT(b, "\x1c\xf0\x1c");
    press(b, KEY_RIGHTCTRL);
    EXPECT(b, "\xe0\x14\xe0\xf0\x14");
    out8(b, 0x60, 0xf0);
    out8(b, 0x60, 3);
    EXPECT(b, "\xfa\xfa");
    press(b, KEY_ESC);
    EXPECT(b, "\x08\xf0\x08");
    out8(b, 0x60, 0xf0);
    out8(b, 0x60, 1);
    EXPECT(b, "\xfa\xfa");
    press(b, KEY_UP);
    EXPECT(b, "\xe0\x48\xe0\xc8");
    board_destroy(b);
}

static void keyboard_repeats_a_held_key(void **state)
{
    Board *b = kbc_start();
    input_key(&b->m, KEY_A, true);
    EXPECT(b, "\x1e");
    input_key(&b->m, KEY_A, true); /* the display's repeat: ignored */
    EXPECT(b, "");
    board_advance(b, 499000000);
    EXPECT(b, "");
    board_advance(b, 2000000);
    EXPECT(b, "\x1e");
    board_advance(b, 100000000);
    EXPECT(b, "\x1e");
    input_key(&b->m, KEY_A, false);
    EXPECT(b, "\x9e");
    board_advance(b, NS_PER_SEC);
    EXPECT(b, "");
    board_destroy(b);
}

static void keyboard_overflow_leaves_whole_codes(void **state)
{
    Board *b = kbc_start();
    for (unsigned i = 0; i < 1000; i++) {
        press(b, KEY_UP);
    }
    unsigned n = 0;
    while (kbc_get(b) >= 0) {
        n++;
    }
    assert_in_range(n, 100, 129);
    press(b, KEY_A);
    EXPECT(b, "\x1e\x9e");
    board_destroy(b);
}

static void keyboard_off_is_silent(void **state)
{
    Board *b = kbc_start();
    kbc_cmd(b, 0xad);
    press(b, KEY_B);
    EXPECT(b, "");
    kbc_cmd(b, 0xae);
    EXPECT(b, "\x30\xb0");
    out8(b, 0x60, 0xf5);
    EXPECT(b, "\xfa");
    press(b, KEY_B);
    EXPECT(b, "");
    board_destroy(b);
}

static void mouse_reports_after_its_knock(void **state)
{
    Board *b = kbc_start();
    kbc_cmd(b, 0x60);
    out8(b, 0x60, 0x47);
    aux(b, 0xff);
    assert_int_equal(in8(b, 0x64) & 0x21, 0x21);
    assert_true(b->probe[12].level);
    EXPECT(b, "\xfa\xaa\x00");
    aux(b, 0xf2);
    EXPECT(b, "\xfa\x00");
    input_rel(&b->m, 1, 1, 0); /* reporting is off */
    EXPECT(b, "");
    aux(b, 0xf4);
    EXPECT(b, "\xfa");
    input_rel(&b->m, 5, 3, 0); /* down on the screen is negative y */
    EXPECT(b, "\x28\x05\xfd");
    input_button(&b->m, 0, true);
    EXPECT(b, "\x09\x00\x00");
    input_rel(&b->m, -300, 0, 0);
    EXPECT(b, "\x19\x81\x00\x19\x81\x00\x19\xd2\x00");
    static const uint8_t knock[] = { 0xf3, 200, 0xf3, 100, 0xf3, 80 };
    for (unsigned i = 0; i < sizeof(knock); i++) {
        aux(b, knock[i]);
        EXPECT(b, "\xfa");
    }
    aux(b, 0xf2);
    EXPECT(b, "\xfa\x03");
    input_rel(&b->m, 0, 0, 1); /* wheel up */
    EXPECT(b, "\x09\x00\x00\xff");
    static const uint8_t knock5[] = { 0xf3, 200, 0xf3, 200, 0xf3, 80 };
    for (unsigned i = 0; i < sizeof(knock5); i++) {
        aux(b, knock5[i]);
        EXPECT(b, "\xfa");
    }
    aux(b, 0xf2);
    EXPECT(b, "\xfa\x04");
    input_rel(&b->m, 0, 0, -1);
    EXPECT(b, "\x09\x00\x00\x01");
    aux(b, 0xe9);
    EXPECT(b, "\xfa\x24\x02\x50");
    board_destroy(b);
}

static void mouse_remote_and_wrap_modes(void **state)
{
    Board *b = kbc_start();
    kbc_cmd(b, 0x60);
    out8(b, 0x60, 0x47);
    aux(b, 0xf4);
    aux(b, 0xf0);
    EXPECT(b, "\xfa\xfa");
    input_rel(&b->m, 2, 0, 0);
    EXPECT(b, "");
    aux(b, 0xeb);
    EXPECT(b, "\xfa\x08\x02\x00");
    aux(b, 0xee);
    EXPECT(b, "\xfa");
    aux(b, 0x42);
    EXPECT(b, "\x42");
    aux(b, 0xec);
    EXPECT(b, "\xfa");
    board_destroy(b);
}

/* --- fw_cfg --- */

static FwCfg *fw;

static Board *fw_start(void)
{
    Board *b = board_create(1);
    fw = fw_cfg_create(&b->m, &err);
    assert_non_null(fw);
    board_reset(b);
    return b;
}

static void fw_read(Board *b, uint16_t key, uint8_t *to, unsigned n)
{
    outp(b, 0x510, key, 2);
    for (unsigned i = 0; i < n; i++) {
        to[i] = in8(b, 0x511);
    }
}

static void fw_cfg_shows_signature_and_files(void **state)
{
    Board *b = fw_start();
    uint8_t v[140];
    fw_read(b, 0, v, 5);
    assert_memory_equal(v, "QEMU\0", 5); /* zeros behind the end */
    fw_read(b, 1, v, 4);
    assert_memory_equal(v, "\3\0\0\0", 4);
    assert_true(fw_cfg_add_file(fw, "etc/one", "abc", 3));
    assert_true(fw_cfg_add_file(fw, "etc/two", "defg", 4));
    assert_true(fw_cfg_add_file(fw, "etc/one", "xy", 2));
    assert_false(fw_cfg_add_file(
        fw, "a-name-that-is-longer-than-the-fifty-six-bytes-there-are", "", 0));
    fw_read(b, FW_CFG_FILE_DIR, v, 4 + 128);
    assert_memory_equal(v, "\0\0\0\2\0\0\0\2\0\x20\0\0etc/one\0", 20);
    assert_memory_equal(v + 68, "\0\0\0\4\0\x21\0\0etc/two\0", 16);
    fw_read(b, 0x20, v, 3);
    assert_memory_equal(v, "xy\0", 3);
    fw_read(b, 0x3fff, v, 2);
    assert_memory_equal(v, "\0\0", 2);
    fw_cfg_add_u32(fw, FW_CFG_ARCH_LOCAL | 3, 0x11223344);
    fw_read(b, 0x8003, v, 4);
    assert_memory_equal(v, "\x44\x33\x22\x11", 4);
    board_destroy(b);
}

static void put_be(uint8_t *p, uint64_t v, unsigned n)
{
    while (n--) {
        p[n] = v;
        v >>= 8;
    }
}

static uint32_t fw_dma(Board *b, uint32_t control, uint32_t len, uint64_t addr)
{
    uint8_t d[16];
    put_be(d, control, 4);
    put_be(d + 4, len, 4);
    put_be(d + 8, addr, 8);
    assert_true(memory_write(&b->m.mem, 0x1000, d, 16));
    outp(b, 0x518, 0x00100000, 4); /* 0x1000, big endian */
    memory_read(&b->m.mem, 0x1000, d, 4);
    return (uint32_t)d[0] << 24 | d[1] << 16 | d[2] << 8 | d[3];
}

static void fw_cfg_dma_copies_within_bounds(void **state)
{
    Board *b = fw_start();
    uint8_t v[8];
    assert_int_equal(inp(b, 0x514, 4), 0x554d4551); /* "QEMU CFG" */
    assert_int_equal(inp(b, 0x518, 4), 0x47464320);
    fw_cfg_add_file(fw, "f", "0123456789", 10);
    memset(memory_host(&b->ram) + 0x2000, 0xee, 32);
    assert_int_equal(fw_dma(b, 0x20 << 16 | 8 | 2, 4, 0x2000), 0);
    memory_read(&b->m.mem, 0x2000, v, 5);
    assert_memory_equal(v, "0123\xee", 5);
    assert_int_equal(fw_dma(b, 4, 2, 0), 0); /* skip two */
    assert_int_equal(fw_dma(b, 2, 8, 0x2010), 0);
    memory_read(&b->m.mem, 0x2010, v, 8);
    assert_memory_equal(v, "6789\0\0\0\0", 8);
    assert_int_equal(fw_dma(b, 0x20 << 16 | 8 | 16, 4, 0x2000), 1); /* write: refused */
    assert_int_equal(fw_dma(b, 0x20 << 16 | 8 | 2, 0xffffffff, 0x3ff000),
                     1);                                               /* end of RAM */
    assert_int_equal(fw_dma(b, 0x20 << 16 | 8 | 2, 4, 0xfee00000), 1); /* not RAM */
    assert_int_equal(fw_dma(b, 0x20 << 16 | 8 | 2, 4, UINT64_MAX - 1), 1);
    outp(b, 0x514, 0xffffffff, 4);
    outp(b, 0x518, 0xffffffff, 4); /* descriptor in a hole: nothing happens */
    board_destroy(b);
}

/* --- small devices --- */

static void debug_exit_ends_with_an_odd_status(void **state)
{
    Board *b = board_create(1);
    Device *dev = device_create(&b->m, &isa_debug_exit_class);
    assert_true(device_set(dev, "iobase", "0xf4", &err));
    assert_true(device_set(dev, "iosize", "4", &err));
    assert_true(device_realize(dev, NULL, &err));
    outp(b, 0xf4, 0x10, 4);
    assert_true(b->m.shutdown_requested);
    assert_int_equal(b->m.exit_code, 0x21);
    device_destroy(dev);
    board_destroy(b);
}

static void pvpanic_hears_of_the_events_it_knows(void **state)
{
    Board *b = board_create(1);
    assert_int_equal(in8(b, 0x505), 0xff);  /* what the DSDT's _STA looks at */
    Device *dev = device_create(&b->m, &pvpanic_class);
    assert_true(device_set(dev, "events", "1", &err));
    assert_true(device_realize(dev, NULL, &err));
    assert_int_equal(in8(b, 0x505), 1);
    out8(b, 0x505, 0xfe);
    assert_false(b->m.panic_requested || b->m.crash_load_requested);
    out8(b, 0x505, 1);
    assert_true(b->m.panic_requested);
    device_destroy(dev);
    board_destroy(b);
}

static void pc_testdev_lines_scratch_and_memory(void **state)
{
    Board *b = board_create(1);
    Device *dev = device_create(&b->m, &pc_testdev_class);
    assert_true(device_realize(dev, NULL, &err));
    board_reset(b);
    out8(b, 0x200a, 1);
    assert_true(b->probe[10].level);
    out8(b, 0x200a, 0);
    assert_false(b->probe[10].level);
    outp(b, 0xe0, 0x11223344, 4);
    outp(b, 0xe1, 0xaa, 1);
    assert_int_equal(inp(b, 0xe0, 4), 0x1122aa44);
    assert_int_equal(inp(b, 0xe2, 2), 0x1122);
    memw(b, 0xff00fff8, 0x1122334455667788, 8);
    assert_true(memr(b, 0xff00fff8, 8) == 0x1122334455667788);
    assert_int_equal(memr(b, 0xff00fffb, 2), 0x4455);
    memory_write(&b->m.mem, 0x5000, "page", 4);
    outp(b, 0xe4, 0x5000, 4);
    assert_memory_equal(memory_host(&b->ram) + 0x5000, "page", 4);
    outp(b, 0xe4, 0xfffff000, 4); /* no such page */
    device_destroy(dev);
    board_destroy(b);
}

static void port92_shares_a20_with_the_keyboard_controller(void **state)
{
    Board *b = board_create(1);
    Device *p92 = port92_create(&b->m, board_probe(b, 20), &err);
    I8042Wiring w = { .a20 = device_irq_in(p92, 0) };
    assert_non_null(i8042_create(&b->m, &w, &err));
    board_reset(b);
    assert_true(b->probe[20].level);
    out8(b, 0x92, 0);
    assert_false(b->probe[20].level);
    kbc_cmd(b, 0xdf);
    assert_true(b->probe[20].level);
    assert_int_equal(in8(b, 0x92), 2);
    out8(b, 0x92, 3);
    assert_true(b->m.reset_requested);
    board_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uart_sends_at_once),
        cmocka_unit_test(uart_divisor_hides_behind_dlab),
        cmocka_unit_test(uart_transmit_interrupt_goes_when_iir_is_read),
        cmocka_unit_test(uart_without_fifo_takes_one_byte),
        cmocka_unit_test(uart_fifo_interrupts_at_its_trigger_or_by_timeout),
        cmocka_unit_test(uart_loopback_overruns_and_reports),
        cmocka_unit_test(uart_modem_lines_loop_back),
        cmocka_unit_test(uart_break_is_a_line_status),
        cmocka_unit_test(uart_places_follow_the_index),
        cmocka_unit_test(debugcon_writes_and_answers),
        cmocka_unit_test(kbc_passes_its_self_tests),
        cmocka_unit_test(kbc_drives_a20_and_reset),
        cmocka_unit_test(keyboard_answers_commands),
        cmocka_unit_test(keyboard_codes_of_the_three_sets),
        cmocka_unit_test(keyboard_repeats_a_held_key),
        cmocka_unit_test(keyboard_overflow_leaves_whole_codes),
        cmocka_unit_test(keyboard_off_is_silent),
        cmocka_unit_test(mouse_reports_after_its_knock),
        cmocka_unit_test(mouse_remote_and_wrap_modes),
        cmocka_unit_test(fw_cfg_shows_signature_and_files),
        cmocka_unit_test(fw_cfg_dma_copies_within_bounds),
        cmocka_unit_test(debug_exit_ends_with_an_odd_status),
        cmocka_unit_test(pvpanic_hears_of_the_events_it_knows),
        cmocka_unit_test(pc_testdev_lines_scratch_and_memory),
        cmocka_unit_test(port92_shares_a20_with_the_keyboard_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

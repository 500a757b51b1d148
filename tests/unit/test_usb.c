/* SPDX-License-Identifier: MIT */
/* xHCI and the USB devices, as a driver sees them through rings in guest RAM. */
#include <linux/input-event-codes.h>
#include <string.h>
#include "hw/core/input.h"
#include "hw/usb/usb.h"
#include "tests/unit/disk_board.h"
#include "tests/unit/usb_board.h"

static void add(Board *b, const char *spec)
{
    Error err = ERROR_INIT;
    if (!device_add(&b->m, spec, &err)) {
        fail_msg("%s", err.msg);
    }
}

static unsigned start(Board *b, const char *spec)
{
    add(b, "qemu-xhci,addr=5");
    add(b, spec);
    device_reset_all(&b->m);
    usb_start(b);
    unsigned slot = usb_attach(b, 1);
    assert_int_equal(slot, 1);
    return slot;
}

static void expect_data(Board *b, const char *bytes, unsigned n)
{
    uint8_t got[64];
    get_ram(b, USB_DATA, got, n);
    assert_memory_equal(got, bytes, n);
}

static void ports_tell_what_sits_on_them(void **state)
{
    Board *b = *state;
    add(b, "qemu-xhci,addr=5,p2=3,p3=2");
    add(b, "usb-tablet,port=2");
    device_reset_all(&b->m);
    usb_start(b);
    assert_int_equal(mem_read(b, USB_MEM + 4, 4) >> 24, 5);
    assert_int_equal(mem_read(b, USB_MEM + 0x20, 4), 0x02000402);
    assert_int_equal(mem_read(b, USB_MEM + 0x28, 4), 0x301);
    assert_int_equal(mem_read(b, USB_MEM + 0x38, 4), 0x204);
    assert_int_equal(mem_read(b, USB_PORTSC + 16, 4), 0x2a0);           /* powered, nothing */
    assert_int_equal(mem_read(b, USB_PORTSC + 32, 4), 0x206e1);         /* full speed, new */
    mem_write(b, USB_PORTSC + 32, 0x20200, 4);
    assert_int_equal(mem_read(b, USB_PORTSC + 32, 4), 0x6e1);
    mem_write(b, USB_PORTSC + 32, 0x210, 4);
    assert_int_equal(mem_read(b, USB_PORTSC + 32, 4), 0x200603);        /* enabled */
    UsbEvent e;
    assert_true(usb_event(b, &e, false));
    assert_int_equal(usb_event_type(&e), 34);
    assert_int_equal(e.param, 2 << 24);
    assert_false(usb_event(b, &e, false));
}

static void a_device_answers_standard_requests(void **state)
{
    Board *b = *state;
    unsigned slot = start(b, "usb-kbd,serial=K1");
    assert_int_equal(mem_read(b, USB_CONTEXT + 0x1000 + 12, 4), 2u << 27 | 1);
    assert_int_equal(usb_request(b, slot, 0x80, 6, 0x100, 0, 18), 1);
    expect_data(b, "\x12\1\0\2\0\0\0\x40\x27\6\1\0\0\1\1\2\3\1", 18);
    assert_int_equal(usb_request(b, slot, 0x80, 6, 0x200, 0, 34), 1);
    expect_data(b, "\x09\2\x22\0\1\1\0\xa0\x32\x09\4\0\0\1\3\1\1\0\x09\x21\x11\1\0\1\x22\x40\0", 27);
    assert_int_equal(usb_request(b, slot, 0x80, 6, 0x303, 0x409, 6), 1);
    expect_data(b, "\6\3K\0" "1\0", 6);
    assert_int_equal(usb_request(b, slot, 0x81, 6, 0x2200, 0, 63), 1);
    expect_data(b, "\5\1\x09\6\xa1\1", 6);
    assert_int_equal(usb_request(b, slot, 0x80, 6, 0x600, 0, 10), 6);   /* no qualifier: STALL */
    assert_int_equal(mem_read(b, USB_CONTEXT + 0x1020, 4) & 7, 2);      /* halted */
    assert_int_equal(usb_command(b, 0, 14 << 10 | 1 << 16 | slot << 24, NULL), 1);
    assert_int_equal(mem_read(b, USB_CONTEXT + 0x1020, 4) & 7, 3);      /* stopped */
    assert_int_equal(usb_command(b, 0, 14 << 10 | 1 << 16 | slot << 24, NULL), 19);
}

static void key(Board *b, unsigned slot, unsigned code, bool down, const char *report)
{
    uint32_t rest;
    input_key(&b->m, code, down);
    assert_int_equal(usb_transfer(b, slot, 3, USB_DATA, 8, &rest), 1);
    expect_data(b, report, 8);
}

static void keys_become_reports_once_it_is_configured(void **state)
{
    Board *b = *state;
    unsigned slot = start(b, "usb-kbd");
    input_key(&b->m, KEY_B, true);                      /* nobody is there yet */
    assert_int_equal(usb_request(b, slot, 0, 9, 1, 0, 0), 1);
    assert_int_equal(usb_add_ep(b, slot, 3, 7), 1);
    assert_int_equal(mem_read(b, USB_CONTEXT + 0x1000, 4) >> 27, 3);
    key(b, slot, KEY_LEFTSHIFT, true, "\2\0\0\0\0\0\0\0");
    key(b, slot, KEY_A, true, "\2\0\4\0\0\0\0\0");
    key(b, slot, KEY_Z, true, "\2\0\4\x1d\0\0\0\0");
    key(b, slot, KEY_A, false, "\2\0\x1d\0\0\0\0\0");
    key(b, slot, KEY_LEFTSHIFT, false, "\0\0\x1d\0\0\0\0\0");
    UsbEvent e;                                         /* the transfer waits for a key */
    usb_trb(b, slot, 3, USB_DATA, 8, 1 << 10 | 0x24);
    usb_bell(b, slot, 3);
    assert_false(usb_event(b, &e, false));
    input_key(&b->m, KEY_Z, false);
    assert_true(usb_event(b, &e, true));
    assert_int_equal(e.status, 1 << 24);
    expect_data(b, "\0\0\0\0\0\0\0\0", 8);
    mem_write(b, USB_OPER, 2, 4);                       /* reset: keys go elsewhere again */
    input_key(&b->m, KEY_B, true);
}

static void a_pointer_moves_in_steps_and_loses_no_click(void **state)
{
    Board *b = *state;
    uint32_t rest;
    unsigned slot = start(b, "usb-mouse");
    usb_request(b, slot, 0, 9, 1, 0, 0);
    assert_int_equal(usb_add_ep(b, slot, 3, 7), 1);
    input_rel(&b->m, 200, -3, 0);
    input_button(&b->m, 0, true);
    input_button(&b->m, 0, false);
    input_rel(&b->m, 0, 0, 1);
    assert_int_equal(usb_transfer(b, slot, 3, USB_DATA, 8, &rest), 13); /* short: 4 of 8 */
    assert_int_equal(rest, 4);
    expect_data(b, "\0\x7f\xfd\0", 4);
    usb_transfer(b, slot, 3, USB_DATA, 4, &rest);
    expect_data(b, "\0\x49\0\0", 4);
    usb_transfer(b, slot, 3, USB_DATA, 4, &rest);
    expect_data(b, "\1\0\0\0", 4);
    usb_transfer(b, slot, 3, USB_DATA, 4, &rest);
    expect_data(b, "\0\0\0\1", 4);
}

static void a_tablet_reports_places(void **state)
{
    Board *b = *state;
    uint32_t rest;
    unsigned slot = start(b, "usb-tablet");
    usb_request(b, slot, 0, 9, 1, 0, 0);
    assert_true(input_wants_abs(&b->m));
    assert_int_equal(usb_add_ep(b, slot, 3, 7), 1);
    input_abs(&b->m, 0x1234, 0x7fff);
    input_button(&b->m, 2, true);
    usb_transfer(b, slot, 3, USB_DATA, 6, &rest);
    expect_data(b, "\0\x34\x12\xff\x7f\0", 6);
    usb_transfer(b, slot, 3, USB_DATA, 6, &rest);
    expect_data(b, "\2\x34\x12\xff\x7f\0", 6);
}

/* ---- storage ---- */

static unsigned storage(Board *b)
{
    disk_image(b, "d0", ",if=none", DISK_SECTORS, 512);
    unsigned slot = start(b, "usb-storage,drive=d0");
    assert_int_equal(usb_request(b, slot, 0, 9, 1, 0, 0), 1);
    assert_int_equal(usb_add_ep(b, slot, 3, 6), 1);
    assert_int_equal(usb_add_ep(b, slot, 4, 2), 1);
    return slot;
}

static unsigned command(Board *b, unsigned slot, const char *cdb, unsigned n, uint32_t len, bool in)
{
    uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 0x11, 0x22, 0x33, 0x44, len, len >> 8, len >> 16, 0,
                        in ? 0x80 : 0, 0, n };
    memcpy(cbw + 15, cdb, n);
    set_ram(b, USB_PACKETS, cbw, sizeof(cbw));
    return usb_transfer(b, slot, 4, USB_PACKETS, 31, NULL);
}
#define COMMAND(b, slot, cdb, len, in) command(b, slot, cdb, sizeof(cdb) - 1, len, in)

static void expect_status(Board *b, unsigned slot, uint32_t residue, unsigned status)
{
    uint8_t csw[13];
    assert_int_equal(usb_transfer(b, slot, 3, USB_PACKETS, 13, NULL), 1);
    get_ram(b, USB_PACKETS, csw, 13);
    assert_memory_equal(csw, "USBS\x11\x22\x33\x44", 8);
    assert_int_equal(ram32(b, USB_PACKETS + 8), residue);
    assert_int_equal(csw[12], status);
}

static void a_disk_reads_and_writes_in_packets(void **state)
{
    Board *b = *state;
    uint32_t rest;
    unsigned slot = storage(b);
    assert_int_equal(usb_request(b, slot, 0xa1, 0xfe, 0, 0, 1), 1);
    expect_data(b, "\0", 1);
    COMMAND(b, slot, "\x12\0\0\0\xff", 255, true);
    assert_int_equal(usb_transfer(b, slot, 3, USB_DATA, 255, &rest), 13);
    assert_int_equal(rest, 255 - 36);
    expect_status(b, slot, 255 - 36, 0);
    COMMAND(b, slot, "\x28\0\0\0\0\x09\0\0\4", 2048, true);
    assert_int_equal(usb_transfer(b, slot, 3, USB_DATA, 1024, &rest), 1);
    assert_int_equal(usb_transfer(b, slot, 3, USB_DATA + 1024, 1024, &rest), 1);
    expect_status(b, slot, 0, 0);
    assert_int_equal(ram32(b, USB_DATA), 9);
    assert_int_equal(ram32(b, USB_DATA + 1536), 12);
    mem_write(b, USB_DATA, 0x600df00d, 4);
    COMMAND(b, slot, "\x2a\x08\0\0\0\x09\0\0\4", 2048, false);  /* FUA: status after a flush */
    assert_int_equal(usb_transfer(b, slot, 4, USB_DATA, 2048, &rest), 1);
    expect_status(b, slot, 0, 0);
    mem_write(b, USB_DATA, 0, 4);
    COMMAND(b, slot, "\x28\0\0\0\0\x09\0\0\1", 512, true);
    usb_transfer(b, slot, 3, USB_DATA, 512, &rest);
    expect_status(b, slot, 0, 0);
    assert_int_equal(ram32(b, USB_DATA), 0x600df00d);
    COMMAND(b, slot, "\x35", 0, false);
    expect_status(b, slot, 0, 0);
}

static void host_and_disk_may_disagree(void **state)
{
    Board *b = *state;
    uint32_t rest;
    unsigned slot = storage(b);
    COMMAND(b, slot, "\x28\0\0\0\x20\0\0\0\1", 512, true);      /* behind the end */
    assert_int_equal(usb_transfer(b, slot, 3, USB_DATA, 512, &rest), 13);
    assert_int_equal(rest, 512);
    expect_status(b, slot, 512, 1);
    COMMAND(b, slot, "\3\0\0\0\x12", 18, true);
    usb_transfer(b, slot, 3, USB_DATA, 18, &rest);
    expect_status(b, slot, 0, 0);
    assert_int_equal(mem_read(b, USB_DATA + 2, 1), 5);
    assert_int_equal(mem_read(b, USB_DATA + 12, 1), 0x21);
    COMMAND(b, slot, "\x28\0\0\0\0\0\0\0\2", 512, true);        /* Hi < Di: phase error */
    assert_int_equal(usb_transfer(b, slot, 3, USB_DATA, 512, &rest), 13);
    expect_status(b, slot, 512, 2);
    COMMAND(b, slot, "\x2a\0\0\0\0\0\0\0\1", 512, true);        /* the wrong way */
    usb_transfer(b, slot, 3, USB_DATA, 512, &rest);
    expect_status(b, slot, 512, 2);
    COMMAND(b, slot, "\x28\0\0\0\0\0\0\0\1", 0, true);
    expect_status(b, slot, 0, 2);
    COMMAND(b, slot, "\x25", 4096, false);                      /* Ho <> Di */
    assert_int_equal(usb_transfer(b, slot, 4, USB_DATA, 4096, &rest), 1);
    expect_status(b, slot, 0, 2);
    assert_int_equal(usb_transfer(b, slot, 4, USB_DATA, 30, &rest), 6); /* no command block */
    assert_int_equal(usb_command(b, 0, 14 << 10 | 4 << 16 | slot << 24, NULL), 1);
}

/* ---- what a guest must not do ---- */

static void bad_commands_and_rings_are_answered(void **state)
{
    Board *b = *state;
    UsbEvent e;
    unsigned slot = start(b, "usb-kbd"), other;
    assert_int_equal(usb_command(b, 0, 62 << 10, NULL), 5);             /* unknown */
    assert_int_equal(usb_command(b, 0, 10 << 10 | 9 << 24, NULL), 11);  /* slot not enabled */
    assert_int_equal(usb_command(b, 0, 15 << 10 | slot << 24, NULL), 5);
    assert_int_equal(usb_command(b, 0, 15 << 10 | 7 << 16 | slot << 24, NULL), 12);
    assert_int_equal(usb_add_ep(b, slot, 3, 5), 17);                    /* isochronous */
    assert_int_equal(usb_command(b, 0, 9 << 10, &other), 1);
    assert_int_equal(other, 2);
    mem_write(b, USB_INPUT + 4, 3, 4);                                  /* the same port again */
    assert_int_equal(usb_command(b, USB_INPUT, 11 << 10 | 2 << 24, NULL), 4);
    mem_write(b, USB_INPUT + 36, 200 << 16, 4);
    assert_int_equal(usb_command(b, USB_INPUT, 11 << 10 | 2 << 24, NULL), 17);
    usb_request(b, slot, 0, 9, 1, 0, 0);
    assert_int_equal(usb_add_ep(b, slot, 3, 7), 1);
    uint64_t ring = USB_RINGS + 0x400 * (32 * slot + 3);
    mem_write(b, ring, ring, 8);                                        /* a link to itself */
    mem_write(b, ring + 8, 0, 4);
    mem_write(b, ring + 12, 6 << 10 | 1, 4);
    usb_bell(b, slot, 3);
    assert_true(usb_event(b, &e, true));
    assert_int_equal(e.status >> 24, 5);
    assert_int_equal(mem_read(b, USB_CONTEXT + 0x1060, 4) & 7, 4);      /* error */
    mem_write(b, USB_ERST + 8, 3, 4);                                   /* too short a segment */
    usb_trb(b, slot, 1, 0, 0, 8 << 10 | 0x20);
    usb_bell(b, slot, 1);
    assert_int_equal(mem_read(b, USB_OPER + 4, 4) & 0x1000, 0x1000);    /* host controller error */
    mem_write(b, USB_OPER, 2, 4);
    assert_int_equal(mem_read(b, USB_OPER + 4, 4), 1);
}

static void a_full_event_ring_says_so_and_goes_on(void **state)
{
    Board *b = *state;
    unsigned slot = start(b, "usb-kbd"), n = 0, full = 0;
    UsbEvent e;
    for (unsigned i = 0; i < 2 * USB_NEVENTS; i++) {
        usb_trb(b, slot, 1, 0, 0, 8 << 10 | 0x20);      /* no operation, with an event */
        usb_bell(b, slot, 1);
    }
    for (; usb_event(b, &e, false); n++) {
        full += usb_event_type(&e) == 37 && e.status >> 24 == 21;
    }
    assert_int_equal(full, 1);
    assert_true(n < USB_NEVENTS);
    assert_int_equal(usb_command(b, 0, 23 << 10, NULL), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, disk_setup, disk_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ports_tell_what_sits_on_them),
        T(a_device_answers_standard_requests),
        T(keys_become_reports_once_it_is_configured),
        T(a_pointer_moves_in_steps_and_loses_no_click),
        T(a_tablet_reports_places),
        T(a_disk_reads_and_writes_in_packets),
        T(host_and_disk_may_disagree),
        T(bad_commands_and_rings_are_answered),
        T(a_full_event_ring_says_so_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The 82540EM as a driver sees it: EEPROM, PHY, sending with offloads, filters, hostile rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "hw/backend/net.h"
#include "tests/unit/pci_board.h"
#include "util/alloc.h"

enum {
    DEV = 4 << 3,
    BAR = 0xe0000000,
    TX = 0x10000,
    RX = 0x20000,
    BUF = 0x30000,
    RXBUF = 0x40000,
    RING = 16
};

static uint8_t sent[16][2048];
static size_t sent_len[16];
static unsigned frames;
static const NetOps *real_ops;

static void sink_send(NetBackend *n, const uint8_t *frame, size_t len)
{
    if (frames < 16 && len <= sizeof(sent[0])) {
        memcpy(sent[frames], frame, len);
        sent_len[frames] = len;
    }
    frames++;
}

static uint32_t get(Board *b, unsigned reg)
{
    return (uint32_t)mem_read(b, BAR + reg, 4);
}

static void put(Board *b, unsigned reg, uint32_t v)
{
    mem_write(b, BAR + reg, v, 4);
}

static NetBackend *start(Board *b)
{
    static NetOps ops;
    Error err = ERROR_INIT;
    NetBackend *n = netdev_open(&b->m, "user,id=n0", &err);
    assert_non_null(n);
    real_ops = n->ops;
    ops = *n->ops;
    ops.send = sink_send;
    n->ops = &ops;
    frames = 0;
    board_add(b, "e1000,netdev=n0,addr=4");
    device_reset_all(&b->m);
    cfg_write(b, DEV, 0x10, BAR, 4);
    cfg_write(b, DEV, 0x04, 7, 2);
    put(b, 0x3800, TX); /* transmit ring, on */
    put(b, 0x3808, RING * 16);
    put(b, 0x400, 0x0a);
    put(b, 0x2800, RX); /* receive ring, on: broadcast, CRC stripped */
    put(b, 0x2808, RING * 16);
    for (unsigned i = 0; i < RING; i++) {
        mem_write(b, RX + 16 * i, RXBUF + 2048 * i, 8);
    }
    put(b, 0x2818, RING - 1);
    put(b, 0x100, 1 << 1 | 1 << 15 | 1 << 26);
    return n;
}

static void close_netdevs(Machine *m, void *arg) { netdev_close_all(m); }

/* The card still knows its back end, which goes when all devices have gone. */
static void finish(Board *b, NetBackend *n)
{
    n->ops = real_ops;
    b->m.release = close_netdevs;
}

static void desc(Board *b, unsigned i, uint64_t buffer, uint32_t lower, uint32_t upper)
{
    mem_write(b, TX + 16 * i, buffer, 8);
    mem_write(b, TX + 16 * i + 8, lower, 4);
    mem_write(b, TX + 16 * i + 12, upper, 4);
}

static uint16_t eeprom(Board *b, unsigned n)
{
    put(b, 0x14, n << 8 | 1);
    uint32_t v = get(b, 0x14);
    assert_true(v & 0x10);
    return (uint16_t)(v >> 16);
}

static void clock_bit(Board *b, bool di)
{
    put(b, 0x10, 0x42 | di << 2);
    put(b, 0x10, 0x43 | di << 2);
    put(b, 0x10, 0x42 | di << 2);
}

static void the_eeprom_adds_up_by_both_ways_of_reading(void **state)
{
    Board *b = *state;
    NetBackend *n = start(b);
    uint16_t sum = 0;
    for (unsigned i = 0; i < 64; i++) {
        uint16_t word = 0;
        put(b, 0x10, 0x42);
        assert_true(get(b, 0x10) & 0x80);  /* granted */
        for (unsigned k = 0; k < 9; k++) { /* 1, 10b, six bits */
            clock_bit(b, (0x180 | i) >> (8 - k) & 1);
        }
        for (unsigned k = 0; k < 16; k++) {
            clock_bit(b, 0);
            word = word << 1 | (get(b, 0x10) >> 3 & 1);
        }
        put(b, 0x10, 0);
        assert_int_equal(word, eeprom(b, i));
        sum += word;
    }
    assert_int_equal(sum, 0xbaba);
    assert_int_equal(eeprom(b, 0), 0x5452);
    assert_int_equal(get(b, 0x5400), 0x12005452);
    finish(b, n);
}

static void the_phy_has_a_link_and_a_name(void **state)
{
    Board *b = *state;
    NetBackend *n = start(b);
    put(b, 0x20, 2 << 26 | 1 << 21 | 2 << 16);
    assert_int_equal(get(b, 0x20), 0x18220141);
    put(b, 0x20, 2 << 26 | 1 << 21 | 1 << 16);
    assert_int_equal(get(b, 0x20) & 0x24, 0x24);
    put(b, 0x20, 2 << 26 | 2 << 21 | 2 << 16); /* nobody at address 2 */
    assert_true(get(b, 0x20) >> 30 & 1);
    assert_int_equal(get(b, 8) & 2, 2);
    finish(b, n);
}

static void a_frame_is_sent_reported_and_padded(void **state)
{
    Board *b = *state;
    NetBackend *n = start(b);
    for (unsigned i = 0; i < 20; i++) {
        mem_write(b, BUF + i, i + 1, 1);
    }
    put(b, 0xd0, 3);
    desc(b, 0, BUF, 20 | 0x0b000000, 0); /* EOP, IFCS, RS */
    put(b, 0x3818, 1);
    assert_int_equal(frames, 1);
    assert_int_equal(sent_len[0], 60);
    assert_int_equal(sent[0][19], 20);
    assert_int_equal(sent[0][20], 0);
    assert_int_equal(mem_read(b, TX + 12, 1), 1);
    assert_int_equal(get(b, 0x3810), 1);
    assert_int_equal(get(b, 0xc0), 3); /* TXDW, TXQE */
    assert_int_equal(get(b, 0xc0), 0);
    finish(b, n);
}

/* Sum of big-endian words, folded: 0xffff where a checksum is right. */
static unsigned fold(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i++) {
        sum += i & 1 ? p[i] : p[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void segments_have_their_own_headers_and_sums(void **state)
{
    Board *b = *state;
    NetBackend *n = start(b);
    uint8_t f[54 + 250] = { [12] = 8,   [14] = 0x45, [18] = 0x12, [19] = 0xff, [22] = 64,
                            [23] = 6,   [26] = 10,   [29] = 15,   [30] = 10,   [33] = 2,
                            [41] = 100, [46] = 0x50, [47] = 0x19 };
    f[50] = fold(f + 26, 8, 6) >> 8; /* the pseudo header's sum without the length */
    f[51] = fold(f + 26, 8, 6) & 0xff;
    for (unsigned i = 0; i < sizeof(f); i++) {
        mem_write(b, BUF + i, i < 54 ? f[i] : i, 1);
    }
    desc(b, 0, 14 | 24 << 8 | 33 << 16 | (34ull | 50 << 8) << 32, 250 | 0x27000000,
         54 << 8 | 100 << 16);
    desc(b, 1, BUF, 54 | 0x24100000, 3 << 8); /* data, TSE; IXSM, TXSM */
    put(b, 0x3818, 2);
    assert_int_equal(frames, 0); /* the end is not there */
    desc(b, 2, BUF + 54, 250 | 0x2d100000, 3 << 8);
    put(b, 0x3818, 3);
    assert_int_equal(frames, 3);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *p = sent[i];
        unsigned payload = i < 2 ? 100 : 50;
        assert_int_equal(sent_len[i], 54 + payload);
        assert_int_equal(p[16] << 8 | p[17], 40 + payload);
        assert_int_equal(p[18] << 8 | p[19], 0x12ff + i);
        assert_int_equal(p[40] << 8 | p[41], 100 + 100 * i);
        assert_int_equal(p[47], i < 2 ? 0x10 : 0x19);
        assert_int_equal(fold(p + 14, 20, 0), 0xffff);
        assert_int_equal(fold(p + 34, 20 + payload, fold(p + 26, 8, 6 + 20 + payload)),
                         0xffff);
        assert_int_equal(p[54], (uint8_t)(54 + 100 * i));
    }
    finish(b, n);
}

static void frames_for_others_are_not_taken(void **state)
{
    Board *b = *state;
    NetBackend *n = start(b);
    uint8_t f[64] = { 0x52, 0x54, 0, 0x12, 0x34, 0x57, [12] = 8, [13] = 0, [63] = 9 };
    put(b, 0xd0, 0x80);
    net_to_guest(n, f, sizeof(f));
    assert_int_equal(get(b, 0x2810), 1);
    assert_int_equal(mem_read(b, RX + 8, 2), 64);
    assert_int_equal(mem_read(b, RX + 12, 1), 7); /* DD, EOP, IXSM */
    assert_int_equal(mem_read(b, RXBUF + 63, 1), 9);
    assert_int_equal(get(b, 0xc0) & 0x80, 0x80);
    f[5]++;
    net_to_guest(n, f, sizeof(f)); /* another's */
    f[0] = 1;
    net_to_guest(n, f, sizeof(f)); /* a group's */
    assert_int_equal(get(b, 0x2810), 1);
    unsigned hash = (f[5] << 8 | f[4]) >> 4;
    put(b, 0x5200 + hash / 32 * 4, 1u << hash % 32);
    net_to_guest(n, f, sizeof(f));
    assert_int_equal(get(b, 0x2810), 2);
    memset(f, 0xff, 6);
    net_to_guest(n, f, 20); /* short: padded */
    assert_int_equal(get(b, 0x2810), 3);
    assert_int_equal(mem_read(b, RX + 32 + 8, 2), 60);
    finish(b, n);
}

static void a_vlan_tag_is_taken_out_and_put_in(void **state)
{
    Board *b = *state;
    NetBackend *n = start(b);
    uint8_t f[68] = { 0xff, 0xff,        0xff,        0xff,     0xff,
                      0xff, [12] = 0x81, [14] = 0x20, [15] = 5, [16] = 8 };
    put(b, 0, get(b, 0) | 1 << 30);
    net_to_guest(n, f, sizeof(f));
    assert_int_equal(mem_read(b, RX + 8, 2), 64);
    assert_int_equal(mem_read(b, RX + 12, 1), 0xf);
    assert_int_equal(mem_read(b, RX + 14, 2), 0x2005);
    assert_int_equal(mem_read(b, RXBUF + 12, 1), 8);
    desc(b, 0, RXBUF, 64 | 0x41000000, 0x2005u << 16);
    put(b, 0x3818, 1);
    assert_int_equal(sent_len[0], 68);
    assert_memory_equal(sent[0], f, 20);
    finish(b, n);
}

static void whatever_the_rings_say_nothing_breaks(void **state)
{
    Board *b = *state;
    NetBackend *n = start(b);
    uint32_t x = 12345;
    uint8_t f[1500] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint16_t regs[] = { 0x3800, 0x3804, 0x3808, 0x3810, 0x3818, 0x2800,
                                     0x2808, 0x2810, 0x2818, 0x100,  0x400,  0,
                                     0x10,   0x14,   0x20,   0xd0,   0xc8 };
    for (unsigned i = 0; i < 20000; i++) {
        x = x * 1664525 + 1013904223;
        unsigned what = x >> 24;
        x = x * 1664525 + 1013904223;
        if (what < 128) {
            uint32_t v = what & 1 ? x : x >> 20;
            put(b, regs[what / 2 % ARRAY_SIZE(regs)], v);
        } else if (what < 200) {
            desc(b, what % RING, x >> 12, x, x >> 3);
        } else if (what < 220) {
            put(b, 0x3800, TX);
            put(b, 0x3804, 0);
            put(b, 0x3808, RING * 16);
            put(b, 0x400, 10);
            put(b, 0x3810, x >> 28);
            put(b, 0x3818, x >> 24 & 15);
        } else {
            net_to_guest(n, f, 14 + x % 1400);
        }
    }
    put(b, 0, 1 << 26); /* and it can be brought back */
    assert_int_equal(get(b, 0x5400), 0x12005452);
    finish(b, n);
}

static int setup(void **state)
{
    *state = board_create();
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    return 0;
}

#define ON_BOARD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOARD(the_eeprom_adds_up_by_both_ways_of_reading),
        ON_BOARD(the_phy_has_a_link_and_a_name),
        ON_BOARD(a_frame_is_sent_reported_and_padded),
        ON_BOARD(segments_have_their_own_headers_and_sums),
        ON_BOARD(frames_for_others_are_not_taken),
        ON_BOARD(a_vlan_tag_is_taken_out_and_put_in),
        ON_BOARD(whatever_the_rings_say_nothing_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

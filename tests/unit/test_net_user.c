/* SPDX-License-Identifier: MIT */
/* The user network: its answers to ARP and DHCP, forwarding from the host, error texts. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/core/netdev.h"
#include "tests/unit/pci_board.h"
#include "util/alloc.h"
#include "util/loop.h"

static uint8_t got[16][1600];
static size_t got_len[16];
static unsigned frames;
static bool ready;

static bool may_receive(void *opaque)
{
    return ready;
}

static void receive(void *opaque, const uint8_t *frame, size_t n)
{
    if (frames < 16 && n <= sizeof(got[0])) {
        memcpy(got[frames], frame, n);
        got_len[frames++] = n;
    }
}

static const NetClient client = { may_receive, receive, NULL };

static int setup(void **state)
{
    *state = board_create();
    frames = 0;
    ready = true;
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    return 0;
}

static NetBackend *open_net(Board *b, const char *spec)
{
    Error err = ERROR_INIT;
    NetBackend *n = netdev_open(&b->m, spec, &err);
    if (!n) {
        print_error("%s: %s\n", spec, err.msg);
    }
    assert_non_null(n);
    assert_true(netdev_attach(n, &client, &err));
    return n;
}

static void turns(Board *b, int n)
{
    while (n--) {
        machine_unlock(&b->m);
        loop_run_once(b->m.loop, 5000000);
        machine_lock(&b->m);
    }
}

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0, 0, 9 };

static void ask_arp(NetBackend *n, uint32_t from, uint32_t to)
{
    uint8_t f[60] = { 255, 255, 255, 255, 255, 255 };
    const uint8_t arp[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
    memcpy(f + 6, guest_mac, 6);
    memcpy(f + 12, arp, sizeof(arp));
    memcpy(f + 22, guest_mac, 6);
    memcpy(f + 28, &(uint32_t){ htonl(from) }, 4);
    memcpy(f + 38, &(uint32_t){ htonl(to) }, 4);
    netdev_send(n, f, sizeof(f));
}

/* The first frame with this EtherType, or NULL. */
static const uint8_t *find_frame(uint16_t type)
{
    for (unsigned i = 0; i < frames; i++) {
        if (got[i][12] == type >> 8 && got[i][13] == (type & 0xff)) {
            return got[i];
        }
    }
    return NULL;
}

static void gateway_answers_arp(void **state)
{
    Board *b = *state;
    NetBackend *n = open_net(b, "user,id=n0,net=192.168.76.0/24,host=192.168.76.9");
    ask_arp(n, 0xc0a84c0f, 0xc0a84c09);
    turns(b, 3);
    const uint8_t *f = find_frame(0x0806);
    assert_non_null(f);
    assert_memory_equal(f, guest_mac, 6);
    assert_int_equal(f[21], 2);     /* reply */
    assert_memory_equal(f + 28, &(uint32_t){ htonl(0xc0a84c09) }, 4);
}

static void frames_wait_for_a_busy_guest(void **state)
{
    Board *b = *state;
    NetBackend *n = open_net(b, "user,id=n0");
    ready = false;
    ask_arp(n, 0x0a00020f, 0x0a000202);
    turns(b, 3);
    assert_int_equal(frames, 0);
    ready = true;
    netdev_flush(n);
    assert_non_null(find_frame(0x0806));
}

static void a_connection_to_a_forwarded_port_reaches_the_guest(void **state)
{
    Board *b = *state;
    unsigned port = 20000 + getpid() % 20000;
    char *spec = xasprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%u-10.0.2.15:22,"
                           "hostfwd=udp:127.0.0.1:%u-:53", port, port);
    NetBackend *n = open_net(b, spec);
    free(spec);
    ask_arp(n, 0x0a00020f, 0x0a000202);     /* so that it knows the guest's address */
    turns(b, 2);
    frames = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
                             .sin_addr = { htonl(INADDR_LOOPBACK) } };
    connect(fd, (struct sockaddr *)&a, sizeof(a));
    turns(b, 10);
    const uint8_t *f = find_frame(0x0800);
    assert_non_null(f);
    assert_int_equal(f[23], 6);             /* TCP */
    assert_int_equal(f[36] << 8 | f[37], 22);
    assert_int_equal(f[47] & 0x12, 2);      /* SYN */
    close(fd);
}

static void refuse(Board *b, const char *spec, const char *text)
{
    Error err = ERROR_INIT;
    assert_null(netdev_open(&b->m, spec, &err));
    board_refused(&err, spec, text);
}

static void wrong_options_are_named(void **state)
{
    Board *b = *state;
    refuse(b, "tap,id=n0", "type: tap is not accepted: expected one of user");
    refuse(b, "user", "id: one is needed");
    refuse(b, "user,id=n0,hostfdw=tcp::1-:2", "there is no property 'hostfdw'");
    refuse(b, "user,id=n0,hostfwd=tcp::22", "hostfwd: 'tcp::22' is not accepted");
    refuse(b, "user,id=n0,hostfwd=sctp::5555-:22", "is not accepted");
    refuse(b, "user,id=n0,hostfwd=tcp::5555-:99999", "is not accepted");
    refuse(b, "user,id=n0,hostfwd=", "is not accepted");
    refuse(b, "user,id=n0,guestfwd=tcp:10.0.2.100", "guestfwd: ");
    refuse(b, "user,id=n0,net=10.0.2.0/99", "net: '10.0.2.0/99' is not accepted");
    refuse(b, "user,id=n0,dns=192.168.1.1", "dns: '192.168.1.1' is not accepted");
    refuse(b, "user,id=n0,ipv4=off,ipv6=off", "leave no network");
    open_net(b, "user,id=n0");
    refuse(b, "user,id=n0", "names another netdev");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(gateway_answers_arp),
        T(frames_wait_for_a_busy_guest),
        T(a_connection_to_a_forwarded_port_reaches_the_guest),
        T(wrong_options_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

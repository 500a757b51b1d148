/* SPDX-License-Identifier: MIT */
/*
 * A guest gone mad: random accesses to configuration space, BARs and rings of every PCI
 * device, with random memory behind. Nothing may crash, hang or trip a sanitizer; what is
 * saved must load into the machine again and save to the same bytes.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/backend/net.h"
#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/virtio/virtio_pci.h"
#include "tests/unit/pci_board.h"
#include "util/alloc.h"
#include "util/loop.h"

enum { ROUNDS = 30000, MEM = 0xe0000000, PORT = 0xc000, RINGS = 0x10000 };

static char image[64];
static uint64_t rng_state;

static uint32_t rnd(void)
{
    rng_state = rng_state * 6364136223846793005ull + 1442695040888963407ull;
    return rng_state >> 33;
}

static int setup(void **state)
{
    Error err = ERROR_INIT;
    Board *b = board_create();
    strcpy(image, "/tmp/dyad-test-fuzz-XXXXXX");
    int fd = mkstemp(image);
    assert_true(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
    close(fd);
    char *spec = xasprintf("file=%s,format=raw,if=none,id=d0,discard=unmap", image);
    assert_non_null(block_open_drive(&b->m, spec, false, &err));
    free(spec);
    assert_non_null(chardev_open_option(&b->m, "null,id=c0", &err));
    assert_non_null(netdev_open(&b->m, "user,id=n0,restrict=on", &err));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    unlink(image);
    return 0;
}

static uint32_t odd_value(void)
{
    switch (rnd() % 6) {
    case 0:
        return rnd() % 16;
    case 1:
        return ~0u;
    case 2:
        return RINGS + (rnd() & 0xfff0);
    case 3:
        return 1u << rnd() % 32;
    default:
        return rnd() ^ rnd() << 16;
    }
}

static void place(Board *b, unsigned devfn)
{
    cfg_write(b, devfn, 0x10, PORT, 4);
    cfg_write(b, devfn, 0x14, MEM + 0x10000, 4);
    cfg_write(b, devfn, 0x18, MEM + 0x20000, 4);
    cfg_write(b, devfn, 0x20, MEM, 4);
    cfg_write(b, devfn, 0x24, 0, 4);
    cfg_write(b, devfn, 0x04, 7, 2);
}

/* Brings a virtio device to where its queues are looked at, with plausible rings. */
static void plausible_start(Board *b, unsigned devfn, unsigned queues)
{
    place(b, devfn);
    mem_write(b, MEM + 20, 0, 1);
    mem_write(b, MEM + 20, 3, 1);
    mem_write(b, MEM + 0, 0, 4);
    mem_write(b, MEM + 8, 0, 4);
    mem_write(b, MEM + 12, mem_read(b, MEM + 4, 4) & (rnd() | rnd()), 4);
    mem_write(b, MEM + 8, 1, 4);
    mem_write(b, MEM + 12, 1, 4);
    mem_write(b, MEM + 20, 11, 1);
    for (unsigned q = 0; q < queues; q++) {
        for (unsigned i = 0; i < 0x1000; i += 8) {
            mem_write(b, RINGS + q * 0x1000 + i, 0, 8);
        }
        mem_write(b, MEM + 22, q, 2);
        mem_write(b, MEM + 24, 16 >> rnd() % 2, 2);
        mem_write(b, MEM + 32, RINGS + q * 0x1000, 4);
        mem_write(b, MEM + 40, RINGS + q * 0x1000 + 0x400, 4);
        mem_write(b, MEM + 48, RINGS + q * 0x1000 + 0x800, 4);
        mem_write(b, MEM + 28, 1, 2);
    }
    mem_write(b, MEM + 20, 15, 1);
}

static void scribble(Board *b, unsigned queues)
{
    uint64_t ring = RINGS + rnd() % queues * 0x1000;
    unsigned n = rnd() % 16;
    mem_write(b, ring + 16 * n, rnd() % 8 ? RINGS + 0x20000 + rnd() % 0x8000 : odd_value(), 8);
    mem_write(b, ring + 16 * n + 8, rnd() % 8 ? rnd() % 2048 : odd_value(), 4);
    mem_write(b, ring + 16 * n + 12, rnd() % 8, 2);
    mem_write(b, ring + 16 * n + 14, rnd() % 17, 2);
    mem_write(b, ring + 0x404 + 2 * (rnd() % 16), rnd() % 17, 2);
    if (rnd() % 2) {
        mem_write(b, ring + 0x402, mem_read(b, ring + 0x402, 2) + rnd() % 3, 2);
    }
    mem_write(b, RINGS + 0x20000 + (rnd() & 0x7ff0), odd_value() % 16, 8);
}

/* A chain that is right but for a little: readable pieces, then writable ones. */
static void nearly_good_chain(Board *b, unsigned queues)
{
    unsigned q = rnd() % queues, head = rnd() % 2 * 4, n = 1 + rnd() % 4, out = rnd() % (n + 1);
    uint64_t ring = RINGS + q * 0x1000, hdr = RINGS + 0x20000;
    mem_write(b, hdr, rnd() % 14, 4);
    mem_write(b, hdr + 8, rnd() % 4 ? rnd() % 2048 : odd_value(), 8);
    for (unsigned i = 0; i < n; i++) {
        uint64_t d = ring + 16 * (head + i);
        unsigned flags = (i + 1 < n ? 1 : 0) | (i >= out ? 2 : 0);
        mem_write(b, d, i ? hdr + rnd() % 0x8000 : hdr, 8);
        mem_write(b, d + 8, !i ? 16 : i + 1 == n ? 1 + rnd() % 16 : 512 * (rnd() % 8), 4);
        mem_write(b, d + 12, rnd() % 64 ? flags : rnd() % 8, 2);
        mem_write(b, d + 14, rnd() % 64 ? head + i + 1 : rnd(), 2);
    }
    unsigned size = 16, idx = mem_read(b, ring + 0x402, 2);
    mem_write(b, MEM + 22, q, 2);
    size = mem_read(b, MEM + 24, 2);
    mem_write(b, ring + 0x404 + 2 * (idx % MAX(size, 1u)), head, 2);
    mem_write(b, ring + 0x402, idx + 1, 2);
    mem_write(b, MEM + 0x3000 + 4 * q, q, 2);
}

static void mad_access(Board *b, unsigned devfn, unsigned queues)
{
    unsigned size = 1u << rnd() % 3;
    switch (rnd() % 8) {
    case 0:
        cfg_write(b, devfn, rnd() & 0xff & -size, odd_value(), size);
        break;
    case 1:
        cfg_read(b, devfn, rnd() & 0xff & -size, size);
        break;
    case 2:
        io_write(b, PORT + (rnd() & 0x3f), odd_value(), size);
        break;
    case 3:
        mem_write(b, MEM + (rnd() & 0x3f), odd_value(), size);
        break;
    case 4:
        mem_read(b, MEM + (rnd() & 0x30fff), 1u << rnd() % 4);
        break;
    case 5:
        mem_write(b, MEM + 0x10000 + (rnd() & 0xfff), odd_value(), size);
        break;
    default:
        scribble(b, queues);
        mem_write(b, MEM + 0x3000 + 4 * (rnd() % (queues + 1)), 0, 2);
        break;
    }
}

static void fuzz(Board *b, const char *spec, unsigned queues)
{
    unsigned devfn = board_add(b, spec)->devfn;
    rng_state = (uint64_t)getpid() << 20 | devfn;
    print_message("%s: seed %llu\n", spec, (unsigned long long)rng_state);
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool rings = i / 200 % 4;   /* three quarters of the time only rings */
        if (i % 200 == 0 || (rings && (mem_read(b, MEM + 20, 1) & 0x40))) {
            plausible_start(b, devfn, queues);
        }
        if (rings) {
            nearly_good_chain(b, queues);
        }
        if (i % 4 == 3) {
            uint8_t frame[1514] = { 255, 255, 255, 255, 255, 255, rnd(), rnd() };
            net_to_guest(netdev_find(&b->m, "n0"), frame, 14 + rnd() % 1500);
        }
        if (i % 8 == 7) {
            machine_unlock(&b->m);
            loop_run_once(b->m.loop, 0);
            machine_lock(&b->m);
        }
        if (i % 500 == 450) {
            board_state_round_trips(b);
        }
        if (!rings) {
            mad_access(b, devfn, queues);
        }
    }
    board_state_round_trips(b);
}

static void mad_guest_and_disk(void **state)
{
    fuzz(*state, "virtio-blk-pci,drive=d0,num-queues=3", 3);
}

static void mad_guest_and_net(void **state)
{
    fuzz(*state, "virtio-net-pci,netdev=n0", 3);
}

static void mad_guest_and_rng(void **state)
{
    fuzz(*state, "virtio-rng-pci", 1);
}

static void mad_guest_and_balloon(void **state)
{
    fuzz(*state, "virtio-balloon-pci,free-page-reporting=on", 3);
}

static void mad_guest_and_console(void **state)
{
    fuzz(*state, "virtio-console-pci,chardev=c0", 2);
}

static void mad_guest_and_serial(void **state)
{
    fuzz(*state, "virtio-serial-pci,max_ports=3", 8);
}

static void mad_guest_and_testdev(void **state)
{
    fuzz(*state, "pci-testdev,membar=1M", 1);
}

static void mad_guest_and_pvpanic(void **state)
{
    fuzz(*state, "pvpanic-pci", 1);
}

static void mad_guest_and_bridges(void **state)
{
    Board *b = *state;
    rng_state = getpid();
    board_add(b, "pci-testdev");
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned size = 1u << rnd() % 3;
        cfg_write(b, rnd() % 2 ? 0 : 8, rnd() & 0xff & -size, odd_value(), size);
        mem_write(b, 0xc0000 + (rnd() & 0x3ffff), odd_value(), size);
        mem_read(b, 0xc0000 + (rnd() & 0x3ffff), size);
        io_write(b, 0xcf8 + rnd() % 8, odd_value(), size);
    }
    board_state_round_trips(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(mad_guest_and_disk),
        T(mad_guest_and_net),
        T(mad_guest_and_rng),
        T(mad_guest_and_balloon),
        T(mad_guest_and_console),
        T(mad_guest_and_serial),
        T(mad_guest_and_testdev),
        T(mad_guest_and_pvpanic),
        T(mad_guest_and_bridges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

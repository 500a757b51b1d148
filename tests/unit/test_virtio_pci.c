/* SPDX-License-Identifier: MIT */
/*
 * Virtio over PCI as a driver sees it: capabilities, common structure, legacy ports, and
 * whole requests through rings in guest RAM to a disk image, a random source, a network
 * client and a console.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/backend/net.h"
#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/virtio/virtio_pci.h"
#include "tests/unit/pci_board.h"
#include "util/alloc.h"

enum { DEV = 3 << 3, MEM = 0xe0000000, MSIX = 0xe1000000, PORT = 0xc000,
       COMMON = MEM, ISR = MEM + 0x1000, DEVCFG = MEM + 0x2000, NOTIFY = MEM + 0x3000,
       RING = 0x10000, RING_STEP = 0x4000, BUF = 0x100000, QSIZE = 16 };
enum { D_NEXT = 1, D_WRITE = 2 };

static char image[] = "/tmp/dyad-test-disk-XXXXXX";
static unsigned used_seen[8];

static int setup(void **state)
{
    *state = board_create();
    memset(used_seen, 0, sizeof(used_seen));
    strcpy(image, "/tmp/dyad-test-disk-XXXXXX");
    int fd = mkstemp(image);
    assert_true(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
    assert_int_equal(pwrite(fd, "sector two", 10, 1024), 10);
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    Board *b = *state;
    board_destroy(b);
    unlink(image);
    return 0;
}

/* --- a driver in miniature --- */

static void place(Board *b)
{
    cfg_write(b, DEV, 0x10, PORT, 4);
    cfg_write(b, DEV, 0x14, MSIX, 4);
    cfg_write(b, DEV, 0x20, MEM, 4);
    cfg_write(b, DEV, 0x04, 7, 2);
}

static uint64_t ring(unsigned q)
{
    return RING + q * RING_STEP;
}

static void start_queue(Board *b, unsigned q)
{
    mem_write(b, COMMON + 22, q, 2);
    mem_write(b, COMMON + 24, QSIZE, 2);
    mem_write(b, COMMON + 32, ring(q), 4);
    mem_write(b, COMMON + 40, ring(q) + 0x1000, 4);
    mem_write(b, COMMON + 48, ring(q) + 0x2000, 4);
    mem_write(b, COMMON + 28, 1, 2);
}

static void start(Board *b, uint32_t features, unsigned queues)
{
    place(b);
    mem_write(b, COMMON + 20, 0, 1);
    mem_write(b, COMMON + 20, 3, 1);
    mem_write(b, COMMON + 8, 0, 4);
    mem_write(b, COMMON + 12, features, 4);
    mem_write(b, COMMON + 8, 1, 4);
    mem_write(b, COMMON + 12, 1, 4);                /* VERSION_1 */
    mem_write(b, COMMON + 20, 11, 1);
    assert_int_equal(mem_read(b, COMMON + 20, 1), 11);
    for (unsigned q = 0; q < queues; q++) {
        start_queue(b, q);
    }
    mem_write(b, COMMON + 20, 15, 1);
}

typedef struct {
    uint64_t addr;
    uint32_t len;
    bool write;
} Piece;

static void post(Board *b, unsigned q, const Piece *p, unsigned n)
{
    uint64_t avail = ring(q) + 0x1000;
    uint16_t idx = mem_read(b, avail + 2, 2), first = idx * 4 % QSIZE;
    for (unsigned i = 0; i < n; i++) {
        uint64_t d = ring(q) + 16 * (first + i);
        mem_write(b, d, p[i].addr, 8);
        mem_write(b, d + 8, p[i].len, 4);
        mem_write(b, d + 12, (i + 1 < n ? D_NEXT : 0) | (p[i].write ? D_WRITE : 0), 2);
        mem_write(b, d + 14, first + i + 1, 2);
    }
    mem_write(b, avail + 4 + 2 * (idx % QSIZE), first, 2);
    mem_write(b, avail + 2, (uint16_t)(idx + 1), 2);
}

static void kick(Board *b, unsigned q)
{
    mem_write(b, NOTIFY + 4 * q, q, 2);
}

/* Waits for the next used element; returns its length. */
static uint32_t wait_used(Board *b, unsigned q)
{
    uint64_t used = ring(q) + 0x2000;
    for (int turns = 0; turns < 50 && (uint16_t)mem_read(b, used + 2, 2) == used_seen[q];
         turns++) {
        board_turn(b);
    }
    assert_int_not_equal(mem_read(b, used + 2, 2), used_seen[q]);
    return mem_read(b, used + 8 + 8 * (used_seen[q]++ % QSIZE), 4);
}

static uint8_t disk_request(Board *b, uint32_t type, uint64_t sector, uint32_t len, bool in)
{
    mem_write(b, BUF, type, 4);
    mem_write(b, BUF + 8, sector, 8);
    mem_write(b, BUF + 16, 0xff, 1);
    const Piece p[] = { { BUF, 16, false }, { BUF + 0x1000, len, in }, { BUF + 16, 1, true } };
    if (len) {
        post(b, 0, p, 3);
    } else {
        post(b, 0, (Piece[]){ p[0], p[2] }, 2);
    }
    kick(b, 0);
    wait_used(b, 0);
    return mem_read(b, BUF + 16, 1);
}

static PciDevice *add_disk(Board *b, const char *extra)
{
    Error err = ERROR_INIT;
    char *spec = xasprintf("file=%s,format=raw,if=none,id=d0%s", image, extra);
    BlockBackend *disk = block_open_drive(&b->m, spec, false, &err);
    if (!disk) {
        print_error("%s\n", err.msg);
    }
    assert_non_null(disk);
    free(spec);
    return board_add(b, "virtio-blk-pci,drive=d0,addr=3,serial=SN-0123456789");
}

/* --- registers --- */

static void capabilities_describe_bar_4(void **state)
{
    Board *b = *state;
    board_add(b, "virtio-rng-pci,addr=3");
    static const struct { uint32_t off, len; } want[6] = {
        [1] = { 0x0000, 0x1000 }, [2] = { 0x3000, 4 }, [3] = { 0x1000, 0x1000 },
    };
    unsigned seen = 0;
    assert_int_equal(cfg_read(b, DEV, 0, 4), 0x10051af4);
    assert_int_equal(cfg_read(b, DEV, 0x2e, 2), 4);
    for (unsigned at = cfg_read(b, DEV, 0x34, 1); at; at = cfg_read(b, DEV, at + 1, 1)) {
        unsigned type = cfg_read(b, DEV, at + 3, 1);
        if (cfg_read(b, DEV, at, 1) != 9) {
            continue;
        }
        seen |= 1u << type;
        if (type >= 1 && type <= 3) {
            assert_int_equal(cfg_read(b, DEV, at + 4, 1), 4);
            assert_int_equal(cfg_read(b, DEV, at + 8, 4), want[type].off);
            assert_int_equal(cfg_read(b, DEV, at + 12, 4), want[type].len);
        }
    }
    assert_int_equal(seen, 0x2e);   /* common, notify, isr, pci-cfg; no device config */
}

static void disable_legacy_makes_a_modern_function(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    board_add(b, "virtio-rng-pci,addr=3,disable-legacy=on");
    assert_int_equal(cfg_read(b, DEV, 0, 4), 0x10441af4);
    assert_int_equal(cfg_read(b, DEV, 8, 1), 1);
    assert_int_equal(cfg_read(b, DEV, 0x10, 4), 0);
    assert_null(device_add(&b->m, "virtio-rng-pci,disable-legacy=on,disable-modern=on", &err));
    assert_non_null(strstr(err.msg, "no interface"));
    error_free(&err);
}

static void features_ok_needs_version_1_and_known_bits(void **state)
{
    Board *b = *state;
    board_add(b, "virtio-rng-pci,addr=3");
    place(b);
    mem_write(b, COMMON + 20, 3, 1);
    mem_write(b, COMMON + 0, 1, 4);
    assert_int_equal(mem_read(b, COMMON + 4, 4), 1);
    mem_write(b, COMMON + 20, 11, 1);               /* nothing accepted: refused */
    assert_int_equal(mem_read(b, COMMON + 20, 1), 3);
    mem_write(b, COMMON + 8, 1, 4);
    mem_write(b, COMMON + 12, 3, 4);                /* bit 33 is not offered */
    mem_write(b, COMMON + 20, 11, 1);
    assert_int_equal(mem_read(b, COMMON + 20, 1), 3);
    mem_write(b, COMMON + 12, 1, 4);
    mem_write(b, COMMON + 20, 11, 1);
    assert_int_equal(mem_read(b, COMMON + 20, 1), 11);
    mem_write(b, COMMON + 12, 0, 4);                /* too late */
    assert_int_equal(mem_read(b, COMMON + 12, 4), 1);
}

static void queue_registers_are_checked(void **state)
{
    Board *b = *state;
    board_add(b, "virtio-rng-pci,addr=3");
    place(b);
    assert_int_equal(mem_read(b, COMMON + 18, 2), 1);
    mem_write(b, COMMON + 22, 0, 2);
    assert_int_equal(mem_read(b, COMMON + 24, 2), 8);
    mem_write(b, COMMON + 24, 3, 2);
    mem_write(b, COMMON + 24, 16, 2);
    mem_write(b, COMMON + 24, 0, 2);
    assert_int_equal(mem_read(b, COMMON + 24, 2), 8);
    mem_write(b, COMMON + 24, 4, 2);
    assert_int_equal(mem_read(b, COMMON + 24, 2), 4);
    mem_write(b, COMMON + 26, 7, 2);                /* two vectors only */
    assert_int_equal(mem_read(b, COMMON + 26, 2), 0xffff);
    mem_write(b, COMMON + 26, 1, 2);
    assert_int_equal(mem_read(b, COMMON + 26, 2), 1);
    mem_write(b, COMMON + 32, 0x10008, 4);          /* misaligned */
    mem_write(b, COMMON + 28, 1, 2);
    assert_int_equal(mem_read(b, COMMON + 28, 2), 0);
    mem_write(b, COMMON + 22, 1, 2);
    assert_int_equal(mem_read(b, COMMON + 24, 2), 0);   /* no such queue */
}

static void pci_cfg_window_reaches_the_common_structure(void **state)
{
    Board *b = *state;
    VirtioPci *d = (VirtioPci *)board_add(b, "virtio-rng-pci,addr=3");
    unsigned cap = d->cfg_cap;
    cfg_write(b, DEV, cap + 4, 4, 1);
    cfg_write(b, DEV, cap + 8, 20, 4);
    cfg_write(b, DEV, cap + 12, 1, 4);
    cfg_write(b, DEV, cap + 16, 3, 4);
    assert_int_equal(d->v.s->status, 3);
    assert_int_equal(cfg_read(b, DEV, cap + 16, 1), 3);
    cfg_write(b, DEV, cap + 8, 0x3fff, 4);          /* outside, odd, huge: no effect */
    cfg_write(b, DEV, cap + 12, 4, 4);
    cfg_write(b, DEV, cap + 16, 0xffffffff, 4);
    cfg_write(b, DEV, cap + 8, 0xfffffffc, 4);
    cfg_write(b, DEV, cap + 16, 0xffffffff, 4);
    cfg_write(b, DEV, cap + 12, 0xffffffff, 4);
    cfg_write(b, DEV, cap + 16, 0, 4);
    assert_int_equal(d->v.s->status, 3);
}

/* --- devices --- */

static void disk_reads_writes_and_flushes(void **state)
{
    Board *b = *state;
    add_disk(b, "");
    start(b, 0, 1);
    assert_int_equal(mem_read(b, DEVCFG, 4), 2048);     /* capacity */
    assert_int_equal(disk_request(b, 0, 2, 512, true), 0);
    char text[16] = "";
    memory_read(&b->m.mem, BUF + 0x1000, text, 10);
    assert_string_equal(text, "sector two");
    memory_write(&b->m.mem, BUF + 0x1000, "written to five", 16);
    assert_int_equal(disk_request(b, 1, 5, 1024, false), 0);
    assert_int_equal(disk_request(b, 4, 0, 0, false), 0);
    int fd = open(image, O_RDONLY);
    assert_int_equal(pread(fd, text, 16, 5 * 512), 16);
    close(fd);
    assert_string_equal(text, "written to five");
    assert_int_equal(disk_request(b, 8, 0, 20, true), 0);
    memory_read(&b->m.mem, BUF + 0x1000, text, 14);
    assert_string_equal(text, "SN-0123456789");
}

static void disk_refuses_what_it_cannot_do(void **state)
{
    Board *b = *state;
    add_disk(b, "");
    start(b, 0, 1);
    assert_int_equal(disk_request(b, 0, 2048, 512, true), 1);
    assert_int_equal(disk_request(b, 0, 2047, 1024, true), 1);
    assert_int_equal(disk_request(b, 0, ~0ull, 512, true), 1);
    assert_int_equal(disk_request(b, 1, 0, 100, false), 1);
    assert_int_equal(disk_request(b, 99, 0, 512, true), 2);
    assert_int_equal(disk_request(b, 0, 2047, 512, true), 0);
}

static void disk_zeroes_and_discards(void **state)
{
    Board *b = *state;
    add_disk(b, ",discard=unmap");
    start(b, 1 << 13 | 1 << 14, 1);
    mem_write(b, BUF + 0x1000, 2, 8);
    mem_write(b, BUF + 0x1008, 1, 4);
    mem_write(b, BUF + 0x100c, 0, 4);
    assert_int_equal(disk_request(b, 13, 0, 16, false), 0);
    assert_int_equal(disk_request(b, 0, 2, 512, true), 0);
    assert_int_equal(mem_read(b, BUF + 0x1000, 4), 0);
    mem_write(b, BUF + 0x1000, 0, 8);
    mem_write(b, BUF + 0x1008, 2048, 4);
    assert_int_equal(disk_request(b, 11, 0, 16, false), 0);
    mem_write(b, BUF + 0x1008, 2049, 4);
    assert_int_equal(disk_request(b, 11, 0, 16, false), 1);
    mem_write(b, BUF + 0x1008, 1, 4);
    mem_write(b, BUF + 0x100c, 1, 4);                   /* unmap flag on a discard */
    assert_int_equal(disk_request(b, 11, 0, 16, false), 2);
}

static void read_only_disk_says_so_and_refuses_writes(void **state)
{
    Board *b = *state;
    add_disk(b, ",readonly=on");
    start(b, 1 << 5, 1);
    assert_int_equal(mem_read(b, COMMON + 4, 4) & 1 << 5, 1 << 5);
    assert_int_equal(disk_request(b, 1, 0, 512, false), 1);
}

static void disk_without_header_breaks_and_recovers_by_reset(void **state)
{
    Board *b = *state;
    add_disk(b, "");
    start(b, 0, 1);
    post(b, 0, &(Piece){ BUF, 512, true }, 1);
    kick(b, 0);
    assert_int_equal(mem_read(b, COMMON + 20, 1), 0x4f);
    assert_int_equal(mem_read(b, ISR, 1), 2);
    assert_int_equal(mem_read(b, ISR, 1), 0);
    for (unsigned i = 0; i < 4; i++) {
        mem_write(b, ring(0) + 0x1000 + i, 0, 1);
    }
    start(b, 0, 1);
    assert_int_equal(disk_request(b, 0, 2, 512, true), 0);
}

static void disk_interrupts_by_msix_and_by_pin(void **state)
{
    Board *b = *state;
    PciDevice *d = add_disk(b, "");
    cfg_write(b, 8, 0x62, 11, 1);
    start(b, 0, 1);
    assert_int_equal(disk_request(b, 0, 2, 512, true), 0);
    assert_true(b->isa[11]);
    assert_int_equal(mem_read(b, ISR, 1), 1);
    assert_false(b->isa[11]);
    cfg_write(b, DEV, d->msix_cap + 2, 0x8000, 2);
    mem_write(b, MSIX + 16, 0xfee00000, 4);
    mem_write(b, MSIX + 24, 0x31, 4);
    mem_write(b, MSIX + 28, 0, 4);
    mem_write(b, COMMON + 22, 0, 2);
    mem_write(b, COMMON + 26, 1, 2);
    assert_int_equal(disk_request(b, 0, 2, 512, true), 0);
    assert_int_equal(b->msis, 1);
    assert_int_equal(b->msi_data, 0x31);
    assert_false(b->isa[11]);
}

static void bus_mastering_off_stops_a_modern_driver(void **state)
{
    Board *b = *state;
    add_disk(b, "");
    start(b, 0, 1);
    cfg_write(b, DEV, 4, 3, 2);
    const Piece p[] = { { BUF, 16, false }, { BUF + 16, 1, true } };
    post(b, 0, p, 2);
    kick(b, 0);
    assert_int_equal(mem_read(b, ring(0) + 0x2002, 2), 0);
}

static void legacy_driver_reads_the_disk(void **state)
{
    Board *b = *state;
    add_disk(b, "");
    place(b);
    io_write(b, PORT + 18, 0, 1);
    io_write(b, PORT + 18, 3, 1);
    io_write(b, PORT + 4, 0, 4);
    io_write(b, PORT + 14, 0, 2);
    assert_int_equal(io_read(b, PORT + 12, 2), 256);
    assert_int_equal(io_read(b, PORT + 20, 4), 2048);
    io_write(b, PORT + 8, RING >> 12, 4);
    assert_int_equal(io_read(b, PORT + 8, 4), RING >> 12);
    io_write(b, PORT + 18, 7, 1);
    /* 256 entries: descriptors 0x1000, available behind them, used on the next page. */
    mem_write(b, BUF, 0, 8);
    mem_write(b, BUF + 8, 2, 8);
    const uint64_t desc[3][2] = { { BUF, 16 }, { BUF + 0x1000, 512 }, { BUF + 16, 1 } };
    for (unsigned i = 0; i < 3; i++) {
        mem_write(b, RING + 16 * i, desc[i][0], 8);
        mem_write(b, RING + 16 * i + 8, desc[i][1], 4);
        mem_write(b, RING + 16 * i + 12, (i < 2 ? D_NEXT : 0) | (i ? D_WRITE : 0), 2);
        mem_write(b, RING + 16 * i + 14, i + 1, 2);
    }
    mem_write(b, RING + 0x1002, 1, 2);
    io_write(b, PORT + 16, 0, 2);
    for (int turns = 0; turns < 50 && !mem_read(b, RING + 0x2002, 2); turns++) {
        board_turn(b);
    }
    assert_int_equal(mem_read(b, RING + 0x2002, 2), 1);
    assert_int_equal(mem_read(b, BUF + 16, 1), 0);
    assert_int_equal(mem_read(b, BUF + 0x1000, 4), 0x74636573);
    assert_int_equal(io_read(b, PORT + 19, 1), 1);
}

static void state_round_trip_goes_on_with_the_ring(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    StateBuf buf = { 0 };
    add_disk(b, "");
    start(b, 0, 1);
    assert_int_equal(disk_request(b, 0, 2, 512, true), 0);
    assert_true(machine_save_state(&b->m, &buf, &err));
    device_reset_all(&b->m);
    assert_int_equal(mem_read(b, COMMON + 20, 1), 0xff);    /* BAR is gone */
    buf.pos = 0;
    assert_true(machine_load_state(&b->m, &buf, &err));
    assert_int_equal(mem_read(b, COMMON + 20, 1), 15);
    mem_write(b, BUF + 0x1000, 0, 4);
    assert_int_equal(disk_request(b, 0, 2, 512, true), 0);
    assert_int_equal(mem_read(b, BUF + 0x1000, 4), 0x74636573);
    assert_int_equal(mem_read(b, ring(0) + 0x2002, 2), 2);
    state_buf_free(&buf);
}

static void state_with_an_impossible_queue_is_refused(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    VirtioPci *d = (VirtioPci *)board_add(b, "virtio-rng-pci,addr=3");
    d->v.s->vq[0].size = 16;
    assert_false(virtio_post_load(&d->v, &err));
    assert_non_null(strstr(err.msg, "queue 0 has 16 entries, 8 possible"));
    d->v.s->vq[0].size = 8;
    d->v.s->features = 1ull << 63;
    d->v.s->status = 11;
    assert_false(virtio_post_load(&d->v, &err));
    error_free(&err);
}

static void rng_fills_the_buffer(void **state)
{
    Board *b = *state;
    board_add(b, "virtio-rng,addr=3");
    place(b);
    mem_write(b, COMMON + 20, 3, 1);
    mem_write(b, COMMON + 8, 1, 4);
    mem_write(b, COMMON + 12, 1, 4);
    mem_write(b, COMMON + 20, 11, 1);
    mem_write(b, COMMON + 32, RING, 4);
    mem_write(b, COMMON + 40, RING + 0x1000, 4);
    mem_write(b, COMMON + 48, RING + 0x2000, 4);
    mem_write(b, COMMON + 28, 1, 2);
    mem_write(b, COMMON + 20, 15, 1);
    post(b, 0, &(Piece){ BUF, 64, true }, 1);
    kick(b, 0);
    assert_int_equal(wait_used(b, 0), 64);
    unsigned zeroes = 0;
    for (unsigned i = 0; i < 64; i += 8) {
        zeroes += mem_read(b, BUF + i, 8) == 0;
    }
    assert_int_equal(zeroes, 0);
}

/* --- balloon --- */

static unsigned balloon_events;

static void balloon_event(void *opaque, enum MachineEvent e)
{
    balloon_events += e == MACHINE_BALLOON;
}

/* How many of n pages from gpa on the host holds. */
static unsigned pages_held(Board *b, uint64_t gpa, unsigned n)
{
    off_t at = (off_t)(b->ram.ram_addr + gpa), end = at + n * 4096;
    unsigned held = 0;
    while ((at = lseek(b->m.ram_fd, at, SEEK_DATA)) >= 0 && at < end) {
        held++;
        at += 4096;
    }
    return held;
}

static void inflate(Board *b, const uint32_t *pfns, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        mem_write(b, BUF + 4 * i, pfns[i], 4);
    }
    post(b, 0, &(Piece){ BUF, 4 * n, false }, 1);
    kick(b, 0);
    wait_used(b, 0);
}

static void balloon_gives_pages_back_and_says_how_many(void **state)
{
    Board *b = *state;
    MachineListener l = { .event = balloon_event };
    balloon_events = 0;
    clock_start(b->m.clock);
    machine_listen(&b->m, &l);
    board_add(b, "virtio-balloon-pci,addr=3,deflate-on-oom=on");
    assert_int_equal(cfg_read(b, DEV, 0, 4), 0x10021af4);
    start(b, 1 << 2, 2);
    b->m.balloon.set(b->m.balloon.dev, BOARD_RAM - 3 * 4096);
    assert_int_equal(mem_read(b, DEVCFG, 4), 3);
    assert_int_equal(mem_read(b, ISR, 1) & 2, 2);           /* configuration changed */
    for (unsigned i = 0; i < 8; i++) {
        mem_write(b, 0x200000 + 4096 * i, 0x1234567, 4);
    }
    assert_int_equal(pages_held(b, 0x200000, 8), 8);
    inflate(b, (const uint32_t[]){ 0x201, 0x202, 0x206, 0x205 }, 4);
    assert_int_equal(pages_held(b, 0x200000, 8), 4);
    for (unsigned i = 0; i < 8; i++) {
        bool gone = i == 1 || i == 2 || i == 5 || i == 6;
        assert_int_equal(mem_read(b, 0x200000 + 4096 * i, 4), gone ? 0 : 0x1234567);
    }
    mem_write(b, 0x201000, 1, 1);                           /* it is there when it is used */
    assert_int_equal(mem_read(b, 0x201000, 4), 1);
    mem_write(b, DEVCFG + 4, 4, 4);
    mem_write(b, DEVCFG, 77, 4);                            /* the target is the host's */
    assert_int_equal(mem_read(b, DEVCFG, 8), 0x400000003);
    assert_true(b->m.balloon.left(b->m.balloon.dev) == BOARD_RAM - 4 * 4096);
    clock_run_timers(b->m.clock);
    assert_int_equal(balloon_events, 1);
    for (unsigned i = 0; i < 100; i++) {                    /* once a second, not more */
        mem_write(b, DEVCFG + 4, i, 4);
        clock_run_timers(b->m.clock);
    }
    assert_int_equal(balloon_events, 1);
    mem_write(b, DEVCFG + 4, 0xffffffff, 4);
    assert_true(b->m.balloon.left(b->m.balloon.dev) == 0);
    clock_stop(b->m.clock);
    board_state_round_trips(b);
    mem_write(b, COMMON + 20, 0, 1);
    assert_int_equal(mem_read(b, DEVCFG, 8), 3);            /* the next driver is told */
    machine_unlisten(&b->m, &l);
}

static void balloon_survives_pages_that_are_no_ram(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    board_add(b, "virtio-balloon-pci,addr=3");
    start(b, 0, 2);
    assert_null(device_add(&b->m, "virtio-balloon-pci", &err));
    assert_non_null(strstr(err.msg, "there is one already"));
    error_free(&err);
    inflate(b, (const uint32_t[]){ 0xf0, 0xfffff, 0xffffffff, 0, 0x3ff, 0x400, 0xe0000, 1 }, 8);
    post(b, 0, &(Piece){ 0x200001, 0x7fff3, false }, 1);    /* more than it takes at once */
    kick(b, 0);
    wait_used(b, 0);
    post(b, 0, &(Piece){ BUF, 64, true }, 1);               /* the wrong direction */
    kick(b, 0);
    wait_used(b, 0);
    assert_int_equal(mem_read(b, COMMON + 20, 1), 15);
    assert_int_equal(mem_read(b, COMMON + 18, 2), 2);       /* no queue for reports */
}

static void free_pages_are_reported_on_any_queue(void **state)
{
    Board *b = *state;
    board_add(b, "virtio-balloon-pci,addr=3,free-page-reporting=on");
    start(b, 1 << 5, 5);
    for (unsigned q = 2; q < 5; q++) {
        for (unsigned i = 0; i < 8; i++) {
            mem_write(b, 0x200000 + 4096 * i, 1, 4);
        }
        /* whole pages of each piece */
        const Piece p[] = { { 0x200000, 8192, true }, { 0x203800, 0x1800, true } };
        post(b, q, p, 2);
        kick(b, q);
        wait_used(b, q);
        assert_int_equal(pages_held(b, 0x200000, 8), 5);
        assert_int_equal(mem_read(b, 0x204000, 4), 0);
    }
}

/* A network backend that records what the guest sends. */
static uint8_t sent[2000];
static size_t sent_len;

static void sink_send(NetBackend *n, const uint8_t *frame, size_t len)
{
    memcpy(sent, frame, len);
    sent_len = len;
}

static void net_sends_receives_merged_and_filters(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    static const NetOps sink = { .send = sink_send };
    NetBackend *n = netdev_open(&b->m, "user,id=n0", &err);
    assert_non_null(n);
    const NetOps *real = n->ops;
    n->ops = &sink;
    board_add(b, "virtio-net-pci,netdev=n0,addr=3,mac=52:54:00:00:00:01");
    start(b, 1 << 5 | 1 << 15 | 1 << 17 | 1 << 18, 3);
    assert_int_equal(mem_read(b, DEVCFG, 4), 0x00005452);
    uint8_t frame[100] = { 0x52, 0x54, 0, 0, 0, 1 };
    memset(frame + 6, 7, 94);
    memory_write(&b->m.mem, BUF + 12, frame, 100);
    post(b, 1, &(Piece){ BUF, 112, false }, 1);
    kick(b, 1);
    wait_used(b, 1);
    assert_int_equal(sent_len, 100);
    assert_memory_equal(sent, frame, 100);
    /* Receive: no buffers yet, so the frame waits; then two small ones are merged. */
    net_to_guest(n, frame, 100);
    post(b, 0, &(Piece){ BUF + 0x1000, 64, true }, 1);
    post(b, 0, &(Piece){ BUF + 0x2000, 64, true }, 1);
    kick(b, 0);
    assert_int_equal(wait_used(b, 0), 64);
    assert_int_equal(wait_used(b, 0), 48);
    assert_int_equal(mem_read(b, BUF + 0x100a, 2), 2);
    assert_int_equal(mem_read(b, BUF + 0x100c, 2), 0x5452);
    /* Promiscuous off: a foreign unicast frame is dropped. */
    mem_write(b, BUF, 0, 4);
    const Piece ctrl[] = { { BUF, 2, false }, { BUF + 2, 1, false }, { BUF + 8, 1, true } };
    mem_write(b, BUF + 8, 9, 1);
    post(b, 2, ctrl, 3);
    kick(b, 2);
    wait_used(b, 2);
    assert_int_equal(mem_read(b, BUF + 8, 1), 0);
    post(b, 0, &(Piece){ BUF + 0x1000, 256, true }, 1);
    frame[5] = 2;
    net_to_guest(n, frame, 100);
    assert_int_equal((uint16_t)mem_read(b, ring(0) + 0x2002, 2), 2);
    frame[5] = 1;
    net_to_guest(n, frame, 100);
    assert_int_equal(wait_used(b, 0), 112);
    n->ops = real;
}

static void console_talks_both_ways(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    char base[] = "/tmp/dyad-test-pipe-XXXXXX";
    assert_non_null(mkdtemp(base));
    char *path = xasprintf("%s/p", base), *in = xasprintf("%s.in", path),
         *out = xasprintf("%s.out", path), *spec = xasprintf("pipe,id=c0,path=%s", path);
    assert_int_equal(mkfifo(in, 0600), 0);
    assert_int_equal(mkfifo(out, 0600), 0);
    assert_non_null(chardev_open_option(&b->m, spec, &err));
    int to = open(in, O_RDWR), from = open(out, O_RDWR);
    board_add(b, "virtio-serial-pci,addr=3");
    Device *port = device_add(&b->m, "virtconsole,chardev=c0", &err);
    assert_non_null(port);
    start(b, 0, 2);
    memory_write(&b->m.mem, BUF, "from guest", 10);
    post(b, 1, &(Piece){ BUF, 10, false }, 1);
    kick(b, 1);
    char text[20] = "";
    assert_int_equal(read(from, text, sizeof(text)), 10);
    assert_string_equal(text, "from guest");
    assert_int_equal(write(to, "hello", 5), 5);
    board_turn(b);                                  /* no buffer: it stays in the pipe */
    post(b, 0, &(Piece){ BUF + 0x1000, 16, true }, 1);
    kick(b, 0);
    assert_int_equal(wait_used(b, 0), 5);
    assert_int_equal(mem_read(b, BUF + 0x1000, 4), 0x6c6c6568);
    close(to);
    close(from);
    unlink(in);
    unlink(out);
    rmdir(base);
    free(path);
    free(in);
    free(out);
    free(spec);
}

static void serial_control_queue_introduces_the_ports(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    assert_non_null(chardev_open_option(&b->m, "null,id=c0", &err));
    board_add(b, "virtio-serial-pci,addr=3,max_ports=2");
    assert_non_null(device_add(&b->m, "virtserialport,chardev=c0,name=org.x", &err));
    assert_null(device_add(&b->m, "virtserialport", &err));
    assert_non_null(strstr(err.msg, "out of range"));
    error_free(&err);
    start(b, 1 << 1, 6);
    for (unsigned i = 0; i < 3; i++) {
        post(b, 2, &(Piece){ BUF + 0x1000 + i * 64, 64, true }, 1);
    }
    mem_write(b, BUF, 0xffffffff, 4);
    mem_write(b, BUF + 4, 0x00010000, 4);           /* DEVICE_READY */
    post(b, 3, &(Piece){ BUF, 8, false }, 1);
    kick(b, 3);
    assert_int_equal(wait_used(b, 2), 8);
    assert_int_equal(mem_read(b, BUF + 0x1000, 8), 0x0001000100000001);  /* ADD port 1 */
    mem_write(b, BUF, 1, 4);
    mem_write(b, BUF + 4, 0x00010003, 4);           /* PORT_READY */
    post(b, 3, &(Piece){ BUF, 8, false }, 1);
    kick(b, 3);
    assert_int_equal(wait_used(b, 2), 13);          /* name */
    assert_int_equal(mem_read(b, BUF + 0x1048, 4), 0x2e67726f);
    assert_int_equal(wait_used(b, 2), 8);
    assert_int_equal(mem_read(b, BUF + 0x1084, 4), 0x00010006);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(capabilities_describe_bar_4),
        T(disable_legacy_makes_a_modern_function),
        T(features_ok_needs_version_1_and_known_bits),
        T(queue_registers_are_checked),
        T(pci_cfg_window_reaches_the_common_structure),
        T(disk_reads_writes_and_flushes),
        T(disk_refuses_what_it_cannot_do),
        T(disk_zeroes_and_discards),
        T(read_only_disk_says_so_and_refuses_writes),
        T(disk_without_header_breaks_and_recovers_by_reset),
        T(disk_interrupts_by_msix_and_by_pin),
        T(bus_mastering_off_stops_a_modern_driver),
        T(legacy_driver_reads_the_disk),
        T(state_round_trip_goes_on_with_the_ring),
        T(state_with_an_impossible_queue_is_refused),
        T(rng_fills_the_buffer),
        T(balloon_gives_pages_back_and_says_how_many),
        T(balloon_survives_pages_that_are_no_ram),
        T(free_pages_are_reported_on_any_queue),
        T(net_sends_receives_merged_and_filters),
        T(console_talks_both_ways),
        T(serial_control_queue_introduces_the_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Rings of virtio devices: the device is brought to the point where it looks at its
 * queues; the input is what lies in the rings and descriptors, with notifications between.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/core/netdev.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/pci_board.h"
#include "util/alloc.h"
#include "util/loop.h"

const char *const fuzz_name = "virtqueue";

enum { MEM = 0xe0000000, RINGS = 0x10000, QUEUE = 0x1000, BUFFERS = 0x20000, QUEUES = 3 };

static const char *const cards[] = {
    "virtio-blk-pci,drive=d0,num-queues=3",
    "virtio-net-pci,netdev=n0",
    "virtio-rng-pci",
    "virtio-console-pci,chardev=c0",
    "virtio-serial-pci",
    "virtio-keyboard-pci",
    "virtio-scsi-pci",
    "virtio-balloon-pci,free-page-reporting=on",
};
enum { SCSI_CARD = 6 };

void fuzz_init(void) {}

static void start(Board *b, unsigned devfn)
{
    cfg_write(b, devfn, 0x10, 0xc000, 4);
    cfg_write(b, devfn, 0x14, MEM + 0x10000, 4);
    cfg_write(b, devfn, 0x20, MEM, 4);
    cfg_write(b, devfn, 0x24, 0, 4);
    cfg_write(b, devfn, 0x04, 7, 2);
    mem_write(b, MEM + 20, 0, 1);
    mem_write(b, MEM + 20, 3, 1);
    for (unsigned i = 0; i < 2; i++) { /* all features */
        mem_write(b, MEM + 0, i, 4);
        mem_write(b, MEM + 8, i, 4);
        mem_write(b, MEM + 12, mem_read(b, MEM + 4, 4), 4);
    }
    mem_write(b, MEM + 20, 11, 1);
    for (unsigned q = 0; q < QUEUES; q++) {
        mem_write(b, MEM + 22, q, 2);
        mem_write(b, MEM + 24, 16, 2);
        mem_write(b, MEM + 32, RINGS + q * QUEUE, 4);
        mem_write(b, MEM + 40, RINGS + q * QUEUE + 0x400, 4);
        mem_write(b, MEM + 48, RINGS + q * QUEUE + 0x800, 4);
        mem_write(b, MEM + 28, 1, 2);
    }
    mem_write(b, MEM + 20, 15, 1);
}

/* Byte 0: the card. Then pieces: queue and kind, place, length, bytes. */
static void feed(Board *b, const uint8_t *p, size_t n)
{
    for (unsigned k = 0; n >= 4 && k < 500; k++) {
        unsigned q = p[0] % QUEUES, kind = p[0] >> 4, len = MIN(p[3] % 65u, n - 4);
        uint64_t ring = RINGS + q * QUEUE, at = p[1] | p[2] << 8;
        uint64_t to = kind < 6   ? ring + at % 256
                      : kind < 9 ? ring + 0x400 + at % 40
                                 : BUFFERS + (at & 0x7fff);
        if (kind < 13) {
            memory_write(&b->m.mem, to, p + 4, len);
        } else if (kind == 13) {
            mem_write(b, MEM + at % 64, p[3], 1u << (p[0] >> 2) % 3);
        } else {
            mem_write(b, MEM + 0x3000 + 4 * q, q, 2);
            machine_unlock(&b->m);
            loop_run_once(b->m.loop, 0);
            machine_lock(&b->m);
        }
        len = kind < 13 ? len : 0;
        p += 4 + len;
        n -= 4 + len;
    }
}

static size_t put(uint8_t *buf, size_t at, unsigned q, unsigned kind, unsigned off,
                  const void *p, unsigned n)
{
    uint8_t head[4] = { kind << 4 | q, off, off >> 8, n };
    memcpy(buf + at, head, 4);
    if (n) {
        memcpy(buf + at + 4, p, n);
    }
    return at + 4 + n;
}

/* Two commands to virtio-scsi's disk or CD: 51 bytes of request, 108 of answer, data. */
static size_t scsi_seed(unsigned i, uint8_t *buf)
{
    static const uint8_t cdbs[][10] = {
        { 0x12, 0, 0, 0, 255 }, { 0x12, 1, 0x83, 0, 255 }, { 0x28, 0, 0, 0, 0, 1, 0, 0, 1 },
        { 0x2a, 8, 0, 0, 0, 1, 0, 0, 1 }, { 0x42, 0, 0, 0, 0, 0, 0, 0, 40 },
        { 0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0 }, { 0x43, 0, 0, 0, 0, 0, 0, 0, 255 },
        { 0x46, 0, 0, 0, 0, 0, 0, 1, 0 }, { 0xa0, 0, 0, 0, 0, 0, 0, 0, 1 }, { 0x9e, 0x10 },
        { 0x1b, 0, 0, 0, 2 }, { 0x15, 0x10, 0, 0, 24 }, { 0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0x10 },
    };
    bool out = i == 3 || i == 4 || i == 11;
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } d[3] = { { BUFFERS, 51, 1, 1 },
               { out ? BUFFERS + 0x1000 : BUFFERS + 0x2000, out ? 512 : 108, out ? 1 : 3, 2 },
               { out ? BUFFERS + 0x2000 : BUFFERS + 0x1000, out ? 108 : 2048, 2, 0 } };
    uint16_t avail[4] = { 0, 1, 0, 0 };
    uint8_t rq[51] = { 1, i >= 6 && i != 9, 0x40 };
    uint8_t params[40] = { 0, 38, 0, 32, [15] = 8, [19] = 8 };
    size_t n = 1;
    if (i >= ARRAY_SIZE(cdbs)) {
        return 0;
    }
    memcpy(rq + 19, cdbs[i], sizeof(cdbs[i]));
    buf[0] = SCSI_CARD;
    n = put(buf, n, 2, 10, 0, rq, sizeof(rq));
    n = put(buf, n, 2, 10, 0x1000, params, sizeof(params));
    n = put(buf, n, 2, 0, 0, d, sizeof(d));
    n = put(buf, n, 2, 6, 0, avail, 8);
    n = put(buf, n, 2, 15, 0, NULL, 0);
    rq[0] = 0;                      /* task management with the same start */
    n = put(buf, n, 0, 10, 0x3000, rq, 24);
    d[0] = (typeof(d[0])){ BUFFERS + 0x3000, 24, 1, 1 };
    d[1] = (typeof(d[0])){ BUFFERS + 0x2000, 8, 2, 0 };
    n = put(buf, n, 0, 0, 0, d, sizeof(d));
    n = put(buf, n, 0, 6, 0, avail, 6);
    return put(buf, n, 0, 15, 0, NULL, 0);
}

/* A chain of three: header, data, status; made available; notified. */
size_t fuzz_seed(unsigned i, uint8_t *buf)
{
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } d[3] = { { BUFFERS, 16, 1, 1 },
               { BUFFERS + 0x1000, 512, i & 1 ? 3 : 1, 2 },
               { BUFFERS + 0x2000, 64, 2, 0 } };
    uint16_t avail[4] = { 0, 1, 0, 0 };
    uint32_t header[4] = { i & 1 ? 0 : 1, 0, 1, 0 };
    size_t n = 1;

    if (i >= 4 * SCSI_CARD) {
        return scsi_seed(i - 4 * SCSI_CARD, buf);
    }
    buf[0] = i / 4;
    for (unsigned q = 0; q < QUEUES; q++) {
        n = put(buf, n, q, 10, 0, header, 16);
        n = put(buf, n, q, 0, 0, d, sizeof(d));
        n = put(buf, n, q, 6, 0, avail, i & 2 ? 8 : 6);
        n = put(buf, n, q, 15, 0, NULL, 0);
    }
    return n;
}

void fuzz_one(const uint8_t *data, size_t n)
{
    Error err = ERROR_INIT;
    char path[] = "/tmp/dyad-fuzz-XXXXXX";

    if (!n) {
        return;
    }
    Board *b = board_create();
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, 1 << 20)) {
        abort();
    }
    close(fd);
    char *spec = xasprintf("file=%s,format=raw,if=none,id=d0,discard=unmap", path);
    if (!block_open_drive(&b->m, spec, false, &err) ||
        !chardev_open_option(&b->m, "null,id=c0", &err) ||
        (data[0] % ARRAY_SIZE(cards) == 1 &&
         !netdev_open(&b->m, "user,id=n0,restrict=on", &err))) {
        abort();
    }
    free(spec);
    unlink(path);
    unsigned devfn = board_add(b, cards[data[0] % ARRAY_SIZE(cards)])->devfn;
    if (data[0] % ARRAY_SIZE(cards) == SCSI_CARD && (!device_add(&b->m, "scsi-hd,drive=d0", &err) ||
                                                     !device_add(&b->m, "scsi-cd", &err))) {
        abort();
    }
    start(b, devfn);
    feed(b, data + 1, n - 1);
    board_destroy(b);
}

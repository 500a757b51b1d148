/* SPDX-License-Identifier: MIT */
/*
 * SCSI: commands to units without a transport, and virtio-scsi as a driver sees it, through
 * rings in guest RAM.
 */
#include <string.h>
#include "hw/scsi/scsi.h"
#include "hw/virtio/devices.h"
#include "tests/unit/disk_board.h"
#include "util/loop.h"

enum { DEV = 4 << 3, MEM = 0xe0000000, RING = 0x10000, STEP = 0x4000, RQ = 0x100000,
       RS = 0x101000, DATA = 0x102000, QSIZE = 16 };

static ScsiPlan plan;
static uint8_t cdb[SCSI_CDB_MAX];
static unsigned avail[3];

static int setup(void **state)
{
    memset(avail, 0, sizeof(avail));
    return disk_setup(state);
}

/* A disk of 4,096 sectors at target 1, a CD of 300 at target 2, lun 3. */
static void add(Board *b)
{
    Error err = ERROR_INIT;
    disk_image(b, "d0", ",if=none", DISK_SECTORS, 512);
    disk_image(b, "c0", ",if=none,media=cdrom", CD_SECTORS, 2048);
    assert_non_null(device_add(&b->m, "virtio-scsi-pci,id=s,addr=4", &err));
    assert_non_null(device_add(&b->m, "scsi-hd,drive=d0,scsi-id=1,serial=SN7", &err));
    assert_non_null(device_add(&b->m, "scsi-cd,drive=c0,scsi-id=2,lun=3", &err));
}

static ScsiUnit *unit(Board *b, unsigned target, unsigned lun)
{
    ScsiDrive *d = scsi_drive_at(bus_find(&b->m, BUS_SCSI, "s.0"), target, lun);
    assert_non_null(d);
    return &d->u;
}

static void give(ScsiUnit *u, const char *bytes, unsigned n)
{
    memset(cdb, 0, sizeof(cdb));
    memcpy(cdb, bytes, n);
    scsi_command(u, cdb, &plan);
}
#define GIVE(u, s) give(u, s, sizeof(s) - 1)

static void fails_with(unsigned key, unsigned asc)
{
    assert_int_equal(plan.act, SCSI_DONE);
    assert_int_equal(plan.status, SCSI_CHECK);
    assert_int_equal(plan.sense[0], 0x70);
    assert_int_equal(plan.sense[2], key);
    assert_int_equal(plan.sense[12] << 8 | plan.sense[13], asc);
}

static void expect_reply(unsigned n, unsigned at, const char *bytes, unsigned len)
{
    assert_int_equal(plan.act, SCSI_REPLY);
    assert_int_equal(plan.n, n);
    assert_memory_equal(plan.reply + at, bytes, len);
}

static void units_tell_who_they_are(void **state)
{
    Board *b = *state;
    add(b);
    ScsiUnit *hd = unit(b, 1, 0), *cd = unit(b, 2, 3);
    GIVE(hd, "\x12\0\0\0\xff");
    expect_reply(36, 0, "\0\0\5\x12\x1f\0\0\2DYAD    DYAD HARDDISK   1.0 ", 36);
    GIVE(cd, "\x12\0\0\0\5");
    expect_reply(5, 0, "\5\x80\5\x12\x1f", 5);
    GIVE(hd, "\x12\1\0\0\xff");
    expect_reply(10, 0, "\0\0\0\6\0\x80\x83\xb0\xb1\xb2", 10);
    GIVE(hd, "\x12\1\x80\0\xff");
    expect_reply(7, 0, "\0\x80\0\3SN7", 7);
    GIVE(hd, "\x12\1\x83\0\xff");
    expect_reply(19, 0, "\0\x83\0\x0f\2\1\0\x0b" "DYAD    SN7", 19);
    GIVE(cd, "\x12\1\xb0\0\xff");
    fails_with(5, 0x2400);
    GIVE(hd, "\x12\0\x80\0\xff");
    fails_with(5, 0x2400);
    GIVE(hd, "\x25");
    expect_reply(8, 0, "\0\0\x0f\xff\0\0\2\0", 8);
    GIVE(hd, "\x9e\x10\0\0\0\0\0\0\0\0\0\0\0\x10");
    expect_reply(16, 0, "\0\0\0\0\0\0\x0f\xff\0\0\2\0\0\0\x80\0", 16);
    GIVE(cd, "\x25");
    expect_reply(8, 0, "\0\0\1\x2b\0\0\x08\0", 8);
    GIVE(hd, "\x1a\0\x08\0\xff");
    expect_reply(32, 0, "\x1f\0\x10\x08\0\0\x10\0\0\0\2\0\x08\x12\4", 15);
    GIVE(hd, "\x5a\x08\x48\0\0\0\0\0\xff");
    expect_reply(28, 8, "\x08\x12\0", 3);   /* nothing can be changed */
    GIVE(hd, "\x1a\0\x2a\0\xff");
    fails_with(5, 0x2400);
    GIVE(hd, "\x1a\0\xc8\0\xff");
    fails_with(5, 0x3900);
}

static void moves_are_checked_against_the_medium(void **state)
{
    Board *b = *state;
    add(b);
    ScsiUnit *hd = unit(b, 1, 0), *cd = unit(b, 2, 3);
    GIVE(hd, "\x28\0\0\0\x0f\xff\0\0\1");
    assert_int_equal(plan.act, SCSI_READ);
    assert_int_equal(plan.offset, 4095 * 512);
    assert_int_equal(plan.bytes, 512);
    GIVE(hd, "\x28\0\0\0\x0f\xff\0\0\2");
    fails_with(5, 0x2100);
    GIVE(hd, "\x28\0\xff\xff\xff\xff\0\xff\xff");
    fails_with(5, 0x2100);
    GIVE(hd, "\x88\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    fails_with(5, 0x2100);
    GIVE(hd, "\x08\0\0\1\0");               /* READ (6): 0 is 256 */
    assert_int_equal(plan.bytes, 256 * 512);
    GIVE(hd, "\x2a\x08\0\0\0\2\0\0\3");
    assert_int_equal(plan.act, SCSI_WRITE);
    assert_true(plan.fua);
    assert_int_equal(plan.offset, 1024);
    GIVE(hd, "\x28\0\0\0\0\0\0\0\0");       /* no blocks: nothing to do */
    assert_int_equal(plan.act, SCSI_DONE);
    assert_int_equal(plan.status, SCSI_GOOD);
    GIVE(hd, "\x28\x20\0\0\0\0\0\0\1");
    fails_with(5, 0x2400);
    GIVE(cd, "\x2a\0\0\0\0\0\0\0\1");
    fails_with(5, 0x2000);
    GIVE(cd, "\xa8\0\0\0\1\x2b\0\0\0\1");
    assert_int_equal(plan.offset, 299 * 2048);
    GIVE(hd, "\xff");
    fails_with(5, 0x2000);
    GIVE(hd, "\3\0\0\0\x12");
    expect_reply(18, 2, "\5", 1);           /* the last command's, once */
    GIVE(hd, "\3\0\0\0\x12");
    expect_reply(18, 2, "\0", 1);
}

static void unmap_takes_ranges_within_the_medium(void **state)
{
    Board *b = *state;
    add(b);
    ScsiUnit *hd = unit(b, 1, 0);
    uint8_t list[8 + 17 * 16] = { 0, 38, 0, 32, [8 + 7] = 16, [8 + 11] = 8,
                                  [24 + 6] = 0x0f, [24 + 7] = 0xff, [24 + 11] = 1 };
    GIVE(hd, "\x42\0\0\0\0\0\0\0\x28");
    assert_int_equal(plan.act, SCSI_PARAMS);
    assert_int_equal(plan.n, 40);
    scsi_params(hd, cdb, list, 40, &plan);
    assert_int_equal(plan.act, SCSI_DISCARD);
    assert_int_equal(plan.nranges, 2);
    assert_int_equal(plan.range[0].offset, 16 * 512);
    assert_int_equal(plan.range[0].bytes, 8 * 512);
    assert_int_equal(plan.range[1].offset, 4095 * 512);
    scsi_params(hd, cdb, list, 39, &plan);
    fails_with(5, 0x1a00);
    list[24 + 11] = 2;
    scsi_params(hd, cdb, list, 40, &plan);
    fails_with(5, 0x2100);
    list[2] = 1;
    list[3] = 0x10;                         /* 17 descriptors */
    scsi_params(hd, cdb, list, sizeof(list), &plan);
    fails_with(5, 0x2600);
    GIVE(hd, "\x42\0\0\0\0\0\0\xff\xff");
    fails_with(5, 0x1a00);
}

static void a_cd_has_a_table_of_contents_and_a_tray(void **state)
{
    Board *b = *state;
    add(b);
    ScsiUnit *cd = unit(b, 2, 3);
    GIVE(cd, "\x43\0\0\0\0\0\0\0\xff");
    expect_reply(20, 0, "\0\x12\1\1\0\x14\1\0\0\0\0\0\0\x14\xaa\0\0\0\1\x2c", 20);
    GIVE(cd, "\x43\2\0\0\0\0\xaa\0\xff");  /* as MSF: lead-out at 00:06:00 */
    expect_reply(12, 0, "\0\x0a\1\1\0\x14\xaa\0\0\0\6\0", 12);
    GIVE(cd, "\x43\0\2\0\0\0\0\0\xff");    /* the full one */
    expect_reply(48, 0, "\0\x2e\1\1\1\x14\0\xa0\0\0\0\0\1", 13);
    expect_reply(48, 26, "\1\x14\0\xa2\0\0\0\0\0\6\0", 11);
    expect_reply(48, 37, "\1\x14\0\1\0\0\0\0\0\2\0", 11);
    GIVE(cd, "\x43\0\6\0\0\0\0\0\xff");
    fails_with(5, 0x2400);
    GIVE(cd, "\x46\2\0\1\0\0\0\0\xff");     /* core feature: SCSI */
    expect_reply(16, 8, "\0\1\3\4\0\0\0\1", 8);
    GIVE(cd, "\x5a\0\x2a\0\0\0\0\0\xff");    /* what it can do */
    expect_reply(30, 0, "\0\x1c\1\0\0\0\0\0\x2a\x14\x3b", 11);
    GIVE(cd, "\xbe\0\0\0\1\x2b\0\0\1\x10"); /* sector 299 */
    assert_int_equal(plan.act, SCSI_READ);
    assert_int_equal(plan.offset, 299 * 2048);
    GIVE(cd, "\xb9\0\0\0\2\7\0\2\x09\x10"); /* 00:02:07 to 00:02:09 */
    assert_int_equal(plan.offset, 7 * 2048);
    assert_int_equal(plan.bytes, 2 * 2048);
    GIVE(cd, "\xb9\0\0\0\2\7\0\2\6\x10");
    fails_with(5, 0x2400);
    GIVE(cd, "\xbe\0\0\0\0\0\0\0\1\xf8");    /* raw: ATAPI alone */
    fails_with(5, 0x2400);
    GIVE(cd, "\xbe\4\0\0\0\0\0\0\1\x10");    /* audio */
    fails_with(5, 0x6400);
    GIVE(cd, "\x46\2\0\x1e\0\0\0\0\xff");
    expect_reply(16, 0, "\0\0\0\x0c\0\0\0\x08\0\x1e\1\4", 12);
    GIVE(cd, "\x1e\0\0\0\1");
    GIVE(cd, "\x1b\0\0\0\2");
    fails_with(5, 0x5302);
    GIVE(cd, "\x1e\0\0\0\0");
    GIVE(cd, "\x1b\0\0\0\2");
    GIVE(cd, "\0");
    fails_with(2, 0x3a02);
    GIVE(cd, "\x1b\0\0\0\3");
    GIVE(cd, "\0");
    fails_with(6, 0x2800);
    GIVE(cd, "\0");
    assert_int_equal(plan.status, SCSI_GOOD);
    GIVE(cd, "\x4a\1\0\0\x10\0\0\0\x08");
    expect_reply(8, 0, "\0\6\4\x10\2\2\0\0", 8);
}

/* ---- through virtio ---- */

static void start(Board *b)
{
    cfg_write(b, DEV, 0x20, MEM, 4);
    cfg_write(b, DEV, 0x04, 7, 2);
    mem_write(b, MEM + 20, 0, 1);
    mem_write(b, MEM + 20, 3, 1);
    mem_write(b, MEM + 8, 1, 4);
    mem_write(b, MEM + 12, 1, 4);           /* VERSION_1 */
    mem_write(b, MEM + 20, 11, 1);
    for (unsigned q = 0; q < 3; q++) {
        mem_write(b, MEM + 22, q, 2);
        mem_write(b, MEM + 24, QSIZE, 2);
        mem_write(b, MEM + 32, RING + q * STEP, 4);
        mem_write(b, MEM + 40, RING + q * STEP + 0x1000, 4);
        mem_write(b, MEM + 48, RING + q * STEP + 0x2000, 4);
        mem_write(b, MEM + 28, 1, 2);
    }
    mem_write(b, MEM + 20, 15, 1);
}

typedef struct Piece {
    uint64_t addr;
    uint32_t len;
    bool in;
} Piece;

/* One chain; waits until it is used; returns the used length. */
static uint32_t chain(Board *b, unsigned q, const Piece *p, unsigned n)
{
    uint64_t ring = RING + q * STEP, used = ring + 0x2000;
    for (unsigned i = 0; i < n; i++) {
        mem_write(b, ring + 16 * i, p[i].addr, 8);
        mem_write(b, ring + 16 * i + 8, p[i].len, 4);
        mem_write(b, ring + 16 * i + 12, (i + 1 < n ? 1 : 0) | (p[i].in ? 2 : 0), 2);
        mem_write(b, ring + 16 * i + 14, i + 1, 2);
    }
    mem_write(b, ring + 0x1004 + 2 * (avail[q] % QSIZE), 0, 2);
    mem_write(b, ring + 0x1002, ++avail[q], 2);
    mem_write(b, MEM + 0x3000 + 4 * q, q, 2);
    for (unsigned turns = 0; turns < 50 && mem_read(b, used + 2, 2) != avail[q]; turns++) {
        machine_unlock(&b->m);
        loop_run_once(b->m.loop, 10000000);
        machine_lock(&b->m);
    }
    assert_int_equal(mem_read(b, used + 2, 2), avail[q]);
    return mem_read(b, used + 8 + 8 * ((avail[q] - 1) % QSIZE), 4);
}

static void request(Board *b, unsigned target, unsigned lun, const char *bytes, unsigned n)
{
    uint8_t rq[51] = { 1, target, 0x40 | lun >> 8, lun };
    memcpy(rq + 19, bytes, n);
    set_ram(b, RQ, rq, sizeof(rq));
}
#define REQUEST(b, t, l, s) request(b, t, l, s, sizeof(s) - 1)

static void reads_and_writes_go_through_the_request_queue(void **state)
{
    Board *b = *state;
    const Piece in[] = { { RQ, 51 }, { RS, 108, true }, { DATA, 1024, true } };
    const Piece out[] = { { RQ, 51 }, { DATA, 1024 }, { RS, 108, true } };
    add(b);
    start(b);
    assert_int_equal(mem_read(b, MEM + 0x2000, 4), 1);      /* num_queues */
    assert_int_equal(mem_read(b, MEM + 0x2000 + 20, 4), 96);
    assert_int_equal(mem_read(b, MEM + 0x2000 + 24, 4), 32);
    REQUEST(b, 1, 0, "\x28\0\0\0\0\7\0\0\2");
    assert_int_equal(chain(b, 2, in, 3), 108 + 1024);
    assert_int_equal(mem_read(b, RS + 8, 4), 0);            /* GOOD, OK */
    assert_int_equal(ram32(b, DATA), 7);
    assert_int_equal(ram32(b, DATA + 512), 8);
    assert_int_equal(mem_read(b, RS + 4, 4), 0);            /* residual */
    mem_write(b, DATA, 0x12345678, 4);
    REQUEST(b, 1, 0, "\x2a\x08\0\0\0\x64\0\0\2");
    assert_int_equal(chain(b, 2, out, 3), 108);
    assert_int_equal(mem_read(b, RS + 8, 4), 0);
    REQUEST(b, 1, 0, "\x28\0\0\0\0\x64\0\0\1");
    chain(b, 2, in, 3);
    assert_int_equal(ram32(b, DATA), 0x12345678);
    assert_int_equal(mem_read(b, RS + 4, 4), 512);          /* one block of two */
    REQUEST(b, 2, 3, "\x28\0\0\0\0\x2a\0\0\1");
    chain(b, 2, (Piece[]){ { RQ, 51 }, { RS, 108, true }, { DATA, 2048, true } }, 3);
    assert_int_equal(ram32(b, DATA), 42);
}

static void what_does_not_fit_or_is_not_there_is_answered(void **state)
{
    Board *b = *state;
    const Piece in[] = { { RQ, 51 }, { RS, 108, true }, { DATA, 512, true } };
    add(b);
    start(b);
    REQUEST(b, 1, 0, "\x28\0\0\0\0\0\0\0\2");
    chain(b, 2, in, 3);
    assert_int_equal(mem_read(b, RS + 11, 1), 1);           /* OVERRUN */
    REQUEST(b, 9, 0, "\0");
    chain(b, 2, in, 3);
    assert_int_equal(mem_read(b, RS + 11, 1), 3);           /* BAD_TARGET */
    REQUEST(b, 1, 5, "\x12\0\0\0\x24");
    chain(b, 2, in, 3);
    assert_int_equal(mem_read(b, RS + 8, 4), 0);
    assert_int_equal(mem_read(b, DATA, 1), 0x7f);           /* no such unit */
    REQUEST(b, 1, 5, "\0");
    chain(b, 2, in, 3);
    assert_int_equal(mem_read(b, RS + 10, 1), 2);           /* CHECK CONDITION */
    assert_int_equal(mem_read(b, RS, 4), 18);
    assert_int_equal(mem_read(b, RS + 12 + 2, 1), 5);
    assert_int_equal(mem_read(b, RS + 12 + 12, 1), 0x25);
    REQUEST(b, 2, 0, "\xa0\0\0\0\0\0\0\0\1\0");
    chain(b, 2, in, 3);
    assert_int_equal(mem_read(b, DATA + 3, 1), 16);         /* units 0 and 3 */
    assert_int_equal(mem_read(b, DATA + 17, 1), 3);
    mem_write(b, RQ, 0, 4);                                 /* task management */
    mem_write(b, RQ + 4, 5, 4);
    mem_write(b, RQ + 8, 0x00400101, 8);
    chain(b, 0, (Piece[]){ { RQ, 24 }, { RS, 1, true } }, 2);
    assert_int_equal(mem_read(b, RS, 1), 0);
    mem_write(b, RQ + 4, 99, 4);
    chain(b, 0, (Piece[]){ { RQ, 24 }, { RS, 1, true } }, 2);
    assert_int_equal(mem_read(b, RS, 1), 11);               /* FUNCTION_REJECTED */
}

static void a_chain_without_room_breaks_the_device(void **state)
{
    Board *b = *state;
    uint64_t ring = RING + 2 * STEP;
    add(b);
    start(b);
    mem_write(b, ring, RQ, 8);
    mem_write(b, ring + 8, 50, 4);
    mem_write(b, ring + 12, 0, 4);
    mem_write(b, ring + 0x1002, 1, 2);
    mem_write(b, MEM + 0x3008, 2, 2);
    assert_int_equal(mem_read(b, MEM + 20, 1) & 0x40, 0x40);
    mem_write(b, MEM + 20, 0, 1);
    mem_write(b, MEM + 0x2000 + 20, 5000, 4);               /* sense_size out of reason */
    assert_int_equal(mem_read(b, MEM + 0x2000 + 20, 4), 96);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, disk_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(units_tell_who_they_are),
        T(moves_are_checked_against_the_medium),
        T(unmap_takes_ranges_within_the_medium),
        T(a_cd_has_a_table_of_contents_and_a_tray),
        T(reads_and_writes_go_through_the_request_queue),
        T(what_does_not_fit_or_is_not_there_is_answered),
        T(a_chain_without_room_breaks_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

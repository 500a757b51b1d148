/* SPDX-License-Identifier: MIT */
/* Disk options and raw images: I/O on both engines, snapshot, locks, error texts. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/core/block.h"
#include "tests/unit/pci_board.h"
#include "util/alloc.h"

enum { SIZE = 200 * 1024 + 512 };
static char path[64];

static int setup(void **state)
{
    *state = board_create();
    strcpy(path, "/tmp/dyad-test-block-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (uint32_t i = 0; i < SIZE / 4; i++) {
        assert_int_equal(write(fd, &i, 4), 4);
    }
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    unlink(path);
    return 0;
}

static BlockBackend *drive(Board *b, const char *rest)
{
    Error err = ERROR_INIT;
    char *spec = xasprintf("file=%s%s", path, rest);
    BlockBackend *d = block_open_drive(&b->m, spec, false, &err);
    if (!d) {
        print_error("%s: %s\n", spec, err.msg);
    }
    assert_non_null(d);
    free(spec);
    return d;
}

static void refuse(Board *b, const char *spec, const char *text)
{
    Error err = ERROR_INIT;
    assert_null(block_open_drive(&b->m, spec, false, &err));
    board_refused(&err, spec, text);
}

static void io_on(Board *b, const char *options)
{
    BlockBackend *d = drive(b, options);
    uint32_t v[4];
    assert_int_equal(d->size, SIZE);
    assert_int_equal(block_read_sync(d, 4096, v, 16), 0);
    assert_int_equal(v[0], 1024);
    assert_int_equal(v[3], 1027);
    assert_int_equal(block_write_sync(d, 512, "0123456789abcdef", 16), 0);
    assert_int_equal(block_read_sync(d, 512, v, 16), 0);
    assert_memory_equal(v, "0123456789abcdef", 16);
    assert_int_equal(block_read_sync(d, SIZE - 8, v, 16), -EIO);
    assert_int_equal(block_read_sync(d, ~0ull - 4, v, 16), -EIO);
    assert_int_equal(block_write_sync(d, SIZE, v, 4), -EIO);
}

static void reads_and_writes_by_default_engine(void **state)
{
    io_on(*state, ",format=raw");
}

static void reads_and_writes_by_threads(void **state)
{
    io_on(*state, ",format=raw,aio=threads");
}

static void reads_and_writes_through_to_the_medium(void **state)
{
    io_on(*state, ",format=raw,cache=writethrough");
}

static unsigned done_count;
static int done_ret;

static void count_done(BlockRequest *rq, int ret)
{
    done_count++;
    done_ret |= ret;
}

static void many_requests_complete_from_the_loop(void **state)
{
    Board *b = *state;
    BlockBackend *d = drive(b, ",format=raw");
    enum { N = 300 };   /* more than the ring holds */
    static BlockRequest rq[N];
    static struct iovec iov[N];
    static uint32_t data[N];
    done_count = done_ret = 0;
    block_plug(d, true);
    for (unsigned i = 0; i < N; i++) {
        iov[i] = (struct iovec){ &data[i], 4 };
        rq[i] = (BlockRequest){ .op = BLOCK_READ, .offset = 4 * i, .bytes = 4, .iov = &iov[i],
                                .niov = 1, .done = count_done };
        block_submit(d, &rq[i]);
    }
    block_plug(d, false);
    for (int turns = 0; turns < 1000 && done_count < N; turns++) {
        board_turn(b);
    }
    assert_int_equal(done_count, N);
    assert_int_equal(done_ret, 0);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(data[i], i);
    }
}

static void snapshot_keeps_the_image_as_it_was(void **state)
{
    Board *b = *state;
    BlockBackend *d = drive(b, ",format=raw,snapshot=on");
    uint8_t zero[8] = { 0 };
    uint32_t v;
    static uint8_t big[130000];
    memset(big, 0x5a, sizeof(big));
    assert_int_equal(block_write_sync(d, 65532, zero, 8), 0);   /* two clusters, in part */
    assert_int_equal(block_read_sync(d, 65536, &v, 4), 0);
    assert_int_equal(v, 0);
    assert_int_equal(block_read_sync(d, 65540, &v, 4), 0);
    assert_int_equal(v, 65540 / 4);
    assert_int_equal(block_write_sync(d, 70000, big, sizeof(big)), 0);
    assert_int_equal(block_read_sync(d, 70000 + sizeof(big) - 4, &v, 4), 0);
    assert_int_equal(v, 0x5a5a5a5a);
    assert_int_equal(block_write_sync(d, SIZE - 4, zero, 4), 0); /* last, short cluster */
    assert_int_equal(block_read_sync(d, SIZE - 8, &v, 4), 0);
    assert_int_equal(v, (SIZE - 8) / 4);
    int fd = open(path, O_RDONLY);
    for (uint32_t i = 0; i < SIZE / 4; i++) {
        assert_int_equal(read(fd, &v, 4), 4);
        assert_int_equal(v, i);
    }
    close(fd);
}

static void second_writer_is_refused(void **state)
{
    Board *b = *state;
    drive(b, ",format=raw,id=first");
    char *spec = xasprintf("file=%s,format=raw,id=second", path);
    refuse(b, spec, "is in use");
    free(spec);
    spec = xasprintf("file=%s,format=raw,id=third,readonly=on", path);
    refuse(b, spec, "is in use");
    free(spec);
}

static void two_readers_share_an_image(void **state)
{
    Board *b = *state;
    drive(b, ",format=raw,readonly=on");
    BlockBackend *d = drive(b, ",format=raw,snapshot=on");
    assert_int_equal(block_write_sync(d, 0, "x", 1), 0);
    assert_true(drive(b, ",media=cdrom")->readonly);
}

static void wrong_options_are_named(void **state)
{
    Board *b = *state;
    refuse(b, "format=raw", "file: an image is needed");
    refuse(b, "file=/tmp/x,formt=raw", "did you mean 'format'");
    refuse(b, "file=/tmp/x,format=qcow2", "format: qcow2 is not accepted: expected one of raw");
    refuse(b, "file=/tmp/x,if=virtoi", "did you mean 'virtio'");
    refuse(b, "file=/tmp/x,cache=writebak", "did you mean 'writeback'");
    refuse(b, "file=/nonexistent/x", "cannot open '/nonexistent/x' for writing: No such file");
    refuse(b, "file=/tmp", "cannot open '/tmp'");
    refuse(b, "file=/dev/null,readonly=on", "is not a file or block device");
    drive(b, ",id=same,readonly=on");
    char *spec = xasprintf("file=%s,id=same,readonly=on", path);
    refuse(b, spec, "id: 'same' names another drive");
    free(spec);
    drive(b, ",index=3,readonly=on,if=ide");
    spec = xasprintf("file=%s,bus=1,unit=1,readonly=on,if=ide", path);
    refuse(b, spec, "index: 3 of if=ide is taken");
    free(spec);
}

static void other_formats_are_recognized(void **state)
{
    Board *b = *state;
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "QFI\xfb", 4, 0), 4);
    close(fd);
    char *spec = xasprintf("file=%s", path);
    refuse(b, spec, "qcow2 image: format qcow2 is not accepted");
    free(spec);
    drive(b, ",format=raw");
}

static BlockBackend *blockdev(Board *b, const char *fmt, const char *text)
{
    Error err = ERROR_INIT;
    char *spec = xasprintf(fmt, path);
    BlockBackend *d = block_open_blockdev(&b->m, spec, &err);
    if (text) {
        assert_null(d);
        assert_non_null(strstr(err.msg, text));
        error_free(&err);
    } else if (!d) {
        print_error("%s: %s\n", spec, err.msg);
        assert_non_null(d);
    }
    free(spec);
    return d;
}

static void blockdev_nodes_stand_on_files_and_on_nodes(void **state)
{
    Board *b = *state;
    uint32_t v;
    blockdev(b, "driver=raw,node-name=r0,read-only=on,file.driver=file,file.filename=%s", NULL);
    assert_non_null(block_find(&b->m, "r0"));
    blockdev(b, "driver=file,node-name=f1,read-only=on,filename=%s", NULL);
    BlockBackend *d = blockdev(b, "driver=raw,node-name=r1,file=f1", NULL);
    assert_int_equal(block_read_sync(d, 8, &v, 4), 0);
    assert_int_equal(v, 2);
    blockdev(b, "driver=raw,node-name=r2,file=f1", "used already");
    blockdev(b, "driver=raw,node-name=r2,file=nix", "no node is named");
    blockdev(b, "driver=qcow2,node-name=r3,file.filename=%s", "driver: qcow2 is not accepted");
    blockdev(b, "node-name=r3", "driver: one is needed");
    blockdev(b, "{\"driver\": \"raw\", \"node-name\": \"j\", \"read-only\": true, \"file\": "
             "{\"driver\": \"file\", \"filename\": \"%s\"}}", NULL);
    assert_true(block_find(&b->m, "j")->readonly);
    blockdev(b, "{\"driver\": ", "bad JSON");
}

static void a_drive_serves_one_device(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    drive(b, ",format=raw,if=none,id=d0");
    board_add(b, "virtio-blk-pci,drive=d0");
    assert_null(device_add(&b->m, "virtio-blk-pci,drive=d0", &err));
    assert_non_null(strstr(err.msg, "drive: 'd0' is used by another device"));
    assert_null(device_add(&b->m, "virtio-blk-pci,drive=d1", &err));
    assert_non_null(strstr(err.msg, "did you mean 'd0'"));
    assert_null(device_add(&b->m, "virtio-blk-pci", &err));
    assert_non_null(strstr(err.msg, "a drive is needed"));
    error_free(&err);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reads_and_writes_by_default_engine),
        T(reads_and_writes_by_threads),
        T(reads_and_writes_through_to_the_medium),
        T(many_requests_complete_from_the_loop),
        T(snapshot_keeps_the_image_as_it_was),
        T(second_writer_is_refused),
        T(two_readers_share_an_image),
        T(wrong_options_are_named),
        T(other_formats_are_recognized),
        T(blockdev_nodes_stand_on_files_and_on_nodes),
        T(a_drive_serves_one_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

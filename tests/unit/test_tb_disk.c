/* SPDX-License-Identifier: MIT */
/* The file of kept translations: what is found again, and what a file that is not what it was
 * does. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "tcg/tb_disk.h"

enum { RECORDS = 6000, BIG = 3000 };

static char dir[64], file[160];
static const uint8_t id[TB_DISK_ID] = { 1, 2, 3 }, id2[TB_DISK_ID] = { 9 };

static uint64_t hash_of(unsigned i) { return tb_disk_hash(77, &i, sizeof(i)); }

static uint32_t content(unsigned i, unsigned version, uint8_t *p)
{
    uint32_t n = 1 + i * 37 % BIG;
    for (uint32_t j = 0; j < n; j++) {
        p[j] = i * 7 + j * 3 + version;
    }
    return n;
}

static void add(TbDisk *d, unsigned i, unsigned version)
{
    uint8_t buf[BIG];
    uint32_t n = content(i, version, buf);
    const TbDiskPart parts[] = { { buf, n / 3 }, { buf + n / 3, n - n / 3 } };
    tb_disk_add(d, hash_of(i), parts, 2, true);
}

/* Looks for all: a record that is found is right. Returns how many are. */
static unsigned found(TbDisk *d, unsigned version)
{
    unsigned good = 0;

    for (unsigned i = 0; i < RECORDS; i++) {
        uint8_t buf[BIG];
        uint32_t n, m;
        const void *p = tb_disk_find(d, hash_of(i), &n);
        if (p) {
            m = content(i, version, buf);
            assert_int_equal(n, m);
            assert_memory_equal(p, buf, n);
            good++;
        }
    }
    return good;
}

static TbDisk *open_it(void)
{
    Error err = ERROR_INIT;
    TbDisk *d = tb_disk_open(dir, id, &err);
    assert_non_null(d);
    assert_null(err.msg);
    return d;
}

static void fill(unsigned version)
{
    TbDisk *d = open_it();
    for (unsigned i = 0; i < RECORDS; i++) {
        add(d, i, version);
    }
    unsigned n = 0; /* in this run, too, as soon as they are written */
    for (unsigned i = 0; i < 1000 && n < RECORDS / 2; i++) {
        usleep(i ? 10000 : 0);
        n = found(d, version);
    }
    assert_true(n >= RECORDS / 2);
    tb_disk_close(d);
}

static unsigned found_again(unsigned version)
{
    TbDisk *d = open_it();
    unsigned n = found(d, version);
    tb_disk_close(d);
    return n;
}

static int setup(void **state)
{
    strcpy(dir, "/tmp/dyad-disk-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/tb-01020300000000000000000000000000", dir);
    return 0;
}

static int teardown(void **state)
{
    char cmd[100];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

static void test_again(void **state)
{
    TbDiskStats s;

    fill(0);
    assert_int_equal(found_again(0), RECORDS);
    fill(5); /* newer ones replace them */
    assert_int_equal(found_again(5), RECORDS);
    TbDisk *d = open_it(), *e = open_it();
    tb_disk_stats(d, &s);
    assert_true(s.writes);
    assert_int_equal(s.known, RECORDS);
    tb_disk_stats(e, &s);
    assert_false(s.writes); /* one at a time */
    add(e, 0, 6);
    assert_int_equal(found(e, 5), RECORDS);
    for (unsigned i = 0; i < RECORDS; i++) { /* who only reads leaves what is being written */
        add(d, i, 7);
    }
    tb_disk_close(e);
    tb_disk_close(d);
    assert_int_equal(found_again(7), RECORDS);
}

static uint64_t length(void)
{
    struct stat st;
    return stat(file, &st) == 0 ? st.st_size : 0;
}

/* A file that has become too long keeps what the last run had use for. */
static void test_full(void **state)
{
    enum { USED = 500, TABLE = 1 << 20 };
    TbDiskStats s;

    tb_disk_most = 4 * MiB; /* less than all records */
    TbDisk *d = open_it();
    for (unsigned i = 0; i < RECORDS; i++) {
        add(d, i, 0);
    }
    tb_disk_stats(d, &s);
    assert_true(s.added < RECORDS);
    tb_disk_close(d);
    assert_true(length() <= tb_disk_most / 2 + TABLE);
    d = open_it();
    tb_disk_stats(d, &s);
    assert_true(s.known > RECORDS / 8);
    unsigned first = s.known / 3, n = 0;
    for (unsigned i = first; i < first + USED; i++) {
        uint32_t size;
        n += tb_disk_find(d, hash_of(i), &size) != NULL;
    }
    assert_int_equal(n, USED);
    for (unsigned i = RECORDS; i < 3 * RECORDS; i++) {
        add(d, i, 0);
    }
    tb_disk_close(d);
    assert_true(length() <= tb_disk_most / 2 + TABLE);
    d = open_it();
    for (unsigned i = first; i < first + USED; i++) {
        uint32_t size;
        assert_non_null(tb_disk_find(d, hash_of(i), &size));
    }
    tb_disk_close(d);
    tb_disk_most = 512 * MiB;
}

static void test_turns(void **state)
{
    for (unsigned version = 0; version < 12; version++) {
        TbDisk *d = open_it();
        for (unsigned i = 0; i < RECORDS; i++) {
            add(d, i, version);
        }
        tb_disk_close(d);
    }
    assert_int_equal(found_again(4), RECORDS); /* that is enough */
}

/* What was found stays, though somebody cuts the file off meanwhile. */
static void test_in_use(void **state)
{
    uint8_t buf[BIG];
    uint32_t n, want = content(5000, 0, buf);

    fill(0);
    TbDisk *d = open_it();
    const void *p = tb_disk_find(d, hash_of(5000), &n);
    assert_int_equal(n, want);
    assert_int_equal(truncate(file, 4096), 0);
    assert_memory_equal(p, buf, n);
    tb_disk_close(d);
}

static void test_others(void **state)
{
    Error err = ERROR_INIT;
    uint8_t other[TB_DISK_ID] = { 0 };
    unsigned files = 0;

    fill(0);
    TbDisk *d = tb_disk_open(dir, id2, &err);
    assert_non_null(d);
    assert_int_equal(found(d, 0), 0);
    tb_disk_close(d);
    for (unsigned i = 0; i < 12; i++) { /* builds come and go */
        other[0] = 100 + i;
        tb_disk_close(tb_disk_open(dir, other, &err));
    }
    DIR *list = opendir(dir);
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        files += strncmp(e->d_name, "tb-", 3) == 0;
    }
    closedir(list);
    assert_in_range(files, 1, 5);
}

static void refused(const char *dir_name)
{
    Error err = ERROR_INIT;
    assert_null(tb_disk_open(dir_name, id, &err));
    assert_non_null(err.msg);
    error_free(&err);
}

static void test_refused(void **state)
{
    fill(0);
    assert_int_equal(chmod(file, 0644), 0);
    refused(dir);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(symlink("/etc/passwd", file), 0);
    refused(dir);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    refused(dir);
    refused("/proc/nowhere/at/all");
    refused("/dev/null/x");
}

static void damage(unsigned seed, long size)
{
    int fd = open(file, O_RDWR);
    srand(seed);
    for (unsigned i = 0; i < 1 + seed % 40; i++) {
        uint8_t b = rand();
        long at = seed % 3 ? rand() % size : rand() % 4200;
        assert_int_equal(pwrite(fd, &b, 1, at), 1);
    }
    close(fd);
}

static void test_damaged(void **state)
{
    struct stat st;
    unsigned some = 0;

    fill(0);
    assert_int_equal(stat(file, &st), 0);
    for (unsigned i = 0; i < 300; i++) {
        damage(i, st.st_size);
        some += found_again(0) < RECORDS;
        if (i % 20 == 19) { /* and one can begin anew */
            assert_int_equal(unlink(file), 0);
            fill(0);
        }
    }
    assert_true(some > 200);
}

static void test_cut(void **state)
{
    struct stat st;

    fill(0);
    assert_int_equal(stat(file, &st), 0);
    for (long size = st.st_size; size > 0; size -= size / 9 + 1) {
        assert_int_equal(truncate(file, size), 0);
        (void)found_again(0);
    }
    fill(1);
    assert_int_equal(found_again(1), RECORDS);
}

static void on_bus(int sig, siginfo_t *info, void *uc)
{
    if (!tb_disk_fault(info->si_addr)) {
        _exit(9);
    }
}

static void test_cut_in_use(void **state)
{
    struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO }, old;

    fill(0);
    assert_int_equal(sigaction(SIGBUS, &sa, &old), 0);
    TbDisk *d = open_it();
    assert_int_equal(truncate(file, 100000), 0);
    assert_in_range(found(d, 0), 1, RECORDS - 1);
    assert_false(tb_disk_fault(&sa));
    tb_disk_close(d);
    assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
}

/* No file may grow beyond `size` from here on; returns what the limit was. */
static rlim_t limit_files(rlim_t size)
{
    struct rlimit r;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &r);
    rlim_t was = r.rlim_cur;
    r.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
    return was;
}

static void test_no_room(void **state)
{
    struct stat before, after;

    fill(0);
    assert_int_equal(stat(file, &before), 0);
    rlim_t was = limit_files((rlim_t)before.st_size + 1000000);
    TbDisk *d = open_it();
    for (unsigned i = 0; i < RECORDS; i++) {
        add(d, i, 3); /* cannot be kept */
    }
    tb_disk_close(d);
    limit_files(was);
    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(found_again(0), RECORDS);
}

static unsigned mixed(unsigned i) { return i * 1597u % RECORDS; }

/* Looks for all in another order than they lie in; where they are then. */
static uint64_t jumps(unsigned version, bool replace)
{
    TbDisk *d = open_it();
    TbDiskStats s;

    for (unsigned i = 0; i < RECORDS; i++) {
        uint8_t buf[BIG];
        uint32_t n;
        const void *p = tb_disk_find(d, hash_of(mixed(i)), &n);
        assert_non_null(p);
        assert_int_equal(n, content(mixed(i), version, buf));
        assert_memory_equal(p, buf, n);
    }
    for (unsigned i = 0; replace && i < RECORDS; i++) {
        add(d, i, version + 1);
    }
    tb_disk_stats(d, &s);
    tb_disk_close(d);
    return s.jumps;
}

static void test_order(void **state)
{
    struct stat before, after;

    fill(0);
    assert_int_equal(stat(file, &before), 0);
    TbDisk *d = open_it(), *old = open_it(); /* an old reader keeps its file */
    tb_disk_close(d);
    assert_in_range(jumps(0, false), RECORDS - 10, RECORDS);
    assert_int_equal(stat(file, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode & 07777, 0600);
    assert_int_equal(found(old, 0), RECORDS);
    tb_disk_close(old);
    assert_int_equal(jumps(0, true), 1); /* the first */
    assert_int_equal(stat(file, &before), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_true(before.st_size > after.st_size);
    /* now the new ones, in the order they were made; the old ones are not found by their place */
    assert_true(jumps(1, true) > RECORDS - 10);
    assert_int_equal(stat(file, &after), 0); /* with the newest records in the old ones' order */
    assert_true(after.st_size < before.st_size * 2 / 3);
    assert_int_equal(jumps(2, false), 1);
    assert_int_equal(found_again(2), RECORDS);
}

/* No room for a file in order: it stays as it was. */
static void test_order_no_room(void **state)
{
    struct stat before, after;

    fill(0);
    assert_int_equal(stat(file, &before), 0);
    rlim_t was = limit_files(1000000);
    jumps(0, false);
    limit_files(was);
    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(found_again(0), RECORDS);
    char left[200];
    snprintf(left, sizeof(left), "%s.new", file);
    assert_int_not_equal(stat(left, &after), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_no_room, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

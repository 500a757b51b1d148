/* SPDX-License-Identifier: MIT */
/* The list of mapped pages: that its count is what the host's kernel says, whatever is mapped
 * beside what, dropped or given other rights. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "target-x86/window_int.h"

enum { PAGES = 512, FRAMES = 64, ROUNDS = 4000 };

static WinRoot root;
static char *area;
static int fd;
static uint64_t seed = 1;

static unsigned rnd(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 33) % n;
}

/* Mappings of the process in the area, whose pages start behind one that stays reserved. */
static int host_vmas(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    int n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx", &from, &to) == 2) {
            n += to > (unsigned long)area && from < (unsigned long)area + (PAGES + 2) * 4096ul;
        }
    }
    fclose(f);
    return n;
}

static uint64_t guest(unsigned page) { return (page + 1ull) << 12; }

static void map(unsigned page, unsigned n, unsigned frame, bool write)
{
    assert_ptr_not_equal(mmap(area + guest(page), n * 4096ul,
                              PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, fd,
                              frame * 4096l),
                         MAP_FAILED);
    window_note(&root, guest(page), write ? WP_WRITE : 0, frame * 4096ull, n);
}

static void unmap(unsigned page)
{
    assert_ptr_not_equal(mmap(area + guest(page), 4096, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0),
                         MAP_FAILED);
    window_forget(&root, window_find(&root, guest(page)) - root.pages);
}

static void change(unsigned page)
{
    unsigned n = 1 + rnd(8), frame = rnd(4) ? page % FRAMES : rnd(FRAMES), k = 0;
    WinPage *p = window_find(&root, guest(page));

    if (p && rnd(2)) {
        bool write = !(p->page & WP_WRITE);
        assert_int_equal(mprotect(area + guest(page), 4096, PROT_READ | (write ? PROT_WRITE : 0)),
                         0);
        window_note_rights(&root, p, write);
    } else if (p) {
        unmap(page);
    } else {
        while (k < n && page + k < PAGES && frame + k < FRAMES &&
               !window_find(&root, guest(page + k))) {
            k++;
        }
        map(page, k, frame, rnd(3) > 0);
    }
}

static void the_count_is_the_kernels(void **state)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        change(rnd(PAGES));
        assert_int_equal(root.vmas + 1, host_vmas());
        assert_int_equal(window_vmas, root.vmas);
    }
    assert_true(root.n > PAGES / 4);
}

static void pages_are_found(void **state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < PAGES; i++) {
        const WinPage *p = window_find(&root, guest(i) + 77);
        n += p != NULL;
        assert_true(!p || win_page_addr(p) == guest(i));
    }
    assert_int_equal(n, root.n);
    for (unsigned i = 0; i < PAGES; i++) {
        if (window_find(&root, guest(i))) {
            unmap(i);
        }
    }
    assert_int_equal(root.n, 0);
    assert_int_equal(root.vmas, 0);
    assert_int_equal(host_vmas(), 1);
}

static void a_large_page_counts_once(void **state)
{
    const uint64_t large = 2 * MiB;

    window_note(&root, 5 * large, WP_LARGE | WP_WRITE, large, 1);
    assert_int_equal(root.vmas, 2);
    window_note(&root, 6 * large, WP_WRITE, 2 * large, 3); /* goes on */
    assert_int_equal(root.vmas, 2);
    window_note(&root, 4 * large, WP_LARGE, 0, 1); /* would, but for its rights */
    assert_int_equal(root.vmas, 3);
    assert_ptr_equal(window_find(&root, 5 * large + 12345),
                     window_find(&root, 6 * large - 1));
    window_forget_all(&root);
    assert_int_equal(root.vmas, 0);
    assert_int_equal(window_vmas, 0);
    assert_null(window_find(&root, 5 * large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count_is_the_kernels),
        cmocka_unit_test(pages_are_found),
        cmocka_unit_test(a_large_page_counts_once),
    };
    fd = memfd_create("pages", 0);
    area = mmap(NULL, (PAGES + 2) * 4096ul, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    root.pages = calloc(WIN_PAGES, sizeof(WinPage));
    root.bucket = calloc(WIN_BUCKETS, sizeof(uint32_t));
    if (fd < 0 || ftruncate(fd, FRAMES * 4096l) || area == MAP_FAILED || !root.pages ||
        !root.bucket) {
        return 1;
    }
    window_forget_all(&root);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

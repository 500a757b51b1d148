/* SPDX-License-Identifier: MIT */
/* util/symbols: System.map, ELF (this test's own file), hostile files, the slide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "util/symbols.h"

int symbols_test_landmark = 7; /* looked up by name in our own ELF file */

static char path[] = "/tmp/dyad-symbols-XXXXXX";

static void write_file(const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
}

static bool load(const void *data, size_t n)
{
    Error err = ERROR_INIT;
    write_file(data, n);
    bool ok = symbols_load(path, &err);
    assert_true(ok == !err.msg);
    error_free(&err);
    return ok;
}

static const char map[] = "ffffffff81000000 T _text\n"
                          "ffffffff81000100 t helper\n"
                          "ffffffff82000000 T entry_SYSCALL_64\n"
                          "0000000000001000 A absolute\n"
                          "rubbish line\n"
                          "ffffffff82000040 D data";

static void system_map_names_the_symbol_below(void **state)
{
    uint64_t off;
    char text[64];
    assert_true(load(map, sizeof(map) - 1));
    assert_string_equal(symbols_find(0xffffffff81000000, &off), "_text");
    assert_int_equal(off, 0);
    assert_string_equal(symbols_text(0xffffffff81000105, text, sizeof(text)), "helper+0x5");
    assert_string_equal(symbols_text(0xffffffff82000041, text, sizeof(text)), "data+0x1");
    assert_null(symbols_find(0xffffffff80ffffff, &off));
    assert_null(symbols_find(0x1001, &off)); /* an absolute symbol is no address ... */
    assert_true(symbols_address("absolute", &off)); /* ... but has its value */
    assert_int_equal(off, 0x1000);
    assert_null(symbols_find(0xffffffff81900000, &off)); /* too far from any */
    symbols_free();
    assert_null(symbols_find(0xffffffff81000000, &off));
}

static void the_slide_comes_from_lstar(void **state)
{
    uint64_t off;
    assert_true(load(map, sizeof(map) - 1));
    symbols_slide_by_lstar(0xffffffff93000000);
    assert_string_equal(symbols_find(0xffffffff92000100, &off), "helper");
    symbols_slide_by_lstar(0); /* not known yet: as it was */
    assert_string_equal(symbols_find(0xffffffff92000100, &off), "helper");
    symbols_free();
}

static void elf_symbols_are_read(void **state)
{
    Error err = ERROR_INIT;
    uint64_t at, off;
    assert_true(symbols_load("/proc/self/exe", &err));
    assert_true(symbols_address("symbols_test_landmark", &at));
    assert_string_equal(symbols_find(at + 2, &off), "symbols_test_landmark");
    assert_int_equal(off, 2);
    symbols_free();
}

static void hostile_files_are_refused_or_survived(void **state)
{
    unsigned seed = (unsigned)getpid();
    printf("seed %u\n", seed);
    srand(seed);
    assert_false(load("", 0));
    assert_false(load("\177ELF", 4));
    FILE *f = fopen("/proc/self/exe", "rb");
    static uint8_t elf[1 << 20], bad[1 << 20];
    size_t n = fread(elf, 1, sizeof(elf), f);
    fclose(f);
    for (unsigned i = 0; i < 60; i++) {
        memcpy(bad, elf, n);
        size_t cut = i % 3 ? n : 64 + (size_t)rand() % (n - 64);
        for (unsigned k = 0; k < 30; k++) {
            bad[5 + (size_t)rand() % (k < 10 ? 59 : n - 5)] = (uint8_t)rand();
        }
        (void)load(bad, cut);
        symbols_free();
    }
}

static int make(void **state)
{
    int fd = mkstemp(path);
    return fd < 0 || close(fd);
}

static int drop(void **state) { return unlink(path); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_map_names_the_symbol_below),
        cmocka_unit_test(the_slide_comes_from_lstar),
        cmocka_unit_test(elf_symbols_are_read),
        cmocka_unit_test(hostile_files_are_refused_or_survived),
    };
    return cmocka_run_group_tests(tests, make, drop);
}

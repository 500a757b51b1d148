/* SPDX-License-Identifier: MIT */
/* util: properties, errors, the event loop, bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "util/alloc.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/lazylib.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/prefault.h"
#include "util/property.h"

static const char *const colors[] = { "red", "green", "blue", NULL };

typedef struct Thing {
    bool flag, fast;
    uint8_t small;
    uint32_t number;
    uint64_t size;
    char *text;
    int color;
    uint8_t mac[6];
} Thing;

static const Property props[] = {
    PROP_BOOL(Thing, flag, 0, "a flag"),
    PROP_BOOL(Thing, fast, 1, "another"),
    PROP_U8(Thing, small, 3, 1, 9, "small"),
    PROP_U32(Thing, number, 7, 0, 0, "number"),
    PROP_SIZE(Thing, size, 4096, 0, 0, "size"),
    PROP_STR(Thing, text, "hello", "text"),
    PROP_ENUM(Thing, color, 1, colors, "color"),
    PROP_MAC(Thing, mac, "address"),
    PROP_END
};

static bool parse(Thing *t, const char *text, Error *err)
{
    static const char *const skip[] = { "id", NULL };
    return property_parse(props, t, text, skip, err);
}

static void defaults_come_from_the_rows(void **state)
{
    Thing t;
    memset(&t, 0xee, sizeof(t));
    property_defaults(props, &t);
    assert_false(t.flag);
    assert_true(t.fast);
    assert_int_equal(t.small, 3);
    assert_int_equal(t.size, 4096);
    assert_string_equal(t.text, "hello");
    assert_int_equal(t.color, 1);
    property_free(props, &t);
}

static void each_kind_parses(void **state)
{
    Error err = ERROR_INIT;
    Thing t = { 0 };
    assert_true(parse(&t, "flag,nofast,id=x,small=9,number=0x10,size=1.5G,text=a,,b,"
                          "color=blue,mac=52:54:00:12:34:56", &err));
    assert_true(t.flag);
    assert_false(t.fast);
    assert_int_equal(t.small, 9);
    assert_int_equal(t.number, 16);
    assert_int_equal(t.size, 1610612736);
    assert_string_equal(t.text, "a,b");
    assert_int_equal(t.color, 2);
    assert_memory_equal(t.mac, "\x52\x54\x00\x12\x34\x56", 6);
    property_free(props, &t);
}

static void check_refused(const char *text, const char *must_say)
{
    Error err = ERROR_INIT;
    Thing t = { .small = 5, .number = 6 };
    assert_false(parse(&t, text, &err));
    assert_non_null(err.msg);
    if (!strstr(err.msg, must_say)) {
        fail_msg("'%s' does not say '%s'", err.msg, must_say);
    }
    error_free(&err);
    property_free(props, &t);
}

static void bad_values_are_refused_and_named(void **state)
{
    check_refused("small=10", "from 1 to 9");
    check_refused("small=0", "small: 0");
    check_refused("number=4294967296", "number");
    check_refused("number=-1", "number: -1");
    check_refused("number= 1", "number");
    check_refused("number", "needs a value");
    check_refused("size=99999999999T", "size");
    check_refused("color=gren", "did you mean 'green'?");
    check_refused("flag=maybe", "on, off");
    check_refused("mac=52:54:00:12:34", "mac");
    check_refused("nuber=1", "number");
}

static void text_helpers_cut_lists(void **state)
{
    const char *rest;
    char *w = property_first_word("virtio,a=1,b", &rest);
    assert_string_equal(w, "virtio");
    assert_string_equal(rest, "a=1,b");
    free(w);
    assert_null(property_first_word("a=1,b", &rest));
    assert_string_equal(rest, "a=1,b");
    w = property_get_text("a=1,b=x,,y,a=2", "b");
    assert_string_equal(w, "x,y");
    free(w);
    w = property_get_text("a=1,b=x,,y,a=2", "a");
    assert_string_equal(w, "2");
    free(w);
    assert_null(property_get_text("a=1", "c"));
}

static void sizes_do_not_overflow(void **state)
{
    uint64_t v;
    assert_true(parse_size("16E", 1, &v) == false);
    assert_true(parse_size("15E", 1, &v));
    assert_true(v == 15ull << 60);
    assert_true(parse_size("512", MiB, &v));
    assert_true(v == 512 * MiB);
    assert_false(parse_size("", 1, &v));
    assert_false(parse_size("5Q", 1, &v));
    assert_false(parse_size("5MB", 1, &v));
    assert_false(parse_u64("0x", &v));
    assert_false(parse_u64("18446744073709551616", &v));
}

static void nearest_match_wants_a_resemblance(void **state)
{
    static const char *const names[] = { "virtio-blk-pci", "virtio-net-pci", "isa-serial",
                                         NULL };
    assert_string_equal(nearest_match("virtio-bkl-pci", names), "virtio-blk-pci");
    assert_string_equal(nearest_match("virtoi-net-pci", names), "virtio-net-pci");
    assert_string_equal(nearest_match("isaserial", names), "isa-serial");
    assert_null(nearest_match("usb-tablet", names));
    assert_null(nearest_match("", names));
    static const char *const parts[] = { "pc", "q35", "Haswell", "Skylake-Server", NULL };
    assert_string_equal(nearest_match("pc-q35-8.2", parts), "q35");
    assert_string_equal(nearest_match("pc-i440fx-9.0", parts), "pc");
    assert_string_equal(nearest_match("Haswell-noTSX", parts), "Haswell");
    assert_string_equal(nearest_match("Skylake-Client", parts), "Skylake-Server");
    assert_null(nearest_match("none", parts));
}

static void error_prefix_and_replacement(void **state)
{
    Error err = ERROR_INIT;
    error_prefix(&err, "nothing");
    assert_null(err.msg);
    assert_false(error_set(&err, "one %d", 1));
    error_set(&err, "<%s>", err.msg); /* the old text may be an argument */
    error_prefix(&err, "-x: ");
    assert_string_equal(err.msg, "-x: <one 1>");
    error_free(&err);
}

static void log_items_and_filter(void **state)
{
    Error err = ERROR_INIT;
    assert_true(log_set_items("int,mmu", &err));
    assert_int_equal(log_mask, LOG_INT | LOG_MMU);
    assert_false(log_set_items("int,mmmu", &err));
    assert_non_null(strstr(err.msg, "did you mean 'mmu'?"));
    assert_int_equal(log_mask, LOG_INT | LOG_MMU);
    error_free(&err);
    log_mask = 0;
    assert_true(log_in_filter(5));
    assert_true(log_set_filter("0x1000..0x1fff,0x8000+0x10", &err));
    assert_true(log_in_filter(0x1fff));
    assert_false(log_in_filter(0x2000));
    assert_true(log_in_filter(0x800f));
    assert_false(log_in_filter(0x8010));
    assert_false(log_set_filter("10..5", &err));
    error_free(&err);
}

static unsigned events;
static LoopFd *watch;
static char got[8];

static void on_pipe(void *opaque, unsigned ev)
{
    events |= ev;
    ssize_t n = read(*(int *)opaque, got, sizeof(got));
    if (n <= 0) {
        loop_del_fd(watch);
    }
}

static void count_call(void *opaque)
{
    ++*(int *)opaque;
}

static void loop_watches_descriptors_and_runs_calls(void **state)
{
    Loop *l = loop_create();
    int fds[2], calls = 0;
    assert_int_equal(pipe(fds), 0);
    watch = loop_add_fd(l, fds[0], LOOP_READ, on_pipe, &fds[0]);
    loop_call(l, count_call, &calls);
    loop_run_once(l, -1);
    assert_int_equal(calls, 1);
    assert_int_equal(events, 0);
    assert_int_equal(write(fds[1], "hi", 2), 2);
    loop_run_once(l, -1);
    assert_int_equal(events, LOOP_READ);
    assert_memory_equal(got, "hi", 2);
    close(fds[1]); /* end of file: the handler removes itself */
    loop_run_once(l, -1);
    events = 0;
    loop_run_once(l, -1);
    loop_run_once(l, 1000000);
    assert_int_equal(events, 0);
    close(fds[0]);
    loop_destroy(l);
}

#define MATH_FNS(F) F(abs) F(labs)
static struct {
    MATH_FNS(LAZY_FIELD)
} math;

static void a_lazy_library_answers_or_says_what_is_missing(void **state)
{
    static const char *const names[] = { MATH_FNS(LAZY_NAME) NULL };
    static const char *const wrong[] = { "abs", "dyad_nonsense", NULL };
    void *fns[2];
    LazyLib good = { "libc.so.6", names, (void **)&math, false };
    LazyLib no_file = { "libdyad-none.so.0", names, fns, false };
    LazyLib no_symbol = { "libc.so.6", wrong, fns, false };
    Error err = ERROR_INIT;
    assert_true(lazylib_load(&good, &err));
    assert_true(lazylib_load(&good, &err));
    assert_int_equal(math.labs(-7), 7);
    assert_false(lazylib_load(&no_file, &err));
    assert_non_null(strstr(err.msg, "libdyad-none.so.0"));
    error_free(&err);
    assert_false(lazylib_load(&no_symbol, &err));
    assert_string_equal(err.msg, "libc.so.6 has no dyad_nonsense");
    error_free(&err);
}

/* Waits until all pages of p are there. */
static bool backed(void *p, size_t pages)
{
    unsigned char in[256];

    for (unsigned tries = 0; tries < 20000; tries++) {
        size_t n = 0;
        assert_int_equal(mincore(p, pages * 4096, in), 0);
        while (n < pages && in[n] & 1) {
            n++;
        }
        if (n == pages) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

static bool claim_even(void *opaque, const void *piece)
{
    return ((const char *)piece - (const char *)opaque) / PREFAULT_PIECE % 2 == 0;
}

static unsigned sum;

static void add(void *p, size_t n, uint64_t arg)
{
    *(unsigned *)p += n + arg;
}

static void memory_is_given_before_it_is_touched(void **state)
{
    enum { PAGES = 200 };
    char *p = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_false(prefault_start(1u << 20, NULL, NULL)); /* no CPU to spare */
    assert_false(prefault_on());
    if (!prefault_start(0, claim_even, p)) {
        skip(); /* not on this host */
    }
    assert_true(prefault_start(1u << 20, NULL, NULL)); /* it is there already */
    assert_true(prefault_on());
    p[5] = 7;
    prefault_ask(p, PAGES / 2 * 4096, 0);
    assert_true(backed(p, PAGES / 2));
    usleep(20000); /* it sleeps, and wakes */
    prefault_ask(p + PAGES / 2 * 4096, PAGES / 2 * 4096, 0);
    assert_true(backed(p, PAGES));
    assert_int_equal(p[5], 7);
    prefault_stop();
    assert_true(prefault_on());
    assert_int_equal(madvise(p, PAGES * 4096, MADV_DONTNEED), 0);
    prefault_ask(p, 4 * PREFAULT_PIECE, PREFAULT_CLAIM);
    assert_true(backed(p, 16));
    assert_true(backed(p + 2 * PREFAULT_PIECE, 16));
    unsigned char in[16];
    assert_int_equal(mincore(p + PREFAULT_PIECE, sizeof(in) * 4096, in), 0);
    assert_int_equal(in[0] & 1, 0); /* somebody else's */
    munmap(p, PAGES * 4096);
    unsigned taken = 0;
    for (unsigned i = 0; i < 200; i++) {
        prefault_hush();
        taken += prefault_do(add, &sum, 1, 2);
        usleep(i % 8 == 0 ? 3000 : 0);
    }
    assert_in_range(taken, 1, 200);
    prefault_stop();
    assert_false(prefault_on());
    assert_int_equal(sum, 3 * taken); /* all of them done, once */
    assert_false(prefault_do(add, &sum, 1, 2));
}

static void bytes_hold_numbers_of_both_orders_and_text(void **state)
{
    uint8_t b[8];

    put_le64(b, 0x8877665544332211);
    assert_memory_equal(b, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    assert_true(get_le64(b) == 0x8877665544332211 && get_le32(b + 1) == 0x55443322);
    assert_int_equal(get_le16(b + 6), 0x8877);
    put_le32(b + 1, 0xfedcba98);
    put_le16(b + 6, 0x1abcd); /* the low half */
    assert_memory_equal(b, "\x11\x98\xba\xdc\xfe\x66\xcd\xab", 8);

    put_be64(b, 0x8877665544332211);
    assert_memory_equal(b, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
    assert_true(get_be64(b) == 0x8877665544332211 && get_be32(b) == 0x88776655);
    assert_int_equal(get_be16(b), 0x8877);
    put_be32(b + 1, 0xfedcba98);
    put_be16(b + 6, 0x1abcd);
    assert_memory_equal(b, "\x88\xfe\xdc\xba\x98\x33\xab\xcd", 8);

    put_padded(b, "abc", 5);
    put_padded(b + 5, "abcdef", 3);
    assert_memory_equal(b, "abc  abc", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_rows),
        cmocka_unit_test(each_kind_parses),
        cmocka_unit_test(bad_values_are_refused_and_named),
        cmocka_unit_test(text_helpers_cut_lists),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(nearest_match_wants_a_resemblance),
        cmocka_unit_test(error_prefix_and_replacement),
        cmocka_unit_test(log_items_and_filter),
        cmocka_unit_test(a_lazy_library_answers_or_says_what_is_missing),
        cmocka_unit_test(loop_watches_descriptors_and_runs_calls),
        cmocka_unit_test(memory_is_given_before_it_is_touched),
        cmocka_unit_test(bytes_hold_numbers_of_both_orders_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

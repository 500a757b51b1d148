/* SPDX-License-Identifier: MIT */
/* The line editor: what bytes make of a line, and that hostile bytes stay inside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ui/line_edit.h"

static size_t written;

static void count_write(void *opaque, const char *text, size_t n)
{
    written += n;
}

/* Feeds bytes; returns the last finished line, or NULL. The prompt is shown after each. */
static const char *feed(LineEdit *le, const char *bytes)
{
    static char last[LINE_MAX_LEN + 1];
    const char *done = NULL;
    for (; *bytes; bytes++) {
        if (line_edit_byte(le, (uint8_t)*bytes)) {
            done = strcpy(last, le->line);
            line_edit_show_prompt(le);
        }
    }
    return done;
}

static LineEdit *start(void)
{
    static LineEdit le;
    line_edit_init(&le, "> ", count_write, NULL);
    line_edit_show_prompt(&le);
    return &le;
}

static void plain_line_ends_with_cr_lf_or_both(void **state)
{
    LineEdit *le = start();
    assert_string_equal(feed(le, "info a\r"), "info a");
    assert_null(feed(le, "\n"));
    assert_string_equal(feed(le, "b\n"), "b");
    assert_string_equal(feed(le, "\n"), "");
    line_edit_destroy(le);
}

static void editing_keys(void **state)
{
    LineEdit *le = start();
    assert_string_equal(feed(le, "abd\x7f" "cd\r"), "abcd");
    assert_string_equal(feed(le, "bc\x01" "a\x05" "d\r"), "abcd");
    assert_string_equal(feed(le, "ac\x1b[Db\r"), "abc");
    assert_string_equal(feed(le, "one two\x17" "three\r"), "one three");
    assert_string_equal(feed(le, "garbage\x15" "x\r"), "x");
    assert_string_equal(feed(le, "\x7f\x7f\x1b[D\x1b[Cok\r"), "ok");
    line_edit_destroy(le);
}

static void history_comes_back(void **state)
{
    LineEdit *le = start();
    feed(le, "first\rsecond\r");
    assert_string_equal(feed(le, "\x1b[A\x1b[A\r"), "first");
    assert_string_equal(feed(le, "\x1b[A\x1b[A\x1b[B\r"), "first");
    assert_string_equal(feed(le, "\x1b[A\x1b[A\x1b[B\x1b[Bnew\r"), "new");
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof(text), "c%d\r", i);
        feed(le, text);
    }
    assert_int_equal(le->nhistory, LINE_HISTORY);
    line_edit_destroy(le);
}

static void too_long_a_line_is_cut(void **state)
{
    LineEdit *le = start();
    for (int i = 0; i < 3 * LINE_MAX_LEN; i++) {
        assert_false(line_edit_byte(le, 'x'));
    }
    assert_int_equal(le->len, LINE_MAX_LEN);
    assert_true(line_edit_byte(le, '\r'));
    assert_int_equal(strlen(le->line), LINE_MAX_LEN);
    line_edit_destroy(le);
}

static void add_words(void *opaque, const char *word, LineEdit *le)
{
    line_edit_candidate(le, "system_reset");
    line_edit_candidate(le, "system_powerdown");
    line_edit_candidate(le, "stop");
}

static void tab_completes_what_is_unique(void **state)
{
    LineEdit *le = start();
    le->complete = add_words;
    assert_string_equal(feed(le, "st\t\r"), "stop ");
    assert_string_equal(feed(le, "sys\t\r"), "sys");
    assert_string_equal(feed(le, "system_r\t\r"), "system_reset ");
    line_edit_destroy(le);
}

static void random_bytes_keep_the_invariants(void **state)
{
    unsigned seed = (unsigned)(size_t)&seed;
    print_message("seed %u\n", seed);
    LineEdit *le = start();
    le->complete = add_words;
    for (int i = 0; i < 200000; i++) {
        uint8_t c = (uint8_t)(rand_r(&seed) % 4 ? rand_r(&seed) % 32 : rand_r(&seed));
        if (line_edit_byte(le, rand_r(&seed) % 8 ? c : (uint8_t)"\x1b[ABCDHF"[i % 8])) {
            line_edit_show_prompt(le);
        }
        assert_true(le->cursor <= le->len && le->len <= LINE_MAX_LEN);
        assert_int_equal(strlen(le->line), le->len);
    }
    line_edit_destroy(le);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_line_ends_with_cr_lf_or_both),
        cmocka_unit_test(editing_keys),
        cmocka_unit_test(history_comes_back),
        cmocka_unit_test(too_long_a_line_is_cut),
        cmocka_unit_test(tab_completes_what_is_unique),
        cmocka_unit_test(random_bytes_keep_the_invariants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Folded stacks and flame graphs: util/flame.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "util/flame.h"

static char *text_of(const Flame *fl, bool svg)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (svg) {
        flame_write_svg(fl, f, "a <title> & more");
    } else {
        flame_write_folded(fl, f);
    }
    fclose(f);
    return text;
}

static void add2(Flame *fl, const char *a, const char *b, uint64_t n)
{
    FlameFrame v[] = { { a, FLAME_KERNEL }, { b, FLAME_USER } };
    flame_add(fl, v, b ? 2 : 1, n);
}

static void equal_stacks_are_one_line_in_order_of_names(void **state)
{
    Flame *fl = flame_create();
    add2(fl, "b", "x", 3);
    add2(fl, "a", NULL, 1);
    add2(fl, "b", "x", 4);
    add2(fl, "b", "c", 2);
    add2(fl, "zero", "z", 0);
    char *t = text_of(fl, false);
    assert_string_equal(t, "a 1\nb;c 2\nb;x 7\n");
    assert_int_equal(flame_total(fl), 10);
    free(t);
    flame_destroy(fl);
}

static void names_cannot_break_the_formats(void **state)
{
    Flame *fl = flame_create();
    add2(fl, "a;b\nc", "<\"&\xff>", 5);
    add2(fl, "", NULL, 1);
    char *t = text_of(fl, false);
    assert_string_equal(t, "? 1\na:b?c;<\"&?> 5\n");
    free(t);
    t = text_of(fl, true);
    assert_non_null(strstr(t, "<title>&lt;&quot;&amp;?&gt; (5 samples, 83.33%)</title>"));
    assert_non_null(strstr(t, ">a &lt;title&gt; &amp; more</text>"));
    assert_null(strstr(t, "\xff"));
    free(t);
    flame_destroy(fl);
}

static void a_moved_sample_is_one_frame_deeper(void **state)
{
    Flame *fl = flame_create();
    FlameFrame f = { "f", FLAME_KERNEL }, host = { "[h]", FLAME_HOST };
    FlameNode *n = flame_add(fl, &f, 1, 5);
    flame_move(n, &host, 2);
    flame_move(n, &host, 9); /* more than there are */
    char *t = text_of(fl, false);
    assert_string_equal(t, "f 3\nf;[h] 2\n");
    free(t);
    flame_destroy(fl);
}

static void boxes_too_thin_to_see_are_left_out(void **state)
{
    Flame *fl = flame_create();
    add2(fl, "wide", NULL, 1000000);
    add2(fl, "thin", NULL, 1);
    char *t = text_of(fl, true);
    assert_non_null(strstr(t, "wide (1000000 samples"));
    assert_null(strstr(t, "thin"));
    free(t);
    flame_destroy(fl);
}

static void an_empty_profile_is_still_a_picture(void **state)
{
    Flame *fl = flame_create();
    char *t = text_of(fl, true);
    assert_non_null(strstr(t, "</svg>\n"));
    assert_null(strstr(t, "nan"));
    free(t);
    flame_destroy(fl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_stacks_are_one_line_in_order_of_names),
        cmocka_unit_test(names_cannot_break_the_formats),
        cmocka_unit_test(a_moved_sample_is_one_frame_deeper),
        cmocka_unit_test(boxes_too_thin_to_see_are_left_out),
        cmocka_unit_test(an_empty_profile_is_still_a_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Choice of an engine: order of wishes, reasons, properties. Engines are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accel/accel.h"

typedef struct FastOptions {
    uint32_t threads;
} FastOptions;

static const Property fast_props[] = {
    PROP_U32(FastOptions, threads, 2, 1, 8, "threads"),
    PROP_END
};

static uint32_t fast_threads;
static unsigned fast_destroyed;

static bool fast_init(struct Machine *m, void *opts, Error *err)
{
    fast_threads = ((FastOptions *)opts)->threads;
    return true;
}

static void fast_destroy(struct Machine *m)
{
    fast_destroyed++;
}

static bool absent_probe(char *why, size_t n)
{
    snprintf(why, n, "no such hardware");
    return false;
}

static bool broken_init(struct Machine *m, void *opts, Error *err)
{
    return error_set(err, "fell over");
}

static const AccelClass absent = { .name = "absent", .desc = "never usable",
                                   .probe = absent_probe, .init_machine = fast_init };
static const AccelClass broken = { .name = "broken", .desc = "fails to start",
                                   .init_machine = broken_init };
static const AccelClass fast = { .name = "fast", .desc = "works", .props = fast_props,
                                 .size = sizeof(FastOptions), .init_machine = fast_init,
                                 .destroy = fast_destroy };

const AccelClass *const accel_classes[] = { &absent, &broken, &fast, NULL };

static void first_usable_engine_is_taken(void **state)
{
    Accel a;
    Error err = ERROR_INIT;
    const char *specs[] = { "absent", "fast,threads=5" };
    assert_true(accel_select(&a, NULL, specs, 2, &err));
    assert_ptr_equal(a.cls, &fast);
    assert_int_equal(fast_threads, 5);
    fast_destroyed = 0;
    accel_destroy(&a);
    assert_int_equal(fast_destroyed, 1);
    assert_null(a.cls);
}

static void colons_list_engines_in_order(void **state)
{
    Accel a;
    Error err = ERROR_INIT;
    const char *specs[] = { "absent:broken:fast" };
    assert_true(accel_select(&a, NULL, specs, 1, &err));
    assert_ptr_equal(a.cls, &fast);
    assert_int_equal(fast_threads, 2);
    accel_destroy(&a);
}

static void with_no_wish_the_list_is_tried(void **state)
{
    Accel a;
    Error err = ERROR_INIT;
    assert_true(accel_select(&a, NULL, NULL, 0, &err));
    assert_ptr_equal(a.cls, &fast);
    accel_destroy(&a);
}

static void failure_lists_every_reason(void **state)
{
    Accel a;
    Error err = ERROR_INIT;
    const char *specs[] = { "absent", "broken" };
    assert_false(accel_select(&a, NULL, specs, 2, &err));
    assert_non_null(strstr(err.msg, "absent: no such hardware"));
    assert_non_null(strstr(err.msg, "broken: fell over"));
    assert_null(a.cls);
    accel_destroy(&a);
    error_free(&err);
}

static void wrong_names_and_properties_are_found_before_anything_is_made(void **state)
{
    Error err = ERROR_INIT;
    const char *typo[] = { "fsat" };
    assert_false(accel_check(typo, 1, &err));
    assert_non_null(strstr(err.msg, "-accel: fsat is not accepted"));
    assert_non_null(strstr(err.msg, "did you mean 'fast'"));
    const char *prop[] = { "fast,thread=3" };
    assert_false(accel_check(prop, 1, &err));
    assert_non_null(strstr(err.msg, "-accel fast: "));
    assert_non_null(strstr(err.msg, "threads"));
    const char *value[] = { "absent", "fast,threads=9" };
    assert_false(accel_check(value, 2, &err));
    assert_non_null(strstr(err.msg, "9"));
    error_free(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_usable_engine_is_taken),
        cmocka_unit_test(colons_list_engines_in_order),
        cmocka_unit_test(with_no_wish_the_list_is_tried),
        cmocka_unit_test(failure_lists_every_reason),
        cmocka_unit_test(wrong_names_and_properties_are_found_before_anything_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

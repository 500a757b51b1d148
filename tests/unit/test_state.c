/* SPDX-License-Identifier: MIT */
/* Saved state: round trip, and files that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/core/clock.h"
#include "hw/core/state.h"
#include "tests/unit/bare_machine.h"

const DeviceClass *const device_classes[] = { NULL };

typedef struct Inner {
    uint16_t a;
    uint8_t b[3];
} Inner;

typedef struct Outer {
    uint64_t pad;
    struct {
        bool on;
        uint8_t index;
        uint32_t regs[4];
        int64_t when;
        uint8_t raw[5];
        Inner inner[2];
        Timer timer;
        char *text;
        uint32_t text_len;
    } s;
} Outer;
typedef __typeof__(((Outer *)0)->s) OuterState;

static const StateField inner_fields[] = {
    STATE_U16(Inner, a), STATE_U8_ARRAY(Inner, b), STATE_END
};
static const StateDesc inner_state = { .version = 1, .size = sizeof(Inner),
                                       .fields = inner_fields };
static const StateField outer_fields[] = {
    STATE_BOOL(OuterState, on), STATE_U8_MAX(OuterState, index, 3),
    STATE_U32_ARRAY(OuterState, regs), STATE_I64(OuterState, when),
    STATE_BYTES(OuterState, raw), STATE_SUB_ARRAY(OuterState, inner, inner_state),
    STATE_TIMER(OuterState, timer), STATE_VBYTES(OuterState, text, text_len, 16), STATE_END
};
static const StateDesc outer_state = {
    .version = 2, .offset = offsetof(Outer, s), .size = sizeof(OuterState),
    .fields = outer_fields,
};

static void never(void *opaque) { }

static void fill(Outer *o, Clock *c)
{
    memset(o, 0, sizeof(*o));
    o->s.on = true;
    o->s.index = 2;
    o->s.regs[3] = 0xdeadbeef;
    o->s.when = -5;
    memcpy(o->s.raw, "12345", 5);
    o->s.inner[1].a = 0x1234;
    o->s.inner[1].b[2] = 7;
    timer_init(&o->s.timer, c, never, NULL);
    timer_mod(&o->s.timer, 777);
    o->s.text = strdup("abc");
    o->s.text_len = 3;
}

static void drop(Outer *o)
{
    timer_del(&o->s.timer);
    free(o->s.text);
}

static StateBuf saved(Clock *c)
{
    StateBuf b = { 0 };
    Error err = ERROR_INIT;
    Outer o;
    fill(&o, c);
    assert_true(state_save(&b, "dev/x", &outer_state, &o, &err));
    drop(&o);
    return b;
}

static void saved_state_comes_back(void **state)
{
    Clock *c = clock_create();
    StateBuf b = saved(c);
    Error err = ERROR_INIT;
    char path[32];
    Outer o = { 0 };
    timer_init(&o.s.timer, c, never, NULL);
    assert_true(state_next(&b, path, sizeof(path), &err));
    assert_string_equal(path, "dev/x");
    assert_true(state_load(&b, &outer_state, &o, &err));
    assert_true(o.s.on);
    assert_int_equal(o.s.index, 2);
    assert_int_equal(o.s.regs[3], 0xdeadbeef);
    assert_int_equal(o.s.when, -5);
    assert_memory_equal(o.s.raw, "12345", 5);
    assert_int_equal(o.s.inner[1].a, 0x1234);
    assert_int_equal(o.s.inner[1].b[2], 7);
    assert_int_equal(o.s.timer.deadline, 777);
    assert_int_equal(o.s.text_len, 3);
    assert_memory_equal(o.s.text, "abc", 3);
    assert_false(state_next(&b, path, sizeof(path), &err));
    assert_null(err.msg);
    drop(&o);
    state_buf_free(&b);
    clock_destroy(c);
}

/* Loads a damaged copy; the target must be untouched if it fails. */
static bool load_copy(const uint8_t *data, size_t len, Clock *c)
{
    StateBuf b = { .data = malloc(len ? len : 1), .len = len, .cap = len };
    memcpy(b.data, data, len);
    Error err = ERROR_INIT;
    char path[32];
    Outer o;
    fill(&o, c);
    o.s.index = 1;
    bool ok = state_next(&b, path, sizeof(path), &err) &&
              state_load(&b, &outer_state, &o, &err);
    if (!ok) {
        assert_int_equal(o.s.index, 1);
        assert_int_equal(o.s.text_len, 3);
        assert_memory_equal(o.s.text, "abc", 3);
    } else {
        assert_in_range(o.s.index, 0, 3);
        assert_in_range(o.s.text_len, 0, 16);
    }
    error_free(&err);
    drop(&o);
    state_buf_free(&b);
    return ok;
}

static void every_truncation_is_refused(void **state)
{
    Clock *c = clock_create();
    StateBuf b = saved(c);
    for (size_t n = 0; n < b.len; n++) {
        assert_false(load_copy(b.data, n, c));
    }
    assert_true(load_copy(b.data, b.len, c));
    state_buf_free(&b);
    clock_destroy(c);
}

static void every_byte_may_lie_without_harm(void **state)
{
    Clock *c = clock_create();
    StateBuf b = saved(c);
    static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
    unsigned refused = 0;
    for (size_t i = 0; i < b.len; i++) {
        uint8_t old = b.data[i];
        for (unsigned k = 0; k < sizeof(values); k++) {
            b.data[i] = values[k];
            refused += !load_copy(b.data, b.len, c);
        }
        b.data[i] = old;
    }
    assert_true(refused > b.len);
    state_buf_free(&b);
    clock_destroy(c);
}

static void values_out_of_range_are_refused_by_name(void **state)
{
    Clock *c = clock_create();
    StateBuf b = saved(c);
    Error err = ERROR_INIT;
    char path[32];
    uint8_t *name = memmem(b.data, b.len, "\5index", 6);
    assert_non_null(name);
    name[6 + 1 + 4 + 4] = 4;
    Outer o;
    fill(&o, c);
    assert_true(state_next(&b, path, sizeof(path), &err));
    assert_false(state_load(&b, &outer_state, &o, &err));
    assert_non_null(strstr(err.msg, "index"));
    error_free(&err);
    drop(&o);
    state_buf_free(&b);
    clock_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_state_comes_back),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_byte_may_lie_without_harm),
        cmocka_unit_test(values_out_of_range_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

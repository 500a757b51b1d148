/* SPDX-License-Identifier: MIT */
/* The cache of blocks alone: spans in several pages, stores to them, drops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "tcg/env.h"
#include "tcg/tb.h"

enum { PAGES = 16, RAM = PAGES << 12, MODE = 5 };

static TbCache *c;
static uint8_t *ram;
static unsigned depth, protects, forgets;

static void begin(void *opaque, void *self)
{
    depth++;
}
static void end(void *opaque, void *self)
{
    depth--;
}
static void protect(void *opaque, const uint8_t *host_page)
{
    protects++;
}
static void forget(void *opaque)
{
    forgets++;
}

static int setup(void **state)
{
    TbCacheOps ops = { begin, end, protect, forget, NULL };

    ram = calloc(1, RAM);
    c = tb_cache_create(RAM, ram, 4 * MiB, NULL, &ops);
    return 0;
}

static int teardown(void **state)
{
    tb_cache_destroy(c);
    free(ram);
    return 0;
}

/* A block without code at key, with n further spans. */
static Tb *block(uint64_t key, unsigned size, const TbSpan *more, unsigned n)
{
    tb_watch_page(c, key, NULL);
    for (unsigned i = 0; i < n; i++) {
        tb_watch_page(c, more[i].ram, NULL);
    }
    pthread_mutex_lock(&c->lock);
    Tb *tb = tb_new(c, 1);
    assert_non_null(tb);
    tb->key = key;
    tb->mode = MODE;
    tb->size = size;
    assert_true(tb_cover(c, tb, more, n));
    tb_insert(c, tb);
    pthread_mutex_unlock(&c->lock);
    return tb;
}

static bool store(uint64_t at, unsigned len)
{
    return tb_invalidate(c, at, len, NULL);
}

static bool code_page(unsigned n)
{
    return c->page_flags[n] & TCG_PAGE_CODE;
}

static void a_store_to_any_span_drops_the_block(void **state)
{
    static const TbSpan more[] = { { 0x2000, 9 }, { 0x5ffc, 4 }, { 0x1100, 16 } };
    static const uint64_t hits[] = { 0x1010, 0x102f, 0x2000, 0x2008,
                                     0x5ffc, 0x5fff, 0x1100, 0x110f };

    for (unsigned i = 0; i < ARRAY_SIZE(hits); i++) {
        Tb *tb = block(0x1010, 32, more, 3);
        assert_ptr_equal(tb_find(c, 0x1010, MODE), tb);
        assert_true(tb_may_hit(c, hits[i], 1));
        assert_true(store(hits[i], 1));
        assert_null(tb_find(c, 0x1010, MODE));
        for (unsigned k = 0; k < ARRAY_SIZE(hits); k++) { /* and from all its pages */
            assert_false(store(hits[k], 1));
        }
        assert_false(code_page(1) || code_page(2) || code_page(5));
        assert_false(tb_may_hit(c, 0, RAM));
    }
}

static void a_store_beside_the_spans_drops_nothing(void **state)
{
    static const TbSpan more[] = { { 0x2004, 9 }, { 0x5ffc, 4 } };
    static const uint64_t misses[] = { 0x100f, 0x1030, 0x2003, 0x200d,
                                       0x5ffb, 0x6000, 0x3000 };

    Tb *tb = block(0x1010, 32, more, 2);
    for (unsigned i = 0; i < ARRAY_SIZE(misses); i++) {
        assert_false(store(misses[i], 1));
    }
    assert_false(tb_may_hit(c, 0x2040, 0xfc0));
    assert_false(tb_may_hit(c, 0x5000, 0xfc0));
    assert_ptr_equal(tb_find(c, 0x1010, MODE), tb);
    assert_true(store(0x5fff, 8)); /* over the page's end */
    assert_null(tb_find(c, 0x1010, MODE));
}

static void a_dropped_block_leaves_others_in_its_pages(void **state)
{
    static const TbSpan a[] = { { 0x2000, 8 }, { 0x2100, 8 } }, b[] = { { 0x2080, 8 } };

    Tb *ta = block(0x1000, 8, a, 2);
    Tb *tb = block(0x1040, 8, b, 1);
    Tb *tc = block(0x2200, 8, NULL, 0);
    tb_drop(c, ta);
    tb_drop(c, ta); /* once is enough */
    assert_int_equal(c->dropped, 1);
    assert_null(tb_find(c, 0x1000, MODE));
    assert_false(store(0x2000, 8));
    assert_false(store(0x2100, 8));
    assert_ptr_equal(tb_find(c, 0x1040, MODE), tb);
    assert_ptr_equal(tb_find(c, 0x2200, MODE), tc);
    assert_true(store(0x2080, 1));
    assert_null(tb_find(c, 0x1040, MODE));
    assert_true(code_page(2));
    assert_true(store(0x2000, 0x1000));
    assert_null(tb_find(c, 0x2200, MODE));
    assert_false(code_page(2));
}

static void a_flush_empties_every_page(void **state)
{
    static const TbSpan more[] = { { 0x7000, 8 }, { 0x9000, 8 } };

    block(0x1000, 8, more, 2);
    block(0x9100, 8, NULL, 0);
    tb_flush(c, NULL);
    assert_int_equal(forgets, 1);
    assert_int_equal(depth, 0);
    for (unsigned n = 0; n < PAGES; n++) {
        assert_false(code_page(n));
        assert_false(tb_may_hit(c, n << 12, 4096));
    }
    assert_null(tb_find(c, 0x1000, MODE));
    Tb *tb = block(0x1000, 8, more, 2);
    assert_true(store(0x9000, 1));
    assert_false(tb->valid);
}

static void a_page_that_was_stored_to_is_protected_once(void **state)
{
    static const TbSpan more[] = { { 0x3000, 8 } };

    protects = 0;
    c->page_flags[3] = TCG_PAGE_STORED;
    block(0x1000, 8, more, 1);
    block(0x1000 + 64, 8, more, 1);
    assert_int_equal(protects, 1);
}

/* ---- against a model ---- */

typedef struct Model {
    Tb *tb; /* NULL: dropped */
    TbSpan span[TB_MAX_SPANS];
    unsigned n;
} Model;

static uint64_t seed;

static unsigned rnd(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 33) % n;
}

static TbSpan any_span(void)
{
    unsigned size = 1 + rnd(100), off = rnd(4096);

    if (off + size > 4096) {
        size = 4096 - off;
    }
    return (TbSpan){ (uint64_t)rnd(PAGES) << 12 | off, size };
}

static bool hit(const Model *m, uint64_t at, uint64_t len)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (at < m->span[i].ram + m->span[i].size && m->span[i].ram < at + len) {
            return true;
        }
    }
    return false;
}

static void random_stores_drop_what_a_model_says(void **state)
{
    enum { BLOCKS = 64, ROUNDS = 20000 };
    static Model m[BLOCKS];
    const char *s = getenv("DYAD_SEED");

    memset(m, 0, sizeof(m));
    seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
    printf("DYAD_SEED=%#llx\n", (unsigned long long)seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        Model *b = &m[rnd(BLOCKS)];
        if (!b->tb) {
            b->n = 1 + rnd(TB_MAX_SPANS);
            for (unsigned i = 0; i < b->n; i++) {
                b->span[i] = any_span();
            }
            b->tb = tb_find(c, b->span[0].ram, MODE)
                        ? NULL
                        : block(b->span[0].ram, b->span[0].size, b->span + 1, b->n - 1);
        } else if (rnd(8) == 0) {
            tb_drop(c, b->tb);
            b->tb = NULL;
        }
        if (c->arena_used > 1 * MiB) {
            tb_flush(c, NULL);
            memset(m, 0, sizeof(m));
        }
        uint64_t len = rnd(16) ? 1 + rnd(64) : 1 + rnd(8192), at = rnd(RAM - len);
        bool want = false;
        for (unsigned i = 0; i < BLOCKS; i++) {
            want |= m[i].tb && hit(&m[i], at, len);
        }
        assert_true(!want || tb_may_hit(c, at, len));
        assert_int_equal(store(at, len), want);
        for (unsigned i = 0; i < BLOCKS; i++) {
            if (m[i].tb && hit(&m[i], at, len)) {
                m[i].tb = NULL;
            } else if (m[i].tb) {
                assert_ptr_equal(tb_find(c, m[i].span[0].ram, MODE), m[i].tb);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_to_any_span_drops_the_block, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_store_beside_the_spans_drops_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_dropped_block_leaves_others_in_its_pages, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_flush_empties_every_page, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_that_was_stored_to_is_protected_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(random_stores_drop_what_a_model_says, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

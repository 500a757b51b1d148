/* SPDX-License-Identifier: MIT */
/* The cache of blocks alone: spans in several pages, stores to them, drops, eviction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "tcg/codebuf.h"
#include "tcg/env.h"
#include "tcg/tb.h"

enum { PAGES = 16, RAM = PAGES << 12, MODE = 5 };

static TbCache *c;
static uint8_t *ram;
static CodeBuf *code;
static unsigned depth, protects, forgets;
static uint32_t forgot_from, forgot_to;

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
static void forget(void *opaque, uint32_t from, uint32_t to)
{
    forgets++;
    forgot_from = from;
    forgot_to = to;
}

static int make(size_t code_size)
{
    TbCacheOps ops = { begin, end, protect, forget, NULL };
    Error err = ERROR_INIT;

    ram = calloc(1, RAM);
    code = code_size ? codebuf_create(code_size, &err) : NULL;
    c = tb_cache_create(RAM, ram, 2 * MiB, code, &ops);
    return 0;
}

static int setup(void **state)
{
    return make(0);
}
static int setup_code(void **state)
{
    return make(1 * MiB);
}

static int teardown(void **state)
{
    tb_cache_destroy(c);
    codebuf_destroy(code);
    free(ram);
    return 0;
}

/* A block without code at key, with n further spans; NULL: no room. */
static Tb *try_block(uint64_t key, unsigned size, const TbSpan *more, unsigned n)
{
    tb_watch_page(c, key, NULL);
    for (unsigned i = 0; i < n; i++) {
        tb_watch_page(c, more[i].ram, NULL);
    }
    pthread_mutex_lock(&c->lock);
    Tb *tb = tb_new(c, 1);
    if (tb) {
        tb->key = key;
        tb->mode = MODE;
        tb->size = size;
    }
    if (tb && tb_cover(c, tb, more, n)) {
        tb_insert(c, tb);
    } else {
        tb = NULL;
        tb_no_room(c);
    }
    pthread_mutex_unlock(&c->lock);
    return tb;
}

static Tb *block(uint64_t key, unsigned size, const TbSpan *more, unsigned n)
{
    Tb *tb = try_block(key, size, more, n);
    assert_non_null(tb);
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

static void trace_numbers_end_and_begin_anew_after_a_flush(void **state)
{
    pthread_mutex_lock(&c->lock);
    assert_int_equal(tb_trace_number(c), 1);
    c->trace_ids = TRACE_IDS - 2;
    assert_int_equal(tb_trace_number(c), TRACE_IDS - 1);
    assert_int_equal(tb_trace_number(c), 0);
    assert_int_equal(tb_trace_number(c), 0);
    pthread_mutex_unlock(&c->lock);
    for (uint32_t id = 1; id < 3 * TRACE_MAP_SIZE; id++) { /* no two have index and tag alike */
        assert_int_equal(trace_map_tag(id) * TRACE_MAP_SIZE + trace_map_index(id), id);
    }
    assert_int_equal(trace_map_tag(TRACE_IDS - 1), TRACE_MAP_SIZE - 1);
    tb_flush(c, NULL);
    pthread_mutex_lock(&c->lock);
    assert_int_equal(tb_trace_number(c), 1);
    pthread_mutex_unlock(&c->lock);
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
    unsigned n, born;
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

static void pick_seed(void)
{
    const char *s = getenv("DYAD_SEED");
    seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
    printf("DYAD_SEED=%#llx\n", (unsigned long long)seed);
}

/* Room was made: what is gone is older than what stays. */
static void forget_evicted(Model *m, unsigned n)
{
    unsigned newest_gone = 0, oldest_left = UINT32_MAX;

    for (unsigned i = 0; i < n; i++) {
        if (m[i].tb && !tb_find(c, m[i].span[0].ram, MODE)) {
            m[i].tb = NULL;
            newest_gone = MAX(newest_gone, m[i].born);
        } else if (m[i].tb) {
            oldest_left = MIN(oldest_left, m[i].born);
        }
    }
    assert_true(newest_gone < oldest_left);
}

static void random_stores_drop_what_a_model_says(void **state)
{
    enum { BLOCKS = 64, ROUNDS = 100000 };
    static Model m[BLOCKS];

    memset(m, 0, sizeof(m));
    pick_seed();
    for (unsigned round = 0; round < ROUNDS; round++) {
        Model *b = &m[rnd(BLOCKS)];
        if (!b->tb) {
            b->n = 1 + rnd(TB_MAX_SPANS);
            for (unsigned i = 0; i < b->n; i++) {
                b->span[i] = any_span();
            }
            if (!tb_find(c, b->span[0].ram, MODE)) {
                b->tb = try_block(b->span[0].ram, b->span[0].size, b->span + 1, b->n - 1);
                b->born = round + 1; /* 0: nothing is gone */
                if (!b->tb) {
                    tb_make_room(c, NULL);
                    forget_evicted(m, BLOCKS);
                }
            }
        } else if (rnd(8) == 0) {
            tb_drop(c, b->tb);
            b->tb = NULL;
        }
        if (rnd(50000) == 0) {
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
    assert_true(c->evicted_regions > 5);
}

/* ---- with code ---- */

enum { EXITS = 2, MOST = 8192 };

typedef struct Coded {
    Tb *tb; /* NULL: evicted */
    bool valid;
    uint64_t key;
    uint32_t from, to;
    unsigned target[EXITS]; /* 1 + number of the block an exit leads to */
} Coded;

static Coded coded[MOST];
static unsigned ncoded;

static uint32_t leads_to(const TbExit *x)
{
    int32_t rel;
    memcpy(&rel, code->rw + tb_exit_jmp(x), 4);
    return tb_exit_jmp(x) + 4 + rel;
}

/* What the translator does: code, an out-of-line part, exits. */
static bool fill(Tb *tb)
{
    uint32_t size = 32 + rnd(300), cold = 16 + rnd(120);

    TbInsn map[64];

    codebuf_back(code);
    tb->code_off = ALIGN_UP(code->used, 16);
    tb->entry_e = tb->code_off + 8;
    tb->code_end = tb->code_off + size;
    if (tb->code_end > code->cold_start || !codebuf_cold(code, tb->code_end, cold)) {
        tb->code_end = 0;
        return false;
    }
    for (unsigned i = 0; i < tb->ninsns; i++) {
        map[i] = (TbInsn){ 12 + (size - 12) * i / tb->ninsns, i * 15, i & 7 };
    }
    if (!tb_add_code(c, tb, map, EXITS)) {
        tb->code_end = 0;
        return false;
    }
    memset(code->rw + tb->code_off, 0x90, size);
    memset(code->rw + code->cold_used, 0xcc, cold);
    for (unsigned i = 0; i < EXITS; i++) {
        TbExit *x = tb_exit(tb, i);
        x->jmp = 16 + 8 * i;
        x->stub_off = code->cold_used + 8 * i;
        uint32_t rel = x->stub_off - (tb_exit_jmp(x) + 4);
        memcpy(code->rw + tb_exit_jmp(x), &rel, 4);
    }
    code->used = tb->code_end;
    code->cold_used += cold;
    return true;
}

static void a_packed_map_gives_back_its_rows(void **state)
{
    enum { N = 200 };
    static TbInsn map[N];

    pick_seed();
    for (unsigned round = 0; round < 200; round++) {
        unsigned n = 1 + rnd(N), host = rnd(300), guest = 0;
        for (unsigned i = 0; i < n; i++) {
            map[i] = (TbInsn){ host, guest, rnd(8) };
            host += rnd(16) ? rnd(40) : rnd(700); /* some have no code, some much */
            guest += 1 + rnd(15);
        }
        pthread_mutex_lock(&c->lock);
        Tb *tb = tb_new(c, n);
        assert_non_null(tb);
        tb->code_off = 1000;
        assert_true(tb_add_code(c, tb, map, rnd(5)));
        for (unsigned i = 0; i < n; i++) {
            TbInsn m;
            assert_int_equal(tb_insn(tb, i, UINT32_MAX, &m), i);
            assert_int_equal(m.host, map[i].host);
            assert_int_equal(m.guest, map[i].guest);
            assert_int_equal(m.flags_in_env, map[i].flags_in_env);
        }
        for (unsigned off = 0, i = 0; off < host + 10; off++) {
            TbInsn m;
            while (i + 1 < n && map[i + 1].host <= off) {
                i++;
            }
            assert_int_equal(tb_insn_at(tb, 1000 + off, &m), i);
            assert_int_equal(m.host, map[i].host);
        }
        pthread_mutex_unlock(&c->lock);
    }
}

static Tb *try_coded(uint64_t key)
{
    tb_watch_page(c, key, NULL);
    pthread_mutex_lock(&c->lock);
    Tb *tb = tb_new(c, 1 + rnd(64));
    if (tb) {
        tb->key = key;
        tb->mode = MODE;
        tb->size = 4;
    }
    if (tb && fill(tb)) {
        tb_insert(c, tb);
    } else {
        tb = NULL;
        tb_no_room(c);
    }
    pthread_mutex_unlock(&c->lock);
    return tb;
}

static void check_coded(void)
{
    for (unsigned i = 0; i < ncoded; i++) {
        Coded *b = &coded[i];
        if (!b->tb) {
            continue;
        }
        assert_ptr_equal(tb_by_code(c, b->from), b->tb);
        assert_ptr_equal(tb_by_code(c, b->to - 1), b->tb);
        assert_int_equal(tb_find(c, b->key, MODE) == b->tb, b->valid);
        for (unsigned k = 0; k < EXITS; k++) {
            const TbExit *x = tb_exit(b->tb, k);
            const Coded *to = b->target[k] ? &coded[b->target[k] - 1] : NULL;
            assert_int_equal(leads_to(x), to ? to->tb->entry_e : x->stub_off);
            assert_ptr_equal(tb_at(c, x->to), to ? to->tb : NULL);
        }
        unsigned in = 0, want = 0;
        for (const TbExit *x = tb_at(c, b->tb->incoming); x; x = tb_at(c, x->next_in)) {
            assert_ptr_equal(tb_at(c, x->to), b->tb);
            in++;
        }
        for (unsigned k = 0; k < ncoded; k++) {
            for (unsigned n = 0; n < EXITS && coded[k].tb; n++) {
                want += coded[k].target[n] == i + 1;
            }
        }
        assert_int_equal(in, want);
    }
}

/* Those without a block any more; their jumps are none, and none leads to them. */
static void forget_coded(unsigned i)
{
    for (unsigned k = 0; k < ncoded; k++) {
        for (unsigned n = 0; n < EXITS; n++) {
            if (coded[k].target[n] == i + 1) {
                coded[k].target[n] = 0;
            }
        }
    }
}

static void evict_coded(void)
{
    uint64_t before = c->evicted_regions;
    bool any = false;

    tb_make_room(c, NULL);
    if (c->evicted_regions == before) {
        return;
    }
    for (unsigned i = 0; i < ncoded; i++) {
        if (coded[i].tb && coded[i].from >= forgot_from && coded[i].from < forgot_to) {
            coded[i].tb = NULL;
            coded[i].target[0] = coded[i].target[1] = 0;
            forget_coded(i);
            any = true;
        }
    }
    assert_true(any);
    assert_int_equal(forgot_to - forgot_from, 256 * KiB);
    check_coded();
    for (unsigned n = 0; n < PAGES; n++) {
        bool left = false;
        for (unsigned i = 0; i < ncoded; i++) {
            left |= coded[i].tb && coded[i].valid && coded[i].key >> 12 == n;
        }
        assert_int_equal(code_page(n), left);
    }
}

static void chain(unsigned from, unsigned k, unsigned to)
{
    tb_chain(c, tb_exit(coded[from].tb, k), coded[to].tb, coded[to].tb->entry_e);
    coded[from].target[k] = to + 1;
}

static void an_evicted_region_leaves_no_trace_in_the_others(void **state)
{
    pick_seed();
    ncoded = 0;
    forgets = 0;
    for (unsigned tries = 0; ncoded < MOST && tries < 2 * MOST; tries++) {
        Coded *b = &coded[ncoded];
        uint64_t key = rnd(RAM / 4) * 4;
        if (tb_find(c, key, MODE)) {
            continue;
        }
        Tb *tb = try_coded(key);
        if (!tb) {
            evict_coded();
            continue;
        }
        *b = (Coded){
            .tb = tb, .valid = true, .key = key, .from = tb->code_off, .to = tb->code_end
        };
        ncoded++;
        for (unsigned i = 0; i < 3; i++) {
            unsigned from = ncoded - 1 - rnd(MIN(ncoded, 2000)),
                     to = ncoded - 1 - rnd(MIN(ncoded, 2000));
            unsigned k = rnd(EXITS);
            if (coded[from].tb && coded[to].tb && coded[to].valid &&
                !coded[from].target[k]) {
                chain(from, k, to);
            }
        }
        unsigned victim = rnd(ncoded);
        if (rnd(4) == 0 && coded[victim].tb && coded[victim].valid) {
            tb_drop(c, coded[victim].tb);
            coded[victim].valid = false;
            forget_coded(victim);
        }
    }
    check_coded();
    assert_true(c->evicted_regions > 3);
    assert_int_equal(forgets, c->evicted_regions);
    assert_true(tb_code_bytes(c) > 512 * KiB && tb_code_bytes(c) <= 1 * MiB);
    assert_int_equal(depth, 0);
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
        cmocka_unit_test_setup_teardown(trace_numbers_end_and_begin_anew_after_a_flush, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_page_that_was_stored_to_is_protected_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(random_stores_drop_what_a_model_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_packed_map_gives_back_its_rows, setup_code,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_evicted_region_leaves_no_trace_in_the_others,
                                        setup_code, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

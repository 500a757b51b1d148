/* SPDX-License-Identifier: MIT */
/*
 * Kept translations against new ones: blocks of random instructions are made and kept; in a
 * second run they are brought from the file for another RAM page and to another place in the
 * code buffer, and have to be, byte for byte, what the translator makes there. DYAD_SEED=n
 * repeats a run, DYAD_ROUNDS=n sets its length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "target-x86/engine.h"
#include "target-x86/native.h"
#include "target-x86/saved.h"
#include "target-x86/template.h"
#include "tcg/codebuf.h"
#include "tcg/tb_int.h"
#include "tests/unit/engine_rig.h"
#include "tests/unit/insn_gen.h"
#include "util/asan.h"

enum { FIRST = 0x200000, SECOND = 0x900000, LONG = 160, PER_PAGE = 4096 / LONG - 1 };

static const X86Row *rows[4096];
static unsigned nrows;

static void collect_rows(void)
{
    nrows = 0;
    for (const X86RowTable *t = x86_row_tables; t->name; t++) {
        for (unsigned i = 0; i < t->count; i++) {
            const X86Row *r = &t->rows[i];
            if (!(r->flags & RF_NO64) &&
                (!(r->flags & RF_AVX512) || cpu->hflags & HF_AVX512) &&
                (!r->feat || (x86_host_has(r->feat) && x86_has(cpu, r->feat)))) {
                rows[nrows++] = r;
            }
        }
    }
}

/* Up to LONG bytes of code, whatever it would do; jumps go anywhere. */
static void random_block(uint8_t *p)
{
    unsigned n = 0, want = 1 + gen_rand() % 14;

    while (want && n < LONG - 20) {
        X86Insn in;
        unsigned len = gen_insn(rows[gen_rand() % nrows], p + n, &in, cpu->hflags, cpu->feat);
        if (len) {
            n += len;
            want--;
        }
    }
    switch (gen_rand() % 4) {
    case 0: /* jmp, call, jcc near */
        p[n++] = 0xe8 | (gen_rand() & 1);
        memcpy(p + n, &(int32_t){ (int32_t)(gen_rand() % 8192) - 4096 }, 4);
        break;
    case 1:
        p[n++] = 0x0f;
        p[n++] = 0x80 | (gen_rand() & 15);
        memcpy(p + n, &(int32_t){ (int32_t)(gen_rand() % 8192) - 4096 }, 4);
        break;
    case 2:
        p[n++] = 0xff; /* call rax */
        p[n] = 0xd0;
        break;
    default:
        p[n] = 0xc3;
    }
}

static uint32_t mode_of(unsigned i)
{
    uint32_t mode = x86_block_mode(cpu) & ~(uint32_t)(X86_KEY_CPL0 | X86_KEY_WIN);
    return i % 3 == 0 ? mode | X86_KEY_CPL0 : i % 3 == 1 ? mode : mode | X86_KEY_WIN;
}

static uint64_t at(uint64_t base, unsigned i)
{
    return base + (uint64_t)(i / PER_PAGE) * 4096 + i % PER_PAGE * LONG;
}

typedef struct Made {
    uint8_t *code[2], *desc;
    uint32_t from[2], size[2], desc_size;
} Made;

static void *copy(const void *p, size_t n)
{
    void *q = malloc(n + 1);
    memcpy(q, p, n);
    return q;
}

/* The block as it is; cold: bytes of its out-of-line code, which was made last. */
static void look(Made *m, const Tb *tb, uint32_t cold)
{
    TbCache *c = x86_engine.cache;

    m->from[0] = tb->code_off;
    m->from[1] = c->code->cold_used - cold;
    m->size[0] = tb->code_end - tb->code_off;
    m->size[1] = cold;
    for (unsigned i = 0; i < 2; i++) {
        m->code[i] = copy(c->code->rw + m->from[i], m->size[i]);
    }
    m->desc_size = tb_desc_size(c, tb);
    m->desc = copy(tb, m->desc_size);
    Tb *d = (Tb *)m->desc;
    d->hash_next = d->page_next = d->incoming = 0;
    /* an instruction's bytes behind its length are any */
    for (ExecSite *s = (ExecSite *)(m->desc + ALIGN_UP(sizeof(Tb), 8));
         (uint8_t *)(s + 1) <= m->desc + d->exit_at * 4u; s++) {
        memset(s->insn.bytes + s->insn.len, 0, sizeof(s->insn.bytes) - s->insn.len);
    }
}

static bool is_chained(const Tb *tb)
{
    for (unsigned i = 0; i < tb->nexits; i++) {
        if (tb_exit(tb, i)->to) {
            return true;
        }
    }
    return false;
}

static void clear(Made *m)
{
    free(m->code[0]);
    free(m->code[1]);
    free(m->desc);
}

/* With all entries, with the one for jumps in the page only, with that and the counter. */
static X86Need need_of(unsigned i) { return (X86Need)(i / 7 % 3); }

static Tb *build(uint64_t ram, uint32_t mode, X86Need need)
{
    cpu->st.rip = ram;
    Tb *tb = x86_build(cpu, mem(ram), ram, false, mode, need);
    return tb && tb->code_end ? tb : NULL;
}

static void test_same(void **state)
{
    const char *seed = getenv("DYAD_SEED"), *rounds_text = getenv("DYAD_ROUNDS");
    unsigned rounds = rounds_text ? atoi(rounds_text) : 6000, compared = 0, kept = 0;
    TbCache *c = x86_engine.cache;
    char dir[] = "/tmp/dyad-saved-XXXXXX", cmd[80];
    X86State st;

    if (ASAN_BUILD) { /* it keeps nothing: descriptions do not lie below 4 GiB */
        print_message("nothing is kept with AddressSanitizer\n");
        skip();
    }
    rounds = MIN(rounds, 1500u * PER_PAGE);
    uint32_t *cold = calloc(rounds, sizeof(*cold));
    assert_non_null(mkdtemp(dir));
    base_state(&st);
    start_from(&st);
    x86_engine.native = true;
    gen_seed(seed ? strtoull(seed, NULL, 0) : 1);
    collect_rows();
    x86_saved_init(dir);
    for (unsigned i = 0; i < rounds; i++) {
        random_block(mem(at(FIRST, i)));
        memcpy(mem(at(SECOND, i)), mem(at(FIRST, i)), LONG);
        Tb *tb = build(at(FIRST, i), mode_of(i), need_of(i));
        cold[i] = tb && !tb->crossing ? x86_saved_notes->cold_to - x86_saved_notes->cold_from : 0;
    }
    x86_saved_finish();
    tb_flush(c, &cpu->cpu);

    x86_saved_init(dir);
    SavedNotes *notes = x86_saved_notes;
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t before = c->loaded_insns;
        Made a, b;
        Tb *tb;
        c->code->used += gen_rand() % 100;
        tb = cold[i] ? build(at(SECOND, i), mode_of(i), need_of(i)) : NULL;
        if (!tb || c->loaded_insns == before) {
            continue;
        }
        kept++;
        if (is_chained(tb)) { /* to a block that lies where it jumps to, by chance */
            continue;
        }
        look(&a, tb, cold[i]);
        /* once more in its place */
        (void)tb_invalidate(c, tb->key, 1, &cpu->cpu);
        TbRegion *r = &c->region[c->cur];
        TbChunk *k = &c->chunk[r->last - 1];
        uint32_t start = (uint32_t)((char *)tb - c->arena) % TB_CHUNK;
        uint32_t code_end = c->code->used, cold_end = c->code->cold_used;
        c->code->used = a.from[0];
        c->code->cold_used = a.from[1];
        k->used = start;
        x86_saved_notes = NULL;
        Tb *again = build(at(SECOND, i), mode_of(i), need_of(i));
        x86_saved_notes = notes;
        if (again == tb && c->code->cold_used == cold_end && c->code->used == code_end) {
            compared++;
            look(&b, again, cold[i]);
            assert_int_equal(a.from[0], b.from[0]);
            assert_int_equal(a.from[1], b.from[1]);
            assert_int_equal(a.desc_size, b.desc_size);
            for (unsigned n = 0; n < 2; n++) {
                assert_memory_equal(a.code[n], b.code[n], a.size[n]);
            }
            assert_memory_equal(a.desc, b.desc, a.desc_size);
            clear(&b);
        }
        clear(&a);
        c->code->used = MAX(c->code->used, code_end);
    }
    x86_saved_finish();
    printf("%u blocks, %u kept, %u compared\n", rounds, kept, compared);
    assert_true(kept > rounds / 2);
    assert_true(compared > kept - kept / 50);
    free(cold);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_same) };
    return cmocka_run_group_tests(tests, setup, teardown);
}

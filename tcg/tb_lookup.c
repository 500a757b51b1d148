/* SPDX-License-Identifier: MIT */
/*
 * What vCPUs do with the cache of blocks without its lock: from host code to its block,
 * patching jumps. Leaf.
 */
#include "tcg/codebuf.h"
#include "tcg/tb_int.h"

Tb *tb_first_in(const TbCache *c, unsigned n)
{
    while (n && !__atomic_load_n(&c->chunk[n - 1].used, __ATOMIC_ACQUIRE)) {
        n = __atomic_load_n(&c->chunk[n - 1].next, __ATOMIC_ACQUIRE);
    }
    return n ? (Tb *)(c->arena + (size_t)(n - 1) * TB_CHUNK) : NULL;
}

Tb *tb_next_block(const TbCache *c, const Tb *tb)
{
    size_t off = (const char *)tb - c->arena, end = off + (size_t)tb->units * TB_UNIT;
    const TbChunk *k = &c->chunk[off / TB_CHUNK];

    if (end - off / TB_CHUNK * TB_CHUNK < __atomic_load_n(&k->used, __ATOMIC_ACQUIRE)) {
        return (Tb *)(c->arena + end);
    }
    return tb_first_in(c, __atomic_load_n(&k->next, __ATOMIC_ACQUIRE));
}

Tb *tb_by_code(const TbCache *c, uint32_t code_off)
{
    if (!c->code) {
        return NULL;
    }
    unsigned i = code_off / c->region[0].to; /* all but the last have one size */
    const TbRegion *r = &c->region[MIN(i, c->nregions - 1)];
    unsigned k = (code_off - r->from) >> TB_INDEX_SHIFT;

    if (k >= __atomic_load_n(&r->n_index, __ATOMIC_ACQUIRE)) {
        return NULL;
    }
    Tb *tb = (Tb *)(c->arena + (size_t)r->index[k] * TB_UNIT);
    while (tb && code_off >= tb->code_end) {
        tb = tb_next_block(c, tb);
    }
    return tb && code_off >= tb->code_off ? tb : NULL;
}

void tb_lead_to(const TbCache *c, const TbExit *x, uint32_t to)
{
    uint32_t at = tb_exit_jmp(x);
    __atomic_store_n((uint32_t *)(c->code->rw + at), to - (at + 4), __ATOMIC_RELEASE);
}

void tb_chain(TbCache *c, TbExit *x, Tb *to, uint32_t entry)
{
    tb_chain_lock(c);
    if (!x->to && to->valid) {
        tb_lead_to(c, x, entry);
        x->to = tb_ref(c, to);
        x->next_in = to->incoming;
        to->incoming = tb_ref(c, x);
    }
    tb_chain_unlock(c);
}

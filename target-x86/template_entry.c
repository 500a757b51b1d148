/* SPDX-License-Identifier: MIT */
/* A block's entries: where it is reached from, and what is checked there. */
#include "target-x86/template.h"
#include "tcg/codebuf.h"

/* Jumped over: r11 = virtual address of another page; is the block's page there? Returns
 * the rel32 of the way out. */
static uint32_t guard_entry(Enc *e, uint64_t key)
{
    enum { TAG = 5, MAP = 12, OUT = 18 };
    static const uint8_t code[] = {
        0xeb, 20,                         /* jmp over */
        0x4d, 0x8d, 0x93, 0, 0, 0, 0,     /* lea r10, [r11 + tag] */
        0x4c, 0x3b, 0x15, 0, 0, 0, 0,     /* cmp r10, [code_map entry] */
        0x0f, 0x85, 0, 0, 0, 0,           /* jne out */
    };
    uint32_t at = e->off;
    uint8_t *p = enc_code(e, code, sizeof(code));

    if (p) {
        enc_put32(p + TAG, code_map_tag(key));
        enc_put_env(e, p, MAP, at,
                    tmpl_env_off(offsetof(TcgEnv, code_map) + 8 * code_map_index(key)));
    }
    return at + OUT;
}

/* Executions that come by the hash, from other pages or backward are counted: each loop has
 * some of them (TB_COUNT; native_chain). To count each cost programs that are not hot a tenth. */
static void count_entry(Tmpl *t)
{
    static const Op sub = { .opcode = 0x83, .imm_len = 1 };
    Enc *e = &t->e;
    uint32_t from = e->off;

    enc_op(e, &sub, ALU_SUB,
           rm_env(tmpl_env_off(offsetof(TcgEnv, hot) + 4 * hot_index(t->tb->key))));
    enc_u8(e, 1);
    t->hot_jcc = enc_jcc(e, CC_S);
    t->tb->counts = e->off - from == TB_COUNT;
}

/* The entries through the jump hash and from other pages. */
static void outer_entries(Tmpl *t)
{
    Tb *tb = t->tb;
    Enc *e = &t->e;
    bool tr = tb->trace_at;

    /* at code_off, through the hash: r11 = guest PC, r10 = entry, flags in env; behind the
     * comparison (3 bytes) tb_cache.c patches the jump */
    enc_bytes(e, 0x1a3b4d, 3); /* cmp r11, [r10] */
    enc_bytes(e, 0x850f | (uint64_t)(x86_thunks.miss - (e->off + 6)) << 16, 6);
    enc_note(e, e->off - 4);
    if (t->placed) { /* is it this code segment? */
        Rm cs = rm_env(offsetof(X86State, seg) + R_CS * sizeof(X86Seg));
        cs.disp += offsetof(X86Seg, base);
        enc_alu_mi32(e, ALU_CMP, cs, (int32_t)tb_place(tb).place);
        enc_patch(e, enc_jcc(e, CC_NE), x86_thunks.miss);
        cs.disp += offsetof(X86Seg, limit) - offsetof(X86Seg, base);
        enc_alu_mi32(e, ALU_CMP, cs, (int32_t)(tb_place(tb).place >> 32));
        enc_patch(e, enc_jcc(e, CC_NE), x86_thunks.miss);
    }
    enc_lea(e, S1, rm_mem(S1, -(int32_t)tb->region_off), true);
    if (tr) {
        tb->entry_x = e->off;
    } else if (!tb->large && (!tb->crossing || tb->guards_tail) && !(tb->mode & X86_KEY_CPL0) &&
        !t->placed && tb->key < CODE_MAP_MAX_RAM) {
        tb->entry_x = e->off + 2;
        t->guard_jcc = guard_entry(e, tb->key);
    }
    enc_store(e, rm_env(ENV_F(vbase)), S1);
}

void tmpl_entries(Tmpl *t)
{
    Tb *tb = t->tb;
    Enc *e = &t->e;
    const TbTrace *tr = tb_trace(tb);
    bool dead = !t->live[0], count = !tb->inner || tb->counts;

    tb->counts = false;
    t->guard_jcc = t->hot_jcc = 0;
    if (!tb->inner) {
        outer_entries(t);
    }
    if (count && !tr && !tb->guards_tail && x86_trace_wanted(tb)) {
        count_entry(t);
    }
    tb->entry_e = e->off;
    t->guard2_jcc = 0;
    if (tb->guards_tail) { /* r11 = vbase; is the next page still the one it ends in? */
        enc_load(e, S1, rm_env(ENV_F(vbase)));
        enc_lea(e, S2, rm_mem(S1, 4096 + code_map_tag(tb_tail(tb))), true);
        enc_alu_rm(e, ALU_CMP, S2,
                   rm_env(tmpl_env_off(offsetof(TcgEnv, code_map) +
                                       8 * code_map_index(tb_tail(tb)))));
        t->guard2_jcc = enc_jcc(e, CC_NE);
    } else if (tr) { /* r11 = vbase; are all its pages known to be there? */
        enc_load(e, S1, rm_env(ENV_F(vbase)));
        enc_lea(e, S2, rm_mem(S1, trace_map_tag(tr->id)), true);
        enc_alu_rm(e, ALU_CMP, S2,
                   rm_env(tmpl_env_off(offsetof(TcgEnv, trace_map) +
                                       8 * trace_map_index(tr->id))));
        t->guard2_jcc = enc_jcc(e, CC_NE);
    }
    if (dead && t->guard2_jcc) {
        tb->entry_h = tb->entry_e;
    }
    if (dead) {
        t->in_env = false;
    } else if (t->flags[0].use && t->insns[0].row->flags & (RF_PLAIN | RF_BRANCH)) {
        tmpl_emit_restore(e);
        t->in_env = false;
    } else {
        t->in_env = true;
    }
    if (!t->in_env && !tb->entry_h && !t->guard2_jcc) {
        tb->entry_h = e->off;
    }
    t->start_in_env = t->in_env;
    if (tr) {
        tb_trace(tb)->entry_loop = t->first_round = e->off;
    }
}

/* The fields of guard_entry and count_entry that the RAM address enters. */
void tmpl_rekey(uint8_t *rw, const Tb *tb)
{
    enum { TAG = 3, MAP = 10, COUNTER = 2 };
    const int64_t env = -(int64_t)CODE_ENV_SIZE;

    if (tb->entry_x) {
        enc_put32(rw + tb->entry_x + TAG, code_map_tag(tb->key));
        enc_put32(rw + tb->entry_x + MAP,
                  env + tmpl_env_off(offsetof(TcgEnv, code_map) + 8 * code_map_index(tb->key)) -
                      (tb->entry_x + MAP + 4));
    }
    if (tb->counts) {
        uint32_t at = tb->entry_e - TB_COUNT + COUNTER;
        enc_put32(rw + at, env + tmpl_env_off(offsetof(TcgEnv, hot) + 4 * hot_index(tb->key)) -
                               (at + 4 + 1 /* the immediate */));
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Thunks: the few host sequences between generated code and C, emitted once at the start
 * of the code buffer (so that they too reach env RIP-relative). Leaf C functions are
 * called with the guest's vector state live in the host registers.
 *
 * Stack: generated code has one of its own (returns.h); C runs on the thread's, from
 * host_rsp, 16-byte aligned, down.
 */
#include "target-x86/template.h"

Thunks x86_thunks;

static const uint8_t resident[] = { R_AX, R_CX, R_DX, R_BX, R_SP, R_BP, R_SI,
                                    R_DI, R_8,  R_9,  R_12, R_13, R_14 };
static const uint8_t caller_saved[] = { R_AX, R_CX, R_DX, R_SI, R_DI, R_8, R_9 };

static void store_all(Enc *e)
{
    for (unsigned i = 0; i < ARRAY_SIZE(resident); i++) {
        enc_store(e, rm_env(ENV_GPR(resident[i])), host_reg(resident[i]));
    }
}

static void load_all(Enc *e)
{
    for (unsigned i = 0; i < ARRAY_SIZE(resident); i++) {
        enc_load(e, host_reg(resident[i]), rm_env(ENV_GPR(resident[i])));
    }
}

/* rdfsbase (0), wrfsbase (2) r10 */
static void fsbase(Enc *e, unsigned ext)
{
    enc_bytes(e, 0xc2ae0f49f3 | (uint64_t)ext << 35, 5);
}

void tmpl_fs_to_c(Enc *e)
{
    if (x86_engine.fsbase) {
        fsbase(e, 0);
        enc_alu_rm(e, ALU_CMP, S2, rm_env(ENV_F(host_fs)));
        uint32_t same = enc_jcc(e, CC_E);
        enc_load(e, S2, rm_env(ENV_F(host_fs)));
        fsbase(e, 2);
        enc_patch(e, same, e->off);
    }
}

void tmpl_fs_from_c(Enc *e)
{
    if (x86_engine.fsbase) {
        enc_load(e, S2, rm_env(ENV_F(win_fs)));
        enc_alu_ri(e, ALU_CMP, S2, 0, true);
        uint32_t none = enc_jcc(e, CC_E);
        fsbase(e, 2);
        enc_patch(e, none, e->off);
    }
}

void tmpl_stack_to_c(Enc *e)
{
    enc_store(e, rm_env(ENV_F(ret_sp)), H_RSP);
    enc_load(e, H_RSP, rm_env(ENV_F(host_rsp)));
}

void tmpl_stack_from_c(Enc *e)
{
    enc_load(e, H_RSP, rm_env(ENV_F(ret_sp)));
}

void tmpl_stack_return(Enc *e)
{
    tmpl_stack_from_c(e);
    enc_lea(e, H_RSP, rm_mem(H_RSP, -8), true);
    enc_ret(e);
}

/* Stores rsp, too, which go loads. */
static void call_c(Enc *e, unsigned fn)
{
    tmpl_stack_to_c(e);
    tmpl_fs_to_c(e);
    enc_call_rm(e, rm_env(tmpl_env_off(offsetof(TcgEnv, thunk) + 8 * fn)));
}

static void test_exit(Enc *e, uint32_t to)
{
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, exit_request)), 0);
    uint32_t at = enc_jcc(e, CC_NE);
    enc_patch(e, at, to);
}

/* rax = host address to go on at, all guest registers in env */
static void go(Enc *e)
{
    enc_store(e, rm_env(ENV_F(scratch)), H_RAX);
    test_exit(e, x86_thunks.leave);
    tmpl_fs_from_c(e);
    load_all(e);
    enc_load(e, S1, rm_env(ENV_F(scratch) + 16)); /* for entries through the hash */
    enc_load(e, S2, rm_env(ENV_F(scratch) + 8));
    tmpl_stack_from_c(e);
    enc_jmp_rm(e, rm_env(ENV_F(scratch)));
}

static void emit_mem(Enc *e)
{
    /* r11 = linear address, r10d = kind; returns r11 = host address */
    x86_thunks.mem = e->off;
    store_all(e);
    enc_lea(e, H_RDI, rm_env(0), true);
    enc_mov_rr(e, H_RSI, S1);
    enc_mov_rr(e, H_RDX, S2);
    enc_pop(e, H_RCX);
    call_c(e, TCG_FN_MEM);
    enc_mov_rr(e, S1, H_RAX);
    enc_load(e, H_RAX, rm_env(ENV_F(ret)));
    enc_alu_ri(e, ALU_CMP, H_RAX, 0, true);
    uint32_t redirect = enc_jcc(e, CC_NE);
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, exit_request)), 0);
    uint32_t abort = enc_jcc(e, CC_NE);
    tmpl_fs_from_c(e);
    for (unsigned i = 0; i < ARRAY_SIZE(caller_saved); i++) {
        enc_load(e, host_reg(caller_saved[i]), rm_env(ENV_GPR(caller_saved[i])));
    }
    tmpl_stack_return(e);
    enc_patch(e, redirect, e->off);
    go(e);
    enc_patch(e, abort, e->off); /* state of the instruction's start: C finds it */
    enc_lea(e, H_RDI, rm_env(0), true);
    tmpl_stack_from_c(e);
    enc_load(e, H_RSI, rm_mem(H_RSP, -8));
    call_c(e, TCG_FN_ABORT);
    enc_jmp_to(e, x86_thunks.leave);
}

static void emit_exec(Enc *e)
{
    /* r10 = ExecSite */
    x86_thunks.exec = e->off;
    store_all(e);
    enc_lea(e, H_RDI, rm_env(0), true);
    enc_mov_rr(e, H_RSI, S2);
    enc_lea(e, H_RSP, rm_mem(H_RSP, 8), true);
    call_c(e, TCG_FN_EXEC);
    enc_alu_ri(e, ALU_CMP, H_RAX, 0, true);
    uint32_t away = enc_jcc(e, CC_NE);
    test_exit(e, x86_thunks.leave);
    tmpl_fs_from_c(e);
    load_all(e);
    tmpl_stack_return(e);
    enc_patch(e, away, e->off);
    go(e);
}

/* Returns come to ret_miss: r11 = guest PC, for which the entry on top of the stack is not. If
 * one of the next is, calls below did not return to theirs (a longjmp, or a trace went on behind
 * its own return): they are taken off, by a RET each, so that the host's CPU counts with. If
 * none is, the caller has no entry (it was called in a trace): all stay for whom they belong to. */
static void emit_returns(Enc *e)
{
    enum { ENTRIES = 4 };
    uint32_t found[ENTRIES];

    x86_thunks.ret_miss = e->off;
    for (unsigned i = 0; i < ENTRIES; i++) {
        enc_alu_rm(e, ALU_CMP, S1, rm_mem(H_RSP, 16 * (i + 1) + 8));
        found[i] = enc_jcc(e, CC_E);
    }
    tmpl_hash_jump(e, false);
    for (unsigned i = 0; i < ENTRIES; i++) {
        enc_patch(e, found[i], e->off);
    }
    uint32_t take = e->off;
    enc_bytes(e, 0x05158d4c, 7);   /* lea r10, [rip + 5]: behind the RET */
    enc_bytes(e, 0x2414894c, 4);   /* mov [rsp], r10 */
    enc_ret(e);
    enc_lea(e, H_RSP, rm_mem(H_RSP, 8), true);
    enc_alu_rm(e, ALU_CMP, S1, rm_mem(H_RSP, 8));
    enc_patch(e, enc_jcc(e, CC_NE), take);
    enc_ret(e);

    x86_thunks.ret_empty = e->off; /* what the empty stack's end leads to */
    enc_load(e, H_RSP, rm_env(ENV_F(ret_base)));
    tmpl_hash_jump(e, false);
}

void x86_thunks_emit(Enc *e)
{
    static const uint8_t saved[] = { H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15 };

    /* void enter(uint64_t comes_back, void *host). A kick that hits C after it has looked at
     * exit_request does nothing more; chained blocks never look: so this must. Code that comes
     * back by itself (one_unit) is entered all the same: there exit_request has a REP
     * instruction stop after an iteration. */
    x86_thunks.enter = e->off;
    for (unsigned i = 0; i < ARRAY_SIZE(saved); i++) {
        enc_push(e, saved[i]);
    }
    enc_alu_ri(e, ALU_SUB, H_RSP, 8, true);
    enc_store(e, rm_env(ENV_F(host_rsp)), H_RSP);
    enc_store(e, rm_env(ENV_F(scratch)), H_RSI);
    enc_alu_ri(e, ALU_CMP, H_RDI, 0, true);
    uint32_t comes_back = enc_jcc(e, CC_NE);
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, exit_request)), 0);
    uint32_t not_now = enc_jcc(e, CC_NE);
    enc_patch(e, comes_back, e->off);
    tmpl_fs_from_c(e);
    load_all(e);
    tmpl_stack_from_c(e);
    enc_jmp_rm(e, rm_env(ENV_F(scratch)));

    x86_thunks.leave = e->off;
    tmpl_fs_to_c(e);
    enc_load(e, H_RSP, rm_env(ENV_F(host_rsp)));
    enc_patch(e, not_now, e->off);
    enc_alu_ri(e, ALU_ADD, H_RSP, 8, true);
    for (int i = ARRAY_SIZE(saved) - 1; i >= 0; i--) {
        enc_pop(e, saved[i]);
    }
    enc_ret(e);

    emit_mem(e);
    emit_exec(e);
    emit_returns(e);
    tmpl_evex_thunks(e);

    /* r11 = guest PC, linear */
    x86_thunks.miss = e->off;
    store_all(e);
    enc_store(e, rm_env(offsetof(X86State, rip)), S1);
    enc_lea(e, H_RDI, rm_env(0), true);
    call_c(e, TCG_FN_DISPATCH);
    go(e);

    /* r10 = Tb whose guard failed, r11 = virtual page jumped to */
    x86_thunks.guard = e->off;
    store_all(e);
    enc_lea(e, H_RDI, rm_env(0), true);
    enc_mov_rr(e, H_RSI, S2);
    enc_mov_rr(e, H_RDX, S1);
    call_c(e, TCG_FN_GUARD);
    go(e);

    /* r10 = Tb, pushed: an exit's number or STUB_*; r11 as for `guard` */
    static const Op mov32 = { .opcode = 0x89 };
    x86_thunks.stub = e->off;
    store_all(e);
    enc_bytes(e, 0xc0900f9f, 4); /* lahf; seto al */
    enc_op(e, &mov32, H_RAX, rm_env(ENV_F(stub_cc)));
    enc_pop(e, H_RDX);
    enc_lea(e, H_RDI, rm_env(0), true);
    enc_mov_rr(e, H_RSI, S2);
    enc_mov_rr(e, H_RCX, S1);
    call_c(e, TCG_FN_STUB);
    go(e);

    /* flags to env, and back: entries that are seldom taken */
    x86_thunks.save = e->off;
    tmpl_emit_save(e);
    enc_ret(e);

    /* r10 = TbExit */
    x86_thunks.chain_h = e->off;
    enc_mov_rr(e, S1, S2);
    tmpl_emit_save(e);
    enc_mov_rr(e, S2, S1);
    x86_thunks.chain_e = e->off;
    store_all(e);
    enc_lea(e, H_RDI, rm_env(0), true);
    enc_mov_rr(e, H_RSI, S2);
    call_c(e, TCG_FN_CHAIN);
    go(e);
}

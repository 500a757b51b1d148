/* SPDX-License-Identifier: MIT */
/*
 * The C side of generated code: slow memory accesses, reference functions, dispatch,
 * chaining. Leaf: runs with the guest's vector state live in host registers, and may be
 * left by a fault's longjmp at any point (the thunks have stored all registers).
 */
#include "target-x86/native.h"
#include "target-x86/access.h"
#include "target-x86/decode.h"
#include "target-x86/leaf.h"
#include "target-x86/native_sys.h"
#include "target-x86/saved.h"
#include "target-x86/returns.h"
#include "target-x86/softmmu.h"
#include "target-x86/template.h"
#include "target-x86/trace.h"
#include "target-x86/window.h"
#include "tcg/codebuf.h"
#include "util/asan.h"
#include "util/fsbase.h"

#if defined(__x86_64__)

/* ---- vector state ---- */

static uint32_t xsave_mask = 3;

enum { /* X86Cpu.fpu_live */
    LIVE_FPU = 1, LIVE_ZMM = 2,
    LIVE_ASIDE = 4, /* XMM or YMM registers are in cpu->aside, the rest is live */
};
static const uint32_t c_mxcsr = 0x1f80;

static void move_zmm(X86Cpu *cpu, uint32_t thunk)
{
    void (*move)(void *) = (void (*)(void *))(codebuf_rx(cpu) + thunk);
    move(&cpu->st.xsave);
}

#define SIXTEEN(X)                                                                    \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define SAVE_YMM(n) "vmovdqa %%ymm" #n ", 32*" #n "(%0)\n\t"
#define LOAD_YMM(n) "vmovdqa 32*" #n "(%0), %%ymm" #n "\n\t"
#define SAVE_XMM(n) "movdqa %%xmm" #n ", 32*" #n "(%0)\n\t"
#define LOAD_XMM(n) "movdqa 32*" #n "(%0), %%xmm" #n "\n\t"

/*
 * Upper halves that are zero are put back by VZEROUPPER, not loaded: a CPU takes loaded ones
 * for used whatever they hold, and then each SSE instruction has to merge its result with
 * the old register and waits for that (loops of SSE code took three times as long).
 */
#define OR_AT(n) "vpor 32*" #n "(%1), %%xmm0, %%xmm0\n\t"
#define OR_STEP16(n) "vpor 16*" #n "(%1), %%xmm0, %%xmm0\n\t"
#define OR_STEP32(n) "vpor 32*" #n "(%1), %%ymm0, %%ymm0\n\t"
#define ALL_ZERO(text, p)                                                             \
    ({                                                                                \
        bool z_;                                                                      \
        __asm__ volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n\t" text                      \
                         "vptest %%ymm0, %%ymm0\n\tvzeroupper"                        \
                         : "=@ccz"(z_)                                                \
                         : "r"(p)                                                     \
                         : "memory");                                                 \
        z_;                                                                           \
    })

/* These clobber vector registers. Bits 128..255 of YMM0-15 in cpu->aside: */
static NOINLINE bool aside_zero_host_fpu(const X86Cpu *cpu)
{
    return ALL_ZERO(SIXTEEN(OR_AT), cpu->aside + 16);
}

/* the same in the XSAVE area */
static NOINLINE bool ymmh_zero_host_fpu(const X86Cpu *cpu)
{
    return ALL_ZERO(SIXTEEN(OR_STEP16), cpu->st.xsave.ymmh);
}

/* bits 256..511 of ZMM0-15 */
static NOINLINE bool zmmh_zero_host_fpu(const X86Cpu *cpu)
{
    return ALL_ZERO(SIXTEEN(OR_STEP32), cpu->st.xsave.zmmh);
}

static NOINLINE void aside_host_fpu(X86Cpu *cpu)
{
    uint8_t *a = cpu->aside;

    __asm__ volatile("stmxcsr %0" : "=m"(cpu->aside_mxcsr));
    if (unlikely((cpu->aside_mxcsr ^ c_mxcsr) & 0xffc0)) { /* all but the sticky flags */
        __asm__ volatile("ldmxcsr %0" : : "m"(c_mxcsr));
    }
    if (xsave_mask & XCR0_AVX) {
        __asm__ volatile(SIXTEEN(SAVE_YMM) : : "r"(a) : "memory");
    } else {
        __asm__ volatile(SIXTEEN(SAVE_XMM) : : "r"(a) : "memory");
    }
    if (cpu->fpu_live & LIVE_ZMM) {
        move_zmm(cpu, x86_thunks.zmm_save);
    }
    if (xsave_mask & XCR0_AVX) {
        cpu->aside_small = aside_zero_host_fpu(cpu) &&
                           (!(cpu->fpu_live & LIVE_ZMM) || zmmh_zero_host_fpu(cpu));
    }
    cpu->fpu_live |= LIVE_ASIDE;
}

static NOINLINE void back_host_fpu(X86Cpu *cpu)
{
    const uint8_t *a = cpu->aside;

    if (!(xsave_mask & XCR0_AVX)) {
        __asm__ volatile(SIXTEEN(LOAD_XMM) : : "r"(a) : "memory");
    } else if (cpu->aside_small) {
        __asm__ volatile("vzeroupper\n\t" SIXTEEN(LOAD_XMM) : : "r"(a) : "memory");
    } else {
        __asm__ volatile(SIXTEEN(LOAD_YMM) : : "r"(a) : "memory");
    }
    if (cpu->fpu_live & LIVE_ZMM) {
        move_zmm(cpu, cpu->aside_small ? x86_thunks.zmm_load_high : x86_thunks.zmm_load);
    }
    __asm__ volatile("ldmxcsr %0" : : "m"(cpu->aside_mxcsr));
    cpu->fpu_live &= ~LIVE_ASIDE;
}

uint64_t x86_aside(X86Cpu *cpu, uint64_t (*fn)(X86Cpu *, void *), void *arg)
{
    if (!cpu->fpu_live || cpu->fpu_live & LIVE_ASIDE) {
        return fn(cpu, arg);
    }
    x86_env(cpu)->asides++;
    aside_host_fpu(cpu);
    uint64_t v = fn(cpu, arg);
    if (cpu->fpu_live & LIVE_ASIDE) { /* nobody wanted to see them */
        back_host_fpu(cpu);
    }
    return v;
}

#if ASAN_BUILD
static _Thread_local X86Cpu *live_here; /* the one with fpu_live, if any */

static void sync_before_no_return(void)
{
    if (live_here) {
        x86_fpu_sync(live_here);
    }
}
#endif

/* Tells util/asan.c whose state a call that does not return would clobber. */
static void note_live(X86Cpu *cpu)
{
#if ASAN_BUILD
    live_here = cpu;
#endif
}

static void fpu_load(X86Cpu *cpu)
{
    if (unlikely(cpu->fpu_live & LIVE_ASIDE)) { /* left by a fault */
        back_host_fpu(cpu);
    }
    if (!cpu->fpu_live) {
        bool avx = xsave_mask & XCR0_AVX;
        bool zmm = cpu->hflags & HF_AVX512 && x86_thunks.zmm_load;
        bool wide = zmm && !zmmh_zero_host_fpu(cpu); /* if not: they are zero now */
        bool init = avx && ymmh_zero_host_fpu(cpu);
        cpu->st.xsave.xstate_bv = init ? 3 : 7;
        cpu->st.xsave.xcomp_bv = 0;
        __asm__ volatile("xrstor64 %0" : : "m"(cpu->st.xsave), "a"(xsave_mask), "d"(0));
        cpu->fpu_live = LIVE_FPU;
        note_live(cpu);
        if (zmm) {
            move_zmm(cpu, wide ? x86_thunks.zmm_load : x86_thunks.zmm_load_high);
            cpu->fpu_live |= LIVE_ZMM;
        }
    }
}

void x86_fpu_sync(X86Cpu *cpu)
{
    if (cpu->fpu_live & LIVE_ASIDE) {
        back_host_fpu(cpu);
    }
    if (cpu->fpu_live) {
        note_live(NULL);
        X86Xsave *x = &cpu->st.xsave;
        __asm__ volatile("xsave64 %0" : "+m"(*x) : "a"(xsave_mask), "d"(0) : "memory");
        x->fip = x->fdp = 0; /* they hold host addresses */
        /* C wants what a kernel guest mostly has anyway */
        if (unlikely(x->fcw != 0x37f || x->fsw || x->ftw)) {
            __asm__ volatile("fninit");
        }
        if (unlikely((x->mxcsr ^ c_mxcsr) & 0xffc0)) { /* all but the sticky flags */
            __asm__ volatile("ldmxcsr %0" : : "m"(c_mxcsr));
        }
        if (cpu->fpu_live & LIVE_ZMM) {
            move_zmm(cpu, x86_thunks.zmm_save);
        }
        cpu->fpu_live = 0;
    }
}

/* Does an x87 exception wait for the next instruction that looks? */
static bool x87_pending(X86Cpu *cpu)
{
    uint16_t fsw = cpu->st.xsave.fsw;

    if (cpu->fpu_live) {
        __asm__ volatile("fnstsw %0" : "=a"(fsw));
    }
    return fsw & 0x80; /* ES */
}

/* ---- where a slow path was ---- */

/* The call in a slow stub is followed by `jmp back`: back lies in the instruction. Between them
 * r15 may be moved again (tmpl_sp_undo). */
static uint32_t site_body(const X86Cpu *cpu, uint64_t ret)
{
    const uint8_t *rx = codebuf_rx((void *)cpu);
    uint32_t off = ret - (uint64_t)rx;
    off += rx[off] == 0xe9 ? 0 : TMPL_UNDO;
    return off + 5 + *(const int32_t *)(rx + off + 1) - 1;
}

/* Instruction i of tb, row m of its map, begins again. */
static void set_state(X86Cpu *cpu, const Tb *tb, unsigned i, const TbInsn *m)
{
    cpu->st.rip = x86_rip_at(cpu, x86_env(cpu)->vbase + tb_insn_off(tb, i, m));
    x86_flags_from_env(cpu);
}

static void set_state_at(X86Cpu *cpu, uint32_t body_off)
{
    const Tb *tb = tb_by_code(x86_engine.cache, body_off);
    TbInsn m;

    unsigned i = tb_insn_at(tb, body_off, &m);
    set_state(cpu, tb, i, &m);
}

/* After a fault's longjmp: if it came out of a slow path, RIP and flags are still in the
 * site. */
void x86_native_recover(X86Cpu *cpu)
{
    TcgEnv *env = x86_env(cpu);
    if (env->site) {
        set_state_at(cpu, site_body(cpu, env->site));
        env->site = 0;
    }
}

bool x86_native_site_rip(const X86Cpu *cpu, uint64_t *rip)
{
    const TcgEnv *env = x86_env(cpu);
    uint64_t ret = env->site;
    const Tb *tb = NULL;
    uint32_t off = 0;

    if (ret) {
        off = site_body(cpu, ret);
        tb = tb_by_code(x86_engine.cache, off);
    }
    if (tb) {
        TbInsn m;
        unsigned i = tb_insn_at(tb, off, &m);
        *rip = x86_rip_at(cpu, env->vbase + tb_insn_off(tb, i, &m));
    }
    return tb != NULL;
}

static void native_abort(X86Cpu *cpu, uint64_t ret)
{
    uint32_t off = site_body(cpu, ret);
    TbInsn m;

    set_state_at(cpu, off);
    tb_insn_at(tb_by_code(x86_engine.cache, off), off, &m);
    if (m.flags_in_env & TBI_SHADOW) {
        cpu->st.int_shadow = X86_SHADOW_STI;
    }
}

/* ---- dispatch ---- */

static uint64_t leave_address(X86Cpu *cpu)
{
    x86_env(cpu)->leaves++;
    x86_flags_to_env(cpu); /* x86_native_run takes them from there */
    return (uint64_t)codebuf_rx(cpu) + x86_thunks.leave;
}

/* Generated code relies on seg_end; whoever changes a segment must have told. */
static void check_seg_ends(X86Cpu *cpu)
{
#ifdef CONFIG_CHECKS
    for (unsigned i = 0; i < X86_NSEGS && !(cpu->hflags & HF_CS64); i++) {
        uint64_t rd = cpu->seg_end[0][i], wr = cpu->seg_end[1][i];
        x86_update_seg_end(cpu, i);
        if (rd != cpu->seg_end[0][i] || wr != cpu->seg_end[1][i]) {
            __builtin_trap();
        }
    }
#endif
}

static uint64_t enter_block(X86Cpu *cpu, const Tb *tb)
{
    TcgEnv *env = x86_env(cpu);

    check_seg_ends(cpu);

    softmmu_set_mode(cpu);
    returns_check(cpu);
    env->vbase = x86_pc_linear(cpu) - tb->region_off;
    /* x86_engine_find has looked at both pages: the block's guard would ask again, and a
     * twin's unit that ended there would have done nothing */
    if (tb->guards_tail) {
        softmmu_code_map_set(cpu, tb_tail(tb), env->vbase + 4096);
        softmmu_code_map_set(cpu, tb->key, env->vbase);
    }
    x86_flags_to_env(cpu);
    fpu_load(cpu);
    uint32_t count = tb->counts && x86_engine.tier2 == TIER2_RANDOM ? TB_COUNT : 0;
    return (uint64_t)codebuf_rx(cpu) + tb->entry_e - count;
}

uint64_t x86_native_go_on(X86Cpu *cpu)
{
    TcgEnv *env = x86_env(cpu);

    if (unlikely(cpu->hflags & X86_STEP_MASK || cpu->st.int_shadow ||
                 x86_engine_attention(cpu))) {
        return leave_address(cpu);
    }
    env->dispatches++;
    /* the hash often knows: its entries are as good here as in generated code */
    softmmu_set_mode(cpu);
    uint64_t lin = x86_pc_linear(cpu);
    JmpEntry *e = &env->jmp->e[jmp_index(lin)];
    if (e->pc == lin && env->jmp->mode == x86_block_mode(cpu)) {
        env->hash_hits++;
        returns_check(cpu);
        x86_flags_to_env(cpu);
        fpu_load(cpu);
        env->scratch[1] = (uint64_t)e;
        env->scratch[2] = lin;
        return e->host;
    }
    Tb *tb = x86_engine_find(cpu, X86_NEED_ALL);
    if (!tb || !tb->code_end) {
        return leave_address(cpu);
    }
    uint64_t host = enter_block(cpu, tb);
    if (!tb->inner) { /* another vCPU's, just now: next time */
        softmmu_jmp_insert(cpu, lin, (uint64_t)codebuf_rx(cpu) + tb->code_off,
                           x86_block_mode(cpu), tb->crossing);
    }
    return host;
}

static uint64_t native_dispatch(X86Cpu *cpu)
{
    uint64_t lin = cpu->st.rip; /* so says the thunk */
    JmpEntry *e = &x86_env(cpu)->jmp->e[jmp_index(lin)];

    x86_env(cpu)->hash_misses++;
    if (e->pc == lin) { /* it led to a dropped block, or one of another code segment */
        e->pc = JMP_EMPTY;
        e->host = (uint64_t)x86_env(cpu)->jmp_miss;
    }
    cpu->st.rip = x86_rip_at(cpu, lin);
    x86_flags_from_env(cpu);
    return x86_native_go_on(cpu);
}

/* Does this jump close a loop, perhaps? Or it leaves a trace: the way it goes may be hot. */
static bool may_loop(const Tb *from, const TbExit *x)
{
    return from->trace_at || x->target <= (int32_t)from->region_off ||
           x86_engine.tier2 == TIER2_RANDOM;
}

uint32_t x86_chain_entry(const TbExit *x, const Tb *tb)
{
    const Tb *from = tb_of_exit(x);
    uint64_t key = from->key - from->region_off + x->target;
    bool fits = x->guarded ? tb->entry_x != 0 : tb->key == key &&
                                 (!tb->crossing || tb->large || tb->guards_tail);

    if (!fits || tb->mode != from->mode ||
        !x86_tb_has(tb, may_loop(from, x) ? X86_NEED_COUNT : X86_NEED_INNER)) {
        return 0;
    }
    uint32_t to = x->guarded ? (x->flags_in_env ? tb->entry_x : tb->entry_xh)
                  : x->flags_in_env ? tb->entry_e
                                    : tb->entry_h;
    return to - (tb->counts && to == tb->entry_e && may_loop(from, x) ? TB_COUNT : 0);
}

static uint64_t native_chain(X86Cpu *cpu, TbExit *x)
{
    TcgEnv *env = x86_env(cpu);
    TbCache *c = x86_engine.cache;
    uint64_t generation = c->generation;
    const Tb *from = tb_of_exit(x);
    uint64_t key = from->key - from->region_off + x->target;

    __builtin_prefetch(&c->hash[tb_hash(key, from->mode)]); /* if not in another page */
    cpu->st.rip = x86_rip_at(cpu, env->vbase + x->target);
    x86_flags_from_env(cpu);
    if (unlikely(cpu->hflags & X86_STEP_MASK || cpu->st.int_shadow ||
                 x86_engine_attention(cpu))) {
        return leave_address(cpu);
    }
    Tb *tb = x86_engine_find(cpu, x->guarded           ? X86_NEED_ALL
                                  : may_loop(from, x) ? X86_NEED_COUNT
                                                      : X86_NEED_INNER);
    if (!tb || !tb->code_end) {
        return leave_address(cpu);
    }
    uint32_t to = generation == c->generation ? x86_chain_entry(x, tb) : 0;
    if (to) {
        tb_chain(c, x, tb, to);
        env->chains++;
    } else {
        env->chain_refusals++;
    }
    return enter_block(cpu, tb);
}

static uint64_t punt(X86Cpu *cpu, unsigned more, uint64_t ram);

/* A jump from another page to tb found its page not known to be at vbase. */
static uint64_t native_guard(X86Cpu *cpu, Tb *tb, uint64_t vbase)
{
    uint64_t ram;
    bool large;

    x86_env(cpu)->guard_misses++;
    cpu->st.rip = vbase + tb->region_off;
    x86_flags_from_env(cpu);
    if (unlikely(cpu->hflags & X86_STEP_MASK || cpu->st.int_shadow ||
                 x86_engine_attention(cpu))) {
        return leave_address(cpu);
    }
    if (!x86_canonical(cpu->st.rip) || !softmmu_fetch(cpu, cpu->st.rip, &ram, &large) ||
        large || ram != tb->key || !tb->valid || x86_block_mode(cpu) != tb->mode) {
        return x86_native_go_on(cpu);
    }
    if (tb->crossing) {
        uint64_t ram2;
        bool large2;
        uint64_t next = vbase + 4096;
        next = cpu->hflags & HF_CS64 ? next : (uint32_t)next;
        if (!x86_canonical(next) || !softmmu_fetch(cpu, next, &ram2, &large2) ||
            ram2 != tb_tail(tb)) {
            return x86_native_go_on(cpu);
        }
        softmmu_code_map_set(cpu, tb_tail(tb), vbase + 4096);
    }
    unsigned here = tb->trace_at ? x86_trace_here(cpu, tb, vbase) : TRACE_HERE;
    if (here != TRACE_HERE) { /* waits: its first instruction by itself */
        return here == TRACE_WAITS ? punt(cpu, 0, 0) : x86_native_go_on(cpu);
    }
    softmmu_code_map_set(cpu, tb->key, vbase);
    return enter_block(cpu, tb);
}

static uint64_t wrong_guess(X86Cpu *cpu, uint64_t lin, uint32_t kind, Tb *tb, unsigned i);

/* A block's way out: exit n, or STUB_*. */
static uint64_t native_stub(X86Cpu *cpu, Tb *tb, uint64_t n, uint64_t r11)
{
    unsigned turn = -(unsigned)n & 63;

    if (n & STUB_GUESS) {
        x86_env(cpu)->slow_mem++;
        return wrong_guess(cpu, turn ? r11 >> turn | r11 << (64 - turn) : r11, n & 0x1ffffff, tb,
                           n >> 25);
    }
    if (n == STUB_HOT) {
        return x86_trace_hot(cpu, tb);
    }
    if (n == STUB_GUARD) {
        return native_guard(cpu, tb, r11);
    }
    TbExit *x = tb_exit(tb, n);
    if (!x->flags_in_env) {
        x86_env(cpu)->cc = x86_env(cpu)->stub_cc;
    }
    return native_chain(cpu, x);
}

/* ---- reference functions ---- */

static uint64_t native_exec(X86Cpu *cpu, const ExecSite *site)
{
    TcgEnv *env = x86_env(cpu);
    const X86Insn *in = &site->insn;
    uint64_t generation = x86_engine.cache->generation, seq = env->tlb_seq;
    uint32_t hflags = cpu->hflags;
    uint32_t row_flags = in->row->flags;

    env->execs++;
    x86_engine.row_calls[x86_row_hash(in->row)]++;
    x86_flags_from_env(cpu);
    uint64_t rip = x86_rip_at(cpu, env->vbase + site->region_off), next = rip + in->len;
    cpu->st.rip = rip;
    cpu->end_block = 0;
    x86_exec_insn(cpu, in);
    cpu->st.rip = cpu->next_rip & x86_rip_mask(cpu);
    /* a string instruction is a branch only while it repeats */
    bool branch = row_flags & (RF_END | RF_IO) ||
                  (row_flags & (RF_BRANCH | RF_REP)) == RF_BRANCH;
    if (cpu->st.rip != next || cpu->end_block || branch ||
        generation != x86_engine.cache->generation || hflags != cpu->hflags ||
        seq != env->tlb_seq || env->ret_mode == (uint32_t)RETURNS_VOID) {
        return x86_native_go_on(cpu);
    }
    softmmu_set_mode(cpu);
    x86_flags_to_env(cpu);
    fpu_load(cpu);
    return 0;
}

/* ---- slow memory accesses ---- */

/* Notes in which range the address lies that a check of this instruction would look at
 * (template_mem.c); nothing for null pointers. */
static void learn_site(X86Cpu *cpu, const X86Insn *in, uint64_t ram)
{
    const X86Row *row = in->row;
    bool lea = row->map == MAP_1 && in->opcode == 0x8d;
    uint64_t a = 0;

    if (!in->is_mem || in->base == 16 || in->adsize != 8 || lea || x86_row_vsib(row)) {
        return;
    }
    a += in->base >= 0 ? cpu->st.gpr[in->base] : 0;
    a += in->index >= 0 ? cpu->st.gpr[in->index] << in->scale : 0;
    a += in->seg >= R_FS ? cpu->st.seg[in->seg].base : 0;
    unsigned known = x86_win_site(ram);
    int k = window_range(x86_env(cpu), a);
    if (k >= 0 && known <= WIN_SITE_A) {
        unsigned state = k ? WIN_SITE_A : WIN_SITE_B;
        if (known != state) {
            x86_win_site_set(ram, known == WIN_SITE_UNKNOWN ? state : WIN_SITE_BOTH);
        }
    }
}

/* The instruction at RIP, and the `more` that follow if nothing interferes, by their
 * reference functions; then on. ram: of a block with windows, where the first one's bytes
 * are; where accesses lie is noted for when it is built again. */
static uint64_t punt(X86Cpu *cpu, unsigned more, uint64_t ram)
{
    X86Insn in;
    uint64_t next;

    do {
        x86_env(cpu)->punts++;
        cpu->end_block = 0;
        x86_engine_decode(cpu, &in);
        if (ram) {
            learn_site(cpu, &in, ram);
            ram += in.len;
        }
        next = cpu->st.rip + in.len;
        x86_exec_insn(cpu, &in);
        cpu->st.rip = cpu->next_rip & x86_rip_mask(cpu);
    } while (more-- && cpu->st.rip == next && !cpu->end_block &&
             !(in.row->flags & (RF_BRANCH | RF_END | RF_IO)) &&
             !(cpu->hflags & X86_STEP_MASK) && !cpu->st.int_shadow &&
             !x86_engine_attention(cpu));
    return x86_native_go_on(cpu);
}

enum { GROUP_FAILS = 16 };

static uint64_t drop_heavy(X86Cpu *cpu, void *arg)
{
    x86_saved_wrong(((const Tb *)arg)->key);
    tb_drop(x86_engine.cache, arg);
    return 0;
}

/* The range of a group or of a masked access: mapped in one piece if that is possible
 * without a fault or a dirty bit set too early; else the instruction is executed by itself. */
static uint8_t *quiet_range(X86Cpu *cpu, uint64_t lin, unsigned size, bool write)
{
    SoftmmuRef ref;

    if (TLB_PAGE - (lin & (TLB_PAGE - 1)) >= size &&
        (uint64_t)((int64_t)(lin << 16) >> 16) == lin) {
        X86WalkResult w = x86_walk(cpu, lin, write ? X86_WRITE : X86_READ, cpu->mmu_idx,
                                   false);
        if (w.ok && (!write || w.dirty)) {
            softmmu_translate(cpu, lin, write ? X86_WRITE : X86_READ, cpu->mmu_idx, &ref);
            if (ref.host && !(write && (ref.watched || ref.readonly))) {
                return ref.host;
            }
        }
    }
    return NULL;
}

static void group_failed(X86Cpu *cpu, uint64_t ret)
{
    Tb *tb = tb_by_code(x86_engine.cache, site_body(cpu, ret));
    if (++tb->group_fails == GROUP_FAILS) {
        x86_keys_add(&x86_engine.group_failed, tb->key);
    }
}

/* A block in window mode looked for an address in the wrong range: its site is told better,
 * and if that happens more than once, the block is built again when it runs next. kind as in
 * MEM_GUESS; i: the instruction that begins again. Returns where to go on. */
static uint64_t wrong_guess(X86Cpu *cpu, uint64_t lin, uint32_t kind, Tb *tb, unsigned i)
{
    enum { AGAIN = 100 };
    TcgEnv *env = x86_env(cpu);
    unsigned base = kind >> 10 & 31;
    const TbTrace *tr = tb_trace(tb);
    uint64_t site = tr ? tb_insn_ram(tb, kind >> 16, NULL) : tb->key + (kind >> 16);
    unsigned known = x86_win_site(site), state = WIN_SITE_ANY;

    if (base == WIN_STRIDE) {
        x86_keys_add(&x86_engine.no_stride, site);
        state = known;
    } else if (known != WIN_SITE_ANY && base != WIN_INDEX) {
        uint64_t a = base == 16         ? env->vbase
                     : base < 16        ? cpu->st.gpr[base]
                     : base == WIN_ZERO ? 0
                                        : lin;
        window_seen(cpu, a);
        int k = window_range(env, a);
        if (a >> 47) { /* windows may be no use to this program */
            env->win_missed = a;
            env->win_misses++;
        }
        if (k < 0 && env->win_a == WIN_A_NONE && a >> 47 == 0) {
            state = known; /* its page is not there yet: range A may still go there */
        } else if (k >= 0) {
            state = k ? WIN_SITE_A : WIN_SITE_B;
            if (tr || known >= WIN_SITE_MIXED) {
                state = MAX(known, WIN_SITE_MIXED);
            } else if (known != WIN_SITE_UNKNOWN && known != state) {
                state = WIN_SITE_BOTH; /* which it is not compiled for yet */
            }
        }
    }
    env->win_stats.wrong_guesses++;
    x86_win_site_set(site, state);
    TbInsn at;
    tb_insn(tb, i, UINT32_MAX, &at);
    set_state(cpu, tb, i, &at);
    env->site = 0;
    /* what is left of the block too: a block that begins here would seldom be of use */
    unsigned left = tr ? 0 : tb->ninsns - 1 - i;
    uint64_t ram = tb_insn_ram(tb, i, &at);
    if (++tb->group_fails == (tr ? 4 : 2)) {
        if (tr) { /* soon again */
            env->hot[hot_index(tb->key)] = MIN(x86_trace_threshold(cpu), AGAIN);
        }
        x86_aside(cpu, drop_heavy, tb);
    }
    return punt(cpu, left, ram);
}

static uint64_t native_mem(X86Cpu *cpu, uint64_t lin, uint32_t kind, uint64_t ret)
{
    TcgEnv *env = x86_env(cpu);
    unsigned size = kind & MEM_SIZE, in_page = TLB_PAGE - (lin & (TLB_PAGE - 1));
    bool write = kind & MEM_WRITE;
    SoftmmuRef ref, ref2;

    env->site = ret;
    env->ret = 0;
    env->slow_mem++;
    if (kind & MEM_GUESS) {
        uint32_t body = site_body(cpu, ret);
        Tb *tb = tb_by_code(x86_engine.cache, body);
        TbInsn m;
        env->ret = wrong_guess(cpu, lin, kind, tb, tb_insn_at(tb, body, &m));
        return 0;
    }
    if (kind & MEM_OUTSIDE) {
        env->win_missed = lin;
        env->win_misses++;
    }
    if (kind & MEM_PUNT || (kind & MEM_ALIGN && lin & (size - 1)) ||
        (kind & MEM_FPU && x87_pending(cpu))) {
        /* #GP, #SS, #MF: the reference function's */
    } else if (kind & (MEM_GROUP | MEM_QUIET)) {
        uint8_t *host = quiet_range(cpu, lin, size, write);
        if (host) {
            env->site = 0;
            return (uint64_t)host;
        }
        if (kind & MEM_GROUP) {
            env->slow_group++;
            group_failed(cpu, ret);
        }
    } else if ((uint64_t)((int64_t)(lin << 16) >> 16) == lin) {
        if (in_page >= size) {
            softmmu_translate(cpu, lin, write ? X86_WRITE : X86_READ, cpu->mmu_idx, &ref);
            if (ref.host && !(write && (ref.watched || ref.readonly))) {
                env->site = 0;
                return (uint64_t)ref.host;
            }
        } else if (!write && size <= sizeof(env->bounce) / 2 &&
                   (uint64_t)((int64_t)((lin + size - 1) << 16) >> 16) == lin + size - 1 &&
                   (cpu->hflags & HF_CS64 || lin + size <= 1ull << 32)) {
            env->slow_cross++;
            softmmu_translate(cpu, lin, X86_READ, cpu->mmu_idx, &ref);
            softmmu_translate(cpu, lin + in_page, X86_READ, cpu->mmu_idx, &ref2);
            if (ref.host && ref2.host) {
                uint8_t *b = env->bounce + (lin & 63); /* alignment faults stay */
                leaf_copy(b, ref.host, in_page);
                leaf_copy(b + in_page, ref2.host, size - in_page);
                env->site = 0;
                return (uint64_t)b;
            }
        } else {
            env->slow_cross_store++;
        }
    }
    Tb *tb = tb_by_code(x86_engine.cache, site_body(cpu, ret));
    bool rebuild = kind & MEM_GROUP && tb->group_fails == GROUP_FAILS;
    set_state_at(cpu, site_body(cpu, ret));
    env->site = 0;
    if (rebuild) {
        x86_aside(cpu, drop_heavy, tb);
    }
    env->ret = punt(cpu, 0, 0);
    return 0;
}

/* ---- entry from the loop ---- */

void x86_native_run(X86Cpu *cpu, Tb *tb)
{
    void (*enter)(uint64_t, void *) =
        (void (*)(uint64_t, void *))(codebuf_rx(cpu) + x86_thunks.enter);
    x86_env(cpu)->site = 0;
    if (x86_engine.fsbase) {
        x86_env(cpu)->host_fs = fsbase_read();
    }
    uint64_t host = enter_block(cpu, tb);
    returns_empty(x86_env(cpu));
    softmmu_jmp_check_mode(cpu, x86_block_mode(cpu));
    enter(cpu->one_unit, (void *)host);
    x86_flags_from_env(cpu);
}

void x86_native_init_cpu(X86Cpu *cpu, TcgEnv *env, uint32_t mask)
{
#if ASAN_BUILD
    asan_before_no_return = sync_before_no_return;
#endif
    xsave_mask = mask;
    env->thunk[TCG_FN_MEM] = (void *)native_mem;
    env->thunk[TCG_FN_EXEC] = (void *)native_exec;
    env->thunk[TCG_FN_DISPATCH] = (void *)native_dispatch;
    env->thunk[TCG_FN_CHAIN] = (void *)native_chain;
    env->thunk[TCG_FN_ABORT] = (void *)native_abort;
    env->thunk[TCG_FN_SYSCALL] = (void *)x86_native_syscall;
    env->thunk[TCG_FN_SYSRET] = (void *)x86_native_sysret;
    env->thunk[TCG_FN_STRING] = (void *)x86_native_string;
    env->thunk[TCG_FN_GUARD] = (void *)native_guard;
    env->thunk[TCG_FN_STUB] = (void *)native_stub;
    env->code_list.n = env->trace_list.n = TCG_LISTED + 1;
    for (unsigned i = 0; i < HOT_SIZE; i++) {
        env->hot[i] = x86_trace_threshold(cpu);
    }
    softmmu_code_map_clear(env);
    env->vsib_limit = 1u << WIN_VSIB_BITS;
    for (unsigned i = 0; i < 4; i++) {
        env->vsib_high[0][i] = (uint64_t)-(1 << WIN_VSIB_BITS) << 32 | (uint32_t)-(1 << WIN_VSIB_BITS);
        env->vsib_high[1][i] = (uint64_t)-(1 << WIN_VSIB_BITS);
    }
    env->jmp_miss = codebuf_rx(cpu) + x86_thunks.miss;
}

#else /* no native back end */

void x86_fpu_sync(X86Cpu *cpu) {}
uint64_t x86_aside(X86Cpu *cpu, uint64_t (*fn)(X86Cpu *, void *), void *arg)
{
    return fn(cpu, arg);
}
void x86_native_recover(X86Cpu *cpu) {}
bool x86_native_site_rip(const X86Cpu *cpu, uint64_t *rip)
{
    return false;
}
void x86_native_run(X86Cpu *cpu, Tb *tb) {}

#endif

uint64_t x86_heavy(X86Cpu *cpu, uint64_t (*fn)(X86Cpu *, void *), void *arg)
{
    if (cpu->fpu_live) {
        x86_env(cpu)->heavy++;
        x86_fpu_sync(cpu);
    }
    return fn(cpu, arg);
}

/* SPDX-License-Identifier: MIT */
/*
 * Tier 1: the template translator. Re-emits guest instructions as host instructions with
 * registers and memory operands remapped; what it does not know it leaves to the reference
 * function (a call). x86-64 hosts only. What differs for 16- and 32-bit guest code is in
 * template_legacy.c.
 *
 * Host registers (docs/ARCHITECTURE.md, "Registers"):
 *   rax rcx rdx rbx rsi rdi rbp r8 r9 r12 r13 r14   the same guest register
 *   r15                                            guest rsp
 *   r10 r11                                        scratch
 *   rsp                                            calls under way (returns.h)
 * Guest r10, r11 and r15 stay in X86State. Status flags are in the host's EFLAGS or, in
 * LAHF form, in env->cc; the translator knows where at each instruction.
 */
#ifndef TARGET_X86_TEMPLATE_H
#define TARGET_X86_TEMPLATE_H

#include "target-x86/engine.h"
#include "target-x86/insn.h"
#include "target-x86/template_notes.h"
#include "target-x86/thunks.h"
#include "tcg/x86/enc.h"

/* Can blocks of this mode be translated? Others are interpreted. */
bool x86_template_accepts(uint32_t mode);
/* Emits tb's host code and side tables. False: the cache is full. Lock held. */
bool x86_template_build(X86Cpu *cpu, TbCache *c, Tb *tb, const X86Insn *insns);

/* An instruction left to its reference function. */
typedef struct ExecSite {
    X86Insn insn;
    int32_t region_off;   /* of the instruction from vbase */
} ExecSite;

/* Host code and description of tb were made for another RAM address: as for tb->key. rw: the
 * writer's address of code offset 0. Lock held. */
void tmpl_rekey(uint8_t *rw, const Tb *tb);

/* --- shared by template*.c --- */
enum { S1 = H_R11, S2 = H_R10, GSP = H_R15, S2_KEPT = 0xff, HELD_VBASE = 17 /* in S1 */ };

/* bits of TbInsn.flags_in_env */
enum {
    TBI_START_ENV = 1, TBI_OP_ENV = 2,
    TBI_SHADOW = 4,  /* behind STI: not a boundary to leave at */
};

typedef struct Tmpl {
    Enc e;                    /* while out-of-line code is emitted: at that code */
    X86Cpu *cpu;
    TbCache *cache;
    Tb *tb;
    const X86Insn *insns;
    unsigned i;               /* current instruction */
    int64_t off;              /* its offset from vbase */
    int64_t succ;             /* that of the one behind it, in a trace */
    uint32_t region;          /* size of the code region (4 KiB or 2 MiB) */
    bool in_env;              /* flags are in env->cc (else EFLAGS) */
    bool saved_late;          /* they went there behind what the instruction accesses */
    bool failed;              /* arena full */
    bool moves_late;          /* pushes and pops do not move r15 at once (template_late.c): */
    int16_t late;             /* guest rsp less r15 */
    unsigned neffects, nexecs; /* nexecs: calls of reference functions */
    bool no_groups;
    bool legacy;              /* 16- or 32-bit code, */
    bool placed;              /* bound to its place in CS (x86_mode_placed): segments checked */
    uint8_t word;             /* bytes of a push or pop in groups: 8, or 4 */
    uint32_t fixed;           /* vbase, where a trace takes it for sure; or 0 */
    bool win;                 /* windows (window.h), not the soft TLB */
    uint8_t held[2];          /* guest register that S1, S2 equal besides env; 0 = none */
    uint8_t s1_host;          /* 1 + the register (16: vbase) whose host address is in S1 */
    uint8_t wanted;           /* the one that the current instruction needs in S2 beside
                               * its memory operand; S2_KEPT: the operand may not use
                               * S2; 0 = none */
    uint32_t both, verified[2]; /* registers (16: vbase) in both (a hint); known to lie in B, A
                               * (there WIN_ZERO: address 0) */
    uint32_t small, tiny, stride; /* registers known to be so as an index (template_known.c); */
    unsigned nstrides;        /* additions of strides so far; */
    uint32_t sure[2];         /* in a loop for its record: have lain in both, now in B, A */
    uint16_t depth;           /* calls of the trace that have not returned */
    Group group;
    /* from here on: not cleared for each block */
    SlowSite slow[MAX_SLOW] __attribute__((aligned(8)));
    unsigned nslow;
    uint8_t live[TB_MAX_TRACE + 1]; /* status flags live before each (packed, FLP_*) */
    FlagUse flags[TB_MAX_TRACE];
    Effect effect[TB_MAX_TRACE]; /* of instructions below neffects */
    uint32_t writes[TB_MAX_TRACE]; /* general registers each writes, bit mask */
    TbInsn map[TB_MAX_TRACE];
    Away away[TB_MAX_TRACE + TMPL_LEAVES]; /* ways out of a trace, out of line */
    unsigned naway, nleaves;
    struct {
        uint32_t jmp;         /* code offset of the rel32 to patch */
        int32_t target;       /* as TbExit's */
        bool flags_in_env, guarded;
    } exits[TB_MAX_EXITS + TMPL_LEAVES];
    unsigned nexits;
    uint32_t guard_jcc;       /* rel32 of entry_x's way out */
    uint32_t guard2_jcc;      /* and of the check of a crossing block's second page, or of
                               * a trace's pages */
    uint32_t hot_jcc;         /* and of the counter that makes a block a trace's head */
    bool start_in_env;        /* in_env where a loop's round begins, */
    uint32_t first_round;     /* where the first one does */
    uint32_t loop_verified[2], loop_small, loop_tiny, loop_stride; /* what is known there */
    bool shadow_next;         /* the next instruction stands behind STI */
    bool ended;               /* control flow has been emitted */
} Tmpl;

/* packed status flags: C P A Z S O in bits 0..5 */
static inline uint8_t flp(uint32_t fl)
{
    return (fl & 1) | (fl >> 1 & 2) | (fl >> 2 & 4) | (fl >> 3 & 8) | (fl >> 3 & 16) |
           (fl >> 6 & 32);
}
#define FLP_ALL 0x3f

static inline bool reg_in_env(unsigned g) { return g == R_10 || g == R_11 || g == R_15; }
static inline int host_reg(unsigned g) { return g == R_SP ? GSP : (int)g; }
#define ENV_GPR(g) ((int32_t)(offsetof(X86State, gpr) + 8 * (g)))
int32_t tmpl_env_off(size_t field);  /* of a TcgEnv field in the env area */
#define ENV_F(f) tmpl_env_off(offsetof(TcgEnv, f))

/*
 * Guest registers that live in env are read through scratch registers, which go on
 * standing for them until something else needs the scratch (env always has the value too).
 * Code that uses S1 or S2 says so by tmpl_clobber; what is not listed in keeps_held()
 * (template_rows.c) forgets both before and behind it.
 */
static inline uint8_t *tmpl_held(Tmpl *t, int h) { return &t->held[h == S2]; }
/* The scratch register that holds g, or -1. */
static inline int tmpl_where(const Tmpl *t, unsigned g)
{
    return !g ? -1 : t->held[1] == g ? S2 : t->held[0] == g ? S1 : -1;
}
static inline void tmpl_clobber(Tmpl *t, int h)
{
    if (h == S1 || h == S2) {
        *tmpl_held(t, h) = 0;
        t->s1_host = h == S1 ? 0 : t->s1_host;
    }
}
static inline void tmpl_forget(Tmpl *t) { t->held[0] = t->held[1] = t->s1_host = 0; }
/* Scratch h has been given guest register g. */
static inline void tmpl_hold(Tmpl *t, int h, unsigned g)
{
    tmpl_clobber(t, h);
    *tmpl_held(t, h) = g;
}
/* Host register with guest register g: its own, a scratch that holds it, or `s`, loaded. */
int tmpl_use(Tmpl *t, unsigned g, int s);

/* value of guest register g into host register h */
void tmpl_get(Tmpl *t, int h, unsigned g);
void tmpl_put(Tmpl *t, unsigned g, int h);
/* flags */
void tmpl_emit_save(Enc *e);        /* EFLAGS to env->cc; clobbers S2 */
void tmpl_emit_restore(Enc *e);     /* back from there; clobbers S2 */
void tmpl_load_cc(Enc *e, int h);   /* h = env->cc */
void tmpl_save_flags(Tmpl *t);     /* to env, if they are in EFLAGS */
void tmpl_restore_flags(Tmpl *t);  /* to EFLAGS, if they are in env */
/* linear address of the memory operand into S1 (segment base added); false: too odd */
bool tmpl_addr(Tmpl *t, const X86Insn *in, bool with_segment);
/* S1 = linear address -> S1 = host address; clobbers S2 and EFLAGS. kind = size|MEM_* */
void tmpl_check(Tmpl *t, unsigned kind);
/* The host operand for an access to in's memory operand; kind = size|MEM_*. Uses r11, and
 * r10 until it returns; EFLAGS unless the operand was checked before. False: too odd. */
bool tmpl_operand(Tmpl *t, const X86Insn *in, unsigned kind, Rm *rm);
/* The same for [guest register base + disp]. */
Rm tmpl_based(Tmpl *t, unsigned base, int disp, unsigned kind);
/* Windows: the range (0: B, 1: A) in which [guest register base] is taken to lie; -1: in both, or none. */
int tmpl_win_range(const Tmpl *t, unsigned base);
void tmpl_win_pointer(Tmpl *t, unsigned base, unsigned k); /* checks it once for range k */
void tmpl_mov_ptr(Enc *e, int h, const void *p); /* an address in the block's description */
Enc tmpl_stubs(Tmpl *t, struct CodeBuf *code);   /* out-of-line code */
void tmpl_turn_back(Tmpl *t, const SlowSite *s); /* out of line of SLOW_TURNED */
void tmpl_both_slow(Tmpl *t, const SlowSite *s); /* of SLOW_BOTH */
void tmpl_any_range_slow(Tmpl *t, const SlowSite *s); /* the same of SLOW_ANY */
/* Fills flags[] and writes[] for the block's instructions. */
void tmpl_survey(Tmpl *t);
static inline bool tmpl_is_plain(const Tmpl *t, unsigned i)
{
    return t->flags[i].cls & TC_PLAIN;
}
/* WIN_SITE_*: where the memory operand `as` in front of instruction i lies, if it is known
 * (template_guess.c). */
unsigned tmpl_guess(const Tmpl *t, unsigned i, const X86Insn *as);
/* Does it lie in neither range now? */
bool tmpl_outside(const Tmpl *t, unsigned i, const X86Insn *as);
/* Where instruction i begins: offset from vbase, and RAM address. */
static inline int64_t tmpl_insn_off(const Tmpl *t, unsigned i)
{
    return tb_insn_off(t->tb, i, &t->map[i]);
}
static inline uint64_t tmpl_insn_ram(const Tmpl *t, unsigned i)
{
    return tb_insn_ram(t->tb, i, &t->map[i]);
}
/* What a wrong guess says of instruction i: its number in a trace, else its offset. */
static inline uint32_t tmpl_site(const Tmpl *t, unsigned i)
{
    return t->tb->trace_at ? i : t->map[i].guest;
}
/* Registers that plain rows write without naming them, bit mask. */
uint32_t tmpl_implicit_writes(const X86Insn *in);
/* Window checks for the instructions ahead, before the current one makes flags. */
void tmpl_win_hoist(Tmpl *t);
void tmpl_win_loop(Tmpl *t); /* where a loop's further rounds begin */
/* template_known.c: bookkeeping behind an instruction emitted natively; an index has been
 * checked; does an instruction only add a small constant? Which register does it add to another
 * one (-1)? */
void tmpl_win_after(Tmpl *t, const X86Insn *in);
void tmpl_knows_index(Tmpl *t, unsigned g, bool tiny);
bool tmpl_moves_little(const X86Insn *in);
int tmpl_adds_to_pointer(const X86Insn *in);
/* flags bookkeeping before a check: saves them if they are live */
void tmpl_before_check(Tmpl *t, const X86Insn *in);
/* control flow and stack; false: not known here */
bool tmpl_flow(Tmpl *t, const X86Insn *in);
/* 16- and 32-bit code: what plain re-emission does not do; false: not known here */
bool tmpl_legacy(Tmpl *t, const X86Insn *in);
/* Its memory operands; as tmpl_operand, never too odd. */
void tmpl_legacy_operand(Tmpl *t, const X86Insn *in, unsigned kind, Rm *rm);
void tmpl_legacy_ea(Tmpl *t, const X86Insn *in); /* r11 = offset in the segment */
/* Does re-emitting a plain row need the operand-size prefix? */
bool tmpl_legacy_wants_66(const X86Insn *in);
/* A row that does not exist in 64-bit code, or only with other bytes: can it be re-emitted
 * all the same? */
bool tmpl_legacy_encodable(const X86Insn *in);
/* Where code goes on behind region offset off. */
int64_t tmpl_next_off(const Tmpl *t, int64_t off);
void tmpl_jcc(Tmpl *t, int cc, int64_t taken, int64_t next);
SlowSite *tmpl_slow_site(Tmpl *t, unsigned form, uint32_t kind);
/* A forward conditional jump, behind which a block may go on. */
bool tmpl_goes_on(const X86Insn *in);
bool tmpl_sys(Tmpl *t, const X86Insn *in); /* frequent system instructions of CPL 0 */
/* The image that PUSHF pushes into env->scratch[0]; clobbers S1, S2. */
void tmpl_flags_image(Tmpl *t);
/* POPF at CPL 0, of any size. */
void tmpl_popf(Tmpl *t, const X86Insn *in);
/* BT, BTS, BTR, BTC of memory by a register; false: by its reference function */
bool tmpl_bit_string(Tmpl *t, const X86Insn *in);
void tmpl_pause(Tmpl *t, const X86Insn *in);
/* one of them after which a block may go on although its row says RF_END */
bool tmpl_sys_continues(const X86Insn *in, uint32_t mode);
/* template_trace.c: control flow inside a trace; its ways out */
bool tmpl_trace_flow(Tmpl *t, const X86Insn *in);
void tmpl_trace_away(Tmpl *t);
/* May the current instruction leave the trace, if instruction i (which may be ahead) does not
 * find its operand where the record saw it? It does if cc holds, to its own beginning. */
bool tmpl_may_leave(const Tmpl *t, unsigned i);
void tmpl_leave(Tmpl *t, int cc);
/* May a trace go on behind this instruction? Do its ways out need all flags? */
bool tmpl_trace_takes(const X86Insn *in, uint32_t mode);
bool tmpl_trace_leaves(const X86Insn *in);
/* A jump out of the block whose rel32 is at jmp_off. */
void tmpl_new_exit(Tmpl *t, uint32_t jmp_off, int64_t target);
bool tmpl_in_region(const Tmpl *t, int64_t off);
void tmpl_push_return(Tmpl *t, const X86Insn *in);
void tmpl_pop_return(Tmpl *t, unsigned extra); /* RET: the address into S1, rsp moved */
/* To guest PC in S1 by the host's RET, if the last call under way came from there (returns.h),
 * else by the hash:
 *     cmp r11,[rsp+8]; jne ret_miss; ret */
void tmpl_return(Tmpl *t);
/* Target of an indirect jump or call into S1 (return address pushed); false: too odd. */
bool tmpl_indirect(Tmpl *t, const X86Insn *in);
void tmpl_jump_pc(Tmpl *t);                     /* to guest PC in S1 */
void tmpl_jump_off(Tmpl *t, int64_t off);        /* the same, region offset */
void tmpl_exit_to(Tmpl *t, int64_t target_off); /* unconditional, to a region offset */
/* groups: begin before an instruction is emitted, after when it has been */
void tmpl_group_begin(Tmpl *t);
void tmpl_group_after(Tmpl *t);
/* Is an access of the current instruction through `base` covered? Then it is at
 * [r11 + tmpl_group_disp(disp)]. */
bool tmpl_group_covers(const Tmpl *t, int base);
int32_t tmpl_group_disp(const Tmpl *t, int64_t disp);
/* LEA by one host instruction, beside loads of what lives in env; false: not here */
bool tmpl_lea(Tmpl *t, const X86Insn *in);
bool tmpl_lea_is_direct(const Tmpl *t, const X86Insn *in);
void tmpl_call_exec(Tmpl *t, const X86Insn *in, bool last);

void tmpl_entries(Tmpl *t); /* template_entry.c */

/* template_late.c: in traces r15 is guest rsp less Tmpl.late. */
enum { TMPL_UNDO = 7 };                            /* bytes of tmpl_sp_undo() */
void tmpl_sp_begin(Tmpl *t, const X86Insn *in);     /* before each instruction of a trace */
void tmpl_sp_settle(Tmpl *t);                       /* r15 = guest rsp; keeps EFLAGS */
void tmpl_sp_move(Tmpl *t, int by);                 /* guest rsp += by */
void tmpl_sp_undo(Enc *e, int by);                  /* lea r15,[r15+by], always as long */
/* An instruction that only moves or copies rsp; false: not here. */
bool tmpl_sp_insn(Tmpl *t, const X86Insn *in);

/* template_evex.c: what plain rows need for AVX-512 */
unsigned tmpl_access_size(const X86Insn *in, const X86Opnd *o);
bool tmpl_masked_access(const X86Insn *in);
bool tmpl_vsib(Tmpl *t, const X86Insn *in); /* gathers, scatters; false: not here */
bool tmpl_vex_masked(const X86Insn *in); /* VMASKMOV, VPMASKMOV */
void tmpl_evex_thunks(Enc *e);

#endif

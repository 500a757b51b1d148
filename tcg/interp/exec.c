/* SPDX-License-Identifier: MIT */
/*
 * The interpreter's loop. Handlers of the pure operations are made from ir_ops.h and
 * ir_eval.h, one for each size, so that the size is a constant in them; each ends by jumping
 * to the next one. Leaf: no libc, nothing undefined. Depends on no host.
 */
#include "tcg/helper.h"
#include "tcg/interp/code.h"
#include "tcg/interp/interp.h"
#include "tcg/ir_eval.h"

typedef union Any {       /* env memory of one size, whatever its C type is */
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
} __attribute__((may_alias, packed)) Any;

static ALWAYS_INLINE uint64_t quad_at(const uint32_t *w)
{
    return w[0] | (uint64_t)w[1] << 32;
}

static ALWAYS_INLINE Any *env_at(void *env, uint32_t off) { return (Any *)((char *)env + off); }

/* The signatures that are called without libffi: helper_shape(). */
typedef uint64_t Fn0(void), Fn1(uint64_t), Fn2(uint64_t, uint64_t),
    Fn3(uint64_t, uint64_t, uint64_t), Fn4(uint64_t, uint64_t, uint64_t, uint64_t);
typedef uint64_t FnE0(void *), FnE1(void *, uint64_t), FnE2(void *, uint64_t, uint64_t),
    FnE3(void *, uint64_t, uint64_t, uint64_t),
    FnE4(void *, uint64_t, uint64_t, uint64_t, uint64_t);
typedef void Vn0(void), Vn1(uint64_t), Vn2(uint64_t, uint64_t),
    Vn3(uint64_t, uint64_t, uint64_t), Vn4(uint64_t, uint64_t, uint64_t, uint64_t);
typedef void VnE0(void *), VnE1(void *, uint64_t), VnE2(void *, uint64_t, uint64_t),
    VnE3(void *, uint64_t, uint64_t, uint64_t),
    VnE4(void *, uint64_t, uint64_t, uint64_t, uint64_t);

static NOINLINE uint64_t call_direct(HelperFn *fn, unsigned shape, void *env, const uint64_t *a)
{
    switch (shape) {
    case 0: ((Vn0 *)fn)(); return 0;
    case 1: return ((Fn0 *)fn)();
    case 2: ((VnE0 *)fn)(env); return 0;
    case 3: return ((FnE0 *)fn)(env);
    case 4: ((Vn1 *)fn)(a[0]); return 0;
    case 5: return ((Fn1 *)fn)(a[0]);
    case 6: ((VnE1 *)fn)(env, a[0]); return 0;
    case 7: return ((FnE1 *)fn)(env, a[0]);
    case 8: ((Vn2 *)fn)(a[0], a[1]); return 0;
    case 9: return ((Fn2 *)fn)(a[0], a[1]);
    case 10: ((VnE2 *)fn)(env, a[0], a[1]); return 0;
    case 11: return ((FnE2 *)fn)(env, a[0], a[1]);
    case 12: ((Vn3 *)fn)(a[0], a[1], a[2]); return 0;
    case 13: return ((Fn3 *)fn)(a[0], a[1], a[2]);
    case 14: ((VnE3 *)fn)(env, a[0], a[1], a[2]); return 0;
    case 15: return ((FnE3 *)fn)(env, a[0], a[1], a[2]);
    case 16: ((Vn4 *)fn)(a[0], a[1], a[2], a[3]); return 0;
    case 17: return ((Fn4 *)fn)(a[0], a[1], a[2], a[3]);
    case 18: ((VnE4 *)fn)(env, a[0], a[1], a[2], a[3]); return 0;
    case 19: return ((FnE4 *)fn)(env, a[0], a[1], a[2], a[3]);
    default: unreachable();
    }
}

static void enter_helper(void *arg) { helper_call(arg); }

static NOINLINE uint64_t call_any(const uint32_t *pc, void *env, const InterpHost *host,
                                  const uint64_t *t)
{
    HelperCall c;

    c.helper = (const Helper *)(uintptr_t)quad_at(pc + 1);
    c.cif = (const HelperCif *)(uintptr_t)quad_at(pc + 3);
    c.env = env;
    for (unsigned i = 0; i < IR_MAX_ARGS; i++) {
        c.arg[i] = t[pc[5 + i / 4] >> (8 * (i % 4)) & 0xff];
    }
    host->heavy(env, enter_helper, &c);
    return c.ret;
}

#define D (pc[0] >> 16)
#define LO(n) (pc[n] & 0xffff)
#define HI(n) (pc[n] >> 16)
#define IMM(n) ((uint64_t)(int64_t)(int32_t)pc[n])
#define NEXT(words) \
    do {            \
        pc += (words); \
        goto *labels[(uint16_t)*pc]; \
    } while (0)

uint64_t interp_run(const uint32_t *code, void *env, const InterpHost *host)
{
    static const void *const labels[IO_NOPS] = {
#define X(name, words) &&do_##name,
        INTERP_OPS(X)
#undef X
#define L_un(name) &&do_##name##_1, &&do_##name##_2, &&do_##name##_4, &&do_##name##_8,
#define L_bin(name) L_un(name) L_un(name##_i)
#define L_ctl(name)
#define X(name, class, ...) L_##class(name)
        IR_OPS(X)
#undef X
#define X(name, ...) &&do_br_##name, &&do_br_##name##_i,
        IR_CONDS(X)
#undef X
    };
    uint64_t t[INTERP_SLOTS];
    const uint32_t *pc = code;

    NEXT(0);

    /* ---- ends and calls ---- */
do_exit:
    return D;
do_xop:
    if (unlikely(((IrXopFn *)(uintptr_t)quad_at(pc + 1))(env, (void *)(uintptr_t)quad_at(pc + 3)))) {
        return 0;
    }
    NEXT(5);
do_xop_exit:
    ((IrXopFn *)(uintptr_t)quad_at(pc + 1))(env, (void *)(uintptr_t)quad_at(pc + 3));
    return 0;
do_add_xop:
    env_at(env, pc[1])->u64 += IMM(2);
    if (unlikely(((IrXopFn *)(uintptr_t)quad_at(pc + 3))(env, (void *)(uintptr_t)quad_at(pc + 5)))) {
        return 0;
    }
    NEXT(7);
do_call_direct: {
    uint64_t a[4];
    for (unsigned i = 0; i < 4; i++) {
        a[i] = t[pc[4] >> (8 * i) & 0xff];
    }
    t[D] = call_direct((HelperFn *)(uintptr_t)quad_at(pc + 1), pc[3], env, a);
    NEXT(5);
}
do_call:
    t[D] = call_any(pc, env, host, t);
    NEXT(7);

    /* ---- moves ---- */
do_get:
    t[D] = env_at(env, pc[1])->u64;
    NEXT(2);
do_put:
    env_at(env, pc[1])->u64 = t[D];
    NEXT(2);
do_mov:
    t[D] = t[pc[1]];
    NEXT(2);
do_seti:
    t[D] = IMM(1);
    NEXT(2);
do_setq:
    t[D] = quad_at(pc + 1);
    NEXT(3);
do_env_mov:
    env_at(env, pc[1])->u64 = env_at(env, pc[2])->u64;
    NEXT(3);
do_env_mov4:
    env_at(env, pc[1])->u64 = (uint32_t)env_at(env, pc[2])->u64;
    NEXT(3);
do_env_setq:
    env_at(env, pc[1])->u64 = quad_at(pc + 2);
    NEXT(4);
do_env_add:
    env_at(env, pc[1])->u64 = env_at(env, pc[2])->u64 + IMM(3);
    NEXT(4);
do_env_add4:
    env_at(env, pc[1])->u64 = (uint32_t)(env_at(env, pc[2])->u64 + IMM(3));
    NEXT(4);
do_env_add_exit:
    env_at(env, pc[1])->u64 = env_at(env, pc[2])->u64 + IMM(3);
    return D;
do_ld1:
    t[D] = env_at(env, pc[1])->u8;
    NEXT(2);
do_ld2:
    t[D] = env_at(env, pc[1])->u16;
    NEXT(2);
do_ld4:
    t[D] = env_at(env, pc[1])->u32;
    NEXT(2);
do_ld1s:
    t[D] = (uint64_t)(int8_t)env_at(env, pc[1])->u8;
    NEXT(2);
do_ld2s:
    t[D] = (uint64_t)(int16_t)env_at(env, pc[1])->u16;
    NEXT(2);
do_ld4s:
    t[D] = (uint64_t)(int32_t)env_at(env, pc[1])->u32;
    NEXT(2);
do_st1:
    env_at(env, pc[1])->u8 = (uint8_t)t[D];
    NEXT(2);
do_st2:
    env_at(env, pc[1])->u16 = (uint16_t)t[D];
    NEXT(2);
do_st4:
    env_at(env, pc[1])->u32 = (uint32_t)t[D];
    NEXT(2);

    /* ---- others with a shape of their own ---- */
do_mulu2: {
    uint64_t a = t[LO(1)], b = t[HI(1)];
    unsigned size = HI(2);
    t[D] = ir_eval_mul(a, b, size);
    t[LO(2)] = ir_eval_mulu2_high(a, b, size);
    NEXT(3);
}
do_deposit:
    t[D] = ir_eval_deposit(t[LO(1)], t[HI(1)], pc[2] & 0xff, pc[2] >> 8);
    NEXT(3);
do_setcond:
    t[D] = ir_eval_cond(pc[2] & 0xff, t[LO(1)], t[HI(1)], pc[2] >> 8);
    NEXT(3);
do_movcond:
    t[D] = t[ir_eval_cond(pc[2] & 0xff, t[LO(1)], t[HI(1)], pc[2] >> 8) ? LO(3) : HI(3)];
    NEXT(4);
do_br:
    pc = code + pc[1];
    NEXT(0);
do_brcond:
    if (ir_eval_cond(D & 0xff, t[LO(1)], t[HI(1)], D >> 8)) {
        pc = code + pc[2];
        NEXT(0);
    }
    NEXT(3);
do_env_br_tsteq:
    if (!(env_at(env, pc[1])->u64 & IMM(2))) {
        pc = code + pc[3];
        NEXT(0);
    }
    NEXT(4);
do_env_br_tstne:
    if (env_at(env, pc[1])->u64 & IMM(2)) {
        pc = code + pc[3];
        NEXT(0);
    }
    NEXT(4);

    /* ---- by the lists ---- */
#define DO_un_size(name, size) \
    do_##name##_##size:        \
    t[D] = ir_eval_##name(t[pc[1]], size); \
    NEXT(2);
#define DO_bin_size(name, size) \
    do_##name##_##size:         \
    t[D] = ir_eval_##name(t[LO(1)], t[HI(1)], size); \
    NEXT(2);                    \
    do_##name##_i_##size:       \
    t[D] = ir_eval_##name(t[pc[1]], IMM(2), size); \
    NEXT(3);
#define DO_un(name) \
    DO_un_size(name, 1) DO_un_size(name, 2) DO_un_size(name, 4) DO_un_size(name, 8)
#define DO_bin(name) \
    DO_bin_size(name, 1) DO_bin_size(name, 2) DO_bin_size(name, 4) DO_bin_size(name, 8)
#define DO_ctl(name)
#define X(name, class, ...) DO_##class(name)
    IR_OPS(X)
#undef X
#define X(name, ...)                                   \
    do_br_##name:                                      \
    if (ir_eval_cond(IRC_##name, t[LO(1)], t[HI(1)], 8)) { \
        pc = code + pc[2];                             \
        NEXT(0);                                       \
    }                                                  \
    NEXT(3);                                           \
    do_br_##name##_i:                                  \
    if (ir_eval_cond(IRC_##name, t[D], IMM(1), 8)) {   \
        pc = code + pc[2];                             \
        NEXT(0);                                       \
    }                                                  \
    NEXT(3);
    IR_CONDS(X)
#undef X
}

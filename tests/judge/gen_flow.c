/* SPDX-License-Identifier: MIT */
/*
 * Units of several instructions: branches of every kind with something to skip or repeat,
 * calls and returns, also through memory, frames, runs of accesses through one register,
 * flags through the stack, bytes that must not decode.
 */
#include <string.h>

#include "target-x86/decode.h"
#include "tests/judge/gen_flow.h"

static void put1(unsigned a)
{
    uint8_t b[1] = { a };
    gen_put(b, 1);
}

static void put2(unsigned a, unsigned b)
{
    uint8_t t[2] = { a, b };
    gen_put(t, 2);
}

/* n harmless instructions, not run. Returns their bytes. */
static unsigned put_harmless(unsigned n)
{
    uint32_t from = gen_cursor();
    uint8_t b[15];

    for (unsigned i = 0; i < n; i++) {
        unsigned len = gen_harmless(b);
        if (len) {
            gen_put(b, len);
        }
    }
    return gen_cursor() - from;
}

/* Changes bytes that were put before. */
static void patch(uint32_t at, const void *bytes, unsigned n)
{
    memcpy(gen.c->code + (at - gen.c->start), bytes, n);
    rig_put_code(at, bytes, n);
}

static void patch_rel8(uint32_t at)
{
    int8_t d = gen_cursor() - at - 1;
    patch(at, &d, 1);
}

static bool is16(void)
{
    return gen.c->mode == JUDGE_16;
}

/* What conditions read, by half their number. */
static const uint16_t uses[8] = { FL_OF,         FL_CF,
                                  FL_ZF,         FL_CF | FL_ZF,
                                  FL_SF,         FL_PF,
                                  FL_SF | FL_OF, FL_SF | FL_OF | FL_ZF };

/* Jcc, SETcc's cousins: forward over a few instructions. */
void flow_forward(void)
{
    unsigned kind = gen_rand() % 8;

    if (kind < 4) { /* Jcc rel8 */
        unsigned cc = gen_rand() & 15;
        if (!gen_define_flags(uses[cc >> 1])) {
            return;
        }
        if (kind < 3 || is16()) {
            put2(0x70 | cc, 0);
        } else { /* rel32 */
            uint8_t b[6] = { 0x0f, 0x80 | cc };
            gen_put(b, 6);
            uint32_t at = gen_cursor() - 4;
            unsigned n = put_harmless(1 + gen_rand() % 3);
            patch(at, &n, 4);
            gen_run();
            return;
        }
    } else if (kind == 4) { /* JRCXZ, LOOP, LOOPE, LOOPNE forward */
        unsigned op = 0xe0 + gen_rand() % 4;
        if (op < 0xe2 && !gen_define_flags(FL_ZF)) {
            return;
        }
        if (gen_rand() & 1 && !gen_set(R_CX, gen_rand() % 3)) {
            return;
        }
        if (gen_rand() & 1) {
            uint8_t b[3] = { 0x67, op, 0 };
            gen_put(b, 3);
        } else {
            put2(op, 0);
        }
    } else { /* JMP over bytes that are never run */
        if (gen_rand() & 1 || is16()) {
            put2(0xeb, 0);
        } else {
            uint8_t b[5] = { 0xe9 };
            unsigned n = gen_rand() % 12;
            memcpy(b + 1, &n, 4);
            gen_put(b, 5);
            for (unsigned i = 0; i < n; i++) {
                put1(gen_rand() >> 20);
            }
            gen_run();
            return;
        }
    }
    uint32_t at = gen_cursor() - 1;
    put_harmless(1 + gen_rand() % 3);
    patch_rel8(at);
    gen_run();
}

/* A counted loop. */
void flow_loop(void)
{
    if (!gen_set(R_CX, 1 + gen_rand() % 12)) {
        return;
    }
    uint32_t top = gen_cursor();
    put_harmless(1 + gen_rand() % 3);
    if (gen.c->mode == JUDGE_64 && gen_rand() & 1) {
        gen_put((const uint8_t *)"\x48\xff\xc9", 3); /* dec rcx; jnz */
        int8_t d = top - gen_cursor() - 2;
        put2(0x75, (uint8_t)d);
    } else {
        int8_t d = top - gen_cursor() - 2;
        put2(0xe2, (uint8_t)d);
    }
    gen_run();
}

/* push r; pop r */
static void put_push(unsigned r)
{
    uint8_t b[2] = { 0x41, 0x50 | (r & 7) };
    gen_put(r > 7 ? b : b + 1, r > 7 ? 2 : 1);
}

static void put_pop(unsigned r)
{
    uint8_t b[2] = { 0x41, 0x58 | (r & 7) };
    gen_put(r > 7 ? b : b + 1, r > 7 ? 2 : 1);
}

static unsigned any_reg(void)
{
    unsigned r = gen_rand() % (gen.c->mode == JUDGE_64 ? 16 : 8);
    return r == R_SP ? R_AX : r;
}

/* RET or RET n at the end of a called piece. */
static void put_ret(void)
{
    if (gen_chance(3)) {
        uint8_t b[3] = { 0xc2, 8 * (gen_rand() % 4), 0 };
        gen_put(b, 3);
    } else {
        put1(0xc3);
    }
}

/* call +2; jmp over; piece; ret; over: */
void flow_call(void)
{
    unsigned r = any_reg();

    if (gen_rand() & 1) { /* through a register */
        uint8_t b[3] = { 0x41, 0xff, 0xd0 | (r & 7) };
        unsigned n = r > 7 ? 3 : 2, set = gen.c->mode == JUDGE_64 ? 10 : 5 + is16();
        uint32_t base = is16() ? CODE_BASE : 0;
        /* the length of the MOV depends on the value's form: the longest is used */
        uint8_t m[10] = { 0x48 | r >> 3, 0xb8 | (r & 7) };
        uint64_t to = gen_cursor() + set + n + 2 - base;
        if (gen.c->mode == JUDGE_64) {
            memcpy(m + 2, &to, 8);
        } else {
            m[0] = is16() ? 0x66 : 0xb8 | r;
            memcpy(m + 1 + is16(), &to, 4);
        }
        gen_put(m, set);
        gen_put(r > 7 ? b : b + 1, n);
    } else if (is16()) {
        gen_put((const uint8_t *)"\xe8\x02\x00", 3);
    } else {
        gen_put((const uint8_t *)"\xe8\x02\x00\x00\x00", 5);
    }
    put2(0xeb, 0);
    uint32_t at = gen_cursor() - 1;
    put_harmless(gen_rand() % 3);
    put_ret();
    patch_rel8(at);
    gen_run();
}

/* Returns that were not called: push target; ret. JMP r. Half of them to one of two places,
 * by a condition. */
void flow_indirect(void)
{
    unsigned r = any_reg(), r2 = any_reg(), kind = gen_rand() % 3, cc = gen_rand() & 15;
    uint64_t v = gen_rand();
    bool two = v >> 32 & 1 && r != r2;
    uint32_t at2 = 0;

    if (gen.c->mode != JUDGE_64 || (two && !gen_define_flags(uses[cc >> 1]))) {
        return;
    }
    uint8_t lea[7] = { 0x48 | (r > 7) << 2, 0x8d, 0x05 | (r & 7) << 3, 0 };
    uint8_t jmp[3] = { 0x41, 0xff, 0xe0 | (r & 7) };
    gen_put(lea, 7);
    uint32_t at = gen_cursor() - 4;
    if (two) { /* lea r2, [near]; cmovcc r, r2 */
        uint8_t lea2[7] = { 0x48 | (r2 > 7) << 2, 0x8d, 0x05 | (r2 & 7) << 3, 0 };
        uint8_t cmov[4] = { 0x48 | (r > 7) << 2 | (r2 > 7), 0x0f, 0x40 | cc,
                            0xc0 | (r & 7) << 3 | (r2 & 7) };
        gen_put(lea2, 7);
        at2 = gen_cursor() - 4;
        gen_put(cmov, 4);
    }
    if (kind == 0) {
        gen_put(r > 7 ? jmp : jmp + 1, r > 7 ? 3 : 2);
    } else {
        put_push(r);
        if (kind == 1) {
            put1(0xc3);
        } else { /* jmp [rsp] */
            gen_put((const uint8_t *)"\xff\x24\x24", 3);
        }
    }
    for (unsigned i = 0; i < v % 5; i++) {
        put1(gen_rand() >> 20);
    }
    uint32_t d = gen_cursor() - at2 - 4;
    if (two) {
        patch(at2, &d, 4);
        put_harmless(1 + v % 2);
    }
    d = gen_cursor() - at - 4;
    patch(at, &d, 4);
    gen_run();
}

/* Far transfers within the mode: RETF, IRET, JMP and CALL through memory, direct ones. */
void flow_far(void)
{
    static const uint8_t rex = 0x48;
    bool wide = gen.c->mode == JUDGE_64;
    unsigned kind = gen_rand() % (wide ? 3 : 5);
    uint16_t cs = rig_cpu()->st.seg[R_CS].selector;
    uint32_t base = is16() ? CODE_BASE : 0;

    if (is16()) {
        return;
    }
    if (kind >= 3) { /* jmp, call far imm */
        uint8_t b[7] = { kind == 3 ? 0xea : 0x9a };
        uint32_t to = gen_cursor() + 7;
        memcpy(b + 1, &to, 4);
        memcpy(b + 5, &cs, 2);
        gen_put(b, 7);
        gen_run();
        return;
    }
    if (!gen_define_flags(FL_STATUS)) { /* IRET's image holds them all */
        return;
    }
    /* the target is patched in when it is known: mov eax, target */
    uint8_t mov[5] = { 0xb8 };
    gen_put(mov, 5);
    uint32_t at = gen_cursor() - 4;
    if (kind == 0) { /* push cs; push rax; retf */
        put2(0x6a, cs);
        put1(0x50);
        uint8_t ret[4] = { rex, 0xcb, 8, 0 };
        unsigned more = gen_rand() & 1 ? 2 : 0;
        ret[1] = more ? 0xca : 0xcb;
        gen_put(ret + !wide, 2 - !wide + more);
    } else if (kind == 1) { /* iret */
        if (wide) {
            gen_put((const uint8_t *)"\x6a\x2b", 2);
            gen_put((const uint8_t *)"\x54", 1);
        }
        put1(0x9c);
        put2(0x6a, cs);
        put1(0x50);
        if (wide) {
            put2(rex, 0xcf);
        } else {
            put1(0xcf);
        }
    } else { /* mov [rsp-16], eax; mov word [rsp-12], cs; jmp far [rsp-16] */
        gen_put((const uint8_t *)"\x89\x44\x24\xf0", 4);
        uint8_t w[7] = { 0x66, 0xc7, 0x44, 0x24, 0xf4, cs, cs >> 8 };
        gen_put(w, 7);
        gen_put(
            (const uint8_t *)(gen_rand() & 1 ? "\xff\x6c\x24\xf0" : "\xff\x5c\x24\xf0"),
            4);
    }
    uint32_t to = gen_cursor() - base;
    patch(at, &to, 4);
    gen_run();
}

/* push flags; popf, sometimes with single step, alignment checks */
void flow_popf(void)
{
    uint32_t v = gen_rand() & (FL_STATUS | FL_DF | FL_ID);
    uint8_t b[5] = { 0x68 };

    v |= gen_chance(12) ? FL_AC : 0;
    v |= gen_chance(12) ? FL_NT : 0;
    bool step = gen_chance(12);
    v |= step ? FL_TF : 0;
    v = gen_chance(12) ? (uint32_t)gen_rand() & ~FL_TF : v;
    memcpy(b + 1, &v, 4);
    gen_put(b, is16() ? 3 : 5);
    put1(0x9d);
    if (step) {
        put1(0x90);
    }
    gen_run();
}

/* mov/add/cmp between registers and [base+d8] */
static void put_field(unsigned base, unsigned reg, int8_t d)
{
    static const uint8_t ops[] = { 0x8b, 0x89, 0x03, 0x01, 0x8b, 0x89, 0x3b };
    uint8_t b[5], n = 0;

    if (gen.c->mode == JUDGE_64) {
        b[n++] = (gen_rand() & 1 ? 0x48 : 0x40) | (reg > 7) << 2 | (base > 7);
    }
    b[n++] = ops[gen_rand() % sizeof(ops)];
    b[n++] = 0x40 | (reg & 7) << 3 | (base & 7);
    if ((base & 7) == 4) {
        b[n++] = 0x24;
    }
    b[n++] = d;
    gen_put(b, n);
}

/* Accesses through one register or the stack pointer: what check groups are made of. */
void flow_fields(void)
{
    unsigned base = any_reg(), n = 2 + gen_rand() % 6, pushed = 0;
    bool stack = gen_rand() & 1;

    if (is16()) {
        return;
    }
    uint64_t at = RW_BASE + (gen_rand() & 1 ? RW_PLAIN + 0x80 : 0xfc0) + gen_rand() % 64;
    at = gen_chance(30) ? RW_BASE + RW_SIZE - 64 + gen_rand() % 64 : at;
    if (!stack && !gen_set(base, gen_place(at))) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned reg = any_reg();
        if (!stack) {
            put_field(base, reg == base ? (base ? R_AX : R_CX) : reg,
                      gen_rand() % 128 - 64);
        } else if (gen_rand() & 1) {
            put_push(reg);
            pushed++;
        } else if (pushed && gen_rand() & 1) {
            put_pop(reg);
            pushed--;
        } else {
            put_field(R_SP, reg, 8 * (gen_rand() % 16));
        }
    }
    if (pushed) {
        uint8_t b[4] = { 0x48, 0x83, 0xc4, 8 * pushed }; /* add rsp, n */
        gen_put(gen.c->mode == JUDGE_64 ? b : b + 1, gen.c->mode == JUDGE_64 ? 4 : 3);
    }
    gen_run();
}

/* [base + index * 2^scale + d] of an instruction that was written up to its ModRM byte,
 * which has `ext` in its reg field. index 4: none. Returns the bytes. */
static unsigned put_sib(uint8_t *b, unsigned ext, unsigned base, unsigned index,
                        unsigned scale, int8_t d)
{
    b[0] = 0x44 | ext << 3;
    b[1] = scale << 6 | (index & 7) << 3 | (base & 7);
    b[2] = d;
    return 3;
}

/* push r ...; mov [where], over or piece; call or jmp [where]. The stack pointer is often the
 * base: the push that is part of the call then comes after pushes that stand before it. */
void flow_memory_target(void)
{
    bool wide = gen.c->mode == JUDGE_64, stack = gen_rand() & 1, call = gen_rand() % 4;
    unsigned pushed = gen_rand() % 3, base = stack ? R_SP : any_reg(), index = 4;
    unsigned scale = gen_rand() % 4, n = 0;
    uint8_t b[16];

    if (is16()) {
        return;
    }
    if (gen_rand() % 3 == 0) {
        index = any_reg();
        if (index == base || !gen_set(index, gen_rand() % 8)) {
            return;
        }
    }
    uint64_t at = gen_rand() & 1 ? RW_PLAIN + 0x80 + gen_rand() % 64 : 0xfc0;
    if (!stack && !gen_set(base, gen_place(RW_BASE + at))) {
        return;
    }
    for (unsigned i = 0; i < pushed; i++) {
        put_push(any_reg());
    }
    if (gen_rand() & 1) {
        put_field(R_SP, index == R_AX ? R_CX : R_AX, 8 * (gen_rand() % 16));
    }
    int8_t d = 8 * (gen_rand() % 8) - 16;
    unsigned rex = (base > 7) | (index > 7 ? 2 : 0); /* in 32-bit code there are none */
    if (wide) {
        b[n++] = 0x48 | rex;
    }
    b[n++] = 0xc7;
    n += put_sib(b + n, 0, base, index, scale, d);
    memset(b + n, 0, 4);
    gen_put(b, n + 4);
    uint32_t to = gen_cursor() - 4, target;
    if (gen_rand() & 1) { /* flags that live over it */
        b[0] = 0x38; /* cmp r8, r8 */
        b[1] = 0xc0 | gen_rand() % 64;
        gen_put(b, 2);
    }
    n = 0;
    if (rex) {
        b[n++] = 0x40 | rex;
    }
    b[n++] = 0xff;
    n += put_sib(b + n, call ? 2 : 4, base, index, scale, d);
    gen_put(b, n);
    if (call) {
        put2(0xeb, 0);
        uint32_t skip = gen_cursor() - 1;
        target = gen_cursor();
        put_harmless(gen_rand() % 3);
        put_ret();
        patch_rel8(skip);
    } else {
        put1(gen_rand() >> 20);
        target = gen_cursor();
    }
    patch(to, &target, 4);
    if (pushed && gen_rand() & 1) {
        uint8_t add[4] = { 0x48, 0x83, 0xc4, 8 * pushed }; /* add rsp, n */
        gen_put(wide ? add : add + 1, wide ? 4 : 3);
    }
    gen_run();
}

/* lea rsp, [rsp + d] or [r + d] */
static void put_lea_sp(unsigned base, int8_t d)
{
    uint8_t b[5] = { 0x48 | base >> 3, 0x8d, 0x60 | (base & 7), 0x24, d };
    if ((base & 7) != 4) {
        b[3] = d;
    }
    gen_put(b, (base & 7) == 4 ? 5 : 4);
}

/* A frame: rsp is kept in a register, moved by SUB, LEA or AND, used, and brought back by MOV,
 * LEA or LEAVE. */
void flow_frame(void)
{
    unsigned r = gen_rand() & 1 ? R_BP : any_reg(), kind = gen_rand() % 4;
    uint8_t mov[3] = { 0x48 | r >> 3, 0x89, 0xe0 | (r & 7) }; /* mov r, rsp; mov rsp, r */
    uint8_t back[3] = { 0x48 | (r > 7) << 2, 0x89, 0xc4 | (r & 7) << 3 };
    unsigned n = 1 + gen_rand() % 4;

    if (gen.c->mode != JUDGE_64) {
        return;
    }
    if (gen_rand() & 1) {
        put_push(any_reg());
    }
    gen_put(mov, 3);
    if (kind == 0) {
        put_lea_sp(R_SP, -8 * (int)(1 + gen_rand() % 12));
    } else if (kind == 1) {
        put_lea_sp(r, -8 * (int)(1 + gen_rand() % 12));
    } else if (kind == 2) {
        gen_put((const uint8_t *)"\x48\x83\xe4\xf0", 4); /* and rsp, -16 */
    } else {
        uint8_t sub[4] = { 0x48, 0x83, 0xec, 8 * (1 + gen_rand() % 12) };
        gen_put(sub, 4);
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned reg = any_reg();
        reg = reg == r ? (r ? R_AX : R_CX) : reg;
        switch (gen_rand() % 3) {
        case 0: put_push(reg); break;
        case 1: put_field(R_SP, reg, 8 * (gen_rand() % 8)); break;
        default: put_field(r, reg, 8 * (gen_rand() % 8) - 32); break;
        }
    }
    if (r == R_BP && gen_rand() & 1) {
        put_push(R_AX);
        put1(0xc9); /* leave: rbp is what lies there */
    } else if (gen_rand() & 1) {
        put_lea_sp(r, 8 * (gen_rand() % 4) - 16);
        put_push(any_reg());
    } else {
        gen_put(back, 3);
    }
    if (gen_rand() & 1) {
        put_field(R_SP, any_reg(), 8 * (gen_rand() % 8));
    }
    gen_run();
}

/* Bytes that are no instruction: LOCK where it may not be, opcodes that 64-bit code lost. */
void flow_undefined(void)
{
    static const uint8_t lost[] = { 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f,
                                    0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82,
                                    0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea };
    uint8_t b[16] = { 0xf0 };
    X86Insn in;

    if (gen.c->mode == JUDGE_64 && gen_rand() & 1) {
        b[0] = lost[gen_rand() % sizeof(lost)];
        gen_put(b, 1);
        gen_run();
        return;
    }
    unsigned n = gen_harmless(b + 1);
    if (n && n < 14 &&
        x86_decode(&in, b, 15, rig_cpu()->hflags, rig_features()) == X86_DEC_UD) {
        gen_put(b, n + 1);
        gen_run();
    }
}

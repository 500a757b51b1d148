/* SPDX-License-Identifier: MIT */
/*
 * System instructions that kernels execute often enough to be worth host code: interrupt
 * flag, flags image, SMAP window, SWAPGS. For CPL 0 only (part of the block key), so no
 * privilege checks are left. Everything unusual goes to the reference function.
 */
#include "hw/core/machine.h"
#include "target-x86/native.h"
#include "target-x86/native_sys.h"
#include "target-x86/template.h"

#define ENV_ST(f) ((int32_t)offsetof(X86State, f))
#define STATUS_AND_DEBUG (FL_STATUS | FL_RF | FL_VM)

static void alu_rr32(Enc *e, int alu, int d, int s)
{
    Op op = { .opcode = alu << 3 | 1 };
    enc_op(e, &op, s, rm_reg(d));
}

static void cli(Tmpl *t)
{
    tmpl_before_check(t, &t->insns[t->i]);
    enc_alu_mi32(&t->e, ALU_AND, rm_env(ENV_ST(rflags)), ~FL_IF);
}

/* Status flags out of env->cc, the rest out of rflags. */
void tmpl_flags_image(Tmpl *t)
{
    Enc *e = &t->e;

    tmpl_save_flags(t);
    tmpl_load_cc(e, S2);
    enc_mov_rr32(e, S1, S2);
    enc_shift_ri(e, 5, S1, 8, false);
    enc_alu_ri(e, ALU_AND, S1, FL_STATUS & 0xff, false);
    enc_alu_ri(e, ALU_AND, S2, 1, false);
    enc_shift_ri(e, 4, S2, 11, false);
    alu_rr32(e, ALU_OR, S1, S2);
    enc_load32(e, S2, rm_env(ENV_ST(rflags)));
    enc_alu_ri(e, ALU_AND, S2, ~STATUS_AND_DEBUG, false);
    alu_rr32(e, ALU_OR, S2, S1);
    enc_store(e, rm_env(ENV_F(scratch)), S2);
}

static void pushf(Tmpl *t)
{
    Enc *e = &t->e;

    tmpl_flags_image(t);
    enc_lea(e, S1, rm_mem(GSP, -8), true);
    tmpl_check(t, 8 | MEM_WRITE);
    enc_load(e, S2, rm_env(ENV_F(scratch)));
    enc_store(e, rm_mem(S1, 0), S2);
    enc_lea(e, GSP, rm_mem(GSP, -8), true);
}

/* If nothing but status flags and IF change, and no request waits if IF is set: here. */
void tmpl_popf(Tmpl *t, const X86Insn *in)
{
    static const Op test = { .opcode = 0xf7, .imm_len = 4 }, xor = {
        .opcode = 0x31
    };
    static const Op or_m = { .opcode = 0x09 };
    Enc *e = &t->e;
    uint32_t slow[2];

    uint32_t image = in->opsize == 2 ? 0xffff : ~0u;
    tmpl_save_flags(t);
    if (t->legacy) {
        static const Op movzx16 = { .map = 1, .opcode = 0xb7 }, mov32 = { .opcode = 0x8b };
        Rm m = tmpl_based(t, R_SP, 0, in->opsize);
        enc_op(e, in->opsize == 2 ? &movzx16 : &mov32, S1, m);
    } else {
        enc_mov_rr(e, S1, GSP);
        tmpl_check(t, 8);
        enc_load(e, S1, rm_mem(S1, 0));
    }
    enc_load32(e, S2, rm_env(ENV_ST(rflags)));
    enc_op(e, &xor, S1, rm_reg(S2));
    enc_op(e, &test, 0, rm_reg(S2));
    enc_u32(e, (FL_TF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC | FL_VIF | FL_VIP |
                FL_ID) & image);
    slow[0] = enc_jcc(e, CC_NE);
    enc_op(e, &test, 0, rm_reg(S1));
    enc_u32(e, FL_IF);
    uint32_t no_if = enc_jcc(e, CC_E);
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, request)), 0);
    slow[1] = enc_jcc(e, CC_NE);
    enc_patch(e, no_if, e->off);
    if (t->legacy && !(t->tb->mode & HF_SS32)) {
        static const Op lea16 = { .prefix = 0x66, .opcode = 0x8d };
        enc_op(e, &lea16, GSP, rm_mem(GSP, in->opsize));
    } else {
        enc_lea(e, GSP, rm_mem(GSP, in->opsize), !t->legacy);
    }
    /* cc = (image & 0xff) << 8 | OF */
    enc_mov_rr32(e, S2, S1);
    enc_shift_ri(e, 5, S2, 11, false);
    enc_alu_ri(e, ALU_AND, S2, 1, false);
    enc_store32(e, rm_env(ENV_F(cc)), S2);
    enc_mov_rr32(e, S2, S1);
    enc_alu_ri(e, ALU_AND, S2, 0xff, false);
    enc_shift_ri(e, 4, S2, 8, false);
    enc_op(e, &or_m, S2, rm_env(ENV_F(cc)));
    enc_alu_ri(e, ALU_AND, S1, FL_IF, false);
    enc_alu_mi32(e, ALU_AND, rm_env(ENV_ST(rflags)), ~FL_IF);
    enc_op(e, &or_m, S1, rm_env(ENV_ST(rflags)));
    tmpl_exit_to(t, tmpl_next_off(t, (int64_t)t->off + in->len));
    for (unsigned i = 0; i < 2; i++) {
        enc_patch(e, slow[i], e->off);
    }
    tmpl_call_exec(t, in, true);
}

static void set_ac(Tmpl *t, bool on)
{
    Enc *e = &t->e;
    unsigned mmu = on ? X86_MMU_KERNEL_AC : X86_MMU_KERNEL;
    Op mov8 = { .opcode = 0xc6, .imm_len = 1 };

    tmpl_before_check(t, &t->insns[t->i]);
    if (on) {
        enc_alu_mi32(e, ALU_OR, rm_env(ENV_ST(rflags)), FL_AC);
    } else {
        enc_alu_mi32(e, ALU_AND, rm_env(ENV_ST(rflags)), ~FL_AC);
    }
    enc_op(e, &mov8, 0, rm_env(offsetof(X86Cpu, mmu_idx)));
    enc_u8(e, mmu);
    enc_load(e, S2, rm_env(tmpl_env_off(offsetof(TcgEnv, tlb_rd) + 8 * mmu)));
    enc_store(e, rm_env(ENV_F(rd)), S2);
    enc_load(e, S2, rm_env(tmpl_env_off(offsetof(TcgEnv, tlb_wr) + 8 * mmu)));
    enc_store(e, rm_env(ENV_F(wr)), S2);
}

/* With nothing pending STI is a bit set; the boundary behind it is marked, so that nobody
 * leaves there (no interrupt before the next instruction has ended, SDM vol. 2, STI). */
static void sti(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;

    tmpl_save_flags(t);
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, request)), 0);
    uint32_t quiet = enc_jcc(e, CC_E);
    tmpl_call_exec(t, in, false);
    enc_patch(e, quiet, e->off);
    enc_alu_mi32(e, ALU_OR, rm_env(ENV_ST(rflags)), FL_IF);
    t->shadow_next = true;
}

/* rdtsc(p); shl rdx,32; or rax,rdx; add rax,[tsc_offset]; mov rdx,rax; shr rdx,32;
 * mov eax,eax; RDTSCP: mov ecx,[tsc_aux] */
static void rdtsc(Tmpl *t, bool p)
{
    static const Op or64 = { .opcode = 0x09, .w = true };
    Enc *e = &t->e;

    tmpl_before_check(t, &t->insns[t->i]);
    enc_u8(e, 0x0f);
    enc_u8(e, p ? 0x01 : 0x31);
    if (p) {
        enc_u8(e, 0xf9);
    }
    enc_shift_ri(e, 4, H_RDX, 32, true);
    enc_op(e, &or64, H_RDX, rm_reg(H_RAX));
    enc_alu_rm(e, ALU_ADD, H_RAX, rm_env(ENV_ST(tsc_offset)));
    enc_mov_rr(e, H_RDX, H_RAX);
    enc_shift_ri(e, 5, H_RDX, 32, true);
    enc_mov_rr32(e, H_RAX, H_RAX);
    if (p) {
        enc_load32(e, H_RCX, rm_env(ENV_ST(msr) + offsetof(X86Msrs, tsc_aux)));
    }
}

static bool is_rdtsc(const X86Insn *in, uint32_t mode)
{
    bool plain = in->opcode == 0x31, p = in->opcode == 0x01 && in->modrm == 0xf9;
    return in->row->enc == ENC_LEGACY && in->row->map == MAP_0F && !in->lock &&
           !x86_engine.tapped && (plain || (p && x86_host_has(X86F_RDTSCP))) &&
           (mode & X86_KEY_CPL0 || !(mode & X86_KEY_TSD));
}

static void swapgs(Tmpl *t)
{
    Enc *e = &t->e;
    Rm base = rm_env(ENV_ST(seg) + R_GS * sizeof(X86Seg) + offsetof(X86Seg, base));
    Rm kernel = rm_env(ENV_ST(msr) + offsetof(X86Msrs, kernel_gs_base));

    enc_load(e, S1, base);
    enc_load(e, S2, kernel);
    enc_store(e, base, S2);
    enc_store(e, kernel, S1);
}

/* ---- stack instructions with operands that template_flow.c leaves ---- */

/* The operand is read before the stack is looked at; env keeps it meanwhile. */
static bool push_mem(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;

    tmpl_before_check(t, in);
    if (!tmpl_addr(t, in, true)) {
        return false;
    }
    tmpl_check(t, 8);
    enc_load(e, S1, rm_mem(S1, 0));
    enc_store(e, rm_env(ENV_F(scratch)), S1);
    enc_lea(e, S1, rm_mem(GSP, -8), true);
    tmpl_check(t, 8 | MEM_WRITE);
    enc_load(e, S2, rm_env(ENV_F(scratch)));
    enc_store(e, rm_mem(S1, 0), S2);
    enc_lea(e, GSP, rm_mem(GSP, -8), true);
    return true;
}

static void push_sp(Tmpl *t, const X86Insn *in)
{
    tmpl_before_check(t, in);
    enc_lea(&t->e, S1, rm_mem(GSP, -8), true);
    tmpl_check(t, 8 | MEM_WRITE);
    enc_store(&t->e, rm_mem(S1, 0), GSP);
    enc_lea(&t->e, GSP, rm_mem(GSP, -8), true);
}

static void pop_sp(Tmpl *t, const X86Insn *in)
{
    tmpl_before_check(t, in);
    enc_mov_rr(&t->e, S1, GSP);
    tmpl_check(t, 8);
    enc_load(&t->e, GSP, rm_mem(S1, 0));
}

/* S2 = offset of the operand-sized word that the bit register's bit lies in, in words. */
static void bit_word(Tmpl *t, const X86Insn *in)
{
    static const Op movsxd = { .opcode = 0x63, .w = true };
    Enc *e = &t->e;
    unsigned g = in->op[1].reg;

    if (in->opsize == 8) {
        tmpl_get(t, S2, g);
    } else {
        enc_op(e, &movsxd, S2, reg_in_env(g) ? rm_env(ENV_GPR(g)) : rm_reg(host_reg(g)));
    }
    enc_shift_ri(e, 7, S2, in->opsize == 8 ? 6 : 5, true);
}

/* The word is found and checked first; the instruction itself then runs on a base from
 * which its own bit offset leads to that word again. */
bool tmpl_bit_string(Tmpl *t, const X86Insn *in)
{
    static const Op neg = { .opcode = 0xf7, .w = true };
    Enc *e = &t->e;
    unsigned g = in->op[1].reg, scale = in->opsize == 8 ? 3 : 2;
    bool write = in->opcode != 0xa3;
    Op op = { .map = 1,
              .opcode = in->opcode,
              .w = in->opsize == 8,
              .prefix = in->lock ? 0xf0 : 0 };

    /* 67H: the address is cut after the bit's offset was added */
    if (in->opsize == 2 || in->adsize != 8 || t->tb->mode & X86_KEY_WIN ||
        in->op[1].kind != OPND_GPR || x86_engine.exact_flags) {
        return false;
    }
    if (t->legacy && (t->placed || in->seg >= R_FS || in->seg == R_CS || in->adsize == 2)) {
        return false;
    }
    t->group.on = false; /* r11 is needed (and a group does not reach over it) */
    tmpl_before_check(t, in);
    if (t->legacy) {
        tmpl_legacy_ea(t, in);
    } else if (!tmpl_addr(t, in, true)) {
        return false;
    }
    /* flags are saved or dead up to the restore below */
    bit_word(t, in);
    Rm word = { RM_MEM, S1, S2, scale, 0 };
    enc_lea(e, S1, word, !t->legacy);
    tmpl_check(t, in->opsize | (write ? MEM_WRITE : 0));
    bit_word(t, in);
    enc_op(e, &neg, 3, rm_reg(S2));
    enc_lea(e, S1, word, true);
    if (t->in_env) {
        t->map[t->i].flags_in_env |= TBI_OP_ENV;
        tmpl_restore_flags(t);
    }
    if (reg_in_env(g)) {
        enc_load(e, S2, rm_env(ENV_GPR(g)));
    }
    enc_op(e, &op, reg_in_env(g) ? S2 : host_reg(g), rm_mem(S1, 0));
    return true;
}

/* With one vCPU nobody is waited for; with more, every 64th PAUSE goes to the reference
 * function, which gives the host's CPU to whoever is waited for. */
void tmpl_pause(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;

    if (t->cpu->cpu.machine->ncpus < 2 || x86_engine.exact_flags) {
        enc_u8(e, 0xf3);
        enc_u8(e, 0x90);
        return;
    }
    tmpl_save_flags(t);
    enc_alu_mi32(e, ALU_SUB, rm_env(ENV_F(pauses)), 1);
    uint32_t skip = enc_jcc(e, CC_NS);
    tmpl_call_exec(t, in, false);
    enc_patch(e, skip, e->off);
    enc_u8(e, 0xf3);
    enc_u8(e, 0x90);
}

/* Fences order the host's accesses, which are the guest's. */
static bool is_fence(const X86Insn *in)
{
    return in->row->map == MAP_0F && in->opcode == 0xae && in->modrm >= 0xe8 &&
           !in->rep && !in->opsize_prefix && x86_host_has(X86F_SSE2);
}

static void fence(Tmpl *t, const X86Insn *in)
{
    enc_u8(&t->e, 0x0f);
    enc_u8(&t->e, 0xae);
    enc_u8(&t->e, in->modrm);
}

static bool is_string(const X86Insn *in)
{
    return in->row->map == MAP_1 && (in->opcode & ~0xfu) == 0xa0 &&
           in->row->flags & RF_REP;
}

/* ---- segment selectors and bases ---- */

static Rm seg_field(unsigned seg, size_t field)
{
    return rm_env(ENV_ST(seg) + seg * sizeof(X86Seg) + field);
}

static bool mov_from_seg(Tmpl *t, const X86Insn *in)
{
    static const Op movzx16 = { .map = 1, .opcode = 0xb7 };
    static const Op store16 = { .prefix = 0x66, .opcode = 0x89 };
    if (in->op[1].reg > R_GS) {
        return false; /* #UD */
    }
    Rm sel = seg_field(in->op[1].reg, offsetof(X86Seg, selector));
    if (!in->is_mem) {
        unsigned g = in->op[0].reg;
        enc_op(&t->e, &movzx16, S1, sel);
        if (in->opsize == 2) {
            enc_op(&t->e, &store16, S1,
                   reg_in_env(g) ? rm_env(ENV_GPR(g)) : rm_reg(host_reg(g)));
        } else {
            tmpl_put(t, g, S1);
        }
        return true;
    }
    Rm m = rm_mem(S1, 0);
    if (t->legacy) {
        tmpl_legacy_operand(t, in, 2 | MEM_WRITE, &m);
    } else {
        tmpl_before_check(t, in);
        if (!tmpl_addr(t, in, true)) {
            return false;
        }
        tmpl_check(t, 2 | MEM_WRITE);
    }
    enc_op(&t->e, &movzx16, S2, sel);
    enc_op(&t->e, &store16, S2, m);
    return true;
}

/* RD/WR FS/GS BASE at CPL 0 (programs' go through windows): slow if CR4 forbids them or
 * the new base is not canonical. */
static bool fsgsbase(Tmpl *t, const X86Insn *in)
{
    static const Op test_m = { .opcode = 0xf7, .imm_len = 4 };
    Enc *e = &t->e;
    unsigned ext = in->modrm >> 3 & 7;
    Rm base = seg_field(ext & 1 ? R_GS : R_FS, offsetof(X86Seg, base));
    uint32_t slow[2], nslow = 0;

    if (ext > 3 || in->opsize != 8 || in->op[0].kind != OPND_GPR) {
        return false;
    }
    tmpl_save_flags(t);
    enc_op(e, &test_m, 0, rm_env(ENV_ST(cr4)));
    enc_u32(e, CR4_FSGSBASE);
    slow[nslow++] = enc_jcc(e, CC_E);
    if (ext < 2) {
        enc_load(e, S1, base);
        tmpl_put(t, in->op[0].reg, S1);
    } else {
        tmpl_get(t, S1, in->op[0].reg);
        enc_mov_rr(e, S2, S1);
        enc_shift_ri(e, 4, S2, 16, true);
        enc_shift_ri(e, 7, S2, 16, true);
        enc_alu_rm(e, ALU_CMP, S2, rm_reg(S1));
        slow[nslow++] = enc_jcc(e, CC_NE);
        enc_store(e, base, S1);
    }
    uint32_t done = enc_jmp(e);
    for (unsigned i = 0; i < nslow; i++) {
        enc_patch(e, slow[i], e->off);
    }
    tmpl_call_exec(t, in, false);
    enc_patch(e, done, e->off);
    return true;
}

/* Usual case: protection keys on, ECX 0. */
static void rdpkru(Tmpl *t, const X86Insn *in)
{
    static const Op test_m = { .opcode = 0xf7, .imm_len = 4 };
    Enc *e = &t->e;
    uint32_t slow[2];

    tmpl_save_flags(t);
    enc_op(e, &test_m, 0, rm_env(ENV_ST(cr4)));
    enc_u32(e, CR4_PKE);
    slow[0] = enc_jcc(e, CC_E);
    enc_alu_ri(e, ALU_CMP, H_RCX, 0, false);
    slow[1] = enc_jcc(e, CC_NE);
    enc_load32(e, H_RAX, rm_env(ENV_ST(pkru)));
    enc_mov_ri(e, H_RDX, 0);
    uint32_t done = enc_jmp(e);
    enc_patch(e, slow[0], e->off);
    enc_patch(e, slow[1], e->off);
    tmpl_call_exec(t, in, false);
    enc_patch(e, done, e->off);
}

/* ---- SYSCALL, SYSRET (native_sys.c) ---- */

static const uint8_t clobbered[] = { R_AX, R_CX, R_DX, R_SI, R_DI, R_8, R_9 };
static const uint8_t kept[] = { R_BX, R_SP, R_BP, R_12, R_13, R_14 };

/* r11 = argument; comes back if the slow way is to be taken */
static uint32_t fast_thunk(Enc *e, unsigned fn)
{
    uint32_t at = e->off;

    for (unsigned i = 0; i < ARRAY_SIZE(clobbered); i++) {
        enc_store(e, rm_env(ENV_GPR(clobbered[i])), host_reg(clobbered[i]));
    }
    enc_lea(e, H_RDI, rm_env(0), true);
    enc_mov_rr(e, H_RSI, S1);
    enc_lea(e, H_RSP, rm_mem(H_RSP, 8), true);
    tmpl_stack_to_c(e);
    tmpl_fs_to_c(e);
    enc_call_rm(e, rm_env(tmpl_env_off(offsetof(TcgEnv, thunk) + 8 * fn)));
    enc_alu_ri(e, ALU_CMP, H_RAX, 0, true);
    uint32_t slow = enc_jcc(e, CC_E);
    enc_store(e, rm_env(ENV_F(scratch)), H_RAX);
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, exit_request)),
                 0);
    uint32_t leave = enc_jcc(e, CC_NE);
    tmpl_fs_from_c(e);
    for (unsigned i = 0; i < ARRAY_SIZE(clobbered); i++) {
        enc_load(e, host_reg(clobbered[i]), rm_env(ENV_GPR(clobbered[i])));
    }
    enc_load(e, S1, rm_env(ENV_ST(rip)));
    enc_load(e, S2, rm_env(ENV_F(scratch) + 8));
    tmpl_stack_from_c(e);
    enc_jmp_rm(e, rm_env(ENV_F(scratch)));
    enc_patch(e, leave, e->off);
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        enc_store(e, rm_env(ENV_GPR(kept[i])), host_reg(kept[i]));
    }
    enc_jmp_to(e, x86_thunks.leave);
    enc_patch(e, slow, e->off);
    tmpl_fs_from_c(e);
    for (unsigned i = 0; i < ARRAY_SIZE(clobbered); i++) {
        enc_load(e, host_reg(clobbered[i]), rm_env(ENV_GPR(clobbered[i])));
    }
    tmpl_stack_return(e);
    return at;
}

/* r11 = what; comes back with ZF clear if it is done. If somebody wants the vCPU to leave,
 * ZF is set: the reference function finds nothing left to do, and leaving is its thunk's. */
static uint32_t string_thunk(Enc *e)
{
    uint32_t at = e->off;

    for (unsigned i = 0; i < ARRAY_SIZE(clobbered); i++) {
        enc_store(e, rm_env(ENV_GPR(clobbered[i])), host_reg(clobbered[i]));
    }
    enc_lea(e, H_RDI, rm_env(0), true);
    enc_mov_rr(e, H_RSI, S1);
    enc_lea(e, H_RSP, rm_mem(H_RSP, 8), true);
    tmpl_stack_to_c(e);
    tmpl_fs_to_c(e);
    enc_call_rm(e, rm_env(tmpl_env_off(offsetof(TcgEnv, thunk) + 8 * TCG_FN_STRING)));
    tmpl_fs_from_c(e);
    enc_mov_rr(e, S2, H_RAX);
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, exit_request)),
                 0);
    uint32_t stay = enc_jcc(e, CC_E);
    enc_mov_ri(e, S2, 0);
    enc_patch(e, stay, e->off);
    for (unsigned i = 0; i < ARRAY_SIZE(clobbered); i++) {
        enc_load(e, host_reg(clobbered[i]), rm_env(ENV_GPR(clobbered[i])));
    }
    enc_alu_ri(e, ALU_CMP, S2, 0, true);
    tmpl_stack_return(e);
    return at;
}

void tmpl_sys_thunks(Enc *e)
{
    x86_thunks.string = string_thunk(e);
    x86_thunks.syscall = fast_thunk(e, TCG_FN_SYSCALL);
    x86_thunks.sysret = fast_thunk(e, TCG_FN_SYSRET);
}

static void fast_call(Tmpl *t, const X86Insn *in, uint32_t thunk)
{
    enc_call_to(&t->e, thunk);
    tmpl_call_exec(t, in, true);
}

static void syscall_insn(Tmpl *t, const X86Insn *in)
{
    tmpl_save_flags(t);
    enc_load(&t->e, S1, rm_env(ENV_F(vbase)));
    enc_lea(&t->e, S1, rm_mem(S1, (int32_t)(t->off + in->len)), true);
    fast_call(t, in, x86_thunks.syscall);
}

static void sysret_insn(Tmpl *t, const X86Insn *in)
{
    tmpl_save_flags(t);
    enc_mov_rr(&t->e, S1, H_RCX);
    fast_call(t, in, x86_thunks.sysret);
}

static bool mov_from_cr(Tmpl *t, const X86Insn *in)
{
    static const uint16_t at[8] = {
        [0] = offsetof(X86State, cr0),
        [2] = offsetof(X86State, cr2),
        [3] = offsetof(X86State, cr3),
        [4] = offsetof(X86State, cr4),
    };
    unsigned cr = in->op[1].reg;

    if (cr >= ARRAY_SIZE(at) || !at[cr]) {
        return false;
    }
    if (t->legacy) {
        enc_load32(&t->e, S1, rm_env(at[cr]));
    } else {
        enc_load(&t->e, S1, rm_env(at[cr]));
    }
    tmpl_put(t, in->op[0].reg, S1);
    return true;
}

/* A guest address in h becomes the host's, d: what was added; and back. EFLAGS stay in the first. */
static void to_host(Tmpl *t, int h, int d, unsigned k)
{
    enc_load(&t->e, d, rm_env(tmpl_env_off(offsetof(TcgEnv, win_delta) + 8 * k)));
    enc_lea(&t->e, h, (Rm){ RM_MEM, h, d, 0, 0, 0 }, true);
}

/* REP MOVS, REP STOS with windows: the host's own, if both pointers lie in a range, DF is 0 and at
 * most STRING_MOST bytes move. A guest address in RDI cannot have a segment, and with one for RSI the
 * host's copy is slow (Zen 4: 512 bytes 5 times); so both are host addresses meanwhile, off by what r11
 * and r10 hold, which native_signal.c knows. No kick leaves there (it would go on in the midst of the
 * instruction, iteration by iteration), so exit_request is looked at behind it. *slow: jumps to where
 * the thunk does it; the number of them. */
enum { STRING_MOST = 1 << 20, STRING_WAYS = 3 };
static unsigned string_in_windows(Tmpl *t, const X86Insn *in, bool movs, uint32_t *slow)
{
    Enc *e = &t->e;
    unsigned size = in->op[0].size, n = 0;
    int to = tmpl_win_range(t, R_DI), from = movs ? tmpl_win_range(t, R_SI) : 0;

    if (t->tb->mode & HF_AC || to < 0 || from < 0) {
        return 0;
    }
    tmpl_win_pointer(t, R_DI, to);
    if (movs) {
        tmpl_win_pointer(t, R_SI, from);
    }
    tmpl_forget(t);

    static const Op test32 = { .opcode = 0xf7, .imm_len = 4 };
    enc_op(e, &test32, 0, rm_env(offsetof(X86Cpu, hflags)));
    enc_u32(e, HF_TF | HF_DBG | HF_DF);
    slow[n++] = enc_jcc(e, CC_NE);
    enc_alu_ri(e, ALU_CMP, H_RCX, STRING_MOST / size, true);
    slow[n++] = enc_jcc(e, CC_A);
    to_host(t, H_RDI, S1, to);
    if (movs) {
        to_host(t, H_RSI, S2, from);
    }
    enc_u8(e, 0xf3);
    if (size == 2 || size == 8) {
        enc_u8(e, size == 2 ? 0x66 : 0x48);
    }
    enc_u8(e, (movs ? 0xa4 : 0xaa) | (size > 1));
    enc_alu_rm(e, ALU_SUB, H_RDI, rm_reg(S1));
    if (movs) {
        enc_alu_rm(e, ALU_SUB, H_RSI, rm_reg(S2));
    }
    enc_alu_mi32(e, ALU_CMP, rm_env(offsetof(X86Cpu, cpu) + offsetof(Cpu, exit_request)), 0);
    slow[n++] = enc_jcc(e, CC_NE); /* nothing is left to do there but to leave */
    return n;
}

static void string_insn(Tmpl *t, const X86Insn *in)
{
    Enc *e = &t->e;
    uint32_t slow[STRING_WAYS], over = 0;
    bool stos = (in->opcode & 0xfe) == 0xaa, movs = (in->opcode & 0xfe) == 0xa4;

    if ((!stos && !movs) || !in->rep || in->adsize != 8 ||
        (movs && in->seg >= R_FS)) {
        tmpl_call_exec(t, in, false);
        return;
    }
    tmpl_save_flags(t);
    unsigned ways = string_in_windows(t, in, movs, slow);
    if (ways) {
        over = enc_jmp(e);
        for (unsigned i = 0; i < ways; i++) {
            enc_patch(e, slow[i], e->off);
        }
    }
    enc_mov_ri(e, S1, in->op[0].size | (movs ? NATIVE_MOVS : 0));
    enc_call_to(e, x86_thunks.string);
    uint32_t done = enc_jcc(e, CC_NE);
    tmpl_call_exec(t, in, false);
    enc_patch(e, done, e->off);
    if (ways) {
        enc_patch(e, over, e->off);
    }
}

/* What needs no privilege and no mode. */
static bool user_sys(Tmpl *t, const X86Insn *in)
{
    uint8_t op = in->opcode;

    if (in->row->enc == ENC_LEGACY && in->row->map == MAP_0F && in->lock && in->is_mem &&
        (op == 0xab || op == 0xb3 || op == 0xbb)) {
        return tmpl_bit_string(t, in);
    }
    if (in->row->enc != ENC_LEGACY || in->lock) {
        return false;
    }
    if (is_string(in)) {
        string_insn(t, in);
        return true;
    }
    if (is_fence(in)) {
        fence(t, in);
        return true;
    }
    if (in->row->map == MAP_0F && op == 0x05) {
        syscall_insn(t, in);
        return true;
    }
    if (in->row->map == MAP_0F && op == 0x01 && in->modrm == 0xee) {
        rdpkru(t, in);
        return true;
    }
    if (in->row->map != MAP_1) {
        return false;
    }
    if (op == 0x8c) {
        return mov_from_seg(t, in);
    }
    if (op == 0xff && (in->modrm >> 3 & 7) == 6 && in->is_mem && in->opsize == 8) {
        return push_mem(t, in);
    }
    if ((op & 0xf8) == 0x50 && in->op[0].reg == R_SP && in->opsize == 8) {
        push_sp(t, in);
        return true;
    }
    if ((op & 0xf8) == 0x58 && in->op[0].reg == R_SP && in->opsize == 8) {
        pop_sp(t, in);
        return true;
    }
    if (op == 0xfc) { /* CLD; DF is no part of the mode */
        tmpl_before_check(t, in);
        enc_alu_mi32(&t->e, ALU_AND, rm_env(ENV_ST(rflags)), ~FL_DF);
        enc_alu_mi32(&t->e, ALU_AND, rm_env(offsetof(X86Cpu, hflags)), ~(int32_t)HF_DF);
        return true;
    }
    return false;
}

bool tmpl_sys_continues(const X86Insn *in, uint32_t mode)
{
    if (is_rdtsc(in, mode) ||
        (in->row->enc == ENC_LEGACY && !in->lock && is_string(in))) {
        return true;
    }
    if (in->row->enc != ENC_LEGACY || in->lock) {
        return false;
    }
    if (in->row->map == MAP_1 && in->opcode == 0x9c) {
        return mode & HF_CS64 ? mode & X86_KEY_CPL0 && in->opsize == 8 : !(mode & HF_VM);
    }
    if (!(mode & X86_KEY_CPL0)) {
        return false;
    }
    if (in->row->map == MAP_1) {
        return in->opcode == 0xfa || in->opcode == 0xfb;
    }
    if (in->row->map == MAP_0F && in->opcode == 0x01) {
        return in->modrm == 0xf8 ||
               ((in->modrm == 0xca || in->modrm == 0xcb) && mode & X86_KEY_SMAP);
    }
    return false;
}

bool tmpl_sys(Tmpl *t, const X86Insn *in)
{
    bool cpl0 = t->tb->mode & X86_KEY_CPL0;

    if (user_sys(t, in)) {
        return true;
    }
    if (in->row->enc == ENC_LEGACY && in->row->map == MAP_0F && !in->lock && cpl0) {
        if (in->opcode == 0x20) {
            return mov_from_cr(t, in);
        }
        if (in->opcode == 0x07 && in->opsize == 8) {
            sysret_insn(t, in);
            return true;
        }
        if (in->opcode == 0xae && in->rep == 0xf3 && !in->is_mem) {
            return fsgsbase(t, in);
        }
        if (in->opcode == 0x01 && in->modrm == 0xe8) { /* SERIALIZE: MFENCE, fetch again */
            enc_u8(&t->e, 0x0f);
            enc_u8(&t->e, 0xae);
            enc_u8(&t->e, 0xf0);
            tmpl_exit_to(t, tmpl_next_off(t, (int64_t)t->off + in->len));
            return true;
        }
    }
    if (in->row->enc == ENC_LEGACY && in->row->map == MAP_1 && in->opcode == 0x9d &&
        in->opsize == 8 && t->tb->mode & X86_KEY_CPL0) {
        tmpl_popf(t, in);
        return true;
    }
    if (!tmpl_sys_continues(in, t->tb->mode)) {
        return false;
    }
    if (is_rdtsc(in, t->tb->mode)) {
        rdtsc(t, in->opcode == 0x01);
        return true;
    }
    if (in->row->map == MAP_1) {
        if (in->opcode == 0xfb) {
            if (t->i + 1u == t->tb->ninsns) {
                return false; /* nothing behind it to shield: by its reference function */
            }
            sti(t, in);
        } else if (in->opcode == 0xfa) {
            cli(t);
        } else {
            pushf(t);
        }
    } else if (in->modrm == 0xf8) {
        swapgs(t);
    } else {
        set_ac(t, in->modrm == 0xcb);
    }
    return true;
}

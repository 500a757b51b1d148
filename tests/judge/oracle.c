/* SPDX-License-Identifier: MIT */
/*
 * What can be judged: steps the reference functions and decides, for each instruction with
 * the registers as they are, whether its result is defined, which flags are, and whether
 * the host may execute it. Facts on undefined results are SDM vol. 2's; where AMD's CPUs
 * and the SDM differ (APM vol. 1 and 3), the case is refused and the difference named here.
 */
#include <string.h>

#include "target-x86/access.h"
#include "target-x86/decode.h"
#include "target-x86/engine.h"
#include "target-x86/leaf.h"
#include "target-x86/fpu.h"
#include "tests/judge/judge.h"

static JudgeCase *the_case;

/* ---- rows that user mode cannot judge ---- */

static const struct {
    const char *name, *why;
} denied[] = {
    { "SYSCALL", "enters the host's kernel" },
    { "SYSENTER", "enters the host's kernel" },
    { "CPUID", "tells about the CPU model" },
    { "RDTSC", "result is time" },
    { "RDTSCP", "result is time" },
    { "RDPMC", "depends on CR4.PCE and counters" },
    { "RDRAND", "result is random" },
    { "RDSEED", "result is random" },
    { "RDPID", "result is the host kernel's" },
    { "XGETBV", "result is the host's XCR0 and in-use bits" },
    { "VMCALL", "traps to the host's hypervisor" },
    { "VMMCALL", "traps to the host's hypervisor" },
    { "SGDT", "Linux emulates it under UMIP" },
    { "SIDT", "Linux emulates it under UMIP" },
    { "SLDT", "Linux emulates it under UMIP" },
    { "STR", "Linux emulates it under UMIP" },
    { "SMSW", "Linux emulates it under UMIP" },
    { "CLZERO", "size and order of its store are the CPU model's" },
    { "MONITOR", "#UD or #GP by a model-specific bit" },
    { "MWAIT", "#UD or #GP by a model-specific bit" },
    { "INT1", "the host's kernel answers as to a debugger" },
    { "XSETBV", "order of #GP and #UD checks is the CPU model's" },
    { "XSAVEOPT", "what it leaves out is the CPU's choice" },
    { "XSAVE", "in-use bits are the CPU's choice" },
    { "XSAVEC", "in-use bits are the CPU's choice" },
    { "SYSEXIT", "not there in AMD's long mode" },
};

const char *oracle_denied(const X86Row *row)
{
    if (row->map == MAP_0F && row->op == 0x0d && row->flags & RF_REG) {
        return "#UD on AMD's, a NOP on Intel's";
    }
    for (unsigned i = 0; i < ARRAY_SIZE(denied); i++) {
        if (!strcmp(row->name, denied[i].name)) {
            return denied[i].why;
        }
    }
    return NULL;
}

static unsigned operand_size(const X86Insn *in)
{
    for (unsigned i = 0; i < in->nops; i++) {
        if (in->op[i].kind == OPND_MEM) {
            return in->op[i].size;
        }
    }
    return 0;
}

/* ---- flags ---- */

static bool is_cc(const X86Insn *in)
{
    const X86Row *r = in->row;
    return r->opmask == 15 && (r->map == MAP_0F || (r->op & 0xf0) == 0x70) &&
           r->enc == ENC_LEGACY;
}

uint32_t oracle_flags_used(const X86Insn *in)
{
    static const uint16_t cc[8] = { FL_OF, FL_CF, FL_ZF,         FL_CF | FL_ZF,
                                    FL_SF, FL_PF, FL_SF | FL_OF, FL_SF | FL_OF | FL_ZF };
    if (is_cc(in)) {
        return cc[in->opcode >> 1 & 7];
    }
    if (!strcmp(in->row->name, "PUSHF")) {
        return FL_STATUS;
    }
    return in->row->fl_use;
}

static bool is_shift(const X86Insn *in)
{
    return in->row->map == MAP_1 && (in->opcode & 0xec) == 0xc0 && in->row->ext &&
           in->nops == 2;
}

static bool is_shld(const X86Insn *in)
{
    return in->row->map == MAP_0F &&
           (!strcmp(in->row->name, "SHLD") || !strcmp(in->row->name, "SHRD"));
}

/* Masked count of a shift, rotate or double shift. */
static unsigned count_of(const X86Insn *in, const uint64_t *gpr)
{
    const X86Opnd *c = &in->op[in->nops - 1];
    unsigned n = c->kind == OPND_IMM ? in->imm : c->kind == OPND_ONE ? 1 : gpr[R_CX];
    return n & (in->op[0].size == 8 ? 63 : 31);
}

/* Flags that have no defined value after the instruction. */
static uint32_t undef_after(const X86Insn *in, const uint64_t *gpr, uint32_t undef)
{
    const X86Row *row = in->row;
    uint32_t def = row->fl_def, un = row->fl_undef;

    if (is_shift(in) || is_shld(in)) {
        unsigned n = count_of(in, gpr);
        if (n == 0) {
            return undef;
        }
        if (n == 1) {
            un &= ~(uint32_t)FL_OF;
            def |= FL_OF;
        }
        unsigned bits = in->op[0].size * 8;
        bool rotate = is_shift(in) && (in->modrm >> 3 & 4) == 0;
        if (!rotate && is_shift(in) && n >= bits && (in->modrm >> 3 & 7) != 7) {
            un |= FL_CF; /* SHL, SHR by the operand's size or more */
        }
        if (rotate) { /* SZAP stay */
            return (undef & ~(uint32_t)(FL_CF | FL_OF)) | un;
        }
        return (undef & ~def) | un;
    }
    bool conditional = row->flags & RF_REP && row->fl_def; /* a count of 0 leaves flags */
    if (conditional && in->rep && !x86_reg_get(rig_cpu(), R_CX, in->adsize)) {
        return undef;
    }
    return (undef & ~def) | un;
}

/* ---- results ---- */

static bool starts(const char *s, const char *with)
{
    return !strncmp(s, with, strlen(with));
}

/* x87 compares where AMD's CPUs are not as the SDM says: an unmasked #I writes condition
 * codes or EFLAGS, FCOMI and its like keep C1. */
static bool x87_refused(const X86Insn *in, const X86Xsave *x)
{
    const char *n = in->row->name;
    bool comi = starts(n, "FCOMI") || starts(n, "FUCOMI");
    bool com = starts(n, "FCOM") || starts(n, "FUCOM") || starts(n, "FICOM") ||
               !strcmp(n, "FTST");

    return (com && !(x->fcw & 1)) || (comi && x->fsw & FSW_C1);
}

static bool bad_selector(uint16_t sel)
{
    return (sel & 0xfff8) == 0x78; /* Linux's CPU number: another limit on each CPU */
}

static uint64_t in_base(const X86Insn *in)
{
    const X86Cpu *cpu = rig_cpu();
    unsigned seg = in->seg_prefix == SEG_NONE ? R_DS : in->seg_prefix;
    seg = in->is_mem ? in->seg : seg;
    return cpu->hflags & HF_CS64 && seg < R_FS ? 0 : cpu->st.seg[seg].base;
}

static bool writable(uint64_t lin)
{
    lin = judge_low(lin);
    return lin - RW_BASE <= RW_SIZE - 16 || lin - STACK_BASE <= STACK_SIZE - 16;
}

/* x86_ea for an instruction that is not being executed yet. */
uint64_t oracle_address(const X86Insn *in)
{
    X86Cpu *cpu = rig_cpu();
    uint64_t next = cpu->st.rip + in->len;
    X86Insn at = *in;
    cpu->next_rip = cpu->hflags & HF_CS64 ? next : (uint32_t)next;
    if (at.index >= 16) { /* a vector register: the base will do */
        at.index = -1;
    }
    return x86_ea(cpu, &at);
}

static bool near_code(uint64_t lin)
{
    return judge_low(lin) + 0x1000 - CODE_BASE < CODE_SIZE + 0x2000;
}

/* String instructions, XLAT and MOV with an offset on the code's pages, which are not the
 * same everywhere: how a case ends. */
static bool reads_code(const X86Insn *in)
{
    const X86Cpu *cpu = rig_cpu();
    const uint64_t *gpr = cpu->st.gpr;
    uint64_t mask = cpu->hflags & HF_CS64   ? ~0ull
                    : cpu->hflags & HF_CS32 ? 0xffffffff
                                            : 0xffff;

    if (in->row->flags & RF_REP) {
        return near_code(in_base(in) + (gpr[R_SI] & mask)) ||
               near_code((mask == 0xffff ? cpu->st.seg[R_ES].base : 0) +
                         (gpr[R_DI] & mask));
    }
    bool other = in->is_mem || !strcmp(in->row->name, "XLAT") ||
                 (in->row->map == MAP_1 && (in->opcode & 0xfc) == 0xa0);
    return other && mask == 0xffff && in_base(in) == CODE_BASE;
}

/* The same for BT and its like with a register, which reach 8 KiB and more from their operand. */
static bool bits_in_code(const X86Insn *in)
{
    const char *n = in->row->name;

    if (!in->is_mem || strncmp(n, "BT", 2) || in->op[1].kind != OPND_GPR) {
        return false;
    }
    int64_t bit = sext(x86_reg_get(rig_cpu(), in->op[1].reg, in->opsize), 8 * in->opsize);
    uint64_t mask = in->adsize == 8 ? ~0ull : in->adsize == 4 ? 0xffffffff : 0xffff;
    uint64_t at = oracle_address(in) + (uint64_t)(bit >> 3 & -(int64_t)in->opsize);
    return near_code(in_base(in) + (at & mask));
}

/* Selector operands of instructions that look at the GDT, and what else has no defined or
 * portable result. */
static bool undefined_result(const X86Insn *in)
{
    X86Cpu *cpu = rig_cpu();
    const uint64_t *gpr = cpu->st.gpr;
    const char *n = in->row->name;

    if (!strcmp(n, "BSWAP")) {
        return in->opsize == 2;
    }
    if (is_shld(in) && in->opsize == 2 && count_of(in, gpr) > 16) {
        return true;
    }
    if (in->is_mem && in->has_modrm && strcmp(n, "LEA") &&
        judge_low(oracle_address(in) + in_base(in)) + 64 - CODE_BASE < CODE_SIZE + 64) {
        return true; /* not the same there: how a case ends */
    }
    if ((!in->has_modrm && reads_code(in)) || bits_in_code(in)) {
        return true;
    }
    if (in->row->flags & RF_FPU && x87_refused(in, &cpu->st.xsave)) {
        return true;
    }
    if (strstr(n, "MASKMOV") && in->row->map == MAP_0F) {
        uint64_t di = x86_reg_get(cpu, R_DI, in->adsize);
        bool data = cpu->hflags & HF_CS64 ||
                    (cpu->st.seg[R_DS].attr & (SEG_CODE | SEG_UNUSABLE | SEG_W)) == SEG_W;
        return in->seg_prefix != SEG_NONE || !data ||
               !writable(di + in_base(in)); /* masked bytes may fault or not */
    }
    if ((starts(n, "VMASKMOV") || starts(n, "VPMASKMOV")) && in->op[0].kind != OPND_MEM) {
        uint64_t mask = in->adsize == 8 ? ~0ull : in->adsize == 4 ? 0xffffffff : 0xffff;
        if (mask - oracle_address(in) < in->vl - 1u) { /* wraps or not, by page faults */
            return true;
        }
    }
    if (strstr(n, "LDMXCSR") || !strcmp(n, "FXRSTOR") || !strcmp(n, "XRSTOR")) {
        uint64_t mxcsr,
            at = oracle_address(in) + in_base(in) + (n[0] == 'X' || n[0] == 'F' ? 24 : 0);
        if (rig_peek(at, 4, &mxcsr) && mxcsr & 0x20000) {
            return true; /* AMD's misaligned mode */
        }
    }
    if (in->is_mem && cpu->hflags & HF_CS64 && in->seg >= R_FS) {
        int64_t ea = oracle_address(
            in); /* AMD wants it canonical without the base, too */
        if (ea != (int64_t)((uint64_t)ea << 16) >> 16) {
            return true;
        }
    }
    if (!strcmp(n, "CMPXCHG16B") && in->seg == R_SS && oracle_address(in) & 15) {
        return true; /* #GP or #SS, if it is not canonical either */
    }
    if (!strcmp(n, "CVTPI2PS") && in->is_mem && cpu->st.xsave.fsw & FSW_ES) {
        return true; /* without an MMX register AMD's looks for no exception */
    }
    if (in->row->flags & RF_IO && in->rep && !x86_reg_get(cpu, R_CX, in->adsize)) {
        return true; /* AMD's asks for the right to no access, too */
    }
    if (in->row->feat == X86F_SHA && in->is_mem) {
        return (oracle_address(in) + in_base(in)) &
               15; /* AMD's take unaligned operands */
    }
    if (!strcmp(n, "INT")) { /* Linux's own gates, and ours */
        return in->imm == 0x80 || in->imm == 0x81 || in->imm == 1 || in->imm == 2;
    }
    if (starts(n, "LAR") || starts(n, "LSL") || starts(n, "VERR") || starts(n, "VERW")) {
        return in->op[in->nops - 1].kind != OPND_GPR ||
               bad_selector(gpr[in->op[in->nops - 1].reg]);
    }
    return false;
}

/* Alignment checks of anything but plain operands: which part is checked, and before what,
 * is the CPU's. */
static bool alignment_refused(const X86Insn *in)
{
    const char *n = in->row->name;
    unsigned size = operand_size(in);
    bool env = !strcmp(n, "FNSTENV") || !strcmp(n, "FLDENV") || !strcmp(n, "FNSAVE") ||
               !strcmp(n, "FRSTOR");

    return size > 16 || strstr(n, "MASKMOV") || strstr(n, "GATHER") ||
           strstr(n, "EXPAND") || strstr(n, "COMPRESS") ||
           !strcmp(n, "CMPS") || !strcmp(n, "MOVS") ||
           (in->is_mem && in->has_modrm && !size && !env) ||
           (in->row->flags & (RF_BRANCH | RF_END)) == (RF_BRANCH | RF_END);
}

/* An operand over the end of 4 GiB that AMD's CPUs take in parts: the first part's page fault
 * comes before the #GP of the second, or the other way round. */
static bool end_of_4g(const X86Insn *in, unsigned size, uint64_t off)
{
    return in->is_mem && ((!size && off > 0xfffffc00) || (size == 10 && off > 0xffffffe0) ||
                          (in->row->enc == ENC_EVEX && off > 0xffffff00));
}

/* The stack on the code's pages, or an operand of ten bytes or more that leaves its
 * segment: some CPUs look at its first bytes' page first. */
static bool odd_place(const X86Insn *in)
{
    const X86Cpu *cpu = rig_cpu();
    const X86State *st = &cpu->st;
    bool wide = cpu->hflags & (HF_CS64 | HF_CS32);
    uint64_t ss = cpu->hflags & HF_CS64 ? 0 : st->seg[R_SS].base;
    uint64_t mask = cpu->hflags & HF_CS64   ? ~0ull
                    : cpu->hflags & HF_SS32 ? 0xffffffff
                                            : 0xffff;

    if (in->row->flags & RF_STACK && (near_code(ss + (st->gpr[R_SP] & mask)) ||
                                      near_code(ss + (st->gpr[R_BP] & mask)))) {
        return true;
    }
    /* POPA over a page's end: AMD's CPUs have written registers when a later read faults */
    if (in->row->map == MAP_1 && in->opcode == 0x61 && in->row->flags & RF_STACK &&
        (ss + (st->gpr[R_SP] & mask)) % 4096 + 8 * in->opsize > 4096) {
        return true;
    }
    unsigned size = operand_size(in);
    uint64_t off = oracle_address(in);
    if (wide || !in->is_mem || !in->has_modrm) {
        return wide && !(cpu->hflags & HF_CS64) && end_of_4g(in, size, off);
    }
    if (in->row->enc == ENC_EVEX && off + 128 > st->seg[in->seg].limit) {
        return true; /* AMD's masks hide page faults, not what is over the limit */
    }
    off = (uint16_t)off;
    return (size == 10 && off > 0xffe0) || (!size && off > 0xfc00);
}

/* A Zen 4 does not know that an EVEX instruction whose X bit is inverted reads RSP: after a
 * CALL and RET it mostly gets RSP as it was between them. */
static bool erratum(const X86Insn *in)
{
    for (unsigned i = 0; i < in->nops && in->row->enc == ENC_EVEX; i++) {
        if (in->op[i].kind == OPND_GPR && in->op[i].reg == R_SP) {
            return true;
        }
    }
    return false;
}

/* VEX.W at RIP. */
static bool vex_w(void)
{
    const X86Cpu *cpu = rig_cpu();
    uint64_t lin = cpu->hflags & HF_CS64
                       ? cpu->st.rip
                       : (uint32_t)(cpu->st.seg[R_CS].base + cpu->st.rip);
    for (; lin - CODE_BASE < CODE_SIZE - 3; lin++) {
        const uint8_t *p = rig_code(lin);
        if (*p == 0xc4) {
            return p[2] >> 7;
        }
        if (*p == 0xc5 || *p == 0x62 || !memchr("\x26\x2e\x36\x3e\x64\x65\x67", *p, 7)) {
            return false;
        }
    }
    return false;
}

/* What the makers do not agree on. 66H before a near branch of 64-bit code: ignored by
 * Intel, not by AMD. */
static bool vendor_decode(const X86Insn *in)
{
    const X86Cpu *cpu = rig_cpu();
    const char *n = in->row->name;
    bool near = in->row->flags & RF_BRANCH && in->row->flags & RF_F64;
    bool far = !strcmp(n, "LSS") || !strcmp(n, "LFS") || !strcmp(n, "LGS") ||
               !strcmp(n, "JMPF") || !strcmp(n, "CALLF");

    if (in->row->map == MAP_0F && in->opcode == 0x0d && !in->is_mem) {
        return true; /* AMD: #UD */
    }
    if (!(cpu->hflags & HF_CS64)) {
        bool element = starts(n, "VPINSR") || starts(n, "VPEXTR"); /* W1: #UD on AMD's, */
        return !strcmp(n, "SYSRET") /* exists there on AMD's alone */ ||
               (element && vex_w()); /* else ignored */
    }
    if (!strcmp(n, "MOVSXD") && in->opsize == 2) {
        return in->is_mem; /* Intel reads two bytes, AMD four */
    }
    return (near && in->opsize_prefix) ||
           (far && in->opsize == 8); /* AMD ignores REX.W */
}

/* Once memory holds something that is not compared, nothing may read it. */
static bool reads_memory(const X86Insn *in)
{
    return (in->is_mem && in->has_modrm) || in->row->flags & (RF_STACK | RF_REP) ||
           !strcmp(in->row->name, "XLAT") || in->op[1].kind == OPND_MEM;
}

bool oracle_takes(const X86Insn *in, uint32_t undef)
{
    if (the_case->nskip && reads_memory(in)) {
        return false;
    }
    return !oracle_denied(in->row) && !(oracle_flags_used(in) & undef) &&
           !undefined_result(in) && !vendor_decode(in) && !erratum(in) &&
           !odd_place(in) && !(rig_cpu()->hflags & HF_AC && alignment_refused(in));
}

/* ---- steps ---- */

void oracle_begin(JudgeCase *c)
{
    the_case = c;
    c->nskip = 0;
    c->vague_cr2 = c->either_fault = false;
}

static void skip(uint64_t lin, unsigned len)
{
    if (the_case->nskip < ARRAY_SIZE(the_case->skip)) {
        the_case->skip[the_case->nskip].lin = judge_low(lin);
        the_case->skip[the_case->nskip++].len = len;
    }
}

/* Instruction and operand pointers are AMD's selectors and the native tier's zeros; which
 * bits MXCSR has is the model's. */
static void note_pointers(const X86Insn *in)
{
    const char *n = in->row->name;
    uint64_t at = oracle_address(in) + in_base(in);

    if (!strcmp(n, "FNSTENV") || !strcmp(n, "FNSAVE")) {
        bool small = in->opsize == 2;
        skip(at + (small ? 6 : 12), small ? 8 : 16);
    } else if (!strcmp(n, "FXSAVE")) {
        skip(at + 6, 18);
        skip(at + 28, 4);
    }
}

/* The instruction at RIP; false if it cannot be fetched or decoded. */
static bool decode_here(X86Insn *in)
{
    X86Cpu *cpu = rig_cpu();
    uint64_t lin = cpu->hflags & HF_CS64
                       ? cpu->st.rip
                       : (uint32_t)(cpu->st.seg[R_CS].base + cpu->st.rip);

    if (lin - CODE_BASE >= CODE_SIZE) {
        return false;
    }
    unsigned n = MIN(15, CODE_SIZE - (unsigned)(lin - CODE_BASE));
    return x86_decode(in, rig_code(lin), n, cpu->hflags, cpu->feat) > 0;
}

/* A page fault must be one on the host too, and no other. */
static OracleVerdict fault_verdict(void)
{
    JudgeState s;

    rig_state(&s);
    if (s.vector == EXC_PF && !host_unmapped(s.cr2)) {
        return ORACLE_BAD;
    }
    return ORACLE_FAULT;
}

OracleVerdict oracle_step(uint32_t *undef)
{
    X86Cpu *cpu = rig_cpu();
    X86Insn in = { .row = NULL };
    uint32_t after = *undef, fault = *undef;

    if (decode_here(&in)) {
        if (!oracle_takes(&in, *undef)) {
            return ORACLE_REFUSE;
        }
        after = undef_after(&in, cpu->st.gpr, *undef);
        note_pointers(&in);
        /* others leave flags, or what they leave undefined may have been written; AMD's
         * REPE and REPNE leave those of the last element */
        fault = *undef | in.row->fl_undef | (in.rep ? in.row->fl_def : 0);
        if (judge_counts) {
            judge_counts
                ->row[judge_row_index(in.row)][cpu->hflags & HF_CS64   ? JUDGE_64
                                               : cpu->hflags & HF_CS32 ? JUDGE_32
                                                                       : JUDGE_16]++;
        }
    }
    x86_engine_step(cpu);
    if (cpu->st.cpl == 0) {
        *undef = fault;
        the_case->vague_cr2 = in.row && in.is_mem && !operand_size(&in);
        the_case->either_fault = in.row && !strcmp(in.row->name, "CMPS");
        return fault_verdict();
    }
    *undef = after;
    return ORACLE_OK;
}

bool oracle_run(JudgeCase *c, JudgeState *out)
{
    X86Cpu *cpu = rig_cpu();
    uint32_t undef = 0, base = c->mode == JUDGE_16 ? CODE_BASE : 0;
    uint64_t end = c->start + c->len - base;

    x86_engine.native = true;
    rig_start(c, true);
    oracle_begin(c);
    c->steps = 0;
    while (cpu->st.rip != end) {
        uint64_t at = cpu->st.rip + base;
        if (at - c->start >= c->len && at - CODE_BASE < CODE_SIZE) {
            return false; /* among old bytes, which no engine was told about */
        }
        OracleVerdict v = oracle_step(&undef);
        if (v == ORACLE_REFUSE || v == ORACLE_BAD || ++c->steps > 5000) {
            return false;
        }
        if (v == ORACLE_FAULT) {
            break;
        }
    }
    x86_fpu_sync(cpu);
    c->undef = undef;
    rig_state(out);
    return true;
}

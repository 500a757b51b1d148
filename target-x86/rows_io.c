/* SPDX-License-Identifier: MIT */
/*
 * Port I/O: IN, OUT, INS, OUTS, with IOPL and the TSS's permission bitmap (SDM vol. 1,
 * chapter 19). Heavy: devices are behind every access.
 */
#include "hw/core/machine.h"
#include "target-x86/rows_util.h"
#include "target-x86/seg.h"

enum { REP_BURST = 256 }; /* iterations before requests are looked at */

/* I/O breakpoints, 17.2.4: with CR4.DE, a trap behind the instruction. */
static void port_breakpoints(X86Cpu *cpu, unsigned port, unsigned size)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t dr7 = cpu->st.dr7;
        unsigned len = dr7 >> (18 + 4 * i) & 3, n = len == 2 ? 8 : len + 1;
        uint64_t at = cpu->st.dr[i] & ~(uint64_t)(n - 1);
        if (dr7 >> (2 * i) & 3 && (dr7 >> (16 + 4 * i) & 3) == 2 && port < at + n &&
            at < port + size) {
            cpu->db_pending |= 1u << i;
        }
    }
}

static void check_permission(X86Cpu *cpu, unsigned port, unsigned size)
{
    const X86Seg *tr = &cpu->st.tr;
    unsigned iopl = cpu->st.rflags >> 12 & 3;

    if (!(cpu->hflags & HF_PE) || (cpu->st.cpl <= iopl && !(cpu->hflags & HF_VM))) {
        return;
    }
    if (!(tr->attr & SEG_UNUSABLE) && (tr->attr & SEG_TYPE) >= SYS_TSS32 && tr->limit >= 103) {
        uint32_t at = (uint32_t)x86_sys_load(cpu, tr->base + 102, 2) + port / 8;
        if (at + 1 <= tr->limit) {
            unsigned map = x86_sys_load(cpu, tr->base + at, 1) |
                           (unsigned)x86_sys_load(cpu, tr->base + at + 1, 1) << 8;
            if (!(map >> (port & 7) & ((1u << size) - 1))) {
                return;
            }
        }
    }
    x86_raise_err(cpu, EXC_GP, 0);
}

static void check_port(X86Cpu *cpu, unsigned port, unsigned size)
{
    check_permission(cpu, port, size);
    if (unlikely(cpu->hflags & HF_DBG && cpu->st.cr4 & CR4_DE)) {
        port_breakpoints(cpu, port, size);
    }
}

static uint64_t port_in(X86Cpu *cpu, unsigned port, unsigned size)
{
    cpu->cpu.io_exits++;
    return memory_io_read(&cpu->cpu.machine->io, port, size);
}

static void port_out(X86Cpu *cpu, unsigned port, unsigned size, uint64_t v)
{
    cpu->cpu.io_exits++;
    memory_io_write(&cpu->cpu.machine->io, port, size, v);
}

static unsigned port_of(X86Cpu *cpu, const X86Insn *in, unsigned n)
{
    return in->op[n].kind == OPND_IMM ? in->imm & 0xff : cpu->st.gpr[R_DX] & 0xffff;
}

static void exec_IN(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[0].size, port = port_of(cpu, in, 1);

    check_port(cpu, port, size);
    x86_reg_set(cpu, R_AX, size, port_in(cpu, port, size));
}

static void exec_OUT(X86Cpu *cpu, const X86Insn *in)
{
    unsigned size = in->op[1].size, port = port_of(cpu, in, 0);

    check_port(cpu, port, size);
    port_out(cpu, port, size, x86_reg_get(cpu, R_AX, size));
}

/* ---- INS, OUTS ---- */

static void step_index(X86Cpu *cpu, unsigned r, const X86Insn *in, unsigned size)
{
    int64_t d = cpu->st.rflags & FL_DF ? -(int64_t)size : size;

    x86_reg_set(cpu, r, in->adsize, x86_reg_get(cpu, r, in->adsize) + d);
}

static void ins_once(X86Cpu *cpu, const X86Insn *in, unsigned size, unsigned port)
{
    uint64_t di = x86_reg_get(cpu, R_DI, in->adsize);

    x86_probe_write(cpu, R_ES, di, size); /* the device must not be read in vain */
    x86_store(cpu, R_ES, di, size, port_in(cpu, port, size));
    step_index(cpu, R_DI, in, size);
}

static void outs_once(X86Cpu *cpu, const X86Insn *in, unsigned size, unsigned port)
{
    uint64_t si = x86_reg_get(cpu, R_SI, in->adsize);

    port_out(cpu, port, size, x86_load(cpu, in->seg, si, size));
    step_index(cpu, R_SI, in, size);
}

static void string_io(X86Cpu *cpu, const X86Insn *in, unsigned size,
                      void (*once)(X86Cpu *, const X86Insn *, unsigned, unsigned))
{
    unsigned port = cpu->st.gpr[R_DX] & 0xffff;

    if (in->rep && !x86_reg_get(cpu, R_CX, in->adsize)) {
        return;
    }
    check_port(cpu, port, size);
    if (!in->rep) {
        once(cpu, in, size, port);
        return;
    }
    for (unsigned i = 0; i < REP_BURST; i++) {
        once(cpu, in, size, port);
        uint64_t left = x86_reg_get(cpu, R_CX, in->adsize) - 1;
        x86_reg_set(cpu, R_CX, in->adsize, left);
        if (!left) {
            return;
        }
        if (cpu->st.rflags & FL_TF || cpu->db_pending ||
            atomic_load_explicit(&cpu->cpu.exit_request, memory_order_relaxed)) {
            break;
        }
    }
    cpu->next_rip = cpu->st.rip; /* again */
}

static unsigned string_size(const X86Insn *in)
{
    return in->opcode & 1 ? MIN(in->opsize, 4u) : 1;
}

static void exec_INS(X86Cpu *cpu, const X86Insn *in)
{
    string_io(cpu, in, string_size(in), ins_once);
}

static void exec_OUTS(X86Cpu *cpu, const X86Insn *in)
{
    string_io(cpu, in, string_size(in), outs_once);
}

/* ---- rows ---- */

#define IO_FLAGS (RF_IO | RF_HEAVY)
#define IO_ROW(mn, opc, o1, o2, r1, fn)                                                  \
    { .name = mn, .op = (opc), OPS(o1, o2), ROLES(r1, RD), .flags = IO_FLAGS, .exec = (fn) }

const X86Row x86_rows_io[] = {
    IO_ROW("IN", 0xe4, FAL, Ib, WR, exec_IN),
    IO_ROW("IN", 0xe5, FeAX, Ib, WR, exec_IN),
    IO_ROW("IN", 0xec, FAL, FDX, WR, exec_IN),
    IO_ROW("IN", 0xed, FeAX, FDX, WR, exec_IN),
    IO_ROW("OUT", 0xe6, Ib, FAL, RD, exec_OUT),
    IO_ROW("OUT", 0xe7, Ib, FeAX, RD, exec_OUT),
    IO_ROW("OUT", 0xee, FDX, FAL, RD, exec_OUT),
    IO_ROW("OUT", 0xef, FDX, FeAX, RD, exec_OUT),
    { .name = "INS", .op = 0x6c, .opmask = 1, .flags = IO_FLAGS | RF_REP, .exec = exec_INS },
    { .name = "OUTS", .op = 0x6e, .opmask = 1, .flags = IO_FLAGS | RF_REP,
      .exec = exec_OUTS },
};
const unsigned x86_n_rows_io = ARRAY_SIZE(x86_rows_io);

/* SPDX-License-Identifier: MIT */
/*
 * The x86 vCPU. X86State is the architectural state and nothing else: it belongs to
 * no engine, is what a snapshot holds, and is exact whenever an engine is at an
 * instruction boundary outside its own generated code. X86Cpu adds what an engine
 * needs to run it.
 *
 * Only the vCPU's own thread touches X86State while it runs; others may when the vCPU
 * is parked (machine_pause, hw/core/cpu.h).
 */
#ifndef TARGET_X86_CPU_H
#define TARGET_X86_CPU_H

#include "hw/core/cpu.h"
#include "target-x86/features.h"
#include "target-x86/regs.h"
#include "util/compiler.h"

typedef struct X86Seg {
    uint64_t base;
    uint32_t limit;    /* in bytes, already scaled by G */
    uint32_t attr;     /* SEG_* */
    uint16_t selector;
} X86Seg;

typedef struct X86Table {
    uint64_t base;
    uint32_t limit;
} X86Table;

typedef union X86Xmm {
    uint8_t b[16];
    uint16_t w[8];
    uint32_t d[4];
    uint64_t q[2];
} X86Xmm;

/* x87 register in memory format: 64-bit significand, 16-bit sign and exponent. */
typedef struct X86F80 {
    uint64_t m;
    uint16_t se;
    uint8_t pad[6];
} X86F80;

/* The XSAVE area in standard (not compacted) format, SDM vol. 1, 13.4. The host's own
 * XSAVE and XRSTOR work on it under the native back end, so the reference functions use
 * it in place: st[i] is ST(i) (stack order, the stack top is st[0]); ftw is the abridged
 * tag byte in physical order, bit n set = R(n) not empty; fsw holds TOP. */
typedef struct X86Xsave {
    uint16_t fcw, fsw;
    uint8_t ftw, rsv0;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    X86F80 st[8];
    X86Xmm xmm[16];
    uint8_t rsv1[96];
    uint64_t xstate_bv, xcomp_bv, rsv2[6];
    X86Xmm ymmh[16];          /* offset 576 on every CPU */
    uint8_t ext[1088 - 832];  /* from here on: offsets of Intel's CPUs (x86_xsave_comp),
                               * which need not be the host's */
    uint64_t k[8];            /* opmask registers */
    X86Xmm zmmh[16][2];       /* upper halves of ZMM0-15 */
    X86Xmm zmm16[16][4];      /* ZMM16-31 */
    uint8_t ext2[4096 - 2688];
} X86Xsave;
_Static_assert(offsetof(X86Xsave, xmm) == 160, "fxsave layout");
_Static_assert(offsetof(X86Xsave, ymmh) == 576, "xsave layout");
_Static_assert(offsetof(X86Xsave, k) == 1088, "xsave layout");
_Static_assert(offsetof(X86Xsave, ext2) == 2688, "xsave layout");
_Static_assert(sizeof(X86Xsave) == 4096, "xsave layout");

/* A pending event: what x86_raise* recorded and delivery consumes. */
typedef struct X86Event {
    uint8_t valid;
    uint8_t vector;
    uint8_t has_error;
    uint8_t soft;        /* INT n, INT3, INTO: DPL is checked, RIP is the next one */
    uint32_t error;
    uint64_t cr2;        /* #PF: the linear address */
    uint64_t dr6;        /* #DB: bits to set in DR6 */
} X86Event;

typedef struct X86Msrs {
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, apic_base, tsc_adjust, tsc_deadline;
    uint64_t mtrr_def, mtrr_fix[11], mtrr_base[8], mtrr_mask[8];
    uint64_t mcg_status, mcg_ctl, mc_ctl[4], mc_status[4], mc_addr[4], mc_misc[4];
    uint64_t spec_ctrl, xss, debugctl, smi_count, hwcr, bios_sign;
    uint64_t kvm_wall_clock, kvm_system_time;
    uint64_t feature_control, platform_info, misc_features;
} X86Msrs;

typedef struct X86State {
    uint64_t gpr[16];
    uint64_t rip;
    uint64_t rflags;       /* all bits exact; bit 1 always set */
    X86Seg seg[X86_NSEGS];
    X86Seg ldt, tr;
    X86Table gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
    uint64_t dr[4], dr6, dr7;
    uint64_t pdpte[4];     /* PAE paging: loaded at MOV CR3, SDM 4.4.1 */
    uint32_t pkru;
    uint8_t cpl;
    uint8_t int_shadow;    /* X86_SHADOW_*: no interrupt before the next instruction ends */
    uint8_t nmi_masked;    /* until IRET */
    uint8_t halted;        /* HLT or MWAIT */
    uint8_t wait_sipi;     /* AP waiting for start-up */
    X86Event event;
    X86Msrs msr;
    int64_t tsc_offset;    /* guest TSC = host TSC + tsc_offset (ticks) */
    X86Xsave xsave __attribute__((aligned(64)));
} X86State;

/* What holds interrupts back for one instruction; MOV SS holds debug traps too, 6.8.3. */
enum { X86_SHADOW_NONE, X86_SHADOW_STI, X86_SHADOW_SS };

/* hflags: the mode bits that decide how an instruction is decoded and executed; part
 * of the block key. Kept current by x86_update_hflags(). */
#define HF_CPL 0x3u           /* current privilege level */
#define HF_CS64 BIT(2)        /* 64-bit code */
#define HF_CS32 BIT(3)        /* CS.D = 1 (clear in 64-bit mode) */
#define HF_SS32 BIT(4)        /* SS.B = 1 */
#define HF_PE BIT(5)
#define HF_VM BIT(6)          /* virtual-8086 */
#define HF_LMA BIT(7)
#define HF_SEGCHK BIT(8)      /* not 64-bit and some of CS/DS/ES/SS is not flat 0..4G
                               * with usual rights: bases and limits must be honoured */
#define HF_TF BIT(9)          /* single step */
#define HF_DBG BIT(10)        /* DR7 has an enabled breakpoint */
#define HF_EM BIT(11)         /* CR0.EM */
#define HF_TS BIT(12)         /* CR0.TS */
#define HF_MP BIT(13)         /* CR0.MP */
#define HF_OSFXSR BIT(14)     /* CR4.OSFXSR */
#define HF_AVX BIT(15)        /* CR4.OSXSAVE and XCR0[2:1] = 3 */
#define HF_AVX512 BIT(16)     /* and XCR0[7:5] = 7 */
#define HF_AC BIT(17)         /* alignment checks: CPL 3, CR0.AM, EFLAGS.AC */
#define HF_DF BIT(18)         /* EFLAGS.DF set */
#define HF_SHADOW BIT(19)     /* int_shadow set */

/* Which translations an access sees; chosen by x86_update_hflags(). */
enum {
    X86_MMU_USER,       /* CPL 3 */
    X86_MMU_KERNEL,     /* CPL 0-2, SMAP in force */
    X86_MMU_KERNEL_AC,  /* CPL 0-2, EFLAGS.AC = 1 or CR4.SMAP = 0 */
    X86_NMMU,
};

/* A fault of a chain that may end in a shutdown. */
typedef struct X86FaultNote {
    uint64_t rip, cr2;
    uint32_t error;
    uint16_t cs;
    uint8_t vector;
} X86FaultNote;

typedef struct X86Cpu {
    X86State st;                 /* first: generated code addresses it */
    uint64_t next_rip;           /* where RIP goes when the current instruction is done;
                                  * branches and REP write it */
    uint32_t hflags;
    uint8_t mmu_idx;             /* X86_MMU_* of data accesses now */
    uint8_t end_block;           /* set by an instruction after which the engine must
                                  * leave its block (mode, mapping or event changed) */
    uint8_t db_pending;          /* DR6 B0-B3 of data breakpoints hit by the current
                                  * instruction; the engine raises #DB after it */
    uint8_t db_delayed;          /* the same, held back by MOV SS, POP SS (6.8.3) */
    uint8_t watch_kind;          /* DebugKind of a debugger's watchpoint that was hit */
    uint64_t watch_addr;
    uint8_t tf_done;             /* the instruction took its single step by itself */
    uint8_t fpu_live;            /* guest FPU/vector state is in the host registers
                                  * (native back end); x86_fpu_sync() brings it back */
    uint32_t aside_mxcsr;        /* x86_aside(): what it put aside */
    bool aside_small;            /* its bits above 127 are zero */
    uint8_t aside[16 * 32] __attribute__((aligned(32)));
    uint64_t trace_random;       /* state of tier2=random */
    struct X86Insn *trace_code;  /* TB_MAX_TRACE, for a trace's record (trace.h) */
    uint8_t one_unit;            /* twin runs: leave generated code after each block */
    uint8_t tapped;              /* twin runs: time and chance go through nondet_tap */
    uint8_t win_on;              /* the current address space has windows (window.h) */
    /* outside 64-bit mode, [0] for loads, [1] for stores: the offset behind the last byte
     * that may be accessed; 0 = look at the descriptor (expand-down, no right) */
    uint64_t seg_end[2][X86_NSEGS];
    void *jmp[5];                /* __builtin_setjmp buffer of the engine's loop */
    const struct X86Model *model;
    char vendor[13];             /* the model's, or -cpu NAME,vendor= */
    uint32_t feat[X86F_NWORDS];  /* features this vCPU shows (CPUID bits) */
    uint32_t apic_id;
    uint8_t phys_bits;           /* MAXPHYADDR */
    uint32_t tsc_khz;            /* CPUID leaf 15H; 0 = not told */
    uint64_t soft_rip;           /* 1 + address of the INT n being delivered, 0 = none */
    uint8_t delivering;          /* excp.c: class of the event whose delivery has begun and
                                  * not ended; a fault now may become a double fault */
    uint8_t nchain;              /* excp.c: faults since the last one delivered; */
    X86FaultNote chain[4];       /* for explain.c */
    uint64_t branch[16];         /* -d branches: where blocks began, a ring */
    uint32_t nbranches;
    /* Where accel/kvm lets a SYSCALL half done arrive (its kernel cannot do it all), 0: none.
     * An interrupt there may have saved it as the RIP to return to, under any engine. */
    uint64_t half_syscall;
    uint64_t saved_tsc;          /* state.c: guest TSC when saved */
    uint32_t user_faults;       /* page faults of user accesses, for window.c */
    int64_t tsc_moved;           /* state.c: what loading added to vCPU 0's tsc_offset */
    struct CpuTlb *tlb;          /* engine's (tcg/tlb_layout.h) */
    void *engine;                /* engine's */
    Cpu cpu;                     /* engine-neutral part (threads, requests, irqs) */
} X86Cpu;

#define X86_CPU(c) container_of(c, X86Cpu, cpu)

/* x86 as a guest architecture (cpu_ops.c). */
extern const CpuOps x86_cpu_ops;

/* Power-on or INIT reset, SDM vol. 3, 9.1.1. init = true keeps what INIT keeps. */
void x86_cpu_reset(X86Cpu *cpu, bool init);

/* Recomputes hflags and mmu_idx from st. Call after any change of CR0/CR4/EFER/XCR0,
 * CS/SS/DS/ES, CPL, or EFLAGS bits TF, AC, VM, DF, and of DR7. Leaf. */
void x86_update_hflags(X86Cpu *cpu);
/* Recomputes seg_end of one segment register; x86_update_hflags does so for all. Leaf. */
void x86_update_seg_end(X86Cpu *cpu, unsigned seg);

static inline bool x86_has(const X86Cpu *cpu, unsigned feature)
{
    return cpu->feat[feature / 32] >> (feature % 32) & 1;
}

/* --- raising: records the event and jumps back to the engine's loop. The state must
 * be that of the start of the instruction (faults) when called. Leaf. --- */
NORETURN void x86_raise(X86Cpu *cpu, unsigned vector);            /* no error code */
NORETURN void x86_raise_err(X86Cpu *cpu, unsigned vector, uint32_t error);
NORETURN void x86_raise_pf(X86Cpu *cpu, uint64_t lin, uint32_t error);
NORETURN void x86_raise_db(X86Cpu *cpu, uint64_t dr6_bits);       /* fault-like #DB */
NORETURN void x86_raise_soft(X86Cpu *cpu, unsigned vector);       /* INT n; RIP after =
                                                                   * next_rip */
/* Leaves the current instruction without finishing it and without an event: the engine
 * starts again at st.rip. */
NORETURN void x86_restart(X86Cpu *cpu);

/* --- delivery, target-x86/excp.c. Leaf. --- */
/* Back to the start of a SYSCALL half done, if RIP is there. Leaf. */
bool x86_rewind_syscall(X86Cpu *cpu);

/* Delivers st.event (clears it). Faults during delivery become double and triple
 * faults as SDM 6.15 says; a triple fault calls cpu_triple_fault(). */
void x86_deliver_event(X86Cpu *cpu);
/* External interrupt or NMI at an instruction boundary. */
void x86_deliver_interrupt(X86Cpu *cpu, unsigned vector);

#endif

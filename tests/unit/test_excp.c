/* SPDX-License-Identifier: MIT */
/*
 * Delivery of events and the instructions that come back: real mode, 32-bit, v86, 64-bit;
 * stack frames word by word, error codes, double and triple faults, task gates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "hw/core/machine.h"
#include "tests/unit/sys_rig.h"

const MachineClass *const machine_classes[] = { NULL };
const DeviceClass *const device_classes[] = { NULL };

static X86Cpu cpu_mem __attribute__((aligned(64))), *cpu = &cpu_mem;
#define ST (cpu->st)
#define STEP(s) rig_step(cpu, s, sizeof(s) - 1)

static void raise(unsigned vector, bool has_error, uint32_t error)
{
    ST.event = (X86Event){ .valid = 1, .vector = vector, .has_error = has_error,
                           .error = error };
    rig_deliver(cpu);
}

/* ---- 64-bit ---- */

static void int64_from_user_switches_to_rsp0_and_pushes_five_words(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(0x80, S_CODE64, RIG_HANDLER, 14, 3, 0);
    ST.rflags |= FL_IF | FL_TF | FL_CF;
    ST.gpr[R_SP] = RIG_STACK3 - 3; /* odd: the image must hold it exactly */
    assert_int_equal(STEP("\xcd\x80"), 0x80);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(ST.cpl, 0);
    assert_int_equal(ST.seg[R_CS].selector, S_CODE64);
    assert_int_equal(ST.seg[R_SS].selector, 0);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK0 - 40);
    assert_int_equal(rig_get(RIG_STACK0 - 8, 8), S_UDATA | 3);
    assert_int_equal(rig_get(RIG_STACK0 - 16, 8), RIG_STACK3 - 3);
    assert_int_equal(rig_get(RIG_STACK0 - 24, 8), FL_IF | FL_TF | FL_CF | 2);
    assert_int_equal(rig_get(RIG_STACK0 - 32, 8), S_UCODE64 | 3);
    assert_int_equal(rig_get(RIG_STACK0 - 40, 8), FLAT_CODE + 2);
    assert_int_equal(ST.rflags, FL_CF | 2); /* TF and IF clear */
}

static void iretq_returns_to_user(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.gpr[R_SP] = RIG_STACK0 - 40;
    rig_put(RIG_STACK0 - 40, 8, RIG_USER);
    rig_put(RIG_STACK0 - 32, 8, S_UCODE64 | 3);
    rig_put(RIG_STACK0 - 24, 8, FL_IF | FL_ZF | FL_AC | 2);
    rig_put(RIG_STACK0 - 16, 8, RIG_STACK3);
    rig_put(RIG_STACK0 - 8, 8, S_UDATA | 3);
    ST.nmi_masked = 1;
    assert_int_equal(STEP("\x48\xcf"), FLAT_OK);
    assert_int_equal(ST.rip, RIG_USER);
    assert_int_equal(ST.cpl, 3);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK3);
    assert_int_equal(ST.seg[R_SS].selector, S_UDATA | 3);
    assert_int_equal(ST.rflags, FL_IF | FL_ZF | FL_AC | 2);
    assert_int_equal(ST.nmi_masked, 0);
    assert_int_equal(ST.seg[R_DS].attr & SEG_UNUSABLE, SEG_UNUSABLE); /* DPL 0 dropped */
}

static void iretq_goes_to_compatibility_mode(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.gpr[R_SP] = RIG_STACK0 - 40;
    rig_put(RIG_STACK0 - 40, 8, RIG_USER);
    rig_put(RIG_STACK0 - 32, 8, S_UCODE32 | 3);
    rig_put(RIG_STACK0 - 24, 8, 2);
    rig_put(RIG_STACK0 - 16, 8, 0x12300038000);
    rig_put(RIG_STACK0 - 8, 8, S_UDATA | 3);
    assert_int_equal(STEP("\x48\xcf"), FLAT_OK);
    assert_int_equal(ST.gpr[R_SP], 0x38000);
    assert_int_equal(cpu->hflags & (HF_CS64 | HF_CS32 | HF_LMA), HF_CS32 | HF_LMA);
}

static void iretq_of_a_bad_frame_faults_with_the_state_untouched(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    rig_gate(13, S_CODE64, RIG_HANDLER, 14, 0, 0);
    ST.gpr[R_SP] = RIG_STACK0 - 0x800;
    rig_put(RIG_STACK0 - 0x800, 8, RIG_USER);
    rig_put(RIG_STACK0 - 0x800 + 8, 8, S_UDATA | 3); /* not code */
    assert_int_equal(STEP("\x48\xcf"), EXC_GP);
    assert_int_equal(rig_get(ST.gpr[R_SP], 8), S_UDATA); /* error code */
    assert_int_equal(rig_get(ST.gpr[R_SP] + 8, 8), FLAT_CODE);
    assert_int_equal(rig_get(ST.gpr[R_SP] + 32, 8), RIG_STACK0 - 0x800);
}

static void ist_gives_its_stack_even_from_ring_0(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    rig_gate(2, S_CODE64, RIG_HANDLER, 14, 0, 1);
    rig_interrupt(cpu, EXC_NMI);
    assert_int_equal(ST.gpr[R_SP], RIG_IST - 40);
    assert_int_equal(rig_get(RIG_IST - 8, 8), S_DATA);
    assert_int_equal(rig_get(RIG_IST - 16, 8), RIG_STACK0 - 0x1000);
    assert_int_equal(ST.seg[R_SS].selector, S_DATA); /* same ring: SS stays */
    assert_int_equal(ST.nmi_masked, 1);
}

static void ring_0_stack_is_aligned_to_16(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    rig_gate(3, S_CODE64, RIG_HANDLER, 15, 0, 0);
    ST.rflags |= FL_IF;
    ST.gpr[R_SP] = 0x33009;
    assert_int_equal(STEP("\xcc"), EXC_BP);
    assert_int_equal(ST.gpr[R_SP], 0x33000 - 40);
    assert_int_equal(rig_get(0x33000 - 16, 8), 0x33009);
    assert_int_equal(ST.rflags & FL_IF, FL_IF); /* trap gate */
}

static void page_fault_sets_cr2_pushes_its_code_and_rf(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(14, S_CODE64, RIG_HANDLER, 14, 0, 0);
    flat_protect(0x50000, 4096, FLAT_NONE);
    ST.gpr[R_AX] = 0x50010;
    assert_int_equal(STEP("\x48\x89\x18"), EXC_PF); /* mov [rax], rbx */
    assert_int_equal(ST.cr2, 0x50010);
    assert_int_equal(rig_get(RIG_STACK0 - 48, 8), PF_W | PF_U);
    assert_int_equal(rig_get(RIG_STACK0 - 40, 8), FLAT_CODE);
    assert_int_equal(rig_get(RIG_STACK0 - 24, 8), FL_RF | 2);
}

static void a_syscall_half_done_is_begun_again_where_it_faults(void **state)
{
    const uint64_t half = 0xffffd5c0de5ca000ull;
    for (unsigned is = 0; is < 2; is++) {
        rig_cpu(cpu, FLAT_MODE64, true);
        rig_gate(14, S_CODE64, RIG_HANDLER, 14, 0, 0);
        cpu->half_syscall = is ? half : 0;
        ST.rip = half;
        ST.gpr[R_CX] = FLAT_CODE + 2;
        ST.gpr[11] = FL_IF | FL_CF | FL_ONE;
        ST.event = (X86Event){ .valid = 1, .vector = EXC_PF, .has_error = 1, .cr2 = half,
                               .error = PF_U };
        rig_deliver(cpu);
        assert_int_equal(ST.rip, is ? FLAT_CODE : RIG_HANDLER);
        assert_int_equal(ST.cpl, is ? 3 : 0);
        assert_int_equal(ST.event.valid, 0);
    }
    assert_int_equal(ST.rflags, FL_IF | FL_CF | FL_ONE);
    /* A page fault elsewhere is one. */
    ST.event = (X86Event){ .valid = 1, .vector = EXC_PF, .has_error = 1, .cr2 = 0x50010 };
    rig_deliver(cpu);
    assert_int_equal(ST.rip, RIG_HANDLER);
    cpu->half_syscall = 0;
}

static void soft_interrupt_needs_the_gates_dpl(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(13, S_CODE64, RIG_HANDLER, 14, 0, 0);
    rig_gate(0x20, S_CODE64, 0x1234, 14, 0, 0);
    assert_int_equal(STEP("\xcd\x20"), 0x20);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(rig_get(RIG_STACK0 - 48, 8), 0x20 * 8 + 2); /* EXT = 0 */
    assert_int_equal(rig_get(RIG_STACK0 - 40, 8), FLAT_CODE);    /* of the INT itself */
}

static void absent_gates_are_np_and_external_events_set_ext(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(11, S_CODE64, RIG_HANDLER, 14, 0, 0);
    rig_gate(0x40, S_CODE64, 0x1234, 14, 0, 0);
    rig_put(RIG_IDT + 16 * 0x40 + 5, 1, 0x0e); /* P = 0 */
    rig_interrupt(cpu, 0x40);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(rig_get(RIG_STACK0 - 48, 8), 0x40 * 8 + 3);
}

static void a_contributory_fault_on_the_way_is_a_double_fault(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(8, S_CODE64, RIG_HANDLER, 14, 0, 1); /* #GP has no gate: #GP(0x6b) */
    raise(EXC_GP, true, 0);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(ST.gpr[R_SP], RIG_IST - 48);
    assert_int_equal(rig_get(RIG_IST - 48, 8), 0);
    assert_int_equal(cpu->delivering, 0);
}

static void page_fault_upon_page_fault_is_a_double_fault(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(14, S_CODE64, 0x1234, 14, 0, 0);
    rig_gate(8, S_CODE64, RIG_HANDLER, 14, 0, 1);
    flat_protect(RIG_STACK0 - 4096, 4096, FLAT_NONE);
    ST.event = (X86Event){ .valid = 1, .vector = EXC_PF, .has_error = 1, .cr2 = 0x77777 };
    rig_deliver(cpu);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(ST.cr2, RIG_STACK0 - 8); /* the second one's */
}

static void a_fault_upon_a_benign_event_is_delivered_itself(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(13, S_CODE64, RIG_HANDLER, 14, 0, 0);
    raise(EXC_UD, false, 0); /* no gate: #GP(6 * 8 + 3) */
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(rig_get(RIG_STACK0 - 48, 8), 6 * 8 + 3);
}

static void a_fault_upon_a_double_fault_stops_the_machine(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    raise(EXC_GP, true, 0);
    assert_int_equal(rig_triple_faults, 1);
    assert_int_equal(ST.event.valid, 0);
    assert_int_equal(cpu->delivering, 0);
}

static void debug_exception_merges_dr6_and_clears_gd(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    rig_gate(1, S_CODE64, RIG_HANDLER, 14, 0, 0);
    ST.dr7 |= DR7_GD;
    ST.dr6 = DR6_FIXED | DR6_BS | 1;
    assert_int_equal(STEP("\x0f\x21\xc0"), EXC_DB); /* mov rax, dr0 */
    assert_int_equal(ST.dr6, DR6_FIXED | DR6_BS | DR6_BD);
    assert_int_equal(ST.dr7 & DR7_GD, 0);
    assert_int_equal(rig_get(ST.gpr[R_SP], 8), FLAT_CODE);
}

static void int1_traps_behind_itself_without_dr6_bits(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(1, S_CODE64, RIG_HANDLER, 14, 0, 0);
    assert_int_equal(STEP("\xf1"), EXC_DB);
    assert_int_equal(rig_get(RIG_STACK0 - 40, 8), FLAT_CODE + 1);
    assert_int_equal(ST.dr6, DR6_FIXED);
}

static void a_handler_in_32_bit_code_is_refused_in_long_mode(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_gate(13, S_CODE64, RIG_HANDLER, 14, 0, 0);
    rig_gate(6, S_CODE32, 0x1234, 14, 0, 0);
    raise(EXC_UD, false, 0);
    assert_int_equal(rig_get(RIG_STACK0 - 48, 8), S_CODE32 | 1);
}

/* ---- SYSCALL and its like ---- */

static void syscall_and_sysretq_there_and_back(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    ST.msr.star = (uint64_t)0x23 << 48 | (uint64_t)S_CODE64 << 32;
    ST.msr.lstar = RIG_HANDLER;
    ST.msr.sfmask = FL_IF | FL_DF;
    ST.rflags = FL_IF | FL_CF | 2;
    assert_int_equal(STEP("\x0f\x05"), FLAT_OK);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(ST.cpl, 0);
    assert_int_equal(ST.gpr[R_CX], FLAT_CODE + 2);
    assert_int_equal(ST.gpr[R_11], FL_IF | FL_CF | 2);
    assert_int_equal(ST.rflags, FL_CF | 2);
    assert_int_equal(ST.seg[R_CS].selector, 0x28);
    assert_int_equal(ST.seg[R_SS].selector, 0x30);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK3);
    ST.gpr[R_CX] = RIG_USER;
    memcpy((void *)RIG_HANDLER, "\x48\x0f\x07", 3);
    assert_int_equal(STEP("\x48\x0f\x07"), FLAT_OK);
    assert_int_equal(ST.rip, RIG_USER);
    assert_int_equal(ST.cpl, 3);
    assert_int_equal(ST.seg[R_CS].selector, 0x33);
    assert_int_equal(ST.seg[R_SS].selector, 0x2b);
    assert_int_equal(ST.rflags, FL_IF | FL_CF | 2);
}

static void sysret_without_rex_goes_to_32_bit_code(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.msr.star = (uint64_t)0x20 << 48;
    ST.gpr[R_CX] = 0xffffffff0003b000;
    ST.gpr[R_11] = 2;
    assert_int_equal(STEP("\x0f\x07"), FLAT_OK);
    assert_int_equal(ST.rip, 0x3b000);
    assert_int_equal(ST.seg[R_CS].selector, 0x23);
    assert_int_equal(cpu->hflags & (HF_CS64 | HF_CS32), HF_CS32);
}

static void sysretq_to_a_non_canonical_address_is_gp_in_ring_0(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    rig_gate(13, S_CODE64, RIG_HANDLER, 14, 0, 0);
    ST.gpr[R_CX] = 1ull << 47;
    assert_int_equal(STEP("\x48\x0f\x07"), EXC_GP);
    assert_int_equal(rig_get(ST.gpr[R_SP] + 16, 8), S_CODE64); /* CS of CPL 0 */
}

static void syscall_without_sce_is_ud(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    ST.efer &= ~EFER_SCE;
    rig_gate(6, S_CODE64, RIG_HANDLER, 14, 0, 0);
    assert_int_equal(STEP("\x0f\x05"), EXC_UD);
}

static void sysenter_and_sysexit_load_fixed_segments(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    ST.msr.sysenter_cs = 8;
    ST.msr.sysenter_esp = 0x33333;
    ST.msr.sysenter_eip = RIG_HANDLER;
    ST.rflags |= FL_IF;
    assert_int_equal(STEP("\x0f\x34"), FLAT_OK);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(ST.gpr[R_SP], 0x33333);
    assert_int_equal(ST.seg[R_CS].selector, 8);
    assert_int_equal(ST.seg[R_SS].selector, 16);
    assert_int_equal(ST.rflags & FL_IF, 0);
    ST.gpr[R_DX] = RIG_USER;
    ST.gpr[R_CX] = RIG_STACK3;
    assert_int_equal(STEP("\x0f\x35"), FLAT_OK);
    assert_int_equal(ST.rip, RIG_USER);
    assert_int_equal(ST.seg[R_CS].selector, 0x1b);
    assert_int_equal(ST.seg[R_SS].selector, 0x23);
    assert_int_equal(ST.cpl, 3);
}

/* ---- 32-bit ---- */

static void int32_from_user_takes_ss0_esp0_from_the_tss(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    rig_gate(0x80, S_CODE32, RIG_HANDLER, 15, 3, 0);
    ST.rflags |= FL_IF;
    assert_int_equal(STEP("\xcd\x80"), 0x80);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK0 - 20);
    assert_int_equal(ST.seg[R_SS].selector, S_DATA);
    assert_int_equal(rig_get(RIG_STACK0 - 4, 4), S_UDATA | 3);
    assert_int_equal(rig_get(RIG_STACK0 - 8, 4), RIG_STACK3);
    assert_int_equal(rig_get(RIG_STACK0 - 12, 4), FL_IF | 2);
    assert_int_equal(rig_get(RIG_STACK0 - 16, 4), S_UCODE32 | 3);
    assert_int_equal(rig_get(RIG_STACK0 - 20, 4), FLAT_CODE + 2);
    assert_int_equal(ST.rflags & FL_IF, FL_IF);
    assert_int_equal(STEP("\xcf"), FLAT_OK); /* and back */
    assert_int_equal(ST.rip, FLAT_CODE + 2);
    assert_int_equal(ST.cpl, 3);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK3);
}

static void same_ring_interrupt_pushes_three_words_and_the_error(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_gate(13, S_CODE32, RIG_HANDLER, 14, 0, 0);
    uint32_t sp = ST.gpr[R_SP];
    assert_int_equal(STEP("\x8e\xd8"), FLAT_OK); /* mov ds, ax: null is fine */
    ST.rip = FLAT_CODE;
    assert_int_equal(STEP("\xa1\0\0\x05\0"), EXC_GP); /* but not for use */
    assert_int_equal(ST.gpr[R_SP], sp - 16);
    assert_int_equal(rig_get(sp - 16, 4), 0);
    assert_int_equal(rig_get(sp - 12, 4), FLAT_CODE);
    assert_int_equal(rig_get(sp - 8, 4), S_CODE32);
    assert_int_equal(rig_get(sp - 4, 4), FL_RF | 2);
}

static void a_16_bit_gate_pushes_16_bit_words(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_gate(3, S_CODE32, 0x9000, 6, 0, 0);
    rig_put(RIG_IDT + 8 * 3 + 6, 2, 0xdead); /* upper offset is ignored */
    uint32_t sp = ST.gpr[R_SP];
    assert_int_equal(STEP("\xcc"), EXC_BP);
    assert_int_equal(ST.rip, 0x9000);
    assert_int_equal(ST.gpr[R_SP], sp - 6);
    assert_int_equal(rig_get(sp - 6, 2), (FLAT_CODE + 1) & 0xffff);
}

static void bad_inner_stack_is_ts_with_its_selector(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    rig_gate(0x80, S_CODE32, RIG_HANDLER, 14, 3, 0);
    rig_put(RIG_TSS + 8, 2, S_RODATA);
    ST.event = (X86Event){ .valid = 1, .vector = 0x80, .soft = 1 };
    cpu->next_rip = ST.rip + 2;
    rig_gate(10, S_CONF, RIG_HANDLER, 14, 0, 0); /* stays in ring 3 */
    rig_deliver(cpu);
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(ST.cpl, 3);
    assert_int_equal(rig_get(ST.gpr[R_SP], 4), S_RODATA);
}

static void into_and_bound_raise_their_vectors(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_gate(4, S_CODE32, RIG_HANDLER, 14, 0, 0);
    rig_gate(5, S_CODE32, RIG_HANDLER, 14, 0, 0);
    assert_int_equal(STEP("\xce"), FLAT_OK);
    ST.rflags |= FL_OF;
    assert_int_equal(STEP("\xce"), EXC_OF);
    rig_put(0x50000, 4, 5);
    rig_put(0x50004, 4, 10);
    ST.gpr[R_CX] = 0x50000;
    ST.gpr[R_AX] = 10;
    assert_int_equal(STEP("\x62\x01"), FLAT_OK);
    ST.gpr[R_AX] = 11;
    assert_int_equal(STEP("\x62\x01"), EXC_BR);
    ST.gpr[R_AX] = -1;
    assert_int_equal(STEP("\x62\x01"), EXC_BR);
}

/* ---- real mode ---- */

static void real_mode_uses_the_vector_table(void **state)
{
    rig_cpu(cpu, FLAT_REAL, false);
    ST.idt = (X86Table){ RIG_IDT, 0x3ff };
    rig_put(RIG_IDT + 4 * 0x10, 4, 0x20000123); /* 2000:0123 */
    ST.rflags |= FL_IF | FL_TF;
    uint64_t sp = ST.gpr[R_SP];
    assert_int_equal(STEP("\xcd\x10"), 0x10);
    assert_int_equal(ST.rip, 0x123);
    assert_int_equal(ST.seg[R_CS].selector, 0x2000);
    assert_int_equal(ST.seg[R_CS].base, 0x20000);
    assert_int_equal(ST.gpr[R_SP], sp - 6);
    assert_int_equal(rig_get(FLAT_BASE + sp - 2, 2), FL_IF | FL_TF | 2);
    assert_int_equal(rig_get(FLAT_BASE + sp - 4, 2), 0x1000);
    assert_int_equal(rig_get(FLAT_BASE + sp - 6, 2), 0x1002);
    assert_int_equal(ST.rflags, 2);
    assert_int_equal(STEP("\xcf"), FLAT_OK);
    assert_int_equal(ST.rip, 0x1002);
    assert_int_equal(ST.seg[R_CS].selector, 0x1000);
    assert_int_equal(ST.rflags, FL_IF | FL_TF | 2);
}

static void real_mode_faults_push_no_error_code(void **state)
{
    rig_cpu(cpu, FLAT_REAL, false);
    ST.idt = (X86Table){ RIG_IDT, 0x3ff };
    rig_put(RIG_IDT + 4 * 13, 4, 0x20000050);
    uint64_t sp = ST.gpr[R_SP];
    ST.gpr[R_BX] = 0xffff;
    assert_int_equal(STEP("\x8b\x07"), EXC_GP); /* mov ax, [bx]: crosses the limit */
    assert_int_equal(ST.gpr[R_SP], sp - 6);
    assert_int_equal(rig_get(FLAT_BASE + sp - 6, 2), 0x1000);
}

static void a_short_vector_table_ends_in_a_triple_fault(void **state)
{
    rig_cpu(cpu, FLAT_REAL, false);
    ST.idt = (X86Table){ RIG_IDT, 0 };
    assert_int_equal(STEP("\xcd\x10"), 0x10);
    assert_int_equal(rig_triple_faults, 1);
}

/* ---- v86 ---- */

static void v86_interrupt_pushes_nine_words_and_nulls_data_segments(void **state)
{
    rig_cpu(cpu, FLAT_V86, true);
    rig_gate(0x21, S_CODE32, RIG_HANDLER, 14, 3, 0);
    uint64_t flags = ST.rflags;
    assert_int_equal(STEP("\xcd\x21"), 0x21); /* IOPL is 3 */
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(ST.cpl, 0);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK0 - 36);
    assert_int_equal(rig_get(RIG_STACK0 - 4, 4), 0x1000);  /* GS */
    assert_int_equal(rig_get(RIG_STACK0 - 16, 4), 0x1000); /* ES */
    assert_int_equal(rig_get(RIG_STACK0 - 20, 4), 0x1000); /* SS */
    assert_int_equal(rig_get(RIG_STACK0 - 28, 4), flags);
    assert_int_equal(rig_get(RIG_STACK0 - 36, 4), 0x1002);
    assert_int_equal(ST.rflags & FL_VM, 0);
    assert_int_equal(ST.seg[R_DS].attr & SEG_UNUSABLE, SEG_UNUSABLE);
    assert_int_equal(STEP("\xcf"), FLAT_OK); /* IRET back to v86 */
    assert_int_equal(ST.rflags, flags);
    assert_int_equal(ST.cpl, 3);
    assert_int_equal(ST.rip, 0x1002);
    assert_int_equal(ST.seg[R_DS].base, 0x10000);
    assert_int_equal(ST.seg[R_DS].limit, 0xffff);
}

static void v86_int_is_gp_below_iopl_3(void **state)
{
    rig_cpu(cpu, FLAT_V86, true);
    ST.rflags &= ~(uint64_t)FL_IOPL;
    rig_gate(13, S_CODE32, RIG_HANDLER, 14, 0, 0);
    rig_gate(0x21, S_CODE32, 0x1234, 14, 3, 0);
    STEP("\xcd\x21");
    assert_int_equal(ST.rip, RIG_HANDLER);
    assert_int_equal(rig_get(ST.gpr[R_SP], 4), 0);
}

static void vme_redirects_int_to_the_v86_vector_table(void **state)
{
    rig_cpu(cpu, FLAT_V86, true);
    ST.cr4 |= CR4_VME;
    ST.rflags = (ST.rflags & ~(uint64_t)FL_IOPL) | FL_VIF;
    rig_gate(13, S_CODE32, RIG_HANDLER, 14, 0, 0);
    rig_gate(14, S_CODE32, RIG_HANDLER, 14, 0, 0);
    /* the map says 0 for vector 21H: the table at linear 0, which this world lacks */
    STEP("\xcd\x21");
    assert_int_equal(ST.cr2, 0x84);
    rig_cpu(cpu, FLAT_V86, true);
    ST.cr4 |= CR4_VME;
    ST.rflags &= ~(uint64_t)FL_IOPL;
    rig_gate(13, S_CODE32, RIG_HANDLER, 14, 0, 0);
    rig_put(RIG_TSS + 0x88 - 32 + 4, 1, 2); /* bit of 21H */
    STEP("\xcd\x21");
    assert_int_equal(ST.rip, RIG_HANDLER); /* #GP(0) */
    assert_int_equal(rig_get(ST.gpr[R_SP], 4), 0);
}

/* ---- tasks ---- */

static void fill_tss2(void)
{
    rig_put(RIG_TSS2 + 0x20, 4, RIG_USER);
    rig_put(RIG_TSS2 + 0x24, 4, FL_ZF | 2);
    for (unsigned i = 0; i < 8; i++) {
        rig_put(RIG_TSS2 + 0x28 + 4 * i, 4, i == R_SP ? RIG_IST : 0x100 + i);
    }
    static const uint16_t sel[X86_NSEGS] = { S_DATA, S_CODE32, S_DATA, S_DATA, 0, 0 };
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        rig_put(RIG_TSS2 + 0x48 + 4 * i, 2, sel[i]);
    }
    rig_put(RIG_TSS2 + 0x60, 2, S_LDT);
}

static void call_to_a_tss_nests_and_iret_comes_back(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    fill_tss2();
    rig_put(RIG_TSS + 0x60, 2, 0);
    ST.gpr[R_BX] = 0xb0b;
    assert_int_equal(STEP("\x9a\0\0\0\0\x70\0"), FLAT_OK); /* call 70:0 */
    assert_int_equal(ST.rip, RIG_USER);
    assert_int_equal(ST.tr.selector, S_TSS2);
    assert_int_equal(ST.gpr[R_BX], 0x103);
    assert_int_equal(ST.gpr[R_SP], RIG_IST);
    assert_int_equal(ST.rflags, FL_ZF | FL_NT | 2);
    assert_int_equal(ST.ldt.base, RIG_LDT);
    assert_int_equal(ST.cr0 & CR0_TS, CR0_TS);
    assert_int_equal(rig_get(RIG_TSS2, 2), S_TSS);                  /* link */
    assert_int_equal(rig_get(RIG_TSS + 0x20, 4), FLAT_CODE + 7);
    assert_int_equal(rig_get(RIG_TSS + 0x28 + 12, 4), 0xb0b);
    assert_int_equal(rig_get(RIG_GDT + S_TSS2 + 5, 1), 0x8b);       /* busy */
    assert_int_equal(rig_get(RIG_GDT + S_TSS + 5, 1), 0x8b);        /* still busy */
    assert_int_equal(STEP("\xcf"), FLAT_OK);
    assert_int_equal(ST.tr.selector, S_TSS);
    assert_int_equal(ST.rip, FLAT_CODE + 7);
    assert_int_equal(ST.gpr[R_BX], 0xb0b);
    assert_int_equal(rig_get(RIG_GDT + S_TSS2 + 5, 1), 0x89);       /* free again */
    assert_int_equal(rig_get(RIG_TSS2 + 0x24, 4), FL_ZF | 2);       /* NT cleared */
}

static void jmp_to_a_tss_frees_the_old_one(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    fill_tss2();
    assert_int_equal(STEP("\xea\0\0\0\0\x70\0"), FLAT_OK);
    assert_int_equal(rig_get(RIG_GDT + S_TSS + 5, 1), 0x89);
    assert_int_equal(ST.rflags & FL_NT, 0);
}

static void a_task_gate_takes_a_fault_with_its_error_code(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    fill_tss2();
    rig_gate(13, S_TSS2, 0, 5, 0, 0);
    raise(EXC_GP, true, 0x1234);
    assert_int_equal(ST.rip, RIG_USER);
    assert_int_equal(ST.gpr[R_SP], RIG_IST - 4);
    assert_int_equal(rig_get(RIG_IST - 4, 4), 0x1234);
    assert_int_equal(rig_get(RIG_TSS + 0x20, 4), FLAT_CODE);
}

static void a_busy_tss_is_refused(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_gate(13, S_CODE32, RIG_HANDLER, 14, 0, 0);
    assert_int_equal(STEP("\x9a\0\0\0\0\x38\0"), EXC_GP);
    assert_int_equal(rig_get(ST.gpr[R_SP], 4), S_TSS);
}

static void a_bad_segment_of_the_new_task_faults_in_its_context(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    fill_tss2();
    rig_put(RIG_TSS2 + 0x48 + 4 * R_DS, 2, S_ABSENT);
    rig_gate(11, S_CODE32, RIG_HANDLER, 14, 0, 0);
    assert_int_equal(STEP("\x9a\0\0\0\0\x70\0"), EXC_NP);
    assert_int_equal(ST.tr.selector, S_TSS2);
    assert_int_equal(rig_get(RIG_IST - 16, 4), S_ABSENT);
    assert_int_equal(rig_get(RIG_IST - 12, 4), RIG_USER);
}

#define T(f) cmocka_unit_test(f)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(int64_from_user_switches_to_rsp0_and_pushes_five_words),
        T(iretq_returns_to_user),
        T(iretq_goes_to_compatibility_mode),
        T(iretq_of_a_bad_frame_faults_with_the_state_untouched),
        T(ist_gives_its_stack_even_from_ring_0),
        T(ring_0_stack_is_aligned_to_16),
        T(page_fault_sets_cr2_pushes_its_code_and_rf),
        T(a_syscall_half_done_is_begun_again_where_it_faults),
        T(soft_interrupt_needs_the_gates_dpl),
        T(absent_gates_are_np_and_external_events_set_ext),
        T(a_contributory_fault_on_the_way_is_a_double_fault),
        T(page_fault_upon_page_fault_is_a_double_fault),
        T(a_fault_upon_a_benign_event_is_delivered_itself),
        T(a_fault_upon_a_double_fault_stops_the_machine),
        T(debug_exception_merges_dr6_and_clears_gd),
        T(int1_traps_behind_itself_without_dr6_bits),
        T(a_handler_in_32_bit_code_is_refused_in_long_mode),
        T(syscall_and_sysretq_there_and_back),
        T(sysret_without_rex_goes_to_32_bit_code),
        T(sysretq_to_a_non_canonical_address_is_gp_in_ring_0),
        T(syscall_without_sce_is_ud),
        T(sysenter_and_sysexit_load_fixed_segments),
        T(int32_from_user_takes_ss0_esp0_from_the_tss),
        T(same_ring_interrupt_pushes_three_words_and_the_error),
        T(a_16_bit_gate_pushes_16_bit_words),
        T(bad_inner_stack_is_ts_with_its_selector),
        T(into_and_bound_raise_their_vectors),
        T(real_mode_uses_the_vector_table),
        T(real_mode_faults_push_no_error_code),
        T(a_short_vector_table_ends_in_a_triple_fault),
        T(v86_interrupt_pushes_nine_words_and_nulls_data_segments),
        T(v86_int_is_gp_below_iopl_3),
        T(vme_redirects_int_to_the_v86_vector_table),
        T(call_to_a_tss_nests_and_iret_comes_back),
        T(jmp_to_a_tss_frees_the_old_one),
        T(a_task_gate_takes_a_fault_with_its_error_code),
        T(a_busy_tss_is_refused),
        T(a_bad_segment_of_the_new_task_faults_in_its_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Segment loads and far transfers with their privilege checks, control and debug
 * registers, flags with privilege, descriptor queries, XSAVE areas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "hw/core/machine.h"
#include "target-x86/models.h"
#include "tests/unit/sys_rig.h"

const MachineClass *const machine_classes[] = { NULL };
const DeviceClass *const device_classes[] = { NULL };

static X86Cpu cpu_mem __attribute__((aligned(64))), *cpu = &cpu_mem;
#define ST (cpu->st)
/* Executes from the same place again and again. */
#define EXEC(s) exec(s, sizeof(s) - 1)
/* The vector and its error code. */
#define FAULTS(s, vec, err)                              \
    do {                                                 \
        assert_int_equal(EXEC(s), vec);                  \
        assert_int_equal(cpu->st.event.error, err);      \
    } while (0)

static int exec(const void *bytes, unsigned n)
{
    uint64_t rip = ST.rip;
    ST.int_shadow = 0;
    int r = flat_exec(cpu, bytes, n);
    if (r != FLAT_OK || ST.rip == rip + n) {
        ST.rip = rip;
    }
    return r;
}

/* ---- segment loads ---- */

static void data_segments_load_base_limit_and_rights(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_put(RIG_GDT + S_RODATA, 8, 0x1240910034567fffull);
    ST.gpr[R_AX] = S_RODATA;
    assert_int_equal(EXEC("\x8e\xc0"), FLAT_OK); /* mov es, ax */
    assert_int_equal(ST.seg[R_ES].selector, S_RODATA);
    assert_int_equal(ST.seg[R_ES].base, 0x12003456);
    assert_int_equal(ST.seg[R_ES].limit, 0x7fff);
    assert_int_equal(ST.seg[R_ES].attr, 0x4091);
    assert_int_equal(cpu->hflags & HF_SEGCHK, HF_SEGCHK);
}

static void loading_sets_the_accessed_bit(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_put(RIG_GDT + S_DATA + 5, 1, 0x92);
    ST.gpr[R_AX] = S_DATA;
    assert_int_equal(EXEC("\x8e\xd8"), FLAT_OK);
    assert_int_equal(rig_get(RIG_GDT + S_DATA + 5, 1), 0x93);
}

static void data_segment_loads_check_type_privilege_and_presence(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    static const struct {
        uint16_t sel;
        uint8_t vec;
    } rows[] = { { S_DATA, EXC_GP },      { S_XONLY | 3, EXC_GP }, { S_TSS, EXC_GP },
                 { S_GDT_END, EXC_GP },   { S_DATA | 4, EXC_GP } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ST.gpr[R_AX] = rows[i].sel;
        FAULTS("\x8e\xd8", rows[i].vec, rows[i].sel & 0xfffcu);
    }
    rig_put(RIG_GDT + S_ABSENT + 5, 1, 0x73);
    ST.gpr[R_AX] = S_ABSENT | 3;
    FAULTS("\x8e\xd8", EXC_NP, S_ABSENT);
    ST.gpr[R_AX] = S_CONF; /* conforming code is readable from any ring */
    assert_int_equal(EXEC("\x8e\xd8"), FLAT_OK);
    ST.gpr[R_AX] = 3; /* null */
    assert_int_equal(EXEC("\x8e\xd8"), FLAT_OK);
    assert_int_equal(ST.seg[R_DS].attr & SEG_UNUSABLE, SEG_UNUSABLE);
}

static void ss_must_match_cpl_and_be_writable(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    static const uint16_t bad[] = { S_RODATA, S_CODE32, S_UDATA, S_UDATA | 3, S_DATA | 3 };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ST.gpr[R_AX] = bad[i];
        FAULTS("\x8e\xd0", EXC_GP, bad[i] & 0xfffcu);
    }
    ST.gpr[R_AX] = 0;
    FAULTS("\x8e\xd0", EXC_GP, 0);
    ST.gpr[R_AX] = S_ABSENT;
    FAULTS("\x8e\xd0", EXC_SS, S_ABSENT);
    ST.gpr[R_AX] = S_DATA;
    assert_int_equal(EXEC("\x8e\xd0"), FLAT_OK);
    assert_int_equal(ST.int_shadow, X86_SHADOW_SS);
}

static void null_ss_is_for_64_bit_mode_below_ring_3(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.gpr[R_AX] = 0;
    assert_int_equal(EXEC("\x8e\xd0"), FLAT_OK);
    rig_cpu(cpu, FLAT_MODE64, true);
    ST.gpr[R_AX] = 3;
    FAULTS("\x8e\xd0", EXC_GP, 0);
}

static void mov_to_cs_and_absent_segment_registers_are_ud(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    assert_int_equal(EXEC("\x8e\xc8"), EXC_UD);
    assert_int_equal(EXEC("\x8e\xf0"), EXC_UD);
    assert_int_equal(EXEC("\x8c\xf8"), EXC_UD);
}

static void ldt_selectors_use_the_ldt(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    ST.gpr[R_AX] = 0xc; /* second entry of the LDT */
    FAULTS("\x8e\xd8", EXC_GP, 0xc);
    rig_put(RIG_LDT + 8, 8, 0x00409300500000ffull);
    ST.gpr[R_BX] = S_LDT;
    assert_int_equal(EXEC("\x0f\x00\xd3"), FLAT_OK); /* lldt bx */
    assert_int_equal(EXEC("\x8e\xd8"), FLAT_OK);
    assert_int_equal(ST.seg[R_DS].base, 0x5000);
    assert_int_equal(ST.seg[R_DS].limit, 0xff);
}

static void pop_moves_the_stack_only_if_the_load_succeeds(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    uint64_t sp = ST.gpr[R_SP];
    rig_put(sp, 4, S_ABSENT);
    FAULTS("\x1f", EXC_NP, S_ABSENT);
    assert_int_equal(ST.gpr[R_SP], sp);
    rig_put(sp, 4, S_DATA);
    assert_int_equal(EXEC("\x1f"), FLAT_OK);
    assert_int_equal(ST.gpr[R_SP], sp + 4);
}

static void lss_loads_both_or_nothing(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_put(0x50000, 4, 0x1234);
    rig_put(0x50004, 2, S_DATA);
    ST.gpr[R_AX] = 0x50000;
    assert_int_equal(EXEC("\x0f\xb2\x20"), FLAT_OK); /* lss esp, [eax] */
    assert_int_equal(ST.gpr[R_SP], 0x1234);
    rig_put(0x50004, 2, S_RODATA);
    ST.gpr[R_SP] = 7;
    FAULTS("\x0f\xb2\x20", EXC_GP, S_RODATA);
    assert_int_equal(ST.gpr[R_SP], 7);
}

static void real_mode_loads_keep_the_limit(void **state)
{
    rig_cpu(cpu, FLAT_REAL, false);
    ST.seg[R_ES].limit = 0xffffffff;
    ST.gpr[R_AX] = 0x2345;
    assert_int_equal(EXEC("\x8e\xc0"), FLAT_OK);
    assert_int_equal(ST.seg[R_ES].base, 0x23450);
    assert_int_equal(ST.seg[R_ES].limit, 0xffffffff);
}

/* ---- far transfers ---- */

static void far_jmp_enters_64_bit_code_from_compatibility_mode(void **state)
{
    rig_cpu(cpu, FLAT_COMPAT32, false);
    assert_int_equal(EXEC("\xea\x00\x90\x03\x00\x28\x00"), FLAT_OK);
    assert_int_equal(ST.rip, 0x39000);
    assert_int_equal(cpu->hflags & HF_CS64, HF_CS64);
}

static void far_call_and_ret_in_one_ring(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    uint64_t sp = ST.gpr[R_SP];
    ST.rip = FLAT_CODE;
    assert_int_equal(EXEC("\x9a\x00\x90\x03\x00\x08\x00"), FLAT_OK);
    assert_int_equal(ST.rip, 0x39000);
    assert_int_equal(rig_get(sp - 4, 4), S_CODE32);
    assert_int_equal(rig_get(sp - 8, 4), FLAT_CODE + 7);
    assert_int_equal(EXEC("\xca\x08\x00"), FLAT_OK); /* retf 8 */
    assert_int_equal(ST.rip, FLAT_CODE + 7);
    assert_int_equal(ST.gpr[R_SP], sp + 8);
}

static void far_transfers_check_privilege(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    FAULTS("\xea\0\x90\3\0\x08\0", EXC_GP, S_CODE32);
    FAULTS("\xea\0\x90\3\0\0\0", EXC_GP, 0);
    FAULTS("\xea\0\x90\3\0\x20\0", EXC_GP, S_UDATA);
    rig_put(RIG_GDT + S_UCODE32 + 5, 1, 0x7b);
    FAULTS("\xea\0\x90\3\0\x18\0", EXC_NP, S_UCODE32);
    assert_int_equal(EXEC("\xea\0\x90\3\0\x78\0"), FLAT_OK); /* conforming: CPL stays */
    assert_int_equal(ST.cpl, 3);
    assert_int_equal(ST.seg[R_CS].selector, S_CONF | 3);
    rig_put(RIG_GDT + S_CONF, 8, 0x00409f00000000ffull);
    FAULTS("\xea\0\1\0\0\x78\0", EXC_GP, 0); /* beyond the limit */
}

static void call_gate_switches_stacks_and_copies_parameters(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    rig_put(RIG_GDT + S_GATE, 8, 0x0003ec0200089000ull); /* 8:39000, DPL 3, 2 words */
    rig_put(RIG_STACK3 - 8, 4, 0x11111111);
    rig_put(RIG_STACK3 - 4, 4, 0x22222222);
    ST.gpr[R_SP] = RIG_STACK3 - 8;
    assert_int_equal(EXEC("\x9a\0\0\0\0\x60\0"), FLAT_OK);
    assert_int_equal(ST.rip, 0x39000);
    assert_int_equal(ST.cpl, 0);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK0 - 24);
    assert_int_equal(rig_get(RIG_STACK0 - 4, 4), S_UDATA | 3);
    assert_int_equal(rig_get(RIG_STACK0 - 8, 4), RIG_STACK3 - 8);
    assert_int_equal(rig_get(RIG_STACK0 - 12, 4), 0x22222222);
    assert_int_equal(rig_get(RIG_STACK0 - 16, 4), 0x11111111);
    assert_int_equal(rig_get(RIG_STACK0 - 20, 4), S_UCODE32 | 3);
    assert_int_equal(rig_get(RIG_STACK0 - 24, 4), FLAT_CODE + 7);
    ST.seg[R_ES] = ST.seg[R_SS]; /* ring 0 data must not survive */
    assert_int_equal(EXEC("\xca\x08\x00"), FLAT_OK);
    assert_int_equal(ST.cpl, 3);
    assert_int_equal(ST.rip, FLAT_CODE + 7);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK3);
    assert_int_equal(ST.seg[R_ES].attr & SEG_UNUSABLE, SEG_UNUSABLE);
    assert_int_equal(ST.seg[R_DS].selector, S_UDATA | 3);
}

static void call_gate_of_long_mode_is_16_bytes(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_put(RIG_GDT + S_GATE, 8, 0x0003ec0000289000ull);
    rig_put(RIG_GDT + S_GATE + 8, 8, 0);
    rig_put(0x50000, 4, 0);
    rig_put(0x50004, 2, S_GATE);
    ST.gpr[R_AX] = 0x50000;
    assert_int_equal(EXEC("\xff\x18"), FLAT_OK); /* call far [rax] */
    assert_int_equal(ST.rip, 0x39000);
    assert_int_equal(ST.cpl, 0);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK0 - 32);
    assert_int_equal(rig_get(RIG_STACK0 - 16, 8), RIG_STACK3);
    assert_int_equal(rig_get(RIG_STACK0 - 32, 8), FLAT_CODE + 2);
}

static void a_gate_of_lower_dpl_is_refused(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    rig_put(RIG_GDT + S_GATE, 8, 0x00038c0000089000ull);
    FAULTS("\x9a\0\0\0\0\x60\0", EXC_GP, S_GATE);
}

/* ---- control registers ---- */

static void set_ax(uint64_t v) { ST.gpr[R_AX] = v; }
#define MOV_CR0 "\x0f\x22\xc0"
#define MOV_CR3 "\x0f\x22\xd8"
#define MOV_CR4 "\x0f\x22\xe0"

static void cr0_refuses_impossible_combinations(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    set_ax(CR0_PG);
    FAULTS(MOV_CR0, EXC_GP, 0);
    set_ax(CR0_PE | CR0_NW);
    FAULTS(MOV_CR0, EXC_GP, 0);
    set_ax(CR0_PE | CR0_TS | 0xff00);
    assert_int_equal(EXEC(MOV_CR0), FLAT_OK);
    assert_int_equal(ST.cr0, CR0_PE | CR0_TS | CR0_ET);
    assert_int_equal(cpu->hflags & HF_TS, HF_TS);
}

static void paging_with_lme_activates_long_mode_if_pae_is_on(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    ST.efer = EFER_LME;
    set_ax(CR0_PE | CR0_PG);
    FAULTS(MOV_CR0, EXC_GP, 0);
    ST.cr4 |= CR4_PAE;
    assert_int_equal(EXEC(MOV_CR0), FLAT_OK);
    assert_int_equal(ST.efer, EFER_LME | EFER_LMA);
    assert_int_equal(cpu->hflags & HF_LMA, HF_LMA);
    set_ax(CR0_PE);
    assert_int_equal(EXEC(MOV_CR0), FLAT_OK);
    assert_int_equal(ST.efer, EFER_LME);
}

static void paging_cannot_be_left_in_64_bit_code(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.cr0 |= CR0_PG;
    set_ax(CR0_PE);
    FAULTS(MOV_CR0, EXC_GP, 0);
    set_ax(CR0_PE | CR0_PG | BIT(32));
    FAULTS(MOV_CR0, EXC_GP, 0);
    set_ax(ST.cr4 & ~CR4_PAE);
    FAULTS(MOV_CR4, EXC_GP, 0);
}

static void pae_paging_loads_pdptes_and_checks_them(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    ST.cr4 |= CR4_PAE;
    ST.cr3 = 0x50000;
    rig_put(0x50000, 8, 0x51003);
    set_ax(CR0_PE | CR0_PG);
    FAULTS(MOV_CR0, EXC_GP, 0);
    rig_put(0x50000, 8, 0x51001);
    assert_int_equal(EXEC(MOV_CR0), FLAT_OK);
    assert_int_equal(ST.pdpte[0], 0x51001);
    rig_put(0x52000, 8, 0x53001);
    set_ax(0x52000);
    assert_int_equal(EXEC(MOV_CR3), FLAT_OK);
    assert_int_equal(ST.pdpte[0], 0x53001);
    assert_int_equal(flat_tlb_cr3, 0x52000);
}

static void cr3_checks_reserved_bits_and_takes_bit_63_with_pcide(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.cr0 |= CR0_PG;
    set_ax(BIT(41));
    FAULTS(MOV_CR3, EXC_GP, 0);
    set_ax(BIT(63) | 0x5005);
    FAULTS(MOV_CR3, EXC_GP, 0);
    ST.cr3 = 0x5000;
    set_ax(ST.cr4 | CR4_PCIDE);
    assert_int_equal(EXEC(MOV_CR4), FLAT_OK);
    set_ax(BIT(63) | 0x6005);
    assert_int_equal(EXEC(MOV_CR3), FLAT_OK);
    assert_int_equal(ST.cr3, 0x6005);
}

static void pcide_needs_long_mode_and_pcid_0(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    set_ax(ST.cr4 | CR4_PCIDE);
    FAULTS(MOV_CR4, EXC_GP, 0);
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.cr3 = 0x5001;
    set_ax(ST.cr4 | CR4_PCIDE);
    FAULTS(MOV_CR4, EXC_GP, 0);
}

static void cr4_bits_follow_the_features(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    set_ax(ST.cr4 | CR4_SMEP);
    assert_int_equal(EXEC(MOV_CR4), FLAT_OK);
    cpu->feat[X86F_SMAP / 32] &= ~(1u << (X86F_SMAP % 32));
    set_ax(ST.cr4 | CR4_SMAP);
    FAULTS(MOV_CR4, EXC_GP, 0);
    set_ax(ST.cr4 | BIT(30));
    FAULTS(MOV_CR4, EXC_GP, 0);
}

static void other_control_registers_do_not_exist(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    assert_int_equal(EXEC("\x0f\x22\xc8"), EXC_UD);
    assert_int_equal(EXEC("\x0f\x20\xf8"), EXC_UD);
    rig_cpu(cpu, FLAT_MODE64, true);
    FAULTS("\x0f\x20\xc0", EXC_GP, 0); /* CPL 3 */
}

static void lmsw_sets_but_never_clears_pe(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    set_ax(CR0_TS);
    assert_int_equal(EXEC("\x0f\x01\xf0"), FLAT_OK);
    assert_int_equal(ST.cr0 & 15, CR0_PE | CR0_TS);
    assert_int_equal(EXEC("\x0f\x06"), FLAT_OK); /* clts */
    assert_int_equal(ST.cr0 & 15, CR0_PE);
}

static void debug_registers_mask_reserved_bits(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    set_ax(0xffffffff);
    assert_int_equal(EXEC("\x0f\x23\xf0"), FLAT_OK);
    assert_int_equal(ST.dr6, 0xffffeff0u | 15);
    set_ax(0x55 | 3 << 14);
    assert_int_equal(EXEC("\x0f\x23\xf8"), FLAT_OK);
    assert_int_equal(ST.dr7, 0x455);
    assert_int_equal(cpu->hflags & HF_DBG, HF_DBG);
    set_ax(BIT(32));
    FAULTS("\x0f\x23\xf8", EXC_GP, 0);
    assert_int_equal(EXEC("\x0f\x21\xe0"), FLAT_OK); /* DR4 is DR6 */
    ST.cr4 |= CR4_DE;
    assert_int_equal(EXEC("\x0f\x21\xe0"), EXC_UD);
}

static void umip_hides_system_registers_from_users(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    set_ax(0x50000);
    assert_int_equal(EXEC("\x0f\x01\x00"), FLAT_OK); /* sgdt [rax] */
    assert_int_equal(rig_get(0x50002, 8), RIG_GDT);
    assert_int_equal(rig_get(0x50000, 2), S_GDT_END - 1);
    ST.cr4 |= CR4_UMIP;
    FAULTS("\x0f\x01\x00", EXC_GP, 0);
    FAULTS("\x0f\x00\xc8", EXC_GP, 0); /* str eax */
    FAULTS("\x0f\x01\xe0", EXC_GP, 0); /* smsw eax */
}

static void lgdt_takes_24_bits_of_base_with_16_bit_operands(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    rig_put(0x50000, 2, 0x1ff);
    rig_put(0x50002, 4, 0x12345678);
    set_ax(0x50000);
    assert_int_equal(EXEC("\x66\x0f\x01\x10"), FLAT_OK);
    assert_int_equal(ST.gdt.base, 0x345678);
    assert_int_equal(EXEC("\x0f\x01\x10"), FLAT_OK);
    assert_int_equal(ST.gdt.base, 0x12345678);
    assert_int_equal(ST.gdt.limit, 0x1ff);
}

/* ---- queries ---- */

static void lar_and_lsl_tell_rights_and_limit(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    ST.gpr[R_CX] = S_UDATA | 3;
    assert_int_equal(EXEC("\x0f\x02\xc1"), FLAT_OK);
    assert_int_equal(ST.gpr[R_AX], 0xcff300);
    assert_int_equal(ST.rflags & FL_ZF, FL_ZF);
    assert_int_equal(EXEC("\x0f\x03\xc1"), FLAT_OK);
    assert_int_equal(ST.gpr[R_AX], 0xffffffff);
    ST.gpr[R_CX] = S_DATA; /* DPL 0 */
    set_ax(7);
    assert_int_equal(EXEC("\x0f\x02\xc1"), FLAT_OK);
    assert_int_equal(ST.gpr[R_AX], 7);
    assert_int_equal(ST.rflags & FL_ZF, 0);
}

static void verr_and_verw_ask_for_reading_and_writing(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    static const struct {
        uint16_t sel;
        bool r, w;
    } rows[] = { { S_DATA, true, true },   { S_RODATA, true, false },
                 { S_CODE32, true, false }, { S_XONLY, false, false },
                 { S_TSS, false, false },  { 0, false, false } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_ax(rows[i].sel);
        assert_int_equal(EXEC("\x0f\x00\xe0"), FLAT_OK);
        assert_int_equal(!!(ST.rflags & FL_ZF), rows[i].r);
        assert_int_equal(EXEC("\x0f\x00\xe8"), FLAT_OK);
        assert_int_equal(!!(ST.rflags & FL_ZF), rows[i].w);
    }
}

static void arpl_raises_rpl(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    set_ax(0x10);
    ST.gpr[R_CX] = 3;
    assert_int_equal(EXEC("\x63\xc8"), FLAT_OK);
    assert_int_equal(ST.gpr[R_AX], 0x13);
    assert_int_equal(ST.rflags & FL_ZF, FL_ZF);
    assert_int_equal(EXEC("\x63\xc8"), FLAT_OK);
    assert_int_equal(ST.rflags & FL_ZF, 0);
}

static void ltr_marks_the_tss_busy_and_refuses_a_busy_one(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    set_ax(S_TSS2);
    assert_int_equal(EXEC("\x0f\x00\xd8"), FLAT_OK);
    assert_int_equal(ST.tr.base, RIG_TSS2);
    assert_int_equal(ST.tr.attr & SEG_TYPE, 11);
    assert_int_equal(rig_get(RIG_GDT + S_TSS2 + 5, 1), 0x8b);
    FAULTS("\x0f\x00\xd8", EXC_GP, S_TSS2);
    set_ax(0);
    FAULTS("\x0f\x00\xd8", EXC_GP, 0);
}

/* ---- bases ---- */

static void swapgs_and_the_base_instructions(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.seg[R_GS].base = 0x1111;
    ST.msr.kernel_gs_base = 0xffff888000002222;
    assert_int_equal(EXEC("\x0f\x01\xf8"), FLAT_OK);
    assert_int_equal(ST.seg[R_GS].base, 0xffff888000002222);
    assert_int_equal(ST.msr.kernel_gs_base, 0x1111);
    assert_int_equal(EXEC("\xf3\x48\x0f\xae\xc8"), EXC_UD); /* CR4.FSGSBASE = 0 */
    ST.cr4 |= CR4_FSGSBASE;
    assert_int_equal(EXEC("\xf3\x48\x0f\xae\xc8"), FLAT_OK); /* rdgsbase rax */
    assert_int_equal(ST.gpr[R_AX], 0xffff888000002222);
    assert_int_equal(EXEC("\xf3\x0f\xae\xd0"), FLAT_OK); /* wrfsbase eax */
    assert_int_equal(ST.seg[R_FS].base, 0x2222);
    set_ax(BIT(60));
    FAULTS("\xf3\x48\x0f\xae\xd0", EXC_GP, 0);
    rig_cpu(cpu, FLAT_MODE64, true);
    FAULTS("\x0f\x01\xf8", EXC_GP, 0);
}

/* ---- flags ---- */

static void cli_and_sti_obey_iopl(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    FAULTS("\xfa", EXC_GP, 0);
    FAULTS("\xfb", EXC_GP, 0);
    ST.rflags |= FL_IOPL;
    assert_int_equal(EXEC("\xfb"), FLAT_OK);
    assert_int_equal(ST.rflags & FL_IF, FL_IF);
    assert_int_equal(ST.int_shadow, 1);
    assert_int_equal(EXEC("\xfb"), FLAT_OK);
    assert_int_equal(ST.int_shadow, 0); /* IF was set already */
}

static void pvi_gives_ring_3_the_virtual_flag(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    ST.cr4 |= CR4_PVI;
    assert_int_equal(EXEC("\xfb"), FLAT_OK);
    assert_int_equal(ST.rflags & (FL_IF | FL_VIF), FL_VIF);
    ST.rflags |= FL_VIP;
    FAULTS("\xfb", EXC_GP, 0);
    assert_int_equal(EXEC("\xfa"), FLAT_OK);
    assert_int_equal(ST.rflags & FL_VIF, 0);
}

static void popf_changes_only_what_privilege_allows(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    rig_put(RIG_STACK3 - 8, 8, 0x3f7fd7);
    ST.gpr[R_SP] = RIG_STACK3 - 8;
    assert_int_equal(EXEC("\x9d"), FLAT_OK);
    assert_int_equal(ST.rflags, 0x244dd7 & ~FL_IF); /* no IF, IOPL, RF, VM, VIF, VIP */
    assert_int_equal(cpu->hflags & (HF_TF | HF_DF), HF_TF | HF_DF);
    assert_int_equal(ST.gpr[R_SP], RIG_STACK3);
    rig_cpu(cpu, FLAT_MODE64, false);
    rig_put(ST.gpr[R_SP], 8, 0x3f7fd7);
    assert_int_equal(EXEC("\x9d"), FLAT_OK);
    assert_int_equal(ST.rflags, 0x247fd7);
}

static void pushf_shows_neither_rf_nor_vm(void **state)
{
    rig_cpu(cpu, FLAT_V86, true);
    ST.rflags |= FL_RF | FL_CF;
    uint64_t sp = ST.gpr[R_SP];
    assert_int_equal(EXEC("\x66\x9c"), FLAT_OK);
    assert_int_equal(rig_get(FLAT_BASE + sp - 4, 4), FL_IOPL | FL_CF | 2);
    ST.rflags &= ~(uint64_t)FL_IOPL;
    FAULTS("\x9c", EXC_GP, 0);
    ST.cr4 |= CR4_VME;
    ST.rflags |= FL_VIF;
    sp = ST.gpr[R_SP];
    assert_int_equal(EXEC("\x9c"), FLAT_OK);
    assert_int_equal(rig_get(FLAT_BASE + sp - 2, 2), FL_IOPL | FL_IF | FL_CF | 2);
    FAULTS("\x66\x9c", EXC_GP, 0);
}

static void stac_and_clac_choose_the_kernels_view(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.cr4 |= CR4_SMAP;
    x86_update_hflags(cpu);
    assert_int_equal(cpu->mmu_idx, X86_MMU_KERNEL);
    assert_int_equal(EXEC("\x0f\x01\xcb"), FLAT_OK);
    assert_int_equal(cpu->mmu_idx, X86_MMU_KERNEL_AC);
    assert_int_equal(ST.rflags & FL_AC, FL_AC);
    assert_int_equal(EXEC("\x0f\x01\xca"), FLAT_OK);
    assert_int_equal(cpu->mmu_idx, X86_MMU_KERNEL);
    rig_cpu(cpu, FLAT_MODE64, true);
    assert_int_equal(EXEC("\x0f\x01\xcb"), EXC_UD);
}

/* ---- miscellany ---- */

static void hlt_and_other_privileged_instructions_need_ring_0(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    FAULTS("\xf4", EXC_GP, 0);
    FAULTS("\x0f\x30", EXC_GP, 0);
    FAULTS("\x0f\x01\x38", EXC_GP, 0); /* invlpg [rax] */
    FAULTS("\x0f\x09", EXC_GP, 0);
    rig_cpu(cpu, FLAT_MODE64, false);
    assert_int_equal(EXEC("\xf4"), FLAT_OK);
    assert_int_equal(ST.halted, 1);
}

static void rdtsc_obeys_tsd(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    assert_int_equal(EXEC("\x0f\x31"), FLAT_OK);
    ST.cr4 |= CR4_TSD;
    FAULTS("\x0f\x31", EXC_GP, 0);
    ST.msr.tsc_aux = 0x1234;
    assert_int_equal(EXEC("\xf3\x0f\xc7\xf8"), FLAT_OK); /* rdpid rax */
    assert_int_equal(ST.gpr[R_AX], 0x1234);
}

static void ports_obey_iopl_and_the_bitmap(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, true);
    ST.gpr[R_DX] = 0x3f9;
    rig_put(RIG_TSS + 0x88 + 0x3f8 / 8, 1, 0x02);
    FAULTS("\xec", EXC_GP, 0);
    ST.tr.limit = 0x88; /* the map ends before the port */
    ST.gpr[R_DX] = 0x3f8;
    FAULTS("\xec", EXC_GP, 0);
    rig_cpu(cpu, FLAT_V86, true); /* v86: IOPL does not help */
    rig_put(RIG_TSS + 0x88 + 0x60 / 8, 1, 1);
    FAULTS("\xe4\x60", EXC_GP, 0);
}

static void xsetbv_checks_xcr0(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.gpr[R_CX] = ST.gpr[R_DX] = 0;
    set_ax(7);
    cpu->feat[X86F_AVX512F / 32] &= ~(1u << (X86F_AVX512F % 32));
    assert_int_equal(EXEC("\x0f\x01\xd1"), FLAT_OK);
    assert_int_equal(ST.xcr0, 7);
    assert_int_equal(cpu->hflags & HF_AVX, HF_AVX);
    static const uint32_t bad[] = { 0, 2, 5, 0x1f, 0xe7 };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        set_ax(bad[i]);
        FAULTS("\x0f\x01\xd1", EXC_GP, 0);
    }
    cpu->feat[X86F_AVX512F / 32] |= 1u << (X86F_AVX512F % 32);
    set_ax(0xe7);
    assert_int_equal(EXEC("\x0f\x01\xd1"), FLAT_OK);
    static const uint32_t part[] = { 0x27, 0x67, 0xc7, 0xe3, 0xe1 };
    for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
        set_ax(part[i]);
        FAULTS("\x0f\x01\xd1", EXC_GP, 0);
    }
    set_ax(7);
    ST.gpr[R_CX] = 1;
    FAULTS("\x0f\x01\xd1", EXC_GP, 0);
    ST.cr4 &= ~CR4_OSXSAVE;
    assert_int_equal(EXEC("\x0f\x01\xd0"), EXC_UD);
}

static void pkru_instructions_check_their_registers(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, true);
    assert_int_equal(EXEC("\x0f\x01\xee"), EXC_UD);
    ST.cr4 |= CR4_PKE;
    ST.gpr[R_CX] = ST.gpr[R_DX] = 0;
    set_ax(0x55);
    assert_int_equal(EXEC("\x0f\x01\xef"), FLAT_OK);
    assert_int_equal(ST.pkru, 0x55);
    ST.gpr[R_CX] = 1;
    FAULTS("\x0f\x01\xef", EXC_GP, 0);
}

static void hypercalls_are_unknown(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    assert_int_equal(EXEC("\x0f\x01\xc1"), FLAT_OK);
    assert_int_equal((int64_t)ST.gpr[R_AX], -1000);
    assert_int_equal(EXEC("\x0f\x01\xd9"), FLAT_OK);
}

static void invpcid_checks_its_descriptor(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    set_ax(0x50000);
    ST.gpr[R_CX] = 0;
    rig_put(0x50000, 8, 1); /* PCID 1 without CR4.PCIDE */
    FAULTS("\x66\x0f\x38\x82\x08", EXC_GP, 0);
    rig_put(0x50000, 8, 0);
    rig_put(0x50008, 8, 0x77000);
    assert_int_equal(EXEC("\x66\x0f\x38\x82\x08"), FLAT_OK);
    assert_int_equal(flat_tlb_lin, 0x77000);
    rig_put(0x50008, 8, BIT(50));
    FAULTS("\x66\x0f\x38\x82\x08", EXC_GP, 0);
    ST.gpr[R_CX] = 4;
    FAULTS("\x66\x0f\x38\x82\x08", EXC_GP, 0);
}

/* ---- FXSAVE, XSAVE ---- */

static void fill_vectors(void)
{
    for (unsigned i = 0; i < 16; i++) {
        ST.xsave.xmm[i].q[0] = 0x1000 + i;
        ST.xsave.xmm[i].q[1] = 0x2000 + i;
        ST.xsave.ymmh[i].q[0] = 0x3000 + i;
        ST.xsave.ymmh[i].q[1] = 0x4000 + i;
    }
    ST.xsave.mxcsr = 0x1fa0;
    ST.xsave.fcw = 0x27f;
    ST.xsave.st[0].m = 0x8000000000000000ull;
    ST.xsave.st[0].se = 0x3fff;
    ST.xsave.ftw = 0x80;
    ST.xsave.fsw = 0x3800;
}

static void fxsave_lays_out_512_bytes_and_fxrstor_reads_them(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    fill_vectors();
    set_ax(0x50000);
    memset((void *)0x50000, 0xee, 512);
    assert_int_equal(EXEC("\x48\x0f\xae\x00"), FLAT_OK);
    assert_int_equal(rig_get(0x50000, 2), 0x27f);
    assert_int_equal(rig_get(0x50002, 2), 0x3800);
    assert_int_equal(rig_get(0x50004, 2), 0x80);
    assert_int_equal(rig_get(0x50018, 4), 0x1fa0);
    assert_int_equal(rig_get(0x5001c, 4), 0xffff);
    assert_int_equal(rig_get(0x50020, 8), 0x8000000000000000ull);
    assert_int_equal(rig_get(0x50028, 8), 0x3fff);
    assert_int_equal(rig_get(0x500a0 + 16 * 15 + 8, 8), 0x200f);
    assert_int_equal(rig_get(0x501a0, 1), 0xee); /* from 416 on: not written */
    memset(&ST.xsave, 0, sizeof(ST.xsave));
    assert_int_equal(EXEC("\x48\x0f\xae\x08"), FLAT_OK);
    assert_int_equal(ST.xsave.fcw, 0x27f);
    assert_int_equal(ST.xsave.mxcsr, 0x1fa0);
    assert_int_equal(ST.xsave.st[0].se, 0x3fff);
    assert_int_equal(ST.xsave.xmm[15].q[1], 0x200f);
    rig_put(0x50018, 4, 0x10000);
    FAULTS("\x0f\xae\x08", EXC_GP, 0);
    set_ax(0x50008);
    FAULTS("\x0f\xae\x00", EXC_GP, 0);
}

static void fxsave_outside_64_bit_mode_has_eight_xmm_registers(void **state)
{
    rig_cpu(cpu, FLAT_PROT32, false);
    fill_vectors();
    set_ax(0x50000);
    memset((void *)0x50000, 0xee, 512);
    assert_int_equal(EXEC("\x0f\xae\x00"), FLAT_OK);
    assert_int_equal(rig_get(0x500a0 + 16 * 7, 8), 0x1007);
    assert_int_equal(rig_get(0x500a0 + 16 * 8, 1), 0xee);
}

static void ask(uint32_t lo)
{
    ST.gpr[R_AX] = lo;
    ST.gpr[R_DX] = 0;
    ST.gpr[R_DI] = 0x50000;
}

static void xsave_writes_only_what_is_asked_for(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    fill_vectors();
    ST.xcr0 = 7;
    memset((void *)0x50000, 0xee, 1024);
    rig_put(0x50200, 8, 1); /* XSTATE_BV: x87 */
    ask(4);
    assert_int_equal(EXEC("\x0f\xae\x27"), FLAT_OK); /* xsave [rdi] */
    assert_int_equal(rig_get(0x50200, 8), 5);
    assert_int_equal(rig_get(0x50000, 2), 0xeeee);
    assert_int_equal(rig_get(0x50018, 4), 0x1fa0); /* MXCSR goes with AVX */
    assert_int_equal(rig_get(0x500a0, 8), 0xeeeeeeeeeeeeeeee);
    assert_int_equal(rig_get(0x50240 + 16, 8), 0x3001);
}

static void xsavec_and_xrstor_use_the_compact_layout(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    fill_vectors();
    ST.xcr0 = 0x207;
    ST.pkru = 0x1234;
    memset((void *)0x50000, 0xee, 1024);
    ask(0x203); /* no AVX: PKRU follows the header */
    assert_int_equal(EXEC("\x0f\xc7\x27"), FLAT_OK); /* xsavec [rdi] */
    assert_int_equal(rig_get(0x50200, 8), 0x203);
    assert_int_equal(rig_get(0x50208, 8), 0x8000000000000203);
    assert_int_equal(rig_get(0x50210, 8), 0);
    assert_int_equal(rig_get(0x50240, 8), 0x1234);
    ST.pkru = 0;
    memset(ST.xsave.xmm, 0, sizeof(ST.xsave.xmm));
    ask(0xffffffff);
    assert_int_equal(EXEC("\x0f\xae\x2f"), FLAT_OK); /* xrstor [rdi] */
    assert_int_equal(ST.pkru, 0x1234);
    assert_int_equal(ST.xsave.xmm[3].q[0], 0x1003);
    assert_int_equal(ST.xsave.ymmh[3].q[0], 0); /* not in the area: initial state */
}

static void xrstor_initializes_what_xstate_bv_leaves_out(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    fill_vectors();
    ST.xcr0 = 7;
    memset((void *)0x50000, 0, 1024);
    rig_put(0x50018, 4, 0x1f80);
    ask(7);
    assert_int_equal(EXEC("\x0f\xae\x2f"), FLAT_OK);
    assert_int_equal(ST.xsave.fcw, 0x37f);
    assert_int_equal(ST.xsave.ftw, 0);
    assert_int_equal(ST.xsave.mxcsr, 0x1f80);
    assert_int_equal(ST.xsave.xmm[5].q[0] | ST.xsave.ymmh[5].q[1], 0);
}

static void xrstor_refuses_bad_headers(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.xcr0 = 7;
    memset((void *)0x50000, 0, 1024);
    ask(7);
    rig_put(0x50200, 8, 0x200); /* not in XCR0 */
    FAULTS("\x0f\xae\x2f", EXC_GP, 0);
    rig_put(0x50200, 8, 0);
    rig_put(0x50210, 8, 1);
    FAULTS("\x0f\xae\x2f", EXC_GP, 0);
    rig_put(0x50210, 8, 0);
    rig_put(0x50208, 8, BIT(63) | 2);
    rig_put(0x50200, 8, 1); /* not in XCOMP_BV */
    FAULTS("\x0f\xae\x2f", EXC_GP, 0);
    ST.gpr[R_DI] = 0x50020;
    FAULTS("\x0f\xae\x2f", EXC_GP, 0);
    ST.cr0 |= CR0_TS;
    x86_update_hflags(cpu);
    assert_int_equal(EXEC("\x0f\xae\x2f"), EXC_NM);
}

static void xsave_to_a_read_only_page_writes_nothing(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    ST.xcr0 = 7;
    fill_vectors();
    flat_protect(0x51000, 4096, FLAT_RO);
    ask(7);
    ST.gpr[R_DI] = 0x51000 - 0x240; /* YMM part lies in the next page */
    rig_put(0x51000 - 0x240, 2, 0xeeee);
    assert_int_equal(EXEC("\x0f\xae\x27"), EXC_PF);
    assert_int_equal(rig_get(0x51000 - 0x240, 2), 0xeeee);
}

static void xsave_holds_opmasks_and_zmm_and_skips_them_while_zero(void **state)
{
    rig_cpu(cpu, FLAT_MODE64, false);
    fill_vectors();
    ST.xcr0 = 0xe7;
    memset((void *)0x50000, 0xee, 4096);
    ask(0xffffffff);
    assert_int_equal(EXEC("\x0f\xc7\x27"), FLAT_OK); /* xsavec [rdi] */
    assert_int_equal(rig_get(0x50200, 8), 7);          /* not in use */
    assert_int_equal(rig_get(0x50208, 8), 0x80000000000000e7);
    ST.xsave.k[1] = 0xabcd;
    ST.xsave.zmmh[15][1].q[1] = 0x5555;
    ST.xsave.zmm16[15][3].q[1] = 0x7777;
    memset((void *)0x50200, 0, 64);
    assert_int_equal(EXEC("\x0f\xae\x27"), FLAT_OK); /* xsave [rdi] */
    assert_int_equal(rig_get(0x50200, 8), 0xe7);
    assert_int_equal(rig_get(0x50000 + 1088 + 8, 8), 0xabcd);
    assert_int_equal(rig_get(0x50000 + 1152 + 504, 8), 0x5555);
    assert_int_equal(rig_get(0x50000 + 1664 + 1016, 8), 0x7777);
    ST.xsave.k[1] = 0;
    memset(ST.xsave.zmmh, 0, sizeof(ST.xsave.zmmh));
    memset(ST.xsave.zmm16, 0xff, sizeof(ST.xsave.zmm16));
    assert_int_equal(EXEC("\x0f\xae\x2f"), FLAT_OK); /* xrstor [rdi] */
    assert_int_equal(ST.xsave.k[1], 0xabcd);
    assert_int_equal(ST.xsave.zmmh[15][1].q[1], 0x5555);
    assert_int_equal(ST.xsave.zmm16[15][3].q[1], 0x7777);
    assert_int_equal(ST.xsave.zmm16[0][0].q[0], 0);
    rig_put(0x50200, 8, 7);
    assert_int_equal(EXEC("\x0f\xae\x2f"), FLAT_OK);
    assert_int_equal(ST.xsave.k[1] | ST.xsave.zmmh[15][1].q[1], 0);
    assert_int_equal(ST.xsave.zmm16[15][3].q[1], 0);
}

#define T(f) cmocka_unit_test(f)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(xsave_holds_opmasks_and_zmm_and_skips_them_while_zero),
        T(data_segments_load_base_limit_and_rights),
        T(loading_sets_the_accessed_bit),
        T(data_segment_loads_check_type_privilege_and_presence),
        T(ss_must_match_cpl_and_be_writable),
        T(null_ss_is_for_64_bit_mode_below_ring_3),
        T(mov_to_cs_and_absent_segment_registers_are_ud),
        T(ldt_selectors_use_the_ldt),
        T(pop_moves_the_stack_only_if_the_load_succeeds),
        T(lss_loads_both_or_nothing),
        T(real_mode_loads_keep_the_limit),
        T(far_jmp_enters_64_bit_code_from_compatibility_mode),
        T(far_call_and_ret_in_one_ring),
        T(far_transfers_check_privilege),
        T(call_gate_switches_stacks_and_copies_parameters),
        T(call_gate_of_long_mode_is_16_bytes),
        T(a_gate_of_lower_dpl_is_refused),
        T(cr0_refuses_impossible_combinations),
        T(paging_with_lme_activates_long_mode_if_pae_is_on),
        T(paging_cannot_be_left_in_64_bit_code),
        T(pae_paging_loads_pdptes_and_checks_them),
        T(cr3_checks_reserved_bits_and_takes_bit_63_with_pcide),
        T(pcide_needs_long_mode_and_pcid_0),
        T(cr4_bits_follow_the_features),
        T(other_control_registers_do_not_exist),
        T(lmsw_sets_but_never_clears_pe),
        T(debug_registers_mask_reserved_bits),
        T(umip_hides_system_registers_from_users),
        T(lgdt_takes_24_bits_of_base_with_16_bit_operands),
        T(lar_and_lsl_tell_rights_and_limit),
        T(verr_and_verw_ask_for_reading_and_writing),
        T(arpl_raises_rpl),
        T(ltr_marks_the_tss_busy_and_refuses_a_busy_one),
        T(swapgs_and_the_base_instructions),
        T(cli_and_sti_obey_iopl),
        T(pvi_gives_ring_3_the_virtual_flag),
        T(popf_changes_only_what_privilege_allows),
        T(pushf_shows_neither_rf_nor_vm),
        T(stac_and_clac_choose_the_kernels_view),
        T(hlt_and_other_privileged_instructions_need_ring_0),
        T(rdtsc_obeys_tsd),
        T(ports_obey_iopl_and_the_bitmap),
        T(xsetbv_checks_xcr0),
        T(pkru_instructions_check_their_registers),
        T(hypercalls_are_unknown),
        T(invpcid_checks_its_descriptor),
        T(fxsave_lays_out_512_bytes_and_fxrstor_reads_them),
        T(fxsave_outside_64_bit_mode_has_eight_xmm_registers),
        T(xsave_writes_only_what_is_asked_for),
        T(xsavec_and_xrstor_use_the_compact_layout),
        T(xrstor_initializes_what_xstate_bv_leaves_out),
        T(xrstor_refuses_bad_headers),
        T(xsave_to_a_read_only_page_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

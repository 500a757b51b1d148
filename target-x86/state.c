/* SPDX-License-Identifier: MIT */
/*
 * Saved form of an x86 vCPU: the whole X86State, the same for every engine. The TSC is
 * saved as the guest's value at the moment of saving, since the host's differs between
 * runs. Heavy; parked vCPU, machine lock.
 */
#include "target-x86/state.h"
#include "hw/core/machine.h"
#include "hw/core/nondet.h"
#include "target-x86/access.h"
#include "target-x86/cpuid.h"
#include "target-x86/sysregs.h"

#define DESC(name_, type, fields_) \
    static const StateDesc name_ = { .version = 1, .size = sizeof(type), .fields = fields_ }

static const StateField seg_fields[] = {
    STATE_U64(X86Seg, base), STATE_U32(X86Seg, limit), STATE_U32(X86Seg, attr),
    STATE_U16(X86Seg, selector), STATE_END,
};
DESC(seg_desc, X86Seg, seg_fields);

static const StateField table_fields[] = {
    STATE_U64(X86Table, base), STATE_U32(X86Table, limit), STATE_END,
};
DESC(table_desc, X86Table, table_fields);

static const StateField event_fields[] = {
    STATE_U8_MAX(X86Event, valid, 1), STATE_U8(X86Event, vector),
    STATE_U8_MAX(X86Event, has_error, 1), STATE_U8_MAX(X86Event, soft, 1),
    STATE_U32(X86Event, error), STATE_U64(X86Event, cr2), STATE_U64(X86Event, dr6),
    STATE_END,
};
DESC(event_desc, X86Event, event_fields);

static const StateField msr_fields[] = {
    STATE_U64(X86Msrs, star), STATE_U64(X86Msrs, lstar), STATE_U64(X86Msrs, cstar),
    STATE_U64(X86Msrs, sfmask), STATE_U64(X86Msrs, kernel_gs_base),
    STATE_U64(X86Msrs, tsc_aux), STATE_U64(X86Msrs, sysenter_cs),
    STATE_U64(X86Msrs, sysenter_esp), STATE_U64(X86Msrs, sysenter_eip),
    STATE_U64(X86Msrs, pat), STATE_U64(X86Msrs, misc_enable), STATE_U64(X86Msrs, apic_base),
    STATE_U64(X86Msrs, tsc_adjust), STATE_U64(X86Msrs, tsc_deadline),
    STATE_U64(X86Msrs, mtrr_def), STATE_U64_ARRAY(X86Msrs, mtrr_fix),
    STATE_U64_ARRAY(X86Msrs, mtrr_base), STATE_U64_ARRAY(X86Msrs, mtrr_mask),
    STATE_U64(X86Msrs, mcg_status), STATE_U64(X86Msrs, mcg_ctl),
    STATE_U64_ARRAY(X86Msrs, mc_ctl), STATE_U64_ARRAY(X86Msrs, mc_status),
    STATE_U64_ARRAY(X86Msrs, mc_addr), STATE_U64_ARRAY(X86Msrs, mc_misc),
    STATE_U64(X86Msrs, spec_ctrl), STATE_U64(X86Msrs, xss), STATE_U64(X86Msrs, debugctl),
    STATE_U64(X86Msrs, smi_count), STATE_U64(X86Msrs, hwcr), STATE_U64(X86Msrs, bios_sign),
    STATE_U64(X86Msrs, kvm_wall_clock), STATE_U64(X86Msrs, kvm_system_time),
    STATE_U64(X86Msrs, feature_control), STATE_U64(X86Msrs, platform_info),
    STATE_U64(X86Msrs, misc_features), STATE_END,
};
DESC(msr_desc, X86Msrs, msr_fields);

static const StateField st_fields[] = {
    STATE_U64_ARRAY(X86State, gpr), STATE_U64(X86State, rip), STATE_U64(X86State, rflags),
    STATE_SUB_ARRAY(X86State, seg, seg_desc), STATE_SUB(X86State, ldt, seg_desc),
    STATE_SUB(X86State, tr, seg_desc), STATE_SUB(X86State, gdt, table_desc),
    STATE_SUB(X86State, idt, table_desc), STATE_U64(X86State, cr0), STATE_U64(X86State, cr2),
    STATE_U64(X86State, cr3), STATE_U64(X86State, cr4), STATE_U64(X86State, efer),
    STATE_U64(X86State, xcr0), STATE_U64_ARRAY(X86State, dr), STATE_U64(X86State, dr6),
    STATE_U64(X86State, dr7), STATE_U64_ARRAY(X86State, pdpte), STATE_U32(X86State, pkru),
    STATE_U8_MAX(X86State, cpl, 3), STATE_U8_MAX(X86State, int_shadow, X86_SHADOW_SS),
    STATE_U8_MAX(X86State, nmi_masked, 1), STATE_U8_MAX(X86State, halted, 1),
    STATE_U8_MAX(X86State, wait_sipi, 1), STATE_SUB(X86State, event, event_desc),
    STATE_SUB(X86State, msr, msr_desc), STATE_I64(X86State, tsc_offset),
    STATE_BYTES(X86State, xsave), STATE_END,
};
DESC(st_desc, X86State, st_fields);

/* ---- the vCPU ---- */

static bool pre_save(void *owner)
{
    X86Cpu *cpu = X86_CPU((Cpu *)owner);
    cpu->saved_tsc = x86_tsc(cpu);
    return true;
}

/* The host's TSC is another one now. All vCPUs move by what the first one needs, so that
 * their TSCs stay as far apart as they were. */
static void move_tsc(X86Cpu *cpu)
{
    const Machine *m = cpu->cpu.machine;

    if (cpu->cpu.index == 0 || !m || !m->cpus[0]) {
        cpu->tsc_moved = (int64_t)(cpu->saved_tsc - nondet_host_tsc()) - cpu->st.tsc_offset;
    } else {
        cpu->tsc_moved = X86_CPU(m->cpus[0])->tsc_moved;
    }
    cpu->st.tsc_offset += cpu->tsc_moved;
}

/* A hostile image must not leave a state that an engine could trip over. */
static bool consistent(const X86State *st)
{
    bool lma = st->efer & EFER_LMA;

    return (!lma || (st->efer & EFER_LME && st->cr0 & CR0_PG && st->cr4 & CR4_PAE)) &&
           (!(st->cr0 & CR0_PG) || st->cr0 & CR0_PE) && (st->cr0 & CR0_PE || !st->cpl) &&
           (!(st->rflags & FL_VM) || (st->cpl == 3 && !lma));
}

static bool post_load(void *owner, Error *err)
{
    X86Cpu *cpu = X86_CPU((Cpu *)owner);
    X86State *st = &cpu->st;

    if (!consistent(st) || st->cr4 & ~x86_cr4_mask(cpu) || st->efer & ~x86_efer_mask(cpu) ||
        st->xcr0 & ~x86_xcr0_mask(cpu)) {
        return error_set(err, "vCPU %d: saved state is not one of this CPU model",
                         cpu->cpu.index);
    }
    st->rflags |= FL_ONE;
    st->xsave.mxcsr &= 0xffff;
    st->xsave.mxcsr_mask = 0xffff;
    st->xsave.xcomp_bv = 0;
    cpu->delivering = cpu->db_pending = cpu->db_delayed = 0;
    move_tsc(cpu);
    x86_update_hflags(cpu);
    x86_tlb_flush(cpu, true);
    cpu->end_block = 1;
    return true;
}

static const StateField cpu_fields[] = {
    STATE_SUB(X86Cpu, st, st_desc), STATE_U64(X86Cpu, saved_tsc), STATE_END,
};
const StateDesc x86_cpu_state = {
    .version = 1, .size = sizeof(X86Cpu), .fields = cpu_fields,
    .offset = -offsetof(X86Cpu, cpu), /* the owner is the Cpu inside */
    .pre_save = pre_save, .post_load = post_load,
};

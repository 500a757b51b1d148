/* SPDX-License-Identifier: MIT */
/*
 * Why KVM_RUN returned, and what to do: KVM API, section 5 (struct kvm_run). The vCPU's
 * thread, without the machine lock: accesses take it as they need.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "accel/kvm/kvm_int.h"
#include "target-x86/msrs.h"
#include "util/log.h"

static const char *const names[KVM_EXIT_REASONS] = {
    [KVM_EXIT_UNKNOWN] = "unknown", [KVM_EXIT_IO] = "port I/O", [KVM_EXIT_MMIO] = "MMIO",
    [KVM_EXIT_HLT] = "halt", [KVM_EXIT_IRQ_WINDOW_OPEN] = "interrupt window",
    [KVM_EXIT_SHUTDOWN] = "triple fault", [KVM_EXIT_FAIL_ENTRY] = "failed entry",
    [KVM_EXIT_INTR] = "signal", [KVM_EXIT_SET_TPR] = "CR8 lowered",
    [KVM_EXIT_INTERNAL_ERROR] = "internal error", [KVM_EXIT_SYSTEM_EVENT] = "system event",
    [KVM_EXIT_IOAPIC_EOI] = "I/O APIC EOI", [KVM_EXIT_X86_RDMSR] = "RDMSR",
    [KVM_EXIT_X86_WRMSR] = "WRMSR", [KVM_EXIT_DEBUG] = "debug",
};

const char *kvm_exit_name(unsigned reason)
{
    return reason < KVM_EXIT_REASONS && names[reason] ? names[reason] : "other";
}

static void exit_io(KvmVcpu *v)
{
    const struct kvm_run *run = v->run;
    AddressSpace *io = &v->cpu->machine->io;
    uint8_t *p = (uint8_t *)run + run->io.data_offset;
    unsigned size = run->io.size;
    v->pending = true;
    v->cpu->io_exits++;
    for (unsigned i = 0; i < run->io.count; i++, p += size) {
        uint64_t val = 0;
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&val, p, size);
            memory_io_write(io, run->io.port, size, val);
        } else {
            val = memory_io_read(io, run->io.port, size);
            memcpy(p, &val, size);
        }
    }
}

static void exit_mmio(KvmVcpu *v)
{
    struct kvm_run *run = v->run;
    AddressSpace *mem = &v->cpu->machine->mem;
    unsigned len = MIN(run->mmio.len, 8u);
    bool whole = len && !(len & (len - 1));
    uint64_t addr = run->mmio.phys_addr, val = 0;
    v->pending = true;
    v->cpu->io_exits++;
    if (!whole && run->mmio.is_write) {
        memory_write(mem, addr, run->mmio.data, len);
    } else if (!whole) {
        memory_read(mem, addr, run->mmio.data, len);
    } else if (run->mmio.is_write) {
        memcpy(&val, run->mmio.data, len);
        memory_io_write(mem, addr, len, val);
    } else {
        val = memory_io_read(mem, addr, len);
        memcpy(run->mmio.data, &val, len);
    }
}

static void exit_msr(KvmVcpu *v, bool write)
{
    struct kvm_run *run = v->run;
    uint64_t val = run->msr.data;
    bool ok = write ? x86_wrmsr(v->x86, run->msr.index, val)
                    : x86_rdmsr(v->x86, run->msr.index, &val);
    v->pending = true;
    run->msr.error = !ok;
    run->msr.data = val;
}

static void exit_eoi(KvmVcpu *v)
{
    Machine *m = v->cpu->machine;
    machine_lock(m);
    if (m->chips.ioapic_eoi) {
        m->chips.ioapic_eoi(m->chips.ioapic.chip, v->run->eoi.vector);
    }
    machine_unlock(m);
}

static bool exit_internal(KvmVcpu *v)
{
    static const char *const errors[] = {
        [1] = "KVM cannot emulate an instruction", [2] = "simultaneous exceptions",
        [3] = "an event's delivery failed", [4] = "an exit KVM did not expect",
    };
    unsigned sub = v->run->internal.suberror;
    const char *what = sub < ARRAY_SIZE(errors) && errors[sub] ? errors[sub] : "internal error";
    char why[160] = "", text[256];
    if ((sub == 1 || sub == 3) && kvm_rescue(v, why, sizeof(why))) {
        return true;
    }
    snprintf(text, sizeof(text), "%s%s%s", what, why[0] ? "; software: " : "", why);
    kvm_internal_error(v, text);
    return false;
}

static bool fatal(KvmVcpu *v)
{
    char what[80];
    snprintf(what, sizeof(what), "exit %u (%s), %#llx", v->run->exit_reason,
             kvm_exit_name(v->run->exit_reason),
             (unsigned long long)v->run->hw.hardware_exit_reason);
    kvm_internal_error(v, what);
    return false;
}

static void system_event(KvmVcpu *v)
{
    Machine *m = v->cpu->machine;
    machine_lock(m);
    if (v->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN) {
        machine_request_shutdown(m, 0);
    } else {
        machine_request_reset(m);
    }
    machine_unlock(m);
}

static bool exit_shutdown(KvmVcpu *v)
{
    bool went_on = true;
    if (!v->k->guard || !kvm_syscall_shutdown(v, &went_on)) {
        cpu_triple_fault(v->cpu);
    }
    return went_on;
}

void kvm_handle_exit_io(KvmVcpu *v)
{
    v->run->exit_reason == KVM_EXIT_IO ? exit_io(v) : exit_mmio(v);
}

bool kvm_handle_exit(KvmVcpu *v)
{
    unsigned reason = v->run->exit_reason;
    v->exits[MIN(reason, KVM_EXIT_REASONS - 1u)]++;
    switch (reason) {
    case KVM_EXIT_IO: exit_io(v); return true;
    case KVM_EXIT_MMIO: exit_mmio(v); return true;
    case KVM_EXIT_DEBUG: return kvm_debug_exit(v);
    case KVM_EXIT_HLT: v->x86->st.halted = 1; return true;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR:
    case KVM_EXIT_INTR: return true;
    case KVM_EXIT_X86_RDMSR: exit_msr(v, false); return true;
    case KVM_EXIT_X86_WRMSR: exit_msr(v, true); return true;
    case KVM_EXIT_IOAPIC_EOI: exit_eoi(v); return true;
    case KVM_EXIT_SHUTDOWN: return exit_shutdown(v);
    case KVM_EXIT_SYSTEM_EVENT: system_event(v); return true;
    case KVM_EXIT_INTERNAL_ERROR: return exit_internal(v);
    default: return fatal(v);
    }
}

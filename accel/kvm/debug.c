/* SPDX-License-Identifier: MIT */
/*
 * A debugger's breakpoints, watchpoints and steps under KVM: the CPU's four debug
 * registers, lent by KVM_SET_GUEST_DEBUG (Linux, Documentation/virt/kvm/api.rst 4.87). The
 * guest's own debug registers do nothing meanwhile. Points are changed by the main thread
 * while vCPUs are parked; each vCPU tells KVM before it runs.
 */
#include <string.h>

#include "accel/kvm/kvm_int.h"
#include "hw/core/machine.h"
#include "target-x86/regs.h"

enum { REGISTERS = 4 };

#if !defined(KVM_GUESTDBG_BLOCKIRQ)
#define KVM_GUESTDBG_BLOCKIRQ 0x00100000
#endif

bool kvm_debug_accepts(Machine *m, const DebugPoint *p, Error *err)
{
    unsigned have = REGISTERS - kvm_of(m)->guard;
    if (m->debug.n >= have) {
        return error_set(err, "kvm has %u breakpoints and watchpoints in all", have);
    }
    if (p->len & (p->len - 1) || p->len > 8 || p->addr & (p->len - 1)) {
        return error_set(err, "kvm watches 1, 2, 4 or 8 aligned bytes");
    }
    return true;
}

void kvm_debug_changed(Machine *m)
{
    KvmMachine *k = kvm_of(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        k->vcpu[i].debug_changed = true;
    }
}

/* Before KVM_RUN, on the vCPU's thread. */
void kvm_debug_enter(KvmVcpu *v)
{
    const MachineDebug *d = &v->cpu->machine->debug;
    static const uint8_t len_code[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
    struct kvm_guest_debug g = { 0 };
    bool step = v->cpu->debug & CPU_DEBUG_STEP;

    if (likely(!v->debug_changed && step == v->debug_step)) {
        return;
    }
    g.arch.debugreg[7] = 0x400;
    for (unsigned i = 0; i < d->n && i < REGISTERS; i++) {
        const DebugPoint *p = &d->points[i];
        unsigned rw = p->kind <= DEBUG_HWBREAK ? 0 : p->kind == DEBUG_WRITE ? 1 : 3;
        g.arch.debugreg[i] = p->addr;
        g.arch.debugreg[7] |= 2ull << (2 * i) |
                              (uint64_t)(rw | (rw ? len_code[p->len] : 0) << 2) << (16 + 4 * i);
    }
    if (v->pf_handler) {
        g.arch.debugreg[REGISTERS - 1] = v->pf_handler;
        g.arch.debugreg[7] |= 2ull << (2 * (REGISTERS - 1));
    }
    g.control = (d->n || v->pf_handler ? KVM_GUESTDBG_USE_HW_BP : 0) | (step ? KVM_GUESTDBG_SINGLESTEP : 0);
    g.control |= g.control ? KVM_GUESTDBG_ENABLE : 0;
    if (step) { /* not every kernel can keep interrupts away from a step */
        g.control |= KVM_GUESTDBG_BLOCKIRQ;
    }
    if (kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g) < 0 && step) {
        g.control &= ~(uint32_t)KVM_GUESTDBG_BLOCKIRQ;
        (void)kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g);
    }
    v->debug_step = step;
    v->debug_changed = false;
}

/* KVM_EXIT_DEBUG: what was it? The debugger's: go on, to the stop. */
bool kvm_debug_exit(KvmVcpu *v)
{
    const MachineDebug *d = &v->cpu->machine->debug;
    uint64_t dr6 = v->run->debug.arch.dr6;
    enum DebugKind kind = DEBUG_STEP;
    uint64_t addr = 0;
    bool went_on;

    if (v->k->guard && kvm_syscall_exit(v, &went_on)) {
        return went_on;
    }
    for (unsigned i = 0; i < d->n && i < REGISTERS; i++) {
        if (dr6 >> i & 1) {
            kind = d->points[i].kind;
            addr = d->points[i].addr;
        }
    }
    v->cpu->debug &= ~(uint32_t)CPU_DEBUG_STEP;
    debug_stop(v->cpu, kind, addr);
    return true;
}

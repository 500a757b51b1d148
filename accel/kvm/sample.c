/* SPDX-License-Identifier: MIT */
/*
 * Profiling samples under KVM. The timer's signal ends KVM_RUN, so that its handler, which
 * is signal context on the vCPU's thread, finds the registers of an instruction boundary;
 * ioctls are system calls and nothing else.
 */
#include <string.h>
#include "accel/kvm/kvm_int.h"
#include "target-x86/sample.h"
#if defined(__x86_64__)
#include <ucontext.h>
#endif

static void segment(X86Seg *s, const struct kvm_segment *k)
{
    s->base = k->base;
    s->attr = (k->db ? SEG_DB : 0) | (k->l ? SEG_L : 0);
}

/* During a visit of ring 3 only the general registers are KVM's: the rest stands in X86State. */
bool kvm_sample_visit(Cpu *cpu, void *ucontext, CpuSample *s)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    struct kvm_regs r;
    X86State st = v->x86->st;

    if (kvm_ioctl(v->fd, KVM_GET_REGS, &r) < 0) {
        return false;
    }
    st.rip = r.rip;
    st.gpr[R_SP] = r.rsp;
    st.gpr[R_BP] = r.rbp;
#if defined(__x86_64__)
    if (!atomic_load(&cpu->in_guest)) {
        s->host_pc = ((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
    }
#endif
    x86_sample_state(&st, s);
    return true;
}

bool kvm_sample(Cpu *cpu, void *ucontext, CpuSample *s)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    struct kvm_regs r;
    struct kvm_sregs sr;
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry e[2];
    } msrs = { .head = { .nmsrs = 2 },
               .e = { { .index = 0xc0000082 }, { .index = 0xc0000102 } } };
    X86State st; /* only what a sample is made of */

#if defined(__x86_64__)
    if (!atomic_load(&cpu->in_guest)) {
        s->host_pc = ((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
    }
#endif
    if (!v->loaded) {
        x86_sample_state(&v->x86->st, s);
        return true;
    }
    if (kvm_ioctl(v->fd, KVM_GET_REGS, &r) < 0 ||
        kvm_ioctl(v->fd, KVM_GET_SREGS, &sr) < 0) {
        return false;
    }
    memset(&st, 0, sizeof(st));
    if (kvm_ioctl(v->fd, KVM_GET_MSRS, &msrs) == 2) {
        st.msr.lstar = msrs.e[0].data;
        st.msr.kernel_gs_base = msrs.e[1].data;
    }
    st.rip = r.rip;
    st.gpr[R_SP] = r.rsp;
    st.gpr[R_BP] = r.rbp;
    segment(&st.seg[R_CS], &sr.cs);
    segment(&st.seg[R_SS], &sr.ss);
    segment(&st.seg[R_GS], &sr.gs);
    st.cpl = sr.ss.dpl & 3;
    st.cr0 = sr.cr0;
    st.cr3 = sr.cr3;
    st.cr4 = sr.cr4;
    st.efer = sr.efer;
    x86_sample_state(&st, s);
    return true;
}

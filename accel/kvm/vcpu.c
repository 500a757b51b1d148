/* SPDX-License-Identifier: MIT */
/*
 * The vCPU thread's body: requests, interrupts that are ours to inject, KVM_RUN, kicks.
 *
 * A kick sets run->immediate_exit and, if the thread is inside KVM_RUN, interrupts it by a
 * signal. The thread clears immediate_exit and then looks at its requests; who kicks sets
 * the request first: so a request is never slept over. No lock.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "accel/kvm/kvm_int.h"
#include "util/log.h"
#include "util/loop.h"

static void on_kick(int sig)
{
}

bool kvm_vcpu_signals(Error *err)
{
    struct sigaction old, sa = { .sa_handler = on_kick };
    sigfillset(&sa.sa_mask);
    if (sigaction(SIGUSR1, NULL, &old) < 0 ||
        (old.sa_handler == SIG_DFL && sigaction(SIGUSR1, &sa, NULL) < 0)) {
        return error_set(err, "sigaction: %s", strerror(errno));
    }
    return true; /* the TCG accelerator's handler serves as well */
}

void kvm_kick(Cpu *cpu)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    if (cpu->thread_started && atomic_load(&cpu->in_guest)) {
        v->kicks++;
        pthread_kill(cpu->thread, SIGUSR1);
    }
}

/* ---- stopping for good ---- */

static void stop_machine(void *opaque)
{
    Machine *m = opaque;
    if (m->state == RUN_RUNNING) {
        machine_pause(m);
        m->state = RUN_INTERNAL_ERROR;
    }
}

void kvm_internal_error(KvmVcpu *v, const char *what)
{
    char name[64], bytes[64];
    v->stuck = true;
    kvm_get_state(v);
    kvm_describe_insn(v, name, sizeof(name), bytes, sizeof(bytes));
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    v->cpu->ops->dump(v->cpu, f);
    fclose(f);
    warn_report("kvm: CPU %d cannot go on: %s; instruction: %s (%s); the machine is stopped",
                v->cpu->index, what, name, bytes);
    fputs(text, stderr);
    free(text);
    cpu_request(v->cpu, CPU_REQ_STOP);
    loop_call(v->cpu->machine->loop, stop_machine, v->cpu->machine);
}

/* ---- requests ---- */

/* LINT1 of the kernel's LAPIC lets an NMI through? (SDM vol. 3, 11.5.1) */
static bool nmi_wired(KvmVcpu *v)
{
    struct kvm_lapic_state l;
    if (v->k->irqchip == IRQCHIP_OFF || kvm_ioctl(v->fd, KVM_GET_LAPIC, &l) < 0) {
        return true;
    }
    uint32_t lvt;
    memcpy(&lvt, l.regs + 0x360, 4);
    return !(lvt & 0x10000) && (lvt >> 8 & 7) == 4;
}

/* INIT and start-up messages of our own local APIC. */
static void take_start_messages(KvmVcpu *v, uint32_t req)
{
    Cpu *cpu = v->cpu;
    X86State *st = &v->x86->st;
    kvm_get_state(v);
    if (req & CPU_REQ_INIT) {
        cpu_clear_request(cpu, CPU_REQ_INIT);
        x86_cpu_reset(v->x86, true);
    }
    if (req & CPU_REQ_SIPI) {
        cpu_clear_request(cpu, CPU_REQ_SIPI);
        if (st->wait_sipi) {
            st->seg[R_CS].selector = cpu->sipi_vector << 8;
            st->seg[R_CS].base = (uint64_t)cpu->sipi_vector << 12;
            st->rip = 0;
            st->wait_sipi = st->halted = 0;
            x86_update_hflags(v->x86);
        }
    }
    kvm_put_state(v);
}

/* An interrupt from our own chips. */
static void inject(KvmVcpu *v)
{
    struct kvm_run *run = v->run;
    const EngineChips *chips = &v->cpu->machine->chips;
    run->request_interrupt_window = 0;
    if (!(v->cpu->request & CPU_REQ_HARD)) {
        return;
    }
    if (!run->ready_for_interrupt_injection) {
        run->request_interrupt_window = 1;
        return;
    }
    int vector;
    if (v->k->irqchip == IRQCHIP_SPLIT) {
        machine_lock(v->cpu->machine);
        vector = v->k->intr ? chips->pic_ack(chips->pic_ack_opaque) : -1;
        machine_unlock(v->cpu->machine);
    } else {
        vector = v->cpu->irq_ops->ack(v->cpu->irq_opaque);
    }
    if (vector >= 0) {
        struct kvm_interrupt irq = { .irq = vector };
        kvm_ioctl(v->fd, KVM_INTERRUPT, &irq);
        v->injected++;
        v->x86->st.halted = 0;
        run->ready_for_interrupt_injection = 0;
        run->request_interrupt_window = (v->cpu->request & CPU_REQ_HARD) != 0;
    }
}

/* What waits is taken. False: the vCPU has nothing to do but wait (or leave). */
static bool take_requests(KvmVcpu *v)
{
    uint32_t req = atomic_load(&v->cpu->request);
    if (req & CPU_REQ_FLUSH) {
        cpu_clear_request(v->cpu, CPU_REQ_FLUSH); /* KVM flushes by itself */
    }
    if (req & (CPU_REQ_NMI | CPU_REQ_NMI2)) {
        cpu_clear_request(v->cpu, CPU_REQ_NMI | CPU_REQ_NMI2);
        if (nmi_wired(v)) {
            v->x86->st.halted = 0;
            kvm_ioctl(v->fd, KVM_NMI, NULL);
            if (req & CPU_REQ_NMI2) {
                kvm_ioctl(v->fd, KVM_NMI, NULL); /* it keeps two */
            }
        }
    }
    if (v->k->irqchip == IRQCHIP_ON) {
        return true;
    }
    if (v->k->irqchip == IRQCHIP_SPLIT) {
        inject(v);
        return true;
    }
    if (req & (CPU_REQ_INIT | CPU_REQ_SIPI)) {
        take_start_messages(v, req);
    }
    X86State *st = &v->x86->st;
    if (st->wait_sipi) {
        cpu_wait_halted(v->cpu);
        return false;
    }
    inject(v);
    if (st->halted) {
        st->rflags = v->run->if_flag ? FL_IF | FL_ONE : FL_ONE; /* has_work looks at IF */
        cpu_wait_halted(v->cpu);
        return false;
    }
    return true;
}

/* ---- the loop ---- */

static int run_once(KvmVcpu *v)
{
    Cpu *cpu = v->cpu;
    bool off = v->k->irqchip == IRQCHIP_OFF;
    if (off) {
        v->run->cr8 = cpu->irq_ops->get_tpr(cpu->irq_opaque);
    }
    v->runs++;
    atomic_store(&cpu->in_guest, 1);
    int ret = kvm_ioctl(v->fd, KVM_RUN, NULL);
    atomic_store(&cpu->in_guest, 0);
    v->pending = false;
    if (kvm_coalesced_waits(v->k)) { /* they came before this exit's access */
        machine_lock(cpu->machine);
        kvm_coalesced_flush(cpu->machine);
        machine_unlock(cpu->machine);
    }
    if (off && v->run->cr8 != cpu->irq_ops->get_tpr(cpu->irq_opaque)) {
        cpu->irq_ops->set_tpr(cpu->irq_opaque, v->run->cr8);
    }
    if (off && v->run->apic_base != cpu->irq_ops->get_base(cpu->irq_opaque)) {
        (void)!cpu->irq_ops->set_base(cpu->irq_opaque, v->run->apic_base);
    }
    return ret;
}

/* KVM finishes an instruction that did I/O when it is entered again; only then are the
 * registers those of an instruction boundary. */
static void complete_io(KvmVcpu *v)
{
    while (v->pending && !v->stuck) {
        __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (run_once(v) == 0) {
            kvm_handle_exit(v);
        }
    }
}

void kvm_run(Cpu *cpu)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    while (!v->stuck) {
        __atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        atomic_store(&cpu->exit_request, 0);
        if (cpu_must_leave(cpu)) {
            break;
        }
        if (!take_requests(v)) {
            continue;
        }
        if (v->k->guard) {
            kvm_syscall_follow(v);
        }
        kvm_debug_enter(v);
        int ret = run_once(v);
        if (ret == -EINTR || ret == -EAGAIN) {
            continue;
        }
        if (ret < 0) {
            char what[80];
            snprintf(what, sizeof(what), "KVM_RUN: %s", strerror(-ret));
            kvm_internal_error(v, what);
            break;
        }
        if (!kvm_handle_exit(v)) {
            break;
        }
    }
    complete_io(v);
    if (v->stuck) {
        cpu_request(cpu, CPU_REQ_STOP); /* until the machine is reset */
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * The KVM accelerator: what is missing if it cannot be used, the VM, vCPUs' life, start
 * and stop. Linux's Documentation/virt/kvm/api.rst, sections 3 and 4.
 *
 * `loaded` says where a vCPU's state is: in KVM after a start, in X86State after a stop or
 * a park. Machine lock, or the vCPU's own thread.
 */
#include "accel/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include "accel/area.h"
#include "accel/kvm/hybrid.h"
#include "accel/kvm/kvm_int.h"
#include "hw/core/nondet.h"
#include "target-x86/models.h"
#include "util/alloc.h"
#include "util/log.h"

/* Real mode on VT-x needs pages that the guest has not: below the firmware's window. */
#define IDENTITY_MAP 0xfeffc000ull
#define TSS_ADDRESS 0xfeffd000ull

static KvmMachine *the_machine; /* one per process, as the software engine */

KvmMachine *kvm_of(Machine *m)
{
    return the_machine && the_machine->m == m ? the_machine : NULL;
}

KvmVcpu *kvm_vcpu(Cpu *cpu)
{
    return &the_machine->vcpu[cpu->index];
}

int kvm_ioctl(int fd, unsigned long req, void *arg)
{
    int ret = ioctl(fd, req, arg);
    return ret < 0 ? -errno : ret;
}

void kvm_set_soft_step(const X86SoftStep *ops)
{
    kvm_soft_step = ops;
}

static const char *const irqchips[] = { "on", "split", "off", "auto", NULL };
static const char *const ring0s[] = { "auto", "kvm", "soft", NULL };
static const Property kvm_props[] = {
    PROP_ENUM(KvmOptions, irqchip, IRQCHIP_AUTO, irqchips,
              "which interrupt chips the kernel runs: all, the local APICs, none"),
    PROP_ENUM(
        KvmOptions, ring0, RING0_AUTO, ring0s,
        "who runs ring 0 and what is not 64-bit code: KVM, or the translator, which "
        "leaves long stretches of ring 3 to KVM (auto: that, if the host's KVM has "
        "no hardware under it and irqchip is not given)"),
    PROP_END
};

/* ---- is it there? ---- */

static const struct {
    int cap;
    const char *name;
} needed[] = {
    { KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
    { KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS" },
    { KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
    { KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR" },
    { KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
    { KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE" },
    { KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS" },
    { KVM_CAP_XSAVE, "KVM_CAP_XSAVE" },
    { KVM_CAP_USER_NMI, "KVM_CAP_USER_NMI" },
    { KVM_CAP_PIT2, "KVM_CAP_PIT2" },
    { KVM_CAP_PIT_STATE2, "KVM_CAP_PIT_STATE2" },
    { KVM_CAP_ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK" },
    { KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI" },
    { KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM" },
    { KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
};

static int check(int fd, int cap)
{
    return kvm_ioctl(fd, KVM_CHECK_EXTENSION, (void *)(intptr_t)cap);
}

bool kvm_cpu_has_virt(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    if (c & 1u << 5) { /* VMX */
        return true;
    }
    return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & 4; /* SVM */
#else
    return false;
#endif
}

/* Opens the node and looks at everything; the descriptor or -1. */
static int open_kvm(KvmHost *h)
{
    *h = (KvmHost){ .node = access("/dev/kvm", F_OK) == 0,
                    .module = access("/sys/module/kvm", F_OK) == 0,
                    .virt = kvm_cpu_has_virt() };
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        h->open_errno = errno;
        return -1;
    }
    h->api_version = kvm_ioctl(fd, KVM_GET_API_VERSION, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(needed) && !h->missing; i++) {
        h->missing = check(fd, needed[i].cap) > 0 ? NULL : needed[i].name;
    }
    return fd;
}

static bool kvm_probe(char *why, size_t n)
{
    KvmHost h;
    int fd = open_kvm(&h);
    bool wrong = kvm_explain(&h, why, n);
    if (fd >= 0) {
        close(fd);
    }
    return !wrong;
}

/* Without -accel, KVM is chosen only where the CPU itself runs guests: a KVM made of
 * software runs a guest's kernel by interpretation, slower than the translator. */
static bool kvm_preferred(void)
{
    return kvm_cpu_has_virt();
}

/* ---- vCPUs ---- */

static void *kvm_alloc_cpu(Machine *m, int index, size_t size)
{
    KvmMachine *k = kvm_of(m);
    Error err = ERROR_INIT;
    k->area[index] = accel_area_create(index, size, &err);
    if (!k->area[index]) {
        error_report(&err);
    }
    return k->area[index];
}

/* Does the engine have every feature that the guest was shown? Else err names them, and the
 * command line that a machine for both engines begins with. */
static bool features_fit(const X86Cpu *cpu, const uint32_t *have, const char *who, Error *err)
{
    enum { NAMED = 12 };
    const char *model = cpu->cpu.machine->cfg.cpu_model;
    char list[300] = "", without[300] = "";
    unsigned missing = 0;
    for (unsigned f = 0; f < X86F_NWORDS * 32; f++) {
        if (!x86_has(cpu, f) || (have[f / 32] >> (f % 32) & 1) || ++missing > NAMED) {
            continue;
        }
        const char *name = x86_feature_name(f);
        size_t n = strlen(list), w = strlen(without);
        snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", name ? name : "?");
        snprintf(without + w, sizeof(without) - w, ",-%s", name ? name : "?");
    }
    if (!missing) {
        return true;
    }
    error_set(err, "%s lacks CPU features that the guest has seen: %s", who, list);
    char *seen = err->msg;
    err->msg = NULL;
    if (missing > NAMED) {
        error_set(err, "%s and %u more (start dyad with -accel kvm: then both engines have the "
                  "same)", seen, missing - NAMED);
    } else {
        error_set(err, "%s (start dyad with -accel kvm, or with -cpu %s%s)", seen,
                  model ? model : "max", without);
    }
    free(seen);
    return false;
}

static bool vcpu_init(KvmMachine *k, Cpu *cpu, Error *err)
{
    KvmVcpu *v = &k->vcpu[cpu->index];
    if (cpu->index >= (int)k->max_vcpus) {
        return error_set(err, "-smp: this host's KVM takes up to %u CPUs", k->max_vcpus);
    }
    v->cpu = cpu;
    v->x86 = X86_CPU(cpu);
    v->k = k;
    v->fd = kvm_ioctl(k->vm, KVM_CREATE_VCPU, (void *)(uintptr_t)v->x86->apic_id);
    if (v->fd < 0) {
        return error_set(err, "cannot make CPU %d: %s", cpu->index, strerror(-v->fd));
    }
    void *p = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (p == MAP_FAILED) {
        return error_set(err, "cannot map the run area of CPU %d: %s", cpu->index,
                         strerror(errno));
    }
    v->run = p;
    const uint32_t *have = k->soft ? kvm_soft_features() : kvm_features();
    if (!features_fit(v->x86, have, "KVM", err) || !kvm_set_cpuid(v, err)) {
        return false;
    }
    struct kvm_device_attr a = { .group = KVM_VCPU_TSC_CTRL,
                                 .attr = KVM_VCPU_TSC_OFFSET };
    k->have_tsc_offset = kvm_ioctl(v->fd, KVM_HAS_DEVICE_ATTR, &a) == 0;
    if (k->guard && !kvm_syscall_init_cpu(v)) {
        return error_set(err, "cannot set LSTAR of CPU %d", cpu->index);
    }
    if (cpu->index == 0) {
        kvm_regs_init_msrs(k, v->fd);
    }
    return true;
}

static bool kvm_init_cpu(Cpu *cpu, Error *err)
{
    if (!vcpu_init(kvm_of(cpu->machine), cpu, err)) {
        error_prefix(err, "kvm: ");
        return false;
    }
    return true;
}

static void kvm_sync_from(Cpu *cpu)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    if (v->loaded) {
        if (cpu_current() == cpu) {
            kvm_irqchip_left(v);
        }
        kvm_get_state(v);
        v->loaded = false;
    }
}

static void kvm_sync_to(Cpu *cpu)
{
    KvmVcpu *v = kvm_vcpu(cpu);
    v->stuck = false;
    if (!v->loaded) {
        kvm_put_state(v);
        v->loaded = true;
    }
}

/* ---- the machine ---- */

static void kvm_starting(Machine *m)
{
    KvmMachine *k = kvm_of(m);
    if (k->ran) { /* another engine, a snapshot or a debugger may have stored meanwhile */
        kvm_drop_shadow(k);
    }
    k->ran = true;
    kvm_irqchip_start(k);
}

static void kvm_stopped(Machine *m)
{
    KvmMachine *k = kvm_of(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        kvm_sync_from(m->cpus[i]); /* of those that never came to run */
    }
    kvm_events_settle(k);
    kvm_irqchip_stop(k);
}

static void kvm_mapping_changed(Machine *m)
{
    kvm_mem_update_logging(kvm_of(m));
}

static void print_exits(const KvmMachine *k, FILE *f)
{
    for (unsigned r = 0; r < KVM_EXIT_REASONS; r++) {
        uint64_t n = 0;
        for (unsigned i = 0; i < k->m->ncpus; i++) {
            n += k->vcpu[i].exits[r];
        }
        if (n) {
            fprintf(f, "  exits: %-18s %" PRIu64 "\n", kvm_exit_name(r), n);
        }
    }
}

static void print_rescues(const KvmMachine *k, FILE *f)
{
    for (unsigned i = 0; i < k->m->ncpus; i++) {
        const KvmVcpu *v = &k->vcpu[i];
        fprintf(f,
                "CPU %u: KVM_RUN %" PRIu64 ", kicks %" PRIu64 ", injected %" PRIu64
                ", rescues %" PRIu64 "\n",
                i, v->runs, v->kicks, v->injected, v->rescues);
        if (v->faults_passed) {
            fprintf(f, "  page faults looked at on their way to the guest: %" PRIu64 "\n",
                    v->faults_passed);
        }
        for (unsigned n = 0; n < KVM_MNEMONICS && v->by_mnemonic[n].count; n++) {
            fprintf(f, "  rescued: %-16s %" PRIu64 "\n", v->by_mnemonic[n].name,
                    v->by_mnemonic[n].count);
        }
    }
}

static void kvm_info(Machine *m, const char *what, FILE *f)
{
    const KvmMachine *k = kvm_of(m);
    if (!k) {
        return;
    }
    if (k->soft) {
        fprintf(f, "ring 0 and what is not 64-bit code: by the translator (info jit)\n");
        kvm_soft_info(k, f);
    }
    if (k->guard) {
        fprintf(f, "SYSCALL          does not change rings in this host's KVM: rescued\n");
    }
    fprintf(f, "interrupt chips  %s in the kernel\n",
            k->irqchip == IRQCHIP_ON      ? "all"
            : k->irqchip == IRQCHIP_SPLIT ? "local APICs"
                                          : "none");
    fprintf(f, "memory slots     %" PRIu64 " changes\n", k->slot_changes);
    fprintf(f, "doorbells        %" PRIu64 " in the kernel, rung %" PRIu64 " times\n",
            k->eventfds, k->rings);
    fprintf(f, "held writes      %" PRIu64 " (coalesced MMIO)\n", k->coalesced);
    fprintf(f, "interrupt lines  %" PRIu64 " changes\n", k->irqs);
    fprintf(f, "messages         %" PRIu64 ", by irqfd %" PRIu64 " on %u routes\n",
            k->msis, k->irqfds, k->nmsi);
    print_exits(k, f);
    print_rescues(k, f);
}

static void kvm_info_exec(Machine *m, const char *what, void *f)
{
    kvm_info(m, what, f);
}

static bool kvm_check_ready(Machine *m, Error *err)
{
    KvmMachine *k = kvm_of(m);
    k->ready = true;
    return !k->mem_error[0] || error_set(err, "kvm: %s", k->mem_error);
}

const CpuExecOps kvm_exec_ops = {
    .name = "kvm",
    .alloc_cpu = kvm_alloc_cpu,
    .init_cpu = kvm_init_cpu,
    .run = kvm_run,
    .kick = kvm_kick,
    .sync_from_engine = kvm_sync_from,
    .sync_to_engine = kvm_sync_to,
    .mapping_changed = kvm_mapping_changed,
    .info = kvm_info_exec,
    .sample = kvm_sample,
    .starting = kvm_starting,
    .stopped = kvm_stopped,
    .flush_writes = kvm_coalesced_flush,
    .ready = kvm_check_ready,
    .debug_accepts = kvm_debug_accepts,
    .debug_changed = kvm_debug_changed,
};

static bool create_vm(KvmMachine *k, Error *err)
{
    uint64_t identity = IDENTITY_MAP;
    k->vm = kvm_ioctl(k->fd, KVM_CREATE_VM, NULL);
    for (unsigned i = 0; i < 100 && k->vm == -EINTR; i++) {
        k->vm = kvm_ioctl(k->fd, KVM_CREATE_VM, NULL);
    }
    if (k->vm < 0) {
        return error_set(err, "cannot make a VM: %s", strerror(-k->vm));
    }
    int ret = kvm_ioctl(k->vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)TSS_ADDRESS);
    if (ret < 0) {
        return error_set(err, "KVM_SET_TSS_ADDR: %s", strerror(-ret));
    }
    kvm_ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
    struct kvm_enable_cap msr = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
                                  .args = { KVM_MSR_EXIT_REASON_UNKNOWN } };
    k->have_msr_exits = check(k->fd, KVM_CAP_X86_USER_SPACE_MSR) > 0 &&
                        kvm_ioctl(k->vm, KVM_ENABLE_CAP, &msr) == 0;
    if (k->guardable) {
        kvm_syscall_begin(k);
    }
    return kvm_irqchip_init(k, err);
}

static void kvm_free(KvmMachine *k)
{
    if (k->soft) {
        kvm_soft_free(k);
    } else {
        kvm_rescue_free(k);
    }
    for (unsigned i = 0; i < MACHINE_MAX_CPUS; i++) {
        if (k->vcpu[i].run) {
            munmap(k->vcpu[i].run, k->run_size);
        }
        if (k->vcpu[i].k && k->vcpu[i].fd >= 0) {
            close(k->vcpu[i].fd);
        }
    }
    if (k->vm >= 0) {
        close(k->vm);
    }
    if (k->fd >= 0) {
        close(k->fd);
    }
    for (unsigned i = 0; i < MACHINE_MAX_CPUS; i++) {
        if (k->area[i]) {
            accel_area_destroy(i);
        }
    }
    if (the_machine == k) {
        the_machine = NULL;
    }
    free(k);
}

static bool set_up(KvmMachine *k, Error *err)
{
    k->run_size = (size_t)kvm_ioctl(k->fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
    int max = check(k->fd, KVM_CAP_MAX_VCPUS);
    k->max_vcpus = max > 0 ? max : MAX(check(k->fd, KVM_CAP_NR_VCPUS), 1);
    k->have_xcrs = check(k->fd, KVM_CAP_XCRS) > 0;
    k->have_debugregs = check(k->fd, KVM_CAP_DEBUGREGS) > 0;
    if (k->m->cfg.cpus > k->max_vcpus) {
        return error_set(err,
                         "-smp: %u CPUs are too many: this host's KVM takes up to %u",
                         k->m->cfg.cpus, k->max_vcpus);
    }
    return true;
}

KvmMachine *kvm_side_create(Machine *shadow, Error *err)
{
    static KvmOptions opts = { .irqchip = IRQCHIP_OFF, .ring0 = RING0_KVM };
    KvmHost h;
    char why[256];
    KvmMachine *k = NEW(KvmMachine);
    k->m = shadow;
    k->opts = &opts;
    k->irqchip = IRQCHIP_OFF;
    k->vm = -1;
    k->fd = open_kvm(&h);
    bool ok = !kvm_explain(&h, why, sizeof(why)) || error_set(err, "%s", why);
    ok = ok && set_up(k, err) && create_vm(k, err) && kvm_cpuid_init(k, err);
    if (!ok) {
        kvm_free(k);
        return NULL;
    }
    return k;
}

bool kvm_side_cpu(KvmMachine *k, Cpu *cpu, Error *err)
{
    return vcpu_init(k, cpu, err);
}

void kvm_side_destroy(KvmMachine *k)
{
    kvm_free(k);
}

static void choose(KvmMachine *k)
{
    const KvmOptions *o = k->opts;
    k->soft = o->ring0 == RING0_SOFT || (o->ring0 == RING0_AUTO && !kvm_cpu_has_virt() &&
                                         o->irqchip == IRQCHIP_AUTO);
    k->irqchip = o->irqchip != IRQCHIP_AUTO ? o->irqchip
                 : k->soft                  ? IRQCHIP_OFF
                                            : IRQCHIP_ON;
}

static bool kvm_init_machine(Machine *m, void *opts, Error *err)
{
    KvmHost h;
    char why[256];
    KvmMachine *k = NEW(KvmMachine);
    k->m = m;
    k->opts = opts;
    choose(k);
    k->guardable = !k->soft && !kvm_cpu_has_virt();
    k->vm = -1;
    k->fd = open_kvm(&h);
    the_machine = k;
    bool ok = !kvm_explain(&h, why, sizeof(why)) || error_set(err, "%s", why);
    if (ok && k->soft && k->irqchip != IRQCHIP_OFF) {
        ok = error_set(err,
                       "irqchip=%s does not go with ring0=soft: expected off or auto",
                       irqchips[k->irqchip]);
    }
    ok = ok && set_up(k, err);
    if (ok) {
        k->ring_page = (unsigned)MAX(check(k->fd, KVM_CAP_COALESCED_MMIO), 0);
        if ((k->ring_page + 1) * 4096ul > k->run_size) {
            k->ring_page = 0;
        }
    }
    ok = ok && create_vm(k, err) && kvm_cpuid_init(k, err) && kvm_vcpu_signals(err);
    if (!ok) {
        kvm_free(k);
        return false;
    }
    if (k->guardable) {
        kvm_syscall_decide(k);
    }
    if (k->soft && !kvm_soft_init(k, err)) {
        kvm_free(k);
        return false;
    }
    kvm_mem_init(k);
    k->ready = m->ncpus != 0; /* a running machine changes engine: nobody asks later */
    if (k->ready && k->mem_error[0]) {
        error_set(err, "%s", k->mem_error);
        kvm_mem_finish(k);
        kvm_free(k);
        return false;
    }
    x86_engine_features = k->soft ? kvm_soft_features : kvm_features;
    if (!k->soft) {
        m->accel = k;
        m->exec = &kvm_exec_ops;
    }
    return true;
}

static void kvm_destroy(Machine *m)
{
    KvmMachine *k = kvm_of(m);
    kvm_mem_finish(k);
    x86_engine_features = x86_tcg_features;
    kvm_free(k);
    m->accel = NULL;
}

static bool kvm_leave(Machine *m, Error *err)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (!features_fit(X86_CPU(m->cpus[i]), x86_tcg_features(), "the software engine",
                          err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < m->ncpus && kvm_of(m)->native_cpuid; i++) {
        kvm_widen_features(kvm_of(m), X86_CPU(m->cpus[i]));
    }
    if (!kvm_of(m)->soft) {
        kvm_rescue_free(kvm_of(m)); /* the software engine makes its own */
    }
    return true;
}

static void kvm_enter(Machine *m)
{
    if (kvm_of(m)->soft) {
        kvm_soft_enter(m);
    } else {
        m->accel = kvm_of(m);
        m->exec = &kvm_exec_ops;
    }
    kvm_mem_update_logging(kvm_of(m));
}

const AccelClass accel_kvm_class = {
    .name = "kvm",
    .desc = "hardware virtualization by the host's kernel",
    .props = kvm_props,
    .size = sizeof(KvmOptions),
    .probe = kvm_probe,
    .preferred = kvm_preferred,
    .init_machine = kvm_init_machine,
    .enter = kvm_enter,
    .leave = kvm_leave,
    .destroy = kvm_destroy,
    .info = kvm_info,
};

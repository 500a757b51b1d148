/* SPDX-License-Identifier: MIT */
/*
 * The twin accelerator: options, the two sides, the vCPU thread's body, and what the machine
 * tells (RAM written by devices, changes of the memory map). The real vCPU's X86State is
 * exact between stretches.
 */
#include "accel/twin/twin.h"
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "accel/signals.h"
#include "accel/twin/twin_int.h"
#include "hw/core/nondet.h"
#include "target-x86/explain.h"
#include "util/alloc.h"
#include "util/log.h"

const char *const twin_engine_names[] = { "tcg", "interp", "kvm", NULL };

static const char *const twin_mems[] = { "soft", "auto", "window", NULL };
static const char *const twin_tier2s[] = { "off", "on", "random", NULL };
static const char *const twin_sites[] = { "seen", "random", NULL };
enum { CHAINED_UNITS = 4096, SLICE_MOST = 100000 };

static const Property twin_props[] = {
    PROP_ENUM(TwinOptions, first, TWIN_TCG, twin_engine_names,
              "the engine that devices see; it runs whole blocks"),
    PROP_ENUM(TwinOptions, second, TWIN_INTERP, twin_engine_names,
              "the engine that follows, one instruction at a time"),
    PROP_STR(
        TwinOptions, step, "512",
        "full comparison after each \"insn\", each \"block\", that many blocks, or \"Nus\": "
        "so many microseconds of the first engine with blocks chained, as it runs alone"),
    PROP_ENUM(TwinOptions, mem, 1, twin_mems,
              "user memory of the first engine, if it is tcg: as for -accel tcg"),
    PROP_ENUM(TwinOptions, tier2, TIER2_ON, twin_tier2s,
              "hot traces of the first engine, with step=Nus: as for -accel tcg"),
    PROP_ENUM(TwinOptions, sites, 0, twin_sites,
              "what its windows expect of memory operands: as for -accel tcg"),
    PROP_U32(TwinOptions, slow, 10, 1, 1000,
             "how many times slower the guest's clocks run than the host's"),
    PROP_STR(TwinOptions, cache, "off",
             "translations kept from run to run by the first engine: as for -accel tcg"),
    { "case", PK_STR, offsetof(TwinOptions, case_file), 0, 0, 0, "twin.case", NULL, NULL,
      "where the reproducer of a difference is written" },
    { "exact-flags", PK_BOOL, offsetof(TwinOptions, exact_flags), 0, 0, 1, NULL, NULL,
      NULL, "keep even dead flags exact, and compare them" },
    PROP_END
};

bool twin_parse_step(Twin *t, const char *step, Error *err)
{
    uint64_t n = 1;
    size_t len = strlen(step);
    if (len > 2 && len < 16 && !strcmp(step + len - 2, "us")) {
        char digits[16];
        snprintf(digits, sizeof(digits), "%.*s", (int)len - 2, step);
        if (parse_u64(digits, &n) && n >= 1 && n <= SLICE_MOST) {
            t->single = false;
            t->slice = n;
            t->max_units = CHAINED_UNITS;
            return true;
        }
        n = 0;
    }
    t->slice = 0;
    t->single = !strcmp(step, "insn");
    if (!t->single && strcmp(step, "block") &&
        (!parse_u64(step, &n) || n < 1 || n > 1000000)) {
        return error_set(err,
                         "step: %s is not accepted: expected insn, block, a number of "
                         "blocks from 1 to 1000000, or 1us to 100000us",
                         step);
    }
    t->max_units = n;
    return true;
}

/* ---- sides ---- */

static bool create_side(Twin *t, unsigned which, int kind, Error *err)
{
    TwinSide *s = &t->side[which];
    s->t = t;
    s->which = which;
    s->kind = kind;
    s->name = twin_engine_names[kind];
    if (kind == TWIN_KVM) {
#ifdef CONFIG_KVM
        s->engine = &twin_kvm_engine;
#else
        return error_set(err, "kvm is left out of this build (--disable-kvm)");
#endif
    } else {
        s->engine = &twin_soft_engine;
    }
    if (!twin_shadow_init(s, err) || !s->engine->create(s, err)) {
        error_prefix(err, "%s: ", which ? "second" : "first");
        return false;
    }
    return true;
}

static void destroy_side(TwinSide *s)
{
    if (s->engine) {
        s->engine->destroy(s);
        twin_shadow_finish(s);
    }
}

static X86Cpu *real_cpu(Twin *t, unsigned i)
{
    return X86_CPU(t->m->cpus[i]);
}

static void *twin_alloc_cpu(Machine *m, int index, size_t size)
{
    return xalloc_aligned(64, ALIGN_UP(size, 64));
}

static bool twin_init_cpu(Cpu *cpu, Error *err)
{
    Twin *t = cpu->machine->accel;
    return twin_add_cpu(&t->side[0], X86_CPU(cpu), err) &&
           twin_add_cpu(&t->side[1], X86_CPU(cpu), err);
}

/* ---- RAM of the second side := the first's ---- */

static void copy_ram(Twin *t)
{
    Machine *m = t->m;
    TwinSide *b = &t->side[1];
    off_t end = (off_t)MIN(m->ram_used, m->ram_max), at = 0;

    while (at < end) { /* holes of the memory file read as zeros */
        off_t data = lseek(m->ram_fd, at, SEEK_DATA);
        if (data < 0 || data >= end) {
            break;
        }
        off_t hole = lseek(m->ram_fd, data, SEEK_HOLE);
        hole = hole < 0 || hole > end ? end : hole;
        for (off_t p = data; p < hole; p += TLB_PAGE) {
            if (memcmp(b->ram + p, m->ram_base + p, TLB_PAGE)) {
                memcpy(b->ram + p, m->ram_base + p, TLB_PAGE);
            }
        }
        at = hole;
    }
    for (unsigned k = 0; k < 2; k++) {
        t->side[k].engine->forget(&t->side[k]);
    }
}

static void twin_starting(Machine *m)
{
    copy_ram(m->accel);
}

static void twin_sync_from(Cpu *cpu)
{
    /* the real state is exact between stretches */
}

static void twin_sync_to(Cpu *c)
{
    Twin *t = c->machine->accel;
    const X86Cpu *r = X86_CPU(c);
    for (unsigned k = 0; k < 2; k++) {
        TwinSide *s = &t->side[k];
        X86Cpu *cpu = s->cpu[c->index];
        cpu->st = r->st;
        memcpy(cpu->feat, r->feat, sizeof(cpu->feat));
        cpu->apic_id = r->apic_id;
        cpu->phys_bits = r->phys_bits;
        cpu->tsc_khz = r->tsc_khz;
        cpu->cpu.irq_ops = c->irq_ops ? &twin_irq_ops : NULL;
        cpu->next_rip = r->next_rip;
        cpu->delivering = cpu->db_pending = cpu->end_block = 0;
        cpu->soft_rip = 0;
        x86_update_hflags(cpu);
        s->engine->replaced(s, cpu);
        s->engine->end_stretch(s, cpu);
    }
}

/* ---- what devices do ---- */

/* While the first side is in a device, the second learns of it when it comes there. */
static void twin_ram_written(Machine *m, uint64_t ram_addr, uint64_t len)
{
    Twin *t = m->accel;
    TwinSide *a = &t->side[0], *b = &t->side[1];
    if (t->in_device) {
        twin_log_add(&t->log, TE_DMA, m->ram_base + ram_addr, len)->addr = ram_addr;
        for (uint64_t p = ram_addr >> 12; p <= (ram_addr + len - 1) >> 12; p++) {
            tcg_page_log(&a->pages, p);
        }
        a->engine->ram_written(a, ram_addr, len);
        return;
    }
    memcpy(b->ram + ram_addr, m->ram_base + ram_addr, len);
    a->engine->ram_written(a, ram_addr, len);
    b->engine->ram_written(b, ram_addr, len);
}

static void twin_dma_mapped(Machine *m, uint64_t ram_addr, uint64_t len, bool on)
{
    Twin *t = m->accel;
    if (on) {
        if (t->ndma < TWIN_MAX_DMA) {
            t->dma[t->ndma++] = (TwinDma){ ram_addr, len };
        }
        return;
    }
    for (unsigned i = 0; i < t->ndma; i++) {
        if (t->dma[i].ram_addr == ram_addr) {
            t->dma[i] = t->dma[--t->ndma];
            return;
        }
    }
}

static void twin_mapping_changed(Machine *m)
{
    Twin *t = m->accel;
    if (t->in_device) {
        twin_log_add(&t->log, TE_VIEW, NULL, 0);
        twin_shadow_update(&t->side[0]);
        twin_end_stretch(t);
        return;
    }
    twin_shadow_update(&t->side[0]);
    twin_shadow_update(&t->side[1]);
}

/* ---- running ---- */

static void stop(Twin *t)
{
    t->stopped = true;
    machine_request_shutdown(t->m, 3);
}

static void after_stretch(Twin *t, unsigned i, uint32_t req, bool took_nmi)
{
    X86Cpu *r = real_cpu(t, i);
    Cpu *c = &r->cpu;
    uint32_t edges = req & (CPU_REQ_INIT | CPU_REQ_SIPI | CPU_REQ_FLUSH | CPU_REQ_NMI2);
    cpu_clear_request(c, edges | (took_nmi ? CPU_REQ_NMI : 0));
    r->st = t->side[0].cpu[i]->st;
    r->next_rip = t->side[0].cpu[i]->next_rip;
    x86_update_hflags(r);
    if (t->side[0].shut_down && t->side[1].shut_down) {
        FILE *f = log_lock();
        x86_explain_shutdown(t->side[0].cpu[i], f);
        log_unlock(f);
        cpu_triple_fault(c);
    }
}

/* Machine lock held. */
static void one_stretch(Twin *t, unsigned i, uint32_t req)
{
    X86Cpu *r = real_cpu(t, i);
    if (r->st.event
            .valid) { /* the last stretch ended at a fault: its delivery comes first */
        req = 0;
    }
    bool debug = r->cpu.debug != 0, single = t->single;
    if (debug && r->cpu.debug & CPU_DEBUG_STEPPED && !r->st.halted) {
        /* no step falls into an interrupt */
        req &= ~(uint32_t)(CPU_REQ_HARD | CPU_REQ_NMI);
    }
    bool nmi = req & CPU_REQ_NMI && x86_pending(r, CPU_REQ_NMI);
    t->stretches++;
    t->chained = t->slice && !debug;
    t->single |= debug;
    bool same = twin_stretch(t, i, req, debug ? 1 : t->max_units, false);
    t->chained = false;
    if (!same) {
        t->start = r->st;
        if (twin_diagnose(t, i, req)) {
            stop(t);
            return;
        }
    }
    t->single = single;
    twin_settle(t, i);
    after_stretch(t, i, req, nmi);
    if (debug) {
        twin_debug_after(t, i);
    }
}

static void twin_run(Cpu *c)
{
    Twin *t = c->machine->accel;
    X86Cpu *r = X86_CPU(c);

    while (!cpu_must_leave(c) && !t->stopped) {
        machine_lock(t->m);
        atomic_store(&c->exit_request, 0);
        uint32_t req = atomic_load(&c->request);
        bool idle = (r->st.halted || r->st.wait_sipi) && !x86_pending(r, req);
        if (c->debug && (!idle || c->debug & CPU_DEBUG_STEPPED) &&
            twin_debug_before(t, c->index)) {
            machine_unlock(t->m);
            continue;
        }
        if (!idle && !cpu_must_leave(c) && !t->stopped) {
            one_stretch(t, c->index, req);
        }
        machine_unlock(t->m);
        if (idle) {
            cpu_wait_halted(c);
        }
    }
    if (t->stopped) {
        cpu_request(c, CPU_REQ_STOP);
    }
}

static void twin_kick(Cpu *cpu)
{
    Twin *t = cpu->machine->accel;
    if (t->slice && cpu->thread_started) { /* else it looks after each block */
        pthread_kill(cpu->thread, SIGUSR1);
    }
}

/* ---- host signals ---- */

static bool on_signal(int sig, void *info, void *uc)
{
    if (sig == SIGUSR1 && !twin_chain_signal(info)) {
        return true; /* nothing runs that it should stop */
    }
    return (sig == SIGSEGV && twin_trace_fault(((siginfo_t *)info)->si_addr)) ||
           (twin_here && twin_here->engine->signal &&
            twin_here->engine->signal(twin_here_cpu, sig, info, uc));
}

/* ---- AccelClass ---- */

static void twin_info(Machine *m, const char *what, FILE *f)
{
    Twin *t = m->accel;
    fprintf(f,
            "stretches        %" PRIu64 " (%" PRIu64 " blocks, %" PRIu64
            " instructions, %" PRIu64 " events)\n",
            t->stretches, t->units, t->insns, t->events);
    fprintf(f,
            "run again        %" PRIu64 ", alike then: %" PRIu64
            " (undefined flags: %" PRIu64 "); ended within a page walk: %" PRIu64 "\n",
            t->reruns, t->unlike, t->undefined, t->walked);
    for (unsigned k = 0; k < 2; k++) {
        fprintf(f, "%s (%s):\n", k ? "second" : "first", t->side[k].name);
        if (t->side[k].engine->info) {
            t->side[k].engine->info(&t->side[k], f);
        }
    }
}

static void twin_info_exec(Machine *m, const char *what, void *f)
{
    twin_info(m, what, f);
}

static const CpuExecOps twin_exec_ops = {
    .name = "twin",
    .alloc_cpu = twin_alloc_cpu,
    .init_cpu = twin_init_cpu,
    .run = twin_run,
    .kick = twin_kick,
    .sync_from_engine = twin_sync_from,
    .sync_to_engine = twin_sync_to,
    .ram_written = twin_ram_written,
    .mapping_changed = twin_mapping_changed,
    .info = twin_info_exec,
    .starting = twin_starting,
    .dma_mapped = twin_dma_mapped,
    .debug_changed = twin_debug_changed,
};

Twin *twin_create(Machine *m, TwinOptions *opts, Error *err)
{
    Twin *t = xalloc_aligned(64, sizeof(Twin));
    t->m = m;
    t->opts = opts;
    m->accel = t;
    m->exec = &twin_exec_ops;
    bool ok = twin_parse_step(t, opts->step ? opts->step : "512", err) &&
              accel_take_signals(on_signal, err) && create_side(t, 0, opts->first, err) &&
              create_side(t, 1, opts->second, err);
    if (!ok) {
        twin_destroy(m);
        return NULL;
    }
    return t;
}

void twin_destroy(Machine *m)
{
    Twin *t = m->accel;
    if (t->stretches) {
        fprintf(stderr,
                "dyad: twin: %" PRIu64 " instructions in %" PRIu64
                " stretches compared%s; "
                "%" PRIu64 " stretches looked different at first (%" PRIu64
                " by undefined flags), %" PRIu64 " ended within a page walk\n",
                t->insns, t->stretches, t->stopped ? "" : ", no difference", t->unlike,
                t->undefined, t->walked);
    }
    destroy_side(&t->side[1]);
    destroy_side(&t->side[0]);
    twin_stretch_free(t);
    for (unsigned i = 0; i < m->ncpus; i++) {
        free(real_cpu(t, i));
    }
    free(t);
    m->accel = NULL;
}

static bool twin_init_machine(Machine *m, void *opts, Error *err)
{
    if (!twin_create(m, opts, err)) {
        return false;
    }
    nondet_slow_down(((TwinOptions *)opts)->slow);
    return true;
}

/* Never without being asked for. */
static bool twin_preferred(void)
{
    return false;
}

const AccelClass accel_twin_class = {
    .name = "twin",
    .desc = "two engines side by side, compared; stops at the first difference",
    .props = twin_props,
    .size = sizeof(TwinOptions),
    .preferred = twin_preferred,
    .init_machine = twin_init_machine,
    .destroy = twin_destroy,
    .info = twin_info,
};

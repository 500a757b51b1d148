/* SPDX-License-Identifier: MIT */
/*
 * The vCPU loop of the software engine: requests and interrupts, lookup of the block at
 * RIP, its execution. Leaf: guest vector state may be live in host registers all the time
 * it runs; heavy work goes through x86_heavy.
 *
 * Faults come back here by __builtin_longjmp(cpu->jmp) with st.event set (x86_raise*).
 */
#include "target-x86/engine.h"
#include "hw/core/machine.h"
#include "target-x86/access.h"
#include "target-x86/decode.h"
#include "target-x86/gen_ir.h"
#include "target-x86/insn.h"
#include "target-x86/leaf.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "target-x86/window.h"

extern uint32_t log_mask; /* util/log.h; reading it is leaf */
#define X86_LOG_INT (1u << 3)
#define X86_LOG_BRANCHES (1u << 10)

X86Engine x86_engine = { .max_insns = TB_MAX_INSNS };

/* ---- one instruction at a time ---- */

typedef struct StepFetch {
    uint8_t bytes[16];
    unsigned n;
} StepFetch;

static void fetch_check(X86Cpu *cpu, uint64_t rip, unsigned n)
{
    if (cpu->hflags & HF_CS64) {
        if (!x86_canonical(rip)) {
            x86_raise_err(cpu, EXC_GP, 0);
        }
    } else if (rip + n - 1 > cpu->st.seg[R_CS].limit) {
        x86_raise_err(cpu, EXC_GP, 0);
    }
}

/* Instruction bytes may lie in MMIO (a ROM behind a device): read them one by one. */
static uint64_t fetch_io(X86Cpu *cpu, void *arg)
{
    uint64_t lin = *(uint64_t *)arg;
    return x86_lin_load(cpu, lin, 1, cpu->mmu_idx);
}

void x86_engine_decode(X86Cpu *cpu, X86Insn *in)
{
    uint8_t bytes[16];
    unsigned n = 0;

    fetch_check(cpu, cpu->st.rip, 1);
    for (;;) {
        uint64_t lin = x86_pc_linear(cpu) + n, ram;
        bool large;
        if (!(cpu->hflags & HF_CS64)) {
            lin = (uint32_t)lin;
        } else if (!x86_canonical(lin)) {
            x86_raise_err(cpu, EXC_GP, 0); /* its bytes go on beyond the canonical half */
        }
        const uint8_t *p = softmmu_fetch(cpu, lin, &ram, &large);
        unsigned k = TLB_PAGE - (lin & (TLB_PAGE - 1));
        k = MIN(k, 15 - n);
        for (unsigned i = 0; i < k; i++) {
            uint64_t a = lin + i;
            bytes[n + i] = p ? p[i] : x86_aside(cpu, fetch_io, &a);
        }
        n += k;
        int len = x86_decode(in, bytes, n, cpu->hflags, cpu->feat);
        if (len > 0) {
            fetch_check(cpu, cpu->st.rip, len);
            return;
        }
        if (len != X86_DEC_MORE || n >= 15) {
            if (len != X86_DEC_UD) {
                x86_raise_err(cpu, EXC_GP, 0);
            }
            x86_raise(cpu, EXC_UD);
        }
    }
}

/* Breakpoint at the instruction itself, SDM vol. 3, 17.3.1.1: a fault, before it. */
static void check_code_breakpoints(X86Cpu *cpu)
{
    uint64_t lin = x86_pc_linear(cpu), hit = 0;

    if (cpu->st.rflags & FL_RF) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (cpu->st.dr7 >> (2 * i) & 3 && (cpu->st.dr7 >> (16 + 4 * i) & 3) == 0 &&
            cpu->st.dr[i] == lin) {
            hit |= 1u << i;
        }
    }
    if (hit) {
        x86_raise_db(cpu, hit);
    }
}

/* Executes the instruction at RIP with everything that single steps need. */
static const X86Row *step_once(X86Cpu *cpu)
{
    X86Insn in;
    bool tf = cpu->st.rflags & FL_TF, dbg = cpu->hflags & HF_DBG;
    uint64_t rf = cpu->st.rflags & FL_RF;
    unsigned shadow = cpu->st.int_shadow;

    if (dbg && shadow != X86_SHADOW_SS) {
        check_code_breakpoints(cpu);
    }
    x86_engine_decode(cpu, &in);
    cpu->db_pending = 0;
    cpu->tf_done = 0;
    if (shadow) {
        cpu->st.int_shadow = 0;
        cpu->hflags &= ~(uint32_t)HF_SHADOW;
    }
    x86_exec_insn(cpu, &in);
    cpu->st.rip = cpu->next_rip & x86_rip_mask(cpu);
    if (x86_env(cpu)) {
        x86_env(cpu)->steps++;
    }
    /* RF lasts for one instruction, unless that instruction loaded it (IRET, POPF clear
     * or set it themselves) or is a REP that goes on */
    if (rf && !(in.row->flags & RF_BRANCH && in.row->flags & RF_END)) {
        cpu->st.rflags &= ~(uint64_t)FL_RF;
    }
    uint64_t dr6 = cpu->db_pending | cpu->db_delayed;
    cpu->db_pending = cpu->db_delayed = 0;
    if (cpu->st.int_shadow == X86_SHADOW_SS) { /* MOV SS, POP SS hold traps back, 6.8.3 */
        cpu->db_delayed = dr6;
        return in.row;
    }
    dr6 |= tf && !cpu->tf_done ? DR6_BS : 0;
    if (dr6) {
        cpu->st.event = (X86Event){ .valid = 1, .vector = EXC_DB, .dr6 = dr6 };
    }
    return in.row;
}

/* ---- the debugger outside (hw/core/debug.h) ---- */

static uint64_t stop_heavy(X86Cpu *cpu, void *arg)
{
    const DebugStop *s = arg;
    debug_stop(&cpu->cpu, s->kind, s->addr);
    return 0;
}

/* Before the instruction at RIP. True: it is not to be executed, the vCPU stops. */
static bool debug_before(X86Cpu *cpu)
{
    Cpu *c = &cpu->cpu;
    uint32_t bits = c->debug;
    DebugStop s = { .kind = DEBUG_NONE };

    if (bits & CPU_DEBUG_STEPPED) {
        s.kind = DEBUG_STEP;
    } else if (bits & CPU_DEBUG_STEP) {
        c->debug = (bits & ~(uint32_t)CPU_DEBUG_STEP) | CPU_DEBUG_STEPPED;
    } else if (bits & CPU_DEBUG_BREAK) {
        s.kind = debug_break_at(&c->machine->debug, x86_pc_linear(cpu));
    }
    if (s.kind == DEBUG_NONE) {
        return false;
    }
    c->debug &= ~(uint32_t)CPU_DEBUG_STEPPED;
    x86_heavy(cpu, stop_heavy, &s);
    return true;
}

/* step_once as the debugger lets it. */
static void step_here(X86Cpu *cpu)
{
    if (likely(!cpu->cpu.debug)) {
        step_once(cpu);
        return;
    }
    if (debug_before(cpu)) {
        return;
    }
    cpu->watch_kind = DEBUG_NONE;
    step_once(cpu);
    if (cpu->watch_kind != DEBUG_NONE) {
        DebugStop s = { .kind = cpu->watch_kind, .addr = cpu->watch_addr };
        cpu->cpu.debug &= ~(uint32_t)CPU_DEBUG_STEPPED;
        x86_heavy(cpu, stop_heavy, &s);
    }
}

/* ---- requests ---- */

static uint64_t irq_ack(X86Cpu *cpu, void *arg)
{
    Cpu *c = &cpu->cpu;
    return (uint64_t)(int64_t)(c->irq_ops ? c->irq_ops->ack(c->irq_opaque) : -1);
}

static uint64_t wait_heavy(X86Cpu *cpu, void *arg)
{
    cpu_wait_halted(&cpu->cpu);
    return 0;
}

static uint64_t clear_request_heavy(X86Cpu *cpu, void *arg)
{
    cpu_clear_request(&cpu->cpu, *(uint32_t *)arg);
    return 0;
}

static void clear_request(X86Cpu *cpu, uint32_t bit)
{
    x86_aside(cpu, clear_request_heavy, &bit);
}

static bool can_take_irq(const X86Cpu *cpu)
{
    return cpu->st.rflags & FL_IF && !cpu->st.int_shadow;
}

static void start_ap(X86Cpu *cpu)
{
    X86Seg *cs = &cpu->st.seg[R_CS];
    cs->selector = cpu->cpu.sipi_vector << 8;
    cs->base = (uint64_t)cpu->cpu.sipi_vector << 12;
    cpu->st.rip = 0;
    cpu->st.wait_sipi = 0;
    cpu->st.halted = 0;
    x86_update_hflags(cpu);
}

/* Acts on request bits once. */
static void take_bits(X86Cpu *cpu, uint32_t req)
{
    if (req & CPU_REQ_FLUSH) {
        clear_request(cpu, CPU_REQ_FLUSH);
        softmmu_flush_all(cpu);
    }
    if (req & CPU_REQ_ALARM) {
        clear_request(cpu, CPU_REQ_ALARM);
        window_alarm(cpu);
    }
    if (req & CPU_REQ_INIT) {
        clear_request(cpu, CPU_REQ_INIT);
        x86_fpu_sync(cpu);
        x86_cpu_reset(cpu, true);
        softmmu_flush_all(cpu);
    }
    if (req & CPU_REQ_SIPI) {
        clear_request(cpu, CPU_REQ_SIPI);
        if (cpu->st.wait_sipi) {
            start_ap(cpu);
        }
    }
    if (cpu->st.wait_sipi) {
        return;
    }
    if (unlikely(cpu->cpu.debug & (CPU_DEBUG_STEP | CPU_DEBUG_STEPPED)) &&
        !cpu->st.halted) {
        return; /* a debugger's step does not fall into an interrupt */
    }
    if (req & CPU_REQ_NMI2 && (cpu->st.nmi_masked || !(req & CPU_REQ_NMI))) {
        clear_request(cpu, CPU_REQ_NMI2);
        if (!(req & CPU_REQ_NMI)) { /* it crossed the first one's being taken */
            cpu->cpu.request |= CPU_REQ_NMI;
            req |= CPU_REQ_NMI;
        }
        req &= ~(uint32_t)CPU_REQ_NMI2;
    }
    if (req & CPU_REQ_NMI && !cpu->st.nmi_masked && !cpu->st.int_shadow) {
        clear_request(cpu, req & CPU_REQ_NMI2 ? CPU_REQ_NMI2 : CPU_REQ_NMI);
        cpu->st.halted = 0;
        x86_deliver_interrupt(cpu, EXC_NMI);
    } else if (req & CPU_REQ_HARD && can_take_irq(cpu)) {
        int64_t v = (int64_t)x86_aside(cpu, irq_ack, NULL);
        if (v >= 0) {
            cpu->st.halted = 0;
            if (unlikely(log_mask & X86_LOG_INT)) {
                x86_heavy(cpu, x86_log_interrupt, &v);
            }
            if (PLANTED_BUG == 3 && x86_engine.native) {
                cpu->st.rflags ^= FL_CF;
            }
            x86_deliver_interrupt(cpu, v);
        }
    }
}

/* Takes what is pending at an instruction boundary. False: the loop must return. */
static bool take_requests(X86Cpu *cpu)
{
    Cpu *c = &cpu->cpu;

    for (;;) {
        atomic_store_explicit(&c->exit_request, 0, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
        uint32_t req = atomic_load_explicit(&c->request, memory_order_acquire);
        if (cpu_must_leave(c)) {
            return false;
        }
        take_bits(cpu, req);
        if (!cpu->st.wait_sipi && !cpu->st.halted) {
            return true;
        }
        c->halts++;
        x86_fpu_sync(cpu);
        x86_heavy(cpu, wait_heavy, NULL);
    }
}

/* Is there something for take_requests now? Leaf, called between blocks. */
bool x86_engine_attention(X86Cpu *cpu)
{
    Cpu *c = &cpu->cpu;
    uint32_t req = atomic_load_explicit(&c->request, memory_order_acquire);

    if (unlikely(cpu->st.halted | cpu->st.wait_sipi | cpu->st.event.valid |
                 cpu->one_unit)) {
        return true;
    }
    if (likely(!req)) {
        return false;
    }
    if (req & ~(uint32_t)(CPU_REQ_HARD | CPU_REQ_NMI)) {
        return true;
    }
    return (req & CPU_REQ_HARD && can_take_irq(cpu)) ||
           (req & CPU_REQ_NMI && !cpu->st.nmi_masked && !cpu->st.int_shadow);
}

/* ---- blocks ---- */

typedef struct BuildArg {
    const uint8_t *bytes;
    uint64_t ram_addr;
    bool large;
    uint32_t mode;
    X86Need need;
} BuildArg;

static uint64_t build_heavy(X86Cpu *cpu, void *arg)
{
    BuildArg *a = arg;
    return (uint64_t)x86_build(cpu, a->bytes, a->ram_addr, a->large, a->mode, a->need);
}

Tb *x86_engine_find(X86Cpu *cpu, X86Need need)
{
    BuildArg a;

    fetch_check(cpu, cpu->st.rip, 1);
    a.bytes = softmmu_fetch(cpu, x86_pc_linear(cpu), &a.ram_addr, &a.large);
    if (!a.bytes) {
        return NULL;
    }
    a.mode = x86_block_mode(cpu) | (a.large ? X86_KEY_LARGE : 0);
    Tb *tb = x86_tb_find(cpu, x86_engine.cache, a.ram_addr, a.mode);
    if (tb && tb->crossing) { /* is its tail still what it was built from? */
        uint64_t ram2, next = x86_pc_linear(cpu) + tb->size;
        bool large2;
        if (!softmmu_fetch(cpu, cpu->hflags & HF_CS64 ? next : (uint32_t)next, &ram2,
                           &large2) ||
            ram2 != tb_tail(tb)) {
            return NULL;
        }
    }
    if (tb && likely(x86_tb_has(tb, need))) {
        return tb;
    }
    a.need = need;
    __builtin_prefetch(a.bytes);
    __builtin_prefetch(&x86_engine.cache->pages[a.ram_addr >> 12]);
    __builtin_prefetch(a.mode & X86_KEY_WIN
                           ? &x86_engine.win_site[x86_win_hash(a.ram_addr) / 2]
                           : &x86_engine.group_failed.bits[x86_key_hash(a.ram_addr) / 8]);
    return (Tb *)x86_aside(cpu, build_heavy, &a);
}

/* Runs a block that has no host code. */
static void interpret(X86Cpu *cpu, Tb *tb)
{
    if (!(cpu->hflags & HF_CS64)) {
        fetch_check(cpu, cpu->st.rip, tb->size);
    }
    x86_ir_run(cpu, tb);
}

static NOINLINE void loop(X86Cpu *cpu)
{
    Cpu *c = &cpu->cpu;

    if (__builtin_setjmp(cpu->jmp)) {
        /* a fault: event set, state exact; or x86_restart */
        x86_native_recover(cpu);
        cpu->db_pending = 0;
    }
    for (;;) {
        if (unlikely(cpu->st.event.valid)) {
            if (unlikely(log_mask & X86_LOG_INT)) {
                x86_heavy(cpu, x86_log_event, NULL);
            }
            x86_deliver_event(cpu);
        }
        if (unlikely(c->debug & CPU_DEBUG_STEPPED)) {
            (void)debug_before(cpu);
        }
        if (unlikely(atomic_load_explicit(&c->exit_request, memory_order_relaxed) ||
                     x86_engine_attention(cpu))) {
            if (!take_requests(cpu)) {
                return;
            }
        }
        if (unlikely(cpu->hflags & X86_STEP_MASK || cpu->st.int_shadow ||
                     c->debug & CPU_DEBUG_STEP)) {
            step_here(cpu);
            continue;
        }
        if (unlikely(log_mask & X86_LOG_BRANCHES)) {
            cpu->branch[cpu->nbranches++ % ARRAY_SIZE(cpu->branch)] = cpu->st.rip;
        }
        Tb *tb = x86_engine_find(cpu, X86_NEED_INNER);
        if (unlikely(!tb)) {
            step_here(cpu);
        } else if (tb->code_end) {
            x86_native_run(cpu, tb);
            if (unlikely(x86_env(cpu)->punt)) {
                x86_env(cpu)->punt = 0;
                step_once(cpu);
            }
        } else {
            x86_env(cpu)->interpreted++;
            interpret(cpu, tb);
        }
    }
}

NOINLINE const X86Row *x86_engine_unit(X86Cpu *cpu)
{
    if (__builtin_setjmp(cpu->jmp)) {
        x86_native_recover(cpu);
        cpu->db_pending = 0;
        return NULL;
    }
    if (cpu->st.event.valid) {
        x86_deliver_event(cpu);
        return NULL;
    }
    Tb *tb = NULL;
    uint64_t rip = cpu->st.rip;
    x86_engine.unit_inside = false;
    if (!(cpu->hflags & X86_STEP_MASK || cpu->st.int_shadow)) {
        tb = x86_engine_find(cpu, X86_NEED_ALL);
    }
    if (!tb) {
        return step_once(cpu);
    }
    if (!tb->code_end) {
        const X86Row *row = tb->ninsns == 1 ? tb->insns[0].row : NULL;
        interpret(cpu, tb);
        return row;
    }
    unsigned size = tb->size;
    x86_native_run(cpu, tb);
    if (x86_env(cpu)->punt) {
        x86_env(cpu)->punt = 0;
        step_once(cpu);
    }
    x86_engine.unit_inside = cpu->st.rip > rip && cpu->st.rip - rip < size;
    return NULL;
}

void x86_snap(X86Snap *s, const X86Cpu *cpu)
{
    const X86Event *e = &cpu->st.event;
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = cpu->st.gpr[i];
    }
    s->rip = cpu->st.rip;
    s->rflags = cpu->st.rflags;
    s->took = 0;
    s->event = e->valid;
    s->inexact = e->valid || x86_engine.unit_inside;
    if (unlikely(e->valid)) {
        s->vector = e->vector;
        s->error = e->error;
        s->cr2 = e->cr2;
    }
}

static uint64_t paused_heavy(X86Cpu *cpu, void *arg)
{
    return ((const X86Units *)arg)->paused(cpu);
}

bool x86_pending(const X86Cpu *cpu, uint32_t req)
{
    const X86State *st = &cpu->st;
    return req & (CPU_REQ_INIT | CPU_REQ_SIPI | CPU_REQ_FLUSH) ||
           (!st->wait_sipi && !st->int_shadow &&
            ((req & CPU_REQ_NMI && !st->nmi_masked) ||
             (req & CPU_REQ_HARD && st->rflags & FL_IF)));
}

static bool units_enough(const X86Cpu *cpu, const X86Units *u)
{
    uint32_t req = u->request ? atomic_load_explicit(u->request, memory_order_acquire)
                              : 0;
    return u->units >= u->max_units || *u->stop || *u->pages > u->max_pages ||
           (unlikely(req) &&
            (req & (CPU_REQ_STOP | CPU_REQ_WORK | CPU_REQ_EXCL | CPU_REQ_RESET) ||
             x86_pending(cpu, req)));
}

/* False: enough. A signal that comes from here on makes the vCPU leave by itself. */
static bool begin_chained(X86Cpu *cpu, const X86Units *u)
{
    uint32_t req = u->request ? atomic_load_explicit(u->request, memory_order_acquire)
                              : 0;
    atomic_store_explicit(&cpu->cpu.request, req & (CPU_REQ_HARD | CPU_REQ_NMI),
                          memory_order_relaxed);
    atomic_store_explicit(&cpu->cpu.exit_request, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (*u->stop) {
        atomic_store_explicit(&cpu->cpu.request, CPU_REQ_STOP, memory_order_relaxed);
        atomic_store_explicit(&cpu->cpu.exit_request, 1, memory_order_relaxed);
    }
    return !*u->stop || !u->units;
}

static NOINLINE void step_loop(X86Cpu *cpu)
{
    if (!__builtin_setjmp(cpu->jmp)) {
        step_once(cpu);
    }
}

void x86_engine_units(X86Cpu *cpu, X86Units *u)
{
    while (!(cpu->st.halted | cpu->st.wait_sipi)) {
        uint64_t rip = cpu->st.rip;
        if (u->chained && !begin_chained(cpu, u)) {
            break;
        }
        x86_engine_unit(cpu);
        if (u->chained && *u->stop && !u->n && cpu->st.rip == rip && !cpu->st.event.valid) {
            step_loop(cpu); /* the signal may have come before anything was done, each time */
        }
        bool event = cpu->st.event.valid; /* its delivery belongs to this run */
        u->units += !event;
        bool stop = u->n + 1 >= u->cap || (event ? *u->stop : units_enough(cpu, u));
        if (stop || event || u->chained ||
            (cpu->st.rip != rip && !x86_engine.unit_inside) ||
            !x86_heavy(cpu, paused_heavy, u)) {
            x86_snap(&u->snap[u->n], cpu);
            u->snap[u->n++].inexact |= u->chained;
        }
        if (stop) {
            break;
        }
    }
}

NOINLINE void x86_engine_take(X86Cpu *cpu, uint32_t req)
{
    if (!__builtin_setjmp(cpu->jmp)) {
        take_bits(cpu, req);
    }
}

void x86_engine_run(Cpu *c)
{
    X86Cpu *cpu = X86_CPU(c);

    cpu->one_unit = (log_mask & X86_LOG_BRANCHES) != 0; /* each block comes back here */
    loop(cpu);
    x86_fpu_sync(cpu);
}

static NOINLINE void deliver_loop(X86Cpu *cpu)
{
    (void)__builtin_setjmp(cpu->jmp);
    if (cpu->st.event.valid) {
        x86_deliver_event(cpu);
    }
}

bool x86_engine_step(X86Cpu *cpu)
{
    if (cpu->st.halted || cpu->st.wait_sipi) {
        return false;
    }
    step_loop(cpu);
    deliver_loop(cpu);
    return true;
}

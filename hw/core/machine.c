/* SPDX-License-Identifier: MIT */
/*
 * The machine: creation, its lock, run control, the main loop, whole-machine state.
 * Requests for reset, shutdown and power-down are only noted by whoever makes them; the
 * main loop acts on them, since only it may stop the vCPUs.
 */
#include "hw/core/machine.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include "hw/core/core_int.h"
#include "hw/core/nondet.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/loop.h"

/* Room in the arena for what is not main memory: ROMs, video memory, shared windows. */
#define ARENA_EXTRA (512 * MiB)

static __thread const Machine *held; /* whose lock this thread has */

/* ---- the lock ---- */

/* A vCPU that does nothing but device accesses would get the lock back each time before
 * the main loop has woken up: it lets the loop go first, within bounds. */
static void let_others_pass(Machine *m)
{
    for (unsigned i = 0; i < 64 && atomic_load(&m->lock_waiters); i++) {
        sched_yield();
    }
}

void machine_lock(Machine *m)
{
    Cpu *cpu = cpu_current();
    assert(held != m);
    if (cpu && atomic_load_explicit(&m->lock_waiters, memory_order_relaxed)) {
        let_others_pass(m);
    }
    if (pthread_mutex_trylock(&m->lock) != 0) {
        if (cpu) {
            cpu_lock_wait_begin(cpu);
            pthread_mutex_lock(&m->lock);
            cpu_lock_wait_end(cpu);
        } else {
            atomic_fetch_add(&m->lock_waiters, 1);
            pthread_mutex_lock(&m->lock);
            atomic_fetch_sub(&m->lock_waiters, 1);
        }
    }
    held = m;
}

void machine_unlock(Machine *m)
{
    assert(held == m);
    held = NULL;
    pthread_mutex_unlock(&m->lock);
}

bool machine_locked(const Machine *m)
{
    return held == m;
}

static void lock_hook(void *m)
{
    machine_lock(m);
}

static void unlock_hook(void *m)
{
    machine_unlock(m);
}

static void wake_hook(void *loop)
{
    loop_wake(loop);
}

/* ---- life ---- */

/* ALIAS-8.2: a version of another emulator's machine, which differs in nothing that a guest
 * of today's asks for. */
static bool versioned(const char *alias, const char *name)
{
    size_t n = strlen(alias);
    const char *tail = name + n;
    return strncmp(name, alias, n) == 0 && tail[0] == '-' && tail[1] >= '0' && tail[1] <= '9' &&
           tail[1 + strspn(tail + 1, "0123456789.")] == 0;
}

const MachineClass *machine_class_find(const char *name)
{
    for (const MachineClass *const *c = machine_classes; *c; c++) {
        if (!strcmp((*c)->name, name)) {
            return *c;
        }
        for (const char *const *a = (*c)->aliases; a && *a; a++) {
            if (!strcmp(*a, name) || versioned(*a, name)) {
                return *c;
            }
        }
    }
    return NULL;
}

Machine *machine_create(const MachineClass *cls, const MachineConfig *cfg, Error *err)
{
    Machine *m = xalloc(MAX(cls->size, sizeof(Machine)));
    m->cls = cls;
    m->cfg = *cfg;
    m->ram_fd = -1;
    if (!m->cfg.ram_size) {
        m->cfg.ram_size = cls->default_ram;
    }
    if (!m->cfg.cpus) {
        m->cfg.cpus = 1;
    }
    property_defaults(cls->props, m);
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->excl_lock, NULL);
    pthread_cond_init(&m->excl_cond, NULL);
    pthread_cond_init(&m->pause_cond, NULL);
    m->clock = clock_create();
    m->loop = loop_create();
    loop_set_lock(m->loop, lock_hook, unlock_hook, m);
    clock_set_notify(m->clock, wake_hook, m->loop);
    unsigned max = cls->max_cpus ? MIN(cls->max_cpus, MACHINE_MAX_CPUS) : MACHINE_MAX_CPUS;
    if (m->cfg.cpus > max) {
        error_set(err, "-smp: %u CPUs are too many: machine '%s' takes up to %u",
                  m->cfg.cpus, cls->name, max);
    } else if (m->cfg.ram_size > UINT64_MAX / 4) {
        error_set(err, "-m: %llu bytes of memory are too many",
                  (unsigned long long)m->cfg.ram_size);
    } else if (memory_arena_init(m, m->cfg.ram_size + ARENA_EXTRA, err)) {
        memory_init_container(&m->mem_root, m, "memory", UINT64_MAX);
        memory_init_container(&m->io_root, m, "I/O", 0x10000);
        address_space_init(&m->mem, m, "memory", &m->mem_root);
        address_space_init(&m->io, m, "I/O", &m->io_root);
        return m;
    }
    machine_destroy(m);
    return NULL;
}

bool machine_init(Machine *m, Error *err)
{
    machine_lock(m);
    memory_begin(m);
    bool ok = m->cls->init(m, err);
    memory_commit(m);
    machine_unlock(m);
    return ok;
}

static void reset(Machine *m)
{
    memory_begin(m);
    device_reset_all(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        cpu_clear_request(m->cpus[i], ~(uint32_t)CPU_REQ_STOP);
        m->cpus[i]->ops->reset(m->cpus[i], false);
    }
    memory_commit(m);
    if (m->cls->reset) {
        m->cls->reset(m);
    }
    m->suspended = m->suspend_requested = m->panicked = false;
    m->waking = WAKE_NONE;
    for (unsigned i = 0; i < m->ncpus && log_on(LOG_CPU_RESET); i++) {
        FILE *f = log_lock();
        fprintf(f, "CPU %u reset\n", i);
        m->cpus[i]->ops->dump(m->cpus[i], f);
        log_unlock(f);
    }
}

bool machine_ready(Machine *m, Error *err)
{
    machine_lock(m);
    bool ok = !m->cls->ready || m->cls->ready(m, err);
    if (ok && m->exec && m->exec->ready) {
        ok = m->exec->ready(m, err);
    }
    if (ok) {
        reset(m);
    }
    for (unsigned i = 0; i < m->ncpus && ok; i++) {
        ok = cpu_start_thread(m->cpus[i], err);
    }
    machine_unlock(m);
    return ok;
}

/* Later devices use what earlier ones own. */
static void destroy_newest_first(Device **list)
{
    while (*list) {
        Device *dev = *list;
        while (dev->next) {
            dev = dev->next;
        }
        device_destroy(dev);
    }
}

void machine_destroy(Machine *m)
{
    if (!m) {
        return;
    }
    machine_lock(m);
    m->quit = true;
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->cpus[i]->thread_started) {
            cpu_request(m->cpus[i], CPU_REQ_STOP);
            pthread_cond_signal(&m->cpus[i]->cond);
        }
    }
    machine_unlock(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->cpus[i]->thread_started) {
            pthread_join(m->cpus[i]->thread, NULL);
            m->cpus[i]->thread_started = false;
        }
    }
    machine_lock(m);
    memory_begin(m); /* no flattening while it falls apart */
    for (Bus *b = m->buses; b; b = b->next) { /* cards before chips */
        destroy_newest_first(&b->devices);
    }
    destroy_newest_first(&m->board_devices);
    while (m->buses) {
        Bus *b = m->buses;
        m->buses = b->next;
        free(b);
    }
    if (m->cls->destroy) {
        m->cls->destroy(m);
    }
    if (m->release) {
        m->release(m, m->release_arg);
    }
    debug_destroy(m);
    address_space_destroy(&m->mem);
    address_space_destroy(&m->io);
    machine_unlock(m);
    memory_arena_destroy(m);
    clock_destroy(m->clock);
    loop_destroy(m->loop);
    property_free(m->cls->props, m);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->excl_lock);
    pthread_cond_destroy(&m->excl_cond);
    pthread_cond_destroy(&m->pause_cond);
    free(m);
}

/* ---- run control ---- */

void machine_run(Machine *m)
{
    if (m->state == RUN_RUNNING) {
        return;
    }
    m->state = RUN_RUNNING;
    m->was_started = true;
    m->panicked = false;
    clock_start(m->clock);
    if (m->exec && m->exec->starting) {
        m->exec->starting(m);
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->cpus[i]->debug_hold) {
            continue; /* stays parked */
        }
        cpu_clear_request(m->cpus[i], CPU_REQ_STOP);
        if (m->cpus[i]->thread_started) {
            pthread_cond_signal(&m->cpus[i]->cond);
        }
    }
}

static bool all_parked(const Machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (m->cpus[i]->thread_started && !m->cpus[i]->parked) {
            return false;
        }
    }
    return true;
}

void machine_pause(Machine *m)
{
    assert(!cpu_current());
    if (m->state == RUN_RUNNING) {
        m->state = RUN_PAUSED;
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        if (!m->cpus[i]->parked) {
            cpu_request(m->cpus[i], CPU_REQ_STOP);
        }
    }
    while (!all_parked(m)) {
        pthread_cond_wait(&m->pause_cond, &m->lock);
    }
    if (m->exec && m->exec->stopped) {
        m->exec->stopped(m);
    }
    clock_stop(m->clock);
}

/* The vCPU that asked must not run on past it. */
static void note(Machine *m, bool *flag)
{
    *flag = true;
    if (cpu_current()) {
        cpu_request(cpu_current(), CPU_REQ_STOP);
    }
    loop_wake(m->loop);
}

static const char guest_reset[] = "guest-reset", guest_shutdown[] = "guest-shutdown",
                  guest_panic[] = "guest-panic";

void machine_request_reset(Machine *m)
{
    m->cause = m->shutdown_requested ? m->cause : guest_reset;
    note(m, &m->reset_requested);
}

void machine_request_shutdown(Machine *m, int exit_code)
{
    if (!m->shutdown_requested) {
        m->exit_code = exit_code;
        m->cause = guest_shutdown;
    }
    note(m, &m->shutdown_requested);
}

void machine_press_reset(Machine *m)
{
    machine_request_reset(m);
    m->cause = m->shutdown_requested ? m->cause : "host-qmp-system-reset";
}

void machine_quit(Machine *m, const char *cause)
{
    m->cfg.no_shutdown = false; /* that is about the guest's wish */
    machine_request_shutdown(m, 0);
    m->cause = cause;
}

void machine_request_suspend(Machine *m)
{
    note(m, &m->suspend_requested);
}

void machine_wake(Machine *m, enum MachineWake why)
{
    if (m->suspended && !m->waking) {
        m->waking = why;
        loop_wake(m->loop);
    }
}

void machine_guest_panicked(Machine *m, bool crash_loaded)
{
    if (crash_loaded || m->cfg.panic == PANIC_NONE) {   /* the vCPU goes on */
        *(crash_loaded ? &m->crash_load_requested : &m->panic_requested) = true;
        loop_wake(m->loop);
    } else {
        note(m, &m->panic_requested);
    }
}

enum PanicAction machine_panic_action(const Machine *m)
{
    return m->cfg.panic == PANIC_SHUTDOWN && m->cfg.no_shutdown ? PANIC_PAUSE : m->cfg.panic;
}

bool machine_guest_asked(const Machine *m)
{
    return m->cause == guest_reset || m->cause == guest_shutdown || m->cause == guest_panic;
}

void machine_listen(Machine *m, MachineListener *l)
{
    l->next = m->listeners;
    m->listeners = l;
}

void machine_unlisten(Machine *m, MachineListener *l)
{
    for (MachineListener **pp = &m->listeners; *pp; pp = &(*pp)->next) {
        if (*pp == l) {
            *pp = l->next;
            return;
        }
    }
}

void machine_tell(Machine *m, enum MachineEvent e)
{
    for (MachineListener *l = m->listeners; l; l = l->next) {
        l->event(l->opaque, e);
    }
}

void machine_request_powerdown(Machine *m)
{
    m->powerdown_requested = true;
    loop_wake(m->loop);
}

/* Into S3: devices and the clock go on, so that an alarm can wake the machine. */
static void fall_asleep(Machine *m)
{
    bool go_on = m->state == RUN_RUNNING;
    m->suspend_requested = false;
    if (!m->cls->suspend) {
        return;
    }
    machine_pause(m);
    m->suspended = true;
    m->cls->suspend(m);
    machine_tell(m, MACHINE_SUSPENDED);
    if (go_on) {
        machine_run(m);
    }
}

static void wake_up(Machine *m)
{
    bool go_on = m->state == RUN_RUNNING;
    machine_pause(m);
    reset(m);
    machine_tell(m, MACHINE_WOKEN);
    if (go_on) {
        machine_run(m);
    }
}

static void panicked(Machine *m)
{
    enum PanicAction action = machine_panic_action(m);
    if (action != PANIC_NONE) {
        machine_pause(m);
        m->panicked = true;
    }
    machine_tell(m, MACHINE_PANICKED);
    if (action == PANIC_PAUSE) {
        machine_tell(m, MACHINE_STOPPED);
    } else if (action != PANIC_NONE) {
        machine_request_shutdown(m, action == PANIC_EXIT_FAILURE);
        m->cause = guest_panic;
    }
}

/* Acts on requests; true: leave the main loop. */
static bool handle_requests(Machine *m)
{
    if (m->powerdown_requested) {
        m->powerdown_requested = false;
        machine_tell(m, MACHINE_POWERDOWN);
        if (m->powerdown) {
            m->powerdown(m);
        }
    }
    if (m->crash_load_requested) {
        m->crash_load_requested = false;
        machine_tell(m, MACHINE_CRASH_LOADED);
    }
    if (m->panic_requested) {
        m->panic_requested = false;
        panicked(m);
    }
    if (m->debug.requested) {
        m->debug.requested = false;
        machine_pause(m);
        if (m->debug.stopped) {
            m->debug.stopped(m, m->debug.opaque);
        }
    }
    if (m->reset_requested && m->cfg.no_reboot && !m->shutdown_requested) {
        m->shutdown_requested = true;
        m->exit_code = 0;
    }
    if (m->shutdown_requested) {
        m->shutdown_requested = false;
        m->reset_requested = false;
        machine_pause(m);
        m->state = RUN_SHUTDOWN;
        machine_tell(m, MACHINE_SHUTDOWN);
        if (!m->cfg.no_shutdown || m->exit_code != 0) {
            return true;
        }
        machine_tell(m, MACHINE_STOPPED);
        return false;
    }
    if (m->reset_requested) {
        bool go_on = m->state == RUN_RUNNING || m->state == RUN_SHUTDOWN;
        machine_pause(m);
        m->reset_requested = false; /* now: nobody can ask twice for the same one */
        m->waking = WAKE_NONE;
        m->state = RUN_PAUSED;
        reset(m);
        machine_tell(m, MACHINE_RESET);
        if (go_on) {
            machine_run(m);
        }
    }
    if (m->suspend_requested) {
        fall_asleep(m);
    }
    if (m->waking) {
        wake_up(m);
    }
    return false;
}

int machine_main_loop(Machine *m)
{
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* the default 50 us would delay each timer */
    for (;;) {
        machine_lock(m);
        if (handle_requests(m)) {
            int code = m->exit_code;
            machine_unlock(m);
            return code;
        }
        clock_run_timers(m->clock);
        int64_t timeout = -1, next = clock_next_deadline(m->clock);
        if (next >= 0) {
            timeout = next - clock_now(m->clock);
            timeout = MAX(timeout, 0) * nondet_slowness;
        }
        machine_unlock(m);
        loop_run_once(m->loop, timeout);
    }
}

/* ---- whole-machine state ---- */

typedef struct MachineState {
    uint64_t ram_size;
    uint32_t cpus;
    int64_t now;  /* virtual ns */
} MachineState;

static const StateField machine_fields[] = {
    STATE_U64(MachineState, ram_size),
    STATE_U32(MachineState, cpus),
    STATE_I64(MachineState, now),
    STATE_END,
};
static const StateDesc machine_state = {
    .version = 1, .size = sizeof(MachineState), .fields = machine_fields,
};

typedef struct Walk {
    Machine *m;
    StateBuf *buf;
    Error *err;
    bool ok;
    unsigned count;
} Walk;

static void save_device(Device *dev, void *arg)
{
    Walk *w = arg;
    if (w->ok && dev->cls->state.fields) {
        w->ok = state_save(w->buf, dev->path, &dev->cls->state, dev, w->err);
    }
}

bool machine_save_state(Machine *m, StateBuf *buf, Error *err)
{
    MachineState s = { m->cfg.ram_size, m->ncpus, clock_now(m->clock) };
    Walk w = { m, buf, err, true, 0 };
    w.ok = state_save(buf, "machine", &machine_state, &s, err);
    for (unsigned i = 0; i < m->ncpus && w.ok; i++) {
        char path[16];
        snprintf(path, sizeof(path), "cpu%u", i);
        w.ok = state_save(buf, path, m->cpus[i]->ops->state, m->cpus[i], err);
    }
    device_foreach(m, save_device, &w);
    return w.ok;
}

static bool load_record(Machine *m, StateBuf *buf, const char *path, Error *err)
{
    if (!strcmp(path, "machine")) {
        MachineState s = { 0 };
        if (!state_load(buf, &machine_state, &s, err)) {
            return false;
        }
        if (s.ram_size != m->cfg.ram_size || s.cpus != m->ncpus || s.now < 0) {
            return error_set(err, "saved with %llu MiB of memory and %u CPUs; this machine "
                                  "has %llu MiB and %u",
                             s.ram_size / MiB, s.cpus, m->cfg.ram_size / MiB, m->ncpus);
        }
        clock_set(m->clock, s.now);
        return true;
    }
    for (unsigned i = 0; i < m->ncpus; i++) {
        char name[16];
        snprintf(name, sizeof(name), "cpu%u", i);
        if (!strcmp(path, name)) {
            return state_load(buf, m->cpus[i]->ops->state, m->cpus[i], err);
        }
    }
    Device *dev = device_find(m, path);
    if (!dev || strcmp(dev->path, path) || !dev->cls->state.fields) {
        return error_set(err, "there is no device '%s' in this machine", path);
    }
    return state_load(buf, &dev->cls->state, dev, err);
}

static void count_device(Device *dev, void *arg)
{
    ((Walk *)arg)->count += dev->cls->state.fields != NULL;
}

bool machine_load_state(Machine *m, StateBuf *buf, Error *err)
{
    Walk w = { .m = m };
    char path[128];
    unsigned loaded = 0;
    device_foreach(m, count_device, &w);
    while (state_next(buf, path, sizeof(path), err)) {
        if (!load_record(m, buf, path, err)) {
            error_prefix(err, "%s: ", path);
            return false;
        }
        loaded++;
    }
    if (err->msg) {
        return false;
    }
    /* Each path is unique in a machine, but a file may repeat one: counted as missing. */
    if (loaded != w.count + m->ncpus + 1) {
        return error_set(err, "the saved state has %u records, this machine %u", loaded,
                         w.count + m->ncpus + 1);
    }
    return true;
}

/* SPDX-License-Identifier: MIT */
/* Timers, vCPU threads, pausing, queued work, exclusive sections, with a toy engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/core/nondet.h"
#include "tests/unit/bare_machine.h"
#include "util/loop.h"

const DeviceClass *const device_classes[] = { NULL };

/* The toy guest: counts, and pokes a device now and then. */
typedef struct Toy {
    Cpu cpu;
    _Atomic uint64_t count;
    _Atomic bool inside;    /* between two checks for requests */
    bool idle;              /* halts instead of counting */
    unsigned resets, synced_from, synced_to;
} Toy;

static MemoryRegion poke;
static _Atomic unsigned pokes;

static void toy_run(Cpu *cpu)
{
    Toy *t = container_of(cpu, Toy, cpu);
    while (!cpu_must_leave(cpu)) {
        if (t->idle) {
            cpu_wait_halted(cpu);
            continue;
        }
        atomic_store(&t->inside, true);
        t->count++;
        if (t->count % 64 == 0) {
            memory_io_write(&cpu->machine->mem, 0x1000, 1, 1);
        }
        atomic_store(&t->inside, false);
    }
}

static void toy_kick(Cpu *cpu) { }
static void toy_from(Cpu *cpu) { container_of(cpu, Toy, cpu)->synced_from++; }
static void toy_to(Cpu *cpu) { container_of(cpu, Toy, cpu)->synced_to++; }
static void toy_reset(Cpu *cpu, bool init) { container_of(cpu, Toy, cpu)->resets++; }
static bool toy_has_work(Cpu *cpu) { return cpu->request & CPU_REQ_HARD; }

static _Atomic unsigned mappings;
static void toy_mapping(Machine *m) { mappings++; }

static const CpuExecOps toy_exec = {
    .name = "toy", .run = toy_run, .kick = toy_kick, .sync_from_engine = toy_from,
    .sync_to_engine = toy_to, .mapping_changed = toy_mapping,
};
static const CpuOps toy_ops = { .name = "toy", .reset = toy_reset, .has_work = toy_has_work };

static void poke_write(void *opaque, uint64_t addr, uint64_t val, unsigned size) { pokes++; }
static const MemoryOps poke_ops = { NULL, poke_write, 1, 1, false, false };

static Machine *toy_machine(unsigned n, bool idle)
{
    Error err = ERROR_INIT;
    Machine *m = bare_machine(n);
    m->exec = &toy_exec;
    machine_lock(m);
    memory_init_io(&poke, m, "poke", 0x100, &poke_ops, NULL);
    memory_add(&m->mem_root, &poke, 0x1000, 0);
    machine_unlock(m);
    for (unsigned i = 0; i < n; i++) {
        Toy *t = calloc(1, sizeof(Toy));
        t->cpu = (Cpu){ .machine = m, .ops = &toy_ops, .exec = &toy_exec, .index = (int)i };
        t->idle = idle;
        m->cpus[m->ncpus++] = &t->cpu;
    }
    assert_true(machine_ready(m, &err));
    return m;
}

static Toy *toy(Machine *m, unsigned i)
{
    return container_of(m->cpus[i], Toy, cpu);
}

static void toy_destroy(Machine *m)
{
    Toy *t[8];
    unsigned n = m->ncpus;
    for (unsigned i = 0; i < n; i++) {
        t[i] = toy(m, i);
    }
    machine_destroy(m);
    for (unsigned i = 0; i < n; i++) {
        free(t[i]);
    }
}

static void go(Machine *m)
{
    machine_lock(m);
    machine_run(m);
    machine_unlock(m);
}

static void halt(Machine *m)
{
    machine_lock(m);
    machine_pause(m);
    machine_unlock(m);
}

static void run_for(Machine *m, long ms)
{
    go(m);
    usleep(ms * 1000);
    halt(m);
}

/* On a busy host a thread may not get a turn within a few ms. */
static void wait_count(Machine *m, int i)
{
    for (unsigned ms = 0; toy(m, i)->count == 0 && ms < 10000; ms++) {
        usleep(1000);
    }
}

static void paused_machine_stands_still(void **state)
{
    Machine *m = toy_machine(2, false);
    assert_int_equal(toy(m, 0)->resets, 1);
    assert_int_equal(toy(m, 0)->count, 0);
    go(m);
    usleep(20000);
    wait_count(m, 0);
    wait_count(m, 1);
    halt(m);
    uint64_t c0 = toy(m, 0)->count, c1 = toy(m, 1)->count;
    int64_t now = clock_now(m->clock);
    assert_true(c0 > 0 && c1 > 0);
    assert_true(now >= 20000000);
    usleep(5000);
    assert_true(toy(m, 0)->count == c0 && toy(m, 1)->count == c1);
    assert_true(clock_now(m->clock) == now);
    assert_int_equal(toy(m, 0)->synced_from, 1);
    assert_int_equal(toy(m, 0)->synced_to, 1);
    unsigned runs = 0;
    do { /* see wait_count */
        run_for(m, 5);
        runs++;
    } while (toy(m, 0)->count == c0 && runs < 400);
    assert_true(toy(m, 0)->count > c0);
    assert_true(toy(m, 0)->synced_from >= 2 && toy(m, 0)->synced_from <= (int)(1 + runs));
    toy_destroy(m);
}

static void note_thread(Cpu *cpu, void *arg)
{
    *(bool *)arg = cpu_current() == cpu;
}

static void work_runs_on_the_cpus_thread(void **state)
{
    Machine *m = toy_machine(2, false);
    bool there = false;
    machine_lock(m);
    cpu_run_on(m->cpus[1], note_thread, &there); /* paused */
    assert_true(there);
    there = false;
    machine_run(m);
    cpu_run_on(m->cpus[1], note_thread, &there); /* running */
    assert_true(there);
    machine_pause(m);
    machine_unlock(m);
    toy_destroy(m);
}

static void exclusive_section_finds_everybody_outside(void **state)
{
    Machine *m = toy_machine(3, false);
    machine_lock(m);
    machine_run(m);
    machine_unlock(m);
    for (unsigned i = 0; i < 200; i++) {
        bool locked = i & 1;
        if (locked) {
            machine_lock(m);
        }
        cpu_exclusive_begin(m, NULL);
        uint64_t c[3];
        for (unsigned n = 0; n < 3; n++) {
            c[n] = toy(m, n)->count;
            /* Only one that waits for the lock we hold may be in the middle. */
            assert_true(locked || !toy(m, n)->inside);
        }
        for (volatile unsigned spin = 0; spin < 20000; spin++) {
        }
        for (unsigned n = 0; n < 3; n++) {
            assert_true(toy(m, n)->count == c[n]);
        }
        cpu_exclusive_end(m, NULL);
        if (locked) {
            machine_unlock(m);
        }
    }
    machine_lock(m);
    machine_pause(m);
    machine_unlock(m);
    toy_destroy(m);
}

/* A device that changes the memory map, reached by all vCPUs at once. */
static MemoryRegion flip;

static void flip_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    pokes++;
    memory_set_enabled(&flip, !flip.enabled);
}

static void mapping_changes_from_vcpus_do_not_deadlock(void **state)
{
    static const MemoryOps o = { NULL, flip_write, 1, 1, false, false };
    Machine *m = toy_machine(3, false);
    machine_lock(m);
    memory_init_io(&flip, m, "flip", 0x100, &poke_ops, NULL);
    memory_add(&m->mem_root, &flip, 0x8000, 0);
    poke.ops = &o;
    pokes = 0;
    mappings = 0;
    machine_unlock(m);
    for (unsigned i = 0; i < 20; i++) {
        run_for(m, 2);
        cpu_exclusive_begin(m, NULL);
        cpu_exclusive_end(m, NULL);
    }
    assert_true(pokes > 0);
    assert_true(mappings >= pokes);
    toy_destroy(m);
}

/* All vCPUs do nothing but device accesses. */
static void toy_hammer(Cpu *cpu)
{
    while (!cpu_must_leave(cpu)) {
        memory_io_write(&cpu->machine->mem, 0x1000, 1, 1);
    }
}

static void busy_vcpus_do_not_starve_the_loop(void **state)
{
    static CpuExecOps hammer;
    Machine *m = toy_machine(2, false);
    hammer = toy_exec;
    hammer.run = toy_hammer;
    m->cpus[0]->exec = m->cpus[1]->exec = &hammer;
    machine_lock(m);
    machine_run(m);
    machine_unlock(m);
    int64_t start = nondet_host_ns();
    for (unsigned i = 0; i < 100; i++) {
        machine_lock(m);
        machine_unlock(m);
        usleep(100);
    }
    assert_true(nondet_host_ns() - start < 2 * NS_PER_SEC);
    machine_lock(m);
    machine_pause(m);
    machine_unlock(m);
    toy_destroy(m);
}

static double cpu_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void halted_cpus_use_no_time_and_wake_up(void **state)
{
    Machine *m = toy_machine(2, true);
    double before = cpu_seconds();
    run_for(m, 100);
    assert_true(cpu_seconds() - before < 0.02);
    toy(m, 0)->idle = false;
    go(m);
    wait_count(m, 0);
    assert_true(toy(m, 0)->count > 0);
    halt(m);
    toy_destroy(m);
}

static int64_t fired_at[4];
static unsigned fired;
static Machine *timer_machine;

static void on_timer(void *opaque)
{
    assert_true(machine_locked(timer_machine));
    fired_at[fired++ & 3] = clock_now(timer_machine->clock);
    if (fired == 3) {
        machine_request_shutdown(timer_machine, 7);
    }
}

static void timers_fire_in_order_and_on_time(void **state)
{
    Machine *m = timer_machine = toy_machine(1, true);
    Timer t[4];
    machine_lock(m);
    for (unsigned i = 0; i < 4; i++) {
        timer_init(&t[i], m->clock, on_timer, NULL);
    }
    timer_mod(&t[2], 9000000);
    timer_mod(&t[0], 3000000);
    timer_mod(&t[3], 4000000);
    timer_mod(&t[1], 6000000);
    timer_del(&t[3]);
    machine_run(m);
    machine_unlock(m);
    assert_int_equal(machine_main_loop(m), 7);
    assert_int_equal(fired, 3);
    for (unsigned i = 0; i < 3; i++) {
        int64_t due = 3000000 * (i + 1);
        assert_true(fired_at[i] >= due && fired_at[i] < due + 250000000); /* a loaded host */
    }
    assert_int_equal(m->state, RUN_SHUTDOWN);
    toy_destroy(m);
}

static unsigned again;
static void rearm(void *opaque)
{
    again++;
    timer_mod(opaque, 0);
}

static void timer_that_rearms_in_the_past_does_not_hold_the_loop(void **state)
{
    Clock *c = clock_create();
    Timer t;
    timer_init(&t, c, rearm, &t);
    timer_mod(&t, 0);
    clock_run_timers(c); /* stopped: nothing */
    assert_int_equal(again, 0);
    clock_start(c);
    clock_run_timers(c);
    assert_in_range(again, 1, 1000);
    timer_del(&t);
    assert_true(clock_next_deadline(c) == -1);
    clock_destroy(c);
}

static void reset_request_resets_cpus_and_goes_on(void **state)
{
    Machine *m = timer_machine = toy_machine(2, true);
    Timer t[1];
    fired = 2; /* the next timer ends the loop */
    machine_lock(m);
    machine_run(m);
    machine_request_reset(m);
    timer_init(&t[0], m->clock, on_timer, NULL);
    timer_mod(&t[0], 5000000);
    machine_unlock(m);
    assert_int_equal(machine_main_loop(m), 7);
    assert_int_equal(toy(m, 0)->resets, 2);
    assert_int_equal(toy(m, 1)->resets, 2);
    toy_destroy(m);
}

static void no_reboot_turns_reset_into_exit(void **state)
{
    Machine *m = toy_machine(1, true);
    m->cfg.no_reboot = true;
    machine_lock(m);
    machine_run(m);
    machine_request_reset(m);
    machine_unlock(m);
    assert_int_equal(machine_main_loop(m), 0);
    assert_int_equal(toy(m, 0)->resets, 1);
    toy_destroy(m);
}

static void tsc_frequency_is_plausible_and_quick(void **state)
{
    int64_t start = nondet_host_ns();
    uint64_t hz = nondet_tsc_hz();
    assert_true(nondet_host_ns() - start < 100000000);
    assert_in_range(hz, 100000000ull, 10000000000ull);
    uint64_t t0 = nondet_host_tsc();
    start = nondet_host_ns();
    usleep(50000);
    double real = (double)(nondet_host_tsc() - t0) * 1e9 / (double)(nondet_host_ns() - start);
    assert_true(real / (double)hz > 0.99 && real / (double)hz < 1.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paused_machine_stands_still),
        cmocka_unit_test(work_runs_on_the_cpus_thread),
        cmocka_unit_test(exclusive_section_finds_everybody_outside),
        cmocka_unit_test(mapping_changes_from_vcpus_do_not_deadlock),
        cmocka_unit_test(busy_vcpus_do_not_starve_the_loop),
        cmocka_unit_test(halted_cpus_use_no_time_and_wake_up),
        cmocka_unit_test(timers_fire_in_order_and_on_time),
        cmocka_unit_test(timer_that_rearms_in_the_past_does_not_hold_the_loop),
        cmocka_unit_test(reset_request_resets_cpus_and_goes_on),
        cmocka_unit_test(no_reboot_turns_reset_into_exit),
        cmocka_unit_test(tsc_frequency_is_plausible_and_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

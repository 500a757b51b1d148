/* SPDX-License-Identifier: MIT */
/* The PC board with vCPUs that never run: memory map, wiring, what boot leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/pc/pc.h"
#include "hw/pc/pc_int.h"
#include "target-x86/cpu.h"

void x86_update_hflags(X86Cpu *cpu) { }

static void no_run(Cpu *cpu) { }
static void idle_run(Cpu *cpu)
{
    while (!cpu_must_leave(cpu)) {
        cpu_wait_halted(cpu);
    }
}
static void no_reset(Cpu *cpu, bool init)
{
    X86State *st = &X86_CPU(cpu)->st;
    memset(st, 0, sizeof(*st));
    st->rip = 0xfff0;
}
static bool no_work(Cpu *cpu) { return false; }
static const CpuExecOps exec = {
    .name = "none", .run = idle_run, .kick = no_run, .sync_from_engine = no_run,
    .sync_to_engine = no_run,
};
static const CpuOps cpu_ops = { .name = "none", .reset = no_reset, .has_work = no_work };

static X86Cpu *cpus[64];

static Cpu *create(Machine *m, int index, Error *err)
{
    X86Cpu *c = cpus[index] = aligned_alloc(64, (sizeof(X86Cpu) + 63) & ~63ul);
    memset(c, 0, sizeof(*c));
    c->cpu.machine = m;
    c->cpu.ops = &cpu_ops;
    c->cpu.exec = &exec;
    c->cpu.index = index;
    c->apic_id = (uint32_t)index;
    return &c->cpu;
}
static const CpuFactory factory = { create };

static Machine *board(MachineConfig *cfg, bool want, const char *say)
{
    Error err = ERROR_INIT;
    if (!cfg->ram_size) {
        cfg->ram_size = 64 * MiB;
    }
    if (!cfg->cpus) {
        cfg->cpus = 2;
    }
    Machine *m = machine_create(machine_class_find("pc-i440fx"), cfg, &err);
    assert_non_null(m);
    m->exec = &exec;
    m->cpu_factory = &factory;
    bool ok = machine_init(m, &err) && machine_ready(m, &err);
    if (ok != want) {
        fail_msg("%s", err.msg ? err.msg : "no error");
    }
    if (!ok) {
        assert_non_null(strstr(err.msg, say));
        assert_null(strchr(err.msg, '\n'));
        error_free(&err);
    }
    return m;
}

static void drop(Machine *m)
{
    machine_destroy(m);
    for (unsigned i = 0; i < 64; i++) {
        free(cpus[i]);
        cpus[i] = NULL;
    }
}

/* A flat multiboot image of one page at 1 MiB. */
static char *kernel_file(size_t len)
{
    static char path[64];
    uint32_t image[1024] = { 0x1badb002, 0x10000, (uint32_t)-(0x1badb002 + 0x10000),
                             0x100000, 0x100000, 0x101000, 0x103000, 0x100020 };
    strcpy(path, "/tmp/dyad-kernel-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, image, len), len);
    close(fd);
    return path;
}

static uint32_t port_read(Machine *m, uint16_t port, unsigned size)
{
    return (uint32_t)memory_io_read(&m->io, port, size);
}

static uint32_t config_read(Machine *m, unsigned devfn, unsigned reg)
{
    memory_io_write(&m->io, 0xcf8, 4, 0x80000000u | devfn << 8 | reg);
    return port_read(m, 0xcfc, 4);
}

static void direct_boot_leaves_tables_and_registers(void **state)
{
    MachineConfig cfg = { .kernel = kernel_file(4096), .append = "hello" };
    Machine *m = board(&cfg, true, NULL);
    unlink(cfg.kernel);
    machine_lock(m);
    assert_int_equal(cpus[0]->st.rip, 0x100020);
    assert_int_equal(cpus[0]->st.gpr[R_AX], 0x2badb002);
    assert_int_equal(cpus[0]->st.cr0 & CR0_PE, CR0_PE);
    assert_int_equal(cpus[0]->st.seg[R_CS].limit, 0xffffffff);
    assert_int_equal(cpus[1]->st.wait_sipi, 1);
    assert_memory_equal(m->ram_base + 0xe0000, "RSD PTR ", 8);
    assert_memory_equal(m->ram_base + 0xf0000, "_SM3_", 5);
    assert_int_equal(memory_io_read(&m->mem, 0x100000, 4), 0x1badb002);
    assert_int_equal(memory_io_read(&m->mem, 0xfec00000 + 64 * MiB, 4), 0xffffffff);
    /* host bridge, ISA bridge, power management at its port */
    assert_int_equal(config_read(m, 0, 0), 0x12378086);
    assert_int_equal(config_read(m, 8, 0), 0x70008086);
    assert_int_equal(config_read(m, 11, 0), 0x71138086);
    assert_int_equal(config_read(m, 11, 0x40) & 0xffc0, 0x600);
    assert_int_equal(port_read(m, 0x604, 2) & 1, 1); /* SCI_EN: ACPI mode */
    assert_int_equal(config_read(m, 8, 0x60), 0x0b0a0b0a);
    assert_int_equal(port_read(m, 0x4d1, 1), 0x0e);
    assert_int_equal(memory_io_read(&m->mem, 0xfed00000, 4) >> 16, 0x8086);
    machine_unlock(m);
    drop(m);
}

static void stop_machine(void *m)
{
    machine_request_shutdown(m, 3);
}

static void reset_loads_the_kernel_again(void **state)
{
    MachineConfig cfg = { .kernel = kernel_file(4096) };
    Machine *m = board(&cfg, true, NULL);
    unlink(cfg.kernel);
    machine_lock(m);
    memory_io_write(&m->mem, 0x100000, 4, 0);
    memory_io_write(&m->mem, 0x101000, 4, 5); /* in the zeroed part */
    memory_io_write(&m->mem, 0xe0000, 4, 0);
    cpus[0]->st.rip = 0;
    Timer t;
    timer_init(&t, m->clock, stop_machine, m);
    timer_mod(&t, 2000000);
    machine_run(m);
    machine_request_reset(m);
    machine_unlock(m);
    assert_int_equal(machine_main_loop(m), 3);
    machine_lock(m);
    assert_int_equal(memory_io_read(&m->mem, 0x100000, 4), 0x1badb002);
    assert_int_equal(memory_io_read(&m->mem, 0x101000, 4), 0);
    assert_int_equal(memory_io_read(&m->mem, 0xe0000, 4), 0x20445352);
    assert_int_equal(cpus[0]->st.rip, 0x100020);
    machine_unlock(m);
    drop(m);
}

static void bad_kernels_end_in_one_clear_line(void **state)
{
    MachineConfig cfg = { .kernel = "/nonexistent/k" };
    drop(board(&cfg, false, "-kernel: could not open kernel file '/nonexistent/k'"));
    cfg.kernel = kernel_file(64);
    drop(board(&cfg, false, "-kernel: '/tmp/dyad-kernel-"));
    unlink(cfg.kernel);
    cfg.kernel = kernel_file(4096);
    cfg.initrd = "/";
    drop(board(&cfg, false, "-initrd: '/' is not a regular file"));
    cfg.initrd = NULL;
    cfg.ram_size = 512 * KiB;
    drop(board(&cfg, false, "-m:"));
    unlink(cfg.kernel);
    MachineConfig bios = { .bios = "no-such-bios.bin" };
    drop(board(&bios, false, "-bios: there is no file"));
}

static void interrupt_sources_are_ored(void **state)
{
    MachineConfig cfg = { .kernel = kernel_file(4096) };
    Machine *m = board(&cfg, true, NULL);
    unlink(cfg.kernel);
    PcMachine *pc = pc_machine(m);
    machine_lock(m);
    IrqLine isa = pc->isa->irq[5];
    IrqLine chip = { isa.set, &pc->irq_port[SRC_ROUTER], 5 };
    memory_io_write(&m->io, 0x20, 1, 0x0a); /* OCW3: read IRR */
    assert_int_equal(port_read(m, 0x20, 1) & 0x20, 0);
    irq_set(&isa, true);
    irq_set(&chip, true);
    assert_int_equal(port_read(m, 0x20, 1) & 0x20, 0x20);
    irq_set(&isa, false);
    assert_int_equal(pc->gsi_sources[5], 1 << SRC_ROUTER);
    irq_set(&chip, false);
    assert_int_equal(pc->gsi_sources[5], 0);
    machine_unlock(m);
    drop(m);
}

static void addresses_wrap_while_line_20_is_held_low(void **state)
{
    MachineConfig cfg = { .kernel = kernel_file(4096) };
    Machine *m = board(&cfg, true, NULL);
    unlink(cfg.kernel);
    machine_lock(m);
    memory_io_write(&m->mem, 0x500, 4, 0x11111111);
    memory_io_write(&m->mem, 0x100500, 4, 0x22222222);
    memory_io_write(&m->mem, 0x200500, 4, 0x33333333);
    assert_int_equal(port_read(m, 0x92, 1) & 2, 2);
    memory_io_write(&m->io, 0x92, 1, 0);
    assert_int_equal(memory_io_read(&m->mem, 0x100500, 4), 0x11111111);
    assert_int_equal(memory_io_read(&m->mem, 0x300500, 4), 0x33333333);
    memory_io_write(&m->mem, 0x100504, 4, 0x44444444);
    assert_int_equal(memory_io_read(&m->mem, 0x504, 4), 0x44444444);
    memory_io_write(&m->io, 0x64, 1, 0xdd); /* the 8042's hand: off, then on */
    assert_int_equal(memory_io_read(&m->mem, 0x100500, 4), 0x11111111);
    memory_io_write(&m->io, 0x64, 1, 0xdf);
    assert_int_equal(memory_io_read(&m->mem, 0x100500, 4), 0x22222222);
    memory_io_write(&m->io, 0x64, 1, 0xd1);
    memory_io_write(&m->io, 0x60, 1, 0xdd); /* output port: line 20 low */
    assert_int_equal(memory_io_read(&m->mem, 0x100500, 4), 0x11111111);
    machine_unlock(m);
    drop(m);
}

static void memory_above_the_hole_is_at_4_gib(void **state)
{
    MachineConfig cfg = { .kernel = kernel_file(4096), .ram_size = 5 * GiB, .cpus = 1 };
    Machine *m = board(&cfg, true, NULL);
    unlink(cfg.kernel);
    machine_lock(m);
    const FlatRange *r = address_space_find(&m->mem, 4 * GiB);
    assert_non_null(r);
    assert_true(r->host == m->ram_base + 3 * GiB);
    assert_int_equal(r->last, 6 * GiB - 1);
    r = address_space_find(&m->mem, 0xc0000000);
    assert_true(!r || !r->host);
    machine_unlock(m);
    drop(m);
}

static void firmware_is_mapped_and_told(void **state)
{
    if (access("/usr/share/seabios/bios-256k.bin", R_OK) != 0) {
        skip();
    }
    MachineConfig cfg = { .ram_size = 256 * MiB };
    Machine *m = board(&cfg, true, NULL);
    PcMachine *pc = pc_machine(m);
    size_t n;
    machine_lock(m);
    assert_int_equal(memory_io_read(&m->mem, 0xfffffff0, 1), 0xea); /* far jump */
    assert_int_equal(memory_io_read(&m->mem, 0xffff0, 1), 0xea);
    const uint8_t *cpus_told = fw_cfg_get(pc->fw_cfg, FW_CFG_NB_CPUS, &n);
    assert_int_equal(n, 2);
    assert_int_equal(cpus_told[0], 2);
    memory_io_write(&m->io, 0x70, 1, 0x35);
    assert_int_equal(port_read(m, 0x71, 1), 240 * 16 / 256);
    machine_unlock(m);
    drop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_boot_leaves_tables_and_registers),
        cmocka_unit_test(reset_loads_the_kernel_again),
        cmocka_unit_test(bad_kernels_end_in_one_clear_line),
        cmocka_unit_test(interrupt_sources_are_ored),
        cmocka_unit_test(addresses_wrap_while_line_20_is_held_low),
        cmocka_unit_test(memory_above_the_hole_is_at_4_gib),
        cmocka_unit_test(firmware_is_mapped_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Monitor commands on a machine of RAM and one made-up vCPU that maps virtual 1 MiB
 * above physical memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hw/core/machine.h"
#include "ui/monitor.h"

enum { RAM_SIZE = 1 << 20, SHIFT = 1 << 20 };

static MemoryRegion ram;
static Cpu cpu;

static bool board_init(Machine *m, Error *err)
{
    return true;
}

static const Property board_props[] = { PROP_END };
static const MachineClass board = {
    .name = "board", .desc = "test", .props = board_props, .size = sizeof(Machine),
    .default_ram = RAM_SIZE, .max_cpus = 1, .init = board_init,
};
const MachineClass *const machine_classes[] = { &board, NULL };
const DeviceClass *const device_classes[] = { NULL };

static bool fake_translate(Cpu *c, uint64_t lin, uint64_t *gpa)
{
    *gpa = lin - SHIFT;
    return lin >= SHIFT && lin < SHIFT + RAM_SIZE;
}

static uint64_t fake_pc(Cpu *c)
{
    return SHIFT + 0x100;
}

static bool fake_reg(Cpu *c, const char *name, uint64_t *value)
{
    *value = 0x1234;
    return strcmp(name, "rax") == 0;
}

static int fake_bits(Cpu *c)
{
    return 64;
}

static void fake_dump(Cpu *c, void *file)
{
    fprintf(file, "RAX=1234\n");
}

static const CpuOps fake_ops = {
    .name = "fake", .translate = fake_translate, .get_pc = fake_pc, .get_reg = fake_reg,
    .code_bits = fake_bits, .dump = fake_dump, .dump_mem = fake_dump,
    .dump_tlb = fake_dump,
};

static Machine *m;
static char *text;

static bool run(const char *line, Error *err)
{
    size_t n;
    free(text);
    text = NULL;
    FILE *out = open_memstream(&text, &n);
    MonContext c = { .m = m, .cpu = &cpu };
    machine_lock(m);
    bool ok = monitor_run_line(&c, line, out, err);
    machine_unlock(m);
    fclose(out);
    return ok;
}

static void expect(const char *line, const char *wanted)
{
    Error err = ERROR_INIT;
    if (!run(line, &err)) {
        fail_msg("%s: %s", line, err.msg);
    }
    assert_string_equal(text, wanted);
}

static void expect_part(const char *line, const char *wanted)
{
    Error err = ERROR_INIT;
    if (!run(line, &err)) {
        fail_msg("%s: %s", line, err.msg);
    }
    if (!strstr(text, wanted)) {
        fail_msg("%s printed: %s\nwanted: %s", line, text, wanted);
    }
}

static void expect_error(const char *line, const char *wanted)
{
    Error err = ERROR_INIT;
    assert_false(run(line, &err));
    if (!err.msg || !strstr(err.msg, wanted)) {
        fail_msg("%s: %s\nwanted: %s", line, err.msg ? err.msg : "no error", wanted);
    }
    error_free(&err);
}

static int setup(void **state)
{
    Error err = ERROR_INIT;
    const MachineConfig cfg = { .name = "guest one" };
    m = machine_create(&board, &cfg, &err);
    if (!m || !memory_init_ram(&ram, m, "ram", RAM_SIZE, &err)) {
        return -1;
    }
    memory_add(&m->mem_root, &ram, 0, 0);
    static const uint8_t code[] = { 0x48, 0x89, 0xe5, 0xc3, 'h', 'i', 0, 0xff };
    memory_write(&m->mem, 0x100, code, sizeof(code));
    cpu = (Cpu) { .machine = m, .ops = &fake_ops, .parked = true };
    m->cpus[0] = &cpu;
    m->ncpus = 1;
    return 0;
}

static int teardown(void **state)
{
    m->ncpus = 0;
    machine_destroy(m);
    free(text);
    return 0;
}

static void expressions_have_the_precedences_of_c(void **state)
{
    expect("print 1+2*3", "0x7\n");
    expect("p (1+2)*3", "0x9\n");
    expect("p 0x10|1<<4&0x30", "0x10\n");
    expect("p 7%4-1", "0x2\n");
    expect("p/d -5", "-5\n");
    expect("p ~0", "0xffffffffffffffff\n");
    expect("p $rax+1", "0x1235\n");
    expect("p $pc", "0x100100\n");
    expect("p 1<<64", "0x0\n");
    expect_error("p 1/0", "division by zero");
    expect_error("p $rbx", "$rbx: unknown register");
    expect_error("p 1+", "is no expression");
    expect_error("p (1", "lacks ')'");
    expect_error("p 1 2", "too much: '2'");
    expect_error("print", "print: value is missing; usage: print /FMT EXPR");
}

static void deep_nesting_is_refused(void **state)
{
    char line[600] = "p ";
    memset(line + 2, '(', 500);
    expect_error(line, "nested too deep");
}

static void memory_is_shown_by_virtual_and_physical_address(void **state)
{
    expect("xp/2wx 0x100", "0000000000000100: 0xc3e58948 0xff006968\n");
    expect("x /2wx 0x100100", "0000000000100100: 0xc3e58948 0xff006968\n");
    expect("xp/4bx 0x100", "0000000000000100: 0x48 0x89 0xe5 0xc3\n");
    expect("xp /1bd 0x107", "0000000000000107: -1\n");
    expect("xp/2c 0x104", "0000000000000104: 'h' 'i'\n");
    expect("xp/s 0x104", "0000000000000104: \"hi\"\n");
    expect_part("x/2i $pc", "mov rbp, rsp\n");
    expect_part("x/2i $pc", "ret");
    expect_part("x/wx 0x50", "cannot read memory there");
    expect_part("xp/4wx 0xffff8", "cannot read memory there");
    expect_error("x/99999999 0", "expected at most 65536");
    expect_error("x/5q 0", "/q: unknown format");
    expect("gva2gpa 0x100100", "gpa: 0x100\n");
    expect_error("gva2gpa 0x10", "is not mapped");
}

static void memory_is_saved_to_files(void **state)
{
    char dir[] = "/tmp/monitorXXXXXX", line[200], path[100], bytes[9] = "";
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a b", dir);
    snprintf(line, sizeof(line), "pmemsave 0x100 8 \"%s\"", path);
    expect(line, "");
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(bytes, 1, 9, f), 8);
    assert_memory_equal(bytes, "\x48\x89\xe5\xc3hi\0\xff", 8);
    fclose(f);
    snprintf(line, sizeof(line), "memsave 0x1ffff0 0x20 \"%s\"", path);
    expect_error(line, "0x200000 cannot be read");
    unlink(path);
    expect_error("pmemsave 0 1 /nosuch/file", "/nosuch/file");
    expect_error("pmemsave 0 1", "file is missing");
    rmdir(dir);
}

static void run_control_changes_the_status(void **state)
{
    expect("info status", "VM status: paused\n");
    expect("cont", "");
    assert_int_equal(m->state, RUN_RUNNING);
    expect("info status", "VM status: running\n");
    assert_int_equal(m->state, RUN_RUNNING);
    expect("info registers", "RAX=1234\n");
    assert_int_equal(m->state, RUN_RUNNING);
    cpu.parked = true;
    expect("stop", "");
    expect("info status", "VM status: paused\n");
    expect("system_reset", "");
    assert_true(m->reset_requested);
    expect_error("system_powerdown", "no power button");
    expect("q", "");
    assert_true(m->shutdown_requested);
}

static void info_shows_what_there_is(void **state)
{
    expect("info name", "guest one\n");
    expect_part("info version", "dyad ");
    expect_part("info mtree", "ram");
    expect("info mem", "RAX=1234\n");
    expect_part("info cpus", "CPU #0: pc=0x0000000000100100");
    expect("info qtree", "");
    expect("info block", "");
    expect_part("info", "info registers");
    expect_error("info registres", "did you mean 'registers'");
    expect_error("info lapic", "no apic");
    expect_error("info device nosuch", "nosuch: no such device");
}

static void wrong_commands_are_named(void **state)
{
    expect_error("qiut", "qiut: unknown command; did you mean 'quit'?");
    expect_error("cpu 3", "3 is not accepted: expected 0 to 0");
    expect_error("stop now", "too much: 'now'");
    expect_error("sendkey ctrl-alt-delte", "did you mean 'delete'?");
    expect_error("sendkey a 999999", "at most 60000 ms");
    expect_error("device_del nosuch", "nosuch: no such device");
    expect_error("device_add nosuch", "nosuch");
    expect_error("i 0x10000", "expected 0 to 0xffff");
    expect("", "");
    expect("# nothing", "");
}

static void every_command_is_in_the_help(void **state)
{
    for (const MonCommand *c = monitor_commands; c->name; c++) {
        char line[64];
        snprintf(line, sizeof(line), "help %s", c->name);
        if (strcmp(c->name, "info") != 0) {
            expect_part(line, c->help);
        }
        expect_part("help", c->help);
    }
    expect_error("help nosuch", "unknown command");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_have_the_precedences_of_c),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(memory_is_shown_by_virtual_and_physical_address),
        cmocka_unit_test(memory_is_saved_to_files),
        cmocka_unit_test(run_control_changes_the_status),
        cmocka_unit_test(info_shows_what_there_is),
        cmocka_unit_test(wrong_commands_are_named),
        cmocka_unit_test(every_command_is_in_the_help),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

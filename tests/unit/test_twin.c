/* SPDX-License-Identifier: MIT */
/* accel/twin: equal engines agree, a planted difference is found at its instruction, devices
 * are reached once, case files run again. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "accel/tcg/tcg.h"
#include "accel/twin/twin.h"
#include "accel/twin/twin_int.h"
#include "target-x86/create.h"
#include "target-x86/tcg_ops.h"
#include "util/alloc.h"

#define RAM (32 * MiB)
enum { PT = 0x10000, CODE = 0x100000, DATA = 0x108000, STACK = 0x10a000, GDT = 0x7000 };

static MemoryRegion ram, ports;
static Machine *machine;
static X86Cpu *cpu;
static TwinOptions *opts;
static unsigned reads, writes; /* of the device */

static uint64_t dev_read(void *opaque, uint64_t addr, unsigned size)
{
    return 0x40 + reads++;
}

/* Port F4H ends the run. */
static void dev_write(void *opaque, uint64_t addr, uint64_t v, unsigned size)
{
    writes++;
    if (addr == 4) {
        cpu_request(&cpu->cpu, CPU_REQ_STOP);
    }
}

static const MemoryOps dev_ops = { .read = dev_read, .write = dev_write };

static bool rig_init(Machine *m, Error *err)
{
    if (!memory_init_ram(&ram, m, "ram", RAM, err)) {
        return false;
    }
    memory_add(&m->mem_root, &ram, 0, 0);
    memory_init_io(&ports, m, "ports", 8, &dev_ops, NULL);
    memory_add(&m->io_root, &ports, 0xf0, 0);
    m->cpus[0] = x86_cpu_factory.create(m, 0, err);
    m->ncpus = m->cpus[0] != NULL;
    return m->ncpus;
}

static const MachineClass rig_class = {
    .name = "rig", .desc = "RAM and a port", .size = sizeof(Machine), .init = rig_init
};
const MachineClass *const machine_classes[] = { &rig_class, NULL };
const DeviceClass *const device_classes[] = { NULL };

static uint8_t *mem(uint64_t at)
{
    return memory_host(&ram) + at;
}
static void put64(uint64_t at, uint64_t v)
{
    memcpy(mem(at), &v, 8);
}

static void build_tables(void)
{
    put64(PT, (PT + 0x1000) | 7);
    put64(PT + 0x1000, (PT + 0x2000) | 7);
    put64(PT + 0x2000, (PT + 0x3000) | 7);
    for (unsigned i = 0; i < 512; i++) { /* neither accessed nor dirty yet */
        put64(PT + 0x3000 + 8 * i, (uint64_t)i << 12 | 7);
    }
    put64(GDT, 0);
    put64(GDT + 8, 0x00af9b000000ffffull);
    put64(GDT + 16, 0x00cf93000000ffffull);
}

static void base_state(X86State *st)
{
    X86Seg data = { 0, 0xffffffff, 0xc093, 0x10 };
    memset(st, 0, sizeof(*st));
    st->rflags = 2;
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        st->seg[i] = data;
    }
    st->seg[R_CS] = (X86Seg){ 0, 0xffffffff, 0xa09b, 8 };
    st->tr = (X86Seg){ 0, 0x67, 0x8b, 0x18 };
    st->ldt.attr = SEG_UNUSABLE;
    st->gdt = (X86Table){ GDT, 0x1f };
    st->cr0 = CR0_PG | CR0_PE | CR0_NE | CR0_ET | CR0_WP | CR0_MP;
    st->cr3 = PT;
    st->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    st->efer = EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE;
    st->xcr0 = 7;
    st->dr6 = DR6_FIXED;
    st->dr7 = DR7_FIXED;
    st->xsave.fcw = 0x37f;
    st->xsave.mxcsr = 0x1f80;
    st->xsave.xstate_bv = 7;
    st->rip = CODE;
    st->gpr[R_SP] = STACK + 0x800;
}

/* cmocka takes the fault signals over for each test; the engines need their own. */
static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };

static int make_with(const char *step, const char *second)
{
    struct sigaction keep[ARRAY_SIZE(signals)];
    Error err = ERROR_INIT;
    MachineConfig cfg = { .ram_size = RAM, .cpus = 1, .cpu_model = "max" };
    char file[] = "/tmp/dyad-twin-XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    opts = NEW(TwinOptions);
    property_defaults(accel_twin_class.props, opts);
    assert_true(property_set(accel_twin_class.props, opts, "case", file, &err));
    assert_true(property_set(accel_twin_class.props, opts, "step", step, &err));
    assert_true(property_set(accel_twin_class.props, opts, "second", second, &err));
    assert_true(property_set(accel_twin_class.props, opts, "mem", "window", &err));
    machine = machine_create(&rig_class, &cfg, &err);
    assert_non_null(machine);
    if (!accel_twin_class.init_machine(machine, opts, &err) ||
        !machine_init(machine, &err)) {
        error_report(&err);
        return -1;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaction(signals[i], NULL, &keep[i]);
    }
    cpu = X86_CPU(machine->cpus[0]);
    cpu_self = &cpu->cpu;
    build_tables();
    base_state(&cpu->st);
    x86_update_hflags(cpu);
    reads = writes = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaction(signals[i], &keep[i], NULL);
    }
    return 0;
}

static int make(const char *step)
{
    return make_with(step, "interp");
}

static void drop(void)
{
    cpu_self = NULL;
    unlink(opts->case_file);
    accel_twin_class.destroy(machine);
    machine->ncpus = 0;
    machine_destroy(machine);
    property_free(accel_twin_class.props, opts);
    free(opts);
}

static Twin *twin(void)
{
    return machine->accel;
}

static void load(const void *code, size_t n)
{
    memcpy(mem(CODE), code, n);
    machine->exec->starting(machine);
    machine->exec->sync_to_engine(&cpu->cpu);
}

static void run(void)
{
    machine->exec->run(&cpu->cpu);
}

/* mov ecx,200; again: imul eax,ecx; pushfq; pop rbx; add [DATA],rax; movq xmm1,rax;
 * paddq xmm2,xmm1; dec ecx; jnz again; in al,f0; mov [DATA+8],al; in al,f0; out f4,al; nop */
static const uint8_t busy[] =
    "\xb9\xc8\x00\x00\x00\x0f\xaf\xc1\x9c\x5b\x48\x01\x04\x25\x00\x80\x10\x00\x66\x48\x0f\x6e\xc8"
    "\x66\x0f\xd4\xd1\xff\xc9\x75\xe6\xe4\xf0\x88\x04\x25\x08\x80\x10\x00\xe4\xf0\xe6\xf4\x90\x90";

static void agree_with(const char *step, bool chained)
{
    uint8_t code[sizeof(busy)];
    memcpy(code, busy, sizeof(busy));
    if (chained) { /* longer, and without PUSHFQ of flags that are undefined */
        code[3] = 1;
        memset(code + 8, 0x90, 2);
    }
    assert_int_equal(make(step), 0);
    load(code, sizeof(code));
    run();
    assert_false(twin()->stopped);
    assert_int_equal(reads, 2); /* once, not once for each engine */
    assert_int_equal(writes, 1);
    assert_int_equal(*mem(DATA + 8), 0x40);
    assert_int_equal(cpu->st.gpr[R_AX] & 0xff, 0x41);
    assert_int_equal(cpu->st.gpr[R_CX], 0);
    /* both memories, and what the walks wrote */
    assert_memory_equal(mem(0), twin()->side[1].ram, RAM);
    uint64_t pte;
    memcpy(&pte, mem(PT + 0x3000 + 8 * (DATA >> 12)), 8);
    assert_int_equal(pte & 0x60, 0x60);
    assert_true(twin()->insns > 1600);
    drop();
}

static void equal_engines_agree_over_stretches(void **state)
{
    agree_with("512", false);
}
static void equal_engines_agree_with_chained_blocks(void **state)
{
    agree_with("200us", true);
}
static void equal_engines_agree_however_soon_a_signal_comes(void **state)
{
    agree_with("1us", true);
}
static void equal_engines_agree_block_by_block(void **state)
{
    agree_with("block", false);
}
static void equal_engines_agree_insn_by_insn(void **state)
{
    agree_with("insn", false);
}

static bool file_has(const char *path, const char *text)
{
    static char buf[1 << 20];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    buf[fread(buf, 1, sizeof(buf) - 1, f)] = 0;
    fclose(f);
    return strstr(buf, text) != NULL;
}

/* mov eax,1; mov ecx,500; loop: dec ecx; jnz loop; add eax,[DATA+100H]; nop; out f4,al */
static const uint8_t sum[] =
    "\xb8\x01\x00\x00\x00\xb9\xf4\x01\x00\x00\xff\xc9\x75\xfc\x03\x04\x25\x00\x81\x10\x00\x90"
    "\xe6\xf4\x90\x90";

/* The second engine sees another value: as if it had loaded wrongly. */
static void found_with(const char *step, const char *second)
{
    assert_int_equal(make_with(step, second), 0);
    load(sum, sizeof(sum));
    twin()->side[1].ram[DATA + 0x100] = 0x10;
    run();
    assert_true(twin()->stopped);
    assert_true(file_has(opts->case_file, "instruction at 0x10000e:"));
    assert_true(file_has(opts->case_file, "add eax, dword ptr [0x108100]"));
    assert_true(file_has(opts->case_file, "flags that differ: PF"));
    drop();
}

static void a_difference_is_found_at_its_instruction(void **state)
{
    found_with("512", "interp");
}

static void a_difference_is_found_with_chained_blocks(void **state)
{
    found_with("200us", "interp");
}

static void kvm_as_the_second_engine_is_compared(void **state)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0) {
        print_message("SKIP: /dev/kvm cannot be opened\n");
        skip();
    }
    found_with("512", "kvm");
    assert_int_equal(make_with("64", "kvm"), 0);
    uint8_t code[sizeof(busy)];
    memcpy(code, busy, sizeof(busy));
    memset(code + 8, 0x90, 2); /* no PUSHFQ of flags that are undefined */
    load(code, sizeof(code));
    run();
    assert_false(twin()->stopped);
    assert_int_equal(reads, 2);
    assert_int_equal(*mem(DATA + 8), 0x40);
    assert_memory_equal(mem(0), twin()->side[1].ram, RAM);
    drop();
}

static void steps_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "us", "0us", "100001us", "1ms", "0", "blocks"
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        Twin t = { 0 };
        Error err = ERROR_INIT;
        assert_false(twin_parse_step(&t, bad[i], &err));
        assert_non_null(strstr(err.msg, "100000us"));
        error_free(&err);
    }
}

static void case_files_run_on_every_engine(void **state)
{
    assert_int_equal(make("512"), 0);
    load(sum, sizeof(sum));
    twin()->side[1].ram[DATA + 0x100] = 0x10; /* what the file has as memory */
    run();
    assert_true(twin()->stopped);
    char *kept = xstrdup(opts->case_file);
    char *file = xasprintf("%s.kept", kept);
    assert_int_equal(rename(kept, file), 0);
    free(kept);
    drop();
    Error err = ERROR_INIT;
    assert_int_equal(twin_replay_case(file, "tcg", &err), 0);
    assert_int_equal(twin_replay_case(file, "interp", &err), 0);
    assert_int_equal(twin_replay_case(file, "tcg,backend=interp", &err), 0);
    assert_int_equal(twin_replay_case(file, "twin,first=tcg,second=interp", &err), 0);
    assert_int_equal(twin_replay_case(file, NULL, &err), 0);
    assert_null(err.msg);
    assert_int_equal(twin_replay_case(file, "tgc", &err), 1);
    assert_non_null(strstr(err.msg, "tcg"));
    error_free(&err);
    unlink(file);
    free(file);
}

/* No IDT: the first fault becomes a triple fault, in both. */
static void a_triple_fault_is_no_difference(void **state)
{
    assert_int_equal(make("512"), 0);
    load("\x0f\x0b\x90\x90", 4); /* UD2 */
    run();
    assert_false(twin()->stopped);
    assert_true(machine->reset_requested);
    drop();
}

static void hostile_case_files_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "nonsense\n",
        "dyad-case 1\n",
        "dyad-case 1\nend\n",
        "dyad-case 1\nstate before 0 zz\n",
        "dyad-case 1\npage 123 rw\n",
        "dyad-case 1\nevent read 0 99 1 0 -\n",
        "dyad-case 1\nengines tcg nosuch\n",
        "dyad-case 1\nrow 0 00\n",
        "dyad-case 1\ncpu 0 99 1 1\n",
    };
    char file[] = "/tmp/dyad-case-XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        Error err = ERROR_INIT;
        FILE *f = fopen(file, "w");
        fputs(bad[i], f);
        fclose(f);
        assert_int_equal(twin_replay_case(file, "tcg", &err), 1);
        assert_non_null(err.msg);
        assert_null(strchr(err.msg, '\n'));
        error_free(&err);
    }
    unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_engines_agree_over_stretches),
        cmocka_unit_test(equal_engines_agree_with_chained_blocks),
        cmocka_unit_test(equal_engines_agree_however_soon_a_signal_comes),
        cmocka_unit_test(equal_engines_agree_block_by_block),
        cmocka_unit_test(equal_engines_agree_insn_by_insn),
        cmocka_unit_test(a_difference_is_found_at_its_instruction),
        cmocka_unit_test(a_difference_is_found_with_chained_blocks),
        cmocka_unit_test(kvm_as_the_second_engine_is_compared),
        cmocka_unit_test(steps_that_are_none_are_refused),
        cmocka_unit_test(case_files_run_on_every_engine),
        cmocka_unit_test(a_triple_fault_is_no_difference),
        cmocka_unit_test(hostile_case_files_are_refused),
    };
    tcg_set_guest(&x86_tcg_ops);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

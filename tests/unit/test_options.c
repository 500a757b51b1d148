/* SPDX-License-Identifier: MIT */
/* The command line: what is recorded, and how wrong options are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ui/options.h"

const MachineClass *const machine_classes[] = { NULL };
const DeviceClass *const device_classes[] = { NULL };

enum { MAX_WORDS = 40 };

/* Splits at spaces; words keep their text for the test's life. */
static enum OptionsVerdict parse(Options *o, const char *line, Error *err)
{
    static char copy[1024];
    static char *argv[MAX_WORDS];
    snprintf(copy, sizeof(copy), "dyad %s", line);
    int argc = 0;
    for (char *p = copy, *w; (w = strsep(&p, " ")) && argc < MAX_WORDS;) {
        argv[argc++] = w;
    }
    return options_parse(o, argc, argv, err);
}

static void expect_error(const char *line, const char *text)
{
    Options o;
    Error err = ERROR_INIT;
    assert_int_equal(parse(&o, line, &err), OPTIONS_ERROR);
    assert_non_null(err.msg);
    if (!strstr(err.msg, text)) {
        fail_msg("'%s' says: %s\nwanted: %s", line, err.msg, text);
    }
    assert_null(strchr(err.msg, '\n'));
    error_free(&err);
    options_free(&o);
}

static void expect_run(Options *o, const char *line)
{
    Error err = ERROR_INIT;
    enum OptionsVerdict v = parse(o, line, &err);
    if (v != OPTIONS_RUN) {
        fail_msg("'%s': %s", line, err.msg ? err.msg : "no error");
    }
}

static void benchmark_command_line_is_recorded(void **state)
{
    Options o;
    expect_run(&o, "-accel tcg -cpu max -m 2048 -smp 1 -display none -serial stdio -monitor "
                   "none -no-reboot -kernel k -initrd i -append console=ttyS0 -drive "
                   "file=d,if=virtio,format=raw");
    assert_int_equal(o.cfg.ram_size, 2048ull << 20);
    assert_int_equal(o.cfg.cpus, 1);
    assert_string_equal(o.cfg.cpu_model, "max");
    assert_string_equal(o.cfg.kernel, "k");
    assert_string_equal(o.cfg.append, "console=ttyS0");
    assert_true(o.cfg.no_reboot);
    assert_int_equal(o.accels.n, 1);
    assert_string_equal(o.accels.v[0].text, "tcg");
    assert_int_equal(o.drives.n, 1);
    assert_string_equal(o.drives.v[0].option, "-drive");
    assert_string_equal(o.drives.v[0].text, "file=d,if=virtio,format=raw");
    options_free(&o);
}

static void two_dashes_are_one(void **state)
{
    Options o;
    expect_run(&o, "--m 64M --no-reboot");
    assert_int_equal(o.cfg.ram_size, 64u << 20);
    assert_true(o.cfg.no_reboot);
    options_free(&o);
}

static void unknown_option_names_the_nearest(void **state)
{
    expect_error("-acel tcg", "-acel: unknown option; did you mean '-accel'?");
    expect_error("--no-rebot", "did you mean '-no-reboot'?");
    expect_error("-zzzzzzzz", "-zzzzzzzz: unknown option");
}

static void a_missing_value_is_named(void **state)
{
    expect_error("-m", "-m: needs a value");
    expect_error("-kernel", "FILE");
}

static void a_bare_file_is_a_disk_or_a_cd_by_its_name(void **state)
{
    Options o;
    expect_run(&o, "a,b.img x/Installer.ISO");
    assert_int_equal(o.drives.n, 2);
    assert_string_equal(o.drives.v[0].text, "file=a,,b.img,if=ide,media=disk");
    assert_string_equal(o.drives.v[1].text, "file=x/Installer.ISO,if=ide,media=cdrom");
    assert_int_equal(o.cfg.ram_size, 1ull << 30);
    options_free(&o);
    expect_run(&o, "-m 64 disk.img");
    assert_int_equal(o.cfg.ram_size, 64ull << 20);
    options_free(&o);
}

static void memory_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {
        { "-m 512M", 512ull << 20 },
        { "-m 2G", 2ull << 30 },
        { "-m size=1G", 1ull << 30 },
        { "-m 100", 100ull << 20 },
        { "-m size=300", 300ull << 20 },
        { "-m 1048577K", (1048577ull * 1024 + 4095) & ~4095ull },
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        Options o;
        expect_run(&o, good[i].text);
        assert_int_equal(o.cfg.ram_size, good[i].size);
        options_free(&o);
    }
    expect_error("-m banana", "-m: banana is not accepted: expected a size");
    expect_error("-m 0", "expected a size from 1M");
    expect_error("-m -5", "-m: -5 is not accepted");
    expect_error("-m 99999999999G", "not accepted");
    expect_error("-m sise=1G", "size");
    expect_error("-m 512M,slots=2,maxmem=1G", "maxmem=1G is not accepted: expected 512M");
}

static void cpu_counts(void **state)
{
    Options o;
    expect_run(&o, "-smp 4,sockets=1,cores=2,threads=2");
    assert_int_equal(o.cfg.cpus, 4);
    assert_int_equal(o.cfg.cores, 2);
    options_free(&o);
    expect_run(&o, "-smp cpus=2");
    assert_int_equal(o.cfg.cpus, 2);
    options_free(&o);
    expect_run(&o, "-smp cores=2,threads=2");
    assert_int_equal(o.cfg.cpus, 4);
    assert_int_equal(o.cfg.sockets, 1);
    options_free(&o);
    expect_run(&o, "-smp 6,cores=3");
    assert_int_equal(o.cfg.sockets, 2);
    options_free(&o);
    expect_error("-smp 0", "-smp: 0 is not accepted: expected a number of CPUs from 1 to 64");
    expect_error("-smp two", "-smp: two is not accepted");
    expect_error("-smp 65", "1 to 64");
    expect_error("-smp 3,cores=2", "is not cpus=3");
    expect_error("-smp 2,maxcpus=4", "maxcpus=4 is not accepted");
    expect_error("-smp 2,coers=2", "cores");
    expect_error("-smp cores=64,threads=64", "not accepted");
}

static void machine_accel_goes_to_the_engines(void **state)
{
    Options o;
    expect_run(&o, "-machine pc,accel=kvm:tcg,hpet=off");
    assert_string_equal(o.machine, "pc,hpet=off");
    assert_int_equal(o.accels.n, 1);
    assert_string_equal(o.accels.v[0].text, "kvm:tcg");
    options_free(&o);
    expect_run(&o, "-M type=pc,hpet=off");
    assert_string_equal(o.machine, "pc,hpet=off");
    options_free(&o);
    expect_run(&o, "-machine accel=tcg");
    assert_string_equal(o.machine, "");
    options_free(&o);
}

static void several_machine_options_are_one(void **state)
{
    Options o;
    expect_run(&o, "-machine q35,hpet=off -machine accel=tcg -machine pit=off");
    assert_string_equal(o.machine, "q35,hpet=off,pit=off");
    assert_null(o.irqchip);
    options_free(&o);
    expect_run(&o, "-machine pit=off -machine hpet=off -M q35");
    assert_string_equal(o.machine, "q35,pit=off,hpet=off");
    options_free(&o);
    expect_run(&o, "-machine pit=off -machine hpet=off -accel kvm");
    assert_string_equal(o.machine, "pit=off,hpet=off");
    options_free(&o);
    expect_run(&o, "-machine accel=tcg -M q35,kernel-irqchip=split");
    assert_string_equal(o.machine, "q35");
    assert_string_equal(o.irqchip, "split");
    options_free(&o);
    expect_run(&o, "-machine accel=tcg -machine kernel_irqchip=on");
    assert_string_equal(o.machine, "");
    assert_string_equal(o.irqchip, "on");
    options_free(&o);
    expect_run(&o, "-M kernel_irqchip=split -accel kvm -accel tcg");
    assert_string_equal(o.accels.v[0].text, "kvm,irqchip=split");
    assert_string_equal(o.accels.v[1].text, "tcg");
    options_free(&o);
    expect_error("-machine kernel_irqchip=splti", "split");
}

static void globals_are_kept_in_order(void **state)
{
    Options o;
    expect_run(&o, "-global a.b=c -global d.e=f=g");
    assert_string_equal(o.cfg.globals[0], "a.b=c");
    assert_string_equal(o.cfg.globals[1], "d.e=f=g");
    assert_null(o.cfg.globals[2]);
    options_free(&o);
    expect_error("-global a=b.c", "DRIVER.PROP=VALUE");
    expect_error("-global a.b", "DRIVER.PROP=VALUE");
}

static void old_disk_options_become_drives(void **state)
{
    Options o;
    expect_run(&o, "-hdb a,b.img -cdrom c.iso");
    assert_string_equal(o.drives.v[0].option, "-hdb");
    assert_string_equal(o.drives.v[0].text, "file=a,,b.img,if=ide,index=1,media=disk");
    assert_string_equal(o.drives.v[1].text, "file=c.iso,if=ide,index=2,media=cdrom");
    options_free(&o);
}

static void help_is_reported_with_its_option(void **state)
{
    Options o;
    Error err = ERROR_INIT;
    assert_int_equal(parse(&o, "-device help", &err), OPTIONS_HELP);
    assert_string_equal(o.help_option, "device");
    options_free(&o);
    assert_int_equal(parse(&o, "-device virtio-blk-pci,help", &err), OPTIONS_HELP);
    assert_string_equal(o.help_value, "virtio-blk-pci,help");
    options_free(&o);
    assert_int_equal(parse(&o, "-help", &err), OPTIONS_USAGE);
    options_free(&o);
    assert_int_equal(parse(&o, "-version", &err), OPTIONS_VERSION);
    options_free(&o);
}

static void wrong_values_name_what_is_accepted(void **state)
{
    expect_error("-uuid 123", "-uuid: 123 is not accepted");
    expect_error("-rtc base=noon", "-rtc: base=noon is not accepted: expected utc");
    expect_error("-rtc bass=utc", "base");
    expect_error("-boot q", "-boot: q is not accepted");
    expect_error("-boot order=c,meun=on", "menu");
    expect_error("-net tap", "-net: tap is not accepted: expected one of none, nic, user");
    expect_error("-parallel stdio", "expected none");
    expect_error("-vga s3", "-vga: s3 is not accepted");
    expect_error("-display gkt", "-display: gkt is not accepted");
    expect_error("-display sdl,fullscreen=on", "full-screen");
    expect_error("-d in_sam", "in_asm");
    expect_error("-dfilter zzz", "-dfilter: ");
    expect_error("-name guest=a,proces=b", "process");
    expect_error("-initrd i", "-initrd: only goes with -kernel");
    expect_error("-append quiet", "-append: only goes with -kernel");
}

static void texts_that_mean_something_are_kept(void **state)
{
    Options o;
    expect_run(&o, "-name vm1,process=x -uuid 550e8400-e29b-41d4-a716-446655440000 -rtc "
                   "base=2026-01-31T12:00:00 -boot order=dc,menu=on -S -snapshot -L /fw");
    assert_string_equal(o.cfg.name, "vm1");
    assert_string_equal(o.cfg.rtc_base, "2026-01-31T12:00:00");
    assert_string_equal(o.cfg.boot, "order=dc,menu=on");
    assert_true(o.cfg.start_paused);
    assert_true(o.snapshot);
    assert_string_equal(o.firmware_dirs.v[0].text, "/fw");
    options_free(&o);
}

/* Every visible row is in the help and in the man page. */
static void help_and_man_page_come_from_the_rows(void **state)
{
    char *usage = NULL, *man = NULL;
    size_t n;
    FILE *f = open_memstream(&usage, &n);
    options_usage(f);
    fclose(f);
    f = open_memstream(&man, &n);
    options_man(f);
    fclose(f);
    unsigned rows = 0;
    for (const OptionSection *s = option_sections; s->title; s++) {
        for (const OptionRow *r = s->rows; r->name; r++) {
            char in_usage[64];
            snprintf(in_usage, sizeof(in_usage), "\n  -%s", r->name);
            assert_int_equal(strstr(usage, in_usage) != NULL, r->help != NULL);
            rows += r->help != NULL;
        }
    }
    unsigned entries = 0;
    for (const char *p = man; (p = strstr(p, ".TP\n")); p++) {
        entries++;
    }
    assert_int_equal(entries, rows);
    assert_true(rows > 40);
    free(usage);
    free(man);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(benchmark_command_line_is_recorded),
        cmocka_unit_test(two_dashes_are_one),
        cmocka_unit_test(unknown_option_names_the_nearest),
        cmocka_unit_test(a_missing_value_is_named),
        cmocka_unit_test(a_bare_file_is_a_disk_or_a_cd_by_its_name),
        cmocka_unit_test(memory_sizes),
        cmocka_unit_test(cpu_counts),
        cmocka_unit_test(machine_accel_goes_to_the_engines),
        cmocka_unit_test(several_machine_options_are_one),
        cmocka_unit_test(globals_are_kept_in_order),
        cmocka_unit_test(old_disk_options_become_drives),
        cmocka_unit_test(help_is_reported_with_its_option),
        cmocka_unit_test(wrong_values_name_what_is_accepted),
        cmocka_unit_test(texts_that_mean_something_are_kept),
        cmocka_unit_test(help_and_man_page_come_from_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

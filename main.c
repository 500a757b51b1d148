/* SPDX-License-Identifier: MIT */
/*
 * The composition root, the only file that sees every room: options > machine > engine >
 * backends > board > devices > monitor > run loop. What fails on the way is undone in
 * reverse and reported here, once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/accel.h"
#ifdef CONFIG_KVM
#include "accel/kvm/kvm.h"
#endif
#include "accel/tcg/tcg.h"
#include "accel/twin/twin.h"
#include "hw/core/block.h"
#include "hw/core/chardev.h"
#include "hw/core/machine.h"
#include "hw/core/netdev.h"
#include "hw/core/profile.h"
#include "hw/core/nondet.h"
#include "target-x86/create.h"
#include "target-x86/models.h"
#include "target-x86/softstep.h"
#include "target-x86/tcg_ops.h"
#include "ui/daemon.h"
#include "ui/gdb.h"
#include "ui/monitor.h"
#include "ui/options.h"
#include "ui/qmp.h"
#include "ui/setup.h"
#include "ui/ui.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/quit.h"
#include "util/symbols.h"

typedef struct Dyad {
    Options o;
    Machine *m;
    Accel accel;
    const DisplayClass *display;
    int signal_fd;
    LoopFd *signal_watch;
} Dyad;

/* --- help of values that belong to a room --- */

static void print_machines(FILE *f)
{
    fprintf(f, "Machines:\n");
    for (size_t i = 0; machine_classes[i]; i++) {
        fprintf(f, "  %-10s %s\n", machine_classes[i]->name, machine_classes[i]->desc);
    }
}

/* What `-OPTION help` prints, and what `-OPTION NAME,help`; the latter answers whether
 * it knows the name. */
typedef struct HelpRow {
    const char *option;
    void (*all)(FILE *f);
    bool (*one)(const char *name, FILE *f);
} HelpRow;

static bool machine_one(const char *name, FILE *f)
{
    const MachineClass *cls = machine_class_find(name);
    if (cls) {
        fprintf(f, "%s: %s\n", cls->name, cls->desc);
        property_help(cls->props, f);
    }
    return cls != NULL;
}

static bool accel_one(const char *name, FILE *f)
{
    const AccelClass *cls = accel_class_find(name);
    if (cls) {
        accel_class_help(cls, f);
    }
    return cls != NULL;
}

static bool device_one(const char *name, FILE *f)
{
    const DeviceClass *cls = device_class_find(name);
    if (cls) {
        device_class_help(cls, f);
    }
    return cls != NULL;
}

static void print_devices(FILE *f)
{
    device_help(f);
}

static void print_cpus(FILE *f)
{
    x86_cpu_help(f);
}

static const HelpRow help_rows[] = {
    { "machine", print_machines, machine_one },
    { "accel", accel_help, accel_one },
    { "cpu", print_cpus, NULL },
    { "device", print_devices, device_one },
    { "drive", block_help, NULL },
    { "blockdev", block_help, NULL },
    { "netdev", netdev_help, NULL },
    { "nic", netdev_help, NULL },
    { "chardev", chardev_help, NULL },
    { "serial", chardev_help, NULL },
    { "monitor", chardev_help, NULL },
    { "debugcon", chardev_help, NULL },
};

static bool print_value_help(const Options *o, Error *err)
{
    if (options_value_help(o, stdout)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(help_rows); i++) {
        const HelpRow *r = &help_rows[i];
        if (strcmp(r->option, o->help_option) != 0) {
            continue;
        }
        size_t n = strcspn(o->help_value, ",");
        if (!r->one || !o->help_value[n]) {
            r->all(stdout);
            return true;
        }
        char *name = xasprintf("%.*s", (int)n, o->help_value);
        bool known = r->one(name, stdout);
        if (!known) {
            error_set(err, "-%s: %s: unknown name (-%s help lists all)", r->option, name,
                      r->option);
        }
        free(name);
        return known;
    }
    return error_set(err, "-%s: has no help", o->help_option);
}

/* --- machine and engine --- */

static bool find_machine(const char *spec, const MachineClass **cls, const char **props,
                         Error *err)
{
    *props = "";
    *cls = machine_classes[0];
    char *name = spec ? property_first_word(spec, props) : NULL;
    if (!name) {
        *props = spec ? spec : "";
        return true;
    }
    *cls = machine_class_find(name);
    if (!*cls) {
        const char *names[32];
        size_t n = 0;
        for (; machine_classes[n] && n + 1 < ARRAY_SIZE(names); n++) {
            names[n] = machine_classes[n]->name;
        }
        names[n] = NULL;
        error_set_choice(err, "-machine", name, names);
    }
    free(name);
    return *cls != NULL;
}

/* A firmware name without a slash is looked for in the -L directories too. */
static void find_firmware(Options *o)
{
    if (!o->cfg.bios || strchr(o->cfg.bios, '/') || access(o->cfg.bios, R_OK) == 0) {
        return;
    }
    for (size_t i = 0; i < o->firmware_dirs.n; i++) {
        char *path = xasprintf("%s/%s", o->firmware_dirs.v[i].text, o->cfg.bios);
        if (access(path, R_OK) == 0) {
            o->cfg.bios = options_own(o, path);
            return;
        }
        free(path);
    }
}

/* From machine_destroy, when no device and no vCPU thread is left. */
static void release(Machine *m, void *arg)
{
    Dyad *d = arg;
    Error err = ERROR_INIT;
    if (!profile_finish(&err)) {
        error_report(&err);
    }
    gdb_destroy(m);
    monitor_destroy_all();
    qmp_destroy_all();
    chardev_close_all(m);
    netdev_close_all(m);
    block_close_all(m);
    accel_destroy(&d->accel);
}

static bool switch_engine(Machine *m, const char *name, Error *err)
{
    Dyad *d = m->switch_opaque;
    return accel_switch(&d->accel, name, err);
}

static bool make_machine(Dyad *d, Error *err)
{
    const MachineClass *cls;
    const char *props;
    const char *accels[64];
    size_t n = MIN(d->o.accels.n, ARRAY_SIZE(accels));
    for (size_t i = 0; i < n; i++) {
        accels[i] = d->o.accels.v[i].text;
    }
    if (!find_machine(d->o.machine, &cls, &props, err) || !accel_check(accels, n, err)) {
        return false;
    }
    if (d->o.cfg.cpus > cls->max_cpus) {
        return error_set(err, "-smp: %u is not accepted: expected 1 to %u on machine %s",
                         d->o.cfg.cpus, cls->max_cpus, cls->name);
    }
    d->m = machine_create(cls, &d->o.cfg, err);
    if (!d->m) {
        return false;
    }
    d->m->release = release;
    d->m->release_arg = d;
    if (cls->props && !property_parse(cls->props, d->m, props, NULL, err)) {
        error_prefix(err, "-machine %s: ", cls->name);
        return false;
    }
    d->m->cpu_factory = &x86_cpu_factory;
#ifdef CONFIG_KVM
    kvm_set_soft_step(&x86_soft_step);
#endif
    d->m->switch_engine = switch_engine;
    d->m->switch_opaque = d;
    return accel_select(&d->accel, d->m, accels, n, err);
}

/* --- signals, life --- */

static void on_signal(void *opaque, unsigned events)
{
    Dyad *d = opaque;
    uint64_t count;
    if (read(d->signal_fd, &count, sizeof(count)) == sizeof(count)) {
        machine_quit(d->m, "host-signal");
    }
}

static bool start(Dyad *d, Error *err)
{
    if (d->o.daemonize && (!setup_check_daemon(&d->o, err) || !daemon_fork(err))) {
        return false;
    }
    find_firmware(&d->o);
    if (d->o.log_file && !log_set_file(d->o.log_file, err)) {
        error_prefix(err, "-D: ");
        return false;
    }
    for (size_t i = 0; i < d->o.symbols.n; i++) {
        if (!symbols_load(d->o.symbols.v[i].text, err)) {
            error_prefix(err, "-symbols: ");
            return false;
        }
    }
    d->signal_fd = quit_signals(err);
    if (d->signal_fd < 0 || !make_machine(d, err)) {
        return false;
    }
    Machine *m = d->m;
    monitor_init(m);
    machine_lock(m);
    bool ok = setup_backends(m, &d->o, err);
    machine_unlock(m);
    if (!ok || !machine_init(m, err)) {
        return false;
    }
    machine_lock(m);
    if (d->o.profile && !profile_start(m, d->o.profile, err)) {
        error_prefix(err, "-profile: ");
        machine_unlock(m);
        return false;
    }
    ok = setup_devices(m, &d->o, err);
    if (ok && d->o.gdb && strcmp(d->o.gdb, "none") != 0) {
        ok = gdb_start(m, d->o.gdb, err);
    }
    machine_unlock(m);
    if (!ok || !machine_ready(m, err) || !daemon_write_pidfile(d->o.pidfile, err)) {
        return false;
    }
    d->display = display_start(m, d->o.display, d->o.nographic, err);
    if (!d->display) {
        return false;
    }
    d->signal_watch = loop_add_fd(m->loop, d->signal_fd, LOOP_READ, on_signal, d);
    loop_take_signals(m->loop);
    return daemon_detach(err);
}

static int run(Dyad *d)
{
    Machine *m = d->m;
    if (!d->o.cfg.start_paused) {
        machine_lock(m);
        machine_run(m);
        machine_unlock(m);
    }
    return machine_main_loop(m);
}

static void finish(Dyad *d)
{
    if (d->display && d->display->destroy) {
        machine_lock(d->m);
        d->display->destroy(d->m);
        machine_unlock(d->m);
    }
    if (d->signal_watch) {
        loop_del_fd(d->signal_watch);
    }
    machine_destroy(d->m);
    symbols_free();
    daemon_remove_pidfile();
    options_free(&d->o);
}

int main(int argc, char **argv)
{
    Dyad d = { .signal_fd = -1 };
    Error err = ERROR_INIT;
    int status = 1;
    nondet_begin();
    switch (options_parse(&d.o, argc, argv, &err)) {
    case OPTIONS_RUN:
        tcg_set_guest(&x86_tcg_ops);
        if (d.o.replay_case) {
            status = twin_replay_case(d.o.replay_case, d.o.accels.n ? d.o.accels.v->text : NULL,
                                      &err);
        } else if (start(&d, &err)) {
            status = run(&d);
        }
        break;
    case OPTIONS_HELP: status = print_value_help(&d.o, &err) ? 0 : 1; break;
    case OPTIONS_USAGE:
        options_usage(stdout);
        status = 0;
        break;
    case OPTIONS_VERSION:
        options_version(stdout);
        status = 0;
        break;
    case OPTIONS_MAN:
        options_man(stdout);
        status = 0;
        break;
    case OPTIONS_ERROR: break;
    }
    finish(&d);
    if (err.msg) {
        error_report(&err);
    }
    return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * The monitor's commands: one table of rows and the handlers that are not about memory
 * (ui/monitor_mem.c) or info (ui/monitor_info.c). Adding a command is a row here and,
 * if it does something new, a handler.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/input.h"
#include "hw/core/machine.h"
#include "ui/monitor.h"
#include "util/alloc.h"
#include "util/log.h"

enum { SENDKEY_MAX = 16, SENDKEY_MS = 100, SENDKEY_MAX_MS = 60000 };

static bool cmd_help(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const char *name = monitor_arg(a, "command")->text;
    if (name && strcmp(name, "info") == 0) {
        monitor_print_info_help(out);
        return true;
    }
    for (const MonCommand *cmd = monitor_commands; cmd->name; cmd++) {
        bool this = !name || strcmp(cmd->name, name) == 0 ||
                    (cmd->alias && strcmp(cmd->alias, name) == 0);
        if (!this) {
            continue;
        }
        char head[80];
        snprintf(head, sizeof(head), "%s%s%s%s%s", cmd->name, cmd->alias ? "|" : "",
                 cmd->alias ? cmd->alias : "", cmd->params ? " " : "",
                 cmd->params ? cmd->params : "");
        fprintf(out, "%-32s %s\n", head, cmd->help);
        if (name) {
            return true;
        }
    }
    return name ? error_set(err, "help: %s: unknown command", name) : true;
}

static bool cmd_accel(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (strcmp(monitor_arg(a, "what")->text, "switch") != 0) {
        return error_set(err, "accel: expected: accel switch NAME[,prop=value]");
    }
    if (!c->m->switch_engine) {
        return error_set(err, "accel: this machine has one engine");
    }
    return c->m->switch_engine(c->m, monitor_arg(a, "name")->text, err);
}

static bool cmd_info(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const char *what = monitor_arg(a, "what")->text;
    if (!what) {
        monitor_print_info_help(out);
        return true;
    }
    const char *names[64];
    size_t n = 0;
    for (const MonCommand *row = monitor_info_rows; row->name; row++) {
        if (strcmp(row->name, what) != 0 &&
            !(row->alias && strcmp(row->alias, what) == 0)) {
            if (n + 1 < ARRAY_SIZE(names)) {
                names[n++] = row->name;
            }
            continue;
        }
        const char *text = monitor_arg(a, "args")->text;
        MonArgs inner;
        bool ok = monitor_args_parse(&inner, row, text ? text : "", c->cpu, err) &&
                  row->run(c, &inner, out, err);
        monitor_args_free(&inner);
        return ok;
    }
    names[n] = NULL;
    return error_set_choice(err, "info", what, names);
}

static bool cmd_stop(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (c->m->state == RUN_RUNNING) {
        machine_pause(c->m);
        machine_tell(c->m, MACHINE_STOPPED);
    }
    return true;
}

static bool cmd_cont(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (c->m->state == RUN_INTERNAL_ERROR) {
        return error_set(err, "the machine stopped with an internal error; system_reset "
                              "first");
    }
    if (c->m->state != RUN_RUNNING) {
        machine_run(c->m);
        machine_tell(c->m, MACHINE_RESUMED);
    }
    return true;
}

static bool cmd_reset(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    machine_press_reset(c->m);
    return true;
}

static bool cmd_powerdown(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (!c->m->powerdown) {
        return error_set(err, "this machine has no power button");
    }
    machine_request_powerdown(c->m);
    return true;
}

static bool cmd_wakeup(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (!c->m->suspended) {
        return error_set(err, "system_wakeup: the machine does not sleep");
    }
    machine_wake(c->m, WAKE_OTHER);
    return true;
}

static bool cmd_balloon(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    uint64_t mib = monitor_arg(a, "mib")->num;
    if (!c->m->balloon.dev) {
        return error_set(err, "balloon: there is none: -device virtio-balloon-pci");
    }
    if (!mib || mib > UINT64_MAX / MiB) {
        return error_set(err, "balloon: expected the MiB that shall be left");
    }
    c->m->balloon.set(c->m->balloon.dev, mib * MiB);
    return true;
}

static bool cmd_nmi(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    if (c->m->nmi) {
        c->m->nmi(c->m);
    } else if (c->cpu) {
        cpu_request(c->cpu, CPU_REQ_NMI);
    }
    return true;
}

static bool cmd_quit(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    machine_quit(c->m, "host-qmp-quit");
    return true;
}

static bool cmd_cpu(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    uint64_t n = monitor_arg(a, "index")->num;
    if (n >= c->m->ncpus) {
        return error_set(err, "cpu: %" PRIu64 " is not accepted: expected 0 to %u", n,
                         c->m->ncpus ? c->m->ncpus - 1 : 0);
    }
    c->new_cpu = (int)n;
    return true;
}

static bool cmd_log(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const char *items = monitor_arg(a, "items")->text;
    if (strcmp(items, "help") == 0) {
        log_help(out);
        return true;
    }
    return log_set_items(strcmp(items, "none") == 0 ? "" : items, err);
}

static bool cmd_device_add(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return device_add(c->m, monitor_arg(a, "device")->text, err) != NULL;
}

static bool cmd_device_del(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const char *id = monitor_arg(a, "id")->text;
    Device *dev = device_find(c->m, id);
    if (!dev) {
        return error_set(err, "device_del: %s: no such device (info qtree lists them)",
                         id);
    }
    if (!dev->id || dev->cls->internal || dev->cls->bus != BUS_PCI) {
        return error_set(err,
                         "device_del: %s: a %s cannot be removed: expected a PCI device "
                         "with an id",
                         id, dev->cls->name);
    }
    device_destroy(dev);
    return true;
}

/* --- sendkey: pressed at once, let go after a while of virtual time --- */

typedef struct HeldKeys {
    Machine *m;
    unsigned codes[SENDKEY_MAX], n;
    Timer timer;
    struct HeldKeys *next;
} HeldKeys;

static HeldKeys *held_keys; /* all that wait for their timers */

static void free_keys(HeldKeys *h)
{
    HeldKeys **pp = &held_keys;
    while (*pp != h) {
        pp = &(*pp)->next;
    }
    *pp = h->next;
    timer_del(&h->timer);
    free(h);
}

static void release_keys(void *opaque)
{
    HeldKeys *h = opaque;
    for (unsigned i = h->n; i > 0; i--) {
        input_key(h->m, h->codes[i - 1], false);
    }
    free_keys(h);
}

void monitor_forget_keys(void)
{
    while (held_keys) {
        free_keys(held_keys);
    }
}

bool monitor_send_keys(Machine *m, const char *keys, uint64_t ms, Error *err)
{
    if (ms > SENDKEY_MAX_MS) {
        return error_set(err,
                         "sendkey: %" PRIu64 " is not accepted: expected at most %d ms",
                         ms, SENDKEY_MAX_MS);
    }
    HeldKeys *h = NEW(HeldKeys);
    h->m = m;
    h->n = key_names_parse(keys, h->codes, SENDKEY_MAX, err);
    if (!h->n) {
        error_prefix(err, "sendkey: ");
        free(h);
        return false;
    }
    for (unsigned i = 0; i < h->n; i++) {
        input_key(m, h->codes[i], true);
    }
    h->next = held_keys;
    held_keys = h;
    timer_init(&h->timer, m->clock, release_keys, h);
    timer_mod(&h->timer, clock_now(m->clock) + (int64_t)ms * 1000000);
    return true;
}

static bool cmd_sendkey(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const MonArg *hold = monitor_arg(a, "ms");
    return monitor_send_keys(c->m, monitor_arg(a, "keys")->text,
                             hold->given ? hold->num : SENDKEY_MS, err);
}

/* clang-format off: rows */
const MonCommand monitor_commands[] = {
    { "help", "?", "command:s?", "[COMMAND]", "this list, or one command", false,
      cmd_help },
    { "info", NULL, "what:s?,args:S?", "[WHAT]", "what the machine is and does", true,
      cmd_info },
    { "x", NULL, "fmt:f,addr:e", "/FMT ADDR",
      "memory at a virtual address; FMT is COUNT, one "
      "of x d u o c s i and one of b h w g",
      true, monitor_cmd_x },
    { "xp", NULL, "fmt:f,addr:e", "/FMT ADDR", "memory at a physical address", true,
      monitor_cmd_xp },
    { "print", "p", "fmt:f,value:e", "/FMT EXPR", "value of an expression", true,
      monitor_cmd_print },
    { "gva2gpa", NULL, "addr:e", "ADDR", "physical address of a virtual one", true,
      monitor_cmd_gva2gpa },
    { "memsave", NULL, "addr:e,size:e,file:s", "ADDR SIZE FILE",
      "virtual memory to a file", true, monitor_cmd_memsave },
    { "pmemsave", NULL, "addr:e,size:e,file:s", "ADDR SIZE FILE",
      "physical memory to a file", true, monitor_cmd_pmemsave },
    { "i", NULL, "fmt:f,port:e", "/SIZE PORT", "read an I/O port; SIZE is b h w", false,
      monitor_cmd_in },
    { "o", NULL, "fmt:f,port:e,value:e", "/SIZE PORT VALUE", "write an I/O port", false,
      monitor_cmd_out },
    { "cpu", NULL, "index:e", "N", "choose the vCPU that info, x and print look at",
      false, cmd_cpu },
    { "accel", NULL, "what:s,name:s", "switch NAME[,prop=value]", "run on with another engine, or the same one otherwise", true,
      cmd_accel },
    { "stop", "s", NULL, NULL, "pause the machine", false, cmd_stop },
    { "cont", "c", NULL, NULL, "go on", false, cmd_cont },
    { "system_reset", NULL, NULL, NULL, "the reset button", false, cmd_reset },
    { "system_powerdown", NULL, NULL, NULL, "the power button", false, cmd_powerdown },
    { "system_wakeup", NULL, NULL, NULL, "wake the machine from S3", false, cmd_wakeup },
    { "balloon", NULL, "mib:e", "MIB", "ask the guest to give back all memory but this", false,
      cmd_balloon },
    { "nmi", NULL, NULL, NULL, "the NMI button", false, cmd_nmi },
    { "sendkey", NULL, "keys:s,ms:e?", "KEY-KEY... [MS]",
      "press keys together, let go after "
      "MS milliseconds (100)",
      false, cmd_sendkey },
    { "mouse_move", NULL, "dx:e,dy:e,dz:e?", "DX DY [DZ]",
      "move the pointer by pixels, turn the wheel; write minus as (-N)", false,
      monitor_cmd_mouse_move },
    { "mouse_button", NULL, "state:e", "STATE",
      "buttons held down: 1 left, 2 right, 4 middle", false, monitor_cmd_mouse_button },
    { "screendump", NULL, "file:s,flag:s?,format:s?", "FILE [-f png|ppm]",
      "picture of the screen; PNG if FILE ends in .png, else PPM", false,
      monitor_cmd_screendump },
    { "change", NULL, "device:s,file:s,format:s?,mode:s?",
      "DEVICE FILE [raw [read-only|read-write]]",
      "another medium in a CD or floppy drive (info block lists them)", false,
      monitor_cmd_change },
    { "eject", NULL, "device:s,more:s?", "[-f] DEVICE",
      "take the medium out; -f: though the guest has locked it", false, monitor_cmd_eject },
    { "device_add", NULL, "device:S", "DRIVER,prop=value",
      "add a device as -device does; the "
      "guest must rescan its bus",
      true, cmd_device_add },
    { "device_del", NULL, "id:s", "ID", "pull a PCI device out, without asking the guest",
      true, cmd_device_del },
    { "log", NULL, "items:s", "ITEMS|none|help", "choose the log items, as -d", false,
      cmd_log },
    { "quit", "q", NULL, NULL, "end the program", false, cmd_quit },
    { NULL }
};
/* clang-format on */

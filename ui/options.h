/* SPDX-License-Identifier: MIT */
/*
 * The command line. One table of rows (ui/option_table.c) makes parsing, -help and the
 * man page. Parsing only records: it opens nothing, makes nothing and prints nothing,
 * so a wrong option leaves nothing half-made. Values of engines, devices and backends
 * are checked by their owners, whom only main.c knows.
 */
#ifndef UI_OPTIONS_H
#define UI_OPTIONS_H

#include <stdio.h>
#include "hw/core/machine.h"
#include "util/compiler.h"
#include "util/error.h"

/* One given option: which spelling, and its text. */
typedef struct OptionUse {
    const char *option;     /* "-hda": for messages */
    const char *text;
} OptionUse;

typedef struct OptionList {
    OptionUse *v;
    size_t n;
} OptionList;

typedef struct Options {
    MachineConfig cfg;
    const char *machine;    /* "pc,prop=value" without accel=; NULL: the default board */
    const char *irqchip;    /* -machine kernel_irqchip=, which KVM heeds; NULL: not given */
    OptionList accels;      /* in the order of wish */
    OptionList drives;      /* -drive, -hda.., -cdrom: all in -drive's language */
    OptionList blockdevs, devices, netdevs, nics, chardevs;
    OptionList serials, monitors, debugcons; /* a monitor given as -qmp speaks QMP */
    OptionList firmware_dirs;
    const char *display;    /* NULL: the default */
    const char *vga;        /* NULL: the default */
    const char *log_items, *log_file, *log_filter, *pidfile, *profile, *replay_case;
    const char *gdb;        /* NULL: no debugger */
    OptionList symbols;     /* files with names of guest addresses */
    uint64_t memory_object;  /* size of a -object memory-backend-..., 0: none */
    bool nographic, snapshot;
    bool usb;               /* -usb, -machine usb=on: a controller whether or not it is used */
    bool bare_images;       /* images were given without an option */
    bool no_network;        /* -net none, -nic none */
    const char *net_nic, *net_user; /* -net nic and -net user: what follows the word */
    bool daemonize;
    struct OptionText *owned; /* texts that the parser made */

    /* OPTIONS_HELP: what was asked: option "device", value "virtio-blk-pci,help". */
    const char *help_option, *help_value;
} Options;

enum OptionsVerdict {
    OPTIONS_RUN,
    OPTIONS_ERROR,      /* err is set */
    OPTIONS_HELP,       /* `-device help`: main.c prints it, exit 0 */
    OPTIONS_USAGE,      /* -help */
    OPTIONS_VERSION,
    OPTIONS_MAN,        /* --dump-man: the man page, for the build */
};

enum OptionsVerdict options_parse(Options *o, int argc, char **argv, Error *err);
void options_free(Options *o);

/* Help of a value that the table knows by itself; false: the caller's to print. */
bool options_value_help(const Options *o, FILE *f);
void options_usage(FILE *f);
void options_man(FILE *f);     /* roff */
void options_version(FILE *f);

/* Of a row: how options.c sees the table. */
typedef struct OptionRow {
    const char *name;
    const char *alias;      /* other spelling or NULL */
    const char *metavar;    /* NULL: takes no value */
    bool repeatable;        /* each use adds; else the last one counts */
    bool has_help;          /* the value may be "help" or "NAME,help" */
    const char *help;       /* NULL: left out of -help and the man page */
    bool (*set)(Options *o, const struct OptionRow *row, const char *value, Error *err);
    size_t offset;          /* of the field, for the common setters */
    const Property *props;  /* has_help: the value's properties, where ui knows them */
    void (*values)(FILE *f);     /* or: prints the kinds of value */
    enum OptionsVerdict verdict; /* what the option ends parsing with, OPTIONS_RUN: none */
} OptionRow;

typedef struct OptionSection {
    const char *title;
    const OptionRow *rows;  /* ended by a NULL name */
} OptionSection;

extern const OptionSection option_sections[]; /* ended by a NULL title */

/* `dyad FILE`: a file named *.iso is a CD, anything else a disk. By its name, never by its
 * content, which a guest may have written. */
void options_add_image(Options *o, const char *file);
/* A text that lives as long as o; takes over a malloc'ed string. */
const char *options_own(Options *o, char *text);
void option_list_add(OptionList *l, const char *option, const char *text);

#endif

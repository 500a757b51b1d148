/* SPDX-License-Identifier: MIT */
/*
 * Walks argv along the rows of ui/option_table.c; prints usage and the man page from
 * the same rows. Knows no option by name.
 */
#include "ui/options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ui/foreign.h"
#include "util/alloc.h"

struct OptionText {
    char *text;
    struct OptionText *next;
};

const char *options_own(Options *o, char *text)
{
    struct OptionText *t = NEW(struct OptionText);
    t->text = text;
    t->next = o->owned;
    o->owned = t;
    return text;
}

void option_list_add(OptionList *l, const char *option, const char *text)
{
    l->v = xrealloc(l->v, (l->n + 1) * sizeof(OptionUse));
    l->v[l->n++] = (OptionUse){ option, text };
}

void options_free(Options *o)
{
    free((void *)o->cfg.globals);
    free((void *)o->cfg.oem_strings);
    free(o->cfg.fw_files);
    OptionList *lists[] = {
        &o->accels,   &o->drives,    &o->blockdevs,     &o->devices,
        &o->netdevs,  &o->nics,      &o->chardevs,      &o->serials,
        &o->monitors, &o->debugcons, &o->firmware_dirs, &o->symbols,
    };
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        free(lists[i]->v);
    }
    while (o->owned) {
        struct OptionText *t = o->owned;
        o->owned = t->next;
        free(t->text);
        free(t);
    }
    *o = (Options){ 0 };
}

static const OptionRow *find_row(const char *name)
{
    for (const OptionSection *s = option_sections; s->title; s++) {
        for (const OptionRow *r = s->rows; r->name; r++) {
            if (strcmp(r->name, name) == 0 || (r->alias && strcmp(r->alias, name) == 0)) {
                return r;
            }
        }
    }
    return NULL;
}

static bool set_unknown(Error *err, const char *given, const char *name)
{
    const char *names[256];
    size_t n = 0;
    for (const OptionSection *s = option_sections; s->title; s++) {
        for (const OptionRow *r = s->rows; r->name && n + 3 < ARRAY_SIZE(names); r++) {
            names[n++] = r->name;
            if (r->alias) {
                names[n++] = r->alias;
            }
        }
    }
    names[n] = NULL;
    const char *hint = foreign_option(name);
    if (hint) {
        return error_set(err, "%s: there is no such option: %s (-help lists all)", given, hint);
    }
    const char *near = nearest_match(name, names);
    if (near) {
        return error_set(err, "%s: unknown option; did you mean '-%s'? (-help lists all)",
                         given, near);
    }
    return error_set(err, "%s: unknown option (-help lists all)", given);
}

/* "help", "?", "NAME,help", or "NAME,?". */
static bool asks_help(const char *value)
{
    size_t n = strlen(value);
    return strcmp(value, "help") == 0 || strcmp(value, "?") == 0 ||
           (n > 5 && strcmp(value + n - 5, ",help") == 0) ||
           (n > 2 && strcmp(value + n - 2, ",?") == 0);
}

enum OptionsVerdict options_parse(Options *o, int argc, char **argv, Error *err)
{
    *o = (Options){ 0 };
    for (int i = 1; i < argc; i++) {
        const char *given = argv[i];
        if (given[0] != '-' || !given[1]) {
            options_add_image(o, given);
            continue;
        }
        const char *name = given + (given[1] == '-' ? 2 : 1);
        const OptionRow *r = find_row(name);
        if (!r) {
            set_unknown(err, given, name);
            return OPTIONS_ERROR;
        }
        const char *value = NULL;
        if (r->metavar) {
            if (i + 1 >= argc) {
                error_set(err, "%s: needs a value: %s %s", given, given, r->metavar);
                return OPTIONS_ERROR;
            }
            value = argv[++i];
            if (r->has_help && asks_help(value)) {
                o->help_option = r->name;
                o->help_value = value;
                return OPTIONS_HELP;
            }
        }
        if (r->verdict != OPTIONS_RUN) {
            return r->verdict;
        }
        if (!r->set(o, r, value, err)) {
            return OPTIONS_ERROR;
        }
    }
    for (size_t i = 0; o->irqchip && i < o->accels.n; i++) { /* a property of KVM alone */
        const char *text = o->accels.v[i].text;
        if ((strcmp(text, "kvm") == 0 || strncmp(text, "kvm,", 4) == 0) &&
            !strstr(text, ",irqchip=")) {
            o->accels.v[i].text = options_own(o, xasprintf("%s,irqchip=%s", text, o->irqchip));
        }
    }
    if (o->memory_object && o->cfg.ram_size && o->memory_object != o->cfg.ram_size) {
        error_set(err, "-object: size=%llu is not accepted: expected what -m says, %llu",
                  (unsigned long long)o->memory_object, (unsigned long long)o->cfg.ram_size);
        return OPTIONS_ERROR;
    }
    if (o->memory_object) {
        o->cfg.ram_size = o->memory_object;
    }
    if (o->bare_images && !o->cfg.ram_size) {
        o->cfg.ram_size = GiB; /* enough for an installer with a picture */
    }
    if (!o->cfg.kernel && (o->cfg.initrd || o->cfg.append)) {
        error_set(err, "%s: only goes with -kernel FILE",
                  o->cfg.initrd ? "-initrd" : "-append");
        return OPTIONS_ERROR;
    }
    return OPTIONS_RUN;
}

bool options_value_help(const Options *o, FILE *f)
{
    const OptionRow *r = find_row(o->help_option);
    if (r->values) {
        r->values(f);
    } else if (r->props) {
        fprintf(f, "-%s %s\n", r->name, r->metavar);
        property_help(r->props, f);
    } else {
        return false;
    }
    return true;
}

/* Prints text in lines of `width`, each begun with `indent` spaces; the first line
 * continues at column `at`. */
static void print_wrapped(FILE *f, const char *text, int at, int indent, int width)
{
    int col = at;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (col + 1 + n > width && col > indent) {
            fprintf(f, "\n%*s", indent, "");
            col = indent;
        }
        while (col < indent) {
            fputc(' ', f);
            col++;
        }
        bool first = col == indent;
        fprintf(f, "%s%.*s", first ? "" : " ", n, text);
        col += n + (first ? 0 : 1);
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', f);
}

void options_usage(FILE *f)
{
    fprintf(f, "usage: dyad [options] [DISK-IMAGE | CD.iso]...\n");
    for (const OptionSection *s = option_sections; s->title; s++) {
        fprintf(f, "\n%s:\n", s->title);
        for (const OptionRow *r = s->rows; r->name; r++) {
            if (!r->help) {
                continue;
            }
            int at = fprintf(f, "  -%s%s%s%s%s", r->name, r->alias ? ", -" : "",
                             r->alias ? r->alias : "", r->metavar ? " " : "",
                             r->metavar ? r->metavar : "");
            if (at > 26) {
                fputc('\n', f);
                at = 0;
            }
            print_wrapped(f, r->help, at, 28, 88);
        }
    }
    fprintf(f,
            "\nAn option may be written with one dash or two. Where a value has kinds, "
            "`help` as the\nvalue lists them and `NAME,help` shows one.\n");
}

void options_version(FILE *f)
{
    fprintf(f, "dyad %s, a PC emulator\n", PACKAGE_VERSION);
}

/* Text with roff's special characters made harmless. */
static void roff_text(FILE *f, const char *text)
{
    if (*text == '.' || *text == '\'') {
        fputs("\\&", f);
    }
    for (; *text; text++) {
        if (*text == '\\') {
            fputs("\\e", f);
        } else if (*text == '-') {
            fputs("\\-", f);
        } else {
            fputc(*text, f);
        }
    }
}

static void roff_row(FILE *f, const OptionRow *r)
{
    fputs(".TP\n\\fB", f);
    roff_text(f, "-");
    roff_text(f, r->name);
    fputs("\\fR", f);
    if (r->alias) {
        fputs(", \\fB", f);
        roff_text(f, "-");
        roff_text(f, r->alias);
        fputs("\\fR", f);
    }
    if (r->metavar) {
        fputs(" \\fI", f);
        roff_text(f, r->metavar);
        fputs("\\fR", f);
    }
    fputc('\n', f);
    roff_text(f, r->help);
    if (r->repeatable) {
        fputs(" May be repeated.", f);
    }
    fputc('\n', f);
}

static const char man_tail[] =
    ".SH EXAMPLES\n"
    "Boot a Debian kernel to a serial console on this terminal:\n"
    ".PP\n.nf\n"
    "dyad \\-accel tcg \\-m 512M \\-nographic \\-kernel vmlinuz \\-initrd initrd.gz \\e\n"
    "     \\-append 'console=ttyS0'\n"
    ".fi\n.PP\n"
    "With \\fB\\-nographic\\fR (or \\fB\\-serial mon:stdio\\fR) the keys ctrl\\-a x end the "
    "program,\nctrl\\-a c switches to the monitor and back, ctrl\\-a h lists the others.\n"
    ".SH EXIT STATUS\n"
    "0 after a shutdown, 1 for a wrong option or a failure to start; the test device "
    "isa\\-debug\\-exit\nends the program with the status it is given.\n";

void options_man(FILE *f)
{
    fprintf(
        f,
        ".\\\" Made by `dyad --dump-man` from ui/option_table.c.\n"
        ".TH DYAD 1 \"\" \"dyad %s\" \"User Commands\"\n"
        ".SH NAME\ndyad \\- PC emulator with a fast binary translator\n"
        ".SH SYNOPSIS\n\\fBdyad\\fR [\\fIoptions\\fR] [\\fIdisk-image\\fR | "
        "\\fIcd.iso\\fR]...\n"
        ".SH DESCRIPTION\n"
        "dyad runs an x86 PC and the operating system in it as a program. Options are "
        "spelt as\nQEMU users know them, with one dash or two. A file given without an "
        "option is a CD if\nits name ends in .iso, else an IDE disk in raw format.\n"
        ".SH OPTIONS\n",
        PACKAGE_VERSION);
    for (const OptionSection *s = option_sections; s->title; s++) {
        fprintf(f, ".SS %s\n", s->title);
        for (const OptionRow *r = s->rows; r->name; r++) {
            if (r->help) {
                roff_row(f, r);
            }
        }
    }
    fputs(man_tail, f);
}

/* SPDX-License-Identifier: MIT */
/*
 * The option table and the setters of its rows. A setter checks everything that can be
 * judged without opening or making anything. Adding an option is a row here (and a
 * setter if none of the common ones fits); help and man page follow.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "ui/option_set.h"
#include "ui/options.h"
#include "ui/ui.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/property.h"

/* --- common setters: the field is at row->offset --- */

static void *field(Options *o, const OptionRow *row)
{
    return (char *)o + row->offset;
}

static bool set_flag(Options *o, const OptionRow *row, const char *value, Error *err)
{
    *(bool *)field(o, row) = true;
    return true;
}

static bool set_text(Options *o, const OptionRow *row, const char *value, Error *err)
{
    if (!*value) {
        return error_set(err, "-%s: is empty: expected %s", row->name, row->metavar);
    }
    *(const char **)field(o, row) = value;
    return true;
}

/* -append "" is a command line too. */
static bool set_any_text(Options *o, const OptionRow *row, const char *value, Error *err)
{
    *(const char **)field(o, row) = value;
    return true;
}

static bool add_text(Options *o, const OptionRow *row, const char *value, Error *err)
{
    if (!*value) {
        return error_set(err, "-%s: is empty: expected %s", row->name, row->metavar);
    }
    /* "-drive" for messages */
    char *option = xasprintf("-%s", row->name);
    option_list_add(field(o, row), options_own(o, option), value);
    return true;
}

/* --- machine --- */

/* Keys of -machine that are not the board's own. */
static bool machine_key(Options *o, const char *item, size_t n, bool *taken, Error *err)
{
    static const char *const modes[] = { "on", "off", "split", NULL };
    if (strncmp(item, "usb=", 4) == 0) { /* of every board */
        static const char *const switches[] = { "on", "off", NULL };
        char *value = xasprintf("%.*s", (int)n - 4, item + 4);
        o->usb = strcmp(value, "on") == 0;
        *taken = true;
        bool ok = o->usb || strcmp(value, "off") == 0 ||
                  error_set_choice(err, "-machine: usb", value, switches);
        free(value);
        return ok;
    }
    *taken = n == 0 || strncmp(item, "accel=", 6) == 0 || strncmp(item, "type=", 5) == 0 ||
             strncmp(item, "memory-backend=", 15) == 0;
    if (strncmp(item, "kernel_irqchip=", 15) != 0 && strncmp(item, "kernel-irqchip=", 15) != 0) {
        return true;
    }
    char *mode = xasprintf("%.*s", (int)n - 15, item + 15);
    *taken = true;
    for (size_t i = 0; modes[i]; i++) {
        if (strcmp(mode, modes[i]) == 0) {
            o->irqchip = modes[i];
            free(mode);
            return true;
        }
    }
    error_set_choice(err, "-machine: kernel_irqchip", mode, modes);
    free(mode);
    return false;
}

/* "pc,accel=tcg,hpet=off": accel= goes to the engines, the rest to the board. Several
 * -machine are one: what is not given again stays. */
static bool set_machine(Options *o, const OptionRow *row, const char *value, Error *err)
{
    char *type = property_get_text(value, "type");
    char *accel = property_get_text(value, "accel");
    if (accel) {
        option_list_add(&o->accels, "-machine accel=", options_own(o, accel));
    }
    const char *old_rest = "", *rest;
    char *old = o->machine ? property_first_word(o->machine, &old_rest) : NULL;
    char *first = property_first_word(value, &rest);
    const char *name = first ? first : type ? type : old ? old : "";
    const char *given = old || !o->machine ? old_rest : o->machine;
    char *text = xasprintf("%s%s%s", name, *name && *given ? "," : "", given);
    bool ok = true;
    for (const char *p = first ? rest : value; ok && *p;) {
        size_t n = strcspn(p, ",");
        bool taken;
        ok = machine_key(o, p, n, &taken, err);
        if (!taken) {
            char *longer = xasprintf("%s%s%.*s", text, *text ? "," : "", (int)n, p);
            free(text);
            text = longer;
        }
        p += n + (p[n] == ',');
    }
    free(first);
    free(type);
    free(old);
    o->machine = options_own(o, text);
    return ok;
}

static bool add_kvm(Options *o, const OptionRow *row, const char *value, Error *err)
{
    option_list_add(&o->accels, "-enable-kvm", "kvm");
    return true;
}

/* DRIVER.PROP=VALUE, as one text each in cfg.globals, which ends with NULL. */
static bool add_global(Options *o, const OptionRow *row, const char *value, Error *err)
{
    char *driver = property_get_text(value, "driver"), *prop = property_get_text(value, "property");
    char *text = property_get_text(value, "value");
    if (driver && prop && text) {
        value = options_own(o, xasprintf("%s.%s=%s", driver, prop, text));
    }
    free(driver);
    free(prop);
    free(text);
    const char *equal = strchr(value, '='), *dot = NULL;
    for (const char *p = value; equal && p < equal; p++) { /* the last: cfi.pflash01.secure=on */
        dot = *p == '.' ? p : dot;
    }
    if (!dot || dot == value || equal == dot + 1) {
        return error_set(err, "-global: %s is not accepted: expected DRIVER.PROP=VALUE", value);
    }
    size_t n = 0;
    while (o->cfg.globals && o->cfg.globals[n]) {
        n++;
    }
    o->cfg.globals = xrealloc(o->cfg.globals, (n + 2) * sizeof(*o->cfg.globals));
    o->cfg.globals[n] = value;
    o->cfg.globals[n + 1] = NULL;
    return true;
}

typedef struct MemoryOption {
    char *size, *maxmem;
    uint32_t slots;
} MemoryOption;

static const Property memory_props[] = {
    PROP_STR(MemoryOption, size, NULL, "RAM, MiB unless K, M, G or T follows"),
    PROP_STR(MemoryOption, maxmem, NULL, "must equal size: there is no memory hot-plug"),
    PROP_U32(MemoryOption, slots, 0, 0, 256, "accepted: of no use without maxmem"),
    PROP_END
};

static bool take_memory(Options *o, const char *text, const char *max, Error *err)
{
    uint64_t size = 0, most = 0;
    if (!text || !parse_size(text, MiB, &size) || size < MiB || size > 1024 * GiB) {
        return error_set(err, "-m: %s is not accepted: expected a size from 1M to 1024G such as "
                         "512M, 2G or 2048 (MiB)", text ? text : "");
    }
    if (max && (!parse_size(max, MiB, &most) || most != size)) {
        return error_set(err, "-m: maxmem=%s is not accepted: expected %s (no memory hot-plug)",
                         max, text);
    }
    o->cfg.ram_size = ALIGN_UP(size, 4096);
    return true;
}

static bool set_memory(Options *o, const OptionRow *row, const char *value, Error *err)
{
    const char *rest = value;
    char *first = property_first_word(value, &rest);
    MemoryOption m = { 0 };
    bool ok = property_parse(memory_props, &m, rest, NULL, err);
    if (!ok) {
        error_prefix(err, "-m: ");
    } else {
        ok = take_memory(o, m.size ? m.size : first ? first : value, m.maxmem, err);
    }
    property_free(memory_props, &m);
    free(first);
    return ok;
}

typedef struct SmpOption {
    uint32_t cpus, maxcpus, sockets, dies, clusters, modules, cores, threads;
} SmpOption;

#define SMP_PROP(f, h) PROP_U32(SmpOption, f, 0, 1, MACHINE_MAX_CPUS, h)
static const Property smp_props[] = {
    SMP_PROP(cpus, "virtual CPUs"),
    SMP_PROP(maxcpus, "must equal cpus: there is no CPU hot-plug"),
    SMP_PROP(sockets, "packages"),
    SMP_PROP(dies, "must be 1"),
    SMP_PROP(clusters, "must be 1"),
    SMP_PROP(modules, "must be 1"),
    SMP_PROP(cores, "cores of a package"),
    SMP_PROP(threads, "threads of a core"),
    PROP_END
};

/* Missing factors of cpus = sockets * cores * threads: sockets takes what is left, as
 * cores and threads are 1 unless given. */
static bool smp_complete(SmpOption *s, Error *err)
{
    bool topology = s->sockets || s->cores || s->threads;
    uint32_t threads = s->threads ? s->threads : 1;
    uint32_t cores = s->cores ? s->cores : 1;
    uint32_t sockets = s->sockets ? s->sockets : 1;
    if (!s->cpus) {
        s->cpus = s->maxcpus ? s->maxcpus : sockets * cores * threads;
    }
    if (s->cpus > MACHINE_MAX_CPUS) {
        return error_set(err, "-smp: %u CPUs are not accepted: expected 1 to %u", s->cpus,
                         MACHINE_MAX_CPUS);
    }
    if (s->maxcpus && s->maxcpus != s->cpus) {
        return error_set(err,
                         "-smp: maxcpus=%u is not accepted: expected %u (no CPU "
                         "hot-plug)",
                         s->maxcpus, s->cpus);
    }
    if (!topology) {
        return true;
    }
    if (!s->sockets) {
        sockets = s->cpus / (cores * threads);
    } else if (!s->cores) {
        cores = s->cpus / (sockets * threads);
    } else if (!s->threads) {
        threads = s->cpus / (sockets * cores);
    }
    if (sockets * cores * threads != s->cpus) {
        return error_set(err, "-smp: sockets=%u * cores=%u * threads=%u is not cpus=%u",
                         sockets, cores, threads, s->cpus);
    }
    s->sockets = sockets;
    s->cores = cores;
    s->threads = threads;
    return true;
}

static bool set_smp(Options *o, const OptionRow *row, const char *value, Error *err)
{
    SmpOption s = { 0 };
    const char *rest = value;
    char *first = property_first_word(value, &rest);
    if (first) {
        uint64_t n = 0;
        bool ok = parse_u64(first, &n) && n >= 1 && n <= MACHINE_MAX_CPUS;
        free(first);
        if (!ok) {
            return error_set(err,
                             "-smp: %.*s is not accepted: expected a number of CPUs "
                             "from 1 to %u",
                             (int)strcspn(value, ","), value, MACHINE_MAX_CPUS);
        }
        s.cpus = (uint32_t)n;
    }
    if (!property_parse(smp_props, &s, rest, NULL, err)) {
        error_prefix(err, "-smp: ");
        return false;
    }
    if (s.dies > 1 || s.clusters > 1 || s.modules > 1) {
        return error_set(err, "-smp: %s=%u is not accepted: expected 1",
                         s.dies > 1 ? "dies" : s.clusters > 1 ? "clusters" : "modules",
                         s.dies > 1 ? s.dies : s.clusters > 1 ? s.clusters : s.modules);
    }
    if (!smp_complete(&s, err)) {
        return false;
    }
    o->cfg.cpus = s.cpus;
    o->cfg.sockets = s.sockets;
    o->cfg.cores = s.cores;
    o->cfg.threads = s.threads;
    return true;
}

typedef struct NameOption {
    char *guest, *process;
    bool debug_threads;
} NameOption;

static const Property name_props[] = {
    PROP_STR(NameOption, guest, NULL, "the guest's name, shown in titles"),
    PROP_STR(NameOption, process, NULL, "accepted for other tools' sake; no effect"),
    { .name = "debug-threads",
      .kind = PK_BOOL,
      .offset = offsetof(NameOption, debug_threads),
      .max = 1,
      .help = "accepted; threads always have names" },
    PROP_END
};

static bool set_name(Options *o, const OptionRow *row, const char *value, Error *err)
{
    NameOption n = { 0 };
    const char *rest = value;
    char *first = property_first_word(value, &rest);
    if (!property_parse(name_props, &n, rest, NULL, err)) {
        error_prefix(err, "-name: ");
        property_free(name_props, &n);
        free(first);
        return false;
    }
    const char *name = first ? first : n.guest;
    o->cfg.name = name ? options_own(o, xstrdup(name)) : NULL;
    property_free(name_props, &n);
    free(first);
    return true;
}

static bool set_uuid(Options *o, const OptionRow *row, const char *value, Error *err)
{
    bool ok = strlen(value) == 36;
    for (int i = 0; ok && i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        ok = dash ? value[i] == '-' : isxdigit((unsigned char)value[i]) != 0;
    }
    if (!ok) {
        return error_set(err,
                         "-uuid: %s is not accepted: expected hexadecimal digits as in "
                         "550e8400-e29b-41d4-a716-446655440000",
                         value);
    }
    o->cfg.uuid = value;
    return true;
}

#define SMBIOS_PROP(n, i, h) { n, PK_STR, (i) * sizeof(char *), 0, 0, 0, NULL, NULL, NULL, h }
static const Property smbios0_props[] = {
    SMBIOS_PROP("vendor", SMBIOS_VENDOR, "who made the firmware"),
    SMBIOS_PROP("version", SMBIOS_BIOS_VERSION, "the firmware's version"),
    SMBIOS_PROP("date", SMBIOS_DATE, "the firmware's date"),
    PROP_END
};
static const Property smbios1_props[] = {
    SMBIOS_PROP("manufacturer", SMBIOS_MANUFACTURER, "who made the system"),
    SMBIOS_PROP("product", SMBIOS_PRODUCT, "the system's name"),
    SMBIOS_PROP("version", SMBIOS_VERSION, "the system's version"),
    SMBIOS_PROP("serial", SMBIOS_SERIAL, "its serial number; cloud-init reads ds=nocloud here"),
    SMBIOS_PROP("sku", SMBIOS_SKU, "its order number"),
    SMBIOS_PROP("family", SMBIOS_FAMILY, "its family"),
    SMBIOS_PROP("uuid", SMBIOS_TEXTS, "the same as -uuid"),
    PROP_END
};
static const Property smbios11_props[] = {
    SMBIOS_PROP("value", 0, "an OEM string; give the option again for another one"),
    PROP_END
};

/* What was parsed, into the configuration; the texts become the options' own. */
static bool take_smbios(Options *o, const OptionRow *row, int type, char **text, Error *err)
{
    MachineConfig *c = &o->cfg;
    if (type == 11) {
        size_t n = 0;
        while (c->oem_strings && c->oem_strings[n]) {
            n++;
        }
        if (!text[0] || !*text[0] || n == UINT8_MAX) {
            return error_set(err, "-smbios: type=11 needs one value=TEXT each, 255 at most");
        }
        c->oem_strings = xrealloc(c->oem_strings, (n + 2) * sizeof(*c->oem_strings));
        c->oem_strings[n] = options_own(o, xstrdup(text[0]));
        c->oem_strings[n + 1] = NULL;
        return true;
    }
    for (unsigned i = 0; i < SMBIOS_TEXTS; i++) {
        c->smbios[i] = text[i] ? options_own(o, xstrdup(text[i])) : c->smbios[i];
    }
    return !text[SMBIOS_TEXTS] ||
           set_uuid(o, row, options_own(o, xstrdup(text[SMBIOS_TEXTS])), err);
}

static bool set_smbios(Options *o, const OptionRow *row, const char *value, Error *err)
{
    static const char *const skip[] = { "type", NULL };
    static const char *const types[] = { "0", "1", "11", NULL };
    char *type = property_get_text(value, "type"), *text[SMBIOS_TEXTS + 1] = { 0 };
    const char *more = strstr(value, "value=");
    int t = !type                    ? -1
            : !strcmp(type, "0")     ? 0
            : !strcmp(type, "1")     ? 1
            : !strcmp(type, "11")    ? 11
                                     : -1;
    const Property *props = t == 0 ? smbios0_props : t == 1 ? smbios1_props : smbios11_props;
    bool ok = t >= 0 ? property_parse(props, text, value, skip, err)
                     : error_set_choice(err, "type", type ? type : "(none)", types);
    if (!ok) {
        error_prefix(err, "-smbios: ");
    } else if (t == 11 && more && strstr(more, ",value=")) {
        ok = error_set(err, "-smbios: %s: one value= each: give the option again", value);
    } else {
        ok = take_smbios(o, row, t, text, err);
    }
    for (unsigned i = 0; i <= SMBIOS_TEXTS; i++) {
        free(text[i]);
    }
    free(type);
    return ok;
}

typedef struct RtcOption {
    char *base;
    int clock, driftfix;
} RtcOption;

static const char *const rtc_clocks[] = { "host", "vm", "rt", NULL };
static const char *const rtc_fixes[] = { "none", "slew", NULL };
static const Property rtc_props[] = {
    PROP_STR(RtcOption, base, "utc", "utc, localtime, or a date: 2026-01-31T12:00:00"),
    PROP_ENUM(RtcOption, clock, 0, rtc_clocks, "what drives it; it stands while paused"),
    PROP_ENUM(RtcOption, driftfix, 0, rtc_fixes, "accepted: late interrupts come later"),
    PROP_END
};

static bool rtc_base_ok(const char *base)
{
    struct tm tm = { 0 };
    if (strcmp(base, "utc") == 0 || strcmp(base, "localtime") == 0) {
        return true;
    }
    const char *end = strptime(base, "%Y-%m-%d", &tm);
    if (end && *end == 'T') {
        end = strptime(end, "T%H:%M:%S", &tm);
    }
    return end && !*end;
}

static bool set_rtc(Options *o, const OptionRow *row, const char *value, Error *err)
{
    RtcOption r = { 0 };
    property_defaults(rtc_props, &r);
    bool ok = property_parse(rtc_props, &r, value, NULL, err);
    if (!ok) {
        error_prefix(err, "-rtc: ");
    } else if (!r.base || !rtc_base_ok(r.base)) {
        ok = error_set(err,
                       "-rtc: base=%s is not accepted: expected utc, localtime or a "
                       "date such as 2026-01-31T12:00:00",
                       r.base ? r.base : "");
    } else {
        o->cfg.rtc_base = options_own(o, xstrdup(r.base));
    }
    property_free(rtc_props, &r);
    return ok;
}

typedef struct BootOption {
    char *order, *once;
    bool menu, strict;
    char *splash, *reboot_timeout;
    uint32_t splash_time;
} BootOption;

static const Property boot_props[] = {
    PROP_STR(BootOption, order, NULL, "letters: a floppy, c disk, d CD, n network"),
    PROP_STR(BootOption, once, NULL, "order of the first boot only"),
    PROP_BOOL(BootOption, menu, 0, "the firmware's boot menu"),
    PROP_BOOL(BootOption, strict, 0, "try nothing but the order given"),
    PROP_STR(BootOption, splash, NULL, "a JPEG or BMP that SeaBIOS shows before it boots"),
    { "splash-time", PK_U32, offsetof(BootOption, splash_time), 0, 0, 65535, NULL, NULL, NULL,
      "ms for the picture and the menu's prompt" },
    { "reboot-timeout", PK_STR, offsetof(BootOption, reboot_timeout), 0, 0, 0, NULL, NULL, NULL,
      "ms before it tries again if nothing boots, 0 to 65535; -1: never" },
    PROP_END
};

static bool boot_letters_ok(const char *s, Error *err)
{
    if (s && strspn(s, "abcdnp") != strlen(s)) {
        return error_set(err,
                         "-boot: %s is not accepted: expected letters of a (floppy), c "
                         "(disk), d (CD), n (network)",
                         s);
    }
    return true;
}

static bool boot_timeout_ok(const char *s, Error *err)
{
    uint64_t ms;
    if (!s || strcmp(s, "-1") == 0 || (parse_u64(s, &ms) && ms <= 65535)) {
        return true;
    }
    return error_set(err, "-boot: reboot-timeout=%s is not accepted: expected -1 to 65535", s);
}

static bool set_boot(Options *o, const OptionRow *row, const char *value, Error *err)
{
    BootOption b = { 0 };
    const char *rest = value;
    char *first = property_first_word(value, &rest);
    bool ok = property_parse(boot_props, &b, rest, NULL, err);
    if (!ok) {
        error_prefix(err, "-boot: ");
    }
    ok = ok && boot_letters_ok(first, err) && boot_letters_ok(b.order, err) &&
         boot_letters_ok(b.once, err) && boot_timeout_ok(b.reboot_timeout, err);
    if (ok) {
        o->cfg.boot = value;
    }
    property_free(boot_props, &b);
    free(first);
    return ok;
}

/* --- disks: everything becomes a -drive text --- */

/* A comma in a file name is written twice in option texts. */
static char *escape_commas(const char *s)
{
    char *out = xalloc(2 * strlen(s) + 1), *p = out;
    for (; *s; s++) {
        *p++ = *s;
        if (*s == ',') {
            *p++ = ',';
        }
    }
    *p = 0;
    return out;
}

static bool add_disk(Options *o, const OptionRow *row, const char *value, Error *err)
{
    bool cd = strcmp(row->name, "cdrom") == 0;
    bool floppy = row->name[0] == 'f';
    char *file = escape_commas(value);
    char *text = xasprintf("file=%s,if=%s,index=%d,media=%s", file,
                           floppy ? "floppy" : "ide",
                           cd ? 2 : row->name[2] - 'a', cd ? "cdrom" : "disk");
    free(file);
    char *option = xasprintf("-%s", row->name);
    option_list_add(&o->drives, options_own(o, option), options_own(o, text));
    return true;
}

void options_add_image(Options *o, const char *file)
{
    size_t n = strlen(file);
    bool cd = n > 4 && strcasecmp(file + n - 4, ".iso") == 0;
    char *escaped = escape_commas(file);
    char *text = xasprintf("file=%s,if=ide,media=%s", escaped, cd ? "cdrom" : "disk");
    free(escaped);
    option_list_add(&o->drives, "image", options_own(o, text));
    o->bare_images = true;
}

/* -pflash FILE is -drive if=pflash,format=raw,file=FILE. */
static bool add_pflash(Options *o, const OptionRow *row, const char *value, Error *err)
{
    char *file = escape_commas(value);
    char *text = xasprintf("if=pflash,format=raw,file=%s", file);
    free(file);
    option_list_add(&o->drives, "-pflash", options_own(o, text));
    return true;
}

/* --- network --- */

static bool set_net(Options *o, const OptionRow *row, const char *value, Error *err)
{
    static const char *const kinds[] = { "none", "nic", "user", NULL };
    const char *rest = "";
    char *first = property_first_word(value, &rest);
    if (first && strcmp(first, "none") == 0 && !*rest) {
        o->no_network = true;
    } else if (first && strcmp(first, "nic") == 0) {
        o->net_nic = rest;
    } else if (first && strcmp(first, "user") == 0) {
        o->net_user = rest;
    } else {
        error_set_choice(err, "-net", value, kinds);
    }
    free(first);
    return !err->msg;
}

static bool add_nic(Options *o, const OptionRow *row, const char *value, Error *err)
{
    if (strcmp(value, "none") == 0) {
        o->no_network = true;
        return true;
    }
    return add_text(o, row, value, err);
}

/* --- what is not there: says so --- */

static bool set_gdb_default(Options *o, const OptionRow *row, const char *value, Error *err)
{
    o->gdb = "tcp::1234";
    return true;
}

static bool set_parallel(Options *o, const OptionRow *row, const char *value, Error *err)
{
    if (strcmp(value, "none") == 0 || strcmp(value, "null") == 0) {
        return true;
    }
    return error_set(err,
                     "-parallel: %s is not accepted: expected none (this machine has no "
                     "parallel port)",
                     value);
}

static bool set_vga(Options *o, const OptionRow *row, const char *value, Error *err)
{
    static const char *const known[] = { "std", "none", NULL };
    /* other cards of QEMU's: ui/setup.c takes std and says so */
    static const char *const others[] = { "virtio", "qxl", "cirrus", "vmware" };
    bool fine = strcmp(value, "none") == 0 || strcmp(value, "std") == 0;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        fine |= strcmp(value, others[i]) == 0;
    }
    o->vga = value;
    return fine || error_set_choice(err, "-vga", value, known);
}

/* A window by another library is a window. */
static bool set_display(Options *o, const OptionRow *row, const char *value, Error *err)
{
    /* what only other windows have, and a window does without */
    static const char *const left_out[] = { "gl=", "zoom-to-fit=", "show-cursor=", "show-tabs=",
                                            "show-menubar=", "grab-on-hover=", "window-close=" };
    const char *rest = value;
    char *name = property_first_word(value, &rest);
    bool window = name && (strcmp(name, "gtk") == 0 || strcmp(name, "default") == 0);
    char *text = xstrdup(window ? "sdl" : name ? name : value);
    bool sdl = strcmp(text, "sdl") == 0;
    for (const char *p = name ? rest : ""; *p;) {
        size_t n = strcspn(p, ",");
        bool drop = false;
        for (size_t i = 0; sdl && i < ARRAY_SIZE(left_out); i++) {
            drop |= strncmp(p, left_out[i], strlen(left_out[i])) == 0;
        }
        char *longer = xasprintf("%s%s%.*s", text, drop ? "" : ",", drop ? 0 : (int)n, p);
        free(text);
        text = longer;
        p += n + (p[n] == ',');
    }
    free(name);
    o->display = options_own(o, text);
    return display_check(o->display, err);
}

/* -vnc TEXT is -display vnc=TEXT. */
static bool set_vnc(Options *o, const OptionRow *row, const char *value, Error *err)
{
    if (strcmp(value, "none") == 0) {
        return set_display(o, row, value, err);
    }
    return set_display(o, row, options_own(o, xasprintf("vnc=%s", value)), err);
}

static bool set_full_screen(Options *o, const OptionRow *row, const char *value, Error *err)
{
    return set_display(o, row, "sdl,full-screen=on", err);
}

/* --- log: checked here, switched on by main.c --- */

static bool set_log_items(Options *o, const OptionRow *row, const char *value, Error *err)
{
    if (!log_set_items(value, err)) {
        return false;
    }
    o->log_items = value;
    return true;
}

static bool set_log_filter(Options *o, const OptionRow *row, const char *value,
                           Error *err)
{
    if (!log_set_filter(value, err)) {
        error_prefix(err, "-dfilter: ");
        return false;
    }
    o->log_filter = value;
    return true;
}

/* clang-format off: rows */
#define AT(f) .offset = offsetof(Options, f)
#define HELP .has_help = true
#define MANY .repeatable = true

static const OptionRow machine_rows[] = {
    { "machine", "M", "NAME[,prop=value]", HELP, .set = set_machine,
      .help = "the board and its properties; accel=NAME chooses the engine." },
    { "accel", NULL, "NAME[,prop=value]", MANY, HELP, .set = add_text, AT(accels),
      .help = "the engine that runs the guest's CPUs. Several (-accel kvm -accel tcg, or "
              "kvm:tcg) are tried in order." },
    { "enable-kvm", NULL, NULL, .set = add_kvm, .help = "the same as -accel kvm." },
    { "cpu", NULL, "MODEL[,feature=on|off]", HELP, .set = set_text, AT(cfg.cpu_model),
      .help = "the CPU's model; +feature and -feature too." },
    { "m", NULL, "SIZE", HELP, .props = memory_props, .set = set_memory,
      .help = "RAM: 512M, 2G, size=2G; a bare number counts MiB. Default: 128M, or 1G "
              "with an image that is given without an option." },
    { "smp", NULL, "N[,sockets=S,cores=C,threads=T]", HELP, .props = smp_props,
      .set = set_smp, .help = "number of virtual CPUs and how they are packed." },
    { "bios", NULL, "FILE", .set = set_text, AT(cfg.bios),
      .help = "firmware image; looked for in the -L directories too." },
    { "L", NULL, "DIR", MANY, .set = add_text, AT(firmware_dirs),
      .help = "where firmware images are looked for." },
    { "boot", NULL, "ORDER[,menu=on]", HELP, .props = boot_props, .set = set_boot,
      .help = "what the firmware boots: a floppy, c disk, d CD, n network; once=ORDER: the "
              "first time only." },
    { "rtc", NULL, "base=utc|localtime|DATE", HELP, .props = rtc_props, .set = set_rtc,
      .help = "what the real-time clock starts with." },
    { "name", NULL, "TEXT", HELP, .props = name_props, .set = set_name,
      .help = "the guest's name." },
    { "uuid", NULL, "UUID", .set = set_uuid, .help = "the machine's identity." },
    { "smbios", NULL, "type=0|1|11[,field=TEXT]", MANY, .set = set_smbios,
      .help = "what the tables say: type=0 vendor, version, date of the firmware; type=1 "
              "manufacturer, product, version, serial, sku, family, uuid of the system; "
              "type=11 value, an OEM string." },
    { "global", NULL, "DRIVER.PROP=VALUE", MANY, .set = add_global,
      .help = "the default of a property of every device of that kind." },
    { "fw_cfg", NULL, "name=NAME,file=FILE|string=TEXT", MANY, HELP, .props = fw_cfg_props,
      .set = option_add_fw_cfg,
      .help = "a file for the firmware and the guest (Linux: /sys/firmware/qemu_fw_cfg)." },
    { "object", NULL, "KIND,id=ID", MANY, .set = option_add_object,
      .help = "accepted: rng-random, rng-builtin, iothread, and memory-backend-ram or -memfd "
              "with the size of -m." },
    { "no-hpet", NULL, NULL, .set = option_set_no_hpet, .help = "short for -machine hpet=off." },
    { "overcommit", NULL, "mem-lock=off|cpu-pm=off", MANY, .set = option_set_overcommit,
      .help = "accepted: it is so." },
    { "no-user-config", NULL, NULL, .set = option_ignore,
      .help = "accepted: there is no file of options." },
    { "nodefaults", NULL, NULL, .set = set_flag, AT(cfg.nodefaults),
      .help = "no device beyond the board's own unless an option asks for it." },
    { NULL }
};

static const OptionRow kernel_rows[] = {
    { "kernel", NULL, "FILE", .set = set_text, AT(cfg.kernel),
      .help = "a Linux bzImage, an ELF with a PVH note, or a multiboot image." },
    { "initrd", NULL, "FILE", .set = set_text, AT(cfg.initrd),
      .help = "the initial RAM disk, or multiboot modules: FILE ARGUMENTS,FILE ARGUMENTS." },
    { "append", NULL, "TEXT", .set = set_any_text, AT(cfg.append),
      .help = "the kernel's command line." },
    { NULL }
};

static const OptionRow disk_rows[] = {
    { "drive", NULL, "file=FILE[,if=ide|virtio|scsi][,format=raw]...", MANY, HELP, .set = add_text,
      AT(drives), .help = "a disk: its image and how the guest sees it." },
    { "blockdev", NULL, "driver=raw,node-name=N,file.driver=file,file.filename=F", MANY,
      HELP, .set = add_text, AT(blockdevs),
      .help = "a disk image by itself, for -device ...,drive=N." },
    { "fda", NULL, "FILE", .set = add_disk,
      .help = "floppy disk in drive A (-drive if=floppy)." },
    { "fdb", NULL, "FILE", .set = add_disk, .help = "floppy disk in drive B." },
    { "hda", NULL, "FILE", .set = add_disk,
      .help = "first IDE disk (-drive if=ide)." },
    { "hdb", NULL, "FILE", .set = add_disk,
      .help = "second IDE disk (-drive if=ide)." },
    { "hdc", NULL, "FILE", .set = add_disk,
      .help = "third IDE disk (-drive if=ide)." },
    { "hdd", NULL, "FILE", .set = add_disk,
      .help = "fourth IDE disk (-drive if=ide)." },
    { "cdrom", NULL, "FILE", .set = add_disk,
      .help = "IDE CD drive, master of the second bus." },
    { "pflash", NULL, "FILE", MANY, .set = add_pflash,
      .help = "flash memory (-drive if=pflash): first the firmware, then its variables." },
    { "snapshot", NULL, NULL, .set = set_flag, AT(snapshot),
      .help = "writes go to temporary files: the images stay as they are." },
    { NULL }
};

static const OptionRow device_rows[] = {
    { "device", NULL, "DRIVER[,prop=value]", MANY, HELP, .set = add_text, AT(devices),
      .help = "a device." },
    { "usb", NULL, NULL, .set = set_flag, AT(usb),
      .help = "a USB controller (qemu-xhci); the first -device usb-... makes one as well." },
    { "usbdevice", NULL, "tablet|mouse|keyboard", MANY, .set = option_add_usbdevice,
      .help = "the older spelling of -device usb-tablet, usb-mouse, usb-kbd." },
    { "netdev", NULL, "user,id=ID[,hostfwd=tcp::PORT-:PORT]", MANY, HELP, .set = add_text,
      AT(netdevs), .help = "the host's end of a network, for -device ...,netdev=ID." },
    { "nic", NULL, "user|none[,model=NAME][,mac=ADDR]", MANY, HELP, .set = add_nic,
      AT(nics),
      .help = "a network card and its host end in one; none: no default card." },
    { "net", NULL, "nic[,model=NAME]|user[,...]|none", MANY, .set = set_net,
      .help = "the older spelling: -net nic -net user is -nic user; none: no default card." },
    { "chardev", NULL, "BACKEND,id=ID[,prop=value]", MANY, HELP, .set = add_text,
      AT(chardevs), .help = "the host's end of a character device." },
    { "serial", NULL, "BACKEND", MANY, HELP, .set = add_text, AT(serials),
      .help = "where the next serial port goes: stdio, mon:stdio, file:PATH, pty, "
              "unix:PATH, tcp:HOST:PORT, null, none, chardev:ID." },
    { "parallel", NULL, "none", .set = set_parallel,
      .help = "there is no parallel port." },
    { "debugcon", NULL, "BACKEND", MANY, HELP, .set = add_text, AT(debugcons),
      .help = "where bytes written to port 0xe9 go." },
    { NULL }
};

static const OptionRow screen_rows[] = {
    { "display", NULL, "KIND", HELP, .values = display_help, .set = set_display,
      .help = "where the guest's screen is shown; gtk is sdl." },
    { "nographic", NULL, NULL, .set = set_flag, AT(nographic),
      .help = "no screen; serial port and monitor share this terminal (ctrl-a h)." },
    { "vnc", NULL, "[ADDRESS]:N", .set = set_vnc,
      .help = "short for -display vnc=[ADDRESS]:N: a VNC server on port 5900 + N." },
    { "full-screen", NULL, NULL, .set = set_full_screen,
      .help = "short for -display sdl,full-screen=on." },
    { "k", NULL, "LAYOUT", .set = option_set_keyboard,
      .help = "accepted: keys reach the guest by their place, so the layout is the guest's." },
    { "vga", NULL, "std|none", .set = set_vga,
      .help = "the graphics card; std unless -nodefaults. For virtio, qxl, cirrus, vmware there "
              "is std, with a warning." },
    { NULL }
};

static const OptionRow run_rows[] = {
    { "monitor", NULL, "BACKEND", MANY, HELP, .set = add_text, AT(monitors),
      .help = "a text monitor on stdio, unix:PATH,server=on,wait=off, tcp:..., pty." },
    { "mon", NULL, "chardev=ID[,mode=control]", MANY, HELP, .props = mon_props,
      .set = option_add_mon,
      .help = "a monitor on a -chardev (mux=on shares it with a serial port; ctrl-a c "
              "switches); mode=control speaks QMP." },
    { "qmp", NULL, "BACKEND", MANY, .set = option_add_qmp,
      .help = "a monitor for programs (a part of QMP) on unix:PATH,server=on,wait=off, "
              "tcp:..., stdio." },
    { "qmp-pretty", NULL, "BACKEND", MANY, .set = option_add_qmp,
      .help = "the same with indented replies." },
    { "no-reboot", NULL, NULL, .set = set_flag, AT(cfg.no_reboot),
      .help = "end the program when the guest resets." },
    { "no-shutdown", NULL, NULL, .set = set_flag, AT(cfg.no_shutdown),
      .help = "pause when the guest switches itself off." },
    { "action", NULL, "reboot=reset|shutdown,shutdown=poweroff|pause,panic=shutdown|pause|exit-failure|none", HELP,
      .props = action_props, .set = option_set_action,
      .help = "what becomes of the program when the guest resets, panics or switches itself off." },
    { "S", NULL, NULL, .set = set_flag, AT(cfg.start_paused),
      .help = "start paused; the monitor's cont begins." },
    { "gdb", NULL, "BACKEND", .set = set_text, AT(gdb),
      .help = "where gdb connects: tcp::1234, unix:PATH, stdio; none: nowhere." },
    { "s", NULL, NULL, .set = set_gdb_default, .help = "short for -gdb tcp::1234." },
    { "daemonize", NULL, NULL, .set = set_flag, AT(daemonize),
      .help = "go on in the background once the machine is made." },
    { "pidfile", NULL, "FILE", .set = set_text, AT(pidfile),
      .help = "write the process number there." },
    { NULL }
};

static const OptionRow log_rows[] = {
    { "d", NULL, "ITEM[,ITEM]", HELP, .values = log_help, .set = set_log_items,
      .help = "log items: in_asm, out_asm, int, ..." },
    { "D", NULL, "FILE", .set = set_text, AT(log_file),
      .help = "where the log goes; else stderr." },
    { "replay-case", NULL, "FILE", .set = set_text, AT(replay_case),
      .help = "run the one step of a reproducer that -accel twin wrote, on the engine of "
              "-accel, and compare; status 0 if it comes out as by the file's second engine." },
    { "symbols", NULL, "FILE", MANY, .set = add_text, AT(symbols),
      .help = "names of guest addresses for reports: a System.map, or an ELF file that is "
              "not stripped." },
    { "profile", NULL, "FILE", .set = set_text, AT(profile),
      .help = "sample where the guest spends its time, each ms of a vCPU's; at exit write "
              "FILE.folded and a flame graph, FILE.svg. Names come from -symbols." },
    { "msg", NULL, "timestamp=on|off", .set = option_set_msg,
      .help = "error messages begin with the time." },
    { "dfilter", NULL, "RANGE[,RANGE]", .set = set_log_filter,
      .help = "log only code at these guest addresses: 0x1000..0x1fff, 0x1000+0x200." },
    { NULL }
};

static const OptionRow other_rows[] = {
    { "help", "h", NULL, .verdict = OPTIONS_USAGE, .help = "this list." },
    { "version", NULL, NULL, .verdict = OPTIONS_VERSION, .help = "the version." },
    { "dump-man", NULL, NULL, .verdict = OPTIONS_MAN },
    { NULL }
};

/* clang-format on */

const OptionSection option_sections[] = { { "Machine", machine_rows },
                                          { "Kernel", kernel_rows },
                                          { "Disks", disk_rows },
                                          { "Devices and backends", device_rows },
                                          { "Screen", screen_rows },
                                          { "Running", run_rows },
                                          { "Log", log_rows },
                                          { "Other", other_rows },
                                          { NULL } };

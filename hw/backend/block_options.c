/* SPDX-License-Identifier: MIT */
/*
 * -drive and -blockdev: from text to an open backend. The page cache of the host is always
 * used: cache=none and cache.direct=on are accepted and mean the same flush behaviour.
 * Left out: formats other than raw, throttling, werror=stop. Machine lock held.
 */
#include "hw/backend/block_int.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "util/alloc.h"

static const char *const if_names[] = {
    "none", "virtio", "ide", "floppy", "pflash", "scsi", NULL
};
static const char *const format_names[] = { "raw", NULL };
static const char *const media_names[] = { "disk", "cdrom", NULL };
static const char *const cache_names[] = {
    "writeback", "none", "writethrough", "directsync", "unsafe", NULL
};
enum { CACHE_WRITETHROUGH = 2, CACHE_DIRECTSYNC = 3, CACHE_UNSAFE = 4 };
static const char *const aio_names[] = { "auto", "threads", "native", "io_uring", NULL };
static const char *const discard_names[] = { "ignore", "off", "unmap", "on", NULL };
enum { DISCARD_UNMAP = 2 };
static const char *const detect_names[] = { "off", NULL };
static const char *const werror_names[] = { "report", "enospc", NULL };
static const char *const rerror_names[] = { "report", NULL };
static const char *const driver_names[] = { "raw", "file", "host_device", NULL };
static const char *const locking_names[] = { "auto", "on", "off", NULL };
enum { LOCKING_OFF = 2 };

typedef struct {
    char *file, *id, *serial;
    int iface, format, media, cache, aio, discard, detect, werror, rerror, locking,
        file_driver, driver;
    bool readonly, auto_readonly, snapshot, direct, no_flush, share;
    uint32_t index, bus, unit;
} DriveOpts;

#define ENUM_ROW(key, field, def, names, help) \
    { key, PK_ENUM, offsetof(DriveOpts, field), def, 0, 0, NULL, names, NULL, help }
#define BOOL_ROW(key, field, help) \
    { key, PK_BOOL, offsetof(DriveOpts, field), 0, 0, 1, NULL, NULL, NULL, help }
#define STR_ROW(key, field, help) \
    { key, PK_STR, offsetof(DriveOpts, field), 0, 0, 0, NULL, NULL, NULL, help }
#define U32_ROW(key, field, help) \
    { key, PK_U32, offsetof(DriveOpts, field), UNSET, 0, 255, NULL, NULL, NULL, help }
#define UNSET 0xffffffffu

static const Property drive_props[] = {
    STR_ROW("file", file, "the image or block device"),
    STR_ROW("file.filename", file, "the same"),
    ENUM_ROW("file.driver", file_driver, 1, driver_names, "how `file` is reached"),
    ENUM_ROW("file.locking", locking, 0, locking_names, "refuse two writers"),
    ENUM_ROW("format", format, 0, format_names, "image format"),
    ENUM_ROW("driver", format, 0, format_names, "the same"),
    STR_ROW("id", id, "name for -device ...,drive="),
    STR_ROW("node-name", id, "the same"),
    ENUM_ROW("if", iface, DRIVE_IDE, if_names, "how the guest sees it; none: by -device"),
    U32_ROW("index", index, "place on the interface"),
    U32_ROW("bus", bus, "and unit: instead of index"),
    U32_ROW("unit", unit, "place on the bus: two on pc's, one on q35's"),
    ENUM_ROW("media", media, 0, media_names, "disk or CD"),
    BOOL_ROW("readonly", readonly, "the guest cannot write"),
    BOOL_ROW("read-only", readonly, "the same"),
    BOOL_ROW("snapshot", snapshot, "forget what the guest writes"),
    ENUM_ROW("cache", cache, 0, cache_names, "when writes reach the medium"),
    BOOL_ROW("cache.direct", direct, "accepted; the host's page cache is used"),
    BOOL_ROW("cache.no-flush", no_flush, "ignore flushes"),
    ENUM_ROW("aio", aio, 0, aio_names, "how the host does I/O"),
    ENUM_ROW("discard", discard, 0, discard_names, "unmap: discards free space"),
    ENUM_ROW("detect-zeroes", detect, 0, detect_names, "off"),
    STR_ROW("serial", serial, "serial number the guest sees"),
    ENUM_ROW("werror", werror, 0, werror_names, "write errors: report them to the guest"),
    ENUM_ROW("rerror", rerror, 0, rerror_names, "read errors: report them to the guest"),
    PROP_END
};

static const Property blockdev_props[] = {
    ENUM_ROW("driver", driver, 0, driver_names, "raw, or the file itself"),
    STR_ROW("node-name", id, "name for -device ...,drive="),
    STR_ROW("filename", file, "driver=file: the image"),
    STR_ROW("file", file, "driver=raw: the node it stands on"),
    STR_ROW("file.filename", file, "driver=raw: the image"),
    ENUM_ROW("file.driver", file_driver, 0, driver_names, "driver=raw: file or host_device"),
    ENUM_ROW("file.aio", aio, 0, aio_names, "how the host does I/O"),
    ENUM_ROW("aio", aio, 0, aio_names, "how the host does I/O"),
    ENUM_ROW("file.locking", locking, 0, locking_names, "refuse two writers"),
    ENUM_ROW("locking", locking, 0, locking_names, "refuse two writers"),
    BOOL_ROW("read-only", readonly, "the guest cannot write"),
    BOOL_ROW("auto-read-only", auto_readonly, "read-only if it cannot be opened for writing"),
    BOOL_ROW("file.read-only", readonly, "the guest cannot write"),
    BOOL_ROW("cache.direct", direct, "accepted; the host's page cache is used"),
    BOOL_ROW("file.cache.direct", direct, "accepted; the host's page cache is used"),
    BOOL_ROW("cache.no-flush", no_flush, "ignore flushes"),
    BOOL_ROW("file.cache.no-flush", no_flush, "ignore flushes"),
    ENUM_ROW("discard", discard, 0, discard_names, "unmap: discards free space"),
    ENUM_ROW("file.discard", discard, 0, discard_names, "unmap: discards free space"),
    ENUM_ROW("detect-zeroes", detect, 0, detect_names, "off"),
    BOOL_ROW("force-share", share, "read-only, without the lock"),
    PROP_END
};

static void opts_free(DriveOpts *o)
{
    free(o->file);
    free(o->id);
    free(o->serial);
}

static BlockBackend *open_opts(struct Machine *m, const DriveOpts *o, bool probe, Error *err)
{
    const BlockOpen open = {
        .path = o->file, .readonly = o->readonly || o->media == 1 || o->share,
        .snapshot = o->snapshot,
        .dsync = o->cache == CACHE_WRITETHROUGH || o->cache == CACHE_DIRECTSYNC,
        .no_flush = o->no_flush || o->cache == CACHE_UNSAFE,
        .unmap = o->discard >= DISCARD_UNMAP, .locking = o->locking != LOCKING_OFF && !o->share,
        .probe = probe, .cd = o->media == 1, .aio = o->aio,
    };
    BlockBackend *b = block_raw_open(m, &open, err);
    if (!b && o->auto_readonly && !open.readonly) {
        BlockOpen again = open;
        again.readonly = true;
        Error first = *err;
        *err = (Error)ERROR_INIT;
        b = block_raw_open(m, &again, err);
        if (b) {
            error_free(&first);
        } else {
            error_free(err);
            *err = first;
        }
    }
    return b;
}

/* --- -drive --- */

static bool place_taken(struct Machine *m, unsigned place)
{
    for (const BlockBackend *b = block_first(m); b; b = b->next) {
        if (b->machine == m && b->interface == DRIVE_IDE && b->place == place) {
            return true;
        }
    }
    return false;
}

/* As other emulators call them: ide1-cd0 (bus and unit), else the kind and a number. */
static char *drive_default_id(BlockBackend *b, const DriveOpts *o)
{
    struct Machine *m = b->machine;
    const char *kind = if_names[o->iface];
    if (o->iface == DRIVE_IDE) {
        unsigned units = m->cls && m->cls->ide_units ? m->cls->ide_units : 2;
        b->place = o->index == UNSET ? 0 : o->index;
        while (o->index == UNSET && place_taken(m, b->place)) {
            b->place++;
        }
        char *id = xasprintf("ide%u-%s%u", b->place / units, o->media == 1 ? "cd" : "hd",
                             b->place % units);
        if (!block_find(m, id)) {
            return id;
        }
        free(id);
    }
    for (unsigned n = 0;; n++) {
        char *id = xasprintf("%s%u", kind, n);
        if (!block_find(m, id)) {
            return id;
        }
        free(id);
    }
}

static bool drive_place(struct Machine *m, DriveOpts *o, Error *err)
{
    if (o->bus != UNSET || o->unit != UNSET) {
        uint32_t units = m->cls && m->cls->ide_units ? m->cls->ide_units : 2;
        uint32_t index = (o->bus != UNSET ? units * o->bus : 0) + (o->unit != UNSET ? o->unit : 0);
        if (o->index != UNSET && o->index != index) {
            return error_set(err, "index: %u contradicts bus and unit", o->index);
        }
        o->index = index;
    }
    for (BlockBackend *b = block_first(m); b && o->index != UNSET; b = b->next) {
        if (b->machine == m && o->iface != DRIVE_NONE && b->interface == o->iface &&
            b->unit_index == (int)o->index) {
            return error_set(err, "index: %u of if=%s is taken by drive '%s'", o->index,
                             if_names[o->iface], b->id);
        }
    }
    return true;
}

static BlockBackend *drive_open(struct Machine *m, DriveOpts *o, bool probe, Error *err)
{
    bool removable = o->media == 1 || o->iface == DRIVE_FLOPPY;
    if (!o->file && !removable) {
        error_set(err, "file: an image is needed: file=FILE");
        return NULL;
    }
    if (!drive_place(m, o, err)) {
        return NULL;
    }
    BlockBackend *b = o->file ? open_opts(m, o, probe, err) : NULL;
    if (!b && o->file) {
        return NULL;
    }
    if (removable) {
        b = block_slot_create(m, b);
    }
    char *id = drive_default_id(b, o);
    b->id = o->id ? xstrdup(o->id) : xstrdup(id);
    free(id);
    b->serial = o->serial ? xstrdup(o->serial) : NULL;
    b->interface = o->iface;
    b->unit_index = o->index == UNSET ? -1 : (int)o->index;
    b->cdrom = o->media == 1;
    return block_register(b, err) ? b : NULL;
}

BlockBackend *block_open_drive(struct Machine *m, const char *spec, bool snapshot, Error *err)
{
    DriveOpts o = { 0 };
    property_defaults(drive_props, &o);
    o.snapshot = snapshot;
    char *format = property_get_text(spec, "format");
    char *driver = property_get_text(spec, "driver");
    BlockBackend *b = NULL;
    if (property_parse(drive_props, &o, spec, NULL, err)) {
        b = drive_open(m, &o, !format && !driver, err);
    }
    free(format);
    free(driver);
    opts_free(&o);
    return b;
}

/* --- a node that stands on another --- */

typedef struct {
    BlockBackend b;     /* first */
    BlockBackend *below;
} Layer;

static void layer_submit(BlockBackend *b, BlockRequest *rq)
{
    block_submit(((Layer *)b)->below, rq);
}

static void layer_drain(BlockBackend *b)
{
    BlockBackend *below = ((Layer *)b)->below;
    below->ops->drain(below);
}

static void layer_plug(BlockBackend *b, bool on)
{
    block_plug(((Layer *)b)->below, on);
}

static void layer_close(BlockBackend *b)
{
    ((Layer *)b)->below->attached = NULL;
}

static const BlockOps layer_ops = {
    .name = "raw", .submit = layer_submit, .drain = layer_drain, .close = layer_close,
    .plug = layer_plug,
};

static BlockBackend *layer_open(struct Machine *m, const char *node, Error *err)
{
    BlockBackend *below = block_find(m, node);
    if (!below || below->attached) {
        error_set(err, below ? "file: node '%s' is used already"
                  : "file: no node is named '%s' (file.filename= takes a path)", node);
        return NULL;
    }
    Layer *l = NEW(Layer);
    l->b = (BlockBackend){ .ops = &layer_ops, .machine = m, .size = below->size,
                           .readonly = below->readonly, .path = xstrdup(below->path) };
    l->below = below;
    below->attached = l;
    return &l->b;
}

/* --- -blockdev --- */

static BlockBackend *blockdev_open(struct Machine *m, const char *spec, Error *err)
{
    DriveOpts o = { 0 };
    property_defaults(blockdev_props, &o);
    BlockBackend *b = NULL;
    char *driver = property_get_text(spec, "driver");
    char *node = property_get_text(spec, "file");
    if (!driver) {
        error_set(err, "driver: one is needed: driver=raw or driver=file");
    } else if (!property_parse(blockdev_props, &o, spec, NULL, err)) {
        /* err says it */
    } else if (!o.id) {
        error_set(err, "node-name: one is needed: node-name=NAME");
    } else if (!o.file) {
        error_set(err, o.driver ? "filename: an image is needed: filename=FILE"
                  : "file.filename: an image is needed: file.driver=file,file.filename=FILE");
    } else {
        b = node ? layer_open(m, node, err) : open_opts(m, &o, false, err);
    }
    if (b) {
        b->id = xstrdup(o.id);
        b->interface = DRIVE_NONE;
        b->unit_index = -1;
        if (!block_register(b, err)) {
            b = NULL;
        }
    }
    free(driver);
    free(node);
    opts_free(&o);
    return b;
}

static char *append_pair(char *text, const char *key, const char *value)
{
    size_t at = strlen(text);
    text = xrealloc(text, at + strlen(key) + 2 * strlen(value) + 3);
    char *p = text + at + sprintf(text + at, "%s%s=", at ? "," : "", key);
    for (; *value; value++) {
        *p++ = *value;
        if (*value == ',') {
            *p++ = ',';
        }
    }
    *p = 0;
    return text;
}

/* {"driver": "raw", "file": {"driver": "file"}} becomes driver=raw,file.driver=file. */
static bool flatten(json_t *obj, const char *prefix, char **text, Error *err)
{
    const char *key;
    json_t *val;
    json_object_foreach(obj, key, val) {
        char *name = xasprintf("%s%s", prefix, key), number[32];
        bool ok = true;
        if (json_is_object(val)) {
            char *deeper = xasprintf("%s.", name);
            ok = strlen(prefix) < 64 && flatten(val, deeper, text, err);
            free(deeper);
        } else if (json_is_string(val)) {
            *text = append_pair(*text, name, json_string_value(val));
        } else if (json_is_boolean(val)) {
            *text = append_pair(*text, name, json_is_true(val) ? "on" : "off");
        } else if (json_is_integer(val)) {
            snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(val));
            *text = append_pair(*text, name, number);
        } else {
            ok = error_set(err, "%s: expected a string, number, boolean or object", name);
        }
        free(name);
        if (!ok) {
            return err->msg ? false : error_set(err, "nested too deeply");
        }
    }
    return true;
}

BlockBackend *block_open_blockdev(struct Machine *m, const char *spec, Error *err)
{
    if (spec[0] != '{') {
        return blockdev_open(m, spec, err);
    }
    json_error_t je;
    json_t *root = json_loads(spec, JSON_REJECT_DUPLICATES, &je);
    if (!root) {
        error_set(err, "bad JSON at column %d: %s", je.column, je.text);
        return NULL;
    }
    char *text = xstrdup("");
    BlockBackend *b = NULL;
    if (json_is_object(root) ? flatten(root, "", &text, err)
                             : error_set(err, "expected a JSON object")) {
        b = blockdev_open(m, text, err);
    }
    free(text);
    json_decref(root);
    return b;
}

void block_help(FILE *f)
{
    fprintf(f, "-drive properties:\n");
    property_help(drive_props, f);
    fprintf(f, "-blockdev properties:\n");
    property_help(blockdev_props, f);
}

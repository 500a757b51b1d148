/* SPDX-License-Identifier: MIT */
/*
 * Saving and loading by StateDesc. Little endian throughout. A record:
 *     u16 path length, path, u32 body length, body
 * a body (also of each nested struct):
 *     u32 version, u16 number of fields, fields
 * a field:
 *     u8 name length, name, u8 kind, u32 count, u32 length, bytes
 * Loading runs twice over the body: once to check everything, once to store, so a bad
 * record changes nothing. Each length is checked against what encloses it.
 */
#include "hw/core/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/clock.h"
#include "util/alloc.h"

enum { MAX_DEPTH = 8, MAX_FIELDS = 512 };

/* ---- buffer ---- */

static void put(StateBuf *b, const void *p, size_t n)
{
    if (n > b->cap - b->len) {
        b->cap = MAX(b->cap * 2, b->len + n + 256);
        b->data = xrealloc(b->data, b->cap);
    }
    if (n) {
        memcpy(b->data + b->len, p, n);
    }
    b->len += n;
}

static void put_num(StateBuf *b, uint64_t v, unsigned size)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(v >> (8 * i));
    }
    put(b, bytes, size);
}

static void patch_u32(StateBuf *b, size_t at, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) {
        b->data[at + i] = (uint8_t)(v >> (8 * i));
    }
}

/* A window of input being read. */
typedef struct In {
    const uint8_t *p;
    size_t left;
} In;

static bool get(In *in, size_t n, const uint8_t **p)
{
    if (n > in->left) {
        return false;
    }
    *p = in->p;
    in->p += n;
    in->left -= n;
    return true;
}

static uint64_t number(const uint8_t *p, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

static bool get_num(In *in, unsigned size, uint64_t *v)
{
    const uint8_t *p;
    if (!get(in, size, &p)) {
        return false;
    }
    *v = number(p, size);
    return true;
}

void state_buf_free(StateBuf *buf)
{
    free(buf->data);
    *buf = (StateBuf){ 0 };
}

/* ---- fields ---- */

static unsigned scalar_size(enum StateKind kind)
{
    switch (kind) {
    case SK_BOOL:
    case SK_U8: return 1;
    case SK_U16: return 2;
    case SK_U32: return 4;
    case SK_U64:
    case SK_TIMER: return 8;
    default: return 0;
    }
}

static uint64_t scalar_read(enum StateKind kind, const void *p)
{
    switch (kind) {
    case SK_BOOL: return *(const bool *)p;
    case SK_U8: return *(const uint8_t *)p;
    case SK_U16: return *(const uint16_t *)p;
    case SK_U32: return *(const uint32_t *)p;
    case SK_TIMER: return (uint64_t)((const Timer *)p)->deadline;
    default: return *(const uint64_t *)p;
    }
}

static void scalar_write(enum StateKind kind, void *p, uint64_t v)
{
    switch (kind) {
    case SK_BOOL: *(bool *)p = v; break;
    case SK_U8: *(uint8_t *)p = (uint8_t)v; break;
    case SK_U16: *(uint16_t *)p = (uint16_t)v; break;
    case SK_U32: *(uint32_t *)p = (uint32_t)v; break;
    case SK_TIMER:
        if ((int64_t)v < 0) {
            timer_del(p);
        } else {
            timer_mod(p, (int64_t)v);
        }
        break;
    default: *(uint64_t *)p = v; break;
    }
}

static void save_body(StateBuf *b, const StateDesc *desc, const char *base);

static void save_field(StateBuf *b, const StateField *f, const char *base)
{
    const char *at = base + f->offset;
    size_t n = strlen(f->name);
    put_num(b, n, 1);
    put(b, f->name, n);
    put_num(b, f->kind, 1);
    put_num(b, f->count, 4);
    size_t len_at = b->len;
    put_num(b, 0, 4);
    switch (f->kind) {
    case SK_BYTES: put(b, at, f->count); break;
    case SK_VBYTES:
        put(b, *(void *const *)at, *(const uint32_t *)(base + f->len_offset));
        break;
    case SK_SUB:
        for (unsigned i = 0; i < f->count; i++) {
            save_body(b, f->sub, at + i * f->stride);
        }
        break;
    default:
        for (unsigned i = 0; i < f->count; i++) {
            put_num(b, scalar_read(f->kind, at + i * f->stride), scalar_size(f->kind));
        }
    }
    patch_u32(b, len_at, (uint32_t)(b->len - len_at - 4));
}

static unsigned field_count(const StateDesc *desc)
{
    unsigned n = 0;
    while (desc->fields[n].kind != SK_END) {
        n++;
    }
    return n;
}

static void save_body(StateBuf *b, const StateDesc *desc, const char *base)
{
    put_num(b, desc->version, 4);
    put_num(b, field_count(desc), 2);
    for (const StateField *f = desc->fields; f->kind != SK_END; f++) {
        save_field(b, f, base);
    }
}

bool state_save(StateBuf *b, const char *path, const StateDesc *desc, void *owner,
                Error *err)
{
    if (desc->pre_save && !desc->pre_save(owner)) {
        return error_set(err, "%s: cannot be saved now", path);
    }
    size_t n = strlen(path);
    put_num(b, n, 2);
    put(b, path, n);
    size_t len_at = b->len;
    put_num(b, 0, 4);
    save_body(b, desc, (char *)owner + (ptrdiff_t)desc->offset);
    patch_u32(b, len_at, (uint32_t)(b->len - len_at - 4));
    return true;
}

/* ---- loading ---- */

static bool load_body(In *in, const StateDesc *desc, char *base, bool store, unsigned depth,
                      Error *err);

static bool load_scalars(In *in, const StateField *f, char *at, bool store, Error *err)
{
    unsigned size = scalar_size(f->kind);
    if (in->left != (size_t)size * f->count) {
        return error_set(err, "field '%s' has %zu bytes instead of %zu", f->name, in->left,
                         (size_t)size * f->count);
    }
    for (unsigned i = 0; i < f->count; i++) {
        uint64_t v = 0;
        get_num(in, size, &v);
        uint64_t max = f->kind == SK_BOOL ? 1 : f->max ? f->max : UINT64_MAX;
        if (v > max) {
            return error_set(err, "field '%s': the value %" PRIu64 " is too large",
                             f->name, v);
        }
        if (store) {
            scalar_write(f->kind, at + i * f->stride, v);
        }
    }
    return true;
}

static bool load_vbytes(In *in, const StateField *f, char *base, bool store, Error *err)
{
    if (in->left > f->max) {
        return error_set(err, "field '%s' has %zu bytes, more than %" PRIu64, f->name,
                         in->left, f->max);
    }
    if (store) {
        void **p = (void **)(base + f->offset);
        free(*p);
        *p = in->left ? xalloc(in->left) : NULL;
        if (in->left) {
            memcpy(*p, in->p, in->left);
        }
        *(uint32_t *)(base + f->len_offset) = (uint32_t)in->left;
    }
    return true;
}

static bool load_value(In *in, const StateField *f, char *base, bool store, unsigned depth,
                       Error *err)
{
    char *at = base + f->offset;
    switch (f->kind) {
    case SK_BYTES:
        if (in->left != f->count) {
            return error_set(err, "field '%s' has %zu bytes instead of %u", f->name,
                             in->left, f->count);
        }
        if (store) {
            memcpy(at, in->p, f->count);
        }
        return true;
    case SK_VBYTES: return load_vbytes(in, f, base, store, err);
    case SK_SUB:
        for (unsigned i = 0; i < f->count; i++) {
            if (!load_body(in, f->sub, at + i * f->stride, store, depth + 1, err)) {
                error_prefix(err, "%s: ", f->name);
                return false;
            }
        }
        return in->left == 0 || error_set(err, "field '%s' is too long", f->name);
    default: return load_scalars(in, f, at, store, err);
    }
}

/* Reads a field's head and its bytes; finds its row. */
static bool load_field(In *in, const StateDesc *desc, char *base, bool store, unsigned depth,
                       uint8_t *seen, Error *err)
{
    uint64_t name_len, kind, count, len;
    const uint8_t *name, *bytes;
    if (!get_num(in, 1, &name_len) || !get(in, name_len, &name) || !get_num(in, 1, &kind) ||
        !get_num(in, 4, &count) || !get_num(in, 4, &len) || !get(in, len, &bytes)) {
        return error_set(err, "the record is cut short");
    }
    for (unsigned i = 0; desc->fields[i].kind != SK_END; i++) {
        const StateField *f = &desc->fields[i];
        if (strlen(f->name) != name_len || memcmp(f->name, name, name_len) != 0) {
            continue;
        }
        if (seen[i]) {
            return error_set(err, "field '%s' comes twice", f->name);
        }
        if (kind != f->kind || count != f->count) {
            return error_set(err, "field '%s' has another type", f->name);
        }
        seen[i] = 1;
        return load_value(&(In){ bytes, len }, f, base, store, depth, err);
    }
    return error_set(err, "unknown field '%.*s'", (int)name_len, (const char *)name);
}

static bool load_body(In *in, const StateDesc *desc, char *base, bool store, unsigned depth,
                      Error *err)
{
    uint8_t seen[MAX_FIELDS] = { 0 };
    uint64_t version, n;
    if (depth > MAX_DEPTH || field_count(desc) > MAX_FIELDS) {
        return error_set(err, "nested too deep");
    }
    if (!get_num(in, 4, &version) || !get_num(in, 2, &n)) {
        return error_set(err, "the record is cut short");
    }
    if (version < 1 || version > desc->version) {
        return error_set(err, "version %" PRIu64 " is not known, the newest is %u", version,
                         desc->version);
    }
    for (uint64_t i = 0; i < n; i++) {
        if (!load_field(in, desc, base, store, depth, seen, err)) {
            return false;
        }
    }
    for (unsigned i = 0; desc->fields[i].kind != SK_END; i++) {
        if (!seen[i] && desc->fields[i].since <= version) {
            return error_set(err, "field '%s' is missing", desc->fields[i].name);
        }
    }
    return true;
}

bool state_next(StateBuf *buf, char *path, size_t path_size, Error *err)
{
    In in = { buf->data + buf->pos, buf->len - buf->pos };
    uint64_t n;
    const uint8_t *p;
    if (in.left == 0) {
        return false;
    }
    if (!get_num(&in, 2, &n) || n >= path_size || !get(&in, n, &p) || memchr(p, 0, n)) {
        return error_set(err, "the saved state is damaged at byte %zu", buf->pos);
    }
    memcpy(path, p, n);
    path[n] = 0;
    buf->pos = buf->len - in.left;
    return true;
}

bool state_load(StateBuf *buf, const StateDesc *desc, void *owner, Error *err)
{
    In in = { buf->data + buf->pos, buf->len - buf->pos };
    uint64_t len;
    const uint8_t *p;
    if (!get_num(&in, 4, &len) || !get(&in, len, &p)) {
        return error_set(err, "the record is cut short");
    }
    buf->pos = buf->len - in.left;
    char *base = (char *)owner + (ptrdiff_t)desc->offset;
    In body = { p, len };
    if (!load_body(&body, desc, base, false, 0, err)) {
        return false;
    }
    if (body.left) {
        return error_set(err, "the record is too long");
    }
    body = (In){ p, len };
    bool ok = load_body(&body, desc, base, true, 0, err);
    return ok && (!desc->post_load || desc->post_load(owner, err));
}

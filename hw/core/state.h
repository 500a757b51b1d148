/* SPDX-License-Identifier: MIT */
/*
 * Declarative saved state. A StateDesc lists the fields of a struct; one walker saves,
 * one loads (docs/state-format.md). The loader treats input as hostile.
 */
#ifndef HW_CORE_STATE_H
#define HW_CORE_STATE_H

#include "util/compiler.h"
#include "util/error.h"

typedef struct StateDesc StateDesc;

enum StateKind {
    SK_END, SK_BOOL, SK_U8, SK_U16, SK_U32, SK_U64, SK_BYTES /* fixed buffer */,
    SK_SUB /* nested struct */, SK_TIMER /* Timer: deadline only */,
    SK_VBYTES /* pointer + u32 length field, allocated by the loader, max given */,
};

typedef struct StateField {
    const char *name;
    enum StateKind kind;
    size_t offset;
    unsigned count;          /* array elements (1 for scalars); SK_BYTES: bytes */
    size_t stride;           /* bytes between elements */
    const StateDesc *sub;    /* SK_SUB */
    uint64_t max;            /* load refuses larger values (0 = no check); SK_VBYTES:
                              * greatest length */
    unsigned since;          /* version that brought the field (0 = always there) */
    size_t len_offset;       /* SK_VBYTES: offset of the uint32_t length */
} StateField;

struct StateDesc {
    unsigned version;        /* saved; load accepts 1..version */
    size_t offset;           /* of the saved struct inside the owner (Device, Cpu) */
    size_t size;             /* of the saved struct: coverage is tested */
    const StateField *fields;
    bool (*pre_save)(void *owner);              /* optional */
    bool (*post_load)(void *owner, Error *err); /* optional: rebuild what is derived */
};

/* Row macros. The kind is checked against the field's type. */
#define STATE_CHECK(T, f, ctype) \
    (sizeof(*(1 ? &((T *)0)->f : (ctype *)0)) * 0)
#define STATE_SCALAR(T, f, kind_, ctype) \
    { .name = #f, .kind = kind_, .offset = offsetof(T, f) + STATE_CHECK(T, f, ctype), \
      .count = 1, .stride = sizeof(ctype) }
#define STATE_BOOL(T, f) STATE_SCALAR(T, f, SK_BOOL, bool)
#define STATE_U8(T, f) STATE_SCALAR(T, f, SK_U8, uint8_t)
#define STATE_U16(T, f) STATE_SCALAR(T, f, SK_U16, uint16_t)
#define STATE_U32(T, f) STATE_SCALAR(T, f, SK_U32, uint32_t)
#define STATE_U64(T, f) STATE_SCALAR(T, f, SK_U64, uint64_t)
#define STATE_I64(T, f) STATE_SCALAR(T, f, SK_U64, int64_t)
#define STATE_U8_MAX(T, f, m) \
    { .name = #f, .kind = SK_U8, .offset = offsetof(T, f) + STATE_CHECK(T, f, uint8_t), \
      .count = 1, .stride = 1, .max = m }
#define STATE_U32_MAX(T, f, m) \
    { .name = #f, .kind = SK_U32, .offset = offsetof(T, f) + STATE_CHECK(T, f, uint32_t), \
      .count = 1, .stride = 4, .max = m }
#define STATE_ARRAY(T, f, kind_, ctype) \
    { .name = #f, .kind = kind_, \
      .offset = offsetof(T, f) + STATE_CHECK(T, f[0], ctype), \
      .count = sizeof(((T *)0)->f) / sizeof(ctype), .stride = sizeof(ctype) }
#define STATE_U8_ARRAY(T, f) STATE_ARRAY(T, f, SK_U8, uint8_t)
#define STATE_U16_ARRAY(T, f) STATE_ARRAY(T, f, SK_U16, uint16_t)
#define STATE_U32_ARRAY(T, f) STATE_ARRAY(T, f, SK_U32, uint32_t)
#define STATE_U64_ARRAY(T, f) STATE_ARRAY(T, f, SK_U64, uint64_t)
#define STATE_BYTES(T, f) \
    { .name = #f, .kind = SK_BYTES, .offset = offsetof(T, f), \
      .count = sizeof(((T *)0)->f), .stride = 1 }
#define STATE_SUB(T, f, desc) \
    { .name = #f, .kind = SK_SUB, .offset = offsetof(T, f), .count = 1, \
      .stride = sizeof(((T *)0)->f), .sub = &(desc) }
#define STATE_SUB_ARRAY(T, f, desc) \
    { .name = #f, .kind = SK_SUB, .offset = offsetof(T, f), \
      .count = sizeof(((T *)0)->f) / sizeof(((T *)0)->f[0]), \
      .stride = sizeof(((T *)0)->f[0]), .sub = &(desc) }
#define STATE_TIMER(T, f) \
    { .name = #f, .kind = SK_TIMER, .offset = offsetof(T, f), .count = 1, \
      .stride = sizeof(((T *)0)->f) }
#define STATE_VBYTES(T, ptr, len, max_) \
    { .name = #ptr, .kind = SK_VBYTES, .offset = offsetof(T, ptr), .count = 1, \
      .len_offset = offsetof(T, len), .max = max_ }
#define STATE_END { .kind = SK_END }

/* A growing or given byte buffer. */
typedef struct StateBuf {
    uint8_t *data;   /* owned when saving */
    size_t len, cap, pos;
} StateBuf;

/* Writes one record (path, version, fields). owner + desc->offset is the struct. */
bool state_save(StateBuf *buf, const char *path, const StateDesc *desc, void *owner, Error *err);
/* Reads one record's body for a known owner; the record's path has been read and matched
 * by state_next. On failure nothing of `owner` is half-loaded but the machine must not
 * run. */
bool state_next(StateBuf *buf, char *path, size_t path_size, Error *err); /* false at end
                                                  * with err unset, or with err set */
bool state_load(StateBuf *buf, const StateDesc *desc, void *owner, Error *err);
void state_buf_free(StateBuf *buf);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Property tables: constant rows that say how "key=value" text fills a struct. Used by
 * devices, machines, accelerators, displays and backends; also make the help.
 */
#ifndef UTIL_PROPERTY_H
#define UTIL_PROPERTY_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"

enum PropKind {
    PK_END, PK_BOOL, PK_U8, PK_U16, PK_U32, PK_U64,
    PK_SIZE,   /* uint64_t bytes; suffixes K M G T */
    PK_MIB,    /* the same, but a bare number counts MiB */
    PK_STR,    /* char *, owned by the struct */
    PK_ENUM,   /* int: index in names */
    PK_MAC,    /* uint8_t[6] */
    PK_LINK,   /* pointer to a backend found by id through link->find */
};

typedef struct PropLink {
    const char *what;                       /* "drive", "netdev", "chardev" */
    void *(*find)(const char *id, Error *err); /* fills err with known ids */
} PropLink;

typedef struct Property {
    const char *name;
    enum PropKind kind;
    size_t offset;
    uint64_t def, min, max;      /* numbers (max 0: the type's own range) */
    const char *def_str;         /* PK_STR, PK_MAC: default text or NULL */
    const char *const *names;    /* PK_ENUM, NULL-terminated */
    const PropLink *link;        /* PK_LINK */
    const char *help;
} Property;

#define PROP_BOOL(T, f, d, h) { #f, PK_BOOL, offsetof(T, f), d, 0, 1, NULL, NULL, NULL, h }
#define PROP_U8(T, f, d, lo, hi, h) { #f, PK_U8, offsetof(T, f), d, lo, hi, NULL, NULL, NULL, h }
#define PROP_U16(T, f, d, lo, hi, h) { #f, PK_U16, offsetof(T, f), d, lo, hi, NULL, NULL, NULL, h }
#define PROP_U32(T, f, d, lo, hi, h) { #f, PK_U32, offsetof(T, f), d, lo, hi, NULL, NULL, NULL, h }
#define PROP_U64(T, f, d, lo, hi, h) { #f, PK_U64, offsetof(T, f), d, lo, hi, NULL, NULL, NULL, h }
#define PROP_SIZE(T, f, d, lo, hi, h) { #f, PK_SIZE, offsetof(T, f), d, lo, hi, NULL, NULL, NULL, h }
#define PROP_STR(T, f, d, h) { #f, PK_STR, offsetof(T, f), 0, 0, 0, d, NULL, NULL, h }
#define PROP_ENUM(T, f, d, n, h) { #f, PK_ENUM, offsetof(T, f), d, 0, 0, NULL, n, NULL, h }
#define PROP_MAC(T, f, h) { #f, PK_MAC, offsetof(T, f), 0, 0, 0, NULL, NULL, NULL, h }
#define PROP_LINK(T, f, l, h) { #f, PK_LINK, offsetof(T, f), 0, 0, 0, NULL, NULL, &(l), h }
/* the option's spelling differs from the field's name */
#define PROP_NAMED(n, p) PROP_NAMED_(n, p)
#define PROP_END { NULL, PK_END, 0, 0, 0, 0, NULL, NULL, NULL, NULL }

/* Applies every default. */
void property_defaults(const Property *table, void *obj);
/* Sets one. The error names the key (with the near match), the value, what is accepted. */
bool property_set(const Property *table, void *obj, const char *key, const char *value, Error *err);
/* "a=b,c=d,,e" (",," is a literal comma); "key" alone = "key=on", "nokey" = "key=off".
 * `skip` names keys that the caller handles itself: they are left out. */
bool property_parse(const Property *table, void *obj, const char *text,
                    const char *const *skip, Error *err);
/* Value of key in "a=b,c=d" text, malloc'ed, or NULL. */
char *property_get_text(const char *text, const char *key);
/* First comma-separated word if it has no '=' (the driver or kind), malloc'ed, or NULL;
 * *rest points behind it. */
char *property_first_word(const char *text, const char **rest);
void property_free(const Property *table, void *obj);
void property_help(const Property *table, FILE *f);

bool parse_size(const char *text, uint64_t default_unit, uint64_t *out); /* "512M" */
bool parse_u64(const char *text, uint64_t *out);                          /* 0x too */

#endif

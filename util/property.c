/* SPDX-License-Identifier: MIT */
/* Property tables: defaults, "key=value" texts, help; numbers and sizes in text form. */
#include "util/property.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

/* ---- numbers ---- */

bool parse_u64(const char *text, uint64_t *out)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    char *end;
    if (!*digits || !strchr("0123456789abcdefABCDEF", *digits)) {
        return false; /* strtoull would take a sign or blanks */
    }
    errno = 0;
    unsigned long long v = strtoull(digits, &end, hex ? 16 : 10);
    if (errno || end == digits || *end) {
        return false;
    }
    *out = v;
    return true;
}

bool parse_size(const char *text, uint64_t default_unit, uint64_t *out)
{
    static const char suffixes[] = "BKMGTPE";
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return parse_u64(text, out);
    }
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    uint64_t whole = strtoull(text, &end, 10);
    if (errno) {
        return false;
    }
    double fraction = 0, scale = 1;
    if (*end == '.') {
        for (end++; *end >= '0' && *end <= '9'; end++) {
            scale /= 10;
            fraction += (*end - '0') * scale;
        }
    }
    uint64_t unit = default_unit;
    if (*end) {
        char c = *end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end;
        const char *s = strchr(suffixes, c);
        if (!s || end[1]) {
            return false;
        }
        unit = 1ull << (10 * (s - suffixes));
    }
    uint64_t v;
    if (__builtin_mul_overflow(whole, unit, &v) ||
        __builtin_add_overflow(v, (uint64_t)(fraction * (double)unit), &v)) {
        return false;
    }
    *out = v;
    return true;
}

/* ---- one property ---- */

static const char *const bool_names[] = { "on", "off", NULL };

static const Property *find(const Property *table, const char *key)
{
    for (const Property *p = table; p && p->kind != PK_END; p++) {
        if (!strcmp(p->name, key)) {
            return p;
        }
    }
    return NULL;
}

static unsigned number_size(const Property *p)
{
    switch (p->kind) {
    case PK_U8: return 1;
    case PK_U16: return 2;
    case PK_U32: return 4;
    case PK_U64:
    case PK_SIZE:
    case PK_MIB: return 8;
    default: return 0;
    }
}

static uint64_t number_max(const Property *p)
{
    return p->max ? p->max : UINT64_MAX >> (64 - 8 * number_size(p));
}

static void store_number(const Property *p, void *at, uint64_t v)
{
    switch (number_size(p)) {
    case 1: *(uint8_t *)at = v; break;
    case 2: *(uint16_t *)at = v; break;
    case 4: *(uint32_t *)at = v; break;
    default: *(uint64_t *)at = v; break;
    }
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    unsigned v[6];
    int used = 0;
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
               &used) != 6 || text[used]) {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        mac[i] = (uint8_t)v[i];
    }
    return true;
}

static bool set_bool(const Property *p, bool *at, const char *value, Error *err)
{
    static const char *const yes[] = { "on", "yes", "true", "y" };
    static const char *const no[] = { "off", "no", "false", "n" };
    bool on = false, off = false;
    for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
        on |= strcmp(value, yes[i]) == 0;
        off |= strcmp(value, no[i]) == 0;
    }
    if (on) {
        *at = true;
    } else if (off) {
        *at = false;
    } else {
        return error_set_choice(err, p->name, value, bool_names);
    }
    return true;
}

static bool set_enum(const Property *p, int *at, const char *value, Error *err)
{
    for (int i = 0; p->names[i]; i++) {
        if (!strcmp(p->names[i], value)) {
            *at = i;
            return true;
        }
    }
    return error_set_choice(err, p->name, value, p->names);
}

/* As a user writes it: 64M. */
static const char *size_text(uint64_t v, char buf[24])
{
    static const char units[] = "\0KMGT";
    unsigned u = 0;
    while (v && v % 1024 == 0 && u < 4) {
        v /= 1024;
        u++;
    }
    snprintf(buf, 24, "%" PRIu64 "%.1s", v, units + u);
    return buf;
}

static bool set_number(const Property *p, void *at, const char *value, Error *err)
{
    uint64_t v, max = number_max(p);
    bool size = p->kind == PK_SIZE || p->kind == PK_MIB;
    uint64_t unit = p->kind == PK_MIB ? MiB : 1;
    if ((size ? parse_size(value, unit, &v) : parse_u64(value, &v)) && v >= p->min &&
        v <= max) {
        store_number(p, at, v);
        return true;
    }
    if (p->min == 0 && max == UINT64_MAX) {
        return error_set(err, "%s: %s is not accepted: expected a %s", p->name, value,
                         size ? "size such as 512M" : "number");
    }
    if (size) {
        char low[24], high[24];
        return error_set(err, "%s: %s is not accepted: expected a size from %s to %s", p->name,
                         value, size_text(p->min, low), size_text(max, high));
    }
    return error_set(err, "%s: %s is not accepted: expected a number from %" PRIu64
                     " to %" PRIu64, p->name, value, p->min, max);
}

static bool set_value(const Property *p, void *obj, const char *value, Error *err)
{
    void *at = (char *)obj + p->offset;
    switch (p->kind) {
    case PK_BOOL: return set_bool(p, at, value, err);
    case PK_ENUM: return set_enum(p, at, value, err);
    case PK_STR:
        free(*(char **)at);
        *(char **)at = xstrdup(value);
        return true;
    case PK_MAC:
        return parse_mac(value, at) ||
               error_set(err, "%s: %s is not accepted: expected six hexadecimal bytes "
                         "such as 52:54:00:12:34:56", p->name, value);
    case PK_LINK: {
        void *target = p->link->find(value, err);
        if (!target) {
            if (!err->msg) {
                error_set(err, "no %s has the id '%s'", p->link->what, value);
            }
            error_prefix(err, "%s: ", p->name);
            return false;
        }
        *(void **)at = target;
        return true;
    }
    default: return set_number(p, at, value, err);
    }
}

void property_defaults(const Property *table, void *obj)
{
    for (const Property *p = table; p && p->kind != PK_END; p++) {
        void *at = (char *)obj + p->offset;
        switch (p->kind) {
        case PK_BOOL: *(bool *)at = p->def; break;
        case PK_ENUM: *(int *)at = (int)p->def; break;
        case PK_STR: *(char **)at = p->def_str ? xstrdup(p->def_str) : NULL; break;
        case PK_MAC:
            memset(at, 0, 6);
            if (p->def_str) {
                parse_mac(p->def_str, at);
            }
            break;
        case PK_LINK: *(void **)at = NULL; break;
        default: store_number(p, at, p->def); break;
        }
    }
}

/* Names the near match and all there are; `also`: keys that the caller handles itself. */
static bool unknown_key(const Property *table, const char *const *also, const char *key,
                        Error *err)
{
    size_t n = 0, m = 0;
    for (const Property *p = table; p && p->kind != PK_END; p++) {
        n++;
    }
    while (also && also[m]) {
        m++;
    }
    const char **names = NEW_ARRAY(const char *, n + m + 1);
    char *list = xstrdup("");
    for (size_t i = 0; i < n + m; i++) {
        names[i] = i < n ? table[i].name : also[i - n];
        char *longer = xasprintf("%s%s%s", list, i ? ", " : "", names[i]);
        free(list);
        list = longer;
    }
    const char *near = nearest_match(key, names);
    error_set(err, "there is no property '%s'%s%s%s%s%s", key,
              n + m ? ": expected one of " : " (it has none)", list,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    free(list);
    return false;
}

static bool set_or_complain(const Property *table, const char *const *also, void *obj,
                            const char *key, const char *value, Error *err)
{
    const Property *p = find(table, key);
    return p ? set_value(p, obj, value, err) : unknown_key(table, also, key, err);
}

bool property_set(const Property *table, void *obj, const char *key, const char *value,
                  Error *err)
{
    return set_or_complain(table, NULL, obj, key, value, err);
}

/* ---- lists ---- */

/* Cuts the next item off *text: up to a single comma, with ",," turned into ",". NULL at
 * the end; malloc'ed. */
static char *next_item(const char **text)
{
    const char *s = *text;
    if (!*s) {
        return NULL;
    }
    char *item = xalloc(strlen(s) + 1), *d = item;
    while (*s) {
        if (*s == ',') {
            s++;
            if (*s != ',') {
                break;
            }
        }
        *d++ = *s++;
    }
    *d = 0;
    *text = s;
    return item;
}

/* Splits "key=value" in place; a bare word is "on". */
static const char *split(char *item)
{
    char *eq = strchr(item, '=');
    if (!eq) {
        return "on";
    }
    *eq = 0;
    return eq + 1;
}

static bool parse_item(const Property *table, void *obj, char *item,
                       const char *const *skip, Error *err)
{
    bool bare = !strchr(item, '=');
    const char *value = split(item), *key = item;
    for (const char *const *s = skip; s && *s; s++) {
        if (!strcmp(*s, key)) {
            return true;
        }
    }
    if (!*key) {
        return error_set(err, "a property without a name");
    }
    if (bare && !find(table, key) && !strncmp(key, "no", 2)) {
        const Property *p = find(table, key + 2);
        if (p && p->kind == PK_BOOL) {
            return set_value(p, obj, "off", err);
        }
    }
    const Property *p = find(table, key);
    if (p && bare && p->kind != PK_BOOL) {
        return error_set(err, "%s: needs a value: %s=VALUE", key, key);
    }
    return set_or_complain(table, skip, obj, key, value, err);
}

bool property_parse(const Property *table, void *obj, const char *text,
                    const char *const *skip, Error *err)
{
    if (!text) {
        return true;
    }
    bool ok = true;
    char *item;
    while (ok && (item = next_item(&text))) {
        ok = parse_item(table, obj, item, skip, err);
        free(item);
    }
    return ok;
}

char *property_get_text(const char *text, const char *key)
{
    char *found = NULL, *item;
    while (text && (item = next_item(&text))) {
        const char *value = split(item);
        if (!strcmp(item, key)) { /* the last one counts, as in property_parse */
            free(found);
            found = xstrdup(value);
        }
        free(item);
    }
    return found;
}

char *property_first_word(const char *text, const char **rest)
{
    *rest = text;
    const char *at = text;
    char *word = next_item(&at);
    if (word && strchr(word, '=')) {
        free(word);
        return NULL;
    }
    *rest = at;
    return word;
}

void property_free(const Property *table, void *obj)
{
    for (const Property *p = table; p && p->kind != PK_END; p++) {
        if (p->kind == PK_STR) {
            char **s = (char **)((char *)obj + p->offset);
            free(*s);
            *s = NULL;
        }
    }
}

static void help_value(const Property *p, FILE *f)
{
    switch (p->kind) {
    case PK_BOOL: fprintf(f, "on|off"); break;
    case PK_STR: fprintf(f, "TEXT"); break;
    case PK_MAC: fprintf(f, "MAC"); break;
    case PK_LINK: fprintf(f, "ID of a %s", p->link->what); break;
    case PK_SIZE:
    case PK_MIB: fprintf(f, "SIZE"); break;
    case PK_ENUM:
        for (int i = 0; p->names[i]; i++) {
            fprintf(f, "%s%s", i ? "|" : "", p->names[i]);
        }
        break;
    default: fprintf(f, "NUMBER"); break;
    }
}

void property_help(const Property *table, FILE *f)
{
    for (const Property *p = table; p && p->kind != PK_END; p++) {
        char buf[24];
        fprintf(f, "  %s=", p->name);
        help_value(p, f);
        fprintf(f, "  %s", p->help ? p->help : "");
        switch (p->kind) {
        case PK_BOOL: fprintf(f, " (default: %s)", p->def ? "on" : "off"); break;
        case PK_ENUM: fprintf(f, " (default: %s)", p->names[p->def]); break;
        case PK_STR:
        case PK_MAC:
            if (p->def_str) {
                fprintf(f, " (default: %s)", p->def_str);
            }
            break;
        case PK_LINK: break;
        case PK_SIZE:
        case PK_MIB: fprintf(f, " (default: %s)", size_text(p->def, buf)); break;
        default: fprintf(f, p->def > 4095 ? " (default: 0x%" PRIx64 ")"
                                          : " (default: %" PRIu64 ")", p->def); break;
        }
        fprintf(f, "\n");
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * The -d log. Set up before vCPU threads start; afterwards only log_mask may change (from
 * the monitor). The output FILE's own lock keeps lines and blocks together.
 */
#include "util/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"
#include "util/property.h"

typedef struct LogItem {
    const char *name;
    uint32_t bit;
    const char *help;
} LogItem;

static const LogItem items[] = {
    { "in_asm", LOG_IN_ASM, "guest code of each block as it is translated" },
    { "op", LOG_OP, "intermediate code" },
    { "out_asm", LOG_OUT_ASM, "host code" },
    { "int", LOG_INT, "interrupts and exceptions" },
    { "exec", LOG_EXEC, "each block entered" },
    { "mmu", LOG_MMU, "TLB fills, page faults, flushes" },
    { "guest_errors", LOG_GUEST_ERRORS, "what the guest did wrong" },
    { "unimp", LOG_UNIMP, "what the guest used and dyad does not model" },
    { "cpu_reset", LOG_CPU_RESET, "vCPU state at each reset" },
    { "stats", LOG_STATS, "counters at exit" },
    { "branches", LOG_BRANCHES, "the last branches before a triple fault (slow)" },
};

typedef struct LogRange {
    uint64_t start, last;
} LogRange;

uint32_t log_mask;
static FILE *log_file; /* NULL: stderr */
static LogRange *ranges;
static size_t n_ranges;

void log_help(FILE *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        fprintf(f, "  %-14s %s\n", items[i].name, items[i].help);
    }
}

/* Calls fn for each comma-separated word of list. */
static bool for_each_word(const char *list, bool (*fn)(char *word, void *arg, Error *err),
                          void *arg, Error *err)
{
    char *copy = xstrdup(list), *save = NULL;
    bool ok = true;
    for (char *w = strtok_r(copy, ",", &save); w && ok; w = strtok_r(NULL, ",", &save)) {
        ok = fn(w, arg, err);
    }
    free(copy);
    return ok;
}

static bool add_item(char *word, void *arg, Error *err)
{
    uint32_t *mask = arg;
    const char *names[ARRAY_SIZE(items) + 1];
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        names[i] = items[i].name;
        if (!strcmp(word, items[i].name)) {
            *mask |= items[i].bit;
            return true;
        }
    }
    names[ARRAY_SIZE(items)] = NULL;
    return error_set_choice(err, "-d", word, names);
}

bool log_set_items(const char *list, Error *err)
{
    uint32_t mask = 0;
    if (!for_each_word(list, add_item, &mask, err)) {
        return false;
    }
    log_mask = mask;
    return true;
}

bool log_set_file(const char *path, Error *err)
{
    FILE *f = fopen(path, "we");
    if (!f) {
        return error_set(err, "cannot open '%s': %s", path, strerror(errno));
    }
    setvbuf(f, NULL, _IOLBF, 0);
    if (log_file) {
        fclose(log_file);
    }
    log_file = f;
    return true;
}

static bool add_range(char *word, void *arg, Error *err)
{
    LogRange r;
    char *sep = strstr(word, ".."), *plus = strchr(word, '+'), *second;
    if (!sep && !plus) {
        return error_set(err, "-dfilter: %s is not accepted: expected START..LAST or "
                              "START+SIZE", word);
    }
    char *full = xstrdup(word);
    if (sep) {
        second = sep + 2;
        *sep = 0;
    } else {
        second = plus + 1;
        *plus = 0;
    }
    bool ok = parse_u64(word, &r.start) && parse_u64(second, &r.last);
    if (ok && !sep) {
        ok = r.last > 0 && r.last - 1 <= UINT64_MAX - r.start;
        r.last = r.start + r.last - 1;
    }
    ok = ok && r.start <= r.last;
    if (ok) {
        ranges = xrealloc(ranges, (n_ranges + 1) * sizeof(*ranges));
        ranges[n_ranges++] = r;
    } else {
        error_set(err, "-dfilter: %s is not a range of addresses", full);
    }
    free(full);
    return ok;
}

bool log_set_filter(const char *text, Error *err)
{
    n_ranges = 0;
    return for_each_word(text, add_range, NULL, err);
}

bool log_in_filter(uint64_t addr)
{
    if (!n_ranges) {
        return true;
    }
    for (size_t i = 0; i < n_ranges; i++) {
        if (addr >= ranges[i].start && addr <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

void log_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    FILE *f = log_lock();
    vfprintf(f, fmt, ap);
    log_unlock(f);
    va_end(ap);
}

FILE *log_lock(void)
{
    FILE *f = log_file ? log_file : stderr;
    flockfile(f);
    return f;
}

void log_unlock(FILE *f)
{
    funlockfile(f);
}

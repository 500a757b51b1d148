/* SPDX-License-Identifier: MIT */
/* Errors as values, and the nearest-name search of their "did you mean". */
#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "util/alloc.h"

static char *format(const char *fmt, va_list ap)
{
    char *s;
    if (vasprintf(&s, fmt, ap) < 0) {
        abort();
    }
    return s;
}

bool error_set(Error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *msg = format(fmt, ap); /* before the free: the old text may be an argument */
    va_end(ap);
    free(err->msg);
    err->msg = msg;
    return false;
}

void error_prefix(Error *err, const char *fmt, ...)
{
    if (!err->msg) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    char *prefix = format(fmt, ap);
    va_end(ap);
    char *msg = xasprintf("%s%s", prefix, err->msg);
    free(prefix);
    free(err->msg);
    err->msg = msg;
}

static bool timestamps;

void error_set_timestamps(bool on)
{
    timestamps = on;
}

static void put_time(void)
{
    struct timespec t;
    struct tm tm;
    char text[32];
    if (timestamps && clock_gettime(CLOCK_REALTIME, &t) == 0 && gmtime_r(&t.tv_sec, &tm) &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm)) {
        fprintf(stderr, "%s.%06ldZ ", text, t.tv_nsec / 1000);
    }
}

void error_report(Error *err)
{
    if (err->msg) {
        put_time();
        fprintf(stderr, "dyad: %s\n", err->msg);
    }
    error_free(err);
}

void error_free(Error *err)
{
    free(err->msg);
    err->msg = NULL;
}

void warn_report(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *msg = format(fmt, ap);
    va_end(ap);
    put_time();
    fprintf(stderr, "dyad: warning: %s\n", msg);
    free(msg);
}

enum { WORD_MAX = 64 };

/* Edit distance with transpositions of neighbours, by three rolling rows. Words longer
 * than WORD_MAX are cut. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][WORD_MAX + 1];
    na = MIN(na, WORD_MAX);
    nb = MIN(nb, WORD_MAX);
    for (size_t j = 0; j <= nb; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= na; i++) {
        unsigned *cur = rows[i % 3];
        const unsigned *prev = rows[(i - 1) % 3], *prev2 = rows[(i + 1) % 3];
        cur[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned d = prev[j - 1] + (a[i - 1] != b[j - 1]);
            d = MIN(d, prev[j] + 1);
            d = MIN(d, cur[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d = MIN(d, prev2[j - 2] + 1);
            }
            cur[j] = d;
        }
    }
    return rows[na % 3][nb];
}

/* The longest name that is a whole part of word between hyphens (q35 in pc-q35-8.2), else
 * the only one with the same first part of four letters and more. */
static const char *by_parts(const char *word, const char *const *names)
{
    const char *whole = NULL, *first = NULL;
    size_t head = strcspn(word, "-"), same = 0;
    if (!word[head]) {
        return NULL;
    }
    for (; *names; names++) {
        size_t n = strlen(*names);
        for (const char *p = word; p; p = strchr(p, '-'), p += p != NULL) {
            bool ends = !strncmp(p, *names, n) && (!p[n] || p[n] == '-');
            if (n > 1 && ends && (!whole || n > strlen(whole))) {
                whole = *names;
            }
        }
        if (head >= 4 && !strncmp(word, *names, head + 1)) {
            first = *names;
            same++;
        }
    }
    return whole ? whole : same == 1 ? first : NULL;
}

const char *nearest_match(const char *word, const char *const *names)
{
    const char *const *all = names;
    const char *best = NULL;
    unsigned best_d = ~0u;
    size_t n = strlen(word);
    for (; *names; names++) {
        size_t nn = strlen(*names);
        unsigned d = distance(word, n, *names, nn);
        /* A distance as great as the word itself shares nothing with it. */
        if (d < best_d && d <= MAX(2u, n / 3) && d < MAX(n, nn)) {
            best = *names;
            best_d = d;
        }
    }
    return best ? best : by_parts(word, all);
}

bool error_set_choice(Error *err, const char *option, const char *value,
                      const char *const *names)
{
    char *list = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&list, &len);
    if (!f) {
        abort();
    }
    for (size_t i = 0; names[i]; i++) {
        fprintf(f, "%s%s", i ? ", " : "", names[i]);
    }
    fclose(f);
    const char *near = nearest_match(value, names);
    error_set(err, "%s: %s is not accepted: expected one of %s%s%s%s", option, value, list,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(list);
    return false;
}

/* SPDX-License-Identifier: MIT */
/*
 * Choice of an engine: splits `-accel a:b,prop=value` into wishes, checks them all, then
 * tries them in order. Properties behind `a:b` belong to every engine of the group that
 * has them. Main thread, before any vCPU exists.
 */
#include "accel/accel.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/machine.h"
#include "util/alloc.h"
#include "util/log.h"

typedef struct Wish {
    const AccelClass *cls;
    char *props; /* text behind the name, owned */
} Wish;

typedef struct Wishes {
    Wish *w;
    size_t n;
} Wishes;

static const Property no_props[] = { PROP_END };

const AccelClass *accel_class_find(const char *name)
{
    for (size_t i = 0; accel_classes[i]; i++) {
        if (strcmp(accel_classes[i]->name, name) == 0) {
            return accel_classes[i];
        }
    }
    return NULL;
}

static const Property *props_of(const AccelClass *cls)
{
    return cls->props ? cls->props : no_props;
}

static void wishes_free(Wishes *ws)
{
    for (size_t i = 0; i < ws->n; i++) {
        free(ws->w[i].props);
    }
    free(ws->w);
}

static void wishes_add(Wishes *ws, const AccelClass *cls, const char *props)
{
    ws->w = xrealloc(ws->w, (ws->n + 1) * sizeof(Wish));
    ws->w[ws->n++] = (Wish){ cls, xstrdup(props) };
}

static bool set_unknown(Error *err, const char *name)
{
    size_t n = 0;
    while (accel_classes[n]) {
        n++;
    }
    const char **names = NEW_ARRAY(const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        names[i] = accel_classes[i]->name;
    }
    error_set_choice(err, "-accel", name, names);
    free(names);
    return false;
}

/* One spec, "kvm:tcg,prop=value", into wishes. */
static bool wishes_parse(Wishes *ws, const char *spec, Error *err)
{
    size_t head = strcspn(spec, ",");
    const char *props = spec[head] == ',' ? spec + head + 1 : "";
    char *names = xasprintf("%.*s", (int)head, spec);
    bool ok = true;
    char *rest = names;
    while (ok && rest) {
        char *name = strsep(&rest, ":");
        const AccelClass *cls = accel_class_find(name);
        if (cls) {
            wishes_add(ws, cls, props);
        } else {
            ok = set_unknown(err, name);
        }
    }
    free(names);
    return ok;
}

/* The filled options struct of a wish, or NULL. */
static void *wish_options(const Wish *w, Error *err)
{
    void *opts = xalloc(w->cls->size ? w->cls->size : 1);
    property_defaults(props_of(w->cls), opts);
    if (!property_parse(props_of(w->cls), opts, w->props, NULL, err)) {
        error_prefix(err, "-accel %s: ", w->cls->name);
        property_free(props_of(w->cls), opts);
        free(opts);
        return NULL;
    }
    return opts;
}

static bool wishes_make(Wishes *ws, const char *const *specs, size_t n, Error *err)
{
    *ws = (Wishes){ 0 };
    for (size_t i = 0; i < n; i++) {
        if (!wishes_parse(ws, specs[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; n == 0 && accel_classes[i]; i++) {
        if (!accel_classes[i]->preferred || accel_classes[i]->preferred()) {
            wishes_add(ws, accel_classes[i], "");
        }
    }
    for (size_t i = 0; i < ws->n; i++) {
        void *opts = wish_options(&ws->w[i], err);
        if (!opts) {
            return false;
        }
        property_free(props_of(ws->w[i].cls), opts);
        free(opts);
    }
    return true;
}

bool accel_check(const char *const *specs, size_t n, Error *err)
{
    Wishes ws;
    bool ok = wishes_make(&ws, specs, n, err);
    wishes_free(&ws);
    return ok;
}

/* Tries one engine; the reason goes to err. */
static bool try_wish(Accel *a, struct Machine *m, const Wish *w, Error *err)
{
    char why[256] = "";
    if (w->cls->probe && !w->cls->probe(why, sizeof(why))) {
        return error_set(err, "%s: %s", w->cls->name, why[0] ? why : "not usable here");
    }
    void *opts = wish_options(w, err);
    if (!opts) {
        return false;
    }
    if (!w->cls->init_machine(m, opts, err)) {
        error_prefix(err, "%s: ", w->cls->name);
        property_free(props_of(w->cls), opts);
        free(opts);
        return false;
    }
    *a = (Accel){ .cls = w->cls, .machine = m, .opts = opts };
    a->made[0].cls = w->cls;
    a->made[0].opts = opts;
    a->nmade = 1;
    return true;
}

bool accel_select(Accel *a, struct Machine *m, const char *const *specs, size_t n,
                  Error *err)
{
    *a = (Accel){ 0 };
    Wishes ws;
    if (!wishes_make(&ws, specs, n, err)) {
        wishes_free(&ws);
        return false;
    }
    char *reasons = xstrdup("");
    for (size_t i = 0; i < ws.n && !a->cls; i++) {
        Error one = ERROR_INIT;
        if (try_wish(a, m, &ws.w[i], &one)) {
            break;
        }
        char *all = xasprintf("%s%s%s", reasons, reasons[0] ? "; " : "", one.msg);
        free(reasons);
        reasons = all;
        error_free(&one);
    }
    /* With no -accel given, the engines before the chosen one were nobody's wish. */
    if (a->cls && reasons[0] && n > 0) {
        warn_report("-accel %s is used instead (%s)", a->cls->name, reasons);
    }
    if (!a->cls) {
        error_set(err, "-accel: no engine can be used: %s",
                  reasons[0] ? reasons : "none is built in");
    }
    free(reasons);
    wishes_free(&ws);
    return a->cls != NULL;
}

void accel_destroy(Accel *a)
{
    if (!a->cls) {
        return;
    }
    if (log_on(LOG_STATS) && a->cls->info) {
        FILE *f = log_lock();
        a->cls->info(a->machine, "stats", f);
        log_unlock(f);
    }
    while (a->nmade) { /* newest first: the oldest made the vCPUs' memory */
        const AccelClass *cls = a->made[--a->nmade].cls;
        void *opts = a->made[a->nmade].opts;
        if (cls != a->cls && cls->enter) {
            cls->enter(a->machine); /* m->accel is its own again */
        }
        a->cls = cls;
        if (cls->destroy) {
            cls->destroy(a->machine);
        }
        property_free(props_of(cls), opts);
        free(opts);
    }
    *a = (Accel){ 0 };
}

/* ---- changing over ---- */

static bool make_another(Accel *a, const AccelClass *cls, const char *props, Error *err)
{
    struct Machine *m = a->machine;
    char why[256] = "";
    if (a->nmade == ARRAY_SIZE(a->made) || !cls->enter) {
        return error_set(err, "%s cannot take over a running machine", cls->name);
    }
    if (cls->probe && !cls->probe(why, sizeof(why))) {
        return error_set(err, "%s: %s", cls->name, why);
    }
    void *opts = wish_options(&(Wish){ cls, (char *)props }, err);
    if (!opts) {
        return false;
    }
    bool ok = cls->init_machine(m, opts, err);
    if (ok) {
        a->made[a->nmade].cls = cls;
        a->made[a->nmade++].opts = opts;
    }
    for (unsigned i = 0; ok && i < m->ncpus; i++) {
        ok = m->exec->init_cpu(m->cpus[i], err);
        if (!ok && cls->destroy) {
            cls->destroy(m);
            a->nmade--;
        }
    }
    if (!ok) {
        property_free(props_of(cls), opts);
        free(opts);
    }
    return ok;
}

/* props: for an engine that this makes. */
static bool switch_class(Accel *a, const AccelClass *cls, const char *props, Error *err)
{
    struct Machine *m = a->machine;
    if (!a->cls->enter || (a->cls->leave && !a->cls->leave(m, err))) {
        return a->cls->enter ? false : error_set(err, "%s cannot be left", a->cls->name);
    }
    bool made = false;
    for (unsigned i = 0; i < a->nmade; i++) {
        made |= a->made[i].cls == cls;
    }
    bool ok = made || make_another(a, cls, props, err);
    if (ok) {
        a->cls = cls;
    }
    a->cls->enter(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        m->cpus[i]->exec = m->exec;
    }
    return ok;
}

/* The engine at work gets the properties of `text`. */
static bool change_props(Accel *a, const char *text, Error *err)
{
    void *now = NULL;
    for (unsigned i = 0; i < a->nmade; i++) {
        now = a->made[i].cls == a->cls ? a->made[i].opts : now;
    }
    void *opts = xalloc(a->cls->size);
    memcpy(opts, now, a->cls->size);
    bool ok = property_parse(props_of(a->cls), opts, text, NULL, err);
    if (ok && memcmp(opts, now, a->cls->size) != 0) {
        ok = a->cls->change ? a->cls->change(a->machine, opts, err)
                            : error_set(err, "its properties cannot change on a running machine");
    }
    free(opts);
    return ok || (error_prefix(err, "%s: ", a->cls->name), false);
}

bool accel_switch(Accel *a, const char *spec, Error *err)
{
    size_t n = strcspn(spec, ",");
    char *name = xasprintf("%.*s", (int)n, spec);
    const AccelClass *cls = accel_class_find(name), *old = a->cls;
    bool ok = cls ? true : set_unknown(err, name);
    free(name);
    const char *props = spec[n] ? spec + n + 1 : "";
    ok = ok && (cls == old || switch_class(a, cls, props, err));
    if (ok && !change_props(a, props, err)) {
        Error ignored = ERROR_INIT;
        if (cls != old && !switch_class(a, old, "", &ignored)) {
            error_free(&ignored); /* it stays with the new engine, as it was */
        }
        return false;
    }
    return ok;
}

void accel_help(FILE *f)
{
    fprintf(f, "Accelerators (-accel NAME,help shows an engine's properties):\n");
    for (size_t i = 0; accel_classes[i]; i++) {
        const AccelClass *cls = accel_classes[i];
        char why[256] = "";
        bool ok = !cls->probe || cls->probe(why, sizeof(why));
        if (ok && cls->preferred && !cls->preferred()) {
            snprintf(why, sizeof(why), " [made of software on this host: on request only]");
        }
        fprintf(f, "  %-10s %s%s%s%s\n", cls->name, cls->desc,
                ok ? "" : " [not usable: ", why, ok ? "" : "]");
    }
}

void accel_class_help(const AccelClass *cls, FILE *f)
{
    fprintf(f, "%s: %s\n", cls->name, cls->desc);
    property_help(props_of(cls), f);
}

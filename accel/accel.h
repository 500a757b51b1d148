/* SPDX-License-Identifier: MIT */
/*
 * Engines as constant rows, and the choice among them: `-accel NAME,prop=value` may be
 * given several times (or spelt NAME:NAME) and they are tried in that order. Nothing
 * here knows any engine; accel/accel_list.c is the list.
 */
#ifndef ACCEL_ACCEL_H
#define ACCEL_ACCEL_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"
#include "util/property.h"

struct Machine;

typedef struct AccelClass {
    const char *name, *desc;
    const Property *props;  /* of the options struct; NULL: none */
    size_t size;            /* of the options struct */
    /* Is the engine usable on this host? If not, writes the reason to why. Cheap, makes
     * nothing. NULL: always. */
    bool (*probe)(char *why, size_t n);
    /* Before the board is built: sets m->exec, m->cpu_factory and m->accel. opts is the
     * filled options struct and lives until destroy has returned. */
    bool (*init_machine)(struct Machine *m, void *opts, Error *err);
    /* Without -accel: is it the better choice where it works? NULL: yes. */
    bool (*preferred)(void);
    /* Changing over on a paused machine (accel_switch), optional: enter sets m->exec and
     * m->accel again and drops what is stale; leave may refuse. An engine that has enter
     * can be initialized for a machine whose vCPUs exist. */
    void (*enter)(struct Machine *m);
    bool (*leave)(struct Machine *m, Error *err);
    /* Other properties for an engine at work on a paused machine (`accel switch
     * tcg,backend=interp`), optional: opts is a changed copy of its options struct, which
     * must not own memory. On failure nothing changed. */
    bool (*change)(struct Machine *m, const void *opts, Error *err);
    /* After all vCPU threads are joined; optional. */
    void (*destroy)(struct Machine *m);
    /* info jit, info accel; optional. */
    void (*info)(struct Machine *m, const char *what, FILE *f);
} AccelClass;

extern const AccelClass *const accel_classes[]; /* accel/accel_list.c, NULL-ended */

/* The engine chosen for a machine. */
typedef struct Accel {
    const AccelClass *cls;
    struct Machine *machine;
    void *opts;             /* cls->size bytes, owned */
    struct {                /* engines made so far, oldest first; cls is one of them */
        const AccelClass *cls;
        void *opts;
    } made[4];
    unsigned nmade;
} Accel;

/* Checks the specs (names and properties) of all -accel options before anything is
 * made. With n = 0 every engine of the list is wished for, in its order. */
bool accel_check(const char *const *specs, size_t n, Error *err);

/* Takes the first that works and initializes m with it. Engines passed over are warned
 * about, with the reason. On failure the error lists every reason and a is empty. */
bool accel_select(Accel *a, struct Machine *m, const char *const *specs, size_t n,
                  Error *err);
void accel_destroy(Accel *a); /* a may be empty */
/* Changes the engine of a paused machine ("kvm", "tcg,backend=interp"); machine lock. On
 * failure nothing changed. */
bool accel_switch(Accel *a, const char *spec, Error *err);

const AccelClass *accel_class_find(const char *name);
void accel_help(FILE *f);
void accel_class_help(const AccelClass *cls, FILE *f);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The interpreting back end: runs units on any host. interp_emit is heavy; interp_run is
 * leaf code (it goes into the guest's library of leaf code) and enters what is not by the
 * guest's door.
 */
#ifndef TCG_INTERP_INTERP_H
#define TCG_INTERP_INTERP_H

#include "tcg/ir.h"

typedef struct InterpHost {
    /* Calls fn(arg) in a state in which any C code may run. */
    void (*heavy)(void *env, void (*fn)(void *arg), void *arg);
} InterpHost;

/* The unit's bytecode: *nwords 32-bit words, malloc'ed, position-independent; refers to the
 * unit's payloads, xops and helpers but not to the unit. NULL if it needs more slots than
 * there are. */
uint32_t *interp_emit(const IrUnit *u, unsigned *nwords) MUST_USE;

/* Runs it; returns the exit's code (0 if an xop left). */
uint64_t interp_run(const uint32_t *code, void *env, const InterpHost *host);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Calling helpers by their rows, through libffi. Signatures are few: each is prepared once
 * and found again by comparing bytes. The list only grows; its lock is private.
 */
#include "tcg/helper.h"
#include <ffi.h>
#include <pthread.h>
#include <string.h>
#include "util/alloc.h"

struct HelperCif {
    HelperCif *next;
    uint8_t sig[2 + IR_MAX_ARGS]; /* ret, nargs, args */
    ffi_cif cif;
    ffi_type *types[IR_MAX_ARGS];
};

static HelperCif *cifs;
static pthread_mutex_t cifs_lock = PTHREAD_MUTEX_INITIALIZER;

static ffi_type *const types[IR_NTYPES] = {
    [IRT_VOID] = &ffi_type_void, [IRT_ENV] = &ffi_type_pointer,
    [IRT_U8] = &ffi_type_uint8,  [IRT_U16] = &ffi_type_uint16,
    [IRT_U32] = &ffi_type_uint32, [IRT_U64] = &ffi_type_uint64,
    [IRT_S8] = &ffi_type_sint8,  [IRT_S16] = &ffi_type_sint16,
    [IRT_S32] = &ffi_type_sint32, [IRT_S64] = &ffi_type_sint64,
    [IRT_F32] = &ffi_type_float, [IRT_F64] = &ffi_type_double,
};

unsigned helper_nin(const Helper *h)
{
    unsigned n = 0;
    for (unsigned i = 0; i < h->nargs; i++) {
        n += h->arg[i] != IRT_ENV;
    }
    return n;
}

static bool is_wide(unsigned type) { return type == IRT_U64 || type == IRT_S64; }

int helper_shape(const Helper *h)
{
    unsigned env = h->nargs && h->arg[0] == IRT_ENV;

    if (h->effects & HELPER_HEAVY || !(h->ret == IRT_VOID || is_wide(h->ret)) ||
        h->nargs - env > 4) {
        return -1;
    }
    for (unsigned i = env; i < h->nargs; i++) {
        if (!is_wide(h->arg[i])) {
            return -1;
        }
    }
    return (h->ret != IRT_VOID) | env << 1 | (h->nargs - env) << 2;
}

const HelperCif *helper_cif(const Helper *h)
{
    uint8_t sig[2 + IR_MAX_ARGS] = { h->ret, h->nargs };
    HelperCif *c;

    memcpy(sig + 2, h->arg, h->nargs);
    pthread_mutex_lock(&cifs_lock);
    for (c = cifs; c && memcmp(c->sig, sig, sizeof(sig)); c = c->next) {
    }
    if (!c) {
        c = NEW(HelperCif);
        memcpy(c->sig, sig, sizeof(sig));
        for (unsigned i = 0; i < h->nargs; i++) {
            c->types[i] = types[h->arg[i]];
        }
        ffi_status s = ffi_prep_cif(&c->cif, FFI_DEFAULT_ABI, h->nargs, types[h->ret], c->types);
        if (s != FFI_OK) {
            unreachable(); /* the table above has only good types */
        }
        c->next = cifs;
        cifs = c;
    }
    pthread_mutex_unlock(&cifs_lock);
    return c;
}

/* One argument or result as C has it. */
typedef union Slot {
    void *p;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    ffi_arg wide;        /* libffi widens narrow integer results to this */
} Slot;

static void slot_set(Slot *s, unsigned type, uint64_t v)
{
    switch (type) {
    case IRT_U8:
    case IRT_S8:
        s->u8 = (uint8_t)v;
        break;
    case IRT_U16:
    case IRT_S16:
        s->u16 = (uint16_t)v;
        break;
    case IRT_U32:
    case IRT_S32:
    case IRT_F32:
        s->u32 = (uint32_t)v;
        break;
    default:
        s->u64 = v;
    }
}

static uint64_t slot_get(const Slot *s, unsigned type)
{
    switch (type) {
    case IRT_VOID: return 0;
    case IRT_U8: return (uint8_t)s->wide;
    case IRT_U16: return (uint16_t)s->wide;
    case IRT_U32: return (uint32_t)s->wide;
    case IRT_S8: return (uint64_t)(int8_t)s->wide;
    case IRT_S16: return (uint64_t)(int16_t)s->wide;
    case IRT_S32: return (uint64_t)(int32_t)s->wide;
    case IRT_F32: return s->u32;
    default: return s->u64;
    }
}

void helper_call(HelperCall *call)
{
    const Helper *h = call->helper;
    Slot slots[IR_MAX_ARGS], ret = { .u64 = 0 };
    void *values[IR_MAX_ARGS];

    for (unsigned i = 0, n = 0; i < h->nargs; i++) {
        values[i] = &slots[i];
        if (h->arg[i] == IRT_ENV) {
            slots[i].p = call->env;
        } else {
            slot_set(&slots[i], h->arg[i], call->arg[n++]);
        }
    }
    ffi_call((ffi_cif *)&call->cif->cif, h->fn, &ret, values);
    call->ret = slot_get(&ret, h->ret);
}

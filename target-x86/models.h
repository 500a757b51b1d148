/* SPDX-License-Identifier: MIT */
/* Named CPU models and the -cpu option. */
#ifndef TARGET_X86_MODELS_H
#define TARGET_X86_MODELS_H

#include "target-x86/cpu.h"

/* A later version of a model: a difference from its first. */
typedef struct X86Version {
    uint8_t number;              /* NAME-vN; 0 ends the list */
    const char *suffix;          /* NAME-noTSX and the like mean it too, or NULL */
    const uint16_t *on, *off;    /* X86F_*, ended by X86F_LIST_END, or NULL */
} X86Version;

typedef struct X86Model {
    const char *name, *desc;
    const char *vendor;          /* 12 characters */
    const char *brand;           /* up to 47 characters */
    uint8_t family, model, stepping;
    uint8_t phys_bits;           /* MAXPHYADDR */
    uint32_t level;              /* highest basic leaf */
    const struct X86Model *base; /* has these features too, or NULL */
    const uint16_t *features;    /* X86F_*, ended by X86F_LIST_END */
    bool all;                    /* everything the engine provides */
    const uint16_t *off;         /* of base's: has them not, or NULL */
    const X86Version *versions;  /* from 2 on, or NULL */
} X86Model;
#define X86F_LIST_END 0xffff
extern const X86Model *const x86_models[]; /* model_list.c, NULL-ended */
extern X86Model x86_host_model;

/* What the software engine executes. */
const uint32_t *x86_tcg_features(void);
/* What the machine's engine provides; set before vCPUs are made (x86_tcg_features). */
extern const uint32_t *(*x86_engine_features)(void);
/* Set for an engine that runs some code on the host's CPU itself, where RDTSC, CPUID and
 * XGETBV show the host's: the TSC is the host's from reset on, -cpu max as like as can be. */
extern bool x86_engine_is_host; /* cpu_ops.c */

/* Gives a new vCPU a model: "NAME[,+FEAT][,-FEAT][,FEAT=on|off][,phys-bits=N]...". Features
 * the engine lacks are left out, with a warning that names them, or refused (enforce). All
 * vCPUs of a machine get the same text. */
bool x86_cpu_set_model(X86Cpu *cpu, const char *spec, Error *err);

/* Models and feature names on a FILE *. */
void x86_cpu_help(void *file);

/* Number of a feature by name ("avx2", "sse4.1"), or -1. */
int x86_feature_by_name(const char *name);
/* NULL if it has none. */
const char *x86_feature_name(unsigned feature);

#endif

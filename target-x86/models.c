/* SPDX-License-Identifier: MIT */
/*
 * What the software engine provides, and the -cpu option. The models are in model_list.c.
 *
 * "max" is an Intel CPU of a generation whose ARCH_CAPABILITIES say that it has none of
 * the known data leaks, so that Linux (Documentation/admin-guide/hw-vuln) leaves out page
 * table isolation, retpolines and buffer clearing: an emulated CPU has nothing to clear,
 * and each of them costs guest time. BHI_CTRL is there because Linux, seeing a hypervisor,
 * takes BHI_NO for no answer and would clear branch history by a loop at every system call;
 * so it sets a bit in SPEC_CTRL instead.
 */
#include "target-x86/models.h"
#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/nondet.h"
#include "target-x86/cpuid.h"
#include "target-x86/model_features.h"
#include "target-x86/native.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* clang-format off: lists */
/* Everything the software engine executes. */
static const uint16_t tcg_list[] = {
    V1, V2, V3, PARAVIRT,
    P(PCLMUL), P(PCID), P(AES), P(RDRAND),
    P(FSGSBASE), P(SMEP), P(ERMS), P(INVPCID), P(RDSEED), P(ADX), P(SMAP), P(CLFLUSHOPT),
    P(CLWB), P(SHA), P(FCSDS),
    P(UMIP), P(PKU), P(GFNI), P(VAES), P(VPCLMUL), P(RDPID),
    P(FSRM), P(SERIALIZE), P(IBRS), P(STIBP), P(SSBD), P(ARCHCAP), P(MDCLEAR),
    P(MMXEXT), P(PDPE1GB), P(RDTSCP), P(FXSROPT),
    P(SSE4A), P(MISALIGNSSE), P(3DNOWPREFETCH), P(CMPLEGACY), P(CR8LEGACY), P(TOPOEXT),
    P(XSAVEOPT), P(XSAVEC), P(XGETBV1), P(XSAVES),
    P(CLZERO), P(XSAVEERPTR), P(WBNOINVD), P(AMDIBPB), P(AMDSSBNO),
    P(FZRM), P(FSRS), P(FSRC),
    P(SS),
    P(RDCLNO), P(IBRSALL), P(SKIPL1DFL), P(SSBNO), P(MDSNO), P(PSCHANGENO), P(TAANO),
    P(SBDRSSDPNO), P(FBSDPNO), P(PSDPNO), P(BHINO), P(GDSNO), P(RFDSNO), P(FBCLEAR),
    P(PBRSBNO), P(ITSNO), P(BHICTRL), P(MCDTNO),
    X86F_LIST_END,
};
/* What it executes where the host does: its reference functions alone would be slow. */
static const uint16_t host_list[] = {
    V4, P(AVX512IFMA), P(AVX512VBMI), P(AVX512VBMI2), P(AVX512VNNI), P(AVX512BITALG),
    P(AVX512VPOPCNT), P(AVX512BF16), X86F_LIST_END,
};
/* left out of "max" though executed: AMD's alone */
static const uint16_t not_intel[] = {
    P(SSE4A), P(MISALIGNSSE), P(CMPLEGACY), P(CR8LEGACY), P(TOPOEXT), P(CLZERO),
    P(XSAVEERPTR), P(AMDIBPB), P(AMDSSBNO), P(MMXEXT), P(FXSROPT), P(FBCLEAR), P(MDCLEAR),
    X86F_LIST_END,
};

/* clang-format on */

/* Features that make no sense without another. */
static const struct {
    uint16_t feature, needs;
} deps[] = {
    { P(XSAVEOPT), P(XSAVE) }, { P(XSAVEC), P(XSAVE) }, { P(XGETBV1), P(XSAVE) },
    { P(XSAVES), P(XSAVEC) },  { P(AVX), P(XSAVE) },    { P(PKU), P(XSAVE) },
    { P(AVX2), P(AVX) },       { P(FMA), P(AVX) },      { P(F16C), P(AVX) },
    { P(VAES), P(AVX) },       { P(VAES), P(AES) },     { P(VPCLMUL), P(AVX) },
    { P(VPCLMUL), P(PCLMUL) }, { P(SSE), P(FXSR) },     { P(SSE2), P(SSE) },
    { P(SSE3), P(SSE2) },      { P(SSSE3), P(SSE3) },   { P(SSE41), P(SSSE3) },
    { P(SSE42), P(SSE41) },    { P(AVX), P(SSE42) },    { P(AES), P(SSE2) },
    { P(PCLMUL), P(SSE2) },    { P(SHA), P(SSE2) },     { P(GFNI), P(SSE2) },
    { P(PCID), P(LM) },        { P(INVPCID), P(PCID) }, { P(PDPE1GB), P(LM) },
    { P(AVX512F), P(AVX2) },   { P(AVX512F), P(FMA) },  { P(AVX512F), P(F16C) },
    { P(AVX512BW), P(AVX512F) }, { P(AVX512CD), P(AVX512F) }, { P(AVX512DQ), P(AVX512F) },
    { P(AVX512VL), P(AVX512F) }, { P(AVX512IFMA), P(AVX512F) },
    { P(AVX512VBMI), P(AVX512BW) }, { P(AVX512VBMI2), P(AVX512BW) },
    { P(AVX512VNNI), P(AVX512F) }, { P(AVX512BITALG), P(AVX512BW) },
    { P(AVX512VPOPCNT), P(AVX512F) }, { P(AVX512BF16), P(AVX512BW) },
    { P(KVMCLOCK), P(HYPERVISOR) }, { P(KVMCLOCK2), P(HYPERVISOR) },
    { P(KVMNOPIODELAY), P(HYPERVISOR) }, { P(KVMCLOCKSTABLE), P(HYPERVISOR) },
};

static void set_bit(uint32_t *words, unsigned f, bool on)
{
    words[f / 32] = on ? words[f / 32] | 1u << (f % 32) : words[f / 32] & ~(1u << (f % 32));
}

static bool get_bit(const uint32_t *words, unsigned f)
{
    return words[f / 32] >> (f % 32) & 1;
}

static void add_list(uint32_t *words, const uint16_t *list, bool on)
{
    for (; list && *list != X86F_LIST_END; list++) {
        set_bit(words, *list, on);
    }
}

const uint32_t *x86_tcg_features(void)
{
    static uint32_t words[X86F_NWORDS];
    add_list(words, tcg_list, true);
    for (const uint16_t *f = host_list; *f != X86F_LIST_END; f++) {
        set_bit(words, *f, x86_host_has(*f));
    }
    return words;
}

const uint32_t *(*x86_engine_features)(void) = x86_tcg_features;

static void add_model(uint32_t *words, const X86Model *m)
{
    if (m->base) {
        add_model(words, m->base);
    }
    add_list(words, m->features, true);
    add_list(words, m->off, false);
    if (m->all) {
        for (unsigned i = 0; i < X86F_NWORDS; i++) {
            /* only what both engines have: a running machine may change engine */
            words[i] |= x86_tcg_features()[i] & x86_engine_features()[i];
        }
        if (m->vendor[0] != 'A') {
            add_list(words, not_intel, false);
        }
    }
}

/* ---- host ---- */

#if defined(__x86_64__)
static void fill_host(uint32_t *words)
{
    static char vendor[13], brand[49];
    static const struct {
        uint32_t leaf, sub;
        uint8_t reg, word;
    } rows[] = {
        { 1, 0, 3, X86FW_1_EDX },   { 1, 0, 2, X86FW_1_ECX },   { 7, 0, 1, X86FW_7_0_EBX },
        { 7, 0, 2, X86FW_7_0_ECX }, { 0x80000001, 0, 3, X86FW_80000001_EDX },
        { 0x80000001, 0, 2, X86FW_80000001_ECX },
    };
    uint32_t r[4], keep[X86F_NWORDS] = { 0 };

    __cpuid(0, r[0], r[1], r[2], r[3]);
    memcpy(vendor, &r[1], 4);
    memcpy(vendor + 4, &r[3], 4);
    memcpy(vendor + 8, &r[2], 4);
    x86_host_model.vendor = vendor;
    __cpuid(1, r[0], r[1], r[2], r[3]);
    x86_host_model.family = (r[0] >> 8 & 15) + (r[0] >> 20 & 255);
    x86_host_model.model = (r[0] >> 4 & 15) | (r[0] >> 12 & 0xf0);
    x86_host_model.stepping = r[0] & 15;
    for (unsigned i = 0; i < 3; i++) {
        if (__get_cpuid(0x80000002 + i, &r[0], &r[1], &r[2], &r[3])) {
            memcpy(brand + 16 * i, r, 16);
        }
    }
    x86_host_model.brand = brand;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (__get_cpuid_count(rows[i].leaf, rows[i].sub, &r[0], &r[1], &r[2], &r[3])) {
            keep[rows[i].word] = r[rows[i].reg];
        }
        words[rows[i].word] &= keep[rows[i].word];
    }
}
#else
static void fill_host(uint32_t *words) {}
#endif

/* ---- the option ---- */

/* The version that a name's tail asks for: "" or "-v1" the first; NULL is that, too. */
static bool find_version(const X86Model *m, const char *tail, const X86Version **v)
{
    char number[8];

    *v = NULL;
    if (!*tail || strcmp(tail, "-v1") == 0) {
        return true;
    }
    for (*v = m->versions; *v && (*v)->number; (*v)++) {
        snprintf(number, sizeof(number), "-v%u", (*v)->number);
        if (strcmp(tail, number) == 0 || ((*v)->suffix && strcmp(tail, (*v)->suffix) == 0)) {
            return true;
        }
    }
    return false;
}

static const X86Model *find_model(const char *name, const X86Version **v, Error *err)
{
    const char *names[80] = { 0 };

    for (size_t i = 0; x86_models[i]; i++) {
        const X86Model *m = x86_models[i];
        size_t n = strlen(m->name);
        if (strncmp(name, m->name, n) == 0 && find_version(m, name + n, v)) {
            return m;
        }
        assert(i + 1 < ARRAY_SIZE(names));
        names[i] = m->name;
    }
    const char *near = nearest_match(name, names);
    error_set(err, "-cpu: '%s' is no CPU model%s%s%s ('-cpu help' lists them)", name,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static bool unknown_feature(const char *name, Error *err)
{
    const char *names[X86F_NWORDS * 32 + 1];
    size_t n = 0;

    for (unsigned f = 0; f < X86F_NWORDS * 32; f++) {
        if (x86_feature_name(f)) {
            names[n++] = x86_feature_name(f);
        }
    }
    names[n] = NULL;
    const char *near = nearest_match(name, names);
    return error_set(err, "-cpu: '%s' is no CPU feature%s%s%s ('-cpu help' lists them)", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* What of -cpu is not in the vCPU. */
typedef struct CpuOption {
    bool enforce;
    char missing[600];          /* asked for and not provided */
    X86Model *own;              /* the model, to be changed */
} CpuOption;

static void add_missing(CpuOption *o, const char *name)
{
    size_t n = strlen(o->missing);
    snprintf(o->missing + n, sizeof(o->missing) - n, "%s%s", n ? ", " : "", name);
}

static bool number(const char *item, const char *value, unsigned low, unsigned high,
                   unsigned *n, Error *err)
{
    char *end;
    unsigned long v = strtoul(value, &end, 0);

    if (*end || end == value || v < low || v > high) {
        return error_set(err, "-cpu: %s: %s is not accepted: expected %u to %u", item, value,
                         low, high);
    }
    *n = v;
    return true;
}

/* ITEM=VALUE where the value is not on or off. *known: it was one. */
static bool apply_value(X86Cpu *cpu, CpuOption *o, const char *item, const char *value,
                        bool *known, Error *err)
{
    static char brand[48];      /* of the one machine there is */
    unsigned n;

    *known = true;
    if (strcmp(item, "phys-bits") == 0) {
        bool ok = number(item, value, 32, 52, &n, err);
        cpu->phys_bits = ok ? n : cpu->phys_bits;
        return ok;
    }
    if (strcmp(item, "family") == 0) {
        bool ok = number(item, value, 3, 255, &n, err);
        o->own->family = ok ? n : o->own->family;
        return ok;
    }
    if (strcmp(item, "model") == 0) {
        bool ok = number(item, value, 0, 255, &n, err);
        o->own->model = ok ? n : o->own->model;
        return ok;
    }
    if (strcmp(item, "stepping") == 0) {
        bool ok = number(item, value, 0, 15, &n, err);
        o->own->stepping = ok ? n : o->own->stepping;
        return ok;
    }
    if (strcmp(item, "level") == 0) {
        bool ok = number(item, value, 1, 0x20, &n, err);
        o->own->level = ok ? n : o->own->level;
        return ok;
    }
    if (strcmp(item, "model-id") == 0) {
        if (strlen(value) >= sizeof(brand)) {
            return error_set(err, "-cpu: model-id: '%s' is too long: expected 47 characters "
                             "at most", value);
        }
        snprintf(brand, sizeof(brand), "%s", value);
        o->own->brand = brand;
        return true;
    }
    if (strcmp(item, "vendor") == 0) {
        if (strlen(value) != 12) {
            return error_set(err, "-cpu: vendor: %s is not accepted: expected 12 characters, "
                             "such as GenuineIntel or AuthenticAMD", value);
        }
        memcpy(cpu->vendor, value, 13);
        return true;
    }
    if (fnmatch("hv[-_]spinlocks", item, 0) == 0 || fnmatch("hv[-_]vendor*", item, 0) == 0 ||
        strcmp(item, "tsc-frequency") == 0) {
        add_missing(o, item);
        return true;
    }
    *known = false;
    return true;
}

/* What is no bit of CPUID. */
static bool apply_switch(X86Cpu *cpu, CpuOption *o, const char *item, bool on)
{
    /* of other emulators' command lines; here the width is phys-bits', any CPU moves, and
     * what the engine lacks is always told */
    static const char *const fixed[] = { "host-phys-bits", "migratable", "check", "l3-cache",
                                         "legacy-cache", "full-cpuid-auto-level",
                                         "host-cache-info", "lmce", "kvm-no-smi-migration" };
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (strcmp(item, fixed[i]) == 0) {
            return true;
        }
    }
    if (strcmp(item, "enforce") == 0) {
        o->enforce = on;
        return true;
    }
    if (strcmp(item, "kvm") == 0) {     /* the name that the hypervisor has */
        cpu->feat[X86FW_40000001_EAX] = on ? cpu->feat[X86FW_40000001_EAX] : 0;
        return true;
    }
    if (strcmp(item, "pmu") == 0 || fnmatch("hv[-_]*", item, 0) == 0) {
        if (on) {
            add_missing(o, item);
        }
        return true;
    }
    return false;
}

/* One item behind the model's name. */
static bool apply_item(X86Cpu *cpu, CpuOption *o, char *item, Error *err)
{
    bool on = true;
    char *value = strchr(item, '=');

    if (*item == '+' || *item == '-') {
        on = *item++ == '+';
    } else if (value) {
        bool known;
        *value++ = 0;
        if (!apply_value(cpu, o, item, value, &known, err) || known) {
            return known && !err->msg;
        }
        static const char *const choices[] = { "on", "off", NULL };
        on = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 ||
             strcmp(value, "true") == 0;
        if (!on && strcmp(value, "off") != 0 && strcmp(value, "no") != 0 &&
            strcmp(value, "false") != 0) {
            char option[80];
            snprintf(option, sizeof(option), "-cpu: %s", item);
            return error_set_choice(err, option, value, choices);
        }
    }
    if (apply_switch(cpu, o, item, on)) {
        return true;
    }
    int f = x86_feature_by_name(item);
    if (f < 0) {
        return unknown_feature(item, err);
    }
    set_bit(cpu->feat, f, on);
    return true;
}

/* Takes away what the engine lacks; tells what was wanted. */
static bool filter(X86Cpu *cpu, CpuOption *o, const char *model, Error *err)
{
    const uint32_t *have = x86_engine_features();

    for (unsigned f = 0; f < X86F_NWORDS * 32; f++) {
        if (get_bit(cpu->feat, f) && !get_bit(have, f)) {
            const char *name = x86_feature_name(f);
            add_missing(o, name ? name : "?");
            set_bit(cpu->feat, f, false);
        }
    }
    if (*o->missing && o->enforce) {
        return error_set(err, "-cpu %s,enforce: the engine does not provide: %s", model,
                         o->missing);
    }
    if (*o->missing && cpu->cpu.index == 0) {
        warn_report("-cpu %s: the engine does not provide: %s", model, o->missing);
    }
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < ARRAY_SIZE(deps); i++) {
            if (get_bit(cpu->feat, deps[i].feature) && !get_bit(cpu->feat, deps[i].needs)) {
                set_bit(cpu->feat, deps[i].feature, false);
                again = true;
            }
        }
    }
    return true;
}

static void use_model(X86Cpu *cpu, const X86Model *m, const X86Version *v)
{
    memset(cpu->feat, 0, sizeof(cpu->feat));
    add_model(cpu->feat, m);
    if (v) {
        add_list(cpu->feat, v->on, true);
        add_list(cpu->feat, v->off, false);
    }
    if (m == &x86_host_model) {
        fill_host(cpu->feat);
        add_list(cpu->feat, LIST(PARAVIRT), true);
        /* the host's own name says what was asked for: nothing to warn of */
        for (unsigned i = 0; i < X86F_NWORDS; i++) {
            cpu->feat[i] &= x86_engine_features()[i];
        }
    }
    cpu->model = m;
    snprintf(cpu->vendor, sizeof(cpu->vendor), "%s", m->vendor);
    cpu->phys_bits = m->phys_bits;
    cpu->tsc_khz = nondet_tsc_hz() / 1000;
}

/* clang-format off: lists */
/* Libraries choose by the model's number (OpenBLAS takes its code of 2004 for one it does not
 * know: 3.6 times the time), and libgcc's __builtin_cpu_is, and functions cloned by arch=, take
 * what such a model has for granted. So "max" has the number of the best of these of which it
 * has all that programs use; the later ones (143, Sapphire Rapids) imply what the engine lacks. */
static const struct {
    uint8_t model, stepping;
    const uint16_t *features;
} known[] = {
#define SINCE_HASWELL V2, V3, P(AES), P(PCLMUL), P(RDRAND), P(FSGSBASE), P(ERMS)
#define SINCE_SKYLAKE SINCE_HASWELL, V4, P(ADX), P(RDSEED), P(CLFLUSHOPT), P(CLWB), P(XSAVEC)
    { 106, 6, LIST(SINCE_SKYLAKE, P(SHA), P(RDPID), P(GFNI), P(VAES), P(VPCLMUL), P(FSRM),
                   P(AVX512IFMA), P(AVX512VBMI), P(AVX512VBMI2), P(AVX512VNNI),
                   P(AVX512BITALG), P(AVX512VPOPCNT), P(WBNOINVD)) }, /* Ice Lake */
    { 85, 4, LIST(SINCE_SKYLAKE) },
    { 60, 3, LIST(SINCE_HASWELL) },
};
/* clang-format on */

static bool has_all(const uint32_t *feat, const uint16_t *list)
{
    while (*list != X86F_LIST_END && get_bit(feat, *list)) {
        list++;
    }
    return *list == X86F_LIST_END;
}

static void take_known_number(const X86Cpu *cpu, X86Model *own)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (has_all(cpu->feat, known[i].features)) {
            own->model = known[i].model;
            own->stepping = known[i].stepping;
            return;
        }
    }
}

bool x86_cpu_set_model(X86Cpu *cpu, const char *spec, Error *err)
{
    static X86Model own;        /* the model as -cpu changed it: all vCPUs have one text */
    char *copy = strdup(spec), *save = NULL;
    char *name = copy ? strtok_r(copy, ",", &save) : NULL;
    const X86Version *v;
    const X86Model *m = find_model(name ? name : "", &v, err);
    bool ok = m != NULL;

    if (ok) {
        use_model(cpu, m, v);
        CpuOption o = { .own = &own };
        own = *m;
        for (char *item; ok && (item = strtok_r(NULL, ",", &save));) {
            ok = apply_item(cpu, &o, item, err);
        }
        bool same = own.family == m->family && own.model == m->model &&
                    own.stepping == m->stepping && own.level == m->level &&
                    own.brand == m->brand;
        ok = ok && filter(cpu, &o, name, err);
        if (ok && m->all && m != &x86_host_model && own.family == m->family &&
            own.model == m->model && own.stepping == m->stepping) {
            take_known_number(cpu, &own);
            same = same && own.model == m->model;
        }
        cpu->model = same ? m : &own;
    }
    free(copy);
    return ok;
}

/* Of all that a name may be, with what makes versions differ left to the first word. */
static void print_model(FILE *f, const X86Model *m)
{
    fprintf(f, "  %-20s %s", m->name, m->desc);
    for (const X86Version *v = m->versions; v && v->number; v++) {
        fprintf(f, "%s-v%u%s%s", v == m->versions ? "; also " : ", ", v->number,
                v->suffix ? " = " : "", v->suffix ? v->suffix : "");
    }
    fputc('\n', f);
}

void x86_cpu_help(void *file)
{
    FILE *f = file;
    unsigned column = 0;

    fprintf(f, "CPU models:\n");
    for (size_t i = 0; x86_models[i]; i++) {
        print_model(f, x86_models[i]);
    }
    fprintf(f, "\nFeatures (NAME,+FEATURE,-FEATURE,FEATURE=on|off):\n");
    for (unsigned n = 0; n < X86F_NWORDS * 32; n++) {
        const char *name = get_bit(x86_tcg_features(), n) ? x86_feature_name(n) : NULL;
        if (name) {
            column += fprintf(f, "%s%s", column ? " " : "  ", name);
            if (column > 70) {
                fputc('\n', f);
                column = 0;
            }
        }
    }
    fprintf(f, "%sOthers take a value: phys-bits, family, model, stepping, level, model-id, "
            "vendor.\nWhat the engine lacks is left out with a warning; with enforce it is an "
            "error. kvm=off hides the hypervisor's name.\n", column ? "\n" : "");
}

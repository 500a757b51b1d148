/* SPDX-License-Identifier: MIT */
/*
 * Cases as text: a line "KEY VALUE..." for each thing that is not zero; "code BYTES [SITE]"
 * lines, one per instruction, in order, with what windows believe of the memory operand;
 * "mem ADDRESS BYTES" for memory. What follows ';' or '#' is comment. A case holds the state
 * before it only: the host says what is right.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "target-x86/decode.h"
#include "target-x86/engine.h"
#include "tests/judge/judge.h"
#include "tests/judge/ldt.h"

const char *const judge_mode_names[JUDGE_NMODES] = { "64", "32", "16" };
const char *const judge_site_names[JUDGE_NSITES] = {
    [WIN_SITE_UNKNOWN] = "unknown", [WIN_SITE_B] = "B",         [WIN_SITE_A] = "A",
    [WIN_SITE_BOTH] = "both",       [WIN_SITE_ANY] = "any",     [WIN_SITE_PAIR] = "-",
    [WIN_SITE_PAIR + 1] = "-",      [WIN_SITE_MIXED] = "mixed", [WIN_SITE_TWO] = "two",
};
_Static_assert(JUDGE_NSITES == WIN_SITE_TWO + 1, "a name for each");

/* ---- writing ---- */

static uint32_t mode_flags(unsigned mode)
{
    static const uint32_t hf[] = { HF_CS64 | HF_SS32, HF_CS32 | HF_SS32, 0 };
    return hf[mode] | HF_PE | HF_LMA | HF_OSFXSR | HF_AVX | HF_AVX512 | 3;
}

static void show_insn(const JudgeCase *c, unsigned i, FILE *f)
{
    unsigned at = c->at[i], end = i + 1 < c->n ? c->at[i + 1] : c->len;
    X86Insn in;
    int len = x86_decode(&in, c->code + at, 15, mode_flags(c->mode), rig_features());

    for (unsigned k = at; k < end; k++) {
        fprintf(f, "%02x", c->code[k]);
    }
    int pad = 24 - 2 * (int)(end - at);
    const char *site = c->site[i] && len > 0 && (in.is_mem || in.row->flags & RF_STACK)
                           ? judge_site_names[c->site[i]]
                           : "";
    fprintf(f, " %-*s ; +%03x %s\n", MAX(pad, 0), site, at, len > 0 ? in.row->name : "?");
}

void case_show(const JudgeCase *c, FILE *f)
{
    fprintf(f, "  %s-bit code at %#x:\n", judge_mode_names[c->mode], c->start);
    for (unsigned i = 0; i < c->n; i++) {
        fputs("    ", f);
        show_insn(c, i, f);
    }
}

static void put_bytes(FILE *f, const char *key, int i, const void *p, unsigned n)
{
    const uint8_t *b = p;
    for (unsigned k = 0; k < n; k++) {
        if (b[k]) {
            fprintf(f, "%s", key);
            if (i >= 0) {
                fprintf(f, "%d", i);
            }
            fputc(' ', f);
            for (unsigned j = n; j--;) {
                fprintf(f, "%02x", b[j]);
            }
            fputc('\n', f);
            return;
        }
    }
}

static void put_memory(FILE *f, uint32_t base, const uint8_t *p, unsigned n)
{
    for (unsigned i = 0; i < n; i += 16) {
        unsigned k = 0;
        while (k < 16 && !p[i + k]) {
            k++;
        }
        if (k < 16) {
            fprintf(f, "mem %#x ", base + i);
            for (k = 0; k < 16; k++) {
                fprintf(f, "%02x", p[i + k]);
            }
            fputc('\n', f);
        }
    }
}

void case_write(const JudgeCase *c, FILE *f, const char *comment)
{
    const JudgeState *s = &c->in;
    const X86Xsave *x = &s->xsave;

    fprintf(f, "# %s\nmode %s\nstart %#x\n", comment, judge_mode_names[c->mode],
            c->start);
    for (unsigned i = 0; i < c->n; i++) {
        fputs("code ", f);
        show_insn(c, i, f);
    }
    for (int r = 0; r < 16; r++) {
        put_bytes(f, "r", r, &s->gpr[r], 8);
    }
    put_bytes(f, "rflags", -1, &s->rflags, 8);
    put_bytes(f, "fsbase", -1, &s->fs_base, 8);
    put_bytes(f, "gsbase", -1, &s->gs_base, 8);
    put_bytes(f, "mxcsr", -1, &x->mxcsr, 4);
    put_bytes(f, "fcw", -1, &x->fcw, 2);
    put_bytes(f, "fsw", -1, &x->fsw, 2);
    put_bytes(f, "ftw", -1, &x->ftw, 1);
    for (int i = 0; i < 8; i++) {
        put_bytes(f, "st", i, &x->st[i], 10);
    }
    for (int i = 0; i < 16; i++) {
        put_bytes(f, "xmm", i, &x->xmm[i], 16);
        put_bytes(f, "ymmh", i, &x->ymmh[i], 16);
    }
    for (int i = 0; i < 16; i++) {
        put_bytes(f, "zmmh", i, &x->zmmh[i], 32);
        put_bytes(f, "high", i, &x->zmm16[i], 64); /* ZMM16 and up */
        if (i < 8) {
            put_bytes(f, "k", i, &x->k[i], 8);
        }
    }
    put_memory(f, STACK_BASE, c->mem->stack, STACK_SIZE);
    put_memory(f, RO_BASE, c->ro, RO_SIZE);
    put_memory(f, RW_BASE, c->mem->rw, RW_SIZE);
}

/* ---- reading ---- */

/* Hex digits to bytes; most significant first (numbers) or in order. */
static bool get_bytes(const char *t, uint8_t *to, unsigned max, bool number, unsigned *n)
{
    unsigned digits = 0;
    while (isxdigit((unsigned char)t[digits])) {
        digits++;
    }
    *n = digits / 2;
    if (!digits || digits % 2 || *n > max) {
        return false;
    }
    for (unsigned i = 0; i < *n; i++) {
        char d[3] = { t[2 * i], t[2 * i + 1], 0 };
        to[number ? *n - 1 - i : i] = strtoul(d, NULL, 16);
    }
    return true;
}

static bool get_field(JudgeState *s, const char *key, const char *text)
{
    X86Xsave *x = &s->xsave;
    const struct {
        const char *name;
        void *p;
        unsigned count, stride, size;
    } fields[] = {
        { "rflags", &s->rflags, 1, 0, 8 },
        { "fsbase", &s->fs_base, 1, 0, 8 },
        { "gsbase", &s->gs_base, 1, 0, 8 },
        { "mxcsr", &x->mxcsr, 1, 0, 4 },
        { "fcw", &x->fcw, 1, 0, 2 },
        { "fsw", &x->fsw, 1, 0, 2 },
        { "ftw", &x->ftw, 1, 0, 1 },
        { "st", x->st, 8, 16, 10 },
        { "xmm", x->xmm, 16, 16, 16 },
        { "ymmh", x->ymmh, 16, 16, 16 },
        { "zmmh", x->zmmh, 16, 32, 32 },
        { "high", x->zmm16, 16, 64, 64 },
        { "k", x->k, 8, 8, 8 },
        { "r", s->gpr, 16, 8, 8 },
    };
    unsigned n;

    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        size_t len = strlen(fields[i].name);
        if (strncmp(key, fields[i].name, len)) {
            continue;
        }
        char *end;
        unsigned long k = strtoul(key + len, &end, 10);
        bool indexed = fields[i].count > 1;
        if (*end || (indexed ? end == key + len || k >= fields[i].count : key[len])) {
            continue;
        }
        uint8_t *to = (uint8_t *)fields[i].p + k * fields[i].stride;
        return get_bytes(text, to, fields[i].size, true, &n);
    }
    return false;
}

static bool get_memory(JudgeMem *mem, uint8_t *ro, const char *text)
{
    char *end;
    uint64_t at = strtoull(text, &end, 0);
    uint8_t b[16];
    unsigned n;

    while (*end == ' ') {
        end++;
    }
    if (!get_bytes(end, b, 16, false, &n)) {
        return false;
    }
    const struct {
        uint32_t base, size;
        uint8_t *p;
    } parts[] = {
        { STACK_BASE, STACK_SIZE, mem->stack },
        { RO_BASE, RO_SIZE, ro },
        { RW_BASE, RW_SIZE, mem->rw },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        if (at - parts[i].base <= parts[i].size - n) {
            memcpy(parts[i].p + (at - parts[i].base), b, n);
            return true;
        }
    }
    return false;
}

static bool get_code(JudgeCase *c, const char *text)
{
    unsigned n;
    if (c->n >= JUDGE_MAX_INSNS || c->len + 15 > JUDGE_MAX_CODE ||
        !get_bytes(text, c->code + c->len, 15, false, &n)) {
        return false;
    }
    text += strcspn(text, " ");
    text += strspn(text, " ");
    for (unsigned k = 0; *text && k < JUDGE_NSITES; k++) {
        if (!strcmp(text, judge_site_names[k])) {
            c->site[c->n] = k;
            text = "";
        }
    }
    c->at[c->n++] = c->len;
    c->len += n;
    return !*text;
}

static void mode_selectors(JudgeCase *c)
{
    static const uint16_t sel[JUDGE_NMODES][X86_NSEGS] = {
        { 0, 0x33, 0x2b, 0, 0, 0 },
        { 0x2b, 0x23, 0x2b, 0x2b, 0x2b, 0x2b },
        { SEL_ES16, SEL_CS16, SEL_SS16, SEL_DS16, SEL_DS16, SEL_DS16 },
    };
    memcpy(c->in.sel, sel[c->mode], sizeof(c->in.sel));
    c->in.rip = c->start - (c->mode == JUDGE_16 ? CODE_BASE : 0);
    c->in.rflags |= FL_ONE | FL_IF;
}

static bool get_line(JudgeCase *c, JudgeMem *mem, uint8_t *ro, const char *key,
                     const char *text)
{
    if (!strcmp(key, "mode")) {
        for (unsigned m = 0; m < JUDGE_NMODES; m++) {
            if (!strcmp(text, judge_mode_names[m])) {
                c->mode = m;
                return true;
            }
        }
        return false;
    }
    if (!strcmp(key, "start")) {
        c->start = strtoul(text, NULL, 0);
        return c->start - CODE_BASE < CODE_SIZE - JUDGE_MAX_CODE - 16;
    }
    if (!strcmp(key, "code")) {
        return get_code(c, text);
    }
    if (!strcmp(key, "mem")) {
        return get_memory(mem, ro, text);
    }
    return get_field(&c->in, key, text);
}

bool case_read(JudgeCase *c, JudgeMem *mem, uint8_t *ro, FILE *f, char what[100])
{
    char line[300], key[20], text[250];
    unsigned number = 0;

    memset(c, 0, sizeof(*c));
    memset(mem, 0, sizeof(*mem));
    memset(ro, 0, RO_SIZE);
    c->start = CODE_BASE + 0x100;
    c->in.xsave.xstate_bv = rig_xcr0();
    c->in.xsave.mxcsr_mask = 0xffff;
    while (fgets(line, sizeof(line), f)) {
        number++;
        line[strcspn(line, "#;\n")] = 0;
        int n = sscanf(line, "%19s %249[^\n]", key, text);
        if (n <= 0) {
            continue;
        }
        for (size_t k = n == 2 ? strlen(text) : 0; k && text[k - 1] == ' ';) {
            text[--k] = 0;
        }
        if (n != 2 || !get_line(c, mem, ro, key, text)) {
            snprintf(what, 100, "line %u: '%.40s' is not understood", number, line);
            return false;
        }
    }
    if (!c->n) {
        snprintf(what, 100, "no code");
        return false;
    }
    c->mem = mem;
    c->ro = ro;
    mode_selectors(c);
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Reads the text form of a unit (tcg/ir.h); for tests. Checks only what it needs to build
 * the operations: the verifier judges the rest.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "tcg/ir_build.h"

typedef struct Parser {
    IrUnit *u;
    const IrNames *names;
    const char *p;       /* rest of the line */
    unsigned line;
    char *msg;
    size_t size;
    bool first;          /* no operand read yet in this line */
} Parser;

static bool bad(Parser *ps, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool bad(Parser *ps, const char *fmt, ...)
{
    int n = snprintf(ps->msg, ps->size, "line %u: ", ps->line);
    if (n >= 0 && (size_t)n < ps->size) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(ps->msg + n, ps->size - n, fmt, ap);
        va_end(ap);
    }
    return false;
}

static void skip_blanks(Parser *ps) { ps->p += strspn(ps->p, " \t\r"); }

/* The next word up to one of the separators. */
static bool word(Parser *ps, char *to, size_t size, const char *separators)
{
    skip_blanks(ps);
    size_t n = strcspn(ps->p, separators);
    if (!n || n >= size) {
        return bad(ps, "word expected at \"%.20s\"", ps->p);
    }
    memcpy(to, ps->p, n);
    to[n] = 0;
    ps->p += n;
    return true;
}

static bool operand(Parser *ps, char *to, size_t size)
{
    skip_blanks(ps);
    if (!ps->first) {
        if (*ps->p != ',') {
            return bad(ps, "operand missing");
        }
        ps->p++;
    }
    ps->first = false;
    return word(ps, to, size, ", \t\r\n;");
}

static bool number(Parser *ps, const char *s, uint64_t *v)
{
    char *end;
    *v = strtoull(s, &end, 0);
    return *s && !*end ? true : bad(ps, "\"%s\" is no number", s);
}

static bool value(Parser *ps, IrVal *v)
{
    IrUnit *u = ps->u;
    char s[64];
    uint64_t n;

    if (!operand(ps, s, sizeof(s))) {
        return false;
    }
    if (s[0] == '$') {
        if (!number(ps, s + 1, &n)) {
            return false;
        }
        *v = ir_const(u, n);
        return true;
    }
    for (unsigned i = 0; i < u->nglobals; i++) {
        if (!strcmp(s, u->globals[i].name)) {
            *v = i;
            return true;
        }
    }
    if (s[0] != 't') {
        return bad(ps, "unknown value \"%s\"", s);
    }
    if (!number(ps, s + 1, &n)) {
        return false;
    }
    if (n >= IR_MAX_TEMPS - u->nglobals) {
        return bad(ps, "too many temps");
    }
    *v = u->nglobals + n;
    u->ntemps = MAX(u->ntemps, *v + 1u);
    return true;
}

static bool constant(Parser *ps, const IrOpDef *def, uint64_t *v)
{
    char s[32];

    if (!operand(ps, s, sizeof(s))) {
        return false;
    }
    if (!(def->flags & IRF_LABEL)) {
        return number(ps, s, v);
    }
    if (s[0] != 'L' || !number(ps, s + 1, v) || *v >= IR_MAX_LABELS) {
        return bad(ps, "\"%s\" is no label", s);
    }
    ps->u->nlabels = MAX(ps->u->nlabels, (unsigned)*v + 1);
    return true;
}

static bool parse_call(Parser *ps, IrOp *op)
{
    char s[64];

    if (!operand(ps, s, sizeof(s))) {
        return false;
    }
    for (unsigned i = 0; i < ps->names->nhelpers; i++) {
        const Helper *h = ps->names->helpers[i];
        if (!strcmp(s, h->name)) {
            op->c[0] = (uintptr_t)h;
            op->nout = h->ret != IRT_VOID;
            op->nin = helper_nin(h);
            return true;
        }
    }
    return bad(ps, "no helper \"%s\"", s);
}

static bool parse_xop(Parser *ps)
{
    const IrNames *names = ps->names;
    char s[64], t[16];
    uint64_t n;

    if (!operand(ps, s, sizeof(s)) || !operand(ps, t, sizeof(t))) {
        return false;
    }
    if (t[0] != '#' || !number(ps, t + 1, &n) || n >= names->npayloads) {
        return bad(ps, "\"%s\" is no payload", t);
    }
    for (unsigned i = 0; i < names->nxops; i++) {
        if (!strcmp(s, names->xops[i]->name)) {
            ir_xop(ps->u, names->xops[i], names->payloads[n]);
            return true;
        }
    }
    return bad(ps, "no xop \"%s\"", s);
}

/* ".size[s]" and ".cond" */
static bool suffixes(Parser *ps, IrOp *op, const IrOpDef *def)
{
    char s[16];

    if (def->flags & IRF_SIZED) {
        if (*ps->p != '.' || ps->p[1] < '0' || ps->p[1] > '9') {
            return bad(ps, "%s needs a size", def->name);
        }
        op->size = ps->p[1] - '0';
        ps->p += 2;
        if (def->flags & IRF_SIGN && *ps->p == 's') {
            op->sign = 1;
            ps->p++;
        }
    }
    if (def->flags & IRF_COND) {
        if (*ps->p++ != '.' || !word(ps, s, sizeof(s), " \t\n;")) {
            return bad(ps, "%s needs a condition", def->name);
        }
        for (op->cond = 0; op->cond < IR_NCONDS; op->cond++) {
            if (!strcmp(s, ir_cond_names[op->cond])) {
                return true;
            }
        }
        return bad(ps, "no condition \"%s\"", s);
    }
    return true;
}

static bool parse_op(Parser *ps, IrOpcode code)
{
    const IrOpDef *def = &ir_op_defs[code];

    if (code == IR_xop) {
        return parse_xop(ps);
    }
    /* built aside: reading values may not move the list, but a failed line adds nothing */
    IrOp op = { .op = code, .nout = def->outs, .nin = def->ins };
    if (!suffixes(ps, &op, def) || (code == IR_call && !parse_call(ps, &op))) {
        return false;
    }
    for (unsigned i = 0; i < op.nout; i++) {
        if (!value(ps, &op.out[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < op.nin; i++) {
        if (!value(ps, &op.in[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < def->consts; i++) {
        if (!constant(ps, def, &op.c[i])) {
            return false;
        }
    }
    *ir_emit(ps->u, code) = op;
    return true;
}

static bool parse_line(Parser *ps)
{
    char s[32];

    skip_blanks(ps);
    if (!*ps->p || *ps->p == '\n' || *ps->p == ';') {
        return true;
    }
    ps->first = true;
    if (!word(ps, s, sizeof(s), ". \t\r\n;")) {
        return false;
    }
    for (unsigned i = 0; i < IR_NOPS; i++) {
        if (!strcmp(s, ir_op_defs[i].name)) {
            if (!parse_op(ps, i)) {
                return false;
            }
            skip_blanks(ps);
            return !*ps->p || *ps->p == '\n' || *ps->p == ';'
                       ? true
                       : bad(ps, "too much: \"%.20s\"", ps->p);
        }
    }
    return bad(ps, "no operation \"%s\"", s);
}

bool ir_parse(IrUnit *u, const char *text, const IrNames *names, char *msg, size_t size)
{
    Parser ps = { .u = u, .names = names, .msg = msg, .size = size };

    while (*text) {
        ps.line++;
        ps.p = text;
        if (!parse_line(&ps)) {
            return false;
        }
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return true;
}

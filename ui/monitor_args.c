/* SPDX-License-Identifier: MIT */
/*
 * Typed arguments of monitor commands: words, numbers, /FMT, and expressions over
 * numbers and registers of the current vCPU. Nothing here touches a machine but through
 * CpuOps.
 */
#include "ui/monitor.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/cpu.h"
#include "util/alloc.h"

/* --- expressions: precedence climbing, C's precedences --- */

typedef struct Expr {
    const char *p;
    Cpu *cpu;
    Error *err;
    int depth;
    int parens;    /* open ones */
    bool one_word; /* a space outside parentheses ends it: arguments follow */
} Expr;

enum { MAX_DEPTH = 64 };

static bool expr_binary(Expr *e, int min_prec, uint64_t *v);

static void skip_space(Expr *e)
{
    while (*e->p == ' ' || *e->p == '\t') {
        e->p++;
    }
}

static bool expr_register(Expr *e, uint64_t *v)
{
    const char *start = ++e->p;
    while (isalnum((unsigned char)*e->p) || *e->p == '_') {
        e->p++;
    }
    char *name = xasprintf("%.*s", (int)(e->p - start), start);
    bool ok = e->cpu && e->cpu->ops->get_reg && e->cpu->ops->get_reg(e->cpu, name, v);
    if (!ok && e->cpu && (strcmp(name, "pc") == 0 || strcmp(name, "rip") == 0)) {
        *v = e->cpu->ops->get_pc(e->cpu);
        ok = true;
    }
    if (!ok) {
        error_set(e->err, "$%s: unknown register; expected one such as $pc, $rax, $cr3",
                  name);
    }
    free(name);
    return ok;
}

static bool expr_unary(Expr *e, uint64_t *v)
{
    if (++e->depth > MAX_DEPTH) {
        return error_set(e->err, "expression is nested too deep");
    }
    skip_space(e);
    bool ok;
    char c = *e->p;
    if (c == '-' || c == '~' || c == '+') {
        e->p++;
        ok = expr_unary(e, v);
        *v = c == '-' ? 0 - *v : c == '~' ? ~*v : *v;
    } else if (c == '(') {
        e->p++;
        e->parens++;
        ok = expr_binary(e, 0, v);
        e->parens--;
        skip_space(e);
        if (ok && *e->p != ')') {
            ok = error_set(e->err, "expression lacks ')' at '%s'", e->p);
        } else if (ok) {
            e->p++;
        }
    } else if (c == '$') {
        ok = expr_register(e, v);
    } else if (isdigit((unsigned char)c)) {
        char *end;
        *v = strtoull(e->p, &end, c == '0' && (e->p[1] | 32) == 'x' ? 16 : 10);
        e->p = end;
        ok = true;
    } else {
        ok = error_set(e->err,
                       "'%s' is no expression: expected a number, a $register or "
                       "'('",
                       e->p);
    }
    e->depth--;
    return ok;
}

typedef struct BinaryOp {
    const char *text;
    int prec;
} BinaryOp;

/* Longer spellings first. */
static const BinaryOp binary_ops[] = {
    { "<<", 4 }, { ">>", 4 }, { "|", 1 }, { "^", 2 }, { "&", 3 },
    { "+", 5 },  { "-", 5 },  { "*", 6 }, { "/", 6 }, { "%", 6 },
};

static const BinaryOp *peek_op(const Expr *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(binary_ops); i++) {
        if (strncmp(e->p, binary_ops[i].text, strlen(binary_ops[i].text)) == 0) {
            return &binary_ops[i];
        }
    }
    return NULL;
}

static bool apply(Expr *e, char op, uint64_t *v, uint64_t r)
{
    switch (op) {
    case '|': *v |= r; break;
    case '^': *v ^= r; break;
    case '&': *v &= r; break;
    case '+': *v += r; break;
    case '-': *v -= r; break;
    case '*': *v *= r; break;
    case '<': *v = r < 64 ? *v << r : 0; break;
    case '>': *v = r < 64 ? *v >> r : 0; break;
    default:
        if (!r) {
            return error_set(e->err, "division by zero");
        }
        *v = op == '/' ? *v / r : *v % r;
    }
    return true;
}

static bool expr_binary(Expr *e, int min_prec, uint64_t *v)
{
    if (!expr_unary(e, v)) {
        return false;
    }
    for (;;) {
        if (!e->one_word || e->parens) {
            skip_space(e);
        }
        const BinaryOp *op = peek_op(e);
        if (!op || op->prec < min_prec) {
            return true;
        }
        e->p += strlen(op->text);
        uint64_t r;
        if (!expr_binary(e, op->prec + 1, &r) || !apply(e, op->text[0], v, r)) {
            return false;
        }
    }
}

bool monitor_expr(const char *text, bool one_word, const char **end, Cpu *cpu,
                  uint64_t *value, Error *err)
{
    Expr e = { .p = text, .cpu = cpu, .err = err, .one_word = one_word };
    *value = 0;
    bool ok = expr_binary(&e, 0, value);
    *end = e.p;
    return ok;
}

/* --- arguments --- */

static bool parse_format(MonArg *a, const char **p, Error *err)
{
    if (**p != '/') {
        return true;
    }
    a->given = true;
    const char *s = *p + 1;
    if (isdigit((unsigned char)*s)) {
        char *end;
        a->num = strtoull(s, &end, 10);
        s = end;
    }
    for (; *s && *s != ' '; s++) {
        switch (*s) {
        case 'b': a->size = 1; break;
        case 'h': a->size = 2; break;
        case 'w': a->size = 4; break;
        case 'g': a->size = 8; break;
        case 'x':
        case 'd':
        case 'u':
        case 'o':
        case 'c':
        case 's':
        case 'i': a->format = *s; break;
        default:
            return error_set(err,
                             "/%c: unknown format: expected /COUNT with one of x d u o "
                             "c s i and one of b h w g",
                             *s);
        }
    }
    *p = s;
    return true;
}

/* One word; quotes take spaces in, a backslash takes the next character as it is. */
static char *parse_word(const char **p, Error *err)
{
    const char *s = *p;
    char *out = xalloc(strlen(s) + 1);
    size_t n = 0;
    bool quoted = *s == '"';
    s += quoted;
    while (*s && (quoted ? *s != '"' : *s != ' ')) {
        if (*s == '\\' && quoted && s[1]) {
            s++;
        }
        out[n++] = *s++;
    }
    if (quoted && *s != '"') {
        error_set(err, "%s: lacks the closing quote", *p);
        free(out);
        return NULL;
    }
    *p = s + quoted;
    return out;
}

static bool parse_one(MonArg *a, bool last, const char **p, Cpu *cpu, Error *err)
{
    a->given = true;
    switch (a->type) {
    case MON_INT:
    case MON_EXPR: return monitor_expr(*p, !last, p, cpu, &a->num, err);
    case MON_WORD: a->text = parse_word(p, err); return a->text != NULL;
    case MON_REST:
        a->text = xstrdup(*p);
        *p += strlen(*p);
        return true;
    case MON_FORMAT: a->given = false; return parse_format(a, p, err);
    }
    unreachable();
}

bool monitor_args_parse(MonArgs *a, const MonCommand *cmd, const char *text, Cpu *cpu,
                        Error *err)
{
    *a = (MonArgs){ 0 };
    const char *p = text;
    for (const char *row = cmd->args; row && *row;) {
        MonArg *arg = &a->v[a->n++];
        const char *colon = strchr(row, ':');
        arg->name = row; /* up to the colon */
        arg->type = (enum MonArgType)colon[1];
        bool optional = colon[2] == '?' || arg->type == MON_FORMAT;
        row = colon + 2 + (colon[2] == '?');
        row += *row == ',';
        p += strspn(p, " \t");
        if (!*p) {
            if (!optional) {
                return error_set(err, "%s: %.*s is missing; usage: %s %s", cmd->name,
                                 (int)(colon - arg->name), arg->name, cmd->name,
                                 cmd->params);
            }
            continue;
        }
        if (!parse_one(arg, !*row, &p, cpu, err)) {
            error_prefix(err, "%s: ", cmd->name);
            return false;
        }
    }
    p += strspn(p, " \t");
    if (*p) {
        return error_set(err, "%s: too much: '%s'; usage: %s%s%s", cmd->name, p,
                         cmd->name, cmd->params ? " " : "",
                         cmd->params ? cmd->params : "");
    }
    return true;
}

void monitor_args_free(MonArgs *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        free(a->v[i].text);
    }
    a->n = 0;
}

const MonArg *monitor_arg(const MonArgs *a, const char *name)
{
    static const MonArg absent;
    size_t n = strlen(name);
    for (unsigned i = 0; i < a->n; i++) {
        if (strncmp(a->v[i].name, name, n) == 0 && a->v[i].name[n] == ':') {
            return &a->v[i];
        }
    }
    return &absent;
}

/* SPDX-License-Identifier: MIT */
/* See flame.h. */
#include "util/flame.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

typedef struct FlameNode {
    char *name;
    uint8_t kind;
    uint64_t self, total;
    struct FlameNode *children, *next; /* by name once sorted */
} Node;

struct Flame {
    Node root;
};

Flame *flame_create(void)
{
    Flame *fl = NEW(Flame);
    fl->root.name = xstrdup("all");
    return fl;
}

/* ';' parts frames, a line ends a stack, and both formats are text. */
static char *clean(const char *name)
{
    char *s = xstrdup(*name ? name : "?");
    for (char *p = s; *p; p++) {
        if (*p == ';') {
            *p = ':';
        } else if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) {
            *p = '?';
        }
    }
    return s;
}

static Node *child(Node *n, const FlameFrame *frame)
{
    char *name = clean(frame->name);
    for (Node *c = n->children; c; c = c->next) {
        if (c->kind == frame->kind && !strcmp(c->name, name)) {
            free(name);
            return c;
        }
    }
    Node *c = NEW(Node);
    c->name = name;
    c->kind = frame->kind;
    c->next = n->children;
    n->children = c;
    return c;
}

FlameNode *flame_add(Flame *fl, const FlameFrame *frames, unsigned n, uint64_t count)
{
    Node *at = &fl->root;
    if (!n || !count) {
        return NULL;
    }
    at->total += count;
    for (unsigned i = 0; i < n; i++) {
        at = child(at, &frames[i]);
        at->total += count;
    }
    at->self += count;
    return at;
}

void flame_move(FlameNode *n, const FlameFrame *frame, uint64_t count)
{
    if (count && count <= n->self) {
        Node *c = child(n, frame);
        n->self -= count;
        c->self += count;
        c->total += count;
    }
}

uint64_t flame_total(const Flame *fl)
{
    return fl->root.total;
}

/* ---- order ---- */

static int by_name(const void *a, const void *b)
{
    const Node *x = *(const Node *const *)a, *y = *(const Node *const *)b;
    int c = strcmp(x->name, y->name);
    return c ? c : (int)x->kind - (int)y->kind;
}

/* The children in order, NULL-ended; the caller frees. */
static const Node **sorted(const Node *n)
{
    size_t count = 0, i = 0;
    for (const Node *c = n->children; c; c = c->next) {
        count++;
    }
    const Node **v = NEW_ARRAY(const Node *, count + 1);
    for (const Node *c = n->children; c; c = c->next) {
        v[i++] = c;
    }
    qsort(v, count, sizeof(*v), by_name);
    return v;
}

/* ---- folded lines ---- */

static void folded(const Node *n, const char *path, FILE *f)
{
    if (n->self) {
        fprintf(f, "%s %" PRIu64 "\n", path, n->self);
    }
    const Node **v = sorted(n);
    for (const Node **c = v; *c; c++) {
        char *longer = xasprintf("%s%s%s", path, *path ? ";" : "", (*c)->name);
        folded(*c, longer, f);
        free(longer);
    }
    free(v);
}

void flame_write_folded(const Flame *fl, FILE *f)
{
    folded(&fl->root, "", f);
}

/* ---- SVG ---- */

enum { WIDTH = 1200, MARGIN = 10, ROW = 17, TOP = 44, LETTER = 7 };
#define TOO_THIN 0.3 /* px */

typedef struct Picture {
    FILE *f;
    double scale; /* px per sample */
    uint64_t total;
    unsigned depth; /* of the deepest box drawn */
} Picture;

static unsigned depth_of(const Picture *p, const Node *n)
{
    unsigned deepest = 0;
    for (const Node *c = n->children; c; c = c->next) {
        if (c->total * p->scale >= TOO_THIN) {
            unsigned d = depth_of(p, c) + 1;
            deepest = MAX(deepest, d);
        }
    }
    return deepest;
}

static void put_text(FILE *f, const char *s, size_t n)
{
    for (; *s && n; s++, n--) {
        switch (*s) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        default: fputc(*s, f); break;
        }
    }
}

/* A colour of the kind's family, by name: the same function looks the same everywhere. */
static void put_colour(FILE *f, const Node *n)
{
    static const uint8_t base[][3] = {
        [FLAME_GROUP] = { 200, 200, 190 },
        [FLAME_USER] = { 120, 190, 90 },
        [FLAME_KERNEL] = { 235, 150, 60 },
        [FLAME_HOST] = { 110, 150, 215 },
    };
    uint32_t h = 2166136261u;
    for (const char *p = n->name; *p; p++) {
        h = (h ^ (uint8_t)*p) * 16777619u;
    }
    const uint8_t *c = base[n->kind < ARRAY_SIZE(base) ? n->kind : FLAME_GROUP];
    fprintf(f, "rgb(%u,%u,%u)", c[0] + h % 20, c[1] + (h >> 8) % 30,
            c[2] + (h >> 16) % 30);
}

static void draw(const Picture *p, const Node *n, double x, unsigned level)
{
    double w = n->total * p->scale;
    int y = TOP + (int)(p->depth - level) * ROW;
    size_t letters = w > 2 * LETTER ? (size_t)((w - 6) / LETTER) : 0;

    fputs("<g><title>", p->f);
    put_text(p->f, n->name, SIZE_MAX);
    fprintf(p->f,
            " (%" PRIu64 " samples, %.2f%%)</title><rect x=\"%.2f\" y=\"%d\" "
            "width=\"%.2f\" height=\"%d\" fill=\"",
            n->total, 100.0 * n->total / p->total, x, y, w, ROW - 1);
    put_colour(p->f, n);
    fputs("\"/>", p->f);
    if (letters >= 3) {
        bool all = strlen(n->name) <= letters;
        fprintf(p->f, "<text x=\"%.2f\" y=\"%d\">", x + 3, y + ROW - 5);
        put_text(p->f, n->name, all ? letters : letters - 2);
        fprintf(p->f, "%s</text>", all ? "" : "..");
    }
    fputs("</g>\n", p->f);
    const Node **v = sorted(n);
    for (const Node **c = v; *c; c++) {
        if ((*c)->total * p->scale >= TOO_THIN) {
            draw(p, *c, x, level + 1);
        }
        x += (*c)->total * p->scale;
    }
    free(v);
}

void flame_write_svg(const Flame *fl, FILE *f, const char *title)
{
    Picture p = { .f = f, .total = MAX(fl->root.total, 1) };
    p.scale = (double)(WIDTH - 2 * MARGIN) / p.total;
    p.depth = depth_of(&p, &fl->root);
    int height = TOP + (int)(p.depth + 1) * ROW + MARGIN;

    fprintf(f,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\">\n"
            "<style>text{font:11px monospace;fill:#000;pointer-events:none}"
            "text.title{font-size:15px}g:hover rect{stroke:#000}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fcfcf7\"/>\n"
            "<text class=\"title\" x=\"%d\" y=\"20\">",
            WIDTH, height, WIDTH, height, MARGIN);
    put_text(f, title, SIZE_MAX);
    fprintf(f,
            "</text>\n<text x=\"%d\" y=\"36\">%" PRIu64 " samples; orange: guest kernel, "
            "green: guest user, blue: dyad's own code</text>\n",
            MARGIN, fl->root.total);
    if (fl->root.total) {
        draw(&p, &fl->root, MARGIN, 0);
    }
    fputs("</svg>\n", f);
}

static void free_children(Node *n)
{
    while (n->children) {
        Node *c = n->children;
        n->children = c->next;
        free_children(c);
        free(c->name);
        free(c);
    }
}

void flame_destroy(Flame *fl)
{
    if (fl) {
        free_children(&fl->root);
        free(fl->root.name);
        free(fl);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Call stacks with counts, gathered into a tree and written as folded lines
 * ("a;b;c 12", the input of common tools) and as a flame graph: one SVG file that needs
 * nothing else, its boxes explain themselves when pointed at. No locks.
 */
#ifndef UTIL_FLAME_H
#define UTIL_FLAME_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"

typedef struct Flame Flame;
typedef struct FlameNode FlameNode;

/* What a frame is: chooses its colour. */
enum { FLAME_GROUP, FLAME_USER, FLAME_KERNEL, FLAME_HOST };

typedef struct FlameFrame {
    const char *name; /* any bytes; what the formats cannot hold is replaced */
    uint8_t kind;     /* FLAME_* */
} FlameFrame;

Flame *flame_create(void);
/* One stack, outermost frame first; the names are copied. Its innermost frame's node, or
 * NULL if n or count is 0 (then nothing changes). */
FlameNode *flame_add(Flame *fl, const FlameFrame *frames, unsigned n, uint64_t count);
/* Of the samples that ended in n, `count` (no more than there are) were one frame deeper. */
void flame_move(FlameNode *n, const FlameFrame *frame, uint64_t count);
uint64_t flame_total(const Flame *fl);
/* Both write to an open file; the caller looks for errors when closing it. Equal trees
 * give equal bytes whatever the order of adding. */
void flame_write_folded(const Flame *fl, FILE *f);
void flame_write_svg(const Flame *fl, FILE *f, const char *title);
void flame_destroy(Flame *fl);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A line editor for byte streams that are terminals at the far end: cursor, history,
 * completion of the first word. Knows no monitor; writes through a callback.
 */
#ifndef UI_LINE_EDIT_H
#define UI_LINE_EDIT_H

#include "util/compiler.h"

enum { LINE_MAX_LEN = 1024, LINE_HISTORY = 32 };

typedef struct LineEdit {
    char line[LINE_MAX_LEN + 1];
    size_t len, cursor;         /* cursor <= len <= LINE_MAX_LEN */
    char *history[LINE_HISTORY]; /* newest first; owned */
    size_t nhistory;
    size_t browsing;            /* 0: the new line; n: history[n - 1] */
    int escape;                 /* state of an escape sequence, 0 = none */
    bool last_cr;               /* a '\n' behind '\r' is the same line's end */
    const char *prompt;
    void (*write)(void *opaque, const char *text, size_t n);
    /* Completions of a word: calls add for each; optional. */
    void (*complete)(void *opaque, const char *word, struct LineEdit *le);
    void *opaque;
    const char *match;          /* completion in progress: the one found, */
    unsigned matches;           /* and how many there are */
} LineEdit;

void line_edit_init(LineEdit *le, const char *prompt,
                    void (*write)(void *, const char *, size_t), void *opaque);
void line_edit_destroy(LineEdit *le);
void line_edit_show_prompt(LineEdit *le); /* begins a new, empty line */
/* Takes one byte. True: le->line is a finished line (then call show_prompt). */
bool line_edit_byte(LineEdit *le, uint8_t c) MUST_USE;
/* From `complete`: a candidate; text must outlive the call of line_edit_byte. */
void line_edit_candidate(LineEdit *le, const char *text);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Line editing with the control keys and VT100 sequences that every terminal sends.
 * The display is kept simple: after a change inside the line, the rest is written again.
 */
#include "ui/line_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

#define CTRL(c) ((c)&0x1f)
enum { KEY_ESC = 0x1b, KEY_DEL = 0x7f };

static void put(LineEdit *le, const char *text, size_t n)
{
    le->write(le->opaque, text, n);
}

static void puts_(LineEdit *le, const char *text)
{
    put(le, text, strlen(text));
}

static void back(LineEdit *le, size_t n)
{
    while (n--) {
        puts_(le, "\b");
    }
}

void line_edit_init(LineEdit *le, const char *prompt,
                    void (*write)(void *, const char *, size_t), void *opaque)
{
    *le = (LineEdit){ .prompt = prompt, .write = write, .opaque = opaque };
}

void line_edit_destroy(LineEdit *le)
{
    while (le->nhistory) {
        free(le->history[--le->nhistory]);
    }
}

void line_edit_show_prompt(LineEdit *le)
{
    le->len = le->cursor = le->browsing = 0;
    le->line[0] = 0;
    puts_(le, le->prompt);
}

static void insert(LineEdit *le, char c)
{
    if (le->len == LINE_MAX_LEN) {
        return;
    }
    memmove(le->line + le->cursor + 1, le->line + le->cursor, le->len - le->cursor + 1);
    le->line[le->cursor++] = c;
    le->len++;
    put(le, le->line + le->cursor - 1, le->len - le->cursor + 1);
    back(le, le->len - le->cursor);
}

/* Removes n bytes before the cursor. */
static void erase(LineEdit *le, size_t n)
{
    size_t rest = le->len - le->cursor;
    memmove(le->line + le->cursor - n, le->line + le->cursor, rest + 1);
    le->cursor -= n;
    le->len -= n;
    back(le, n);
    put(le, le->line + le->cursor, rest);
    puts_(le, "\033[K");
    back(le, rest);
}

static void move_to(LineEdit *le, size_t at)
{
    if (at < le->cursor) {
        back(le, le->cursor - at);
    } else {
        put(le, le->line + le->cursor, at - le->cursor);
    }
    le->cursor = at;
}

static void erase_word(LineEdit *le)
{
    size_t n = 0;
    while (n < le->cursor && le->line[le->cursor - n - 1] == ' ') {
        n++;
    }
    while (n < le->cursor && le->line[le->cursor - n - 1] != ' ') {
        n++;
    }
    erase(le, n);
}

static void replace(LineEdit *le, const char *text)
{
    move_to(le, le->len);
    erase(le, le->len);
    for (; *text; text++) {
        insert(le, *text);
    }
}

static void browse(LineEdit *le, int step)
{
    size_t to = le->browsing + (size_t)step;
    if ((step < 0 && le->browsing == 0) || to > le->nhistory) {
        return;
    }
    le->browsing = to;
    replace(le, to ? le->history[to - 1] : "");
}

static void remember(LineEdit *le)
{
    if (!le->len || (le->nhistory && strcmp(le->history[0], le->line) == 0)) {
        return;
    }
    if (le->nhistory == LINE_HISTORY) {
        free(le->history[--le->nhistory]);
    }
    memmove(le->history + 1, le->history, le->nhistory * sizeof(char *));
    le->history[0] = xstrdup(le->line);
    le->nhistory++;
}

void line_edit_candidate(LineEdit *le, const char *text)
{
    if (strncmp(text, le->line, le->len) == 0) {
        le->match = text;
        le->matches++;
    }
}

/* Completes the first word if only one candidate fits. */
static void complete(LineEdit *le)
{
    if (!le->complete || le->cursor != le->len || strchr(le->line, ' ')) {
        return;
    }
    le->matches = 0;
    le->complete(le->opaque, le->line, le);
    if (le->matches == 1) {
        for (const char *p = le->match + le->len; *p; p++) {
            insert(le, *p);
        }
        insert(le, ' ');
    }
}

/* Inside ESC [ ... ; only single letters and ~ end it. */
static void escape_byte(LineEdit *le, uint8_t c)
{
    if (le->escape == 1) {
        le->escape = c == '[' || c == 'O' ? 2 : 0;
        return;
    }
    if (c >= '0' && c <= '9') {
        return;
    }
    le->escape = 0;
    switch (c) {
    case 'A': browse(le, 1); break;
    case 'B': browse(le, -1); break;
    case 'C': move_to(le, MIN(le->cursor + 1, le->len)); break;
    case 'D': move_to(le, le->cursor ? le->cursor - 1 : 0); break;
    case 'H': move_to(le, 0); break;
    case 'F': move_to(le, le->len); break;
    default: break;
    }
}

bool line_edit_byte(LineEdit *le, uint8_t c)
{
    bool after_cr = le->last_cr;
    le->last_cr = c == '\r';
    if (le->escape) {
        escape_byte(le, c);
        return false;
    }
    switch (c) {
    case '\n':
        if (after_cr) {
            return false;
        }
        /* fall through */
    case '\r':
        puts_(le, "\n");
        remember(le);
        return true;
    case KEY_ESC: le->escape = 1; break;
    case '\b':
    case KEY_DEL:
        if (le->cursor) {
            erase(le, 1);
        }
        break;
    case '\t': complete(le); break;
    case CTRL('a'): move_to(le, 0); break;
    case CTRL('e'): move_to(le, le->len); break;
    case CTRL('b'): move_to(le, le->cursor ? le->cursor - 1 : 0); break;
    case CTRL('f'): move_to(le, MIN(le->cursor + 1, le->len)); break;
    case CTRL('p'): browse(le, 1); break;
    case CTRL('n'): browse(le, -1); break;
    case CTRL('w'): erase_word(le); break;
    case CTRL('u'): erase(le, le->cursor); break;
    case CTRL('c'):
        puts_(le, "\n");
        line_edit_show_prompt(le);
        break;
    default:
        if (c >= ' ') {
            insert(le, (char)c);
        }
    }
    return false;
}

/* SPDX-License-Identifier: MIT */
/*
 * The list of a root's pages that are mapped, and how many mappings the host has of them.
 * Its kernel makes one of neighbours that go on in the file with the same rights, and cuts
 * one in pieces when a page in its middle goes; the reserved space between pages is a mapping
 * too. Counted as if each page were two, a program had room for 12,288 pages, and x264 lost
 * all of them each time it had used 48 MiB. Leaf.
 */
#include "target-x86/window_int.h"
#include "target-x86/leaf.h"

_Atomic int window_vmas;

static unsigned hash(uint64_t page)
{
    return (page >> 12 ^ page >> 24) % WIN_BUCKETS;
}

static uint32_t *find_link(WinRoot *r, uint64_t page, unsigned large)
{
    uint32_t *link = &r->bucket[hash(page)];
    while (*link != ~0u) {
        WinPage *p = &r->pages[*link];
        if (win_page_addr(p) == page && (p->page & WP_LARGE) == large) {
            return link;
        }
        link = &p->next;
    }
    return NULL;
}

WinPage *window_find(WinRoot *r, uint64_t gva)
{
    uint32_t *link = find_link(r, gva & ~4095ull, 0);
    if (!link) {
        link = find_link(r, gva & ~(uint64_t)(2 * MiB - 1), WP_LARGE);
    }
    return link ? &r->pages[*link] : NULL;
}

/* Where page b begins behind a (either may be NULL, not mapped): do two mappings meet? */
static int seam(const WinPage *a, const WinPage *b)
{
    if (!a || !b) {
        return a != b;
    }
    return a->ram + win_page_size(a) != b->ram || (a->page ^ b->page) & WP_WRITE;
}

/* Seams at both ends of mapped pages, less those that would be there without them. */
static int seams(WinRoot *r, const WinPage *first, const WinPage *last)
{
    const WinPage *left = window_find(r, win_page_addr(first) - 1);
    const WinPage *right = window_find(r, win_page_addr(last) + win_page_size(last));

    return seam(left, first) + seam(last, right) - (left != NULL) - (right != NULL);
}

static void count(WinRoot *r, int by)
{
    r->vmas += by;
    atomic_fetch_add_explicit(&window_vmas, by, memory_order_relaxed);
}

void window_note(WinRoot *r, uint64_t page, unsigned flags, uint64_t ram, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t *b = &r->bucket[hash(page + i * 4096ull)];
        r->pages[r->n + i] = (WinPage){ page + i * 4096ull + flags, ram + i * 4096ull, *b };
        *b = r->n + i;
    }
    count(r, seams(r, &r->pages[r->n], &r->pages[r->n + n - 1]));
    r->n += n;
}

void window_note_rights(WinRoot *r, WinPage *p, bool write)
{
    int before = seams(r, p, p);

    p->page = (p->page & ~(uint64_t)WP_WRITE) | (write ? WP_WRITE : 0);
    count(r, seams(r, p, p) - before);
}

void window_forget(WinRoot *r, uint32_t i)
{
    WinPage *p = &r->pages[i], *last = &r->pages[r->n - 1];

    count(r, -seams(r, p, p));
    *find_link(r, win_page_addr(p), p->page & WP_LARGE) = p->next;
    if (p != last) {
        *find_link(r, win_page_addr(last), last->page & WP_LARGE) = i;
        *p = *last;
    }
    r->n--;
}

void window_forget_all(WinRoot *r)
{
    count(r, -r->vmas);
    r->n = r->npieces = 0;
    for (unsigned i = 0; r->bucket && i < WIN_BUCKETS; i++) {
        r->bucket[i] = ~0u;
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * A difference as a self-contained text file: features, state before, the events, every page
 * that the step touches, and what the two engines made of it. Pages are found by running the
 * step once more with all RAM inaccessible: host faults tell. replay.c reads the file.
 */
#include <inttypes.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "accel/twin/twin_int.h"
#include "target-x86/state.h"
#include "util/alloc.h"

/* ---- which pages ---- */

static Twin *volatile tracing; /* whose sides' RAM is inaccessible now */

bool twin_trace_fault(void *addr)
{
    Twin *t = tracing;
    for (unsigned k = 0; t && k < 2; k++) {
        TwinSide *s = &t->side[k];
        uint64_t off = (uint64_t)((uint8_t *)addr - s->ram);
        if (s->traced && off < t->m->ram_used) {
            s->traced[off >> 12] = 1;
            return !mprotect(s->ram + (off & ~0xfffull), TLB_PAGE,
                             PROT_READ | PROT_WRITE);
        }
    }
    return false;
}

/* The step again, from `before`; s->traced tells the pages each side touched. */
static void trace(Twin *t, unsigned i, const TwinStep *w)
{
    uint64_t size = ALIGN_UP(t->m->ram_used, TLB_PAGE);
    bool single = t->single;

    twin_restore(t, i, &w->before, &t->step_pre);
    t->side[0].cursor = t->side[1].cursor = w->cursor;
    for (unsigned k = 0; k < 2; k++) {
        TwinSide *s = &t->side[k];
        s->traced = NEW_ARRAY(uint8_t, (t->m->ram_max >> 12) + 1);
        s->engine->forget(s); /* code is to be read again */
        if (s->engine->windows) {
            s->engine->windows(s, false);
        }
        if (s->kind != TWIN_KVM) { /* the kernel's accesses would fail */
            mprotect(s->ram, size, PROT_NONE);
        }
    }
    tracing = t;
    t->single = w->single;
    t->exactly = true;
    twin_stretch(t, i, w->req, 1, true);
    t->exactly = false;
    t->single = single;
    tracing = NULL;
    for (unsigned k = 0; k < 2; k++) {
        mprotect(t->side[k].ram, size, PROT_READ | PROT_WRITE);
        if (t->side[k].engine->windows) {
            t->side[k].engine->windows(&t->side[k], true);
        }
    }
}

/* ---- writing ---- */

static void put_hex(FILE *f, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%02x", p[i]);
    }
    fputc('\n', f);
}

static bool put_state(FILE *f, Cpu *c, const char *what, const X86State *st, Error *err)
{
    X86Cpu *cpu = X86_CPU(c);
    StateBuf buf = { 0 };
    X86State *now = xalloc_aligned(64, sizeof(X86State));
    *now = cpu->st;
    cpu->st = *st;
    bool ok = state_save(&buf, "cpu0", &x86_cpu_state, c, err);
    cpu->st = *now;
    free(now);
    if (ok) {
        fprintf(f, "state %s %" PRId64 " ", what, st->tsc_offset);
        put_hex(f, buf.data, buf.len);
    }
    state_buf_free(&buf);
    return ok;
}

static void put_events(FILE *f, const Twin *t, uint32_t from, uint32_t to)
{
    for (uint32_t n = from; n < to && n < t->log.n; n++) {
        const TwinEvent *e = &t->log.e[n];
        uint64_t addr = e->addr;
        const FlatView *v = t->m->mem.view;
        for (unsigned i = 0; e->kind == TE_DMA && i < v->n;
             i++) { /* RAM to guest address */
            const FlatRange *r = &v->r[i];
            if (r->host && e->addr >= r->ram_addr &&
                e->addr - r->ram_addr <= r->last - r->start) {
                addr = r->start + (e->addr - r->ram_addr);
                break;
            }
        }
        fprintf(f, "event %s %" PRIx64 " %u %u %" PRIx64 " ", twin_event_names[e->kind],
                addr, e->size, e->ok, e->value);
        if (e->len) {
            put_hex(f, t->log.bytes + e->blob, e->len);
        } else {
            fprintf(f, "-\n");
        }
    }
}

/* Pages by the guest's addresses; a page may be seen at several. */
static void put_pages(FILE *f, Twin *t, uint8_t *const after[2])
{
    enum { ROW = 32 };
    const FlatView *v = t->m->mem.view;
    for (unsigned i = 0; i < v->n; i++) {
        const FlatRange *r = &v->r[i];
        for (uint64_t a = r->start; r->host && a < r->last; a += TLB_PAGE) {
            uint64_t ram = r->ram_addr + (a - r->start);
            if (!t->side[0].traced[ram >> 12] && !t->side[1].traced[ram >> 12]) {
                continue;
            }
            const uint8_t *was = twin_page_before(&t->step_pre, ram >> 12);
            was = was ? was : t->side[1].ram + ram;
            fprintf(f, "page %" PRIx64 " %s\n", a, r->readonly ? "ro" : "rw");
            for (unsigned k = 0; k < TLB_PAGE; k += ROW) {
                static const uint8_t zero[ROW];
                if (memcmp(was + k, zero, ROW)) {
                    fprintf(f, "row %" PRIx64 " ", a + k);
                    put_hex(f, was + k, ROW);
                }
                for (unsigned s = 0; s < 2; s++) {
                    if (memcmp(after[s] + ram + k, was + k, ROW)) {
                        fprintf(f, "after %s %" PRIx64 " ", s ? "second" : "first",
                                a + k);
                        put_hex(f, after[s] + ram + k, ROW);
                    }
                }
            }
        }
    }
}

bool twin_case_write(Twin *t, unsigned i, const TwinStep *w, const char *report,
                     Error *err)
{
    const X86Cpu *r = X86_CPU(t->m->cpus[i]);
    uint32_t to = MAX(t->side[0].cursor, t->side[1].cursor);
    FILE *f = fopen(t->opts->case_file, "we");
    if (!f) {
        return error_set(err, "%s: %s", t->opts->case_file, strerror(errno));
    }
    trace(t, i, w);
    uint8_t *const after[2] = { t->side[0].ram, t->side[1].ram };

    fprintf(f, "dyad-case 1\n");
    for (const char *p = report; *p; p++) { /* for people */
        if (p == report || p[-1] == '\n') {
            fprintf(f, "# ");
        }
        fputc(*p, f);
    }
    fprintf(f, "engines %s %s\nstep %s\nrequest %x\nexact-flags %u\n", t->side[0].name,
            t->side[1].name, w->single ? "insn" : "block", w->req, t->opts->exact_flags);
    fprintf(f, "cpu %x %u %u %u\nfeatures", r->apic_id, r->phys_bits, r->tsc_khz,
            t->m->cfg.cpus);
    for (unsigned n = 0; n < X86F_NWORDS; n++) {
        fprintf(f, " %x", r->feat[n]);
    }
    fputc('\n', f);
    bool ok = put_state(f, t->m->cpus[i], "before", &w->before, err) &&
              put_state(f, t->m->cpus[i], "first", &w->a, err) &&
              put_state(f, t->m->cpus[i], "second", &w->b, err);
    put_events(f, t, w->cursor, to);
    put_pages(f, t, after);
    fprintf(f, "end\n");
    for (unsigned k = 0; k < 2; k++) {
        free(t->side[k].traced);
        t->side[k].traced = NULL;
    }
    if (ferror(f) | fclose(f)) {
        return ok && error_set(err, "%s: cannot be written", t->opts->case_file);
    }
    return ok;
}

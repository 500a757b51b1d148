/* SPDX-License-Identifier: MIT */
/* From a record to a block that replaces its head. Heavy. */
#include "target-x86/trace.h"
#include <pthread.h>
#include <string.h>
#include "hw/core/machine.h"
#include "target-x86/decode.h"
#include "target-x86/insn.h"
#include "target-x86/native.h"
#include "target-x86/template.h"
#include "target-x86/window.h"
#include "tcg/codebuf.h"

static bool pages_watched(TbCache *c, const TraceRecord *r)
{
    for (unsigned i = 0; i < r->npages; i++) {
        if (!(c->page_flags[r->page[i].ram >> 12] & TCG_PAGE_CODE)) {
            return false;
        }
    }
    return true;
}

/* The bytes at instruction i, into buf; how many. */
static unsigned bytes_at(const TbCache *c, const TraceRecord *r, unsigned i, uint8_t *buf)
{
    const TbTraceInsn *t = &r->insn[i];
    unsigned n = MIN(15, 4096 - (t->off & 4095));

    memcpy(buf, c->ram_base + ((uint64_t)t->page << 12 | (t->off & 4095)), n);
    for (unsigned k = 0; n < 15 && k < r->npages; k++) {
        if (r->page[k].off == (t->off & ~4095) + 4096) {
            memcpy(buf + n, c->ram_base + r->page[k].ram, 15 - n);
            n = 15;
        }
    }
    return n;
}

/* False: it must not be translated, or does not go the way that was recorded: an instruction
 * that ended by something else than what it is. */
static bool fit(const X86Cpu *cpu, const TraceRecord *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        uint64_t ram = (uint64_t)r->insn[i].page << 12 | (r->insn[i].off & 4095);
        int64_t to = i + 1 < r->n ? r->insn[i + 1].off : r->end;
        if (debug_low_bits(&cpu->cpu.machine->debug, ram) ||
            !tmpl_trace_goes(&r->code[i], r->insn[i].off, to)) {
            return false;
        }
    }
    return true;
}

/* Are the instructions still those that were executed? A store may have changed them since,
 * perhaps one that is in the record. */
static bool same_bytes(const TbCache *c, const TraceRecord *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        const TbTraceInsn *t = &r->insn[i];
        const X86Insn *in = &r->code[i];
        uint8_t buf[15];
        const uint8_t *p = c->ram_base + ((uint64_t)t->page << 12 | (t->off & 4095));
        if ((t->off & 4095) + in->len > 4096) {
            bytes_at(c, r, i, buf);
            p = buf;
        }
        if (memcmp(p, in->bytes, in->len) != 0) {
            return false;
        }
    }
    return true;
}

/* Lock held. NULL: the cache has no room. */
static Tb *make(X86Cpu *cpu, TbCache *c, const TraceRecord *r, uint32_t id)
{
    TbSpan span[TB_MAX_SPANS];
    unsigned n = 0;
    Tb *tb = tb_new(c, r->n);
    size_t size = sizeof(TbTrace) + (r->n + r->npages + 1) * sizeof(TbTraceInsn) +
                  ALIGN_UP(r->n * sizeof(int16_t), 4);
    TbTrace *tr = tb ? tb_alloc(c, size) : NULL;

    if (!tr) {
        return NULL;
    }
    tb->trace_at = ((char *)tr - (char *)tb) / 4;
    memcpy(tr->insn, r->insn, r->n * sizeof(TbTraceInsn));
    tr->npages = r->npages;
    tr->page_at = r->n;
    for (unsigned i = 0; i < r->npages; i++) {
        tr->insn[r->n + i].off = r->page[i].off;
        tr->insn[r->n + i].page = r->page[i].ram >> 12;
    }
    /* reaches over 32 MiB to each side */
    tr->insn[r->n + r->npages].off = r->vbase < 2 * GiB - 128 * MiB ? r->vbase : 0;
    tr->id = id;
    tr->end = r->end;
    tr->peeled = r->peeled;
    tr->in_b = r->mode & X86_KEY_WIN && window_in_b(r->vbase);
    tb->key = r->head;
    tb->mode = r->mode;
    tb->size = 1; /* the rest is spans */
    for (unsigned i = 0; i < r->npages; i++) {
        uint64_t ram = r->page[i].ram + r->page[i].first;
        unsigned size = r->page[i].last - r->page[i].first + 1;
        if (ram == r->head) { /* its page may be there at two addresses */
            tb->size = MAX(tb->size, size);
        } else {
            span[n++] = (TbSpan){ ram, size };
        }
    }
    return tb_cover(c, tb, span, n) && x86_template_build(cpu, c, tb, r->code) ? tb : NULL;
}

bool x86_trace_build(X86Cpu *cpu, const TraceRecord *r)
{
    TbCache *c = x86_engine.cache;
    Tb *tb = NULL;
    bool full = false, unfit = false, used_up = false;

    for (unsigned i = 0; i < r->npages; i++) {
        tb_watch_page(c, r->page[i].ram, &cpu->cpu);
    }
    pthread_mutex_lock(&c->lock);
    if (pages_watched(c, r) && same_bytes(c, r) && fit(cpu, r)) {
        Tb *old = tb_find(c, r->head, r->mode);
        bool done = old && old->trace_at; /* another vCPU was faster */
        c->unfit = false;
        uint32_t id = done ? 0 : tb_trace_number(c);
        used_up = !done && !id;
        tb = id ? make(cpu, c, r, id) : NULL;
        full = id && !tb && !c->unfit;
        unfit = c->unfit;
        if (done || unfit || used_up) {
            /* that one stays */
        } else if (full) {
            tb_no_room(c);
        } else if (old) {
            tb_drop_locked(c, old);
        }
    }
    if (tb) {
        c->guest_bytes += tb->size;
        tb_insert(c, tb);
        if (tb_trace(tb)->loop_exit) { /* to its beginning, behind the entries' checks */
            tb_chain(c, tb_exit(tb, tb_trace(tb)->loop_exit - 1), tb, tb_trace(tb)->entry_loop);
        }
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!same_bytes(c, r)) { /* a store that came too early to find it */
            tb_drop_locked(c, tb);
        }
    }
    pthread_mutex_unlock(&c->lock);
    if (full) {
        tb_make_room(c, &cpu->cpu);
    } else if (used_up) { /* after 16 million traces: all begin anew */
        tb_flush(c, &cpu->cpu);
    }
    return !unfit;
}

/* SPDX-License-Identifier: MIT */
/*
 * Builds a block: decodes up to the first branch, the page's end or a limit, and hands it
 * to the template translator if that takes this mode. Heavy; called without locks.
 */
#include "target-x86/engine.h"
#include <stdio.h>
#include <string.h>
#include "hw/core/machine.h"
#include "target-x86/decode.h"
#include "target-x86/gen_ir.h"
#include "target-x86/insn.h"
#include "target-x86/mmu.h"
#include "target-x86/native.h"
#include "target-x86/saved.h"
#include "target-x86/template.h"
#include "tcg/codebuf.h"
#include "util/disas.h"
#include "util/log.h"

enum { SNAP = 320 }; /* guest bytes of a block at most */

/* STI before HLT: single steps. Under twin KVM stops between the two. */
static bool ends_at_sti(const X86Insn *in, const uint8_t *bytes, unsigned size,
                        unsigned avail)
{
    return in->row->enc == ENC_LEGACY && in->row->map == MAP_1 && in->opcode == 0xfb &&
           size < avail && bytes[size] == 0xf4;
}

/* Copies up to a cache line of the guest's bytes: most blocks are no longer. */
static unsigned copy_line(uint8_t *snap, const uint8_t *bytes, unsigned from, unsigned avail)
{
    if (likely(avail - from >= 64)) {
        memcpy(snap + from, bytes + from, 64);
        return from + 64;
    }
    memcpy(snap + from, bytes + from, avail - from);
    return avail;
}

/* Instructions up to the block's end; their bytes (avail of them) are read once, into snap:
 * another vCPU may be writing there. */
static unsigned decode_block(X86Cpu *cpu, X86Insn *insns, const uint8_t *bytes, uint8_t *snap,
                             unsigned avail, uint64_t ram_addr, uint32_t mode, unsigned *size)
{
    bool native = x86_engine.native && x86_template_accepts(mode);
    unsigned n = 0, side = 0, max = x86_engine.max_insns, have = 0;

    if (x86_mode_placed(mode)) {
        max = MIN(max, TB_MAX_INSNS / 2); /* their accesses take more host code */
    }
    *size = 0;
    while (n < max) {
        if (unlikely(debug_low_bits(&cpu->cpu.machine->debug, ram_addr + *size))) {
            break; /* perhaps a debugger's breakpoint: the loop looks */
        }
        if (have < *size + 15 && have < avail) {
            have = copy_line(snap, bytes, have, avail);
        }
        int len = x86_decode(&insns[n], snap + *size, MIN(15, avail - *size), mode, cpu->feat);
        if (len <= 0) {
            break; /* #UD, or crosses the page: the loop steps over it */
        }
        *size += len;
        const X86Row *row = insns[n++].row;
        bool end = row->flags & (RF_BRANCH | RF_END) &&
                   !(native && tmpl_sys_continues(&insns[n - 1], mode));
        if (end && native && side < TB_MAX_SIDE && tmpl_goes_on(&insns[n - 1]) &&
            n < max) {
            side++;
            end = false;
        }
        if (!(mode & HF_CS64) && ends_at_sti(&insns[n - 1], snap, *size, have)) {
            end = true;
        }
        if (end || *size >= avail) {
            break;
        }
    }
    return n;
}

static void log_guest(X86Cpu *cpu, const uint8_t *bytes, unsigned size, uint32_t mode)
{
    uint64_t pc = x86_pc_linear(cpu);

    if (log_in_filter(pc)) {
        FILE *f = log_lock();
        fprintf(f, "IN: %#llx\n", (unsigned long long)pc);
        disas(f, bytes, size, pc, mode & HF_CS64 ? 64 : mode & HF_CS32 ? 32 : 16);
        fputc('\n', f);
        log_unlock(f);
    }
}

/* The bytes of an instruction that may go on in the next page: n of them, contiguous in
 * buf. key2: RAM address of that page. False: not mapped, not RAM. No locks held. */
static bool crossing_bytes(X86Cpu *cpu, const uint8_t *bytes, unsigned avail, uint8_t *buf,
                           uint64_t *key2)
{
    uint64_t next = x86_pc_linear(cpu) + avail;

    if (!(cpu->hflags & HF_CS64)) {
        next = (uint32_t)next;
    }
    X86WalkResult w = x86_walk(cpu, next, X86_FETCH, cpu->mmu_idx, true);
    uint8_t *host = w.ok ? x86_phys_host(cpu, w.gpa, false) : NULL;
    if (!host) {
        return false;
    }
    memcpy(buf, bytes, avail);
    memcpy(buf + avail, host, 15 - avail);
    *key2 = (uint64_t)(host - x86_engine.cache->ram_base);
    return true;
}

/* Bytes up to the end of the code segment, SNAP at most; 0: none can be translated. In
 * 16-bit code IP ends at 0xffff whatever the limit. */
static unsigned code_left(const X86Cpu *cpu, uint32_t mode)
{
    uint64_t last = cpu->st.seg[R_CS].limit, rip = cpu->st.rip;

    if (!x86_mode_placed(mode)) {
        return SNAP;
    }
    last = mode & HF_CS32 ? last : MIN(last, 0xffff);
    return rip > last ? 0 : MIN(last - rip + 1, SNAP);
}

/* A block to be made. */
typedef struct Wanted {
    const uint8_t *bytes;    /* the guest's */
    uint64_t ram_addr, key2; /* crossing: the RAM page where it ends */
    uint32_t mode;
    bool large, crossing, widened;
    X86Need need;
    unsigned avail, left;    /* bytes up to the page's and the segment's end */
    unsigned nsnap, size;    /* read at most; of the block */
    uint8_t buf[16], snap[SNAP]; /* as they were read */
} Wanted;

/* Decodes and translates. NULL: not here; *full: for want of room. Lock held. */
static Tb *translate(X86Cpu *cpu, TbCache *c, Wanted *w, bool *full)
{
    X86Insn insns[TB_MAX_INSNS];
    unsigned n = 0;

    if (!w->crossing) {
        n = decode_block(cpu, insns, w->bytes, w->snap, w->nsnap, w->ram_addr, w->mode,
                         &w->size);
    } else if (!debug_low_bits(&cpu->cpu.machine->debug, w->ram_addr) &&
               x86_decode(insns, w->buf, MIN(15, w->left), w->mode, cpu->feat) >
                   (int)w->avail) {
        n = 1;
        w->size = w->avail;
    }
    if (!n) {
        return NULL;
    }
    Tb *tb = tb_new(c, n);
    *full = !tb;
    if (!tb) {
        return NULL;
    }
    tb->key = w->ram_addr;
    tb->mode = w->mode;
    tb->size = w->size;
    tb->large = w->large;
    tb->crossing = w->crossing;
    tb->next_crosses = w->avail - w->size < 15 && n < x86_engine.max_insns;
    TbSpan tail = { w->key2, insns[0].len - w->avail };
    *full = (w->crossing && !tb_cover(c, tb, &tail, 1)) ||
            (x86_mode_placed(w->mode) &&
             !tb_set_place(c, tb, x86_code_place(cpu), cpu->st.rip));
    if (*full) {
        return NULL;
    }
    if (log_on(LOG_IN_ASM)) {
        log_guest(cpu, w->bytes, w->size, w->mode);
    }
    if (log_on(LOG_OP)) {
        x86_ir_log(cpu, insns, n, w->mode);
    }
    if (x86_engine.native && x86_template_accepts(w->mode)) {
        tb->inner = w->need != X86_NEED_ALL && !w->crossing;
        tb->counts = w->need == X86_NEED_COUNT; /* wanted; tmpl_entries says whether it does */
        *full = !x86_template_build(cpu, c, tb, insns);
        if (!*full && x86_saved_notes) {
            x86_saved_add(cpu, c, tb, insns, w->snap, w->nsnap, w->widened);
        }
    } else {
        *full = !x86_ir_build(c, tb, insns);
    }
    return *full ? NULL : tb;
}

/* ---- blocks kept from earlier runs ---- */

enum { AHEAD = 32 }; /* blocks brought at once */

/* A block that is to be brought. */
typedef struct Kept {
    SavedAt at;
    TbExit *exit;         /* a jump to it, or NULL */
} Kept;

static void chain(TbCache *c, TbExit *x, Tb *to)
{
    uint32_t entry = to->code_end ? x86_chain_entry(x, to) : 0;
    if (entry) {
        tb_chain(c, x, to, entry);
    }
}

/* The block that is wanted, and those that direct jumps in its page lead to, and so on:
 * where an earlier run went this one will go. They are published and chained. False: it is not
 * kept, or *full. *stale: bytes changed meanwhile. Lock held. */
static bool bring(X86Cpu *cpu, TbCache *c, const Wanted *w, bool *full, bool *stale)
{
    Kept kept[AHEAD];
    unsigned n = 1;
    uint64_t begun = x86_ticks(), page = w->ram_addr & ~4095ull;
    const uint8_t *bytes = w->bytes - (w->ram_addr & 4095);

    if (w->crossing || log_on(LOG_IN_ASM | LOG_OP | LOG_OUT_ASM) ||
        !x86_saved_look(cpu, c, w->bytes, w->ram_addr, w->large, w->mode, &kept[0].at)) {
        return false;
    }
    kept[0].exit = NULL;
    for (unsigned i = 0; i < n; i++) {
        Kept *k = &kept[i];
        const uint8_t *made_from;
        bool no_room = false;
        if (i + 1 < n) {
            x86_saved_next(&kept[i + 1].at);
        }
        Tb *tb = k->exit ? tb_find(c, k->at.ram_addr, w->mode) : NULL;
        if (tb) { /* two jumps lead there */
            chain(c, k->exit, tb);
            continue;
        }
        bool all = i && x86_keys_has(&x86_engine.outer, k->at.ram_addr);
        X86Need need = all ? X86_NEED_ALL : i ? X86_NEED_INNER : w->need;
        tb = x86_saved_bring(c, &k->at, need, &made_from, &no_room);
        if (!tb) {
            if (!i) {
                *full = no_room;
                return false;
            }
            continue;
        }
        c->guest_bytes += tb->size;
        tb_insert(c, tb);
        /* a store that came too early to find the block in its page is seen here */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        *stale |= memcmp(made_from, k->at.bytes, tb->size) != 0;
        if (k->exit) {
            chain(c, k->exit, tb);
        }
        for (unsigned j = 0; j < tb->nexits; j++) {
            TbExit *x = tb_exit(tb, j);
            uint64_t key = tb->key - tb->region_off + x->target;
            if (x->guarded || (key ^ page) >> 12) {
                continue;
            }
            Tb *to = tb_find(c, key, w->mode);
            if (to) {
                chain(c, x, to);
            } else if (n < AHEAD && x86_saved_look(cpu, c, bytes + (key & 4095), key, w->large,
                                                   w->mode, &kept[n].at)) {
                kept[n++].exit = x;
            }
        }
    }
    c->load_ticks += x86_ticks() - begun;
    return true;
}

/* Did somebody store to the block's bytes while it was made? */
static bool changed(const TbCache *c, const Wanted *w)
{
    return memcmp(w->snap, w->bytes, w->size) != 0 ||
           (w->crossing &&
            (memcmp(w->buf, w->bytes, w->avail) != 0 ||
             memcmp(w->buf + w->avail, c->ram_base + w->key2, 15 - w->avail) != 0));
}

Tb *x86_build(X86Cpu *cpu, const uint8_t *bytes, uint64_t ram_addr, bool large,
              uint32_t mode, X86Need need)
{
    TbCache *c = x86_engine.cache;
    Wanted w; /* not cleared: it is long */
    bool full = false;
    uint64_t begun = x86_ticks();
    Tb *tb = NULL;

    w.bytes = bytes;
    w.ram_addr = ram_addr;
    w.mode = mode;
    w.large = large;
    w.need = x86_keys_has(&x86_engine.outer, ram_addr) ? X86_NEED_ALL : need;
    w.widened = false;
    w.avail = 4096 - (ram_addr & 4095);
    w.left = code_left(cpu, mode);
    w.nsnap = MIN(MIN(w.avail, w.left), SNAP);
    w.size = 0;
    w.crossing = false;
    w.key2 = 0;
    if (!w.left) {
        return NULL;
    }
    X86Insn first;
    if (w.avail < 15 && x86_decode(&first, bytes, w.avail, mode, cpu->feat) == X86_DEC_MORE) {
        w.crossing = crossing_bytes(cpu, bytes, w.avail, w.buf, &w.key2);
        if (!w.crossing) {
            return NULL;
        }
    }
    do {
        tb_watch_page(c, ram_addr, &cpu->cpu);
        if (w.crossing) {
            tb_watch_page(c, w.key2, &cpu->cpu);
            memcpy(w.buf, bytes, w.avail);
            memcpy(w.snap, w.buf, w.avail);
            memcpy(w.buf + w.avail, c->ram_base + w.key2, 15 - w.avail);
        }
        pthread_mutex_lock(&c->lock);
        if (!(c->page_flags[ram_addr >> 12] & TCG_PAGE_CODE) ||
            (w.crossing && !(c->page_flags[w.key2 >> 12] & TCG_PAGE_CODE))) {
            pthread_mutex_unlock(&c->lock);
            continue; /* another vCPU's store dropped the page's last block meanwhile */
        }
        tb = x86_tb_find(cpu, c, ram_addr, mode);
        if (tb && !x86_tb_has(tb, need)) {
            c->widened++;
            x86_keys_add(&x86_engine.outer, ram_addr);
            w.need = X86_NEED_ALL;
            w.widened = true;
            tb_drop_locked(c, tb);
            pthread_mutex_unlock(&c->lock);
            continue; /* the page may have no blocks now */
        }
        if (tb) {
            break;
        }
        __builtin_prefetch(c->pages[ram_addr >> 12], 1); /* tb_insert writes there */
        bool stale = false;
        if (x86_saved_notes && bring(cpu, c, &w, &full, &stale)) {
            if (stale) {
                pthread_mutex_unlock(&c->lock);
                tb_invalidate(c, ram_addr & ~4095ull, 4096, &cpu->cpu);
                continue;
            }
            tb = x86_tb_find(cpu, c, ram_addr, mode);
            break;
        }
        if (!full) {
            tb = translate(cpu, c, &w, &full);
        }
        if (!tb) {
            break;
        }
        c->guest_bytes += w.size;
        tb_insert(c, tb);
        c->build_ticks += x86_ticks() - begun;
        /* the same here */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (unlikely(changed(c, &w))) {
            pthread_mutex_unlock(&c->lock);
            tb_invalidate(c, ram_addr, 1, &cpu->cpu);
            continue;
        }
        break;
    } while (1);
    if (full) {
        tb_no_room(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (full) { /* NULL: the loop executes one instruction and asks again */
        tb_make_room(c, &cpu->cpu);
    }
    return tb;
}

/* ---- -d int ---- */

uint64_t x86_log_event(X86Cpu *cpu, void *arg)
{
    const X86Event *e = &cpu->st.event;

    log_printf("event %02x%s error %04x cr2 %016llx at %04x:%016llx cpl %u rsp %016llx%s\n",
               e->vector, e->soft ? " (soft)" : "", e->error, (unsigned long long)e->cr2,
               cpu->st.seg[R_CS].selector, (unsigned long long)cpu->st.rip, cpu->st.cpl,
               (unsigned long long)cpu->st.gpr[R_SP],
               cpu->delivering ? " while delivering another" : "");
    return 0;
}

uint64_t x86_log_interrupt(X86Cpu *cpu, void *vector)
{
    log_printf("interrupt %02llx at %04x:%016llx\n", (unsigned long long)*(int64_t *)vector,
               cpu->st.seg[R_CS].selector, (unsigned long long)cpu->st.rip);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Records of blocks for the file of kept translations, and blocks from records.
 *
 * A record has the block's guest bytes, its description and its host code as they were made,
 * and lists of the fields in the code that must be changed for another place:
 *
 *   out      displacements to what stays (env, thunks) from code that moves
 *   over     displacements between the two parts of the code, which move each by itself
 *   pointer  addresses in the description
 *
 * Beside these only what the RAM address enters: the guard of the entry from other pages and
 * the counter of executions (tmpl_rekey).
 */
#include "target-x86/saved.h"
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/machine.h"
#include "target-x86/native.h"
#include "target-x86/template.h"
#include "tcg/codebuf.h"
#include "tcg/tb_disk.h"
#include "tcg/tb_int.h"
#include "util/alloc.h"

enum { HEAD = 16 /* guest bytes that are hashed */, DESC_MOST = 12 * KiB };
enum { P_HOT, P_COLD, PARTS };
enum { OUT, OVER, POINTER, KINDS };

typedef struct SavedBlock {
    uint32_t mode, region_off;
    uint32_t tb;                /* address of the description that it was made with */
    uint32_t from[PARTS], size[PARTS]; /* code offsets, bytes */
    uint16_t guest, desc;       /* bytes */
    uint16_t n[PARTS][KINDS];
    /* then: fields uint16_t [], from their part's start, by part and kind; the description;
     * both parts' code; the guest's bytes; each from a multiple of 8 on */
} SavedBlock;

static SavedNotes notes;
SavedNotes *x86_saved_notes;
static TbDisk *disk;
static const TbCache *owner; /* whose blocks they are: a twin run has another one, */
static unsigned max_insns;   /* and makes others to look where its sides differ */
static char *disk_dir;      /* not opened yet; */
static bool asked;          /* the user named it */
static X86KeySet rebuilt;    /* what was kept was wrong in this run */

/* ---- identity ---- */

static int add_build_id(struct dl_phdr_info *info, size_t size, void *arg)
{
    uint64_t *h = arg;
    bool any = false;

    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        const uint8_t *p = (const uint8_t *)(info->dlpi_addr + ph->p_vaddr);
        const uint8_t *end = p + ph->p_memsz;
        while (ph->p_type == PT_NOTE && end - p >= 12) {
            uint32_t head[3]; /* bytes of the name, of what is said, kind; ELF gABI, notes */
            memcpy(head, p, sizeof(head));
            const uint8_t *said = p + 12 + ALIGN_UP(head[0], 4);
            if (head[2] == NT_GNU_BUILD_ID && head[0] == 4 && said + head[1] <= end) {
                h[0] = tb_disk_hash(h[0], said, head[1]);
                h[1] = tb_disk_hash(h[1], said, head[1]);
                any = true;
            }
            p = said + ALIGN_UP(head[1], 4);
        }
    }
    h[2] = any;
    return 1; /* the program itself comes first */
}

/* All that code depends on beside the guest's bytes and mode. False: the program cannot be
 * told from other builds. */
static bool identity(const X86Cpu *cpu, const TbCache *c, uint8_t *id)
{
    const uint32_t own[] = {
        x86_engine.exact_flags, x86_engine.no_groups, x86_engine.tapped, x86_engine.max_insns,
        x86_engine.windows,     x86_engine.fsbase,    x86_engine.tier2,  c->code->fixed,
        x86_host_xsave_mask(),  x86_host_xcr0(),         x86_engine.random_sites != 0,
    };
    uint64_t h[3] = { 1, 2, 0 };
    uint8_t host[X86F_NWORDS * 32];

    dl_iterate_phdr(add_build_id, h);
    for (unsigned i = 0; i < sizeof(host); i++) {
        host[i] = x86_host_has(i);
    }
    for (unsigned i = 0; i < 2; i++) {
        h[i] = tb_disk_hash(h[i], own, sizeof(own));
        h[i] = tb_disk_hash(h[i], &x86_thunks, sizeof(x86_thunks));
        h[i] = tb_disk_hash(h[i], cpu->feat, X86F_NWORDS * sizeof(uint32_t));
        h[i] = tb_disk_hash(h[i], host, sizeof(host));
    }
    memcpy(id, h, TB_DISK_ID);
    return h[2];
}

/* ---- the file ---- */

static char *default_dir(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");

    if (cache && cache[0] == '/') {
        return xasprintf("%s/dyad", cache);
    }
    return user && user[0] == '/' ? xasprintf("%s/.cache/dyad", user) : NULL;
}

void x86_saved_init(const char *dir)
{
    if (dir && strcmp(dir, "off") != 0 && x86_engine.native) {
        asked = strcmp(dir, "auto") != 0;
        disk_dir = asked ? xstrdup(dir) : default_dir();
        x86_saved_notes = disk_dir ? &notes : NULL;
        owner = x86_engine.cache;
        max_insns = x86_engine.max_insns;
    }
}

static void forget_dir(void)
{
    free(disk_dir);
    disk_dir = NULL;
}

void x86_saved_finish(void)
{
    x86_saved_notes = NULL;
    owner = NULL;
    forget_dir();
    tb_disk_close(disk);
    disk = NULL;
    x86_keys_clear(&rebuilt);
}

void x86_saved_stop(void)
{
    pthread_mutex_lock(&x86_engine.cache->lock);
    x86_saved_finish();
    pthread_mutex_unlock(&x86_engine.cache->lock);
}

/* At the first block: all that the identity says is settled by then. */
static bool opened(X86Cpu *cpu, TbCache *c)
{
    Error err = ERROR_INIT;
    uint8_t id[TB_DISK_ID];

    if (c != owner || x86_engine.max_insns != max_insns) {
        return false;
    }
    if (likely(disk != NULL) || !disk_dir) {
        return disk != NULL;
    }
    /* descriptions above 4 GiB have other addresses in code */
    if ((uint64_t)c->arena + c->arena_size <= 1ull << 32 && identity(cpu, c, id)) {
        disk = tb_disk_open(disk_dir, id, &err);
    }
    forget_dir();
    if (!disk) {
        x86_saved_notes = NULL;
        if (err.msg && asked) {
            warn_report("translations are not kept: %s", err.msg);
        }
        error_free(&err);
    }
    return disk != NULL;
}

static uint64_t hash_of(uint32_t mode, uint32_t region_off, const uint8_t *bytes, unsigned have)
{
    return tb_disk_hash((uint64_t)mode << 32 | region_off, bytes, MIN(have, (unsigned)HEAD));
}

/* ---- keeping ---- */

/* The noted fields, from their part's start. */
static uint16_t list[PARTS][KINDS][ENC_NOTES];

/* Sorts the noted fields into lists; false: one is not of a known kind. */
static bool sort_fields(const TbCache *c, SavedBlock *b)
{
    const uint8_t *rw = c->code->rw;

    for (unsigned i = 0; i < notes.fields.n; i++) {
        uint32_t at = notes.fields.at[i], v;
        unsigned part = at - b->from[P_HOT] >= b->size[P_HOT];
        if (at - b->from[part] >= b->size[part]) {
            continue;
        }
        memcpy(&v, rw + at, sizeof(v));
        uint32_t to = at + 4 + v;
        if ((int32_t)to < (int32_t)c->code->fixed) { /* env lies before the code */
            list[part][OUT][b->n[part][OUT]++] = at - b->from[part];
        } else if (to - b->from[part] > b->size[part]) {
            if (to - b->from[!part] > b->size[!part]) {
                return false;
            }
            list[part][OVER][b->n[part][OVER]++] = at - b->from[part];
        }
    }
    for (unsigned i = 0; i < notes.npointers; i++) {
        uint32_t at = notes.pointer[i];
        unsigned part = at - b->from[P_HOT] >= b->size[P_HOT];
        if (at - b->from[part] < b->size[part]) {
            list[part][POINTER][b->n[part][POINTER]++] = at - b->from[part];
        }
    }
    return true;
}

/* So many fields are in all lists. */
static unsigned fields(const SavedBlock *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < PARTS * KINDS; i++) {
        n += b->n[i / KINDS][i % KINDS];
    }
    return n;
}

static uint32_t to_8(uint32_t n) { return ALIGN_UP(n, 8u); }

/* Rows lie somewhere else in each run, all by the same distance. */
static void move_rows(char *desc, const Tb *tb, uint64_t by)
{
    ExecSite *s = (ExecSite *)(desc + ALIGN_UP(sizeof(Tb), 8));

    for (; (char *)(s + 1) <= desc + tb->exit_at * 4u; s++) {
        s->insn.row = (const X86Row *)((uint64_t)s->insn.row + by);
    }
}

/* A kernel's own address, which is another one after each boot (KASLR): a block that names one
 * would not be found again. */
static bool names_kernel(const X86Insn *in)
{
    const int64_t low = -(1ll << 31), high = -(1ll << 29);
    int64_t imm = (int64_t)in->imm;

    return (in->disp_len >= 4 && in->base != 16 && in->disp >= low && in->disp < high) ||
           (in->imm_len >= 4 && !(in->row->flags & RF_BRANCH) && imm >= low && imm < high);
}

static bool keepable(const Tb *tb, const X86Insn *insns)
{
    for (unsigned i = 0; tb->mode & X86_KEY_CPL0 && i < tb->ninsns; i++) {
        if (names_kernel(&insns[i])) {
            return false;
        }
    }
    return tb->mode & HF_CS64 && !tb->crossing && !tb->trace_at && !tb->extra_at && !tb->place_at &&
           notes.fields.n <= ENC_NOTES && notes.npointers <= SAVED_POINTERS;
}

void x86_saved_add(X86Cpu *cpu, TbCache *c, const Tb *tb, const X86Insn *insns,
                   const uint8_t *snap, unsigned have, bool again)
{
    static char desc[DESC_MOST];
    uint32_t desc_size = tb_desc_size(c, tb);

    if (!keepable(tb, insns) || desc_size > DESC_MOST || !opened(cpu, c)) {
        return;
    }
    uint64_t hash = hash_of(tb->mode, tb->region_off, snap, have);
    again |= x86_keys_has(&rebuilt, tb->key);
    if (tb_disk_has(disk, hash, again)) {
        return;
    }
    SavedBlock b = {
        .mode = tb->mode,
        .region_off = tb->region_off,
        .tb = (uint32_t)(uintptr_t)tb,
        .from = { tb->code_off, notes.cold_from },
        .size = { tb->code_end - tb->code_off, notes.cold_to - notes.cold_from },
        .guest = tb->size,
        .desc = desc_size,
    };
    if (b.size[P_COLD] > UINT16_MAX || !sort_fields(c, &b)) {
        return;
    }
    unsigned n = fields(&b);
    memcpy(desc, tb, desc_size);
    move_rows(desc, tb, -(uint64_t)x86_row_tables);
    static const char pad[8];
    TbDiskPart parts[PARTS * KINDS + 6] = { { &b, sizeof(b) } };
    unsigned np = 1;
    for (unsigned i = 0; i < PARTS * KINDS; i++) {
        uint32_t bytes = b.n[i / KINDS][i % KINDS] * sizeof(uint16_t);
        parts[np++] = (TbDiskPart){ list[i / KINDS][i % KINDS], bytes };
    }
    parts[np++] = (TbDiskPart){ pad, to_8(n * sizeof(uint16_t)) - n * sizeof(uint16_t) };
    parts[np++] = (TbDiskPart){ desc, to_8(desc_size) };
    for (unsigned i = 0; i < PARTS; i++) {
        parts[np++] = (TbDiskPart){ c->code->rw + b.from[i], to_8(b.size[i]) };
    }
    parts[np++] = (TbDiskPart){ snap, tb->size };
    tb_disk_add(disk, hash, parts, np, again);
}

/* ---- finding ---- */

/* Where the parts of a record of n bytes lie. */
typedef struct Parts {
    const uint16_t *list;
    const uint8_t *desc, *code[PARTS], *guest;
} Parts;

/* False: it does not fit together. A file's content is this user's own (tb_disk.h) and has a
 * checksum: this is no defence, but finds records of another making. */
static bool take_apart(const SavedBlock *b, uint32_t n, Parts *p)
{
    uint32_t at = sizeof(*b);

    if (n < sizeof(*b) || b->desc < sizeof(Tb) || b->desc > DESC_MOST) {
        return false;
    }
    if (b->size[P_HOT] > TB_DISK_RECORD || b->size[P_COLD] > TB_DISK_RECORD) {
        return false;
    }
    const uint8_t *start = (const uint8_t *)b;
    p->list = (const uint16_t *)(start + at);
    at += to_8(fields(b) * sizeof(uint16_t));
    p->desc = start + at;
    at += to_8(b->desc);
    for (unsigned i = 0; i < PARTS; i++) {
        p->code[i] = start + at;
        at += to_8(b->size[i]);
    }
    p->guest = start + at;
    at += b->guest;
    return at == n;
}

static void shift(uint8_t *code, const uint8_t *made, uint32_t size, uint16_t at, uint32_t by)
{
    uint32_t v;

    if (at + sizeof(v) <= size) {
        memcpy(&v, made + at, sizeof(v));
        v += by;
        memcpy(code + at, &v, sizeof(v));
    }
}

static uint32_t moved(const SavedBlock *b, const uint32_t *by, uint32_t off)
{
    return !off ? 0 : off + by[off - b->from[P_HOT] <= b->size[P_HOT] ? P_HOT : P_COLD];
}

/* The record's code to where there is room, and tb described as it was. False: no room. */
static bool put(TbCache *c, Tb *tb, const SavedBlock *b, const Parts *p)
{
    CodeBuf *code = c->code;
    uint32_t to[PARTS], by[PARTS];
    uint64_t key = tb->key;

    codebuf_back(code);
    to[P_HOT] = code->used + ((b->from[P_HOT] - code->used) & (tb_align((const Tb *)p->desc) - 1));
    if (to[P_HOT] + b->size[P_HOT] + 4 * KiB > code->cold_start ||
        !codebuf_cold(code, to[P_HOT] + b->size[P_HOT] + ENC_SLACK, b->size[P_COLD] + ENC_SLACK) ||
        !tb_alloc(c, b->desc - sizeof(Tb))) {
        return false;
    }
    to[P_COLD] = code->cold_used + ((b->from[P_COLD] - code->cold_used) & 3);
    for (unsigned i = 0; i < PARTS; i++) {
        by[i] = to[i] - b->from[i];
        memcpy(code->rw + to[i], p->code[i], b->size[i]);
    }
    memcpy(tb, p->desc, b->desc);
    const uint16_t *f = p->list;
    for (unsigned i = 0; i < PARTS; i++) {
        const uint32_t change[KINDS] = { -by[i], by[!i] - by[i],
                                         (uint32_t)(uintptr_t)tb - b->tb };
        for (unsigned kind = 0; kind < KINDS; kind++) {
            for (unsigned n = b->n[i][kind]; n; n--) {
                shift(code->rw + to[i], p->code[i], b->size[i], *f++, change[kind]);
            }
        }
    }
    move_rows((char *)tb, tb, (uint64_t)x86_row_tables);
    tb->key = key;
    tb->code_off = to[P_HOT];
    tb->code_end = to[P_HOT] + b->size[P_HOT];
    tb->entry_h = moved(b, by, tb->entry_h);
    tb->entry_e = moved(b, by, tb->entry_e);
    tb->entry_x = moved(b, by, tb->entry_x);
    tb->entry_xh = moved(b, by, tb->entry_xh);
    for (unsigned i = 0; i < tb->nexits; i++) {
        tb_exit(tb, i)->stub_off += by[P_COLD];
    }
    tmpl_rekey(code->rw, tb);
    code->used = tb->code_end;
    code->cold_used = to[P_COLD] + b->size[P_COLD];
    return true;
}

bool x86_saved_look(X86Cpu *cpu, TbCache *c, const uint8_t *bytes, uint64_t ram_addr,
                    bool large, uint32_t mode, SavedAt *at)
{
    /* one_unit: blocks must not be chained */
    if (!(mode & HF_CS64) || cpu->one_unit || x86_keys_has(&rebuilt, ram_addr) ||
        !opened(cpu, c) || cpu->cpu.machine->debug.breaks) {
        return false;
    }
    uint32_t region_off = ram_addr & ((large ? 2 * MiB : 4 * KiB) - 1);
    *at = (SavedAt){ .bytes = bytes, .ram_addr = ram_addr, .mode = mode, .large = large };
    at->hash = hash_of(mode, region_off, bytes, 4096 - (ram_addr & 4095));
    tb_disk_soon(disk, at->hash);
    return true;
}

void x86_saved_next(const SavedAt *at) { tb_disk_next(disk, at->hash); }

Tb *x86_saved_bring(TbCache *c, const SavedAt *at, X86Need need, const uint8_t **made_from,
                    bool *full)
{
    uint32_t region_off = at->ram_addr & ((at->large ? 2 * MiB : 4 * KiB) - 1), n;
    const SavedBlock *b = tb_disk_find(disk, at->hash, &n);
    Parts p;

    if (!b || !take_apart(b, n, &p) || b->mode != at->mode || b->region_off != region_off ||
        b->guest > 4096 - (at->ram_addr & 4095) || memcmp(p.guest, at->bytes, b->guest) != 0) {
        return NULL;
    }
    const Tb *old = (const Tb *)p.desc;
    Tb probe = { .key = at->ram_addr, .mode = at->mode, .large = at->large };
    bool counts = x86_trace_wanted(&probe), inner = old->inner && need != X86_NEED_ALL;
    if (old->large != at->large || old->inner != inner ||
        (old->counts != counts && !(inner && need == X86_NEED_INNER && counts)) ||
        (old->entry_x && at->ram_addr >= CODE_MAP_MAX_RAM)) {
        return NULL;
    }
    Tb *tb = tb_new(c, old->ninsns);
    if (tb) {
        tb->key = at->ram_addr;
    }
    if (!tb || !put(c, tb, b, &p)) {
        *full = true;
        return NULL;
    }
    c->loaded_insns += tb->ninsns;
    *made_from = p.guest;
    return tb;
}

void x86_saved_wrong(uint64_t key)
{
    x86_keys_add(&rebuilt, key);
}

void x86_saved_info(FILE *f)
{
    const TbCache *c = x86_engine.cache;
    TbDiskStats s;

    if (!disk) {
        return;
    }
    tb_disk_stats(disk, &s);
    fprintf(f, "kept translations: %llu known, %llu found (%llu out of order, %llu instructions, "
               "%llu ticks), %llu added%s\n",
            (unsigned long long)s.known, (unsigned long long)s.found, (unsigned long long)s.jumps,
            (unsigned long long)c->loaded_insns, (unsigned long long)c->load_ticks,
            (unsigned long long)s.added,
            s.writes ? "" : " (by another process)");
}

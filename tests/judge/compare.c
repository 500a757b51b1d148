/* SPDX-License-Identifier: MIT */
/*
 * One case on the host and on every engine, and what differs. Not compared: flags the
 * manual leaves undefined, status flags at a fault in the native tier's default mode (dead
 * flags may be old there, target-x86/engine.h), x87 pointers (AMD's CPUs store them only
 * with an exception pending, the native tier keeps none), the P bit of errors on addresses
 * of the kernel's half (Linux sets it, so that user code cannot probe it).
 */
#include <inttypes.h>
#include <string.h>

#include "target-x86/engine.h"
#include "tests/judge/judge.h"

uint32_t judge_engines = (1u << JUDGE_NENGINES) - 1;

#define FLAGS_SEEN (FL_STATUS | FL_DF | FL_AC | FL_NT | FL_ID)

static bool bytes_differ(FILE *text, const char *what, int i, const void *host,
                         const void *got, unsigned n)
{
    if (!memcmp(host, got, n)) {
        return false;
    }
    if (text) {
        const uint8_t *h = host, *g = got;
        char name[24];
        snprintf(name, sizeof(name), i < 0 ? "%s" : "%s%d", what, i);
        fprintf(text, "    %-10s host ", name);
        for (unsigned k = n; k--;) {
            fprintf(text, "%02x%s", h[k], k && k % 8 == 0 ? "." : "");
        }
        fprintf(text, "  got ");
        for (unsigned k = n; k--;) {
            fprintf(text, "%02x%s", g[k], k && k % 8 == 0 ? "." : "");
        }
        fputc('\n', text);
    }
    return true;
}

static bool skipped(const JudgeCase *c, uint32_t lin)
{
    for (unsigned i = 0; i < c->nskip; i++) {
        if (lin - c->skip[i].lin < c->skip[i].len) {
            return true;
        }
    }
    return false;
}

static bool memory_differs(FILE *text, const JudgeCase *c, uint32_t base,
                           const uint8_t *host, const uint8_t *got, unsigned n)
{
    bool bad = false;
    unsigned shown = 0;

    if (!memcmp(host, got, n)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (host[i] != got[i] && !skipped(c, base + i)) {
            bad = true;
            if (text && shown++ < 8) {
                fprintf(text, "    [%#x]  host %02x  got %02x\n", base + i, host[i],
                        got[i]);
            }
        }
    }
    return bad;
}

static bool vectors_differ(FILE *text, const JudgeCase *c, const X86Xsave *h,
                           const X86Xsave *g)
{
    bool bad = false;
    unsigned regs = c->mode == JUDGE_64 ? 16 : 8;

    for (unsigned i = 0; i < regs; i++) {
        bad |= bytes_differ(text, "xmm", i, &h->xmm[i], &g->xmm[i], 16);
        bad |= bytes_differ(text, "ymmh", i, &h->ymmh[i], &g->ymmh[i], 16);
    }
    for (unsigned i = 0; rig_xcr0() & XCR0_OPMASK && i < regs; i++) {
        bad |= bytes_differ(text, "zmmh", i, &h->zmmh[i], &g->zmmh[i], 32);
        if (regs == 16) {
            bad |= bytes_differ(text, "zmm", 16 + i, &h->zmm16[i], &g->zmm16[i], 64);
        }
        bad |= i < 8 && bytes_differ(text, "k", i, &h->k[i], &g->k[i], 8);
    }
    for (unsigned i = 0; i < 8; i++) {
        bad |= bytes_differ(text, "st", i, &h->st[i], &g->st[i], 10);
    }
    bad |= bytes_differ(text, "mxcsr", -1, &h->mxcsr, &g->mxcsr, 4);
    bad |= bytes_differ(text, "fcw", -1, &h->fcw, &g->fcw, 2);
    bad |= bytes_differ(text, "fsw", -1, &h->fsw, &g->fsw, 2);
    bad |= bytes_differ(text, "ftw", -1, &h->ftw, &g->ftw, 1);
    return bad;
}

/* Which vectors have an error code that Linux passes on (vol. 3, table 6-1). */
static uint32_t error_mask(const JudgeState *h)
{
    if (h->vector == EXC_PF) {
        return h->cr2 >> 47 ? ~PF_P : ~0u;
    }
    return h->vector >= EXC_TS && h->vector <= EXC_GP ? ~0u : 0;
}

bool judge_same(const JudgeCase *c, enum JudgeEngine e, const JudgeState *h,
                const JudgeMem *host_mem, const JudgeState *g, const JudgeMem *mem,
                FILE *text)
{
    bool bad = false, fault = h->vector != JUDGE_DONE;
    bool dead = fault && e != ENG_REF && e != ENG_EXACT;
    uint64_t reg_mask = c->mode == JUDGE_64 ? ~0ull : 0xffffffff;

    bool either = c->either_fault && fault && g->vector != JUDGE_DONE;
    bad |= !either && bytes_differ(text, "vector", -1, &h->vector, &g->vector, 4);
    bad |= bytes_differ(text, "rip", -1, &h->rip, &g->rip, 8);
    /* of an operand over two pages that both fault the CPU chooses one */
    uint32_t seen = error_mask(h) & (c->vague_cr2 && h->cr2 != g->cr2 ? ~PF_P : ~0u);
    uint32_t he = h->error & seen, ge = g->error & seen;
    bad |= !either && bytes_differ(text, "error", -1, &he, &ge, 4);
    bool near = c->vague_cr2 && h->cr2 - g->cr2 + 1024 < 2048;
    if (h->vector == EXC_PF && !near && !either) {
        bad |= bytes_differ(text, "cr2", -1, &h->cr2, &g->cr2, 8);
    }
    for (unsigned i = 0; i < (c->mode == JUDGE_64 ? 16 : 8); i++) {
        uint64_t hr = h->gpr[i] & reg_mask, gr = g->gpr[i] & reg_mask;
        bad |= bytes_differ(text, "r", i, &hr, &gr, 8);
    }
    uint64_t mask = FLAGS_SEEN & ~(uint64_t)c->undef & ~(uint64_t)(dead ? FL_STATUS : 0);
    uint64_t hf = h->rflags & mask, gf = g->rflags & mask;
    bad |= bytes_differ(text, "rflags", -1, &hf, &gf, 4);
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        if (i != R_CS) { /* the host has left it when the state is taken */
            uint16_t hs = h->sel[i], gs = g->sel[i];
            hs = hs & ~3 ? hs : 0; /* an interrupt's return cuts null selectors to 0 */
            gs = gs & ~3 ? gs : 0;
            bad |= bytes_differ(text, "sel", i, &hs, &gs, 2);
        }
    }
    if (c->mode == JUDGE_64 && !h->sel[R_FS] && !h->sel[R_GS]) {
        bad |= bytes_differ(text, "fsbase", -1, &h->fs_base, &g->fs_base, 8);
        bad |= bytes_differ(text, "gsbase", -1, &h->gs_base, &g->gs_base, 8);
    }
    bad |= vectors_differ(text, c, &h->xsave, &g->xsave);
    bad |= memory_differs(text, c, STACK_BASE, host_mem->stack, mem->stack, STACK_SIZE);
    bad |= memory_differs(text, c, RW_BASE, host_mem->rw, mem->rw, RW_SIZE);
    return !bad;
}

static bool check(JudgeCase *c, enum JudgeEngine e, const JudgeState *host,
                  const JudgeMem *host_mem, const JudgeState *got, const JudgeMem *mem,
                  FILE *text, int *first)
{
    if (judge_same(c, e, host, host_mem, got, mem, NULL)) {
        return true;
    }
    if (*first < 0) {
        *first = e;
    }
    if (text) {
        fprintf(text, "  %s differs:\n", judge_engine_names[e]);
        judge_same(c, e, host, host_mem, got, mem, text);
    }
    return false;
}

static JudgeState host;
static JudgeMem host_mem;

static void run_and_check(JudgeCase *c, enum JudgeEngine e, FILE *text, int *first)
{
    static JudgeState got;
    rig_run(e, &got);
    check(c, e, &host, &host_mem, &got, rig_mem(), text, first);
    if (rig_stray()) { /* made good by the reference function, but it was the emulator's own */
        *first = *first < 0 ? (int)e : *first;
        if (text) {
            fprintf(text, "  %s strays: host address %#llx\n", judge_engine_names[e],
                    (unsigned long long)rig_stray());
        }
    }
}

/* The same code from other registers and flags, so that it takes other ways. */
static void other_start(JudgeCase *d, const JudgeCase *c)
{
    uint64_t r = (c->len + 1) * 0x9e3779b97f4a7c15ull ^ c->in.gpr[R_AX] ^ c->in.rflags << 20;

    *d = *c;
    for (unsigned i = 0; i < 16; i++) {
        r = r * 0x5851f42d4c957f2dull + 0x14057b7ef767814full;
        if (i != R_SP && r >> 63) {
            d->in.gpr[i] = r >> 62 & 1 ? d->in.gpr[i] ^ (r >> 40 & 0xff) : r >> 32;
        }
    }
    d->in.rflags ^= r >> 32 & FL_STATUS;
}

/*
 * Traces: of the case's own path, whose recording is judged as well; and of the path from
 * another start, which the case leaves where it goes another way.
 */
static void judge_traces(JudgeCase *c, FILE *text, int *first)
{
    static JudgeCase d;
    static JudgeState got;
    uint64_t made = rig_traces();

    rig_start(c, true);
    rig_heat(c);
    run_and_check(c, ENG_TRACE, text, first);
    if (rig_traces() != made) {
        rig_start(c, false);
        run_and_check(c, ENG_TRACE, text, first);
    }
    other_start(&d, c);
    rig_start(&d, true);
    if (!rig_run(ENG_REF, &got)) { /* has no end */
        return;
    }
    rig_start(&d, true);
    rig_heat(&d);
    made = rig_traces();
    rig_run(ENG_TRACE, &got);
    if (rig_traces() != made && !memcmp(rig_code(c->start), c->code, c->len)) {
        rig_start(c, false);
        run_and_check(c, ENG_TRACE, text, first);
    }
}

JudgeResult judge_case(JudgeCase *c, FILE *text)
{
    static JudgeState got;
    JudgeResult r = { .engine = -1 };

    r.valid = oracle_run(c, &got);
    if (!r.valid) {
        return r;
    }
    host_run(c, &host, &host_mem);
    r.vector = host.vector;
    if (judge_engines >> ENG_REF & 1) {
        check(c, ENG_REF, &host, &host_mem, &got, rig_mem(), text, &r.engine);
    }
    for (unsigned e = ENG_NATIVE; e <= ENG_IR; e++) {
        if (judge_engines >> e & 1) {
            rig_start(c, e != ENG_WARM);
            run_and_check(c, e, text, &r.engine);
        }
    }
    if (judge_engines >> ENG_TRACE & 1 && c->mode == JUDGE_64) {
        judge_traces(c, text, &r.engine);
    }
    return r;
}

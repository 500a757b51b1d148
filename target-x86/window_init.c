/* SPDX-License-Identifier: MIT */
/* Set-up of the windows (window.h). Heavy. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "hw/core/machine.h"
#include "target-x86/engine.h"
#include "target-x86/softmmu.h"
#include "target-x86/window_int.h"
#include "util/alloc.h"

_Atomic uint64_t window_space, window_space_most;

/* A limit on address space (`ulimit -v`, bytes) leaves half of it to the rest of dyad. */
static uint64_t space_most(void)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_AS, &lim) || lim.rlim_cur == RLIM_INFINITY) {
        return WIN_SPACE_MOST;
    }
    return MIN((uint64_t)lim.rlim_cur / 2, WIN_SPACE_MOST);
}

/* Does the host's mmap begin far above the holes? */
static bool holes_are_free(void)
{
    void *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        return false;
    }
    munmap(p, 4096);
    return (uint64_t)p > 100 * 1024 * GiB;
}

bool window_init(X86Cpu *cpu, unsigned policy)
{
    TcgEnv *env = x86_env(cpu);
    const Machine *m = cpu->cpu.machine;

    env->win_a = WIN_A_NONE;
    env->win = NULL;
    cpu->win_on = 0;
    if (policy == WIN_NEVER || !m || m->ram_fd < 0 || !x86_engine.fsbase) {
        return true;
    }
    WinSet *w = NEW(WinSet);
    w->policy = policy;
    window_space_most = space_most();
    window_holes = holes_are_free();
    /* each a share of WIN_SPACE_MOST; of more than 16 vCPUs some may find nothing left */
    w->max_on = MAX(32 / MAX(m->ncpus, 1u), 2u);
    w->max_on = MIN(w->max_on, (unsigned)WIN_ROOTS - 4);
    w->stats = &env->win_stats;
    w->ram_fd = m->ram_fd;
    w->ram_base = m->ram_base;
    for (unsigned i = 0; i < WIN_ROOTS; i++) {
        w->root[i].a_index = WIN_A_NONE;
    }
    env->win = w;
    return true;
}

void window_drop_stores(X86Cpu *cpu)
{
    WinSet *w = x86_env(cpu)->win;

    for (unsigned i = 0; w && i < WIN_ROOTS; i++) {
        WinRoot *r = &w->root[i];
        for (uint32_t k = 0; k < r->n; k++) {
            WinPage *p = &r->pages[k];
            if (!(p->page & WP_WRITE)) {
                continue;
            }
            if (mprotect(host_of(r, win_page_addr(p)), win_page_size(p), PROT_READ) < 0) {
                window_drop_all(cpu); /* no room for two mappings instead of one */
                return;
            }
            window_note_rights(r, p, false);
        }
    }
}

void window_free(X86Cpu *cpu)
{
    WinSet *w = x86_env(cpu)->win;

    for (unsigned i = 0; w && i < WIN_ROOTS; i++) {
        WinRoot *r = &w->root[i];
        window_release(r);
        if (r->pages) {
            munmap(r->pages, WIN_PAGES * sizeof(*r->pages) + WIN_BUCKETS * sizeof(*r->bucket));
        }
    }
    cpu_alarm_set(&cpu->cpu, 0);
    cpu_clear_request(&cpu->cpu, CPU_REQ_ALARM);
    free(w);
    x86_env(cpu)->win = NULL;
    cpu->win_on = 0;
}

#if !defined(__x86_64__)

/* window.c and window_area.c on other hosts: never asked for there */
bool window_holes;
void window_release(WinRoot *r) {}
void window_switch(X86Cpu *cpu, uint64_t cr3, bool flush) {}
void window_flush(X86Cpu *cpu) {}
void window_flush_pcid(X86Cpu *cpu, uint16_t pcid) {}
void window_flush_all(X86Cpu *cpu) {}
void window_flush_page(X86Cpu *cpu, uint64_t lin) {}
void window_protect(X86Cpu *cpu, const uint8_t *host_page) {}
void window_drop_all(X86Cpu *cpu) {}
void window_transition(X86Cpu *cpu, bool user) {}
void window_alarm(X86Cpu *cpu) {}
bool window_fill(X86Cpu *cpu, uint64_t host_addr, bool write) { return false; }

#endif

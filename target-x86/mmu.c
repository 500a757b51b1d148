/* SPDX-License-Identifier: MIT */
/*
 * Page-table walks: 32-bit (with PSE and PSE-36), PAE and 4-level paging, SDM vol. 3,
 * 4.3 to 4.8. Accessed and dirty bits are set with compare-exchange on guest RAM, after
 * all checks have passed, so that a faulting access changes no entry. Leaf.
 */
#include "target-x86/mmu.h"
#include "target-x86/pte.h"
#include "tcg/env.h"

typedef struct Walk {
    X86Cpu *cpu;
    uint64_t lin;
    unsigned n; /* entries met */
    struct {
        uint8_t *host; /* writable place, or NULL */
        uint64_t val;
    } e[4];        /* root first; the last is the leaf */
    bool wide;     /* 8-byte entries */
    bool w, u, nx; /* combined rights */
    uint64_t leaf, gpa, page_size;
} Walk;

uint64_t x86_phys_ld64(X86Cpu *cpu, uint64_t gpa)
{
    const uint8_t *p = x86_phys_host(cpu, gpa, false);
    return p ? *(const volatile uint64_t *)p : ~0ull;
}

static uint32_t phys_ld32(X86Cpu *cpu, uint64_t gpa)
{
    const uint8_t *p = x86_phys_host(cpu, gpa, false);
    return p ? *(const volatile uint32_t *)p : ~0u;
}

static void walk_enter(Walk *k, uint64_t at)
{
    uint8_t *host = x86_phys_host(k->cpu, at, true);
    uint64_t v;

    if (likely(host && k->wide)) {
        v = *(const volatile uint64_t *)host;
    } else {
        v = k->wide ? x86_phys_ld64(k->cpu, at) : phys_ld32(k->cpu, at);
    }
    k->e[k->n].host = host;
    k->e[k->n++].val = v;
    k->leaf = v;
    k->w &= (v & PTE_W) != 0;
    k->u &= (v & PTE_U) != 0;
}

/* The walks return 0, or the P and RSVD bits of the fault (as PF_RSVD | PF_P), or -1 for
 * an entry that is not present. */
enum { WALK_OK = 0, WALK_ABSENT = -1, WALK_RESERVED = PF_P | PF_RSVD };

static int walk_32(Walk *k)
{
    X86Cpu *cpu = k->cpu;

    walk_enter(k, (cpu->st.cr3 & 0xfffff000u) + (k->lin >> 22 & 1023) * 4);
    if (!(k->leaf & PTE_P)) {
        return WALK_ABSENT;
    }
    if (k->leaf & PTE_PS && cpu->st.cr4 & CR4_PSE) {
        /* PSE-36: bits 20..13 are address bits 39..32; table 4-4 */
        uint64_t high = x86_has(cpu, X86F_PSE36) ? (k->leaf >> 13 & 0xff) << 32 : 0;
        uint64_t rsvd = x86_has(cpu, X86F_PSE36) ? 1u << 21 : 0x3fe000u;
        if (k->leaf & rsvd || high & x86_phys_reserved(cpu)) {
            return WALK_RESERVED;
        }
        k->page_size = 4 * MiB;
        k->gpa = high | (k->leaf & 0xffc00000u) | (k->lin & 0x3fffff);
        return WALK_OK;
    }
    walk_enter(k, (k->leaf & 0xfffff000u) + (k->lin >> 12 & 1023) * 4);
    if (!(k->leaf & PTE_P)) {
        return WALK_ABSENT;
    }
    k->page_size = 4 * KiB;
    k->gpa = (k->leaf & 0xfffff000u) | (k->lin & 0xfff);
    return WALK_OK;
}

/* PAE below its PDPTEs, and 4-level paging: `level` of the table at `table`. */
static int walk_wide(Walk *k, uint64_t table, unsigned level)
{
    X86Cpu *cpu = k->cpu;
    bool lma = cpu->st.efer & EFER_LMA;
    uint64_t rsvd = x86_phys_reserved(cpu) | (cpu->st.efer & EFER_NXE ? 0 : PTE_NX) |
                    (lma ? 0 : 0x7ff0000000000000ull);

    for (;; level--) {
        unsigned shift = 3 + 9 * level;
        walk_enter(k, table + (k->lin >> shift & 511) * 8);
        uint64_t e = k->leaf, size = 1ull << shift;
        if (!(e & PTE_P)) {
            return WALK_ABSENT;
        }
        bool big = level > 1 && e & PTE_PS;
        bool may_be_big = level == 2 || (level == 3 && x86_has(cpu, X86F_PDPE1GB));
        if (e & rsvd || (big && !may_be_big) || (big && e & (size - 1) & 0x3fffe000)) {
            return WALK_RESERVED;
        }
        k->nx |= (e & PTE_NX) != 0;
        if (level == 1 || big) {
            k->page_size = size;
            k->gpa = (e & PTE_ADDR & ~(size - 1)) | (k->lin & (size - 1));
            return WALK_OK;
        }
        table = e & PTE_ADDR;
    }
}

static int walk_tables(Walk *k)
{
    X86Cpu *cpu = k->cpu;

    if (!(cpu->st.cr4 & CR4_PAE)) {
        return walk_32(k);
    }
    k->wide = true;
    if (cpu->st.efer & EFER_LMA) {
        return walk_wide(k, cpu->st.cr3 & PTE_ADDR & ~x86_phys_reserved(cpu), 4);
    }
    uint64_t pdpte = cpu->st.pdpte[k->lin >> 30 & 3];
    return pdpte & PTE_P ? walk_wide(k, pdpte & PTE_ADDR, 2) : WALK_ABSENT;
}

/* ORs bits into entry i. False if another CPU changed it since it was read. */
static bool entry_or(Walk *k, unsigned i, uint64_t bits)
{
    const TcgEnv *env = k->cpu->engine;

    uint64_t old = k->e[i].val, new_value = old | bits;

    if (old == new_value || !k->e[i].host) {
        return true; /* page tables in ROM or nowhere: nothing to set */
    }
    k->e[i].val = new_value;
    if (env && env->page_log) {
        tcg_page_log(env->page_log,
                     (uint64_t)(k->e[i].host - env->page_log->ram_base) >> 12);
    }
    if (k->wide) {
        return __atomic_compare_exchange_n((uint64_t *)k->e[i].host, &old, new_value,
                                           false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    uint32_t old32 = old;
    return __atomic_compare_exchange_n((uint32_t *)k->e[i].host, &old32,
                                       (uint32_t)new_value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static bool set_accessed(Walk *k, bool dirty)
{
    for (unsigned i = 0; i < k->n; i++) {
        if (!entry_or(k, i, PTE_A | (dirty && i == k->n - 1 ? PTE_D : 0))) {
            return false;
        }
    }
    return true;
}

/* Rights of a translation, 4.6. */
static void judge(const Walk *k, unsigned mmu, X86WalkResult *r, bool *pk_read,
                  bool *pk_write)
{
    const X86State *st = &k->cpu->st;
    bool wp = st->cr0 & CR0_WP, user_mode = mmu == X86_MMU_USER;

    r->user = k->u;
    if (user_mode) {
        r->can_read = k->u;
        r->can_write = k->u && k->w;
        r->can_exec = k->u && !k->nx;
    } else {
        bool smap = k->u && mmu == X86_MMU_KERNEL && st->cr4 & CR4_SMAP;
        r->can_read = !smap;
        r->can_write = !smap && (k->w || !wp);
        r->can_exec = !k->nx && !(k->u && st->cr4 & CR4_SMEP);
    }
    *pk_read = *pk_write = false;
    if (k->u && st->cr4 & CR4_PKE && st->efer & EFER_LMA) { /* 4.6.2 */
        r->pkey = k->leaf >> 59 & 15;
        unsigned rights = st->pkru >> (2 * r->pkey) & 3;
        *pk_read = rights & 1;
        *pk_write = (rights & 1) || (rights & 2 && (user_mode || wp));
    }
    r->can_read &= !*pk_read;
    r->can_write &= !*pk_write;
}

static uint32_t fault_base(const X86Cpu *cpu, unsigned access, unsigned mmu)
{
    bool tells_fetch = (cpu->st.cr4 & CR4_PAE && cpu->st.efer & EFER_NXE) ||
                       cpu->st.cr4 & CR4_SMEP; /* 4.7 */

    return (access == X86_WRITE ? PF_W : 0) | (mmu == X86_MMU_USER ? PF_U : 0) |
           (access == X86_FETCH && tells_fetch ? PF_I : 0);
}

static X86WalkResult walk_flat(uint64_t lin)
{
    return (X86WalkResult){
        .ok = true,
        .can_read = true,
        .can_write = true,
        .can_exec = true,
        .user = true,
        .global = true,
        .dirty = true,
        .gpa = (uint32_t)lin,
        .page_size = 2 * MiB,
    };
}

X86WalkResult x86_walk(X86Cpu *cpu, uint64_t lin, unsigned access, unsigned mmu,
                       bool set_ad)
{
    if (!(cpu->st.cr0 & CR0_PG)) {
        return walk_flat(lin);
    }
    for (;;) {
        Walk k = { .cpu = cpu, .lin = lin, .w = true, .u = true };
        X86WalkResult r = { .error = fault_base(cpu, access, mmu) };
        bool pk_read, pk_write;

        int got = walk_tables(&k);
        if (got != WALK_OK) {
            r.error |= got == WALK_ABSENT ? 0 : got;
            return r;
        }
        judge(&k, mmu, &r, &pk_read, &pk_write);
        r.gpa = k.gpa;
        r.page_size = k.page_size;
        r.global = k.leaf & PTE_G && cpu->st.cr4 & CR4_PGE;
        r.ok = access == X86_READ    ? r.can_read
               : access == X86_WRITE ? r.can_write
                                     : r.can_exec;
        if (!r.ok) {
            bool pk = access == X86_READ ? pk_read : access == X86_WRITE && pk_write;
            r.error |= PF_P | (pk ? PF_PK : 0);
            return r;
        }
        if (set_ad && !set_accessed(&k, access == X86_WRITE)) {
            continue; /* changed under us: walk again */
        }
        r.dirty = k.e[k.n - 1].val & PTE_D;
        r.accessed = true;
        for (unsigned i = 0; i < k.n; i++) {
            r.accessed &= (k.e[i].val & PTE_A) != 0;
        }
        return r;
    }
}

bool x86_debug_translate(X86Cpu *cpu, uint64_t lin, uint64_t *gpa)
{
    if (!(cpu->st.cr0 & CR0_PG)) {
        *gpa = (uint32_t)lin;
        return true;
    }
    Walk k = { .cpu = cpu, .lin = lin };
    if (cpu->st.efer & EFER_LMA && sext(lin, 48) != (int64_t)lin) {
        return false;
    }
    if (walk_tables(&k) != WALK_OK) {
        return false;
    }
    *gpa = k.gpa;
    return true;
}

bool x86_load_pdptes(X86Cpu *cpu, uint64_t cr3)
{
    uint64_t table = cr3 & 0xffffffe0u, v[4];
    uint64_t rsvd = x86_phys_reserved(cpu) | 0xfff00000000001e6ull; /* table 4-8 */

    for (unsigned i = 0; i < 4; i++) {
        v[i] = x86_phys_ld64(cpu, table + 8 * i);
        if (v[i] & PTE_P && v[i] & rsvd) {
            return false;
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        cpu->st.pdpte[i] = v[i];
    }
    return true;
}

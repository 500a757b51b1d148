/* SPDX-License-Identifier: MIT */
/*
 * How reference functions reach registers and guest memory: segmentation (SDM vol. 3,
 * 5.3-5.5), the soft TLB, MMIO, locked accesses. Leaf.
 */
#include "target-x86/access.h"
#include "hw/core/machine.h"
#include "target-x86/leaf.h"
#include "target-x86/mmu.h"
#include "target-x86/softmmu.h"

/* ---- segmentation ---- */

static NORETURN void raise_seg(X86Cpu *cpu, unsigned seg)
{
    x86_raise_err(cpu, seg == R_SS ? EXC_SS : EXC_GP, 0);
}

static bool canonical(uint64_t lin)
{
    return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* Limit and rights outside 64-bit mode, 5.3 and 5.5. */
static void check_segment(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned n, bool write)
{
    const X86Seg *s = &cpu->st.seg[seg];
    uint64_t last = off + n - 1;

    if (cpu->hflags & HF_PE && !(cpu->hflags & HF_VM)) {
        if (s->attr & SEG_UNUSABLE) {
            raise_seg(cpu, seg);
        }
        if (write ? (s->attr & SEG_CODE) || !(s->attr & SEG_W)
                  : (s->attr & SEG_CODE) && !(s->attr & SEG_R)) {
            raise_seg(cpu, seg);
        }
        if ((s->attr & (SEG_CODE | SEG_E)) == SEG_E) { /* expand-down */
            uint64_t top = s->attr & SEG_DB ? 0xffffffffu : 0xffff;
            if (off <= s->limit || last > top) {
                raise_seg(cpu, seg);
            }
            return;
        }
    }
    if (last > s->limit) {
        raise_seg(cpu, seg);
    }
}

uint64_t x86_linear(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned n, bool write)
{
    uint64_t lin = off;

    if (likely(cpu->hflags & HF_CS64)) {
        if (seg >= R_FS) {
            lin += cpu->st.seg[seg].base;
        }
        if (unlikely(!canonical(lin) || !canonical(lin + n - 1))) {
            raise_seg(cpu, seg);
        }
    } else {
        if (seg >= R_FS || cpu->hflags & HF_SEGCHK || (write && seg == R_CS)) {
            check_segment(cpu, seg, off, n, write);
            lin += cpu->st.seg[seg].base;
        } else if (unlikely(lin + n - 1 > 0xffffffff)) {
            raise_seg(cpu, seg); /* 5.3 leaves the end of 4 GiB open; AMD's CPUs do */
        }
        lin = (uint32_t)lin;
    }
    if (unlikely(cpu->hflags & (HF_AC | HF_DBG))) {
        x86_access_debug(cpu, lin, n, write);
    }
    return lin;
}

/* Alignment checks (6.15, #AC) and data breakpoints (17.2.5). */
void x86_access_debug(X86Cpu *cpu, uint64_t lin, unsigned n, bool write)
{
    unsigned align = n == 10 ? 8 : n; /* vol. 3, table 6-7 */

    if (cpu->hflags & HF_AC && lin & (align - 1) && !(align & (align - 1)) && n <= 64) {
        x86_raise_err(cpu, EXC_AC, 0);
    }
    if (!(cpu->hflags & HF_DBG)) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        uint64_t dr7 = cpu->st.dr7;
        unsigned rw = dr7 >> (16 + 4 * i) & 3, len = dr7 >> (18 + 4 * i) & 3;
        unsigned size = len == 2 ? 8 : len + 1;
        uint64_t at = cpu->st.dr[i] & ~(uint64_t)(size - 1);
        if (!(dr7 >> (2 * i) & 3) || !(rw == 3 || (rw == 1 && write))) {
            continue;
        }
        if (lin < at + size && at < lin + n) {
            cpu->db_pending |= 1u << i;
        }
    }
    if (unlikely(cpu->cpu.debug & CPU_DEBUG_WATCH) && !cpu->watch_kind) {
        cpu->watch_kind = debug_watch_at(&cpu->cpu.machine->debug, lin, n, write,
                                         &cpu->watch_addr);
    }
}

/* ---- linear accesses ---- */

static ALWAYS_INLINE uint64_t host_load(const void *p, unsigned size)
{
    switch (size) {
    case 1:
        return *(const volatile uint8_t *)p;
    case 2:
        return *(const volatile uint16_t *)p;
    case 4:
        return *(const volatile uint32_t *)p;
    default:
        return *(const volatile uint64_t *)p;
    }
}

static ALWAYS_INLINE void host_store(void *p, unsigned size, uint64_t v)
{
    switch (size) {
    case 1:
        *(volatile uint8_t *)p = v;
        break;
    case 2:
        *(volatile uint16_t *)p = v;
        break;
    case 4:
        *(volatile uint32_t *)p = v;
        break;
    default:
        *(volatile uint64_t *)p = v;
    }
}

typedef struct IoArg {
    uint64_t gpa, v;
    unsigned size;
    bool write;
} IoArg;

static uint64_t io_heavy(X86Cpu *cpu, void *opaque)
{
    IoArg *a = opaque;
    cpu->cpu.io_exits++;
    if (a->write) {
        memory_io_write(&cpu->cpu.machine->mem, a->gpa, a->size, a->v);
        return 0;
    }
    return memory_io_read(&cpu->cpu.machine->mem, a->gpa, a->size);
}

static uint64_t mmio(X86Cpu *cpu, uint64_t gpa, unsigned size, bool write, uint64_t v)
{
    IoArg a = { gpa, v, size, write };
    x86_env(cpu)->slow_mmio++;
    return x86_aside(cpu, io_heavy, &a);
}

static NOINLINE uint64_t load_slow(X86Cpu *cpu, uint64_t lin, unsigned size, unsigned mmu)
{
    SoftmmuRef ref;

    if ((lin & (TLB_PAGE - 1)) > TLB_PAGE - size) {
        uint64_t v = 0;
        for (unsigned i = 0; i < size; i++) {
            uint64_t a = cpu->hflags & HF_CS64 ? lin + i : (uint32_t)(lin + i);
            v |= x86_lin_load(cpu, a, 1, mmu) << (8 * i);
        }
        return v;
    }
    softmmu_translate(cpu, lin, X86_READ, mmu, &ref);
    return ref.host ? host_load(ref.host, size) : mmio(cpu, ref.gpa, size, false, 0);
}

uint64_t x86_lin_load(X86Cpu *cpu, uint64_t lin, unsigned size, unsigned mmu)
{
    TlbEntry *e = tlb_entry(x86_env(cpu)->tlb_rd[mmu], lin);
    uint64_t t = lin + e->tag;

    if (likely(t <= TLB_PAGE - size && e->tag != TLB_EMPTY)) {
        return host_load((void *)(e->host + t), size);
    }
    return load_slow(cpu, lin, size, mmu);
}

static void store_ref(X86Cpu *cpu, const SoftmmuRef *ref, unsigned size, uint64_t v)
{
    if (!ref->host || ref->readonly) {
        mmio(cpu, ref->gpa, size, true, v);
        return;
    }
    host_store(ref->host, size, v);
    if (ref->watched) {
        softmmu_stored(cpu, ref->ram_addr, size);
    }
}

static NOINLINE void store_slow(X86Cpu *cpu, uint64_t lin, unsigned size, uint64_t v,
                                unsigned mmu)
{
    SoftmmuRef ref;
    unsigned in_page = TLB_PAGE - (lin & (TLB_PAGE - 1));

    softmmu_translate(cpu, lin, X86_WRITE, mmu, &ref);
    if (in_page >= size) {
        store_ref(cpu, &ref, size, v);
        return;
    }
    /* both pages are checked before a byte is written */
    uint64_t lin2 = cpu->hflags & HF_CS64 ? lin + in_page : (uint32_t)(lin + in_page);
    SoftmmuRef ref2;
    softmmu_translate(cpu, lin2, X86_WRITE, mmu, &ref2);
    for (unsigned i = 0; i < size; i++) {
        SoftmmuRef *r = i < in_page ? &ref : &ref2;
        store_ref(cpu, r, 1, v >> (8 * i) & 0xff);
        r->gpa++;
        r->ram_addr++;
        r->host += r->host ? 1 : 0;
    }
}

void x86_lin_store(X86Cpu *cpu, uint64_t lin, unsigned size, uint64_t v, unsigned mmu)
{
    TlbEntry *e = tlb_entry(x86_env(cpu)->tlb_wr[mmu], lin);
    uint64_t t = lin + e->tag;

    if (likely(t <= TLB_PAGE - size && e->tag != TLB_EMPTY)) {
        host_store((void *)(e->host + t), size, v);
        return;
    }
    store_slow(cpu, lin, size, v, mmu);
}

uint8_t x86_sys_or8(X86Cpu *cpu, uint64_t lin, uint8_t set)
{
    SoftmmuRef ref;
    softmmu_translate(cpu, lin, X86_WRITE, X86_MMU_KERNEL, &ref);
    if (!ref.host || ref.readonly) {
        return mmio(cpu, ref.gpa, 1, false, 0);
    }
    uint8_t old = __atomic_fetch_or(ref.host, set, __ATOMIC_SEQ_CST);
    if (ref.watched) {
        softmmu_stored(cpu, ref.ram_addr, 1);
    }
    return old;
}

/* ---- segment:offset ---- */

uint64_t x86_load(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    return x86_lin_load(cpu, x86_linear(cpu, seg, off, size, false), size, cpu->mmu_idx);
}

void x86_store(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size, uint64_t v)
{
    x86_lin_store(cpu, x86_linear(cpu, seg, off, size, true), size, v, cpu->mmu_idx);
}

static uint64_t wrap_lin(const X86Cpu *cpu, uint64_t lin)
{
    return cpu->hflags & HF_CS64 ? lin : (uint32_t)lin;
}

void x86_load_bytes(X86Cpu *cpu, unsigned seg, uint64_t off, void *to, unsigned n)
{
    uint64_t lin = x86_linear(cpu, seg, off, n, false);
    uint8_t *p = to;

    while (n) {
        unsigned in_page = TLB_PAGE - (lin & (TLB_PAGE - 1)), k = MIN(n, in_page);
        SoftmmuRef ref;
        TlbEntry *e = tlb_entry(x86_env(cpu)->tlb_rd[cpu->mmu_idx], lin);
        uint64_t t = lin + e->tag;
        if (t < TLB_PAGE && e->tag != TLB_EMPTY) {
            leaf_copy(p, (void *)(e->host + t), k);
        } else {
            softmmu_translate(cpu, lin, X86_READ, cpu->mmu_idx, &ref);
            if (ref.host) {
                leaf_copy(p, ref.host, k);
            } else {
                for (unsigned i = 0; i < k; i++) {
                    p[i] = mmio(cpu, ref.gpa + i, 1, false, 0);
                }
            }
        }
        p += k;
        n -= k;
        lin = wrap_lin(cpu, lin + k);
    }
}

void x86_store_bytes(X86Cpu *cpu, unsigned seg, uint64_t off, const void *from, unsigned n)
{
    uint64_t lin = x86_linear(cpu, seg, off, n, true);
    const uint8_t *p = from;
    unsigned in_page = TLB_PAGE - (lin & (TLB_PAGE - 1));
    SoftmmuRef ref[2]; /* n <= 4096: at most two pages, both checked first */

    softmmu_translate(cpu, lin, X86_WRITE, cpu->mmu_idx, &ref[0]);
    if (n > in_page) {
        softmmu_translate(cpu, wrap_lin(cpu, lin + in_page), X86_WRITE, cpu->mmu_idx,
                          &ref[1]);
    }
    for (unsigned i = 0; n; i++) {
        unsigned k = MIN(n, in_page);
        if (ref[i].host && !ref[i].readonly) {
            leaf_copy(ref[i].host, p, k);
            if (ref[i].watched) {
                softmmu_stored(cpu, ref[i].ram_addr, k);
            }
        } else {
            for (unsigned j = 0; j < k; j++) {
                mmio(cpu, ref[i].gpa + j, 1, true, p[j]);
            }
        }
        p += k;
        n -= k;
        in_page = TLB_PAGE;
    }
}

void x86_probe_write(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned n)
{
    uint64_t lin = x86_linear(cpu, seg, off, n, true);
    unsigned in_page = TLB_PAGE - (lin & (TLB_PAGE - 1));
    SoftmmuRef ref;

    softmmu_translate(cpu, lin, X86_WRITE, cpu->mmu_idx, &ref);
    if (n > in_page) {
        softmmu_translate(cpu, wrap_lin(cpu, lin + in_page), X86_WRITE, cpu->mmu_idx, &ref);
    }
}

void x86_probe_read(X86Cpu *cpu, unsigned seg, uint64_t off)
{
    SoftmmuRef ref;
    softmmu_translate(cpu, x86_linear(cpu, seg, off, 1, false), X86_READ, cpu->mmu_idx, &ref);
}

void *x86_direct(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned max, bool write,
                 unsigned *n)
{
    if (unlikely(cpu->hflags & (HF_DBG | HF_AC)) ||
        (!(cpu->hflags & HF_CS64) && (seg >= R_FS || cpu->hflags & HF_SEGCHK))) {
        return NULL;
    }
    uint64_t lin = x86_linear(cpu, seg, off, 1, write);
    SoftmmuRef ref;
    softmmu_translate(cpu, lin, write ? X86_WRITE : X86_READ, cpu->mmu_idx, &ref);
    if (!ref.host || (write && (ref.watched || ref.readonly))) {
        return NULL;
    }
    *n = MIN(max, TLB_PAGE - (lin & (TLB_PAGE - 1)));
    return ref.host;
}

/* ---- operands ---- */

uint64_t x86_ea(X86Cpu *cpu, const X86Insn *in)
{
    uint64_t a = in->disp;

    if (in->base >= 0) {
        a += in->base == 16 ? cpu->next_rip : cpu->st.gpr[in->base];
    }
    if (in->index >= 0) {
        a += cpu->st.gpr[in->index] << in->scale;
    }
    return in->adsize == 8 ? a : in->adsize == 4 ? (uint32_t)a : (uint16_t)a;
}

uint64_t x86_opnd_read(X86Cpu *cpu, const X86Insn *in, unsigned n)
{
    const X86Opnd *o = &in->op[n];

    switch (o->kind) {
    case OPND_GPR:
        return x86_reg_get(cpu, o->reg, o->size);
    case OPND_GPR8H:
        return cpu->st.gpr[o->reg] >> 8 & 0xff;
    case OPND_MEM:
        return x86_load(cpu, in->seg, x86_ea(cpu, in), o->size);
    case OPND_IMM:
        return o->size == 8   ? in->imm
               : o->size == 4 ? (uint32_t)in->imm
               : o->size == 2 ? (uint16_t)in->imm
                              : (uint8_t)in->imm;
    default:
        return 1; /* OPND_ONE */
    }
}

void x86_opnd_write(X86Cpu *cpu, const X86Insn *in, unsigned n, uint64_t v)
{
    const X86Opnd *o = &in->op[n];

    if (o->kind == OPND_GPR) {
        x86_reg_set(cpu, o->reg, o->size, v);
    } else if (o->kind == OPND_GPR8H) {
        cpu->st.gpr[o->reg] = (cpu->st.gpr[o->reg] & ~0xff00ull) | (v & 0xff) << 8;
    } else {
        x86_store(cpu, in->seg, x86_ea(cpu, in), o->size, v);
    }
}

static uint64_t excl_begin(X86Cpu *cpu, void *arg)
{
    cpu_exclusive_begin(cpu->cpu.machine, &cpu->cpu);
    return 0;
}

static uint64_t excl_end(X86Cpu *cpu, void *arg)
{
    cpu_exclusive_end(cpu->cpu.machine, &cpu->cpu);
    return 0;
}

uint64_t x86_rmw_begin_mem(X86Cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                           bool locked, X86Rmw *m)
{
    m->reg = NULL;
    m->size = size;
    m->locked = locked;
    m->excl = false;
    m->ram_addr = ~0ull;
    m->lin = x86_linear(cpu, seg, off, size, true);
    TlbEntry *e = tlb_entry(x86_env(cpu)->tlb_wr[cpu->mmu_idx], m->lin);
    uint64_t t = m->lin + e->tag;
    if (likely(t <= TLB_PAGE - size && e->tag != TLB_EMPTY)) {
        m->host = (void *)(e->host + t);
    } else {
        unsigned in_page = TLB_PAGE - (m->lin & (TLB_PAGE - 1));
        SoftmmuRef ref;
        softmmu_translate(cpu, m->lin, X86_WRITE, cpu->mmu_idx, &ref);
        if (in_page >= size && ref.host && !ref.readonly) {
            m->host = ref.host;
            m->ram_addr = ref.watched ? ref.ram_addr : ~0ull;
        } else {
            m->host = NULL;
            if (in_page < size) {
                softmmu_translate(cpu, wrap_lin(cpu, m->lin + in_page), X86_WRITE,
                                  cpu->mmu_idx, &ref);
            }
            if (locked && cpu->cpu.machine->ncpus > 1) {
                m->excl = true;
                x86_heavy(cpu, excl_begin, NULL);
            }
        }
    }
    m->old = m->host ? host_load(m->host, size)
                     : x86_lin_load(cpu, m->lin, size, cpu->mmu_idx);
    return m->old;
}

uint64_t x86_rmw_begin(X86Cpu *cpu, const X86Insn *in, unsigned n, X86Rmw *m)
{
    const X86Opnd *o = &in->op[n];

    if (o->kind != OPND_MEM) {
        m->reg = o;
        return x86_opnd_read(cpu, in, n);
    }
    return x86_rmw_begin_mem(cpu, in->seg, x86_ea(cpu, in), o->size, in->lock, m);
}

static bool host_cmpxchg(void *p, unsigned size, uint64_t old, uint64_t v)
{
    switch (size) {
    case 1: {
        uint8_t o = old;
        return __atomic_compare_exchange_n((uint8_t *)p, &o, v, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    }
    case 2: {
        uint16_t o = old;
        return __atomic_compare_exchange_n((uint16_t *)p, &o, v, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    }
    case 4: {
        uint32_t o = old;
        return __atomic_compare_exchange_n((uint32_t *)p, &o, v, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    }
    default:
        return __atomic_compare_exchange_n((uint64_t *)p, &old, v, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    }
}

bool x86_rmw_end(X86Cpu *cpu, X86Rmw *m, uint64_t v)
{
    if (m->reg) {
        if (m->reg->kind == OPND_GPR8H) {
            uint64_t *p = &cpu->st.gpr[m->reg->reg];
            *p = (*p & ~0xff00ull) | (v & 0xff) << 8;
        } else {
            x86_reg_set(cpu, m->reg->reg, m->reg->size, v);
        }
        return true;
    }
    if (m->host) {
        if (!m->locked) {
            host_store(m->host, m->size, v);
        } else if (!host_cmpxchg(m->host, m->size, m->old, v)) {
            return false;
        }
        if (unlikely(m->ram_addr != ~0ull)) {
            softmmu_stored(cpu, m->ram_addr, m->size);
        }
        return true;
    }
    x86_lin_store(cpu, m->lin, m->size, v, cpu->mmu_idx);
    if (m->excl) {
        x86_heavy(cpu, excl_end, NULL);
    }
    return true;
}

bool x86_cmpxchg16(X86Cpu *cpu, unsigned seg, uint64_t off, uint64_t old[2],
                   const uint64_t new_value[2], bool locked)
{
    uint64_t lin = x86_linear(cpu, seg, off, 1, true);
    SoftmmuRef ref;

    if (lin & 15) { /* before #AC */
        x86_raise_err(cpu, EXC_GP, 0);
    }
    lin = x86_linear(cpu, seg, off, 16, true);
    softmmu_translate(cpu, lin, X86_WRITE, cpu->mmu_idx, &ref);
    if (!ref.host || ref.readonly) { /* no device takes 16 bytes: two halves */
        uint64_t lo = mmio(cpu, ref.gpa, 8, false, 0);
        uint64_t hi = mmio(cpu, ref.gpa + 8, 8, false, 0);
        bool same = lo == old[0] && hi == old[1];
        mmio(cpu, ref.gpa, 8, true, same ? new_value[0] : lo);
        mmio(cpu, ref.gpa + 8, 8, true, same ? new_value[1] : hi);
        old[0] = lo;
        old[1] = hi;
        return same;
    }
    bool same;
#if defined(__x86_64__)
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(same), "+m"(*(char(*)[16])ref.host), "+a"(old[0]), "+d"(old[1])
                     : "b"(new_value[0]), "c"(new_value[1])
                     : "memory");
#else
    unsigned __int128 o = (unsigned __int128)old[1] << 64 | old[0];
    unsigned __int128 v = (unsigned __int128)new_value[1] << 64 | new_value[0];
    unsigned __int128 got = __sync_val_compare_and_swap((unsigned __int128 *)ref.host, o, v);
    same = got == o;
    old[0] = (uint64_t)got;
    old[1] = (uint64_t)(got >> 64);
#endif
    if (ref.watched) {
        softmmu_stored(cpu, ref.ram_addr, 16);
    }
    return same;
}

/* SPDX-License-Identifier: MIT */
/*
 * KVM's paravirtual clock, as Linux's Documentation/virt/kvm/x86/msr.rst defines it: the
 * guest computes time from a page that tells TSC and nanoseconds of one moment and the
 * TSC's rate. All vCPUs share one TSC offset, so the stable flag is true. Heavy; the
 * vCPU's own thread.
 */
#include "hw/core/clock.h"
#include "hw/core/machine.h"
#include "hw/core/nondet.h"
#include "target-x86/msrs.h"
#include "target-x86/sysregs.h"

typedef struct PvclockTime {
    uint32_t version, pad;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad2[2];
} PvclockTime;
_Static_assert(sizeof(PvclockTime) == 32, "pvclock ABI");

typedef struct PvclockWall {
    uint32_t version, sec, nsec;
} PvclockWall;

enum { PVCLOCK_TSC_STABLE = 1 };

/* ns = (tsc << shift) * mul >> 32: mul is to have its top bit set. */
static void scale(uint64_t hz, uint32_t *mul, int8_t *shift)
{
    int s = 0;
    unsigned __int128 m = ((unsigned __int128)NS_PER_SEC << 32) / (hz ? hz : NS_PER_SEC);

    while (m >> 32) {
        m >>= 1;
        s++;
    }
    while (!(m >> 31) && s > -31) {
        s--;
        m = ((unsigned __int128)NS_PER_SEC << (32 - s)) / (hz ? hz : NS_PER_SEC);
    }
    *mul = m;
    *shift = s;
}

static void write_time(X86Cpu *cpu)
{
    Machine *m = cpu->cpu.machine;
    uint64_t at = cpu->st.msr.kvm_system_time;
    PvclockTime t = { 0 };

    if (!(at & 1)) {
        return;
    }
    at &= ~1ull;
    if (!memory_read(&m->mem, at, &t.version, 4)) {
        return;
    }
    t.version = (t.version | 1) + 2; /* odd: being written */
    memory_write(&m->mem, at, &t.version, 4);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    t.tsc_timestamp = x86_tsc(cpu);
    t.system_time = clock_now(m->clock);
    scale(nondet_tsc_hz(), &t.tsc_to_system_mul, &t.tsc_shift);
    t.flags = x86_has(cpu, X86F_KVMCLOCKSTABLE) ? PVCLOCK_TSC_STABLE : 0;
    memory_write(&m->mem, at + 4, (char *)&t + 4, sizeof(t) - 4);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    t.version++;
    memory_write(&m->mem, at, &t.version, 4);
}

uint64_t x86_kvmclock_system(X86Cpu *cpu, void *arg)
{
    cpu->st.msr.kvm_system_time = *(const uint64_t *)arg;
    write_time(cpu);
    return 0;
}

/* Wall time at which the guest's system time was 0. */
uint64_t x86_kvmclock_wall(X86Cpu *cpu, void *arg)
{
    Machine *m = cpu->cpu.machine;
    uint64_t at = *(const uint64_t *)arg;
    int64_t start = nondet_wall_ns() - clock_now(m->clock);
    PvclockWall w = { 0 };

    cpu->st.msr.kvm_wall_clock = at;
    if (!memory_read(&m->mem, at, &w.version, 4)) {
        return 0;
    }
    w.version = (w.version | 1) + 2;
    memory_write(&m->mem, at, &w.version, 4);
    w.sec = start / NS_PER_SEC;
    w.nsec = start % NS_PER_SEC;
    memory_write(&m->mem, at + 4, &w.sec, 8);
    w.version++;
    memory_write(&m->mem, at, &w.version, 4);
    return 0;
}

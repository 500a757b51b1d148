/* SPDX-License-Identifier: MIT */
/* See sys_rig.h. */
#include "tests/unit/sys_rig.h"

#include <string.h>
#include "target-x86/decode.h"

unsigned rig_triple_faults;
static bool wide;

/* Linked with --wrap: the machine is not there. */
void __wrap_cpu_triple_fault(Cpu *cpu);
void __wrap_cpu_triple_fault(Cpu *cpu) { rig_triple_faults++; }

/* Paging is off in this world; only PDPTE loads come here. */
uint8_t *x86_phys_host(X86Cpu *cpu, uint64_t gpa, bool write);
uint8_t *x86_phys_host(X86Cpu *cpu, uint64_t gpa, bool write)
{
    return gpa >= FLAT_BASE && gpa < FLAT_BASE + FLAT_SIZE ? (uint8_t *)gpa : NULL;
}

void rig_put(uint64_t at, unsigned size, uint64_t v) { memcpy((void *)at, &v, size); }

uint64_t rig_get(uint64_t at, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, (void *)at, size);
    return v;
}

static void fill_gdt(void)
{
    static const uint64_t gdt[S_GDT_END / 8] = {
        [S_CODE32 / 8] = 0x00cf9b000000ffff, [S_DATA / 8] = 0x00cf93000000ffff,
        [S_UCODE32 / 8] = 0x00cffb000000ffff, [S_UDATA / 8] = 0x00cff3000000ffff,
        [S_CODE64 / 8] = 0x00af9b000000ffff, [S_UCODE64 / 8] = 0x00affb000000ffff,
        [S_TSS / 8] = 0x00008b0320002067, [S_ABSENT / 8] = 0x00cf13000000ffff,
        [S_LDT / 8] = 0x00008203a0000017, [S_TSS2 / 8] = 0x0000890328000067,
        [S_CONF / 8] = 0x00cf9f000000ffff, [S_RODATA / 8] = 0x00cf91000000ffff,
        [S_CODE16 / 8] = 0x00009b000000ffff, [S_TASKGATE / 8] = 0x0000e50000700000,
        [S_XONLY / 8] = 0x00cf99000000ffff,
    };
    memcpy((void *)RIG_GDT, gdt, sizeof(gdt));
}

static X86Seg seg_of(uint16_t sel)
{
    uint64_t d = rig_get(RIG_GDT + (sel & ~7u), 8);
    return (X86Seg){ .limit = 0xffffffff, .attr = d >> 40 & 0xf0ff, .selector = sel };
}

void rig_cpu(X86Cpu *cpu, enum FlatMode mode, bool user)
{
    static bool mapped;
    if (!mapped) {
        flat_init();
        x86_decode_init();
        mapped = true;
    }
    memset((void *)FLAT_BASE, 0, FLAT_SIZE);
    flat_protect(FLAT_BASE, FLAT_SIZE, FLAT_RW);
    x86_cpu_reset(cpu, false); /* links the real cpu.c, whose mode word then counts */
    flat_cpu(cpu, mode);
    rig_triple_faults = 0;
    cpu->phys_bits = 40;
    cpu->st.dr6 = DR6_FIXED;
    wide = mode == FLAT_MODE64 || mode == FLAT_COMPAT32;
    fill_gdt();
    cpu->st.gdt = (X86Table){ RIG_GDT, S_GDT_END - 1 };
    cpu->st.idt = (X86Table){ RIG_IDT, wide ? 4095 : 2047 };
    cpu->st.tr = (X86Seg){ .base = RIG_TSS, .limit = 0x2067, .attr = SEG_P | 0xb,
                           .selector = S_TSS };
    if (wide) {
        rig_put(RIG_TSS + 4, 8, RIG_STACK0);
        rig_put(RIG_TSS + 0x24, 8, RIG_IST);
    } else {
        rig_put(RIG_TSS + 4, 4, RIG_STACK0);
        rig_put(RIG_TSS + 8, 2, S_DATA);
    }
    rig_put(RIG_TSS + 102, 2, 0x88); /* I/O map; the 32 bytes before redirect v86's INTs */
    if (mode == FLAT_REAL || mode == FLAT_V86 || mode == FLAT_PROT16) {
        x86_update_hflags(cpu);
        return;
    }
    unsigned rpl = user ? 3 : 0;
    uint16_t code = mode == FLAT_MODE64 ? (user ? S_UCODE64 : S_CODE64)
                                        : (user ? S_UCODE32 : S_CODE32);
    cpu->st.seg[R_CS] = seg_of(code | rpl);
    cpu->st.seg[R_SS] = cpu->st.seg[R_DS] = cpu->st.seg[R_ES] =
        seg_of((user ? S_UDATA : S_DATA) | rpl);
    cpu->st.cpl = rpl;
    cpu->st.gpr[R_SP] = user ? RIG_STACK3 : RIG_STACK0 - 0x1000;
    x86_update_hflags(cpu);
}

void rig_gate(unsigned vector, uint16_t sel, uint64_t off, unsigned type, unsigned dpl,
              unsigned ist)
{
    uint64_t lo = (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)ist << 32 |
                  (uint64_t)(0x80 | dpl << 5 | type) << 40 | (off >> 16 & 0xffff) << 48;
    if (wide) {
        rig_put(RIG_IDT + 16 * vector, 8, lo);
        rig_put(RIG_IDT + 16 * vector + 8, 8, off >> 32);
    } else {
        rig_put(RIG_IDT + 8 * vector, 8, lo);
    }
}

static __attribute__((noinline)) void deliver_all(X86Cpu *cpu)
{
    (void)__builtin_setjmp(cpu->jmp);
    if (cpu->st.event.valid) {
        x86_deliver_event(cpu);
    }
}

void rig_deliver(X86Cpu *cpu) { deliver_all(cpu); }

static __attribute__((noinline)) void interrupt_once(X86Cpu *cpu, unsigned vector)
{
    if (!__builtin_setjmp(cpu->jmp)) {
        x86_deliver_interrupt(cpu, vector);
    }
}

void rig_interrupt(X86Cpu *cpu, unsigned vector)
{
    interrupt_once(cpu, vector);
    deliver_all(cpu);
}

int rig_step(X86Cpu *cpu, const void *bytes, unsigned n)
{
    int r = flat_exec(cpu, bytes, n);
    deliver_all(cpu);
    return r;
}

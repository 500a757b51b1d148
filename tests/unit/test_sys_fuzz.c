/* SPDX-License-Identifier: MIT */
/*
 * A hostile guest: random instructions with random registers, descriptor tables, TSS and
 * control bits in every mode, with delivery of what they raise. Nothing may crash, assert
 * or loop; the state must stay one that the mode word agrees with. DYAD_SEED=n repeats a
 * run, DYAD_ROUNDS=n sets its length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "hw/core/machine.h"
#include "tests/unit/sys_rig.h"

static bool rig_init(Machine *m, Error *err) { return true; }
static const MachineClass rig_class = {
    .name = "rig", .size = sizeof(Machine), .max_cpus = 1, .init = rig_init,
};
const MachineClass *const machine_classes[] = { &rig_class, NULL };
const DeviceClass *const device_classes[] = { NULL };

static X86Cpu cpu_mem __attribute__((aligned(64))), *cpu = &cpu_mem;
static uint64_t seed;

static uint64_t rnd(void) /* xorshift64* */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * 0x2545f4914f6cdd1dull;
}

/* Often something that means something here. */
static uint64_t interesting(void)
{
    switch (rnd() % 6) {
    case 0:
        return rnd() % (S_GDT_END + 8) | (rnd() % 4);
    case 1:
        return FLAT_BASE + rnd() % FLAT_SIZE;
    case 2:
        return RIG_GDT + rnd() % 0x4000;
    case 3:
        return rnd() % 256;
    case 4:
        return 1ull << (rnd() % 64);
    default:
        return rnd();
    }
}

static void fill_world(void)
{
    for (unsigned i = 0; i < S_GDT_END; i += 8) {
        if (rnd() % 4 == 0) {
            unsigned bit = rnd() % 64;
            rig_put(RIG_GDT + i, 8, rig_get(RIG_GDT + i, 8) ^ 1ull << bit);
        }
    }
    for (unsigned v = 0; v < 256; v++) {
        static const uint16_t sel[] = { S_CODE32, S_CODE64, S_CONF, S_TSS2, S_CODE16, 0 };
        static const uint8_t type[] = { 14, 15, 6, 7, 5, 12 };
        rig_gate(v, sel[rnd() % 6], rnd() % 2 ? RIG_HANDLER : rnd() & 0xfffff, type[rnd() % 6],
                 rnd() % 4, rnd() % 8);
    }
    for (unsigned i = 0; i < 0x68; i += 2) {
        rig_put(RIG_TSS + i, 2, interesting());
        rig_put(RIG_TSS2 + i, 2, interesting());
    }
    for (unsigned i = 0; i < 256; i += 8) {
        rig_put(RIG_STACK3 - 256 + i, 8, interesting());
        rig_put(RIG_STACK0 - 0x1000 + i, 8, interesting());
    }
}

static void fill_cpu(Machine *m)
{
    static const enum FlatMode modes[] = { FLAT_REAL,     FLAT_PROT16, FLAT_PROT32,
                                           FLAT_COMPAT32, FLAT_MODE64, FLAT_V86 };
    rig_cpu(cpu, modes[rnd() % 6], rnd() % 2);
    cpu->cpu.machine = m;
    for (unsigned i = 0; i < 16; i++) {
        if (i != R_SP || rnd() % 8 == 0) {
            cpu->st.gpr[i] = interesting();
        }
    }
    cpu->st.rflags ^= rnd() & (FL_STATUS | FL_IF | FL_DF | FL_NT | FL_AC | FL_IOPL | FL_VIF);
    cpu->st.cr4 ^= rnd() & (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_UMIP | CR4_FSGSBASE |
                            CR4_PKE | CR4_OSXSAVE);
    cpu->st.cr0 ^= rnd() & (CR0_TS | CR0_EM | CR0_MP | CR0_AM | CR0_NE);
    cpu->st.dr7 ^= rnd() % 4 ? 0 : DR7_GD;
    x86_update_hflags(cpu);
}

/* Half of the instructions are of the families under test. */
static unsigned fill_code(uint8_t *b)
{
    static const uint8_t one[] = { 0x07, 0x17, 0x1f, 0x62, 0x63, 0x8c, 0x8e, 0x9a, 0x9c, 0x9d,
                                   0xc4, 0xc5, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xea, 0xf1,
                                   0xf4, 0xfa, 0xfb, 0xff, 0x6c, 0x6e, 0xe4, 0xec, 0xee };
    static const uint8_t two[] = { 0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x09, 0x20, 0x21,
                                   0x22, 0x23, 0x30, 0x31, 0x32, 0x34, 0x35, 0xa1, 0xa2, 0xa9,
                                   0xae, 0xb2, 0xb4, 0xb5, 0xc7 };
    static const uint8_t prefix[] = { 0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x64, 0x48, 0x41, 0xf0 };
    unsigned n = 0;

    while (rnd() % 3 == 0 && n < 4) {
        b[n++] = prefix[rnd() % ARRAY_SIZE(prefix)];
    }
    switch (rnd() % 4) {
    case 0:
        b[n++] = one[rnd() % ARRAY_SIZE(one)];
        break;
    case 1:
    case 2:
        b[n++] = 0x0f;
        b[n++] = two[rnd() % ARRAY_SIZE(two)];
        break;
    }
    while (n < 15) {
        b[n++] = rnd();
    }
    return n;
}

static void check_state(void)
{
    uint32_t hflags = cpu->hflags;
    unsigned mmu = cpu->mmu_idx;
    bool lma = cpu->st.efer & EFER_LMA;

    x86_update_hflags(cpu);
    assert_int_equal(hflags, cpu->hflags);
    assert_int_equal(mmu, cpu->mmu_idx);
    assert_true(cpu->st.cpl <= 3);
    assert_true(cpu->st.rflags & 2);
    assert_false(cpu->st.rflags & FL_VM && (lma || cpu->st.cpl != 3));
    assert_int_equal(cpu->delivering, 0);
    assert_int_equal(cpu->st.event.valid, 0);
}

static void random_instructions_in_any_mode_do_no_harm(void **state)
{
    Error err = ERROR_INIT;
    MachineConfig cfg = { .cpus = 1 };
    Machine *m = machine_create(&rig_class, &cfg, &err);
    const char *s = getenv("DYAD_SEED"), *r = getenv("DYAD_ROUNDS");
    unsigned rounds = r ? strtoul(r, NULL, 0) : 3000;

    assert_non_null(m);
    assert_true(machine_init(m, &err));
    seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;
    printf("DYAD_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < rounds; i++) {
        fill_cpu(m);
        fill_world();
        for (unsigned k = 0; k < 8; k++) {
            uint8_t b[15];
            unsigned n = fill_code(b);
            if (rig_step(cpu, b, n) != FLAT_BAD_DECODE) {
                check_state();
            }
            if (rig_triple_faults) {
                break;
            }
        }
    }
    machine_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_instructions_in_any_mode_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* CPU models, the -cpu option, CPUID leaves and MSR access. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hw/core/machine.h"
#include "target-x86/cpuid.h"
#include "target-x86/native.h"
#include "target-x86/msrs.h"
#include "target-x86/state.h"

static MemoryRegion ram;

static bool rig_init(Machine *m, Error *err)
{
    if (!memory_init_ram(&ram, m, "ram", 65536, err)) {
        return false;
    }
    memory_add(&m->mem_root, &ram, 0, 0);
    return true;
}

static const MachineClass rig_class = {
    .name = "rig", .size = sizeof(Machine), .default_ram = 65536, .max_cpus = 1,
    .init = rig_init,
};
const MachineClass *const machine_classes[] = { &rig_class, NULL };
const DeviceClass *const device_classes[] = { NULL };

static X86Cpu *cpu;
static Machine machine;

static int setup(void **state)
{
    cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64));
    memset(cpu, 0, sizeof(*cpu));
    memset(&machine, 0, sizeof(machine));
    machine.cfg.cpus = 1;
    cpu->cpu.machine = &machine;
    return 0;
}

static int teardown(void **state)
{
    free(cpu);
    return 0;
}

static void use(const char *spec)
{
    Error err = ERROR_INIT;
    assert_true(x86_cpu_set_model(cpu, spec, &err));
    x86_cpu_reset(cpu, false);
}

static void refused(const char *spec, const char *part)
{
    Error err = ERROR_INIT;
    assert_false(x86_cpu_set_model(cpu, spec, &err));
    if (!strstr(err.msg, part)) {
        fail_msg("'%s' does not contain '%s'", err.msg, part);
    }
    error_free(&err);
}

static uint32_t reg(uint32_t leaf, uint32_t sub, unsigned r)
{
    uint32_t out[4];
    x86_cpuid(cpu, leaf, sub, out);
    return out[r];
}

static void every_model_is_accepted_and_names_its_vendor(void **state)
{
    static const char *const intel[] = { "max", "kvm64", "qemu32", "Nehalem", "Haswell",
                                         "Skylake-Server", "x86-64-v1", "x86-64-v4" };
    for (size_t i = 0; i < ARRAY_SIZE(intel); i++) {
        use(intel[i]);
        assert_int_equal(reg(0, 0, 1), 0x756e6547); /* Genu */
        assert_int_equal(reg(0, 0, 3), 0x49656e69); /* ineI */
        assert_int_equal(reg(0, 0, 2), 0x6c65746e); /* ntel */
    }
    use("EPYC");
    assert_int_equal(reg(0, 0, 1), 0x68747541);
    assert_int_equal(reg(0x80000000, 0, 0), 0x8000001e);
    use("host");
}

static void every_model_and_each_of_its_versions_is_accepted(void **state)
{
    unsigned n = 0;
    for (size_t i = 0; x86_models[i]; i++) {
        const X86Model *m = x86_models[i];
        char name[64];
        snprintf(name, sizeof(name), "%s-v1", m->name);
        use(m->name);
        use(name);
        unsigned expected = 2;
        for (const X86Version *v = m->versions; v && v->number; v++, n++) {
            assert_int_equal(v->number, expected++);
            snprintf(name, sizeof(name), "%s-v%u", m->name, v->number);
            use(name);
            uint32_t feat[X86F_NWORDS];
            memcpy(feat, cpu->feat, sizeof(feat));
            if (v->suffix) {
                snprintf(name, sizeof(name), "%s%s", m->name, v->suffix);
                use(name);
                assert_memory_equal(feat, cpu->feat, sizeof(feat));
            }
        }
        snprintf(name, sizeof(name), "%s-v%u", m->name, expected);
        refused(name, "no CPU model");
    }
    assert_int_equal(n, 45);
}

static unsigned model_number(const char *spec)
{
    use(spec);
    uint32_t eax = reg(1, 0, 0);
    assert_int_equal(eax >> 8 & 15, 6);
    return (eax >> 4 & 15) | (eax >> 12 & 0xf0);
}

/* Libraries take what such a CPU has for granted, and an unknown one for an old one. */
static void max_has_the_number_of_a_cpu_whose_features_it_has(void **state)
{
    unsigned most = model_number("max");

    assert_int_equal(most, x86_has(cpu, X86F_AVX512VBMI) ? 106 : x86_has(cpu, X86F_AVX512F) ? 85 : 60);
    assert_int_equal(model_number("max,-avx512vbmi"), most == 106 ? 85 : most);
    assert_int_equal(model_number("max,-avx512f"), 60);
    assert_int_equal(model_number("max,-avx512f,-fma"), 240);
    assert_int_equal(model_number("max,-avx512f,model=7"), 7);
    assert_int_equal(model_number("Nehalem"), 26);
}

static void versions_differ_by_what_their_names_say(void **state)
{
    use("Nehalem");
    assert_false(x86_has(cpu, X86F_IBRS));
    use("Nehalem-IBRS");
    assert_true(x86_has(cpu, X86F_IBRS) && x86_has(cpu, X86F_SSE42));
    use("EPYC-v1");
    assert_false(x86_has(cpu, X86F_AMDIBPB));
    use("EPYC-IBPB");
    assert_true(x86_has(cpu, X86F_AMDIBPB));
    use("EPYC-Rome");
    assert_true(x86_has(cpu, X86F_XSAVES) && x86_has(cpu, X86F_CLWB));
    use("EPYC-Rome-v4");
    assert_false(x86_has(cpu, X86F_XSAVES));
    use("EPYC-Milan");
    assert_true(x86_has(cpu, X86F_PKU) && x86_has(cpu, X86F_PCID));
    assert_false(x86_has(cpu, X86F_VAES));
    use("pentium3");
    assert_true(x86_has(cpu, X86F_SSE));
    assert_false(x86_has(cpu, X86F_SSE2) || x86_has(cpu, X86F_LM));
    use("base,+sse,+fxsr");
    assert_true(x86_has(cpu, X86F_SSE));
    assert_false(x86_has(cpu, X86F_TSC) || x86_has(cpu, X86F_LM));
}

static void enforce_refuses_what_else_would_be_left_out(void **state)
{
    refused("Haswell,enforce", "-cpu Haswell,enforce: the engine does not provide: hle, rtm");
    use("Haswell-noTSX,enforce");
    use("Haswell-v4,enforce");
    assert_true(x86_has(cpu, X86F_AVX2));
    refused("max,hv_time,hv_spinlocks=0x1fff,enforce", "hv_time, hv_spinlocks");
    use("max,hv_time,hv_spinlocks=0x1fff");
}

static void parts_of_a_model_can_be_given(void **state)
{
    use("qemu64,family=6,model=0x5e,stepping=3,level=13,model-id=My CPU,vendor=GenuineIntel");
    assert_int_equal(reg(1, 0, 0), 0x506e3);
    assert_int_equal(reg(0x80000002, 0, 0), 0x4320794d); /* "My C" */
    use("qemu64");
    assert_int_equal(reg(1, 0, 0), 0x60fb1);
    use("max,kvm=off");
    assert_int_equal(reg(0x40000000, 0, 1), 0);
    assert_true(reg(1, 0, 2) >> 31);
    refused("max,family=2", "3 to 255");
    refused("max,stepping=", "0 to 15");
}

static void signatures_carry_family_model_and_stepping(void **state)
{
    use("Nehalem");
    assert_int_equal(reg(1, 0, 0), 0x106a3);
    use("Skylake-Server");
    assert_int_equal(reg(1, 0, 0), 0x50654);
    use("EPYC");
    assert_int_equal(reg(1, 0, 0), 0x800f12);
    use("EPYC-Rome");
    assert_int_equal(reg(1, 0, 0), 0x830f10);
    use("EPYC-Genoa");
    assert_int_equal(reg(1, 0, 0), 0xa10f10);
    use("Icelake-Server");
    assert_int_equal(reg(1, 0, 0), 0x606a6);
    use("SapphireRapids");
    assert_int_equal(reg(1, 0, 0), 0x806f8);
    use("qemu64");
    assert_int_equal(reg(1, 0, 0), 0x60fb1);
}

static void x86_64_levels_have_what_the_psabi_lists(void **state)
{
    use("x86-64-v1");
    assert_false(x86_has(cpu, X86F_SSE3) || x86_has(cpu, X86F_AVX));
    use("x86-64-v2");
    assert_true(x86_has(cpu, X86F_SSE42) && x86_has(cpu, X86F_POPCNT) &&
                x86_has(cpu, X86F_CX16) && x86_has(cpu, X86F_LAHF));
    assert_false(x86_has(cpu, X86F_AVX));
    use("x86-64-v3");
    assert_true(x86_has(cpu, X86F_AVX2) && x86_has(cpu, X86F_BMI2) &&
                x86_has(cpu, X86F_MOVBE) && x86_has(cpu, X86F_FMA) && x86_has(cpu, X86F_ABM));
}

static void a_32_bit_model_has_no_long_mode(void **state)
{
    use("qemu32");
    assert_int_equal(reg(0x80000001, 0, 3) & 1u << 29, 0);
}

static void features_can_be_added_and_taken(void **state)
{
    use("qemu64,+ssse3,avx=on,xsave=on,sse4.1=on,sse4_2=on,-nx");
    assert_true(reg(1, 0, 2) & 1u << 9);
    assert_true(reg(1, 0, 2) & 1u << 28);
    assert_false(reg(0x80000001, 0, 3) & 1u << 20);
    use("max,-xsave");
    assert_false(x86_has(cpu, X86F_AVX) || x86_has(cpu, X86F_AVX2) || x86_has(cpu, X86F_PKU));
    use("max,phys-bits=36");
    assert_int_equal(reg(0x80000008, 0, 0), 0x3024);
}

static void wrong_names_and_values_are_refused_with_a_hint(void **state)
{
    refused("Nehalen", "did you mean 'Nehalem'");
    refused("max,+avx22", "did you mean 'avx2'");
    refused("max,avx2=maybe", "on, off");
    refused("max,vendor=Intel", "12 characters");
    refused("max,phys-bits=99", "32 to 52");
    refused("", "-cpu");
}

static void features_the_engine_lacks_are_left_out(void **state)
{
    use("x86-64-v4,+mpx");
    assert_false(x86_has(cpu, X86F_MPX));
    assert_true(x86_has(cpu, X86F_AVX2));
}

static void named_models_have_avx512_where_the_host_has_it(void **state)
{
    use("Skylake-Server");
    assert_int_equal(x86_has(cpu, X86F_AVX512F), x86_host_has(X86F_AVX512F));
    assert_int_equal(x86_has(cpu, X86F_AVX512BW), x86_host_has(X86F_AVX512BW));
    assert_false(x86_has(cpu, X86F_AVX512VBMI));
    if (x86_host_has(X86F_AVX512F)) {
        assert_int_equal(reg(0xd, 0, 0) & 0xe0, 0xe0);
        assert_int_equal(reg(0xd, 7, 0), 1024);
    }
    use("max");
    assert_int_equal(x86_has(cpu, X86F_AVX512VBMI), x86_host_has(X86F_AVX512VBMI));
    use("Skylake-Server,-avx512f");
    assert_false(x86_has(cpu, X86F_AVX512BW) || x86_has(cpu, X86F_AVX512VL));
}

static void max_tells_linux_that_it_has_no_data_leaks(void **state)
{
    uint64_t v;
    use("max");
    assert_true(reg(7, 0, 3) & 1u << 29);
    assert_true(x86_rdmsr(cpu, 0x10a, &v));
    /* RDCL_NO IBRS_ALL SSB_NO MDS_NO PSCHANGE_NO TAA_NO SBDR FBSDP PSDP BHI PBRSB GDS RFDS
     * ITS */
    uint64_t all = 0x13 | 0x20 | 0x40 | 0x100 | 0xe000 | 1 << 20 | 1 << 24 | 1 << 26 |
                   1 << 27 | 1ull << 62;
    assert_int_equal(v & all, all);
    assert_false(x86_wrmsr(cpu, 0x10a, 0));
    assert_true(reg(7, 2, 3) & 1u << 4);
}

static void osxsave_and_ospke_follow_cr4(void **state)
{
    use("max");
    assert_false(reg(1, 0, 2) & 1u << 27);
    assert_false(reg(7, 0, 2) & 1u << 4);
    cpu->st.cr4 |= CR4_OSXSAVE | CR4_PKE;
    assert_true(reg(1, 0, 2) & 1u << 27);
    assert_true(reg(7, 0, 2) & 1u << 4);
}

static void xsave_leaf_tells_standard_offsets_and_sizes(void **state)
{
    use("max,-avx512f");
    assert_int_equal(reg(13, 0, 0), 0x207);
    assert_int_equal(reg(13, 0, 2), 2696);
    assert_int_equal(reg(13, 0, 1), 576); /* XCR0 = 1 */
    cpu->st.xcr0 = 0x207;
    assert_int_equal(reg(13, 0, 1), 2696);
    assert_int_equal(reg(13, 1, 1), 840);
    assert_int_equal(reg(13, 2, 0), 256);
    assert_int_equal(reg(13, 2, 1), 576);
    assert_int_equal(reg(13, 9, 0), 8);
    assert_int_equal(reg(13, 9, 1), 2688);
}

static void hypervisor_leaves_name_kvm_and_its_clock(void **state)
{
    use("max");
    assert_true(reg(1, 0, 2) >> 31);
    assert_int_equal(reg(0x40000000, 0, 0), 0x40000001);
    assert_int_equal(reg(0x40000000, 0, 1), 0x4b4d564b);
    assert_int_equal(reg(0x40000000, 0, 2), 0x564b4d56);
    assert_int_equal(reg(0x40000000, 0, 3), 0x4d);
    assert_int_equal(reg(0x40000001, 0, 0), 1 | 2 | 8 | 1 << 24);
    use("max,-hypervisor");
    assert_int_equal(reg(0x40000000, 0, 1), 0);
}

static void topology_comes_from_smp(void **state)
{
    machine.cfg.cpus = 8;
    machine.cfg.sockets = 2;
    machine.cfg.cores = 2;
    machine.cfg.threads = 2;
    use("max");
    cpu->apic_id = 5;
    assert_int_equal(reg(11, 0, 0), 1);
    assert_int_equal(reg(11, 0, 1), 2);
    assert_int_equal(reg(11, 1, 0), 2);
    assert_int_equal(reg(11, 1, 1), 4);
    assert_int_equal(reg(11, 1, 2), 0x201);
    assert_int_equal(reg(11, 1, 3), 5);
    assert_int_equal(reg(1, 0, 1) >> 24, 5);
    assert_int_equal(reg(1, 0, 1) >> 16 & 0xff, 4);
    assert_true(reg(1, 0, 3) & 1u << 28);
    assert_int_equal(reg(4, 0, 0) >> 26, 1);
}

static void leaves_beyond_the_last_read_zero(void **state)
{
    use("max");
    assert_int_equal(reg(0x17, 0, 0) | reg(0x17, 0, 1), 0);
    assert_int_equal(reg(0x80000009, 0, 0), 0);
    assert_int_equal(reg(0xc0000000, 0, 0), 0);
}

static void a_feature_name_finds_its_bit(void **state)
{
    assert_int_equal(x86_feature_by_name("sse4.1"), X86F_SSE41);
    assert_int_equal(x86_feature_by_name("sse4_1"), X86F_SSE41);
    assert_int_equal(x86_feature_by_name("tsc_deadline"), X86F_TSCDL);
    assert_int_equal(x86_feature_by_name("nonsense"), -1);
    assert_string_equal(x86_feature_name(X86F_CLFSH), "clflush");
}

/* ---- MSRs ---- */

static void msrs_hold_what_is_written_and_refuse_reserved_bits(void **state)
{
    uint64_t v;
    use("max");
    assert_true(x86_wrmsr(cpu, 0xc0000082, 0xffffffff81000000ull));
    assert_int_equal(cpu->st.msr.lstar, 0xffffffff81000000ull);
    assert_true(x86_rdmsr(cpu, 0xc0000082, &v));
    assert_int_equal(v, 0xffffffff81000000ull);
    assert_false(x86_wrmsr(cpu, 0xc0000082, 1ull << 50)); /* not canonical */
    assert_false(x86_wrmsr(cpu, 0xc0000080, 2));          /* EFER bit 1 */
    assert_false(x86_wrmsr(cpu, 0x277, 0x2));             /* PAT: type 2 */
    assert_true(x86_wrmsr(cpu, 0x277, 0x0007040600070401ull));
    assert_false(x86_wrmsr(cpu, 0xfe, 0));                /* MTRRCAP */
    assert_false(x86_rdmsr(cpu, 0x12345, &v));
    assert_false(x86_rdmsr(cpu, 0x49, &v));               /* PRED_CMD: write only */
    assert_true(x86_wrmsr(cpu, 0x49, 1));
    assert_false(x86_wrmsr(cpu, 0x49, 2));
}

static void arrays_of_msrs_reach_their_elements(void **state)
{
    use("max");
    assert_true(x86_wrmsr(cpu, 0x202, 0x80000006));
    assert_true(x86_wrmsr(cpu, 0x203, 0xff80000800));
    assert_int_equal(cpu->st.msr.mtrr_base[1], 0x80000006);
    assert_int_equal(cpu->st.msr.mtrr_mask[1], 0xff80000800);
    assert_true(x86_wrmsr(cpu, 0x26f, 0x0505050505050505));
    assert_int_equal(cpu->st.msr.mtrr_fix[10], 0x0505050505050505);
    assert_true(x86_wrmsr(cpu, 0x404, ~0ull));
    assert_int_equal(cpu->st.msr.mc_ctl[1], ~0ull);
    assert_false(x86_wrmsr(cpu, 0x405, 1));
    assert_true(x86_wrmsr(cpu, 0x405, 0));
}

static void msrs_of_absent_features_do_not_exist(void **state)
{
    uint64_t v;
    use("kvm64");
    assert_false(x86_rdmsr(cpu, 0x10a, &v));
    assert_false(x86_rdmsr(cpu, 0xc0000103, &v));
    assert_false(x86_rdmsr(cpu, 0xda0, &v));
}

static void tsc_and_its_adjustment_move_together(void **state)
{
    uint64_t a, b;
    use("max");
    assert_true(x86_wrmsr(cpu, 0x10, 1000));
    assert_true(x86_rdmsr(cpu, 0x10, &a));
    assert_true(a >= 1000 && a < 1000 + 1000000000ull);
    uint64_t adjust = cpu->st.msr.tsc_adjust;
    assert_true(x86_wrmsr(cpu, 0x3b, adjust + (1ull << 40)));
    assert_true(x86_rdmsr(cpu, 0x10, &b));
    assert_true(b - a >= 1ull << 40 && b - a < (1ull << 40) + 1000000000ull);
}

static uint64_t ram_get(uint64_t at, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, memory_host(&ram) + at, n);
    return v;
}

static void kvmclock_fills_the_guests_pages(void **state)
{
    Error err = ERROR_INIT;
    MachineConfig cfg = { .ram_size = 65536, .cpus = 1 };
    Machine *m = machine_create(&rig_class, &cfg, &err);
    assert_non_null(m);
    assert_true(machine_init(m, &err));
    cpu->cpu.machine = m;
    use("max");
    assert_true(x86_wrmsr(cpu, 0x4b564d00, 0x2000));
    assert_int_equal(ram_get(0x2000, 4) & 1, 0); /* version: even when done */
    assert_true(ram_get(0x2004, 4) > 1600000000);
    assert_true(ram_get(0x2008, 4) < 1000000000);
    memset(memory_host(&ram) + 0x3000, 0xee, 32);
    assert_true(x86_wrmsr(cpu, 0x4b564d01, 0x3000)); /* bit 0 clear: off */
    assert_int_equal(ram_get(0x3000, 8), 0xeeeeeeeeeeeeeeee);
    assert_true(x86_wrmsr(cpu, 0x4b564d01, 0x3001));
    assert_int_equal(ram_get(0x3000, 4) & 1, 0);
    uint64_t mul = ram_get(0x3018, 4);
    int8_t shift = (int8_t)ram_get(0x301c, 1);
    assert_true(mul >> 31);
    assert_int_equal(ram_get(0x301d, 1), 1); /* TSC stable */
    /* one second of TSC is one second of nanoseconds, to a millionth */
    uint64_t ticks = (uint64_t)cpu->tsc_khz * 1000;
    uint64_t scaled = shift < 0 ? ticks >> -shift : ticks << shift;
    uint64_t ns = (unsigned __int128)scaled * mul >> 32;
    assert_true(ns > 999990000 && ns < 1000010000);
    cpu->cpu.machine = &machine;
    machine_destroy(m);
}

static void reset_gives_the_manuals_power_on_state(void **state)
{
    use("Nehalem");
    const X86State *st = &cpu->st;
    assert_int_equal(st->rip, 0xfff0);
    assert_int_equal(st->rflags, 2);
    assert_int_equal(st->seg[R_CS].selector, 0xf000);
    assert_int_equal(st->seg[R_CS].base, 0xffff0000);
    assert_int_equal(st->cr0, 0x60000010);
    assert_int_equal(st->gpr[R_DX], 0x106a3);
    assert_int_equal(st->dr6, 0xffff0ff0);
    assert_int_equal(st->dr7, 0x400);
    assert_int_equal(st->xsave.fcw, 0x40);
    assert_int_equal(st->xsave.mxcsr, 0x1f80);
    assert_int_equal(st->msr.pat, 0x0007040600070406);
    assert_int_equal(st->wait_sipi, 0);
    cpu->st.msr.lstar = 5;
    cpu->st.xsave.fcw = 0x37f;
    cpu->st.cr0 = 0x80000011;
    cpu->cpu.index = 1;
    x86_cpu_reset(cpu, true);
    assert_int_equal(st->msr.lstar, 5);
    assert_int_equal(st->xsave.fcw, 0x37f);
    assert_int_equal(st->cr0, 0x10); /* INIT keeps CD and NW, here clear */
    assert_int_equal(st->wait_sipi, 1);
}

/* ---- saved state ---- */

static void save_to(StateBuf *b)
{
    Error err = ERROR_INIT;
    memset(b, 0, sizeof(*b));
    assert_true(state_save(b, "cpu0", &x86_cpu_state, &cpu->cpu, &err));
}

static bool load_from(StateBuf *b, Error *err)
{
    char path[64];
    b->pos = 0;
    assert_true(state_next(b, path, sizeof(path), err));
    assert_string_equal(path, "cpu0");
    return state_load(b, &x86_cpu_state, &cpu->cpu, err);
}

static void saved_state_comes_back_whole(void **state)
{
    Error err = ERROR_INIT;
    StateBuf b;
    use("max");
    machine.cpus[0] = &cpu->cpu;
    unsigned char *p = (unsigned char *)&cpu->st;
    X86State *before = aligned_alloc(64, sizeof(X86State));
    for (unsigned i = 0; i < 16; i++) {
        cpu->st.gpr[i] = 0x1111111111111111ull * i;
        cpu->st.xsave.xmm[i].q[0] = i;
        cpu->st.xsave.ymmh[i].q[1] = ~(uint64_t)i;
    }
    cpu->st.seg[R_GS].base = 0xffff888000000000ull;
    cpu->st.msr.lstar = 0xffffffff81000000ull;
    cpu->st.msr.mtrr_fix[10] = 6;
    cpu->st.pkru = 0x55555554;
    cpu->st.event = (X86Event){ .valid = 1, .vector = 14, .has_error = 1, .error = 6,
                                .cr2 = 0x1234 };
    memcpy(before, &cpu->st, sizeof(*before));
    save_to(&b);
    memset(p, 0, sizeof(cpu->st));
    assert_true(load_from(&b, &err));
    int64_t moved = cpu->st.tsc_offset - before->tsc_offset;
    assert_true(moved <= 0 && moved > -(int64_t)10000000000); /* the TSC stood still */
    cpu->st.tsc_offset = before->tsc_offset;
    assert_memory_equal(before->gpr, cpu->st.gpr, sizeof(before->gpr));
    assert_memory_equal(&before->msr, &cpu->st.msr, sizeof(before->msr));
    assert_memory_equal(&before->xsave, &cpu->st.xsave, sizeof(before->xsave));
    assert_memory_equal(before->seg, cpu->st.seg, sizeof(before->seg));
    assert_int_equal(cpu->st.pkru, 0x55555554);
    assert_int_equal(cpu->st.event.cr2, 0x1234);
    assert_int_equal(cpu->st.rip, 0xfff0);
    state_buf_free(&b);
    free(before);
}

static void a_saved_state_of_impossible_modes_is_refused(void **state)
{
    Error err = ERROR_INIT;
    StateBuf b;
    use("max");
    cpu->st.efer = EFER_LMA; /* without paging */
    save_to(&b);
    assert_false(load_from(&b, &err));
    error_free(&err);
    state_buf_free(&b);
    use("max");
    cpu->st.cr4 = BIT(31);
    save_to(&b);
    assert_false(load_from(&b, &err));
    assert_non_null(strstr(err.msg, "CPU model"));
    error_free(&err);
    state_buf_free(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_model_is_accepted_and_names_its_vendor),
        T(every_model_and_each_of_its_versions_is_accepted),
        T(max_has_the_number_of_a_cpu_whose_features_it_has),
        T(versions_differ_by_what_their_names_say),
        T(enforce_refuses_what_else_would_be_left_out),
        T(parts_of_a_model_can_be_given),
        T(signatures_carry_family_model_and_stepping),
        T(x86_64_levels_have_what_the_psabi_lists),
        T(a_32_bit_model_has_no_long_mode),
        T(features_can_be_added_and_taken),
        T(wrong_names_and_values_are_refused_with_a_hint),
        T(features_the_engine_lacks_are_left_out),
        T(named_models_have_avx512_where_the_host_has_it),
        T(max_tells_linux_that_it_has_no_data_leaks),
        T(osxsave_and_ospke_follow_cr4),
        T(xsave_leaf_tells_standard_offsets_and_sizes),
        T(hypervisor_leaves_name_kvm_and_its_clock),
        T(topology_comes_from_smp),
        T(leaves_beyond_the_last_read_zero),
        T(a_feature_name_finds_its_bit),
        T(msrs_hold_what_is_written_and_refuse_reserved_bits),
        T(arrays_of_msrs_reach_their_elements),
        T(msrs_of_absent_features_do_not_exist),
        T(tsc_and_its_adjustment_move_together),
        T(kvmclock_fills_the_guests_pages),
        T(reset_gives_the_manuals_power_on_state),
        T(saved_state_comes_back_whole),
        T(a_saved_state_of_impossible_modes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

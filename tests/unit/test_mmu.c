/* SPDX-License-Identifier: MIT */
/*
 * The page-table walk on tables made by hand, in every paging mode: address, page size,
 * rights, accessed and dirty bits, and the error code of every kind of fault (SDM vol. 3,
 * 4.7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "target-x86/mmu.h"

static uint8_t ram[1 << 20] __attribute__((aligned(4096)));
static X86Cpu cpu_mem, *cpu = &cpu_mem;

uint8_t *x86_phys_host(X86Cpu *c, uint64_t gpa, bool write)
{
    return gpa < sizeof(ram) ? ram + gpa : NULL;
}

static void put64(uint64_t at, uint64_t v) { memcpy(ram + at, &v, 8); }
static void put32(uint64_t at, uint32_t v) { memcpy(ram + at, &v, 4); }
static uint64_t get64(uint64_t at)
{
    uint64_t v;
    memcpy(&v, ram + at, 8);
    return v;
}
static uint32_t get32(uint64_t at)
{
    uint32_t v;
    memcpy(&v, ram + at, 4);
    return v;
}

static void set(unsigned f) { cpu->feat[f / 32] |= 1u << (f % 32); }

/* 4-level: PML4 1000, PDPT 2000, PD 3000, PT 4000 map 0-2 MiB by PT entries. */
static int setup(void **state)
{
    memset(ram, 0, sizeof(ram));
    memset(cpu, 0, sizeof(*cpu));
    cpu->phys_bits = 40;
    set(X86F_PSE36);
    set(X86F_PDPE1GB);
    cpu->st.cr0 = CR0_PG | CR0_PE | CR0_WP;
    cpu->st.cr4 = CR4_PAE | CR4_PGE | CR4_PSE;
    cpu->st.efer = EFER_LME | EFER_LMA | EFER_NXE;
    cpu->st.cr3 = 0x1000;
    put64(0x1000, 0x2007);
    put64(0x2000, 0x3007);
    put64(0x3000, 0x4007);
    put64(0x4000 + 8 * 5, 0x123000 | 7);
    return 0;
}

static X86WalkResult walk(uint64_t lin, unsigned access, unsigned mmu)
{
    return x86_walk(cpu, lin, access, mmu, true);
}

static void long_4k_page_gives_address_rights_and_accessed_bits(void **state)
{
    X86WalkResult r = walk(0x5abc, X86_READ, X86_MMU_USER);
    assert_true(r.ok);
    assert_int_equal(r.gpa, 0x123abc);
    assert_int_equal(r.page_size, 4096);
    assert_true(r.user && r.can_read && r.can_write && r.can_exec);
    assert_false(r.global);
    assert_false(r.dirty);
    assert_int_equal(get64(0x1000), 0x2027);
    assert_int_equal(get64(0x2000), 0x3027);
    assert_int_equal(get64(0x3000), 0x4027);
    assert_int_equal(get64(0x4028), 0x123027);
}

static void only_a_write_sets_dirty_and_only_in_the_leaf(void **state)
{
    X86WalkResult r = walk(0x5000, X86_WRITE, X86_MMU_USER);
    assert_true(r.ok && r.dirty);
    assert_int_equal(get64(0x4028), 0x123067);
    assert_int_equal(get64(0x3000), 0x4027);
}

static void a_walk_without_set_ad_changes_nothing(void **state)
{
    X86WalkResult r = x86_walk(cpu, 0x5000, X86_WRITE, X86_MMU_USER, false);
    assert_true(r.ok);
    assert_int_equal(get64(0x1000), 0x2007);
    assert_int_equal(get64(0x4028), 0x123007);
}

static void a_faulting_walk_changes_nothing(void **state)
{
    put64(0x4028, 0x123005);
    assert_false(walk(0x5000, X86_WRITE, X86_MMU_USER).ok);
    assert_int_equal(get64(0x1000), 0x2007);
    assert_int_equal(get64(0x4028), 0x123005);
}

static void high_half_addresses_use_the_upper_pml4_entries(void **state)
{
    put64(0x1000 + 8 * 256, 0x2003);
    X86WalkResult r = walk(0xffff800000005010ull, X86_READ, X86_MMU_KERNEL);
    assert_true(r.ok);
    assert_int_equal(r.gpa, 0x123010);
    assert_false(r.user);
}

static void long_2m_and_1g_pages(void **state)
{
    put64(0x3000 + 8, 0x40000000 | 0x1e3);
    X86WalkResult r = walk(0x212345, X86_READ, X86_MMU_KERNEL);
    assert_true(r.ok && r.global && r.dirty);
    assert_int_equal(r.gpa, 0x40012345);
    assert_int_equal(r.page_size, 2 * MiB);

    put64(0x2000 + 8, 0x80000000 | 0x83);
    r = walk(0x40001234, X86_WRITE, X86_MMU_KERNEL);
    assert_true(r.ok);
    assert_int_equal(r.gpa, 0x80001234);
    assert_int_equal(r.page_size, GiB);
    assert_int_equal(get64(0x2008), 0x800000e3);
}

static void global_counts_only_with_pge(void **state)
{
    put64(0x4028, 0x123107);
    assert_true(walk(0x5000, X86_READ, X86_MMU_KERNEL).global);
    cpu->st.cr4 &= ~CR4_PGE;
    assert_false(walk(0x5000, X86_READ, X86_MMU_KERNEL).global);
}

static void error_codes_of_absent_pages(void **state)
{
    assert_int_equal(walk(0x6000, X86_READ, X86_MMU_KERNEL).error, 0);
    assert_int_equal(walk(0x6000, X86_WRITE, X86_MMU_KERNEL).error, PF_W);
    assert_int_equal(walk(0x6000, X86_READ, X86_MMU_USER).error, PF_U);
    assert_int_equal(walk(0x6000, X86_WRITE, X86_MMU_USER).error, PF_U | PF_W);
    assert_int_equal(walk(0x6000, X86_FETCH, X86_MMU_USER).error, PF_U | PF_I);
    assert_int_equal(walk(0x40000000, X86_READ, X86_MMU_KERNEL).error, 0);
    assert_int_equal(walk(1ull << 39, X86_WRITE, X86_MMU_USER).error, PF_U | PF_W);
}

static void error_codes_of_rights(void **state)
{
    put64(0x4028, 0x123003); /* supervisor */
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_USER).error, PF_P | PF_U);
    assert_int_equal(walk(0x5000, X86_WRITE, X86_MMU_USER).error, PF_P | PF_U | PF_W);
    assert_int_equal(walk(0x5000, X86_FETCH, X86_MMU_USER).error, PF_P | PF_U | PF_I);
    put64(0x4028, 0x123005); /* read-only user */
    assert_int_equal(walk(0x5000, X86_WRITE, X86_MMU_USER).error, PF_P | PF_U | PF_W);
    assert_int_equal(walk(0x5000, X86_WRITE, X86_MMU_KERNEL).error, PF_P | PF_W);
    put64(0x4028, 0x123007 | BIT(63));
    assert_int_equal(walk(0x5000, X86_FETCH, X86_MMU_KERNEL).error, PF_P | PF_I);
    assert_false(walk(0x5000, X86_READ, X86_MMU_KERNEL).can_exec);
}

static void rights_of_all_levels_combine(void **state)
{
    put64(0x3000, 0x4005);
    assert_int_equal(walk(0x5000, X86_WRITE, X86_MMU_USER).error, PF_P | PF_U | PF_W);
    put64(0x3000, 0x4003);
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_USER).error, PF_P | PF_U);
    put64(0x3000, 0x4007);
    put64(0x1000, 0x2007 | BIT(63));
    assert_int_equal(walk(0x5000, X86_FETCH, X86_MMU_USER).error, PF_P | PF_U | PF_I);
}

static void supervisor_writes_read_only_pages_without_wp(void **state)
{
    cpu->st.cr0 &= ~CR0_WP;
    put64(0x4028, 0x123001);
    assert_true(walk(0x5000, X86_WRITE, X86_MMU_KERNEL).ok);
    assert_false(walk(0x5000, X86_WRITE, X86_MMU_USER).ok);
}

static void reserved_bits_fault_with_rsvd(void **state)
{
    put64(0x4028, 0x123007 | BIT(40)); /* MAXPHYADDR is 40 */
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_USER).error, PF_P | PF_U | PF_RSVD);
    put64(0x4028, 0x123007);
    put64(0x1000, 0x2087); /* PS in a PML4E */
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_USER).error, PF_P | PF_U | PF_RSVD);
    put64(0x1000, 0x2007);
    put64(0x3008, 0x40002087); /* bit 13 of a 2 MiB page */
    assert_int_equal(walk(0x200000, X86_WRITE, X86_MMU_KERNEL).error, PF_P | PF_W | PF_RSVD);
    put64(0x2008, 0x83);
    cpu->feat[X86F_PDPE1GB / 32] = 0;
    assert_int_equal(walk(0x40000000, X86_READ, X86_MMU_KERNEL).error, PF_P | PF_RSVD);
}

static void nx_is_reserved_without_nxe(void **state)
{
    cpu->st.efer &= ~EFER_NXE;
    put64(0x4028, 0x123007 | BIT(63));
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_USER).error, PF_P | PF_U | PF_RSVD);
    put64(0x4028, 0);
    assert_int_equal(walk(0x5000, X86_FETCH, X86_MMU_USER).error, PF_U); /* no I bit */
}

static void smep_and_smap_guard_user_pages(void **state)
{
    assert_true(walk(0x5000, X86_FETCH, X86_MMU_KERNEL).ok);
    cpu->st.cr4 |= CR4_SMEP;
    assert_int_equal(walk(0x5000, X86_FETCH, X86_MMU_KERNEL).error, PF_P | PF_I);
    cpu->st.cr4 |= CR4_SMAP;
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_KERNEL).error, PF_P);
    assert_int_equal(walk(0x5000, X86_WRITE, X86_MMU_KERNEL).error, PF_P | PF_W);
    assert_true(walk(0x5000, X86_READ, X86_MMU_KERNEL_AC).ok);
    assert_true(walk(0x5000, X86_READ, X86_MMU_USER).ok);
    put64(0x4028, 0x123003);
    assert_true(walk(0x5000, X86_WRITE, X86_MMU_KERNEL).ok);
}

static void protection_keys_guard_data_of_user_pages(void **state)
{
    cpu->st.cr4 |= CR4_PKE;
    put64(0x4028, 0x123007 | 3ull << 59);
    cpu->st.pkru = 2u << 6; /* write disable of key 3 */
    X86WalkResult r = walk(0x5000, X86_READ, X86_MMU_USER);
    assert_true(r.ok);
    assert_false(r.can_write);
    assert_int_equal(r.pkey, 3);
    assert_int_equal(walk(0x5000, X86_WRITE, X86_MMU_USER).error, PF_P | PF_U | PF_W | PF_PK);
    cpu->st.pkru = 1u << 6; /* access disable */
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_KERNEL).error, PF_P | PF_PK);
    assert_true(walk(0x5000, X86_FETCH, X86_MMU_USER).ok);
    put64(0x4028, 0x123003 | 3ull << 59); /* supervisor page: keys do not count */
    assert_true(walk(0x5000, X86_READ, X86_MMU_KERNEL).ok);
}

static void tables_outside_ram_read_as_ones(void **state)
{
    put64(0x3000, 0x40000007);
    assert_int_equal(walk(0x5000, X86_READ, X86_MMU_KERNEL).error, PF_P | PF_RSVD);
}

/* ---- 32-bit ---- */

static void legacy(void)
{
    cpu->st.efer = 0;
    cpu->st.cr4 = CR4_PSE;
    memset(ram, 0, sizeof(ram));
}

static void two_level_4k_and_4m_pages(void **state)
{
    legacy();
    put32(0x1000 + 4 * 1, 0x2007);
    put32(0x2000 + 4 * 2, 0x77005);
    X86WalkResult r = walk(0x402123, X86_READ, X86_MMU_USER);
    assert_true(r.ok);
    assert_int_equal(r.gpa, 0x77123);
    assert_false(r.can_write);
    assert_int_equal(get32(0x1004), 0x2027);
    assert_int_equal(get32(0x2008), 0x77025);
    put32(0x1000 + 4 * 2, 0x01c00083);
    r = walk(0xabcdef, X86_WRITE, X86_MMU_KERNEL);
    assert_true(r.ok);
    assert_int_equal(r.gpa, 0x1ebcdef);
    assert_int_equal(r.page_size, 4 * MiB);
    assert_int_equal(get32(0x1008), 0x01c000e3);
}

static void pse36_takes_high_address_bits_from_the_entry(void **state)
{
    legacy();
    put32(0x1000, 0x01c00083 | 0x5 << 13);
    X86WalkResult r = walk(0x1234, X86_READ, X86_MMU_KERNEL);
    assert_true(r.ok);
    assert_int_equal(r.gpa, 0x501c01234ull);
    put32(0x1000, 0x01c00083 | 1 << 21);
    assert_int_equal(walk(0, X86_READ, X86_MMU_KERNEL).error, PF_P | PF_RSVD);
    cpu->phys_bits = 36;
    put32(0x1000, 0x01c00083 | 0x10 << 13); /* address bit 36 */
    assert_int_equal(walk(0, X86_READ, X86_MMU_KERNEL).error, PF_P | PF_RSVD);
}

static void without_pse_the_size_bit_is_ignored(void **state)
{
    legacy();
    cpu->st.cr4 = 0;
    put32(0x1000, 0x2087);
    put32(0x2000, 0x77007);
    assert_int_equal(walk(0x10, X86_READ, X86_MMU_USER).gpa, 0x77010);
    assert_int_equal(walk(0x10, X86_FETCH, X86_MMU_USER).ok, true);
    assert_int_equal(walk(0x1010, X86_FETCH, X86_MMU_USER).error, PF_U);
}

/* ---- PAE ---- */

static void pae_walks_from_the_loaded_pdptes(void **state)
{
    legacy();
    cpu->st.cr4 = CR4_PAE;
    cpu->st.cr3 = 0x1020;
    put64(0x1020 + 8, 0x3001);
    assert_true(x86_load_pdptes(cpu, 0x1020));
    put64(0x1028, 0); /* the register counts, not memory */
    put64(0x3000 + 8 * 3, 0x4007);
    put64(0x4000 + 8 * 1, 0x9000 | 3ull << 36 | 7);
    X86WalkResult r = walk(0x40601abc, X86_READ, X86_MMU_USER);
    assert_true(r.ok);
    assert_int_equal(r.gpa, 0x3000009abcull);
    assert_int_equal(walk(0x80000000, X86_READ, X86_MMU_USER).error, PF_U);
    put64(0x3000 + 8 * 3, 0x4007 | BIT(55)); /* 62:52 reserved in PAE */
    assert_int_equal(walk(0x40601abc, X86_READ, X86_MMU_USER).error, PF_P | PF_U | PF_RSVD);
}

static void bad_pdptes_are_refused_and_change_nothing(void **state)
{
    legacy();
    cpu->st.cr4 = CR4_PAE;
    cpu->st.pdpte[0] = 0x5001;
    put64(0x1000, 0x3003); /* bit 1 is reserved */
    assert_false(x86_load_pdptes(cpu, 0x1000));
    assert_int_equal(cpu->st.pdpte[0], 0x5001);
    put64(0x1000, 0x3002); /* absent: nothing is reserved */
    assert_true(x86_load_pdptes(cpu, 0x1000));
}

static void without_paging_linear_is_physical(void **state)
{
    cpu->st.cr0 = CR0_PE;
    X86WalkResult r = walk(0xfee00123, X86_WRITE, X86_MMU_USER);
    assert_true(r.ok && r.can_write && r.dirty);
    assert_int_equal(r.gpa, 0xfee00123);
}

static void debug_translation_ignores_rights_and_changes_nothing(void **state)
{
    uint64_t gpa;
    put64(0x4028, 0x123001);
    assert_true(x86_debug_translate(cpu, 0x5010, &gpa));
    assert_int_equal(gpa, 0x123010);
    assert_int_equal(get64(0x4028), 0x123001);
    assert_false(x86_debug_translate(cpu, 0x6010, &gpa));
    assert_false(x86_debug_translate(cpu, 1ull << 60, &gpa));
}

#define T(f) cmocka_unit_test_setup(f, setup)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(long_4k_page_gives_address_rights_and_accessed_bits),
        T(only_a_write_sets_dirty_and_only_in_the_leaf),
        T(a_walk_without_set_ad_changes_nothing),
        T(a_faulting_walk_changes_nothing),
        T(high_half_addresses_use_the_upper_pml4_entries),
        T(long_2m_and_1g_pages),
        T(global_counts_only_with_pge),
        T(error_codes_of_absent_pages),
        T(error_codes_of_rights),
        T(rights_of_all_levels_combine),
        T(supervisor_writes_read_only_pages_without_wp),
        T(reserved_bits_fault_with_rsvd),
        T(nx_is_reserved_without_nxe),
        T(smep_and_smap_guard_user_pages),
        T(protection_keys_guard_data_of_user_pages),
        T(tables_outside_ram_read_as_ones),
        T(two_level_4k_and_4m_pages),
        T(pse36_takes_high_address_bits_from_the_entry),
        T(without_pse_the_size_bit_is_ignored),
        T(pae_walks_from_the_loaded_pdptes),
        T(bad_pdptes_are_refused_and_change_nothing),
        T(without_paging_linear_is_physical),
        T(debug_translation_ignores_rights_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Boot plans from crafted images: Linux, PVH, multiboot; and images that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <elf.h>
#include "hw/pc/boot.h"

enum { IMAGE = 0x8000, SETUP = 5 * 512 };
static uint8_t image[IMAGE];
static uint8_t initrd[10000];

static void put(unsigned at, uint64_t v, unsigned size)
{
    memcpy(image + at, &v, size);
}

static BootEnv environment(uint64_t ram)
{
    BootEnv env = { .kernel_name = "k", .cmdline = "console=ttyS0", .rsdp = 0xe0000 };
    RamLayout l = ram_layout(ram);
    env.low_ram = l.low;
    e820_direct(&env.map, &l);
    return env;
}

/* A bzImage of protocol 2.15, relocatable, with a 64-bit entry. */
static void make_linux(void)
{
    memset(image, 0, sizeof(image));
    image[0x1f1] = 4;
    put(0x1f4, (IMAGE - SETUP) / 16, 4);
    put(0x1fe, 0xaa55, 2);
    image[0x201] = 0x6a;
    memcpy(image + 0x202, "HdrS", 4);
    put(0x206, 0x20f, 2);
    image[0x211] = 1;
    put(0x22c, 0x7fffffff, 4);
    put(0x230, 0x200000, 4);
    image[0x234] = 1;
    put(0x236, 0x3f, 2);
    put(0x238, 2047, 4);
    put(0x258, 0x1000000, 8);
    put(0x260, 0x100000, 4);
    image[SETUP] = 0x90;
}

static const BootChunk *chunk_at(const BootPlan *p, uint64_t gpa)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->chunk[i].gpa == gpa) {
            return &p->chunk[i];
        }
    }
    return NULL;
}

static uint64_t get(const BootChunk *c, unsigned at, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, (const uint8_t *)c->data + at, size);
    return v;
}

static void linux_uses_the_64_bit_entry_and_gets_its_parameters(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(256 * MiB);
    env.initrd = initrd;
    env.initrd_len = sizeof(initrd);
    make_linux();
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(p.mode, BOOT_LONG64);
    assert_int_equal(p.entry, 0x1000200);
    assert_int_equal(p.rsi, BOOT_PARAMS);
    const BootChunk *zp = chunk_at(&p, BOOT_PARAMS);
    assert_non_null(zp);
    assert_int_equal(get(zp, 0x228, 4), BOOT_CMDLINE);
    assert_int_equal(get(zp, 0x070, 8), 0xe0000);
    assert_int_equal(get(zp, 0x1e8, 1), 4);
    assert_int_equal(get(zp, 0x2d0 + 60, 8), MiB);
    assert_int_equal(get(zp, 0x2d0 + 68, 8), 255 * MiB);
    assert_int_equal(get(zp, 0x210, 1), 0xff);
    uint64_t at = get(zp, 0x218, 4);
    assert_int_equal(at, 256 * MiB - 0x3000); /* as high as it goes, page aligned */
    assert_int_equal(get(zp, 0x21c, 4), 10000);
    assert_ptr_equal(chunk_at(&p, at)->data, initrd);
    assert_string_equal(chunk_at(&p, BOOT_CMDLINE)->data, "console=ttyS0");
    assert_ptr_equal(chunk_at(&p, 0x1000000)->data, image + SETUP);
    boot_plan_free(&p);
}

static void linux_without_64_bit_entry_uses_32(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(256 * MiB);
    make_linux();
    put(0x236, 0, 2);
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(p.mode, BOOT_PROT32);
    assert_int_equal(p.entry, 0x1000000);
    boot_plan_free(&p);
    env.protocol = KERNEL_64;
    assert_false(boot_plan_make(&p, &env, image, IMAGE, &err));
    error_free(&err);
}

static void initrd_respects_the_kernels_limit(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(1024 * MiB);
    env.initrd = initrd;
    env.initrd_len = sizeof(initrd);
    make_linux();
    put(0x22c, 0x37ffffff, 4);
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(get(chunk_at(&p, BOOT_PARAMS), 0x218, 4), 0x38000000 - 0x3000);
    boot_plan_free(&p);
}

static void small_memory_moves_a_relocatable_kernel(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(8 * MiB);
    make_linux();
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(p.entry, 0x200200);
    boot_plan_free(&p);
    env = environment(2 * MiB);
    assert_false(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_null(strchr(err.msg, '\n'));
    error_free(&err);
}

static void real_mode_plan_has_stack_and_command_line_behind_the_setup(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(64 * MiB);
    env.protocol = KERNEL_16;
    make_linux();
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(p.mode, BOOT_REAL16);
    assert_int_equal(p.segment, 0x9000);
    const BootChunk *s = chunk_at(&p, 0x90000);
    assert_int_equal(get(s, 0x228, 4), 0x9e000);
    assert_string_equal((const char *)s->data + 0xe000, "console=ttyS0");
    assert_non_null(chunk_at(&p, 0x100000));
    boot_plan_free(&p);
}

static void linux_refused(const BootEnv *env, size_t n, const char *must_say)
{
    Error err = ERROR_INIT;
    BootPlan p;
    assert_false(boot_plan_make(&p, env, image, n, &err));
    if (!strstr(err.msg, must_say)) {
        fail_msg("'%s' does not say '%s'", err.msg, must_say);
    }
    assert_int_equal(p.n, 0);
    error_free(&err);
}

static void damaged_linux_is_refused(void **state)
{
    static char long_line[5000];
    BootEnv env = environment(256 * MiB);
    make_linux();
    linux_refused(&env, IMAGE - 64, "cut short");
    linux_refused(&env, SETUP, "cut short");
    linux_refused(&env, 100, "not a kernel");
    linux_refused(&env, 0, "not a kernel");
    put(0x258, UINT64_MAX - 100, 8);
    put(0x230, 0, 4);
    linux_refused(&env, IMAGE, "do not fit");
    make_linux();
    memset(long_line, 'x', sizeof(long_line) - 1);
    env.cmdline = long_line;
    linux_refused(&env, IMAGE, "-append");
    env.cmdline = "";
    put(0x260, 0xffffffff, 4);
    linux_refused(&env, IMAGE, "do not fit");
    make_linux();
    env.initrd = initrd;
    env.initrd_len = 300 * MiB; /* not touched: does not fit */
    linux_refused(&env, IMAGE, "-initrd");
}

/* ---- ELF ---- */

static void make_pvh(void)
{
    memset(image, 0, sizeof(image));
    Elf64_Ehdr h = { .e_machine = EM_X86_64, .e_entry = 0x123456, .e_phoff = 64,
                     .e_phnum = 2, .e_phentsize = sizeof(Elf64_Phdr) };
    memcpy(h.e_ident, ELFMAG, 4);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    Elf64_Phdr load = { .p_type = PT_LOAD, .p_offset = 0x1000, .p_paddr = 0x200000,
                        .p_filesz = 0x1000, .p_memsz = 0x3000 };
    Elf64_Phdr note = { .p_type = PT_NOTE, .p_offset = 0x800, .p_filesz = 40, .p_align = 4 };
    memcpy(image, &h, sizeof(h));
    memcpy(image + 64, &load, sizeof(load));
    memcpy(image + 64 + sizeof(load), &note, sizeof(note));
    static const uint32_t notes[] = { 4, 4, 6, 0x006e6558, 1, /* another Xen note */
                                      4, 4, 18, 0x006e6558, 0x200040 };
    memcpy(image + 0x800, notes, sizeof(notes));
}

static void pvh_note_gives_the_entry(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(64 * MiB);
    env.initrd = initrd;
    env.initrd_len = sizeof(initrd);
    make_pvh();
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(p.mode, BOOT_PROT32);
    assert_int_equal(p.entry, 0x200040);
    assert_int_equal(p.rbx, BOOT_INFO);
    const BootChunk *i = chunk_at(&p, BOOT_INFO);
    assert_int_equal(get(i, 0, 4), 0x336ec578);
    assert_int_equal(get(i, 4, 4), 1);
    assert_int_equal(get(i, 12, 4), 1);
    assert_int_equal(get(i, 24, 8), BOOT_CMDLINE);
    assert_int_equal(get(i, 32, 8), 0xe0000);
    assert_int_equal(get(i, 48, 4), 5 - 1);
    uint64_t mod = get(i, 16, 8) - BOOT_INFO;
    assert_ptr_equal(chunk_at(&p, get(i, mod, 8))->data, initrd);
    const BootChunk *bss = chunk_at(&p, 0x201000);
    assert_null(bss->data);
    assert_false(bss->reserved);
    assert_int_equal(bss->len, 0x2000);
    boot_plan_free(&p);
}

/* Each 32-bit field of the headers takes wild values: a plan is made or refused. */
static void wild_headers_do_no_harm(void **state)
{
    static const uint32_t wild[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x8000 };
    void (*const make[])(void) = { make_pvh, make_linux };
    static const unsigned from[] = { 0, 0x1f0 }, to[] = { 0x828, 0x268 };
    BootEnv env = environment(64 * MiB);
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned at = from[k]; at < to[k]; at += 2) {
            for (unsigned w = 0; w < ARRAY_SIZE(wild); w++) {
                Error err = ERROR_INIT;
                BootPlan p;
                make[k]();
                put(at, wild[w], 4);
                if (boot_plan_make(&p, &env, image, IMAGE, &err)) {
                    for (unsigned i = 0; i < p.n; i++) {
                        const BootChunk *c = &p.chunk[i];
                        assert_true(e820_is_ram(&env.map, c->gpa, c->len));
                        const uint8_t *d = c->data;
                        if (d >= image && d < image + IMAGE) {
                            assert_true(c->len <= (uint64_t)(image + IMAGE - d));
                        }
                    }
                    boot_plan_free(&p);
                } else {
                    assert_non_null(err.msg);
                    error_free(&err);
                }
            }
        }
    }
}

static void elf_without_entry_note_is_refused(void **state)
{
    BootEnv env = environment(64 * MiB);
    make_pvh();
    put(0x800 + 20 + 8, 17, 4);
    linux_refused(&env, IMAGE, "PVH");
    make_pvh();
    put(18, EM_AARCH64, 2);
    linux_refused(&env, IMAGE, "another processor");
}

/* ---- multiboot ---- */

static void make_multiboot(void)
{
    memset(image, 0, sizeof(image));
    static const uint32_t h[] = { 0x1badb002, 0x10003, (uint32_t)-(0x1badb002 + 0x10003),
                                  0x100100, 0x100000, 0x102000, 0x104000, 0x100200 };
    memcpy(image + 0x100, h, sizeof(h));
}

static void flat_multiboot_is_loaded_where_its_header_says(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(64 * MiB);
    env.initrd = initrd;
    env.initrd_len = sizeof(initrd);
    env.initrd_name = "mod";
    make_multiboot();
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(p.entry, 0x100200);
    assert_int_equal(p.rax, 0x2badb002);
    assert_ptr_equal(chunk_at(&p, 0x100000)->data, image);
    assert_int_equal(chunk_at(&p, 0x100000)->len, 0x2000);
    assert_int_equal(chunk_at(&p, 0x102000)->len, 0x2000);
    assert_ptr_equal(chunk_at(&p, 0x104000)->data, initrd);
    const BootChunk *i = chunk_at(&p, p.rbx);
    assert_int_equal(get(i, 0, 4), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    assert_int_equal(get(i, 8, 4), 63 * 1024);
    assert_int_equal(get(i, 20, 4), 1);
    const BootChunk *bda = chunk_at(&p, 0x400);
    assert_int_equal(get(bda, 0x0e, 2), 0x9fc0);
    assert_int_equal(get(bda, 0x13, 2), 639);
    /* the kernel's name is the first word of its command line */
    const char *line = (const char *)i->data + (get(i, 16, 4) - (uint32_t)p.rbx);
    assert_string_equal(line, "k console=ttyS0");
    boot_plan_free(&p);
}

static void multiboot_modules_lie_one_behind_the_other(void **state)
{
    Error err = ERROR_INIT;
    BootPlan p;
    BootEnv env = environment(64 * MiB);
    env.module[0] = (BootModule){ initrd, 5000, "linux quiet" };
    env.module[1] = (BootModule){ initrd, 100, "ramdisk" };
    env.n_modules = 2;
    make_multiboot();
    assert_true(boot_plan_make(&p, &env, image, IMAGE, &err));
    assert_int_equal(chunk_at(&p, 0x104000)->len, 5000);
    assert_int_equal(chunk_at(&p, 0x106000)->len, 100);
    const BootChunk *i = chunk_at(&p, p.rbx);
    assert_int_equal(get(i, 20, 4), 2);
    uint64_t list = get(i, 24, 4) - p.rbx;
    assert_int_equal(get(i, list, 4), 0x104000);
    assert_int_equal(get(i, list + 4, 4), 0x104000 + 5000);
    assert_string_equal((const char *)i->data + (get(i, list + 8, 4) - p.rbx), "linux quiet");
    assert_int_equal(get(i, list + 16, 4), 0x106000);
    assert_string_equal((const char *)i->data + (get(i, list + 24, 4) - p.rbx), "ramdisk");
    boot_plan_free(&p);
}

static void impossible_multiboot_is_refused(void **state)
{
    BootEnv env = environment(64 * MiB);
    make_multiboot();
    put(0x110, 0x200000, 4);
    linux_refused(&env, IMAGE, "impossible");
    make_multiboot();
    put(0x114, 0x900000, 4);
    linux_refused(&env, IMAGE, "cut short");
    make_multiboot();
    put(0x118, 0x100010, 4);
    linux_refused(&env, IMAGE, "impossible");
    make_multiboot();
    put(0x104, 0x10013, 4);
    put(0x108, (uint32_t)-(0x1badb002 + 0x10013), 4);
    linux_refused(&env, IMAGE, "features");
}

static void memory_map_splits_at_the_hole(void **state)
{
    RamLayout l = ram_layout(0xe0000000ull);
    assert_int_equal(l.low, 0xe0000000ull);
    assert_int_equal(l.high, 0);
    l = ram_layout(8 * GiB);
    assert_int_equal(l.low, 3 * GiB);
    assert_int_equal(l.high, 5 * GiB);
    E820Map map;
    e820_direct(&map, &l);
    assert_true(e820_is_ram(&map, 4 * GiB, 5 * GiB));
    assert_false(e820_is_ram(&map, 4 * GiB, 5 * GiB + 1));
    assert_false(e820_is_ram(&map, 0x9f000, 0x2000));
    assert_false(e820_is_ram(&map, 0xe0000, 1));
    assert_false(e820_is_ram(&map, UINT64_MAX, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linux_uses_the_64_bit_entry_and_gets_its_parameters),
        cmocka_unit_test(linux_without_64_bit_entry_uses_32),
        cmocka_unit_test(initrd_respects_the_kernels_limit),
        cmocka_unit_test(small_memory_moves_a_relocatable_kernel),
        cmocka_unit_test(real_mode_plan_has_stack_and_command_line_behind_the_setup),
        cmocka_unit_test(damaged_linux_is_refused),
        cmocka_unit_test(pvh_note_gives_the_entry),
        cmocka_unit_test(wild_headers_do_no_harm),
        cmocka_unit_test(elf_without_entry_note_is_refused),
        cmocka_unit_test(flat_multiboot_is_loaded_where_its_header_says),
        cmocka_unit_test(multiboot_modules_lie_one_behind_the_other),
        cmocka_unit_test(impossible_multiboot_is_refused),
        cmocka_unit_test(memory_map_splits_at_the_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

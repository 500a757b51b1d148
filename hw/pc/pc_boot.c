/* SPDX-License-Identifier: MIT */
/*
 * Starting a kernel without firmware: tables in 0xe0000-0xfffff (reserved in the memory
 * map), the plan's pieces, the boot processor's registers. Machine lock, machine paused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "hw/core/nondet.h"
#include "hw/display/display_devices.h"
#include "hw/pc/pc_int.h"
#include "hw/timer/hpet.h"
#include "hw/virtio/virtio_mmio.h"
#include "target-x86/cpu.h"
#include "util/alloc.h"
#include "util/bytes.h"

#define RSDP_AT 0xe0000ull      /* 16-byte aligned, 5.2.5.1 */
#define ACPI_AT 0xe0040ull
#define SMBIOS_ENTRY_AT 0xf0000ull
#define SMBIOS_AT 0xf0020ull

void *pc_map_file(const char *what, const char *path, size_t *len, Error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set(err, "could not open %s '%s': %s", what, path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        error_set(err, "'%s' is %s", path,
                  S_ISREG(st.st_mode) ? "empty" : "not a regular file");
    } else {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        close(fd);
        if (p == MAP_FAILED) {
            error_set(err, "cannot map '%s': %s", path, strerror(errno));
            return NULL;
        }
        *len = (size_t)st.st_size;
        return p;
    }
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

bool pc_kernel_needs_bios(const char *file)
{
    enum { HEADER = 0x202, LENGTH = 6, PROTOCOL_2_08 = 0x208 };
    uint8_t h[LENGTH];
    int fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool old = fd >= 0 && pread(fd, h, sizeof(h), HEADER) == sizeof(h) &&
               memcmp(h, "HdrS", 4) == 0 && (h[4] | h[5] << 8) < PROTOCOL_2_08;
    if (fd >= 0) {
        close(fd);
    }
    return old;
}

static uint16_t pm_base(const PcMachine *pc)
{
    return pc->micro ? PC_PM_BASE
           : pc->q35 ? ich9_lpc_pm_base(pc->bridge) : piix4_pm_base(pc->pm_pci);
}

static void build_acpi(PcMachine *pc)
{
    uint32_t ids[APIC_MAX_CPUS];
    for (unsigned i = 0; i < pc->m.ncpus; i++) {
        ids[i] = X86_CPU(pc->m.cpus[i])->apic_id;
    }
    uint64_t top = 4 * GiB + pc->layout.high;
    uint64_t ecam = pc->q35 ? pci_q35_ecam(pc->pci) : 0;
    uint16_t pm = pm_base(pc);
    pc->acpi_ecam = ecam ? ecam : Q35_ECAM;
    pc->acpi_pm_base = pm ? pm : PC_PM_BASE;
    const AcpiConfig cfg = {
        .no_s3 = pc->flash, .q35 = pc->q35, .ecam = pc->acpi_ecam, .pm_base = pc->acpi_pm_base,
        .mmio_slots = pc->micro ? VIRTIO_MMIO_SLOTS : 0, .mmio_step = VIRTIO_MMIO_STEP,
        .mmio_base = MICROVM_MMIO,
        .cpus = pc->m.ncpus, .apic_ids = ids, .hpet = pc->hpet,
        .hpet_block_id = pc->hpet ? hpet_block_id(pc->hpet_dev) : 0,
        .pci_hole_start = MAX(pc->layout.low, 0xc0000000ull),
        .pci64_start = ALIGN_UP(top, 32 * GiB), .pci64_size = 32 * GiB,
    };
    acpi_free(&pc->acpi);
    acpi_tables_build(&pc->acpi, &cfg);
}

bool pc_refresh_tables(PcMachine *pc)
{
    uint64_t ecam = pc->q35 ? pci_q35_ecam(pc->pci) : 0;
    uint16_t pm = pm_base(pc);
    if ((!ecam || ecam == pc->acpi_ecam) && (!pm || pm == pc->acpi_pm_base)) {
        return false;
    }
    build_acpi(pc);
    return true;
}

void pc_build_tables(PcMachine *pc)
{
    build_acpi(pc);
    unsigned count;
    smbios_build(&pc->smbios, &pc->m.cfg, &pc->layout, &count);
}

static bool place_tables(PcMachine *pc, Error *err)
{
    acpi_relocate(&pc->acpi, ACPI_AT);
    if (pc->acpi.tables.len > SMBIOS_ENTRY_AT - ACPI_AT ||
        pc->smbios.len > MiB - SMBIOS_AT) {
        return error_set(err, "the tables do not fit below 1 MiB");
    }
    return true;
}

static bool map_initrd(PcMachine *pc, BootEnv *env, Error *err)
{
    pc->initrd = pc_map_file("initrd", pc->m.cfg.initrd, &pc->initrd_len, err);
    env->initrd = pc->initrd;
    env->initrd_len = pc->initrd_len;
    return pc->initrd != NULL;
}

/* "FILE ARGUMENTS,FILE ARGUMENTS": what a multiboot kernel gets; ",," is a comma. */
static bool map_modules(PcMachine *pc, BootEnv *env, Error *err)
{
    char *to = pc->module_lines = xstrdup(pc->m.cfg.initrd);
    const char *from = pc->m.cfg.initrd;

    while (true) {
        char *line = to;
        for (; *from && (*from != ',' || from[1] == ','); from++) {
            from += *from == ',';
            *to++ = *from;
        }
        bool last = !*from++;
        *to++ = 0;
        if (env->n_modules == BOOT_MODULES) {
            return error_set(err, "more than %d modules", BOOT_MODULES);
        }
        BootModule *m = &env->module[env->n_modules];
        char *file = xasprintf("%.*s", (int)strcspn(line, " "), line);
        void *data = pc_map_file("module", file, &m->len, err);
        free(file);
        if (!data) {
            return false;
        }
        m->data = pc->module[env->n_modules].data = data;
        pc->module[env->n_modules++].len = m->len;
        m->line = line;
        if (last) {
            return true;
        }
    }
}

bool pc_plan_kernel(PcMachine *pc, Error *err)
{
    const MachineConfig *cfg = &pc->m.cfg;
    BootEnv env = {
        .low_ram = pc->layout.low, .kernel_name = cfg->kernel, .cmdline = cfg->append ? cfg->append : "",
        .protocol = pc->kernel_protocol, .rsdp = RSDP_AT, .initrd_name = cfg->initrd,
    };
    Device *vga = pc_find_vga(pc);
    env.vga_text = vga && vga_rom_font(vga);
    e820_direct(&env.map, &pc->layout);
    if (!pc->direct) { /* the BIOS keeps its tables at the end of low memory */
        env.protocol = KERNEL_16;
        env.low_ram -= MIN(env.low_ram / 4, 16 * MiB);
    }
    nondet_random(env.seed, sizeof(env.seed));
    if (!(pc->kernel = pc_map_file("kernel file", cfg->kernel, &pc->kernel_len, err))) {
        error_prefix(err, "-kernel: ");
        return false;
    }
    bool modules = pc->direct && multiboot_probe(pc->kernel, pc->kernel_len);
    if (cfg->initrd && !(modules ? map_modules(pc, &env, err) : map_initrd(pc, &env, err))) {
        error_prefix(err, "-initrd: ");
        return false;
    }
    if (!boot_plan_make(&pc->plan, &env, pc->kernel, pc->kernel_len, err)) {
        if (strncmp(err->msg, "-", 1) != 0) {
            error_prefix(err, "-kernel: '%s': ", cfg->kernel);
        }
        return false;
    }
    if (!pc->direct && pc->plan.mode != BOOT_REAL16) {
        return error_set(err, "-kernel: '%s': with a BIOS only a Linux bzImage can be "
                              "started", cfg->kernel);
    }
    return !pc->direct || place_tables(pc, err);
}

static void write_zeroes(Machine *m, uint64_t gpa, uint64_t len)
{
    static const uint8_t zeroes[4096];
    while (len) {
        uint64_t n = MIN(len, sizeof(zeroes));
        memory_load(&m->mem, gpa, zeroes, n);
        gpa += n;
        len -= n;
    }
}

/* ---- registers ---- */

static X86Seg flat(uint16_t selector, uint32_t attr)
{
    return (X86Seg){ .base = 0, .limit = 0xffffffff, .attr = attr, .selector = selector };
}

static void set_protected(X86State *st, const BootPlan *p)
{
    enum { DATA = SEG_P | SEG_S | SEG_W | SEG_A | SEG_G | SEG_DB,
           CODE = SEG_P | SEG_S | SEG_CODE | SEG_R | SEG_A | SEG_G };
    bool l64 = p->mode == BOOT_LONG64;
    for (unsigned i = 0; i < X86_NSEGS; i++) {
        st->seg[i] = flat(BOOT_DS, DATA);
    }
    st->seg[R_CS] = flat(l64 ? BOOT_CS64 : BOOT_CS32, CODE | (l64 ? SEG_L : SEG_DB));
    st->tr = (X86Seg){ .limit = 0x67, .attr = SEG_P | 0xb, .selector = 0x20 };
    st->gdt = (X86Table){ BOOT_GDT, 39 };
    st->idt = (X86Table){ 0, 0 };
    st->cr0 = CR0_PE | CR0_ET | CR0_NE;
    if (l64) {
        st->cr0 |= CR0_PG;
        st->cr4 = CR4_PAE;
        st->cr3 = BOOT_TABLES;
        st->efer = EFER_LME | EFER_LMA;
    }
    st->rip = p->entry;
}

static void set_cpu(X86Cpu *cpu, const BootPlan *p)
{
    enum { MTRR_ENABLE = 1 << 11, MTRR_WB = 6 };
    X86State *st = &cpu->st;
    memset(st->gpr, 0, sizeof(st->gpr));
    st->gpr[R_AX] = p->rax;
    st->gpr[R_BX] = p->rbx;
    st->gpr[R_SI] = p->rsi;
    st->gpr[R_SP] = p->rsp;
    st->rflags = FL_ONE;
    st->cpl = 0;
    st->msr.mtrr_def = MTRR_ENABLE | MTRR_WB; /* memory cached, as firmware leaves it */
    set_protected(st, p);
    x86_update_hflags(cpu);
}

/* Gives back the memory of a mapped file. */
static void forget(const void *image, size_t len)
{
    if (image) {
        madvise((void *)image, len, MADV_DONTNEED);
    }
}

void pc_load_pieces(PcMachine *pc)
{
    Machine *m = &pc->m;
    for (unsigned i = 0; i < pc->plan.n; i++) {
        const BootChunk *c = &pc->plan.chunk[i];
        if (c->data) {
            memory_load(&m->mem, c->gpa, c->data, c->len);
        } else if (!c->reserved) {
            write_zeroes(m, c->gpa, c->len);
        }
    }
    /* the next reset reads them from the file again */
    forget(pc->kernel, pc->kernel_len);
    forget(pc->initrd, pc->initrd_len);
}

void pc_enter_waking_vector(PcMachine *pc)
{
    enum { WAKING_VECTOR = 12 };
    Machine *m = &pc->m;
    X86Cpu *cpu = X86_CPU(m->cpus[0]);
    uint8_t b[4] = { 0 };
    memory_read(&m->mem, ACPI_AT + pc->acpi.facs + WAKING_VECTOR, b, sizeof(b));
    uint32_t vector = get_le32(b);
    if (!vector || vector >= MiB) { /* nobody to go on: a start from the beginning */
        pc_start_kernel(pc);
        return;
    }
    cpu->st.seg[R_CS].selector = (uint16_t)(vector >> 4);
    cpu->st.seg[R_CS].base = vector & ~15u;
    cpu->st.rip = vector & 15;
    x86_update_hflags(cpu);
}

void pc_start_kernel(PcMachine *pc)
{
    Machine *m = &pc->m;
    uint8_t entry[24];
    smbios_entry(entry, SMBIOS_AT, (uint32_t)pc->smbios.len);
    memory_load(&m->mem, RSDP_AT, pc->acpi.rsdp, sizeof(pc->acpi.rsdp));
    memory_load(&m->mem, ACPI_AT, pc->acpi.tables.data, pc->acpi.tables.len);
    memory_load(&m->mem, SMBIOS_ENTRY_AT, entry, sizeof(entry));
    memory_load(&m->mem, SMBIOS_AT, pc->smbios.data, pc->smbios.len);
    pc_load_pieces(pc);
    set_cpu(X86_CPU(m->cpus[0]), &pc->plan);
}

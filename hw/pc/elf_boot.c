/* SPDX-License-Identifier: MIT */
/*
 * ELF kernels: loading by physical address (System V ABI, chapter 5), the PVH entry
 * (Xen's x86 boot ABI: note XEN_ELFNOTE_PHYS32_ENTRY, struct hvm_start_info version 1).
 */
#include "hw/pc/boot.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>
#include "util/alloc.h"

enum { NOTE_PHYS32_ENTRY = 18, MAX_SEGMENTS = 64, MAX_NOTE = 65536 };
#define PVH_MAGIC 0x336ec578u

/* One program header, whichever class. */
typedef struct Segment {
    uint32_t type;
    uint64_t off, paddr, filesz, memsz, align;
} Segment;

typedef struct ElfFile {
    const uint8_t *image;
    size_t n;
    bool is64;
    uint64_t entry, phoff;
    unsigned phnum, phentsize;
} ElfFile;

static bool range_ok(size_t n, uint64_t off, uint64_t len)
{
    return off <= n && len <= n - off;
}

bool elf_probe(const uint8_t *image, size_t n)
{
    return n >= sizeof(Elf64_Ehdr) && !memcmp(image, ELFMAG, SELFMAG);
}

static bool open_elf(ElfFile *f, const uint8_t *image, size_t n, Error *err)
{
    *f = (ElfFile){ .image = image, .n = n, .is64 = image[EI_CLASS] == ELFCLASS64 };
    uint16_t machine;
    if (f->is64) {
        Elf64_Ehdr h;
        memcpy(&h, image, sizeof(h));
        f->entry = h.e_entry;
        f->phoff = h.e_phoff;
        f->phnum = h.e_phnum;
        f->phentsize = h.e_phentsize;
        machine = h.e_machine;
    } else {
        Elf32_Ehdr h;
        memcpy(&h, image, sizeof(h));
        f->entry = h.e_entry;
        f->phoff = h.e_phoff;
        f->phnum = h.e_phnum;
        f->phentsize = h.e_phentsize;
        machine = h.e_machine;
    }
    if (image[EI_DATA] != ELFDATA2LSB || (machine != EM_386 && machine != EM_X86_64)) {
        return error_set(err, "is an ELF file for another processor");
    }
    size_t want = f->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    if (f->phnum == 0 || f->phnum > MAX_SEGMENTS || f->phentsize < want ||
        !range_ok(n, f->phoff, (uint64_t)f->phnum * f->phentsize)) {
        return error_set(err, "has no usable program headers");
    }
    return true;
}

static Segment segment(const ElfFile *f, unsigned i)
{
    const uint8_t *p = f->image + f->phoff + (uint64_t)i * f->phentsize;
    if (f->is64) {
        Elf64_Phdr h;
        memcpy(&h, p, sizeof(h));
        return (Segment){ h.p_type, h.p_offset, h.p_paddr, h.p_filesz, h.p_memsz, h.p_align };
    }
    Elf32_Phdr h;
    memcpy(&h, p, sizeof(h));
    return (Segment){ h.p_type, h.p_offset, h.p_paddr, h.p_filesz, h.p_memsz, h.p_align };
}

bool elf_load_segments(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n,
                       uint64_t *entry, uint64_t *end, Error *err)
{
    ElfFile f;
    if (!open_elf(&f, image, n, err)) {
        return false;
    }
    *entry = f.entry;
    *end = 0;
    for (unsigned i = 0; i < f.phnum; i++) {
        Segment s = segment(&f, i);
        if (s.type != PT_LOAD || s.memsz == 0) {
            continue;
        }
        if (s.filesz > s.memsz || !range_ok(n, s.off, s.filesz)) {
            return error_set(err, "segment %u reaches beyond the end of the file", i);
        }
        if (!boot_add(p, env, s.paddr, image + s.off, s.filesz, "kernel segment", err) ||
            !boot_add(p, env, s.paddr + s.filesz, NULL, s.memsz - s.filesz,
                      "kernel segment", err)) {
            return false;
        }
        *end = MAX(*end, s.paddr + s.memsz);
    }
    return *end != 0 || error_set(err, "has no segment to load");
}

/* Looks for the PVH entry among the notes of one segment. */
static bool find_note(const uint8_t *p, uint64_t n, uint64_t align, uint64_t *entry)
{
    uint64_t pad = align == 8 ? 8 : 4;
    while (n >= sizeof(Elf32_Nhdr)) {
        Elf32_Nhdr h;
        memcpy(&h, p, sizeof(h));
        uint64_t name = sizeof(h), desc = name + ALIGN_UP((uint64_t)h.n_namesz, pad);
        uint64_t total = desc + ALIGN_UP((uint64_t)h.n_descsz, pad);
        if (desc > n || h.n_descsz > n - desc) {
            return false;
        }
        if (h.n_type == NOTE_PHYS32_ENTRY && h.n_namesz == 4 && !memcmp(p + name, "Xen", 4) &&
            (h.n_descsz == 4 || h.n_descsz == 8)) {
            *entry = 0;
            memcpy(entry, p + desc, h.n_descsz);
            return true;
        }
        if (total >= n) {
            return false;
        }
        p += total;
        n -= total;
    }
    return false;
}

static bool pvh_entry(const ElfFile *f, uint64_t *entry)
{
    for (unsigned i = 0; i < f->phnum; i++) {
        Segment s = segment(f, i);
        if (s.type == PT_NOTE && s.filesz <= MAX_NOTE && range_ok(f->n, s.off, s.filesz) &&
            find_note(f->image + s.off, s.filesz, s.align, entry)) {
            return true;
        }
    }
    return false;
}

typedef struct PvhStart {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist, cmdline, rsdp, memmap;
    uint32_t memmap_entries, reserved;
} PvhStart;

typedef struct PvhModule {
    uint64_t addr, size, cmdline, reserved;
} PvhModule;

typedef struct PvhMemmap {
    uint64_t addr, size;
    uint32_t type, reserved;
} PvhMemmap;

typedef struct PvhInfo {
    PvhStart start;
    PvhModule module;
    PvhMemmap map[E820_MAX];
} PvhInfo;

static bool add_info(BootPlan *p, const BootEnv *env, uint64_t kernel_end, Error *err)
{
    uint64_t initrd = 0;
    if (env->initrd_len) {
        initrd = boot_find_top(p, env, ALIGN_UP(kernel_end, 4096), 4 * GiB, env->initrd_len);
        if (!initrd) {
            return error_set(err, "-initrd: %zu bytes do not fit in memory beside the kernel",
                             env->initrd_len);
        }
        if (!boot_add(p, env, initrd, env->initrd, env->initrd_len, "-initrd", err)) {
            return false;
        }
    }
    PvhInfo *info = NEW(PvhInfo);
    info->start = (PvhStart){
        .magic = PVH_MAGIC, .version = 1, .cmdline = BOOT_CMDLINE, .rsdp = env->rsdp,
        .memmap = BOOT_INFO + offsetof(PvhInfo, map), .memmap_entries = env->map.n,
    };
    if (initrd) {
        info->start.nr_modules = 1;
        info->start.modlist = BOOT_INFO + offsetof(PvhInfo, module);
        info->module = (PvhModule){ initrd, env->initrd_len, 0, 0 };
    }
    for (unsigned i = 0; i < env->map.n; i++) {
        const E820Entry *e = &env->map.e[i];
        info->map[i] = (PvhMemmap){ e->start, e->size, e->type, 0 };
    }
    p->rbx = BOOT_INFO;
    return boot_add_owned(p, env, BOOT_INFO, info, sizeof(*info), "start info", err);
}

bool elf_plan(BootPlan *p, const BootEnv *env, const uint8_t *image, size_t n, Error *err)
{
    ElfFile f;
    uint64_t entry, ignored, end;
    if (!open_elf(&f, image, n, err)) {
        return false;
    }
    if (!pvh_entry(&f, &entry)) {
        return error_set(err, "is an ELF file without a PVH entry note or multiboot header");
    }
    if (entry > UINT32_MAX) {
        return error_set(err, "has its PVH entry at 0x%" PRIx64 ", above 4 GiB", entry);
    }
    p->mode = BOOT_PROT32;
    p->what = "ELF, PVH entry";
    p->entry = entry;
    return elf_load_segments(p, env, image, n, &ignored, &end, err) &&
           boot_add_tables(p, env, err) &&
           boot_add_cmdline(p, env, BOOT_CMDLINE_MAX, err) && add_info(p, env, end, err);
}

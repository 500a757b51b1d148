/* SPDX-License-Identifier: MIT */
/*
 * What translation costs: builds the blocks of real code (the executable segments of an
 * ELF file) one behind the other and prints nanoseconds per guest instruction.
 *   cost [-m kernel|user|window] [-n ROUNDS] [-b BLOCKS] [-p KIB] [-hot] FILE
 * hot: the same BLOCKS in each round (the translator's own code and data stay cached);
 * cold: other blocks each round, and before each one a piece of memory of the size of a
 * level-2 cache (or -p) is read (not counted), as a guest that runs between two builds does. The
 * registers point into range B, so guesses are looked for but mostly right.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#undef PF_W /* ours means something else */
#include "accel/tcg/tcg.h"
#include "hw/core/machine.h"
#include "target-x86/create.h"
#include "target-x86/decode.h"
#include "target-x86/engine.h"
#include "target-x86/native.h"
#include "target-x86/softmmu.h"
#include "target-x86/tcg_ops.h"
#include "target-x86/template.h"
#include "target-x86/window.h"
#include "tcg/codebuf.h"
#include "util/alloc.h"

enum { RAM = 64 << 20, CODE = 0x100000 };

static unsigned pollute_size = 1 << 20;

static MemoryRegion ram;
static X86Cpu *cpu;
static Machine *machine;

static bool rig_init(Machine *m, Error *err)
{
    if (!memory_init_ram(&ram, m, "ram", RAM, err)) {
        return false;
    }
    memory_add(&m->mem_root, &ram, 0, 0);
    m->ncpus = 1;
    m->cpus[0] = m->cpu_factory->create(m, 0, err);
    return m->cpus[0] != NULL;
}

static const MachineClass rig_class = {
    .name = "rig",
    .size = sizeof(Machine),
    .default_ram = RAM,
    .max_cpus = 1,
    .init = rig_init,
};
const MachineClass *const machine_classes[] = { &rig_class, NULL };
const DeviceClass *const device_classes[] = { NULL };

static void release(Machine *m, void *arg)
{
    accel_tcg_class.destroy(m);
}

static bool make_machine(Error *err)
{
    static TcgOptions opts = { .backend = 0, .tb_size = 64 * MiB };
    static const MachineConfig cfg = { .ram_size = RAM, .cpus = 1, .cpu_model = "max" };

    tcg_set_guest(&x86_tcg_ops);
    machine = machine_create(&rig_class, &cfg, err);
    if (!machine) {
        return false;
    }
    machine->cpu_factory = &x86_cpu_factory;
    machine->release = release;
    if (!accel_tcg_class.init_machine(machine, &opts, err) ||
        !machine_init(machine, err)) {
        return false;
    }
    cpu = X86_CPU(machine->cpus[0]);
    cpu_self = &cpu->cpu;
    return true;
}

/* Puts the executable segments into RAM from CODE on; returns their size. */
static size_t load(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *to = memory_host(&ram) + CODE;
    Elf64_Ehdr eh;
    Elf64_Phdr ph;
    size_t size = 0;

    if (!f || fread(&eh, sizeof(eh), 1, f) != 1 ||
        memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64) {
        fprintf(stderr, "cost: %s is no 64-bit ELF file\n", path);
        exit(1);
    }
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        if (fseek(f, (long)(eh.e_phoff + i * sizeof(ph)), SEEK_SET) ||
            fread(&ph, sizeof(ph), 1, f) != 1) {
            break;
        }
        size_t room = RAM - CODE - 4096 - size;
        if (ph.p_type == PT_LOAD && ph.p_flags & PF_X &&
            !fseek(f, (long)ph.p_offset, SEEK_SET)) {
            size += fread(to + size, 1, MIN(ph.p_filesz, room), f);
        }
    }
    fclose(f);
    return size;
}

static void pin_state(void)
{
    static const uint64_t b = 0x7ffd00001000;
    for (unsigned i = 0; i < 16; i++) {
        cpu->st.gpr[i] = b;
    }
    x86_env(cpu)->win_a = 0x555500002000 >> WIN_A_SHIFT;
    cpu->st.rip = b;
}

typedef struct Sum {
    uint64_t blocks, insns, bytes, build, decode, host;
} Sum;

static uint64_t decode_only(const Tb *tb, const uint8_t *bytes, uint32_t mode)
{
    static X86Insn insns[TB_MAX_INSNS];
    uint64_t begun = __builtin_ia32_rdtsc();
    unsigned at = 0;

    for (unsigned i = 0; i < tb->ninsns; i++) {
        int len = x86_decode(&insns[i], bytes + at, 15, mode, cpu->feat);
        at += len > 0 ? (unsigned)len : 1;
    }
    return __builtin_ia32_rdtsc() - begun;
}

static unsigned pollute(const uint8_t *junk)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < pollute_size; i += 64) {
        sum += junk[i];
    }
    return sum;
}

/* Builds up to `blocks` blocks from *at on; false: the code is at its end. */
static bool walk(Sum *s, size_t *at, size_t size, unsigned blocks, uint32_t mode,
                 const uint8_t *junk)
{
    static volatile unsigned sink;
    TbCache *c = x86_engine.cache;

    while (blocks && *at + 16 < size) {
        const uint8_t *bytes = memory_host(&ram) + CODE + *at;
        if (junk) {
            sink += pollute(junk);
        }
        uint64_t ticks = c->build_ticks, host = c->native_bytes;
        cpu->st.rip = 0x7ffd00001000 + ((CODE + *at) & 4095);
        Tb *tb = x86_build(cpu, bytes, CODE + *at, false, mode, X86_NEED_ALL);
        if (!tb) {
            ++*at;
            continue;
        }
        s->build += c->build_ticks - ticks;
        s->host += c->native_bytes - host;
        s->blocks++;
        s->insns += tb->ninsns;
        s->bytes += tb->size;
        if (junk) {
            sink += pollute(junk);
        }
        s->decode += decode_only(tb, bytes, mode);
        *at += tb->size;
        blocks--;
    }
    return blocks == 0;
}

static void print(const char *name, const Sum *s, double ns)
{
    printf(
        "%-5s %6.1f ns/insn  decoding %5.1f   insns/block %4.1f  host/guest bytes %4.1f\n",
        name, s->build * ns / s->insns, s->decode * ns / s->insns,
        (double)s->insns / s->blocks, (double)s->host / s->bytes);
}

/* The quickest round counts: the machine may have other work. */
static void keep_best(Sum *best, const Sum *s)
{
    if (s->insns && (!best->insns ||
                     (double)s->build / s->insns < (double)best->build / best->insns)) {
        *best = *s;
    }
}

static double ns_per_tick(void)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    uint64_t t = __builtin_ia32_rdtsc();
    do {
        clock_gettime(CLOCK_MONOTONIC, &b);
    } while ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec) < 2e7);
    double ns = (b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec);
    return ns / (__builtin_ia32_rdtsc() - t);
}

int main(int argc, char **argv)
{
    uint32_t mode = HF_CS64 | HF_PE | HF_LMA | HF_MP | HF_OSFXSR | HF_AVX | X86_KEY_SMAP |
                    X86_KEY_WIN;
    unsigned rounds = 10, blocks = 2000;
    bool hot_only = false;
    const char *file = NULL;
    Error err = ERROR_INIT;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-m") && i + 1 < argc) {
            const char *m = argv[++i];
            mode &= ~(X86_KEY_WIN | X86_KEY_CPL0);
            mode |= *m == 'w' ? X86_KEY_WIN : *m == 'k' ? X86_KEY_CPL0 : 0;
        } else if (!strcmp(argv[i], "-n") && i + 1 < argc) {
            rounds = (unsigned)atoi(argv[++i]);
        } else if (!strcmp(argv[i], "-hot")) { /* only that: for profilers */
            hot_only = true;
        } else if (!strcmp(argv[i], "-p") && i + 1 < argc) {
            pollute_size = (unsigned)atoi(argv[++i]) * 1024;
        } else if (!strcmp(argv[i], "-b") && i + 1 < argc) {
            blocks = (unsigned)atoi(argv[++i]);
        } else {
            file = argv[i];
        }
    }
    if (!file) {
        fprintf(
            stderr,
            "usage: cost [-m kernel|user|window] [-n rounds] [-b blocks] [-p KiB] [-hot] FILE\n");
        return 1;
    }
    if (!make_machine(&err)) {
        error_report(&err);
        return 1;
    }
    size_t size = load(file), at = 0;
    uint8_t *junk = calloc(1, pollute_size + 1);
    double ns = ns_per_tick();
    Sum hot = { 0 }, cold = { 0 };
    bool more = true;

    memset(junk, 1, pollute_size);
    pin_state();
    for (unsigned i = 0; i < rounds; i++) {
        Sum s = { 0 };
        at = size / 3;
        walk(&s, &at, size, blocks, mode, NULL);
        keep_best(&hot, &s);
        tb_flush(x86_engine.cache, NULL);
    }
    at = size / 3;
    for (unsigned i = 0; !hot_only && i < rounds && more; i++) {
        Sum s = { 0 };
        more = walk(&s, &at, size, blocks, mode, junk);
        keep_best(&cold, &s);
    }
    if (hot.insns) {
        print("hot", &hot, ns);
    }
    if (cold.insns) {
        print("cold", &cold, ns);
    }
    free(junk);
    machine_destroy(machine);
    return 0;
}

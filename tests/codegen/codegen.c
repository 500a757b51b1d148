/* SPDX-License-Identifier: MIT */
/*
 * Prints the host code of fixed guest instructions (cases.inc) as the template translator
 * makes it in one mode: `codegen kernel|user|window`. No address and no feature of this host
 * is in it: fields of the vCPU and thunks have names, both CPUs are pinned to one model.
 * tests/codegen/check compares with the reviewed files, `make codegen-update` writes them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#include "util/disas.h"

enum { RAM = 4 << 20, CODE = 0x100000, OFFSET = 0x100, K = 1, U = 2, W = 4 };

/* ---- the cases: assembled into this program ---- */

#define CASE(name_, modes_, text_)                                                     \
    __asm__(".pushsection .rodata\ncase_" #name_ ": " text_ "\ncase_end_" #name_ ":\n" \
            ".popsection");                                                            \
    extern const uint8_t case_##name_[], case_end_##name_[];
#include "tests/codegen/cases.inc"
#undef CASE

typedef struct Case {
    const char *name, *modes, *text;
    const uint8_t *code, *end;
} Case;

#define CASE(name_, modes_, text_) \
    { #name_, #modes_, text_, case_##name_, case_end_##name_ },
static const Case cases[] = {
#include "tests/codegen/cases.inc"
};

/* ---- a machine with nothing but RAM ---- */

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

static void release(Machine *m, void *arg) { accel_tcg_class.destroy(m); }

static bool make_machine(Error *err)
{
    static TcgOptions opts = { .backend = 0, .tb_size = 16 * MiB };
    static const MachineConfig cfg = { .ram_size = RAM,
                                       .cpus = 1,
                                       .cpu_model = "Haswell-noTSX,+adx,+smap,+rdtscp" };

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
    x86_host_pin(cpu->feat);
    return true;
}

/* ---- names of what host code refers to ---- */

typedef struct Name {
    size_t off, size; /* in the env area */
    const char *name;
} Name;

#define ST(field)                                                         \
    {                                                                     \
        offsetof(X86State, field), sizeof(((X86State *)0)->field), #field \
    }
#define VCPU(field)                                                   \
    {                                                                 \
        offsetof(X86Cpu, field), sizeof(((X86Cpu *)0)->field), #field \
    }
#define ENV(field)                                              \
    {                                                           \
        ALIGN_UP(sizeof(X86Cpu), 64) + offsetof(TcgEnv, field), \
            sizeof(((TcgEnv *)0)->field), "env." #field         \
    }
#define SEG(n, name)                                                                \
    {                                                                               \
        offsetof(X86State, seg) + (n) * sizeof(X86Seg) + offsetof(X86Seg, base), 8, \
            name ".base"                                                            \
    }

static const Name names[] = {
    ST(gpr),
    ST(rip),
    ST(rflags),
    ST(tsc_offset),
    ST(msr),
    ST(cr0),
    ST(cr2),
    ST(cr3),
    ST(cr4),
    SEG(R_FS, "fs"),
    SEG(R_GS, "gs"),
    ST(seg),
    ST(int_shadow),
    ST(pkru),
    ST(cpl),
    ST(efer),
    ST(xcr0),
    VCPU(mmu_idx),
    VCPU(hflags),
    VCPU(next_rip),
    VCPU(win_on),
    VCPU(cpu.request),
    VCPU(cpu.exit_request),
    ENV(rd),
    ENV(wr),
    ENV(jmp),
    ENV(vbase),
    ENV(cc),
    ENV(scratch),
    ENV(host_rsp),
    ENV(thunk),
    ENV(ret),
    ENV(site),
    ENV(punt),
    ENV(tlb_rd),
    ENV(tlb_wr),
    ENV(win_delta),
    ENV(win_a),
    ENV(win_missed),
    ENV(pauses),
    ENV(win_misses),
};

static const char *const gpr_names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                           "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                           "r12", "r13", "r14", "r15" };

static void field_name(uint64_t off, char *to, size_t n)
{
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const Name *v = &names[i];
        if (off < v->off || off - v->off >= v->size) {
            continue;
        }
        uint64_t in = off - v->off;
        if (v->off == offsetof(X86State, gpr)) {
            snprintf(to, n, "guest.%s%s", gpr_names[in / 8], in & 4 ? "+4" : "");
        } else if (v->off == offsetof(X86State, msr)) {
            snprintf(to, n, "msr"); /* which one depends on the struct's layout */
        } else {
            snprintf(to, n, in ? "%s+%u" : "%s", v->name, (unsigned)in);
        }
        return;
    }
    snprintf(to, n, "vcpu");
}

static const char *thunk_name(uint64_t off)
{
    static const struct {
        const char *name;
        const uint32_t *off;
    } thunks[] = {
        { "mem", &x86_thunks.mem },         { "exec", &x86_thunks.exec },
        { "miss", &x86_thunks.miss },       { "leave", &x86_thunks.leave },
        { "chain_h", &x86_thunks.chain_h }, { "chain_e", &x86_thunks.chain_e },
        { "syscall", &x86_thunks.syscall }, { "sysret", &x86_thunks.sysret },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(thunks); i++) {
        if (*thunks[i].off == off) {
            return thunks[i].name;
        }
    }
    return "thunk";
}

/* ---- one line of host code ---- */

enum { TEXT = 160, MAX_LABELS = 256 };

typedef struct Listing {
    const Tb *tb;
    uint32_t label[MAX_LABELS]; /* code offsets that are jumped to, in the body */
    unsigned nlabels;
} Listing;

static bool is_jump(const char *text)
{
    return text[0] == 'j' || !strncmp(text, "call ", 5);
}

/* Target of a direct jump or call. */
static bool target_of(const char *text, uint64_t *to)
{
    const char *p = strstr(text, " 0x");
    if (!is_jump(text) || !p || strchr(text, '[')) {
        return false;
    }
    *to = strtoull(p + 1, NULL, 16);
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void find_labels(Listing *l, const uint8_t *code)
{
    const Tb *tb = l->tb;
    for (uint32_t at = tb->code_off; at < tb->code_end;) {
        char text[TEXT];
        uint64_t to;
        size_t n = disas_one(code + at, tb->code_end - at, at, 64, text, sizeof(text));
        if (target_of(text, &to) && to >= tb->code_off && to < tb->code_end &&
            l->nlabels < MAX_LABELS) {
            l->label[l->nlabels++] = (uint32_t)to;
        }
        at += n ? n : 1;
    }
    qsort(l->label, l->nlabels, sizeof(l->label[0]), by_value);
    unsigned kept = 0;
    for (unsigned i = 0; i < l->nlabels; i++) {
        if (!i || l->label[i] != l->label[i - 1]) {
            l->label[kept++] = l->label[i];
        }
    }
    l->nlabels = kept;
}

static int label_at(const Listing *l, uint64_t off)
{
    for (unsigned i = 0; i < l->nlabels; i++) {
        if (l->label[i] == off) {
            return (int)i;
        }
    }
    return -1;
}

static void print_jump(const Listing *l, const char *text, uint64_t to)
{
    const Tb *tb = l->tb;
    int n = (int)(strstr(text, " 0x") - text), label = label_at(l, to);

    printf("    %.*s ", n, text);
    for (unsigned i = 0; i < tb->nexits; i++) {
        if (tb_exit(tb, i)->stub_off == to) {
            printf("<exit %u>\n", i);
            return;
        }
    }
    if (label >= 0) {
        printf("<L%d>\n", label);
    } else if (to >= x86_engine.cache->code->cold_start) {
        printf("<out of line>\n");
    } else {
        printf("<%s>\n", thunk_name(to));
    }
}

/* "[rip + 0x...]" becomes the field's name, a pointer to our own data "<pointer>". */
static void print_line(const Listing *l, const char *text, uint32_t next)
{
    uint64_t to;
    if (target_of(text, &to)) {
        print_jump(l, text, to);
        return;
    }
    const char *rip = strstr(text, "[rip ");
    if (rip) {
        char field[64];
        int64_t disp = (int64_t)strtoull(rip + 7, NULL, 16);
        disp = rip[5] == '-' ? -disp : disp;
        field_name((uint64_t)(next + disp + CODE_ENV_SIZE), field, sizeof(field));
        printf("    %.*s[%s]%s\n", (int)(rip - text), text, field, strchr(rip, ']') + 1);
        return;
    }
    /* shorter where the arena lies low: said as if it did not */
    bool low = !strncmp(text, "mov r10d, 0x", 12);
    const char *imm = low || !strncmp(text, "movabs", 6) ? strstr(text, ", 0x") : NULL;
    if (imm) {
        const char *p = (const char *)strtoull(imm + 2, NULL, 16);
        const TbCache *c = x86_engine.cache;
        if (p >= c->arena && p < c->arena + c->arena_size) {
            printf("    movabs r10, <pointer>\n");
            return;
        }
    }
    printf("    %s\n", text);
}

static void print_code(const Listing *l, const uint8_t *code, uint32_t from, uint32_t to)
{
    while (from < to) {
        char text[TEXT];
        size_t n = disas_one(code + from, to - from, from, 64, text, sizeof(text));
        int label = label_at(l, from);
        if (label >= 0) {
            printf("  L%d:\n", label);
        }
        print_line(l, text, from + (uint32_t)(n ? n : 1));
        from += n ? n : 1;
    }
}

/* ---- one case ---- */

static void pin_state(void)
{
    X86State *st = &cpu->st;
    static const uint64_t b = 0x7ffd00001000, a = 0x555500002000;

    memset(st->gpr, 0, sizeof(st->gpr));
    st->gpr[R_SP] = st->gpr[R_BP] = st->gpr[R_BX] = st->gpr[R_SI] = st->gpr[R_12] = b;
    st->gpr[R_10] = b;
    st->gpr[R_AX] = 0x200000000000; /* in no window */
    st->gpr[R_DI] = st->gpr[R_8] = a;
    x86_env(cpu)->win_a = a >> WIN_A_SHIFT;
    st->rip = b + OFFSET;
}

static unsigned count_insns(const Case *k, uint32_t mode)
{
    unsigned n = 0;
    X86Insn in;
    for (const uint8_t *p = k->code; p < k->end; n++) {
        int len = x86_decode(&in, p, (unsigned)(k->end - p), mode, cpu->feat);
        if (len <= 0) {
            fprintf(stderr, "codegen: %s: instruction %u is not known\n", k->name, n);
            exit(1);
        }
        p += len;
    }
    return n;
}

/* Each case begins at the same place of a page and of the buffer. */
static void one(const Case *k, unsigned n, uint32_t mode)
{
    uint64_t at = CODE + n * 0x1000 + OFFSET;
    CodeBuf *buf = x86_engine.cache->code;
    Listing l = { 0 };

    pin_state();
    memset(memory_host(&ram) + at, 0x90, 0x800);
    memcpy(memory_host(&ram) + at, k->code, k->end - k->code);
    buf->used = ALIGN_UP(buf->used, 64);
    x86_engine.max_insns = count_insns(k, mode);
    l.tb = x86_build(cpu, memory_host(&ram) + at, at, false, mode, X86_NEED_ALL);
    if (!l.tb || !l.tb->code_end) {
        fprintf(stderr, "codegen: %s: no block\n", k->name);
        exit(1);
    }
    const Tb *tb = l.tb;
    printf("== %s\n", k->name);
    find_labels(&l, buf->rw);
    TbInsn m, next;
    tb_insn(tb, 0, UINT32_MAX, &m);
    print_code(&l, buf->rw, tb->entry_e, tb->code_off + m.host);
    for (unsigned i = 0; i < tb->ninsns; i++) {
        char text[TEXT];
        tb_insn(tb, i, UINT32_MAX, &m);
        tb_insn(tb, i + 1, UINT32_MAX, &next);
        uint32_t from = tb->code_off + m.host;
        uint32_t to = i + 1u < tb->ninsns ? tb->code_off + next.host : tb->code_end;
        unsigned left = tb->size - m.guest;
        disas_one(k->code + m.guest, left, OFFSET + m.guest, 64, text, sizeof(text));
        printf("%s\n", text);
        print_code(&l, buf->rw, from, to);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        char letter;
        uint32_t mode;
    } modes[] = {
        { "kernel", 'K', X86_KEY_CPL0 | X86_KEY_SMAP },
        { "user", 'U', X86_KEY_SMAP },
        { "window", 'W', X86_KEY_SMAP | X86_KEY_WIN },
    };
    const uint32_t common = HF_CS64 | HF_PE | HF_LMA | HF_MP | HF_OSFXSR | HF_AVX;
    Error err = ERROR_INIT;
    char text[TEXT];

    if (!disas_one((const uint8_t *)"\x90", 1, 0, 64, text, sizeof(text))) {
        printf("SKIP: no disassembler\n");
        return 77;
    }
    if (!make_machine(&err)) {
        error_report(&err);
        return 1;
    }
    for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
        for (unsigned i = 0;
             argc == 2 && !strcmp(argv[1], modes[m].name) && i < ARRAY_SIZE(cases); i++) {
            if (strchr(cases[i].modes, modes[m].letter)) {
                one(&cases[i], i, common | modes[m].mode);
            }
        }
    }
    machine_destroy(machine);
    return 0;
}

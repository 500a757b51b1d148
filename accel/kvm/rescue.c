/* SPDX-License-Identifier: MIT */
/*
 * Rescue: KVM_RUN ended because KVM cannot execute an instruction. The state is read out,
 * the software engine executes that instruction (or delivers the event that was under
 * way), the state goes back. Its translations are forgotten each time: KVM's guest changed
 * page tables meanwhile. The vCPU's thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "accel/kvm/kvm_int.h"
#include "target-x86/models.h"
#include "target-x86/softmmu.h"
#include "util/disas.h"
#include "util/log.h"

const X86SoftStep *kvm_soft_step;

static unsigned fetch(KvmVcpu *v, uint8_t *bytes, unsigned max)
{
    Cpu *cpu = v->cpu;
    uint64_t lin = cpu->ops->get_pc(cpu), gpa;
    unsigned n = 0;
    while (n < max && cpu->ops->translate(cpu, lin + n, &gpa) &&
           memory_read(&cpu->machine->mem, gpa, bytes + n, 1)) {
        n++;
    }
    return n;
}

/* The text of the disassembler's line behind address and bytes. */
static const char *text_of(char *line)
{
    char *colon = strchr(line, ':');
    char *p = colon ? strstr(colon + 3, "  ") : NULL;
    line[strcspn(line, "\n")] = 0;
    while (p && *p == ' ') {
        p++;
    }
    return p ? p : line;
}

void kvm_describe_insn(KvmVcpu *v, char *name, size_t nn, char *bytes, size_t nb)
{
    uint8_t code[15];
    unsigned n = fetch(v, code, sizeof(code));
    char *line = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&line, &len);
    size_t used = n ? disas_count(f, code, n, v->cpu->ops->get_pc(v->cpu),
                                  v->cpu->ops->code_bits(v->cpu), 1)
                    : 0;
    fclose(f);
    snprintf(name, nn, "%s", used ? text_of(line) : "(not readable)");
    free(line);
    bytes[0] = 0;
    for (size_t i = 0; i < used && 3 * i + 3 < nb; i++) {
        snprintf(bytes + 3 * i, nb - 3 * i, "%02x%s", code[i], i + 1 < used ? " " : "");
    }
}

/* "lock cmpxchg16b xmmword ptr [rdi]" counts as "lock cmpxchg16b". */
static void count(KvmVcpu *v, const char *text)
{
    static const char *const prefixes[] = { "lock ", "rep ", "repe ", "repne " };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (!strncmp(text, prefixes[i], strlen(prefixes[i]))) {
            n = strlen(prefixes[i]);
        }
    }
    n += strcspn(text + n, " ");
    KvmRescue *r = v->by_mnemonic;
    n = MIN(n, sizeof(r->name) - 1);
    for (unsigned i = 0; i < KVM_MNEMONICS; i++, r++) {
        if (!r->count || (!strncmp(r->name, text, n) && !r->name[n])) {
            memcpy(r->name, text, n);
            r->count++;
            return;
        }
    }
}

static bool prepare(KvmVcpu *v, char *why, size_t n)
{
    KvmMachine *k = v->k;
    Error err = ERROR_INIT;
    if (!kvm_soft_step) {
        snprintf(why, n, "no software engine is built in");
        return false;
    }
    if (!k->page_flags) {
        void *p = mmap(NULL, k->m->ram_max >> 12, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        k->page_flags = p == MAP_FAILED ? NULL : p;
    }
    if (v->x86->engine) {
        return true; /* ours, or the TCG accelerator's that ran it before */
    }
    if (!k->page_flags || !kvm_soft_step->prepare(v->x86, k->page_flags, &err)) {
        snprintf(why, n, "%s", err.msg ? err.msg : "no memory");
        error_free(&err);
        return false;
    }
    v->soft_ready = true;
    return true;
}

/* KVM refused the instruction for its own reason, not because the CPU model lacks it: some
 * hosts run guest code natively, CPUID included. The software engine may use all it has. */
static void features_as_host(X86Cpu *cpu)
{
    for (unsigned i = 0; i < X86F_NWORDS; i++) {
        cpu->feat[i] |= x86_tcg_features()[i];
    }
    if (cpu->st.xcr0 & XCR0_AVX512) { /* XSAVE and XRSTOR move its state */
        cpu->feat[X86F_AVX512F / 32] |= 1u << X86F_AVX512F % 32;
    }
}

/* An instruction that exists, of a feature that the guest was shown and only KVM has? What
 * no CPU knows, and what the guest's CPU has not, is #UD. */
static bool beyond_software(KvmVcpu *v, const uint32_t *shown, const char *text)
{
    const uint32_t *have = x86_tcg_features();
    uint8_t code[15];
    uint32_t more = 0;
    for (unsigned i = 0; i < X86F_NWORDS; i++) {
        more |= shown[i] & ~have[i];
    }
    if (!more || text[0] == '(' || !strncmp(text, "ud", 2)) {
        return false;
    }
    unsigned n = fetch(v, code, sizeof(code));
    return n && !kvm_soft_step->knows(v->x86, code, n);
}

/* Pages that the software engine found for stores of ring 0; its TLB is empty before. */
static uint64_t kernel_stores(const KvmVcpu *v)
{
    const TcgEnv *env = x86_env(v->x86);
    return env->fill[1][1] + env->fill[2][1];
}

bool kvm_rescue(KvmVcpu *v, char *why, size_t n)
{
    kvm_get_state(v);
    return kvm_soft_here(v, true, why, n);
}

bool kvm_soft_here(KvmVcpu *v, bool counted, char *why, size_t n)
{
    char text[96] = "", bytes[64];
    X86State *st = &v->x86->st;
    if (!prepare(v, why, n)) {
        return false;
    }
    bool event = st->event.valid;
    uint64_t rip = st->rip;
    kvm_describe_insn(v, text, sizeof(text), bytes, sizeof(bytes));
    kvm_soft_step->flush(v->x86);
    uint32_t feat[X86F_NWORDS];
    memcpy(feat, v->x86->feat, sizeof(feat));
    features_as_host(v->x86);
    bool known = event || !beyond_software(v, feat, text);
    uint64_t stores = kernel_stores(v);
    bool stepped = known && kvm_soft_step->step(v->x86);
    if (kernel_stores(v) != stores) { /* perhaps to a page table */
        kvm_drop_shadow(v->k);
    }
    memcpy(v->x86->feat, feat, sizeof(feat));
    if (!stepped) {
        snprintf(why, n, known ? "the CPU is halted" : "it does not know the instruction either");
        return false;
    }
    if (counted) {
        v->rescues++;
        count(v, event ? "(event)" : text);
    }
    log_unimp("kvm: rescue of %s (%s) at %#" PRIx64 "\n", text, bytes, rip);
    kvm_put_state(v);
    return true;
}

void kvm_rescue_free(KvmMachine *k)
{
    for (unsigned i = 0; i < MACHINE_MAX_CPUS; i++) {
        if (k->vcpu[i].soft_ready) {
            kvm_soft_step->finish(k->vcpu[i].x86);
            k->vcpu[i].soft_ready = false;
        }
    }
    if (k->page_flags) {
        munmap((void *)k->page_flags, k->m->ram_max >> 12);
        k->page_flags = NULL;
    }
}

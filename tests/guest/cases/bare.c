/* SPDX-License-Identifier: MIT */
/*
 * The judge of the host's KVM: the least program that can run the cases under /dev/kvm, and
 * nothing of dyad in it. `bare IMAGE CMDLINE CPUS` starts a multiboot image (ELF32) with the
 * kernel's own interrupt chips, gives what the guest writes to port E9H to stdout and ends
 * with the status of port F4H, or 99 and a line on stderr where KVM_RUN cannot go on. A case
 * that comes out wrong here is the host's doing. KVM API: Documentation/virt/kvm/api.rst.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RAM = 64 << 20, INFO = 0x9000, LINE = 0x9100, MAX_CPUS = 4, CANNOT = 99 };

static int kvm, vm, run_size;
static uint8_t *ram, scratch[4];

static void fail(const char *what)
{
    fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    _exit(CANNOT);
}

static int call(int fd, unsigned long request, void *arg, const char *name)
{
    int got = ioctl(fd, request, arg);
    if (got < 0) {
        fail(name);
    }
    return got;
}
#define CALL(fd, request, arg) call(fd, request, (void *)(uintptr_t)(arg), #request)

static uint32_t load(const char *path)
{
    FILE *f = fopen(path, "rb");
    static uint8_t file[4 << 20];
    size_t n = f ? fread(file, 1, sizeof(file), f) : 0;
    const Elf32_Ehdr *h = (const void *)file;
    if (n < sizeof(*h)) {
        fail(path);
    }
    for (int i = 0; i < h->e_phnum; i++) {
        const Elf32_Phdr *p = (const void *)(file + h->e_phoff + i * sizeof(*p));
        if (p->p_type == PT_LOAD && p->p_paddr + p->p_filesz <= RAM &&
            p->p_offset + p->p_filesz <= n) {
            memcpy(ram + p->p_paddr, file + p->p_offset, p->p_filesz);
        }
    }
    fclose(f);
    return h->e_entry;
}

/* Ports and the scratch memory of dyad's test device; every other port reads as ones. */
static void port(const struct kvm_run *r)
{
    uint8_t *data = (uint8_t *)r + r->io.data_offset;
    unsigned size = r->io.size, at = r->io.port;
    for (unsigned i = 0; i < r->io.count; i++, data += size) {
        if (r->io.direction == KVM_EXIT_IO_IN) {
            memset(data, 0xff, size);
            if (at == 0xe9) {
                *data = 0xe9;
            } else if (at >= 0xe0 && at + size <= 0xe4) {
                memcpy(data, scratch + at - 0xe0, size);
            }
        } else if (at == 0xe9) {
            putchar_unlocked(*data);
            if (*data == '\n') {
                fflush(stdout);
            }
        } else if (at == 0xf4) {
            fflush(stdout);
            _exit(*data << 1 | 1);
        } else if (at >= 0xe0 && at + size <= 0xe4) {
            memcpy(scratch + at - 0xe0, data, size);
        } else if (at >= 0x2000 && at < 0x2010) {
            struct kvm_irq_level line = { .irq = at - 0x2000, .level = *data };
            CALL(vm, KVM_IRQ_LINE, &line);
        }
    }
}

static void memory(struct kvm_run *r)
{
    static uint8_t mem[0x10000];
    uint64_t at = r->mmio.phys_addr - 0xff000000u;
    if (at + r->mmio.len > sizeof(mem)) {
        memset(r->mmio.data, 0xff, sizeof(r->mmio.data));
    } else if (r->mmio.is_write) {
        memcpy(mem + at, r->mmio.data, r->mmio.len);
    } else {
        memcpy(r->mmio.data, mem + at, r->mmio.len);
    }
}

/* An instruction that the host's KVM does not know is told to the guest as #UD, so that the
 * cases behind it can run. Not twice at one place: its handler may not get through either. */
static int no_instruction(int fd)
{
    static __thread uint64_t last;
    struct kvm_regs g;
    struct kvm_vcpu_events e;
    CALL(fd, KVM_GET_REGS, &g);
    CALL(fd, KVM_GET_VCPU_EVENTS, &e);
    if (g.rip == last || e.exception.injected) {
        return 0;
    }
    last = g.rip;
    printf("# no such instruction at %llx\n", (unsigned long long)g.rip);
    e.exception = (typeof(e.exception)){ .injected = 1, .nr = 6 };
    CALL(fd, KVM_SET_VCPU_EVENTS, &e);
    return 1;
}

static void *run(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct kvm_run *r = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (r == MAP_FAILED) {
        fail("mmap of a CPU");
    }
    for (;;) {
        if (ioctl(fd, KVM_RUN, NULL) < 0 && errno != EINTR && errno != EAGAIN) {
            fail("KVM_RUN");
        }
        switch (r->exit_reason) {
        case KVM_EXIT_IO: port(r); break;
        case KVM_EXIT_MMIO: memory(r); break;
        case KVM_EXIT_INTR:
        case KVM_EXIT_IRQ_WINDOW_OPEN: break;
        case KVM_EXIT_INTERNAL_ERROR:
            if (r->internal.suberror == KVM_INTERNAL_ERROR_EMULATION &&
                no_instruction(fd)) {
                break;
            }
            fprintf(stderr, "bare: internal error %u\n", r->internal.suberror);
            fflush(stdout);
            _exit(CANNOT);
        default:
            fprintf(stderr, "bare: exit %u\n", r->exit_reason);
            fflush(stdout);
            _exit(CANNOT);
        }
    }
}

/* What the host supports, with the CPU's own number in it. */
static void set_cpuid(int fd, unsigned cpu, unsigned cpus)
{
    struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
    c->nent = 256;
    CALL(kvm, KVM_GET_SUPPORTED_CPUID, c);
    for (unsigned i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *e = &c->entries[i];
        if (e->function == 1) {
            e->ebx = (e->ebx & 0xffff) | cpu << 24 | cpus << 16;
        } else if (e->function == 0xb || e->function == 0x1f) {
            e->edx = cpu;
        }
    }
    CALL(fd, KVM_SET_CPUID2, c);
    free(c);
}

static void set_start(int fd, uint32_t entry)
{
    struct kvm_sregs s;
    struct kvm_regs g = { .rip = entry, .rax = 0x2badb002, .rbx = INFO, .rflags = 2 };
    struct kvm_segment flat = { .limit = 0xffffffff,
                                .selector = 0x10,
                                .type = 3,
                                .present = 1,
                                .db = 1,
                                .s = 1,
                                .g = 1 };
    CALL(fd, KVM_GET_SREGS, &s);
    s.ds = s.es = s.fs = s.gs = s.ss = flat;
    flat.selector = 8;
    flat.type = 11;
    s.cs = flat;
    s.cr0 = 0x11;
    CALL(fd, KVM_SET_SREGS, &s);
    CALL(fd, KVM_SET_REGS, &g);
}

int main(int argc, char **argv)
{
    unsigned cpus = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
    if (cpus < 1 || cpus > MAX_CPUS) {
        fprintf(stderr, "usage: bare IMAGE CMDLINE CPUS\n");
        return CANNOT;
    }
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        fail("/dev/kvm");
    }
    vm = CALL(kvm, KVM_CREATE_VM, 0);
    run_size = CALL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    CALL(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
    CALL(vm, KVM_CREATE_IRQCHIP, 0);
    struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
    CALL(vm, KVM_CREATE_PIT2, &pit);
    ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region slot = { .memory_size = RAM,
                                                .userspace_addr = (uintptr_t)ram };
    CALL(vm, KVM_SET_USER_MEMORY_REGION, &slot);
    uint32_t entry = load(argv[1]);
    const uint32_t info[5] = { 5, 640, RAM / 1024 - 1024, 0,
                               LINE }; /* memory, command line */
    memcpy(ram + INFO, info, sizeof(info));
    strncpy((char *)ram + LINE, argv[2], 200);
    int fds[MAX_CPUS];
    for (unsigned i = 0; i < cpus; i++) {
        fds[i] = CALL(vm, KVM_CREATE_VCPU, i);
        set_cpuid(fds[i], i, cpus);
    }
    set_start(fds[0], entry);
    for (unsigned i = 1; i < cpus; i++) {
        pthread_t t;
        pthread_create(&t, NULL, run, (void *)(intptr_t)fds[i]);
    }
    run((void *)(intptr_t)fds[0]);
    return CANNOT;
}

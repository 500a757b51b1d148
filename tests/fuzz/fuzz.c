/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer: fuzz_NAME [-seconds N] [-seed N] [FILE...]. Files are run once each, in
 * order. The work is done in a child; what it died of is told by the parent, with the
 * input in fuzz-NAME.crash. Exit status 0: nothing found.
 */
#include "tests/fuzz/fuzz.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLAIN __attribute__((no_sanitize_coverage, no_sanitize("address", "undefined")))

enum { MAP = 1 << 16, CORPUS = 4096, HANG_SECONDS = 20 };

typedef struct Shared {
    uint64_t runs;
    uint32_t corpus, edges;
    size_t len;
    uint8_t data[FUZZ_MAX];
} Shared;

static Shared *shared;
static uint64_t rng;

/* ---- coverage ---- */

static uint8_t hits[MAP] __attribute__((aligned(8))), seen[MAP];
static uintptr_t last_pc;

void __sanitizer_cov_trace_pc(void);
PLAIN void __sanitizer_cov_trace_pc(void)
{
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    hits[(pc ^ last_pc >> 1 ^ pc >> 16) % MAP]++;
    last_pc = pc;
}

PLAIN static uint8_t bucket(uint8_t n)
{
    return n == 0 ? 0 : n < 4 ? n : n < 8 ? 4 : n < 32 ? 8 : n < 128 ? 16 : 32;
}

/* Were edges, or counts of them, met that no input met before? */
PLAIN static bool new_coverage(void)
{
    bool fresh = false;
    for (unsigned w = 0; w < MAP; w += 8) {
        if (!*(uint64_t *)(hits + w)) {
            continue;
        }
        for (unsigned i = w; i < w + 8; i++) {
            uint8_t b = bucket(hits[i]);
            if (b & ~seen[i]) {
                shared->edges += !seen[i];
                seen[i] |= b;
                fresh = true;
            }
            hits[i] = 0;
        }
    }
    return fresh;
}

/* ---- inputs ---- */

typedef struct Input {
    uint8_t *data;
    size_t len;
} Input;

static Input corpus[CORPUS];
static unsigned ncorpus;

static uint64_t rnd(void)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return rng * 0x2545f4914f6cdd1dull;
}

static void keep(const uint8_t *data, size_t len)
{
    Input *in = &corpus[ncorpus < CORPUS ? ncorpus++ : rnd() % CORPUS];
    free(in->data);
    in->data = malloc(len ? len : 1);
    memcpy(in->data, data, len);
    in->len = len;
    shared->corpus = ncorpus;
}

static uint64_t interesting(void)
{
    static const uint64_t v[] = {
        0,      1,       2,          0x7f,       0x80,       0xff,  0x7fff,    0x8000,
        0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, ~0ull, 1ull << 63
    };
    return v[rnd() % (sizeof(v) / sizeof(v[0]))] + (rnd() % 8 ? 0 : rnd() % 5 - 2);
}

static size_t mutate(uint8_t *d, size_t n)
{
    for (unsigned k = 1 + rnd() % 6; k--;) {
        size_t at = n ? rnd() % n : 0, room = n - at, size = 1u << rnd() % 4;
        uint64_t v = interesting();
        const Input *other = &corpus[rnd() % ncorpus];
        switch (n ? rnd() % 9 : 8) {
        case 0: d[at] ^= 1u << rnd() % 8; break;
        case 1: d[at] = rnd(); break;
        case 2: memcpy(d + at, &v, size < room ? size : room); break;
        case 3: d[at] += rnd() % 35 - 17; break;
        case 4: { /* cut out */
            size_t cut = 1 + rnd() % (room < 32 ? room : 32);
            memmove(d + at, d + at + cut, room - cut);
            n -= cut;
            break;
        }
        case 5: { /* say again */
            size_t len = 1 + rnd() % (room < 64 ? room : 64);
            if (n + len <= FUZZ_MAX) {
                memmove(d + at + len, d + at, room);
                n += len;
            }
            break;
        }
        case 6: /* a piece of another */
            if (other->len) {
                size_t from = rnd() % other->len, len = other->len - from;
                len = len < room ? len : room;
                memcpy(d + at, other->data + from, 1 + rnd() % len);
            }
            break;
        case 7: /* cut off */ n = rnd() % 8 ? n : at; break;
        default:
            for (unsigned i = 0; i < 8 && n < FUZZ_MAX; i++) {
                d[n++] = rnd();
            }
        }
    }
    return n;
}

/* ---- the child ---- */

static void run(const uint8_t *data, size_t len)
{
    memcpy(shared->data, data, len);
    shared->len = len;
    alarm(HANG_SECONDS);
    last_pc = 0;
    fuzz_one(data, len);
    shared->runs++;
}

static void work(double seconds)
{
    static uint8_t buf[FUZZ_MAX];
    time_t end = time(NULL) + (time_t)seconds;
    size_t n;

    fuzz_init();
    new_coverage();
    for (unsigned i = 0; (n = fuzz_seed(i, buf)) != 0; i++) {
        run(buf, n);
        new_coverage();
        keep(buf, n);
    }
    while (time(NULL) < end) {
        const Input *in = &corpus[rnd() % ncorpus];
        memcpy(buf, in->data, in->len);
        n = mutate(buf, in->len);
        run(buf, n);
        if (new_coverage()) {
            keep(buf, n);
        }
    }
}

static int run_files(int n, char **files)
{
    static uint8_t buf[FUZZ_MAX];

    fuzz_init();
    for (int i = 0; i < n; i++) {
        FILE *f = fopen(files[i], "rb");
        if (!f) {
            perror(files[i]);
            return 1;
        }
        size_t len = fread(buf, 1, sizeof(buf), f);
        fclose(f);
        run(buf, len);
        printf("ok %s\n", files[i]);
    }
    return 0;
}

static void save_input(void)
{
    char path[100];
    snprintf(path, sizeof(path), "fuzz-%s.crash", fuzz_name);
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(shared->data, 1, shared->len, f);
        fclose(f);
        printf("  its input is in %s\n", path);
    }
}

int main(int argc, char **argv)
{
    double seconds = 10;
    int status, i = 1;

    rng = (uint64_t)time(NULL) * 2654435761u | 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (!strcmp(argv[i], "-seconds")) {
            seconds = atof(argv[i + 1]);
        } else if (!strcmp(argv[i], "-seed")) {
            rng = strtoull(argv[i + 1], NULL, 0) | 1;
        } else {
            printf("fuzz: no option '%s'; there are -seconds N, -seed N\n", argv[i]);
            return 1;
        }
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    if (i < argc) {
        return run_files(argc - i, argv + i);
    }
    printf("%s: seed %llu\n", fuzz_name, (unsigned long long)rng);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work(seconds);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("%s: %llu inputs, %u kept, %u edges: %s\n", fuzz_name,
           (unsigned long long)shared->runs, shared->corpus, shared->edges,
           ok                                                   ? "nothing found"
           : WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "HANGS"
                                                                : "BREAKS");
    if (!ok) {
        save_input();
    }
    return !ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool ready;
    if (!ready) {
        fuzz_init();
        ready = true;
    }
    fuzz_one(data, n);
    return 0;
}

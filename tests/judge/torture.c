/* SPDX-License-Identifier: MIT */
/*
 * torture: random instruction sequences against the host CPU (judge.h), in several worker
 * processes; a report of the rows covered; cases from files. A worker that dies or hangs
 * is a difference too: the parent names its case.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target-x86/decode.h"
#include "tests/judge/judge.h"
#include "tests/unit/insn_gen.h"

enum { MAX_JOBS = 64, HANG_SECONDS = 60, SKIPPED = 77 };

static const char usage[] =
    "usage: torture [-seed N] [-first N] [-count N | -seconds N] [-jobs N] [-row MNEMONIC]\n"
    "               [-mode 64|32|16] [-engine NAME | -without NAME] [-mem soft|window] [-out DIR]\n"
    "               [-report FILE] [-keep-going] [-kicks NANOSECONDS] [-cache DIR]\n"
    "       torture [-mem soft|window] -case FILE...\n"
    "-kicks: signals so often throughout; else every fourth block of cases has some.\n"
    "-cache: blocks of engine native, and no other, are kept there, and taken from there.\n"
    "-jobs 0 stays in one process. -first N -count 1 -jobs 0 repeats case N of a seed.\n";

static struct {
    uint64_t seed, first, count, seconds, kicks;
    unsigned jobs;
    const char *row, *mode, *out, *report, *mem, *cache;
    bool keep_going;
} opt = { .seed = 1, .jobs = 1, .out = "." };

typedef struct Worker {
    _Atomic uint64_t now; /* the case it is at */
    _Atomic uint64_t beat;
    JudgeCounts counts;
} Worker;

typedef struct Shared {
    _Atomic uint64_t next; /* blocks of 256 cases given out */
    _Atomic uint32_t stop, differences;
    uint32_t features[X86F_NWORDS];
    bool evex; /* AVX-512 state is there */
    Worker worker[MAX_JOBS];
} Shared;

static Shared *shared;
JudgeCounts *judge_counts;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* ---- differences ---- */

static void write_case(const JudgeCase *c, const char *what)
{
    char path[500], comment[200];

    snprintf(path, sizeof(path), "%s/seed%llu-%llu.case", opt.out,
             (unsigned long long)opt.seed, (unsigned long long)c->id);
    FILE *f = fopen(path, "w");
    if (!f) {
        printf("  %s: %s\n", path, strerror(errno));
        return;
    }
    snprintf(comment, sizeof(comment), "%s; seed %llu case %llu", what,
             (unsigned long long)opt.seed, (unsigned long long)c->id);
    case_write(c, f, comment);
    fclose(f);
    printf("  kept as %s\n", path);
}

/* What differed when it was first seen: it may depend on what ran before. */
static FILE *first;
static char *first_text;
static size_t first_size;

static void report_difference(JudgeCase *c)
{
    static JudgeMem mem;
    static uint8_t ro[RO_SIZE];
    char *text = NULL, what[60] = "differs once, not again";
    size_t size;
    JudgeCounts *counts = judge_counts;

    judge_counts = NULL; /* trials do not count */
    mem = *c->mem;
    memcpy(ro, c->ro, RO_SIZE);
    c->mem = &mem;
    c->ro = ro;
    case_shrink(c, &mem, ro);
    FILE *f = open_memstream(&text, &size);
    fprintf(f, "DIFFERENCE seed %llu case %llu\n", (unsigned long long)opt.seed,
            (unsigned long long)c->id);
    case_show(c, f);
    JudgeResult r = judge_case(c, f);
    if (r.valid && r.engine >= 0) {
        snprintf(what, sizeof(what), "%s differs", judge_engine_names[r.engine]);
    } else {
        fflush(first);
        fprintf(f, "  %s; at first:\n%.*s", what, (int)first_size, first_text);
    }
    fclose(f);
    fputs(text, stdout);
    free(text);
    write_case(c, what);
    fflush(stdout);
    judge_counts = counts;
}

/* ---- a worker ---- */

/* Of several workers every second one uses windows, unless told. */
static bool windows(unsigned index)
{
    return opt.mem ? !strcmp(opt.mem, "window") : index & 1;
}

static bool worker_init(unsigned index)
{
    const char *why;

    x86_decode_init();
    if (!host_init(&why)) {
        printf("SKIP: %s\n", why);
        exit(SKIPPED);
    }
    if (!rig_init(windows(index), opt.cache)) {
        exit(1);
    }
    host_take_signals();
    memcpy(shared->features, rig_features(), sizeof(shared->features));
    shared->evex = rig_xcr0() & XCR0_OPMASK;
    if (!gen_only(opt.row, opt.mode)) {
        printf("torture: no instruction for -row %s -mode %s\n",
               opt.row ? opt.row : "any", opt.mode ? opt.mode : "any");
        exit(1);
    }
    gen_w_everywhere = true;
    gen_init(opt.seed);
    return true;
}

static void one_case(uint64_t id)
{
    static JudgeCase c;

    if (!gen_case(&c, id)) {
        judge_counts->refused++;
        return;
    }
    if (!first) {
        first = open_memstream(&first_text, &first_size);
    }
    rewind(first);
    JudgeResult r = judge_case(&c, first);
    if (!r.valid) {
        judge_counts->refused++;
        return;
    }
    judge_counts->cases++;
    judge_counts->insns += c.steps;
    if (r.engine >= 0) {
        judge_counts->differences++;
        if (atomic_fetch_add(&shared->differences, 1) >= 10 && !opt.keep_going) {
            atomic_store(&shared->stop, 1);
            return;
        }
        report_difference(&c);
    }
}

static void work(unsigned index)
{
    Worker *w = &shared->worker[index];

    judge_counts = &w->counts;
    worker_init(index);
    while (!atomic_load(&shared->stop)) {
        uint64_t block = atomic_fetch_add(&shared->next, 1) * 256;
        /* every fourth block of cases with kicks */
        host_kicks(opt.kicks ? (unsigned)MIN(opt.kicks + block / 256 % 16 * 500, 999999999u)
                   : (block + opt.first) / 256 % 4 == 3 ? 30000 + block / 256 % 16 * 5000
                                                        : 0);
        for (uint64_t i = block; i < block + 256; i++) {
            if (opt.count && i >= opt.count) {
                return;
            }
            atomic_store_explicit(&w->now, opt.first + i, memory_order_relaxed);
            atomic_fetch_add_explicit(&w->beat, 1, memory_order_relaxed);
            one_case(opt.first + i);
            judge_counts->kicks = rig_kicks();
            judge_counts->traces = rig_traces();
            judge_counts->kept = rig_kept();
        }
    }
}

/* ---- the parent ---- */

static bool supervise(pid_t *pid, unsigned jobs)
{
    uint64_t beat[MAX_JOBS] = { 0 };
    double silent[MAX_JOBS] = { 0 }, last = seconds_now(), end = last + opt.seconds;
    unsigned left = jobs;
    bool ok = true, skip = false;

    while (left) {
        usleep(20000);
        /* time in which the host had stopped us, and the workers, too, does not count */
        double now = seconds_now(), step = MIN(now - last, 0.2);
        last = now;
        if (opt.seconds && seconds_now() > end) {
            atomic_store(&shared->stop, 1);
        }
        for (unsigned i = 0; i < jobs; i++) {
            int status;
            Worker *w = &shared->worker[i];
            if (!pid[i]) {
                continue;
            }
            if (w->beat != beat[i]) {
                beat[i] = w->beat;
                silent[i] = 0;
            } else if ((silent[i] += step) > HANG_SECONDS) {
                printf("HANG seed %llu case %llu\n", (unsigned long long)opt.seed,
                       (unsigned long long)w->now);
                kill(pid[i], SIGKILL);
                silent[i] = 0;
            }
            if (waitpid(pid[i], &status, WNOHANG) != pid[i]) {
                continue;
            }
            if (WIFSIGNALED(status)) {
                printf("DIED by signal %d: seed %llu case %llu\n", WTERMSIG(status),
                       (unsigned long long)opt.seed, (unsigned long long)w->now);
                fflush(stdout);
                ok = false;
            } else if (WEXITSTATUS(status) == SKIPPED) {
                skip = true;
            } else if (WEXITSTATUS(status)) {
                ok = false;
            }
            pid[i] = 0;
            left--;
        }
    }
    if (skip) {
        exit(SKIPPED);
    }
    return ok;
}

static uint64_t row_total(unsigned row, unsigned mode)
{
    uint64_t n = 0;
    for (unsigned w = 0; w < MAX_JOBS; w++) {
        n += shared->worker[w].counts.row[row][mode];
    }
    return n;
}

static bool feature_there(unsigned f)
{
    return !f || shared->features[f / 32] >> (f % 32) & 1;
}

static const char *why_not(const X86Row *row)
{
    const char *denied = oracle_denied(row);
    return denied ? denied
           : !feature_there(row->feat) || (row->flags & RF_AVX512 && !shared->evex)
               ? "host or dyad lacks it"
               : "not met";
}

/* Rows by family: covered, and those that are not with the reason. */
static void coverage(FILE *f)
{
    unsigned all = 0, covered = 0, missed = 0, mode_rows[JUDGE_NMODES] = { 0 };

    for (unsigned i = 0; i < judge_nrows; i++) {
        uint64_t n = 0;
        for (unsigned m = 0; m < JUDGE_NMODES; m++) {
            uint64_t k = row_total(i, m);
            mode_rows[m] += k > 0;
            n += k;
        }
        all++;
        covered += n > 0;
        if (!n) {
            const X86Row *r = judge_rows[i];
            static const char *const enc[] = { "", "VEX ", "EVEX " };
            const char *why = why_not(r);
            missed += !strcmp(why, "not met");
            fprintf(f, "not covered: %-12s %smap %u op %02x family %s: %s\n", r->name,
                    enc[r->enc], r->map, r->op, judge_row_family[i], why);
        }
    }
    fprintf(f, "rows %u covered %u (64-bit %u, 32-bit %u, 16-bit %u) not met %u\n", all,
            covered, mode_rows[JUDGE_64], mode_rows[JUDGE_32], mode_rows[JUDGE_16],
            missed);
}

static void totals(FILE *f, double seconds)
{
    uint64_t cases = 0, insns = 0, refused = 0, diffs = 0, kicks = 0, traces = 0;
    uint64_t kept = 0;

    for (unsigned w = 0; w < MAX_JOBS; w++) {
        const JudgeCounts *k = &shared->worker[w].counts;
        cases += k->cases;
        insns += k->insns;
        refused += k->refused;
        diffs += k->differences;
        kicks += k->kicks;
        traces += k->traces;
        kept += k->kept;
    }
    fprintf(
        f,
        "sequences %llu instructions %llu differences %llu (seed %llu, %.1f s, %.0f/s, "
        "%llu tries came to nothing, %llu signals in generated code, %llu traces, "
        "%llu instructions kept)\n",
        (unsigned long long)cases, (unsigned long long)insns, (unsigned long long)diffs,
        (unsigned long long)opt.seed, seconds, cases / seconds,
        (unsigned long long)refused, (unsigned long long)kicks,
        (unsigned long long)traces, (unsigned long long)kept);
}

static bool torture(void)
{
    pid_t pid[MAX_JOBS] = { 0 };
    double begin = seconds_now();
    bool ok = true;

    if (opt.jobs == 0) {
        work(0);
    } else {
        fflush(stdout);
        for (unsigned i = 0; i < opt.jobs; i++) {
            pid[i] = fork();
            if (pid[i] == 0) {
                work(i);
                fflush(stdout);
                rig_end();
                _exit(0);
            }
        }
        ok = supervise(pid, opt.jobs);
        x86_decode_init();
        judge_nrows = 0;
        for (const X86RowTable *t = x86_row_tables; t->rows; t++) {
            for (unsigned i = 0; i < t->count; i++) {
                judge_row_family[judge_nrows] = t->name;
                judge_rows[judge_nrows++] = &t->rows[i];
            }
        }
    }
    totals(stdout, seconds_now() - begin);
    if (opt.report) {
        FILE *f = fopen(opt.report, "w");
        if (!f) {
            printf("torture: %s: %s\n", opt.report, strerror(errno));
            return false;
        }
        totals(f, seconds_now() - begin);
        coverage(f);
        fclose(f);
    }
    return ok && !shared->differences;
}

/* ---- files ---- */

static bool run_file(const char *path)
{
    static JudgeCase c;
    static JudgeMem mem;
    static uint8_t ro[RO_SIZE];
    char what[100];
    FILE *f = fopen(path, "r");

    if (!f) {
        printf("%s: %s\n", path, strerror(errno));
        return false;
    }
    bool ok = case_read(&c, &mem, ro, f, what);
    fclose(f);
    if (!ok) {
        printf("%s: %s\n", path, what);
        return false;
    }
    if (!host_has_mode(c.mode)) {
        printf("SKIP %s: the host cannot run %s-bit code\n", path,
               judge_mode_names[c.mode]);
        return true;
    }
    JudgeResult r = judge_case(&c, stdout);
#ifdef CONFIG_SANITIZER /* some of its addresses are the sanitizer's */
    if (!r.valid) {
        printf("SKIP %s: void in a sanitizer build\n", path);
        return true;
    }
#endif
    printf("%s %s\n", !r.valid ? "VOID" : r.engine >= 0 ? "FAIL" : "ok", path);
    if (r.engine >= 0) {
        case_show(&c, stdout);
    }
    return r.valid && r.engine < 0;
}

/* ---- options ---- */

static bool set_engine(const char *name, bool without)
{
    for (unsigned e = 0; e < JUDGE_NENGINES; e++) {
        if (!strcmp(name, judge_engine_names[e])) {
            judge_engines = without         ? judge_engines & ~(1u << e)
                            : e == ENG_WARM ? 1u << ENG_WARM | 1u << ENG_NATIVE
                                            : 1u << e;
            return true;
        }
    }
    printf("torture: no engine '%s'; there are", name);
    for (unsigned e = 0; e < JUDGE_NENGINES; e++) {
        printf(" %s", judge_engine_names[e]);
    }
    printf("\n");
    return false;
}

static bool option(const char *name, const char *value)
{
    const struct {
        const char *name;
        uint64_t *number;
        const char **text;
    } rows[] = {
        { "-seed", &opt.seed, NULL },   { "-first", &opt.first, NULL },
        { "-count", &opt.count, NULL }, { "-seconds", &opt.seconds, NULL },
        { "-row", NULL, &opt.row },     { "-mode", NULL, &opt.mode },
        { "-out", NULL, &opt.out },     { "-report", NULL, &opt.report },
        { "-mem", NULL, &opt.mem },     { "-kicks", &opt.kicks, NULL },
        { "-cache", NULL, &opt.cache },
    };
    if (!strcmp(name, "-engine") || !strcmp(name, "-without")) {
        return set_engine(value, name[1] == 'w');
    }
    if (!strcmp(name, "-jobs")) {
        opt.jobs = MIN(strtoul(value, NULL, 0), (unsigned long)MAX_JOBS);
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(name, rows[i].name)) {
            continue;
        }
        if (rows[i].text) {
            *rows[i].text = value;
            return true;
        }
        char *end;
        *rows[i].number = strtoull(value, &end, 0);
        if (*end || !*value) {
            printf("torture: %s takes a number, not '%s'\n", name, value);
            return false;
        }
        return true;
    }
    printf("torture: no option '%s'\n%s", name, usage);
    return false;
}

int main(int argc, char **argv)
{
    bool ok = true;

    shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-case")) {
            worker_init(0);
            while (++i < argc) {
                ok &= run_file(argv[i]);
            }
            return ok ? 0 : 1;
        } else if (!strcmp(argv[i], "-keep-going")) {
            opt.keep_going = true;
        } else if (!strcmp(argv[i], "-help") || i + 1 == argc) {
            fputs(usage, stdout);
            return strcmp(argv[i], "-help") != 0;
        } else if (!option(argv[i], argv[i + 1])) {
            return 1;
        } else {
            i++;
        }
    }
    if (!opt.count && !opt.seconds) {
        opt.count = 20000;
    }
    if (opt.cache) { /* the file is made for one set of options */
        judge_engines = 1u << ENG_NATIVE;
    }
    return torture() ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/* Executable memory: one memfd, a writer's mapping, a view per vCPU (codebuf.h). */
#include "tcg/codebuf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "util/alloc.h"
#include "util/fsbase.h"
#include "util/prefault.h"

CodeBuf *codebuf_create(size_t size, Error *err)
{
    CodeBuf *b = NEW(CodeBuf);

    b->size = ALIGN_UP(size, 4096);
    b->rw = MAP_FAILED;
    b->fd = memfd_create("dyad-code", MFD_CLOEXEC);
    if (b->fd >= 0 && ftruncate(b->fd, b->size) == 0) {
        b->rw = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
    }
    codebuf_region(b, 0, b->size);
    if (b->rw == MAP_FAILED) {
        error_set(err, "cannot make a code buffer of %zu bytes: %s", size,
                  strerror(errno));
        codebuf_destroy(b);
        return NULL;
    }
    return b;
}

enum { COLD_PIECE = 64 * 1024, WORTH = 4 * 1024 * 1024 };

static void populate(CodeBuf *b, size_t from, size_t n)
{
    if (prefault_on()) {
        prefault_ask(b->rw + from, n, 0);
    } else {
        (void)madvise(b->rw + from, n, 23 /* MADV_POPULATE_WRITE, Linux 5.14 */);
    }
}

/* Pages of the writer's mapping that are not about to be written again: it need not have
 * them (what they hold stays). Regions smaller than WORTH come round too often. */
static void let_go(CodeBuf *b, size_t from, size_t to)
{
    if (from < to) {
        (void)madvise(b->rw + from, to - from, MADV_DONTNEED);
    }
}

void codebuf_region(CodeBuf *b, size_t from, size_t to)
{
    if (from != b->region && to - from >= WORTH) {
        /* jumps are patched soon after they were made, mostly: the last region stays */
        let_go(b, 0, MIN(from, b->region));
        let_go(b, MAX(to, b->region + (to - from)), b->size);
        b->region = from;
    }
    b->used = MAX(from, b->fixed);
    b->backed = from;
    b->cold_start = b->cold_used = b->cold_end = b->cold_backed = to;
    b->cold_piece = MIN(ALIGN_UP((to - from) / 16, 4096), (size_t)COLD_PIECE);
}

void codebuf_back(CodeBuf *b)
{
    enum { AHEAD = 64 * 1024, ASKED_AHEAD = 512 * 1024, STEP = 256 * 1024 };
    size_t ahead = prefault_on() ? ASKED_AHEAD : AHEAD;

    while (b->backed < b->cold_start && b->used + ahead > b->backed) {
        size_t n = MIN((size_t)STEP, b->cold_start - b->backed);
        populate(b, b->backed, n);
        b->backed += n;
    }
}

bool codebuf_cold(CodeBuf *b, size_t hot_end, size_t n)
{
    if (n <= b->cold_end - b->cold_used) {
        return true;
    }
    n = MAX(ALIGN_UP(n, 4096), b->cold_piece);
    if (hot_end > b->cold_start || n > b->cold_start - hot_end) {
        return false;
    }
    b->cold_end = b->cold_start;
    b->cold_start -= n;
    b->cold_used = b->cold_start;
    /* the next piece as well, if it costs us no time */
    size_t low = b->cold_start - (prefault_on() ? MIN(n, b->cold_start - hot_end) & ~4095ul : 0);
    if (low < b->cold_backed) {
        populate(b, low, b->cold_backed - low);
        b->cold_backed = low;
    }
    return true;
}

void codebuf_destroy(CodeBuf *b)
{
    if (!b) {
        return;
    }
    if (b->rw != MAP_FAILED) {
        munmap(b->rw, b->size);
    }
    if (b->fd >= 0) {
        close(b->fd);
    }
    free(b);
}

void *codebuf_view(CodeBuf *b, Error *err)
{
    size_t size = CODE_ENV_SIZE + (b ? b->size : 0);
    char *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                   0);

    if (p == MAP_FAILED ||
        mmap(p, CODE_ENV_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
        (b && mmap(p + CODE_ENV_SIZE, b->size, PROT_READ | PROT_EXEC,
                   MAP_SHARED | MAP_FIXED, b->fd, 0) == MAP_FAILED)) {
        error_set(err, "cannot map the code buffer: %s", strerror(errno));
        return NULL;
    }
    return p;
}

bool codebuf_view_at(CodeBuf *b, void *env_area, Error *err)
{
    if (b && mmap((char *)env_area + CODE_ENV_SIZE, b->size, PROT_READ | PROT_EXEC,
                  MAP_SHARED | MAP_FIXED, b->fd, 0) == MAP_FAILED) {
        return error_set(err, "cannot map the code buffer: %s", strerror(errno));
    }
    return true;
}

void codebuf_view_free(CodeBuf *b, void *env_area)
{
    fsbase_code_remove(codebuf_rx(env_area));
    munmap(env_area, CODE_ENV_SIZE + (b ? b->size : 0));
}

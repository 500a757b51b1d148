/* SPDX-License-Identifier: MIT */
/* Executable memory: one memfd, a writer's mapping, a view per vCPU (codebuf.h). */
#include "tcg/codebuf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "util/alloc.h"

CodeBuf *codebuf_create(size_t size, Error *err)
{
    CodeBuf *b = NEW(CodeBuf);

    b->size = ALIGN_UP(size, 4096);
    b->rw = MAP_FAILED;
    b->cold_start = b->cold_used = b->cold_backed = ALIGN_UP(b->size / 16 * 9, 4096);
    b->fd = memfd_create("dyad-code", MFD_CLOEXEC);
    if (b->fd >= 0 && ftruncate(b->fd, b->size) == 0) {
        b->rw = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
    }
    if (b->rw == MAP_FAILED) {
        error_set(err, "cannot make a code buffer of %zu bytes: %s", size,
                  strerror(errno));
        codebuf_destroy(b);
        return NULL;
    }
    return b;
}

static void back(CodeBuf *b, size_t *backed, size_t used, size_t end)
{
    enum { AHEAD = 64 * 1024, STEP = 256 * 1024 };
    while (*backed < end && used + AHEAD > *backed) {
        size_t n = MIN((size_t)STEP, end - *backed);
        (void)madvise(b->rw + *backed, n, 23 /* MADV_POPULATE_WRITE, Linux 5.14 */);
        *backed += n;
    }
}

void codebuf_back(CodeBuf *b)
{
    back(b, &b->backed, b->used, b->cold_start);
    back(b, &b->cold_backed, b->cold_used, b->size);
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
    munmap(env_area, CODE_ENV_SIZE + (b ? b->size : 0));
}

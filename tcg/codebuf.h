/* SPDX-License-Identifier: MIT */
/*
 * Executable memory. One memfd holds the code; it is mapped read-write once (for the
 * translator) and read-execute once per vCPU, each time right behind that vCPU's private
 * env area. No page is ever writable and executable, and code reaches its vCPU's env
 * RIP-relative.
 */
#ifndef TCG_CODEBUF_H
#define TCG_CODEBUF_H

#include "util/compiler.h"
#include "util/error.h"

enum { CODE_ENV_SIZE = 256 * 1024 }; /* private bytes before each view */

typedef struct CodeBuf {
    int fd;
    size_t size;         /* bytes */
    size_t fixed;        /* thunks at the start, which stay */
    /* The region being filled (the cache's lock). Code that is seldom run lies at its end,
     * so that the rest is dense in the host's caches: that grows from the region's start
     * (used: bump pointer) to cold_start, cold code downwards in pieces, of which the last
     * is filled from cold_used to cold_end. */
    size_t used, cold_start, cold_used, cold_end, cold_piece;
    size_t region;       /* its start */
    size_t backed;       /* end of what the host has been asked to back, and */
    size_t cold_backed;  /* start of the same in cold code */
    uint8_t *rw;         /* writer's mapping */
} CodeBuf;

CodeBuf *codebuf_create(size_t size, Error *err);
void codebuf_destroy(CodeBuf *b);
/* Goes on with the region [from, to). The cache's lock. */
void codebuf_region(CodeBuf *b, size_t from, size_t to);
/* Before writing at `used`: lets the host back the memory there in pieces larger than a
 * page (a first touch is a fault). The cache's lock. */
void codebuf_back(CodeBuf *b);
/* Room for n bytes of cold code at cold_used while the rest ends at hot_end: false if the
 * region has none. */
bool codebuf_cold(CodeBuf *b, size_t hot_end, size_t n);
/* A vCPU's view: returns the start of its env area (CODE_ENV_SIZE bytes, zeroed); the
 * code follows. b NULL: an env area alone. */
void *codebuf_view(CodeBuf *b, Error *err);
/* The same in an env area that exists, with room behind it. */
bool codebuf_view_at(CodeBuf *b, void *env_area, Error *err);
void codebuf_view_free(CodeBuf *b, void *env_area);
static inline uint8_t *codebuf_rx(void *env_area)
{
    return (uint8_t *)env_area + CODE_ENV_SIZE;
}

#endif

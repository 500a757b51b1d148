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

enum { CODE_ENV_SIZE = 64 * 1024 }; /* private bytes before each view */

typedef struct CodeBuf {
    int fd;
    size_t size, used;   /* bytes; used: bump pointer (the cache's lock) */
    size_t fixed;        /* thunks at the start that a flush keeps */
    size_t backed, cold_backed; /* ends of what the host has been asked to back */
    /* code that is seldom run lies behind cold_start, so that the rest is dense in the
     * host's caches; cold_used: its bump pointer */
    size_t cold_start, cold_used;
    uint8_t *rw;         /* writer's mapping */
} CodeBuf;

CodeBuf *codebuf_create(size_t size, Error *err);
void codebuf_destroy(CodeBuf *b);
/* Before writing at `used`: lets the host back the memory there in pieces larger than a
 * page (a first touch is a fault). The cache's lock. */
void codebuf_back(CodeBuf *b);
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

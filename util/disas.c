/* SPDX-License-Identifier: MIT */
/*
 * Disassembly on capstone, x86 only. One handle per mode, opened at first use and kept:
 * opening costs more than a block. A mutex guards them, since vCPU threads log.
 */
#include "util/disas.h"

#include <inttypes.h>
#include <pthread.h>

#include <capstone/capstone.h>
#include "util/lazylib.h"

enum { MAX_INSN = 15 };

#define CS_FNS(F) F(cs_disasm_iter) F(cs_free) F(cs_malloc) F(cs_open)
static struct {
    CS_FNS(LAZY_FIELD)
} lib; /* handles_lock, as what follows */
static const char *const lib_names[] = { CS_FNS(LAZY_NAME) NULL };
static LazyLib lib_file = { SONAME_CAPSTONE, lib_names, (void **)&lib, false };

static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    csh handle;
    bool open;
} handles[3]; /* handles_lock; 16, 32, 64 */

static csh *handle_locked(int mode)
{
    static const cs_mode modes[3] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };
    int i = mode == 64 ? 2 : mode == 32 ? 1 : 0;
    if (!handles[i].open) {
        Error err = ERROR_INIT;
        if (!lazylib_load(&lib_file, &err)) {
            error_free(&err); /* disassembly shows bytes only */
            return NULL;
        }
        if (lib.cs_open(CS_ARCH_X86, modes[i], &handles[i].handle) != CS_ERR_OK) {
            return NULL;
        }
        handles[i].open = true;
    }
    return &handles[i].handle;
}

static void print_line(FILE *f, uint64_t addr, const uint8_t *bytes, size_t n,
                       const char *text, const char *operands)
{
    char hex[3 * MAX_INSN + 1];
    size_t len = 0;
    for (size_t i = 0; i < n && i < MAX_INSN; i++) {
        len += (size_t)snprintf(hex + len, sizeof(hex) - len, "%02x ", bytes[i]);
    }
    hex[len] = 0;
    fprintf(f, "%016" PRIx64 ":  %-30s %s%s%s\n", addr, hex, text, operands[0] ? " " : "",
            operands);
}

size_t disas_count(FILE *f, const uint8_t *bytes, size_t n, uint64_t addr, int mode,
                   unsigned count)
{
    size_t used = 0;
    pthread_mutex_lock(&handles_lock);
    csh *h = handle_locked(mode);
    cs_insn *insn = h ? lib.cs_malloc(*h) : NULL;
    for (unsigned i = 0; i < count && used < n; i++) {
        const uint8_t *p = bytes + used;
        size_t left = n - used;
        uint64_t at = addr + used;
        if (insn && lib.cs_disasm_iter(*h, &p, &left, &at, insn)) {
            print_line(f, insn->address, insn->bytes, insn->size, insn->mnemonic,
                       insn->op_str);
            used += insn->size;
            continue;
        }
        if (used > 0 && n - used < MAX_INSN && count != UINT32_MAX) {
            break;
        }
        print_line(f, addr + used, bytes + used, 1, "(bad)", "");
        used++;
    }
    if (insn) {
        lib.cs_free(insn, 1);
    }
    pthread_mutex_unlock(&handles_lock);
    return used;
}

void disas(FILE *f, const uint8_t *bytes, size_t n, uint64_t addr, int mode)
{
    disas_count(f, bytes, n, addr, mode, UINT32_MAX);
}

size_t disas_one(const uint8_t *bytes, size_t n, uint64_t addr, int mode, char *text,
                 size_t size)
{
    size_t used = 0;
    pthread_mutex_lock(&handles_lock);
    csh *h = handle_locked(mode);
    cs_insn *insn = h ? lib.cs_malloc(*h) : NULL;
    if (insn && lib.cs_disasm_iter(*h, &bytes, &n, &addr, insn)) {
        used = insn->size;
        snprintf(text, size, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "",
                 insn->op_str);
    } else {
        snprintf(text, size, "(bad)");
    }
    if (insn) {
        lib.cs_free(insn, 1);
    }
    pthread_mutex_unlock(&handles_lock);
    return used;
}

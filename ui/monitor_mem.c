/* SPDX-License-Identifier: MIT */
/*
 * Monitor commands that look at guest memory and ports: x, xp, memsave, pmemsave,
 * gva2gpa, print, i, o. Virtual addresses are linear addresses of the chosen vCPU,
 * translated without side effects.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/machine.h"
#include "ui/monitor.h"
#include "util/disas.h"

enum { PAGE = 4096, MAX_COUNT = 65536, MAX_INSN = 15, MAX_STRING = 4096 };

/* A span of guest memory: virtual if cpu is set. */
typedef struct Span {
    Machine *m;
    Cpu *cpu;
} Span;

/* How many of n bytes at addr could be read before the first that cannot. */
static uint64_t span_read(const Span *s, uint64_t addr, uint8_t *to, uint64_t n)
{
    uint64_t done = 0;
    while (done < n) {
        uint64_t at = addr + done, gpa = at;
        uint64_t len = MIN(n - done, PAGE - at % PAGE);
        if (s->cpu && !s->cpu->ops->translate(s->cpu, at, &gpa)) {
            break;
        }
        if (!memory_read(&s->m->mem, gpa, to + done, len)) {
            break;
        }
        done += len;
    }
    return done;
}

static bool need_cpu(const MonContext *c, Error *err)
{
    return c->cpu ? true : error_set(err, "there is no vCPU");
}

static void print_value(FILE *out, uint64_t v, unsigned size, char format)
{
    unsigned bits = size * 8;
    switch (format) {
    case 'd': fprintf(out, "%" PRId64, sext(v, bits)); break;
    case 'u': fprintf(out, "%" PRIu64, v); break;
    case 'o': fprintf(out, "0%" PRIo64, v); break;
    case 'c': {
        char c = (char)v;
        bool plain = c >= ' ' && c < 127 && c != '\'' && c != '\\';
        fprintf(out, plain ? "'%c'" : "'\\x%02x'", plain ? c : (unsigned)(v & 0xff));
        break;
    }
    default: fprintf(out, "0x%0*" PRIx64, (int)size * 2, v); break;
    }
}

static void dump_values(const Span *s, uint64_t addr, unsigned count, unsigned size,
                        char format, FILE *out)
{
    unsigned per_line = format == 'c' ? 8 : 16 / size;
    for (unsigned i = 0; i < count; i++) {
        uint64_t v = 0;
        uint64_t at = addr + (uint64_t)i * size;
        if (i % per_line == 0) {
            fprintf(out, "%s%016" PRIx64 ":", i ? "\n" : "", at);
        }
        if (span_read(s, at, (uint8_t *)&v, size) != size) {
            fprintf(out, " cannot read memory there");
            break;
        }
        fputc(' ', out);
        print_value(out, v, size, format);
    }
    fputc('\n', out);
}

static void dump_strings(const Span *s, uint64_t addr, unsigned count, FILE *out)
{
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "%016" PRIx64 ": \"", addr);
        uint8_t c = 1;
        for (unsigned n = 0; n < MAX_STRING && c; n++, addr++) {
            if (span_read(s, addr, &c, 1) != 1) {
                fprintf(out, "\" cannot read memory there\n");
                return;
            }
            if (c >= ' ' && c < 127) {
                fputc(c, out);
            } else if (c) {
                fprintf(out, "\\x%02x", c);
            }
        }
        fprintf(out, "\"\n");
    }
}

static void dump_insns(const Span *s, const Cpu *cpu, uint64_t addr, unsigned count,
                       FILE *out)
{
    int bits = cpu && cpu->ops->code_bits ? cpu->ops->code_bits((Cpu *)cpu) : 64;
    for (unsigned i = 0; i < count; i++) {
        uint8_t bytes[MAX_INSN];
        size_t n = 0;
        while (n < MAX_INSN && span_read(s, addr + n, bytes + n, 1) == 1) {
            n++;
        }
        size_t used = n ? disas_count(out, bytes, n, addr, bits, 1) : 0;
        if (!used) {
            fprintf(out, "%016" PRIx64 ":  cannot read memory there\n", addr);
            return;
        }
        addr += used;
    }
}

static bool dump(MonContext *c, const Span *s, const MonArgs *a, FILE *out, Error *err)
{
    const MonArg *fmt = monitor_arg(a, "fmt");
    uint64_t addr = monitor_arg(a, "addr")->num;
    uint64_t count = fmt->num ? fmt->num : 1;
    if (count > MAX_COUNT) {
        return error_set(err, "/%" PRIu64 ": too many; expected at most %d", count,
                         MAX_COUNT);
    }
    char format = fmt->format ? fmt->format : 'x';
    if (format == 'i') {
        dump_insns(s, c->cpu, addr, (unsigned)count, out);
    } else if (format == 's') {
        dump_strings(s, addr, (unsigned)count, out);
    } else {
        unsigned size = fmt->size ? fmt->size : format == 'c' ? 1 : 4;
        dump_values(s, addr, (unsigned)count, size, format, out);
    }
    return true;
}

bool monitor_cmd_x(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return need_cpu(c, err) && dump(c, &(Span){ c->m, c->cpu }, a, out, err);
}

bool monitor_cmd_xp(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return dump(c, &(Span){ c->m, NULL }, a, out, err);
}

static bool save(const Span *s, const MonArgs *a, FILE *out, Error *err)
{
    uint64_t addr = monitor_arg(a, "addr")->num, size = monitor_arg(a, "size")->num;
    const char *path = monitor_arg(a, "file")->text;
    FILE *f = fopen(path, "wb");
    if (!f) {
        return error_set(err, "%s: %s", path, strerror(errno));
    }
    bool ok = true;
    for (uint64_t done = 0; ok && done < size;) {
        uint8_t page[PAGE];
        uint64_t n = MIN(size - done, PAGE - (addr + done) % PAGE);
        if (span_read(s, addr + done, page, n) != n) {
            ok = error_set(err,
                           "memory at 0x%" PRIx64 " cannot be read; %s holds what came "
                           "before",
                           addr + done, path);
        } else if (fwrite(page, 1, n, f) != n) {
            ok = error_set(err, "%s: %s", path, strerror(errno));
        }
        done += n;
    }
    if (fclose(f) && ok) {
        ok = error_set(err, "%s: %s", path, strerror(errno));
    }
    return ok;
}

bool monitor_cmd_memsave(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return need_cpu(c, err) && save(&(Span){ c->m, c->cpu }, a, out, err);
}

bool monitor_cmd_pmemsave(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    return save(&(Span){ c->m, NULL }, a, out, err);
}

bool monitor_cmd_gva2gpa(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    uint64_t addr = monitor_arg(a, "addr")->num, gpa;
    if (!need_cpu(c, err)) {
        return false;
    }
    if (!c->cpu->ops->translate(c->cpu, addr, &gpa)) {
        return error_set(err, "0x%" PRIx64 " is not mapped", addr);
    }
    fprintf(out, "gpa: 0x%" PRIx64 "\n", gpa);
    return true;
}

bool monitor_cmd_print(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const MonArg *fmt = monitor_arg(a, "fmt");
    char format = fmt->format && strchr("xduoc", fmt->format) ? fmt->format : 'x';
    uint64_t v = monitor_arg(a, "value")->num;
    if (format == 'x') {
        fprintf(out, "0x%" PRIx64, v);
    } else {
        print_value(out, v, 8, format);
    }
    fputc('\n', out);
    return true;
}

static bool port_ok(uint64_t port, Error *err)
{
    return port <= 0xffff ? true
                          : error_set(err,
                                      "port 0x%" PRIx64 " is not accepted: expected 0 "
                                      "to 0xffff",
                                      port);
}

bool monitor_cmd_in(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const MonArg *fmt = monitor_arg(a, "fmt");
    unsigned size = fmt->size ? fmt->size : 1;
    uint64_t port = monitor_arg(a, "port")->num;
    if (!port_ok(port, err)) {
        return false;
    }
    size = MIN(size, 4);
    uint64_t v = memory_io_read(&c->m->io, port, size);
    fprintf(out, "port 0x%04" PRIx64 " = 0x%0*" PRIx64 "\n", port, (int)size * 2, v);
    return true;
}

bool monitor_cmd_out(MonContext *c, const MonArgs *a, FILE *out, Error *err)
{
    const MonArg *fmt = monitor_arg(a, "fmt");
    unsigned size = fmt->size ? fmt->size : 1;
    uint64_t port = monitor_arg(a, "port")->num;
    if (!port_ok(port, err)) {
        return false;
    }
    memory_io_write(&c->m->io, port, MIN(size, 4), monitor_arg(a, "value")->num);
    return true;
}

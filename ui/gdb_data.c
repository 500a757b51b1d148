/* SPDX-License-Identifier: MIT */
/* gdb stub: registers, memory, breakpoints and watchpoints of the chosen vCPU. */
#include <string.h>

#include "ui/gdb_int.h"

enum { PAGE = 4096, MAX_REGISTER = 64 };

/* ---- registers ---- */

void gdb_read_registers(Gdb *g)
{
    Cpu *cpu = gdb_cpu(g);
    uint8_t v[MAX_REGISTER];
    for (unsigned n = 0;; n++) {
        int len = cpu->ops->gdb_read(cpu, g->wide, n, v);
        if (len <= 0) {
            break;
        }
        gdb_put_hex(g, v, (size_t)len);
    }
}

void gdb_write_registers(Gdb *g, const char *p)
{
    Cpu *cpu = gdb_cpu(g);
    uint8_t v[MAX_REGISTER];
    for (unsigned n = 0; *p; n++) {
        int len = cpu->ops->gdb_read(cpu, g->wide, n, v); /* its size */
        if (len <= 0 || gdb_unhex(p, v, (size_t)len) != (size_t)len) {
            break;
        }
        (void)cpu->ops->gdb_write(cpu, g->wide, n, v, (unsigned)len);
        p += 2 * len;
    }
    gdb_put(g, "OK");
}

void gdb_read_register(Gdb *g, const char *p)
{
    Cpu *cpu = gdb_cpu(g);
    uint8_t v[MAX_REGISTER];
    uint64_t n;
    int len = gdb_number(&p, &n) && n < 1000
                  ? cpu->ops->gdb_read(cpu, g->wide, (unsigned)n, v)
                  : 0;
    if (len > 0) {
        gdb_put_hex(g, v, (size_t)len);
    } else {
        gdb_put(g, "E16");
    }
}

void gdb_write_register(Gdb *g, const char *p)
{
    Cpu *cpu = gdb_cpu(g);
    uint8_t v[MAX_REGISTER] = { 0 };
    uint64_t n;
    if (!gdb_number(&p, &n) || *p++ != '=' || n >= 1000) {
        gdb_put(g, "E16");
        return;
    }
    unsigned len = (unsigned)gdb_unhex(p, v, sizeof(v));
    gdb_put(g, cpu->ops->gdb_write(cpu, g->wide, (unsigned)n, v, len) > 0 ? "OK" : "E16");
}

/* ---- memory: by the page tables of the vCPU, or physical; RAM and ROM only, since
 * looking at a device would change it ---- */

/* How many of n bytes at addr lie in one piece of RAM or ROM; 0: none. */
static uint64_t piece(Gdb *g, uint64_t addr, uint64_t n, uint64_t *gpa)
{
    Cpu *cpu = gdb_cpu(g);
    *gpa = addr;
    if (!g->phys && !cpu->ops->translate(cpu, addr, gpa)) {
        return 0;
    }
    const FlatRange *r = address_space_find(&g->m->mem, *gpa);
    if (!r || !r->host) {
        return 0;
    }
    uint64_t room = MIN(r->last - *gpa + 1, PAGE - addr % PAGE);
    return MIN(n, room);
}

void gdb_read_memory(Gdb *g, const char *p)
{
    uint64_t addr, n, gpa, done = 0;
    uint8_t buf[PAGE];
    if (!gdb_number(&p, &addr) || *p++ != ',' || !gdb_number(&p, &n)) {
        gdb_put(g, "E16");
        return;
    }
    n = MIN(n, (uint64_t)GDB_PACKET / 2);
    while (done < n) {
        uint64_t k = piece(g, addr + done, n - done, &gpa);
        if (!k || !memory_read(&g->m->mem, gpa, buf, k)) {
            break;
        }
        gdb_put_hex(g, buf, k);
        done += k;
    }
    if (!done && n) {
        gdb_put(g, "E14");
    }
}

/* Binary text: '}' and a byte stand for the byte ^ 20H. */
static size_t unescape(const char *p, size_t len, uint8_t *to, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n < max; i++) {
        bool escaped = p[i] == '}' && i + 1 < len;
        i += escaped;
        to[n++] = (uint8_t)p[i] ^ (escaped ? 0x20 : 0);
    }
    return n;
}

void gdb_write_memory(Gdb *g, const char *p, size_t len, bool binary)
{
    static uint8_t buf[GDB_PACKET];
    const char *start = p;
    uint64_t addr, n, gpa, done = 0;
    if (!gdb_number(&p, &addr) || *p++ != ',' || !gdb_number(&p, &n) || *p++ != ':') {
        gdb_put(g, "E16");
        return;
    }
    size_t left = len - (size_t)(p - start);
    size_t got = binary ? unescape(p, left, buf, sizeof(buf))
                        : gdb_unhex(p, buf, sizeof(buf));
    if (got < n) {
        gdb_put(g, "E16");
        return;
    }
    while (done < n) {
        uint64_t k = piece(g, addr + done, n - done, &gpa);
        if (!k || !memory_load(&g->m->mem, gpa, buf + done, k)) {
            gdb_put(g, "E14");
            return;
        }
        done += k;
    }
    gdb_put(g, "OK");
}

/* ---- points ---- */

void gdb_point(Gdb *g, const char *p, bool insert)
{
    uint64_t kind, len;
    DebugPoint d;
    Error err = ERROR_INIT;
    if (!gdb_number(&p, &kind) || *p++ != ',' || !gdb_number(&p, &d.addr) ||
        *p++ != ',' || !gdb_number(&p, &len)) {
        gdb_put(g, "E16");
        return;
    }
    if (++kind > DEBUG_ACCESS) { /* Z0 is DEBUG_BREAK */
        return;                  /* not known */
    }
    d.kind = (enum DebugKind)kind;
    d.len = d.kind <= DEBUG_HWBREAK ? 1 : len;
    if (!d.len || d.addr + d.len < d.addr) {
        gdb_put(g, "E16");
        return;
    }
    bool ok = insert ? debug_insert(g->m, &d, &err) : debug_remove(g->m, &d);
    error_free(&err);
    gdb_put(g, ok ? "OK" : "E1c");
}

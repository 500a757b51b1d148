/* SPDX-License-Identifier: MIT */
/* See symbols.h. ELF: System V ABI, chapter 4. */
#include "util/symbols.h"
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

#define FAR_AWAY (1 * MiB)
enum { MAX_FILE = 1 << 30, MAX_SYMBOLS = 1 << 24 };

typedef struct Symbol {
    uint64_t addr;
    char *name;
} Symbol;

typedef struct Symbols {
    Symbol *s;
    size_t n, cap;
    uint64_t slide;
} Symbols;

static Symbols table;
static Symbols absolute; /* type A: offsets such as per-CPU variables', no addresses */

static void add(Symbols *t, uint64_t addr, const char *name, size_t len)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 1024;
        t->s = xrealloc(t->s, t->cap * sizeof(Symbol));
    }
    t->s[t->n++] = (Symbol){ addr, xasprintf("%.*s", (int)MIN(len, 200), name) };
}

static int by_address(const void *a, const void *b)
{
    uint64_t x = ((const Symbol *)a)->addr, y = ((const Symbol *)b)->addr;
    return x < y ? -1 : x > y;
}

/* ---- System.map ---- */

static void parse_line(const char *line, size_t len)
{
    char text[300], name[256], kind;
    uint64_t addr;
    if (len >= sizeof(text)) {
        return;
    }
    memcpy(text, line, len);
    text[len] = 0;
    if (sscanf(text, "%" SCNx64 " %c %255s", &addr, &kind, name) == 3 &&
        strchr("TtWwDdBbRrVvA", kind)) {
        add(kind == 'A' ? &absolute : &table, addr, name, strlen(name));
    }
}

static void parse_map(const char *data, size_t n)
{
    while (n && table.n < MAX_SYMBOLS) {
        const char *end = memchr(data, '\n', n);
        size_t len = end ? (size_t)(end - data) : n;
        parse_line(data, len);
        len += end != NULL;
        data += len;
        n -= len;
    }
}

/* ---- ELF ---- */

typedef struct Section {
    uint32_t type, link;
    uint64_t off, size, entsize;
} Section;

typedef struct Elf {
    const uint8_t *data;
    size_t n;
    bool wide;
    uint64_t shoff;
    unsigned shentsize, shnum;
} Elf;

static bool within(const Elf *e, uint64_t off, uint64_t len)
{
    return off <= e->n && len <= e->n - off;
}

static bool read_section(const Elf *e, unsigned i, Section *s)
{
    uint64_t at = e->shoff + (uint64_t)i * e->shentsize;
    if (i >= e->shnum || !within(e, at, e->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr))) {
        return false;
    }
    if (e->wide) {
        Elf64_Shdr h;
        memcpy(&h, e->data + at, sizeof(h));
        *s = (Section){ h.sh_type, h.sh_link, h.sh_offset, h.sh_size, h.sh_entsize };
    } else {
        Elf32_Shdr h;
        memcpy(&h, e->data + at, sizeof(h));
        *s = (Section){ h.sh_type, h.sh_link, h.sh_offset, h.sh_size, h.sh_entsize };
    }
    return within(e, s->off, s->type == SHT_NOBITS ? 0 : s->size);
}

static void add_elf_symbol(const Elf *e, const uint8_t *p, const Section *names)
{
    Elf64_Sym s;
    if (e->wide) {
        memcpy(&s, p, sizeof(s));
    } else {
        Elf32_Sym t;
        memcpy(&t, p, sizeof(t));
        s = (Elf64_Sym){ .st_name = t.st_name, .st_info = t.st_info, .st_shndx = t.st_shndx,
                         .st_value = t.st_value };
    }
    unsigned type = ELF64_ST_TYPE(s.st_info);
    if (s.st_shndx == SHN_UNDEF || type > STT_FUNC || s.st_name >= names->size) {
        return;
    }
    const char *name = (const char *)e->data + names->off + s.st_name;
    size_t len = strnlen(name, names->size - s.st_name);
    if (len && table.n < MAX_SYMBOLS) {
        add(&table, s.st_value, name, len);
    }
}

static bool parse_elf(const uint8_t *data, size_t n, Error *err)
{
    Elf e = { .data = data, .n = n, .wide = data[EI_CLASS] == ELFCLASS64 };
    if (data[EI_DATA] != ELFDATA2LSB || n < sizeof(Elf64_Ehdr)) {
        return error_set(err, "not a little-endian ELF file");
    }
    if (e.wide) {
        Elf64_Ehdr h;
        memcpy(&h, data, sizeof(h));
        e.shoff = h.e_shoff;
        e.shentsize = h.e_shentsize;
        e.shnum = h.e_shnum;
    } else {
        Elf32_Ehdr h;
        memcpy(&h, data, sizeof(h));
        e.shoff = h.e_shoff;
        e.shentsize = h.e_shentsize;
        e.shnum = h.e_shnum;
    }
    if (e.shoff > n) {
        return error_set(err, "its section table lies outside the file");
    }
    size_t size = e.wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    for (unsigned i = 0; i < e.shnum; i++) {
        Section s, names;
        if (!read_section(&e, i, &s) || (s.type != SHT_SYMTAB && s.type != SHT_DYNSYM) ||
            s.entsize != size || !read_section(&e, s.link, &names) ||
            names.type != SHT_STRTAB) {
            continue;
        }
        for (uint64_t off = 0; off + size <= s.size; off += size) {
            add_elf_symbol(&e, data + s.off + off, &names);
        }
    }
    return true;
}

/* ---- */

static uint8_t *read_all(const char *path, size_t *n, Error *err)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *data = NULL;
    *n = 0;
    if (!f) {
        error_set(err, "%s: %s", path, strerror(errno));
        return NULL;
    }
    for (size_t cap = 1 << 16;; cap *= 2) {
        data = xrealloc(data, cap + 1);
        *n += fread(data + *n, 1, cap - *n, f);
        if (*n < cap || cap >= MAX_FILE) {
            break;
        }
    }
    bool bad = ferror(f) || *n >= MAX_FILE;
    fclose(f);
    if (bad) {
        error_set(err, "%s: cannot be read, or is larger than 1 GiB", path);
        free(data);
        return NULL;
    }
    data[*n] = 0;
    return data;
}

bool symbols_load(const char *path, Error *err)
{
    size_t n, before = table.n;
    uint8_t *data = read_all(path, &n, err);
    if (!data) {
        return false;
    }
    bool elf = n >= EI_NIDENT && !memcmp(data, ELFMAG, SELFMAG);
    bool ok = !elf || parse_elf(data, n, err);
    if (!elf) {
        parse_map((const char *)data, n);
    }
    free(data);
    if (!ok) {
        error_prefix(err, "%s: ", path);
        return false;
    }
    if (table.n == before) {
        return error_set(err, "%s: no symbols; expected a System.map or an ELF file that is "
                              "not stripped", path);
    }
    qsort(table.s, table.n, sizeof(Symbol), by_address);
    return true;
}

const char *symbols_find(uint64_t addr, uint64_t *off)
{
    size_t lo = 0, hi = table.n;
    addr -= table.slide;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (table.s[mid].addr <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (!lo || addr - table.s[lo - 1].addr > FAR_AWAY) {
        return NULL;
    }
    *off = addr - table.s[lo - 1].addr;
    return table.s[lo - 1].name;
}

static bool address_in(const Symbols *t, const char *name, uint64_t *addr)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!strcmp(t->s[i].name, name)) {
            *addr = t->s[i].addr;
            return true;
        }
    }
    return false;
}

bool symbols_address(const char *name, uint64_t *addr)
{
    return address_in(&table, name, addr) || address_in(&absolute, name, addr);
}

void symbols_set_slide(uint64_t slide) { table.slide = slide; }

void symbols_slide_by_lstar(uint64_t lstar)
{
    uint64_t at;
    if (lstar && symbols_address("entry_SYSCALL_64", &at) && !((lstar - at) & 0xfff)) {
        table.slide = lstar - at;
    }
}

const char *symbols_text(uint64_t addr, char *buf, size_t n)
{
    uint64_t off;
    const char *name = symbols_find(addr, &off);
    if (name) {
        snprintf(buf, n, "%s+%#" PRIx64, name, off);
    } else if (n) {
        buf[0] = 0;
    }
    return buf;
}

static void clear(Symbols *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->s[i].name);
    }
    free(t->s);
    memset(t, 0, sizeof(*t));
}

void symbols_free(void)
{
    clear(&table);
    clear(&absolute);
}

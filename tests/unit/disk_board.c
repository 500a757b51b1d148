/* SPDX-License-Identifier: MIT */
/* See disk_board.h. */
#include "tests/unit/disk_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hw/ide/ide.h"
#include "util/alloc.h"

static void line_set(void *opaque, unsigned n, bool level)
{
    ((Board *)opaque)->isa[n] = level;
}

int disk_setup(void **state)
{
    Error err = ERROR_INIT;
    Board *b = board_create();
    const IrqLine irq[2] = { { line_set, b, 14 }, { line_set, b, 15 } };
    assert_non_null(piix3_ide_create(b->bus, IDE_DEVFN, irq, &err));
    *state = b;
    return 0;
}

int disk_teardown(void **state)
{
    board_destroy(*state);
    return 0;
}

BlockBackend *disk_image(Board *b, const char *id, const char *opts, unsigned sectors,
                         unsigned unit)
{
    Error err = ERROR_INIT;
    char path[] = "/tmp/dyad-test-disk-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    uint8_t *image = calloc(sectors, unit);
    for (uint32_t i = 0; i < sectors; i++) {
        memcpy(image + (size_t)i * unit, &i, 4);
    }
    assert_int_equal(write(fd, image, (size_t)sectors * unit), sectors * unit);
    free(image);
    close(fd);
    char *spec = xasprintf("file=%s,format=raw,id=%s%s", path, id, opts);
    BlockBackend *d = block_open_drive(&b->m, spec, false, &err);
    assert_non_null(d);
    free(spec);
    unlink(path);           /* open, so it lives until the machine goes */
    return d;
}

void disk_wait(Board *b, BlockBackend *d)
{
    d->ops->drain(d);
}

uint32_t ram32(Board *b, uint64_t addr)
{
    uint32_t v;
    get_ram(b, addr, &v, 4);
    return v;
}

void set_ram(Board *b, uint64_t addr, const void *p, size_t n)
{
    assert_true(memory_write(&b->m.mem, addr, p, n));
}

void get_ram(Board *b, uint64_t addr, void *p, size_t n)
{
    assert_true(memory_read(&b->m.mem, addr, p, n));
}

/* SPDX-License-Identifier: MIT */
/* See area.h. One machine per process. */
#include "accel/area.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "hw/core/machine.h"
#include "tcg/codebuf.h"

#define ROOM (1 * GiB) /* the greatest tb-size */

static void *areas[MACHINE_MAX_CPUS];

void *accel_area_create(int index, size_t size, Error *err)
{
    char *p = mmap(NULL, CODE_ENV_SIZE + ROOM, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (size > CODE_ENV_SIZE || p == MAP_FAILED ||
        mprotect(p, CODE_ENV_SIZE, PROT_READ | PROT_WRITE) < 0) {
        error_set(err, "cannot map the memory of CPU %d: %s", index, strerror(errno));
        return NULL;
    }
    return areas[index] = p;
}

void accel_area_destroy(int index)
{
    if (areas[index]) {
        munmap(areas[index], CODE_ENV_SIZE + ROOM);
        areas[index] = NULL;
    }
}

void *accel_area_of(int index)
{
    return areas[index];
}

size_t accel_area_room(void)
{
    return ROOM;
}

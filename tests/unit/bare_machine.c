/* SPDX-License-Identifier: MIT */
/* See bare_machine.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/bare_machine.h"

const MachineClass bare_class = { .name = "bare", .desc = "nothing", .size = sizeof(Machine) };
const MachineClass *const machine_classes[] = { &bare_class, NULL };

Machine *bare_machine(unsigned cpus)
{
    Error err = ERROR_INIT;
    const MachineConfig cfg = { .ram_size = 64 * MiB, .cpus = cpus };
    Machine *m = machine_create(&bare_class, &cfg, &err);
    assert_non_null(m);
    return m;
}

/* SPDX-License-Identifier: MIT */
/*
 * Address line 20. While the gate holds it low, an odd MiB shows what the even one below
 * it holds, which old software counts on (addresses wrap at 1 MiB). Done in the memory map,
 * for the first 64 MiB: above, nobody who switches the line off ever looks. Both hands of
 * the gate, port 92H and the keyboard controller, meet in hw/misc/port92.c.
 * Machine lock held.
 */
#include "hw/pc/pc_int.h"

void pc_init_a20(PcMachine *pc)
{
    Machine *m = &pc->m;
    memory_begin(m);
    memory_init_container(&pc->a20, m, "a20-off", 2 * A20_PAIRS * MiB);
    for (unsigned i = 0; i < A20_PAIRS; i++) {
        memory_init_alias(&pc->a20_odd[i], m, "a20-wrap", &m->mem_root, 2 * i * MiB, MiB);
        memory_add(&pc->a20, &pc->a20_odd[i], (2 * i + 1) * MiB, 0);
    }
    memory_add(&m->mem_root, &pc->a20, 0, 3); /* above PAM's */
    memory_set_enabled(&pc->a20, false);
    memory_commit(m);
}

void pc_set_a20(PcMachine *pc, bool on)
{
    if (pc->a20.enabled == on) {
        memory_set_enabled(&pc->a20, !on);
    }
}

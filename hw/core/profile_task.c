/* SPDX-License-Identifier: MIT */
/*
 * Which process a sample belongs to, for x86-64 Linux guests whose symbols are known: the
 * kernel's per-CPU variable current_task (pcpu_hot from 6.2 on, where it is the first
 * member) points to a task_struct, and the place of the name in one is found by looking for
 * "swapper" in init_task. Signal context.
 */
#include "hw/core/profile_int.h"

#include <string.h>
#include "util/symbols.h"

enum { TASK_MAX = 16 * 1024 };

static struct {
    bool possible;                    /* the symbols are there */
    uint64_t entry;                   /* system-call entry that the slide was set for */
    uint64_t current_task;            /* offset in the per-CPU area */
    uint64_t init_task, entry_symbol; /* as the file has them */
    uint64_t comm; /* offset of the name in a task_struct, 0: not found */
} linux_guest;

void profile_task_init(void)
{
    memset(&linux_guest, 0, sizeof(linux_guest));
    linux_guest.possible = symbols_address("entry_SYSCALL_64",
                                           &linux_guest.entry_symbol) &&
                           symbols_address("init_task", &linux_guest.init_task) &&
                           (symbols_address("current_task", &linux_guest.current_task) ||
                            symbols_address("pcpu_hot", &linux_guest.current_task));
}

static void find_comm(GuestReader *r, uint64_t slide)
{
    static const char boot[] = "swapper";
    uint64_t word, first;

    memcpy(&first, boot, 8); /* with the 0 or '/' behind it */
    for (uint64_t off = 0; off < TASK_MAX; off += 8) {
        if (!guest_read(r, linux_guest.init_task + slide + off, &word, 8)) {
            return;
        }
        if (!((word ^ first) << 8)) {
            linux_guest.comm = off;
            return;
        }
    }
}

void profile_task(GuestReader *r, char comm[PROFILE_COMM])
{
    const CpuSample *s = r->s;
    uint64_t task;

    memset(comm, 0, PROFILE_COMM);
    if (s->entry && s->entry != linux_guest.entry) {
        symbols_slide_by_lstar(s->entry);
        linux_guest.entry = s->entry;
        linux_guest.comm = 0;
    }
    if (!linux_guest.possible || !s->entry || !s->percpu || s->word != 8) {
        return;
    }
    if (!linux_guest.comm) {
        find_comm(r, s->entry - linux_guest.entry_symbol);
    }
    if (!linux_guest.comm ||
        !guest_read(r, s->percpu + linux_guest.current_task, &task, 8) ||
        !guest_read(r, task + linux_guest.comm, comm, PROFILE_COMM)) {
        memset(comm, 0, PROFILE_COMM);
    }
    comm[PROFILE_COMM - 1] = 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A bare machine for tests of the engine: RAM, a port that stops it (f4H), one vCPU, page
 * tables for the first 32 MiB, an IDT whose gates all lead to HANDLER, which stops too.
 */
#ifndef TESTS_ENGINE_RIG_H
#define TESTS_ENGINE_RIG_H

#include "hw/core/machine.h"
#include "target-x86/engine.h"

enum {
    PT = 0x1000, IDT = 0x8000, HANDLER = 0x9000, CODE = 0x10000, STACK = 0x30000,
    DATA = 0x40000, DATA_SIZE = 0x4000, RAM = 32 << 20,
};

extern X86Cpu *cpu;
extern Machine *machine;

uint8_t *mem(uint64_t at);          /* host address of RAM */
void put64(uint64_t at, uint64_t v);
void base_state(X86State *st);      /* 64-bit code at CODE, CPL 0 */
int setup(void **state);            /* cmocka group set-up, */
int teardown(void **state);         /* and the end */
/* cmocka takes the fault signals over for each test; the engine needs its own. */
void take_signals(void);
void start_from(const X86State *st);
void run_native(void);
void run_reference(void);
/* Says on stderr how two states differ; true: they do not. Memory: n bytes. */
bool compare(const X86State *a, const X86State *b, const uint8_t *ma, const uint8_t *mb,
             unsigned n);

#endif

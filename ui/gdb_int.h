/* SPDX-License-Identifier: MIT */
/* Between the files of the gdb stub: gdb.c (packets, run control), gdb_query.c (q, Q, v
 * packets and what they tell), gdb_data.c (registers, memory, points). */
#ifndef UI_GDB_INT_H
#define UI_GDB_INT_H

#include "hw/core/chardev.h"
#include "hw/core/machine.h"

enum { GDB_PACKET = 16384 }; /* bytes of a packet's text, both ways */

typedef struct Gdb {
    Machine *m;
    CharBackend *chr;
    /* receiving: */
    enum { GDB_IDLE, GDB_TEXT, GDB_SUM1, GDB_SUM2, GDB_TOO_LONG } state;
    char in[GDB_PACKET + 1];
    size_t n;
    uint8_t sum, got;
    /* sending: */
    char out[GDB_PACKET + 64]; /* the reply being made; text */
    size_t len;
    uint8_t last[2 * GDB_PACKET + 256]; /* as sent, for a resend */
    size_t last_len;
    /* what was agreed: */
    bool replied; /* to the packet at hand */
    bool connected, no_ack, swbreak, hwbreak;
    bool waiting;          /* the debugger waits for a stop */
    bool wide;             /* the x86-64 description was chosen */
    int arch;              /* wish: 0 by the CPU, 32, 64 */
    bool phys;             /* memory packets take physical addresses */
    unsigned cpu_g, cpu_c; /* chosen vCPUs: for data, for c and s */
    unsigned iter;         /* qsThreadInfo goes on here */
} Gdb;

/* --- gdb.c --- */
void gdb_put(Gdb *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gdb_put_hex(Gdb *g, const uint8_t *p, size_t n);
void gdb_put_raw(Gdb *g, const char *p, size_t n);
void gdb_send(Gdb *g); /* what is in out; then out is empty */
Cpu *gdb_cpu(Gdb *g);  /* of cpu_g; never NULL */
/* "2a1f" at *p, at most 16 digits; *p moves on. False: no digit. */
bool gdb_number(const char **p, uint64_t *v);
/* Pairs of digits into bytes; how many bytes. Stops at the first other character. */
size_t gdb_unhex(const char *text, uint8_t *to, size_t max);
/* A thread of an H, T or vCont packet: index + 1, 0 any, -1 all. False: none such. */
bool gdb_thread(Gdb *g, const char **p, int *thread);
void gdb_report_stop(Gdb *g);                   /* the reply to ? and to a stop */
void gdb_resume(Gdb *g, const uint8_t *action); /* a letter per vCPU: c, s, 0 */

/* --- gdb_data.c: each fills out --- */
void gdb_read_registers(Gdb *g);
void gdb_write_registers(Gdb *g, const char *p);
void gdb_read_register(Gdb *g, const char *p);
void gdb_write_register(Gdb *g, const char *p);
void gdb_read_memory(Gdb *g, const char *p);
void gdb_write_memory(Gdb *g, const char *p, size_t n, bool binary);
void gdb_point(Gdb *g, const char *p, bool insert);

/* --- gdb_query.c --- */
void gdb_query(Gdb *g, const char *p);
void gdb_set(Gdb *g, const char *p);
void gdb_verbose(Gdb *g, const char *p);

#endif

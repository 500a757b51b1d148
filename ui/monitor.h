/* SPDX-License-Identifier: MIT */
/*
 * The monitor: commands are rows with typed arguments; a session reads lines from a
 * character backend and writes what the handlers print. Machine lock held throughout,
 * on the main loop's thread.
 */
#ifndef UI_MONITOR_H
#define UI_MONITOR_H

#include <stdio.h>
#include "util/compiler.h"
#include "util/error.h"

struct Machine;
struct Cpu;
typedef struct CharBackend CharBackend;

/* Argument types, one letter each in MonCommand.args ("addr:e,size:e,file:s"); a '?'
 * behind the letter: may be missing. */
enum MonArgType {
    MON_INT = 'i',    /* decimal or 0x number */
    MON_EXPR = 'e',   /* expression: numbers, $registers, + - * / % & | ^ << >> ~ ( ) */
    MON_WORD = 's',   /* one word, or "quoted text" */
    MON_REST = 'S',   /* the rest of the line */
    MON_FORMAT = 'f', /* /COUNT FORMAT SIZE, always optional */
};

enum { MON_MAX_ARGS = 6 };

typedef struct MonArg {
    const char *name;  /* as in the row */
    enum MonArgType type;
    bool given;
    uint64_t num;      /* MON_INT, MON_EXPR; MON_FORMAT: the count */
    char *text;        /* MON_WORD, MON_REST; owned */
    char format;       /* MON_FORMAT: x d u o c s i, 0 = not said */
    unsigned size;     /* MON_FORMAT: 1 2 4 8, 0 = not said */
} MonArg;

typedef struct MonArgs {
    MonArg v[MON_MAX_ARGS];
    unsigned n;
} MonArgs;

/* What a command works on. */
typedef struct MonContext {
    struct Machine *m;
    struct Cpu *cpu;        /* the vCPU chosen by `cpu N`; NULL if there is none */
    bool was_running;       /* before the command parked the vCPUs */
    int new_cpu;            /* a handler's wish to choose another; -1 */
} MonContext;

typedef struct MonCommand {
    const char *name, *alias;
    const char *args;       /* types, see above; NULL: none */
    const char *params;     /* for help: "[/FMT] ADDR" */
    const char *help;
    bool parked;            /* vCPUs are parked and synced while it runs */
    bool (*run)(MonContext *c, const MonArgs *a, FILE *out, Error *err);
} MonCommand;

extern const MonCommand monitor_commands[];  /* ui/monitor_cmds.c; NULL name ends */
extern const MonCommand monitor_info_rows[]; /* ui/monitor_info.c: info NAME */

/* Runs one line. What went wrong is in err; what was printed is in out. */
bool monitor_run_line(MonContext *c, const char *line, FILE *out, Error *err);

/* Runs a row with arguments that fit it; parks the vCPUs around it if the row says so. */
bool monitor_run_command(MonContext *c, const MonCommand *cmd, const MonArgs *a, FILE *out,
                         Error *err);

void monitor_print_info_help(FILE *out);

/* Makes sessions: monitor_init once, then attach for each -monitor; mon: multiplexers
 * come through chardev_set_monitor_factory. */
void monitor_init(struct Machine *m);
bool monitor_attach(CharBackend *c, Error *err);
void monitor_destroy_all(void);

/* --- ui/monitor_args.c --- */
/* Splits `text` (behind the command's name) by the row's types. */
bool monitor_args_parse(MonArgs *a, const MonCommand *cmd, const char *text,
                        struct Cpu *cpu, Error *err);
void monitor_args_free(MonArgs *a);
/* one_word: a space outside parentheses ends the expression (arguments follow it). */
bool monitor_expr(const char *text, bool one_word, const char **end, struct Cpu *cpu,
                  uint64_t *value, Error *err);
/* By name; never NULL for a name of the row. */
const MonArg *monitor_arg(const MonArgs *a, const char *name);

/* --- ui/keys.c --- */
/* "ctrl-alt-delete" to KEY_* codes; returns how many, 0 with err set. */
unsigned key_names_parse(const char *text, unsigned *codes, unsigned max, Error *err);

/* --- ui/monitor_screen.c --- */
/* format: "png", "ppm" or NULL: by the name. */
bool monitor_screendump(struct Machine *m, const char *file, const char *format, Error *err);
bool monitor_cmd_screendump(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_mouse_move(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_mouse_button(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_info_screen(MonContext *c, const MonArgs *a, FILE *out, Error *err);

/* --- ui/monitor_cmds.c --- */
/* "ctrl-alt-delete": pressed now, let go after ms of virtual time. */
bool monitor_send_keys(struct Machine *m, const char *keys, uint64_t ms, Error *err);
void monitor_forget_keys(void); /* of sendkey, still held; the machine goes */

/* --- ui/monitor_block.c --- */
bool monitor_cmd_change(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_eject(MonContext *c, const MonArgs *a, FILE *out, Error *err);
/* The drive of that name, or whose device has it as its id. */
struct BlockBackend *monitor_drive(struct Machine *m, const char *name, Error *err);

/* --- ui/monitor_mem.c --- */
bool monitor_cmd_x(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_xp(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_memsave(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_pmemsave(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_gva2gpa(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_print(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_in(MonContext *c, const MonArgs *a, FILE *out, Error *err);
bool monitor_cmd_out(MonContext *c, const MonArgs *a, FILE *out, Error *err);

#endif

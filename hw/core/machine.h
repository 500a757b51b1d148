/* SPDX-License-Identifier: MIT */
/*
 * The machine: RAM, address spaces, vCPUs, clock, buses, run state, the machine lock.
 * Boards (hw/pc) are MachineClass rows in hw/machine_list.c.
 */
#ifndef HW_CORE_MACHINE_H
#define HW_CORE_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include "hw/core/chips.h"
#include "hw/core/clock.h"
#include "hw/core/cpu.h"
#include "hw/core/device.h"
#include "hw/core/memory.h"

typedef struct Machine Machine;
typedef struct MachineClass MachineClass;

enum RunState { RUN_PAUSED, RUN_RUNNING, RUN_SHUTDOWN, RUN_INTERNAL_ERROR };
enum { MACHINE_MAX_CPUS = 64 };

/* -smbios: fields of the BIOS (type 0) and system (type 1) structures. */
enum SmbiosText {
    SMBIOS_VENDOR, SMBIOS_BIOS_VERSION, SMBIOS_DATE,
    SMBIOS_MANUFACTURER, SMBIOS_PRODUCT, SMBIOS_VERSION, SMBIOS_SERIAL, SMBIOS_SKU,
    SMBIOS_FAMILY, SMBIOS_TEXTS
};

/* -fw_cfg: a file of the firmware's; one of path and text is NULL. */
typedef struct FwFile {
    const char *name, *path, *text;
} FwFile;

/* What a guest that panicked gets. */
enum PanicAction { PANIC_SHUTDOWN, PANIC_PAUSE, PANIC_EXIT_FAILURE, PANIC_NONE };

/* What the command line says about a machine; strings owned by the option parser. */
typedef struct MachineConfig {
    uint64_t ram_size;
    unsigned cpus;
    unsigned sockets, cores, threads; /* -smp topology; product = cpus; all 0: not given */
    const char *cpu_model;      /* "max", with ",+feat,-feat,feat=on" behind */
    const char *kernel, *initrd, *append, *bios, *boot;
    bool no_reboot, no_shutdown, start_paused, nodefaults;
    enum PanicAction panic;
    const char *rtc_base;       /* "utc", "localtime", or a date */
    const char *name;
    const char *uuid;           /* checked text form or NULL */
    const char *smbios[SMBIOS_TEXTS]; /* NULL: the board's own */
    const char **oem_strings;   /* -smbios type=11, ended by NULL; NULL: none */
    FwFile *fw_files;
    unsigned n_fw_files;
    const char **globals;       /* "driver.property=value" each, ended by NULL; NULL: none */
} MachineConfig;

/* What whoever listens is told (QMP's events). */
enum MachineEvent { MACHINE_STOPPED, MACHINE_RESUMED, MACHINE_RESET, MACHINE_SHUTDOWN,
                    MACHINE_POWERDOWN, MACHINE_SUSPENDED, MACHINE_WOKEN, MACHINE_BALLOON,
                    MACHINE_PANICKED, MACHINE_CRASH_LOADED };
/* What ended a suspension (S3). */
enum MachineWake { WAKE_NONE, WAKE_BUTTON, WAKE_RTC, WAKE_OTHER /* a key, the monitor */ };

typedef struct MachineListener {
    void (*event)(void *opaque, enum MachineEvent e);   /* machine lock held */
    void *opaque;
    struct MachineListener *next;
} MachineListener;

/* The device that can take memory from the guest; dev NULL: there is none. Bytes that are left
 * of its RAM, as the guest says; and as it is asked to. */
typedef struct MachineBalloon {
    void *dev;
    uint64_t (*left)(void *dev);
    void (*set)(void *dev, uint64_t bytes);
} MachineBalloon;

struct MachineClass {
    const char *name;
    const char *const *aliases;
    const char *desc;
    const Property *props;      /* of the board's struct, -machine NAME,prop=value */
    size_t size;                /* of the board's struct; Machine first */
    uint64_t default_ram;
    unsigned max_cpus;
    unsigned ide_units;         /* drives of a bus, for names and places of -drive if=ide */
    /* Builds the board: RAM, chips, buses. Then -device devices are added, then ready()
     * loads firmware or kernel and makes tables. */
    bool (*init)(Machine *m, Error *err);
    bool (*ready)(Machine *m, Error *err);
    /* After all devices are reset; optional. With m->waking set the machine wakes from S3:
     * RAM is as it was, and the guest's waking vector goes on. */
    void (*reset)(Machine *m);
    void (*suspend)(Machine *m); /* to S3: no vCPU runs from here on; NULL: cannot */
    void (*destroy)(Machine *m); /* after all devices are gone; optional */
};
extern const MachineClass *const machine_classes[]; /* hw/machine_list.c */

struct Machine {
    const MachineClass *cls;
    MachineConfig cfg;
    const CpuExecOps *exec;     /* the engine's */
    const struct CpuFactory *cpu_factory;
    void *accel;                /* engine's own */

    /* RAM arena: all RAM and ROM regions, one memfd, mapped once. */
    int ram_fd;
    uint8_t *ram_base;          /* host address of ram_addr 0; the mapping never moves */
    uint64_t ram_used, ram_max; /* bytes handed out; bytes of address space reserved */
    _Atomic uint8_t *dirty;     /* a byte per RAM page: DIRTY_* clients */
    _Atomic uint8_t *ram_log;   /* a byte per RAM page: clients that log it */

    MemoryRegion mem_root, io_root;
    AddressSpace mem, io;
    int memory_depth;           /* begin/commit nesting */
    bool memory_dirty_topology;

    Clock *clock;               /* virtual time */
    Cpu *cpus[MACHINE_MAX_CPUS];
    unsigned ncpus;
    Device *board_devices;      /* devices with no bus */
    Bus *buses;                 /* machine's own buses */

    pthread_mutex_t lock;
    enum RunState state;
    bool reset_requested, shutdown_requested, powerdown_requested;
    bool panic_requested, crash_load_requested;
    bool panicked;              /* paused since the guest's kernel panicked */
    const char *cause;          /* of the last request, in QMP's words; static text */
    bool was_started;           /* ran once */
    bool suspend_requested, suspended;  /* S3: the clock runs, vCPUs wait for a reset */
    enum MachineWake waking;    /* requested; during reset: what woke the machine */
    MachineListener *listeners;
    int exit_code;
    struct Loop *loop;
    void (*powerdown)(Machine *m);  /* ACPI power button, set by the board; or NULL */
    void (*rtc_alarm)(Machine *m);  /* the clock's alarm went off; the board's, or NULL */
    void (*nmi)(Machine *m);
    /* The display's: the PC speaker's tone, 0: silent. NULL: nobody listens. */
    void (*speaker)(Machine *m, unsigned hz);
    /* main.c's: called by machine_destroy once threads are joined and devices are gone,
     * before loop and RAM go; lock held. Closes backends and engine. */
    void (*release)(Machine *m, void *arg);
    void *release_arg;
    struct InputSink *sinks;    /* newest first */
    struct Screen *screens;     /* newest first (hw/core/display.h) */
    MachineDebug debug;         /* breakpoints */
    MachineBalloon balloon;
    EngineChips chips;          /* interrupt chips that the engine may run itself */
    /* Changes the engine of a paused machine; NULL: there is no other. */
    bool (*switch_engine)(Machine *m, const char *name, Error *err);
    void *switch_opaque;

    /* hw/core's own, see machine.c and cpu.c: */
    bool quit;                  /* vCPU threads end */
    _Atomic unsigned lock_waiters; /* threads other than vCPUs that want the machine lock */
    pthread_cond_t pause_cond;  /* a vCPU parked, or did its work (machine lock) */
    pthread_mutex_t excl_lock;  /* innermost; never take the machine lock under it */
    pthread_cond_t excl_cond;
    unsigned excl_pending;      /* exclusive sections wanted or running */
    bool excl_active;           /* one is running */
};

/* How the board makes vCPUs without knowing the engine (main.c fills it). */
typedef struct CpuFactory {
    Cpu *(*create)(Machine *m, int index, Error *err);
} CpuFactory;

Machine *machine_create(const MachineClass *cls, const MachineConfig *cfg, Error *err);
bool machine_init(Machine *m, Error *err);    /* cls->init */
bool machine_ready(Machine *m, Error *err);   /* cls->ready, reset, vCPU threads (parked) */
void machine_destroy(Machine *m);             /* all vCPU threads joined */
const MachineClass *machine_class_find(const char *name);

/* The big lock. Recursive locking is a bug; machine_locked() tells if this thread has
 * it. */
void machine_lock(Machine *m);
void machine_unlock(Machine *m);
bool machine_locked(const Machine *m);

/* Run control; machine lock held; pause returns when every vCPU is parked and its state
 * synced from the engine. */
void machine_run(Machine *m);
void machine_pause(Machine *m);
/* From devices and vCPUs: acted on by the main loop. Any thread with the lock. A status
 * other than 0 ends the program even with -no-shutdown. */
void machine_request_reset(Machine *m);
void machine_request_shutdown(Machine *m, int exit_code);
/* From people and programs outside: the reset button; the end of the program, also with
 * -no-shutdown. cause: "host-qmp-quit", "host-signal", "host-ui"; static text. */
void machine_press_reset(Machine *m);
void machine_quit(Machine *m, const char *cause);
/* The guest wants to sleep with its RAM kept (ACPI's S3). */
void machine_request_suspend(Machine *m);
/* No effect unless the machine sleeps. Any thread with the lock. */
void machine_wake(Machine *m, enum MachineWake why);
/* The guest's kernel panicked; or it did, and has started a kernel for that case. */
void machine_guest_panicked(Machine *m, bool crash_loaded);
/* What becomes of it then. */
enum PanicAction machine_panic_action(const Machine *m);
/* Whether the last request was the guest's. */
bool machine_guest_asked(const Machine *m);
void machine_request_powerdown(Machine *m);   /* the power button */

/* Listeners hear of what a person or the guest did, not of pauses that the monitor or a
 * debugger makes to look at something. Machine lock. */
void machine_listen(Machine *m, MachineListener *l);
void machine_unlisten(Machine *m, MachineListener *l);
void machine_tell(Machine *m, enum MachineEvent e);

/* Main loop: until shutdown; returns the exit code. Called by main() without the lock. */
int machine_main_loop(Machine *m);

/* Whole-machine state (devices, vCPUs, clock; RAM separately). Paused machine. */
bool machine_save_state(Machine *m, StateBuf *buf, Error *err);
bool machine_load_state(Machine *m, StateBuf *buf, Error *err);

#endif

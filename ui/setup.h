/* SPDX-License-Identifier: MIT */
/*
 * Makes the backends and devices that the command line asks for. Before the machine
 * runs; on failure the caller destroys the machine.
 */
#ifndef UI_SETUP_H
#define UI_SETUP_H

#include "ui/options.h"

/* Before machine_init: -chardev, -blockdev, -drive, -netdev. */
bool setup_backends(Machine *m, const Options *o, Error *err);
/* Between machine_init and machine_ready: -monitor, -serial, -debugcon, drives, -nic, -device.
 * Adds the defaults to o. */
bool setup_devices(Machine *m, Options *o, Error *err);
/* Is there anything that needs the terminal that -daemonize leaves? false: err is set. */
bool setup_check_daemon(const Options *o, Error *err);

#endif

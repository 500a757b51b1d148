/* SPDX-License-Identifier: MIT */
/* The engines built in, the preferred first. Adding one is a row here. */
#include <stdio.h>
#include "accel/accel.h"
#include "accel/tcg/tcg.h"

static bool kvm_probe(char *why, size_t n)
{
    snprintf(why, n, "not built yet (issue 5)");
    return false;
}

/* So that `-accel kvm -accel tcg` says why it goes on with tcg. */
static const AccelClass accel_kvm_absent = {
    .name = "kvm",
    .desc = "hardware virtualization",
    .probe = kvm_probe,
};

const AccelClass *const accel_classes[] = {
    &accel_tcg_class,
    &accel_kvm_absent,
    NULL,
};

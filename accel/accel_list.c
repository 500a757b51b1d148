/* SPDX-License-Identifier: MIT */
/* The engines built in, the preferred first. Adding one is a row here. */
#include <stdio.h>
#include "accel/accel.h"
#include "accel/tcg/tcg.h"
#include "accel/twin/twin.h"
#ifdef CONFIG_KVM
#include "accel/kvm/kvm.h"
#else

static bool kvm_probe(char *why, size_t n)
{
    snprintf(why, n, "left out of this build (--disable-kvm)");
    return false;
}

/* So that `-accel kvm -accel tcg` says why it goes on with tcg. */
static const AccelClass accel_kvm_absent = {
    .name = "kvm",
    .desc = "hardware virtualization",
    .probe = kvm_probe,
};
#endif

const AccelClass *const accel_classes[] = {
#ifdef CONFIG_KVM
    &accel_kvm_class,
    &accel_tcg_class,
#else
    &accel_tcg_class,
    &accel_kvm_absent,
#endif
    &accel_twin_class,
    NULL,
};

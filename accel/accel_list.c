/* SPDX-License-Identifier: MIT */
/* The engines built in, the preferred first. Adding one is a row here. */
#include "accel/accel.h"
#include "accel/tcg/tcg.h"

const AccelClass *const accel_classes[] = {
    &accel_tcg_class,
    NULL,
};

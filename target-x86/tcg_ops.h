/* SPDX-License-Identifier: MIT */
/* x86 as a guest of the TCG accelerator. */
#ifndef TARGET_X86_TCG_OPS_H
#define TARGET_X86_TCG_OPS_H

#include "tcg/guest.h"

extern const TcgGuestOps x86_tcg_ops;

#endif

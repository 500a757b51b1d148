/* SPDX-License-Identifier: MIT */
/* Paging-structure entries, SDM vol. 3, 4.3 to 4.5, for page-table walks alone. */
#ifndef TARGET_X86_PTE_H
#define TARGET_X86_PTE_H

#include "util/compiler.h"

#define PTE_P 0x1u
#define PTE_W 0x2u
#define PTE_U 0x4u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_PS 0x80u
#define PTE_G 0x100u
#define PTE_NX BIT(63)
#define PTE_ADDR 0xffffffffff000ull

#endif

/* SPDX-License-Identifier: MIT */
/* GROUP(name) for each group of 32-bit cases. */
GROUP(segments32)
GROUP(limits32)
GROUP(gates32)
GROUP(opcodes32)
GROUP(tasks)
GROUP(v86)
GROUP(real_mode)
GROUP(paging32)
GROUP(paging_pae)

/* SPDX-License-Identifier: MIT */
/* Between tb_cache.c and tb_region.c. All with the lock held. */
#ifndef TCG_TB_INT_H
#define TCG_TB_INT_H

#include "tcg/tb.h"

/* Regions and the arena of an empty cache. */
void tb_regions_init(TbCache *c, size_t arena_size);
void tb_regions_free(TbCache *c);
/* Empties them all; nothing points to their blocks any more. */
void tb_regions_reset(TbCache *c);
/* The block begun last stays. */
void tb_publish(TbCache *c, Tb *tb);

enum { TB_INDEX_SHIFT = 10 }; /* TbRegion.index is by KiB */
/* The first block in a chunk (1 + number) or behind it; NULL: none. */
Tb *tb_first_in(const TbCache *c, unsigned n);
/* The block made next in the same region. */
Tb *tb_next_block(const TbCache *c, const Tb *tb);

/* Bytes of the description of the block begun last. */
uint32_t tb_desc_size(const TbCache *c, const Tb *tb);

void tb_unhash(TbCache *c, Tb *tb);
void tb_unlink_extra(TbExtra *x);
/* Patches an exit's jump. */
void tb_lead_to(const TbCache *c, const TbExit *x, uint32_t to);
/* The bits of TbPage.granules of bytes in one page. */
uint64_t tb_granules(uint64_t ram, uint32_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* A page of its own under its own tables, for cases that change entries. */
#ifndef CASES_PAGING_H
#define CASES_PAGING_H
#define TEST_VA 0x10000000000ul /* PML4 slot 2 */
extern u64 t_pdpt[512], t_pd[512], t_pt[512];
extern u8 t_page[4096], t_page2[4096];
/* Maps t_page and t_page2 at TEST_VA, all rights, fills them with RET. */
void test_map(void);
#endif

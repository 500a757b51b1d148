/* SPDX-License-Identifier: MIT */
/* Registers of every device, as a guest gone mad uses them; rings in its memory. */
#include <string.h>

#include "tests/fuzz/board.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_name = "devices";

void fuzz_init(void)
{
    Board *b = fuzz_board();
    fuzz_board_free(b);
}

/* One write and one read in each area; then a few in a row. */
size_t fuzz_seed(unsigned i, uint8_t *buf)
{
    if (i >= fuzz_areas()) {
        return 0;
    }
    for (unsigned k = 0; k < 40; k++) {
        uint8_t op[FUZZ_OP] = {
            k % 3 == 2 ? 4 : 6 | (k % 3) << 4, i, k * 4, k / 16, k, 0, 1, 0
        };
        memcpy(buf + FUZZ_OP * k, op, FUZZ_OP);
    }
    return 40 * FUZZ_OP;
}

void fuzz_one(const uint8_t *data, size_t n)
{
    Board *b = fuzz_board();
    fuzz_ops(b, data, n);
    fuzz_board_free(b);
}
